package export

import (
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tingke/tingke/dashboards/filter"
	"github.com/tingke/tingke/schemas"
)

// quotes is how many of the customers' own words stand beside an opinion.
const quotes = 5

var opinionsData = &Dataset{
	Name:  "opinions",
	Title: Words{"客户观点", "Customer opinions"},
	Group: "department",
	Columns: append([]Column{
		{Name: "title", Title: Words{"观点", "Opinion"}, Note: Words{"客户反复在说的一件事；同一个答复能解决的说法归为一条", "One thing customers keep saying: what the same answer would settle"}, Width: 30, Wrap: true},
		colKind, colAspect, colDept, colProduct,
		{Name: "mentions", Type: Integer, Unit: Words{"次", ""}, Title: Words{"提及", "Mentions"}, Note: Words{"所选时间内提到的次数", "Mentions in the period"}},
		{Name: "sessions", Type: Integer, Unit: Words{"个", ""}, Title: Words{"会话", "Sessions"}, Note: Words{"提到它的会话数", "Sessions with a mention"}},
		{Name: "customers", Type: Integer, Unit: Words{"人", ""}, Title: Words{"客户", "Customers"}, Note: Words{"提到它的客户数，同一客户只算一次；没有客户编号的会话各算一人", "Distinct customers; a session without a known customer is one of its own"}},
		{Name: "week", Type: Integer, Unit: Words{"次", ""}, Title: Words{"近 7 天", "Last 7 days"}, Note: Words{"最近 7 天提到的次数，从最后一次有客户观点的那天往回数，不受所选时间限制", "Mentions in the 7 days up to the last day with any mention, whatever the period"}},
		{Name: "week_before", Type: Integer, Unit: Words{"次", ""}, Title: Words{"前 7 天", "7 days before"}, Note: Words{"再往前 7 天提到的次数", "Mentions in the 7 days before these"}},
		{Name: "change", Type: Change, Title: Words{"环比", "Change"}, Note: Words{"近 7 天比前 7 天增减的百分比；前 7 天没有提到为空", "Last 7 days against the 7 before; empty where these had none"}},
		{Name: "trend", Type: Label, Labels: "trend", Title: Words{"趋势", "Trend"}, Note: Words{"新出现：7 天内首次出现；上升：近 7 天至少 3 次且达到前 7 天的 2 倍；下降：不超过前 7 天的一半；其余为平稳", "new: first seen within 7 days; rising: at least 3 and twice the 7 days before; fading: at most half of them; else steady"}},
		{Name: "status", Type: Label, Labels: "status", Title: Words{"处理状态", "Status"}, Note: Words{"待处理、已受理、已解决或不处理", "new, accepted, fixed or declined"}},
		{Name: "owner", Type: Name, Title: Words{"负责人", "Owner"}, Note: Words{"跟进的人", "Who takes care of it"}, Width: 12},
		{Name: "fixed_on", Type: Day, Title: Words{"解决日期", "Fixed on"}, Note: Words{"标记为已解决的日期", "Day it was fixed"}},
		{Name: "first_seen", Type: Day, Title: Words{"首次出现", "First seen"}, Note: Words{"第一次提到的日期（不限于所选时间）", "Day of its first mention, also outside the period"}},
		{Name: "last_seen", Type: Day, Title: Words{"最近出现", "Last seen"}, Note: Words{"最后一次提到的日期（不限于所选时间）", "Day of its last mention, also outside the period"}},
	}, append(quoteColumns(),
		Column{Name: "note", Title: Words{"备注", "Note"}, Note: Words{"最近一条备注", "Last remark"}, Wrap: true},
		Column{Name: "answer", Title: Words{"标准答复", "Approved answer"}, Note: Words{"审定的答复", "Approved answer"}, Wrap: true},
		Column{Name: "opinion_id", Title: Words{"观点编号", "Opinion id"}, Note: Words{"不变的编号，合并后的观点以合并后的编号为准", "Stays the same; a merged opinion counts for the one it went into"}, Width: 20})...),
	Options: []Option{
		{Name: "aspect", Enum: schemas.Aspects, Repeated: true, Doc: "aspect of the opinion"},
		{Name: "kind", Enum: schemas.Kinds, Repeated: true, Doc: "kind of the opinion"},
		{Name: "product", Repeated: true, Doc: "product of the opinion; - for none"},
		{Name: "department", Repeated: true, Doc: "department that acts on it; - for none"},
		{Name: "status", Enum: []string{"new", "accepted", "fixed", "declined"}, Repeated: true, Doc: "status"},
		{Name: "trend", Enum: []string{"new", "rising", "steady", "fading"}, Repeated: true, Doc: "trend"},
		{Name: "owner", Repeated: true, Doc: "who takes care of it; - for nobody"},
		{Name: "polarity", Enum: []string{"negative", "positive"}, Doc: "side"},
		{Name: "q", Doc: "words of the title"},
	},
	filters: []string{"from", "to", "shop", "channel", "business", "team", "agent"},
	from:    opinionsQuery,
	order:   "mentions DESC, opinion_id",
}

