package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os/user"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/nlp/opinion"
	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/opinions"
)

// keeper changes the registry; analyser gives the analyser in use.
func (a *app) keeper(s *store, analyser func() *analyse.Analyser) (*opinions.Keeper, error) {
	m, err := a.opinionModel()
	if err != nil {
		return nil, err
	}
	live := s.live
	if live == nil {
		if live, err = a.newLive(s, analyser); err != nil {
			return nil, err
		}
	}
	return opinions.NewKeeper(s.Warehouse, opinions.Options{Live: live, Model: m, Analyser: analyser, Departments: a.config.Departments,
		Founders: a.config.Opinions.Founders, Log: a.log}), nil
}

// withKeeper runs f with the store and a keeper of its registry.
func (a *app) withKeeper(ctx context.Context, f func(*store, *opinions.Keeper) error) error {
	return a.withStore(ctx, func(s *store) error {
		c, err := a.currentAnalyser(ctx, s, nil, nil)
		if err != nil {
			return err
		}
		k, err := a.keeper(s, c.InUse)
		if err != nil {
			return err
		}
		return f(s, k)
	})
}

// actor is who is at the command line, for the log of the registry.
func actor() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "command line"
}

func (a *app) opinionsRebuildCommand() *cobra.Command {
	var full, dryRun bool
	c := &cobra.Command{
		Use:   "rebuild",
		Short: "Found opinions on mentions that wait for one, and publish the next epoch",
		Long: "Clusters the mentions that belong to no opinion, appends what is new to the registry, publishes the next epoch and analyses\n" +
			"again only the sessions whose mentions it changes. `run` and `demo` do it every opinions.rebuild_every. With --full all\n" +
			"opinions are founded anew on all mentions: the result depends on the mentions alone, not on the order they came in. An id\n" +
			"stays where the smallest member stays; one that goes is redirected to the opinion that took most of its members, with its\n" +
			"title, status and remarks. With --dry-run nothing is written.",
		Example: "  tingke opinions rebuild\n  tingke opinions rebuild --full --dry-run --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withKeeper(c.Context(), func(_ *store, k *opinions.Keeper) error {
				r, err := k.Rebuild(c.Context(), full, dryRun, actor())
				if err != nil {
					return err
				}
				return a.printRebuild(r)
			})
		},
	}
	c.Flags().BoolVar(&full, "full", false, "found all opinions anew on all mentions")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be founded, write nothing")
	return c
}

func (a *app) printRebuild(r *opinions.Result) error {
	if a.json {
		return json.NewEncoder(a.out).Encode(r)
	}
	if r.DryRun {
		fmt.Fprintln(a.out, "nothing was written:")
	}
	for _, o := range r.New {
		fmt.Fprintf(a.out, "new  %s  %s  (%d ways to say it)\n", o.ID, o.Title, len(o.Members))
	}
	_, err := fmt.Fprintf(a.out, "epoch %d: %d opinions, %d founded, %d retired; %d mentions wait; %d sessions analysed again\n",
		r.Epoch, r.Opinions, r.Founded, r.Retired, r.Waiting, r.Sessions)
	return err
}

