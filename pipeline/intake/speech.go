package intake

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/tingke/tingke/schemas"
)

// segment is a stretch of a call as a recogniser or a subtitle file gives it.
type segment struct {
	line       int // line, cue or segment number
	label      string
	labelled   bool
	text       string
	start, end schemas.Opt[int64]
	confidence schemas.Opt[float64]
}

// callReader hands out the one session of a call file, after what is wrong with single segments.
type callReader struct {
	finished
	src   *source
	queue []Record
}

func (r *callReader) Close() error { return r.src.close() }

func (r *callReader) Next() (Record, error) {
	if r.err != nil {
		return Record{}, r.err
	}
	if len(r.queue) == 0 {
		return r.end(io.EOF)
	}
	rec := r.queue[0]
	r.queue = r.queue[1:]
	return rec, nil
}

// call makes the session of a call from its segments. content is the file, from which a session without an id gets one.
func newCall(src *source, opt Options, content []byte, segs []segment, problems []*Error) (Reader, error) {
	r := &callReader{src: src}
	bad := func(e *Error) {
		e.File = src.name
		r.queue = append(r.queue, Record{File: src.name, Line: e.Line, Err: e})
	}
	for _, e := range problems {
		bad(e)
	}
	side, err := readSidecar(src, &opt)
	if err != nil {
		return nil, err
	}
	m := side
	turns := make([]schemas.Turn, 0, len(segs))
	who := speakers{opt: &opt}
	for i := range segs {
		s := &segs[i]
		role, err := who.role(s)
		if err != nil {
			err.Line = s.line
			bad(err)
			continue
		}
		t := schemas.Turn{Role: role, Text: strings.TrimSpace(s.text), StartMS: s.start, EndMS: s.end, Confidence: s.confidence}
		if size(t.Text) > schemas.MaxTextBytes {
			bad(&Error{Line: s.line, Field: "text", Problem: fmt.Sprintf("%d bytes are over the limit of %d", size(t.Text), schemas.MaxTextBytes), Hint: "is it one call?"})
			continue
		}
		if role == schemas.Agent {
			t.AgentID = m.AgentID
		}
		turns = append(turns, t)
	}
	if len(turns) == 0 {
		if len(r.queue) == 0 {
			bad(&Error{Line: 1, Problem: "holds no speech", Hint: "there is nothing to analyse"})
		}
		return r, nil
	}
	if m.SessionID == "" {
		m.SessionID = sessionID("call", src.base, string(content))
	}
	opt.Session.fill(&m)
	if m.Channel == "" {
		m.Channel = "call"
	}
	for _, part := range parts(turns) {
		r.queue = append(r.queue, Record{Raw: appendSession(nil, &m, part), File: src.name, Line: 1})
	}
	return r, nil
}

// readWhole reads a file that is understood as a whole.
func readWhole(src *source, lim Limits) ([]byte, error) {
	src.skipBOM()
	b, err := io.ReadAll(io.LimitReader(src.br, lim.WholeBytes+1))
	if err != nil {
		return nil, src.readError(0, err)
	}
	if int64(len(b)) > lim.WholeBytes {
		return nil, &Error{File: src.name, Problem: fmt.Sprintf("is larger than %d bytes", lim.WholeBytes), Hint: "one file holds one call; is it the right format?"}
	}
	return b, nil
}

