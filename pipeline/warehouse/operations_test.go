package warehouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/warehouse/engine"
	"github.com/tingke/tingke/schemas"
)

func TestDeadLettersLostRangesAndTheForgotten(t *testing.T) {
	ctx := context.Background()
	w := migrated(t)
	letters := []DeadLetter{
		{Topic: "t", Partition: 1, Offset: 7, Error: "role: unknown role", RawMasked: "{\x00", SHA256: "ab", At: monday},
		{Topic: "a.jsonl", Offset: 3, Error: "broken", SHA256: "cd", At: monday.AddDate(-1, 0, 0)}, // an old message is kept, too
	}
	lost := []LostRange{{Topic: "t", Partition: 1, From: 5, To: 9, At: monday}}
	for range 2 { // a replay doubles nothing
		if err := w.Write(ctx, Batch{DeadLetters: letters, LostRanges: lost}); err != nil {
			t.Fatal(err)
		}
	}
	mustExec(t, w, "OPTIMIZE TABLE dead_letter_rows FINAL")
	if got, err := w.DeadLetters(ctx, 10); err != nil || !reflect.DeepEqual(got, letters) {
		t.Errorf("dead letters %+v, %v", got, err)
	}
	if got, err := w.UnacknowledgedLost(ctx); err != nil || !slices.Equal(got, lost) {
		t.Errorf("lost ranges %+v, %v", got, err)
	}
	if n, err := w.AcknowledgeLost(ctx, "ops"); n != 1 || err != nil {
		t.Errorf("%d acknowledged, %v", n, err)
	}
	if err := w.Write(ctx, Batch{LostRanges: lost}); err != nil { // replayed once more
		t.Fatal(err)
	}
	if got, err := w.UnacknowledgedLost(ctx); err != nil || len(got) != 0 {
		t.Errorf("lost ranges %+v, %v after acknowledging", got, err)
	}
	if got := one[string](t, w, "SELECT acknowledged_by FROM lost_ranges"); got != "ops" {
		t.Errorf("acknowledged by %q", got)
	}

	if err := w.Forget(ctx, monday, "p1", "p'2"); err != nil {
		t.Fatal(err)
	}
	f := func(ask []string, want ...string) {
		t.Helper()
		got, err := w.Forgotten(ctx, ask)
		if err != nil || len(got) != len(want) {
			t.Errorf("%v: %v, %v, want %v", ask, got, err, want)
		}
		for _, p := range want {
			if !got[p].Equal(monday) {
				t.Errorf("%v: %s was forgotten at %s", ask, p, got[p])
			}
		}
	}
	f(nil, "p1", "p'2")
	f([]string{"p'2", "p3"}, "p'2")
	f([]string{})
}

// TestDeadLettersOfATopicMadeAgain: the new topic counts its offsets from 0 and has other bad messages there.
func TestDeadLettersOfATopicMadeAgain(t *testing.T) {
	ctx := context.Background()
	w := open(t, config(t))
	var before, after []schemas.Migration // those that the table needs
	for _, m := range schemas.Migrations() {
		if m.Number <= 2 {
			before = append(before, m)
		}
		if m.Name == "0017_dead_letter_key.sql" {
			after = append(slices.Clone(before), m)
		}
	}
	if err := w.migrate(ctx, before); err != nil {
		t.Fatal(err)
	}
	// What a program of before the key wrote: in a store that is brought up to date, and beside one that runs already.
	earlier := func(offset int, sha string) {
		t.Helper()
		mustExec(t, w, fmt.Sprintf("INSERT INTO dead_letter_rows (topic, `partition`, `offset`, error, sha256, at) VALUES ('t', 0, %d, 'bad', '%s', '2026-03-02 01:00:00')", offset, sha))
	}
	earlier(0, "old")
	for range 2 { // a crash before the migration is recorded makes it run again
		if err := w.migrate(ctx, after); err != nil {
			t.Fatal(err)
		}
		mustExec(t, w, "TRUNCATE TABLE schema_migrations")
	}
	letter := func(offset int64, sha string) DeadLetter {
		return DeadLetter{Topic: "t", Offset: offset, Error: "bad", SHA256: sha, At: monday}
	}
	for range 2 { // and replayed
		if err := w.Write(ctx, Batch{DeadLetters: []DeadLetter{letter(0, "old"), letter(1, "first")}}); err != nil {
			t.Fatal(err)
		}
		if err := w.Write(ctx, Batch{DeadLetters: []DeadLetter{letter(0, "new"), letter(1, "second")}}); err != nil {
			t.Fatal(err)
		}
		earlier(1, "second")
	}
	want := "0 new, 0 old, 1 first, 1 second"
	rows := "SELECT arrayStringConcat(arraySort(groupArray(concat(toString(`offset`), ' ', sha256))), ', ') FROM dead_letters"
	if got := one[string](t, w, rows); got != want {
		t.Errorf("dead letters %s, want %s", got, want)
	}
	mustExec(t, w, "OPTIMIZE TABLE dead_letter_rows FINAL")
	if got := one[string](t, w, rows); got != want {
		t.Errorf("after merging: dead letters %s, want %s", got, want)
	}
}

