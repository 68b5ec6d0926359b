package predict

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/lbfgs"
	"github.com/daedalus-search/daedalus/internal/rng"
)

// A gpFit is a Gaussian process with its hyperparameters, conditioned on rows.
type gpFit struct {
	form  *gpForm
	theta []float64 // logarithms of the hyperparameters
	p     *gpParams
	sum   bool

	n     int
	z     []float64 // coordinates, warped and scaled
	cat   []int32
	y     []float64 // targets
	extra []float64 // noise of rows as a multiple; nil means 1 each
	l     []float64 // factor of the covariance of the targets
	alpha []float64 // covariance⁻¹ (targets − mean)
	mean  float64
	jump  float64 // what was added to the diagonal to make it factor
}

// meanVariance is that of the normal prior of the mean of standardised targets.
const meanVariance = 1

// gpPrior is what hyperparameters are believed to be before rows are seen: the
// logarithms are normal, that of the noise with a longer tail below. See
// [GP.Prior].
type gpPrior struct {
	signal, noise, scale, pick     float64 // centres of the logarithms
	signalW, noiseW, scaleW, pickW float64 // half the inverse variance
	quietW                         float64 // noiseW of less noise than the centre
	lowNoise, highNoise            float64 // bounds of the logarithms
	lowScale, highScale            float64
	lowSignal, highSignal, optionW float64
}

func newGPPrior(o *GP, form *gpForm) gpPrior {
	ln := detmath.Log
	q := gpPrior{
		noise: ln(1e-2), noiseW: 0.5 / 25, quietW: 0.005,
		signal: 0, signalW: 0.05,
		scale: ln(2), scaleW: 0.01,
		pick: ln(2), pickW: 0.01,
		lowNoise: ln(1e-8), highNoise: 0,
		lowScale: ln(1e-4), highScale: ln(1e4),
		lowSignal: ln(1e-3), highSignal: ln(100),
		optionW: 0.5,
	}
	if o.Prior != "vizier" {
		// Hvarfner, Hellsten and Nardi 2024: log ℓ ~ N(√2 + ½ log d, 3), whose
		// density of ℓ has its mode at log ℓ = √2 − 3 + ½ log d.
		d := float64(max(len(form.columns), 1))
		q.scale = -2*(math.Sqrt2-3) - ln(d)
		q.scaleW = 0.5 / (4 * 3)
		// Of all categories but a third the same are e^(−1/2) alike.
		q.pick = ln(1.5 / float64(max(form.cats, 1)))
		q.pickW = 0.125
	}
	if o.Noise > 0 {
		q.noise, q.lowNoise, q.highNoise = ln(o.Noise), ln(o.Noise), ln(o.Noise)
	}
	return q
}

func (q *gpPrior) bounds(f *gpForm) (lo, hi []float64) {
	lo, hi = make([]float64, f.count()), make([]float64, f.count())
	lo[0], hi[0] = q.lowSignal, q.highSignal
	lo[1], hi[1] = q.lowNoise, q.highNoise
	i := 2
	for range f.scales {
		lo[i], hi[i] = q.lowScale, q.highScale
		i++
	}
	for range f.options {
		lo[i], hi[i] = -5, 3
		i++
	}
	for range 2 * f.warps {
		lo[i], hi[i] = -2, 2
		i++
	}
	return lo, hi
}

// start returns the centre of the prior.
func (q *gpPrior) start(f *gpForm) []float64 {
	x := make([]float64, f.count())
	x[0], x[1] = q.signal, q.noise
	for i := range f.scales {
		x[2+i] = q.centre(f, i)
	}
	return x
}

// centre is that of the logarithm of scale i.
func (q *gpPrior) centre(f *gpForm, i int) float64 {
	if f.pick[i] {
		return q.pick
	}
	return q.scale
}

// loss adds the negative logarithm of the prior at x to the sum, and its
// gradient to g.
func (q *gpPrior) loss(f *gpForm, x, g []float64) float64 {
	sum := 0.0
	add := func(i int, centre, w float64) {
		d := x[i] - centre
		sum += float64(w * float64(d*d))
		g[i] += float64(2 * w * d)
	}
	add(0, q.signal, q.signalW)
	if x[1] > q.noise {
		add(1, q.noise, q.noiseW)
	} else {
		add(1, q.noise, q.quietW)
	}
	i := 2
	for s := range f.scales {
		w := q.scaleW
		if f.pick[s] {
			w = q.pickW
		}
		add(i, q.centre(f, s), w)
		i++
	}
	for range f.options {
		add(i, 0, q.optionW)
		i++
	}
	for range 2 * f.warps { // log a, log b ~ N(0, 0.5²)
		add(i, 0, 2)
		i++
	}
	return sum
}

