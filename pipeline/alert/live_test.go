package alert

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/schemas"
)

// bubble runs a test on a clock of its own; what sleeps takes no time.
func bubble(t *testing.T, f func(t *testing.T, store *memStore)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newMemStore()) })
}

// settle lets everything that was given be worked through.
func settle() { synctest.Wait() }

func TestContiguousPrefixes(t *testing.T) {
	bubble(t, func(t *testing.T, store *memStore) {
		m := start(t, Options{Store: store})
		defer m.stop()
		at := time.Now()

		// In order: the rule fires at its turn.
		m.send(turn("a", 1, "customer", "在吗", at), turn("a", 2, "agent", "滚", at))
		settle()
		wantRules(t, store, "rude:s2")

		// Turns after a gap wait, and go on without what does not come.
		m.send(turn("b", 1, "customer", "在吗", at), turn("b", 3, "agent", "滚", at))
		settle()
		wantRules(t, store, "rude:s2")
		time.Sleep(1900 * time.Millisecond)
		settle()
		wantRules(t, store, "rude:s2")
		time.Sleep(200 * time.Millisecond)
		settle()
		wantRules(t, store, "rude:s2", "rude:s3")

		// A gap that is filled in time is none: the apology was there.
		m.send(turn("c", 1, "customer", "我要投诉", at), turn("c", 3, "agent", "好的", at), turn("c", 4, "agent", "好", at))
		time.Sleep(time.Second)
		m.send(turn("c", 2, "agent", "抱歉", at))
		time.Sleep(5 * time.Second)
		settle()
		wantRules(t, store, "rude:s2", "rude:s3")

		// Without it the rule fires; and again and again does not.
		m.send(turn("d", 1, "customer", "我要投诉", at), turn("d", 2, "agent", "嗯", at), turn("d", 3, "agent", "好", at))
		m.send(turn("d", 3, "agent", "好", at), turn("d", 1, "customer", "我要投诉", at))
		settle()
		wantRules(t, store, "rude:s2", "rude:s3", "sorry:s1")
		if store.written != 3 {
			t.Errorf("%d rows were inserted, want 3", store.written)
		}

		// A session that begins in the middle: what is stored is read first.
		store.mu.Lock()
		stored := message(t, turn("e", 1, "customer", "我要投诉", at))
		stored.Add(message(t, turn("e", 2, "agent", "抱歉", at)))
		store.states["e"] = stored
		store.mu.Unlock()
		m.send(turn("e", 3, "agent", "好", at), turn("e", 4, "agent", "滚", at))
		settle()
		wantRules(t, store, "rude:s2", "rude:s3", "rude:s4", "sorry:s1")

		// A turn that comes after its gap was given up, and one that is corrected, have the session evaluated anew.
		m.send(turn("g", 1, "customer", "在吗", at), turn("g", 3, "agent", "好", at))
		time.Sleep(3 * time.Second)
		m.send(turn("g", 2, "agent", "催", at))
		settle()
		wantRules(t, store, "rude:s2", "rude:s3", "rude:s4", "sorry:s1", "each:s2")
		m.send(strings.Replace(turn("g", 1, "agent", "催", at), `"seq"`, `"revision":1,"seq"`, 1))
		settle()
		wantRules(t, store, "rude:s2", "rude:s3", "rude:s4", "sorry:s1", "each:s1", "each:s2")

		// A light rule does not alert, an ended session is left to its analysis.
		m.send(turn("f", 1, "agent", "哦", at), end("f", at), turn("f", 2, "agent", "滚", at))
		settle()
		wantRules(t, store, "rude:s2", "rude:s3", "rude:s4", "sorry:s1", "each:s1", "each:s2")
	})
}

// TestCutsDoNotMatter: however the messages of a session are cut, repeated and mixed up (within the time a gap is waited
// for), the alerts are those of the rules on the whole session as far as it went.
func TestCutsDoNotMatter(t *testing.T) {
	texts := []string{"好的", "滚", "我要投诉", "抱歉", "催", "嗯", "再见"}
	fired := map[string]int{}
	bubble(t, func(t *testing.T, _ *memStore) {
		rng := rand.New(rand.NewPCG(6, 6))
		an := testAnalyser(t)
		for round := range 150 {
			store := newMemStore()
			m := start(t, Options{Store: store, Analyser: func() *analyse.Analyser { return an }})
			at := time.Now()
			n := 1 + rng.IntN(12)
			tr := &schemas.Transcript{Meta: schemas.Meta{SessionID: "s"}}
			var lines []string
			for i := range n {
				role := []schemas.Role{schemas.Customer, schemas.Agent, schemas.Agent}[rng.IntN(3)]
				text := texts[rng.IntN(len(texts))]
				lines = append(lines, turn("s", i+1, string(role), text, at))
				tr.Turns = append(tr.Turns, schemas.TranscriptTurn{Turn: schemas.Turn{Seq: schemas.Some(int64(i + 1)), Role: role, Text: text, At: at}, Key: schemas.SeqKey(int64(i + 1))})
			}
			var want []string
			for _, h := range an.Analyse(tr).Findings.Hits {
				if info, ok := m.rules().choice.Rule(h.RuleID); ok {
					fired[info.ID]++
					want = append(want, ID("s", h.RuleID, string(schemas.SeqKey(h.Evidence[0].Turn))))
				}
			}
			slices.Sort(want)
			for range rng.IntN(3) {
				lines = append(lines, lines[rng.IntN(len(lines))])
			}
			if round%3 > 0 {
				rng.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
			}
			for len(lines) > 0 {
				k := 1 + rng.IntN(len(lines))
				m.send(lines[:k]...)
				lines = lines[k:]
				time.Sleep(time.Duration(rng.IntN(150)) * time.Millisecond)
				settle()
			}
			var got []string
			for _, a := range store.all() {
				got = append(got, a.AlertID)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("round %d: alerts %q, want %d", round, rulesOf(store), len(want))
			}
			m.stop()
		}
	})
	for _, rule := range []string{"rude", "sorry", "each"} {
		if fired[rule] < 20 {
			t.Errorf("rule %s fired %d times only: the comparison hardly saw it", rule, fired[rule])
		}
	}
}

