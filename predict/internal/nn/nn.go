// Package nn is small neural networks: matrices on a tape that is played back
// for gradients, and Adam. It is made for nets of some thousand parameters and
// tables of some thousand rows, on one core a net, with the same bits on every
// platform.
//
//	tape := nn.NewTape()
//	y := tape.Linear(tape.Act(tape.Linear(tape.Input(rows, x), w1, b1), nn.SiLU), w2, b2)
//	// … write the gradient of the loss to y.G …
//	tape.Backward()
//	adam.Step(w1, b1, w2, b2)
//	tape.Reset()
package nn

import (
	"math"
	"math/rand/v2"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/predict/internal/vec"
)

// A Param is a matrix that is learned.
type Param struct {
	Rows, Cols int
	W          []float64
	G          []float64 // gradient, which Backward adds to and Step clears
	Frozen     bool      // has no gradient
	NoDecay    bool
	Rate       float64   // factor of the learning rate; 0 means 1
	m, v, t    []float64 // moments, and the transpose of W
	steps      int
	b1, b2     float64 // powers of Adam's factors
}

// NewParam returns a matrix of zeros.
func NewParam(rows, cols int) *Param {
	return &Param{Rows: rows, Cols: cols, W: make([]float64, rows*cols), G: make([]float64, rows*cols)}
}

// Dense returns weights in×out with variance gain/in (He et al. 2015: gain 2
// before a rectifier) and a row of zero biases.
func Dense(r *rand.Rand, in, out int, gain float64) (w, b *Param) {
	w, b = NewParam(in, out), NewParam(1, out)
	b.NoDecay = true
	s := math.Sqrt(gain / float64(max(in, 1)))
	for i := range w.W {
		w.W[i] = float64(s * rng.Norm(r))
	}
	return w, b
}

// A Node is a matrix on a tape, row by row.
type Node struct {
	R, C int
	V    []float64
	G    []float64 // gradient; nil where none is wanted
	back func()
}

// Row returns row i of the values.
func (n *Node) Row(i int) []float64 { return n.V[i*n.C : (i+1)*n.C] }

// GradRow returns row i of the gradient.
func (n *Node) GradRow(i int) []float64 { return n.G[i*n.C : (i+1)*n.C] }

// A Tape records what is computed. Its matrices live until Reset.
type Tape struct {
	nodes []*Node
	slab  []float64
	used  int
}

// NewTape returns an empty tape.
func NewTape() *Tape { return &Tape{} }

// Reset forgets the nodes and reuses their memory.
func (t *Tape) Reset() {
	if t.used > len(t.slab) {
		t.slab = make([]float64, t.used+t.used/4)
	}
	t.nodes, t.used = t.nodes[:0], 0
}

// Floats returns zeros that live until Reset.
func (t *Tape) Floats(n int) []float64 {
	from := t.used
	t.used += n
	if t.used > len(t.slab) {
		return make([]float64, n)
	}
	s := t.slab[from:t.used:t.used]
	clear(s)
	return s
}

// Op adds a matrix that the caller computes. If grad, it has a gradient, and
// back is called when that is complete.
func (t *Tape) Op(r, c int, grad bool, back func()) *Node {
	n := &Node{R: r, C: c, V: t.Floats(r * c)}
	if grad {
		n.G, n.back = t.Floats(r*c), back
	}
	t.nodes = append(t.nodes, n)
	return n
}

// SetBack sets what is called when the gradient of a matrix is complete.
func (n *Node) SetBack(back func()) { n.back = back }

// Input puts a matrix of the given number of rows on the tape, without gradient.
func (t *Tape) Input(rows int, v []float64) *Node {
	c := 0
	if rows > 0 {
		c = len(v) / rows
	}
	n := &Node{R: rows, C: c, V: v}
	t.nodes = append(t.nodes, n)
	return n
}

// Backward plays the tape back. Gradients of results must have been written to
// their G.
func (t *Tape) Backward() {
	for i := len(t.nodes) - 1; i >= 0; i-- {
		if n := t.nodes[i]; n.back != nil {
			n.back()
		}
	}
}

// Multiply adds x times w to dst, for rows of x of length in.
func Multiply(dst, x, w []float64, in, out int) {
	if in == 0 || out == 0 {
		return
	}
	for i := range len(x) / in {
		row, y := x[i*in:(i+1)*in], dst[i*out:(i+1)*out]
		k := 0
		for ; k+4 <= in; k += 4 {
			s := (*[4]float64)(row[k:])
			if s[0] == 0 && s[1] == 0 && s[2] == 0 && s[3] == 0 {
				continue
			}
			vec.Axpy4(y, s, w[k*out:])
		}
		for ; k < in; k++ {
			vec.Axpy(y, row[k], w[k*out:(k+1)*out])
		}
	}
}

