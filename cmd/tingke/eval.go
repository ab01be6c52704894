package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/nlp"
	"github.com/tingke/tingke/nlp/data"
	"github.com/tingke/tingke/schemas"
)

// evaluation is one `tingke eval` command. It measures with default options and reports to e; data that is absent is
// reported by e.skip, not as an error.
type evaluation struct {
	name, short string
	run         func(ctx context.Context, e *evalRun) error
}

// evaluations are all of them, in the order of `eval all`.
func (a *app) evaluations() []evaluation {
	return []evaluation{
		{"emotion", "Emotion against annotators, smp2020 and cic_intent", evalEmotion},
		{"mentions", "Opinion mentions against annotators", evalMentions},
		{"sentiment", "Polarity of reviews against their stars", evalSentiment},
		{"experience", "Predicted satisfaction against readers' votes", evalExperience},
		{"contrasts", "Minimal pairs: utterances that differ by a word and in label", evalContrasts},
		{"pairs", "Similarity of pairs of equal and of different meaning", evalPairs},
		{"segmentation", "Words against texts cut by hand", evalSegmentation},
		{"mask", "Masking of made personal data, and false alarms in real chats", evalMask},
		{"clusters", "Opinions against sets of equivalent questions and intents", evalClusters},
	}
}

// figure is what an evaluation prints: one number beside what it is compared with.
type figure struct {
	Eval   string   `json:"eval"`
	Figure string   `json:"figure"` // what was measured on which set
	Value  *float64 `json:"value,omitempty"`
	// Target is what is asked for, Baseline what a simpler way reaches, named by Than.
	Target   float64            `json:"target,omitempty"`
	Baseline float64            `json:"baseline,omitempty"`
	Limit    float64            `json:"limit,omitempty"` // what the value should not exceed, 0 for none
	Than     string             `json:"than,omitempty"`
	Rows     int                `json:"rows,omitempty"`
	Parts    map[string]float64 `json:"parts,omitempty"`   // per class or per set
	Note     string             `json:"note,omitempty"`    // what one must know to read the value
	Skipped  string             `json:"skipped,omitempty"` // why there is no value
	Seconds  float64            `json:"seconds,omitempty"` // since the figure before
}

// evalRun is what an evaluation works with.
type evalRun struct {
	app      *app
	data     string // the folder with gold/ and data/
	eval     string
	analyser *nlp.Analyser
	labelled map[string]bool // see held
	last     time.Time
	missed   []string
	skipped  int
	print    func(figure) error
}

// nlp gives the language stages with the configured options, made once.
func (e *evalRun) nlp() (*nlp.Analyser, error) {
	if e.analyser == nil {
		an, err := e.app.newNLP()
		if err != nil {
			return nil, err
		}
		e.analyser = an
	}
	return e.analyser, nil
}

// report prints a figure; Value must be set.
func (e *evalRun) report(f figure, value float64) error {
	v := schemas.Round4(value)
	f.Eval, f.Value = e.eval, &v
	f.Seconds = float64(time.Since(e.last).Milliseconds()) / 1000
	e.last = time.Now()
	for k, p := range f.Parts {
		f.Parts[k] = schemas.Round4(p)
	}
	if f.Target != 0 && v < f.Target {
		e.missed = append(e.missed, fmt.Sprintf("%s %.3f < %.2f", f.Figure, v, f.Target))
	}
	if f.Limit != 0 && v > f.Limit {
		e.missed = append(e.missed, fmt.Sprintf("%s %.3f > %.2f", f.Figure, v, f.Limit))
	}
	return e.print(f)
}

// skip says loudly that a figure could not be measured.
func (e *evalRun) skip(name string, why error) error {
	e.skipped++
	return e.print(figure{Eval: e.eval, Figure: name, Skipped: why.Error()})
}

// evalRows reads the JSON lines of a file below the data folder; .gz is unpacked.
func evalRows[T any](e *evalRun, path string) ([]T, error) {
	return data.Read[T](filepath.Join(e.data, path))
}

// heldNote says which rows of a set that may train are measured.
const heldNote = "the tenth of the rows that never trains"

