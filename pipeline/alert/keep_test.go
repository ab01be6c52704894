package alert

import (
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/warehouse"
)

func TestKnownAlertsAreNotSentAgain(t *testing.T) {
	bubble(t, func(t *testing.T, store *memStore) {
		one := &collector{}
		m := start(t, Options{Store: store, Targets: []Lane{{Name: "x", Target: one}}})
		defer m.stop()
		at := time.Now()
		line := turn("a", 1, "agent", "滚再见", at)
		m.send(line, line)
		settle()
		m.Reset() // a rebalance: the messages come again
		m.send(line)
		settle()
		if err := m.write(false, line, end("a", at)); err != nil {
			t.Fatal(err)
		}
		settle()
		if got := one.list(); len(got) != 1 || got[0].Alert.RuleID != "rude" {
			t.Fatalf("sent %d times: %+v", len(got), got)
		}
		m.stop()

		two := &collector{}
		m = start(t, Options{Store: store, Targets: []Lane{{Name: "x", Target: two}}}) // after a restart, or another worker
		defer m.stop()
		m.send(line)
		settle()
		if err := m.write(false, line, end("a", at)); err != nil {
			t.Fatal(err)
		}
		settle()
		if got := two.list(); len(got) != 0 {
			t.Errorf("sent again: %+v", got)
		}
		// What only the end can tell, such as a farewell that lacks, is told at the end.
		if err := m.write(false, turn("b", 1, "agent", "好", at), end("b", at)); err != nil {
			t.Fatal(err)
		}
		settle()
		if got := two.list(); len(got) != 1 || got[0].Alert.RuleID != "bye" {
			t.Errorf("%+v", got)
		}
		wantRules(t, store, "rude:s1", "bye:")
		if n := store.state(one.list()[0].ID); n != "sent" {
			t.Errorf("state %s", n)
		}
	})
}

// TestACrashBetweenStoringAndSending: who reads the messages again sends what is stored and unsent, with the same id; and
// what nobody reads again is found after a while.
func TestACrashBetweenStoringAndSending(t *testing.T) {
	bubble(t, func(t *testing.T, store *memStore) {
		at := time.Now()
		stored := func(session string) warehouse.Alert {
			return warehouse.Alert{AlertID: ID(session, "rude", "s1"), Kind: warehouse.AlertHit, SessionID: session, RuleID: "rude", EvidenceKey: "s1", At: at, StoredAt: at, HitID: "h"}
		}
		if err := store.StoreAlerts(t.Context(), []warehouse.Alert{stored("a"), stored("b")}); err != nil {
			t.Fatal(err)
		}
		got := &collector{}
		m := start(t, Options{Store: store, Targets: []Lane{{Name: "x", Target: got}}})
		defer m.stop()
		m.send(turn("a", 1, "agent", "滚", at))
		settle()
		if list := got.list(); len(list) != 1 || list[0].ID != ID("a", "rude", "s1") {
			t.Fatalf("%+v", list)
		}
		time.Sleep(giveUp + sweepEvery + time.Second)
		settle()
		if list := got.list(); len(list) != 1 {
			t.Fatalf("too early: whoever stored it may still be at it: %+v", list)
		}
		time.Sleep(sweepEvery)
		settle()
		if list := got.list(); len(list) != 2 || list[1].ID != ID("b", "rude", "s1") {
			t.Fatalf("%+v", list)
		}
		time.Sleep(5 * time.Minute)
		settle()
		if list := got.list(); len(list) != 2 {
			t.Errorf("sent again: %+v", list)
		}
	})
}

