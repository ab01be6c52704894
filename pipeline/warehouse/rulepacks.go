package warehouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// RulePack is one publication of a rule pack. The table is append-only: of each pack the latest row counts.
type RulePack struct {
	Pack    string
	Version string // as in rule_version of hits: declared version + content hash
	Content string // YAML; "" where it was not asked for
	Hash    string // SHA-256 of Content, hex
	Author  string
	Note    string
	At      time.Time // microseconds
	Active  bool      // false takes the published pack out of use
}

// RulePacks gives the publications of a pack, of all packs where it is "": by pack, the latest first, at most limit of
// each, without their content.
func (w *Warehouse) RulePacks(ctx context.Context, pack string, limit int) ([]RulePack, error) {
	where := ""
	if pack != "" {
		where = " WHERE pack = " + quote(pack)
	}
	sql := fmt.Sprintf("SELECT pack, version, hash, author, note, at, active FROM rule_packs%s ORDER BY pack, at DESC, version DESC LIMIT %d BY pack", where, limit)
	var out []RulePack
	err := w.query(w.reading(ctx), sql, func(rows driver.Rows) error {
		var p RulePack
		if err := rows.Scan(&p.Pack, &p.Version, &p.Hash, &p.Author, &p.Note, &p.At, &p.Active); err != nil {
			return err
		}
		p.At = p.At.UTC()
		out = append(out, p)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the published rule packs: %w", err)
	}
	return out, nil
}

// RulePackContent gives the YAML text of one publication.
func (w *Warehouse) RulePackContent(ctx context.Context, p RulePack) (string, error) {
	sql := fmt.Sprintf("SELECT content FROM rule_packs WHERE pack = %s AND at = fromUnixTimestamp64Micro(%d) AND version = %s LIMIT 1", quote(p.Pack), p.At.UnixMicro(), quote(p.Version))
	var out string
	found := false
	err := w.query(w.reading(ctx), sql, func(rows driver.Rows) error {
		found = true
		return rows.Scan(&out)
	})
	if err == nil && !found {
		err = fmt.Errorf("there is no row of that time")
	}
	if err != nil {
		return "", fmt.Errorf("cannot read version %s of the rule pack %s: %w", p.Version, p.Pack, err)
	}
	return out, nil
}

// RulePacksMark changes when anything is published; asking for it is cheap. It is "" while nothing is.
func (w *Warehouse) RulePacksMark(ctx context.Context) (string, error) {
	var mark string
	err := w.query(w.reading(ctx), "SELECT if(count() = 0, '', concat(toString(count()), '-', hex(groupBitXor(cityHash64(pack, version, hash, at, active))))) FROM rule_packs", func(rows driver.Rows) error {
		return rows.Scan(&mark)
	})
	if err != nil {
		return "", fmt.Errorf("cannot look for published rule packs: %w", err)
	}
	return mark, nil
}

// AppendRulePack adds a publication. Its time is set so that it counts from now on, whatever the clocks of those who
// published before; it is given back.
func (w *Warehouse) AppendRulePack(ctx context.Context, p RulePack) (RulePack, error) {
	latest, err := w.RulePacks(ctx, p.Pack, 1)
	if err != nil {
		return p, err
	}
	p.At = time.Now().UTC().Truncate(time.Microsecond)
	if len(latest) > 0 && !p.At.After(latest[0].At) {
		p.At = latest[0].At.Add(time.Microsecond)
	}
	in := &inserter[RulePack]{table: "rule_packs", bytes: func(p *RulePack) int { return 256 + len(p.Content) }}
	in.add(
		scalar("pack", func(p *RulePack) *string { return &p.Pack }),
		scalar("version", func(p *RulePack) *string { return &p.Version }),
		scalar("content", func(p *RulePack) *string { return &p.Content }),
		scalar("hash", func(p *RulePack) *string { return &p.Hash }),
		scalar("author", func(p *RulePack) *string { return &p.Author }),
		scalar("note", func(p *RulePack) *string { return &p.Note }),
		scalar("at", func(p *RulePack) time.Time { return p.At }),
		scalar("active", func(p *RulePack) *bool { return &p.Active }),
	)
	if err := insert(ctx, w, in, []*RulePack{&p}); err != nil {
		return p, fmt.Errorf("cannot publish the rule pack %s: %w", p.Pack, err)
	}
	return p, nil
}
