package export

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/decimal128"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Rows of a record batch: as many as fit these.
const (
	batchRows  = 16_384
	batchBytes = 8 << 20
)

// maxDictionary bounds the values of a dictionary in an Arrow file, which has one for all batches; a column with more is
// plain text.
const maxDictionary = 100_000

// arrowStream writes record batches of typed columns in the streaming format. Texts of few different values are
// dictionaries; each batch has its own, so memory is bounded whatever the values.
type arrowStream struct {
	h       *header
	schema  *arrow.Schema
	builder *array.RecordBuilder
	w       *ipc.Writer
	bytes   int
	see     func(column int, text string) // gets every value of the columns that may become dictionaries
}

var arrowTypes = map[Type]arrow.DataType{
	Text:    arrow.BinaryTypes.String,
	Name:    &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String},
	Label:   &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String},
	Integer: arrow.PrimitiveTypes.Int64,
	Number:  arrow.PrimitiveTypes.Float64,
	Share:   arrow.PrimitiveTypes.Float64,
	Change:  arrow.PrimitiveTypes.Float64,
	Money:   &arrow.Decimal128Type{Precision: 18, Scale: 4},
	Amount:  arrow.PrimitiveTypes.Float64,
	Wait:    arrow.PrimitiveTypes.Float64,
	Span:    arrow.PrimitiveTypes.Float64,
	Day:     arrow.FixedWidthTypes.Date32,
	Time:    &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"},
	Bool:    arrow.FixedWidthTypes.Boolean,
}

// arrowSchema describes the columns; dictionary says which of the texts with few values are dictionaries.
func arrowSchema(h *header, dictionary func(column int) bool) (*arrow.Schema, error) {
	var fields []arrow.Field
	for k, i := range h.columns {
		c := &h.dataset.Columns[i]
		t, ok := arrowTypes[c.Type]
		if !ok {
			return nil, fmt.Errorf("column %s: type %d has no Arrow type", c.Name, c.Type)
		}
		if t.ID() == arrow.DICTIONARY && !dictionary(k) {
			t = arrow.BinaryTypes.String
		}
		meta := arrow.NewMetadata([]string{"title", "unit", "comment"}, []string{h.columnTitle(c, ""), h.rawUnit(c), c.Note.In(h.lang)})
		fields = append(fields, arrow.Field{Name: c.Name, Type: t, Nullable: !c.Type.text(), Metadata: meta})
	}
	about := arrow.NewMetadata([]string{"title"}, []string{h.title})
	return arrow.NewSchema(fields, &about), nil
}

func newArrowStream(w io.Writer, h *header, dictionaries bool) (*arrowStream, error) {
	schema, err := arrowSchema(h, func(int) bool { return dictionaries })
	if err != nil {
		return nil, err
	}
	return &arrowStream{h: h, schema: schema, builder: array.NewRecordBuilder(memory.DefaultAllocator, schema),
		w: ipc.NewWriter(w, ipc.WithSchema(schema), ipc.WithZstd())}, nil
}

func (s *arrowStream) group(string) error { return nil }

func (s *arrowStream) row(values []Value) error {
	for k, i := range s.h.columns {
		if err := s.append(k, &values[i]); err != nil {
			return err
		}
	}
	if s.builder.Field(0).Len() < batchRows && s.bytes < batchBytes {
		return nil
	}
	return s.flush()
}

func (s *arrowStream) append(i int, v *Value) error {
	s.bytes += 8 + len(v.Text)
	if v.Null {
		s.builder.Field(i).AppendNull()
		return nil
	}
	switch b := s.builder.Field(i).(type) {
	case *array.StringBuilder:
		text := v.Text
		b.Append(text)
		if s.see != nil && s.h.column(i).Type != Text {
			s.see(i, text)
		}
	case *array.BinaryDictionaryBuilder:
		return b.AppendString(v.Text)
	case *array.Int64Builder:
		b.Append(v.Int)
	case *array.Float64Builder:
		b.Append(v.Float)
	case *array.Decimal128Builder:
		b.Append(decimal128.FromI64(v.Int))
	case *array.Date32Builder:
		b.Append(arrow.Date32(days(v.Time)))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.Time.UnixMilli()))
	case *array.BooleanBuilder:
		b.Append(v.Int != 0)
	default:
		return fmt.Errorf("column %s: no builder for %T", s.h.column(i).Name, b)
	}
	return nil
}

func (s *arrowStream) flush() error {
	record := s.builder.NewRecord()
	defer record.Release()
	s.bytes = 0
	if err := s.w.Write(record); err != nil {
		return fmt.Errorf("cannot write a record batch: %w", err)
	}
	for _, b := range s.builder.Fields() {
		if d, ok := b.(*array.BinaryDictionaryBuilder); ok {
			d.ResetFull()
		}
	}
	return nil
}

