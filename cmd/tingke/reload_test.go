package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/current"
	"github.com/tingke/tingke/pipeline/intake"
	"github.com/tingke/tingke/pipeline/rulestore"
	"github.com/tingke/tingke/pipeline/warehouse"
)

const ownPack = `id: own
version: "%s"
rules:
  - id: own_rule
    name: 提到%s
    severity: info
    reason: "{text}"
    trigger: {in: {role: customer}, keyword: [%s]}
    tests:
      - {want: present, turns: [{客户: 有没有%[2]s}]}
`

// TestPublishedPacksReachARunningWorker: sessions are analysed with what is published at the time, a broken row in the
// table changes nothing and is reported.
func TestPublishedPacksReachARunningWorker(t *testing.T) {
	a := testApp(t)
	a.config.RefreshEvery = 20 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
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
	registry := newRegistry()
	w, err := a.newWorker(ctx, kafka, s, nil, registry)
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
	packs, err := a.ruleStore(s)
	if err != nil {
		t.Fatal(err)
	}

	n := 0
	// analysed sends a session and gives what was stored of it: its rules and how often the own rule was found.
	analysed := func() (rules string, hits uint64) {
		t.Helper()
		n++
		id := fmt.Sprintf("s%d", n)
		path := writeFile(t, id+".jsonl", fmt.Sprintf(`{"session_id":%q,"turns":[{"role":"customer","text":"有没有赠品和发票"},{"role":"agent","text":"您好，有的"}]}`, id))
		if _, err := a.send(ctx, kafka, []string{path}, intake.Options{}, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := w.EndInput(ctx); err != nil {
			t.Fatal(err)
		}
		q := fmt.Sprintf("SELECT rules_version, (SELECT count() FROM hits WHERE session_id = '%[1]s' AND rule_id = 'own_rule') FROM sessions WHERE session_id = '%[1]s'", id)
		if err := s.Conn().QueryRow(ctx, q).Scan(&rules, &hits); err != nil {
			t.Fatal(err)
		}
		return rules, hits
	}
	// until waits for the poller.
	until := func(what string, ok func(current.Status) bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !ok(w.analyser.Status()[0]); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: the worker says %+v", what, w.analyser.Status())
			}
		}
	}
	publish := func(version, word string) {
		t.Helper()
		if _, err := packs.Publish(ctx, rulestore.Draft{Name: "own.yaml", YAML: fmt.Appendf(nil, ownPack, version, word, word), Author: "王主管"}); err != nil {
			t.Fatal(err)
		}
	}

	before, hits := analysed()
	if strings.Contains(before, "own@") || hits != 0 {
		t.Errorf("before: %s, %d hits", before, hits)
	}
	publish("1", "赠品")
	until("published", func(s current.Status) bool { return s.Changes == 1 })
	first, hits := analysed()
	if !strings.HasPrefix(first, before+",own@1+") || hits != 1 {
		t.Errorf("published: %s, %d hits", first, hits)
	}
	if _, err := s.AppendRulePack(ctx, warehouse.RulePack{Pack: "own", Version: "2+x", Content: "id: own\nversion: '2'\nrules:\n  - id: own_rule\n    keywrod: [x]\n", Active: true}); err != nil {
		t.Fatal(err)
	}
	until("broken", func(s current.Status) bool { return s.Error != "" })
	if again, hits := analysed(); again != first || hits != 1 {
		t.Errorf("with a broken row on top: %s, %d hits, want %s", again, hits, first)
	}
	if got := w.analyser.Status()[0].Error; !strings.Contains(got, "own@2+x:5:5") || !strings.Contains(got, "keywrod") {
		t.Errorf("the reason is %q", got)
	}
	var failing float64
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "tingke_analyser_source_failing" {
			for _, m := range f.GetMetric() {
				if m.GetLabel()[0].GetValue() == "rules" {
					failing = m.GetGauge().GetValue()
				}
			}
		}
	}
	if failing != 1 {
		t.Errorf("tingke_analyser_source_failing is %v", failing)
	}
	if got := statusPage(t, a, w); !strings.Contains(got, `"rules_version":"`+first+`"`) || !strings.Contains(got, "keywrod") {
		t.Errorf("/status says %s", got)
	}
	if detail, err := a.checkPublished(ctx); err == nil || !strings.Contains(err.Error(), "keywrod") {
		t.Errorf("doctor says %q, %v", detail, err)
	}
	publish("3", "发票吗")
	until("mended", func(s current.Status) bool { return s.Changes == 2 && s.Error == "" })
	if third, hits := analysed(); !strings.Contains(third, ",own@3+") || hits != 0 {
		t.Errorf("mended: %s, %d hits", third, hits)
	}
	// A worker that starts later uses the same.
	late, err := a.currentAnalyser(ctx, s, nil, nil)
	if err != nil || late.InUse().RulesVersion() != w.analyser.InUse().RulesVersion() {
		t.Errorf("a later process uses %s, %v", late.InUse().RulesVersion(), err)
	}
	// One that is given its rules does not ask.
	fixed, err := a.currentAnalyser(ctx, s, []string{"standard"}, nil)
	if err != nil || fixed.InUse().RulesVersion() != before {
		t.Errorf("with --rules: %s, %v", fixed.InUse().RulesVersion(), err)
	}
}

// statusPage reads /status of a worker.
func statusPage(t *testing.T, a *app, w *worker) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	ctx, stop := context.WithCancel(t.Context())
	wait, err := serveMetrics(ctx, addr, newRegistry(), w, a.log)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + addr + "/status")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	stop()
	if err := errors.Join(err, wait()); err != nil {
		t.Error(err)
	}
	return string(b)
}

// TestDictionariesAreReadAgain: changed words and products are in use at the next look; a mistake leaves the old ones and
// is reported until it is mended.
func TestDictionariesAreReadAgain(t *testing.T) {
	a := testApp(t)
	words := writeFile(t, "words.txt", "玻色因面霜\n")
	a.config.NLP.UserDict = []string{words}
	d, err := a.newDictionaries()
	if err != nil {
		t.Fatal(err)
	}
	base, err := a.newAnalyser(nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := current.New(base, current.Options{Sources: []current.Source{d}})
	if err != nil {
		t.Fatal(err)
	}
	look := func(want string) string {
		t.Helper()
		c.Refresh(t.Context())
		if got := c.Status()[0].Error; (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("the source says %q, want %q", got, want)
		}
		return c.InUse().ModelVersion()
	}
	first := look("")
	if first != base.ModelVersion() || !strings.Contains(first, "words=") {
		t.Errorf("nothing changed, but %q is in use instead of %q", first, base.ModelVersion())
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(words, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("玻色因面霜\n二裂酵母精华\n")
	second := look("")
	if second == first {
		t.Error("new words are not in use")
	}
	write("玻色因面霜 many n\n")
	if got := look("words.txt"); got != second {
		t.Errorf("a wrong file changed what is in use to %q", got)
	}
	look("words.txt") // still reported while the file stays as it is
	if err := os.Remove(words); err != nil {
		t.Fatal(err)
	}
	if got := look("cannot read dictionary"); got != second {
		t.Errorf("a missing file changed what is in use to %q", got)
	}
	write("玻色因面霜\n")
	if got := look(""); got != first {
		t.Errorf("the first words again give %q, want %q", got, first)
	}
}
