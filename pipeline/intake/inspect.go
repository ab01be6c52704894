package intake

import (
	"errors"
	"io"
	"slices"
	"strings"
)

// Inspection is what the beginning of a file says of it.
type Inspection struct {
	// Format is one of Formats.
	Format string
	// HeaderRow is the 1-based row of a table that holds the names of the columns, Header these names.
	HeaderRow int
	Header    []string
	// Rows are the first rows below, as they stand in the file: they may hold personal data.
	Rows [][]string
}

// Rows that Inspect looks at for the names of the columns, and that it gives.
const (
	inspectedRows = 20
	sampleRows    = 5
)

// Inspect finds out the format of a file and, of a table (CSV, XLSX), which row names its columns: the one with the most
// names that Propose knows, else the first. Options.Map gives the sheet, the encoding and the delimiter.
func Inspect(path string, opt Options) (_ *Inspection, err error) {
	opt.Limits = opt.Limits.withDefaults()
	if opt.Location == nil {
		opt.Location = shanghai
	}
	src, err := openSource(path, opt.Limits)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, src.close()) }()
	if opt.Format == "" {
		if opt.Format, err = detect(src, opt.Map != nil); err != nil {
			return nil, err
		}
	}
	in := &Inspection{Format: opt.Format}
	if opt.Format != FormatCSV && opt.Format != FormatXLSX {
		return in, nil
	}
	t, _, err := openTable(src, opt)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	type row struct {
		line  int
		cells []string
	}
	var rows []row
	for len(rows) < inspectedRows {
		cells, line, err := t.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.As(err, new(rowError)) {
			continue
		}
		if err != nil {
			if len(rows) > 0 {
				break // what can be read is enough to look at
			}
			return nil, err
		}
		if blank(cells) {
			continue
		}
		clone := make([]string, len(cells))
		for i, c := range cells {
			clone[i] = strings.Clone(clip(cleanCell(c)))
		}
		rows = append(rows, row{line, clone})
	}
	if len(rows) == 0 {
		return nil, &Error{File: src.name, Problem: "holds no rows", Hint: "is it the right file, or the right sheet?"}
	}
	best, most := 0, 0
	for i, r := range rows {
		if n := len(Propose(r.cells).Columns); n > most {
			best, most = i, n
		}
	}
	in.HeaderRow, in.Header = rows[best].line, rows[best].cells
	for _, r := range rows[best+1:] {
		if len(in.Rows) < sampleRows {
			in.Rows = append(in.Rows, r.cells)
		}
	}
	return in, nil
}

// Proposal is a column map that Propose made, and what it could not place.
type Proposal struct {
	Layout  string
	Columns map[string]string // field -> column
	// Unknown are columns that mean nothing to it.
	Unknown []string
	// Missing are fields without which no map works, each with the reason.
	Missing []string
}

