package stream

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/failpoint"
	"github.com/tingke/tingke/schemas"
)

// chunkStateBytes bounds the states that are loaded, analysed and written together.
const chunkStateBytes = 64 << 20

// storedElementBytes guesses the memory of a stored turn from its element.
const storedElementBytes = 600

// flushAll writes everything, open sessions too, before the partitions go.
func (p *processor) flushAll(work context.Context) {
	for e := p.table.order.Front(); e != nil; e = e.Next() {
		if s := e.Value.(*entry); len(s.refs) > 0 {
			p.table.queue(s)
		}
	}
	began := time.Now()
	if err := p.flush(work, p.table.takeReady()); err != nil {
		p.w.o.Log.Warn("the generation is over before everything is written; the rest will be read again",
			"generation", p.gen.ID, "took", time.Since(began).Round(time.Millisecond), "error", err)
	}
}

// flush writes sessions, everything on the side, and commits. What fails is repeated inside until the work is cut off.
func (p *processor) flush(work context.Context, entries []*entry) error {
	if len(entries) > 0 || p.side.size() > 0 {
		failpoint.Hit(failpoint.BeforeFlush)
	}
	for first := true; len(entries) > 0 || first; first = false {
		n := p.chunk(entries)
		if n == 0 && p.side.size() == 0 {
			break
		}
		if err := p.write(work, entries[:n]); err != nil {
			return err
		}
		entries = entries[n:]
	}
	p.commit()
	return nil
}

// chunk says how many of the entries are written together.
func (p *processor) chunk(entries []*entry) int {
	size := 0
	for i, e := range entries {
		if i == p.w.o.FlushSessions || i > 0 && size > chunkStateBytes {
			return i
		}
		p.table.fold(e)
		size += e.bytes
	}
	return len(entries)
}

// join looks up what is stored of sessions that are new in memory. What the store has seen already needs no write; a
// late turn of a session that has ended is written at the next flush instead of waiting for an end.
func (p *processor) join(work context.Context, fresh []*entry) {
	for len(fresh) > 0 {
		n := min(len(fresh), p.w.o.FlushSessions)
		stored, err := p.versions(work, fresh[:n])
		if err != nil {
			return
		}
		for _, e := range fresh[:n] {
			e.joined = true
			v, ok := stored[e.id]
			if !ok {
				continue
			}
			p.table.fold(e)
			covered := assemble.Covers(v.revision(), v.Seen, e.state)
			if covered {
				p.unchanged(e, v.closed())
			} else if v.closed() {
				p.table.queue(e)
			}
		}
		fresh = fresh[n:]
	}
}

func (p *processor) versions(work context.Context, entries []*entry) (map[string]StoredVersion, error) {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.id
	}
	var out map[string]StoredVersion
	err := p.retry(work, "read what is stored", func(ctx context.Context) (err error) {
		out, err = p.w.o.Store.StoredVersions(ctx, ids)
		return err
	})
	return out, err
}

// unchanged notes that everything a session has seen is stored already.
func (p *processor) unchanged(e *entry, closed bool) {
	p.table.finish(e)
	p.counts.Unchanged++
	p.w.metrics.sessions.WithLabelValues("unchanged").Inc()
	if closed {
		p.counts.Closed++
		p.table.drop(e)
	}
}

func (v StoredVersion) revision() uint16 { return uint16(v.Version >> 20) }

// closed says whether the stored state has an end.
func (v StoredVersion) closed() bool {
	for _, e := range v.Seen {
		if e.Kind() == assemble.KindEnd {
			return true
		}
	}
	return false
}

