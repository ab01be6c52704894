package train

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tingke/tingke/nlp/textnorm"
)

// Pair is two texts and whether they mean the same.
type Pair struct {
	A, B string
	Same bool
}

// Labelled is a text with the class its source gives it.
type Labelled struct {
	Text, Class string
}

// Cluster is a set of texts that mean the same.
type Cluster []string

// readLines decodes a file of JSON lines, gzipped where it ends in .gz, calling f for each line.
func readLines[T any](path string, f func(T)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var r io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(file); err != nil {
			return fmt.Errorf("cannot read %s: %w", path, err)
		}
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var row T
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
		f(row)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("cannot read %s: %w", path, err)
	}
	return nil
}

// find gives the path of a data file in dir, plain or gzipped.
func find(dir, name string) (string, error) {
	for _, suffix := range []string{"", ".gz"} {
		path := filepath.Join(dir, name+suffix)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("%s: %w", filepath.Join(dir, name), fs.ErrNotExist)
}

// ReadPairs reads a set of pairs: JSON lines with a, b and label 1 (the same) or 0.
func ReadPairs(path string) ([]Pair, error) {
	var pairs []Pair
	err := readLines(path, func(r struct {
		A, B  string
		Label int
	}) {
		pairs = append(pairs, Pair{normal(r.A), normal(r.B), r.Label == 1})
	})
	return pairs, err
}

// ReadClusters reads a file of clusters: JSON lines with sentences.
func ReadClusters(path string) ([]Cluster, error) {
	var clusters []Cluster
	err := readLines(path, func(r struct{ Sentences []string }) {
		c := make(Cluster, len(r.Sentences))
		for i, s := range r.Sentences {
			c[i] = normal(s)
		}
		clusters = append(clusters, c)
	})
	return clusters, err
}

// ReadLabelled reads texts with the class of their field intent.
func ReadLabelled(path string) ([]Labelled, error) {
	var rows []Labelled
	err := readLines(path, func(r struct{ Text, Intent string }) {
		rows = append(rows, Labelled{normal(r.Text), r.Intent})
	})
	return rows, err
}

func normal(s string) string { return textnorm.Normalise(s).Text }
