package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/schemas"
)

// defaultConfig is the documented configuration; its values are the defaults.
//
//go:embed tingke.yaml
var defaultConfig []byte

// Config is tingke.yaml. Keys and defaults are documented in the embedded file of that name.
type Config struct {
	Timezone     string            `yaml:"timezone"`
	Kafka        KafkaConfig       `yaml:"kafka"`
	ClickHouse   ClickHouseConfig  `yaml:"clickhouse"`
	Engine       EngineConfig      `yaml:"engine"`
	Stream       StreamConfig      `yaml:"stream"`
	Rules        RulesConfig       `yaml:"rules"`
	RefreshEvery time.Duration     `yaml:"refresh_every"`
	NLP          NLPConfig         `yaml:"nlp"`
	Opinions     OpinionsConfig    `yaml:"opinions"`
	Alerts       AlertsConfig      `yaml:"alerts"`
	Review       ReviewConfig      `yaml:"review"`
	Departments  map[string]string `yaml:"departments"`
	Listen       ListenConfig      `yaml:"listen"`
	Access       AccessConfig      `yaml:"access"`
	Retention    RetentionConfig   `yaml:"retention"`
	Log          LogConfig         `yaml:"log"`
}

// RetentionConfig says for how many days rows are kept, 0 for ever.
type RetentionConfig struct {
	Sessions    int `yaml:"sessions_days"`
	Orders      int `yaml:"orders_days"`
	DeadLetters int `yaml:"dead_letters_days"`
	Audit       int `yaml:"audit_days"`
}

// OpinionsConfig says how opinions are founded.
type OpinionsConfig struct {
	RebuildEvery time.Duration `yaml:"rebuild_every"`
	Founders     int           `yaml:"founders"`
}

// KafkaConfig says where transcripts come from.
type KafkaConfig struct {
	Brokers         []string `yaml:"brokers"`
	Topic           string   `yaml:"topic"`
	DeadLetterTopic string   `yaml:"dead_letter_topic"`
	RerunTopic      string   `yaml:"rerun_topic"`
	Group           string   `yaml:"group"`
	Partitions      int      `yaml:"partitions"`
	SASL            struct {
		Mechanism    string `yaml:"mechanism"`
		User         string `yaml:"user"`
		PasswordFile string `yaml:"password_file"`
	} `yaml:"sasl"`
	TLS struct {
		Enabled    bool   `yaml:"enabled"`
		CAFile     string `yaml:"ca_file"`
		CertFile   string `yaml:"cert_file"`
		KeyFile    string `yaml:"key_file"`
		ServerName string `yaml:"server_name"`
	} `yaml:"tls"`
}

// ClickHouseConfig says where analysed sessions go.
type ClickHouseConfig struct {
	DSN          string `yaml:"dsn"`
	PasswordFile string `yaml:"password_file"`
	TLS          struct {
		CAFile     string `yaml:"ca_file"`
		CertFile   string `yaml:"cert_file"`
		KeyFile    string `yaml:"key_file"`
		ServerName string `yaml:"server_name"`
	} `yaml:"tls"`
	Replicated bool `yaml:"replicated"`
}

// EngineConfig bounds the embedded engine.
type EngineConfig struct {
	Memory    Bytes `yaml:"memory"`
	MarkCache Bytes `yaml:"mark_cache"`
}

// StreamConfig bounds what the stream worker holds and how long it waits.
type StreamConfig struct {
	FlushEvery     time.Duration `yaml:"flush_every"`
	FlushSessions  int           `yaml:"flush_sessions"`
	EarlyWrite     time.Duration `yaml:"early_write"`
	Idle           time.Duration `yaml:"idle"`
	Memory         Bytes         `yaml:"memory"`
	SessionTimeout time.Duration `yaml:"session_timeout"`
	StopTimeout    time.Duration `yaml:"stop_timeout"`
	DeadLetterStop float64       `yaml:"dead_letter_stop"`
}

// RulesConfig names the rule packs in use.
type RulesConfig struct {
	Packs []string `yaml:"packs"`
}

// NLPConfig names dictionaries.
type NLPConfig struct {
	UserDict     []string `yaml:"user_dict"`
	Products     string   `yaml:"products"`
	Encoder      string   `yaml:"encoder"`
	CacheEntries int      `yaml:"cache_entries"`
}

// ListenConfig names the addresses of the HTTP listeners and who may reach them.
type ListenConfig struct {
	Web        string         `yaml:"web"`
	WebPublic  bool           `yaml:"web_public"`
	WebHosts   []string       `yaml:"web_hosts"`
	WebSecure  bool           `yaml:"web_secure"`
	WebProxies []netip.Prefix `yaml:"web_proxies"`
	Metrics    string         `yaml:"metrics"`
}

