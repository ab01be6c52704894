package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tingke/tingke/pipeline/alert"
	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/broker"
	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/schemas"
)

// AlertsConfig says what alerts and who is told.
type AlertsConfig struct {
	Enabled      bool                `yaml:"enabled"`
	MinSeverity  string              `yaml:"min_severity"`
	Rules        []string            `yaml:"rules"`
	Mute         []string            `yaml:"mute"`
	Cooldown     time.Duration       `yaml:"cooldown"`
	MaxAge       time.Duration       `yaml:"max_age"`
	GapWait      time.Duration       `yaml:"gap_wait"`
	SessionURL   string              `yaml:"session_url"`
	TakeoverURL  string              `yaml:"takeover_url"`
	Targets      []AlertTarget       `yaml:"targets"`
	Correlations []alert.Correlation `yaml:"correlations"`
}

// AlertTarget is a receiver of alerts.
type AlertTarget struct {
	Name        string        `yaml:"name"`
	Type        string        `yaml:"type"`
	URL         string        `yaml:"url"`
	URLEnv      string        `yaml:"url_env"`
	URLFile     string        `yaml:"url_file"`
	SecretEnv   string        `yaml:"secret_env"`
	SecretFile  string        `yaml:"secret_file"`
	Topic       string        `yaml:"topic"`
	Rate        *int          `yaml:"rate"`
	Timeout     time.Duration `yaml:"timeout"`
	MinSeverity string        `yaml:"min_severity"`
	Rules       []string      `yaml:"rules"`
	Shops       []string      `yaml:"shops"`
}

// Kinds of targets.
const (
	targetWebhook  = "webhook"
	targetDingTalk = "dingtalk"
	targetKafka    = "kafka"
)

// validate reports every bad value, by its key, without reading secrets.
func (c *AlertsConfig) validate() error {
	o := alert.Options{MinSeverity: c.MinSeverity, Cooldown: c.Cooldown, MaxAge: c.MaxAge, GapWait: c.GapWait, SessionURL: c.SessionURL, TakeoverURL: c.TakeoverURL, Correlations: c.Correlations}
	var errs []error
	bad := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf("alerts."+format, args...))
		}
	}
	bad(c.MaxAge <= 0, "max_age: must be above 0")
	bad(c.GapWait <= 0, "gap_wait: must be above 0")
	for i := range c.Targets {
		t := &c.Targets[i]
		where := "targets: " + t.Name
		o.Targets = append(o.Targets, alert.Lane{Name: t.Name, PerMinute: t.rate()})
		sources := 0
		for _, s := range []string{t.URL, t.URLEnv, t.URLFile} {
			if s != "" {
				sources++
			}
		}
		switch t.Type {
		case targetWebhook, targetDingTalk:
			bad(sources != 1, "%s: exactly one of url, url_env and url_file is needed", where)
			bad(t.Topic != "", "%s: topic belongs to targets of type kafka", where)
		case targetKafka:
			bad(sources != 0 || t.SecretEnv != "" || t.SecretFile != "", "%s: a kafka target has a topic, neither url nor secret", where)
		default:
			bad(true, "%s: type: %q is unknown, one of webhook, dingtalk, kafka", where, t.Type)
		}
		bad(t.SecretEnv != "" && t.SecretFile != "", "%s: secret_env and secret_file: only one of them", where)
		bad(t.Timeout < 0, "%s: timeout: must be above 0", where)
		bad(t.MinSeverity != "" && schemas.SeverityRank(t.MinSeverity) < 0, "%s: min_severity: %q is unknown, one of info, minor, major, critical", where, t.MinSeverity)
	}
	return errors.Join(append(errs, o.Validate())...)
}

// rate is how much a target takes in a minute where nothing is said: DingTalk's robots have a limit.
func (t *AlertTarget) rate() int {
	switch {
	case t.Rate != nil:
		return *t.Rate
	case t.Type == targetDingTalk:
		return alert.DingTalkPerMinute
	}
	return 0
}

// secret reads a value that may stand in the configuration, in the environment or in a file.
func secret(what, plain, env, file string) (string, error) {
	switch {
	case env != "":
		v := os.Getenv(env)
		if v == "" {
			return "", fmt.Errorf("%s: the environment has no %s", what, env)
		}
		return v, nil
	case file != "":
		b, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("%s: %w", what, err)
		}
		v := strings.TrimSpace(string(b))
		if v == "" {
			return "", fmt.Errorf("%s: %s is empty", what, file)
		}
		return v, nil
	}
	return plain, nil
}

