package analyse

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/schemas"
)

var day = time.Date(2026, 11, 2, 2, 0, 0, 0, time.UTC)

// session builds a transcript from lines "role[@agent] seconds text"; seconds "-" means no time, "a..b" a span of a
// recording; a role ending in ! is an automatic reply.
func session(lines ...string) *schemas.Transcript {
	t := &schemas.Transcript{Version: 3, Closed: true, Meta: schemas.Meta{SessionID: "s", AgentID: "owner"}}
	for i, line := range lines {
		parts := strings.SplitN(line, " ", 3)
		who, agent, _ := strings.Cut(parts[0], "@")
		turn := schemas.Turn{Seq: schemas.Some(int64(i + 1)), Role: schemas.Role(strings.TrimSuffix(who, "!")), AgentID: agent, Auto: strings.HasSuffix(who, "!"), Text: parts[2]}
		seconds := func(s string) int64 { v, _ := strconv.ParseFloat(s, 64); return int64(v * 1000) }
		if start, end, span := strings.Cut(parts[1], ".."); span {
			turn.StartMS, turn.EndMS = schemas.Some(seconds(start)), schemas.Some(seconds(end))
		} else if parts[1] != "-" {
			turn.At = day.Add(time.Duration(seconds(parts[1])) * time.Millisecond)
		}
		t.Turns = append(t.Turns, schemas.TranscriptTurn{Turn: turn, Key: schemas.SeqKey(int64(i + 1))})
	}
	return t
}

func TestRounds(t *testing.T) {
	f := func(want string, lines ...string) {
		t.Helper()
		var got []string
		for _, r := range Rounds(session(lines...)) {
			ms := "-"
			if r.ReplyMS.OK {
				ms = fmt.Sprint(r.ReplyMS.V)
			}
			got = append(got, fmt.Sprintf("%s:%d>%d=%s/%d,%d", r.AgentID, r.Turn, r.Reply.Or(-1), ms, r.Customers, r.Replies))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q:\n got %s\nwant %s", lines, s, want)
		}
	}
	// the clock starts with the first of several customer turns, and several replies answer it once
	f("a:1>3=30000/2,2", "customer 0 在吗", "customer 10 多少钱", "agent@a 30 亲在的", "agent@a 40 99元")
	// an automatic reply and a picture are no replies; a customer's picture starts a round
	f("a:1>4=60000/1,1", "customer 0 ", "agent!@a 1 您好，请稍等", "agent@a 5  ", "agent@a 60 好的")
	// a bot neither answers nor starts
	f("a:2>4=20000/1,1", "bot 0 您好", "customer 10 人工", "bot 11 正在转接", "agent@a 30 您好")
	// transfer: the round belongs to who replies; the unanswered one to the last agent, automatic turns included
	f("a:1>2=5000/1,1 b:3>4=10000/1,1 c:5>-1=-/1,0", "customer 0 1", "agent@a 5 x", "customer 10 2", "agent@b 20 y", "customer 30 3", "agent!@c 31 自动")
	// a reply before any customer turn belongs to no round
	f("a:2>3=1000/1,1", "agent@a 0 您好", "customer 1 hi", "agent@a 2 在的")
	// an agent without an id is the session's; an unanswered session belongs to the session's agent
	f("owner:1>2=1000/1,1", "customer 0 hi", "agent 1 在")
	f("owner:1>-1=-/1,0", "customer 0 hi")
	// no times, no reply_ms; clocks that run backwards give 0
	f("a:1>2=-/1,1", "customer - hi", "agent@a - 在")
	f("a:1>2=0/1,1", "customer 50 hi", "agent@a 20 在")
	// on calls the wait starts at the end of the customer's first turn; an interruption counts 0
	f("a:1>2=1500/1,1 a:3>4=0/1,1", "customer 0..2.5 喂", "agent@a 4..5 您好", "customer 6..9 我要", "agent@a 8..10 嗯")
	f("")
	f("", "agent@a 0 您好")
}

func TestFacts(t *testing.T) {
	f := func(want string, lines ...string) {
		t.Helper()
		tr := session(lines...)
		b, _ := json.Marshal(facts(tr, Rounds(tr)))
		if string(b) != want {
			t.Errorf("%q:\n got %s\nwant %s", lines, b, want)
		}
	}
	f(`{"turns":2,"customer_turns":1,"agent_turns":1,"bot_turns":0,"duration_ms":30000,"first_reply_ms":30000,"avg_reply_ms":30000,"max_reply_ms":30000,"rounds":1,"unanswered_rounds":0,"agent_talk_share":0.5}`,
		"customer 0 在吗", "agent@a 30 在的")
	f(`{"turns":3,"customer_turns":2,"agent_turns":1,"bot_turns":0,"duration_ms":9000,"first_reply_ms":1000,"avg_reply_ms":1000,"max_reply_ms":1000,"rounds":2,"unanswered_rounds":1,"agent_talk_share":0.5,"silence_ms":1000,"overlap_ms":500}`,
		"customer 0..2 喂", "agent@a 3..6 您好", "customer 5.5..9 呃")
	f(`{"turns":0,"customer_turns":0,"agent_turns":0,"bot_turns":0,"rounds":0,"unanswered_rounds":0}`)
}

// stage is a Featuriser and Rules of fixed answers, or of panics, to test what Analyse itself does.
type stage struct{ mentions, panics bool }

func (s stage) ModelVersion() string { return "m1" }
func (s stage) Version() string      { return "r1" }