// TestLostRangesOfATopicMadeAgain: the new topic counts its offsets from 0, so it may lose what the old one lost, and nobody has
// acknowledged that.
func TestLostRangesOfATopicMadeAgain(t *testing.T) {
	ctx := context.Background()
	w := open(t, config(t))
	var before, after []schemas.Migration // those that the table needs
	for _, m := range schemas.Migrations() {
		if m.Number <= 2 {
			before = append(before, m)
		}
		if m.Name == "0020_lost_range_key.sql" {
			after = append(slices.Clone(before), m)
		}
	}
	if err := w.migrate(ctx, before); err != nil {
		t.Fatal(err)
	}
	// What a program of before the key wrote.
	mustExec(t, w, "INSERT INTO lost_range_rows (topic, `partition`, offset_from, offset_to, at, acknowledged, acknowledged_by) VALUES ('t', 0, 5, 9, '2026-03-02 01:00:00', 1, 'ops')")
	for range 2 { // a crash before the migration is recorded makes it run again
		if err := w.migrate(ctx, after); err != nil {
			t.Fatal(err)
		}
		mustExec(t, w, "TRUNCATE TABLE schema_migrations")
	}
	lost := func(id string, to int64) LostRange {
		return LostRange{Topic: "t", TopicID: id, From: 5, To: to, At: monday}
	}
	f := func(acknowledge int, want ...LostRange) {
		t.Helper()
		if got, err := w.UnacknowledgedLost(ctx); err != nil || !slices.Equal(got, want) {
			t.Errorf("lost ranges %+v, %v, want %+v", got, err, want)
		}
		if n, err := w.AcknowledgeLost(ctx, "ops"); n != acknowledge || err != nil {
			t.Errorf("%d acknowledged, want %d; %v", n, acknowledge, err)
		}
	}
	f(0)
	for _, l := range []LostRange{lost("aa", 9), lost("bb", 7)} { // each in its turn, the one before acknowledged
		for range 2 { // and replayed
			if err := w.Write(ctx, Batch{LostRanges: []LostRange{l}}); err != nil {
				t.Fatal(err)
			}
		}
		mustExec(t, w, "OPTIMIZE TABLE lost_range_rows FINAL")
		f(1, l)
	}
	if err := w.Write(ctx, Batch{LostRanges: []LostRange{lost("aa", 9), lost("bb", 7)}}); err != nil {
		t.Fatal(err)
	}
	f(0)
	want := " 9 1, aa 9 1, bb 7 1"
	rows := "SELECT arrayStringConcat(arraySort(groupArray(concat(topic_id, ' ', toString(offset_to), ' ', toString(toUInt8(acknowledged))))), ', ') FROM lost_ranges"
	if got := one[string](t, w, rows); got != want {
		t.Errorf("lost ranges %q, want %q", got, want)
	}
}

func TestOpenSessions(t *testing.T) {
	ctx := context.Background()
	w := migrated(t)
	var b Batch
	for i := range 6 {
		s := &assemble.State{SessionID: fmt.Sprint(i)}
		s.Origin.Topic, s.Origin.Partition = "t", int32(i%3)
		if i == 3 {
			s.EndHash = 6
		}
		b.States = append(b.States, s)
	}
	if err := w.Write(ctx, b); err != nil {
		t.Fatal(err)
	}
	f := func(topic string, partitions []int32, before time.Time, limit int, want ...string) {
		t.Helper()
		got, err := w.OpenSessions(ctx, topic, partitions, before, limit)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s %v: %v, %v, want %v", topic, partitions, got, err, want)
		}
	}
	later := time.Now().Add(time.Minute)
	f("t", []int32{0, 1}, later, 10, "0", "1", "4")
	f("t", nil, later, 2, "0", "1")
	f("t", []int32{}, later, 10)
	f("u", []int32{0, 1}, later, 10)
	f("t", []int32{0, 1}, time.Now().Add(-time.Minute), 10)
}

func TestIsTransient(t *testing.T) {
	f := func(err error, want bool) {
		t.Helper()
		if got := IsTransient(fmt.Errorf("cannot insert: %w", err)); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
	f(&clickhouse.Exception{Code: 241}, true)
	f(&clickhouse.Exception{Code: 252}, true)
	f(&clickhouse.Exception{Code: 999}, true)
	f(&clickhouse.Exception{Code: 60}, false)
	f(&clickhouse.Exception{Code: 62}, false)
	f(&clickhouse.Exception{Code: 516}, false)
	f(&engine.Exception{Code: 243}, true)
	f(engine.ErrGone, true)
	f(io.ErrUnexpectedEOF, true)
	f(&net.OpError{Op: "dial", Err: errors.New("connection refused")}, true)
	f(context.DeadlineExceeded, true)
	f(context.Canceled, false)
	f(clickhouse.ErrBatchInvalid, false)
	f(errors.New("something else"), false)
	if IsTransient(nil) {
		t.Error("no error is transient")
	}

	// Errors as they really come.
	w := migrated(t)
	for sql, want := range map[string]int{"SELECT * FROM no_such_table": 60, "SELEC 1": 62, "SELECT throwIf(1)": 395, "SELECT arraySum(range(100000000)) SETTINGS max_memory_usage = 1000000": 241} {
		err := w.Conn().Exec(context.Background(), sql)
		if got := ErrorCode(err); got != want || IsTransient(err) != transientCodes[want] {
			t.Errorf("%s: code %d of %v, want %d", sql, got, err, want)
		}
	}
}
