package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"sync"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// appendBlocks appends the Native blocks in src, written by the engine for
// revision 0, to dst as a client of the given protocol revision expects them:
// from some revision on with block info in front, later also with a byte for
// the serialization of each column. Column data are the same bytes in all of
// them, so they are measured by their type and copied, never decoded.
func appendBlocks(dst, src []byte, revision uint64) ([]byte, error) {
	if revision == 0 {
		return append(dst, src...), nil
	}
	r := &blockWalker{b: src}
	for r.pos < len(r.b) {
		dst = append(dst, blockInfo...)
		cols, rows := r.uvarint(), r.uvarint()
		dst = binary.AppendUvarint(dst, cols)
		dst = binary.AppendUvarint(dst, rows)
		for range cols {
			at := r.pos
			r.str()
			typ := r.str()
			if r.err != nil {
				return dst, r.fail()
			}
			dst = append(dst, r.b[at:r.pos]...)
			if revision >= proto.DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION {
				dst = append(dst, 0)
			}
			if rows == 0 {
				continue
			}
			w, err := widthOf(typ)
			if err != nil {
				return dst, err
			}
			at = r.pos
			w.prefix(r)
			w.data(r, rows)
			if r.err != nil {
				return dst, r.fail()
			}
			dst = append(dst, r.b[at:r.pos]...)
		}
		if r.err != nil {
			return dst, r.fail()
		}
	}
	return dst, nil
}

// blockInfo: field 1 is_overflows = 0, field 2 bucket_num = -1, end.
var blockInfo = []byte{1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0}

// appendHeader appends a block of no rows with these columns.
func appendHeader(dst []byte, names, types []string, revision uint64) []byte {
	if revision > 0 {
		dst = append(dst, blockInfo...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(names)))
	dst = binary.AppendUvarint(dst, 0)
	for i := range names {
		dst = appendString(appendString(dst, names[i]), types[i])
		if revision >= proto.DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION {
			dst = append(dst, 0)
		}
	}
	return dst
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// describeRows reads name and type out of the Native answer to a DESCRIBE.
func describeRows(native []byte) (names, types []string, err error) {
	rd := chproto.NewReader(bytes.NewReader(native))
	b := proto.NewBlock()
	if err := b.Decode(rd, 0); err != nil {
		return nil, nil, fmt.Errorf("cannot read the answer to DESCRIBE: %w", err)
	}
	if len(b.Columns) < 2 {
		return nil, nil, fmt.Errorf("cannot read the answer to DESCRIBE: %d columns", len(b.Columns))
	}
	for i := range b.Rows() {
		name, _ := b.Columns[0].Row(i, false).(string)
		typ, _ := b.Columns[1].Row(i, false).(string)
		names, types = append(names, name), append(types, typ)
	}
	return names, types, nil
}

// blockWalker reads lengths and passes over data; it keeps its first error.
type blockWalker struct {
	b   []byte
	pos int
	err error
}

func (r *blockWalker) fail() error {
	return exceptionf(codeNetworkError, "NETWORK_ERROR", "Cannot read a block of the engine at byte %d of %d: %v", r.pos, len(r.b), r.err)
}

func (r *blockWalker) uvarint() uint64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.b[r.pos:])
	if n <= 0 {
		r.err = fmt.Errorf("bad length")
		return 0
	}
	r.pos += n
	return v
}

func (r *blockWalker) uint64() uint64 {
	if at := r.pos; r.skip(1, 8) {
		return binary.LittleEndian.Uint64(r.b[at:])
	}
	return 0
}

// skip passes n units of size bytes each.
func (r *blockWalker) skip(n, size uint64) bool {
	left := uint64(len(r.b) - r.pos)
	if r.err == nil && size > 0 && n > left/size {
		r.err = fmt.Errorf("data end early")
	}
	if r.err != nil {
		return false
	}
	r.pos += int(n * size)
	return true
}

func (r *blockWalker) str() string {
	n := r.uvarint()
	at := r.pos
	if !r.skip(n, 1) {
		return ""
	}
	return string(r.b[at:r.pos])
}

