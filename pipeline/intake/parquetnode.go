package intake

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// parquetNode is a node of a file's schema.
type parquetNode struct {
	name               string
	optional, repeated bool
	list, isMap        bool
	first, leaves      int // its leaf columns
	children           []*parquetNode
	value              func(parquet.Value) any // of a leaf
	naive              bool                    // a time without a zone
	loc                *time.Location
}

// maxParquetDepth and maxParquetLeaves bound the schema: sessions need four levels and a few dozen columns.
const (
	maxParquetDepth  = 12
	maxParquetLeaves = 2_000
)

func parquetTree(s *parquet.Schema) (*parquetNode, error) {
	n := 0
	root, err := buildParquetNode("", s, &n, 0)
	if err != nil {
		return nil, err
	}
	root.optional, root.repeated = false, false
	return root, nil
}

func buildParquetNode(name string, n parquet.Node, leaves *int, depth int) (*parquetNode, error) {
	if depth > maxParquetDepth || *leaves > maxParquetLeaves {
		return nil, fmt.Errorf("the schema is too large: more than %d levels or %d columns", maxParquetDepth, maxParquetLeaves)
	}
	p := &parquetNode{name: name, optional: n.Optional(), repeated: n.Repeated(), first: *leaves, loc: time.UTC}
	if n.Leaf() {
		p.leaves = 1
		*leaves++
		p.value = p.leaf(n.Type())
		return p, nil
	}
	if t := n.Type(); t != nil {
		if lt := t.LogicalType(); lt != nil && lt.Value != nil {
			switch lt.Value.(type) {
			case *format.ListType:
				p.list = true
			case *format.MapType:
				p.isMap = true
			}
		}
		if ct := t.ConvertedType(); ct != nil {
			p.list = p.list || *ct == deprecated.List
			p.isMap = p.isMap || *ct == deprecated.Map || *ct == deprecated.MapKeyValue
		}
	}
	for _, f := range n.Fields() {
		c, err := buildParquetNode(f.Name(), f, leaves, depth+1)
		if err != nil {
			return nil, err
		}
		p.children = append(p.children, c)
	}
	p.leaves = *leaves - p.first
	return p, nil
}

func (n *parquetNode) child(name string) *parquetNode {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

func (n *parquetNode) local(loc *time.Location) {
	n.loc = loc
	for _, c := range n.children {
		c.local(loc)
	}
}

// leaf gives the function that turns a stored value into string, bool, int64 or float64.
func (n *parquetNode) leaf(t parquet.Type) func(parquet.Value) any {
	if lt := t.LogicalType(); lt != nil {
		switch l := lt.Value.(type) {
		case *format.TimestampType:
			unit := time.Millisecond
			switch l.Unit.Value.(type) {
			case *format.MicroSeconds:
				unit = time.Microsecond
			case *format.NanoSeconds:
				unit = time.Nanosecond
			}
			n.naive = !l.IsAdjustedToUTC
			return func(v parquet.Value) any { return n.time(v.Int64(), unit) }
		case *format.DateType:
			return func(v parquet.Value) any {
				return time.Unix(int64(v.Int32())*86400, 0).UTC().Format(time.DateOnly)
			}
		case *format.DecimalType:
			scale := int(l.Scale)
			switch t.Kind() {
			case parquet.Int32:
				return func(v parquet.Value) any { return decimalText(int64(v.Int32()), scale) }
			case parquet.Int64:
				return func(v parquet.Value) any { return decimalText(v.Int64(), scale) }
			}
		case *format.StringType, *format.EnumType, *format.JsonType:
			return func(v parquet.Value) any { return string(v.ByteArray()) }
		}
	}
	if ct := t.ConvertedType(); ct != nil {
		switch *ct {
		case deprecated.TimestampMillis:
			return func(v parquet.Value) any { return n.time(v.Int64(), time.Millisecond) }
		case deprecated.TimestampMicros:
			return func(v parquet.Value) any { return n.time(v.Int64(), time.Microsecond) }
		}
	}
	switch t.Kind() {
	case parquet.Boolean:
		return func(v parquet.Value) any { return v.Boolean() }
	case parquet.Int32:
		return func(v parquet.Value) any { return int64(v.Int32()) }
	case parquet.Int64:
		return func(v parquet.Value) any { return v.Int64() }
	case parquet.Float:
		return func(v parquet.Value) any { return floatOrInt(float64(v.Float())) }
	case parquet.Double:
		return func(v parquet.Value) any { return floatOrInt(v.Double()) }
	case parquet.Int96: // times of old Impala, Hive and Spark files
		return func(v parquet.Value) any {
			i := v.Int96()
			days := int64(i[2]) - 2440588
			nanos := int64(i[1])<<32 | int64(i[0])
			return n.time(days*86_400_000+nanos/1_000_000, time.Millisecond)
		}
	case parquet.ByteArray:
		return func(v parquet.Value) any { return string(v.ByteArray()) }
	}
	return func(v parquet.Value) any { return base64.StdEncoding.EncodeToString(v.ByteArray()) }
}

// floatOrInt makes whole numbers of frames that store integers with gaps as floats, and NaN absent.
func floatOrInt(x float64) any {
	switch {
	case math.IsNaN(x):
		return nil
	case x == math.Trunc(x) && math.Abs(x) < 1<<53:
		return int64(x)
	}
	return x
}

func (n *parquetNode) time(v int64, unit time.Duration) any {
	var t time.Time
	switch unit {
	case time.Millisecond:
		t = time.UnixMilli(v)
	case time.Microsecond:
		t = time.UnixMicro(v)
	default:
		t = time.Unix(0, v)
	}
	t = t.UTC().Truncate(time.Millisecond)
	if n.naive {
		t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), n.loc).UTC()
	}
	if t.Year() < 0 || t.Year() > 9999 {
		return nil
	}
	return t.Format("2006-01-02T15:04:05.999Z07:00")
}

