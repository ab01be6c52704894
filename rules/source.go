package rules

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sort"
	"strings"
)

//go:embed packs
var packFS embed.FS

// maxPackBytes bounds a pack; the largest sensible word list is a small part of it.
const maxPackBytes = 32 << 20

// Source is one rule pack to load: an embedded one, a file, or a text.
type Source struct {
	name string
	read func() ([]byte, error)
}

// Embedded is the pack of that id that comes with the product, such as "standard".
func Embedded(id string) Source {
	return Source{name: id + ".yaml", read: func() ([]byte, error) {
		b, err := packFS.ReadFile(path.Join("packs", id, id+".yaml"))
		if err != nil {
			return nil, fmt.Errorf("no rule pack %q comes with the product (%s); give a path to read a file", id, didYouMean(id, EmbeddedPacks()))
		}
		return b, nil
	}}
}

// File is a pack in a YAML file.
func File(path string) Source {
	return Source{name: path, read: func() ([]byte, error) {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("cannot read rule file %q: %w", path, err)
		}
		if info.IsDir() {
			return nil, fmt.Errorf("cannot read rule file %q: it is a folder; name the files", path)
		}
		if info.Size() > maxPackBytes {
			return nil, fmt.Errorf("cannot read rule file %q: %d bytes, more than %d", path, info.Size(), maxPackBytes)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("cannot read rule file %q: %w", path, err)
		}
		return b, nil
	}}
}

// Text is a pack given as YAML text; name stands for the file in errors.
func Text(name string, yaml []byte) Source {
	return Source{name: name, read: func() ([]byte, error) { return yaml, nil }}
}

// YAML reads the text of the pack.
func (s Source) YAML() ([]byte, error) { return s.read() }

// Find gives the source that a user's word names: the file of that path where it ends in .yaml or .yml or contains a
// path separator, else the embedded pack of that id.
func Find(name string) Source {
	if strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") || strings.ContainsAny(name, `/\`) {
		return File(name)
	}
	return Embedded(name)
}

// EmbeddedPacks lists the ids of the packs that come with the product.
func EmbeddedPacks() []string {
	entries, err := fs.ReadDir(packFS, "packs")
	if err != nil {
		return nil
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() {
			ids = append(ids, e.Name())
		}
	}
	sort.Strings(ids)
	return ids
}
