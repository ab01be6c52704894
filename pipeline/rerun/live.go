package rerun

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/forget"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/schemas"
)

// Live is the way of new messages into the store: each session is judged by, and written to, the run that is active for
// its start, and nothing of forgotten customers is written. It is safe for concurrent use.
type Live struct {
	w       *warehouse.Warehouse
	base    func() *analyse.Analyser
	compile Compile
	key     []byte
	log     *slog.Logger

	loading sync.Mutex
	known   atomic.Pointer[known]
	dropped atomic.Int64
	// between is called by tests between the look before a write and the write.
	between func()
}

// known is what a Live has read of the store. It is immutable.
type known struct {
	marks     warehouse.StoreMarks
	switches  warehouse.Switches
	judges    map[uint64]*judge // of the runs that a switch names; nil for one that cannot judge
	customers map[string]bool   // forgotten, by pseudonym
	sessions  map[string]bool   // forgotten, by hash
}

// NewLive makes a Live; base gives the analyser in use, key is the deployment's. Nothing is read before the first Refresh
// or Write.
func NewLive(w *warehouse.Warehouse, base func() *analyse.Analyser, compile Compile, key []byte, log *slog.Logger) *Live {
	if log == nil {
		log = slog.Default()
	}
	l := &Live{w: w, base: base, compile: compile, key: key, log: log}
	l.known.Store(&known{})
	return l
}

// Refresh reads which runs are active and who is forgotten, where that has changed.
func (l *Live) Refresh(ctx context.Context) error {
	_, err := l.refresh(ctx)
	return err
}

func (l *Live) refresh(ctx context.Context) (*known, error) {
	marks, err := l.w.Marks(ctx)
	if err != nil {
		return nil, err
	}
	if k := l.known.Load(); k.marks == marks {
		return k, nil
	}
	l.loading.Lock()
	defer l.loading.Unlock()
	old := l.known.Load()
	if old.marks == marks {
		return old, nil
	}
	k := *old
	k.marks = marks
	if marks.Switches != old.marks.Switches {
		if k.switches, err = l.w.Switches(ctx); err != nil {
			return nil, err
		}
		k.judges = map[uint64]*judge{}
		for _, s := range k.switches {
			if _, done := k.judges[s.RunID]; done || s.RunID == 0 {
				continue
			}
			if k.judges[s.RunID] = old.judges[s.RunID]; k.judges[s.RunID] != nil {
				continue
			}
			j, err := l.judge(ctx, s.RunID)
			if err != nil && ctx.Err() != nil || warehouse.IsTransient(err) {
				return nil, err
			}
			if err != nil { // the sessions are judged by the rules in use, and say so in rules_version
				l.log.Error("the rules of a run cannot be used; those in use judge its sessions", "run", s.RunID, "error", err)
			}
			k.judges[s.RunID] = j
		}
	}
	if marks.Forgotten != old.marks.Forgotten {
		customers, err := l.w.Forgotten(ctx, nil)
		if err != nil {
			return nil, err
		}
		k.customers = make(map[string]bool, len(customers))
		for c := range customers {
			k.customers[c] = true
		}
		if k.sessions, err = l.w.ForgottenSessions(ctx); err != nil {
			return nil, err
		}
	}
	l.known.Store(&k)
	return &k, nil
}

func (l *Live) judge(ctx context.Context, id uint64) (*judge, error) {
	r, err := l.w.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, errors.New("it is not in the table of runs")
	}
	packs, err := l.w.RunPacks(ctx, id)
	if err != nil {
		return nil, err
	}
	return newJudge(r, packs, l.compile)
}

// Analyse analyses one session as the run judges that is active for its start, by the switches known since the last write
// or Refresh. It is safe for concurrent use.
func (l *Live) Analyse(t *schemas.Transcript) *schemas.Analysis {
	return l.known.Load().analyse(l.base(), t)
}

// AnalyseWith is Analyse on another base than the analyser in use.
func (l *Live) AnalyseWith(base *analyse.Analyser, t *schemas.Transcript) *schemas.Analysis {
	return l.known.Load().analyse(base, t)
}

func (k *known) analyse(base *analyse.Analyser, t *schemas.Transcript) *schemas.Analysis {
	if len(k.switches) == 0 {
		return base.Analyse(t)
	}
	return k.analyseAs(base, t, k.run(t))
}

// analyseAs judges a session as a run does.
func (k *known) analyseAs(base *analyse.Analyser, t *schemas.Transcript, run uint64) *schemas.Analysis {
	a := k.judges[run].with(base, &t.Meta).Analyse(t)
	a.RunID = run
	return a
}

// Dropped counts the sessions, orders and ratings of forgotten customers that were not written.
func (l *Live) Dropped() int64 { return l.dropped.Load() }

