package warehouse

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/schemas"
)

// random makes values of every kind, the awkward ones often.
type random struct{ *rand.Rand }

func (r random) text() string {
	words := []string{"", "你好", "退款！", "it's", `back\slash`, "tab\tline\n", "😀", "\x00", "”“‘", "SELECT 1;--", "[电话1]", strings.Repeat("长", 300)}
	return words[r.IntN(len(words))] + words[r.IntN(len(words))]
}

func (r random) time() time.Time {
	switch r.IntN(4) {
	case 0:
		return time.Time{}
	case 1:
		return []time.Time{time.UnixMilli(0), time.UnixMilli(1), time.Date(2261, 12, 31, 23, 59, 59, 999e6, time.UTC)}[r.IntN(3)].UTC()
	}
	return time.UnixMilli(r.Int64N(2e12)).UTC()
}

func some[T any](r random, f func() T) schemas.Opt[T] {
	if r.IntN(3) == 0 {
		return schemas.Opt[T]{}
	}
	return schemas.Some(f())
}

func (r random) attributes() map[string]string {
	if r.IntN(2) == 0 {
		return nil
	}
	m := map[string]string{}
	for range 1 + r.IntN(3) {
		m[r.text()+fmt.Sprint(r.IntN(9))] = r.text()
	}
	return m
}

func (r random) element(kind assemble.Kind) assemble.Element {
	return assemble.Element(r.Uint64()|1<<20)&^3 | assemble.Element(kind)
}

func (r random) state(id string) *assemble.State {
	s := &assemble.State{SessionID: id, Revision: uint16(r.IntN(3) * 30_000)}
	for range r.IntN(12) {
		s.Seen = append(s.Seen, r.element(assemble.Kind(r.IntN(4))))
	}
	slices.Sort(s.Seen)
	if r.IntN(3) > 0 {
		s.MetaHash = r.element(assemble.KindMeta)
		s.Meta = schemas.Meta{SessionID: id, Revision: int(s.Revision), UpdatedAt: r.time(), Channel: r.text(), Source: r.text(), Shop: r.text(), Business: r.text(),
			SkillGroup: r.text(), Product: r.text(), CustomerID: r.text(), AgentID: r.text(), AgentName: r.text(), Team: r.text(),
			StartedAt: r.time(), EndedAt: r.time(), MediaURL: r.text(), Attributes: r.attributes(), Repairs: schemas.Repair(r.IntN(16))}
	}
	if r.IntN(2) > 0 {
		s.EndAt, s.EndHash = r.time(), r.element(assemble.KindEnd)
	}
	for range r.IntN(9) {
		s.Turns = append(s.Turns, assemble.Turn{
			Turn: schemas.Turn{Seq: some(r, r.Int64), Role: []schemas.Role{schemas.Customer, schemas.Agent, schemas.Bot, schemas.System}[r.IntN(4)],
				AgentID: r.text(), Text: r.text(), At: r.time(), StartMS: some(r, r.Int64), EndMS: some(r, r.Int64), Confidence: some(r, r.Float64),
				Auto: r.IntN(2) == 0, Revision: r.IntN(1 << 40), Attributes: r.attributes(), Repairs: schemas.Repair(r.IntN(16))},
			Key: schemas.TurnKey(r.text()), Hash: r.element(assemble.KindTurn), OrderAt: r.time(), Position: int32(r.Uint32()),
		})
	}
	s.Truncated = r.IntN(5) == 0
	s.Origin = schemas.Origin{Topic: r.text(), Partition: int32(r.IntN(9)), OffsetMin: r.Int64(), OffsetMax: r.Int64()}
	return s
}

