package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/pipeline/intake"
	"github.com/tingke/tingke/pipeline/stream"
)

func (a *app) sendCommand() *cobra.Command {
	var input inputFlags
	c := &cobra.Command{
		Use:   "send FILE|DIR|-...",
		Short: "Produce transcript lines to Kafka",
		Long: "Sends the messages of files to the transcripts topic: JSON lines as they are, other formats as the messages made of\n" +
			"their rows. A broken JSON line is sent too and ends as a dead letter, so that nothing is lost; a row that cannot be\n" +
			"made into a message is named on standard error and left out.",
		Example: "  tingke send testdata/transcripts\n  KAFKA_BROKERS=kafka:9092 tingke send --map qianniu.yaml export.xlsx",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			opt, err := input.options(a.config)
			if err != nil {
				return err
			}
			ctx := c.Context()
			kafka, release, err := a.kafka(ctx)
			if err != nil {
				return err
			}
			if err := topicExists(ctx, kafka); err != nil {
				return errors.Join(err, release())
			}
			sent, sendErr := a.send(ctx, kafka, args, opt, nil)
			if err := errors.Join(sendErr, release()); err != nil {
				return err
			}
			if a.json {
				return json.NewEncoder(a.out).Encode(sent)
			}
			fmt.Fprintf(a.out, "%d messages sent to %s (%d of them no valid message, they become dead letters)\n", sent.Messages, kafka.Topic, sent.BadLines)
			if sent.Rejected > 0 {
				return usagef("%d rows could not be made into messages", sent.Rejected)
			}
			return nil
		},
	}
	input.register(c)
	return c
}

// topicExists tells before sending what would otherwise be tried for ever.
func topicExists(ctx context.Context, kafka stream.KafkaConfig) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	n, err := kafka.Partitions(ctx)
	if err != nil {
		return err
	}
	if n == 0 {
		return usagef("topic %s does not exist on %s: create it there, for instance: kafka-topics.sh --bootstrap-server %s --create --topic %s --partitions 4 --config max.message.bytes=20971520",
			kafka.Topic, strings.Join(kafka.Brokers, ","), kafka.Brokers[0], kafka.Topic)
	}
	return nil
}

// sent counts what a send did.
type sent struct {
	Messages int `json:"messages"`      // sent to the topic
	BadLines int `json:"bad_lines_in"`  // of these, lines that are no message
	Rejected int `json:"rejected_rows"` // rows of other formats that could not be made into messages
}

// At most so many lines, or bytes, are on their way at once.
const (
	sendLines = 2000
	sendBytes = 16 << 20
)

// send produces every line of the files; each, if given, sees every line before it is sent.
func (a *app) send(ctx context.Context, kafka stream.KafkaConfig, paths []string, opt intake.Options, each func(*line)) (sent, error) {
	var n sent
	p, err := stream.NewProducer(kafka, "", a.log)
	if err != nil {
		return n, err
	}
	var records []stream.Record
	size := 0
	flush := func() error {
		err := p.Send(ctx, records...)
		records, size = records[:0], 0
		return err
	}
	err = eachLine(ctx, paths, opt, func(l *line) error {
		if l.raw == nil {
			n.Rejected++
			fmt.Fprintln(a.err, l.problem())
			return nil
		}
		if each != nil {
			each(l)
		}
		r := stream.Record{Value: bytes.Clone(l.raw)}
		if l.msg != nil {
			r.Key = []byte(stream.KeyOf(l.msg))
		} else {
			n.BadLines++
		}
		n.Messages++
		records = append(records, r)
		if size += len(r.Value); len(records) >= sendLines || size >= sendBytes {
			return flush()
		}
		return nil
	})
	return n, errors.Join(err, flush(), p.Close())
}
