package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDefaultsNameEveryKey: the documented file is complete, so a reader finds every key with its default.
func TestDefaultsNameEveryKey(t *testing.T) {
	var doc yaml.Node
	if err := yaml.Unmarshal(defaultConfig, &doc); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, typ reflect.Type, node *yaml.Node)
	walk = func(path string, typ reflect.Type, node *yaml.Node) {
		if typ.Kind() != reflect.Struct {
			return
		}
		values := map[string]*yaml.Node{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			values[node.Content[i].Value] = node.Content[i+1]
		}
		for i := range typ.NumField() {
			key := typ.Field(i).Tag.Get("yaml")
			if values[key] == nil {
				t.Errorf("tingke.yaml does not name %s%s", path, key)
				continue
			}
			walk(path+key+".", typ.Field(i).Type, values[key])
		}
	}
	walk("", reflect.TypeOf(Config{}), doc.Content[0])
}

func TestConfigErrorsNameKeyAndRemedy(t *testing.T) {
	f := func(content, want string) {
		t.Helper()
		path := writeFile(t, "tingke.yaml", content)
		_, err := loadConfig(path, env())
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: error %v, want %q and the path", content, err, want)
		}
	}
	f("stream:\n  flush_evry: 2s\n", "line 2: field flush_evry not found")
	f("stream:\n  memory: lots\n", `line 2: "lots" is no size`)
	f("timezone: Mars/North\n", "timezone:")
	f("kafka:\n  brokers: [localhost]\n", `kafka.brokers: "localhost" is no host:port`)
	f("kafka:\n  sasl: {mechanism: scram}\n", "kafka.sasl.mechanism:")
	f("kafka:\n  sasl: {mechanism: plain}\n", "kafka.sasl: user and password_file are needed")
	f("kafka:\n  brokers: ['ting:geheim@localhost:x:9']\n", `kafka.brokers: "...@localhost:x:9" is no host:port`)
	f("clickhouse:\n  tls: {cert_file: a.pem}\n", "clickhouse.tls: cert_file and key_file go together")
	f("departments: {speed: 产品}\n", `"speed" is no aspect`)
	f("engine: {memory: 10MiB}\n", "engine.memory:")
	f("rules: {packs: []}\n", "rules.packs: is empty")
	f("log: {level: loud}\n", "log.level:")
	f("listen: {web_public: true}\n", "listen.web_hosts: is empty")
	f("listen: {web_hosts: ['https://qa.example.com']}\n", "listen.web_hosts:")
	f("listen: {web_hosts: ['*.example.com']}\n", "listen.web_hosts:")
	f("listen: {web_proxies: [ten]}\n", "ten")
	f("access: {agents_see: all}\n", `access.agents_see: "all" is unknown`)
	f("access: {session_idle: 3h, session_lifetime: 2h}\n", "access.session_idle:")
	f("stream: {dead_letter_stop: 0}\n", "stream.dead_letter_stop:")
}

func TestConfigPrecedence(t *testing.T) {
	path := writeFile(t, "tingke.yaml", "kafka: {brokers: ['a:1'], group: g}\nstream: {memory: 64MiB}\nnlp: {products: p.yaml}\ndepartments: {price: 定价}\n")
	c, err := loadConfig(path, env("KAFKA_BROKERS", "b:2,c:3"))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c.Kafka.Brokers, []string{"b:2", "c:3"}) || c.Kafka.Group != "g" || c.Kafka.Topic != "tingke.transcripts" {
		t.Errorf("kafka %+v", c.Kafka)
	}
	if c.Stream.Memory != 64<<20 || c.NLP.Products != filepath.Join(filepath.Dir(path), "p.yaml") {
		t.Errorf("stream %+v nlp %+v", c.Stream, c.NLP)
	}
	if path = writeFile(t, "tingke.yaml", "kafka: {sasl: {mechanism: plain, user: u, password_file: p}}\nclickhouse: {password_file: /q, tls: {ca_file: ca.pem}}\n"); err == nil {
		var files *Config
		if files, err = loadConfig(path, env()); err == nil {
			got := []string{files.Kafka.SASL.PasswordFile, files.ClickHouse.PasswordFile, files.ClickHouse.TLS.CAFile}
			if want := []string{filepath.Join(filepath.Dir(path), "p"), "/q", filepath.Join(filepath.Dir(path), "ca.pem")}; !reflect.DeepEqual(got, want) {
				t.Errorf("files %v, want %v", got, want)
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if c.Departments["price"] != "定价" || c.Departments["service"] != "客服培训" {
		t.Errorf("departments %v: a file changes single ones", c.Departments)
	}
}

func TestDeploymentKey(t *testing.T) {
	a := &app{dir: filepath.Join(t.TempDir(), "new"), getenv: env()}
	first, err := a.deploymentKey(true)
	if err != nil {
		t.Fatal(err)
	}
	again, err := a.deploymentKey(false)
	if err != nil || string(again) != string(first) || len(first) != 64 {
		t.Errorf("second read %q (%v), first %q", again, err, first)
	}
	info, err := os.Stat(filepath.Join(a.dir, "key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file %v %v, want mode 0600", info, err)
	}
	a.getenv = env("TINGKE_KEY", "short")
	if _, err := a.deploymentKey(true); err == nil {
		t.Error("a short TINGKE_KEY was taken")
	}
}
