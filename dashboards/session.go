package dashboards

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/shopspring/decimal"
	"golang.org/x/sync/errgroup"

	"github.com/tingke/tingke/dashboards/access"
)

// turnsPerPage bounds the transcript on one page; a session may have 10,000 turns.
const turnsPerPage = 500

type sessionBody struct {
	sessionHead
	List      []turn
	Pages     int
	Seqs      []int64 // of all turns in order, where they do not fit one page
	Hits      []hit
	Sum       float64 // 100 plus the points
	Explained bool    // whether the sum is the score
	Outcomes  []outcome
	Items     []item
	Rounds    []round
	Orders    []order
	Rating    []rating
	Names     map[string]string
}

type sessionHead struct {
	sessionRow
	EndedAt    *time.Time        `ch:"ended_at"`
	Business   string            `ch:"business"`
	Source     string            `ch:"source"`
	SkillGroup string            `ch:"skill_group"`
	Product    string            `ch:"product"`
	Customer   string            `ch:"customer_id"`
	RulesV     string            `ch:"rules_version"`
	ModelV     string            `ch:"model_version"`
	Code       string            `ch:"code_version"`
	Duration   *int64            `ch:"duration_ms"`
	First      *int64            `ch:"first_reply_ms"`
	Avg        *float64          `ch:"avg_reply_ms"`
	Longest    *int64            `ch:"max_reply_ms"`
	Unanswered uint32            `ch:"unanswered"`
	TalkShare  *float64          `ch:"talk_share"`
	Silence    *int64            `ch:"silence_ms"`
	Overlap    *int64            `ch:"overlap_ms"`
	What       []string          `ch:"coverage_what"`
	Why        []string          `ch:"coverage_why"`
	Count      []uint32          `ch:"coverage_count"`
	Attributes map[string]string `ch:"attributes"`
}

type turn struct {
	Seq        int64      `ch:"seq"`
	Position   uint32     `ch:"position"`
	Role       string     `ch:"role"`
	Agent      string     `ch:"agent_id"`
	At         *time.Time `ch:"at"`
	Text       string     `ch:"text"`
	Emotion    string     `ch:"emotion"`
	Polarity   float32    `ch:"polarity"`
	Auto       bool       `ch:"auto"`
	StartMS    *int64     `ch:"start_ms"`
	Confidence *float64   `ch:"confidence"`
	Parts      []part
	Mentions   []mention
	Round      *round // the one this turn answers
}

// part is a piece of a turn's text that is marked alike.
type part struct {
	Text    string
	Mention *mention
	Hits    []*hit
	Ends    []*hit // hits whose evidence ends here
}

// Class names what the part is marked as; the strongest hit wins.
func (x part) Class() string {
	var c []string
	if x.Mention != nil {
		c = append(c, "mention")
	}
	if len(x.Hits) > 0 {
		c = append(c, "evidence", x.Hits[0].Severity)
	}
	return strings.Join(c, " ")
}

type mention struct {
	Seq      int64  `ch:"seq"`
	Start    uint32 `ch:"start"`
	End      uint32 `ch:"end"`
	Kind     string `ch:"kind"`
	Aspect   string `ch:"aspect"`
	Valuable bool   `ch:"valuable"`
	Product  string `ch:"product"`
	Polarity string `ch:"polarity"`
}

type hit struct {
	Number   int
	ID       string   `ch:"hit_id"`
	Rule     string   `ch:"rule_id"`
	Version  string   `ch:"rule_version"`
	Agent    string   `ch:"agent_id"`
	Outcome  string   `ch:"outcome"`
	Severity string   `ch:"severity"`
	Points   float64  `ch:"points"`
	Reason   string   `ch:"reason"`
	Decision string   `ch:"decision"`
	Seqs     []int64  `ch:"seqs"`
	Starts   []uint32 `ch:"starts"`
	Ends     []uint32 `ch:"ends"`
}

type outcome struct {
	Rule    string `ch:"rule_id"`
	Outcome string `ch:"outcome"`
}

