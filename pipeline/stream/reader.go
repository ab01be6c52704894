package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/semaphore"

	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/failpoint"
	"github.com/tingke/tingke/schemas"
)

// item is one thing a reader hands to the processor: a message, or news of the log.
type item struct {
	part   *partition
	offset int64 // of the message; of news, the offset at which reading goes on
	weight int64 // of the tokens taken

	typ    string
	turns  int
	state  *assemble.State
	order  *Order
	rating *Rating
	bad    *bad

	lost bool  // Kafka deleted the messages from offset from on, before they were read
	from int64 // of lost
	anew *anew // all offsets before mean nothing
}

// anew says that the log is another one than before.
type anew struct {
	topicID string // of the topic as it is now, "" where it has none
	end     int64  // of the log before, as far as it was seen
	why     string
}

// span is the range of offsets that a partition of the log has: from first to last-1.
type span struct{ first, last int64 }

// reader reads one partition. It owns the goroutine that calls run.
type reader struct {
	w      *Worker
	part   *partition
	items  chan<- item
	tokens *semaphore.Weighted

	next     int64 // offset wanted next
	jump     chan jump
	progress atomic.Int64 // next, for the poller
	fetching atomic.Bool  // it waits for the broker, not for the processor

	// maxWait is how long one fetch may take. kafka-go waits for the beginning of an answer no longer, so it grows where
	// a slow broker or a large message needs more; an idle fetch must end soon for the reader to stop soon.
	maxWait  time.Duration
	failures atomic.Int32 // fetches that failed since the latest message
	failedAt atomic.Int64 // unix nanoseconds of the latest

	complained time.Time
}

// Bounds of reader.maxWait, and after how many failures in a row it doubles.
const (
	firstMaxWait   = 250 * time.Millisecond
	lastMaxWait    = 8 * time.Second
	slowAfterFails = 3
)

// jump tells a reader to go on somewhere else.
type jump struct {
	to   int64
	anew *anew // nil where messages of the same log are gone
}

// fetchBytes is what one fetch asks for. A larger message comes all the same, alone.
const fetchBytes = 2 << 20

// queueBytes bounds what is decoded and not taken by the processor yet.
const queueBytes = 32 << 20

func (r *reader) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := r.read(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			r.complain(err)
			if pause(ctx, 200*time.Millisecond) != nil {
				return
			}
		}
	}
}

// complain logs what keeps a reader from reading, not more than every ten seconds.
func (r *reader) complain(err error) {
	if time.Since(r.complained) < 10*time.Second {
		return
	}
	r.complained = time.Now()
	r.w.o.Log.Warn("cannot read, trying again", "topic", r.w.o.Kafka.Topic, "partition", r.part.id, "offset", r.next, "error", err)
}

// read reads from r.next on until something makes it start anew.
func (r *reader) read(ctx context.Context) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	moved := make(chan jump, 1)
	watch := make(chan struct{})
	go func() { // a jump interrupts the wait for the broker
		defer close(watch)
		select {
		case j := <-r.jump:
			moved <- j
			cancel()
		case <-inner.Done():
		}
	}()
	err := r.fetchAll(inner, cancel)
	cancel()
	<-watch
	select {
	case j := <-moved:
		return r.goTo(ctx, j)
	default:
	}
	if r.failures.Load() >= slowAfterFails && r.maxWait < lastMaxWait {
		r.failures.Store(0)
		r.maxWait *= 2
		r.w.o.Log.Debug("fetches time out: more patience", "partition", r.part.id, "max_wait", r.maxWait)
		return nil
	}
	return err
}

// failed notes a failed fetch that kafka-go repeats by itself, and says whether to start anew with more patience.
func (r *reader) failed() bool {
	r.failedAt.Store(time.Now().UnixNano())
	return r.failures.Add(1) >= slowAfterFails && r.maxWait < lastMaxWait
}

// silent says whether the reader has long waited for a message without failing.
func (r *reader) silent(now time.Time, d time.Duration) bool {
	return r.fetching.Load() && now.Sub(time.Unix(0, r.failedAt.Load())) >= d
}

func (r *reader) fetchAll(ctx context.Context, restart func()) error {
	kr := kafka.NewReader(kafka.ReaderConfig{
		Brokers: r.w.o.Kafka.Brokers, Dialer: r.w.access.dialer(), Topic: r.w.o.Kafka.Topic, Partition: r.part.id,
		QueueCapacity: 8, MinBytes: 1, MaxBytes: fetchBytes, MaxWait: r.maxWait,
		ReadLagInterval: -1, ReadBackoffMin: 20 * time.Millisecond, ReadBackoffMax: time.Second, MaxAttempts: 3,
		OffsetOutOfRangeError: true,
		ErrorLogger: kafka.LoggerFunc(func(f string, a ...any) {
			r.w.o.Log.Debug("reader: " + fmt.Sprintf(f, a...))
			if r.failed() {
				restart()
			}
		}),
	})
	defer kr.Close()
	if err := kr.SetOffset(r.next); err != nil {
		return err
	}
	for {
		r.fetching.Store(true)
		m, err := kr.FetchMessage(ctx)
		r.fetching.Store(false)
		switch {
		case errors.Is(err, kafka.OffsetOutOfRange):
			return r.resolve(ctx)
		case errors.Is(err, io.EOF) || ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			// kafka-go goes on by itself; it only tells.
			r.complain(err)
			continue
		}
		r.failures.Store(0)
		if m.Offset < r.next {
			continue // of a batch that began before
		}
		if m.Offset > r.next {
			if err := r.gap(ctx, m.Offset); err != nil {
				return err
			}
		}
		it := r.item(&m)
		if !r.send(ctx, it) {
			return ctx.Err()
		}
		r.setNext(m.Offset + 1)
	}
}

