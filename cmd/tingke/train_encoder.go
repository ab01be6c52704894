package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	encodertrain "github.com/tingke/tingke/nlp/encoder/train"
)

func (a *app) trainEncoderCommand() *cobra.Command {
	o := encodertrain.Defaults()
	folder, out, date := "", "", ""
	c := &cobra.Command{
		Use:   "encoder",
		Short: "Vectors of short texts, from pairs of equal meaning",
		Long: "Trains on the sets of --data whose terms allow it, a few minutes on one core; without --data on the project's own rows alone,\n" +
			"which know aspects but no paraphrases. The same rows, options and seed give the same bytes. Sets that are absent are named.\n" +
			"What is made is a model folder with its card; nlp.encoder in tingke.yaml puts it to use.",
		Example: "  tingke train encoder --data ../shared -o nlp/models/encoder\n  tingke train encoder --data ../shared --seed 2 -o /tmp/encoder",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if out == "" {
				return usagef("--output is missing: the folder to write the model to")
			}
			command := fmt.Sprintf("tingke train encoder --seed %d", o.Seed)
			if folder != "" {
				if _, err := os.Stat(folder); err != nil {
					return usagef("cannot use --data: %w", err)
				}
				command += " --data DIR"
			}
			if a.terminal() {
				o.Log = func(s string) { fmt.Fprintln(a.err, s) }
			}
			r, err := encodertrain.Train(c.Context(), folder, o, date, command)
			if err != nil {
				return err
			}
			if err := os.MkdirAll(out, 0o755); err != nil {
				return fmt.Errorf("cannot make folder: %w", err)
			}
			for _, name := range slices.Sorted(maps.Keys(r.Files)) {
				if err := writeWhole(filepath.Join(out, name), r.Files[name]); err != nil {
					return err
				}
			}
			for _, s := range r.Missing {
				fmt.Fprintf(a.err, "MISSING: %s\n", s)
			}
			if a.json {
				return json.NewEncoder(a.out).Encode(r)
			}
			for _, s := range r.Sources {
				fmt.Fprintln(a.out, s)
			}
			if r.Refused > 0 {
				fmt.Fprintf(a.out, "%d texts refused: too close to a minimal pair\n", r.Refused)
			}
			for _, f := range r.Held {
				fmt.Fprintf(a.out, "%-64s %.3f (%d rows kept back)\n", f.Name, f.Value, f.Rows)
			}
			_, err = fmt.Fprintf(a.out, "%s: %d tokens and %d n-grams of %d elements, %.1f MB, version %s\n", out, r.Tokens, r.Ngrams, r.Dim, float64(r.Bytes)/1e6, r.Version)
			return err
		},
	}
	c.Flags().StringVar(&folder, "data", "", "folder with data/; without it the project's own rows alone train")
	c.Flags().Uint64Var(&o.Seed, "seed", o.Seed, "seed of first vectors and the order of rows")
	c.Flags().StringVar(&date, "date", "an unnamed day", "date to write into the model card")
	c.Flags().StringVarP(&out, "output", "o", "", "folder to write the model to")
	return c
}
