package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/failpoint"
	"github.com/tingke/tingke/pipeline/rerun"
	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/pipeline/warehouse"
)

func (a *app) runCommand() *cobra.Command {
	var packs []string
	c := &cobra.Command{
		Use:   "run",
		Short: "Stream worker: transcripts from Kafka, analysed sessions into ClickHouse, until interrupted",
		Long: "Joins the consumer group, analyses what comes and writes it. Start more of them for more load. Interrupting it\n" +
			"writes and commits what is in memory; killing it costs nothing but the work since the last commit.",
		Example: "  tingke run\n  KAFKA_BROKERS=kafka:9092 CLICKHOUSE_DSN=clickhouse://user:pass@host:9000/tingke tingke run --config tingke.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			ctx := c.Context()
			if err := failpoint.Check(); err != nil {
				return &exitError{exitUsage, err}
			}
			kafka, release, err := a.kafka(ctx)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, release()) }()
			store, err := a.openStore(ctx)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			registry := newRegistry()
			w, err := a.newWorker(ctx, kafka, store, packs, registry)
			if err != nil {
				return err
			}
			return a.runWorker(ctx, w, registry)
		},
	}
	c.Flags().StringSliceVar(&packs, "rules", nil, "rule packs: ids of built-in packs or YAML files; empty: those of the configuration")
	return c
}

// newWorker makes the stream worker of the configuration.
func (a *app) newWorker(ctx context.Context, kafka stream.KafkaConfig, store *store, packs []string, registry prometheus.Registerer) (_ *worker, err error) {
	analyser, err := a.currentAnalyser(ctx, store, packs, registry)
	if err != nil {
		return nil, err
	}
	key, err := a.storeKey(ctx, store)
	if err != nil {
		return nil, err
	}
	m := mask.New(key, mask.Options{})
	s := a.config.Stream
	a.roomForEngine(store)
	live, err := a.newLive(store, analyser.InUse)
	if err != nil {
		return nil, err
	}
	if err := live.Refresh(ctx); err != nil {
		return nil, err
	}
	store = store.through(live)
	if err := store.ApplyRetention(ctx, warehouse.Retention(a.config.Retention)); err != nil {
		return nil, err
	}
	alerts, err := a.newAlerts(kafka, store, analyser.InUse, registry)
	if err != nil {
		return nil, err
	}
	var watcher stream.Watcher
	if alerts != nil {
		watcher = discreet{alerts, live}
		defer func() {
			if err != nil {
				err = errors.Join(err, alerts.close())
			}
		}()
	}
	w, err := stream.New(stream.Options{
		Watcher: watcher,
		Kafka:   kafka, Store: store, Analyser: live, Hasher: assemble.NewHasher(key), Mask: m.Message,
		MaskText:   func(s string) string { return m.Raw([]byte(s)) },
		FlushEvery: s.FlushEvery, FlushSessions: s.FlushSessions, EarlyWrite: s.EarlyWrite, Idle: s.Idle,
		SessionTimeout: s.SessionTimeout, StopTimeout: s.StopTimeout,
		Memory: int64(s.Memory), DeadLetterStop: s.DeadLetterStop, Log: a.log, Registerer: registry,
	})
	if err != nil {
		return nil, err
	}
	keeper, err := a.keeper(store, analyser.InUse)
	if err != nil {
		return nil, err
	}
	newRuns := func() *rerun.Runner {
		return rerun.New(rerun.Options{Live: live, Epoch: a.epochs(store, analyser.InUse), Log: a.log})
	}
	shares := newRuns()
	return &worker{w, analyser, keeper, alerts, newRuns(), func(ctx context.Context) { a.shareReruns(ctx, kafka, shares) }, a.config.Opinions.RebuildEvery, a.log}, nil
}

// runWorker runs the worker beside its metrics page until ctx is done or the worker gives up.
func (a *app) runWorker(ctx context.Context, w *worker, registry *prometheus.Registry) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	wait, err := serveMetrics(ctx, a.config.Listen.Metrics, registry, w, a.log)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.err, "worker runs; metrics on http://%s/metrics (Ctrl-C ends it)\n", a.config.Listen.Metrics)
	var running sync.WaitGroup
	var metricsErr error
	running.Go(func() { metricsErr = wait() })
	err = w.Run(ctx)
	stop()
	running.Wait()
	return errors.Join(err, metricsErr)
}
