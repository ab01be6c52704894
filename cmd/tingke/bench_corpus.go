package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/tingke/tingke/schemas"
)

// corpus makes realistic session messages for benchmarks: own-written sentence patterns whose slots (products, numbers,
// places, days, reasons) are filled by a seeded generator, so that most texts differ, as they do in real chats, while
// formulas of agents repeat. The same seed gives the same sessions.
type corpus struct {
	rng      *rand.Rand
	products []string
}

func newCorpus(seed uint64) *corpus {
	c := &corpus{rng: rand.New(rand.NewPCG(seed, 7))}
	for _, brand := range []string{"花漾", "青禾", "南屿", "云朵", "小鹿", "木槿", "沐光", "知夏", "北岸", "暖阳"} {
		for _, kind := range []string{"面膜", "精华水", "防晒霜", "加湿器", "电饭煲", "羽绒服", "运动鞋", "坚果礼盒", "蓝牙耳机", "路由器", "保温杯", "行李箱"} {
			for _, model := range []string{"A款", "B款", "升级版", "青春版", "礼盒装"} {
				c.products = append(c.products, brand+kind+model)
			}
		}
	}
	return c
}

var corpusOpen = []string{"在吗", "你好", "你好 在不在", "有人吗", "亲 在么", "您好请问一下"}

var corpusCustomer = []string{
	"为什么{p}比上次贵了{n}块钱", "{p}贵在哪里啊 别家才卖{n}", "{p}和{p}有什么区别", "{p}适合{w}用吗", "我{n}号买的{p}到现在还没发货",
	"{p}怎么还不发货 都{d}天了", "{p}的快递到{c}之后{d}天没动了 一共等了{n}个小时", "收到的{p}{f}", "{p}用了{d}天就{f}", "你们的{p}{f} 用起来很不舒服",
	"买{p}优惠券满{n}减{m}用不了是怎么回事", "{p}能不能便宜{m}块", "我要退货 {p}{f}", "退款申请了{d}天还没到账 {n}块钱", "{p}尺码{m}的适合身高{n}的{w}吗",
	"{p}说好的{d}天内发货呢", "{p}什么时候有货", "{p}可以改地址吗 改到{c}", "发票抬头填错了能重新开吗 金额{n}", "谢谢你啊 {p}收到了 {g}",
	"{p}真的{g} 已经推荐给{w}了", "太差了 {p}买了{d}天就{f} 我要投诉", "你们到底有没有人处理{p} 等了{n}分钟了", "{p}寄{c}能{d}天内到吗", "赠品没有收到 说好送{p}的",
	"{p}有没有{n}毫升的 {w}用", "价格刚买就降了{m}块 能补差价吗", "{p}连不上网了 {f} 已经{d}天了 重启了{m}次", "流量怎么用这么快 {d}天用了{n}个G", "不太会用 {p}第{m}步怎么弄 {w}也看不懂",
	"那我再想想吧 {p}有点贵", "好的 那我拍{m}件{p}", "退{p}的运费谁出 {c}的 要{m}块", "会不会是假货啊 这个{p}{f}", "我等了{d}天了 一直说{m}天 到底哪天能到{c}",
}

var corpusAgent = []string{
	"亲，您说的{p}目前活动价是{n}元，比平时优惠{m}元哦", "{p}含有{m}种成分，所以价格会高{n}元左右呢", "这边帮您查到{p}的包裹已到{c}，预计{d}天内送达", "非常抱歉给您带来不便，{p}我这边给您补发一件",
	"{p}建议您选{m}码，身高{n}的{w}会比较合适", "亲，{p}支持七天无理由，您在订单里申请退货就可以", "您可以试试先把{p}重启，等{m}分钟再连接，如果还不行我帮您报修", "优惠券是满{n}减{m}，您的{p}差{m}元就可以用了",
	"{p}已经帮您催促仓库了，{d}天内一定发到{c}", "推荐您看看{p}，{w}用的比较多，评价也不错", "请问{p}您是{d}号下的单吗，方便提供一下订单尾号{n}吗", "{p}的退款已经提交，预计{d}个工作日到账，金额{n}元",
	"{p}发{c}的话一般{d}天左右能到，具体以物流为准", "{p}有{m}种规格，您想要{n}毫升的还是更大的呢", "您收到的{p}{f}的话，麻烦拍张照片，我马上登记",
}