// AccessConfig says who may log in and for how long.
type AccessConfig struct {
	Users           string        `yaml:"users"`
	AgentsSee       access.Sees   `yaml:"agents_see"`
	SessionIdle     time.Duration `yaml:"session_idle"`
	SessionLifetime time.Duration `yaml:"session_lifetime"`
}

// LogConfig says how to log.
type LogConfig struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// Bytes is a size: a number of bytes, or a number with KiB, MiB or GiB.
type Bytes int64

var byteUnits = []struct {
	suffix string
	size   float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"", 1}}

// UnmarshalYAML reads a size such as 256MiB.
func (b *Bytes) UnmarshalYAML(node *yaml.Node) error {
	for _, u := range byteUnits {
		number, ok := strings.CutSuffix(node.Value, u.suffix)
		if !ok {
			continue
		}
		var v float64
		if n, err := fmt.Sscanf(strings.TrimSpace(number)+"\n", "%g\n", &v); n == 1 && err == nil && v >= 0 && v < 1e15 {
			*b = Bytes(v * u.size)
			return nil
		}
		break
	}
	return fmt.Errorf("line %d: %q is no size, write for instance 256MiB", node.Line, node.Value)
}

// loadConfig reads the defaults, then the file (none for ""), then the environment, and validates the result.
func loadConfig(path string, getenv func(string) string) (*Config, error) {
	c := &Config{}
	if err := c.decode(defaultConfig); err != nil {
		return nil, fmt.Errorf("the built-in defaults are broken: %w", err)
	}
	if path != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, usagef("cannot read the configuration: %w", err)
		}
		if err := c.decode(b); err != nil {
			return nil, usagef("%s: %w", path, err)
		}
		dir := filepath.Dir(path)
		c.NLP.Products = relativeTo(dir, c.NLP.Products)
		c.NLP.Encoder = relativeTo(dir, c.NLP.Encoder)
		c.Access.Users = relativeTo(dir, c.Access.Users)
		for i, f := range c.NLP.UserDict {
			c.NLP.UserDict[i] = relativeTo(dir, f)
		}
		for _, f := range []*string{
			&c.Kafka.SASL.PasswordFile, &c.Kafka.TLS.CAFile, &c.Kafka.TLS.CertFile, &c.Kafka.TLS.KeyFile,
			&c.ClickHouse.PasswordFile, &c.ClickHouse.TLS.CAFile, &c.ClickHouse.TLS.CertFile, &c.ClickHouse.TLS.KeyFile,
		} {
			*f = relativeTo(dir, *f)
		}
		for i := range c.Alerts.Targets {
			t := &c.Alerts.Targets[i]
			t.URLFile, t.SecretFile = relativeTo(dir, t.URLFile), relativeTo(dir, t.SecretFile)
		}
	}
	if v := getenv("KAFKA_BROKERS"); v != "" {
		c.Kafka.Brokers = strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' })
	}
	if v := getenv("CLICKHOUSE_DSN"); v != "" {
		c.ClickHouse.DSN = v
	}
	if err := c.Validate(); err != nil {
		if path == "" {
			path = "configuration"
		}
		return nil, usagef("%s: %w", path, err)
	}
	return c, nil
}

