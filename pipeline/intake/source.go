package intake

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// sniffBytes is how much of a file detection may look at.
const sniffBytes = 256 << 10

// source is an open file with its compression taken off.
type source struct {
	name string // as given
	base string // base name without the extension of the compression
	br   *bufio.Reader
	file *os.File // the file itself when it is a regular, uncompressed one, for formats that need random access
	done []func() error
}

func (s *source) close() error {
	var errs []error
	for i := len(s.done) - 1; i >= 0; i-- {
		if err := s.done[i](); err != nil {
			errs = append(errs, err)
		}
	}
	s.done = nil
	if len(errs) > 0 {
		return fmt.Errorf("cannot close %q: %w", s.name, errors.Join(errs...))
	}
	return nil
}

// ext gives the extension of the uncompressed name in lower case, such as ".csv".
func (s *source) ext() string { return strings.ToLower(filepath.Ext(s.base)) }

func (s *source) skipBOM() {
	if b, _ := s.br.Peek(3); bytes.Equal(b, []byte("\xef\xbb\xbf")) {
		s.br.Discard(3)
	}
}

// readError makes a reading error into one that names the place.
func (s *source) readError(line int, err error) error {
	var e *Error
	if errors.As(err, &e) {
		e.Line = line
		return e
	}
	e = &Error{File: s.name, Line: line, Problem: "cannot read further", Cause: err}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		e.Problem = "the file is truncated"
		e.Hint = "what stands before has been read; copy or export the file again and read it again, nothing is doubled"
	}
	return e
}

func openSource(path string, lim Limits) (*source, error) {
	s := &source{name: path, base: filepath.Base(path)}
	f := os.Stdin
	if path == "-" {
		s.base = "stdin"
	} else {
		var err error
		if f, err = os.Open(path); err != nil {
			return nil, &Error{Problem: fmt.Sprintf("cannot open %q", path), Cause: unwrapPath(err)}
		}
		s.done = append(s.done, f.Close)
		st, err := f.Stat()
		if err != nil {
			s.close()
			return nil, &Error{Problem: fmt.Sprintf("cannot open %q", path), Cause: unwrapPath(err)}
		}
		if st.IsDir() {
			s.close()
			return nil, &Error{File: path, Problem: "is a folder, not a file"}
		}
		if st.Mode().IsRegular() {
			s.file = f
		}
	}
	s.br = bufio.NewReaderSize(f, sniffBytes)
	// Twice at most: a .gz that was packed again by the transfer is not rare, more is somebody's joke.
	for range 2 {
		packed, err := s.unpack(lim)
		if err != nil {
			s.close()
			return nil, err
		}
		if !packed {
			break
		}
	}
	return s, nil
}

// unpack takes off one layer of compression, where there is one.
func (s *source) unpack(lim Limits) (bool, error) {
	head, _ := s.br.Peek(4)
	in := &countReader{r: s.br}
	g := &guardReader{in: in, lim: lim, name: s.name}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(in)
		if err != nil {
			return false, s.readError(1, err)
		}
		g.r = z // closing it gives nothing back, it would only repeat a reading error
		s.base = trimExt(s.base, ".gz", ".gzip")
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20), zstd.WithDecoderLowmem(true))
		if err != nil {
			return false, s.readError(1, err)
		}
		g.r = z
		s.done = append(s.done, func() error { z.Close(); return nil })
		s.base = trimExt(s.base, ".zst", ".zstd")
	default:
		return false, nil
	}
	s.file = nil
	s.br = bufio.NewReaderSize(g, sniffBytes)
	return true, nil
}

func trimExt(name string, exts ...string) string {
	for _, e := range exts {
		if len(name) > len(e) && strings.EqualFold(name[len(name)-len(e):], e) {
			return name[:len(name)-len(e)]
		}
	}
	return name
}

// unwrapPath takes the path out of an error whose message names it anyway.
func unwrapPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

type countReader struct {
	r io.Reader
	n int64
}

func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// guardReader stops a decompression bomb.
type guardReader struct {
	r    io.Reader
	in   *countReader
	n    int64
	lim  Limits
	name string
}

