package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"github.com/tingke/tingke/pipeline/assemble"
)

// Options of a Worker. Zero durations and sizes take the defaults named.
type Options struct {
	Kafka    KafkaConfig
	Store    Store
	Analyser Analyser
	// Hasher gives messages their identity; it holds the deployment's key.
	Hasher *assemble.Hasher
	// Mask masks a decoded message in place; MaskText masks the raw text of a message that could not be decoded.
	Mask     assemble.Masker
	MaskText func(string) string
	// Watcher is told of sessions while they go on; nil for none.
	Watcher Watcher

	FlushEvery     time.Duration // 1 s: how long a closed session waits to be written
	FlushSessions  int           // 1,000: so many closed sessions are written at once, and at most so many together
	EarlyWrite     time.Duration // 10 min: an open session is written at the latest this long after its oldest unwritten message
	Idle           time.Duration // 30 min: a session without messages for so long ends
	Memory         int64         // 256 MiB: bound of the sessions held in memory, in bytes
	DeadLetterStop float64       // 0.5: a greater part of bad messages among the last 1,000 stops the worker

	StopTimeout    time.Duration // 10 s: how long a last flush may take when a generation ends
	SessionTimeout time.Duration // 30 s: Kafka takes the partitions from a worker that is silent for so long
	PollEvery      time.Duration // a sixth of SessionTimeout: how often the ends of the log are looked at
	RejoinDelay    time.Duration // a sixth of SessionTimeout: pause before joining the group again after leaving it or failing

	// Log is slog.Default where nil.
	Log *slog.Logger
	// Registerer receives the metrics; nil for none.
	Registerer prometheus.Registerer
}

func (o *Options) setDefaults() {
	o.Kafka.setDefaults()
	defaultTo(&o.FlushEvery, time.Second)
	defaultTo(&o.FlushSessions, 1000)
	defaultTo(&o.EarlyWrite, 10*time.Minute)
	defaultTo(&o.Idle, 30*time.Minute)
	defaultTo(&o.Memory, 256<<20)
	defaultTo(&o.DeadLetterStop, 0.5)
	defaultTo(&o.StopTimeout, 10*time.Second)
	defaultTo(&o.SessionTimeout, 30*time.Second)
	defaultTo(&o.PollEvery, o.SessionTimeout/6)
	defaultTo(&o.RejoinDelay, o.SessionTimeout/6)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Watcher == nil {
		o.Watcher = noWatcher{}
	}
}

func defaultTo[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// Validate reports everything that is wrong with the options.
func (o *Options) Validate() error {
	errs := []error{o.Kafka.Validate()}
	bad := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf("stream: "+format, args...))
		}
	}
	bad(o.Store == nil || o.Analyser == nil || o.Hasher == nil || o.Mask == nil || o.MaskText == nil,
		"store, analyser, hasher and both masks are needed")
	for name, d := range map[string]time.Duration{
		"flush_every": o.FlushEvery, "early_write": o.EarlyWrite, "idle": o.Idle, "stop timeout": o.StopTimeout,
		"session timeout": o.SessionTimeout, "poll interval": o.PollEvery, "rejoin delay": o.RejoinDelay,
	} {
		bad(d < 0, "%s must be above 0", name)
	}
	bad(o.FlushSessions < 0, "flush_sessions must be above 0")
	bad(o.Memory < 0, "memory must be above 0")
	bad(o.DeadLetterStop < 0 || o.DeadLetterStop > 1, "dead_letter_stop must be above 0 and at most 1")
	bad(o.StopTimeout > 0 && o.SessionTimeout > 0 && o.StopTimeout >= o.SessionTimeout,
		"the last flush (%s) must fit into the session timeout (%s)", o.StopTimeout, o.SessionTimeout)
	return errors.Join(errs...)
}

// ErrTooManyDeadLetters stops a worker whose topic holds something other than transcripts.
var ErrTooManyDeadLetters = errors.New("too many messages cannot be used")

// Counts says what a worker has done since it started. Repeated deliveries count again.
type Counts struct {
	Messages    int64 `json:"messages"`
	Turns       int64 `json:"turns"`
	Written     int64 `json:"sessions_written"`   // states written, early ones included
	Unchanged   int64 `json:"sessions_unchanged"` // states that were stored already
	Closed      int64 `json:"sessions_closed"`    // closed states among both
	Ended       int64 `json:"sessions_ended"`     // synthetic ends
	Orders      int64 `json:"orders"`
	Ratings     int64 `json:"ratings"`
	DeadLetters int64 `json:"dead_letters"`
	LostRanges  int64 `json:"lost_ranges"`
	Panics      int64 `json:"analysis_panics"`
}

