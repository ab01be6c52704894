// Package upload takes transcript files from people who have no command line: it stores what they send, shows what is in
// it, masked, and brings it into the store by the same path as `tingke batch`, so that both give equal rows.
//
// What is sent is hostile: its size, number and unpacked size are bounded, names never become paths, and files that
// nobody runs are removed. It must not import the dashboards.
package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/intake"
	"github.com/tingke/tingke/pipeline/stream"
)

// Limits bound what is kept. Zero fields take the defaults named.
type Limits struct {
	FileBytes   int64         // of one file: 512 MiB
	TotalBytes  int64         // of all files that are kept: 4 GiB
	Files       int           // of one upload: 20
	Uploads     int           // kept at once: 50
	Unpacked    int64         // bytes that one packed file may unpack to: 4 GiB
	Age         time.Duration // after which an upload is removed: 24 h
	PreviewTime time.Duration // of one preview: 30 s
}

func (l Limits) withDefaults() Limits {
	set := func(v *int64, d int64) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&l.FileBytes, 512<<20)
	set(&l.TotalBytes, 4<<30)
	set(&l.Unpacked, 4<<30)
	if l.Files <= 0 {
		l.Files = 20
	}
	if l.Uploads <= 0 {
		l.Uploads = 50
	}
	if l.Age <= 0 {
		l.Age = 24 * time.Hour
	}
	if l.PreviewTime <= 0 {
		l.PreviewTime = 30 * time.Second
	}
	return l
}

// Options of a Service. Store, Analyser, Hasher and Mask are those of `tingke batch`.
type Options struct {
	// Dir is the folder that files are stored in, made with mode 0700.
	Dir    string
	Store  stream.Store
	Hasher *assemble.Hasher
	Mask   *mask.Masker
	// Analyser gives the analyser in use; one import uses one to its end.
	Analyser func() stream.Analyser
	// Location is the zone of times that name none; nil is Asia/Shanghai.
	Location *time.Location
	Limits   Limits
	// FlushSessions and Memory are those of batch.Options.
	FlushSessions int
	Memory        int
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Error is a mistake of the one who sends; Code is for programs.
type Error struct {
	Code    string // empty, too_large, too_many, no_format, not_found, busy, bad_map, bad_file
	Problem string
	Field   string
}

func (e *Error) Error() string { return e.Problem }

func failf(code, field, format string, args ...any) error {
	return &Error{Code: code, Field: field, Problem: fmt.Sprintf(format, args...)}
}

// File is one file of an upload.
type File struct {
	Name      string         `json:"name" doc:"as it was sent, without folders"`
	Bytes     int64          `json:"bytes"`
	Format    string         `json:"format" doc:"seen by content and name"`
	HeaderRow int            `json:"header_row,omitempty" doc:"of a table: the row that names the columns"`
	Header    []string       `json:"header,omitempty" doc:"names of the columns"`
	Rows      [][]string     `json:"rows,omitempty" doc:"the first rows, masked"`
	Map       map[string]any `json:"map,omitempty" doc:"proposed column map"`
	Unknown   []string       `json:"unknown,omitempty" doc:"columns that the proposal leaves out"`
	Missing   []string       `json:"missing,omitempty" doc:"fields that a map needs and the proposal does not have"`
	Problem   string         `json:"problem,omitempty" doc:"why the file cannot be read"`
	path      string
}

// sidecar says whether the file only says more about another one: NAME.meta.json of a call.
func (f *File) sidecar() bool { return strings.HasSuffix(strings.ToLower(f.Name), ".meta.json") }

// Upload is what somebody has sent.
type Upload struct {
	ID    string    `json:"upload_id"`
	Actor string    `json:"actor"`
	At    time.Time `json:"at"`
	Files []File    `json:"files"`

	bytes int64
	busy  bool
}

// Service keeps uploads. It is safe for concurrent use.
type Service struct {
	o       Options
	mu      sync.Mutex
	uploads map[string]*Upload
	bytes   int64 // of all, received and under way
}

// New makes the folder and removes what an earlier process left behind in it.
func New(o Options) (*Service, error) {
	o.Limits = o.Limits.withDefaults()
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the folder of uploads: %w", err)
	}
	entries, err := os.ReadDir(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read the folder of uploads: %w", err)
	}
	for _, e := range entries {
		// Another process may serve the same folder, so only what is old goes.
		if info, err := e.Info(); err == nil && o.Now().Sub(info.ModTime()) > o.Limits.Age {
			if err := os.RemoveAll(filepath.Join(o.Dir, e.Name())); err != nil {
				return nil, fmt.Errorf("cannot remove an old upload: %w", err)
			}
		}
	}
	return &Service{o: o, uploads: map[string]*Upload{}}, nil
}

