package warehouse

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// Pages read session_facts and opinion_facts, and of the few sessions that they show session_texts; search reads turn_facts, and
// figures of people are worked out from kpi_inputs: copies of what the views say in an order that suits pages. FINAL over all
// sessions costs more than a whole page may take. The keepers below bring a copy up to date before it is read, so a page says what the views say at the moment of the request. Requests that come while one works
// share its next round, and a round that finds nothing new is one small query of the parts of the tables.

// FactsCut names one moment of the copies; all statements of a request that read with the same cut agree with each other.
type FactsCut struct {
	Base, Gen uint64
	Opinions  string // changes with every event of the registry of opinions
	moved     bool
}

// Live is the condition, on the tables of the copy, on the rows that count at this moment.
func (c FactsCut) Live() string {
	if !c.moved {
		return fmt.Sprintf("base = %d AND gen = 0", c.Base)
	}
	moves := fmt.Sprintf("FROM fact_moves WHERE base = %d AND gen <= %d", c.Base, c.Gen)
	return fmt.Sprintf("base = %d AND gen <= %d AND if(gen = 0, session_id NOT IN (SELECT session_id %s), (session_id, gen) IN (SELECT session_id, max(gen) %s GROUP BY session_id))", c.Base, c.Gen, moves, moves)
}

// Bounds of the keeper.
const (
	factsOverlap  = 10 * time.Minute // how long a write may take from the time that its rows carry to where it can be read
	factsDropWait = 2 * time.Minute  // longest read of a base that another has followed
	factsTimeout  = 30 * time.Minute // of one round
	factsAdopt    = time.Minute      // a base of another process is left alone for that long after its last change
	factsMoves    = 100_000          // changed sessions after which a new base costs less, at least
)

// factsKind is a set of tables that are copied together.
type factsKind struct {
	tables   []string // with the columns base, gen and session_id; the first has rows of every session
	sessions string   // how many sessions the first holds, an expression over its rows
	whole    []string // tables any change of which may change every session; the others name the sessions that they change
	reviews  bool     // whether decisions of reviewers are in the copy
	copy     func(w *Warehouse, ctx context.Context, base, gen uint64, where string) error
}

var (
	sessionCopies = &factsKind{[]string{"session_facts", "opinion_facts"}, "count()", []string{"agents", "run_switches", "settings"}, true, (*Warehouse).copyFacts}
	turnCopies    = &factsKind{[]string{"turn_facts"}, "countIf(position = 1)", []string{"run_switches", "settings"}, false, (*Warehouse).copyTurns}
	textCopies    = &factsKind{[]string{"session_texts"}, "count()", []string{"run_switches", "settings"}, false, (*Warehouse).copyTexts}
	inputCopies   = &factsKind{[]string{"kpi_inputs"}, "count()", []string{"run_switches", "settings"}, false, (*Warehouse).copyInputs}
)

// factsKeeper brings the copies of one kind up to date. One round works at a time and one may wait for it.
type factsKeeper struct {
	kind *factsKind

	mu            sync.Mutex
	running, next *factsRound
	closed        bool
	working       sync.WaitGroup
	ctx           context.Context
	cancel        context.CancelFunc

	// Of the round that works.
	cut      FactsCut
	state    factsState
	known    map[string]factsVersion // sessions changed of late, by id
	old      uint64                  // base before this one
	oldDrop  time.Time
	moves    int
	rows     uint64
	owner    string
	opinions string // FactsCut.Opinions of the round
}

type factsRound struct {
	done chan struct{}
	cut  FactsCut
	err  error
}

// factsVersion says which analyses and which reviews of a session the copy has seen.
type factsVersion struct {
	analyses map[uint64]uint64 // version by run
	review   uint64
	at       time.Time
}

// factsState is how the tables stood at a moment.
type factsState struct {
	at     time.Time // by the clock of the store
	noted  bool      // the base of the keeper is still there
	tables map[string]factsTable
}

// factsTable is how a table stood: any insert, merge of replaced rows and mutation changes it.
type factsTable struct {
	block   int64  // greatest block in it
	mutated int64  // greatest version of a mutation in it
	rows    uint64 // of its parts
}

// named are the tables whose changes name the sessions that they change.
func (k *factsKind) named() []string {
	if k.reviews {
		return []string{"analyses", "review_states"}
	}
	return []string{"analyses"}
}

