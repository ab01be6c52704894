package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/alert"
	"github.com/tingke/tingke/pipeline/broker"
	"github.com/tingke/tingke/pipeline/failpoint"
	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/pipeline/warehouse/engine"
)

const alertWorker = "TINGKE_TEST_ALERT_WORKER"

// TestAlertWorker is the worker process of TestAlertsSurviveACrash.
func TestAlertWorker(t *testing.T) {
	dir := os.Getenv(alertWorker)
	if dir == "" {
		t.Skip("runs as a process of TestAlertsSurviveACrash")
	}
	a := &app{in: strings.NewReader(""), out: os.Stdout, err: os.Stderr, getenv: os.Getenv}
	os.Exit(a.run(context.Background(), []string{"run", "--dir", dir, "--config", filepath.Join(dir, "tingke.yaml")}))
}

// hooks keeps what a webhook got.
type hooks struct {
	mu  sync.Mutex
	got []alert.Payload
	bad []error
}

func (h *hooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := alert.Verify("a secret", r.Header, b, time.Now()); err != nil {
		h.bad = append(h.bad, err)
	}
	var p alert.Payload
	if err := json.Unmarshal(b, &p); err != nil {
		h.bad = append(h.bad, err)
	}
	h.got = append(h.got, p)
}

func (h *hooks) list() []alert.Payload {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]alert.Payload(nil), h.got...)
}

// TestAlertsSurviveACrash: the worker is killed between storing an alert and sending it. The next one sends it, with the
// same id; redelivered messages and further workers do not send it again.
func TestAlertsSurviveACrash(t *testing.T) {
	if _, err := engine.FindLibrary(); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	h := &hooks{}
	server := httptest.NewServer(h)
	defer server.Close()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"secret": "a secret\n",
		"tingke.yaml": fmt.Sprintf("listen: {metrics: '127.0.0.1:0'}\nstream: {flush_every: 100ms, session_timeout: 2s, stop_timeout: 1s}\nalerts:\n  min_severity: none\n  rules: [forbidden]\n"+
			"  targets: [{name: hook, type: webhook, url: %q, secret_file: secret}]\n", server.URL),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	log := slog.New(slog.DiscardHandler)
	b, err := broker.Acquire(ctx, broker.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	store, err := warehouse.Open(ctx, warehouse.Config{Dir: dir, Timezone: "Asia/Shanghai", Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	producer, err := stream.NewProducer(stream.KafkaConfig{Brokers: []string{b.Addr}}, "", log)
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	send := func(line string) {
		t.Helper()
		if err := producer.Send(ctx, stream.Record{Key: []byte("s1"), Value: []byte(line)}); err != nil {
			t.Fatal(err)
		}
	}
	worker := func(env ...string) (*exec.Cmd, *bytes.Buffer) {
		t.Helper()
		var said bytes.Buffer
		c := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestAlertWorker$")
		c.Env = append(append(os.Environ(), alertWorker+"="+dir), env...)
		c.Stdout, c.Stderr = &said, &said
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = c.Process.Kill()
			_ = c.Wait()
			if t.Failed() {
				t.Logf("worker:\n%s", &said)
			}
		})
		return c, &said
	}
	until := func(what string, f func() bool) {
		t.Helper()
		for !f() {
			if ctx.Err() != nil {
				t.Fatalf("in vain: %s", what)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	rows := func() []warehouse.Alert {
		t.Helper()
		list, err := store.Alerts(ctx, warehouse.AlertQuery{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}

	now := time.Now().UTC().Format(time.RFC3339Nano)
	first := `{"type":"turn","session_id":"s1","seq":1,"role":"customer","text":"这个怎么用","at":"` + now + `"}`
	rude := `{"type":"turn","session_id":"s1","seq":2,"role":"agent","text":"你滚吧，爱买不买","at":"` + now + `"}`
	dies, _ := worker(failpoint.Env + "=" + string(failpoint.AfterAlertStore))
	send(first)
	send(rude)
	if err := dies.Wait(); err == nil || dies.ProcessState.Success() {
		t.Fatal("the failpoint was not passed")
	}
	list := rows()
	if len(list) != 1 || list[0].State != "stored" || list[0].RuleID != "forbidden" || len(h.list()) != 0 {
		t.Fatalf("stored %+v, sent %+v", list, h.list())
	}

	second, _ := worker()
	until("the alert is sent", func() bool { return len(h.list()) > 0 })
	until("it is noted", func() bool { return rows()[0].State == "sent" })
	if got := h.list(); len(got) != 1 || got[0].AlertID != list[0].AlertID || got[0].Kind != "hit" || got[0].EvidenceSeqs[0] != 2 || got[0].SessionURL != "http://127.0.0.1:8080/sessions/s1" {
		t.Errorf("sent %+v", got)
	}
	send(rude) // delivered again
	if err := second.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = second.Wait()

	worker() // it reads everything again
	send(rude)
	send(`{"type":"end","session_id":"s1","at":"` + now + `"}`)
	until("the session is written", func() bool {
		var n uint64
		if err := store.Conn().QueryRow(ctx, "SELECT count() FROM sessions WHERE state = 'closed'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == 1
	})
	time.Sleep(time.Second)
	if got := h.list(); len(got) != 1 || len(h.bad) != 0 {
		t.Errorf("sent %d times: %+v %v", len(got), got, h.bad)
	}
	if list := rows(); len(list) != 1 || list[0].State != "sent" || list[0].SentTo != "hook" {
		t.Errorf("%+v", list)
	}
}

func TestAlertsConfiguration(t *testing.T) {
	f := func(want, yaml string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "tingke.yaml")
		if err := os.WriteFile(path, []byte("alerts:\n  "+yaml+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := loadConfig(path, env())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", yaml, err, want)
		}
	}
	f("", `targets: [{name: a, type: webhook, url: "https://x/y", secret_env: S}, {name: b, type: dingtalk, url_file: f}, {name: c, type: kafka}]`)
	f("", `correlations: [{id: c, name: n, rules: [forbidden], per: agent, count: 5, within: 24h, severity: major}]`)
	f("alerts.min_severity", "min_severity: bad")
	f("alerts.max_age", "max_age: 0s")
	f("type: \"mail\" is unknown", `targets: [{name: a, type: mail}]`)
	f("exactly one of url", `targets: [{name: a, type: webhook}]`)
	f("exactly one of url", `targets: [{name: a, type: webhook, url: "https://x", url_env: U}]`)
	f("two are named", `targets: [{name: a, type: kafka}, {name: a, type: kafka}]`)
	f("neither url nor secret", `targets: [{name: a, type: kafka, secret_env: S}]`)
	f("rate 1", `targets: [{name: a, type: kafka, rate: 1}]`)
	f("has no {session_id}", "takeover_url: https://x/")
	f("is no address", "takeover_url: '/x/{session_id}'")
	f("per: \"day\" is unknown", `correlations: [{id: c, rules: [x], per: day, count: 5, within: 24h, severity: major}]`)
	f("field nonsense not found", "nonsense: 1")
}
