package warehouse

import (
	"context"
	"testing"
	"time"
)

func TestRulePacks(t *testing.T) {
	ctx := context.Background()
	w := migrated(t)
	mark := func() string {
		t.Helper()
		m, err := w.RulePacksMark(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	add := func(p RulePack) RulePack {
		t.Helper()
		p, err := w.AppendRulePack(ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if got := mark(); got != "" {
		t.Errorf("mark %q of nothing", got)
	}
	// The clock of the first publisher is an hour ahead.
	mustExec(t, w, "INSERT INTO rule_packs (pack, version, content, hash, author, at, active) VALUES ('a', '1+aa', 'id: a', 'h1', '甲', now64(6) + INTERVAL 1 HOUR, true)")
	before := mark()
	content := "id: a\n# 'quoted' \\ 规则 \x00 😀\n"
	a2 := add(RulePack{Pack: "a", Version: "2+bb", Content: content, Hash: "h2", Author: "it's me", Note: "why", Active: true})
	if before == mark() || before == "" {
		t.Errorf("mark %q before and after", before)
	}
	add(RulePack{Pack: "b'", Version: "1+cc", Content: "id: b", Hash: "h3"})
	if !a2.At.After(time.Now().Add(time.Minute)) {
		t.Errorf("published at %v, before the one it replaces", a2.At)
	}
	f := func(pack string, limit int, want ...string) []RulePack {
		t.Helper()
		got, err := w.RulePacks(ctx, pack, limit)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, p := range got {
			ids = append(ids, p.Pack+" "+p.Version)
		}
		if len(ids) != len(want) {
			t.Fatalf("%q: %q, want %q", pack, ids, want)
		}
		for i := range want {
			if ids[i] != want[i] {
				t.Errorf("%q: %q, want %q", pack, ids, want)
			}
		}
		return got
	}
	f("", 9, "a 2+bb", "a 1+aa", "b' 1+cc")
	f("", 1, "a 2+bb", "b' 1+cc")
	f("b'", 9, "b' 1+cc")
	f("none", 9)
	got := f("a", 1, "a 2+bb")[0]
	want := a2
	want.Content = ""
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if text, err := w.RulePackContent(ctx, got); err != nil || text != content {
		t.Errorf("content %q, %v", text, err)
	}
	if text, err := w.RulePackContent(ctx, RulePack{Pack: "a", Version: "9"}); err == nil {
		t.Errorf("content %q of a version that does not exist", text)
	}
}
