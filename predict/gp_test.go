package predict

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// mixedTable has numbers, an optional number and two tied categories.
func mixedTable(n int, seed uint64) *Table {
	r := rng.New(seed, "gp/table", 0)
	t := &Table{Columns: []Column{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "p", Levels: 3}, {Name: "q", Levels: 3}}}
	for range n {
		x := mixedRow(r)
		t.Add(x, mixedTarget(x)+float64(0.01*rng.Norm(r)))
	}
	return t
}

func mixedRow(r *rand.Rand) []float64 {
	x := []float64{r.Float64(), r.Float64(), r.Float64(), float64(r.IntN(3)), float64(r.IntN(3))}
	if x[3] == 1 {
		x[2] = math.NaN()
	}
	if r.IntN(9) == 0 {
		x[4] = math.NaN()
	}
	return x
}

func mixedTarget(x []float64) float64 {
	y := math.Sin(5*x[0]) + x[1]*x[1]
	if x[3] != 1 {
		y += x[2]
	}
	if x[4] == 2 {
		y += 0.7
	}
	return y
}

func learnGP(t testing.TB, o GP, table *Table) *GPModel {
	t.Helper()
	m, err := o.Learn(context.Background(), table, 1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The derivatives of the posterior density of the hyperparameters agree with
// differences.
func TestGPGradient(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]GP{
		"product":  {Tie: []int{0, 0, 0, 1, 1}},
		"sum":      {Kernel: "sum", InputWarp: true},
		"vizier":   {Prior: "vizier", InputWarp: true, Tie: []int{0, 0, 0, 1, 1}},
		"weighted": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table := mixedTable(25, 3)
			var extra []float64
			if name == "weighted" {
				for i := range table.Y {
					extra = append(extra, 1+float64(i%3))
				}
			}
			form := newGPForm(&o, table)
			if !form.columns[2].arc || form.columns[0].arc {
				t.Fatal("the optional number is the one on an arc")
			}
			task := newGPTask(&o, form, table.X, table.Y, extra)
			r := rng.New(4, "theta", 0)
			for range 5 {
				x := task.prior.start(form)
				for i := range x {
					x[i] += 0.5 * rng.Norm(r)
				}
				x[1] = -4 + rng.Norm(r)
				g, scratch := make([]float64, len(x)), make([]float64, len(x))
				task.loss(x, g)
				for i := range x {
					const h = 1e-5
					keep := x[i]
					x[i] = keep + h
					up := task.loss(x, scratch)
					x[i] = keep - h
					down := task.loss(x, scratch)
					x[i] = keep
					if want := (up - down) / (2 * h); math.Abs(g[i]-want) > 1e-5*(1+math.Abs(want)) {
						t.Errorf("derivative %d of %d is %v, want %v", i, len(x), g[i], want)
					}
				}
			}
		})
	}
}

