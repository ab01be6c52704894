package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/pipeline/alert"
	"github.com/tingke/tingke/pipeline/warehouse"
)

func newHub(w *warehouse.Warehouse) *alert.Hub {
	return alert.NewHub(alert.HubOptions{Store: w, SessionURL: "https://tingke.example/sessions/{session_id}", TakeoverURL: "https://im.example/take?id={session_id}", Every: 20 * time.Millisecond})
}

// storedAlert is an alert of the world.
func storedAlert(id, session, team, shop, severity string, at time.Time) warehouse.Alert {
	return warehouse.Alert{AlertID: id, Kind: warehouse.AlertHit, SessionID: session, RuleID: "ban", Severity: severity, Title: "禁用语", Reason: "不关我的事", Evidence: "不关我的事",
		EvidenceSeqs: []int64{2}, HitID: "h-" + id, Shop: shop, Team: team, AgentID: map[string]string{"一组": "a1", "二组": "b1"}[team], At: at, StoredAt: at}
}

func storeAlerts(t testing.TB, w *warehouse.Warehouse) {
	t.Helper()
	old := storedAlert("alert-old", "one-3", "一组", "花漾", "major", dayTwo)
	old.Withheld = warehouse.WithheldTooOld
	err := w.StoreAlerts(context.Background(), []warehouse.Alert{
		storedAlert("alert-one", "one-2", "一组", "花漾", "critical", dayOne.Add(time.Hour)), storedAlert("alert-two", "two-1", "二组", "森野", "major", dayOne.Add(time.Minute)), old,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func alertIDs(t *testing.T, f *fixture, role, query string) []string {
	t.Helper()
	var ids []string
	for cursor := ""; ; {
		page := get[Page[AlertRow]](t, f.api, role, Prefix+"/alerts?"+query+cursor)
		for _, a := range page.Items {
			ids = append(ids, a.AlertID)
		}
		if page.Next == "" {
			return ids
		}
		cursor = "&cursor=" + page.Next
	}
}

func TestAlerts(t *testing.T) {
	f := newFixture(t)
	list := func(role, query string, want ...string) {
		t.Helper()
		if got := alertIDs(t, f, role, query); !slices.Equal(got, want) {
			t.Errorf("%s as %s: %v, want %v", query, role, got, want)
		}
	}
	list("admin", "", "alert-old", "alert-one", "alert-two")
	list("admin", "limit=1", "alert-old", "alert-one", "alert-two")
	list("admin", "open=1", "alert-one", "alert-two")
	for day, want := range map[string]string{"2026-03-02": "[{critical 1 1} {major 1 1}]", "2026-03-03": "[{major 1 0}]"} { // the old one is told to nobody
		if got := fmt.Sprint(get[Overview](t, f.api, "admin", Prefix+"/overview?day="+day).Alerts); got != want {
			t.Errorf("the overview of %s says of alerts %s, want %s", day, got, want)
		}
	}
	list("admin", "severity=critical&rule=ban", "alert-one")
	list("admin", "shop=森野&alert_kind=hit&alert_state=stored&team=二组&agent=b1&session=two-1", "alert-two")
	list("admin", "from=2026-03-03", "alert-old")
	list("admin", "to=2026-03-02", "alert-one", "alert-two")
	list("admin", "shop="+url.QueryEscape("' OR 1=1 --"))
	list("team-one", "", "alert-old", "alert-one") // of team 一组

	if c := get[AlertCounts](t, f.api, "admin", Prefix+"/alerts/counts"); c.Open != 0 { // of the last day by the clock of the tests
		t.Errorf("%+v", c)
	}
	fresh := storedAlert("alert-new", "one-5", "一组", "花漾", "critical", now.Add(-time.Hour))
	if err := f.w.StoreAlerts(t.Context(), []warehouse.Alert{fresh}); err != nil {
		t.Fatal(err)
	}
	if c := get[AlertCounts](t, f.api, "team-one", Prefix+"/alerts/counts"); c.Open != 1 || c.BySeverity["critical"] != 1 {
		t.Errorf("%+v", c)
	}

	// An alert of another team is not there, to read or to take.
	if w := as(f.api, "team-one", "GET", Prefix+"/alerts/alert-two", ""); w.Code != 404 {
		t.Errorf("status %d", w.Code)
	}
	if w := as(f.api, "team-one", "POST", Prefix+"/alerts/alert-two/acknowledge", `{}`); w.Code != 404 {
		t.Errorf("status %d", w.Code)
	}
	take := func(role string, want int) AlertRow {
		t.Helper()
		var row AlertRow
		w := as(f.api, role, "POST", Prefix+"/alerts/alert-one/acknowledge", `{"note":"我去看看"}`)
		if w.Code != want {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		_ = json.Unmarshal(w.Body.Bytes(), &row)
		return row
	}
	row := take("team-one", 200)
	if row.State != "acknowledged" || row.AcknowledgedAt == nil || row.AcknowledgedBy == "" || row.Note != "我去看看" || row.TakeoverURL != "https://im.example/take?id=one-2" {
		t.Errorf("%+v", row)
	}
	take("team-one", 200) // again: nothing changes
	take("admin", 409)    // somebody else is at it
	list("admin", "open=1&team=二组", "alert-two")
}

// sse reads server-sent events.
type sse struct {
	t    *testing.T
	r    *bufio.Scanner
	stop context.CancelFunc
}

func openStream(t *testing.T, f *fixture, role, query, last string) *sse {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.api.ServeHTTP(w, r.WithContext(access.WithIdentity(r.Context(), users[role])))
	}))
	t.Cleanup(server.Close)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", server.URL+Prefix+"/alerts/stream?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("%s %s", res.Status, res.Header)
	}
	return &sse{t, bufio.NewScanner(res.Body), cancel}
}

