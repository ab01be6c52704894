package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/pipeline/rulecase"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// addedCase is what `rules add-case --json` prints.
type addedCase struct {
	Rule  string `json:"rule"`
	Want  string `json:"want"`
	Got   string `json:"got"` // what the rule says now
	Turns int    `json:"turns"`
	Of    int    `json:"of_turns"`
	YAML  string `json:"yaml"`
	File  string `json:"file,omitempty"`
	Line  int    `json:"line,omitempty"`
}

func (a *app) rulesAddCaseCommand() *cobra.Command {
	var f sessionFlags
	var pack, want string
	c := &cobra.Command{
		Use:   "add-case SESSION HIT",
		Short: "Make a wrong hit into a test of its rule",
		Long: "HIT is a hit_id as in the hits view, or the id of a rule with one hit in the session. The session is cut down to the\n" +
			"turns that still give the same wrong outcome, and becomes a test that wants the opposite one; emotions, mentions and\n" +
			"times are stated where the rule needs them. --pack writes it into the file and keeps comments and order; without it the\n" +
			"test is printed. The test fails until the rule is mended, which `tingke rules test FILE` shows.",
		Example: "  tingke rules add-case hy-20261013-2005 forbidden --pack my.yaml\n  tingke rules add-case s1 1a2b3c4d5e6f7081 --want na --from chats.jsonl",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			var text []byte
			if pack != "" {
				var err error
				if text, err = readPack(pack); err != nil {
					return err
				}
			}
			switch want {
			case "", schemas.Pass, schemas.Fail, schemas.NA, schemas.Present, schemas.Absent:
			default:
				return usagef("--want %q is no outcome: pass, fail, na, present or absent", want)
			}
			j, err := a.judge(c.Context(), args[0], &f)
			if err != nil {
				return err
			}
			if text != nil { // the hit of the file's own rule, where it has one
				own, err := a.loadRules(rules.Text(pack, text))
				if err != nil {
					return &exitError{exitUsage, err}
				}
				if _, err := findHit(own, j, args[1]); err == nil {
					j.set = own
				}
			}
			hit, err := findHit(j.set, j, args[1])
			if err != nil {
				return err
			}
			features, err := a.newNLP()
			if err != nil {
				return err
			}
			defer features.Close()
			made, err := rulecase.Make(j.set, j.t, j.features, hit, want, features)
			if err != nil {
				return usagef("hit %s of rule %s: %w", hit.HitID, hit.RuleID, err)
			}
			return a.addCase(made, pack, text, features)
		},
	}
	f.register(c)
	c.Flags().StringVar(&pack, "pack", "", "pack file that gets the test")
	c.Flags().StringVar(&want, "want", "", "the right outcome; empty: the opposite of the wrong one")
	return c
}

// findHit finds a hit by its id, or by its rule where that has one.
func findHit(set *rules.Set, j *judged, name string) (schemas.Hit, error) {
	found := set.Evaluate(j.t, j.features)
	var ofRule []schemas.Hit
	for _, h := range found.Hits {
		if h.HitID == name {
			return h, nil
		}
		if h.RuleID == name {
			ofRule = append(ofRule, h)
		}
	}
	switch len(ofRule) {
	case 1:
		return ofRule[0], nil
	case 0:
		var known []string
		for _, h := range found.Hits {
			known = append(known, h.HitID+" ("+h.RuleID+")")
		}
		if len(known) == 0 {
			known = []string{"none"}
		}
		return schemas.Hit{}, usagef("session %s has no hit %q with the rules %s; its hits: %s", j.t.Meta.SessionID, name, set.Version(), strings.Join(known, ", "))
	}
	var ids []string
	for _, h := range ofRule {
		ids = append(ids, h.HitID)
	}
	return schemas.Hit{}, usagef("rule %s has %d hits in session %s, name one: %s", name, len(ids), j.t.Meta.SessionID, strings.Join(ids, ", "))
}

func (a *app) addCase(made *rulecase.Case, path string, text []byte, features rules.Featuriser) error {
	entry, err := made.YAML()
	if err != nil {
		return err
	}
	out := addedCase{Rule: made.Rule, Want: made.Want, Got: made.Got, Turns: made.Turns, Of: made.Of, YAML: entry}
	if path != "" {
		with, err := made.AddTo(text)
		if err != nil {
			return usagef("cannot add the test to %q: %w", path, err)
		}
		set, err := a.loadRules(rules.Text(path, with))
		if err != nil {
			return fmt.Errorf("the pack would be broken with the test, it stays as it was: %w", err)
		}
		for _, r := range set.Test(features) {
			if r.Rule == made.Rule { // the last one is the new one
				out.File, out.Line, out.Got = path, r.Line, r.Got
			}
		}
		if err := rewritePack(path, with); err != nil {
			return err
		}
	}
	if a.json {
		enc := json.NewEncoder(a.out)
		enc.SetEscapeHTML(false)
		return enc.Encode(out)
	}
	if path == "" {
		_, err := fmt.Fprint(a.out, entry)
		fmt.Fprintf(a.err, "a test of rule %s, %d of %d turns; --pack FILE writes it into a pack\n", out.Rule, out.Turns, out.Of)
		return err
	}
	fmt.Fprintf(a.out, "%s:%d: rule %s has a new test with %d of %d turns: want %s, the rule says %s\n", out.File, out.Line, out.Rule, out.Turns, out.Of, out.Want, out.Got)
	if out.Got != out.Want {
		fmt.Fprintf(a.out, "mend the rule, then: tingke rules test %s\n", path)
	}
	return nil
}

// rewritePack writes a file as a whole or not at all, with the rights it had.
func rewritePack(path string, b []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return usagef("cannot write %q: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return usagef("cannot write %q: %w", path, err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(info.Mode().Perm()), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return usagef("cannot write %q: %w", path, err)
	}
	return nil
}
