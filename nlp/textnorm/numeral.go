package textnorm

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Numeral reads a whole text as a number: 12, 1,200, 3.5, 3万, 1.5亿, 一百二十三, 两百, 壹佰, 二〇二六, 三点五, 一万二 (12,000),
// 两千五 (2,500). It takes normalised and raw texts alike and says ok = false for anything else.
func Numeral(s string) (value float64, ok bool) {
	s = Normalise(strings.TrimSpace(s)).Text
	if s == "" || utf8.RuneCountInString(s) > 64 {
		return 0, false
	}
	if strings.IndexByte(s, ',') > 0 {
		parts := strings.Split(s, ",")
		for i, p := range parts[1:] {
			if i == len(parts)-2 {
				p, _, _ = strings.Cut(p, ".")
			}
			if len(p) != 3 && i != len(parts)-2 || len(p) < 3 || !digits(p[:3]) || len(p) > 3 && isASCIIDigit(p[3]) {
				return 0, false
			}
		}
		if len(parts[0]) > 3 || !digits(parts[0]) {
			return 0, false
		}
		s = strings.Join(parts, "")
	}
	// A spoken decimal point: whole part, digits, perhaps 万 or 亿.
	if whole, decimals, found := strings.Cut(s, "点"); found {
		v, ok := wholeNumber(whole)
		if !ok || decimals == "" {
			return 0, false
		}
		unit := 1.0
		if last, size := utf8.DecodeLastRuneInString(decimals); units[last] >= 10_000 {
			unit = units[last]
			decimals = decimals[:len(decimals)-size]
		}
		if decimals == "" {
			return 0, false
		}
		var d strings.Builder
		d.WriteString("0.")
		for _, r := range decimals {
			n, ok := numerals[r]
			if !ok {
				return 0, false
			}
			d.WriteByte('0' + byte(n))
		}
		f, err := strconv.ParseFloat(d.String(), 64)
		return (v + f) * unit, err == nil
	}
	return wholeNumber(s)
}

// wholeNumber reads a number without a spoken decimal point.
func wholeNumber(s string) (float64, bool) {
	var total, section, number float64 // finished sections, the one below the next 万 or 亿, digits not yet multiplied
	have := false                      // number holds digits
	ones := 0                          // how many Chinese digits stand in it
	lastUnit := 0.0                    // the unit just read, for 一万二
	seen, zero := false, false
	for i := 0; i < len(s); {
		c := s[i]
		if isASCIIDigit(c) {
			if have {
				return 0, false
			}
			j := i
			for j < len(s) && (isASCIIDigit(s[j]) || s[j] == '.' && j+1 < len(s) && isASCIIDigit(s[j+1]) && !strings.Contains(s[i:j], ".")) {
				j++
			}
			f, err := strconv.ParseFloat(s[i:j], 64)
			if err != nil {
				return 0, false
			}
			number, have, seen = f, true, true
			ones = j - i
			i = j
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		if n, ok := numerals[r]; ok {
			if have && ones > 0 && (lastUnit != 0 && !zero) {
				return 0, false // 一百二三
			}
			if have {
				number = number*10 + float64(n)
			} else {
				number = float64(n)
			}
			if n == 0 && lastUnit != 0 && !have {
				// 一百零五: the zero only says that a place is empty.
				zero = true
				number = 0
				continue
			}
			have, seen = true, true
			ones++
			continue
		}
		u, ok := units[r]
		if !ok {
			return 0, false
		}
		if !have {
			switch {
			case u == 10 && (section == 0 || zero || lastUnit >= 100): // 十五, 一百零十
				number = 1
			case u >= 10_000 && section > 0:
			default:
				return 0, false
			}
		}
		if u >= 10_000 {
			section += number
			if section == 0 {
				return 0, false
			}
			if u == 100_000_000 {
				total = (total + section) * u
			} else {
				total += section * u
			}
			section = 0
		} else {
			if lastUnit != 0 && lastUnit < 10_000 && u >= lastUnit {
				return 0, false // 十百
			}
			section += number * u
		}
		number, have, ones, zero = 0, false, 0, false
		lastUnit, seen = u, true
	}
	if !seen {
		return 0, false
	}
	if have && lastUnit >= 100 && !zero && ones == 1 && number == float64(int(number)) {
		number *= lastUnit / 10 // 一万二, 两千五
	}
	return total + section + number, true
}

var numerals = map[rune]int{
	'零': 0, '〇': 0, '○': 0, '一': 1, '二': 2, '三': 3, '四': 4, '五': 5, '六': 6, '七': 7, '八': 8, '九': 9, '两': 2, '俩': 2, '幺': 1,
	'壹': 1, '贰': 2, '叁': 3, '肆': 4, '伍': 5, '陆': 6, '柒': 7, '捌': 8, '玖': 9,
}

var units = map[rune]float64{'十': 10, '拾': 10, '百': 100, '佰': 100, '千': 1000, '仟': 1000, '万': 10_000, 'w': 10_000, 'k': 1000, '亿': 100_000_000}

func isASCIIDigit(c byte) bool { return c >= '0' && c <= '9' }

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isASCIIDigit(s[i]) {
			return false
		}
	}
	return s != ""
}
