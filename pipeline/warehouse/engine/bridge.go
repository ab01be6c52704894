package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const (
	// maxURL is the length of a request's URL that is taken, as on a server.
	maxURL = 1 << 20
	// maxSQL bounds a statement in a request's body, inline VALUES included.
	maxSQL = 64 << 20
	// maxResult bounds a result that cannot be streamed.
	maxResult = 1 << 30
	// insertChunk is the size of the pieces in which insert data go on.
	insertChunk = 1 << 20
)

// transport answers requests of the ClickHouse HTTP protocol from an Engine.
type transport struct{ e *Engine }

// RoundTrip implements http.RoundTripper. Errors of the engine are responses
// with the exception's code; an error is returned only for a request that the
// context or Close ended.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	r, err := t.read(req)
	if err != nil {
		return refusal(req, err)
	}
	for tries := 1; ; tries++ {
		in, err := t.e.instance(req.Context())
		if err != nil {
			return refusal(req, err)
		}
		res, err := bridge{in}.answer(req.Context(), r, tries < maxTries)
		switch {
		case errors.Is(err, errAgain):
		case err != nil:
			return refusal(req, err)
		default:
			res.Request = req
			return res, nil
		}
	}
}

// read decodes the request up to an insert's data.
func (t transport) read(req *http.Request) (*request, error) {
	// A body that its sender neither sends nor ends must not outlast the engine.
	if req.Body != nil {
		defer context.AfterFunc(t.e.closing, func() { req.Body.Close() })()
		defer context.AfterFunc(req.Context(), func() { req.Body.Close() })()
	}
	r, err := decodeRequest(req)
	switch {
	case err != nil && req.Context().Err() != nil:
		return nil, context.Cause(req.Context())
	case err != nil && t.e.closing.Err() != nil:
		return nil, ErrClosed
	case err != nil:
		return nil, err
	}
	r.st, err = parseStatement(r.sql)
	return r, err
}

// bridge answers requests from one instance.
type bridge struct{ in *instance }

// request is a decoded HTTP request.
type request struct {
	sql      string
	st       *statement
	data     io.ReadCloser // what follows an INSERT, nil for nothing
	session  session
	params   *params
	format   string // output format where the SQL names none
	revision uint64 // of the Native format, 0 for the plain one
	readonly bool
	sure     bool // what is read is not answered before it is known that it was not damaged
}

// errAgain says that another instance can answer the request: this one ended before it began the statement, or has failed
// writes and the statement only reads.
var errAgain = errors.New("another start of the engine answers this")

// maxTries bounds the instances that one request may meet, and the starts that may fail before those who wait are told.
const maxTries = 5

// answer runs a request's statement. Where again is false it does not give errAgain.
func (b bridge) answer(parent context.Context, r *request, again bool) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(parent)
	stop := context.AfterFunc(b.in.ending, func() { cancel(context.Cause(b.in.ending)) })
	release := func() {
		stop()
		cancel(nil)
	}
	c, err := b.in.pool.acquire(ctx, r.session)
	if err == nil && ctx.Err() != nil {
		b.in.pool.release(c, true)
		err = context.Cause(ctx)
	}
	if err != nil {
		defer release()
		if again && b.in.ending.Err() != nil && parent.Err() == nil {
			return nil, errAgain
		}
		return nil, b.ended(ctx, parent, err)
	}
	// What is refused has not been run, so nothing else is to blame.
	if err := b.refused(c, r); err != nil {
		release()
		b.in.pool.release(c, true)
		return nil, err
	}
	res, err := b.run(ctx, c, r, release)
	if err != nil {
		defer release()
		err = b.ended(ctx, parent, err)
		if again && r.st.reads() && b.in.replaced(parent) {
			return nil, errAgain
		}
		return nil, err
	}
	return res, nil
}

// ended is what a request is told whose statement ended with err.
func (b bridge) ended(ctx, parent context.Context, err error) error {
	if ctx.Err() != nil {
		err = fmt.Errorf("the engine's answer was not awaited: %w", context.Cause(ctx))
	}
	if parent.Err() == nil {
		err = b.in.blame(err)
	}
	return err
}

// refused says why a statement may not be run.
func (b bridge) refused(c *conn, r *request) error {
	if r.readonly {
		if err := checkReadOnly(c, r.sql); err != nil {
			return err
		}
	}
	if r.st.changesTables() {
		return b.in.checkRoom()
	}
	return nil
}

