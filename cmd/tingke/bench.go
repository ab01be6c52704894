package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/nlp"
	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/nlp/segment"
	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/batch"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

func (a *app) benchCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "bench",
		Short:   "Measure speed on this machine",
		Example: "  tingke bench pipeline --json",
	}
	o := benchOptions{}
	p := &cobra.Command{
		Use:   "pipeline",
		Short: "The full analysis against its floor: decode, segment, insert",
		Long: "Writes generated sessions into a fresh embedded store twice, in alternating rounds. The floor decodes each message,\n" +
			"segments each turn and inserts one row per session with its words; the full path decodes, masks, assembles, reads\n" +
			"before writing, analyses with emotion, mentions and the rules, and inserts transcripts and analyses. Decoder, batch\n" +
			"size and client are the same, and both use all processors. ratio = full / floor, median of the rounds.",
		Example: "  tingke bench pipeline --json\n  tingke bench pipeline --sessions 20000 --rules 1000",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := a.benchPipeline(c.Context(), o)
			if err != nil {
				return err
			}
			if a.json {
				return json.NewEncoder(a.out).Encode(r)
			}
			b, err := json.MarshalIndent(r, "", "  ")
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "%s\n", b)
			return err
		},
	}
	p.Flags().IntVar(&o.sessions, "sessions", 6000, "sessions per round (about 15 turns each)")
	p.Flags().IntVar(&o.rounds, "rounds", 3, "rounds of floor and full")
	p.Flags().IntVar(&o.rules, "rules", 200, "generated rules, beside the standard pack")
	p.Flags().StringVar(&o.profile, "profile", "", "write a CPU profile of the full path to this file (go tool pprof)")
	p.Flags().Uint64Var(&o.seed, "seed", 1, "seed of the generated sessions and rules")
	c.AddCommand(a.benchAllCommand(), p, a.benchStagesCommand(), a.benchRulesCommand(), a.benchOpinionsCommand(), a.benchAlertsCommand(), a.benchDashboardsCommand())
	return c
}

type benchOptions struct {
	sessions, rounds, rules int
	seed                    uint64
	profile                 string
}

// benchResult is what `bench pipeline --json` prints.
type benchResult struct {
	FloorTurnsPerS float64   `json:"floor_turns_per_s"`
	FullTurnsPerS  float64   `json:"full_turns_per_s"`
	Ratio          float64   `json:"ratio"`
	Ratios         []float64 `json:"ratios"`
	// CPU is what the work costs however many processors there are: user and system time of this process, engine included.
	FloorCPUUS    float64 `json:"floor_cpu_us"` // microseconds a turn, median of the rounds
	FullCPUUS     float64 `json:"full_cpu_us"`
	CPURatio      float64 `json:"cpu_ratio"` // floor / full, median of the rounds: ratio on an idle machine that is kept busy
	Rules         int     `json:"rules"`
	CacheHit      float64 `json:"cache_hit"`      // share of texts whose features came from the cache
	DistinctShare float64 `json:"distinct_share"` // distinct texts / texts
	PeakRSSMB     float64 `json:"peak_rss_mb"`    // this process, engine included
	EngineMB      float64 `json:"engine_mb"`      // the engine's own MemoryTracking at the end
	// Memory is what was held after each round.
	Memory     []benchMemory `json:"memory"`
	Sessions   int           `json:"sessions"`
	Turns      int           `json:"turns"`
	Processors int           `json:"processors"`
}

// benchMemory is what is held once so many turns went through.
type benchMemory struct {
	Turns    int     `json:"turns"`
	RSSMB    float64 `json:"rss_mb"`    // this process, engine included
	HeapMB   float64 `json:"heap_mb"`   // of it, Go's, garbage included
	EngineMB float64 `json:"engine_mb"` // of it, what the engine tracks; what its allocator keeps comes on top
}

