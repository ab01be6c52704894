package export

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tingke/tingke/dashboards/filter"
	"github.com/tingke/tingke/pipeline/warehouse"
)

// kpiLevels are what figures speak of, with the columns that name a row.
var kpiLevels = map[string]struct {
	by    warehouse.KPIBy
	title Words
	keys  []Column
}{
	"agents": {warehouse.KPIByAgent, Words{"客服绩效", "Agents"}, []Column{
		{Name: "agent_name", Type: Name, Title: Words{"客服", "Agent"}, Note: Words{"客服姓名；没有姓名的显示账号", "Name, or the id where there is none"}, Width: 14},
		{Name: "agent_id", Type: Name, Title: Words{"客服账号", "Agent id"}, Note: Words{"客服账号", "Id of the agent"}, Width: 12}, colTeam, colShop,
	}},
	"teams": {warehouse.KPIByTeam, Words{"团队绩效", "Teams"}, []Column{colTeam}},
	"shops": {warehouse.KPIByShop, Words{"店铺绩效", "Shops"}, []Column{colShop}},
	"channels": {warehouse.KPIByChannel, Words{"渠道绩效", "Channels"}, []Column{colChannel,
		{Name: "source", Type: Name, Title: Words{"来源", "Source"}, Note: Words{"来源系统", "Source system"}}}},
}

var kpiFigures = []Column{
	{Name: "received", Type: Integer, Unit: Words{"人", ""}, Title: Words{"接待人数", "Received"}, Note: Words{"接待的客户数，同一客户只算一次", "Distinct customers with a round"}},
	{Name: "rounds", Type: Integer, Unit: Words{"轮", ""}, Title: Words{"问答轮次", "Rounds"}, Note: Words{"客户提问到客服回复算一轮，没有回复的也算", "A customer's wait for a reply, answered or not"}},
	{Name: "first_reply_ms", Type: Wait, Title: Words{"首次响应时长", "First reply"}, Note: Words{"客户第一句话到客服第一次有效回复的平均等待", "Mean wait for the first valid reply of a session"}},
	{Name: "avg_reply_ms", Type: Wait, Title: Words{"平均响应时长", "Mean reply"}, Note: Words{"已回复轮次的平均等待", "Mean wait of the answered rounds"}},
	{Name: "within_30s", Type: Share, Title: Words{"30 秒回复率", "Within 30 s"}, Note: Words{"30 秒内回复的轮次 / 全部有时间的轮次", "Rounds answered within 30 s among the rounds with times"}},
	{Name: "within_180s", Type: Share, Title: Words{"3 分钟回复率", "Within 3 min"}, Note: Words{"3 分钟内回复的轮次 / 全部有时间的轮次", "The same within 180 s"}},
	{Name: "within_300s", Type: Share, Title: Words{"5 分钟回复率", "Within 5 min"}, Note: Words{"5 分钟内回复的轮次 / 全部有时间的轮次", "The same within 300 s"}},
	{Name: "answer_ratio", Type: Number, Format: "0.00", Title: Words{"答问比", "Answer ratio"}, Note: Words{"客服有效回复句数 / 客户句数", "Valid replies for each customer turn"}},
	{Name: "order_rate", Type: Share, Title: Words{"转化率", "Order rate"}, Note: Words{"当天下单的接待客户 / 接待人数", "Received customers who ordered on the same day"}},
	{Name: "pre_order", Type: Integer, Unit: Words{"人", ""}, Title: Words{"询单人数", "Pre-order"}, Note: Words{"咨询前 15 天在该店没有订单的接待客户", "Received customers without an order of that shop in the 15 days before"}},
	{Name: "conversion", Type: Share, Title: Words{"询单转化率", "Conversion"}, Note: Words{"询单客户中，24 小时内下单并在 4 天内付款的比例；4 天后才定", "Of these, who ordered within 24 h and paid within 4 days; settled after 4 days"}},
	{Name: "sales", Type: Money, Unit: Words{"元", ""}, Title: Words{"销售额", "Sales"}, Note: Words{"已付款订单金额，含后来退款的；归属订单上的客服，否则归属下单前 24 小时内最后有效回复的客服", "Paid orders, refunds included; to the order's agent, else the last to reply in the 24 h before"}},
	{Name: "net_sales", Type: Money, Unit: Words{"元", ""}, Title: Words{"净销售额", "Net sales"}, Note: Words{"销售额减去至今的退款", "Sales minus what was refunded so far"}},
	{Name: "basket", Type: Amount, Unit: Words{"元", ""}, Title: Words{"客单价", "Basket"}, Note: Words{"销售额 / 付款客户数", "Sales for each paying customer"}},
	{Name: "items_per_customer", Type: Number, Unit: Words{"件", ""}, Title: Words{"客件数", "Items per customer"}, Note: Words{"每位付款客户买的件数", "Pieces for each paying customer"}},
	{Name: "csat", Type: Share, Title: Words{"满意率", "CSAT"}, Note: Words{"评分不低于满分 80% 的评价 / 全部评价", "Ratings of at least 80 % of the maximum among the ratings"}},
	{Name: "invite_rate", Type: Share, Title: Words{"邀评率", "Invite rate"}, Note: Words{"邀请评价的会话 / 会话", "Sessions that invited a rating"}},
	{Name: "score", Type: Number, Unit: Words{"分", "0-100"}, Title: Words{"质检分", "Score"}, Note: Words{"已结束会话的平均质检分，0 到 100", "Mean score of the closed sessions"}},
	{Name: "hit_rate", Type: Share, Title: Words{"违规会话率", "Hit rate"}, Note: Words{"有严重或致命违规的已结束会话 / 已结束会话", "Closed sessions with a major or critical hit"}},
	{Name: "appeal_rate", Type: Share, Title: Words{"申诉率", "Appeal rate"}, Note: Words{"被申诉的命中 / 全部命中", "Hits that were appealed"}},
	{Name: "appeal_won_rate", Type: Share, Title: Words{"申诉成功率", "Appeals won"}, Note: Words{"申诉成功 / 已裁定的申诉", "Appeals that were won among those decided"}},
}

