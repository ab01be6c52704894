package warehouse

import (
	"strings"
	"time"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/schemas"
)

// kpiColumns is what the KPI views want of a session beside its rounds, found once when it is written: along the turns in
// Go it costs next to nothing, in SQL it would cost more to plan than all the rest of a query. Everything follows from
// the analysis alone, and nothing depends on the timezone: days are told in quarters of an hour, of which every zone of
// today is a multiple.
type kpiColumns struct {
	since, until time.Time // earliest and latest time in the session; since is after until where there is none
	agent        string    // last agent, else the one that the session names
	runs         []kpiRun
	replies      []kpiReply
	passers      []string   // by round: who spoke last before another agent's reply, else ""
	excused      bool       // the last round has only automatic answers
	messages     []kpiRound // each customer turn as a question of its own
	auto         []kpiRound // rounds that, once a person has answered the first, automatic replies end too
	first        schemas.Opt[int64]
}

// kpiRun is what one agent and quarter of an hour have of valid replies and of customer turns, without a gap.
type kpiRun struct {
	agent              string
	quarter            int32 // of an hour, from 1970 UTC
	replies, questions uint32
}

// kpiReply is a valid reply whose time is known.
type kpiReply struct {
	agent string
	at    time.Time
}

// kpiRound is a question and its answer.
type kpiRound struct {
	agent    string
	askedAt  time.Time
	ms       schemas.Opt[int64]
	answered bool
}

// clockOf is an instant of a turn: by the wall clock, by the recording, or both.
type clockOf struct {
	at time.Time
	ms schemas.Opt[int64]
}

func (c clockOf) until(d clockOf) schemas.Opt[int64] {
	switch {
	case c.ms.OK && d.ms.OK:
		return schemas.Some(max(0, d.ms.V-c.ms.V))
	case !c.at.IsZero() && !d.at.IsZero():
		return schemas.Some(max(0, d.at.Sub(c.at).Milliseconds()))
	}
	return schemas.Opt[int64]{}
}

var noTime = time.Date(2299, 1, 1, 0, 0, 0, 0, time.UTC)

// kpiColumnsOf finds them in one pass forwards and one backwards.
func kpiColumnsOf(a *schemas.Analysis) *kpiColumns {
	k := &kpiColumns{since: noTime, until: time.Unix(0, 0).UTC(), agent: a.Meta.AgentID}
	span := func(at time.Time) {
		if at.IsZero() {
			return
		}
		if at.Before(k.since) {
			k.since = at
		}
		if at.After(k.until) {
			k.until = at
		}
	}
	span(a.StartedAt)
	for i := range a.Rounds {
		span(a.Rounds[i].AskedAt)
	}
	n := len(a.Turns)
	clock := func(t *schemas.Turn, ms, or schemas.Opt[int64]) clockOf {
		if !ms.OK {
			ms = or
		}
		c := clockOf{at: t.At, ms: ms}
		if ms.OK && c.at.IsZero() && !a.Meta.StartedAt.IsZero() {
			c.at = a.Meta.StartedAt.Add(time.Duration(ms.V) * time.Millisecond)
		}
		return c
	}
	begun := func(t *schemas.Turn) clockOf { return clock(t, t.StartMS, t.EndMS) }
	ended := func(t *schemas.Turn) clockOf { return clock(t, t.EndMS, t.StartMS) }
	speaker := func(t *schemas.Turn) string {
		if t.AgentID != "" {
			return t.AgentID
		}
		return a.Meta.AgentID
	}

	// Forwards: which turns end a round, and who spoke before them.
	replies := make([]bool, n) // valid, or automatic in the human stage
	waiting, human := false, -1
	spoke, bot, after := "", -1, -1 // of the first round: its last bot, the customer's first turn after it
	rounds, asked := 0, -1
	for i := range a.Turns {
		t := &a.Turns[i].Turn
		valid := analyse.ValidReply(t)
		span(begun(t).at)
		switch {
		case t.Role == schemas.Customer:
			if !waiting {
				rounds++
				k.passers = append(k.passers, "")
				k.excused = false
				if asked < 0 {
					asked = i
				}
			}
			waiting = true
			if human < 0 && bot >= 0 && after < 0 {
				after = i
			}
		case valid:
			replies[i] = true
			if waiting {
				if who := speaker(t); spoke != who {
					k.passers[rounds-1] = spoke
				}
				if human < 0 {
					human = i
				}
			}
			waiting, k.excused = false, false
		case t.Role == schemas.Bot:
			k.excused = k.excused || waiting
			if waiting && human < 0 {
				bot, after = i, -1
			}
		case t.Role == schemas.Agent && t.Auto:
			k.excused = k.excused || waiting
			if human >= 0 && strings.TrimSpace(t.Text) != "" {
				replies[i] = true
			}
		}
		if t.Role == schemas.Agent {
			spoke = speaker(t)
			k.agent = spoke
		}
		if valid {
			if c := begun(t); !c.at.IsZero() && speaker(t) != "" {
				k.replies = append(k.replies, kpiReply{speaker(t), c.at})
			}
		}
	}
	if human >= 0 {
		from := asked
		switch {
		case after >= 0:
			from = after
		case bot >= 0:
			from = bot
		}
		k.first = ended(&a.Turns[from].Turn).until(begun(&a.Turns[human].Turn))
	}

	// Backwards: who answers each customer turn.
	next, nextAuto := -1, -1
	answer := make([]int, n) // index of the next valid reply, -1
	answerAuto := make([]int, n)
	for i := n - 1; i >= 0; i-- {
		answer[i], answerAuto[i] = next, nextAuto
		if analyse.ValidReply(&a.Turns[i].Turn) {
			next = i
		}
		if replies[i] {
			nextAuto = i
		}
	}
	question := func(i, reply int) kpiRound {
		c := ended(&a.Turns[i].Turn)
		q := kpiRound{agent: k.agent, askedAt: c.at, answered: reply >= 0}
		if q.answered {
			t := &a.Turns[reply].Turn
			q.agent, q.ms = speaker(t), c.until(begun(t))
		}
		return q
	}
	open := false
	for i := range a.Turns {
		t := &a.Turns[i].Turn
		valid := analyse.ValidReply(t)
		who := ""
		if t.Role == schemas.Customer {
			q := question(i, answer[i])
			k.messages = append(k.messages, q)
			who = q.agent
			if !open {
				k.auto = append(k.auto, question(i, answerAuto[i]))
			}
			open = true
		}
		if valid {
			who = speaker(t)
		}
		if replies[i] {
			open = false
		}
		at := begun(t).at
		if at.IsZero() {
			at = a.StartedAt
		}
		if who == "" || at.IsZero() {
			continue
		}
		quarter := int32(floorDiv(at.UnixMilli(), 15*60*1000))
		if last := len(k.runs) - 1; last < 0 || k.runs[last].agent != who || k.runs[last].quarter != quarter {
			k.runs = append(k.runs, kpiRun{agent: who, quarter: quarter})
		}
		run := &k.runs[len(k.runs)-1]
		if valid {
			run.replies++
		} else {
			run.questions++
		}
	}
	return k
}

