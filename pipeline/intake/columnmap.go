package intake

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/schemas"
)

// Layouts of a table.
const (
	LayoutTurns    = "turns"    // one row a turn; the rows of a session may lie anywhere in the file
	LayoutSessions = "sessions" // one row a session, its transcript in one cell
)

// ColumnMap says what the columns of a table mean. It is written as YAML; testdata/maps holds a commented example.
type ColumnMap struct {
	// Layout is LayoutTurns (the default) or LayoutSessions.
	Layout string
	// Sheet is the name or the 1-based number of an XLSX sheet; "" is the first.
	Sheet string
	// HeaderRow is the 1-based row with the column names; 0 says there is none, columns are then named #1, #2 ...
	// Rows above it are left out.
	HeaderRow int
	// Encoding of CSV: "" or auto, utf-8, gb18030 (also GBK and GB2312), utf-16le, utf-16be.
	Encoding string
	// Delimiter of CSV: "" finds it out among comma, tab, semicolon and |.
	Delimiter string
	// Location is the zone of times that name none; nil leaves it to Options.Location.
	Location *time.Location
	// TimeFormats are tried in order before the built-in ones; see timeFormat for their letters.
	TimeFormats []string
	// Columns maps a field to the names its column may have; the first that the header holds counts.
	Columns map[string][]string
	// Optional fields may be mapped to columns that the file lacks.
	Optional []string
	// Attributes and TurnAttributes map the names of further session and turn attributes to columns.
	Attributes     map[string]string
	TurnAttributes map[string]string
	Roles          RoleMap
	// Gap and By make sessions where the file has no session id: rows that agree in the columns By belong to one session
	// as long as the next one follows within Gap.
	Gap time.Duration
	By  []string
	// Turn cuts a cell with a whole transcript into turns, line by line: a line it matches starts a turn, any other
	// continues the turn before. Groups: sender or role, time, text. Nil means lines such as "客服：您好".
	Turn *regexp.Regexp
	// Separator parts the lines of a transcript cell; "" means line breaks.
	Separator string
	// Skip leaves out the rows that have one of these values in a column.
	Skip map[string][]string
	// Defaults are session fields for what neither the file nor Options.Session say.
	Defaults Defaults

	implied bool   // made from the header of a file read without a map
	name    string // of the file the map came from, for errors
}

// RoleMap turns what a file says about the speaker into a role.
type RoleMap struct {
	// Values maps the values of the role column, without regard to case; the built-in names come after them.
	Values map[string]schemas.Role
	// Senders maps nicknames; in a pattern * stands for any text. The first match counts.
	Senders []SenderRole
	// Default is the role where nothing else decides; "" makes that an error.
	Default schemas.Role
}

// SenderRole is the role of the senders that match a pattern.
type SenderRole struct {
	Match string
	Role  schemas.Role
}

var sessionFields = []string{
	"session_id", "session_revision", "updated_at", "channel", "source", "shop", "business", "skill_group", "product",
	"customer_id", "agent_id", "agent_name", "team", "started_at", "ended_at", "media_url",
}

var turnFields = []string{
	"seq", "role", "sender", "text", "date", "at", "start_ms", "end_ms", "start", "end", "confidence", "auto", "revision",
}

// roleNames are the built-in names of roles, in lower case.
var roleNames = map[string]schemas.Role{
	"customer": schemas.Customer, "client": schemas.Customer, "user": schemas.Customer, "buyer": schemas.Customer, "visitor": schemas.Customer,
	"caller": schemas.Customer, "客户": schemas.Customer, "顾客": schemas.Customer, "用户": schemas.Customer, "买家": schemas.Customer,
	"消费者": schemas.Customer, "访客": schemas.Customer,
	"agent": schemas.Agent, "seller": schemas.Agent, "staff": schemas.Agent, "operator": schemas.Agent, "客服": schemas.Agent,
	"人工客服": schemas.Agent, "坐席": schemas.Agent, "座席": schemas.Agent, "卖家": schemas.Agent, "商家": schemas.Agent, "话务员": schemas.Agent,
	"bot": schemas.Bot, "robot": schemas.Bot, "机器人": schemas.Bot, "智能客服": schemas.Bot, "机器人客服": schemas.Bot,
	"system": schemas.System, "系统": schemas.System, "系统消息": schemas.System, "平台": schemas.System,
}

