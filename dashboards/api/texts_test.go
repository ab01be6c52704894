package api

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/dashboards/filter"
)

// TestListsSayWhatTheViewsSay: what lists show of sessions, which they take from copies, is what the views say, on pages of
// any size.
func TestListsSayWhatTheViewsSay(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	opinion := get[Page[OpinionRow]](t, f.api, "admin", Prefix+"/opinions").Items[0].ID
	// Sessions with several mentions, a hit that breaks nothing, replies in two turns, automatic ones, after a second question, none at all,
	// a late mention first, nobody known, and one without a day.
	for i := range 9 {
		day := fmt.Sprintf("toDateTime64('2026-03-%02d 02:00:00', 3, 'UTC')", 3+i%3)
		if i == 8 {
			day = "NULL"
		}
		sql := fmt.Sprintf(`INSERT INTO analyses SELECT * REPLACE ('more-%d' AS session_id, '%s' AS customer_id, %s AS started_at, if(%d %% 2 = 0, '花漾', '森野') AS shop,
				[1, 2, 3, 4, 5, 6]::Array(Int64) AS turn_seq, ['customer', %s, 'agent', 'agent', 'customer', %s] AS turn_role, ['', '', 'a2', 'a1', '', 'a1'] AS turn_agent,
				['多少钱%d', '稍等', '多少钱都是249元', '今天有券，不管多少钱', '能便宜吗', '不能了'] AS turn_text, arrayResize([started_at], 6, started_at) AS turn_at,
				[false, true, false, false, false, false] AS turn_auto, arrayResize(turn_emotion, 6, 'neutral') AS turn_emotion, arrayResize(turn_polarity, 6) AS turn_polarity,
				arrayResize(turn_key, 6) AS turn_key, arrayResize(turn_start_ms, 6) AS turn_start_ms, arrayResize(turn_end_ms, 6) AS turn_end_ms, arrayResize(turn_confidence, 6) AS turn_confidence,
				arrayResize(turn_valid, 6) AS turn_valid, arrayResize(turn_language, 6) AS turn_language,
				['m3', 'm1', 'm2', 'm0'] AS mention_id, [5, 1, 1, 5]::Array(Int64) AS mention_turn, ['能便宜吗', '钱', '多少', '别的'] AS mention_text, [0, 6, 0, 0]::Array(UInt32) AS mention_start, [12, 9, 6, 6]::Array(UInt32) AS mention_end,
				arrayResize(mention_kind, 4, 'question') AS mention_kind, arrayResize(mention_aspect, 4, 'price') AS mention_aspect, arrayResize(mention_valuable, 4) AS mention_valuable, arrayResize(mention_product, 4) AS mention_product,
				arrayResize(mention_polarity, 4) AS mention_polarity, arrayResize(mention_department, 4) AS mention_department, ['%s', '%s', '%s', ''] AS mention_opinion,
				['2', '3'] AS hit_id, ['ban', 'praise'] AS hit_rule, ['1', '1'] AS hit_rule_version, ['a1', 'a1'] AS hit_agent, ['present', 'present'] AS hit_outcome, ['critical', 'info'] AS hit_severity, [-60, 0] AS hit_points,
				['推诿%d', '不扣分'] AS hit_reason, [1, 1]::Array(UInt32) AS evidence_hit, [6, 4]::Array(Int64) AS evidence_turn, [0, 0]::Array(UInt32) AS evidence_start, [3, 3]::Array(UInt32) AS evidence_end, now64(3) AS written_at)
			FROM (SELECT * FROM analyses FINAL WHERE session_id = 'one-1')`, i, []string{"c-0", "c-1", "c-2", ""}[i%4], day, i, []string{"'agent'", "'customer'"}[i%2], []string{"'agent'", "'system'"}[i/5], i, opinion, opinion, opinion, i)
		if err := f.w.Conn().Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	rows := func(sql string) (out []string) {
		t.Helper()
		if err := f.w.Conn().QueryRow(ctx, "SELECT groupArray(line) FROM ("+sql+")").Scan(&out); err != nil || len(out) == 0 {
			t.Fatalf("%s: %d rows, %v", sql, len(out), err)
		}
		return out
	}
	same := func(what string, got, want []string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s\n got %q\nwant %q", what, got, want)
		}
	}
	for _, more := range []struct{ query, where string }{{"", "1"}, {"&shop=" + url.QueryEscape("花漾"), "shop = '花漾'"},
		{"&from=2026-03-04&to=2026-03-04", "day = '2026-03-04'"}, {"&from=2026-03-04&business=presales", "day >= '2026-03-04' AND session_id IN (SELECT session_id FROM sessions WHERE business = 'presales')"}} {
		// The reply is what agents say themselves between the mention and the customer's next turn after the first such reply.
		wanted := rows(`SELECT concat(session_id, ' ', toString(seq), ' ', text, ' ', ifNull(toString(day), ''), ' ', shop, ' ', customer_id, ' ', reply) AS line FROM (
			SELECT m.session_id AS session_id, m.seq AS seq, m.text AS text, m.day AS day, m.shop AS shop, m.customer_id AS customer_id, m.start AS start,
				arrayFilter(x -> x.1 > m.seq, t.list) AS after, arrayFirstIndex(x -> x.2 = 'agent' AND NOT x.4 AND x.3 != '', after) AS first,
				arraySlice(after, first) AS tail, arrayFirstIndex(x -> x.2 = 'customer', tail) AS stop, if(first = 0, [], if(stop = 0, tail, arraySlice(tail, 1, stop - 1))) AS said,
				concat(arrayStringConcat(arrayMap(x -> x.3, arrayFilter(x -> x.2 = 'agent' AND NOT x.4, said)), '|'), ' ', if(empty(said), '', said[1].5)) AS reply
			FROM mentions AS m INNER JOIN (SELECT session_id, groupArray((seq, toString(role), text, auto, agent_id)) AS list FROM (SELECT * FROM turns ORDER BY session_id, position) GROUP BY session_id) AS t ON t.session_id = m.session_id
			WHERE m.opinion_id = '` + opinion + `' AND ` + more.where + ` ORDER BY day DESC NULLS LAST, session_id, seq, start)`)
		customers := rows(`SELECT concat(customer_id, ' ', toString(n), ' ', ifNull(toString(last), ''), ' ', session, ' ', of) AS line FROM (SELECT customer_id, count() AS n, max(day) AS last,
			argMax(session_id, (ifNull(day, toDate(0)), session_id)) AS session, argMax(shop, (ifNull(day, toDate(0)), session_id)) AS of
			FROM mentions WHERE opinion_id = '` + opinion + `' AND customer_id != '' AND ` + more.where + ` GROUP BY customer_id ORDER BY last DESC NULLS LAST, customer_id)`)
		for _, limit := range []int{1, 2, 3, 7, 50} {
			var quotes, people []string
			for next := ""; ; {
				page := get[Page[OpinionQuote]](t, f.api, "admin", fmt.Sprintf("%s/opinions/%s/quotes?limit=%d&cursor=%s%s", Prefix, opinion, limit, url.QueryEscape(next), more.query))
				for _, q := range page.Items {
					quotes = append(quotes, fmt.Sprint(q.SessionID, " ", q.Seq, " ", q.Text, " ", q.Day, " ", q.Shop, " ", q.Customer, " ", strings.ReplaceAll(q.Reply, "\n", "|"), " ", q.Agent))
				}
				if next = page.Next; next == "" {
					break
				}
			}
			for next := ""; ; {
				page := get[Page[OpinionCustomer]](t, f.api, "admin", fmt.Sprintf("%s/opinions/%s/customers?limit=%d&cursor=%s%s", Prefix, opinion, limit, url.QueryEscape(next), more.query))
				for _, c := range page.Items {
					people = append(people, fmt.Sprint(c.Customer, " ", c.Mentions, " ", c.Last, " ", c.Session, " ", c.Shop))
				}
				if next = page.Next; next == "" {
					break
				}
			}
			same(fmt.Sprintf("quotes%s by %d", more.query, limit), quotes, wanted)
			same(fmt.Sprintf("customers%s by %d", more.query, limit), people, customers)
		}
	}

	course := rows("WITH (SELECT max(day) FROM mentions WHERE opinion_id != '') AS latest SELECT concat(toString(latest - day), ' ', toString(count())) AS line FROM mentions WHERE opinion_id = '" + opinion + "' AND day > latest - 28 GROUP BY day ORDER BY day DESC")
	for _, path := range []string{"/opinions", "/opinions/" + opinion} {
		var spark []uint64
		if path == "/opinions" {
			spark = get[Page[OpinionRow]](t, f.api, "admin", Prefix+path).Items[0].Spark
		} else {
			spark = get[OpinionDetail](t, f.api, "admin", Prefix+path).Spark
		}
		var said []string
		for i := range spark {
			if n := spark[len(spark)-1-i]; n > 0 {
				said = append(said, fmt.Sprint(i, " ", n))
			}
		}
		same("course in "+path, said, course)
	}

	for _, limit := range []int{1, 4, 200} {
		var found []string
		for next := ""; ; {
			page := get[TurnPage](t, f.api, "admin", fmt.Sprintf("%s/turns?q=%s&limit=%d&cursor=%s", Prefix, url.QueryEscape("多少钱"), limit, url.QueryEscape(next)))
			for _, x := range page.Items {
				at := ""
				if x.At != nil {
					at = x.At.UTC().Format(time.RFC3339)
				}
				found = append(found, fmt.Sprint(x.SessionID, " ", x.Seq, " ", x.Position, " ", x.Role, " ", x.Agent, " ", at, " ", x.Day, " ", x.Shop, " ", x.Text, " ", x.Emotion, " ", x.Polarity))
			}
			if next = page.Next; next == "" {
				break
			}
		}
		same(fmt.Sprintf("turns by %d", limit), found, rows(`SELECT concat(session_id, ' ', toString(seq), ' ', toString(position), ' ', toString(role), ' ', agent_id, ' ', ifNull(formatDateTime(at, '%Y-%m-%dT%H:%i:%SZ', 'UTC'), ''), ' ',
			ifNull(toString(day), ''), ' ', shop, ' ', text, ' ', toString(emotion), ' ', toString(polarity)) AS line FROM turns WHERE text LIKE '%多少钱%' ORDER BY ifNull(day, toDate(0)) DESC, session_id, position`))
	}

	var lines []string
	for _, x := range get[Page[QueueRow]](t, f.api, "admin", Prefix+"/sessions?sort=newest&limit=200&q="+url.QueryEscape("便宜")).Items {
		lines = append(lines, fmt.Sprint(x.ID, " ", x.Text, " ", x.TextSeq))
	}
	slices.Sort(lines)
	same("lines of sessions", lines, rows(`SELECT concat(session_id, ' ', argMin(text, position), ' ', toString(argMin(seq, position))) AS line FROM turns WHERE text LIKE '%便宜%' GROUP BY session_id ORDER BY line`))

	var broken []string
	for _, b := range get[Page[BrokenRule]](t, f.api, "admin", Prefix+"/kpi/broken?from=2026-03-01&to=2026-03-31").Items {
		for _, h := range b.Latest {
			broken = append(broken, fmt.Sprint(b.RuleID, " ", h.SessionID, " ", h.HitID, " ", h.Day, " ", h.Agent, " ", h.Reason, " ", h.Seqs, " ", h.Decision))
		}
	}
	slices.Sort(broken)
	wantBroken := rows(`SELECT concat(rule_id, ' ', session_id, ' ', hit_id, ' ', toString(day), ' ', agent_id, ' ', reason, ' [', arrayStringConcat(evidence_seqs, ' '), '] ', decision) AS line
		FROM (SELECT * FROM hits WHERE closed AND day IS NOT NULL AND ` + filter.Breach + ` ORDER BY rule_id, day DESC, session_id, hit_id LIMIT 3 BY rule_id) ORDER BY line`)
	same("broken rules", broken, wantBroken)
}
