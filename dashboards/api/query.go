package api

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"
)

// queriesAtOnce bounds what one request asks of the store at the same time.
const queriesAtOnce = 4

// rank orders severities; without one it is 0.
const rank = "toInt64(indexOf(['info', 'minor', 'major', 'critical'], severity))"

// reads runs queries of one request side by side.
type reads struct {
	a   *API
	g   *errgroup.Group
	ctx context.Context
}

func (a *API) reads(ctx context.Context) *reads {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(queriesAtOnce)
	return &reads{a, g, gctx}
}

// all reads all rows into a slice of structs.
func (q *reads) all(dest any, sql string, params ...any) {
	q.g.Go(func() error { return q.a.Warehouse.Conn().Select(q.ctx, dest, sql, params...) })
}

// one reads the one row of an aggregation into a struct.
func (q *reads) one(dest any, sql string, params ...any) {
	q.g.Go(func() error { return q.a.Warehouse.Conn().QueryRow(q.ctx, sql, params...).ScanStruct(dest) })
}

// value reads the one value of an aggregation.
func (q *reads) value(dest any, sql string, params ...any) {
	q.g.Go(func() error { return q.a.Warehouse.Conn().QueryRow(q.ctx, sql, params...).Scan(dest) })
}

func (q *reads) run(f func(context.Context) error) { q.g.Go(func() error { return f(q.ctx) }) }

func (q *reads) wait() error { return q.g.Wait() }

// named is a query parameter.
func named(name string, value any) any { return clickhouse.Named(name, value) }

// params joins lists of parameters, each name once: clauses of one query share those of the filter and the scope.
func params(lists ...[]any) []any {
	seen := map[string]bool{}
	var out []any
	for _, l := range lists {
		for _, p := range l {
			if n := paramName(p); !seen[n] {
				seen[n] = true
				out = append(out, p)
			}
		}
	}
	return out
}

func paramName(p any) string {
	n, _ := p.(driver.NamedValue)
	return n.Name
}
