package measure

import (
	"math"
	"testing"
)

func TestFigures(t *testing.T) {
	near := func(name string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	a, b := []string{"x", "x", "y", "y"}, []string{"x", "y", "y", "y"}
	near("kappa", Kappa(a, b), 0.5)
	near("kappa of equals", Kappa(a, a), 1)
	near("kappa of one class", Kappa([]string{"x"}, []string{"x"}), 1)
	near("f1", F1(a, b, "x"), 2.0/3)
	near("f1 of an absent class", F1(a, b, "z"), 0)
	near("macro", MacroF1(a, b, []string{"x", "y"}), (2.0/3+0.8)/2)
	near("accuracy", Accuracy(a, b), 0.75)
	near("spearman", Spearman([]float64{1, 2, 3}, []float64{10, 20, 90}), 1)
	near("spearman of a constant", Spearman([]float64{1, 2, 3}, []float64{5, 5, 5}), 0)
	near("spearman with ties", Spearman([]float64{1, 1, 2}, []float64{3, 3, 1}), -1)
	near("auc", AUC([]float64{.1, .4, .35, .8}, []bool{false, false, true, true}), 0.75)
	near("auc of ties", AUC([]float64{1, 1}, []bool{true, false}), 0.5)
	near("ece", ECE([]float64{1, 1, 0.5, 0.5}, []bool{true, true, true, false}), 0)
	near("ece of certain mistakes", ECE([]float64{1, 1}, []bool{false, false}), 1)
}
