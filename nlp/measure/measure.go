// Package measure holds the figures by which the language stages are judged. It is used by `tingke eval`, by training and
// by the regression gates of the tests; it imports only the standard library.
package measure

import (
	"math"
	"sort"
)

// Kappa is Cohen's kappa of two labellings of the same rows (Cohen 1960); 1 where chance explains all and they agree.
func Kappa(a, b []string) float64 {
	ca, cb := map[string]int{}, map[string]int{}
	same := 0
	for i := range a {
		ca[a[i]]++
		cb[b[i]]++
		if a[i] == b[i] {
			same++
		}
	}
	chance := 0
	for k, v := range ca {
		chance += v * cb[k] // whole numbers: the order of the map does not matter
	}
	n := float64(len(a))
	expected := float64(chance) / n / n
	if expected >= 1 {
		return 1
	}
	return (float64(same)/n - expected) / (1 - expected)
}

// F1 is the harmonic mean of precision and recall of one class; 0 where it occurs neither in gold nor in found.
func F1(gold, found []string, class string) float64 {
	both, sum := 0, 0
	for i := range gold {
		if gold[i] == class && found[i] == class {
			both++
		}
		if gold[i] == class {
			sum++
		}
		if found[i] == class {
			sum++
		}
	}
	if sum == 0 {
		return 0
	}
	return 2 * float64(both) / float64(sum)
}

// MacroF1 is the mean F1 of the classes.
func MacroF1(gold, found, classes []string) float64 {
	sum := 0.0
	for _, c := range classes {
		sum += F1(gold, found, c)
	}
	return sum / float64(len(classes))
}

// Accuracy is the share of equal labels.
func Accuracy(gold, found []string) float64 {
	same := 0
	for i := range gold {
		if gold[i] == found[i] {
			same++
		}
	}
	return float64(same) / float64(len(gold))
}

// Spearman is the rank correlation; equal values share the mean of their ranks.
func Spearman(x, y []float64) float64 { return pearson(ranks(x), ranks(y)) }

func ranks(v []float64) []float64 {
	at := make([]int, len(v))
	for i := range at {
		at[i] = i
	}
	sort.SliceStable(at, func(i, j int) bool { return v[at[i]] < v[at[j]] })
	out := make([]float64, len(v))
	for i := 0; i < len(at); {
		j := i
		for j < len(at) && v[at[j]] == v[at[i]] {
			j++
		}
		for _, k := range at[i:j] {
			out[k] = float64(i+j-1) / 2
		}
		i = j
	}
	return out
}

func pearson(x, y []float64) float64 {
	n := float64(len(x))
	var mx, my, xy, xx, yy float64
	for i := range x {
		mx, my = mx+x[i]/n, my+y[i]/n
	}
	for i := range x {
		dx, dy := x[i]-mx, y[i]-my
		xy, xx, yy = xy+dx*dy, xx+dx*dx, yy+dy*dy
	}
	if xx == 0 || yy == 0 {
		return 0
	}
	return xy / math.Sqrt(xx*yy)
}

// AUC is the probability that a positive scores above a negative, ties counting half (Mann-Whitney).
func AUC(scores []float64, positive []bool) float64 {
	r := ranks(scores)
	sum, n := 0.0, 0
	for i, p := range positive {
		if p {
			sum += r[i] + 1
			n++
		}
	}
	m := len(scores) - n
	if n == 0 || m == 0 {
		return 0.5
	}
	return (sum - float64(n)*float64(n+1)/2) / (float64(n) * float64(m))
}

// ECE is the expected calibration error over ten bins of equal width (Guo et al. 2017): the mean distance between the
// confidence of a decision and how often such decisions are right.
func ECE(confidence []float64, right []bool) float64 {
	var conf, hit, count [10]float64
	for i, c := range confidence {
		b := min(int(c*10), 9)
		conf[b] += c
		count[b]++
		if right[i] {
			hit[b]++
		}
	}
	sum := 0.0
	for b := range count {
		sum += math.Abs(conf[b] - hit[b])
	}
	return sum / float64(len(confidence))
}
