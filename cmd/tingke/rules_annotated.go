package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/pipeline/intake"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// annotation is what a session with the key expect says about one rule.
type annotation struct {
	Outcome string  `json:"outcome"`
	Turns   []int64 `json:"turns"`
	// hasTurns tells "no turns" from "says nothing about turns".
	hasTurns bool
}

// UnmarshalJSON reads {"outcome": "fail", "turns": [3]} or the outcome alone.
func (x *annotation) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &x.Outcome); err == nil {
		return nil
	}
	var form struct {
		Outcome string   `json:"outcome"`
		Turns   *[]int64 `json:"turns"`
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&form); err != nil {
		return fmt.Errorf("want an outcome, or {outcome: ..., turns: [...]}: %w", err)
	}
	x.Outcome = form.Outcome
	if form.Turns != nil {
		x.Turns, x.hasTurns = slices.Clone(*form.Turns), true
		slices.Sort(x.Turns)
	}
	return nil
}

// annotated is a session with what the rules must find in it.
type annotated struct {
	place  string // file:line
	file   string
	line   int
	t      *schemas.Transcript
	expect map[string]annotation
}

// expectKey is the key of a session line that holds its annotations; as any unknown key it arrives as an attribute.
const expectKey = "expect"

// readAnnotated reads sessions with annotations: YAML files, and every format that transcripts come in. A session
// without the key expect is an error: it would pass or fail by accident.
func (a *app) readAnnotated(ctx context.Context, paths []string, opt intake.Options) ([]annotated, error) {
	key, err := a.deploymentKey(false)
	if err != nil {
		return nil, err
	}
	sessions := newSessionSet(key, a.masker(key))
	byID := map[string]*annotated{}
	var problems []string
	take := func(m *schemas.Message, file string, line int) {
		if m.Session != nil {
			id := m.Session.SessionID
			if text, ok := m.Session.Attributes[expectKey]; ok {
				delete(m.Session.Attributes, expectKey)
				x := &annotated{place: fmt.Sprintf("%s:%d", file, line), file: file, line: line}
				if err := json.Unmarshal([]byte(text), &x.expect); err != nil {
					problems = append(problems, fmt.Sprintf("%s: expect: %v", x.place, err))
				}
				if byID[id] != nil {
					problems = append(problems, fmt.Sprintf("%s: session %s has annotations twice, at %s too", x.place, id, byID[id].place))
				}
				byID[id] = x
			} else if len(m.Session.Turns) > 0 && byID[id] == nil {
				problems = append(problems, fmt.Sprintf("%s:%d: session %s has no key expect: write expect: {} where no rule may fire", file, line, id))
			}
		}
		sessions.add(m)
	}
	for _, path := range paths {
		if isYAML(path) {
			messages, lines, err := readYAMLSessions(path)
			if err != nil {
				return nil, &exitError{exitUsage, err}
			}
			for i, m := range messages {
				take(m, path, lines[i])
			}
			continue
		}
		err := eachLine(ctx, []string{path}, opt, func(l *line) error {
			if l.err != nil {
				problems = append(problems, l.problem())
				return nil
			}
			take(l.msg, l.file, l.line)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(problems) > 0 {
		return nil, usagef("%s", strings.Join(problems, "\n"))
	}
	var out []annotated
	for _, id := range sessions.order {
		if x := byID[id]; x != nil {
			x.t = sessions.close(id).Transcript()
			out = append(out, *x)
		}
	}
	return out, nil
}

func isYAML(path string) bool {
	return strings.HasSuffix(path, ".yaml") || strings.HasSuffix(path, ".yml")
}

// isPackFile says whether a YAML file is a pack rather than annotated transcripts, which are a list of sessions.
func isPackFile(path string) bool {
	b, err := os.ReadFile(path)
	if err != nil {
		return true
	}
	var root yaml.Node
	if yaml.Unmarshal(b, &root) != nil || len(root.Content) == 0 {
		return true // its errors are those of a pack
	}
	return root.Content[0].Kind != yaml.SequenceNode
}

// readYAMLSessions reads a list of sessions whose turns are written as in a message, or as in a pack's tests
// ("客户: 面膜B为什么贵").
func readYAMLSessions(path string) (messages []*schemas.Message, lines []int, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read %q: %w", path, err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(b, &root); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(root.Content) == 0 || root.Content[0].Kind != yaml.SequenceNode {
		return nil, nil, fmt.Errorf("%s: want a list of sessions (- session_id: ..., turns: [...], expect: {...})", path)
	}
	for _, n := range root.Content[0].Content {
		var session map[string]any
		if err := n.Decode(&session); err != nil {
			return nil, nil, fmt.Errorf("%s:%d: a session is a mapping: %w", path, n.Line, err)
		}
		turns, _ := session["turns"].([]any)
		for i, x := range turns {
			if turn, ok := x.(map[string]any); ok {
				turns[i] = plainTurn(turn)
			}
		}
		line, err := json.Marshal(session)
		if err != nil {
			return nil, nil, fmt.Errorf("%s:%d: %w", path, n.Line, err)
		}
		m, err := schemas.Decode(line)
		if err != nil {
			return nil, nil, fmt.Errorf("%s:%d: %w", path, n.Line, err)
		}
		messages, lines = append(messages, m), append(lines, n.Line)
	}
	return messages, lines, nil
}

// plainTurn turns {客户: text} into {role: customer, text: text}.
func plainTurn(turn map[string]any) map[string]any {
	for word, role := range map[string]schemas.Role{
		"客户": schemas.Customer, "客服": schemas.Agent, "机器人": schemas.Bot, "系统": schemas.System,
		"customer": schemas.Customer, "agent": schemas.Agent, "bot": schemas.Bot, "system": schemas.System,
	} {
		text, ok := turn[word]
		if !ok {
			continue
		}
		if text == nil {
			text = "" // an empty turn is lawful
		}
		out := map[string]any{"role": string(role), "text": text}
		for k, v := range turn {
			if k != word {
				out[k] = v
			}
		}
		return out
	}
	return turn
}

// check compares what the rules found with what the annotations say. The results are in the order of the rules.
func (x *annotated) check(set *rules.Set, f *schemas.Features) ([]testOutcome, error) {
	known := map[string]bool{}
	found := set.Evaluate(x.t, f)
	seqs := map[string][]int64{}
	for _, h := range found.Hits {
		for _, e := range h.Evidence {
			if !slices.Contains(seqs[h.RuleID], e.Turn) {
				seqs[h.RuleID] = append(seqs[h.RuleID], e.Turn)
			}
		}
	}
	var out []testOutcome
	for _, r := range set.Rules() {
		known[r.ID] = true
		want, said := x.expect[r.ID]
		got := found.Outcomes[r.ID]
		turns := seqs[r.ID]
		slices.Sort(turns)
		o := testOutcome{Pack: r.Pack, TestResult: rules.TestResult{Rule: r.ID, Name: "session " + x.t.Meta.SessionID, File: x.file, Line: x.line, Want: want.Outcome, Got: got}}
		switch {
		case !said && got != schemas.Fail && got != schemas.Present:
			continue
		case !said:
			o.Want = "no hit"
			o.Diff = "a hit without an annotation: " + got + at(turns)
		case got != want.Outcome:
			o.Diff = fmt.Sprintf("want %s%s, got %s%s", want.Outcome, at(want.Turns), got, at(turns))
		case want.hasTurns && !slices.Equal(turns, want.Turns):
			o.Diff = fmt.Sprintf("want %s%s, got it%s", want.Outcome, atOrNone(want.Turns), atOrNone(turns))
		}
		o.OK = o.Diff == ""
		if !o.OK {
			o.Turns = x.quoted(append(slices.Clone(want.Turns), turns...))
		}
		out = append(out, o)
	}
	var unknown []string
	for id := range x.expect {
		if !known[id] {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) > 0 {
		sort.Strings(unknown)
		return nil, usagef("%s: expect names rules that no pack has: %s", x.place, strings.Join(unknown, ", "))
	}
	return out, nil
}

func at(turns []int64) string {
	if len(turns) == 0 {
		return ""
	}
	return " at turn " + strings.Trim(fmt.Sprint(turns), "[]")
}

func atOrNone(turns []int64) string {
	if len(turns) == 0 {
		return " without a turn"
	}
	return at(turns)
}

// quoted lists some turns, each once and in order.
func (x *annotated) quoted(seqs []int64) []quotedTurn {
	var out []quotedTurn
	for i := range x.t.Turns {
		t := &x.t.Turns[i]
		if slices.Contains(seqs, t.Seq.V) {
			out = append(out, quotedTurn{t.Seq.V, t.Role, t.Text})
		}
	}
	return out
}
