package engine

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"unsafe"
)

// library holds the C functions of libchdb that this package uses. The names
// and signatures are those of its public C interface (26.7).
//
// Handles are opaque pointers. purego keeps no reference to what is passed, so
// callers keep Go memory alive with runtime.KeepAlive until the call returns.
type library struct {
	connect   func(argc int32, argv unsafe.Pointer) unsafe.Pointer
	closeConn func(conn unsafe.Pointer)

	query            func(conn, sql unsafe.Pointer, sqlLen uintptr, format unsafe.Pointer, formatLen uintptr) unsafe.Pointer
	queryParams      func(conn, sql unsafe.Pointer, sqlLen uintptr, format unsafe.Pointer, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, n uintptr) unsafe.Pointer
	streamQuery      func(conn, sql unsafe.Pointer, sqlLen uintptr, format unsafe.Pointer, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, n uintptr) unsafe.Pointer
	streamFetch      func(conn, stream unsafe.Pointer) unsafe.Pointer
	streamCancel     func(conn, stream unsafe.Pointer)
	destroyResult    func(result unsafe.Pointer)
	resultBuffer     func(result unsafe.Pointer) unsafe.Pointer
	resultLength     func(result unsafe.Pointer) uintptr
	resultError      func(result unsafe.Pointer) unsafe.Pointer
	resultRowsWrite  func(result unsafe.Pointer) uint64
	insert           func(conn, sql unsafe.Pointer, sqlLen uintptr, format unsafe.Pointer, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, n uintptr) unsafe.Pointer
	insertAppend     func(stream, data unsafe.Pointer, n uintptr) int32
	insertDone       func(stream unsafe.Pointer) unsafe.Pointer
	insertCancel     func(stream unsafe.Pointer)
	insertError      func(stream unsafe.Pointer) unsafe.Pointer
	insertDestroy    func(stream unsafe.Pointer)
	classify         func(conn, sql unsafe.Pointer, sqlLen uintptr, db unsafe.Pointer, dbLen uintptr, out unsafe.Pointer) int32
	setSignalHandler func(enabled int32)
	version          func() unsafe.Pointer
}

// symbol is a C function of the library and the Go variable to bind it to.
type symbol struct {
	name string
	fn   any // pointer to a func
}

var loaded struct {
	sync.Mutex
	path string
	lib  *library
}

