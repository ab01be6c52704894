package nlp

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tingke/tingke/nlp/data"
	"github.com/tingke/tingke/nlp/measure"
	"github.com/tingke/tingke/schemas"
)

// shared is where the research data lies beside the checkout; it is no part of the project.
const shared = "../../shared"

// rowsOf reads the JSON lines of a file of the research data.
func rowsOf[T any](t *testing.T, path string) []T {
	t.Helper()
	f, err := os.Open(filepath.Join(shared, path))
	if err != nil {
		t.Skipf("SKIPPED, no figure measured: %v", err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	in := bufio.NewScanner(r)
	in.Buffer(nil, 16<<20)
	var out []T
	for in.Scan() {
		var x T
		if err := json.Unmarshal(in.Bytes(), &x); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out = append(out, x)
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

type label struct {
	Emotion  string `json:"emotion"`
	Mentions []struct {
		Kind     string `json:"kind"`
		Aspect   string `json:"aspect"`
		Valuable bool   `json:"valuable"`
	} `json:"mentions"`
}

type labelledTurn struct {
	Role    schemas.Role `json:"role"`
	Text    string       `json:"text"`
	Context []string     `json:"context"`
	A, B    label
}

func kappa(a, b []string) float64 {
	ca, cb := map[string]float64{}, map[string]float64{}
	var same, chance float64
	for i := range a {
		ca[a[i]]++
		cb[b[i]]++
		if a[i] == b[i] {
			same++
		}
	}
	n := float64(len(a))
	for k, v := range ca {
		chance += v * cb[k] / n / n
	}
	return (same/n - chance) / (1 - chance)
}

// mostFrequent gives the most frequent value, of equally frequent ones the first, none without any.
func mostFrequent(values []string) string {
	best, count := "none", 0
	for _, v := range values {
		n := 0
		for _, w := range values {
			if v == w {
				n++
			}
		}
		if n > count {
			best, count = v, n
		}
	}
	return best
}

// TestFiguresOnAnnotatedTurns measures agreement with the annotators as the kept-aside parts are measured, and fails on
// a clear step back.
func TestFiguresOnAnnotatedTurns(t *testing.T) {
	a := newAnalyser(t, 0)
	turns := rowsOf[labelledTurn](t, "gold/turns.jsonl")
	var p, x, y []string
	type of struct{ p, x, y []string }
	var kind, aspect, valuable of
	yes := map[bool]string{true: "yes", false: "no"}
	for _, turn := range turns {
		p = append(p, a.Emotion(turn.Role, turn.Text, turn.Context).Emotion.String())
		x, y = append(x, turn.A.Emotion), append(y, turn.B.Emotion)
		if turn.Role != schemas.Customer {
			continue
		}
		var k, s, v []string
		for _, m := range a.Mentions(turn.Role, turn.Text, turn.Context) {
			k, s, v = append(k, m.Kind), append(s, m.Aspect), append(v, yes[m.Valuable])
		}
		kind.p, aspect.p, valuable.p = append(kind.p, mostFrequent(k)), append(aspect.p, mostFrequent(s)), append(valuable.p, mostFrequent(v))
		for i, l := range []label{turn.A, turn.B} {
			var k, s, v []string
			for _, m := range l.Mentions {
				k, s, v = append(k, m.Kind), append(s, m.Aspect), append(v, yes[m.Valuable])
			}
			if i == 0 {
				kind.x, aspect.x, valuable.x = append(kind.x, mostFrequent(k)), append(aspect.x, mostFrequent(s)), append(valuable.x, mostFrequent(v))
			} else {
				kind.y, aspect.y, valuable.y = append(kind.y, mostFrequent(k)), append(aspect.y, mostFrequent(s)), append(valuable.y, mostFrequent(v))
			}
		}
	}
	mean := func(o of) float64 { return (kappa(o.p, o.x) + kappa(o.p, o.y)) / 2 }
	emotion := mean(of{p, x, y})
	mentions := (mean(kind) + mean(aspect) + mean(valuable)) / 3
	t.Logf("kappa: emotion %.3f, mentions %.3f (kind %.3f, aspect %.3f, valuable %.3f)", emotion, mentions, mean(kind), mean(aspect), mean(valuable))
	if emotion < 0.70 || mentions < 0.68 {
		t.Errorf("a step back: emotion %.3f (>= .70), mentions %.3f (>= .68)", emotion, mentions)
	}
}

// TestFiguresOnReviews measures polarity on reviews labelled by stars, positive where polarity >= 0: on the tenth that never
// trained, and on eprstmt, of which nothing trains.
func TestFiguresOnReviews(t *testing.T) {
	a := newAnalyser(t, 0)
	f := func(path string, all bool, every int, least float64) {
		t.Helper()
		rows := rowsOf[struct{ Text, Sentiment string }](t, path)
		right, n := 0, 0
		for i := 0; i < len(rows); i += every {
			if !all && !data.Held(rows[i].Text) {
				continue
			}
			n++
			if (a.Emotion(schemas.Customer, rows[i].Text, nil).Polarity >= 0) == (rows[i].Sentiment == "positive") {
				right++
			}
		}
		got := float64(right) / float64(n)
		t.Logf("%s: accuracy %.3f of %d", path, got, n)
		if got < least {
			t.Errorf("%s: accuracy %.3f, a step back from %.2f", path, got, least)
		}
	}
	f("data/waimai_10k/dev.jsonl", false, 1, 0.86)
	f("data/online_shopping_10_cats/dev.jsonl.gz", false, 4, 0.90)
	f("data/eprstmt/dev.jsonl", true, 1, 0.86)
	f("data/chnsenticorp_htl/dev.jsonl", false, 1, 0.82)
}

// TestFiguresOnSatisfaction measures experience against the satisfaction that annotators saw in real dialogues.
func TestFiguresOnSatisfaction(t *testing.T) {
	a := newAnalyser(t, 0)
	rows := rowsOf[struct {
		Turns   []schemas.Turn `json:"turns"`
		Quality struct {
			Satisfaction float64 `json:"customer_satisfaction"`
		} `json:"quality"`
	}](t, "data/stc3_helpdesk/dev.jsonl")
	var x, y []float64
	for _, r := range rows {
		in := new(schemas.Transcript)
		for _, turn := range r.Turns {
			in.Turns = append(in.Turns, schemas.TranscriptTurn{Turn: turn})
		}
		x, y = append(x, a.Features(in).Experience), append(y, r.Quality.Satisfaction)
	}
	got := measure.Spearman(x, y)
	t.Logf("Spearman of experience with mean satisfaction votes: %.3f of %d dialogues", got, len(rows))
	if got < 0.60 {
		t.Errorf("Spearman %.3f, a step back from .60", got)
	}
}
