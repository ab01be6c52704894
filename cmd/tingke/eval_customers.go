package main

import (
	"errors"
	"io/fs"

	"github.com/tingke/tingke/nlp"
	"github.com/tingke/tingke/nlp/opinion"
	"github.com/tingke/tingke/schemas"
)

// customerSessions are real chats and calls, customerTurns single turns of real buyers.
var (
	customerSessions = []string{"data/jddc_sample/dev.jsonl", "data/ecd_sample/dev.jsonl", "data/stc3_helpdesk/dev.jsonl", "data/mobilecs_example/dev.jsonl"}
	customerTurns    = "data/cic_intent/dev.jsonl"
)

// evalCustomers groups what real customers say as the registry does: their turns go through the mention stage, the
// valuable mentions are clustered by product, aspect family and side. It reports how many stand alone.
func evalCustomers(e *evalRun, m *opinion.Model) error {
	an, err := e.nlp()
	if err != nil {
		return err
	}
	var said []schemas.TurnMention
	missing := 0
	for _, path := range customerSessions {
		rows, err := evalRows[struct {
			Turns []schemas.Turn `json:"turns"`
		}](e, path)
		if errors.Is(err, fs.ErrNotExist) {
			missing++
			continue
		}
		if err != nil {
			return err
		}
		for _, s := range rows {
			said = append(said, customerMentions(an, s.Turns)...)
		}
	}
	const note = "valuable mentions of customers, grouped as the registry does; nothing is labelled, so this says nothing of right or wrong"
	if missing < len(customerSessions) {
		if err := e.reportAlone(m, "real chats, complaints that stand alone", note, said); err != nil {
			return err
		}
	} else if err := e.skip("real chats, complaints that stand alone", fs.ErrNotExist); err != nil {
		return err
	}
	rows, err := evalRows[intentRow](e, customerTurns)
	if err != nil {
		return e.skipIfAbsent("real customers, complaints that stand alone", err)
	}
	for _, r := range rows {
		said = append(said, customerMentions(an, []schemas.Turn{{Role: schemas.Customer, Text: r.Text}})...)
	}
	return e.reportAlone(m, "real customers, complaints that stand alone", note+"; with the turns of cic_intent, on which the encoder trained", said)
}

// customerMentions gives the valuable mentions of a conversation.
func customerMentions(an *nlp.Analyser, turns []schemas.Turn) []schemas.TurnMention {
	var out []schemas.TurnMention
	var context []string
	for _, t := range turns {
		if t.Role == schemas.Customer {
			for _, x := range an.Mentions(t.Role, t.Text, context) {
				if x.Valuable && opinion.HasPoint(x.Text) {
					out = append(out, x)
				}
			}
		}
		context = append(context, string(t.Role)+": "+t.Text)
	}
	return out
}

// reportAlone clusters mentions and reports the share of complaints and faults that no other mention joins; parts say
// the same of all mentions, and of the opinions.
func (e *evalRun) reportAlone(m *opinion.Model, name, note string, said []schemas.TurnMention) error {
	_, assigned := m.Grow(&opinion.Registry{}, mapped(said, func(x schemas.TurnMention) opinion.Mention {
		return opinion.Mention{Text: x.Text, Kind: x.Kind, Aspect: x.Aspect, Product: x.Product, Polarity: x.Polarity}
	}), opinion.Options{})
	count := map[string]int{}
	for _, a := range assigned {
		count[a.ID]++
	}
	var alone, complaints, complaintsAlone, single float64
	for i, a := range assigned {
		lone := count[a.ID] == 1
		if lone {
			alone++
		}
		if k := said[i].Kind; k == "complaint" || k == "bug" {
			complaints++
			if lone {
				complaintsAlone++
			}
		}
	}
	for _, n := range count {
		if n == 1 {
			single++
		}
	}
	share := func(a, b float64) float64 { return a / max(1, b) }
	return e.report(figure{Figure: name, Rows: len(said), Note: note, Limit: maxAlone, Parts: map[string]float64{
		"all": share(alone, float64(len(said))), "opinions": float64(len(count)), "opinions_of_one": share(single, float64(len(count))), "complaints": complaints,
	}}, share(complaintsAlone, complaints))
}

// maxAlone is the share of real complaints that may stand alone.
const maxAlone = .30