// Worker reads a topic as a member of a consumer group. Run does the work; the other methods may be called from any
// goroutine at any time.
type Worker struct {
	o       Options
	access  *access
	client  *kafka.Client
	ids     *topicIDs
	metrics *metrics
	dead    *deadLetters
	started atomic.Bool
	known   atomic.Int64 // partitions of the topic when the group was joined
	// left is what the generation before read, by partition; only the processor of the current one uses it.
	left map[int]leftLog

	mu       sync.Mutex
	counts   Counts
	status   status
	requests []*endRequest // waiting for a generation
	wake     chan struct{} // closed and replaced when a request comes
}

// status is what Healthy and Ready tell from.
type status struct {
	joined     bool
	partitions []int
	generation int32
	store      error // the store fails right now
	kafka      error // Kafka fails right now
	lost       int64 // lost ranges that nobody has acknowledged
	stopped    error
	ended      bool
}

// New makes a worker; it connects to nothing yet.
func New(o Options) (*Worker, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.setDefaults()
	a, err := o.Kafka.access()
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	transport := a.transport()
	transport.MetadataTTL = min(6*time.Second, o.PollEvery)
	w := &Worker{
		o: o, access: a, metrics: m, wake: make(chan struct{}),
		client: &kafka.Client{Addr: kafka.TCP(o.Kafka.Brokers...), Timeout: 10 * time.Second, Transport: transport},
	}
	w.dead = newDeadLetters(w)
	if w.ids, err = newTopicIDs(&o.Kafka, a); err != nil {
		return nil, err
	}
	return w, nil
}

// Run reads until ctx is done, then flushes, commits and leaves the group within StopTimeout. It returns nil then, and
// an error only where going on makes no sense: it is ErrTooManyDeadLetters, or says what is wrong with the
// configuration. It may be called once.
func (w *Worker) Run(ctx context.Context) error {
	if w.started.Swap(true) {
		return errors.New("stream: a worker runs once")
	}
	defer w.client.Transport.(*kafka.Transport).CloseIdleConnections()
	defer w.dead.close()
	defer w.ids.close()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	for {
		err := w.waitForTopic(ctx)
		if err == nil {
			err = w.member(ctx, stop)
		}
		if ctx.Err() == nil && err == nil {
			err = pause(ctx, w.o.RejoinDelay)
		}
		if err == nil && ctx.Err() == nil {
			continue
		}
		if cause := context.Cause(ctx); errors.Is(cause, ErrTooManyDeadLetters) {
			err = cause
		} else if ctx.Err() != nil {
			err = nil
		}
		w.mu.Lock()
		w.status.ended, w.status.stopped, w.status.joined = true, err, false
		w.mu.Unlock()
		w.failRequests()
		return err
	}
}

// waitForTopic waits until the topic has partitions: a group that joins before sits on an empty assignment.
func (w *Worker) waitForTopic(ctx context.Context) error {
	for attempt := 0; ; attempt++ {
		n, err := w.partitionCount(ctx)
		if err == nil && n > 0 {
			w.known.Store(int64(n))
			w.setKafka(nil)
			w.dead.ensureTopic(ctx)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			err = fmt.Errorf("topic %s does not exist; create it, or start the embedded broker, which makes it", w.o.Kafka.Topic)
		}
		w.setKafka(err)
		w.o.Log.Warn("cannot read the topic yet", "topic", w.o.Kafka.Topic, "error", err, "attempt", attempt+1)
		if err := pause(ctx, min(w.o.RejoinDelay, 200*time.Millisecond<<min(attempt, 6))); err != nil {
			return err
		}
	}
}

func (w *Worker) partitionCount(ctx context.Context) (int, error) {
	return partitionCount(ctx, w.client, &w.o.Kafka)
}

// partitionCount is 0 where the topic does not exist.
func partitionCount(ctx context.Context, client *kafka.Client, c *KafkaConfig) (int, error) {
	resp, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{c.Topic}})
	if err != nil {
		hint := ""
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, kafka.SASLAuthenticationFailed) {
			hint = " (it closes the connection: check kafka.sasl and kafka.tls)"
		}
		return 0, fmt.Errorf("cannot reach Kafka at %v: %w%s", c.Brokers, err, hint)
	}
	for _, t := range resp.Topics {
		if t.Name != c.Topic {
			continue
		}
		if t.Error != nil && !errors.Is(t.Error, kafka.UnknownTopicOrPartition) {
			return 0, fmt.Errorf("topic %s: %w", t.Name, t.Error)
		}
		return len(t.Partitions), nil
	}
	return 0, nil
}

