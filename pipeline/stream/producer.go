package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/tingke/tingke/schemas"
)

// Record is one message to produce.
type Record struct {
	Key     []byte
	Value   []byte
	Headers []kafka.Header
}

// KeyOf gives the Kafka key of a message: the session's id, for an order the customer's, else the order's. All messages
// of a session thus share a partition.
func KeyOf(m *schemas.Message) string {
	switch {
	case m.Session != nil:
		return m.Session.SessionID
	case m.Turn != nil:
		return m.Turn.SessionID
	case m.End != nil:
		return m.End.SessionID
	case m.Rating != nil:
		return m.Rating.SessionID
	case m.Order != nil && m.Order.CustomerID != "":
		return m.Order.CustomerID
	case m.Order != nil:
		return m.Order.OrderID
	}
	return ""
}

// UnsentError is a record that Kafka will never take, such as one beyond its size limit.
type UnsentError struct {
	Index int // in the records given to Send
	Err   error
}

func (e *UnsentError) Error() string { return fmt.Sprintf("record %d: %v", e.Index, e.Err) }

func (e *UnsentError) Unwrap() error { return e.Err }

// Producer writes records to one topic, acknowledged by all replicas. kafka-go's writer is not idempotent: after an
// answer that got lost a record is in the topic twice, which readers bear. Send may be called from several goroutines;
// records of one key keep the order of one caller.
type Producer struct {
	writer *kafka.Writer
	log    *slog.Logger
}

// Of one call of the writer, all records of a partition must fit into one batch: what is written or fails together
// keeps its order when the failed part is written again.
const (
	chunkRecords = 1000
	chunkBytes   = 8 << 20
)

// NewProducer makes a producer for a topic, the transcripts topic where topic is empty. log is slog.Default where nil.
func NewProducer(c KafkaConfig, topic string, log *slog.Logger) (*Producer, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.setDefaults()
	if topic == "" {
		topic = c.Topic
	}
	a, err := c.access()
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.Default()
	}
	return &Producer{log: log, writer: &kafka.Writer{
		Addr: kafka.TCP(c.Brokers...), Topic: topic, Transport: a.transport(),
		Balancer:     &kafka.Murmur2Balancer{Consistent: true}, // as Java producers do
		RequiredAcks: kafka.RequireAll,
		BatchSize:    chunkRecords, BatchBytes: maxRecordBytes + chunkBytes, BatchTimeout: time.Millisecond,
		MaxAttempts: 3, WriteBackoffMin: 50 * time.Millisecond, WriteBackoffMax: 500 * time.Millisecond,
	}}, nil
}

// Send writes the records and returns when all are acknowledged. What Kafka could not take for a passing reason is
// written again until ctx ends. Records it will never take are left out and come back as UnsentErrors, joined.
func (p *Producer) Send(ctx context.Context, records ...Record) error {
	var unsent []error
	for from := 0; from < len(records); {
		to, size := from, 0
		for to < len(records) && to-from < chunkRecords {
			n := len(records[to].Key) + len(records[to].Value)
			if to > from && size+n > chunkBytes {
				break
			}
			size += n
			to++
		}
		errs, err := p.sendChunk(ctx, from, records[from:to])
		unsent = append(unsent, errs...)
		if err != nil {
			return errors.Join(append(unsent, err)...)
		}
		from = to
	}
	return errors.Join(unsent...)
}

func (p *Producer) sendChunk(ctx context.Context, from int, records []Record) (unsent []error, err error) {
	msgs := make([]kafka.Message, len(records))
	index := make([]int, len(records))
	for i, r := range records {
		msgs[i] = kafka.Message{Key: r.Key, Value: r.Value, Headers: r.Headers}
		index[i] = from + i
	}
	keep := func(wanted func(i int) bool) {
		n := 0
		for i := range msgs {
			if wanted(i) {
				msgs[n], index[n] = msgs[i], index[i]
				n++
			}
		}
		msgs, index = msgs[:n], index[:n]
	}
	for attempt := 0; len(msgs) > 0; attempt++ {
		err := p.writer.WriteMessages(ctx, msgs...)
		if err == nil {
			return unsent, nil
		}
		var each kafka.WriteErrors
		var large kafka.MessageTooLargeError
		switch {
		case errors.As(err, &each):
			var first error
			keep(func(i int) bool {
				switch {
				case each[i] == nil:
					return false
				case permanent(each[i]):
					unsent = append(unsent, &UnsentError{index[i], each[i]})
					return false
				}
				first = each[i]
				return true
			})
			err = first
		case errors.As(err, &large): // told of one message before anything is written
			keep(func(i int) bool {
				if n := len(msgs[i].Key) + len(msgs[i].Value); n > maxRecordBytes {
					unsent = append(unsent, &UnsentError{index[i], fmt.Errorf("%d bytes are over the limit", n)})
					return false
				}
				return true
			})
		case permanent(err):
			return unsent, err
		}
		if ctx.Err() != nil {
			return unsent, fmt.Errorf("%d records are not written: %w", len(msgs), errors.Join(ctx.Err(), err))
		}
		if len(msgs) == 0 {
			break
		}
		p.log.Warn("cannot produce, trying again", "topic", p.writer.Topic, "records", len(msgs), "error", err, "attempt", attempt+1)
		if pause(ctx, min(5*time.Second, 100*time.Millisecond<<min(attempt, 6))) != nil {
			return unsent, fmt.Errorf("%d records are not written: %w", len(msgs), errors.Join(ctx.Err(), err))
		}
	}
	return unsent, nil
}

// permanent says whether writing again cannot help.
func permanent(err error) bool {
	for _, e := range []kafka.Error{
		kafka.MessageSizeTooLarge, kafka.InvalidTopic, kafka.RecordListTooLarge, kafka.TopicAuthorizationFailed,
		kafka.InvalidTimestamp, kafka.InvalidRecord, kafka.SASLAuthenticationFailed,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Close ends the producer; everything sent is acknowledged already.
func (p *Producer) Close() error {
	err := p.writer.Close()
	p.writer.Transport.(*kafka.Transport).CloseIdleConnections()
	return err
}
