package stream

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tingke/tingke/schemas"
)

// clients are those of the tests by address: each has connections and a look at the cluster every tenth of a second.
var clients sync.Map

func client(c *cluster) *kafka.Client {
	made, _ := clients.LoadOrStore(c.addr, &kafka.Client{Addr: kafka.TCP(c.addr), Timeout: 10 * time.Second, Transport: &kafka.Transport{MetadataTTL: 100 * time.Millisecond}})
	return made.(*kafka.Client)
}

// committed gives the offset of the first partition that the group has committed.
func committed(t testing.TB, c *cluster) int64 {
	t.Helper()
	resp, err := client(c).OffsetFetch(testContext(t, 10*time.Second), &kafka.OffsetFetchRequest{GroupID: c.topic, Topics: map[string][]int{c.topic: {0}}})
	if err != nil {
		t.Fatal(err)
	}
	return resp.Topics[c.topic][0].CommittedOffset
}

func readTopic(t testing.TB, c *cluster, topic string, n int) []kafka.Message {
	t.Helper()
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{c.addr}, Topic: topic, MaxBytes: maxRecordBytes, MaxWait: 50 * time.Millisecond})
	defer r.Close()
	var out []kafka.Message
	for range n {
		m, err := r.ReadMessage(testContext(t, 10*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

// deleteRecords deletes the messages of a partition before an offset, as retention does.
func deleteRecords(t testing.TB, c *cluster, partition int32, before int64) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.addr))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	req := kmsg.NewPtrDeleteRecordsRequest()
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic = c.topic
	part := kmsg.NewDeleteRecordsRequestTopicPartition()
	part.Partition, part.Offset = partition, before
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	req.TimeoutMillis = 5000
	resp, err := req.RequestWith(testContext(t, 10*time.Second), cl)
	if err != nil {
		t.Fatal(err)
	}
	if code := resp.Topics[0].Partitions[0].ErrorCode; code != 0 {
		t.Fatal(kafka.Error(code))
	}
}