// refusal answers a request with an error. It is returned as one where nobody waits for an answer.
func refusal(req *http.Request, err error) (*http.Response, error) {
	if req.Context().Err() != nil || errors.Is(err, ErrClosed) {
		return nil, err
	}
	var ex *Exception
	if !errors.As(err, &ex) {
		ex = exceptionf(codeNetworkError, "NETWORK_ERROR", "%v", err)
	}
	res := response(ex.status(), "text/plain; charset=UTF-8")
	res.Request = req
	if ex.Code > 0 {
		res.Header.Set("X-ClickHouse-Exception-Code", strconv.Itoa(ex.Code))
	}
	body := ex.Message + "\n"
	res.Body = io.NopCloser(strings.NewReader(body))
	res.ContentLength = int64(len(body))
	return res, nil
}

func response(status int, contentType string) *http.Response {
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", status, http.StatusText(status)),
		StatusCode:    status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        http.Header{"Content-Type": {contentType}, "X-Clickhouse-Server-Display-Name": {"tingke"}},
		Body:          http.NoBody,
		ContentLength: -1,
	}
}

// run runs the statement and gives c back. The response's body owns release.
func (b bridge) run(ctx context.Context, c *conn, r *request, release func()) (*http.Response, error) {
	format := r.outputFormat()
	switch {
	case r.st.insert:
		err := b.insert(ctx, c, r)
		b.in.pool.release(c, err == nil)
		if err == nil {
			err = b.in.checkWrites()
		}
		if err != nil {
			return nil, err
		}
		release()
		res := response(http.StatusOK, "text/plain; charset=UTF-8")
		res.ContentLength = 0
		return res, nil
	case r.st.selects() && streams(format):
		body, err := b.stream(ctx, c, r, release)
		if err == nil {
			res := response(http.StatusOK, contentType(format))
			res.Header.Set("X-ClickHouse-Format", format)
			res.Header.Set("X-ClickHouse-Timezone", "UTC")
			if tag := body.tag; tag != "" {
				res.Header.Set("X-ClickHouse-Exception-Tag", tag)
			}
			res.Body = body
			return res, nil
		}
		if !errors.Is(err, errNotStreamed) {
			return nil, err
		}
		fallthrough
	default:
		data, err := b.whole(ctx, c, r)
		if err == nil && (r.sure || !r.st.reads()) {
			err = b.in.checkWrites()
		}
		if err != nil {
			return nil, err
		}
		release()
		res := response(http.StatusOK, contentType(format))
		res.Header.Set("X-ClickHouse-Format", format)
		res.Header.Set("X-ClickHouse-Timezone", "UTC")
		res.ContentLength = int64(len(data))
		res.Body = io.NopCloser(bytes.NewReader(data))
		return res, nil
	}
}