// next gives the next event: its kind, id and alert.
func (s *sse) next() (kind, id string, row AlertRow) {
	s.t.Helper()
	for s.r.Scan() {
		line := s.r.Text()
		switch key, value, _ := strings.Cut(line, ": "); key {
		case "id":
			id = value
		case "event":
			kind = value
		case "data":
			_ = json.Unmarshal([]byte(value), &row)
		case "":
			if kind != "" {
				return kind, id, row
			}
		}
	}
	s.t.Fatalf("the stream has ended: %v", s.r.Err())
	return
}

func TestAlertStream(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.api.Alerts.Run(ctx)
	}()
	defer func() {
		cancel()
		<-done
	}()
	admin, supervisor := openStream(t, f, "admin", "", ""), openStream(t, f, "team-one", "", "")
	store := func(id, team string) {
		t.Helper()
		if err := f.api.Warehouse.StoreAlerts(ctx, []warehouse.Alert{storedAlert(id, "live-"+id, team, "花漾", "major", time.Now())}); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(s *sse, kind, alertID, state string) string {
		t.Helper()
		k, id, row := s.next()
		if k != kind || row.AlertID != alertID || row.State != state {
			t.Fatalf("%s %s %s, want %s %s %s", k, row.AlertID, row.State, kind, alertID, state)
		}
		return id
	}
	store("x1", "二组")
	first := expect(admin, "alert", "x1", "stored")
	store("x2", "一组")
	expect(admin, "alert", "x2", "stored")
	expect(supervisor, "alert", "x2", "stored") // and never x1
	if err := f.api.Warehouse.AppendAlertEvents(ctx, []warehouse.AlertEvent{{AlertID: "x1", Event: warehouse.AlertSent, At: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	last := expect(admin, "alert", "x1", "sent")
	admin.stop()

	// Who was away gets what happened meanwhile, once more what may have been seen already, nothing of others.
	time.Sleep(2100 * time.Millisecond) // beyond the overlap
	store("x3", "二组")
	again := openStream(t, f, "admin", "", last)
	for {
		_, id, row := again.next()
		if row.AlertID == "x3" {
			break
		}
		if id > last {
			t.Errorf("%s %s before x3", id, row.AlertID)
		}
	}
	missed := openStream(t, f, "team-one", "wait=0", first)
	kind, _, row := missed.next()
	for ; kind == "alert"; kind, _, row = missed.next() {
		if row.Team != "一组" {
			t.Errorf("an alert of %s", row.Team)
		}
	}
	if kind != "bye" {
		t.Errorf("%s, want bye", kind)
	}

	// Nonsense as an id is no id; a reader that takes nothing is dropped; the end of the server is told.
	openStream(t, f, "admin", "wait=0", "nonsense").next()
	slow, err := f.api.Alerts.Subscribe(ctx, "", func(*warehouse.Alert) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	var many []warehouse.Alert
	for i := range 300 {
		many = append(many, storedAlert(fmt.Sprintf("m%03d", i), "m", "二组", "花漾", "major", time.Now()))
	}
	if err := f.api.Warehouse.StoreAlerts(ctx, many); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	n := 0
	for err == nil {
		if _, err = slow.Next(ctx); err == nil {
			n++
		}
	}
	if err != alert.ErrSlow || n != 256 {
		t.Errorf("%d messages, then %v", n, err)
	}
	cancel()
	for kind, _, _ = supervisor.next(); kind == "alert"; kind, _, _ = supervisor.next() {
	}
	if kind != "bye" {
		t.Errorf("%s, want bye", kind)
	}
}