func TestLostRanges(t *testing.T) {
	t.Parallel()
	b := startBroker(t, 1)
	store := newMemStore()
	o := testOptions(t, b, store)
	w := start(t, o)
	send(t, b, turnLine("a", 1), turnLine("a", 2))
	w.endInput(t)
	w.stop(t)

	// Deleted while nobody reads: three messages, and everything there is.
	send(t, b, turnLine("b", 1), turnLine("b", 2), turnLine("b", 3))
	deleteRecords(t, b, 0, 5)
	w = start(t, o)
	eventually(t, "the lost range is stored", func() bool { store.mu.Lock(); defer store.mu.Unlock(); return len(store.lost) == 1 })
	id, err := w.ids.get(testContext(t, 10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if l := store.lost[0]; l.From != 2 || l.To != 4 || l.Partition != 0 || l.Topic != b.topic || l.TopicID != id || id == "" {
		t.Errorf("lost range %+v, want 2 to 4 of topic id %s", l, id)
	}
	if err := w.Ready(); err == nil || !strings.Contains(err.Error(), "deleted before they were read") {
		t.Errorf("ready says %v", err)
	}
	w.AcknowledgeLostRanges()
	if err := w.Ready(); err != nil {
		t.Errorf("after the acknowledgement ready says %v", err)
	}
	send(t, b, turnLine("c", 1))
	w.endInput(t)
	w.stop(t)
	compare(t, store, []string{turnLine("a", 1), turnLine("a", 2), turnLine("c", 1)})

	// Offsets left out by a reset are not lost: what is still there is read.
	w = start(t, o)
	c := w.endInput(t)
	w.stop(t)
	if c.LostRanges != 0 || c.Messages != 0 {
		t.Errorf("counts %+v", c)
	}
}

// TestRecreatedTopic: a topic deleted and made again under a live worker is read from its start.
func TestRecreatedTopic(t *testing.T) {
	t.Parallel()
	b := startBroker(t, 1)
	store := newMemStore()
	o := testOptions(t, b, store)
	w := start(t, o)
	send(t, b, turnLine("a", 1), turnLine("a", 2), turnLine("a", 3))
	w.endInput(t)
	recreate := func() {
		t.Helper()
		b.delete(t)
		b.create(t, 1)
	}
	recreate()
	eventually(t, "the new topic takes messages", func() bool {
		p, err := NewProducer(o.Kafka, "", testLog(t))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		return p.Send(ctx, Record{Key: []byte("b"), Value: []byte(turnLine("b", 1))}) == nil
	})
	eventually(t, "the new topic is read from its start", func() bool { return w.Counts().Turns >= 4 })
	w.endInput(t)
	w.stop(t)
	compare(t, store, []string{turnLine("a", 1), turnLine("a", 2), turnLine("a", 3), turnLine("b", 1)})

	// And while nobody reads: the committed offset is beyond the end.
	recreate()
	send(t, b, turnLine("c", 1))
	deleteCommitted := committed(t, b)
	w = start(t, o)
	w.endInput(t)
	w.stop(t)
	compare(t, store, []string{turnLine("a", 1), turnLine("a", 2), turnLine("a", 3), turnLine("b", 1), turnLine("c", 1)})
	if got := committed(t, b); got != 1 {
		t.Errorf("committed offset is %d (was %d), want 1", got, deleteCommitted)
	}
}

// TestMissingTopic: the worker waits for the topic instead of spinning, and for added partitions.
func TestMissingTopic(t *testing.T) {
	t.Parallel()
	b := startBroker(t, 1)
	store := newMemStore()
	o := testOptions(t, b, store)
	later := &cluster{b.addr, b.topic + ".later"}
	o.Kafka.Topic, o.Kafka.Group = later.topic, later.topic
	w := start(t, o)
	eventually(t, "it says so", func() bool { return w.Ready() != nil && strings.Contains(w.Ready().Error(), "does not exist") })
	later.create(t, 2)
	defer later.delete(t)
	eventually(t, "it reads both partitions", func() bool { return len(w.Partitions()) == 2 })
	if _, err := client(b).CreatePartitions(testContext(t, 10*time.Second), &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: later.topic, Count: 3}}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it reads the third", func() bool { return len(w.Partitions()) == 3 })
	w.stop(t)
}

func TestLargeMessages(t *testing.T) {
	t.Parallel()
	b := startBroker(t, 1)
	store := newMemStore()
	var lines []string
	for i := range 1 {
		var turns []string
		for range 15 {
			turns = append(turns, fmt.Sprintf(`{"role":"agent","text":%q}`, strings.Repeat("长", schemas.MaxTextBytes/3)))
		}
		lines = append(lines, fmt.Sprintf(`{"type":"session","session_id":"big%d","turns":[%s]}`, i, strings.Join(turns, ",")))
	}
	lines = append(lines, strings.Repeat("x", schemas.MaxMessageBytes+1))
	send(t, b, lines...)
	w := start(t, testOptions(t, b, store))
	w.endInput(t)
	w.stop(t)
	compare(t, store, lines)
}

func TestProducer(t *testing.T) {
	t.Parallel()
	b := startBroker(t, 3)
	p, err := NewProducer(KafkaConfig{Brokers: []string{b.addr}}, b.topic, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var records []Record
	for i := range 5000 {
		records = append(records, Record{Key: fmt.Appendf(nil, "k%d", i%17), Value: fmt.Appendf(nil, "%d", i)})
	}
	if err := p.Send(testContext(t, 20*time.Second), records...); err != nil {
		t.Fatal(err)
	}
	// One too large for the broker does not keep the others out.
	err = p.Send(testContext(t, 20*time.Second), Record{Value: []byte("5000")}, Record{Value: make([]byte, maxRecordBytes+chunkBytes)}, Record{Value: []byte("5001")})
	if u, ok := err.(interface{ Unwrap() []error }); !ok || len(u.Unwrap()) != 1 || !strings.Contains(err.Error(), "record 1") {
		t.Errorf("a record beyond the limit gives %v", err)
	}
	last := map[string]int{}
	n := 0
	for part := range 3 {
		ends, err := client(b).ListOffsets(testContext(t, 10*time.Second), &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{b.topic: {kafka.LastOffsetOf(part)}}})
		if err != nil {
			t.Fatal(err)
		}
		end := ends.Topics[b.topic][0].LastOffset
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{b.addr}, Topic: b.topic, Partition: part, MaxWait: 50 * time.Millisecond})
		for range end {
			m, err := r.ReadMessage(testContext(t, 10*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			var i int
			fmt.Sscan(string(m.Value), &i)
			if key := string(m.Key); key != "" {
				if before, ok := last[key]; ok && before >= i {
					t.Fatalf("key %s: %d after %d", key, i, before)
				}
				last[key] = i
			}
			n++
		}
		r.Close()
	}
	if n != 5002 {
		t.Errorf("%d records are in the topic, want 5002", n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Send(ctx, Record{Value: []byte("x")}); err == nil {
		t.Error("sending after the end gives no error")
	}
}

func TestValidate(t *testing.T) {
	f := func(want string, change func(*KafkaConfig)) {
		t.Helper()
		c := KafkaConfig{Brokers: []string{"h:9092"}}
		change(&c)
		err := c.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("Validate gives %v, want %q", err, want)
		}
	}
	f("", func(*KafkaConfig) {})
	f("kafka.brokers: no address", func(c *KafkaConfig) { c.Brokers = nil })
	f("no host:port", func(c *KafkaConfig) { c.Brokers = []string{"h"} })
	f("kafka.dead_letter_topic", func(c *KafkaConfig) { c.Topic, c.DeadTopic = "a", "a" })
	f("kafka.sasl.mechanism", func(c *KafkaConfig) { c.SASL.Mechanism = "gssapi" })
	f("kafka.sasl.user", func(c *KafkaConfig) { c.SASL.Mechanism = "plain" })
	f("kafka.sasl.mechanism: is empty", func(c *KafkaConfig) { c.SASL.User = "u" })
	f("", func(c *KafkaConfig) { c.SASL = SASLConfig{Mechanism: "scram-sha-512", User: "u", Password: "p"} })
	f("kafka.tls: cert_file", func(c *KafkaConfig) { c.TLS = TLSConfig{Enabled: true, CertFile: "f"} })
	f("kafka.tls.enabled", func(c *KafkaConfig) { c.TLS.CAFile = "f" })
	if _, err := New(Options{Kafka: KafkaConfig{Brokers: []string{"h:1"}}}); err == nil || !strings.Contains(err.Error(), "are needed") {
		t.Errorf("New without anything gives %v", err)
	}
}
