// Package data holds the project's own training rows and reads those of other places. README.md says where each file
// comes from. It is used by training and evaluation only, never on the path of a session; it imports textnorm.
package data

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/tingke/tingke/nlp/textnorm"
)

//go:embed own.jsonl.zst
var own []byte

// Row is a labelled turn.
type Row struct {
	ID   string `json:"id"`
	Src  string `json:"src,omitempty"`
	Role string `json:"role"`
	Text string `json:"text"`
	// Context are the turns before, oldest first, each as "customer: ..." or "agent: ...".
	Context []string `json:"context"`
	// Emotion is the primary label, Emotion2 a second one or "".
	Emotion  string    `json:"emotion"`
	Emotion2 string    `json:"emotion2"`
	Polarity string    `json:"polarity"`
	Mentions []Mention `json:"mentions"`
}

// Mention is an opinion mention of a row.
type Mention struct {
	Text     string `json:"text"`
	Kind     string `json:"kind"`
	Aspect   string `json:"aspect"`
	Valuable bool   `json:"valuable"`
}

// Own gives the project's own rows: turns written for it, with emotion, polarity and mentions.
func Own() ([]Row, error) {
	d, err := zstd.NewReader(bytes.NewReader(own))
	if err != nil {
		return nil, fmt.Errorf("cannot read own.jsonl.zst: %w", err)
	}
	defer d.Close()
	return Decode[Row](d, "own.jsonl.zst")
}

// Read reads the JSON lines of a file, gzip- or zstd-packed by its ending.
func Read[T any](path string) ([]T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read rows: %w", err)
	}
	defer f.Close()
	var r io.Reader = f
	switch {
	case strings.HasSuffix(path, ".gz"):
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("cannot read rows of %q: %w", path, err)
		}
		r = z
	case strings.HasSuffix(path, ".zst"):
		z, err := zstd.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("cannot read rows of %q: %w", path, err)
		}
		defer z.Close()
		r = z
	}
	return Decode[T](r, path)
}

// maxLine bounds a line of a file of rows.
const maxLine = 16 << 20

// Decode reads JSON lines; name stands in the errors.
func Decode[T any](r io.Reader, name string) ([]T, error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxLine)
	var rows []T
	for n := 1; in.Scan(); n++ {
		if len(bytes.TrimSpace(in.Bytes())) == 0 {
			continue
		}
		var x T
		if err := json.Unmarshal(in.Bytes(), &x); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		rows = append(rows, x)
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("cannot read rows of %q: %w", name, err)
	}
	return rows, nil
}

// Held says whether a text belongs to the tenth of every set that shipped weights are never trained on, so that they
// can be measured there. It goes by the normalised text: the same text is on the same side in every set.
func Held(text string) bool {
	h := uint32(2166136261)
	for _, c := range []byte(textnorm.Normalise(text).Text) {
		h = (h ^ uint32(c)) * 16777619
	}
	h ^= h >> 15
	h *= 0x2c1b3c6d
	return (h^h>>12)%10 == 0
}
