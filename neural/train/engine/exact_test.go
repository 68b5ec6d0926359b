package engine_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/internal/randnet"
	"github.com/daedalus-search/daedalus/neural/reference"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

func open(t testing.TB, c engine.Config) *engine.Device {
	t.Helper()
	d, err := engine.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// onEach runs a test on every backend, and once with memory that is not shared.
func onEach(t *testing.T, f func(t *testing.T, d *engine.Device)) {
	for _, b := range backends {
		t.Run(b, func(t *testing.T) { f(t, open(t, engine.Config{Backend: b})) })
	}
	t.Run("cpu, not shared", func(t *testing.T) {
		d := open(t, engine.Config{Backend: backends[0]})
		d.OnDevice()
		f(t, d)
	})
}

// A problem is a network with weights, examples and what they should give.
type problem struct {
	g       *neural.Graph
	w       neural.Weights
	inputs  [][][]float64 // of each example, in the graph's order
	classes []int32
	targets [][]float64 // of each example, in the graph's order
	loss    engine.Loss
	teacher [][]float64
}

// last moves the channels of an image from the first axis to the last; first moves
// them back.
func last(s neural.Shape, x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		if s.Image() {
			pixels := s[1] * s[2]
			y[i%pixels*s[0]+i/pixels] = float32(v)
		} else {
			y[i] = float32(v)
		}
	}
	return y
}

func first(s neural.Shape, x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		if s.Image() {
			pixels := s[1] * s[2]
			y[i%s[0]*pixels+i/s[0]] = float64(v)
		} else {
			y[i] = float64(v)
		}
	}
	return y
}

func (p *problem) batch() *engine.Batch {
	b := &engine.Batch{N: len(p.inputs), Classes: p.classes}
	for k, i := range p.g.Inputs() {
		var all []float32
		for _, in := range p.inputs {
			all = append(all, last(p.g.Node(i).Shape, in[k])...)
		}
		b.Inputs = append(b.Inputs, all)
	}
	s := p.g.Node(p.g.Outputs()[0]).Shape
	for _, x := range p.targets {
		b.Targets = append(b.Targets, last(s, x)...)
	}
	for _, x := range p.teacher {
		b.Teacher = append(b.Teacher, last(s, x)...)
	}
	return b
}

// statistics returns weights whose means and variances are those of the batch, layer
// after layer.
func (p *problem) statistics(t testing.TB, w neural.Weights) neural.Weights {
	all := neural.Weights{}
	for k, v := range w {
		all[k] = v
	}
	for i, n := range p.g.Nodes() {
		if _, ok := n.Op.(neural.BatchNorm); !ok {
			continue
		}
		s := n.Shape
		mean, square := make([]float64, s.Features()), make([]float64, s.Features())
		var seen [][]float64
		for _, in := range p.inputs {
			seen = append(seen, trace(t, p.g, all, in)[n.In[0]])
		}
		count := float64(len(seen)) * float64(s.Places())
		for _, x := range seen {
			for j, v := range x {
				mean[feature(s, j)] += v / count
			}
		}
		for _, x := range seen {
			for j, v := range x {
				d := v - mean[feature(s, j)]
				square[feature(s, j)] += d * d / count
			}
		}
		for _, x := range p.g.Weights(i) {
			if x.State {
				v := make([]float32, len(mean))
				for c := range v {
					if v[c] = float32(mean[c]); x.Name == n.Name+"/variance" {
						v[c] = float32(square[c])
					}
				}
				all[x.Name] = v
			}
		}
	}
	return all
}

func feature(s neural.Shape, i int) int {
	if s.Image() {
		return i / (s[1] * s[2])
	}
	return i % s.Features()
}

