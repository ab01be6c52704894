package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/tingke/tingke/dashboards/filter"
	"github.com/tingke/tingke/pipeline/warehouse"
)

// TurnHit is an utterance that a search found.
type TurnHit struct {
	SessionID string        `ch:"session_id" json:"session_id"`
	Seq       int64         `ch:"seq" json:"seq"`
	Position  uint32        `ch:"position" json:"position"`
	Role      string        `ch:"role" json:"role"`
	Agent     string        `ch:"agent_id" json:"agent_id"`
	At        *time.Time    `ch:"at" json:"at"`
	Day       Day           `ch:"day" json:"day"`
	Shop      string        `ch:"shop" json:"shop"`
	Text      string        `ch:"text" json:"text"`
	Emotion   string        `ch:"emotion" json:"emotion"`
	Polarity  float32       `ch:"polarity" json:"polarity"`
	Spans     []filter.Span `json:"spans" doc:"where the words stand in the text, bytes"`
}

// TurnPage is a page of a search.
type TurnPage struct {
	Items    []TurnHit `json:"items"`
	Next     string    `json:"next,omitempty" doc:"cursor of the next page; absent at the end"`
	Total    uint64    `json:"total" doc:"utterances found"`
	Sessions uint64    `json:"sessions" doc:"sessions with one"`
}

// turnKey is where an utterance stands, newest first.
type turnKey struct {
	Day      string `json:"d"`
	ID       string `json:"id"`
	Position uint32 `json:"p"`
}

// SearchRow is a saved search.
type SearchRow struct {
	ID     string    `json:"search_id"`
	Owner  string    `json:"owner"`
	Mine   bool      `json:"mine"`
	Name   string    `json:"name"`
	Target string    `json:"target" enum:"turns,sessions"`
	Query  string    `json:"query" doc:"filters, encoded as in an address"`
	Shared bool      `json:"shared" doc:"others see it too"`
	At     time.Time `json:"at"`
}

// SearchBody is a search to be saved.
type SearchBody struct {
	Name   string `json:"name"`
	Target string `json:"target" enum:"turns,sessions"`
	Query  string `json:"query" doc:"filters, encoded as in an address"`
	Shared bool   `json:"shared"`
}

// Check implements the check of bodies.
func (s *SearchBody) Check() error {
	if strings.TrimSpace(s.Name) == "" || utf8.RuneCountInString(s.Name) > 80 {
		return BadValue("name", "takes 1 to 80 characters")
	}
	if s.Target != "turns" && s.Target != "sessions" {
		return BadValue("target", "is neither turns nor sessions")
	}
	q, err := url.ParseQuery(s.Query)
	if err != nil || len(s.Query) > 8192 {
		return BadValue("query", "is no query of an address")
	}
	for name := range q {
		if !filter.Has(name) && (name != "sort" || s.Target != "sessions") && (name != "role" || s.Target != "turns") {
			return BadValue("query", "%q is no filter", clip(name, 60))
		}
	}
	if _, err := filter.Parse(q); err != nil {
		return BadValue("query", "%s", err)
	}
	return nil
}

// maxSearches bounds the searches of one user.
const maxSearches = 200

func (a *API) searchRoutes() []Route {
	searchers := staff
	return []Route{
		{
			Method: http.MethodGet, Path: "/turns", Roles: searchers, Summary: "Search over all that was said, newest day first",
			Filters: sessionFilters, Query: []Param{{Name: "role", Type: "text", Enum: []string{"customer", "agent", "bot", "system"}, Repeated: true, Doc: "who speaks"}},
			Paged: true, Response: TurnPage{}, Handle: a.turns,
		},
		{
			Method: http.MethodGet, Path: "/searches", Roles: searchers, Summary: "Saved searches: the own ones and those that others share",
			Response: Page[SearchRow]{}, Handle: a.searches,
		},
		{
			Method: http.MethodPost, Path: "/searches", Roles: searchers, Summary: "Save a search",
			Body: SearchBody{}, Response: SearchRow{}, Handle: a.saveSearch,
		},
		{
			Method: http.MethodPut, Path: "/searches/{search_id}", Roles: searchers, Summary: "Change a search of the caller's own",
			Body: SearchBody{}, Response: SearchRow{}, Handle: a.saveSearch,
		},
		{
			Method: http.MethodDelete, Path: "/searches/{search_id}", Roles: searchers, Summary: "Take a search of the caller's own away",
			Handle: a.deleteSearch,
		},
	}
}

