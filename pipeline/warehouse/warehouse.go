// Package warehouse keeps analysed sessions in ClickHouse: it migrates the schema, reads what is stored, writes batches
// and answers queries. The ClickHouse is a server, or the engine embedded in this program; all SQL is the same for both.
//
// It must not import the stream, the intake or the rules.
package warehouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tingke/tingke/pipeline/tlsfile"
	"github.com/tingke/tingke/pipeline/warehouse/engine"
)

// DefaultTimezone is the zone of days where none is configured.
const DefaultTimezone = "Asia/Shanghai"

// Config says which ClickHouse to use.
type Config struct {
	// DSN of a server, such as clickhouse://user:password@host:9000/database?secure=true. Empty uses the embedded engine.
	DSN string
	// PasswordFile holds the password of the DSN's user, which then has none itself.
	PasswordFile string
	// TLS says whom to trust and who we are where the DSN says secure=true.
	TLS tlsfile.Files
	// Dir is the folder of the embedded engine.
	Dir string
	// Engine configures the embedded engine where this process is the one that starts it.
	Engine engine.Options
	// Database of the embedded engine, which must exist; default "default". Of a server the DSN names it.
	Database string
	// Timezone is the zone of days in the views. Empty keeps what the warehouse was migrated with, at first
	// DefaultTimezone.
	Timezone string
	// Replicated makes the tables replicated and every write and every read before a write wait for a quorum. The
	// database must then have the engine Replicated.
	Replicated bool
	// NoFsync lets a power loss of the host take the last seconds of writes. A killed process loses nothing either way.
	NoFsync bool
	// CodeVersion is stored with each analysis.
	CodeVersion string
	// Logger is slog.Default() where nil.
	Logger *slog.Logger
}

// Warehouse is a connection to the store. It is safe for concurrent use.
type Warehouse struct {
	cfg    Config
	conn   driver.Conn
	handle *engine.Handle // nil for a server
	log    *slog.Logger

	mu    sync.Mutex
	types map[string][]clickhouse.ColumnNameAndType // of the inserts so far

	analyses    sync.Pool // of *inserter[schemas.Analysis]
	transcripts sync.Pool // of *inserter[assemble.State]

	facts  factsKeeper
	turns  factsKeeper
	texts  factsKeeper
	inputs factsKeeper
	kpi    kpiKeeper
}

// Open connects to the ClickHouse of cfg, starting the embedded engine where it is to be used and does not run yet. It
// does not touch the schema; Migrate does.
func Open(ctx context.Context, cfg Config) (*Warehouse, error) {
	if cfg.Timezone != "" {
		if _, err := loadTimezone(cfg.Timezone); err != nil {
			return nil, err
		}
	}
	w := &Warehouse{cfg: cfg, log: cfg.Logger, types: map[string][]clickhouse.ColumnNameAndType{}, kpi: kpiKeeper{token: make(chan struct{}, 1)},
		facts: factsKeeper{kind: sessionCopies}, turns: factsKeeper{kind: turnCopies}, texts: factsKeeper{kind: textCopies}, inputs: factsKeeper{kind: inputCopies}}
	if w.log == nil {
		w.log = slog.Default()
	}
	var opts *clickhouse.Options
	if cfg.DSN != "" {
		var err error
		if opts, err = serverOptions(cfg); err != nil {
			return nil, err
		}
	} else {
		if cfg.Dir == "" {
			return nil, errors.New("no ClickHouse is configured: set CLICKHOUSE_DSN for a server, or a folder for the embedded engine")
		}
		if cfg.Engine.Logger == nil {
			cfg.Engine.Logger = w.log
		}
		handle, err := engine.Acquire(ctx, cfg.Dir, cfg.Engine)
		if err != nil {
			return nil, err
		}
		w.handle = handle
		opts = handle.ClientOptions()
		if cfg.Database != "" {
			opts.Auth.Database = cfg.Database
		}
	}
	conn, err := clickhouse.Open(opts)
	if err == nil {
		w.conn = conn
		err = conn.Ping(ctx)
	}
	if err != nil {
		err = fmt.Errorf("cannot reach ClickHouse: %w", err)
		if advice := tlsfile.Advice(err, "clickhouse.tls"); advice != "" {
			err = fmt.Errorf("%w: %s", err, advice)
		}
		return nil, errors.Join(err, w.Close())
	}
	w.analyses.New = func() any { return analysisInserter(w.cfg.CodeVersion) }
	w.transcripts.New = func() any { return stateInserter() }
	return w, nil
}

