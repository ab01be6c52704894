package ruleform

import "github.com/tingke/tingke/schemas"

func l(zh, en string) Label { return Label{zh, en} }

// head are the fields that every form begins with.
func head() []Field {
	return []Field{
		{Name: "id", path: "id", Label: l("编号", "id"), Type: Text, Required: true, Help: l("小写字母、数字和下划线，以后不能改", "small letters, digits and _; it cannot be changed later")},
		{Name: "name", path: "name", Label: l("名称", "name"), Type: Text, Required: true},
		{Name: "dimension", path: "dimension", Label: l("维度", "dimension"), Type: Text},
		{Name: "severity", path: "severity", Label: l("严重程度", "severity"), Type: Choice, Enum: []string{schemas.Info, schemas.Minor, schemas.Major, schemas.Critical}, Required: true, Default: schemas.Minor},
		{Name: "points", path: "points", Label: l("扣分", "points"), Type: Number, Min: -100, Max: 0, Help: l("负数；严重程度为 info 时不扣分", "negative; info rules cost nothing")},
		{Name: "business", path: "applies/business", Label: l("适用业务", "business"), Type: Choices, Enum: []string{"presales", "insales", "aftersales", "followup"}},
		{Name: "channel", path: "applies/channel", Label: l("适用渠道", "channel"), Type: Words},
		{Name: "shop", path: "applies/shop", Label: l("适用店铺", "shop"), Type: Words},
	}
}

// tail are the fields that every form ends with.
func tail() []Field {
	return []Field{
		{Name: "reason", path: "reason", Label: l("理由", "reason"), Type: Text, Required: true, Help: l("给质检员看；{text} 是命中的词，{turn} 是第几句，{searched} 是查找范围", "what a reviewer reads; {text} the words, {turn} the number of the turn, {searched} where was looked")},
		{Name: "note", path: "note", Label: l("备注", "note"), Type: Text},
		{Name: "tests", path: "tests", Label: l("测试对话", "tests"), Type: Examples},
	}
}

func fields(own ...Field) []Field { return append(append(head(), own...), tail()...) }

func speaker(path, def string) Field {
	return Field{Name: "role", path: path, Label: l("谁说的", "who speaks"), Type: Choice, Enum: []string{"agent", "customer", "bot"}, Required: true, Default: def}
}

func turn(role, text string) ExampleTurn { return ExampleTurn{Role: role, Text: text} }
func at(role, text, t string) ExampleTurn {
	return ExampleTurn{Role: role, Text: text, At: t}
}

func example(want string, turns ...ExampleTurn) Example { return Example{Want: want, Turns: turns} }

