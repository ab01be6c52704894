package mention

import (
	"embed"
	"fmt"
	"io/fs"

	"github.com/tingke/tingke/nlp/cue"
	"github.com/tingke/tingke/nlp/textnorm"
	"github.com/tingke/tingke/schemas"
)

//go:embed lexicon/*.txt
var lexiconFiles embed.FS

func normalise(s string) string { return textnorm.Normalise(s).Text }

func compile() (*cue.Lexicon, error) {
	sources := []cue.Source{cue.Common()}
	files, err := fs.Glob(lexiconFiles, "lexicon/*.txt") // sorted
	if err != nil {
		return nil, fmt.Errorf("cannot list mention lexicon: %w", err)
	}
	for _, f := range files {
		b, err := lexiconFiles.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("cannot read mention lexicon: %w", err)
		}
		sources = append(sources, cue.Source{Name: "mention/" + f, Text: string(b)})
	}
	return cue.Compile(normalise, sources...)
}

// role of a tag in the decision.
type tagRole uint8

const (
	roleNone tagRole = iota
	roleAspect
	roleRequest
	roleCanYou
	roleSuggestion
	roleBug
	roleComplain
	rolePraise
	roleNoMention
	roleRant
	roleConcrete
	roleSelfFact
	roleBareQuestion
	roleQuestion
	roleQuestionMark
	roleWhat
	rolePos
	roleBad
	roleNeg
	roleReproach
	roleCause
)

var roleNames = map[string]tagRole{
	"request": roleRequest, "canyou": roleCanYou, "suggestion": roleSuggestion, "bug": roleBug, "complain": roleComplain,
	"praise": rolePraise, "nomention": roleNoMention, "rant": roleRant, "concrete": roleConcrete, "selffact": roleSelfFact,
	"bareq": roleBareQuestion, "anota": roleQuestionMark, "q": roleQuestion, "qmark": roleQuestionMark, "what": roleWhat, "pos": rolePos, "bad": roleBad,
	"neg": roleNeg, "reproach": roleReproach, "whatup": roleCause, "why": roleCause, "howto": roleCause,
}

// tagUse says what each tag of the lexicon does: its role, and for an aspect which one.
type tagUse struct {
	role   tagRole
	aspect uint8 // index of schemas.Aspects
}

func useOfTags(l *cue.Lexicon) []tagUse {
	uses := make([]tagUse, l.Tags())
	for i := range uses {
		name := l.TagName(cue.Tag(i))
		uses[i].role = roleNames[name]
		for a, aspect := range schemas.Aspects {
			if name == aspect {
				uses[i] = tagUse{roleAspect, uint8(a)}
			}
		}
	}
	return uses
}
