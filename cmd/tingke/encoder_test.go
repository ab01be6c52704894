package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSimilarity(t *testing.T) {
	in := `{"id":7,"a":"为什么面膜B贵","b":"面膜Ｂ贵在哪里？","note":[1]}` + "\n" +
		`{"a":"怎么还不发货","b":"怎么还不发货"}` + "\n" + `{"a":"","b":"好"}` + "\n" + `{"a":"x"}` + "\n" + `[1]` + "\n"
	out, stderr, code := tingke(t, in, "nlp", "similarity")
	if code != exitUsage || !strings.Contains(stderr, "line 4: a or b is missing") || !strings.Contains(stderr, "line 5:") {
		t.Errorf("code %d, stderr %q", code, stderr)
	}
	var rows []map[string]any
	for _, l := range strings.Split(strings.TrimSpace(out), "\n") {
		var r map[string]any
		if err := json.Unmarshal([]byte(l), &r); err != nil {
			t.Fatalf("%q: %v", l, err)
		}
		rows = append(rows, r)
	}
	if len(rows) != 3 || rows[0]["id"] != 7.0 || rows[0]["a"] != "为什么面膜B贵" || rows[0]["note"] == nil {
		t.Fatalf("lines do not come back as they were: %s", out)
	}
	if s := rows[0]["score"].(float64); s < 0.3 || s > 1 {
		t.Errorf("score of like texts is %v", s)
	}
	if rows[1]["score"] != 1.0 || rows[2]["score"] != 0.0 {
		t.Errorf("score of equal texts is %v, of an empty one %v", rows[1]["score"], rows[2]["score"])
	}
}

// A folder trained here takes the built-in one's place by configuration; a wrong one is an error at the start.
func TestTrainedEncoderByConfiguration(t *testing.T) {
	if testing.Short() {
		t.Skip("long, and nothing for the race detector runs in it that other tests do not run")
	}
	dir := t.TempDir()
	model := filepath.Join(dir, "model")
	_, stderr, code := tingke(t, "", "train", "encoder", "-o", model)
	if code != 0 || !strings.Contains(stderr, "MISSING: atec") {
		t.Fatalf("code %d, stderr %q", code, stderr)
	}
	config := filepath.Join(dir, "tingke.yaml")
	if err := os.WriteFile(config, []byte("nlp:\n  encoder: model\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	line := `{"a":"快递太慢了","b":"物流好慢"}`
	ours, stderr, code := tingke(t, line, "nlp", "similarity", "--config", config)
	builtin, _, _ := tingke(t, line, "nlp", "similarity")
	if code != 0 || ours == "" || ours == builtin {
		t.Errorf("code %d, %q with the own encoder, %q with the built-in one: %s", code, ours, builtin, stderr)
	}
	if err := os.Truncate(filepath.Join(model, "model.safetensors"), 1000); err != nil {
		t.Fatal(err)
	}
	_, stderr, code = tingke(t, line, "nlp", "similarity", "--config", config)
	if code != exitUsage || !strings.Contains(stderr, "model.safetensors") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("a cut-off model: code %d, stderr %q", code, stderr)
	}
}
