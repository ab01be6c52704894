package encoder

import (
	"encoding/binary"
	"fmt"
)

// Vectors of one byte an element are summed as whole numbers, eight elements at a time: a sum has no rounding and depends
// on no order, so that every machine gives the same. Elements are kept with 128 added, as unsigned bytes; the even and
// the odd ones of a word of 64 bits are added into 16-bit lanes, which hold lanesFull rows before they must be emptied.
const lanesFull = 256

// byteRows are vectors of int8. The number of elements is a multiple of 8.
type byteRows struct {
	words []uint64
	dim   int
}

func newByteRows(t Tensor, dim int) (*byteRows, error) {
	if dim%8 != 0 {
		return nil, fmt.Errorf("vectors of %d elements: a multiple of 8 is needed", dim)
	}
	b := &byteRows{dim: dim, words: make([]uint64, len(t.Data)/8)}
	for i := range b.words {
		b.words[i] = binary.LittleEndian.Uint64(t.Data[8*i:]) ^ 0x8080808080808080
	}
	return b, nil
}

// sum adds up rows of up to maxSumDim elements.
type sum struct {
	even, odd [maxSumDim / 8]uint64
	// total holds what left the lanes, by element.
	total [maxSumDim]int32
	rows  int
	// all counts the rows in total.
	all int
}

const maxSumDim = 512

const evenLanes = 0x00ff00ff00ff00ff

func (s *sum) reset(words int) {
	clear(s.even[:words])
	clear(s.odd[:words])
	s.rows, s.all = 0, 0
}

func (s *sum) add(b *byteRows, row int32) {
	n := b.dim / 8
	w := b.words[int(row)*n : int(row)*n+n]
	even, odd := s.even[:len(w)], s.odd[:len(w)]
	for i, x := range w {
		even[i] += x & evenLanes
		odd[i] += x >> 8 & evenLanes
	}
	if s.rows++; s.rows == lanesFull {
		s.spill(b.dim)
	}
}

// spill empties the lanes into total.
func (s *sum) spill(dim int) {
	if s.all == 0 {
		clear(s.total[:dim])
	}
	for i := range dim / 8 {
		for k := range 4 {
			s.total[8*i+2*k] += int32(s.even[i] >> (16 * k) & 0xffff)
			s.total[8*i+2*k+1] += int32(s.odd[i] >> (16 * k) & 0xffff)
		}
		s.even[i], s.odd[i] = 0, 0
	}
	s.all += s.rows
	s.rows = 0
}

// result gives the sums of the elements as they were before 128 was added.
func (s *sum) result(dim int) []int32 {
	s.spill(dim)
	offset := int32(128 * s.all)
	out := s.total[:dim]
	for i := range out {
		out[i] -= offset
	}
	return out
}