// member is one membership of the group: it joins, works through generations and returns nil when it should join anew,
// or an error when it never can.
func (w *Worker) member(ctx context.Context, stop context.CancelCauseFunc) error {
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                w.o.Kafka.Group,
		Brokers:           w.o.Kafka.Brokers,
		Dialer:            w.access.dialer(),
		Topics:            []string{w.o.Kafka.Topic},
		HeartbeatInterval: min(3*time.Second, w.o.SessionTimeout/4),
		SessionTimeout:    w.o.SessionTimeout,
		RebalanceTimeout:  w.o.SessionTimeout,
		JoinGroupBackoff:  w.o.RejoinDelay,
		StartOffset:       kafka.FirstOffset,
		Logger:            kafka.LoggerFunc(func(f string, a ...any) { w.o.Log.Debug("group: " + fmt.Sprintf(f, a...)) }),
		ErrorLogger:       kafka.LoggerFunc(func(f string, a ...any) { w.o.Log.Debug("group: " + fmt.Sprintf(f, a...)) }),
	})
	if err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	left := make(chan struct{})
	var leaving sync.Once
	// leave ends the current generation with a last flush and gives the partitions back.
	leave := func() {
		leaving.Do(func() {
			go func() {
				defer close(left)
				if err := group.Close(); err != nil {
					w.o.Log.Warn("cannot leave the group", "error", err)
				}
			}()
		})
	}
	unhook := context.AfterFunc(ctx, leave)
	defer func() {
		unhook()
		leave()
		<-left
		w.setJoined(false, 0, nil)
	}()
	for {
		gen, err := group.Next(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, kafka.ErrGroupClosed):
			return nil
		case err != nil:
			// Next tells ordinary things as errors, such as a rebalance in progress; joining goes on.
			w.metrics.joinErrors.Inc()
			w.setKafka(err)
			w.o.Log.Warn("cannot join the group, trying again", "group", w.o.Kafka.Group, "error", err)
			if pause(ctx, 100*time.Millisecond+rand.N(100*time.Millisecond)) != nil {
				return nil
			}
			continue
		}
		w.setKafka(nil)
		w.metrics.generations.Inc()
		assigned := gen.Assignments[w.o.Kafka.Topic]
		var ids []int
		for _, a := range assigned {
			ids = append(ids, a.ID)
		}
		slices.Sort(ids)
		w.o.Log.Info("generation", "group", w.o.Kafka.Group, "generation", gen.ID, "member", gen.MemberID, "partitions", ids)
		w.setJoined(true, gen.ID, ids)
		gen.Start(func(genCtx context.Context) {
			if len(assigned) == 0 {
				w.left = nil // others read on from there
				w.idle(genCtx, gen, leave)
				return
			}
			newProcessor(w, gen, assigned, leave, stop).run(genCtx)
		})
	}
}

// idle waits out a generation without partitions. That is right where there are more workers than partitions; but a
// member that joined before the partitions were visible would wait for good, so it leaves when it finds any that nobody
// has.
func (w *Worker) idle(ctx context.Context, gen *kafka.Generation, leave func()) {
	for first := true; ; first = false {
		for _, r := range w.takeRequests() {
			r.answer(w.Counts(), nil)
		}
		wake := w.waker()
		select {
		case <-ctx.Done():
			return
		case <-wake:
			continue
		case <-time.After(w.o.RejoinDelay):
		}
		free, err := w.unassigned(ctx)
		if err != nil {
			w.o.Log.Warn("no partitions, and cannot see who has them", "error", err)
			continue
		}
		if free {
			w.o.Log.Warn("no partitions although some are free: leaving the group to join it again", "group", w.o.Kafka.Group, "generation", gen.ID)
			leave()
			<-ctx.Done()
			return
		}
		if first {
			w.o.Log.Info("no partitions: more workers than partitions, standing by", "group", w.o.Kafka.Group)
		}
	}
}

// unassigned says whether the topic has partitions that no member of the group has, while the group is at rest.
func (w *Worker) unassigned(ctx context.Context) (bool, error) {
	n, err := w.partitionCount(ctx)
	if err != nil {
		return false, err
	}
	resp, err := w.client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{w.o.Kafka.Group}})
	if err != nil {
		return false, err
	}
	if len(resp.Groups) != 1 {
		return false, fmt.Errorf("group %s is unknown", w.o.Kafka.Group)
	}
	g := resp.Groups[0]
	if g.Error != nil {
		return false, g.Error
	}
	if g.GroupState != "Stable" {
		return false, nil
	}
	for _, m := range g.Members {
		for _, t := range m.MemberAssignments.Topics {
			if t.Topic == w.o.Kafka.Topic {
				n -= len(t.Partitions)
			}
		}
	}
	return n > 0, nil
}

// pause waits, or gives the error of a context that ends before.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
