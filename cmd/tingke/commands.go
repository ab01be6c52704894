package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// commands are all commands of the binary.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.demoCommand(),
		a.runCommand(),
		a.serveCommand(),
		a.migrateCommand(),
		a.doctorCommand(),
		a.sendCommand(),
		a.analyzeCommand(),
		a.batchCommand(),
		a.rerunCommand(),
		a.runsCommand(),
		a.forgetCommand(),
		a.rulesCommand(),
		a.importCommand(),
		a.sqlCommand(),
		a.userCommand(),
		a.exportCommand(),
		a.benchCommand(),
		a.nlpCommand(),
		a.opinionsCommand(),
		a.trainCommand(),
		a.evalCommand(),
		a.brokerCommand(),
		a.engineCommand(),
		a.configCommand(),
	}
}

func (a *app) configCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "config",
		Short:   "Print every configuration key with its default and meaning",
		Example: "  tingke config > tingke.yaml",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(a.out, "%s", defaultConfig)
			return err
		},
	}
}
