package dashboards

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/tingke/tingke/schemas"
)

// choice is a drop-down list of a filter.
type choice struct {
	Name, Title, Everything string
	Options                 []option
	Extra                   bool // folded away on a phone
}

type option struct {
	Value, Text string
	Chosen      bool
}

// Choice offers the values of a filter; what is set stays in the list even where the data no longer has it.
func (p *page) Choice(name string, values []string) choice {
	c := choice{Name: name, Title: p.T(name), Everything: p.T("all")}
	c.Extra = p.Name == "sessions" && slices.Contains([]string{"agent", "shop", "team", "channel", "state"}, name)
	current, found := p.Filter.Get(name), false
	for _, v := range values {
		o := option{Value: p.OrNone(v), Text: p.filterText(name, v)}
		o.Chosen = o.Value == current
		found = found || o.Chosen
		c.Options = append(c.Options, o)
	}
	if current != "" && !found {
		c.Options = append(c.Options, option{current, p.filterText(name, current), true})
	}
	return c
}

// filterText is the value of a filter as people read it.
func (p *page) filterText(name, value string) string {
	switch {
	case value == none || value == "":
		return p.T("none")
	case name == "rule":
		return clip(p.Rule(value), 40)
	case name == "agent":
		if b, ok := p.Body.(interface{ names() map[string]string }); ok && b.names()[value] != "" {
			return clip(b.names()[value]+" "+value, 40)
		}
	}
	return clip(p.Label(name, value), 40)
}

func (b *sessionsBody) names() map[string]string { return b.Options.Names }

// Flags, States and Emotions are the values of the filters that do not depend on the data.
func (p *page) Flags() []string { return []string{"1", "0"} }

// States are the states of a session.
func (p *page) States() []string { return []string{"closed", "open"} }

// Emotions are the emotions of a customer.
func (p *page) Emotions() []string { return schemas.EmotionKeys() }

// Hidden are the filters that are set and have no field in the form.
func (p *page) Hidden() []string {
	var out []string
	for _, name := range []string{"severity", "kind", "aspect", "undated"} {
		if p.Filter.Get(name) != "" {
			out = append(out, name)
		}
	}
	return out
}

type active struct{ Title, Text, Without string }

// Active are the filters that are set, each with the list as it is without it.
func (p *page) Active() []active {
	var out []active
	for _, c := range conditions {
		v := p.Filter.Get(c.name)
		if v == "" {
			continue
		}
		title := c.name
		if c.name == "q" {
			title = "search"
		}
		out = append(out, active{p.T(title), p.filterText(c.name, v), p.Narrow("/sessions", c.name, "")})
	}
	return out
}

type pager struct {
	Pages                        int
	Text, PreviousText, NextText string
	Previous, Next               string
}

// Pager leads through the pages of what is at path.
func (p *page) Pager(pages int, path string) pager {
	n := p.Filter.Page
	g := pager{Pages: pages, Text: p.T("page_of", n, pages), PreviousText: "← " + p.T("previous"), NextText: p.T("next") + " →"}
	if n > 1 {
		g.Previous = p.Narrow(path, "page", n-1)
	}
	if n < pages {
		g.Next = p.Narrow(path, "page", n+1)
	}
	return g
}

// NamePath is the address of the page without filters.
func (p *page) NamePath() string {
	if p.Name == "overview" {
		return "/"
	}
	return "/" + p.Name
}

// Heat is the class of a cell by how near it comes to the fullest.
func (p *page) Heat(n, most uint64) string {
	if n == 0 || most == 0 {
		return "n h0"
	}
	return "n h" + strconv.Itoa(1+int(4*math.Sqrt(float64(n)/float64(most))))
}

// Under is what a column leaves free above it.
func (p *page) Under(height string) string {
	h, _ := strconv.ParseFloat(height, 64) // made by share
	return strconv.FormatFloat(100-h, 'f', 2, 64)
}

// Width is the width of the strip of polarities; few turns do not fill it.
func (b *sessionBody) Width() int { return max(30, len(b.List)) }

type stroke struct{ Y, Height string }

// Mood places a polarity in a strip 40 high with its zero in the middle.
func (p *page) Mood(polarity float32) stroke {
	v := float64(min(1, max(-1, polarity)))
	height := max(1.5, math.Abs(v)*19)
	y := 20.0
	if v >= 0 {
		y -= height
	}
	return stroke{strconv.FormatFloat(y, 'f', 1, 64), strconv.FormatFloat(height, 'f', 1, 64)}
}

// Clock prints a place in a recording.
func (p *page) Clock(ms *int64) string {
	s := *ms / 1000
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// Turn is the address of a turn of the session shown, which may stand on another page of it.
func (p *page) Turn(seq int64) string {
	b, ok := p.Body.(*sessionBody)
	anchor := fmt.Sprintf("#t%d", seq)
	if !ok || b.Pages <= 1 {
		return anchor
	}
	for i, s := range b.Seqs {
		if s == seq {
			return p.URL(p.path, "page", i/turnsPerPage+1) + anchor
		}
	}
	return anchor
}

// Places are the turns a hit rests on, each once.
func (h hit) Places() []int64 {
	var out []int64
	for i, s := range h.Seqs {
		if i == 0 || s != h.Seqs[i-1] {
			out = append(out, s)
		}
	}
	return out
}

// Better says whether a figure stands out against the mean beside it: more than a twentieth off.
func (p *page) Better(v, beside *float64, higher bool) string {
	if v == nil || beside == nil || math.Abs(*v-*beside) <= 0.05*math.Abs(*beside) {
		return ""
	}
	if (*v > *beside) == higher {
		return "better"
	}
	return "worse"
}
