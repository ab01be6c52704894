package intake

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// lineScanner cuts a stream into lines and never holds more than limit bytes of one.
type lineScanner struct {
	r     *bufio.Reader
	limit int
	buf   []byte // of lines longer than the reader's buffer
	line  int
}

// next gives the next line without its line break; it is valid until the next call. long says that the line was over
// the limit and has been skipped; then size is its length. The error is io.EOF at the end; with any other error the
// unfinished line is left out.
func (s *lineScanner) next() (line []byte, long bool, size int64, err error) {
	chunk, err := s.r.ReadSlice('\n')
	if err == nil && len(chunk) <= s.limit {
		s.line++
		return trimEOL(chunk), false, int64(len(chunk)), nil
	}
	s.buf = s.buf[:0]
	for {
		size += int64(len(chunk))
		if !long {
			if size > int64(s.limit)+2 { // the line break does not count
				long = true
				s.buf = s.buf[:0]
			} else {
				s.buf = append(s.buf, chunk...)
			}
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
		chunk, err = s.r.ReadSlice('\n')
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, size, err
	}
	if size == 0 {
		return nil, false, 0, io.EOF
	}
	s.line++
	if long {
		return nil, true, size, nil
	}
	line = trimEOL(s.buf)
	if len(line) > s.limit {
		return nil, true, size, nil
	}
	return line, false, size, nil
}

func trimEOL(b []byte) []byte {
	b = bytes.TrimSuffix(b, []byte{'\n'})
	return bytes.TrimSuffix(b, []byte{'\r'})
}

// lineReader is the JSONL reader.
type lineReader struct {
	finished
	src *source
	s   lineScanner
}

func newLineReader(src *source, lim Limits) *lineReader {
	src.skipBOM()
	return &lineReader{src: src, s: lineScanner{r: src.br, limit: lim.LineBytes}}
}

func (r *lineReader) Next() (Record, error) {
	if r.err != nil {
		return Record{}, r.err
	}
	for {
		line, long, size, err := r.s.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return r.end(io.EOF)
			}
			return r.end(r.src.readError(r.s.line+1, err))
		}
		rec := Record{File: r.src.name, Line: r.s.line}
		if long {
			rec.Err = tooLong(r.src.name, r.s.line, "line", size, r.s.limit)
			return rec, nil
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		rec.Raw = line
		return rec, nil
	}
}

func (r *lineReader) Close() error { return r.src.close() }

func tooLong(file string, line int, what string, size int64, limit int) error {
	return &Error{File: file, Line: line, Problem: fmt.Sprintf("%s of %d bytes is over the limit of %d and was skipped", what, size, limit),
		Hint: "split the session into several messages with the same session_id, each with its turns and their seq"}
}
