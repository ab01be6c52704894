package review

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/pipeline/warehouse/warehousetest"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// The final score of a session is tested against the rules themselves: dismissing hits must score the session as if what
// they rest on had not been said, and points given to a human item as if a rule had given them.

var words = []string{"甲", "乙", "丙", "丁", "戊", "己", "庚", "辛"}

// randomPack makes a pack of a rule a word. given are the points of the human item; with those the item is an ordinary one
// whose rule takes off the rest. The sentinel 哨 must then be said.
func randomPack(seed uint64, given *float64) string {
	r := rand.New(rand.NewPCG(seed, 5))
	var b strings.Builder
	fmt.Fprintf(&b, "id: p\nname: p\nversion: \"1\"\nscorecards:\n  - {id: a, name: A, items: [{id: x, name: x, max: 10}, {id: y, name: y, max: 5, weight: 20}, {id: h, name: h, max: 8%s}]}\n  - {id: b, name: B, items: [{id: z, name: z, max: 10}]}\nrules:\n",
		map[bool]string{true: ", human: true", false: ""}[given == nil])
	for i, w := range words {
		severity := []string{"minor", "major", "critical"}[r.IntN(3)]
		fmt.Fprintf(&b, "  - id: r%d\n    name: n\n    reason: 说了\n    severity: %s\n", i, severity)
		item := []string{"", "", "", "a.x", "a.y", "b.z"}[r.IntN(6)]
		observes := item != "" && r.IntN(4) == 0
		critical := ""
		if r.IntN(8) == 0 {
			critical = "whole"
		} else if item != "" && !observes && r.IntN(5) == 0 {
			critical = []string{"item", "group"}[r.IntN(2)]
		}
		if item != "" {
			fmt.Fprintf(&b, "    item: %s\n", item)
		}
		if critical != "" && !observes {
			fmt.Fprintf(&b, "    critical: %s\n", critical)
		}
		if !observes && (item == "" || r.IntN(2) == 0) {
			fmt.Fprintf(&b, "    points: %g\n", -float64(r.IntN(30))/2)
		}
		if r.IntN(2) == 0 {
			b.WriteString("    count: each\n")
			if r.IntN(2) == 0 {
				fmt.Fprintf(&b, "    cap: %g\n", -float64(r.IntN(30))/2)
			}
		}
		fmt.Fprintf(&b, "    %s: {in: {role: agent}, keyword: [%s]}\n", map[bool]string{true: "trigger", false: "forbid"}[observes], w)
	}
	if given != nil {
		fmt.Fprintf(&b, "  - {id: human, name: n, reason: 说了, severity: minor, item: a.h, points: %g, forbid: {in: {role: agent}, keyword: [哨]}}\n", *given-8)
	}
	return b.String()
}

func transcript(id string, lines []string) *schemas.Transcript {
	t := &schemas.Transcript{Closed: true, Meta: schemas.Meta{SessionID: id}}
	for i, l := range lines {
		t.Turns = append(t.Turns, schemas.TranscriptTurn{Key: schemas.SeqKey(int64(i + 1)), Turn: schemas.Turn{Seq: schemas.Some(int64(i + 1)), Role: schemas.Agent, Text: l}})
	}
	return t
}

func evaluate(t *testing.T, pack string, x *schemas.Transcript) schemas.Findings {
	t.Helper()
	set, err := rules.Load(rules.Text("p.yaml", []byte(pack)))
	if err != nil {
		t.Fatalf("%v\n%s", err, pack)
	}
	return set.Evaluate(x, rules.Literal{}.Features(x))
}

func show(score schemas.Opt[float64]) string {
	if !score.OK {
		return "null"
	}
	return fmt.Sprintf("%.6g", score.V)
}