func decimalText(v int64, scale int) string {
	if scale <= 0 || scale > 18 {
		return strconv.FormatInt(v, 10)
	}
	sign := ""
	if v < 0 {
		sign = "-"
	}
	s := strings.TrimPrefix(strconv.FormatInt(v, 10), "-")
	for len(s) <= scale {
		s = "0" + s
	}
	return sign + s[:len(s)-scale] + "." + s[len(s)-scale:]
}

// build puts a node's value together from the values of its leaf columns: the record assembly of the Dremel paper.
func (n *parquetNode) build(cols [][]parquet.Value, rep, def int) any {
	if len(cols) == 0 || len(cols[0]) == 0 {
		return nil
	}
	if n.repeated {
		rep, def = rep+1, def+1
		if cols[0][0].DefinitionLevel() < def {
			return []any{}
		}
		var out []any
		for len(cols[0]) > 0 {
			one := make([][]parquet.Value, len(cols))
			for i, c := range cols {
				k := 1
				for k < len(c) && c[k].RepetitionLevel() > rep {
					k++
				}
				k = min(k, len(c))
				one[i], cols[i] = c[:k], c[k:]
			}
			out = append(out, n.core(one, rep, def))
		}
		return out
	}
	if n.optional {
		def++
		if cols[0][0].DefinitionLevel() < def {
			return nil
		}
	}
	return n.core(cols, rep, def)
}

func (n *parquetNode) core(cols [][]parquet.Value, rep, def int) any {
	if n.value != nil {
		if len(cols) == 0 || len(cols[0]) == 0 || cols[0][0].IsNull() {
			return nil
		}
		return n.value(cols[0][0])
	}
	return n.group(cols, rep, def)
}

func (n *parquetNode) group(cols [][]parquet.Value, rep, def int) any {
	m := make(map[string]any, len(n.children))
	for _, c := range n.children {
		from := c.first - n.first
		m[c.name] = c.build(slices.Clone(cols[from:from+c.leaves]), rep, def)
	}
	if len(n.children) != 1 || !n.children[0].repeated || !n.list && !n.isMap {
		return m
	}
	inner := n.children[0]
	items, _ := m[inner.name].([]any)
	if n.isMap {
		out := map[string]any{}
		for _, it := range items {
			if kv, ok := it.(map[string]any); ok && kv["value"] != nil {
				out[fmt.Sprint(kv["key"])] = kv["value"]
			}
		}
		return out
	}
	out := make([]any, len(items))
	for i, it := range items {
		out[i] = it
		// list.element: the element is wrapped in a group of one field, unless that field is the element's own.
		if g, ok := it.(map[string]any); ok && len(inner.children) == 1 && inner.name != "array" && !strings.HasSuffix(inner.name, "_tuple") {
			out[i] = g[inner.children[0].name]
		}
	}
	return out
}
