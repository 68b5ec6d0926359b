package score

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/reference"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// What follows computes scores from their definitions with package reference, in float64,
// with differences for derivatives.

// example returns the inputs of an example in the graph's order.
func example(g *neural.Graph, b *engine.Batch, i int) (in [][]float64) {
	for k, j := range g.Inputs() {
		s := g.Node(j).Shape
		n := int(s.Elements())
		x := b.Inputs[k][i*n:][:n]
		v := make([]float64, n)
		for at := range v {
			from := at
			if s.Image() {
				pixels := s[1] * s[2]
				from = at%pixels*s[0] + at/pixels
			}
			v[at] = float64(x[from])
		}
		in = append(in, v)
	}
	return in
}

// trace returns the results of all nodes for all examples, normalised by the statistics
// of the batch: one normalisation after the other gets those of what it is given.
func trace(t testing.TB, g *neural.Graph, w neural.Weights, examples [][][]float64) (all [][][]float64, statistics neural.Weights) {
	w = maps.Clone(w)
	run := func() {
		all = nil
		for _, in := range examples {
			r, err := reference.Trace(g, w, slices.Clone(in)...)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
	}
	run()
	for i, n := range g.Nodes() {
		if _, ok := n.Op.(neural.BatchNorm); !ok {
			continue
		}
		features := n.Shape.Features()
		mean, variance := make([]float32, features), make([]float32, features)
		for c := range features {
			sum, square, count := 0.0, 0.0, 0.0
			each := func(f func(x float64)) {
				for _, r := range all {
					for k, x := range r[n.In[0]] {
						at := k % features
						if n.Shape.Image() {
							at = k / (n.Shape[1] * n.Shape[2])
						}
						if at == c {
							f(x)
						}
					}
				}
			}
			each(func(x float64) { sum, count = sum+x, count+1 })
			each(func(x float64) { square += (x - sum/count) * (x - sum/count) })
			mean[c], variance[c] = float32(sum/count), float32(square/count)
		}
		w[n.Name+"/mean"], w[n.Name+"/variance"] = mean, variance
		_ = i
		run()
	}
	return all, w
}

func examples(g *neural.Graph, b *engine.Batch) (all [][][]float64) {
	for i := range b.N {
		all = append(all, example(g, b, i))
	}
	return all
}

// outputs are those of the first output, of all examples.
func outputs(t testing.TB, g *neural.Graph, w neural.Weights, in [][][]float64) (out [][]float64) {
	all, _ := trace(t, g, w, in)
	for _, r := range all {
		out = append(out, r[g.Outputs()[0]])
	}
	return out
}

// loss is the mean cross-entropy.
func loss(t testing.TB, g *neural.Graph, w neural.Weights, b *engine.Batch) float64 {
	sum := 0.0
	for i, y := range outputs(t, g, w, examples(g, b)) {
		total := 0.0
		for _, v := range y {
			total += math.Exp(v)
		}
		sum += (math.Log(total) - y[b.Classes[i]]) / float64(b.N)
	}
	return sum
}

// changed returns weights of which one number is x.
func changed(w neural.Weights, name string, k int, x float32) neural.Weights {
	c := maps.Clone(w)
	c[name] = slices.Clone(w[name])
	c[name][k] = x
	return c
}

const step = 1.0 / 128

// slope is the derivative of f by a weight.
func slope(w neural.Weights, name string, k int, f func(neural.Weights) float64) float64 {
	up, down := w[name][k]+step, w[name][k]-step
	return (f(changed(w, name, k, up)) - f(changed(w, name, k, down))) / (float64(up) - float64(down))
}

// slopes are the derivatives by the weights of all layers.
func slopes(g *neural.Graph, w neural.Weights, f func(neural.Weights) float64) map[string][]float64 {
	all := map[string][]float64{}
	for _, n := range g.Nodes() {
		switch n.Op.(type) {
		case neural.Conv, neural.Linear:
			name := n.Name + "/weight"
			for k := range w[name] {
				all[name] = append(all[name], slope(w, name, k, f))
			}
		}
	}
	return all
}

// small is a network with all that matters: convolutions with and without normalisation,
// a sum, pools and a classifier. Its function is smooth if f is.
func small(t testing.TB, f neural.Func) *neural.Graph {
	b := neural.NewBuilder("small")
	x := b.Input("image", neural.Shape{2, 4, 4})
	act := func(x neural.Value) neural.Value { return b.Add(neural.Activation{Func: f}, x) }
	x = act(b.Add(neural.BatchNorm{}, b.Add(neural.Conv{Out: 2, Kernel: 3}, x)))
	y := act(b.Add(neural.BatchNorm{}, b.Add(neural.Conv{Kernel: 3, Groups: neural.Depthwise}, x)))
	x = b.Add(neural.Add{}, y, b.Add(neural.AvgPool{Kernel: 3}, x), b.Add(neural.Conv{Bias: true}, x))
	x = b.Add(neural.GlobalPool{}, act(x))
	g, err := b.Build(b.Add(neural.Linear{Out: 3, Bias: true}, x))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// randomBatch is normal noise with classes in turn.
func randomBatch(g *neural.Graph, n, classes int) *engine.Batch {
	b := &engine.Batch{N: n}
	for k, i := range g.Inputs() {
		v := make([]float32, n*int(g.Node(i).Shape.Elements()))
		r := rng.New(3, "batch", uint64(k))
		for j := range v {
			if o := g.Node(i).Op.(neural.Input); o.Below > 0 {
				v[j] = float32(r.IntN(o.Below))
			} else {
				v[j] = float32(rng.Norm(r))
			}
		}
		b.Inputs = append(b.Inputs, v)
	}
	for k := range n {
		b.Classes = append(b.Classes, int32(k%classes))
	}
	return b
}

// scorer returns a Scorer that ends with the test.
func scorer(t testing.TB, o Options) *Scorer {
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// of computes a score with given weights.
func of(t testing.TB, name string, g *neural.Graph, w neural.Weights, b *engine.Batch) float64 {
	x, err := Find(name)
	if err != nil {
		t.Fatal(err)
	}
	v, err := x.compute(&session{s: scorer(t, Options{}), g: g, b: b, drawn: w})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

func near(t testing.TB, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*max(1, math.Abs(want))) {
		t.Errorf("%s: found %.9g, want %.9g within %g", what, got, want, tolerance)
	}
}

// determinant is |A| by elimination with pivots.
func determinant(a [][]float64) float64 {
	d := 1.0
	for i := range a {
		best := i
		for j := i; j < len(a); j++ {
			if math.Abs(a[j][i]) > math.Abs(a[best][i]) {
				best = j
			}
		}
		if best != i {
			a[i], a[best] = a[best], a[i]
			d = -d
		}
		d *= a[i][i]
		for j := i + 1; j < len(a); j++ {
			f := a[j][i] / a[i][i]
			for k := i; k < len(a); k++ {
				a[j][k] -= f * a[i][k]
			}
		}
	}
	return d
}

func symmetric(r *rand.Rand, n int) [][]float64 {
	a := make([][]float64, n)
	rows := make([][]float64, n)
	for i := range a {
		a[i] = make([]float64, n)
		for range n + 2 {
			rows[i] = append(rows[i], rng.Norm(r))
		}
	}
	for i := range n {
		for j := range n {
			for k := range n + 2 {
				a[i][j] += rows[i][k] * rows[j][k]
			}
		}
	}
	return a
}

func flat(a [][]float64) (all []float64) {
	for _, row := range a {
		all = append(all, row...)
	}
	return all
}

// traceFixed returns the results of all nodes for one example, normalised by the
// statistics among the weights.
func traceFixed(t testing.TB, g *neural.Graph, w neural.Weights, in []float64) ([][]float64, neural.Weights) {
	all, err := reference.Trace(g, w, in)
	if err != nil {
		t.Fatal(err)
	}
	return all, w
}
