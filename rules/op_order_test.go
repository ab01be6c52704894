package rules

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/schemas"
)

// call makes a closed call from lines such as "客户 0-2.5: 喂", seconds from start to end.
func call(t testing.TB, lines ...string) *schemas.Transcript {
	t.Helper()
	tr := &schemas.Transcript{Closed: true, Meta: schemas.Meta{SessionID: "s1", AgentID: "a0"}}
	for i, l := range lines {
		head, text, _ := strings.Cut(l, ":")
		who, times, _ := strings.Cut(head, " ")
		turn := schemas.Turn{Seq: schemas.Some(int64(i + 1)), Role: testRoles[who], Text: strings.TrimSpace(text)}
		from, to, span := strings.Cut(times, "-")
		turn.StartMS = seconds(t, from)
		if span {
			turn.EndMS = seconds(t, to)
		}
		tr.Turns = append(tr.Turns, schemas.TranscriptTurn{Key: schemas.SeqKey(int64(i + 1)), Turn: turn})
	}
	return tr
}

func seconds(t testing.TB, s string) schemas.Opt[int64] {
	t.Helper()
	if s == "" {
		return schemas.Opt[int64]{}
	}
	d := &decoder{}
	ms := d.duration(&yaml.Node{Kind: yaml.ScalarNode, Value: s + "s"}, s)
	if len(d.probs) > 0 {
		t.Fatal(d.probs)
	}
	return schemas.Some(ms)
}

func TestProcess(t *testing.T) {
	const steps = "expect: {process: {steps: [{name: 问候, do: {in: {role: agent}, keyword: [您好]}}, {name: 挖需, optional: yes, do: {in: {role: agent}, keyword: [肤质]}}, {name: 推荐, max_gap: 4, do: {in: {role: agent}, keyword: [推荐]}}]}}"
	f := func(want string, lines ...string) {
		t.Helper()
		if got, x := outcome(t, "    "+steps+"\n", chat(lines...)); got != want {
			t.Errorf("%q: got %s %v, want %s", lines, got, x.Notes, want)
		}
	}
	f("pass", "客服: 您好", "客服: 什么肤质", "客服: 推荐这款")
	f("pass", "客服: 您好，推荐这款")
	f("pass", "客服: 您好", "客服: 推荐这款", "客服: 什么肤质")
	f("fail", "客服: 推荐这款", "客服: 您好")
	f("fail", "客服: 您好", "客服: 什么肤质")
	f("fail", "客服: 您好", "客户: 1", "客户: 2", "客户: 3", "客户: 4", "客服: 推荐")
	f("pass", "客服: 您好", "客户: 1", "客户: 2", "客服: 肤质", "客户: 3", "客户: 4", "客服: 推荐")
	f("pass", "客服: 您好", "客户: 1", "客户: 2", "客户: 3", "客户: 4", "客服: 您好推荐")
}

func TestSequence(t *testing.T) {
	f := func(within, want string, tr *schemas.Transcript) {
		t.Helper()
		if got, x := outcome(t, "    forbid: {sequence: {within: "+within+", of: [{in: {role: customer}, keyword: [投诉]}, {in: {role: agent}, keyword: [转接]}, {in: {role: customer}, keyword: [算了]}]}}\n", tr); got != want {
			t.Errorf("within %s: got %s %v, want %s", within, got, x.Notes, want)
		}
	}
	f("3", "present", chat("客户: 投诉", "客服: 转接", "客户: 算了"))
	f("3", "absent", chat("客服: 转接", "客户: 投诉", "客户: 算了"))
	f("3", "absent", chat("客户: 投诉", "客服: 转接", "客户: 1", "客户: 2", "客户: 算了"))
	f("3", "present", chat("客户: 投诉", "客户: 1", "客户: 2", "客户: 投诉", "客服: 转接", "客户: 算了"))
	f("30s", "na", chat("客户: 投诉", "客服: 转接", "客户: 算了"))
	f("30s", "present", call(t, "客户 0: 投诉", "客服 10: 转接", "客户 30: 算了"))
	f("30s", "absent", call(t, "客户 0: 投诉", "客服 10: 转接", "客户 31: 算了"))
}

