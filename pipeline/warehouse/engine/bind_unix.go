//go:build linux || darwin

package engine

import "github.com/ebitengine/purego"

// bind loads the library and binds its symbols; it returns the names of those
// the library lacks.
func bind(path string, symbols []symbol) (missing []string, err error) {
	// Local, so that the library's own C++ runtime is nobody else's.
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, err
	}
	for _, s := range symbols {
		sym, err := purego.Dlsym(handle, s.name)
		if err != nil || sym == 0 {
			missing = append(missing, s.name)
			continue
		}
		purego.RegisterFunc(s.fn, sym)
	}
	return missing, nil
}
