package nn

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// Gradients agree with central differences of the loss Σ c·y.
func TestGradients(t *testing.T) {
	t.Parallel()
	r := rng.New(1, "nn", 0)
	for _, act := range []Activation{ReLU, SiLU, Tanh, Softplus} {
		const rows, in = 7, 5
		x := make([]float64, rows*in)
		for i := range x {
			x[i] = rng.Norm(r)
		}
		x[3] = 0
		w1, b1 := Dense(r, in, 6, 2)
		w2, b2 := Dense(r, 6, 6, 1)
		w3, b3 := Dense(r, 12, 3, 1)
		gain, shift := NewParam(1, 6), NewParam(1, 6)
		for i := range gain.W {
			gain.W[i], shift.W[i] = 1+0.3*rng.Norm(r), rng.Norm(r)
		}
		params := []*Param{w1, b1, w2, b2, w3, b3, gain, shift}
		c := make([]float64, 9*3)
		for i := range c {
			c[i] = rng.Norm(r)
		}
		tape := NewTape()
		loss := func(back bool) float64 {
			tape.Reset()
			h := tape.Act(tape.Linear(tape.Input(rows, x), w1, b1), act)
			n := tape.LayerNorm(h, gain, shift)
			n = tape.Dropout(n, 0.3, rand.New(rand.NewPCG(1, 1)))
			k := tape.Add(h, tape.Linear(n, w2, b2))
			y := tape.Linear(tape.Gather(tape.Concat(k, h), []int{0, 1, 2, 3, 4, 5, 6, 2, 2}), w3, b3)
			s := 0.0
			for i, v := range y.V {
				s += c[i] * v
				y.G[i] = c[i]
			}
			if back {
				tape.Backward()
			}
			return s
		}
		loss(true)
		for pi, p := range params {
			for i := range p.W {
				const h = 1e-6
				old := p.W[i]
				p.W[i] = old + h
				up := loss(false)
				p.W[i] = old - h
				down := loss(false)
				p.W[i] = old
				if want := (up - down) / 2 / h; math.Abs(p.G[i]-want) > 1e-6*(1+math.Abs(want)) {
					t.Fatalf("activation %d, parameter %d, number %d: gradient %v, want %v", act, pi, i, p.G[i], want)
				}
			}
		}
	}
}

func TestAdamDescends(t *testing.T) {
	t.Parallel()
	p := NewParam(1, 3)
	target := []float64{1, -2, 3}
	a := Adam{Rate: 0.05}
	for range 2000 {
		for i := range p.W {
			p.G[i] = p.W[i] - target[i]
		}
		a.Step(p)
	}
	for i := range p.W {
		if math.Abs(p.W[i]-target[i]) > 1e-3 {
			t.Errorf("number %d is %v, want %v", i, p.W[i], target[i])
		}
	}
}

// A step of a net of 12-64-64-1 on 32 rows.
func BenchmarkStep(b *testing.B) {
	r := rng.New(1, "nn", 0)
	x := make([]float64, 32*12)
	for i := range x {
		x[i] = rng.Norm(r)
	}
	w1, b1 := Dense(r, 12, 64, 2)
	w2, b2 := Dense(r, 64, 64, 2)
	w3, b3 := Dense(r, 64, 1, 1)
	tape, adam := NewTape(), Adam{Rate: 1e-3}
	for b.Loop() {
		tape.Reset()
		h := tape.Act(tape.Linear(tape.Input(32, x), w1, b1), SiLU)
		h = tape.Act(tape.Linear(h, w2, b2), SiLU)
		y := tape.Linear(h, w3, b3)
		for i := range y.V {
			y.G[i] = y.V[i] - 1
		}
		tape.Backward()
		adam.Step(w1, b1, w2, b2, w3, b3)
	}
}
