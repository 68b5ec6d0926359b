package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// anyConv draws a small convolution.
func anyConv(t *rapid.T) Conv {
	groups := pick(t, "groups", 1, 1, 1, 2, 3)
	o := Conv{
		N: pick(t, "n", 1, 2, 3, 9), H: pick(t, "h", 1, 3, 5, 8, 11), W: pick(t, "w", 1, 4, 7, 8, 13),
		C: groups * pick(t, "c", 1, 2, 3, 8, 17), K: groups * pick(t, "k", 1, 2, 6, 16, 33),
		R: pick(t, "r", 1, 2, 3, 5), S: pick(t, "s", 1, 2, 3, 5), StrideH: pick(t, "strideH", 1, 1, 2, 3), StrideW: pick(t, "strideW", 1, 1, 2, 3),
		DilationH: pick(t, "dilationH", 1, 1, 2), DilationW: pick(t, "dilationW", 1, 1, 2), Top: pick(t, "top", 0, 1, 2, -1), Left: pick(t, "left", 0, 1, 3, -1), Groups: groups,
	}
	if rapid.IntRange(0, 3).Draw(t, "depthwise") == 0 {
		o.Groups, o.K = o.C, o.C
	}
	// also with padding on the other sides, and windows that lie outside wholly
	o.OutH = max(1, (o.H+o.Top+pick(t, "bottom", 0, 1, 2)-o.DilationH*(o.R-1)-1)/o.StrideH+1)
	o.OutW = max(1, (o.W+o.Left+pick(t, "right", 0, 1, 4)-o.DilationW*(o.S-1)-1)/o.StrideW+1)
	return o
}

// each calls f for every product of a convolution: of numbers of dst, x and w.
func (o *Conv) each(f func(dst, x, w int)) {
	in, out := o.C/o.Groups, o.K/o.Groups
	for n := range o.N {
		for p := range o.OutH {
			for q := range o.OutW {
				for r := range o.R {
					for s := range o.S {
						y, x := p*o.StrideH+r*o.DilationH-o.Top, q*o.StrideW+s*o.DilationW-o.Left
						if y < 0 || y >= o.H || x < 0 || x >= o.W {
							continue
						}
						for k := range o.K {
							for c := range in {
								f(((n*o.OutH+p)*o.OutW+q)*o.K+k, ((n*o.H+y)*o.W+x)*o.C+k/out*in+c, ((r*o.S+s)*in+c)*o.K+k)
							}
						}
					}
				}
			}
		}
	}
}

func TestConv(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			o, r := anyConv(t), seeded(t)
			checkConv(t, o, r)
		})
	})
}

func checkConv(t rapid.TB, o Conv, r *rand.Rand) {
	x, w, dy := random(r, o.N*o.H*o.W*o.C), random(r, o.R*o.S*o.C/o.Groups*o.K), random(r, o.N*o.OutH*o.OutW*o.K)
	y, dx, dw := newSums(len(dy)), newSums(len(x)), newSums(len(w))
	o.each(func(i, j, k int) {
		y.add(i, float64(x[j])*float64(w[k]))
		dx.add(j, float64(dy[i])*float64(w[k]))
		dw.add(k, float64(dy[i])*float64(x[j]))
	})
	y.check(t, "forward", alike(t, len(dy), func(p *Pool, to []float32) { o.Forward(p, to, x, w) }))
	dx.check(t, "by the input", alike(t, len(x), func(p *Pool, to []float32) { o.BackwardInput(p, to, dy, w) }))
	dw.check(t, "by the weight", alike(t, len(w), func(p *Pool, to []float32) { o.BackwardWeight(p, to, x, dy) }))
}

// exactSums are sums of terms, and of their sizes.
type exactSums struct{ sums, sizes []float64 }

func newSums(n int) exactSums { return exactSums{make([]float64, n), make([]float64, n)} }

func (s exactSums) add(i int, v float64) {
	s.sums[i] += v
	s.sizes[i] += math.Abs(v)
}

func (s exactSums) check(t rapid.TB, what string, got []float32) {
	t.Helper()
	within(t, what, got, s.sums, s.sizes, summing)
}

// TestConvBlocks has images and kernels that are cut into blocks.
func TestConvBlocks(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		checkConv(t, Conv{N: 1, H: 20, W: 41, C: 33, K: 40, R: 3, S: 3, StrideH: 2, StrideW: 2, DilationH: 1, DilationW: 1, Top: 1, Left: 1, OutH: 10, OutW: 21, Groups: 1}, r)
		checkConv(t, Conv{N: 2, H: 12, W: 12, C: 96, K: 48, R: 3, S: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Top: 1, Left: 1, OutH: 12, OutW: 12, Groups: 1}, r)
		checkConv(t, Conv{N: 1, H: 40, W: 50, C: 30, K: 30, R: 3, S: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Top: 1, Left: 1, OutH: 40, OutW: 50, Groups: 30}, r)
	})
}

