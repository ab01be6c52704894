package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/nlp/opinion"
	"github.com/tingke/tingke/nlp/segment"
	"github.com/tingke/tingke/schemas"
)

func (a *app) opinionsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "opinions",
		Short: "What customers keep saying, as opinions with stable ids",
		Long: "An opinion is what many mentions share: the same answer would settle them. `cluster` groups the texts of a file and needs\n" +
			"no store; the others work on the registry of the warehouse, whose state is the fold of its events.",
		Example: "  tingke opinions cluster --in texts.jsonl --out opinions.jsonl\n  tingke opinions rebuild && tingke opinions list",
	}
	c.AddCommand(a.opinionsClusterCommand(), a.opinionsListCommand(), a.opinionsShowCommand(), a.opinionsRenameCommand(), a.opinionsMergeCommand(), a.opinionsUnmergeCommand(),
		a.opinionsSplitCommand(), a.opinionsSetCommand(), a.opinionsRebuildCommand(), a.opinionsDiffCommand())
	return c
}

// opinionModel is what opinions are made with: the configured encoder and dictionary.
func (a *app) opinionModel() (*opinion.Model, error) {
	e, err := a.newEncoder()
	if err != nil {
		return nil, err
	}
	seg, err := segment.New(segment.Options{UserDict: a.config.NLP.UserDict})
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return opinion.NewModel(e, seg), nil
}

type clusterFlags struct {
	in, out, registry string
	workers           int
}

func (a *app) opinionsClusterCommand() *cobra.Command {
	var f clusterFlags
	c := &cobra.Command{
		Use:   "cluster --in FILE --out FILE",
		Short: "Group the texts of a file into opinions",
		Long: "Reads {\"id\",\"text\"} a line and writes {\"id\",\"opinion_id\",\"title\",\"score\"} a line, in the order of the input; a text that is\n" +
			"like no other is an opinion of its own. score says how much it is like the opinion's texts, 1 for one that was known.\n" +
			"The ids depend on the set of texts alone: neither on their order nor on --workers.\n\n" +
			"With --registry the opinions of that file are kept with their ids and titles, texts that fit none of them found new ones, and\n" +
			"the file is replaced by the grown registry; a file that is not there yet is made. Its form: a header line\n" +
			"{\"format\":\"tingke.opinions\",\"version\":1,\"epoch\":1,\"model\":\"...\"}, then an opinion a line, sorted by id:\n" +
			"{\"id\",\"title\",\"side\",\"members\":[...]} and, where mentions have them, kind, aspect and product.",
		Example: "  tingke opinions cluster --in texts.jsonl --out opinions.jsonl\n" +
			"  # this week's texts join the opinions of the weeks before\n" +
			"  tingke opinions cluster --in week2.jsonl --out week2.opinions.jsonl --registry opinions.registry",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.in == "" || f.out == "" {
				return usagef("--in and --out are needed; - is standard input or output")
			}
			if f.workers < 0 {
				return usagef("--workers %d is negative", f.workers)
			}
			return a.clusterFile(c.Context(), f)
		},
	}
	c.Flags().StringVar(&f.in, "in", "", "JSON lines with id and text; - for standard input")
	c.Flags().StringVar(&f.out, "out", "", "where the lines go; - for standard output")
	c.Flags().StringVar(&f.registry, "registry", "", "registry of known opinions, kept and grown")
	c.Flags().IntVar(&f.workers, "workers", 0, "goroutines, 0 = one a processor; the result does not depend on it")
	return c
}

// clusterLine is a line of output of `opinions cluster`.
type clusterLine struct {
	ID        json.RawMessage `json:"id,omitempty"`
	OpinionID string          `json:"opinion_id"`
	Title     string          `json:"title"`
	Score     float64         `json:"score"`
}

