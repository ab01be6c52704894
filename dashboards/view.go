package dashboards

import (
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tingke/tingke/schemas"
)

var functions = template.FuncMap{
	"add":   func(a, b int) int { return a + b },
	"clip":  clip,
	"share": share,
	"join":  strings.Join,
}

// T is the text of a key in the language of the page.
func (p *page) T(key string, args ...any) string {
	text := key
	if w, ok := words[key]; ok {
		text = w[p.lang]
	}
	if strings.Contains(text, "%") {
		return fmt.Sprintf(text, args...)
	}
	return text
}

// Label is the name of a value of the data, such as an emotion; the value itself where there is none.
func (p *page) Label(kind, value string) string {
	if value == "" {
		return p.T("none")
	}
	if e, ok := schemas.ParseEmotion(value); ok && kind == "emotion" && p.lang == 0 {
		return e.Chinese()
	}
	if w, ok := words[kind+"."+value]; ok {
		return w[p.lang]
	}
	return value
}

// Rule is the name of a rule.
func (p *page) Rule(id string) string {
	if name := p.RuleNames[id]; name != "" && (p.lang == 0 || words["rule."+id][1] == "") {
		return name
	}
	return p.Label("rule", id)
}

// HTMLLang is the language for the document.
func (p *page) HTMLLang() string { return []string{"zh-CN", "en"}[p.lang] }

// Styles is the address of the style sheet.
func (p *page) Styles() string { return p.styles }

// URL is an address on this site in the language of the page; pairs are names and values, empty values are left out.
func (p *page) URL(path string, pairs ...any) string {
	q := url.Values{}
	if p.lang == 1 {
		q.Set("lang", "en")
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if v := fmt.Sprint(pairs[i+1]); v != "" {
			q.Set(fmt.Sprint(pairs[i]), v)
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// Narrow is the address of this filter on another page, with further values over it.
func (p *page) Narrow(path string, pairs ...any) string {
	var all []any
	for _, c := range conditions {
		if v := p.Filter.Get(c.name); v != "" {
			all = append(all, c.name, v)
		}
	}
	return p.URL(path, append(all, pairs...)...)
}

// Closed is the list of the closed sessions of this filter, with further values over it: what a figure counts.
func (p *page) Closed(pairs ...any) string {
	return p.Narrow("/sessions", append([]any{"state", "closed"}, pairs...)...)
}

// Session is the address of a session.
func (p *page) Session(id string) string { return p.URL("/sessions/" + url.PathEscape(id)) }

// OtherLanguage is this page in the other language.
func (p *page) OtherLanguage() string {
	q := url.Values{}
	for k, v := range p.values {
		q[k] = v
	}
	if p.lang == 0 {
		q.Set("lang", "en")
	} else {
		q.Del("lang")
	}
	if len(q) == 0 {
		return p.path
	}
	return p.path + "?" + q.Encode()
}

// OrNone is the value of a filter for a value that may be empty.
func (p *page) OrNone(s string) string {
	if s == "" {
		return none
	}
	return s
}

// Num prints a number that may be absent, with at most the given places.
func (p *page) Num(v any, places int) string {
	f, ok := number(v)
	if !ok {
		return "–"
	}
	s := strconv.FormatFloat(f, 'f', places, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}

// Pct prints a share of a whole; no whole, no share.
func (p *page) Pct(part, whole any) string {
	a, _ := number(part)
	b, ok := number(whole)
	if !ok || b == 0 {
		return "–"
	}
	return p.Num(100*a/b, 1) + "%"
}

// Dur prints milliseconds.
func (p *page) Dur(ms any) string {
	f, ok := number(ms)
	if !ok {
		return "–"
	}
	s := f / 1000
	switch {
	case s < 60:
		return p.T("seconds", p.Num(s, 1))
	case s < 3600:
		return p.T("minutes", int(s)/60, int(s)%60)
	}
	return p.T("hours", int(s)/3600, int(s)/60%60)
}

// Time prints an instant in the configured timezone.
func (p *page) Time(t *time.Time, layout string) string {
	if t == nil {
		return "–"
	}
	return t.In(p.Timezone).Format(layout)
}

func number(v any) (float64, bool) {
	switch x := v.(type) {
	case *float64:
		if x == nil {
			return 0, false
		}
		return *x, *x == *x
	case *int64:
		if x == nil {
			return 0, false
		}
		return float64(*x), true
	case float64:
		return x, x == x
	case float32:
		return float64(x), x == x
	case int:
		return float64(x), true
	case int64:
		return float64(x), true
	case uint32:
		return float64(x), true
	case uint64:
		return float64(x), true
	}
	return 0, false
}

// share is part of whole in percent for the width of a bar, 0 without a whole.
func share(part, whole any) string {
	a, _ := number(part)
	b, _ := number(whole)
	if b == 0 {
		return "0"
	}
	return strconv.FormatFloat(min(100, max(0, 100*a/b)), 'f', 2, 64)
}