func anyWindow(t *rapid.T) Window {
	o := Window{
		N: pick(t, "n", 1, 2, 9), H: pick(t, "h", 1, 3, 6, 11), W: pick(t, "w", 1, 4, 9), C: pick(t, "c", 1, 3, 16, 21),
		R: pick(t, "r", 1, 2, 3), S: pick(t, "s", 1, 2, 3), StrideH: pick(t, "strideH", 1, 2, 3), StrideW: pick(t, "strideW", 1, 2, 3),
		Top: pick(t, "top", 0, 1), Left: pick(t, "left", 0, 1),
	}
	o.OutH = max(1, (o.H+o.Top+pick(t, "bottom", 0, 1)-o.R)/o.StrideH+1)
	o.OutW = max(1, (o.W+o.Left+pick(t, "right", 0, 1)-o.S)/o.StrideW+1)
	return o
}

func TestWindow(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			o, r := anyWindow(t), seeded(t)
			x, dy := random(r, o.N*o.H*o.W*o.C), random(r, o.N*o.OutH*o.OutW*o.C)
			for i := range x { // with equal ones
				x[i] = float32(int(2 * x[i]))
			}
			largest := make([]float32, len(dy))
			sum, byMax, bySum := newSums(len(dy)), newSums(len(x)), newSums(len(x))
			for i := range dy {
				n, p, q, c := i/(o.OutH*o.OutW*o.C), i/(o.OutW*o.C)%o.OutH, i/o.C%o.OutW, i%o.C
				largest[i] = negInf
				at := -1
				for r := range o.R {
					for s := range o.S {
						h, w := p*o.StrideH+r-o.Top, q*o.StrideW+s-o.Left
						if h < 0 || h >= o.H || w < 0 || w >= o.W {
							continue
						}
						j := ((n*o.H+h)*o.W+w)*o.C + c
						sum.add(i, float64(x[j]))
						bySum.add(j, float64(dy[i]))
						if at < 0 || x[j] > largest[i] {
							at, largest[i] = j, x[j]
						}
					}
				}
				if at >= 0 {
					byMax.add(at, float64(dy[i]))
				}
			}
			equal(t, "max", alike(t, len(dy), func(p *Pool, to []float32) { o.MaxForward(p, to, x) }), largest)
			sum.check(t, "sum", alike(t, len(dy), func(p *Pool, to []float32) { o.SumForward(p, to, x) }))
			byMax.check(t, "max backward", alike(t, len(x), func(p *Pool, to []float32) { o.MaxBackward(p, to, dy, x) }))
			bySum.check(t, "sum backward", alike(t, len(x), func(p *Pool, to []float32) { o.SumBackward(p, to, dy) }))
		})
	})
}

func square(n, side, c, k, kernel, stride, groups int) Conv {
	return Conv{N: n, H: side, W: side, C: c, K: k, R: kernel, S: kernel, StrideH: stride, StrideW: stride, DilationH: 1, DilationW: 1,
		Top: kernel / 2, Left: kernel / 2, OutH: (side + stride - 1) / stride, OutW: (side + stride - 1) / stride, Groups: groups}
}

func BenchmarkConv(b *testing.B) {
	for _, o := range []Conv{
		square(64, 28, 1, 16, 3, 1, 1), square(64, 28, 16, 32, 3, 1, 1), square(64, 14, 32, 64, 3, 1, 1), square(64, 7, 64, 64, 3, 1, 1),
		square(64, 28, 16, 32, 3, 2, 1), square(64, 28, 32, 64, 1, 1, 1), square(64, 28, 32, 32, 3, 1, 32), square(64, 14, 64, 64, 5, 2, 64), square(1, 32, 16, 16, 3, 1, 1),
	} {
		work := 2 * o.N * o.OutH * o.OutW * o.K * o.R * o.S * o.C / o.Groups
		name := fmt.Sprintf("%dx%dx%dx%d_%d_%dx%d_s%d_g%d", o.N, o.H, o.W, o.C, o.K, o.R, o.S, o.StrideH, o.Groups)
		r := rand.New(rand.NewPCG(1, 2))
		x, w, dy := random(r, o.N*o.H*o.W*o.C), random(r, o.R*o.S*o.C/o.Groups*o.K), random(r, o.N*o.OutH*o.OutW*o.K)
		y, dx, dw := make([]float32, len(dy)), make([]float32, len(x)), make([]float32, len(w))
		for _, f := range []struct {
			name string
			do   func()
		}{
			{"forward", func() { o.Forward(nil, y, x, w) }}, {"input", func() { o.BackwardInput(nil, dx, dy, w) }}, {"weight", func() { o.BackwardWeight(nil, dw, x, dy) }},
		} {
			b.Run(name+"/"+f.name, func(b *testing.B) { rate(b, work, f.do) })
		}
	}
}

func BenchmarkWindow(b *testing.B) {
	o := Window{N: 64, H: 28, W: 28, C: 16, R: 2, S: 2, StrideH: 2, StrideW: 2, OutH: 14, OutW: 14}
	r := rand.New(rand.NewPCG(1, 2))
	x, dy := random(r, o.N*o.H*o.W*o.C), random(r, o.N*o.OutH*o.OutW*o.C)
	y, dx := make([]float32, len(dy)), make([]float32, len(x))
	for _, f := range []struct {
		name string
		do   func()
	}{
		{"max", func() { o.MaxForward(nil, y, x) }}, {"maxBackward", func() { o.MaxBackward(nil, dx, dy, x) }},
		{"sum", func() { o.SumForward(nil, y, x) }}, {"sumBackward", func() { o.SumBackward(nil, dx, dy) }},
	} {
		b.Run(f.name, func(b *testing.B) { bandwidth(b, len(x)+len(dy), f.do) })
	}
}
