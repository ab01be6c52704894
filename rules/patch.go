package rules

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Place is where a value stands in the text of a pack.
type Place struct {
	// Path leads to the value: keys and places in lists, separated by slashes, as Patch takes them.
	Path string `json:"path"`
	// Line and Column are from 1, columns in characters; Start and End are bytes.
	Line   int `json:"line"`
	Column int `json:"column"`
	Start  int `json:"start"`
	End    int `json:"end"`
}

// Places gives the place of every value in the text of a pack, in the order of the text, so that a form or an editor can
// point at it. The text has to be readable YAML; it need not be a valid pack.
func Places(text []byte) ([]Place, error) {
	skipped := len(text) - len(bytes.TrimPrefix(text, byteOrderMark))
	text = text[skipped:]
	doc, root, err := readDocument(text)
	if err != nil {
		return nil, err
	}
	var out []Place
	var walk func(n *yaml.Node, path string, indent int)
	walk = func(n *yaml.Node, path string, indent int) {
		start, end := doc.span(n, indent)
		out = append(out, Place{Path: path, Line: n.Line, Column: n.Column, Start: start + skipped, End: end + skipped})
		if n.Style&yaml.FlowStyle == 0 {
			indent = n.Column - 1
		}
		step := func(s string) string {
			s = pathEscaper.Replace(s)
			if path == "" {
				return s
			}
			return path + "/" + s
		}
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				walk(n.Content[i+1], step(n.Content[i].Value), indent)
			}
		case yaml.SequenceNode:
			for i, c := range n.Content {
				walk(c, step(entryName(n, i)), indent)
			}
		}
	}
	walk(root, "", 0)
	return out, nil
}

// byteOrderMark at the head of a file is no part of its first line.
var byteOrderMark = []byte("\ufeff")

var (
	pathEscaper   = strings.NewReplacer("~", "~0", "/", "~1")
	pathUnescaper = strings.NewReplacer("~1", "/", "~0", "~")
)

// entryName names an entry of a list: its id where no earlier entry has it and it cannot be taken for a number, else its
// number from 0.
func entryName(list *yaml.Node, i int) string {
	id := entryID(list.Content[i])
	if id == "" || id == "-" || isCount(id) || findEntry(list, id) != i {
		return strconv.Itoa(i)
	}
	return id
}

func entryID(n *yaml.Node) string {
	if v := valueOf(n, "id"); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}

