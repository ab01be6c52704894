package linear

// table finds the row of a key: open addressing over the lower 32 bits of the keys, behind a bit map that turns most
// absent keys away without touching the table.
type table struct {
	filter []uint64
	keys   []uint32 // 0 = free; the key 0 is stored as 1
	rows   []uint64 // words of the row of slot i: rows[i*words:]
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
		filter: make([]uint64, bits/64), keys: make([]uint32, size), rows: make([]uint64, size*words),
		mask: uint32(size - 1), fmask: uint32(bits - 1),
	}
	for i, k := range keys {
		k = notZero(k)
		b := filterBit(k) & t.fmask
		t.filter[b/64] |= 1 << (b % 64)
		at := slot(k) & t.mask
		for t.keys[at] != 0 {
			at = (at + 1) & t.mask
		}
		t.keys[at] = k
		row := t.rows[int(at)*words:][:words]
		for c := range words * 8 {
			w := uint8(bias)
			if c < classes {
				w = uint8(int(weights[i*classes+c]) + bias)
			}
			row[c/8] |= uint64(w) << (c % 8 * 8)
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

func slot(k uint32) uint32      { return k * 0x9E3779B1 >> 7 }
func filterBit(k uint32) uint32 { return k }

// find gives the slot of a key, or -1.
func (t *table) find(k uint32) int {
	b := filterBit(k) & t.fmask
	if t.filter[b/64]&(1<<(b%64)) == 0 {
		return -1
	}
	for at := slot(k) & t.mask; ; at = (at + 1) & t.mask {
		switch t.keys[at] {
		case k:
			return int(at)
		case 0:
			return -1
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
	if m.words == 2 {
		return m.sum2(sum, keys)
	}
	var acc [MaxClasses / 4]uint64
	n, found := 0, false
	flush := func() {
		for c := range m.classes {
			// Even bytes of a word stand in its first lane word, odd ones in the second.
			lane := acc[c/8*2+c%2] >> (c % 8 / 2 * 16) & 0xffff
			sum[c] += int32(lane) - int32(n)*bias
		}
		acc, n = [MaxClasses / 4]uint64{}, 0
	}
	for _, key := range keys {
		at := m.table.find(notZero(uint32(key)))
		if at < 0 {
			continue
		}
		for w, x := range m.table.rows[at*m.words:][:m.words] {
			acc[2*w] += x & lanes
			acc[2*w+1] += x >> 8 & lanes
		}
		if n++; n == flushEvery {
			flush()
		}
		found = true
	}
	if n > 0 {
		flush()
	}
	return found
}

// sum2 is sum for rows of two words, the form of the emotion model.
func (m *Model) sum2(sum *[MaxClasses]int32, keys []uint64) bool {
	var a, b, c, d uint64
	n, found := 0, false
	flush := func() {
		for k := range m.classes {
			var x uint64
			switch k/8*2 + k%2 {
			case 0:
				x = a
			case 1:
				x = b
			case 2:
				x = c
			default:
				x = d
			}
			sum[k] += int32(x>>(k%8/2*16)&0xffff) - int32(n)*bias
		}
		a, b, c, d, n = 0, 0, 0, 0, 0
	}
	for _, key := range keys {
		at := m.table.find(notZero(uint32(key)))
		if at < 0 {
			continue
		}
		x, y := m.table.rows[2*at], m.table.rows[2*at+1]
		a += x & lanes
		b += x >> 8 & lanes
		c += y & lanes
		d += y >> 8 & lanes
		if n++; n == flushEvery {
			flush()
		}
		found = true
	}
	if n > 0 {
		flush()
	}
	return found
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
