package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/intake"
	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/testdata"
)

func (a *app) demoCommand() *cobra.Command {
	var input inputFlags
	var once bool
	c := &cobra.Command{
		Use:   "demo [FILE|DIR]...",
		Short: "All in one: broker, ClickHouse, worker and pages, on sample conversations or on yours",
		Long: "Starts the embedded broker and the embedded ClickHouse on --dir, sends the files (the built-in samples if none are\n" +
			"given) through Kafka, analyses them, prints a summary, and serves the pages until interrupted. With --once it ends\n" +
			"after the summary. Nothing needs to be installed and nothing leaves the machine.",
		Example: "  tingke demo\n  tingke demo --once --json\n  tingke demo ~/exports --map qianniu.yaml",
		RunE: func(c *cobra.Command, args []string) error {
			opt, err := input.options(a.config)
			if err != nil {
				return err
			}
			if a.config.Log.Level == "info" {
				a.log = a.newLog(slog.LevelError) // the summary says what a newcomer wants to know
			}
			return a.demo(c.Context(), args, opt, once)
		},
	}
	input.register(c)
	c.Flags().BoolVar(&once, "once", false, "end after the summary")
	return c
}

// demoResult is what `demo --once --json` prints. All counts are of this run's input.
type demoResult struct {
	Messages         int `json:"messages"`
	SessionsIn       int `json:"sessions_in"`
	Written          int `json:"written"`           // sessions whose stored state covers everything sent
	DistinctSessions int `json:"distinct_sessions"` // of these ids in the sessions view
	DeadLetters      int `json:"dead_letters"`
	BadLinesIn       int `json:"bad_lines_in"`
	RejectedRows     int `json:"rejected_rows"`
	Opinions         int `json:"opinions"` // in the registry
	demoSummary
}

// demoSummary is what the views say about the input.
type demoSummary struct {
	Turns    int64            `json:"turns"`
	Flagged  int64            `json:"flagged"`
	Emotions map[string]int64 `json:"emotions"` // customer turns
	Mentions map[string]int64 `json:"mentions"` // by kind
	Agents   int64            `json:"agents"`
}

func (a *app) demo(ctx context.Context, paths []string, opt intake.Options, once bool) (err error) {
	if len(paths) == 0 {
		if paths, err = a.writeSamples(); err != nil {
			return err
		}
	}
	kafkaConfig, release, err := a.kafka(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	s, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()

	registry := newRegistry()
	w, err := a.newWorker(ctx, kafkaConfig, s, nil, registry)
	if err != nil {
		return err
	}
	work, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	var runErr error
	running.Go(func() {
		runErr = w.Run(work)
		stop()
	})
	defer func() {
		stop()
		running.Wait()
		err = errors.Join(err, runErr)
	}()

	result, err := a.demoInput(work, kafkaConfig, s, w.Worker, paths, opt)
	if err != nil {
		return err
	}
	rebuilt, err := w.opinions.Rebuild(work, false, false, "demo")
	if err != nil {
		return fmt.Errorf("cannot group the mentions into opinions: %w", err)
	}
	result.Opinions = rebuilt.Opinions
	w.analyser.Refresh(work)
	if err := a.printDemo(result); err != nil || once {
		return err
	}
	return a.demoServe(work, s, w, registry)
}

// productsFile are the products of a folder, in --dir, where none are configured: every command on the folder reads mentions
// with the same ones.
const productsFile = "products.yaml"

// writeSamples puts the built-in sample conversations into DIR/samples, where people can look at them, and their product
// names into use where no others are configured.
func (a *app) writeSamples() ([]string, error) {
	dir := filepath.Join(a.dir, "samples")
	err := fs.WalkDir(testdata.Samples, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(dir, filepath.FromSlash(path))
		if d.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		b, err := fs.ReadFile(testdata.Samples, path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, b, 0o600)
	})
	if err != nil {
		return nil, fmt.Errorf("cannot write the samples: %w", err)
	}
	if a.config.NLP.Products == "" {
		a.config.NLP.Products = filepath.Join(a.dir, productsFile)
		b, err := fs.ReadFile(testdata.Samples, productsFile)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(a.config.NLP.Products, b, 0o600); err != nil {
			return nil, fmt.Errorf("cannot write the products of the samples: %w", err)
		}
	}
	return []string{filepath.Join(dir, "transcripts")}, nil
}

