package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/intake"
	"github.com/tingke/tingke/schemas"
)

func (a *app) analyzeCommand() *cobra.Command {
	var input inputFlags
	var packs []string
	var failOn string
	c := &cobra.Command{
		Use:   "analyze [FILE|DIR|-]...",
		Short: "Analyse sessions without a store: one analysed session out per session in",
		Long: "Reads transcripts from files, folders or standard input, joins what belongs to one session, and prints one analysed\n" +
			"session per line with --json, else a summary a person can read. Sessions are held in memory until the input ends,\n" +
			"because any later line may belong to an earlier session; for very large files use tingke batch.",
		Example: "  tingke analyze testdata/transcripts\n  tingke analyze --json chats.jsonl.gz > analysed.jsonl\n  cat calls.jsonl | tingke analyze --rules standard --fail-on major -",
		RunE: func(c *cobra.Command, args []string) error {
			if failOn != "" && schemas.SeverityRank(failOn) < 0 {
				return usagef("--fail-on %q is no severity: info, minor, major or critical", failOn)
			}
			if len(args) == 0 {
				args = []string{"-"}
			}
			opt, err := input.options(a.config)
			if err != nil {
				return err
			}
			return a.analyze(c.Context(), args, opt, packs, failOn)
		},
	}
	input.register(c)
	c.Flags().StringSliceVar(&packs, "rules", nil, "rule packs: ids of built-in packs or YAML files; empty: those of the configuration")
	c.Flags().StringVar(&failOn, "fail-on", "", "end with 1 where a hit is at least this severe: info, minor, major, critical")
	return c
}

func (a *app) analyze(ctx context.Context, paths []string, opt intake.Options, packs []string, failOn string) error {
	analyser, err := a.newAnalyser(packs)
	if err != nil {
		return err
	}
	key, err := a.deploymentKey(false)
	if err != nil {
		return err
	}
	sessions := newSessionSet(key, a.masker(key))
	bad := 0
	readErr := eachLine(ctx, paths, opt, func(l *line) error {
		if l.err != nil {
			bad++
			fmt.Fprintln(a.err, l.problem())
			return nil
		}
		sessions.add(l.msg)
		return nil
	})
	if readErr != nil && len(sessions.order) == 0 {
		return readErr
	}
	out := bufio.NewWriterSize(a.out, 1<<16)
	report := newAnalysisReport(out, a.json)
	failing := 0
	err = inOrder(ctx, sessions.order, func(id string) *schemas.Analysis {
		return analyser.Analyse(sessions.close(id).Transcript())
	}, func(an *schemas.Analysis) error {
		for _, h := range an.Findings.Hits {
			if failOn != "" && schemas.SeverityRank(h.Severity) >= schemas.SeverityRank(failOn) {
				failing++
			}
		}
		return report.add(an)
	})
	if err != nil {
		return err
	}
	if err := report.finish(); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	switch {
	case readErr != nil:
		return readErr
	case bad > 0:
		return usagef("%d lines were no messages (named above); all others were analysed", bad)
	case failing > 0:
		return findingsf("%d hits of severity %s or above", failing, failOn)
	}
	return nil
}

// sessionSet joins messages to sessions, in order of first appearance.
type sessionSet struct {
	hasher *assemble.Hasher
	mask   assemble.Masker
	states map[string]*assemble.State
	order  []string
}

func newSessionSet(key []byte, mask assemble.Masker) *sessionSet {
	return &sessionSet{hasher: assemble.NewHasher(key), mask: mask, states: map[string]*assemble.State{}}
}

// add takes a message; orders and ratings are no part of a session's analysis and are left out.
func (s *sessionSet) add(m *schemas.Message) {
	st := assemble.FromMessage(s.hasher, s.mask, m)
	if st == nil {
		return
	}
	if known, ok := s.states[st.SessionID]; ok {
		known.Add(st)
		return
	}
	s.states[st.SessionID] = st
	s.order = append(s.order, st.SessionID)
}

// close gives a session at the end of the input: one without an end gets its synthetic one.
func (s *sessionSet) close(id string) *assemble.State {
	st := s.states[id]
	if !st.Closed() {
		st.Add(assemble.SyntheticEnd(id, st.Revision))
	}
	return st
}

// analysisReport prints analysed sessions as lines of JSON, or the flagged ones and a summary for people.
type analysisReport struct {
	w       io.Writer
	json    *json.Encoder
	summary summary
}

func newAnalysisReport(w io.Writer, asJSON bool) *analysisReport {
	r := &analysisReport{w: w, summary: newSummary()}
	if asJSON {
		r.json = json.NewEncoder(w)
		r.json.SetEscapeHTML(false)
	}
	return r
}

func (r *analysisReport) add(a *schemas.Analysis) error {
	if r.json != nil {
		return r.json.Encode(a)
	}
	r.summary.add(a)
	if !a.Findings.Flagged {
		return nil
	}
	fmt.Fprintf(r.w, "%s  score %s  experience %+.2f  %s\n", a.SessionID, scoreText(a.Findings.Score), a.Experience, a.Meta.Shop)
	for _, h := range a.Findings.Hits {
		fmt.Fprintf(r.w, "  %-8s %-20s %s\n", h.Severity, h.RuleID, h.Reason)
		for _, e := range h.Evidence {
			if text, ok := quoted(a, e); ok {
				fmt.Fprintf(r.w, "           turn %d: %s\n", e.Turn, text)
			}
		}
	}
	return nil
}

func (r *analysisReport) finish() error {
	if r.json != nil {
		return nil
	}
	return r.summary.write(r.w)
}

func scoreText(s schemas.Opt[float64]) string {
	if !s.OK {
		return "-"
	}
	return fmt.Sprintf("%.0f", s.V)
}

// quoted is the turn an evidence points to with the evidence in 【】, cut to about 60 characters around it.
func quoted(a *schemas.Analysis, e schemas.Evidence) (string, bool) {
	for i := range a.Turns {
		t := &a.Turns[i]
		if t.Seq.V != e.Turn || e.Start < 0 || e.End > len(t.Text) || e.Start > e.End {
			continue
		}
		return marked(t.Text, e.Start, e.End), true
	}
	return "", false
}

// marked is a text with the bytes from start to end in 【】, cut to about 60 characters around them.
func marked(text string, start, end int) string {
	before, hit, after := []rune(text[:start]), []rune(text[start:end]), []rune(text[end:])
	cut := func(r []rune, n int, fromEnd bool) string {
		if len(r) <= n {
			return string(r)
		}
		if fromEnd {
			return "…" + string(r[len(r)-n:])
		}
		return string(r[:n]) + "…"
	}
	s := cut(before, 20, true) + "【" + cut(hit, 40, false) + "】" + cut(after, 20, false)
	return strings.ReplaceAll(s, "\n", " ")
}
