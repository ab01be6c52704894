package main

import (
	"fmt"
	"io"
	"sort"
	"strings"
	"text/tabwriter"

	"github.com/tingke/tingke/schemas"
)

// summary counts what was found in a set of sessions, for people.
type summary struct {
	Sessions int            `json:"sessions"`
	Turns    int            `json:"turns"`
	Flagged  int            `json:"flagged"`
	Emotions map[string]int `json:"emotions"`
	Mentions map[string]int `json:"mentions"`
	Agents   map[string]int `json:"-"`
	Failed   map[string]int `json:"-"`
}

func newSummary() summary {
	return summary{Emotions: map[string]int{}, Mentions: map[string]int{}, Agents: map[string]int{}, Failed: map[string]int{}}
}

func (s *summary) add(a *schemas.Analysis) {
	s.Sessions++
	s.Turns += len(a.Turns)
	if a.Findings.Flagged {
		s.Flagged++
	}
	for i := range a.Turns {
		if a.Turns[i].Role == schemas.Customer {
			s.Emotions[a.Turns[i].Emotion.String()]++
		}
	}
	for _, m := range a.Mentions {
		s.Mentions[m.Kind+" "+m.Aspect]++
	}
	for _, id := range a.AgentIDs {
		s.Agents[id]++
	}
	for rule, outcome := range a.Findings.Outcomes {
		if outcome == schemas.Fail || outcome == schemas.Present {
			s.Failed[rule]++
		}
	}
}

func (s *summary) write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "\nsessions\t%d\nturns\t%d\nflagged\t%d\nagents\t%d\n", s.Sessions, s.Turns, s.Flagged, len(s.Agents))
	fmt.Fprintf(tw, "emotions of customers\t%s\n", topCounts(s.Emotions, 8, emotionName))
	fmt.Fprintf(tw, "mentions\t%s\n", topCounts(s.Mentions, 8, nil))
	fmt.Fprintf(tw, "rules failed or present\t%s\n", topCounts(s.Failed, 12, nil))
	return tw.Flush()
}

// emotionName is what people call an emotion.
func emotionName(key string) string {
	e, _ := schemas.ParseEmotion(key)
	return e.Chinese()
}

// topCounts lists the n most frequent keys with their counts, ties by key.
func topCounts[N int | int64](counts map[string]N, n int, name func(string) string) string {
	keys := make([]string, 0, len(counts))
	for k := range counts {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool {
		if counts[keys[i]] != counts[keys[j]] {
			return counts[keys[i]] > counts[keys[j]]
		}
		return keys[i] < keys[j]
	})
	var parts []string
	for i, k := range keys {
		if i == n {
			parts = append(parts, fmt.Sprintf("and %d more", len(keys)-n))
			break
		}
		label := k
		if name != nil {
			label = name(k)
		}
		parts = append(parts, fmt.Sprintf("%s %d", label, counts[k]))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