// turns searches utterances. What an utterance has itself (emotion, with a role the agent) is asked of it, the rest of its
// session.
func (a *API) turns(r *Request) (any, error) {
	f := r.Filter.With("q")
	var sql []string
	var p []any
	and := func(s string, more ...any) { sql, p = append(sql, s), append(p, more...) }
	roles := r.All("role")
	if len(roles) > 0 {
		and("role IN {t_roles:Array(String)}", named("t_roles", roles))
	}
	if emotions := f.All("emotion"); len(emotions) > 0 {
		f = f.With("emotion")
		and("emotion IN {t_emotions:Array(String)}", named("t_emotions", emotions))
	}
	if agents := f.All("agent"); len(agents) > 0 && slices.Equal(roles, []string{"agent"}) {
		and("agent_id IN {t_agents:Array(String)}", named("t_agents", agents))
	}
	if shops := f.All("shop"); len(shops) > 0 {
		f = f.With("shop")
		and("shop IN {t_shops:Array(String)}", named("t_shops", shops))
	}
	if state := f.Get("state"); state != "" {
		f = f.With("state")
		and("closed = ({t_state:String} = 'closed')", named("t_state", state))
	}
	words := r.Filter.Get("q")
	if words != "" {
		text, tp := filter.Words(words)
		and(text, tp...)
	}
	cut, err := a.Warehouse.TurnFacts(r.Context())
	if err != nil {
		return nil, err
	}
	days, dp := f.Turns()
	and(days, dp...)
	if rest, _ := f.With("from").With("to").Facts(); rest != "1" {
		x, err := a.facts(r.Context())
		if err != nil {
			return nil, err
		}
		where, fp := f.Facts()
		and("session IN (SELECT cityHash64(session_id) FROM "+x.sessions(where)+")", fp...)
	}
	from := "turn_facts WHERE " + cut.Live() + " AND " + strings.Join(sql, " AND ")
	page := &TurnPage{}
	var after turnKey
	more, err := r.Cursor(&after)
	if err != nil {
		return nil, err
	}
	rest := "1"
	rp := p
	if more {
		day, err := time.Parse(time.DateOnly, after.Day)
		if err != nil {
			return nil, BadValue("cursor", "take the cursor from the page before")
		}
		rest = "newest >= {c_newest:Int32} AND (newest, session_id, position) > ({c_newest:Int32}, {c_id:String}, {c_position:UInt32})"
		rp = append(slices.Clone(p), named("c_newest", -day.Unix()/86400), named("c_id", after.ID), named("c_position", after.Position))
	}
	var found struct {
		Turns    uint64 `ch:"n"`
		Sessions uint64 `ch:"s"`
	}
	var keys struct {
		IDs       []string `ch:"ids"`
		Positions []uint32 `ch:"positions"`
		Newest    []int32  `ch:"days"`
	}
	q := a.reads(r.Context())
	q.run(func(ctx context.Context) error {
		return a.Warehouse.Conn().QueryRow(ctx, "SELECT count() AS n, uniqExact(session) AS s FROM "+from, params(p)...).ScanStruct(&found)
	})
	q.run(func(ctx context.Context) error { // in the order of the table, so that it ends when the page is full
		return a.Warehouse.Conn().QueryRow(ctx, "SELECT groupArray(session_id) AS ids, groupArray(position) AS positions, groupArray(newest) AS days FROM (SELECT session_id, position, newest FROM "+from+" AND "+rest+
			" ORDER BY newest, session_id, position LIMIT "+strconv.Itoa(r.Limit+1)+")", params(rp)...).ScanStruct(&keys)
	})
	if err := q.wait(); err != nil {
		return nil, err
	}
	if last := r.Limit - 1; len(keys.IDs) > r.Limit {
		day := time.Unix(-int64(keys.Newest[last])*86400, 0).UTC().Format(time.DateOnly)
		if page.Next, err = r.Next(turnKey{day, keys.IDs[last], keys.Positions[last]}); err != nil {
			return nil, err
		}
		keys.IDs = keys.IDs[:r.Limit]
	}
	texts, err := a.Warehouse.Texts(r.Context(), warehouse.TurnTexts, slices.Compact(slices.Clone(keys.IDs)))
	if err != nil {
		return nil, err
	}
	for i, id := range keys.IDs {
		s, at := texts[id], int(keys.Positions[i])-1
		if s == nil || at >= len(s.TurnSeq) { // written anew since, without it
			continue
		}
		page.Items = append(page.Items, TurnHit{SessionID: id, Seq: s.TurnSeq[at], Position: keys.Positions[i], Role: s.TurnRole[at], Agent: s.TurnAgent[at], At: s.TurnAt[at], Day: s.Day, Shop: s.Shop,
			Text: s.TurnText[at], Emotion: s.TurnEmotion[at], Polarity: s.TurnPolarity[at]})
	}
	page.Total, page.Sessions = found.Turns, found.Sessions
	if words != "" {
		for i := range page.Items {
			page.Items[i].Spans = filter.Find(page.Items[i].Text, words)
		}
	}
	return page, nil
}

