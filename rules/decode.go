package rules

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// decoder reads the YAML nodes of one pack. Every problem is noted with its place and reading goes on, so that a
// supervisor sees all of them at once.
type decoder struct {
	file  string
	probs Problems
	// warnings are lawful.
	warnings Problems
	lists    map[string]*list
	fold     func(string) string
	// words numbers the distinct patterns of all packs for the automaton.
	words *wordTable
	doc   *document
	// encoder makes the vectors of the sentences of similar; nil where there is none.
	encoder Encoder
	// inClause says that the condition being read is evaluated clause by clause, speaker whose turns it looks at.
	inClause bool
	speaker  roleMask
	// note hears of every set of keys and of values that is read, for the test that holds the JSON Schema to the decoder.
	note func(what string, known []string)
}

// place is where a value stands in the text of its pack: line and column from 1, bytes [start, end).
type place struct {
	line, column, start, end int
}

func (d *decoder) place(n *yaml.Node) place {
	start, end := d.doc.span(n, 0)
	start = min(start, len(d.doc.text))
	end = min(max(end, start), len(d.doc.text))
	return place{line: n.Line, column: n.Column, start: start, end: end}
}

// list is a word list shared by name.
type list struct {
	node  *yaml.Node
	words []string
	state int // 0 unread, 1 being read, 2 read
	used  bool
}

// wordTable numbers distinct normalised words.
type wordTable struct {
	ids   map[string]int32
	words []string
	sets  []*wordSet
	// needAsking says that an operator asks whether clauses are questions, so that their words join the automaton.
	needAsking bool
	// sounds are the pinyin operators; similar numbers the similar operators, and likes holds their sentences, nil
	// without an encoder or without such an operator.
	sounds  []*pinyinOp
	similar int
	likes   *exemplars
}

func (t *wordTable) id(w string) int32 {
	if id, ok := t.ids[w]; ok {
		return id
	}
	id := int32(len(t.words))
	t.ids[w] = id
	t.words = append(t.words, w)
	return id
}

func (d *decoder) errorf(n *yaml.Node, hint, format string, args ...any) {
	d.probs = append(d.probs, d.problem(n, SeverityError, hint, fmt.Sprintf(format, args...)))
}

// warnf notes what is lawful but probably not meant.
func (d *decoder) warnf(n *yaml.Node, hint, format string, args ...any) {
	d.warnings = append(d.warnings, d.problem(n, SeverityWarning, hint, fmt.Sprintf(format, args...)))
}

func (d *decoder) problem(n *yaml.Node, severity, hint, message string) Problem {
	p := Problem{File: d.file, Message: message, Hint: hint, Severity: severity}
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
		if n.Kind == yaml.ScalarNode {
			p.Text = clip(n.Value, 60)
		}
	}
	return p
}

// problemAt is errorf for a place whose node is gone.
func (d *decoder) problemAt(at place, hint, format string, args ...any) {
	d.probs = append(d.probs, Problem{File: d.file, Line: at.line, Column: at.column, Message: fmt.Sprintf(format, args...), Hint: hint, Severity: SeverityError})
}

// fields is a mapping read strictly: the value and the key node of every known key.
type fields struct {
	node *yaml.Node
	vals map[string]*yaml.Node
	keys map[string]*yaml.Node
}

func (f fields) get(key string) *yaml.Node { return f.vals[key] }

// key gives the node to point at for a problem with key, the mapping where it is absent.
func (f fields) key(key string) *yaml.Node {
	if k := f.keys[key]; k != nil {
		return k
	}
	return f.node
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	if n.Tag == "!!null" {
		return "nothing"
	}
	return "a single value"
}

// mapping reads a mapping whose keys must be among known.
func (d *decoder) mapping(n *yaml.Node, what string, known ...string) (fields, bool) {
	if d.note != nil {
		d.note("keys of "+what, known)
	}
	f, ok := d.openMapping(n, what)
	if !ok {
		return f, false
	}
	for key, kn := range f.keys {
		found := false
		for _, k := range known {
			if k == key {
				found = true
				break
			}
		}
		if !found {
			d.errorf(kn, didYouMean(key, known), "%s has no key of this name", what)
		}
	}
	return f, true
}

