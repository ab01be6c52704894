package stream

import (
	"context"
	"errors"
	"strconv"

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

// Retention asks Kafka for how many milliseconds a topic keeps messages; -1 is for ever.
func (c KafkaConfig) Retention(ctx context.Context, topic string) (int64, error) {
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
	client := &kafka.Client{Addr: kafka.TCP(c.Brokers...), Transport: transport}
	resp, err := client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{"retention.ms"}}},
	})
	if err != nil {
		return 0, err
	}
	for _, r := range resp.Resources {
		if r.Error != nil {
			return 0, r.Error
		}
		for _, e := range r.ConfigEntries {
			if e.ConfigName == "retention.ms" {
				return strconv.ParseInt(e.ConfigValue, 10, 64)
			}
		}
	}
	return 0, errors.New("the broker does not say")
}
