package filter

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tingke/tingke/nlp/textnorm"
)

// maxForms bounds how many ways of writing one text are looked for.
const maxForms = 16

// traditional gives the characters that are written as one simplified character.
var traditional = sync.OnceValue(func() map[rune][]rune {
	m := map[rune][]rune{}
	for r := rune(0x3400); r <= 0x9fff; r++ {
		if to := textnorm.Fold(r); to != r {
			m[to] = append(m[to], r)
		}
	}
	return m
})

// Text is a condition on a column of text: it holds q, whatever the case, full width or half width, in simplified or in
// traditional characters. Nothing in q has a special meaning. Column is fixed text.
func Text(column, q string) (string, []any) {
	search := "multiSearchAny" // several times as fast, and the same where nothing has a case
	if strings.ContainsFunc(q, func(r rune) bool {
		return unicode.SimpleFold(r) != r || unicode.SimpleFold(textnorm.Fold(r)) != textnorm.Fold(r)
	}) {
		search = "multiSearchAnyCaseInsensitiveUTF8"
	}
	return search + "(" + column + ", {f_q:Array(String)})", []any{clickhouse.Named("f_q", forms(q))}
}

// Words is the condition of Text on the texts of the table turn_facts, which its indexes of characters that stand side by
// side answer: those of pairs and of triples by themselves, and longer words but for texts in which some pair comes twice. A
// single character, and letters with a case other than Latin ones without accents, need the texts.
func Words(q string) (string, []any) {
	size := utf8.RuneCountInString(q)
	var low []string
	for _, form := range forms(q) {
		if strings.ContainsFunc(form, func(r rune) bool { return !plain(r) }) {
			size = 0
		}
		low = append(low, strings.ToLower(form))
	}
	switch size {
	case 0, 1:
		return Text("text", q)
	case 2:
		return "hasAny(ngrams(lowerUTF8(text), 2), {f_parts:Array(String)})", []any{clickhouse.Named("f_parts", low)}
	case 3:
		return "hasAny(ngrams(lowerUTF8(text), 3), {f_parts:Array(String)})", []any{clickhouse.Named("f_parts", low)}
	}
	again, params := Text("again", q)
	var sql []string
	for i, form := range low {
		name := "f_parts" + strconv.Itoa(i)
		sql = append(sql, "hasAll(ngrams(lowerUTF8(text), 3), {"+name+":Array(String)})")
		params = append(params, clickhouse.Named(name, triples(form)))
	}
	return "((" + strings.Join(sql, " OR ") + ") AND (again = '' OR " + again + "))", params
}

// plain says whether the engine and this program have the same idea of the lower case of a character, if it has one.
func plain(r rune) bool {
	if r < utf8.RuneSelf || r >= '！' && r <= '～' {
		return true
	}
	const dot = 0x307 // is a part of the lower case of İ
	return unicode.IsGraphic(r) && unicode.SimpleFold(r) == r && unicode.ToLower(r) == r && r != dot
}

// triples are the distinct parts of three characters.
func triples(s string) []string {
	r := []rune(s)
	var out []string
	for i := range len(r) - 2 {
		if t := string(r[i : i+3]); !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// forms are the ways of writing a text that are looked for: as it is, simplified and half width, full width, and with
// traditional characters throughout, in all combinations where they stay few.
func forms(q string) []string {
	seen := map[string]bool{}
	var out []string
	add := func(s string) {
		if s != "" && !seen[s] && len(out) < maxForms {
			seen[s] = true
			out = append(out, s)
		}
	}
	add(q)
	var simple, wide strings.Builder
	for _, r := range q {
		r = textnorm.Fold(r)
		simple.WriteRune(r)
		switch {
		case r == ' ':
			r = '　'
		case r > ' ' && r <= '~':
			r += '！' - '!'
		}
		wide.WriteRune(r)
	}
	add(simple.String())
	add(wide.String())
	all := []string{""}
	for _, r := range simple.String() {
		others := traditional()[r]
		if len(others) == 0 {
			others = []rune{r}
		}
		var next []string
		for _, prefix := range all {
			for _, o := range others {
				if len(next) < maxForms {
					next = append(next, prefix+string(o))
				}
			}
		}
		all = next
	}
	for _, s := range all {
		add(s)
	}
	return out
}

// Span is a place in a text: first byte and the byte after the last.
type Span struct {
	Start int `json:"start" doc:"first byte in the text"`
	End   int `json:"end" doc:"byte after the last"`
}

// Find gives the places in text that Text finds q at, from left to right, without overlaps. Every row that Text lets
// through has at least one.
func Find(text, q string) []Span {
	want := make([]rune, 0, len(q))
	for _, r := range q {
		want = append(want, key(r))
	}
	if len(want) == 0 {
		return nil
	}
	var spans []Span
	for i := 0; i < len(text); {
		if end := match(text[i:], want); end > 0 {
			spans = append(spans, Span{i, i + end})
			i += end
			continue
		}
		_, size := utf8.DecodeRuneInString(text[i:])
		i += size
	}
	return spans
}

// match gives the length of the beginning of text that is want, 0 where it is not.
func match(text string, want []rune) int {
	n := 0
	for _, w := range want {
		r, size := utf8.DecodeRuneInString(text[n:])
		if size == 0 || key(r) != w {
			return 0
		}
		n += size
	}
	return n
}

// key is the same for characters that count as one.
func key(r rune) rune { return textnorm.Fold(unicode.ToLower(textnorm.Fold(r))) }
