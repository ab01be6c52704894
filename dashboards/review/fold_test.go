package review

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/warehouse/warehousetest"
)

var monday = time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)

// ev makes an event from a word: action:hit@seen by its number, such as "dismiss:h1@0". The nth has the id n, two digits.
func ev(n int, word string) Event {
	action, rest, _ := strings.Cut(word, ":")
	hit, seen, _ := strings.Cut(rest, "@")
	e := Event{SessionID: "s", EventID: fmt.Sprintf("%02d", n), Seen: seen, HitID: hit, Actor: fmt.Sprint("u", n), Action: strings.TrimSuffix(action, "!"), At: monday.Add(time.Duration(n) * time.Minute)}
	e.Final = strings.HasSuffix(action, "!")
	if e.Action == Score {
		e.HitID, e.Item = "", hit
		p := float64(n)
		e.Points = &p
	}
	return e
}

func events(words string) []Event {
	var out []Event
	for i, w := range strings.Fields(words) {
		out = append(out, ev(i+1, w))
	}
	return out
}

// TestFold lists what sequences of events on one hit come to. The number after @ is the last event seen.
func TestFold(t *testing.T) {
	f := func(words, want string) {
		t.Helper()
		s := Fold(events(words))
		h := s.Hit("h")
		got := h.State
		if h.Final {
			got += " final"
		}
		if h.Conflict {
			got += " conflict"
		}
		for _, e := range s.Trail {
			if !e.Effective {
				got += " void" + e.EventID
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", words, got, want)
		}
	}
	f("", "undecided")
	f("note:h@", "undecided")
	f("confirm:h@", "confirmed")
	f("dismiss:h@", "dismissed")
	f("confirm:h@ dismiss:h@01", "dismissed")
	f("confirm:h@ note:h@01 dismiss:h@01", "dismissed") // a remark need not be seen
	f("confirm:x@ dismiss:h@", "dismissed")             // nor what was done to another hit
	// Two browsers: the second had not seen the first.
	f("confirm:h@ dismiss:h@", "dismissed conflict")
	f("confirm:h@ confirm:h@", "confirmed conflict")
	f("confirm:h@ dismiss:h@ confirm:h@02", "confirmed")
	f("confirm:h@ dismiss:h@ note:h@02", "dismissed conflict")
	f("confirm:h@ dismiss:h@ confirm:h@01", "confirmed conflict") // three browsers: it had not seen the second
	// Appeals.
	f("appeal:h@", "appealed")
	f("confirm:h@ appeal:h@01 uphold:h@02", "upheld")
	f("confirm:h@ appeal:h@01 uphold!:h@02", "upheld final")
	f("confirm:h@ appeal:h@01 overturn!:h@02", "overturned final")
	f("confirm:h@ appeal:h@01 uphold:h@02 appeal:h@03 overturn!:h@04", "overturned final")
	f("confirm:h@ appeal:h@ uphold:h@02", "upheld")       // the agent appealed while the reviewer decided
	f("appeal:h@ confirm:h@", "appealed conflict void02") // the other way round the decision comes too late
	f("appeal:h@ confirm:h@ overturn!:h@02", "overturned final void02")
	f("confirm:h@ appeal:h@01 dismiss:h@01", "appealed conflict void03")
	f("dismiss:h@ appeal:h@", "dismissed void02") // in favour of the agent already
	f("confirm:h@ appeal:h@01 appeal:h@01", "appealed void03")
	f("confirm:h@ appeal:h@01 uphold!:h@02 appeal:h@03", "upheld final void04")
	f("confirm:h@ appeal:h@01 uphold!:h@02 dismiss:h@03", "upheld final conflict void04")
	// Two judges at once, and the third who ends it.
	f("confirm:h@ appeal:h@01 uphold!:h@02 overturn!:h@02", "overturned final conflict")
	f("confirm:h@ appeal:h@01 uphold!:h@02 overturn!:h@02 uphold!:h@04", "upheld final")
	f("uphold:h@", "undecided conflict void01") // nothing to judge
}

func TestFoldOfSessions(t *testing.T) {
	p := func(v float64) *float64 { return &v }
	list := []Event{
		{EventID: "1", Action: Assign, Assignee: "li", At: monday},
		{EventID: "2", Action: Score, Item: "c.a", Points: p(3), Actor: "li"},
		{EventID: "3", Action: Score, Item: "c.b", Points: p(1), Seen: "1"},
		{EventID: "4", Action: Score, Item: "c.a", Points: p(5), Seen: "1"}, // had not seen 2
		{EventID: "5", Action: Done},
	}
	s := Fold(list)
	if s.Assignee != "li" || !s.Done || s.Last != "5" || *s.Items["c.a"].Points != 5 || !s.Items["c.a"].Conflict || s.Items["c.b"].Conflict || !s.Trail[3].Conflict || s.Trail[1].Conflict {
		t.Errorf("state %+v, items %+v %+v", s, s.Items["c.a"], s.Items["c.b"])
	}
	s = Fold(append(list, Event{EventID: "6", Action: Score, Item: "c.a", Seen: "5"}, Event{EventID: "7", Action: Assign}, Event{EventID: "8", Action: Reopen}))
	if s.Assignee != "" || s.Done || s.Items["c.a"].Points != nil || s.Items["c.a"].Conflict || s.Trail[3].Conflict {
		t.Errorf("state %+v, item %+v", s, s.Items["c.a"])
	}
}

// random makes events of one session: any action, having seen anything, on three hits and two items.
func random(r *rand.Rand, session string) []Event {
	var out []Event
	actions := []string{Confirm, Dismiss, Appeal, Uphold, Overturn, Confirm, Dismiss, Appeal, Score, Assign, Done, Reopen, Note}
	for n := range 1 + r.IntN(12) {
		e := ev(n+1, actions[r.IntN(len(actions))])
		e.SessionID, e.Actor, e.Final = session, fmt.Sprint("u", r.IntN(4)), r.IntN(3) == 0
		if k := r.IntN(n + 1); k > 0 && r.IntN(3) > 0 {
			e.Seen = fmt.Sprintf("%02d", k)
		} else if r.IntN(2) == 0 && n > 0 {
			e.Seen = fmt.Sprintf("%02d", n)
		}
		switch e.Action {
		case Score:
			e.Item, e.Points = fmt.Sprint("card.i", r.IntN(2)), nil
			if r.IntN(4) > 0 {
				p := float64(r.IntN(5))
				e.Points = &p
			}
		case Assign:
			e.Assignee = []string{"", "li", "wang"}[r.IntN(3)]
		case Note:
			e.HitID = []string{"", "h1"}[r.IntN(2)]
		case Confirm, Uphold:
			due := monday.AddDate(0, 0, r.IntN(9))
			e.Due = &due
			fallthrough
		case Dismiss, Appeal, Overturn:
			e.HitID = fmt.Sprint("h", r.IntN(3))
		}
		out = append(out, e)
	}
	return out
}

// TestFoldDoesNotDependOnArrival shuffles and repeats events.
func TestFoldDoesNotDependOnArrival(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		list := random(r, "s")
		want := Fold(list)
		again := slices.Concat(list, list[:r.IntN(len(list)+1)])
		r.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		if got := Fold(again); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: the order of arrival shows", seed)
		}
		// A prefix of the trail never changes by what comes later, conflicts aside: they are about now.
		for n := range list {
			part := Fold(list[:n])
			for i, e := range part.Trail {
				if e.Effective != want.Trail[i].Effective {
					t.Fatalf("seed %d: event %d takes effect later", seed, i)
				}
			}
		}
	}
}

