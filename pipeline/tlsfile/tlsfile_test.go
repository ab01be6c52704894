package tlsfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecret(t *testing.T) {
	f := func(content, want, wantErr string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Secret("kafka.sasl.password_file", path)
		if got != want || (err == nil) != (wantErr == "") || err != nil && (!strings.Contains(err.Error(), wantErr) || !strings.HasPrefix(err.Error(), "kafka.sasl.password_file: ")) {
			t.Errorf("%q: %q, %v, want %q, %q", content, got, err, want, wantErr)
		}
	}
	f("geheim", "geheim", "")
	f("geheim\r\n", "geheim", "")
	f(" geheim \n", " geheim ", "") // blanks may belong to it
	f("\n", "", "is empty")
	if _, err := Secret("clickhouse.password_file", "nowhere"); err == nil || !strings.Contains(err.Error(), "clickhouse.password_file: ") {
		t.Errorf("a missing file: %v", err)
	}
}
