package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tingke/tingke/dashboards/export"
	"github.com/tingke/tingke/dashboards/filter"
)

func (a *app) exportCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "export",
		Short: "Write what was found as xlsx, csv, parquet, Arrow or JSON lines",
		Long: "xlsx and csv are for people: titles, names and percentages in Chinese, or English with --lang en; a workbook explains its\n" +
			"columns on its last sheet. parquet, arrow (Arrow file), arrows (Arrow stream) and jsonl are for programs: column names and\n" +
			"keys of the views, typed. No text can become a formula. Rows stream, so the size does not matter; a file is there when\n" +
			"it is complete, and only then.",
		Example: "  tingke export opinions --from 2026-10-01 --to 2026-10-31 -o opinions.xlsx\n  tingke export opinions --split department -o opinions.xlsx\n" +
			"  tingke export kpi --level agents --team 售前一组 -o agents.xlsx\n  tingke export turns -q 发票 --format jsonl -o - | head",
	}
	for _, d := range export.Datasets() {
		c.AddCommand(a.exportDataset(d))
	}
	return c
}

var exportShort = map[string]string{
	"opinions": "What customers keep saying: counts, trend, status, five quotes with links",
	"sessions": "Sessions as the review queue shows them, with the final score",
	"hits":     "Findings of the rules with their evidence and what reviewers decided",
	"kpi":      "Figures of agents, teams, shops or channels",
	"mentions": "Every mention with its opinion",
	"turns":    "What was said, turn by turn; -q searches",
}

func (a *app) exportDataset(d *export.Dataset) *cobra.Command {
	var format, out, lang, split string
	values := url.Values{}
	options := url.Values{}
	c := &cobra.Command{
		Use:     d.Name,
		Short:   exportShort[d.Name],
		Example: fmt.Sprintf("  tingke export %s -o %s.xlsx\n  tingke export %s --from 2026-10-01 --format parquet -o %s.parquet", d.Name, d.Name, d.Name, d.Name),
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if format == "" {
				if format = strings.TrimPrefix(strings.ToLower(filepath.Ext(out)), "."); out == "-" || format == "" {
					return usagef("--format is missing: one of %s, or an output file whose name ends in one of them", strings.Join(export.FormatNames(), ", "))
				}
			}
			f, err := export.ParseFormat(format)
			if err != nil {
				return usagef("--format: %w", err)
			}
			l, err := export.ParseLang(lang)
			if err != nil {
				return usagef("--lang: %w", err)
			}
			narrowed, err := filter.Parse(values)
			if err != nil {
				return usagef("--%w", err)
			}
			if out == "" {
				return usagef("-o is missing: a file, or - for standard output")
			}
			return a.export(c.Context(), export.Request{Dataset: d.Name, Format: f, Lang: l, Filter: narrowed, Options: options, Split: split, By: actor()}, out)
		},
	}
	f := c.Flags()
	f.StringVar(&format, "format", "", strings.Join(export.FormatNames(), ", ")+"; empty: by the name of the file")
	f.StringVarP(&out, "output", "o", "", "file to write, - for standard output")
	f.StringVar(&lang, "lang", "zh", "language of titles and names: zh or en")
	if d.Group != "" {
		f.StringVar(&split, "split", "", d.Group+": a sheet for each, or a file for each in formats without sheets (-o - gives a zip)")
	}
	taken := map[string]bool{}
	for _, o := range d.Options {
		taken[o.Name] = true
		usage := o.Doc
		if o.Enum != nil {
			usage += " (" + strings.Join(o.Enum, ", ") + ")"
		}
		if o.Repeated {
			usage += "; may be given several times"
		}
		f.VarP(&textFlag{set: func(v string) { options.Add(o.Name, v) }, value: o.Default}, o.Name, map[bool]string{true: "q"}[o.Name == "q"], usage)
	}
	for _, field := range filter.Fields() {
		if taken[field.Name] || !d.Takes(field.Name) {
			continue
		}
		usage := field.Doc
		if field.Enum != nil && len(field.Enum) <= 6 {
			usage += " (" + strings.Join(field.Enum, ", ") + ")"
		}
		if field.Repeated {
			usage += "; may be given several times"
		}
		f.VarP(&textFlag{set: func(v string) { values.Add(field.Name, v) }}, field.Name, map[bool]string{true: "q"}[field.Name == "q"], usage)
	}
	return c
}

// textFlag is a flag that hands its values on.
type textFlag struct {
	set   func(string)
	value string
}

var _ pflag.Value = (*textFlag)(nil)

func (t *textFlag) String() string     { return t.value }
func (t *textFlag) Type() string       { return "text" }
func (t *textFlag) Set(v string) error { t.set(v); t.value = v; return nil }

func (a *app) export(ctx context.Context, r export.Request, out string) (err error) {
	s, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	zone, err := time.LoadLocation(a.config.Timezone)
	if err != nil {
		return err
	}
	if a.terminal() {
		r.Progress = func(n int64) { fmt.Fprintf(a.err, "\r%d rows ", n) }
	}
	began := time.Now()
	use, err := a.rulesInUse(ctx, s)
	if err != nil {
		return err
	}
	job, err := export.New(export.Options{DB: s.Conn(), Timezone: zone, Web: "http://" + a.config.Listen.Web, RuleNames: use.RuleNames()}).Start(ctx, r)
	if err != nil {
		return exportProblem(err)
	}
	defer func() { err = errors.Join(err, job.Close()) }()
	result := export.Result{Dataset: r.Dataset, Format: r.Format.Name}
	if out == "-" {
		err = job.Write(ctx, a.out)
	} else {
		result.Files, err = job.WriteFile(ctx, out)
	}
	if r.Progress != nil {
		fmt.Fprint(a.err, "\r")
	}
	if err != nil {
		return exportProblem(err)
	}
	result.Rows = job.Rows()
	summary := a.out
	if out == "-" {
		summary = a.err // the data has standard output for itself
	}
	if a.json {
		return json.NewEncoder(summary).Encode(result)
	}
	if out == "-" {
		return nil
	}
	_, err = fmt.Fprintf(summary, "%d rows of %s in %s: %s\n", result.Rows, r.Dataset, time.Since(began).Round(10*time.Millisecond), strings.Join(result.Files, ", "))
	return err
}

// exportProblem tells a wrong request, named by its flag, from a failure.
func exportProblem(err error) error {
	var wrong *export.RequestError
	if errors.As(err, &wrong) {
		return usagef("--%w", wrong)
	}
	return err
}
