package intake

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tingke/tingke/schemas"
)

// plan is a column map bound to the header of one file.
type plan struct {
	file   string
	m      *ColumnMap
	opt    *Options
	header []string
	col    map[string]int // field -> column, only those present
	attrs  []boundColumn
	tattrs []boundColumn
	by     []int
	skip   []boundSkip
	times  *timeParser
}

type boundColumn struct {
	name string
	col  int
}

type boundSkip struct {
	col    int
	values []string
}

// bind finds the columns that the map names. The error names every missing one and the columns that there are.
func bind(file string, line int, m *ColumnMap, header []string, opt *Options, times *timeParser) (*plan, error) {
	p := &plan{file: file, m: m, opt: opt, header: header, col: map[string]int{}, times: times}
	index := map[string]int{}
	for i := len(header) - 1; i >= 0; i-- { // of two columns of one name the first counts
		if header[i] != "" {
			index[header[i]] = i
		}
	}
	var missing []string
	find := func(field string, names ...string) (int, bool) {
		for _, n := range names {
			if i, ok := index[n]; ok {
				return i, true
			}
			if num, ok := strings.CutPrefix(n, "#"); ok {
				if i, err := strconv.Atoi(num); err == nil && i >= 1 && (i <= len(header) || m.HeaderRow == 0) {
					return i - 1, true
				}
			}
		}
		if !slices.Contains(m.Optional, field) {
			missing = append(missing, fmt.Sprintf(`"%s" (%s)`, strings.Join(names, `" or "`), field))
		}
		return 0, false
	}
	for _, field := range slices.Sorted(maps.Keys(m.Columns)) {
		if i, ok := find(field, m.Columns[field]...); ok {
			p.col[field] = i
		}
	}
	bindAttributes := func(what string, from map[string]string) (out []boundColumn) {
		for _, name := range slices.Sorted(maps.Keys(from)) {
			if i, ok := find(what+"."+name, from[name]); ok {
				out = append(out, boundColumn{name, i})
			}
		}
		return out
	}
	p.attrs = bindAttributes("attributes", m.Attributes)
	p.tattrs = bindAttributes("turn_attributes", m.TurnAttributes)
	for _, c := range slices.Concat(p.attrs, p.tattrs) {
		if size(c.name) > schemas.MaxNameBytes || len(p.attrs) > schemas.MaxAttributes || len(p.tattrs) > schemas.MaxAttributes {
			return nil, &Error{File: file, Line: line, Problem: fmt.Sprintf("%d columns would become attributes, some may have long names", len(p.attrs)+len(p.tattrs)),
				Hint: fmt.Sprintf("at most %d with names of up to %d bytes; a column map says which ones are needed", schemas.MaxAttributes, schemas.MaxNameBytes)}
		}
	}
	for _, c := range m.By {
		if i, ok := find("session.by", c); ok {
			p.by = append(p.by, i)
		}
	}
	for _, c := range slices.Sorted(maps.Keys(m.Skip)) {
		if i, ok := find("skip", c); ok {
			p.skip = append(p.skip, boundSkip{i, m.Skip[c]})
		}
	}
	if len(missing) > 0 {
		e := &Error{File: file, Line: line, Problem: "missing column " + strings.Join(missing, ", "), Hint: fmt.Sprintf("the columns are %s", quoteAll(header))}
		if m.name != "" {
			e.Hint += "; correct the file or the column map " + m.name
		} else if m.implied {
			e.Hint += "; give a column map"
		}
		return nil, e
	}
	return p, nil
}

func quoteAll(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	const most = 60
	var b strings.Builder
	for i, n := range names {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(names)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", clip(n))
	}
	return b.String()
}

// impliedMap is the map of a table whose columns carry the names of the message fields; what they do not know becomes an
// attribute.
func impliedMap(header []string) *ColumnMap {
	m := &ColumnMap{Layout: LayoutTurns, HeaderRow: 1, implied: true, Columns: map[string][]string{}, TurnAttributes: map[string]string{}}
	for _, h := range header {
		switch {
		case h == "" || h == "type":
		case slices.Contains(sessionFields, h) || slices.Contains(turnFields, h):
			m.Columns[h] = []string{h}
		default:
			m.TurnAttributes[h] = h
		}
	}
	for _, f := range []string{"session_id", "role", "text"} {
		if f == "role" && len(m.Columns["sender"]) > 0 {
			continue
		}
		m.Columns[f] = []string{f} // missing ones are reported by bind
	}
	return m
}

// rowProblem says which field of a row is wrong.
type rowProblem struct {
	field, problem, hint string
}

func (p *plan) error(line int, e *rowProblem) *Error {
	field := e.field
	if i, ok := p.col[field]; ok && i < len(p.header) && p.header[i] != "" && p.header[i] != field {
		field = fmt.Sprintf("%s (column %q)", field, clip(p.header[i]))
	}
	return &Error{File: p.file, Line: line, Field: field, Problem: e.problem, Hint: e.hint}
}

