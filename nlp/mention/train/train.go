// Package train fits the mention model to labelled rows. It is used by `tingke train mentions` and by `tingke eval`,
// never on the path of a session.
package train

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tingke/tingke/nlp/data"
	"github.com/tingke/tingke/nlp/linear"
	"github.com/tingke/tingke/nlp/mention"
	"github.com/tingke/tingke/nlp/pairs"
	"github.com/tingke/tingke/nlp/textnorm"
	"github.com/tingke/tingke/schemas"
)

// Options of a training.
type Options struct {
	// Data is a folder with gold/trainable.jsonl; "" trains on the project's own rows alone.
	Data string
	Seed uint64
	// Date stands in the model as it is given.
	Date string
	// Folds of the cross-validation that measures the model; 0 = 4, negative = none.
	Folds int
	// Progress, if not nil, is told what is going on.
	Progress func(string)
}

// The learner's settings and those of the decision, chosen by cross-validation.
const (
	epochs = 10
	rate   = 0.3
	decay  = 1e-5
	// maxSparse keeps the table small: 200,000 measured the same and were slower.
	maxSparse = 60_000

	// paramNothing leans to mentions a little, chosen on gold/turns.jsonl: from .5 to .6 the agreement there changes by .03.
	paramNothing = 0.58
	paramClause  = 0.5
	paramTurn    = 1
)

// reviewWeight is what reviews and posts weigh: they are not what customers write to an agent.
const reviewWeight = 0.5

// rulings is the set of rows that were written one a ruling of the labels' definitions; they weigh more.
const (
	rulings      = "mentions_own"
	rulingWeight = 3
)

// dialogue are the sources of turns that customers wrote to an agent; "" is the project itself.
var dialogue = map[string]bool{"": true, "cic_intent": true, "jd_chitchat_filter": true}

// Row is a customer's turn made ready.
type Row struct {
	Set, Text, Norm string
	Context         []mention.Utterance
	Marked          []mention.Labelled
	Weight          float32
	fold            int
}

// Report says what a training used and reached.
type Report struct {
	Rows    map[string]int     `json:"rows"`              // by set
	Refused map[string]int     `json:"refused,omitempty"` // near copies of minimal pairs, by set
	Missing []string           `json:"missing,omitempty"` // sets that are not there
	Figures map[string]float64 `json:"figures"`
	Data    string             `json:"data"` // digest of the rows
	Sparse  int                `json:"sparse_features"`
}

// Train fits the model to all rows, after measuring it by cross-validation.
func Train(ctx context.Context, o Options) (*linear.Model, *Report, error) {
	report := &Report{Rows: map[string]int{}, Refused: map[string]int{}, Figures: map[string]float64{}}
	rows, err := load(o.Data, report)
	if err != nil {
		return nil, nil, err
	}
	report.Data = digest(rows)
	if o.Folds >= 0 {
		by, err := Validate(ctx, rows, o)
		if err != nil {
			return nil, nil, err
		}
		for set, f := range by {
			for name, v := range map[string]float64{"kind": f.Kind, "aspect": f.Aspect, "valuable": f.Valuable, "mean kappa": f.Mean, "span F1": f.SpanF1} {
				report.Figures[set+", "+name] = schemas.Round4(v)
			}
		}
	}
	o.say("the model of %d rows", len(rows))
	m, err := Fit(ctx, rows, o)
	if err != nil {
		return nil, nil, err
	}
	meta := m.Meta()
	report.Sparse = meta.Sparse
	command := "tingke train mentions"
	if o.Data != "" {
		command += " --data DIR"
	}
	meta.Command = command + fmt.Sprintf(" --seed %d", o.Seed)
	meta.Data, meta.Sources, meta.Date, meta.Figures = report.Data, report.Rows, o.Date, report.Figures
	return m.SetMeta(meta), report, nil
}

// load reads the project's own rows and, where a folder is named, gold/trainable.jsonl in it.
func load(folder string, report *Report) ([]Row, error) {
	var all []Row
	add := func(set string, rows []data.Row, err error) error {
		if err != nil {
			return err
		}
		ready, refused, err := Rows(rows, set)
		if err != nil {
			return fmt.Errorf("cannot train on %s: %w", set, err)
		}
		for _, r := range ready {
			report.Rows[r.Set]++
		}
		if len(refused) > 0 {
			report.Refused[set] += len(refused)
		}
		all = append(all, ready...)
		return nil
	}
	rows, err := data.Own()
	if err := add("own", rows, err); err != nil {
		return nil, err
	}
	rows, err = data.OwnMentions()
	if err := add(rulings, rows, err); err != nil {
		return nil, err
	}
	if folder == "" {
		return all, nil
	}
	path := filepath.Join(folder, "gold", "trainable.jsonl")
	rows, err = data.Read[data.Row](path)
	if errors.Is(err, fs.ErrNotExist) {
		report.Missing = append(report.Missing, path)
		return all, nil
	}
	return all, add("trainable", rows, err)
}

