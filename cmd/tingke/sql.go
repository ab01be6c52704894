package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/pipeline/warehouse"
)

func (a *app) sqlCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "sql \"SELECT ...\" | -",
		Short: "Run one read-only query on the warehouse",
		Long: "Runs one statement with limits on time, memory, rows and bytes; nothing can be written, and neither files nor other\n" +
			"servers can be reached. The views and their columns are described in schemas/README.md; - reads the query from\n" +
			"standard input. With --json each row is one object on a line.",
		Example: "  tingke sql \"SELECT shop, count() AS sessions, avg(score) FROM sessions GROUP BY shop ORDER BY sessions DESC\"\n  tingke sql --json \"SELECT * FROM hits WHERE severity = 'major'\"",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			query := args[0]
			if query == "-" {
				b, err := io.ReadAll(io.LimitReader(a.in, 1<<20))
				if err != nil {
					return err
				}
				query = string(b)
			}
			store, err := a.openStore(c.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			rows, err := store.UserQuery(c.Context(), query, warehouse.Limits{})
			if err != nil {
				return &exitError{exitUsage, err}
			}
			defer rows.Close()
			return a.printRows(rows)
		},
	}
}

func (a *app) printRows(rows *warehouse.Rows) error {
	out := bufio.NewWriterSize(a.out, 1<<16)
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	columns := mapped(rows.Columns(), func(c warehouse.Column) string { return c.Name })
	if !a.json {
		fmt.Fprintln(tw, strings.Join(columns, "\t"))
	}
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return err
		}
		if a.json {
			b, err := jsonRow(columns, values)
			if err != nil {
				return err
			}
			out.Write(b)
			continue
		}
		cells := make([]string, len(values))
		for i, v := range values {
			cells[i] = cell(v)
		}
		fmt.Fprintln(tw, strings.Join(cells, "\t"))
	}
	if err := rows.Err(); err != nil {
		return &exitError{exitUsage, err}
	}
	return errors.Join(tw.Flush(), out.Flush())
}

// jsonRow writes an object whose keys keep the order of the query.
func jsonRow(columns []string, values []any) ([]byte, error) {
	b := []byte{'{'}
	for i, name := range columns {
		if i > 0 {
			b = append(b, ',')
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(values[i])
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", name, err)
		}
		b = append(append(append(b, key...), ':'), value...)
	}
	return append(b, '}', '\n'), nil
}

// cell is a value on one line of a table, at most 120 characters.
func cell(v any) string {
	s, ok := v.(string)
	if !ok {
		if v == nil {
			return ""
		}
		b, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		s = strings.Trim(string(b), `"`)
	}
	s = strings.NewReplacer("\n", " ", "\t", " ", "\r", " ").Replace(s)
	if r := []rune(s); len(r) > 120 {
		s = string(r[:119]) + "…"
	}
	return s
}
