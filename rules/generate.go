package rules

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Words of generated rules are put together from these parts, so that they look like the words of real rules, share
// their characters and beginnings with real texts, and hardly ever occur.
var (
	genThings = strings.Fields("面膜 精华 订单 快递 发票 退款 运费 套餐 流量 会员 优惠券 充值 账户 地址 尺码 颜色 包装 赠品 耳机 屏幕 电池 冰箱 空调 安装 维修 保修 配件 鞋子 " +
		"衣服 裤子 奶粉 纸巾 洗衣液 牙膏 手机 平板 路由器 密码 验证码 积分 活动 定金 尾款 差价 保价 物流 包裹 站点 仓库 客服 评价 店铺 链接 型号 版本 信号 网络 宽带 话费 余额")
	genActs = strings.Fields("漏液 过敏 起球 掉色 开胶 变形 发黄 断裂 松动 异响 发烫 死机 闪退 黑屏 卡顿 丢失 延误 破损 受潮 过期 缺件 错发 重复 冻结 注销 失效 作废 扣费 " +
		"绑定 解绑 升级 降级 改签 转让 拆封 退回 拒收 代签 补寄 换新 返修 检测 鉴定 投保 理赔 抵扣 叠加 限购 预售 下架 停产 缺码 断码 赶制 定制 刻字 熨烫 清洗 保养 校准")
	genTails = strings.Fields("了 吗 的话 之后 怎么算 为什么 不处理 没人管 能赔 要多久 不承认 说不清 一直拖 又来了 太离谱 找谁 怎么办 不合理 没通知 不一致 查不到 不给退 " +
		"算谁的 太麻烦 没记录 不作数 说好的 不认账 要加钱 要排队 看心情 不负责 没道理 不靠谱 走流程 等通知 没下文 看运气 再说吧 不一定")
	// genLive do occur: in about a tenth of real sessions an agent says one of them.
	genLive = strings.Fields("没办法 不清楚 不支持 缺货 破损 假货 绝对 保证 下班 断货 超时 操作不了")
)

// genShapes is the mix of the packs, a shape a rule, over and over: of their rules six in ten expect something after a
// trigger, three in ten forbid, regexes are as common as words, and most conditions have exceptions. What the packs have
// and this lacks are rules without any word to wait for, such as a greeting that must be there: they are looked at in
// every session, and a thousand of them would break in every session too.
var genShapes = []string{
	"forbid", "reply", "reply_any", "regex", "turn", "forbid", "near", "emotion", "reply_question", "observe",
	"reply_regex", "reply_any", "forbid", "first", "regex", "repeat", "count", "reply", "reply_regex", "slow",
}

// Generate makes a pack of n rules with the operator mix of the packs and distinct words, for benchmarks: whatever n,
// an agent's words break one of them in about a tenth of real sessions. The same n and seed give the same pack.
func Generate(n int, seed uint64) Source {
	name := fmt.Sprintf("generated-%d", n)
	return Source{name: name, read: func() ([]byte, error) {
		if limit := len(genThings) * len(genActs) * len(genTails) / 10; n < 1 || n > limit {
			return nil, fmt.Errorf("cannot generate %d rules: between 1 and %d are possible", n, limit)
		}
		return []byte(generate(n, seed)), nil
	}}
}

