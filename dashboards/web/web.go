// Package web holds the web app: what `make web` builds of the sources beside it, inside the program. It holds no data of
// anybody, so everybody may load it; what it shows comes from the API.
package web

import (
	"embed"
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed all:dist
var dist embed.FS

// notBuilt is what the pages say in a program that was built without them.
const notBuilt = "This program was built without its pages: run `make build`, which builds them first. The API answers below /api/v1.\n"

// Handler answers with the file of an address, or with the app itself, which knows its own addresses. Names of files below
// /assets/ hold a hash of what is in them, so browsers keep them for good; a missing one is 404, so that a page of an older
// version fails plainly. It is safe for concurrent use.
func Handler() http.Handler {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the name is fixed
	}
	return handler(files)
}

func handler(files fs.FS) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "pages are only read: GET or HEAD", http.StatusMethodNotAllowed)
			return
		}
		name := strings.TrimPrefix(r.URL.Path, "/")
		asset := strings.HasPrefix(name, "assets/")
		info, err := fs.Stat(files, name)
		switch {
		case err == nil && !info.IsDir() && name != "index.html":
			if asset {
				w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			} else {
				w.Header().Set("Cache-Control", "public, max-age=3600")
			}
			file(w, r, files, name)
		case asset:
			http.NotFound(w, r)
		default:
			page(w, r, files)
		}
	})
}

// file answers with a file, or with what the build packed of it (the name with .gz) where the browser unpacks that.
func file(w http.ResponseWriter, r *http.Request, files fs.FS, name string) {
	if _, err := fs.Stat(files, name+".gz"); err == nil {
		w.Header().Set("Vary", "Accept-Encoding")
		if unpacks(r.Header.Get("Accept-Encoding")) {
			w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
			w.Header().Set("Content-Encoding", "gzip")
			name += ".gz"
		}
	}
	http.ServeFileFS(w, r, files, name)
}

// unpacks says whether an Accept-Encoding takes gzip.
func unpacks(accepted string) bool {
	for a := range strings.SplitSeq(accepted, ",") {
		coding, quality, _ := strings.Cut(strings.TrimSpace(a), ";")
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			return strings.Trim(strings.TrimPrefix(strings.TrimSpace(quality), "q="), "0.") != "" || quality == ""
		}
	}
	return false
}

// page answers with the app.
func page(w http.ResponseWriter, r *http.Request, files fs.FS) {
	b, err := fs.ReadFile(files, "index.html")
	if errors.Is(err, fs.ErrNotExist) {
		http.Error(w, notBuilt, http.StatusNotImplemented)
		return
	}
	if err != nil {
		http.Error(w, "cannot read the page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	if r.Method == http.MethodGet {
		_, _ = w.Write(b)
	}
}
