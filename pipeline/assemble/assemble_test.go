package assemble

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/schemas"
)

var testHasher = NewHasher([]byte("a key of a test"))

var t0 = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func at(sec int) time.Time { return t0.Add(time.Duration(sec) * time.Second) }

// starMask stands for the real masker: it replaces digits.
func starMask(m *schemas.Message) {
	star := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return '*'
			}
			return r
		}, s)
	}
	if m.Session != nil {
		m.Session.CustomerID = star(m.Session.CustomerID)
		for i := range m.Session.Turns {
			m.Session.Turns[i].Text = star(m.Session.Turns[i].Text)
		}
	}
	if m.Turn != nil {
		m.Turn.Text = star(m.Turn.Text)
	}
}

// randomWorld makes messages of one session that collide in every way: repeated keys, turn and session revisions,
// turns with and without seq and time, whole sessions, meta data, ends.
func randomWorld(rng *rand.Rand, n int) []func() *schemas.Message {
	turn := func(seq, times bool) schemas.Turn {
		t := schemas.Turn{Role: schemas.Customer, Text: fmt.Sprintf("第%d句", rng.IntN(6)), Revision: rng.IntN(3) / 2}
		if rng.IntN(2) == 0 {
			t.Role, t.AgentID = schemas.Agent, fmt.Sprintf("a%d", rng.IntN(2))
		}
		if seq {
			t.Seq = schemas.Some(int64(rng.IntN(12)))
		}
		switch {
		case times && rng.IntN(3) > 0:
			t.At = at(rng.IntN(6))
		case rng.IntN(3) == 0:
			t.StartMS = schemas.Some(int64(rng.IntN(4) * 1000))
		}
		if rng.IntN(8) == 0 {
			t.Repairs = schemas.RepairNUL
		}
		if rng.IntN(8) == 0 {
			t.Attributes = map[string]string{"k": fmt.Sprint(rng.IntN(3)), "l": "1"}
		}
		return t
	}
	revision := func() int { return max(0, rng.IntN(6)-3) }
	var world []func() *schemas.Message
	for range n {
		switch rng.IntN(8) {
		case 0, 1, 2:
			m := schemas.LiveTurn{SessionID: "s", SessionRevision: revision(), Turn: turn(true, true)}
			world = append(world, func() *schemas.Message {
				c := m
				return &schemas.Message{Type: schemas.TypeTurn, Turn: &c}
			})
		case 3:
			m := schemas.LiveTurn{SessionID: "s", SessionRevision: revision(), Turn: turn(false, true)}
			if m.At.IsZero() {
				m.StartMS = schemas.Some(int64(rng.IntN(4) * 1000))
			}
			world = append(world, func() *schemas.Message {
				c := m
				return &schemas.Message{Type: schemas.TypeTurn, Turn: &c}
			})
		case 4, 5:
			m := schemas.Session{Meta: schemas.Meta{SessionID: "s", Revision: revision(), Shop: fmt.Sprintf("店%d", rng.IntN(3))}}
			if rng.IntN(2) == 0 {
				m.UpdatedAt = at(rng.IntN(4))
			}
			seq, times := rng.IntN(2) == 0, rng.IntN(2) == 0
			for range rng.IntN(7) {
				m.Turns = append(m.Turns, turn(seq && rng.IntN(5) > 0, times))
			}
			if rng.IntN(2) == 0 {
				m.EndedAt = at(rng.IntN(9))
			}
			world = append(world, func() *schemas.Message {
				c := m
				c.Turns = append([]schemas.Turn(nil), m.Turns...)
				return &schemas.Message{Type: schemas.TypeSession, Session: &c}
			})
		case 6:
			m := schemas.End{SessionID: "s", SessionRevision: revision()}
			if rng.IntN(2) == 0 {
				m.At = at(rng.IntN(9))
			}
			world = append(world, func() *schemas.Message {
				c := m
				return &schemas.Message{Type: schemas.TypeEnd, End: &c}
			})
		case 7:
			r := revision()
			world = append(world, func() *schemas.Message {
				return nil // stands for a synthetic end
			})
			last := len(world) - 1
			world[last] = func() *schemas.Message {
				return &schemas.Message{Type: "synthetic", End: &schemas.End{SessionRevision: r}}
			}
		}
	}
	return world
}

func stateOf(m *schemas.Message) *State {
	if m.Type == "synthetic" {
		return SyntheticEnd("s", uint16(m.End.SessionRevision))
	}
	return FromMessage(testHasher, starMask, m)
}