// demoInput sends the files, waits until the worker has written all of it, and counts.
func (a *app) demoInput(ctx context.Context, kafkaConfig stream.KafkaConfig, s *store, w *stream.Worker, paths []string, opt intake.Options) (*demoResult, error) {
	key, err := a.deploymentKey(true)
	if err != nil {
		return nil, err
	}
	var bad []string // SHA-256 of the lines that are no message
	sessions := newSessionSet(key, mask.New(key, mask.Options{}).Message)
	began := time.Now()
	n, sendErr := a.send(ctx, kafkaConfig, paths, opt, func(l *line) {
		if l.msg != nil {
			sessions.add(l.msg)
			return
		}
		sum := sha256.Sum256(l.raw)
		bad = append(bad, hex.EncodeToString(sum[:]))
	})
	if n.Messages == 0 && sendErr != nil {
		return nil, sendErr
	}
	if _, err := w.EndInput(ctx); err != nil {
		return nil, fmt.Errorf("the worker did not finish: %w", err)
	}
	a.log.Info("input analysed", "messages", n.Messages, "sessions", len(sessions.order), "took", time.Since(began).Round(time.Millisecond))
	r := &demoResult{Messages: n.Messages, SessionsIn: len(sessions.order), BadLinesIn: n.BadLines, RejectedRows: n.Rejected}
	const chunk = 1000
	r.Emotions, r.Mentions = map[string]int64{}, map[string]int64{}
	agents := map[string]bool{}
	for ids := sessions.order; len(ids) > 0; ids = ids[min(chunk, len(ids)):] {
		part := ids[:min(chunk, len(ids))]
		stored, err := s.StoredVersions(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, id := range part {
			if v, ok := stored[id]; ok && assemble.Covers(uint16(v.Version>>20), v.Seen, sessions.close(id)) {
				r.Written++
			}
		}
		if err := r.count(ctx, s, part, agents); err != nil {
			return nil, err
		}
	}
	r.Agents = int64(len(agents))
	known, err := counts(ctx, s, "SELECT sha256, count() FROM dead_letters WHERE sha256 IN (?) GROUP BY sha256", bad)
	if err != nil {
		return nil, err
	}
	for _, sum := range bad {
		if known[sum] > 0 {
			r.DeadLetters++
		}
	}
	return r, sendErr
}

// count adds what the views say about these sessions.
func (r *demoResult) count(ctx context.Context, s *store, ids []string, agents map[string]bool) error {
	var sessions, turns, flagged uint64
	var names []string
	if err := s.Conn().QueryRow(ctx, "SELECT uniqExact(session_id), sum(turns), countIf(flagged), groupUniqArrayArray(agent_ids) FROM sessions WHERE session_id IN (?)", ids).
		Scan(&sessions, &turns, &flagged, &names); err != nil {
		return err
	}
	r.DistinctSessions += int(sessions)
	r.Turns += int64(turns)
	r.Flagged += int64(flagged)
	for _, id := range names {
		agents[id] = true
	}
	for _, q := range []struct {
		into  map[string]int64
		query string
	}{
		{r.Emotions, "SELECT emotion, count() FROM turns WHERE role = 'customer' AND session_id IN (?) GROUP BY emotion"},
		{r.Mentions, "SELECT kind, count() FROM mentions WHERE session_id IN (?) GROUP BY kind"},
	} {
		found, err := counts(ctx, s, q.query, ids)
		if err != nil {
			return err
		}
		for key, n := range found {
			q.into[key] += n
		}
	}
	return nil
}

// counts reads a query of two columns, a text and a count, over a list of texts.
func counts(ctx context.Context, s *store, query string, list []string) (map[string]int64, error) {
	out := map[string]int64{}
	if len(list) == 0 {
		return out, nil
	}
	rows, err := s.Conn().Query(ctx, query, list)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		var n uint64
		if err := rows.Scan(&key, &n); err != nil {
			return nil, err
		}
		out[key] = int64(n)
	}
	return out, rows.Err()
}

func (a *app) printDemo(r *demoResult) error {
	if a.json {
		return json.NewEncoder(a.out).Encode(r)
	}
	tw := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "messages sent\t%d (%d bad lines, %d dead letters)\n", r.Messages, r.BadLinesIn, r.DeadLetters)
	fmt.Fprintf(tw, "sessions\t%d sent, %d written, %d in the view\n", r.SessionsIn, r.Written, r.DistinctSessions)
	fmt.Fprintf(tw, "turns\t%d\nflagged\t%d\nagents\t%d\n", r.Turns, r.Flagged, r.Agents)
	fmt.Fprintf(tw, "emotions of customers\t%s\n", topCounts(r.Emotions, 13, emotionName))
	fmt.Fprintf(tw, "mentions\t%s\n", topCounts(r.Mentions, 6, nil))
	fmt.Fprintf(tw, "opinions\t%d, of mentions said more than once\n", r.Opinions)
	return tw.Flush()
}

// demoServe serves the pages and the metrics until ctx is done.
func (a *app) demoServe(ctx context.Context, s *store, w *worker, registry *prometheus.Registry) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	waitMetrics, err := serveMetrics(ctx, a.config.Listen.Metrics, registry, w, a.log)
	if err != nil {
		return err
	}
	pagesErr := a.demoUsers(ctx, s)
	if pagesErr == nil {
		pagesErr = a.servePages(ctx, s, &judging{w.analyser, w.opinions})
	}
	stop()
	return errors.Join(pagesErr, waitMetrics())
}
