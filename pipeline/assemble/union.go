package assemble

import (
	"cmp"
	"slices"
	"time"

	"github.com/tingke/tingke/schemas"
)

// Bounds of one session; variables only so that tests reach them.
var (
	// maxSeen is the number of elements a session can count; of more, the smallest are kept, which is the same set in
	// any order of arrival.
	maxSeen = 1<<20 - 1
	// maxTurns is the number of turns kept, the first in final order.
	maxTurns = schemas.MaxTurns
)

// Union gives the state that has seen what a and b have seen. Neither changes and the result shares no slice with
// them. Both must be of one session. Union is commutative, associative and idempotent.
func Union(a, b *State) *State {
	u := a.Clone()
	u.Add(b.Clone())
	return u
}

// Fold joins the states of one session, at least one, in a time that does not depend on their order. The states belong
// to the result afterwards.
func Fold(states []*State) *State {
	if len(states) == 1 {
		return states[0]
	}
	half := len(states) / 2
	s := Fold(states[:half])
	s.Add(Fold(states[half:]))
	return s
}

// Clone gives a copy that shares no slice with s. Attribute maps are shared; nothing writes them.
func (s *State) Clone() *State {
	c := *s
	c.Seen = slices.Clone(s.Seen)
	c.Turns = slices.Clone(s.Turns)
	return &c
}

// Contains says whether s has seen everything that o has seen.
func (s *State) Contains(o *State) bool { return Covers(s.Revision, s.Seen, o) }

// Covers says whether a stored state, of which only the revision and the seen set are known, has seen all that o has.
func Covers(revision uint16, seen []Element, o *State) bool {
	if o.Revision > revision {
		return false
	}
	for _, e := range o.Seen {
		if o.Revision < revision {
			e |= Element(KindStale)
		}
		if _, found := slices.BinarySearch(seen, e); !found {
			return false
		}
	}
	return true
}

// Same says whether a stored state, of which only the revision and the seen set are known, equals s.
func (s *State) Same(revision uint16, seen []Element) bool {
	return s.Revision == revision && slices.Equal(s.Seen, seen)
}

// Add joins o into s and says whether s has changed. The parts of o belong to s afterwards. A turn that comes after
// all others costs an append; anything else moves the turns, so many states are better joined with Fold first.
func (s *State) Add(o *State) bool {
	s.Origin = joinOrigin(s.Origin, o.Origin)
	switch {
	case o.Revision > s.Revision:
		old := markStale(s.Seen)
		origin, id := s.Origin, s.SessionID
		*s = *o
		s.Origin, s.SessionID = origin, id
		s.Seen, _ = mergeSeen(s.Seen, old)
		return true
	case o.Revision < s.Revision:
		var changed bool
		s.Seen, changed = mergeSeen(s.Seen, markStale(o.Seen))
		return changed
	}
	var changed bool
	s.Seen, changed = mergeSeen(s.Seen, o.Seen)
	if !changed && len(s.Seen) < maxSeen { // a full set cannot tell
		return false
	}
	if o.MetaHash != 0 && (s.MetaHash == 0 || metaLess(s, o)) {
		s.Meta, s.MetaHash = o.Meta, o.MetaHash
	}
	if o.EndHash != 0 && (s.EndHash == 0 || endLess(s, o)) {
		s.EndAt, s.EndHash = o.EndAt, o.EndHash
	}
	var truncated bool
	s.Turns, truncated = mergeTurns(s.Turns, o.Turns)
	s.Truncated = s.Truncated || o.Truncated || truncated
	return changed
}

func metaLess(a, b *State) bool {
	if c := a.Meta.UpdatedAt.Compare(b.Meta.UpdatedAt); c != 0 {
		return c < 0
	}
	return a.MetaHash < b.MetaHash
}

func endLess(a, b *State) bool {
	if c := a.EndAt.Compare(b.EndAt); c != 0 {
		return c < 0
	}
	return a.EndHash < b.EndHash
}