// close writes the last batch. Without any row there is still one, empty, so that readers see the columns.
func (s *arrowStream) close() error {
	defer s.builder.Release()
	if err := s.flush(); err != nil {
		return err
	}
	return s.w.Close()
}

func (s *arrowStream) abort() error { return nil }

// arrowFile writes the file format, where a dictionary is the same for all batches. What it will hold is known at the end
// only, so the batches wait in a temporary file as a stream.
type arrowFile struct {
	*arrowStream
	out    io.Writer
	spool  *os.File
	values []map[string]int32 // by column; nil: no dictionary, or too many values for one
}

func newArrowFile(w io.Writer, h *header) (_ *arrowFile, err error) {
	f := &arrowFile{out: w, values: make([]map[string]int32, len(h.columns))}
	if f.spool, err = tempFile(); err != nil {
		return nil, err
	}
	if f.arrowStream, err = newArrowStream(f.spool, h, false); err != nil {
		return nil, errors.Join(err, f.spool.Close())
	}
	for i := range h.columns {
		if c := h.column(i); c.Type.text() && c.Type != Text {
			f.values[i] = map[string]int32{}
		}
	}
	f.see = func(i int, text string) {
		known := f.values[i]
		if known == nil {
			return
		}
		if _, ok := known[text]; ok {
			return
		}
		if len(known) == maxDictionary {
			f.values[i] = nil
			return
		}
		known[text] = int32(len(known))
	}
	return f, nil
}

// tempFile is a file without a name: nothing is left behind by a kill.
func tempFile() (*os.File, error) {
	f, err := os.CreateTemp("", "tingke-export-*")
	if err != nil {
		return nil, fmt.Errorf("cannot make a temporary file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot unlink the temporary file %q: %w", f.Name(), err), f.Close())
	}
	return f, nil
}

func (f *arrowFile) close() error {
	err := f.arrowStream.close()
	if err == nil {
		err = f.finish()
	}
	return errors.Join(err, f.abort())
}

func (f *arrowFile) abort() error {
	if f.spool == nil {
		return nil
	}
	err := f.spool.Close()
	f.spool = nil
	return err
}

// finish copies the waiting batches into the file, with dictionaries.
func (f *arrowFile) finish() error {
	if _, err := f.spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r, err := ipc.NewReader(bufio.NewReaderSize(f.spool, 1<<20))
	if err != nil {
		return fmt.Errorf("cannot read the waiting record batches: %w", err)
	}
	defer r.Release()
	schema, err := arrowSchema(f.h, func(i int) bool { return f.values[i] != nil })
	if err != nil {
		return err
	}
	dictionaries := make([]arrow.Array, len(f.values))
	for i, known := range f.values {
		if known == nil {
			continue
		}
		texts := make([]string, len(known))
		for text, at := range known {
			texts[at] = text
		}
		b := array.NewStringBuilder(memory.DefaultAllocator)
		b.AppendValues(texts, nil)
		dictionaries[i] = b.NewArray()
		b.Release()
	}
	out := bufio.NewWriterSize(f.out, 1<<20)
	w, err := ipc.NewFileWriter(&counted{w: out}, ipc.WithSchema(schema), ipc.WithZstd())
	if err != nil {
		return fmt.Errorf("cannot begin the Arrow file: %w", err)
	}
	for r.Next() {
		in := r.Record()
		columns := make([]arrow.Array, in.NumCols())
		for i := range columns {
			if columns[i] = in.Column(i); dictionaries[i] == nil {
				continue
			}
			texts, ok := in.Column(i).(*array.String)
			if !ok {
				return fmt.Errorf("column %s waits as %s", f.h.column(i).Name, in.Column(i).DataType())
			}
			b := array.NewInt32Builder(memory.DefaultAllocator)
			b.Reserve(texts.Len())
			for k := range texts.Len() {
				b.Append(f.values[i][texts.Value(k)])
			}
			columns[i] = array.NewDictionaryArray(schema.Field(i).Type, b.NewInt32Array(), dictionaries[i])
			b.Release()
		}
		if err := w.Write(array.NewRecord(schema, columns, in.NumRows())); err != nil {
			return fmt.Errorf("cannot write a record batch: %w", err)
		}
	}
	if err := r.Err(); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("cannot read the waiting record batches: %w", err)
	}
	return errors.Join(w.Close(), out.Flush())
}

// counted tells how much was written to a writer that cannot seek: the Arrow writer only asks where it is.
type counted struct {
	w io.Writer
	n int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func (c *counted) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekCurrent {
		return 0, errors.New("only the position can be asked for")
	}
	return c.n, nil
}

// days since 1970-01-01 of the day that t shows.
func days(t time.Time) int32 {
	y, m, d := t.Date()
	return int32(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}