func (g *guardReader) Read(p []byte) (int, error) {
	n, err := g.r.Read(p)
	g.n += int64(n)
	if g.n > g.lim.DecompressedBytes {
		return n, &Error{File: g.name, Problem: fmt.Sprintf("unpacks to more than %d bytes", g.lim.DecompressedBytes),
			Hint: "split the file, or raise the limit if it is what you expect"}
	}
	if g.n > g.lim.RatioFloor && g.n/max(g.in.n, 1) > g.lim.Ratio {
		return n, &Error{File: g.name, Problem: fmt.Sprintf("unpacks to more than %d times its size", g.lim.Ratio),
			Hint: "it looks like a decompression bomb; unpack it yourself if it is not"}
	}
	return n, err
}

// spool gives random access to a source: the file itself, or a temporary copy of at most limit bytes. A truncated source
// gives what there is and its error.
func (s *source) spool(limit int64) (*os.File, int64, error, error) {
	if s.file != nil {
		st, err := s.file.Stat()
		if err != nil {
			return nil, 0, nil, &Error{File: s.name, Problem: "cannot read", Cause: unwrapPath(err)}
		}
		return s.file, st.Size(), nil, nil
	}
	tmp, err := os.CreateTemp("", "tingke-intake-*")
	if err != nil {
		return nil, 0, nil, &Error{File: s.name, Problem: "cannot make a temporary file", Cause: err}
	}
	// Removed at once: the open file stays readable, and nothing is left behind by a kill.
	os.Remove(tmp.Name())
	s.done = append(s.done, tmp.Close)
	n, cut := io.Copy(tmp, io.LimitReader(s.br, limit+1))
	if n > limit {
		return nil, 0, nil, &Error{File: s.name, Problem: fmt.Sprintf("is larger than %d bytes", limit), Hint: "split it"}
	}
	if cut != nil {
		cut = s.readError(0, cut)
	}
	return tmp, n, cut, nil
}

// known maps the extensions that Expand picks from folders to formats.
var known = map[string]string{
	".jsonl": FormatJSONL, ".ndjson": FormatJSONL, ".json": FormatJSON, ".csv": FormatCSV, ".tsv": FormatCSV,
	".xlsx": FormatXLSX, ".xlsm": FormatXLSX, ".parquet": FormatParquet, ".vtt": FormatVTT, ".srt": FormatSRT,
}

// Expand gives the files that paths name: a file stands for itself, a folder for all files below it with a known
// extension (.jsonl, .ndjson, .json, .csv, .tsv, .xlsx, .parquet, .vtt, .srt, each also with .gz or .zst), in sorted
// order and without hidden files and sidecars (NAME.meta.json). "-" stays. A path named twice is read once. Every path
// that is missing or holds nothing is named in the error.
func Expand(paths []string) ([]string, error) {
	var out []string
	var errs []error
	have := map[string]bool{}
	add := func(p string) {
		if !have[p] {
			have[p] = true
			out = append(out, p)
		}
	}
	for _, p := range paths {
		if p == "-" {
			add(p)
			continue
		}
		st, err := os.Stat(p)
		if err != nil {
			errs = append(errs, &Error{Problem: fmt.Sprintf("cannot open %q", p), Cause: unwrapPath(err)})
			continue
		}
		if !st.IsDir() {
			add(filepath.Clean(p))
			continue
		}
		found, err := walk(p)
		if err != nil {
			errs = append(errs, err)
		}
		if len(found) == 0 && err == nil {
			errs = append(errs, &Error{File: p, Problem: "no transcript files in this folder", Hint: "known are " + knownList()})
		}
		for _, f := range found {
			add(f)
		}
	}
	return out, errors.Join(errs...)
}

func walk(dir string) ([]string, error) {
	var out []string
	var errs []error
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			errs = append(errs, &Error{Problem: fmt.Sprintf("cannot read %q", p), Cause: unwrapPath(err)})
			return nil
		}
		name := d.Name()
		if strings.HasPrefix(name, ".") && p != dir {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() || !knownName(name) {
			return nil
		}
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() { // a link to a file counts
			out = append(out, p)
		}
		return nil
	})
	if err != nil {
		errs = append(errs, err)
	}
	sort.Strings(out)
	return out, errors.Join(errs...)
}

func knownName(name string) bool {
	name = strings.ToLower(trimExt(name, ".gz", ".gzip", ".zst", ".zstd"))
	return known[filepath.Ext(name)] != "" && !strings.HasSuffix(name, ".meta.json")
}

func knownList() string {
	var exts []string
	for e := range known {
		exts = append(exts, e)
	}
	sort.Strings(exts)
	return strings.Join(exts, " ") + ", each also with .gz or .zst"
}