func TestStatesComeBackAsTheyWere(t *testing.T) {
	ctx := context.Background()
	w := migrated(t)
	for seed := range uint64(4) {
		r := random{rand.New(rand.NewPCG(seed, 1))}
		states := map[string]*assemble.State{}
		var batch Batch
		var ids []string
		for i := range 500 {
			id := fmt.Sprintf("%d-%d-%s", seed, i, r.text())
			states[id] = r.state(id)
			batch.States = append(batch.States, states[id])
			ids = append(ids, id)
		}
		if err := w.Write(ctx, batch); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, "unknown", "", "'); DROP TABLE transcripts; --")
		got, err := w.LoadStates(ctx, ids)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(states) {
			t.Fatalf("%d states came back, want %d", len(got), len(states))
		}
		versions, err := w.StoredVersions(ctx, ids)
		if err != nil {
			t.Fatal(err)
		}
		for id, want := range states {
			if !reflect.DeepEqual(got[id], want) {
				t.Fatalf("seed %d, session %q:\ngot  %+v\nwant %+v", seed, id, got[id], want)
			}
			if v := versions[id]; v.Version != want.Version() || !slices.Equal(v.Seen, want.Seen) {
				t.Fatalf("seed %d, session %q: version %d with %d elements, want %d with %d", seed, id, v.Version, len(v.Seen), want.Version(), len(want.Seen))
			}
		}
	}
}