var forms = []Form{
	{
		ID: "forbidden_words", Label: l("禁用语", "Forbidden words"), Help: l("某方说了这些词中的一个", "somebody says one of these words"),
		Fields: fields(
			speaker("forbid/in/role", "agent"),
			Field{Name: "words", path: "forbid/keyword/any", Label: l("词", "words"), Type: Words, Required: true},
			Field{Name: "gap", path: "forbid/keyword/gap", Label: l("字间可隔", "gap"), Type: Int, Min: 0, Max: 10, Help: l("加微信 也抓 加一下微.信", "characters that may stand between two characters of a word")},
			Field{Name: "except", path: "forbid/unless/keyword/any", Label: l("同句出现则不算", "unless in the same turn"), Type: Words},
		),
		Example: Values{"id": "private_contact", "name": "引导私下联系", "severity": schemas.Critical, "points": -20.0, "words": []string{"加微信", "加我微信"}, "gap": 2.0, "except": []string{"公众号"}, "reason": "客服引导私下联系（{text}）",
			"tests": []Example{example("present", turn("agent", "加一下微.信吧")), example("absent", turn("agent", "加微信公众号"))}},
	},
	{
		ID: "must_say", Label: l("必须说", "Must be said"), Help: l("客服在开头或结尾几句里说到其中一个词", "the agent says one of these words in the first or the last turns"),
		Fields: fields(
			Field{Name: "first", path: "expect/in/first", Label: l("开头几句", "first turns"), Type: Int, Min: 1, Max: 100},
			Field{Name: "last", path: "expect/in/last", Label: l("结尾几句", "last turns"), Type: Int, Min: 1, Max: 100},
			Field{Name: "words", path: "expect/keyword/any", Label: l("词", "words"), Type: Words, Required: true},
		),
		fixed: [][2]string{{"expect/in/role", "agent"}}, either: []string{"first", "last"},
		Example: Values{"id": "greet_first", "name": "开场问候", "severity": schemas.Minor, "points": -2.0, "first": 2.0, "words": []string{"您好", "在的"}, "reason": "{searched}没有问候",
			"tests": []Example{example("pass", turn("customer", "在吗"), turn("agent", "您好")), example("fail", turn("customer", "在吗"), turn("agent", "说"))}},
	},
	{
		ID: "must_answer", Label: l("有问必答", "Must be answered"), Help: l("客户说到这些词以后，客服在几句之内这样回答：用词，或意思相近的句子", "after the customer's words the agent answers within some turns: in these words, or in sentences of that meaning"),
		Fields: fields(
			Field{Name: "anchor", path: "trigger/keyword/any", Label: l("客户说到", "customer says"), Type: Words, Required: true},
			Field{Name: "within", path: "expect/in/after", Label: l("几句之内", "within turns"), Type: Int, Min: 1, Max: 50, Required: true, Default: 2.0},
			Field{Name: "words", path: "expect/keyword/any", Label: l("答复含词", "answer holds"), Type: Words},
			Field{Name: "like", path: "expect/similar/to", Label: l("答复意思相近", "answer is like"), Type: Words},
			Field{Name: "min", path: "expect/similar/min", Label: l("最低相似度", "least similarity"), Type: Number, Min: 0.3, Max: 1, Help: l("配合意思相近使用，默认 0.8", "with sentences; 0.8 where it is not given")},
		),
		fixed: [][2]string{{"trigger/in/role", "customer"}, {"expect/in/role", "agent"}}, either: []string{"words", "like"},
		Example: Values{"id": "answer_price", "name": "问价必答", "severity": schemas.Minor, "points": -5.0, "anchor": []string{"多少钱", "什么价"}, "within": 2.0, "words": []string{"元", "块"}, "reason": "客户问价（{text}），{searched}没有报价",
			"tests": []Example{example("pass", turn("customer", "多少钱"), turn("agent", "39元")), example("fail", turn("customer", "多少钱"), turn("agent", "稍等")), example("na", turn("customer", "有货吗"), turn("agent", "有"))}},
	},
	{
		ID: "response_time", Label: l("响应时间", "Response time"), Help: l("客服回复太慢", "the agent takes too long"),
		Fields: fields(
			Field{Name: "of", path: "forbid/response_time/of", Label: l("看哪些回复", "which replies"), Type: Choice, Enum: []string{"each", "first"}, Required: true, Default: "each"},
			Field{Name: "over", path: "forbid/response_time/over", Label: l("超过秒数", "longer than, seconds"), Type: Seconds, Min: 1, Max: 86400, Required: true},
		),
		Example: Values{"id": "slow_reply", "name": "响应超过一分钟", "severity": schemas.Minor, "points": -5.0, "of": "each", "over": 60.0, "reason": "第{turn}句回复太慢",
			"tests": []Example{example("present", at("customer", "在吗", "0s"), at("agent", "您好", "90s")), example("absent", at("customer", "在吗", "0s"), at("agent", "您好", "20s"))}},
	},
	{
		ID: "repeat", Label: l("重复", "Repetition"), Help: l("某方把差不多的话说了几遍", "somebody says nearly the same several times"),
		Fields: fields(
			speaker("forbid/in/role", "agent"),
			Field{Name: "min_chars", path: "forbid/repeat/min_chars", Label: l("至少几个字", "least length"), Type: Int, Min: 2, Max: 200, Required: true, Default: 8.0},
			Field{Name: "times", path: "forbid/repeat/times", Label: l("几遍", "times"), Type: Int, Min: 2, Max: 20, Required: true, Default: 2.0},
			Field{Name: "similarity", path: "forbid/repeat/similarity", Label: l("相似度", "similarity"), Type: Number, Min: 0.3, Max: 1},
			Field{Name: "except", path: "forbid/repeat/except", Label: l("含这些词不算", "not with these words"), Type: Words},
		),
		Example: Values{"id": "parrot", "name": "重复话术", "severity": schemas.Minor, "points": -3.0, "role": "agent", "min_chars": 6.0, "times": 2.0, "except": []string{"感谢"}, "reason": "说了{count}遍（{text}）",
			"tests": []Example{example("present", turn("agent", "请您耐心等待一下哦"), turn("customer", "多久"), turn("agent", "请您耐心等待一下呢")), example("absent", turn("agent", "请您耐心等待一下哦"), turn("customer", "多久"), turn("agent", "预计明天送达"))}},
	},
	{
		ID: "not_soothed", Label: l("情绪未安抚", "Emotion not soothed"), Help: l("客户有这些情绪以后，客服在几句之内没有安抚", "after such an emotion of the customer the agent does not soothe within some turns"),
		Fields: fields(
			Field{Name: "emotions", path: "trigger/emotion/any", Label: l("客户情绪", "emotions"), Type: Choices, Enum: emotions(), Required: true},
			Field{Name: "min", path: "trigger/emotion/min", Label: l("最低强度", "least score"), Type: Number, Min: 0, Max: 1},
			Field{Name: "within", path: "expect/in/after", Label: l("几句之内", "within turns"), Type: Int, Min: 1, Max: 50, Required: true, Default: 2.0},
			Field{Name: "words", path: "expect/keyword/any", Label: l("安抚用词", "soothing words"), Type: Words, Required: true},
		),
		fixed: [][2]string{{"trigger/in/role", "customer"}, {"expect/in/role", "agent"}},
		Example: Values{"id": "soothe_anger", "name": "安抚愤怒", "severity": schemas.Major, "points": -10.0, "emotions": []string{"angry", "annoyed"}, "min": 0.5, "within": 2.0, "words": []string{"抱歉", "对不起"}, "reason": "客户第{turn}句愤怒，{searched}没有安抚",
			"tests": []Example{example("pass", ExampleTurn{Role: "customer", Text: "骗子", Emotion: "angry"}, turn("agent", "非常抱歉")), example("fail", ExampleTurn{Role: "customer", Text: "骗子", Emotion: "angry"}, turn("agent", "哦"))}},
	},
	{
		ID: "regex", Label: l("正则", "Expression"), Help: l("某方的话符合一个正则表达式（RE2）", "what somebody says matches an expression (RE2)"),
		Fields: fields(
			speaker("forbid/in/role", "agent"),
			Field{Name: "expressions", path: "forbid/regex/any", Label: l("表达式", "expressions"), Type: Words, Required: true},
			Field{Name: "not", path: "forbid/regex/not_regex", Label: l("符合这些则不算", "but none of these"), Type: Words},
		),
		Example: Values{"id": "private_number", "name": "留QQ号", "severity": schemas.Critical, "points": -40.0, "role": "agent", "expressions": []string{"加.{0,3}(微信|vx)", "qq ?[0-9]{6,}"}, "not": []string{"公众号"}, "reason": "客服引导私下联系（{text}）",
			"tests": []Example{example("present", turn("agent", "ＱＱ 123456789")), example("absent", turn("agent", "加一下微信公众号哦"))}},
	},
	{
		ID: "process", Label: l("流程", "Process"), Help: l("客服按顺序走完这些步骤，每步说到其中一个词", "the agent takes these steps in order, each by one of its words"),
		Fields: fields(
			Field{Name: "anchor", path: "trigger/keyword/any", Label: l("客户说到时才看", "only where the customer says"), Type: Words},
			Field{Name: "steps", path: "expect/process/steps", Label: l("步骤", "steps"), Type: Steps, Required: true},
		),
		with: map[string][][2]string{"anchor": {{"trigger/in/role", "customer"}}},
		Example: Values{"id": "refund_flow", "name": "退款流程", "severity": schemas.Minor, "points": -5.0, "anchor": []string{"退款"}, "reason": "退款流程：{step}",
			"steps": []Step{{Name: "致歉", Words: []string{"抱歉", "不好意思"}, Optional: true}, {Name: "核实", Words: []string{"核实", "订单号"}}, {Name: "办理", Words: []string{"已退", "已申请"}}},
			"tests": []Example{example("pass", turn("customer", "我要退款"), turn("agent", "给我订单号核实一下"), turn("agent", "已申请退款")), example("fail", turn("customer", "我要退款"), turn("agent", "已申请退款"))}},
	},
}