// width knows how many bytes a column of one type takes. prefix passes what
// stands once before all data of a column, data passes rows values.
type width interface {
	prefix(r *blockWalker)
	data(r *blockWalker, rows uint64)
}

type fixedWidth uint64

func (fixedWidth) prefix(*blockWalker)                {}
func (w fixedWidth) data(r *blockWalker, rows uint64) { r.skip(rows, uint64(w)) }

type stringWidth struct{}

func (stringWidth) prefix(*blockWalker) {}
func (stringWidth) data(r *blockWalker, rows uint64) {
	b, pos := r.b, r.pos
	for i := uint64(0); i < rows && r.err == nil; i++ {
		if pos < len(b) && b[pos] < 0x80 { // the usual short text
			n := int(b[pos])
			if pos++; n <= len(b)-pos {
				pos += n
				continue
			}
			pos--
		}
		r.pos = pos
		r.skip(r.uvarint(), 1)
		pos = r.pos
	}
	r.pos = pos
}

type nullableWidth struct{ of width }

func (w nullableWidth) prefix(r *blockWalker) { w.of.prefix(r) }
func (w nullableWidth) data(r *blockWalker, rows uint64) {
	r.skip(rows, 1)
	w.of.data(r, rows)
}

type arrayWidth struct{ of width }

func (w arrayWidth) prefix(r *blockWalker) { w.of.prefix(r) }
func (w arrayWidth) data(r *blockWalker, rows uint64) {
	if rows == 0 {
		return
	}
	at := r.pos
	if !r.skip(rows, 8) {
		return
	}
	w.of.data(r, binary.LittleEndian.Uint64(r.b[at+int(rows-1)*8:]))
}

type tupleWidth []width

func (w tupleWidth) prefix(r *blockWalker) {
	for _, e := range w {
		e.prefix(r)
	}
}
func (w tupleWidth) data(r *blockWalker, rows uint64) {
	for _, e := range w {
		e.data(r, rows)
	}
}

// lowCardinalityWidth: version once; then flags with the size of the indexes,
// the dictionary, the indexes.
type lowCardinalityWidth struct{ of width }

func (lowCardinalityWidth) prefix(r *blockWalker) { r.skip(1, 8) }
func (w lowCardinalityWidth) data(r *blockWalker, rows uint64) {
	if rows == 0 {
		return
	}
	flags := r.uint64()
	if r.err == nil && (flags&0xff > 3 || flags&0x100 != 0 || flags&0x200 == 0) {
		r.err = fmt.Errorf("LowCardinality with unknown flags %#x", flags)
		return
	}
	w.of.data(r, r.uint64())
	r.skip(r.uint64(), 1<<(flags&0xff))
}

var widths sync.Map // type name -> width

func widthOf(typ string) (width, error) {
	if w, ok := widths.Load(typ); ok {
		return w.(width), nil
	}
	w, err := parseWidth(typ, 0)
	if err != nil {
		return nil, exceptionf(codeNotImplemented, "NOT_IMPLEMENTED", "Cannot send a column of type %s in Native format: %v; cast it to a plain type, such as String", typ, err)
	}
	// Types come with every Enum and time zone, so their number has no bound.
	if len(typ) < 1024 {
		widths.Store(typ, w)
	}
	return w, nil
}

var fixedWidths = map[string]fixedWidth{
	"UInt8": 1, "Int8": 1, "Bool": 1, "Enum8": 1, "Nothing": 1,
	"UInt16": 2, "Int16": 2, "Date": 2, "Enum16": 2, "BFloat16": 2,
	"UInt32": 4, "Int32": 4, "Float32": 4, "Date32": 4, "DateTime": 4, "IPv4": 4, "Decimal32": 4, "Time": 4,
	"UInt64": 8, "Int64": 8, "Float64": 8, "DateTime64": 8, "Decimal64": 8, "Time64": 8,
	"UInt128": 16, "Int128": 16, "UUID": 16, "IPv6": 16, "Decimal128": 16,
	"UInt256": 32, "Int256": 32, "Decimal256": 32,
}

