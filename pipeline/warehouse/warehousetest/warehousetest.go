// Package warehousetest gives tests a warehouse with the whole schema, fast. The package under test has
//
//	func TestMain(m *testing.M) { os.Exit(warehousetest.Main(m)) }
//
// and its tests call Open. The tests of the warehouse itself use package enginetest, on which this one stands.
package warehousetest

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/pipeline/warehouse/engine/enginetest"
)

var stock = enginetest.Stock{Fill: func(ctx context.Context, d enginetest.Database) error {
	w, err := warehouse.Open(ctx, Config(d))
	if err != nil {
		return err
	}
	return errors.Join(w.Migrate(ctx), w.Close())
}}

// Main runs the tests of a package with one ClickHouse for all of them, and returns the exit status.
func Main(m *testing.M) int { return enginetest.Main(m) }

// Config is the configuration of a database, of a warehouse that logs nothing.
func Config(d enginetest.Database) warehouse.Config {
	return warehouse.Config{Dir: d.Dir, DSN: d.DSN, Database: d.Name, Logger: slog.New(slog.DiscardHandler), CodeVersion: "test"}
}

// Open gives an empty warehouse with the schema, which is closed when the test has ended. The test is skipped where there
// is neither the embedded engine nor a server (CLICKHOUSE_DSN).
func Open(t testing.TB) *warehouse.Warehouse {
	t.Helper()
	w := open(t, stock.Take(t))
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// Shared gives the same for several tests: it stays open until all of them have ended.
func Shared(t testing.TB) *warehouse.Warehouse {
	t.Helper()
	w := open(t, stock.Keep(t))
	enginetest.AtEnd(w.Close)
	return w
}

// OpenEmpty gives a warehouse without any table.
func OpenEmpty(t testing.TB) *warehouse.Warehouse {
	t.Helper()
	w := open(t, enginetest.Empty(t))
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func open(t testing.TB, d enginetest.Database) *warehouse.Warehouse {
	t.Helper()
	w, err := warehouse.Open(context.Background(), Config(d))
	if err != nil {
		t.Fatal(err)
	}
	return w
}