func trace(t testing.TB, g *neural.Graph, w neural.Weights, in [][]float64) [][]float64 {
	t.Helper()
	all, err := reference.Trace(g, w, in...)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// value is the loss in float64, with the statistics of the batch.
func (p *problem) value(t testing.TB, w neural.Weights) float64 {
	w = p.statistics(t, w)
	s := p.g.Node(p.g.Outputs()[0]).Shape
	sum, count := 0.0, 0.0
	for i, in := range p.inputs {
		out := trace(t, p.g, w, in)[p.g.Outputs()[0]]
		if p.targets != nil {
			for k, y := range out {
				sum += (y - p.targets[i][k]) * (y - p.targets[i][k])
				count++
			}
			continue
		}
		places := int(s.Places())
		for q := range places {
			row := func(x []float64) []float64 {
				r := make([]float64, s.Features())
				for c := range r {
					if r[c] = x[q*len(r)+c]; s.Image() {
						r[c] = x[c*places+q]
					}
				}
				return r
			}
			labels := 1.0
			if p.loss.Imitate > 0 {
				labels = p.loss.Labels
			}
			if p.classes != nil {
				class := p.classes[i*places+q]
				if class < 0 {
					continue
				}
				logs := logSoftmax(row(out), 1)
				for c, l := range logs {
					want := p.loss.Smoothing / float64(len(logs))
					if c == int(class) {
						want += 1 - p.loss.Smoothing
					}
					sum -= labels * want * l
				}
			}
			count++
			if p.teacher != nil && p.loss.Imitate > 0 {
				temp := p.loss.Temperature
				if temp == 0 {
					temp = 1
				}
				logs, want := logSoftmax(row(out), temp), logSoftmax(row(p.teacher[i]), temp)
				for c, l := range logs {
					sum -= p.loss.Imitate * temp * temp * math.Exp(want[c]) * l
				}
			}
		}
	}
	return sum / count
}

func logSoftmax(x []float64, temp float64) []float64 {
	top, sum := math.Inf(-1), 0.0
	for _, v := range x {
		top = max(top, v/temp)
	}
	for _, v := range x {
		sum += math.Exp(v/temp - top)
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = v/temp - top - math.Log(sum)
	}
	return y
}

// slope is the derivative of the loss by one number of a weight. It is not there where
// a step crosses a corner of the function.
func (p *problem) slope(t testing.TB, name string, k int) (slope float64, ok bool) {
	v := p.w[name]
	keep := v[k]
	defer func() { v[k] = keep }()
	at := func(h float32) float64 {
		var y, x [2]float64
		for i, d := range []float32{h, -h} {
			v[k] = keep + d
			x[i], y[i] = float64(v[k]), p.value(t, p.w)
		}
		return (y[0] - y[1]) / (x[0] - x[1])
	}
	one, two := at(1e-3), at(4e-3)
	return one, math.Abs(one-two) < 2e-3*max(0.05, math.Abs(one))
}

// checkGradient compares the gradient of a network with differences of the loss, at up
// to n numbers of each weight.
func (p *problem) checkGradient(t *testing.T, d *engine.Device, r *rand.Rand, n int) (checked int) {
	t.Helper()
	var at []neural.Tensor
	for _, w := range p.g.AllWeights() {
		for range n {
			at = append(at, w)
		}
	}
	return p.checkAt(t, d, r, at)
}

// checkSome does so at n numbers of any weights.
func (p *problem) checkSome(t *testing.T, d *engine.Device, r *rand.Rand, n int) (checked int) {
	t.Helper()
	all := p.g.AllWeights()
	var at []neural.Tensor
	for range n {
		at = append(at, all[r.IntN(len(all))])
	}
	return p.checkAt(t, d, r, at)
}

func (p *problem) checkAt(t *testing.T, d *engine.Device, r *rand.Rand, at []neural.Tensor) (checked int) {
	t.Helper()
	params, err := d.Params(p.g, p.w)
	if err != nil {
		t.Fatal(err)
	}
	net, err := params.Net(p.g)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := params.NewGradient()
	if err != nil {
		t.Fatal(err)
	}
	score, err := net.Gradient(p.batch(), p.loss, engine.Noise{}, sum)
	if err != nil {
		t.Fatal(err)
	}
	if want := p.value(t, p.w); math.Abs(score.Loss-want) > 1e-4*max(1, math.Abs(want)) {
		t.Errorf("%s: loss %g, want %g", p.g.Name(), score.Loss, want)
	}
	got, err := sum.Host()
	if err != nil {
		t.Fatal(err)
	}
	size := 0.0
	for _, v := range got {
		for _, x := range v {
			size = max(size, math.Abs(float64(x)))
		}
	}
	for _, w := range at {
		if w.State {
			continue
		}
		k := r.IntN(len(p.w[w.Name]))
		want, ok := p.slope(t, w.Name, k)
		if !ok {
			continue
		}
		checked++
		if x := float64(got[w.Name][k]); math.Abs(x-want) > 3e-3*max(math.Abs(want), 0.02*size, 1e-2) {
			t.Errorf("%s: d/d %s[%d] = %g, want %g", p.g.Name(), w.Name, k, x, want)
		}
	}
	return checked
}

// random makes a problem of a network: random weights and examples, and whole numbers
// as classes if it ends in logits.
func random(r *rand.Rand, g *neural.Graph, n int, classify bool) *problem {
	p := &problem{g: g, w: randnet.Weights(r, g)}
	out := g.Node(g.Outputs()[0]).Shape
	numbers := func() []float64 {
		v := make([]float64, out.Elements())
		for k := range v {
			v[k] = float64(float32(rng.Norm(r)))
		}
		return v
	}
	for range n {
		p.inputs = append(p.inputs, randnet.Inputs(r, g))
		if !classify {
			p.targets = append(p.targets, numbers())
			continue
		}
		for range out.Places() {
			p.classes = append(p.classes, int32(r.IntN(out.Features()+1)-1))
		}
	}
	if classify {
		p.classes[0] = 0
		for range n {
			p.teacher = append(p.teacher, numbers())
		}
	}
	return p
}

// one builds a network of one operator between two that learn.
func one(t testing.TB, name string, o neural.Op, in ...neural.Shape) *neural.Graph {
	t.Helper()
	b := neural.NewBuilder(name)
	var xs []neural.Value
	for i, s := range in {
		x := b.Input(fmt.Sprintf("x%d", i), s)
		switch { // learn something before the operator
		case s.Image():
			x = b.Add(neural.Conv{Kernel: 1, Bias: true}, x)
		case s.Axes() > 0:
			x = b.Add(neural.Linear{Out: s.Features(), Bias: true}, x)
		}
		xs = append(xs, x)
	}
	y := b.Named("op", o, xs...)
	g, err := b.Build(y)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return g
}
