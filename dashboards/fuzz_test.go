package dashboards

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/schemas"
)

// FuzzFilter: no address crashes the filter, none of it reaches the text of the SQL, and what was accepted is accepted
// again from the links the pages make of it.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{"", "flagged=1&page=2", "shop=%27%29+OR+1%3D1", "q=100%25_%5C&from=2026-11-01&to=2026-11-30", "rule=a&agent=b&kind=bug&aspect=price", "emotion=angry&undated=1", "page=-1", "shop=-", "shop=%ff", "%zz"} {
		f.Add(s)
	}
	texts := map[string]bool{"1": true}
	for _, c := range conditions {
		texts[c.sql] = true
	}
	for _, t := range together {
		texts[t.sql] = true
	}
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		filter, err := parseFilter(q)
		if err != nil {
			return
		}
		filter.scope = access.Identity{Role: access.Admin}.Scope()
		where, args := filter.where()
		rest := where
		for text := range texts {
			if text != "1" {
				rest = strings.ReplaceAll(rest, text, "")
			}
		}
		if strings.Trim(rest, "1 AND") != "" {
			t.Fatalf("%q in the SQL of %q", rest, query)
		}
		if len(args) != len(filter.values) {
			t.Fatalf("%d parameters for %d filters", len(args), len(filter.values))
		}
		p := &page{site: &site{}, Filter: filter}
		link, err := url.Parse(p.Narrow("/sessions"))
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseFilter(link.Query())
		if err != nil || len(again.values) != len(filter.values) {
			t.Fatalf("%v after %v: %v", again.values, filter.values, err)
		}
	})
}

// FuzzSplit: whatever the spans, the parts are the text again, cut between characters only.
func FuzzSplit(f *testing.F) {
	f.Add("自己看，爱买不买", uint32(3), uint32(9), uint32(12), uint32(24))
	f.Add("a长b", uint32(2), uint32(3), uint32(1<<31), uint32(0))
	f.Add("", uint32(0), uint32(1), uint32(0), uint32(0))
	f.Fuzz(func(t *testing.T, text string, a, b, c, d uint32) {
		text = strings.ToValidUTF8(text, "\uFFFD")
		x := &turn{Seq: 1, Text: text, Mentions: []mention{{Seq: 1, Start: a, End: b}}}
		hits := []hit{{Number: 1, Severity: schemas.Major, Seqs: []int64{1, 1, 2}, Starts: []uint32{c, b, 0}, Ends: []uint32{d, c, 1}}}
		var joined strings.Builder
		for _, p := range split(x, hits) {
			if p.Text == "" || !utf8.ValidString(p.Text) {
				t.Fatalf("part %q of %q", p.Text, text)
			}
			joined.WriteString(p.Text)
		}
		if joined.String() != text {
			t.Fatalf("%q became %q", text, joined.String())
		}
	})
}