// geometric types are names for arrays and tuples of Float64.
var namedTypes = map[string]string{
	"Point": "Tuple(Float64, Float64)", "Ring": "Array(Point)", "LineString": "Array(Point)",
	"Polygon": "Array(Ring)", "MultiLineString": "Array(LineString)", "MultiPolygon": "Array(Polygon)",
}

func parseWidth(typ string, depth int) (width, error) {
	if depth > 64 {
		return nil, fmt.Errorf("it is nested too deep")
	}
	name, inner := strings.TrimSpace(typ), ""
	if i := strings.IndexByte(name, '('); i >= 0 && strings.HasSuffix(name, ")") {
		name, inner = name[:i], name[i+1:len(name)-1]
	}
	if alias, ok := namedTypes[name]; ok {
		return parseWidth(alias, depth+1)
	}
	if w, ok := fixedWidths[name]; ok {
		return w, nil
	}
	switch name {
	case "String":
		return stringWidth{}, nil
	case "FixedString":
		n, err := strconv.ParseUint(strings.TrimSpace(inner), 10, 32)
		return fixedWidth(n), err
	case "Decimal":
		p, _, _ := strings.Cut(inner, ",")
		n, err := strconv.Atoi(strings.TrimSpace(p))
		switch {
		case err != nil:
			return nil, err
		case n <= 9:
			return fixedWidth(4), nil
		case n <= 18:
			return fixedWidth(8), nil
		case n <= 38:
			return fixedWidth(16), nil
		}
		return fixedWidth(32), nil
	}
	if strings.HasPrefix(name, "Interval") {
		return fixedWidth(8), nil
	}
	var args []width
	switch name {
	case "Nullable", "Array", "LowCardinality", "Map", "Tuple", "Nested", "SimpleAggregateFunction":
		for i, a := range splitArgs(inner) {
			if name == "SimpleAggregateFunction" && i == 0 {
				continue
			}
			if name == "Tuple" || name == "Nested" {
				a = dropName(a)
			}
			w, err := parseWidth(a, depth+1)
			if err != nil {
				return nil, err
			}
			args = append(args, w)
		}
	}
	switch {
	case name == "Nullable" && len(args) == 1:
		return nullableWidth{args[0]}, nil
	case name == "Array" && len(args) == 1:
		return arrayWidth{args[0]}, nil
	case name == "LowCardinality" && len(args) == 1:
		if n, ok := args[0].(nullableWidth); ok { // the dictionary has no null map
			return lowCardinalityWidth(n), nil
		}
		return lowCardinalityWidth{args[0]}, nil
	case name == "Map" && len(args) == 2, name == "Nested" && len(args) > 0:
		return arrayWidth{tupleWidth(args)}, nil
	case name == "Tuple" && len(args) > 0:
		return tupleWidth(args), nil
	case name == "SimpleAggregateFunction" && len(args) == 1:
		return args[0], nil
	}
	return nil, fmt.Errorf("its layout is not known here")
}

// splitArgs cuts a type's arguments at the commas outside brackets and quotes.
func splitArgs(s string) []string {
	var out []string
	depth, start := 0, 0
	var quote byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0:
			if c == '\\' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '\'' || c == '`' || c == '"':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			out = append(out, strings.TrimSpace(s[start:i]))
			start = i + 1
		}
	}
	if rest := strings.TrimSpace(s[start:]); rest != "" {
		out = append(out, rest)
	}
	return out
}

// dropName takes the element's name off "name Type"; names may be quoted.
func dropName(s string) string {
	end := -1
	if s != "" && (s[0] == '`' || s[0] == '"') {
		for i := 1; i < len(s); i++ {
			if s[i] == '\\' {
				i++
			} else if s[i] == s[0] {
				end = i + 1
				break
			}
		}
	} else {
		end = strings.IndexByte(s, ' ')
		if p := strings.IndexByte(s, '('); p >= 0 && p < end {
			end = -1
		}
	}
	if end <= 0 || end >= len(s) {
		return s
	}
	return strings.TrimSpace(s[end:])
}
