package intake

import (
	"os"
	"testing"
)

// The real conversations are taken as they are.
func TestRealConversations(t *testing.T) {
	for _, set := range []string{"jddc_sample", "stc3_helpdesk", "ecd_sample", "mobilecs_example"} {
		path := "../../../shared/data/" + set + "/dev.jsonl"
		if _, err := os.Stat(path); err != nil {
			t.Skipf("the research data are not beside this checkout: %v", err)
		}
		got, err := read(t, path, Options{})
		if err != nil {
			t.Error(err)
		}
		if n := len(mustDecode(t, got)); n != len(got) || n == 0 {
			t.Errorf("%s: %d sessions of %d lines", set, n, len(got))
		}
	}
}