func fold(world []func() *schemas.Message, order []int) *State {
	s := &State{SessionID: "s"}
	for _, i := range order {
		s.Add(stateOf(world[i]()))
	}
	return s
}

func mustEqual(t *testing.T, what string, got, want *State) {
	t.Helper()
	if !reflect.DeepEqual(normal(got), normal(want)) {
		t.Fatalf("%s differ:\n got %+v\nwant %+v", what, got, want)
	}
	if !reflect.DeepEqual(got.Transcript(), want.Transcript()) {
		t.Fatalf("%s: transcripts differ:\n got %+v\nwant %+v", what, got.Transcript(), want.Transcript())
	}
}

// normal makes empty and nil slices alike.
func normal(s *State) *State {
	c := s.Clone()
	c.Origin = schemas.Origin{}
	if len(c.Turns) == 0 {
		c.Turns = nil
	}
	if len(c.Seen) == 0 {
		c.Seen = nil
	}
	return c
}

// withLimits runs a test with small bounds, so that cutting is part of what the properties cover.
func withLimits(t *testing.T, turns, seen int) {
	oldTurns, oldSeen := maxTurns, maxSeen
	maxTurns, maxSeen = turns, seen
	t.Cleanup(func() { maxTurns, maxSeen = oldTurns, oldSeen })
}

func TestUnionProperties(t *testing.T) {
	for _, limits := range [][2]int{{schemas.MaxTurns, 1<<20 - 1}, {7, 1<<20 - 1}, {3, 1<<20 - 1}, {5, 9}} {
		t.Run(fmt.Sprintf("turns=%d,seen=%d", limits[0], limits[1]), func(t *testing.T) {
			withLimits(t, limits[0], limits[1])
			for seed := range uint64(400) {
				rng := rand.New(rand.NewPCG(seed, 7))
				world := randomWorld(rng, 1+rng.IntN(25))
				want := fold(world, rng.Perm(len(world)))
				checkForm(t, want)

				order := rng.Perm(len(world))
				for range rng.IntN(10) { // repeated deliveries
					order = append(order, rng.IntN(len(world)))
				}
				got := fold(world, order)
				mustEqual(t, fmt.Sprintf("seed %d: orders", seed), got, want)

				states := make([]*State, len(order))
				for i, o := range order {
					states[i] = stateOf(world[o]())
				}
				mustEqual(t, fmt.Sprintf("seed %d: fold", seed), Fold(states), want)

				// Any split over workers, with overlap, joined in any order as a tree.
				workers := make([]*State, 1+rng.IntN(4))
				for i := range workers {
					workers[i] = &State{SessionID: "s"}
				}
				for _, i := range order {
					workers[rng.IntN(len(workers))].Add(stateOf(world[i]()))
				}
				for len(workers) > 1 {
					i := rng.IntN(len(workers) - 1)
					a, b := workers[i], workers[i+1]
					ka, kb := a.Clone(), b.Clone()
					u := Union(a, b)
					mustEqual(t, "union changed its input a", a, ka)
					mustEqual(t, "union changed its input b", b, kb)
					mustEqual(t, fmt.Sprintf("seed %d: commuted union", seed), Union(b, a), u)
					workers = append(append(workers[:i:i], u), workers[i+2:]...)
				}
				mustEqual(t, fmt.Sprintf("seed %d: split over workers", seed), workers[0], want)
				mustEqual(t, fmt.Sprintf("seed %d: idempotence", seed), Union(want, want), want)
				if limits[1] < 100 {
					continue // a full seen set cannot tell what it has seen
				}
				if !want.Contains(got) || !got.Contains(want) {
					t.Fatalf("seed %d: equal states do not contain each other", seed)
				}
				// A prefix holds less, and says so by its version.
				prefix := &State{SessionID: "s"}
				for _, i := range order {
					m := stateOf(world[i]())
					known, version := prefix.Contains(m), prefix.Version()
					changed := prefix.Add(m.Clone())
					if changed == known {
						t.Fatalf("seed %d: contains %v but changed %v", seed, known, changed)
					}
					if changed && prefix.Version() <= version || !changed && prefix.Version() != version {
						t.Fatalf("seed %d: version %d -> %d, changed %v", seed, version, prefix.Version(), changed)
					}
					if !prefix.Contains(m) || !want.Contains(prefix) {
						t.Fatalf("seed %d: a prefix is not contained", seed)
					}
				}
			}
		})
	}
}

