package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/backtest"
	"github.com/tingke/tingke/pipeline/rulestore"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

func (a *app) rulesBacktestCommand() *cobra.Command {
	var input inputFlags
	var from, to string
	var samples int
	c := &cobra.Command{
		Use:   "backtest DRAFT [FILE|DIR]...",
		Short: "Run a draft beside the rules in use over a stored period or files, and tell what would change",
		Long: "DRAFT is a pack file; it is compared with the pack of its id in use, among all other packs in use. Without files the\n" +
			"closed sessions of the store that started from --from to --to (days, both inside; all without them) are judged anew\n" +
			"with both. Shown are sessions in which each rule fires, newly or no more, by day and with samples; scores, flags and\n" +
			"agents; and, where reviewers confirmed or dismissed hits, precision and recall. Nothing is written.",
		Example: "  tingke rules backtest presale.yaml --from 2026-10-01 --to 2026-10-31\n  tingke rules backtest my.yaml chats.jsonl --json",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			text, err := readPack(args[0])
			if err != nil {
				return err
			}
			zone, err := time.LoadLocation(a.config.Timezone)
			if err != nil {
				return err
			}
			start, end, err := period(from, to, zone)
			if err != nil {
				return err
			}
			if len(args) > 1 && (from != "" || to != "") {
				return usagef("--from and --to choose among stored sessions; they do not go with files")
			}
			b := &backtesting{app: a, zone: zone, samples: samples, draft: rules.Text(args[0], text)}
			if len(args) > 1 {
				return b.files(c.Context(), args[1:], &input)
			}
			return a.withStore(c.Context(), func(s *store) error { return b.stored(c.Context(), s, start, end) })
		},
	}
	input.register(c)
	c.Flags().StringVar(&from, "from", "", "first day, such as 2026-10-01")
	c.Flags().StringVar(&to, "to", "", "last day, inside the period")
	c.Flags().IntVar(&samples, "samples", 5, "sessions shown of each rule that fire newly, and that fire no more")
	return c
}

// period reads days, both inside; the times are zero where they are empty.
func period(from, to string, zone *time.Location) (start, end time.Time, err error) {
	read := func(flag, s string) time.Time {
		if s == "" || err != nil {
			return time.Time{}
		}
		t, e := time.ParseInLocation("2006-01-02", s, zone)
		if e != nil {
			err = usagef("%s %q is no day, write for instance 2026-10-01", flag, s)
		}
		return t
	}
	start, end = read("--from", from), read("--to", to)
	if err == nil && !end.IsZero() {
		if end.Before(start) {
			return start, end, usagef("--to %s is before --from %s", to, from)
		}
		end = end.AddDate(0, 0, 1)
	}
	return start, end, err
}

// backtesting is one run of the command.
type backtesting struct {
	app     *app
	zone    *time.Location
	samples int
	draft   rules.Source
	use     *rulestore.InUse
	packs   *rulestore.Store
	base    *analyse.Analyser // the one in use
}

// files compares over transcripts; what is in use comes from the store where there is one.
func (b *backtesting) files(ctx context.Context, paths []string, input *inputFlags) error {
	opt, err := input.options(b.app.config)
	if err != nil {
		return err
	}
	if b.app.hasStore() {
		err = b.app.withStore(ctx, func(s *store) error { return b.load(ctx, s) })
	} else {
		err = b.load(ctx, nil)
	}
	if err != nil {
		return err
	}
	key, err := b.app.deploymentKey(false)
	if err != nil {
		return err
	}
	sessions := newSessionSet(key, b.app.masker(key))
	bad := 0
	if err := eachLine(ctx, paths, opt, func(l *line) error {
		if l.err != nil {
			bad++
			fmt.Fprintln(b.app.err, l.problem())
			return nil
		}
		sessions.add(l.msg)
		return nil
	}); err != nil {
		return err
	}
	i := 0
	err = b.run(ctx, len(sessions.order), func(context.Context) (backtest.Session, bool, error) {
		if i == len(sessions.order) {
			return backtest.Session{}, false, nil
		}
		i++
		return backtest.Session{Transcript: sessions.close(sessions.order[i-1]).Transcript()}, true, nil
	})
	if err == nil && bad > 0 {
		return usagef("%d lines were no messages (named above); all others were judged", bad)
	}
	return err
}

func (b *backtesting) stored(ctx context.Context, s *store, from, to time.Time) error {
	if err := b.load(ctx, s); err != nil {
		return err
	}
	n, err := s.CountClosedSessions(ctx, from, to)
	if err != nil {
		return err
	}
	return b.run(ctx, n, backtest.NewStored(s.Warehouse, from, to).Next)
}

// load finds the rules in use.
func (b *backtesting) load(ctx context.Context, s *store) (err error) {
	if s == nil {
		if b.packs, err = rulestore.New(nil, b.app.config.Rules.Packs, b.app.loadRules); err != nil {
			return &exitError{exitUsage, err}
		}
		if b.use, err = b.packs.Configured(); err != nil {
			return err
		}
		b.base, err = b.app.newAnalyser(nil)
		return err
	}
	if b.packs, err = b.app.ruleStore(s); err != nil {
		return err
	}
	if b.use, err = b.app.rulesInUse(ctx, s); err != nil {
		return err
	}
	inUse, err := b.app.currentAnalyser(ctx, s, nil, nil)
	if err != nil {
		return err
	}
	b.base = inUse.InUse()
	return nil
}

