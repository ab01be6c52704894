package segment

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/yanyiwu/gojieba"
)

// engine is one gojieba instance. It is freed when its last holder lets go: the segmenters that use it and the calls
// under way.
type engine struct {
	jieba *gojieba.Jieba
	key   [sha256.Size]byte
	// version is what Segmenter.Version gives.
	version string
	refs    atomic.Int64
}

// engines are the living instances by their dictionaries.
var engines struct {
	sync.Mutex
	m map[[sha256.Size]byte]*engine
}

// engineFor gives an instance with these dictionaries, a living one where there is one. The caller holds it.
func engineFor(o Options) (*engine, error) {
	words, err := wordsOf(o)
	if err != nil {
		return nil, err
	}
	user := formatWords(words)
	h := sha256.New()
	// A folder's dictionaries may change between two calls, so its instances are not shared by path alone.
	for _, name := range []string{dictName, modelName} {
		if o.DictDir == "" {
			break
		}
		raw, err := os.ReadFile(filepath.Join(o.DictDir, name))
		if err != nil {
			return nil, fmt.Errorf("cannot read dictionary: %w", err)
		}
		fmt.Fprintf(h, "%s %d\n", name, len(raw))
		h.Write(raw)
	}
	h.Write(user)
	key := [sha256.Size]byte(h.Sum(nil))

	engines.Lock()
	defer engines.Unlock()
	if e := engines.m[key]; e != nil && e.retain() {
		return e, nil
	}
	jieba, err := load(o.DictDir, user)
	if err != nil {
		return nil, err
	}
	e := &engine{jieba: jieba, key: key}
	e.refs.Store(1)
	if o.DictDir == "" && len(o.UserDict) == 0 && len(o.Words) == 0 {
		e.retain() // the base instance lives as long as the process
	} else {
		e.version = fmt.Sprintf(",words=%x", key[:8])
	}
	if engines.m == nil {
		engines.m = map[[sha256.Size]byte]*engine{}
	}
	engines.m[key] = e
	return e, nil
}

// load makes an instance. gojieba reads files only, so the dictionaries go to a temporary folder for as long as it
// takes. Its keyword extraction is not used; a table of one word spares 60 MB.
func load(dir string, user []byte) (*gojieba.Jieba, error) {
	dict, model, err := baseDict(dir)
	if err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp("", "tingke-dict-")
	if err != nil {
		return nil, fmt.Errorf("cannot unpack the dictionaries, set TMPDIR to a folder that can be written: %w", err)
	}
	defer os.RemoveAll(tmp)
	var paths []string
	for _, f := range []struct {
		name string
		data []byte
	}{{"dict", dict}, {"model", model}, {"user", user}, {"idf", []byte("的 1.0\n")}, {"stop", []byte("的\n")}} {
		p := filepath.Join(tmp, f.name)
		if err := os.WriteFile(p, f.data, 0o600); err != nil {
			return nil, fmt.Errorf("cannot unpack the dictionaries, set TMPDIR to a folder with 6 MB free: %w", err)
		}
		paths = append(paths, p)
	}
	return gojieba.NewJieba(paths...), nil
}

// retain takes hold of e; it fails when e is already given up.
func (e *engine) retain() bool {
	for {
		n := e.refs.Load()
		if n == 0 {
			return false
		}
		if e.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release lets go of e and frees it with the last hold.
func (e *engine) release() {
	if e.refs.Add(-1) > 0 {
		return
	}
	engines.Lock()
	if engines.m[e.key] == e {
		delete(engines.m, e.key)
	}
	engines.Unlock()
	e.jieba.Free()
}
