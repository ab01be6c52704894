package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/pipeline/intake"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// testOutcome is one line of `rules test --json`: one inline test, or one rule over one annotated session.
type testOutcome struct {
	Pack string `json:"pack"`
	rules.TestResult
	// Turns are those that were wanted or found, where they differ.
	Turns []quotedTurn `json:"turns,omitempty"`
	// Source is the YAML of an inline test that failed.
	Source string `json:"source,omitempty"`
}

type quotedTurn struct {
	Seq  int64        `json:"seq"`
	Role schemas.Role `json:"role"`
	Text string       `json:"text"`
}

func (a *app) rulesTestCommand() *cobra.Command {
	var input inputFlags
	var junit string
	var packs []string
	c := &cobra.Command{
		Use:   "test [FILE|ID|TRANSCRIPTS]...",
		Short: "Run the tests inside packs, and check packs against annotated transcripts",
		Long: "Without arguments the tests of all built-in packs run. Emotions and mentions come from the language stages, where a\n" +
			"test does not state them.\n\n" +
			"TRANSCRIPTS are sessions with the key expect: JSON lines or any other format of transcripts, or a YAML list:\n" +
			"  - session_id: s1\n    turns: [{客户: 面膜B为什么贵}, {客服: 亲，稍等}]\n    expect:\n      reason_on_why: {outcome: fail, turns: [1]}\n      greeting: fail\n" +
			"Each rule named must have that outcome (and evidence in exactly these turns, where given); any other rule that fails\n" +
			"or is present is a failure. They are checked with the packs named beside them, else those of the configuration.\n" +
			"Ends with 1 where anything fails.",
		Example: "  tingke rules test\n  tingke rules test my.yaml annotated.jsonl --junit report.xml",
		RunE: func(c *cobra.Command, args []string) error {
			opt, err := input.options(a.config)
			if err != nil {
				return err
			}
			var transcripts []string
			for _, arg := range args {
				known := slices.Contains(rules.EmbeddedPacks(), arg) || isYAML(arg) && isPackFile(arg)
				if _, err := os.Stat(arg); !known && err == nil {
					transcripts = append(transcripts, arg)
				} else {
					packs = append(packs, arg)
				}
			}
			return a.testRules(c.Context(), packs, transcripts, opt, junit)
		},
	}
	input.register(c)
	c.Flags().StringVar(&junit, "junit", "", "write a JUnit report to this file, for CI servers")
	return c
}

func (a *app) testRules(ctx context.Context, packs, transcripts []string, opt intake.Options, junit string) error {
	onlyTranscripts := len(packs) == 0 && len(transcripts) > 0
	if onlyTranscripts {
		packs = a.config.Rules.Packs
	}
	sources, names, err := packSources(packs)
	if err != nil {
		return err
	}
	features, err := a.newNLP()
	if err != nil {
		return err
	}
	defer features.Close()
	var results []testOutcome
	if !onlyTranscripts {
		for i, s := range sources {
			set, err := a.loadRules(s)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			results = append(results, inlineTests(set, names[i], features)...)
		}
	}
	if len(transcripts) > 0 {
		more, err := a.annotatedTests(ctx, sources, transcripts, opt, features)
		if err != nil {
			return err
		}
		results = append(results, more...)
	}
	if junit != "" {
		if err := writeJUnit(junit, results); err != nil {
			return err
		}
	}
	return a.printTests(results, names)
}

func inlineTests(set *rules.Set, name string, features rules.Featuriser) []testOutcome {
	text := packText(name)
	id, _, _ := strings.Cut(set.Version(), "@")
	var out []testOutcome
	for _, r := range set.Test(features) {
		o := testOutcome{Pack: id, TestResult: r}
		if !r.OK {
			o.Source = entryAt(text, r.Line)
		}
		out = append(out, o)
	}
	return out
}

// packText is the text of a pack, for quoting; a built-in one's stands in the binary and is not quoted.
func packText(name string) []byte {
	if !isFile(name) {
		return nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil // it was compiled just now; a report without the quotation will do
	}
	return b
}