// checkForm checks what every State promises.
func checkForm(t *testing.T, s *State) {
	t.Helper()
	for i := 1; i < len(s.Seen); i++ {
		if s.Seen[i-1] >= s.Seen[i] {
			t.Fatalf("seen is not sorted: %v", s.Seen)
		}
	}
	keys := map[schemas.TurnKey]bool{}
	for i := range s.Turns {
		if keys[s.Turns[i].Key] {
			t.Fatalf("key %s twice", s.Turns[i].Key)
		}
		keys[s.Turns[i].Key] = true
		if i > 0 && compareTurns(&s.Turns[i-1], &s.Turns[i]) >= 0 {
			t.Fatalf("turns %d and %d are out of order", i-1, i)
		}
	}
	if len(s.Turns) > maxTurns || len(s.Seen) > maxSeen {
		t.Fatalf("%d turns, %d seen: over the limits", len(s.Turns), len(s.Seen))
	}
	tr := s.Transcript()
	for i := range tr.Turns {
		if !tr.Turns[i].Seq.OK || i > 0 && tr.Turns[i-1].Seq.V >= tr.Turns[i].Seq.V {
			t.Fatalf("transcript turn %d has seq %v", i, tr.Turns[i].Seq)
		}
	}
	for i := 1; i < len(tr.Notes); i++ {
		a, b := tr.Notes[i-1], tr.Notes[i]
		if a.What > b.What || a.What == b.What && a.Why >= b.Why {
			t.Fatalf("notes are not sorted: %v", tr.Notes)
		}
	}
}

func FuzzUnion(f *testing.F) {
	for _, n := range []uint64{1, 99, 1 << 40} {
		f.Add(n, uint8(12), uint8(6))
	}
	f.Fuzz(func(t *testing.T, seed uint64, n, limit uint8) {
		withLimits(t, max(1, int(limit)), 1<<20-1)
		rng := rand.New(rand.NewPCG(seed, 8))
		world := randomWorld(rng, int(n))
		want := fold(world, rng.Perm(len(world)))
		checkForm(t, want)
		mustEqual(t, "orders", fold(world, rng.Perm(len(world))), want)
	})
}

func TestIdentity(t *testing.T) {
	turns := []schemas.Turn{
		{Seq: schemas.Some(int64(1)), Role: schemas.Customer, Text: "电话13800000000", At: at(1)},
		{Seq: schemas.Some(int64(2)), Role: schemas.Agent, Text: "好的"}, // inherits a time in the session, has none alone
	}
	whole := func() *State {
		return FromMessage(testHasher, starMask, &schemas.Message{Session: &schemas.Session{
			Meta: schemas.Meta{SessionID: "s", EndedAt: at(9)}, Turns: append([]schemas.Turn(nil), turns...)}})
	}
	live := &State{SessionID: "s"}
	for _, turn := range turns {
		live.Add(FromMessage(testHasher, starMask, &schemas.Message{Turn: &schemas.LiveTurn{SessionID: "s", Turn: turn}}))
	}
	live.Add(FromMessage(testHasher, nil, &schemas.Message{Session: &schemas.Session{Meta: schemas.Meta{SessionID: "s", EndedAt: at(9)}}}))
	live.Add(FromMessage(testHasher, nil, &schemas.Message{End: &schemas.End{SessionID: "s", At: at(9)}}))
	mustEqual(t, "live and whole", live, whole())
	if got := whole().Turns[0].Text; got != "电话***********" {
		t.Errorf("text is %q, not masked", got)
	}

	// The identity is that of the unmasked content: two texts that mask alike are two messages.
	a := FromMessage(testHasher, starMask, &schemas.Message{Turn: &schemas.LiveTurn{SessionID: "s", Turn: schemas.Turn{Role: schemas.Customer, Text: "1", At: at(1)}}})
	b := FromMessage(testHasher, starMask, &schemas.Message{Turn: &schemas.LiveTurn{SessionID: "s", Turn: schemas.Turn{Role: schemas.Customer, Text: "2", At: at(1)}}})
	if a.Seen[0] == b.Seen[0] || a.Turns[0].Key == b.Turns[0].Key || a.Turns[0].Text != b.Turns[0].Text {
		t.Errorf("masked alike, sent differently: %+v %+v", a.Turns[0], b.Turns[0])
	}
	// Another key is another deployment.
	c := FromMessage(NewHasher([]byte("other")), starMask, &schemas.Message{Turn: &schemas.LiveTurn{SessionID: "s", Turn: schemas.Turn{Role: schemas.Customer, Text: "1", At: at(1)}}})
	if a.Seen[0] == c.Seen[0] || a.Turns[0].Key == c.Turns[0].Key {
		t.Error("the key does not take part in identities")
	}
	if FromMessage(testHasher, starMask, &schemas.Message{Order: &schemas.Order{}}) != nil {
		t.Error("an order has a session state")
	}
}

