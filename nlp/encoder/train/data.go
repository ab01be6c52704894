package train

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/tingke/tingke/nlp/data"
	"github.com/tingke/tingke/nlp/pairs"
	"github.com/tingke/tingke/nlp/textnorm"
)

// Pair is two texts and whether they mean the same.
type Pair struct {
	A, B string
	Same bool
}

// Labelled is a text with the class its source gives it. Texts of one class are about the same, not always of the same
// meaning.
type Labelled struct {
	Text, Class string
}

// Cluster is a set of texts that mean the same.
type Cluster []string

// Data is what a model is learned from, and the part of it that is kept back to be measured. All texts are normalised.
type Data struct {
	Pairs []Pair
	// Classes are lists of texts with classes, one for each source.
	Classes [][]Labelled
	// Texts give characters and words to the vocabulary.
	Texts []string

	HeldPairs    []Pair
	HeldClusters []Cluster
	HeldClasses  []Labelled

	// Sources says what was read, one line each; Missing what was not found.
	Sources, Missing []string
	// Refused counts the texts too close to the minimal pairs of nlp/pairs, which never train.
	Refused int
}

// source is a set that may train: `train: yes` in its list of terms.
type source struct {
	name string
	// pairs, classes, clusters and texts are files below the data folder.
	pairs, classes, clusters, texts string
}

var sources = []source{
	{name: "atec (Ant Financial questions)", pairs: "data/atec/dev.jsonl.gz", clusters: "data/atec/clusters.dev.jsonl"},
	{name: "afqmc (CLUE DataCLUE)", pairs: "data/afqmc_dataclue/dev.jsonl"},
	{name: "bustm", pairs: "data/bustm/dev.jsonl"},
	{name: "cic_intent (CLUE DataCLUE CIC)", classes: "data/cic_intent/dev.jsonl"},
	{name: "banking77 (CC BY 4.0)", classes: "data/banking77_en/dev.jsonl"},
	{name: "waimai_10k", texts: "data/waimai_10k/dev.jsonl"},
	{name: "online_shopping_10_cats", texts: "data/online_shopping_10_cats/dev.jsonl.gz"},
	{name: "jd_chitchat_filter", texts: "data/jd_chitchat_filter/dev.jsonl"},
}

// Read reads the training sets below a folder and the project's own rows. Sets that are absent are named in Missing.
func Read(dir string) (*Data, error) {
	d := &Data{}
	if err := d.read(dir, sources); err != nil {
		return nil, err
	}
	own, err := data.Own()
	if err != nil {
		return nil, err
	}
	var weak []Labelled
	for _, r := range own {
		text := normal(r.Text)
		d.Texts = append(d.Texts, text)
		if len(r.Mentions) == 1 && r.Mentions[0].Valuable && !data.Held(text) && !pairs.TooClose(text) {
			weak = append(weak, Labelled{text, r.Mentions[0].Kind + " " + r.Mentions[0].Aspect})
		}
	}
	d.Sources = append(d.Sources, fmt.Sprintf("own rows of this project: %d texts", len(own)))
	if len(d.Pairs) == 0 && len(d.Classes) == 0 {
		// Without pairs, kind and aspect of what is said are all there is to learn from.
		d.Classes = [][]Labelled{weak}
	}
	return d, nil
}

// ReadHeldPairs gives the pairs below a folder that never train; none where the sets are absent.
func ReadHeldPairs(dir string) ([]Pair, error) {
	d := &Data{}
	err := d.read(dir, slices.DeleteFunc(slices.Clone(sources), func(s source) bool { return s.pairs == "" }))
	return d.HeldPairs, err
}

