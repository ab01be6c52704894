// Command tingke is the whole product in one binary: broker, engine, worker, batch and line commands. This package
// wires the others together, one file per command, and is the only place that knows them all.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes: 0 ok, 1 findings or failed checks where they were asked for, 2 bad usage or input.
const (
	exitFindings = 1
	exitUsage    = 2
)

// exitError carries the exit code of an error.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usagef is an error of usage or input.
func usagef(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// findingsf is the outcome of a check that found something.
func findingsf(format string, args ...any) error {
	return &exitError{exitFindings, fmt.Errorf(format, args...)}
}

var logLevels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

// app is what every command shares: flags of the root, streams and, once loaded, configuration and log.
type app struct {
	dir        string
	configPath string
	json       bool
	config     *Config
	log        *slog.Logger
	in         io.Reader
	out, err   io.Writer
	getenv     func(string) string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv}
	os.Exit(a.run(ctx, os.Args[1:]))
}

// run executes one command line and gives the exit code. Tests call it as the shell would.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.command()
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var e *exitError
	code := exitUsage
	if errors.As(err, &e) {
		code = e.code
	}
	fmt.Fprintln(a.err, "tingke:", err)
	return code
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "tingke",
		Short:         "Conversation analytics and quality inspection for customer service",
		Long:          "Tingke (听客) reads every customer-service conversation: emotions, opinions and script rules of each turn,\nfrom Kafka or files into ClickHouse, on one laptop or a cluster.",
		Example:       "  tingke demo                        everything at once on sample conversations\n  tingke analyze chats.jsonl         sessions in, analysed sessions out, no store\n  tingke sql \"SELECT * FROM sessions LIMIT 5\"",
		Version:       codeVersion(),
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			c, err := loadConfig(a.configPath, a.getenv)
			if err != nil {
				return err
			}
			if own := filepath.Join(a.dir, productsFile); c.NLP.Products == "" {
				if _, err := os.Stat(own); err == nil {
					c.NLP.Products = own
				}
			}
			a.config = c
			a.log = a.newLog(logLevels[c.Log.Level])
			return nil
		},
	}
	f := root.PersistentFlags()
	f.StringVar(&a.dir, "dir", "./.tingke", "folder of the embedded broker, the embedded store and the key")
	f.StringVar(&a.configPath, "config", "", "configuration file (see tingke config)")
	f.BoolVar(&a.json, "json", false, "machine-readable output")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%w (see %s --help)", err, c.CommandPath())
	})
	root.AddCommand(a.commands()...)
	return root
}

// newLog makes a log of the configured format on standard error.
func (a *app) newLog(level slog.Level) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if a.config.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(a.err, opts))
	}
	return slog.New(slog.NewTextHandler(a.err, opts))
}

// codeVersion is the revision the binary was built from.
func codeVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			version = s.Value[:12]
		}
	}
	if buildVersion != "" {
		version = buildVersion
	}
	return version
}

// buildVersion is set by the Makefile with -ldflags -X, because a build in a tree without git has no vcs.revision.
var buildVersion string
