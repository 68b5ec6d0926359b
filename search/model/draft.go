package model

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/space"
)

// A draft holds candidates: walks drawn from the good mixture, and what they
// answered in the columns of the model.
type draft struct {
	walkers  []*space.Walker // nil for a candidate drawn without one
	crooked  bool            // candidates cannot be drawn without walking
	drawn    int
	x        []float64 // candidate by number; NaN if the walk did not come by
	o        []int32   // candidate by option; -1 likewise
	gone     []uint64  // place: which of the first 64 items were taken before
	left     []int32   // place: how many items remained
	has      []int32   // candidate by group: decisions taken
	kernel   []int32   // candidate by group: the kernel drawn, -1 the prior, -2 none yet
	logPrior []float64 // candidate by group: log prior of the answers
	score    []float64
	rank     []int
	items    items
	subset   struct {
		sized, begun bool
		left         int
	}
}

// deadEnds bounds how often a candidate that met a constraint is drawn again.
const deadEnds = 64

// candidates draws n walks.
func (m *model) candidates(sp *space.Space, t *sites, r *rand.Rand, n int) {
	ng := len(m.groups)
	m.x = resize(m.x, n*m.nx)
	m.o = resize(m.o, n*m.no)
	m.gone = resize(m.gone, n*m.no)
	m.left = resize(m.left, n*m.no)
	m.has = resize(m.has, n*ng)
	m.kernel = resize(m.kernel, n*ng)
	m.logPrior = resize(m.logPrior, n*ng)
	m.walkers = resize(m.walkers, n)
	m.drawn = 0
	if m.straight && !m.crooked {
		for m.drawn < n {
			m.draw(nil, t, r, m.drawn)
			m.walkers[m.drawn] = nil
			m.drawn++
		}
		return
	}
	for range n {
		for range deadEnds {
			w := sp.Walk()
			if m.draw(w, t, r, m.drawn) {
				m.walkers[m.drawn] = w
				m.drawn++
				break
			}
		}
	}
}

// design returns a candidate as a design. It reports false if there is none.
func (m *model) design(sp *space.Space, t *sites, c int) (space.Design, bool) {
	w := m.walkers[c]
	if w == nil {
		w = sp.Walk()
		if !m.follow(w, t, c) {
			m.crooked = true
			return space.Design{}, false
		}
	}
	d, err := w.Design()
	return d, err == nil
}

// follow walks a candidate that was drawn without a walk. It reports false if
// the walk is not what it was in all observed designs, which in a space without
// conditions and constraints does not happen.
func (m *model) follow(w *space.Walker, t *sites, c int) bool {
	for step := 0; ; {
		d, ok := w.Next()
		if !ok {
			return step == len(m.order) && !w.Dead()
		}
		if formOf(&d) == fixed {
			settle(w, &d)
			continue
		}
		if step == len(m.order) {
			return false
		}
		id := m.order[step]
		step++
		s, col := &t.list[id], int(m.column[id])
		if s.key != d.Site {
			return false
		}
		i := 0
		switch s.form {
		case number:
			var v float64
			if i, v = d.FromUnit(m.x[c*m.nx+col]); d.N == 0 {
				if v < d.Lo || v > d.Hi {
					return false
				}
				w.ChooseReal(v)
				continue
			}
		case place:
			rest := m.items.at(&d)
			i = slices.Index(rest, m.o[c*m.no+col])
			take(rest, i)
		default:
			i = int(m.o[c*m.no+col])
		}
		if !w.Legal(i) {
			return false
		}
		w.Choose(i)
	}
}

// settle answers a decision that has one answer.
func settle(w *space.Walker, d *space.Decision) {
	if d.N == 0 {
		w.ChooseReal(d.Lo)
	} else {
		w.Choose(0)
	}
}

// legal reports whether an option may be taken. Without a walker all may.
func legal(w *space.Walker, d *space.Decision, i int) bool {
	if w == nil {
		return i >= 0 && i < d.N
	}
	return w.Legal(i)
}

func choose(w *space.Walker, i int) {
	if w != nil {
		w.Choose(i)
	}
}