func (a *app) opinionsListCommand() *cobra.Command {
	var sort, status, trend, product, department string
	var limit int
	orders := map[string]string{"mentions": "mentions DESC", "sessions": "sessions DESC", "customers": "customers DESC", "week": "week DESC", "first_seen": "first_seen DESC", "title": "title"}
	c := &cobra.Command{
		Use:   "list",
		Short: "Opinions with their counts, trend and status",
		Long: "Counts are of mentions, sessions and distinct customers, merges resolved. Trend: new (first seen within 7 days), rising\n" +
			"(the last 7 days at least 3 mentions and twice the 7 before), fading (at most half of the 7 before), steady; the days are\n" +
			"counted back from the last day with any mention.",
		Example: "  tingke opinions list --sort week --limit 20\n  tingke opinions list --trend rising --department 产品 --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			order, ok := orders[sort]
			if !ok {
				return usagef("--sort %q is none of mentions, sessions, customers, week, first_seen, title", sort)
			}
			if limit < 1 {
				return usagef("--limit %d must be at least 1", limit)
			}
			return a.withStore(c.Context(), func(s *store) error {
				return a.listOpinions(c.Context(), s, "WHERE (status = ? OR ? = '') AND (trend = ? OR ? = '') AND (product = ? OR ? = '') AND (department = ? OR ? = '') ORDER BY "+order+", opinion_id LIMIT "+strconv.Itoa(limit),
					status, status, trend, trend, product, product, department, department)
			})
		},
	}
	c.Flags().StringVar(&sort, "sort", "mentions", "mentions, sessions, customers, week, first_seen or title")
	c.Flags().StringVar(&status, "status", "", "only these: new, accepted, fixed, declined")
	c.Flags().StringVar(&trend, "trend", "", "only these: new, rising, fading, steady")
	c.Flags().StringVar(&product, "product", "", "only this product")
	c.Flags().StringVar(&department, "department", "", "only this department")
	c.Flags().IntVar(&limit, "limit", 100, "at most so many")
	return c
}

// opinionRow is a row of the view opinions.
type opinionRow struct {
	ID         string     `json:"opinion_id"`
	Title      string     `json:"title"`
	Aspect     string     `json:"aspect"`
	Product    string     `json:"product"`
	Kind       string     `json:"kind"`
	Department string     `json:"department"`
	Status     string     `json:"status"`
	FixedOn    *time.Time `json:"fixed_on"`
	Owner      string     `json:"owner"`
	FirstSeen  *time.Time `json:"first_seen"`
	LastSeen   *time.Time `json:"last_seen"`
	Mentions   uint64     `json:"mentions"`
	Sessions   uint64     `json:"sessions"`
	Customers  uint64     `json:"customers"`
	Week       uint64     `json:"week"`
	WeekBefore uint64     `json:"week_before"`
	Trend      string     `json:"trend"`
	Polarity   string     `json:"polarity"`
	Note       string     `json:"note"`
	Answer     string     `json:"answer"`
}

func opinionRows(ctx context.Context, s *store, where string, args ...any) ([]opinionRow, error) {
	rows, err := s.Conn().Query(ctx, "SELECT opinion_id, title, aspect, product, kind, department, status, fixed_on, owner, first_seen, last_seen, mentions, sessions, customers, week, week_before, trend, polarity, note, answer FROM opinions "+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []opinionRow
	for rows.Next() {
		var o opinionRow
		if err := rows.Scan(&o.ID, &o.Title, &o.Aspect, &o.Product, &o.Kind, &o.Department, &o.Status, &o.FixedOn, &o.Owner, &o.FirstSeen, &o.LastSeen,
			&o.Mentions, &o.Sessions, &o.Customers, &o.Week, &o.WeekBefore, &o.Trend, &o.Polarity, &o.Note, &o.Answer); err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, rows.Err()
}

func (a *app) listOpinions(ctx context.Context, s *store, where string, args ...any) error {
	list, err := opinionRows(ctx, s, where, args...)
	if err != nil {
		return err
	}
	if a.json {
		e := json.NewEncoder(a.out)
		e.SetEscapeHTML(false)
		for _, o := range list {
			if err := e.Encode(o); err != nil {
				return err
			}
		}
		return nil
	}
	tw := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "opinion\tmentions\tsessions\tcustomers\ttrend\tstatus\tdepartment\ttitle")
	for _, o := range list {
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\n", o.ID, o.Mentions, o.Sessions, o.Customers, o.Trend, o.Status, o.Department, o.Title)
	}
	return tw.Flush()
}

func (a *app) opinionsShowCommand() *cobra.Command {
	var quotes int
	c := &cobra.Command{
		Use:   "show ID",
		Short: "One opinion: counts, quotes with links, what agents answer, its members",
		Long: "An id may be shortened to its beginning; the id of a merged opinion shows the one it counts for. Answers: of the latest\n" +
			"quotes that an agent answered with more than courtesies, the share that says the same as the approved answer, or, where none\n" +
			"is approved, as the commonest reply that breaks no rule.",
		Example: "  tingke opinions show 3f2a",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if quotes < 0 {
				return usagef("--quotes %d is negative", quotes)
			}
			return a.withStore(c.Context(), func(s *store) error { return a.showOpinion(c.Context(), s, args[0], quotes) })
		},
	}
	c.Flags().IntVar(&quotes, "quotes", 10, "at most so many quotes are shown; answers are judged by the latest 50")
	return c
}

