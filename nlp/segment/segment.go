// Package segment cuts normalised Chinese and mixed text into words with gojieba, a domain dictionary of e-commerce and
// telecom service words, and user dictionaries that can be swapped while it works.
//
// It imports schemas and nlp/textnorm. The base dictionary and the HMM model are inside the binary.
package segment

import (
	"runtime"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/yanyiwu/gojieba"

	"github.com/tingke/tingke/nlp/textnorm"
	"github.com/tingke/tingke/schemas"
)

// Options choose the dictionaries. The zero value takes those inside the binary.
type Options struct {
	// DictDir is a folder with another jieba.dict.utf8 and hmm_model.utf8, "" = the built-in ones.
	DictDir string
	// UserDict are files with a word a line, optionally followed by its frequency (default 2000) and part of speech.
	UserDict []string
	// Words are further lines of that form.
	Words []string
}

// Segmenter cuts texts into words. It is safe for concurrent use. Segmenters with equal dictionaries share one
// instance, which takes about 115 MB and half a second to make; the one without user words is made once a process.
type Segmenter struct {
	current *atomic.Pointer[engine]
}

// New makes a segmenter. Its errors name file and line of every bad entry. Close gives the memory back, or the garbage
// collector does: of a segmenter that was replaced while others used it nobody knows when the last use ends.
func New(o Options) (*Segmenter, error) {
	e, err := engineFor(o)
	if err != nil {
		return nil, err
	}
	s := &Segmenter{current: new(atomic.Pointer[engine])}
	s.current.Store(e)
	runtime.AddCleanup(s, closeEngine, s.current)
	return s, nil
}

// Version names the dictionaries where they are others than the built-in ones: ",words=" and 16 hex digits, else "".
func (s *Segmenter) Version() string {
	e := s.acquire()
	if e == nil {
		return ""
	}
	defer e.release()
	return e.version
}

// Swap replaces the dictionaries. Calls under way finish with the old ones, whose memory is then freed. On an error
// nothing changes.
func (s *Segmenter) Swap(o Options) error {
	e, err := engineFor(o)
	if err != nil {
		return err
	}
	if old := s.current.Swap(e); old != nil {
		old.release()
	}
	return nil
}

// Close gives up the dictionaries. Calls under way finish; later ones see no dictionary and return single characters.
func (s *Segmenter) Close() { closeEngine(s.current) }

func closeEngine(current *atomic.Pointer[engine]) {
	if old := current.Swap(nil); old != nil {
		old.release()
	}
}

// chunkBytes bounds what is given to gojieba at once: its memory grows by some 300 bytes a character.
const chunkBytes = 8 << 10

// Cut gives the words of a text as byte offsets, in order. Every byte lies in exactly one word, except white space, NUL
// bytes and invalid UTF-8, which lie in none. A tag such as [怒] or [电话x] is one word. The text should be normalised
// (textnorm.Normalise), else upper-case and traditional words are not known.
func (s *Segmenter) Cut(norm string) []schemas.Span {
	if norm == "" {
		return nil
	}
	text := blank(norm)
	e := s.acquire()
	if e == nil {
		return characters(text)
	}
	defer e.release()
	spans := make([]schemas.Span, 0, len(text)/4+4)
	for start := 0; start < len(text); {
		end := chunkEnd(text, start)
		for _, w := range e.jieba.Tokenize(text[start:end], gojieba.DefaultMode, true) {
			if c := text[start+w.Start]; c == ' ' || c == '\n' || c == '\t' {
				continue
			}
			spans = append(spans, schemas.Span{Start: start + w.Start, End: start + w.End})
		}
		start = end
	}
	if strings.IndexByte(text, '[') >= 0 {
		spans = joinTags(text, spans)
	}
	return spans
}

// Words gives the words of any text, normalised or not, as they stand in it.
func (s *Segmenter) Words(text string) []string {
	n := textnorm.Normalise(text)
	spans := s.Cut(n.Text)
	words := make([]string, 0, len(spans))
	for _, sp := range spans {
		if w := strings.TrimSpace(textnorm.Clean(text[n.Orig(sp.Start):n.Orig(sp.End)])); w != "" {
			words = append(words, w)
		}
	}
	return words
}

// acquire takes hold of the current engine so that it is not freed while in use.
func (s *Segmenter) acquire() *engine {
	for {
		e := s.current.Load()
		if e == nil || e.retain() {
			return e
		}
	}
}

// blank replaces what gojieba cannot take (NUL ends the text, invalid UTF-8 loses it) and every kind of white space but
// space, tab and newline by spaces, so that offsets stay.
func blank(s string) string {
	i := nextBlank(s, 0)
	if i == len(s) {
		return s
	}
	b := []byte(s)
	for i < len(s) {
		_, size := utf8.DecodeRuneInString(s[i:])
		for j := range size {
			b[i+j] = ' '
		}
		i = nextBlank(s, i+size)
	}
	return string(b)
}

func nextBlank(s string, i int) int {
	for i < len(s) {
		c := s[i]
		if c < utf8.RuneSelf {
			if c == 0 || c == '\r' || c == '\v' || c == '\f' {
				return i
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || r < 0x3001 && unicode.IsSpace(r) {
			return i
		}
		i += size
	}
	return i
}

// chunkEnd gives the end of the chunk that starts at start: the end of the text, else behind the last mark in the
// second half of the chunk, else a border between characters.
func chunkEnd(s string, start int) int {
	if len(s)-start <= chunkBytes {
		return len(s)
	}
	end := start + chunkBytes
	for !utf8.RuneStart(s[end]) {
		end--
	}
	if i := strings.LastIndexAny(s[start+chunkBytes/2:end], " \n\t,;!?。，；！？"); i >= 0 {
		i += start + chunkBytes/2
		_, size := utf8.DecodeRuneInString(s[i:])
		return i + size
	}
	return end
}

const maxTagBytes = 32

// joinTags makes one word of every [tag] without white space or further brackets inside.
func joinTags(text string, spans []schemas.Span) []schemas.Span {
	out := spans[:0]
	for i := 0; i < len(spans); i++ {
		sp := spans[i]
		if text[sp.Start] == '[' && sp.End == sp.Start+1 {
			if n := strings.IndexAny(text[sp.End:min(len(text), sp.End+maxTagBytes)], "[] \n\t"); n > 0 && text[sp.End+n] == ']' {
				end := sp.End + n + 1
				j := i
				for j < len(spans) && spans[j].End < end {
					j++
				}
				if j < len(spans) && spans[j].End == end {
					sp.End = end
					i = j
				}
			}
		}
		out = append(out, sp)
	}
	return out
}

// characters is the cut without a dictionary.
func characters(text string) []schemas.Span {
	var spans []schemas.Span
	for i, r := range text {
		if !unicode.IsSpace(r) {
			spans = append(spans, schemas.Span{Start: i, End: i + utf8.RuneLen(r)})
		}
	}
	return spans
}
