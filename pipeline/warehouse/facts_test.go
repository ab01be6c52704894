package warehouse

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tingke/tingke/schemas"
)

// TestFactsAreWhatTheViewsSay: after anything that is written, the copies that pages read hold what the views say, and
// who still reads an older moment sees that.
func TestFactsAreWhatTheViewsSay(t *testing.T) {
	w := migrated(t)
	ctx := context.Background()
	other := func(id string, version uint64, start time.Time, change func(*schemas.Analysis)) *schemas.Analysis {
		a := sample(id)
		a.Version, a.StartedAt = version<<28|7, start
		a.Meta.StartedAt = start
		if change != nil {
			change(a)
		}
		return a
	}
	// compare holds columns of a copy to those of a view, rows in any order.
	compare := func(step, columns, view, facts, of string) {
		t.Helper()
		var got, want []string
		for sql, into := range map[string]*[]string{
			"SELECT arraySort(groupArray(toString(tuple(" + facts + ")))) FROM " + of:     &got,
			"SELECT arraySort(groupArray(toString(tuple(" + columns + ")))) FROM " + view: &want,
		} {
			if err := w.Conn().QueryRow(ctx, sql).Scan(into); err != nil {
				t.Fatalf("%s: %s: %v", step, sql, err)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || len(want) == 0 {
			t.Errorf("%s: %s\n got %q\nwant %q", step, view, got, want)
		}
	}
	same := func(step string, cut FactsCut) {
		t.Helper()
		live := " WHERE " + cut.Live()
		f := func(columns, facts, of, view string) {
			t.Helper()
			compare(step, columns, view, facts, of)
		}
		head := "session_id, day, started_at, ended_at, state, channel, source, shop, business, team, agent_id, agent_ids, agent_name, customer_id, product, turns, score, experience, flagged, severity, " +
			"emotion_start, emotion_end, final_score, reviewed, assignee, toUInt32(open_appeals), toUInt32(conflicts)"
		f(head, head, "session_facts"+live, "sessions")
		f("session_id, hit_id, rule_id, rule_version, agent_id, outcome, severity, points, decision, state, conflict, appeals", "session_id, id, rule, version, agent, outcome, level, points, decision, standing, conflict, appeals",
			`(SELECT * FROM session_facts`+live+`) ARRAY JOIN hit_id AS id, hit_rule AS rule, hit_version AS version, hit_agent AS agent, hit_outcome AS outcome, hit_severity AS level, hit_points AS points,
				hit_decision AS decision, hit_state AS standing, hit_conflict AS conflict, hit_appeals AS appeals`, "hits")
		f("session_id, kind, aspect, product, valuable", "session_id, kind, aspect, thing, valuable",
			`(SELECT * FROM session_facts`+live+`) ARRAY JOIN mention_kind AS kind, mention_aspect AS aspect, mention_product AS thing, mention_valuable AS valuable`, "mentions")
		f("opinion_id, session_id, day, customer_id, shop, n", "opinion, session_id, day, customer_id, shop, toUInt64(mentions)", "opinion_facts"+live, "(SELECT opinion_id, session_id, day, customer_id, shop, count() AS n FROM mentions WHERE opinion_id != '' GROUP BY opinion_id, session_id, day, customer_id, shop)")
		f("session_id, agent_id, day, reply_ms, first", "session_id, agent, round, ms, one", `(SELECT * FROM session_facts`+live+`) ARRAY JOIN round_agent AS agent, round_day AS round, round_reply_ms AS ms, round_first AS one`, "rounds")
		f("session_id, rule_id, outcome", "session_id, rule, value", "(SELECT * FROM session_facts"+live+") ARRAY JOIN outcome_rule AS rule, outcome_value AS value", "outcomes")
		f("session_id, toString(emotion), n", "session_id, emotion, toUInt64(n)", "(SELECT * FROM session_facts"+live+") ARRAY JOIN heard AS emotion, heard_turns AS n", "(SELECT session_id, emotion, count() AS n FROM turns WHERE role = 'customer' GROUP BY session_id, emotion)")
	}
	read := func(step string) FactsCut {
		t.Helper()
		cut, err := w.Facts(ctx)
		if err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		same(step, cut)
		turns, err := w.TurnFacts(ctx)
		if err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		columns := "session_id, position, toString(role), agent_id, shop, toString(emotion), closed, text, day"
		compare(step, columns, "turns", columns, "turn_facts WHERE "+turns.Live()+" AND newest = -toInt32(ifNull(day, toDate('1970-01-01'))) AND session = cityHash64(session_id)")
		texts, err := w.upToDate(ctx, &w.texts)
		if err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		live := "(SELECT * FROM session_texts WHERE " + texts.Live() + ") ARRAY JOIN "
		compare(step, "session_id, position, seq, role, agent_id, text, at, auto, emotion, polarity, day, shop", "turns", "session_id, position, seq, role, agent, text, at, auto, emotion, polarity, day, shop",
			live+"turn_seq AS seq, turn_role AS role, turn_agent AS agent, turn_text AS text, turn_at AS at, turn_auto AS auto, turn_emotion AS emotion, turn_polarity AS polarity, arrayEnumerate(turn_seq) AS position")
		compare(step, "session_id, seq, start, text, opinion_id, customer_id, day, shop", "mentions", "session_id, seq, start, text, opinion, customer_id, day, shop",
			live+"mention_turn AS seq, mention_start AS start, mention_text AS text, mention_opinion AS opinion")
		var hits []struct {
			ID     string  `ch:"session_id"`
			Hit    string  `ch:"hit_id"`
			Reason string  `ch:"reason"`
			Seqs   []int64 `ch:"evidence_seqs"`
		}
		if err := w.Conn().Select(ctx, &hits, "SELECT session_id, hit_id, reason, evidence_seqs FROM hits"); err != nil || len(hits) == 0 {
			t.Fatalf("%s: %d hits, %v", step, len(hits), err)
		}
		read, err := w.Texts(ctx, HitTexts, []string{"s1", "s2", "s3", "s4", "s5", "nobody"})
		if err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		for _, h := range hits {
			if x := read[h.ID]; x == nil || x.Reason(h.Hit) != h.Reason || !slices.Equal(x.Evidence(h.Hit), h.Seqs) {
				t.Errorf("%s: hit %s of %s: %+v, want %+v", step, h.Hit, h.ID, x, h)
			}
		}
		return cut
	}

	write(t, w, other("s1", 1, monday, nil), other("s2", 1, monday.AddDate(0, 0, 1), nil), other("s3", 1, time.Time{}, nil))
	first := read("written")
	if again := read("nothing new"); again != first {
		t.Errorf("nothing was written, and %v became %v", first, again)
	}
	// One session is replaced by a version of another day with less in it, one is new.
	write(t, w, other("s2", 2, monday.AddDate(0, 0, 9), func(a *schemas.Analysis) {
		a.Findings.Hits, a.Mentions, a.Meta.Shop = a.Findings.Hits[:1], nil, "别家店"
	}), other("s4", 1, monday, nil))
	second := read("superseded")
	write(t, w, other("s2", 1, monday, nil)) // a replay of the old version changes nothing
	if third := read("replayed"); third.Base != first.Base || second.Base != first.Base || second.Gen <= first.Gen || third.Gen < second.Gen {
		t.Errorf("cuts %v %v %v: the base was to stay and the generation to grow", first, second, third)
	}
	if n := one[uint64](t, w, "SELECT count() FROM session_facts WHERE "+first.Live()); n != 3 {
		t.Errorf("the first moment has %d sessions now, it had 3", n)
	}
	if n := one[uint64](t, w, "SELECT count() FROM session_facts WHERE "+second.Live()+" AND session_id = 's2'"); n != 1 {
		t.Errorf("a session that was replaced has %d rows", n)
	}
	// A late turn of a customer, angry.
	write(t, w, other("s1", 3, monday, func(a *schemas.Analysis) {
		late := a.Turns[0]
		late.Seq, late.Key = schemas.Some[int64](4), schemas.SeqKey(4)
		a.Turns, a.EmotionEnd, a.Facts.Turns = append(a.Turns, late), "angry", 4
	}))
	read("late turn")
	event := func(id, hit, action, assignee string) ReviewEvent {
		return ReviewEvent{SessionID: "s1", EventID: id, HitID: hit, Actor: "chen", Action: action, Assignee: assignee, At: monday}
	}
	for _, e := range []ReviewEvent{event("1", "h2", "dismiss", ""), event("2", "", "assign", "zhou"), event("3", "h1", "confirm", ""), event("4", "h1", "appeal", "")} {
		if err := w.AppendReviewEvents(ctx, []ReviewEvent{e}); err != nil {
			t.Fatal(err)
		}
		read(e.Action)
	}
	if err := w.SaveAgents(ctx, []Agent{{AgentID: "li", Name: "李", Team: "售后"}}); err != nil {
		t.Fatal(err)
	}
	read("agents imported")
	mustExec(t, w, "INSERT INTO analyses SELECT * REPLACE (7 AS run_id, 12 AS score) FROM analyses FINAL WHERE session_id = 's1'")
	read("a rerun that is not shown")
	mustExec(t, w, "INSERT INTO run_switches (at, run_id, `from`, `to`) VALUES (now64(6), 7, '2026-03-02 00:00:00', '2026-03-02 23:00:00')")
	last := read("switched")

	// Another process goes on with the base of one that has ended, also with what was written between the two.
	write(t, w, other("s5", 1, monday, nil))
	w.facts.close()
	w.turns.close()
	w.texts.close()
	w.inputs.close()
	w.facts, w.turns, w.texts, w.inputs = factsKeeper{kind: sessionCopies}, factsKeeper{kind: turnCopies}, factsKeeper{kind: textCopies}, factsKeeper{kind: inputCopies}
	if cut := read("taken over"); cut.Base != last.Base && w.handle != nil {
		t.Errorf("%v was to go on from %v", cut, last)
	}
	if err := w.ForgetFacts(ctx); err != nil {
		t.Fatal(err)
	}
	read("forgotten")
}