func valueOf(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// findEntry gives the entry of a list that a step of a path names, -1 for none.
func findEntry(list *yaml.Node, name string) int {
	if isCount(name) {
		if i, err := strconv.Atoi(name); err == nil && i < len(list.Content) {
			return i
		}
		return -1
	}
	return slices.IndexFunc(list.Content, func(n *yaml.Node) bool { return entryID(n) == name })
}

func readDocument(text []byte) (*document, *yaml.Node, error) {
	d := &decoder{file: "text"}
	root := d.parseYAML(text)
	if root == nil || len(d.probs) > 0 {
		return nil, nil, d.probs
	}
	return newDocument(string(text)), root, nil
}

// change is one edit of a document: what stands at the bytes [from, to) becomes text.
type change struct {
	from, to int
	text     string
}

// patcher holds one call of Patch: the place that the path leads to and the tree that the result has to have.
type patcher struct {
	doc     *document
	newline string
	// The collection around the place, the entry in it (the key's place in Content for a mapping; -1 for a new one) and
	// the key of a new entry.
	holder *yaml.Node
	entry  int
	key    string
	// flow says that the place lies inside brackets; indent is the indentation of the holder.
	flow   bool
	indent int
	value  *yaml.Node // nil to remove
	lines  []string   // the value as written
}

// Patch changes one value in the text of a pack and keeps everything else byte for byte: comments, order, quotes. path is
// keys, ids or numbers (from 0) of list entries, separated by slashes, such as rules/greeting/points or lists/问候/3; a key
// that is not there yet is added, "-" appends to a list (rules/greeting/tests/-); a slash inside a key is written ~1, a
// tilde ~0. value is YAML; an empty value removes the key or entry.
//
// The result is read again before it is returned: it holds exactly the change asked for, or Patch gives an error and the
// text stays as it was. Whether it is a valid pack is for Load to say.
func Patch(text []byte, path, value string) ([]byte, error) {
	if len(text) > maxPackBytes || len(value) > maxPackBytes {
		return nil, fmt.Errorf("cannot change %s: the text has more than %d bytes", path, maxPackBytes)
	}
	if bytes.HasPrefix(text, byteOrderMark) {
		out, err := Patch(text[len(byteOrderMark):], path, value)
		if err != nil {
			return nil, err
		}
		return append(slices.Clone(byteOrderMark), out...), nil
	}
	doc, root, err := readDocument(text)
	if err != nil {
		return nil, err
	}
	p := &patcher{doc: doc, newline: "\n"}
	if i := strings.IndexByte(doc.text, '\n'); i > 0 && doc.text[i-1] == '\r' {
		p.newline = "\r\n"
	}
	if strings.TrimSpace(value) != "" {
		if err := p.readValue(value); err != nil {
			return nil, fmt.Errorf("cannot change %s: %w", path, err)
		}
	}
	if err := p.find(root, path); err != nil {
		return nil, fmt.Errorf("cannot change %s: %w", path, err)
	}
	want := p.wanted(root)
	for _, c := range p.candidates() {
		if c.from < 0 || c.to < c.from || c.to > len(doc.text) {
			continue
		}
		out := make([]byte, 0, len(text)+len(c.text))
		out = append(append(append(out, doc.text[:c.from]...), c.text...), doc.text[c.to:]...)
		d := &decoder{file: "text"}
		if got := d.parseYAML(out); got != nil && len(d.probs) == 0 && sameTree(got, want) {
			return out, nil
		}
	}
	return nil, fmt.Errorf("cannot change %s: the text around it cannot be kept as it is; write the value in another form, or change it by hand", path)
}

func (p *patcher) readValue(value string) error {
	d := &decoder{file: "value"}
	root := d.parseYAML([]byte(value + "\n"))
	if root == nil || len(d.probs) > 0 {
		return d.probs
	}
	p.value = root
	value = strings.ReplaceAll(value, "\r\n", "\n")
	p.lines = strings.Split(strings.Trim(value, "\n"), "\n")
	// A value that stands indented as a whole moves to the margin.
	least := -1
	for _, l := range p.lines {
		if strings.TrimSpace(l) != "" {
			n := len(l) - len(strings.TrimLeft(l, " "))
			if least < 0 || n < least {
				least = n
			}
		}
	}
	for i, l := range p.lines {
		p.lines[i] = l[min(max(least, 0), len(l)-len(strings.TrimLeft(l, " "))):]
	}
	return nil
}

// find walks to the place that path names.
func (p *patcher) find(root *yaml.Node, path string) error {
	if path == "" {
		return errors.New("the path is empty; name a key such as rules/greeting/points")
	}
	steps := strings.Split(path, "/")
	at := root
	for i, s := range steps {
		s = pathUnescaper.Replace(s)
		p.holder, p.key, p.entry = at, s, -1
		p.flow = p.flow || at.Style&yaml.FlowStyle != 0
		if at.Style&yaml.FlowStyle == 0 {
			p.indent = at.Column - 1
		}
		switch at.Kind {
		case yaml.MappingNode:
			for k := 0; k+1 < len(at.Content); k += 2 {
				if at.Content[k].Value == s {
					p.entry = k
					break
				}
			}
		case yaml.SequenceNode:
			if s != "-" {
				if p.entry = findEntry(at, s); p.entry < 0 {
					return fmt.Errorf("the list %s has no entry %s", strings.Join(steps[:i], "/"), s)
				}
			}
		default:
			return fmt.Errorf("%s is a single value and has no %s", strings.Join(steps[:i], "/"), s)
		}
		if p.entry < 0 {
			switch {
			case i < len(steps)-1:
				return fmt.Errorf("there is no %s", strings.Join(steps[:i+1], "/"))
			case p.value == nil:
				return errors.New("there is nothing to remove")
			case s == "":
				return errors.New("a key is empty")
			}
			return nil
		}
		at = p.old()
	}
	return nil
}

// old is the value that stands at the place now.
func (p *patcher) old() *yaml.Node {
	if p.holder.Kind == yaml.MappingNode {
		return p.holder.Content[p.entry+1]
	}
	return p.holder.Content[p.entry]
}

// wanted is the tree with the change made.
func (p *patcher) wanted(n *yaml.Node) *yaml.Node {
	c := *n
	c.Content = make([]*yaml.Node, 0, len(n.Content)+2)
	if n != p.holder {
		for _, k := range n.Content {
			c.Content = append(c.Content, p.wanted(k))
		}
		return &c
	}
	c.Content = append(c.Content, n.Content...)
	mapping := n.Kind == yaml.MappingNode
	switch {
	case p.entry < 0 && mapping:
		c.Content = append(c.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: p.key}, p.value)
	case p.entry < 0:
		c.Content = append(c.Content, p.value)
	case p.value == nil && mapping:
		c.Content = slices.Delete(c.Content, p.entry, p.entry+2)
	case p.value == nil:
		c.Content = slices.Delete(c.Content, p.entry, p.entry+1)
	case mapping:
		c.Content[p.entry+1] = p.value
	default:
		c.Content[p.entry] = p.value
	}
	return &c
}

