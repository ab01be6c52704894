package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/nlp/emotion/train"
)

// trainCommand holds one command a model.
func (a *app) trainCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "train",
		Short:   "Make the models of the language stages again",
		Example: "  tingke train emotion --data ../shared -o nlp/models/emotion.bin",
	}
	c.AddCommand(a.trainEmotionCommand())
	c.AddCommand(a.trainEncoderCommand())
	c.AddCommand(a.trainMentionsCommand())
	return c
}

func (a *app) trainEmotionCommand() *cobra.Command {
	o, out := train.Options{}, ""
	c := &cobra.Command{
		Use:   "emotion",
		Short: "Emotion and polarity, from labelled turns",
		Long: "Trains on the project's own rows and, with --data, on the sets of that folder whose terms allow it. The same rows and seed\n" +
			"give the same bytes. Rows that are near copies of a minimal pair are refused and counted: more than .8 of the character\n" +
			"3-grams of the smaller of both texts are shared. Sets that are absent are named.",
		Example: "  tingke train emotion -o emotion.bin\n  tingke train emotion --data ../shared --date 2026-11-21 -o nlp/models/emotion.bin",
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
			return a.printTraining(report, out, b.Len())
		},
	}
	c.Flags().StringVar(&o.Data, "data", "", "folder with gold/ and data/; without it the project's own rows alone train")
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "seed of the order of the rows")
	c.Flags().StringVar(&o.Date, "date", "", "date to write into the model")
	c.Flags().StringVarP(&out, "output", "o", "", "model file to write")
	return c
}

func (a *app) printTraining(r *train.Report, out string, size int) error {
	w := a.out
	for _, k := range slices.Sorted(maps.Keys(r.Rows)) {
		fmt.Fprintf(w, "%-28s %7d rows", k, r.Rows[k])
		if n := r.Held[k]; n > 0 {
			fmt.Fprintf(w, ", %d held to measure", n)
		}
		if n := r.Refused[k]; n > 0 {
			fmt.Fprintf(w, ", %d refused: too close to a minimal pair", n)
		}
		fmt.Fprintln(w)
	}
	for _, s := range r.Missing {
		fmt.Fprintf(a.err, "MISSING: %s\n", s)
	}
	for _, k := range slices.Sorted(maps.Keys(r.Figures)) {
		fmt.Fprintf(w, "%-28s %7.3f\n", k, r.Figures[k])
	}
	_, err := fmt.Fprintf(w, "%s: %d features, %.1f MB, %s\n", out, r.Sparse, float64(size)/1e6, r.Data)
	return err
}

// writeWhole writes a file so that at no time half of it stands under its name.
func writeWhole(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return fmt.Errorf("cannot write %q: %w", path, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("cannot write %q: %w", path, err)
	}
	return nil
}
