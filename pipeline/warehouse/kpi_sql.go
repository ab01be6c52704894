package warehouse

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tingke/tingke/schemas"
)

// A view with parameters that stands on another one is analysed anew at each step, and every use of a profile's setting
// is a query of its own. So the program asks with the text of the views, put together into one statement, with the
// settings of the profile as literals: the same SQL, planned several times faster.

// kpiProfileSettings are the columns of kpi_profile_rows that the views use, with always, which follows from two of them.
var kpiProfileSettings = strings.Fields("always opens closes cap_ms unanswered_ms automatic_only passed_on automatic_reply bot_waits within_of " +
	"lookback_days order_hours pay_hours sales_hours attribution lag_days")

var (
	kpiSetting = regexp.MustCompile(`\bp\.(\w+)`)
	kpiComment = regexp.MustCompile(`(?m)^\s*--.*\n`)
)

const (
	kpiCellsCall = "kpi_cells(profile = {profile:String}, from = {from:Date}, to = {to:Date})"
	kpiLag       = "(SELECT any(lag_days) FROM kpi_profile_rows FINAL WHERE profile = {profile:String})"
)

// What kpi_cells reads of analyses, in its words.
const (
	kpiFromAnalyses = "FROM analyses FINAL"
	kpiOfActiveRun  = "run_id = if(empty(switches), 0, tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3))"
	kpiTouched      = "FROM analyses\n        WHERE "
	kpiOrdering     = "(max(if(agent_id = '', NULL, ifNull(created_at, paid_at))), "
	kpiBeforeOrder  = "kpi_since <= ifNull(ordering.1, toDateTime64('1970-01-01', 3, 'UTC')) AND "
)

// kpiFromInputs is the text of kpi_cells over the rows of kpi_inputs that a condition names. Of sessions before an order that
// names its agent the latest counts: where each of these agents has a session in the week before the first order, none
// that had ended before it is read.
func kpiFromInputs(cells, live string) (string, error) {
	for _, x := range []struct{ old, new string }{
		{kpiTouched, "FROM kpi_inputs\n        WHERE " + live + " AND "},
		{kpiFromAnalyses, "FROM kpi_inputs"},
		{kpiOfActiveRun, live},
		{kpiOrdering, "(max(if(agent_id = '', NULL, ifNull(created_at, paid_at))), min(if(agent_id = '', NULL, ifNull(created_at, paid_at))) - INTERVAL 7 DAY, "},
		{"ordering.3", "ordering.4"},
		{"ordering.2", "ordering.3"},
		{kpiBeforeOrder, kpiBeforeOrder + `kpi_until >= (
				SELECT if(uniqExact(agent) = (SELECT uniqExact(agent_id) FROM paid WHERE agent_id != ''), any(ifNull(ordering.2, toDateTime64('1970-01-01', 3, 'UTC'))), toDateTime64('1970-01-01', 3, 'UTC'))
				FROM kpi_inputs ARRAY JOIN agent_ids AS agent
				WHERE kpi_until >= ordering.2 AND kpi_since <= ordering.2 + INTERVAL 7 DAY AND started_at BETWEEN ordering.2 AND ordering.2 + INTERVAL 7 DAY AND agent IN (SELECT agent_id FROM paid WHERE agent_id != '') AND ` + live + `
			) AND `},
	} {
		if !strings.Contains(cells, x.old) {
			return "", fmt.Errorf("the view kpi_cells does not hold %q", x.old)
		}
		cells = strings.ReplaceAll(cells, x.old, x.new)
	}
	return cells, nil
}

// kpiTexts are the SELECTs of the views by name, as the migration has them.
var kpiTexts = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	for _, m := range schemas.Migrations() {
		for _, sql := range splitStatements(kpiComment.ReplaceAllString(m.SQL, "")) {
			for _, view := range []string{"kpi_cells", "kpi_rows", "kpi_sessions", "kpi_strata"} {
				if text, ok := strings.CutPrefix(sql, "CREATE OR REPLACE VIEW "+view+" AS\n"); ok {
					out[view] = text
				}
			}
		}
	}
	return out
})

// kpiSQL is the text of a view for a profile, "" being generic; its other parameters are parameters of the query. Where days
// are given, those alone of the period are in it.
func (w *Warehouse) kpiSQL(ctx context.Context, view, profile string, from, to time.Time, only ...time.Time) (string, error) {
	if profile == "" {
		profile = KPIProfileNames[0]
	}
	settings, timezone, err := w.kpiProfile(ctx, profile)
	if err != nil {
		return "", err
	}
	texts := kpiTexts()
	_, cells, ok := strings.Cut(texts["kpi_cells"], ") AS p,")
	if !ok || !strings.Contains(texts[view], kpiCellsCall) {
		return "", fmt.Errorf("the migrations hold no view %s that stands on kpi_cells", view)
	}
	fill := func(sql string) string {
		sql = kpiSetting.ReplaceAllStringFunc(strings.ReplaceAll(sql, kpiLag, settings["lag_days"]), func(s string) string { return settings[s[2:]] })
		return strings.ReplaceAll(sql, "{{timezone}}", timezone)
	}
	day := func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC) }
	days := make([]string, 0, len(only))
	for _, d := range only {
		days = append(days, d.Format(time.DateOnly))
	}
	if len(only) == 0 {
		for d := day(from); !d.After(day(to)); d = d.AddDate(0, 0, 1) {
			days = append(days, d.Format(time.DateOnly))
		}
	}
	slices.Sort(days)
	columns := kpiColumnList
	if view == "kpi_rows" {
		columns = kpiCounted
	}
	source, err := w.kpiSource(ctx, profile, timezone, fill(cells), columns, days)
	if err != nil {
		return "", err
	}
	return strings.Replace(fill(texts[view]), kpiCellsCall, source, 1), nil
}

// kpiProfile gives the settings of a profile as literals, and the timezone of the views.
func (w *Warehouse) kpiProfile(ctx context.Context, profile string) (map[string]string, string, error) {
	var b strings.Builder
	b.WriteString("SELECT (SELECT value FROM settings FINAL WHERE name = 'timezone')")
	for _, s := range kpiProfileSettings {
		switch s {
		case "always":
			s = "arrayAll(x -> x = 0, opens) AND arrayAll(x -> x = 1440, closes)"
		case "within_of", "attribution":
			s = "concat('''', replaceRegexpAll(" + s + ", '[^a-z]', ''), '''')"
		}
		b.WriteString(", toString(" + s + ")")
	}
	b.WriteString(" FROM kpi_profile_rows FINAL WHERE profile = " + quote(profile))
	values := make([]string, len(kpiProfileSettings)+1)
	dest := make([]any, len(values))
	for i := range values {
		dest[i] = &values[i]
	}
	rows, err := w.conn.Query(ctx, b.String())
	if err != nil {
		return nil, "", fmt.Errorf("cannot read the KPI profile %q: %w", profile, err)
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return nil, "", fmt.Errorf("cannot read the KPI profile %q: %w", profile, err)
		}
		return nil, "", fmt.Errorf("unknown KPI profile %q; the view kpi_profiles lists those that are known", profile)
	}
	if err := rows.Scan(dest...); err != nil {
		return nil, "", fmt.Errorf("cannot read the KPI profile %q: %w", profile, err)
	}
	out := map[string]string{}
	for i, s := range kpiProfileSettings {
		out[s] = values[i+1]
	}
	return out, values[0], rows.Err()
}
