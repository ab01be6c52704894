package main

import (
	"context"

	"github.com/tingke/tingke/nlp/data"
	"github.com/tingke/tingke/nlp/mention"
	"github.com/tingke/tingke/nlp/mention/train"
	"github.com/tingke/tingke/schemas"
)

// byHand is what the hand-written constructions reached that decided before the model did.
const byHand = "hand-written rules"

// evalMentions compares mentions with those of two annotators, turn by turn, and repeats what the cross-validation of the
// built-in model measured.
func evalMentions(_ context.Context, e *evalRun) error {
	if err := evalAnnotatedMentions(e); err != nil {
		return err
	}
	meta, err := mention.Meta()
	if err != nil {
		return err
	}
	note := "cross-validation when the model was made (" + meta.Command + ")"
	for _, set := range []struct {
		name     string
		baseline float64
	}{{"own", 0.39}, {"cic_intent", 0}, {"jd_chitchat_filter", 0}, {"reviews", 0}} {
		f := figure{Figure: set.name + ", mentions, kappa", Rows: meta.Sources[set.name], Note: note, Baseline: set.baseline}
		if f.Baseline > 0 {
			f.Than = byHand
		}
		value, ok := meta.Figures[set.name+", mean kappa"]
		if !ok {
			continue // trained without that set or without cross-validation
		}
		f.Parts = map[string]float64{}
		for _, k := range []string{"kind", "aspect", "valuable", "span F1"} {
			f.Parts[k] = meta.Figures[set.name+", "+k]
		}
		if err := e.report(f, value); err != nil {
			return err
		}
	}
	return nil
}

func evalAnnotatedMentions(e *evalRun) error {
	type labels struct {
		Mentions []data.Mention `json:"mentions"`
	}
	rows, err := evalRows[struct {
		data.Row
		A labels `json:"A"`
		B labels `json:"B"`
	}](e, "gold/turns.jsonl")
	if err != nil {
		return e.skipIfAbsent("annotated turns, mentions", err)
	}
	an, err := e.nlp()
	if err != nil {
		return err
	}
	var by [2]train.Tally
	for _, r := range rows {
		if r.Role != string(schemas.Customer) {
			continue
		}
		found := mention.Labels(an.Mentions(schemas.Customer, r.Text, r.Context))
		for i, l := range []labels{r.A, r.B} {
			by[i].Add(found, train.Marked(r.Text, l.Mentions))
		}
	}
	a, b := by[0].Figures(), by[1].Figures()
	mean := func(x, y float64) float64 { return (x + y) / 2 }
	note := "never trained on, but read while cues and some own rows were written; they chose one threshold"
	f := figure{
		Figure: "annotated turns, mentions, kappa", Target: 0.65, Baseline: 0.61, Than: "linear SVM", Rows: a.Turns, Note: note,
		Parts: map[string]float64{"kind": mean(a.Kind, b.Kind), "aspect": mean(a.Aspect, b.Aspect), "valuable": mean(a.Valuable, b.Valuable)},
	}
	if err := e.report(f, mean(a.Mean, b.Mean)); err != nil {
		return err
	}
	if err := e.report(figure{Figure: "annotated turns, spans, F1", Rows: a.Turns, Note: "half of the union with a marked span"}, mean(a.SpanF1, b.SpanF1)); err != nil {
		return err
	}
	for h, head := range mention.Heads() {
		parts, sum := by[0].Classes(h), 0.0
		for _, c := range head.Classes {
			sum += parts[c] // in a fixed order
		}
		if err := e.report(figure{Figure: "annotated turns, " + head.Name + ", macro-F1", Rows: a.Turns, Parts: parts, Note: "parts = F1 per class"}, sum/float64(len(parts))); err != nil {
			return err
		}
	}
	return nil
}
