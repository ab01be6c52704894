package opinion

import (
	"strings"
	"unicode/utf8"
)

// numerals are the characters of numbers, as they are said and as they are written.
const numerals = "0123456789.,%零一二两三四五六七八九十百千万亿半几第"

// quantityUnits follow a number: what is counted in them is not said by them.
var quantityUnits = set(`块 块钱 元 毛 角 分 钱 天 日 号 月 个月 年 周 星期 礼拜 点 点钟 小时 个小时 分钟 秒 刻 刻钟 个 只 件 条 双 瓶 盒 包 袋 箱 罐 桶 斤 公斤 千克 克 吨 两 米 厘米 公分 毫米
	寸 英寸 码 升 毫升 度 折 倍 % 次 回 遍 趟 下 瓦 伏 兆 匹 岁 单 份 片 张 卷 kg g cm mm m ml l w v gb mb k`)

// namedDays are days on which shops sell more than on others, by their names: they say when, not what.
var namedDays = set(`双十一 双11 11.11 双十二 双12 12.12 618 六一八 黑五 年货节 女王节 女神节 元旦 春节 过年 年前 年后 清明 清明节 五一 六一 端午 端午节 七夕 中秋 中秋节 国庆 国庆节 十一 圣诞 圣诞节 情人节 母亲节 父亲节
	儿童节 双旦`)

// measures says whether a word says only how much or on which named day; before is the word before it, whose number it may be
// the unit of.
func measures(before, text string) bool {
	if namedDays[text] {
		return true
	}
	rest := strings.TrimLeft(text, numerals)
	number := len(rest) < len(text)
	return rest == "" || quantityUnits[rest] && (number || before != "" && strings.TrimLeft(before, numerals) == "")
}

// How long something takes is often what a mention is about (等不了48小时), and a date is one whatever its number: durations stay
// with their numbers, units of dates without.
var (
	durations = set(`天 个月 周 星期 礼拜 点钟 小时 个小时 分钟 秒 刻钟`)
	dateUnits = set(`年 月 日 号 点 刻`)
)

// longestUnit is the length of the longest unit in characters.
const longestUnit = 3

// countless leaves out how much: numbers in digits and their units (满300减40 is 满减, 体重110斤穿什么码 is 体重穿什么码), save durations
// and what belongs to a name in Latin letters (p50). To the encoder numbers weigh as much as words, so that whatever names
// two of them is alike. A text that has no point without them keeps them.
func countless(norm string) string {
	if !strings.ContainsAny(norm, "0123456789") {
		return norm
	}
	r := []rune(norm)
	out := make([]rune, 0, len(r))
	for i := 0; i < len(r); {
		from := i
		for i < len(r) && (r[i] >= '0' && r[i] <= '9' || i > from && strings.ContainsRune(".,:/-~%", r[i])) {
			i++
		}
		if i == from {
			out = append(out, r[i])
			i++
			continue
		}
		unit := unitOf(r[i:])
		if durations[unit] || from > 0 && latin(r[from-1]) {
			out = append(out, r[from:i]...)
		} else if !dateUnits[unit] {
			i += utf8.RuneCountInString(unit)
		}
	}
	if bare := string(out); hasPoint(bare) {
		return bare
	}
	return norm
}

// unitOf gives the unit that a text begins with, empty for none.
func unitOf(r []rune) string {
	for n := min(longestUnit, len(r)); n > 0; n-- {
		if unit := string(r[:n]); quantityUnits[unit] && !(latin(r[0]) && n < len(r) && latin(r[n])) {
			return unit
		}
	}
	return ""
}

func latin(r rune) bool { return r >= 'a' && r <= 'z' }
