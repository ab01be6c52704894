package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tingke/tingke/pipeline/httpd"
)

// health is what the health pages ask.
type health interface {
	Healthy() error // nil while the process does its work
	Ready() error   // nil while it does it well: joined, store and Kafka answer, nothing lost
	Status() any    // for people: what is in use, and what newer could not be taken and why
}

func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// metricsConnections bounds who may watch at once.
const metricsConnections = 64

// serveMetrics serves /metrics, /healthz, /readyz and /status until ctx is done. An address that is taken is an error at once.
func serveMetrics(ctx context.Context, addr string, r *prometheus.Registry, h health, log *slog.Logger) (wait func() error, err error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, usagef("listen.metrics: %w; set another address in the configuration", err)
	}
	answer := func(check func() error) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if err := check(); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
			fmt.Fprintln(w, "ok")
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	mux.Handle("GET /healthz", answer(h.Healthy))
	mux.Handle("GET /readyz", answer(h.Ready))
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(h.Status()) // an error is the reader's going away
	})
	s := httpd.New(mux, httpd.Limits{Read: 10 * time.Second, Write: 20 * time.Second, HeaderBytes: 16 << 10, Connections: metricsConnections}, log, slog.LevelDebug)
	done := make(chan error, 1)
	go func() {
		err := s.Serve(l)
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		done <- err
	}()
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = s.Shutdown(grace)
	})
	return func() error {
		err := <-done
		stop()
		return err
	}, nil
}
