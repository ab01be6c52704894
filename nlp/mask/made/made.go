// Package made makes personal data that belongs to nobody, inside sentences as customers write them, and harmless numbers
// that look like it: what masking is measured with. It must not import nlp/mask.
package made

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Maker makes random personal data of every type, and sentences around it. It is not safe for concurrent use.
type Maker struct{ *rand.Rand }

// New gives a Maker; equal seeds make equal texts.
func New(seed uint64) Maker { return Maker{rand.New(rand.NewPCG(seed, seed))} }

// Kind is a kind of personal data, and the type of entity that masking should give it.
type Kind struct{ Name, Type string }

// Kinds are what Sentence knows, in the order they are reported.
var Kinds = []Kind{{"phone", "phone"}, {"phone_local", "phone"}, {"id_card", "id_card"}, {"bank_card", "bank_card"}, {"plate", "plate"}, {"email", "email"},
	{"wechat", "wechat"}, {"qq", "qq"}, {"name", "name"}, {"name_title", "name"}, {"name_phone", "name"}, {"address", "address"}, {"order", "order"}, {"parcel", "parcel"}}

func (r Maker) pick(s ...string) string { return s[r.IntN(len(s))] }

func (r Maker) digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = '0' + byte(r.IntN(10))
	}
	return string(b)
}

func (r Maker) mobile() string { return "1" + r.pick("3", "5", "7", "8", "9") + r.digits(9) }

func (r Maker) spoken(digits string) string {
	var b strings.Builder
	for i, d := range digits {
		if i == 3 || i == 7 {
			b.WriteString(r.pick("", "", " ", "，"))
		}
		b.WriteRune([]rune("零幺二三四五六七八九")[d-'0'])
	}
	return b.String()
}

func (r Maker) wide(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return c - '0' + '０'
		}
		return c
	}, s)
}

func (r Maker) phone() string {
	m := r.mobile()
	switch r.IntN(12) {
	case 0:
		return m[:3] + " " + m[3:7] + " " + m[7:]
	case 1:
		return m[:3] + "-" + m[3:7] + "-" + m[7:]
	case 2:
		return m[:3] + "，" + m[3:7] + "，" + m[7:]
	case 3:
		return "+86 " + m
	case 4:
		return r.wide(m)
	case 5:
		return r.pick("010", "021", "0571", "0755") + r.pick("-", "", " ") + r.pick("2", "6", "8") + r.digits(7)
	case 6:
		return "(0571)" + r.pick("6", "8") + r.digits(7)
	case 7:
		return r.spoken(m)
	case 8:
		return strings.Join(strings.Split(m, ""), " ")
	}
	return m
}