// readSidecar reads NAME.meta.json beside NAME.vtt: the session fields of a call, and speakers and speaker_order as in
// Options.
func readSidecar(src *source, opt *Options) (schemas.Meta, error) {
	var m schemas.Meta
	if src.name == "-" {
		return m, nil
	}
	name := filepath.Join(filepath.Dir(src.name), strings.TrimSuffix(src.base, filepath.Ext(src.base))+".meta.json")
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return m, &Error{Problem: fmt.Sprintf("cannot read %q", name), Cause: unwrapPath(err)}
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return m, &Error{Problem: fmt.Sprintf("cannot read %q", name), Cause: unwrapPath(err)}
	}
	fail := func(field, problem, hint string) (schemas.Meta, error) {
		return m, &Error{File: name, Line: 1, Field: field, Problem: problem, Hint: hint}
	}
	root := gjson.ParseBytes(b)
	if !gjson.ValidBytes(b) || !root.IsObject() {
		return fail("", "is no JSON object", `such as {"session_id":"c1","agent_id":"a7","started_at":"2026-11-02T10:00:00+08:00","speakers":{"SPEAKER_00":"agent"}}`)
	}
	if v := root.Get("speakers"); v.Exists() {
		if !v.IsObject() {
			return fail("speakers", "must be an object from labels to roles", "")
		}
		own := map[string]schemas.Role{}
		for k, v := range opt.Speakers {
			own[k] = v
		}
		for k, v := range v.Map() {
			if !slices.Contains(roles, schemas.Role(v.String())) {
				return fail("speakers."+k, fmt.Sprintf("unknown role %q", v.String()), "one of customer, agent, bot, system")
			}
			own[k] = schemas.Role(v.String())
		}
		opt.Speakers = own
	}
	if v := root.Get("speaker_order"); v.Exists() {
		opt.SpeakerOrder = nil
		for _, v := range v.Array() {
			if !slices.Contains(roles, schemas.Role(v.String())) {
				return fail("speaker_order", fmt.Sprintf("unknown role %q", v.String()), "one of customer, agent, bot, system")
			}
			opt.SpeakerOrder = append(opt.SpeakerOrder, schemas.Role(v.String()))
		}
	}
	// The rest is a session without turns: the decoder of messages judges it.
	line := []byte(`{"type":"session","turns":[]`)
	given := false
	root.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "speakers", "speaker_order", "type", "turns":
		default:
			given = given || k.Str == "session_id"
			line = append(append(append(append(line, ','), k.Raw...), ':'), v.Raw...)
		}
		return true
	})
	if !given {
		line = append(line, `,"session_id":"-"`...)
	}
	msg, err := schemas.Decode(append(line, '}'))
	if err != nil {
		return m, &Error{File: name, Line: 1, Problem: "is no session data", Cause: err}
	}
	m = msg.Session.Meta
	if !given {
		m.SessionID = ""
	}
	return m, nil
}

// speakers decides the roles of a call's labels.
type speakers struct {
	opt  *Options
	seen map[string]schemas.Role // labels that got a role by order
}

func (s *speakers) role(g *segment) (schemas.Role, *Error) {
	label := g.label
	if r, ok := s.opt.Speakers[label]; ok {
		return r, nil
	}
	if !g.labelled {
		return "", &Error{Field: "speaker", Problem: "nothing says who speaks", Hint: `let the recogniser tell the speakers apart, or say "speakers":{"":"agent"} in NAME.meta.json beside the file`}
	}
	if r, ok := labelRole(label); ok {
		return r, nil
	}
	if r, ok := s.opt.Speakers["*"]; ok {
		return r, nil
	}
	if r, ok := s.seen[label]; ok {
		return r, nil
	}
	order := s.opt.SpeakerOrder
	if order == nil && len(s.opt.Speakers) == 0 { // whoever names labels has named all there should be
		order = []schemas.Role{schemas.Agent, schemas.Customer}
	}
	if len(s.seen) >= len(order) {
		return "", &Error{Field: "speaker", Problem: fmt.Sprintf("nothing says the role of the further speaker %q", clip(label)), Hint: fmt.Sprintf(`say "speakers":{%q:"customer"} in NAME.meta.json beside the file`, clip(label))}
	}
	if s.seen == nil {
		s.seen = map[string]schemas.Role{}
	}
	r := order[len(s.seen)]
	s.seen[label] = r
	return r, nil
}

// labelRole knows the roles that a label itself tells: 客服, 客服 小王, Agent 7.
func labelRole(label string) (schemas.Role, bool) {
	key := strings.ToLower(strings.TrimSpace(label))
	if r, ok := roleNames[key]; ok {
		return r, true
	}
	key = strings.TrimRight(key, "0123456789_-#. ")
	if r, ok := roleNames[key]; ok {
		return r, true
	}
	if first, _, ok := strings.Cut(key, " "); ok {
		if r, ok := roleNames[first]; ok {
			return r, true
		}
	}
	return "", false
}

// prefixed takes a speaker off the front of a text: "客服：您好". Only names that tell a role or that the options know
// count; any other text before a colon is text.
func prefixed(text string, opt *Options) (label, rest string, ok bool) {
	i := strings.IndexAny(text, ":：")
	if i <= 0 || i > 64 {
		return "", text, false
	}
	label = strings.TrimSpace(strings.Trim(strings.TrimLeft(text[:i], "->–— \t"), "[]【】"))
	if _, known := opt.Speakers[label]; !known || label == "" {
		if _, known := labelRole(label); !known {
			return "", text, false
		}
	}
	rest = strings.TrimPrefix(strings.TrimPrefix(text[i:], ":"), "：")
	return label, strings.TrimSpace(rest), true
}

// millis turns seconds into milliseconds; what is no time of a recording is absent.
func millis(seconds float64) schemas.Opt[int64] {
	ms := math.Round(seconds * 1000)
	if !(ms >= 0 && ms <= 1<<40) {
		return schemas.Opt[int64]{}
	}
	return schemas.Some(int64(ms))
}
