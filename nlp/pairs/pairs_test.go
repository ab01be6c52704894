package pairs

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/tingke/tingke/nlp/textnorm"
	"github.com/tingke/tingke/schemas"
)

// least is how many pairs each phenomenon and all together must have at least.
const (
	leastEach = 27
	leastAll  = 330
)

func TestPairs(t *testing.T) {
	list := All()
	if len(list) < leastAll {
		t.Errorf("%d pairs, want at least %d", len(list), leastAll)
	}
	labels := map[string]map[string]bool{
		Emotion:  {},
		Polarity: {schemas.Positive: true, schemas.NeutralPolarity: true, schemas.Negative: true},
	}
	for e := schemas.Emotion(0); e < schemas.EmotionCount; e++ {
		labels[Emotion][e.String()] = true
	}
	count, used, ids, texts := map[string]int{}, map[string]int{}, map[string]bool{}, map[string]string{}
	for _, p := range list {
		count[p.Phenomenon]++
		if ids[p.ID] {
			t.Errorf("%s: the id stands twice", p.ID)
		}
		ids[p.ID] = true
		if labels[p.Field] == nil {
			t.Errorf("%s: unknown field %q", p.ID, p.Field)
			continue
		}
		if p.A.Label == p.B.Label {
			t.Errorf("%s: both members are %s", p.ID, p.A.Label)
		}
		if p.Phenomenon == "role" && p.A.Role == p.B.Role {
			t.Errorf("%s: both members are of the %s", p.ID, p.A.Role)
		}
		if p.Phenomenon != "role" && p.A.Role != p.B.Role {
			t.Errorf("%s: the roles differ", p.ID)
		}
		for _, m := range []Member{p.A, p.B} {
			if !labels[p.Field][m.Label] {
				t.Errorf("%s: %q is no %s", p.ID, m.Label, p.Field)
			}
			used[m.Label]++
			if m.Role != string(schemas.Customer) && m.Role != string(schemas.Agent) {
				t.Errorf("%s: role %q", p.ID, m.Role)
			}
			if m.Text == "" || strings.TrimSpace(m.Text) != m.Text {
				t.Errorf("%s: text %q", p.ID, m.Text)
			}
			key := m.Role + "|" + strings.Join(m.Context, "|") + "|" + m.Text
			if other, ok := texts[key]; ok {
				t.Errorf("%s: %q stands in %s too", p.ID, m.Text, other)
			}
			texts[key] = p.ID
		}
		if v := likeness(p.A.Text, p.B.Text); v < 0.5 {
			t.Errorf("%s: %q and %q share too little (%.2f) to be a minimal pair", p.ID, p.A.Text, p.B.Text, v)
		}
	}
	for _, ph := range Phenomena {
		if count[ph] < leastEach {
			t.Errorf("%s: %d pairs, want at least %d", ph, count[ph], leastEach)
		}
		delete(count, ph)
	}
	for ph := range count {
		t.Errorf("unknown phenomenon %q", ph)
	}
	for l := range labels[Emotion] {
		if used[l] == 0 {
			t.Errorf("no member is %s", l)
		}
	}
}

// likeness is twice the longest common subsequence of letters, digits and symbols by the length of both.
func likeness(a, b string) float64 {
	x, y := letters(a), letters(b)
	row := make([]int, len(y)+1)
	for _, r := range x {
		before := 0
		for j, s := range y {
			up := row[j+1]
			if r == s {
				row[j+1] = before + 1
			} else {
				row[j+1] = max(up, row[j])
			}
			before = up
		}
	}
	return 2 * float64(row[len(y)]) / float64(len(x)+len(y))
}

func letters(s string) []rune {
	return slices.DeleteFunc([]rune(s), func(r rune) bool { return unicode.IsPunct(r) || unicode.IsSpace(r) })
}

func TestParse(t *testing.T) {
	good := "heading\nx-1\tnegation\temotion\tcustomer\tagent: 甲 || customer: 乙\t丙\tangry\tagent\t\t丁\tneutral\n"
	list, err := parse(good)
	if err != nil || len(list) != 1 || len(list[0].A.Context) != 2 || list[0].A.Context[1] != "customer: 乙" || list[0].B.Context != nil {
		t.Errorf("got %+v, %v", list, err)
	}
	if _, err := parse("heading\na\tb\n" + good); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v, want it to name line 2", err)
	}
}

func TestOverlap(t *testing.T) {
	for _, p := range All() {
		for _, m := range []Member{p.A, p.B} {
			for _, near := range []string{m.Text, " " + m.Text + "。", strings.ReplaceAll(m.Text, "，", " ")} {
				if v, _ := Overlap(near); v != 1 && len(gramsOf(near)) > 0 {
					t.Errorf("%s: overlap of %q is %.2f, want 1", p.ID, near, v)
				}
			}
		}
	}
	f := func(text string, want bool) {
		t.Helper()
		if got := TooClose(text); got != want {
			v, m := Overlap(text)
			t.Errorf("%q: got %v, want %v (%.2f of %q)", text, got, want, v, m)
		}
	}
	f("你们可真准时，晚了三个钟头", true)
	f("你們可真準時,晚了三個鐘頭!!!", true)
	f("服了，你们可真准时，晚了三个钟头，我朋友都走了", true)
	f("你们可真准时", false) // too short to say
	f("你们可真准时，晚到三小时", false)
	f("谢谢", false)
	f("", false)
	f("？？？", false)
	f("今天中午的地铁很挤", false)
	f("请稍等", false)
}

// TestOverlapIsExact compares the index with the definition, text by text.
func TestOverlapIsExact(t *testing.T) {
	var texts []string
	for _, p := range All() {
		texts = append(texts, p.A.Text, p.B.Text)
	}
	for i := 0; i+1 < len(texts); i += 3 {
		a, b := []rune(texts[i]), []rune(texts[i+1])
		probe := string(a[:len(a)/2]) + string(b[len(b)/2:])
		want := 0.0
		for _, m := range texts {
			want = max(want, direct(probe, m))
		}
		if got, _ := Overlap(probe); got != want {
			t.Errorf("%q: got %.3f, want %.3f", probe, got, want)
		}
	}
}

func direct(a, b string) float64 {
	x, y := gramsOf(a), gramsOf(b)
	n := 0
	for _, g := range x {
		if slices.Contains(y, g) {
			n++
		}
	}
	by := min(len(x), len(y))
	if by < fewGrams {
		by = max(len(x), len(y))
	}
	if by == 0 {
		return 0
	}
	return float64(n) / float64(by)
}

func TestNormalised(t *testing.T) {
	for _, p := range All() {
		for _, m := range []Member{p.A, p.B} {
			if textnorm.Normalise(m.Text).Text == "" {
				t.Errorf("%s: nothing is left of %q", p.ID, m.Text)
			}
		}
	}
}

func BenchmarkTooClose(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		TooClose("你好，我上周买的那个电饭煲怎么还没发货啊，都等了五天了，麻烦帮我催一下")
	}
}
