package review

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"

	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/pipeline/warehouse/engine"
)

var (
	engineDir string
	databases atomic.Int64
)

// TestMain holds one engine for all tests; each gets a database of its own.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		if _, err := engine.FindLibrary(); err != nil {
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "tingke-review")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		h, err := engine.Acquire(context.Background(), dir, engine.Options{})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer h.Close()
		engineDir = dir
		return m.Run()
	}())
}

// openWarehouse gives an empty, migrated warehouse.
func openWarehouse(t testing.TB) *warehouse.Warehouse {
	t.Helper()
	if engineDir == "" {
		t.Skip("SKIPPED, nothing of reviews in the warehouse is tested: the embedded engine is not installed (make deps)")
	}
	ctx := context.Background()
	quiet := slog.New(slog.DiscardHandler)
	admin, err := warehouse.Open(ctx, warehouse.Config{Dir: engineDir, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	name := fmt.Sprintf("review_%d", databases.Add(1))
	if err := admin.Conn().Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	w, err := warehouse.Open(ctx, warehouse.Config{Dir: engineDir, Database: name, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := w.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	return w
}
