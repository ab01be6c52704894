package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/current"
)

// dictionaries is the source of new language stages: when a file of user words or products has changed, they are made
// anew from all of them.
type dictionaries struct {
	app   *app
	tried string // digest of the files last read
	err   error  // why they are not in use
}

// newDictionaries remembers the files as they are now: it is made before the stages that read them, so that a change in
// between is seen. It is nil where no files are configured.
func (a *app) newDictionaries() (*dictionaries, error) {
	if len(a.config.NLP.UserDict) == 0 && a.config.NLP.Products == "" {
		return nil, nil
	}
	d := &dictionaries{app: a}
	var err error
	if d.tried, err = d.digest(); err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return d, nil
}

// Name implements current.Source.
func (*dictionaries) Name() string { return "dictionaries" }

// Look implements current.Source. A file that is being written, or is wrong, leaves the stages in use as they are; the
// reason is given until the files change again.
func (d *dictionaries) Look(context.Context) (current.Change, error) {
	mark, err := d.digest()
	if err != nil {
		return nil, err
	}
	if mark == d.tried {
		return nil, d.err
	}
	d.tried = mark
	an, err := d.app.newNLP()
	if d.err = err; err != nil {
		return nil, err
	}
	return func(old *analyse.Analyser) *analyse.Analyser { return old.WithFeatures(an) }, nil
}

// digest is of the names and contents of all files.
func (d *dictionaries) digest() (string, error) {
	h := sha256.New()
	for _, path := range append([]string{d.app.config.NLP.Products}, d.app.config.NLP.UserDict...) {
		if path == "" {
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("cannot read dictionary: %w", err)
		}
		n, err := io.Copy(h, f)
		f.Close()
		if err != nil {
			return "", fmt.Errorf("cannot read dictionary %q: %w", path, err)
		}
		fmt.Fprintf(h, "\x00%q %d\n", path, n)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