// stamp is how the tables stand of which any such change makes a copy useless.
func (k *factsKind) stamp(s *factsState) string {
	var b strings.Builder
	for _, t := range k.whole {
		fmt.Fprintf(&b, "%s:%d:%d ", t, s.tables[t].block, s.tables[t].mutated)
	}
	for i, t := range k.named() {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s:%d", t, s.tables[t].mutated)
	}
	return b.String()
}

// Facts brings session_facts and opinion_facts up to everything that was written before the call, and names the moment. It
// is safe for concurrent use; work that was begun goes on where ctx ends.
func (w *Warehouse) Facts(ctx context.Context) (FactsCut, error) {
	return w.upToDate(ctx, &w.facts)
}

// TurnFacts does for turn_facts what Facts does.
func (w *Warehouse) TurnFacts(ctx context.Context) (FactsCut, error) {
	return w.upToDate(ctx, &w.turns)
}

func (w *Warehouse) upToDate(ctx context.Context, k *factsKeeper) (FactsCut, error) {
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		return FactsCut{}, errors.New("the warehouse is closed")
	}
	if k.ctx == nil {
		k.ctx, k.cancel = context.WithCancel(context.Background())
		k.owner = uuid.NewString()
	}
	var r *factsRound
	switch {
	case k.running == nil:
		r = &factsRound{done: make(chan struct{})}
		k.running = r
		k.working.Add(1)
		go w.factsRounds(k)
	case k.next == nil:
		r = &factsRound{done: make(chan struct{})}
		k.next = r
	default:
		r = k.next
	}
	k.mu.Unlock()
	select {
	case <-r.done:
		return r.cut, r.err
	case <-ctx.Done():
		return FactsCut{}, ctx.Err()
	}
}

// factsRounds works until nobody waits.
func (w *Warehouse) factsRounds(k *factsKeeper) {
	defer k.working.Done()
	for {
		ctx, cancel := context.WithTimeout(k.ctx, factsTimeout)
		err := w.factsRound(ctx, k)
		cancel()
		k.mu.Lock()
		r := k.running
		r.cut, r.err = k.cut, nil
		r.cut.Opinions = k.opinions
		if err != nil {
			r.err = fmt.Errorf("cannot bring what pages read up to date: %w", err)
		}
		close(r.done)
		k.running, k.next = k.next, nil
		more := k.running != nil
		k.mu.Unlock()
		if !more {
			return
		}
	}
}

// close ends the rounds.
func (k *factsKeeper) close() {
	k.mu.Lock()
	k.closed = true
	if k.cancel != nil {
		k.cancel()
	}
	k.mu.Unlock()
	k.working.Wait()
}

func (w *Warehouse) factsState(ctx context.Context, k *factsKeeper) (factsState, error) {
	s := factsState{tables: map[string]factsTable{}}
	err := w.query(w.listing(ctx), fmt.Sprintf(`SELECT table, toInt64(max(max_block_number)), toInt64(max(if(data_version > max_block_number, data_version, 0))), sum(rows), now64(3), (SELECT count() > 0 FROM fact_bases WHERE base = %d)
		FROM system.parts WHERE active AND database = currentDatabase() AND table IN (%s) GROUP BY table`, k.cut.Base, quoteAll(slices.Concat(k.kind.named(), k.kind.whole, []string{"opinion_events"}))), func(rows driver.Rows) error {
		var name string
		var t factsTable
		if err := rows.Scan(&name, &t.block, &t.mutated, &t.rows, &s.at, &s.noted); err != nil {
			return err
		}
		s.tables[name] = t
		return nil
	})
	return s, err
}

