package api

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/tingke/tingke/dashboards/access"
)

func decode[T any](t testing.TB, b []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return v
}

func lines(t testing.TB, body string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for _, l := range strings.Split(strings.TrimSpace(body), "\n") {
		if l != "" {
			out = append(out, decode[map[string]any](t, []byte(l)))
		}
	}
	return out
}

// TestExportIsWhatTheListShows: the same filter gives the same rows on the page and in the file, in every scope.
func TestExportIsWhatTheListShows(t *testing.T) {
	f := readFixture(t)
	for user := range users {
		if users[user].Role == access.Agent {
			continue
		}
		file := as(f.api, user, http.MethodGet, Prefix+"/exports/opinions?format=jsonl", "")
		list := get[Page[OpinionRow]](t, f.api, user, Prefix+"/opinions?limit=500")
		rows := lines(t, file.Body.String())
		if len(rows) != len(list.Items) || len(rows) == 0 && user == "admin" {
			t.Errorf("%s: %d opinions in the file, %d in the list", user, len(rows), len(list.Items))
			continue
		}
		byID := map[string]OpinionRow{}
		for _, o := range list.Items {
			byID[o.ID] = o
		}
		for _, r := range rows {
			o, ok := byID[r["opinion_id"].(string)]
			if !ok || r["title"] != o.Title || r["mentions"] != float64(o.Mentions) || r["sessions"] != float64(o.Sessions) || r["customers"] != float64(o.Customers) ||
				r["week"] != float64(o.Week) || r["week_before"] != float64(o.WeekBefore) || r["trend"] != o.Trend || r["status"] != o.Status {
				t.Errorf("%s: the file has %v, the list %+v", user, r, o)
			}
		}
		if !users[user].Is(exportRoles["sessions"]...) {
			continue
		}
		for _, query := range []string{"", "flagged=1", "shop=花漾", "from=2026-03-02&to=2026-03-03"} {
			file := lines(t, as(f.api, user, http.MethodGet, Prefix+"/exports/sessions?format=jsonl&"+query, "").Body.String())
			counts := decode[map[string]any](t, as(f.api, user, http.MethodGet, Prefix+"/sessions/counts?"+query, "").Body.Bytes())
			if counts["sessions"] != nil && counts["sessions"] != float64(len(file)) {
				t.Errorf("%s: %d sessions in the file of %q, the page counts %v", user, len(file), query, counts["sessions"])
			}
		}
	}
}

func TestExportKeepsToTheScope(t *testing.T) {
	f := readFixture(t)
	for user, who := range users {
		if who.Role == access.Admin || len(who.Teams) == 0 || !who.Is(exportRoles["kpi"]...) {
			continue
		}
		for _, dataset := range []string{"sessions", "hits", "kpi"} {
			for _, r := range lines(t, as(f.api, user, http.MethodGet, Prefix+"/exports/"+dataset+"?format=jsonl", "").Body.String()) {
				if r["team"] != who.Teams[0] {
					t.Errorf("%s sees %s of team %v", user, dataset, r["team"])
				}
			}
		}
		if w := as(f.api, user, http.MethodGet, Prefix+"/exports/kpi?format=jsonl&team=a-team-of-others", ""); w.Code != http.StatusBadRequest {
			t.Errorf("%s asks for another team: status %d %s", user, w.Code, w.Body)
		}
		return
	}
	t.Fatal("no user of the tests is bound to a team")
}

func TestExportHeadersAndAudit(t *testing.T) {
	f := readFixture(t)
	log := &auditLog{}
	w := asWith(f.api, log, "admin", http.MethodGet, Prefix+"/exports/opinions?format=csv&from=2026-03-01&to=2026-03-31", "", "")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Fatalf("status %d, %v", w.Code, w.Header())
	}
	_, params, err := mime.ParseMediaType(w.Header().Get("Content-Disposition"))
	if err != nil || params["filename"] != "客户观点 2026-03-01 至 2026-03-31.csv" {
		t.Errorf("Content-Disposition %q: %v %v", w.Header().Get("Content-Disposition"), params, err)
	}
	if _, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(w.Body.String(), "\ufeff"))).ReadAll(); err != nil {
		t.Error(err)
	}
	if entries := log.entries; len(entries) != 1 || entries[0].Action != access.ActionExport || entries[0].Object != "opinions" || entries[0].Actor != users["admin"].User || !strings.Contains(entries[0].Detail, "2026-03-01") {
		t.Errorf("audit log: %+v", entries)
	}
	w = as(f.api, "admin", http.MethodGet, Prefix+"/exports/opinions?lang=en", "")
	book, err := excelize.OpenReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	if name := book.GetSheetName(0); name != "Customer opinions" {
		t.Errorf("the first sheet is %q", name)
	}
	w = as(f.api, "admin", http.MethodGet, Prefix+"/exports/opinions?split=department&format=parquet", "")
	z, err := zip.NewReader(bytes.NewReader(w.Body.Bytes()), int64(w.Body.Len()))
	if err != nil || len(z.File) == 0 {
		t.Fatalf("a split parquet export is no archive: %v", err)
	}
	for _, file := range z.File {
		r, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(r); !bytes.HasPrefix(b, []byte("PAR1")) {
			t.Errorf("%s is no parquet file", file.Name)
		}
	}
}

// TestExportErrors: whatever is wrong is said as JSON before any byte of a file.
func TestExportErrors(t *testing.T) {
	f := readFixture(t)
	for path, want := range map[string]string{
		"/exports/opinions?format=doc": "format", "/exports/opinions?lang=fr": "lang", "/exports/opinions?emotion=angry": "emotion", "/exports/sessions?split=department": "split",
		"/exports/opinions?status=maybe": "status", "/exports/sessions?from=yesterday": "from", "/exports/kpi?profile=ebay": "profile", "/exports/hits?x=1": "x",
	} {
		w := as(f.api, "admin", http.MethodGet, Prefix+path, "")
		if e := decode[errorBody](t, w.Body.Bytes()); w.Code != http.StatusBadRequest || e.Error.Field != want || w.Header().Get("Content-Disposition") != "" {
			t.Errorf("%s: status %d %s, want 400 about %s", path, w.Code, w.Body, want)
		}
	}
	failing := &auditLog{err: io.ErrClosedPipe}
	if w := asWith(f.api, failing, "admin", http.MethodGet, Prefix+"/exports/opinions", "", ""); w.Code < 500 || strings.HasPrefix(w.Body.String(), "PK") {
		t.Errorf("without an audit log: status %d, want no file", w.Code)
	}
	if !strings.Contains(f.log.String(), "closed pipe") {
		t.Error("the log does not say why")
	}
	f.log.Reset() // other tests share it
}

func TestExportsAtOnce(t *testing.T) {
	x := &exports{by: map[string]int{}}
	var leave []func()
	for _, who := range []string{"a", "a", "b", "b"} {
		l, err := x.enter(who)
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, l)
	}
	if _, err := x.enter("c"); err == nil {
		t.Error("a fifth export may begin")
	}
	leave[2]()
	leave[2]()
	if _, err := x.enter("a"); err == nil {
		t.Error("a third export of one user may begin")
	}
	if _, err := x.enter("c"); err != nil {
		t.Error("after one has ended none may begin")
	}
}
