package ruleform

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tingke/tingke/rules"
)

const emptyPack = "id: mine\nversion: \"1\"\nname: 我的规则 # 由表单维护\nrules: []\n"

// lint fails on anything the author of a pack would be told, and on tests that do not hold.
func lint(t *testing.T, pack []byte) {
	t.Helper()
	if problems := rules.Lint(rules.Options{}, rules.Text("mine.yaml", pack)); len(problems) > 0 {
		t.Fatalf("%s\n%s", problems.Error(), pack)
	}
	set, err := rules.Load(rules.Text("mine.yaml", pack))
	if err != nil {
		t.Fatal(err)
	}
	results := set.Test(rules.Literal{})
	if len(results) == 0 {
		t.Error("no tests ran")
	}
	for _, r := range results {
		if !r.OK {
			t.Errorf("test of %s: %s\n%s", r.Rule, r.Diff, pack)
		}
	}
}

// asJSON is what a browser sends and gets.
func asJSON(t *testing.T, v Values) Values {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out Values
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestExamples makes a rule from the example of each form: it lints clean, its tests hold, it is read back as it was
// filled in, and filling it in again changes nothing.
func TestExamples(t *testing.T) {
	pack := []byte(emptyPack)
	for i := range forms {
		f := &forms[i]
		v := asJSON(t, f.Example)
		one, err := f.Apply([]byte(emptyPack), v)
		if err != nil {
			t.Fatalf("%s: %v", f.ID, err)
		}
		lint(t, one)
		if pack, err = f.Apply(pack, v); err != nil {
			t.Fatalf("%s: %v", f.ID, err)
		}
		found, values, err := Recognise(pack, v["id"].(string))
		if err != nil || found == nil || found.ID != f.ID {
			t.Fatalf("%s is recognised as %v: %v\n%s", f.ID, found, err, pack)
		}
		got, want := asJSON(t, values), asJSON(t, f.Example)
		for _, x := range f.Fields {
			if x.Default != nil && want[x.Name] == nil {
				want[x.Name] = x.Default
			}
		}
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if string(a) != string(b) {
			t.Errorf("%s is read as\n%s\nwant\n%s", f.ID, a, b)
		}
		again, err := f.Apply(pack, got)
		if err != nil || string(again) != string(pack) {
			t.Errorf("%s filled in again: %v\n%s", f.ID, err, again)
		}
	}
	lint(t, pack)
	if !strings.Contains(string(pack), "# 由表单维护") {
		t.Errorf("a comment is gone:\n%s", pack)
	}
}

// TestChange changes single values of a rule that a person wrote: the rest stays byte for byte.
func TestChange(t *testing.T) {
	const pack = `id: mine
version: "1" # 一
rules:
  # 私下联系最严重
  - id: ban
    name: 禁用语 # 名字
    severity: major
    points: -10
    reason: "{text}"
    forbid: {in: {role: agent}, keyword: [加微信, 加v]} # 词表
    tests:
      - {want: present, turns: [{客服: 加微信}]} # 必须抓到
  - id: other
    name: 其他
    severity: info
    reason: x
    trigger: {in: {role: customer}, all: [{keyword: [a]}, {keyword: [b]}]}
`
	f, values, err := Recognise([]byte(pack), "ban")
	if err != nil || f == nil || f.ID != "forbidden_words" {
		t.Fatalf("recognised as %v: %v", f, err)
	}
	change := func(want string, edit func(Values), parts ...string) {
		t.Helper()
		v := asJSON(t, values)
		edit(v)
		got, err := f.Apply([]byte(pack), v)
		if err != nil {
			t.Fatal(err)
		}
		expected := pack
		for i := 0; i+1 < len(parts); i += 2 {
			expected = strings.Replace(expected, parts[i], parts[i+1], 1)
		}
		if string(got) != expected {
			t.Errorf("%s:\n%s\nwant\n%s", want, got, expected)
		}
	}
	change("nothing", func(Values) {})
	change("a number", func(v Values) { v["points"] = -20.0 }, "points: -10", "points: -20")
	change("a word", func(v Values) { v["words"] = []any{"加微信", "加v", "加薇"} }, "[加微信, 加v]", "[加微信, 加v, 加薇]")
	change("an exception", func(v Values) { v["except"] = []any{"公众号"} }, "keyword: [加微信, 加v]}", "keyword: [加微信, 加v], unless: {keyword: {any: [公众号]}}}")
	change("a name", func(v Values) { v["name"] = "禁 用: 语" }, "name: 禁用语 #", "name: '禁 用: 语' #")
	if f, _, err := Recognise([]byte(pack), "other"); f != nil || err != nil {
		t.Errorf("a rule of no form is recognised as %v: %v", f, err)
	}
	if f, _, err := Recognise([]byte(pack), "nothing"); f != nil || err != nil {
		t.Errorf("no rule is recognised as %v: %v", f, err)
	}
	forbidden, _ := Find("forbidden_words")
	v := asJSON(t, values)
	v["id"] = "other"
	var bad *Error
	if _, err := forbidden.Apply([]byte(pack), v); !errors.As(err, &bad) || bad.Field != "id" {
		t.Errorf("a form over a rule of another kind: %v", err)
	}
}

func TestBadValues(t *testing.T) {
	f := func(form, field string, edit func(Values)) {
		t.Helper()
		x, ok := Find(form)
		if !ok {
			t.Fatalf("no form %s", form)
		}
		v := asJSON(t, x.Example)
		edit(v)
		_, err := x.Rule(v)
		var bad *Error
		if !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%s: %v, want an error about %s", form, err, field)
		}
	}
	f("forbidden_words", "id", func(v Values) { v["id"] = "Ban Words" })
	f("forbidden_words", "id", func(v Values) { delete(v, "id") })
	f("forbidden_words", "id", func(v Values) { v["id"] = 7.0 })
	f("forbidden_words", "words", func(v Values) { v["words"] = []any{} })
	f("forbidden_words", "words", func(v Values) { v["words"] = []any{"a", 1.0} })
	f("forbidden_words", "words", func(v Values) { v["words"] = []any{"a\nb"} })
	f("forbidden_words", "points", func(v Values) { v["points"] = 5.0 })
	f("forbidden_words", "severity", func(v Values) { v["severity"] = "terrible" })
	f("forbidden_words", "colour", func(v Values) { v["colour"] = "red" })
	f("must_say", "first", func(v Values) { v["last"] = 2.0 })
	f("must_say", "first", func(v Values) { delete(v, "first") })
	f("must_say", "first", func(v Values) { v["first"] = 1.5 })
	f("process", "steps", func(v Values) { v["steps"] = []any{map[string]any{"name": "a"}} })
	f("process", "steps", func(v Values) { v["steps"] = "a" })
	f("response_time", "tests", func(v Values) { v["tests"] = []any{map[string]any{"want": "maybe"}} })
}

// Words of people are data: whatever they hold, the pack stays readable and the word is what was written.
func FuzzWords(f *testing.F) {
	for _, s := range []string{"加微信", "a: b", "- x", "# c", `"`, "'", "{", "]", "<list>", "yes", "1e3", "&a", "*a", "!x", "|", "%", "@", "`", "null", "~", "\t", " 　"} {
		f.Add(s)
	}
	form, _ := Find("forbidden_words")
	f.Fuzz(func(t *testing.T, s string) {
		v := Values{"id": "x", "name": s, "severity": "minor", "words": []string{s}, "reason": "x"}
		pack, err := form.Apply([]byte(emptyPack), v)
		if err != nil {
			return
		}
		_, got, err := Recognise(pack, "x")
		if err != nil {
			t.Fatalf("%q: %v\n%s", s, err, pack)
		}
		if words, _ := got["words"].([]string); len(words) != 1 || words[0] != strings.TrimSpace(s) {
			t.Fatalf("%q came back as %q\n%s", s, got["words"], pack)
		}
	})
}
