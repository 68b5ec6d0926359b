package predict

import (
	"context"
	"errors"
	"math"
)

var errNotDefinite = errors.New("gp: the sparse covariance cannot be factored")

// A gpSparse is the FITC approximation: given the function at the inducing rows
// the others are independent. With Z the inducing rows, V = L_Z⁻¹ K_Zn,
// Λ = diag(k − Σ V²) + noise and B = 1 + V Λ⁻¹ Vᵀ, the posterior at a row with
// a = L_Z⁻¹ k has mean aᵀ B⁻¹ V Λ⁻¹ y and variance k − aᵀa + aᵀ B⁻¹ a.
type gpSparse struct {
	z      gpFit     // inducing rows with the factor of their kernel
	lb     []float64 // factor of B
	weight []float64 // B⁻¹ V Λ⁻¹ (y − mean)
}

// sparsify conditions the model on rows through at most m of them.
func (g *GPModel) sparsify(ctx context.Context, rows, y, extra []float64, m int) error {
	fit := &g.fit
	f, p := fit.form, fit.p
	n, d := len(y), len(f.columns)
	all := gpFit{form: f, p: p, sum: fit.sum, n: n, z: make([]float64, n*f.coords), cat: make([]int32, n*f.cats)}
	for i := range n {
		f.embed(rows[i*d:(i+1)*d], all.z[i*f.coords:(i+1)*f.coords], all.cat[i*f.cats:(i+1)*f.cats], p)
	}
	// Pivoted Cholesky: the next inducing row is the one that those before tell
	// least about. Column c of v holds what row c of V does.
	left := make([]float64, n)
	for i := range left {
		left[i] = p.signal
	}
	m = min(m, n)
	v := make([]float64, n*m) // row by row of the data
	var chosen []int
	col := make([]float64, n)
	for len(chosen) < m {
		if err := ctx.Err(); err != nil {
			return err
		}
		next := 0
		for i, s := range left {
			if s > left[next] {
				next = i
			}
		}
		if left[next] < float64(1e-6*p.signal) {
			break
		}
		c := len(chosen)
		root := math.Sqrt(left[next])
		all.against(all.z[next*f.coords:(next+1)*f.coords], all.cat[next*f.cats:(next+1)*f.cats], col, nil)
		pivot := v[next*m : next*m+c]
		for i := range n {
			row := v[i*m : i*m+c+1]
			row[c] = (col[i] - dot(row[:c], pivot)) / root
			left[i] = max(left[i]-float64(row[c]*row[c]), 0)
		}
		left[next] = 0
		chosen = append(chosen, next)
	}
	k := len(chosen)
	s := &gpSparse{z: gpFit{form: f, p: p, sum: fit.sum, n: k}}
	for _, i := range chosen {
		s.z.z = append(s.z.z, all.z[i*f.coords:(i+1)*f.coords]...)
		s.z.cat = append(s.z.cat, all.cat[i*f.cats:(i+1)*f.cats]...)
	}
	// The rows of V at the pivots are the factor of their kernel.
	s.z.l = make([]float64, tri(k))
	for c, i := range chosen {
		copy(s.z.l[tri(c):tri(c)+c+1], v[i*m:i*m+c+1])
	}
	s.lb = make([]float64, tri(k))
	for c := range k {
		s.lb[tri(c)+c] = 1
	}
	one, target := make([]float64, k), make([]float64, k)
	precision, weighted := 0.0, 0.0 // of the mean
	for i := range n {
		if i%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		noise := p.noise
		if extra != nil {
			noise *= extra[i]
		}
		w := 1 / (left[i] + noise + float64(1e-9*p.signal))
		row := v[i*m : i*m+k]
		for c, x := range row {
			t := float64(w * x)
			r := s.lb[tri(c) : tri(c)+c+1]
			for e, u := range row[:c+1] {
				r[e] += float64(t * u)
			}
			one[c] += t
			target[c] += float64(t * y[i])
		}
		precision += w
		weighted += float64(w * y[i])
	}
	if !cholesky(s.lb, 0, k) {
		return errNotDefinite
	}
	// The generalised mean: 1ᵀK⁻¹ = 1ᵀΛ⁻¹ − 1ᵀΛ⁻¹VᵀB⁻¹VΛ⁻¹.
	a, b := append([]float64(nil), one...), append([]float64(nil), target...)
	forward(s.lb, a)
	forward(s.lb, b)
	fit.mean = (weighted - dot(a, b)) / (precision - dot(a, a) + 1/float64(meanVariance))
	s.weight = target
	for c := range target {
		target[c] -= float64(fit.mean * one[c])
	}
	forward(s.lb, target)
	backward(s.lb, target)
	fit.n = n
	g.sparse = s
	return nil
}

// latent is [GPModel.latent] of the sparse model.
func (s *gpSparse) latent(fit *gpFit, rows, mean, variance []float64) {
	f := fit.form
	d, k := len(f.columns), s.z.n
	z, cat := make([]float64, f.coords), make([]int32, f.cats)
	a := make([]float64, min(gpBlock, len(mean))*k)
	for at := 0; at < len(mean); at += gpBlock {
		b := min(gpBlock, len(mean)-at)
		for i := range b {
			f.embed(rows[(at+i)*d:(at+i+1)*d], z, cat, fit.p)
			s.z.against(z, cat, a[i*k:(i+1)*k], nil)
		}
		forwardMany(s.z.l, a[:b*k], k)
		for i := range b {
			row := a[i*k : (i+1)*k]
			mean[at+i] = fit.mean + dot(row, s.weight)
			if variance != nil {
				variance[at+i] = fit.p.signal - dot(row, row)
			}
		}
		if variance == nil {
			continue
		}
		forwardMany(s.lb, a[:b*k], k)
		for i := range b {
			row := a[i*k : (i+1)*k]
			variance[at+i] = max(variance[at+i]+dot(row, row), float64(fit.p.signal*1e-12))
		}
	}
}

// joint makes the posterior mean and covariance of rows from their prior
// covariance.
func (s *gpSparse) joint(fit, at *gpFit, mean, cov []float64) {
	f, k, n := fit.form, s.z.n, at.n
	a := make([]float64, n*k)
	for i := range n {
		s.z.against(at.z[i*f.coords:(i+1)*f.coords], at.cat[i*f.cats:(i+1)*f.cats], a[i*k:(i+1)*k], nil)
	}
	forwardMany(s.z.l, a, k)
	for i := range n {
		mean[i] = fit.mean + dot(a[i*k:(i+1)*k], s.weight)
	}
	for _, sign := range []float64{-1, 1} {
		if sign > 0 {
			forwardMany(s.lb, a, k)
		}
		for i := range n {
			for j := range i + 1 {
				cov[tri(i)+j] += float64(sign * dot(a[i*k:(i+1)*k], a[j*k:(j+1)*k]))
			}
		}
	}
}
