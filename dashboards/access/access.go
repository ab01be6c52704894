// Package access says who may see and do what: users and their roles, log-in sessions, API tokens, the scope of sessions
// that somebody may see, and the audit log.
//
// Users live in a file (see Users), log-in sessions in memory, the audit log in the warehouse. Every query about sessions
// goes through Identity.Scope on the server; what a page or a client hides protects nothing. It must not import
// dashboards, its api, or cmd.
package access

import (
	"context"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Role is what a user is there for. What each may do: README.md of this folder.
type Role string

// Roles.
const (
	Admin      Role = "admin"
	Supervisor Role = "supervisor"
	Product    Role = "product"
	Analyst    Role = "analyst"
	Agent      Role = "agent"
)

// Roles are all roles.
var Roles = []Role{Admin, Supervisor, Product, Analyst, Agent}

// Sees says what agents see.
type Sees string

// What agents see: their own sessions and figures, also the figures of their team by name, or nothing at all.
const (
	SeesOwn  Sees = "own"
	SeesTeam Sees = "own+team"
	SeesOff  Sees = "off"
)

// Identity is who makes a request. The zero value may see nothing.
type Identity struct {
	User    string   `json:"user"`               // name to log in with, the actor of reviews and of the audit log
	Name    string   `json:"name"`               // to show, the same as User where none is given
	Role    Role     `json:"role"`               //
	Teams   []string `json:"teams"`              // teams whose sessions the user may see; empty = all (never for agents)
	AgentID string   `json:"agent_id,omitempty"` // of role agent: whose sessions these are
	Token   bool     `json:"token"`              // an API token, not a log-in
	Sees    Sees     `json:"agents_see,omitempty"`
}

type identityKey struct{}

// WithIdentity is ctx of a request by id.
func WithIdentity(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// FromContext tells whose request it is; false where nobody has logged in.
func FromContext(ctx context.Context) (Identity, bool) {
	id, ok := ctx.Value(identityKey{}).(Identity)
	return id, ok
}

// Is says whether the identity has one of the roles.
func (id Identity) Is(roles ...Role) bool { return slices.Contains(roles, id.Role) }

// Scope is the set of sessions that an identity may see.
type Scope struct {
	kind  scopeKind
	teams []string
	agent string
}

type scopeKind int

const (
	scopeNone scopeKind = iota // the zero value sees nothing
	scopeAll
	scopeTeams
	scopeAgent
)

// Scope is the set of sessions that the identity may see: of an agent the own ones, of everybody else those of the teams,
// or all where there are none. What it does not know may see nothing.
func (id Identity) Scope() Scope {
	switch {
	case id.Role == Agent:
		if id.AgentID == "" || id.Sees == SeesOff {
			return Scope{}
		}
		return Scope{kind: scopeAgent, agent: id.AgentID}
	case !slices.Contains(Roles, id.Role):
		return Scope{}
	case id.Role != Admin && len(id.Teams) > 0:
		return Scope{kind: scopeTeams, teams: slices.Clone(id.Teams)}
	}
	return Scope{kind: scopeAll}
}

// All says whether the scope leaves nothing out.
func (s Scope) All() bool { return s.kind == scopeAll }

// Where is the scope as a condition: team is the SQL expression of a session's team, agents that of the array of its
// agents. Both are fixed text of the program, as is the result; what the identity brings comes as query parameters, named
// scope_teams and scope_agent, of the clickhouse-go kind. "1" stands for all, "0" for nothing.
func (s Scope) Where(team, agents string) (string, []any) {
	switch s.kind {
	case scopeAll:
		return "1", nil
	case scopeTeams:
		return "has({scope_teams:Array(String)}, " + team + ")", []any{clickhouse.Named("scope_teams", s.teams)}
	case scopeAgent:
		return "has(" + agents + ", {scope_agent:String})", []any{clickhouse.Named("scope_agent", s.agent)}
	}
	return "0", nil
}

// Allows says the same of one session that is already read.
func (s Scope) Allows(team string, agents []string) bool {
	switch s.kind {
	case scopeAll:
		return true
	case scopeTeams:
		return slices.Contains(s.teams, team)
	case scopeAgent:
		return slices.Contains(agents, s.agent)
	}
	return false
}