func (a *app) clusterFile(ctx context.Context, f clusterFlags) error {
	ids, mentions, bad, err := a.readTexts(ctx, f.in)
	if err != nil {
		return err
	}
	known := &opinion.Registry{}
	if f.registry != "" {
		if known, err = readRegistry(f.registry, true); err != nil {
			return err
		}
	}
	m, err := a.opinionModel()
	if err != nil {
		return err
	}
	grown, assigned := m.Grow(known, mentions, opinion.Options{Workers: f.workers})
	write := func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		for i, x := range assigned {
			if err := e.Encode(clusterLine{ids[i], x.ID, x.Title, schemas.Round4(x.Score)}); err != nil {
				return err
			}
		}
		return nil
	}
	if f.out == "-" {
		err = write(a.out)
	} else {
		err = replaceFile(f.out, write)
	}
	if err != nil {
		return err
	}
	// The registry is written last: when it names opinions, their texts are in the output.
	if f.registry != "" {
		if err := replaceFile(f.registry, grown.Write); err != nil {
			return err
		}
	}
	if f.out != "-" {
		if err := a.printCluster(len(mentions), known, grown, assigned); err != nil {
			return err
		}
	}
	if bad > 0 {
		return usagef("%d lines were not understood", bad)
	}
	return nil
}

// clusterResult is what `opinions cluster --json` prints.
type clusterResult struct {
	Texts    int    `json:"texts"`
	Opinions int    `json:"opinions"` // in the registry after
	New      int    `json:"new"`
	Epoch    uint32 `json:"epoch"`
	// Singletons are the opinions among the texts given that only one of them belongs to.
	Singletons int `json:"singletons"`
}

func (a *app) printCluster(texts int, known, grown *opinion.Registry, assigned []opinion.Assigned) error {
	count := map[string]int{}
	for _, x := range assigned {
		count[x.ID]++
	}
	r := clusterResult{Texts: texts, Opinions: len(grown.Opinions), New: len(grown.Opinions) - len(known.Opinions), Epoch: grown.Epoch}
	for _, n := range count {
		if n == 1 {
			r.Singletons++
		}
	}
	if a.json {
		return json.NewEncoder(a.out).Encode(r)
	}
	_, err := fmt.Fprintf(a.out, "%d texts in %d opinions, %d of them with one text; the registry has %d, %d of them new\n", r.Texts, len(count), r.Singletons, r.Opinions, r.New)
	return err
}

// readTexts reads {"id","text"} lines. A bad line is named on standard error and left out.
func (a *app) readTexts(ctx context.Context, path string) (ids []json.RawMessage, mentions []opinion.Mention, bad int, err error) {
	in := a.in
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, nil, 0, usagef("cannot read the texts: %w", err)
		}
		defer file.Close()
		in = file
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 1<<16), schemas.MaxMessageBytes)
	n := 0
	for lines.Scan() {
		n++
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, 0, err
		}
		var l struct {
			ID   json.RawMessage `json:"id"`
			Text *string         `json:"text"`
		}
		err := json.Unmarshal(line, &l)
		if err == nil && l.Text == nil {
			err = errors.New("text is missing")
		}
		if err != nil {
			bad++
			fmt.Fprintf(a.err, "%s:%d: %v\n", path, n, err)
			continue
		}
		ids, mentions = append(ids, l.ID), append(mentions, opinion.Mention{Text: *l.Text})
	}
	if err := lines.Err(); err != nil {
		return nil, nil, 0, usagef("%s:%d: %w", path, n+1, err)
	}
	return ids, mentions, bad, nil
}

// readRegistry reads a registry file; one that is not there may stand for an empty one.
func readRegistry(path string, orEmpty bool) (*opinion.Registry, error) {
	file, err := os.Open(path)
	if orEmpty && errors.Is(err, fs.ErrNotExist) {
		return &opinion.Registry{}, nil
	}
	if err != nil {
		return nil, usagef("cannot read the registry: %w", err)
	}
	defer file.Close()
	r, err := opinion.ReadRegistry(path, file)
	if err != nil {
		return nil, usagef("cannot read the registry: %w", err)
	}
	return r, nil
}

// replaceFile writes a file beside path and puts it in its place, so that nobody reads half of it.
func replaceFile(path string, write func(io.Writer) error) (err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // a device or a pipe cannot be replaced
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return usagef("cannot write %s: %w", path, err)
		}
		return errors.Join(write(file), file.Close())
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return usagef("cannot write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	out := bufio.NewWriterSize(file, 1<<16)
	if err := errors.Join(write(out), out.Flush(), file.Chmod(0o644), file.Close()); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return os.Rename(file.Name(), path)
}