// entryAt gives the value that begins on a line of a pack, as it is written.
func entryAt(text []byte, line int) string {
	if text == nil {
		return ""
	}
	places, err := rules.Places(text)
	if err != nil {
		return ""
	}
	for _, p := range places { // the outermost value of the line comes first
		if p.Line == line && strings.Contains(p.Path, "/tests/") {
			return strings.ReplaceAll(string(text[p.Start:p.End]), "\n"+strings.Repeat(" ", p.Column-1), "\n")
		}
	}
	return ""
}

func (a *app) annotatedTests(ctx context.Context, sources []rules.Source, paths []string, opt intake.Options, features rules.Featuriser) ([]testOutcome, error) {
	set, err := a.loadRules(sources...)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	sessions, err := a.readAnnotated(ctx, paths, opt)
	if err != nil {
		return nil, err
	}
	type checked struct {
		results []testOutcome
		err     error
	}
	var out []testOutcome
	err = inOrder(ctx, sessions, func(x annotated) checked {
		r, err := x.check(set, features.Features(x.t))
		return checked{r, err}
	}, func(c checked) error {
		out = append(out, c.results...)
		return c.err
	})
	return out, err
}

func (a *app) printTests(results []testOutcome, packs []string) error {
	failed, gaps := 0, 0
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	for _, r := range results {
		if !r.OK {
			failed++
		} else if r.Known {
			gaps++
		}
		switch {
		case a.json:
			if err := enc.Encode(r); err != nil {
				return err
			}
		case !r.OK:
			fmt.Fprintf(a.out, "FAIL %s:%d: rule %s, %s: %s\n", r.File, r.Line, r.Rule, r.Name, r.Diff)
			for _, t := range r.Turns {
				fmt.Fprintf(a.out, "       turn %d %s: %s\n", t.Seq, t.Role, strings.ReplaceAll(t.Text, "\n", " "))
			}
			if r.Source != "" {
				fmt.Fprintf(a.out, "       %s\n", strings.ReplaceAll(strings.TrimRight(r.Source, "\n"), "\n", "\n       "))
			}
		}
	}
	if !a.json {
		fmt.Fprintf(a.out, "%s: %d tests, %d failed, %d known gaps\n", strings.Join(packs, ", "), len(results), failed, gaps)
	}
	if failed > 0 {
		return findingsf("%d of %d tests failed", failed, len(results))
	}
	return nil
}

// The JUnit form that CI servers read.
type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	File    string        `xml:"file,attr"`
	Line    int           `xml:"line,attr"`
	Failure *junitMessage `xml:"failure,omitempty"`
	Skipped *junitMessage `xml:"skipped,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// writeJUnit writes one suite a pack; known gaps count as skipped.
func writeJUnit(path string, results []testOutcome) error {
	var all junitSuites
	for _, r := range results {
		i := slices.IndexFunc(all.Suites, func(s junitSuite) bool { return s.Name == r.Pack })
		if i < 0 {
			i = len(all.Suites)
			all.Suites = append(all.Suites, junitSuite{Name: r.Pack})
		}
		s := &all.Suites[i]
		s.Tests++
		c := junitCase{Class: r.Pack + "." + r.Rule, Name: r.Name, File: r.File, Line: r.Line}
		switch {
		case !r.OK:
			s.Failures++
			c.Failure = &junitMessage{r.Diff, fmt.Sprintf("%s:%d\n%s", r.File, r.Line, r.Source)}
		case r.Known:
			s.Skipped++
			c.Skipped = &junitMessage{Message: "known gap: wanted " + r.Want + ", got " + r.Got}
		}
		s.Cases = append(s.Cases, c)
	}
	b, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append([]byte(xml.Header), append(b, '\n')...), 0o644); err != nil {
		return usagef("cannot write the JUnit report: %w", err)
	}
	return nil
}