func (w *Warehouse) factsRound(ctx context.Context, k *factsKeeper) error {
	now, err := w.factsState(ctx, k)
	if err != nil {
		return err
	}
	k.opinions = fmt.Sprintf("%d:%d", now.tables["opinion_events"].block, now.tables["opinion_events"].mutated)
	if !now.noted { // the first time, or somebody has taken the copies away
		k.cut, k.state = FactsCut{}, factsState{}
		if err := w.adoptFacts(ctx, k, &now); err != nil {
			return err
		}
	}
	was := k.state
	switch {
	case k.cut.Base == 0 || k.kind.stamp(&now) != k.kind.stamp(&was) || now.tables["analyses"].block < was.tables["analyses"].block || now.tables["review_states"].block < was.tables["review_states"].block:
		return w.rebaseFacts(ctx, k, now)
	case now.tables["analyses"] == was.tables["analyses"] && now.tables["review_states"] == was.tables["review_states"]:
		return w.dropOldFacts(ctx, k, now.at)
	}
	changed, err := w.changedFacts(ctx, k, was.at.Add(-factsOverlap))
	if err != nil {
		return err
	}
	if k.moves+len(changed) > max(factsMoves, int(k.rows/5)) {
		return w.rebaseFacts(ctx, k, now)
	}
	if len(changed) > 0 {
		gen := max(k.cut.Gen+1, uint64(now.at.UnixMilli())<<16|uint64(rand.Uint32()&0xffff))
		err := eachIDs(changed, maxQueryIDs, func(list string) error {
			if err := k.kind.copy(w, ctx, k.cut.Base, gen, "session_id IN ("+list+")"); err != nil {
				return err
			}
			// Only now are the older rows no longer live, and only for those who ask with this generation.
			return w.conn.Exec(ctx, fmt.Sprintf("INSERT INTO fact_moves (base, gen, session_id) SELECT %d, %d, arrayJoin([%s])", k.cut.Base, gen, list))
		})
		if err != nil {
			k.known = map[string]factsVersion{} // what was copied is copied once more, under another generation
			return err
		}
		k.cut.Gen, k.cut.moved = gen, true
		k.moves += len(changed)
	}
	k.state = now
	for id, v := range k.known {
		if v.at.Before(now.at.Add(-2 * factsOverlap)) {
			delete(k.known, id)
		}
	}
	return errors.Join(w.noteFacts(ctx, k), w.dropOldFacts(ctx, k, now.at))
}

// changedFacts names the sessions of which anything was written since a time that the copy has not seen.
func (w *Warehouse) changedFacts(ctx context.Context, k *factsKeeper, since time.Time) ([]string, error) {
	var out []string
	written := fmt.Sprintf("SELECT session_id, run_id AS run, max(version) AS latest, toUInt64(0) AS folds FROM analyses WHERE written_at >= fromUnixTimestamp64Milli(%d) GROUP BY session_id, run_id", since.UnixMilli())
	if k.kind.reviews {
		written += fmt.Sprintf(" UNION ALL SELECT session_id, toUInt64(0) AS run, toUInt64(0) AS latest, max(version) AS folds FROM review_states WHERE folded_at >= fromUnixTimestamp64Milli(%d) GROUP BY session_id", since.UnixMilli())
	}
	sql := "SELECT session_id, groupArray((run, latest)), max(folds), now64(3) FROM (" + written + ") GROUP BY session_id"
	err := w.query(w.reading(ctx), sql, func(rows driver.Rows) error {
		var id string
		var versions [][]any
		var v factsVersion
		if err := rows.Scan(&id, &versions, &v.review, &v.at); err != nil {
			return err
		}
		v.analyses = map[uint64]uint64{}
		for _, x := range versions {
			run, _ := x[0].(uint64)
			n, _ := x[1].(uint64)
			v.analyses[run] = max(v.analyses[run], n)
		}
		was, known := k.known[id]
		same := known && was.review >= v.review
		for run, n := range v.analyses {
			same = same && was.analyses[run] >= n
		}
		if !same {
			out = append(out, id)
			for run, n := range was.analyses {
				v.analyses[run] = max(v.analyses[run], n)
			}
			v.review = max(v.review, was.review)
			k.known[id] = v
		}
		return nil
	})
	return out, err
}

// factColumns are those of session_fact_rows, and with base and gen of session_facts.
const factColumns = `session_id, day, since_day, until_day, started_at, ended_at, state, channel, source, shop, business, team, agent_id, agent_ids, agent_name, customer_id, product,
	turns, score, experience, flagged, severity, emotion_start, emotion_end, final_score, reviewed, assignee, open_appeals, conflicts, opening, opening_seq, heard, heard_turns,
	hit_id, hit_rule, hit_version, hit_agent, hit_outcome, hit_severity, hit_points, hit_decision, hit_state, hit_conflict, hit_appeals,
	mention_opinion, mention_kind, mention_aspect, mention_product, mention_valuable, round_agent, round_day, round_reply_ms, round_first, round_timed, outcome_rule, outcome_value`

