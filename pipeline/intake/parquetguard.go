package intake

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

const maxParquetFooter = 64 << 20

// checkFooter looks through the footer before the library reads it, which makes room for as many values as a footer claims
// to have: a file of some bytes could claim two thousand million.
func checkFooter(file *os.File, size int64) error {
	var tail [8]byte
	if size < 12 {
		return io.ErrUnexpectedEOF
	}
	if _, err := file.ReadAt(tail[:], size-8); err != nil {
		return err
	}
	if string(tail[4:]) != "PAR1" {
		return io.ErrUnexpectedEOF
	}
	n := int64(binary.LittleEndian.Uint32(tail[:4]))
	if n > size-12 || n > maxParquetFooter {
		return fmt.Errorf("footer of %d bytes in a file of %d", n, size)
	}
	footer := make([]byte, n)
	if _, err := file.ReadAt(footer, size-8-n); err != nil {
		return err
	}
	w := thriftWalk{rest: footer}
	if err := w.structure(0); err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	return nil
}

// Bounds of one page. Writers make pages of about 1 MiB; a page is held in memory as a whole.
const (
	maxPageBytes  = 256 << 20
	maxPageValues = 16 << 20
	maxPageHeader = 1 << 20
)

// checkPages walks the page headers of a row group before the library reads it, because the library allocates whatever a
// header says. An error names the column.
func checkPages(f *parquet.File, group int) error {
	rg := &f.Metadata().RowGroups[group]
	for i := range rg.Columns {
		if err := checkChunk(f, &rg.Columns[i].MetaData, rg.NumRows); err != nil {
			return fmt.Errorf("column %q: %w", rg.Columns[i].MetaData.PathInSchema, err)
		}
	}
	return nil
}

func checkChunk(f *parquet.File, m *format.ColumnMetaData, rows int64) error {
	start := m.DataPageOffset
	if m.DictionaryPageOffset != 0 {
		start = m.DictionaryPageOffset
	}
	if start < 4 || m.TotalCompressedSize < 0 || start > f.Size() || m.TotalCompressedSize > f.Size()-start {
		return fmt.Errorf("%d bytes at %d lie outside the file of %d: %w", m.TotalCompressedSize, start, f.Size(), io.ErrUnexpectedEOF)
	}
	if m.NumValues < rows {
		return fmt.Errorf("%d values for %d rows", m.NumValues, rows)
	}
	var values int64
	for at, end := start, start+m.TotalCompressedSize; values < m.NumValues; {
		if at >= end {
			return fmt.Errorf("%d values of %d: %w", values, m.NumValues, io.ErrUnexpectedEOF)
		}
		h, length, err := pageHeader(f, at, end-at)
		if err != nil {
			return fmt.Errorf("page header at %d: %w", at, err)
		}
		v1, v2, dict := int64(h.DataPageHeader.V.NumValues), int64(h.DataPageHeaderV2.V.NumValues), int64(h.DictionaryPageHeader.V.NumValues)
		if v := &h.DataPageHeaderV2.V; int64(v.DefinitionLevelsByteLength)+int64(v.RepetitionLevelsByteLength) > int64(h.CompressedPageSize) || v.NumNulls > v.NumValues || v.NumRows > v.NumValues {
			return fmt.Errorf("page header at %d contradicts itself", at)
		}
		size, unpacked := int64(h.CompressedPageSize), int64(h.UncompressedPageSize)
		if size < 0 || size > end-at-length {
			return fmt.Errorf("page of %d bytes at %d: %w", size, at+length, io.ErrUnexpectedEOF)
		}
		if most := max(v1, v2, dict); size > maxPageBytes || unpacked < 0 || unpacked > maxPageBytes || min(v1, v2, dict) < 0 || most > maxPageValues {
			return fmt.Errorf("page of %d bytes and %d values at %d is over the limit of %d and %d", unpacked, most, at+length, maxPageBytes, maxPageValues)
		}
		switch h.Type {
		case format.DataPage:
			values += v1
		case format.DataPageV2:
			values += v2
		}
		at += length + size
	}
	return nil
}

// pageHeader reads the header of a page of at most so many bytes, and gives its length in bytes. The header is looked through
// before the library decodes it, for the same reason as the footer.
func pageHeader(file io.ReaderAt, at, most int64) (h format.PageHeader, length int64, err error) {
	for size := int64(4 << 10); ; size *= 16 { // few are larger: they hold the least and the greatest value of the page
		b := make([]byte, min(size, most, maxPageHeader))
		if _, err := file.ReadAt(b, at); err != nil {
			return h, 0, err
		}
		w := thriftWalk{rest: b}
		if err = w.structure(0); err == nil {
			length = int64(len(b) - len(w.rest))
			return h, length, thrift.Unmarshal(&thrift.CompactProtocol{}, b[:length], &h)
		}
		if int64(len(b)) < size {
			return h, 0, err
		}
	}
}
