package api

// The roles in short, for the table.
const (
	all      = "admin supervisor product analyst agent"
	allStaff = "admin supervisor product analyst"
)

// access of every route: who may call it. This is written by hand and is the oracle: a route that is not here, or whose
// roles differ, fails TestRoles. Path is a good request for the world of the tests, body its JSON, media its type where
// it is no JSON. $names in path and body are filled in by newNames, anew for each request. Each file of routes keeps its rows together.
var roleTable = []struct {
	route string // as it is declared
	path  string
	body  string
	roles string
}{
	// routes_me.go
	{"GET /me", "/me", "", all},
	// routes_sessions.go, routes_session.go
	{"GET /sessions", "/sessions?flagged=1", "", all},
	{"GET /sessions/counts", "/sessions/counts", "", all},
	{"GET /sessions/{session_id}", "/sessions/one-2", "", all},
	{"GET /sessions/{session_id}/neighbours", "/sessions/one-2/neighbours", "", all},
	{"GET /filters", "/filters", "", all},
	// routes_overview.go, routes_kpi.go
	{"GET /overview", "/overview?day=2026-03-03", "", allStaff},
	{"GET /kpi", "/kpi?from=2026-03-01&to=2026-03-31", "", "admin supervisor analyst agent"},
	{"GET /kpi/trend", "/kpi/trend?from=2026-03-01&to=2026-03-31&agent=a1", "", "admin supervisor analyst agent"},
	{"GET /kpi/sessions", "/kpi/sessions?figure=received&from=2026-03-01&to=2026-03-31", "", "admin supervisor analyst agent"},
	{"GET /kpi/rules", "/kpi/rules?rule=ban&date=2026-03-03&from=2026-03-01&to=2026-03-31", "", "admin supervisor analyst agent"},
	{"GET /kpi/broken", "/kpi/broken?from=2026-03-01&to=2026-03-31", "", "admin supervisor analyst agent"},
	// routes_opinions.go, routes_opinion.go
	{"GET /opinions", "/opinions", "", allStaff},
	{"GET /opinions/counts", "/opinions/counts", "", allStaff},
	{"GET /opinions/{opinion_id}", "/opinions/$opinion", "", allStaff},
	{"GET /opinions/{opinion_id}/quotes", "/opinions/$opinion/quotes", "", allStaff},
	{"GET /opinions/{opinion_id}/customers", "/opinions/$opinion/customers", "", allStaff},
	{"PATCH /opinions/{opinion_id}", "/opinions/$opinion", `{"answer":"249元"}`, "admin supervisor product"},
	{"POST /opinions/{opinion_id}/merge", "/opinions/$opinion/merge", `{"ids":["$other"]}`, "admin product"},
	{"POST /opinions/{opinion_id}/unmerge", "/opinions/$opinion/unmerge", `{"ids":["$other"]}`, "admin product"},
	{"POST /opinions/{opinion_id}/split", "/opinions/$opinion/split", `{"containing":["没有这个词"]}`, "admin product"},
	{"GET /mentions", "/mentions", "", allStaff},
	// routes_search.go
	{"GET /turns", "/turns?q=面膜", "", allStaff},
	{"GET /searches", "/searches", "", allStaff},
	{"POST /searches", "/searches", `{"name":"面膜","target":"turns","query":"q=%E9%9D%A2%E8%86%9C","shared":false}`, allStaff},
	{"PUT /searches/{search_id}", "/searches/$search", `{"name":"面膜","target":"turns","query":"","shared":false}`, allStaff},
	{"DELETE /searches/{search_id}", "/searches/$search", "", allStaff},
	// routes_rules.go
	{"GET /rules", "/rules", "", allStaff},
	{"GET /rules/packs/{pack}", "/rules/packs/test", "", allStaff},
	{"GET /rules/history", "/rules/history", "", allStaff},
	{"GET /rules/packs/{pack}/diff", "/rules/packs/test/diff", "", allStaff},
	{"POST /rules/packs", "/rules/packs", `{"yaml":"$pack","note":"n"}`, "admin supervisor"},
	{"POST /rules/packs/{pack}/rollback", "/rules/packs/mine/rollback", `{"version":"1","note":""}`, "admin supervisor"},
	{"POST /rules/packs/{pack}/withdraw", "/rules/packs/mine/withdraw", `{"note":"n"}`, "admin supervisor"},
	// routes_drafts.go, routes_forms.go, jobs.go
	{"POST /rules/lint", "/rules/lint", `{"yaml":"$pack"}`, allStaff},
	{"POST /rules/test", "/rules/test", `{"yaml":"$pack"}`, allStaff},
	{"POST /rules/try", "/rules/try", `{"text":"客户: 在吗\n客服: 不关我的事"}`, allStaff},
	{"POST /rules/backtest", "/rules/backtest", `{"yaml":"$pack","from":"2026-03-01","to":"2026-03-31"}`, "admin supervisor analyst"},
	{"GET /rules/forms", "/rules/forms", "", allStaff},
	{"POST /rules/forms/apply", "/rules/forms/apply", `{"form":"must_say","values":{"id":"x","name":"x","first":1,"words":["您好"],"reason":"x"}}`, allStaff},
	{"POST /rules/forms/read", "/rules/forms/read", `{"yaml":"$pack","rule":"late"}`, allStaff},
	{"POST /searches/draft", "/searches/draft", `{"words":["加微信"]}`, allStaff},
	{"GET /sessions/{session_id}/explain", "/sessions/one-2/explain?rule=ban", "", all},
	{"GET /jobs", "/jobs", "", allStaff},
	{"GET /jobs/{job_id}", "/jobs/$job", "", allStaff},
	{"DELETE /jobs/{job_id}", "/jobs/$job", "", allStaff},
	// routes_data.go
	{"GET /data/views", "/data/views", "", allStaff},
	{"POST /data/sql", "/data/sql", `{"sql":"SELECT count() FROM sessions"}`, "admin analyst"},
	{"GET /data/runs", "/data/runs", "", "admin analyst"},
	{"GET /data/dead-letters", "/data/dead-letters", "", "admin analyst"},
	{"GET /data/health", "/data/health", "", "admin analyst"},
	// routes_alerts.go
	{"GET /alerts", "/alerts?open=1", "", "admin supervisor analyst"},
	{"GET /alerts/counts", "/alerts/counts", "", "admin supervisor analyst"},
	{"GET /alerts/stream", "/alerts/stream?wait=0&last_event_id=1", "", "admin supervisor analyst"},
	{"GET /alerts/{alert_id}", "/alerts/alert-one", "", "admin supervisor analyst"},
	{"POST /alerts/{alert_id}/acknowledge", "/alerts/alert-one/acknowledge", `{"note":"我去看看"}`, "admin supervisor"},
	// routes_review.go
	{"GET /sessions/{session_id}/review", "/sessions/one-2/review", "", "admin supervisor agent"},
	{"POST /sessions/{session_id}/review", "/sessions/one-2/review", `{"action": "note", "note": "看过了"}`, "admin supervisor agent"},
	{"POST /reviews/bulk", "/reviews/bulk", `{"actions": [{"session_id": "one-2", "action": "note", "note": "看过了"}]}`, "admin supervisor"},
	{"POST /reviews/assign", "/reviews/assign", `{"method": "round_robin", "reviewers": [{"user": "sup"}], "dry_run": true}`, "admin supervisor"},
	{"GET /reviews/reviewers", "/reviews/reviewers", "", "admin supervisor"},
	{"GET /reviews/queue", "/reviews/queue", "", "admin supervisor"},
	{"GET /reviews/appeals", "/reviews/appeals", "", "admin supervisor agent"},
	{"GET /reviews/appealable", "/reviews/appealable", "", "agent"},
	{"POST /sessions/{session_id}/hits/{hit_id}/case", "/sessions/one-2/hits/" + banHit + "/case", "{}", "admin supervisor"}, // nobody has dismissed it
	{"GET /reviews/precision", "/reviews/precision?from=2026-03-01", "", allStaff},
	// routes_export.go
	{"GET /exports", "/exports", "", allStaff},
	{"GET /exports/opinions", "/exports/opinions?split=department", "", allStaff},
	{"GET /exports/mentions", "/exports/mentions?format=csv", "", allStaff},
	{"GET /exports/sessions", "/exports/sessions?format=parquet&flagged=1", "", "admin supervisor analyst"},
	{"GET /exports/hits", "/exports/hits?format=arrow", "", "admin supervisor analyst"},
	{"GET /exports/turns", "/exports/turns?format=jsonl&q=x", "", "admin supervisor analyst"},
	{"GET /exports/kpi", "/exports/kpi?level=teams&by=day", "", "admin supervisor analyst"},
	// routes_import.go
	{"POST /imports", "/imports", uploadBody("chats.jsonl", `{"session_id":"up-1","turns":[{"role":"customer","text":"在吗"}]}`), "admin supervisor"},
	{"GET /imports", "/imports", "", "admin supervisor"},
	{"GET /imports/{upload_id}", "/imports/$upload", "", "admin supervisor"},
	{"DELETE /imports/{upload_id}", "/imports/$upload", "", "admin supervisor"},
	{"POST /imports/{upload_id}/preview", "/imports/$upload/preview", "{}", "admin supervisor"},
	{"POST /imports/{upload_id}/run", "/imports/$upload/run", "{}", "admin supervisor"},
}
