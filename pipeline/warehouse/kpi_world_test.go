package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// dice makes random worlds. Names begin with the number of the world, so that many worlds fit into one store and none
// can see another.
type dice struct {
	*rand.Rand
	world string
	ticks int64 // makes every time distinct, so that "the latest" is always one
}

func (d *dice) one(list ...string) string { return list[d.IntN(len(list))] }

func (d *dice) name(list ...string) string {
	if s := d.one(list...); s != "" {
		return d.world + s
	}
	return ""
}

func (d *dice) chance(percent int) bool { return d.IntN(100) < percent }

// time is within three days and a half, often around midnight in Shanghai.
func (d *dice) time() time.Time {
	d.ticks++
	t := time.Date(2026, 3, 2, 16, 0, 0, 0, time.UTC).Add(time.Duration(d.ticks) * time.Millisecond)
	if d.chance(40) {
		return t.Add(time.Duration(d.IntN(1200)-600) * time.Second)
	}
	return t.Add(time.Duration(d.IntN(84*3600)) * time.Second)
}

func (d *dice) session(n int) []schemas.Message {
	meta := schemas.Meta{SessionID: fmt.Sprintf("%ss%d", d.world, n), Channel: d.name("chat", "call", ""), Source: d.name("a", "b"), Shop: d.name("x", "y"),
		CustomerID: d.name("c1", "c2", "c3", ""), AgentID: d.name("a1", "a2", "a3", ""), Team: d.name("", "", "", "T"), Business: d.one("presales", "aftersales", "")}
	start := d.time()
	call := d.chance(20)
	if d.chance(70) || call && d.chance(80) {
		meta.StartedAt = start
	}
	if d.chance(30) {
		meta.Attributes = map[string]string{"invited": d.one("true", "false")}
	}
	timed := d.chance(90)
	var turns []schemas.Turn
	var position int64
	for i := range 1 + d.IntN(9) {
		t := schemas.Turn{Seq: schemas.Some(int64(i + 1)), Role: schemas.Role(d.one("customer", "customer", "customer", "agent", "agent", "agent", "bot", "system")),
			Text: d.one("在吗", "好的", "多少钱", "这款有货", "", "  ", "哦哦", "滚")}
		if t.Text == "滚" && d.chance(70) {
			t.Text = "您好"
		}
		if t.Role == schemas.Agent {
			t.AgentID = d.name("", "", "a1", "a2")
			t.Auto = d.chance(15)
		}
		start = start.Add(time.Duration(d.IntN(200_000)+1) * time.Millisecond)
		position += int64(d.IntN(60_000))
		switch {
		case call:
			t.StartMS = schemas.Some(position)
			if d.chance(70) {
				position += int64(d.IntN(20_000))
				t.EndMS = schemas.Some(position)
				if d.chance(20) {
					position -= 2000 // the other side breaks in
				}
			}
		case timed && d.chance(95):
			t.At = start
			if d.chance(4) {
				t.At = start.Add(-time.Hour) // a clock that jumps
			}
		}
		turns = append(turns, t)
	}
	whole := schemas.Message{Type: schemas.TypeSession, Session: &schemas.Session{Meta: meta, Turns: turns}}
	if d.chance(60) {
		return []schemas.Message{whole}
	}
	out := []schemas.Message{{Type: schemas.TypeSession, Session: &schemas.Session{Meta: meta}}}
	for _, t := range turns {
		out = append(out, schemas.Message{Type: schemas.TypeTurn, Turn: &schemas.LiveTurn{SessionID: meta.SessionID, Turn: t}})
	}
	if d.chance(70) {
		out = append(out, schemas.Message{Type: schemas.TypeEnd, End: &schemas.End{SessionID: meta.SessionID}})
	}
	return out
}

func (d *dice) order(n int) schemas.Message {
	o := schemas.Order{OrderID: fmt.Sprintf("%so%d", d.world, n%6), Shop: d.name("x", "y"), Status: d.one(schemas.OrderStatuses...), UpdatedAt: d.time(),
		CustomerID: d.name("c1", "c2", "c3", ""), AgentID: d.name("", "", "", "a1", "a3")}
	if d.chance(90) {
		o.CreatedAt = d.time().Add(-time.Duration(d.IntN(4)*d.IntN(8)) * 24 * time.Hour)
	}
	if o.Status != "created" || d.chance(10) {
		if o.PaidAt = d.time(); !o.CreatedAt.IsZero() {
			o.PaidAt = o.CreatedAt.Add(time.Duration(d.IntN(6*24*3600)) * time.Second)
		}
	}
	if d.chance(90) {
		o.Amount = fmt.Sprintf("%d.%02d", d.IntN(500), d.IntN(100))
	}
	if o.Status == "refunded" {
		o.RefundAmount = fmt.Sprint(d.IntN(50))
	}
	for range d.IntN(3) {
		o.Items = append(o.Items, schemas.OrderItem{SKU: "s", Qty: int64(1 + d.IntN(3)), Price: d.one("", "9.9", "20", "3.25")})
	}
	return schemas.Message{Type: schemas.TypeOrder, Order: &o}
}