func (b *backtesting) run(ctx context.Context, total int, next func(context.Context) (backtest.Session, bool, error)) error {
	alone, err := b.app.loadRules(b.draft)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	id, _, _ := strings.Cut(alone.Version(), "@")
	draft, err := b.packs.With(b.use, id, b.draft)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	o := backtest.Options{Pack: id, Live: b.use.Set, Draft: draft, Base: b.base, Samples: b.samples, Zone: b.zone}
	if b.app.terminal() {
		o.Progress = func(done int) { fmt.Fprintf(b.app.err, "\r%d of %d sessions judged ", done, total) }
	}
	r, err := backtest.Run(ctx, o, next)
	if o.Progress != nil {
		fmt.Fprintln(b.app.err)
	}
	if err != nil {
		return err
	}
	if b.app.json {
		enc := json.NewEncoder(b.app.out)
		enc.SetEscapeHTML(false)
		return enc.Encode(r)
	}
	return b.print(r)
}

// shownDays and shownAgents bound what people are shown; --json has all.
const (
	shownDays   = 31
	shownAgents = 10
)

func (b *backtesting) print(r *backtest.Report) error {
	tw := tabwriter.NewWriter(b.app.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "in use\t%s\ndraft\t%s\n", r.Live, r.Draft)
	period := ""
	if r.FirstDay != "" {
		period = fmt.Sprintf(", %s to %s", r.FirstDay, r.LastDay)
	}
	fmt.Fprintf(tw, "sessions\t%d with %d turns%s\n", r.Sessions, r.Turns, period)
	fmt.Fprintf(tw, "score, mean\t%s -> %s (%d sessions lower, %d higher)\n", number(r.Score.LiveMean), number(r.Score.DraftMean), r.Score.Lower, r.Score.Higher)
	fmt.Fprintf(tw, "flagged\t%s -> %s of the sessions (%d new, %d gone)\n\n", share(r.Flagged.Live, r.Sessions), share(r.Flagged.Draft, r.Sessions), r.Flagged.New, r.Flagged.Gone)
	fmt.Fprintln(tw, "RULE\tIN USE\tDRAFT\tNEW\tGONE\tSAME\tPRECISION\tRECALL\tNAME")
	for _, x := range r.Rules {
		name := x.Name
		if x.State != "both" {
			name += " (" + map[string]string{"new": "new rule", "gone": "no longer in the draft"}[x.State] + ")"
		}
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t%s\n", x.ID, x.Fires.Live, x.Fires.Draft, x.Fires.New, x.Fires.Gone, x.Fires.Same,
			quality(x.Reviews.Live.Precision, x.Reviews.Draft.Precision), quality(x.Reviews.Live.Recall, x.Reviews.Draft.Recall), name)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, x := range r.Rules {
		b.printRule(&x)
	}
	return b.printAgents(r)
}

// printRule shows days and samples of a rule whose hits change.
func (b *backtesting) printRule(x *backtest.RuleReport) {
	if x.Fires.New+x.Fires.Gone == 0 {
		return
	}
	out := b.app.out
	fmt.Fprintf(out, "\n%s %s: outcomes %s -> %s\n", x.ID, x.Name, outcomeCounts(x.LiveOutcomes), outcomeCounts(x.DraftOutcomes))
	if n := x.Reviews.Confirmed + x.Reviews.Dismissed; n > 0 {
		fmt.Fprintf(out, "  reviewers confirmed %d and dismissed %d of its hits; in use it finds %d and %d of these, the draft %d and %d\n", x.Reviews.Confirmed,
			x.Reviews.Dismissed, x.Reviews.Live.Confirmed, x.Reviews.Live.Dismissed, x.Reviews.Draft.Confirmed, x.Reviews.Draft.Dismissed)
	}
	days := slices.DeleteFunc(slices.Clone(x.Days), func(d backtest.RuleDay) bool { return d.New+d.Gone == 0 })
	for i, d := range days {
		if i == shownDays {
			fmt.Fprintf(out, "  ... and %d further days (--json has all)\n", len(days)-i)
			break
		}
		day := d.Day
		if day == "" {
			day = "no time"
		}
		fmt.Fprintf(out, "  %s: %d -> %d (%d new, %d gone)\n", day, d.Live, d.Draft, d.New, d.Gone)
	}
	show := func(word string, list []backtest.Sample) {
		for _, s := range list {
			fmt.Fprintf(out, "  %s  %s hit %s: %s\n", word, s.SessionID, s.HitID, s.Reason)
			for _, q := range s.Quotes {
				fmt.Fprintf(out, "       turn %d %s: %s\n", q.Turn, q.Role, marked(q.Text, q.Start, q.End))
			}
		}
	}
	show("new ", x.New)
	show("gone", x.Gone)
}

func (b *backtesting) printAgents(r *backtest.Report) error {
	changed := slices.DeleteFunc(slices.Clone(r.Agents), func(x backtest.Agent) bool { return x.Change == 0 })
	if len(changed) == 0 {
		return nil
	}
	fmt.Fprintln(b.app.out)
	tw := tabwriter.NewWriter(b.app.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "AGENT\tSESSIONS\tSCORE IN USE\tDRAFT\tCHANGE")
	for i, x := range changed {
		if i == shownAgents {
			break
		}
		fmt.Fprintf(tw, "%s\t%d\t%.1f\t%.1f\t%+.1f\n", x.AgentID, x.Sessions, x.LiveMean, x.DraftMean, x.Change)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if n := len(changed) - shownAgents; n > 0 {
		fmt.Fprintf(b.app.out, "... and %d further agents (--json has all)\n", n)
	}
	return nil
}

func number(v schemas.Opt[float64]) string {
	if !v.OK {
		return "-"
	}
	return fmt.Sprintf("%.2f", v.V)
}

func quality(live, draft schemas.Opt[float64]) string {
	if !live.OK && !draft.OK {
		return "-"
	}
	return number(live) + " -> " + number(draft)
}

func share(n, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(of))
}

func outcomeCounts(m map[string]int) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, m[k]))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
