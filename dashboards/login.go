package dashboards

import (
	"net/http"
	"time"

	"github.com/tingke/tingke/dashboards/access"
)

// loginPage renders the log-in page.
func (s *site) loginPage(w http.ResponseWriter, r *http.Request, status int, l access.LoginPage) {
	p := s.newPage("login", access.Identity{}, r)
	p.Title, p.Body = p.T("login"), l
	s.render(w, status, p)
}

// WaitSeconds is how long somebody who failed too often has to wait.
func (p *page) WaitSeconds() int {
	l, _ := p.Body.(access.LoginPage)
	return int(l.Wait/time.Second) + 1
}

// May says whether the reader may see a page, for the links to it.
func (p *page) May(name string) bool {
	if name == "agents" {
		return p.Who.Is(quality...)
	}
	return p.Who.Is(staff...)
}

// RoleName is the role of the reader.
func (p *page) RoleName() string { return string(p.Who.Role) }

// UsersProblem tells admins why the users file is not what is in use, "" when it is.
func (p *page) UsersProblem() string {
	if p.Who.Role != access.Admin || p.gate == nil {
		return ""
	}
	if err := p.gate.Users.Problem(); err != nil {
		return err.Error()
	}
	return ""
}
