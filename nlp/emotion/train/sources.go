package train

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/tingke/tingke/nlp/data"
	"github.com/tingke/tingke/nlp/linear"
	"github.com/tingke/tingke/schemas"
)

// Names of the project's own sources; the others are named after their set.
const (
	own       = "own"
	contrasts = "contrasts"
)

// Weights of a row by its source: labels by the definitions weigh most; weak ones that were mapped from other schemes
// help with words, not with decisions.
const (
	goldWeight     = 1
	secondWeight   = 0.2 // of the second label of a row
	contrastWeight = 1.5
	smpWeight      = 0.25
	intentWeight   = 0.15
	reviewWeight   = 1
	smpSign        = 0.3
)

func bits(e ...schemas.Emotion) uint32 {
	b := uint32(0)
	for _, x := range e {
		b |= 1 << x
	}
	return b
}

// What the labels of other sets may mean here.
var (
	smpClasses = map[string]uint32{
		"angry":    bits(schemas.Angry, schemas.Annoyed),
		"happy":    bits(schemas.Satisfied, schemas.Grateful, schemas.Hopeful),
		"sad":      bits(schemas.Aggrieved, schemas.Disappointed, schemas.Apologetic),
		"fear":     bits(schemas.Worried, schemas.Urgent),
		"surprise": bits(schemas.Surprised, schemas.Confused),
		"neutral":  bits(schemas.Neutral),
	}
	smpSigns = map[string]uint32{"angry": signBit(schemas.Negative), "sad": signBit(schemas.Negative), "fear": signBit(schemas.Negative), "happy": signBit(schemas.Positive)}
	// 不满 covers intents from complaint to a wrong parcel: it says nothing here.
	intentClasses = map[string]uint32{
		"愤怒":    bits(schemas.Angry, schemas.Annoyed, schemas.Disappointed),
		"着急":    bits(schemas.Urgent),
		"感谢":    bits(schemas.Grateful),
		"愧疚/抱歉": bits(schemas.Apologetic),
		"悲伤":    bits(schemas.Aggrieved, schemas.Disappointed),
		"喜悦":    bits(schemas.Satisfied),
		"满意":    bits(schemas.Satisfied),
		"中性?":   bits(schemas.Neutral, schemas.Confused, schemas.Hopeful, schemas.Surprised, schemas.Worried),
	}
)

func polarityBit(p string) uint32 {
	switch p {
	case schemas.Negative:
		return 1
	case schemas.NeutralPolarity:
		return 2
	case schemas.Positive:
		return 4
	}
	return 0
}

// signBit is the class of the sign head, 0 where there is no sign.
func signBit(p string) uint32 {
	switch p {
	case schemas.Negative:
		return 1
	case schemas.Positive:
		return 2
	}
	return 0
}

// loader collects rows.
type loader struct {
	folder   string
	limit    int
	report   *Report
	rows     []row
	labelled map[string]bool // texts labelled by the definitions: never held
}

// load reads all rows in a fixed order.
func load(folder string, limit int) ([]row, *Report, error) {
	l := &loader{folder: folder, limit: limit, labelled: map[string]bool{}, report: &Report{
		Rows: map[string]int{}, Held: map[string]int{}, Refused: map[string]int{}, Figures: map[string]float64{},
	}}
	ours, err := data.Own()
	if err != nil {
		return nil, nil, err
	}
	l.gold(own, ours, goldWeight)
	written, err := data.Contrasts()
	if err != nil {
		return nil, nil, err
	}
	l.gold(contrasts, written, contrastWeight)
	if folder == "" {
		l.report.Missing = append(l.report.Missing, "every set but the project's own: no data folder was given")
		return l.rows, l.report, nil
	}
	steps := []func() error{
		func() error { return l.trainable("gold/trainable.jsonl") },
		func() error { return l.smp("data/smp2020_ewect/dev.jsonl.gz") },
		func() error { return l.intents("data/cic_intent/dev.jsonl") },
		func() error { return l.reviews("waimai_10k", "data/waimai_10k/dev.jsonl") },
		func() error {
			return l.reviews("online_shopping_10_cats", "data/online_shopping_10_cats/dev.jsonl.gz")
		},
		func() error { return l.reviews("chnsenticorp_htl", "data/chnsenticorp_htl/dev.jsonl") },
	}
	for _, f := range steps {
		if err := f(); errors.Is(err, fs.ErrNotExist) {
			l.report.Missing = append(l.report.Missing, err.Error())
		} else if err != nil {
			return nil, nil, err
		}
	}
	return l.rows, l.report, nil
}

