package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/dashboards/api"
	"github.com/tingke/tingke/schemas"
)

func (a *app) benchDashboardsCommand() *cobra.Command {
	o := dashboardsBenchOptions{}
	c := &cobra.Command{
		Use:   "dashboards",
		Short: "Time of everything the web app asks for over 10 million turns, with 8 clients at once",
		Long: "Makes a store in DIR/bench-dashboards, once (a second run uses it again): conversations of 90 days, 200 agents, 20 shops,\n" +
			"with orders, ratings, decisions of reviewers and 3,000 opinions; one session in twenty was written twice and nothing is\n" +
			"merged any more. Then asks every GET of the API that reads it, each with 8 clients at once that ask about different\n" +
			"periods, shops, agents and sessions, and prints the median and the 95th percentile of the whole answer, and the\n" +
			"processor time of one, engine included, which a machine that is busy with other things changes less.",
		Example: "  tingke bench dashboards --json\n  tingke bench dashboards --turns 300000 --only sessions",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := a.benchDashboards(c.Context(), o)
			if err != nil {
				return err
			}
			if a.json {
				return json.NewEncoder(a.out).Encode(r)
			}
			fmt.Fprintf(a.out, "%+v\ncopied in %.1f s, texts in %.1f s\nload %s, %d processors, %d clients\n", *r.Store, r.Copied, r.Turns, r.Load, r.Processors, r.Clients)
			for _, x := range r.Results {
				fmt.Fprintf(a.out, "%9.0f %9.0f ms  cpu %8.0f ms  %4d  %s %s\n", x.P50, x.P95, x.CPU, x.N, x.Query, x.Problem)
			}
			return nil
		},
	}
	c.Flags().IntVar(&o.turns, "turns", 10_000_000, "turns in the store, about")
	c.Flags().Uint64Var(&o.seed, "seed", 1, "seed of the store and of the questions")
	c.Flags().IntVar(&o.clients, "clients", 8, "clients at once")
	c.Flags().IntVar(&o.requests, "requests", 64, "requests of each query")
	c.Flags().BoolVar(&o.warm, "warm", false, "ask everything once before it is measured: figures of people and counts of opinions are kept until something changes")
	c.Flags().StringVar(&o.only, "only", "", "only queries whose name contains this")
	return c
}

type dashboardsBenchOptions struct {
	turns, clients, requests int
	seed                     uint64
	only                     string
	warm                     bool
}

// dashboardsBench is what `bench dashboards --json` prints.
type dashboardsBench struct {
	Results    []dashboardsResult `json:"results"`
	Store      *worldStore        `json:"store"`
	Warm       bool               `json:"warm"`
	Clients    int                `json:"clients"`
	Processors int                `json:"processors"`
	Copied     float64            `json:"copied_s"`       // until what pages read was copied from the tables; near 0 where it was there already
	Turns      float64            `json:"copied_turns_s"` // the same of the texts that search reads
	Load       string             `json:"load"`           // of the machine before the first query: 1, 5 and 15 minutes
	LoadAfter  string             `json:"load_after"`
}

type dashboardsResult struct {
	Query   string  `json:"query"`
	Page    bool    `json:"page"` // asked by the web app; by programs else
	P50     float64 `json:"p50_ms"`
	P95     float64 `json:"p95_ms"`
	N       int     `json:"n"`
	CPU     float64 `json:"cpu_ms"` // processor time of one request, mean, of this process with the engine
	Bytes   int     `json:"bytes"`  // of the last answer
	Problem string  `json:"problem,omitempty"`
}

// question is a request: an address below api.Prefix, made anew for each request, and the route that answers it.
type question struct {
	name, route string
	page        bool // whether the web app asks it
	address     func(*asker) string
}

// asker makes the values of the questions of one client.
type asker struct {
	*rand.Rand
	sample *worldSample
}

// worldSample is what questions may ask about.
type worldSample struct {
	Sessions, Opinions, Rules, Customers []string
}

