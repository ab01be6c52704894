// Package train makes the emotion model of package emotion from labelled rows: the project's own, and those of a folder
// with further data where there is one. It is used by `tingke train emotion` only.
//
// Training is a function of the rows, the options and the seed. Near copies of minimal pairs are refused, and of every
// set with weak labels a tenth (data.Held) is left out, so that the shipped model can be measured on it.
package train

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/tingke/tingke/nlp/data"
	"github.com/tingke/tingke/nlp/emotion"
	"github.com/tingke/tingke/nlp/linear"
	"github.com/tingke/tingke/nlp/measure"
	"github.com/tingke/tingke/nlp/pairs"
	"github.com/tingke/tingke/nlp/textnorm"
	"github.com/tingke/tingke/schemas"
)

// Options of a training.
type Options struct {
	// Data is a folder with gold/ and data/; "" trains on the project's own rows alone.
	Data string
	Seed uint64
	// Date stands in the model as it is given.
	Date string
	// HeldOut gives the model that never saw a tenth of the labelled rows, to measure it on them.
	HeldOut bool
	// Progress, if not nil, is told what is under way.
	Progress func(string)

	limit int // rows of each source, for tests; 0 = all
}

// Report says what a training used and reached.
type Report struct {
	Rows    map[string]int     `json:"rows"`              // by source
	Held    map[string]int     `json:"held,omitempty"`    // left out to measure on, by source
	Refused map[string]int     `json:"refused,omitempty"` // near copies of minimal pairs, by source
	Missing []string           `json:"missing,omitempty"` // sources that are not there
	Figures map[string]float64 `json:"figures"`
	Data    string             `json:"data"` // digest of the rows
	Sparse  int                `json:"sparse_features"`
}

// row is a training row in one form.
type row struct {
	source string
	in     emotion.Input
	labels []label
	gold   *data.Row // of rows with labels by the definitions
}

// label is what a row teaches.
type label struct {
	emotion, polarity, sign linear.Target
}

const (
	rate      = 0.3
	epochs    = 6
	maxSparse = 350_000
)

