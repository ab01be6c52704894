package intake

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPropose(t *testing.T) {
	f := func(header string, layout, columns, missing string) {
		t.Helper()
		p := Propose(strings.Split(header, ","))
		var got []string
		for _, field := range slices.Sorted(maps.Keys(p.Columns)) {
			got = append(got, field+"="+p.Columns[field])
		}
		if p.Layout != layout || strings.Join(got, " ") != columns || strings.Join(p.Missing, " ") != missing {
			t.Errorf("%s: layout %s, columns %q, missing %q", header, p.Layout, got, p.Missing)
		}
	}
	f("session_id,role,text,at", LayoutTurns, "at=at role=role session_id=session_id text=text", "")
	f("会话ID,买家昵称,发送人,发送时间,消息内容,是否自动回复,店铺名称,客服姓名", LayoutTurns,
		"agent_name=客服姓名 at=发送时间 auto=是否自动回复 customer_id=买家昵称 sender=发送人 session_id=会话ID shop=店铺名称 text=消息内容", "")
	f("会话编号,会话开始时间,会话结束时间,用户昵称,客服账号,客服昵称,接待分组,聊天记录", LayoutSessions,
		"agent_id=客服账号 agent_name=客服昵称 customer_id=用户昵称 ended_at=会话结束时间 session_id=会话编号 skill_group=接待分组 started_at=会话开始时间 transcript=聊天记录", "")
	f("Session ID,Content,Time(s)", LayoutTurns, "at=Time(s) session_id=Session ID text=Content", "role")
	f("日期,内容,角色,会话号", LayoutTurns, "at=日期 role=角色 session_id=会话号 text=内容", "")
	f("甲,乙", LayoutTurns, "", "session_id text role")
	f("text,text,role,session_id", LayoutTurns, "role=role session_id=session_id text=text", "")
	f("", LayoutTurns, "", "session_id text role")
}

func TestInspect(t *testing.T) {
	f := func(name, content, format string, headerRow int, header, problem string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := Inspect(path, Options{})
		if problem != "" {
			if err == nil || !strings.Contains(err.Error(), problem) {
				t.Errorf("%s: error %v, want %q", name, err, problem)
			}
			return
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if in.Format != format || in.HeaderRow != headerRow || strings.Join(in.Header, ",") != header || len(in.Rows) > sampleRows {
			t.Errorf("%s: %+v", name, in)
		}
	}
	f("a.csv", "会话ID,角色,消息内容\n1,客户,在吗\n", FormatCSV, 1, "会话ID,角色,消息内容", "")
	f("b.csv", "聊天记录导出\n导出时间：2026-11-01\n\n会话ID,角色,消息内容\n1,客户,在吗\n", FormatCSV, 4, "会话ID,角色,消息内容", "")
	f("c.csv", "x,y\n1,2\n", FormatCSV, 1, "x,y", "")
	f("d.jsonl", `{"session_id":"1","turns":[]}`+"\n", FormatJSONL, 0, "", "")
	f("e.vtt", "WEBVTT\n", FormatVTT, 0, "", "")
	f("f.csv", "", "", 0, "", "holds no rows")
	f("g.xlsx", "PK\x03\x04 cut", "", 0, "", "truncated")
	f("h.bin", "\x00\x01\x02", "", 0, "", "cannot tell its format")
}

// TestInspectMaps: the maps of the examples are what is proposed for their headers.
func TestInspectMaps(t *testing.T) {
	for _, name := range []string{"chat-rows.yaml", "chat-transcripts.yaml"} {
		m, err := ReadColumnMap(filepath.Join("..", "..", "testdata", "maps", name))
		if err != nil {
			t.Fatal(err)
		}
		var header []string
		for _, columns := range m.Columns {
			header = append(header, columns[0])
		}
		slices.Sort(header)
		p := Propose(header)
		if p.Layout != m.Layout || len(p.Missing) > 0 {
			t.Errorf("%s: layout %s, missing %v", name, p.Layout, p.Missing)
		}
		for field, columns := range m.Columns {
			if p.Columns[field] != columns[0] {
				t.Errorf("%s: %s is proposed as %q, the map says %q", name, field, p.Columns[field], columns[0])
			}
		}
	}
}
