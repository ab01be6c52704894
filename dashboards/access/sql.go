package access

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tingke/tingke/pipeline/warehouse/engine"
)

// ErrForbidden is an error of what the identity may not do.
var ErrForbidden = errors.New("not allowed")

// AdminOnly says whether only an admin may query the table or view of this name, in small letters: who decided what, who
// did what, and all that is worked out from it by reviewer.
func AdminOnly(name string) bool {
	return name == "reviews" || name == "audit" || strings.HasPrefix(name, "review_") || strings.HasPrefix(name, "audit_")
}

// MayQuery says whether the identity may run SQL that it typed; the error, an ErrForbidden, says why not. SQL sees all
// sessions, so it is for admins and for analysts without a limit to teams, and the reviews and the audit log are for
// admins. What the statement does is the business of warehouse.UserQuery, through which it must run.
func MayQuery(id Identity, sql string) error {
	switch {
	case !id.Is(Admin, Analyst):
		return fmt.Errorf("SQL is for admins and analysts: %w", ErrForbidden)
	case !id.Scope().All():
		return fmt.Errorf("SQL sees the sessions of all teams, and you may see %s: %w", strings.Join(id.Teams, ", "), ErrForbidden)
	case id.Is(Admin):
		return nil
	}
	// The engine refuses what it cannot read, with the place; so do we.
	name, used, err := engine.UsesName(sql, AdminOnly)
	if err != nil {
		return err
	}
	if used {
		return fmt.Errorf("%s is for admins; where you mean something else of that name, give it another one: %w", name, ErrForbidden)
	}
	return nil
}
