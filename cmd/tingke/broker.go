package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/pipeline/broker"
)

func (a *app) brokerCommand() *cobra.Command {
	var addr string
	c := &cobra.Command{
		Use:     "broker",
		Short:   "Host only the embedded broker, until interrupted",
		Long:    "Hosts the embedded Kafka-protocol broker of --dir. Other commands with the same --dir use it.\nIt listens on this machine only and asks for no password: for more than one machine use a Kafka server.",
		Example: "  tingke broker --dir ./data\n  tingke broker --addr 127.0.0.1:9092",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			b, err := broker.Start(c.Context(), broker.Options{Dir: a.dir, Addr: addr, Partitions: a.config.Kafka.Partitions, Log: a.log})
			if err != nil {
				return err
			}
			fmt.Fprintf(a.out, "broker listens on %s (Ctrl-C ends it)\n", b.Addr())
			<-c.Context().Done()
			return b.Close()
		},
	}
	c.Flags().StringVar(&addr, "addr", "", "address on this machine; empty: the last one used, else any free port")
	return c
}