// alertTargets makes the configured targets; close ends them.
func (a *app) alertTargets(kafka stream.KafkaConfig) (lanes []alert.Lane, close func() error, err error) {
	var closers []func() error
	close = func() error {
		var errs []error
		for _, f := range closers {
			errs = append(errs, f())
		}
		return errors.Join(errs...)
	}
	for i := range a.config.Alerts.Targets {
		t := &a.config.Alerts.Targets[i]
		l := alert.Lane{Name: t.Name, PerMinute: t.rate(), Timeout: t.Timeout, Wants: t.wants}
		where := "alerts.targets: " + t.Name
		var address, key string
		if address, err = secret(where, t.URL, t.URLEnv, t.URLFile); err == nil {
			key, err = secret(where, "", t.SecretEnv, t.SecretFile)
		}
		if err == nil {
			switch t.Type {
			case targetWebhook:
				l.Parallel = 4
				l.Target, err = alert.NewWebhook(address, key)
			case targetDingTalk:
				l.Target, err = alert.NewDingTalk(address, key)
			case targetKafka:
				var k *alert.Kafka
				if k, err = alert.NewKafka(kafka, cmp.Or(t.Topic, broker.TopicAlerts), a.log); err == nil {
					l.Target = k
					closers = append(closers, k.Close)
				}
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", where, err)
			}
		}
		if err != nil {
			return nil, nil, &exitError{exitUsage, errors.Join(err, close())}
		}
		lanes = append(lanes, l)
	}
	return lanes, close, nil
}

// wants says whether an alert goes to the target.
func (t *AlertTarget) wants(a *warehouse.Alert) bool {
	return (t.MinSeverity == "" || schemas.SeverityRank(a.Severity) >= schemas.SeverityRank(t.MinSeverity)) &&
		(len(t.Rules) == 0 || slices.Contains(t.Rules, a.RuleID)) && (len(t.Shops) == 0 || slices.Contains(t.Shops, a.Shop))
}

// alerts are the alerts of a worker.
type alerts struct {
	*alert.Manager
	close func() error
}

// roomForEngine lets more goroutines run at once than there are processors where the engine is in this process: a call of
// it keeps a place among them until the scheduler notices, so that two long queries would hold up the reading of messages
// on two processors. Measured by bench alerts on a busy machine of two: p99 from .76 and 1.05 s to .44 and .75 s.
func (a *app) roomForEngine(s *store) {
	if s.Handle() != nil && a.getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), runtime.NumCPU()+4))
	}
}

// newAlerts makes what decides and sends alerts, nil where they are turned off.
func (a *app) newAlerts(kafka stream.KafkaConfig, s *store, analyser func() *analyse.Analyser, registry prometheus.Registerer) (*alerts, error) {
	c := &a.config.Alerts
	if !c.Enabled {
		return nil, nil
	}
	lanes, closeTargets, err := a.alertTargets(kafka)
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname()
	m, err := alert.New(alert.Options{
		Store: s.Warehouse, Analyser: analyser, MinSeverity: c.MinSeverity, Rules: c.Rules, Mute: c.Mute, Cooldown: c.Cooldown, MaxAge: c.MaxAge, GapWait: c.GapWait,
		SessionURL: c.SessionURL, TakeoverURL: c.TakeoverURL, Targets: lanes, Correlations: c.Correlations,
		Process: fmt.Sprintf("worker %s %d", host, os.Getpid()), Log: a.log, Registerer: registry,
		Lease: func(ctx context.Context, name string, d time.Duration) (func(), error) {
			l, err := s.TryLease(ctx, name, d)
			if err != nil || l == nil {
				return nil, err
			}
			return func() { l.Release(ctx) }, nil
		},
	})
	if err != nil {
		return nil, errors.Join(err, closeTargets())
	}
	return &alerts{m, closeTargets}, nil
}

// checkAlerts says who is told of what, for doctor, and that the secrets of the targets can be read.
func (a *app) checkAlerts() (string, error) {
	c := &a.config.Alerts
	if !c.Enabled {
		return "turned off (alerts.enabled)", nil
	}
	set, err := a.newRules(nil)
	if err != nil {
		return "", err
	}
	known := map[string]bool{}
	for _, r := range set.Rules() {
		known[r.ID] = true
	}
	var elsewhere []string
	for _, id := range slices.Concat(c.Rules, c.Mute) {
		if !known[id] {
			elsewhere = append(elsewhere, id)
		}
	}
	for i := range c.Targets {
		t := &c.Targets[i]
		_, err := secret(t.Name, t.URL, t.URLEnv, t.URLFile)
		if err == nil {
			_, err = secret(t.Name, "", t.SecretEnv, t.SecretFile)
		}
		if err != nil {
			return "", fmt.Errorf("alerts.targets: %w", err)
		}
	}
	detail := fmt.Sprintf("rules of severity %s and above, %d targets beside the browsers, %d correlations", c.MinSeverity, len(c.Targets), len(c.Correlations))
	if len(elsewhere) > 0 {
		detail += "; not in rules.packs, perhaps in a published pack: " + strings.Join(elsewhere, ", ")
	}
	return detail, nil
}

// newHub makes what shows alerts to browsers.
func (a *app) newHub(s *store) *alert.Hub {
	c := &a.config.Alerts
	return alert.NewHub(alert.HubOptions{Store: s.Warehouse, SessionURL: c.SessionURL, TakeoverURL: c.TakeoverURL, Log: a.log})
}
