package export

import (
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tingke/tingke/dashboards/filter"
)

// Columns that several datasets have.
var (
	colSession = Column{Name: "session_id", Title: Words{"会话", "Session"}, Note: Words{"会话编号，点击打开会话", "Id of the session, opens it"}, Width: 24, LinkTo: "session"}
	colShop    = Column{Name: "shop", Type: Name, Title: Words{"店铺", "Shop"}, Note: Words{"店铺", "Shop"}, Width: 20}
	colTeam    = Column{Name: "team", Type: Name, Title: Words{"团队", "Team"}, Note: Words{"会话所属团队", "Team of the session"}}
	colDay     = Column{Name: "day", Type: Day, Title: Words{"日期", "Day"}, Note: Words{"会话开始的日期", "Day on which the session started"}}
	colChannel = Column{Name: "channel", Type: Label, Labels: "channel", Title: Words{"渠道", "Channel"}, Note: Words{"渠道", "Channel"}}
	colKind    = Column{Name: "kind", Type: Label, Labels: "kind", Title: Words{"诉求类型", "Kind"}, Note: Words{"客户是在提问、抱怨、表扬、建议、请求，还是报告故障", "Question, complaint, praise, suggestion, request or bug"}}
	colAspect  = Column{Name: "aspect", Type: Label, Labels: "aspect", Title: Words{"方面", "Aspect"}, Note: Words{"说的是哪个方面，如质量、价格、物流", "What it is about, such as quality, price or logistics"}}
	colProduct = Column{Name: "product", Type: Name, Title: Words{"商品", "Product"}, Note: Words{"提到的商品；空为未提到", "Product that is named; empty if none"}, Width: 20}
	colDept    = Column{Name: "department", Type: Name, Title: Words{"部门", "Department"}, Note: Words{"跟进的部门", "Department that acts on it"}, Width: 12}
)

var sessionsData = &Dataset{
	Name:  "sessions",
	Title: Words{"会话质检", "Sessions"},
	Columns: []Column{
		colSession,
		{Name: "started_at", Type: Time, Title: Words{"开始时间", "Started"}, Note: Words{"会话开始时间", "When the session started"}},
		colChannel, colShop,
		{Name: "business", Type: Label, Labels: "business", Title: Words{"业务", "Business"}, Note: Words{"售前、售中、售后或回访", "Presales, insales, aftersales or follow-up"}},
		colTeam,
		{Name: "agent_name", Type: Name, Title: Words{"客服", "Agent"}, Note: Words{"客服姓名；没有姓名为空", "Name of the agent; empty where unknown"}, Width: 12},
		{Name: "agent_ids", Type: Name, Many: true, Title: Words{"客服账号", "Agent ids"}, Note: Words{"参与会话的客服账号，按先后顺序", "Agents who took part, in order"}},
		{Name: "customer_id", Title: Words{"客户（匿名）", "Customer (pseudonym)"}, Note: Words{"客户的匿名编号，同一客户编号不变", "Keyed pseudonym; the same customer has the same"}, Width: 20},
		{Name: "flagged", Type: Bool, Title: Words{"需复核", "Flagged"}, Note: Words{"是否进入复核队列", "Goes to the review queue"}},
		{Name: "severity", Type: Label, Labels: "severity", Title: Words{"严重程度", "Severity"}, Note: Words{"最严重的一条违规的程度", "Strongest severity among the hits"}},
		{Name: "broken", Type: Text, Labels: "rule", Many: true, Title: Words{"违反的规则", "Rules broken"}, Note: Words{"违反的规则", "Rules that were broken"}, Width: 32, Wrap: true},
		{Name: "score", Type: Number, Unit: Words{"分", "0-100"}, Title: Words{"机器分", "Machine score"}, Note: Words{"规则算出的质检分，0 到 100；没有客服发言为空", "Score by the rules, 0 to 100; empty without an agent turn"}},
		{Name: "final_score", Type: Number, Unit: Words{"分", "0-100"}, Title: Words{"最终分", "Final score"}, Note: Words{"复核后的质检分：去掉已驳回的违规，加上人工评分项", "Score after review: without dismissed hits, with items scored by people"}},
		{Name: "experience", Type: Number, Format: "0.00", Unit: Words{"-1 到 1", "-1 to 1"}, Title: Words{"客户体验", "Experience"}, Note: Words{"预测的客户满意度，-1 最不满意，1 最满意", "Predicted satisfaction of the customer"}},
		{Name: "emotion_start", Type: Label, Labels: "emotion", Title: Words{"开始情绪", "First emotion"}, Note: Words{"客户第一句话的情绪", "Emotion of the first customer turn"}},
		{Name: "emotion_end", Type: Label, Labels: "emotion", Title: Words{"结束情绪", "Last emotion"}, Note: Words{"客户最后一句话的情绪", "Emotion of the last customer turn"}},
		{Name: "turns", Type: Integer, Unit: Words{"句", ""}, Title: Words{"对话句数", "Turns"}, Note: Words{"整个会话的句数", "Number of turns"}},
		{Name: "duration_ms", Type: Span, Title: Words{"会话时长", "Duration"}, Note: Words{"从第一句到最后一句；没有时间为空", "From the first turn to the last; empty without times"}},
		{Name: "first_reply_ms", Type: Wait, Title: Words{"首次响应", "First reply"}, Note: Words{"客户第一句话到客服第一次有效回复", "First valid reply after the first customer turn"}},
		{Name: "avg_reply_ms", Type: Wait, Title: Words{"平均响应", "Mean reply"}, Note: Words{"各轮客户等待时间的平均", "Mean wait of the answered rounds"}},
		{Name: "max_reply_ms", Type: Wait, Title: Words{"最长等待", "Longest wait"}, Note: Words{"客户最长的一次等待", "Longest wait"}},
		{Name: "product", Type: Name, Title: Words{"商品", "Product"}, Note: Words{"会话咨询的商品", "Product the session is about"}, Width: 20},
		{Name: "state", Type: Label, Labels: "state", Title: Words{"状态", "State"}, Note: Words{"进行中的会话分数是暂时的", "Scores of open sessions are provisional"}},
	},
	from: func(r *Request) (string, []any) {
		where, params := r.Filter.Where()
		hits, _ := r.Filter.On("hits")
		return `SELECT s.session_id AS session_id, started_at, channel, shop, business, team, agent_name, arrayStringConcat(agent_ids, ',') AS agent_ids, customer_id, flagged, severity,
    arrayStringConcat(b.rules, ',') AS broken, score, final_score, experience, emotion_start, emotion_end, turns, duration_ms, first_reply_ms, avg_reply_ms, max_reply_ms, product, state
FROM (SELECT * FROM sessions WHERE ` + where + `) AS s
LEFT JOIN (SELECT session_id, arraySort(groupUniqArray(rule_id)) AS rules FROM hits WHERE ` + hits + ` AND ` + filter.Breach + ` GROUP BY session_id) AS b ON b.session_id = s.session_id`, params
	},
	order: "started_at, session_id",
}

