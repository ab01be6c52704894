package rules

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tingke/tingke/schemas"
)

// chat makes a closed session from lines such as "客户: 在吗"; "客服@a2: ..." names the agent.
func chat(lines ...string) *schemas.Transcript {
	t := &schemas.Transcript{Closed: true, Meta: schemas.Meta{SessionID: "s1", AgentID: "a0"}}
	for i, l := range lines {
		who, text, _ := strings.Cut(l, ":")
		who, agent, _ := strings.Cut(who, "@")
		t.Turns = append(t.Turns, schemas.TranscriptTurn{Key: schemas.SeqKey(int64(i + 1)),
			Turn: schemas.Turn{Seq: schemas.Some(int64(i + 1)), Role: testRoles[who], AgentID: agent, Text: strings.TrimSpace(text)}})
	}
	return t
}

func evaluate(t testing.TB, s *Set, tr *schemas.Transcript) schemas.Findings {
	t.Helper()
	return s.Evaluate(tr, Literal{}.Features(tr))
}

func TestTriggerAloneObserves(t *testing.T) {
	body := strings.Replace(strings.Replace(oneRule("    trigger: {in: {role: customer}, keyword: [贵]}\n"), "severity: minor", "severity: info", 1), "    points: -1\n", "", 1)
	f := evaluate(t, mustLoad(t, Text("p.yaml", []byte(body))), chat("客户: 好贵", "客服: 嗯"))
	if f.Outcomes["r"] != schemas.Present || len(f.Hits) != 1 || f.Score != schemas.Some(100.0) {
		t.Errorf("%+v", f)
	}
}

// outcome evaluates a one-rule pack.
func outcome(t testing.TB, body string, tr *schemas.Transcript) (string, schemas.Findings) {
	t.Helper()
	f := evaluate(t, mustLoad(t, Text("p.yaml", []byte(oneRule(body)))), tr)
	return f.Outcomes["r"], f
}

