package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/pipeline/rulestore"
)

func (a *app) rulesPublishCommand() *cobra.Command {
	var author, note string
	var force bool
	c := &cobra.Command{
		Use:   "publish FILE",
		Short: "Put a pack into use for all running workers",
		Long: "Checks that the pack compiles, alone and with the other packs in use, and that its tests pass; then adds it to the\n" +
			"store. Workers take it within refresh_every (10 s). A pack with the id of one of the configuration takes its place,\n" +
			"others are used beside. Sessions analysed before keep what they got. Ends with 1 where a test fails.",
		Example: "  tingke rules publish my.yaml --author 王主管 --note \"退款用语放宽\"",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			text, err := readPack(args[0])
			if err != nil {
				return err
			}
			features, err := a.newNLP()
			if err != nil {
				return err
			}
			defer features.Close()
			return a.publishing(c, func(packs *rulestore.Store) (*rulestore.Published, error) {
				return packs.Publish(c.Context(), rulestore.Draft{Name: args[0], YAML: text, Author: authorOr(author), Note: note, Features: features, Force: force})
			})
		},
	}
	authorFlags(c, &author, &note)
	c.Flags().BoolVar(&force, "force", false, "publish though tests fail; a pack that does not compile is refused all the same")
	return c
}

func authorFlags(c *cobra.Command, author, note *string) {
	c.Flags().StringVar(author, "author", "", "who publishes; empty: the user of this machine")
	c.Flags().StringVar(note, "note", "", "what was changed and why, for the history")
}

// readPack reads the text of a pack, which must be a file: built-in packs are in use already.
func readPack(path string) ([]byte, error) {
	if !isFile(path) {
		return nil, usagef("%q is no rule file: its path ends in .yaml", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("cannot read rule file %q: %w", path, err)
	}
	return text, nil
}

func authorOr(author string) string {
	if author != "" {
		return author
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// publishing does something to the published packs and says what came of it.
func (a *app) publishing(c *cobra.Command, do func(*rulestore.Store) (*rulestore.Published, error)) error {
	s, err := a.openStore(c.Context())
	if err != nil {
		return err
	}
	p, err := func() (*rulestore.Published, error) {
		packs, err := a.ruleStore(s)
		if err != nil {
			return nil, err
		}
		p, err := do(packs)
		if err == nil && !p.Unchanged {
			if err := a.audit(c.Context(), s, access.ActionPublish, p.Pack+" "+p.Version, map[string]any{"command": c.CommandPath(), "withdrawn": p.Withdrawn, "replaces": p.Replaces}); err != nil {
				return nil, findingsf("%s %s is published, but that is not in the audit log: %w", p.Pack, p.Version, err)
			}
		}
		return p, err
	}()
	if err := errors.Join(err, s.Close()); err != nil {
		var failed rulestore.FailedTests
		var known *exitError
		switch {
		case errors.As(err, &failed):
			return findingsf("%w\nnot published: %d tests fail (--force publishes all the same)", err, len(failed))
		case errors.As(err, &known):
			return err
		}
		return &exitError{exitUsage, err}
	}
	for _, w := range p.Warnings {
		fmt.Fprintln(a.err, "warning:", w)
	}
	if len(p.Failed) > 0 {
		fmt.Fprintf(a.err, "published though tests fail:\n%s\n", p.Failed)
	}
	if a.json {
		return json.NewEncoder(a.out).Encode(p)
	}
	switch {
	case p.Unchanged:
		fmt.Fprintf(a.out, "%s %s is so already, nothing was written\n", p.Pack, p.Version)
	case p.Withdrawn:
		fmt.Fprintf(a.out, "%s %s is out of use; workers follow within %s\n", p.Pack, p.Version, a.config.RefreshEvery)
	case p.Replaces != "":
		fmt.Fprintf(a.out, "%s %s is published in place of %s; workers take it within %s\n", p.Pack, p.Version, p.Replaces, a.config.RefreshEvery)
	default:
		fmt.Fprintf(a.out, "%s %s is published; workers take it within %s\n", p.Pack, p.Version, a.config.RefreshEvery)
	}
	return nil
}

func (a *app) rulesRollbackCommand() *cobra.Command {
	var author, note string
	c := &cobra.Command{
		Use:   "rollback PACK VERSION",
		Short: "Publish an older version of a pack again",
		Long: "VERSION is one that `tingke rules history PACK` shows, its hash alone, or the declared version where only one text\n" +
			"has it. Its tests are not run: it has been in use before.",
		Example: "  tingke rules rollback presale 3+1a2b3c4d --author 王主管",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.publishing(c, func(packs *rulestore.Store) (*rulestore.Published, error) {
				return packs.Rollback(c.Context(), args[0], args[1], authorOr(author), note)
			})
		},
	}
	authorFlags(c, &author, &note)
	return c
}

func (a *app) rulesWithdrawCommand() *cobra.Command {
	var author, note string
	c := &cobra.Command{
		Use:     "withdraw PACK",
		Short:   "Take a published pack out of use",
		Long:    "A pack of the configuration with the same id counts again. The history stays; rollback brings the pack back.",
		Example: "  tingke rules withdraw presale --note \"活动结束\"",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.publishing(c, func(packs *rulestore.Store) (*rulestore.Published, error) {
				return packs.Withdraw(c.Context(), args[0], authorOr(author), note)
			})
		},
	}
	authorFlags(c, &author, &note)
	return c
}

// publication is one line of `rules history --json`.
type publication struct {
	Pack    string    `json:"pack"`
	Version string    `json:"version"`
	Author  string    `json:"author"`
	Note    string    `json:"note"`
	At      time.Time `json:"at"`
	Active  bool      `json:"active"` // false: it took the pack out of use
	InUse   bool      `json:"in_use"`
	Problem string    `json:"problem,omitempty"` // why it cannot be used
}

func (a *app) rulesHistoryCommand() *cobra.Command {
	var show string
	c := &cobra.Command{
		Use:   "history [PACK]",
		Short: "What was published, by whom and why, and which of it is in use",
		Long: "Lists the publications, the latest first; without a pack those of all packs. --show VERSION prints the YAML of one,\n" +
			"to edit it further or to compare.",
		Example: "  tingke rules history presale\n  tingke rules history presale --show 3+1a2b3c4d > presale.yaml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			pack := ""
			if len(args) > 0 {
				pack = args[0]
			} else if show != "" {
				return usagef("--show needs the pack too")
			}
			return a.withStore(c.Context(), func(s *store) error {
				packs, err := a.ruleStore(s)
				if err != nil {
					return err
				}
				if show != "" {
					row, err := packs.Find(c.Context(), pack, show)
					if err != nil {
						return &exitError{exitUsage, err}
					}
					_, err = fmt.Fprint(a.out, row.Content)
					return err
				}
				list, err := publications(c, packs, pack)
				if err != nil {
					return err
				}
				return a.printPublications(list, pack)
			})
		},
	}
	c.Flags().StringVar(&show, "show", "", "print the YAML of this version")
	return c
}

