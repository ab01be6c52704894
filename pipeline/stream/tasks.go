package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/segmentio/kafka-go"
)

// Tasks reads a topic of work that several processes share. A task is given to one of them, and to another where that one
// dies before Done; it may come twice, so doing it again must do no harm. Whoever hands tasks out looks at what became of
// them, not at offsets: a task that is lost is sent once more.
//
// It is for one goroutine.
type Tasks struct {
	reader *kafka.Reader
	last   kafka.Message
}

// NewTasks joins a consumer group of the topic. The caller closes it.
func NewTasks(c KafkaConfig, topic, group string, log *slog.Logger) (*Tasks, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.setDefaults()
	a, err := c.access()
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.Default()
	}
	return &Tasks{reader: kafka.NewReader(kafka.ReaderConfig{
		Brokers: c.Brokers, Topic: topic, GroupID: group, Dialer: a.dialer(), MaxWait: 500 * time.Millisecond, MaxBytes: 1 << 20, QueueCapacity: 1,
		HeartbeatInterval: time.Second, SessionTimeout: 10 * time.Second, RebalanceTimeout: 10 * time.Second, JoinGroupBackoff: time.Second,
		StartOffset: kafka.FirstOffset, WatchPartitionChanges: true,
		ErrorLogger: kafka.LoggerFunc(func(format string, args ...any) { log.Debug("tasks: " + fmt.Sprintf(format, args...)) }),
	})}, nil
}

// Next waits for a task. io.EOF says that Tasks was closed.
func (t *Tasks) Next(ctx context.Context) ([]byte, error) {
	m, err := t.reader.FetchMessage(ctx)
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("cannot read tasks: %w", err)
	}
	t.last = m
	return m.Value, nil
}

// Done says that the last task is done. That it cannot be said is no error of the task: it comes once more.
func (t *Tasks) Done(ctx context.Context) error { return t.reader.CommitMessages(ctx, t.last) }

// Close leaves the group.
func (t *Tasks) Close() error { return t.reader.Close() }
