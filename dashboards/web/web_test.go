package web

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func TestHandler(t *testing.T) {
	built := handler(fstest.MapFS{
		"index.html":           {Data: []byte("<html>app")},
		"icon.svg":             {Data: []byte("<svg/>")},
		"assets/index-12.js":   {Data: []byte("app()")},
		"assets/page-34.js":    {Data: []byte("page()")},
		"assets/page-34.js.gz": {Data: []byte("packed")},
	})
	f := func(method, path string, status int, cache, body string) {
		t.Helper()
		w := httptest.NewRecorder()
		built.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if w.Code != status || w.Header().Get("Cache-Control") != cache || !strings.Contains(w.Body.String(), body) {
			t.Errorf("%s %s: %d, cache %q, %q", method, path, w.Code, w.Header().Get("Cache-Control"), w.Body)
		}
	}
	f("GET", "/", 200, "no-cache", "<html>app")
	f("GET", "/sessions/s-1?rule=x", 200, "no-cache", "<html>app") // the app knows its own addresses
	f("GET", "/index.html", 200, "no-cache", "<html>app")
	f("GET", "/assets", 200, "no-cache", "<html>app")
	f("GET", "/icon.svg", 200, "public, max-age=3600", "<svg/>")
	f("GET", "/assets/index-12.js", 200, "public, max-age=31536000, immutable", "app()")
	f("GET", "/assets/index-11.js", 404, "", "not found")
	f("GET", "/../web.go", 200, "no-cache", "<html>app")
	f("HEAD", "/", 200, "no-cache", "")
	f("POST", "/", 405, "", "only read")

	packed := func(accepts, body, encoding string) {
		t.Helper()
		r := httptest.NewRequest("GET", "/assets/page-34.js", nil)
		r.Header.Set("Accept-Encoding", accepts)
		w := httptest.NewRecorder()
		built.ServeHTTP(w, r)
		h := w.Header()
		if w.Body.String() != body || h.Get("Content-Encoding") != encoding || !strings.HasPrefix(h.Get("Content-Type"), "text/javascript") || h.Get("Vary") != "Accept-Encoding" || !strings.Contains(h.Get("Cache-Control"), "immutable") {
			t.Errorf("accepting %q: %q, %v", accepts, w.Body, h)
		}
	}
	packed("", "page()", "")
	packed("br, x-gzip", "page()", "")
	packed("gzip;q=0, br", "page()", "")
	packed("gzip;q=0.0", "page()", "")
	packed("gzip, deflate, br, zstd", "packed", "gzip")
	packed("br;q=1.0, GZIP;q=0.5", "packed", "gzip")

	w := httptest.NewRecorder()
	handler(fstest.MapFS{}).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 501 || !strings.Contains(w.Body.String(), "make build") {
		t.Errorf("a program without pages: %d %q", w.Code, w.Body)
	}
}
