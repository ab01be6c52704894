package api

import (
	"slices"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/dashboards/filter"
)

// allRoutes joins the routes of all areas.
func (a *API) allRoutes() []Route {
	return slices.Concat(
		a.meRoutes(),
		a.sessionRoutes(),
		a.overviewRoutes(),
		a.kpiRoutes(),
		a.opinionRoutes(),
		a.searchRoutes(),
		a.ruleRoutes(),
		a.draftRoutes(),
		a.jobRoutes(),
		a.dataRoutes(),
		a.reviewRoutes(),
		a.alertRoutes(),
		a.exportRoutes(),
		a.importRoutes(),
	)
}

// Sets of roles that several routes share.
var (
	everybody = access.Roles
	staff     = []access.Role{access.Admin, access.Supervisor, access.Product, access.Analyst} // all but agents
	quality   = []access.Role{access.Admin, access.Supervisor, access.Analyst, access.Agent}   // who sees figures of agents
	deciders  = []access.Role{access.Admin, access.Supervisor}
)

// sessionFilters are all shared filters, which every list about sessions takes.
var sessionFilters = func() []string {
	var names []string
	for _, f := range filter.Fields() {
		names = append(names, f.Name)
	}
	return names
}()

// without takes names out of a list.
func without(list []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(n string) bool { return slices.Contains(names, n) })
}
