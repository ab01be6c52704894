package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/pipeline/intake"
	"github.com/tingke/tingke/schemas"
)

// inputFlags are the flags of every command that reads transcript files.
type inputFlags struct {
	format   string
	mapFile  string
	defaults intake.Defaults
}

func (f *inputFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.format, "format", "", "format of the files; empty: by name and content ("+strings.Join(intake.Formats(), ", ")+")")
	c.Flags().StringVar(&f.mapFile, "map", "", "column map (YAML) of CSV and XLSX files")
	c.Flags().StringVar(&f.defaults.Channel, "channel", "", "channel of sessions that name none")
	c.Flags().StringVar(&f.defaults.Shop, "shop", "", "shop of sessions that name none")
	c.Flags().StringVar(&f.defaults.Source, "source", "", "source of sessions that name none")
}

func (f *inputFlags) options(c *Config) (intake.Options, error) {
	zone, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return intake.Options{}, err
	}
	opt := intake.Options{Format: f.format, Session: f.defaults, Location: zone}
	if f.mapFile != "" {
		m, err := intake.ReadColumnMap(f.mapFile)
		if err != nil {
			return opt, &exitError{exitUsage, err}
		}
		opt.Map = m
	}
	return opt, nil
}

// line is one line or row of the input: a message, or the reason why it is none.
type line struct {
	raw  []byte // valid until the next line
	file string
	line int
	msg  *schemas.Message
	err  error
}

// place names the line for people: file:line.
func (l *line) place() string { return fmt.Sprintf("%s:%d", l.file, l.line) }

// problem says where the line is and what is wrong with it.
func (l *line) problem() string {
	var placed *intake.Error // names the place itself
	if errors.As(l.err, &placed) {
		return l.err.Error()
	}
	return l.place() + ": " + l.err.Error()
}

// eachLine calls f for every line of the files and folders, in order. A line that is no message is passed with its err;
// a file that cannot be opened, or breaks off, ends the walk with an error after what could be read of it.
func eachLine(ctx context.Context, paths []string, opt intake.Options, f func(*line) error) error {
	files, err := intake.Expand(paths)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	if len(files) == 0 {
		return usagef("no transcript files in %s", strings.Join(paths, ", "))
	}
	var broken []error
	for _, path := range files {
		if err := eachLineOf(ctx, path, opt, f); err != nil {
			var read *readError
			if !errors.As(err, &read) {
				return err
			}
			broken = append(broken, read.err)
		}
	}
	if len(broken) > 0 {
		return &exitError{exitUsage, errors.Join(broken...)}
	}
	return nil
}

// readError is an error of a file, as opposed to one of the function that handles its lines.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }

func eachLineOf(ctx context.Context, path string, opt intake.Options, f func(*line) error) error {
	r, err := intake.Open(path, opt)
	if err != nil {
		return &readError{err}
	}
	defer r.Close()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		rec, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &readError{err}
		}
		l := line{raw: rec.Raw, file: rec.File, line: rec.Line, err: rec.Err}
		if l.err == nil {
			l.msg, l.err = schemas.Decode(rec.Raw)
		}
		if err := f(&l); err != nil {
			return err
		}
	}
}
