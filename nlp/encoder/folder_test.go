package encoder

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// model2vec is a small folder of that kind: float vectors, Bert's normalizer with its defaults.
func model2vec(t testing.TB) map[string][]byte {
	pieces := strings.Fields("[PAD] [UNK] 面 膜 贵 为 什 么 where is my card ##s ? , cafe e i ##i")
	v := make([]float32, len(pieces)*4)
	for i := range v {
		v[i] = float32((i*7)%11) - 5
	}
	return map[string][]byte{
		TokenizerFile: []byte(`{"normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true},
			"pre_tokenizer":{"type":"BertPreTokenizer"},"added_tokens":[{"id":0,"content":"[PAD]","special":true}],"post_processor":{"type":"nonsense"},
			"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":` + vocab(pieces) + `}}`),
		TensorFile: safetensors(t, map[string]Tensor{TokenVectors: f32(v, len(pieces), 4)}),
		ConfigFile: []byte(`{"model_type":"model2vec","normalize":true,"hidden_dim":4}`),
	}
}

func vocab(pieces []string) string {
	j := string(TokenizerJSON(pieces, pieces[0], Normalizer{}))
	return strings.TrimSuffix(j[strings.Index(j, `"vocab":`)+len(`"vocab":`):], "}}\n")
}

func f32(v []float32, shape ...int) Tensor {
	t := Tensor{DType: "F32", Shape: shape}
	for _, x := range v {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(x))
	}
	return t
}