func TestSuperseded(t *testing.T) {
	bubble(t, func(t *testing.T, store *memStore) {
		m := start(t, Options{Store: store})
		defer func() { m.stop() }()
		at := time.Now()
		first, second, third := turn("a", 1, "customer", "我要投诉", at), turn("a", 3, "agent", "嗯", at), turn("a", 4, "agent", "好再见", at)
		m.send(first, second, third)
		time.Sleep(3 * time.Second)
		settle()
		wantRules(t, store, "sorry:s1")
		id := store.all()[0].AlertID
		late := turn("a", 2, "agent", "抱歉", at)
		write := func(want string, lines ...string) {
			t.Helper()
			if err := m.write(false, append(lines, end("a", at))...); err != nil {
				t.Fatal(err)
			}
			if got := store.state(id); got != want {
				t.Errorf("state %s, want %s", got, want)
			}
		}
		write("superseded", first, late, second, third)
		n := len(store.events)
		write("superseded", first, late, second, third)
		if len(store.events) != n {
			t.Error("marked twice")
		}
		write("stored", first, second, third)
		// Another worker that knows nothing of the session's alerts finds them in the store.
		m.stop()
		m = start(t, Options{Store: store})
		write("superseded", first, late, second, third)
	})
}

func TestCooldownAndAge(t *testing.T) {
	bubble(t, func(t *testing.T, store *memStore) {
		got := &collector{}
		m := start(t, Options{Store: store, Cooldown: 5 * time.Minute, Targets: []Lane{{Name: "x", Target: got}}})
		at := time.Now()
		m.send(turn("a", 1, "agent", "催", at), turn("a", 2, "agent", "催", at.Add(time.Minute)), turn("a", 3, "agent", "滚", at.Add(time.Minute)))
		settle()
		wantRules(t, store, "each:s1", "(each:s2 cooldown)", "rude:s3")
		m.stop()
		m = start(t, Options{Store: store, Cooldown: 5 * time.Minute, Targets: []Lane{{Name: "x", Target: got}}}) // it lasts beyond a restart
		defer m.stop()
		more := []string{turn("a", 4, "agent", "催", at.Add(4*time.Minute)), turn("a", 5, "agent", "催", at.Add(6*time.Minute))}
		m.send(append([]string{turn("a", 1, "agent", "催", at), turn("a", 2, "agent", "催", at.Add(time.Minute)), turn("a", 3, "agent", "滚", at.Add(time.Minute))}, more...)...)
		settle()
		wantRules(t, store, "each:s1", "(each:s2 cooldown)", "rude:s3", "(each:s4 cooldown)", "each:s5")
		if n := len(got.list()); n != 3 {
			t.Errorf("%d were sent, want 3", n)
		}
		// Old ones are stored when their session is written, never sent; a session that came whole asks nothing of the store.
		old := at.Add(-16 * time.Minute)
		m.send(turn("b", 1, "agent", "滚", old))
		settle()
		if err := m.write(true, turn("b", 1, "agent", "滚再见", old), end("b", old)); err != nil {
			t.Fatal(err)
		}
		settle()
		wantRules(t, store, "each:s1", "(each:s2 cooldown)", "rude:s3", "(each:s4 cooldown)", "each:s5", "(rude:s1 too_old)")
		if n := len(got.list()); n != 3 {
			t.Errorf("%d were sent, want 3", n)
		}
	})
}

func TestWhatAlerts(t *testing.T) {
	bubble(t, func(t *testing.T, store *memStore) {
		at := time.Now()
		f := func(o Options, want ...string) {
			t.Helper()
			store = newMemStore()
			o.Store = store
			m := start(t, o)
			defer m.stop()
			m.send(turn("a", 1, "agent", "滚哦催", at))
			settle()
			wantRules(t, store, want...)
		}
		f(Options{}, "rude:s1", "each:s1")
		f(Options{MinSeverity: "minor"}, "rude:s1", "each:s1", "light:s1")
		f(Options{MinSeverity: "critical"}, "rude:s1")
		f(Options{MinSeverity: "critical", Rules: []string{"light"}}, "rude:s1", "light:s1")
		f(Options{MinSeverity: SeverityNone, Rules: []string{"light"}}, "light:s1")
		f(Options{Mute: []string{"rude"}}, "each:s1")
	})
}

