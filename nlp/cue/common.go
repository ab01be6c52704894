package cue

import _ "embed"

//go:embed common.txt
var commonText string

// Common is the lexicon of function words and judgements that the emotion and mention lexicons build on: tags neg,
// neg2, deg, dim, q (and its kinds why, how, whatup, howto, what, qpart, qmark, anota, ask), elapsed, stillnot, still,
// again, cond, ack, bang, pos, bad, and shield for entries that only keep shorter ones from counting.
func Common() Source { return Source{Name: "cue/common.txt", Text: commonText} }