// copyFacts copies the sessions of a condition on session_id.
func (w *Warehouse) copyFacts(ctx context.Context, base, gen uint64, where string) error {
	if err := w.conn.Exec(ctx, fmt.Sprintf("INSERT INTO session_facts (base, gen, %s) SELECT %d, %d, %s FROM session_fact_rows WHERE %s", factColumns, base, gen, factColumns, where)); err != nil {
		return err
	}
	return w.conn.Exec(ctx, fmt.Sprintf(`INSERT INTO opinion_facts (base, gen, opinion, day, session_id, customer, mentions, kept_from, customer_id, shop)
		SELECT base, gen, opinion, any(day), session_id, any(sipHash64(if(customer_id != '', concat('c', customer_id), concat('s', session_id)))), count(), any(kept_from), any(customer_id), any(shop)
		FROM (SELECT base, gen, day, session_id, customer_id, shop, kept_from, mention_opinion FROM session_facts WHERE base = %d AND gen = %d AND %s)
		ARRAY JOIN mention_opinion AS opinion WHERE opinion != '' GROUP BY base, gen, opinion, session_id`, base, gen, where))
}

// turnFactColumns are those of turn_fact_rows, and with base and gen of turn_facts.
const turnFactColumns = "newest, session_id, position, session, day, role, agent_id, shop, emotion, closed, text, again, kept_from"

// turnBlock is how many turns are indexed at once: their parts of words take some 3 KiB of memory a turn.
const turnBlock = 200_000

// copyTurns copies the turns of the sessions of a condition on session_id.
func (w *Warehouse) copyTurns(ctx context.Context, base, gen uint64, where string) error {
	return w.conn.Exec(ctx, fmt.Sprintf("INSERT INTO turn_facts (base, gen, %s) SELECT %d, %d, %s FROM turn_fact_rows WHERE %s SETTINGS min_insert_block_size_rows = %d, min_insert_block_size_bytes = 0",
		turnFactColumns, base, gen, turnFactColumns, where, turnBlock))
}

// textColumns are those of session_text_rows, and with base and gen of session_texts.
const textColumns = `session_id, day, shop, customer_id, turn_seq, turn_role, turn_agent, turn_text, turn_at, turn_auto, turn_emotion, turn_polarity,
	mention_turn, mention_start, mention_text, mention_opinion, hit_id, hit_reason, evidence_hit, evidence_turn, kept_from`

// copyTexts copies the words of the sessions of a condition on session_id.
func (w *Warehouse) copyTexts(ctx context.Context, base, gen uint64, where string) error {
	return w.conn.Exec(ctx, fmt.Sprintf("INSERT INTO session_texts (base, gen, %s) SELECT %d, %d, %s FROM session_text_rows WHERE %s", textColumns, base, gen, textColumns, where))
}

// inputColumns are those of kpi_input_rows, and with base and gen of kpi_inputs.
const inputColumns = `session_id, started_at, kpi_since, kpi_until, closed, channel, source, shop, business, team, customer_id, agent_ids, score, attributes, mention_aspect,
	hit_id, hit_agent, hit_severity, round_agent, round_asked_at, round_reply, round_reply_ms, kpi_agent, kpi_excused, kpi_first_ms, kpi_round_passer,
	kpi_run_agent, kpi_run_quarter, kpi_run_replies, kpi_run_questions, kpi_reply_agent, kpi_reply_at, kpi_message_agent, kpi_message_asked_at, kpi_message_ms, kpi_message_answered,
	kpi_auto_agent, kpi_auto_asked_at, kpi_auto_ms, kpi_auto_answered, kept_from`

// copyInputs copies what figures of people are worked out from, of the sessions of a condition on session_id.
func (w *Warehouse) copyInputs(ctx context.Context, base, gen uint64, where string) error {
	return w.conn.Exec(ctx, fmt.Sprintf("INSERT INTO kpi_inputs (base, gen, %s) SELECT %d, %d, %s FROM kpi_input_rows WHERE %s", inputColumns, base, gen, inputColumns, where))
}

// rebaseFacts makes a new base. Who still reads the old one finishes first.
func (w *Warehouse) rebaseFacts(ctx context.Context, k *factsKeeper, now factsState) error {
	base := max(k.cut.Base+1, uint64(now.at.UnixMilli())<<16|uint64(rand.Uint32()&0xffff))
	began := time.Now()
	if err := k.kind.copy(w, ctx, base, 0, "1"); err != nil {
		return errors.Join(err, w.dropFacts(context.WithoutCancel(ctx), k.kind, base))
	}
	var rows uint64
	if err := w.conn.QueryRow(ctx, fmt.Sprintf("SELECT %s FROM %s WHERE base = %d", k.kind.sessions, k.kind.tables[0], base)).Scan(&rows); err != nil {
		return err
	}
	if err := w.dropOldFacts(ctx, k, now.at.Add(24*time.Hour)); err != nil { // the one before the old one, if it is still there
		return err
	}
	if k.cut.Base != 0 {
		k.old, k.oldDrop = k.cut.Base, now.at.Add(factsDropWait)
	}
	k.cut, k.state, k.known, k.moves, k.rows = FactsCut{Base: base}, now, map[string]factsVersion{}, 0, rows
	if took := time.Since(began); took > 5*time.Second {
		w.log.Info("what pages read was copied anew", "table", k.kind.tables[0], "sessions", rows, "took", took.Round(time.Millisecond))
	}
	return w.noteFacts(ctx, k)
}

