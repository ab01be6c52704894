// Package testdata_test keeps the sample transcripts honest: they decode, they hold what the README says, and their
// cross references lead somewhere. It imports nothing of the project but schemas.
package testdata_test

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/schemas"
)

const dir = "transcripts"

var beijing = time.FixedZone("CST", 8*60*60)

// lines reads a file as its lines, without blank ones.
func lines(t *testing.T, path string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	sc := bufio.NewScanner(bytes.NewReader(b))
	sc.Buffer(nil, schemas.MaxMessageBytes)
	for sc.Scan() {
		if len(bytes.TrimSpace(sc.Bytes())) > 0 {
			out = append(out, bytes.Clone(sc.Bytes()))
		}
	}
	if err := sc.Err(); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return out
}

// decode reads a file all of whose lines must be good.
func decode(t *testing.T, name string) []*schemas.Message {
	t.Helper()
	var out []*schemas.Message
	for i, l := range lines(t, filepath.Join(dir, name)) {
		m, err := schemas.Decode(l)
		if err != nil {
			t.Fatalf("%s:%d: %v", name, i+1, err)
		}
		out = append(out, m)
	}
	return out
}

func files(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no file matches %s (%v)", pattern, err)
	}
	for i := range paths {
		paths[i] = filepath.Base(paths[i])
	}
	return paths
}

// wholeSessions are the sessions of the chats and calls, by file.
func wholeSessions(t *testing.T, pattern string) []*schemas.Session {
	t.Helper()
	var out []*schemas.Session
	for _, name := range files(t, pattern) {
		for i, m := range decode(t, name) {
			if m.Session == nil {
				t.Fatalf("%s:%d: a %s, want only sessions", name, i+1, m.Type)
			}
			out = append(out, m.Session)
		}
	}
	return out
}

func TestEveryBadLineIsBadInItsOwnWay(t *testing.T) {
	want := []string{"", "turns[1].role", "turns", "session_id", "amount"}
	got := lines(t, filepath.Join(dir, "bad.jsonl"))
	if len(got) != len(want) {
		t.Fatalf("bad.jsonl has %d lines, want %d", len(got), len(want))
	}
	for i, l := range got {
		m, err := schemas.Decode(l)
		var fe *schemas.FieldError
		if !errors.As(err, &fe) {
			t.Errorf("bad.jsonl:%d decodes to %+v, %v; want an error at %q", i+1, m, err, want[i])
			continue
		}
		if fe.Field != want[i] {
			t.Errorf("bad.jsonl:%d fails at %q (%v), want %q", i+1, fe.Field, fe, want[i])
		}
	}
}

func TestSessionIDsAreUnique(t *testing.T) {
	where := map[string]string{}
	for _, pattern := range []string{"chats-*.jsonl", "calls-*.jsonl"} {
		for _, name := range files(t, pattern) {
			for i, m := range decode(t, name) {
				at := fmt.Sprintf("%s:%d", name, i+1)
				if first, ok := where[m.Session.SessionID]; ok {
					t.Errorf("%s: session %s is also at %s", at, m.Session.SessionID, first)
				}
				where[m.Session.SessionID] = at
			}
		}
	}
	for _, name := range append(files(t, "live-*.jsonl"), "odd.jsonl") {
		for id := range sessionIDs(decode(t, name)) {
			if first, ok := where[id]; ok {
				t.Errorf("%s: session %s is also at %s", name, id, first)
			}
			where[id] = name
		}
	}
}

// sessionIDs are the sessions that the messages speak of, ratings aside.
func sessionIDs(messages []*schemas.Message) map[string]bool {
	ids := map[string]bool{}
	for _, m := range messages {
		switch {
		case m.Session != nil:
			ids[m.Session.SessionID] = true
		case m.Turn != nil:
			ids[m.Turn.SessionID] = true
		case m.End != nil:
			ids[m.End.SessionID] = true
		}
	}
	return ids
}

func turnsOf(messages []*schemas.Message) (turns []schemas.Turn) {
	for _, m := range messages {
		switch {
		case m.Session != nil:
			turns = append(turns, m.Session.Turns...)
		case m.Turn != nil:
			turns = append(turns, m.Turn.Turn)
		}
	}
	return turns
}

// TestReadmeCounts compares the table of the README with the files, both ways.
func TestReadmeCounts(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, l := range strings.Split(string(readme), "\n") {
		cells := strings.Split(l, "|")
		if len(cells) < 6 || !strings.Contains(cells[1], ".jsonl") {
			continue
		}
		name := strings.Trim(cells[1], " `")
		rows[name] = strings.TrimSpace(cells[2]) + " lines, " + strings.TrimSpace(cells[3]) + " sessions, " + strings.TrimSpace(cells[4]) + " turns"
	}
	for _, name := range files(t, "*.jsonl") {
		want := fmt.Sprintf("%d lines, 0 sessions, 0 turns", len(lines(t, filepath.Join(dir, name))))
		if name != "bad.jsonl" {
			m := decode(t, name)
			want = fmt.Sprintf("%d lines, %d sessions, %d turns", len(m), len(sessionIDs(m)), len(turnsOf(m)))
		}
		if rows[name] != want {
			t.Errorf("README says of %s: %q, the file has %q", name, rows[name], want)
		}
		delete(rows, name)
	}
	for name := range rows {
		t.Errorf("README lists %s, which does not exist", name)
	}
}