// notesOf folds messages and prints the notes as what/why=count.
func notesOf(s *State) string {
	var out []string
	for _, n := range s.Transcript().Notes {
		out = append(out, fmt.Sprintf("%s/%s=%d", n.What, n.Why, n.Count))
	}
	return strings.Join(out, " ")
}

func TestNotes(t *testing.T) {
	seq := func(n int64, sec int, text string) *State {
		turn := schemas.Turn{Seq: schemas.Some(n), Role: schemas.Customer, Text: text}
		if sec >= 0 {
			turn.At = at(sec)
		}
		return FromMessage(testHasher, nil, &schemas.Message{Turn: &schemas.LiveTurn{SessionID: "s", Turn: turn}})
	}
	end := func(sec int) *State {
		return FromMessage(testHasher, nil, &schemas.Message{End: &schemas.End{SessionID: "s", At: at(sec)}})
	}
	f := func(want string, states ...*State) {
		t.Helper()
		s := &State{SessionID: "s"}
		for _, o := range states {
			s.Add(o)
		}
		if got := notesOf(s); got != want {
			t.Errorf("notes are %q, want %q", got, want)
		}
	}
	f("", seq(1, 1, "a"), seq(2, 2, "b"), end(3))
	f("", seq(1, 1, "a"), seq(1, 1, "a"))
	f("turns/duplicate_or_superseded=1", seq(1, 1, "a"), seq(1, 2, "b"))
	f("turns/seq_gap=1", seq(1, 1, "a"), seq(3, 2, "b"))
	f("turns/clock_jump=1", seq(1, 5, "a"), seq(2, 2, "b"))
	f("turns/after_end=1", seq(1, 1, "a"), seq(2, 9, "b"), end(3))
	f("end/synthetic=1", seq(1, 1, "a"), SyntheticEnd("s", 0))
	f("", seq(1, 1, "a"), SyntheticEnd("s", 0), end(3))
	f("end/duplicate_or_superseded=1", seq(1, 1, "a"), end(2), end(3))
	f("turns/no_seq=1", seq(1, 1, "a"), FromMessage(testHasher, nil, &schemas.Message{Turn: &schemas.LiveTurn{
		SessionID: "s", Turn: schemas.Turn{Role: schemas.Agent, Text: "x", At: at(2)}}}))
	f("revision/lower_revision=1", seq(1, 1, "a"), FromMessage(testHasher, nil, &schemas.Message{Turn: &schemas.LiveTurn{
		SessionID: "s", SessionRevision: 2, Turn: schemas.Turn{Seq: schemas.Some(int64(1)), Role: schemas.Agent, Text: "x"}}}))
	mended := schemas.Turn{Seq: schemas.Some(int64(1)), Role: schemas.Agent, Text: "x", Repairs: schemas.RepairUTF8 | schemas.RepairTime}
	f("meta/nul_bytes=1 turns/invalid_utf8=1 turns/time_out_of_range=1", FromMessage(testHasher, nil, &schemas.Message{Session: &schemas.Session{
		Meta: schemas.Meta{SessionID: "s", Repairs: schemas.RepairNUL}, Turns: []schemas.Turn{mended}}}))
	withLimits(t, 1, maxSeen)
	f("turns/truncated=1", seq(1, 1, "a"), seq(2, 2, "b"))
}

