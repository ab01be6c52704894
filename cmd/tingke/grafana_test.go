package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/pipeline/warehouse/engine"
)

var grafanaDir = filepath.Join("..", "..", "dashboards", "grafana")

const (
	clickhousePlugin = "grafana-clickhouse-datasource"
	prometheusPlugin = "prometheus"
)

// board is what the test needs of a Grafana dashboard.
type board struct {
	UID        string       `json:"uid"`
	Panels     []boardPanel `json:"panels"`
	Templating struct {
		List []boardVariable `json:"list"`
	} `json:"templating"`
}

type boardPanel struct {
	ID          int              `json:"id"`
	Type        string           `json:"type"`
	Title       string           `json:"title"`
	Description string           `json:"description"`
	Datasource  *boardDatasource `json:"datasource"`
	Targets     []struct {
		Datasource boardDatasource `json:"datasource"`
		RawSQL     string          `json:"rawSql"`
		QueryType  string          `json:"queryType"`
		Expr       string          `json:"expr"`
		Legend     string          `json:"legendFormat"`
	} `json:"targets"`
	FieldConfig struct {
		Overrides []struct {
			Matcher struct {
				ID      string `json:"id"`
				Options string `json:"options"`
			} `json:"matcher"`
		} `json:"overrides"`
	} `json:"fieldConfig"`
	Options struct {
		XField string `json:"xField"`
	} `json:"options"`
	GridPos struct{ H, W, X, Y int } `json:"gridPos"`
}

type boardDatasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type boardVariable struct {
	Name       string          `json:"name"`
	Type       string          `json:"type"`
	Query      string          `json:"query"`
	Datasource boardDatasource `json:"datasource"`
}

