package alert

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/tingke/tingke/pipeline/warehouse"
)

// Schema names the form of what is sent. Fields are only added.
const Schema = "tingke.alert.v1"

// Payload is one alert as targets and browsers get it. Texts are masked.
type Payload struct {
	Schema       string    `json:"schema"`
	Type         string    `json:"type"` // alert
	AlertID      string    `json:"alert_id"`
	Kind         string    `json:"kind"`
	SessionID    string    `json:"session_id"`
	RuleID       string    `json:"rule_id"`
	RuleVersion  string    `json:"rule_version,omitempty"`
	Severity     string    `json:"severity"`
	Title        string    `json:"title"`
	Reason       string    `json:"reason"`
	Evidence     string    `json:"evidence,omitempty"`
	EvidenceSeqs []int64   `json:"evidence_seqs,omitempty"`
	At           time.Time `json:"at"`
	StoredAt     time.Time `json:"stored_at"`
	Channel      string    `json:"channel,omitempty"`
	Shop         string    `json:"shop,omitempty"`
	Team         string    `json:"team,omitempty"`
	AgentID      string    `json:"agent_id,omitempty"`
	CustomerID   string    `json:"customer_id,omitempty"`
	HitID        string    `json:"hit_id,omitempty"`
	SessionURL   string    `json:"session_url,omitempty"`
	TakeoverURL  string    `json:"takeover_url,omitempty"`
}

// Digest stands for alerts that came faster than a target takes them.
type Digest struct {
	Schema   string         `json:"schema"`
	Type     string         `json:"type"` // digest
	Count    int            `json:"count"`
	ByRule   map[string]int `json:"by_rule"`
	From     time.Time      `json:"from"`
	To       time.Time      `json:"to"`
	AlertIDs []string       `json:"alert_ids"` // all of them
	Alerts   []Payload      `json:"alerts"`    // the first, at most digestShows
	Text     string         `json:"text"`      // "37 more alerts: 禁用语 20, 未致歉 17"
}

// digestShows is how many alerts a digest shows whole.
const digestShows = 10

// Links fills the templates of links.
func (o *Options) links(sessionID string) (session, takeover string) {
	fill := func(t string) string { return strings.ReplaceAll(t, sessionHole, escape(sessionID)) }
	return fill(o.SessionURL), fill(o.TakeoverURL)
}

// escape makes an id fit for a path and for a query: nothing but letters, digits, - _ . ~ and % stands for itself.
func escape(id string) string { return strings.ReplaceAll(url.QueryEscape(id), "+", "%20") }

func (o *Options) payloadOf(a *warehouse.Alert) Payload {
	p := Payload{
		Schema: Schema, Type: "alert", AlertID: a.AlertID, Kind: a.Kind, SessionID: a.SessionID, RuleID: a.RuleID, RuleVersion: a.RuleVersion, Severity: a.Severity,
		Title: a.Title, Reason: a.Reason, Evidence: a.Evidence, EvidenceSeqs: a.EvidenceSeqs, At: a.At.UTC(), StoredAt: a.StoredAt.UTC(), Channel: a.Channel, Shop: a.Shop,
		Team: a.Team, AgentID: a.AgentID, CustomerID: a.CustomerID, HitID: a.HitID,
	}
	p.SessionURL, p.TakeoverURL = o.links(a.SessionID)
	return p
}

// payload is what is stored and sent.
func (m *Manager) payload(a *warehouse.Alert) []byte {
	p := m.o.payloadOf(a)
	b, err := json.Marshal(&p)
	if err != nil { // a value of these types always encodes
		panic(err)
	}
	return b
}
