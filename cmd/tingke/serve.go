package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/dashboards"
	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/dashboards/api"
	"github.com/tingke/tingke/pipeline/warehouse"
)

func (a *app) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "serve",
		Short:   "Pages and API over the warehouse, until interrupted",
		Long:    "Serves the pages and the API on listen.web of the configuration, for the users of `tingke user`.",
		Example: "  tingke serve --dir ./data",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			s, err := a.openStore(c.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			j, stop, err := a.newJudging(c.Context(), s)
			if err != nil {
				return err
			}
			defer stop()
			return a.servePages(c.Context(), s, j)
		},
	}
}

// servePages serves the pages and the API until ctx is done.
func (a *app) servePages(ctx context.Context, s *store, j *judging) error {
	zone, err := time.LoadLocation(a.config.Timezone)
	if err != nil {
		return err
	}
	users, err := access.OpenUsers(a.usersPath(), a.log)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	reviews, err := a.newReviews(ctx, s, users)
	if err != nil {
		return err
	}
	judge, err := j.options(a, s)
	if err != nil {
		return err
	}
	uploads, err := a.uploads(ctx, s, j.analyser.InUse)
	if err != nil {
		return err
	}
	hub := a.newHub(s)
	following, stopFollowing := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { hub.Run(following) })
	running.Go(func() { // so that the first visitor does not wait for the copies that pages read
		for _, copies := range []func(context.Context) (warehouse.FactsCut, error){s.Facts, s.TurnFacts} {
			if _, err := copies(following); err != nil && following.Err() == nil {
				a.log.Warn("pages will be slow at first", "error", err)
			}
		}
	})
	defer func() {
		stopFollowing()
		running.Wait()
	}()
	handler, err := a.newAPI(s, zone, func(o *api.Options) { o.Reviews, o.Alerts, o.Uploads = reviews, hub, uploads }, judge)
	if err != nil {
		return err
	}
	defer handler.Close()
	l, c := a.config.Listen, a.config.Access
	site, err := dashboards.New(dashboards.Options{API: handler, Access: access.Options{
		Users: users, Audit: access.NewAuditLog(s), Secure: l.WebSecure, Hosts: l.WebHosts, Proxies: l.WebProxies,
		Sees: c.AgentsSee, Idle: c.SessionIdle, Lifetime: c.SessionLifetime, Log: a.log,
	}})
	if err != nil {
		return err
	}
	server := dashboards.Server{Addr: l.Web, Public: l.WebPublic, Hosts: l.WebHosts, Secure: l.WebSecure, Log: a.log}
	listener, err := server.Listen(ctx)
	if err != nil {
		return err
	}
	if users.Empty() {
		fmt.Fprintf(a.err, "no users yet: make the first admin with\n  tingke user add NAME --role admin%s\n", a.dirFlag())
	}
	fmt.Fprintf(a.err, "pages on http://%s (Ctrl-C ends)\n", listener.Addr())
	return server.ServeListener(ctx, listener, site)
}

// newAPI makes the API over the store, with what else its options are to hold.
func (a *app) newAPI(s *store, zone *time.Location, with ...func(*api.Options)) (*api.API, error) {
	o := api.Options{Warehouse: s.Warehouse, Timezone: zone, Log: a.log}
	for _, f := range with {
		f(&o)
	}
	return api.New(o)
}

// usersPath is the file of the users.
func (a *app) usersPath() string {
	if p := a.config.Access.Users; p != "" {
		return p
	}
	return filepath.Join(a.dir, "users.yaml")
}

// dirFlag is how a command names the folder of this one.
func (a *app) dirFlag() string {
	if a.configPath != "" {
		return " --config " + a.configPath + " --dir " + a.dir
	}
	return " --dir " + a.dir
}