// add takes a row unless it is a near copy of a minimal pair or, of a set with weak labels, held.
func (l *loader) add(r row, text string) {
	if l.limit > 0 && l.report.Rows[r.source] >= l.limit {
		return
	}
	if tooClose(text) {
		l.report.Refused[r.source]++
		return
	}
	if r.gold == nil && data.Held(text) && !l.labelled[text] {
		l.report.Held[r.source]++
		return
	}
	l.report.Rows[r.source]++
	l.rows = append(l.rows, r)
}

func (l *loader) gold(source string, rows []data.Row, weight float32) {
	for i := range rows {
		g := &rows[i]
		x := label{
			polarity: linear.Target{Classes: polarityBit(g.Polarity), Weight: weight},
			sign:     linear.Target{Classes: signBit(g.Polarity), Weight: weight},
		}
		if e, ok := schemas.ParseEmotion(g.Emotion); ok {
			x.emotion = linear.Target{Classes: bits(e), Weight: weight}
		}
		labels := []label{x}
		if e, ok := schemas.ParseEmotion(g.Emotion2); ok {
			labels = append(labels, label{emotion: linear.Target{Classes: bits(e), Weight: secondWeight * weight}})
		}
		l.labelled[g.Text] = true
		l.add(row{source: source, in: input(g.Role, g.Text, g.Context), labels: labels, gold: g}, g.Text)
	}
}

func (l *loader) trainable(path string) error {
	rows, err := data.Read[data.Row](filepath.Join(l.folder, path))
	if err != nil {
		return err
	}
	l.gold("trainable", rows, goldWeight)
	return nil
}

func (l *loader) smp(path string) error {
	rows, err := data.Read[struct{ Text, Emotion, Domain string }](filepath.Join(l.folder, path))
	if err != nil {
		return err
	}
	for i, r := range rows {
		c, ok := smpClasses[r.Emotion]
		if !ok {
			return fmt.Errorf("%s: row %d: unknown emotion %q", path, i+1, r.Emotion)
		}
		x := label{emotion: linear.Target{Classes: c, Weight: smpWeight}}
		if p := smpSigns[r.Emotion]; p != 0 {
			x.sign = linear.Target{Classes: p, Weight: smpSign}
		}
		l.add(row{source: "smp2020_ewect", in: input("customer", r.Text, nil), labels: []label{x}}, r.Text)
	}
	return nil
}

func (l *loader) intents(path string) error {
	rows, err := data.Read[struct {
		Text string
		Weak string `json:"emotion_weak"`
	}](filepath.Join(l.folder, path))
	if err != nil {
		return err
	}
	for _, r := range rows {
		c := intentClasses[r.Weak]
		if c == 0 || l.labelled[r.Text] {
			continue // the label by the definitions stands against it
		}
		x := label{emotion: linear.Target{Classes: c, Weight: intentWeight}}
		l.add(row{source: "cic_intent", in: input("customer", r.Text, nil), labels: []label{x}}, r.Text)
	}
	return nil
}

func (l *loader) reviews(name, path string) error {
	rows, err := data.Read[struct{ Text, Sentiment string }](filepath.Join(l.folder, path))
	if err != nil {
		return err
	}
	for i, r := range rows {
		p := signBit(r.Sentiment)
		if p == 0 {
			return fmt.Errorf("%s: row %d: unknown sentiment %q", path, i+1, r.Sentiment)
		}
		x := label{sign: linear.Target{Classes: p, Weight: reviewWeight}}
		l.add(row{source: name, in: input("customer", r.Text, nil), labels: []label{x}}, r.Text)
	}
	return nil
}
