package rules

import (
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// compareKeys are the comparisons that operators on numbers share.
var compareKeys = []string{"over", "under", "at_least", "at_most"}

// withCompare adds the comparisons to the keys of an operator.
func withCompare(keys ...string) []string { return append(keys, compareKeys...) }

// compare is a bound from below, from above, or both.
type compare struct {
	lo, hi         float64
	hasLo, hasHi   bool
	loOpen, hiOpen bool
}

func (c compare) holds(v float64) bool {
	if c.hasLo && (v < c.lo || c.loOpen && v == c.lo) {
		return false
	}
	return !c.hasHi || v < c.hi || !c.hiOpen && v == c.hi
}

// beyond says that v lies above the upper bound, where a value that only grows never comes back from.
func (c compare) beyond(v float64) bool {
	return c.hasHi && (v > c.hi || c.hiOpen && v == c.hi)
}

// compares says whether one of the comparisons is written.
func compares(f fields) bool {
	for _, key := range compareKeys {
		if f.get(key) != nil {
			return true
		}
	}
	return false
}

// compare reads the comparisons among the fields of an operator.
func (d *decoder) compare(f fields, what string, number func(*yaml.Node, string) float64) compare {
	var c compare
	for _, key := range compareKeys {
		v := f.get(key)
		if v == nil {
			continue
		}
		x := number(v, what+"."+key)
		lower := key == "over" || key == "at_least"
		if lower && c.hasLo || !lower && c.hasHi {
			d.errorf(f.key(key), "", "%s has two bounds on the same side", what)
			continue
		}
		if lower {
			c.lo, c.hasLo, c.loOpen = x, true, key == "over"
		} else {
			c.hi, c.hasHi, c.hiOpen = x, true, key == "under"
		}
	}
	if !c.hasLo && !c.hasHi {
		d.errorf(f.node, "over, under, at_least or at_most", "%s has nothing to compare with", what)
	} else if c.hasLo && c.hasHi && (c.lo > c.hi || c.lo == c.hi && (c.loOpen || c.hiOpen)) {
		d.errorf(f.node, "", "%s can never hold: the lower bound is above the upper", what)
	}
	return c
}

// compareIn reads a mapping of comparisons, such as {over: 3s}.
func (d *decoder) compareIn(n *yaml.Node, what string, number func(*yaml.Node, string) float64) *compare {
	f, ok := d.mapping(n, what, compareKeys...)
	if !ok {
		return nil
	}
	c := d.compare(f, what, number)
	return &c
}

func (d *decoder) millis(v *yaml.Node, what string) float64 { return float64(d.duration(v, what)) }

func (d *decoder) number(v *yaml.Node, what string) float64 { return d.float(v, what, -1e15, 1e15) }

// share reads a part of a whole, 0..1: 70% or 0.7.
func (d *decoder) share(v *yaml.Node, what string) float64 {
	s := d.str(v, what)
	percent := strings.HasSuffix(s, "%") || strings.HasSuffix(s, "％")
	x, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimRight(s, "%％")), 64)
	if percent {
		x = math.Round(x*1e6) / 1e8
	}
	if s != "" && (err != nil || !(x >= 0 && x <= 1)) {
		d.errorf(v, "such as 70% or 0.7", "%s must be a share between 0 and 1", what)
		return 0
	}
	return x
}
