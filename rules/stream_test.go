package rules

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/schemas"
)

// TestStreamEqualsWholeSessionOnEveryPrefix: on random sessions, after every turn, the hits of the stream are those of
// evaluating the prefix as an open session; what a turn brings is what the prefix before it did not have; and what was
// found once is found in every extension and in the closed session.
func TestStreamEqualsWholeSessionOnEveryPrefix(t *testing.T) {
	sets := append(docSets(t), mustLoad(t, append(embeddedSources(), Text("own.yaml", []byte(everyKind)), Text("live.yaml", []byte(liveKinds)))...))
	m := newSessionMaker(t, 3)
	fired := map[string]bool{}
	for round := range 120 {
		tr, f := m.session(2 + m.rng.IntN(14))
		blind := round%12 == 11
		for _, s := range sets {
			st := s.Stream(tr.Meta)
			var before []schemas.Hit
			for n := 1; n <= len(tr.Turns); n++ {
				pt, pf := prefix(tr, f, n)
				tf := &f.Turns[n-1]
				if blind && n >= 3 {
					pf, tf = nil, nil
				}
				got := st.Add(tr.Turns[n-1], tf)
				want := s.Evaluate(pt, pf).Hits
				for _, h := range want {
					fired[h.RuleID] = true
					if !s.StreamSafe(h.RuleID) {
						t.Fatalf("rule %s found something while the session was open, but is not stream-safe", h.RuleID)
					}
				}
				if now := st.Hits(); !reflect.DeepEqual(now, want) {
					t.Fatalf("%s after %d turns:\nstream %+v\nwhole  %+v", s.Version(), n, now, want)
				}
				if blind {
					continue // a turn without features takes away those of all
				}
				if fresh := without(want, before); !reflect.DeepEqual(got, fresh) {
					t.Fatalf("%s after %d turns:\nadded %+v\nwant  %+v", s.Version(), n, got, fresh)
				}
				if gone := without(before, want); gone != nil {
					t.Fatalf("%s: turn %d takes back %+v", s.Version(), n, gone)
				}
				before = want
			}
			if whole := s.Evaluate(tr, f).Hits; !blind && without(before, whole) != nil {
				t.Fatalf("%s: the end takes back %+v", s.Version(), without(before, whole))
			}
		}
	}
	live := mustLoad(t, Text("live.yaml", []byte(liveKinds)))
	for _, r := range live.Rules() {
		if safe := live.StreamSafe(r.ID); safe != strings.HasPrefix(r.ID, "live") {
			t.Errorf("rule %s: stream-safe %v", r.ID, safe)
		} else if safe && !fired[r.ID] {
			t.Errorf("rule %s never fired on an open session: the comparison did not see it", r.ID)
		}
	}
	if live.StreamSafe("nowhere") {
		t.Error("a rule that is not there is stream-safe")
	}
}

// without gives the hits of a whose ids are not among b.
func without(a, b []schemas.Hit) []schemas.Hit {
	var out []schemas.Hit
	for _, h := range a {
		if !slices.ContainsFunc(b, func(x schemas.Hit) bool { return x.HitID == h.HitID }) {
			out = append(out, h)
		}
	}
	return out
}

