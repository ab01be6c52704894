package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/pipeline/rerun"
	"github.com/tingke/tingke/pipeline/warehouse"
)

func (a *app) runsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "runs",
		Short:   "Results of reruns: list, compare, show them, and show again what was there before",
		Example: "  tingke runs list\n  tingke runs compare 0 3\n  tingke runs switch 3\n  tingke runs switch --back",
	}
	c.AddCommand(a.runsListCommand(), a.runsShowCommand(), a.runsCompareCommand(), a.runsSwitchCommand())
	return c
}

// runRow is a run as the view shows it.
type runRow struct {
	ID           uint64    `ch:"run_id" json:"run_id"`
	State        string    `ch:"state" json:"state"`
	From         time.Time `ch:"from" json:"from"`
	To           time.Time `ch:"to" json:"to"`
	Sessions     uint64    `ch:"sessions" json:"sessions"`
	RulesVersion string    `ch:"rules_version" json:"rules_version"`
	ModelVersion string    `ch:"model_version" json:"model_version"`
	Epoch        uint32    `ch:"epoch" json:"epoch"`
	Filter       string    `ch:"filter" json:"filter"`
	Actor        string    `ch:"actor" json:"actor"`
	Note         string    `ch:"note" json:"note"`
	CreatedAt    time.Time `ch:"created_at" json:"created_at"`
}

func runRows(ctx context.Context, s *store, where string, args ...any) ([]runRow, error) {
	var out []runRow
	return out, s.Conn().Select(ctx, &out, "SELECT run_id, state, `from`, `to`, sessions, rules_version, model_version, epoch, filter, actor, note, created_at FROM runs "+where+" ORDER BY run_id DESC", args...)
}

// runID reads a run of the command line.
func runID(text string) (uint64, error) {
	id, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, usagef("%q is no run: write its number, see tingke runs list (0 is the live one)", text)
	}
	return id, nil
}

func (a *app) runsListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "All runs, the latest first", Example: "  tingke runs list --json", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withStore(c.Context(), func(s *store) error {
				list, err := runRows(c.Context(), s, "")
				if err != nil {
					return err
				}
				if a.json {
					e := json.NewEncoder(a.out)
					for _, r := range list {
						if err := e.Encode(r); err != nil {
							return err
						}
					}
					return nil
				}
				if len(list) == 0 {
					fmt.Fprintln(a.out, "there are no runs; tingke rerun makes one")
					return nil
				}
				zone, err := time.LoadLocation(a.config.Timezone)
				if err != nil {
					return err
				}
				tw := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(tw, "RUN\tSTATE\tFROM\tTO\tSESSIONS\tRULES\tEPOCH\tSTARTED\tNOTE")
				for _, r := range list {
					fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%d\t%s\t%d\t%s\t%s\n", r.ID, r.State, r.From.In(zone).Format(time.DateOnly), r.To.In(zone).Format(time.DateOnly), r.Sessions,
						r.RulesVersion, r.Epoch, r.CreatedAt.In(zone).Format("2006-01-02 15:04"), orDash(r.Note))
				}
				return tw.Flush()
			})
		},
	}
}

// runDetail is what `runs show` prints.
type runDetail struct {
	runRow
	Packs []string `json:"packs"`
	// Behind are sessions of the period that got messages since; a switch judges them first.
	Behind   int           `json:"behind"`
	Switches []switchEvent `json:"switches"` // of the period, the latest first
}