var hitsData = &Dataset{
	Name:  "hits",
	Title: Words{"质检命中", "Findings"},
	Columns: []Column{
		colSession, colDay, colShop, colTeam,
		{Name: "agent_id", Type: Name, Title: Words{"客服账号", "Agent"}, Note: Words{"命中所属的客服", "Agent whom it belongs to"}, Width: 12},
		{Name: "rule_id", Type: Label, Labels: "rule", Title: Words{"规则", "Rule"}, Note: Words{"命中的规则", "Rule"}, Width: 24},
		{Name: "severity", Type: Label, Labels: "severity", Title: Words{"严重程度", "Severity"}, Note: Words{"规则的严重程度", "Severity of the rule"}},
		{Name: "outcome", Type: Label, Labels: "outcome", Title: Words{"结果", "Outcome"}, Note: Words{"规则的结果", "Outcome of the rule"}},
		{Name: "points", Type: Number, Unit: Words{"分", ""}, Title: Words{"扣分", "Points"}, Note: Words{"计入质检分的分值，负数为扣分", "Points added to the score"}},
		{Name: "evidence", Title: Words{"证据原文", "Evidence"}, Note: Words{"触发规则的原话（已脱敏），多处以“ … ”分隔；缺少某句话的规则没有原文", "The words it rests on, masked; parted by “ … ”; empty where something is missing"}, Width: 44, Wrap: true, LinkTo: "session", LinkFrom: "session_id"},
		{Name: "seq", Type: Integer, Unit: Words{"句", ""}, Title: Words{"证据位置", "Turn"}, Note: Words{"证据所在的第几句", "Turn of the first evidence"}},
		{Name: "reason", Title: Words{"原因", "Reason"}, Note: Words{"为什么命中", "Why it was found"}, Width: 36, Wrap: true},
		{Name: "decision", Type: Label, Labels: "decision", Title: Words{"复核结果", "Decision"}, Note: Words{"复核或申诉的结果；空为未复核", "Decision of a reviewer; empty while undecided"}},
		{Name: "reviewer", Type: Name, Title: Words{"复核人", "Reviewer"}, Note: Words{"作出该结果的人", "Who decided"}, Width: 12},
		{Name: "decided_at", Type: Time, Title: Words{"复核时间", "Decided"}, Note: Words{"作出该结果的时间", "When"}},
		{Name: "rule_version", Type: Name, Title: Words{"规则版本", "Rule version"}, Note: Words{"当时的规则版本", "Version of the rule"}, Width: 12},
		{Name: "hit_id", Title: Words{"命中编号", "Hit id"}, Note: Words{"重新分析后不变的编号", "Stays the same in reruns"}, Width: 20},
	},
	Options: []Option{{Name: "breaches", Enum: []string{"1", "0"}, Default: "1", Doc: "1: only what went wrong, 0: also what is only worth a look"}},
	from: func(r *Request) (string, []any) {
		on, params := r.Filter.On("hits")
		where := on
		if r.Options.Get("breaches") == "1" {
			where += " AND " + filter.Breach
		}
		own, more := narrow(r, "rule", "rule_id", "decision", "decision", "agent", "agent_id")
		if own != "" {
			where += own
			params = append(params, more...)
		}
		return `SELECT h.session_id AS session_id, day, shop, team, agent_id, rule_id, severity, outcome, points, e.text AS evidence, if(empty(evidence_seqs), NULL, evidence_seqs[1]) AS seq, reason,
    decision, d.decided_by AS reviewer, decided_at, rule_version, h.hit_id AS hit_id
FROM (SELECT * FROM hits WHERE ` + where + `) AS h
LEFT JOIN (
    SELECT session_id, hit_id, arrayStringConcat(arrayMap(x -> x.2, arraySort(groupArray((place, substring(t.text, p.2 + 1, p.3 - p.2))))), ' … ') AS text
    FROM (SELECT session_id, hit_id, p, place, p.1 AS seq FROM hits ARRAY JOIN evidence AS p, arrayEnumerate(evidence) AS place WHERE ` + where + `) AS x
    INNER JOIN (SELECT session_id, seq, text FROM turns WHERE ` + turnsOf(r) + `) AS t ON t.session_id = x.session_id AND t.seq = x.seq
    GROUP BY session_id, hit_id
) AS e ON e.session_id = h.session_id AND e.hit_id = h.hit_id
LEFT JOIN (SELECT session_id, hit_id, decided_by FROM review_hits) AS d ON d.session_id = h.session_id AND d.hit_id = h.hit_id`, params
	},
	order: "day, session_id, rule_id, hit_id",
}

