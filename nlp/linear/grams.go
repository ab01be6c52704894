package linear

import "unicode/utf8"

// Grams makes keys of the character n-grams of a text. The beginning and the end of the text count as characters, runs of
// one character as at most three, digits as one and the same.
type Grams struct {
	Min, Max int
	// Seed keeps the n-grams of one role or place apart from the same ones of another.
	Seed uint64
	// Limit bounds the characters read: of a longer text the first and the last half of them count. 0 = 2000.
	Limit int
}

const defaultLimit = 2000

// Keys appends the keys of the n-grams of text to dst, which it returns. A key stands as often as its n-gram.
func (g Grams) Keys(dst []uint64, text string) []uint64 {
	limit := g.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	if len(text) > limit {
		text = ends(text, limit)
	}
	// ring holds the hashes of the n-grams that end before the character in hand, longest first.
	var open [8]uint64
	n := min(g.Max, len(open))
	held := 0
	var last rune
	run := 0
	put := func(c rune) {
		for k := min(held, n-1); k > 0; k-- {
			open[k] = step(open[k-1], c)
		}
		open[0] = step(g.Seed^start, c)
		held = min(held+1, n)
		for k := max(g.Min, 1) - 1; k < held; k++ {
			dst = append(dst, mix(open[k]+uint64(k)))
		}
	}
	put(textStart)
	for _, c := range text {
		if c >= '0' && c <= '9' {
			c = '0'
		}
		if c == last {
			if run++; run > maxRepeat || c == '0' {
				continue
			}
		} else {
			last, run = c, 1
		}
		put(c)
	}
	put(textEnd)
	return dst
}

const (
	start     = 0x9ae16a3b2f90404f
	textStart = 0x110001 // beyond Unicode
	textEnd   = 0x110002
	maxRepeat = 3
)

func step(h uint64, c rune) uint64 { return (h ^ uint64(c)) * 0x9fb21c651e98df25 }

func mix(h uint64) uint64 {
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}

// Key is the key of a named feature.
func Key(name string) uint64 {
	h := uint64(start)
	for i := range len(name) {
		h = step(h, rune(name[i])|0x200000)
	}
	return mix(h)
}

// Cross is the key of a feature that holds where both do.
func Cross(a, b uint64) uint64 { return mix(a*0x9fb21c651e98df25 + b) }

// ends keeps the first and the last half of limit characters.
func ends(text string, limit int) string {
	n := utf8.RuneCountInString(text)
	if n <= limit {
		return text
	}
	half := limit / 2
	i, j := 0, len(text)
	for range half {
		_, w := utf8.DecodeRuneInString(text[i:])
		i += w
		_, w = utf8.DecodeLastRuneInString(text[:j])
		j -= w
	}
	return text[:i] + "\n" + text[j:]
}