// day is one of the last days of the store.
func (q *asker) day() string { return worldEnd.AddDate(0, 0, -1-q.IntN(20)).Format(time.DateOnly) }

// days is a period of n days that ends on one of the last days of the store.
func (q *asker) days(n int) string {
	to := worldEnd.AddDate(0, 0, -q.IntN(max(1, min(20, worldDays-n))))
	return fmt.Sprintf("from=%s&to=%s", to.AddDate(0, 0, 1-n).Format(time.DateOnly), to.Format(time.DateOnly))
}

func (q *asker) shop() string  { return shopName(q.IntN(worldShops)) }
func (q *asker) team() string  { return teamName(q.IntN(worldTeams)) }
func (q *asker) agent() string { return agentName(q.IntN(worldAgents)) }
func (q *asker) word() string {
	return q.of([]string{"退款", "漏水", "优惠券", "青禾面膜B款", "过敏", "发货", "投诉", "烟台"})
}
func (q *asker) of(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return list[q.IntN(len(list))]
}

func (a *app) benchDashboards(ctx context.Context, o dashboardsBenchOptions) (r *dashboardsBench, err error) {
	if o.turns < 1000 || o.clients < 1 || o.requests < 1 {
		return nil, usagef("--turns must be at least 1000, --clients and --requests at least 1")
	}
	a = a.inWorld()
	s, built, err := a.openWorld(ctx, o.turns, o.seed)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	r = &dashboardsBench{Warm: o.warm, Clients: o.clients, Processors: runtime.GOMAXPROCS(0)}
	if r.Store, err = describeWorld(ctx, s); err != nil {
		return nil, err
	}
	r.Store.BuildS = built.Seconds()
	sample := &worldSample{}
	for _, x := range []struct {
		into *[]string
		sql  string
	}{
		{&sample.Sessions, "SELECT groupArray(session_id) FROM (SELECT session_id FROM analyses ORDER BY cityHash64(session_id) LIMIT 500)"},
		{&sample.Customers, "SELECT groupArray(customer_id) FROM (SELECT customer_id FROM analyses WHERE customer_id != '' ORDER BY cityHash64(session_id) LIMIT 500)"},
		{&sample.Opinions, "SELECT groupArray(opinion_id) FROM (SELECT opinion_id FROM opinions ORDER BY mentions DESC LIMIT 100)"},
		{&sample.Rules, "SELECT groupArray(rule_id) FROM (SELECT rule_id FROM hits WHERE severity != 'info' GROUP BY rule_id ORDER BY count() DESC LIMIT 10)"},
	} {
		if err := s.Conn().QueryRow(ctx, x.sql).Scan(x.into); err != nil {
			return nil, err
		}
	}
	handler, _, stop, err := a.worldAPI(ctx, s)
	if err != nil {
		return nil, err
	}
	defer stop()
	// A server makes its copies once and goes on with them after a restart; what that takes is told apart.
	began := time.Now()
	if _, err := s.Facts(ctx); err != nil {
		return nil, err
	}
	r.Copied = schemas.Round4(time.Since(began).Seconds())
	began = time.Now()
	if _, err := s.TurnFacts(ctx); err != nil {
		return nil, err
	}
	r.Turns = schemas.Round4(time.Since(began).Seconds())
	r.Load = loadAverage()
	for _, q := range dashboardQuestions {
		if !strings.Contains(q.name, o.only) {
			continue
		}
		if o.warm {
			ask(ctx, handler, q, sample, o)
		}
		x := ask(ctx, handler, q, sample, o)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		a.progress("%9.0f %9.0f ms  cpu %8.0f ms  %s %s", x.P50, x.P95, x.CPU, x.Query, x.Problem)
		r.Results = append(r.Results, x)
	}
	slices.SortStableFunc(r.Results, func(x, y dashboardsResult) int { return cmp.Compare(y.P95, x.P95) })
	r.LoadAfter = loadAverage()
	return r, nil
}

