package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/tingke/tingke/pipeline/intake"
	"github.com/tingke/tingke/pipeline/upload"
)

// TestUploadWritesWhatBatchWrites: files that somebody uploads give the rows that the command line gives, bad lines
// included, and running one again changes nothing.
func TestUploadWritesWhatBatchWrites(t *testing.T) {
	a := testApp(t)
	a.getenv = env("TINGKE_KEY", "the key of the test of uploads, long enough")
	ctx := context.Background()
	s, err := a.openStore(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	inUse, err := a.currentAnalyser(ctx, s, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	service, err := a.uploads(ctx, s, inUse.InUse)
	if err != nil {
		t.Fatal(err)
	}
	// The rows of a table as a shop console gives them, with a title above the names of the columns and a bad row.
	table := writeFile(t, "聊天记录.csv", "千牛聊天记录\n会话ID,角色,消息内容,发送时间,店铺名称\nup-1,客户,手机13812345678，面膜B为什么比面膜A贵,2026-11-02 10:00:00,花漾\n"+
		"up-1,客服,您好，B款的精华含量更高,2026-11-02 10:00:40,花漾\nup-2,火星人,什么,2026-11-02 11:00:00,花漾\nup-3,客户,怎么还不发货，急死了,2026-11-03 09:00:00,安居\n")
	header := writeFile(t, "map.yaml", "header_row: 2\ncolumns: {session_id: 会话ID, role: 角色, text: 消息内容, at: 发送时间, shop: 店铺名称}\n")
	columns, err := intake.ReadColumnMap(header)
	if err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join("..", "..", "testdata", "transcripts")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	calls, err := os.ReadFile(filepath.Join(plain, "calls-shops.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(calls); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	archive := writeFile(t, "calls-shops.jsonl.gz", packed.String())
	files := []string{filepath.Join(plain, "chats-anju.jsonl"), filepath.Join(plain, "bad.jsonl"), filepath.Join(plain, "orders.jsonl"), filepath.Join(plain, "ratings.jsonl"), archive}

	if err := a.batch(ctx, s, files, intake.Options{}, nil); err == nil {
		t.Error("bad lines in the input were not reported")
	}
	if err := a.batch(ctx, s, []string{table}, intake.Options{Map: columns}, nil); err == nil {
		t.Error("the bad row was not reported")
	}
	want, err := s.Snapshot(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(want["sessions"]) < 20 || len(want["dead_letters"]) < 3 || len(want["orders"]) == 0 {
		t.Fatalf("the files hold too little: %d sessions, %d dead letters, %d orders", len(want["sessions"]), len(want["dead_letters"]), len(want["orders"]))
	}
	for _, table := range []string{"transcripts", "analyses", "order_rows", "rating_rows", "dead_letter_rows"} {
		if err := s.Conn().Exec(ctx, "TRUNCATE TABLE "+table); err != nil {
			t.Fatal(err)
		}
	}

	send := func(paths ...string) *upload.Result {
		t.Helper()
		var opened []*os.File
		u, err := service.Receive(ctx, "sup", func() (*upload.Part, error) {
			if len(paths) == 0 {
				return nil, io.EOF
			}
			f, err := os.Open(paths[0])
			if err != nil {
				return nil, err
			}
			paths, opened = paths[1:], append(opened, f)
			return &upload.Part{Name: filepath.Base(f.Name()), Body: f}, nil
		})
		for _, f := range opened {
			f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := service.Preview(ctx, u.ID, "sup", upload.How{}); err != nil {
			t.Fatal(err)
		}
		told := 0
		r, err := service.Run(ctx, u.ID, "sup", upload.How{}, func(n int) { told = n })
		if err != nil || told != r.Messages || len(r.Broken) > 0 || r.RejectedCount != r.DeadLetters {
			t.Fatalf("result %+v, progress %d: %v", r, told, err)
		}
		return r
	}
	r := send(append(files, table)...)
	if r.RejectedCount < 3 || r.Written == 0 {
		t.Errorf("result %+v", r)
	}
	got, err := s.Snapshot(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := want.Diff(got); diff != "" {
		t.Errorf("an upload writes other rows than batch:\n%s", diff)
	}
	if again := send(append(files, table)...); again.Written != 0 {
		t.Errorf("running it again wrote %d sessions", again.Written)
	}
	if left, err := os.ReadDir(filepath.Join(a.dir, "uploads")); err != nil || len(left) > 0 {
		t.Errorf("%v is left behind: %v", left, err)
	}
}
