package textnorm

import (
	"strings"
	"unicode"
)

// Languages of a text.
const (
	Chinese = "zh"
	English = "en"
)

// longestTag bounds a tag such as [微笑] or [电话x], bytes.
const longestTag = 32

// Language says what a text is written in: "zh" where it holds a Chinese character outside tags such as [笑] (Chinese
// turns are full of Latin product names and sizes), "en" where it holds two Latin letters or more in a row and no
// Chinese, "" where neither says anything: numbers, marks, emoji, one letter. Other scripts are "" too. The text may be
// raw or normalised; it does not allocate.
func Language(text string) string {
	latin, run, skip := false, 0, 0
	for i, r := range text {
		if i < skip {
			continue
		}
		switch {
		case r == '[':
			if n := strings.IndexByte(text[i:min(len(text), i+longestTag)], ']'); n > 0 {
				skip = i + n
			}
		case unicode.Is(unicode.Han, r):
			return Chinese
		case r|0x20 >= 'a' && r|0x20 <= 'z':
			run++
			latin = latin || run > 1
			continue
		}
		run = 0
	}
	if latin {
		return English
	}
	return ""
}
