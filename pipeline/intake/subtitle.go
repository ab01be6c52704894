package intake

import (
	"fmt"
	"html"
	"regexp"
	"strings"

	"github.com/tingke/tingke/schemas"
)

var cueTimes = regexp.MustCompile(`^\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})\s*-->\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})(?:\s.*)?$`)

var cueNumber = regexp.MustCompile(`^\s*\d+\s*$`)

var (
	voiceTag = regexp.MustCompile(`<v(?:\.[^\s>]*)?\s+([^>]*)>`)
	anyTag   = regexp.MustCompile(`</?(?:[a-zA-Z][^<>]*|\d[\d:.,]*)?>|\{\\[^}]*\}`)
)

// newSubtitle reads WebVTT and SRT. A cue says who speaks by a voice tag (<v 客服>) or a prefix (客服：); one that says
// nothing belongs to the speaker of the cue before.
func newSubtitle(src *source, opt Options, vtt bool) (Reader, error) {
	b, err := readWhole(src, opt.Limits)
	if err != nil {
		return nil, err
	}
	side := opt
	if _, err := readSidecar(src, &side); err != nil { // prefixes may name the sidecar's own speakers
		return nil, err
	}
	var segs []segment
	var problems []*Error
	label, labelled := "", false
	for _, block := range cueBlocks(string(b)) {
		times := -1
		for i, l := range block.lines {
			if strings.Contains(l, "-->") {
				times = i
				break
			}
		}
		if times < 0 {
			if vtt && vttBlock(block) {
				continue
			}
			problems = append(problems, &Error{Line: block.line, Field: "cue", Problem: fmt.Sprintf("%q has no time line", clip(block.lines[0])), Hint: "a cue begins with 00:00:01.000 --> 00:00:02.500"})
			continue
		}
		m := cueTimes.FindStringSubmatch(block.lines[times])
		if m == nil || times > 1 {
			problems = append(problems, &Error{Line: block.line + times, Field: "cue", Problem: fmt.Sprintf("%q is no time line", clip(block.lines[times])), Hint: "such as 00:00:01.000 --> 00:00:02.500"})
			continue
		}
		start, err1 := span(m[1])
		end, err2 := span(m[2])
		if err1 != nil || err2 != nil {
			problems = append(problems, &Error{Line: block.line + times, Field: "cue", Problem: fmt.Sprintf("%q is no time line", clip(block.lines[times]))})
			continue
		}
		for _, v := range voices(block.lines[times+1:], &side) {
			if v.labelled {
				label, labelled = v.label, true
			}
			if v.text == "" && !v.labelled {
				continue
			}
			segs = append(segs, segment{line: block.line, label: label, labelled: labelled, text: v.text, start: schemas.Some(start), end: schemas.Some(end)})
		}
	}
	return newCall(src, opt, b, segs, problems)
}

type cueBlock struct {
	line  int // of its first line
	lines []string
}

// cueBlocks cuts a file at its blank lines.
func cueBlocks(s string) []cueBlock {
	var out []cueBlock
	var cur *cueBlock
	n := 0
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	for l := range strings.SplitSeq(s, "\n") {
		n++
		if strings.TrimSpace(l) == "" {
			cur = nil
			continue
		}
		if cur == nil {
			out = append(out, cueBlock{line: n})
			cur = &out[len(out)-1]
		}
		if n := len(cur.lines); n > 1 && cueTimes.MatchString(l) && (cueTimes.MatchString(cur.lines[0]) || cueTimes.MatchString(cur.lines[1])) {
			// The blank line before this cue is missing: its number, if it has one, came last.
			next := cueBlock{line: cur.line + n}
			if cueNumber.MatchString(cur.lines[n-1]) {
				next = cueBlock{line: cur.line + n - 1, lines: []string{cur.lines[n-1]}}
				cur.lines = cur.lines[:n-1]
			}
			out = append(out, next)
			cur = &out[len(out)-1]
		}
		cur.lines = append(cur.lines, l)
	}
	return out
}

// vttBlock says whether a block is a lawful one without times: the header, a note, a style or a region.
func vttBlock(b cueBlock) bool {
	for _, p := range []string{"WEBVTT", "NOTE", "STYLE", "REGION"} {
		if rest, ok := strings.CutPrefix(b.lines[0], p); ok && (rest == "" || rest[0] == ' ' || rest[0] == '\t') {
			return true
		}
	}
	return false
}

// voices cuts the lines of a cue into what each speaker says.
func voices(lines []string, opt *Options) []segment {
	var out []segment
	var said []string // the lines of the last one
	done := func() {
		if n := len(out); n > 0 {
			out[n-1].text = strings.TrimSpace(strings.Join(said, "\n"))
		}
		said = said[:0]
	}
	add := func(label string, labelled bool, text string) {
		text = strings.TrimSpace(html.UnescapeString(anyTag.ReplaceAllString(text, "")))
		if !labelled && text != "" {
			label, text, labelled = prefixed(text, opt)
		}
		if !labelled && text == "" {
			return
		}
		if labelled || len(out) == 0 {
			done()
			out = append(out, segment{label: label, labelled: labelled})
		}
		said = append(said, text)
	}
	for _, l := range lines {
		from, label, labelled := 0, "", false
		for _, m := range voiceTag.FindAllStringSubmatchIndex(l, -1) {
			add(label, labelled, l[from:m[0]])
			from, label, labelled = m[1], strings.TrimSpace(html.UnescapeString(l[m[2]:m[3]])), true
		}
		add(label, labelled, l[from:])
	}
	done()
	return out
}
