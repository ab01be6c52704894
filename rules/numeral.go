package rules

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// digits and units of Chinese numerals, everyday and financial forms.
var (
	numeralDigits = map[rune]int64{
		'零': 0, '〇': 0, '一': 1, '壹': 1, '幺': 1, '二': 2, '贰': 2, '两': 2, '俩': 2, '三': 3, '叁': 3, '四': 4, '肆': 4, '五': 5, '伍': 5, '六': 6, '陆': 6, '七': 7, '柒': 7, '八': 8, '捌': 8, '九': 9, '玖': 9,
	}
	numeralUnits = map[rune]int64{'十': 10, '拾': 10, '百': 100, '佰': 100, '千': 1000, '仟': 1000, '万': 10_000, '亿': 100_000_000}
)

// numeralAt reads the number at the beginning of s: Arabic digits (1,299.50, 3万, 2.5千) or a Chinese numeral (三百, 一百二,
// 两万三千, 二零二六, 三点五, 半). size is its length in bytes, 0 where s begins with none.
func numeralAt(s string) (value float64, size int) {
	if s == "" {
		return 0, 0
	}
	if s[0] >= '0' && s[0] <= '9' {
		return arabicAt(s)
	}
	if s[0] < utf8.RuneSelf {
		return 0, 0
	}
	return chineseAt(s)
}

func arabicAt(s string) (float64, int) {
	i := 0
	point := false
	for i < len(s) {
		c := s[i]
		if c == '.' && !point && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9' {
			point = true
		} else if !(c >= '0' && c <= '9' || c == ',' && !point && thousands(s[i:])) {
			break
		}
		i++
	}
	if i > 32 {
		return 0, 0 // the number of a parcel or card, no quantity
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(s[:i], ",", ""), 64)
	if err != nil {
		return 0, 0
	}
	if r, w := utf8.DecodeRuneInString(s[i:]); numeralUnits[r] >= 1000 {
		v *= float64(numeralUnits[r])
		i += w
	}
	return v, i
}

// thousands says whether s is a comma with exactly three digits behind it.
func thousands(s string) bool {
	if len(s) < 4 {
		return false
	}
	for i := 1; i <= 3; i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) == 4 || s[4] < '0' || s[4] > '9'
}

func chineseAt(s string) (float64, int) {
	var total, section, digit int64
	digits, units := 0, 0
	lastUnit := int64(0)
	plain := int64(0) // digits read one after the other: 二零二六
	i := 0
	for i < len(s) && i < 64 {
		r, w := utf8.DecodeRuneInString(s[i:])
		if d, ok := numeralDigits[r]; ok {
			plain = plain*10 + d
			digit = d
			digits++
			if d == 0 {
				lastUnit = 0 // 一百零二: the last digit is no part of the unit before it
			}
			i += w
			continue
		}
		u, ok := numeralUnits[r]
		if !ok {
			break
		}
		switch {
		case digits == 0 && u != 10:
			// A unit without a digit begins no numeral (百货, 千万别), but for 十.
			if units == 0 {
				return 0, 0
			}
			if u < 10_000 {
				return finish(s, i, total, section, digit, digits, lastUnit)
			}
			fallthrough
		case u >= 10_000:
			section += digit
			if u == 10_000 && section > 0 {
				total += section * u
			} else {
				total = (total + section) * u
			}
			section, digit = 0, 0
		default:
			if digits == 0 {
				digit = 1
			}
			section += digit * u
			digit = 0
		}
		lastUnit = u
		units++
		digits, plain = 0, 0
		i += w
	}
	if i == 0 {
		if strings.HasPrefix(s, "半") {
			return 0.5, len("半")
		}
		return 0, 0
	}
	if units == 0 {
		return fraction(s, i, float64(plain))
	}
	return finish(s, i, total, section, digit, digits, lastUnit)
}

// finish adds the last digit: 一百二 is 120, 一百零二 is 102, 三万五 is 35,000.
func finish(s string, i int, total, section, digit int64, digits int, lastUnit int64) (float64, int) {
	if digits == 1 && lastUnit > 10 {
		digit *= lastUnit / 10
	}
	return fraction(s, i, float64(total+section+digit))
}

// fraction reads 点五 after a whole number.
func fraction(s string, i int, v float64) (float64, int) {
	rest, ok := strings.CutPrefix(s[i:], "点")
	if !ok {
		return v, i
	}
	scale := 0.1
	j := 0
	for j < len(rest) {
		r, w := utf8.DecodeRuneInString(rest[j:])
		d, ok := numeralDigits[r]
		if !ok {
			break
		}
		v += float64(d) * scale
		scale /= 10
		j += w
	}
	if j == 0 {
		return v, i
	}
	// Rounded so that 三点五 equals 3.5 exactly.
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'f', 9, 64), 64)
	return v, i + len("点") + j
}

// numberIn gives the number of a text: the first in Arabic digits, such as the 299 in ￥299元, else the longest Chinese
// numeral, so that 一共三百 is 300. ok is false where it has none.
func numberIn(s string) (v float64, ok bool) {
	longest := 0
	for i := 0; i < len(s); {
		r, w := utf8.DecodeRuneInString(s[i:])
		x, size := 0.0, 0
		if r >= utf8.RuneSelf || r >= '0' && r <= '9' {
			x, size = numeralAt(s[i:])
		}
		switch {
		case size == 0:
			i += w
			continue
		case r < utf8.RuneSelf:
			if i > 0 && s[i-1] == '-' {
				x = -x
			}
			return x, true
		case size > longest:
			v, longest = x, size
		}
		i += size
	}
	return v, longest > 0
}