func TestConditions(t *testing.T) {
	f := func(body, want string, lines ...string) {
		t.Helper()
		if got, findings := outcome(t, "    "+strings.ReplaceAll(body, "\n", "\n    ")+"\n", chat(lines...)); got != want {
			t.Errorf("%s over %q: got %s %v, want %s", body, lines, got, findings.Notes, want)
		}
	}
	// keyword
	f("forbid: {keyword: [投诉]}", "present", "客户: 我要投诉")
	f("forbid: {keyword: [投诉]}", "absent", "客户: 我不投诉")
	f("forbid: {keyword: [投诉]}", "absent", "客户: 没有想投诉")
	f("forbid: {keyword: [投诉]}", "present", "客户: 不得不投诉了")
	f("forbid: {keyword: [投诉]}", "present", "客户: 不好意思我要投诉")
	f("forbid: {keyword: [投诉]}", "present", "客户: 不是不投诉")
	f("forbid: {keyword: [投诉]}", "present", "客户: 不行，投诉")
	f("forbid: {keyword: [投诉]}", "present", "客户: 为什么不投诉")
	f("forbid: {keyword: {any: [投诉], negation: off}}", "present", "客户: 我不投诉")
	f("forbid: {keyword: [ＶＸ]}", "present", "客服: 加我vx")
	f("forbid: {keyword: [hi]}", "absent", "客服: this")
	f("forbid: {keyword: [hi]}", "present", "客服: hi there")
	f("forbid: {keyword: {all: [您好, 再见]}}", "present", "客服: 您好", "客户: 嗯", "客服: 再见")
	f("forbid: {in_turn: true, keyword: {all: [您好, 再见]}}", "absent", "客服: 您好", "客服: 再见")
	f("forbid: {keyword: {n: 2, of: [甲, 乙, 丙]}}", "present", "客服: 甲丙")
	f("forbid: {keyword: {n: 2, of: [甲, 乙, 丙]}}", "absent", "客服: 甲甲")
	f("forbid: {keyword: {any: [甲], times: 3}}", "present", "客服: 甲", "客户: 甲甲")
	f("expect: {in: {role: agent}, keyword: {none: [滚]}}", "pass", "客户: 滚", "客服: 您好")
	f("expect: {in: {role: agent}, keyword: {none: [滚]}}", "fail", "客服: 滚")
	// regex, near
	f("forbid: {regex: '加.{0,2}微信'}", "present", "客服: 加个微信吧")
	f("forbid: {regex: {any: ['微信'], not_regex: ['微信支付']}}", "absent", "客服: 可以用微信支付")
	f("forbid: {regex: '加Ｖ[０-９]?？'}", "present", "客服: 加v?")
	f("forbid: {regex: '[0-9]{11}'}", "present", "客服: 13800138000")
	f("forbid: {near: {a: [加], b: [微信], gap: 2}}", "present", "客服: 加个微信")
	f("forbid: {near: {a: [加], b: [微信], gap: 2}}", "absent", "客服: 加入会员用微信")
	f("forbid: {near: {a: [加], b: [微信], gap: 2}}", "present", "客服: 微信加我")
	f("forbid: {near: {a: [加], b: [微信], gap: 2, ordered: yes}}", "absent", "客服: 微信加我")
	// question, substance, repeat
	f("forbid: {question: {}}", "present", "客户: 能退吗")
	f("forbid: {question: {}}", "absent", "客户: 在吗")
	f("forbid: {substance: {min_chars: 4, except: [稍等]}}", "absent", "客服: 请您稍等一下，好的")
	f("forbid: {substance: {min_chars: 4, except: [稍等]}}", "present", "客服: 稍等，已经发货了")
	f("forbid: {repeat: {min_chars: 4}}", "present", "客服: 请耐心等待哦", "客户: 嗯", "客服: 请耐心等待呢")
	// ranges
	f("expect: {in: {role: agent, first: 1}, keyword: [您好]}", "fail", "客服: 在", "客服: 您好")
	f("expect: {in: {role: agent, last: 1}, keyword: [您好]}", "pass", "客服: 在", "客服: 您好")
	f("expect: {in: {role: agent, first: 1}, keyword: [您好]}", "na", "客户: 在")
	f("expect: {in: {role: agent, first: 30s}, keyword: [您好]}", "na", "客服: 您好")
	f("trigger: {in: {role: customer}, keyword: [贵]}\nexpect: {in: {role: agent, after: 2}, keyword: [因为]}", "pass", "客户: 好贵", "客服: 嗯", "客户: 啊", "客服: 因为好")
	f("trigger: {in: {role: customer}, keyword: [贵]}\nexpect: {in: {role: agent, after: 1}, keyword: [因为]}", "fail", "客户: 好贵", "客服: 嗯", "客户: 啊", "客服: 因为好")
	f("trigger: {in: {role: customer}, keyword: [贵]}\nexpect: {in: {role: agent, after: 1}, keyword: [因为]}", "fail", "客户: 好贵", "客服: 因为好", "客户: 贵", "客服: 嗯")
	f("trigger: {in: {role: customer}, keyword: [贵]}\nwhich: first\nexpect: {in: {role: agent, after: 1}, keyword: [因为]}", "pass", "客户: 好贵", "客服: 因为好", "客户: 贵", "客服: 嗯")
	f("trigger: {in: {role: customer}, keyword: [贵]}\nwhich: any\nexpect: {in: {role: agent, after: 1}, keyword: [因为]}", "pass", "客户: 好贵", "客服: 嗯", "客户: 贵", "客服: 因为好")
	f("trigger: {in: {role: customer}, keyword: [贵]}\nwhich: 2\nexpect: {in: {role: agent, after: 1}, keyword: [因为]}", "na", "客户: 好贵", "客服: 嗯")
	f("trigger: {in: {role: agent}, keyword: [退款]}\nforbid: {in: {role: agent, before: 1}, keyword: [不能]}", "fail", "客服: 不能退", "客服: 可以退款")
	f("trigger: {in: {role: agent}, keyword: [退款]}\nforbid: {in: {role: agent, around: 1}, keyword: [不能]}", "pass", "客服: 不能退", "客服: 好", "客服: 退款不能马上到")
	f("trigger: {in: {role: agent}, keyword: [退款]}\nforbid: {in: {role: agent, same_turn: true}, keyword: [不能]}", "fail", "客服: 退款不能马上到")
	f("forbid: {in: {role: agent, turns: 2}, keyword: [甲]}", "present", "客服: 乙", "客户: 甲", "客服: 甲")
	f("forbid: {in: {role: agent, turns: 2..3}, keyword: [甲]}", "absent", "客服: 甲", "客服: 乙", "客服: 乙", "客服: 甲")
	f("forbid: {in: {role: agent, turns: 2..-1}, keyword: [甲]}", "present", "客服: 乙", "客服: 乙", "客服: 甲")
	f("forbid: {in: {role: agent, turns: -2..-1}, keyword: [甲]}", "absent", "客服: 甲", "客服: 乙", "客服: 乙")
	f("forbid: {in: {role: agent, turns: -9..1}, keyword: [甲]}", "present", "客服: 甲", "客服: 乙")
	f("expect: {in: {role: agent, turns: 2..3}, keyword: [甲]}", "na", "客服: 甲")
	// logic
	f("forbid: {all: [{keyword: [甲]}, {keyword: [乙]}]}", "present", "客服: 甲", "客服: 乙")
	f("forbid: {in_turn: true, all: [{keyword: [甲]}, {keyword: [乙]}]}", "absent", "客服: 甲", "客服: 乙")
	f("forbid: {in_clause: true, all: [{keyword: [甲]}, {keyword: [乙]}]}", "absent", "客服: 甲，乙")
	f("forbid: {at_least: {n: 2, of: [{keyword: [甲]}, {keyword: [乙]}, {keyword: [丙]}]}}", "present", "客服: 甲丙")
	f("forbid: {keyword: [甲], unless: {keyword: [乙]}}", "absent", "客服: 甲乙")
	f("forbid: {keyword: [甲], unless: {keyword: [乙]}}", "present", "客服: 甲", "客服: 甲乙")
	f("forbid: {keyword: [甲], unless: {in: {role: agent, after: 1}, keyword: [乙]}}", "absent", "客服: 甲", "客户: 丙", "客服: 乙")
	f("expect: {none: [{keyword: [甲]}, {keyword: [乙]}]}", "fail", "客服: 甲")
	f("expect: {not: {keyword: [甲]}}", "pass", "客服: 乙")
	// session
	f("forbid: {in: {role: agent}, turn_count: {over: 1}}", "present", "客服: 甲", "客服: 乙")
	f("forbid: {reply_to: {anchor: {in: {role: customer}, keyword: [贵]}, within: 1, expect: {keyword: [因为]}}}", "present", "客户: 贵", "客服: 哦")
	f("forbid: {reply_to: {anchor: {in: {role: customer}, keyword: [贵]}, within: 1, expect: {keyword: [因为]}}}", "absent", "客户: 贵", "客服: 因为好")
	f("forbid: {response_time: {over: 30s}}", "na", "客户: 甲", "客服: 乙")
	f("forbid: {silence: {over: 30s}}", "na", "客户: 甲", "客服: 乙")
	f("forbid: {field: {name: shop, is: x}}", "na", "客户: 甲")
	f("forbid: {field: {name: agent_id, is: a0}}", "present", "客户: 甲")
	f("applies: {channel: chat}\nforbid: {keyword: [甲]}", "na", "客户: 甲")
}

