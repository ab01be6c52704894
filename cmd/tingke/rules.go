package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/pipeline/rulestore"
	"github.com/tingke/tingke/rules"
)

func (a *app) rulesCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rules",
		Short: "Write, test, understand and publish rule packs",
		Long: "A rule pack is a YAML file (its language: rules/README.md). FILE is a path that ends in .yaml, ID a pack of the binary\n" +
			"such as standard. The way of a wrong hit: add-case makes it a test, edit the rule, test, backtest, publish; rollback\n" +
			"takes it back.",
		Example: "  tingke rules lint my.yaml\n  tingke rules test my.yaml\n  tingke rules publish my.yaml --author 王主管",
	}
	c.AddCommand(a.rulesLintCommand(), a.rulesListCommand(), a.rulesTestCommand(), a.rulesExplainCommand(), a.rulesBacktestCommand(),
		a.rulesAddCaseCommand(), a.rulesPublishCommand(), a.rulesHistoryCommand(), a.rulesRollbackCommand(), a.rulesWithdrawCommand(),
		a.rulesOperatorsCommand(), a.rulesSchemaCommand())
	return c
}

// packSources finds packs by file or id; none named are all built-in packs. What does not exist is an error of usage,
// so that a mistyped name is told from a pack with errors.
func packSources(names []string) ([]rules.Source, []string, error) {
	if len(names) == 0 {
		names = rules.EmbeddedPacks()
	}
	var out []rules.Source
	for _, name := range names {
		if isFile(name) {
			if info, err := os.Stat(name); err != nil {
				return nil, nil, usagef("cannot read rule file %q: %w", name, err)
			} else if info.IsDir() {
				return nil, nil, usagef("cannot read rule file %q: it is a folder; name the files", name)
			}
		} else if !slices.Contains(rules.EmbeddedPacks(), name) {
			return nil, nil, usagef("no rule pack %q comes with the product (%s); a file is named by a path that ends in .yaml", name, strings.Join(rules.EmbeddedPacks(), ", "))
		}
		out = append(out, rules.Find(name))
	}
	return out, names, nil
}

// isFile tells paths from ids of built-in packs, as rules.Find does.
func isFile(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") || strings.ContainsAny(name, `/\`)
}

// hasStore says whether there is a store to ask, without making one.
func (a *app) hasStore() bool {
	if a.config.ClickHouse.DSN != "" {
		return true
	}
	_, err := os.Stat(filepath.Join(a.dir, "store"))
	return err == nil
}

// withStore runs f with the store, which must exist: a question about what is stored makes no empty store.
func (a *app) withStore(ctx context.Context, f func(*store) error) (err error) {
	if !a.hasStore() {
		return usagef("there is no store in %s: name another folder with --dir, or a ClickHouse with CLICKHOUSE_DSN", a.dir)
	}
	s, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return f(s)
}

