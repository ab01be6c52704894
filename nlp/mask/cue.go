package mask

// cueKind says what a word before a number announces.
type cueKind uint8

const (
	cueNone cueKind = iota
	cuePhone
	cueID
	cueBank
	cueWechat
	cueQQ
	cueOrder     // 订单号: a number of an order
	cueOrderNear // 订单: the number may be anything
	cueParcel
	cueParcelNear
	cueAccount
	cueKeep // 商品编号, 税号: the number is public
)

type cue struct {
	text []rune
	kind cueKind
}

// cuesByLast holds the cues by their last character, longer ones first.
var cuesByLast = func() map[rune][]cue {
	m := map[rune][]cue{}
	add := func(k cueKind, words ...string) {
		for _, w := range words {
			r := []rune(w)
			last := r[len(r)-1]
			at := 0
			for at < len(m[last]) && len(m[last][at].text) >= len(r) {
				at++
			}
			m[last] = append(m[last][:at], append([]cue{{r, k}}, m[last][at:]...)...)
		}
	}
	add(cuePhone, "电话", "手机", "手机号", "联系方式", "座机", "固话", "号码", "联系人", "收货人", "收件人", "tel", "phone", "mobile", "致电", "打给", "来电", "回电", "拨打", "传真", "热线")
	add(cueID, "身份证", "身份证号", "证件", "证件号", "驾驶证", "护照", "护照号", "通行证", "身份证号码", "证件号码")
	add(cueBank, "银行卡", "银行卡号", "卡号", "储蓄卡", "信用卡", "借记卡", "银行账号", "银行账户", "收款账号", "农行", "工行", "建行", "中行", "交行", "招行", "邮储", "银行")
	add(cueWechat, "微信", "微信号", "v信", "威信", "薇信", "维信", "vx", "wx", "加v", "加微", "加我v", "weixin", "wechat")
	add(cueQQ, "qq", "qq号", "扣扣", "扣扣号", "q号", "企鹅号", "qq群", "q群", "群号", "qq号码", "加q", "加扣")
	add(cueOrder, "订单号", "订单编号", "订单号码", "交易号", "交易编号", "交易单号", "流水号", "订单id", "工单号", "工单编号", "服务单号", "服务单", "退款编号", "售后单号", "单据号", "order id", "orderid", "order number", "order no", "order")
	add(cueOrderNear, "订单", "工单", "单子")
	add(cueParcel, "快递单号", "运单号", "运单", "物流单号", "物流号", "快递号", "单号", "面单", "面单号", "运单编号", "tracking", "快递编号", "退货单号")
	add(cueParcelNear, "快递", "物流", "包裹", "顺丰", "圆通", "中通", "申通", "韵达", "百世", "极兔", "德邦", "邮政", "ems")
	add(cueAccount, "账号", "帐号", "账户", "帐户", "支付宝", "账号是", "alipay", "会员号", "客户号")
	add(cueKeep, "商品编号", "商品id", "商品编码", "货号", "型号", "款号", "编码", "条码", "条形码", "税号", "识别号", "信用代码", "sku", "批号", "备案号", "宝贝id", "版本号", "文号", "许可证号", "注册号", "批准文号", "isbn", "imei", "发票号码", "发票代码", "发票号", "序列号", "sn", "公众号", "服务号")
	return m
}()

// cueEnds are the last characters of all cues.
var cueEnds = func() *charSet {
	ends := new(charSet)
	for r := range cuesByLast {
		ends.add(r)
	}
	return ends
}()

// maxFiller bounds what may stand between a cue and what it announces.
const maxFiller = 8

var fillers = runeSet(" :=是为叫码号的填写改成换了到这个我您你亲,。、.()-_/@#有用本人就哦啊呢哈、~!一下;\"'上面留“”错应该新<>《》")

// cueBefore gives the cue nearest before i, and where it ends.
func (v *view) cueBefore(i int) (cueKind, int) {
	for j, n := i-1, 0; j >= 0 && n <= maxFiller; j, n = j-1, n+1 {
		r := v.r[j]
		if !cueEnds.has(r) {
			if !fillers.has(r) {
				return cueNone, 0
			}
			continue
		}
		for _, c := range cuesByLast[r] {
			from := j - len(c.text) + 1
			if !v.match(from, c.text) {
				continue
			}
			if isLetter(c.text[0]) && isAlnum(v.at(from-1)) || isLetter(r) && isLetter(v.at(j+1)) {
				continue
			}
			return c.kind, j + 1
		}
		if !fillers.has(r) {
			return cueNone, 0
		}
	}
	return cueNone, 0
}