// ask asks a question o.requests times, with o.clients at once.
func ask(ctx context.Context, handler http.Handler, q question, sample *worldSample, o dashboardsBenchOptions) dashboardsResult {
	out := dashboardsResult{Query: q.name, Page: q.page}
	var mu sync.Mutex
	var took []float64
	var clients sync.WaitGroup
	left := make(chan int, o.requests)
	for i := range o.requests {
		left <- i
	}
	close(left)
	before := processorTime()
	for range o.clients {
		clients.Go(func() {
			for i := range left {
				if ctx.Err() != nil {
					return
				}
				asker := &asker{rand.New(rand.NewPCG(o.seed, hash64(q.name)+uint64(i))), sample}
				request := httptest.NewRequestWithContext(ctx, http.MethodGet, api.Prefix+q.address(asker), nil)
				answer := httptest.NewRecorder()
				began := time.Now()
				handler.ServeHTTP(answer, request)
				d := float64(time.Since(began).Microseconds()) / 1000
				mu.Lock()
				took = append(took, d)
				out.Bytes = answer.Body.Len()
				if answer.Code != http.StatusOK {
					out.Problem = fmt.Sprintf("status %d: %s: %.200s", answer.Code, request.URL, answer.Body)
				}
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	slices.Sort(took)
	out.N = len(took)
	if out.N > 0 {
		out.CPU = schemas.Round4(float64((processorTime() - before).Microseconds()) / 1000 / float64(out.N))
		out.P50 = schemas.Round4(took[(out.N-1)/2])
		out.P95 = schemas.Round4(took[(out.N*95+99)/100-1])
	}
	return out
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(string(b))[:3], " ")
}

// worldAPI is the API as `tingke serve` makes it, asked by an admin; stop ends what runs beside it.
func (a *app) worldAPI(ctx context.Context, s *store) (handler http.Handler, routes []api.Route, stop func(), err error) {
	zone, err := time.LoadLocation(a.config.Timezone)
	if err != nil {
		return nil, nil, nil, err
	}
	users, err := access.OpenUsers(a.usersPath(), a.log)
	if err != nil {
		return nil, nil, nil, err
	}
	reviews, err := a.newReviews(ctx, s, users)
	if err != nil {
		return nil, nil, nil, err
	}
	j, stopLooking, err := a.newJudging(ctx, s)
	if err != nil {
		return nil, nil, nil, err
	}
	judge, err := j.options(a, s)
	if err != nil {
		stopLooking()
		return nil, nil, nil, err
	}
	inner, err := a.newAPI(s, zone, func(o *api.Options) { o.Reviews, o.Alerts = reviews, a.newHub(s) }, judge)
	if err != nil {
		stopLooking()
		return nil, nil, nil, err
	}
	admin := access.Identity{User: "bench", Name: "bench", Role: access.Admin}
	audit := access.NewAuditLog(s)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r.WithContext(access.WithAuditor(access.WithIdentity(r.Context(), admin), audit, "127.0.0.1")))
	}), inner.Routes(), func() { inner.Close(); stopLooking() }, nil
}