func (r Maker) idCard() string {
	body := r.pick("110105", "330106", "440305", "510104", "320102") + fmt.Sprintf("%d%02d%02d", 1950+r.IntN(60), 1+r.IntN(12), 1+r.IntN(28)) + r.digits(3)
	weights := [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, w := range weights {
		sum += int(body[i]-'0') * w
	}
	id := body + string("10X98765432"[sum%11])
	switch r.IntN(5) {
	case 0:
		return id[:6] + " " + id[6:14] + " " + id[14:]
	case 1:
		return strings.ToLower(id)
	}
	return id
}

func (r Maker) bankCard() string {
	n := 16
	prefix := r.pick("4", "52", "622848", "621700", "622202")
	if len(prefix) == 6 {
		n = 19
	}
	body := prefix + r.digits(n-1-len(prefix))
	for d := range 10 {
		if c := body + fmt.Sprint(d); luhn(c) {
			body = c
			break
		}
	}
	if r.IntN(3) == 0 {
		var groups []string
		for len(body) > 4 {
			groups = append(groups, body[:4])
			body = body[4:]
		}
		return strings.Join(append(groups, body), r.pick(" ", "-"))
	}
	return body
}

const plateLetters = "ABCDEFGHJKLMNPQRSTUVWXYZ"

func (r Maker) plate() string {
	p := r.pick("京", "沪", "粤", "浙", "川", "鲁") + string(plateLetters[r.IntN(len(plateLetters))]) + r.pick("", "", "·")
	switch r.IntN(3) {
	case 0:
		return p + r.pick("D", "F") + r.digits(5)
	case 1:
		return p + string(plateLetters[r.IntN(len(plateLetters))]) + r.digits(4)
	}
	return p + r.digits(5)
}

func (r Maker) handle() string {
	return r.pick("zhang", "xiaomei", "li", "wang_", "dd") + r.pick("_", "", "-") + r.digits(3+r.IntN(4))
}

func (r Maker) email() string {
	return r.handle() + "@" + r.pick("qq.com", "163.com", "gmail.com", "mail.example.com.cn", "QQ.COM", "qq、com")
}

func (r Maker) name() string {
	return r.pick("王", "李", "张", "刘", "陈", "杨", "赵", "吴", "孙", "欧阳", "罗", "郭") + r.pick("伟", "芳", "娜", "晓明", "建国", "小军", "雨桐", "志强", "丽", "佳怡")
}

func (r Maker) address() string {
	area := r.pick("浙江省杭州市余杭区", "广东省深圳市南山区", "北京市朝阳区", "四川成都武侯区", "江苏省徐州市沛县", "山东省青岛市崂山区", "上海市浦东新区", "湖南省长沙市雨花区")
	return area + r.pick("文一西路969号", "科技园南路12号", "建国路88号院", "人民南路四段27号", "龙固镇前三里村", "香港东路195-3号", "枫林街道花园社区", "张江镇碧波路690号") +
		r.pick("", "3栋2单元501室", "8号楼1203", " 阳光小区2幢301", "A座1807室")
}

// Sentence makes a text that holds a datum of a kind, and gives the datum: what must not be left of the text.
func (r Maker) Sentence(kind string) (text, datum string) {
	before := r.pick("", "你好，", "亲 ", "麻烦改一下，", "好的")
	after := r.pick("", "，谢谢", " 麻烦快点", "。", "，尽快哦")
	var cue, mid string
	switch kind {
	case "phone":
		datum = r.phone()
		cue, mid = r.pick("", "电话", "我手机号是", "联系电话：", "打这个", "换成"), ""
	case "phone_local":
		datum = r.pick("2", "6", "8") + r.digits(7)
		cue = r.pick("电话", "座机是", "联系电话：")
	case "id_card":
		datum = r.idCard()
		cue = r.pick("", "身份证号", "身份证：", "证件号码是")
	case "bank_card":
		datum = r.bankCard()
		cue = r.pick("", "卡号", "退到银行卡 ", "建行卡号：")
	case "plate":
		datum = r.plate()
		cue = r.pick("", "车牌", "车牌号是", "开车来的 ")
	case "email":
		datum = r.email()
		cue = r.pick("邮箱", "发票发到", "我邮箱是 ", "")
	case "wechat":
		datum = r.pick(r.handle(), "wxid_"+r.digits(8))
		cue = r.pick("微信号", "加我微信", "加V：", "vx:", "我的微信是")
		after = r.pick("", "，谢谢", " 麻烦快点", "。")
	case "qq":
		datum = fmt.Sprint(1+r.IntN(9)) + r.digits(7+r.IntN(3))
		cue = r.pick("QQ", "qq号是", "加扣扣", "QQ：")
	case "name":
		datum = r.name()
		cue = r.pick("收件人：", "姓名：", "收货人改成", "我叫", "联系人 ")
		after = r.pick("", "，谢谢", "。", "，电话"+r.mobile())
	case "name_title":
		datum = r.pick("王", "李", "张", "刘", "陈", "杨", "赵") + r.pick("", "晓明", "伟")
		cue, mid = r.pick("请问是", "尊敬的", "您好，", "我是"), r.pick("先生", "女士", "小姐")
	case "name_phone":
		datum = r.name()
		cue, mid = "", r.pick("", " ", "，")+r.mobile()
	case "address":
		datum = r.address()
		cue = r.pick("地址是", "寄到", "收货地址：", "", "改成")
	case "order":
		datum = r.digits(1) + "8" + r.digits(10+r.IntN(8))
		cue = r.pick("订单号", "订单编号：", "订单号是", "交易号 ")
	case "parcel":
		datum = r.pick("SF1"+r.digits(12), "YT88"+r.digits(11), "JT5"+r.digits(12), "EA"+r.digits(9)+"CN", "JDVB"+r.digits(11))
		cue = r.pick("", "快递单号", "单号是", "运单")
	}
	return before + cue + datum + mid + after, datum
}

// Left says whether the datum, or the second half of it, can still be read in a masked text; marks between its parts do
// not hide it.
func Left(masked, datum string) bool {
	d := []rune(bare(datum))
	half := string(d[len(d)/2:])
	if len(d) < 4 {
		half = string(d)
	}
	return strings.Contains(bare(masked), half)
}

func bare(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -，·、()", r) {
			return -1
		}
		return r
	}, s)
}