func (r *reader) setNext(offset int64) {
	r.next = offset
	r.progress.Store(offset)
}

// gap looks into a jump of offsets. Compaction and transaction markers leave lawful ones; one that starts before the
// log's first offset means that messages were deleted unread.
func (r *reader) gap(ctx context.Context, offset int64) error {
	s, err := r.w.span(ctx, r.part.id)
	if err != nil {
		return err
	}
	if s.first > r.next {
		return r.lose(ctx, min(s.first, offset))
	}
	return nil
}

// lose reports the messages from r.next to before to as lost and goes on there.
func (r *reader) lose(ctx context.Context, to int64) error {
	if !r.send(ctx, item{part: r.part, offset: to, lost: true, from: r.next}) {
		return ctx.Err()
	}
	r.setNext(to)
	return nil
}

// errBeyondEnd: the poller, which knows whether the topic is still the same one, tells where to go on.
var errBeyondEnd = errors.New("the log ends before what was read of it")

// resolve finds out why the broker does not have the offset wanted.
func (r *reader) resolve(ctx context.Context) error {
	s, err := r.w.span(ctx, r.part.id)
	switch {
	case err != nil:
		return err
	case r.next < s.first:
		return r.lose(ctx, s.first)
	case r.next > s.last:
		return errBeyondEnd
	}
	return nil
}

func (r *reader) goTo(ctx context.Context, j jump) error {
	if j.anew == nil {
		return r.lose(ctx, j.to)
	}
	if !r.send(ctx, item{part: r.part, offset: j.to, anew: j.anew}) {
		return ctx.Err()
	}
	r.setNext(j.to)
	return nil
}

// send gives an item to the processor, or says that ctx is done.
func (r *reader) send(ctx context.Context, it item) bool {
	it.weight = min(it.weight, queueBytes)
	if it.weight > 0 {
		if r.tokens.Acquire(ctx, it.weight) != nil {
			return false
		}
	}
	select {
	case r.items <- it:
		return true
	case <-ctx.Done():
		r.tokens.Release(it.weight) // a reader that starts anew would find less room each time, in the end none
		return false
	}
}

// item decodes a message, takes its identity and masks it.
func (r *reader) item(m *kafka.Message) item {
	it := item{part: r.part, offset: m.Offset, weight: int64(2*len(m.Value)) + 512}
	if err := r.fill(&it, m); err != nil {
		it.typ, it.state, it.order, it.rating = "bad", nil, nil, nil
		it.bad = r.w.dead.newBad(m, err)
	}
	return it
}

func (r *reader) fill(it *item, m *kafka.Message) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.w.o.Log.Error("decoding a message panicked", "topic", m.Topic, "partition", m.Partition, "offset", m.Offset, "panic", p, "stack", string(debug.Stack()))
			err = errors.New("this message makes the decoder fail; please report it")
		}
	}()
	msg, err := schemas.Decode(m.Value)
	if err != nil {
		return err
	}
	failpoint.Hit(failpoint.AfterDecode)
	it.typ = msg.Type
	origin := schemas.Origin{Topic: m.Topic, Partition: int32(m.Partition), OffsetMin: m.Offset, OffsetMax: m.Offset}
	if it.state = assemble.FromMessage(r.w.o.Hasher, r.w.o.Mask, msg); it.state != nil {
		it.state.Origin = origin
		it.turns = len(it.state.Turns)
		r.w.o.Watcher.Arrived(it.state)
		return nil
	}
	r.w.o.Mask(msg)
	if msg.Order != nil {
		it.order = &Order{Order: *msg.Order, Origin: origin}
	}
	if msg.Rating != nil {
		it.rating = &Rating{Rating: *msg.Rating, Origin: origin}
	}
	return nil
}

// spans asks for the first and last offsets of partitions.
func (w *Worker) spans(ctx context.Context, partitions []int) (map[int]span, error) {
	var reqs []kafka.OffsetRequest
	for _, p := range partitions {
		reqs = append(reqs, kafka.FirstOffsetOf(p), kafka.LastOffsetOf(p))
	}
	resp, err := w.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{w.o.Kafka.Topic: reqs}})
	if err != nil {
		return nil, err
	}
	out := make(map[int]span, len(partitions))
	for _, p := range resp.Topics[w.o.Kafka.Topic] {
		if p.Error != nil {
			return nil, p.Error
		}
		out[p.Partition] = span{p.FirstOffset, p.LastOffset}
	}
	if len(out) < len(partitions) {
		return nil, fmt.Errorf("%d of %d partitions of topic %s: %w", len(out), len(partitions), w.o.Kafka.Topic, kafka.UnknownTopicOrPartition)
	}
	return out, nil
}

func (w *Worker) span(ctx context.Context, partition int) (span, error) {
	s, err := w.spans(ctx, []int{partition})
	return s[partition], err
}
