package api

import (
	"net/http"

	"github.com/tingke/tingke/dashboards/access"
)

// Me is who is logged in and what for.
type Me struct {
	access.Identity
	Timezone string `json:"timezone" doc:"zone of days"`
	Today    string `json:"today" doc:"the day it is there"`
}

func (a *API) meRoutes() []Route {
	return []Route{{
		Method: http.MethodGet, Path: "/me", Roles: everybody, Summary: "Who is logged in, with which role and for which teams",
		Response: Me{}, Handle: func(r *Request) (any, error) {
			return Me{r.Who, a.Timezone.String(), a.today()}, nil
		},
	}}
}

// today is the day it is in the configured timezone.
func (a *API) today() string { return a.Now().In(a.Timezone).Format("2006-01-02") }
