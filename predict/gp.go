package predict

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
)

// GP is a Gaussian process (Rasmussen and Williams 2006): the prediction is the
// mean of rows weighed by how alike they are, with an honest standard deviation
// that grows away from them. It is the learner for tens to about a thousand
// rows. The zero value is ready to use with the defaults given on each field.
//
// Rows are alike by a Matérn-5/2 kernel with a length of its own for each
// number and exp(−Σ w_j [x_j ≠ y_j]) over the categories, with a weight for each
// (Hutter 2009). The kernel is their product. Missing values are inactive
// parameters, see gpForm. Lengths, weights, signal and noise maximise their
// posterior density by L-BFGS with exact derivatives from several starts; the
// constant mean is fitted along with them.
//
// A fit takes O(FitRows³) for a step of the hyperparameters, of which there are
// at most 60 a start, and O(Rows³) once. With more rows than Rows the model is
// sparse (FITC, Snelson and Ghahramani 2006) over Inducing rows, which are
// chosen greedily where those before predict worst; it costs O(n·Inducing²) and
// a prediction O(Inducing²), instead of O(n²).
type GP struct {
	// Kernel says how numbers and categories go together: "product", which is the
	// default, or "sum", the mean of sum and product, where a difference in
	// categories leaves something to be learned from numbers.
	Kernel string `yaml:"kernel" default:"product" oneof:"product sum" doc:"how numbers and categories go together; sum adds what each tells by itself"`

	// Prior of the lengths: "dims" (the default) expects them longer the more
	// columns there are (Hvarfner, Hellsten and Nardi 2024), "vizier" says little
	// (Song et al. 2024).
	Prior string `yaml:"prior" default:"dims" oneof:"dims vizier" doc:"prior of the length scales: dims expects less of each column the more there are, vizier says little"`

	// Warp bends targets before they are fitted: "none", which is the default,
	// or "power", the transformation of Box and Cox or Yeo and Johnson under
	// which they look most normal.
	Warp string `yaml:"warp" default:"none" oneof:"none power" doc:"bend targets so that they look normal"`

	// InputWarp learns for each number how its range is bent (Snoek et al. 2014).
	InputWarp bool `yaml:"input_warp" default:"false" doc:"learn how the range of each number is bent"`

	// Noise fixes the variance of the noise as a share of that of the targets; 0
	// means that it is learned.
	Noise float64 `yaml:"noise" min:"0" max:"1" doc:"variance of the noise, as a share of that of the targets; 0 means learned"`

	// Restarts is the number of starts of the optimiser; 0 means 4.
	Restarts int `yaml:"restarts" default:"4" min:"1" max:"64" doc:"starts of the optimiser of the hyperparameters"`

	// Rows is the most rows of an exact model; 0 means 1000.
	Rows int `yaml:"rows" default:"1000" min:"2" max:"5000" doc:"most rows of an exact model; with more it is sparse"`

	// FitRows is the most rows that hyperparameters are learned from, spread
	// evenly over the targets; 0 means 300.
	FitRows int `yaml:"fit_rows" default:"300" min:"2" max:"5000" doc:"most rows that hyperparameters are learned from"`

	// Inducing is the number of rows that a sparse model is made of; 0 means 300.
	Inducing int `yaml:"inducing" default:"300" min:"2" max:"5000" doc:"rows that a sparse model is made of"`

	// Unit says that numbers lie in [0, 1] already. Otherwise the range of the
	// rows fitted becomes that.
	Unit bool `yaml:"-"`

	// Optional marks columns of numbers that can be missing even if no row
	// misses them yet.
	Optional []bool `yaml:"-"`

	// Tie gives columns of the same categories a positive number in common:
	// each category then has one weight in all of them, so that what is learned
	// about it in one column holds in the others.
	Tie []int `yaml:"-"`

	// Warm is a model of the same columns whose hyperparameters are the first
	// start.
	Warm *GPModel `yaml:"-"`
}

