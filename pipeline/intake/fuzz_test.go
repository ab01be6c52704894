package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/tingke/tingke/schemas"
)

// fuzzFile is the one file that a fuzzing process writes its inputs to.
func fuzzFile(f *testing.F, ext string) func(t *testing.T, b []byte) string {
	dir := f.TempDir()
	return func(t *testing.T, b []byte) string {
		p := filepath.Join(dir, fmt.Sprintf("f%d%s", os.Getpid(), ext))
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
}

func addFiles(f *testing.F, names ...string) {
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join("testdata", n))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// check reads a file to its end. Whatever is in it: no panic, an error that names the file, memory in proportion, and what
// an adapter gives is a message (decodes) or at least JSON (wellFormed).
func check(t *testing.T, path string, opt Options, decodes, wellFormed bool) {
	t.Helper()
	const mostBytes = 1 << 30
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	defer func() {
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > mostBytes {
			t.Errorf("allocated %d MB", n>>20)
		}
	}()
	named := func(err error) {
		if e := (*Error)(nil); !errors.As(err, &e) || e.File == "" && e.Problem == "" {
			t.Fatalf("an error that names no place: %v", err)
		}
	}
	r, err := Open(path, opt)
	if err != nil {
		named(err)
		return
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) && !errors.As(err, new(*Error)) {
			return
		}
		if err != nil {
			named(err)
			return
		}
		if (rec.Raw == nil) == (rec.Err == nil) || rec.Line < 1 {
			t.Fatalf("record %+v", rec)
		}
		if rec.Err != nil {
			named(rec.Err)
			continue
		}
		if bytes.IndexByte(rec.Raw, '\n') >= 0 {
			t.Fatalf("a line break in %q", rec.Raw)
		}
		if decodes {
			m, err := schemas.Decode(rec.Raw)
			if err != nil {
				t.Fatalf("%q: %v", rec.Raw, err)
			}
			if m.Session == nil || len(m.Session.Turns) == 0 {
				t.Fatalf("%q is no session", rec.Raw)
			}
		} else if wellFormed && !json.Valid(rec.Raw) {
			t.Fatalf("%q is no JSON", rec.Raw)
		}
	}
}

var fuzzLimits = Limits{LineBytes: 4096, GroupBytes: 8192, DecompressedBytes: 8 << 20, ArchiveBytes: 1 << 20, WholeBytes: 1 << 20}

func FuzzOpen(f *testing.F) {
	addFiles(f, "sessions.jsonl", "sessions.json", "pretty.json", "openai.json", "call.srt", "chat-rows.csv", "sessions.parquet")
	b, _ := os.ReadFile("testdata/sessions.jsonl")
	f.Add(gz(b))
	f.Add(zst(f, b))
	f.Add(gz(b)[:100])
	file := fuzzFile(f, "")
	f.Fuzz(func(t *testing.T, b []byte) { check(t, file(t, b), Options{Limits: fuzzLimits}, false, false) })
}

func FuzzLines(f *testing.F) {
	addFiles(f, "sessions.jsonl")
	f.Add(bytes.Repeat([]byte("x"), 5000))
	file := fuzzFile(f, ".jsonl")
	// What comes out is every line that is neither blank nor too long, byte for byte.
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.HasPrefix(b, []byte{0x1f, 0x8b}) || bytes.HasPrefix(b, []byte{0x28, 0xb5}) {
			return
		}
		var want [][]byte
		for _, l := range bytes.Split(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), []byte("\n")) {
			if l = bytes.TrimSuffix(l, []byte("\r")); len(bytes.TrimSpace(l)) > 0 && len(l) <= fuzzLimits.LineBytes {
				want = append(want, l)
			}
		}
		r, err := Open(file(t, b), Options{Format: FormatJSONL, Limits: fuzzLimits})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		n := 0
		for {
			rec, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if rec.Err != nil {
				continue
			}
			if n >= len(want) || !bytes.Equal(rec.Raw, want[n]) {
				t.Fatalf("line %d: %q", rec.Line, rec.Raw)
			}
			n++
		}
		if n != len(want) {
			t.Fatalf("%d lines of %d", n, len(want))
		}
	})
}

func FuzzJSONValues(f *testing.F) {
	addFiles(f, "sessions.json", "pretty.json", "sessions.jsonl")
	file := fuzzFile(f, ".json")
	f.Fuzz(func(t *testing.T, b []byte) {
		check(t, file(t, b), Options{Format: FormatJSON, Limits: fuzzLimits}, false, false)
	})
}

