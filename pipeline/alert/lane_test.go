package alert

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRateAndDigest(t *testing.T) {
	bubble(t, func(t *testing.T, store *memStore) {
		got := &collector{}
		m := start(t, Options{Store: store, Targets: []Lane{{Name: "ding", Target: got, PerMinute: 20}}})
		defer m.stop()
		at := time.Now()
		for i := range 56 {
			text := "滚"
			if i%2 == 1 {
				text = "催"
			}
			m.send(turn(fmt.Sprintf("s%02d", i), 1, "agent", text, at))
		}
		settle()
		if n := len(got.list()); n != 19 {
			t.Fatalf("%d at once, want 19: one is kept for the digest", n)
		}
		time.Sleep(digestAfter + time.Second)
		settle()
		list := got.list()
		if len(list) != 20 || list[19].Digest == nil {
			t.Fatalf("%d messages", len(list))
		}
		d := list[19].Digest
		if d.Count != 37 || len(d.AlertIDs) != 37 || len(d.Alerts) != digestShows || d.ByRule["rude"]+d.ByRule["each"] != 37 || !strings.HasPrefix(d.Text, "37 more alerts: ") {
			t.Errorf("%+v", d)
		}
		sent := 0
		for _, a := range store.all() {
			if store.state(a.AlertID) == "sent" {
				sent++
			}
		}
		if sent != 56 {
			t.Errorf("%d of 56 are marked as sent", sent)
		}
		// Beyond, the digest waits for the minute.
		m.send(turn("later", 1, "agent", "滚", at), turn("later2", 1, "agent", "滚", at))
		time.Sleep(40 * time.Second)
		settle()
		if n := len(got.list()); n != 20 {
			t.Errorf("%d messages in the first minute, DingTalk takes 20", n)
		}
		time.Sleep(20 * time.Second)
		settle()
		if list := got.list(); len(list) != 21 || list[20].Digest == nil || list[20].Digest.Count != 2 {
			t.Errorf("%d messages after a minute", len(list))
		}
		// In no minute there are more than 20.
		for i := range got.at {
			n := 0
			for _, u := range got.at[i:] {
				if u.Sub(got.at[i]) < time.Minute {
					n++
				}
			}
			if n > 20 {
				t.Errorf("%d messages in the minute from %s", n, got.at[i])
			}
		}
	})
}

// TestABadTargetHoldsUpNobody: one hangs, one fails, one panics; the stream and the other target go on, and what was not
// taken is tried again until it is too old.
func TestABadTargetHoldsUpNobody(t *testing.T) {
	bubble(t, func(t *testing.T, store *memStore) {
		good, bad := &collector{}, &collector{fail: errTest}
		m := start(t, Options{Store: store, Targets: []Lane{
			{Name: "hangs", Target: &collector{block: true}, Queue: 10}, {Name: "fails", Target: bad}, {Name: "panics", Target: panics{}}, {Name: "good", Target: good, Parallel: 4}}})
		defer m.stop()
		began := time.Now()
		for i := range 500 {
			m.send(turn(fmt.Sprintf("s%d", i), 1, "agent", "滚", began))
		}
		settle()
		if d := time.Since(began); d != 0 || len(good.list()) != 500 {
			t.Errorf("after %s %d of 500 are sent to the good one", d, len(good.list()))
		}
		time.Sleep(20 * time.Minute)
		settle()
		for _, a := range store.all() {
			if s := store.state(a.AlertID); s != "sent" {
				t.Fatalf("state %s", s)
			}
		}
	})
	bubble(t, func(t *testing.T, store *memStore) {
		bad := &collector{fail: errTest}
		m := start(t, Options{Store: store, Targets: []Lane{{Name: "bad", Target: bad}}})
		defer m.stop()
		m.send(turn("a", 1, "agent", "滚", time.Now()))
		time.Sleep(giveUp + time.Minute)
		settle()
		id := store.all()[0].AlertID
		if s := store.state(id); s != "failed" {
			t.Errorf("state %s", s)
		}
		bad.mu.Lock()
		bad.fail = nil
		bad.mu.Unlock()
		time.Sleep(5 * time.Minute)
		settle()
		if s := store.state(id); s != "sent" || len(bad.list()) != 1 || bad.list()[0].ID != id {
			t.Errorf("state %s after the target is well again, %d sent", s, len(bad.list()))
		}
	})
}

type panics struct{}

func (panics) Send(context.Context, Delivery) error { panic("a defect") }

// hook is a receiver in another goroutine over a real connection.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	bodies [][]byte
	heads  []http.Header
	urls   []string
	answer func(n int, w http.ResponseWriter, r *http.Request)
}

