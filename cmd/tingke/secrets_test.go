package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/tingke/tingke/pipeline/alert"
)

// spoken collects what a program writes, from any goroutine.
type spoken struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *spoken) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(b)
}

func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// TestSecretsAreNeverPrinted: with a canary in each place that a secret can stand in, nothing that the program says holds one:
// not the configuration, not doctor, not the errors of a Kafka that refuses the password and of a ClickHouse that is not there
// or refuses it, not a log at its most talkative, not the metrics.
func TestSecretsAreNeverPrinted(t *testing.T) {
	dir := t.TempDir()
	canaries := map[string]string{}
	canary := func(what string) string {
		v := "canary-" + what + "-" + hex.EncodeToString([]byte(what))
		canaries[what] = v
		return v
	}
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("SECRETS_TEST_HOOK", canary("webhook-secret"))
	t.Setenv("SECRETS_TEST_DING", "https://127.0.0.1:1/robot/send?access_token="+canary("dingtalk-token"))
	file("key", canary("key-file"))
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "tingke.transcripts"), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "ting", "right"), kfake.Superuser("PLAIN", "ting", "right"))
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	// A ClickHouse that refuses the password, saying what it was sent as a careless proxy might.
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-ClickHouse-Exception-Code", "516")
		http.Error(w, "Code: 516. DB::Exception: ting: Authentication failed", http.StatusForbidden)
	}))
	defer refuses.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	closed.Close()

	base := fmt.Sprintf(`
log: {level: debug}
listen: {metrics: "127.0.0.1:0", web: "127.0.0.1:0"}
alerts:
  targets:
    - {name: ops, type: webhook, url: "https://ting:%s@127.0.0.1:1/hook/%s", secret_env: SECRETS_TEST_HOOK}
    - {name: group, type: dingtalk, url_env: SECRETS_TEST_DING, secret_file: ding}
`, canary("url-password"), canary("url-path"))
	file("ding", canary("dingtalk-secret"))
	file("sasl", canary("sasl-password"))
	file("ch-password", canary("store-password"))
	sasl := func(mechanism string) string {
		return "\nkafka: {sasl: {mechanism: " + mechanism + ", user: ting, password_file: sasl}}\n"
	}
	dsn := canary("dsn-password")
	hidden := func(what, text string) {
		t.Helper()
		for name, value := range canaries {
			forms := []string{value, url.QueryEscape(value), hex.EncodeToString([]byte(value)), base64.StdEncoding.EncodeToString([]byte(value))}
			sum := sha256.Sum256([]byte(value))
			for _, form := range append(forms, hex.EncodeToString(sum[:])) {
				if i := strings.Index(text, form); i >= 0 {
					t.Errorf("%s shows the canary %s: ...%s", what, name, text[max(0, i-200):min(len(text), i+len(form)+50)])
				}
			}
		}
	}
	// f runs a command that is to fail, and says what it printed.
	f := func(config string, environment []string, wantInOutput string, args ...string) {
		t.Helper()
		path := file("tingke.yaml", base+config)
		var out spoken
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		a := &app{in: strings.NewReader(""), out: &out, err: &out, getenv: env(environment...)}
		a.run(ctx, append(args, "--config", path, "--dir", dir))
		hidden(fmt.Sprintf("tingke %v %v", args, environment), out.String())
		if !strings.Contains(out.String(), wantInOutput) {
			t.Errorf("tingke %v: says %q, want %q in it", args, out.String(), wantInOutput)
		}
	}
	withKey := []string{"TINGKE_KEY", canary("env-key")}
	broker := append([]string{"KAFKA_BROKERS", kafka.ListenAddrs()[0]}, withKey...)
	store := func(address string) []string { return append([]string{"CLICKHOUSE_DSN", address}, broker...) }
	unreachable := store("clickhouse://ting:" + dsn + "@" + nobody + "/tingke?dial_timeout=1s")

	f("", unreachable, "password_file", "config")
	f(sasl("scram-sha-256"), unreachable, "FAIL", "doctor")
	f(sasl("plain"), unreachable, "kafka.sasl", "doctor", "--json")
	f(sasl("scram-sha-256"), unreachable, "cannot reach ClickHouse", "run")
	f("", store("http://ting:"+dsn+"@"+nobody+"/tingke"), "cannot reach ClickHouse", "serve")
	f("", store("http://ting:"+dsn+"@"+refuses.Listener.Addr().String()+"/tingke"), "cannot reach ClickHouse", "migrate")
	f("\nclickhouse: {password_file: ch-password}\n", store("http://ting@"+refuses.Listener.Addr().String()+"/tingke"), "cannot reach ClickHouse", "sql", "SELECT 1")
	f(sasl("plain"), broker, "kafka", "send", filepath.Join("..", "..", "testdata", "transcripts", "chats-huayang.jsonl"))
	// What people write by mistake.
	f("", store("ting:"+dsn+"@"+nobody+"/tingke"), "CLICKHOUSE_DSN", "migrate")
	f("", store("clickhouse://ting:"+dsn+"%zz@"+nobody+"/tingke"), "CLICKHOUSE_DSN", "migrate")
	f("", store("clickhouse://ting:"+dsn+"@"+nobody+":x/tingke"), "CLICKHOUSE_DSN", "migrate")
	f("", store("postgres://ting:"+dsn+"@"+nobody+"/tingke"), "cannot reach ClickHouse", "migrate")
	f("", append([]string{"KAFKA_BROKERS", "kafka://ting:" + dsn + "@" + nobody}, withKey...), "kafka.brokers", "doctor")
	f("\nkafka: {sasl: {mechanism: plain, user: ting, password: "+canary("inline-password")+"}}\n", broker, "field password not found", "doctor")
	f("", []string{"TINGKE_KEY", "canary-short"}, "TINGKE_KEY has", "doctor")
	canaries["short key"] = "canary-short"

	// A worker and a web server at work, asked with secrets that they do not know.
	address := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}
	metrics, web := address(), address()
	path := file("tingke.yaml", strings.Replace(base, "listen: {metrics: \"127.0.0.1:0\", web: \"127.0.0.1:0\"}", "listen: {metrics: \""+metrics+"\", web: \""+web+"\"}", 1))
	var out spoken
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	start := func(command string) {
		running.Go(func() {
			a := &app{in: strings.NewReader(""), out: &out, err: &out, getenv: env(withKey...)}
			if code := a.run(ctx, []string{command, "--config", path, "--dir", dir}); code != 0 {
				t.Errorf("tingke %s ended with %d: %s", command, code, out.String())
			}
		})
	}
	ask := func(method, address, body string) string {
		t.Helper()
		deadline := time.Now().Add(time.Minute)
		for {
			req, err := http.NewRequest(method, "http://"+address, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+canaries["api-token"])
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Cookie", "tingke="+canaries["cookie"])
			res, err := http.DefaultClient.Do(req)
			if err == nil {
				defer res.Body.Close()
				b, err := io.ReadAll(res.Body)
				if err != nil {
					t.Fatal(err)
				}
				return string(b)
			}
			if time.Now().After(deadline) {
				cancel()
				t.Fatalf("%s does not answer: %v; %s", address, err, out.String())
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	canary("api-token")
	canary("cookie")
	canary("login-password")
	start("run")
	hidden("/metrics", ask(http.MethodGet, metrics+"/metrics", ""))
	hidden("/status", ask(http.MethodGet, metrics+"/status", ""))
	hidden("/readyz", ask(http.MethodGet, metrics+"/readyz", ""))
	start("serve")
	hidden("an answer of the API", ask(http.MethodGet, web+"/api/v1/sessions?token="+canary("query-token"), ""))
	hidden("the answer to a log-in", ask(http.MethodPost, web+"/api/v1/login", `{"user":"ting","password":"`+canaries["login-password"]+`"}`))
	var host struct{ Token string }
	b, err := os.ReadFile(filepath.Join(dir, "engine.json"))
	if err == nil {
		err = json.Unmarshal(b, &host)
	}
	if err != nil || host.Token == "" {
		t.Errorf("engine.json: %v", err)
	} else {
		canaries["token of the engine"] = host.Token
	}
	cancel()
	running.Wait()
	hidden("the log of run and serve", out.String())
	if !strings.Contains(out.String(), "level=DEBUG") {
		t.Errorf("the log is not at its most talkative: %s", out.String())
	}

	// Targets that cannot be reached say so without their addresses.
	a := &app{log: nil, config: &Config{}, getenv: env()}
	if a.config, err = loadConfig(file("tingke.yaml", base), env()); err != nil {
		t.Fatal(err)
	}
	for _, target := range a.config.Alerts.Targets {
		address, err := secret(target.Name, target.URL, target.URLEnv, target.URLFile)
		if err != nil {
			t.Fatal(err)
		}
		key, err := secret(target.Name, "", target.SecretEnv, target.SecretFile)
		if err != nil {
			t.Fatal(err)
		}
		make := alert.NewWebhook
		if target.Type == targetDingTalk {
			make = alert.NewDingTalk
		}
		lane, err := make(address, key)
		if err != nil {
			t.Fatal(err)
		}
		err = lane.Send(t.Context(), alert.Delivery{ID: "a", Body: []byte("{}"), Alert: &alert.Payload{}})
		if err == nil {
			t.Fatalf("%s was reached", target.Name)
		}
		hidden("target "+target.Name, err.Error())
		_, err = make("ftp://"+canaries["url-password"]+"/x", key)
		hidden("target "+target.Name+" with a wrong address", fmt.Sprint(err))
	}
}

// TestNoFlagTakesASecret: a command line is seen by every user of the machine.
func TestNoFlagTakesASecret(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			for _, word := range []string{"password", "passwd", "secret", "token", "dsn", "key", "credential"} {
				if strings.Contains(f.Name, word) && f.Value.Type() == "string" {
					t.Errorf("%s --%s looks as if it took a secret", c.CommandPath(), f.Name)
				}
			}
		})
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk((&app{}).command())
}
