package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/pipeline/warehouse"
)

func (a *app) migrateCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "migrate",
		Short:   "Bring the warehouse's tables and views up to date",
		Long:    "Applies the numbered migrations that are missing. It may run again, and from several processes at once; every\ncommand that opens the warehouse does the same.",
		Example: "  tingke migrate\n  CLICKHOUSE_DSN=clickhouse://admin:pass@host:9000/tingke tingke migrate",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			s, err := a.openStore(c.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			if err := s.ApplyRetention(c.Context(), warehouse.Retention(a.config.Retention)); err != nil {
				return err
			}
			fmt.Fprintln(a.out, "the schema is up to date")
			return nil
		},
	}
}

// terminal says whether progress on standard error would be seen by a person.
func (a *app) terminal() bool {
	f, ok := a.err.(*os.File)
	if !ok || a.json {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