// Part is one file on its way in.
type Part struct {
	Name string
	Body io.Reader
}

// Receive stores files; next gives one after another and io.EOF after the last. Of a failed upload nothing is kept.
func (s *Service) Receive(ctx context.Context, actor string, next func() (*Part, error)) (_ *Upload, err error) {
	s.expire()
	id, err := uuid.NewRandom()
	if err != nil {
		return nil, fmt.Errorf("cannot make an id of an upload: %w", err)
	}
	u := &Upload{ID: id.String(), Actor: actor, At: s.o.Now().UTC(), busy: true}
	s.mu.Lock()
	if len(s.uploads) >= s.o.Limits.Uploads {
		s.mu.Unlock()
		return nil, failf("too_many", "", "%d uploads are kept already; run or remove one", s.o.Limits.Uploads)
	}
	s.uploads[u.ID] = u
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		u.busy = false
		s.mu.Unlock()
		if err != nil {
			err = errors.Join(err, s.drop(u))
		}
	}()
	dir := filepath.Join(s.o.Dir, u.ID)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot store the upload: %w", err)
	}
	taken := map[string]bool{}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		part, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(u.Files) == s.o.Limits.Files {
			return nil, failf("too_many", "file", "more than %d files; send them in several uploads", s.o.Limits.Files)
		}
		name := safeName(part.Name)
		if taken[strings.ToLower(name)] {
			return nil, failf("too_many", "file", "two files are called %q", name)
		}
		taken[strings.ToLower(name)] = true
		f := File{Name: name, path: filepath.Join(dir, name)}
		if f.Bytes, err = s.store(u, f.path, part.Body); err != nil {
			return nil, err
		}
		if f.Bytes == 0 {
			return nil, failf("empty", "file", "%q is empty", name)
		}
		s.inspect(&f)
		u.Files = append(u.Files, f)
	}
	if len(u.Files) == 0 {
		return nil, failf("empty", "file", "no file was sent")
	}
	return u.copy(), nil
}

// copy is what callers get: nothing in it is changed later.
func (u *Upload) copy() *Upload {
	c := *u
	c.Files = slices.Clone(u.Files)
	return &c
}

// safeName makes what a client calls a file into a name within a folder: its last part, without control characters, not
// hidden, of bounded length. The extension stays, because formats are seen by it too.
func safeName(name string) string {
	name = strings.ToValidUTF8(name, "_")
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune(`:*?"<>|`, r) {
			return '_'
		}
		return r
	}, name)
	name = strings.TrimLeft(strings.TrimSpace(name), ". ")
	const most = 120
	if len(name) > most {
		ext := filepath.Ext(name)
		if packed := strings.ToLower(ext); packed == ".gz" || packed == ".zst" {
			ext = filepath.Ext(strings.TrimSuffix(name, ext)) + ext
		}
		if len(ext) > 20 {
			ext = ""
		}
		name = strings.ToValidUTF8(name[:most-len(ext)], "") + ext
	}
	if name == "" {
		name = "upload"
	}
	return name
}