func (o *GP) defaults() error {
	var errs []error
	fail := func(field string, found any, want string) {
		errs = append(errs, fmt.Errorf("gp: %s: found %v, want %s", field, found, want))
	}
	whole := func(field string, v *int, fallback, least, most int) {
		if *v == 0 {
			*v = fallback
		}
		if *v < least || *v > most {
			fail(field, *v, fmt.Sprintf("%d to %d, or 0 for %d", least, most, fallback))
		}
	}
	if !slices.Contains([]string{"", "product", "sum"}, o.Kernel) {
		fail("kernel", fmt.Sprintf("%q", o.Kernel), "product or sum")
	}
	if !slices.Contains([]string{"", "dims", "vizier"}, o.Prior) {
		fail("prior", fmt.Sprintf("%q", o.Prior), "dims or vizier")
	}
	if !slices.Contains([]string{"", "none", "power"}, o.Warp) {
		fail("warp", fmt.Sprintf("%q", o.Warp), "none or power")
	}
	if !(o.Noise >= 0 && o.Noise <= 1) {
		fail("noise", o.Noise, "a share of the variance, 0 to 1")
	}
	whole("restarts", &o.Restarts, 4, 1, 64)
	whole("rows", &o.Rows, 1000, 2, 5000)
	whole("fit_rows", &o.FitRows, 300, 2, 5000)
	whole("inducing", &o.Inducing, 300, 2, 5000)
	return errors.Join(errs...)
}

// gpSteps is the most steps of the optimiser from one start.
const gpSteps = 60