func generate(n int, seed uint64) string {
	rng := rand.New(rand.NewPCG(seed, 0x7469_6e67_6b65))
	total := len(genThings) * len(genActs) * len(genTails)
	// A step without a common divisor visits every combination once, in an order that looks random.
	step := 7_919
	for gcd(step, total) != 1 {
		step++
	}
	at := rng.IntN(total)
	word := func() string {
		at = (at + step) % total
		i := at
		thing := genThings[i%len(genThings)]
		i /= len(genThings)
		act := genActs[i%len(genActs)]
		return thing + act + genTails[i/len(genActs)]
	}
	words := func(k int) string {
		list := make([]string, k)
		for i := range list {
			list[i] = word()
		}
		return strings.Join(list, ", ")
	}
	live := append([]string(nil), genLive...)
	rng.Shuffle(len(live), func(i, j int) { live[i], live[j] = live[j], live[i] })
	// Every live word goes to one rule with a list of words; with few rules each takes several.
	holders := 0
	for i := range n {
		if genShapes[i%len(genShapes)] == "forbid" {
			holders++
		}
	}
	perRule := (len(live) + holders - 1) / max(holders, 1)

	var b strings.Builder
	fmt.Fprintf(&b, "id: generated\nversion: \"%d.%d\"\nreport: found\nrules:\n", n, seed)
	for i := range n {
		shape := genShapes[i%len(genShapes)]
		cost := "severity: minor\n    points: -1"
		if shape == "observe" {
			cost = "severity: info"
		}
		fmt.Fprintf(&b, "  - id: gen_%d\n    name: 规则%d\n    %s\n    reason: \"第{turn}句：{text}\"\n", i+1, i+1, cost)
		switch shape {
		case "forbid":
			list := words(8)
			for range min(perRule, len(live)) {
				list += ", " + live[0]
				live = live[1:]
			}
			fmt.Fprintf(&b, "    forbid:\n      in: {role: agent}\n      in_clause: true\n      keyword: [%s]\n      unless: {keyword: [如果, 假如]}\n", list)
		case "near":
			fmt.Fprintf(&b, "    forbid:\n      in: {role: agent}\n      near: {a: [%s], b: [您, 亲, 你, 不], gap: 6}\n", words(4))
		case "regex":
			fmt.Fprintf(&b, "    forbid:\n      in: {role: agent}\n      any:\n        - regex: {any: ['%s.{0,6}(不|没)', '(不|没).{0,4}%s'], not_regex: ['(帮|给|为)您']}\n        - keyword: [%s]\n", word(), word(), words(3))
		case "reply":
			fmt.Fprintf(&b, "    trigger:\n      in: {role: customer}\n      keyword: [%s]\n    expect:\n      in: {role: agent, after: 3}\n      keyword: [%s]\n", words(6), words(3))
		case "reply_any":
			fmt.Fprintf(&b, "    trigger:\n      in: {role: customer}\n      in_clause: true\n      any:\n        - keyword: [%s]\n        - regex: '%s.{0,8}%s'\n      unless: {regex: '(谢谢|不用了)'}\n", words(4), word(), word())
			fmt.Fprintf(&b, "    expect:\n      in: {role: agent, after: 3}\n      any:\n        - keyword: [%s]\n        - {in_clause: true, regex: '(因为|由于).{2,}', unless: {keyword: [不清楚]}}\n", words(3))
		case "reply_regex":
			fmt.Fprintf(&b, "    trigger:\n      in: {role: customer}\n      regex: ['%s(吗|呢|么)?', '%s.{0,4}(多久|多少)']\n      unless: {keyword: [谢谢]}\n    expect:\n      in: {role: agent, after: 2}\n      regex: '[0-9]+ ?(天|元|小时)|%s'\n", word(), word(), word())
		case "reply_question":
			fmt.Fprintf(&b, "    trigger:\n      in: {role: customer}\n      in_clause: true\n      all:\n        - keyword: [%s]\n        - question: {}\n    expect:\n      in: {role: agent, after: 3, same_turn: true}\n      substance: {min_chars: 8, except: [%s]}\n", words(5), words(2))
		case "first":
			fmt.Fprintf(&b, "    which: first\n    trigger:\n      in: {role: customer}\n      keyword: [%s]\n      unless: {in: {role: agent, before: 2}, keyword: [稍等]}\n    expect:\n      in: {role: agent, after: 1}\n      near: {a: [%s], b: [您, 亲], gap: 8}\n", words(5), words(3))
		case "slow":
			fmt.Fprintf(&b, "    trigger:\n      in: {role: customer}\n      in_turn: true\n      all:\n        - keyword: [%s]\n        - polarity: {under: 0.2}\n    forbid:\n      in: {role: agent, after: 1}\n      response_time: {over: 60s}\n", words(6))
		case "emotion":
			fmt.Fprintf(&b, "    trigger:\n      in: {role: customer}\n      in_turn: true\n      all:\n        - emotion: [angry, annoyed]\n        - keyword: [%s]\n    expect:\n      in: {role: agent, after: 2}\n      keyword: [%s]\n", words(6), words(3))
		case "observe":
			fmt.Fprintf(&b, "    trigger:\n      in: {role: customer}\n      any:\n        - keyword: [%s]\n        - near: {a: [%s], b: [要, 想, 能], gap: 4}\n", words(5), words(2))
		case "turn":
			fmt.Fprintf(&b, "    trigger:\n      in: {role: agent}\n      in_clause: true\n      keyword: [%s]\n      unless: {keyword: [帮您, 为您]}\n    expect:\n      in: {role: agent, after: all, same_turn: true}\n      substance: {min_chars: 10, except: [%s]}\n", words(6), words(2))
		case "repeat":
			fmt.Fprintf(&b, "    forbid:\n      in: {role: agent}\n      all:\n        - keyword: [%s]\n        - repeat: {min_chars: 12, similarity: 0.9}\n", words(6))
		case "count":
			fmt.Fprintf(&b, "    trigger:\n      in: {role: customer}\n      keyword: {n: 2, of: [%s]}\n    expect:\n      in: {role: agent, after: all}\n      turn_count: {at_least: 1}\n", words(6))
		}
	}
	return b.String()
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