func TestQuestions(t *testing.T) {
	s := mustLoad(t, Text("p.yaml", []byte(oneRule("    forbid: {question: {}}\n"))))
	f := func(text, want string) {
		t.Helper()
		if got := evaluate(t, s, chat("客户: "+text)).Outcomes["r"]; got != want {
			t.Errorf("question in %q: %s, want %s", text, got, want)
		}
	}
	for _, q := range []string{"多少钱", "什么时候发货", "这个能用吗", "可以么", "有没有黑色", "能不能便宜点", "为什么", "到哪了？", "行不", "发货了没", "哪款好用", "你们几点下班", "how much", "不知道是什么原因"} {
		f(q, "present")
	}
	for _, q := range []string{"好的", "在吗", "？", "没什么", "等了好几天", "如果有什么问题再找你", "这么多", "谢谢", "那么", "怎么都行", "我要退货", "somehow ok"} {
		f(q, "absent")
	}
}

func TestHitsCarryEvidenceAgentAndReason(t *testing.T) {
	tr := chat("客户: 在吗", "客服@a1: 亲，【爱买不买】", "客服@a2: 随便你")
	f := evaluate(t, mustLoad(t, Text("p.yaml", []byte(strings.Replace(oneRule("    forbid: {in: {role: agent}, keyword: [爱买不买, 随便你]}\n"), "reason: 说明", "reason: '第{turn}句{count}处{text}'", 1)))), tr)
	if len(f.Hits) != 1 {
		t.Fatalf("hits %v", f.Hits)
	}
	h := f.Hits[0]
	if len(h.Evidence) != 2 || h.Evidence[0].Turn != 2 || h.Evidence[1].Turn != 3 || h.AgentID != "a1" || h.Reason != "第2句2处爱买不买" || h.Points != -1 {
		t.Errorf("hit %+v", h)
	}
	if got := tr.Turns[1].Text[h.Evidence[0].Start:h.Evidence[0].End]; got != "爱买不买" {
		t.Errorf("evidence %q", got)
	}
	if h.HitID != hitID("s1", "r", "s2") || len(h.HitID) != 16 {
		t.Errorf("hit id %q", h.HitID)
	}
	if hitID("a", "bc") == hitID("ab", "c") {
		t.Error("hit ids do not depend on where a part ends")
	}

	// Each place a hit of its own, with a cap.
	body := strings.Replace(oneRule("    count: each\n    cap: -3\n    forbid: {in: {role: agent}, keyword: [爱买不买, 随便你]}\n"), "points: -1", "points: -2", 1)
	f = evaluate(t, mustLoad(t, Text("p.yaml", []byte(body))), tr)
	if len(f.Hits) != 2 || f.Hits[0].Points+f.Hits[1].Points != -3 || f.Hits[1].AgentID != "a2" || f.Score.V != 97 {
		t.Errorf("hits %+v score %v", f.Hits, f.Score)
	}

	// An absence belongs to the agent nearest the searched range.
	_, f = outcome(t, "    expect: {in: {role: agent, last: 1}, keyword: [再见]}\n", tr)
	if len(f.Hits) != 1 || f.Hits[0].AgentID != "a2" || f.Hits[0].Evidence != nil || f.Hits[0].HitID != hitID("s1", "r", "") {
		t.Errorf("absence %+v", f.Hits)
	}
}

