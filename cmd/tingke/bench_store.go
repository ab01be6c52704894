package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/schemas"
)

// worldVersion changes when the same seed makes another store, such as one with columns that the writer fills only now.
const worldVersion = 2

const (
	worldChunk = 2048 // sessions in one write
	worldParts = 20   // active parts of analyses, at least
)

// worldMark says what a store of `bench dashboards` holds; a finished one has the file.
type worldMark struct {
	Version int    `json:"version"`
	Turns   int    `json:"turns"`
	Seed    uint64 `json:"seed"`
}

const worldMarkFile = "bench-dashboards.json"

// inWorld is the program with the store of `bench dashboards`, which has a folder of its own in --dir.
func (a *app) inWorld() *app {
	b := *a
	b.dir = filepath.Join(a.dir, "bench-dashboards")
	return &b
}

// openWorld opens the store, and makes it where it is not there. Its folder, that of inWorld, is made anew where it holds a
// store that was not finished.
func (a *app) openWorld(ctx context.Context, turns int, seed uint64) (s *store, built time.Duration, err error) {
	mark := worldMark{worldVersion, turns, seed}
	path := filepath.Join(a.dir, worldMarkFile)
	raw, err := os.ReadFile(path)
	switch {
	case err == nil:
		var found worldMark
		if err := json.Unmarshal(raw, &found); err != nil || found != mark {
			return nil, 0, usagef("%s holds another store (%s): remove the folder %s, or give another --dir", path, raw, a.dir)
		}
		s, err = a.openStore(ctx)
		return s, 0, err
	case !errors.Is(err, os.ErrNotExist):
		return nil, 0, err
	}
	// What is there without a mark is a store that was not finished; nothing else is ever kept in this folder.
	if err := os.RemoveAll(a.dir); err != nil {
		return nil, 0, err
	}
	began := time.Now()
	s, err = a.openStore(ctx)
	if err != nil {
		return nil, 0, err
	}
	if err = a.fillWorld(ctx, s, turns, seed); err == nil {
		raw, _ := json.Marshal(mark)
		err = os.WriteFile(path, raw, 0o600)
	}
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("cannot make the store: %w", err), s.Close())
	}
	return s, time.Since(began), nil
}

func (a *app) fillWorld(ctx context.Context, s *store, turns int, seed uint64) error {
	an, err := a.newAnalyser([]string{"standard", "presale", "aftersale"})
	if err != nil {
		return err
	}
	key, err := a.deploymentKey(true)
	if err != nil {
		return err
	}
	a.progress("analysing the conversations that the store is made of")
	w := newWorld(turns, seed, an.Analyse, assemble.NewHasher(key), mask.New(key, mask.Options{}).Message)
	if err := s.SaveAgents(ctx, w.agents()); err != nil {
		return err
	}
	if err := s.AppendOpinionEvents(ctx, append(w.opinions, w.edits()...)); err != nil {
		return err
	}
	if err := s.PublishOpinionEpoch(ctx, warehouse.OpinionEpoch{Epoch: 1, At: worldEnd, Cause: "rebuild", Founded: uint32(len(w.opinions)), Opinions: uint32(len(w.opinions)), Model: "bench", Actor: "bench"}); err != nil {
		return err
	}
	if err := a.writeWorld(ctx, s, w, "sessions", w.sessions, worldChunk, func(i int) (int, bool) { return i, false }); err != nil {
		return err
	}
	// From here on nothing is merged: rows that were replaced stay, in parts of their own.
	for _, table := range []string{"analyses", "order_rows", "rating_rows", "review_events"} {
		if err := s.Conn().Exec(ctx, "ALTER TABLE "+table+" MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1, max_bytes_to_merge_at_min_space_in_pool = 1"); err != nil {
			return err
		}
	}
	var twice []int
	for i := range w.sessions {
		if w.superseded(i) {
			twice = append(twice, i)
		}
	}
	return a.writeWorld(ctx, s, w, "replaced sessions", len(twice), max(1, len(twice)/worldParts), func(i int) (int, bool) { return twice[i], true })
}

