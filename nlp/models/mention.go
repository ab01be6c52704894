package models

import _ "embed" // models travel inside the binary

// Mention is the model of mentions, in the format of package linear.
//
//go:embed mention.bin
var Mention []byte