// kpiBeside are the figures that stand beside the mean of the team.
var kpiBeside = []string{"avg_reply_ms", "within_180s", "conversion", "csat", "score"}

// besideTeam is the size from which a team has a mean of its own.
const besideTeam = 5

var kpiData = &Dataset{
	Name:  "kpi",
	Title: Words{"绩效", "KPI"},
	Options: []Option{
		{Name: "level", Enum: []string{"agents", "teams", "shops", "channels"}, Default: "agents", Doc: "what a row is"},
		{Name: "by", Enum: []string{"period", "day"}, Default: "period", Doc: "one row for the whole period, or one a day"},
		{Name: "profile", Enum: warehouse.KPIProfileNames, Default: "generic", Doc: "how figures are counted: generic, or as a platform does"},
	},
	filters: []string{"from", "to", "agent", "team", "shop", "channel", "business"},
	build:   buildKPI,
	from:    kpiQuery,
	order:   "team, agent_id, shop, channel, source, day",
}

func buildKPI(r *Request, d *Dataset) error {
	level := kpiLevels[r.Options.Get("level")]
	d.Title = level.title
	d.Columns = slices.Clone(level.keys)
	if r.Options.Get("by") == "day" {
		d.Columns = append(d.Columns, Column{Name: "day", Type: Day, Title: Words{"日期", "Day"}, Note: Words{"日期", "Day"}})
	}
	for _, c := range kpiFigures {
		d.Columns = append(d.Columns, c)
		if level.by == warehouse.KPIByAgent && slices.Contains(kpiBeside, c.Name) {
			c.Name = "team_" + c.Name
			c.Title = Words{"团队均值\n" + c.Title[0], "Team mean\n" + c.Title[1]}
			c.Note = Words{fmt.Sprintf("整个团队的“%s”（各店铺合计）；团队不足 %d 人为空", strings.TrimPrefix(c.Title[0], "团队均值\n"), besideTeam),
				fmt.Sprintf("The same of the whole team, all shops together; empty where the team has fewer than %d agents", besideTeam)}
			d.Columns = append(d.Columns, c)
		}
	}
	d.Columns = append(d.Columns, Column{Name: "is_final", Type: Bool, Title: Words{"转化已定", "Settled"}, Note: Words{"询单转化率在 4 天后不再变化；“否”表示还会变", "Whether the conversion no longer changes"}})
	if teams := r.Filter.All("team"); r.Teams != nil {
		if len(teams) == 0 {
			r.Filter = r.Filter.With("team", r.Teams...)
		}
		for _, t := range teams {
			if !slices.Contains(r.Teams, t) {
				return &RequestError{"team", fmt.Sprintf("%q is none of your teams", t)}
			}
		}
	}
	return nil
}

