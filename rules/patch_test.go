package rules

import (
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestPatch(t *testing.T) {
	f := func(text, path, value, want string) {
		t.Helper()
		got, err := Patch([]byte(text), path, value)
		if err != nil {
			t.Errorf("%s = %q in %q: %v", path, value, text, err)
		} else if string(got) != want {
			t.Errorf("%s = %q:\ngot  %q\nwant %q", path, value, got, want)
		}
	}
	// a value
	f("a: 1 # one\nb: 2\n", "a", "3", "a: 3 # one\nb: 2\n")
	f("a: 'x' # one", "a", `"y: z"`, `a: "y: z" # one`)
	f("a:\nb: 2", "a", "3", "a: 3\nb: 2")
	f("a: 1\r\nb: 2\r\n", "b", "3", "a: 1\r\nb: 3\r\n")
	f("a: 1\r\nb: 2\r\n", "b", "- x\n- y", "a: 1\r\nb:\r\n  - x\r\n  - y\r\n")
	f("\ufeffa: 1\nb: 2\n", "a", "3", "\ufeffa: 3\nb: 2\n")
	f("a: one\n  two\nb: 2", "a", "3", "a: 3\nb: 2")
	f("a: |\n  one\n\n  two\nb: 2", "a", "3", "a: 3\nb: 2")
	f("a: >-  # folded\n  one\n  two\n\n# c\nb: 2", "a", "3", "a: 3\n\n# c\nb: 2")
	f("a: 1\nb: 2", "a", "|\n  one\n  two", "a: |\n    one\n    two\nb: 2")
	f("a:  # why\n  b: 1\n  # c\n  c: 2\nd: 3", "a", "x", "a: x  # why\nd: 3")
	f("a: x # why\nd: 3", "a", "b: 1\nc: 2", "a: # why\n  b: 1\n  c: 2\nd: 3")
	f("a:\n    b: 1\nd: 3", "a", "x:\n  - y", "a:\n    x:\n      - y\nd: 3")
	f("a:\n- 1\n- 2\nb: 1", "a", "x: 1\ny: 2", "a:\n  x: 1\n  y: 2\nb: 1")
	f("a: {b: 1, c: [x, y]} # f", "a/c/1", "z", "a: {b: 1, c: [x, z]} # f")
	f("a: {b: 1, c: [x, y]}", "a/b", "u: 1\nv: 2", "a: {b: {u: 1, v: 2}, c: [x, y]}")
	f("a: {b: , c: 1}", "a/b", "2", "a: {b: 2, c: 1}")
	f("a: [x, # one\n  y]", "a/1", "z", "a: [x, # one\n  z]")
	f("a~/b: 1", "a~0~1b", "2", "a~/b: 2")
	// by id, and in lists
	f("rules:\n  - id: x # X\n    points: -1\n  - id: y\n    points: -2 # two\n", "rules/y/points", "-3", "rules:\n  - id: x # X\n    points: -1\n  - id: y\n    points: -3 # two\n")
	f("rules:\n  - id: x\n    a: 1\n  # next\n  - id: y\n", "rules/x", "id: z\nb: 1", "rules:\n  - id: z\n    b: 1\n  # next\n  - id: y\n")
	f("l:\n- a\n- b # B\n- c", "l/1", "x", "l:\n- a\n- x # B\n- c")
	f("l:\n-\n- b", "l/0", "x", "l:\n- x\n- b")
	// additions
	f("a: 1 # one\n", "b", "2", "a: 1 # one\nb: 2\n")
	f("a: 1", "x y: z", "2", "a: 1\n'x y: z': 2")
	f("rules:\n  - id: x\n    tests:\n      - {want: a} # A\n  # end\n", "rules/x/tests/-", "{want: b}", "rules:\n  - id: x\n    tests:\n      - {want: a} # A\n      - {want: b}\n  # end\n")
	f("rules:\n  - id: x\n    tests:\n      - {want: a}\n", "rules/x/tests/-", "want: b\nturns:\n  - 客户: 您好", "rules:\n  - id: x\n    tests:\n      - {want: a}\n      - want: b\n        turns:\n          - 客户: 您好\n")
	f("rules:\n  - id: x\n    points: -1\n", "rules/x/expect", "in: {role: agent}\nkeyword: [a]", "rules:\n  - id: x\n    points: -1\n    expect:\n      in: {role: agent}\n      keyword: [a]\n")
	f("a: {}", "a/b", "1", "a: {b: 1}")
	f("a: [ ]", "a/-", "1", "a: [1]")
	f("a: [x, y,]", "a/-", "z", "a: [x, y, z,]")
	f("a: {b: 1 # one\n  }", "a/c", "2", "a: {b: 1, c: 2 # one\n  }")
	f("a: |+\n  x\n\n\n# c\n", "b", "1", "a: |+\n  x\n\n\nb: 1\n# c\n")
	// removals
	f("a: 1 # one\n# two\nb: 2\n", "a", "", "# two\nb: 2\n")
	f("a: 1\nb: 2", "b", "", "a: 1")
	f("a: 1\n", "a", "", "{}\n")
	f("a: {b: 1, c: 2, d: 3}", "a/c", "", "a: {b: 1, d: 3}")
	f("a: {b: 1, c: 2}", "a/c", "", "a: {b: 1}")
	f("a: {b: 1}", "a/b", "", "a: {}")
	f("l:\n  - a: 1\n    b: 2\n  - c\n", "l/0", "", "l:\n  - c\n")
	f("l:\n  - a: 1\n    b: 2\n", "l/0/a", "", "l:\n  - b: 2\n")
	f("l:\n  - a: 1\n    # c\n    b: 2\n", "l/0/a", "", "l:\n  - \n    # c\n    b: 2\n")
	f("l:\n- a\nm: 1", "l/0", "", "l: []\nm: 1")

	bad := func(text, path, value, want string) {
		t.Helper()
		if got, err := Patch([]byte(text), path, value); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s = %q in %q: %q, %v; want an error with %q", path, value, text, got, err, want)
		}
	}
	bad("a: 1", "", "2", "the path is empty")
	bad("a: 1", "b/c", "2", "there is no b")
	bad("a: 1", "a/c", "2", "a is a single value")
	bad("a: [x]", "a/1", "2", "the list a has no entry 1")
	bad("a: 1", "b", "", "nothing to remove")
	bad("a: [", "a", "1", "cannot read the YAML")
	bad("a: 1", "a", "[", "cannot read the YAML")
	bad("a: &x 1", "a", "2", "anchors are not read")
	bad("a: 1", "a", "1\n---\n2", "second document")
}

