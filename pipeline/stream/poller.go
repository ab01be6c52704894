package stream

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
)

// poll is a look at the log.
type poll struct {
	at    time.Time
	spans map[int]span
}

// polled takes in a look at the log.
func (p *processor) polled(l poll) {
	for id, s := range l.spans {
		part := p.parts[id]
		part.logEnd = s.last
		if part.target < 0 {
			part.target, part.targetAt = s.last, l.at
		}
	}
}

// poller looks at the log now and then: it measures the lag, and notices what kafka-go's reader does not tell, a topic
// made anew and partitions added.
func (p *processor) poller(ctx context.Context) {
	ids := p.partitionIDs()
	known, gone := max(int(p.w.known.Load()), slices.Max(ids)+1), false
	before := map[int]int64{}
	for {
		at := time.Now()
		// How far the readers are is noted before the log is asked: afterwards it grows, and a reader with it.
		reached := map[int]int64{}
		for id, r := range p.readers {
			reached[id] = r.progress.Load()
		}
		spans, err := p.w.spans(ctx, ids)
		n := 0
		if err == nil {
			n, err = p.w.partitionCount(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			gone = gone || errors.Is(err, kafka.UnknownTopicOrPartition)
			p.w.setKafka(err)
			p.w.o.Log.Warn("cannot see the log", "topic", p.w.o.Kafka.Topic, "error", err)
		default:
			p.w.setKafka(nil)
			if n > known || n > 0 && n <= slices.Max(ids) {
				p.w.o.Log.Warn("the number of partitions has changed: joining the group again", "topic", p.w.o.Kafka.Topic, "was", known, "is", n)
				p.leave()
				return
			}
			for id, s := range spans {
				p.look(id, s, reached[id], gone, before)
			}
			gone = false
			p.w.countLost(ctx)
			select {
			case p.polls <- poll{at, spans}:
			case <-ctx.Done():
				return
			}
		}
		if pause(ctx, p.w.o.PollEvery) != nil {
			return
		}
	}
}

// look compares a reader's place, as it was before the log was looked at, with the log.
func (p *processor) look(id int, s span, next int64, gone bool, before map[int]int64) {
	r := p.readers[id]
	var j jump
	switch {
	case gone:
		// It was missing and is there again: whatever it holds now, it is another log. Reading too much does no harm.
		j = jump{to: s.first, restart: true}
	case next > s.last:
		j = jump{to: s.first, restart: true}
	case next < s.first && before[id] == next && r.fetching.Load():
		// Nothing comes although the reader waits, and what it waits for is deleted.
		j = jump{to: s.first}
	default:
		before[id] = next
		return
	}
	before[id] = -1
	select {
	case r.jump <- j:
	default: // it has not taken the one before
	}
}