type item struct {
	Scorecard string   `ch:"scorecard"`
	Item      string   `ch:"item"`
	Points    *float64 `ch:"points"`
	Max       float64  `ch:"max"`
	Outcome   string   `ch:"outcome"`
	Human     bool     `ch:"human"`
}

type round struct {
	Agent string `ch:"agent_id"`
	Seq   int64  `ch:"seq"`
	Reply *int64 `ch:"reply_seq"`
	MS    *int64 `ch:"reply_ms"`
}

type order struct {
	ID        string           `ch:"order_id"`
	Shop      string           `ch:"shop"`
	Status    string           `ch:"status"`
	CreatedAt *time.Time       `ch:"created_at"`
	PaidAt    *time.Time       `ch:"paid_at"`
	Amount    *decimal.Decimal `ch:"amount"`
	Refund    *decimal.Decimal `ch:"refund_amount"`
	Items     []string         `ch:"item_lines"`
}

type rating struct {
	Score   float64    `ch:"score"`
	Max     float64    `ch:"max"`
	Comment string     `ch:"comment"`
	At      *time.Time `ch:"at"`
}

func (s *site) session(ctx context.Context, p *page, r *http.Request) error {
	id := r.PathValue("id")
	if !utf8.ValidString(id) || len(id) > 4096 {
		return &problem{http.StatusNotFound, "no_session", clip(strings.ToValidUTF8(id, "\uFFFD"), 80)}
	}
	b := &sessionBody{}
	p.Body = b
	byID := clickhouse.Named("id", id)
	inScope, scope := p.Filter.scope.Where("team", "agent_ids")
	var heads []sessionHead
	if err := s.DB.Select(ctx, &heads, `SELECT session_id, started_at, ended_at, state, channel, shop, team, agent_ids, turns, score, experience, flagged, severity, emotion_start, emotion_end,
		business, source, skill_group, product, customer_id, rules_version, model_version, code_version, duration_ms, first_reply_ms, avg_reply_ms,
		max_reply_ms, unanswered, talk_share, silence_ms, overlap_ms, attributes,
		arrayMap(c -> c.1, coverage) AS coverage_what, arrayMap(c -> c.2, coverage) AS coverage_why, arrayMap(c -> c.3, coverage) AS coverage_count
		FROM sessions WHERE session_id = {id:String} AND `+inScope, append(scope, byID)...); err != nil {
		return err
	}
	if len(heads) == 0 {
		return &problem{http.StatusNotFound, "no_session", clip(id, 80)}
	}
	b.sessionHead = heads[0]
	if err := access.Audit(ctx, access.ActionOpenSession, id, nil); err != nil {
		s.Log.Error("a session was not shown because the audit log cannot be written", "session", id, "error", err)
		return &problem{http.StatusServiceUnavailable, "no_audit", ""}
	}
	p.Title = p.T("session") + " " + clip(id, 40)
	b.Pages = max(1, (int(b.Turns)+turnsPerPage-1)/turnsPerPage)
	if p.Filter.Page > b.Pages {
		return &problem{http.StatusNotFound, "no_such_list", fmt.Sprint(b.Pages)}
	}
	var mentions []mention
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(queriesAtOnce)
	read := func(dest any, sql string, args ...any) {
		g.Go(func() error { return s.DB.Select(gctx, dest, sql, args...) })
	}
	from := (p.Filter.Page - 1) * turnsPerPage
	read(&b.List, fmt.Sprintf(`SELECT seq, position, role, agent_id, at, text, emotion, polarity, auto, start_ms, confidence FROM turns
		WHERE session_id = {id:String} AND position > %d AND position <= %d ORDER BY position`, from, from+turnsPerPage), byID)
	read(&mentions, `SELECT seq, start, end, kind, aspect, valuable, product, polarity FROM mentions WHERE session_id = {id:String} ORDER BY seq, start, end`, byID)
	read(&b.Hits, `SELECT hit_id, rule_id, rule_version, agent_id, outcome, severity, points, reason, decision,
		arrayMap(e -> e.1, evidence) AS seqs, arrayMap(e -> e.2, evidence) AS starts, arrayMap(e -> e.3, evidence) AS ends
		FROM hits WHERE session_id = {id:String} ORDER BY indexOf(['info', 'minor', 'major', 'critical'], severity) DESC, points, rule_id, hit_id`, byID)
	read(&b.Outcomes, `SELECT rule_id, outcome FROM outcomes WHERE session_id = {id:String} ORDER BY rule_id`, byID)
	read(&b.Items, `SELECT scorecard, item, points, max, outcome, human FROM scorecard_items WHERE session_id = {id:String}`, byID)
	read(&b.Rounds, `SELECT agent_id, seq, reply_seq, reply_ms FROM rounds WHERE session_id = {id:String}`, byID)
	read(&b.Rating, `SELECT score, max, comment, at FROM ratings WHERE session_id = {id:String}`, byID)
	if b.Customer != "" {
		read(&b.Orders, `SELECT order_id, shop, status, created_at, paid_at, amount, refund_amount,
			arrayMap(i -> concat(if(i.2 != '', i.2, i.1), ' × ', toString(i.3)), items) AS item_lines
			FROM orders WHERE customer_id = {customer:String} ORDER BY created_at DESC, order_id LIMIT 20`, clickhouse.Named("customer", b.Customer))
	}
	if b.Pages > 1 {
		g.Go(func() error {
			return s.DB.QueryRow(gctx, `SELECT arrayMap(x -> x.2, arraySort(groupArray((position, seq)))) FROM turns WHERE session_id = {id:String}`, byID).Scan(&b.Seqs)
		})
	}
	g.Go(func() error {
		o, err := s.options(gctx, p)
		b.Names = o.Names
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	b.Sum = 100
	for i := range b.Hits {
		b.Hits[i].Number = i + 1
		b.Sum += b.Hits[i].Points
	}
	b.Explained = b.Score != nil && *b.Score == b.Sum
	for i := range b.List {
		t := &b.List[i]
		for _, m := range mentions {
			if m.Seq == t.Seq {
				t.Mentions = append(t.Mentions, m)
			}
		}
		t.Parts = split(t, b.Hits)
		for j := range b.Rounds {
			r := &b.Rounds[j]
			if r.Reply != nil && *r.Reply == t.Seq {
				t.Round = r
			}
		}
	}
	return nil
}

// split cuts the text of a turn where a mention or a piece of evidence begins or ends. A place outside the text is
// moved to its end, one inside a character to the border that leaves the character inside the span.
func split(t *turn, hits []hit) []part {
	border := func(n uint32, step int) int {
		i := min(int(n), len(t.Text))
		for i > 0 && i < len(t.Text) && !utf8.RuneStart(t.Text[i]) {
			i += step
		}
		return i
	}
	type span struct {
		start, end int
		hit        *hit
		mention    *mention
	}
	var spans []span
	cuts := []int{0, len(t.Text)}
	add := func(x span) {
		if x.start < x.end {
			spans = append(spans, x)
			cuts = append(cuts, x.start, x.end)
		}
	}
	for i := range t.Mentions {
		m := &t.Mentions[i]
		add(span{border(m.Start, -1), border(m.End, 1), nil, m})
	}
	for j := range hits {
		h := &hits[j]
		for i, seq := range h.Seqs {
			if seq == t.Seq {
				add(span{border(h.Starts[i], -1), border(h.Ends[i], 1), h, nil})
			}
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	var parts []part
	for i := 1; i < len(cuts); i++ {
		x := part{Text: t.Text[cuts[i-1]:cuts[i]]}
		for _, sp := range spans {
			if sp.start > cuts[i-1] || sp.end < cuts[i] {
				continue
			}
			switch {
			case sp.mention != nil:
				x.Mention = sp.mention
			case !slices.Contains(x.Hits, sp.hit):
				x.Hits = append(x.Hits, sp.hit)
			}
			if sp.hit != nil && sp.end == cuts[i] && !slices.Contains(x.Ends, sp.hit) {
				x.Ends = append(x.Ends, sp.hit)
			}
		}
		parts = append(parts, x)
	}
	return parts
}
