package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/nlp/mention/train"
)

func (a *app) trainMentionsCommand() *cobra.Command {
	o, out, quick := train.Options{}, "", false
	c := &cobra.Command{
		Use:   "mentions",
		Short: "Opinion mentions, from labelled customers' turns",
		Long: "Trains on the project's own rows and, with --data, on gold/trainable.jsonl of that folder. The same rows and seed give the\n" +
			"same bytes. The figures that go into the model are of a cross-validation: each row judged by a model that saw neither it nor\n" +
			"its neighbours. Rows that are near copies of a minimal pair are refused and counted.",
		Example: "  tingke train mentions -o mention.bin\n  tingke train mentions --data ../shared --date 2026-11-21 -o nlp/models/mention.bin",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if out == "" {
				return usagef("--output is missing: the file to write the model to")
			}
			if o.Data != "" {
				if _, err := os.Stat(o.Data); err != nil {
					return usagef("cannot use --data: %w", err)
				}
			}
			if a.terminal() {
				o.Progress = func(s string) { fmt.Fprintln(a.err, s) }
			}
			if quick {
				o.Folds = -1
			}
			m, report, err := train.Train(c.Context(), o)
			if err != nil {
				return err
			}
			var b bytes.Buffer
			if err := m.Write(&b); err != nil {
				return err
			}
			if err := writeWhole(out, b.Bytes()); err != nil {
				return err
			}
			if a.json {
				return json.NewEncoder(a.out).Encode(report)
			}
			return a.printMentionsTraining(report, out, b.Len())
		},
	}
	c.Flags().StringVar(&o.Data, "data", "", "folder with gold/; without it the project's own rows alone train")
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "seed of the order of the rows")
	c.Flags().StringVar(&o.Date, "date", "", "date to write into the model")
	c.Flags().StringVarP(&out, "output", "o", "", "model file to write")
	c.Flags().BoolVar(&quick, "quick", false, "do not measure by cross-validation")
	return c
}

func (a *app) printMentionsTraining(r *train.Report, out string, size int) error {
	for _, k := range slices.Sorted(maps.Keys(r.Rows)) {
		fmt.Fprintf(a.out, "%-40s %7d turns\n", k, r.Rows[k])
	}
	for _, k := range slices.Sorted(maps.Keys(r.Refused)) {
		fmt.Fprintf(a.out, "%-40s %7d refused: too close to a minimal pair\n", k, r.Refused[k])
	}
	for _, s := range r.Missing {
		fmt.Fprintf(a.err, "MISSING: %s\n", s)
	}
	for _, k := range slices.Sorted(maps.Keys(r.Figures)) {
		fmt.Fprintf(a.out, "%-40s %7.3f\n", k, r.Figures[k])
	}
	_, err := fmt.Fprintf(a.out, "%s: %d features, %.1f MB, %s\n", out, r.Sparse, float64(size)/1e6, r.Data)
	return err
}
