package assemble

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/tingke/tingke/schemas"
)

// Hasher gives messages and turns their identity: HMAC-SHA-256 of the unmasked content, keyed with the deployment's
// key and cut to 64 bits. Without the key nobody can test a guess of what a masked text said. A Hasher is safe for
// concurrent use.
type Hasher struct {
	pool sync.Pool // of *hashState
}

type hashState struct {
	mac hash.Hash
	buf []byte
	sum []byte
}

// NewHasher makes a Hasher. Another key is another deployment: nothing it hashes joins with what was stored before.
func NewHasher(key []byte) *Hasher {
	k := slices.Clone(key)
	return &Hasher{pool: sync.Pool{New: func() any {
		return &hashState{mac: hmac.New(sha256.New, k), sum: make([]byte, 0, sha256.Size)}
	}}}
}

// What is hashed starts with one of these, so that no turn can look like a meta or an end.
const (
	domainTurn = 't'
	domainMeta = 'm'
	domainEnd  = 'e'
	domainKey  = 'k'
)

// digest hashes what write appends to an empty buffer.
func (h *Hasher) digest(write func(*encoder)) uint64 {
	st := h.pool.Get().(*hashState)
	e := encoder{st.buf[:0]}
	write(&e)
	st.mac.Reset()
	st.mac.Write(e.b)
	st.sum = st.mac.Sum(st.sum[:0])
	d := binary.BigEndian.Uint64(st.sum)
	if cap(e.b) <= 64<<10 { // an unusually long text does not stay in the pool
		st.buf = e.b
	}
	h.pool.Put(st)
	return d
}

// element hashes one part of a message. Zero means "none" in a State and small values are synthetic ends, so a hash
// that falls among them is moved.
func (h *Hasher) element(kind Kind, write func(*encoder)) Element {
	d := h.digest(write) &^ 3
	if d <= uint64(lastSynthetic) {
		d += uint64(lastSynthetic) + 1
	}
	return Element(d) | Element(kind)
}

// turnElement identifies a turn. One with seq is the same alone or in a whole session; of one without, its place in
// the message is part of the identity, because the place decides where the turn ends up.
func (h *Hasher) turnElement(sessionID string, revision uint16, t *Turn) Element {
	return h.element(KindTurn, func(e *encoder) {
		e.head(domainTurn, sessionID, revision)
		e.turn(&t.Turn)
		if !t.Seq.OK {
			e.str(string(t.Key))
			e.i64(int64(t.Position))
			e.time(t.OrderAt)
		}
	})
}

func (h *Hasher) metaElement(m *schemas.Meta, revision uint16) Element {
	return h.element(KindMeta, func(e *encoder) {
		e.head(domainMeta, m.SessionID, revision)
		e.meta(m)
	})
}

func (h *Hasher) endElement(sessionID string, revision uint16, at time.Time) Element {
	return h.element(KindEnd, func(e *encoder) {
		e.head(domainEnd, sessionID, revision)
		e.time(at)
	})
}

// turnKey is the key of a turn sent without seq; k counts equal ones before it in its message.
func (h *Hasher) turnKey(sessionID string, t *schemas.Turn, k int) schemas.TurnKey {
	d := h.digest(func(e *encoder) {
		e.head(domainKey, sessionID, 0)
		e.str(string(t.Role))
		e.time(t.At)
		if t.At.IsZero() {
			e.opt(t.StartMS)
		}
		e.str(t.Text)
		e.i64(int64(k))
	})
	var b [17]byte
	b[0] = 'h'
	hex.Encode(b[1:], binary.BigEndian.AppendUint64(nil, d))
	return schemas.TurnKey(b[:])
}

// encoder writes values so that different values never give the same bytes: fixed widths, lengths before strings.
type encoder struct{ b []byte }

func (e *encoder) head(domain byte, sessionID string, revision uint16) {
	e.b = append(e.b, domain)
	e.str(sessionID)
	e.b = binary.BigEndian.AppendUint16(e.b, revision)
}

func (e *encoder) i64(v int64) { e.b = binary.BigEndian.AppendUint64(e.b, uint64(v)) }

func (e *encoder) str(s string) {
	e.b = binary.AppendUvarint(e.b, uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) time(t time.Time) {
	if t.IsZero() {
		e.b = append(e.b, 0)
		return
	}
	e.b = append(e.b, 1)
	e.i64(t.Unix())
	e.i64(int64(t.Nanosecond()))
}

func (e *encoder) opt(o schemas.Opt[int64]) {
	if !o.OK {
		e.b = append(e.b, 0)
		return
	}
	e.b = append(e.b, 1)
	e.i64(o.V)
}

func (e *encoder) attributes(m map[string]string) {
	e.b = binary.AppendUvarint(e.b, uint64(len(m)))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		e.str(k)
		e.str(m[k])
	}
}

func (e *encoder) turn(t *schemas.Turn) {
	e.opt(t.Seq)
	e.str(string(t.Role))
	e.str(t.AgentID)
	e.str(t.Text)
	e.time(t.At)
	e.opt(t.StartMS)
	e.opt(t.EndMS)
	if t.Confidence.OK {
		e.b = append(e.b, 1)
		e.i64(int64(math.Float64bits(t.Confidence.V)))
	} else {
		e.b = append(e.b, 0)
	}
	if t.Auto {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
	e.i64(int64(t.Revision))
	e.attributes(t.Attributes)
	e.i64(int64(t.Repairs))
}

func (e *encoder) meta(m *schemas.Meta) {
	e.time(m.UpdatedAt)
	for _, s := range [...]string{
		m.Channel, m.Source, m.Shop, m.Business, m.SkillGroup, m.Product,
		m.CustomerID, m.AgentID, m.AgentName, m.Team, m.MediaURL,
	} {
		e.str(s)
	}
	e.time(m.StartedAt)
	e.time(m.EndedAt)
	e.attributes(m.Attributes)
	e.i64(int64(m.Repairs))
}
