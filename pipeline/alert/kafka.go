package alert

import (
	"context"
	"errors"
	"log/slog"

	"github.com/segmentio/kafka-go"

	"github.com/tingke/tingke/pipeline/stream"
)

// Kafka is a target that writes to a topic: key = session_id, value = the payload, header alert_id.
type Kafka struct{ producer *stream.Producer }

// NewKafka makes the target; its owner closes it. The topic must exist.
func NewKafka(c stream.KafkaConfig, topic string, log *slog.Logger) (*Kafka, error) {
	if topic == c.Topic {
		return nil, errors.New("the topic is that of the transcripts")
	}
	p, err := stream.NewProducer(c, topic, log)
	if err != nil {
		return nil, err
	}
	return &Kafka{p}, nil
}

// Send implements Target.
func (k *Kafka) Send(ctx context.Context, d Delivery) error {
	err := k.producer.Send(ctx, stream.Record{Key: []byte(d.Key), Value: d.Body, Headers: []kafka.Header{{Key: "alert_id", Value: []byte(d.ID)}}})
	var unsent *stream.UnsentError
	if errors.As(err, &unsent) {
		return &PermanentError{err}
	}
	return err
}

// Close ends the producer.
func (k *Kafka) Close() error { return k.producer.Close() }