func TestFinalOrder(t *testing.T) {
	f := func(want string, turns ...schemas.Turn) {
		t.Helper()
		s := FromMessage(testHasher, nil, &schemas.Message{Session: &schemas.Session{Meta: schemas.Meta{SessionID: "s"}, Turns: turns}})
		var got []string
		for _, x := range s.Transcript().Turns {
			got = append(got, fmt.Sprintf("%d%s", x.Seq.V, x.Text))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("order is %q, want %q", strings.Join(got, " "), want)
		}
	}
	turn := func(text string, seq int64, sec int, start int64) schemas.Turn {
		x := schemas.Turn{Role: schemas.Customer, Text: text}
		if seq >= 0 {
			x.Seq = schemas.Some(seq)
		}
		if sec >= 0 {
			x.At = at(sec)
		}
		if start >= 0 {
			x.StartMS = schemas.Some(start)
		}
		return x
	}
	f("1a 2b 3c", turn("a", -1, -1, -1), turn("b", -1, -1, -1), turn("c", -1, -1, -1))
	f("1a 2a 3a", turn("a", -1, -1, -1), turn("a", -1, -1, -1), turn("a", -1, -1, -1))
	f("3b 7a 8c", turn("a", 7, -1, -1), turn("b", 3, -1, -1), turn("c", -1, 1, -1))
	f("1b 2a", turn("a", -1, 2, -1), turn("b", -1, 1, -1))
	f("1a 2b 3c", turn("a", -1, 1, -1), turn("b", -1, -1, -1), turn("c", -1, 2, -1))
	f("1b 2a 3c", turn("a", -1, -1, 500), turn("b", -1, -1, 100), turn("c", -1, -1, -1))
	f("0a 1b", turn("b", -1, -1, -1), turn("a", 0, -1, -1))
	f("")
}

// A whole session knows the places of turns with equal times; live turns with them only the time.
func TestWholeSessionPlacesLiveTurns(t *testing.T) {
	var turns []schemas.Turn
	for i := range 20 {
		turns = append(turns, schemas.Turn{Role: schemas.Customer, Text: fmt.Sprint("句", i), At: at(1)})
	}
	s := &State{SessionID: "s"}
	for i := range turns {
		s.Add(FromMessage(testHasher, nil, &schemas.Message{Turn: &schemas.LiveTurn{SessionID: "s", Turn: turns[i]}}))
	}
	s.Add(FromMessage(testHasher, nil, &schemas.Message{Session: &schemas.Session{Meta: schemas.Meta{SessionID: "s"}, Turns: turns}}))
	if len(s.Turns) != 20 {
		t.Fatalf("%d turns, want 20", len(s.Turns))
	}
	for i, x := range s.Transcript().Turns {
		if x.Text != fmt.Sprint("句", i) {
			t.Fatalf("turn %d is %q", i, x.Text)
		}
	}
}

func liveTurns(n int) []*State {
	out := make([]*State, n)
	for i := range out {
		out[i] = FromMessage(testHasher, nil, &schemas.Message{Turn: &schemas.LiveTurn{SessionID: "s",
			Turn: schemas.Turn{Seq: schemas.Some(int64(i)), Role: schemas.Customer, Text: "一句话", At: at(i)}}})
	}
	return out
}

func BenchmarkAddLiveTurnsInOrder(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		turns := liveTurns(schemas.MaxTurns)
		s := &State{SessionID: "s"}
		b.StartTimer()
		for _, o := range turns {
			s.Add(o)
		}
	}
}

func BenchmarkAddLiveTurnsReversed(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		turns := liveTurns(schemas.MaxTurns)
		s := &State{SessionID: "s"}
		b.StartTimer()
		for i := len(turns) - 1; i >= 0; i-- {
			s.Add(turns[i])
		}
	}
}

func BenchmarkFoldLiveTurnsReversed(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		turns := liveTurns(schemas.MaxTurns)
		slices.Reverse(turns)
		b.StartTimer()
		if s := Fold(turns); len(s.Turns) != schemas.MaxTurns {
			b.Fatal(len(s.Turns))
		}
	}
}

func BenchmarkFromMessage(b *testing.B) {
	turns := make([]schemas.Turn, 20)
	for i := range turns {
		turns[i] = schemas.Turn{Role: schemas.Customer, Text: "为什么面膜这么贵，能不能便宜一点呢", At: at(i)}
	}
	b.ReportAllocs()
	for b.Loop() {
		FromMessage(testHasher, nil, &schemas.Message{Session: &schemas.Session{Meta: schemas.Meta{SessionID: "s"}, Turns: turns}})
	}
}

func TestBytes(t *testing.T) {
	s := &State{SessionID: "s"}
	empty := s.Bytes()
	for _, o := range liveTurns(100) {
		s.Add(o)
	}
	if got := s.Bytes(); got < empty+100*len("一句话") || got > 1<<20 {
		t.Errorf("100 short turns are %d bytes, an empty session %d", got, empty)
	}
}
