package predict

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/predict/internal/vec"
)

// Ridge is linear regression with a squared penalty (Hoerl and Kennard, "Ridge
// regression: biased estimation for nonorthogonal problems", 1970): it minimises
//
//	Σᵢ wᵢ(yᵢ − b₀ − bᵀxᵢ)² + λ‖b‖²
//
// over centred columns of variance 1, with weights of mean 1; b₀ is free. It is
// the predictor that anything else has to beat: a few dozen labels suffice.
//
// Categories are as many columns as they have levels, together of variance 1. A
// missing number counts as the mean and is flagged.
//
// The standard deviation is that of a new measurement in Bayesian linear
// regression with prior variance σ²/λ for each coefficient,
//
//	sd² = σ²(1 + 1/n + xᵀ(XᵀX + λ)⁻¹x),  σ² = RSS/(n − 1 − tr H).
//
// With r = min(rows, columns), a fit costs about 10r³ + 2r·rows·columns
// operations up to r = 512. Beyond, λ and sd come from 512 rows drawn at random
// and the coefficients from at most 200 steps of conjugate gradients over all.
type Ridge struct {
	// Lambda is the penalty λ; 0 means the one of least generalised
	// cross-validation error (Golub, Heath and Wahba 1979) among 49 from 1e-6 to
	// 1e6 times the mean eigenvalue of XᵀX.
	Lambda float64 `yaml:"lambda" min:"0" doc:"penalty of squared coefficients; 0 means by generalised cross-validation"`
}

// linDecomposed is up to which size matrices are decomposed.
const linDecomposed = 512

type ridgeModel struct {
	Columns   int
	Form      *linForm
	Mean, B   []float64 // Mean is one number: the intercept
	Sigma2    float64
	Lambda    float64
	N         float64   // sum of weights
	Rank      []float64 // eigenvalues of XᵀX
	Direction []float64 // their vectors, row by row
}

func (o Ridge) check() error {
	if !(o.Lambda >= 0 && o.Lambda <= math.MaxFloat64) {
		return fmt.Errorf("ridge: lambda: found %v, want a finite number above 0, or 0 to choose it", o.Lambda)
	}
	return nil
}

// Fit learns coefficients.
func (o Ridge) Fit(ctx context.Context, t *Table, seed uint64) (Model, error) {
	if err := errors.Join(o.check(), t.Validate(), ctx.Err()); err != nil {
		return nil, err
	}
	f := newLinForm(t)
	x := f.apply(nil, t.X, len(t.Columns))
	n, d := len(t.Y), f.Width
	w, total := linWeights(t)
	mean, sd := linTarget(t.Y, w)
	y := make([]float64, n)
	for i := range y {
		root := math.Sqrt(w[i])
		y[i] = float64(root * ((t.Y[i] - mean) / sd))
		for j := range d {
			x[i*d+j] *= root
		}
	}
	m := &ridgeModel{Columns: len(t.Columns), Form: f, Mean: []float64{mean}, N: total, B: make([]float64, d)}
	if d == 0 {
		m.Sigma2 = float64(sd*sd) * total / max(total-1, 1)
		if linConstant(t.Y) {
			m.Sigma2 = 0
		}
		return m, nil
	}
	if min(n, d) <= linDecomposed {
		m.decompose(x, y, n, d, o.Lambda)
	} else {
		rows := rng.New(seed, "predict/ridge", 0).Perm(n)[:linDecomposed]
		sx, sy := make([]float64, 0, len(rows)*d), make([]float64, 0, len(rows))
		for _, i := range rows {
			sx, sy = append(sx, x[i*d:(i+1)*d]...), append(sy, y[i])
		}
		m.decompose(sx, sy, len(sy), d, o.Lambda)
		if err := linConjugate(ctx, m.B, x, y, n, d, m.Lambda); err != nil {
			return nil, err
		}
		rss := 0.0
		for i := range y {
			r := y[i] - vec.Dot(x[i*d:(i+1)*d], m.B)
			rss += float64(r * r)
		}
		df := 1.0
		for _, e := range m.Rank { // of XᵀX of all rows, about
			e *= float64(n) / float64(len(rows))
			df += e / (e + m.Lambda)
		}
		m.Sigma2 = rss / max(total-df, 1)
	}
	for j := range m.B {
		m.B[j] *= sd
	}
	m.Sigma2 *= float64(sd * sd)
	return m, ctx.Err()
}

func linConstant(y []float64) bool {
	return slices.Min(y) == slices.Max(y)
}

