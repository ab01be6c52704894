package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/semaphore"

	"github.com/tingke/tingke/pipeline/failpoint"
)

// processor works through one generation: it joins what the readers of its partitions give into sessions, flushes them
// and commits. All of its state belongs to the goroutine of run; readers and the poller talk to it through channels.
type processor struct {
	w     *Worker
	gen   *kafka.Generation
	leave func()
	stop  context.CancelCauseFunc

	parts   map[int]*partition
	readers map[int]*reader
	items   chan item
	polls   chan poll
	tokens  *semaphore.Weighted
	table   *table
	side    side
	counts  Counts // not yet added to the worker's
	swept   time.Time
	// splitSaid is when it was last said that producers do not key by session.
	splitSaid time.Time
	ending    []*endRequest
	target    chan poll // the ends of the log at the time of the first of ending
	// wanted are sessions that the watcher wants and that are not in the table, since when: it hears of a message first.
	wanted map[string]time.Time
}

// wantedFor is how long a wanted session is waited for.
const wantedFor = time.Minute

// partition is what the processor knows of a partition.
type partition struct {
	id        int
	offsets   *offsets
	committed int64
	// target is an end of the log seen at some time, until it is passed; passed is the time of the latest that was:
	// everything produced before it is processed.
	target    int64
	targetAt  time.Time
	passed    time.Time
	lastItem  time.Time
	endTarget int64 // of EndInput; -1 for none
	endAt     time.Time
	logEnd    int64
	topicID   string // of the log that offsets are of, "" where it has none
}

// side is what goes into the next write beside sessions.
type side struct {
	orders  []Order
	ratings []Rating
	bad     []*bad
	lost    []LostRange
	refs    []ref
	bytes   int
}

func (s *side) size() int { return len(s.orders) + len(s.ratings) + len(s.bad) + len(s.lost) }

// queueItems bounds the messages that are read and not joined yet, beside queueBytes: enough of them to go on reading
// through a flush, so that what watches live sessions sees messages as they come.
const queueItems = 4096

// maxSideBytes bounds the dead letters that wait for a flush.
const maxSideBytes = 16 << 20

func newProcessor(w *Worker, gen *kafka.Generation, assigned []kafka.PartitionAssignment, leave func(), stop context.CancelCauseFunc) *processor {
	p := &processor{
		w: w, gen: gen, leave: leave, stop: stop,
		parts: map[int]*partition{}, readers: map[int]*reader{},
		items: make(chan item, queueItems), polls: make(chan poll), tokens: semaphore.NewWeighted(queueBytes),
		table: newTable(w.o.Watcher.Dropped), swept: time.Now(), wanted: map[string]time.Time{},
	}
	for _, a := range assigned {
		part := &partition{id: a.ID, committed: a.Offset, target: -1, endTarget: -1, lastItem: time.Now()}
		p.parts[a.ID] = part
		p.readers[a.ID] = &reader{w: w, part: part, items: p.items, tokens: p.tokens, jump: make(chan jump, 1), maxWait: firstMaxWait}
	}
	return p
}

// run is the function of the generation: it returns when the generation has ended and what could be saved within the
// stop timeout is written and committed.
func (p *processor) run(genCtx context.Context) {
	// Work goes on for a while after the generation has ended, to flush; then it is cut off.
	work, cut := context.WithCancel(context.Background())
	defer cut()
	unhook := context.AfterFunc(genCtx, func() {
		select {
		case <-work.Done():
		case <-time.After(p.w.o.StopTimeout):
			cut()
		}
	})
	defer unhook()
	ctx, cancel := context.WithCancel(genCtx)
	defer cancel()

	if !p.begin(ctx) {
		return
	}
	p.w.o.Watcher.Reset()
	var wg sync.WaitGroup
	for _, r := range p.readers {
		wg.Go(func() { r.run(ctx) })
	}
	wg.Go(func() { p.poller(ctx) })
	p.loop(ctx, work)
	cancel()
	wg.Wait()

	failpoint.Hit(failpoint.OnRebalance)
	p.flushAll(work)
	p.remember()
	p.w.returnRequests(p.ending)
	p.w.o.Watcher.Reset()
	p.settle()
	for id := range p.parts {
		p.w.metrics.lag.DeleteLabelValues(strconv.Itoa(id))
	}
	p.w.metrics.memory.Set(0)
	p.w.metrics.open.Set(0)
	p.w.metrics.uncommitted.Set(0)
}

