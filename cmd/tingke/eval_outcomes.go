package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/nlp/measure"
	"github.com/tingke/tingke/schemas"
)

// goldSession is one session with the outcomes that each annotator gave it.
type goldSession struct {
	ID         string
	message    *schemas.Message
	annotators []map[string]string // in the order of the names asked for
}

// outcomeAgreement is how one outcome agrees with the annotators.
type outcomeAgreement struct {
	Outcome string `json:"outcome"`
	// Annotators is their agreement with each other, null for one annotator.
	Annotators *float64 `json:"annotators"`
	// Kappa is Cohen's kappa with each annotator, averaged.
	Kappa float64 `json:"kappa"`
	// Precision and Recall are of fail and present, on sessions on which the annotators agree; null without any.
	Precision *float64 `json:"precision"`
	Recall    *float64 `json:"recall"`
	Bad       int      `json:"n_bad"` // fail or present, where the annotators agree
	// Counted: at least five agreed cases are not of the most frequent value, so the kappa means something.
	Counted bool `json:"counted"`
}

// agreement is what `eval outcomes --json` prints.
type agreement struct {
	Figure     string             `json:"figure"`
	Sessions   int                `json:"sessions"`
	Annotators []string           `json:"annotators"`
	Rules      string             `json:"rules"`
	Value      *float64           `json:"value"` // mean kappa over the counted outcomes, null where none is
	Outcomes   []outcomeAgreement `json:"outcomes"`
}

// disagreement is one line of --errors.
type disagreement struct {
	ID         string `json:"id"`
	Outcome    string `json:"outcome"`
	Annotators string `json:"annotators"`
	Tingke     string `json:"tingke"`
}

func (a *app) evalOutcomesCommand() *cobra.Command {
	var gold string
	var packs, annotators []string
	var errorsShown int
	c := &cobra.Command{
		Use:   "outcomes",
		Short: "Agreement of rule packs with inspectors, outcome by outcome",
		Long: "Reads sessions that people have judged, one JSON object a line: id, turns [{role, text}] (other fields of a session too)\n" +
			"and one object an annotator with an outcome a rule, such as \"C\": {\"greeting\": \"fail\", \"closing\": \"pass\"}. --annotators\n" +
			"names these objects; one is enough, several are compared with each other too. Printed are Cohen's kappa with each\n" +
			"annotator, averaged; precision and recall of fail and present where all annotators agree; and the mean kappa of the\n" +
			"outcomes with at least five agreed cases of a rarer value.",
		Example: "  tingke eval outcomes --gold ../shared/gold/sessions.jsonl\n  tingke eval outcomes --gold judged.jsonl --annotators 王质检 --rules my.yaml --errors 20",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if gold == "" {
				return usagef("--gold is missing: the file with the judged sessions")
			}
			sessions, outcomes, err := readGold(gold, annotators)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			return a.evalOutcomes(c.Context(), sessions, outcomes, annotators, packs, errorsShown)
		},
	}
	c.Flags().StringVar(&gold, "gold", "", "file with judged sessions")
	c.Flags().StringSliceVar(&annotators, "annotators", []string{"C", "D"}, "keys of the annotators' outcomes")
	c.Flags().StringSliceVar(&packs, "rules", []string{"standard"}, "rule packs: ids of built-in packs or YAML files")
	c.Flags().IntVar(&errorsShown, "errors", 0, "print so many disagreements of each outcome on standard error")
	return c
}

// readGold reads the judged sessions; outcomes are those of the first session's first annotator, in its order.
func readGold(path string, annotators []string) (sessions []goldSession, outcomes []string, err error) {
	if len(annotators) == 0 {
		return nil, nil, errors.New("--annotators is empty: name the keys of the annotators' outcomes")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read the judged sessions: %w", err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(make([]byte, 1<<20), schemas.MaxMessageBytes)
	var problems []error
	for n := 1; in.Scan(); n++ {
		line := bytes.TrimSpace(in.Bytes())
		if len(line) == 0 {
			continue
		}
		s, order, err := goldLine(line, annotators)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s:%d: %w", path, n, err))
			continue
		}
		if outcomes == nil {
			outcomes = order
		}
		for k, given := range s.annotators {
			for _, o := range outcomes {
				if given[o] == "" {
					problems = append(problems, fmt.Errorf("%s:%d: %s says nothing of %s", path, n, annotators[k], o))
				}
			}
		}
		sessions = append(sessions, s)
	}
	if err := in.Err(); err != nil {
		problems = append(problems, fmt.Errorf("cannot read %s: %w", path, err))
	}
	if len(problems) == 0 && len(sessions) == 0 {
		problems = append(problems, fmt.Errorf("%s holds no session", path))
	}
	return sessions, outcomes, errors.Join(problems...)
}

func goldLine(line []byte, annotators []string) (s goldSession, order []string, err error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		return s, nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if err := json.Unmarshal(fields["id"], &s.ID); err != nil || s.ID == "" {
		return s, nil, errors.New(`id: want a text, such as "id": "s1"`)
	}
	keys := slices.Sorted(maps.Keys(fields))
	for k, name := range annotators {
		var given map[string]string
		if err := json.Unmarshal(fields[name], &given); err != nil || given == nil {
			return s, nil, fmt.Errorf("%s: want an object of outcomes by rule; the line has the keys %s (--annotators names the right ones)", name, strings.Join(keys, ", "))
		}
		s.annotators = append(s.annotators, given)
		if k == 0 {
			order = keyOrder(fields[name])
		}
		delete(fields, name)
	}
	id, err := json.Marshal(s.ID)
	if err != nil {
		return s, nil, err
	}
	fields["session_id"] = id // the id of the line names the session here
	fields["type"] = []byte(`"session"`)
	delete(fields, "id")
	text, err := json.Marshal(fields)
	if err != nil {
		return s, nil, err
	}
	s.message, err = schemas.Decode(text)
	return s, order, err
}