// decompose sets everything that follows from the eigenvalues of the smaller of
// XᵀX and XXᵀ, and with lambda 0 chooses it.
func (m *ridgeModel) decompose(x, y []float64, n, d int, lambda float64) {
	r := min(n, d)
	g := make([]float64, r*r)
	if n <= d {
		for i := range n {
			for j := range i + 1 {
				v := vec.Dot(x[i*d:(i+1)*d], x[j*d:(j+1)*d])
				g[i*n+j], g[j*n+i] = v, v
			}
		}
	} else {
		for i := range n {
			row := x[i*d : (i+1)*d]
			for j, v := range row {
				if v != 0 {
					vec.Axpy(g[j*d:(j+1)*d], v, row)
				}
			}
		}
		for j := range d { // the sums of both halves are the same bits
			for k := range j {
				g[j*d+k] = g[k*d+j]
			}
		}
	}
	values, q := linEigen(g, r)
	// Directions in columns, with the squared loading of y on each.
	top := slices.Max(values)
	var rank, dirs, load, along []float64 // along: vᵀXᵀy
	left := vec.Dot(y, y)
	for k, e := range values {
		if !(e > float64(1e-12*top)) {
			continue
		}
		var v []float64
		var a float64
		if n <= d {
			v = make([]float64, d)
			for i := range n {
				vec.Axpy(v, q[k*n+i], x[i*d:(i+1)*d])
			}
			root := math.Sqrt(e)
			for j := range v {
				v[j] /= root
			}
			a = float64(vec.Dot(q[k*n:(k+1)*n], y) * root)
		} else {
			v = q[k*d : (k+1)*d]
			for i := range n {
				a += float64(vec.Dot(x[i*d:(i+1)*d], v) * y[i])
			}
		}
		rank, dirs, along = append(rank, e), append(dirs, v...), append(along, a)
		load = append(load, float64(a*a)/e)
		left -= load[len(load)-1]
	}
	left = max(left, 0)
	score := func(lambda float64) (gcv, sigma2 float64) {
		rss, df := left, 1.0
		for k, e := range rank {
			h := e / (e + lambda)
			df += h
			rss += float64(load[k] * float64((1-h)*(1-h)))
		}
		free := float64(n) - df
		if free < 1e-9 {
			return math.Inf(1), rss
		}
		return float64(rss/free) / free, rss / max(free, 1e-3)
	}
	if lambda == 0 {
		sum := 0.0
		for _, e := range rank {
			sum += e
		}
		if len(rank) == 0 {
			lambda = 1
		} else {
			least := math.Inf(1)
			for k := range 49 {
				l := float64(sum / float64(len(rank)) * detmath.Pow(10, float64(24-k)/4))
				if s, _ := score(l); s < least {
					least, lambda = s, l
				}
			}
			lambda = cmp.Or(lambda, 1)
		}
	}
	m.Lambda, m.Rank, m.Direction = lambda, rank, dirs
	_, m.Sigma2 = score(lambda)
	for k, e := range rank {
		vec.Axpy(m.B, along[k]/(e+lambda), dirs[k*d:(k+1)*d])
	}
}

// linConjugate solves (XᵀX + λ)b = Xᵀy by conjugate gradients from b.
func linConjugate(ctx context.Context, b, x, y []float64, n, d int, lambda float64) error {
	r, p, ap := make([]float64, d), make([]float64, d), make([]float64, d)
	for i := range n {
		row := x[i*d : (i+1)*d]
		vec.Axpy(r, y[i]-vec.Dot(row, b), row)
	}
	vec.Axpy(r, -lambda, b)
	copy(p, r)
	rr := vec.Dot(r, r)
	stop := float64(1e-20 * rr)
	for range 200 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if rr <= stop {
			return nil
		}
		clear(ap)
		for i := range n {
			row := x[i*d : (i+1)*d]
			vec.Axpy(ap, vec.Dot(row, p), row)
		}
		vec.Axpy(ap, lambda, p)
		step := rr / vec.Dot(p, ap)
		vec.Axpy(b, step, p)
		vec.Axpy(r, -step, ap)
		next := vec.Dot(r, r)
		for j := range p {
			p[j] = r[j] + float64(next/rr*p[j])
		}
		rr = next
	}
	return nil
}

// Predict predicts rows.
func (m *ridgeModel) Predict(rows, mean, sd []float64) {
	x := m.Form.apply(nil, rows, m.Columns)
	d := m.Form.Width
	for i := range mean {
		row := x[i*d : (i+1)*d]
		mean[i] = m.Mean[0] + vec.Dot(row, m.B)
		if sd == nil {
			continue
		}
		q := 1 + 1/m.N
		rest := vec.Dot(row, row)
		for k, e := range m.Rank {
			a := vec.Dot(row, m.Direction[k*d:(k+1)*d])
			rest -= float64(a * a)
			q += float64(a*a) / (e + m.Lambda)
		}
		if m.Lambda > 0 && rest > 1e-9 {
			q += rest / m.Lambda
		}
		sd[i] = math.Sqrt(float64(m.Sigma2 * q))
	}
}

