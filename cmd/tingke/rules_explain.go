package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/pipeline/intake"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// sessionFlags say where a session, and the rules to look at it with, come from.
type sessionFlags struct {
	input inputFlags
	from  string
	packs []string
}

func (f *sessionFlags) register(c *cobra.Command) {
	f.input.register(c)
	c.Flags().StringVar(&f.from, "from", "", "file with the session; empty: the store")
	c.Flags().StringSliceVar(&f.packs, "rules", nil, "rule packs: ids of built-in packs or YAML files; empty: those in use")
}

// judged is a session with the rules and features to judge it by.
type judged struct {
	t        *schemas.Transcript
	features *schemas.Features
	set      *rules.Set
	// stored is the version of the rules it was stored with, "" for a session of a file.
	stored string
}

// judge finds the session and makes its features.
func (a *app) judge(ctx context.Context, id string, f *sessionFlags) (*judged, error) {
	j := &judged{}
	if f.from != "" {
		opt, err := f.input.options(a.config)
		if err != nil {
			return nil, err
		}
		if j.t, err = a.sessionOfFile(ctx, f.from, id, opt); err != nil {
			return nil, err
		}
		if j.set, err = a.newRules(f.packs); err != nil {
			return nil, err
		}
		an, err := a.newAnalyser(f.packs)
		if err != nil {
			return nil, err
		}
		j.features = an.Features(j.t)
	} else {
		err := a.withStore(ctx, func(s *store) error { return j.fromStore(ctx, a, s, id, f.packs) })
		if err != nil {
			return nil, err
		}
	}
	return j, nil
}

func (j *judged) fromStore(ctx context.Context, a *app, s *store, id string, packs []string) error {
	states, err := s.LoadStates(ctx, []string{id})
	if err != nil {
		return err
	}
	if states[id] == nil {
		return usagef("the store has no session %q; tingke sql \"SELECT session_id FROM sessions\" lists them", id)
	}
	j.t = states[id].Transcript()
	if err := s.Conn().QueryRow(ctx, "SELECT any(rules_version) FROM sessions WHERE session_id = ?", id).Scan(&j.stored); err != nil {
		return fmt.Errorf("cannot read the analysis of session %q: %w", id, err)
	}
	an, err := a.currentAnalyser(ctx, s, packs, nil) // with the opinions in use: rules may ask for them
	if err != nil {
		return err
	}
	j.features = an.InUse().Features(j.t)
	if len(packs) > 0 {
		j.set, err = a.newRules(packs)
		return err
	}
	use, err := a.rulesInUse(ctx, s)
	if err != nil {
		return err
	}
	j.set = use.Set
	return nil
}

// sessionOfFile reads one session of a transcript file.
func (a *app) sessionOfFile(ctx context.Context, path, id string, opt intake.Options) (*schemas.Transcript, error) {
	key, err := a.deploymentKey(false)
	if err != nil {
		return nil, err
	}
	sessions := newSessionSet(key, a.masker(key))
	err = eachLine(ctx, []string{path}, opt, func(l *line) error {
		switch {
		case l.err != nil:
			fmt.Fprintln(a.err, l.problem())
		case sessionOf(l.msg) == id:
			sessions.add(l.msg)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if sessions.states[id] == nil {
		return nil, usagef("%s has no session %q", path, id)
	}
	return sessions.close(id).Transcript(), nil
}

func sessionOf(m *schemas.Message) string {
	switch {
	case m.Session != nil:
		return m.Session.SessionID
	case m.Turn != nil:
		return m.Turn.SessionID
	case m.End != nil:
		return m.End.SessionID
	}
	return ""
}

func (a *app) rulesExplainCommand() *cobra.Command {
	var f sessionFlags
	c := &cobra.Command{
		Use:   "explain SESSION RULE",
		Short: "Why a rule says what it says of a session: every condition with its value",
		Long: "Evaluates the rules in use (or those of --rules) over a stored session, or one of a file with --from, and shows where\n" +
			"each condition looked, what it found and what came of it, and how the score adds up.",
		Example: "  tingke rules explain hy-20261013-2005 apology_on_complaint\n  tingke rules explain s1 greeting --from chats.jsonl --rules my.yaml --json",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			j, err := a.judge(c.Context(), args[0], &f)
			if err != nil {
				return err
			}
			x, err := j.set.Explain(j.t, j.features, args[1])
			if err != nil {
				return &exitError{exitUsage, err}
			}
			if j.stored != "" && j.stored != j.set.Version() {
				fmt.Fprintf(a.err, "the session was stored with other rules (%s) than these (%s)\n", j.stored, j.set.Version())
			}
			if a.json {
				enc := json.NewEncoder(a.out)
				enc.SetEscapeHTML(false)
				return enc.Encode(x)
			}
			_, err = fmt.Fprint(a.out, x.Text())
			return err
		},
	}
	f.register(c)
	return c
}