func kpiQuery(r *Request) (string, []any) {
	level := kpiLevels[r.Options.Get("level")]
	list := func(name string) []string {
		values := append([]string{}, r.Filter.All(name)...) // nil would be no array
		for i, v := range values {
			if v == filter.None {
				values[i] = ""
			}
		}
		return values
	}
	pool := "1"
	if r.Options.Get("by") == "day" {
		pool = "0"
	}
	params := []any{
		clickhouse.Named("by", string(level.by)), clickhouse.Named("profile", r.Options.Get("profile")), clickhouse.Named("pool", pool),
		clickhouse.Named("from", r.from), clickhouse.Named("to", r.to), clickhouse.Named("as_of", r.asOf),
		clickhouse.Named("agents", list("agent")), clickhouse.Named("teams", list("team")), clickhouse.Named("shops", list("shop")),
		clickhouse.Named("channels", list("channel")), clickhouse.Named("businesses", list("business")),
	}
	rows := func(by, pool, agents string) string {
		return "SELECT * FROM kpi_rows(profile = {profile:String}, from = {from:Date}, to = {to:Date}, as_of = {as_of:Date}, by = " + by + ", pool = " + pool + ", agents = " + agents + ", " +
			"teams = {teams:Array(String)}, shops = {shops:Array(String)}, channels = {channels:Array(String)}, businesses = {businesses:Array(String)})"
	}
	own := rows("{by:String}", "{pool:UInt8}", "{agents:Array(String)}")
	if level.by != warehouse.KPIByAgent {
		return own, params
	}
	var beside strings.Builder
	for _, c := range kpiFigures {
		fmt.Fprintf(&beside, ", k.%s AS %s", c.Name, c.Name)
	}
	for _, f := range kpiBeside {
		fmt.Fprintf(&beside, ", if(s.members >= %d, t.%s, NULL) AS team_%s", besideTeam, f, f)
	}
	return `SELECT k.agent_id AS agent_id, k.team AS team, k.shop AS shop, k.channel AS channel, k.source AS source, k.day AS day, k.is_final AS is_final, if(n.name != '', n.name, k.agent_id) AS agent_name` + beside.String() + `
FROM (` + own + `) AS k
LEFT JOIN (` + rows("'team'", "{pool:UInt8}", "[]") + `) AS t ON t.team = k.team AND t.day = k.day
LEFT JOIN (SELECT team, uniqExact(agent_id) AS members FROM (` + rows("'agent'", "1", "[]") + `) GROUP BY team) AS s ON s.team = k.team
LEFT JOIN (
    SELECT if(agent_id != '', agent_id, agent_ids[1]) AS id, argMax(agent_name, started_at) AS name
    FROM sessions WHERE agent_name != '' AND day BETWEEN {from:Date} AND {to:Date}
    GROUP BY id
) AS n ON n.id = k.agent_id`, params
}