// store copies a body to a new file that only this user may read, within the limits.
func (s *Service) store(u *Upload, path string, body io.Reader) (n int64, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, fmt.Errorf("cannot store the upload: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buf := make([]byte, 256<<10)
	for {
		k, readErr := body.Read(buf)
		if k > 0 {
			n += int64(k)
			if n > s.o.Limits.FileBytes {
				return n, failf("too_large", "file", "%q is larger than %d bytes; split it, or use the command line", filepath.Base(path), s.o.Limits.FileBytes)
			}
			s.mu.Lock()
			s.bytes += int64(k)
			u.bytes += int64(k)
			full := s.bytes > s.o.Limits.TotalBytes
			s.mu.Unlock()
			if full {
				return n, failf("too_many", "file", "the uploads that are kept would be larger than %d bytes; run or remove one", s.o.Limits.TotalBytes)
			}
			if _, err := f.Write(buf[:k]); err != nil {
				return n, fmt.Errorf("cannot store the upload: %w", err)
			}
		}
		if errors.Is(readErr, io.EOF) {
			return n, nil
		}
		if readErr != nil {
			return n, readErr
		}
	}
}

// intakeLimits bound what reading a file may cost: what comes from a browser is trusted less than what an operator names.
func (s *Service) intakeLimits() intake.Limits {
	return intake.Limits{DecompressedBytes: s.o.Limits.Unpacked, ArchiveBytes: min(s.o.Limits.FileBytes, 256<<20)}
}

// inspect says what is in a file, and proposes a column map for a table.
func (s *Service) inspect(f *File) {
	if f.sidecar() {
		f.Format = "meta"
		return
	}
	in, err := intake.Inspect(f.path, intake.Options{Location: s.o.Location, Limits: s.intakeLimits()})
	if err != nil {
		f.Problem = s.problem(f, err)
		return
	}
	f.Format, f.HeaderRow, f.Header = in.Format, in.HeaderRow, in.Header
	if len(in.Header) == 0 {
		return
	}
	for _, row := range in.Rows {
		masked := make([]string, len(row))
		for i, c := range row {
			masked[i], _ = s.o.Mask.Text(c)
		}
		f.Rows = append(f.Rows, masked)
	}
	p := intake.Propose(in.Header)
	f.Map = map[string]any{"layout": p.Layout, "header_row": in.HeaderRow, "columns": p.Columns}
	f.Unknown, f.Missing = p.Unknown, p.Missing
}

// problem is an error about a file without the place where it is stored, masked.
func (s *Service) problem(f *File, err error) string {
	var placed *intake.Error
	if errors.As(err, &placed) {
		short := *placed
		short.File = f.Name
		err = &short
	}
	return s.o.Mask.Raw([]byte(strings.ReplaceAll(err.Error(), f.path, f.Name)))
}

// expire removes what is older than Limits.Age.
func (s *Service) expire() {
	s.mu.Lock()
	var old []*Upload
	for _, u := range s.uploads {
		if !u.busy && s.o.Now().Sub(u.At) > s.o.Limits.Age {
			old = append(old, u)
		}
	}
	s.mu.Unlock()
	for _, u := range old {
		_ = s.drop(u) // tried again by the next one
	}
}

// drop forgets an upload and removes its files.
func (s *Service) drop(u *Upload) error {
	s.mu.Lock()
	if s.uploads[u.ID] == u {
		delete(s.uploads, u.ID)
		s.bytes -= u.bytes
	}
	s.mu.Unlock()
	if err := os.RemoveAll(filepath.Join(s.o.Dir, u.ID)); err != nil {
		return fmt.Errorf("cannot remove the upload: %w", err)
	}
	return nil
}

// find gives the upload of that id if the actor sent it; "" is anybody.
func (s *Service) find(id, actor string) (*Upload, error) {
	s.expire()
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploads[id]
	if u == nil || actor != "" && u.Actor != actor {
		return nil, failf("not_found", "", "there is no such upload; they are removed after %s", s.o.Limits.Age)
	}
	return u, nil
}

// Get gives an upload; actor "" finds those of everybody.
func (s *Service) Get(id, actor string) (*Upload, error) {
	u, err := s.find(id, actor)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return u.copy(), nil
}

// List gives the uploads of an actor, the latest first; "" is everybody.
func (s *Service) List(actor string) []*Upload {
	s.expire()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []*Upload{}
	for _, u := range s.uploads {
		if actor == "" || u.Actor == actor {
			out = append(out, u.copy())
		}
	}
	slices.SortFunc(out, func(a, b *Upload) int { return b.At.Compare(a.At) })
	return out
}

// Remove removes an upload that is not being run.
func (s *Service) Remove(id, actor string) error {
	u, err := s.find(id, actor)
	if err != nil {
		return err
	}
	if err := s.claim(u); err != nil {
		return err
	}
	return s.drop(u)
}

// claim makes an upload busy, so that nobody else runs or removes it.
func (s *Service) claim(u *Upload) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.busy {
		return failf("busy", "", "the upload is in use")
	}
	u.busy = true
	return nil
}

func (s *Service) release(u *Upload) {
	s.mu.Lock()
	u.busy = false
	s.mu.Unlock()
}
