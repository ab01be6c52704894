package api

import "strings"

// Diff is what differs between two texts.
type Diff struct {
	From  string     `json:"from"`
	To    string     `json:"to"`
	Lines []DiffLine `json:"lines" doc:"all lines of both, in order"`
}

// DiffLine is a line of one text or of both.
type DiffLine struct {
	Change string `json:"change" enum:"same,removed,added"`
	Text   string `json:"text"`
	Old    int    `json:"old,omitempty" doc:"number in the first text, from 1"`
	New    int    `json:"new,omitempty" doc:"number in the second text, from 1"`
}

// maxDiffCells bounds the table of a comparison; longer texts are compared without looking for what moved.
const maxDiffCells = 16_000_000

// diffLines compares two texts line by line: the longest common subsequence between what both begin and end with.
func diffLines(from, to string) []DiffLine {
	a, b := strings.Split(from, "\n"), strings.Split(to, "\n")
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	x, y := a[head:len(a)-tail], b[head:len(b)-tail]
	var out []DiffLine
	i, j := 0, 0
	same := func(text string) {
		i++
		j++
		out = append(out, DiffLine{"same", text, i, j})
	}
	for _, l := range a[:head] {
		same(l)
	}
	// common[p][q] is the length of the longest common subsequence of x[p:] and y[q:].
	var common [][]int32
	if (len(x)+1)*(len(y)+1) <= maxDiffCells {
		common = make([][]int32, len(x)+1)
		for p := range common {
			common[p] = make([]int32, len(y)+1)
		}
		for p := len(x) - 1; p >= 0; p-- {
			for q := len(y) - 1; q >= 0; q-- {
				if x[p] == y[q] {
					common[p][q] = common[p+1][q+1] + 1
				} else {
					common[p][q] = max(common[p+1][q], common[p][q+1])
				}
			}
		}
	}
	for p, q := 0, 0; p < len(x) || q < len(y); {
		switch {
		case p < len(x) && q < len(y) && x[p] == y[q] && common != nil:
			same(x[p])
			p++
			q++
		case p < len(x) && (q == len(y) || common == nil || common[p+1][q] >= common[p][q+1]):
			i++
			out = append(out, DiffLine{Change: "removed", Text: x[p], Old: i})
			p++
		default:
			j++
			out = append(out, DiffLine{Change: "added", Text: y[q], New: j})
			q++
		}
	}
	for _, l := range a[len(a)-tail:] {
		same(l)
	}
	return out
}