func TestWaiting(t *testing.T) {
	bubble(t, func(t *testing.T, store *memStore) {
		m := start(t, Options{Store: store})
		defer m.stop()
		at := time.Now()
		m.send(turn("a", 1, "customer", "在吗", at), turn("b", 1, "customer", "在吗", at), turn("c", 1, "customer", "在吗", at))
		time.Sleep(20 * time.Second)
		m.send(turn("b", 2, "agent", "在的", at.Add(20*time.Second)))
		time.Sleep(9 * time.Second)
		settle()
		wantRules(t, store)
		m.send(end("c", at.Add(29*time.Second))) // it is over: nobody waits
		time.Sleep(2 * time.Second)
		settle()
		wantRules(t, store, "waiting slow:s1")
		if a := store.all()[0]; a.SessionID != "a" || !a.At.Equal(at.Add(30*time.Second+time.Millisecond).UTC()) {
			t.Errorf("alert of %s at %s", a.SessionID, a.At.Sub(at))
		}
		// The late reply is the same wait: no second alert, live or at the end.
		reply := turn("a", 2, "agent", "在的再见", at.Add(50*time.Second))
		m.send(reply)
		time.Sleep(time.Minute)
		settle()
		if err := m.write(false, turn("a", 1, "customer", "在吗", at), reply, end("a", at.Add(time.Minute))); err != nil {
			t.Fatal(err)
		}
		wantRules(t, store, "waiting slow:s1")
		id := store.all()[0].AlertID
		if s := store.state(id); s != "stored" {
			t.Errorf("state %s: the hit is there", s)
		}
		// It turns out that the agent had answered in time: the message came late.
		if err := m.write(false, turn("a", 1, "customer", "在吗", at), turn("a", 2, "agent", "在的再见", at.Add(10*time.Second)), end("a", at.Add(time.Minute))); err != nil {
			t.Fatal(err)
		}
		if s := store.state(id); s != "superseded" {
			t.Errorf("state %s, want superseded", s)
		}
	})
	// A topic that is read late brings the reply late too.
	bubble(t, func(t *testing.T, store *memStore) {
		m := start(t, Options{Store: store})
		defer m.stop()
		at := time.Now().Add(-20 * time.Second)
		m.send(turn("a", 1, "customer", "在吗", at))
		time.Sleep(29 * time.Second)
		m.send(turn("a", 2, "agent", "在的", at.Add(29*time.Second)))
		time.Sleep(time.Minute)
		settle()
		wantRules(t, store)
	})
	// After a rebalance others wait for the session.
	bubble(t, func(t *testing.T, store *memStore) {
		m := start(t, Options{Store: store})
		defer m.stop()
		m.send(turn("a", 1, "customer", "在吗", time.Now()))
		m.Reset()
		time.Sleep(time.Minute)
		settle()
		wantRules(t, store)
	})
}

// TestTheLivePathIsNotNeeded: what it misses is decided when the session is written.
func TestTheLivePathIsNotNeeded(t *testing.T) {
	bubble(t, func(t *testing.T, store *memStore) {
		m := start(t, Options{Store: store})
		defer m.stop()
		store.hang = make(chan struct{})
		at := time.Now()
		began := time.Now()
		for i := range 3 * queueEvents { // the store hangs: everything that can fill up does
			m.send(turn(fmt.Sprintf("s%d", i), 1, "agent", "滚", at))
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("the stream waited %s", d)
		}
		close(store.hang)
		time.Sleep(10 * time.Second)
		settle()
		n := len(store.all())
		if n == 3*queueEvents {
			t.Fatal("nothing was missed: the test does not test")
		}
		for i := range 3 * queueEvents {
			id := fmt.Sprintf("s%d", i)
			if err := m.write(false, turn(id, 1, "agent", "滚再见", at), end(id, at)); err != nil {
				t.Fatal(err)
			}
		}
		rows := store.all()
		if len(rows) != 3*queueEvents {
			t.Errorf("%d alerts of %d sessions", len(rows), 3*queueEvents)
		}
		for _, a := range rows {
			if a.Withheld != "" || a.Kind != warehouse.AlertHit {
				t.Fatalf("%+v", a)
			}
		}
	})
}
