package encoder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sugarme/tokenizer"
	"github.com/sugarme/tokenizer/pretrained"
)

// maxVocabulary bounds the number of tokens.
const maxVocabulary = 2_000_000

// tokenizerFile is the part of a tokenizer.json that is read here. Added tokens, truncation, padding, post-processor and
// decoder have no part in a mean of vectors and are left out: the literal text [CLS] that a customer writes is text.
type tokenizerFile struct {
	Normalizer   json.RawMessage `json:"normalizer"`
	PreTokenizer json.RawMessage `json:"pre_tokenizer"`
	Model        json.RawMessage `json:"model"`
}

type bertNormalizer struct {
	Type               string `json:"type"`
	CleanText          bool   `json:"clean_text"`
	HandleChineseChars bool   `json:"handle_chinese_chars"`
	// StripAccents null means: as Lowercase.
	StripAccents *bool `json:"strip_accents"`
	Lowercase    bool  `json:"lowercase"`
}

type typed struct {
	Type string `json:"type"`
}

type wordPiece struct {
	Type      string           `json:"type"`
	Unknown   string           `json:"unk_token"`
	Prefix    *string          `json:"continuing_subword_prefix"`
	MaxLength *int             `json:"max_input_chars_per_word"`
	Vocab     map[string]int64 `json:"vocab"`
}

// readTokenizer reads and checks a tokenizer.json, gives it to sugarme/tokenizer, and compiles what that made of it.
func readTokenizer(data []byte) (*Vocabulary, *tokenizer.Tokenizer, error) {
	var f tokenizerFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, nil, jsonError(data, err)
	}
	if isNull(f.Model) {
		return nil, nil, errors.New("has no model: it is no tokenizer.json")
	}
	var kind typed
	if err := json.Unmarshal(f.Model, &kind); err != nil {
		return nil, nil, fmt.Errorf("model: %w", err)
	}
	if kind.Type != "WordPiece" {
		return nil, nil, fmt.Errorf("model.type is %q: WordPiece is understood", kind.Type)
	}
	n, err := readNormalizer(f.Normalizer)
	if err != nil {
		return nil, nil, err
	}
	var pre typed
	if !isNull(f.PreTokenizer) {
		if err := json.Unmarshal(f.PreTokenizer, &pre); err != nil {
			return nil, nil, fmt.Errorf("pre_tokenizer: %w", err)
		}
	}
	if pre.Type != "BertPreTokenizer" {
		return nil, nil, fmt.Errorf("pre_tokenizer.type is %q: with a WordPiece model, BertPreTokenizer is understood", pre.Type)
	}
	pieces, unknown, maxWord, err := readWordPiece(f.Model)
	if err != nil {
		return nil, nil, err
	}
	library, err := loadLibrary(tokenizerJSON(pieces, unknown, maxWord, n))
	if err != nil {
		return nil, nil, err
	}
	v, err := NewVocabulary(piecesOf(library, len(pieces)), unknown, maxWord, n)
	if err != nil {
		return nil, nil, err
	}
	if err := compare(library, v); err != nil {
		return nil, nil, err
	}
	return v, library, nil
}

// probes are texts that the library and the compiled vocabulary must cut alike when a model is loaded.
var probes = []string{"为什么面膜b比面膜a贵了一百多块钱?", "我的订单123456789怎么还没发货,快点!!", "where is my new card?it hasn't arrived", "好[笑]的 ok~、。…", "ＡＢ é ω"}

// compare cuts the probes both ways.
func compare(t *tokenizer.Tokenizer, v *Vocabulary) error {
	for _, p := range probes {
		want, err := libraryIDs(t, p)
		if err != nil {
			return err
		}
		var got []int
		for _, token := range v.Tokens(nil, p) {
			got = append(got, int(token.ID))
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("sugarme/tokenizer cuts %q into %v, the vocabulary compiled from it into %v", p, want, got)
		}
	}
	return nil
}

// libraryIDs are the tokens that the library finds.
func libraryIDs(t *tokenizer.Tokenizer, text string) (ids []int, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("sugarme/tokenizer cannot cut %q: %v", text, r)
		}
	}()
	e, err := t.EncodeSingle(text)
	if err != nil {
		return nil, fmt.Errorf("sugarme/tokenizer cannot cut %q: %w", text, err)
	}
	return e.Ids, nil
}

func isNull(m json.RawMessage) bool { return len(m) == 0 || string(m) == "null" }

// jsonError adds the line to an error of encoding/json.
func jsonError(data []byte, err error) error {
	var at int64
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
	case errors.As(err, &kind):
		at = kind.Offset
	default:
		return err
	}
	return fmt.Errorf("line %d: %w", 1+bytes.Count(data[:min(at, int64(len(data)))], []byte("\n")), err)
}