func (p *plan) cell(cells []string, field string) string {
	i, ok := p.col[field]
	if !ok || i >= len(cells) {
		return ""
	}
	return cleanCell(cells[i])
}

// skipped says whether the map leaves this row out.
func (p *plan) skipped(cells []string) bool {
	for _, s := range p.skip {
		if s.col < len(cells) && slices.Contains(s.values, cleanCell(cells[s.col])) {
			return true
		}
	}
	return false
}

// meta reads the session fields of a row.
func (p *plan) meta(cells []string) (*schemas.Meta, *rowProblem) {
	m := &schemas.Meta{}
	var bad *rowProblem
	text := func(field string, dst *string, limit int) {
		v := p.cell(cells, field)
		if size(v) > limit && bad == nil {
			bad = tooLarge(field, v, limit, "is it the right column?")
		}
		*dst = v
	}
	instant := func(field string, dst *time.Time) {
		v := p.cell(cells, field)
		if v == "" {
			return
		}
		t, err := p.times.parse(v, time.Time{})
		if err != nil && bad == nil {
			bad = badTime(field, err)
		}
		*dst = t
	}
	text("session_id", &m.SessionID, schemas.MaxIDBytes)
	text("channel", &m.Channel, schemas.MaxChannelBytes)
	text("source", &m.Source, schemas.MaxNameBytes)
	text("shop", &m.Shop, schemas.MaxNameBytes)
	text("business", &m.Business, schemas.MaxNameBytes)
	text("skill_group", &m.SkillGroup, schemas.MaxNameBytes)
	text("product", &m.Product, schemas.MaxNameBytes)
	text("customer_id", &m.CustomerID, schemas.MaxIDBytes)
	text("agent_id", &m.AgentID, schemas.MaxIDBytes)
	text("agent_name", &m.AgentName, schemas.MaxNameBytes)
	text("team", &m.Team, schemas.MaxNameBytes)
	text("media_url", &m.MediaURL, 4*schemas.MaxNameBytes)
	instant("updated_at", &m.UpdatedAt)
	instant("started_at", &m.StartedAt)
	instant("ended_at", &m.EndedAt)
	if v, ok := p.integer(cells, "session_revision", 0, schemas.MaxSessionRevision, &bad); ok {
		m.Revision = int(v)
	}
	m.Attributes = p.attributes(cells, p.attrs, &bad)
	return m, bad
}

func tooLarge(field, v string, limit int, hint string) *rowProblem {
	return &rowProblem{field, fmt.Sprintf("%d bytes are over the limit of %d", size(v), limit), hint}
}

func (p *plan) attributes(cells []string, cols []boundColumn, bad **rowProblem) map[string]string {
	var out map[string]string
	for _, c := range cols {
		if c.col < len(cells) {
			if v := cleanCell(cells[c.col]); v != "" {
				if out == nil {
					out = make(map[string]string, len(cols))
				}
				if size(v) > schemas.MaxTextBytes && *bad == nil {
					*bad = tooLarge(c.name, v, schemas.MaxTextBytes, "leave the column out")
				}
				out[c.name] = v
			}
		}
	}
	return out
}

func badTime(field string, err error) *rowProblem {
	return &rowProblem{field, err.Error(), "write it like 2026-11-02 10:15:00 or name its form under time_formats"}
}

func (p *plan) integer(cells []string, field string, lo, hi int64, bad **rowProblem) (int64, bool) {
	v := p.cell(cells, field)
	if v == "" {
		return 0, false
	}
	x, err := strconv.ParseFloat(v, 64) // spreadsheets write 12 as 12.0
	if err != nil || x != math.Trunc(x) || x < float64(lo) || x > float64(hi) {
		if *bad == nil {
			*bad = &rowProblem{field, fmt.Sprintf("%q is no whole number from %d to %d", clip(v), lo, hi), ""}
		}
		return 0, false
	}
	return int64(x), true
}