// Coefficients returns the factor of each number of [Table.Columns] in its own
// unit, and 0 for categories.
func (m *ridgeModel) Coefficients() []float64 { return linCoefficients(m.Form, m.B, m.Columns) }

func linCoefficients(f *linForm, b []float64, columns int) []float64 {
	out := make([]float64, columns)
	for _, c := range f.Cols {
		if len(c.Slot) == 0 {
			out[c.From] = float64(b[c.To] * c.Scale)
		}
	}
	return out
}

// ElasticNet is linear regression with absolute and squared penalties (Zou and
// Hastie, "Regularization and variable selection via the elastic net", 2005),
// which leaves useless columns out:
//
//	½ Σᵢ wᵢ(yᵢ − b₀ − bᵀxᵢ)²/n + λ(α‖b‖₁ + (1−α)/2·‖b‖²)
//
// over centred columns of variance 1 and a target of variance 1, by cyclic
// coordinate descent with warm starts along a path of λ (Friedman, Hastie and
// Tibshirani 2010). The standard deviation is one number: the error of
// cross-validation, or with Lambda given that of the residuals.
type ElasticNet struct {
	// Lambda is the penalty; 0 means the one of least error in K-fold
	// cross-validation among 60 from the least that leaves every column out down
	// to a thousandth of it.
	Lambda float64 `yaml:"lambda" min:"0" doc:"penalty; 0 means by cross-validation"`
	// Alpha is the share α of the absolute penalty, from above 0 to 1, which is
	// the lasso; 0 means 0.5.
	Alpha float64 `yaml:"alpha" default:"0.5" min:">0" max:"1" doc:"share of the absolute penalty; 1 is the lasso"`
	// Folds of the cross-validation; 0 means 5.
	Folds int `yaml:"folds" default:"5" min:"2" max:"100" doc:"folds of the cross-validation that chooses the penalty"`
}

type elasticModel struct {
	Columns int
	Form    *linForm
	Mean    float64
	B       []float64
	SD      float64
	Lambda  float64
}

func (o ElasticNet) check() error {
	switch {
	case !(o.Lambda >= 0 && o.Lambda <= math.MaxFloat64):
		return fmt.Errorf("elastic net: lambda: found %v, want a finite number above 0, or 0 to choose it", o.Lambda)
	case !(o.Alpha >= 0 && o.Alpha <= 1):
		return fmt.Errorf("elastic net: alpha: found %v, want a number above 0 and at most 1, or 0 for 0.5", o.Alpha)
	case o.Folds != 0 && (o.Folds < 2 || o.Folds > 100):
		return fmt.Errorf("elastic net: folds: found %d, want 2 to 100, or 0 for 5", o.Folds)
	}
	return nil
}

const elasticPath = 60

