package api

// The roles in short, for the table.
const (
	all      = "admin supervisor product analyst agent"
	allStaff = "admin supervisor product analyst"
)

// access of every route: who may call it. This is written by hand and is the oracle: a route that is not here, or whose
// roles differ, fails TestRoles. Path is a good request for the world of the tests, body its JSON, media its type where
// it is no JSON. Each file of routes keeps its rows together.
var roleTable = []struct {
	route string // as it is declared
	path  string
	body  string
	roles string
}{
	// routes_me.go
	{"GET /me", "/me", "", all},
	// routes_sessions.go, routes_session.go
	{"GET /sessions", "/sessions?flagged=1", "", all},
	{"GET /sessions/counts", "/sessions/counts", "", all},
	{"GET /sessions/{session_id}", "/sessions/one-2", "", all},
	{"GET /sessions/{session_id}/neighbours", "/sessions/one-2/neighbours", "", all},
	{"GET /filters", "/filters", "", all},
}
