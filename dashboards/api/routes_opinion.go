package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/nlp/opinion"
	"github.com/tingke/tingke/pipeline/memo"
	"github.com/tingke/tingke/pipeline/opinions"
	"github.com/tingke/tingke/pipeline/warehouse"
)

var (
	opinionKeepers = []access.Role{access.Admin, access.Product}
	opinionWriters = []access.Role{access.Admin, access.Product, access.Supervisor}
)

// answerQuotes is how many of the latest mentions the consistency of answers is judged by.
const answerQuotes = 50

// OpinionDetail is one opinion.
type OpinionDetail struct {
	OpinionRow
	Members []string       `json:"members" doc:"normalised ways to say it; for who is held to teams those heard there, at most 200"`
	Merged  []string       `json:"merged" doc:"ids that count for it"`
	Parts   []OpinionPart  `json:"parts" doc:"what was merged into it; for who is held to teams what was said there"`
	Days    []OpinionDay   `json:"days" doc:"all days with a mention"`
	Quotes  []OpinionQuote `json:"quotes" doc:"the latest 50"`
	Answers OpinionAnswers `json:"answers"`
}

// OpinionPart is an opinion that was merged into another.
type OpinionPart struct {
	ID       string    `json:"opinion_id"`
	Title    string    `json:"title"`
	Mentions uint64    `json:"mentions" doc:"its own mentions in the sessions of the filter: they go with it when the merge is undone"`
	With     []string  `json:"with" doc:"ids that counted for it when it was merged and go with it, too"`
	By       string    `json:"by" doc:"who merged it"`
	At       time.Time `json:"at"`
	Undo     bool      `json:"undo" doc:"whether the merge can be taken back; not after a full rebuild that founded its mentions elsewhere"`
}

// OpinionDay counts an opinion on a day.
type OpinionDay struct {
	Day       Day    `ch:"day" json:"day"`
	Mentions  uint64 `ch:"mentions" json:"mentions"`
	Sessions  uint64 `ch:"sessions" json:"sessions"`
	Customers uint64 `ch:"customers" json:"customers"`
}

// OpinionQuote is a mention with what the agent replied.
type OpinionQuote struct {
	SessionID string   `ch:"session_id" json:"session_id"`
	Seq       int64    `ch:"seq" json:"seq"`
	Text      string   `ch:"text" json:"text"`
	Day       Day      `ch:"day" json:"day"`
	Shop      string   `ch:"shop" json:"shop"`
	Customer  string   `ch:"customer_id" json:"customer_id"`
	Reply     string   `json:"reply" doc:"the agent's turns up to the customer's next one; empty without a reply"`
	Agent     string   `json:"agent_id" doc:"who replied"`
	hits      []string // ids of those that stand on the reply
	breaks    bool     // one of them is of a broken rule
}

// OpinionAnswers says whether agents answer an opinion consistently.
type OpinionAnswers struct {
	opinions.Answers
	Agents []AgentAnswers `json:"agents" doc:"each agent's replies against the same answer; only for who sees figures of agents, and where there is such an answer"`
}

// AgentAnswers are the replies of one agent.
type AgentAnswers struct {
	Agent      string  `json:"agent_id"`
	Replies    int     `json:"replies"`
	Consistent float64 `json:"consistent" doc:"share that says the same as the answer compared with, 0..1"`
}

// OpinionCustomer is a customer who said it.
type OpinionCustomer struct {
	Customer string `ch:"customer_id" json:"customer_id" doc:"pseudonym"`
	Mentions uint64 `ch:"n" json:"mentions"`
	Last     Day    `ch:"last_day" json:"last_day"`
	Session  string `ch:"last_session" json:"session_id" doc:"the latest session in which it was said"`
	Shop     string `ch:"last_shop" json:"shop"`
}

var opinionID = regexp.MustCompile(`^[0-9a-f]{16}$`)

