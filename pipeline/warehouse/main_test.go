package warehouse

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync/atomic"
	"testing"

	"github.com/tingke/tingke/pipeline/warehouse/engine"
)

// Tests run against the embedded engine, or against a server where CLICKHOUSE_DSN names one. Each has a database of its
// own.

var (
	engineDir string
	databases atomic.Int64
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(migrateChild); dir != "" {
		os.Exit(migrateInChild(dir))
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "tingke-warehouse")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		engineDir = dir
		if _, err := engine.FindLibrary(); err == nil && os.Getenv("CLICKHOUSE_DSN") == "" {
			// Held for all tests: the engine would otherwise stop and start between them.
			h, err := engine.Acquire(context.Background(), dir, engine.Options{})
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			defer h.Close()
		}
		return m.Run()
	}())
}

// config is that of a fresh database.
func config(t testing.TB) Config {
	t.Helper()
	ctx := context.Background()
	cfg := Config{Logger: slog.New(slog.DiscardHandler), CodeVersion: "test"}
	dsn := os.Getenv("CLICKHOUSE_DSN")
	if dsn == "" {
		if _, err := engine.FindLibrary(); err != nil {
			t.Skipf("SKIPPED, nothing of the warehouse is tested: %v", err)
		}
		cfg.Dir = engineDir
	}
	name := fmt.Sprintf("tingke_test_%d_%d", os.Getpid(), databases.Add(1))
	cfg.DSN = dsn
	admin, err := Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.Conn().Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := admin.Conn().Exec(ctx, "DROP DATABASE "+name); err != nil {
			t.Error(err)
		}
		if err := admin.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg.Database = name
	if dsn != "" {
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		u.Path = "/" + name
		cfg.DSN = u.String()
	}
	return cfg
}

func open(t testing.TB, cfg Config) *Warehouse {
	t.Helper()
	w, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// migrated is a warehouse in a fresh database with the schema.
func migrated(t testing.TB) *Warehouse {
	t.Helper()
	w := open(t, config(t))
	if err := w.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return w
}

func mustExec(t testing.TB, w *Warehouse, sqls ...string) {
	t.Helper()
	for _, sql := range sqls {
		if err := w.Conn().Exec(context.Background(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// one reads a single value.
func one[T any](t testing.TB, w *Warehouse, sql string) T {
	t.Helper()
	var v T
	if err := w.Conn().QueryRow(context.Background(), sql).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}
