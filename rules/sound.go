package rules

import (
	"slices"
	"strings"
	"sync"

	"github.com/mozillazg/go-pinyin"
)

// phonetics is what is known about the sound of characters: syllables without tones, and for each the class of those
// that speech recognition and speakers confuse with it. Made on first use: it takes some tens of milliseconds.
type phonetics struct {
	of     [lastHan - firstHan + 1]uint16 // the usual syllable of a character, 0 for none
	class  []uint16                       // of a syllable
	id     map[string]uint16
	maxLen int
}

const (
	firstHan = 0x4e00
	lastHan  = 0x9fff
)

var loadPhonetics = sync.OnceValue(func() *phonetics {
	p := &phonetics{id: map[string]uint16{}, class: []uint16{0}}
	a := pinyin.NewArgs()
	classes := map[string]uint16{}
	for r := rune(firstHan); r <= lastHan; r++ {
		s := pinyin.SinglePinyin(r, a)
		if len(s) == 0 || s[0] == "" {
			continue
		}
		id, ok := p.id[s[0]]
		if !ok {
			id = uint16(len(p.class))
			p.id[s[0]] = id
			p.maxLen = max(p.maxLen, len(s[0]))
			key := confused(s[0])
			if _, ok := classes[key]; !ok {
				classes[key] = uint16(len(classes) + 1)
			}
			p.class = append(p.class, classes[key])
		}
		p.of[r-firstHan] = id
	}
	return p
})

// confused brings a syllable into the form it shares with those it is confused with: zh/z, ch/c, sh/s, n/l, h/f, and
// the final sounds ang/an, eng/en, ing/in.
func confused(s string) string {
	switch {
	case strings.HasPrefix(s, "zh"), strings.HasPrefix(s, "ch"), strings.HasPrefix(s, "sh"):
		s = s[:1] + s[2:]
	case s[0] == 'n' && len(s) > 1:
		s = "l" + s[1:]
	case s[0] == 'h':
		s = "f" + s[1:]
	}
	if strings.HasSuffix(s, "ng") && !strings.HasSuffix(s, "ong") {
		s = s[:len(s)-1]
	}
	return s
}

// polyphonic are everyday characters with several readings that are all in use. Dictionaries list rare readings of many
// more (信 as shen), which would make words out of what sounds nothing like them.
const polyphonic = "行长重还率调参差系处降强传弹便卡单藏奇乐都得着数干朝曾乘称盛省圈塞模薄露壳核给吓折晕血"

// readings gives every syllable a character is read as, the usual one first.
func (p *phonetics) readings(r rune) []uint16 {
	if r < firstHan || r > lastHan || p.of[r-firstHan] == 0 {
		return nil
	}
	out := []uint16{p.of[r-firstHan]}
	if !strings.ContainsRune(polyphonic, r) {
		return out
	}
	a := pinyin.NewArgs()
	a.Heteronym = true
	for _, s := range pinyin.SinglePinyin(r, a) {
		if id := p.id[s]; id != 0 && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// spoken letters and signs: people write 加V and +vx for 加微信, 扣扣 for QQ.
var letterSounds = map[byte]string{'v': "wei", 'w': "wei", 'x': "xin", 'q': "kou", '+': "jia"}

// syllable is one syllable of a text: bytes [start, end). id 0 is a border that nothing reaches over.
type syllable struct {
	id         uint16
	start, end int32
}

// hear appends the syllables of a normalised text. Spaces, dots and other signs between them are passed over, as people
// put them there to hide a word.
func (p *phonetics) hear(text string, to []syllable) []syllable {
	border := func(i int) {
		if n := len(to); n > 0 && to[n-1].id != 0 {
			to = append(to, syllable{start: int32(i), end: int32(i)})
		}
	}
	for i, r := range text {
		switch {
		case r >= firstHan && r <= lastHan:
			if id := p.of[r-firstHan]; id != 0 {
				to = append(to, syllable{id, int32(i), int32(i) + 3})
			} else {
				border(i)
			}
		case r >= 'a' && r <= 'z':
			if i > 0 && text[i-1] >= 'a' && text[i-1] <= 'z' {
				continue // read with its run
			}
			end := i
			for end < len(text) && text[end] >= 'a' && text[end] <= 'z' {
				end++
			}
			n := len(to)
			if to = p.spell(text, i, end, to); len(to) == n {
				border(i)
			}
		case r == '+':
			to = append(to, syllable{p.id[letterSounds['+']], int32(i), int32(i) + 1})
		case content(r) || strings.ContainsRune("。!?,;:\n、[]\"“”", r):
			border(i)
		}
	}
	return to
}

// maxSpelt bounds the letters read as syllables.
const maxSpelt = 24

// spell reads a run of Latin letters as syllables written out (weixin), or as letters that stand for a sound (vx).
func (p *phonetics) spell(text string, from, to int, out []syllable) []syllable {
	if to-from > maxSpelt {
		return out
	}
	n := len(out)
	if to-from > 1 {
		if got, ok := p.syllables(text, from, to, out); ok {
			return got
		}
		out = out[:n]
	}
	if to-from > 3 {
		return out
	}
	for i := from; i < to; i++ {
		s, ok := letterSounds[text[i]]
		if !ok {
			return out[:n]
		}
		out = append(out, syllable{p.id[s], int32(i), int32(i) + 1})
	}
	return out
}

// syllables parts letters into syllables, the longest first.
func (p *phonetics) syllables(text string, from, to int, out []syllable) ([]syllable, bool) {
	if from == to {
		return out, true
	}
	for l := min(p.maxLen, to-from); l > 0; l-- {
		id := p.id[text[from:from+l]]
		if id == 0 || l == 1 && l != to-from && len(out) == 0 {
			continue
		}
		if got, ok := p.syllables(text, from+l, to, append(out, syllable{id, int32(from), int32(from + l)})); ok {
			return got, true
		}
	}
	return out, false
}

// ear finds the words of all pinyin operators in one pass over the classes of a text's syllables.
type ear struct {
	p     *phonetics
	words *automaton
	// heard[k] are the words whose piece is pattern k.
	heard [][]piece
}

// piece is a stretch of a word's syllables that occurs as it is, up to confusions, wherever the word is near enough.
type piece struct {
	word   *soundWord
	offset int32
}

// soundWord is one reading of one word of an operator.
type soundWord struct {
	op   *pinyinOp
	text string
	ids  []uint16
}

// newEar compiles the words of all pinyin operators; nil where there are none.
func newEar(ops []*pinyinOp) *ear {
	if len(ops) == 0 {
		return nil
	}
	x := &ear{p: loadPhonetics()}
	index := map[string]int{}
	var patterns []string
	for _, op := range ops {
		for _, w := range op.words {
			// k wrong syllables leave one of k+1 pieces whole.
			k := int(op.distance) + 1
			for i := range k {
				from, to := i*len(w.ids)/k, (i+1)*len(w.ids)/k
				key := x.key(w.ids[from:to])
				at, ok := index[key]
				if !ok {
					at = len(patterns)
					index[key] = at
					patterns = append(patterns, key)
					x.heard = append(x.heard, nil)
				}
				x.heard[at] = append(x.heard[at], piece{w, int32(from)})
			}
		}
	}
	x.words = newAutomaton(patterns)
	return x
}

// Classes of syllables stand in the automaton as characters of the private use area, three bytes each.
const classBase = 0xe000

func (x *ear) key(ids []uint16) string {
	var b strings.Builder
	for _, id := range ids {
		b.WriteRune(classBase + rune(x.p.class[id]))
	}
	return b.String()
}
