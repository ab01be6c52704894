package opinions

import (
	"context"
	"errors"
	"os"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tingke/tingke/nlp/encoder"
	"github.com/tingke/tingke/nlp/opinion"
	"github.com/tingke/tingke/nlp/segment"
	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/pipeline/warehouse/warehousetest"
	"github.com/tingke/tingke/schemas"
)

var model = sync.OnceValue(func() *opinion.Model {
	seg, err := segment.New(segment.Options{})
	if err != nil {
		panic(err)
	}
	e, err := encoder.Default()
	if err != nil {
		panic(err)
	}
	return opinion.NewModel(e, seg)
})

// stage makes one mention of every customer turn, so that a test says which mentions there are; in s2 the reply breaks a rule.
type stage struct{}

func (stage) ModelVersion() string { return "m" }
func (stage) Version() string      { return "r" }
func (stage) Evaluate(t *schemas.Transcript, _ *schemas.Features) schemas.Findings {
	f := schemas.Findings{Outcomes: map[string]string{}}
	if t.Meta.SessionID == "s2" {
		f.Hits = []schemas.Hit{{HitID: "00000000000000aa", RuleID: "ban", Outcome: "present", Severity: "critical", Points: -30, Evidence: []schemas.Evidence{{Turn: t.Turns[1].Seq.V}}}}
	}
	return f
}
func (stage) Features(t *schemas.Transcript) *schemas.Features {
	f := &schemas.Features{Turns: make([]schemas.TurnFeatures, len(t.Turns))}
	for i := range t.Turns {
		if t.Turns[i].Role == schemas.Customer {
			f.Turns[i].Mentions = []schemas.TurnMention{{Text: t.Turns[i].Text, End: len(t.Turns[i].Text), Kind: "complaint", Aspect: "price", Valuable: true,
				Product: "面膜B", Polarity: "negative"}}
		}
	}
	return f
}

func TestMain(m *testing.M) { os.Exit(warehousetest.Main(m)) }

// bed is a store with sessions and the keeper of its registry.
type bed struct {
	t        *testing.T
	w        *warehouse.Warehouse
	k        *Keeper
	analyser *analyse.Analyser
	source   *Source
}

func newBed(t *testing.T, workers int) *bed {
	t.Helper()
	w := warehousetest.Open(t)
	b := &bed{t: t, w: w, analyser: analyse.New(stage{}, stage{}, nil), source: NewSource(w, model())}
	b.k = NewKeeper(w, Options{Model: model(), Analyser: func() *analyse.Analyser { return b.analyser }, Workers: workers})
	b.refresh()
	return b
}

func (b *bed) refresh() {
	b.t.Helper()
	change, err := b.source.Look(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	if change != nil {
		b.analyser = change(b.analyser)
	}
}

// add stores sessions of one customer turn each.
func (b *bed) add(texts map[string]string) {
	b.t.Helper()
	h := assemble.NewHasher([]byte("key of the test, long enough for it"))
	var batch warehouse.Batch
	for id, text := range texts {
		m, err := schemas.Decode([]byte(`{"session_id":"` + id + `","customer_id":"c` + id + `","turns":[{"role":"customer","text":"` + text + `","at":"2026-11-20T10:00:00+08:00"},{"role":"agent","text":"B款精华含量更高","at":"2026-11-20T10:00:30+08:00"}]}`))
		if err != nil {
			b.t.Fatal(err)
		}
		s := assemble.FromMessage(h, func(*schemas.Message) {}, m)
		batch.States = append(batch.States, s)
		batch.Analyses = append(batch.Analyses, b.analyser.Analyse(s.Transcript()))
	}
	if err := b.w.Write(context.Background(), batch); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) rebuild(full bool) *Result {
	b.t.Helper()
	r, err := b.k.Rebuild(context.Background(), full, false, "test")
	if err != nil {
		b.t.Fatal(err)
	}
	b.refresh()
	return r
}

// view gives session -> opinion as the public view shows it.
func (b *bed) view() map[string]string {
	b.t.Helper()
	rows, err := b.w.Conn().Query(context.Background(), "SELECT session_id, opinion_id FROM mentions ORDER BY session_id, seq")
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var s, o string
		if err := rows.Scan(&s, &o); err != nil {
			b.t.Fatal(err)
		}
		out[s] = o
	}
	return out
}