var roles = []schemas.Role{schemas.Customer, schemas.Agent, schemas.Bot, schemas.System}

// ReadColumnMap reads a column map from a YAML file. The error holds every mistake with file, line and column.
func ReadColumnMap(path string) (*ColumnMap, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, &Error{Problem: fmt.Sprintf("cannot read column map %q", path), Cause: unwrapPath(err)}
	}
	return ParseColumnMap(path, b)
}

// ParseColumnMap reads a column map from YAML; name is what errors call it.
func ParseColumnMap(name string, b []byte) (*ColumnMap, error) {
	m := &ColumnMap{Layout: LayoutTurns, HeaderRow: 1, name: name}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, yamlError(name, err)
	}
	if len(doc.Content) == 0 {
		return nil, &Error{File: name, Line: 1, Problem: "the column map is empty", Hint: "see the example in testdata/maps"}
	}
	p := &mapParser{file: name}
	p.columnMap(doc.Content[0], m)
	if len(p.errs) == 0 {
		p.validate(doc.Content[0], m)
	}
	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}
	return m, nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func yamlError(name string, err error) error {
	e := &Error{File: name, Line: 1, Problem: "is not valid YAML: " + yamlLine.ReplaceAllString(err.Error(), "")}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil && m[1] != "" {
		fmt.Sscan(m[1], &e.Line)
	}
	return e
}

// mapParser walks the YAML tree itself: decoding into a struct would lose the columns of errors and stop at the first.
type mapParser struct {
	file string
	errs []error
}

func (p *mapParser) fail(n *yaml.Node, field, problem, hint string) {
	p.errs = append(p.errs, &Error{File: p.file, Line: n.Line, Column: n.Column, Field: field, Problem: problem, Hint: hint})
}

// each calls f for every key of a mapping; f says whether it knows the key.
func (p *mapParser) each(n *yaml.Node, field string, knownKeys []string, f func(key string, k, v *yaml.Node) bool) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		p.fail(n, field, "must be a mapping (key: value)", "")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if v.Kind == yaml.AliasNode {
			v = v.Alias
		}
		name := k.Value
		if seen[name] {
			p.fail(k, join(field, name), "is given twice", "")
			continue
		}
		seen[name] = true
		if !f(name, k, v) {
			p.fail(k, join(field, name), "unknown key", "known are "+strings.Join(knownKeys, ", "))
		}
	}
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "." + b
}

func (p *mapParser) str(n *yaml.Node, field string) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		p.fail(n, field, "must be a text", "")
		return ""
	}
	return n.Value
}

func (p *mapParser) integer(n *yaml.Node, field string, lo, hi int) int {
	var v int
	if n.Kind != yaml.ScalarNode || n.Decode(&v) != nil || v < lo || v > hi {
		p.fail(n, field, fmt.Sprintf("must be a whole number from %d to %d", lo, hi), "")
	}
	return v
}

// list reads a text or a list of texts.
func (p *mapParser) list(n *yaml.Node, field string) []string {
	if n.Kind != yaml.SequenceNode {
		if s := p.str(n, field); s != "" {
			return []string{s}
		}
		return nil
	}
	var out []string
	for _, e := range n.Content {
		out = append(out, p.str(e, field))
	}
	return out
}

func (p *mapParser) role(n *yaml.Node, field string) schemas.Role {
	r := schemas.Role(p.str(n, field))
	if r != "" && !slices.Contains(roles, r) {
		p.fail(n, field, fmt.Sprintf("unknown role %q", r), "one of customer, agent, bot, system")
	}
	return r
}

var mapKeys = []string{"layout", "sheet", "header_row", "encoding", "delimiter", "timezone", "time_formats", "columns", "optional",
	"attributes", "turn_attributes", "roles", "session", "transcript", "skip", "defaults"}

