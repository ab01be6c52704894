package export

import "github.com/tingke/tingke/schemas"

// label is what people call a value of a set; the value itself where it has no name.
func label(l Lang, rules map[string]string, set, key string) string {
	if key == "" {
		return ""
	}
	switch set {
	case "emotion":
		if e, ok := schemas.ParseEmotion(key); ok && l == Chinese {
			return e.Chinese()
		}
	case "rule":
		// Our English words are for built-in rules that nobody has renamed.
		if name := rules[key]; name != "" && (l == Chinese || name != labels[set][key].In(Chinese)) {
			return name
		}
	}
	if w, ok := labels[set][key]; ok {
		return w.In(l)
	}
	return key
}

// labels are the names of keys, by set.
var labels = map[string]map[string]Words{
	"kind": {
		"question": {"提问", "question"}, "complaint": {"抱怨", "complaint"}, "praise": {"表扬", "praise"},
		"suggestion": {"建议", "suggestion"}, "request": {"请求", "request"}, "bug": {"故障", "bug"},
	},
	"aspect": {
		"quality": {"质量", "quality"}, "spec": {"规格", "specification"}, "price": {"价格", "price"}, "stock": {"库存", "stock"},
		"logistics": {"物流", "logistics"}, "aftersales": {"售后", "after-sales"}, "order": {"订单", "order"}, "function": {"功能", "function"},
		"account": {"账户资费", "account"}, "service": {"服务", "service"}, "packaging": {"包装赠品", "packaging"}, "other": {"其他", "other"},
	},
	"polarity": {"negative": {"负面", "negative"}, "neutral": {"中性", "neutral"}, "positive": {"正面", "positive"}},
	"severity": {"info": {"提示", "info"}, "minor": {"轻微", "minor"}, "major": {"严重", "major"}, "critical": {"致命", "critical"}},
	"outcome": {
		"pass": {"通过", "pass"}, "fail": {"不通过", "fail"}, "na": {"不适用", "n/a"}, "present": {"出现", "present"}, "absent": {"未出现", "absent"},
	},
	"decision": {
		"confirm": {"已确认", "confirmed"}, "dismiss": {"已驳回", "dismissed"}, "appeal": {"申诉中", "appealed"},
		"uphold": {"维持", "upheld"}, "overturn": {"改判", "overturned"},
	},
	"state":    {"open": {"进行中", "open"}, "closed": {"已结束", "closed"}},
	"channel":  {"chat": {"在线聊天", "chat"}, "call": {"电话", "call"}, "email": {"邮件", "email"}},
	"business": {"presales": {"售前", "presales"}, "insales": {"售中", "insales"}, "aftersales": {"售后", "after-sales"}, "followup": {"回访", "follow-up"}},
	"role":     {"customer": {"客户", "customer"}, "agent": {"客服", "agent"}, "bot": {"机器人", "bot"}, "system": {"系统", "system"}},
	"status":   {"new": {"待处理", "new"}, "accepted": {"已受理", "accepted"}, "fixed": {"已解决", "fixed"}, "declined": {"不处理", "declined"}},
	"trend":    {"new": {"新出现", "new"}, "rising": {"上升", "rising"}, "steady": {"平稳", "steady"}, "fading": {"下降", "fading"}},
	"rule": {
		"greeting": {"开场白", "Greeting"}, "closing": {"结束语", "Closing"}, "apology_on_complaint": {"投诉致歉安抚", "Apology on complaint"},
		"reason_on_why": {"问因必答", "Reason when asked why"}, "probe_need": {"挖掘需求", "Asks for the need"}, "give_advice": {"给出建议", "Gives advice"},
		"recommend": {"推荐产品", "Recommends a product"}, "forbidden": {"禁用语", "Forbidden words"}, "hold_courtesy": {"等待礼仪", "Comes back after a wait"},
		"repeat_answer": {"重复答复", "Repeats the answer"}, "unanswered": {"遗漏问题", "Question left open"}, "push_away": {"推诿转接", "Pushes the customer away"},
	},
}