// TestFoldInGoIsFoldInSQL compares the two on 500 random sessions.
func TestFoldInGoIsFoldInSQL(t *testing.T) {
	ctx := context.Background()
	w := warehousetest.Open(t)
	sessions := map[string][]Event{}
	var all []Event
	for seed := range uint64(500) {
		id := fmt.Sprintf("s%03d", seed)
		sessions[id] = random(rand.New(rand.NewPCG(seed, 2)), id)
		all = append(all, sessions[id]...)
	}
	r := rand.New(rand.NewPCG(1, 1))
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, part := range [][]Event{all[:len(all)/2], all[len(all)/3:]} { // some twice
		if err := w.AppendReviewEvents(ctx, part); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{}
	line := func(h *HitState) string {
		until, at := "-", "-"
		if h.Until != nil {
			until = h.Until.Format(time.DateTime)
		}
		if h.State != Undecided {
			at = h.At.Format(time.DateTime)
		}
		return fmt.Sprint(h.State, h.Final, h.Conflict, " ", h.By, " ", at, " ", until, " ", h.Appeals, " ", h.Last, " ", h.LastDecision)
	}
	hits := 0
	for id, list := range sessions {
		s := Fold(list)
		for hit, h := range s.Hits {
			want[id+" "+hit] = line(h)
			hits++
		}
		items := []string{}
		for name, it := range s.Items {
			if it.Points != nil {
				items = append(items, fmt.Sprint(name, "=", *it.Points))
			}
		}
		slices.Sort(items)
		want[id] = fmt.Sprint(s.Assignee, " ", s.Done, " ", items)
		for _, e := range s.Trail {
			want[id+" event "+e.EventID] = fmt.Sprint(e.Action, e.Conflict, e.Effective)
		}
	}
	got := map[string]string{}
	var rows []struct {
		Session  string     `ch:"session_id"`
		Hit      string     `ch:"hit_id"`
		State    string     `ch:"state"`
		Final    bool       `ch:"final"`
		Conflict bool       `ch:"conflict"`
		By       string     `ch:"decided_by"`
		At       *time.Time `ch:"decided_at"`
		Until    *time.Time `ch:"appeal_until"`
		Appeals  uint32     `ch:"appeals"`
		Last     string     `ch:"last_event"`
		Decision string     `ch:"last_decision"`
	}
	if err := w.Conn().Select(ctx, &rows, "SELECT session_id, hit_id, state, final, conflict, decided_by, decided_at, appeal_until, appeals, last_event, last_decision FROM review_hits"); err != nil {
		t.Fatal(err)
	}
	for _, x := range rows {
		h := &HitState{State: x.State, Final: x.Final, Conflict: x.Conflict, By: x.By, Until: x.Until, Appeals: int(x.Appeals), Last: x.Last, LastDecision: x.Decision}
		if x.At != nil {
			h.At = x.At.UTC()
		}
		if x.Until != nil {
			u := x.Until.UTC()
			h.Until = &u
		}
		got[x.Session+" "+x.Hit] = line(h)
	}
	var whole []struct {
		Session  string   `ch:"session_id"`
		Assignee string   `ch:"assignee"`
		Done     bool     `ch:"done"`
		Items    []string `ch:"items"`
	}
	if err := w.Conn().Select(ctx, &whole, "SELECT session_id, assignee, done, arraySort(arrayMap((i, p) -> concat(i, '=', toString(p)), scored_items, scored_points)) AS items FROM review_states FINAL"); err != nil {
		t.Fatal(err)
	}
	for _, x := range whole {
		got[x.Session] = fmt.Sprint(x.Assignee, " ", x.Done, " ", x.Items)
	}
	// The states that the views read are the fold.
	differ := func(when string, want uint64) {
		t.Helper()
		const line = "session_id, version, arraySort(hit_states) AS h, arraySort(void_hits) AS v, arraySort(decided_hits) AS d, arraySort(appealed_hits) AS a, arraySort(conflict_hits) AS c, " +
			"arraySort(arrayZip(scored_items, scored_points)) AS i, assignee, done"
		var n uint64
		sql := "SELECT (SELECT count() FROM (SELECT " + line + " FROM review_folds EXCEPT SELECT " + line + " FROM review_states FINAL)) + " +
			"(SELECT count() FROM (SELECT " + line + " FROM review_states FINAL EXCEPT SELECT " + line + " FROM review_folds))"
		if err := w.Conn().QueryRow(ctx, sql).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n != want {
			t.Errorf("%s: %d states are not the fold of the events, want %d", when, n, want)
		}
	}
	differ("after appending", 0)
	var trail []struct {
		Session   string `ch:"session_id"`
		Event     string `ch:"event_id"`
		Action    string `ch:"action"`
		Conflict  bool   `ch:"conflict"`
		Effective bool   `ch:"effective"`
	}
	if err := w.Conn().Select(ctx, &trail, "SELECT session_id, event_id, action, conflict, effective FROM reviews"); err != nil {
		t.Fatal(err)
	}
	for _, x := range trail {
		got[x.Session+" event "+x.Event] = fmt.Sprint(x.Action, x.Conflict, x.Effective)
	}
	if hits < 500 {
		t.Fatalf("only %d hits", hits)
	}
	var keys []string
	for k := range want {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	bad := 0
	for _, k := range keys {
		if _, only := got[k]; !only && !strings.Contains(k, " ") && want[k] == " false []" {
			continue // remarks alone
		}
		if got[k] != want[k] && bad < 5 {
			bad++
			t.Errorf("%s: SQL says %q, Go %q", k, got[k], want[k])
			id, _, _ := strings.Cut(k, " ")
			for _, e := range sessions[id] {
				t.Logf("  %s %s %s seen %q final %v", e.EventID, e.Action, cmp.Or(e.HitID, e.Item), e.Seen, e.Final)
			}
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%s: only SQL has it", k)
		}
	}
	// A process that dies between event and state leaves the state behind; the repair sees it.
	if err := w.Conn().Exec(ctx, "INSERT INTO review_events (session_id, event_id, hit_id, action, seen) SELECT session_id, '99', 'h9', 'dismiss', '99' FROM review_events WHERE session_id < 's010' GROUP BY session_id"); err != nil {
		t.Fatal(err)
	}
	differ("before the repair", 20)
	if n, err := w.RepairReviews(ctx); n != 10 || err != nil {
		t.Errorf("%d repaired, %v", n, err)
	}
	differ("after the repair", 0)
	if n, err := w.RepairReviews(ctx); n != 0 || err != nil {
		t.Errorf("%d repaired again, %v", n, err)
	}
	events, err := w.ReviewEvents(ctx, []string{"s017"})
	if err != nil || !reflect.DeepEqual(Fold(events["s017"]), Fold(sessions["s017"])) {
		t.Errorf("read back: %v", err)
	}
}
