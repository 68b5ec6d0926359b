package local

import (
	"math"
	"math/rand/v2"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

// A judge compares results. With several objectives it keeps the front and
// scales losses by its range, or by that of all losses while the front is but a
// point.
type judge struct {
	objectives int
	lo, hi     []float64
	even       []float64 // weights that prefer no objective
	front      metric.Front[place]
	base, span []float64 // range of the front when weights were last drawn
}

func newJudge(setup search.Setup) judge {
	j := judge{objectives: max(setup.Objectives, 1)}
	if j.objectives > 1 {
		j.lo, j.hi, j.even = make([]float64, j.objectives), make([]float64, j.objectives), make([]float64, j.objectives)
		j.base, j.span = make([]float64, j.objectives), make([]float64, j.objectives)
		for i := range j.lo {
			j.even[i] = 1 / float64(j.objectives)
			j.lo[i], j.hi[i] = math.Inf(1), math.Inf(-1)
		}
	}
	return j
}

// A result is what is known of a design. The zero result is that of a design
// without a measurement.
type result struct {
	ok        bool
	violation float64
	loss      float64   // of one objective
	losses    []float64 // of several
}

// read takes what an outcome says.
func (j *judge) read(o *search.Outcome) result {
	if !o.Usable() || len(o.Score.Loss) != j.objectives {
		return result{}
	}
	x := result{ok: true, violation: max(o.Score.Violation, 0)}
	if j.objectives == 1 {
		x.loss = o.Score.Loss[0]
		return x
	}
	x.losses = append(x.losses, o.Score.Loss...)
	for i, v := range x.losses {
		j.lo[i], j.hi[i] = min(j.lo[i], v), max(j.hi[i], v)
	}
	return x
}

// scalar returns the loss of a result under a climb's weights.
func (j *judge) scalar(x *result, weights []float64) float64 {
	if j.objectives == 1 {
		return x.loss
	}
	worst, sum := 0.0, 0.0
	for i, v := range x.losses {
		base, span := j.base[i], j.span[i]
		if !(span > 0) {
			base, span = j.lo[i]/2, j.hi[i]/2-j.lo[i]/2 // halves cannot overflow
		}
		if span > 0 {
			v = float64(weights[i] * ((v/2 - base) / span))
			worst = max(worst, v)
			sum += v
		}
	}
	// The small sum breaks ties between designs of which one dominates.
	return worst + float64(1e-3*sum)
}

// compare returns a negative number if a is better than b under the weights, 0
// for a tie.
func (j *judge) compare(a, b *result, weights []float64) int {
	switch {
	case a.ok != b.ok:
		if a.ok {
			return -1
		}
		return 1
	case !a.ok:
		return 0
	case a.violation != b.violation:
		if a.violation < b.violation {
			return -1
		}
		return 1
	case a.violation > 0:
		return 0
	}
	x, y := j.scalar(a, weights), j.scalar(b, weights)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// keep adds a place to the front if there are several objectives.
func (j *judge) keep(x place) {
	if j.objectives > 1 && x.ok {
		j.front.Add(metric.Score{Loss: x.losses, Violation: x.violation}, x)
	}
}

// weights draws a point of the simplex, nil for one objective, and measures the
// front anew.
func (j *judge) weights(r *rand.Rand) []float64 {
	if j.objectives == 1 {
		return nil
	}
	for i := range j.base {
		lo, hi := math.Inf(1), math.Inf(-1)
		for s := range j.front.All() {
			lo, hi = min(lo, s.Loss[i]/2), max(hi, s.Loss[i]/2)
		}
		j.base[i], j.span[i] = lo, hi-lo
	}
	w, sum := make([]float64, j.objectives), 0.0
	for i := range w {
		w[i] = -detmath.Log(rng.Open(r))
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

// A memory holds what is known of designs. Where designs have keys, what is known
// of one is known of all with its key.
type memory struct {
	key    func(space.Design) string
	design map[space.Design]place
	equal  map[string]place
}

func newMemory(setup search.Setup) memory {
	if setup.Key != nil {
		return memory{key: setup.Key, equal: map[string]place{}}
	}
	return memory{design: map[space.Design]place{}}
}

func (m *memory) put(x place) {
	if m.key == nil {
		m.design[x.design] = x
		return
	}
	k := m.key(x.design)
	if old, ok := m.equal[k]; !ok || !old.ok {
		m.equal[k] = x
	}
}

// get returns the design with its result, or with that of an equal one.
func (m *memory) get(d space.Design) (place, bool) {
	if m.key == nil {
		x, ok := m.design[d]
		return x, ok
	}
	x, ok := m.equal[m.key(d)]
	x.design = d
	return x, ok
}