func (b *bed) titles() map[string]string {
	b.t.Helper()
	rows, err := b.w.Conn().Query(context.Background(), "SELECT opinion_id, title FROM opinions")
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var id, title string
		if err := rows.Scan(&id, &title); err != nil {
			b.t.Fatal(err)
		}
		out[id] = title
	}
	return out
}

var prices = map[string]string{"s1": "为什么面膜B比面膜A贵了一百多块钱？", "s2": "面膜B这么贵，它贵在哪里？", "s3": "满减券用不了"}

// The whole course: mentions wait, a rebuild founds an opinion, its sessions are analysed again, later ones are
// assigned at once; people rename, merge and split it.
func TestRegistry(t *testing.T) {
	b, ctx := newBed(t, 0), context.Background()
	b.add(prices)
	if got := b.view(); got["s1"] != "" {
		t.Fatalf("assigned before anything was founded: %v", got)
	}
	dry, err := b.k.Rebuild(ctx, false, true, "test")
	if err != nil || dry.Founded != 1 || len(b.titles()) != 0 {
		t.Fatalf("dry run: %+v, %v, %v", dry, err, b.titles())
	}
	r := b.rebuild(false)
	got := b.view()
	id := got["s1"]
	if r.Epoch != 1 || r.Founded != 1 || r.Sessions != 2 || r.Waiting != 1 || id == "" || got["s2"] != id || got["s3"] != "" {
		t.Fatalf("%+v, %v", r, got)
	}
	if title := b.titles()[id]; title != "为什么面膜B贵" {
		t.Errorf("title %q", title)
	}
	if r = b.rebuild(false); r.Epoch != 1 || r.Founded != 0 || r.Sessions != 0 {
		t.Errorf("a second rebuild changes something: %+v", r)
	}
	b.add(map[string]string{"s4": "为什么面膜B那么贵", "s5": "满减券怎么用不了", "s6": "面膜B怎么又涨价了"})
	if got := b.view(); got["s4"] != id {
		t.Errorf("a later session is not assigned at once: %v", got)
	}
	r = b.rebuild(false)
	got = b.view()
	coupon := got["s3"]
	if r.Epoch != 2 || coupon == "" || got["s5"] != coupon || got["s1"] != id {
		t.Fatalf("%+v, %v", r, got)
	}
	if err := b.k.Rename(ctx, coupon[:6], "满减券失效", "test"); err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	answer := "B款精华含量更高"
	if err := b.k.Judge(ctx, id, Judgement{Status: "fixed", FixedOn: &day, Answer: &answer}, "test"); err != nil {
		t.Fatal(err)
	}
	if err := b.k.Judge(ctx, id, Judgement{Status: "fixed"}, "test"); err == nil {
		t.Error("fixed without a day is taken")
	}
	if got := b.titles()[coupon]; got != "满减券失效" {
		t.Errorf("title %q after renaming", got)
	}
	quotes, err := Quotes(ctx, b.w, id, 10)
	if err != nil || len(quotes) != 3 || quotes[0].Reply != "B款精华含量更高" {
		t.Errorf("quotes %+v, %v", quotes, err)
	}
	for _, q := range quotes {
		if q.Breaks != (q.SessionID == "s2") {
			t.Errorf("a rule was broken in the reply of s2 alone: %+v", q)
		}
	}
	if a := Consistency(model(), quotes, "B款精华含量更高"); a.Replies != 3 || a.Consistent != 1 {
		t.Errorf("answers %+v", a)
	}
	if err := b.k.Merge(ctx, id, []string{coupon}, "test"); err != nil {
		t.Fatal(err)
	}
	if got := b.view(); got["s3"] != id || got["s5"] != id {
		t.Errorf("a merge is not shown: %v", got)
	}
	if len(b.titles()) != 1 {
		t.Errorf("opinions after the merge: %v", b.titles())
	}
	newID, r, err := b.k.Split(ctx, id, func(m string) bool { return m == "面膜b这么贵它贵在哪里" }, "", "test")
	if err != nil || r.Epoch != 3 {
		t.Fatal(r, err)
	}
	b.refresh()
	if got := b.view(); got["s2"] != newID || got["s1"] != id {
		t.Errorf("after the split of %s: %v", newID, got)
	}
	if _, _, err := b.k.Split(ctx, id, func(string) bool { return false }, "", "test"); err == nil {
		t.Error("a split of nothing is taken")
	}
	before, err := At(ctx, b.w, 2)
	if err != nil {
		t.Fatal(err)
	}
	after, err := At(ctx, b.w, 3)
	if err != nil {
		t.Fatal(err)
	}
	if d := Diff(before, after); len(d) != 2 {
		t.Errorf("differences of epochs 2 and 3: %+v", d)
	}
	// The manual title survives a full rebuild, the redirect too.
	b.rebuild(true)
	state, _, err := Load(ctx, b.w)
	if err != nil {
		t.Fatal(err)
	}
	if e := state.Known[coupon]; e == nil || e.Title != "满减券失效" || e.Into != id {
		t.Errorf("after a full rebuild: %+v", e)
	}
}