func TestEvidenceMapsBackToTheMaskedText(t *testing.T) {
	tr := chat("客服: 😀ＡＢ投诉😀")
	f := Literal{}.Features(tr)
	// As the normaliser does: an emoji becomes a tag whose bytes all come from the emoji.
	norm := schemas.NormText{Text: "[笑]ab投诉[笑]"}
	for _, p := range []struct {
		text string
		at   int
	}{{"[笑]", 0}, {"a", 4}, {"b", 7}, {"投", 10}, {"诉", 13}, {"[笑]", 16}} {
		for range len(p.text) {
			norm.Offsets = append(norm.Offsets, int32(p.at))
		}
	}
	norm.Offsets = append(norm.Offsets, int32(len(tr.Turns[0].Text)))
	f.Turns[0].Norm = norm
	s := mustLoad(t, Text("p.yaml", []byte(oneRule("    forbid: {regex: 'b投诉.笑'}\n"))))
	got := s.Evaluate(tr, f)
	if len(got.Hits) != 1 {
		t.Fatalf("%+v", got)
	}
	e := got.Hits[0].Evidence[0]
	if text := tr.Turns[0].Text[e.Start:e.End]; !strings.HasPrefix(text, "Ｂ投诉") || !utf8.ValidString(text) {
		t.Errorf("evidence %q", text)
	}
}

func TestScorecards(t *testing.T) {
	pack := `id: p
version: "1"
scorecards:
  - id: service
    name: 专业服务
    items:
      - {id: probe, name: 挖需, max: 40}
      - {id: advise, name: 建议, max: 60}
      - {id: why, name: 问因, max: 20}
      - {id: tone, name: 语气, max: 20, human: true}
rules:
  - {id: a, name: 挖需, severity: info, item: service.probe, reason: x, expect: {in: {role: agent}, question: {}}}
  - {id: b, name: 建议, severity: info, item: service.advise, points: -15, reason: x, expect: {in: {role: agent}, keyword: [建议]}}
  - {id: c, name: 问因, severity: info, item: service.why, reason: x, trigger: {in: {role: customer}, keyword: [为什么]}, expect: {in: {role: agent, after: 3}, keyword: [因为]}}
`
	s := mustLoad(t, Text("p.yaml", []byte(pack)))
	f := evaluate(t, s, chat("客户: 你好", "客服: 您需要什么呢"))
	c := f.Scorecards[0]
	// 40 of 40, 45 of 60; 问因 is na and 语气 human: both leave the denominator.
	if c.Score != schemas.Some(85.0) || c.Items[0].Points.V != 40 || c.Items[1].Points.V != 45 || c.Items[2].Outcome != schemas.NA || c.Items[3].Points.OK {
		t.Errorf("scorecard %+v", c)
	}
	if f.Score != schemas.Some(100.0) || f.Flagged {
		t.Errorf("score %v flagged %v: items do not cost the session", f.Score, f.Flagged)
	}
	s = mustLoad(t, Text("p.yaml", []byte(strings.Replace(pack, "item: service.advise, points: -15", "item: service.advise, critical: group", 1))))
	if c := evaluate(t, s, chat("客户: 你好", "客服: 您需要什么呢")).Scorecards[0]; c.Score != schemas.Some(0.0) {
		t.Errorf("critical group: %+v", c)
	}
}