func TestTheGreaterVersionWins(t *testing.T) {
	ctx := context.Background()
	w := migrated(t)
	state := func(revision uint16, seen int) *assemble.State {
		s := &assemble.State{SessionID: "s", Revision: revision}
		for i := range seen {
			s.Seen = append(s.Seen, assemble.Element(4*i+4))
		}
		return s
	}
	analysis := func(version uint64, text string) *schemas.Analysis {
		return &schemas.Analysis{SessionID: "s", Version: version, Closed: true, EmotionEnd: text}
	}
	for _, b := range []Batch{
		{States: []*assemble.State{state(1, 3)}, Analyses: []*schemas.Analysis{analysis(30, "new")}},
		{States: []*assemble.State{state(0, 9)}, Analyses: []*schemas.Analysis{analysis(29, "old")}}, // a zombie
		{States: []*assemble.State{state(1, 2)}, Analyses: []*schemas.Analysis{analysis(10, "older")}},
	} {
		if err := w.Write(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	check := func() {
		t.Helper()
		v, err := w.StoredVersions(ctx, []string{"s"})
		if err != nil {
			t.Fatal(err)
		}
		if v["s"].Version != 1<<20|3 {
			t.Errorf("version %x, want 100003", v["s"].Version)
		}
		if got := one[string](t, w, "SELECT emotion_end FROM sessions"); got != "new" {
			t.Errorf("the %s analysis is shown", got)
		}
		states, err := w.LoadStates(ctx, []string{"s"})
		if err != nil || len(states) != 1 || !reflect.DeepEqual(states["s"], state(1, 3)) {
			t.Errorf("states %+v, %v", states, err)
		}
		a, err := w.AnalysisVersions(ctx, []string{"s", "t"})
		if want := map[string][]AnalysisVersion{"s": {{0, 30}}}; err != nil || !reflect.DeepEqual(a, want) {
			t.Errorf("analyses %v, %v, want %v", a, err, want)
		}
	}
	check()
	mustExec(t, w, "OPTIMIZE TABLE transcripts FINAL", "OPTIMIZE TABLE analyses FINAL")
	check()
}

func TestStatesOfOneVersionAreJoined(t *testing.T) {
	ctx := context.Background()
	w := migrated(t)
	for _, seen := range [][]assemble.Element{{4, 8}, {4, 12}} {
		if err := w.Write(ctx, Batch{States: []*assemble.State{{SessionID: "s", Seen: seen}}}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := w.LoadStates(ctx, []string{"s"})
	if err != nil || !slices.Equal(got["s"].Seen, []assemble.Element{4, 8, 12}) {
		t.Errorf("seen %v, %v, want what either has", got["s"].Seen, err)
	}
}

// TestATranscriptIsTheLastThingWritten: a write that dies before the end leaves no transcript, so that a replay finds
// the session missing and writes it again. A transcript without its analysis would never be mended.
func TestATranscriptIsTheLastThingWritten(t *testing.T) {
	w := migrated(t)
	ctx := context.Background()
	state := random{rand.New(rand.NewPCG(3, 1))}.state("s")
	batch := Batch{States: []*assemble.State{state}, Analyses: []*schemas.Analysis{{SessionID: "s", Version: state.Version() << 28}}}
	mustExec(t, w, "RENAME TABLE analyses TO analyses_away")
	if err := w.Write(ctx, batch); err == nil {
		t.Fatal("a write without the table of analyses succeeded")
	}
	if n := one[uint64](t, w, "SELECT count() FROM transcripts"); n != 0 {
		t.Fatalf("%d transcripts are stored although their analysis is not", n)
	}
	mustExec(t, w, "RENAME TABLE analyses_away TO analyses")
	if err := w.Write(ctx, batch); err != nil {
		t.Fatal(err)
	}
	if n := one[uint64](t, w, "SELECT count() FROM transcripts"); n != 1 {
		t.Fatalf("%d transcripts after the replay, want 1", n)
	}
}

func TestOrdersAndRatingsDoNotDependOnArrival(t *testing.T) { checkOrdersAndRatings(t, 6, 2) }

// checkOrdersAndRatings writes them in so many orders, and compares all views after the first ones, those of orders and
// ratings after each.
func checkOrdersAndRatings(t *testing.T, seeds, whole uint64) {
	t.Helper()
	ctx := context.Background()
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	orders := []schemas.Order{
		{OrderID: "a", Shop: "x", Status: "created", UpdatedAt: at, Amount: "10.50"},
		{OrderID: "a", Shop: "x", Status: "paid", UpdatedAt: at, Amount: "10.50"},                 // the same time, a higher rank
		{OrderID: "a", Shop: "x", Status: "created", UpdatedAt: at.Add(-time.Hour), Amount: "99"}, // late
		{OrderID: "b", Shop: "x", Status: "paid", UpdatedAt: at, Amount: "1", Attributes: map[string]string{"k": "1", "a": "2", "z": "3"}},
		{OrderID: "b", Shop: "x", Status: "paid", UpdatedAt: at, Amount: "2"}, // only the content differs
		{OrderID: "c", Shop: "x", Status: "refunded", UpdatedAt: at, Amount: "99999999999999.9999", RefundAmount: "-0.0001",
			Items: []schemas.OrderItem{{SKU: "1", Name: "面膜A", Qty: 2, Price: "5"}, {Qty: 1}}},
	}
	ratings := []schemas.Rating{
		{SessionID: "s", Score: 5, Max: 5, At: at}, {SessionID: "s", Score: 1, Max: 5, At: at.Add(time.Second), Comment: "差"},
		{SessionID: "t", Score: 5, Max: 5, At: at}, {SessionID: "t", Score: 4, Max: 5, At: at}, {SessionID: "u", Score: 3, Max: 5},
	}
	var first Tables
	for seed := range seeds {
		w := migrated(t)
		r := rand.New(rand.NewPCG(seed, 2))
		for range 2 { // twice: a replay
			r.Shuffle(len(orders), func(i, j int) { orders[i], orders[j] = orders[j], orders[i] })
			r.Shuffle(len(ratings), func(i, j int) { ratings[i], ratings[j] = ratings[j], ratings[i] })
			cut := r.IntN(len(orders))
			for _, b := range []Batch{{Orders: orders[:cut], Ratings: ratings[:2]}, {Orders: orders[cut:], Ratings: ratings[2:]}} {
				if err := w.Write(ctx, b); err != nil {
					t.Fatal(err)
				}
			}
		}
		if seed >= whole {
			for view, key := range map[string]string{"orders": "order_id", "ratings": "session_id"} {
				got := one[[]string](t, w, "SELECT groupArray(row) FROM (SELECT formatRowNoNewline('JSONEachRow', *) AS row FROM "+view+" ORDER BY "+key+")")
				if !slices.Equal(got, first[view]) {
					t.Errorf("seed %d: the order of arrival shows in %s: %s, want %s", seed, view, got, first[view])
				}
			}
			continue
		}
		got, err := w.Snapshot(ctx, true)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got
			want := []string{`{"order_id":"a","shop":"x","status":"paid","updated_at":"2026-03-01 10:00:00.000","customer_id":"","agent_id":"","created_at":null,"paid_at":null,"amount":10.5,"items":[],"refund_amount":null,"attributes":{}}`}
			if !slices.Equal(got["orders"][:1], want) {
				t.Errorf("orders %s, want %s", got["orders"], want)
			}
			if want := `"amount":99999999999999.9999,"items":[{"sku":"1","name":"面膜A","qty":2,"price":5},{"sku":"","name":"","qty":1,"price":null}],"refund_amount":-0.0001`; !strings.Contains(got["orders"][2], want) {
				t.Errorf("order c is %s, want %s in it", got["orders"][2], want)
			}
			if n := len(got["ratings"]); n != 3 || !strings.Contains(got["ratings"][0], `"score":1`) {
				t.Errorf("%d ratings, want 3, that of s the later one: %s", n, got["ratings"])
			}
		} else if d := first.Diff(got); d != "" {
			t.Errorf("seed %d: the order of arrival shows:\n%s", seed, d)
		}
	}
}

func TestWriteRefusesWhatIsNoMoney(t *testing.T) {
	w := migrated(t)
	for _, amount := range []string{"ten", "100000000000000", "0.00001", "1e300"} {
		err := w.Write(context.Background(), Batch{Orders: []schemas.Order{{OrderID: "o1", Status: "paid", UpdatedAt: time.Now(), Amount: amount}}})
		if err == nil || !strings.Contains(err.Error(), `order "o1": amount`) || IsTransient(err) {
			t.Errorf("amount %q: error %v (transient: %v)", amount, err, IsTransient(err))
		}
	}
}

func TestLargeBatchesAreCut(t *testing.T) {
	in := &inserter[int]{bytes: func(n *int) int { return *n }}
	f := func(want []int, sizes ...int) {
		t.Helper()
		var got []int
		for rows := pointers(sizes); len(rows) > 0; {
			n := in.piece(rows)
			got = append(got, n)
			rows = rows[n:]
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v is cut into pieces of %v rows, want %v", sizes, got, want)
		}
	}
	f(nil)
	f([]int{3}, 1, 2, 3)
	f([]int{1, 1, 2}, maxInsertBytes, maxInsertBytes*2, 1, 1) // one row is never cut
	f([]int{2, 1}, maxInsertBytes-1, 1, 1)
	f([]int{maxInsertRows, 5}, make([]int, maxInsertRows+5)...)

	ctx := context.Background()
	w := migrated(t)
	var b Batch
	text := strings.Repeat("字", 1<<18) // 768 KiB
	for i := range 50 {
		b.States = append(b.States, &assemble.State{SessionID: fmt.Sprint(i), Seen: []assemble.Element{4}, Turns: []assemble.Turn{{Turn: schemas.Turn{Role: schemas.Customer, Text: text}}}})
	}
	if err := w.Write(ctx, b); err != nil {
		t.Fatal(err)
	}
	if n := one[uint64](t, w, "SELECT sum(lengthUTF8(turn_text[1])) FROM transcripts"); n != 50<<18 {
		t.Errorf("%d characters are stored, want %d", n, 50<<18)
	}
}

func TestConcurrentWrites(t *testing.T) {
	ctx := context.Background()
	w := migrated(t)
	errs := make(chan error)
	const writers, each = 4, 50
	for g := range writers {
		go func() {
			var err error
			for round := range 3 {
				var b Batch
				for i := range each {
					a := sample(fmt.Sprint(g, "-", i))
					a.Version = uint64(round + 1)
					b.Analyses = append(b.Analyses, a)
					b.States = append(b.States, &assemble.State{SessionID: a.SessionID, Seen: make([]assemble.Element, round+1)})
				}
				if e := w.Write(ctx, b); e != nil {
					err = e
				}
			}
			errs <- err
		}()
	}
	for range writers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := one[uint64](t, w, "SELECT countIf(turns = 3 AND length(agent_ids) = 2) FROM sessions"); n != writers*each {
		t.Errorf("%d sessions are whole, want %d", n, writers*each)
	}
}