func TestChatsAndCallsCoverTheField(t *testing.T) {
	chats, calls := wholeSessions(t, "chats-*.jsonl"), wholeSessions(t, "calls-*.jsonl")
	if len(chats) < 70 || len(calls) < 24 {
		t.Fatalf("%d chats and %d calls, want at least 70 and 24", len(chats), len(calls))
	}
	shops, business, days, hours := map[string]int{}, map[string]int{}, map[string]int{}, map[int]int{}
	roles, agents, seen := map[schemas.Role]int{}, map[string]int{}, map[string]int{}
	var auto, empty, turns, withSeq, overMidnight, transfers, unanswered int
	for _, s := range append(append([]*schemas.Session{}, chats...), calls...) {
		shops[s.Shop]++
		business[s.Business]++
		days[s.StartedAt.In(beijing).Format(time.DateOnly)]++
		hours[s.StartedAt.In(beijing).Hour()]++
		mine := map[string]bool{}
		var first, last time.Time
		for _, u := range s.Turns {
			turns++
			seen[u.Text]++
			roles[u.Role]++
			if u.Role == schemas.Agent {
				agents[u.AgentID]++
				mine[u.AgentID] = true
			}
			if u.Auto {
				auto++
			}
			if u.Text == "" {
				empty++
			}
			if !u.At.IsZero() {
				if first.IsZero() {
					first = u.At
				}
				last = u.At
			}
		}
		if s.Turns[0].Seq.OK {
			withSeq++
		}
		if first.In(beijing).Format(time.DateOnly) < last.In(beijing).Format(time.DateOnly) {
			overMidnight++
		}
		if len(mine) > 1 {
			transfers++
		}
		if s.Turns[len(s.Turns)-1].Role == schemas.Customer {
			unanswered++
		}
	}
	all := len(chats) + len(calls)
	atLeast := func(what string, got, want int) {
		t.Helper()
		if got < want {
			t.Errorf("%s: %d, want at least %d", what, got, want)
		}
	}
	atLeast("shops", len(shops), 5)
	for _, b := range []string{"presales", "insales", "aftersales", "followup"} {
		atLeast("sessions of "+b, business[b], 3)
	}
	atLeast("days", len(days), 14)
	atLeast("hours of the day", len(hours), 14)
	for _, r := range []schemas.Role{schemas.Customer, schemas.Agent, schemas.Bot, schemas.System} {
		atLeast("turns of role "+string(r), roles[r], 5)
	}
	atLeast("agents", len(agents), 8)
	atLeast("automatic replies", auto, 3)
	atLeast("empty texts", empty, 5)
	atLeast("sessions across midnight", overMidnight, 2)
	atLeast("sessions with two agents", transfers, 2)
	atLeast("sessions that the customer ends", unanswered, 10)
	if share := float64(withSeq) / float64(all); share < .6 || share > .75 {
		t.Errorf("%.2f of the whole sessions carry seq, want about two thirds", share)
	}
	if repeated := float64(turns-len(seen)) / float64(turns); repeated > .25 {
		t.Errorf("%.2f of the texts repeat, want at most .25", repeated)
	}
}

func TestDatesLieInTheStatedPeriod(t *testing.T) {
	from, to := time.Date(2026, 10, 10, 0, 0, 0, 0, beijing), time.Date(2026, 11, 16, 0, 0, 0, 0, beijing)
	f := func(what string, at, from time.Time) {
		t.Helper()
		if !at.IsZero() && (at.Before(from) || !at.Before(to)) {
			t.Errorf("%s: %s is outside the stated period", what, at.In(beijing))
		}
	}
	names := append(files(t, "c*.jsonl"), files(t, "live-*.jsonl")...)
	for _, name := range append(names, "ratings.jsonl", "orders.jsonl") {
		for i, m := range decode(t, name) {
			what := fmt.Sprintf("%s:%d", name, i+1)
			switch {
			case m.Session != nil:
				f(what, m.Session.StartedAt, from)
				f(what, m.Session.EndedAt, from)
				for _, u := range m.Session.Turns {
					f(what, u.At, from)
				}
			case m.Turn != nil:
				f(what, m.Turn.At, from)
			case m.End != nil:
				f(what, m.End.At, from)
			case m.Rating != nil:
				f(what, m.Rating.At, from)
			case m.Order != nil:
				// The orders people come back about were made before the first consult.
				f(what, m.Order.CreatedAt, from.AddDate(0, 0, -15))
				f(what, m.Order.UpdatedAt, from.AddDate(0, 0, -15))
			}
		}
	}
}