// Fit learns coefficients.
func (o ElasticNet) Fit(ctx context.Context, t *Table, seed uint64) (Model, error) {
	if err := errors.Join(o.check(), t.Validate(), ctx.Err()); err != nil {
		return nil, err
	}
	alpha, folds := cmp.Or(o.Alpha, 0.5), cmp.Or(o.Folds, 5)
	f := newLinForm(t)
	n, d := len(t.Y), f.Width
	x := f.apply(nil, t.X, len(t.Columns))
	w, _ := linWeights(t)
	mean, sd := linTarget(t.Y, w)
	m := &elasticModel{Columns: len(t.Columns), Form: f, Mean: mean, B: make([]float64, d)}
	y := make([]float64, n)
	cols := make([]float64, n*d) // column by column
	for i := range n {
		y[i] = (t.Y[i] - mean) / sd
		for j := range d {
			cols[j*n+i] = x[i*d+j]
		}
	}
	if n < 3 || d == 0 || linConstant(t.Y) {
		if !linConstant(t.Y) {
			m.SD = sd
		}
		return m, nil
	}
	// The least λ that leaves every column out.
	most := 0.0
	for j := range d {
		g := 0.0
		for i := range n {
			g += float64(w[i] * float64(cols[j*n+i]*y[i]))
		}
		most = max(most, math.Abs(g)/float64(n)/alpha)
	}
	most = max(most, 1e-12)
	lambda := o.Lambda
	path := make([]float64, elasticPath)
	for k := range path {
		path[k] = float64(most * detmath.Pow(1e-3, float64(k)/(elasticPath-1)))
	}
	if lambda == 0 {
		errs := make([]float64, elasticPath)
		perm := rng.New(seed, "predict/elastic", 0).Perm(n)
		folds = min(folds, n)
		weight := make([]float64, n)
		for fold := range folds {
			copy(weight, w)
			for k := fold; k < n; k += folds {
				weight[perm[k]] = 0
			}
			e := newElasticFit(cols, y, weight, n, d)
			for k, l := range path {
				if err := e.descend(ctx, l, alpha); err != nil {
					return nil, err
				}
				for q := fold; q < n; q += folds {
					errs[k] += float64(w[perm[q]] * float64(e.r[perm[q]]*e.r[perm[q]]))
				}
			}
		}
		best := 0
		for k, e := range errs {
			if e < errs[best] {
				best = k
			}
		}
		lambda = path[best]
		m.SD = float64(sd * math.Sqrt(errs[best]/float64(n)))
		path = path[:best+1]
	} else {
		for len(path) > 0 && path[len(path)-1] <= lambda {
			path = path[:len(path)-1]
		}
		path = append(path, lambda)
	}
	e := newElasticFit(cols, y, w, n, d)
	for _, l := range path {
		if err := e.descend(ctx, l, alpha); err != nil {
			return nil, err
		}
	}
	m.Lambda = lambda
	used, rss := 1.0, 0.0
	for j, b := range e.b {
		m.B[j] = float64(b * sd)
		if b != 0 {
			used++
		}
	}
	m.Mean += float64(e.b0 * sd)
	if o.Lambda != 0 {
		for i, r := range e.r {
			rss += float64(w[i] * float64(r*r))
		}
		m.SD = float64(sd * math.Sqrt(rss/max(float64(n)-used, 1)))
	}
	return m, nil
}

// An elasticFit is a coordinate descent under way. r are the residuals, of
// rows of weight 0 too.
type elasticFit struct {
	cols, w, b, r []float64
	wcol          []float64 // columns times weights
	square        []float64
	b0, total     float64
	n             int
}

func newElasticFit(cols, y, w []float64, n, d int) *elasticFit {
	e := &elasticFit{cols: cols, w: w, b: make([]float64, d), r: slices.Clone(y), n: n, wcol: make([]float64, len(cols)), square: make([]float64, d)}
	for _, v := range w {
		e.total += v
	}
	for j := range d {
		c, wc := cols[j*n:(j+1)*n], e.wcol[j*n:(j+1)*n]
		for i := range c {
			wc[i] = float64(c[i] * w[i])
		}
		e.square[j] = vec.Dot(c, wc) / e.total
	}
	return e
}

// descend goes round the coordinates until none moves by more than 1e-7, at
// most 1,000 times. After each full round only those not 0 are visited until
// they rest.
func (e *elasticFit) descend(ctx context.Context, lambda, alpha float64) error {
	l1, l2 := float64(lambda*alpha), float64(lambda*(1-alpha))
	full := true
	for range 1000 {
		if err := ctx.Err(); err != nil {
			return err
		}
		moved := e.intercept()
		for j, b := range e.b {
			if e.square[j] == 0 || !full && b == 0 {
				continue
			}
			g := vec.Dot(e.wcol[j*e.n:(j+1)*e.n], e.r)/e.total + float64(e.square[j]*b)
			v := 0.0
			if a := math.Abs(g) - l1; a > 0 {
				v = math.Copysign(a/(e.square[j]+l2), g)
			}
			if v == b {
				continue
			}
			moved = max(moved, math.Abs(v-b))
			vec.Axpy(e.r, b-v, e.cols[j*e.n:(j+1)*e.n])
			e.b[j] = v
		}
		if moved <= 1e-7 {
			if full {
				return nil
			}
			full = true
		} else {
			full = false
		}
	}
	return nil
}

func (e *elasticFit) intercept() float64 {
	step := vec.Dot(e.w, e.r) / e.total
	for i := range e.r {
		e.r[i] -= step
	}
	e.b0 += step
	return math.Abs(step)
}

// Predict predicts rows.
func (m *elasticModel) Predict(rows, mean, sd []float64) {
	x := m.Form.apply(nil, rows, m.Columns)
	d := m.Form.Width
	for i := range mean {
		mean[i] = m.Mean + vec.Dot(x[i*d:(i+1)*d], m.B)
		if sd != nil {
			sd[i] = m.SD
		}
	}
}

// Coefficients returns the factor of each number of [Table.Columns] in its own
// unit, and 0 for categories.
func (m *elasticModel) Coefficients() []float64 { return linCoefficients(m.Form, m.B, m.Columns) }
