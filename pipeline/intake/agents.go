package intake

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/tingke/tingke/schemas"
)

// Agent says which team an agent belongs to from a moment on. Several of one AgentID are its history.
type Agent struct {
	AgentID   string    `json:"agent_id"`
	Name      string    `json:"name,omitempty"`
	Team      string    `json:"team,omitempty"`
	ValidFrom time.Time `json:"valid_from,omitzero"` // UTC; zero: since ever
}

// agentColumns are the names that the columns of a list of agents may have.
var agentColumns = map[string][]string{
	"agent_id":   {"agent_id", "agent", "id", "客服ID", "客服id", "客服账号", "客服帐号", "工号", "账号", "帐号", "子账号", "子帐号", "坐席工号", "坐席ID"},
	"name":       {"name", "agent_name", "姓名", "名称", "客服姓名", "客服昵称", "昵称", "客服", "坐席", "坐席姓名"},
	"team":       {"team", "group", "团队", "班组", "组别", "小组", "部门", "分组", "客服组", "技能组"},
	"valid_from": {"valid_from", "from", "since", "生效日期", "生效时间", "开始日期", "开始时间", "入组日期", "入组时间", "起始日期"},
}

// ReadAgents reads a list of agents from CSV, XLSX or JSONL: columns agent_id, name, team, valid_from or their usual
// Chinese names. Rows that cannot be used are in the second result, each with file, line and field; the error says that
// the file could not be read, or not to its end. The result is sorted by agent and time. Options.Map gives the layout of
// the file (sheet, header_row, encoding, delimiter, timezone, time_formats), its columns are not used.
func ReadAgents(path string, opt Options) ([]Agent, []error, error) {
	opt.Limits = opt.Limits.withDefaults()
	if opt.Location == nil {
		opt.Location = shanghai
	}
	src, err := openSource(path, opt.Limits)
	if err != nil {
		return nil, nil, err
	}
	defer src.close()
	if opt.Format == "" {
		if opt.Format, err = detect(src, true); err != nil {
			return nil, nil, err
		}
	}
	l := &agentList{file: src.name, seen: map[agentKey]agentRow{}}
	switch opt.Format {
	case FormatJSONL, FormatJSON:
		err = l.readLines(src, opt)
	case FormatCSV, FormatXLSX:
		err = l.readTable(src, opt)
	default:
		return nil, nil, &Error{File: src.name, Problem: "a list of agents cannot be read from " + opt.Format, Hint: "CSV, XLSX or JSONL with agent_id, name, team, valid_from"}
	}
	slices.SortStableFunc(l.agents, func(a, b Agent) int {
		return cmp.Or(strings.Compare(a.AgentID, b.AgentID), a.ValidFrom.Compare(b.ValidFrom))
	})
	return l.agents, l.bad, err
}

type agentKey struct {
	id   string
	from int64
}

type agentRow struct {
	agent Agent
	line  int
}

type agentList struct {
	file   string
	agents []Agent
	bad    []error
	seen   map[agentKey]agentRow
}

// maxAgents bounds a list of agents, which is held in memory.
const maxAgents = 1_000_000

func (l *agentList) fail(line int, field, problem, hint string) {
	l.bad = append(l.bad, &Error{File: l.file, Line: line, Field: field, Problem: problem, Hint: hint})
}

