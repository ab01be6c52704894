package intake

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/xuri/excelize/v2"

	"github.com/tingke/tingke/schemas"
)

func TestTimes(t *testing.T) {
	day := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	f := func(formats, in, want string) {
		t.Helper()
		m := &ColumnMap{}
		if formats != "" {
			m.TimeFormats = strings.Split(formats, "|")
		}
		p := newTimeParser(m, shanghai)
		base := time.Time{}
		if strings.HasPrefix(in, "day ") {
			base, in = day, in[4:]
		}
		got := "error"
		for range 2 { // the second time by the layout that matched before
			if at, err := p.parse(in, base); err == nil {
				got = at.Format(time.RFC3339Nano)
			}
			if got != want {
				t.Errorf("%q by %q: got %s, want %s", in, formats, got, want)
			}
		}
	}
	f("", "2026-11-02T10:15:03+08:00", "2026-11-02T02:15:03Z")
	f("", "2026-11-02T02:15:03.1239Z", "2026-11-02T02:15:03.124Z")
	f("", "2026-11-02 10:15:03.5", "2026-11-02T02:15:03.5Z")
	f("", "2026-11-02 10:15", "2026-11-02T02:15:00Z")
	f("", "2026/1/2 3:04", "2026-01-01T19:04:00Z")
	f("", "2026年11月2日 10:15:03", "2026-11-02T02:15:03Z")
	f("", "2026年11月2日10时15分3秒", "2026-11-02T02:15:03Z")
	f("", "20261102101503", "2026-11-02T02:15:03Z")
	f("", "2026-11-02", "2026-11-01T16:00:00Z")
	f("", "1793586903", "2026-11-02T02:35:03Z")
	f("", "1793586903250", "2026-11-02T02:35:03.25Z")
	f("", "", "error")
	f("", "soon", "error")
	f("", "2026-13-02", "error")
	f("", "45000.5", "error") // a spreadsheet's number, but this is none
	f("", "10:15", "error")
	f("", "day 23:15:01", "2026-11-02T15:15:01Z")
	f("", "NaN", "error")
	f("dd/MM/yyyy HH:mm", "02/11/2026 10:15", "2026-11-02T02:15:00Z")
	f("MM/dd/yy hh:mm:ss a", "11/02/26 03:15:00 PM", "2026-11-02T07:15:00Z")
	f("yyyy-MM-dd'T'HH:mm:ss,SSS", "2026-11-02T10:15:03,250", "2026-11-02T02:15:03.25Z")
	f("yyyy-MM-dd HH:mm:ssX", "2026-11-02 10:15:03+01:00", "2026-11-02T09:15:03Z")
	f("unix", "12", "1970-01-01T00:00:12Z")
	f("unix_ms", "1500", "1970-01-01T00:00:01.5Z")
	f("unix", "1e300", "error")
	for _, bad := range []string{"YYYY", "yyy", "'open", "MMM", "hhh"} {
		if _, err := timeFormat(bad); err == nil {
			t.Errorf("format %q is taken", bad)
		}
	}
}

func TestSpan(t *testing.T) {
	f := func(in string, want int64) {
		t.Helper()
		got, err := span(in)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %d, want %d", in, got, want)
		}
	}
	f("12.5", 12500)
	f("1:02.5", 62500)
	f("00:01:02,500", 62500)
	f("0", 0)
	f("", -1)
	f("-1", -1)
	f("1.5:00", -1)
	f("1:2:3:4", -1)
	f("1e300", -1)
	f("NaN", -1)
}

func TestGlob(t *testing.T) {
	f := func(pattern, s string, want bool) {
		t.Helper()
		if got := glob(pattern, s); got != want {
			t.Errorf("%q %q: %v", pattern, s, got)
		}
	}
	f("abc", "ABC", true)
	f("abc", "abcd", false)
	f("*旗舰店:*", "花漾旗舰店:小美", true)
	f("*旗舰店:*", "花漾专营店:小美", false)
	f("a*a", "a", false)
	f("a*b*c", "axxbyyc", true)
	f("a*b*c", "acb", false)
	f("*", "", true)
}

