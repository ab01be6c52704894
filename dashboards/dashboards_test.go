package dashboards

import (
	"context"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/dashboards/access/accesstest"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/pipeline/warehouse/engine"
	"github.com/tingke/tingke/schemas"
)

var (
	shanghai  = time.FixedZone("CST", 8*3600)
	engineDir string
	databases atomic.Int64
)

// TestMain holds one engine for all tests; each gets a database of its own.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		if _, err := engine.FindLibrary(); err != nil {
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "tingke-dashboards")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		h, err := engine.Acquire(context.Background(), dir, engine.Options{})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer h.Close()
		engineDir = dir
		return m.Run()
	}())
}

func open(t testing.TB, migrate bool) *warehouse.Warehouse {
	t.Helper()
	if engineDir == "" {
		t.Skip("SKIPPED, no page is tested: the embedded engine is not installed (make deps)")
	}
	ctx := context.Background()
	quiet := slog.New(slog.DiscardHandler)
	admin, err := warehouse.Open(ctx, warehouse.Config{Dir: engineDir, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	name := fmt.Sprintf("pages_%d", databases.Add(1))
	if err := admin.Conn().Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	w, err := warehouse.Open(ctx, warehouse.Config{Dir: engineDir, Database: name, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	if migrate {
		if err := w.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// handler is the pages as an admin sees them, behind the log-in.
func handler(t testing.TB, w *warehouse.Warehouse) http.Handler {
	t.Helper()
	return handlerAs(t, w, accesstest.Identity(access.Admin), &accesstest.Log{})
}

func handlerAs(t testing.TB, w *warehouse.Warehouse, id access.Identity, log *accesstest.Log) http.Handler {
	t.Helper()
	s, err := newSite(Options{DB: w.Conn(), Timezone: shanghai, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/static/", s.static)
	mux.Handle("/", s.pageMux())
	return guard(accesstest.As(id, log, mux))
}

func get(t testing.TB, h http.Handler, path string) (int, string) {
	t.Helper()
	r := httptest.NewRecorder()
	h.ServeHTTP(r, httptest.NewRequest(http.MethodGet, path, nil))
	return r.Code, r.Body.String()
}

func page200(t testing.TB, h http.Handler, path string, wants ...string) string {
	t.Helper()
	code, body := get(t, h, path)
	if code != http.StatusOK {
		t.Fatalf("GET %s: status %d\n%s", path, code, body)
	}
	for _, want := range wants {
		if !strings.Contains(body, want) {
			t.Errorf("GET %s: no %q in\n%s", path, want, body)
		}
	}
	return body
}

// evil is what a customer, an agent or a shop may be called.
const evil = `<script>alert(1)</script>"' onmouseover="x`

const (
	evilID   = `evil/../<script>?a=b&c#d%2F"'`
	longID   = "long"
	longSize = 2*turnsPerPage + 10
)

// plain is a session of five turns that went well.
func plain(id string, at time.Time) *schemas.Analysis {
	a := &schemas.Analysis{SessionID: id, Version: 1 << 28, Closed: true, StartedAt: at, EndedAt: at.Add(time.Minute), AgentIDs: []string{"a1"},
		Experience: 0.5, EmotionStart: "neutral", EmotionEnd: "grateful", RulesVersion: "standard@1", ModelVersion: "test"}
	a.Meta = schemas.Meta{SessionID: id, Channel: "chat", Shop: "花漾", CustomerID: "c-" + id, AgentID: "a1", AgentName: "苏晴", Team: "一组"}
	for i, text := range []string{"在吗", "您好，请问有什么可以帮您", "面膜B多少钱", "249元哦", "谢谢"} {
		x := schemas.AnalysedTurn{Emotion: schemas.Neutral}
		x.Seq, x.Role, x.Text, x.At = schemas.Some(int64(i+1)), schemas.Customer, text, at.Add(time.Duration(i)*10*time.Second)
		if i%2 == 1 {
			x.Role, x.AgentID = schemas.Agent, "a1"
		}
		a.Turns = append(a.Turns, x)
	}
	a.Turns[4].Emotion, a.Turns[4].Polarity = schemas.Grateful, 0.8
	a.Mentions = []schemas.Mention{{MentionID: "m" + id, Turn: 3, Text: "面膜B多少钱", Start: 0, End: len("面膜B多少钱"), Kind: "question", Aspect: "price", Valuable: true, Product: "面膜B", Polarity: "neutral"}}
	a.Rounds = []schemas.Round{
		{AgentID: "a1", Turn: 1, Reply: schemas.Some(int64(2)), AskedAt: at, RepliedAt: at.Add(10 * time.Second), ReplyMS: schemas.Some(int64(10_000)), Customers: 1, Replies: 1, First: true},
		{AgentID: "a1", Turn: 3, Reply: schemas.Some(int64(4)), AskedAt: at.Add(20 * time.Second), RepliedAt: at.Add(30 * time.Second), ReplyMS: schemas.Some(int64(10_000)), Customers: 1, Replies: 1},
		{AgentID: "a1", Turn: 5, AskedAt: at.Add(40 * time.Second), Customers: 1},
	}
	a.Findings = schemas.Findings{Score: schemas.Some(100.0), Outcomes: map[string]string{"greeting": "pass", "closing": "pass", "forbidden": "absent", "reason_on_why": "na"}}
	a.Facts = schemas.Facts{Turns: 5, CustomerTurns: 3, AgentTurns: 2, DurationMS: schemas.Some(int64(60_000)), FirstReplyMS: schemas.Some(int64(10_000)), Rounds: 3, Unanswered: 1}
	return a
}

// bad is a session with a forbidden word, by another agent.
func bad(id string, at time.Time) *schemas.Analysis {
	a := plain(id, at)
	a.Meta.AgentID, a.Meta.AgentName, a.Meta.Shop, a.AgentIDs = "a2", "王浩", "安居", []string{"a2"}
	a.Turns[1].Text, a.Turns[1].AgentID, a.Turns[3].AgentID = "自己看，爱买不买 100%", "a2", "a2"
	a.Turns[2].Text, a.Turns[2].Emotion, a.Turns[2].Polarity = "你这什么态度", schemas.Angry, -0.9
	a.Mentions[0].Text, a.Mentions[0].End, a.Mentions[0].Kind, a.Mentions[0].Aspect = "什么态度", len("你这什么态度"), "complaint", "service"
	a.Experience, a.EmotionEnd = -0.8, "angry"
	for i := range a.Rounds {
		a.Rounds[i].AgentID = "a2"
	}
	start := strings.Index(a.Turns[1].Text, "爱买不买")
	a.Findings = schemas.Findings{Score: schemas.Some(67.0), Flagged: true, Outcomes: map[string]string{"forbidden": "present", "greeting": "fail", "closing": "pass"}, Hits: []schemas.Hit{
		{HitID: "h1", RuleID: "forbidden", RuleVersion: "1", AgentID: "a2", Outcome: "present", Severity: "critical", Points: -30, Reason: "用了禁用语", Evidence: []schemas.Evidence{{Turn: 2, Start: start, End: start + len("爱买不买")}}},
		{HitID: "h2", RuleID: "greeting", RuleVersion: "1", AgentID: "a2", Outcome: "fail", Severity: "minor", Points: -3, Reason: "没有问候"},
		{HitID: "h3", RuleID: "recommend", RuleVersion: "1", AgentID: "a2", Outcome: "present", Severity: "info", Reason: "推荐了产品"},
	}}
	return a
}

// world is the warehouse that most tests read: 60 good sessions over 30 days, 3 bad ones, an open, an undated, a hostile and a long one.
var world = sync.OnceValues(func() (*warehouse.Warehouse, error) {
	ctx := context.Background()
	quiet := slog.New(slog.DiscardHandler)
	admin, err := warehouse.Open(ctx, warehouse.Config{Dir: engineDir, Logger: quiet})
	if err != nil {
		return nil, err
	}
	if err := admin.Conn().Exec(ctx, "CREATE DATABASE world"); err != nil {
		return nil, err
	}
	w, err := warehouse.Open(ctx, warehouse.Config{Dir: engineDir, Database: "world", Logger: quiet})
	if err != nil {
		return nil, err
	}
	if err := w.Migrate(ctx); err != nil {
		return nil, err
	}
	start := time.Date(2026, 11, 1, 9, 0, 0, 0, shanghai)
	var b warehouse.Batch
	for i := range 60 {
		b.Analyses = append(b.Analyses, plain(fmt.Sprintf("good-%02d", i), start.Add(time.Duration(i)*12*time.Hour)))
	}
	for i := range 3 {
		b.Analyses = append(b.Analyses, bad(fmt.Sprintf("bad-%d", i), start.Add(time.Duration(i)*24*time.Hour)))
	}
	live := plain("live", start)
	live.Closed, live.EndedAt, live.Meta.Channel = false, time.Time{}, "call"
	undated := plain("undated", time.Time{})
	undated.StartedAt, undated.EndedAt, undated.Meta.Shop, undated.Meta.Team = time.Time{}, time.Time{}, "", ""
	for i := range undated.Turns {
		undated.Turns[i].At = time.Time{}
		undated.Turns[i].StartMS = schemas.Some(int64(i) * 61_000)
	}
	for i := range undated.Rounds {
		undated.Rounds[i].AskedAt, undated.Rounds[i].RepliedAt, undated.Rounds[i].ReplyMS = time.Time{}, time.Time{}, schemas.Opt[int64]{}
	}
	hostile := bad(evilID, start)
	m := &hostile.Meta
	m.Shop, m.Team, m.AgentID, m.AgentName, m.Channel, m.Product, m.Source, m.CustomerID = evil, evil, evil, evil, evil, evil, evil, evil
	m.Attributes = map[string]string{evil: evil}
	hostile.AgentIDs = []string{evil}
	hostile.RulesVersion, hostile.Coverage = evil, []schemas.CoverageNote{{What: evil, Why: evil, Count: 2}}
	hostile.Findings.Outcomes[evil] = evil
	for i := range hostile.Turns {
		hostile.Turns[i].Text = evil + "长" + evil
		hostile.Turns[i].AgentID = evil
	}
	hostile.Mentions = []schemas.Mention{{MentionID: "x", Turn: 1, Text: evil, Start: 3, End: 1 << 30, Kind: "bug", Aspect: "other", Valuable: true, Product: evil, Polarity: evil}}
	hostile.Findings.Hits = []schemas.Hit{{HitID: evil, RuleID: evil, RuleVersion: evil, AgentID: evil, Outcome: "fail", Severity: "major", Points: -5, Reason: evil, Evidence: []schemas.Evidence{
		{Turn: 1, Start: len(evil) + 1, End: len(evil) + 2}, {Turn: 1, Start: 5000, End: 6000}, {Turn: 2, Start: 9, End: 4}, {Turn: 99, Start: 0, End: 1}}}}
	long := plain(longID, start)
	for i := len(long.Turns); i < longSize; i++ {
		x := long.Turns[0]
		x.Seq, x.Text = schemas.Some(int64(i+1)), fmt.Sprintf("第%d句", i+1)
		long.Turns = append(long.Turns, x)
	}
	long.Facts.Turns = longSize
	long.Findings.Hits = []schemas.Hit{{HitID: "l", RuleID: "unanswered", Severity: "minor", Outcome: "present", Points: -2, Evidence: []schemas.Evidence{{Turn: longSize, Start: 0, End: 3}}}}
	b.Analyses = append(b.Analyses, live, undated, hostile, long)
	b.Orders = []schemas.Order{
		{OrderID: "o-1", Shop: "安居", Status: "paid", UpdatedAt: start, CustomerID: "c-bad-0", CreatedAt: start, PaidAt: start, Amount: "1299.50", Items: []schemas.OrderItem{{SKU: "S1", Name: "净化器", Qty: 2}}},
		{OrderID: evil, Shop: evil, Status: "refunded", UpdatedAt: start, CustomerID: evil, CreatedAt: start, Amount: "10", RefundAmount: "4.00", Items: []schemas.OrderItem{{Name: evil, Qty: 1}}},
	}
	b.Ratings = []schemas.Rating{{SessionID: "bad-0", Score: 1, Max: 5, Comment: "态度差", At: start}, {SessionID: evilID, Score: 1, Max: 5, Comment: evil}}
	return w, w.Write(ctx, b)
})

func worldPages(t testing.TB) (http.Handler, *warehouse.Warehouse) {
	t.Helper()
	if engineDir == "" {
		t.Skip("SKIPPED, no page is tested: the embedded engine is not installed (make deps)")
	}
	w, err := world()
	if err != nil {
		t.Fatal(err)
	}
	return handler(t, w), w
}

func sessionURL(id string) string { return "/sessions/" + url.PathEscape(id) }

func TestOverview(t *testing.T) {
	h, _ := worldPages(t)
	page200(t, h, "/", "<b>66</b>", "<b>6.1%</b>", "进行中", "禁用语", "什么态度", "愤怒", "安居", "2026-11-01", "没有日期")
	page200(t, h, "/?lang=en", "Forbidden words", "angry", "Without a date", `<html lang="en">`)
	page200(t, h, "/?shop="+url.QueryEscape("安居"), "<b>3</b>", "<b>100%</b>")
	page200(t, h, "/?from=2027-01-01", "没有符合条件的会话")
}

// TestNumbersLeadToTheirSessions follows every link around a count, on filtered pages too: the
// list it opens has just so many sessions.
func TestNumbersLeadToTheirSessions(t *testing.T) {
	h, _ := worldPages(t)
	link := regexp.MustCompile(`<a href="(/sessions\?[^"]*)">(\d+)(?: 个会话| sessions)?</a>`)
	total := regexp.MustCompile(`<p class="note">(\d+) (?:个会话|sessions)`)
	followed := map[string]bool{}
	for _, path := range []string{"/", "/?lang=en&from=2026-11-02&to=2026-11-05", "/agents?channel=chat"} {
		for _, m := range link.FindAllStringSubmatch(page200(t, h, path), -1) {
			if followed[m[1]] {
				continue
			}
			followed[m[1]] = true
			list := page200(t, h, html.UnescapeString(m[1]))
			got := total.FindStringSubmatch(list)
			if got == nil || got[1] != m[2] {
				t.Errorf("%s says %s for %s, the list has %v", path, m[2], m[1], got)
			}
		}
	}
	if len(followed) < 20 {
		t.Errorf("only %d numbers were followed", len(followed))
	}
}

// TestFiguresAreThoseOfTheViews: what a page says can be selected by anybody.
func TestFiguresAreThoseOfTheViews(t *testing.T) {
	if testing.Short() {
		t.Skip("long: what it covers is in the engine, which the race detector does not see")
	}
	h, w := worldPages(t)
	f := func(path, sql, format string) {
		t.Helper()
		var v float64
		if err := w.Conn().QueryRow(context.Background(), sql).Scan(&v); err != nil {
			t.Fatal(err)
		}
		page200(t, h, path, fmt.Sprintf(format, strings.TrimRight(strings.TrimRight(strconv.FormatFloat(v, 'f', 1, 64), "0"), ".")))
	}
	f("/", "SELECT 100 * countIf(flagged) / count() FROM sessions WHERE state = 'closed'", "<b>%s%%</b>")
	f("/", "SELECT assumeNotNull(avg(score)) FROM sessions WHERE state = 'closed'", "<b>%s</b>")
	f("/", "SELECT assumeNotNull(avg(reply_ms)) / 1000 FROM rounds WHERE closed", "<b>%s 秒</b>")
	f("/", "SELECT 100 * countIf(reply_ms <= 180000) / count() FROM rounds WHERE closed AND agent_id != ''", "回复率 %s%%")
	f("/agents", "SELECT assumeNotNull(avg(score)) FROM sessions WHERE has(agent_ids, 'a1') AND state = 'closed'", `">%s<small>`)
	f("/agents", "SELECT 100 * countIf(reply_ms <= 180000) / count() FROM rounds WHERE closed AND agent_id = 'a1'", `>%s%%<small>`)
}

func TestSessionList(t *testing.T) {
	h, _ := worldPages(t)
	f := func(query string, want int, first string) {
		t.Helper()
		body := page200(t, h, "/sessions?"+query, fmt.Sprintf("%d 个会话", want))
		ids := regexp.MustCompile(`<code>([^<]*)</code></p>`).FindAllStringSubmatch(body, -1)
		if len(ids) != min(want, perPage) && !strings.Contains(query, "page=") {
			t.Errorf("%s: %d rows, want %d", query, len(ids), min(want, perPage))
		}
		if want > 0 && ids[0][1] != first {
			t.Errorf("%s: first is %s, want %s", query, ids[0][1], first)
		}
	}
	q := url.QueryEscape
	f("", 67, "bad-2")
	f("page=2", 67, "good-14")
	f("flagged=1", 4, "bad-2")
	f("flagged=0&state=closed", 62, longID)
	f("state=open", 1, "live")
	f("severity=critical", 3, "bad-2")
	f("shop="+q("安居"), 3, "bad-2")
	f("shop=-", 1, "undated")
	f("undated=1", 1, "undated")
	f("agent=a2", 3, "bad-2")
	f("agent=a1&rule=forbidden", 0, "")
	f("team="+q("一组")+"&flagged=1", 3, "bad-2")
	f("channel=call", 1, "live")
	f("rule=forbidden", 3, "bad-2")
	f("rule=recommend", 0, "") // worth a look, but nothing went wrong
	f("emotion=angry", 4, "bad-2")
	f("kind=complaint&aspect=service", 3, "bad-2")
	f("kind=complaint&aspect=price", 0, "")
	f("from=2026-11-03&to=2026-11-03", 3, "bad-2")
	f("q="+q("爱买不买"), 3, "bad-2")
	f("q="+q("100%"), 3, "bad-2")
	f("q="+q("1_0"), 0, "")
	f("q="+q(`\`), 0, "")
	f("q="+q("面膜b"), 63, longID) // the letter's case does not matter
	f("q="+q("x' OR 1=1 --"), 0, "")
	f("shop="+q(`') OR 1=1 --`), 0, "")
	f("shop="+q("a\tb\nc\\d"), 0, "")
	f("nonsense=1", 67, "bad-2")
	body := page200(t, h, "/sessions?lang=en&flagged=0&page=1", "Page 1 of 2", "page=2", "63 sessions")
	if strings.Contains(body, "个会话") {
		t.Error("Chinese on an English page")
	}
	page200(t, h, "/sessions?q="+q("自己看"), "自己看，爱买不买")
}

func TestBadAddresses(t *testing.T) {
	h, _ := worldPages(t)
	f := func(path string, want int, text string) {
		t.Helper()
		code, body := get(t, h, path)
		if code != want || !strings.Contains(body, text) {
			t.Errorf("GET %s: status %d, want %d with %q\n%s", path, code, want, text, body)
		}
	}
	f("/sessions?page=0", 400, "page=")
	f("/sessions?page=-1", 400, "page=")
	f("/sessions?page=99999999999999999999", 400, "page=")
	f("/sessions?page=9", 404, "一共只有 2 页")
	f("/sessions?from=2026-13-01", 400, "from=")
	f("/sessions?to=yesterday", 400, "to=")
	f("/sessions?from=9999-01-01", 400, "from=")
	f("/sessions?flagged=yes", 400, "flagged=")
	f("/sessions?emotion=happy", 400, "emotion=")
	f("/sessions?kind=%27", 400, "kind=")
	f("/sessions?shop=%ff", 400, "shop=")
	f("/sessions?q="+strings.Repeat("a", 300), 400, "q=")
	f("/sessions?a=%zz", 400, "地址不完整")
	f("/sessions?lang=en&page=x", 400, "A value in the address is wrong")
	f("/sessions/unknown", 404, "没有这个会话")
	f("/sessions/%ff%fe", 404, "没有这个会话")
	f("/sessions/"+url.PathEscape(evil), 404, "&lt;script&gt;")
	f("/sessions/bad-0?page=2", 404, "一共只有 1 页")
	f("/nothing", 404, "没有这个页面")
	f("/agents?from=x", 400, "from=")
}

func TestSession(t *testing.T) {
	h, _ := worldPages(t)
	page200(t, h, sessionURL("bad-0"),
		`自己看，<span class="evidence critical" title="[1] 禁用语 ">爱买不买</span><sup><a href="#h1">1</a></sup> 100%`,
		`<span class="mention" title="服务 · 抱怨">你这什么态度</span>`,
		"用了禁用语", "致命", "-30 分", "没有问候", `<td class="n">67</td>`, "王浩", "愤怒", "客户等了 10 秒",
		"o-1", "净化器 × 2", "1299.5", "已付款", "<b>1</b> / 5", "态度差", "未回复", "09:00:10", "没有略过任何内容", "推荐产品")
	page200(t, h, sessionURL("good-00"), "没有发现问题。", "没有订单。", "没有评价。", "不适用")
	page200(t, h, sessionURL("live")+"?lang=en", "still going on", "Customer")
	page200(t, h, sessionURL("undated"), "1:01", "4:04")
}

func TestLongSession(t *testing.T) {
	h, _ := worldPages(t)
	first := page200(t, h, sessionURL(longID), "第 1 页，共 3 页", `href="/sessions/long?page=3#t1010"`)
	if n := strings.Count(first, `class="turn `); n != turnsPerPage {
		t.Errorf("%d turns on a page, want %d", n, turnsPerPage)
	}
	page200(t, h, sessionURL(longID)+"?page=3", "1010句", `<span class="evidence minor"`, "上一页")
}

// TestHostileText: what people write and how they call themselves stays text on every page.
func TestHostileText(t *testing.T) {
	h, _ := worldPages(t)
	q := url.QueryEscape
	for _, path := range []string{"/", "/?lang=en", "/sessions", "/sessions?shop=" + q(evil), "/sessions?agent=" + q(evil) + "&rule=" + q(evil) + "&q=" + q(evil),
		sessionURL(evilID), sessionURL(evilID) + "?lang=en", "/agents", "/sessions?page=2&x=" + q(evil), "/?shop=" + q(evil)} {
		body := page200(t, h, path)
		for _, wrong := range []string{"<script", `" onmouseover=`, "javascript:", "ZgotmplZ"} {
			if strings.Contains(body, wrong) {
				t.Errorf("GET %s: %q reached the page", path, wrong)
			}
		}
	}
	body := page200(t, h, sessionURL(evilID), "&lt;script&gt;alert(1)", `">长</span>`) // a span inside a character marks the whole of it
	if strings.Contains(body, "\uFFFD") {
		t.Error("a character was cut")
	}
	// The address of the session leads back to it from the list.
	list := page200(t, h, "/sessions?shop="+q(evil), "1 个会话")
	m := regexp.MustCompile(`class="line" href="([^"]*)"`).FindStringSubmatch(list)
	if m == nil {
		t.Fatal("no link to the session")
	}
	page200(t, h, html.UnescapeString(m[1]), "质检分怎么来的")
}

func TestAgents(t *testing.T) {
	h, _ := worldPages(t)
	page200(t, h, "/agents", "苏晴", "王浩", "一组", "禁用语", "10 秒", "全员")
	page200(t, h, "/agents?lang=en&shop="+url.QueryEscape("安居"), "王浩", "Forbidden words", "3 sessions")
	page200(t, h, "/agents?from=2030-01-01", "没有符合条件的会话")
}

func TestData(t *testing.T) {
	h, w := worldPages(t)
	body := page200(t, h, "/data", "evidence_seqs", "Goes to the review queue")
	for _, v := range warehouse.PublicViews() {
		if v.Parameters == nil && !strings.Contains(body, "<code>"+v.Name+"</code>") {
			t.Errorf("view %s is missing", v.Name)
		}
	}
	for _, s := range samples {
		rows, err := w.Conn().Query(context.Background(), s.SQL)
		if err != nil {
			t.Errorf("sample %s: %v", s.Title, err)
			continue
		}
		if !rows.Next() {
			t.Errorf("sample %s finds nothing", s.Title)
		}
		rows.Close()
	}
}

func TestEmptyAndMissing(t *testing.T) {
	empty := handler(t, open(t, true))
	for _, path := range []string{"/", "/sessions", "/agents"} {
		page200(t, empty, path, "还没有会话", "tingke send FILE")
	}
	page200(t, empty, "/?lang=en", "No sessions yet")
	page200(t, empty, "/data", "session_id")
	bare := handler(t, open(t, false))
	for _, path := range []string{"/", "/sessions", "/agents", "/data", "/sessions/x"} {
		if code, body := get(t, bare, path); code != 503 || !strings.Contains(body, "tingke migrate") {
			t.Errorf("GET %s without a schema: status %d\n%s", path, code, body)
		}
	}
	w := open(t, true)
	gone := handler(t, w)
	if err := w.Conn().Close(); err != nil {
		t.Fatal(err)
	}
	if code, body := get(t, gone, "/"); code != 503 || !strings.Contains(body, "tingke doctor") {
		t.Errorf("without a store: status %d\n%s", code, body)
	}
	if _, err := New(Options{}); err == nil {
		t.Error("New without a store gives no error")
	}
}

func TestHeadersAndMethods(t *testing.T) {
	h, _ := worldPages(t)
	f := func(method, path string, want int) http.Header {
		t.Helper()
		r := httptest.NewRecorder()
		h.ServeHTTP(r, httptest.NewRequest(method, path, nil))
		if r.Code != want {
			t.Errorf("%s %s: status %d, want %d", method, path, r.Code, want)
		}
		for name, value := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"} {
			if r.Header().Get(name) != value {
				t.Errorf("%s %s: %s is %q", method, path, name, r.Header().Get(name))
			}
		}
		if !strings.HasPrefix(r.Header().Get("Content-Security-Policy"), "default-src 'self'") {
			t.Errorf("%s %s: no policy", method, path)
		}
		return r.Header()
	}
	f("HEAD", "/", 200)
	f("GET", "/static/style.css", 200)
	f("GET", "/static/icon.svg", 200)
	f("GET", "/static/../words.go", 307)
	f("GET", "/static/nothing", 404)
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"} {
		if allow := f(method, "/sessions", 405).Get("Allow"); allow != "GET, HEAD" {
			t.Errorf("%s: Allow is %q", method, allow)
		}
	}
	// The policy forbids inline styles and anything from elsewhere, so no page may need them.
	for _, path := range []string{"/", "/sessions", sessionURL("bad-0"), "/agents", "/data"} {
		body := page200(t, h, path)
		if strings.Contains(body, "style=") || regexp.MustCompile(`(src|href)="(https?:)?//`).MatchString(body) {
			t.Errorf("GET %s needs what the policy forbids", path)
		}
	}
}

// TestWords: every text the pages ask for is there, in both languages, with the same values to fill in.
func TestWords(t *testing.T) {
	verbs := regexp.MustCompile(`%[0-9]*[a-z]`)
	for key, w := range words {
		if w[0] == "" || w[1] == "" {
			t.Errorf("%s has no text in one language", key)
		}
		if a, b := verbs.FindAllString(w[0], -1), verbs.FindAllString(w[1], -1); strings.Join(a, "") != strings.Join(b, "") {
			t.Errorf("%s: %v and %v", key, a, b)
		}
	}
	asked := map[string]bool{}
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := templateFiles.ReadFile("templates/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\.T "([^"]*)"`).FindAllStringSubmatch(string(b), -1) {
			asked[m[1]] = true
		}
	}
	for _, c := range conditions {
		if c.name != "q" {
			asked[c.name] = true
		}
	}
	for _, s := range samples {
		asked[s.Title] = true
	}
	for key := range asked {
		if _, ok := words[key]; !ok {
			t.Errorf("no text for %q", key)
		}
	}
	for kind, values := range map[string][]string{"kind": schemas.Kinds, "aspect": schemas.Aspects, "severity": {"info", "minor", "major", "critical"}} {
		for _, v := range values {
			if _, ok := words[kind+"."+v]; !ok {
				t.Errorf("no name for %s %s", kind, v)
			}
		}
	}
}
