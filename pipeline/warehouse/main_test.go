package warehouse

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"testing"

	"github.com/tingke/tingke/pipeline/warehouse/engine/enginetest"
)

// Tests run against the embedded engine, or against a server where CLICKHOUSE_DSN names one.

func TestMain(m *testing.M) {
	if dir := os.Getenv(migrateChild); dir != "" {
		os.Exit(migrateInChild(dir))
	}
	os.Exit(enginetest.Main(m))
}

func configOf(d enginetest.Database) Config {
	return Config{Dir: d.Dir, DSN: d.DSN, Database: d.Name, Logger: slog.New(slog.DiscardHandler), CodeVersion: "test"}
}

var stock = enginetest.Stock{Fill: func(ctx context.Context, d enginetest.Database) error {
	w, err := Open(ctx, configOf(d))
	if err != nil {
		return err
	}
	return errors.Join(w.Migrate(ctx), w.Close())
}}

// config is that of a fresh database without tables.
func config(t testing.TB) Config {
	t.Helper()
	return configOf(enginetest.Empty(t))
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

// migrated is an empty warehouse with the schema.
func migrated(t testing.TB) *Warehouse {
	t.Helper()
	return open(t, configOf(stock.Take(t)))
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
