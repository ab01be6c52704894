package stream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/segmentio/kafka-go"

	"github.com/tingke/tingke/pipeline/failpoint"
)

// Headers of a record in the dead-letter topic, beside those it came with.
const (
	HeaderTopic     = "tingke-topic"
	HeaderPartition = "tingke-partition"
	HeaderOffset    = "tingke-offset"
	HeaderError     = "tingke-error"
)

// rawLimit is how much of a bad message the table keeps, in bytes.
const rawLimit = 4 << 10

// bad is a message that could not be used: its row, and the record for the dead-letter topic.
type bad struct {
	row    DeadLetter
	record Record
}

// deadLetters sends bad messages on and knows their rate. Only the processor of the current generation uses it.
type deadLetters struct {
	w        *Worker
	producer *Producer
	// recent are the latest messages, true for a bad one; seen counts them all.
	recent [1000]bool
	seen   int64
	bad    int
}

func newDeadLetters(w *Worker) *deadLetters { return &deadLetters{w: w} }

// newBad makes a dead letter of a message that failed with err.
func (d *deadLetters) newBad(m *kafka.Message, err error) *bad {
	sum := sha256.Sum256(m.Value)
	record := Record{Key: m.Key, Value: m.Value, Headers: append(append([]kafka.Header(nil), m.Headers...),
		kafka.Header{Key: HeaderTopic, Value: []byte(m.Topic)},
		kafka.Header{Key: HeaderPartition, Value: []byte(strconv.Itoa(m.Partition))},
		kafka.Header{Key: HeaderOffset, Value: []byte(strconv.FormatInt(m.Offset, 10))},
		kafka.Header{Key: HeaderError, Value: []byte(err.Error())})}
	return &bad{record: record, row: DeadLetter{
		Topic: m.Topic, Partition: int32(m.Partition), Offset: m.Offset,
		// The error quotes the value it complains about.
		Error: d.w.maskRaw([]byte(err.Error())), RawMasked: d.w.maskRaw(m.Value), SHA256: hex.EncodeToString(sum[:]), At: m.Time.UTC(),
	}}
}

// maskRaw masks the beginning of a raw message. It masks more than it keeps, so that nothing at the cut escapes.
func (w *Worker) maskRaw(raw []byte) (masked string) {
	defer func() {
		if r := recover(); r != nil {
			w.o.Log.Error("masking a dead letter panicked; its text is left out", "panic", r)
			masked = ""
		}
	}()
	return cut(w.o.MaskText(strings.ToValidUTF8(cut(string(raw), 2*rawLimit), "\uFFFD")), rawLimit)
}

// cut shortens a text to at most n bytes without cutting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// note counts one message and says whether too many of the latest were bad.
func (d *deadLetters) note(isBad bool) error {
	i := d.seen % int64(len(d.recent))
	if d.recent[i] {
		d.bad--
	}
	d.recent[i] = isBad
	if isBad {
		d.bad++
	}
	d.seen++
	n := len(d.recent)
	if d.seen < int64(n) || !isBad || float64(d.bad) <= d.w.o.DeadLetterStop*float64(n) {
		return nil
	}
	return fmt.Errorf("%w: %d of the latest %d of topic %s; the reasons are in dead_letters and in the headers of topic %s",
		ErrTooManyDeadLetters, d.bad, n, d.w.o.Kafka.Topic, d.w.o.Kafka.DeadTopic)
}

// produce writes bad messages to the dead-letter topic.
func (d *deadLetters) produce(ctx context.Context, letters []*bad) error {
	if len(letters) == 0 {
		return nil
	}
	if d.producer == nil {
		p, err := NewProducer(d.w.o.Kafka, d.w.o.Kafka.DeadTopic, d.w.o.Log)
		if err != nil {
			return err
		}
		d.producer = p
	}
	failpoint.Hit(failpoint.BeforeDeadLetter)
	records := make([]Record, len(letters))
	for i, b := range letters {
		records[i] = b.record
	}
	err := d.producer.Send(ctx, records...)
	if err != nil && ctx.Err() != nil {
		return err
	}
	if err != nil {
		// The broker will never take it; the table still has its beginning and its checksum.
		d.w.o.Log.Error("a dead letter stays out of the dead-letter topic", "topic", d.w.o.Kafka.DeadTopic, "error", err)
	}
	failpoint.Hit(failpoint.AfterDeadLetter)
	return nil
}

// ensureTopic makes the dead-letter topic where the broker lets it. Where it does not, the first dead letter tells.
func (d *deadLetters) ensureTopic(ctx context.Context) {
	resp, err := d.w.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{
		{Topic: d.w.o.Kafka.DeadTopic, NumPartitions: 1, ReplicationFactor: -1},
	}})
	if err == nil {
		err = resp.Errors[d.w.o.Kafka.DeadTopic]
	}
	if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) && ctx.Err() == nil {
		d.w.o.Log.Warn("cannot make the dead-letter topic; create it by hand if it does not exist", "topic", d.w.o.Kafka.DeadTopic, "error", err)
	}
}

func (d *deadLetters) close() {
	if d.producer != nil {
		_ = d.producer.Close()
	}
}