// A full rebuild depends on the mentions alone: not on the order they came in, nor on rebuilds between, nor on workers.
func TestFullRebuildInAnyOrder(t *testing.T) {
	texts := map[string]string{"a": "面膜B太贵了", "b": "面膜B贵死了", "c": "面膜B怎么这么贵", "d": "满减券用不了", "e": "满减券怎么用不了", "f": "优惠券领不了", "g": "优惠券为什么领不了", "h": "双十一会降价吗"}
	one := newBed(t, 1)
	one.add(texts)
	one.rebuild(true)
	want, wantTitles := one.view(), one.titles()
	if len(wantTitles) < 2 {
		t.Fatalf("only %v", wantTitles)
	}
	two := newBed(t, 8)
	for _, part := range [][]string{{"h", "g", "c"}, {"e", "a"}, {"b", "d", "f"}} {
		some := map[string]string{}
		for _, id := range part {
			some[id] = texts[id]
		}
		two.add(some)
		two.rebuild(false)
	}
	two.rebuild(true)
	if got := two.view(); !reflect.DeepEqual(got, want) {
		t.Errorf("another order gives %v, want %v", got, want)
	}
	got := two.titles()
	for id, title := range wantTitles {
		if got[id] != title {
			t.Errorf("opinion %s is %q, want %q", id, got[id], title)
		}
	}
	if r := two.rebuild(true); r.Founded != 0 || r.Retired != 0 || r.Sessions != 0 {
		t.Errorf("a second full rebuild changes something: %+v", r)
	}
}

