package kernel

import (
	"math"
	"math/rand/v2"
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
	near(t, "mean", got[:n], mean, 1e-6)
	near(t, "variance", got[n:], variance, 1e-6)
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
			mean, variance := exactMoments(x, rows, n)
			m, v := make([]float32, n), make([]float32, n)
			for c := range n {
				m[c], v[c] = float32(mean[c]), float32(variance[c])
			}
			y, z := make([]float64, len(x)), make([]float64, len(x))
			byGamma, byBeta := make([]float64, n), make([]float64, n)
			for i, u := range x {
				c := i % n
				z[i] = (float64(u) - mean[c]) / math.Sqrt(variance[c]+epsilon)
				if y[i] = z[i] * g(c); beta != nil {
					y[i] += float64(beta[c])
				}
				byGamma[c] += float64(dy[i]) * z[i]
				byBeta[c] += float64(dy[i])
			}
			near(t, "forward", alike(t, len(x), func(p *Pool, to []float32) { BatchNormForward(p, to, x, rows, n, m, v, gamma, beta, epsilon) }), y, 2e-6)
			byX, terms := make([]float64, len(x)), 1.
			for i := range x {
				c := i % n
				terms = max(terms, math.Abs(g(c))/math.Sqrt(variance[c]+epsilon))
				byX[i] = g(c) / math.Sqrt(variance[c]+epsilon) * (float64(dy[i]) - byBeta[c]/float64(rows) - z[i]*byGamma[c]/float64(rows))
			}
			got := alike(t, len(x)+2*n, func(p *Pool, to []float32) {
				BatchNormBackward(p, to[2*n:], to[:n], to[n:2*n], dy, x, rows, n, m, v, gamma, epsilon)
			})
			near(t, "by gamma", got[:n], byGamma, 1e-5)
			near(t, "by beta", got[n:2*n], byBeta, 1e-5)
			nearer(t, "by x", got[2*n:], byX, 1e-5, terms)
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
			y, byX := make([]float64, len(x)), make([]float64, len(x))
			byGamma, byBeta := make([]float64, n), make([]float64, n)
			for i := range rows {
				row, z, g := x[i*n:][:n], make([]float64, n), make([]float64, n)
				var m, v, a, b float64
				for _, u := range row {
					m += float64(u) / float64(n)
				}
				for _, u := range row {
					v += (float64(u) - m) * (float64(u) - m) / float64(n)
				}
				for c, u := range row {
					z[c] = (float64(u) - m) / math.Sqrt(v+epsilon)
					y[i*n+c] = z[c]*float64(gamma[c]) + float64(beta[c])
					d := float64(dy[i*n+c])
					byGamma[c] += d * z[c]
					byBeta[c] += d
					g[c] = d * float64(gamma[c])
					a += g[c] / float64(n)
					b += g[c] * z[c] / float64(n)
				}
				for c := range row {
					byX[i*n+c] = (g[c] - a - z[c]*b) / math.Sqrt(v+epsilon)
				}
			}
			kept := make([]float32, 2*rows)
			near(t, "forward", alike(t, len(x), func(p *Pool, to []float32) {
				LayerNormForward(p, to, kept[:rows], kept[rows:], x, rows, n, gamma, beta, epsilon)
			}), y, 1e-5)
			got := alike(t, len(x)+2*n, func(p *Pool, to []float32) {
				LayerNormBackward(p, to[2*n:], to[:n], to[n:2*n], dy, x, rows, n, gamma, kept[:rows], kept[rows:])
			})
			near(t, "by gamma", got[:n], byGamma, 1e-5)
			near(t, "by beta", got[n:2*n], byBeta, 1e-5)
			near(t, "by x", got[2*n:], byX, 1e-5)
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
			y, byX := make([]float64, len(x)), make([]float64, len(x))
			for i := range rows {
				largest, sum, dot := math.Inf(-1), 0., 0.
				for c := range n {
					largest = max(largest, float64(x[i*n+c]))
				}
				for c := range n {
					y[i*n+c] = math.Exp(float64(x[i*n+c]) - largest)
					sum += y[i*n+c]
				}
				for c := range n {
					y[i*n+c] /= sum
					dot += y[i*n+c] * float64(dy[i*n+c])
				}
				for c := range n {
					byX[i*n+c] = y[i*n+c] * (float64(dy[i*n+c]) - dot)
				}
			}
			got := alike(t, len(x), func(p *Pool, to []float32) { SoftmaxForward(p, to, x, rows, n) })
			near(t, "forward", got, y, 2e-6)
			near(t, "backward", alike(t, len(x), func(p *Pool, to []float32) { SoftmaxBackward(p, to, dy, got, rows, n) }), byX, 1e-5)
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
