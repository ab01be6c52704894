package segment

import (
	"bufio"
	"bytes"
	_ "embed" // the dictionaries travel inside the binary
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"

	"github.com/tingke/tingke/nlp/textnorm"
)

//go:generate go run gen_dict.go

var (
	//go:embed dict/jieba.dict.utf8.zst
	packedDict []byte
	//go:embed dict/hmm_model.utf8.zst
	packedModel []byte
	//go:embed domain.txt
	domainWords string
)

const (
	dictName  = "jieba.dict.utf8"
	modelName = "hmm_model.utf8"
	// defaultFreq makes a user word win over almost every way to cut it in two (the base dictionary counts 60 million).
	defaultFreq = 2000
	// maxFreq keeps the logarithm of frequency / total below zero.
	maxFreq = 1_000_000
)

// userWord is an entry of a user dictionary in normal form.
type userWord struct {
	word string
	freq int
	tag  string
}

// parseWords reads a user dictionary: a word a line, optionally followed by its frequency (1..1,000,000, default 2000)
// and a part of speech; empty lines and lines that start with # are skipped. It reports every bad line.
func parseWords(name, text string) ([]userWord, error) {
	var words []userWord
	var errs []error
	for i, line := range strings.Split(textnorm.Clean(strings.TrimPrefix(text, "\uFEFF")), "\n") {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") && (len(f) > 1 || utf8.RuneCountInString(f[0]) != 2) {
			continue
		}
		w := userWord{freq: defaultFreq, tag: "n"}
		bad := func(format string, a ...any) {
			errs = append(errs, fmt.Errorf("%s:%d: "+format, append([]any{name, i + 1}, a...)...))
		}
		w.word = textnorm.Normalise(f[0]).Text
		if w.word == "" || strings.ContainsAny(w.word, " \n") {
			bad("%q is no word", f[0])
			continue
		}
		if utf8.RuneCountInString(w.word) > 32 {
			bad("%q is longer than 32 characters", f[0])
			continue
		}
		if len(f) > 3 {
			bad("%d columns, want word, frequency, part of speech", len(f))
			continue
		}
		if len(f) > 1 {
			n, err := strconv.Atoi(f[1])
			if err != nil && len(f) == 3 || err == nil && (n < 1 || n > maxFreq) {
				bad("frequency %q, want a whole number of 1..%d", f[1], maxFreq)
				continue
			}
			if err == nil {
				w.freq = n
			} else {
				w.tag = f[1]
			}
		}
		if len(f) == 3 {
			w.tag = f[2]
		}
		words = append(words, w)
	}
	return words, errors.Join(errs...)
}

// wordsOf collects the domain words and those of the options. A later source wins.
func wordsOf(o Options) ([]userWord, error) {
	all, err := parseWords("domain.txt", domainWords)
	errs := []error{err}
	for _, file := range o.UserDict {
		raw, err := os.ReadFile(file)
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot read user dictionary: %w", err))
			continue
		}
		words, err := parseWords(file, string(raw))
		if err != nil {
			errs = append(errs, fmt.Errorf("user dictionary: %w", err))
		}
		all = append(all, words...)
	}
	if len(o.Words) > 0 {
		words, err := parseWords("words", strings.Join(o.Words, "\n"))
		errs = append(errs, err)
		all = append(all, words...)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	last := make(map[string]userWord, len(all))
	for _, w := range all {
		last[w.word] = w
	}
	all = all[:0]
	for _, w := range last {
		all = append(all, w)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].word < all[j].word })
	return all, nil
}

// formatWords writes words as gojieba reads them.
func formatWords(words []userWord) []byte {
	var b bytes.Buffer
	for _, w := range words {
		fmt.Fprintf(&b, "%s %d %s\n", w.word, w.freq, w.tag)
	}
	return b.Bytes()
}

// baseDict gives the dictionary and the HMM model, from dir or, when that is empty, from inside the binary. Those of a
// folder are checked first, because gojieba ends the process on a malformed line.
func baseDict(dir string) (dict, model []byte, err error) {
	if dir == "" {
		if dict, err = unpack(packedDict); err != nil {
			return nil, nil, fmt.Errorf("cannot unpack the built-in dictionary: %w", err)
		}
		if model, err = unpack(packedModel); err != nil {
			return nil, nil, fmt.Errorf("cannot unpack the built-in HMM model: %w", err)
		}
		return dict, model, nil
	}
	dictFile, modelFile := filepath.Join(dir, dictName), filepath.Join(dir, modelName)
	if dict, err = os.ReadFile(dictFile); err != nil {
		return nil, nil, fmt.Errorf("cannot read dictionary: %w", err)
	}
	if model, err = os.ReadFile(modelFile); err != nil {
		return nil, nil, fmt.Errorf("cannot read HMM model: %w", err)
	}
	if err := checkDict(dict); err != nil {
		return nil, nil, fmt.Errorf("dictionary %s%w", dictFile, err)
	}
	if err := checkModel(model); err != nil {
		return nil, nil, fmt.Errorf("HMM model %s: %w", modelFile, err)
	}
	return dict, model, nil
}

func unpack(b []byte) ([]byte, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.DecodeAll(b, nil)
}

// checkDict checks that every line is "word frequency tag".
func checkDict(dict []byte) error {
	n := 0
	sc := bufio.NewScanner(bytes.NewReader(dict))
	for sc.Scan() {
		n++
		f := strings.Split(sc.Text(), " ")
		if len(f) != 3 || f[0] == "" || !utf8.ValidString(f[0]) {
			return fmt.Errorf(":%d: %q, want word, frequency and part of speech with one space between", n, sc.Text())
		}
		if v, err := strconv.ParseFloat(f[1], 64); err != nil || v <= 0 {
			return fmt.Errorf(":%d: frequency %q, want a number above 0", n, f[1])
		}
	}
	if sc.Err() != nil {
		return fmt.Errorf(":%d: %w", n+1, sc.Err())
	}
	if n == 0 {
		return errors.New(": it is empty")
	}
	return nil
}

// checkModel checks the nine lines of an HMM model: four start weights, four lines of four transition weights, four
// lines of character:weight pairs.
func checkModel(model []byte) error {
	n := 0
	for line := range strings.Lines(string(model)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		n++
		sep := " "
		if n > 5 {
			sep = ","
		}
		parts := strings.Split(line, sep)
		if n <= 5 && len(parts) != 4 {
			return fmt.Errorf("line %d of the weights has %d numbers, want 4", n, len(parts))
		}
		for _, p := range parts {
			if n > 5 {
				char, weight, ok := strings.Cut(p, ":")
				if !ok || utf8.RuneCountInString(char) != 1 || !utf8.ValidString(char) {
					return fmt.Errorf("line %d of the weights: %q, want character:weight", n, p)
				}
				p = weight
			}
			if _, err := strconv.ParseFloat(p, 64); err != nil {
				return fmt.Errorf("line %d of the weights: %q is no number", n, p)
			}
		}
	}
	if n != 9 {
		return fmt.Errorf("%d lines of weights, want 9", n)
	}
	return nil
}
