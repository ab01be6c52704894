package linear

// table finds the row of a key: open addressing over the lower 32 bits of the keys, behind a bit map that turns most
// absent keys away without touching the table. A slot holds the key (0 = free; the key 0 is stored as 1) and then the words
// of the row, so that a hit costs one cache line.
type table struct {
	filter []uint64
	slots  []uint64 // of stride words each
	stride int
	mask   uint32
	fmask  uint32
}

// bias makes the weights of a row unsigned, so that eight of them add in one word.
const bias = 128

func newTable(keys []uint32, weights []int8, classes, words int) table {
	size := 16
	for size*3 < len(keys)*4 {
		size *= 2
	}
	bits := max(64, size*8)
	t := table{
		filter: make([]uint64, bits/64), slots: makeWords(size * (words + 1)), stride: words + 1,
		mask: uint32(size - 1), fmask: uint32(bits - 1),
	}
	for i, k := range keys {
		k = notZero(k)
		b := k & t.fmask
		t.filter[b/64] |= 1 << (b % 64)
		at := slot(k) & t.mask
		for t.slots[int(at)*t.stride] != 0 {
			at = (at + 1) & t.mask
		}
		s := t.slots[int(at)*t.stride:][:t.stride]
		s[0] = uint64(k)
		for c := range words * 8 {
			w := uint8(bias)
			if c < classes {
				w = uint8(int(weights[i*classes+c]) + bias)
			}
			s[1+c/8] |= uint64(w) << (c % 8 * 8)
		}
	}
	return t
}

func notZero(k uint32) uint32 {
	if k == 0 {
		return 1
	}
	return k
}

func slot(k uint32) uint32 { return k * 0x9E3779B1 >> 7 }

// row gives the row of a key that the filter let through, or nil.
func (t *table) row(k uint32) []uint64 {
	for at := slot(k) & t.mask; ; at = (at + 1) & t.mask {
		s := t.slots[int(at)*t.stride:][:t.stride]
		switch s[0] {
		case uint64(k):
			return s[1:]
		case 0:
			return nil
		}
	}
}

// flushEvery is how many rows fit the 16-bit lanes of the sum.
const flushEvery = 256

const lanes = 0x00ff00ff00ff00ff

// AddSparse adds value times the weights of every key to scores, which has Classes entries. Keys the model does not know
// add nothing. The sum over the keys is exact, so their order does not matter.
func (m *Model) AddSparse(scores []float32, keys []uint64, value float32) {
	var sum [MaxClasses]int32
	if !m.sum(&sum, keys) {
		return
	}
	for c := range m.classes {
		scores[c] += float32(value * m.meta.Scales[c] * float32(sum[c]))
	}
}

func (m *Model) sum(sum *[MaxClasses]int32, keys []uint64) bool {
	var acc [MaxClasses / 4]uint64
	n, found := 0, false
	// In batches: first those the filter lets through, then what stands in their slots, both without a branch, so that the
	// loads overlap; then the rows, which lie in the cache by now.
	var batch, heads [64]uint32
	t := &m.table
	for len(keys) > 0 {
		part := keys[:min(len(keys), len(batch))]
		keys = keys[len(part):]
		passed := 0
		for _, key := range part {
			k := notZero(uint32(key))
			b := k & t.fmask
			batch[passed&63] = k
			passed += int(t.filter[b/64] >> (b % 64) & 1)
		}
		for i, k := range batch[:passed] {
			heads[i&63] = uint32(t.slots[int(slot(k)&t.mask)*t.stride])
		}
		for i, k := range batch[:passed] {
			var row []uint64
			if heads[i&63] == k {
				row = t.slots[int(slot(k)&t.mask)*t.stride+1:][:t.stride-1]
			} else if row = t.row(k); row == nil {
				continue
			}
			if len(row) == 3 {
				// The usual width, without a loop.
				x, y, z := row[0], row[1], row[2]
				acc[0] += x & lanes
				acc[1] += x >> 8 & lanes
				acc[2] += y & lanes
				acc[3] += y >> 8 & lanes
				acc[4] += z & lanes
				acc[5] += z >> 8 & lanes
			} else {
				for w, x := range row {
					acc[2*w] += x & lanes
					acc[2*w+1] += x >> 8 & lanes
				}
			}
			if n++; n == flushEvery {
				m.flush(sum, &acc, n)
				n = 0
			}
			found = true
		}
	}
	if n > 0 {
		m.flush(sum, &acc, n)
	}
	return found
}

// flush moves the lanes of n rows to the sum. Even bytes of a word stand in its first lane word, odd ones in the second.
func (m *Model) flush(sum *[MaxClasses]int32, acc *[MaxClasses / 4]uint64, n int) {
	for c := range m.classes {
		lane := acc[c/8*2+c%2] >> (c % 8 / 2 * 16) & 0xffff
		sum[c] += int32(lane) - int32(n)*bias
	}
	*acc = [MaxClasses / 4]uint64{}
}

// AddDense adds the weights of the dense features, each times its value, to scores. dense has Meta().Dense entries.
func (m *Model) AddDense(scores []float32, dense []float32) {
	for i, v := range dense {
		if v == 0 {
			continue
		}
		row := m.dense[i*m.classes:][:m.classes]
		for c, w := range row {
			scores[c] += float32(v * w)
		}
	}
}