func safetensors(t testing.TB, tensors map[string]Tensor) []byte {
	var b bytes.Buffer
	if err := WriteSafetensors(&b, tensors, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func writeFolder(t testing.TB, files map[string][]byte) string {
	dir := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A folder of model2vec gives the mean of its tokens' vectors, without the unknown ones.
func TestModel2vec(t *testing.T) {
	files := model2vec(t)
	e, err := Open(writeFolder(t, files))
	if err != nil {
		t.Fatal(err)
	}
	mean := func(ids ...int) []float32 {
		out := make([]float32, 4)
		for _, id := range ids {
			for i := range out {
				out[i] += float32(((4*id+i)*7)%11) - 5
			}
		}
		normaliseFloats(out)
		return out
	}
	f := func(text string, ids ...int) {
		t.Helper()
		if got, want := e.Encode(nil, text), mean(ids...); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
	f("面膜贵", 2, 3, 4)
	f("Where IS my cards?", 8, 9, 10, 11, 12, 13)
	f("面X膜", 2, 3) // X is no token: unknown words say nothing
	f("Cafe\u0301", 15)
	f("[PAD]") // what a customer writes is text, not a control token
	for _, s := range []string{"Where is my CARDs,面膜?", "CAFÉ e ﬁ", "a\u0301 ，贵 \u200b面", "面\x00膜 \ufffd card", "𠮷豈䦅is", "ΣΑΣ card\u00a0is"} {
		ids, err := libraryIDs(e.library, s)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, token := range e.vocabulary.Tokens(nil, s) {
			got = append(got, int(token.ID))
		}
		if !slices.Equal(got, ids) {
			t.Errorf("%q: compiled %v, library %v", s, got, ids)
		}
	}
	if e.Version() == builtin(t).Version() || len(e.Version()) != 16 {
		t.Errorf("version %q", e.Version())
	}

	// Weights, mapping and other types of numbers.
	n := 19
	w := make([]float32, n)
	rows := Tensor{DType: "I64", Shape: []int{n}}
	for i := range w {
		w[i] = 1
		rows.Data = binary.LittleEndian.AppendUint64(rows.Data, uint64(i%2))
	}
	w[3] = 2
	files[TensorFile] = safetensors(t, map[string]Tensor{
		TokenVectors: {DType: "F16", Shape: []int{2, 2}, Data: []byte{0, 0x3c, 0, 0, 0, 0, 0, 0xbc}}, // (1, 0), (0, -1)
		tokenWeights: f32(w, n), tokenMapping: rows,
	})
	if e, err = Open(writeFolder(t, files)); err != nil {
		t.Fatal(err)
	}
	if got, want := e.Encode(nil, "面膜"), []float32{1 / float32(math.Sqrt(5)), -2 / float32(math.Sqrt(5))}; math.Abs(float64(got[0]-want[0]))+math.Abs(float64(got[1]-want[1])) > 1e-6 {
		t.Errorf("weighted: got %v, want %v", got, want)
	}
}

// One byte an element gives the same as floats do, also beyond what a lane holds.
func TestByteSums(t *testing.T) {
	pieces := strings.Fields("[UNK] 面 膜 贵")
	data := make([]byte, 4*16)
	var v []float32
	for i := range data {
		data[i] = byte(i*37 + 11)
		v = append(v, float32(int8(data[i])))
	}
	open := func(vectors Tensor) *Encoder {
		e, err := FromFiles(nil, TokenizerJSON(pieces, "[UNK]", Normalizer{HandleChineseChars: true}), safetensors(t, map[string]Tensor{TokenVectors: vectors}))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	bytes, floats := open(Tensor{DType: "I8", Shape: []int{4, 16}, Data: data}), open(f32(v, 4, 16))
	if bytes.bytes == nil || floats.bytes != nil {
		t.Fatal("the types of vectors are mixed up")
	}
	for _, s := range []string{"面", "面膜贵", strings.Repeat("面膜", 127) + "贵", strings.Repeat("面", 256), strings.Repeat("面膜贵", 5000)} {
		a, b := bytes.Encode(nil, s), floats.Encode(nil, s)
		for i := range a {
			if math.Abs(float64(a[i]-b[i])) > 1e-5 {
				t.Fatalf("%d bytes of text: element %d is %v and %v", len(s), i, a[i], b[i])
			}
		}
	}
}

// A wrong folder is one error that names the file and what is wrong.
func TestWrongFolders(t *testing.T) {
	good := model2vec(t)
	if _, err := Open(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("a folder that is not there: %v", err)
	}
	file := filepath.Join(writeFolder(t, good), TensorFile)
	if _, err := Open(file); err == nil || !strings.Contains(err.Error(), "is a file") {
		t.Errorf("a file for a folder: %v", err)
	}
	f := func(name, old, new, want string) {
		t.Helper()
		files := model2vec(t)
		if old == "" {
			files[name] = []byte(new)
		} else {
			if !bytes.Contains(files[name], []byte(old)) {
				t.Fatalf("%s has no %q", name, old)
			}
			files[name] = bytes.ReplaceAll(files[name], []byte(old), []byte(new))
		}
		dir := writeFolder(t, files)
		if new == "absent" {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		_, err := Open(dir)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s with %.60q for %.60q: got %v, want %q", name, new, old, err, want)
		}
	}
	f(TokenizerFile, "", "absent", "tokenizer.json is missing")
	f(TensorFile, "", "absent", "model.safetensors is missing")
	f(TokenizerFile, "", "{", "tokenizer.json: line 1")
	f(TokenizerFile, "", "[]", "tokenizer.json: line 1")
	f(TokenizerFile, "", "{}", "has no model")
	f(TokenizerFile, "", `{"model":{"type":7}}`, "model:")
	f(TokenizerFile, `"WordPiece"`, `"Unigram"`, `model.type is "Unigram"`)
	f(TokenizerFile, `"WordPiece"`, `"BPE"`, `model.type is "BPE"`)
	f(TokenizerFile, `"BertPreTokenizer"`, `"Whitespace"`, "pre_tokenizer.type")
	f(TokenizerFile, `"BertNormalizer"`, `"NFKC"`, "normalizer.type")
	f(TokenizerFile, `"[UNK]":1`, `"[UNX]":1`, `lacks the unknown token "[UNK]"`)
	f(TokenizerFile, `:18}`, `:17}`, "share the id 17")
	f(TokenizerFile, `:18}`, `:-1}`, "id -1")
	f(TokenizerFile, `:18}`, `:1e30}`, "model:")
	f(TokenizerFile, `:18}`, `:"x"}`, "model:")
	f(TokenizerFile, `"max_input_chars_per_word":100`, `"max_input_chars_per_word":0`, "max_input_chars_per_word")
	f(TokenizerFile, `"##","max`, `"@@","max`, "continuing_subword_prefix")
	f(ConfigFile, "", "{", "config.json: line 1")
	f(ConfigFile, "", `{"ngrams":{"order":99}}`, "ngrams.order is 99")
	f(TensorFile, "", "abc", "too few")
	f(TensorFile, "", "PK\x03\x04 a zip file or so", "no safetensors file")
	f(TensorFile, "", string(good[TensorFile][:len(good[TensorFile])-1]), "cut off")
	f(TensorFile, `"embeddings"`, `"embeddingz"`, `lacks the tensor "embeddings"`)
	f(TensorFile, `"F32"`, `"F99"`, `unknown type "F99"`)
	f(TensorFile, `"F32"`, `"I32"`, "I32")
	f(TensorFile, `[19,4]`, `[4,19]`, "tokenizer.json has 19 tokens")
	f(TensorFile, `[19,4]`, `[76,]`, "not JSON")
	f(TensorFile, `[19,4]`, `[1e9]`, "tensor")
	f(TensorFile, "", string(safetensors(t, map[string]Tensor{TokenVectors: f32(append(make([]float32, 75), float32(math.NaN())), 19, 4)})), "no finite number")
}

// Declared sizes are not believed.
func TestHugeSizes(t *testing.T) {
	f := func(header string) {
		t.Helper()
		data := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
		if _, err := ReadSafetensors(data); err == nil {
			t.Errorf("%s is taken", header)
		}
	}
	f(`{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}}`)
	f(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`)
	f(`{"a":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}`)
	f(`{"a":{"dtype":"I8","shape":[1],"data_offsets":[18446744073709551615,0]}}`)
	f(`{"a":{"dtype":"I8","shape":[-1],"data_offsets":[0,0]}}`)
	for _, size := range []uint64{math.MaxUint64, 1 << 62, 1 << 40, 9} {
		if _, err := ReadSafetensors(append(binary.LittleEndian.AppendUint64(nil, size), "{}"...)); err == nil {
			t.Errorf("a header of %d bytes is taken", size)
		}
	}
}

func FuzzSafetensors(f *testing.F) {
	good := model2vec(f)[TensorFile]
	f.Add(good)
	f.Add(good[:20])
	f.Add(safetensors(f, map[string]Tensor{
		TokenVectors: {DType: "I8", Shape: []int{19, 8}, Data: make([]byte, 19*8)},
		NgramVectors: {DType: "I8", Shape: []int{2, 8}, Data: make([]byte, 16)}, NgramKeys: {DType: "U32", Shape: []int{2}, Data: make([]byte, 8)},
	}))
	f.Add(safetensors(f, map[string]Tensor{TokenVectors: {DType: "F16", Shape: []int{19, 2}, Data: make([]byte, 19*4)}, tokenWeights: f32(make([]float32, 19), 19)}))
	f.Add([]byte{})
	f.Add(append(binary.LittleEndian.AppendUint64(nil, 2), "{}"...))
	v, _, err := readTokenizer(model2vec(f)[TokenizerFile])
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tensors, err := ReadSafetensors(data)
		if err != nil {
			return
		}
		total := 0
		for _, x := range tensors {
			total = max(total, len(x.Data))
		}
		if total > len(data) {
			t.Fatal("a tensor is larger than its file")
		}
		e := &Encoder{vocabulary: v, kinds: NgramKinds{Order: 2}}
		e.sums.New = func() any { return new(sum) }
		if err := e.readVectors(tensors); err == nil {
			e.Encode(nil, "面膜为什么贵?")
		}
	})
}

func FuzzTokenizer(f *testing.F) {
	good := model2vec(f)
	f.Add(string(good[TokenizerFile]), "面膜 Café")
	f.Add(`{"model":{"type":"WordPiece","vocab":{"[UNK]":0,"##a":1,"#":2}}, "pre_tokenizer":{"type":"BertPreTokenizer"}}`, "##a b")
	f.Add(`{"model":null}`, "")
	f.Fuzz(func(t *testing.T, text, s string) {
		v, lib, err := readTokenizer([]byte(text))
		if err != nil {
			return
		}
		tokens := v.Tokens(nil, s)
		for i, x := range tokens {
			if x.ID < 0 || int(x.ID) >= v.Size() || x.Start >= x.End || x.End > len(s) || i > 0 && x.Start < tokens[i-1].Start {
				t.Fatalf("%q: tokens %v", s, tokens)
			}
		}
		_ = lib
	})
}