// write brings sessions to the store: it reads what is stored, joins, analyses, and writes what differs together with
// everything on the side.
func (p *processor) write(work context.Context, entries []*entry) error {
	began := time.Now()
	var stored map[string]StoredVersion
	if len(entries) > 0 {
		var err error
		if stored, err = p.versions(work, entries); err != nil {
			return err
		}
	}
	var same, differ []*entry
	var load []string
	size := 0
	for i, e := range entries {
		v, ok := stored[e.id]
		switch {
		case ok && assemble.Covers(v.revision(), v.Seen, e.state) && (!e.end || v.closed()):
			same = append(same, e)
		case ok && !assemble.Covers(e.state.Revision, e.state.Seen, &assemble.State{Revision: v.revision(), Seen: v.Seen}):
			if size += len(v.Seen) * storedElementBytes; size > chunkStateBytes && len(load) > 0 {
				// The stored parts are large: the rest has a write of its own.
				if err := p.write(work, entries[:i]); err != nil {
					return err
				}
				return p.write(work, entries[i:])
			}
			load = append(load, e.id)
			differ = append(differ, e)
		default:
			differ = append(differ, e)
		}
	}
	var states map[string]*assemble.State
	if len(load) > 0 {
		err := p.retry(work, "load stored sessions", func(ctx context.Context) (err error) {
			states, err = p.w.o.Store.LoadStates(ctx, load)
			return err
		})
		if err != nil {
			return err
		}
	}
	batch := Batch{
		Orders: p.side.orders, Ratings: p.side.ratings, LostRanges: p.side.lost,
		Sessions: make([]Analysed, len(differ)),
	}
	ended := int64(0)
	for i, e := range differ {
		if s := states[e.id]; s != nil {
			s.Add(e.state)
			e.state = s
		}
		if e.end && !e.state.Closed() {
			e.state.Add(assemble.SyntheticEnd(e.id, e.state.Revision))
			ended++
		}
		batch.Sessions[i].State = e.state
		p.table.measure(e)
	}
	if err := p.analyse(work, batch.Sessions); err != nil {
		return err
	}
	if err := p.tellWatcher(work, batch.Sessions, differ, stored); err != nil {
		return err
	}
	if err := p.w.dead.produce(work, p.side.bad); err != nil {
		return err
	}
	for _, b := range p.side.bad {
		batch.DeadLetters = append(batch.DeadLetters, b.row)
	}
	if len(batch.Sessions) > 0 || p.side.size() > 0 {
		failpoint.Hit(failpoint.BeforeWrite)
		if err := p.retry(work, "write", func(ctx context.Context) error { return p.w.o.Store.Write(ctx, batch) }); err != nil {
			return err
		}
		failpoint.Hit(failpoint.AfterWriteBeforeCommit)
	}

	for _, e := range same {
		p.unchanged(e, stored[e.id].closed())
		e.joined = true
	}
	for _, e := range differ {
		p.table.finish(e)
		e.joined = true
		if e.state.Closed() {
			p.counts.Closed++
			p.table.drop(e)
		}
	}
	p.counts.Written += int64(len(differ))
	p.counts.Ended += ended
	p.w.metrics.ends.Add(float64(ended))
	p.w.metrics.sessions.WithLabelValues("written").Add(float64(len(differ)))
	for _, r := range p.side.refs {
		r.offsets.finish(r.offset)
	}
	p.side = side{}
	p.w.metrics.flush.Observe(time.Since(began).Seconds())
	return nil
}

// tellWatcher shows the sessions to the watcher before they are written.
func (p *processor) tellWatcher(work context.Context, sessions []Analysed, entries []*entry, stored map[string]StoredVersion) error {
	if _, none := p.w.o.Watcher.(noWatcher); none || len(sessions) == 0 {
		return nil
	}
	watched := make([]Watched, len(sessions))
	for i, e := range entries {
		_, known := stored[e.id]
		watched[i] = Watched{Analysed: sessions[i], Whole: len(e.refs) == 1 && !known}
	}
	return p.retry(work, "store alerts", func(ctx context.Context) error { return p.w.o.Watcher.Analysed(ctx, watched) })
}