// writeWorld writes n sessions in chunks, on all processors.
func (a *app) writeWorld(ctx context.Context, s *store, w *world, what string, n, chunk int, which func(int) (int, bool)) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for from := 0; from < n && ctx.Err() == nil; from += chunk {
		if from/chunk%16 == 0 {
			a.progress("%s: %d of %d", what, from, n)
		}
		g.Go(func() error {
			batch := warehouse.Batch{}
			var all facts
			for k := from; k < min(from+chunk, n); k++ {
				i, later := which(k)
				x, f := w.session(i, later)
				batch.Analyses = append(batch.Analyses, x)
				all.add(f)
			}
			batch.Orders, batch.Ratings = all.orders, all.ratings
			return again(ctx, func() error {
				if err := s.Warehouse.Write(ctx, batch); err != nil {
					return err
				}
				if err := s.AppendReviewEvents(ctx, all.reviews); err != nil {
					return err
				}
				return s.StoreAlerts(ctx, all.alerts)
			})
		})
	}
	return g.Wait()
}

// again repeats a write that does no harm when it is repeated, while the engine is short of memory: it merges at the same
// time, and what is written faster than it can be merged waits.
func again(ctx context.Context, write func() error) error {
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		err := write()
		if err == nil || !warehouse.IsTransient(err) && warehouse.ErrorCode(err) != memoryLimit {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// memoryLimit is ClickHouse's MEMORY_LIMIT_EXCEEDED.
const memoryLimit = 241

func (a *app) progress(format string, args ...any) {
	if !a.json {
		fmt.Fprintf(a.err, format+"\n", args...)
	}
}

// worldStore describes the store that was measured.
type worldStore struct {
	Turns      uint64            `json:"turns"`
	Texts      uint64            `json:"distinct_texts"`
	Sessions   uint64            `json:"sessions"`
	Agents     uint64            `json:"agents"`
	Days       uint64            `json:"days"`
	Customers  uint64            `json:"customers"`
	Mentions   uint64            `json:"mentions"`
	Hits       uint64            `json:"hits"`
	Opinions   uint64            `json:"opinions"`
	Orders     uint64            `json:"orders"`
	Ratings    uint64            `json:"ratings"`
	Reviews    uint64            `json:"review_events"`
	Superseded float64           `json:"superseded"` // share of the rows of analyses that a later one replaces
	Parts      map[string]uint64 `json:"active_parts"`
	Bytes      uint64            `json:"bytes_on_disk"`
	BuildS     float64           `json:"build_s,omitempty"` // 0 where the store was there already
}

func describeWorld(ctx context.Context, s *store) (*worldStore, error) {
	out := &worldStore{Parts: map[string]uint64{}}
	one := func(sql string, dest ...any) error { return s.Conn().QueryRow(ctx, sql).Scan(dest...) }
	var rows uint64
	err := errors.Join(
		one(`SELECT count(), uniqExact(session_id), sum(length(turn_seq)), uniqArray(turn_text), uniqExactArray(agent_ids), uniqExact(toDate(started_at, 'Asia/Shanghai')), uniqExact(customer_id),
			sum(length(mention_id)), sum(length(hit_id)) FROM active_analyses`, &rows, &out.Sessions, &out.Turns, &out.Texts, &out.Agents, &out.Days, &out.Customers, &out.Mentions, &out.Hits),
		one("SELECT count() FROM opinions", &out.Opinions),
		one("SELECT count() FROM orders", &out.Orders),
		one("SELECT count() FROM ratings", &out.Ratings),
		one("SELECT count() FROM review_events", &out.Reviews),
		one("SELECT count() FROM analyses", &rows),
		one("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase()", &out.Bytes),
	)
	if err != nil {
		return nil, err
	}
	out.Superseded = schemas.Round4(float64(rows-out.Sessions) / float64(rows))
	for _, table := range []string{"analyses", "order_rows", "rating_rows", "review_events", "opinion_events", "alert_rows"} {
		var n uint64
		if err := s.Conn().QueryRow(ctx, "SELECT count() FROM system.parts WHERE active AND database = currentDatabase() AND table = ?", table).Scan(&n); err != nil {
			return nil, err
		}
		out.Parts[table] = n
	}
	return out, nil
}
