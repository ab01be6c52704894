package encoder

// Features of a text beside its tokens are n-grams: runs of tokens and pairs with one token between. Each has a key, a
// 32-bit hash of its kind and tokens; those a model knows have a vector, others say nothing.

// maxOrder is the longest run of tokens that can be a feature.
const maxOrder = 4

// NgramKinds says which n-grams a model looks at.
type NgramKinds struct {
	// Order is the longest run, 1 for none.
	Order int `json:"order"`
	// Skip adds pairs of tokens with one between.
	Skip bool `json:"skip"`
	// Bounds adds the first and the last token with the border of the text.
	Bounds bool `json:"bounds"`
}

// border is the token before the first and after the last.
const border = int32(-2)

// key hashes a kind and tokens so that all 32 bits depend on all of them (finaliser of MurmurHash3).
func key(h uint64) uint32 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return uint32(h)
}

func join(h uint64, id int32) uint64 { return (h ^ uint64(uint32(id))) * 0x9e3779b97f4a7c15 }

// window holds the last tokens of a text.
type window struct {
	kinds NgramKinds
	last  [maxOrder - 1]int32
	n     int
}

// push takes the next token and calls put with the keys of all n-grams that end with it.
func (w *window) push(id int32, put func(uint32)) {
	h := join(0, id)
	for k := 1; k < w.kinds.Order && k <= w.n; k++ {
		h = join(h, w.last[k-1])
		put(key(h + uint64(k)))
	}
	if w.kinds.Skip && w.n >= 2 {
		put(key(join(join(0, id), w.last[1]) + 16))
	}
	if w.kinds.Bounds && w.n == 0 {
		put(key(join(join(0, id), border) + 17))
	}
	w.last[2], w.last[1], w.last[0] = w.last[1], w.last[0], id
	w.n++
}

// end calls put with the keys of the n-grams at the end of the text.
func (w *window) end(put func(uint32)) {
	if w.kinds.Bounds && w.n > 0 {
		put(key(join(join(0, border), w.last[0]) + 18))
	}
}

// Ngrams calls put with the keys of all n-grams of a row of tokens, in a fixed order.
func (k NgramKinds) Ngrams(tokens []Token, put func(uint32)) {
	w := window{kinds: k}
	for _, t := range tokens {
		w.push(t.ID, put)
	}
	w.end(put)
}

// table finds the row of a key by open addressing with linear probing.
type table struct {
	keys []uint32
	rows []int32
	mask uint32
}

func newTable(keys []uint32) *table {
	size := 16
	for size < 2*len(keys) {
		size *= 2
	}
	t := &table{keys: make([]uint32, size), rows: make([]int32, size), mask: uint32(size - 1)}
	for i := range t.rows {
		t.rows[i] = -1
	}
	for row, k := range keys {
		i := k & t.mask
		for t.rows[i] >= 0 {
			i = (i + 1) & t.mask
		}
		t.keys[i], t.rows[i] = k, int32(row)
	}
	return t
}

func (t *table) find(k uint32) int32 {
	for i := k & t.mask; ; i = (i + 1) & t.mask {
		if t.rows[i] < 0 || t.keys[i] == k {
			return t.rows[i]
		}
	}
}