// dashboardQuestions are what a product that is used asks for: every GET of the API that reads the store. Those of pages are
// asked for just as the pages do.
var dashboardQuestions = []question{
	{"overview of a day", "/overview", page, func(q *asker) string { return "/overview?day=" + q.day() }},
	{"overview of a day, one shop", "/overview", page, func(q *asker) string { return "/overview?day=" + q.day() + "&shop=" + url.QueryEscape(q.shop()) }},
	{"values of the filters", "/filters", page, func(*asker) string { return "/filters" }},
	{"review queue as it opens", "/sessions", page, func(*asker) string { return "/sessions?" + queueOpens }},
	{"review queue, 7 days", "/sessions", page, func(q *asker) string { return "/sessions?flagged=1&state=closed&" + q.days(7) }},
	{"review queue, 30 days", "/sessions", page, func(q *asker) string { return "/sessions?flagged=1&state=closed&" + q.days(30) }},
	{"sessions, 30 days, one team", "/sessions", page, func(q *asker) string {
		return "/sessions?sort=newest&team=" + url.QueryEscape(q.team()) + "&" + q.days(30)
	}},
	{"sessions, 30 days, one agent", "/sessions", page, func(q *asker) string { return "/sessions?sort=newest&agent=" + q.agent() + "&" + q.days(30) }},
	{"sessions, 30 days, one rule", "/sessions", page, func(q *asker) string { return "/sessions?rule=" + q.of(q.sample.Rules) + "&" + q.days(30) }},
	{"sessions, 30 days, an emotion", "/sessions", page, func(q *asker) string { return "/sessions?emotion=angry&" + q.days(30) }},
	{"sessions, 30 days, an opinion", "/sessions", page, func(q *asker) string { return "/sessions?opinion=" + q.of(q.sample.Opinions) + "&" + q.days(30) }},
	{"sessions, 30 days, words", "/sessions", page, func(q *asker) string { return "/sessions?q=" + url.QueryEscape(q.word()) + "&" + q.days(30) }},
	{"sessions of a customer", "/sessions", page, func(q *asker) string { return "/sessions?customer=" + url.QueryEscape(q.of(q.sample.Customers)) }},
	{"counts beside the review queue as it opens", "/sessions/counts", page, func(*asker) string { return "/sessions/counts?" + queueOpens }},
	{"counts beside the review queue, 7 days", "/sessions/counts", page, func(q *asker) string { return "/sessions/counts?flagged=1&state=closed&" + q.days(7) }},
	{"session", "/sessions/{session_id}", page, func(q *asker) string { return "/sessions/" + q.of(q.sample.Sessions) }},
	{"neighbours in the queue as it opens", "/sessions/{session_id}/neighbours", page, func(q *asker) string {
		return "/sessions/" + q.of(q.sample.Sessions) + "/neighbours?" + queueOpens
	}},
	{"neighbours in the queue, 7 days", "/sessions/{session_id}/neighbours", page, func(q *asker) string {
		return "/sessions/" + q.of(q.sample.Sessions) + "/neighbours?flagged=1&state=closed&" + q.days(7)
	}},
	{"reviews of a session", "/sessions/{session_id}/review", page, func(q *asker) string { return "/sessions/" + q.of(q.sample.Sessions) + "/review" }},
	{"agents, 30 days", "/kpi", page, func(q *asker) string { return "/kpi?by=agent&whole=1&" + q.days(30) }},
	{"agents like for like, 30 days", "/kpi", page, func(q *asker) string { return "/kpi?by=agent&whole=1&like=1&" + q.days(30) }},
	{"agents by team and shop, 30 days", "/kpi", page, func(q *asker) string { return "/kpi?by=agent&" + q.days(30) }},
	{"rules an agent breaks most, 30 days", "/kpi/broken", page, func(q *asker) string { return "/kpi/broken?agent=" + q.agent() + "&" + q.days(30) }},
	{"teams, 30 days", "/kpi", page, func(q *asker) string { return "/kpi?by=team&" + q.days(30) }},
	{"one agent, 30 days", "/kpi", other, func(q *asker) string { return "/kpi?by=agent&agent=" + q.agent() + "&" + q.days(30) }},
	{"one agent day by day, 30 days", "/kpi/trend", page, func(q *asker) string { return "/kpi/trend?by=agent&whole=1&agent=" + q.agent() + "&" + q.days(30) }},
	{"sessions behind a figure, 30 days", "/kpi/sessions", page, func(q *asker) string { return "/kpi/sessions?figure=within_180s&agent=" + q.agent() + "&" + q.days(30) }},
	{"a rule before and after a day", "/kpi/rules", page, func(q *asker) string {
		return "/kpi/rules?rule=" + q.of(q.sample.Rules) + "&date=" + q.day() + "&" + q.days(30)
	}},
	{"opinions", "/opinions", page, func(*asker) string { return "/opinions" }},
	{"opinions, 30 days", "/opinions", page, func(q *asker) string { return "/opinions?" + q.days(30) }},
	{"opinions, 30 days, one shop", "/opinions", page, func(q *asker) string { return "/opinions?shop=" + url.QueryEscape(q.shop()) + "&" + q.days(30) }},
	{"counts beside the opinions", "/opinions/counts", page, func(*asker) string { return "/opinions/counts" }},
	{"opinion", "/opinions/{opinion_id}", page, func(q *asker) string { return "/opinions/" + q.of(q.sample.Opinions) }},
	{"opinion, 30 days, one shop", "/opinions/{opinion_id}", page, func(q *asker) string {
		return "/opinions/" + q.of(q.sample.Opinions) + "?shop=" + url.QueryEscape(q.shop()) + "&" + q.days(30)
	}},
	{"quotes of an opinion", "/opinions/{opinion_id}/quotes", page, func(q *asker) string { return "/opinions/" + q.of(q.sample.Opinions) + "/quotes?limit=20" }},
	{"customers of an opinion", "/opinions/{opinion_id}/customers", page, func(q *asker) string {
		return "/opinions/" + q.of(q.sample.Opinions) + "/customers?limit=10"
	}},
	{"mentions, 7 days", "/mentions", other, func(q *asker) string { return "/mentions?kind=complaint&" + q.days(7) }},
	{"search, 30 days", "/turns", page, func(q *asker) string { return "/turns?q=" + url.QueryEscape(q.word()) + "&" + q.days(30) }},
	{"search, all days", "/turns", page, func(q *asker) string { return "/turns?q=" + url.QueryEscape(q.word()) }},
	{"saved searches", "/searches", page, func(*asker) string { return "/searches" }},
	{"work of the reviewers", "/reviews/queue", other, func(*asker) string { return "/reviews/queue" }},
	{"open appeals", "/reviews/appeals", page, func(*asker) string { return "/reviews/appeals?judged=open" }},
	{"judged appeals", "/reviews/appeals", page, func(*asker) string { return "/reviews/appeals?judged=judged" }},
	{"precision of the rules", "/reviews/precision", other, func(*asker) string { return "/reviews/precision" }},
	{"open alerts", "/alerts", page, func(*asker) string { return "/alerts?open=1" }},
	{"counts of alerts", "/alerts/counts", page, func(*asker) string { return "/alerts/counts" }},
	{"rules, 30 days", "/rules", page, func(q *asker) string { return "/rules?" + q.days(30) }},
	{"views", "/data/views", page, func(*asker) string { return "/data/views" }},
	{"reruns", "/data/runs", page, func(*asker) string { return "/data/runs" }},
	{"dead letters", "/data/dead-letters", page, func(*asker) string { return "/data/dead-letters" }},
	{"health", "/data/health", page, func(*asker) string { return "/data/health" }},
}

// Who asks a question: a page, or programs that use the API.
const (
	page  = true
	other = false
)

// queueOpens is the list that reviewers see first.
const queueOpens = "state=closed&flagged=1&reviewed=0"

// notAsked are the other GETs: they read nothing of the store, end never, or are work that is not a page's.
var notAsked = map[string]string{
	"/me":                            "reads nothing",
	"/jobs":                          "reads nothing",
	"/jobs/{job_id}":                 "reads nothing",
	"/alerts/stream":                 "never ends",
	"/alerts/{alert_id}":             "as the list, by key",
	"/rules/forms":                   "reads nothing",
	"/rules/history":                 "reads published packs only",
	"/rules/packs/{pack}":            "reads published packs only",
	"/rules/packs/{pack}/diff":       "reads published packs only",
	"/reviews/reviewers":             "counts what lies open, in a dialogue",
	"/reviews/appealable":            "is for agents: as the list of hits of one agent",
	"/sessions/{session_id}/explain": "analyses a session anew",
	"/exports":                       "reads nothing",
	"/imports":                       "reads nothing",
	"/imports/{upload_id}":           "reads nothing",
}