func (a *app) benchPipeline(ctx context.Context, o benchOptions) (result *benchResult, err error) {
	if o.sessions < 1 || o.rounds < 1 || o.rules < 0 {
		return nil, usagef("--sessions and --rounds must be at least 1, --rules at least 0")
	}
	dir, err := os.MkdirTemp("", "tingke-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	bench := *a
	bench.dir = dir
	s, err := bench.openStore(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Conn().Exec(ctx, "CREATE TABLE bench_floor (session_id String, words Array(String)) ENGINE = MergeTree ORDER BY session_id"); err != nil {
		return nil, err
	}

	key := []byte("key of the pipeline benchmark")
	set, err := a.loadRules(rules.Embedded("standard"), rules.Generate(o.rules, o.seed))
	if err != nil {
		return nil, err
	}
	features, err := nlp.New(nlp.Options{CacheEntries: a.config.NLP.CacheEntries})
	if err != nil {
		return nil, err
	}
	words, err := segment.New(segment.Options{})
	if err != nil {
		return nil, err
	}
	analyser := analyse.New(features, set, nil)

	r := &benchResult{Rules: len(set.Rules()), Processors: runtime.GOMAXPROCS(0), Sessions: o.sessions * o.rounds}
	gen := newCorpus(o.seed)
	distinct := map[string]struct{}{}
	var floors, fulls []speed
	for round := range o.rounds {
		lines := make([][]byte, o.sessions)
		turns := 0
		for i := range lines {
			m := gen.session(round*o.sessions + i)
			for k := range m.Session.Turns {
				distinct[m.Session.Turns[k].Text] = struct{}{}
			}
			turns += len(m.Session.Turns)
			lines[i] = m.AppendJSON(nil)
		}
		r.Turns += turns
		floor, err := timed(turns, func() error { return benchFloor(ctx, s, words, lines, a.config.Stream.FlushSessions) })
		if err != nil {
			return nil, err
		}
		stopProfile, err := startProfile(o.profile, round)
		if err != nil {
			return nil, err
		}
		full, err := timed(turns, func() error {
			return benchFull(ctx, batch.Options{
				Store: s, Analyser: analyser, Hasher: assemble.NewHasher(key), Mask: mask.New(key, mask.Options{}).Message,
				FlushSessions: a.config.Stream.FlushSessions, Memory: int(a.config.Stream.Memory),
			}, lines)
		})
		if err := errors.Join(err, stopProfile()); err != nil {
			return nil, err
		}
		floors, fulls = append(floors, floor), append(fulls, full)
		r.Ratios = append(r.Ratios, schemas.Round4(full.perS/floor.perS))
		held := benchMemory{Turns: r.Turns, RSSMB: statusMB("VmRSS:")}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		held.HeapMB = schemas.Round4(float64(m.HeapInuse) / (1 << 20))
		if held.EngineMB, err = engineMB(ctx, s); err != nil {
			return nil, err
		}
		r.Memory = append(r.Memory, held)
		a.progress("round %d of %d: floor %.0f, full %.0f turns/s, ratio %.2f; processor %.1f and %.1f us a turn, ratio %.2f",
			round+1, o.rounds, floor.perS, full.perS, full.perS/floor.perS, floor.cpuUS, full.cpuUS, floor.cpuUS/full.cpuUS)
	}
	of := func(list []speed, f func(speed) float64) float64 {
		values := make([]float64, len(list))
		for i := range list {
			values[i] = f(list[i])
		}
		return median(values)
	}
	perS, cpu := func(s speed) float64 { return s.perS }, func(s speed) float64 { return s.cpuUS }
	r.FloorTurnsPerS, r.FullTurnsPerS = of(floors, perS), of(fulls, perS)
	r.FloorCPUUS, r.FullCPUUS = schemas.Round4(of(floors, cpu)), schemas.Round4(of(fulls, cpu))
	r.Ratio = schemas.Round4(median(r.Ratios))
	cpuRatios := make([]float64, len(fulls))
	for i := range fulls {
		cpuRatios[i] = floors[i].cpuUS / fulls[i].cpuUS
	}
	r.CPURatio = schemas.Round4(median(cpuRatios))
	if c := features.CacheStats(); c.Hits+c.Misses > 0 {
		r.CacheHit = schemas.Round4(float64(c.Hits) / float64(c.Hits+c.Misses))
	}
	r.DistinctShare = schemas.Round4(float64(len(distinct)) / float64(r.Turns))
	r.PeakRSSMB = peakRSS()
	r.EngineMB = r.Memory[len(r.Memory)-1].EngineMB
	return r, nil
}

// startProfile profiles the last of the rounds it is called for; each call replaces the file.
func startProfile(path string, round int) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("cannot write the profile of round %d: %w", round+1, err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// speed is how fast turns went, and what one cost.
type speed struct {
	perS  float64 // turns a second
	cpuUS float64 // microseconds of processor a turn
}

func timed(turns int, f func() error) (speed, error) {
	began, cpu := time.Now(), processorTime()
	err := f()
	return speed{float64(turns) / time.Since(began).Seconds(), float64((processorTime() - cpu).Nanoseconds()) / 1000 / float64(turns)}, err
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// benchFloor is the least any pipeline does: decode, cut into words, insert.
func benchFloor(ctx context.Context, s *store, seg *segment.Segmenter, lines [][]byte, flush int) error {
	type row struct {
		id    string
		words []string
		err   error
	}
	for len(lines) > 0 {
		n := min(flush, len(lines))
		rows := make([]row, n)
		parallel(n, func(i int) {
			m, err := schemas.Decode(lines[i])
			if err != nil {
				rows[i].err = err
				return
			}
			rows[i].id = m.Session.SessionID
			for k := range m.Session.Turns {
				rows[i].words = append(rows[i].words, seg.Words(m.Session.Turns[k].Text)...)
			}
		})
		b, err := s.Conn().PrepareBatch(ctx, "INSERT INTO bench_floor")
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r.err != nil {
				return r.err
			}
			if err := b.Append(r.id, r.words); err != nil {
				return err
			}
		}
		if err := b.Send(); err != nil {
			return err
		}
		lines = lines[n:]
	}
	return nil
}

// benchFull is the whole path but for Kafka.
func benchFull(ctx context.Context, o batch.Options, lines [][]byte) error {
	w := batch.New(o)
	for len(lines) > 0 {
		n := min(o.FlushSessions, len(lines))
		decoded := make([]*schemas.Message, n)
		errs := make([]error, n)
		parallel(n, func(i int) { decoded[i], errs[i] = schemas.Decode(lines[i]) })
		if err := errors.Join(errs...); err != nil {
			return err
		}
		if err := w.Add(ctx, decoded...); err != nil {
			return err
		}
		lines = lines[n:]
	}
	return w.Finish(ctx)
}

// parallel calls f(0..n-1) on all processors.
func parallel(n int, f func(int)) {
	workers := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for k := range workers {
		wg.Go(func() {
			for i := k; i < n; i += workers {
				f(i)
			}
		})
	}
	wg.Wait()
}

// engineMB is what the engine tracks of its memory, in MiB; 0 where it is not in this process.
func engineMB(ctx context.Context, s *store) (float64, error) {
	h := s.Handle()
	if h == nil {
		return 0, nil
	}
	bytes, err := h.MemoryTracking(ctx)
	return float64(bytes>>10) / 1024, err
}

// peakRSS is the most memory this process has held, in MiB; 0 where the system does not tell.
func peakRSS() float64 { return statusMB("VmHWM:") }

// statusMB is a figure of the system about this process, in MiB.
func statusMB(name string) float64 {
	b, err := os.ReadFile(filepath.Join("/proc", "self", "status"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return float64(int64(kb)) / 1024
		}
	}
	return 0
}