// draw draws one candidate: walking, or, if w is nil, along the decisions that
// all observed designs took. It reports false at a dead end.
func (m *model) draw(w *space.Walker, t *sites, r *rand.Rand, c int) bool {
	ng := len(m.groups)
	x, o := m.x[c*m.nx:(c+1)*m.nx], m.o[c*m.no:(c+1)*m.no]
	has, kernel, prior := m.has[c*ng:(c+1)*ng], m.kernel[c*ng:(c+1)*ng], m.logPrior[c*ng:(c+1)*ng]
	for i := range x {
		x[i] = math.NaN()
	}
	for i := range o {
		o[i] = -1
	}
	for i := range has {
		has[i], kernel[i], prior[i] = 0, -2, 0
	}
	m.subset.sized, m.subset.begun = false, false
	before := int32(-1)
	for step := 0; ; step++ {
		var d *space.Decision
		var id int32
		if w == nil {
			if step == len(m.order) {
				return true
			}
			id = m.order[step]
			d = &t.list[id].decision
		} else {
			next, ok := w.Next()
			if !ok {
				return !w.Dead()
			}
			d = &next
			if formOf(d) == fixed {
				settle(w, d)
				continue
			}
			id = t.find(d.Site, before)
			before = id
			if id < 0 || int(id) >= len(m.groupOf) || m.groupOf[id] < 0 {
				if !m.unseen(w, d, r) {
					return false
				}
				continue
			}
		}
		ok := true
		kind := t.list[id].form
		gi := m.groupOf[id]
		g := &m.groups[gi]
		if kernel[gi] == -2 {
			kernel[gi] = g.good.pick(r, m.prior)
		}
		k, col, s := int(kernel[gi]), int(m.column[id]), &t.list[id]
		has[gi]++
		if kind == number {
			mu, sd, low, span := math.NaN(), 0.0, 0.0, 0.0
			if k >= 0 {
				q := &g.good
				i := k*(g.x1-g.x0) + col - g.x0
				mu, sd, low, span = q.mu[i], q.sigma, q.low[i], q.span[i]
				if m.grouping == bySite {
					sd = q.sd[k]
				}
			}
			at, ok := m.number1(w, d, r, mu, sd, low, span)
			if !ok {
				return false
			}
			x[col] = at
			continue
		}
		obs := int32(-1)
		if k >= 0 {
			obs = g.good.obs[(col-g.o0)*len(g.good.entries)+k]
		}
		var i, left int
		switch kind {
		case level:
			mu, sd := math.NaN(), g.good.sigma
			if obs >= 0 {
				mu = s.mid(int(obs))
				if m.grouping == bySite {
					sd = g.good.sd[k]
				}
			}
			i, ok = level1(w, d, r, mu, sd)
			o[col] = int32(i)
		case place:
			rest := m.items.at(d)
			left = len(rest)
			i = m.place1(rest, obs, g.good.smooth, r)
			m.left[c*m.no+col] = int32(left)
			m.gone[c*m.no+col] = gone(m.items.left[:d.Item])
			o[col] = take(rest, i)
			ok = legal(w, d, i)
		default:
			i, ok = m.pick1(w, d, r, obs, g.good.smooth)
			o[col] = int32(i)
		}
		if !ok {
			return false
		}
		prior[gi] += s.logPrior(o[col], left)
		m.include(d, i)
		choose(w, i)
	}
}

// pick draws a kernel by weight, -1 for the prior.
func (q *mixture) pick(r *rand.Rand, prior float64) int32 {
	u := float64(r.Float64()*q.total) - prior
	if u < 0 {
		return -1
	}
	for i := range q.entries {
		if u -= q.entries[i].slot.weight; u < 0 {
			return int32(i)
		}
	}
	return int32(len(q.entries) - 1)
}

// normal draws from a normal distribution within [a, b]; low and span are its
// distribution function at a and the difference between the bounds.
func normal(r *rand.Rand, mu, sd, low, span, a, b float64) float64 {
	u := r.Float64()
	if !(span > 1e-12) { // far out in a tail: as good as flat, or as the bound
		return a + float64(u*(b-a))
	}
	x := mu + float64(sd*detmath.PhiInv(low+float64(u*span)))
	return min(max(x, a), b)
}

// number1 answers a decision that is modelled as a number, by the prior if mu
// is not a number, and returns its place on [0, 1].
func (m *model) number1(w *space.Walker, d *space.Decision, r *rand.Rand, mu, sd, low, span float64) (float64, bool) {
	if d.N == 0 {
		a, b := 0.0, 1.0
		if d.Lo > d.Param.Lo || d.Hi < d.Param.Hi {
			a, b = d.Unit(0, d.Lo), d.Unit(0, d.Hi)
			if mu == mu {
				low = detmath.Phi((a - mu) / sd)
				span = detmath.Phi((b-mu)/sd) - low
			}
		}
		var u float64
		if mu == mu {
			u = normal(r, mu, sd, low, span, a, b)
		} else {
			u = a + float64(r.Float64()*(b-a))
		}
		if w != nil {
			_, v := d.FromUnit(u)
			w.ChooseReal(min(max(v, d.Lo), d.Hi))
		}
		return u, true
	}
	i, ok := ordered(w, d, r, mu, sd, low, span)
	if !ok {
		return 0, false
	}
	m.include(d, i)
	choose(w, i)
	return middle(d, i), true
}

// level1 draws one of a few ordered options.
func level1(w *space.Walker, d *space.Decision, r *rand.Rand, mu, sd float64) (int, bool) {
	low, span := 0.0, 0.0
	if mu == mu {
		low = detmath.Phi(-mu / sd)
		span = detmath.Phi((1-mu)/sd) - low
	}
	return ordered(w, d, r, mu, sd, low, span)
}