func randomKPIWorld(seed uint64) world {
	d := &dice{Rand: rand.New(rand.NewPCG(seed, 1)), world: fmt.Sprintf("w%d", seed)}
	var w world
	sessions := 1 + d.IntN(7)
	for n := range sessions {
		w.messages = append(w.messages, d.session(n)...)
		if d.chance(30) {
			w.messages = append(w.messages, schemas.Message{Type: schemas.TypeRating, Rating: &schemas.Rating{SessionID: fmt.Sprintf("%ss%d", d.world, d.IntN(sessions+1)), Score: float64(1 + d.IntN(5)), Max: 5, At: d.time()}})
		}
		for _, rule := range []string{"rude", "lazy"} {
			for _, action := range [][]string{nil, nil, {"appeal"}, {"confirm"}, {"appeal", "uphold"}, {"appeal", "overturn"}, {"appeal", "overturn", "uphold"}}[d.IntN(7)] {
				w.reviews = append(w.reviews, review{fmt.Sprintf("%ss%d", d.world, n), rule, action})
			}
		}
	}
	for n := range d.IntN(9) {
		w.messages = append(w.messages, d.order(n))
	}
	for _, a := range []string{"a1", "a2", "a3"} {
		if d.chance(60) {
			w.agents = append(w.agents, Agent{AgentID: d.world + a, Team: d.name("A", "B")})
			if d.chance(40) {
				w.agents = append(w.agents, Agent{AgentID: d.world + a, Team: d.name("A", "B", "C"), ValidFrom: d.time()})
			}
		}
	}
	return w
}

// load writes a world as the pipeline would: states are unions of messages, analyses follow from them.
func load(t *testing.T, w *Warehouse, an *analyse.Analyser, messages []schemas.Message) []*schemas.Analysis {
	t.Helper()
	hasher := assemble.NewHasher([]byte("oracle"))
	states := map[string]*assemble.State{}
	var batch Batch
	for i := range messages {
		m := copyMessage(t, &messages[i])
		switch st := assemble.FromMessage(hasher, nil, m); {
		case st == nil && m.Order != nil:
			batch.Orders = append(batch.Orders, *m.Order)
		case st == nil:
			batch.Ratings = append(batch.Ratings, *m.Rating)
		case states[st.SessionID] == nil:
			states[st.SessionID] = st
		default:
			states[st.SessionID].Add(st)
		}
	}
	ids := make([]string, 0, len(states))
	for id := range states {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	for _, id := range ids {
		batch.States = append(batch.States, states[id])
		batch.Analyses = append(batch.Analyses, an.Analyse(states[id].Transcript()))
	}
	if err := w.Write(context.Background(), batch); err != nil {
		t.Fatal(err)
	}
	return batch.Analyses
}

// copyMessage is deep: a message belongs to the state made of it.
func copyMessage(t *testing.T, m *schemas.Message) *schemas.Message {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	out := new(schemas.Message)
	if err := json.Unmarshal(b, out); err != nil {
		t.Fatal(err)
	}
	return out
}

type literalFeatures struct{ rules.Literal }

func (literalFeatures) ModelVersion() string { return "literal" }

func worldAnalyser(t *testing.T) *analyse.Analyser {
	t.Helper()
	set, err := rules.Load(rules.Text("world.yaml", []byte(worldRules)))
	if err != nil {
		t.Fatal(err)
	}
	return analyse.New(literalFeatures{}, set, nil)
}

// kpiRows reads a view in the form of the oracle.
func kpiRows(t *testing.T, w *Warehouse, profile, view, from, to, asOf string) []string {
	t.Helper()
	return oracleRows(t, w, fmt.Sprintf("SELECT * FROM %s(profile = '%s', from = '%s', to = '%s', as_of = '%s')", view, profile, from, to, asOf))
}

// kpiTextRows reads the same by the statement that the program makes of the views.
func kpiTextRows(t *testing.T, w *Warehouse, profile, view, from, to, asOf string) []string {
	t.Helper()
	day := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	sql, err := w.kpiSQL(context.Background(), "kpi_rows", profile, day(from), day(to))
	if err != nil {
		t.Fatal(err)
	}
	sql = strings.NewReplacer("{from:Date}", "toDate('"+from+"')", "{to:Date}", "toDate('"+to+"')", "{as_of:Date}", "toDate('"+asOf+"')", "{by:String}", "'"+strings.TrimSuffix(view, "_kpi")+"'",
		"{pool:UInt8}", "0").Replace(sql)
	for _, list := range []string{"agents", "teams", "shops", "channels", "businesses"} {
		sql = strings.ReplaceAll(sql, "{"+list+":Array(String)}", "emptyArrayString()")
	}
	for _, v := range PublicViews() {
		if v.Name == view {
			return oracleRows(t, w, "SELECT "+strings.Join(v.Columns, ", ")+" FROM ("+sql+")")
		}
	}
	t.Fatalf("no view %s", view)
	return nil
}

func oracleRows(t *testing.T, w *Warehouse, sql string) []string {
	t.Helper()
	rows, err := w.UserQuery(context.Background(), sql, Limits{})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			t.Fatal(err)
		}
		var parts []string
		for i, c := range rows.Columns() {
			b, _ := json.Marshal(values[i])
			text := strings.Trim(string(b), `"`)
			var v float64
			if _, err := fmt.Sscanf(text+"\n", "%g\n", &v); err == nil {
				text = number(v)
			}
			parts = append(parts, c.Name+"="+text)
		}
		out = append(out, strings.Join(parts, " "))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	sort.Strings(out)
	return out
}

