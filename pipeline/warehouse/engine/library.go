package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// LibraryEnv names the environment variable with the path of libchdb.
const LibraryEnv = "TINGKE_LIBCHDB"

// ErrNoLibrary is returned, wrapped, where no engine library is installed.
var ErrNoLibrary = errors.New("the embedded ClickHouse engine (libchdb) is not installed")

// libraryFile is the library's name on every system, macOS too.
const libraryFile = "libchdb.so"

// FindLibrary returns the path of the engine's shared library. It looks at
// TINGKE_LIBCHDB, then at .cache/chdb beside and above the executable and the
// working directory (where `make deps` puts it), then in /usr/local/lib and
// /usr/lib. The error wraps ErrNoLibrary and says what to do.
func FindLibrary() (string, error) {
	var starts []string
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		starts = append(starts, filepath.Dir(exe))
	}
	if wd, err := os.Getwd(); err == nil {
		starts = append(starts, wd)
	}
	return findLibrary(os.Getenv(LibraryEnv), starts, []string{"/usr/local/lib", "/usr/lib"})
}

func findLibrary(env string, starts, system []string) (string, error) {
	if env != "" {
		if isFile(env) {
			return env, nil
		}
		return "", fmt.Errorf("%w: %s is %q, which is no readable file; set it to the full path of %s, or unset it and run `make deps`", ErrNoLibrary, LibraryEnv, env, libraryFile)
	}
	for _, start := range starts {
		for dir := start; ; dir = filepath.Dir(dir) {
			for _, pkg := range packageNames() {
				p := filepath.Join(dir, ".cache", "chdb", "node_modules", "@chdb", pkg, libraryFile)
				if isFile(p) {
					return p, nil
				}
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	for _, dir := range system {
		if p := filepath.Join(dir, libraryFile); isFile(p) {
			return p, nil
		}
	}
	return "", fmt.Errorf("%w: run `make deps` in the project's folder (one download of about 180 MB), set %s to the full path of %s, or set CLICKHOUSE_DSN to use a ClickHouse server instead", ErrNoLibrary, LibraryEnv, libraryFile)
}

// packageNames are the npm packages that hold the library for this machine.
func packageNames() []string {
	arch := runtime.GOARCH
	if arch == "amd64" {
		arch = "x64"
	}
	name := "lib-" + runtime.GOOS + "-" + arch
	return []string{name + "-gnu", name}
}

func isFile(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	st, err := f.Stat()
	return err == nil && st.Mode().IsRegular()
}