// Harmless are the kinds of numbers that Number knows: they are nobody's and stay.
var Harmless = []string{"wrong_check_digit", "service_number", "price_date_size", "model_name", "product_id"}

// Number makes a text with a number of a harmless kind.
func (r Maker) Number(kind string) string {
	return r.pick("", "你好，", "亲 ", "这个") + r.number(kind) + r.pick("", "，谢谢", "是吗", " 对吧")
}

func (r Maker) number(kind string) string {
	switch kind {
	case "wrong_check_digit":
		for {
			if d := "4" + r.digits(15); !luhn(d) {
				return d
			}
		}
	case "service_number":
		return r.pick("10086", "10010", "10000", "12315", "12345", "110", "95588", "95598", "400-810-1234", "4008101234", "800 820 8820", "95561234", "1010"+r.digits(4), "96"+r.digits(4),
			"10690000"+r.digits(4), "拨打10086", "客服电话：95588", "热线400-123-4567", "致电4001234567")
	case "price_date_size":
		a, b := r.IntN(9000), r.IntN(900)
		return r.pick(fmt.Sprintf("%d元", a), fmt.Sprintf("%d.%d元减%d", a, r.IntN(99), b), fmt.Sprintf("满%d-%d", b+100, b),
			fmt.Sprintf("20%02d-%02d-%02d %02d:%02d:%02d", 10+r.IntN(20), 1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60)),
			fmt.Sprintf("20%02d%02d%02d", 10+r.IntN(20), 1+r.IntN(12), 1+r.IntN(28)), fmt.Sprintf("%d月%d号%d点", 1+r.IntN(12), 1+r.IntN(28), r.IntN(24)),
			fmt.Sprintf("%d*%d*%dcm", b, b, b), fmt.Sprintf("%d/%dA", 150+r.IntN(40), 80+r.IntN(20)), fmt.Sprintf("%d~%d斤", 90+r.IntN(30), 130+r.IntN(30)),
			fmt.Sprintf("%d件%d箱", 1+r.IntN(9), b), fmt.Sprintf("尺码%d %d %d", 36+r.IntN(3), 39+r.IntN(3), 42), fmt.Sprintf("%d万%d千", 1+r.IntN(9), 1+r.IntN(9)))
	case "model_name":
		return r.pick("iPhone", "Mate", "RTX", "KFR-35GW", "BCD-", "X", "小米", "v", "USB") + r.pick("", " ", "-") + fmt.Sprint(1+r.IntN(9999)) + r.pick("", "Pro", "plus", "s", "W")
	case "product_id":
		return r.pick("5", "6", "4") + r.digits(11)
	}
	panic("made: no such kind of harmless number: " + kind)
}

// luhn says whether the last digit is the check digit that bank cards have.
func luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