// openMapping reads a mapping with any keys, once each.
func (d *decoder) openMapping(n *yaml.Node, what string) (fields, bool) {
	f := fields{node: n, vals: map[string]*yaml.Node{}, keys: map[string]*yaml.Node{}}
	if n == nil {
		return f, false
	}
	if n.Kind != yaml.MappingNode {
		d.errorf(n, "", "%s must be a mapping (key: value), not %s", what, kindName(n))
		return f, false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode {
			d.errorf(k, "", "a key of %s must be a single word", what)
			continue
		}
		if prev := f.keys[k.Value]; prev != nil {
			d.errorf(k, fmt.Sprintf("first at line %d", prev.Line), "%s has this key twice", what)
			continue
		}
		f.keys[k.Value] = k
		f.vals[k.Value] = n.Content[i+1]
	}
	return f, true
}

// items gives the entries of a list; a single value counts as a list of one.
func (d *decoder) items(n *yaml.Node, what string) []*yaml.Node {
	switch n.Kind {
	case yaml.SequenceNode:
		if len(n.Content) == 0 {
			d.errorf(n, "", "%s is empty", what)
		}
		return n.Content
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			d.errorf(n, "", "%s is empty", what)
			return nil
		}
		return []*yaml.Node{n}
	}
	d.errorf(n, "", "%s must be a list, not %s", what, kindName(n))
	return nil
}

func (d *decoder) str(n *yaml.Node, what string) string {
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		d.errorf(n, "", "%s must be a text, not %s", what, kindName(n))
		return ""
	}
	return n.Value
}

