package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/pipeline/intake"
	"github.com/tingke/tingke/pipeline/warehouse"
)

func (a *app) importCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "import",
		Short:   "Import master data",
		Example: "  tingke import agents agents.csv",
	}
	var input inputFlags
	agents := &cobra.Command{
		Use:   "agents FILE",
		Short: "Agents with their names and teams over time",
		Long: "Reads agent_id, name, team and valid_from from CSV, XLSX or JSON lines (Chinese headers such as 工号, 姓名, 班组 are\n" +
			"understood). A session that names no team counts for the team its agent had when it started. Importing again adds\n" +
			"and corrects; nothing is removed.",
		Example: "  tingke import agents testdata/agents.csv",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			opt, err := input.options(a.config)
			if err != nil {
				return err
			}
			agents, bad, err := intake.ReadAgents(args[0], opt)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			for _, e := range bad {
				fmt.Fprintln(a.err, e)
			}
			s, err := a.openStore(c.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			rows := mapped(agents, func(x intake.Agent) warehouse.Agent {
				return warehouse.Agent{AgentID: x.AgentID, Name: x.Name, Team: x.Team, ValidFrom: x.ValidFrom}
			})
			if err := s.SaveAgents(c.Context(), rows); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%d agents imported\n", len(rows))
			if len(bad) > 0 {
				return usagef("%d rows were left out (named above)", len(bad))
			}
			return nil
		},
	}
	agents.Flags().StringVar(&input.mapFile, "map", "", "layout of the file (sheet, header_row, encoding, delimiter) as a column map")
	c.AddCommand(agents)
	return c
}
