package rules

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tingke/tingke/schemas"
)

// operatorsOf adds the operators of a condition and everything inside it.
func operatorsOf(c *condition, to map[string]bool) {
	if c == nil {
		return
	}
	if c.op != nil {
		to[c.key] = true
		if x, ok := c.op.(nestingOperator); ok {
			for _, k := range x.conditions() {
				operatorsOf(k, to)
			}
		}
	}
	for _, k := range c.kids {
		operatorsOf(k, to)
	}
	operatorsOf(c.unless, to)
}

// TestOperatorPages: every operator has a page whose one example is a whole pack; its tests hold.
func TestOperatorPages(t *testing.T) {
	files, err := os.ReadDir("docs")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(f.Name(), ".md"); operators[name] == nil {
			t.Errorf("docs/%s is the page of no operator", f.Name())
		}
	}
	for _, name := range Operators() {
		page, ok := OperatorDoc(name)
		if !ok {
			t.Errorf("operator %s has no page", name)
			continue
		}
		if !strings.HasPrefix(page, "# "+name+"\n\n") || OperatorSummary(name) == "" {
			t.Errorf("docs/%s.md does not begin with its name and a sentence", name)
		}
		blocks := yamlBlock.FindAllStringSubmatch(page, -1)
		if len(blocks) != 1 {
			t.Errorf("docs/%s.md has %d examples, want one", name, len(blocks))
			continue
		}
		s, err := LoadWith(Options{Encoder: bigramEncoder{256}}, Text("docs/"+name+".md", []byte(blocks[0][1])))
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		for _, w := range s.Warnings() {
			t.Errorf("%v", w)
		}
		for _, r := range s.Test(Literal{}) {
			if !r.OK {
				t.Errorf("docs/%s.md, line %d of the example: rule %s, test %s: %s", name, r.Line, r.Rule, r.Name, r.Diff)
			}
		}
		used := map[string]bool{}
		for _, r := range s.rules {
			for _, c := range []*condition{r.trigger, r.expect, r.forbid} {
				operatorsOf(c, used)
			}
		}
		if !used[name] {
			t.Errorf("the example of docs/%s.md does not use the operator", name)
		}
	}
	if _, ok := OperatorDoc("keywrod"); ok {
		t.Error("a page of an operator that does not exist")
	}
}

// examples are the packs of all pages and all packs that come with the product.
func examples(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, name := range Operators() {
		page, _ := OperatorDoc(name)
		for _, m := range yamlBlock.FindAllStringSubmatch(page, -1) {
			out["docs/"+name] = []byte(m[1])
		}
	}
	for _, id := range EmbeddedPacks() {
		b, err := Embedded(id).read()
		if err != nil {
			t.Fatal(err)
		}
		out["packs/"+id] = b
	}
	return out
}

// TestEveryOperatorIsTestedInEveryOutcome counts, over the inline tests of all pages and packs, the outcomes wanted of
// rules that an operator takes part in. Known gaps do not count.
func TestEveryOperatorIsTestedInEveryOutcome(t *testing.T) {
	seen := map[string]map[string]int{}
	for file, text := range examples(t) {
		s, err := LoadWith(Options{Encoder: bigramEncoder{256}}, Text(file, text))
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		for _, r := range s.rules {
			used := map[string]bool{}
			for _, c := range []*condition{r.trigger, r.expect, r.forbid} {
				operatorsOf(c, used)
			}
			for name := range used {
				if seen[name] == nil {
					seen[name] = map[string]int{}
				}
				for _, x := range r.tests {
					if !x.known {
						seen[name][x.want]++
					}
				}
			}
		}
	}
	for _, name := range Operators() {
		for _, outcome := range []string{schemas.Pass, schemas.Fail, schemas.NA, schemas.Present, schemas.Absent} {
			if seen[name][outcome] == 0 {
				t.Errorf("no test of a rule with %s wants %s", name, outcome)
			}
		}
	}
}

// TestWhatIsStreamSafeIsSaid: the operators that wait for the end say so on their pages.
func TestWhatIsStreamSafeIsSaid(t *testing.T) {
	for name := range atEnd {
		page, _ := OperatorDoc(name)
		if !strings.Contains(strings.Join(strings.Fields(page), " "), "Decided when the") {
			t.Errorf("docs/%s.md does not say when it is decided", name)
		}
	}
	if !slices.IsSorted(Operators()) {
		t.Error("the operators are not sorted")
	}
}
