//go:build faults

package faults

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// span is the range of offsets a partition has, from first to last-1.
type span struct{ first, last int64 }

func (d *deployment) createTopic(t *testing.T) {
	t.Helper()
	var last error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		resp, err := d.client.CreateTopics(within(t, time.Minute), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{
			{Topic: d.topic, NumPartitions: partitions, ReplicationFactor: 1},
		}})
		if err == nil && (resp.Errors[d.topic] == nil) {
			return
		}
		last = errors.Join(err, topicError(resp, d.topic))
	}
	t.Fatalf("cannot make topic %s: %v", d.topic, last)
}

func topicError(resp *kafka.CreateTopicsResponse, topic string) error {
	if resp == nil {
		return nil
	}
	return resp.Errors[topic]
}

// deleteTopic deletes the topic and returns when Kafka does not know it any more.
func (d *deployment) deleteTopic(t *testing.T) {
	t.Helper()
	eventually(t, patience, "topic "+d.topic+" is deleted", func() bool {
		resp, err := d.client.DeleteTopics(within(t, time.Minute), &kafka.DeleteTopicsRequest{Topics: []string{d.topic}})
		return err == nil && errors.Is(resp.Errors[d.topic], kafka.UnknownTopicOrPartition)
	})
}

func partitionIDs() []int {
	var ids []int
	for p := range partitions {
		ids = append(ids, p)
	}
	return ids
}

// spans asks for the ends of all partitions.
func (d *deployment) spans(ctx context.Context) (map[int]span, error) {
	var reqs []kafka.OffsetRequest
	for _, p := range partitionIDs() {
		reqs = append(reqs, kafka.FirstOffsetOf(p), kafka.LastOffsetOf(p))
	}
	resp, err := d.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{d.topic: reqs}})
	if err != nil {
		return nil, err
	}
	out := map[int]span{}
	for _, p := range resp.Topics[d.topic] {
		if p.Error != nil {
			return nil, p.Error
		}
		out[p.Partition] = span{p.FirstOffset, p.LastOffset}
	}
	if len(out) != partitions {
		return nil, fmt.Errorf("Kafka tells of %d partitions", len(out))
	}
	return out, nil
}

// committed asks what the group has committed; partitions without anything have -1.
func (d *deployment) committed(ctx context.Context) (map[int]int64, error) {
	resp, err := d.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: d.group, Topics: map[string][]int{d.topic: partitionIDs()}})
	if err != nil {
		return nil, err
	}
	if resp.Error != nil {
		return nil, resp.Error
	}
	out := map[int]int64{}
	for _, p := range resp.Topics[d.topic] {
		if p.Error != nil {
			return nil, p.Error
		}
		out[p.Partition] = p.CommittedOffset
	}
	return out, nil
}

// members is how many workers Kafka counts in the group.
func (d *deployment) members(t *testing.T) int {
	t.Helper()
	resp, err := d.client.DescribeGroups(within(t, patience), &kafka.DescribeGroupsRequest{GroupIDs: []string{d.group}})
	if err != nil || len(resp.Groups) != 1 || resp.Groups[0].Error != nil {
		t.Fatalf("group %s is described as %+v: %v", d.group, resp, err)
	}
	return len(resp.Groups[0].Members)
}

// truncate deletes all messages of the topic that are there now, as retention does, and gives their offsets.
func (d *deployment) truncate(t *testing.T) map[int]span {
	t.Helper()
	ctx := within(t, patience)
	spans, err := d.spans(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(d.addr))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	req := kmsg.NewPtrDeleteRecordsRequest()
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic = d.topic
	for p, s := range spans {
		part := kmsg.NewDeleteRecordsRequestTopicPartition()
		part.Partition, part.Offset = int32(p), s.last
		topic.Partitions = append(topic.Partitions, part)
	}
	req.Topics = append(req.Topics, topic)
	req.TimeoutMillis = 10_000
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range resp.Topics[0].Partitions {
		if p.ErrorCode != 0 {
			t.Fatal(kafka.Error(p.ErrorCode))
		}
	}
	return spans
}

// deadTopicHolds reads the dead-letter topic: every bad message of the corpus is there, byte by byte, and nothing else.
func (d *deployment) deadTopicHolds(t *testing.T, c *corpus) {
	t.Helper()
	ctx := within(t, patience)
	resp, err := d.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{d.dead: {kafka.FirstOffsetOf(0), kafka.LastOffsetOf(0)}}})
	if err != nil {
		t.Fatal(err)
	}
	ends := resp.Topics[d.dead][0]
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{d.addr}, Topic: d.dead, MaxBytes: 32 << 20})
	defer r.Close()
	seen := map[string]bool{}
	for at := ends.FirstOffset; at < ends.LastOffset; {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		at = m.Offset + 1
		sum := sha256.Sum256(m.Value)
		hash := hex.EncodeToString(sum[:])
		if !c.bad[hash] {
			t.Fatalf("the dead-letter topic holds a message that is not bad: %.200s", m.Value)
		}
		seen[hash] = true
	}
	if len(seen) != len(c.bad) {
		t.Fatalf("the dead-letter topic holds %d of %d bad messages", len(seen), len(c.bad))
	}
}

// withDatabase gives the address of another database of the same server.
func withDatabase(dsn, name string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}