// knownColumns are the names that the columns of exports usually have, by field. They are compared without blanks, case
// and brackets.
var knownColumns = map[string][]string{
	"session_id":  {"session_id", "sessionid", "session", "conversation_id", "会话ID", "会话编号", "会话号", "会话标识", "对话ID", "对话编号", "聊天ID", "服务单号", "咨询单号", "通话ID", "通话编号", "录音编号", "工单号", "工单编号"},
	"role":        {"role", "sender_type", "角色", "发送方类型", "发送者类型", "消息方向", "身份", "说话人角色", "发言人角色", "发送者角色"},
	"sender":      {"sender", "from", "speaker", "发送人", "发送方", "发送者", "发言人", "说话人", "消息发送人", "发送人昵称"},
	"text":        {"text", "content", "message", "msg", "消息内容", "内容", "聊天内容", "发言内容", "文本", "消息", "消息文本", "转写文本", "识别文本", "话术内容"},
	"at":          {"at", "time", "timestamp", "sent_at", "created_at", "发送时间", "消息时间", "发言时间", "聊天时间", "时间"},
	"date":        {"date", "日期", "消息日期", "聊天日期", "发送日期"},
	"seq":         {"seq", "序号", "消息序号", "句序"},
	"auto":        {"auto", "是否自动回复", "自动回复", "是否自动"},
	"start":       {"start", "开始秒", "起始秒"},
	"end":         {"end", "结束秒"},
	"start_ms":    {"start_ms", "开始毫秒", "起始毫秒"},
	"end_ms":      {"end_ms", "结束毫秒"},
	"confidence":  {"confidence", "置信度", "识别置信度"},
	"customer_id": {"customer_id", "customer", "buyer", "buyer_nick", "visitor_id", "买家昵称", "买家", "买家账号", "买家ID", "客户昵称", "客户", "客户ID", "客户编号", "客户账号", "顾客昵称", "顾客", "用户昵称", "用户ID", "用户", "访客ID", "访客", "访客昵称", "咨询人", "手机号"},
	"agent_id":    {"agent_id", "agent", "seller", "客服账号", "客服帐号", "客服ID", "客服编号", "坐席工号", "座席工号", "坐席ID", "工号", "子账号", "客服子账号"},
	"agent_name":  {"agent_name", "客服姓名", "客服昵称", "客服", "接待客服", "坐席姓名", "坐席", "坐席名称"},
	"team":        {"team", "团队", "班组", "客服组", "小组", "组别", "分组"},
	"skill_group": {"skill_group", "技能组", "接待分组", "队列"},
	"shop":        {"shop", "store", "店铺名称", "店铺", "店铺名", "商家", "门店"},
	"channel":     {"channel", "渠道", "会话渠道", "来源渠道"},
	"source":      {"source", "来源", "平台", "来源平台", "数据来源"},
	"business":    {"business", "业务", "业务类型", "业务阶段"},
	"product":     {"product", "商品", "商品名称", "咨询商品", "产品", "产品名称"},
	"started_at":  {"started_at", "start_time", "会话开始时间", "开始时间", "通话开始时间", "接入时间", "进线时间"},
	"ended_at":    {"ended_at", "end_time", "会话结束时间", "结束时间", "通话结束时间"},
	"media_url":   {"media_url", "录音地址", "录音链接", "录音"},
	"transcript":  {"transcript", "聊天记录", "对话记录", "会话记录", "对话内容", "会话内容", "通话文本", "通话记录", "转写内容", "全部消息"},
}

var columnKeys = func() map[string]string {
	m := map[string]string{}
	for field, names := range knownColumns {
		for _, n := range names {
			m[columnKey(n)] = field
		}
	}
	return m
}()

// columnKey makes names alike that differ in blanks, case, width, or the brackets of a unit.
func columnKey(s string) string {
	for _, open := range []string{"(", "（", "[", "【"} {
		if i := strings.Index(s, open); i > 0 {
			s = s[:i]
		}
	}
	return strings.ToLower(strings.NewReplacer(" ", "", "　", "", "_", "", "-", "", "*", "", "\ufeff", "").Replace(s))
}

// Propose makes a column map from the names of the columns.
func Propose(header []string) *Proposal {
	p := &Proposal{Layout: LayoutTurns, Columns: map[string]string{}}
	for _, h := range header {
		if h == "" {
			continue
		}
		field := columnKeys[columnKey(h)]
		if field == "" || p.Columns[field] != "" {
			p.Unknown = append(p.Unknown, h)
			continue
		}
		p.Columns[field] = h
	}
	has := func(f string) bool { return p.Columns[f] != "" }
	if has("transcript") && !has("text") {
		p.Layout = LayoutSessions
		for _, f := range turnFields {
			if has(f) {
				p.Unknown = append(p.Unknown, p.Columns[f])
				delete(p.Columns, f)
			}
		}
		if !has("session_id") {
			p.Missing = append(p.Missing, "session_id")
		}
		slices.Sort(p.Unknown)
		return p
	}
	if has("transcript") { // a column of texts and one of whole conversations: the texts count
		p.Unknown = append(p.Unknown, p.Columns["transcript"])
		delete(p.Columns, "transcript")
	}
	if has("date") && !has("at") {
		p.Columns["at"] = p.Columns["date"]
		delete(p.Columns, "date")
	}
	for _, f := range []string{"session_id", "text"} {
		if !has(f) {
			p.Missing = append(p.Missing, f)
		}
	}
	if !has("role") && !has("sender") {
		p.Missing = append(p.Missing, "role")
	}
	slices.Sort(p.Unknown)
	return p
}