func FuzzCSV(f *testing.F) {
	addFiles(f, "chat-rows.csv", "plain.tsv", "gap.csv", "chat-transcripts.csv")
	f.Add([]byte("session_id,role,text,at,seq,start,end,confidence,auto\n1,agent,\"a\n\"\"b\",2026-11-02 10:00:00,1,0:1,2,0.5,1\n"))
	f.Add([]byte("\xff\xfes\x00,\x00"))
	f.Add([]byte("session_id,role,text,shop\n\x00,agent,\x00,\n\x00a,agent,\xff,\xff\n"))
	f.Add([]byte("session_id,role,text,shop\na,agent,," + string(bytes.Repeat([]byte("\xffa"), 300)) + "\n"))
	gap, rows, cells := readMap(f, "testdata/gap.map.yaml"), readMap(f, mapDir+"chat-rows.yaml"), readMap(f, mapDir+"chat-transcripts.yaml")
	file := fuzzFile(f, ".csv")
	f.Fuzz(func(t *testing.T, b []byte) {
		p := file(t, b)
		for _, m := range []*ColumnMap{nil, gap, rows, cells} {
			check(t, p, Options{Format: FormatCSV, Map: m, Limits: fuzzLimits}, true, true)
		}
	})
}

func FuzzXLSX(f *testing.F) {
	sheet := book(f, []any{"session_id", "role", "text"}, []any{"s", "agent", "x"})
	part(f, sheet, "xl/worksheets/sheet1.xml", func(b []byte) []byte { f.Add(b); return b })
	f.Add([]byte(`<worksheet><sheetData><row r="1"><c t="inlineStr"><is><t>session_id</t></is></c><c t="str"><v>role</v></c><c t="str"><v>text</v></c></row><row><c><v>1</v></c><c t="str"><v>agent</v></c></row></sheetData></worksheet>`))
	file := fuzzFile(f, ".xlsx")
	// The zip container is the standard library's; what is read here is the XML inside.
	f.Fuzz(func(t *testing.T, b []byte) {
		check(t, file(t, part(t, sheet, "xl/worksheets/sheet1.xml", func([]byte) []byte { return b })), Options{Limits: fuzzLimits}, true, true)
		check(t, file(t, part(t, sheet, "xl/sharedStrings.xml", func([]byte) []byte { return b })), Options{Limits: fuzzLimits}, true, true)
		check(t, file(t, b), Options{Format: FormatXLSX, Limits: fuzzLimits}, true, true)
	})
}

func FuzzParquet(f *testing.F) {
	addFiles(f, "sessions.parquet")
	f.Add(sampleParquet(f, 3))
	file := fuzzFile(f, ".parquet")
	f.Fuzz(func(t *testing.T, b []byte) {
		check(t, file(t, b), Options{Format: FormatParquet, Limits: fuzzLimits}, false, true)
	})
}

func FuzzWhisper(f *testing.F) {
	addFiles(f, "openai.json", "whispercpp.json", "whisperx.json", "fasterwhisper.json")
	file := fuzzFile(f, ".json")
	opt := Options{Format: FormatWhisper, Limits: fuzzLimits, Speakers: map[string]schemas.Role{"*": schemas.Agent, "": schemas.Customer}}
	f.Fuzz(func(t *testing.T, b []byte) { check(t, file(t, b), opt, true, true) })
}

func FuzzSubtitle(f *testing.F) {
	addFiles(f, "call.vtt", "call.srt")
	file := fuzzFile(f, ".vtt")
	f.Fuzz(func(t *testing.T, b []byte) {
		p := file(t, b)
		for _, format := range []string{FormatVTT, FormatSRT} {
			check(t, p, Options{Format: format, Limits: fuzzLimits, Speakers: map[string]schemas.Role{"": schemas.Customer}}, true, true)
		}
	})
}

func FuzzColumnMap(f *testing.F) {
	for _, n := range []string{"testdata/gap.map.yaml", mapDir + "chat-rows.yaml", mapDir + "chat-transcripts.yaml"} {
		b, err := os.ReadFile(n)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	csv, err := os.ReadFile("testdata/chat-rows.csv")
	if err != nil {
		f.Fatal(err)
	}
	file := fuzzFile(f, ".csv")
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseColumnMap("m.yaml", b)
		if err != nil {
			if m != nil {
				t.Fatal("a map beside an error")
			}
			return
		}
		check(t, file(t, csv), Options{Format: FormatCSV, Map: m, Limits: fuzzLimits}, true, true)
	})
}

func FuzzAgents(f *testing.F) {
	addFiles(f, "agents.csv", "agents.jsonl")
	file := fuzzFile(f, "")
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, format := range []string{FormatCSV, FormatJSONL, FormatJSON} {
			agents, _, _ := ReadAgents(file(t, b), Options{Format: format, Limits: fuzzLimits})
			for _, a := range agents {
				if a.AgentID == "" {
					t.Fatal("an agent without id")
				}
			}
		}
	})
}
