package opinions

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/tingke/tingke/nlp/opinion"
	"github.com/tingke/tingke/pipeline/warehouse"
)

// Quote is a mention with where to find it.
type Quote struct {
	SessionID string `json:"session_id"`
	Turn      int64  `json:"turn"`
	Text      string `json:"text"`
	// URL is the page of the session, below the address of the pages.
	URL   string `json:"url"`
	Reply string `json:"reply,omitempty"` // the agent's valid turns up to the customer's next one
}

// Answers says whether agents answer an opinion consistently.
type Answers struct {
	// Replies are the mentions that an agent replied to, among the latest asked for.
	Replies int `json:"replies"`
	// Consistent is their share that is like the approved answer, or, where there is none, like the reply nearest to all
	// others. 0..1; it says nothing for fewer than two replies.
	Consistent float64 `json:"consistent"`
	// Against is what they were compared with.
	Against string `json:"against,omitempty"`
}

// sameAnswer is the similarity from which two replies count as one answer. Replies are longer and wander more than
// mentions, so it lies below the granularity of opinions.
const sameAnswer = .4

// Quotes gives the latest mentions of an opinion, merges resolved, with the agents' replies.
func Quotes(ctx context.Context, w *warehouse.Warehouse, id string, limit int) ([]Quote, error) {
	if !validID(id) {
		return nil, fmt.Errorf("opinion id %q is not 16 hex digits", id)
	}
	rows, err := w.Conn().Query(ctx, fmt.Sprintf(`SELECT session_id, seq, text FROM mentions WHERE opinion_id = '%s' ORDER BY day DESC, session_id, seq LIMIT %d`, id, limit))
	if err != nil {
		return nil, fmt.Errorf("cannot read the quotes of an opinion: %w", err)
	}
	defer rows.Close()
	var out []Quote
	var sessions []string
	for rows.Next() {
		var q Quote
		if err := rows.Scan(&q.SessionID, &q.Turn, &q.Text); err != nil {
			return nil, err
		}
		q.URL = fmt.Sprintf("/sessions/%s#t%d", url.PathEscape(q.SessionID), q.Turn)
		out = append(out, q)
		sessions = append(sessions, q.SessionID)
	}
	if err := rows.Err(); err != nil || len(out) == 0 {
		return out, err
	}
	slices.Sort(sessions)
	replies, err := w.Conn().Query(ctx, "SELECT session_id, seq, role, text, auto FROM turns WHERE session_id IN (?) ORDER BY session_id, position", slices.Compact(sessions))
	if err != nil {
		return nil, fmt.Errorf("cannot read the replies to an opinion: %w", err)
	}
	defer replies.Close()
	type turn struct {
		seq        int64
		role, text string
		auto       bool
	}
	turns := map[string][]turn{}
	for replies.Next() {
		var id string
		var t turn
		if err := replies.Scan(&id, &t.seq, &t.role, &t.text, &t.auto); err != nil {
			return nil, err
		}
		turns[id] = append(turns[id], t)
	}
	for i := range out {
		list := turns[out[i].SessionID]
		at := slices.IndexFunc(list, func(t turn) bool { return t.seq == out[i].Turn })
		var reply []string
		for _, t := range list[at+1:] {
			if t.role == "customer" {
				if len(reply) > 0 {
					break
				}
				continue
			}
			if t.role == "agent" && !t.auto && strings.TrimSpace(t.text) != "" {
				reply = append(reply, t.text)
			}
		}
		out[i].Reply = strings.Join(reply, "\n")
	}
	return out, replies.Err()
}

// Consistency compares the replies of quotes with the approved answer, else with each other.
func Consistency(m *opinion.Model, quotes []Quote, approved string) Answers {
	var a Answers
	var replies []string
	for _, q := range quotes {
		if q.Reply != "" {
			replies = append(replies, opinion.Normalise(q.Reply))
		}
	}
	a.Replies = len(replies)
	if len(replies) == 0 {
		return a
	}
	if a.Against = approved; approved == "" {
		sorted := slices.Clone(replies)
		slices.Sort(sorted)
		a.Against = m.Medoid(sorted)
	}
	like := 0
	for _, r := range replies {
		if m.Similarity(r, opinion.Normalise(a.Against)) >= sameAnswer {
			like++
		}
	}
	a.Consistent = float64(like) / float64(len(replies))
	return a
}

func validID(id string) bool {
	return len(id) == 16 && strings.Trim(id, "0123456789abcdef") == ""
}