// Write stores a batch as warehouse.Write does, without what belongs to forgotten customers. Where it has a state for each
// analysis, each analysis is of the run that is active then; one that was made before a switch is made anew. After the
// write it looks again, so that neither a switch nor a tombstone that came meanwhile is missed. The lists of the batch may
// be changed.
func (l *Live) Write(ctx context.Context, b warehouse.Batch) error {
	before, err := l.refresh(ctx)
	if err != nil {
		return err
	}
	if err := l.dropForgotten(ctx, before, &b); err != nil {
		return err
	}
	paired := len(b.States) == len(b.Analyses)
	extra := 0
	if paired {
		l.route(before, &b)
		if extra, err = l.hideShown(ctx, before, &b); err != nil {
			return err
		}
	}
	if l.between != nil {
		l.between()
	}
	if err := l.w.Write(ctx, b); err != nil {
		return err
	}
	after, err := l.refresh(ctx)
	if err != nil || after.marks == before.marks {
		return err
	}
	if after.marks.Switches != before.marks.Switches && paired {
		again := warehouse.Batch{States: b.States, Analyses: slices.Clone(b.Analyses[:len(b.Analyses)-extra])}
		l.route(after, &again)
		if _, err := l.hideShown(ctx, after, &again); err != nil {
			return err
		}
		if err := l.w.Write(ctx, warehouse.Batch{Analyses: again.Analyses}); err != nil {
			return err
		}
	}
	if after.marks.Forgotten != before.marks.Forgotten {
		return l.eraseForgotten(ctx, after, &b)
	}
	return nil
}

// route makes the analyses of a batch those of the runs that are active for them.
func (l *Live) route(k *known, b *warehouse.Batch) {
	for i, a := range b.Analyses {
		run := k.switches.Run(a.StartedAt)
		if a.RunID != run {
			b.Analyses[i] = l.again(k, b.States[i], a, run)
		}
	}
}

// again analyses a session for another run. One that makes the analysis panic keeps the analysis it has.
func (l *Live) again(k *known, s *assemble.State, a *schemas.Analysis, run uint64) (out *schemas.Analysis) {
	defer func() {
		if p := recover(); p != nil {
			l.log.Error("the analysis of a session panicked", "session_id", s.SessionID, "panic", p)
			c := *a
			c.RunID = run
			out = &c
		}
	}()
	return k.analyseAs(l.base(), s.Transcript(), run)
}

// hideShown adds rows for sessions whose start has moved to another run: the run that shows the old row gets one of the
// new state too, judged as it judges, whose start it is not active for. It gives the number of rows added at the end.
func (l *Live) hideShown(ctx context.Context, k *known, b *warehouse.Batch) (int, error) {
	if len(k.switches) == 0 || len(b.Analyses) == 0 {
		return 0, nil
	}
	ids := make([]string, len(b.Analyses))
	for i, a := range b.Analyses {
		ids[i] = a.SessionID
	}
	rows, err := l.w.RunRows(ctx, ids)
	if err != nil {
		return 0, err
	}
	n := len(b.Analyses)
	for i, a := range b.Analyses[:n] {
		for _, r := range rows[a.SessionID] {
			if r.RunID != a.RunID && k.switches.Run(r.StartedAt) == r.RunID {
				b.Analyses = append(b.Analyses, l.again(k, b.States[i], a, r.RunID))
			}
		}
	}
	return len(b.Analyses) - n, nil
}

// Forgotten says, by what is known since the last write or Refresh, whether a session may not be stored. The customer may
// be empty.
func (l *Live) Forgotten(sessionID, customer string) bool {
	return l.isForgotten(l.known.Load(), sessionID, customer)
}

// What a masked message that could not be decoded says of whom it is about.
var (
	rawCustomer = regexp.MustCompile(`cu_[0-9a-f]{32}`)
	rawSession  = regexp.MustCompile(`"session_id"\s*:\s*"((?:[^"\\]|\\.)*)"`)
)

// isForgottenRaw says whether a dead letter is of a forgotten customer, as far as its text shows.
func (l *Live) isForgottenRaw(k *known, raw string) bool {
	for _, c := range rawCustomer.FindAllString(raw, -1) {
		if k.customers[c] {
			return true
		}
	}
	for _, m := range rawSession.FindAllStringSubmatch(raw, -1) {
		id, err := strconv.Unquote(`"` + m[1] + `"`)
		if err != nil {
			id = m[1]
		}
		if l.isForgotten(k, id, "") {
			return true
		}
	}
	return false
}