// keyOrder gives the keys of a JSON object in the order of the text.
func keyOrder(object []byte) []string {
	dec := json.NewDecoder(bytes.NewReader(object))
	var out []string
	for {
		token, err := dec.Token()
		if err != nil {
			if err != io.EOF {
				return nil
			}
			return out
		}
		if key, ok := token.(string); ok {
			out = append(out, key)
			if _, err := dec.Token(); err != nil { // its value, a text
				return nil
			}
		}
	}
}

func (a *app) evalOutcomes(ctx context.Context, sessions []goldSession, outcomes, annotators, packs []string, errorsShown int) error {
	analyser, err := a.newAnalyser(packs)
	if err != nil {
		return err
	}
	key, err := a.deploymentKey(false)
	if err != nil {
		return err
	}
	given := make([]map[string]string, 0, len(sessions))
	err = inOrder(ctx, sessions, func(s goldSession) map[string]string {
		one := newSessionSet(key, a.masker(key))
		one.add(s.message)
		return analyser.Analyse(one.close(one.order[0]).Transcript()).Findings.Outcomes
	}, func(found map[string]string) error {
		given = append(given, found)
		return nil
	})
	if err != nil {
		return err
	}
	r, wrong := agree(sessions, given, outcomes, errorsShown)
	r.Annotators, r.Rules = annotators, analyser.RulesVersion()
	enc := json.NewEncoder(a.err)
	enc.SetEscapeHTML(false)
	for _, d := range wrong {
		if err := enc.Encode(d); err != nil {
			return err
		}
	}
	if a.json {
		return json.NewEncoder(a.out).Encode(r)
	}
	return r.print(a.out)
}

// agree compares outcomes with those of the annotators. found are the outcomes of each session by rule; a rule that
// says nothing counts as "missing".
func agree(sessions []goldSession, found []map[string]string, outcomes []string, errorsShown int) (agreement, []disagreement) {
	r := agreement{Figure: "outcomes", Sessions: len(sessions)}
	var wrong []disagreement
	sum, counted := 0.0, 0
	for _, o := range outcomes {
		ours := make([]string, len(sessions))
		theirs := make([][]string, len(sessions[0].annotators))
		var agreed []int
		for i, s := range sessions {
			ours[i] = found[i][o]
			if ours[i] == "" {
				ours[i] = "missing"
			}
			same := true
			for k, given := range s.annotators {
				theirs[k] = append(theirs[k], given[o])
				same = same && given[o] == s.annotators[0][o]
			}
			if same {
				agreed = append(agreed, i)
			}
		}
		x, kappa := agreementOf(ours, theirs, agreed)
		x.Outcome = o
		if x.Counted {
			sum += kappa
			counted++
		}
		r.Outcomes = append(r.Outcomes, x)
		shown := 0
		for _, i := range agreed {
			if theirs[0][i] != ours[i] && shown < errorsShown {
				shown++
				wrong = append(wrong, disagreement{sessions[i].ID, o, theirs[0][i], ours[i]})
			}
		}
	}
	if counted > 0 {
		v := round3(sum / float64(counted))
		r.Value = &v
	}
	return r, wrong
}

func agreementOf(ours []string, theirs [][]string, agreed []int) (x outcomeAgreement, mean float64) {
	for _, t := range theirs {
		mean += measure.Kappa(ours, t)
	}
	mean /= float64(len(theirs))
	x.Kappa = round3(mean)
	if len(theirs) > 1 { // of each pair, averaged
		sum, pairs := 0.0, 0
		for i := range theirs {
			for k := i + 1; k < len(theirs); k++ {
				sum += measure.Kappa(theirs[i], theirs[k])
				pairs++
			}
		}
		v := round3(sum / float64(pairs))
		x.Annotators = &v
	}
	values := map[string]int{}
	most, hit, both := 0, 0, 0
	for _, i := range agreed {
		values[theirs[0][i]]++
		most = max(most, values[theirs[0][i]])
		if isBad(theirs[0][i]) {
			x.Bad++
		}
		if isBad(ours[i]) {
			hit++
			if isBad(theirs[0][i]) {
				both++
			}
		}
	}
	x.Precision, x.Recall = ratio(both, hit), ratio(both, x.Bad)
	x.Counted = len(agreed)-most >= 5
	return x, mean
}

func isBad(outcome string) bool { return outcome == schemas.Fail || outcome == schemas.Present }

func ratio(n, of int) *float64 {
	if of == 0 {
		return nil
	}
	v := round3(float64(n) / float64(of))
	return &v
}

// round3 rounds to three decimals, by the exact decimal value.
func round3(v float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'f', 3, 64), 64)
	if err != nil {
		return math.NaN()
	}
	return r
}

func (r *agreement) print(w io.Writer) error {
	number := func(v *float64) string {
		if v == nil {
			return "-"
		}
		return fmt.Sprintf("%.3f", *v)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "OUTCOME\tKAPPA\tANNOTATORS\tPRECISION\tRECALL\tBAD CASES\t")
	for _, x := range r.Outcomes {
		note := ""
		if !x.Counted {
			note = "too few cases of a rarer value"
		}
		fmt.Fprintf(tw, "%s\t%.3f\t%s\t%s\t%s\t%d\t%s\n", x.Outcome, x.Kappa, number(x.Annotators), number(x.Precision), number(x.Recall), x.Bad, note)
	}
	fmt.Fprintf(tw, "mean\t%s\n", number(r.Value))
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d sessions, annotators %s, rules %s\n", r.Sessions, strings.Join(r.Annotators, ", "), r.Rules)
	return err
}
