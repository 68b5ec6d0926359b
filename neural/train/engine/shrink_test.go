package engine_test

import (
	"maps"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/reference"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// depthwise is a family of one depthwise convolution.
func depthwise(t *testing.T, kernel int) *neural.Graph {
	b := neural.NewBuilder("depthwise")
	x := b.Input("x", neural.Shape{2, 7, 7})
	g, err := b.Build(b.Named("dw", neural.Conv{Kernel: kernel, Groups: neural.Depthwise}, x))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Matrices that are identities are the plain centre, which a kernel of 1 always is; other
// ones are learned, and a network's own weights are what comes out.
func TestKernelTransforms(t *testing.T) {
	onEach(t, func(t *testing.T, d *engine.Device) {
		large := depthwise(t, 7)
		matrices := engine.KernelTransforms(large)
		if len(matrices) != 2 || len(matrices["dw/7to5"]) != 25*25 || len(matrices["dw/5to3"]) != 9*9 {
			t.Fatalf("matrices of %v", sortedNames(matrices))
		}
		r := rng.New(1, "shrink", 0)
		for _, kernel := range []int{1, 3, 5, 7} {
			small := depthwise(t, kernel)
			p := random(r, small, 3, false)
			w := large.Initial(r)
			plain := params(t, d, large, w)
			maps.Copy(w, engine.KernelTransforms(large))
			learned := params(t, d, large, w)
			one, grad := gradientOf(t, plain, small, p.batch(), engine.Loss{}, engine.Noise{})
			two, more := gradientOf(t, learned, small, p.batch(), engine.Loss{}, engine.Noise{})
			for i, x := range one.Outputs {
				if !near(float64(two.Outputs[i]), float64(x), 1e-5) {
					t.Fatalf("kernel %d: identities give %g, want %g", kernel, two.Outputs[i], x)
				}
			}
			for i, x := range grad["dw/weight"] {
				if !near(float64(more["dw/weight"][i]), float64(x), 1e-5) {
					t.Fatalf("kernel %d: identities give the gradient %g, want %g", kernel, more["dw/weight"][i], x)
				}
			}
			for _, name := range sortedNames(matrices) { // shaken apart from identity
				for i := range w[name] {
					w[name][i] += float32(0.1 * rng.Norm(r))
				}
			}
			if err := learned.Load(w); err != nil {
				t.Fatal(err)
			}
			back, err := learned.Weights()
			if err != nil || !reflect.DeepEqual(back, w) {
				t.Fatalf("weights do not come back: %v", err)
			}
			score, grads := gradientOf(t, learned, small, p.batch(), engine.Loss{}, engine.Noise{})
			n, err := learned.Net(small)
			if err != nil {
				t.Fatal(err)
			}
			own, err := n.Weights()
			if err != nil {
				t.Fatal(err)
			}
			loss := func(w neural.Weights) float64 {
				sum, count := 0.0, 0.0
				for i, in := range p.inputs {
					out, err := reference.Run(small, neural.Weights{"dw/weight": shrunk(w, kernel)}, in...)
					if err != nil {
						t.Fatal(err)
					}
					for k, y := range out[0] {
						sum += (y - p.targets[i][k]) * (y - p.targets[i][k])
						count++
					}
				}
				return sum / count
			}
			if want := loss(w); !near(score.Loss, want, 1e-4) {
				t.Errorf("kernel %d: loss %g, want %g", kernel, score.Loss, want)
			}
			for i, x := range shrunk(w, kernel) {
				if !near(float64(own["dw/weight"][i]), float64(x), 1e-5) {
					t.Errorf("kernel %d: its own weight is %g, want %g", kernel, own["dw/weight"][i], x)
				}
			}
			for _, name := range sortedNames(w) {
				for range 6 {
					k := r.IntN(len(w[name]))
					keep := w[name][k]
					var at, y [2]float64
					for i, h := range []float32{1e-2, -1e-2} {
						w[name][k] = keep + h
						at[i], y[i] = float64(w[name][k]), loss(w)
					}
					w[name][k] = keep
					want := (y[0] - y[1]) / (at[0] - at[1])
					if got := float64(grads[name][k]); math.Abs(got-want) > 1e-3*max(0.1, math.Abs(want)) {
						t.Errorf("kernel %d: d/d %s[%d] = %g, want %g", kernel, name, k, got, want)
					}
				}
			}
		}
		w := large.Initial(r)
		w["dw/7to5"] = make([]float32, 3)
		if _, err := d.Params(large, w); err == nil || !strings.Contains(err.Error(), "want 25×25") {
			t.Errorf("a matrix of another size: %v", err)
		}
	})
}

// shrunk is the kernel of a smaller network, in the graph's order.
func shrunk(w neural.Weights, kernel int) []float32 {
	v := w["dw/weight"]
	for side := 7; side > kernel; side -= 2 {
		h := side - 2
		m := w[map[int]string{7: "dw/7to5", 5: "dw/5to3"}[side]]
		if side == 3 {
			m = []float32{1}
		}
		y := make([]float32, 2*h*h)
		for c := range 2 {
			for j := range h * h {
				sum := 0.0
				for i := range h * h {
					sum += float64(m[j*h*h+i]) * float64(v[c*side*side+(i/h+1)*side+i%h+1])
				}
				y[c*h*h+j] = float32(sum)
			}
		}
		v = y
	}
	return v
}
