//go:build slow

package rerun

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/schemas"
)

// TestSlowRerunEqualsBatch: a rerun over a period, broken off and gone on with at any chunk while two writers bring messages,
// then switched while they go on, leaves the views as a batch with the new rules from scratch does. Taken back, they are
// as if there had been no rerun; done again, they are the same again. Starts of sessions move in and out of the period
// meanwhile.
func TestSlowRerunEqualsBatch(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	for i := range 2 {
		t.Logf("seed %d world %d", seed, i)
		rerunWorld(t, rand.New(rand.NewPCG(seed, uint64(i))))
		if t.Failed() {
			return
		}
	}
}

func rerunWorld(t *testing.T, rng *rand.Rand) {
	ctx := context.Background()
	messages := world(rng, 20)
	old, fresh := analyserOf(t, "standard"), analyserOf(t, "standard", "presale")
	inside := func(tr *schemas.Transcript) bool {
		at := analyse.StartedAt(tr)
		return !at.IsZero() && !at.Before(periodFrom) && !at.After(periodTo)
	}
	wantOld := control(t, messages, func(*schemas.Transcript) *analyse.Analyser { return old })
	wantNew := control(t, messages, func(tr *schemas.Transcript) *analyse.Analyser {
		if inside(tr) {
			return fresh
		}
		return old
	})
	if wantOld.Diff(wantNew) == "" {
		t.Fatal("the new rules say what the old ones say: nothing is proved")
	}

	p := newPlace(t, "standard")
	writers := []*Live{p.live(), p.live()}
	at := rng.IntN(len(messages) / 2)
	if err := deliver(ctx, p.w, writers[0], messages[:at]); err != nil {
		t.Fatal(err)
	}
	// A session belongs to one writer, as a partition does to one worker.
	feeds := []chan []*schemas.Message{make(chan []*schemas.Message), make(chan []*schemas.Message)}
	var writing sync.WaitGroup
	for i, l := range writers {
		writing.Go(func() {
			for part := range feeds[i] {
				if err := deliver(ctx, p.w, l, part); err != nil {
					t.Error(err)
				}
			}
		})
	}
	send := func(n int) {
		for n > 0 && at < len(messages) {
			k := min(1+rng.IntN(40), n, len(messages)-at)
			var parts [2][]*schemas.Message
			for _, m := range messages[at : at+k] {
				of := int(sessionOf(m)[3]) % 2
				parts[of] = append(parts[of], m)
			}
			for i, part := range parts {
				if len(part) > 0 {
					feeds[i] <- part
				}
			}
			at += k
			n -= k
		}
	}
	q := Request{From: periodFrom, To: periodTo, Packs: packsOf(t, "standard", "presale"), Actor: "test"}
	var id uint64
	for try := 0; ; try++ {
		broken, stop := context.WithCancel(ctx)
		left := 1 + rng.IntN(4)
		r := p.runner(func(Progress) {
			send(rng.IntN(24))
			if left--; left == 0 && try < 4 {
				stop()
			}
		})
		run, resumed, err := r.Start(ctx, q, false)
		if err != nil {
			t.Fatal(err)
		}
		if resumed != (try > 0) || try > 0 && run.ID != id {
			t.Fatalf("try %d is of run %d (resumed %v), want run %d", try, run.ID, resumed, id)
		}
		id = run.ID
		_, err = r.Work(broken, id)
		stop()
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	send((len(messages) - at) / 3)
	var switching sync.WaitGroup
	switching.Go(func() {
		if _, err := p.runner(nil).Switch(ctx, id, "test"); err != nil {
			t.Error(err)
		}
	})
	send((len(messages) - at) / 2)
	switching.Wait()
	send(len(messages))
	close(feeds[0])
	close(feeds[1])
	writing.Wait()
	same := func(when string, want warehouse.Tables) {
		t.Helper()
		if d := want.Diff(p.views(t)); d != "" {
			t.Fatalf("%s the views differ from those of a batch:\n%s", when, d)
		}
		if n, err := CountStragglers(ctx, p.w); err != nil || n > 0 {
			t.Fatalf("%s %d sessions are not shown as far as they are known (%v)", when, n, err)
		}
	}
	same("after the switch", wantNew)
	if _, err := p.runner(nil).Back(ctx, "test"); err != nil {
		t.Fatal(err)
	}
	same("after switching back", wantOld)
	if _, err := p.runner(nil).Back(ctx, "test"); !errors.Is(err, ErrNothingToTakeBack) {
		t.Fatalf("a second --back gives %v", err)
	}

	again, _, err := p.runner(nil).Start(ctx, q, false)
	if err != nil || again.ID == id {
		t.Fatalf("a run that is done was begun again (%v)", err)
	}
	if _, err := p.runner(nil).Work(ctx, again.ID); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second changes nothing
		if _, err := p.runner(nil).Switch(ctx, again.ID, "test"); err != nil {
			t.Fatal(err)
		}
	}
	// Everything sent once more is known.
	if err := deliver(ctx, p.w, writers[1], slices.Clone(messages)); err != nil {
		t.Fatal(err)
	}
	same("after another rerun, a second switch and everything sent again", wantNew)
}

func sessionOf(m *schemas.Message) string {
	switch {
	case m.Session != nil:
		return m.Session.SessionID
	case m.Turn != nil:
		return m.Turn.SessionID
	}
	return m.End.SessionID
}