// answerQuotes is how many of the latest mentions the consistency of answers is judged by.
const answerQuotes = 50

// opinionDetail is what `opinions show --json` prints.
type opinionDetail struct {
	opinionRow
	Members []string         `json:"members"`
	Merged  []string         `json:"merged,omitempty"` // ids that count for it
	Answers opinions.Answers `json:"answers"`
	Quotes  []opinions.Quote `json:"quotes"`
}

func (a *app) showOpinion(ctx context.Context, s *store, id string, limit int) error {
	state, _, err := opinions.Load(ctx, s.Warehouse)
	if err != nil {
		return err
	}
	e, err := state.Find(id)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	d := opinionDetail{Members: e.Members}
	rows, err := opinionRows(ctx, s, "WHERE opinion_id = ?", e.ID)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return usagef("opinion %s was retired by a full rebuild", e.ID)
	}
	d.opinionRow = rows[0]
	for other, x := range state.Known {
		if x.Into == e.ID {
			d.Merged = append(d.Merged, other)
		}
	}
	m, err := a.opinionModel()
	if err != nil {
		return err
	}
	if d.Quotes, err = opinions.Quotes(ctx, s.Warehouse, e.ID, max(limit, answerQuotes)); err != nil {
		return err
	}
	d.Answers = opinions.Consistency(m, d.Quotes[:min(len(d.Quotes), answerQuotes)], d.Answer)
	d.Quotes = notNil(d.Quotes[:min(len(d.Quotes), limit)])
	if a.json {
		enc := json.NewEncoder(a.out)
		enc.SetEscapeHTML(false)
		return enc.Encode(d)
	}
	a.printOpinion(&d)
	return nil
}

func (a *app) printOpinion(d *opinionDetail) {
	fmt.Fprintf(a.out, "%s  %s\n", d.ID, d.Title)
	tw := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	day := func(t *time.Time) string {
		if t == nil {
			return "-"
		}
		return t.Format(time.DateOnly)
	}
	fmt.Fprintf(tw, "about\t%s %s %s, for %s\n", d.Kind, d.Aspect, d.Product, d.Department)
	fmt.Fprintf(tw, "mentions\t%d in %d sessions of %d customers\n", d.Mentions, d.Sessions, d.Customers)
	fmt.Fprintf(tw, "trend\t%s: %d in the last 7 days, %d in the 7 before; first %s, last %s\n", d.Trend, d.Week, d.WeekBefore, day(d.FirstSeen), day(d.LastSeen))
	fmt.Fprintf(tw, "status\t%s", d.Status)
	if d.FixedOn != nil {
		fmt.Fprintf(tw, " on %s", day(d.FixedOn))
	}
	fmt.Fprintf(tw, ", owner %s\n", orDash(d.Owner))
	fmt.Fprintf(tw, "note\t%s\nanswer\t%s\n", orDash(d.Note), orDash(d.Answer))
	if d.Answers.Replies > 1 {
		fmt.Fprintf(tw, "answered\t%d of the latest mentions, ", d.Answers.Replies)
		if d.Answers.Against == "" {
			fmt.Fprint(tw, "no two alike\n")
		} else {
			fmt.Fprintf(tw, "%.0f %% alike\n", 100*d.Answers.Consistent)
		}
	}
	fmt.Fprintf(tw, "members\t%s\n", strings.Join(d.Members, " · "))
	if len(d.Merged) > 0 {
		fmt.Fprintf(tw, "merged in\t%s\n", strings.Join(d.Merged, " "))
	}
	_ = tw.Flush() // a.out reports its own errors when the program ends
	for _, q := range d.Quotes {
		fmt.Fprintf(a.out, "  「%s」 %s\n", q.Text, q.URL)
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (a *app) opinionsRenameCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "rename ID TITLE",
		Short:   "Give an opinion a title, which wins over any the program makes",
		Example: "  tingke opinions rename 3f2a 为什么面膜B贵",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withKeeper(c.Context(), func(_ *store, k *opinions.Keeper) error {
				return usage(k.Rename(c.Context(), args[0], args[1], actor()))
			})
		},
	}
}