// What people say can be taken away. The view and the fold say the same after each event, and an empty value without its name
// says nothing, as in events of before.
func TestTakenAway(t *testing.T) {
	b, ctx := newBed(t, 0), context.Background()
	b.add(prices)
	b.rebuild(false)
	id := b.view()["s1"]
	check := func(owner, note, answer string) {
		t.Helper()
		state, epoch, err := Load(ctx, b.w)
		if err != nil {
			t.Fatal(err)
		}
		e := state.Known[id]
		var head, public [3]string
		for view, to := range map[string]*[3]string{"opinion_heads": &head, "opinions": &public} {
			if err := b.w.Conn().QueryRow(ctx, "SELECT owner, note, answer FROM "+view+" WHERE opinion_id = '"+id+"'").Scan(&to[0], &to[1], &to[2]); err != nil {
				t.Fatal(err)
			}
		}
		want := [3]string{owner, note, answer}
		if fold := [3]string{e.Owner, e.Note, e.Answer}; fold != want || head != want || public != want {
			t.Errorf("epoch %d: fold %q, opinion_heads %q, opinions %q, want %q", epoch, fold, head, public, want)
		}
	}
	judge := func(j Judgement) {
		t.Helper()
		if err := b.k.Judge(ctx, id, j, "test"); err != nil {
			t.Fatal(err)
		}
	}
	text := func(s string) *string { return &s }
	check("", "", "")
	judge(Judgement{Owner: text(" 王敏 "), Note: text("等新批次"), Answer: text("精华含量更高")})
	check("王敏", "等新批次", "精华含量更高")
	judge(Judgement{Status: "accepted"})
	check("王敏", "等新批次", "精华含量更高")
	judge(Judgement{Owner: text(""), Answer: text("请先领券")})
	check("", "等新批次", "请先领券")
	judge(Judgement{Note: text("  "), Answer: text("")})
	check("", "", "")
	judge(Judgement{Owner: text("李雷")})
	check("李雷", "", "")
	if err := b.w.AppendOpinionEvents(ctx, []warehouse.OpinionEvent{{Epoch: 1, Action: "note", OpinionID: id, Note: "旧"}}); err != nil {
		t.Fatal(err)
	}
	check("李雷", "旧", "")
}

// A merge that is taken back leaves what would be there without it, whatever came in meanwhile, in any order; what counted
// for the opinion comes back with it.
func TestUnmerge(t *testing.T) {
	ctx := context.Background()
	first := map[string]string{"a": "面膜B太贵了", "b": "面膜B怎么这么贵", "d": "满减券用不了", "e": "满减券怎么用不了", "f": "优惠券领不了", "g": "优惠券为什么领不了"}
	later := map[string]string{"h": "满减券还是用不了", "i": "面膜B贵死了", "j": "双十一会降价吗", "k": "双十一降价吗", "l": "优惠券领不了啊"}
	never := newBed(t, 1)
	never.add(first)
	never.rebuild(false)
	never.add(later)
	never.rebuild(false)
	want, wantTitles := never.view(), never.titles()

	b := newBed(t, 8)
	b.add(first)
	b.rebuild(false)
	v := b.view()
	price, discount, coupon := v["a"], v["d"], v["f"]
	if price == "" || discount == "" || coupon == "" || price == discount || discount == coupon {
		t.Fatalf("the texts give %v", v)
	}
	apart := b.titles()
	merge := func(into string, ids ...string) {
		t.Helper()
		if err := b.k.Merge(ctx, into, ids, "test"); err != nil {
			t.Fatal(err)
		}
	}
	unmerge := func(ids ...string) {
		t.Helper()
		if err := b.k.Unmerge(ctx, ids, "test"); err != nil {
			t.Fatal(err)
		}
	}
	counts := func(id, want string) {
		t.Helper()
		state, _, err := Load(ctx, b.w)
		if err != nil {
			t.Fatal(err)
		}
		if e, err := state.Find(id); err != nil || e.ID != want {
			t.Errorf("the fold counts %s for %v, %v, want %s", id, e, err, want)
		}
		var seen string
		for _, session := range []string{"a", "d", "f"} {
			if v[session] == id {
				seen = b.view()[session]
			}
		}
		if seen != want {
			t.Errorf("the view counts %s for %s, want %s", id, seen, want)
		}
	}
	merge(discount, coupon)
	merge(price, discount)
	counts(coupon, price)
	state, _, err := Load(ctx, b.w)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range state.Parts(price) {
		if with := []string{coupon}; !p.Undo || p.ID == discount && !slices.Equal(p.With, with) || p.ID == coupon && p.With != nil || p.MergedBy != "test" || p.MergedAt.IsZero() {
			t.Errorf("part %+v", p)
		}
	}
	if got := len(state.Parts(price)); got != 2 {
		t.Errorf("%d parts, want 2", got)
	}
	// What comes in while they are merged counts for the one that stayed, under the id it would have had.
	b.add(map[string]string{"l": later["l"], "h": later["h"]})
	if got := b.view(); got["h"] != price || got["l"] != price {
		t.Errorf("while merged: %v", got)
	}
	unmerge(discount)
	counts(discount, discount)
	counts(coupon, discount) // it came along, and goes along
	unmerge(coupon)
	counts(coupon, coupon)
	if got := b.titles(); !reflect.DeepEqual(got, apart) {
		t.Errorf("titles %v, want %v", got, apart)
	}
	b.add(map[string]string{"k": later["k"], "j": later["j"], "i": later["i"]})
	b.rebuild(false)
	if got := b.view(); !reflect.DeepEqual(got, want) {
		t.Errorf("after taking all back %v, want %v", got, want)
	}
	if got := b.titles(); !reflect.DeepEqual(got, wantTitles) {
		t.Errorf("titles %v, want %v", got, wantTitles)
	}
	if err := b.k.Unmerge(ctx, []string{coupon}, "test"); err == nil {
		t.Error("what is not merged can be taken out")
	}
	// One of two that came together is taken out alone, and a merge the other way round is possible then.
	merge(discount, coupon)
	merge(price, discount)
	unmerge(coupon)
	counts(coupon, coupon)
	counts(discount, price)
	unmerge(discount)
	merge(coupon, price, discount)
	counts(price, coupon)
	unmerge(price, discount)
	if got := b.view(); !reflect.DeepEqual(got, want) {
		t.Errorf("in the end %v, want %v", got, want)
	}
	// A full rebuild founds the same anew and keeps the merge; it can still be taken back.
	merge(price, coupon)
	b.rebuild(true)
	counts(coupon, price)
	unmerge(coupon)
	counts(coupon, coupon)
	never.rebuild(true)
	if got, want := b.view(), never.view(); !reflect.DeepEqual(got, want) {
		t.Errorf("after a full rebuild %v, want %v", got, want)
	}
}

