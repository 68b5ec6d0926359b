package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestMeanVariance(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			checkMoments(t, seeded(t), pick(t, "rows", 1, 2, 63, 255, 256, 257, 1000), pick(t, "columns", 1, 3, 16, 20, 48), float32(pick(t, "mean", 0, 1, 1000)))
		})
		checkMoments(t, rand.New(rand.NewPCG(1, 2)), 20000, 16, 3)
	})
}

func checkMoments(t rapid.TB, r *rand.Rand, rows, n int, offset float32) {
	x := random(r, rows*n)
	for i := range x {
		x[i] += offset
	}
	got := alike(t, 2*n, func(p *Pool, to []float32) { MeanVariance(p, to[:n], to[n:], x, rows, n) })
	mean, variance := exactMoments(x, rows, n)
	// The mean is a centre, one rounding off itself, and the mean of what numbers are away
	// from there; the variance a sum of squares, one sign all, of a block of rows.
	sizes, squares := make([]float64, n), make([]float64, n)
	for i, v := range x {
		sizes[i%n] += math.Abs(float64(v)-mean[i%n]) / float64(rows)
	}
	for c := range n {
		sizes[c] = summing*sizes[c] + 2*math.Abs(mean[c])
		squares[c] = (summingUp(min(rows, momentRows)) + 4) * variance[c]
	}
	within(t, "mean", got[:n], mean, sizes, 1)
	within(t, "variance", got[n:], variance, squares, 1)
}

func exactMoments(x []float32, rows, n int) (mean, variance []float64) {
	mean, variance = make([]float64, n), make([]float64, n)
	for i, v := range x {
		mean[i%n] += float64(v) / float64(rows)
	}
	for i, v := range x {
		d := float64(v) - mean[i%n]
		variance[i%n] += d * d / float64(rows)
	}
	return mean, variance
}

func TestBatchNorm(t *testing.T) {
	const epsilon = 1e-3
	everywhere(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			r := seeded(t)
			rows, n := pick(t, "rows", 2, 3, 64, 130, 700), pick(t, "columns", 1, 3, 16, 20, 48)
			x, dy, gamma, beta := random(r, rows*n), random(r, rows*n), random(r, n), random(r, n)
			if rapid.Bool().Draw(t, "plain") {
				gamma, beta = nil, nil
			}
			g := func(c int) float64 {
				if gamma == nil {
					return 1
				}
				return float64(gamma[c])
			}
			m, v := make([]float32, n), make([]float32, n)
			MeanVariance(nil, m, v, x, rows, n)
			y, z, sizes := make([]float64, len(x)), make([]float64, len(x)), make([]float64, len(x))
			byGamma, byBeta := newSums(n), newSums(n)
			r1 := func(c int) float64 { return 1 / math.Sqrt(float64(v[c])+epsilon) }
			for i, u := range x {
				c := i % n
				z[i] = (float64(u) - float64(m[c])) * r1(c)
				y[i] = z[i] * g(c)
				sizes[i] = math.Abs(y[i])
				if beta != nil {
					y[i] += float64(beta[c])
					sizes[i] += math.Abs(float64(beta[c]))
				}
				byGamma.add(c, float64(dy[i])*z[i])
				byBeta.add(c, float64(dy[i]))
			}
			// the difference, the factor, the product and the sum are rounded
			within(t, "forward", alike(t, len(x), func(p *Pool, to []float32) { BatchNormForward(p, to, x, rows, n, m, v, gamma, beta, epsilon) }), y, sizes, 4)
			byX := make([]float64, len(x))
			for i := range x {
				c := i % n
				f, every := g(c)*r1(c), 1/float64(rows)
				byX[i] = f * (float64(dy[i]) - byBeta.sums[c]*every - z[i]*byGamma.sums[c]*every)
				sizes[i] = math.Abs(f) * (math.Abs(float64(dy[i])) + byBeta.sizes[c]*every + math.Abs(z[i])*byGamma.sizes[c]*every)
			}
			got := alike(t, len(x)+2*n, func(p *Pool, to []float32) {
				BatchNormBackward(p, to[2*n:], to[:n], to[n:2*n], dy, x, rows, n, m, v, gamma, epsilon)
			})
			// terms of sums are rounded up to twice before, and sums up to four times after
			within(t, "by gamma", got[:n], byGamma.sums, byGamma.sizes, summing+2)
			within(t, "by beta", got[n:2*n], byBeta.sums, byBeta.sizes, summing)
			within(t, "by x", got[2*n:], byX, sizes, summing+6)
		})
	})
}