func (a *app) opinionsMergeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "merge INTO ID...",
		Short: "Let opinions count for another one",
		Long: "The views count the mentions of the other ids for INTO from now on; sessions are not rewritten, and the ids stay known as\n" +
			"redirects. New mentions like theirs count for INTO too.",
		Example: "  tingke opinions merge 3f2a 81c0 9be4",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withKeeper(c.Context(), func(_ *store, k *opinions.Keeper) error {
				return usage(k.Merge(c.Context(), args[0], args[1:], actor()))
			})
		},
	}
}

func (a *app) opinionsUnmergeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "unmerge ID...",
		Short: "Take the merge of opinions back",
		Long: "Each counts for itself again, with its mentions, title, status and remarks, and with what counted for it when it was merged\n" +
			"(`opinions show` lists what was merged in). Sessions are not rewritten: mentions keep the id they were assigned, also those\n" +
			"that came in since.",
		Example: "  tingke opinions unmerge 81c0",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withKeeper(c.Context(), func(_ *store, k *opinions.Keeper) error {
				return usage(k.Unmerge(c.Context(), args, actor()))
			})
		},
	}
}

func (a *app) opinionsSplitCommand() *cobra.Command {
	var containing, members []string
	var title string
	c := &cobra.Command{
		Use:   "split ID",
		Short: "Move members of an opinion to a new one",
		Long: "The members (see `opinions show`) that hold one of --containing or equal one of --member found a new opinion; the next epoch\n" +
			"is published, and the sessions of the opinion are analysed again: other mentions go to whichever of the two is nearer.",
		Example: "  tingke opinions split 3f2a --containing 充不进电 --title 充不进电",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(containing)+len(members) == 0 {
				return usagef("--containing or --member says what moves")
			}
			exact := map[string]bool{}
			for _, m := range members {
				exact[opinion.Normalise(m)] = true
			}
			pick := func(member string) bool {
				for _, w := range containing {
					if strings.Contains(member, opinion.Normalise(w)) {
						return true
					}
				}
				return exact[member]
			}
			return a.withKeeper(c.Context(), func(_ *store, k *opinions.Keeper) error {
				id, r, err := k.Split(c.Context(), args[0], pick, title, actor())
				if err != nil {
					return usage(err)
				}
				if a.json {
					return json.NewEncoder(a.out).Encode(struct {
						ID string `json:"opinion_id"`
						*opinions.Result
					}{id, r})
				}
				_, err = fmt.Fprintf(a.out, "new opinion %s in epoch %d; %d sessions analysed again\n", id, r.Epoch, r.Sessions)
				return err
			})
		},
	}
	c.Flags().StringSliceVar(&containing, "containing", nil, "members with these words")
	c.Flags().StringArrayVar(&members, "member", nil, "this member; may stand several times")
	c.Flags().StringVar(&title, "title", "", "title of the new opinion; empty: the program makes one")
	return c
}

