package train

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/tingke/tingke/nlp/encoder"
)

// prune keeps the n-grams that matter most: those whose vectors are long and that many texts hold. Rows of dropped ones
// are taken out of the model.
func (t *trainer) prune(limit int) {
	f, m := t.f, t.m
	if len(f.keys) <= limit {
		return
	}
	first := len(f.pieces)
	matter := func(i int) float64 {
		v := m.row(int32(first + i))
		return float64(dot(v, v)) * math.Sqrt(float64(f.count[first+i]))
	}
	order := make([]int, len(f.keys))
	weight := make([]float64, len(f.keys))
	for i := range order {
		order[i], weight[i] = i, matter(i)
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(weight[b], weight[a]), cmp.Compare(f.keys[a], f.keys[b]))
	})
	order = order[:limit]
	slices.Sort(order)
	keys, counts := make([]uint32, limit), slices.Clone(f.count[:first])
	vectors, squares := slices.Clone(m.vectors[:first*m.dim]), slices.Clone(m.squares[:first])
	for i, k := range order {
		keys[i] = f.keys[k]
		counts = append(counts, f.count[first+k])
		vectors = append(vectors, m.row(int32(first+k))...)
		squares = append(squares, m.squares[first+k])
	}
	f.keys, f.count, m.vectors, m.squares = keys, counts, vectors, squares
	f.index()
	clear(t.cache)
}

// write quantises the vectors to one byte an element, with one scale, and writes the model folder.
func (t *trainer) write(dir string, metadata map[string]string) error {
	f, m := t.f, t.m
	abs := make([]float32, 0, len(m.vectors))
	for _, x := range m.vectors {
		abs = append(abs, float32(math.Abs(float64(x))))
	}
	slices.Sort(abs)
	// A few elements far out are cut off, so that all others get finer steps.
	scale := 127 / abs[int(float64(len(abs)-1)*0.9999)]
	data := make([]byte, len(m.vectors))
	for i, x := range m.vectors {
		data[i] = byte(int8(max(-127, min(127, math.Round(float64(x*scale))))))
	}
	first := len(f.pieces) * m.dim
	var keys []byte
	for _, k := range f.keys {
		keys = binary.LittleEndian.AppendUint32(keys, k)
	}
	tensors := map[string]encoder.Tensor{
		encoder.TokenVectors: {DType: "I8", Shape: []int{len(f.pieces), m.dim}, Data: data[:first]},
		encoder.NgramVectors: {DType: "I8", Shape: []int{len(f.keys), m.dim}, Data: data[first:]},
		encoder.NgramKeys:    {DType: "U32", Shape: []int{len(f.keys)}, Data: keys},
	}
	var b bytes.Buffer
	if err := encoder.WriteSafetensors(&b, tensors, metadata); err != nil {
		return err
	}
	config, err := json.MarshalIndent(encoder.Config{ModelType: "tingke-static", Ngrams: f.kinds}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		encoder.TokenizerFile: encoder.TokenizerJSON(f.pieces, "[UNK]", normalizer),
		encoder.TensorFile:    b.Bytes(),
		encoder.ConfigFile:    append(config, '\n'),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			return err
		}
	}
	return nil
}