// liveKinds has rules that may fire before the end and rules that wait for it.
const liveKinds = `id: live
version: "1"
rules:
  - {id: live_word, name: x, severity: major, reason: "{count} {text}", forbid: {in: {role: agent}, keyword: [您, 亲]}}
  - {id: live_each, name: x, severity: minor, points: -2, cap: -6, count: each, reason: "{text}", forbid: {in: {role: agent}, regex: '好|行'}}
  - {id: live_unless, name: x, severity: info, reason: x, forbid: {keyword: [好], unless: {in: {role: agent, after: 1}, keyword: [您]}}}
  - {id: live_window, name: x, severity: info, reason: x, trigger: {in: {role: customer}, question: {}}, expect: {in: {role: agent, after: 2}, keyword: [抱歉]}}
  - {id: live_first, name: x, severity: info, reason: x, expect: {in: {role: agent, first: 2}, keyword: [您好]}}
  - {id: live_clause, name: x, severity: info, reason: x, forbid: {in: {role: agent}, in_clause: true, all: [{keyword: [您]}, {not: {keyword: [好]}}]}}
  - {id: live_reply, name: x, severity: info, reason: x, forbid: {reply_to: {anchor: {in: {role: customer}, question: {}}, within: 1, expect: {keyword: [您]}}}}
  - {id: live_repeat, name: x, severity: info, reason: x, forbid: {in: {role: agent}, repeat: {min_chars: 4}}}
  - {id: live_count, name: x, severity: info, reason: x, expect: {in: {role: agent}, turn_count: {at_most: 2}}}
  - {id: live_slow, name: x, severity: info, reason: x, forbid: {response_time: {over: 30s}}}
  - {id: live_trigger, name: x, severity: info, reason: x, trigger: {in: {role: customer}, emotion: [angry, urgent]}}
  - {id: live_second, name: x, severity: info, reason: x, which: 2, trigger: {in: {role: customer}, question: {}}, forbid: {in: {role: agent, after: 3}, keyword: [您, 亲]}}
  - {id: live_turns, name: x, severity: info, reason: x, expect: {in: {role: agent, turns: 2..3}, keyword: [您好]}}
  - {id: live_from, name: x, severity: info, reason: x, forbid: {in: {role: agent, turns: 2..-1}, keyword: [您]}}
  - {id: end_turns, name: x, severity: info, reason: x, forbid: {in: {role: agent, turns: -2..-1}, keyword: [您]}}
  - {id: end_from, name: x, severity: info, reason: x, expect: {in: {role: agent, turns: 2..-1}, keyword: [抱歉]}}
  - {id: end_absence, name: x, severity: info, reason: x, expect: {in: {role: agent}, keyword: [抱歉]}}
  - {id: end_last, name: x, severity: info, reason: x, forbid: {in: {role: agent, last: 1}, keyword: [好]}}
  - {id: end_any, name: x, severity: info, reason: x, which: any, trigger: {in: {role: customer}, question: {}}, expect: {in: {role: agent, after: 1}, keyword: [您]}}
  - {id: end_latest, name: x, severity: info, reason: x, which: last, trigger: {in: {role: customer}, question: {}}, forbid: {in: {role: agent, after: 1}, keyword: [您]}}
  - {id: end_none, name: x, severity: info, reason: x, forbid: {in: {role: agent}, keyword: {none: [您]}}}
  - {id: end_after, name: x, severity: info, reason: x, trigger: {in: {role: customer}, question: {}}, expect: {in: {role: agent, after: all}, keyword: [抱歉]}}
  - {id: end_unless, name: x, severity: info, reason: x, forbid: {keyword: [好], unless: {in: {role: agent, after: all}, keyword: [您]}}}
  - {id: end_shift, name: x, severity: info, reason: x, forbid: {polarity_shift: {turns: 2, delta: {under: 0}}}}
`

// TestStreamsAreBounded: turns beyond the limit of a session are not taken, and a long session does not grow faster than
// its turns.
func TestStreamsAreBounded(t *testing.T) {
	s := mustLoad(t, Text("p.yaml", []byte(oneRule("    forbid: {in: {role: agent}, keyword: [滚]}\n"))))
	st := s.Stream(schemas.Meta{SessionID: "s"})
	tr := chat("客服: 您好，请问有什么可以帮您")
	f := Literal{}.Features(tr)
	began := time.Now()
	for i := range schemas.MaxTurns + 5 {
		x := tr.Turns[0]
		x.Seq = schemas.Some(int64(i + 1))
		st.Add(x, &f.Turns[0])
	}
	if st.Turns() != schemas.MaxTurns {
		t.Errorf("%d turns taken", st.Turns())
	}
	if st.Add(chat("客服: 滚").Turns[0], &f.Turns[0]) != nil {
		t.Error("a turn beyond the limit was looked at")
	}
	t.Logf("%d turns in %v", st.Turns(), time.Since(began))
}