// findOpinion resolves merges and gives the registry's entry; it and the state are shared and must not be changed.
func (a *API) findOpinion(ctx context.Context, x facts, id string) (*opinions.Entry, *opinions.State, error) {
	if !opinionID.MatchString(id) {
		return nil, nil, NotFound("opinion")
	}
	latest, err := a.Warehouse.LatestOpinionEpoch(ctx)
	if err != nil {
		return nil, nil, err
	}
	// Events count from the epoch that publishes them.
	state, err := memo.Remember(ctx, a.memo, fmt.Sprint("registry", latest.Epoch, x.cut.Opinions), nil, func(ctx context.Context) (*opinions.State, error) {
		state, _, err := opinions.Load(ctx, a.Warehouse)
		return state, err
	})
	if err != nil {
		return nil, nil, err
	}
	e, err := state.Find(id)
	if err != nil {
		return nil, nil, NotFound("opinion")
	}
	return e, state, nil
}

// opinionRow reads one row without its course. An opinion that nobody of the caller's teams has said is not there for the caller.
func (a *API) opinionRow(r *Request, x facts, id string) (*OpinionRow, error) {
	rows, err := a.opinionTable(r.Context(), x, r.Filter, id)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 && r.Filter.Set() { // nobody said it in the period: the head without counts
		all, err := a.opinionTable(r.Context(), x, r.Filter.Only(), id)
		if err == nil && len(all) > 0 {
			all[0].Mentions, all[0].Sessions, all[0].Customers = 0, 0, 0
		}
		if rows = all; err != nil {
			return nil, err
		}
	}
	if len(rows) == 0 {
		return nil, NotFound("opinion")
	}
	return &rows[0], nil
}

// opinionNow is the row of an opinion after a change.
func (a *API) opinionNow(r *Request, id string) (*OpinionRow, error) {
	x, err := a.facts(r.Context())
	if err != nil {
		return nil, err
	}
	row, err := a.opinionRow(r, x, id)
	if err != nil {
		return nil, err
	}
	rows := []OpinionRow{*row}
	err = a.sparks(r.Context(), x, r.Filter, rows)
	return &rows[0], err
}

// askedOpinion is the opinion that the address of a request names, merges resolved.
func (a *API) askedOpinion(r *Request) (x facts, e *opinions.Entry, state *opinions.State, row *OpinionRow, err error) {
	if x, err = a.facts(r.Context()); err != nil {
		return x, nil, nil, nil, err
	}
	if e, state, err = a.findOpinion(r.Context(), x, r.PathValue("opinion_id")); err != nil {
		return x, nil, nil, nil, err
	}
	row, err = a.opinionRow(r, x, e.ID)
	return x, e, state, row, err
}

func (a *API) opinion(r *Request) (any, error) {
	x, e, state, row, err := a.askedOpinion(r)
	if err != nil {
		return nil, err
	}
	rows := []OpinionRow{*row}
	d := &OpinionDetail{}
	for _, p := range state.Parts(e.ID) {
		d.Merged = append(d.Merged, p.ID)
		d.Parts = append(d.Parts, OpinionPart{ID: p.ID, Title: p.Title, With: p.With, By: p.MergedBy, At: p.MergedAt, Undo: p.Undo})
	}
	on, p := r.Filter.On("mentions")
	p = params(p, []any{named("id", e.ID)})
	known, err := a.registered(r.Context(), x)
	if err != nil {
		return nil, err
	}
	said, sp := x.saidSource(r.Filter, known.of(e.ID))
	q := a.reads(r.Context())
	q.all(&d.Days, "SELECT day, sum(mentions) AS mentions, uniqExact(session_id) AS sessions, uniqExact(customer) AS customers FROM "+said+" GROUP BY day ORDER BY day NULLS LAST", sp...)
	q.run(func(ctx context.Context) error { return a.sparks(ctx, x, r.Filter, rows) })
	q.run(func(ctx context.Context) (err error) {
		if d.Quotes, err = a.quotes(ctx, x, r, e.ID, answerQuotes, 0); err != nil || len(d.Quotes) == 0 {
			return err
		}
		return a.breaks(ctx, x, d.Quotes)
	})
	if r.Scope.All() {
		d.Members = e.Members
	} else {
		var texts []struct {
			Text string `ch:"text"`
		}
		q.all(&texts, "SELECT text FROM mentions WHERE opinion_id = {id:String} AND "+on+" GROUP BY text ORDER BY count() DESC, text LIMIT 200", p...)
		defer func() {
			for _, t := range texts {
				if s := opinion.Normalise(t.Text); !slices.Contains(d.Members, s) {
					d.Members = append(d.Members, s)
				}
			}
		}()
	}
	var own []struct {
		ID string `ch:"opinion"`
		N  uint64 `ch:"n"`
	}
	if len(d.Parts) > 0 {
		q.all(&own, "SELECT toString(opinion) AS opinion, sum(mentions) AS n FROM "+said+" GROUP BY opinion", sp...)
	}
	if err := q.wait(); err != nil {
		return nil, err
	}
	d.OpinionRow = rows[0]
	for _, x := range own {
		for i := range d.Parts {
			if d.Parts[i].ID == x.ID {
				d.Parts[i].Mentions = x.N
			}
		}
	}
	if !r.Scope.All() {
		d.Parts = slices.DeleteFunc(d.Parts, func(p OpinionPart) bool { return p.Mentions == 0 })
	}
	d.Answers = a.answers(d.Quotes, row.Answer, r.Who.Is(quality...))
	return d, nil
}

