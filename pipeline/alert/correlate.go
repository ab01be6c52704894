package alert

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/tingke/tingke/pipeline/warehouse"
)

// Correlation alerts when rules found something so often within a time, over sessions: per agent, customer or shop. It is
// a query over the stored hits, asked every minute by one process.
type Correlation struct {
	ID       string        `yaml:"id"`
	Name     string        `yaml:"name"`
	Rules    []string      `yaml:"rules"`
	Per      string        `yaml:"per"`
	Count    int           `yaml:"count"`
	Within   time.Duration `yaml:"within"`
	Severity string        `yaml:"severity"`
}

const correlateEvery = time.Minute

func (m *Manager) correlator(ctx context.Context) {
	if len(m.o.Correlations) == 0 {
		return
	}
	tick := time.NewTicker(correlateEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := m.once(ctx, "alerts-correlations", m.Correlate); err != nil && ctx.Err() == nil {
			m.o.Log.Warn("cannot count hits over sessions", "error", err)
		}
	}
}

var perWords = map[string]string{"agent": "客服", "customer": "客户", "shop": "店铺"}

// Correlate asks all correlations once.
func (m *Manager) Correlate(ctx context.Context) error {
	now := time.Now()
	for _, c := range m.o.Correlations {
		counts, err := m.o.Store.CountHits(ctx, c.Per, c.Rules, now.Add(-c.Within), c.Count)
		if err != nil {
			return err
		}
		var list []candidate
		for _, n := range counts {
			a := warehouse.Alert{
				Kind: warehouse.AlertCorrelation, SessionID: n.SessionID, RuleID: c.ID, Severity: c.Severity, Title: c.Name, Shop: n.Shop, Team: n.Team, At: n.Latest,
				AgentID: n.Agent, SessionAgent: n.Agent,
				Reason: fmt.Sprintf("%s %s 在 %s 内有 %d 次命中，涉及 %d 个会话", perWords[c.Per], n.Key, c.Within, n.Hits, n.Sessions),
				// One alert in each stretch of the time, whichever process asks and whatever session is the latest by then.
				EvidenceKey: n.Key + "@" + strconv.FormatInt(n.Latest.UnixMilli()/c.Within.Milliseconds(), 10),
			}
			if c.Per == "customer" {
				a.CustomerID = n.Key
			}
			a.AlertID = ID("", c.ID, a.EvidenceKey)
			list = append(list, candidate{Alert: a, arrived: now})
		}
		if err := m.keepCorrelated(ctx, list); err != nil {
			return err
		}
	}
	return nil
}

// keepCorrelated stores and sends those that are not known. They are found by their ids, not by a session.
func (m *Manager) keepCorrelated(ctx context.Context, list []candidate) error {
	if len(list) == 0 {
		return nil
	}
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].AlertID
	}
	known, err := m.o.Store.AlertsByID(ctx, ids)
	if err != nil {
		return err
	}
	have := map[string]bool{}
	for _, a := range known {
		have[a.AlertID] = true
	}
	now := time.Now()
	var fresh []warehouse.Alert
	var send []*candidate
	for i := range list {
		c := &list[i]
		if have[c.AlertID] {
			continue
		}
		c.StoredAt = now.UTC()
		// The age of the latest session is no reason to keep silent: what is told is the count.
		c.At = now.UTC()
		c.Payload = string(m.payload(&c.Alert))
		fresh = append(fresh, c.Alert)
		send = append(send, c)
		m.metrics.decided.WithLabelValues(c.Kind).Inc()
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := m.o.Store.StoreAlerts(ctx, fresh); err != nil {
		return err
	}
	for _, c := range send {
		m.send(c)
	}
	return nil
}
