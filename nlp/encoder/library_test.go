package encoder

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sugarme/tokenizer"
	"github.com/sugarme/tokenizer/normalizer"

	"github.com/tingke/tingke/nlp/textnorm"
)

// library gives sugarme's tokens of a text with mended offsets. The library counts a token's place in its word in
// characters and adds that to the word's place in bytes (its issue 82), so that only the places of the words themselves
// are right, and only where the normalizer keeps the length: from these and the characters of each token the bytes
// follow.
func library(t testing.TB, e *Encoder, text string) (tokens []Token) {
	t.Helper()
	n := normalizer.NewNormalizedFrom(text)
	var err error
	if f := e.library.GetNormalizer(); f != nil {
		if n, err = f.Normalize(n); err != nil {
			t.Fatal(err)
		}
	}
	words, err := e.library.GetPreTokenizer().PreTokenize(tokenizer.NewPreTokenizedStringFromNS(n))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range words.GetSplits(normalizer.OriginalTarget, tokenizer.Byte) {
		pieces, err := e.library.GetModel().Tokenize(w.Value)
		if err != nil {
			t.Fatal(err)
		}
		at := []int{}
		for i := range w.Value {
			at = append(at, w.Offsets[0]+i)
		}
		at = append(at, w.Offsets[0]+len(w.Value))
		for _, p := range pieces {
			tokens = append(tokens, Token{int32(p.Id), at[p.Offsets[0]], at[p.Offsets[1]]})
		}
	}
	return tokens
}

// corpus gives n normalised texts: those of the project's own transcripts, generated ones, and of the research data beside
// the checkout where it is present.
func corpus(t testing.TB, n int) []string {
	var texts []string
	files, err := filepath.Glob("../../testdata/transcripts/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts of our own: %v", err)
	}
	shared, _ := filepath.Glob("../../../shared/data/*/dev.jsonl*")
	if len(shared) == 0 {
		t.Log("no research data beside the checkout: own and generated texts alone")
	}
	for i, f := range append(files, shared...) {
		limit := n / 3
		if i >= len(files) {
			limit = n / 3 / len(shared)
		}
		texts = append(texts, textsOf(t, f, limit)...)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	parts := append([]string{" ", "  ", "\n", "。", ",", "!", "??", "…", "~", "[笑]", "##", "#", "é", "ß", "ω", "한국", "カナ", "ー", "𠮷", "豈", "\u0301", "ﾊ", "½", "０１", "100", "7.5", "iphone15", "ok", "wifi", "b2c", "a", "z", "[unk]", "[UNK]", "http://t.cn/x1"}, short...)
	for len(texts) < n {
		var b strings.Builder
		for range 1 + rng.IntN(12) {
			switch rng.IntN(4) {
			case 0:
				b.WriteRune(rune(0x4e00 + rng.IntN(0x5200)))
			case 1:
				b.WriteRune(rune(0x20 + rng.IntN(0x5f)))
			default:
				b.WriteString(parts[rng.IntN(len(parts))])
			}
		}
		if rng.IntN(300) == 0 {
			b.WriteString(strings.Repeat("x9", 60))
		}
		texts = append(texts, textnorm.Normalise(b.String()).Text)
	}
	return texts
}

// textsOf collects the strings of JSON lines that stand under text, a, b.
func textsOf(t testing.TB, path string, limit int) []string {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	var texts []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			for _, k := range []string{"text", "a", "b", "turns"} {
				if s, ok := v[k].(string); ok && len(s) < 2000 {
					texts = append(texts, textnorm.Normalise(s).Text)
				} else {
					walk(v[k])
				}
			}
		}
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() && len(texts) < limit {
		var v any
		if err := json.Unmarshal(lines.Bytes(), &v); err == nil {
			walk(v)
		}
	}
	return texts
}

// The compiled vocabulary gives the tokens and offsets of the library on 10,000 texts.
func TestCompiledEqualsLibrary(t *testing.T) {
	e := builtin(t)
	texts := corpus(t, 10_000)
	var got []Token
	for i, s := range texts {
		want := library(t, e, s)
		got = e.vocabulary.Tokens(got[:0], s)
		if !slices.Equal(got, want) {
			t.Fatalf("%q:\n got %v\nwant %v", s, got, want)
		}
		for _, token := range got {
			if token.Start >= token.End || !utf8.ValidString(s[token.Start:token.End]) {
				t.Fatalf("%q: token %v is no whole characters", s, token)
			}
		}
		if i%8 > 0 {
			continue
		}
		// Encode of the library joins the same steps; comparing every text with it too would take twice as long.
		ids, err := libraryIDs(e.library, s)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(got, ids, func(t Token, id int) bool { return int(t.ID) == id }) {
			t.Fatalf("%q: got %v, Encode gives %v", s, got, ids)
		}
	}
	t.Logf("%d texts", len(texts))
}