func TestStoreErrors(t *testing.T) {
	bubble(t, func(t *testing.T, store *memStore) {
		got := &collector{}
		m := start(t, Options{Store: store, Targets: []Lane{{Name: "x", Target: got}}})
		defer m.stop()
		store.fail = errTest
		at := time.Now()
		m.send(turn("a", 1, "agent", "滚再见", at))
		time.Sleep(time.Minute)
		settle()
		if err := m.write(false, turn("a", 1, "agent", "滚再见", at), end("a", at)); err == nil {
			t.Error("the session may be written although its alert is not stored")
		}
		if len(got.list()) != 0 {
			t.Error("sent before it was stored")
		}
		store.mu.Lock()
		store.fail = nil
		store.mu.Unlock()
		time.Sleep(10 * time.Second)
		settle()
		wantRules(t, store, "rude:s1")
		if len(got.list()) != 1 {
			t.Errorf("%+v", got.list())
		}
	})
}

func TestCorrelations(t *testing.T) {
	bubble(t, func(t *testing.T, store *memStore) {
		got := &collector{}
		store.counts = []warehouse.HitCount{{Key: "a101", Hits: 6, Sessions: 4, SessionID: "s9", Latest: time.Now().Add(-time.Hour), Shop: "店", Agent: "a101"}}
		m := start(t, Options{Store: store, Targets: []Lane{{Name: "x", Target: got}}, Correlations: []Correlation{
			{ID: "often", Name: "多次违规", Rules: []string{"rude"}, Per: "agent", Count: 5, Within: 24 * time.Hour, Severity: "major"}}})
		defer m.stop()
		time.Sleep(5 * correlateEvery)
		settle()
		list := got.list()
		if len(list) != 1 || list[0].Alert.Kind != warehouse.AlertCorrelation || list[0].Alert.Reason != "客服 a101 在 24h0m0s 内有 6 次命中，涉及 4 个会话" {
			t.Fatalf("%+v", list)
		}
	})
}

func TestRulesChangeWhileSessionsGoOn(t *testing.T) {
	bubble(t, func(t *testing.T, store *memStore) {
		a := testAnalyser(t)
		m := start(t, Options{Store: store, Mute: []string{"rude"}, Analyser: func() *analyse.Analyser { return a }})
		defer m.stop()
		at := time.Now()
		m.send(turn("a", 1, "agent", "催", at))
		settle()
		a = testAnalyser(t)
		m.send(turn("a", 2, "agent", "催", at))
		settle()
		wantRules(t, store, "each:s1", "each:s2")
	})
}

// TestTheStoreIsAskedOnlyWhereOthersMayHaveDecided: a session of which all happened since this process has the partition
// costs one insert.
func TestTheStoreIsAskedOnlyWhereOthersMayHaveDecided(t *testing.T) {
	bubble(t, func(t *testing.T, store *memStore) {
		m := start(t, Options{Store: store})
		defer m.stop()
		ask := func(want int, do func()) {
			t.Helper()
			before := store.asked
			do()
			settle()
			if n := store.asked - before; n != want {
				t.Errorf("the store was asked %d times, want %d", n, want)
			}
		}
		rude := func(id string) string { return turn(id, 1, "agent", "滚再见", time.Now()) }
		write := func(id string, line string) {
			if err := m.write(false, line, end(id, time.Now())); err != nil {
				t.Fatal(err)
			}
		}
		ask(1, func() { m.send(rude("a")) }) // it may have come to another worker a moment ago
		time.Sleep(foreign + time.Second)
		line := rude("b")
		ask(0, func() { m.send(line) })
		ask(0, func() { write("b", line) })
		old := turn("c", 1, "agent", "滚再见", time.Now().Add(-2*foreign))
		ask(1, func() { m.send(old) })
		ask(0, func() { write("c", old) }) // known by now
		m.Reset()
		ask(1, func() { m.send(rude("d")) })
		wantRules(t, store, "rude:s1", "rude:s1", "rude:s1", "rude:s1")
	})
}
