package stream

import (
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

func TestCommitNote(t *testing.T) {
	f := func(in string, want commitNote) {
		t.Helper()
		if got := parseCommitNote(in); got != want {
			t.Errorf("parseCommitNote(%q) = %+v, want %+v", in, got, want)
		}
	}
	f("", commitNote{})
	f("topic=0af1 end=17", commitNote{"0af1", 17})
	f("topic=0af1 end=x", commitNote{})
	f("somebody else's", commitNote{})
	f(commitNote{"ff00", 3}.String(), commitNote{"ff00", 3})
	if s := (commitNote{end: 3}).String(); s != "" {
		t.Errorf("without an id the note is %q", s)
	}
}

// TestTopicMadeAnewIsLonger: a topic made anew that is longer than the old one was is known by its id, under a live worker
// and by the note beside the offset that a worker committed which had not noticed.
func TestTopicMadeAnewIsLonger(t *testing.T) {
	t.Parallel()
	b := startBroker(t, 1)
	store := newMemStore()
	o := testOptions(t, b, store)
	o.PollEvery = time.Second // the new topic is full before the first look at it
	w := start(t, o)
	lines := []string{turnLine("a", 1), turnLine("a", 2), turnLine("a", 3)}
	send(t, b, lines...)
	w.endInput(t)
	oldID, err := w.ids.get(testContext(t, 10*time.Second))
	if err != nil || oldID == "" {
		t.Fatal(err, oldID)
	}
	b.delete(t)
	b.create(t, 1)
	var then []string
	for i := range 9 {
		then = append(then, turnLine("b", i+1))
	}
	send(t, b, then...)
	lines = append(lines, then...)
	eventually(t, "it is noticed and reported", func() bool { return w.Ready() != nil && w.Counts().LostRanges == 1 })
	w.AcknowledgeLostRanges()
	w.endInput(t)
	w.stop(t)
	compare(t, store, lines)
	if l := store.lost[0]; l.TopicID != oldID {
		t.Errorf("lost %+v, want of topic id %s", l, oldID)
	}

	// A worker that had not noticed has committed into the new topic.
	stale := func(note string) {
		t.Helper()
		resp, err := client(b).OffsetCommit(testContext(t, 10*time.Second), &kafka.OffsetCommitRequest{GroupID: b.topic, GenerationID: -1,
			Topics: map[string][]kafka.OffsetCommit{b.topic: {{Partition: 0, Offset: 4, Metadata: note}}}})
		if err != nil || resp.Topics[b.topic][0].Error != nil {
			t.Fatal(err, resp)
		}
	}
	read := func(messages int64, lost []LostRange) {
		t.Helper()
		store := newMemStore()
		o.Store = store
		w := start(t, o)
		c := w.endInput(t)
		w.stop(t)
		if c.Messages != messages || len(store.lost) != len(lost) {
			t.Fatalf("%d messages are read, want %d; lost %+v", c.Messages, messages, store.lost)
		}
		for i, l := range lost {
			if got := store.lost[i]; got.From != l.From || got.To != l.To || got.TopicID != l.TopicID {
				t.Errorf("lost %+v, want %+v", got, l)
			}
		}
	}
	const before = "00112233445566778899aabbccddeeff"
	stale("topic=" + before + " end=7")
	read(9, []LostRange{{TopicID: before, From: 4, To: 6}})
	stale("topic=" + before + " end=4")
	read(9, []LostRange{{TopicID: before, From: 4, To: 3}}) // nobody knows what it lacks
	stale("")
	read(5, nil)
}

// TestTopicMadeAnewBetweenGenerations: Kafka forgets what was committed together with the topic, so a generation that begins
// on the new one knows the old one only from the generation before.
func TestTopicMadeAnewBetweenGenerations(t *testing.T) {
	t.Parallel()
	w, err := New(testOptions(t, startBroker(t, 1), newMemStore()))
	if err != nil {
		t.Fatal(err)
	}
	// f begins a generation at a committed offset (-1: none), with a topic of an id, and wants ranges reported as lost.
	f := func(what, id string, committed int64, want ...LostRange) *processor {
		t.Helper()
		p := newProcessor(w, nil, []kafka.PartitionAssignment{{ID: 0, Offset: committed}}, nil, nil)
		p.beginPartition(p.parts[0], span{0, 20}, id, commitNote{})
		lost := p.side.lost
		if len(lost) != len(want) {
			t.Fatalf("%s: lost %+v, want %+v", what, lost, want)
		}
		for i, l := range want {
			if got := lost[i]; got.TopicID != l.TopicID || got.From != l.From || got.To != l.To {
				t.Errorf("%s: lost %+v, want %+v", what, got, l)
			}
		}
		return p
	}
	p := f("the first generation", "one", -1)
	for offset := range int64(8) {
		p.parts[0].offsets.take(offset)
	}
	for offset := range int64(5) {
		p.parts[0].offsets.finish(offset)
	}
	p.remember()

	f("the same topic, nothing committed", "one", -1)
	f("a broker that tells no id", "", -1)
	f("somebody committed into the new topic", "two", 3)
	loss := LostRange{TopicID: "one", From: 5, To: 19}
	p = f("another topic", "two", -1, loss)
	p.remember()
	p = f("the loss was not written", "two", -1, loss)
	if err := p.write(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	p.remember()
	p = f("the loss was written", "two", -1)
	p.remember()
	f("another one again", "three", -1, LostRange{TopicID: "two", From: 0, To: 19})
}