// begin finds the offsets to start at, and what happened to the log since they were committed.
func (p *processor) begin(ctx context.Context) bool {
	ids := p.partitionIDs()
	for attempt := 0; ; attempt++ {
		err := p.beginAll(ctx, ids)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		p.w.setKafka(err)
		p.w.o.Log.Warn("cannot see the log, trying again", "topic", p.w.o.Kafka.Topic, "error", err)
		if errors.Is(err, kafka.UnknownTopicOrPartition) && attempt > 3 {
			p.leave() // the topic is gone; joining waits for it
			<-ctx.Done()
			return false
		}
		if pause(ctx, min(5*time.Second, 100*time.Millisecond<<min(attempt, 6))) != nil {
			return false
		}
	}
}

func (p *processor) beginAll(ctx context.Context, ids []int) error {
	topicID, err := p.w.ids.get(ctx)
	if err != nil {
		return err
	}
	notes, err := p.w.commitNotes(ctx, ids)
	if err != nil {
		return err
	}
	spans, err := p.w.spans(ctx, ids)
	if err != nil {
		return err
	}
	for _, part := range p.parts {
		p.beginPartition(part, spans[part.id], topicID, notes[part.id])
	}
	return nil
}

func (p *processor) beginPartition(part *partition, s span, topicID string, note commitNote) {
	p.w.setKafka(nil)
	part.topicID = topicID
	from := part.committed
	left := p.w.left[part.id]
	switch {
	case from < 0 && topicID != "" && left.topicID != "" && left.topicID != topicID:
		// Kafka forgot the commits together with the topic, and this worker saw neither go.
		p.madeAnew(part, left.topicID, left.next, s.first, &anew{topicID, left.end, "it has another id than in the generation before"})
		from = s.first
	case from < 0: // nothing committed yet
		from = s.first
	case topicID != "" && note.topicID != "" && note.topicID != topicID:
		p.madeAnew(part, note.topicID, from, s.first, &anew{topicID, note.end, "it has another id than the one that the committed offset is of"})
		from = s.first
	case from < s.first:
		p.lose(part, topicID, from, s.first)
		from = s.first
	case from > s.last:
		p.madeAnew(part, note.topicID, from, s.first, &anew{topicID, note.end, "it ends before the committed offset"})
		from = s.first
	}
	part.offsets = newOffsets(from)
	part.logEnd = s.last
	p.readers[part.id].setNext(from)
}