// breaks marks the quotes in whose reply a rule was broken.
func (a *API) breaks(ctx context.Context, x facts, quotes []OpinionQuote) error {
	var of listed
	for _, q := range quotes {
		if len(q.hits) > 0 {
			of.add(q.SessionID, q.Day)
		}
	}
	if len(of.ids) == 0 {
		return nil
	}
	on := "session_id IN {ids:Array(String)}"
	if !slices.Contains(of.days, "") {
		on = daysOf(of.days) + " AND " + on
	}
	var broken []struct {
		Session string `ch:"session_id"`
		Hit     string `ch:"hit_id"`
	}
	if err := a.Warehouse.Conn().Select(ctx, &broken, "SELECT session_id, hit_id FROM "+x.hits(on)+" WHERE "+opinions.Broken, named("ids", of.ids)); err != nil {
		return err
	}
	for _, b := range broken {
		for i := range quotes {
			quotes[i].breaks = quotes[i].breaks || quotes[i].SessionID == b.Session && slices.Contains(quotes[i].hits, b.Hit)
		}
	}
	return nil
}

// answers compares the replies with the approved answer, else with each other; nothing where the model is not there.
func (a *API) answers(quotes []OpinionQuote, approved string, byAgent bool) OpinionAnswers {
	var out OpinionAnswers
	if a.OpinionModel == nil {
		return out
	}
	list := make([]opinions.Quote, len(quotes))
	agents := map[string][]opinions.Quote{}
	for i, q := range quotes {
		list[i] = opinions.Quote{Text: q.Text, Reply: q.Reply, Breaks: q.breaks}
		if q.Agent != "" {
			agents[q.Agent] = append(agents[q.Agent], list[i])
		}
	}
	out.Answers = opinions.Consistency(a.OpinionModel, list, approved)
	if !byAgent || out.Replies < 2 || out.Against == "" {
		return out
	}
	for id, l := range agents {
		x := opinions.Consistency(a.OpinionModel, l, out.Against)
		out.Agents = append(out.Agents, AgentAnswers{id, x.Replies, x.Consistent})
	}
	slices.SortFunc(out.Agents, func(x, y AgentAnswers) int {
		if x.Replies != y.Replies {
			return y.Replies - x.Replies
		}
		return strings.Compare(x.Agent, y.Agent)
	})
	return out
}

