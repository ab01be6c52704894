package opinion

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Mention is what is known of one mention. A bare text has neither aspect, product nor polarity; bare texts are
// compared with each other without any gate.
type Mention struct {
	Text     string // as it was said; it is normalised here
	Kind     string
	Aspect   string
	Product  string
	Polarity string
}

// gate is what two mentions must share to be compared at all.
type gate struct{ product, family, side string }

func (m *Mention) gate() gate { return gate{m.Product, Family(m.Aspect), Side(m.Polarity)} }

// bare: nothing is known of the text, as in a file given to `opinions cluster`.
func (g *gate) bare() bool { return g.family == "" && g.product == "" }

// Opinion is what many mentions share.
type Opinion struct {
	// ID never changes: see ID.
	ID      string `json:"id"`
	Title   string `json:"title"`
	Kind    string `json:"kind,omitempty"`
	Aspect  string `json:"aspect,omitempty"`
	Product string `json:"product,omitempty"`
	Side    string `json:"side"`
	// Members are distinct normalised texts, sorted.
	Members []string `json:"members"`
}

func (o *Opinion) gate() gate { return gate{o.Product, Family(o.Aspect), o.Side} }

// ID makes the id of an opinion: 16 hex digits of SHA-256 over aspect, product, polarity side and the smallest
// normalised member when it was founded, each preceded by its length.
func ID(aspect, product, side, smallest string) string {
	h := sha256.New()
	var n [8]byte
	for _, p := range []string{aspect, product, side, smallest} {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