// turnsOf bounds the turns that are joined to rows of the same filter, as far as the view can by itself.
func turnsOf(r *Request) string {
	on, _ := r.Filter.Only("from", "to", "state", "shop").On("turns")
	return on
}

// narrow makes filters that speak of parts of a session into conditions on the rows themselves: who asks for the hits of
// a rule wants these, not all hits of the sessions that have one. Pairs are filters and columns; the parameters are those
// that On has made already, where it has.
func narrow(r *Request, pairs ...string) (string, []any) {
	var sql strings.Builder
	var params []any
	for i := 0; i+1 < len(pairs); i += 2 {
		values := r.Filter.All(pairs[i])
		if len(values) == 0 {
			continue
		}
		for k, v := range values {
			if v == filter.None {
				values[k] = ""
			}
		}
		sql.WriteString(" AND " + pairs[i+1] + " IN {n_" + pairs[i] + ":Array(String)}")
		params = append(params, clickhouse.Named("n_"+pairs[i], values))
	}
	return sql.String(), params
}

var mentionsData = &Dataset{
	Name:  "mentions",
	Title: Words{"客户声音明细", "Mentions"},
	Group: "department",
	Columns: []Column{
		{Name: "text", Title: Words{"客户原话", "Words"}, Note: Words{"客户的原话（已脱敏），点击打开会话", "The customer's words, masked; opens the session"}, Width: 44, Wrap: true, LinkTo: "session", LinkFrom: "session_id"},
		colKind, colAspect, colProduct,
		{Name: "polarity", Type: Label, Labels: "polarity", Title: Words{"情感", "Polarity"}, Note: Words{"正面、中性或负面", "Positive, neutral or negative"}},
		{Name: "valuable", Type: Bool, Title: Words{"有价值", "Valuable"}, Note: Words{"说出了可以改进的具体事情，不是单纯发泄", "Says something to act on, not a pure rant"}},
		{Name: "title", Title: Words{"所属观点", "Opinion"}, Note: Words{"归入的观点；空为还没有归入", "Opinion it counts for; empty while waiting"}, Width: 28},
		colDept, colShop, colDay,
		{Name: "customer_id", Title: Words{"客户（匿名）", "Customer (pseudonym)"}, Note: Words{"客户的匿名编号", "Keyed pseudonym"}, Width: 20},
		{Name: "session_id", Title: Words{"会话", "Session"}, Note: Words{"会话编号", "Id of the session"}, Width: 24},
		{Name: "seq", Type: Integer, Unit: Words{"句", ""}, Title: Words{"位置", "Turn"}, Note: Words{"第几句", "Turn"}},
		{Name: "mention_id", Title: Words{"编号", "Mention id"}, Note: Words{"重新分析后不变的编号", "Stays the same in reruns"}, Width: 20},
		{Name: "opinion_id", Title: Words{"观点编号", "Opinion id"}, Note: Words{"观点的编号", "Id of the opinion"}, Width: 20},
	},
	Options: []Option{{Name: "valuable", Enum: []string{"1", "0"}, Doc: "only mentions that say something to act on (1), only the others (0)"}},
	from: func(r *Request) (string, []any) {
		on, params := r.Filter.On("mentions")
		own, more := narrow(r, "kind", "kind", "aspect", "aspect", "product", "product", "opinion", "opinion_id")
		params = append(params, more...)
		if v := r.Options.Get("valuable"); v != "" {
			own += " AND valuable = ({o_valuable:String} = '1')"
			params = append(params, clickhouse.Named("o_valuable", v))
		}
		return `SELECT text, kind, aspect, product, polarity, valuable, o.title AS title, m.department AS department, shop, day, customer_id, session_id, seq, mention_id, m.opinion_id AS opinion_id
FROM (SELECT * FROM mentions WHERE ` + on + own + `) AS m
LEFT JOIN (SELECT opinion_id, title FROM opinions) AS o ON o.opinion_id = m.opinion_id`, params
	},
	order: "day, session_id, seq, mention_id",
}

