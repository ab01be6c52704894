package rerun

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/pipeline/forget"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/schemas"
)

// shown says what the views show of a session: run, number of turns and whether the rules of the second pack judged it.
func (p *place) shown(t *testing.T, id string) string {
	t.Helper()
	rows, err := p.w.Conn().Query(context.Background(), "SELECT run_id, turns, position(rules_version, 'presale') > 0 FROM sessions WHERE session_id = '"+id+"'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := ""
	for rows.Next() {
		var run uint64
		var turns uint32
		var fresh bool
		if err := rows.Scan(&run, &turns, &fresh); err != nil {
			t.Fatal(err)
		}
		out += fmt.Sprintf("run %d, %d turns, new rules %v;", run, turns, fresh)
	}
	return out
}

func turnOf(id string, seq int64, at time.Time) *schemas.Message {
	return &schemas.Message{Type: schemas.TypeTurn, Turn: &schemas.LiveTurn{SessionID: id, Turn: schemas.Turn{Seq: schemas.Some(seq), Role: schemas.Customer, Text: "这款面膜多少钱", At: at}}}
}

func startOf(id string, at, updated time.Time) *schemas.Message {
	return &schemas.Message{Type: schemas.TypeSession, Session: &schemas.Session{Meta: schemas.Meta{SessionID: id, StartedAt: at, UpdatedAt: updated}}}
}

// TestLiveFollowsSwitches: a writer that learned of a switch late, at the worst moments, leaves each session in the run
// that is shown, judged as that run judges, and in no other that is shown.
func TestLiveFollowsSwitches(t *testing.T) {
	ctx := context.Background()
	p := newPlace(t, "standard")
	in := periodFrom.Add(time.Hour)
	l := p.live()
	send := func(l *Live, messages ...*schemas.Message) {
		t.Helper()
		if err := deliver(ctx, p.w, l, messages); err != nil {
			t.Fatal(err)
		}
	}
	want := func(what, id, text string) {
		t.Helper()
		if got := p.shown(t, id); got != text {
			t.Errorf("%s: the views show %q of %s, want %q", what, got, id, text)
		}
	}
	send(l, turnOf("a", 1, in), turnOf("b", 1, in), turnOf("c", 1, in), turnOf("d", 1, periodFrom.Add(-time.Minute)), turnOf("e", 1, in))
	r := p.runner(nil)
	run, _, err := r.Start(ctx, Request{From: periodFrom, To: periodTo, Packs: packsOf(t, "standard", "presale")}, false)
	if err == nil {
		_, err = r.Work(ctx, run.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Switch(ctx, 7, "test"); err == nil {
		t.Error("a run that is not there was switched to")
	}
	want("before the switch", "a", "run 0, 1 turns, new rules false;")

	// The switch comes between the look before a write and the write.
	hit := false
	l.between = func() {
		if !hit {
			hit = true
			if _, err := p.runner(nil).Switch(ctx, run.ID, "test"); err != nil {
				t.Error(err)
			}
		}
	}
	stale, another := p.live(), p.live() // know of no switch
	for _, l := range []*Live{stale, another} {
		if err := l.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
	}
	send(l, turnOf("a", 2, in.Add(time.Minute)))
	want("a switch in the middle of a write", "a", "run 1, 2 turns, new rules true;")
	send(stale, turnOf("b", 2, in.Add(time.Minute)))
	want("a writer that analysed before the switch", "b", "run 1, 2 turns, new rules true;")
	send(another, turnOf("f", 1, in))
	want("a session that is new after the switch", "f", "run 1, 1 turns, new rules true;")

	// Starts move out of the period and into it.
	send(l, startOf("c", periodTo.Add(time.Hour), in))
	want("a start that moves out", "c", "run 0, 1 turns, new rules false;")
	send(l, startOf("d", in, in))
	want("a start that moves in", "d", "run 1, 1 turns, new rules true;")
	send(l, startOf("c", in, in.Add(time.Hour)))
	want("and in again", "c", "run 1, 1 turns, new rules true;")
	send(l, startOf("c", periodTo.Add(time.Hour), in.Add(2*time.Hour)))

	// What is taken back shows what came meanwhile.
	if _, err := p.runner(nil).Back(ctx, "test"); err != nil {
		t.Fatal(err)
	}
	for id, text := range map[string]string{"a": "run 0, 2 turns, new rules false;", "b": "run 0, 2 turns, new rules false;", "c": "run 0, 1 turns, new rules false;", "d": "run 0, 1 turns, new rules false;", "e": "run 0, 1 turns, new rules false;"} {
		want("switched back", id, text)
	}

	// A writer that is killed between its write and its look leaves a straggler, which Repair mends.
	if _, err := p.runner(nil).Switch(ctx, run.ID, "test"); err != nil {
		t.Fatal(err)
	}
	killed := &Live{w: p.w, base: l.base, compile: compile, key: testKey, log: l.log}
	killed.known.Store(&known{})
	state, err := p.w.LoadStates(ctx, []string{"e"})
	if err != nil {
		t.Fatal(err)
	}
	more := fold(turnOf("e", 2, in.Add(time.Minute)))["e"]
	state["e"].Add(more)
	if err := p.w.Write(ctx, warehouse.Batch{States: values(state), Analyses: []*schemas.Analysis{killed.Analyse(state["e"].Transcript())}}); err != nil {
		t.Fatal(err)
	}
	want("a writer killed after a switch", "e", "run 1, 1 turns, new rules true;")
	if n, err := CountStragglers(ctx, p.w); err != nil || n != 1 {
		t.Errorf("%d stragglers are counted (%v), want 1", n, err)
	}
	if n, err := p.runner(nil).RepairDue(ctx); err != nil || n != 1 {
		t.Errorf("%d were mended (%v), want 1", n, err)
	}
	want("after the repair", "e", "run 1, 2 turns, new rules true;")
}

// TestForgottenInTheMiddleOfAWrite: a tombstone that comes between the look before a write and the write.
func TestForgottenInTheMiddleOfAWrite(t *testing.T) {
	ctx := context.Background()
	p := newPlace(t, "standard")
	l := p.live()
	l.between = func() {
		l.between = nil
		if _, err := forget.Customer(ctx, p.w, testKey, mask.New(testKey, mask.Options{}).Pseudonym("客户甲")); err != nil {
			t.Error(err)
		}
	}
	if err := deliver(ctx, p.w, l, chat("victim-1", "客户甲", "a1", periodFrom, "鹦鹉螺面膜多少钱", "您好")); err != nil {
		t.Fatal(err)
	}
	if found := p.grep(t, false, []string{"victim-1", "鹦鹉螺"}); len(found) > 0 {
		t.Errorf("there still is %q", found)
	}
}

// TestFilteredRun: sessions that a filter leaves out are taken over as they are, also when they get messages later.
func TestFilteredRun(t *testing.T) {
	ctx := context.Background()
	p := newPlace(t, "standard")
	in := periodFrom.Add(time.Hour)
	l := p.live()
	shop := func(id, shop string) *schemas.Message {
		return &schemas.Message{Type: schemas.TypeSession, Session: &schemas.Session{Meta: schemas.Meta{SessionID: id, Shop: shop, StartedAt: in}}}
	}
	if err := deliver(ctx, p.w, l, []*schemas.Message{shop("x", "店铺1"), turnOf("x", 1, in), shop("y", "店铺2"), turnOf("y", 1, in)}); err != nil {
		t.Fatal(err)
	}
	r := p.runner(nil)
	q := Request{From: periodFrom, To: periodTo, Filter: Filter{Shop: []string{"店铺1"}}, Packs: packsOf(t, "standard", "presale")}
	report, err := r.DryRun(ctx, q, time.UTC, 3)
	if err != nil {
		t.Fatal(err)
	}
	if report.Sessions != 0 { // both are open
		t.Errorf("the dry run compared %d open sessions", report.Sessions)
	}
	run, _, err := r.Start(ctx, q, false)
	if err == nil {
		_, err = r.Work(ctx, run.ID)
	}
	if err == nil {
		_, err = r.Switch(ctx, run.ID, "test")
	}
	if err != nil {
		t.Fatal(err)
	}
	f := func(id, want string) {
		t.Helper()
		if got := p.shown(t, id); got != want {
			t.Errorf("the views show %q of %s, want %q", got, id, want)
		}
	}
	f("x", "run 1, 1 turns, new rules true;")
	f("y", "run 1, 1 turns, new rules false;")
	if err := deliver(ctx, p.w, l, []*schemas.Message{turnOf("x", 2, in), turnOf("y", 2, in)}); err != nil {
		t.Fatal(err)
	}
	f("x", "run 1, 2 turns, new rules true;")
	f("y", "run 1, 2 turns, new rules false;")
}