// The posterior is the textbook's (Rasmussen and Williams 2006, algorithm 2.1
// with a constant mean), and a row more by Extend is the same as by fitting.
func TestGPPosterior(t *testing.T) {
	t.Parallel()
	table := mixedTable(40, 5)
	table.Weight = make([]float64, 40)
	for i := range table.Weight {
		table.Weight[i] = 1 + float64(i%2)
	}
	m := learnGP(t, GP{}, table)
	fit := &m.fit
	n := fit.n
	kernel := func(a, b []float64) float64 {
		f := fit.form
		za, zb := make([]float64, f.coords), make([]float64, f.coords)
		ca, cb := make([]int32, f.cats), make([]int32, f.cats)
		f.embed(a, za, ca, fit.p)
		f.embed(b, zb, cb, fit.p)
		r2 := 0.0
		for i := range za {
			r2 += (za[i] - zb[i]) * (za[i] - zb[i])
		}
		s := math.Sqrt(5 * r2)
		return fit.p.signal * (1 + s + 5*r2/3) * math.Exp(-s) * math.Exp(-f.mismatch(ca, cb, fit.p))
	}
	a := make([][]float64, n) // covariance and its inverse by Gauss and Jordan
	for i := range a {
		a[i] = make([]float64, 2*n)
		for j := range n {
			a[i][j] = kernel(table.Row(i), table.Row(j))
		}
		a[i][i] += fit.p.noise/table.Weight[i] + 1e-9*fit.p.signal
		a[i][n+i] = 1
	}
	for i := range n {
		d := a[i][i]
		for j := range a[i] {
			a[i][j] /= d
		}
		for k := range n {
			if f := a[k][i]; k != i {
				for j := range a[k] {
					a[k][j] -= f * a[i][j]
				}
			}
		}
	}
	r := rng.New(6, "rows", 0)
	var rows []float64
	for range 37 {
		rows = append(rows, mixedRow(r)...)
	}
	mean, sd := make([]float64, 37), make([]float64, 37)
	m.Posterior(rows, mean, sd)
	for q := range 37 {
		row := rows[5*q : 5*q+5]
		mu, v := fit.mean, fit.p.signal
		for i := range n {
			ki := kernel(row, table.Row(i))
			for j := range n {
				mu += ki * a[i][n+j] * (fit.y[j] - fit.mean)
				v -= ki * a[i][n+j] * kernel(row, table.Row(j))
			}
		}
		if got, want := mean[q], m.warp.Invert(mu); math.Abs(got-want) > 1e-6 {
			t.Errorf("mean %v, want %v", got, want)
		}
		if got, want := sd[q], math.Sqrt(v)*m.warp.scale; math.Abs(got-want) > 1e-5 {
			t.Errorf("standard deviation %v, want %v", got, want)
		}
		// Slopes by differences.
		dm, ds := make([]float64, 5), make([]float64, 5)
		mu, s := m.Slope(row, dm, ds)
		if math.Abs(mu-mean[q]) > 1e-9 || math.Abs(s-sd[q]) > 1e-9 {
			t.Errorf("Slope gives %v ± %v, Posterior %v ± %v", mu, s, mean[q], sd[q])
		}
		for j := range 3 {
			const h = 1e-6
			if math.IsNaN(row[j]) {
				continue
			}
			two := append(slices.Clone(row), row...)
			two[j], two[5+j] = row[j]+h, row[j]-h
			var y, e [2]float64
			m.Posterior(two, y[:], e[:])
			if want := (y[0] - y[1]) / (2 * h); math.Abs(dm[j]-want) > 1e-4*(1+math.Abs(want)) {
				t.Errorf("slope of the mean %v, want %v", dm[j], want)
			}
			if want := (e[0] - e[1]) / (2 * h); math.Abs(ds[j]-want) > 1e-3*(1+math.Abs(want)) {
				t.Errorf("slope of the deviation %v, want %v", ds[j], want)
			}
		}
	}
	first := &Table{Columns: table.Columns, X: table.X[:30*5], Y: table.Y[:30], Weight: table.Weight[:30]}
	part := learnGP(t, GP{}, first)
	part.fit.theta, part.fit.p = fit.theta, fit.p
	part.warp = m.warp
	y := slices.Clone(fit.y[:30])
	part.fit.condition(first.X, y, []float64(fit.extra[:30]))
	whole := part.Extend(table.X[30*5:], table.Y[30:], table.Weight[30:])
	if part.Rows() != 30 || whole.Rows() != 40 {
		t.Fatalf("%d and %d rows, want 30 and 40", part.Rows(), whole.Rows())
	}
	mean2, sd2 := make([]float64, 37), make([]float64, 37)
	whole.Posterior(rows, mean2, sd2)
	for i := range mean {
		if math.Abs(mean[i]-mean2[i]) > 1e-7 || math.Abs(sd[i]-sd2[i]) > 1e-7 {
			t.Errorf("row %d: %v ± %v fitted and %v ± %v extended", i, mean[i], sd[i], mean2[i], sd2[i])
		}
	}
}

// The covariance is positive definite whatever is missing.
func TestGPKernelIsDefinite(t *testing.T) {
	t.Parallel()
	r := rng.New(7, "definite", 0)
	for trial := range 30 {
		table := mixedTable(60, uint64(trial))
		for _, kernel := range []string{"product", "sum"} {
			o := GP{Kernel: kernel}
			form := newGPForm(&o, table)
			theta := make([]float64, form.count())
			for i := range theta {
				theta[i] = 2 * rng.Norm(r)
			}
			theta[1] = -40 // no noise
			fit := gpFit{form: form, theta: theta, p: form.params(theta), sum: kernel == "sum"}
			fit.condition(table.X, table.Y, nil)
			if fit.jump > 1e-8 {
				t.Errorf("%s: %v had to be added to the diagonal", kernel, fit.jump)
			}
		}
	}
}

