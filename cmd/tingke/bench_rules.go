package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// benchRulesResult is what `bench rules --json` prints.
type benchRulesResult struct {
	Results []benchRulesSize `json:"results"`
	// MemoryPer1000 is what a thousand further rules hold in memory, in MiB.
	MemoryPer1000 float64 `json:"memory_per_1000_rules_mib"`
	Sessions      int     `json:"sessions"`
	Turns         int     `json:"turns"`
	Rounds        int     `json:"rounds"`
}

// benchRulesSize is one number of rules.
type benchRulesSize struct {
	Rules     int     `json:"rules"`
	TurnsPerS float64 `json:"turns_per_s"` // on one processor, median of the rounds
	// Relative is the speed against the first size: the median of the ratios within a round.
	Relative float64 `json:"relative"`
	HitShare float64 `json:"hit_share"` // sessions with a hit
	LoadMS   float64 `json:"load_ms"`
	MemoryMB float64 `json:"memory_mib"` // held by the compiled rules
}

type benchRulesOptions struct {
	sizes            []int
	sessions, rounds int
	seed             uint64
	profile          string
}

// benchSays are agents' words that generated rules look for: of the benchmark's sessions about one in ten has one.
var benchSays = []string{"这个没办法的哦", "我这边不清楚呢", "这款不支持的", "目前缺货哦", "外包装破损不影响使用", "绝对正品哦", "保证明天到", "现在已经下班了", "这款断货了", "系统超时了", "后台操作不了"}

func (a *app) benchRulesCommand() *cobra.Command {
	o := benchRulesOptions{}
	c := &cobra.Command{
		Use:   "rules",
		Short: "The speed of rules, by their number",
		Long: "Evaluates generated packs of 10 to 10,000 rules over generated sessions whose features are computed beforehand. The\n" +
			"rules have the operators of the packs and words of their own; an agent's words break one in about a tenth of the\n" +
			"sessions, whatever the number of rules. Sizes take turns within each round, and medians over the rounds are reported,\n" +
			"so that other work on the machine does not decide.",
		Example: "  tingke bench rules --json\n  tingke bench rules --sizes 10,1000 --rounds 60",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			r, err := a.benchRules(o)
			if err != nil {
				return err
			}
			if a.json {
				return json.NewEncoder(a.out).Encode(r)
			}
			fmt.Fprintf(a.out, "%8s %12s %9s %6s %9s %9s\n", "rules", "turns/s", "relative", "hits", "load ms", "MiB")
			for _, x := range r.Results {
				fmt.Fprintf(a.out, "%8d %12.0f %9.3f %5.1f%% %9.1f %9.2f\n", x.Rules, x.TurnsPerS, x.Relative, 100*x.HitShare, x.LoadMS, x.MemoryMB)
			}
			_, err = fmt.Fprintf(a.out, "%.2f MiB for 1,000 rules; %d turns, %d rounds, one processor\n", r.MemoryPer1000, r.Turns, r.Rounds)
			return err
		},
	}
	c.Flags().IntSliceVar(&o.sizes, "sizes", []int{10, 100, 1_000, 10_000}, "numbers of rules")
	c.Flags().IntVar(&o.sessions, "sessions", 3000, "sessions (about 15 turns each)")
	c.Flags().IntVar(&o.rounds, "rounds", 31, "rounds, each with every size")
	c.Flags().Uint64Var(&o.seed, "seed", 1, "seed of the generated sessions and rules")
	c.Flags().StringVar(&o.profile, "profile", "", "write a CPU profile of the rounds to this file (go tool pprof)")
	return c
}

