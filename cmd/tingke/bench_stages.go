package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/nlp"
	"github.com/tingke/tingke/nlp/emotion"
	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/nlp/mention"
	"github.com/tingke/tingke/nlp/segment"
	"github.com/tingke/tingke/nlp/textnorm"
	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// benchStagesResult is what `bench stages --json` prints.
type benchStagesResult struct {
	Stages   []benchStage `json:"stages"`
	Rules    int          `json:"rules"`
	Sessions int          `json:"sessions"`
	Turns    int          `json:"turns"`
	Rounds   int          `json:"rounds"`
}

// benchStage is what one stage costs.
type benchStage struct {
	Name string `json:"name"`
	// CPUUS are microseconds of processor a turn, in all threads of the process; the median of the rounds.
	CPUUS float64 `json:"cpu_us"`
	// TurnsPerS are turns a second by the clock, of one goroutine; of the stage insert it is the rate of inserts.
	TurnsPerS float64 `json:"turns_per_s"`
	// Allocs and Bytes are what a turn takes of Go's memory. They and TurnsPerS are those of the last round.
	Allocs float64 `json:"allocs"`
	Bytes  float64 `json:"bytes"`
	// Part says that the stage is part of the one it names.
	Part string `json:"part_of,omitempty"`
}

type benchStagesOptions struct {
	sessions, rounds, rules int
	seed                    uint64
	profile                 string
}

func (a *app) benchStagesCommand() *cobra.Command {
	o := benchStagesOptions{}
	c := &cobra.Command{
		Use:   "stages",
		Short: "What each stage of the pipeline costs a turn",
		Long: "Takes the sessions of `bench pipeline` through one stage after the other, each stage by itself, and reports the\n" +
			"processor time of a turn, which other work on the machine disturbs less than time on the clock. What a stage\n" +
			"is part of is said beside it; words are cut for the floor alone, and for rules that ask for them. Texts are not\n" +
			"kept between stages and rounds, so the cost is that of texts that never repeat.",
		Example: "  tingke bench stages --json\n  tingke bench stages --sessions 500 --rules 1000",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := a.benchStages(c.Context(), o)
			if err != nil {
				return err
			}
			if a.json {
				return json.NewEncoder(a.out).Encode(r)
			}
			for _, s := range r.Stages {
				part := ""
				if s.Part != "" {
					part = "  of " + s.Part
				}
				fmt.Fprintf(a.out, "%-22s %7.2f us %8.0f turns/s %6.2f allocations %8.0f bytes%s\n", s.Name, s.CPUUS, s.TurnsPerS, s.Allocs, s.Bytes, part)
			}
			_, err = fmt.Fprintf(a.out, "a turn; %d turns, %d rounds, %d rules\n", r.Turns, r.Rounds, r.Rules)
			return err
		},
	}
	c.Flags().IntVar(&o.sessions, "sessions", 1500, "sessions (about 15 turns each)")
	c.Flags().IntVar(&o.rounds, "rounds", 5, "rounds, each with every stage")
	c.Flags().IntVar(&o.rules, "rules", 200, "generated rules, beside the standard pack")
	c.Flags().Uint64Var(&o.seed, "seed", 1, "seed of the generated sessions and rules")
	c.Flags().StringVar(&o.profile, "profile", "", "write a CPU profile of the last round to this file (go tool pprof)")
	return c
}

// stageBench holds what one stage hands to the next.
type stageBench struct {
	ctx      context.Context
	store    *store
	hasher   *assemble.Hasher
	mask     *mask.Masker
	nlp      *nlp.Analyser
	emotion  *emotion.Scorer
	mention  *mention.Finder
	words    *segment.Segmenter
	rules    *rules.Set
	analyser *analyse.Analyser

	lines       [][]byte
	messages    []*schemas.Message
	states      []*assemble.State
	transcripts []*schemas.Transcript
	norms       []schemas.NormText
	features    []*schemas.Features
	analyses    []*schemas.Analysis
}

func (a *app) benchStages(ctx context.Context, o benchStagesOptions) (result *benchStagesResult, err error) {
	if o.sessions < 1 || o.rounds < 1 || o.rules < 0 {
		return nil, usagef("--sessions and --rounds must be at least 1, --rules at least 0")
	}
	b, err := a.newStageBench(o)
	if err != nil {
		return nil, err
	}
	b.ctx = ctx
	dir, err := os.MkdirTemp("", "tingke-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	bench := *a
	bench.dir = dir
	if b.store, err = bench.openStore(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.store.Close()) }()

	r := &benchStagesResult{Rules: len(b.rules.Rules()), Sessions: o.sessions, Rounds: o.rounds}
	stages := b.stages()
	costs := make([][]float64, len(stages))
	r.Stages = make([]benchStage, len(stages))
	stopProfile := func() error { return nil }
	for round := range o.rounds {
		gen := newCorpus(o.seed + uint64(round)<<32)
		b.lines = b.lines[:0]
		turns := 0
		for i := range o.sessions {
			m := gen.session(round*o.sessions + i)
			turns += len(m.Session.Turns)
			b.lines = append(b.lines, m.AppendJSON(nil))
		}
		r.Turns += turns
		if round == o.rounds-1 {
			if stopProfile, err = startProfile(o.profile, 0); err != nil {
				return nil, err
			}
		}
		for k, s := range stages {
			cost, err := stageCost(turns, s.run)
			if err != nil {
				return nil, errors.Join(fmt.Errorf("stage %s: %w", s.name, err), stopProfile())
			}
			costs[k] = append(costs[k], cost.CPUUS)
			cost.Name, cost.Part = s.name, s.part
			r.Stages[k] = cost
		}
		a.progress("round %d of %d", round+1, o.rounds)
	}
	for k := range costs {
		r.Stages[k].CPUUS = schemas.Round4(median(costs[k]))
	}
	return r, stopProfile()
}