func sameTree(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.ShortTag() != b.ShortTag() || a.Value != b.Value || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !sameTree(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

// inline is the value on one line, as written where that is possible, "" where it has none.
func (p *patcher) inline() []string {
	var out []string
	if len(p.lines) == 1 && (p.value.Kind == yaml.ScalarNode && p.value.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 || p.value.Style&yaml.FlowStyle != 0) {
		out = append(out, strings.TrimSpace(p.lines[0]))
	}
	if s, err := flowText(p.value); err == nil {
		out = append(out, s)
	}
	return out
}

// flowText writes a node on one line.
func flowText(n *yaml.Node) (string, error) {
	var plain func(n *yaml.Node) *yaml.Node
	plain = func(n *yaml.Node) *yaml.Node {
		c := yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value}
		switch {
		case n.Kind != yaml.ScalarNode:
			c.Style = yaml.FlowStyle
		case strings.ContainsAny(n.Value, "\n\r\u0085\u2028\u2029"):
			c.Style = yaml.DoubleQuotedStyle
		case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
			c.Style = n.Style & (yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle)
		}
		for _, k := range n.Content {
			c.Content = append(c.Content, plain(k))
		}
		return &c
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	if err := encodeNode(enc, plain(n)); err != nil {
		return "", err
	}
	s := strings.TrimRight(b.String(), "\n")
	if strings.ContainsAny(s, "\n\r") {
		return "", errors.New("the value does not fit on one line")
	}
	return s, nil
}

func encodeNode(enc *yaml.Encoder, n *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("cannot write the value: %v", r)
		}
	}()
	if err := enc.Encode(n); err != nil {
		return err
	}
	return enc.Close()
}

// block is the value as written, its lines after the first indented.
func (p *patcher) block(indent int) string {
	pad := strings.Repeat(" ", max(indent, 0))
	var b strings.Builder
	for i, l := range p.lines {
		if i > 0 {
			b.WriteString(p.newline)
			if l != "" {
				b.WriteString(pad)
			}
		}
		b.WriteString(l)
	}
	return b.String()
}

// headed says that the value begins on the line of its key: a text with | or >, or quotes over several lines.
func (p *patcher) headed() bool {
	return p.value.Kind == yaml.ScalarNode || p.value.Style&yaml.FlowStyle != 0
}

// candidates are ways to make the change, the most faithful first.
func (p *patcher) candidates() []change {
	switch {
	case p.value == nil:
		return p.removals()
	case p.entry < 0:
		return p.additions()
	}
	return p.replacements()
}

func (p *patcher) replacements() []change {
	old := p.old()
	start, end := p.doc.span(old, p.indent)
	var out []change
	space := func(s string) string { // an empty value stands right behind its colon or dash
		if start == end && start > 0 && strings.IndexByte(":-,", p.doc.text[start-1]) >= 0 {
			return " " + s
		}
		return s
	}
	if p.flow {
		for _, s := range p.inline() {
			out = append(out, change{start, end, space(s)})
		}
		return out
	}
	if p.holder.Kind == yaml.SequenceNode {
		if old.Column > p.indent+1 && old.Line > 0 && len(p.lines) > 1 || !p.headed() {
			indent := p.indent + 2
			if old.Kind != yaml.ScalarNode && old.Style&yaml.FlowStyle == 0 {
				indent = old.Column - 1
			}
			out = append(out, change{start, end, space(p.block(indent))})
		}
		for _, s := range p.inline() {
			out = append(out, change{start, end, space(s)})
		}
		return out
	}
	key := p.holder.Content[p.entry]
	_, keyEnd := p.doc.span(key, p.indent)
	colon := strings.IndexByte(p.doc.text[keyEnd:], ':')
	if colon < 0 {
		return nil
	}
	colon += keyEnd + 1
	sameLine := old.Line == key.Line
	if p.headed() {
		texts := p.inline()
		if len(p.lines) > 1 {
			texts = append([]string{p.block(p.indent + 2)}, texts...)
		}
		for _, s := range texts {
			if sameLine {
				out = append(out, change{start, end, space(s)})
				continue
			}
			between := strings.TrimRight(p.doc.text[colon:start], " \t\r\n")
			out = append(out, change{colon, end, " " + s + between})
		}
		return out
	}
	if !sameLine {
		out = append(out, change{start, end, p.block(old.Column - 1)})
		from := p.doc.lineStart(start)
		pad := strings.Repeat(" ", p.indent+2)
		out = append(out, change{from, end, pad + p.block(p.indent+2)})
	} else {
		stop := p.doc.lineEnd(end)
		from := start
		for from > colon && (p.doc.text[from-1] == ' ' || p.doc.text[from-1] == '\t') {
			from--
		}
		rest := strings.TrimRight(p.doc.text[end:stop], " \t")
		pad := strings.Repeat(" ", p.indent+2)
		out = append(out, change{from, stop, rest + p.newline + pad + p.block(p.indent+2)})
	}
	for _, s := range p.inline() {
		out = append(out, change{start, end, space(s)})
	}
	return out
}

