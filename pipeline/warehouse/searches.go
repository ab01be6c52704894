package warehouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// SavedSearch is a search that somebody keeps. Of the rows of one id the latest counts.
type SavedSearch struct {
	SearchID string
	Owner    string
	Name     string
	Target   string // turns or sessions
	Query    string // filters, encoded as in an address
	Shared   bool   // others see it too
	Deleted  bool
	At       time.Time // microseconds
}

// SavedSearches gives the searches of a user and those that others share, by name; "" gives all.
func (w *Warehouse) SavedSearches(ctx context.Context, user string) ([]SavedSearch, error) {
	where := "NOT deleted"
	if user != "" {
		where += " AND (shared OR owner = " + quote(user) + ")"
	}
	var out []SavedSearch
	sql := "SELECT search_id, owner, name, target, query, shared, deleted, at FROM saved_searches FINAL WHERE " + where + " ORDER BY name, search_id"
	err := w.query(w.reading(ctx), sql, func(rows driver.Rows) error {
		var s SavedSearch
		if err := rows.Scan(&s.SearchID, &s.Owner, &s.Name, &s.Target, &s.Query, &s.Shared, &s.Deleted, &s.At); err != nil {
			return err
		}
		s.At = s.At.UTC()
		out = append(out, s)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the saved searches: %w", err)
	}
	return out, nil
}

// SaveSearch writes a search, with Deleted one that is taken away. At must be later than that of the row it replaces.
func (w *Warehouse) SaveSearch(ctx context.Context, s SavedSearch) error {
	in := &inserter[SavedSearch]{table: "saved_searches", bytes: func(s *SavedSearch) int { return 128 + len(s.Query) + len(s.Name) }}
	in.add(
		scalar("search_id", func(s *SavedSearch) *string { return &s.SearchID }),
		scalar("owner", func(s *SavedSearch) *string { return &s.Owner }),
		scalar("name", func(s *SavedSearch) *string { return &s.Name }),
		scalar("target", func(s *SavedSearch) *string { return &s.Target }),
		scalar("query", func(s *SavedSearch) *string { return &s.Query }),
		scalar("shared", func(s *SavedSearch) *bool { return &s.Shared }),
		scalar("deleted", func(s *SavedSearch) *bool { return &s.Deleted }),
		scalar("at", func(s *SavedSearch) time.Time { return s.At }),
	)
	if err := insert(ctx, w, in, []*SavedSearch{&s}); err != nil {
		return fmt.Errorf("cannot save a search: %w", err)
	}
	return nil
}