// A gpTask is the likelihood of hyperparameters given some rows, with the room
// to compute it in.
type gpTask struct {
	form  *gpForm
	prior gpPrior
	sum   bool
	n     int
	raw   []float64 // rows
	z     []float64
	cat   []int32
	y     []float64
	extra []float64

	k, kr, kh   []float64 // kernel and derivatives, packed
	l, inv, sq  []float64
	alpha, ones []float64
	du          []float64 // derivatives of coordinates by log a and log b
}

func newGPTask(o *GP, form *gpForm, rows []float64, y, extra []float64) *gpTask {
	n := len(y)
	t := &gpTask{form: form, prior: newGPPrior(o, form), sum: o.Kernel == "sum", n: n, raw: rows, y: y, extra: extra}
	t.z = make([]float64, n*form.coords)
	t.cat = make([]int32, n*form.cats)
	size := tri(n)
	t.k, t.kr, t.kh = make([]float64, size), make([]float64, size), make([]float64, size)
	t.l, t.inv, t.sq = make([]float64, size), make([]float64, size), make([]float64, n*n)
	t.alpha, t.ones = make([]float64, n), make([]float64, n)
	t.du = make([]float64, 2*n*form.warps)
	return t
}

func (t *gpTask) row(i int) []float64 {
	d := len(t.form.columns)
	return t.raw[i*d : i*d+d]
}

// loss returns the negative logarithm of the posterior density of x, up to a
// constant, and writes its gradient to g.
func (t *gpTask) loss(x, g []float64) float64 {
	f := t.form
	p := f.params(x)
	n, d := t.n, f.coords
	for i := range n {
		f.embed(t.row(i), t.z[i*d:i*d+d], t.cat[i*f.cats:(i+1)*f.cats], p)
	}
	both := t.sum && d > 0 && f.cats > 0
	at := 0
	for i := range n {
		zi, ci := t.z[i*d:i*d+d], t.cat[i*f.cats:(i+1)*f.cats]
		for j := range i {
			zj := t.z[j*d : j*d+d]
			zj = zj[:len(zi)]
			r2 := 0.0
			for c, v := range zi {
				u := v - zj[c]
				r2 += float64(u * u)
			}
			v, dv, e := 1.0, 0.0, 1.0
			if d > 0 {
				v, dv = matern(r2)
			}
			if f.cats > 0 {
				e = detmath.Exp(-f.mismatch(ci, t.cat[j*f.cats:(j+1)*f.cats], p))
			}
			k, dm, de := gpJoin(both, v, e)
			t.k[at] = float64(p.signal * k)
			t.kr[at] = float64(float64(p.signal*dv) * dm)
			t.kh[at] = -float64(float64(p.signal*e) * de)
			at++
		}
		t.k[at] = p.signal
		at++
	}
	bad := math.Inf(1)
	copy(t.l, t.k)
	for i := range n {
		t.l[tri(i)+i] += float64(p.noise*t.multiple(i)) + float64(1e-9*p.signal)
	}
	if !cholesky(t.l, 0, n) {
		return bad
	}
	mean := gpSolve(t.l, t.y, t.alpha, t.ones)
	inverse(t.inv, t.l, t.sq, n)
	loss := mean * mean / (2 * meanVariance)
	for i := range n {
		loss += float64(0.5*float64((t.y[i]-mean)*t.alpha[i])) + detmath.Log(t.l[tri(i)+i])
	}
	clear(g)
	loss += t.prior.loss(f, x, g)
	t.gradient(p, g)
	if math.IsNaN(loss) {
		return bad
	}
	return loss
}

func (t *gpTask) multiple(i int) float64 {
	if t.extra == nil {
		return 1
	}
	return t.extra[i]
}

// gpSolve sets alpha = K⁻¹(y − mean) with the best mean given its prior, which
// it returns. Given the rest, the mean maximises the posterior density, so that
// derivatives by the rest can take it as constant.
func gpSolve(l, y, alpha, ones []float64) float64 {
	copy(alpha, y)
	forward(l, alpha)
	for i := range ones {
		ones[i] = 1
	}
	forward(l, ones)
	mean := dot(ones, alpha) / (dot(ones, ones) + 1/float64(meanVariance))
	for i, o := range ones {
		alpha[i] -= float64(mean * o)
	}
	backward(l, alpha)
	return mean
}