func (p *mapParser) columnMap(n *yaml.Node, m *ColumnMap) {
	p.each(n, "", mapKeys, func(key string, k, v *yaml.Node) bool {
		switch key {
		case "layout":
			m.Layout = p.str(v, key)
			if m.Layout != LayoutTurns && m.Layout != LayoutSessions {
				p.fail(v, key, fmt.Sprintf("unknown layout %q", m.Layout), "turns: one row a message; sessions: one row a session with its transcript in a cell")
			}
		case "sheet":
			m.Sheet = p.str(v, key)
		case "header_row":
			m.HeaderRow = p.integer(v, key, 0, 10_000)
		case "encoding":
			m.Encoding = strings.ToLower(p.str(v, key))
			if !slices.Contains(encodings, m.Encoding) {
				p.fail(v, key, fmt.Sprintf("unknown encoding %q", m.Encoding), "one of "+strings.Join(encodings, ", "))
			}
		case "delimiter":
			m.Delimiter = p.str(v, key)
			if m.Delimiter == "auto" {
				m.Delimiter = ""
			} else if len(m.Delimiter) != 1 || strings.ContainsAny(m.Delimiter, "\"\r\n") {
				p.fail(v, key, "must be one character", `such as "," or "\t"; leave it out to find it out`)
			}
		case "timezone":
			loc, err := time.LoadLocation(p.str(v, key))
			if err != nil {
				p.fail(v, key, "unknown time zone "+v.Value, "a name such as Asia/Shanghai")
			}
			m.Location = loc
		case "time_formats":
			m.TimeFormats = p.list(v, key)
			for i, f := range m.TimeFormats {
				if _, err := timeFormat(f); err != nil {
					at := v
					if v.Kind == yaml.SequenceNode {
						at = v.Content[i]
					}
					p.fail(at, key, err.Error(), "letters are yyyy MM dd HH mm ss SSS, or unix, unix_ms")
				}
			}
		case "columns":
			m.Columns = map[string][]string{}
			fields := slices.Concat(sessionFields, turnFields, []string{"transcript"})
			p.each(v, key, fields, func(field string, k, v *yaml.Node) bool {
				m.Columns[field] = p.list(v, join(key, field))
				return slices.Contains(fields, field)
			})
		case "optional":
			m.Optional = p.list(v, key)
		case "attributes":
			m.Attributes = p.attributes(v, key)
		case "turn_attributes":
			m.TurnAttributes = p.attributes(v, key)
		case "roles":
			p.roles(v, key, &m.Roles)
		case "session":
			p.each(v, key, []string{"by", "gap"}, func(name string, k, v *yaml.Node) bool {
				switch name {
				case "by":
					m.By = p.list(v, "session.by")
				case "gap":
					d, err := time.ParseDuration(p.str(v, "session.gap"))
					if err != nil || d <= 0 {
						p.fail(v, "session.gap", fmt.Sprintf("%q is no time span", v.Value), "such as 30m or 2h")
					}
					m.Gap = d
				default:
					return false
				}
				return true
			})
		case "transcript":
			p.transcript(v, key, m)
		case "skip":
			m.Skip = map[string][]string{}
			p.each(v, key, nil, func(column string, k, v *yaml.Node) bool {
				m.Skip[column] = p.list(v, join(key, column))
				return true
			})
		case "defaults":
			p.defaults(v, key, &m.Defaults)
		default:
			return false
		}
		return true
	})
}

// attributes reads a list of columns or a mapping from attribute names to columns.
func (p *mapParser) attributes(n *yaml.Node, field string) map[string]string {
	out := map[string]string{}
	if n.Kind != yaml.MappingNode {
		for _, c := range p.list(n, field) {
			out[c] = c
		}
		return out
	}
	p.each(n, field, nil, func(name string, k, v *yaml.Node) bool {
		out[name] = p.str(v, join(field, name))
		return true
	})
	return out
}

func (p *mapParser) roles(n *yaml.Node, field string, r *RoleMap) {
	p.each(n, field, []string{"values", "senders", "default"}, func(key string, k, v *yaml.Node) bool {
		at := join(field, key)
		switch key {
		case "values":
			r.Values = map[string]schemas.Role{}
			p.each(v, at, nil, func(value string, k, v *yaml.Node) bool {
				r.Values[strings.ToLower(value)] = p.role(v, join(at, value))
				return true
			})
		case "senders":
			p.each(v, at, nil, func(pattern string, k, v *yaml.Node) bool {
				r.Senders = append(r.Senders, SenderRole{pattern, p.role(v, join(at, pattern))})
				return true
			})
		case "default":
			r.Default = p.role(v, at)
		default:
			return false
		}
		return true
	})
}

