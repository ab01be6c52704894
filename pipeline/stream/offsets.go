package stream

import "math/bits"

// offsets knows which messages of a partition are done, so that the smallest one that is not can be committed. It costs
// one bit for each message between the committed one and the latest. It is not safe for concurrent use.
type offsets struct {
	base int64 // the smallest offset that is not done
	next int64 // the offset after the latest one taken
	// done has one bit per offset from start on, set when the message is done; start is a multiple of 64.
	start int64
	done  []uint64
}

func newOffsets(first int64) *offsets {
	return &offsets{base: first, next: first, start: first &^ 63}
}

// take notes that a message was read. Offsets left out (compacted, or transaction markers) count as done.
func (o *offsets) take(offset int64) {
	o.skip(offset)
	o.next = max(o.next, offset+1)
	o.advance()
}

// skip counts everything before offset that was not taken as done.
func (o *offsets) skip(offset int64) {
	for at := o.next; at < offset; at++ {
		if at&63 == 0 && offset-at >= 64 { // whole words of a large gap
			o.word(at)
			o.done[(at-o.start)>>6] = ^uint64(0)
			at += 63
			continue
		}
		o.set(at)
	}
	o.next = max(o.next, offset)
	o.advance()
}

// finish notes that a message is in a written state.
func (o *offsets) finish(offset int64) {
	if offset >= o.base {
		o.set(offset)
	}
}

// committable is the offset to commit: all before it are done.
func (o *offsets) committable() int64 {
	o.advance()
	return o.base
}

// pending is the number of messages between the committable offset and the latest.
func (o *offsets) pending() int64 { return o.next - o.base }

func (o *offsets) word(offset int64) {
	for int64(len(o.done)) <= (offset-o.start)>>6 {
		o.done = append(o.done, 0)
	}
}

func (o *offsets) set(offset int64) {
	o.word(offset)
	o.done[(offset-o.start)>>6] |= 1 << (offset & 63)
}

func (o *offsets) advance() {
	for o.base < o.next {
		i := (o.base - o.start) >> 6
		if i >= int64(len(o.done)) {
			break
		}
		run := int64(bits.TrailingZeros64(^(o.done[i] >> (o.base & 63))))
		run = min(run, 64-o.base&63, o.next-o.base)
		if run == 0 {
			break
		}
		o.base += run
	}
	if words := (o.base - o.start) >> 6; words >= 1024 || words > 0 && words == int64(len(o.done)) {
		n := copy(o.done, o.done[words:])
		o.done = o.done[:n]
		o.start += words << 6
	}
}
