// Package enginetest gives the tests of a package one ClickHouse for all of them, and each test a database of its own. The
// ClickHouse is the embedded engine, started when the first test asks for it, or the server that CLICKHOUSE_DSN names.
//
// Making the schema takes far longer than most tests, so a Stock gives a database that a test has ended with to the next
// one, when it is again what it was when it was made: with its first rows only, and with the same tables and views.
//
// It must not import the warehouse, whose own tests use it.
package enginetest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tingke/tingke/pipeline/warehouse/engine"
)

// one is the ClickHouse of this test binary.
var one struct {
	sync.Mutex
	started bool
	err     error
	dir     string         // of the embedded engine, else ""
	handle  *engine.Handle // holds the engine between tests; nil for a server
	admin   driver.Conn
	serial  int
	made    []string // databases
	last    []func() error
}

// Main runs the tests of a package; TestMain calls it and ends with what it returns. Tests of a package that has no such
// TestMain must not use the rest of this one.
func Main(m *testing.M) int {
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "after the tests:", err)
		code = max(code, 1)
	}
	return code
}

// AtEnd runs f after all tests, before the ClickHouse stops: it closes what several tests share. The last is run first.
func AtEnd(f func() error) {
	one.Lock()
	defer one.Unlock()
	one.last = append(one.last, f)
}

// Folder makes a folder that is removed after all tests, for what several tests share.
func Folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tingke-test")
	if err != nil {
		t.Fatal(err)
	}
	AtEnd(func() error { return os.RemoveAll(dir) })
	return dir
}

// DSN is the address of the server to test, "" for the embedded engine.
func DSN() string { return os.Getenv("CLICKHOUSE_DSN") }

// Need skips a test where there is neither an engine nor a server.
func Need(t testing.TB) {
	t.Helper()
	if _, err := engine.FindLibrary(); err != nil && DSN() == "" {
		t.Skipf("SKIPPED, nothing of it is tested: %v", err)
	}
}

// Database is an address in the ClickHouse of the tests.
type Database struct {
	Name string
	Dir  string // of the embedded engine, "" for a server
	DSN  string // of a server, with this database, "" for the embedded engine
}

// Empty makes a database without tables, which is dropped when the test has ended.
func Empty(t testing.TB) Database {
	t.Helper()
	Need(t)
	d, err := create()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := one.admin.Exec(context.Background(), "DROP DATABASE "+d.Name); err != nil {
			t.Error(err)
		}
	})
	return d
}

// Stock is databases with one schema. It is safe for concurrent use.
type Stock struct {
	// Fill makes the schema and its first rows in an empty database.
	Fill func(context.Context, Database) error

	mu   sync.Mutex
	free []*filled
}

// filled is a database as Fill left it.
type filled struct {
	Database
	schema string   // fingerprint of its tables and views
	seeds  []string // tables with rows, of which the database Name_seed has a copy
}

// Take gives a database as Fill leaves it. When the test has ended the next one may get it.
func (s *Stock) Take(t testing.TB) Database {
	t.Helper()
	f := s.take(t)
	t.Cleanup(func() {
		if err := s.giveBack(f); err != nil {
			t.Errorf("cannot make database %s ready for the next test: %v", f.Name, err)
		}
	})
	return f.Database
}

// Keep gives a database as Fill leaves it that no other test will get.
func (s *Stock) Keep(t testing.TB) Database {
	t.Helper()
	return s.take(t).Database
}

