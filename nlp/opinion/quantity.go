package opinion

import "strings"

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
