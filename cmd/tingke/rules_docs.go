package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/rules"
)

func (a *app) rulesOperatorsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "operators [NAME]",
		Short:   "The operators of the rule language, or the page of one",
		Long:    "Without a name all operators with their first line; with one its whole page: parameters, meaning and an example.",
		Example: "  tingke rules operators\n  tingke rules operators keyword",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			type page struct {
				Operator string `json:"operator"`
				Summary  string `json:"summary"`
				Page     string `json:"page,omitempty"`
			}
			var list []page
			if len(args) == 1 {
				text, ok := rules.OperatorDoc(args[0])
				if !ok {
					return usagef("there is no operator %q; known: %s", args[0], strings.Join(rules.Operators(), ", "))
				}
				if !a.json {
					_, err := fmt.Fprintln(a.out, strings.TrimRight(text, "\n"))
					return err
				}
				list = append(list, page{args[0], rules.OperatorSummary(args[0]), text})
			} else {
				for _, name := range rules.Operators() {
					list = append(list, page{Operator: name, Summary: rules.OperatorSummary(name)})
				}
			}
			for _, p := range list {
				if !a.json {
					fmt.Fprintf(a.out, "%-16s %s\n", p.Operator, p.Summary)
				} else if err := json.NewEncoder(a.out).Encode(p); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (a *app) rulesSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "JSON Schema of rule packs, for editors that complete and check as you type",
		Example: "  tingke rules schema > rules.schema.json    # then, as the first line of a pack:\n  # yaml-language-server: $schema=rules.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.out, strings.TrimRight(string(rules.Schema()), "\n"))
			return err
		},
	}
}