func (p *mapParser) transcript(n *yaml.Node, field string, m *ColumnMap) {
	p.each(n, field, []string{"turn", "separator"}, func(key string, k, v *yaml.Node) bool {
		at := join(field, key)
		switch key {
		case "turn":
			re, err := regexp.Compile(p.str(v, at))
			if err != nil {
				p.fail(v, at, err.Error(), "the syntax is that of RE2")
				return true
			}
			for _, g := range re.SubexpNames()[1:] {
				if g != "" && !slices.Contains([]string{"sender", "role", "time", "text"}, g) {
					p.fail(v, at, fmt.Sprintf("unknown group %q", g), "known groups are sender, role, time, text")
				}
			}
			if re.SubexpIndex("sender") < 0 && re.SubexpIndex("role") < 0 {
				p.fail(v, at, "has neither a group sender nor a group role", `such as '^(?P<sender>\S+) (?P<time>\d+-\d+-\d+ \d+:\d+:\d+)$'`)
			}
			m.Turn = re
		case "separator":
			m.Separator = p.str(v, at)
		default:
			return false
		}
		return true
	})
}

func (p *mapParser) defaults(n *yaml.Node, field string, d *Defaults) {
	fields := map[string]*string{
		"channel": &d.Channel, "source": &d.Source, "shop": &d.Shop, "business": &d.Business, "skill_group": &d.SkillGroup,
		"product": &d.Product, "customer_id": &d.CustomerID, "agent_id": &d.AgentID, "agent_name": &d.AgentName, "team": &d.Team,
	}
	p.each(n, field, []string{"channel", "source", "shop", "business", "skill_group", "product", "customer_id", "agent_id", "agent_name", "team", "revision"},
		func(key string, k, v *yaml.Node) bool {
			if key == "revision" {
				d.Revision = p.integer(v, join(field, key), 0, schemas.MaxSessionRevision)
				return true
			}
			dst := fields[key]
			if dst != nil {
				*dst = p.str(v, join(field, key))
			}
			return dst != nil
		})
}

// validate checks what concerns more than one key.
func (p *mapParser) validate(n *yaml.Node, m *ColumnMap) {
	has := func(f string) bool { return len(m.Columns[f]) > 0 }
	for _, f := range m.Optional {
		if !has(f) {
			p.fail(n, "optional", fmt.Sprintf("names %q, which columns does not map", f), "")
		}
	}
	if m.Layout == LayoutSessions {
		if !has("transcript") {
			p.fail(n, "columns.transcript", "is missing", "layout sessions needs the column that holds the transcript")
		}
		if m.Gap != 0 || len(m.By) > 0 {
			p.fail(n, "session", "does not go with layout sessions", "every row is a session there")
		}
		for _, f := range turnFields {
			if has(f) {
				p.fail(n, "columns."+f, "does not go with layout sessions", "the transcript cell holds the turns")
			}
		}
		return
	}
	if has("transcript") {
		p.fail(n, "columns.transcript", "does not go with layout turns", "set layout: sessions")
	}
	if !has("text") {
		p.fail(n, "columns.text", "is missing", "name the column that holds the message text")
	}
	if !has("role") && !has("sender") && m.Roles.Default == "" {
		p.fail(n, "columns.role", "is missing", "name the column that says who speaks, as role or as sender (nickname)")
	}
	if has("date") && !has("at") {
		p.fail(n, "columns.at", "is missing", "date holds the day, at the time of day")
	}
	switch {
	case has("session_id") && m.Gap != 0:
		p.fail(n, "session.gap", "does not go with columns.session_id", "keep one of the two")
	case !has("session_id") && m.Gap == 0:
		p.fail(n, "columns.session_id", "is missing", "name the column, or group by time with session: {by: [customer column], gap: 30m}")
	case m.Gap != 0 && !has("at"):
		p.fail(n, "columns.at", "is missing", "session.gap needs the time of every message")
	}
}
