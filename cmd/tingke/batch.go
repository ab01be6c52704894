package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/batch"
	"github.com/tingke/tingke/pipeline/intake"
)

func (a *app) batchCommand() *cobra.Command {
	var input inputFlags
	var packs []string
	c := &cobra.Command{
		Use:   "batch FILE|DIR|-...",
		Short: "Analyse files straight into ClickHouse, without Kafka",
		Long: "Reads transcripts, analyses them and writes them as the stream worker would; sending the same files again, or having\n" +
			"sent them by Kafka before, changes nothing. Sessions without an end are ended when the input ends. Lines that are\n" +
			"no messages are named on standard error and kept as dead letters.",
		Example: "  tingke batch testdata/transcripts\n  tingke batch --map qianniu.yaml export.xlsx --shop 花漾美妆旗舰店",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			opt, err := input.options(a.config)
			if err != nil {
				return err
			}
			s, err := a.openStore(c.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			return a.batch(c.Context(), s, args, opt, packs)
		},
	}
	input.register(c)
	c.Flags().StringSliceVar(&packs, "rules", nil, "rule packs: ids of built-in packs or YAML files; empty: those of the configuration")
	return c
}

func (a *app) batch(ctx context.Context, s *store, paths []string, opt intake.Options, packs []string) error {
	inUse, err := a.currentAnalyser(ctx, s, packs, nil)
	if err != nil {
		return err
	}
	for _, st := range inUse.Status() {
		if st.Error != "" {
			fmt.Fprintf(a.err, "the newest %s are not in use: %s\n", st.Source, st.Error)
		}
	}
	analyser := inUse.InUse() // one for all files, whatever is published meanwhile
	key, err := a.storeKey(ctx, s)
	if err != nil {
		return err
	}
	m := mask.New(key, mask.Options{})
	live, err := a.newLive(s, func() *analyse.Analyser { return analyser })
	if err != nil {
		return err
	}
	if err := live.Refresh(ctx); err != nil {
		return err
	}
	w := batch.New(batch.Options{
		Store: s.through(live), Analyser: live, Hasher: assemble.NewHasher(key), Mask: m.Message,
		FlushSessions: a.config.Stream.FlushSessions, Memory: int(a.config.Stream.Memory),
	})
	began, lastShown := time.Now(), time.Now()
	progress := a.terminal()
	readErr := eachLine(ctx, paths, opt, func(l *line) error {
		if progress && time.Since(lastShown) > time.Second {
			lastShown = time.Now()
			n := w.Counts()
			fmt.Fprintf(a.err, "\r%s: %d messages, %d sessions written ", l.place(), n.Messages, n.Written)
		}
		if l.err != nil {
			fmt.Fprintln(a.err, l.problem())
			return w.AddBad(ctx, batch.FileDeadLetter(l.file, l.line, l.raw, l.err, m.Raw))
		}
		return w.Add(ctx, l.msg)
	})
	if progress {
		fmt.Fprintln(a.err)
	}
	if err := w.Finish(ctx); err != nil {
		return errors.Join(readErr, err)
	}
	n := w.Counts()
	if a.json {
		if err := json.NewEncoder(a.out).Encode(n); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(a.out, "%d messages: %d sessions written, %d stored already, %d orders, %d ratings, %d dead letters in %s\n",
			n.Messages, n.Written, n.Unchanged, n.Orders, n.Ratings, n.DeadLetters, time.Since(began).Round(10*time.Millisecond))
	}
	if readErr == nil && n.DeadLetters > 0 {
		readErr = usagef("%d lines were no messages (named above); all others were written", n.DeadLetters)
	}
	return readErr
}
