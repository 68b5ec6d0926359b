package predict

import (
	"math"
	"slices"
)

// gpKinds are the rows of saveKinds of Gaussian processes.
func gpKinds() []saveRow { return []saveRow{{kind: "gp", version: 1, read: readGP}} }

func (m *GPModel) saveKind() string { return "gp" }
func (m *GPModel) columnCount() int { return len(m.columns) }

// save writes what the factor of an exact model is made of, and all of a sparse
// one. A model that was extended comes back with other last bits.
func (m *GPModel) save(w *saveWriter) {
	fit, f := &m.fit, m.fit.form
	w.columns(m.columns)
	for _, c := range f.columns {
		for _, v := range []int{c.at, c.scale, c.option, c.warp} {
			w.int(v)
		}
		w.bool(c.arc)
		w.float(c.lo)
		w.float(c.span)
	}
	w.floats(fit.theta)
	w.bool(fit.sum)
	w.int(int(m.warp.kind))
	w.bool(m.warp.bent)
	w.floats([]float64{m.warp.lambda, m.warp.unit, m.warp.centre, m.warp.scale})
	w.floats(m.warp.knots)
	w.floats(m.warp.values)
	w.int(fit.n)
	w.float(fit.mean)
	w.bool(m.sparse != nil)
	rows := fit
	if m.sparse != nil {
		rows = &m.sparse.z
	}
	w.floats(rows.z)
	cat := make([]int, len(rows.cat))
	for i, v := range rows.cat {
		cat[i] = int(v)
	}
	w.ints(cat)
	if m.sparse != nil {
		w.floats(rows.l)
		w.floats(m.sparse.lb)
		w.floats(m.sparse.weight)
		return
	}
	w.floats(fit.y)
	w.floats(fit.extra)
	w.float(fit.jump)
}

// gpSavedRows is the most rows that a saved model may have.
const gpSavedRows = 5000

func readGP(r *saveReader, _ uint64) Model {
	m := &GPModel{}
	f := &gpForm{}
	const fit, fits = "numbers that do not fit together", "a model that was saved here"
	m.columns = r.columns()
	r.what = "gp"
	for _, c := range m.columns {
		g := gpColumn{levels: c.Levels, at: r.int(), scale: r.int(), option: r.int(), warp: r.int(), arc: r.bool(), lo: r.finite(), span: r.finite()}
		if !r.check(g.span > 0 && g.scale >= 0 && g.scale <= len(m.columns), fit, fits) {
			return nil
		}
		f.scales = max(f.scales, g.scale+1)
		at := f.coords
		if g.levels > 0 {
			at = f.cats
			f.cats++
			f.picks = append(f.picks, g)
		} else {
			f.coords++
			if g.arc {
				f.coords++
			}
		}
		if !r.check(g.at == at && (g.levels > 0 || g.option < 0) && (g.levels == 0 || g.warp < 0), fit, fits) {
			return nil
		}
		if g.option >= 0 {
			f.options = max(f.options, g.option+g.levels+1)
		}
		f.warps = max(f.warps, g.warp+1)
		f.columns = append(f.columns, g)
	}
	if !r.check(len(f.columns) > 0 && f.options <= len(r.b) && f.warps <= len(f.columns), fit, fits) {
		return nil
	}
	f.pick = make([]bool, f.scales)
	for _, g := range f.columns {
		f.pick[g.scale] = g.levels > 0
	}
	g := &m.fit
	g.form = f
	g.theta = r.floats()
	g.sum = r.bool()
	kind := r.int()
	m.warp.bent = r.bool()
	w := r.floats()
	m.warp.knots, m.warp.values = r.floats(), r.floats()
	g.n, g.mean = r.int(), r.finite()
	sparse := r.bool()
	z, cat := r.floats(), r.ints()
	ok := len(g.theta) == f.count() && kind >= 0 && kind <= int(warpRank) && len(w) == 4 && g.n > 0 &&
		len(m.warp.knots) == len(m.warp.values) && (warpKind(kind) != warpRank || len(m.warp.knots) > 0)
	n := g.n
	if sparse {
		switch {
		case f.coords > 0:
			n = len(z) / f.coords
		case f.cats > 0:
			n = len(cat) / f.cats
		}
	}
	if !r.check(ok && n <= gpSavedRows && len(z) == n*f.coords && len(cat) == n*f.cats, fit, fits) {
		return nil
	}
	m.warp.kind, m.warp.lambda, m.warp.unit, m.warp.centre, m.warp.scale = warpKind(kind), w[0], w[1], w[2], w[3]
	rows := g
	if sparse {
		m.sparse = &gpSparse{z: gpFit{form: f, sum: g.sum, n: n}}
		rows = &m.sparse.z
	}
	for i, v := range cat {
		if !r.check(v >= 0 && v <= f.picks[i%f.cats].levels, fit, fits) {
			return nil
		}
		rows.cat = append(rows.cat, int32(v))
	}
	rows.z = z
	g.p = f.params(g.theta)
	rows.p = g.p
	if sparse {
		rows.l, m.sparse.lb, m.sparse.weight = r.floats(), r.floats(), r.floats()
		if !r.check(len(rows.l) == tri(n) && len(m.sparse.lb) == tri(n) && len(m.sparse.weight) == n, fit, fits) {
			return nil
		}
		return m
	}
	g.y, g.extra, g.jump = r.floats(), r.floats(), r.finite()
	if len(g.extra) == 0 {
		g.extra = nil
	}
	finite := !slices.ContainsFunc(append(slices.Clone(g.theta), g.y...), func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
	if !r.check(finite && len(g.y) == n && (g.extra == nil || len(g.extra) == n) && g.jump >= 0 && g.jump <= 10, fit, fits) {
		return nil
	}
	jump := g.jump
	g.l = make([]float64, tri(n))
	g.factor(0)
	if !r.check(g.jump == jump, fit, fits) {
		return nil
	}
	g.solve()
	return m
}
