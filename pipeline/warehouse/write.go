package warehouse

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/failpoint"
	"github.com/tingke/tingke/schemas"
)

// Batch is what one flush writes. Orders, ratings, dead letters and lost ranges are put in as they came; repeats do no
// harm.
type Batch struct {
	States      []*assemble.State
	Analyses    []*schemas.Analysis // one for each state that changed, and any that were analysed anew
	Orders      []schemas.Order
	Ratings     []schemas.Rating
	DeadLetters []DeadLetter
	LostRanges  []LostRange
}

// DeadLetter is a message that could not be used. Topic, partition and offset identify it together with SHA256, because a
// topic that is made again counts from 0; of a file they are its name, 0 and the line.
type DeadLetter struct {
	Topic     string
	Partition int32
	Offset    int64
	Error     string
	RawMasked string    // the first 4 KiB, masked
	SHA256    string    // hex, of the whole raw message
	At        time.Time // when it was sent, or put aside
}

// LostRange says that Kafka deleted messages before they were read: offsets From to To, both included. TopicID, hex, tells
// a topic from another one of the same name that was deleted; it is "" where Kafka tells none.
type LostRange struct {
	Topic     string
	TopicID   string
	Partition int32
	From      int64
	To        int64
	At        time.Time
}

// Write stores all of a batch or fails; then some of it may be stored, and writing it again, whole, does no harm. Of
// two states or analyses of one session the one with the greater version wins. It keeps nothing of the batch.
//
// Transcripts go last: a transcript that is stored is the record that everything else of its session is. A crash
// before leaves the old transcript, so that the replay finds it short and writes again.
func (w *Warehouse) Write(ctx context.Context, b Batch) error {
	if err := insert(ctx, w, deadLetterInserter(), pointers(b.DeadLetters)); err != nil {
		return err
	}
	if err := insert(ctx, w, lostRangeInserter(), pointers(b.LostRanges)); err != nil {
		return err
	}
	orders, err := orderRows(b.Orders)
	if err != nil {
		return err
	}
	if err := insert(ctx, w, orderInserter(), pointers(orders)); err != nil {
		return err
	}
	if err := insert(ctx, w, ratingInserter(), pointers(b.Ratings)); err != nil {
		return err
	}
	if len(b.Analyses) > 0 {
		in := w.analyses.Get().(*inserter[schemas.Analysis])
		defer w.analyses.Put(in)
		if err := insert(ctx, w, in, b.Analyses); err != nil {
			return err
		}
	}
	if len(b.States) > 0 {
		failpoint.Hit(failpoint.BetweenInserts)
		in := w.transcripts.Get().(*inserter[assemble.State])
		defer w.transcripts.Put(in)
		if err := insert(ctx, w, in, b.States); err != nil {
			return err
		}
	}
	return nil
}

func pointers[T any](list []T) []*T {
	if len(list) == 0 {
		return nil
	}
	out := make([]*T, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}

// orderRow is an order with what the table wants of it.
type orderRow struct {
	schemas.Order
	version uint64
	amount  *decimal.Decimal
	refund  *decimal.Decimal
	items   []itemRow
}

type itemRow struct {
	*schemas.OrderItem
	price *decimal.Decimal
}

func orderRows(orders []schemas.Order) ([]orderRow, error) {
	if len(orders) == 0 {
		return nil, nil
	}
	rows := make([]orderRow, len(orders))
	var errs []error
	money := func(o *schemas.Order, field, text string) *decimal.Decimal {
		d, err := parseMoney(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("order %q: %s: %w", o.OrderID, field, err))
		}
		return d
	}
	for i := range orders {
		o := &orders[i]
		r := &rows[i]
		*r = orderRow{Order: *o, version: orderVersion(o)}
		r.amount = money(o, "amount", o.Amount)
		r.refund = money(o, "refund_amount", o.RefundAmount)
		r.items = make([]itemRow, len(o.Items))
		for j := range o.Items {
			r.items[j] = itemRow{&o.Items[j], money(o, "items["+strconv.Itoa(j)+"].price", o.Items[j].Price)}
		}
	}
	return rows, errors.Join(errs...)
}

// maxMoney is what a column of money holds; decoding refuses more.
var maxMoney = decimal.New(1, 14)

func parseMoney(text string) (*decimal.Decimal, error) {
	if text == "" {
		return nil, nil
	}
	d, err := decimal.NewFromString(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is no amount of money", text)
	case d.Abs().Cmp(maxMoney) >= 0 || !d.Equal(d.Truncate(4)):
		return nil, fmt.Errorf("%q has more than 14 digits before or 4 after the point", text)
	}
	return &d, nil
}

// orderVersion orders the messages of an order by (updated_at, status rank), 44 and 2 bits; 18 bits of a hash of the
// content decide between different messages of the same time and status, so that their order of arrival does not.
func orderVersion(o *schemas.Order) uint64 {
	rank := uint64(max(0, slices.Index(schemas.OrderStatuses, o.Status)))
	h := newContentHash()
	h.text(o.Shop, o.CustomerID, o.AgentID, o.Amount, o.RefundAmount)
	h.time(o.CreatedAt, o.PaidAt)
	for _, it := range o.Items {
		h.text(it.SKU, it.Name, strconv.FormatInt(it.Qty, 10), it.Price)
	}
	h.attributes(o.Attributes)
	return versionMillis(o.UpdatedAt)<<20 | rank<<18 | h.sum()>>46
}

