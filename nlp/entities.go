package nlp

import (
	"strings"
	"unicode/utf8"

	"github.com/tingke/tingke/schemas"
)

// placeholders are the words of mask tags, ours and those of public data, and the entity each stands for.
var placeholders = map[string]string{
	"电话": "phone", "手机": "phone", "手机号": "phone", "证件": "id_card", "身份证": "id_card", "身份证号": "id_card",
	"银行卡": "bank_card", "卡号": "bank_card", "车牌": "plate", "邮箱": "email", "微信": "wechat", "QQ": "qq", "地址": "address",
	"姓名": "name", "订单": "order", "单号": "parcel", "数字": "number", "金额": "amount", "日期": "date", "时间": "time",
	"链接": "url", "站点": "site", "组织机构": "organisation",
}

// entities finds mask tags, amounts of money and dates in a masked text, in order and without overlap.
func entities(text string) []schemas.Entity {
	var out []schemas.Entity
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '[':
			if end := strings.Index(text[i:min(len(text), i+32)], "x]"); end > 0 {
				if t, ok := placeholders[text[i+1:i+end]]; ok {
					out = append(out, schemas.Entity{Type: t, Start: i, End: i + end + 2})
					i += end + 2
					continue
				}
			}
			i++
		case c >= '0' && c <= '9':
			n := number(text, i)
			if t, end := quantity(text, i, n); t != "" {
				start := i
				if t == "amount" {
					start = currencyBefore(text, i)
				}
				out = append(out, schemas.Entity{Type: t, Start: start, End: end})
				i = end
				continue
			}
			i = n
		case c < utf8.RuneSelf:
			i++
		default:
			if w := relativeDay(text[i:]); w > 0 {
				out = append(out, schemas.Entity{Type: "date", Start: i, End: i + w})
				i += w
				continue
			}
			_, w := utf8.DecodeRuneInString(text[i:])
			i += w
		}
	}
	return out
}

// number gives the end of the number at i: digits with one point or comma between digits at a time.
func number(text string, i int) int {
	for i < len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			i++
		case (c == '.' || c == ',') && i+1 < len(text) && text[i+1] >= '0' && text[i+1] <= '9':
			i++
		default:
			return i
		}
	}
	return i
}

var (
	moneyAfter  = []string{"块钱", "元钱", "元", "块", "万元", "万块", "毛钱", "角", "rmb", "RMB"}
	moneyBefore = []string{"￥", "¥", "$"}
	dayAfter    = []string{"日", "号"}
	days        = []string{"今天", "今晚", "今早", "明天", "明早", "明晚", "后天", "大后天", "昨天", "昨晚", "前天", "大前天"}
)

// quantity says what the number text[i:n] counts: an amount or a date, with its end, or "".
func quantity(text string, i, n int) (string, int) {
	rest := text[n:]
	for _, u := range moneyAfter {
		if strings.HasPrefix(rest, u) {
			return "amount", n + len(u)
		}
	}
	if currencyBefore(text, i) < i {
		return "amount", n
	}
	if m, ok := strings.CutPrefix(rest, "月"); ok && n-i <= 2 {
		at := len(text) - len(m)
		if d := number(text, at); d > at && d-at <= 2 {
			for _, u := range dayAfter {
				if strings.HasPrefix(text[d:], u) {
					return "date", d + len(u)
				}
			}
			return "date", d
		}
		return "", n
	}
	if n-i <= 2 {
		// 3号 is a day, 3号楼 and 3号线 are not.
		if r, ok := strings.CutPrefix(rest, "号"); ok && !strings.HasPrefix(r, "楼") && !strings.HasPrefix(r, "线") && !strings.HasPrefix(r, "院") && !strings.HasPrefix(r, "店") && !strings.HasPrefix(r, "色") {
			return "date", n + len("号")
		}
	}
	if n-i == 4 && strings.HasPrefix(rest, "年") || n-i == 4 && strings.HasPrefix(rest, "-") {
		end := n + 1
		if strings.HasPrefix(rest, "年") {
			end = n + len("年")
		}
		if m := number(text, end); m > end && m-end <= 2 {
			for _, sep := range []string{"月", "-"} {
				if strings.HasPrefix(text[m:], sep) {
					at := m + len(sep)
					d := number(text, at)
					for _, u := range dayAfter {
						if d > at && strings.HasPrefix(text[d:], u) {
							return "date", d + len(u)
						}
					}
					if d > at {
						return "date", d
					}
				}
			}
		}
	}
	return "", n
}

// currencyBefore gives the start of a currency sign that ends at i, else i.
func currencyBefore(text string, i int) int {
	for _, s := range moneyBefore {
		if strings.HasSuffix(text[:i], s) {
			return i - len(s)
		}
	}
	return i
}

func relativeDay(s string) int {
	switch {
	case strings.HasPrefix(s, "今"), strings.HasPrefix(s, "明"), strings.HasPrefix(s, "后"), strings.HasPrefix(s, "昨"), strings.HasPrefix(s, "前"), strings.HasPrefix(s, "大"):
	default:
		return 0
	}
	for _, d := range days {
		if strings.HasPrefix(s, d) {
			return len(d)
		}
	}
	return 0
}
