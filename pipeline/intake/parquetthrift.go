package intake

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	maxThriftParts = 1 << 20 // structures: columns, column chunks and their statistics in all row groups
	maxThriftDepth = 64      // of nested values
)

// thriftWalk steps over values of Thrift's compact protocol, in which footers and page headers are written
// (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
type thriftWalk struct {
	rest  []byte
	parts int
}

var errThrift = errors.New("damaged: not in Thrift's compact protocol, or cut off")

// Types of the compact protocol.
const (
	thriftStop   = 0
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
	thriftUUID   = 13
)

func (w *thriftWalk) skip(n uint64) error {
	if n > uint64(len(w.rest)) {
		return errThrift
	}
	w.rest = w.rest[n:]
	return nil
}

func (w *thriftWalk) next() (byte, error) {
	if len(w.rest) == 0 {
		return 0, errThrift
	}
	b := w.rest[0]
	w.rest = w.rest[1:]
	return b, nil
}

func (w *thriftWalk) varint() (uint64, error) {
	v, n := binary.Uvarint(w.rest)
	if n <= 0 {
		return 0, errThrift
	}
	w.rest = w.rest[n:]
	return v, nil
}

// count reads how many values follow; each takes a byte at least.
func (w *thriftWalk) count() (uint64, error) {
	n, err := w.varint()
	if err == nil && n > uint64(len(w.rest)) {
		err = fmt.Errorf("%d more bytes that claim to hold %d values", len(w.rest), n)
	}
	return n, err
}

func (w *thriftWalk) structure(depth int) error {
	if w.parts++; w.parts > maxThriftParts || depth > maxThriftDepth {
		return fmt.Errorf("more than %d parts or %d levels", maxThriftParts, maxThriftDepth)
	}
	for {
		head, err := w.next()
		if err != nil {
			return err
		}
		kind := head & 0xf
		if head == thriftStop {
			return nil
		}
		if head>>4 == 0 { // the number of the field follows
			if _, err := w.varint(); err != nil {
				return err
			}
		}
		if kind == thriftTrue || kind == thriftFalse { // the type is the value
			continue
		}
		if err := w.value(kind, depth+1); err != nil {
			return err
		}
	}
}

func (w *thriftWalk) value(kind byte, depth int) error {
	switch kind {
	case thriftTrue, thriftFalse, thriftByte:
		return w.skip(1)
	case thriftI16, thriftI32, thriftI64:
		_, err := w.varint()
		return err
	case thriftDouble:
		return w.skip(8)
	case thriftUUID:
		return w.skip(16)
	case thriftBinary:
		n, err := w.count()
		if err != nil {
			return err
		}
		return w.skip(n)
	case thriftList, thriftSet:
		head, err := w.next()
		if err != nil {
			return err
		}
		n := uint64(head >> 4)
		if n == 0xf {
			if n, err = w.count(); err != nil {
				return err
			}
		}
		return w.values(n, depth, head&0xf)
	case thriftMap:
		n, err := w.count()
		if err != nil || n == 0 {
			return err
		}
		head, err := w.next()
		if err != nil {
			return err
		}
		return w.values(n, depth, head>>4, head&0xf)
	case thriftStruct:
		return w.structure(depth)
	}
	return errThrift
}

// values steps over n times the values of some kinds.
func (w *thriftWalk) values(n uint64, depth int, kinds ...byte) error {
	if depth > maxThriftDepth {
		return fmt.Errorf("more than %d levels", maxThriftDepth)
	}
	for range n {
		for _, k := range kinds {
			if err := w.value(k, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