var turnsData = &Dataset{
	Name:  "turns",
	Title: Words{"对话明细", "Turns"},
	Columns: []Column{
		colSession,
		{Name: "seq", Type: Integer, Unit: Words{"句", ""}, Title: Words{"位置", "Turn"}, Note: Words{"第几句", "Turn"}},
		{Name: "at", Type: Time, Title: Words{"时间", "Time"}, Note: Words{"说话的时间", "When it was said"}},
		{Name: "role", Type: Label, Labels: "role", Title: Words{"角色", "Role"}, Note: Words{"客户、客服、机器人或系统", "Customer, agent, bot or system"}},
		{Name: "text", Title: Words{"内容", "Text"}, Note: Words{"说的话（已脱敏）", "What was said, masked"}, Width: 60, Wrap: true},
		{Name: "emotion", Type: Label, Labels: "emotion", Title: Words{"情绪", "Emotion"}, Note: Words{"这句话的情绪", "Emotion of the turn"}},
		{Name: "polarity", Type: Number, Format: "0.00", Unit: Words{"-1 到 1", "-1 to 1"}, Title: Words{"情感倾向", "Polarity"}, Note: Words{"-1 最负面，1 最正面", "-1 negative, 1 positive"}},
		{Name: "agent_id", Type: Name, Title: Words{"客服账号", "Agent"}, Note: Words{"说话的客服", "Agent who speaks"}, Width: 12},
		colShop, colDay,
	},
	Options: []Option{{Name: "role", Enum: []string{"customer", "agent", "bot", "system"}, Doc: "only turns of this role"}},
	from: func(r *Request) (string, []any) {
		on, params := r.Filter.With("q").On("turns")
		if q := r.Filter.Get("q"); q != "" { // the turns themselves, not all turns of the sessions that have one
			sql, more := filter.Text("text", q)
			on, params = on+" AND "+sql, append(params, more...)
		}
		own, more := narrow(r, "emotion", "emotion")
		role, more2 := optional(r, "role", "role")
		return "SELECT session_id, seq, at, role, text, emotion, polarity, agent_id, shop, day, position FROM turns WHERE " + on + own + " AND " + role, append(append(params, more...), more2...)
	},
	order: "day, session_id, position",
}