func readBoard(t *testing.T) *board {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(grafanaDir, "boards", "tingke.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out board
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return &out
}

// grafanaQuery is what Grafana and the ClickHouse plugin make of a query: values chosen in the variables (none: All), and
// the macros of the plugin's documentation.
type grafanaQuery struct {
	from, to time.Time
	values   map[string][]string
}

var (
	conditionalAll = regexp.MustCompile(`\$__conditionalAll\(((?:[^()]|\([^()]*\))*), \$(\w+)\)`)
	timeFilter     = regexp.MustCompile(`\$__timeFilter\(([^()]+)\)`)
	variableUse    = regexp.MustCompile(`\$\{(\w+)(?::(\w+))?\}`)
)

func (q grafanaQuery) expand(sql string) (string, error) {
	var errs []string
	sql = conditionalAll.ReplaceAllStringFunc(sql, func(s string) string {
		m := conditionalAll.FindStringSubmatch(s)
		if len(q.values[m[2]]) == 0 {
			return "1=1"
		}
		return m[1]
	})
	sql = variableUse.ReplaceAllStringFunc(sql, func(s string) string {
		m := variableUse.FindStringSubmatch(s)
		values, ok := q.values[m[1]]
		switch {
		case !ok:
			errs = append(errs, s+" is no variable of the board, or All outside $__conditionalAll")
		case m[2] == "singlequote":
			var quoted []string
			for _, v := range values {
				quoted = append(quoted, "'"+strings.ReplaceAll(v, "'", `\'`)+"'")
			}
			return strings.Join(quoted, ",")
		case m[2] != "":
			errs = append(errs, s+": the test does not know this format")
		case len(values) != 1:
			errs = append(errs, s+": several values need a format")
		}
		return strings.Join(values, ",")
	})
	instant := func(t time.Time) string { return fmt.Sprintf("toDateTime(%d)", t.Unix()) }
	sql = timeFilter.ReplaceAllString(sql, "$1 >= "+instant(q.from)+" AND $1 <= "+instant(q.to))
	sql = strings.NewReplacer("$__fromTime", instant(q.from), "$__toTime", instant(q.to)).Replace(sql)
	if i := strings.Index(sql, "$"); i >= 0 {
		errs = append(errs, fmt.Sprintf("%.30q is left over", sql[i:]))
	}
	if len(errs) > 0 {
		return "", fmt.Errorf("%s", strings.Join(errs, "; "))
	}
	return sql, nil
}

func TestGrafanaExpands(t *testing.T) {
	q := grafanaQuery{from: time.Unix(10, 0), to: time.Unix(20, 0), values: map[string][]string{"shop": {"a", "o'b"}, "team": nil, "zone": {"UTC"}}}
	f := func(in, want string) {
		t.Helper()
		if got, err := q.expand(in); err != nil || got != want {
			t.Errorf("%s: %q %v, want %q", in, got, err, want)
		}
	}
	f("$__timeFilter(at)", "at >= toDateTime(10) AND at <= toDateTime(20)")
	f("$__conditionalAll(shop IN (${shop:singlequote}), $shop)", `shop IN ('a','o\'b')`)
	f("$__conditionalAll(team IN (${team:singlequote}), $team)", "1=1")
	f("toDate($__toTime, '${zone}')", "toDate(toDateTime(20), 'UTC')")
	for _, bad := range []string{"$__interval_ms", "${nobody}", "${shop}", "$zone"} {
		if got, err := q.expand(bad); err == nil {
			t.Errorf("%s: %q, want an error", bad, got)
		}
	}
}

// demoStore is the store of a demo on the built-in samples.
func demoStore(t *testing.T) (*app, *store) {
	t.Helper()
	if _, err := engine.FindLibrary(); err != nil {
		t.Skipf("SKIPPED, no query of the board is run: %v", err)
	}
	dir := t.TempDir()
	if _, stderr, code := tingke(t, "", "demo", "--once", "--json", "--dir", dir); code != 0 {
		t.Fatalf("demo: code %d: %s", code, stderr)
	}
	config, err := loadConfig("", env())
	if err != nil {
		t.Fatal(err)
	}
	a := &app{dir: dir, config: config, log: slog.New(slog.DiscardHandler), out: io.Discard, err: io.Discard, getenv: env()}
	s, err := a.openStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return a, s
}

// TestGrafanaBoard runs every query of the board against the demo's store, and checks every metric of panels and alerts
// against what a worker registers.
func TestGrafanaBoard(t *testing.T) {
	if testing.Short() {
		t.Skip("long: what it covers is in the engine, which the race detector does not see")
	}
	b := readBoard(t)
	a, s := demoStore(t)
	if err := s.Write(t.Context(), stream.Batch{LostRanges: []stream.LostRange{{Topic: "tingke.transcripts", Partition: 1, From: 5, To: 9, At: time.Now()}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Conn().Exec(t.Context(), "INSERT INTO run_rows (run_id, version, state, created_at) VALUES (1, 1, 'done', now64(3))"); err != nil {
		t.Fatal(err)
	}
	q := grafanaQuery{from: time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC), to: time.Now().Add(time.Minute), values: map[string][]string{}}
	sources := provisionedSources(t)
	var metrics []metricUse
	for _, v := range b.Templating.List {
		switch v.Type {
		case "query":
			sources.check(t, "variable "+v.Name, v.Datasource)
			rows := runBoardQuery(t, s, q, "variable "+v.Name, v.Query)
			var values []string
			for _, r := range rows.values {
				values = append(values, fmt.Sprint(r[0]))
			}
			if len(values) < 2 {
				t.Fatalf("variable %s: values %q, want at least two", v.Name, values)
			}
			q.values[v.Name] = nil // All
		case "custom", "textbox":
			q.values[v.Name] = strings.Split(v.Query, ",")[:1]
		default:
			t.Errorf("variable %s: type %q is unknown to the test", v.Name, v.Type)
		}
	}
	chosen := grafanaQuery{from: q.from, to: q.to, values: map[string][]string{}}
	for name, values := range q.values {
		chosen.values[name] = values
	}
	chosen.values["shop"], chosen.values["team"] = []string{"花漾美妆旗舰店", "it's"}, []string{"电商一组"}
	ids := map[int]string{}
	for _, p := range b.Panels {
		if other := ids[p.ID]; other != "" {
			t.Errorf("panels %q and %q have the id %d", other, p.Title, p.ID)
		}
		ids[p.ID] = p.Title
		if p.Type == "row" {
			continue
		}
		if p.Title == "" || p.Description == "" || len(p.Targets) == 0 || p.GridPos.W == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q: title, description, targets and a place in the grid are needed", p.ID, p.Title)
		}
		for _, x := range p.Targets {
			sources.check(t, p.Title, x.Datasource)
			if x.Datasource.Type == prometheusPlugin {
				metrics = append(metrics, metricUse{p.Title, x.Expr})
				for _, m := range regexp.MustCompile(`{{(\w+)}}`).FindAllStringSubmatch(x.Legend, -1) {
					if !regexp.MustCompile(`by \([^)]*\b` + m[1] + `\b`).MatchString(x.Expr) {
						t.Errorf("panel %q: the legend names %s, the expression %s does not group by it", p.Title, m[1], x.Expr)
					}
				}
				continue
			}
			rows := runBoardQuery(t, s, q, p.Title, x.RawSQL)
			if len(rows.values) == 0 {
				t.Errorf("panel %q: no row for %s", p.Title, x.RawSQL)
			}
			runBoardQuery(t, s, chosen, p.Title, x.RawSQL)
			rows.check(t, p, x.QueryType)
		}
	}
	t.Run("metrics", func(t *testing.T) {
		var alerts struct {
			Groups []struct {
				Rules []struct {
					Alert       string
					Expr        string
					Labels      map[string]string
					Annotations map[string]string
				}
			}
		}
		raw, err := os.ReadFile(filepath.Join(grafanaDir, "prometheus", "alerts.yml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(raw, &alerts); err != nil {
			t.Fatal(err)
		}
		for _, g := range alerts.Groups {
			for _, r := range g.Rules {
				if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
					t.Errorf("alert %s: severity, summary and description are needed", r.Alert)
				}
				metrics = append(metrics, metricUse{"alert " + r.Alert, r.Expr})
			}
		}
		checkMetrics(t, registered(t, a, s), metrics)
	})
}

type boardRows struct {
	columns []warehouse.Column
	values  [][]any
}

func runBoardQuery(t *testing.T, s *store, q grafanaQuery, where, sql string) boardRows {
	t.Helper()
	expanded, err := q.expand(sql)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	rows, err := s.UserQuery(t.Context(), expanded, warehouse.Limits{}) // what a user who only reads may run
	if err != nil {
		t.Fatalf("%s: %v\n%s", where, err, expanded)
	}
	defer rows.Close()
	out := boardRows{columns: rows.Columns()}
	for rows.Next() {
		v, err := rows.Values()
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		out.values = append(out.values, v)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v\n%s", where, err, expanded)
	}
	return out
}

// check looks at what the kind of panel needs: a time first and in order, columns that the panel names.
func (r boardRows) check(t *testing.T, p boardPanel, queryType string) {
	t.Helper()
	named := func(name string) bool {
		return slices.ContainsFunc(r.columns, func(c warehouse.Column) bool { return c.Name == name })
	}
	for _, o := range p.FieldConfig.Overrides {
		if o.Matcher.ID != "byName" || !named(o.Matcher.Options) {
			t.Errorf("panel %q: no column %q in %v", p.Title, o.Matcher.Options, r.columns)
		}
	}
	if x := p.Options.XField; x != "" && !named(x) {
		t.Errorf("panel %q: no column %q in %v", p.Title, x, r.columns)
	}
	if want := map[bool]string{true: "timeseries", false: "table"}[p.Type == "timeseries"]; queryType != want {
		t.Errorf("panel %q: query type %q, want %q", p.Title, queryType, want)
	}
	if p.Type != "timeseries" {
		return
	}
	if c := r.columns[0]; c.Name != "time" || !strings.HasPrefix(c.Type, "DateTime") {
		t.Errorf("panel %q: first column %v, want a DateTime named time", p.Title, c)
	}
	for i := 1; i < len(r.values); i++ {
		if fmt.Sprint(r.values[i-1][0]) > fmt.Sprint(r.values[i][0]) {
			t.Errorf("panel %q: times are not in order", p.Title)
			break
		}
	}
}

type dataSources map[string]string // type by uid

func provisionedSources(t *testing.T) dataSources {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(grafanaDir, "provisioning", "datasources", "tingke.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Datasources []struct{ UID, Type string }
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	out := dataSources{}
	for _, d := range file.Datasources {
		out[d.UID] = d.Type
	}
	return out
}

func (d dataSources) check(t *testing.T, where string, s boardDatasource) {
	t.Helper()
	if d[s.UID] != s.Type || s.Type == "" {
		t.Errorf("%s: data source %+v is not provisioned: %v", where, s, d)
	}
}

// describing keeps the descriptions of what is registered with it.
type describing struct {
	*prometheus.Registry
	labels map[string][]string // by name of the metric
}

var description = regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: \{([^}]*)\}`)

func (d describing) Register(c prometheus.Collector) error {
	ch := make(chan *prometheus.Desc)
	go func() {
		c.Describe(ch)
		close(ch)
	}()
	for x := range ch {
		m := description.FindStringSubmatch(x.String())
		if m == nil {
			return fmt.Errorf("cannot read %s", x)
		}
		d.labels[m[1]] = append(strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' }), "instance", "job")
		if _, ok := c.(prometheus.Histogram); ok {
			d.labels[m[1]+"_bucket"] = append(d.labels[m[1]], "le")
		}
	}
	return d.Registry.Register(c)
}

// registered gives the labels of the metrics of a worker, by name.
func registered(t *testing.T, a *app, s *store) map[string][]string {
	t.Helper()
	d := describing{newRegistry(), map[string][]string{}}
	if _, err := a.newWorker(context.Background(), stream.KafkaConfig{Brokers: []string{"127.0.0.1:1"}, Topic: "t", DeadTopic: "d", Group: "g"}, s, nil, d); err != nil {
		t.Fatal(err)
	}
	gathered, err := d.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range gathered { // those of the process and of Go
		if d.labels[f.GetName()] == nil {
			d.labels[f.GetName()] = []string{"instance", "job"}
		}
	}
	d.labels["up"] = []string{"instance", "job"} // made by Prometheus
	return d.labels
}

type metricUse struct{ where, expr string }

var (
	metricName  = regexp.MustCompile(`\b(up|(?:tingke|process|go)_[a-z0-9_]+)\b`)
	labelGroups = regexp.MustCompile(`\b(?:by|on|without|ignoring) \(([^)]*)\)|\{([^}]*)\}`)
	labelName   = regexp.MustCompile(`\b([a-z_]+)\b(?:\s*=~?|\s*!=|\s*,|\s*$)`)
)

func checkMetrics(t *testing.T, known map[string][]string, uses []metricUse) {
	t.Helper()
	if len(uses) < 10 {
		t.Errorf("only %d expressions", len(uses))
	}
	for _, u := range uses {
		bare := regexp.MustCompile(`"[^"]*"`).ReplaceAllString(u.expr, `""`)
		names := metricName.FindAllString(bare, -1)
		if len(names) == 0 {
			t.Errorf("%s: no metric in %s", u.where, u.expr)
		}
		var labels []string
		for _, n := range names {
			if known[n] == nil {
				t.Errorf("%s: no worker has the metric %s", u.where, n)
			}
			labels = append(labels, known[n]...)
		}
		for _, g := range labelGroups.FindAllStringSubmatch(bare, -1) {
			for _, l := range labelName.FindAllStringSubmatch(g[1]+g[2], -1) {
				if !slices.Contains(labels, l[1]) {
					t.Errorf("%s: %v have no label %s", u.where, names, l[1])
				}
			}
		}
	}
}

// TestAlertRules runs the rules' own tests with Prometheus' tool, where it is installed.
func TestAlertRules(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("SKIPPED, the alert rules are not run: promtool is not installed (apt-get install prometheus)")
	}
	for _, args := range [][]string{{"check", "config", "prometheus.yml"}, {"test", "rules", "alerts.test.yml"}} {
		c := exec.CommandContext(t.Context(), tool, args...)
		c.Dir = filepath.Join(grafanaDir, "prometheus")
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}
