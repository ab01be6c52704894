package opinion

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Registry is a state of the known opinions, as a value. Its file form is JSON lines: a header
//
//	{"format":"tingke.opinions","version":1,"epoch":3,"model":"..."}
//
// and one Opinion a line, sorted by id. Reading is strict: unknown keys, bad ids, members that are not normalised,
// sorted and distinct, and ids that stand twice are errors that name file and line.
type Registry struct {
	// Epoch counts the states; an empty registry that was never written is 0.
	Epoch uint32
	// Model is the version of the model that wrote it. It is told, not required: ids stay under another model.
	Model    string
	Opinions []Opinion
}

const (
	registryFormat  = "tingke.opinions"
	registryVersion = 1
	// maxRegistryLine bounds a line: an opinion with all its members.
	maxRegistryLine = 256 << 20
)

type registryHeader struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Epoch   uint32 `json:"epoch"`
	Model   string `json:"model"`
}

// Write writes the file form.
func (r *Registry) Write(w io.Writer) error {
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(registryHeader{registryFormat, registryVersion, r.Epoch, r.Model}); err != nil {
		return err
	}
	list := slices.Clone(r.Opinions)
	slices.SortFunc(list, func(a, b Opinion) int { return strings.Compare(a.ID, b.ID) })
	for i := range list {
		if err := e.Encode(&list[i]); err != nil {
			return err
		}
	}
	return b.Flush()
}

// ReadRegistry reads the file form; name stands in errors.
func ReadRegistry(name string, in io.Reader) (*Registry, error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 1<<16), maxRegistryLine)
	r, n := &Registry{}, 0
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%s:%d: %s", name, n, fmt.Sprintf(format, args...))
	}
	seen := map[string]int{}
	for lines.Scan() {
		n++
		if n == 1 {
			var h registryHeader
			if err := strict(lines.Bytes(), &h); err != nil {
				return nil, fail("the first line of a registry of opinions is its header: %v", err)
			}
			if h.Format != registryFormat || h.Version != registryVersion {
				return nil, fail("format %q version %d, want %q version %d: is this a registry written by `opinions cluster --registry`?",
					h.Format, h.Version, registryFormat, registryVersion)
			}
			r.Epoch, r.Model = h.Epoch, h.Model
			continue
		}
		var o Opinion
		if err := strict(lines.Bytes(), &o); err != nil {
			return nil, fail("%v", err)
		}
		if err := o.check(); err != nil {
			return nil, fail("%v", err)
		}
		if before, ok := seen[o.ID]; ok {
			return nil, fail("id %s stands in line %d already", o.ID, before)
		}
		seen[o.ID] = n
		r.Opinions = append(r.Opinions, o)
	}
	if err := lines.Err(); err != nil {
		n++
		return nil, fail("%v", err)
	}
	if n == 0 {
		return nil, fmt.Errorf("%s: empty file: a registry of opinions begins with a header line", name)
	}
	return r, nil
}

func strict(line []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("empty line")
		}
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value in the line")
	}
	return nil
}

func (o *Opinion) check() error {
	switch {
	case !validID(o.ID):
		return fmt.Errorf("id %q is not 16 hex digits in lower case", o.ID)
	case o.Side != "positive" && o.Side != "negative":
		return fmt.Errorf("opinion %s: side %q, want positive or negative", o.ID, o.Side)
	case len(o.Members) == 0:
		return fmt.Errorf("opinion %s: members is empty", o.ID)
	}
	for i, m := range o.Members {
		if m != Normalise(m) {
			return fmt.Errorf("opinion %s: member %d %q is not normalised, want %q", o.ID, i+1, m, Normalise(m))
		}
		if i > 0 && o.Members[i-1] >= m {
			return fmt.Errorf("opinion %s: members are not sorted and distinct at %d %q", o.ID, i+1, m)
		}
	}
	return nil
}

func validID(id string) bool {
	return len(id) == 16 && strings.IndexFunc(id, func(r rune) bool { return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'f') }) < 0
}

// Assigned is the opinion of one mention.
type Assigned struct {
	ID    string
	Title string
	Score float64
}

// Grow assigns mentions to the opinions of a registry and founds new ones for the rest. It gives the next registry, and
// for each mention its opinion, none for one without a point. r is not changed; no opinion of r loses its id, title or members. Where nothing is
// added the registry given back equals r.
func (m *Model) Grow(r *Registry, mentions []Mention, o Options) (*Registry, []Assigned) {
	s := NewSnapshot(m, r.Epoch, r.Opinions, o)
	out := make([]Assigned, len(mentions))
	c := &crowded{texts: m.crowdsOf(s.list, mentions, o.workers()), opinions: make([]float32, len(s.list))}
	for i := range s.list {
		c.opinions[i] = c.texts.of(s.list[i].gate(), s.list[i].Members)
	}
	each(len(mentions), o.workers(), func(i int) {
		out[i].ID, out[i].Score = s.assign(mentions[i], growReach, c)
	})
	next := &Registry{Epoch: r.Epoch, Model: m.Version(), Opinions: slices.Clone(s.Opinions())}
	at := make(map[string]int, len(next.Opinions))
	taken := make(map[string]bool, len(next.Opinions))
	for i := range next.Opinions {
		at[next.Opinions[i].ID] = i
		taken[next.Opinions[i].ID] = true
	}
	joined := map[int][]string{}
	var waiting []Mention
	var index []int
	for i := range mentions {
		if out[i].ID == "" {
			waiting, index = append(waiting, mentions[i]), append(index, i)
			continue
		}
		k := at[out[i].ID]
		out[i].Title = next.Opinions[k].Title
		joined[k] = append(joined[k], Normalise(mentions[i].Text))
	}
	changed := false
	for k, texts := range joined { // each entry is changed by itself: the order does not matter
		op := &next.Opinions[k]
		members := slices.Concat(op.Members, texts)
		slices.Sort(members)
		members = slices.Compact(members)
		if len(members) > len(op.Members) {
			op.Members, changed = members, true
		}
	}
	groups := m.found(waiting, o, c.texts)
	for i := range groups {
		g := &groups[i]
		g.ID = FreeID(&g.Opinion, taken)
		taken[g.ID] = true
		next.Opinions = append(next.Opinions, g.Opinion)
		changed = true
		for k, j := range g.Mentions {
			out[index[j]] = Assigned{g.ID, g.Title, float64(min(g.Scores[k], 1))}
		}
	}
	slices.SortFunc(next.Opinions, func(a, b Opinion) int { return strings.Compare(a.ID, b.ID) })
	if changed {
		next.Epoch++
	}
	return next, out
}

// FreeID gives the id of a new opinion: by its smallest member, or the next one whose id no other opinion has, which
// happens after a split that left the smallest member behind.
func FreeID(o *Opinion, taken map[string]bool) string {
	id := ""
	for _, member := range o.Members {
		if id = ID(o.Aspect, o.Product, o.Side, member); !taken[id] {
			return id
		}
	}
	for n := 2; taken[id]; n++ {
		id = ID(o.Aspect, o.Product, o.Side, fmt.Sprintf("%s#%d", o.Members[0], n))
	}
	return id
}
