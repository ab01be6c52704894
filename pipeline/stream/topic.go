package stream

import (
	"context"

	"github.com/segmentio/kafka-go"
)

// Partitions asks Kafka how many partitions the transcripts topic has; 0 where it does not exist.
func (c KafkaConfig) Partitions(ctx context.Context) (int, error) {
	if err := c.Validate(); err != nil {
		return 0, err
	}
	c.setDefaults()
	a, err := c.access()
	if err != nil {
		return 0, err
	}
	transport := a.transport()
	defer transport.CloseIdleConnections()
	return partitionCount(ctx, &kafka.Client{Addr: kafka.TCP(c.Brokers...), Transport: transport}, &c)
}
