package main

import (
	"context"
	"fmt"

	"github.com/tingke/tingke/pipeline/broker"
	"github.com/tingke/tingke/pipeline/stream"
)

// kafka is the configured Kafka, else the embedded broker of --dir, hosted by this process if no other does. The
// function given back lets go of it.
func (a *app) kafka(ctx context.Context) (stream.KafkaConfig, func() error, error) {
	k := a.config.Kafka
	c := stream.KafkaConfig{
		Brokers: k.Brokers, Topic: k.Topic, DeadTopic: k.DeadLetterTopic, Group: k.Group,
		SASL: stream.SASLConfig{Mechanism: k.SASL.Mechanism, User: k.SASL.User, PasswordFile: k.SASL.PasswordFile},
		TLS:  stream.TLSConfig{Enabled: k.TLS.Enabled, CAFile: k.TLS.CAFile, CertFile: k.TLS.CertFile, KeyFile: k.TLS.KeyFile, ServerName: k.TLS.ServerName},
	}
	release := func() error { return nil }
	if len(c.Brokers) == 0 {
		h, err := broker.Acquire(ctx, broker.Options{Dir: a.dir, Partitions: k.Partitions, Log: a.log})
		if err != nil {
			return c, release, err
		}
		a.log.Debug("embedded broker", "address", h.Addr, "hosted_here", h.Hosted())
		c.Brokers, release = []string{h.Addr}, h.Close
	}
	if err := c.Validate(); err != nil {
		_ = release()
		return c, release, &exitError{exitUsage, fmt.Errorf("configuration: %w", err)}
	}
	return c, release, nil
}