// Fit implements [Learner]. The model is a *GPModel.
func (o GP) Fit(ctx context.Context, t *Table, seed uint64) (Model, error) {
	m, err := o.Learn(ctx, t, seed)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Learn is [GP.Fit] with the type of its model.
func (o GP) Learn(ctx context.Context, t *Table, seed uint64) (*GPModel, error) {
	if err := errors.Join(o.defaults(), t.Validate(), ctx.Err()); err != nil {
		return nil, err
	}
	warp := Standardize(t.Y)
	if o.Warp == "power" {
		warp = PowerWarp(t.Y)
	}
	n := len(t.Y)
	y := make([]float64, n)
	for i, v := range t.Y {
		y[i] = warp.Apply(v)
	}
	var extra []float64
	if t.Weight != nil {
		extra = make([]float64, n)
		for i, w := range t.Weight {
			extra[i] = 1 / w
		}
	}
	form := newGPForm(&o, t)
	r := rng.New(seed, "predict/gp", 0)
	var warm []float64
	if o.Warm != nil && len(o.Warm.fit.form.columns) == len(form.columns) {
		warm = o.Warm.fit.theta
	}
	rows, ty, te := t.X, y, extra
	if d := len(t.Columns); n > o.FitRows {
		rows, ty, te = nil, nil, nil
		for _, i := range spread(y, o.FitRows) {
			rows, ty = append(rows, t.X[i*d:i*d+d]...), append(ty, y[i])
			if extra != nil {
				te = append(te, extra[i])
			}
		}
	}
	task := newGPTask(&o, form, rows, ty, te)
	theta := task.learn(ctx, r, warm, o.Restarts, gpSteps)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m := &GPModel{warp: warp, columns: t.Columns, fit: gpFit{form: form, theta: theta, p: form.params(theta), sum: o.Kernel == "sum"}}
	if n <= o.Rows {
		m.fit.condition(t.X, y, extra)
		return m, nil
	}
	if err := m.sparsify(ctx, t.X, y, extra, o.Inducing); err != nil {
		return nil, err
	}
	return m, nil
}

// spread returns k of the indexes of y, evenly by its values, in rising order.
func spread(y []float64, k int) []int {
	order := make([]int, len(y))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case y[a] < y[b]:
			return -1
		case y[a] > y[b]:
			return 1
		}
		return 0
	})
	out := make([]int, k)
	for i := range out {
		out[i] = order[i*(len(y)-1)/max(k-1, 1)]
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// A GPModel is a fitted [GP]. It is immutable and safe for concurrent use.
type GPModel struct {
	warp    Warp
	columns []Column
	fit     gpFit
	sparse  *gpSparse
}

// condition makes the factor for all rows.
func (m *gpFit) condition(rows, y, extra []float64) {
	m.n, m.z, m.cat, m.y, m.l = 0, nil, nil, nil, nil
	m.append(rows, y, extra)
}

// append takes in rows more. The slices of m are not shared with another fit.
func (m *gpFit) append(rows, y, extra []float64) {
	f := m.form
	d := len(f.columns)
	from := m.n
	m.n += len(y)
	m.y = append(m.y, y...)
	if extra != nil || m.extra != nil {
		for len(m.extra) < from {
			m.extra = append(m.extra, 1)
		}
		m.extra = append(m.extra, extra...)
		for len(m.extra) < m.n {
			m.extra = append(m.extra, 1)
		}
	}
	m.z = append(m.z, make([]float64, len(y)*f.coords)...)
	m.cat = append(m.cat, make([]int32, len(y)*f.cats)...)
	for i := from; i < m.n; i++ {
		f.embed(rows[(i-from)*d:(i-from+1)*d], m.z[i*f.coords:(i+1)*f.coords], m.cat[i*f.cats:(i+1)*f.cats], m.p)
	}
	m.l = append(m.l, make([]float64, tri(m.n)-len(m.l))...)
	m.factor(from)
	m.solve()
}

// factor makes the factor from a row on, with ever more added to the diagonal
// until there is one.
func (m *gpFit) factor(from int) {
	f := m.form
	for jump := max(m.jump, 1e-9); ; jump *= 10 {
		if m.jump != 0 && jump != m.jump {
			from = 0 // the rows before need it too
		}
		for i := from; i < m.n; i++ {
			row := m.l[tri(i) : tri(i)+i+1]
			m.against(m.z[i*f.coords:(i+1)*f.coords], m.cat[i*f.cats:(i+1)*f.cats], row[:i], nil)
			noise := m.p.noise
			if m.extra != nil {
				noise *= m.extra[i]
			}
			row[i] = m.p.signal + noise + float64(jump*m.p.signal)
		}
		m.jump = jump
		if cholesky(m.l, from, m.n) || jump > 1 {
			return
		}
	}
}

func (m *gpFit) solve() {
	m.alpha = make([]float64, m.n)
	m.mean = gpSolve(m.l, m.y, m.alpha, make([]float64, m.n))
}

// Extend returns the model with rows more and the same hyperparameters, at
// O(rows²) for each. Weights may be nil. A sparse model stays as it is.
func (m *GPModel) Extend(rows, y, weight []float64) *GPModel {
	if m.sparse != nil || len(y) == 0 {
		return m
	}
	out := *m
	fit := &out.fit
	fit.z, fit.cat, fit.y = slices.Clone(fit.z), slices.Clone(fit.cat), slices.Clone(fit.y)
	l := make([]float64, len(fit.l), tri(fit.n+len(y)))
	copy(l, fit.l)
	fit.l, fit.extra = l, slices.Clone(fit.extra)
	targets := make([]float64, len(y))
	for i, v := range y {
		targets[i] = m.warp.Apply(v)
	}
	var extra []float64
	for _, w := range weight {
		extra = append(extra, 1/w)
	}
	fit.append(rows, targets, extra)
	return &out
}

// Retarget returns the model of the same rows and hyperparameters with other
// targets, at O(rows²).
func (m *GPModel) Retarget(y []float64) *GPModel {
	out := *m
	out.warp = Standardize(y)
	out.fit.y = make([]float64, len(y))
	for i, v := range y {
		out.fit.y[i] = out.warp.Apply(v)
	}
	out.fit.solve()
	return &out
}

// Rows returns the number of rows that the model was conditioned on.
func (m *GPModel) Rows() int { return m.fit.n }

// Noise returns the standard deviation of the noise of targets of weight 1, on
// the scale of [GPModel.Posterior].
func (m *GPModel) Noise() float64 { return math.Sqrt(m.fit.p.noise) * m.warp.scale }

// Scales returns for each column its inverse squared length, or the weight of
// its categories.
func (m *GPModel) Scales() []float64 {
	out := make([]float64, len(m.columns))
	for j, c := range m.fit.form.columns {
		out[j] = m.fit.p.scale[c.scale]
	}
	return out
}

// Predict implements [Model]. The standard deviation is that of a measurement of
// weight 1, noise included.
func (m *GPModel) Predict(rows, mean, sd []float64) {
	d := len(m.columns)
	n := len(rows) / d
	vars := sd
	if vars == nil && m.warp.bent {
		vars = make([]float64, n)
	}
	m.latent(rows, mean[:n], vars)
	for i := range n {
		mu := mean[i]
		mean[i] = m.warp.Invert(mu)
		if sd == nil {
			continue
		}
		s := math.Sqrt(vars[i] + m.fit.p.noise)
		if !m.warp.bent {
			sd[i] = float64(s * m.warp.scale)
			continue
		}
		sd[i] = float64(0.5 * (m.warp.Invert(mu+s) - m.warp.Invert(mu-s)))
	}
}

// Posterior writes mean and standard deviation of the function behind the
// measurements, without their noise, to mean and sd. Of warped targets it is
// that of their standardised form.
func (m *GPModel) Posterior(rows, mean, sd []float64) {
	n := len(rows) / len(m.columns)
	m.latent(rows, mean[:n], sd)
	for i := range n {
		if !m.warp.bent {
			mean[i] = m.warp.Invert(mean[i])
		}
		if sd != nil {
			sd[i] = math.Sqrt(sd[i])
			if !m.warp.bent {
				sd[i] *= m.warp.scale
			}
		}
	}
}

// gpBlock is how many rows are predicted at once.
const gpBlock = 32

// latent writes the posterior mean and, unless it is nil, the variance of the
// standardised function.
func (m *GPModel) latent(rows, mean, variance []float64) {
	if m.sparse != nil {
		m.sparse.latent(&m.fit, rows, mean, variance)
		return
	}
	f := m.fit.form
	d := len(f.columns)
	n := m.fit.n
	z, cat := make([]float64, f.coords), make([]int32, f.cats)
	k := make([]float64, min(gpBlock, len(mean))*n)
	for at := 0; at < len(mean); at += gpBlock {
		b := min(gpBlock, len(mean)-at)
		for i := range b {
			f.embed(rows[(at+i)*d:(at+i+1)*d], z, cat, m.fit.p)
			row := k[i*n : (i+1)*n]
			m.fit.against(z, cat, row, nil)
			mean[at+i] = m.fit.mean + dot(row, m.fit.alpha)
		}
		if variance == nil {
			continue
		}
		forwardMany(m.fit.l, k[:b*n], n)
		for i := range b {
			row := k[i*n : (i+1)*n]
			variance[at+i] = max(m.fit.p.signal-dot(row, row), float64(m.fit.p.signal*1e-12))
		}
	}
}

// Slope returns mean and standard deviation at one row as [GPModel.Posterior]
// does, and writes their derivatives by the columns to dmean and dsd, 0 for
// categories and missing numbers. It panics for a sparse model.
func (m *GPModel) Slope(row, dmean, dsd []float64) (mean, sd float64) {
	if m.sparse != nil {
		panic("predict: the slope of a sparse model")
	}
	fit, f := &m.fit, m.fit.form
	n, d := fit.n, f.coords
	z, cat := make([]float64, d), make([]int32, f.cats)
	work := make([]float64, 3*n+2*d)
	k, kr, v := work[:n], work[n:2*n], work[2*n:3*n]
	gm, gs := work[3*n:3*n+d], work[3*n+d:]
	f.embed(row, z, cat, fit.p)
	fit.against(z, cat, k, kr)
	mean = fit.mean + dot(k, fit.alpha)
	copy(v, k)
	forward(fit.l, v)
	variance := max(fit.p.signal-dot(v, v), float64(fit.p.signal*1e-12))
	backward(fit.l, v)
	sd = math.Sqrt(variance)
	for i, dk := range kr {
		a, b := float64(2*float64(dk*fit.alpha[i])), float64(2*float64(dk*v[i]))
		x := fit.z[i*d : i*d+d]
		x = x[:len(z)]
		for c, u := range z {
			t := u - x[c]
			gm[c] += float64(a * t)
			gs[c] -= float64(b * t)
		}
	}
	// The derivative of the variance is −2 vᵀ∂k, of its root half of that over it.
	unit := 1.0
	if !m.warp.bent {
		unit = m.warp.scale
		mean = m.warp.Invert(mean)
	}
	for j := range f.columns {
		c := &f.columns[j]
		dmean[j], dsd[j] = 0, 0
		if c.levels > 0 || math.IsNaN(row[j]) {
			continue
		}
		s := fit.p.root[c.scale] / c.span
		if !c.arc {
			if c.warp >= 0 {
				_, du, _, _ := fit.p.warp(c.warp, c.place(row[j]))
				s *= du
			}
			dmean[j], dsd[j] = float64(gm[c.at]*s), float64(gs[c.at]*s)
		} else {
			u := float64(c.place(row[j]) * gpAngle)
			s *= gpRadius * gpAngle
			dx, dy := -float64(s*gpSine(u)), float64(s*gpCosine(u))
			dmean[j] = float64(gm[c.at]*dx) + float64(gm[c.at+1]*dy)
			dsd[j] = float64(gs[c.at]*dx) + float64(gs[c.at+1]*dy)
		}
		dmean[j] *= unit
		dsd[j] *= unit / sd
	}
	return mean, float64(sd * unit)
}

// Sample draws k functions from the posterior, jointly at some rows, without
// noise: out holds the values of one function at all rows, then those of the
// next. It takes O(n²) for each of n rows and O(n³) once.
func (m *GPModel) Sample(rows []float64, k int, r *rand.Rand) []float64 {
	d := len(m.columns)
	n := len(rows) / d
	mean, l := m.joint(rows)
	out := make([]float64, k*n)
	e := make([]float64, n)
	for s := range k {
		for i := range e {
			e[i] = rng.Norm(r)
		}
		for i := range n {
			y := mean[i] + dot(l[tri(i):tri(i)+i+1], e[:i+1])
			if !m.warp.bent {
				y = m.warp.Invert(y)
			}
			out[s*n+i] = y
		}
	}
	return out
}

// joint returns the posterior mean at rows and a factor of their covariance.
func (m *GPModel) joint(rows []float64) (mean, l []float64) {
	fit, f := &m.fit, m.fit.form
	d := len(m.columns)
	n := len(rows) / d
	at := gpFit{form: f, p: fit.p, sum: fit.sum, n: n, z: make([]float64, n*f.coords), cat: make([]int32, n*f.cats)}
	for i := range n {
		f.embed(rows[i*d:(i+1)*d], at.z[i*f.coords:(i+1)*f.coords], at.cat[i*f.cats:(i+1)*f.cats], fit.p)
	}
	return m.jointAt(&at)
}

// jointAt is joint of rows that are laid out already.
func (m *GPModel) jointAt(at *gpFit) (mean, l []float64) {
	fit, f, n := &m.fit, m.fit.form, at.n
	mean = make([]float64, n)
	cov := make([]float64, tri(n))
	for i := range n {
		at.against(at.z[i*f.coords:(i+1)*f.coords], at.cat[i*f.cats:(i+1)*f.cats], cov[tri(i):tri(i)+i+1], nil)
		cov[tri(i)+i] = fit.p.signal
	}
	if m.sparse != nil {
		m.sparse.joint(fit, at, mean, cov)
	} else {
		v := make([]float64, n*fit.n)
		for i := range n {
			row := v[i*fit.n : (i+1)*fit.n]
			fit.against(at.z[i*f.coords:(i+1)*f.coords], at.cat[i*f.cats:(i+1)*f.cats], row, nil)
			mean[i] = fit.mean + dot(row, fit.alpha)
		}
		forwardMany(fit.l, v, fit.n)
		for i := range n {
			for j := range i + 1 {
				cov[tri(i)+j] -= dot(v[i*fit.n:(i+1)*fit.n], v[j*fit.n:(j+1)*fit.n])
			}
		}
	}
	l = make([]float64, len(cov))
	for jump := 1e-10; ; jump *= 10 {
		copy(l, cov)
		for i := range n {
			l[tri(i)+i] = max(l[tri(i)+i], 0) + float64(jump*fit.p.signal)
		}
		if cholesky(l, 0, n) || jump > 10 {
			return mean, l
		}
	}
}

// LogDensity returns the logarithm of the density of the standardised targets
// under the model, which is what hyperparameters are chosen by, with their
// prior.
func (m *GPModel) LogDensity() float64 {
	if m.sparse != nil {
		return math.NaN()
	}
	sum := -0.5 * float64(m.fit.n) * 1.8378770664093453 // log 2π
	for i, a := range m.fit.alpha {
		sum -= float64(0.5*float64(a*(m.fit.y[i]-m.fit.mean))) + detmath.Log(m.fit.l[tri(i)+i])
	}
	return sum
}

// Condition returns the model with the same hyperparameters on the rows of
// another table with the same columns, at O(rows³).
func (m *GPModel) Condition(t *Table) *GPModel {
	out := *m
	out.sparse = nil
	out.warp = Standardize(t.Y)
	y := make([]float64, len(t.Y))
	for i, v := range t.Y {
		y[i] = out.warp.Apply(v)
	}
	var extra []float64
	for _, w := range t.Weight {
		extra = append(extra, 1/w)
	}
	out.fit.extra, out.fit.jump = nil, 0
	out.fit.condition(t.X, y, extra)
	return &out
}

// GPWorlds are functions that agree with what a [GPModel] was conditioned on,
// each with values of its own at some of the rows, where measurements leave
// them open.
type GPWorlds struct {
	Values [][]float64 // of each world, at the rows asked for, without noise
	model  *GPModel
	alpha  [][]float64
	mean   []float64
}

// worldNoise is the variance left at the rows of a world, as a share of the
// signal.
const worldNoise = 1e-6

// Worlds draws k worlds by their values at the given rows of the model, jointly.
// In a world the function is known there; elsewhere measurements count as
// before.
func (m *GPModel) Worlds(rows []int, k int, r *rand.Rand) *GPWorlds {
	fit := m.fit
	f := fit.form
	n := len(rows)
	w := &GPWorlds{}
	// The posterior at the rows, from their coordinates.
	at := gpFit{form: f, p: fit.p, sum: fit.sum, n: n}
	for _, i := range rows {
		at.z = append(at.z, fit.z[i*f.coords:(i+1)*f.coords]...)
		at.cat = append(at.cat, fit.cat[i*f.cats:(i+1)*f.cats]...)
	}
	mean, l := m.jointAt(&at)
	e := make([]float64, n)
	drawn := make([][]float64, k)
	for s := range k {
		for i := range e {
			e[i] = rng.Norm(r)
		}
		for i := range n {
			drawn[s] = append(drawn[s], mean[i]+dot(l[tri(i):tri(i)+i+1], e[:i+1]))
		}
	}
	// The same covariance with the noise gone at these rows.
	fit.l = make([]float64, tri(fit.n))
	extra := make([]float64, fit.n)
	for i := range extra {
		extra[i] = 1
		if fit.extra != nil {
			extra[i] = fit.extra[i]
		}
	}
	for _, i := range rows {
		extra[i] = worldNoise * fit.p.signal / fit.p.noise
	}
	fit.extra, fit.jump = extra, 0
	fit.factor(0)
	model := *m
	model.fit = fit
	w.model = &model
	ones := make([]float64, fit.n)
	for s := range k {
		y := slices.Clone(fit.y)
		for c, i := range rows {
			y[i] = drawn[s][c]
			drawn[s][c] = m.outward(drawn[s][c])
		}
		alpha := make([]float64, fit.n)
		w.mean = append(w.mean, gpSolve(fit.l, y, alpha, ones))
		w.alpha = append(w.alpha, alpha)
	}
	w.Values = drawn
	return w
}

// outward undoes the scale of targets, if it is one.
func (m *GPModel) outward(x float64) float64 {
	if m.warp.bent {
		return x
	}
	return m.warp.Invert(x)
}

// Posterior writes the mean of each row in each world, world by world, and the
// standard deviation, which is the same in all.
func (w *GPWorlds) Posterior(rows []float64, means [][]float64, sd []float64) {
	m := w.model
	fit, f := &m.fit, m.fit.form
	d, n := len(f.columns), m.fit.n
	z, cat := make([]float64, f.coords), make([]int32, f.cats)
	k := make([]float64, min(gpBlock, len(sd))*n)
	unit := 1.0
	if !m.warp.bent {
		unit = m.warp.scale
	}
	for at := 0; at < len(sd); at += gpBlock {
		b := min(gpBlock, len(sd)-at)
		for i := range b {
			f.embed(rows[(at+i)*d:(at+i+1)*d], z, cat, fit.p)
			row := k[i*n : (i+1)*n]
			fit.against(z, cat, row, nil)
			for s := range means {
				means[s][at+i] = m.outward(w.mean[s] + dot(row, w.alpha[s]))
			}
		}
		forwardMany(fit.l, k[:b*n], n)
		for i := range b {
			row := k[i*n : (i+1)*n]
			v := max(fit.p.signal-dot(row, row), float64(fit.p.signal*1e-12))
			sd[at+i] = float64(math.Sqrt(v) * unit)
		}
	}
}

// Fitted returns the posterior mean at the rows that an exact model was
// conditioned on, as [GPModel.Posterior] would give it, in O(rows).
func (m *GPModel) Fitted() []float64 {
	fit := &m.fit
	out := make([]float64, len(fit.y))
	for i, y := range fit.y {
		noise := fit.p.noise
		if fit.extra != nil {
			noise *= fit.extra[i]
		}
		out[i] = m.outward(y - float64((noise+float64(fit.jump*fit.p.signal))*fit.alpha[i]))
	}
	return out
}
