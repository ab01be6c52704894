package main

import (
	"context"

	"github.com/tingke/tingke/pipeline/rerun"
	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/pipeline/tlsfile"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/schemas"
)

// store is the warehouse as the stream worker and the batch writer use it.
type store struct {
	*warehouse.Warehouse
	// live decides to which run sessions are written, and keeps out who was forgotten; nil writes to run 0.
	live *rerun.Live
}

// through is the store with writes that go through a Live.
func (s *store) through(l *rerun.Live) *store { return &store{s.Warehouse, l} }

// openStore connects to the configured ClickHouse, else the embedded engine of --dir, and brings its schema up to date.
func (a *app) openStore(ctx context.Context) (*store, error) {
	t := a.config.ClickHouse.TLS
	w, err := warehouse.Open(ctx, warehouse.Config{
		DSN: a.config.ClickHouse.DSN, PasswordFile: a.config.ClickHouse.PasswordFile,
		TLS: tlsfile.Files{CAFile: t.CAFile, CertFile: t.CertFile, KeyFile: t.KeyFile, ServerName: t.ServerName},
		Dir: a.dir, Timezone: a.config.Timezone, Engine: a.engineOptions(),
		Replicated: a.config.ClickHouse.Replicated, CodeVersion: codeVersion(), Logger: a.log,
	})
	if err != nil {
		return nil, err
	}
	if err := w.Migrate(ctx); err != nil {
		_ = w.Close()
		return nil, err
	}
	return &store{Warehouse: w}, nil
}

// StoredVersions implements stream.Store.
func (s *store) StoredVersions(ctx context.Context, ids []string) (map[string]stream.StoredVersion, error) {
	stored, err := s.Warehouse.StoredVersions(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[string]stream.StoredVersion, len(stored))
	for id, v := range stored {
		out[id] = stream.StoredVersion{Version: v.Version, Seen: v.Seen}
	}
	return out, nil
}

// UnacknowledgedLostRanges implements stream.LostCounter.
func (s *store) UnacknowledgedLostRanges(ctx context.Context) (int, error) {
	lost, err := s.UnacknowledgedLost(ctx)
	return len(lost), err
}

// Write implements stream.Store.
func (s *store) Write(ctx context.Context, b stream.Batch) error {
	var w warehouse.Batch
	for _, x := range b.Sessions {
		w.States = append(w.States, x.State)
		w.Analyses = append(w.Analyses, x.Analysis)
	}
	w.Orders = mapped(b.Orders, func(o stream.Order) schemas.Order { return o.Order })
	w.Ratings = mapped(b.Ratings, func(r stream.Rating) schemas.Rating { return r.Rating })
	w.DeadLetters = mapped(b.DeadLetters, func(d stream.DeadLetter) warehouse.DeadLetter { return warehouse.DeadLetter(d) })
	w.LostRanges = mapped(b.LostRanges, func(l stream.LostRange) warehouse.LostRange { return warehouse.LostRange(l) })
	if s.live != nil {
		return s.live.Write(ctx, w)
	}
	return s.Warehouse.Write(ctx, w)
}

func mapped[A, B any](list []A, f func(A) B) []B {
	out := make([]B, len(list))
	for i, v := range list {
		out[i] = f(v)
	}
	return out
}