// Linear returns x·w + b; b may be nil.
func (t *Tape) Linear(x *Node, w, b *Param) *Node {
	n := t.Op(x.R, w.Cols, x.G != nil || !w.Frozen || b != nil && !b.Frozen, nil)
	if b != nil {
		for i := range n.R {
			copy(n.Row(i), b.W)
		}
	}
	Multiply(n.V, x.V, w.W, w.Rows, w.Cols)
	if n.G == nil {
		return n
	}
	n.back = func() {
		if b != nil && !b.Frozen {
			for i := range n.R {
				vec.Axpy(b.G, 1, n.GradRow(i))
			}
		}
		if !w.Frozen {
			for k := range w.Rows {
				g := w.G[k*w.Cols : (k+1)*w.Cols]
				i := 0
				for ; i+4 <= n.R; i += 4 {
					s := [4]float64{x.V[i*x.C+k], x.V[(i+1)*x.C+k], x.V[(i+2)*x.C+k], x.V[(i+3)*x.C+k]}
					if s != [4]float64{} {
						vec.Axpy4(g, &s, n.G[i*n.C:])
					}
				}
				for ; i < n.R; i++ {
					vec.Axpy(g, x.V[i*x.C+k], n.GradRow(i))
				}
			}
		}
		if x.G != nil {
			w.transpose()
			Multiply(x.G, n.G, w.t, w.Cols, w.Rows)
		}
	}
	return n
}

func (p *Param) transpose() {
	if p.t == nil {
		p.t = make([]float64, len(p.W))
	}
	for i := range p.Rows {
		for j, v := range p.W[i*p.Cols : (i+1)*p.Cols] {
			p.t[j*p.Rows+i] = v
		}
	}
}

// An Activation is applied to each number.
type Activation int8

// The activations.
const (
	ReLU     Activation = iota // max(x, 0)
	SiLU                       // x/(1+e⁻ˣ)
	Tanh                       // hyperbolic tangent
	Softplus                   // ln(1+eˣ)
	Activations
)

// Sigmoid returns 1/(1+e⁻ˣ).
func Sigmoid(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + detmath.Exp(-x))
	}
	e := detmath.Exp(x)
	return e / (1 + e)
}

// SoftplusOf returns ln(1+eˣ).
func SoftplusOf(x float64) float64 {
	return max(x, 0) + detmath.Log1p(detmath.Exp(-math.Abs(x)))
}

// Value returns a(x) and its derivative.
func (a Activation) Value(x float64) (y, dy float64) {
	switch a {
	case SiLU:
		s := Sigmoid(x)
		return float64(x * s), float64(s * (1 + float64(x*(1-s))))
	case Tanh:
		y = 2*Sigmoid(2*x) - 1
		return y, 1 - float64(y*y)
	case Softplus:
		return SoftplusOf(x), Sigmoid(x)
	}
	if x > 0 {
		return x, 1
	}
	return 0, 0
}

// Apply replaces every number by a of it.
func (a Activation) Apply(v []float64) {
	if a == ReLU {
		for i, x := range v {
			v[i] = max(x, 0)
		}
		return
	}
	for i, x := range v {
		v[i], _ = a.Value(x)
	}
}

// Act returns a(x), element by element.
func (t *Tape) Act(x *Node, a Activation) *Node {
	n := t.Op(x.R, x.C, x.G != nil, nil)
	if x.G == nil {
		copy(n.V, x.V)
		a.Apply(n.V)
		return n
	}
	d := t.Floats(len(x.V))
	for i, v := range x.V {
		n.V[i], d[i] = a.Value(v)
	}
	n.back = func() {
		for i, g := range n.G {
			x.G[i] += float64(g * d[i])
		}
	}
	return n
}

// Dropout zeroes numbers with probability p and scales the others by 1/(1−p).
func (t *Tape) Dropout(x *Node, p float64, r *rand.Rand) *Node {
	if p <= 0 {
		return x
	}
	n := t.Op(x.R, x.C, x.G != nil, nil)
	mask := t.Floats(len(x.V))
	for i, v := range x.V {
		if r.Float64() >= p {
			mask[i] = 1 / (1 - p)
		}
		n.V[i] = float64(v * mask[i])
	}
	if x.G != nil {
		n.back = func() {
			for i, g := range n.G {
				x.G[i] += float64(g * mask[i])
			}
		}
	}
	return n
}

// Add returns the sum of matrices of one size.
func (t *Tape) Add(xs ...*Node) *Node {
	grad := false
	for _, x := range xs {
		grad = grad || x.G != nil
	}
	n := t.Op(xs[0].R, xs[0].C, grad, nil)
	for _, x := range xs {
		vec.Axpy(n.V, 1, x.V)
	}
	if grad {
		n.back = func() {
			for _, x := range xs {
				if x.G != nil {
					vec.Axpy(x.G, 1, n.G)
				}
			}
		}
	}
	return n
}

