package stream

import (
	"math/rand/v2"
	"testing"
)

// TestOffsets holds the bit set against a plain map, over random gaps and orders of completion.
func TestOffsets(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		first := rng.Int64N(1000)
		o := newOffsets(first)
		done := map[int64]bool{}
		next := first
		var open []int64
		want := first
		check := func() {
			for want < next && done[want] {
				want++
			}
			if got := o.committable(); got != want {
				t.Fatalf("seed %d: committable %d, want %d (next %d)", seed, got, want, next)
			}
		}
		for range 3000 {
			switch rng.IntN(5) {
			case 0, 1, 2:
				gap := int64(0)
				if rng.IntN(20) == 0 {
					gap = rng.Int64N(300)
				}
				for g := range gap {
					done[next+g] = true
				}
				next += gap
				o.take(next)
				open = append(open, next)
				next++
			default:
				for range rng.IntN(4) {
					if len(open) == 0 {
						break
					}
					i := rng.IntN(len(open))
					if rng.IntN(3) > 0 {
						i = 0
					}
					o.finish(open[i])
					o.finish(open[i]) // twice does no harm
					done[open[i]] = true
					open = append(open[:i], open[i+1:]...)
				}
			}
			check()
		}
		for _, x := range open {
			o.finish(x)
			done[x] = true
		}
		check()
		if o.pending() != 0 {
			t.Fatalf("seed %d: %d pending after everything is done", seed, o.pending())
		}
	}
}

func TestOffsetsHugeGap(t *testing.T) {
	o := newOffsets(5)
	o.take(5)
	o.take(3_000_005)
	if got := o.committable(); got != 5 {
		t.Fatalf("committable %d, want 5", got)
	}
	o.finish(5)
	if got := o.committable(); got != 3_000_005 {
		t.Fatalf("committable %d, want 3000005", got)
	}
	o.finish(3_000_005)
	if got := o.committable(); got != 3_000_006 {
		t.Fatalf("committable %d, want 3000006", got)
	}
	if len(o.done) > 2048 {
		t.Errorf("%d words are kept", len(o.done))
	}
}
