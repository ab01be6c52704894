package stream

import (
	"context"
	"time"

	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/failpoint"
)

// sweep ends idle sessions that are not in memory: they were put out of it, or their worker is gone.
func (p *processor) sweep(work context.Context, now time.Time) {
	finder, ok := p.w.o.Store.(OpenSessions)
	if !ok || now.Sub(p.swept) < max(p.w.o.Idle/30, p.w.o.FlushEvery) {
		return
	}
	p.swept = now
	oldest := now
	for _, part := range p.parts {
		if part.passed.Before(oldest) {
			oldest = part.passed
		}
	}
	if oldest.IsZero() {
		return
	}
	p.endStored(work, finder, failpoint.Now().Add(oldest.Sub(now)-p.w.o.Idle)) // the store's clock is another one
}

// endStored queues the synthetic end of stored open sessions that have rested since before, and says how many.
func (p *processor) endStored(work context.Context, finder OpenSessions, before time.Time) int {
	var parts []int32
	for _, id := range p.partitionIDs() {
		parts = append(parts, int32(id))
	}
	var ids []string
	err := p.retry(work, "find open sessions", func(ctx context.Context) (err error) {
		ids, err = finder.OpenSessions(ctx, p.w.o.Kafka.Topic, parts, before, p.w.o.FlushSessions)
		return err
	})
	if err != nil {
		return 0
	}
	n := 0
	for _, id := range ids {
		if p.table.sessions[id] != nil {
			continue // in memory it has its own clock
		}
		e := p.table.entry(id, time.Now())
		e.state = &assemble.State{SessionID: id}
		e.end, e.joined = true, true
		p.table.queue(e)
		n++
	}
	return n
}

// takeRequests begins to end the input: it asks for the ends of the log as they are now.
func (p *processor) takeRequests(ctx context.Context) {
	rs := p.w.takeRequests()
	if len(rs) == 0 {
		return
	}
	p.ending = append(p.ending, rs...)
	for _, part := range p.parts {
		part.endTarget = -1
	}
	target := make(chan poll, 1)
	p.target = target
	ids := p.partitionIDs()
	go func() { // ends with the generation
		for {
			at := time.Now()
			spans, err := p.w.spans(ctx, ids)
			if err == nil {
				target <- poll{at: at, spans: spans}
				return
			}
			p.w.o.Log.Warn("cannot see the end of the input, trying again", "error", err)
			if pause(ctx, 200*time.Millisecond) != nil {
				return
			}
		}
	}()
}

func (p *processor) inputEnded() bool {
	now := time.Now()
	for _, part := range p.parts {
		if part.endTarget < 0 || !p.reached(part, part.endTarget, part.endAt, now) {
			return false
		}
	}
	return true
}

// endInput ends all open sessions of the partitions, writes and commits everything.
func (p *processor) endInput(work context.Context) {
	for _, e := range p.table.sessions {
		e.end = true
		p.table.queue(e)
	}
	err := p.flush(work, p.table.takeReady())
	if finder, ok := p.w.o.Store.(OpenSessions); ok && err == nil {
		// All that is open now was put out of memory, or is of a worker before.
		for err == nil && p.endStored(work, finder, time.Now().Add(time.Hour)) > 0 {
			err = p.flush(work, p.table.takeReady())
		}
	}
	if err != nil {
		return // the generation is over; the next one answers
	}
	for _, part := range p.parts {
		if part.offsets.committable() != part.committed {
			p.w.o.Log.Info("the end of the input is not committed yet, trying again", "partition", part.id)
			_ = pause(work, 100*time.Millisecond)
			return
		}
	}
	p.settle()
	for _, r := range p.ending {
		r.answer(p.w.Counts(), nil)
	}
	p.ending = nil
}

// reached says whether an end of the log, seen at a time, is processed. Where the log ends in transaction markers,
// which no reader shows, a long silence has to do.
func (p *processor) reached(part *partition, end int64, at, now time.Time) bool {
	const silence = 10 * time.Second
	return part.offsets.next >= end || len(p.items) == 0 && now.Sub(at) >= silence && now.Sub(part.lastItem) >= silence &&
		p.readers[part.id].silent(now, silence)
}