func TestFinalScoreIsThatOfTheRules(t *testing.T) {
	ctx := context.Background()
	w := warehousetest.Open(t)
	want := map[string]string{}
	packs := map[string]string{}
	var batch warehouse.Batch
	var acts []Event
	changed, voided := 0, 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 6))
		id := fmt.Sprintf("s%03d", seed)
		var lines []string
		for range 1 + r.IntN(8) {
			line := ""
			for _, word := range words {
				if r.IntN(6) == 0 {
					line += word + "，"
				}
			}
			lines = append(lines, line+"好")
		}
		pack := randomPack(seed, nil)
		packs[id] = pack
		found := evaluate(t, pack, transcript(id, lines))
		batch.Analyses = append(batch.Analyses, &schemas.Analysis{SessionID: id, Version: 1 << 28, Closed: true, Findings: found})

		n := 0
		act := func(e Event) {
			n++
			e.SessionID, e.EventID, e.Actor, e.At = id, fmt.Sprintf("%02d", n), "qa", monday
			acts = append(acts, e)
		}
		said := slices.Clone(lines)
		for _, h := range found.Hits {
			if r.IntN(2) == 0 {
				continue
			}
			voided++
			act(Event{HitID: h.HitID, Action: Dismiss})
			var rule int
			fmt.Sscanf(h.RuleID, "r%d", &rule)
			for _, ev := range h.Evidence {
				said[ev.Turn-1] = strings.ReplaceAll(said[ev.Turn-1], words[rule], "")
			}
		}
		other := pack
		if r.IntN(2) == 0 {
			given := float64(r.IntN(17)) / 2
			act(Event{Action: Score, Item: "a.h", Points: &given})
			other = randomPack(seed, &given)
			said = append(said, "哨")
		}
		right := evaluate(t, other, transcript(id, said))
		if show(right.Score) != show(found.Score) {
			changed++
		}
		want[id] = show(right.Score)
		for _, c := range right.Scorecards {
			want[id+" "+c.ID] = show(c.Score)
			for _, it := range c.Items {
				want[id+" "+c.ID+"."+it.ID] = show(it.Points)
			}
		}
	}
	if err := w.Write(ctx, batch); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	read := func(sql string) {
		t.Helper()
		var rows []struct {
			Key   string   `ch:"key"`
			Value *float64 `ch:"value"`
		}
		if err := w.Conn().Select(ctx, &rows, sql); err != nil {
			t.Fatal(err)
		}
		for _, x := range rows {
			v := schemas.Opt[float64]{}
			if x.Value != nil {
				v = schemas.Some(*x.Value)
			}
			got[x.Key] = show(v)
		}
	}
	// Without reviews both scores are the same.
	for _, sql := range []string{"SELECT session_id FROM sessions WHERE score IS DISTINCT FROM final_score", "SELECT session_id FROM scorecards WHERE score IS DISTINCT FROM final_score",
		"SELECT session_id FROM scorecard_items WHERE points IS DISTINCT FROM final_points"} {
		var ids []struct {
			ID string `ch:"session_id"`
		}
		if err := w.Conn().Select(ctx, &ids, sql); err != nil || len(ids) > 0 {
			t.Errorf("%s: %d rows, %v", sql, len(ids), err)
			for _, x := range ids[:min(len(ids), 1)] {
				t.Log(packs[x.ID])
			}
		}
	}
	if err := w.AppendReviewEvents(ctx, acts); err != nil {
		t.Fatal(err)
	}
	read("SELECT session_id AS key, final_score AS value FROM sessions")
	read("SELECT concat(session_id, ' ', scorecard) AS key, final_score AS value FROM scorecards")
	read("SELECT concat(session_id, ' ', scorecard, '.', item) AS key, final_points AS value FROM scorecard_items")
	compare := func(who string) {
		t.Helper()
		bad := 0
		for k, v := range want {
			if got[k] != v && bad < 5 {
				bad++
				id, _, _ := strings.Cut(k, " ")
				t.Errorf("%s: %s says %s, the rules %s\n%s", k, who, got[k], v, packs[id])
			}
		}
	}
	compare("SQL")
	// The page of a session works it out without the views.
	clear(got)
	for id := range packs {
		x, err := w.Session(ctx, id)
		if err != nil || x == nil {
			t.Fatalf("session %s: %v", id, err)
		}
		add := func(key string, v *float64) {
			got[key] = show(schemas.Opt[float64]{})
			if v != nil {
				got[key] = show(schemas.Some(*v))
			}
		}
		add(id, x.FinalScore())
		items := x.Items()
		for _, c := range x.Cards(items) {
			add(id+" "+c.Card, c.Final)
		}
		for _, i := range items {
			add(id+" "+i.Card+"."+i.Item, i.Final)
		}
	}
	compare("the page")
	if changed < 50 || voided < 300 {
		t.Errorf("only %d scores changed by %d dismissed hits: the test shows little", changed, voided)
	}
}
