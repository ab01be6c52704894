package rerun

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/schemas"
)

// TestSharedRerun: two workers that take tasks from a queue, one of which gives up in the middle of each, and a queue that
// loses some: the run is as if one process had made it.
func TestSharedRerun(t *testing.T) {
	ctx := context.Background()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	messages := world(rng, 12)
	p := newPlace(t, "standard")
	if err := deliver(ctx, p.w, p.live(), messages); err != nil {
		t.Fatal(err)
	}
	run, _, err := p.runner(nil).Start(ctx, Request{From: periodFrom, To: periodTo, Packs: packsOf(t, "standard", "presale")}, false)
	if err != nil {
		t.Fatal(err)
	}
	queue := make(chan []byte, 100)
	var workers sync.WaitGroup
	for i := range 2 {
		workers.Go(func() {
			for b := range queue {
				task, err := ParseTask(b)
				if err != nil {
					t.Error(err)
					continue
				}
				work, stop := context.WithCancel(ctx)
				r := p.runner(func(Progress) {
					if i == 0 {
						stop() // killed after the first sessions
					}
				})
				if _, err := r.Do(work, task); err != nil && work.Err() == nil {
					t.Error(err)
				}
				stop()
			}
		})
	}
	lost := 0
	done, err := p.runner(nil).Share(ctx, run.ID, Sharing{Poll: 10 * time.Millisecond, Again: 50 * time.Millisecond, Send: func(_ context.Context, tasks []Task) error {
		for _, task := range tasks {
			b, err := json.Marshal(task)
			if err != nil {
				return err
			}
			if lost++; lost%3 == 1 {
				continue
			}
			queue <- b
		}
		return nil
	}})
	close(queue)
	workers.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if done.State != "done" || done.Sessions == 0 {
		t.Fatalf("the run is %+v", done)
	}
	if _, err := p.runner(nil).Switch(ctx, run.ID, "test"); err != nil {
		t.Fatal(err)
	}
	old, fresh := analyserOf(t, "standard"), analyserOf(t, "standard", "presale")
	want := control(t, messages, func(tr *schemas.Transcript) *analyse.Analyser {
		if at := analyse.StartedAt(tr); at.Before(periodFrom) || at.After(periodTo) {
			return old
		}
		return fresh
	})
	if d := want.Diff(p.views(t)); d != "" {
		t.Fatalf("the views differ from those of a batch:\n%s", d)
	}
}

func TestParseTask(t *testing.T) {
	f := func(text string, ok bool) {
		t.Helper()
		if _, err := ParseTask([]byte(text)); (err == nil) != ok {
			t.Errorf("ParseTask(%q) gives error %v", text, err)
		}
	}
	f(`{"run_id":3,"after":"a","up_to":"b","rate":10}`, true)
	f(`{"run_id":3}`, true)
	f(`{"after":"a"}`, false)
	f(`{"run_id":3,"rate":-1}`, false)
	f(`[]`, false)
	f(``, false)
}
