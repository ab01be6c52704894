package stream

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of a worker, all prefixed tingke_stream_.
type metrics struct {
	messages    *prometheus.CounterVec // by type; bad ones as "bad"
	turns       prometheus.Counter
	sessions    *prometheus.CounterVec // by result: written, unchanged
	ends        prometheus.Counter
	deadLetters prometheus.Counter
	lostRanges  prometheus.Counter
	resets      prometheus.Counter
	panics      prometheus.Counter
	generations prometheus.Counter
	joinErrors  prometheus.Counter
	storeErrors prometheus.Counter
	commits     *prometheus.CounterVec // by result: ok, stale, error
	evictions   prometheus.Counter
	split       prometheus.Counter
	flush       prometheus.Histogram
	lag         *prometheus.GaugeVec // by partition
	partitions  prometheus.Gauge
	memory      prometheus.Gauge
	open        prometheus.Gauge
	uncommitted prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "tingke", Subsystem: "stream", Name: name, Help: help})
	}
	vector := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "tingke", Subsystem: "stream", Name: name, Help: help}, []string{label})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "tingke", Subsystem: "stream", Name: name, Help: help})
	}
	m := &metrics{
		messages:    vector("messages_total", "Messages read, by type; bad where one could not be used.", "type"),
		turns:       counter("turns_total", "Turns read."),
		sessions:    vector("sessions_total", "States of sessions flushed: written, or unchanged because they were stored already.", "result"),
		ends:        counter("synthetic_ends_total", "Sessions ended by the worker: idle, or the input was over."),
		deadLetters: counter("dead_letters_total", "Messages that could not be used."),
		lostRanges:  counter("lost_ranges_total", "Ranges of messages that Kafka deleted before they were read."),
		resets:      counter("topic_resets_total", "Partitions read again from the start because the topic was made anew."),
		panics:      counter("analysis_panics_total", "Sessions stored without an analysis because it panicked."),
		generations: counter("generations_total", "Generations of the consumer group."),
		joinErrors:  counter("join_errors_total", "Failed attempts to join the consumer group."),
		storeErrors: counter("store_errors_total", "Calls of the store that failed and were repeated."),
		commits:     vector("commits_total", "Offset commits: ok, stale (the generation is over) or error.", "result"),
		evictions:   counter("evictions_total", "Open sessions put out of memory to keep its bound."),
		split:       counter("split_sessions_total", "Messages of a session whose message before came from another partition."),
		flush: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "tingke", Subsystem: "stream", Name: "flush_seconds",
			Help: "Time to read, analyse and write one batch.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 14)}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "tingke", Subsystem: "stream", Name: "lag_messages",
			Help: "Messages between the end of the log and the one being processed."}, []string{"partition"}),
		partitions:  gauge("partitions", "Partitions assigned."),
		memory:      gauge("memory_bytes", "Memory of the sessions held, estimated."),
		open:        gauge("sessions_held", "Sessions held in memory."),
		uncommitted: gauge("uncommitted_messages", "Messages read and not committed yet."),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.messages, m.turns, m.sessions, m.ends, m.deadLetters, m.lostRanges, m.resets, m.panics, m.generations, m.joinErrors,
		m.storeErrors, m.commits, m.evictions, m.split, m.flush, m.lag, m.partitions, m.memory, m.open, m.uncommitted,
	} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("stream: metrics: %w", err)
		}
	}
	return m, nil
}