// quoteColumns are the customers' own words, most frequent first, with the session each was said in.
func quoteColumns() []Column {
	var out []Column
	for i := 1; i <= quotes; i++ {
		id := fmt.Sprintf("quote_%d_session", i)
		out = append(out,
			Column{Name: fmt.Sprintf("quote_%d", i), Title: Words{fmt.Sprintf("客户原话 %d", i), fmt.Sprintf("Quote %d", i)},
				Note: Words{"客户的原话（已脱敏），说得最多的在前；点击打开会话", "The customers' words, masked, most frequent first; opens the session"}, Width: 34, Wrap: true, LinkTo: "session", LinkFrom: id},
			Column{Name: id, Title: Words{fmt.Sprintf("原话 %d 的会话", i), fmt.Sprintf("Session of quote %d", i)}, Note: Words{"说这句话的会话", "Session it was said in"}, LinkTo: "session", In: inCSV | inData},
			Column{Name: id + "_seq", Type: Integer, Title: Words{fmt.Sprintf("原话 %d 的位置", i), fmt.Sprintf("Turn of quote %d", i)}, Note: Words{"第几句", "Turn"}, In: inData})
	}
	return out
}

// opinionsQuery counts the mentions of the sessions that the filter lets through, as the list of opinions does: the period
// bounds what is counted and quoted, while the trend goes back from the last day with any mention.
func opinionsQuery(r *Request) (string, []any) {
	on, params := r.Filter.With("from").With("to").On("mentions")
	inside := "1"
	if from := r.Filter.Get("from"); from != "" {
		inside += " AND day >= {o_from:Date}"
		params = append(params, clickhouse.Named("o_from", from))
	}
	if to := r.Filter.Get("to"); to != "" {
		inside += " AND day <= {o_to:Date}"
		params = append(params, clickhouse.Named("o_to", to))
	}
	mentions := "SELECT opinion_id, session_id, customer_id, day, seq, text FROM mentions WHERE opinion_id != '' AND " + on
	var list strings.Builder
	for i := 1; i <= quotes; i++ {
		fmt.Fprintf(&list, ", q.list[%d].3 AS quote_%d, q.list[%d].4 AS quote_%d_session, if(q.list[%d].4 = '', NULL, q.list[%d].5) AS quote_%d_session_seq", i, i, i, i, i, i, i)
	}
	conditions := []string{"1"}
	for _, o := range []string{"aspect", "kind", "product", "department", "status", "trend", "owner", "polarity"} {
		sql, more := optional(r, o, o)
		conditions, params = append(conditions, sql), append(params, more...)
	}
	if q := r.Options.Get("q"); q != "" {
		sql, more := filter.Text("title", q)
		conditions, params = append(conditions, sql), append(params, more...)
	}
	return `SELECT * FROM (
WITH (SELECT max(day) FROM mentions WHERE opinion_id != '') AS latest
SELECT o.opinion_id AS opinion_id, title, kind, aspect, department, product, polarity, m.mentions AS mentions, m.sessions AS sessions, m.customers AS customers, m.week AS week, m.week_before AS week_before,
    if(m.week_before = 0, NULL, m.week / m.week_before - 1) AS change,
    multiIf(m.first_day IS NULL, '', m.first_day > latest - 7, 'new', m.week >= 3 AND m.week >= 2 * m.week_before, 'rising', 2 * m.week <= m.week_before, 'fading', 'steady') AS trend,
    status, owner, fixed_on, m.first_day AS first_seen, m.last_day AS last_seen, note, answer` + list.String() + `
FROM (SELECT opinion_id, title, kind, aspect, department, product, polarity, status, owner, fixed_on, note, answer FROM opinions) AS o
INNER JOIN (
    SELECT opinion_id, countIf(` + inside + `) AS mentions, uniqExactIf(session_id, ` + inside + `) AS sessions,
        uniqExactIf(if(customer_id != '', concat('c', customer_id), concat('s', session_id)), ` + inside + `) AS customers,
        countIf(day > latest - 7) AS week, countIf(day > latest - 14 AND day <= latest - 7) AS week_before, min(day) AS first_day, max(day) AS last_day
    FROM (` + mentions + `)
    GROUP BY opinion_id
    HAVING mentions > 0
) AS m ON m.opinion_id = o.opinion_id
LEFT JOIN (
    SELECT opinion_id, groupArraySorted(` + fmt.Sprint(quotes) + `)((-n, -last, text, session, seq)) AS list
    FROM (
        SELECT opinion_id, text, toInt64(count()) AS n, ifNull(toInt32(max(day)), 0) AS last, argMax(session_id, (day, session_id)) AS session, argMax(seq, (day, session_id)) AS seq
        FROM (` + mentions + `) WHERE ` + inside + `
        GROUP BY opinion_id, text
    )
    GROUP BY opinion_id
) AS q ON q.opinion_id = o.opinion_id
) WHERE ` + strings.Join(conditions, " AND "), params
}
