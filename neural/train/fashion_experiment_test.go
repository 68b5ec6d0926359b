//go:build experiment

package train

import (
	"testing"

	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/nets"
)

// TestFashionExperiment trains LeNet-5 on the built-in part of Fashion-MNIST with a few
// recipes and prints what they come to.
//
//	GOEXPERIMENT=simd go test -tags experiment -v -run FashionExperiment ./neural/train
func TestFashionExperiment(t *testing.T) {
	d, err := data.Source{Name: "fashion-mnist"}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g, err := nets.LeNet5{}.Graph()
	if err != nil {
		t.Fatal(err)
	}
	dev := device(t, 1)
	for _, c := range []struct {
		name string
		r    Recipe
	}{
		{"zero value, 3 epochs", Recipe{Epochs: 3}},
		{"the same with a running mean", Recipe{Epochs: 3, EMA: 0.99}},
		{"the same with smoothing and flips", Recipe{Epochs: 3, Smoothing: 0.1, Augment: []string{"flip"}}},
		{"adamw, 3 epochs", Recipe{Epochs: 3, Optimizer: "adamw", WeightDecay: 0.01}},
		{"linear with a warm-up", Recipe{Epochs: 3, Schedule: "linear", Warmup: 0.2}},
	} {
		start := cpuTime()
		r, err := Fit(t.Context(), Job{Device: dev, Graph: g, Train: d.Train, Valid: d.Test, Scale: d.Scale, Recipe: c.r})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("| %s | %.2f %% | %.3f | %.1f s |", c.name, 100*r.Valid.Accuracy, r.Valid.Loss, (cpuTime() - start).Seconds())
		if r.Valid.Accuracy < 0.8 {
			t.Errorf("%s: an accuracy of %v, want at least 0.8", c.name, r.Valid.Accuracy)
		}
	}
}