// markStale retags elements of a lower revision. The kind is in the low bits, so the order stays.
func markStale(seen []Element) []Element {
	out := make([]Element, len(seen))
	for i, e := range seen {
		out[i] = e | Element(KindStale)
	}
	return slices.Compact(out)
}

func capSeen(seen []Element) []Element {
	if len(seen) > maxSeen {
		seen = seen[:maxSeen:maxSeen]
	}
	return seen
}

// mergeSeen adds the elements of b to a, both sorted, and says whether any was new. It may write into a's slice.
func mergeSeen(a, b []Element) ([]Element, bool) {
	switch len(b) {
	case 0:
		return a, false
	case 1:
		i, found := slices.BinarySearch(a, b[0])
		if found || i >= maxSeen {
			return a, false
		}
		return capSeen(slices.Insert(a, i, b[0])), true
	}
	fresh := 0
	for i, j := 0, 0; j < len(b); {
		switch {
		case i == len(a) || b[j] < a[i]:
			fresh++
			j++
		case a[i] < b[j]:
			i++
		default:
			i++
			j++
		}
	}
	if fresh == 0 {
		return a, false
	}
	out := make([]Element, 0, len(a)+fresh)
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] < b[j]:
			out = append(out, a[i])
			i++
		case b[j] < a[i]:
			out = append(out, b[j])
			j++
		default:
			out = append(out, a[i])
			i++
			j++
		}
	}
	out = append(append(out, a[i:]...), b[j:]...)
	kept := capSeen(out)
	return kept, len(out) == len(kept) || !slices.Equal(kept, a)
}

// compareTurns is the final order of turns: those with seq by seq, then those without by time (none = last), start of
// speech (none = last) and place in their message. The key decides last: two kept turns never have the same.
func compareTurns(a, b *Turn) int {
	if a.Seq.OK != b.Seq.OK {
		if a.Seq.OK {
			return -1
		}
		return 1
	}
	if a.Seq.OK {
		return cmp.Compare(a.Seq.V, b.Seq.V)
	}
	if c := comparePlaces(a, b); c != 0 {
		return c
	}
	return cmp.Compare(a.Key, b.Key)
}

func comparePlaces(a, b *Turn) int {
	if c := compareTimes(a.OrderAt, b.OrderAt); c != 0 {
		return c
	}
	if c := compareOpts(a.StartMS, b.StartMS); c != 0 {
		return c
	}
	return cmp.Compare(a.Position, b.Position)
}

func compareTimes(a, b time.Time) int {
	switch {
	case a.IsZero() && b.IsZero():
		return 0
	case a.IsZero():
		return 1
	case b.IsZero():
		return -1
	}
	return a.Compare(b)
}

func compareOpts(a, b schemas.Opt[int64]) int {
	switch {
	case !a.OK && !b.OK:
		return 0
	case !a.OK:
		return 1
	case !b.OK:
		return -1
	}
	return cmp.Compare(a.V, b.V)
}

// beats says whether a takes the place of b, both of one key. With seq the greater (turn revision, at, hash) wins.
// Without, the earlier place wins and only then (turn revision, hash): the place decides what is cut beyond
// schemas.MaxTurns, and a turn that was cut is forgotten, so a later arrival must never make a cut one win.
func beats(a, b *Turn) bool {
	if !a.Seq.OK {
		if c := comparePlaces(a, b); c != 0 {
			return c < 0
		}
	}
	if c := cmp.Compare(a.Revision, b.Revision); c != 0 {
		return c > 0
	}
	if c := a.At.Compare(b.At); c != 0 {
		return c > 0
	}
	return a.Hash > b.Hash
}

