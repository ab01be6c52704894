package encoder

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
)

// Tensor is one array of a safetensors file.
type Tensor struct {
	// DType is the type of an element as safetensors writes it: I8, U32, F16, F32 ...
	DType string
	Shape []int
	// Data holds the elements, little endian, row by row.
	Data []byte
}

const (
	// maxHeader bounds the header of a safetensors file, as the reference implementation does.
	maxHeader = 100 << 20
	// maxTensors bounds how many arrays a file may name.
	maxTensors = 10_000
)

var elementSize = map[string]int{"I8": 1, "U8": 1, "BOOL": 1, "F16": 2, "BF16": 2, "I16": 2, "U16": 2, "F32": 4, "I32": 4, "U32": 4, "F64": 8, "I64": 8, "U64": 8}

// ReadSafetensors splits a file into its arrays, which share memory with data. It checks every size against what is there,
// so that a damaged or hostile file gives an error and takes no memory.
func ReadSafetensors(data []byte) (map[string]Tensor, error) {
	if len(data) < 8 {
		return nil, fmt.Errorf("%d bytes are too few for a safetensors file", len(data))
	}
	size := binary.LittleEndian.Uint64(data)
	if size > maxHeader || size > uint64(len(data)-8) {
		return nil, fmt.Errorf("the header says it has %d bytes, the file has %d: it is cut off, or no safetensors file", size, len(data))
	}
	header, body := data[8:8+size], data[8+size:]
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(header, &entries); err != nil {
		return nil, fmt.Errorf("the header is not JSON: %w", err)
	}
	if len(entries) > maxTensors {
		return nil, fmt.Errorf("the header names %d tensors, over the limit of %d", len(entries), maxTensors)
	}
	tensors := map[string]Tensor{}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if name == "__metadata__" {
			continue
		}
		var e struct {
			DType   string   `json:"dtype"`
			Shape   []uint64 `json:"shape"`
			Offsets []uint64 `json:"data_offsets"`
		}
		if err := json.Unmarshal(entries[name], &e); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		element, ok := elementSize[e.DType]
		if !ok {
			return nil, fmt.Errorf("tensor %q has the unknown type %q", name, e.DType)
		}
		if len(e.Offsets) != 2 || e.Offsets[0] > e.Offsets[1] || e.Offsets[1] > uint64(len(body)) {
			return nil, fmt.Errorf("tensor %q lies at %v, the file has %d bytes of data: it is cut off", name, e.Offsets, len(body))
		}
		length := e.Offsets[1] - e.Offsets[0]
		want := uint64(element)
		shape := make([]int, len(e.Shape))
		for i, n := range e.Shape {
			if n > math.MaxInt32 || n > 0 && want > uint64(len(body))/n {
				return nil, fmt.Errorf("tensor %q of shape %v does not fit into the file", name, e.Shape)
			}
			want *= n
			shape[i] = int(n)
		}
		if want != length {
			return nil, fmt.Errorf("tensor %q of type %s and shape %v needs %d bytes, has %d", name, e.DType, e.Shape, want, length)
		}
		tensors[name] = Tensor{e.DType, shape, body[e.Offsets[0]:e.Offsets[1]]}
	}
	return tensors, nil
}

// WriteSafetensors writes arrays in the order of their names; equal input gives equal bytes.
func WriteSafetensors(w io.Writer, tensors map[string]Tensor, metadata map[string]string) error {
	type entry struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	header := map[string]any{}
	if len(metadata) > 0 {
		header["__metadata__"] = metadata
	}
	// Wider elements come first, so that each array begins at a multiple of its element's size.
	names := slices.SortedFunc(maps.Keys(tensors), func(a, b string) int {
		return cmp.Or(elementSize[tensors[b].DType]-elementSize[tensors[a].DType], cmp.Compare(a, b))
	})
	at := 0
	for _, name := range names {
		t := tensors[name]
		want := elementSize[t.DType]
		for _, n := range t.Shape {
			want *= n
		}
		if want == 0 || want != len(t.Data) {
			return fmt.Errorf("tensor %q of type %s and shape %v has %d bytes", name, t.DType, t.Shape, len(t.Data))
		}
		header[name] = entry{t.DType, t.Shape, [2]int{at, at + len(t.Data)}}
		at += len(t.Data)
	}
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	out := bytes.NewBuffer(binary.LittleEndian.AppendUint64(nil, uint64(len(text))))
	out.Write(text)
	for _, name := range names {
		out.Write(tensors[name].Data)
	}
	_, err = w.Write(out.Bytes())
	return err
}

// floats gives the elements of t as float32. Values that are no finite numbers are an error.
func (t Tensor) floats() ([]float32, error) {
	size := elementSize[t.DType]
	out := make([]float32, len(t.Data)/size)
	for i := range out {
		b := t.Data[i*size:]
		switch t.DType {
		case "F32":
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b))
		case "F64":
			out[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b)))
		case "F16":
			out[i] = half(binary.LittleEndian.Uint16(b))
		case "BF16":
			out[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16)
		case "I8":
			out[i] = float32(int8(b[0]))
		default:
			return nil, fmt.Errorf("has the type %s; F16, BF16, F32, F64 and I8 are understood", t.DType)
		}
		if x := float64(out[i]); math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, errors.New("holds a value that is no finite number")
		}
	}
	return out, nil
}

// integers gives the elements of t as non-negative numbers below limit.
func (t Tensor) integers(limit int) ([]int32, error) {
	size := elementSize[t.DType]
	out := make([]int32, len(t.Data)/size)
	for i := range out {
		b := t.Data[i*size:]
		var v uint64
		switch t.DType {
		case "I32", "U32":
			v = uint64(binary.LittleEndian.Uint32(b))
		case "I64", "U64":
			v = binary.LittleEndian.Uint64(b)
		default:
			return nil, fmt.Errorf("has the type %s; whole numbers are needed", t.DType)
		}
		if v >= uint64(limit) {
			return nil, fmt.Errorf("names row %d of %d", v, limit)
		}
		out[i] = int32(v)
	}
	return out, nil
}

// half widens an IEEE 754 half-precision number.
func half(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exponent {
	case 0:
		x := float32(fraction) / (1 << 24)
		if sign != 0 {
			x = -x
		}
		return x
	case 0x1f:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}
