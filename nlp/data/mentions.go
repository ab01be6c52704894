package data

import (
	"bytes"
	_ "embed"
)

//go:embed mentions_own.jsonl
var mentionsOwn []byte

// OwnMentions gives further customers' turns of the project with mentions alone: their emotion is not labelled.
func OwnMentions() ([]Row, error) {
	return Decode[Row](bytes.NewReader(mentionsOwn), "mentions_own.jsonl")
}
