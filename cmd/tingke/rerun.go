package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/opinions"
	"github.com/tingke/tingke/pipeline/rerun"
	"github.com/tingke/tingke/pipeline/rulestore"
	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/rules"
)

// newLive is the way of new sessions into a store; base gives the analyser in use.
func (a *app) newLive(s *store, base func() *analyse.Analyser) (*rerun.Live, error) {
	key, err := a.deploymentKey(true)
	if err != nil {
		return nil, err
	}
	return rerun.NewLive(s.Warehouse, base, a.loadRules, key, a.log), nil
}

// newRunner works on the runs of a store.
func (a *app) newRunner(s *store, base func() *analyse.Analyser, rate float64, progress func(rerun.Progress)) (*rerun.Runner, error) {
	live, err := a.newLive(s, base)
	if err != nil {
		return nil, err
	}
	return rerun.New(rerun.Options{Live: live, Epoch: a.epochs(s, base), Rate: rate, Progress: progress, Log: a.log}), nil
}

// epochs gives analysers with the registry of opinions as of an epoch. The last older snapshot is kept: a run asks for its
// own again and again. The function is for one goroutine.
func (a *app) epochs(s *store, base func() *analyse.Analyser) func(context.Context, uint32) (*analyse.Analyser, error) {
	var kept analyse.Opinions
	return func(ctx context.Context, epoch uint32) (*analyse.Analyser, error) {
		an := base()
		if kept != nil && kept.Epoch() == epoch {
			return an.WithOpinions(kept), nil
		}
		if an.Epoch() == epoch {
			return an, nil
		}
		if epoch == 0 {
			return an.WithOpinions(nil), nil
		}
		latest, err := s.LatestOpinionEpoch(ctx)
		if err != nil {
			return nil, err
		}
		if epoch > latest.Epoch {
			return nil, usagef("epoch %d is not published; the latest is %d", epoch, latest.Epoch)
		}
		events, err := s.OpinionEvents(ctx, epoch)
		if err != nil {
			return nil, err
		}
		m, err := a.opinionModel()
		if err != nil {
			return nil, err
		}
		kept = opinions.NewSnapshot(m, epoch, opinions.Fold(events))
		return an.WithOpinions(kept), nil
	}
}

type rerunFlags struct {
	from, to, note  string
	rules           []string
	filter          rerun.Filter
	epoch, run      int64
	rate            float64
	dry, fresh, now bool
	distribute      bool
	samples         int
}

func (a *app) rerunCommand() *cobra.Command {
	var f rerunFlags
	c := &cobra.Command{
		Use:   "rerun --from DAY --to DAY",
		Short: "Judge the stored sessions of a period anew, with other rules, models or opinions",
		Long: "Judges the sessions that started from --from to --to (days, both inside) with --rules, with the models of this program\n" +
			"and with the registry of opinions of --epoch. The results are a run: they lie beside the live ones, nobody sees them\n" +
			"until `tingke runs switch`. Messages that come meanwhile are taken into it. Sessions that the filters leave out are\n" +
			"taken over as they are, so that a switch shows the whole period. A rerun that was killed goes on when the same\n" +
			"command, or --run, is given. With --dry-run nothing is written; what would differ from what is shown is printed.",
		Example: "  tingke rerun --from 2026-10-01 --to 2026-10-31 --rules standard,presale.yaml --dry-run\n" +
			"  tingke rerun --from 2026-10-01 --to 2026-10-31 --rate 2000\n  tingke rerun --run 3 --distribute\n  tingke runs compare 0 3 && tingke runs switch 3",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return a.withStore(c.Context(), func(s *store) error { return a.rerun(c.Context(), s, &f) })
		},
	}
	fs := c.Flags()
	fs.StringVar(&f.from, "from", "", "first day, such as 2026-10-01")
	fs.StringVar(&f.to, "to", "", "last day, inside the period")
	fs.StringSliceVar(&f.rules, "rules", nil, "rule packs: ids of built-in packs or YAML files; empty: those in use")
	fs.StringSliceVar(&f.filter.Shop, "shop", nil, "only sessions of these shops")
	fs.StringSliceVar(&f.filter.Channel, "channel", nil, "only sessions of these channels")
	fs.StringSliceVar(&f.filter.Business, "business", nil, "only sessions of these businesses (presales, insales, aftersales, followup)")
	fs.StringSliceVar(&f.filter.Source, "source", nil, "only sessions of these sources")
	fs.Int64Var(&f.epoch, "epoch", -1, "epoch of the registry of opinions; -1: the latest")
	fs.Float64Var(&f.rate, "rate", 0, "at most so many turns per second, so that live work is not slowed down; 0: no limit")
	fs.BoolVar(&f.dry, "dry-run", false, "write nothing, print what would differ from what is shown")
	fs.Int64Var(&f.run, "run", 0, "go on with this run")
	fs.BoolVar(&f.fresh, "new", false, "start a new run even where one of the same period and rules is unfinished")
	fs.BoolVar(&f.now, "switch", false, "show the results as soon as they are there (see tingke runs switch)")
	fs.BoolVar(&f.distribute, "distribute", false, "have the running workers (tingke run) do it, through Kafka; --rate is then that of each")
	fs.StringVar(&f.note, "note", "", "what it is for")
	fs.IntVar(&f.samples, "samples", 5, "with --dry-run: sessions shown of each rule that fire newly, and that fire no more")
	return c
}

