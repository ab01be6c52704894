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
	// Breaks says that a rule was broken in the reply: it is no answer for others to be compared with.
	Breaks bool `json:"breaks,omitempty"`
}

// Answers says whether agents answer an opinion consistently.
type Answers struct {
	// Replies are the mentions that an agent answered, among the latest asked for; one of nothing but courtesies is no answer.
	Replies int `json:"replies" doc:"replies that say more than courtesies"`
	// Consistent is their share that says the same as the approved answer, or, where there is none, as the reply that most
	// others agree with; 0 where no two agree. 0..1; it says nothing for fewer than two replies.
	Consistent float64 `json:"consistent" doc:"share that says the same as what they were compared with, 0..1"`
	// Against is what they were compared with; empty where none is approved and no two agree.
	Against string `json:"against,omitempty" doc:"the approved answer, else the commonest reply that breaks no rule; absent where no two agree"`
}

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
	replies, err := w.Conn().Query(ctx, "SELECT session_id, seq, role, agent_id, text, auto FROM turns WHERE session_id IN (?) ORDER BY session_id, position", slices.Compact(sessions))
	if err != nil {
		return nil, fmt.Errorf("cannot read the replies to an opinion: %w", err)
	}
	defer replies.Close()
	turns := map[string]*warehouse.SessionTexts{}
	for replies.Next() {
		var id, role, agent, text string
		var seq int64
		var auto bool
		if err := replies.Scan(&id, &seq, &role, &agent, &text, &auto); err != nil {
			return nil, err
		}
		s := turns[id]
		if s == nil {
			s = &warehouse.SessionTexts{SessionID: id}
			turns[id] = s
		}
		s.TurnSeq, s.TurnRole, s.TurnAgent, s.TurnText, s.TurnAuto = append(s.TurnSeq, seq), append(s.TurnRole, role), append(s.TurnAgent, agent), append(s.TurnText, text), append(s.TurnAuto, auto)
	}
	broken, err := breaking(ctx, w, slices.Compact(sessions))
	if err != nil {
		return nil, err
	}
	for i := range out {
		q := &out[i]
		s := turns[q.SessionID]
		if s == nil { // written anew since, without it
			continue
		}
		var seqs []int64
		q.Reply, _, seqs = s.ReplyTo(q.Turn)
		q.Breaks = slices.ContainsFunc(seqs, func(seq int64) bool { return broken[turnKey{q.SessionID, seq}] })
	}
	return out, replies.Err()
}

// turnKey names a turn of a session.
type turnKey struct {
	session string
	seq     int64
}

// Broken is the condition on hits under which a rule was broken, and no person has said it was not.
const Broken = "(points < 0 OR severity IN ('minor', 'major', 'critical')) AND state NOT IN ('dismissed', 'overturned')"

// breaking gives the turns of sessions in which a rule was broken: hits rest on them that no person has dismissed.
func breaking(ctx context.Context, w *warehouse.Warehouse, sessions []string) (map[turnKey]bool, error) {
	var rows []struct {
		SessionID string  `ch:"session_id"`
		Seqs      []int64 `ch:"evidence_seqs"`
	}
	if err := w.Conn().Select(ctx, &rows, "SELECT session_id, evidence_seqs FROM hits WHERE session_id IN (?) AND "+Broken, sessions); err != nil {
		return nil, fmt.Errorf("cannot read the hits on replies: %w", err)
	}
	out := map[turnKey]bool{}
	for _, r := range rows {
		for _, s := range r.Seqs {
			out[turnKey{r.SessionID, s}] = true
		}
	}
	return out, nil
}

// Consistency compares the replies of quotes with the approved answer, else with the reply that most of them agree with.
func Consistency(m *opinion.Model, quotes []Quote, approved string) Answers {
	var a Answers
	var replies []*answer
	var from []*Quote
	for i := range quotes {
		if said := answered(quotes[i].Reply); said != "" {
			replies, from = append(replies, newAnswer(said)), append(from, &quotes[i])
		}
	}
	a.Replies = len(replies)
	if len(replies) == 0 {
		return a
	}
	agree := func(with *answer) (n int, total float64) {
		for _, r := range replies {
			if s := likeness(m, r, with); s > 0 {
				n++
				total += s
			}
		}
		return n, total
	}
	if approved != "" {
		said := answered(approved)
		if said == "" {
			said = approved
		}
		n, _ := agree(newAnswer(said))
		a.Against, a.Consistent = approved, float64(n)/float64(len(replies))
		return a
	}
	most, nearest := 1, 0. // itself
	for i, r := range replies {
		if from[i].Breaks {
			continue
		}
		n, total := agree(r)
		if n < 2 || n < most || n == most && (total < nearest || total == nearest && from[i].Reply >= a.Against) {
			continue
		}
		most, nearest, a.Against = n, total, from[i].Reply
		a.Consistent = float64(n) / float64(len(replies))
	}
	return a
}

func validID(id string) bool {
	return len(id) == 16 && strings.Trim(id, "0123456789abcdef") == ""
}