func TestCallsHaveTimesAndConfidence(t *testing.T) {
	var overlaps, silences int
	for _, s := range wholeSessions(t, "calls-*.jsonl") {
		if s.Channel != "call" {
			t.Errorf("%s: channel %q, want call", s.SessionID, s.Channel)
		}
		var end int64
		for i, u := range s.Turns {
			if !u.StartMS.OK || !u.EndMS.OK || u.EndMS.V <= u.StartMS.V {
				t.Errorf("%s turn %d: start %v, end %v", s.SessionID, i+1, u.StartMS, u.EndMS)
			}
			if (u.Role == schemas.Customer || u.Role == schemas.Agent) && !u.Confidence.OK {
				t.Errorf("%s turn %d has no confidence", s.SessionID, i+1)
			}
			if i > 0 && u.StartMS.V < end {
				overlaps++
			}
			if i > 0 && u.StartMS.V-end > 10_000 {
				silences++
			}
			end = u.EndMS.V
		}
	}
	if overlaps < 5 || silences < 5 {
		t.Errorf("%d overlaps and %d silences of over 10 s, want at least 5 each", overlaps, silences)
	}
}

func TestLiveSessionsArriveAsTheyDoInLife(t *testing.T) {
	sessions, ended := map[string]bool{}, map[string]bool{}
	var disorder, duplicates, afterEnd, corrected, gaps, metas int
	for _, name := range files(t, "live-*.jsonl") {
		highest, seqs, raw := map[string]int64{}, map[string]map[int64]bool{}, map[string]bool{}
		all := lines(t, filepath.Join(dir, name))
		for i, m := range decode(t, name) {
			switch {
			case m.Session != nil:
				metas++
				if len(m.Session.Turns) != 0 {
					t.Errorf("%s:%d: a live session line with turns", name, i+1)
				}
			case m.End != nil:
				ended[m.End.SessionID] = true
			case m.Turn != nil:
				id, seq := m.Turn.SessionID, m.Turn.Seq.V
				sessions[id] = true
				if seqs[id] == nil {
					seqs[id] = map[int64]bool{}
				}
				if raw[string(all[i])] {
					duplicates++
				} else if seq < highest[id] {
					disorder++
				}
				if m.Turn.Revision > 0 {
					corrected++
				}
				if ended[id] {
					afterEnd++
				}
				seqs[id][seq] = true
				highest[id] = max(highest[id], seq)
			}
			raw[string(all[i])] = true
		}
		for id, s := range seqs {
			gaps += int(highest[id]) - len(s)
		}
	}
	var open int
	for id := range sessions {
		if !ended[id] {
			open++
		}
	}
	f := func(what string, got, want int) {
		t.Helper()
		if got < want {
			t.Errorf("%s: %d, want at least %d", what, got, want)
		}
	}
	f("live sessions", len(sessions), 8)
	f("session lines", metas, 8)
	f("turns out of order", disorder, 2)
	f("duplicated turns", duplicates, 2)
	f("turns after the end", afterEnd, 1)
	f("corrected turns", corrected, 2)
	f("missing seq", gaps, 2)
	if open != 2 {
		t.Errorf("%d live sessions have no end, want 2", open)
	}
}

// TestOddSessionsAreMended: what is odd but lawful decodes, and every kind of repair occurs.
func TestOddSessionsAreMended(t *testing.T) {
	var got schemas.Repair
	for i, m := range decode(t, "odd.jsonl") {
		if m.Session == nil {
			t.Fatalf("odd.jsonl:%d: a %s, want only sessions", i+1, m.Type)
		}
		got |= m.Session.Repairs
		for _, u := range m.Session.Turns {
			got |= u.Repairs
		}
	}
	if want := schemas.RepairUTF8 | schemas.RepairNUL | schemas.RepairTime | schemas.RepairSpan; got&want != want {
		t.Errorf("repairs %b, want all of %b", got, want)
	}
}