// mergeTurns adds turns to old, which is in final order with one turn per key, and keeps the first schemas.MaxTurns.
// add may be in any order with several turns of a key; it is reordered. The result may use the array of old or of add.
func mergeTurns(old, add []Turn) (turns []Turn, truncated bool) {
	if len(add) == 0 {
		return old, false
	}
	add = oneTurnPerKey(add)
	unseq, _ := slices.BinarySearchFunc(old, true, func(t Turn, want bool) int {
		if t.Seq.OK {
			return -1
		}
		return 0
	})
	var places map[schemas.TurnKey]int // of old turns without seq; a scan is cheaper for a single turn
	find := func(t *Turn) int {
		if t.Seq.OK {
			i, found := slices.BinarySearchFunc(old[:unseq], t, func(a Turn, b *Turn) int { return cmp.Compare(a.Seq.V, b.Seq.V) })
			if found {
				return i
			}
			return -1
		}
		if len(add) == 1 {
			if j := slices.IndexFunc(old[unseq:], func(o Turn) bool { return o.Key == t.Key }); j >= 0 {
				return unseq + j
			}
			return -1
		}
		if places == nil {
			places = make(map[schemas.TurnKey]int, len(old)-unseq)
			for i := unseq; i < len(old); i++ {
				places[old[i].Key] = i
			}
		}
		if i, ok := places[t.Key]; ok {
			return i
		}
		return -1
	}
	insert := add[:0]
	removed := 0
	for i := range add {
		t := add[i]
		j := find(&t)
		switch {
		case j < 0:
			insert = append(insert, t)
		case !beats(&t, &old[j]):
		case compareTurns(&t, &old[j]) == 0:
			old[j] = t
		default: // the turn moves: take it out below, put it in again
			old[j].Hash = 0
			removed++
			insert = append(insert, t)
		}
	}
	if removed > 0 {
		old = slices.DeleteFunc(old, func(t Turn) bool { return t.Hash == 0 })
	}
	switch {
	case len(insert) == 0:
		turns = old
	case len(old) == 0:
		turns = insert
	case compareTurns(&old[len(old)-1], &insert[0]) < 0:
		turns = append(old, insert...)
	case len(insert) == 1:
		i, _ := slices.BinarySearchFunc(old, &insert[0], func(a Turn, b *Turn) int { return compareTurns(&a, b) })
		turns = slices.Insert(old, i, insert[0])
	default:
		turns = make([]Turn, 0, len(old)+len(insert))
		i, j := 0, 0
		for i < len(old) && j < len(insert) {
			if compareTurns(&old[i], &insert[j]) < 0 {
				turns = append(turns, old[i])
				i++
			} else {
				turns = append(turns, insert[j])
				j++
			}
		}
		turns = append(append(turns, old[i:]...), insert[j:]...)
	}
	if len(turns) > maxTurns {
		clear(turns[maxTurns:])
		return turns[:maxTurns], true
	}
	return turns, false
}

// oneTurnPerKey sorts turns into final order and keeps the winner of each key.
func oneTurnPerKey(turns []Turn) []Turn {
	if len(turns) == 1 {
		return turns
	}
	inOrder := true
	for i := 1; i < len(turns) && inOrder; i++ {
		inOrder = turns[i].Seq.OK && turns[i-1].Seq.OK && turns[i-1].Seq.V < turns[i].Seq.V
	}
	if inOrder {
		return turns
	}
	best := make(map[schemas.TurnKey]int, len(turns))
	out := turns[:0]
	for i := range turns {
		t := turns[i]
		j, ok := best[t.Key]
		switch {
		case !ok:
			best[t.Key] = len(out)
			out = append(out, t)
		case beats(&t, &out[j]):
			out[j] = t
		}
	}
	slices.SortFunc(out, func(a, b Turn) int { return compareTurns(&a, &b) })
	return out
}

// joinOrigin gives the offsets from which both come; of two partitions, the lower one stands.
func joinOrigin(a, b schemas.Origin) schemas.Origin {
	switch {
	case a.Topic == "":
		return b
	case b.Topic == "":
		return a
	case a.Topic == b.Topic && a.Partition == b.Partition:
		a.OffsetMin = min(a.OffsetMin, b.OffsetMin)
		a.OffsetMax = max(a.OffsetMax, b.OffsetMax)
		return a
	case b.Topic < a.Topic || b.Topic == a.Topic && b.Partition < a.Partition:
		return b
	}
	return a
}
