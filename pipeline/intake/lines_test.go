package intake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// read gives every record of a file as "line: raw" or "line! error", and the final error.
func read(t testing.TB, path string, opt Options) ([]string, error) {
	t.Helper()
	r, err := Open(path, opt)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	var out []string
	for {
		rec, err := r.Next()
		if err != nil {
			if _, again := r.Next(); again != err {
				t.Errorf("after %v Next gives %v", err, again)
			}
			if errors.Is(err, io.EOF) && !errors.As(err, new(*Error)) {
				err = nil
			}
			return out, err
		}
		if rec.File != path {
			t.Errorf("record of file %q, want %q", rec.File, path)
		}
		switch {
		case (rec.Raw == nil) == (rec.Err == nil):
			t.Fatalf("a record has either Raw or Err: %+v", rec)
		case rec.Err != nil:
			out = append(out, fmt.Sprintf("%d! %s", rec.Line, strings.ReplaceAll(rec.Err.Error(), path, filepath.Base(path))))
		default:
			out = append(out, fmt.Sprintf("%d: %s", rec.Line, rec.Raw))
		}
	}
}

func write(t testing.TB, name string, b []byte) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func gz(b []byte) []byte {
	var buf bytes.Buffer
	w, _ := gzip.NewWriterLevel(&buf, gzip.BestSpeed)
	w.Write(b)
	w.Close()
	return buf.Bytes()
}

func zst(t testing.TB, b []byte) []byte {
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return e.EncodeAll(b, nil)
}

func equal(t testing.TB, what string, got, want []string) {
	t.Helper()
	g, w := strings.Join(got, "\n"), strings.Join(want, "\n")
	if g != w {
		t.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}

func TestLines(t *testing.T) {
	f := func(in string, want ...string) {
		t.Helper()
		for _, p := range []struct {
			name string
			b    []byte
		}{{"a.jsonl", []byte(in)}, {"a.jsonl.gz", gz([]byte(in))}, {"a.zst", zst(t, []byte(in))}, {"a.jsonl", gz(gz([]byte(in)))}} {
			got, err := read(t, write(t, p.name, p.b), Options{Format: FormatJSONL, Limits: Limits{LineBytes: 40}})
			if err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
			for i := range got {
				got[i] = strings.Replace(got[i], p.name, "a.jsonl", 1)
			}
			equal(t, p.name, got, want)
		}
	}
	f("")
	f("\n\r\n  \n")
	f(`{"a":1}`, `1: {"a":1}`)
	f("{\"a\":1}\r\n\n{\"b\":2}\n", `1: {"a":1}`, `3: {"b":2}`)
	f("\xef\xbb\xbf{\"a\":1}\n", `1: {"a":1}`)
	f("{broken\n\xff\x00\n", "1: {broken", "2: \xff\x00")
	f(strings.Repeat("x", 40)+"\n"+strings.Repeat("y", 41)+"\nz\n", "1: "+strings.Repeat("x", 40),
		"2! a.jsonl:2: line of 42 bytes is over the limit of 40 and was skipped (split the session into several messages with the same session_id, each with its turns and their seq)", "3: z")
}

// Lines around the size of the reader's buffer, where the line moves from one path to the other.
func TestLinesLong(t *testing.T) {
	for _, n := range []int{sniffBytes - 2, sniffBytes - 1, sniffBytes, sniffBytes + 1, 3*sniffBytes + 5} {
		for _, eol := range []string{"\n", "\r\n"} {
			in := strings.Repeat("x", n) + eol + "end"
			got, err := read(t, write(t, "a.jsonl", []byte(in)), Options{})
			if err != nil || len(got) != 2 || len(got[0]) != n+3 || got[1] != "2: end" {
				t.Errorf("%d %q: %v, %d records", n, eol, err, len(got))
			}
			got, err = read(t, write(t, "a.jsonl", []byte(in)), Options{Limits: Limits{LineBytes: n - 1}})
			if err != nil || len(got) != 2 || !strings.Contains(got[0], "over the limit") || got[1] != "2: end" {
				t.Errorf("%d %q with a lower limit: %v, %.80q", n, eol, err, got)
			}
		}
	}
}

func TestTruncatedGzip(t *testing.T) {
	var in bytes.Buffer
	for i := range 5000 {
		fmt.Fprintf(&in, `{"session_id":"s%d","turns":[]}`+"\n", i*7919%5000)
	}
	whole := gz(in.Bytes())
	for _, keep := range []int{5, 100, len(whole) / 2, len(whole) - 1} {
		got, err := read(t, write(t, "cut.jsonl.gz", whole[:keep]), Options{})
		if err == nil || !strings.Contains(err.Error(), "truncated") {
			t.Errorf("%d of %d bytes: error %v", keep, len(whole), err)
		}
		if keep == len(whole)-1 && len(got) != 5000 {
			t.Errorf("all but one byte gives %d lines", len(got))
		}
		for _, l := range got {
			if !strings.HasSuffix(l, "}") {
				t.Errorf("an unfinished line came out: %s", l)
			}
		}
	}
}

func TestBombs(t *testing.T) {
	zeros := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16)
	f := func(name string, b []byte, lim Limits, want string) {
		t.Helper()
		_, err := read(t, write(t, name, b), Options{Format: FormatJSONL, Limits: lim})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
	packed := gz(zeros)
	f("a.gz", packed, Limits{RatioFloor: 1 << 19}, "more than 250 times")
	f("a.zst", zst(t, zeros), Limits{RatioFloor: 1 << 19}, "more than 250 times")
	f("a.gz", packed, Limits{}, "") // below the floor
	f("b.gz", packed, Limits{RatioFloor: 1 << 19, Ratio: 5000}, "")
	f("c.gz", packed, Limits{Ratio: 5000, DecompressedBytes: 1 << 19}, "more than 524288 bytes")
}

func TestExpand(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{"b.jsonl", "a/x.csv.gz", "a/x.txt", "a/.hidden.jsonl", ".git/c.jsonl", "call.vtt", "call.meta.json", "z.JSON", "notes.md", "empty/readme"} {
		p := filepath.Join(dir, n)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rel := func(in []string) (out []string) {
		for _, p := range in {
			if r, err := filepath.Rel(dir, p); err == nil {
				p = r
			}
			out = append(out, p)
		}
		return out
	}
	got, err := Expand([]string{dir, "-", filepath.Join(dir, "notes.md"), filepath.Join(dir, "b.jsonl")})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "files", rel(got), []string{"a/x.csv.gz", "b.jsonl", "call.vtt", "z.JSON", "-", "notes.md"})
	got, err = Expand([]string{filepath.Join(dir, "missing"), filepath.Join(dir, "empty"), filepath.Join(dir, "b.jsonl")})
	if err == nil || !strings.Contains(err.Error(), "missing") || !strings.Contains(err.Error(), "no transcript files") {
		t.Errorf("error %v", err)
	}
	equal(t, "files beside errors", rel(got), []string{"b.jsonl"})
}

func TestOpenErrors(t *testing.T) {
	f := func(name, content, format, want string) {
		t.Helper()
		_, err := Open(write(t, name, []byte(content)), Options{Format: format})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
	f("a.jsonl", "", "yaml", "unknown format")
	f("a.xls", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "", "save it as .xlsx")
	f("a.xls", "<html><table>", "", "save it as .xlsx or CSV")
	f("a.dat", "some words", "", "--format")
	if _, err := Open(t.TempDir(), Options{}); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := Open("/nonexistent/x.jsonl", Options{}); err == nil || strings.Count(err.Error(), "nonexistent") != 1 {
		t.Errorf("a missing file: %v", err)
	}
}
