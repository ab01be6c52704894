package opinion

import (
	"encoding/csv"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite ../titles.tsv; the verdicts of changed titles must then be read anew")

// unread is the verdict of a title that nobody has read yet.
const unread = "unread"

// The opinions of ../titles.tsv, their ids and titles are what the members make today, all of them clustered together, so
// that the verdicts are about titles in use; and all are read.
func TestTitles(t *testing.T) {
	const path = "../titles.tsv"
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r := csv.NewReader(file)
	r.Comma, r.LazyQuotes = '\t', true
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 51 || strings.Join(rows[0], " ") != "id members title verdict aspect product polarity" {
		t.Fatalf("%s has %d rows under %v", path, len(rows), rows[0])
	}
	var mentions []Mention
	for _, row := range rows[1:] {
		for _, m := range strings.Split(row[1], " | ") {
			mentions = append(mentions, Mention{Text: m, Aspect: row[4], Product: row[5], Polarity: row[6]})
		}
	}
	now := map[string]Group{}
	for _, g := range model().Found(mentions, Options{}) {
		now[strings.Join(g.Members, " | ")] = g
	}
	weak := 0
	for i, row := range rows[1:] {
		g, ok := now[row[1]]
		if !ok {
			t.Errorf("row %d: %s is no opinion", i+2, row[1])
			continue
		}
		if g.ID != row[0] || g.Title != row[2] {
			t.Errorf("row %d: %s is %s %q, the file says %s %q", i+2, row[1], g.ID, g.Title, row[0], row[2])
			row[0], row[2], row[3] = g.ID, g.Title, unread
		}
		switch {
		case row[3] == "accepted":
		case strings.HasPrefix(row[3], "weak: "):
			weak++
		default:
			t.Errorf("row %d: the verdict on %q is %q: read it, then write accepted or weak: why", i+2, row[2], row[3])
		}
	}
	if accepted := len(rows) - 1 - weak; accepted < 50 {
		t.Errorf("only %d of %d titles are accepted", accepted, len(rows)-1)
	}
	if *update {
		var b strings.Builder
		for _, row := range rows {
			b.WriteString(strings.Join(row, "\t") + "\n")
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A title says what it is about: a quantity or a named day alone does only where the members say no more.
func TestTitleSaysWhat(t *testing.T) {
	f := func(want string, members ...string) {
		t.Helper()
		slices.Sort(members)
		if got := model().Title(&Opinion{Members: members, Side: "negative"}); got != want {
			t.Errorf("%q is titled %q, want %q", members, got, want)
		}
	}
	f("标4斤给3斤缺斤少两", "5斤大概多少个", "体重110斤穿什么码", "我150斤", "标4斤给3斤缺斤少两啊")
	f("等双十一一起拍", "先涨价再打折双十一套路是吧", "双十一呢", "等双十一一起拍")
	f("走路二十分钟", "走路二十分钟", "都十分钟了")
	f("618降价吗", "618呢", "618还降价吗", "618会降价吗")
	f("国庆发货吗", "国庆呢", "国庆发货吗")
	f("150斤", "150斤", "我150斤")
	f("双十一", "双十一", "双十一呢")
}

// A title is a phrase: small words stay between those that they join, and where the shared words are none, a fuller member
// gives the title.
func TestTitleIsPhrase(t *testing.T) {
	f := func(product, want string, members ...string) {
		t.Helper()
		slices.Sort(members)
		if got := model().Title(&Opinion{Members: members, Product: product, Side: "negative"}); got != want {
			t.Errorf("%q is titled %q, want %q", members, got, want)
		}
	}
	f("", "停在武汉三天", "停在武汉三天了", "停在中转站三天了")
	f("", "图片是豆沙", "图片是浅蓝", "图片是豆沙")
	f("", "业务员微信把我拉黑", "业务员微信把我拉黑了", "业务员装完机器人就消失了微信还把我拉黑")
	f("", "这个月怎么多扣了40", "这个月怎么多扣了40", "我这个月流量怎么突然多扣了20块")
	f("", "重启过三回了", "也重启了重启好几回了", "重启过三回了")

	f("", "满减30没减", "满减30没减", "哪里不满足啊满300减40", "满减没给我算上啊应该减30的")
	f("", "快递太慢了五天还没到", "蟹约的今天送现在还没到", "喂你好我问一下我那个订单怎么还没到啊说今天送的", "快递太慢了五天还没到")
	f("", "拖布不出水了", "还是不出", "拖布不出水了")
	f("", "没发货都五天", "建议你们西北发货就别走普快了", "怎么还没发货都五天了", "到底发没发")
	f("", "不退了", "订金说好不退没货也不退吗", "还是不退了", "那件白的我退了")
	f("", "没到", "待产包还没到站", "汤没到", "没到", "没收到就是没收到")

	f("连帽卫衣", "连帽卫衣偏小", "卫衣尺码准吗", "卫衣偏小啊")
	f("面膜B", "面膜B贵在哪", "面膜b怎么卖那么贵呀", "面膜b这么贵贵在哪呢", "卖这么贵")
	f("面膜B", "面膜B咋就比a款贵", "b款咋就比a款贵恁多啊", "你好啊我想问问你们那个面末b怎么比a贵那么多呢", "面膜b贵的那110块到底贵在什么地方啊")
}