func (s stage) Features(t *schemas.Transcript) *schemas.Features {
	if s.panics {
		panic("bad model")
	}
	f := &schemas.Features{Turns: make([]schemas.TurnFeatures, len(t.Turns)), Experience: 7}
	for i := range f.Turns {
		f.Turns[i].Emotion = schemas.Urgent
		if s.mentions && t.Turns[i].Role == schemas.Customer {
			f.Turns[i].Mentions = []schemas.TurnMention{{Text: "x", End: 1, Kind: schemas.KindComplaint, Aspect: schemas.AspectLogistics}}
		}
	}
	return f
}

func (s stage) Evaluate(*schemas.Transcript, *schemas.Features) schemas.Findings {
	if s.panics {
		panic("bad rule")
	}
	return schemas.Findings{Outcomes: map[string]string{"greeting": "pass"}, Notes: []schemas.CoverageNote{{What: "rule:b", Why: "open"}, {What: "rule:a", Why: "open"}}}
}

func TestAnalyse(t *testing.T) {
	tr := session("customer 0 x", "agent@a 5 y", "customer 9 x")
	tr.Notes = []schemas.CoverageNote{{What: "turns", Why: "duplicate", Count: 1}, {What: "turns", Why: "duplicate", Count: 2}}
	got := New(stage{mentions: true}, stage{}, nil).Analyse(tr)
	if got.Version != 3<<28 || got.EmotionStart != "urgent" || got.Experience != 1 || !reflect.DeepEqual(got.AgentIDs, []string{"a"}) {
		t.Errorf("got %+v", got)
	}
	if len(got.Mentions) != 2 || got.Mentions[0].Department != "物流" || got.Mentions[0].MentionID == got.Mentions[1].MentionID {
		t.Errorf("mentions %+v", got.Mentions)
	}
	want := []schemas.CoverageNote{{What: "rule:a", Why: "open"}, {What: "rule:b", Why: "open"}, {What: "turns", Why: "duplicate", Count: 3}}
	if !reflect.DeepEqual(got.Coverage, want) {
		t.Errorf("coverage %+v, want %+v", got.Coverage, want)
	}
	if !got.EndedAt.Equal(day.Add(9 * time.Second)) {
		t.Errorf("ended_at %v", got.EndedAt)
	}
}

func TestAnalyseSurvivesBrokenStages(t *testing.T) {
	got := New(stage{panics: true}, stage{panics: true}, nil).Analyse(session("customer 0 x"))
	if len(got.Turns) != 1 || got.Turns[0].Emotion != schemas.Neutral || got.Findings.Outcomes == nil {
		t.Errorf("got %+v", got)
	}
	b, _ := json.Marshal(got.Coverage)
	if s := string(b); !strings.Contains(s, "bad model") || !strings.Contains(s, "bad rule") {
		t.Errorf("coverage %s does not say what failed", s)
	}
}

func TestAnalysisLine(t *testing.T) {
	got, err := json.Marshal(New(stage{}, stage{}, nil).Analyse(session("customer 0 <好>")))
	if err != nil {
		t.Fatal(err)
	}
	var line struct {
		SessionID string `json:"session_id"`
		Turns     []struct {
			Seq    int64              `json:"seq"`
			Text   string             `json:"text"`
			Scores map[string]float64 `json:"scores"`
		} `json:"turns"`
		Hits  *[]any   `json:"hits"`
		Score *float64 `json:"score"`
	}
	if err := json.Unmarshal(got, &line); err != nil {
		t.Fatal(err)
	}
	if line.SessionID != "s" || line.Turns[0].Text != "<好>" || len(line.Turns[0].Scores) != 13 || line.Hits == nil || line.Score != nil {
		t.Errorf("line %s", got)
	}
}

// registry gives every mention the opinion of its aspect, and fails on one.
type registry struct{}

func (registry) Epoch() uint32   { return 7 }
func (registry) Version() string { return "o1" }
func (registry) Assign(m schemas.TurnMention) (string, float64) {
	if m.Aspect == "other" {
		panic("no aspect")
	}
	return "id-" + m.Aspect, .5
}

// oneMention has one mention in its first turn, and rules that look at its opinion.
type oneMention struct {
	stage
	mention schemas.TurnMention
	seen    *string
}

func (o oneMention) Features(t *schemas.Transcript) *schemas.Features {
	f := &schemas.Features{Turns: make([]schemas.TurnFeatures, len(t.Turns))}
	f.Turns[0].Mentions = []schemas.TurnMention{o.mention}
	return f
}

func (o oneMention) Evaluate(_ *schemas.Transcript, f *schemas.Features) schemas.Findings {
	*o.seen = f.Turns[0].Mentions[0].OpinionID
	return schemas.Findings{Outcomes: map[string]string{}}
}

func TestOpinions(t *testing.T) {
	f := func(aspect string, valuable bool, want, why string) {
		t.Helper()
		var seen string
		s := oneMention{mention: schemas.TurnMention{Text: "x", Aspect: aspect, Valuable: valuable}, seen: &seen}
		tr := session("customer 0 x")
		tr.Version = 3
		a := New(s, s, nil).WithOpinions(registry{}).Analyse(tr)
		if a.Epoch != 7 || a.Version != 3<<28|7 || a.Mentions[0].OpinionID != want || seen != want {
			t.Errorf("epoch %d, version %d, opinion %q, seen by the rules %q; want 7, %d, %q", a.Epoch, a.Version, a.Mentions[0].OpinionID, seen, 3<<28|7, want)
		}
		found := ""
		for _, n := range a.Coverage {
			if n.What == "opinions" {
				found = n.Why
			}
		}
		if found != why || a.ModelVersion != "m1,opinions=o1" {
			t.Errorf("coverage %q, want %q; models %q", found, why, a.ModelVersion)
		}
	}
	f("price", true, "id-price", "")
	f("price", false, "", "")
	f("other", true, "", "the assignment failed: no aspect")
}