func (p *patcher) additions() []change {
	var out []change
	key := ""
	if p.holder.Kind == yaml.MappingNode {
		k, err := flowText(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: p.key})
		if err != nil {
			return nil
		}
		key = k + ":"
	}
	join := func(s string) string {
		if key == "" {
			return s
		}
		return key + " " + s
	}
	start, end := p.doc.span(p.holder, p.indent)
	if p.flow {
		for _, s := range p.inline() {
			if len(p.holder.Content) == 0 {
				out = append(out, change{start + 1, end - 1, join(s)})
				continue
			}
			_, last := p.doc.span(p.holder.Content[len(p.holder.Content)-1], p.indent)
			out = append(out, change{last, last, ", " + join(s)})
		}
		return out
	}
	at := p.doc.lineEnd(end)
	lead := p.newline + strings.Repeat(" ", p.indent)
	if key == "" {
		out = append(out, change{at, at, lead + "- " + p.block(p.indent+2)})
		for _, s := range p.inline() {
			out = append(out, change{at, at, lead + "- " + s})
		}
		return out
	}
	if p.headed() {
		out = append(out, change{at, at, lead + key + " " + p.block(p.indent+2)})
	} else {
		out = append(out, change{at, at, lead + key + lead + "  " + p.block(p.indent+2)})
	}
	for _, s := range p.inline() {
		out = append(out, change{at, at, lead + key + " " + s})
	}
	return out
}

func (p *patcher) removals() []change {
	size := 1
	if p.holder.Kind == yaml.MappingNode {
		size = 2
	}
	first, last := p.holder.Content[p.entry], p.old()
	start, _ := p.doc.span(first, p.indent)
	_, end := p.doc.span(last, p.indent)
	hs, he := p.doc.span(p.holder, p.indent)
	if len(p.holder.Content) == size {
		empty := "[]"
		if size == 2 {
			empty = "{}"
		}
		out := []change{{hs, he, empty}}
		// A list that stands under its key at the key's own indentation cannot stay there as brackets.
		from := hs
		for from > 0 && strings.IndexByte(" \t\r\n", p.doc.text[from-1]) >= 0 {
			from--
		}
		return append(out, change{from, he, " " + empty})
	}
	if p.flow {
		if p.entry+size < len(p.holder.Content) {
			next, _ := p.doc.span(p.holder.Content[p.entry+size], p.indent)
			return []change{{start, next, ""}}
		}
		_, before := p.doc.span(p.holder.Content[p.entry-1], p.indent)
		return []change{{before, end, ""}}
	}
	if size == 1 {
		// From the dash.
		for line := first.Line; line >= 1; line-- {
			at := p.doc.offset(line, p.holder.Column)
			if at < len(p.doc.text) && at <= start && p.doc.text[at] == '-' && p.doc.offset(line, p.holder.Column+1) == at+1 {
				start = at
				break
			}
		}
	}
	stop := p.doc.lineEnd(end)
	from := p.doc.lineStart(start)
	if strings.TrimLeft(p.doc.text[from:start], " ") == "" {
		if stop < len(p.doc.text) {
			stop += lineBreak(p.doc.text, stop)
		} else if from > 0 { // the last line: its break goes, not the one behind it
			from--
			if from > 0 && p.doc.text[from-1] == '\r' && p.doc.text[from] == '\n' {
				from--
			}
		}
		return []change{{from, stop, ""}}
	}
	// The entry shares its line with a dash.
	out := []change{}
	if p.entry+size < len(p.holder.Content) {
		next := p.doc.offset(p.holder.Content[p.entry+size].Line, p.holder.Column)
		if strings.TrimSpace(p.doc.text[stop:next]) == "" {
			out = append(out, change{start, next, ""})
		}
	}
	return append(out, change{start, stop, ""})
}