func (a *app) opinionsSetCommand() *cobra.Command {
	var j opinions.Judgement
	var fixedOn, owner, note, answer string
	c := &cobra.Command{
		Use:     "set ID",
		Short:   "Set status, owner, note and approved answer of an opinion, or take the last three away",
		Example: "  tingke opinions set 3f2a --status accepted --owner 王敏 --note 等新批次\n  tingke opinions set 3f2a --fixed-on 2026-11-20\n  tingke opinions set 3f2a --owner ''",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if fixedOn != "" {
				at, err := time.Parse(time.DateOnly, fixedOn)
				if err != nil {
					return usagef("--fixed-on %q is no day such as 2026-11-20", fixedOn)
				}
				if j.Status == "" {
					j.Status = "fixed"
				}
				j.FixedOn = &at
			}
			given := func(name string, v *string) *string {
				if !c.Flags().Changed(name) {
					return nil
				}
				return v
			}
			j.Owner, j.Note, j.Answer = given("owner", &owner), given("note", &note), given("answer", &answer)
			return a.withKeeper(c.Context(), func(_ *store, k *opinions.Keeper) error {
				return usage(k.Judge(c.Context(), args[0], j, actor()))
			})
		},
	}
	c.Flags().StringVar(&j.Status, "status", "", strings.Join(opinions.Statuses, ", "))
	c.Flags().StringVar(&fixedOn, "fixed-on", "", "day it was fixed, with status fixed")
	c.Flags().StringVar(&owner, "owner", "", "who takes care of it; '' takes it away")
	c.Flags().StringVar(&note, "note", "", "remark; '' takes it away")
	c.Flags().StringVar(&answer, "answer", "", "approved answer; '' takes it away")
	return c
}

func (a *app) opinionsDiffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff BEFORE AFTER",
		Short: "What differs between two epochs, or two registry files",
		Long:  "BEFORE and AFTER are numbers of epochs of the warehouse, or registry files of `opinions cluster`. Exit code 1 where they differ.",
		Example: "  tingke opinions diff 3 4\n" +
			"  tingke opinions diff monday.registry friday.registry --json",
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			lists := make([][]opinion.Opinion, 2)
			for i, arg := range args {
				if n, err := strconv.ParseUint(arg, 10, 28); err == nil {
					if err := a.withStore(c.Context(), func(s *store) (err error) {
						lists[i], err = opinions.At(c.Context(), s.Warehouse, uint32(n))
						return usage(err)
					}); err != nil {
						return err
					}
					continue
				}
				r, err := readRegistry(arg, false)
				if err != nil {
					return err
				}
				lists[i] = r.Opinions
			}
			differences := opinions.Diff(lists[0], lists[1])
			e := json.NewEncoder(a.out)
			e.SetEscapeHTML(false)
			for _, d := range differences {
				if a.json {
					if err := e.Encode(d); err != nil {
						return err
					}
					continue
				}
				fmt.Fprintf(a.out, "%-8s %s %s", d.Change, d.ID, d.Title)
				if d.Before != "" {
					fmt.Fprintf(a.out, " (was %s)", d.Before)
				}
				for _, m := range d.Added {
					fmt.Fprintf(a.out, "\n  + %s", m)
				}
				for _, m := range d.Removed {
					fmt.Fprintf(a.out, "\n  - %s", m)
				}
				fmt.Fprintln(a.out)
			}
			if len(differences) > 0 {
				return findingsf("%d differences", len(differences))
			}
			return nil
		},
	}
}

// usage makes what a person can mend an error of usage.
func usage(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return &exitError{exitUsage, err}
}

// rebuildOpinions rebuilds the registry every opinions.rebuild_every until ctx is done. Of several processes one does;
// the others find the lease taken.
func rebuildOpinions(ctx context.Context, k *opinions.Keeper, every time.Duration, log *slog.Logger) {
	if every <= 0 {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch r, err := k.Rebuild(ctx, false, false, "timer"); {
		case errors.Is(err, opinions.ErrBusy) || ctx.Err() != nil:
		case err != nil:
			log.Error("cannot rebuild the registry of opinions; it stays as it is", "error", err)
		case r.Founded > 0 || r.Sessions > 0:
			log.Info("opinions were founded", "epoch", r.Epoch, "founded", r.Founded, "sessions", r.Sessions)
		}
	}
}