type switchEvent struct {
	At     time.Time `json:"at"`
	Run    uint64    `json:"run_id"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Actor  string    `json:"actor"`
	Undoes time.Time `json:"undoes,omitzero"`
}

func (a *app) runsShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show RUN", Short: "One run: its rules, how far it is, and who switched to it", Example: "  tingke runs show 3", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := runID(args[0])
			if err != nil {
				return err
			}
			return a.withStore(c.Context(), func(s *store) error { return a.showRun(c.Context(), s, id) })
		},
	}
}

func (a *app) showRun(ctx context.Context, s *store, id uint64) error {
	list, err := runRows(ctx, s, "WHERE run_id = ?", id)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return usagef("there is no run %d: tingke runs list shows them", id)
	}
	d := runDetail{runRow: list[0], Packs: []string{}, Switches: []switchEvent{}}
	packs, err := s.RunPacks(ctx, id)
	if err != nil {
		return err
	}
	for _, p := range packs {
		d.Packs = append(d.Packs, p.Name)
	}
	behind, err := s.Behind(ctx, id, d.From, d.To, warehouse.IDRange{})
	if err != nil {
		return err
	}
	d.Behind = len(behind)
	switches, err := s.Switches(ctx)
	if err != nil {
		return err
	}
	for _, x := range switches {
		if !x.From.After(d.To) && !x.To.Before(d.From) {
			d.Switches = append(d.Switches, switchEvent{x.At, x.RunID, x.From, x.To, x.Actor, x.Undoes})
		}
	}
	if a.json {
		return json.NewEncoder(a.out).Encode(d)
	}
	zone, err := time.LoadLocation(a.config.Timezone)
	if err != nil {
		return err
	}
	at := func(t time.Time) string { return t.In(zone).Format("2006-01-02 15:04:05") }
	tw := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "run\t%d, %s\nperiod\t%s to %s\nsessions\t%d, %d behind what came since\n", d.ID, d.State, at(d.From), at(d.To), d.Sessions, d.Behind)
	fmt.Fprintf(tw, "rules\t%s (%s)\nmodels\t%s\nepoch\t%d\nfilter\t%s\n", d.RulesVersion, strings.Join(d.Packs, ", "), d.ModelVersion, d.Epoch, orDash(d.Filter))
	fmt.Fprintf(tw, "started\t%s by %s\nnote\t%s\n", at(d.CreatedAt), orDash(d.Actor), orDash(d.Note))
	for _, x := range d.Switches {
		what := "switched to"
		if !x.Undoes.IsZero() {
			what = "switched back to"
		}
		fmt.Fprintf(tw, "%s\t%s run %d for %s to %s by %s\n", at(x.At), what, x.Run, at(x.From), at(x.To), orDash(x.Actor))
	}
	return tw.Flush()
}

func (a *app) runsCompareCommand() *cobra.Command {
	var from, to string
	var samples int
	c := &cobra.Command{
		Use:   "compare A B",
		Short: "What differs between two runs: rules, days, agents' scores, opinions, with samples",
		Long: "A and B are runs; 0 is the live one. Compared are the closed sessions that both have and that started in the period of B (of A\n" +
			"where B is 0), or from --from to --to. A session of which the other has nothing is only counted.",
		Example: "  tingke runs compare 0 3\n  tingke runs compare 2 3 --from 2026-10-01 --to 2026-10-07 --json",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			var ids [2]uint64
			for i, text := range args {
				var err error
				if ids[i], err = runID(text); err != nil {
					return err
				}
			}
			if ids[0] == ids[1] {
				return usagef("run %d does not differ from itself", ids[0])
			}
			return a.withStore(c.Context(), func(s *store) error { return a.compareRuns(c.Context(), s, ids, from, to, samples) })
		},
	}
	c.Flags().StringVar(&from, "from", "", "first day, such as 2026-10-01; empty: that of the run")
	c.Flags().StringVar(&to, "to", "", "last day, inside the period")
	c.Flags().IntVar(&samples, "samples", 5, "sessions shown of each rule that fire newly, and that fire no more")
	return c
}

func (a *app) compareRuns(ctx context.Context, s *store, ids [2]uint64, from, to string, samples int) error {
	zone, err := time.LoadLocation(a.config.Timezone)
	if err != nil {
		return err
	}
	start, end, err := period(from, to, zone)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if id == 0 {
			continue
		}
		run, err := s.Run(ctx, id)
		if err != nil {
			return err
		}
		if run == nil {
			return usagef("there is no run %d: tingke runs list shows them", id)
		}
		if from == "" { // that of B wins
			start = run.From
		}
		if to == "" {
			end = run.To.Add(time.Millisecond)
		}
	}
	r, err := rerun.Compare(ctx, s.Warehouse, ids[0], ids[1], start, end.Add(-time.Millisecond), zone, samples)
	if err != nil {
		return err
	}
	return a.printReport(r)
}

func (a *app) printReport(r *rerun.Report) error {
	if a.json {
		e := json.NewEncoder(a.out)
		e.SetEscapeHTML(false)
		return e.Encode(r)
	}
	side := func(x rerun.Side) string {
		what := fmt.Sprintf("run %d", x.Run)
		if x.DryRun {
			what = "dry run"
		} else if x.Run == 0 {
			what = "live"
		}
		return what + ": " + strings.Join(x.RulesVersion, ", ")
	}
	tw := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "A\t%s\nB\t%s\n", side(r.A), side(r.B))
	fmt.Fprintf(tw, "sessions\t%d closed in both, with %d turns; %d differ; %d in A only, %d in B only\n", r.Sessions, r.Turns, r.Changed, r.OnlyA, r.OnlyB)
	fmt.Fprintf(tw, "score, mean\t%s -> %s (%d sessions lower, %d higher)\n", number(r.Score.A), number(r.Score.B), r.Score.Lower, r.Score.Higher)
	fmt.Fprintf(tw, "flagged\t%s -> %s of the sessions (%d new, %d gone)\n", share(r.Flagged.A, r.Sessions), share(r.Flagged.B, r.Sessions), r.Flagged.New, r.Flagged.Gone)
	fmt.Fprintf(tw, "mentions\t%d -> %d\n\n", r.Mentions.A, r.Mentions.B)
	fmt.Fprintln(tw, "RULE\tA\tB\tNEW\tGONE\tSAME")
	same := 0
	for _, x := range r.Rules {
		if x.Fires.New+x.Fires.Gone == 0 {
			same++
			continue
		}
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d\t%d\n", x.ID, x.Fires.A, x.Fires.B, x.Fires.New, x.Fires.Gone, x.Fires.Same)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if same > 0 {
		fmt.Fprintf(a.out, "%d rules fire in the same sessions\n", same)
	}
	for _, x := range r.Rules {
		if x.Fires.New+x.Fires.Gone > 0 {
			a.printRuleChange(&x)
		}
	}
	return a.printReportTables(r)
}

func (a *app) printRuleChange(x *rerun.RuleChange) {
	fmt.Fprintf(a.out, "\n%s: outcomes %s -> %s\n", x.ID, outcomeCounts(x.OutcomesA), outcomeCounts(x.OutcomesB))
	days := slices.DeleteFunc(slices.Clone(x.Days), func(d rerun.RuleDay) bool { return d.New+d.Gone == 0 })
	for i, d := range days {
		if i == shownDays {
			fmt.Fprintf(a.out, "  ... and %d further days (--json has all)\n", len(days)-i)
			break
		}
		fmt.Fprintf(a.out, "  %s: %d -> %d (%d new, %d gone)\n", orDash(d.Day), d.A, d.B, d.New, d.Gone)
	}
	for _, l := range []struct {
		word string
		list []rerun.Sample
	}{{"new ", x.New}, {"gone", x.Gone}} {
		for _, s := range l.list {
			fmt.Fprintf(a.out, "  %s  %s hit %s: %s\n", l.word, s.SessionID, orDash(s.HitID), s.Reason)
			if s.Text != "" && int(s.End) <= len(s.Text) && s.Start <= s.End {
				fmt.Fprintf(a.out, "       turn %d %s: %s\n", s.Turn, s.Role, marked(s.Text, int(s.Start), int(s.End)))
			}
		}
	}
}

func (a *app) printReportTables(r *rerun.Report) error {
	table := func(head string, n int, row func(tw *tabwriter.Writer, i int)) error {
		if n == 0 {
			return nil
		}
		fmt.Fprintln(a.out)
		tw := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, head)
		for i := range min(n, shownAgents) {
			row(tw, i)
		}
		if err := tw.Flush(); err != nil {
			return err
		}
		if n > shownAgents {
			fmt.Fprintf(a.out, "... and %d further (--json has all)\n", n-shownAgents)
		}
		return nil
	}
	agents := slices.DeleteFunc(slices.Clone(r.Agents), func(x rerun.AgentChange) bool { return x.Change == 0 })
	err := table("AGENT\tSESSIONS\tSCORE A\tB\tCHANGE", len(agents), func(tw *tabwriter.Writer, i int) {
		x := agents[i]
		fmt.Fprintf(tw, "%s\t%d\t%.1f\t%.1f\t%+.1f\n", x.AgentID, x.Sessions, x.A, x.B, x.Change)
	})
	return errors.Join(err, table("OPINION\tMENTIONS A\tB\tTITLE", len(r.Opinions), func(tw *tabwriter.Writer, i int) {
		x := r.Opinions[i]
		fmt.Fprintf(tw, "%s\t%d\t%d\t%s\n", x.ID, x.A, x.B, x.Title)
	}))
}

func (a *app) runsSwitchCommand() *cobra.Command {
	var back bool
	c := &cobra.Command{
		Use:   "switch RUN | switch --back",
		Short: "Show a run in all views for its period, or what was shown before the latest switch",
		Long: "All views, pages and figures show the run for the sessions that start in its period from this moment on, all at once.\n" +
			"What came since the run was done is judged first, and later messages of these sessions are judged by the rules of\n" +
			"the run. --back takes the latest switch back that stands; given again, the one before it.",
		Example: "  tingke runs switch 3\n  tingke runs switch --back",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if back == (len(args) == 1) {
				return usagef("name a run, or give --back")
			}
			var id uint64
			if !back {
				var err error
				if id, err = runID(args[0]); err != nil {
					return err
				}
			}
			return a.withStore(c.Context(), func(s *store) error { return a.switchRun(c.Context(), s, id, back) })
		},
	}
	c.Flags().BoolVar(&back, "back", false, "take the latest switch back")
	return c
}

func (a *app) switchRun(ctx context.Context, s *store, id uint64, back bool) error {
	inUse, err := a.currentAnalyser(ctx, s, nil, nil)
	if err != nil {
		return err
	}
	r, err := a.newRunner(s, inUse.InUse, 0, nil)
	if err != nil {
		return err
	}
	var done *rerun.Switched
	if back {
		done, err = r.Back(ctx, actor())
	} else {
		done, err = r.Switch(ctx, id, actor())
	}
	if err != nil {
		return usage(err)
	}
	if err := a.audit(ctx, s, "switch_run", fmt.Sprint(done.Runs[0].RunID), map[string]any{"from": done.From, "to": done.To, "back": back}); err != nil {
		return findingsf("the switch is made, but that is not in the audit log: %w", err)
	}
	events := mapped(done.Runs, func(x warehouse.Switch) switchEvent {
		return switchEvent{Run: x.RunID, From: x.From, To: x.To, Actor: x.Actor, Undoes: x.Undoes}
	})
	if a.json {
		return json.NewEncoder(a.out).Encode(struct {
			Shown  []switchEvent `json:"shown"`
			Caught int           `json:"caught_up"`
		}{events, done.Caught})
	}
	zone, err := time.LoadLocation(a.config.Timezone)
	if err != nil {
		return err
	}
	for _, x := range events {
		what := fmt.Sprintf("run %d is", x.Run)
		if x.Run == 0 {
			what = "the live results are"
		}
		fmt.Fprintf(a.out, "%s shown for sessions that start from %s to %s\n", what, x.From.In(zone).Format("2006-01-02 15:04"), x.To.In(zone).Format("2006-01-02 15:04"))
	}
	if done.Caught > 0 {
		fmt.Fprintf(a.out, "%d sessions had got messages meanwhile and were judged too\n", done.Caught)
	}
	return nil
}
