package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// composeFile is what the test needs of compose.yaml.
type composeFile struct {
	Services map[string]struct {
		Image       string            `yaml:"image"`
		Build       string            `yaml:"build"`
		Command     yaml.Node         `yaml:"command"`
		Environment map[string]string `yaml:"environment"`
		Volumes     []string          `yaml:"volumes"`
		Ports       []string          `yaml:"ports"`
		Restart     string            `yaml:"restart"`
		DependsOn   map[string]struct {
			Condition string `yaml:"condition"`
		} `yaml:"depends_on"`
		Healthcheck *struct {
			Test []string `yaml:"test"`
		} `yaml:"healthcheck"`
	} `yaml:"services"`
	Volumes map[string]any `yaml:"volumes"`
}

// TestCompose: what the stack mounts exists, what it sets Tingke reads, nothing is open to other machines and no secret
// stands in a file.
func TestCompose(t *testing.T) {
	root := filepath.Join("..", "..")
	read := func(elem ...string) []byte {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(append([]string{root}, elem...)...))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var c composeFile
	raw := read("compose.yaml")
	if err := yaml.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	images := []string{}
	mounted := map[string]string{} // file in the container by service and path there
	for name, s := range c.Services {
		images = append(images, strings.SplitN(s.Image, ":", 2)[0])
		if s.Build == "" && (!strings.Contains(s.Image, ":") || strings.HasSuffix(s.Image, ":latest")) {
			t.Errorf("%s: image %q names no version", name, s.Image)
		}
		if s.Healthcheck == nil && s.Restart != "no" {
			t.Errorf("%s: no health check", name)
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s: port %q is open to other machines", name, p)
			}
		}
		for _, v := range s.Volumes {
			from, to, _ := strings.Cut(v, ":")
			to, mode, _ := strings.Cut(to, ":")
			if !strings.HasPrefix(from, "./") {
				if _, ok := c.Volumes[from]; !ok {
					t.Errorf("%s: volume %q is not declared", name, from)
				}
				continue
			}
			if mode != "ro" {
				t.Errorf("%s: %s may be written", name, from)
			}
			if _, err := os.Stat(filepath.Join(root, from)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			mounted[name+" "+to] = filepath.Join(root, from)
		}
		for other, d := range s.DependsOn {
			switch x := c.Services[other]; {
			case d.Condition == "service_healthy" && x.Healthcheck == nil, d.Condition == "service_completed_successfully" && x.Restart != "no", d.Condition == "":
				t.Errorf("%s waits for %s: %q never comes", name, other, d.Condition)
			}
		}
		for key, value := range s.Environment {
			if secret := regexp.MustCompile(`PASSWORD|_KEY$`); secret.MatchString(key) && !regexp.MustCompile(`^\$\{`+key+`:\?[^}]+\}$|^\$\{GRAFANA_ADMIN_PASSWORD:\?[^}]+\}$`).MatchString(value) {
				t.Errorf("%s: %s=%q must come from the environment and be refused when empty", name, key, value)
			}
		}
	}
	for _, want := range []string{"apache/kafka", "clickhouse/clickhouse-server", "prom/prometheus", "grafana/grafana", "tingke"} {
		if !slices.Contains(images, want) {
			t.Errorf("no service of image %s in %q", want, images)
		}
	}

	t.Run("tingke", func(t *testing.T) {
		known := []string{"KAFKA_BROKERS", "CLICKHOUSE_DSN", "TINGKE_KEY"} // the head of tingke.yaml names them
		for _, k := range known {
			if !bytes.Contains(defaultConfig, []byte(k)) {
				t.Errorf("%s is not documented in tingke.yaml", k)
			}
		}
		for name, s := range c.Services {
			if s.Image != "tingke" {
				continue
			}
			vars := map[string]string{}
			for key, value := range s.Environment {
				if !slices.Contains(known, key) {
					t.Errorf("%s: Tingke reads no %s", name, key)
				}
				vars[key] = regexp.MustCompile(`\$\{[^}]*\}`).ReplaceAllString(value, "0123456789abcdef")
			}
			var args []string
			if err := s.Command.Decode(&args); err != nil {
				t.Fatalf("%s: command: %v", name, err)
			}
			config := ""
			if i := slices.Index(args, "--config"); i >= 0 {
				if config = mounted[name+" "+args[i+1]]; config == "" {
					t.Fatalf("%s: %s is not mounted", name, args[i+1])
				}
				args = slices.Delete(args, i, i+2)
			}
			loaded, err := loadConfig(config, func(k string) string { return vars[k] })
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if loaded.ClickHouse.DSN == "" {
				t.Errorf("%s: no ClickHouse", name)
			}
			found, _, err := (&app{}).command().Find(args)
			if err != nil || len(args) == 0 || found.Name() != args[0] {
				t.Errorf("%s: tingke %v: %v", name, args, err)
			}
			if name == "web" && (!loaded.Listen.WebPublic || !strings.HasPrefix(loaded.Listen.Web, "0.0.0.0:")) {
				t.Errorf("web: pages on %s are not reached from outside the container", loaded.Listen.Web)
			}
			if name == "worker" && (len(loaded.Kafka.Brokers) == 0 || !strings.HasPrefix(loaded.Listen.Metrics, "0.0.0.0:")) {
				t.Errorf("worker: brokers %v, metrics on %s", loaded.Kafka.Brokers, loaded.Listen.Metrics)
			}
			if name == "worker" {
				_, port, _ := strings.Cut(loaded.Listen.Metrics, ":")
				if scrape := read("dashboards", "grafana", "prometheus", "prometheus.yml"); !bytes.Contains(scrape, []byte(`"worker:`+port+`"`)) && !bytes.Contains(scrape, []byte("port: "+port)) {
					t.Errorf("Prometheus does not read the metrics of the worker on port %s", port)
				}
			}
			topics := []string{loaded.Kafka.Topic, loaded.Kafka.DeadLetterTopic}
			for _, topic := range topics {
				if !bytes.Contains(raw, []byte(" "+topic+" ")) {
					t.Errorf("topic %s is not made", topic)
				}
			}
		}
	})
	t.Run("secrets", func(t *testing.T) {
		example := string(read(".env.example"))
		for _, m := range regexp.MustCompile(`\$\{(\w+)`).FindAllStringSubmatch(string(raw), -1) {
			if !regexp.MustCompile(`(?m)^` + m[1] + `=$`).MatchString(example) {
				t.Errorf(".env.example has no empty %s", m[1])
			}
		}
		for _, list := range []string{".gitignore", ".dockerignore"} {
			if !regexp.MustCompile(`(?m)^/?\.env$`).Match(read(list)) {
				t.Errorf("%s does not leave out .env", list)
			}
		}
	})
	t.Run("provisioning", func(t *testing.T) {
		env := c.Services["grafana"].Environment
		for _, file := range []string{"datasources", "dashboards"} {
			for _, m := range regexp.MustCompile(`\$\{(\w+)\}`).FindAllStringSubmatch(string(read("dashboards", "grafana", "provisioning", file, "tingke.yaml")), -1) {
				if env[m[1]] == "" {
					t.Errorf("provisioning/%s: %s is not set for Grafana", file, m[1])
				}
			}
		}
		var provider struct {
			Providers []struct {
				Options struct{ Path string }
			}
		}
		if err := yaml.Unmarshal(read("dashboards", "grafana", "provisioning", "dashboards", "tingke.yaml"), &provider); err != nil {
			t.Fatal(err)
		}
		if path := mounted["grafana "+provider.Providers[0].Options.Path]; path == "" {
			t.Errorf("the boards are not mounted at %s", provider.Providers[0].Options.Path)
		} else if _, err := os.Stat(filepath.Join(path, "tingke.json")); err != nil {
			t.Error(err)
		}
	})
}

// TestDockerfile: the image is built with the Go that the module asks for.
func TestDockerfile(t *testing.T) {
	docker, err := os.ReadFile(filepath.Join("..", "..", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(module)
	if want == nil || !bytes.Contains(docker, append([]byte("FROM golang:"), want[1]...)) {
		t.Errorf("the Dockerfile does not use Go %s", want)
	}
}