func (a *app) newStageBench(o benchStagesOptions) (*stageBench, error) {
	key := []byte("key of the pipeline benchmark")
	b := &stageBench{hasher: assemble.NewHasher(key), mask: mask.New(key, mask.Options{})}
	var err error
	if b.rules, err = a.loadRules(rules.Embedded("standard"), rules.Generate(o.rules, o.seed)); err != nil {
		return nil, err
	}
	if b.nlp, err = nlp.New(nlp.Options{}); err != nil {
		return nil, err
	}
	if b.emotion, err = emotion.New(); err != nil {
		return nil, err
	}
	products, err := mention.NewProducts(nil)
	if err != nil {
		return nil, err
	}
	if b.mention, err = mention.New(products); err != nil {
		return nil, err
	}
	if b.words, err = segment.New(segment.Options{}); err != nil {
		return nil, err
	}
	b.analyser = analyse.New(b.nlp, b.rules, nil)
	return b, nil
}

// stageCost measures a stage; memory is swept before it, so that it pays for its own.
func stageCost(turns int, run func() error) (benchStage, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, began := processorTime(), time.Now()
	err := run()
	spent, took := processorTime()-cpu, time.Since(began)
	runtime.ReadMemStats(&after)
	per := func(x float64) float64 { return schemas.Round4(x / float64(turns)) }
	return benchStage{
		TurnsPerS: float64(int(float64(turns) / took.Seconds())), CPUUS: per(float64(spent) / float64(time.Microsecond)), Allocs: per(float64(after.Mallocs - before.Mallocs)),
		Bytes: per(float64(after.TotalAlloc - before.TotalAlloc)),
	}, err
}

type stage struct {
	name, part string
	run        func() error
}

// stages are in the order of the pipeline; each leaves what the next ones need.
func (b *stageBench) stages() []stage {
	eachTurn := func(f func(t *schemas.TranscriptTurn, norm *schemas.NormText)) func() error {
		return func() error {
			n := 0
			for _, t := range b.transcripts {
				for i := range t.Turns {
					f(&t.Turns[i], &b.norms[n])
					n++
				}
			}
			return nil
		}
	}
	return []stage{
		{"decode", "", b.decode},
		{"mask", "", func() error {
			for _, m := range b.messages {
				b.mask.Message(m)
			}
			return nil
		}},
		{"assemble", "", b.assemble},
		{"normalise", "features", b.normalise},
		{"emotion of texts", "features", eachTurn(func(_ *schemas.TranscriptTurn, n *schemas.NormText) { b.emotion.Text(n.Text) })},
		{"mentions of texts", "features", eachTurn(func(t *schemas.TranscriptTurn, n *schemas.NormText) {
			if t.Role == schemas.Customer {
				b.mention.Text(n.Text)
			}
		})},
		{"mentions' context", "features", eachTurn(func(t *schemas.TranscriptTurn, n *schemas.NormText) { b.mention.Said(n.Text, t.Role) })},
		{"features", "analyse", func() error {
			for _, t := range b.transcripts {
				b.features = append(b.features, b.nlp.Features(t))
			}
			return nil
		}},
		{"rules", "analyse", func() error {
			for i, t := range b.transcripts {
				b.rules.Evaluate(t, b.features[i])
			}
			b.features = b.features[:0]
			return nil
		}},
		{"analyse", "", func() error {
			for _, t := range b.transcripts {
				b.analyses = append(b.analyses, b.analyser.Analyse(t))
			}
			return nil
		}},
		{"read before write", "", func() error {
			return b.eachBatch(func(from, to int) error {
				ids := make([]string, 0, to-from)
				for _, s := range b.states[from:to] {
					ids = append(ids, s.SessionID)
				}
				_, err := b.store.StoredVersions(b.ctx, ids)
				return err
			})
		}},
		{"insert", "", func() error {
			return b.eachBatch(func(from, to int) error {
				var batch stream.Batch
				for i := from; i < to; i++ {
					batch.Sessions = append(batch.Sessions, stream.Analysed{State: b.states[i], Analysis: b.analyses[i]})
				}
				return b.store.Write(b.ctx, batch)
			})
		}},
		{"cut into words", "floor", func() error {
			for i := range b.norms {
				b.words.Words(b.norms[i].Text)
			}
			b.messages, b.states, b.transcripts, b.norms, b.analyses = nil, nil, nil, nil, nil
			return nil
		}},
	}
}

func (b *stageBench) eachBatch(f func(from, to int) error) error {
	const size = 1000
	for from := 0; from < len(b.states); from += size {
		if err := f(from, min(from+size, len(b.states))); err != nil {
			return err
		}
	}
	return nil
}

func (b *stageBench) decode() error {
	for _, line := range b.lines {
		m, err := schemas.Decode(line)
		if err != nil {
			return err
		}
		b.messages = append(b.messages, m)
	}
	return nil
}

func (b *stageBench) assemble() error {
	for _, m := range b.messages {
		s := assemble.FromMessage(b.hasher, nil, m)
		b.states = append(b.states, s)
		b.transcripts = append(b.transcripts, s.Transcript())
	}
	return nil
}

func (b *stageBench) normalise() error {
	for _, t := range b.transcripts {
		for i := range t.Turns {
			b.norms = append(b.norms, textnorm.Normalise(t.Turns[i].Text))
		}
	}
	return nil
}
