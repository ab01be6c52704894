package cue

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Source is one lexicon file.
type Source struct {
	Name string // for messages
	Text string
}

// Tag is a name given to entries; its number is an index of Reading.Evidence.
type Tag uint16

// MaxTags bounds the number of tags of a lexicon, the tags made for literals included.
const MaxTags = 512

const defaultGap = 6

type parser struct {
	normalise func(string) string
	lex       *Lexicon
	entries   map[string]int32 // normalised text -> index of lex.entries
	errs      []string
}

// Compile builds a lexicon from its files. normalise is applied to every entry, so that entries are written as people
// write and match normalised text. All mistakes of all files are reported at once, each with file and line.
func Compile(normalise func(string) string, sources ...Source) (*Lexicon, error) {
	p := &parser{normalise: normalise, lex: &Lexicon{tagOf: map[string]Tag{}}, entries: map[string]int32{}}
	for _, s := range sources {
		p.file(s)
	}
	// A tag that only constructions use and nothing gives can never be found: a spelling mistake.
	for i, name := range p.lex.tagNames {
		if p.lex.given[i] == 0 {
			p.errs = append(p.errs, fmt.Sprintf("tag %q: no entry and no construction gives it", name))
		}
	}
	if len(p.errs) > 0 {
		return nil, fmt.Errorf("cannot compile lexicon: %s", strings.Join(p.errs, "; "))
	}
	p.lex.build(p.entries)
	return p.lex, nil
}

func (p *parser) errorf(src string, line int, format string, args ...any) {
	p.errs = append(p.errs, fmt.Sprintf("%s:%d: %s", src, line, fmt.Sprintf(format, args...)))
}

func (p *parser) tag(name string, gives bool) Tag {
	t, ok := p.lex.tagOf[name]
	if !ok {
		t = Tag(len(p.lex.tagNames))
		p.lex.tagOf[name] = t
		p.lex.tagNames = append(p.lex.tagNames, name)
		p.lex.given = append(p.lex.given, 0)
	}
	if gives {
		p.lex.given[t] = 1
	}
	return t
}

func (p *parser) file(s Source) {
	var tags []weighted
	in, open := plain, false
	for n, line := range strings.Split(s.Text, "\n") {
		n++
		if i := strings.IndexByte(line, '#'); i >= 0 {
			line = line[:i]
		}
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case isSection(line):
			var err error
			switch in = plain; line[1] {
			case '+':
				in, line = additive, "["+line[2:]
			case '~':
				in, line = overlay, "["+line[2:]
			}
			if tags, err = p.section(line); err != nil {
				p.errorf(s.Name, n, "%v", err)
			}
			open = true
		case strings.HasPrefix(line, "=>") || strings.HasPrefix(line, "@"):
			if err := p.construction(line, s.Name, n); err != nil {
				p.errorf(s.Name, n, "%v", err)
			}
		case !open:
			p.errorf(s.Name, n, "entries before the first [tag]")
		default:
			for _, f := range strings.Fields(line) {
				if err := p.entry(f, tags, in); err != nil {
					p.errorf(s.Name, n, "%v", err)
				}
			}
		}
		if len(p.lex.tagNames) > MaxTags {
			p.errorf(s.Name, n, "more than %d tags", MaxTags)
			return
		}
	}
}

// isSection tells a section from a line of entries that begins with an emoji tag such as [怒].
func isSection(line string) bool {
	return len(line) > 1 && line[0] == '[' && (line[1] >= 'a' && line[1] <= 'z' || line[1] == '+' || line[1] == '~') && strings.Count(line, "[") == 1
}

func (p *parser) section(line string) ([]weighted, error) {
	body, ok := strings.CutSuffix(line[1:], "]")
	if !ok {
		return nil, fmt.Errorf("%q: a section is [tag], [tag weight] or [tag; tag weight]", line)
	}
	var tags []weighted
	for _, part := range strings.Split(body, ";") {
		f := strings.Fields(part)
		w := 1.0
		if len(f) == 2 {
			var err error
			if w, err = strconv.ParseFloat(f[1], 32); err != nil {
				return nil, fmt.Errorf("%q is no weight", f[1])
			}
		} else if len(f) != 1 {
			return nil, fmt.Errorf("%q: a section is [tag], [tag weight] or [tag; tag weight]", line)
		}
		tags = append(tags, weighted{p.tag(f[0], true), float32(w)})
	}
	return tags, nil
}