// decodeRequest reads URL, headers and, where the SQL stands in it, body.
func decodeRequest(req *http.Request) (*request, error) {
	if len(req.URL.RawQuery) > maxURL {
		return nil, exceptionf(codeBadArguments, "BAD_ARGUMENTS", "The request's URL has %d bytes, at most %d are taken; send large parameters in parts", len(req.URL.RawQuery), maxURL)
	}
	q, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return nil, exceptionf(codeBadArguments, "BAD_ARGUMENTS", "Cannot read the request's URL: %v", err)
	}
	if ct := req.Header.Get("Content-Type"); strings.HasPrefix(ct, "multipart/") {
		return nil, exceptionf(codeNotImplemented, "NOT_IMPLEMENTED", "External tables are not supported by the embedded engine; pass an Array parameter instead")
	}
	if enc := req.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return nil, exceptionf(codeNotImplemented, "NOT_IMPLEMENTED", "Compression %q is not supported by the embedded engine; turn it off in the client", enc)
	}
	r := &request{format: "TabSeparated"}
	r.session = session{database: Database, settings: map[string]string{}}
	values := map[string]string{}
	for k, vs := range q {
		v := vs[len(vs)-1]
		switch {
		case strings.HasPrefix(k, "param_"):
			values[strings.TrimPrefix(k, "param_")] = v
		case k == "query":
			r.sql = v
		case k == "database" && v != "":
			r.session.database = v
		case k == "default_format":
			r.format = v
		case k == "client_protocol_version":
			if r.revision, err = strconv.ParseUint(v, 10, 32); err != nil {
				return nil, exceptionf(codeBadArguments, "BAD_ARGUMENTS", "client_protocol_version is %q, not a number", v)
			}
		case k == "session_id":
			return nil, exceptionf(codeNotImplemented, "NOT_IMPLEMENTED", "Sessions are not supported by the embedded engine; send settings with each query")
		case (k == "compress" || k == "decompress") && v != "0" && v != "false":
			return nil, exceptionf(codeNotImplemented, "NOT_IMPLEMENTED", "Compression is not supported by the embedded engine; turn it off in the client")
		case k == "select_sequential_consistency":
			r.sure = v != "0" && v != "false"
		case reservedParam[k]:
		default:
			r.session.settings[k] = v
		}
	}
	if f := req.Header.Get("X-ClickHouse-Format"); f != "" {
		r.format = f
	}
	if db := req.Header.Get("X-ClickHouse-Database"); db != "" {
		r.session.database = db
	}
	if req.Method == http.MethodGet && r.session.settings["readonly"] == "" {
		r.session.settings["readonly"] = "2"
	}
	switch r.session.settings["readonly"] {
	case "", "0", "false":
	default:
		r.readonly = true
	}
	r.params = makeParams(values)
	if req.Body == nil {
		return r, nil
	}
	if r.sql != "" {
		r.data = req.Body
		return r, nil
	}
	var b bytes.Buffer
	if n := req.ContentLength; n > 0 && n < maxSQL {
		b.Grow(int(n) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(io.LimitReader(req.Body, maxSQL+1)); err != nil {
		return nil, fmt.Errorf("cannot read the request's body: %w", err)
	}
	if b.Len() > maxSQL {
		return nil, exceptionf(codeBadArguments, "BAD_ARGUMENTS", "The statement has more than %d bytes; send data with INSERT in the URL and the rows in the body", maxSQL)
	}
	r.sql = b.String()
	return r, nil
}

// reservedParam are URL parameters of the protocol that are no settings. A
// log_comment would hide a statement from its own cancellation.
var reservedParam = map[string]bool{
	"query_id": true, "quota_key": true, "user": true, "password": true, "role": true,
	"buffer_size": true, "wait_end_of_query": true, "stacktrace": true, "log_comment": true,
	"database": true, "compress": true, "decompress": true, "enable_http_compression": true,
	"send_progress_in_http_headers": true, "network_compression_method": true,
	"http_zlib_compression_level": true, "session_timeout": true, "session_check": true,
	"close_session": true, "client_protocol_version": true, "http_response_buffer_size": true,
}

func (r *request) outputFormat() string {
	if r.st.format != "" {
		return r.st.format
	}
	return r.format
}

// streams reports whether chunks of the format can stand one after another;
// the engine makes a whole document of every chunk.
func streams(format string) bool {
	switch format {
	case "Native", "JSONEachRow", "JSONLines", "NDJSON", "JSONStringsEachRow", "JSONCompactEachRow", "JSONCompactStringsEachRow",
		"TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "Raw", "CSV", "RowBinary", "LineAsString", "Null":
		return true
	}
	return false
}

func contentType(format string) string {
	switch {
	case strings.HasPrefix(format, "JSON") || format == "NDJSON":
		return "application/json; charset=UTF-8"
	case strings.HasPrefix(format, "CSV"):
		return "text/csv; charset=UTF-8"
	case strings.HasPrefix(format, "T"):
		return "text/tab-separated-values; charset=UTF-8"
	case format == "Native" || format == "Parquet" || strings.HasPrefix(format, "RowBinary") || strings.HasPrefix(format, "Arrow"):
		return "application/octet-stream"
	}
	return "text/plain; charset=UTF-8"
}

// checkReadOnly lets the engine's own parser say what the statement does;
// readonly alone does not keep it from writing files of the host.
func checkReadOnly(c *conn, sql string) error {
	class, n, err := c.analyse(sql)
	switch {
	case err != nil:
		return err
	case n > 1:
		return exceptionf(codeSyntaxError, "SYNTAX_ERROR", "Syntax error (Multi-statements are not allowed): send one statement at a time")
	case class != classReadOnly && class != classUnknown: // an unknown one fails to parse with a better message
		return exceptionf(codeReadonly, "READONLY", "Cannot execute query in readonly mode: it changes something, or writes outside the engine")
	}
	return nil
}

// insert hands the data over as they arrive and commits at their end.
func (b bridge) insert(ctx context.Context, c *conn, r *request) error {
	// Data that their sender neither sends nor ends must not outlast ctx.
	if r.data != nil {
		defer context.AfterFunc(ctx, func() { r.data.Close() })()
	}
	var s *insertStream
	var err error
	b.in.cancellable(ctx, c, func() { s, err = c.insert(r.st.head, r.st.dataFormat, r.params) })
	if err != nil {
		return err
	}
	defer s.destroy() // cancels what is not done
	var data io.Reader = strings.NewReader(strings.TrimLeft(r.sql[r.st.dataAt:], " \t\r\n"))
	if r.data != nil {
		data = io.MultiReader(data, r.data)
	}
	buf := make([]byte, insertChunk)
	for {
		n, rerr := io.ReadFull(data, buf)
		if n > 0 {
			b.in.cancellable(ctx, c, func() { err = s.append(buf[:n]) })
			if err != nil {
				return err
			}
		}
		if errors.Is(rerr, io.EOF) || errors.Is(rerr, io.ErrUnexpectedEOF) {
			break
		}
		if rerr != nil {
			return fmt.Errorf("cannot read the insert's data: %w", rerr)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	b.in.cancellable(ctx, c, func() { _, err = s.done() })
	return cancelled(ctx, err)
}

// whole runs a statement to its end and returns its whole output. It releases
// the connection.
func (b bridge) whole(ctx context.Context, c *conn, r *request) (out []byte, err error) {
	clean := false
	defer func() { b.in.pool.release(c, clean) }()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.in.cancellable(ctx, c, func() {
		res := c.query(r.sql, r.format, r.params)
		defer res.destroy()
		if err = res.err(); err != nil {
			return
		}
		data := res.bytes()
		switch {
		case len(data) > maxResult:
			err = exceptionf(396, "TOO_MANY_ROWS_OR_BYTES", "The result has %d bytes; ask for it in a format that can be streamed, such as JSONEachRow", len(data))
		case r.outputFormat() == "Native":
			out, err = appendBlocks(nil, data, r.revision)
			if err == nil && len(out) == 0 && r.st.shows() {
				out, err = b.header(c, r)
			}
		default:
			out = bytes.Clone(data)
		}
	})
	err = cancelled(ctx, err)
	clean = err == nil && !r.st.sticky()
	return out, err
}

// cancelled is the error of a statement that ended with err. The library ends many that it cancelled without an error, in the
// middle of their output: what ends after ctx did is not to be trusted.
func cancelled(ctx context.Context, err error) error {
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// shows reports whether a statement other than SELECT has a result.
func (st *statement) shows() bool {
	switch st.verb {
	case "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "CHECK", "SELECT", "WITH", "FROM":
		return true
	}
	return false
}

// reads reports whether the statement only reads.
func (st *statement) reads() bool { return st.selects() || st.shows() }

// header is the block of no rows that an empty result starts with: the engine
// gives none, so the columns are asked for.
func (b bridge) header(c *conn, r *request) ([]byte, error) {
	var names, types []string
	if r.st.selects() {
		body := strings.TrimRight(strings.TrimSpace(r.sql), ";")
		res := c.query("DESCRIBE ("+body+"\n)", "Native", r.params)
		defer res.destroy()
		err := res.err()
		if err == nil {
			names, types, err = describeRows(res.bytes())
		}
		if err != nil {
			return nil, err
		}
	} else {
		res := c.query(r.sql, "TabSeparatedWithNamesAndTypes", r.params)
		defer res.destroy()
		if err := res.err(); err != nil {
			return nil, err
		}
		lines := strings.SplitN(string(res.bytes()), "\n", 3)
		if len(lines) < 2 {
			return nil, nil
		}
		names, types = strings.Split(lines[0], "\t"), strings.Split(lines[1], "\t")
	}
	if len(names) == 0 || len(names) != len(types) {
		return nil, nil
	}
	return appendHeader(nil, names, types, r.revision), nil
}

func memoryTracking(ctx context.Context, rt http.RoundTripper) (int64, error) {
	b, err := simpleQuery(ctx, rt, "SELECT value FROM system.metrics WHERE metric = 'MemoryTracking'")
	if err != nil {
		return 0, fmt.Errorf("cannot read the engine's memory: %w", err)
	}
	return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
}

// simpleQuery returns a small result in TabSeparated.
func simpleQuery(ctx context.Context, rt http.RoundTripper, sql string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+clientHost+"/", strings.NewReader(sql))
	if err != nil {
		return nil, err
	}
	res, err := rt.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, newException(string(b))
	}
	return b, nil
}

// clientHost stands in requests for an engine that is not reached by address.
const clientHost = "engine.tingke.invalid"