func digest(rows []Row) string {
	h := sha256.New()
	for _, r := range rows {
		fmt.Fprintf(h, "%q %q %v %v %v\n", r.Set, r.Norm, r.Context, r.Marked, r.Weight)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Rows makes customers' turns of labelled rows ready and leaves out agents' turns and near copies of minimal pairs. An
// unknown label is an error that names the row.
func Rows(rows []data.Row, set string) (out []Row, refused []string, err error) {
	heads := mention.Heads()
	var errs []error
	for i, r := range rows {
		if r.Role != string(schemas.Customer) {
			continue
		}
		if pairs.TooClose(r.Text) {
			refused = append(refused, r.Text)
			continue
		}
		name := set
		if r.Src != "" {
			name = r.Src
		}
		x := Row{Set: name, Text: r.Text, Norm: textnorm.Normalise(r.Text).Text, Weight: 1, fold: i / foldBlock}
		switch {
		case set == rulings:
			x.Weight = rulingWeight
		case !dialogue[r.Src]:
			x.Weight = reviewWeight
		}
		for _, line := range r.Context {
			role, text, _ := strings.Cut(line, ": ")
			x.Context = append(x.Context, mention.Utterance{Role: schemas.Role(role), Norm: textnorm.Normalise(text).Text})
		}
		if n := len(x.Context); n > mention.ContextTurns {
			x.Context = x.Context[n-mention.ContextTurns:]
		}
		for _, m := range r.Mentions {
			if !slices.Contains(heads[0].Classes, m.Kind) || !slices.Contains(heads[1].Classes, m.Aspect) {
				errs = append(errs, fmt.Errorf("row %d (%s): mention of kind %q and aspect %q", i+1, r.ID, m.Kind, m.Aspect))
			}
		}
		x.Marked = place(x.Norm, r.Mentions, func(s string) string { return textnorm.Normalise(s).Text })
		out = append(out, x)
	}
	return out, refused, errors.Join(errs...)
}

// Marked gives the mentions of a row their places in its text.
func Marked(text string, list []data.Mention) []mention.Labelled {
	return place(text, list, func(s string) string { return s })
}

// place finds each mention after the one before it, else anywhere; what is not there has no place.
func place(text string, list []data.Mention, form func(string) string) []mention.Labelled {
	var out []mention.Labelled
	from := 0
	for _, m := range list {
		l := mention.Labelled{Kind: m.Kind, Aspect: m.Aspect, Valuable: m.Valuable}
		part := form(m.Text)
		if at := strings.Index(text[from:], part); at >= 0 {
			l.Start, l.End = from+at, from+at+len(part)
			from = l.End
		} else if at := strings.Index(text, part); at >= 0 {
			l.Start, l.End = at, at+len(part)
		}
		out = append(out, l)
	}
	return out
}

// foldBlock is how many rows in a row share a fold: neighbours were often written together and are alike.
const foldBlock = 40

// Fit trains a model on rows.
func Fit(ctx context.Context, rows []Row, o Options) (*linear.Model, error) {
	f, err := mention.NewWith(nil, nil)
	if err != nil {
		return nil, err
	}
	t, err := linear.NewTrainer(linear.Options{
		Heads: mention.Heads(), Dense: mention.DenseCount, Seed: o.Seed, Epochs: epochs, Rate: rate, Decay: decay, Omit: sourceKeys(rows), MaxSparse: maxSparse,
	})
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		source := linear.Group{Keys: []uint64{sourceKey(r.Set)}, Value: 1}
		for _, e := range f.Examples(r.Norm, r.Context, r.Marked, r.Weight) {
			e.Sparse = append(e.Sparse, source)
			if err := t.Add(e); err != nil {
				return nil, err
			}
		}
	}
	m, err := t.Train()
	if err != nil {
		return nil, err
	}
	return m.SetMeta(linear.Meta{Name: mention.ModelName, Features: mention.Features, Params: map[string]float64{
		mention.ParamNothing: paramNothing, mention.ParamClause: paramClause, mention.ParamTurn: paramTurn,
	}}), nil
}

// How often turns have mentions, and which, differs from source to source and says nothing of the turns to come: a key of
// the source takes that part of the bias and stays out of the model.
func sourceKey(name string) uint64 { return linear.Key("source " + name) }

func sourceKeys(rows []Row) []uint64 {
	var keys []uint64
	seen := map[string]bool{}
	for _, r := range rows {
		if !seen[r.Set] {
			seen[r.Set] = true
			keys = append(keys, sourceKey(r.Set))
		}
	}
	return keys
}

// Validate measures by cross-validation: each row by a model that has not seen it nor its neighbours. It gives the figures
// of each set.
func Validate(ctx context.Context, rows []Row, o Options) (map[string]Figures, error) {
	folds := o.Folds
	if folds == 0 {
		folds = 4
	}
	by := map[string]*Tally{}
	for k := range folds {
		o.say("cross-validation %d of %d", k+1, folds)
		var train, test []Row
		for _, r := range rows {
			if r.fold%folds == k {
				test = append(test, r)
			} else {
				train = append(train, r)
			}
		}
		m, err := Fit(ctx, train, o)
		if err != nil {
			return nil, err
		}
		f, err := mention.NewWith(m, nil)
		if err != nil {
			return nil, err
		}
		for _, r := range test {
			found := f.Find(mention.Input{Raw: r.Norm, Norm: schemas.NormText{Text: r.Norm}, Role: schemas.Customer, Context: r.Context})
			name := r.Set
			if r.Weight == reviewWeight {
				name = "reviews"
			}
			if by[name] == nil {
				by[name] = new(Tally)
			}
			by[name].Add(mention.Labels(found), r.Marked)
		}
	}
	out := map[string]Figures{}
	for name, t := range by {
		out[name] = t.Figures()
	}
	return out, nil
}

func (o *Options) say(format string, args ...any) {
	if o.Progress != nil {
		o.Progress(fmt.Sprintf(format, args...))
	}
}
