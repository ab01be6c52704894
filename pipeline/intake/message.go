package intake

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tingke/tingke/schemas"
)

// partBytes is about how long one session message gets; the turns of longer sessions go into several messages of one
// session_id, which the union of a session's messages puts together again.
const partBytes = schemas.MaxMessageBytes / 4

// sessionID makes an id for a session whose file gives none, from what makes it this session: equal parts give equal
// ids on every reading.
func sessionID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(strconv.AppendInt(nil, int64(len(p)), 10))
		h.Write([]byte{':'})
		h.Write([]byte(p))
	}
	return "f" + hex.EncodeToString(h.Sum(nil)[:8])
}

// appendSession appends a session message. It is written by hand because encoding/json would replace invalid UTF-8
// silently; the decoder of messages mends it and notes that it did.
func appendSession(b []byte, m *schemas.Meta, turns []schemas.Turn) []byte {
	b = append(b, `{"type":"session"`...)
	b = appendText(b, "session_id", m.SessionID)
	b = appendInt(b, "revision", int64(m.Revision), m.Revision != 0)
	b = appendTime(b, "updated_at", m.UpdatedAt)
	b = appendText(b, "channel", m.Channel)
	b = appendText(b, "source", m.Source)
	b = appendText(b, "shop", m.Shop)
	b = appendText(b, "business", m.Business)
	b = appendText(b, "skill_group", m.SkillGroup)
	b = appendText(b, "product", m.Product)
	b = appendText(b, "customer_id", m.CustomerID)
	b = appendText(b, "agent_id", m.AgentID)
	b = appendText(b, "agent_name", m.AgentName)
	b = appendText(b, "team", m.Team)
	b = appendTime(b, "started_at", m.StartedAt)
	b = appendTime(b, "ended_at", m.EndedAt)
	b = appendText(b, "media_url", m.MediaURL)
	b = appendAttributes(b, m.Attributes)
	b = append(b, `,"turns":[`...)
	for i := range turns {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTurn(b, &turns[i])
	}
	return append(b, "]}"...)
}

func appendTurn(b []byte, t *schemas.Turn) []byte {
	b = append(b, `{"role":`...)
	b = appendString(b, string(t.Role))
	b = appendInt(b, "seq", t.Seq.V, t.Seq.OK)
	b = appendText(b, "agent_id", t.AgentID)
	b = append(b, `,"text":`...)
	b = appendString(b, t.Text)
	b = appendTime(b, "at", t.At)
	b = appendInt(b, "start_ms", t.StartMS.V, t.StartMS.OK)
	b = appendInt(b, "end_ms", t.EndMS.V, t.EndMS.OK)
	if t.Confidence.OK {
		b = append(b, `,"confidence":`...)
		b = strconv.AppendFloat(b, t.Confidence.V, 'f', -1, 64)
	}
	if t.Auto {
		b = append(b, `,"auto":true`...)
	}
	b = appendInt(b, "revision", int64(t.Revision), t.Revision != 0)
	b = appendAttributes(b, t.Attributes)
	return append(b, '}')
}

func appendText(b []byte, name, v string) []byte {
	if v == "" {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	return appendString(b, v)
}

func appendInt(b []byte, name string, v int64, ok bool) []byte {
	if !ok {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	return strconv.AppendInt(b, v, 10)
}

func appendTime(b []byte, name string, v time.Time) []byte {
	if v.IsZero() {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":"`...)
	return append(v.UTC().AppendFormat(b, "2006-01-02T15:04:05.999Z"), '"')
}

func appendAttributes(b []byte, m map[string]string) []byte {
	if len(m) == 0 {
		return b
	}
	b = append(b, `,"attributes":{`...)
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, k)
		b = append(b, ':')
		b = appendString(b, m[k])
	}
	return append(b, '}')
}

const hexDigits = "0123456789abcdef"

// appendString appends a JSON string; bytes beyond ASCII stay as they are, valid or not.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// size is the length of a text once the decoder has mended it: an invalid byte becomes three.
func size(s string) int {
	if utf8.ValidString(s) {
		return len(s)
	}
	return len(strings.ToValidUTF8(s, "\uFFFD"))
}

// turnCost is about how many bytes of a message a turn takes.
func turnCost(t *schemas.Turn) int {
	n := len(t.Text) + len(t.AgentID) + 120
	for k, v := range t.Attributes {
		n += len(k) + len(v) + 8
	}
	return n
}

// merge fills the empty fields of m from o.
func merge(m, o *schemas.Meta) {
	set := func(dst *string, v string) {
		if *dst == "" {
			*dst = v
		}
	}
	setTime := func(dst *time.Time, v time.Time) {
		if dst.IsZero() {
			*dst = v
		}
	}
	set(&m.SessionID, o.SessionID)
	m.Revision = max(m.Revision, o.Revision)
	setTime(&m.UpdatedAt, o.UpdatedAt)
	set(&m.Channel, o.Channel)
	set(&m.Source, o.Source)
	set(&m.Shop, o.Shop)
	set(&m.Business, o.Business)
	set(&m.SkillGroup, o.SkillGroup)
	set(&m.Product, o.Product)
	set(&m.CustomerID, o.CustomerID)
	set(&m.AgentID, o.AgentID)
	set(&m.AgentName, o.AgentName)
	set(&m.Team, o.Team)
	setTime(&m.StartedAt, o.StartedAt)
	setTime(&m.EndedAt, o.EndedAt)
	set(&m.MediaURL, o.MediaURL)
	for k, v := range o.Attributes {
		if _, ok := m.Attributes[k]; !ok && v != "" {
			if m.Attributes == nil {
				m.Attributes = map[string]string{}
			}
			m.Attributes[k] = v
		}
	}
}