// loadLibrary maps the shared library at path, once for the life of the
// process: the library cannot be unmapped safely, it owns threads.
func loadLibrary(path string) (*library, error) {
	loaded.Lock()
	defer loaded.Unlock()
	if loaded.lib != nil {
		if loaded.path != path {
			return nil, fmt.Errorf("cannot load engine library %q: this process already runs %q", path, loaded.path)
		}
		return loaded.lib, nil
	}
	lib := &library{}
	missing, err := bind(path, []symbol{
		{"chdb_connect", &lib.connect},
		{"chdb_close_conn", &lib.closeConn},
		{"chdb_query_n", &lib.query},
		{"chdb_query_with_params_n", &lib.queryParams},
		{"chdb_stream_query_with_params_n", &lib.streamQuery},
		{"chdb_stream_fetch_result", &lib.streamFetch},
		{"chdb_stream_cancel_query", &lib.streamCancel},
		{"chdb_destroy_query_result", &lib.destroyResult},
		{"chdb_result_buffer", &lib.resultBuffer},
		{"chdb_result_length", &lib.resultLength},
		{"chdb_result_error", &lib.resultError},
		{"chdb_result_rows_written", &lib.resultRowsWrite},
		{"chdb_stream_insert_with_params_n", &lib.insert},
		{"chdb_stream_append", &lib.insertAppend},
		{"chdb_stream_done", &lib.insertDone},
		{"chdb_stream_cancel_insert", &lib.insertCancel},
		{"chdb_stream_insert_error", &lib.insertError},
		{"chdb_destroy_insert_stream", &lib.insertDestroy},
		{"chdb_classify_query_n", &lib.classify},
		{"chdb_set_signal_handlers_enabled", &lib.setSignalHandler},
		{"chdb_version", &lib.version},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot load engine library %q: %w (run `make deps` to fetch one for this machine, or set %s)", path, err, LibraryEnv)
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("engine library %q lacks %s: it is not libchdb 26.7 or newer; run `make deps`, or set %s to one that is", path, strings.Join(missing, ", "), LibraryEnv)
	}
	// The Go runtime needs its own handlers: SIGSEGV becomes a nil-pointer
	// panic, SIGURG preempts goroutines.
	lib.setSignalHandler(0)
	loaded.lib, loaded.path = lib, path
	return lib, nil
}

// params are query parameters, {name:Type} in SQL, as the C interface takes
// them: four parallel arrays.
type params struct {
	names, values     []unsafe.Pointer
	nameLen, valueLen []uintptr
	keep              [][]byte
}

func makeParams(m map[string]string) *params {
	if len(m) == 0 {
		return &params{}
	}
	p := &params{}
	add := func(s string, ptrs *[]unsafe.Pointer, lens *[]uintptr) {
		b := append([]byte(s), 0)
		p.keep = append(p.keep, b)
		*ptrs = append(*ptrs, unsafe.Pointer(&b[0]))
		*lens = append(*lens, uintptr(len(s)))
	}
	for k, v := range m {
		add(k, &p.names, &p.nameLen)
		add(v, &p.values, &p.valueLen)
	}
	return p
}

func (p *params) args() (names, nameLen, values, valueLen unsafe.Pointer, n uintptr) {
	if len(p.names) == 0 {
		return nil, nil, nil, nil, 0
	}
	return unsafe.Pointer(&p.names[0]), unsafe.Pointer(&p.nameLen[0]),
		unsafe.Pointer(&p.values[0]), unsafe.Pointer(&p.valueLen[0]), uintptr(len(p.names))
}

// bytesArg is a C view of s: never nil, so that an empty text is valid too.
func bytesArg(s string) ([]byte, unsafe.Pointer, uintptr) {
	b := append([]byte(s), 0)
	return b, unsafe.Pointer(&b[0]), uintptr(len(s))
}

// goString copies a NUL-terminated C string, "" for nil.
func goString(p unsafe.Pointer) string {
	if p == nil {
		return ""
	}
	n := 0
	for n < math.MaxInt32 && *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(p), n))
}

// result is one chdb_result. The zero value is no result.
type result struct {
	lib *library
	ptr unsafe.Pointer
}

// bytes is a view of the result's buffer in C memory, valid until destroy.
func (r result) bytes() []byte {
	if r.ptr == nil {
		return nil
	}
	n := r.lib.resultLength(r.ptr)
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(r.lib.resultBuffer(r.ptr)), int(n))
}

func (r result) err() error {
	if r.ptr == nil {
		return errors.New("the engine returned no result")
	}
	if msg := goString(r.lib.resultError(r.ptr)); msg != "" {
		return newException(msg)
	}
	return nil
}

func (r *result) destroy() {
	if r.ptr != nil {
		r.lib.destroyResult(r.ptr)
		r.ptr = nil
	}
}

// cconn is one connection of the library: its own settings and current
// database, one statement at a time. Not safe for concurrent use.
type cconn struct {
	lib    *library
	handle unsafe.Pointer
}

func (l *library) open(args []string) (*cconn, error) {
	argv := make([]unsafe.Pointer, len(args)+1)
	keep := make([][]byte, len(args))
	for i, a := range args {
		keep[i] = append([]byte(a), 0)
		argv[i] = unsafe.Pointer(&keep[i][0])
	}
	h := l.connect(int32(len(args)), unsafe.Pointer(&argv[0]))
	runtime.KeepAlive(keep)
	runtime.KeepAlive(argv)
	if h == nil || *(*unsafe.Pointer)(h) == nil {
		return nil, errors.New("the engine refused the connection")
	}
	if leaveQuickly != nil {
		leaveQuickly()
	}
	return &cconn{lib: l, handle: h}, nil
}

// leaveQuickly is nil except under the race detector.
var leaveQuickly func()

func (c *cconn) close() {
	if c.handle != nil {
		c.lib.closeConn(c.handle)
		c.handle = nil
	}
}

func (c *cconn) ptr() unsafe.Pointer { return *(*unsafe.Pointer)(c.handle) }

