package data

import (
	"slices"
	"strings"
	"testing"

	"github.com/tingke/tingke/nlp/pairs"
	"github.com/tingke/tingke/schemas"
)

// TestOwnMentions: the rows are whole, carry labels that exist, and are no near copies of minimal pairs.
func TestOwnMentions(t *testing.T) {
	rows, err := OwnMentions()
	if err != nil {
		t.Fatal(err)
	}
	kinds := []string{schemas.KindQuestion, schemas.KindComplaint, schemas.KindPraise, schemas.KindSuggestion, schemas.KindRequest, schemas.KindBug}
	ids, texts := map[string]bool{}, map[string]bool{}
	for _, r := range rows {
		key := r.Text + strings.Join(r.Context, "|")
		if ids[r.ID] || texts[key] || r.Role != string(schemas.Customer) || r.Text == "" {
			t.Errorf("row %s %q: role %q, or it stands twice", r.ID, r.Text, r.Role)
		}
		ids[r.ID], texts[key] = true, true
		if pairs.TooClose(r.Text) {
			t.Errorf("row %s %q is a near copy of a minimal pair", r.ID, r.Text)
		}
		for _, m := range r.Mentions {
			if !slices.Contains(kinds, m.Kind) || !slices.Contains(schemas.Aspects[:], m.Aspect) || !strings.Contains(r.Text, m.Text) || m.Text == "" {
				t.Errorf("row %s %q: mention %+v", r.ID, r.Text, m)
			}
		}
	}
	if len(rows) < 300 {
		t.Errorf("%d rows", len(rows))
	}
}
