package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/forget"
	"github.com/tingke/tingke/pipeline/rerun"
	"github.com/tingke/tingke/pipeline/stream"
)

func (a *app) forgetCommand() *cobra.Command {
	var customer string
	var yes bool
	c := &cobra.Command{
		Use:   "forget --customer ID",
		Short: "Remove everything of a customer, for good",
		Long: "Removes the conversations, orders, ratings, reviews, alerts and dead letters of a customer and all that was derived from\n" +
			"them, in every run; takes the customer's words out of what opinions were founded on, unless others said the same; and\n" +
			"blanks the session ids in the audit log. What stays is the customer's keyed pseudonym and a keyed hash of each session:\n" +
			"by these later messages are refused, also those that Kafka sends once more. ID is as your systems have it, or the\n" +
			"pseudonym that the pages show. Says at the end how long the topics still keep the raw messages. It cannot be undone.",
		Example: "  tingke forget --customer 8812033 --yes\n  tingke forget --customer cu_e096fe3ed869a236aeb56dc32d88c3b3 --yes --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if strings.TrimSpace(customer) == "" {
				return usagef("--customer is needed: the id of the customer as your systems have it, or the pseudonym that the pages show")
			}
			return a.withStore(c.Context(), func(s *store) error { return a.forget(c.Context(), s, customer, yes) })
		},
	}
	c.Flags().StringVar(&customer, "customer", "", "customer id, or pseudonym")
	c.Flags().BoolVar(&yes, "yes", false, "do it; without, only say what would be removed")
	return c
}

// forgetResult is what `forget --json` prints.
type forgetResult struct {
	*forget.Result
	Done   bool       `json:"done"`
	Topics []topicAge `json:"topics"`
	// Uploads are imported files that are still there: they are kept as they came, of whatever customers.
	Uploads int `json:"uploads"`
}

// topicAge says how long a topic keeps messages.
type topicAge struct {
	Topic string `json:"topic"`
	Keeps string `json:"keeps"` // a duration, "for ever" or "unknown: why"
}

func (a *app) forget(ctx context.Context, s *store, customer string, yes bool) error {
	key, err := a.storeKey(ctx, s)
	if err != nil {
		return err
	}
	pseudonym := mask.New(key, mask.Options{}).Pseudonym(customer)
	out := forgetResult{Done: yes}
	if !yes {
		ids, err := s.SessionsOfCustomers(ctx, []string{pseudonym})
		if err != nil {
			return err
		}
		out.Result = &forget.Result{Pseudonym: pseudonym, Sessions: len(ids)}
	} else {
		if out.Result, err = forget.Customer(ctx, s.Warehouse, key, pseudonym); err != nil {
			return fmt.Errorf("not everything is removed (the customer's messages are refused from now on; give the command again): %w", err)
		}
		// The id itself must not stand in the audit log.
		if err := a.audit(ctx, s, "forget", "customer", map[string]any{"sessions": out.Sessions}); err != nil {
			return findingsf("everything is removed, but that is not in the audit log: %w", err)
		}
	}
	for _, topic := range []string{a.config.Kafka.Topic, a.config.Kafka.DeadLetterTopic} {
		out.Topics = append(out.Topics, topicAge{topic, a.topicKeeps(ctx, topic)})
	}
	if entries, err := os.ReadDir(filepath.Join(a.dir, "uploads")); err == nil {
		out.Uploads = len(entries)
	}
	if a.json {
		return json.NewEncoder(a.out).Encode(out)
	}
	if !yes {
		fmt.Fprintf(a.out, "%d sessions of customer %s would be removed, and everything else of that customer; --yes does it, for good\n", out.Sessions, pseudonym)
	} else {
		fmt.Fprintf(a.out, "%d sessions of customer %s are removed\n", out.Sessions, pseudonym)
		for _, table := range sortedNames(out.Rows) {
			fmt.Fprintf(a.out, "  %-20s %d rows\n", table, out.Rows[table])
		}
		if out.Members > 0 {
			fmt.Fprintf(a.out, "  %d texts were taken out of the registry of opinions\n", out.Members)
		}
	}
	for _, t := range out.Topics {
		fmt.Fprintf(a.out, "topic %s keeps raw messages: %s\n", t.Topic, t.Keeps)
	}
	if out.Uploads > 0 {
		fmt.Fprintf(a.out, "%s holds %d imports as they came: delete those in which the customer is\n", filepath.Join(a.dir, "uploads"), out.Uploads)
	}
	return nil
}

func sortedNames[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// topicKeeps asks the broker how long a topic keeps messages. The embedded broker is asked only where it is this folder's.
func (a *app) topicKeeps(ctx context.Context, topic string) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if len(a.config.Kafka.Brokers) == 0 {
		if _, err := os.Stat(filepath.Join(a.dir, "broker")); err != nil {
			return "unknown: there is no broker in " + a.dir
		}
	}
	k, release, err := a.kafka(ctx)
	if err != nil {
		return "unknown: " + err.Error()
	}
	defer func() { _ = release() }()
	ms, err := k.Retention(ctx, topic)
	switch {
	case err != nil:
		return "unknown: " + err.Error()
	case ms < 0:
		return "for ever (retention.ms)"
	}
	return (time.Duration(ms) * time.Millisecond).String() + " (retention.ms)"
}

// discreet keeps sessions of forgotten customers from a watcher: no alert is stored or sent of them.
type discreet struct {
	stream.Watcher
	live *rerun.Live
}

// Arrived implements stream.Watcher.
func (d discreet) Arrived(s *assemble.State) {
	if !d.live.Forgotten(s.SessionID, s.Meta.CustomerID) {
		d.Watcher.Arrived(s)
	}
}

// Analysed implements stream.Watcher.
func (d discreet) Analysed(ctx context.Context, sessions []stream.Watched) error {
	kept := make([]stream.Watched, 0, len(sessions))
	for _, x := range sessions {
		if !d.live.Forgotten(x.State.SessionID, x.State.Meta.CustomerID) {
			kept = append(kept, x)
		}
	}
	return d.Watcher.Analysed(ctx, kept)
}