// A sample of functions has the moments of the posterior.
func TestGPSample(t *testing.T) {
	t.Parallel()
	table := mixedTable(20, 8)
	r := rng.New(9, "rows", 0)
	var rows []float64
	for range 5 {
		rows = append(rows, mixedRow(r)...)
	}
	for name, o := range map[string]GP{"exact": {}, "sparse": {Rows: 10, Inducing: 8}} {
		m := learnGP(t, o, table)
		mean, sd := make([]float64, 5), make([]float64, 5)
		m.Posterior(rows, mean, sd)
		const k = 20_000
		x := m.Sample(rows, k, r)
		_, l := m.joint(rows)
		for i := range 5 {
			for j := range i + 1 {
				sum := 0.0
				for s := range k {
					sum += (x[5*s+i] - mean[i]) * (x[5*s+j] - mean[j])
				}
				want := dot(l[tri(i):tri(i)+j+1], l[tri(j):tri(j)+j+1]) * m.warp.scale * m.warp.scale
				// Five standard errors.
				if e := 5 * sd[i] * sd[j] * math.Sqrt(2.0/k); math.Abs(sum/k-want) > e {
					t.Errorf("%s: covariance of %d and %d: %v, want %v ± %v", name, i, j, sum/k, want, e)
				}
				if i == j && math.Abs(math.Sqrt(want)-sd[i]) > 1e-5 {
					t.Errorf("%s: deviation %v, want %v", name, math.Sqrt(want), sd[i])
				}
			}
		}
	}
}

// With every row inducing the sparse model is the exact one.
func TestGPSparse(t *testing.T) {
	t.Parallel()
	table := mixedTable(120, 10)
	exact := learnGP(t, GP{}, table)
	sparse := learnGP(t, GP{Rows: 60, Inducing: 120}, table)
	if sparse.sparse == nil {
		t.Fatal("120 rows with at most 60 exact: want a sparse model")
	}
	small := learnGP(t, GP{Rows: 60, Inducing: 60}, table)
	test := mixedTable(200, 11)
	errs := map[string]float64{}
	for name, m := range map[string]*GPModel{"exact": exact, "all": sparse, "half": small} {
		mean, sd := make([]float64, 200), make([]float64, 200)
		m.Predict(test.X, mean, sd)
		sum := 0.0
		for i, y := range test.Y {
			sum += (mean[i] - y) * (mean[i] - y)
			if !(sd[i] > 0) {
				t.Fatalf("%s: deviation %v", name, sd[i])
			}
		}
		errs[name] = math.Sqrt(sum / 200)
	}
	if math.Abs(errs["exact"]-errs["all"]) > 0.1*errs["exact"] {
		t.Errorf("error %v with every row inducing, %v exact", errs["all"], errs["exact"])
	}
	if errs["half"] > 2*errs["exact"]+0.02 {
		t.Errorf("error %v with half the rows inducing, %v exact", errs["half"], errs["exact"])
	}
}

// Standard deviations are honest: about 95 % of measurements lie within two.
func TestGPCalibration(t *testing.T) {
	t.Parallel()
	for _, noise := range []float64{0.01, 0.3} {
		in, sum, n := 0, 0.0, 0
		for seed := range uint64(6) {
			table, test := mixedTable(80, 20+seed), mixedTable(200, 40+seed)
			r := rng.New(seed, "noise", 0)
			for _, x := range []*Table{table, test} {
				for i := range x.Y {
					x.Y[i] += noise * rng.Norm(r)
				}
			}
			m := learnGP(t, GP{}, table)
			mean, sd := make([]float64, 200), make([]float64, 200)
			m.Predict(test.X, mean, sd)
			for i, y := range test.Y {
				if math.Abs(y-mean[i]) < 2*sd[i] {
					in++
				}
				sum += (y - mean[i]) * (y - mean[i])
				n++
			}
		}
		if share := float64(in) / float64(n); share < 0.9 || share > 0.99 {
			t.Errorf("noise %v: %.3f of the measurements lie within two standard deviations, want about 0.95", noise, share)
		}
		if rmse := math.Sqrt(sum / float64(n)); rmse > 0.12+1.15*noise {
			t.Errorf("noise %v: error %v", noise, rmse)
		}
	}
}

func TestWarps(t *testing.T) {
	t.Parallel()
	r := rng.New(12, "warp", 0)
	samples := map[string][]float64{"constant": {3, 3, 3, 3}, "one": {2}, "two": {1, 5}, "huge": {1e300, -1e300, 1e299}, "tiny": {1e-310, 2e-310, 5e-310}}
	for range 60 {
		x := rng.Norm(r)
		samples["lognormal"] = append(samples["lognormal"], math.Exp(2*x))
		samples["normal"] = append(samples["normal"], 5+x)
		samples["negative"] = append(samples["negative"], -math.Exp(x))
		samples["ties"] = append(samples["ties"], math.Round(x))
	}
	for name, y := range samples {
		for kind, w := range map[string]Warp{"line": Standardize(y), "power": PowerWarp(y), "rank": HalfRankWarp(y)} {
			sorted := slices.Clone(y)
			slices.Sort(sorted)
			last := math.Inf(-1)
			for _, v := range sorted {
				x := w.Apply(v)
				if math.IsNaN(x) || math.IsInf(x, 0) || x < last {
					t.Fatalf("%s of %s: %v becomes %v after %v", kind, name, v, x, last)
				}
				last = x
				if back := w.Invert(x); math.Abs(back-v) > 1e-6*(math.Abs(v)+w.scale) {
					t.Errorf("%s of %s: %v comes back as %v", kind, name, v, back)
				}
			}
			for _, x := range []float64{-50, -3, 0, 3, 50} {
				if v := w.Invert(x); math.IsNaN(v) || math.IsInf(v, 0) {
					t.Errorf("%s of %s: %v is the image of %v", kind, name, x, v)
				}
			}
		}
	}
	// Box–Cox finds the logarithm of log-normal numbers.
	if w := PowerWarp(samples["lognormal"]); math.Abs(w.lambda) > 0.1 {
		t.Errorf("the power for log-normal numbers is %v, want about 0", w.lambda)
	}
}

