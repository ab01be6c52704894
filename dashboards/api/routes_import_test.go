package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/pipeline/upload"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/pipeline/warehouse/engine/enginetest"
)

// importStore is the warehouse as imports write it.
type importStore struct{ *warehouse.Warehouse }

func (s importStore) StoredVersions(ctx context.Context, ids []string) (map[string]stream.StoredVersion, error) {
	stored, err := s.Warehouse.StoredVersions(ctx, ids)
	out := map[string]stream.StoredVersion{}
	for id, v := range stored {
		out[id] = stream.StoredVersion{Version: v.Version, Seen: v.Seen}
	}
	return out, err
}

func (s importStore) Write(ctx context.Context, b stream.Batch) error {
	var w warehouse.Batch
	for _, x := range b.Sessions {
		w.States, w.Analyses = append(w.States, x.State), append(w.Analyses, x.Analysis)
	}
	for _, o := range b.Orders {
		w.Orders = append(w.Orders, o.Order)
	}
	for _, r := range b.Ratings {
		w.Ratings = append(w.Ratings, r.Rating)
	}
	for _, d := range b.DeadLetters {
		w.DeadLetters = append(w.DeadLetters, warehouse.DeadLetter(d))
	}
	return s.Warehouse.Write(ctx, w)
}

func newUploads(t testing.TB, w *warehouse.Warehouse, e *engines) *upload.Service {
	t.Helper()
	key := []byte("key of the test, long enough for it")
	dir := enginetest.Folder(t) // a fixture may live longer than the test that made it
	testDirs = append(testDirs, dir)
	s, err := upload.New(upload.Options{Dir: dir, Store: importStore{w}, Hasher: assemble.NewHasher(key), Mask: mask.New(key, mask.Options{}),
		Analyser: func() stream.Analyser { return e.analyser }, Location: shanghai, Limits: upload.Limits{FileBytes: 1 << 20, Unpacked: 8 << 20, Uploads: 200}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// testDirs are the folders of uploads, the latest last.
var testDirs []string

// uploadBody is a form with one file; its boundary is part.
func uploadBody(name, content string) string {
	return fmt.Sprintf("--part\r\nContent-Disposition: form-data; name=\"file\"; filename=%q\r\n\r\n%s\r\n--part--\r\n", name, content)
}

// newUpload is an upload of the user's own; one that may not have any gets an id that nobody has.
func newUpload(t testing.TB, f *fixture, user string) string {
	t.Helper()
	w := as(f.api, user, http.MethodPost, Prefix+"/imports", uploadBody("chats.jsonl", `{"session_id":"up-2","turns":[{"role":"customer","text":"在吗"}]}`))
	if w.Code != http.StatusOK {
		return "00000000-0000-4000-8000-000000000000"
	}
	return decode[upload.Upload](t, w.Body.Bytes()).ID
}

func TestImport(t *testing.T) {
	f := newFixture(t)
	csv := "导出说明,,,\n会话ID,角色,消息内容,发送时间\nimp-1,客户,我的电话13812345678，多少钱,2026-03-02 10:00:00\nimp-1,客服,249元,2026-03-02 10:00:20\nimp-2,谁,坏行,2026-03-02 10:00:00\nimp-3,客户,为什么这么贵,2026-03-03 10:00:00\n"
	w := as(f.api, "supervisor", http.MethodPost, Prefix+"/imports", uploadBody("../../etc/聊天.csv", csv))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	u := decode[upload.Upload](t, w.Body.Bytes())
	if len(u.Files) != 1 || u.Files[0].Name != "聊天.csv" || u.Files[0].HeaderRow != 2 || len(u.Files[0].Missing) > 0 {
		t.Fatalf("upload = %+v", u)
	}
	if strings.Contains(w.Body.String(), "13812345678") {
		t.Error("the sample rows are not masked")
	}
	if got := get[Page[upload.Upload]](t, f.api, "admin", Prefix+"/imports"); len(got.Items) != 1 {
		t.Errorf("an admin sees %d uploads, want 1", len(got.Items))
	}
	path := Prefix + "/imports/" + u.ID
	p := send[upload.Preview](t, f.api, "supervisor", http.MethodPost, path+"/preview", `{"shop":"新店"}`)
	if len(p.Sessions) != 2 || p.Sessions[0].Shop != "新店" || p.RejectedCount != 1 || p.Rejected[0].Line != 5 || !strings.Contains(p.Rejected[0].Reason, "谁") || !p.Complete {
		t.Fatalf("preview = %+v", p)
	}
	if text := p.Sessions[0].Turns[0].Text; strings.Contains(text, "138") || !strings.Contains(text, "多少钱") {
		t.Errorf("turn = %q, want it masked", text)
	}
	if n := count(t, f.w, "SELECT count() FROM sessions WHERE startsWith(session_id, 'imp-')"); n != 0 {
		t.Errorf("the preview wrote %d sessions", n)
	}
	if w := as(f.api, "supervisor", http.MethodPost, path+"/preview", `{"map":{"columns":{"session_id":"没有这列","text":"消息内容","role":"角色"}}}`); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "没有这列") {
		t.Errorf("a map with a wrong column: status %d: %s", w.Code, w.Body)
	}
	if w := as(f.api, "supervisor", http.MethodPost, path+"/preview", `{"map":{"colums":{}}}`); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "colums") {
		t.Errorf("a map with a wrong key: status %d: %s", w.Code, w.Body)
	}
	job := send[Job](t, f.api, "supervisor", http.MethodPost, path+"/run", `{"shop":"新店"}`)
	for range 200 {
		if job = get[Job](t, f.api, "supervisor", Prefix+"/jobs/"+job.ID); job.State != "running" {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	result, _ := job.Result.(map[string]any)
	if job.State != "done" || result["sessions_written"] != 2.0 || result["rejected_count"] != 1.0 {
		t.Fatalf("job = %+v", job)
	}
	if n := count(t, f.w, "SELECT count() FROM sessions WHERE startsWith(session_id, 'imp-') AND shop = '新店' AND state = 'closed'"); n != 2 {
		t.Errorf("%d sessions are stored, want 2", n)
	}
	if n := count(t, f.w, "SELECT count() FROM dead_letters WHERE topic = 'file:聊天.csv' AND offset = 5"); n != 1 {
		t.Errorf("%d dead letters of the bad row, want 1", n)
	}
	if w := as(f.api, "supervisor", http.MethodGet, path, ""); w.Code != http.StatusNotFound {
		t.Errorf("after the run the upload is still there: %d", w.Code)
	}
}

func count(t testing.TB, w *warehouse.Warehouse, sql string) uint64 {
	t.Helper()
	var n uint64
	if err := w.Conn().QueryRow(context.Background(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestNonsenseUploads sends what no honest browser sends. Nothing of it may crash, be stored, or be left behind.
func TestNonsenseUploads(t *testing.T) {
	f := newFixture(t)
	post := func(body io.Reader, media string) (int, string) {
		t.Helper()
		b, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		w := asWith(f.api, &auditLog{}, "admin", http.MethodPost, Prefix+"/imports", media, string(b))
		return w.Code, w.Body.String()
	}
	form := func(field, name string, content []byte) (io.Reader, string) {
		var b bytes.Buffer
		m := multipart.NewWriter(&b)
		p, err := m.CreateFormFile(field, name)
		if err != nil {
			t.Fatal(err)
		}
		p.Write(content)
		m.Close()
		return &b, m.FormDataContentType()
	}
	refused := func(what string, want int, code string, body io.Reader, media string) {
		t.Helper()
		if got, answer := post(body, media); got != want || !strings.Contains(answer, code) {
			t.Errorf("%s: status %d %s, want %d %s", what, got, answer, want, code)
		}
	}
	refuse := func(what string, want int, code, field, name string, content []byte) {
		t.Helper()
		body, media := form(field, name, content)
		refused(what, want, code, body, media)
	}
	refuse("an empty file", 400, "empty", "file", "a.csv", nil)
	refuse("a large file", 413, "too_large", "file", "a.csv", make([]byte, 1<<20+1))
	refuse("another field", 400, "unknown_field", "x", "a.csv", []byte("x"))
	refused("no form", 415, "media_type", strings.NewReader("{}"), "application/json")
	refused("a form without a boundary", 400, "bad_body", strings.NewReader("x"), "multipart/form-data")
	refused("a form that is cut off", 400, "bad_body", strings.NewReader("--part\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\n\r\n{\"sess"), "multipart/form-data; boundary=part")
	refused("a form of random bytes", 400, "empty", strings.NewReader("\x00\x01\x02--par"), "multipart/form-data; boundary=part")
	refused("a form without files", 400, "empty", strings.NewReader("--part--\r\n"), "multipart/form-data; boundary=part")

	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	zeros := make([]byte, 1<<20)
	for range 64 {
		z.Write(zeros)
	}
	z.Close()
	random := make([]byte, 4096)
	for i := range random {
		random[i] = byte(i*7919 + i*i)
	}
	xlsx, err := os.ReadFile(filepath.Join("..", "..", "pipeline", "intake", "testdata", "chat.xlsx"))
	if err != nil {
		xlsx = []byte("PK\x03\x04 no workbook at all")
	}
	for _, c := range []struct {
		what, name string
		content    []byte
	}{
		{"random bytes", "a.bin", random}, {"random bytes called xlsx", "a.xlsx", random}, {"a workbook that is cut off", "b.xlsx", xlsx[:len(xlsx)/2]},
		{"random bytes called parquet", "a.parquet", random}, {"text called parquet", "b.parquet", []byte("hello")}, {"a bomb", "bomb.csv.gz", bomb.Bytes()}, {"a bomb of lines", "bomb.jsonl.gz", bomb.Bytes()},
		{"an executable", "a.exe", []byte("MZ\x90\x00")}, {"HTML", "a.xls", []byte("<html><table></table></html>")}, {"an old workbook", "a.xls", []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")},
		{"a name with folders", "../../../../tmp/evil.jsonl", []byte("x\n")}, {"a name with backslashes", `..\..\evil.jsonl`, []byte("x\n")}, {"a hidden name", ".bashrc", []byte("x\n")}, {"a name that is none", "...", []byte("x\n")},
	} {
		body, media := form("file", c.name, c.content)
		status, answer := post(body, media)
		if status != http.StatusOK {
			t.Errorf("%s: status %d %s, want 200 with a problem to show", c.what, status, answer)
			continue
		}
		u := decode[upload.Upload](t, []byte(answer))
		if name := u.Files[0].Name; strings.ContainsAny(name, `/\`) || strings.HasPrefix(name, ".") {
			t.Errorf("%s: is stored as %q", c.what, name)
		}
		w := as(f.api, "admin", http.MethodPost, Prefix+"/imports/"+u.ID+"/preview", "{}")
		switch {
		case w.Code == http.StatusOK:
			if p := decode[upload.Preview](t, w.Body.Bytes()); len(p.Sessions) > 0 || p.RejectedCount == 0 {
				t.Errorf("%s: preview %+v, want rejected rows and no session", c.what, p)
			}
		case w.Code != http.StatusBadRequest:
			t.Errorf("%s: preview has status %d %s", c.what, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), os.TempDir()+"/") {
			t.Errorf("%s: the answer tells where files are stored: %s", c.what, w.Body)
		}
		if w := as(f.api, "admin", http.MethodDelete, Prefix+"/imports/"+u.ID, ""); w.Code != http.StatusNoContent {
			t.Errorf("%s: cannot be removed: %d %s", c.what, w.Code, w.Body)
		}
	}
	dir := testDirs[len(testDirs)-1]
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("%v is left behind: %v", left, err)
	}
	if f.log.Len() > 0 {
		t.Errorf("the log has\n%s", &f.log)
	}
}

// TestImportNeedsAllTeams: who is bound to a team could write into sessions of another.
func TestImportNeedsAllTeams(t *testing.T) {
	f := readFixture(t)
	for name, who := range users {
		if len(who.Teams) == 0 || who.Role != "supervisor" {
			continue
		}
		if w := as(f.api, name, http.MethodPost, Prefix+"/imports", uploadBody("a.jsonl", "x")); w.Code != http.StatusForbidden {
			t.Errorf("%s: status %d, want 403", name, w.Code)
		}
		return
	}
	t.Fatal("no supervisor of the tests is bound to a team")
}
