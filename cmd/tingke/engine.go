package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/pipeline/warehouse/engine"
)

// engineOptions are the configured bounds of the embedded engine.
func (a *app) engineOptions() engine.Options {
	return engine.Options{MemoryBytes: int64(a.config.Engine.Memory), MarkCacheBytes: int64(a.config.Engine.MarkCache), Logger: a.log}
}

func (a *app) engineCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "engine",
		Short:   "Host only the embedded ClickHouse engine, until interrupted",
		Long:    "Runs the embedded ClickHouse engine on the data of --dir. Other commands with the same --dir connect to it over\nloopback HTTP; its address and token stand in DIR/engine.json, readable by you alone.",
		Example: "  tingke engine --dir ./data",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			h, err := engine.Acquire(c.Context(), a.dir, a.engineOptions())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, h.Close()) }()
			if !h.Owned() {
				return usagef("another process already runs the engine of %s", a.dir)
			}
			fmt.Fprintf(a.out, "engine runs on %s (Ctrl-C ends it)\n", filepath.Join(a.dir, "store"))
			<-c.Context().Done()
			if cause := context.Cause(c.Context()); !errors.Is(cause, context.Canceled) {
				return cause
			}
			return nil
		},
	}
}
