package rulestore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/current"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/pipeline/warehouse/warehousetest"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// pack writes a pack of one rule that finds a word.
func pack(id, version, rule, word string, tests ...string) string {
	text := fmt.Sprintf("id: %s\nversion: %q\nrules:\n  - id: %s\n    name: 例\n    severity: minor\n    reason: 例\n    trigger: {in: {role: customer}, keyword: [%s]}\n", id, version, rule, word)
	if len(tests) > 0 {
		text += "    tests:\n"
	}
	for _, t := range tests {
		text += "      - " + t + "\n"
	}
	return text
}

func TestMain(m *testing.M) { os.Exit(warehousetest.Main(m)) }

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pack.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newStore(t *testing.T, w *warehouse.Warehouse, packs ...string) *Store {
	t.Helper()
	s, err := New(w, packs, rules.Load)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// inUse is what a store says is in use: "id origin-letter declared-version", and the packs with problems.
func inUse(t *testing.T, s *Store) string {
	t.Helper()
	u, err := s.InUse(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var parts, versions []string
	for _, p := range u.Packs {
		declared, _, _ := strings.Cut(p.Version, "+")
		parts = append(parts, p.ID+"="+p.Origin[:1]+declared)
		versions = append(versions, p.ID+"@"+p.Version)
	}
	if got, want := u.Set.Version(), strings.Join(versions, ","); got != want {
		t.Errorf("the set is %s, its packs %s", got, want)
	}
	for _, p := range u.Problems {
		declared, _, _ := strings.Cut(p.Version, "+")
		parts = append(parts, "!"+p.Pack+declared)
	}
	return strings.Join(parts, " ")
}

func publish(t *testing.T, s *Store, text string) *Published {
	t.Helper()
	p, err := s.Publish(t.Context(), Draft{Name: "draft.yaml", YAML: []byte(text), Author: "王", Note: "n", Features: rules.Literal{}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhatIsInUse(t *testing.T) {
	w := warehousetest.Open(t)
	own := file(t, pack("mine", "1", "own_rule", "甲"))
	s := newStore(t, w, "standard", own)
	step := func(what, want string) {
		t.Helper()
		if got := inUse(t, s); got != want {
			t.Errorf("%s: in use %q, want %q", what, got, want)
		}
		// Whoever starts now agrees with whoever has been running.
		if got := inUse(t, newStore(t, w, "standard", own)); got != want {
			t.Errorf("%s, a new process: in use %q, want %q", what, got, want)
		}
	}
	row := func(id, version, content string) {
		t.Helper()
		if _, err := w.AppendRulePack(t.Context(), warehouse.RulePack{Pack: id, Version: version, Content: content, Author: "直接", Active: true}); err != nil {
			t.Fatal(err)
		}
	}
	standard := "standard=b" + declared(t)
	step("nothing published", standard+" mine=f1")

	publish(t, s, pack("zeta", "1", "zeta_rule", "乙"))
	publish(t, s, pack("alpha", "1", "alpha_rule", "乙"))
	step("packs beside those of the configuration", standard+" mine=f1 alpha=p1 zeta=p1")

	if p := publish(t, s, pack("mine", "2", "own_rule", "丙")); !strings.HasPrefix(p.Replaces, "1+") {
		t.Errorf("it replaces %q, want 1+...", p.Replaces)
	}
	step("one in the place of the configuration's", standard+" mine=p2 alpha=p1 zeta=p1")

	row("mine", "3+x", "id: mine\nversion: '3'\nrules: [{id: own_rule, keywrod: x}]\n")
	row("mine", "4+x", "not: [yaml")
	step("broken rows in the table", standard+" mine=p2 alpha=p1 zeta=p1 !mine4 !mine3")

	row("mine", "5+x", pack("other", "5", "own_rule", "x"))
	step("a row under another id", standard+" mine=p2 alpha=p1 zeta=p1 !mine5 !mine4 !mine3")

	row("alpha", "2+x", pack("alpha", "2", "zeta_rule", "x"))
	step("a rule id of another pack", standard+" mine=p2 alpha=p1 zeta=p1 !mine5 !mine4 !mine3 !alpha2")

	u, err := s.InUse(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"keywrod", "published as mine", "two rules have the id zeta_rule", "by 直接"} {
		if got := u.Err().Error(); !strings.Contains(got, want) {
			t.Errorf("the reasons say nothing of %q:\n%s", want, got)
		}
	}

	// The text in use is published again: the row makes the pack whole.
	if p := publish(t, s, pack("mine", "2", "own_rule", "丙")); p.Unchanged {
		t.Error("unchanged, though broken rows lie above it")
	}
	if p := publish(t, s, pack("mine", "2", "own_rule", "丙")); !p.Unchanged {
		t.Error("published twice in a row, not unchanged")
	}
	publish(t, s, pack("alpha", "3", "alpha_rule", "y"))
	step("mended", standard+" mine=p2 alpha=p3 zeta=p1")

	if _, err := s.Withdraw(t.Context(), "mine", "王", "off"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Withdraw(t.Context(), "zeta", "王", "off"); err != nil {
		t.Fatal(err)
	}
	step("taken out of use", standard+" mine=f1 alpha=p3")

	if _, err := s.Rollback(t.Context(), "alpha", "1", "王", ""); err != nil {
		t.Fatal(err)
	}
	step("rolled back", standard+" mine=f1 alpha=p1")
	history, err := s.History(t.Context(), "alpha")
	if err != nil || len(history) != 4 || !strings.HasPrefix(history[0].Note, "rolled back to the text of") {
		t.Errorf("history %+v, %v", history, err)
	}
}

func declared(t *testing.T) string {
	t.Helper()
	set, err := rules.Load(rules.Embedded("standard"))
	if err != nil {
		t.Fatal(err)
	}
	_, version := identity(set)
	v, _, _ := strings.Cut(version, "+")
	return v
}

// TestInUseIsRemembered: nothing is compiled again while nothing has changed, and everything is when a configured file has.
func TestInUseIsRemembered(t *testing.T) {
	own := file(t, pack("mine", "1", "own_rule", "甲"))
	compiled := 0
	s, err := New(warehousetest.Open(t), []string{own}, func(sources ...rules.Source) (*rules.Set, error) {
		compiled++
		return rules.Load(sources...)
	})
	if err != nil {
		t.Fatal(err)
	}
	inUse(t, s)
	before := compiled
	if got := inUse(t, s); got != "mine=f1" || compiled != before {
		t.Errorf("in use %q, compiled %d times more", got, compiled-before)
	}
	if err := os.WriteFile(own, []byte(pack("mine", "2", "own_rule", "乙")), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := inUse(t, s); got != "mine=f2" || compiled == before {
		t.Errorf("after the file changed %q is in use, compiled %d times more", got, compiled-before)
	}
}

func TestPublishRefuses(t *testing.T) {
	w := warehousetest.Open(t)
	s := newStore(t, w, "standard")
	f := func(name, text, want string, force bool) {
		t.Helper()
		_, err := s.Publish(t.Context(), Draft{Name: "draft.yaml", YAML: []byte(text), Features: rules.Literal{}, Force: force})
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			return
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		if h, _ := s.History(t.Context(), "mine"); len(h) != 0 {
			t.Errorf("%s: it was published all the same", name)
		}
	}
	wrong := pack("mine", "1", "own_rule", "甲", "{want: present, turns: [{客户: 乙}]}")
	f("does not compile", "id: mine\n", "draft.yaml:1:1", false)
	f("does not compile, forced", "id: mine\n", "draft.yaml:1:1", true)
	f("clashes", pack("mine", "1", "greeting", "甲"), "two rules have the id greeting", true)
	f("its test fails", wrong, "draft.yaml:10: rule own_rule, test #1: want present, got absent", false)
	f("its test fails, forced", wrong, "", true)

	if _, err := s.Withdraw(t.Context(), "none", "", ""); !errors.Is(err, ErrNotPublished) {
		t.Errorf("withdrawing what was never published: %v", err)
	}
	g := func(version, want string) {
		t.Helper()
		row, err := s.Find(t.Context(), "mine", version)
		got := row.Version
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("version %s: %q, want %q", version, got, want)
		}
	}
	first, _ := s.Find(t.Context(), "mine", "1")
	_, hash, _ := strings.Cut(first.Version, "+")
	g("1", first.Version)
	g(first.Version, first.Version)
	g(hash, first.Version)
	g("7", "no published version 7, only "+first.Version)
	publish(t, s, pack("mine", "1", "own_rule", "丁"))
	g("1", "several texts of version 1")
	g(hash, first.Version)
}

type noFeatures struct{}

func (noFeatures) ModelVersion() string { return "none" }
func (noFeatures) Features(t *schemas.Transcript) *schemas.Features {
	return rules.Literal{}.Features(t)
}

// TestSource: a running process takes what is published, and keeps what it has while the newest is broken.
func TestSource(t *testing.T) {
	w := warehousetest.Open(t)
	s := newStore(t, w, "standard")
	compiled := 0
	s.compile = func(sources ...rules.Source) (*rules.Set, error) { compiled++; return rules.Load(sources...) }
	start, err := rules.Load(rules.Embedded("standard"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := current.New(analyse.New(noFeatures{}, start, nil), current.Options{Sources: []current.Source{s.Source(start.Version())}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	session := &schemas.Transcript{Closed: true, Turns: []schemas.TranscriptTurn{{Turn: schemas.Turn{Role: schemas.Customer, Text: "甲乙"}}}}
	step := func(what string, hits int, wantErr string) {
		t.Helper()
		a.Refresh(context.Background())
		got := a.Analyse(session)
		n := 0
		for _, h := range got.Findings.Hits {
			if h.RuleID == "own_rule" {
				n++
			}
		}
		if n != hits {
			t.Errorf("%s: %d hits with %s, want %d", what, n, got.RulesVersion, hits)
		}
		if st := a.Status()[0]; !strings.Contains(st.Error, wantErr) || wantErr == "" && st.Error != "" {
			t.Errorf("%s: status %q, want %q", what, st.Error, wantErr)
		}
		n = compiled
		a.Refresh(context.Background())
		if compiled != n {
			t.Errorf("%s: compiled again though nothing was published", what)
		}
	}
	step("nothing published", 0, "")
	publish(t, s, pack("mine", "1", "own_rule", "甲"))
	step("published", 1, "")
	if _, err := w.AppendRulePack(t.Context(), warehouse.RulePack{Pack: "mine", Version: "2+x", Content: "id: mine\nversion: '2'\nrules: 7", Active: true}); err != nil {
		t.Fatal(err)
	}
	step("broken", 1, "version 2+x of the rule pack mine")
	publish(t, s, pack("mine", "3", "own_rule", "丙"))
	step("mended", 0, "")
	if _, err := s.Rollback(t.Context(), "mine", "1", "", ""); err != nil {
		t.Fatal(err)
	}
	step("rolled back", 1, "")
	if _, err := s.Withdraw(t.Context(), "mine", "", ""); err != nil {
		t.Fatal(err)
	}
	step("taken out of use", 0, "")
}