func (p *processor) partitionIDs() []int {
	ids := make([]int, 0, len(p.parts))
	for id := range p.parts {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// loop runs until the generation ends.
func (p *processor) loop(ctx, work context.Context) {
	ticker := time.NewTicker(p.w.o.FlushEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case it := <-p.items:
			if it.weight > 0 {
				p.tokens.Release(it.weight)
			}
			p.take(&it)
			if len(p.table.ready) >= p.w.o.FlushSessions || p.side.size() >= p.w.o.FlushSessions || p.side.bytes >= maxSideBytes {
				p.flush(work, p.table.takeReady())
			}
			if int64(p.table.bytes) > p.w.o.Memory {
				p.evict(work)
			}
		case now := <-ticker.C:
			p.tick(work, now)
		case l := <-p.polls:
			p.polled(l)
		case l := <-p.target:
			p.target = nil
			for id, s := range l.spans {
				if part := p.parts[id]; part != nil {
					part.endTarget, part.endAt = s.last, l.at
				}
			}
		case <-p.w.waker():
			p.takeRequests(ctx)
		}
		if len(p.ending) > 0 && p.target == nil && p.inputEnded() {
			p.endInput(work)
		}
	}
}

// take joins one item.
func (p *processor) take(it *item) {
	now := time.Now()
	part := it.part
	part.lastItem = now
	switch {
	case it.anew != nil:
		p.madeAnew(part, part.topicID, part.offsets.next, it.offset, it.anew)
		part.offsets = newOffsets(it.offset)
		part.topicID = it.anew.topicID
		part.committed = -1
		part.target = -1
		return
	case it.lost:
		p.lose(part, part.topicID, it.from, it.offset)
		part.offsets.skip(it.offset)
		return
	}
	part.offsets.take(it.offset)
	r := ref{part.offsets, it.offset}
	p.counts.Messages++
	p.counts.Turns += int64(it.turns)
	p.w.metrics.messages.WithLabelValues(it.typ).Inc()
	p.w.metrics.turns.Add(float64(it.turns))
	if err := p.w.dead.note(it.bad != nil); err != nil {
		p.w.o.Log.Error("stopping", "error", err)
		p.stop(err)
	}
	switch {
	case it.state != nil:
		if !p.table.add(it.state, r, part, now) {
			p.split(it.state.SessionID)
		}
		return
	case it.order != nil:
		p.side.orders = append(p.side.orders, *it.order)
		p.counts.Orders++
	case it.rating != nil:
		p.side.ratings = append(p.side.ratings, *it.rating)
		p.counts.Ratings++
	case it.bad != nil:
		p.w.o.Log.Warn("dead letter", "topic", it.bad.row.Topic, "partition", it.bad.row.Partition, "offset", it.bad.row.Offset, "error", it.bad.row.Error)
		p.side.bad = append(p.side.bad, it.bad)
		p.side.bytes += len(it.bad.record.Value)
		p.counts.DeadLetters++
		p.w.metrics.deadLetters.Inc()
	}
	p.side.refs = append(p.side.refs, r)
}

// split says that messages of one session come from several partitions. Here they meet in one worker; in two workers the
// one that writes last would hide what the other wrote.
func (p *processor) split(sessionID string) {
	p.w.metrics.split.Inc()
	if time.Since(p.splitSaid) >= time.Minute {
		p.splitSaid = time.Now()
		p.w.o.Log.Error("messages of one session come from several partitions: produce them with session_id as the key, or they can be lost with several workers", "session_id", sessionID)
	}
}

// lose reports that the messages of a topic from offset from to before offset to were never read.
func (p *processor) lose(part *partition, topicID string, from, to int64) {
	l := LostRange{Topic: p.w.o.Kafka.Topic, TopicID: topicID, Partition: int32(part.id), From: from, To: to - 1, At: time.Now().UTC()}
	p.w.o.Log.Error("messages were deleted before they were read", "topic", l.Topic, "topic_id", l.TopicID, "partition", l.Partition, "from", l.From, "to", l.To)
	p.side.lost = append(p.side.lost, l)
	p.counts.LostRanges++
	p.w.metrics.lostRanges.Inc()
	p.w.mu.Lock()
	p.w.status.lost++
	p.w.mu.Unlock()
}

// madeAnew reports that the log of a partition is another one, which is read from its first offset. What was not read of
// the one before, whose id is old, is lost; where its end is not known the range is empty, and nobody knows what it lacks.
func (p *processor) madeAnew(part *partition, old string, next, first int64, a *anew) {
	p.w.o.Log.Error("the topic was deleted and made again; reading it from the start", "topic", p.w.o.Kafka.Topic, "partition", part.id,
		"why", a.why, "offset", next, "end_of_the_old_one", a.end, "first", first)
	p.w.metrics.resets.Inc()
	p.lose(part, old, next, max(next, a.end))
}

// tick flushes what is due: closed sessions, open ones that have waited long enough, and idle ones, which end.
func (p *processor) tick(work context.Context, now time.Time) {
	for _, part := range p.parts {
		if part.target >= 0 && p.reached(part, part.target, part.targetAt, now) {
			part.passed, part.target = part.targetAt, -1
		}
	}
	p.want(now)
	for e := p.table.order.Front(); e != nil; e = e.Next() {
		s := e.Value.(*entry)
		switch {
		case s.queued:
		case s.part != nil && s.part.passed.Sub(s.touched) >= p.w.o.Idle:
			s.end = true
			p.table.queue(s)
		case len(s.refs) > 0 && (s.wanted || now.Sub(s.since) >= p.w.o.EarlyWrite):
			p.table.queue(s)
		}
	}
	p.sweep(work, now)
	p.join(work, p.table.takeFresh())
	p.flush(work, p.table.takeReady())
	p.settle()
}

// want marks the sessions that the watcher wants.
func (p *processor) want(now time.Time) {
	for _, id := range p.w.o.Watcher.Wanted() {
		p.wanted[id] = now
	}
	for id, since := range p.wanted {
		s := p.table.sessions[id]
		if s != nil {
			s.wanted = true
		}
		if s != nil || now.Sub(since) > wantedFor {
			delete(p.wanted, id)
		}
	}
}

// settle brings counts and gauges up to date.
func (p *processor) settle() {
	c := p.counts
	p.counts = Counts{}
	p.w.count(func(sum *Counts) {
		sum.Messages += c.Messages
		sum.Turns += c.Turns
		sum.Written += c.Written
		sum.Unchanged += c.Unchanged
		sum.Closed += c.Closed
		sum.Ended += c.Ended
		sum.Orders += c.Orders
		sum.Ratings += c.Ratings
		sum.DeadLetters += c.DeadLetters
		sum.LostRanges += c.LostRanges
		sum.Panics += c.Panics
	})
	p.w.metrics.memory.Set(float64(p.table.bytes))
	p.w.metrics.open.Set(float64(len(p.table.sessions)))
	pending := int64(0)
	for id, part := range p.parts {
		if part.offsets == nil {
			continue
		}
		pending += part.offsets.pending()
		p.w.metrics.lag.WithLabelValues(strconv.Itoa(id)).Set(float64(max(0, part.logEnd-part.offsets.next)))
	}
	p.w.metrics.uncommitted.Set(float64(pending))
}

// evict puts the least recently touched sessions out of memory: those that are written at once, others are written
// first.
func (p *processor) evict(work context.Context) {
	goal := p.table.bytes - int(p.w.o.Memory/5*4)
	var dirty, out []*entry
	for e := p.table.order.Front(); e != nil && goal > 0; e = e.Next() {
		s := e.Value.(*entry)
		goal -= s.bytes
		out = append(out, s)
		if len(s.refs) > 0 {
			dirty = append(dirty, s)
		}
	}
	p.flush(work, dirty)
	for _, s := range out {
		if p.table.sessions[s.id] == s && len(s.refs) == 0 {
			p.table.drop(s)
			p.w.metrics.evictions.Inc()
		}
	}
}

// retry repeats a call of the store until it succeeds or the work is cut off.
func (p *processor) retry(work context.Context, what string, f func(context.Context) error) error {
	for attempt := 0; ; attempt++ {
		err := f(work)
		if err == nil {
			p.w.setStore(nil)
			return nil
		}
		if work.Err() != nil {
			return fmt.Errorf("cannot %s: %w", what, work.Err())
		}
		p.w.metrics.storeErrors.Inc()
		p.w.setStore(err)
		p.w.o.Log.Error("the store fails, trying again", "what", what, "error", err, "attempt", attempt+1)
		if pause(work, min(5*time.Second, 100*time.Millisecond<<min(attempt, 6))) != nil {
			return fmt.Errorf("cannot %s: %w", what, errors.Join(work.Err(), err))
		}
	}
}
