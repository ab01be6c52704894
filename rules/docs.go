package rules

import (
	"embed"
	"strings"
)

//go:embed docs/*.md
var docFS embed.FS

// OperatorDoc is the page of an operator: Markdown with its keys, their defaults and an example pack whose tests hold.
// ok is false where there is no operator of that name.
func OperatorDoc(name string) (page string, ok bool) {
	if _, known := operators[name]; !known {
		return "", false
	}
	b, err := docFS.ReadFile("docs/" + name + ".md")
	return string(b), err == nil
}

// OperatorSummary is the first sentence of an operator's page, "" where there is none.
func OperatorSummary(name string) string {
	page, _ := OperatorDoc(name)
	_, body, _ := strings.Cut(page, "\n\n")
	paragraph, _, _ := strings.Cut(body, "\n\n")
	paragraph = strings.Join(strings.Fields(paragraph), " ")
	for i, r := range paragraph {
		if (r == '.' || r == ':') && (i+1 == len(paragraph) || paragraph[i+1] == ' ') {
			return paragraph[:i]
		}
	}
	return paragraph
}