// gradient adds the derivatives of the likelihood to g: minus half the trace of
// (α αᵀ − K⁻¹) ∂K, in which each pair of rows stands twice.
func (t *gpTask) gradient(p *gpParams, g []float64) {
	f := t.form
	n, d := t.n, f.coords
	coord := make([]float64, d)
	option := make([]float64, f.options)
	pick := make([]float64, f.cats)
	warp := make([]float64, 2*f.warps)
	for i := range n {
		if f.warps == 0 {
			break
		}
		row := t.row(i)
		for j := range f.columns {
			if c := &f.columns[j]; c.levels == 0 && c.warp >= 0 {
				_, _, da, db := p.warp(c.warp, c.place(row[j]))
				s := p.root[c.scale]
				t.du[2*(i*f.warps+c.warp)] = float64(da * s)
				t.du[2*(i*f.warps+c.warp)+1] = float64(db * s)
			}
		}
	}
	signal, noise := 0.0, 0.0
	at := 0
	for i := range n {
		zi, ci := t.z[i*d:i*d+d], t.cat[i*f.cats:(i+1)*f.cats]
		ai := t.alpha[i]
		for j := range i {
			w := float64(ai*t.alpha[j]) - t.inv[at]
			signal += float64(w * t.k[at])
			if d > 0 {
				a := float64(w * t.kr[at])
				zj := t.z[j*d : j*d+d]
				zj = zj[:len(zi)]
				out := coord[:len(zi)]
				for c, v := range zi {
					u := v - zj[c]
					out[c] += float64(a * float64(u*u))
				}
				if f.warps > 0 {
					du, dv := t.du[2*i*f.warps:2*(i+1)*f.warps], t.du[2*j*f.warps:2*(j+1)*f.warps]
					for c := range f.columns {
						if x := &f.columns[c]; x.levels == 0 && x.warp >= 0 {
							u := float64(2 * float64(a*(zi[x.at]-zj[x.at])))
							warp[2*x.warp] += float64(u * (du[2*x.warp] - dv[2*x.warp]))
							warp[2*x.warp+1] += float64(u * (du[2*x.warp+1] - dv[2*x.warp+1]))
						}
					}
				}
			}
			if f.cats > 0 {
				b := float64(w * t.kh[at])
				for c, cj := range t.cat[j*f.cats : (j+1)*f.cats] {
					x := ci[c]
					if x == cj {
						continue
					}
					q := &f.picks[c]
					s := float64(b * p.scale[q.scale])
					if q.option >= 0 {
						u, v := p.option[q.option+int(x)], p.option[q.option+int(cj)]
						option[q.option+int(x)] += float64(float64(0.5*s) * u)
						option[q.option+int(cj)] += float64(float64(0.5*s) * v)
						s *= float64(0.5 * (u + v))
					}
					pick[c] += s
				}
			}
			at++
		}
		w := float64(0.5 * (float64(ai*ai) - t.inv[at]))
		signal += float64(w * t.k[at])
		noise += float64(float64(w*p.noise) * t.multiple(i))
		at++
	}
	g[0] -= signal
	g[1] -= noise
	for j := range f.columns {
		c := &f.columns[j]
		switch {
		case c.levels > 0:
			g[2+c.scale] -= pick[c.at]
		case c.arc:
			g[2+c.scale] -= coord[c.at] + coord[c.at+1]
		default:
			g[2+c.scale] -= coord[c.at]
		}
	}
	for i, v := range option {
		g[2+f.scales+i] -= v
	}
	for i := range f.warps {
		g[2+f.scales+f.options+i] -= warp[2*i]
		g[2+f.scales+f.options+f.warps+i] -= warp[2*i+1]
	}
}

// learn looks for the hyperparameters of greatest posterior density, from those
// given, if any, the centre of the prior, and then at random around it.
func (t *gpTask) learn(ctx context.Context, r *rand.Rand, warm []float64, starts, steps int) []float64 {
	lo, hi := t.prior.bounds(t.form)
	var best []float64
	least := math.Inf(1)
	try := func(x []float64) {
		for i := range x {
			x[i] = min(max(x[i], lo[i]), hi[i])
		}
		if y := lbfgs.Minimize(ctx, t.loss, x, lo, hi, steps); best == nil || y < least {
			best, least = x, y
		}
	}
	if len(warm) == t.form.count() {
		try(slices.Clone(warm))
		starts--
	}
	for i := 0; i < starts && ctx.Err() == nil; i++ {
		x := t.prior.start(t.form)
		if i > 0 {
			x[0] += rng.Norm(r)
			x[1] += float64(2 * rng.Norm(r))
			all := rng.Norm(r)
			for j := range t.form.scales {
				x[2+j] += all + float64(1.5*rng.Norm(r))
			}
		}
		try(x)
	}
	if best == nil {
		best = t.prior.start(t.form)
	}
	return best
}