func (d *decoder) strs(n *yaml.Node, what string) []string {
	if n == nil {
		return nil
	}
	var out []string
	for _, it := range d.items(n, what) {
		if s := d.str(it, what); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// oneOf reads a text that must be among known.
func (d *decoder) oneOf(n *yaml.Node, what string, known ...string) string {
	if d.note != nil {
		d.note("values of "+what, known)
	}
	s := d.str(n, what)
	if n == nil || s == "" {
		return s
	}
	for _, k := range known {
		if k == s {
			return s
		}
	}
	d.errorf(n, didYouMean(s, known), "%s has no such value", what)
	return ""
}

func (d *decoder) float(n *yaml.Node, what string, lo, hi float64) float64 {
	if n == nil {
		return 0
	}
	v, err := strconv.ParseFloat(n.Value, 64)
	if n.Kind != yaml.ScalarNode || err != nil || v != v {
		d.errorf(n, "", "%s must be a number", what)
		return 0
	}
	if v < lo || v > hi {
		d.errorf(n, "", "%s must lie between %g and %g", what, lo, hi)
		return 0
	}
	return v
}

func (d *decoder) int(n *yaml.Node, what string, lo, hi int) int {
	if n == nil {
		return 0
	}
	v, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		d.errorf(n, "", "%s must be a whole number", what)
		return lo
	}
	if v < lo || v > hi {
		d.errorf(n, "", "%s must lie between %d and %d", what, lo, hi)
		return lo
	}
	return v
}

// boolean reads true / false, and on / off and yes / no as people write them.
func (d *decoder) boolean(n *yaml.Node, what string, fallback bool) bool {
	if n == nil {
		return fallback
	}
	if n.Kind == yaml.ScalarNode {
		switch strings.ToLower(n.Value) {
		case "true", "on", "yes":
			return true
		case "false", "off", "no":
			return false
		}
	}
	d.errorf(n, "", "%s must be true or false", what)
	return fallback
}

// duration reads 30s, 2m, 1h30m or 1500ms and gives milliseconds.
func (d *decoder) duration(n *yaml.Node, what string) int64 {
	if n == nil {
		return 0
	}
	v, err := time.ParseDuration(strings.TrimSpace(n.Value))
	if n.Kind != yaml.ScalarNode || err != nil || v < 0 {
		d.errorf(n, "such as 30s, 2m or 1500ms", "%s must be a time span", what)
		return 0
	}
	return v.Milliseconds()
}

// maxWordChars bounds a word: what is longer is a sentence that nobody writes twice alike.
const maxWordChars = 64

// wordList reads words: a list, a single word, and references <name> to shared lists. Words come back normalised,
// without repeats.
func (d *decoder) wordList(n *yaml.Node, what string) []string {
	if n == nil {
		return nil
	}
	var out []string
	seen := map[string]bool{}
	for _, it := range d.items(n, what) {
		s := d.str(it, what)
		if s == "" {
			if it.Kind == yaml.ScalarNode && it.Tag != "!!null" {
				d.errorf(it, "", "%s has an empty word", what)
			}
			continue
		}
		words := []string{s}
		if name, ok := listRef(s); ok {
			words = d.listWords(it, name)
		} else if w, ok := d.word(it, s); ok {
			words[0] = w
		} else {
			continue
		}
		for _, w := range words {
			if !seen[w] {
				seen[w] = true
				out = append(out, w)
			}
		}
	}
	return out
}

func listRef(s string) (string, bool) {
	if len(s) > 2 && s[0] == '<' && s[len(s)-1] == '>' {
		return s[1 : len(s)-1], true
	}
	return "", false
}

// word normalises one word.
func (d *decoder) word(n *yaml.Node, s string) (string, bool) {
	w := d.fold(strings.TrimSpace(s))
	switch {
	case w == "":
		d.errorf(n, "", "nothing is left of this word after normalisation")
	case utf8.RuneCountInString(w) > maxWordChars:
		d.errorf(n, "use a shorter part of it, or near", "a word has more than %d characters", maxWordChars)
	case strings.ContainsRune(w, utf8.RuneError) || strings.ContainsRune(w, 0):
		d.errorf(n, "", "the word has a character that is not valid text")
	default:
		return w, true
	}
	return "", false
}

// listWords resolves a shared list; lists may name each other.
func (d *decoder) listWords(at *yaml.Node, name string) []string {
	l := d.lists[name]
	if l == nil {
		var known []string
		for k := range d.lists {
			known = append(known, k)
		}
		hint := didYouMean(name, known)
		if len(known) == 0 {
			hint = "the pack has no lists"
		}
		d.errorf(at, hint, "no list of this name")
		return nil
	}
	l.used = true
	switch l.state {
	case 1:
		d.errorf(at, "", "the list contains itself")
		return nil
	case 0:
		l.state = 1
		l.words = d.wordList(l.node, "list "+name)
		l.state = 2
	}
	return l.words
}

var yamlLine = regexp.MustCompile(`line (\d+)`)

// parseYAML gives the root node of the single document of a pack; aliases and merge keys are refused, so that every
// value stands where it is read.
func (d *decoder) parseYAML(b []byte) (root *yaml.Node) {
	if !utf8.Valid(b) {
		d.errorf(nil, "save the file as UTF-8", "the file is not valid UTF-8")
		return nil
	}
	d.doc = newDocument(strings.TrimPrefix(string(b), "\ufeff"))
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var doc yaml.Node
	if err := decodeNode(dec, &doc); err != nil {
		p := Problem{File: d.file, Severity: SeverityError, Message: "cannot read the YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")}
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			p.Line, _ = strconv.Atoi(m[1])
			p.Column = 1
			lines := strings.Split(string(b), "\n")
			if p.Line >= 1 && p.Line <= len(lines) {
				p.Text = clip(strings.TrimSpace(lines[p.Line-1]), 60)
			}
		}
		if strings.Contains(err.Error(), "EOF") {
			p.Message, p.Line, p.Column = "the file is empty", 0, 0
		}
		d.probs = append(d.probs, p)
		return nil
	}
	var next yaml.Node
	if err := decodeNode(dec, &next); err == nil {
		d.errorf(&next, "put each pack into a file of its own", "the file holds a second document")
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		d.errorf(nil, "", "the file is empty")
		return nil
	}
	root = doc.Content[0]
	if !d.plain(root, 0) {
		return nil
	}
	return root
}

// decodeNode turns a panic of the YAML reader on hostile input into an error.
func decodeNode(dec *yaml.Decoder, n *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the text is malformed: %v", r)
		}
	}()
	return dec.Decode(n)
}

// maxDepth bounds nesting, so that no pack can exhaust the stack.
const maxDepth = 64

func (d *decoder) plain(n *yaml.Node, depth int) bool {
	if depth > maxDepth {
		d.errorf(n, "", "the pack is nested deeper than %d levels", maxDepth)
		return false
	}
	ok := true
	if n.Kind == yaml.AliasNode {
		d.errorf(n, "share words through lists:", "aliases are not read in packs")
		return false
	}
	if n.Anchor != "" {
		d.errorf(n, "share words through lists:", "anchors are not read in packs")
		ok = false
	}
	for _, c := range n.Content {
		ok = d.plain(c, depth+1) && ok
	}
	return ok
}