func TestLayerNorm(t *testing.T) {
	const epsilon = 1e-3
	everywhere(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			r := seeded(t)
			rows, n := pick(t, "rows", 1, 3, 64, 130, 700), pick(t, "columns", 1, 3, 16, 20, 48, 100)
			x, dy, gamma, beta := random(r, rows*n), random(r, rows*n), random(r, n), random(r, n)
			y, byX, sizes := make([]float64, len(x)), make([]float64, len(x)), make([]float64, len(x))
			byGamma, byBeta := newSums(n), newSums(n)
			for i := range rows {
				row := x[i*n:][:n]
				var m, v, size float64
				for _, u := range row {
					m += float64(u) / float64(n)
					size += math.Abs(float64(u)) / float64(n)
				}
				for _, u := range row {
					v += (float64(u) - m) * (float64(u) - m) / float64(n)
				}
				f := 1 / math.Sqrt(v+epsilon)
				for c, u := range row {
					z := (float64(u) - m) * f
					y[i*n+c] = z*float64(gamma[c]) + float64(beta[c])
					// The mean is off by roundings of sizes, and z with it; the factor by half of
					// what the sum of squares is off by; then a few roundings more.
					sizes[i*n+c] = math.Abs(float64(gamma[c]))*(f*(summing+2)*size+math.Abs(z)*(summingUp(n)/2+6)) + math.Abs(float64(beta[c]))
				}
			}
			kept := make([]float32, 2*rows)
			within(t, "forward", alike(t, len(x), func(p *Pool, to []float32) {
				LayerNormForward(p, to, kept[:rows], kept[rows:], x, rows, n, gamma, beta, epsilon)
			}), y, sizes, 1)
			for i := range rows { // from what was kept
				a, b := newSums(1), newSums(1)
				z, g := make([]float64, n), make([]float64, n)
				f := float64(kept[rows+i])
				for c := range n {
					d := float64(dy[i*n+c])
					z[c] = (float64(x[i*n+c]) - float64(kept[i])) * f
					g[c] = d * float64(gamma[c])
					byGamma.add(c, d*z[c])
					byBeta.add(c, d)
					a.add(0, g[c]/float64(n))
					b.add(0, g[c]*z[c]/float64(n))
				}
				for c := range n {
					byX[i*n+c] = (g[c] - a.sums[0] - z[c]*b.sums[0]) * f
					sizes[i*n+c] = (math.Abs(g[c]) + a.sizes[0] + math.Abs(z[c])*b.sizes[0]) * f
				}
			}
			got := alike(t, len(x)+2*n, func(p *Pool, to []float32) {
				LayerNormBackward(p, to[2*n:], to[:n], to[n:2*n], dy, x, rows, n, gamma, kept[:rows], kept[rows:])
			})
			within(t, "by gamma", got[:n], byGamma.sums, byGamma.sizes, summing+3)
			within(t, "by beta", got[n:2*n], byBeta.sums, byBeta.sizes, summing)
			within(t, "by x", got[2*n:], byX, sizes, summing+8)
		})
	})
}

func TestSoftmax(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			r := seeded(t)
			rows, n := pick(t, "rows", 1, 3, 64, 700), pick(t, "columns", 1, 3, 10, 16, 33, 100)
			x, dy := random(r, rows*n), random(r, rows*n)
			for i := range x {
				x[i] *= 20
			}
			y, sizes := make([]float64, len(x)), make([]float64, len(x))
			for i := range rows {
				largest, sum := float64(slices.Max(x[i*n:][:n])), 0.
				for c := range n {
					y[i*n+c] = math.Exp(float64(x[i*n+c]) - largest)
					sum += y[i*n+c]
				}
				for c := range n {
					y[i*n+c] /= sum
					// The difference d is rounded, which exp makes d roundings of; exp itself errs by
					// up to 7 (see TestUnary), in the sum as well.
					d := largest - float64(x[i*n+c])
					sizes[i*n+c] = y[i*n+c] * (d + 7 + 7 + summingUp(n) + 3)
				}
			}
			got := alike(t, len(x), func(p *Pool, to []float32) { SoftmaxForward(p, to, x, rows, n) })
			within(t, "forward", got, y, sizes, 1)
			byX := make([]float64, len(x))
			for i := range rows {
				dot := newSums(1)
				for c := range n {
					dot.add(0, float64(got[i*n+c])*float64(dy[i*n+c]))
				}
				for c := range n {
					y, d := float64(got[i*n+c]), float64(dy[i*n+c])
					byX[i*n+c] = y * (d - dot.sums[0])
					sizes[i*n+c] = y * (math.Abs(d) + dot.sizes[0])
				}
			}
			within(t, "backward", alike(t, len(x), func(p *Pool, to []float32) { SoftmaxBackward(p, to, dy, got, rows, n) }), byX, sizes, summing+3)
		})
	})
}

func BenchmarkNorm(b *testing.B) {
	for _, s := range []struct{ rows, n int }{{50176, 16}, {12544, 32}, {3136, 64}} {
		r := rand.New(rand.NewPCG(1, 2))
		x, dy, gamma, beta := random(r, s.rows*s.n), random(r, s.rows*s.n), random(r, s.n), random(r, s.n)
		y, m, v, dg, db := make([]float32, len(x)), make([]float32, s.n), make([]float32, s.n), make([]float32, s.n), make([]float32, s.n)
		name := []string{"50176x16", "12544x32", "3136x64"}[map[int]int{16: 0, 32: 1, 64: 2}[s.n]]
		run := func(what string, passes int, f func()) {
			b.Run(name+"/"+what, func(b *testing.B) { bandwidth(b, passes*len(x), f) })
		}
		run("moments", 1, func() { MeanVariance(nil, m, v, x, s.rows, s.n) })
		run("batchnorm", 2, func() { BatchNormForward(nil, y, x, s.rows, s.n, m, v, gamma, beta, 1e-5) })
		run("batchnormBackward", 5, func() { BatchNormBackward(nil, y, dg, db, dy, x, s.rows, s.n, m, v, gamma, 1e-5) })
		run("layernorm", 2, func() { LayerNormForward(nil, y, nil, nil, x, s.rows, s.n, gamma, beta, 1e-5) })
		run("softmax", 2, func() { SoftmaxForward(nil, y, x, s.rows, s.n) })
	}
}