// A few terrible results change neither the proportions of the better half nor
// the order, whatever their size.
func TestHalfRankWarp(t *testing.T) {
	t.Parallel()
	for _, worst := range []float64{8, 1e6, 1e300, math.MaxFloat64} {
		y := []float64{1, 2, 3, 4, 5, 6, worst}
		w := HalfRankWarp(y)
		for i := range 6 {
			a, b := w.Apply(y[i]), w.Apply(y[i+1])
			if !(a < b) {
				t.Errorf("worst %v: %v became %v and %v %v: the order is lost", worst, y[i], a, y[i+1], b)
			}
			if unit := w.Apply(2) - w.Apply(1); i < 3 && math.Abs(b-a-unit) > 1e-12 {
				t.Errorf("worst %v: %v and %v are %v apart, 1 and 2 %v", worst, y[i], y[i+1], b-a, unit)
			}
		}
		if top, unit := w.Apply(worst)-w.Apply(4), w.Apply(2)-w.Apply(1); top > 4*unit {
			t.Errorf("worst %v: it is %v beyond the median still, 1 and 2 are %v apart", worst, top, unit)
		}
	}
	for _, y := range [][]float64{{7}, {3, 3, 3}, {-math.MaxFloat64, math.MaxFloat64, 0}, {0, 0, 0, 1e300}, {-1e300, -1e300, 1, 2, 3}} {
		w := HalfRankWarp(y)
		for _, v := range y {
			if x := w.Apply(v); math.IsNaN(x) || math.Abs(x) > 1e3 {
				t.Errorf("of %v, %v became %v", y, v, x)
			}
		}
	}
}

func TestGPOptions(t *testing.T) {
	t.Parallel()
	table := mixedTable(10, 1)
	for name, o := range map[string]GP{"kernel": {Kernel: "x"}, "prior": {Prior: "x"}, "warp": {Warp: "x"}, "noise": {Noise: 2}, "restarts": {Restarts: -1}, "rows": {Rows: 1}} {
		if _, err := o.Fit(context.Background(), table, 1); err == nil {
			t.Errorf("%s: no error for a value out of range", name)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (GP{}).Fit(ctx, table, 1); err == nil {
		t.Error("no error after cancelling")
	}
	// Degenerate tables.
	for name, y := range map[string][]float64{"one": {3}, "constant": {2, 2, 2}, "huge": {1e300, -1e300, 0}} {
		small := &Table{Columns: table.Columns[:2], Y: y}
		for i := range y {
			small.X = append(small.X, float64(i), math.NaN())
		}
		m := learnGP(t, GP{}, small)
		mean, sd := make([]float64, 1), make([]float64, 1)
		m.Predict([]float64{0.5, 0.5}, mean, sd)
		if math.IsNaN(mean[0]) || math.IsNaN(sd[0]) {
			t.Errorf("%s: predicts %v ± %v", name, mean[0], sd[0])
		}
	}
}

func BenchmarkGPFit(b *testing.B) {
	for _, n := range []int{50, 300} {
		r := rng.New(1, "bench", 0)
		t := &Table{}
		for range 20 {
			t.Columns = append(t.Columns, Column{Name: "x"})
		}
		for range n {
			x := make([]float64, 20)
			y := 0.0
			for j := range x {
				x[j] = r.Float64()
				y += (x[j] - 0.3) * (x[j] - 0.3) * float64(j%5)
			}
			t.Add(x, y)
		}
		o := GP{Unit: true}
		_ = o.defaults()
		task := newGPTask(&o, newGPForm(&o, t), t.X, t.Y, nil)
		b.Run("loss"+string(rune('0'+n/100)), func(b *testing.B) {
			x := task.prior.start(task.form)
			g := make([]float64, len(x))
			for b.Loop() {
				task.loss(x, g)
			}
		})
		b.Run("fit"+string(rune('0'+n/100)), func(b *testing.B) {
			for b.Loop() {
				learnGP(b, o, t)
			}
		})
	}
}