// quotes reads mentions of an opinion, the latest first, with the replies.
func (a *API) quotes(ctx context.Context, x facts, r *Request, id string, limit, offset int) ([]OpinionQuote, error) {
	// First in which sessions and how often, then the words of those that are shown.
	known, err := a.registered(ctx, x)
	if err != nil {
		return nil, err
	}
	said, p := x.saidSource(r.Filter, known.of(id))
	var in []struct {
		ID       string   `ch:"session_id"`
		Opinions []string `ch:"opinions"`
		Mentions uint64   `ch:"n"`
	}
	if err := a.Warehouse.Conn().Select(ctx, &in, fmt.Sprintf("SELECT session_id, groupUniqArray(toString(opinion)) AS opinions, sum(mentions) AS n FROM %s GROUP BY day, session_id ORDER BY day DESC NULLS LAST, session_id LIMIT %d", said, limit+offset), p...); err != nil {
		return nil, err
	}
	for len(in) > 0 && int(in[0].Mentions) <= offset {
		offset -= int(in[0].Mentions)
		in = in[1:]
	}
	var ids []string
	for n := 0; len(ids) < len(in) && n < offset+limit; {
		n += int(in[len(ids)].Mentions)
		ids = append(ids, in[len(ids)].ID)
	}
	texts, err := a.Warehouse.Texts(ctx, warehouse.TurnTexts|warehouse.MentionTexts|warehouse.HitTexts, ids)
	if err != nil {
		return nil, err
	}
	var out []OpinionQuote
	for i, id := range ids {
		s := texts[id]
		if s == nil { // written anew since, without it
			continue
		}
		var at []int
		for j, o := range s.MentionOpinion {
			if slices.Contains(in[i].Opinions, o) {
				at = append(at, j)
			}
		}
		slices.SortStableFunc(at, func(i, j int) int {
			return cmp.Or(cmp.Compare(s.MentionTurn[i], s.MentionTurn[j]), cmp.Compare(s.MentionStart[i], s.MentionStart[j]))
		})
		for _, j := range at {
			q := OpinionQuote{SessionID: id, Seq: s.MentionTurn[j], Text: s.MentionText[j], Day: s.Day, Shop: s.Shop, Customer: s.CustomerID}
			var replied []int64
			q.Reply, q.Agent, replied = s.ReplyTo(q.Seq)
			for k, h := range s.EvidenceHit {
				if slices.Contains(replied, s.EvidenceTurn[k]) {
					q.hits = append(q.hits, s.HitID[h-1])
				}
			}
			out = append(out, q)
		}
	}
	return out[min(offset, len(out)):min(offset+limit, len(out))], nil
}

func (a *API) opinionQuotes(r *Request) (any, error) {
	x, e, _, _, err := a.askedOpinion(r)
	if err != nil {
		return nil, err
	}
	return offsetPage(r, func(offset, limit int) ([]OpinionQuote, error) {
		return a.quotes(r.Context(), x, r, e.ID, limit, offset)
	})
}

func (a *API) opinionCustomers(r *Request) (any, error) {
	x, e, _, _, err := a.askedOpinion(r)
	if err != nil {
		return nil, err
	}
	known, err := a.registered(r.Context(), x)
	if err != nil {
		return nil, err
	}
	said, p := x.saidSource(r.Filter, known.of(e.ID))
	return offsetPage(r, func(offset, limit int) ([]OpinionCustomer, error) {
		var out []OpinionCustomer
		return out, a.Warehouse.Conn().Select(r.Context(), &out, fmt.Sprintf(`SELECT customer_id, sum(mentions) AS n, max(day) AS last_day, argMax(session_id, (ifNull(day, toDate('1970-01-01')), session_id)) AS last_session,
			argMax(toString(shop), (ifNull(day, toDate('1970-01-01')), session_id)) AS last_shop FROM %s WHERE customer_id != ''
			GROUP BY customer_id ORDER BY last_day DESC NULLS LAST, customer_id LIMIT %d OFFSET %d`, said, limit, offset), p...)
	})
}

// OpinionChange is what people say of an opinion; what is absent stays as it is.
type OpinionChange struct {
	Title      *string `json:"title,omitempty" doc:"wins over any title that the program makes"`
	Status     *string `json:"status,omitempty" enum:"new,accepted,fixed,declined"`
	FixedOn    *string `json:"fixed_on,omitempty" doc:"day, with status fixed; today where it is not given"`
	Owner      *string `json:"owner,omitempty" doc:"empty takes it away"`
	Note       *string `json:"note,omitempty" doc:"empty takes it away"`
	Answer     *string `json:"answer,omitempty" doc:"approved answer; empty takes it away"`
	Department *string `json:"department,omitempty"`
}

