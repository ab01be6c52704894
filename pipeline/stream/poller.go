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
	known := max(int(p.w.known.Load()), slices.Max(ids)+1)
	logs := map[int]*logSeen{}
	for id, part := range p.parts {
		logs[id] = &logSeen{topicID: part.topicID, end: part.logEnd, stuck: -1}
	}
	for {
		at := time.Now()
		// How far the readers are is noted before the log is asked: afterwards it grows, and a reader with it.
		reached := map[int]int64{}
		for id, r := range p.readers {
			reached[id] = r.progress.Load()
		}
		spans, err := p.w.spans(ctx, ids)
		n, topicID := 0, ""
		if err == nil {
			n, err = p.w.partitionCount(ctx)
		}
		if err == nil {
			topicID, err = p.w.ids.get(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if errors.Is(err, kafka.UnknownTopicOrPartition) {
				for _, l := range logs {
					l.gone = true
				}
			}
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
				p.look(id, s, topicID, reached[id], logs[id])
			}
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

// logSeen is what the poller has seen of the log of a partition.
type logSeen struct {
	topicID string
	end     int64
	gone    bool  // it was missing since
	stuck   int64 // where the reader was at the last look, if that is before the log's first offset
}

// look compares a reader's place, as it was before the log was looked at, with the log.
func (p *processor) look(id int, s span, topicID string, next int64, l *logSeen) {
	r := p.readers[id]
	j := jump{to: s.first}
	switch {
	case topicID != "" && l.topicID != "" && topicID != l.topicID:
		j.anew = &anew{topicID, l.end, "it has another id"}
	case l.gone && topicID == "":
		// It was missing and is there again: whatever it holds now, it is another log. Reading too much does no harm.
		j.anew = &anew{topicID, l.end, "it was missing"}
	case next > s.last:
		j.anew = &anew{topicID, l.end, "it ends before what was read of it"}
	case next < s.first && l.stuck == next && r.fetching.Load():
		// Nothing comes although the reader waits, and what it waits for is deleted.
	default:
		*l = logSeen{topicID: topicID, end: s.last, stuck: next}
		return
	}
	select {
	case r.jump <- j:
		*l = logSeen{topicID: topicID, end: s.last, stuck: -1}
	default: // it has not taken the one before; the next look comes to the same end
	}
}
