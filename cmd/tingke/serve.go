package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/dashboards"
)

func (a *app) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "serve",
		Short:   "Pages over the warehouse, until interrupted",
		Long:    "Serves the pages on listen.web of the configuration. They have no log-in, so they are for this machine only.",
		Example: "  tingke serve --dir ./data",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			s, err := a.openStore(c.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			return a.servePages(c.Context(), s)
		},
	}
}

// servePages serves the pages until ctx is done.
func (a *app) servePages(ctx context.Context, s *store) error {
	zone, err := time.LoadLocation(a.config.Timezone)
	if err != nil {
		return err
	}
	pages, err := dashboards.New(dashboards.Options{DB: s.Conn(), Timezone: zone, Log: a.log})
	if err != nil {
		return err
	}
	fmt.Fprintf(a.err, "pages on http://%s (Ctrl-C ends)\n", a.config.Listen.Web)
	return dashboards.Serve(ctx, a.config.Listen.Web, pages, a.log)
}