func TestScoreAndFlag(t *testing.T) {
	f := func(severity string, points int, extra string, wantScore float64, flagged bool) {
		t.Helper()
		body := strings.NewReplacer("severity: minor", "severity: "+severity, "points: -1", fmt.Sprintf("points: %d", points)).Replace(oneRule(extra + "    forbid: {in: {role: agent}, keyword: [滚]}\n"))
		got := evaluate(t, mustLoad(t, Text("p.yaml", []byte(body))), chat("客服: 滚"))
		if got.Score != schemas.Some(wantScore) || got.Flagged != flagged {
			t.Errorf("%s %d: score %v flagged %v, want %g %v", severity, points, got.Score, got.Flagged, wantScore, flagged)
		}
	}
	f("info", 0, "", 100, false)
	f("minor", -5, "", 95, false)
	f("minor", -41, "", 59, true)
	f("major", 0, "", 100, true)
	f("critical", -30, "", 70, true)
	f("critical", -30, "    critical: whole\n", 0, true)
	got := evaluate(t, mustLoad(t, Embedded("standard")), chat("客户: 在吗"))
	if got.Score.OK {
		t.Errorf("score %v without an agent turn, want none", got.Score)
	}
}

func TestTimes(t *testing.T) {
	at := func(tr *schemas.Transcript, seconds ...int) *schemas.Transcript {
		for i, s := range seconds {
			tr.Turns[i].At = time.Date(2026, 11, 1, 9, 0, s, 0, time.UTC)
		}
		return tr
	}
	f := func(body, want string, tr *schemas.Transcript) {
		t.Helper()
		if got, findings := outcome(t, "    "+strings.ReplaceAll(body, "\n", "\n    ")+"\n", tr); got != want {
			t.Errorf("%s: got %s %v, want %s", body, got, findings.Notes, want)
		}
	}
	talk := []string{"客户: 在吗", "客户: 人呢", "客服: 您好", "客户: 贵", "客服: 因为好"}
	f("forbid: {response_time: {over: 30s}}", "present", at(chat(talk...), 0, 5, 40, 41, 42))
	f("forbid: {response_time: {over: 40s}}", "absent", at(chat(talk...), 0, 5, 40, 41, 42))
	f("forbid: {response_time: {of: first, over: 30s}}", "absent", at(chat(talk...), 0, 5, 10, 11, 55))
	f("forbid: {silence: {at_least: 30s}}", "present", at(chat(talk...), 0, 5, 40, 41, 42))
	f("forbid: {silence: {over: 35s}}", "absent", at(chat(talk...), 0, 5, 40, 41, 42))
	f("expect: {in: {role: agent, first: 30s}, keyword: [您好]}", "na", at(chat(talk...), 0, 5, 40, 41, 42))
	f("expect: {in: {role: agent, first: 40s}, keyword: [您好]}", "pass", at(chat(talk...), 0, 5, 40, 41, 42))
	f("expect: {in: {role: agent, last: 1s}, keyword: [您好]}", "fail", at(chat(talk...), 0, 5, 40, 41, 42))
	f("trigger: {in: {role: customer}, keyword: [贵]}\nexpect: {in: {role: agent, after: 5s}, keyword: [因为]}", "fail", at(chat(talk...), 0, 5, 40, 41, 50))
	f("trigger: {in: {role: customer}, keyword: [贵]}\nexpect: {in: {role: agent, after: 10s}, keyword: [因为]}", "pass", at(chat(talk...), 0, 5, 40, 41, 50))
}