func newHook(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *hook {
	h := &hook{answer: answer}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		h.bodies, h.heads, h.urls = append(h.bodies, b), append(h.heads, r.Header.Clone()), append(h.urls, r.URL.String())
		n := len(h.bodies)
		h.mu.Unlock()
		if h.answer != nil {
			h.answer(n, w, r)
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.bodies)
}

func TestWebhook(t *testing.T) {
	h := newHook(t, nil)
	w, err := NewWebhook(h.URL+"/in", "secret")
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"schema":"tingke.alert.v1"}`)
	if err := w.Send(t.Context(), Delivery{ID: "id1", Body: body}); err != nil {
		t.Fatal(err)
	}
	head := h.heads[0]
	if err := Verify("secret", head, h.bodies[0], time.Now()); err != nil || head.Get(HeaderID) != "id1" {
		t.Errorf("%v %v", err, head)
	}
	for name, err := range map[string]error{
		"another secret": Verify("other", head, h.bodies[0], time.Now()),
		"another body":   Verify("secret", head, append(h.bodies[0], ' '), time.Now()),
		"repeated later": Verify("secret", head, h.bodies[0], time.Now().Add(6*time.Minute)),
		"no headers":     Verify("secret", http.Header{}, h.bodies[0], time.Now()),
	} {
		if err == nil {
			t.Errorf("%s: it is believed", name)
		}
	}
	// Worked by hand: echo -n '1700000000.{}' | openssl dgst -sha256 -hmac secret
	if got := Sign("secret", "1700000000", []byte("{}")); got != "sha256="+signExample {
		t.Errorf("signature %s", got)
	}

	elsewhere := newHook(t, nil)
	f := func(answer http.HandlerFunc, permanent bool) {
		t.Helper()
		h := newHook(t, func(_ int, w http.ResponseWriter, r *http.Request) { answer(w, r) })
		w, err := NewWebhook(h.URL+"/?key=verysecret", "secret")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		err = w.Send(ctx, Delivery{Body: body})
		_, p := err.(*PermanentError)
		if err == nil || p != permanent || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v, permanent %v", err, p)
		}
	}
	f(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	}, true)
	f(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403) }, true)
	f(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }, false)
	f(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(429) }, false)
	f(func(w http.ResponseWriter, r *http.Request) { time.Sleep(time.Second) }, false)
	f(func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, false)
	if elsewhere.count() != 0 {
		t.Error("a redirect was followed with the signed body")
	}
	if _, err := NewWebhook("ftp://x", ""); err == nil {
		t.Error("any address is taken")
	}
}

const signExample = "b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163"

func TestDingTalk(t *testing.T) {
	// Worked by hand: printf '1577808000000\nSECtest' | openssl dgst -sha256 -hmac SECtest -binary | base64
	if got := DingTalkSign("SECtest", 1577808000000); got != "XHi7WpB+bLwQq5Rz0PrkJ6p9pXsd593WTWgii6qJ3uw=" {
		t.Errorf("signature %s", got)
	}
	answer := `{"errcode":0,"errmsg":"ok"}`
	h := newHook(t, func(_ int, w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) })
	d, err := NewDingTalk(h.URL+"/robot/send?access_token=token", "SEC1")
	if err != nil {
		t.Fatal(err)
	}
	p := Payload{AlertID: "id", SessionID: "s 1", RuleID: "rude", Severity: "critical", Title: "禁用语", Reason: "第2句用了[禁用语](http://evil)", Evidence: "滚 @all", Shop: "店", SessionURL: "https://x/sessions/s%201", TakeoverURL: "https://x/take/s%201"}
	if err := d.Send(t.Context(), Delivery{ID: "id", Alert: &p}); err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(h.urls[0])
	var ms int64
	fmt.Sscan(u.Query().Get("timestamp"), &ms)
	if u.Query().Get("access_token") != "token" || u.Query().Get("sign") != DingTalkSign("SEC1", ms) || time.Since(time.UnixMilli(ms)) > time.Minute {
		t.Errorf("address %s", h.urls[0])
	}
	var sent struct {
		Type     string `json:"msgtype"`
		Markdown struct{ Title, Text string }
	}
	if err := json.Unmarshal(h.bodies[0], &sent); err != nil || sent.Type != "markdown" || sent.Markdown.Title != "严重：禁用语" {
		t.Errorf("%v %s", err, h.bodies[0])
	}
	if text := sent.Markdown.Text; strings.Contains(text, "](http://evil)") || strings.Contains(text, "@all") || !strings.Contains(text, "[接管](https://x/take/s%201)") {
		t.Errorf("text %s", text)
	}
	for code, want := range map[string]string{"130101": "busy", "310000": "permanent", "-1": "again"} {
		answer = `{"errcode":` + code + `,"errmsg":"no"}`
		err := d.Send(t.Context(), Delivery{ID: "id", Digest: &Digest{Count: 2, ByRule: map[string]int{"rude": 2}}})
		got := "again"
		switch err.(type) {
		case *BusyError:
			got = "busy"
		case *PermanentError:
			got = "permanent"
		case nil:
			got = "taken"
		}
		if got != want {
			t.Errorf("code %s: %s, want %s", code, got, want)
		}
	}
}

func TestLinks(t *testing.T) {
	f := func(id, want string) {
		t.Helper()
		o := Options{TakeoverURL: "https://im.example/take?session={session_id}&from=tingke"}
		if _, got := o.links(id); got != "https://im.example/take?session="+want+"&from=tingke" {
			t.Errorf("%q: %s", id, got)
		}
	}
	f("s1", "s1")
	f("a b&admin=1#x/../{session_id}", "a%20b%26admin%3D1%23x%2F..%2F%7Bsession_id%7D")
	f("会话", "%E4%BC%9A%E8%AF%9D")
}
