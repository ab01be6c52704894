package rules

import (
	"fmt"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// pinyinOp finds words by their sound: written with other characters, letters or syllables, or misheard.
type pinyinOp struct {
	words    []*soundWord
	distance float64 // at most so far away in all
	penalty  float64 // of a syllable that is only confused with the right one; another one costs 1
	written  bool    // the word as it is written counts too
	negation bool
	except   *wordSet
	mark     int32
}

func soundMark(n int) string { return "\x00sound:" + strconv.Itoa(n) }

// maxReadings bounds the readings of a word with characters that are read in several ways.
const maxReadings = 8

func parsePinyin(d *decoder, n *yaml.Node, _ bool) operator {
	op := &pinyinOp{distance: 0.5, penalty: 0.5, written: true, negation: true}
	list := n
	if n.Kind == yaml.MappingNode {
		f, _ := d.mapping(n, "pinyin", "any", "distance", "penalty", "as_written", "except", "negation")
		if list = f.get("any"); list == nil {
			d.errorf(n, "pinyin: [加微信]", "pinyin needs any")
			return op
		}
		if v := f.get("distance"); v != nil {
			op.distance = d.float(v, "pinyin.distance", 0, 3)
		}
		if v := f.get("penalty"); v != nil {
			op.penalty = d.float(v, "pinyin.penalty", 0, 1)
		}
		op.written = d.boolean(f.get("as_written"), "pinyin.as_written", true)
		op.negation = d.boolean(f.get("negation"), "pinyin.negation", true)
		op.except = d.wordSet(d.wordList(f.get("except"), "pinyin.except"))
	}
	p := loadPhonetics()
	for _, w := range d.wordList(list, "pinyin") {
		readings := p.read(w)
		switch {
		case readings == nil:
			d.errorf(list, "write its Chinese characters", "the word %s has a character without a sound", w)
		case len(readings[0]) < 2:
			d.errorf(list, "add the character before or after it", "the word %s is one syllable: too many characters sound like it", w)
		case len(readings[0]) < 2*(int(op.distance)+1):
			d.errorf(list, fmt.Sprintf("words of %d syllables or more, or a smaller distance", 2*(int(op.distance)+1)), "the word %s is too short for distance %g", w, op.distance)
		}
		for _, ids := range readings {
			op.words = append(op.words, &soundWord{op: op, text: w, ids: ids})
		}
	}
	op.mark = d.words.id(soundMark(len(d.words.sounds)))
	d.words.sounds = append(d.words.sounds, op)
	return op
}

// read gives the readings of a word as syllables, nil where a part of it has no sound.
func (p *phonetics) read(w string) [][]uint16 {
	heard := p.hear(w, nil)
	if len(heard) == 0 {
		return nil
	}
	out := [][]uint16{nil}
	for _, x := range heard {
		if x.id == 0 {
			return nil
		}
		ids := []uint16{x.id}
		if r := []rune(w[x.start:x.end]); len(r) == 1 && r[0] >= firstHan {
			ids = p.readings(r[0])
		}
		if len(out)*len(ids) > maxReadings {
			ids = ids[:1]
		}
		var next [][]uint16
		for _, head := range out {
			for _, id := range ids {
				next = append(next, append(slices.Clone(head), id))
			}
		}
		out = next
	}
	return out
}

func (op *pinyinOp) literals() ([]int32, bool) { return []int32{op.mark}, true }

func (op *pinyinOp) eval(e *evaluation, s scope) result {
	var hits []hit
	var values []string
	for _, i := range s.turns {
		first := len(hits)
		for _, m := range e.heardIn(i) {
			if m.word.op != op || s.to >= 0 && (m.start < s.from || m.end > s.to) {
				continue
			}
			text := e.text(i)
			if !op.written && text[m.start:m.end] == m.word.text || op.negation && negated(text, m.start) || e.overlaps(op.except, i, m.start, m.end) {
				continue
			}
			hits = append(hits, hit{turn: i, start: m.start, end: m.end})
			if e.explaining {
				values = append(values, fmt.Sprintf("「%s」 like %s, distance %.2g", quote(text[m.start:m.end]), m.word.text, m.cost))
			}
		}
		sortHits(hits[first:])
		hits = distinct(hits, first)
		if e.truthOnly && len(hits) > 0 {
			break
		}
	}
	return e.told(foundIn(s, hits), func() string { return listing(values) })
}

// overlaps says whether a word of the set shares bytes with [start, end) of a turn.
func (e *evaluation) overlaps(w *wordSet, turn, start, end int32) bool {
	if w == nil || len(w.ids) == 0 {
		return false
	}
	for _, m := range e.matches[e.matchAt[turn]:e.matchAt[turn+1]] {
		if m.start < end && m.end > start && w.has(m.pattern) {
			return true
		}
	}
	return false
}

// heard is a stretch of a turn that sounds like a word.
type heard struct {
	word       *soundWord
	start, end int32
	cost       float64
}

// heardIn gives what was heard in a turn.
func (e *evaluation) heardIn(i int32) []heard {
	if e.set.ear == nil {
		return nil
	}
	return e.senses.heard[e.senses.earAt[i]:e.senses.earAt[i+1]]
}

// listen finds the words of pinyin operators in the next turn and wakes their rules.
func (e *evaluation) listen(i int32) {
	x, st := e.set.ear, &e.senses
	if len(st.earAt) == 0 {
		st.earAt = append(st.earAt, 0)
	}
	st.syllables = x.p.hear(e.text(i), st.syllables[:0])
	st.classes = st.classes[:0]
	for _, s := range st.syllables {
		c := classBase + rune(x.p.class[s.id])
		st.classes = append(st.classes, byte(0xe0|c>>12), byte(0x80|c>>6&0x3f), byte(0x80|c&0x3f))
	}
	from := len(st.heard)
	st.found = x.words.find(string(st.classes), st.found[:0])
	for _, m := range st.found {
		for _, pc := range x.heard[m.pattern] {
			at := int(m.start/3) - int(pc.offset)
			if at < 0 || at+len(pc.word.ids) > len(st.syllables) {
				continue
			}
			cost, ok := pc.word.cost(x.p, st.syllables[at:])
			if !ok {
				continue
			}
			h := heard{pc.word, st.syllables[at].start, st.syllables[at+len(pc.word.ids)-1].end, cost}
			if !slices.Contains(st.heard[from:], h) {
				st.heard = append(st.heard, h)
				e.wake(pc.word.op.mark)
			}
		}
	}
	st.earAt = append(st.earAt, int32(len(st.heard)))
}

// cost adds up how far syllables are from those of the word; ok is false where that is too far.
func (w *soundWord) cost(p *phonetics, heard []syllable) (cost float64, ok bool) {
	for k, id := range w.ids {
		switch got := heard[k].id; {
		case got == id:
		case got == 0:
			return 0, false
		case p.class[got] == p.class[id]:
			cost += w.op.penalty
		default:
			cost++
		}
	}
	return cost, cost <= w.op.distance
}