// analyse fills in the analyses, on all processors.
func (p *processor) analyse(work context.Context, sessions []Analysed) error {
	workers := min(runtime.GOMAXPROCS(0), len(sessions))
	next := make(chan *Analysed)
	var wg sync.WaitGroup
	var mu sync.Mutex
	panics := int64(0)
	for range workers {
		wg.Go(func() {
			for s := range next {
				a, panicked := p.w.analyseOne(s.State.Transcript())
				s.Analysis = a
				if panicked {
					mu.Lock()
					panics++
					mu.Unlock()
				}
			}
		})
	}
	for i := range sessions {
		if work.Err() != nil {
			break
		}
		next <- &sessions[i]
	}
	close(next)
	wg.Wait()
	p.counts.Panics += panics
	return work.Err()
}

// WhyPanic is the reason of the coverage note of a session whose analysis panicked.
const WhyPanic = "panic"

// analyseOne analyses a session. One that makes the analysis panic is stored without, and says so in its coverage: it
// must not stop the stream again and again.
func (w *Worker) analyseOne(t *schemas.Transcript) (a *schemas.Analysis, panicked bool) {
	defer func() {
		if r := recover(); r != nil {
			w.metrics.panics.Inc()
			w.o.Log.Error("the analysis of a session panicked", "session_id", t.Meta.SessionID, "panic", r, "stack", string(debug.Stack()))
			a, panicked = unanalysed(t), true
		}
	}()
	return w.o.Analyser.Analyse(t), false
}

// unanalysed is the analysis of a session that could not be analysed: its turns, without emotions or findings.
func unanalysed(t *schemas.Transcript) *schemas.Analysis {
	a := &schemas.Analysis{
		SessionID: t.Meta.SessionID, Version: t.Version << 28, Closed: t.Closed, Meta: t.Meta,
		StartedAt: t.Meta.StartedAt, EndedAt: t.EndedAt, Origin: t.Origin,
		Turns:    make([]schemas.AnalysedTurn, len(t.Turns)),
		Coverage: append([]schemas.CoverageNote{{What: "analysis", Why: WhyPanic}}, t.Notes...),
	}
	a.Facts.Turns = len(t.Turns)
	for i := range t.Turns {
		switch t.Turns[i].Role {
		case schemas.Customer:
			a.Facts.CustomerTurns++
		case schemas.Agent:
			a.Facts.AgentTurns++
		case schemas.Bot:
			a.Facts.BotTurns++
		}
		a.Turns[i] = schemas.AnalysedTurn{TranscriptTurn: t.Turns[i], Emotion: schemas.Neutral}
		a.Turns[i].Scores[schemas.Neutral] = 1
	}
	return a
}

// commit tells Kafka how far everything is in written states. Where the generation is over the offsets are simply not
// committed: whoever has the partition now reads the messages again and finds them stored.
func (p *processor) commit() {
	var offsets []kafka.OffsetCommit
	for id, part := range p.parts {
		if part.offsets == nil {
			continue
		}
		if c := part.offsets.committable(); c != part.committed {
			offsets = append(offsets, kafka.OffsetCommit{Partition: id, Offset: c, Metadata: commitNote{part.topicID, max(part.logEnd, c)}.String()})
		}
	}
	if len(offsets) == 0 {
		return
	}
	err := p.w.commitOffsets(p.gen, offsets)
	switch {
	case err == nil:
		for _, c := range offsets {
			p.parts[c.Partition].committed = c.Offset
		}
		p.w.metrics.commits.WithLabelValues("ok").Inc()
		failpoint.Hit(failpoint.AfterCommit)
	case errors.Is(err, kafka.IllegalGeneration), errors.Is(err, kafka.RebalanceInProgress), errors.Is(err, kafka.UnknownMemberId):
		p.w.metrics.commits.WithLabelValues("stale").Inc()
		p.w.o.Log.Info("not committed: the generation is over", "generation", p.gen.ID, "error", err)
	default:
		p.w.metrics.commits.WithLabelValues("error").Inc()
		p.w.o.Log.Warn("cannot commit, trying again at the next flush", "generation", p.gen.ID, "error", err)
	}
}
