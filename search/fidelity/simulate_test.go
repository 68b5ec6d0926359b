package fidelity_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/synthetic"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/fidelity"
	"github.com/daedalus-search/daedalus/space"
)

func curves(t testing.TB, o synthetic.Curves) *synthetic.CurvesProblem {
	t.Helper()
	p, err := o.New()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// steps keeps intermediate results.
type steps struct{ points []search.Point }

func (s *steps) Report(step int64, v metric.Values) error {
	s.points = append(s.points, search.Point{Fidelity: float64(step) / 27, Score: metric.Score{Loss: []float64{v["loss"]}}})
	return nil
}

// measured evaluates a proposal for its loss.
func measured(t testing.TB, p problem.Graded, x search.Proposal, s search.Searcher) search.Outcome {
	t.Helper()
	var r problem.Reporter
	var log steps
	if c, ok := s.(search.CurveReader); ok && c.ReadsCurves() {
		r = &log
	}
	v, err := p.EvaluateAt(t.Context(), x.Design, share(x), r)
	if err != nil {
		t.Fatal(err)
	}
	o := done(x, v["loss"])
	o.Curve = log.points
	return o
}

// A simulation runs a searcher with workers on a clock of its own.
type simulation struct {
	workers  int
	epoch    func(d space.Design) float64 // seconds an epoch takes
	evaluate func(search.Proposal) search.Outcome
	barrier  []int // sizes of rungs that must be complete before the next begins; nil means none

	span, busy float64 // seconds
	epochs     float64
	best       float64 // loss in full
}

// run ends after so many epochs.
func (m *simulation) run(t testing.TB, s search.Searcher, epochs float64) {
	t.Helper()
	type job struct {
		end float64
		p   search.Proposal
	}
	var out []job
	m.best = math.Inf(1)
	from := map[space.Design]float64{}
	free := make([]float64, m.workers) // when each worker is free
	stage, left := 0, 0
	if m.barrier != nil {
		left = m.barrier[0]
	}
	now := 0.0
	tell := func() {
		k := 0
		for i := range out {
			if out[i].end < out[k].end {
				k = i
			}
		}
		j := out[k]
		out = slices.Delete(out, k, k+1)
		now = max(now, j.end)
		o := m.evaluate(j.p)
		if share(j.p) == 1 {
			m.best = min(m.best, o.Score.Loss[0])
		}
		s.Tell(o)
	}
	for m.epochs < epochs {
		w := 0
		for i := range free {
			if free[i] < free[w] {
				w = i
			}
		}
		if free[w] > now { // all are busy
			tell()
			continue
		}
		if m.barrier != nil && left == 0 {
			for len(out) > 0 {
				tell()
			}
			stage = (stage + 1) % len(m.barrier)
			left = m.barrier[stage]
		}
		ps, err := s.Ask(1)
		if errors.Is(err, search.ErrExhausted) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		p := ps[0]
		left--
		n := 27 * (share(p) - from[p.Design])
		from[p.Design] = share(p)
		m.epochs += n
		d := n * m.epoch(p.Design)
		m.busy += d
		free[w] = now + d
		out = append(out, job{now + d, p})
	}
	m.span = slices.Max(free)
	for len(out) > 0 {
		tell()
	}
}

// Two workers and epochs whose length differs among designs (log-normal, its
// logarithm of deviation 1): ASHA keeps both busy, rungs that wait for their last
// result do not; what they find is the same within noise.
func TestASHAKeepsWorkersBusy(t *testing.T) {
	t.Parallel()
	rho := 0.9
	p := curves(t, synthetic.Curves{Correlation: &rho})
	seeds := 20
	var busyASHA, busyHalving float64
	var gaps []float64
	for seed := range seeds {
		length := func(d space.Design) float64 {
			return math.Exp(rng.Norm(rng.New(uint64(seed), d.String(), 0)))
		}
		run := func(m search.Method, barrier []int) *simulation {
			s := open(t, m, search.Setup{Space: p.Space(), Fidelity: p.Fidelity(), Seed: uint64(seed), Parallel: 2})
			sim := &simulation{workers: 2, epoch: length, barrier: barrier}
			sim.evaluate = func(x search.Proposal) search.Outcome { return measured(t, p, x, s) }
			sim.run(t, s, 27*20)
			return sim
		}
		a := run(fidelity.ASHA{Options: fidelity.Options{Finals: -1}}, nil)
		h := run(fidelity.SuccessiveHalving{Options: fidelity.Options{Finals: -1}}, []int{27, 9, 3, 1})
		busyASHA += a.busy / (2 * a.span) / float64(seeds)
		busyHalving += h.busy / (2 * h.span) / float64(seeds)
		gaps = append(gaps, a.best-h.best)
	}
	mean, square := 0.0, 0.0
	for _, g := range gaps {
		mean += g / float64(seeds)
		square += g * g / float64(seeds)
	}
	se := math.Sqrt((square - mean*mean) / float64(seeds))
	t.Logf("busy: ASHA %.1f %%, halving with barriers %.1f %%; best loss of ASHA less that of halving %.4f ± %.4f", 100*busyASHA, 100*busyHalving, mean, se)
	if busyASHA < 0.95 || busyHalving > busyASHA-0.05 {
		t.Errorf("workers are busy %.3f of the time with ASHA and %.3f with barriers; want at least 0.95, and visibly less", busyASHA, busyHalving)
	}
	if math.Abs(mean) > 4*se+0.01 {
		t.Errorf("best losses differ by %.4f ± %.4f; want the same within noise", mean, se)
	}
}
