package rules

import (
	"regexp"
	"regexp/syntax"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// regexOp finds what one of its expressions matches, except in turns (or clauses, with in_clause) where one of not_regex
// matches.
type regexOp struct {
	any    []pattern
	except []*regexp.Regexp
	lits   []int32
	// always says that an expression has no literal, so that every text must be tried.
	always bool
}

// pattern is a compiled expression with the words of which one occurs in whatever it matches.
type pattern struct {
	re    *regexp.Regexp
	lits  *wordSet
	free  bool
	sieve sieve
}

func parseRegex(d *decoder, n *yaml.Node, _ bool) operator {
	op := &regexOp{}
	list := n
	if n.Kind == yaml.MappingNode {
		f, _ := d.mapping(n, "regex", "any", "not_regex")
		if list = f.get("any"); list == nil {
			d.errorf(n, "regex: {any: ['...'], not_regex: ['...']}", "regex needs any")
			return op
		}
		if v := f.get("not_regex"); v != nil {
			for _, it := range d.items(v, "regex.not_regex") {
				if re, _, ok := d.pattern(it); ok {
					op.except = append(op.except, re)
				}
			}
		}
	}
	for _, it := range d.items(list, "regex") {
		re, tree, ok := d.pattern(it)
		if !ok {
			continue
		}
		p := pattern{re: re, sieve: newSieve(tree)}
		if lits, ok := requiredLiterals(tree); ok {
			p.lits = d.wordSet(lits)
			op.lits = append(op.lits, p.lits.ids...)
		} else {
			p.free, op.always = true, true
		}
		op.any = append(op.any, p)
	}
	return op
}

// pattern compiles one expression (RE2). Its literals are brought into the form of normalised texts: a full-width
// question mark stands for the half-width one, upper case for lower.
func (d *decoder) pattern(n *yaml.Node) (*regexp.Regexp, *syntax.Regexp, bool) {
	s := d.str(n, "regex")
	if s == "" {
		if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
			d.errorf(n, "", "a regular expression is empty")
		}
		return nil, nil, false
	}
	tree, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		hint := "expressions are RE2: no look-ahead, look-behind or back-references"
		if e, ok := err.(*syntax.Error); ok && e.Code != syntax.ErrInvalidPerlOp && e.Code != syntax.ErrInvalidEscape {
			hint = "at " + clip(e.Expr, 40)
		}
		d.errorf(n, hint, "invalid regular expression: %v", regexProblem(err))
		return nil, nil, false
	}
	if !d.checkRegex(n, tree) {
		return nil, nil, false
	}
	d.foldTree(tree)
	re, err := regexp.Compile(withoutGroups(tree).String())
	if err != nil {
		d.errorf(n, "", "invalid regular expression: %v", regexProblem(err))
		return nil, nil, false
	}
	if re.MatchString("") {
		d.errorf(n, "give it something that must occur", "the expression matches the empty text, so it matches everywhere")
		return nil, nil, false
	}
	d.matchesAny(n, re)
	tree, err = syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return nil, nil, false
	}
	return re, tree.Simplify(), true
}

// withoutGroups makes groups that capture into such that do not: nobody asks what they hold, and each is a step of matching.
func withoutGroups(re *syntax.Regexp) *syntax.Regexp {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	for i, sub := range re.Sub {
		re.Sub[i] = withoutGroups(sub)
	}
	return re
}

func regexProblem(err error) string {
	if e, ok := err.(*syntax.Error); ok {
		return e.Code.String()
	}
	return err.Error()
}

func (d *decoder) foldTree(re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpLiteral:
		re.Rune = []rune(d.fold(string(re.Rune)))
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			lo, hi := re.Rune[i], re.Rune[i+1]
			// Single members and ranges of ASCII capitals get their folded form as well; wide ranges such as \S stay.
			if lo == hi {
				if f := foldRune(lo); f != lo {
					re.Rune = append(re.Rune, f, f)
				}
			} else if lo >= 'A' && hi <= 'Z' {
				re.Rune = append(re.Rune, lo+'a'-'A', hi+'a'-'A')
			}
		}
		sortClass(re.Rune)
	}
	for _, s := range re.Sub {
		d.foldTree(s)
	}
}

// sortClass orders the ranges of a character class by their start, as the regexp package wants them.
func sortClass(r []rune) {
	for i := 2; i+1 < len(r); i += 2 {
		for j := i; j >= 2 && r[j] < r[j-2]; j -= 2 {
			r[j], r[j-2] = r[j-2], r[j]
			r[j+1], r[j-1] = r[j-1], r[j+1]
		}
	}
}

func (op *regexOp) literals() ([]int32, bool) { return op.lits, !op.always }

// maxRegexHits bounds the matches of one expression in one text.
const maxRegexHits = 16

