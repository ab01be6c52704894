package intake

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tingke/tingke/schemas"
)

// plainTurn is the line of a transcript cell without a pattern of its own: "客服：您好".
var plainTurn = regexp.MustCompile(`^\s*(?P<sender>[^:：]{1,64}?)\s*[:：](?P<text>.*)$`)

// transcriptRow makes the session of a row of layout sessions; what is wrong with single turns goes before it.
func (r *tableReader) transcriptRow(cells []string, line int) {
	m, bad := r.p.meta(cells)
	if bad != nil {
		r.queue = append(r.queue, r.bad(line, bad))
		return
	}
	var cell string
	if i := r.p.col["transcript"]; i < len(cells) {
		cell = cells[i]
	}
	turns, problems := r.cutTranscript(cell, m)
	for i := range problems {
		r.queue = append(r.queue, r.bad(line, &problems[i]))
	}
	if len(turns) == 0 {
		if len(problems) == 0 {
			r.queue = append(r.queue, r.bad(line, &rowProblem{"transcript", "holds no turn", "transcript.turn of the column map says how a turn begins"}))
		}
		return
	}
	if m.SessionID == "" {
		m.SessionID = sessionID("row", r.base, fmt.Sprint(line), strings.Join(cells, "\x00"))
	}
	r.opt.Session.fill(m)
	for _, part := range parts(turns) {
		r.queue = append(r.queue, Record{Raw: appendSession(nil, m, part), File: r.src.name, Line: line})
	}
}

// untimed says that only its place in a message gives a turn its order.
func untimed(t schemas.Turn) bool { return t.At.IsZero() && !t.StartMS.OK }

// parts cuts the turns of a session into messages of bounded size. With more than one, the turns are numbered where some
// have no time.
func parts(turns []schemas.Turn) [][]schemas.Turn {
	var out [][]schemas.Turn
	from, size := 0, 0
	for i := range turns {
		size += turnCost(&turns[i])
		if size >= partBytes {
			out = append(out, turns[from:i+1])
			from, size = i+1, 0
		}
	}
	if from < len(turns) {
		out = append(out, turns[from:])
	}
	if len(out) > 1 && slices.ContainsFunc(turns, untimed) && !slices.ContainsFunc(turns, func(t schemas.Turn) bool { return t.Seq.OK }) {
		for i := range turns {
			turns[i].Seq = schemas.Some(int64(i + 1))
		}
	}
	return out
}

// cutTranscript cuts a cell into turns.
func (r *tableReader) cutTranscript(cell string, m *schemas.Meta) ([]schemas.Turn, []rowProblem) {
	re, strict := r.p.m.Turn, true
	if re == nil {
		re, strict = plainTurn, false
	}
	group := func(match []int, line, name string) (string, bool) {
		i := re.SubexpIndex(name)
		if i < 0 || match[2*i] < 0 {
			return "", false
		}
		return line[match[2*i]:match[2*i+1]], true
	}
	sep := r.p.m.Separator
	if sep == "" {
		sep = "\n"
		cell = strings.ReplaceAll(cell, "\r\n", "\n")
	}
	var turns []schemas.Turn
	var problems []rowProblem
	skipping := false // the lines of a turn that was refused
	fresh := false    // the turn has no text yet
	room := 0         // bytes left for its text
	var text strings.Builder
	done := func() { // the last turn has all its lines
		if n := len(turns); n > 0 {
			turns[n-1].Text = strings.TrimRight(text.String(), " \t\r\n")
		}
		text.Reset()
	}
	base := m.StartedAt
	n := 0
	for line := range strings.SplitSeq(cell, sep) {
		n++
		match := re.FindStringSubmatchIndex(line)
		fail := func(field, problem, hint string) {
			problems = append(problems, rowProblem{fmt.Sprintf("transcript, line %d of the cell: %s", n, field), problem, hint})
		}
		if match != nil {
			t, bad := r.startTurn(match, line, group, m, &base)
			if bad == nil {
				said, has := group(match, line, "text")
				if !has {
					said = line[match[1]:]
				}
				t.Text = strings.TrimSpace(said)
				if size(t.Text) > schemas.MaxTextBytes {
					bad = tooLarge("text", t.Text, schemas.MaxTextBytes, "is transcript.turn right?")
				}
			}
			if bad == nil {
				done()
				text.WriteString(t.Text)
				turns = append(turns, t)
				skipping, fresh, room = false, t.Text == "", schemas.MaxTextBytes-size(t.Text)
				continue
			}
			if strict || bad.field == "text" {
				fail(bad.field, bad.problem, bad.hint)
				skipping = true
				continue
			}
		}
		switch {
		case skipping:
		case len(turns) > 0:
			if room -= size(sep + line); room < 0 {
				fail("text", fmt.Sprintf("over the limit of %d bytes", schemas.MaxTextBytes), "is transcript.turn right? the rest of this turn was left out")
				skipping = true
				continue
			}
			if !fresh {
				text.WriteString(sep)
			}
			text.WriteString(line)
			fresh = false
		case strings.TrimSpace(line) != "":
			fail("sender", fmt.Sprintf("no turn begins before %q", clip(line)), "transcript.turn of the column map says how a turn begins")
			skipping = true
		}
	}
	done()
	return turns, problems
}

func (r *tableReader) startTurn(match []int, line string, group func([]int, string, string) (string, bool), m *schemas.Meta, base *time.Time) (schemas.Turn, *rowProblem) {
	var t schemas.Turn
	var bad *rowProblem
	role, _ := group(match, line, "role")
	sender, _ := group(match, line, "sender")
	role, sender = strings.TrimSpace(role), strings.TrimSpace(sender)
	if t.Role, bad = r.p.role(role, sender, m); bad != nil {
		return t, bad
	}
	if size(sender) > schemas.MaxIDBytes {
		return t, tooLarge("sender", sender, schemas.MaxIDBytes, "is transcript.turn right?")
	}
	r.p.speaker(&t, m, sender)
	if v, ok := group(match, line, "time"); ok {
		v = strings.TrimSpace(v)
		at, err := r.p.times.parse(v, time.Time{})
		if err != nil {
			if at, err = r.p.times.parse(v, *base); err != nil {
				return t, badTime("time", err)
			}
			// A time of day long before the one above it is of the next day.
			if at.Before(base.Add(-12 * time.Hour)) {
				at = at.Add(24 * time.Hour)
			}
		}
		t.At, *base = at, at
	}
	return t, nil
}