func TestFeatureOperators(t *testing.T) {
	f := func(body, want string, change func(*schemas.Features), lines ...string) {
		t.Helper()
		s := mustLoad(t, Text("p.yaml", []byte(oneRule("    "+body+"\n"))))
		tr := chat(lines...)
		x := Literal{}.Features(tr)
		change(x)
		if got := s.Evaluate(tr, x).Outcomes["r"]; got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
	feel := func(i int, em schemas.Emotion, score float32) func(*schemas.Features) {
		return func(f *schemas.Features) { f.Turns[i].Emotion, f.Turns[i].Scores[em] = em, score }
	}
	f("forbid: {emotion: [angry]}", "present", feel(0, schemas.Angry, 0.4), "客户: 甲")
	f("forbid: {emotion: [annoyed]}", "absent", feel(0, schemas.Angry, 0.4), "客户: 甲")
	f("forbid: {emotion: {any: [angry], min: 0.5}}", "absent", feel(0, schemas.Angry, 0.4), "客户: 甲")
	f("forbid: {emotion: {any: [angry], streak: 2}}", "absent", feel(0, schemas.Angry, 1), "客户: 甲", "客户: 乙")
	f("forbid: {emotion: {any: [neutral], streak: 2}}", "present", func(*schemas.Features) {}, "客户: 甲", "客户: 乙")
	f("forbid: {emotion: {any: [worried], also: true}}", "present", func(f *schemas.Features) {
		f.Turns[0].Labels = []schemas.EmotionLabel{{Label: schemas.Angry, Intensity: 0.9}, {Label: schemas.Worried, Intensity: 0.4}}
	}, "客户: 甲")
	f("forbid: {polarity: {under: -0.5}}", "present", func(f *schemas.Features) { f.Turns[0].Polarity = -0.8 }, "客户: 甲")
	f("forbid: {polarity: [negative]}", "absent", func(*schemas.Features) {}, "客户: 甲")
	mention := func(f *schemas.Features) {
		f.Turns[0].Mentions = []schemas.TurnMention{{End: 3, Kind: schemas.KindComplaint, Aspect: schemas.AspectPrice, Valuable: true}}
	}
	f("forbid: {mention: {kind: complaint, aspect: [price, stock], valuable: true}}", "present", mention, "客户: 甲")
	f("forbid: {mention: {aspect: stock}}", "absent", mention, "客户: 甲")
	f("forbid: {entity: [phone]}", "present", func(f *schemas.Features) { f.Turns[0].Entities = []schemas.Entity{{Type: "phone", End: 3}} }, "客户: 甲")
	f("forbid: {entity: [phone]}", "absent", func(f *schemas.Features) { f.Turns[0].Entities = []schemas.Entity{{Type: "name", End: 3}} }, "客户: 甲")
}

func TestMissingFeaturesAreNoted(t *testing.T) {
	s := mustLoad(t, Text("p.yaml", []byte(oneRule("    forbid: {emotion: [angry]}\n"))))
	for _, x := range []*schemas.Features{nil, {}} {
		f := s.Evaluate(chat("客户: 甲"), x)
		if f.Outcomes["r"] != schemas.NA || len(f.Notes) != 2 || f.Notes[0].What != "rule:r" || f.Notes[0].Why != whyNoFeatures {
			t.Errorf("%+v", f)
		}
	}
}

// TestOpenSessionsNeverTakeAFindingBack: whatever is decided while a session is open is what the whole session says.
func TestOpenSessionsNeverTakeAFindingBack(t *testing.T) {
	s := mustLoad(t, Embedded("standard"), Text("own.yaml", []byte(`id: own
version: "1"
rules:
  - {id: o1, name: x, severity: info, reason: x, expect: {in: {role: agent, last: 1}, keyword: [您]}}
  - {id: o2, name: x, severity: info, reason: x, forbid: {in: {role: agent}, turn_count: {over: 2}}}
  - {id: o3, name: x, severity: info, reason: x, expect: {in: {role: agent}, turn_count: {at_most: 3}}}
  - {id: o4, name: x, severity: info, reason: x, forbid: {keyword: [您], unless: {in: {role: agent, after: 1}, keyword: [亲]}}}
  - {id: o5, name: x, severity: info, reason: x, which: 2, trigger: {in: {role: customer}, question: {}}, expect: {in: {role: agent, after: 1}, substance: {min_chars: 3}}}
  - {id: o6, name: x, severity: info, reason: x, forbid: {reply_to: {anchor: {in: {role: customer}, question: {}}, within: 2, expect: {keyword: [您]}}}}
  - {id: o7, name: x, severity: info, reason: x, expect: {at_least: {n: 2, of: [{keyword: [好]}, {keyword: [亲]}, {not: {keyword: [不]}}]}}}
  - {id: o8, name: x, severity: info, reason: x, which: any, trigger: {in: {role: customer}, question: {}}, expect: {in: {role: agent, after: 1}, keyword: [您]}}
`)))
	ts, _ := realSessions(t)
	for _, full := range ts[:min(len(ts), 250)] {
		whole := evaluate(t, s, full)
		for n := 0; n <= len(full.Turns); n++ {
			prefix := &schemas.Transcript{Meta: full.Meta, Turns: full.Turns[:n]}
			got := evaluate(t, s, prefix)
			for id, o := range got.Outcomes {
				if o != schemas.NA && o != whole.Outcomes[id] {
					t.Fatalf("session %s, rule %s: %s after %d turns, %s at the end", full.Meta.SessionID, id, o, n, whole.Outcomes[id])
				}
			}
			for _, h := range got.Hits {
				found := false
				for _, w := range whole.Hits {
					found = found || w.HitID == h.HitID
				}
				if !found {
					t.Fatalf("session %s: hit %s of rule %s after %d turns is gone at the end", full.Meta.SessionID, h.HitID, h.RuleID, n)
				}
			}
		}
	}
}

func TestOpenSessionNotes(t *testing.T) {
	s := mustLoad(t, Text("p.yaml", []byte(oneRule("    expect: {in: {role: agent, last: 2}, keyword: [再见]}\n"))))
	tr := chat("客服: 再见")
	tr.Closed = false
	f := evaluate(t, s, tr)
	if f.Outcomes["r"] != schemas.NA || len(f.Notes) != 1 || f.Notes[0] != (schemas.CoverageNote{What: "rule:r", Why: "open"}) {
		t.Errorf("%+v", f)
	}
}

func TestReportFoundLeavesRestingRulesOut(t *testing.T) {
	s := mustLoad(t, Generate(50, 3))
	tr := chat("客户: 在吗", "客服: 您好")
	if f := evaluate(t, s, tr); len(f.Outcomes) != 0 || len(f.Hits) != 0 {
		t.Errorf("%+v", f)
	}
	tr = chat("客户: 在吗", "客服: 这个不支持")
	f := evaluate(t, s, tr)
	if len(f.Outcomes) != 1 || len(f.Hits) != 1 || f.Outcomes[f.Hits[0].RuleID] != schemas.Present {
		t.Errorf("%+v", f)
	}
}

func TestEvaluateIsPureAndConcurrent(t *testing.T) {
	s := mustLoad(t, Embedded("standard"), Generate(300, 1))
	ts, fs := realSessions(t)
	n := min(len(ts), 200)
	want := make([]schemas.Findings, n)
	for i := range n {
		want[i] = s.Evaluate(ts[i], fs[i])
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range n {
				k := (i*7 + w*31) % n
				if got := s.Evaluate(ts[k], fs[k]); !reflect.DeepEqual(got, want[k]) {
					t.Errorf("session %d: another result in another order", k)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestWordsAreEvidenceOnce: conditions that rest on the same words name them once.
func TestWordsAreEvidenceOnce(t *testing.T) {
	s := mustLoad(t, Text("p.yaml", []byte(head+"  - {id: a, name: 规则, severity: major, reason: x, forbid: {any: [{keyword: [爱买不买]}, {regex: '爱买不.'}, {keyword: [滚]}]}}\n")))
	got := evaluate(t, s, chat("客服: 爱买不买，滚", "客服: 爱买不买"))
	if n := len(got.Hits); n != 1 {
		t.Fatalf("%d hits, want 1", n)
	}
	var at []string
	for _, e := range got.Hits[0].Evidence {
		at = append(at, fmt.Sprintf("%d-%d", e.Start, e.End))
	}
	if want := "0-12 15-18 0-12"; strings.Join(at, " ") != want {
		t.Errorf("evidence %v, want %s", at, want)
	}
}