// Train fits the model twice: without a tenth of the labelled rows, to measure and to calibrate on them, and with all.
func Train(ctx context.Context, o Options) (*linear.Model, *Report, error) {
	var mu sync.Mutex
	say := func(format string, a ...any) {
		if o.Progress != nil {
			mu.Lock()
			defer mu.Unlock()
			o.Progress(fmt.Sprintf(format, a...))
		}
	}
	rows, report, err := load(o.Data, o.limit)
	if err != nil {
		return nil, nil, err
	}
	cues, err := emotion.NewCues()
	if err != nil {
		return nil, nil, err
	}
	say("features of %d rows", len(rows))
	fit := func(name string, use func(*row) bool) (*linear.Model, error) {
		t, err := linear.NewTrainer(linear.Options{
			Heads: emotion.Heads(), Dense: emotion.Dense, Seed: o.Seed, Rate: rate, Epochs: epochs, MaxSparse: maxSparse, MinCount: 2,
			Omit: sourceKeys(rows),
			Progress: func(pass, epoch int, loss float64) {
				say("%s: pass %d, epoch %d of %d, loss %.4f", name, pass, epoch, epochs, loss)
			},
		})
		if err != nil {
			return nil, err
		}
		for i := range rows {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			r := &rows[i]
			if !use(r) {
				continue
			}
			sparse, dense := cues.Example(r.in)
			sparse = append(sparse, linear.Group{Keys: []uint64{sourceKey(r.source)}, Value: 1})
			for _, l := range r.labels {
				if err := t.Add(linear.Example{Sparse: sparse, Dense: dense, Targets: []linear.Target{l.emotion, l.polarity, l.sign}}); err != nil {
					return nil, err
				}
			}
		}
		m, err := t.Train()
		if err != nil {
			return nil, err
		}
		return m.SetMeta(linear.Meta{Name: emotion.ModelName, Features: emotion.Features}), nil
	}
	held := func(r *row) bool { return r.gold != nil && data.Held(r.gold.Text) }
	// Both trainings are functions of their rows: they may run side by side.
	var m, shipped *linear.Model
	var group errgroup.Group
	group.Go(func() (err error) {
		m, err = fit("to measure", func(r *row) bool { return !held(r) })
		return err
	})
	if !o.HeldOut {
		group.Go(func() (err error) {
			shipped, err = fit("to ship", func(*row) bool { return true })
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	var test []*row
	for i := range rows {
		if r := &rows[i]; held(r) && r.source != contrasts {
			test = append(test, r)
		}
	}
	params, err := calibrate(m, test, report.Figures)
	if err != nil {
		return nil, nil, err
	}
	if shipped != nil {
		m = shipped
	}
	report.Data, report.Sparse = digest(rows), m.Meta().Sparse
	command := "tingke train emotion"
	if o.Data != "" {
		command += " --data DIR"
	}
	command += fmt.Sprintf(" --seed %d", o.Seed)
	return m.SetMeta(linear.Meta{
		Name: emotion.ModelName, Features: emotion.Features, Data: report.Data, Sources: report.Rows, Date: o.Date,
		Command: command, Figures: report.Figures, Params: params,
	}), report, nil
}

func sourceKey(name string) uint64 { return linear.Key("source " + name) }

func sourceKeys(rows []row) []uint64 {
	var keys []uint64
	seen := map[string]bool{}
	for i := range rows {
		if !seen[rows[i].source] {
			seen[rows[i].source] = true
			keys = append(keys, sourceKey(rows[i].source))
		}
	}
	return keys
}

// digest is a hash over the rows in their order.
func digest(rows []row) string {
	h := sha256.New()
	for i := range rows {
		r := &rows[i]
		fmt.Fprintf(h, "%q %q %q %q", r.source, r.in.Role, r.in.Norm, r.in.Context)
		for _, l := range r.labels {
			for _, t := range []linear.Target{l.emotion, l.polarity, l.sign} {
				fmt.Fprintf(h, " %d %d %g", t.Classes, t.Among, t.Weight)
			}
		}
		fmt.Fprintln(h)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// calibrate measures the model on rows it has not seen, and finds the temperatures at which its probabilities fit them
// best (Guo et al. 2017).
func calibrate(m *linear.Model, test []*row, figures map[string]float64) (map[string]float64, error) {
	s, err := emotion.NewWith(m)
	if err != nil {
		return nil, err
	}
	var gold, found []string
	bySource := map[string][2][]string{}
	scores := make([][]float32, len(test))
	for i, r := range test {
		res := s.Score(r.in)
		scores[i] = res.Scores[:]
		gold, found = append(gold, r.gold.Emotion), append(found, res.Emotion.String())
		b := bySource[r.source]
		bySource[r.source] = [2][]string{append(b[0], r.gold.Emotion), append(b[1], res.Emotion.String())}
	}
	if len(gold) == 0 {
		return nil, nil
	}
	figures["held_rows"] = float64(len(gold))
	figures["held_kappa"] = measure.Kappa(gold, found)
	for source, b := range bySource {
		figures["held_kappa_"+source] = measure.Kappa(b[0], b[1])
	}
	for _, k := range schemas.EmotionKeys() {
		figures["held_f1_"+k] = measure.F1(gold, found, k)
	}
	// Probabilities at temperature 1 give those at any other: p^(1/t), normalised.
	loss := func(t float64) float64 {
		sum := 0.0
		for i, p := range scores {
			z := 0.0
			for _, x := range p {
				z += math.Pow(float64(x)+1e-12, 1/t)
			}
			e, _ := schemas.ParseEmotion(gold[i])
			sum += math.Log(z) - math.Log(float64(p[e])+1e-12)/t
		}
		return sum
	}
	best := 1.0
	for t := 0.5; t <= 4; t += 0.05 {
		if loss(t) < loss(best) {
			best = math.Round(t*100) / 100
		}
	}
	var conf []float64
	var right []bool
	for i, p := range scores {
		z, top := 0.0, 0.0
		for _, x := range p {
			v := math.Pow(float64(x)+1e-12, 1/best)
			z += v
			top = max(top, v)
		}
		conf, right = append(conf, top/z), append(right, gold[i] == found[i])
	}
	figures["held_calibration_error"] = measure.ECE(conf, right)
	return map[string]float64{"temperature_emotion": best}, nil
}

// input reads a row as it is scored.
func input(role, text string, context []string) emotion.Input {
	in := emotion.Input{Norm: textnorm.Normalise(text).Text, Role: schemas.Role(role)}
	for _, c := range context {
		r, t, ok := strings.Cut(c, ": ")
		if !ok {
			r, t = string(schemas.Agent), c
		}
		in.Context = append(in.Context, emotion.Utterance{Role: schemas.Role(r), Norm: textnorm.Normalise(t).Text})
	}
	return in
}

// tooClose says whether a row must not train.
func tooClose(text string) bool { return pairs.TooClose(text) }
