package model

import (
	"math"
	"math/bits"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

const logRoot2Pi = 0.91893853320467274178032973640561763986139747363778 // log(sqrt(2 pi))

// A grouping says which decisions are modelled jointly.
type grouping uint8

const (
	byPresence grouping = iota // those that every design takes all or not at all
	bySite                     // none
	together                   // all
)

// A group is a set of decisions modelled jointly.
type group struct {
	sites      int // how many
	x0, x1     int // columns of its numbers
	o0, o1     int // columns of its options
	good, bad  mixture
	cases      int  // good and bad designs that have the group
	wanted     int  // designs the good set of the group should have
	full       bool // every kernel has all its decisions
	last, join int  // scratch
}

// An entry is a design that has the group.
type entry struct {
	slot  *slot
	first int // its first decision of the group
}

// A mixture is the density of one set of designs over the decisions of one
// group: one kernel a design, and the prior. Coordinates of numbers are places
// on the cumulative prior, so the prior density is 1.
type mixture struct {
	entries []entry
	total   float64 // weight of all kernels and the prior
	weights bool    // weights differ
	smooth  float64 // prior weight an unordered option gets, times the number of options
	sigma   float64 // bandwidth of numbers and levels, but for bySite

	mu    []float64 // entry by number
	low   []float64 // likewise: slot.low
	span  []float64
	obs   []int32   // option column by entry
	logc  []float64 // entry: log of weight and of the constants of all numbers
	ln    []float64 // entry by number: log of the constants of one, made on demand
	exact bool      // ln is made

	tables [][]float64 // option column: log mass of an answer (row) for an observation

	sd, coef []float64 // bySite, number: bandwidth and factor of each entry
	logp     []float64 // bySite, options: log mass of the whole mixture
}

// model is the pair of densities that the good and the bad designs make.
type model struct {
	grouping grouping
	prior    float64

	sites    *sites
	groups   []group
	groupOf  []int32 // by site, -1 if no observed design has it
	column   []int32 // by site: of its numbers or options
	formed   []int32 // by option column: the site
	nx, no   int
	sign     []uint64
	order    []int32 // sites in the order they were met
	sorted   []int32
	straight bool // all observed designs take the same decisions
	count    map[uint64]int32
	acc      [4][]float64

	draft
}

// bandwidth is Optuna's rule for multivariate kernels: Scott's exponent for n
// observations of d decisions, with bounds that avoid both needles and, for
// few observations, flat kernels.
func bandwidth(n, d int) float64 {
	if n == 0 {
		return 1
	}
	// In steps of an eighth, so that kernels need not be made anew for every
	// result while there are few.
	by := max(1<<bits.Len(uint(n))/16, 1)
	n -= n % by
	sigma := 0.2 * detmath.Exp(-detmath.Log(float64(n))/float64(d+4))
	return clip(sigma, n)
}

func clip(sigma float64, n int) float64 {
	return min(max(sigma, 1/min(100, float64(n+2))), 1)
}

// build makes the densities anew. What depends on one design and the
// bandwidth alone is kept in the slots, so this is mostly copying.
func (m *model) build(t *sites, good, bad []*slot, gamma float64) {
	m.sites = t
	m.partition(good, bad)
	for i := range m.groups {
		g := &m.groups[i]
		g.good.entries, g.bad.entries = g.good.entries[:0], g.bad.entries[:0]
		g.cases, g.last = 0, -1
	}
	// How many designs have each group.
	step := 0
	for _, set := range [2][]*slot{good, bad} {
		for _, s := range set {
			for _, id := range s.site {
				if g := &m.groups[m.groupOf[id]]; g.last != step {
					g.last = step
					g.cases++
				}
			}
			step++
		}
	}
	for i := range m.groups {
		g := &m.groups[i]
		g.wanted = int(math.Ceil(float64(gamma*float64(g.cases)) - 1e-9))
	}
	// A group that few of the good designs have takes the best of the others.
	for _, s := range good {
		m.deal(s, step, true)
		step++
	}
	for _, s := range bad {
		m.deal(s, step, m.grouping == byPresence && s.usable && len(m.groups) > 1)
		step++
	}
	for i := range m.groups {
		g := &m.groups[i]
		g.full = true
		m.fill(g, &g.good, 0)
		m.fill(g, &g.bad, 1)
	}
}

// deal enters a design into the mixtures of its groups. A good design goes
// into the good ones; a bad one may where they are short of designs.
func (m *model) deal(s *slot, step int, good bool) {
	for i, id := range s.site {
		g := &m.groups[m.groupOf[id]]
		if g.last == step {
			continue
		}
		g.last = step
		e := entry{s, i}
		if good && (s.good || len(g.good.entries) < g.wanted) {
			g.good.entries = append(g.good.entries, e)
		} else {
			g.bad.entries = append(g.bad.entries, e)
		}
	}
}

// partition numbers the groups and the columns.
func (m *model) partition(good, bad []*slot) {
	n := len(m.sites.list)
	m.groupOf = resize(m.groupOf, n)
	m.column = resize(m.column, n)
	m.sign = resize(m.sign, n)
	for i := range m.groupOf {
		m.groupOf[i] = -1
	}
	// A site is signed by the designs that have it.
	m.order = m.order[:0]
	step := uint64(0)
	for _, set := range [2][]*slot{good, bad} {
		for _, s := range set {
			step++
			h := mix(step)
			for _, id := range s.site {
				if m.groupOf[id] < 0 {
					m.groupOf[id] = 0
					m.sign[id] = 0
					m.order = append(m.order, id)
				}
				m.sign[id] += h
			}
		}
	}
	m.straight = true
	for _, set := range [2][]*slot{good, bad} {
		for _, s := range set {
			m.straight = m.straight && len(s.site) == len(m.order)
		}
	}
	if m.count == nil {
		m.count = map[uint64]int32{}
	}
	clear(m.count)
	groups := 0
	prev := int32(-1)
	for _, id := range m.order {
		switch {
		case m.grouping == together:
			m.groupOf[id] = 0
			groups = 1
		case m.grouping == bySite:
			m.groupOf[id] = int32(groups)
			groups++
		case prev >= 0 && m.sign[id] == m.sign[prev]:
			m.groupOf[id] = m.groupOf[prev]
		default:
			at, ok := m.count[m.sign[id]]
			if !ok {
				at = int32(groups)
				m.count[m.sign[id]] = at
				groups++
			}
			m.groupOf[id] = at
		}
		prev = id
	}
	for len(m.groups) < groups {
		m.groups = append(m.groups, group{})
	}
	m.groups = m.groups[:groups]
	// Columns of a group lie side by side.
	for i := range m.groups {
		g := &m.groups[i]
		g.sites, g.x1, g.o1 = 0, 0, 0
	}
	for _, id := range m.order {
		g := &m.groups[m.groupOf[id]]
		g.sites++
		if m.sites.list[id].form == number {
			m.column[id] = int32(g.x1)
			g.x1++
		} else {
			m.column[id] = int32(g.o1)
			g.o1++
		}
	}
	m.nx, m.no = 0, 0
	for i := range m.groups {
		g := &m.groups[i]
		g.x0, g.o0 = m.nx, m.no
		m.nx += g.x1
		m.no += g.o1
		g.x1, g.o1 = m.nx, m.no
	}
	m.formed = resize(m.formed, m.no)
	for _, id := range m.order {
		g := &m.groups[m.groupOf[id]]
		if m.sites.list[id].form == number {
			m.column[id] += int32(g.x0)
		} else {
			m.column[id] += int32(g.o0)
			m.formed[m.column[id]] = id
		}
	}
}

// fill makes the columns and constants of a mixture.
func (m *model) fill(g *group, q *mixture, side int) {
	k, wx, wo := len(q.entries), g.x1-g.x0, g.o1-g.o0
	q.exact = false
	q.weights = false
	sum := 0.0
	for _, e := range q.entries {
		sum += e.slot.weight
		q.weights = q.weights || e.slot.weight != 1
	}
	q.total = m.prior + sum
	q.smooth = m.prior / float64(k+1)
	q.mu = resize(q.mu, k*wx)
	q.obs = resize(q.obs, k*wo)
	if m.grouping == together {
		for i := range q.mu {
			q.mu[i] = math.NaN()
		}
		for i := range q.obs {
			q.obs[i] = -1
		}
	}
	if m.grouping == bySite {
		m.fillSingle(g, q)
		return
	}
	q.sigma = bandwidth(k, g.sites)
	q.low = resize(q.low, k*wx)
	q.span = resize(q.span, k*wx)
	q.logc = resize(q.logc, k)
	each := -detmath.Log(q.sigma) - logRoot2Pi
	for at, e := range q.entries {
		s := e.slot
		g.full = g.full && (m.grouping != together || len(s.site) == g.sites)
		product, logs, numbers := 1.0, 0.0, 0
		for i, missing := e.first, g.sites; missing > 0 && i < len(s.site); i++ {
			id := s.site[i]
			c := int(m.column[id])
			if m.grouping != together && &m.groups[m.groupOf[id]] != g {
				continue
			}
			missing--
			if m.sites.list[id].form != number {
				q.obs[(c-g.o0)*k+at] = s.option[i]
				continue
			}
			if s.sigma[i] != q.sigma {
				s.truncate(i, q.sigma)
			}
			c += at*wx - g.x0
			q.mu[c], q.low[c], q.span[c] = s.x[i], s.low[i], s.span[i]
			product *= s.span[i]
			if numbers++; numbers%256 == 0 { // each is above 0.49: no underflow
				logs += detmath.Log(product)
				product = 1
			}
		}
		q.logc[at] = float64(float64(numbers)*each) - logs - detmath.Log(product)
		if q.weights {
			q.logc[at] += detmath.Log(s.weight)
		}
	}
	q.tables = resize(q.tables, wo)
	for c := range wo {
		s := &m.sites.list[m.formed[g.o0+c]]
		if t := &s.cache[side]; t.sigma != q.sigma || t.smooth != q.smooth {
			t.sigma, t.smooth = q.sigma, q.smooth
			t.mass = s.table(t.mass[:0], q.sigma, q.smooth)
		}
		q.tables[c] = s.cache[side].mass
	}
}

// truncate computes the standard normal distribution at the bounds of a number.
func (s *slot) truncate(i int, sigma float64) {
	s.sigma[i] = sigma
	s.low[i] = detmath.Phi(-s.x[i] / sigma)
	s.span[i] = detmath.Phi((1-s.x[i])/sigma) - s.low[i]
}

// maxTable is the number of options up to which a site has a full table.
const maxTable = maxLevels

// table returns the log mass of each answer (row) for each observation, or for
// many unordered options the log mass of an answer that was observed, one
// column, and of one that was not, the other.
func (s *site) table(dst []float64, sigma, smooth float64) []float64 {
	n := s.options
	switch {
	case s.form == place:
		return dst
	case s.form == level:
		dst = append(dst, make([]float64, n*n)...)
		for obs := range n {
			mid := s.mid(obs)
			low := detmath.Phi(-mid / sigma)
			span := detmath.Phi((1-mid)/sigma) - low
			below := low
			for a := range n {
				above := detmath.Phi((s.edges[a+1] - mid) / sigma)
				dst[a*n+obs] = logFloor((above - below) / span)
				below = above
			}
		}
		return dst
	}
	miss := func(a int) float64 { return float64(smooth * float64(float64(n)*s.prior[a])) }
	norm := 1 + float64(smooth*float64(n))
	if n <= maxTable {
		for a := range n {
			none := logFloor(miss(a) / norm)
			for range n {
				dst = append(dst, none)
			}
			dst[a*n+a] = detmath.Log((miss(a) + 1) / norm)
		}
		return dst
	}
	for a := range n {
		dst = append(dst, logFloor(miss(a)/norm), detmath.Log((miss(a)+1)/norm))
	}
	return dst
}

func (s *site) mid(i int) float64 { return float64(0.5 * (s.edges[i] + s.edges[i+1])) }

// logFloor keeps masses that underflow comparable.
func logFloor(p float64) float64 {
	if p < 1e-300 {
		return -690.7755278982137
	}
	return detmath.Log(p)
}

// logPrior returns the log prior of an option, of which left remain if it is
// the item of a permutation.
func (s *site) logPrior(option int32, left int) float64 {
	if s.form == place {
		return -detmath.Log(float64(left))
	}
	return logFloor(s.prior[option])
}

// quad adds the log densities of four complete candidates.
func (m *model) quad(g *group, q *mixture, c *[4]int, sign float64) {
	k, wx := len(q.entries), g.x1-g.x0
	for i := range m.acc {
		m.acc[i] = resize(m.acc[i], k)
	}
	a0, a1, a2, a3 := m.acc[0], m.acc[1], m.acc[2], m.acc[3]
	if wx == 0 {
		for i := range m.acc {
			copy(m.acc[i], q.logc)
		}
	} else {
		h := -0.5 / float64(q.sigma*q.sigma)
		x0, x1 := m.numbers(c[0], g), m.numbers(c[1], g)
		x2, x3 := m.numbers(c[2], g), m.numbers(c[3], g)
		for j := range k {
			row := q.mu[j*wx : j*wx+wx]
			y0, y1, y2, y3 := x0[:len(row)], x1[:len(row)], x2[:len(row)], x3[:len(row)]
			var s0, s1, s2, s3 float64
			for i, mu := range row {
				d0, d1, d2, d3 := y0[i]-mu, y1[i]-mu, y2[i]-mu, y3[i]-mu
				s0 += float64(d0 * d0)
				s1 += float64(d1 * d1)
				s2 += float64(d2 * d2)
				s3 += float64(d3 * d3)
			}
			l := q.logc[j]
			a0[j] = l + float64(h*s0)
			a1[j] = l + float64(h*s1)
			a2[j] = l + float64(h*s2)
			a3[j] = l + float64(h*s3)
		}
	}
	for i := range c {
		m.options(g, q, c[i], m.acc[i])
	}
	for i, a := range m.acc {
		m.score[c[i]] += float64(sign * m.mixed(q, a, m.logPrior[c[i]*len(m.groups)+g.join]))
	}
}

func (m *model) numbers(c int, g *group) []float64 { return m.x[c*m.nx+g.x0 : c*m.nx+g.x1] }

// options adds the log masses of a candidate's options under each kernel.
func (m *model) options(g *group, q *mixture, c int, acc []float64) {
	k := len(q.entries)
	for o := g.o0; o < g.o1; o++ {
		a := m.o[c*m.no+o]
		obs := q.obs[(o-g.o0)*k:][:len(acc)]
		s := &m.sites.list[m.formed[o]]
		switch {
		case s.form == place:
			gone := m.gone[c*m.no+o]
			hit, miss, none := s.placing(q.smooth, int(m.left[c*m.no+o]))
			for j, b := range obs {
				switch {
				case b == a:
					acc[j] += hit
				case b < 64 && gone>>uint(b)&1 == 1:
					acc[j] += none
				default:
					acc[j] += miss
				}
			}
		case s.form == pick && s.options > maxTable:
			miss, hit := q.tables[o-g.o0][2*a], q.tables[o-g.o0][2*a+1]
			for j, b := range obs {
				if a == b {
					acc[j] += hit
				} else {
					acc[j] += miss
				}
			}
		default:
			row := q.tables[o-g.o0][int(a)*s.options:][:s.options]
			for j, b := range obs {
				acc[j] += row[b]
			}
		}
	}
}

// placing returns the log mass of an item of a permutation when left remain:
// if the kernel's design has it there, if it has another one that is free, and
// if it has one that is gone.
func (s *site) placing(smooth float64, left int) (hit, miss, none float64) {
	norm := 1 + float64(smooth*float64(left))
	return detmath.Log((smooth + 1) / norm), detmath.Log(smooth / norm), -detmath.Log(float64(left))
}

// mixed returns the log density of a mixture from the log densities of its
// kernels, weighted already, and of the prior.
func (m *model) mixed(q *mixture, kernels []float64, prior float64) float64 {
	prior += detmath.Log(m.prior)
	top := prior
	for _, l := range kernels {
		top = max(top, l)
	}
	sum := fastExp(max(prior-top, -700))
	for _, l := range kernels {
		if d := l - top; d > -36 { // below, it does not change the sum
			sum += fastExp(d)
		}
	}
	return top + detmath.Log(sum/q.total)
}

// one adds the log density of a candidate that takes only some decisions of
// the group, or under kernels that do.
func (m *model) one(g *group, q *mixture, c int, sign float64) {
	k, wx := len(q.entries), g.x1-g.x0
	if !q.exact {
		q.exact = true
		q.ln = resize(q.ln, k*wx)
		each := -detmath.Log(q.sigma) - logRoot2Pi
		for i, mu := range q.mu {
			if mu == mu {
				q.ln[i] = each - detmath.Log(q.span[i])
			}
		}
	}
	acc := resize(m.acc[0], k)
	m.acc[0] = acc
	h := -0.5 / float64(q.sigma*q.sigma)
	x := m.numbers(c, g)
	for j := range acc {
		l := 0.0
		if q.weights {
			l = detmath.Log(q.entries[j].slot.weight)
		}
		row, ln := q.mu[j*wx:j*wx+wx], q.ln[j*wx:j*wx+wx]
		for i, mu := range row {
			if d := x[i] - mu; d == d { // neither is missing
				l += ln[i] + float64(h*float64(d*d))
			}
		}
		acc[j] = l
	}
	for o := g.o0; o < g.o1; o++ {
		a := m.o[c*m.no+o]
		if a < 0 {
			continue
		}
		s := &m.sites.list[m.formed[o]]
		var hit, miss, none float64
		left := int(m.left[c*m.no+o])
		none = s.logPrior(a, left)
		table := q.tables[o-g.o0]
		if s.form == place {
			hit, miss, _ = s.placing(q.smooth, left)
		} else if s.form == pick && s.options > maxTable {
			miss, hit = table[2*a], table[2*a+1]
		}
		for j, b := range q.obs[(o-g.o0)*k:][:k] {
			switch {
			case b < 0, s.form == place && b < 64 && b != a && m.gone[c*m.no+o]>>uint(b)&1 == 1:
				acc[j] += none
			case s.form == place || s.form == pick && s.options > maxTable:
				if a == b {
					acc[j] += hit
				} else {
					acc[j] += miss
				}
			default:
				acc[j] += table[int(a)*s.options+int(b)]
			}
		}
	}
	m.score[c] += float64(sign * m.mixed(q, acc, m.logPrior[c*len(m.groups)+g.join]))
}

// judge scores the candidates by the log of good over bad.
func (m *model) judge() {
	m.score = resize(m.score, m.drawn)
	clear(m.score)
	for i := range m.groups {
		g := &m.groups[i]
		g.join = i
		if m.grouping == bySite {
			for c := range m.drawn {
				if m.has[c*len(m.groups)+i] > 0 {
					m.score[c] += m.single(g, &g.good, c) - m.single(g, &g.bad, c)
				}
			}
			continue
		}
		var block [4]int
		n := 0
		for c := range m.drawn {
			switch has := int(m.has[c*len(m.groups)+i]); {
			case has == 0:
			case has < g.sites || !g.full:
				m.one(g, &g.good, c, 1)
				m.one(g, &g.bad, c, -1)
			default:
				block[n] = c
				if n++; n == 4 {
					m.quad(g, &g.good, &block, 1)
					m.quad(g, &g.bad, &block, -1)
					n = 0
				}
			}
		}
		for _, c := range block[:n] {
			m.one(g, &g.good, c, 1)
			m.one(g, &g.bad, c, -1)
		}
	}
}

func resize[E any](s []E, n int) []E {
	if cap(s) < n {
		return append(s[:cap(s)], make([]E, n-cap(s))...)
	}
	return s[:n]
}

// mix is the finaliser of splitmix64 (Steele, Lea and Flood 2014).
func mix(z uint64) uint64 {
	z += 0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}