func TestOrdersAndRatingsLeadToSessions(t *testing.T) {
	known, customers := map[string]bool{}, map[string]bool{}
	for _, name := range append(files(t, "c*.jsonl"), files(t, "live-*.jsonl")...) {
		m := decode(t, name)
		for id := range sessionIDs(m) {
			known[id] = true
		}
		for _, x := range m {
			if x.Session != nil && x.Session.CustomerID != "" {
				customers[x.Session.Shop+" "+x.Session.CustomerID] = true
			}
		}
	}
	for i, m := range decode(t, "ratings.jsonl") {
		if m.Rating == nil || !known[m.Rating.SessionID] {
			t.Errorf("ratings.jsonl:%d: not a rating of a known session", i+1)
		}
	}
	agents := agentTeams(t)
	var noAgent, noCustomer, noItems, refunds int
	last := map[string]*schemas.Order{}
	for i, m := range decode(t, "orders.jsonl") {
		o := m.Order
		if o == nil {
			t.Fatalf("orders.jsonl:%d: a %s, want only orders", i+1, m.Type)
		}
		if o.CustomerID != "" && !customers[o.Shop+" "+o.CustomerID] {
			t.Errorf("orders.jsonl:%d: customer %s never consulted %s", i+1, o.CustomerID, o.Shop)
		}
		if o.AgentID != "" && len(agents[o.AgentID]) == 0 {
			t.Errorf("orders.jsonl:%d: agent %s is not in agents.csv", i+1, o.AgentID)
		}
		if p := last[o.OrderID]; p != nil && (o.UpdatedAt.Before(p.UpdatedAt) || schemas.OrderRank(o.Status) < schemas.OrderRank(p.Status)) {
			t.Errorf("orders.jsonl:%d: %s goes back from %s to %s", i+1, o.OrderID, p.Status, o.Status)
		}
		if paid := !o.PaidAt.IsZero(); paid != (schemas.OrderRank(o.Status) > 0) {
			t.Errorf("orders.jsonl:%d: status %s, paid_at %v", i+1, o.Status, o.PaidAt)
		}
		last[o.OrderID] = o
	}
	for _, o := range last {
		if o.AgentID == "" {
			noAgent++
		}
		if o.CustomerID == "" {
			noCustomer++
		}
		if len(o.Items) == 0 {
			noItems++
		}
		if o.RefundAmount != "" {
			refunds++
		}
	}
	if noAgent == 0 || noCustomer == 0 || noItems == 0 || refunds < 5 {
		t.Errorf("orders without agent %d, customer %d, items %d; refunds %d", noAgent, noCustomer, noItems, refunds)
	}
}

// agentTeams reads agents.csv: the teams of an agent by the day each is valid from.
func agentTeams(t *testing.T) map[string]map[string]string {
	t.Helper()
	b, err := os.ReadFile("agents.csv")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(rows[0], ","); got != "agent_id,name,team,valid_from" {
		t.Fatalf("agents.csv: header %q", got)
	}
	out := map[string]map[string]string{}
	for i, r := range rows[1:] {
		if _, err := time.Parse(time.DateOnly, r[3]); err != nil {
			t.Errorf("agents.csv:%d: %v", i+2, err)
		}
		if out[r[0]] == nil {
			out[r[0]] = map[string]string{}
		}
		if out[r[0]][r[3]] != "" {
			t.Errorf("agents.csv:%d: %s has two teams from %s", i+2, r[0], r[3])
		}
		out[r[0]][r[3]] = r[2]
	}
	return out
}

func TestAgentsAndTeamsAreListed(t *testing.T) {
	agents := agentTeams(t)
	for _, s := range append(wholeSessions(t, "chats-*.jsonl"), wholeSessions(t, "calls-*.jsonl")...) {
		for _, u := range s.Turns {
			if u.Role == schemas.Agent && len(agents[u.AgentID]) == 0 {
				t.Errorf("%s: agent %q is not in agents.csv", s.SessionID, u.AgentID)
			}
		}
		if s.Team == "" {
			continue
		}
		day, from := s.StartedAt.In(beijing).Format(time.DateOnly), ""
		for d := range agents[s.AgentID] {
			if d <= day && d > from {
				from = d
			}
		}
		if want := agents[s.AgentID][from]; s.Team != want {
			t.Errorf("%s: team %q, agents.csv says %q", s.SessionID, s.Team, want)
		}
	}
}

func TestProductsCoverTheSessions(t *testing.T) {
	b, err := os.ReadFile("products.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Products []struct {
			Name    string
			Aliases []string
			Shop    string
		}
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		t.Fatal(err)
	}
	names, known := map[string]string{}, map[string]bool{}
	for _, p := range file.Products {
		known[p.Shop+" "+p.Name] = true
		for _, n := range append([]string{p.Name}, p.Aliases...) {
			if other, ok := names[p.Shop+" "+n]; ok {
				t.Errorf("%s of %s names both %s and %s", n, p.Shop, other, p.Name)
			}
			names[p.Shop+" "+n] = p.Name
		}
	}
	for _, s := range append(wholeSessions(t, "chats-*.jsonl"), wholeSessions(t, "calls-*.jsonl")...) {
		if s.Product != "" && !known[s.Shop+" "+s.Product] {
			t.Errorf("%s: product %q of %s is not in products.yaml", s.SessionID, s.Product, s.Shop)
		}
	}
}
