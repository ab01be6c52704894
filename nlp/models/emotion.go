// Package models holds the trained models inside the binary, each beside its card (a .md file of the same name). They are
// made by `tingke train`; `make models` makes all of them again. It imports nothing of this module.
package models

import _ "embed" // models travel inside the binary

// Emotion is the emotion and polarity model, in the format of package linear.
//
//go:embed emotion.bin
var Emotion []byte