// Only one holder at a time; a lease that was not given back ends by itself.
func TestLease(t *testing.T) {
	b, ctx := newBed(t, 0), context.Background()
	l, err := b.w.TryLease(ctx, leaseName, time.Minute)
	if err != nil || l == nil {
		t.Fatal(l, err)
	}
	if _, err := b.k.Rebuild(ctx, false, false, "test"); !errors.Is(err, ErrBusy) {
		t.Errorf("a second holder: %v", err)
	}
	l.Release(ctx)
	if _, err := b.k.Rebuild(ctx, false, false, "test"); err != nil {
		t.Errorf("after giving back: %v", err)
	}
	if _, err := b.w.TryLease(ctx, leaseName, 50*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	if _, err := b.k.Rebuild(ctx, false, false, "test"); err != nil {
		t.Errorf("after the lease ended: %v", err)
	}
}

func TestFold(t *testing.T) {
	f := func(want []string, events ...warehouse.OpinionEvent) {
		t.Helper()
		var got []string
		for _, o := range Fold(events).Opinions() {
			got = append(got, o.ID+" "+o.Title)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	type E = warehouse.OpinionEvent
	found := E{Action: "found", OpinionID: "a", Title: "t", Members: []string{"x", "y"}}
	f(nil)
	f([]string{"a t"}, found)
	f([]string{"a n"}, found, E{Action: "rename", OpinionID: "a", Title: "n"}, E{Action: "title", OpinionID: "a", Title: "p"}, found)
	f([]string{"a t", "b s"}, found, E{Action: "split", OpinionID: "b", TargetID: "a", Title: "s", Members: []string{"y"}})
	f(nil, found, E{Action: "retire", OpinionID: "a"})
	f(nil, found, E{Action: "reset"})
	f([]string{"a t"}, found, E{Action: "reset"}, found)
	f([]string{"a t"}, found, E{Action: "merge", OpinionID: "a", TargetID: "b"})
}