// part changes a part of an XLSX file: nil takes it out.
func part(t testing.TB, book []byte, name string, change func([]byte) []byte) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(book), int64(len(book)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range z.File {
		rc, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		b.ReadFrom(rc)
		rc.Close()
		content := b.Bytes()
		if f.Name == name {
			if content = change(content); content == nil {
				continue
			}
		}
		p, err := w.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		p.Write(content)
	}
	w.Close()
	return out.Bytes()
}

func book(t testing.TB, rows ...[]any) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	for i, row := range rows {
		if err := f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestXLSX(t *testing.T) {
	header := []any{"session_id", "role", "text", "at", "note"}
	good := book(t, header, []any{1001, "agent", "a\nb _x0041_ <&>", 45000.5}, []any{}, []any{"s2", "customer", "", "2026-11-02 10:00:00", "n"})
	sheet := "xl/worksheets/sheet1.xml"
	f := func(what string, b []byte, opt Options, wantErr string, want ...string) {
		t.Helper()
		got, err := read(t, write(t, "a.xlsx", b), opt)
		if wantErr == "" && err != nil || wantErr != "" && (err == nil || !strings.Contains(err.Error(), wantErr)) {
			t.Errorf("%s: error %v, want %q", what, err, wantErr)
		}
		mustDecode(t, got)
		equal(t, what, got, want)
	}
	one := `2: {"type":"session","session_id":"1001","turns":[{"role":"agent","text":"a\nb A <&>","at":"2023-03-15T04:00:00Z"}]}`
	two := `4: {"type":"session","session_id":"s2","turns":[{"role":"customer","text":"","at":"2026-11-02T02:00:00Z","attributes":{"note":"n"}}]}`
	f("good", good, Options{}, "", one, two)
	f("sheet by number", good, Options{Map: &ColumnMap{Sheet: "1", HeaderRow: 1, Columns: map[string][]string{"session_id": {"session_id"}, "role": {"role"}, "text": {"text"}}}}, "",
		strings.Replace(one, `,"at":"2023-03-15T04:00:00Z"`, "", 1), `4: {"type":"session","session_id":"s2","turns":[{"role":"customer","text":""}]}`)
	f("gzip", gz(good), Options{}, "", one, two)
	f("no sheet", good, Options{Map: &ColumnMap{Sheet: "x"}}, `has no sheet "x" (the sheets are "Sheet1")`)
	f("1904", part(t, good, "xl/workbook.xml", func(b []byte) []byte {
		return bytes.Replace(b, []byte("<workbookPr"), []byte(`<workbookPr date1904="1"`), 1)
	}), Options{}, "", strings.Replace(one, "2023-03-15", "2027-03-16", 1), two)
	f("truncated", good[:len(good)-30], Options{}, "truncated or no .xlsx file")
	f("truncated gzip", gz(good)[:len(good)/2], Options{}, "truncated")
	f("no workbook", part(t, good, "xl/workbook.xml", func([]byte) []byte { return nil }), Options{}, "has no sheet")
	f("no sheet part", part(t, good, sheet, func([]byte) []byte { return nil }), Options{}, `lacks the part of sheet "Sheet1"`)
	f("cut sheet", part(t, good, sheet, func(b []byte) []byte { return b[:bytes.Index(b, []byte(`<row r="4"`))+40] }), Options{}, "a.xlsx:4: the sheet is damaged here", one)
	f("broken sheet", part(t, good, sheet, func(b []byte) []byte { return bytes.Replace(b, []byte(`r="C4"`), []byte(`r="4C"`), 1) }), Options{}, "a.xlsx:4: the sheet is damaged here: cell reference", one)
	f("far shared string", part(t, good, sheet, func(b []byte) []byte {
		return bytes.Replace(b, []byte(`t="s"><v>5</v>`), []byte(`t="s"><v>500</v>`), 1)
	}), Options{}, "shared string")
	f("too deep", part(t, good, sheet, func(b []byte) []byte {
		return append(b[:bytes.Index(b, []byte(`<row r="2"`))], strings.Repeat("<a>", 200)...)
	}), Options{}, "nested too deeply")
	f("long row", book(t, []any{"session_id", "role", "text", "shop"}, []any{"s", "agent", strings.Repeat("x", 150), strings.Repeat("z", 150)}, []any{"s", "agent", "y"}), Options{Limits: Limits{LineBytes: 250}}, "",
		"2! a.xlsx:2: the row is over the limit of 250 bytes and was skipped (split it)", `3: {"type":"session","session_id":"s","turns":[{"role":"agent","text":"y"}]}`)
	f("long text", book(t, []any{"session_id", "role", "text"}, []any{"s", "agent", strings.Repeat("长文字", 10_000)}, []any{"s", "agent", "y"}), Options{Limits: Limits{LineBytes: 250}}, "holds a text of more than 250 bytes")
	f("unpacks to too much", good, Options{Limits: Limits{DecompressedBytes: 2000}}, "unpacks to more than 2000 bytes")
	bomb := part(t, good, sheet, func(b []byte) []byte {
		return bytes.Replace(b, []byte("</sheetData>"), append(bytes.Repeat([]byte(" "), 2<<20), "</sheetData>"...), 1)
	})
	f("bomb", bomb, Options{Limits: Limits{RatioFloor: 1 << 19}}, "a.xlsx:4: unpacks to more than 250 times its size", one, two)
	f("bomb of rows", part(t, good, sheet, func(b []byte) []byte {
		return bytes.Replace(b, []byte("</sheetData>"), append(bytes.Repeat([]byte("<row></row>"), 1<<15), "</sheetData>"...), 1)
	}), Options{Limits: Limits{Ratio: 20}}, "", one, two)
	f("too large", good, Options{Limits: Limits{ArchiveBytes: 1000}}, "is larger than 1000 bytes")
}

func TestParquetFlat(t *testing.T) {
	at := time.Date(2026, 11, 2, 2, 0, 0, 0, time.UTC)
	seq, conf := int64(4), 0.5
	var b bytes.Buffer
	w := parquet.NewGenericWriter[ParquetRow](&b)
	if _, err := w.Write([]ParquetRow{
		{SessionID: "s1", Role: "customer", Text: "a", At: &at, Shop: "S"},
		{SessionID: "s2", Role: "客服", Text: "b", Seq: &seq, StartMS: new(int64), Confidence: &conf, Auto: true},
		{SessionID: "s1", Role: "boss", Text: "c"},
		{SessionID: "s1", Role: "agent", Text: "d", At: &at, AgentID: "a1", Team: "T"},
	}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := read(t, write(t, "a.parquet", b.Bytes()), Options{Map: nil})
	if err != nil {
		t.Fatal(err)
	}
	mustDecode(t, got)
	equal(t, "flat", got, []string{
		`3! a.parquet:3: role: unknown role "boss" (name it under roles.values of the column map, such as "boss": agent)`,
		`1: {"type":"session","session_id":"s1","shop":"S","agent_id":"a1","team":"T","turns":[{"role":"customer","text":"a","at":"2026-11-02T02:00:00Z"},{"role":"agent","agent_id":"a1","text":"d","at":"2026-11-02T02:00:00Z"}]}`,
		`2: {"type":"session","session_id":"s2","turns":[{"role":"agent","seq":4,"text":"b","start_ms":0,"confidence":0.5,"auto":true}]}`})
}

// Files of other tools: other names through a map, times without a zone, decimals, floats for whole numbers, dates.
func TestParquetForeign(t *testing.T) {
	type row struct {
		ID    int64     `parquet:"id"`
		Who   string    `parquet:"who"`
		Said  []byte    `parquet:"said"`
		When  int64     `parquet:"when,timestamp(microsecond:local)"`
		Price int64     `parquet:"price,decimal(2:10)"`
		Num   float64   `parquet:"num"`
		Day   int32     `parquet:"day,date"`
		Tags  []string  `parquet:"tags,list"`
		None  *string   `parquet:"none,optional"`
		Raw   [2]byte   `parquet:"raw"`
		F     []float32 `parquet:"f"`
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b)
	if _, err := w.Write([]row{{ID: 7, Who: "买家", Said: []byte("好\xff"), When: time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC).UnixMicro(), Price: -105, Num: 3, Day: 20000, Tags: []string{"x", "y"}, F: []float32{1, 1.5}}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	m, err := ParseColumnMap("m.yaml", []byte("columns: {session_id: id, role: who, text: said, at: when, start_ms: num}\nturn_attributes: [price, day, tags, none, raw, f]\nheader_row: 9\n"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(t, write(t, "a.parquet", b.Bytes()), Options{Map: m})
	if err != nil {
		t.Fatal(err)
	}
	mustDecode(t, got)
	equal(t, "foreign", got, []string{"1: " + `{"type":"session","session_id":"7","turns":[{"role":"customer","text":"好` + "\xff" + `","at":"2026-11-02T02:00:00Z","start_ms":3,"attributes":{"day":"2024-10-04","f":"[1,1.5]","price":"-1.05","raw":"AAA=","tags":"[\"x\",\"y\"]"}}]}`})
}

// Turns as a plain repeated group, and turns as JSON text.
func TestParquetTurnLayouts(t *testing.T) {
	type turn struct {
		Role string `parquet:"role"`
		Text string `parquet:"text"`
	}
	type nested struct {
		SessionID string `parquet:"session_id"`
		Score     int32  `parquet:"score"`
		Turns     []turn `parquet:"turns"`
	}
	type text struct {
		SessionID string `parquet:"session_id"`
		Turns     string `parquet:"turns"`
	}
	f := func(b []byte, want ...string) {
		t.Helper()
		got, err := read(t, write(t, "a.parquet", b), Options{})
		if err != nil {
			t.Error(err)
		}
		mustDecode(t, got)
		equal(t, "turns", got, want)
	}
	var b bytes.Buffer
	if err := parquet.Write(&b, []nested{{"a", 1, []turn{{"agent", "x"}, {"customer", "y"}}}, {"b", 2, nil}, {"c", 3, []turn{{"bot", "z"}}}}); err != nil {
		t.Fatal(err)
	}
	f(b.Bytes(), `1: {"score":1,"session_id":"a","turns":[{"role":"agent","text":"x"},{"role":"customer","text":"y"}],"type":"session"}`,
		`2: {"score":2,"session_id":"b","turns":[],"type":"session"}`, `3: {"score":3,"session_id":"c","turns":[{"role":"bot","text":"z"}],"type":"session"}`)
	b.Reset()
	if err := parquet.Write(&b, []text{{"a", `[{"role":"agent","text":"x"}]`}, {"b", "客服：您好"}}); err != nil {
		t.Fatal(err)
	}
	f(b.Bytes(), `1: {"session_id":"a","turns":[{"role":"agent","text":"x"}],"type":"session"}`, `2! a.parquet:2: turns: is a text that is no JSON list (such as [{"role":"customer","text":"..."}])`)
}

func sampleParquet(t testing.TB, sessions int) []byte {
	t.Helper()
	var all []schemas.Session
	for i := range sessions {
		s := schemas.Session{Meta: schemas.Meta{SessionID: fmt.Sprint("s", i), Shop: "S", Attributes: map[string]string{"k": fmt.Sprint(i)}}}
		for j := range i % 5 {
			s.Turns = append(s.Turns, schemas.Turn{Role: schemas.Agent, Text: fmt.Sprint("文字", j), StartMS: schemas.Some(int64(j))})
		}
		all = append(all, s)
	}
	var b bytes.Buffer
	if err := WriteParquet(&b, all); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestParquetDamage(t *testing.T) {
	good := sampleParquet(t, 20)
	for _, cut := range []int{4, 11, 12, len(good) / 2, len(good) - 9, len(good) - 1} {
		_, err := read(t, write(t, "a.parquet", good[:cut]), Options{Format: FormatParquet})
		if err == nil || !strings.Contains(err.Error(), "truncated or no Parquet file") {
			t.Errorf("%d of %d bytes: %v", cut, len(good), err)
		}
	}
	// Any one byte turned over: an error or readable rows, never a panic.
	p := write(t, "a.parquet", nil)
	for i := 0; i < len(good); i += 23 {
		b := bytes.Clone(good)
		b[i] ^= 0x55
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		check(t, p, Options{Format: FormatParquet}, false, true)
	}
	_, err := read(t, write(t, "a.parquet.gz", gz(good)[:200]), Options{})
	if err == nil || !strings.Contains(err.Error(), "truncated") {
		t.Errorf("truncated gzip: %v", err)
	}
}

// What a file claims to hold is not made room for.
func TestParquetClaims(t *testing.T) {
	good := sampleParquet(t, 20)
	f, err := parquet.OpenFile(bytes.NewReader(good), int64(len(good)))
	if err != nil {
		t.Fatal(err)
	}
	m := f.Metadata().RowGroups[0].Columns[0].MetaData
	page := m.DataPageOffset
	if m.DictionaryPageOffset != 0 {
		page = m.DictionaryPageOffset
	}
	claim := func(what string, at int64, claim ...byte) {
		t.Helper()
		b := bytes.Clone(good)
		copy(b[at:], claim)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := read(t, write(t, "a.parquet", b), Options{Format: FormatParquet})
		runtime.ReadMemStats(&after)
		if err == nil || len(got) > 0 {
			t.Errorf("%s: %d rows, error %v", what, len(got), err)
		}
		if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 64 {
			t.Errorf("%s: %d MiB were made room for in a file of %d KiB", what, mib, len(b)>>10)
		}
	}
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0x07} // 2 GiB less a byte
	claim("the greatest value of a page", page, append([]byte{0x5c, 0x5c, 0x18}, huge...)...)
	claim("the bytes of a page", page, append([]byte{0x15, 0x00, 0x15, 0x02, 0x15}, 0xfe, 0xff, 0xff, 0xff, 0x0f)...)
	header := append([]byte{0x15, 0x06, 0x15, 0x02, 0x15, 0x02}, 0x2c, 0x15, 0x02, 0x15, 0x00, 0x15, 0x00, 0x15, 0x00, 0x00)
	claim("the values of a page, one in its other header", page, append(header, 0x3c, 0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f,
		0x15, 0x00, 0x15, 0x00, 0x15, 0x00, 0x15, 0x00, 0x15, 0x00, 0x00, 0x00)...)
}

func TestCalls(t *testing.T) {
	f := func(name, content, meta string, opt Options, wantErr string, want ...string) {
		t.Helper()
		p := write(t, name, []byte(content))
		if meta != "" {
			if err := os.WriteFile(filepath.Join(filepath.Dir(p), "call.meta.json"), []byte(meta), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := read(t, p, opt)
		if wantErr == "" && err != nil || wantErr != "" && (err == nil || !strings.Contains(err.Error(), wantErr)) {
			t.Errorf("%s: error %v, want %q", content, err, wantErr)
		}
		mustDecode(t, got)
		for i := range got { // ids of their own are checked elsewhere
			if j := strings.Index(got[i], `"session_id":"f`); j >= 0 {
				got[i] = got[i][:j+15] + got[i][j+31:]
			}
		}
		equal(t, content, got, want)
	}
	const cue = "00:01.000 --> 00:02.000\n"
	turn := func(role, text string) string {
		return fmt.Sprintf(`1: {"type":"session","session_id":"f","channel":"call","turns":[{"role":%q,"text":%q,"start_ms":1000,"end_ms":2000}]}`, role, text)
	}
	f("call.vtt", "WEBVTT\n\n"+cue+"<v 客服>您好\n", "", Options{}, "", turn("agent", "您好"))
	f("call.vtt", "WEBVTT\n\n"+cue+"<v Anna>Hello\n", "", Options{}, "", turn("agent", "Hello"))
	f("call.vtt", "WEBVTT\n\n"+cue+"<v Anna>Hello\n", `{"speakers":{"Anna":"customer"}}`, Options{}, "", turn("customer", "Hello"))
	f("call.vtt.gz", string(gz([]byte("WEBVTT\n\n"+cue+"Anna: Hello\n"))), `{"speakers":{"Anna":"customer"}}`, Options{}, "", turn("customer", "Hello"))
	f("call.vtt", "WEBVTT\n\n"+cue+"<v Anna>Hello\n", `{"speaker_order":["customer"]}`, Options{}, "", turn("customer", "Hello"))
	f("call.vtt", "WEBVTT\n\n"+cue+"Hello\n", `{"speakers":{"":"bot"}}`, Options{}, "", turn("bot", "Hello"))
	f("call.vtt", "WEBVTT\n\n"+cue+"<v Anna>Hello\n", "", Options{Speakers: map[string]schemas.Role{"*": schemas.System}}, "", turn("system", "Hello"))
	f("call.vtt", "WEBVTT\n\n"+cue+"Hello\n", "", Options{}, "", `3! call.vtt:3: speaker: nothing says who speaks (let the recogniser tell the speakers apart, or say "speakers":{"":"agent"} in NAME.meta.json beside the file)`)
	f("call.vtt", "WEBVTT\n", "", Options{}, "", `1! call.vtt:1: holds no speech (there is nothing to analyse)`)
	f("call.vtt", "WEBVTT\n", `{"speakers":{"a":"boss"}}`, Options{}, `call.meta.json:1: speakers.a: unknown role "boss"`)
	f("call.vtt", "WEBVTT\n", `{"speakers":7}`, Options{}, `speakers: must be an object`)
	f("call.vtt", "WEBVTT\n", `{"started_at":7}`, Options{}, `is no session data: started_at`)
	f("call.vtt", "WEBVTT\n", `[]`, Options{}, `is no JSON object`)
	f("call.srt", "1\n00:00:01,000 --> 00:00:02,000\r\n客户：时间是 12:30，地址：A\r\n", "", Options{}, "", turn("customer", "时间是 12:30，地址：A"))
	f("call.json", `{"segments":[{"start":1,"end":2,"text":" 客服：您好"}],"text":""}`, "", Options{}, "", turn("agent", "您好"))
	f("call.json", `{"text":"`+strings.Repeat("长", sniffBytes)+`","segments":[{"start":1,"end":2,"text":" 客服：您好"}]}`+"\n", "", Options{}, "", turn("agent", "您好"))
	f("call.json", `{"segments":[{"start":1,"end":2,"text":"您好"`, "", Options{}, "call.json:1: is broken or truncated JSON")
	f("call.json", `{"segments":7}`, "", Options{Format: FormatWhisper}, "segments: is missing")
	f("call.json", `{"segments":[7,{"start":-1,"text":"x"},{"text":"客户: 好","avg_logprob":"?","words":[{"probability":7}]}]}`, "", Options{}, "",
		`1! call.json:1: segment: has no text`, `2! call.json:2: start: -1 is no time of a recording (seconds from its start)`, `1: {"type":"session","session_id":"f","channel":"call","turns":[{"role":"customer","text":"好"}]}`)
	f("call.vtt", strings.Repeat("x", 2000), "", Options{Limits: Limits{WholeBytes: 1000}}, "is larger than 1000 bytes")
	three := `{"segments":[{"text":"a","speaker":"A"},{"text":"b","speaker":"B"},{"text":"a2","speaker":"A"}]}`
	f("call.json", three, "", Options{}, "", `1: {"type":"session","session_id":"f","channel":"call","turns":[{"role":"agent","text":"a"},{"role":"customer","text":"b"},{"role":"agent","text":"a2"}]}`)
}

// Two calls of one name, as recorders write them into a folder a day, do not become one session; reading again does not
// make a second one.
func TestSessionIDs(t *testing.T) {
	a, b := "WEBVTT\n\n00:01.000 --> 00:02.000\n<v 客服>您好\n", "WEBVTT\n\n00:01.000 --> 00:02.000\n<v 客服>再见\n"
	id := func(name, content string) string {
		got, err := read(t, write(t, name, []byte(content)), Options{})
		if err != nil {
			t.Fatal(err)
		}
		return mustDecode(t, got)[0].Session.SessionID
	}
	first, again := id("1.vtt", a), id("1.vtt", a)
	if first != again {
		t.Error("reading again gives another id")
	}
	if first == id("1.vtt", b) || first == id("2.vtt", a) {
		t.Error("two calls have one id")
	}
}

func TestJSONValues(t *testing.T) {
	f := func(in, wantErr string, want ...string) {
		t.Helper()
		got, err := read(t, write(t, "a.json", []byte(in)), Options{Format: FormatJSON, Limits: Limits{LineBytes: 30}})
		if wantErr == "" && err != nil || wantErr != "" && (err == nil || !strings.Contains(err.Error(), wantErr)) {
			t.Errorf("%s: error %v, want %q", in, err, wantErr)
		}
		equal(t, in, got, want)
	}
	f("", "")
	f("[]", "")
	f("[ ]\n", "")
	f(`[{"a": [1, "]}\""]}, {}]`, "", `1: {"a":[1,"]}\""]}`, `1: {}`)
	f("{\"a\":1}\n{\"b\":\n2}", "", `1: {"a":1}`, `2: {"b":2}`)
	f("[{}, x, {}]", "", "1: {}", `1! a.json:1: "x" is no message (a message is an object {...})`, "1: {}")
	f("[{}\n\"a, b\", {}]", "", "1: {}", `2! a.json:2: "\"a, b\"" is no message (a message is an object {...})`, "2: {}")
	f("[{},", "the array is not closed", "1: {}")
	f("{}\n{\"a\":\n", "a.json:2: the file is truncated", "1: {}")
	f("{\"a\"\n1}{}", "", `1: {"a" 1}`, "2: {}")
	f("{\"a\":\"0123456789012345678901234567890123456789\"}{}", "", "1! a.json:1: message of 48 bytes is over the limit of 30 and was skipped (split the session into several messages with the same session_id, each with its turns and their seq)", "1: {}")
}

func TestDetect(t *testing.T) {
	f := func(name, content, want string) {
		t.Helper()
		src, err := openSource(write(t, name, []byte(content)), Limits{}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		defer src.close()
		got, err := detect(src, false)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s %.40q: %s, want %s", name, content, got, want)
		}
	}
	turns := `{"session_id":"a","turns":[{"segments":1}]}`
	f("a.json", turns, FormatJSON)
	f("a.json", turns+"\n"+turns, FormatJSONL)
	f("a.json", "["+turns+"]", FormatJSON)
	f("a.json", "\xef\xbb\xbf[\n"+turns, FormatJSON)
	f("a.json", `{"turns":[],"session_id":`, FormatJSON)
	f("a.json", `{"segments":[]}`+"\n", FormatWhisper)
	f("a.json", `{"systeminfo":"","transcription":[]}`, FormatWhisper)
	f("a.json", `[{"id":0,"start":0,"end":1,"text":"x"}]`, FormatWhisper)
	f("a.json", `{"text":"`, FormatWhisper) // a long text first, the segments behind it
	f("a.json", `{"type":"turn","session_id":"s"}`, FormatJSON)
	f("a.json", "", FormatJSON)
	f("a.vtt", "x", FormatVTT)
	f("a.txt", "WEBVTT\n", FormatVTT)
	f("a.txt", "1\r\n00:00:00,000 --> 00:00:01,000\r\n", FormatSRT)
	f("a.txt", "plain", FormatJSONL)
	f("a", turns+"\n", FormatJSONL)
	f("a.csv", "PK\x03\x04", FormatXLSX)
	f("a.csv", "PAR1", FormatParquet)
	f("a.tsv.gz", string(gz([]byte("a\tb"))), FormatCSV)
}

func TestReadersGiveValidJSONObjects(t *testing.T) {
	var v map[string]any
	if err := json.Unmarshal(appendAny(nil, map[string]any{"a": nil, "b": []any{int64(1), 1.5, true, nil, "x"}, "c": map[string]any{}}), &v); err != nil || len(v) != 2 {
		t.Errorf("%v %v", v, err)
	}
}
