package emotion

import (
	"embed"
	"fmt"
	"io/fs"

	"github.com/tingke/tingke/nlp/cue"
	"github.com/tingke/tingke/nlp/textnorm"
)

//go:embed lexicon/*.txt
var lexiconFiles embed.FS

func compile() (*cue.Lexicon, error) {
	sources := []cue.Source{cue.Common()}
	files, err := fs.Glob(lexiconFiles, "lexicon/*.txt") // sorted
	if err != nil {
		return nil, fmt.Errorf("cannot list emotion lexicon: %w", err)
	}
	for _, f := range files {
		b, err := lexiconFiles.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("cannot read emotion lexicon: %w", err)
		}
		sources = append(sources, cue.Source{Name: "emotion/" + f, Text: string(b)})
	}
	return cue.Compile(func(s string) string { return textnorm.Normalise(s).Text }, sources...)
}
