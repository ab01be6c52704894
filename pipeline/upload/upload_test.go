package upload

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/schemas"
)

// memory is a store that keeps states; that uploads and batch write equal rows is tested with the real one in cmd.
type memory struct {
	mu     sync.Mutex
	states map[string]*assemble.State
	fail   error
}

func (m *memory) StoredVersions(_ context.Context, ids []string) (map[string]stream.StoredVersion, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]stream.StoredVersion{}
	for _, id := range ids {
		if s := m.states[id]; s != nil {
			out[id] = stream.StoredVersion{Version: s.Version(), Seen: s.Seen}
		}
	}
	return out, nil
}

func (m *memory) LoadStates(_ context.Context, ids []string) (map[string]*assemble.State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]*assemble.State{}
	for _, id := range ids {
		if s := m.states[id]; s != nil {
			out[id] = s.Clone()
		}
	}
	return out, nil
}

func (m *memory) Write(_ context.Context, b stream.Batch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	for _, s := range b.Sessions {
		m.states[s.State.SessionID] = s.State.Clone()
	}
	return nil
}

type none struct{}

func (none) Analyse(t *schemas.Transcript) *schemas.Analysis {
	return &schemas.Analysis{SessionID: t.Meta.SessionID}
}

func service(t testing.TB, l Limits) (*Service, *memory, *time.Time) {
	t.Helper()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	store := &memory{states: map[string]*assemble.State{}}
	key := []byte("the key of the tests of uploads")
	s, err := New(Options{Dir: filepath.Join(t.TempDir(), "uploads"), Store: store, Hasher: assemble.NewHasher(key), Mask: mask.New(key, mask.Options{}),
		Analyser: func() stream.Analyser { return none{} }, Limits: l, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return s, store, &now
}

// parts gives files, as pairs of name and content.
func parts(pairs ...string) func() (*Part, error) {
	return func() (*Part, error) {
		if len(pairs) == 0 {
			return nil, io.EOF
		}
		p := &Part{pairs[0], strings.NewReader(pairs[1])}
		pairs = pairs[2:]
		return p, nil
	}
}

const chat = `{"session_id":"s1","turns":[{"role":"customer","text":"电话13812345678"},{"role":"agent","text":"好的"}]}` + "\n"

func code(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func stored(t testing.TB, s *Service) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(s.o.Dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
			if info, _ := d.Info(); info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %s", path, info.Mode())
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestReceiveKeepsToItsLimits(t *testing.T) {
	ctx := context.Background()
	f := func(want string, l Limits, pairs ...string) {
		t.Helper()
		s, _, _ := service(t, l)
		_, err := s.Receive(ctx, "sup", parts(pairs...))
		if code(err) != want {
			t.Errorf("%v: %v, want %s", pairs, err, want)
		}
		if want != "" && (len(stored(t, s)) > 0 || s.bytes != 0 || len(s.uploads) > 0) {
			t.Errorf("%v: %v is left behind, %d bytes, %d uploads", pairs, stored(t, s), s.bytes, len(s.uploads))
		}
	}
	f("", Limits{}, "a.jsonl", chat)
	f("empty", Limits{})
	f("empty", Limits{}, "a.jsonl", "")
	f("empty", Limits{}, "a.jsonl", chat, "b.jsonl", "")
	f("too_large", Limits{FileBytes: 20}, "a.jsonl", chat)
	f("too_many", Limits{TotalBytes: int64(len(chat)) + 5}, "a.jsonl", chat, "b.jsonl", chat)
	f("too_many", Limits{Files: 1}, "a.jsonl", chat, "b.jsonl", chat)
	f("too_many", Limits{}, "a.jsonl", chat, "../A.JSONL", chat)
	s, _, _ := service(t, Limits{})
	broken := errors.New("the sender has gone")
	first := true
	if _, err := s.Receive(ctx, "sup", func() (*Part, error) {
		if first {
			first = false
			return &Part{"a.jsonl", io.MultiReader(strings.NewReader(chat), failing{broken})}, nil
		}
		return nil, io.EOF
	}); !errors.Is(err, broken) || len(stored(t, s)) > 0 {
		t.Errorf("a body that breaks off: %v, %v is left", err, stored(t, s))
	}
	s, _, _ = service(t, Limits{Uploads: 1})
	if _, err := s.Receive(ctx, "sup", parts("a.jsonl", chat)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Receive(ctx, "sup", parts("b.jsonl", chat)); code(err) != "too_many" {
		t.Errorf("a second upload: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestLifeOfAnUpload(t *testing.T) {
	ctx := context.Background()
	s, store, now := service(t, Limits{Age: time.Hour})
	u, err := s.Receive(ctx, "sup", parts("a.jsonl", chat+"{broken 13812345678\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(u.ID, "another"); code(err) != "not_found" {
		t.Errorf("somebody else finds it: %v", err)
	}
	if _, err := s.Get(u.ID, ""); err != nil || len(s.List("another")) != 0 || len(s.List("sup")) != 1 || len(s.List("")) != 1 {
		t.Errorf("lists are wrong: %v", err)
	}
	p, err := s.Preview(ctx, u.ID, "sup", How{Shop: "店"})
	if err != nil || len(p.Sessions) != 1 || p.RejectedCount != 1 || p.Rejected[0].Line != 2 || len(store.states) != 0 {
		t.Fatalf("preview %+v: %v", p, err)
	}
	if text := p.Sessions[0].Turns[0].Text + p.Rejected[0].Reason; strings.Contains(text, "138") {
		t.Errorf("the preview is not masked: %s", text)
	}
	if _, err := s.Run(ctx, u.ID, "another", How{}, nil); code(err) != "not_found" {
		t.Errorf("somebody else runs it: %v", err)
	}
	if _, err := s.Run(ctx, u.ID, "sup", How{Format: "doc"}, nil); code(err) != "no_format" {
		t.Errorf("a wrong format: %v", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Run(cancelled, u.ID, "sup", How{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled run: %v", err)
	}
	store.fail = errors.New("the disk is full")
	if _, err := s.Run(ctx, u.ID, "sup", How{}, nil); !errors.Is(err, store.fail) {
		t.Errorf("a failing store: %v", err)
	}
	store.fail = nil // after either, the upload is still there and can be run
	s.uploads[u.ID].busy = true
	if err := s.Remove(u.ID, "sup"); code(err) != "busy" {
		t.Errorf("removed while in use: %v", err)
	}
	s.uploads[u.ID].busy = false
	r, err := s.Run(ctx, u.ID, "sup", How{}, nil)
	if err != nil || r.Written == 0 || r.RejectedCount != 1 || store.states["s1"] == nil || !store.states["s1"].Closed() {
		t.Fatalf("result %+v: %v", r, err)
	}
	if _, err := s.Get(u.ID, "sup"); code(err) != "not_found" || len(stored(t, s)) > 0 {
		t.Errorf("after the run: %v, %v", err, stored(t, s))
	}
	if _, err = s.Receive(ctx, "sup", parts("a.jsonl", chat)); err != nil {
		t.Fatal(err)
	}
	*now = now.Add(2 * time.Hour)
	if len(s.List("")) != 0 || len(stored(t, s)) != 0 || s.bytes != 0 {
		t.Errorf("an old upload stays: %v", stored(t, s))
	}
}

// TestNewRemovesWhatIsOld: a process that died leaves files behind.
func TestNewRemovesWhatIsOld(t *testing.T) {
	s, _, _ := service(t, Limits{})
	for name, age := range map[string]time.Duration{"old": 48 * time.Hour, "new": time.Minute} {
		dir := filepath.Join(s.o.Dir, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		at := s.o.Now().Add(-age)
		if err := os.Chtimes(dir, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := New(s.o); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(s.o.Dir)
	if err != nil || len(left) != 1 || left[0].Name() != "new" {
		t.Errorf("left are %v: %v", left, err)
	}
}

func TestSafeName(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := safeName(in); got != want {
			t.Errorf("safeName(%q) = %q, want %q", in, got, want)
		}
	}
	f("a.csv", "a.csv")
	f("聊天 记录.xlsx", "聊天 记录.xlsx")
	f("../../etc/passwd", "passwd")
	f(`C:\temp\a.csv`, "a.csv")
	f("..", "upload")
	f("", "upload")
	f("/", "upload")
	f(".hidden.csv", "hidden.csv")
	f("a\x00b\n.csv", "a_b_.csv")
	f("a\u202egpj.exe", "a_gpj.exe")
	f("con:aux|*.csv", "con_aux__.csv")
	f(strings.Repeat("长", 100)+".csv.gz", strings.Repeat("长", 37)+".csv.gz")
}

func FuzzSafeName(f *testing.F) {
	for _, s := range []string{"a.csv", "../x", `\\..\\`, "\xff\xfe", "....", strings.Repeat("x", 500) + ".jsonl.zst"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := safeName(s)
		if got == "" || len(got) > 120 || !utf8.ValidString(got) || got != filepath.Base(got) || strings.HasPrefix(got, ".") || strings.ContainsAny(got, "/\\\x00") {
			t.Errorf("safeName(%q) = %q", s, got)
		}
	})
}

// FuzzUpload reads whatever is sent: it must neither crash nor take long, and what is bad is said.
func FuzzUpload(f *testing.F) {
	for name, content := range map[string]string{"a.jsonl": chat, "a.csv": "会话ID,角色,消息内容\n1,客户,在吗\n", "a.xlsx": "PK\x03\x04", "a.parquet": "PAR1PAR1", "a.vtt": "WEBVTT\n\n00:01.000 --> 00:02.000\n您好\n", "a.json": "[{}]", "a.gz": "\x1f\x8b\x08\x00"} {
		f.Add(name, content, `{"columns":{"session_id":"会话ID","role":"角色","text":"消息内容"}}`)
	}
	f.Fuzz(func(t *testing.T, name, content, columns string) {
		s, _, _ := service(t, Limits{FileBytes: 1 << 20, Unpacked: 1 << 20})
		u, err := s.Receive(context.Background(), "sup", parts(name, content))
		if err != nil {
			if code(err) == "" {
				t.Fatal(err)
			}
			return
		}
		if _, err := s.Preview(context.Background(), u.ID, "sup", How{Map: map[string]any{"columns": columns}}); err != nil && code(err) == "" {
			t.Fatal(err)
		}
		p, err := s.Preview(context.Background(), u.ID, "sup", How{})
		if err != nil && code(err) == "" {
			t.Fatal(err)
		}
		if err == nil && p.Messages == 0 && p.RejectedCount == 0 && strings.TrimSpace(strings.Trim(content, "\ufeff")) != "" && u.Files[0].Problem != "" {
			t.Errorf("%q with %q: the problem %q is not told", name, content, u.Files[0].Problem)
		}
	})
}