func (c *Config) decode(b []byte) error {
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// Validate reports every bad value, by its key.
func (c *Config) Validate() error {
	var errs []error
	bad := func(ok bool, key, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
		}
	}
	_, err := time.LoadLocation(c.Timezone)
	bad(err == nil && c.Timezone != "", "timezone", "%q is no time zone, write for instance Asia/Shanghai", c.Timezone)
	for _, b := range c.Kafka.Brokers {
		_, _, err := net.SplitHostPort(b)
		bad(err == nil, "kafka.brokers", "%q is no host:port", withoutUser(b))
	}
	bad(c.Kafka.Topic != "", "kafka.topic", "is empty")
	bad(c.Kafka.DeadLetterTopic != "" && c.Kafka.DeadLetterTopic != c.Kafka.Topic, "kafka.dead_letter_topic", "must name a topic other than kafka.topic")
	bad(c.Kafka.RerunTopic != "" && c.Kafka.RerunTopic != c.Kafka.Topic && c.Kafka.RerunTopic != c.Kafka.DeadLetterTopic, "kafka.rerun_topic", "must name a topic of its own")
	bad(c.Kafka.Group != "", "kafka.group", "is empty")
	bad(c.Kafka.Partitions >= 1 && c.Kafka.Partitions <= 1000, "kafka.partitions", "%d is not between 1 and 1000", c.Kafka.Partitions)
	switch c.Kafka.SASL.Mechanism {
	case "":
	case "plain", "scram-sha-256", "scram-sha-512":
		bad(c.Kafka.SASL.User != "" && c.Kafka.SASL.PasswordFile != "", "kafka.sasl", "user and password_file are needed")
	default:
		bad(false, "kafka.sasl.mechanism", "%q is unknown, one of plain, scram-sha-256, scram-sha-512", c.Kafka.SASL.Mechanism)
	}
	bad((c.Kafka.TLS.CertFile == "") == (c.Kafka.TLS.KeyFile == ""), "kafka.tls", "cert_file and key_file go together")
	bad((c.ClickHouse.TLS.CertFile == "") == (c.ClickHouse.TLS.KeyFile == ""), "clickhouse.tls", "cert_file and key_file go together")
	bad(c.Engine.Memory >= 512<<20, "engine.memory", "%d bytes is below 512MiB, the engine would not start", c.Engine.Memory)
	bad(c.Engine.MarkCache >= 1<<20, "engine.mark_cache", "is below 1MiB")
	bad(c.Stream.FlushEvery > 0, "stream.flush_every", "must be above 0")
	bad(c.Stream.FlushSessions > 0, "stream.flush_sessions", "must be above 0")
	bad(c.Stream.EarlyWrite >= c.Stream.FlushEvery, "stream.early_write", "must not be below stream.flush_every")
	bad(c.Stream.Idle > 0, "stream.idle", "must be above 0")
	bad(c.Stream.SessionTimeout >= time.Second, "stream.session_timeout", "must be at least 1s")
	bad(c.Stream.StopTimeout > 0 && c.Stream.StopTimeout < c.Stream.SessionTimeout, "stream.stop_timeout", "must be above 0 and below stream.session_timeout")
	bad(c.Stream.Memory >= 1<<20, "stream.memory", "must be at least 1MiB")
	bad(c.Stream.DeadLetterStop > 0 && c.Stream.DeadLetterStop <= 1, "stream.dead_letter_stop", "%v is not above 0 and at most 1", c.Stream.DeadLetterStop)
	bad(len(c.Rules.Packs) > 0, "rules.packs", "is empty, name at least one pack such as standard")
	bad(c.Opinions.RebuildEvery == 0 || c.Opinions.RebuildEvery >= time.Second, "opinions.rebuild_every", "must be 0 for never, or at least 1s")
	bad(c.Opinions.Founders >= 1, "opinions.founders", "must be at least 1")
	bad(c.RefreshEvery >= 10*time.Millisecond, "refresh_every", "must be at least 10ms")
	bad(c.NLP.CacheEntries >= 0, "nlp.cache_entries", "must not be negative")
	bad(c.Review.AppealDays >= 1 && c.Review.AppealDays <= 365, "review.appeal_days", "%d is not between 1 and 365", c.Review.AppealDays)
	known := map[string]bool{}
	for _, a := range schemas.Aspects {
		known[a] = true
	}
	for aspect := range c.Departments {
		bad(known[aspect], "departments", "%q is no aspect, one of %s", aspect, strings.Join(schemas.Aspects, ", "))
	}
	for key, addr := range map[string]string{"listen.web": c.Listen.Web, "listen.metrics": c.Listen.Metrics} {
		_, _, err := net.SplitHostPort(addr)
		bad(err == nil, key, "%q is no host:port", addr)
	}
	bad(!c.Listen.WebPublic || len(c.Listen.WebHosts) > 0, "listen.web_hosts", "is empty; with listen.web_public name the hosts by which others reach the pages")
	for _, h := range c.Listen.WebHosts {
		bad(h != "" && !strings.ContainsAny(h, "/: @*"), "listen.web_hosts", "%q is no name of a host; write it without scheme and port", h)
	}
	bad(slices.Contains([]access.Sees{access.SeesOwn, access.SeesTeam, access.SeesOff}, c.Access.AgentsSee), "access.agents_see", "%q is unknown, one of own, own+team, off", c.Access.AgentsSee)
	bad(c.Access.SessionIdle >= time.Minute && c.Access.SessionLifetime >= c.Access.SessionIdle, "access.session_idle", "must be at least 1m and not above access.session_lifetime")
	if err := c.Alerts.validate(); err != nil {
		errs = append(errs, err)
	}
	for key, days := range map[string]int{"sessions_days": c.Retention.Sessions, "orders_days": c.Retention.Orders, "dead_letters_days": c.Retention.DeadLetters, "audit_days": c.Retention.Audit} {
		bad(days >= 0 && days <= 36_500, "retention."+key, "%d is not between 0 (for ever) and 36500", days)
	}
	_, ok := logLevels[c.Log.Level]
	bad(ok, "log.level", "%q is unknown, one of debug, info, warn, error", c.Log.Level)
	bad(c.Log.Format == "text" || c.Log.Format == "json", "log.format", "%q is unknown, text or json", c.Log.Format)
	return errors.Join(errs...)
}

// withoutUser leaves out what stands before an @: people put a password there.
func withoutUser(address string) string {
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		return "..." + address[i:]
	}
	return address
}

func relativeTo(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