func (f *rerunFlags) check() error {
	switch {
	case f.run > 0 && (f.from != "" || f.to != "" || len(f.rules) > 0 || f.dry || f.fresh || f.epoch >= 0 || f.filter.String() != ""):
		return usagef("--run goes on with a run as it was begun; leave the other flags away (but --rate and --switch)")
	case f.run == 0 && (f.from == "" || f.to == ""):
		return usagef("--from and --to are needed: the first and the last day of the period, such as --from 2026-10-01 --to 2026-10-31")
	case f.rate < 0:
		return usagef("--rate %g is below 0", f.rate)
	case f.dry && (f.now || f.distribute):
		return usagef("--dry-run writes nothing; leave --switch and --distribute away")
	case f.epoch >= 1<<28:
		return usagef("--epoch %d is no epoch", f.epoch)
	}
	return nil
}

// rerunResult is what `rerun --json` prints.
type rerunResult struct {
	Run          uint64    `json:"run_id"`
	State        string    `json:"state"`
	From         time.Time `json:"from"`
	To           time.Time `json:"to"`
	Sessions     uint64    `json:"sessions"`
	RulesVersion string    `json:"rules_version"`
	ModelVersion string    `json:"model_version"`
	Epoch        uint32    `json:"epoch"`
	Resumed      bool      `json:"resumed"`
	Seconds      float64   `json:"seconds"`
	Turns        int       `json:"turns"` // judged by this process
	Switched     bool      `json:"switched"`
}

