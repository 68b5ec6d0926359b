package kernel

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestPrepared compares packed weights and epilogues with the parts that they are made
// of, bit for bit.
func TestPrepared(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			r := seeded(t)
			m, n, k := pick(t, "m", 1, 2, 5, 70, 130), pick(t, "n", 1, 3, 16, 40, 100), pick(t, "k", 1, 9, 64, 200)
			e := anyEpilogue(t, m*n, n)
			a, b := random(r, m*k), random(r, k*n)
			trans := rapid.Bool().Draw(t, "trans")
			x := NewMatrix(k, n, b, trans)
			want := make([]float32, m*n)
			MatMul(nil, want, m, n, k, a, false, b, trans, false)
			checkEpilogue(t, e, n, want, alike(t, m*n, func(p *Pool, to []float32) { x.Mul(p, to, m, a, &e) }))

			o := anyConv(t)
			w, image := random(r, o.R*o.S*o.C/o.Groups*o.K), random(r, o.N*o.H*o.W*o.C)
			want = make([]float32, o.N*o.OutH*o.OutW*o.K)
			o.Forward(nil, want, image, w)
			e = anyEpilogue(t, len(want), o.K)
			f := NewFilter(o, w)
			checkEpilogue(t, e, o.K, want, alike(t, len(want), func(p *Pool, to []float32) { f.Forward(p, to, image, &e) }))
		})
	})
}

func anyEpilogue(t *rapid.T, size, n int) (e Epilogue) {
	r := seeded(t)
	if rapid.Bool().Draw(t, "bias") {
		e.Bias = random(r, n)
	}
	if rapid.Bool().Draw(t, "add") {
		e.Add = random(r, size)
	}
	e.Do = rapid.Bool().Draw(t, "do")
	e.Func = rapid.SampledFrom([]Unary{ReLU, ReLU6, HardSwish, Sigmoid}).Draw(t, "function")
	return e
}

func checkEpilogue(t *rapid.T, e Epilogue, n int, y, got []float32) {
	want := slices.Clone(y)
	if e.Bias != nil {
		Add.ApplyRowRight(want, want, e.Bias)
	}
	if e.Add != nil {
		Add.Apply(want, want, e.Add)
	}
	if e.Do {
		e.Func.Apply(want, want)
	}
	equal(t, "with an epilogue", got, want)
}