var corpusFormula = []string{"您好，很高兴为您服务，请问有什么可以帮您", "好的亲，请稍等", "感谢您的支持，祝您生活愉快，再见", "请问还有其他可以帮到您的吗", "嗯嗯", "好的", "在的亲"}

var corpusSlots = map[byte][]string{
	'w': {"油皮", "敏感肌", "老人", "孩子", "孕妇", "学生", "我妈妈", "男士", "干皮", "同事"},
	'c': {"杭州", "成都", "哈尔滨", "昆明", "苏州", "西安", "佛山", "兰州", "福州", "长春", "贵阳", "烟台"},
	'f': {"太硬了", "掉色", "有股怪味", "漏水了", "开不了机", "声音特别大", "和图片颜色不一样", "拉链坏了", "过敏了", "少了一件", "发热严重", "尺寸偏小"},
	'g': {"很好用", "效果不错", "质量很好", "包装很用心", "比想象中好", "家里人都喜欢"},
}

func (c *corpus) pick(list []string) string { return list[c.rng.IntN(len(list))] }

func (c *corpus) fill(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '{' || i+2 >= len(pattern) || pattern[i+2] != '}' {
			b.WriteByte(pattern[i])
			continue
		}
		switch slot := pattern[i+1]; slot {
		case 'p':
			b.WriteString(c.pick(c.products))
		case 'n':
			fmt.Fprint(&b, 20+c.rng.IntN(480))
		case 'm':
			fmt.Fprint(&b, 2+c.rng.IntN(40))
		case 'd':
			fmt.Fprint(&b, 1+c.rng.IntN(30))
		default:
			b.WriteString(c.pick(corpusSlots[slot]))
		}
		i += 2
	}
	return b.String()
}

// session makes the i-th session: 6 to 24 turns with times, about one text in eight a formula.
func (c *corpus) session(i int) *schemas.Message {
	at := time.Date(2026, 9, 1, 1, 0, 0, 0, time.UTC).Add(time.Duration(c.rng.IntN(80*24*3600)) * time.Second)
	s := &schemas.Session{Meta: schemas.Meta{
		SessionID: fmt.Sprintf("bench-%07d", i), Channel: "chat", Shop: fmt.Sprintf("店铺%02d", c.rng.IntN(20)),
		CustomerID: fmt.Sprintf("customer-%d", c.rng.IntN(1<<20)), AgentID: fmt.Sprintf("agent-%03d", c.rng.IntN(200)), StartedAt: at,
	}}
	n := 6 + c.rng.IntN(19)
	for k := range n {
		t := schemas.Turn{Seq: schemas.Some(int64(k + 1)), At: at}
		at = at.Add(time.Duration(3+c.rng.IntN(90)) * time.Second)
		agent := k%2 == 1
		if c.rng.IntN(5) == 0 {
			agent = !agent
		}
		t.Role = schemas.Customer
		patterns := corpusCustomer
		if agent {
			t.Role, patterns = schemas.Agent, corpusAgent
		}
		switch formula := c.rng.IntN(8) == 0; {
		case formula && agent:
			t.Text = c.pick(corpusFormula)
		case formula:
			t.Text = c.pick(corpusOpen)
		default:
			t.Text = c.fill(c.pick(patterns))
			if c.rng.IntN(2) == 0 {
				t.Text += "，" + c.fill(c.pick(patterns))
			}
		}
		s.Turns = append(s.Turns, t)
	}
	s.EndedAt = at
	return &schemas.Message{Type: schemas.TypeSession, Session: s}
}
