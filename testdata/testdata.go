// Package testdata carries the project's own sample conversations inside the binary, so that the demo runs anywhere.
package testdata

import "embed"

// Samples holds transcripts/ (message lines), agents.csv and products.yaml; README.md says what is in each.
//
//go:embed transcripts agents.csv products.yaml
var Samples embed.FS
