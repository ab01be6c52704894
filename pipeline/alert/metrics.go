package alert

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	decided, withheld, superseded, dropped, sent, failed, retries, digests *prometheus.CounterVec
	gaps, recovered, storeErrors                                           prometheus.Counter
	live                                                                   prometheus.Gauge
	stored                                                                 prometheus.Histogram
	latency                                                                *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	vector := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "tingke", Subsystem: "alert", Name: name, Help: help}, []string{label})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "tingke", Subsystem: "alert", Name: name, Help: help})
	}
	buckets := []float64{.005, .01, .02, .05, .1, .2, .3, .5, 1, 2, 5, 15, 60, 300}
	m := &metrics{
		decided:     vector("decided_total", "Alerts decided and stored, by kind: hit, waiting, correlation.", "kind"),
		withheld:    vector("withheld_total", "Alerts stored and not sent: too_old, cooldown.", "why"),
		superseded:  vector("compared_total", "Alerts whose hit the closed session does not have: superseded; or has again: restored.", "event"),
		dropped:     vector("dropped_total", "What was not followed live or not given to a target: queue (of messages), memory, stopping, or the name of a target whose queue was full. Sessions are decided when they are written, alerts are tried again.", "where"),
		sent:        vector("sent_total", "Alerts that a target took, those in digests included.", "target"),
		failed:      vector("failed_total", "Alerts that a target did not take for so long that it was given up for the moment.", "target"),
		retries:     vector("retries_total", "Attempts to send that failed and were repeated.", "target"),
		digests:     vector("digests_total", "Digests sent.", "target"),
		gaps:        counter("gaps_total", "Gaps in seq that were waited for in vain."),
		recovered:   counter("recovered_total", "Stored alerts found unsent and sent by another process, or later."),
		storeErrors: counter("store_errors_total", "Calls of the store that failed and were repeated."),
		live:        prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "tingke", Subsystem: "alert", Name: "live_sessions", Help: "Live sessions that are followed."}),
		stored: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "tingke", Subsystem: "alert", Name: "stored_seconds",
			Help: "From reading the message that decides an alert to its being stored.", Buckets: buckets}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "tingke", Subsystem: "alert", Name: "latency_seconds",
			Help: "From reading the message that decides an alert to a target's having taken it.", Buckets: buckets}, []string{"target"}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.decided, m.withheld, m.superseded, m.dropped, m.sent, m.failed, m.retries, m.digests, m.gaps, m.recovered, m.storeErrors, m.live, m.stored, m.latency} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("alert: metrics: %w", err)
		}
	}
	return m, nil
}