func readNormalizer(m json.RawMessage) (Normalizer, error) {
	if isNull(m) {
		return Normalizer{}, nil
	}
	// The defaults of the Hugging Face format.
	b := bertNormalizer{CleanText: true, HandleChineseChars: true, Lowercase: true}
	if err := json.Unmarshal(m, &b); err != nil {
		return Normalizer{}, fmt.Errorf("normalizer: %w", err)
	}
	if b.Type != "BertNormalizer" {
		return Normalizer{}, fmt.Errorf("normalizer.type is %q: with a WordPiece model, BertNormalizer or null is understood", b.Type)
	}
	n := Normalizer{b.CleanText, b.HandleChineseChars, b.Lowercase, b.Lowercase}
	if b.StripAccents != nil {
		n.StripAccents = *b.StripAccents
	}
	return n, nil
}

// readWordPiece gives the pieces by id.
func readWordPiece(m json.RawMessage) (pieces []string, unknown string, maxWord int, err error) {
	var w wordPiece
	if err := json.Unmarshal(m, &w); err != nil {
		return nil, "", 0, fmt.Errorf("model: %w", err)
	}
	if w.Prefix != nil && *w.Prefix != continuation {
		return nil, "", 0, fmt.Errorf("model.continuing_subword_prefix is %q: %q is understood", *w.Prefix, continuation)
	}
	if unknown = w.Unknown; unknown == "" {
		unknown = "[UNK]"
	}
	maxWord = 100
	if w.MaxLength != nil {
		maxWord = *w.MaxLength
	}
	if maxWord <= 0 || maxWord > 10_000 {
		return nil, "", 0, fmt.Errorf("model.max_input_chars_per_word is %d: 1 to 10,000 is understood", maxWord)
	}
	if len(w.Vocab) == 0 || len(w.Vocab) > maxVocabulary {
		return nil, "", 0, fmt.Errorf("model.vocab has %d tokens: 1 to %d are understood", len(w.Vocab), maxVocabulary)
	}
	pieces = make([]string, len(w.Vocab))
	for token, id := range w.Vocab {
		if token == "" || !utf8.ValidString(token) {
			return nil, "", 0, fmt.Errorf("model.vocab: the token of id %d is empty or not UTF-8", id)
		}
		if id < 0 || id >= int64(len(pieces)) {
			return nil, "", 0, fmt.Errorf("model.vocab: id %d of %q is outside of 0..%d: ids must have no gaps", id, token, len(pieces)-1)
		}
		if other := pieces[id]; other != "" {
			return nil, "", 0, fmt.Errorf("model.vocab: %q and %q share the id %d", min(other, token), max(other, token), id)
		}
		pieces[id] = token
	}
	if _, ok := w.Vocab[unknown]; !ok {
		return nil, "", 0, fmt.Errorf("model.vocab lacks the unknown token %q", unknown)
	}
	return pieces, unknown, maxWord, nil
}

// TokenizerJSON writes a tokenizer.json in the Hugging Face format: WordPiece over the pieces, whose ids are their places,
// with Bert's normalizer and pre-tokenizer.
func TokenizerJSON(pieces []string, unknown string, n Normalizer) []byte {
	return tokenizerJSON(pieces, unknown, 100, n)
}

func tokenizerJSON(pieces []string, unknown string, maxWord int, n Normalizer) []byte {
	var b bytes.Buffer
	quote := func(s string) string {
		var q bytes.Buffer
		enc := json.NewEncoder(&q)
		enc.SetEscapeHTML(false)
		// A string always encodes.
		_ = enc.Encode(s)
		return strings.TrimSuffix(q.String(), "\n")
	}
	fmt.Fprintf(&b, `{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],
"normalizer":{"type":"BertNormalizer","clean_text":%t,"handle_chinese_chars":%t,"strip_accents":%t,"lowercase":%t},
"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":null,"decoder":{"type":"WordPiece","prefix":"##","cleanup":true},
"model":{"type":"WordPiece","unk_token":%s,"continuing_subword_prefix":"##","max_input_chars_per_word":%d,"vocab":{`,
		n.CleanText, n.HandleChineseChars, n.StripAccents, n.Lowercase, quote(unknown), maxWord)
	for i, p := range pieces {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "\n%s:%d", quote(p), i)
	}
	b.WriteString("}}}\n")
	return b.Bytes()
}

// loadLibrary makes a tokenizer of sugarme/tokenizer. What reaches it was checked and written here, since it ends the
// process or panics on files that are wrong; a panic that is left becomes an error.
func loadLibrary(data []byte) (t *tokenizer.Tokenizer, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("sugarme/tokenizer cannot load it: %v", r)
		}
	}()
	if t, err = pretrained.FromReader(bytes.NewReader(data)); err != nil {
		return nil, fmt.Errorf("sugarme/tokenizer cannot load it: %w", err)
	}
	return t, nil
}

// piecesOf gives the library's vocabulary by id.
func piecesOf(t *tokenizer.Tokenizer, n int) []string {
	pieces := make([]string, n)
	for p, id := range t.GetVocab(false) {
		if id >= 0 && id < math.MaxInt32 && id < n {
			pieces[id] = p
		}
	}
	return pieces
}