// query runs one statement to its end; the caller destroys the result, also
// one with an error.
func (c *cconn) query(sql, format string, p *params) result {
	kq, q, qn := bytesArg(sql)
	kf, f, fn := bytesArg(format)
	names, nameLen, values, valueLen, n := p.args()
	var r unsafe.Pointer
	if n == 0 {
		r = c.lib.query(c.ptr(), q, qn, f, fn)
	} else {
		r = c.lib.queryParams(c.ptr(), q, qn, f, fn, names, nameLen, values, valueLen, n)
	}
	runtime.KeepAlive(kq)
	runtime.KeepAlive(kf)
	runtime.KeepAlive(p)
	return result{lib: c.lib, ptr: r}
}

// stream starts a statement whose result comes in chunks from fetch.
func (c *cconn) stream(sql, format string, p *params) result {
	kq, q, qn := bytesArg(sql)
	kf, f, fn := bytesArg(format)
	names, nameLen, values, valueLen, n := p.args()
	r := c.lib.streamQuery(c.ptr(), q, qn, f, fn, names, nameLen, values, valueLen, n)
	runtime.KeepAlive(kq)
	runtime.KeepAlive(kf)
	runtime.KeepAlive(p)
	return result{lib: c.lib, ptr: r}
}

// fetch returns the stream's next chunk, an empty one at its end.
func (c *cconn) fetch(stream result) result {
	return result{lib: c.lib, ptr: c.lib.streamFetch(c.ptr(), stream.ptr)}
}

func (c *cconn) cancel(stream result) { c.lib.streamCancel(c.ptr(), stream.ptr) }

// insertStream is an open INSERT: append data, then done or cancel, and
// destroy in any case.
type insertStream struct {
	lib *library
	ptr unsafe.Pointer
}

func (c *cconn) insert(sql, format string, p *params) (*insertStream, error) {
	kq, q, qn := bytesArg(sql)
	kf, f, fn := bytesArg(format)
	names, nameLen, values, valueLen, n := p.args()
	s := c.lib.insert(c.ptr(), q, qn, f, fn, names, nameLen, values, valueLen, n)
	runtime.KeepAlive(kq)
	runtime.KeepAlive(kf)
	runtime.KeepAlive(p)
	if s == nil {
		return nil, errors.New("the engine opened no insert stream")
	}
	is := &insertStream{lib: c.lib, ptr: s}
	if err := is.err(); err != nil {
		is.destroy()
		return nil, err
	}
	return is, nil
}

func (s *insertStream) err() error {
	if msg := goString(s.lib.insertError(s.ptr)); msg != "" {
		return newException(msg)
	}
	return nil
}

// append hands over a copy of data, which must not be empty; it blocks while
// the engine is behind.
func (s *insertStream) append(data []byte) error {
	rc := s.lib.insertAppend(s.ptr, unsafe.Pointer(&data[0]), uintptr(len(data)))
	runtime.KeepAlive(data)
	if rc == 0 {
		return nil
	}
	if err := s.err(); err != nil {
		return err
	}
	return errors.New("the engine took no more data of this insert and gave no reason")
}

// done commits and returns the number of rows written.
func (s *insertStream) done() (uint64, error) {
	r := result{lib: s.lib, ptr: s.lib.insertDone(s.ptr)}
	defer r.destroy()
	if err := r.err(); err != nil {
		return 0, err
	}
	return s.lib.resultRowsWrite(r.ptr), nil
}

func (s *insertStream) destroy() {
	if s.ptr != nil {
		s.lib.insertDestroy(s.ptr)
		s.ptr = nil
	}
}

// queryClass says what a statement would do, by the engine's own parser.
type queryClass uint32

const (
	classReadOnly queryClass = iota
	classMutating
	classMutatingGlobal
	classControl
	classUnknown // does not parse
)

// analyse parses sql without running it: its class, the greatest of all
// statements, and the number of statements, 0 when it does not parse.
func (c *cconn) analyse(sql string) (queryClass, int, error) {
	kq, q, qn := bytesArg(sql)
	out := [4]uint32{16} // struct_size, statement_count, flags, query_class
	rc := c.lib.classify(c.ptr(), q, qn, nil, 0, unsafe.Pointer(&out[0]))
	runtime.KeepAlive(kq)
	if rc != 0 {
		return classUnknown, 0, errors.New("the engine could not analyse the statement")
	}
	return queryClass(out[3]), int(out[1]), nil
}