// held picks the rows of a set that may train on which shipped weights are measured: those of the tenth that never
// trains, without the ones that were labelled again by hand-written definitions and so train all the same.
func (e *evalRun) held() (func(text string) bool, error) {
	if e.labelled == nil {
		e.labelled = map[string]bool{}
		rows, err := evalRows[data.Row](e, "gold/trainable.jsonl")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, r := range rows {
			e.labelled[r.Text] = true
		}
	}
	return func(text string) bool { return data.Held(text) && !e.labelled[text] }, nil
}

// skipIfAbsent turns a missing file into a skipped figure; any other error stays one.
func (e *evalRun) skipIfAbsent(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return e.skip(name, err)
	}
	return err
}

func (a *app) evalCommand() *cobra.Command {
	folder, gate := "", false
	c := &cobra.Command{
		Use:   "eval",
		Short: "Measure the language stages against labelled data",
		Long: "Each evaluation prints one figure a line, beside what is asked for and what a simpler way reaches. The data is no part of\n" +
			"this project; sets that are absent are named and skipped. Figures on rows that were read or trained on say so.",
		Example: "  tingke eval emotion --data ../shared\n  tingke eval all --json --data ../shared",
	}
	c.PersistentFlags().StringVar(&folder, "data", filepath.Join("..", "shared"), "folder with gold/ and data/")
	c.PersistentFlags().BoolVar(&gate, "gate", false, "end with exit code 1 when a figure misses what is asked for")
	run := func(list []evaluation) func(*cobra.Command, []string) error {
		return func(c *cobra.Command, _ []string) error { return a.eval(c.Context(), list, folder, gate) }
	}
	list := a.evaluations()
	for _, x := range list {
		c.AddCommand(&cobra.Command{Use: x.name, Short: x.short, Example: "  tingke eval " + x.name + " --json", Args: cobra.NoArgs, RunE: run([]evaluation{x})})
	}
	c.AddCommand(&cobra.Command{Use: "all", Short: "Every evaluation in one run", Example: "  tingke eval all --json", Args: cobra.NoArgs, RunE: run(list)})
	c.AddCommand(a.evalOutcomesCommand())
	return c
}

func (a *app) eval(ctx context.Context, list []evaluation, folder string, gate bool) error {
	out := json.NewEncoder(a.out)
	out.SetEscapeHTML(false)
	e := &evalRun{app: a, data: folder, last: time.Now()}
	e.print = func(f figure) error {
		if a.json {
			return out.Encode(f)
		}
		_, err := fmt.Fprintln(a.out, f.line())
		return err
	}
	defer func() {
		if e.analyser != nil {
			e.analyser.Close()
		}
	}()
	for _, x := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		e.eval = x.name
		if err := x.run(ctx, e); err != nil {
			return fmt.Errorf("eval %s: %w", x.name, err)
		}
	}
	if e.skipped > 0 {
		fmt.Fprintf(a.err, "%d figures were SKIPPED: their data is absent (--data %s)\n", e.skipped, folder)
	}
	if gate && len(e.missed) > 0 {
		return findingsf("%d figures miss what is asked for: %s", len(e.missed), strings.Join(e.missed, "; "))
	}
	return nil
}

// line is the figure for people.
func (f figure) line() string {
	if f.Skipped != "" {
		return fmt.Sprintf("%-12s %-34s SKIPPED: %s", f.Eval, f.Figure, f.Skipped)
	}
	s := fmt.Sprintf("%-12s %-34s %.3f", f.Eval, f.Figure, *f.Value)
	if f.Target != 0 {
		s += fmt.Sprintf("  asked %.2f", f.Target)
	}
	if f.Limit != 0 {
		s += fmt.Sprintf("  at most %.2f", f.Limit)
	}
	if f.Than != "" {
		s += fmt.Sprintf("  %s %.3f", f.Than, f.Baseline)
	}
	if f.Rows > 0 {
		s += fmt.Sprintf("  (%d rows)", f.Rows)
	}
	if f.Note != "" {
		s += "  " + f.Note
	}
	return s
}
