package stream

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/semaphore"
)

// TestReaderMissesMessages: what a reader comes for was deleted meanwhile. It reports that to the offset and goes on where the
// log begins; offsets that the log leaves out by itself are not lost.
func TestReaderMissesMessages(t *testing.T) {
	t.Parallel()
	b := startBroker(t, 1)
	send(t, b, turnLine("a", 1), turnLine("a", 2), turnLine("a", 3), turnLine("a", 4), turnLine("a", 5))
	deleteRecords(t, b, 0, 3)
	w, err := New(testOptions(t, b, newMemStore()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(testContext(t, 20*time.Second))
	defer cancel()
	p := newProcessor(w, nil, []kafka.PartitionAssignment{{ID: 0}}, nil, nil)
	r := p.readers[0]
	r.part.offsets, r.part.topicID = newOffsets(0), "an id"
	wantLost := func(from, to int64) {
		t.Helper()
		select {
		case it := <-p.items:
			if !it.lost || it.from != from || it.offset != to+1 {
				t.Errorf("item %+v, want offsets %d to %d lost", it, from, to)
				return
			}
			p.side.lost = nil
			p.take(&it)
			if got := p.side.lost; len(got) != 1 || got[0].From != from || got[0].To != to || got[0].TopicID != "an id" {
				t.Errorf("reported as %+v, want offsets %d to %d of the topic", got, from, to)
			}
		case <-ctx.Done():
			t.Fatalf("offsets %d to %d are not reported", from, to)
		}
	}
	// A message comes whose offset is further on than wanted.
	f := func(next, got int64, goesOn int64) {
		t.Helper()
		r.setNext(next)
		if err := r.gap(ctx, got); err != nil {
			t.Fatal(err)
		}
		if r.next != goesOn {
			t.Errorf("reading goes on at %d, want %d", r.next, goesOn)
		}
	}
	f(1, 4, 3) // deleted up to 3; 3 itself was compacted
	wantLost(1, 2)
	f(1, 2, 2) // deleted meanwhile, too
	wantLost(1, 1)
	f(3, 5, 3) // compacted only
	if len(p.items) > 0 {
		t.Errorf("item %+v, want none for a gap of compaction", <-p.items)
	}

	// The broker refuses the offset wanted.
	refused := func(next int64, want error, goesOn int64) {
		t.Helper()
		r.setNext(next)
		if err := r.resolve(ctx); err != want || r.next != goesOn {
			t.Errorf("refused at %d: %v, reading goes on at %d, want %v and %d", next, err, r.next, want, goesOn)
		}
	}
	refused(1, nil, 3)
	wantLost(1, 2)
	refused(4, nil, 4) // it is there again
	refused(6, errBeyondEnd, 6)
	if len(p.items) > 0 {
		t.Errorf("item %+v, want none", <-p.items)
	}

	// All of it through a fetch.
	r.setNext(0)
	done := make(chan struct{})
	go func() { defer close(done); r.run(ctx) }()
	wantLost(0, 2)
	for offset := int64(3); offset <= 4; offset++ {
		if it := <-p.items; it.lost || it.offset != offset || it.state == nil {
			t.Errorf("item %+v, want the message of offset %d", it, offset)
		}
	}
	cancel()
	<-done
}

// TestReaderGivesItsRoomBack: a reader that starts anew while it waits for the processor takes nothing of the room that
// all readers share with it. With the room gone a message of the limit, which needs all of it, would never come.
func TestReaderGivesItsRoomBack(t *testing.T) {
	t.Parallel()
	p := &processor{items: make(chan item), tokens: semaphore.NewWeighted(queueBytes)}
	r := &reader{items: p.items, tokens: p.tokens}
	f := func(weight int64) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		sent := make(chan bool)
		go func() { sent <- r.send(ctx, item{weight: weight}) }()
		for p.tokens.TryAcquire(queueBytes) { // until the reader has its room
			p.tokens.Release(queueBytes)
			runtime.Gosched()
		}
		cancel()
		if <-sent {
			t.Errorf("an item of weight %d is sent although nobody takes it", weight)
		}
		if !p.tokens.TryAcquire(queueBytes) {
			t.Fatalf("an item of weight %d that was not sent keeps its room", weight)
		}
		p.tokens.Release(queueBytes)
	}
	f(1)
	f(queueBytes)
	f(2 * queueBytes)
}
