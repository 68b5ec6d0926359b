package model

import (
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// fillSingle makes the mixture of a single decision, the univariate TPE of
// Bergstra et al.: the bandwidth of a kernel is the distance to the farther of
// its two neighbours, where the prior counts as an observation in the middle
// and the bounds as neighbours of the outermost.
func (m *model) fillSingle(g *group, q *mixture) {
	k := len(q.entries)
	if g.x1 > g.x0 {
		for at, e := range q.entries {
			q.mu[at] = e.slot.x[e.first]
		}
		m.widths(q)
		q.coef = resize(q.coef, k)
		q.low = resize(q.low, k)
		q.span = resize(q.span, k)
		for at, e := range q.entries {
			s, i := e.slot, e.first
			if s.sigma[i] != q.sd[at] {
				s.truncate(i, q.sd[at])
			}
			q.low[at], q.span[at] = s.low[i], s.span[i]
			q.coef[at] = s.weight / float64(float64(q.sd[at]*s.span[i])*math.Sqrt(2*math.Pi))
		}
		return
	}
	s := &m.sites.list[m.formed[g.o0]]
	for at, e := range q.entries {
		q.obs[at] = e.slot.option[e.first]
	}
	q.logp = resize(q.logp, s.options)
	switch s.form {
	case level:
		q.mu = resize(q.mu, k)
		for at, o := range q.obs {
			q.mu[at] = s.mid(int(o))
		}
		m.widths(q)
		for a := range q.logp {
			q.logp[a] = float64(m.prior * s.prior[a])
		}
		for at, mu := range q.mu {
			sd := q.sd[at]
			low := detmath.Phi(-mu / sd)
			f := q.entries[at].slot.weight / (detmath.Phi((1-mu)/sd) - low)
			below := low
			for a := range q.logp {
				above := detmath.Phi((s.edges[a+1] - mu) / sd)
				q.logp[a] += float64(f * (above - below))
				below = above
			}
		}
	case place:
		norm := 1 + float64(q.smooth*float64(s.options))
		for a := range q.logp {
			q.logp[a] = m.prior/float64(s.options) + float64((q.total-m.prior)*q.smooth)/norm
		}
		for at, o := range q.obs {
			q.logp[o] += q.entries[at].slot.weight / norm
		}
	default:
		n := float64(s.options)
		norm := 1 + float64(q.smooth*n)
		for a := range q.logp {
			q.logp[a] = float64(s.prior[a] * (m.prior + float64((q.total-m.prior)*float64(q.smooth*n))/norm))
		}
		for at, o := range q.obs {
			q.logp[o] += q.entries[at].slot.weight / norm
		}
	}
	for a := range q.logp {
		q.logp[a] = logFloor(q.logp[a] / q.total)
	}
}

// widths computes the bandwidth of every kernel of a single decision.
func (m *model) widths(q *mixture) {
	k := len(q.mu)
	q.sd = resize(q.sd, k)
	m.sorted = m.sorted[:0]
	for i := range k + 1 {
		m.sorted = append(m.sorted, int32(i)) // k is the prior
	}
	at := func(i int32) float64 {
		if int(i) == k {
			return 0.5
		}
		return q.mu[i]
	}
	slices.SortFunc(m.sorted, func(a, b int32) int {
		switch x, y := at(a), at(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return int(a - b)
	})
	for i, o := range m.sorted {
		if int(o) == k {
			continue
		}
		left, right := at(o), 1-at(o) // distance to the bounds
		if i > 0 {
			left = at(o) - at(m.sorted[i-1])
		}
		if i < k {
			right = at(m.sorted[i+1]) - at(o)
		}
		// Optuna leaves the bounds out where there are other neighbours.
		switch {
		case i == 0 && k > 0:
			left = 0
		case i == k:
			right = 0
		}
		q.sd[o] = clip(max(left, right), k)
	}
}

// single returns the log density of a candidate's answer to the only decision
// of a group.
func (m *model) single(g *group, q *mixture, c int) float64 {
	if g.x1 == g.x0 {
		return q.logp[m.o[c*m.no+g.o0]]
	}
	x := m.x[c*m.nx+g.x0]
	sum := m.prior
	for i, mu := range q.mu {
		z := (x - mu) / q.sd[i]
		if h := float64(-0.5 * float64(z*z)); h > -40 {
			sum += float64(q.coef[i] * fastExp(h))
		}
	}
	return detmath.Log(sum / q.total)
}