func TestPlaces(t *testing.T) {
	text := "id: p # pack\nrules:\n  - id: x\n    tests: [{want: 'a'}, {客户: 您好}]\n  - name: two\n    id: x\n"
	places, err := Places([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, p := range places {
		got[p.Path] = text[p.Start:p.End]
	}
	for path, want := range map[string]string{"id": "p", "rules/x/tests/0/want": "'a'", "rules/x/tests/1": "{客户: 您好}", "rules/x/tests/1/客户": "您好", "rules/1/name": "two", "rules/x": "id: x\n    tests: [{want: 'a'}, {客户: 您好}]"} {
		if got[path] != want {
			t.Errorf("%s: %q, want %q", path, got[path], want)
		}
	}
}

// FuzzPatch: whatever changes, the result reads as the old tree with the change made, and the text outside the lines of
// the place stays as it was.
func FuzzPatch(f *testing.F) {
	f.Add("a: 1 # x\nb:\n  - {c: 1}\n  - d\n", uint8(3), "- 2\n- 3")
	f.Add("rules:\n  - id: x\n    t: |\n      a\n      b\n    # c\n    u: 'v'\n", uint8(5), "")
	f.Add("a: {b: [x, 'y', \"z\"], c: }\n", uint8(4), "{q: 1}")
	f.Add("a:\n- - 1\n  - 2\n- ? k\n  : v\n", uint8(2), ">\n x\n\n y")
	f.Add(strings.ReplaceAll(readmeExample, "\n", "\r\n"), uint8(30), "新的")
	f.Add(readmeExample, uint8(19), "any:\n  - keyword: [a]")
	f.Fuzz(func(t *testing.T, text string, pick uint8, value string) {
		places, err := Places([]byte(text))
		if err != nil || len(places) < 2 {
			return
		}
		for i := 1; i < len(places); i++ {
			if p := places[i]; p.Start < 0 || p.End < p.Start || p.End > len(text) {
				t.Fatalf("place %+v outside %q", p, text)
			}
		}
		p := places[1+int(pick)%(len(places)-1)]
		got, err := Patch([]byte(text), p.Path, value)
		if err != nil {
			return
		}
		again, err := Places(got)
		if err != nil {
			t.Fatalf("%q -> %q: %v", text, got, err)
		}
		if strings.TrimSpace(value) != "" && !strings.HasSuffix(p.Path, "/id") && p.Path != "id" {
			var v yaml.Node
			var now any
			if yaml.Unmarshal([]byte(value), &v) != nil {
				t.Fatalf("accepted the value %q", value)
			}
			// An entry goes by its id: one without it stands under another name.
			named := slices.ContainsFunc(places, func(q Place) bool { return q.Path == p.Path+"/id" })
			parent, _, _ := cutLast(p.Path)
			for _, q := range again {
				if in, _, _ := cutLast(q.Path); q.Path == p.Path || named && in == parent {
					now = true
				}
			}
			if now == nil {
				t.Fatalf("%q: %s is gone in %q", text, p.Path, got)
			}
		}
		// Comments outside the place are kept; a removed last entry takes its list or mapping with it.
		from, to := p.Start, p.End
		if strings.TrimSpace(value) == "" {
			parent, _, _ := cutLast(p.Path)
			for _, q := range places {
				if q.Path == parent {
					from, to = q.Start, q.End
				}
			}
		}
		left := comments(string(got))
		for c, n := range comments(text[:from] + "x" + text[to:]) {
			if left[c] < n {
				t.Fatalf("the comment %q is lost: %q -> %q", c, text, got)
			}
		}
	})
}

func cutLast(path string) (before, after string, ok bool) {
	i := strings.LastIndex(path, "/")
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

// comments counts the lines that begin with #.
func comments(text string) map[string]int {
	m := map[string]int{}
	for _, l := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("\n\r\u0085\u2028\u2029", r) }) {
		if l = strings.TrimLeft(l, " "); strings.HasPrefix(l, "#") {
			m[strings.TrimSpace(l)]++
		}
	}
	return m
}

const readmeExample = `id: demo # a pack
version: "1"
lists:
  问价: [多少钱, 什么价]
rules:
  - id: ask # need
    name: 挖需
    severity: info
    expect:
      in: {role: agent}
      question: {}
    reason: "客服没有询问需求"
    tests:
      # good
      - {want: pass, turns: [{客户: 想买面膜}, {客服: 您是什么肤质呢}]}
      - {want: fail, turns: [{客户: 想买面膜}, {客服: 好的}]}
`
