package current

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of an Analyser, by source.
type metrics struct {
	swaps   *prometheus.CounterVec
	errors  *prometheus.CounterVec
	failing *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer, sources []string) (*metrics, error) {
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "tingke", Subsystem: "analyser", Name: name, Help: help}, []string{"source"})
	}
	m := &metrics{
		swaps:  counter("swaps_total", "Newer parts of the analysis taken into use: rules, opinions."),
		errors: counter("source_errors_total", "Looks for newer parts that failed, wholly or in part."),
		failing: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "tingke", Subsystem: "analyser", Name: "source_failing",
			Help: "1 while the newest part cannot be used and an older one stays in use."}, []string{"source"}),
	}
	for _, s := range sources { // so that they show as 0 before the first event
		m.swaps.WithLabelValues(s)
		m.errors.WithLabelValues(s)
		m.failing.WithLabelValues(s)
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.swaps, m.errors, m.failing} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("current: metrics: %w", err)
		}
	}
	return m, nil
}