func addReviews(t *testing.T, w *Warehouse, reviews []review, analyses []*schemas.Analysis) {
	t.Helper()
	hits := map[[2]string]string{}
	for _, a := range analyses {
		for _, h := range a.Findings.Hits {
			hits[[2]string{a.SessionID, h.RuleID}] = h.HitID
		}
	}
	var values []string
	for i, r := range reviews {
		if id := hits[[2]string{r.session, r.rule}]; id != "" {
			values = append(values, fmt.Sprintf("('%s', '%08d', '%s', '%s', now64(3))", r.session, i, id, r.action))
		}
	}
	if len(values) > 0 {
		mustExec(t, w, "INSERT INTO review_events (session_id, event_id, hit_id, action, at) VALUES "+strings.Join(values, ", "))
	}
}

// TestKPIEqualsOracle: in random worlds the rows of the KPI views are what the oracle says; then everything is sent again
// in another order, in parts and twice, and nothing has changed. TestSlowKPIEqualsOracle reads every view in every profile
// of many more worlds.
func TestKPIEqualsOracle(t *testing.T) {
	checkKPIWorlds(t, 60, 60, false)
}

// checkKPIWorlds puts so many worlds together into a store. Every is every view in every profile, and again after the
// replay; else every view and every profile at least once.
func checkKPIWorlds(t *testing.T, worlds, together int, every bool) {
	t.Helper()
	from, to, asOf := "2026-03-01", "2026-03-08", "2026-03-09"
	views := []string{"agent_kpi", "team_kpi", "shop_kpi", "channel_kpi"}
	an := worldAnalyser(t)
	for first := 0; first < worlds; first += together {
		w := migrated(t)
		addProfiles(t, w)
		var all world
		for i := range together {
			one := randomKPIWorld(uint64(first + i))
			all.messages = append(all.messages, one.messages...)
			all.agents = append(all.agents, one.agents...)
			all.reviews = append(all.reviews, one.reviews...)
		}
		if err := w.SaveAgents(context.Background(), all.agents); err != nil {
			t.Fatal(err)
		}
		addReviews(t, w, all.reviews, load(t, w, an, all.messages))
		check := func(when, profile string, views ...string) {
			t.Helper()
			for _, v := range views {
				want := all.kpis(profile, v, from, to, asOf)
				if got := kpiTextRows(t, w, profile, v, from, to, asOf); !slices.Equal(got, want) {
					t.Errorf("worlds %d to %d, %s, %s, %s:\n%s", first, first+together-1, profile, v, when, strings.Join(diffRows(got, want), "\n"))
				}
			}
		}
		check("as sent", "generic", views...)
		for i, profile := range []string{"taobao", "jd", "douyin"} {
			if every {
				check("as sent", profile, views...)
			} else {
				check("as sent", profile, "agent_kpi", views[i+1])
			}
		}
		check("as sent", "first", "agent_kpi")
		check("as sent", "only", "agent_kpi")
		r := rand.New(rand.NewPCG(uint64(first), 2))
		again := slices.Concat(all.messages, all.messages)
		r.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		load(t, w, an, again[:len(again)/2])
		load(t, w, an, again)
		if !every {
			check("after a replay in another order", "generic", "agent_kpi", "channel_kpi")
			continue
		}
		check("after a replay in another order", "generic", views...)
		for i, profile := range []string{"taobao", "jd", "douyin"} {
			check("after a replay in another order", profile, views[i])
		}
	}
}

// diffRows are the first rows that one side has and the other has not.
func diffRows(got, want []string) []string {
	var out []string
	for _, row := range got {
		if !slices.Contains(want, row) && len(out) < 6 {
			out = append(out, "view   "+row)
		}
	}
	for _, row := range want {
		if !slices.Contains(got, row) && len(out) < 12 {
			out = append(out, "oracle "+row)
		}
	}
	return out
}
