package intake

import (
	"bufio"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Bounds of one page. Writers make pages of about 1 MiB; a page is held in memory as a whole.
const (
	maxPageBytes  = 256 << 20
	maxPageValues = 16 << 20
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
	section := io.NewSectionReader(f, start, m.TotalCompressedSize)
	br := bufio.NewReaderSize(section, 4<<10)
	var compact thrift.CompactProtocol
	var values int64
	for values < m.NumValues {
		at, err := section.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		at -= int64(br.Buffered())
		if at >= m.TotalCompressedSize {
			return fmt.Errorf("%d values of %d: %w", values, m.NumValues, io.ErrUnexpectedEOF)
		}
		h := format.PageHeader{}
		if err := thrift.NewDecoder(compact.NewReader(br)).Decode(&h); err != nil {
			return fmt.Errorf("page header at %d: %w", start+at, err)
		}
		at, err = section.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		at -= int64(br.Buffered())
		size, unpacked := int64(h.CompressedPageSize), int64(h.UncompressedPageSize)
		n := int64(0)
		switch {
		case h.DataPageHeader.Valid:
			n = int64(h.DataPageHeader.V.NumValues)
			values += n
		case h.DataPageHeaderV2.Valid:
			n = int64(h.DataPageHeaderV2.V.NumValues)
			values += n
			if v := &h.DataPageHeaderV2.V; int64(v.DefinitionLevelsByteLength)+int64(v.RepetitionLevelsByteLength) > size || v.NumNulls > v.NumValues || v.NumRows > v.NumValues {
				return fmt.Errorf("page header at %d contradicts itself", start+at)
			}
		case h.DictionaryPageHeader.Valid:
			n = int64(h.DictionaryPageHeader.V.NumValues)
		}
		if size < 0 || size > m.TotalCompressedSize-at {
			return fmt.Errorf("page of %d bytes at %d: %w", size, start+at, io.ErrUnexpectedEOF)
		}
		if size > maxPageBytes || unpacked < 0 || unpacked > maxPageBytes || n < 0 || n > maxPageValues {
			return fmt.Errorf("page of %d bytes and %d values at %d is over the limit of %d and %d", unpacked, n, start+at, maxPageBytes, maxPageValues)
		}
		if _, err := section.Seek(at+size, io.SeekStart); err != nil {
			return err
		}
		br.Reset(section)
	}
	return nil
}
