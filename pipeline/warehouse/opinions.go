package warehouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// OpinionEvent is one change of the registry of opinions; the table is append-only. Fields that an action does not use
// are empty.
type OpinionEvent struct {
	EventID    string // UUIDv7: events count in this order
	At         time.Time
	Epoch      uint32
	Action     string // found, title, rename, merge, unmerge, split, status, note, retire, reset
	OpinionID  string
	TargetID   string
	Title      string
	Aspect     string
	Product    string
	Kind       string
	Polarity   string
	Department string
	Status     string
	FixedOn    *time.Time
	Owner      string
	Answer     string
	Note       string
	Actor      string
	Members    []string
	Cleared    []string // owner, note, answer: what the event takes away
}

// OpinionEpoch is a published snapshot of the registry.
type OpinionEpoch struct {
	Epoch    uint32
	At       time.Time
	Cause    string // rebuild, full, split
	Actor    string
	Founded  uint32
	Opinions uint32
	Model    string
}

// OpinionEvents gives the events up to an epoch, in order.
func (w *Warehouse) OpinionEvents(ctx context.Context, upTo uint32) ([]OpinionEvent, error) {
	var out []OpinionEvent
	sql := fmt.Sprintf("SELECT event_id, at, epoch, action, opinion_id, target_id, title, aspect, product, kind, polarity, department, status, fixed_on, owner, answer, note, actor, members, cleared "+
		"FROM opinion_events FINAL WHERE epoch <= %d ORDER BY event_id", upTo)
	err := w.query(w.reading(ctx), sql, func(rows driver.Rows) error {
		var e OpinionEvent
		if err := rows.Scan(&e.EventID, &e.At, &e.Epoch, &e.Action, &e.OpinionID, &e.TargetID, &e.Title, &e.Aspect, &e.Product, &e.Kind, &e.Polarity,
			&e.Department, &e.Status, &e.FixedOn, &e.Owner, &e.Answer, &e.Note, &e.Actor, &e.Members, &e.Cleared); err != nil {
			return err
		}
		e.At = e.At.UTC()
		out = append(out, e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the registry of opinions: %w", err)
	}
	return out, nil
}

// AppendOpinionEvents appends events in their order. They get ids and, where it is zero, the time; ids grow within one
// call and, as far as clocks agree, from call to call.
func (w *Warehouse) AppendOpinionEvents(ctx context.Context, events []OpinionEvent) error {
	for i := range events {
		e := &events[i]
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("cannot make an id of an opinion event: %w", err)
		}
		e.EventID = id.String()
		if e.At.IsZero() {
			e.At = time.Now().UTC().Truncate(time.Millisecond)
		}
	}
	in := &inserter[OpinionEvent]{table: "opinion_events", bytes: func(e *OpinionEvent) int { return 512 + 64*len(e.Members) }}
	type E = OpinionEvent
	in.add(
		scalar("event_id", func(e *E) *string { return &e.EventID }),
		scalar("at", func(e *E) time.Time { return e.At }),
		scalar("epoch", func(e *E) *uint32 { return &e.Epoch }),
		scalar("action", func(e *E) *string { return &e.Action }),
		scalar("opinion_id", func(e *E) *string { return &e.OpinionID }),
		scalar("target_id", func(e *E) *string { return &e.TargetID }),
		scalar("title", func(e *E) *string { return &e.Title }),
		scalar("aspect", func(e *E) *string { return &e.Aspect }),
		scalar("product", func(e *E) *string { return &e.Product }),
		scalar("kind", func(e *E) *string { return &e.Kind }),
		scalar("polarity", func(e *E) *string { return &e.Polarity }),
		scalar("department", func(e *E) *string { return &e.Department }),
		scalar("status", func(e *E) *string { return &e.Status }),
		scalar("fixed_on", func(e *E) *time.Time { return e.FixedOn }),
		scalar("owner", func(e *E) *string { return &e.Owner }),
		scalar("answer", func(e *E) *string { return &e.Answer }),
		scalar("note", func(e *E) *string { return &e.Note }),
		scalar("actor", func(e *E) *string { return &e.Actor }),
		scalar("members", func(e *E) []string { return e.Members }),
		scalar("cleared", func(e *E) []string { return e.Cleared }),
	)
	if err := insert(ctx, w, in, pointers(events)); err != nil {
		return fmt.Errorf("cannot append to the registry of opinions: %w", err)
	}
	return nil
}

// LatestOpinionEpoch gives the snapshot in use; its number is 0 where none was published.
func (w *Warehouse) LatestOpinionEpoch(ctx context.Context) (OpinionEpoch, error) {
	list, err := w.OpinionEpochs(ctx, 1)
	if err != nil || len(list) == 0 {
		return OpinionEpoch{}, err
	}
	return list[0], nil
}

// OpinionEpochs gives the latest snapshots, the latest first.
func (w *Warehouse) OpinionEpochs(ctx context.Context, limit int) ([]OpinionEpoch, error) {
	var out []OpinionEpoch
	sql := fmt.Sprintf("SELECT epoch, at, cause, actor, founded, opinions, model FROM opinion_epochs FINAL ORDER BY epoch DESC LIMIT %d", limit)
	err := w.query(w.reading(ctx), sql, func(rows driver.Rows) error {
		var e OpinionEpoch
		if err := rows.Scan(&e.Epoch, &e.At, &e.Cause, &e.Actor, &e.Founded, &e.Opinions, &e.Model); err != nil {
			return err
		}
		e.At = e.At.UTC()
		out = append(out, e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the epochs of the registry of opinions: %w", err)
	}
	return out, nil
}

// PublishOpinionEpoch puts a snapshot into use. All events up to it must be appended before.
func (w *Warehouse) PublishOpinionEpoch(ctx context.Context, e OpinionEpoch) error {
	in := &inserter[OpinionEpoch]{table: "opinion_epochs", bytes: func(*OpinionEpoch) int { return 128 }}
	in.add(
		scalar("epoch", func(e *OpinionEpoch) *uint32 { return &e.Epoch }),
		scalar("at", func(e *OpinionEpoch) time.Time { return e.At }),
		scalar("cause", func(e *OpinionEpoch) *string { return &e.Cause }),
		scalar("actor", func(e *OpinionEpoch) *string { return &e.Actor }),
		scalar("founded", func(e *OpinionEpoch) *uint32 { return &e.Founded }),
		scalar("opinions", func(e *OpinionEpoch) *uint32 { return &e.Opinions }),
		scalar("model", func(e *OpinionEpoch) *string { return &e.Model }),
	)
	if err := insert(ctx, w, in, []*OpinionEpoch{&e}); err != nil {
		return fmt.Errorf("cannot publish epoch %d of the registry of opinions: %w", e.Epoch, err)
	}
	return nil
}

// OpinionMention is a mention as the registry needs it.
type OpinionMention struct {
	SessionID string
	Text      string
	Kind      string
	Aspect    string
	Product   string
	Polarity  string
	OpinionID string // as stored, without redirects
}

// OpinionMentions calls f with the valuable mentions of the active runs, in no order: those that wait for an opinion,
// or all.
func (w *Warehouse) OpinionMentions(ctx context.Context, waiting bool, f func(OpinionMention) error) error {
	where := "valuable"
	if waiting {
		where += " AND opinion = ''"
	}
	sql := "SELECT session_id, text, kind, aspect, product, polarity, opinion FROM (SELECT session_id, mention_text, mention_kind, mention_aspect, mention_valuable, " +
		"mention_product, mention_polarity, mention_opinion FROM active_analyses WHERE has(mention_valuable, true)) " +
		"ARRAY JOIN mention_text AS text, mention_kind AS kind, mention_aspect AS aspect, mention_valuable AS valuable, mention_product AS product, " +
		"mention_polarity AS polarity, mention_opinion AS opinion WHERE " + where
	err := w.query(w.reading(ctx), sql, func(rows driver.Rows) error {
		var m OpinionMention
		if err := rows.Scan(&m.SessionID, &m.Text, &m.Kind, &m.Aspect, &m.Product, &m.Polarity, &m.OpinionID); err != nil {
			return err
		}
		return f(m)
	})
	if err != nil {
		return fmt.Errorf("cannot read the mentions: %w", err)
	}
	return nil
}

// SessionsOfOpinions gives the sessions of the active runs with a mention of one of the opinions, sorted.
func (w *Warehouse) SessionsOfOpinions(ctx context.Context, ids []string) ([]string, error) {
	var out []string
	list := strings.Builder{}
	for i, id := range ids {
		if i > 0 {
			list.WriteByte(',')
		}
		appendQuoted(&list, id)
	}
	err := w.query(w.reading(ctx), "SELECT DISTINCT session_id FROM active_analyses WHERE hasAny(mention_opinion, ["+list.String()+"]) ORDER BY session_id", func(rows driver.Rows) error {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		out = append(out, id)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot find the sessions of opinions: %w", err)
	}
	return out, nil
}

// Lease is the right to do what only one process may do at a time; it ends by itself where it is not renewed.
type Lease struct {
	w            *Warehouse
	holder, name string
}

// TryLease takes a lease, or gives nil where another holds it. A try is a row; it holds when, after it was inserted, no
// other live row is there: of two tries at least the later one sees the other, so never both hold it.
func (w *Warehouse) TryLease(ctx context.Context, name string, d time.Duration) (*Lease, error) {
	l := &Lease{w, uuid.NewString(), name}
	held, err := l.others(ctx)
	if err == nil && !held {
		if err = l.set(ctx, 1, d); err == nil {
			held, err = l.others(ctx)
		}
		if err != nil || held {
			l.Release(ctx)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot take the lease of %s: %w", name, err)
	}
	if held {
		return nil, nil
	}
	return l, nil
}

func (l *Lease) others(ctx context.Context) (bool, error) {
	var n uint64
	sql := fmt.Sprintf("SELECT count() FROM (SELECT holder, argMax(state, state) AS last, max(until) AS ends FROM leases WHERE name = %s GROUP BY holder) WHERE last = 1 AND holder != %s AND ends > now64(6)",
		quote(l.name), quote(l.holder))
	err := l.w.conn.QueryRow(l.w.reading(ctx), sql).Scan(&n)
	return n > 0, err
}

func (l *Lease) set(ctx context.Context, state int, d time.Duration) error {
	return l.w.conn.Exec(l.w.writing(ctx), fmt.Sprintf("INSERT INTO leases (holder, name, state, until) SELECT %s, %s, %d, now64(6) + toIntervalMillisecond(%d)",
		quote(l.holder), quote(l.name), state, d.Milliseconds()))
}

// Renew makes the lease last d from now.
func (l *Lease) Renew(ctx context.Context, d time.Duration) error { return l.set(ctx, 1, d) }

// Release gives the lease back, also where ctx is done.
func (l *Lease) Release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := l.set(ctx, 2, 0); err != nil {
		l.w.log.Warn("cannot give a lease back; it ends by itself", "name", l.name, "error", err)
	}
}
