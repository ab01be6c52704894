//go:build faults

package faults

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tingke/tingke/cmd/tingke/tracetest"
	"github.com/tingke/tingke/nlp"
	"github.com/tingke/tingke/nlp/encoder"
	"github.com/tingke/tingke/nlp/textnorm"
	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/rules"
)

// traced takes random hits, mentions, emotions and scores back to their messages, and finds their words there.
func (d *deployment) traced(t *testing.T) {
	t.Helper()
	enc, err := encoder.Default()
	if err != nil {
		t.Fatal(err)
	}
	stages, err := nlp.New(nlp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer stages.Close()
	version, err := exec.Command(binary(t), "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	x := &tracetest.Trace{Store: d.store, Broker: d.addr, Topic: d.topic, Key: []byte(deploymentKey), Seed: seed,
		Code:   strings.TrimPrefix(strings.TrimSpace(string(version)), "tingke version "),
		Models: filepath.Join("..", "..", "..", "nlp", "models"),
		Load: func(sources ...rules.Source) (*rules.Set, error) {
			return rules.LoadWith(rules.Options{Normalise: func(s string) string { return textnorm.Normalise(s).Text }, Encoder: enc}, sources...)
		},
		// Opinions are not rebuilt here.
		Analyser: func(_ context.Context, set *rules.Set, _ uint32) (*analyse.Analyser, error) {
			return analyse.New(stages, set, nil), nil
		}}
	found := x.Rows(within(t, patience), t, 40)
	if found.Rows["hits"] != 40 || found.Rows["mentions"] != 40 || found.Rows["turns"] != 40 || found.Scored < 40 || found.Joined == 0 {
		t.Errorf("too few rows were traced to prove anything: %+v", found)
	}
}
