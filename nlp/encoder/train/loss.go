package train

import (
	"math"
)

// The losses add their gradients to the texts of a batch.

// rankLoss ranks pairs that mean the same above those that do not: log(1 + sum exp(scale (cos_different - cos_same))) over
// all couples of such pairs in the batch (CoSENT, Su Jianlin 2022).
func rankLoss(a, b []*text, same []bool, scale, weight float32) float32 {
	n := len(a)
	cos := make([]float64, n)
	most, least := math.Inf(-1), math.Inf(1)
	for i := range a {
		cos[i] = float64(scale * dot(a[i].unit, b[i].unit))
		if same[i] {
			least = min(least, cos[i])
		} else {
			most = max(most, cos[i])
		}
	}
	if math.IsInf(most, 0) || math.IsInf(least, 0) {
		return 0
	}
	// sum over couples of exp(d - s) = (sum exp d) (sum exp -s); factors around the largest keep it in range.
	var different, others float64
	for i := range cos {
		if same[i] {
			others += math.Exp(least - cos[i])
		} else {
			different += math.Exp(cos[i] - most)
		}
	}
	logSum := math.Log(different) + most + math.Log(others) - least
	total := math.Log1p(math.Exp(-math.Abs(logSum))) + max(logSum, 0)
	share := math.Exp(logSum - total)
	for i := range cos {
		var g float64
		if same[i] {
			g = -share * math.Exp(least-cos[i]) / others
		} else {
			g = share * math.Exp(cos[i]-most) / different
		}
		step := float32(g) * scale * weight
		axpy(a[i].grad, step, b[i].unit)
		axpy(b[i].grad, step, a[i].unit)
	}
	return float32(total)
}

// groupLoss draws texts of one group together and all others apart: the mean over anchors of
// -log(softmax of scale cos) over the texts of the anchor's group (supervised contrastive, Khosla et al. 2020).
// A text without another of its group only pushes the others away.
func groupLoss(texts []*text, group []int, scale, weight float32) float32 {
	n := len(texts)
	dim := len(texts[0].unit)
	sims := make([]float32, n*n)
	for i := range n {
		for j := i + 1; j < n; j++ {
			s := scale * dot(texts[i].unit, texts[j].unit)
			sims[i*n+j], sims[j*n+i] = s, s
		}
	}
	var total, anchors float32
	grads := make([]float32, n*n)
	for i := range n {
		row := sims[i*n : (i+1)*n]
		top, positives := float32(math.Inf(-1)), float32(0)
		for j := range n {
			if j != i {
				top = max(top, row[j])
				if group[j] == group[i] {
					positives++
				}
			}
		}
		if positives == 0 {
			continue
		}
		var sum float64
		for j := range n {
			if j != i {
				sum += math.Exp(float64(row[j] - top))
			}
		}
		logSum := float32(math.Log(sum)) + top
		anchors++
		for j := range n {
			if j == i {
				continue
			}
			g := float32(math.Exp(float64(row[j] - logSum)))
			if group[j] == group[i] {
				g -= 1 / positives
				total += (logSum - row[j]) / positives
			}
			grads[i*n+j] = g
		}
	}
	if anchors == 0 {
		return 0
	}
	for i := range n {
		for j := i + 1; j < n; j++ {
			g := (grads[i*n+j] + grads[j*n+i]) * scale * weight / anchors
			if g != 0 {
				axpy(texts[i].grad[:dim], g, texts[j].unit)
				axpy(texts[j].grad[:dim], g, texts[i].unit)
			}
		}
	}
	return total / anchors
}

// thresholdLoss pulls texts of one group above a cosine and pushes all others below it: binary cross-entropy of
// scale (cos - threshold) over all couples of the batch (SigLIP, Zhai et al. 2023, with a fixed bias). One threshold for
// all sources makes one granularity of clusters. Couples of a
// group weigh 1 together, each other couple balance / texts.
func thresholdLoss(texts []*text, group []int, scale, threshold, balance, weight float32) float32 {
	n := len(texts)
	var positives float32
	for i := range n {
		for j := i + 1; j < n; j++ {
			if group[i] == group[j] {
				positives++
			}
		}
	}
	if positives == 0 || weight == 0 {
		return 0
	}
	var total float32
	for i := range n {
		for j := i + 1; j < n; j++ {
			z := float64(scale * (dot(texts[i].unit, texts[j].unit) - threshold))
			var g, w float32
			if group[i] == group[j] {
				w = 1 / positives
				p := 1 / (1 + math.Exp(z))
				total += w * float32(math.Log1p(math.Exp(-math.Abs(z)))+max(-z, 0))
				g = -w * float32(p)
			} else {
				w = balance / float32(n)
				p := 1 / (1 + math.Exp(-z))
				total += w * float32(math.Log1p(math.Exp(-math.Abs(z)))+max(z, 0))
				g = w * float32(p)
			}
			g *= scale * weight
			if g > 1e-6 || g < -1e-6 { // the rest moves nothing, and there is much of it
				axpy(texts[i].grad, g, texts[j].unit)
				axpy(texts[j].grad, g, texts[i].unit)
			}
		}
	}
	return total
}