// noteFacts stores how far the base is, so that the next process need not begin anew.
func (w *Warehouse) noteFacts(ctx context.Context, k *factsKeeper) error {
	return w.conn.Exec(ctx, fmt.Sprintf("INSERT INTO fact_bases (base, gen, moves, rows, owner, stamp, read_at) VALUES (%d, %d, %d, %d, %s, %s, fromUnixTimestamp64Milli(%d))",
		k.cut.Base, k.cut.Gen, k.moves, k.rows, quote(k.owner), quote(k.kind.stamp(&k.state)), k.state.at.UnixMilli()))
}

// adoptFacts takes over the base of a process that has ended, where there is one that still holds, and drops the others.
func (w *Warehouse) adoptFacts(ctx context.Context, k *factsKeeper, now *factsState) error {
	type row struct {
		Base  uint64    `ch:"base"`
		Gen   uint64    `ch:"gen"`
		Moves uint64    `ch:"moves"`
		Rows  uint64    `ch:"rows"`
		Stamp string    `ch:"stamp"`
		At    time.Time `ch:"read_at"`
		Used  time.Time `ch:"noted_at"`
	}
	var list []row
	if err := w.conn.Select(w.reading(ctx), &list, `SELECT base, gen, moves, rows, stamp, read_at, noted_at FROM fact_bases FINAL
		WHERE base IN (SELECT toUInt64(partition) FROM system.parts WHERE active AND database = currentDatabase() AND table = `+quote(k.kind.tables[0])+`) ORDER BY base DESC`); err != nil {
		return err
	}
	for _, x := range list {
		used := x.Used.After(now.at.Add(-factsAdopt)) // by another process, most likely
		if used && w.handle == nil {
			continue
		}
		if k.cut.Base != 0 || x.Stamp != k.kind.stamp(now) {
			if used {
				continue
			}
			if err := w.dropFacts(ctx, k.kind, x.Base); err != nil {
				return err
			}
			continue
		}
		k.cut = FactsCut{Base: x.Base, Gen: x.Gen, moved: x.Gen > 0}
		k.moves, k.rows, k.known = int(x.Moves), x.Rows, map[string]factsVersion{}
		// As if nothing were known of the tables whose changes name their sessions: all since then is looked at.
		k.state = *now
		k.state.at = x.At
		k.state.tables = map[string]factsTable{}
		for name, t := range now.tables {
			if slices.Contains(k.kind.named(), name) {
				t.block, t.rows = 0, 0
			}
			k.state.tables[name] = t
		}
	}
	return nil
}

func (w *Warehouse) dropOldFacts(ctx context.Context, k *factsKeeper, now time.Time) error {
	if k.old == 0 || now.Before(k.oldDrop) {
		return nil
	}
	if err := w.dropFacts(ctx, k.kind, k.old); err != nil {
		return err
	}
	k.old = 0
	return nil
}

func (w *Warehouse) dropFacts(ctx context.Context, kind *factsKind, base uint64) error {
	var errs []error
	for _, table := range append(slices.Clone(kind.tables), "fact_moves") {
		errs = append(errs, w.conn.Exec(ctx, fmt.Sprintf("ALTER TABLE %s DROP PARTITION %d", table, base)))
	}
	return errors.Join(errs...)
}

// ForgetFacts takes away all copies. It is for whoever deletes sessions for good: the next page makes a copy without them.
func (w *Warehouse) ForgetFacts(ctx context.Context) error {
	for _, table := range []string{"session_facts", "opinion_facts", "turn_facts", "session_texts", "kpi_inputs", "fact_moves", "fact_bases"} {
		if err := w.conn.Exec(ctx, "TRUNCATE TABLE IF EXISTS "+table); err != nil {
			return fmt.Errorf("cannot take away what pages read: %w", err)
		}
	}
	return nil
}