// turn reads the turn of a row and completes the session fields with what its sender says.
func (p *plan) turn(cells []string, m *schemas.Meta) (schemas.Turn, *rowProblem) {
	var t schemas.Turn
	var bad *rowProblem
	if i := p.col["text"]; i < len(cells) {
		t.Text = cells[i]
	}
	if size(t.Text) > schemas.MaxTextBytes {
		return t, tooLarge("text", t.Text, schemas.MaxTextBytes, "split the message")
	}
	sender := p.cell(cells, "sender")
	var why *rowProblem
	if t.Role, why = p.role(p.cell(cells, "role"), sender, m); why != nil {
		return t, why
	}
	if size(sender) > schemas.MaxIDBytes {
		return t, tooLarge("sender", sender, schemas.MaxIDBytes, "is it the right column?")
	}
	p.speaker(&t, m, sender)
	if v := p.cell(cells, "at"); v != "" {
		at, err := p.instant(p.cell(cells, "date"), v)
		if err != nil {
			return t, badTime("at", err)
		}
		t.At = at
	}
	if v, ok := p.integer(cells, "seq", 0, math.MaxInt32, &bad); ok {
		t.Seq = schemas.Some(v)
	}
	if v, ok := p.integer(cells, "revision", 0, math.MaxInt32, &bad); ok {
		t.Revision = int(v)
	}
	if v, ok := p.integer(cells, "start_ms", 0, 1<<40, &bad); ok {
		t.StartMS = schemas.Some(v)
	}
	if v, ok := p.integer(cells, "end_ms", 0, 1<<40, &bad); ok {
		t.EndMS = schemas.Some(v)
	}
	for _, f := range []struct {
		field string
		dst   *schemas.Opt[int64]
	}{{"start", &t.StartMS}, {"end", &t.EndMS}} {
		if v := p.cell(cells, f.field); v != "" {
			ms, err := span(v)
			if err != nil {
				return t, &rowProblem{f.field, err.Error(), "seconds such as 12.5 or a clock such as 00:01:02.500"}
			}
			*f.dst = schemas.Some(ms)
		}
	}
	if v := p.cell(cells, "confidence"); v != "" {
		x, err := strconv.ParseFloat(v, 64)
		if err != nil || !(x >= 0 && x <= 1) {
			return t, &rowProblem{"confidence", fmt.Sprintf("%q is no number from 0 to 1", clip(v)), ""}
		}
		t.Confidence = schemas.Some(x)
	}
	if v := strings.ToLower(p.cell(cells, "auto")); v != "" {
		switch {
		case slices.Contains(yes, v):
			t.Auto = true
		case !slices.Contains(no, v):
			return t, &rowProblem{"auto", fmt.Sprintf("%q is neither yes nor no", clip(v)), "1 or 0, true or false, 是 or 否"}
		}
	}
	t.Attributes = p.attributes(cells, p.tattrs, &bad)
	return t, bad
}

var (
	yes = []string{"1", "true", "yes", "y", "是", "自动", "自动回复"}
	no  = []string{"0", "false", "no", "n", "否", "人工"}
)

// instant reads a time that may be spread over a column with the day and one with the time of day.
func (p *plan) instant(date, at string) (time.Time, error) {
	if date == "" {
		return p.times.parse(at, time.Time{})
	}
	if p.times.serial != nil { // both may be numbers of a spreadsheet: days, and a part of a day
		d, err1 := strconv.ParseFloat(date, 64)
		a, err2 := strconv.ParseFloat(at, 64)
		if err1 == nil && err2 == nil && a >= 0 && a < 1 {
			return p.times.parse(strconv.FormatFloat(d+a, 'f', -1, 64), time.Time{})
		}
	}
	if day, err := p.times.parse(date, time.Time{}); err == nil {
		if t, err := p.times.parse(at, day); err == nil {
			return t, nil
		}
	}
	return p.times.parse(date+" "+at, time.Time{})
}

// role decides who speaks: by the role column, else by the sender's nickname, else by the session's own ids, else by the
// map's default.
func (p *plan) role(value, sender string, m *schemas.Meta) (schemas.Role, *rowProblem) {
	if value != "" {
		key := strings.ToLower(value)
		if r, ok := p.m.Roles.Values[key]; ok {
			return r, nil
		}
		if r, ok := roleNames[key]; ok {
			return r, nil
		}
		return "", &rowProblem{"role", fmt.Sprintf("unknown role %q", clip(value)), fmt.Sprintf("name it under roles.values of the column map, such as %q: agent", clip(value))}
	}
	for _, s := range p.m.Roles.Senders {
		if glob(s.Match, sender) {
			return s.Role, nil
		}
	}
	if sender != "" {
		switch {
		case sender == m.CustomerID:
			return schemas.Customer, nil
		case sender == m.AgentID || sender == m.AgentName:
			return schemas.Agent, nil
		}
		if r, ok := roleNames[strings.ToLower(sender)]; ok {
			return r, nil
		}
	}
	if p.m.Roles.Default != "" {
		return p.m.Roles.Default, nil
	}
	if sender == "" {
		return "", &rowProblem{"role", "is empty", "name roles.default in the column map if such rows are lawful"}
	}
	return "", &rowProblem{"sender", fmt.Sprintf("nothing says the role of %q", clip(sender)), "add a pattern under roles.senders of the column map, or roles.default"}
}

// speaker fills the ids of the side that speaks.
func (p *plan) speaker(t *schemas.Turn, m *schemas.Meta, sender string) {
	named := sender != "" && roleNames[strings.ToLower(sender)] == "" // 客服 is a role, nobody's id
	switch t.Role {
	case schemas.Agent:
		t.AgentID = m.AgentID
		if named && sender != m.AgentName {
			t.AgentID = sender
		}
		if m.AgentID == "" {
			m.AgentID = t.AgentID
		}
	case schemas.Customer:
		if m.CustomerID == "" && named {
			m.CustomerID = sender
		}
	}
}

// glob matches a pattern in which * stands for any text, without regard to case.
func glob(pattern, s string) bool {
	pattern, s = strings.ToLower(pattern), strings.ToLower(s)
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return strings.HasSuffix(s, parts[len(parts)-1])
}