func (d *Data) read(dir string, sources []source) error {
	var all []Pair
	var clusters []Cluster
	refused := map[string]bool{}
	fits := func(text string) bool {
		if r, known := refused[text]; known {
			return !r
		}
		refused[text] = pairs.TooClose(text)
		if refused[text] {
			d.Refused++
		}
		return !refused[text]
	}
	for _, s := range sources {
		rows := 0
		err := func() error {
			if s.pairs != "" {
				p, err := ReadPairs(filepath.Join(dir, s.pairs))
				if err != nil {
					return err
				}
				p = slices.DeleteFunc(p, func(p Pair) bool { return !fits(p.A) || !fits(p.B) })
				all, rows = append(all, p...), len(p)
			}
			if s.clusters != "" {
				c, err := ReadClusters(filepath.Join(dir, s.clusters))
				if err != nil {
					return err
				}
				clusters = append(clusters, c...)
			}
			if s.classes != "" {
				c, err := ReadLabelled(filepath.Join(dir, s.classes))
				if err != nil {
					return err
				}
				d.HeldClasses = append(d.HeldClasses, slices.DeleteFunc(slices.Clone(c), func(l Labelled) bool { return !data.Held(l.Text) })...)
				c = slices.DeleteFunc(c, func(l Labelled) bool { return data.Held(l.Text) || !fits(l.Text) })
				d.Classes, rows = append(d.Classes, c), len(c)
			}
			if s.texts != "" {
				t, err := data.Read[struct{ Text string }](filepath.Join(dir, s.texts))
				if err != nil {
					return err
				}
				for _, t := range t {
					d.Texts = append(d.Texts, normal(t.Text))
				}
				rows = len(t)
			}
			return nil
		}()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			d.Missing = append(d.Missing, s.name)
		case err != nil:
			return err
		default:
			d.Sources = append(d.Sources, fmt.Sprintf("%s: %d rows", s.name, rows))
		}
	}
	d.split(all, clusters)
	return nil
}

// split keeps back a tenth of the pairs and half of the clusters. Texts that a chain of pairs joins, whatever their
// labels, stay on one side, so that nothing that is measured was seen.
func (d *Data) split(all []Pair, clusters []Cluster) {
	g := newGroups()
	for _, p := range all {
		g.join(p.A, p.B)
	}
	for _, c := range clusters {
		for _, s := range c[1:] {
			g.join(c[0], s)
		}
	}
	// A group is known by its smallest text.
	names := map[int]string{}
	for text := range g.ids {
		r := g.of(text)
		if n, ok := names[r]; !ok || text < n {
			names[r] = text
		}
	}
	held := map[int]bool{}
	for r, n := range names {
		held[r] = data.Held(n)
	}
	for _, c := range clusters {
		r := g.of(c[0])
		h := fnv.New32a()
		h.Write([]byte(names[r]))
		if h.Sum32()%2 == 0 {
			held[r] = true
		}
	}
	for _, p := range all {
		if held[g.of(p.A)] {
			d.HeldPairs = append(d.HeldPairs, p)
		} else {
			d.Pairs = append(d.Pairs, p)
		}
	}
	for _, c := range clusters {
		if held[g.of(c[0])] {
			d.HeldClusters = append(d.HeldClusters, c)
		}
	}
}

// groups joins texts (union-find).
type groups struct {
	ids    map[string]int
	parent []int
}

func newGroups() *groups { return &groups{ids: map[string]int{}} }

func (g *groups) id(text string) int {
	i, ok := g.ids[text]
	if !ok {
		i = len(g.parent)
		g.ids[text] = i
		g.parent = append(g.parent, i)
	}
	return i
}

func (g *groups) join(a, b string) {
	x, y := root(g.parent, g.id(a)), root(g.parent, g.id(b))
	g.parent[max(x, y)] = min(x, y)
}

// of gives the group of a text.
func (g *groups) of(text string) int { return root(g.parent, g.id(text)) }

// ReadPairs reads a set of pairs: JSON lines with a, b and label 1 (the same) or 0.
func ReadPairs(path string) ([]Pair, error) {
	rows, err := data.Read[struct {
		A, B  string
		Label int
	}](path)
	out := make([]Pair, len(rows))
	for i, r := range rows {
		out[i] = Pair{normal(r.A), normal(r.B), r.Label == 1}
	}
	return out, err
}

// ReadClusters reads clusters of two and more: JSON lines with sentences.
func ReadClusters(path string) ([]Cluster, error) {
	rows, err := data.Read[struct{ Sentences []string }](path)
	var out []Cluster
	for _, r := range rows {
		c := make(Cluster, len(r.Sentences))
		for i, s := range r.Sentences {
			c[i] = normal(s)
		}
		if len(c) > 1 {
			out = append(out, c)
		}
	}
	return out, err
}

// ReadLabelled reads texts with the class of their field intent.
func ReadLabelled(path string) ([]Labelled, error) {
	rows, err := data.Read[struct{ Text, Intent string }](path)
	out := make([]Labelled, len(rows))
	for i, r := range rows {
		out[i] = Labelled{normal(r.Text), r.Intent}
	}
	// Classes are formed in a fixed order, whatever that of the file.
	slices.SortStableFunc(out, func(a, b Labelled) int { return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Text, b.Text)) })
	return out, err
}

func normal(s string) string { return textnorm.Normalise(s).Text }
