// Package rerun judges stored sessions anew, with other rules, models or opinions, and decides which of the results are
// shown. The rows of a run lie beside the live ones under a run_id of their own; run_switches says which run the views show
// for sessions that start in a period, so that a switch is one insert, and so is taking it back.
//
// The invariant is that of the active run: the version of its row of a session is that of the session's transcript. A
// rerun works until its run fulfils it, then switches, and then looks once more. Live writes go through Live, which knows
// the switches at the moment of the write; what is left between the two (a process killed in between) is mended by Repair.
// A session of the period that gets further messages after the switch is judged as the run judges: its rules are stored.
//
// It must not import the dashboards.
package rerun

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// Compile loads rule packs with the options of this deployment.
type Compile func(...rules.Source) (*rules.Set, error)

// Filter chooses sessions of a period; an empty list chooses all.
type Filter struct {
	Shop     []string `json:"shop,omitempty"`
	Channel  []string `json:"channel,omitempty"`
	Business []string `json:"business,omitempty"`
	Source   []string `json:"source,omitempty"`
}

// Match says whether a session is chosen.
func (f *Filter) Match(m *schemas.Meta) bool {
	in := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	return in(f.Shop, m.Shop) && in(f.Channel, m.Channel) && in(f.Business, m.Business) && in(f.Source, m.Source)
}

// String is the filter as JSON, "" where it chooses all.
func (f Filter) String() string {
	for _, list := range []*[]string{&f.Shop, &f.Channel, &f.Business, &f.Source} {
		*list = slices.Compact(slices.Sorted(slices.Values(*list)))
	}
	b, err := json.Marshal(f)
	if err != nil || string(b) == "{}" {
		return ""
	}
	return string(b)
}

func parseFilter(text string) (f Filter, err error) {
	if text != "" {
		err = json.Unmarshal([]byte(text), &f)
	}
	return f, err
}

// judge is how a run judges sessions.
type judge struct {
	filter Filter
	rules  *rules.Set
}

// newJudge compiles the packs of a run.
func newJudge(r *warehouse.Run, packs []warehouse.RunPack, compile Compile) (*judge, error) {
	f, err := parseFilter(r.Filter)
	if err != nil {
		return nil, fmt.Errorf("run %d: its filter %q cannot be read: %w", r.ID, r.Filter, err)
	}
	sources := make([]rules.Source, len(packs))
	for i, p := range packs {
		sources[i] = rules.Text(p.Name, []byte(p.YAML))
	}
	set, err := compile(sources...)
	if err != nil {
		return nil, fmt.Errorf("the rules of run %d no longer compile: %w", r.ID, err)
	}
	return &judge{f, set}, nil
}

// with gives the analyser of a session: the base with the rules of the run where the run judges it, else the base.
func (j *judge) with(base *analyse.Analyser, m *schemas.Meta) *analyse.Analyser {
	if j == nil || !j.filter.Match(m) {
		return base
	}
	return base.WithRules(j.rules)
}
