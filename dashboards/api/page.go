package api

import (
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"net/http"
	"strconv"
)

// Page is one page of a list.
type Page[T any] struct {
	Items []T     `json:"items"`
	Next  string  `json:"next,omitempty" doc:"cursor of the next page; absent at the end"`
	Total *uint64 `json:"total,omitempty" doc:"items of all pages, where it is counted"`
}

// cursor is what is inside of an opaque cursor: where the page before ended, and a sum of the list it belongs to.
type cursor struct {
	Key json.RawMessage `json:"k"`
	Sum string          `json:"s"`
}

// sum identifies the list: its route, filters and order.
func (r *Request) sum() string {
	h := fnv.New64a()
	q := r.query
	h.Write([]byte(r.route.Method + r.route.Path + "\x00"))
	for _, name := range r.route.Filters {
		for _, v := range q[name] {
			h.Write([]byte(name + "\x00" + v + "\x00"))
		}
	}
	for _, p := range r.route.Query {
		if p.Name == "limit" || p.Name == "cursor" {
			continue
		}
		for _, v := range q[p.Name] {
			h.Write([]byte(p.Name + "\x00" + v + "\x00"))
		}
	}
	return strconv.FormatUint(h.Sum64(), 36)
}

// Cursor decodes the cursor of the request into key; false on the first page. A cursor of another list is refused: it
// would skip and repeat items.
func (r *Request) Cursor(key any) (bool, error) {
	s := r.Get("cursor")
	if s == "" {
		return false, nil
	}
	bad := &Error{http.StatusBadRequest, "bad_cursor", "take the cursor from the page before, with the same filters and order", "cursor"}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return false, bad
	}
	var c cursor
	if strictJSON(b, &c) != nil || c.Sum != r.sum() || strictJSON(c.Key, key) != nil {
		return false, bad
	}
	return true, nil
}

// Next makes the cursor of the page after the item with that key.
func (r *Request) Next(key any) (string, error) {
	k, err := json.Marshal(key)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(cursor{k, r.sum()})
	return base64.RawURLEncoding.EncodeToString(b), err
}

// offsetPage cuts one page out of a list that is whole in memory or read with limit and offset: f gets how many to skip
// and how many to give, and gives one more where there are more.
func offsetPage[T any](r *Request, f func(offset, limit int) ([]T, error)) (*Page[T], error) {
	var offset int
	if _, err := r.Cursor(&offset); err != nil {
		return nil, err
	}
	if offset < 0 || offset > 1_000_000 {
		return nil, BadValue("cursor", "is too far")
	}
	items, err := f(offset, r.Limit+1)
	if err != nil {
		return nil, err
	}
	p := &Page[T]{Items: items}
	if len(items) > r.Limit {
		p.Items = items[:r.Limit]
		p.Next, err = r.Next(offset + r.Limit)
	}
	return p, err
}

// slicePage is offsetPage over a list in memory.
func slicePage[T any](r *Request, all []T) (*Page[T], error) {
	p, err := offsetPage(r, func(offset, limit int) ([]T, error) {
		offset = min(offset, len(all))
		return all[offset:min(offset+limit, len(all))], nil
	})
	if err == nil {
		n := uint64(len(all))
		p.Total = &n
	}
	return p, err
}