func (s *Stock) take(t testing.TB) *filled {
	t.Helper()
	Need(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		f := s.free[n-1]
		s.free = s.free[:n-1]
		return f
	}
	f, err := s.fill(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (s *Stock) fill(ctx context.Context) (*filled, error) {
	d, err := create()
	if err != nil {
		return nil, err
	}
	if err := s.Fill(ctx, d); err != nil {
		return nil, fmt.Errorf("cannot fill database %s: %w", d.Name, err)
	}
	f := &filled{Database: d}
	if f.schema, err = f.fingerprint(ctx); err != nil {
		return nil, err
	}
	if f.seeds, err = f.withRows(ctx); err != nil {
		return nil, err
	}
	if err := createDatabase(d.Name + "_seed"); err != nil {
		return nil, err
	}
	for _, table := range f.seeds {
		seed := d.Name + "_seed." + table
		if err := exec(ctx, "CREATE TABLE "+seed+" AS "+d.Name+"."+table, "INSERT INTO "+seed+" SELECT * FROM "+d.Name+"."+table); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// giveBack makes the database what it was; one whose schema a test has changed is not used again.
func (s *Stock) giveBack(f *filled) error {
	ctx := context.Background()
	schema, err := f.fingerprint(ctx)
	if err != nil || schema != f.schema {
		return err
	}
	tables, err := f.withRows(ctx)
	if err != nil {
		return err
	}
	for _, table := range tables {
		if err := exec(ctx, "TRUNCATE TABLE "+f.Name+"."+table); err != nil {
			return err
		}
	}
	for _, table := range f.seeds {
		if err := exec(ctx, "INSERT INTO "+f.Name+"."+table+" SELECT * FROM "+f.Name+"_seed."+table); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, f)
	return nil
}

// fingerprint is of the definitions of the tables. A view has a new UUID when it is made anew; its text, long as it is,
// would have to be formatted.
func (f *filled) fingerprint(ctx context.Context) (string, error) {
	var schema string
	err := one.admin.QueryRow(ctx, "SELECT concat(toString(count()), ' ', toString(groupBitXor(sipHash64(name, toString(uuid), create_table_query)))) FROM ("+
		"SELECT name, uuid, create_table_query FROM system.tables WHERE database = '"+f.Name+"' AND engine != 'View' "+
		"UNION ALL SELECT name, uuid, '' FROM system.tables WHERE database = '"+f.Name+"' AND engine = 'View')").Scan(&schema)
	if err != nil {
		return "", fmt.Errorf("cannot read the schema of database %s: %w", f.Name, err)
	}
	return schema, nil
}

// withRows gives the tables that have rows.
func (f *filled) withRows(ctx context.Context) ([]string, error) {
	var tables []string
	err := one.admin.QueryRow(ctx, "SELECT groupArray(name) FROM system.tables WHERE database = '"+f.Name+"' AND total_rows > 0").Scan(&tables)
	if err != nil {
		return nil, fmt.Errorf("cannot read which tables of database %s have rows: %w", f.Name, err)
	}
	return tables, nil
}

// create makes an empty database.
func create() (Database, error) {
	if err := start(); err != nil {
		return Database{}, err
	}
	one.Lock()
	one.serial++
	d := Database{Name: fmt.Sprintf("tingke_test_%d_%d", os.Getpid(), one.serial), Dir: one.dir}
	one.Unlock()
	if dsn := DSN(); dsn != "" {
		u, err := url.Parse(dsn)
		if err != nil {
			return Database{}, fmt.Errorf("cannot read CLICKHOUSE_DSN: %w", err)
		}
		u.Path = "/" + d.Name
		d.DSN = u.String()
	}
	return d, createDatabase(d.Name)
}

func createDatabase(name string) error {
	one.Lock()
	one.made = append(one.made, name)
	one.Unlock()
	return exec(context.Background(), "CREATE DATABASE "+name)
}

func exec(ctx context.Context, sqls ...string) error {
	for _, sql := range sqls {
		if err := one.admin.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

func start() error {
	one.Lock()
	defer one.Unlock()
	if !one.started {
		one.started = true
		one.err = startLocked()
	}
	return one.err
}

func startLocked() error {
	ctx := context.Background()
	var opts *clickhouse.Options
	var err error
	if dsn := DSN(); dsn != "" {
		if opts, err = clickhouse.ParseDSN(dsn); err != nil {
			return fmt.Errorf("cannot read CLICKHOUSE_DSN: %w", err)
		}
	} else {
		if one.dir, err = os.MkdirTemp("", "tingke-test"); err != nil {
			return err
		}
		if one.handle, err = engine.Acquire(ctx, one.dir, engine.Options{}); err != nil {
			return err
		}
		opts = one.handle.ClientOptions()
	}
	if one.admin, err = clickhouse.Open(opts); err != nil {
		return err
	}
	return one.admin.Ping(ctx)
}

func stop() error {
	one.Lock()
	last := one.last
	one.last = nil
	one.Unlock()
	var errs []error
	for i := range last {
		errs = append(errs, last[len(last)-1-i]())
	}
	if one.admin != nil {
		if one.handle == nil { // the engine's folder goes as a whole
			for _, name := range one.made {
				errs = append(errs, exec(context.Background(), "DROP DATABASE IF EXISTS "+name))
			}
		}
		errs = append(errs, one.admin.Close())
	}
	if one.handle != nil {
		errs = append(errs, one.handle.Close())
	}
	if one.dir != "" {
		errs = append(errs, os.RemoveAll(one.dir))
	}
	return errors.Join(errs...)
}
