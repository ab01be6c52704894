package emotion

import (
	"strings"

	"github.com/tingke/tingke/nlp/cue"
	"github.com/tingke/tingke/schemas"
)

// tags are the tags of the lexicons that the code refers to.
type tags struct {
	// feeling gives the emotion of a tag, or none; agentFeeling that of a tag that only counts for agents (agent-angry).
	feeling, agentFeeling []int8
	// Tags that feed an emotion through a decision in the code.
	thanks, thanks2, gratefulWord, noThanks, noneLeft cue.Tag
	sorry, sorryAgent, sorryCustomer                  cue.Tag
	giveUp, wishAgent                                 cue.Tag
	neg, neg2, deg, dim, cond                         cue.Tag
	q, qpart, qmark, anota, manyQ, bang, ask, why     cue.Tag
	pos, bad, ack                                     cue.Tag
	moreOffer, rateWish, closing, private, instruct   cue.Tag
	soothe, req, report, act, gone, stillNot          cue.Tag
	sarcasm, lone                                     cue.Tag
}

const none = -1

func findTags(l *cue.Lexicon) tags {
	t := tags{feeling: make([]int8, l.Tags()), agentFeeling: make([]int8, l.Tags())}
	for i := range t.feeling {
		t.feeling[i], t.agentFeeling[i] = none, none
		name := l.TagName(cue.Tag(i))
		if e, ok := schemas.ParseEmotion(name); ok {
			t.feeling[i] = int8(e)
		}
		if own, ok := strings.CutPrefix(name, "agent-"); ok {
			if e, ok := schemas.ParseEmotion(own); ok {
				t.agentFeeling[i] = int8(e)
			}
		}
	}
	for name, to := range map[string]*cue.Tag{
		"thanks": &t.thanks, "thanks2": &t.thanks2, "gratefulword": &t.gratefulWord, "nothanks": &t.noThanks, "noneleft": &t.noneLeft,
		"sorry": &t.sorry, "sorryagent": &t.sorryAgent, "sorrycust": &t.sorryCustomer, "giveup": &t.giveUp, "wishagent": &t.wishAgent,
		"neg": &t.neg, "neg2": &t.neg2, "deg": &t.deg, "dim": &t.dim, "cond": &t.cond, "q": &t.q, "qpart": &t.qpart, "qmark": &t.qmark,
		"anota": &t.anota, "manyq": &t.manyQ, "bang": &t.bang, "ask": &t.ask, "why": &t.why, "pos": &t.pos, "bad": &t.bad, "ack": &t.ack,
		"moreoffer": &t.moreOffer, "ratewish": &t.rateWish, "closing": &t.closing, "private": &t.private, "instruct": &t.instruct,
		"soothe": &t.soothe, "req": &t.req, "report": &t.report, "act": &t.act, "gone": &t.gone, "stillnot": &t.stillNot,
		"sarcasm": &t.sarcasm, "lone": &t.lone,
	} {
		*to = l.Tag(name)
	}
	return t
}
