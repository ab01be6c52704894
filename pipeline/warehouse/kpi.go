package warehouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/shopspring/decimal"

	"github.com/tingke/tingke/pipeline/memo"
)

// KPIBy says what a row of figures speaks of.
type KPIBy string

// Each has its view of the same meaning: agent_kpi, team_kpi, shop_kpi, channel_kpi.
const (
	KPIByAgent   KPIBy = "agent"   // agent, team and shop
	KPIByTeam    KPIBy = "team"    // team
	KPIByShop    KPIBy = "shop"    // shop
	KPIByChannel KPIBy = "channel" // channel and source
)

// KPIProfileNames are the profiles that come with the program; generic is the one of no platform.
var KPIProfileNames = []string{"generic", "taobao", "jd", "douyin"}

// KPIQuery asks for figures of people. The lists narrow what is counted before anything is added up; an empty list lets
// everything through, and "" in a list stands for what has no team, shop, channel or business. An identity that may see
// some teams only, or one agent, is served by Teams or Agents.
type KPIQuery struct {
	By      KPIBy
	Profile string // "" = generic
	// From and To are days, both inside: of each time only the date counts, as it is written in its own zone.
	From, To time.Time
	// Days, where there are any, are those of the period that count.
	Days []time.Time
	// AsOf is the day for which IsFinal is told, usually today.
	AsOf time.Time
	// Pool gives one row for the whole period rather than one a day. Customers are then distinct over the period, so
	// pooled figures are not sums of daily ones. Its Day is From.
	Pool bool
	// Whole leaves team and shop out of what a row speaks of: by agent one row for each agent, by team one for everybody,
	// as the lists narrow them.
	Whole                                      bool
	Agents, Teams, Shops, Channels, Businesses []string
}

// KPIRow is a row of figures; what the columns mean stands in schemas/README.md. A nil figure is undefined, never 0.
// AgentID, Team, Shop, Channel and Source are set where By has them.
type KPIRow struct {
	AgentID          string          `ch:"agent_id" json:"agent_id"`
	Team             string          `ch:"team" json:"team"`
	Shop             string          `ch:"shop" json:"shop"`
	Channel          string          `ch:"channel" json:"channel"`
	Source           string          `ch:"source" json:"source"`
	Day              Day             `ch:"day" json:"day"`
	Received         uint64          `ch:"received" json:"received"`
	Rounds           uint64          `ch:"rounds" json:"rounds"`
	AvgReplyMS       *float64        `ch:"avg_reply_ms" json:"avg_reply_ms"`
	FirstReplyMS     *float64        `ch:"first_reply_ms" json:"first_reply_ms"`
	Within30s        *float64        `ch:"within_30s" json:"within_30s"`
	Within180s       *float64        `ch:"within_180s" json:"within_180s"`
	Within300s       *float64        `ch:"within_300s" json:"within_300s"`
	OrderRate        *float64        `ch:"order_rate" json:"order_rate"`
	PreOrder         uint64          `ch:"pre_order" json:"pre_order"`
	Conversion       *float64        `ch:"conversion" json:"conversion"`
	Sales            decimal.Decimal `ch:"sales" json:"sales"`
	NetSales         decimal.Decimal `ch:"net_sales" json:"net_sales"`
	Basket           *float64        `ch:"basket" json:"basket"`
	ItemsPerCustomer *float64        `ch:"items_per_customer" json:"items_per_customer"`
	AnswerRatio      *float64        `ch:"answer_ratio" json:"answer_ratio"`
	CSAT             *float64        `ch:"csat" json:"csat"`
	InviteRate       *float64        `ch:"invite_rate" json:"invite_rate"`
	Score            *float64        `ch:"score" json:"score"`
	HitRate          *float64        `ch:"hit_rate" json:"hit_rate"`
	AppealRate       *float64        `ch:"appeal_rate" json:"appeal_rate"`
	AppealWonRate    *float64        `ch:"appeal_won_rate" json:"appeal_won_rate"`
	IsFinal          bool            `ch:"is_final" json:"is_final"`
	ItemPrice        *float64        `ch:"item_price" json:"item_price"`
}

// KPIFigures are the names of the figures that KPISessions can show the sessions of, in the order of the views.
var KPIFigures = []string{"received", "rounds", "avg_reply_ms", "first_reply_ms", "within_30s", "within_180s", "within_300s", "order_rate", "pre_order", "conversion",
	"sales", "net_sales", "basket", "items_per_customer", "answer_ratio", "csat", "invite_rate", "score", "hit_rate", "appeal_rate", "appeal_won_rate", "item_price"}

// KPISession is a part of a figure: what one session (or one order, one hit of it) adds to it for one agent on one day.
type KPISession struct {
	// SessionID is empty for an order that names an agent who had no session before it.
	SessionID string `ch:"session_id" json:"session_id"`
	// Object is the order of figures about orders and the hit of figures about appeals, else empty.
	Object     string `ch:"object" json:"object"`
	Day        Day    `ch:"day" json:"day"`
	AgentID    string `ch:"agent_id" json:"agent_id"`
	Team       string `ch:"team" json:"team"`
	Shop       string `ch:"shop" json:"shop"`
	CustomerID string `ch:"customer_id" json:"customer_id"`
	// Bottom is how often it counts in the denominator or in the mean, Top how often in the numerator. Of received,
	// pre_order, order_rate and conversion, which count distinct customers, these are rounds.
	Bottom uint64 `ch:"bottom" json:"bottom"`
	Top    uint64 `ch:"top" json:"top"`
	// Value is the sum of what is averaged or added up (ms, money, pieces, points), nil where the figure only counts.
	Value *float64 `ch:"value" json:"value"`
}

