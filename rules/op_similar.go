package rules

import (
	"fmt"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// similarOp finds turns or clauses that mean nearly the same as one of some sentences.
type similarOp struct {
	ids    []int32 // sorted
	min    float32
	part   bool
	mark   int32
	noData bool // there is no encoder
}

const similarPrefix = "\x00similar:"

func similarMark(n int) string { return similarPrefix + strconv.Itoa(n) }

const whyNoEncoder = "no_encoder"

func parseSimilar(d *decoder, n *yaml.Node, _ bool) operator {
	op := &similarOp{min: 0.8, part: d.inClause}
	list := n
	if n.Kind == yaml.MappingNode {
		f, _ := d.mapping(n, "similar", "to", "min", "of")
		if list = f.get("to"); list == nil {
			d.errorf(n, "similar: {to: [怎么退货], min: 0.8}", "similar needs to, sentences to compare with")
			return op
		}
		if v := f.get("min"); v != nil {
			// Below this everything is similar to everything.
			op.min = float32(d.float(v, "similar.min", 0.3, 1))
		}
		op.part = op.part || d.oneOf(f.get("of"), "similar.of", "turn", "clause") == "clause"
	}
	sentences := d.wordList(list, "similar")
	op.mark = d.words.id(similarMark(d.words.similar))
	d.words.similar++
	if d.encoder == nil {
		op.noData = true
		return op
	}
	if d.words.likes == nil {
		d.words.likes = newExemplars(d.encoder)
	}
	x := d.words.likes
	for _, s := range sentences {
		id, ok := x.add(s, op.min, op.mark)
		if !ok {
			d.errorf(list, "write it with other words", "the encoder knows nothing of the sentence %s", clip(s, 40))
			continue
		}
		op.ids = append(op.ids, id)
	}
	if len(x.texts) > maxExemplars {
		d.errorf(list, "", "the packs have more than %d sentences to compare with", maxExemplars)
	}
	slices.Sort(op.ids)
	op.ids = slices.Compact(op.ids)
	x.turns, x.parts = x.turns || !op.part, x.parts || op.part
	x.roles |= d.speaker
	x.any = x.any || d.speaker == maskAny
	return op
}

func (op *similarOp) literals() ([]int32, bool) { return []int32{op.mark}, !op.noData }

func (op *similarOp) eval(e *evaluation, s scope) result {
	if op.noData {
		return result{truth: noData, why: whyNoEncoder}
	}
	var hits []hit
	var values []string
	nearest, at := float32(0), int32(-1)
	for _, i := range s.turns {
		best := alike{exemplar: -1}
		flush := func() {
			if best.exemplar < 0 {
				return
			}
			hits = append(hits, hit{turn: i, start: best.start, end: best.end})
			if e.explaining {
				values = append(values, fmt.Sprintf("similarity %.2f to 「%s」", best.score, quote(e.set.likes.texts[best.exemplar])))
			}
			best.exemplar = -1
		}
		for _, a := range e.likedIn(i) {
			if a.part != op.part || s.to >= 0 && (a.start < s.from || a.end > s.to) {
				continue
			}
			if _, ours := slices.BinarySearch(op.ids, a.exemplar); !ours || a.score < op.min {
				continue
			}
			if best.exemplar >= 0 && a.start != best.start {
				flush()
			}
			if best.exemplar < 0 || a.score > best.score {
				best = a
			}
		}
		flush()
		if e.truthOnly && len(hits) > 0 {
			break
		}
		if e.explaining && len(hits) == 0 {
			nearest, at = op.nearest(e, i, s, nearest, at)
		}
	}
	return e.told(foundIn(s, hits), func() string {
		if len(values) == 0 && at >= 0 {
			return fmt.Sprintf("similarity at most %.2f, to 「%s」", nearest, quote(e.set.likes.texts[at]))
		}
		return listing(values)
	})
}

// nearest finds the sentence most similar to a turn though not enough, for an explanation.
func (op *similarOp) nearest(e *evaluation, i int32, s scope, best float32, at int32) (float32, int32) {
	x := e.set.likes
	text := e.text(i)
	try := func(start, end int32) {
		if contentChars(text[start:end]) == 0 {
			return
		}
		v := x.enc.Encode(nil, text[start:end])
		for _, k := range op.ids {
			if d := dot(v, x.row(k)); d > best {
				best, at = d, k
			}
		}
	}
	if !op.part {
		try(0, int32(len(text)))
		return best, at
	}
	for _, c := range e.clauses(i) {
		if s.to < 0 || c.start >= s.from && c.end <= s.to {
			try(c.start, c.end)
		}
	}
	return best, at
}