// serverOptions are those of a server: the DSN with the secrets and certificates that stand in files.
func serverOptions(cfg Config) (*clickhouse.Options, error) {
	opts, err := clickhouse.ParseDSN(cfg.DSN)
	if err != nil {
		return nil, fmt.Errorf("cannot read the ClickHouse address (clickhouse.dsn, CLICKHOUSE_DSN): %w; it looks like clickhouse://user@host:9000/database", err)
	}
	if opts.Compression == nil && opts.Protocol == clickhouse.Native {
		opts.Compression = &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
	}
	if cfg.PasswordFile != "" {
		if opts.Auth.Password != "" {
			return nil, errors.New("clickhouse.password_file: the DSN (clickhouse.dsn, CLICKHOUSE_DSN) has a password, too; take it out there")
		}
		if opts.Auth.Password, err = tlsfile.Secret("clickhouse.password_file", cfg.PasswordFile); err != nil {
			return nil, err
		}
	}
	if opts.TLS == nil {
		if cfg.TLS != (tlsfile.Files{}) {
			return nil, errors.New("clickhouse.tls: the DSN (clickhouse.dsn, CLICKHOUSE_DSN) does not say secure=true, so everything would go in the clear: add ?secure=true and use the port for TLS, such as 9440 or 8443")
		}
		return opts, nil
	}
	files := cfg.TLS
	if files.ServerName == "" {
		files.ServerName = opts.TLS.ServerName
	}
	skip := opts.TLS.InsecureSkipVerify
	if opts.TLS, err = files.Config("clickhouse.tls"); err != nil {
		return nil, err
	}
	opts.TLS.InsecureSkipVerify = skip
	return opts, nil
}

// Close ends the connection, and the embedded engine where this was its last user.
func (w *Warehouse) Close() error {
	var errs []error
	w.facts.close()
	w.turns.close()
	w.texts.close()
	w.inputs.close()
	if w.conn != nil {
		errs = append(errs, w.conn.Close())
	}
	if w.handle != nil {
		errs = append(errs, w.handle.Close())
	}
	return errors.Join(errs...)
}

// Conn is the client, for queries of this program's own. Text that a person typed goes through UserQuery.
func (w *Warehouse) Conn() driver.Conn { return w.conn }

// Handle is the embedded engine, nil for a server.
func (w *Warehouse) Handle() *engine.Handle { return w.handle }

// writing gives the context of an insert.
func (w *Warehouse) writing(ctx context.Context, opts ...clickhouse.QueryOption) context.Context {
	if w.cfg.Replicated {
		opts = append(opts, clickhouse.WithSettings(clickhouse.Settings{"insert_quorum": "auto", "insert_quorum_parallel": 0}))
	}
	return clickhouse.Context(ctx, opts...)
}

// reading gives the context of a read on which a write depends. On a cluster it sees everything stored, and the embedded
// engine does not answer it with what a failing disk has damaged.
func (w *Warehouse) reading(ctx context.Context) context.Context {
	if w.handle == nil {
		return w.listing(ctx)
	}
	return consistent(ctx)
}

// listing gives the context of a read of system.parts, which sees all parts stored.
func (w *Warehouse) listing(ctx context.Context) context.Context {
	if !w.cfg.Replicated {
		return ctx
	}
	return consistent(ctx)
}

func consistent(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"select_sequential_consistency": 1}))
}

func loadTimezone(name string) (*time.Location, error) {
	for _, r := range name { // it becomes part of the views
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '/' && r != '_' && r != '-' && r != '+' {
			return nil, fmt.Errorf("timezone: %q is no time zone; write one such as Asia/Shanghai or UTC", name)
		}
	}
	loc, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("timezone: %q is no time zone; write one such as Asia/Shanghai or UTC", name)
	}
	return loc, nil
}
