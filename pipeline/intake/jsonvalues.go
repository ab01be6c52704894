package intake

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// valueReader reads a JSON document that is an array of messages, or messages one after another, written over any number
// of lines. It holds one message at a time and finds their ends by brackets and quotes alone, so that what is wrong
// inside one message does not touch the others.
type valueReader struct {
	finished
	src     *source
	br      *bufio.Reader
	limit   int
	line    int
	inArray bool
	comma   bool // a comma or the end of the array must come
	buf     []byte
	compact bytes.Buffer
}

func newValueReader(src *source, lim Limits) *valueReader {
	src.skipBOM()
	return &valueReader{src: src, br: src.br, limit: lim.LineBytes, line: 1}
}

func (r *valueReader) Close() error { return r.src.close() }

func (r *valueReader) byte() (byte, error) {
	c, err := r.br.ReadByte()
	if c == '\n' && err == nil {
		r.line++
	}
	return c, err
}

func (r *valueReader) Next() (Record, error) {
	if r.err != nil {
		return Record{}, r.err
	}
	for {
		c, err := r.byte()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				return r.end(r.src.readError(r.line, err))
			}
			if r.inArray {
				return r.end(&Error{File: r.src.name, Line: r.line, Problem: "the file is truncated: the array is not closed", Hint: "what stands before has been read"})
			}
			return r.end(io.EOF)
		}
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		case c == '[' && !r.inArray:
			r.inArray, r.comma = true, false
		case c == ']' && r.inArray:
			r.inArray, r.comma = false, false
		case c == ',' && r.inArray && r.comma:
			r.comma = false
		case c == '{':
			return r.value()
		default:
			return r.stray(c)
		}
	}
}

// stray skips what is no object, up to the next comma or line, and reports it.
func (r *valueReader) stray(c byte) (Record, error) {
	line := r.line
	if c == '\n' {
		line--
	}
	got := []byte{c}
	quoted := c == '"'
	for {
		c, err := r.br.ReadByte()
		if err != nil {
			break
		}
		if c == '\n' || !quoted && (c == ',' || c == ']' || c == '{' || c == '[') {
			r.br.UnreadByte()
			r.comma = true
			break
		}
		if c == '"' {
			quoted = false
		}
		if len(got) < 200 {
			got = append(got, c)
		}
	}
	return Record{File: r.src.name, Line: line, Err: &Error{File: r.src.name, Line: line, Problem: fmt.Sprintf("%q is no message", clip(string(bytes.TrimSpace(got)))), Hint: "a message is an object {...}"}}, nil
}

// value reads the object whose brace has just been read.
func (r *valueReader) value() (Record, error) {
	rec := Record{File: r.src.name, Line: r.line}
	r.comma = true
	r.buf = append(r.buf[:0], '{')
	depth, quoted, escaped := 1, false, false
	size := int64(1)
	for depth > 0 {
		c, err := r.byte()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				return r.end(r.src.readError(rec.Line, err))
			}
			return r.end(&Error{File: r.src.name, Line: rec.Line, Problem: "the file is truncated: the message that begins here is not closed", Hint: "what stands before has been read"})
		}
		if size++; size <= int64(r.limit) {
			r.buf = append(r.buf, c)
		}
		switch {
		case escaped:
			escaped = false
		case quoted:
			switch c {
			case '\\':
				escaped = true
			case '"':
				quoted = false
			}
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
	}
	if size > int64(r.limit) {
		rec.Err = tooLong(r.src.name, rec.Line, "message", size, r.limit)
		return rec, nil
	}
	r.compact.Reset()
	if err := json.Compact(&r.compact, r.buf); err == nil {
		rec.Raw = r.compact.Bytes()
		return rec, nil
	}
	// Broken: passed on as it is, on one line.
	for i, c := range r.buf {
		if c == '\n' || c == '\r' {
			r.buf[i] = ' '
		}
	}
	rec.Raw = r.buf
	return rec, nil
}