func (a *app) benchRules(o benchRulesOptions) (*benchRulesResult, error) {
	if o.sessions < 1 || o.rounds < 1 || len(o.sizes) == 0 {
		return nil, usagef("--sessions and --rounds must be at least 1, --sizes not empty")
	}
	ts, fs, err := a.benchRulesSessions(o)
	if err != nil {
		return nil, err
	}
	r := &benchRulesResult{Sessions: o.sessions, Rounds: o.rounds}
	for _, t := range ts {
		r.Turns += len(t.Turns)
	}
	// What every set shares is loaded once and is not of the first size.
	if _, err := a.loadRules(rules.Generate(20, o.seed)); err != nil {
		return nil, &exitError{exitUsage, err}
	}
	sets := make([]*rules.Set, len(o.sizes))
	for k, n := range o.sizes {
		before, began := heapMiB(), time.Now()
		if sets[k], err = a.loadRules(rules.Generate(n, o.seed)); err != nil {
			return nil, &exitError{exitUsage, err}
		}
		x := benchRulesSize{Rules: n, LoadMS: float64(time.Since(began).Microseconds()) / 1000}
		x.MemoryMB = schemas.Round4(heapMiB() - before)
		hit := 0
		for i, t := range ts {
			if len(sets[k].Evaluate(t, fs[i]).Hits) > 0 {
				hit++
			}
		}
		x.HitShare = schemas.Round4(float64(hit) / float64(len(ts)))
		r.Results = append(r.Results, x)
	}
	if last := len(o.sizes) - 1; o.sizes[last] > o.sizes[0] {
		r.MemoryPer1000 = schemas.Round4((r.Results[last].MemoryMB - r.Results[0].MemoryMB) * 1000 / float64(o.sizes[last]-o.sizes[0]))
	}

	stop, err := startProfile(o.profile, 0)
	if err != nil {
		return nil, err
	}
	speeds := make([][]float64, len(sets))
	relative := make([][]float64, len(sets))
	for round := range o.rounds {
		round := benchRulesRound(sets, ts, fs, round)
		for k, s := range round {
			speeds[k] = append(speeds[k], float64(r.Turns)/s.Seconds())
			relative[k] = append(relative[k], round[0].Seconds()/s.Seconds())
		}
	}
	if err := stop(); err != nil {
		return nil, err
	}
	for k := range sets {
		r.Results[k].TurnsPerS = float64(int(median(speeds[k])))
		r.Results[k].Relative = schemas.Round4(median(relative[k]))
	}
	return r, nil
}

// benchRulesRound evaluates all sessions with every set, in slices that take turns and begin with another set each time,
// and gives the time of each set.
func benchRulesRound(sets []*rules.Set, ts []*schemas.Transcript, fs []*schemas.Features, round int) []time.Duration {
	const slice = 250
	spent := make([]time.Duration, len(sets))
	for from := 0; from < len(ts); from += slice {
		to := min(from+slice, len(ts))
		for j := range sets {
			k := (j + round + from/slice) % len(sets)
			began := time.Now()
			for i := from; i < to; i++ {
				sets[k].Evaluate(ts[i], fs[i])
			}
			spent[k] += time.Since(began)
		}
	}
	return spent
}

func (a *app) benchRulesSessions(o benchRulesOptions) ([]*schemas.Transcript, []*schemas.Features, error) {
	features, err := a.newNLP()
	if err != nil {
		return nil, nil, err
	}
	defer features.Close()
	gen := newCorpus(o.seed)
	hasher := assemble.NewHasher([]byte("bench"))
	ts := make([]*schemas.Transcript, o.sessions)
	for i := range ts {
		m := gen.session(i)
		if gen.rng.IntN(9) == 0 {
			turns := m.Session.Turns
			turns[gen.rng.IntN(len(turns))] = schemas.Turn{Seq: schemas.Some(int64(len(turns) + 1)), Role: schemas.Agent, At: m.Session.EndedAt, Text: gen.pick(benchSays)}
		}
		t := assemble.FromMessage(hasher, nil, m).Transcript()
		t.Closed = true
		ts[i] = t
	}
	fs := make([]*schemas.Features, len(ts))
	parallel(len(ts), func(i int) { fs[i] = features.Features(ts[i]) })
	return ts, fs, nil
}

// heapMiB is what lives on the heap after collection.
func heapMiB() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}