// addKPIColumns adds their columns; prepare has to be called for each row before.
func addKPIColumns(in *inserter[schemas.Analysis]) {
	type A = schemas.Analysis
	k := new(kpiColumns)
	before := in.prepare
	in.prepare = func(a *A) {
		if before != nil {
			before(a)
		}
		*k = *kpiColumnsOf(a)
	}
	in.clear = append(in.clear, func() { *k = kpiColumns{} })
	in.add(
		scalar("kpi_since", func(*A) *time.Time { return &k.since }),
		scalar("kpi_until", func(*A) *time.Time { return &k.until }),
		scalar("kpi_agent", func(*A) *string { return &k.agent }),
		scalar("kpi_excused", func(*A) bool { return k.excused }),
		scalar("kpi_first_ms", func(*A) *int64 { return optOf(&k.first) }),
	)
	runs := func(*A) []kpiRun { return k.runs }
	array(in, "kpi_run_agent", runs, func(r *kpiRun) *string { return &r.agent })
	array(in, "kpi_run_quarter", runs, func(r *kpiRun) *int32 { return &r.quarter })
	array(in, "kpi_run_replies", runs, func(r *kpiRun) *uint32 { return &r.replies })
	array(in, "kpi_run_questions", runs, func(r *kpiRun) *uint32 { return &r.questions })
	replies := func(*A) []kpiReply { return k.replies }
	array(in, "kpi_reply_agent", replies, func(r *kpiReply) *string { return &r.agent })
	array(in, "kpi_reply_at", replies, func(r *kpiReply) *time.Time { return &r.at })
	array(in, "kpi_round_passer", func(*A) []string { return k.passers }, func(s *string) *string { return s })
	rounds := func(prefix string, rounds func(*A) []kpiRound) {
		array(in, prefix+"agent", rounds, func(r *kpiRound) *string { return &r.agent })
		array(in, prefix+"asked_at", rounds, func(r *kpiRound) *time.Time { return timeOf(&r.askedAt) })
		array(in, prefix+"ms", rounds, func(r *kpiRound) *int64 { return optOf(&r.ms) })
		array(in, prefix+"answered", rounds, func(r *kpiRound) bool { return r.answered })
	}
	rounds("kpi_message_", func(*A) []kpiRound { return k.messages })
	rounds("kpi_auto_", func(*A) []kpiRound { return k.auto })
}

func floorDiv(a, b int64) int64 {
	if a < 0 {
		return (a - b + 1) / b
	}
	return a / b
}