func TestTimingOperators(t *testing.T) {
	f := func(body, want string, tr *schemas.Transcript) {
		t.Helper()
		if got, x := outcome(t, "    forbid: {"+body+"}\n", tr); got != want {
			t.Errorf("%s: got %s %v, want %s", body, got, x.Notes, want)
		}
	}
	talk := call(t, "客户 0-2: 喂", "客服 5-8: 您好请稍等", "客户 28-29: 在吗", "客服 30-40: 在的", "客户 39-41: 好")
	f("response_time: {over: 2s}", "present", talk)
	f("response_time: {over: 3s}", "absent", talk)
	f("response_time: {over: 2s, by: customer}", "present", talk)
	f("response_time: {over: 20s, by: customer}", "absent", talk)
	f("response_time: {over: 900ms, under: 1500ms, of: adjacent}", "present", talk)
	f("response_time: {under: 2s, of: first}", "absent", talk)
	f("silence: {over: 10s}", "present", talk)
	f("silence: {over: 10s, speakers: same}", "absent", talk)
	f("silence: {over: 10s, before: customer}", "absent", talk)
	f("silence: {over: 10s, before: agent, own: {at_most: 1s}}", "present", talk)
	f("silence: {over: 10s, before: agent, own: {over: 1s}}", "absent", talk)
	f("silence: {over: 10s, at_end: yes}", "na", talk)
	f("silence_total: {over: 20s}", "present", talk) // 3 + 20 + 1
	f("silence_total: {over: 24s}", "absent", talk)
	f("silence_total: {over: 1s, except: [稍等]}", "present", talk)
	f("silence_total: {over: 4s, except: [稍等]}", "absent", talk)
	f("silence_total: {times: 3}", "present", talk)
	f("silence_total: {times: 2, longer_than: 5s}", "absent", talk)
	f("silence_total: {percent: {over: 50%}}", "present", talk)
	f("silence_total: {percent: {over: 60%}}", "absent", talk)
	f("hold: {words: [稍等], at_least: 22s}", "present", talk)
	f("hold: {words: [稍等], over: 22s}", "absent", talk)
	f("hold: {words: [稍等], percent: {over: 50%}}", "present", talk)
	f("hold: {words: [稍等], times: 2}", "absent", talk)
	f("duration: {at_least: 41s}", "present", talk)
	f("duration: {over: 41s}", "absent", talk)
	f("overlap: {min: 500ms}", "present", talk)
	f("overlap: {min: 1500ms}", "absent", talk)
	f("overlap: {delay: 9s}", "present", talk)
	f("overlap: {delay: 10s}", "absent", talk)
	f("in: {role: agent}, overlap: {}", "absent", talk)
	f("overlap: {times: 2}", "absent", talk)
	f("speed: {at_least: 100, min_chars: 5}", "present", talk) // 5 characters in 3 s
	f("speed: {over: 100, min_chars: 5}", "absent", talk)
	f("speed: {of: mean, min_chars: 1, at_least: 36, at_most: 37}", "present", talk) // 11 characters in 18 s
	f("talk_share: {over: 60%}", "present", talk)
	f("talk_share: {of: customer, over: 40%}", "absent", talk)
	f("talk_share: {by: time, over: 70%}", "present", talk)
	none := chat("客户: 喂", "客服: 您好请稍等一下马上来", "客户: 在吗")
	for _, body := range []string{"response_time: {over: 2s}", "silence: {over: 1s}", "silence_total: {over: 1s}", "hold: {words: [稍等], over: 1s}", "duration: {over: 1s}",
		"overlap: {}", "speed: {over: 1}", "speed: {over: 1, of: mean}", "talk_share: {by: time, over: 0.1}"} {
		f(body, "na", none)
	}
}