// maxNote bounds what people write about an opinion, bytes.
const maxNote = 4000

// Check implements the check of bodies.
func (c *OpinionChange) Check() error {
	n := 0
	for name, v := range map[string]*string{"title": c.Title, "owner": c.Owner, "note": c.Note, "answer": c.Answer, "department": c.Department} {
		if v == nil {
			continue
		}
		n++
		if strings.TrimSpace(*v) == "" && (name == "title" || name == "department") {
			return BadValue(name, "is empty; every opinion has one")
		}
		if bound := map[string]int{"title": 200, "owner": 100, "department": 100}[name]; len(*v) > maxNote || bound > 0 && len(*v) > bound {
			return BadValue(name, "is too long")
		}
	}
	if c.Status != nil {
		n++
		if !slices.Contains(opinions.Statuses, *c.Status) {
			return BadValue("status", "is none of %s", strings.Join(opinions.Statuses, ", "))
		}
	}
	if c.FixedOn != nil {
		n++
		if c.Status == nil || *c.Status != "fixed" {
			return BadValue("fixed_on", "goes with status fixed")
		}
		if _, err := time.Parse(time.DateOnly, *c.FixedOn); err != nil {
			return BadValue("fixed_on", "is no day such as 2026-03-31")
		}
	}
	if n == 0 {
		return &Error{http.StatusBadRequest, "missing", "there is nothing to change", ""}
	}
	return nil
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// keeper runs a change of the registry. What the registry refuses is a conflict; the rest are failures of the store.
func (a *API) keeper(f func(*opinions.Keeper) error) error {
	if a.Opinions == nil {
		return Unavailable("opinions cannot be changed here: this process has no registry")
	}
	err := f(a.Opinions)
	switch {
	case err == nil, warehouse.ErrorCode(err) != 0, warehouse.IsTransient(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return Conflict("%s", err)
}

func (a *API) changeOpinion(r *Request) (any, error) {
	c := Body[OpinionChange](r)
	if r.Who.Role == access.Supervisor && (*c != OpinionChange{Answer: c.Answer}) {
		return nil, Forbidden("supervisors set the approved answer; the rest is for product managers")
	}
	_, e, _, _, err := a.askedOpinion(r)
	if err != nil {
		return nil, err
	}
	ctx := r.Context()
	if err := access.Audit(ctx, "change_opinion", e.ID, c); err != nil {
		return nil, err
	}
	if c.Title != nil {
		if err := a.keeper(func(k *opinions.Keeper) error { return k.Rename(ctx, e.ID, *c.Title, r.Who.User) }); err != nil {
			return nil, err
		}
	}
	j := opinions.Judgement{Status: value(c.Status), Owner: c.Owner, Note: c.Note, Answer: c.Answer, Department: value(c.Department)}
	if j.Status == "fixed" {
		on := parseDay(a.today())
		if c.FixedOn != nil {
			on = parseDay(*c.FixedOn)
		}
		j.FixedOn = &on
	}
	if j != (opinions.Judgement{}) {
		if err := a.keeper(func(k *opinions.Keeper) error { return k.Judge(ctx, e.ID, j, r.Who.User) }); err != nil {
			return nil, err
		}
	}
	return a.opinionNow(r, e.ID)
}

// OpinionMerge names the opinions that are to count for another.
type OpinionMerge struct {
	IDs []string `json:"ids"`
}

// Check implements the check of bodies.
func (m *OpinionMerge) Check() error {
	if len(m.IDs) == 0 || len(m.IDs) > 500 {
		return BadValue("ids", "takes 1 to 500 ids")
	}
	for _, id := range m.IDs {
		if !opinionID.MatchString(id) {
			return BadValue("ids", "%q is no opinion", clip(id, 40))
		}
	}
	return nil
}

func (a *API) mergeOpinions(r *Request) (any, error) {
	m := Body[OpinionMerge](r)
	_, e, state, _, err := a.askedOpinion(r)
	if err != nil {
		return nil, err
	}
	for _, id := range m.IDs {
		if _, err := state.Find(id); err != nil {
			return nil, BadValue("ids", "%s is no opinion", id)
		}
	}
	if err := access.Audit(r.Context(), "merge_opinions", e.ID, m); err != nil {
		return nil, err
	}
	if err := a.keeper(func(k *opinions.Keeper) error { return k.Merge(r.Context(), e.ID, m.IDs, r.Who.User) }); err != nil {
		return nil, err
	}
	return a.opinionNow(r, e.ID)
}

// OpinionUnmerge names opinions whose merge is taken back.
type OpinionUnmerge struct {
	IDs []string `json:"ids" doc:"of parts of the opinion"`
}

// Check implements the check of bodies.
func (m *OpinionUnmerge) Check() error { return (&OpinionMerge{m.IDs}).Check() }

func (a *API) unmergeOpinions(r *Request) (any, error) {
	m := Body[OpinionUnmerge](r)
	_, e, state, _, err := a.askedOpinion(r)
	if err != nil {
		return nil, err
	}
	for _, id := range m.IDs {
		switch p := state.Known[id]; {
		case p == nil:
			return nil, BadValue("ids", "%s is no opinion", id)
		case p.Into != e.ID:
			return nil, Conflict("%s is not merged into this opinion", id)
		}
	}
	if err := access.Audit(r.Context(), "unmerge_opinions", e.ID, m); err != nil {
		return nil, err
	}
	if err := a.keeper(func(k *opinions.Keeper) error { return k.Unmerge(r.Context(), m.IDs, r.Who.User) }); err != nil {
		return nil, err
	}
	return a.opinionNow(r, e.ID)
}

// OpinionSplit says which members move to a new opinion.
type OpinionSplit struct {
	Members    []string `json:"members,omitempty" doc:"these members"`
	Containing []string `json:"containing,omitempty" doc:"all members with one of these words"`
	Title      string   `json:"title,omitempty" doc:"of the new opinion; made from the members where it is not given"`
}

// Check implements the check of bodies.
func (s *OpinionSplit) Check() error {
	if len(s.Members)+len(s.Containing) == 0 {
		return &Error{http.StatusBadRequest, "missing", "say which members move, or which words they contain", "members"}
	}
	if len(s.Members)+len(s.Containing) > 1000 || len(s.Title) > 200 {
		return BadValue("members", "is too long")
	}
	if slices.Contains(s.Containing, "") {
		return BadValue("containing", "has an empty word")
	}
	return nil
}

func (a *API) splitOpinion(r *Request) (any, error) {
	s := Body[OpinionSplit](r)
	_, e, _, _, err := a.askedOpinion(r)
	if err != nil {
		return nil, err
	}
	exact := map[string]bool{}
	for _, m := range s.Members {
		exact[opinion.Normalise(m)] = true
	}
	pick := func(member string) bool {
		return exact[member] || slices.ContainsFunc(s.Containing, func(w string) bool { return strings.Contains(member, opinion.Normalise(w)) })
	}
	if err := access.Audit(r.Context(), "split_opinion", e.ID, s); err != nil {
		return nil, err
	}
	var id string
	if err := a.keeper(func(k *opinions.Keeper) (err error) {
		id, _, err = k.Split(r.Context(), e.ID, pick, strings.TrimSpace(s.Title), r.Who.User)
		return err
	}); err != nil {
		return nil, err
	}
	x, err := a.facts(r.Context())
	if err != nil {
		return nil, err
	}
	rows, err := a.opinionTable(r.Context(), x, r.Filter, id)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 { // nobody of the caller's teams has said it
		return OpinionRow{ID: id, Title: s.Title}, nil
	}
	return rows[0], a.sparks(r.Context(), x, r.Filter, rows)
}
