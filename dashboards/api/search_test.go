package api

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/tingke/tingke/dashboards/filter"
	"github.com/tingke/tingke/pipeline/warehouse"
)

// TestSearchFindsWhatAScanFinds: over random texts and random words, the index of words gives what reading every text gives,
// for turns and for sessions, and what is asked of it is answered by the index.
func TestSearchFindsWhatAScanFinds(t *testing.T) {
	f := newFixture(t)
	const seed = 6
	r := rand.New(rand.NewPCG(seed, 1))
	// Few characters, so that words come twice, in part, and over the border of two turns.
	alphabet := []string{"退", "款", "款", "货", "发", "發", "国", "國", "面", "麵", "a", "A", "ａ", "Ａ", "k", "K", "K", "1", "１", " ", "　", "😀", "👍🏽", "👨‍👩", "'", "%", "_", `\`, "é", "É", "Σ", "ς"}
	words := func(most int) string {
		var b strings.Builder
		few := alphabet[r.IntN(len(alphabet)-6):][:6]
		for range 1 + r.IntN(most) {
			if r.IntN(4) == 0 {
				few = alphabet
			}
			b.WriteString(few[r.IntN(len(few))])
		}
		return b.String()
	}
	quoted := func(s string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
	}
	var texts []string
	write := func(id string, lines ...string) {
		t.Helper()
		texts = append(texts, lines...)
		for i, s := range lines {
			lines[i] = quoted(s)
		}
		sql := fmt.Sprintf("INSERT INTO analyses SELECT * REPLACE (%s AS session_id, [%s] AS turn_text, now64(3) AS written_at) FROM (SELECT * FROM analyses FINAL WHERE session_id = 'one-1')", quoted(id), strings.Join(lines, ", "))
		if err := f.w.Conn().Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	write("border", "我要退", "款 好的", "谢谢发货")
	for i := range 40 {
		write(fmt.Sprintf("random-%d", i), words(16), words(16), words(16))
	}
	var cut warehouse.FactsCut
	look := func() {
		t.Helper()
		var err error
		if cut, err = f.w.TurnFacts(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	check := func(q string) (found int) {
		t.Helper()
		var got, want []string
		list := "SELECT arraySort(groupArray(concat(session_id, ' ', toString(position)))) FROM "
		sql, p := filter.Words(q)
		if err := f.w.Conn().QueryRow(t.Context(), list+"turn_facts WHERE "+cut.Live()+" AND "+sql, p...).Scan(&got); err != nil {
			t.Fatalf("%q: %v", q, err)
		}
		sql, p = filter.Text("text", q)
		if err := f.w.Conn().QueryRow(t.Context(), list+"turns WHERE "+sql, p...).Scan(&want); err != nil {
			t.Fatalf("%q: %v", q, err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("seed %d: %q finds %q, a scan %q", seed, q, got, want)
		}
		return len(want)
	}
	look()
	none, some := 0, 0
	for i := range 200 {
		var q string
		if i%2 == 0 {
			q = words(6)
		} else { // a part of a text
			runes := []rune(texts[r.IntN(len(texts))])
			from := r.IntN(len(runes))
			q = string(runes[from:min(len(runes), from+1+r.IntN(7))])
		}
		if check(q) > 0 {
			some++
		} else {
			none++
		}
	}
	if none < 20 || some < 80 {
		t.Errorf("%d of the words are found and %d not: that shows little", some, none)
	}
	if check("退款") == 0 || check("谢谢发货") == 0 {
		t.Error("words of the world are not found")
	}

	for q, want := range map[string]uint64{"退款 好的": 0, "谢谢发货": 1, "款 好": 1} { // not over the border of two turns
		turns := get[TurnPage](t, f.api, "admin", Prefix+"/turns?q="+url.QueryEscape(q))
		sessions := get[Page[QueueRow]](t, f.api, "admin", Prefix+"/sessions?q="+url.QueryEscape(q))
		if turns.Total != want || turns.Sessions != want || *sessions.Total != want || len(sessions.Items) != int(want) {
			t.Errorf("%q finds %d turns of %d sessions, and %d sessions in their list, want %d", q, turns.Total, turns.Sessions, *sessions.Total, want)
		}
	}
	for _, q := range []string{"退款", "谢谢发", "谢谢发货了", "abcd"} {
		var plan []string
		sql, p := filter.Words(q)
		if err := f.w.Conn().QueryRow(t.Context(), "SELECT groupArray(explain) FROM (EXPLAIN actions = 1 SELECT count() FROM turn_facts WHERE "+sql+")", p...).Scan(&plan); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(strings.Join(plan, "\n"), "__text_index_") {
			t.Errorf("%q is not answered by the index:\n%s", q, strings.Join(plan, "\n"))
		}
	}

	// What is written over and what is erased is found no more.
	if err := f.w.Conn().Exec(t.Context(), "INSERT INTO analyses SELECT * REPLACE (version + 1 AS version, ['退货款', '', ''] AS turn_text, now64(3) AS written_at) FROM analyses FINAL WHERE session_id = 'border'"); err != nil {
		t.Fatal(err)
	}
	look()
	if check("谢谢发货") != 0 || check("退货款") == 0 {
		t.Error("a session that was written anew")
	}
	if _, err := f.w.Erase(t.Context(), []string{"border", "random-1", "random-2"}, nil); err != nil {
		t.Fatal(err)
	}
	look()
	for range 20 {
		check(words(4))
	}
	var left uint64
	if err := f.w.Conn().QueryRow(t.Context(), "SELECT count() FROM turn_facts WHERE session_id IN ('border', 'random-1', 'random-2')").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows of erased sessions, %v", left, err)
	}
}
