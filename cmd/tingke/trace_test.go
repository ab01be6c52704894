package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tingke/tingke/cmd/tingke/tracetest"
	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/intake"
	"github.com/tingke/tingke/pipeline/rulestore"
	"github.com/tingke/tingke/rules"
)

// TestTrace: random hits, mentions, emotions and scores are traced to topic, partition, offsets, rule pack, model, epoch, run and
// program, and their words are found in the messages. The rows are of a deployment that has seen all of these change: a pack was
// published, opinions were founded, a period was judged anew by other rules. TINGKE_SEED chooses the same rows again.
func TestTrace(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("TINGKE_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("TINGKE_SEED=%d", seed)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	a := testApp(t)
	kafka, release, err := a.kafka(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	s, err := a.openStore(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	packs, err := a.ruleStore(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := packs.Publish(ctx, rulestore.Draft{Name: "own.yaml", YAML: fmt.Appendf(nil, ownPack, "1", "贵", "贵"), Author: "王主管"}); err != nil {
		t.Fatal(err)
	}
	w, err := a.newWorker(ctx, kafka, s, nil, newRegistry())
	if err != nil {
		t.Fatal(err)
	}
	work, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- w.Run(work) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	if _, err := a.send(ctx, kafka, []string{filepath.Join("..", "..", "testdata", "transcripts")}, intake.Options{}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.EndInput(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := w.opinions.Rebuild(ctx, false, false, "test"); err != nil {
		t.Fatal(err)
	}
	again := &rerunFlags{from: "2026-10-01", to: "2026-10-12", rules: []string{"standard", "presale"}, epoch: -1, now: true}
	if err := a.rerun(ctx, s, again); err != nil {
		t.Fatal(err)
	}

	key, err := a.storeKey(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	epochOf := a.epochs(s, w.analyser.InUse)
	x := &tracetest.Trace{Store: s.Warehouse, Broker: kafka.Brokers[0], Topic: kafka.Topic, Key: key, Seed: seed, Code: codeVersion(),
		Models: filepath.Join("..", "..", "nlp", "models"), Load: a.loadRules,
		Analyser: func(ctx context.Context, set *rules.Set, epoch uint32) (*analyse.Analyser, error) {
			an, err := epochOf(ctx, epoch)
			if err != nil {
				return nil, err
			}
			return an.WithRules(set), nil
		}}
	found := x.Rows(ctx, t, 40)
	t.Logf("%+v", found)
	for _, view := range []string{"hits", "mentions", "turns", "sessions"} {
		if found.Rows[view] != 40 {
			t.Errorf("%d rows of %s were traced, want 40", found.Rows[view], view)
		}
	}
	if found.Opinions < 40 || found.Masked < 5 || found.Joined < 1 || len(found.Packs) < 3 || len(found.Runs) != 2 || len(found.Epochs) != 2 {
		t.Errorf("too little was met to prove anything: %+v", found)
	}
}
