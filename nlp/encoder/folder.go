package encoder

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
)

// Names of the files of a model folder.
const (
	TokenizerFile = "tokenizer.json"
	TensorFile    = "model.safetensors"
	ConfigFile    = "config.json"
)

const (
	maxTokenizerBytes = 256 << 20
	maxTensorBytes    = 4 << 30
	maxConfigBytes    = 1 << 20
	// maxDim bounds the elements of a vector.
	maxDim = 4096
)

// Config is config.json. A folder of model2vec has more keys, which have no part here, and no ngrams.
type Config struct {
	ModelType string     `json:"model_type"`
	Ngrams    NgramKinds `json:"ngrams"`
}

// Names of tensors. embeddings, weights and mapping are those of model2vec; n-grams have theirs beside them.
const (
	// TokenVectors: I8, F16 or F32, (tokens, dim).
	TokenVectors = "embeddings"
	// NgramVectors: of the same type and scale, (n-grams, dim).
	NgramVectors = "ngrams"
	// NgramKeys: U32, (n-grams): their hashes.
	NgramKeys = "ngram_keys"
	// tokenWeights: a factor for each token.
	tokenWeights = "weights"
	// tokenMapping: the row of each token.
	tokenMapping = "mapping"
)

// OpenFS loads the encoder in the root of a file system.
func OpenFS(dir fs.FS) (*Encoder, error) {
	config, err := readFile(dir, ConfigFile, maxConfigBytes)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	text, err := readFile(dir, TokenizerFile, maxTokenizerBytes)
	if err != nil {
		return nil, err
	}
	data, err := readFile(dir, TensorFile, maxTensorBytes)
	if err != nil {
		return nil, err
	}
	return FromFiles(config, text, data)
}

// FromFiles loads an encoder from the contents of config.json, which may be empty, tokenizer.json and model.safetensors.
func FromFiles(config, text, data []byte) (e *Encoder, err error) {
	var c Config
	if len(config) > 0 {
		if err := json.Unmarshal(config, &c); err != nil {
			return nil, fmt.Errorf("%s: %w", ConfigFile, jsonError(config, err))
		}
	}
	if c.Ngrams.Order < 0 || c.Ngrams.Order > maxOrder {
		return nil, fmt.Errorf("%s: ngrams.order is %d: 0 to %d is understood", ConfigFile, c.Ngrams.Order, maxOrder)
	}
	e = &Encoder{version: digest(config, text, data), kinds: c.Ngrams}
	e.sums = sync.Pool{New: func() any { return new(sum) }}
	if e.vocabulary, e.library, err = readTokenizer(text); err != nil {
		return nil, fmt.Errorf("%s: %w", TokenizerFile, err)
	}
	tensors, err := ReadSafetensors(data)
	if err == nil {
		err = e.readVectors(tensors)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", TensorFile, err)
	}
	return e, nil
}

func readFile(dir fs.FS, name string, limit int64) ([]byte, error) {
	f, err := dir.Open(name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is missing: %w", name, fs.ErrNotExist)
		}
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is over the limit of %d bytes", name, limit)
	}
	return data, nil
}

func digest(files ...[]byte) string {
	h := sha256.New()
	for _, f := range files {
		var size [8]byte
		binary.LittleEndian.PutUint64(size[:], uint64(len(f)))
		h.Write(size[:])
		h.Write(f)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// readVectors takes the vectors out of the tensors.
func (e *Encoder) readVectors(tensors map[string]Tensor) error {
	t, ok := tensors[TokenVectors]
	if !ok {
		return fmt.Errorf("lacks the tensor %q", TokenVectors)
	}
	if len(t.Shape) != 2 || t.Shape[0] < 1 || t.Shape[1] < 1 || t.Shape[1] > maxDim {
		return fmt.Errorf("tensor %q has the shape %v: (tokens, elements) with 1 to %d elements is understood", TokenVectors, t.Shape, maxDim)
	}
	e.tokens, e.dim = t.Shape[0], t.Shape[1]
	if m, ok := tensors[tokenMapping]; ok {
		rows, err := m.integers(e.tokens)
		if err != nil {
			return fmt.Errorf("tensor %q %w", tokenMapping, err)
		}
		if len(rows) != e.vocabulary.Size() {
			return fmt.Errorf("tensor %q has %d rows, %s has %d tokens", tokenMapping, len(rows), TokenizerFile, e.vocabulary.Size())
		}
		e.rows = rows
	} else if e.tokens != e.vocabulary.Size() {
		return fmt.Errorf("tensor %q has %d rows, %s has %d tokens: they belong to different models", TokenVectors, e.tokens, TokenizerFile, e.vocabulary.Size())
	}
	ngrams, err := e.readNgrams(tensors)
	if err != nil {
		return err
	}
	weights, weighted := tensors[tokenWeights]
	if t.DType == "I8" && !weighted && e.dim%8 == 0 && e.dim <= maxSumDim {
		all := Tensor{DType: "I8", Data: append(t.Data[:len(t.Data):len(t.Data)], ngrams.Data...)}
		e.bytes, err = newByteRows(all, e.dim)
		return err
	}
	if e.floats, err = t.floats(); err != nil {
		return fmt.Errorf("tensor %q %w", TokenVectors, err)
	}
	if weighted {
		if err := e.weigh(weights); err != nil {
			return fmt.Errorf("tensor %q %w", tokenWeights, err)
		}
	}
	if ngrams.DType != "" {
		more, err := ngrams.floats()
		if err != nil {
			return fmt.Errorf("tensor %q %w", NgramVectors, err)
		}
		e.floats = append(e.floats, more...)
	}
	return nil
}

// readNgrams makes the table of n-grams and gives their vectors.
func (e *Encoder) readNgrams(tensors map[string]Tensor) (Tensor, error) {
	t, ok := tensors[NgramVectors]
	if !ok {
		return Tensor{}, nil
	}
	if len(t.Shape) != 2 || t.Shape[1] != e.dim || t.DType != tensors[TokenVectors].DType {
		return Tensor{}, fmt.Errorf("tensor %q of type %s and shape %v does not go with %q of type %s and %d elements", NgramVectors, t.DType, t.Shape, TokenVectors, tensors[TokenVectors].DType, e.dim)
	}
	k := tensors[NgramKeys]
	if k.DType != "U32" || len(k.Data) != 4*t.Shape[0] {
		return Tensor{}, fmt.Errorf("tensor %q must hold %d numbers of type U32, one for each row of %q", NgramKeys, t.Shape[0], NgramVectors)
	}
	keys := make([]uint32, t.Shape[0])
	for i := range keys {
		keys[i] = binary.LittleEndian.Uint32(k.Data[4*i:])
	}
	e.ngrams = newTable(keys)
	return t, nil
}

// weigh multiplies the vector of each token by its weight. Tokens that share a row get one of their own.
func (e *Encoder) weigh(t Tensor) error {
	w, err := t.floats()
	if err != nil {
		return err
	}
	if len(w) != e.vocabulary.Size() {
		return fmt.Errorf("has %d elements, %s has %d tokens", len(w), TokenizerFile, e.vocabulary.Size())
	}
	own := make([]float32, len(w)*e.dim)
	for id := range w {
		row := id
		if e.rows != nil {
			row = int(e.rows[id])
		}
		for i, x := range e.floats[row*e.dim : (row+1)*e.dim] {
			own[id*e.dim+i] = x * w[id]
		}
	}
	e.floats, e.rows, e.tokens = own, nil, len(w)
	return nil
}
