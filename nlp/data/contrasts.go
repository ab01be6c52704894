package data

import (
	_ "embed"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

//go:embed contrasts.txt
var contrastsFile string

// Contrasts gives rows that this project's own patterns (contrasts.txt) make: utterances that differ little in form and by
// their label in meaning. The same file gives the same rows. No row carries mentions.
func Contrasts() ([]Row, error) { return parseContrasts(contrastsFile) }

// maxVariants bounds the rows of one pattern.
const maxVariants = 40

// parseContrasts reads lines of three kinds, beside # comments and blank ones:
//
//	$name = a | b | c                          a list
//	[48] customer annoyed negative: {真|可真}$word，$bad      a pattern; the number of rows in brackets may be left out
//	customer grateful positive < agent: 还有别的吗 : 没了，谢谢   with the turn before
//
// A pattern stands for all ways to choose from its lists and alternatives; of these at most 40, or the number in brackets, are
// taken, evenly and in an order its text decides. An emotion of - leaves the emotion open, and so does a polarity of -.
func parseContrasts(text string) ([]Row, error) {
	lists := map[string][]string{}
	var rows []Row
	var errs []string
	seen := map[string]string{}
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		bad := func(format string, a ...any) {
			errs = append(errs, fmt.Sprintf("line %d: ", n+1)+fmt.Sprintf(format, a...))
		}
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '$' {
			name, values, ok := strings.Cut(line[1:], "=")
			if !ok {
				bad("a list without =")
				continue
			}
			for _, v := range strings.Split(values, "|") {
				lists[strings.TrimSpace(name)] = append(lists[strings.TrimSpace(name)], strings.TrimSpace(v))
			}
			continue
		}
		most := maxVariants
		if line[0] == '[' {
			if _, err := fmt.Sscanf(line, "[%d]", &most); err != nil {
				bad("%v", err)
				continue
			}
			line = strings.TrimSpace(line[strings.Index(line, "]")+1:])
		}
		head, body, ok := strings.Cut(line, ": ")
		f := strings.Fields(head)
		var before string
		if ok && len(f) > 4 && f[3] == "<" {
			var turn string
			if turn, body, ok = strings.Cut(body, " : "); ok {
				before = f[4] + ": " + turn
			}
			f = f[:3]
		}
		if !ok || len(f) != 3 {
			bad("want: role emotion polarity: pattern")
			continue
		}
		variants, err := expand(body, lists, most)
		if err != nil {
			bad("%v", err)
			continue
		}
		for i, v := range variants {
			r := Row{ID: fmt.Sprintf("K%d-%d", n+1, i), Role: f[0], Text: v, Emotion: open(f[1]), Polarity: open(f[2])}
			if before != "" {
				b, err := expand(before, lists, 1+i)
				if err != nil {
					bad("%v", err)
					break
				}
				r.Context = []string{b[i%len(b)]}
			}
			key, label := fmt.Sprint(r.Role, r.Context, r.Text), r.Emotion+"/"+r.Polarity
			switch seen[key] {
			case "":
				seen[key] = label
				rows = append(rows, r)
			case label:
			default:
				bad("%q is %s here and %s above", r.Text, label, seen[key])
			}
		}
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("cannot read contrasts.txt: %s", strings.Join(errs, "; "))
	}
	return rows, nil
}

func open(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// expand gives at most n texts of a pattern.
func expand(pattern string, lists map[string][]string, n int) ([]string, error) {
	var slots [][]string
	for rest := pattern; rest != ""; {
		i := strings.IndexAny(rest, "{$")
		if i < 0 {
			slots = append(slots, []string{rest})
			break
		}
		if i > 0 {
			slots = append(slots, []string{rest[:i]})
		}
		if rest[i] == '{' {
			j := strings.IndexByte(rest, '}')
			if j < i {
				return nil, fmt.Errorf("{ without }")
			}
			slots = append(slots, strings.Split(rest[i+1:j], "|"))
			rest = rest[j+1:]
			continue
		}
		j := i + 1
		for j < len(rest) && (rest[j] >= 'a' && rest[j] <= 'z' || rest[j] >= '0' && rest[j] <= '9') {
			j++
		}
		list, ok := lists[rest[i+1:j]]
		if !ok {
			return nil, fmt.Errorf("no list $%s", rest[i+1:j])
		}
		slots = append(slots, list)
		rest = rest[j:]
	}
	all := 1
	for _, s := range slots {
		all = min(all*len(s), 1<<30)
	}
	seed := uint64(14695981039346656037)
	for _, c := range []byte(pattern) {
		seed = (seed ^ uint64(c)) * 1099511628211
	}
	// Each slot goes through a shuffled order of its values, so that all of them occur about equally often.
	rng := rand.New(rand.NewPCG(seed, 1))
	orders := make([][]int, len(slots))
	var out []string
	for tries := 0; len(out) < min(n, all) && tries < 20*n; tries++ {
		var b strings.Builder
		for k, s := range slots {
			if len(orders[k]) == 0 {
				orders[k] = rng.Perm(len(s))
			}
			b.WriteString(s[orders[k][0]])
			orders[k] = orders[k][1:]
		}
		v := b.String()
		for depth := 0; strings.Contains(v, "$"); depth++ {
			// A list inside an alternative: any of its values, another one each time.
			if depth > 3 {
				return nil, fmt.Errorf("lists inside lists inside lists")
			}
			inner, err := expand(v, lists, 1+tries%16)
			if err != nil {
				return nil, err
			}
			v = inner[tries%len(inner)]
		}
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out, nil
}