// ordered draws a legal option of an ordered decision: anew a few times, then
// the legal one that is nearest to what was drawn.
func ordered(w *space.Walker, d *space.Decision, r *rand.Rand, mu, sd, low, span float64) (int, bool) {
	i := 0
	for range 8 {
		u := 0.0
		if mu == mu {
			u = normal(r, mu, sd, low, span, 0, 1)
		} else {
			u = r.Float64()
		}
		if i, _ = d.FromUnit(u); legal(w, d, i) {
			return i, true
		}
	}
	for by := 1; by < d.N && by < 1<<12; by++ {
		switch {
		case legal(w, d, i-by):
			return i - by, true
		case legal(w, d, i+by):
			return i + by, true
		}
	}
	return 0, false
}

// pick1 draws one of some options without order: that of the kernel's design,
// or one by the prior.
func (m *model) pick1(w *space.Walker, d *space.Decision, r *rand.Rand, obs int32, smooth float64) (int, bool) {
	u := r.Float64()
	if obs >= 0 {
		stay := 1 / (1 + float64(smooth*float64(d.N)))
		if u < stay && legal(w, d, int(obs)) {
			return int(obs), true
		}
		u = r.Float64()
	}
	if d.Role == space.RoleInclude {
		i := 0
		if u < m.inclusion(d) {
			i = 1
		}
		if !legal(w, d, i) {
			i = 1 - i
		}
		return i, legal(w, d, i)
	}
	i, _ := d.FromUnit(u)
	if legal(w, d, i) {
		return i, true
	}
	total := 0.0
	for i := range d.N {
		if legal(w, d, i) {
			total += weight(d, i)
		}
	}
	u = float64(r.Float64() * total)
	last := -1
	for i := range d.N {
		if legal(w, d, i) {
			last = i
			if u -= weight(d, i); u < 0 {
				break
			}
		}
	}
	return last, last >= 0
}

func weight(d *space.Decision, i int) float64 {
	if d.Role == space.RolePick {
		return d.Param.Weight(i)
	}
	return 1
}

// place1 draws an item of a permutation: the one that the kernel's design has
// in this place, if it is free, or any.
func (m *model) place1(rest []int32, obs int32, smooth float64, r *rand.Rand) int {
	if obs >= 0 {
		if at := slices.Index(rest, obs); at >= 0 && r.Float64() < 1/(1+float64(smooth*float64(len(rest)))) {
			return at
		}
	}
	return r.IntN(len(rest))
}

func gone(before []int32) uint64 {
	var set uint64
	for _, i := range before {
		if i < 64 {
			set |= 1 << uint(i)
		}
	}
	return set
}

// unseen answers a decision that no observed design took, by the prior.
func (m *model) unseen(w *space.Walker, d *space.Decision, r *rand.Rand) bool {
	switch formOf(d) {
	case number:
		_, ok := m.number1(w, d, r, math.NaN(), 0, 0, 0)
		return ok
	case level:
		i, ok := level1(w, d, r, math.NaN(), 0)
		if ok {
			m.include(d, i)
			w.Choose(i)
		}
		return ok
	case place:
		rest := m.items.at(d)
		i := r.IntN(len(rest))
		take(rest, i)
		w.Choose(i)
		return !w.Dead()
	}
	i, ok := m.pick1(w, d, r, -1, 0)
	if ok {
		m.include(d, i)
		w.Choose(i)
	}
	return ok
}

// include follows how many items of a subset are still to come, which its
// prior depends on.
func (m *model) include(d *space.Decision, i int) {
	switch d.Role {
	case space.RoleSize:
		m.subset.sized, m.subset.left = true, int(d.Param.Lo)+i
	case space.RoleInclude:
		m.inclusion(d)
		m.subset.left -= i
		m.subset.sized, m.subset.begun = false, false
	}
}

// inclusion returns the prior probability that the item asked about is in the
// subset, given those before it.
func (m *model) inclusion(d *space.Decision) float64 {
	if d.Item == 0 && !m.subset.begun {
		m.subset.begun = true
		if !m.subset.sized {
			m.subset.left = int(d.Param.Lo)
		}
	}
	if d.Param.Hi == 0 {
		return 0.5
	}
	return float64(m.subset.left) / float64(len(d.Param.Labels)-d.Item)
}

// ranking returns the candidates, best first.
func (m *model) ranking() []int {
	m.rank = m.rank[:0]
	for i := range m.drawn {
		m.rank = append(m.rank, i)
	}
	slices.SortStableFunc(m.rank, func(a, b int) int {
		switch {
		case m.score[a] > m.score[b]:
			return -1
		case m.score[a] < m.score[b]:
			return 1
		}
		return 0
	})
	return m.rank
}

// maxParents bounds the parents that a proposal names.
const maxParents = 4

// parents returns the results whose kernels a candidate was drawn from.
func (m *model) parents(c int) []int64 {
	if m.grouping == bySite {
		return nil // as many as there are decisions
	}
	var out []int64
	for i := range m.groups {
		if k := m.kernel[c*len(m.groups)+i]; k >= 0 && len(out) < maxParents {
			if id := m.groups[i].good.entries[k].slot.id; !slices.Contains(out, id) {
				out = append(out, id)
			}
		}
	}
	return out
}