// Concat puts matrices with equally many rows side by side.
func (t *Tape) Concat(xs ...*Node) *Node {
	c, grad := 0, false
	for _, x := range xs {
		c += x.C
		grad = grad || x.G != nil
	}
	n := t.Op(xs[0].R, c, grad, nil)
	for i := range n.R {
		at := 0
		for _, x := range xs {
			copy(n.Row(i)[at:], x.Row(i))
			at += x.C
		}
	}
	if grad {
		n.back = func() {
			for i := range n.R {
				at := 0
				for _, x := range xs {
					if x.G != nil {
						vec.Axpy(x.GradRow(i), 1, n.GradRow(i)[at:at+x.C])
					}
					at += x.C
				}
			}
		}
	}
	return n
}

// Gather returns rows of x, some of them perhaps many times.
func (t *Tape) Gather(x *Node, rows []int) *Node {
	n := t.Op(len(rows), x.C, x.G != nil, nil)
	for i, k := range rows {
		copy(n.Row(i), x.Row(k))
	}
	if x.G != nil {
		n.back = func() {
			for i, k := range rows {
				vec.Axpy(x.GradRow(k), 1, n.GradRow(i))
			}
		}
	}
	return n
}

const normEpsilon = 1e-5

// Normalize writes (row − mean)/sd of every row to dst, times gain plus shift.
func Normalize(dst, x, gain, shift []float64, c int) {
	for i := 0; i+c <= len(x); i += c {
		mean, inv := moments(x[i : i+c])
		for j, v := range x[i : i+c] {
			dst[i+j] = float64(float64((v-mean)*inv)*gain[j]) + shift[j]
		}
	}
}

func moments(x []float64) (mean, inv float64) {
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	s := 0.0
	for _, v := range x {
		s += float64((v - mean) * (v - mean))
	}
	return mean, 1 / math.Sqrt(s/float64(len(x))+normEpsilon)
}

// LayerNorm normalises every row to mean 0 and variance 1, times gain plus
// shift (Ba, Kiros and Hinton 2016).
func (t *Tape) LayerNorm(x *Node, gain, shift *Param) *Node {
	n := t.Op(x.R, x.C, x.G != nil || !gain.Frozen || !shift.Frozen, nil)
	Normalize(n.V, x.V, gain.W, shift.W, x.C)
	if n.G == nil {
		return n
	}
	n.back = func() {
		for i := range n.R {
			row, g := x.Row(i), n.GradRow(i)
			mean, inv := moments(row)
			var a, b float64 // Σ g·gain, Σ g·gain·z
			for j, v := range row {
				z := float64((v - mean) * inv)
				if !gain.Frozen {
					gain.G[j] += float64(g[j] * z)
				}
				if !shift.Frozen {
					shift.G[j] += g[j]
				}
				h := float64(g[j] * gain.W[j])
				a += h
				b += float64(h * z)
			}
			if x.G == nil {
				continue
			}
			c := float64(len(row))
			for j, v := range row {
				z := float64((v - mean) * inv)
				x.GradRow(i)[j] += float64(inv * (float64(g[j]*gain.W[j]) - (a+float64(z*b))/c))
			}
		}
	}
	return n
}

// Adam is the optimiser of Kingma and Ba 2015 with decoupled weight decay
// (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019).
type Adam struct {
	Rate, Decay float64
}

// Step moves parameters against their gradients and clears these.
func (a *Adam) Step(params ...*Param) {
	const beta1, beta2, epsilon = 0.9, 0.999, 1e-8
	for _, p := range params {
		if p.Frozen {
			continue
		}
		if p.m == nil {
			p.m, p.v = make([]float64, len(p.W)), make([]float64, len(p.W))
		}
		rate := a.Rate
		if p.Rate != 0 {
			rate *= p.Rate
		}
		keep := 1.0
		if !p.NoDecay {
			keep = 1 - float64(rate*a.Decay)
		}
		if p.steps++; p.steps == 1 {
			p.b1, p.b2 = 1, 1
		}
		p.b1 *= beta1
		p.b2 *= beta2
		rate /= 1 - p.b1
		unbias := 1 / math.Sqrt(1-p.b2)
		m, v, w := p.m[:len(p.G)], p.v[:len(p.G)], p.W[:len(p.G)]
		for i, g := range p.G {
			m[i] = float64(beta1*m[i]) + float64((1-beta1)*g)
			v[i] = float64(beta2*v[i]) + float64((1-beta2)*float64(g*g))
			w[i] = float64(w[i]*keep) - float64(rate*m[i])/(float64(math.Sqrt(v[i])*unbias)+epsilon)
		}
		clear(p.G)
	}
}
