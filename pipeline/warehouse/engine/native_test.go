package engine

import (
	"bytes"
	"testing"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

func TestWidthOf(t *testing.T) {
	f := func(typ string, want bool) {
		t.Helper()
		if _, err := widthOf(typ); (err == nil) != want {
			t.Errorf("%s: %v", typ, err)
		}
	}
	f("Tuple(`a (b` UInt8, \"c, d\" Array(String), e Enum8('x)' = 1, ',\\'' = 2))", true)
	f("Nested(a UInt8, b String)", true)
	f("SimpleAggregateFunction(max, UInt64)", true)
	f("MultiPolygon", true)
	f("IntervalDay", true)
	f("Nullable(Nothing)", true)
	f("Array(Map(String, Tuple(UInt8, LowCardinality(Nullable(String)))))", true)
	f("JSON", false)
	f("Dynamic", false)
	f("Variant(String, UInt8)", false)
	f("AggregateFunction(uniq, String)", false)
	f("FixedString(x)", false)
	f("Array(String", false)
	f("Map(String)", false)
	f("", false)
}

// sampleBlock is a Native block of revision 0, as the engine writes them.
func sampleBlock(t testing.TB, rows int) []byte {
	t.Helper()
	b := proto.NewBlock()
	for _, c := range [][2]string{{"a", "UInt64"}, {"b", "Array(LowCardinality(String))"}, {"c", "Map(String, Nullable(Int8))"}, {"d", "LowCardinality(String)"}} {
		if err := b.AddColumn(c[0], column.Type(c[1])); err != nil {
			t.Fatal(err)
		}
	}
	one := int8(1)
	for i := range rows {
		if err := b.Append(uint64(i), []string{"x", "y"}[:i%3%2], map[string]*int8{"k": &one, "n": nil}, "jd"); err != nil {
			t.Fatal(err)
		}
	}
	var buf chproto.Buffer
	if err := b.Encode(&buf, 0); err != nil {
		t.Fatal(err)
	}
	return buf.Buf
}

// The result of appendBlocks is what the client's own encoder writes.
func TestAppendBlocks(t *testing.T) {
	for _, rows := range []int{1, 2, 300} {
		src := append(sampleBlock(t, rows), sampleBlock(t, rows)...)
		for _, rev := range []uint64{0, 1, proto.DBMS_TCP_PROTOCOL_VERSION} {
			got, err := appendBlocks(nil, src, rev)
			if err != nil {
				t.Fatal(err)
			}
			b := proto.NewBlock()
			rd := chproto.NewReader(bytes.NewReader(got))
			for range 2 {
				if err := b.Decode(rd, rev); err != nil {
					t.Fatalf("revision %d: %v", rev, err)
				}
				if b.Rows() != rows || b.Columns[3].Row(rows-1, false) != "jd" {
					t.Errorf("revision %d: %d rows", rev, b.Rows())
				}
			}
			if err := b.Decode(rd, rev); err == nil {
				t.Errorf("revision %d: a third block", rev)
			}
		}
		for cut := range len(src) {
			if cut == len(src)/2 {
				continue
			}
			if _, err := appendBlocks(nil, src[:cut], 54460); err == nil && cut > 0 {
				t.Errorf("cut at %d of %d: no error", cut, len(src))
			}
		}
	}
}

func FuzzAppendBlocks(f *testing.F) {
	f.Add(sampleBlock(f, 3))
	f.Add([]byte("\x01\x01\x01a\x06String\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Add([]byte("\x01\xff\xff\xff\xff\x0f\x01a\x0eNullable(Bool)\x00"))
	f.Fuzz(func(t *testing.T, src []byte) {
		out, err := appendBlocks(nil, src, 54460)
		if err == nil && len(out) < len(src) {
			t.Errorf("%d of %d bytes, and no error", len(out), len(src))
		}
	})
}