// isForgotten says whether a session may not be stored.
func (l *Live) isForgotten(k *known, id, customer string) bool {
	return customer != "" && k.customers[customer] || len(k.sessions) > 0 && k.sessions[forget.Hash(l.key, id)]
}

// dropForgotten takes what belongs to forgotten customers out of a batch. Turns of a session may have been stored before
// a message named its customer: they go then.
func (l *Live) dropForgotten(ctx context.Context, k *known, b *warehouse.Batch) error {
	if len(k.customers)+len(k.sessions) == 0 {
		return nil
	}
	before := len(b.States) + len(b.Analyses) + len(b.Orders) + len(b.Ratings) + len(b.DeadLetters)
	gone := map[string]bool{}
	for _, a := range b.Analyses {
		if l.isForgotten(k, a.SessionID, a.Meta.CustomerID) {
			gone[a.SessionID] = true
		}
	}
	b.States = slices.DeleteFunc(b.States, func(s *assemble.State) bool {
		return gone[s.SessionID] || l.isForgotten(k, s.SessionID, s.Meta.CustomerID)
	})
	b.Analyses = slices.DeleteFunc(b.Analyses, func(a *schemas.Analysis) bool { return gone[a.SessionID] })
	b.Orders = slices.DeleteFunc(b.Orders, func(o schemas.Order) bool { return k.customers[o.CustomerID] })
	b.Ratings = slices.DeleteFunc(b.Ratings, func(r schemas.Rating) bool { return l.isForgotten(k, r.SessionID, "") })
	b.DeadLetters = slices.DeleteFunc(b.DeadLetters, func(d warehouse.DeadLetter) bool { return l.isForgottenRaw(k, d.RawMasked) })
	if n := before - len(b.States) - len(b.Analyses) - len(b.Orders) - len(b.Ratings) - len(b.DeadLetters); n > 0 {
		l.dropped.Add(int64(n))
		l.log.Info("messages of forgotten customers were not taken", "rows", n)
	}
	var fresh []string // not yet known to be forgotten
	for id := range gone {
		if !k.sessions[forget.Hash(l.key, id)] {
			fresh = append(fresh, id)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	slices.Sort(fresh)
	return forget.Sessions(ctx, l.w, l.key, fresh)
}

// eraseForgotten removes what a batch wrote of customers who were forgotten while it was written.
func (l *Live) eraseForgotten(ctx context.Context, k *known, b *warehouse.Batch) error {
	sessions, customers := map[string]bool{}, map[string]bool{}
	for _, a := range b.Analyses {
		if l.isForgotten(k, a.SessionID, a.Meta.CustomerID) {
			sessions[a.SessionID] = true
		}
	}
	for i := range b.Ratings {
		if l.isForgotten(k, b.Ratings[i].SessionID, "") {
			sessions[b.Ratings[i].SessionID] = true
		}
	}
	for i := range b.Orders {
		if k.customers[b.Orders[i].CustomerID] {
			customers[b.Orders[i].CustomerID] = true
		}
	}
	if len(sessions) > 0 {
		if err := forget.Sessions(ctx, l.w, l.key, sortedKeys(sessions)); err != nil {
			return err
		}
	}
	if len(customers) > 0 {
		_, err := l.w.Erase(ctx, nil, sortedKeys(customers))
		return err
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// run gives the run that is active for a session.
func (k *known) run(t *schemas.Transcript) uint64 { return k.switches.Run(analyse.StartedAt(t)) }

// sweepSince is how far back sessions without a customer are looked at: a writer that was killed between its write and the
// look after it leaves them, and another takes over within seconds.
const sweepSince = 24 * time.Hour

// sweep removes what is stored of forgotten customers and gives the number of sessions.
func (l *Live) sweep(ctx context.Context, k *known) (int, error) {
	if len(k.customers)+len(k.sessions) == 0 {
		return 0, nil
	}
	gone := map[string]bool{}
	if len(k.customers) > 0 {
		for part := range slices.Chunk(sortedKeys(k.customers), 1000) {
			ids, err := l.w.SessionsOfCustomers(ctx, part)
			if err != nil {
				return 0, err
			}
			for _, id := range ids {
				gone[id] = true
			}
		}
	}
	recent, err := l.w.RecentSessions(ctx, time.Now().Add(-sweepSince))
	if err != nil {
		return 0, err
	}
	for _, id := range recent {
		if l.isForgotten(k, id, "") {
			gone[id] = true
		}
	}
	if len(k.customers) > 0 { // their orders
		if _, err := l.w.Erase(ctx, nil, sortedKeys(k.customers)); err != nil {
			return 0, err
		}
	}
	if len(gone) == 0 {
		return 0, nil
	}
	return len(gone), forget.Sessions(ctx, l.w, l.key, sortedKeys(gone))
}
