// Package dashboards puts together what people open in a browser: the web app (package web), the API it draws (package
// api) and the log-in before the API (package access), and serves them.
//
// It knows nothing of Kafka, files or models; it must not import cmd. Nothing but the app's own files, which hold no data
// of anybody, is given to somebody who is not logged in.
package dashboards

import (
	"errors"
	"net/http"
	"strings"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/dashboards/web"
)

// Options are what the site is made of.
type Options struct {
	// Access says who may come in.
	Access access.Options
	// API answers below /api/, behind the log-in.
	API http.Handler
}

// New makes the handler of the app and of the API. It is safe for concurrent use and sets the security headers; what
// address it may be reached at is the business of Server.
func New(o Options) (http.Handler, error) {
	if o.API == nil {
		return nil, errors.New("dashboards: Options.API is missing")
	}
	gate, err := access.New(o.Access)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc(loginPath, gate.Login)
	mux.HandleFunc(logoutPath, gate.Logout)
	mux.Handle("/api/", o.API)
	mux.Handle("/", web.Handler())
	return guard(gate.Middleware(needsNoLogin, mux)), nil
}

const (
	loginPath  = "/api/v1/login"
	logoutPath = "/api/v1/logout"
)

// needsNoLogin says what is open to everybody: the app itself, and the way in and out.
func needsNoLogin(path string) bool {
	return path == loginPath || path == logoutPath || !strings.HasPrefix(path, "/api/") && path != "/api"
}

// guard forbids the browser everything the pages do not need. Styles may stand in the page: the components of the app put
// theirs there. Scripts and everything else come from this server only. A Cross-Origin-Opener-Policy is left out: with one,
// Chromium opens the pages in another process when somebody comes from elsewhere, and compiles all scripts again there, which
// makes a page stand in 1 s instead of half of that.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; media-src *; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store") // conversations do not belong in a cache
		next.ServeHTTP(w, r)
	})
}