func searchRow(s warehouse.SavedSearch, user string) SearchRow {
	return SearchRow{s.SearchID, s.Owner, s.Owner == user, s.Name, s.Target, s.Query, s.Shared, s.At}
}

func (a *API) searches(r *Request) (any, error) {
	list, err := a.Warehouse.SavedSearches(r.Context(), r.Who.User)
	if err != nil {
		return nil, err
	}
	p := &Page[SearchRow]{}
	for _, s := range list {
		p.Items = append(p.Items, searchRow(s, r.Who.User))
	}
	return p, nil
}

// ownSearch finds a search of the caller; those of others are not there to be changed.
func (a *API) ownSearch(r *Request) (warehouse.SavedSearch, int, error) {
	list, err := a.Warehouse.SavedSearches(r.Context(), r.Who.User)
	if err != nil {
		return warehouse.SavedSearch{}, 0, err
	}
	own := 0
	var found *warehouse.SavedSearch
	for i := range list {
		if list[i].Owner == r.Who.User {
			own++
			if list[i].SearchID == r.PathValue("search_id") {
				found = &list[i]
			}
		}
	}
	if found == nil {
		return warehouse.SavedSearch{}, own, NotFound("search")
	}
	return *found, own, nil
}

func (a *API) saveSearch(r *Request) (any, error) {
	b := Body[SearchBody](r)
	old, own, err := a.ownSearch(r)
	if r.PathValue("search_id") == "" {
		if _, missing := err.(*Error); err != nil && !missing {
			return nil, err
		}
		if own >= maxSearches {
			return nil, Conflict("you have %d saved searches; take one away first", own)
		}
		id, err := uuid.NewV7()
		if err != nil {
			return nil, err
		}
		old = warehouse.SavedSearch{SearchID: id.String(), Owner: r.Who.User}
	} else if err != nil {
		return nil, err
	}
	s := warehouse.SavedSearch{SearchID: old.SearchID, Owner: old.Owner, Name: strings.TrimSpace(b.Name), Target: b.Target, Query: b.Query, Shared: b.Shared, At: later(old.At)}
	return searchRow(s, r.Who.User), a.Warehouse.SaveSearch(r.Context(), s)
}

func (a *API) deleteSearch(r *Request) (any, error) {
	s, _, err := a.ownSearch(r)
	if err != nil {
		return nil, err
	}
	s.Deleted, s.At = true, later(s.At)
	return nil, a.Warehouse.SaveSearch(r.Context(), s)
}

// later is now, or just after a time that is not before it.
func later(than time.Time) time.Time {
	now := time.Now().UTC().Truncate(time.Microsecond)
	if !now.After(than) {
		now = than.Add(time.Microsecond)
	}
	return now
}
