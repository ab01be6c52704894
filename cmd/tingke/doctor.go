package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/pipeline/rerun"
	"github.com/tingke/tingke/pipeline/rulestore"
	"github.com/tingke/tingke/pipeline/warehouse/engine"
	"github.com/tingke/tingke/schemas"
)

func (a *app) doctorCommand() *cobra.Command {
	var acknowledge string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything Tingke depends on and say how to mend what is missing",
		Long: "Checks the folder and key, the embedded engine's library, the store and its schema, messages that Kafka deleted before\n" +
			"they were read, the broker and its topic, the models, the rule packs and the users. Ends with 1 where a check fails.",
		Example: "  tingke doctor\n  tingke doctor --json\n  tingke doctor --acknowledge-lost \"duty engineer\"",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if acknowledge != "" {
				if err := a.acknowledgeLost(c.Context(), acknowledge); err != nil {
					return err
				}
			}
			checks := a.doctor(c.Context())
			failed := 0
			for _, ch := range checks {
				if !ch.OK {
					failed++
				}
				if a.json {
					if err := json.NewEncoder(a.out).Encode(ch); err != nil {
						return err
					}
					continue
				}
				mark := "ok  "
				if !ch.OK {
					mark = "FAIL"
				}
				fmt.Fprintf(a.out, "%s  %-8s %s\n", mark, ch.Name, ch.Detail)
				if ch.Fix != "" {
					fmt.Fprintf(a.out, "                -> %s\n", ch.Fix)
				}
			}
			if failed > 0 {
				return findingsf("%d of %d checks failed", failed, len(checks))
			}
			return nil
		},
	}
	c.Flags().StringVar(&acknowledge, "acknowledge-lost", "", "acknowledge, in this name, all messages reported as lost; workers are then ready again")
	return c
}

func (a *app) acknowledgeLost(ctx context.Context, by string) (err error) {
	s, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	n, err := s.AcknowledgeLost(ctx, by)
	if err == nil {
		fmt.Fprintf(a.err, "%d lost ranges acknowledged\n", n)
	}
	return err
}

// check is the result of one check of `tingke doctor`.
type check struct {
	Name   string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
}

func (a *app) doctor(ctx context.Context) []check {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var out []check
	add := func(name, fix string, f func() (string, error)) bool {
		detail, err := f()
		if err != nil {
			out = append(out, check{Name: name, Detail: err.Error(), Fix: fix})
			return false
		}
		out = append(out, check{Name: name, OK: true, Detail: detail})
		return true
	}
	add("folder", "choose another folder with --dir, or make this one writable", a.checkFolder)
	add("key", "set TINGKE_KEY to the key of this deployment, or restore DIR/key from a backup", func() (string, error) {
		if a.getenv("TINGKE_KEY") == "" {
			if _, err := os.Stat(filepath.Join(a.dir, "key")); errors.Is(err, fs.ErrNotExist) {
				return "none yet; the first command that stores something makes DIR/key", nil
			}
		}
		_, err := a.deploymentKey(false)
		return "present", err
	})
	library := true
	if a.config.ClickHouse.DSN == "" {
		library = add("library", "make deps   (or set TINGKE_LIBCHDB to the path of libchdb.so)", engine.FindLibrary)
	}
	if library {
		fix := "see the message; a store left by a crash recovers when it is opened again"
		if a.config.ClickHouse.DSN != "" {
			fix = "check clickhouse.dsn (CLICKHOUSE_DSN), the server and its rights"
		}
		if add("store", fix, func() (string, error) { return a.checkStore(ctx) }) {
			add("published", "mend it and publish it again, or: tingke rules rollback PACK VERSION", func() (string, error) { return a.checkPublished(ctx) })
			add("runs", "a running worker (tingke run) judges them within a minute; else: tingke runs switch --back, or run it again", func() (string, error) { return a.checkRuns(ctx) })
			add("lost", "find out why Kafka deleted them (retention), then: tingke doctor --acknowledge-lost NAME", func() (string, error) { return a.checkLost(ctx) })
		}
	}
	fix := "end the process that holds DIR/broker.lock, or choose another --dir"
	if len(a.config.Kafka.Brokers) > 0 {
		fix = "check kafka.brokers (KAFKA_BROKERS), SASL and TLS settings, and that the topic exists"
	}
	add("broker", fix, func() (string, error) { return a.checkBroker(ctx) })
	add("models", "reinstall the binary; check nlp.user_dict and nlp.products of the configuration", func() (string, error) {
		an, err := a.newNLP()
		if err != nil {
			return "", err
		}
		defer an.Close()
		t := schemas.Transcript{Closed: true, Turns: []schemas.TranscriptTurn{{Turn: schemas.Turn{Role: schemas.Customer, Text: "太慢了，我要投诉"}}}}
		got := an.Features(&t).Turns[0].Emotion
		if got == schemas.Neutral {
			return "", fmt.Errorf("the emotion of a complaint came out as %s", got)
		}
		return an.ModelVersion(), nil
	})
	add("rules", "mend the rule files named in the message, or rules.packs of the configuration", func() (string, error) {
		set, err := a.newRules(nil)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%d rules of %s", len(set.Rules()), strings.Join(a.config.Rules.Packs, ", ")), nil
	})
	add("alerts", "set what the message names: the environment or the files with the targets' addresses and secrets", a.checkAlerts)
	add("users", "mend the users file; a running server keeps the users it had before", a.checkUsers)
	return out
}