// ratingVersion orders the ratings of a session by time, 44 bits, then by 20 bits of a hash of the content.
func ratingVersion(r *schemas.Rating) uint64 {
	h := newContentHash()
	h.text(strconv.FormatFloat(r.Score, 'g', -1, 64), strconv.FormatFloat(r.Max, 'g', -1, 64), r.Comment)
	h.attributes(r.Attributes)
	return versionMillis(r.At)<<20 | h.sum()>>44
}

// versionMillis are the 44 low bits of the milliseconds since 1970, which reach beyond the year 2500.
func versionMillis(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(0, t.UnixMilli())) & (1<<44 - 1)
}

type contentHash struct{ h io.Writer }

func newContentHash() contentHash { return contentHash{fnv.New64a()} }

func (c contentHash) text(list ...string) {
	for _, s := range list {
		io.WriteString(c.h, s)
		c.h.Write([]byte{0})
	}
}

func (c contentHash) time(list ...time.Time) {
	for _, t := range list {
		c.text(t.UTC().Format(time.RFC3339Nano))
	}
}

func (c contentHash) attributes(m map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		c.text(k, m[k])
	}
}

// sum mixes the bits: those of FNV alone are not spread well enough to use a part of them.
func (c contentHash) sum() uint64 {
	x := c.h.(interface{ Sum64() uint64 }).Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

func orderInserter() *inserter[orderRow] {
	type R = orderRow
	in := &inserter[R]{table: "order_rows", bytes: func(r *R) int { return 512 + 128*len(r.items) }}
	in.add(
		scalar("order_id", func(r *R) *string { return &r.OrderID }),
		scalar("version", func(r *R) *uint64 { return &r.version }),
		scalar("shop", func(r *R) *string { return &r.Shop }),
		scalar("status", func(r *R) *string { return &r.Status }),
		scalar("updated_at", func(r *R) *time.Time { return &r.UpdatedAt }),
		scalar("customer_id", func(r *R) *string { return &r.CustomerID }),
		scalar("agent_id", func(r *R) *string { return &r.AgentID }),
		scalar("created_at", func(r *R) *time.Time { return timeOf(&r.CreatedAt) }),
		scalar("paid_at", func(r *R) *time.Time { return timeOf(&r.PaidAt) }),
		scalar("amount", func(r *R) *decimal.Decimal { return r.amount }),
		scalar("refund_amount", func(r *R) *decimal.Decimal { return r.refund }),
		scalar("attributes", func(r *R) *sortedMap { return attributes(r.Attributes) }),
	)
	items := func(r *R) []itemRow { return r.items }
	array(in, "item_sku", items, func(i *itemRow) *string { return &i.SKU })
	array(in, "item_name", items, func(i *itemRow) *string { return &i.Name })
	array(in, "item_qty", items, func(i *itemRow) *int64 { return &i.Qty })
	array(in, "item_price", items, func(i *itemRow) *decimal.Decimal { return i.price })
	return in
}

func ratingInserter() *inserter[schemas.Rating] {
	type R = schemas.Rating
	in := &inserter[R]{table: "rating_rows", bytes: func(r *R) int { return 256 + len(r.Comment) }}
	in.add(
		scalar("session_id", func(r *R) *string { return &r.SessionID }),
		scalar("version", ratingVersion),
		scalar("score", func(r *R) *float64 { return &r.Score }),
		scalar("max", func(r *R) *float64 { return &r.Max }),
		scalar("comment", func(r *R) *string { return &r.Comment }),
		scalar("at", func(r *R) *time.Time { return timeOf(&r.At) }),
		scalar("attributes", func(r *R) *sortedMap { return attributes(r.Attributes) }),
	)
	return in
}

func deadLetterInserter() *inserter[DeadLetter] {
	type D = DeadLetter
	in := &inserter[D]{table: "dead_letter_rows", bytes: func(d *D) int { return 256 + len(d.RawMasked) + len(d.Error) }}
	in.add(
		scalar("topic", func(d *D) *string { return &d.Topic }),
		scalar("partition", func(d *D) *int32 { return &d.Partition }),
		scalar("offset", func(d *D) *int64 { return &d.Offset }),
		scalar("error", func(d *D) *string { return &d.Error }),
		scalar("raw_masked", func(d *D) *string { return &d.RawMasked }),
		scalar("sha256", func(d *D) *string { return &d.SHA256 }),
		scalar("message", func(d *D) *string { return &d.SHA256 }),
		scalar("at", func(d *D) time.Time { return clampTime(d.At) }),
	)
	return in
}

func lostRangeInserter() *inserter[LostRange] {
	type L = LostRange
	in := &inserter[L]{table: "lost_range_rows", bytes: func(*L) int { return 128 }}
	in.add(
		scalar("topic", func(l *L) *string { return &l.Topic }),
		scalar("topic_id", func(l *L) *string { return &l.TopicID }),
		scalar("partition", func(l *L) *int32 { return &l.Partition }),
		scalar("offset_from", func(l *L) *int64 { return &l.From }),
		scalar("offset_to", func(l *L) *int64 { return &l.To }),
		scalar("at", func(l *L) time.Time { return clampTime(l.At) }),
		scalar("acknowledged", func(*L) uint8 { return 0 }),
		scalar("acknowledged_by", func(*L) string { return "" }),
	)
	return in
}

// clampTime keeps a time that no decoder has seen, such as a message's own, within what the columns hold.
func clampTime(t time.Time) time.Time {
	if t.Year() < 1970 || t.Year() > 2261 {
		return time.Unix(0, 0)
	}
	return t
}
