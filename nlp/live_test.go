package nlp

import (
	"reflect"
	"testing"

	"github.com/tingke/tingke/schemas"
)

// TestLiveEqualsFeatures: turn by turn gives what the whole session gives.
func TestLiveEqualsFeatures(t *testing.T) {
	a, err := New(Options{CacheEntries: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	tr := &schemas.Transcript{Meta: schemas.Meta{SessionID: "s", Shop: "花漾美妆旗舰店"}}
	for i, line := range []struct {
		role schemas.Role
		text string
	}{
		{schemas.Customer, "在吗"}, {schemas.Agent, "您好，请问有什么可以帮您"}, {schemas.Customer, "面膜B为什么这么贵"}, {schemas.System, "客服已转接"},
		{schemas.Agent, "B款的精华含量更高"}, {schemas.Customer, "你这什么态度！我要投诉你"}, {schemas.Customer, ""}, {schemas.Agent, "非常抱歉"}, {schemas.Customer, "好的，谢谢"},
	} {
		tr.Turns = append(tr.Turns, schemas.TranscriptTurn{Turn: schemas.Turn{Seq: schemas.Some(int64(i + 1)), Role: line.role, Text: line.text}})
	}
	whole := a.Features(tr)
	live := a.Live(tr.Meta)
	for i := range tr.Turns {
		got, want := live(&tr.Turns[i]), whole.Turns[i]
		got.Cut, want.Cut = nil, nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("turn %d:\nlive  %+v\nwhole %+v", i+1, got, want)
		}
	}
}
