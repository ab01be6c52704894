package stream

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// topicIDs asks Kafka for the id of the topic: one that was deleted and made again has another, whatever its offsets say.
// kafka-go cannot ask for it, so this one question goes through franz-go.
type topicIDs struct {
	client *kgo.Client
	topic  string
}

func newTopicIDs(c *KafkaConfig, a *access) (*topicIDs, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...), kgo.ClientID("tingke"), kgo.RequestRetries(1), kgo.RetryTimeout(5 * time.Second),
		kgo.DialTLSConfig(a.tls),
	}
	switch c.SASL.Mechanism {
	case "plain":
		opts = append(opts, kgo.SASL(plain.Auth{User: c.SASL.User, Pass: a.password}.AsMechanism()))
	case "scram-sha-256":
		opts = append(opts, kgo.SASL(scram.Auth{User: c.SASL.User, Pass: a.password}.AsSha256Mechanism()))
	case "scram-sha-512":
		opts = append(opts, kgo.SASL(scram.Auth{User: c.SASL.User, Pass: a.password}.AsSha512Mechanism()))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return &topicIDs{client, c.Topic}, nil
}

// get gives the id of the topic, "" where Kafka is too old to have any (before 2.8). A missing topic is
// kafka.UnknownTopicOrPartition.
func (ids *topicIDs) get(ctx context.Context) (string, error) {
	req := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr(ids.topic)
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, ids.client)
	if err != nil {
		return "", err
	}
	if len(resp.Topics) != 1 {
		return "", kafka.UnknownTopicOrPartition
	}
	if code := resp.Topics[0].ErrorCode; code != 0 {
		return "", kafka.Error(code)
	}
	if id := resp.Topics[0].TopicID; id != [16]byte{} {
		return hex.EncodeToString(id[:]), nil
	}
	return "", nil
}

func (ids *topicIDs) close() { ids.client.Close() }

// commitNote is what stands beside a committed offset: of which topic it is, and where the log ended as far as was known.
// Kafka forgets the commits of a deleted topic, but a worker that has not noticed yet commits the old offset into the new
// one, and whoever comes next would begin there.
type commitNote struct {
	topicID string
	end     int64
}

func (n commitNote) String() string {
	if n.topicID == "" {
		return ""
	}
	return fmt.Sprintf("topic=%s end=%d", n.topicID, n.end)
}

// parseCommitNote reads the note of a commit; what others wrote there is no note.
func parseCommitNote(s string) (n commitNote) {
	id, end, ok := strings.Cut(strings.TrimPrefix(s, "topic="), " end=")
	if !ok || !strings.HasPrefix(s, "topic=") {
		return commitNote{}
	}
	offset, err := strconv.ParseInt(end, 10, 64)
	if err != nil {
		return commitNote{}
	}
	return commitNote{id, offset}
}

// commitNotes reads the notes of the commits of some partitions.
func (w *Worker) commitNotes(ctx context.Context, partitions []int) (map[int]commitNote, error) {
	resp, err := w.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: w.o.Kafka.Group, Topics: map[string][]int{w.o.Kafka.Topic: partitions}})
	if err != nil {
		return nil, err
	}
	if resp.Error != nil {
		return nil, resp.Error
	}
	out := map[int]commitNote{}
	for _, p := range resp.Topics[w.o.Kafka.Topic] {
		if p.Error != nil {
			return nil, p.Error
		}
		out[p.Partition] = parseCommitNote(p.Metadata)
	}
	return out, nil
}

// commitOffsets commits offsets with their notes for a generation.
func (w *Worker) commitOffsets(gen *kafka.Generation, offsets []kafka.OffsetCommit) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	resp, err := w.client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
		GroupID: gen.GroupID, GenerationID: int(gen.ID), MemberID: gen.MemberID,
		Topics: map[string][]kafka.OffsetCommit{w.o.Kafka.Topic: offsets},
	})
	if err != nil {
		return err
	}
	for _, p := range resp.Topics[w.o.Kafka.Topic] {
		if p.Error != nil {
			return p.Error
		}
	}
	return nil
}

// leftLog is the log of a partition as a generation left it.
type leftLog struct {
	commitNote
	next int64 // all before is written
}

// remember keeps for the worker's next generation which logs this one has read.
func (p *processor) remember() {
	p.w.left = map[int]leftLog{}
	for id, part := range p.parts {
		c := part.offsets.committable()
		p.w.left[id] = leftLog{commitNote{part.topicID, max(part.logEnd, c)}, c}
	}
	for _, l := range p.side.lost { // it is not written: the next generation is to find it again
		if id := int(l.Partition); l.TopicID != p.parts[id].topicID {
			p.w.left[id] = leftLog{commitNote{l.TopicID, l.To + 1}, l.From}
		}
	}
}
