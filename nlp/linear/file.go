package linear

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// A model file is
//
//	magic "TINGKELM", version uint16, length of the metadata uint32, metadata (JSON, see Meta)
//	length of the packed body uint32, packed body (zstd), CRC-32 (IEEE) of all bytes before it uint32
//
// all little-endian. The unpacked body holds the weights of the dense features (float32, a row each), the keys of the
// sparse features ascending (uvarint of the difference to the one before) and their weights (int8, class by class).
const (
	magic       = "TINGKELM"
	fileVersion = 1
	maxMeta     = 1 << 20
	maxBody     = 256 << 20
)

// Write writes the model. The bytes depend on the model alone.
func (m *Model) Write(w io.Writer) error {
	meta, err := json.Marshal(m.meta)
	if err != nil {
		return fmt.Errorf("cannot write model: %w", err)
	}
	var body []byte
	for _, x := range m.dense {
		body = binary.LittleEndian.AppendUint32(body, math.Float32bits(x))
	}
	type row struct {
		key uint32
		at  int
	}
	var rows []row
	for at := 0; at < len(m.table.slots); at += m.table.stride {
		if k := uint32(m.table.slots[at]); k != 0 {
			rows = append(rows, row{k, at})
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return int(int64(a.key) - int64(b.key)) })
	last := uint32(0)
	for _, r := range rows {
		body = binary.AppendUvarint(body, uint64(r.key-last))
		last = r.key
	}
	for c := range m.classes {
		for _, r := range rows {
			body = append(body, byte(int(m.table.slots[r.at+1+c/8]>>(c%8*8)&0xff)-bias))
		}
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("cannot write model: %w", err)
	}
	body = enc.EncodeAll(body, nil)
	out := append([]byte(magic), 0, 0)
	binary.LittleEndian.PutUint16(out[len(magic):], fileVersion)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(meta)))
	out = append(out, meta...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(body)))
	out = append(out, body...)
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
	if _, err := w.Write(out); err != nil {
		return fmt.Errorf("cannot write model: %w", err)
	}
	return nil
}

// Read reads a model. A file of another kind or version, a part of a file and a damaged file are errors that say so.
func Read(r io.Reader) (*Model, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read model: %w", err)
	}
	m, err := parse(raw)
	if err != nil {
		return nil, fmt.Errorf("cannot read model: %w", err)
	}
	return m, nil
}

// Load reads a model from a file and checks that it is of this name and made for these features.
func Load(path, name, features string) (*Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read model %q: %w", path, err)
	}
	defer f.Close()
	m, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := m.Expect(name, features); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Expect checks that a model is of this name and made for these features.
func (m *Model) Expect(name, features string) error {
	if m.meta.Name != name || m.meta.Features != features {
		return fmt.Errorf("the model is %q for features %q, this program needs %q for %q: train it again with tingke train",
			m.meta.Name, m.meta.Features, name, features)
	}
	return nil
}

var errShort = errors.New("the file ends early: it is part of a model file")

func parse(raw []byte) (*Model, error) {
	b := raw
	take := func(n int) ([]byte, bool) {
		if n > len(b) {
			return nil, false
		}
		x := b[:n]
		b = b[n:]
		return x, true
	}
	head, ok := take(len(magic) + 6)
	if !ok || string(head[:len(magic)]) != magic {
		if ok || !bytes.HasPrefix([]byte(magic), raw[:min(len(raw), len(magic))]) {
			return nil, errors.New("not a model file: it does not begin with " + magic)
		}
		return nil, errShort
	}
	if v := binary.LittleEndian.Uint16(head[len(magic):]); v != fileVersion {
		return nil, fmt.Errorf("model file version %d, this program reads version %d: train the model again", v, fileVersion)
	}
	n := binary.LittleEndian.Uint32(head[len(magic)+2:])
	if n > maxMeta {
		return nil, fmt.Errorf("metadata of %d bytes, at most %d", n, maxMeta)
	}
	metaBytes, ok := take(int(n))
	size, ok2 := take(4)
	if !ok || !ok2 {
		return nil, errShort
	}
	packed, ok := take(int(binary.LittleEndian.Uint32(size)))
	sum, ok2 := take(4)
	if !ok || !ok2 {
		return nil, errShort
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%d bytes after the end of the model", len(b))
	}
	if crc32.ChecksumIEEE(raw[:len(raw)-4]) != binary.LittleEndian.Uint32(sum) {
		return nil, errors.New("the model file is damaged: its checksum does not hold")
	}
	var meta Meta
	d := json.NewDecoder(bytes.NewReader(metaBytes))
	d.DisallowUnknownFields()
	if err := d.Decode(&meta); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	if err := meta.check(); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	k := meta.classes()
	least, most := meta.Dense*k*4+meta.Sparse*(k+1), meta.Dense*k*4+meta.Sparse*(k+binary.MaxVarintLen32)
	dec, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(uint64(max(most, 1<<10))), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	body, err := dec.DecodeAll(packed, nil)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	if len(body) < least || len(body) > most {
		return nil, fmt.Errorf("weights of %d bytes do not fit %d dense and %d sparse features of %d classes", len(body), meta.Dense, meta.Sparse, k)
	}
	return parseBody(meta, body)
}

func parseBody(meta Meta, body []byte) (*Model, error) {
	k := meta.classes()
	dense := make([]float32, meta.Dense*k)
	for i := range dense {
		dense[i] = math.Float32frombits(binary.LittleEndian.Uint32(body[4*i:]))
		if x := float64(dense[i]); math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("dense weight %d is %v", i, x)
		}
	}
	body = body[4*len(dense):]
	keys := make([]uint32, meta.Sparse)
	last := uint64(0)
	for i := range keys {
		x, n := binary.Uvarint(body)
		if n <= 0 || x == 0 || last+x > math.MaxUint32 {
			return nil, fmt.Errorf("the key of sparse feature %d is wrong", i)
		}
		last += x
		keys[i], body = uint32(last), body[n:]
	}
	if len(body) != len(keys)*k {
		return nil, fmt.Errorf("%d bytes of weights for %d sparse features of %d classes", len(body), len(keys), k)
	}
	w := make([]int8, len(body))
	for c := range k {
		for i := range keys {
			x := int8(body[c*len(keys)+i])
			w[i*k+c] = max(x, -127)
		}
	}
	return assemble(meta, dense, keys, w), nil
}

// SetMeta gives a copy of the model that says more about itself. Only what does not decide scores is taken: Name, Features, Data,
// Sources, Date, Command, Figures, Params.
func (m *Model) SetMeta(x Meta) *Model {
	c := *m
	c.meta.Name, c.meta.Features, c.meta.Data, c.meta.Sources = x.Name, x.Features, x.Data, x.Sources
	c.meta.Date, c.meta.Command, c.meta.Figures, c.meta.Params = x.Date, x.Command, x.Figures, x.Params
	return &c
}