func (a *app) rerun(ctx context.Context, s *store, f *rerunFlags) error {
	inUse, err := a.currentAnalyser(ctx, s, nil, nil)
	if err != nil {
		return err
	}
	base := inUse.InUse() // one for all sessions, whatever is published meanwhile
	fixed := func() *analyse.Analyser { return base }
	var last rerun.Progress
	progress := a.rerunProgress(&last)
	r, err := a.newRunner(s, fixed, f.rate, progress)
	if err != nil {
		return err
	}
	began := time.Now()
	id, resumed := uint64(f.run), true
	if f.run == 0 {
		q, err := a.rerunRequest(ctx, s, f, base)
		if err != nil {
			return err
		}
		if f.dry {
			zone, err := time.LoadLocation(a.config.Timezone)
			if err != nil {
				return err
			}
			report, err := r.DryRun(ctx, q, zone, f.samples)
			a.endProgress(last)
			if err != nil {
				return err
			}
			return a.printReport(report)
		}
		run, again, err := r.Start(ctx, q, f.fresh)
		if err != nil {
			return usage(err)
		}
		id, resumed = run.ID, again
	}
	if resumed && !a.json {
		fmt.Fprintf(a.err, "goes on with run %d\n", id)
	}
	var run *warehouse.Run
	if f.distribute {
		run, err = a.distribute(ctx, r, id)
	} else {
		run, err = r.Work(ctx, id)
	}
	a.endProgress(last)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("run %d is not finished; go on with: tingke rerun --run %d", id, id)
		}
		return fmt.Errorf("run %d: %w", id, err)
	}
	if !a.json && base.RulesVersion() != run.RulesVersion {
		fmt.Fprintf(a.err, "run %d judges by other rules than those in use: new sessions are judged by those in use until you publish these (tingke rules publish)\n", id)
	}
	if f.now {
		if _, err := r.Switch(ctx, id, actor()); err != nil {
			return err
		}
	}
	out := rerunResult{id, run.State, run.From, run.To, run.Sessions, run.RulesVersion, run.ModelVersion, run.Epoch, resumed, time.Since(began).Seconds(), last.Turns, f.now}
	if a.json {
		return json.NewEncoder(a.out).Encode(out)
	}
	fmt.Fprintf(a.out, "run %d: %d sessions judged by %s in %s\n", id, run.Sessions, run.RulesVersion, time.Since(began).Round(10*time.Millisecond))
	if f.now {
		fmt.Fprintf(a.out, "it is shown now; take it back with: tingke runs switch --back\n")
	} else {
		fmt.Fprintf(a.out, "look at it with: tingke runs compare 0 %d   show it with: tingke runs switch %d\n", id, id)
	}
	return nil
}

// distribute has the workers do a run.
func (a *app) distribute(ctx context.Context, r *rerun.Runner, id uint64) (_ *warehouse.Run, err error) {
	kafka, release, err := a.kafka(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	topic := a.config.Kafka.RerunTopic
	asked := kafka
	asked.Topic = topic
	if n, err := asked.Partitions(ctx); err != nil || n == 0 {
		return nil, usagef("there is no topic %s to hand the sessions out by (%v): make it, with as many partitions as you have workers", topic, err)
	}
	producer, err := stream.NewProducer(kafka, topic, a.log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, producer.Close()) }()
	warned := false
	return r.Share(ctx, id, rerun.Sharing{
		Send: func(ctx context.Context, tasks []rerun.Task) error {
			records := make([]stream.Record, len(tasks))
			for i, t := range tasks {
				b, err := json.Marshal(t)
				if err != nil {
					return err
				}
				records[i] = stream.Record{Key: []byte(t.After), Value: b}
			}
			return producer.Send(ctx, records...)
		},
		Idle: func(d time.Duration) {
			if !warned {
				warned = true
				fmt.Fprintf(a.err, "no worker has done anything for %s: is one running (tingke run), with the same rules, dictionaries and program?\n", d.Round(time.Second))
			}
		},
	})
}

// shareReruns takes shares of reruns until ctx is done, where there is a topic of them.
func (a *app) shareReruns(ctx context.Context, kafka stream.KafkaConfig, r *rerun.Runner) {
	topic, group := a.config.Kafka.RerunTopic, a.config.Kafka.Group+".reruns"
	asked := kafka
	asked.Topic = topic
	wait := func(d time.Duration) bool {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		}
	}
	for {
		if n, err := asked.Partitions(ctx); err == nil && n > 0 {
			break
		}
		if !wait(time.Minute) {
			return
		}
	}
	tasks, err := stream.NewTasks(kafka, topic, group, a.log)
	if err != nil {
		a.log.Error("cannot take shares of reruns", "error", err)
		return
	}
	defer func() {
		if err := tasks.Close(); err != nil {
			a.log.Debug("cannot leave the group of reruns", "error", err)
		}
	}()
	for {
		b, err := tasks.Next(ctx)
		if ctx.Err() != nil || errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			err = a.doShare(ctx, r, b)
		}
		if err == nil {
			err = tasks.Done(ctx)
		}
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			a.log.Error("cannot do a share of a rerun; it is handed out again", "error", err)
			if !wait(time.Second) {
				return
			}
		}
	}
}