// finding is one line of `rules lint --json`.
type finding struct {
	Level   string `json:"level"` // error or warning
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Text    string `json:"text,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func (a *app) rulesLintCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "lint [FILE|ID]...",
		Short: "Check packs for errors, and for what is lawful but hardly meant",
		Long: "Reads each pack on its own, then all of them together, and names every error and warning with file:line:column and a\n" +
			"hint. Without arguments all built-in packs. Ends with 1 where something was found.",
		Example: "  tingke rules lint my.yaml\n  tingke rules lint standard my.yaml --json",
		RunE: func(_ *cobra.Command, args []string) error {
			sources, names, err := packSources(args)
			if err != nil {
				return err
			}
			found := a.lint(sources)
			for _, f := range found {
				if a.json {
					if err := json.NewEncoder(a.out).Encode(f); err != nil {
						return err
					}
					continue
				}
				p := rules.Problem{File: f.File, Line: f.Line, Column: f.Column, Text: f.Text, Message: f.Message, Hint: f.Hint}
				fmt.Fprintf(a.out, "%s: %s\n", f.Level, p)
			}
			if len(found) > 0 {
				return findingsf("%d findings in %s", len(found), strings.Join(names, ", "))
			}
			if !a.json {
				fmt.Fprintf(a.out, "%s: nothing to complain about\n", strings.Join(names, ", "))
			}
			return nil
		},
	}
}

func (a *app) lint(sources []rules.Source) []finding {
	var out []finding
	add := func(level string, list []rules.Problem) {
		for _, p := range list {
			out = append(out, finding{level, p.File, p.Line, p.Column, p.Text, p.Message, p.Hint})
		}
	}
	compile := func(sources ...rules.Source) *rules.Set {
		set, err := a.loadRules(sources...)
		var problems rules.Problems
		switch {
		case errors.As(err, &problems):
			add("error", problems)
		case err != nil:
			out = append(out, finding{Level: "error", Message: err.Error()})
		}
		return set
	}
	for _, s := range sources {
		if set := compile(s); set != nil {
			add("warning", set.Warnings())
		}
	}
	if len(sources) > 1 && !slices.ContainsFunc(out, func(f finding) bool { return f.Level == "error" }) {
		compile(sources...) // clashes between packs
	}
	return out
}

// listedRule is one line of `rules list --json`.
type listedRule struct {
	rules.RuleInfo
	Origin string `json:"origin"`
	*ruleHits
}

// ruleHits is what the store says of a rule.
type ruleHits struct {
	Hits      uint64 `json:"hits"`     // of closed sessions
	Sessions  uint64 `json:"sessions"` // closed ones in which it failed or was present
	Confirmed uint64 `json:"confirmed"`
	Dismissed uint64 `json:"dismissed"`
}

func (a *app) rulesListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list [FILE|ID]...",
		Short: "Rules with pack, severity, points, tests and, where there is a store, hits",
		Long: "Lists the rules of the packs named, else those in use: the packs of the configuration and what is published. Where\n" +
			"there is a store, hits and the decisions of reviewers are counted over all closed sessions.",
		Example: "  tingke rules list\n  tingke rules list my.yaml --json",
		RunE: func(c *cobra.Command, args []string) error {
			var list []listedRule
			collect := func(set *rules.Set, origins map[string]string) {
				for _, r := range set.Rules() {
					list = append(list, listedRule{RuleInfo: r, Origin: origins[r.Pack]})
				}
			}
			named := func() error {
				if len(args) == 0 {
					args = a.config.Rules.Packs
				}
				sources, names, err := packSources(args)
				if err != nil {
					return err
				}
				for i, s := range sources {
					set, err := a.loadRules(s)
					if err != nil {
						return &exitError{exitUsage, err}
					}
					id, _, _ := strings.Cut(set.Version(), "@")
					origin := rulestore.OriginBuiltIn
					if isFile(names[i]) {
						origin = "file " + names[i]
					}
					collect(set, map[string]string{id: origin})
				}
				return nil
			}
			if !a.hasStore() {
				if err := named(); err != nil {
					return err
				}
				return a.printRules(list, false)
			}
			err := a.withStore(c.Context(), func(s *store) error {
				if len(args) > 0 {
					if err := named(); err != nil {
						return err
					}
				} else {
					use, err := a.rulesInUse(c.Context(), s)
					if err != nil {
						return err
					}
					origins := map[string]string{}
					for _, p := range use.Packs {
						origins[p.ID] = p.Origin
					}
					collect(use.Set, origins)
				}
				return countHits(c.Context(), s, list)
			})
			if err != nil {
				return err
			}
			return a.printRules(list, true)
		},
	}
}

// rulesInUse gives what is in use, and says on standard error what is newer but cannot be used.
func (a *app) rulesInUse(ctx context.Context, s *store) (*rulestore.InUse, error) {
	packs, err := a.ruleStore(s)
	if err != nil {
		return nil, err
	}
	use, err := packs.InUse(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range use.Problems {
		fmt.Fprintln(a.err, p.Error())
	}
	return use, nil
}

func countHits(ctx context.Context, s *store, list []listedRule) error {
	byRule := map[string]*ruleHits{}
	for i := range list {
		h := &ruleHits{}
		list[i].ruleHits = h
		byRule[list[i].ID] = h
	}
	rows, err := s.Conn().Query(ctx, `SELECT rule_id, count(), uniqExact(session_id), countIf(decision IN ('confirm', 'uphold')), countIf(decision IN ('dismiss', 'overturn'))
		FROM hits WHERE closed AND outcome IN ('fail', 'present') GROUP BY rule_id`)
	if err != nil {
		return fmt.Errorf("cannot count the hits: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var rule string
		var h ruleHits
		if err := rows.Scan(&rule, &h.Hits, &h.Sessions, &h.Confirmed, &h.Dismissed); err != nil {
			return err
		}
		if to := byRule[rule]; to != nil {
			*to = h
		}
	}
	return rows.Err()
}

func (a *app) printRules(list []listedRule, hits bool) error {
	if a.json {
		for _, r := range list {
			if err := json.NewEncoder(a.out).Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	tw := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	head := "RULE\tNAME\tPACK\tSEVERITY\tPOINTS\tTESTS"
	if hits {
		head += "\tHITS\tCONFIRMED\tDISMISSED"
	}
	fmt.Fprintln(tw, head)
	for _, r := range list {
		fmt.Fprintf(tw, "%s\t%s\t%s %s (%s)\t%s\t%g\t%d", r.ID, r.Name, r.Pack, r.Version, r.Origin, r.Severity, r.Points, r.Tests)
		if hits {
			fmt.Fprintf(tw, "\t%d\t%d\t%d", r.Hits, r.Confirmed, r.Dismissed)
		}
		fmt.Fprintln(tw)
	}
	return tw.Flush()
}
