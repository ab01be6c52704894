package batch

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/schemas"
)

// kept is a store that keeps the versions of what was written.
type kept struct {
	mu       sync.Mutex
	versions map[string]stream.StoredVersion
	states   map[string]*assemble.State
}

func (k *kept) StoredVersions(_ context.Context, ids []string) (map[string]stream.StoredVersion, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := map[string]stream.StoredVersion{}
	for _, id := range ids {
		if v, ok := k.versions[id]; ok {
			out[id] = v
		}
	}
	return out, nil
}

func (k *kept) LoadStates(_ context.Context, ids []string) (map[string]*assemble.State, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := map[string]*assemble.State{}
	for _, id := range ids {
		out[id] = k.states[id]
	}
	return out, nil
}

func (k *kept) Write(_ context.Context, b stream.Batch) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range b.Sessions {
		k.versions[s.State.SessionID] = stream.StoredVersion{Version: s.State.Version(), Seen: s.State.Seen}
		k.states[s.State.SessionID] = s.State
	}
	return nil
}

type noAnalysis struct{}

func (noAnalysis) Analyse(*schemas.Transcript) *schemas.Analysis { return new(schemas.Analysis) }

// TestSessionsThatComeBack: a session whose messages lie in flushes next to each other, or far apart, holds all of them in
// the end, though a flush leaves its write to the next one.
func TestSessionsThatComeBack(t *testing.T) {
	k := &kept{versions: map[string]stream.StoredVersion{}, states: map[string]*assemble.State{}}
	w := New(Options{Store: k, Analyser: noAnalysis{}, Hasher: assemble.NewHasher([]byte("key")), Mask: func(*schemas.Message) {}, FlushSessions: 1})
	for seq := range 6 {
		for _, id := range []string{"a", "b", "b"} {
			text := fmt.Sprintf(`{"type":"session","session_id":%q,"turns":[{"role":"customer","seq":%d,"text":"第%d句"}]}`, id, seq+1, seq+1)
			m, err := schemas.Decode([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Add(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		if s := k.states[id]; s == nil || len(s.Turns) != 6 {
			t.Errorf("session %s: %+v", id, s)
		}
	}
	if n := w.Counts(); n.Unchanged < 6 || n.Written < 12 {
		t.Errorf("counts %+v", n)
	}
}