// doShare does a task. One that can never be done is put aside: whoever hands them out sees that it is not done.
func (a *app) doShare(ctx context.Context, r *rerun.Runner, b []byte) error {
	task, err := rerun.ParseTask(b)
	n := 0
	if err == nil {
		n, err = r.Do(ctx, task)
	}
	if err != nil && !warehouse.IsTransient(err) && ctx.Err() == nil {
		a.log.Error("this worker cannot do a share of a rerun", "run", task.Run, "error", err)
		return nil
	}
	if n > 0 {
		a.log.Info("a share of a rerun is done", "run", task.Run, "sessions", n)
	}
	return err
}

// rerunRequest reads the flags.
func (a *app) rerunRequest(ctx context.Context, s *store, f *rerunFlags, base *analyse.Analyser) (q rerun.Request, err error) {
	zone, err := time.LoadLocation(a.config.Timezone)
	if err != nil {
		return q, err
	}
	start, end, err := period(f.from, f.to, zone)
	if err != nil {
		return q, err
	}
	q = rerun.Request{From: start.UTC(), To: end.Add(-time.Millisecond).UTC(), Filter: f.filter, Epoch: base.Epoch(), Actor: actor(), Note: f.note}
	if f.epoch >= 0 {
		q.Epoch = uint32(f.epoch)
	}
	q.Packs, err = a.runPacks(ctx, s, f.rules)
	return q, err
}

// runPacks reads the texts of rule packs: those named, else those in use.
func (a *app) runPacks(ctx context.Context, s *store, names []string) ([]warehouse.RunPack, error) {
	var out []warehouse.RunPack
	if len(names) == 0 {
		use, err := a.rulesInUse(ctx, s)
		if err != nil {
			return nil, err
		}
		for _, p := range use.Packs {
			yaml, err := p.YAML()
			if err != nil {
				return nil, err
			}
			out = append(out, warehouse.RunPack{Name: packFile(p), YAML: string(yaml)})
		}
		return out, nil
	}
	for _, name := range names {
		yaml, err := rules.Find(name).YAML()
		if err != nil {
			return nil, &exitError{exitUsage, err}
		}
		out = append(out, warehouse.RunPack{Name: name, YAML: string(yaml)})
	}
	return out, nil
}

func packFile(p rulestore.Pack) string { return p.ID + ".yaml" }

// rerunProgress keeps the last progress, and shows it on a terminal.
func (a *app) rerunProgress(last *rerun.Progress) func(rerun.Progress) {
	began, shown := time.Now(), time.Time{}
	terminal := a.terminal()
	return func(p rerun.Progress) {
		*last = p
		if terminal && time.Since(shown) > 500*time.Millisecond {
			shown = time.Now()
			fmt.Fprintf(a.err, "\r%d of about %d sessions, %.0f turns/s ", p.Done, p.Total, float64(p.Turns)/time.Since(began).Seconds())
		}
	}
}

func (a *app) endProgress(last rerun.Progress) {
	if a.terminal() && last.Pass > 0 {
		fmt.Fprintln(a.err)
	}
}

// repairLook is how often a worker asks whether there was a switch.
const repairLook = time.Minute

// repairRuns mends, while a worker runs, what others that were killed left between a switch or a tombstone and the look
// after it: at the start, soon after each switch, and every hour. Of several processes one does it.
func repairRuns(ctx context.Context, r *rerun.Runner, every time.Duration, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		n, err := r.RepairDue(ctx)
		if ctx.Err() != nil {
			return
		}
		switch {
		case errors.Is(err, rerun.ErrBusy):
		case err != nil:
			log.Error("cannot look for sessions that their run does not hold", "error", err)
		case n > 0:
			log.Info("sessions were mended that a killed process had left behind a switch", "sessions", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