func publications(c *cobra.Command, packs *rulestore.Store, pack string) ([]publication, error) {
	rows, err := packs.History(c.Context(), pack)
	if err != nil {
		return nil, err
	}
	use, err := packs.InUse(c.Context())
	if err != nil {
		return nil, err
	}
	out := make([]publication, len(rows))
	for i, r := range rows {
		out[i] = publication{Pack: r.Pack, Version: r.Version, Author: r.Author, Note: r.Note, At: r.At, Active: r.Active}
		for _, p := range use.Packs {
			out[i].InUse = out[i].InUse || p.ID == r.Pack && p.At.Equal(r.At) && p.Version == r.Version
		}
		for _, p := range use.Problems {
			if p.Pack == r.Pack && p.At.Equal(r.At) && p.Version == r.Version {
				out[i].Problem = p.Reason
			}
		}
	}
	return out, nil
}

func (a *app) printPublications(list []publication, pack string) error {
	if a.json {
		for _, p := range list {
			if err := json.NewEncoder(a.out).Encode(p); err != nil {
				return err
			}
		}
		return nil
	}
	if len(list) == 0 {
		fmt.Fprintln(a.err, "nothing was published", pack)
		return nil
	}
	zone, err := time.LoadLocation(a.config.Timezone)
	if err != nil {
		return err
	}
	tw := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "PACK\tVERSION\tAT\tAUTHOR\tSTATE\tNOTE")
	for _, p := range list {
		state := ""
		switch {
		case p.InUse:
			state = "in use"
		case !p.Active:
			state = "out of use"
		case p.Problem != "":
			state = "cannot be used"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", p.Pack, p.Version, p.At.In(zone).Format("2006-01-02 15:04:05"), p.Author, state, p.Note)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, p := range list {
		if p.Problem != "" {
			fmt.Fprintf(a.err, "%s %s: %s\n", p.Pack, p.Version, p.Problem)
		}
	}
	return nil
}