func (a *app) checkFolder() (string, error) {
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(a.dir, "doctor-*")
	if err != nil {
		return "", err
	}
	err = errors.Join(f.Close(), os.Remove(f.Name()))
	return a.dir + " can be written", err
}

// checkUsers reads the users file as the server does.
func (a *app) checkUsers() (string, error) {
	users, err := access.ReadUsers(a.usersPath())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "none yet; tingke user add NAME --role admin makes the first", nil
	case err != nil:
		return "", err
	}
	active := 0
	for _, u := range users {
		if !u.Disabled {
			active++
		}
	}
	return fmt.Sprintf("%d in %s, %d disabled", len(users), a.usersPath(), len(users)-active), nil
}

func (a *app) checkStore(ctx context.Context) (detail string, err error) {
	s, err := a.openStore(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var version string
	var sessions, behind uint64
	if err := s.Conn().QueryRow(ctx, "SELECT version()").Scan(&version); err != nil {
		return "", err
	}
	// A session whose analysis is older than its transcript was being written when something died; its replay mends it.
	err = s.Conn().QueryRow(ctx, `SELECT count(), countIf(a.version < t.version) FROM (SELECT session_id, version FROM transcripts FINAL) AS t
		LEFT JOIN (SELECT session_id, max(bitShiftRight(version, 28)) AS version FROM analyses GROUP BY session_id) AS a USING (session_id)`).Scan(&sessions, &behind)
	if err != nil {
		return "", err
	}
	if behind > 0 {
		return "", fmt.Errorf("ClickHouse %s answers, but %d of %d sessions have no analysis of their last state: run tingke run until it is idle", version, behind, sessions)
	}
	return fmt.Sprintf("ClickHouse %s, schema up to date, %d sessions", version, sessions), nil
}

// checkPublished says which published packs are in use. A worker that runs may still have looked before the last one.
func (a *app) checkPublished(ctx context.Context) (detail string, err error) {
	s, err := a.openStore(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	store, err := a.ruleStore(s)
	if err != nil {
		return "", err
	}
	use, err := store.InUse(ctx)
	if err != nil {
		return "", err
	}
	var published []string
	for _, p := range use.Packs {
		if p.Origin == rulestore.OriginPublished {
			published = append(published, p.ID+" "+p.Version)
		}
	}
	if err := use.Err(); err != nil {
		return "", err
	}
	if len(published) == 0 {
		return "no rule pack is published, those of the configuration are in use", nil
	}
	return "rule packs published and in use: " + strings.Join(published, ", "), nil
}

// checkRuns counts the sessions of which the run that is shown does not hold what is known.
func (a *app) checkRuns(ctx context.Context) (detail string, err error) {
	s, err := a.openStore(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	switches, err := s.Switches(ctx)
	if err != nil {
		return "", err
	}
	if len(switches) == 0 {
		return "the live results are shown", nil
	}
	n, err := rerun.CountStragglers(ctx, s.Warehouse)
	if err != nil {
		return "", err
	}
	if n > 0 {
		return "", fmt.Errorf("of %d sessions the run that is shown is older than what is known of them", n)
	}
	return fmt.Sprintf("the shown runs hold all that is known of their sessions (%d switches so far)", len(switches)), nil
}

func (a *app) checkLost(ctx context.Context) (detail string, err error) {
	s, err := a.openStore(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	lost, err := s.UnacknowledgedLost(ctx)
	if err != nil {
		return "", err
	}
	if len(lost) > 0 {
		l := lost[0]
		if l.To < l.From {
			return "", fmt.Errorf("topic %s was deleted and made again; what its partition %d lacks after offset %d of the old one is not known (%d ranges in all)", l.Topic, l.Partition, l.From-1, len(lost))
		}
		return "", fmt.Errorf("messages were deleted by Kafka before they were read: %d ranges, the first %s partition %d offsets %d to %d", len(lost), l.Topic, l.Partition, l.From, l.To)
	}
	return "no messages lost", nil
}

func (a *app) checkBroker(ctx context.Context) (detail string, err error) {
	k, release, err := a.kafka(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, release()) }()
	for _, addr := range k.Brokers {
		conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return "", err
		}
		if err := conn.Close(); err != nil {
			return "", err
		}
	}
	partitions, err := k.Partitions(ctx)
	if err != nil {
		return "", err
	}
	if partitions == 0 {
		return "", fmt.Errorf("%s answers, but topic %s does not exist", strings.Join(k.Brokers, ", "), k.Topic)
	}
	return fmt.Sprintf("%s answers, topic %s has %d partitions", strings.Join(k.Brokers, ", "), k.Topic, partitions), nil
}