func (op *regexOp) eval(e *evaluation, s scope) result {
	var hits []hit
	for _, i := range s.turns {
		text, from := e.text(i), int32(0)
		if s.to >= 0 {
			text, from = text[s.from:s.to], s.from
		}
		first := len(hits)
		var seen grams // of the text, once an expression asks
		for k := range op.any {
			p := &op.any[k]
			if !p.free && !e.turnHas(i, p.lits, s) {
				continue
			}
			if len(p.sieve) > 0 {
				if seen == (grams{}) {
					seen = gramsOf(text)
				}
				if !p.sieve.passes(&seen) {
					continue
				}
			}
			if e.truthOnly && len(op.except) == 0 {
				if m := p.re.FindStringIndex(text); m != nil && m[1] > m[0] {
					return result{truth: yes, hits: []hit{{turn: i, start: from + int32(m[0]), end: from + int32(m[1])}}}
				}
				continue
			}
			for _, m := range p.re.FindAllStringIndex(text, maxRegexHits) {
				if m[1] > m[0] {
					hits = append(hits, hit{turn: i, start: from + int32(m[0]), end: from + int32(m[1])})
				}
			}
		}
		if len(hits) == first {
			continue
		}
		for _, re := range op.except {
			if re.MatchString(text) {
				hits = hits[:first]
				break
			}
		}
		sortHits(hits[first:])
	}
	return e.told(foundIn(s, hits), func() string { return places(len(hits)) })
}

// turnHas says whether a word of the set occurs in the turn, inside the scope.
func (e *evaluation) turnHas(turn int32, w *wordSet, s scope) bool {
	if s.to >= 0 && s.sig&w.sig == 0 {
		return false
	}
	for _, m := range e.matchesIn(turn, s) {
		if w.has(m.pattern) && (s.to < 0 || m.start >= s.from && m.end <= s.to) {
			return true
		}
	}
	return false
}

const (
	// maxExact bounds the texts an expression is expanded to, maxLiterals the words kept for one expression.
	maxExact    = 64
	maxLiterals = 256
)

// requiredLiterals gives words of which at least one occurs in every match of the expression; false where it has none.
func requiredLiterals(re *syntax.Regexp) ([]string, bool) {
	exact, need, ok := literalsOf(re)
	if exact != nil {
		need, ok = exact, true
	}
	if !ok {
		return nil, false
	}
	for _, w := range need {
		if w == "" {
			return nil, false
		}
	}
	return need, len(need) > 0 && len(need) <= maxLiterals
}

// literalsOf gives either all texts that re matches (exact, when few), or words of which one is in every match (need).
func literalsOf(re *syntax.Regexp) (exact, need []string, ok bool) {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			for _, r := range re.Rune {
				if r >= utf8.RuneSelf {
					return nil, nil, false
				}
			}
		}
		s := foldText(string(re.Rune))
		if utf8.RuneCountInString(s) > maxWordChars {
			s = string([]rune(s)[:maxWordChars])
			return nil, []string{s}, true
		}
		return []string{s}, nil, false
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return []string{""}, nil, false
	case syntax.OpCharClass:
		n := 0
		for i := 0; i+1 < len(re.Rune); i += 2 {
			n += int(re.Rune[i+1]-re.Rune[i]) + 1
			if n > maxExact/4 {
				return nil, nil, false
			}
		}
		for i := 0; i+1 < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				exact = append(exact, string(r))
			}
		}
		return exact, nil, false
	case syntax.OpCapture:
		return literalsOf(re.Sub[0])
	case syntax.OpQuest:
		if exact, _, _ := literalsOf(re.Sub[0]); exact != nil && len(exact) < maxExact {
			return append(append([]string(nil), exact...), ""), nil, false
		}
		return nil, nil, false
	case syntax.OpPlus:
		exact, need, ok := literalsOf(re.Sub[0])
		return nil, pick(exact, need), ok || exact != nil
	case syntax.OpRepeat:
		if re.Min == 0 {
			return nil, nil, false
		}
		exact, need, ok := literalsOf(re.Sub[0])
		return nil, pick(exact, need), ok || exact != nil
	case syntax.OpAlternate:
		allExact := true
		for _, sub := range re.Sub {
			x, n, ok := literalsOf(sub)
			if x == nil && !ok {
				return nil, nil, false
			}
			if x == nil {
				allExact = false
			}
			need = append(need, pick(x, n)...)
		}
		if allExact && len(need) <= maxExact {
			return need, nil, false
		}
		return nil, need, true
	case syntax.OpConcat:
		return concatLiterals(re.Sub)
	}
	return nil, nil, false
}

func pick(exact, need []string) []string {
	if exact != nil {
		return exact
	}
	return need
}

// concatLiterals joins the texts of neighbouring parts while they stay few, and keeps the best group of words seen.
func concatLiterals(subs []*syntax.Regexp) (exact, need []string, ok bool) {
	run := []string{""}
	whole := true
	var best []string
	offer := func(words []string) {
		if len(words) > 0 && len(words) <= maxLiterals && (best == nil || score(words) > score(best)) {
			best = words
		}
	}
	for _, sub := range subs {
		x, n, ok := literalsOf(sub)
		if x != nil && len(run)*len(x) <= maxExact {
			joined := make([]string, 0, len(run)*len(x))
			for _, a := range run {
				for _, b := range x {
					joined = append(joined, a+b)
				}
			}
			run = joined
			continue
		}
		offer(run)
		whole = false
		run = []string{""}
		switch {
		case x != nil:
			run = x
		case ok:
			offer(n)
		}
	}
	if whole {
		return run, nil, false
	}
	offer(run)
	if best == nil || score(best) == 0 {
		return nil, nil, false
	}
	return nil, best, true
}

// score prefers groups whose shortest word is long, then small groups.
func score(words []string) int {
	shortest := maxWordChars
	for _, w := range words {
		shortest = min(shortest, utf8.RuneCountInString(w))
	}
	if shortest == 0 {
		return 0
	}
	return min(shortest, 4)*1000 + maxLiterals - len(words)
}
