package data

import (
	"strings"
	"testing"

	"github.com/tingke/tingke/schemas"
)

// TestOwn: the rows are whole and carry labels that exist.
func TestOwn(t *testing.T) {
	rows, err := Own()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 6000 {
		t.Errorf("%d rows, want at least 6000", len(rows))
	}
	held := 0
	for _, r := range rows {
		if _, ok := schemas.ParseEmotion(r.Emotion); !ok || r.Text == "" || r.Role != "customer" && r.Role != "agent" {
			t.Errorf("row %s: role %q, emotion %q, text %q", r.ID, r.Role, r.Emotion, r.Text)
		}
		if Held(r.Text) {
			held++
		}
	}
	if share := float64(held) / float64(len(rows)); share < 0.08 || share > 0.12 {
		t.Errorf("%.3f of the rows are held, want a tenth", share)
	}
}

func TestDecodeNamesTheLine(t *testing.T) {
	_, err := Decode[Row](strings.NewReader("{\"id\":\"a\"}\n\n{oops\n"), "rows.jsonl")
	if err == nil || !strings.Contains(err.Error(), "rows.jsonl:3") {
		t.Errorf("error %v, want one that names rows.jsonl:3", err)
	}
}

func TestHeldGoesByTheNormalisedText(t *testing.T) {
	for _, text := range []string{"ＡＢＣ 好", "發貨了嗎"} {
		if Held(text) != Held(strings.NewReplacer("ＡＢＣ", "abc", "發貨", "发货", "嗎", "吗").Replace(text)) {
			t.Errorf("%q: another width or script is on the other side", text)
		}
	}
}