func (q *KPIQuery) params() ([]any, error) {
	if !slices.Contains([]KPIBy{KPIByAgent, KPIByTeam, KPIByShop, KPIByChannel}, q.By) {
		return nil, fmt.Errorf("figures by %q: take agent, team, shop or channel", q.By)
	}
	if q.From.IsZero() || q.To.IsZero() || q.AsOf.IsZero() {
		return nil, errors.New("figures need the days from, to and as_of")
	}
	pool := uint8(0)
	if q.Pool {
		pool = 1
	}
	list := func(values []string) []string { // nil would be no array
		return append([]string{}, values...)
	}
	return []any{
		clickhouse.Named("by", string(q.By)), clickhouse.Named("pool", fmt.Sprint(pool)),
		clickhouse.Named("from", q.From.Format(time.DateOnly)), clickhouse.Named("to", q.To.Format(time.DateOnly)), clickhouse.Named("as_of", q.AsOf.Format(time.DateOnly)),
		clickhouse.Named("agents", list(q.Agents)), clickhouse.Named("teams", list(q.Teams)), clickhouse.Named("shops", list(q.Shops)),
		clickhouse.Named("channels", list(q.Channels)), clickhouse.Named("businesses", list(q.Businesses)),
	}, nil
}

// KPI gives the figures, ordered by agent, team, shop, channel, source and day. A row is there where there is any fact.
// The rows are shared with others who ask the same and must not be changed. A profile that is not known is an error that
// IsUnknownProfile recognises.
func (w *Warehouse) KPI(ctx context.Context, q KPIQuery) ([]KPIRow, error) {
	params, err := q.params()
	if err != nil {
		return nil, err
	}
	sql, err := w.kpiSQL(ctx, "kpi_rows", q.Profile, q.From, q.To, q.Days...)
	if err != nil {
		return nil, err
	}
	if q.Whole {
		for _, dimension := range []string{"if({by:String} IN ('agent', 'team'), f.team, '')", "if({by:String} IN ('agent', 'shop'), f.shop, '')"} {
			if !strings.Contains(sql, dimension) {
				return nil, fmt.Errorf("the migrations hold no view kpi_rows with %s", dimension)
			}
			sql = strings.Replace(sql, dimension, "''", 1)
		}
	}
	// The statement names the making of each day that it reads, so what it gives holds until one is made anew.
	return memo.Remember(ctx, &w.kpi.memo, fmt.Sprint(sql, params), func(rows []KPIRow) bool { return len(rows) <= kpiRemembered }, func(ctx context.Context) ([]KPIRow, error) {
		var out []KPIRow
		if err := w.conn.Select(ctx, &out, "SELECT * FROM ("+sql+") ORDER BY agent_id, team, shop, channel, source, day", params...); err != nil {
			return nil, fmt.Errorf("cannot read the figures by %s: %w", q.By, err)
		}
		return out, nil
	})
}

// kpiRemembered is the greatest number of rows of figures that is remembered as one result, about half a KiB each.
const kpiRemembered = 8000

// KPISessions gives what a figure is made of: a click on the figure of a row asks with the same query, narrowed to the
// row (its agent, team, shop or channel, and its day as From and To). Those that count in the denominator but not in the
// numerator come first (the late replies, the customers who did not buy; of hit_rate and appeal_rate those that count in
// it), then by value, the greatest first; at most limit rows from offset on.
func (w *Warehouse) KPISessions(ctx context.Context, q KPIQuery, figure string, limit, offset int) ([]KPISession, error) {
	params, err := q.params()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(KPIFigures, figure) {
		return nil, fmt.Errorf("no figure %q: take one of %s", figure, strings.Join(KPIFigures, ", "))
	}
	sql, err := w.kpiSQL(ctx, "kpi_sessions", q.Profile, q.From, q.To, q.Days...)
	if err != nil {
		return nil, err
	}
	params = append(params, clickhouse.Named("figure", figure))
	spoils := "toInt64(bottom) - toInt64(top)"
	if figure == "hit_rate" || figure == "appeal_rate" { // what counts in the numerator is what went wrong
		spoils = "top"
	}
	var out []KPISession
	sql = "SELECT * FROM (" + sql + ") " +
		fmt.Sprintf("ORDER BY "+spoils+" DESC, value DESC, day, session_id, object, agent_id, team, shop LIMIT %d OFFSET %d", max(0, limit), max(0, offset))
	if err := w.conn.Select(ctx, &out, sql, params...); err != nil {
		return nil, fmt.Errorf("cannot read the sessions behind %s: %w", figure, err)
	}
	return out, nil
}

// IsUnknownProfile says whether an error of KPI or KPISessions, or of a query of the KPI views, is about a profile that
// does not exist.
func IsUnknownProfile(err error) bool {
	return err != nil && strings.Contains(err.Error(), "unknown KPI profile")
}