func (p *parser) entry(f string, tags []weighted, in layer) error {
	text, override := f, float32(0)
	if i := strings.LastIndexByte(f, '*'); i > 0 {
		w, err := strconv.ParseFloat(f[i+1:], 32)
		if err != nil {
			return fmt.Errorf("%q: %q is no weight", f, f[i+1:])
		}
		text, override = f[:i], float32(w)
	}
	e, err := p.add(strings.ReplaceAll(text, "_", " "))
	if err != nil {
		return err
	}
	// An entry in several sections is an overlay only where all of them are, and additive where one is.
	switch known := &p.lex.entries[e]; {
	case len(known.tags) == 0:
		known.layer = in
	case in == additive || known.layer == additive:
		known.layer = additive
	case in == plain:
		known.layer = plain
	}
	for _, t := range tags {
		if override != 0 {
			t.weight = override
		}
		p.lex.entries[e].give(t)
	}
	return nil
}

// add finds or makes the entry of a text.
func (p *parser) add(text string) (int32, error) {
	norm := p.normalise(text)
	if norm == "" || !utf8.ValidString(norm) {
		return 0, fmt.Errorf("entry %q is empty after normalisation", text)
	}
	if len(norm) > maxEntryBytes {
		return 0, fmt.Errorf("entry %q is longer than %d bytes", text, maxEntryBytes)
	}
	e, ok := p.entries[norm]
	if !ok {
		e = int32(len(p.lex.entries))
		p.entries[norm] = e
		p.lex.entries = append(p.lex.entries, entry{})
	}
	return e, nil
}

func (p *parser) construction(line, file string, n int) error {
	c := construction{line: n, file: file}
	if rest, ok := strings.CutPrefix(line, "@"); ok {
		role, after, _ := strings.Cut(rest, " ")
		switch role {
		case "customer":
			c.role = OnlyCustomer
		case "agent":
			c.role = OnlyAgent
		default:
			return fmt.Errorf("@%s: only @customer and @agent are known", role)
		}
		line = strings.TrimSpace(after)
	}
	head, pattern, ok := strings.Cut(strings.TrimPrefix(line, "=>"), " : ")
	f := strings.Fields(head)
	if !ok || len(f) < 1 || len(f) > 2 {
		return fmt.Errorf("a construction is `=> tag weight : element element ...`")
	}
	c.out = weighted{p.tag(f[0], true), 1}
	if len(f) == 2 {
		w, err := strconv.ParseFloat(f[1], 32)
		if err != nil {
			return fmt.Errorf("%q is no weight", f[1])
		}
		c.out.weight = float32(w)
	}
	next := element{gap: defaultGap}
	for _, tok := range strings.Fields(pattern) {
		switch {
		case tok == "^":
			next.start = true
		case tok == "^^":
			next.turnStart = true
		case tok == ";":
			next.cross = true
		case tok == "$" || tok == "$$":
			if len(c.elements) == 0 {
				return fmt.Errorf("%s before the first element", tok)
			}
			if tok == "$" {
				c.elements[len(c.elements)-1].end = true
			} else {
				c.elements[len(c.elements)-1].turnEnd = true
			}
		case strings.HasPrefix(tok, ".."):
			g, err := strconv.Atoi(tok[2:])
			if err != nil || g < 0 {
				return fmt.Errorf("%q: a gap is ..N", tok)
			}
			next.gap = g
		case strings.HasPrefix(tok, "!"):
			set, err := p.alternatives(tok[1:])
			if err != nil {
				return err
			}
			c.absent.union(set)
		default:
			name, optional := tok, false
			if s, ok := strings.CutSuffix(tok, "?"); ok && s != "" {
				name, optional = s, true
			}
			set, err := p.alternatives(name)
			if err != nil {
				return err
			}
			next.tags, next.optional = set, optional
			c.elements = append(c.elements, next)
			next = element{gap: defaultGap}
		}
	}
	if next.gap != defaultGap || next.cross || next.start || next.turnStart {
		return fmt.Errorf("nothing follows the last element")
	}
	if len(c.elements) == 0 || c.elements[0].optional {
		return fmt.Errorf("a construction begins with an element that is not optional")
	}
	p.lex.constructions = append(p.lex.constructions, c)
	return nil
}

// alternatives reads a|b|"literal".
func (p *parser) alternatives(s string) (tagSet, error) {
	var set tagSet
	for _, a := range strings.Split(s, "|") {
		if a == "" {
			return set, fmt.Errorf("%q: empty alternative", s)
		}
		if lit, ok := strings.CutPrefix(a, `"`); ok {
			lit, ok = strings.CutSuffix(lit, `"`)
			if !ok {
				return set, fmt.Errorf("%q: a literal ends with a quotation mark", a)
			}
			e, err := p.add(strings.ReplaceAll(lit, "_", " "))
			if err != nil {
				return set, err
			}
			t := p.tag(a, true)
			p.lex.entries[e].give(weighted{t, 0})
			set.add(t)
			continue
		}
		set.add(p.tag(a, false))
	}
	return set, nil
}