// add takes a row; get gives its fields and times reads its date.
func (l *agentList) add(line int, times *timeParser, get func(field string) string) error {
	if len(l.agents)+len(l.bad) >= maxAgents {
		return &Error{File: l.file, Line: line, Problem: fmt.Sprintf("more than %d rows", maxAgents), Hint: "is it a list of agents?"}
	}
	a := Agent{AgentID: get("agent_id"), Name: get("name"), Team: get("team")}
	switch {
	case a.AgentID == "":
		l.fail(line, "agent_id", "is empty", "every row needs the id that the transcripts use")
		return nil
	case len(a.AgentID) > schemas.MaxIDBytes:
		l.fail(line, "agent_id", fmt.Sprintf("%d bytes are over the limit of %d", len(a.AgentID), schemas.MaxIDBytes), "is it the right column?")
		return nil
	case len(a.Name) > schemas.MaxNameBytes || len(a.Team) > schemas.MaxNameBytes:
		l.fail(line, "name, team", fmt.Sprintf("over the limit of %d bytes", schemas.MaxNameBytes), "is it the right column?")
		return nil
	}
	if v := get("valid_from"); v != "" {
		t, err := times.parse(v, time.Time{})
		if err != nil {
			l.fail(line, "valid_from", err.Error(), "write it like 2026-11-02; an empty one means since ever")
			return nil
		}
		a.ValidFrom = t
	}
	key := agentKey{a.AgentID, a.ValidFrom.UnixMilli()}
	if old, ok := l.seen[key]; ok {
		if old.agent != a {
			l.fail(line, "team", fmt.Sprintf("agent %q has another name or team from the same time on in line %d", clip(a.AgentID), old.line), "give the change its own valid_from")
		}
		return nil
	}
	l.seen[key] = agentRow{a, line}
	l.agents = append(l.agents, a)
	return nil
}

func (l *agentList) readTable(src *source, opt Options) error {
	t, times, err := openTable(src, opt)
	if err != nil {
		return err
	}
	defer t.close()
	header, line, err := readHeader(src, t, opt.Map)
	if err != nil {
		return err
	}
	cols := map[string]int{}
	for field, names := range agentColumns {
		for _, n := range names {
			if i := slices.IndexFunc(header, func(h string) bool { return strings.EqualFold(h, n) }); i >= 0 {
				cols[field] = i
				break
			}
		}
	}
	if _, ok := cols["agent_id"]; !ok {
		return &Error{File: src.name, Line: max(line, 1), Problem: `missing column "agent_id"`, Hint: fmt.Sprintf("it may be called %s; the columns are %s", strings.Join(agentColumns["agent_id"], ", "), quoteAll(header))}
	}
	for {
		cells, line, err := t.next()
		var row rowError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &row):
			l.bad = append(l.bad, row.e)
			continue
		case err != nil:
			return err
		case blank(cells):
			continue
		case len(cells) > len(header) && !blank(cells[len(header):]) || len(cells) < len(header) && !t.ragged():
			l.fail(line, "", fmt.Sprintf("the row has %d cells, the header %d", len(cells), len(header)), "put texts that hold the separator in double quotes")
			continue
		}
		if err := l.add(line, times, func(field string) string {
			if i, ok := cols[field]; ok && i < len(cells) {
				return strings.Clone(cleanCell(cells[i]))
			}
			return ""
		}); err != nil {
			return err
		}
	}
}

func (l *agentList) readLines(src *source, opt Options) error {
	times := newTimeParser(opt.Map, opt.Location)
	var r Reader = newLineReader(src, opt.Limits)
	if opt.Format == FormatJSON {
		r = newValueReader(src, opt.Limits)
	}
	for {
		rec, err := r.Next()
		switch {
		case errors.Is(err, io.EOF) && !errors.As(err, new(*Error)):
			return nil
		case err != nil:
			return err
		case rec.Err != nil:
			l.bad = append(l.bad, rec.Err)
			continue
		}
		line := bytes.ToValidUTF8(rec.Raw, []byte("\uFFFD"))
		root := gjson.ParseBytes(line)
		if !json.Valid(line) || !root.IsObject() {
			l.fail(rec.Line, "", "is no JSON object", `such as {"agent_id":"a7","name":"小王","team":"售后一组","valid_from":"2026-11-01"}`)
			continue
		}
		fields := root.Map()
		if err := l.add(rec.Line, times, func(field string) string {
			for _, n := range agentColumns[field] {
				if v, ok := fields[n]; ok {
					return strings.TrimSpace(strings.Clone(v.String()))
				}
			}
			return ""
		}); err != nil {
			return err
		}
	}
}
