package train

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/tingke/tingke/nlp/data"
	"github.com/tingke/tingke/nlp/mention"
	"github.com/tingke/tingke/nlp/pairs"
	"github.com/tingke/tingke/schemas"
)

func ownRows(t *testing.T, n int) []Row {
	t.Helper()
	rows, err := data.OwnMentions()
	if err != nil {
		t.Fatal(err)
	}
	ready, _, err := Rows(rows, rulings)
	if err != nil {
		t.Fatal(err)
	}
	return ready[:min(n, len(ready))]
}

// TestDeterministic: the same rows and seed give the same bytes, another seed does not.
func TestDeterministic(t *testing.T) {
	rows := ownRows(t, 120)
	fit := func(seed uint64) []byte {
		m, err := Fit(context.Background(), rows, Options{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := m.Write(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	first := fit(1)
	if !bytes.Equal(first, fit(1)) {
		t.Error("two trainings of the same rows differ")
	}
	if bytes.Equal(first, fit(2)) {
		t.Error("the seed changes nothing")
	}
}

// TestLearns: a model agrees with most of what it was trained on, and reads back from its file.
func TestLearns(t *testing.T) {
	rows := ownRows(t, 1000)
	m, err := Fit(context.Background(), rows, Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	f, err := mention.NewWith(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	tally := new(Tally)
	for _, r := range rows {
		tally.Add(mention.Labels(f.Find(mention.Input{Raw: r.Norm, Norm: schemas.NormText{Text: r.Norm}, Role: schemas.Customer, Context: r.Context})), r.Marked)
	}
	if x := tally.Figures(); x.Mean < 0.9 || x.SpanF1 < 0.9 {
		t.Errorf("on the rows it was trained on: %+v", x)
	}
}

// TestRefusesPairs: a near copy of a minimal pair never trains.
func TestRefusesPairs(t *testing.T) {
	p := pairs.All()[0].A.Text
	rows := []data.Row{
		{ID: "a", Role: "customer", Text: p}, {ID: "b", Role: "customer", Text: p + "！！"}, {ID: "c", Role: "customer", Text: "门把手掉了"}, {ID: "d", Role: "agent", Text: "好的"},
	}
	ready, refused, err := Rows(rows, "test")
	if err != nil || len(ready) != 1 || len(refused) != 2 {
		t.Errorf("%d rows ready, refused %q, %v", len(ready), refused, err)
	}
}

func TestUnknownLabel(t *testing.T) {
	_, _, err := Rows([]data.Row{{ID: "x7", Role: "customer", Text: "门把手掉了", Mentions: []data.Mention{{Text: "门", Kind: "rant", Aspect: "quality"}}}}, "test")
	if err == nil || !strings.Contains(err.Error(), "x7") || !strings.Contains(err.Error(), "rant") {
		t.Errorf("error %v, want one that names row and label", err)
	}
}

func TestTally(t *testing.T) {
	m := func(start, end int, kind string) mention.Labelled {
		return mention.Labelled{Start: start, End: end, Kind: kind, Aspect: "price", Valuable: true}
	}
	tally := new(Tally)
	tally.Add([]mention.Labelled{m(0, 10, "praise")}, []mention.Labelled{m(0, 8, "praise"), m(20, 30, "bug")})
	tally.Add(nil, nil)
	tally.Add([]mention.Labelled{m(0, 3, "bug")}, []mention.Labelled{m(0, 9, "bug")})
	x := tally.Figures()
	if x.Kind != 1 || x.Turns != 3 || x.SpanF1 != 2.0/5 {
		t.Errorf("%+v", x)
	}
	if c := tally.Classes(0); c["bug"] != 1 || c["praise"] != 1 || c["none"] != 1 || len(c) != 3 {
		t.Errorf("%v", c)
	}
}
