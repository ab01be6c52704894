package nlp

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/tingke/tingke/nlp/emotion"
	"github.com/tingke/tingke/nlp/mention"
	"github.com/tingke/tingke/nlp/segment"
	"github.com/tingke/tingke/nlp/textnorm"
	"github.com/tingke/tingke/schemas"
)

// textFeatures is what depends on a text alone. It is immutable, apart from words and what mentions need, which are made on first use.
type textFeatures struct {
	norm     schemas.NormText
	language string
	words    atomic.Pointer[[]schemas.Span]
	seg      *segment.Segmenter
	emotion  *emotion.Text
	entities []schemas.Entity
	mentions atomic.Pointer[mention.Text]
	// sayings is what the turn adds to the mentions of those after it, said by a customer or by anybody else.
	sayings [2]atomic.Pointer[mention.Said]
}

// mention gives the reading for mentions. Two goroutines may both make it; they make the same.
func (x *textFeatures) mention(f *mention.Finder) *mention.Text {
	if m := x.mentions.Load(); m != nil {
		return m
	}
	m := f.Text(x.norm.Text)
	x.mentions.Store(m)
	return m
}

// said gives what the turn adds to the mentions of those after it.
func (x *textFeatures) said(f *mention.Finder, role schemas.Role) *mention.Said {
	at := &x.sayings[0]
	if role != schemas.Customer {
		at = &x.sayings[1]
	}
	if s := at.Load(); s != nil {
		return s
	}
	s := f.Said(x.norm.Text, role)
	at.Store(s)
	return s
}

// Words cuts the text on first use. Two goroutines may both do it; they make the same.
func (x *textFeatures) Words() []schemas.Span {
	if w := x.words.Load(); w != nil {
		return *w
	}
	w := x.seg.Cut(x.norm.Text)
	x.words.Store(&w)
	return w
}

func (a *Analyser) text(text string) *textFeatures {
	if x := a.cache.get(text); x != nil {
		return x
	}
	x := &textFeatures{norm: textnorm.Normalise(text), seg: a.seg}
	x.language = textnorm.Language(x.norm.Text)
	x.emotion = a.emo.Text(x.norm.Text)
	x.entities = entities(text)
	a.cache.put(text, x)
	return x
}

const (
	cacheShards = 32
	// cacheText bounds the texts that are kept: longer ones hardly repeat.
	cacheText = 1 << 10
)

// cache keeps the features of texts, by two generations in each shard: when the young one is full it becomes the old
// one and what the old one held is dropped; what is found in the old one moves back. So at most entries texts are held,
// and a text in steady use stays.
type cache struct {
	seed   maphash.Seed
	half   int // entries of one generation of one shard; 0 = off
	hits   atomic.Uint64
	misses atomic.Uint64
	shards [cacheShards]shard
}

type shard struct {
	mu         sync.Mutex
	young, old map[string]*textFeatures
	_          [32]byte // shards on different cache lines
}

func newCache(entries int) *cache {
	c := &cache{seed: maphash.MakeSeed(), half: entries / (2 * cacheShards)}
	if entries > 0 && c.half == 0 {
		c.half = 1
	}
	for i := range c.shards {
		c.shards[i].young = map[string]*textFeatures{}
	}
	return c
}

func (c *cache) shard(text string) *shard {
	return &c.shards[maphash.String(c.seed, text)%cacheShards]
}

func (c *cache) get(text string) *textFeatures {
	if c.half == 0 || len(text) > cacheText {
		c.misses.Add(1)
		return nil
	}
	s := c.shard(text)
	s.mu.Lock()
	x := s.young[text]
	if x == nil {
		if x = s.old[text]; x != nil {
			delete(s.old, text)
			s.store(text, x, c.half)
		}
	}
	s.mu.Unlock()
	if x == nil {
		c.misses.Add(1)
	} else {
		c.hits.Add(1)
	}
	return x
}

func (c *cache) put(text string, x *textFeatures) {
	if c.half == 0 || len(text) > cacheText {
		return
	}
	s := c.shard(text)
	s.mu.Lock()
	s.store(text, x, c.half)
	s.mu.Unlock()
}

func (s *shard) store(text string, x *textFeatures, half int) {
	if len(s.young) >= half {
		s.old, s.young = s.young, make(map[string]*textFeatures, half)
	}
	s.young[text] = x
}

func (c *cache) stats() CacheStats {
	st := CacheStats{Hits: c.hits.Load(), Misses: c.misses.Load()}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		st.Entries += len(s.young) + len(s.old)
		s.mu.Unlock()
	}
	return st
}
