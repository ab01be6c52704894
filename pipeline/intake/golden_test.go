package intake

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/tingke/tingke/schemas"
)

var update = flag.Bool("update", false, "write the golden files, and the XLSX and Parquet inputs")

// mustDecode shows that what an adapter gave is a message.
func mustDecode(t testing.TB, lines []string) []*schemas.Message {
	t.Helper()
	var out []*schemas.Message
	for _, l := range lines {
		_, raw, ok := strings.Cut(l, ": ")
		if !ok || !strings.HasPrefix(raw, "{") {
			continue
		}
		m, err := schemas.Decode([]byte(raw))
		if err != nil {
			t.Errorf("%s: %v", l, err)
			continue
		}
		out = append(out, m)
	}
	return out
}

func golden(t *testing.T, name string, got []string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	text := strings.Join(got, "\n") + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run with -update)", err)
	}
	if text != string(want) {
		t.Errorf("%s:\n got %s\nwant %s", name, text, want)
	}
}

func readMap(t testing.TB, name string) *ColumnMap {
	t.Helper()
	m, err := ReadColumnMap(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const mapDir = "../../testdata/maps/"

func TestGolden(t *testing.T) {
	if *update {
		writeXLSX(t, "testdata/chat-rows.csv", "testdata/chat-rows.xlsx")
		writeParquetSample(t, "testdata/sessions.jsonl", "testdata/sessions.parquet")
	}
	rows, cells, gap := readMap(t, mapDir+"chat-rows.yaml"), readMap(t, mapDir+"chat-transcripts.yaml"), readMap(t, "testdata/gap.map.yaml")
	for name, opt := range map[string]Options{
		"chat-rows.csv":        {Map: rows},
		"chat-rows.xlsx":       {Map: rows},
		"chat-transcripts.csv": {Map: cells},
		"plain.tsv":            {Session: Defaults{Shop: "North Store", Channel: "chat"}},
		"gap.csv":              {Map: gap},
		"openai.json":          {},
		"whispercpp.json":      {},
		"whisperx.json":        {},
		"fasterwhisper.json":   {Session: Defaults{AgentID: "x", Revision: 2}},
		"call.vtt":             {},
		"call.srt":             {Session: Defaults{Channel: "phone"}},
		"sessions.json":        {},
		"pretty.json":          {},
		"sessions.jsonl":       {},
		"sessions.parquet":     {Session: Defaults{Team: "T", Shop: "unused where the row has one"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read(t, filepath.Join("testdata", name), opt)
			if err != nil {
				got = append(got, "error: "+err.Error())
			}
			golden(t, name, got)
			if name != "sessions.json" { // that one has a broken message on purpose, which is passed on
				mustDecode(t, got)
			}
			again, _ := read(t, filepath.Join("testdata", name), opt)
			equal(t, "read again", again, got)
		})
	}
}

// writeXLSX makes the XLSX sample from the CSV one; times are real dates there, one text is rich, and one row is left out.
func writeXLSX(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(bytes.NewReader(b))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	f := excelize.NewFile()
	defer f.Close()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(f.SetSheetName("Sheet1", "聊天记录"))
	style, err := f.NewStyle(&excelize.Style{NumFmt: 22})
	must(err)
	for i, row := range rows {
		for j, v := range row {
			at, err := excelize.CoordinatesToCellName(j+1, i+1)
			must(err)
			v = strings.TrimSuffix(strings.TrimPrefix(v, `="`), `"`)
			if when, err := time.Parse("2006-01-02 15:04:05", v); err == nil {
				must(f.SetCellValue("聊天记录", at, when))
				must(f.SetCellStyle("聊天记录", at, at, style))
				continue
			}
			if strings.HasPrefix(v, "好的") {
				must(f.SetCellRichText("聊天记录", at, []excelize.RichTextRun{{Text: "好的"}, {Text: "谢谢", Font: &excelize.Font{Bold: true}}}))
				continue
			}
			must(f.SetCellStr("聊天记录", at, v))
		}
	}
	must(f.SaveAs(to))
}

func writeParquetSample(t *testing.T, from, to string) {
	t.Helper()
	lines, err := read(t, from, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var sessions []schemas.Session
	for _, m := range mustDecode(t, lines) {
		sessions = append(sessions, *m.Session)
	}
	var buf bytes.Buffer
	if err := WriteParquet(&buf, sessions); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What the Parquet sample holds is what the JSONL sample holds.
func TestParquetSampleEqualsJSONL(t *testing.T) {
	a, err := read(t, "testdata/sessions.jsonl", Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := read(t, "testdata/sessions.parquet", Options{})
	if err != nil {
		t.Fatal(err)
	}
	x, _ := json.Marshal(mustDecode(t, a))
	y, _ := json.Marshal(mustDecode(t, b))
	if !bytes.Equal(x, y) {
		t.Errorf("\n got %s\nwant %s", y, x)
	}
}

func TestAgents(t *testing.T) {
	f := func(path string, opt Options, wantErr string, want ...string) {
		t.Helper()
		agents, bad, err := ReadAgents(path, opt)
		if wantErr == "" && err != nil || wantErr != "" && (err == nil || !strings.Contains(err.Error(), wantErr)) {
			t.Errorf("%s: error %v, want %q", path, err, wantErr)
		}
		var got []string
		for _, a := range agents {
			b, _ := json.Marshal(a)
			got = append(got, string(b))
		}
		for _, e := range bad {
			got = append(got, e.Error())
		}
		equal(t, path, got, want)
	}
	f("testdata/agents.csv", Options{}, "",
		`{"agent_id":"a1","name":"小王","team":"售后一组","valid_from":"2026-09-30T16:00:00Z"}`,
		`{"agent_id":"a1","name":"小王","team":"售后二组","valid_from":"2026-10-31T16:00:00Z"}`,
		`{"agent_id":"a2","name":"小李","team":"售前组"}`,
		`testdata/agents.csv:6: agent_id: is empty (every row needs the id that the transcripts use)`,
		`testdata/agents.csv:7: valid_from: "十月" is no time of a known form (write it like 2026-11-02; an empty one means since ever)`,
		`testdata/agents.csv:8: team: agent "a2" has another name or team from the same time on in line 4 (give the change its own valid_from)`)
	f("testdata/agents.jsonl", Options{}, "",
		`{"agent_id":"7"}`,
		`{"agent_id":"b1","name":"Ann","team":"north","valid_from":"2026-11-01T00:00:00Z"}`,
		`testdata/agents.jsonl:3: is no JSON object (such as {"agent_id":"a7","name":"小王","team":"售后一组","valid_from":"2026-11-01"})`)
	f("testdata/plain.tsv", Options{}, `missing column "agent_id"`)
	f("testdata/call.vtt", Options{}, "cannot be read from vtt")
	f("testdata/none.csv", Options{}, "cannot open")

	x := filepath.Join(t.TempDir(), "agents.xlsx")
	writeXLSX(t, "testdata/agents.csv", x)
	agents, bad, err := ReadAgents(x, Options{Map: &ColumnMap{HeaderRow: 1, Sheet: "聊天记录"}})
	if err != nil || len(agents) != 3 || len(bad) != 3 {
		t.Errorf("XLSX: %v %v %v", agents, bad, err)
	}
}
