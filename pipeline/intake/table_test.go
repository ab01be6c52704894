package intake

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/tingke/tingke/schemas"
)

// rawRows gives the rows that the CSV reader sees, cells joined by |.
func rawRows(t testing.TB, content []byte, delimiter string, lim Limits) []string {
	t.Helper()
	src, err := openSource(write(t, "a.csv", content), lim.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	defer src.close()
	tab := newCSVTable(src, "", delimiter, lim.withDefaults())
	var out []string
	for {
		cells, line, err := tab.next()
		var row rowError
		switch {
		case err != nil && err.Error() == "EOF":
			return out
		case asRow(err, &row):
			out = append(out, fmt.Sprintf("%d! %s", line, row.e.Problem))
		case err != nil:
			return append(out, "error: "+err.(*Error).Problem)
		default:
			out = append(out, fmt.Sprintf("%d: %s", line, strings.Join(cells, "|")))
		}
	}
}

func asRow(err error, row *rowError) bool {
	r, ok := err.(rowError)
	*row = r
	return ok
}

func TestCSVRows(t *testing.T) {
	f := func(in string, want ...string) {
		t.Helper()
		equal(t, fmt.Sprintf("%q", in), rawRows(t, []byte(in), "", Limits{LineBytes: 200}), want)
	}
	f("")
	f("a,b", "1: a|b")
	f("a,b\r\n,\r\n", "1: a|b", "2: |")
	f("a,b\n\nc,d\n", "1: a|b", "2: ", "3: c|d")
	f(`"a,""b""",c`, `1: a,"b"|c`)
	f("\"a\r\nb\",c\nd,e", "1: a\nb|c", "3: d|e")
	f("\"a\n\n\nb\",c\nd,e", "1: a\n\n\nb|c", "5: d|e")
	f(`a"b,c"`, `1: a"b|c"`)                 // quotes inside an unquoted cell are text
	f(`"a" b,c`, "1! a quote is not closed") // what nobody closed before the separator
	f(`"他说"好的"，走了",c`, `1: 他说"好的"，走了|c`)
	f("\"never closed,c\nd,e\nf,g", "1! a quote is not closed", "2: d|e", "3: f|g")
	f("a;b;c\n1;2,5;3", "1: a|b|c", "2: 1|2,5|3")
	f("a\tb\n", "1: a|b")
	f("a|b\n", "1: a|b")
	f(strings.Repeat("x", 201)+"\na,b\n", "1! line of 202 bytes is over the limit of 200 and was skipped", "2: a|b")
	f("\"a\n"+strings.Repeat("x", 201)+"\nb\",c\n", "1! a quote is not closed", "2! line of 202 bytes is over the limit of 200 and was skipped", `3: b"|c`)
	f(strings.Repeat("\"a\n", 66)+"b,c", append(func() (out []string) {
		for i := range maxRewinds {
			out = append(out, fmt.Sprintf("%d! a quote is not closed", i+1))
		}
		return out
	}(), "error: too many quotes are not closed")...)
}

func TestCSVEncodings(t *testing.T) {
	text := "会话,内容\n1,面膜B怎么这么贵？\n2,谢谢\n"
	want := []string{"1: 会话|内容", "2: 1|面膜B怎么这么贵？", "3: 2|谢谢"}
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	f := func(what string, b []byte, want []string) {
		t.Helper()
		equal(t, what, rawRows(t, b, "", Limits{}), want)
	}
	f("UTF-8", []byte(text), want)
	f("UTF-8 with BOM", []byte("\xef\xbb\xbf"+text), want)
	f("GB18030", []byte(gb), want)
	for _, e := range []unicode.Endianness{unicode.LittleEndian, unicode.BigEndian} {
		b, err := unicode.UTF16(e, unicode.ExpectBOM).NewEncoder().Bytes([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		f("UTF-16", b, want)
	}
	// The first Chinese character may come late.
	pad := strings.Repeat("0,plain text of an order number\n", 20_000)
	for name, b := range map[string]string{"UTF-8": pad + text, "GB18030": pad + gb} {
		got := rawRows(t, []byte(b), "", Limits{})
		if len(got) != 20_003 || got[20_001] != "20002: 1|面膜B怎么这么贵？" {
			t.Errorf("late %s: %d rows, %q", name, len(got), got[len(got)-2:])
		}
	}
	// Damaged UTF-8 is passed on, not taken for GB18030.
	f("damaged UTF-8", []byte("会话,内容\n1,面膜\xff\xe5怎么贵\n"), []string{"1: 会话|内容", "2: 1|面膜\xff\xe5怎么贵"})
	// A character cut by the end of the sample decides nothing.
	for shift := range 4 {
		b := strings.Repeat("x", shift) + strings.Repeat("面膜贵。", 30_000)
		if got := rawRows(t, []byte(b), ",", Limits{}); len(got) != 1 || got[0] != "1: "+b {
			t.Errorf("shift %d: %d rows, %.40q", shift, len(got), got[0])
		}
	}
}

func TestInvalidUTF8IsPassedOn(t *testing.T) {
	got, err := read(t, write(t, "a.csv", []byte("session_id,role,text\ns,customer,好\xffa\x00\"\\\n")), Options{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "message", got, []string{"2: {\"type\":\"session\",\"session_id\":\"s\",\"turns\":[{\"role\":\"customer\",\"text\":\"好\xffa\\u0000\\\"\\\\\"}]}"})
	m := mustDecode(t, got)
	if tr := m[0].Session.Turns[0]; tr.Text != "好\uFFFDa\"\\" || tr.Repairs|m[0].Session.Repairs == 0 {
		t.Errorf("decoded %+v", tr)
	}
}

func table1(t testing.TB, content, yaml string, opt Options) []string {
	t.Helper()
	if yaml != "" {
		m, err := ParseColumnMap("map.yaml", []byte(yaml))
		if err != nil {
			t.Fatal(err)
		}
		opt.Map = m
	}
	got, err := read(t, write(t, "a.csv", []byte(content)), opt)
	if err != nil {
		return append(got, "error: "+err.Error()[strings.LastIndexByte(err.Error()[:strings.Index(err.Error(), ".csv")], '/')+1:])
	}
	return got
}

func TestTableErrors(t *testing.T) {
	f := func(content, yaml string, want ...string) {
		t.Helper()
		got := table1(t, content, yaml, Options{})
		for i := range got {
			got[i], _, _ = strings.Cut(got[i], " (write it")
		}
		equal(t, content, got, want)
	}
	const m = "columns: {session_id: 会话, role: 角色, text: [内容, 消息]}\n"
	f("会话,谁,内容\n", m, `error: a.csv:1: missing column "角色" (role) (the columns are "会话", "谁", "内容"; correct the file or the column map map.yaml)`)
	f("会话,谁,说\n", m, `error: a.csv:1: missing column "角色" (role), "内容" or "消息" (text) (the columns are "会话", "谁", "说"; correct the file or the column map map.yaml)`)
	f("\n\n会话,谁,内容\n", "header_row: 3\n"+m, `error: a.csv:3: missing column "角色" (role) (the columns are "会话", "谁", "内容"; correct the file or the column map map.yaml)`)
	f("会话,角色,消息\n", m)
	f("", m, `error: a.csv:1: has no row 1 with the column names (is the file empty? header_row of the column map says which row holds the names)`)
	f("a,b\n", "", `error: a.csv:1: missing column "role" (role), "session_id" (session_id), "text" (text) (the columns are "a", "b"; give a column map)`)
	f("会话,角色,内容\n1,老板,x\n,客户,y\n", m,
		`2! a.csv:2: role (column "角色"): unknown role "老板" (name it under roles.values of the column map, such as "老板": agent)`,
		`3! a.csv:3: session_id (column "会话"): is empty (every row needs the id of its session; or group by time with session: {by: [customer column], gap: 30m})`)
	f("session_id,role,text,seq,confidence,start,auto\n1,agent,x,1.5,,,\n1,agent,x,,2,,\n1,agent,x,,NaN,,\n1,agent,x,,,-3,\n1,agent,x,,,,perhaps\n1,agent,x,7.0,0.5,1:02.5,是\n", "",
		`2! a.csv:2: seq: "1.5" is no whole number from 0 to 2147483647`,
		`3! a.csv:3: confidence: "2" is no number from 0 to 1`,
		`4! a.csv:4: confidence: "NaN" is no number from 0 to 1`,
		`5! a.csv:5: start: "-3" is no time of a recording (seconds such as 12.5 or a clock such as 00:01:02.500)`,
		`6! a.csv:6: auto: "perhaps" is neither yes nor no (1 or 0, true or false, 是 or 否)`,
		`7: {"type":"session","session_id":"1","turns":[{"role":"agent","seq":7,"text":"x","start_ms":62500,"confidence":0.5,"auto":true}]}`)
	f("session_id,role,text\n"+strings.Repeat("s", 300)+",agent,x\n1,agent,"+strings.Repeat("y", schemas.MaxTextBytes+1)+"\n", "",
		`2! a.csv:2: session_id: 300 bytes are over the limit of 256 (is it the right column?)`,
		`3! a.csv:3: text: 1048577 bytes are over the limit of 1048576 (split the message)`)
}

func TestTableRows(t *testing.T) {
	f := func(content, yaml string, want ...string) {
		t.Helper()
		got := table1(t, content, yaml, Options{})
		mustDecode(t, got)
		equal(t, content, got, want)
	}
	// No header; roles from ids; the day in a column of its own.
	f("7,c1,a1,c1,2026/11/2,9:05,在吗\n7,c1,a1,a1,2026/11/2,9:06,在\n",
		"header_row: 0\ncolumns: {session_id: '#1', customer_id: '#2', agent_id: '#3', sender: '#4', date: '#5', at: '#6', text: '#7'}\n",
		`1: {"type":"session","session_id":"7","customer_id":"c1","agent_id":"a1","turns":[{"role":"customer","text":"在吗","at":"2026-11-02T01:05:00Z"},{"role":"agent","agent_id":"a1","text":"在","at":"2026-11-02T01:06:00Z"}]}`)
	// Newest first, several in one second: the rows are turned round.
	f("session_id,role,text,at\n1,agent,d,2026-11-02 10:00:05\n1,agent,c,2026-11-02 10:00:01\n1,customer,b,2026-11-02 10:00:01\n1,customer,a,2026-11-02 10:00:00\n", "",
		`2: {"type":"session","session_id":"1","turns":[{"role":"customer","text":"a","at":"2026-11-02T02:00:00Z"},{"role":"customer","text":"b","at":"2026-11-02T02:00:01Z"},{"role":"agent","text":"c","at":"2026-11-02T02:00:01Z"},{"role":"agent","text":"d","at":"2026-11-02T02:00:05Z"}]}`)
	// All in one second, or not falling: left alone.
	f("session_id,role,text,at\n1,agent,a,2026-11-02\n1,agent,b,2026-11-02\n", "",
		`2: {"type":"session","session_id":"1","turns":[{"role":"agent","text":"a","at":"2026-11-01T16:00:00Z"},{"role":"agent","text":"b","at":"2026-11-01T16:00:00Z"}]}`)
	// Session fields come from the first row that has them.
	f("session_id,role,text,shop,team,session_revision\n1,agent,a,,T,\n1,agent,b,S,U,3\n", "",
		`2: {"type":"session","session_id":"1","revision":3,"shop":"S","team":"T","turns":[{"role":"agent","text":"a"},{"role":"agent","text":"b"}]}`)
	// A zone and formats of its own; a default role; a skipped value; blank rows and trailing separators.
	f("s,t,x\n1,02.11.2026 03-04,a,,\n,,\n1,02.11.2026 03-05,drop\n1,1793588700,b\n",
		"columns: {session_id: s, at: t, text: x}\nroles: {default: bot}\ntimezone: UTC\ntime_formats: ['dd.MM.yyyy HH-mm']\nskip: {x: drop}\n",
		`2: {"type":"session","session_id":"1","turns":[{"role":"bot","text":"a","at":"2026-11-02T03:04:00Z"},{"role":"bot","text":"b","at":"2026-11-02T03:05:00Z"}]}`)
	// A transcript cell without a pattern: lines that begin with no known speaker continue the one above.
	f("编号,记录\n9,\"客服：您好\n地址：上海\n客户: 好\n\"\n10,\n", "layout: sessions\ncolumns: {session_id: 编号, transcript: 记录}\n",
		`2: {"type":"session","session_id":"9","turns":[{"role":"agent","text":"您好\n地址：上海"},{"role":"customer","text":"好"}]}`,
		`6! a.csv:6: transcript (column "记录"): holds no turn (transcript.turn of the column map says how a turn begins)`)
	f("编号,记录\n,客服：您好||客户: 好\n", "layout: sessions\ncolumns: {session_id: 编号, transcript: 记录}\ntranscript: {separator: '||'}\n",
		`2: {"type":"session","session_id":"`+sessionID("row", "a.csv", "2", "\x00客服：您好||客户: 好")+`","turns":[{"role":"agent","text":"您好"},{"role":"customer","text":"好"}]}`)
}

func TestColumnMapErrors(t *testing.T) {
	f := func(yaml string, want ...string) {
		t.Helper()
		_, err := ParseColumnMap("m.yaml", []byte(yaml))
		var got []string
		if err != nil {
			got = strings.Split(err.Error(), "\n")
		}
		if len(got) != len(want) {
			t.Fatalf("%s:\n got %s", yaml, strings.Join(got, "\n     "))
		}
		for i := range got {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("%s:\n got %s\nwant %s", yaml, got[i], want[i])
			}
		}
	}
	f("columns: {session_id: s, role: r, text: t}\n")
	f("", "m.yaml:1: the column map is empty")
	f("columns: [\n", "m.yaml:")
	f("- a\n", "m.yaml:1:1: must be a mapping")
	f("colums: {}\nlayout: rows\n", "m.yaml:1:1: colums: unknown key (known are layout,", `m.yaml:2:9: layout: unknown layout "rows"`)
	f("columns:\n  session_id: s\n  rolle: r\n  text: {a: b}\n  session_id: x\n", "m.yaml:3:3: columns.rolle: unknown key", "m.yaml:4:9: columns.text: must be a text", "m.yaml:5:3: columns.session_id: is given twice")
	f("columns: {session_id: s, text: t}\n", "m.yaml:1:1: columns.role: is missing")
	f("columns: {role: r}\n", "m.yaml:1:1: columns.text: is missing", "m.yaml:1:1: columns.session_id: is missing")
	f("columns: {role: r, text: t, session_id: s}\nsession: {gap: 5m}\n", "m.yaml:1:1: session.gap: does not go with columns.session_id")
	f("columns: {role: r, text: t}\nsession: {gap: soon, by: [a]}\n", "m.yaml:2:16: session.gap: \"soon\" is no time span")
	f("columns: {role: r, text: t}\nsession: {gap: 5m}\n", "m.yaml:1:1: columns.at: is missing")
	f("layout: sessions\ncolumns: {role: r}\n", "m.yaml:1:1: columns.transcript: is missing", "m.yaml:1:1: columns.role: does not go with layout sessions")
	f("columns: {session_id: s, role: r, text: t, transcript: x, date: d}\noptional: [shop]\n", "m.yaml:1:1: optional: names \"shop\"", "m.yaml:1:1: columns.transcript: does not go", "m.yaml:1:1: columns.at: is missing")
	f("header_row: x\nencoding: latin-1\ndelimiter: ab\ntimezone: Mars\ntime_formats: [YYYY]\nroles: {values: {a: boss}, senders: {b: c}, default: d, x: y}\ntranscript: {turn: '(', x: y}\ndefaults: {revision: -1, shop: [a], y: z}\n",
		"m.yaml:1:13: header_row: must be a whole number", "m.yaml:2:11: encoding: unknown encoding", "m.yaml:3:12: delimiter: must be one character", "m.yaml:4:11: timezone: unknown time zone Mars",
		"m.yaml:5:16: time_formats: format \"YYYY\" has unknown letters", "m.yaml:6:21: roles.values.a: unknown role \"boss\"", "m.yaml:6:41: roles.senders.b: unknown role", "m.yaml:6:54: roles.default: unknown role",
		"m.yaml:6:57: roles.x: unknown key", "m.yaml:7:20: transcript.turn: error parsing regexp", "m.yaml:7:25: transcript.x: unknown key", "m.yaml:8:22: defaults.revision: must be a whole number",
		"m.yaml:8:32: defaults.shop: must be a text", "m.yaml:8:37: defaults.y: unknown key")
	f("layout: sessions\ncolumns: {transcript: x}\ntranscript: {turn: '(?P<text>.*)'}\n", "m.yaml:3:20: transcript.turn: has neither a group sender nor a group role")
	f("layout: sessions\ncolumns: {transcript: x}\ntranscript: {turn: '(?P<sender>.*)(?P<when>x)'}\n", "m.yaml:3:20: transcript.turn: unknown group \"when\"")
	if _, err := ReadColumnMap("/nonexistent.yaml"); err == nil || !strings.Contains(err.Error(), "cannot read column map") {
		t.Errorf("missing file: %v", err)
	}
}

// The memory bound changes nothing but the order of the sessions, whatever the order of the rows.
func TestGroupingIsBoundless(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	type row struct {
		session, text string
		at            time.Time
	}
	var rows []row
	start := time.Date(2026, 11, 2, 1, 0, 0, 0, time.UTC)
	for i := range 3000 {
		rows = append(rows, row{fmt.Sprintf("s%d", r.IntN(200)), fmt.Sprintf("第%d句 %s", i, strings.Repeat("x", r.IntN(50))), start.Add(time.Duration(r.IntN(40_000)) * time.Second)})
	}
	for name, m := range map[string]string{
		"by id":  "columns: {session_id: s, role: r, text: t, at: a, shop: p}\n",
		"by gap": "columns: {role: r, text: t, at: a, shop: p}\nsession: {by: [s], gap: 20m}\n",
	} {
		var csv strings.Builder
		csv.WriteString("s,r,t,a,p\n")
		for i, x := range rows {
			shop := ""
			if i%3 == 0 {
				shop = fmt.Sprintf("shop %d", i%7)
			}
			fmt.Fprintf(&csv, "%s,%s,%s,%s,%s\n", x.session, []string{"agent", "customer"}[i%2], x.text, x.at.Format(time.RFC3339), shop)
		}
		whole := table1(t, csv.String(), m, Options{})
		texts := 0
		for _, msg := range mustDecode(t, whole) {
			texts += len(msg.Session.Turns)
		}
		if texts != len(rows) {
			t.Errorf("%s: %d turns of %d", name, texts, len(rows))
		}
		slices.Sort(whole)
		for _, limit := range []int64{20_000, 200_000} {
			got := table1(t, csv.String(), m, Options{Limits: Limits{GroupBytes: limit}})
			slices.Sort(got)
			if !slices.Equal(got, whole) {
				t.Errorf("%s: with %d bytes the sessions differ", name, limit)
			}
		}
	}
}

// A session larger than a message comes in several, with the same meta data; turns without times are numbered.
func TestLargeSession(t *testing.T) {
	for _, timed := range []bool{false, true} {
		var csv bytes.Buffer
		csv.WriteString("session_id,role,text,at,shop\n")
		const n = 12_000
		for i := range n {
			at := ""
			if timed {
				at = time.UnixMilli(1_790_000_000_000 + int64(i)*1000).UTC().Format(time.RFC3339)
			}
			fmt.Fprintf(&csv, "big,agent,%d %s,%s,%s\n", i, strings.Repeat("y", 600), at, []string{"", "S"}[i%2])
		}
		got := table1(t, csv.String(), "", Options{})
		var seq int64
		turns := 0
		for _, m := range mustDecode(t, got) {
			if m.Session.Shop != "S" {
				t.Errorf("meta data differ: %+v", m.Session.Meta)
			}
			for _, tr := range m.Session.Turns {
				turns++
				if seq++; tr.Seq.OK == timed || !timed && tr.Seq.V != seq {
					t.Fatalf("turn %d (timed %v) has seq %v", seq, timed, tr.Seq)
				}
			}
		}
		if len(got) < 2 || turns != n {
			t.Errorf("%d messages, %d turns of %d", len(got), turns, n)
		}
	}
}

func TestTruncatedCSV(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var csv strings.Builder
	csv.WriteString("session_id,role,text\n")
	for i := range 3000 {
		fmt.Fprintf(&csv, "s%d,agent,%x\n", i, r.Uint64())
	}
	whole := gz([]byte(csv.String()))
	got, err := read(t, write(t, "a.csv.gz", whole[:len(whole)/2]), Options{})
	if err == nil || !strings.Contains(err.Error(), "truncated") || len(got) < 100 {
		t.Errorf("%d sessions, error %v", len(got), err)
	}
	mustDecode(t, got)
}

// Every field that a session or turn has survives being written and decoded.
func TestAppendSessionIsComplete(t *testing.T) {
	var s schemas.Session
	n := 0
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		switch x := v.Addr().Interface().(type) {
		case *time.Time:
			n++
			*x = time.UnixMilli(1_790_000_000_000 + int64(n)).UTC()
			return
		case *schemas.Opt[int64]:
			n++
			*x = schemas.Some(int64(n))
			return
		case *schemas.Opt[float64]:
			*x = schemas.Some(0.25)
			return
		case *schemas.Role:
			*x = schemas.Bot
			return
		case *schemas.Repair:
			return
		case *map[string]string:
			n++
			*x = map[string]string{fmt.Sprint("键", n): "v\n\"", "b": "\t\u2028<&>"}
			return
		}
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				fill(v.Field(i))
			}
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			for i := range v.Len() {
				fill(v.Index(i))
			}
		case reflect.String:
			n++
			v.SetString(fmt.Sprint("值", n))
		case reflect.Int:
			n++
			v.SetInt(int64(n))
		case reflect.Bool:
			v.SetBool(true)
		default:
			t.Fatalf("a new kind of field: %s", v.Type())
		}
	}
	fill(reflect.ValueOf(&s).Elem())
	raw := appendSession(nil, &s.Meta, s.Turns)
	m, err := schemas.Decode(raw)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	if !reflect.DeepEqual(m.Session, &s) {
		t.Errorf("\n got %+v\nwant %+v", m.Session, &s)
	}

	// The same through Parquet.
	var buf bytes.Buffer
	if err := WriteParquet(&buf, []schemas.Session{s}); err != nil {
		t.Fatal(err)
	}
	got, err := read(t, write(t, "a.parquet", buf.Bytes()), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if back := mustDecode(t, got); len(back) != 1 || !reflect.DeepEqual(back[0].Session, &s) {
		t.Errorf("Parquet:\n got %+v\nwant %+v", back, &s)
	}
}

// A long file with lines over the limit and a scattered order stays within a bound of memory.
func TestMemoryIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 20 MB")
	}
	path := write(t, "big.csv", nil)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(f, "session_id,role,text")
	line := strings.Repeat("很长的话", 80)
	for i := range 20_000 {
		fmt.Fprintf(f, "s%d,agent,%s\n", i*7919%10_000, line)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path, Options{Limits: Limits{GroupBytes: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var peak uint64
	n := 0
	for {
		if _, err := r.Next(); err != nil {
			break
		}
		if n++; n%500 == 1 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
	}
	if n != 10_000 {
		t.Errorf("%d sessions", n)
	}
	if peak > 14<<20 {
		t.Errorf("%d MB of live heap while reading 20 MB", peak>>20)
	}
}
