package fidelity

import (
	"cmp"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
)

// PASHA is progressive ASHA (Bohdal, Balles, Wistuba, Ermis, Archambeau and
// Zappella, "PASHA: efficient HPO and NAS with progressive resource allocation",
// ICLR 2023): [ASHA] that uses two rungs at first and one more whenever the order
// of designs in its two highest rungs disagrees, so that effort which would only
// confirm an order is not spent.
//
// Orders agree softly: a place may be taken by any design whose result in the
// lower rung is within ε of the one that has it. ε is the noise of the curves:
// the 90th percentile of the differences between designs whose order crossed and
// crossed back on the way, by the intermediate results that they reported, or by
// the results of three rungs if they reported none. It begins at 0 and is kept
// while no curves cross. With several objectives every one has its own ε, and the
// orders must agree in each of them.
//
// The comparisons are among the newest 40 designs of the highest rung. The best
// design there is measured in full at the end of the budget (Finals), which is
// part of the method.
type PASHA struct {
	Options
}

// New makes a searcher, for problems with fidelities.
func (o PASHA) New(setup search.Setup) (search.Searcher, error) {
	b, err := o.prepare("pasha", setup, nil)
	if err != nil {
		return nil, err
	}
	s := &pasha{asha: newASHA(b), epsilon: make([]float64, b.setup.Objectives)}
	s.limit = min(1, b.top())
	return s, nil
}

type pasha struct {
	*asha
	epsilon []float64    // by objective
	high    []*candidate // measured at the highest rung in use, newest last
}

// compared bounds how many designs of a rung are compared.
const compared = 40

// ReadsCurves implements [search.CurveReader].
func (s *pasha) ReadsCurves() bool { return true }

// Tell implements [search.Searcher].
func (s *pasha) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		o := &outcomes[i]
		j, usable, ok := s.accept(o)
		if !ok || !usable {
			continue
		}
		if j.c.done == j.rung {
			j.c.follow(o, s.levels[j.rung], s.setup.Objectives)
		}
		s.learn(j)
		if j.rung == s.limit && s.limit < s.top() {
			s.high = append(s.high, j.c)
			if len(s.high) > compared {
				s.high = slices.Delete(s.high, 0, 1)
			}
			s.consider()
		}
	}
}

// follow adds what an outcome reported to a design's curve.
func (c *candidate) follow(o *search.Outcome, share float64, objectives int) {
	add := func(p search.Point) {
		if len(p.Score.Loss) == objectives && p.Score.OK() && (len(c.curve) == 0 || p.Fidelity > c.curve[len(c.curve)-1].Fidelity) {
			c.curve = append(c.curve, p)
		}
	}
	for _, p := range o.Curve {
		if p.Fidelity < share {
			add(p)
		}
	}
	add(search.Point{Fidelity: share, Score: c.score()})
}

// consider allows one more rung if the order of the two highest is not settled.
func (s *pasha) consider() {
	settled := true
	for k := range s.epsilon {
		if e, ok := s.noise(k); ok {
			s.epsilon[k] = e
		}
		settled = settled && s.agrees(k)
	}
	if settled {
		return
	}
	s.limit++
	s.high = nil
	for _, c := range s.order { // known there from elsewhere
		if c.done == s.limit && len(s.high) < compared {
			s.high = append(s.high, c)
		}
	}
}

// noise returns the 90th percentile of the differences between designs whose
// order in an objective changed and changed back.
func (s *pasha) noise(k int) (float64, bool) {
	var gaps []float64
	below := s.levels[s.limit-1]
	for i, a := range s.high {
		for _, b := range s.high[:i] {
			if gap, ok := crossed(a.curve, b.curve, k, below); ok {
				gaps = append(gaps, gap)
			}
		}
	}
	if len(gaps) == 0 {
		return 0, false
	}
	slices.Sort(gaps)
	at := float64(0.9 * float64(len(gaps)-1))
	i := int(at)
	if i+1 == len(gaps) {
		return gaps[i], true
	}
	return gaps[i] + float64((at-float64(i))*(gaps[i+1]-gaps[i])), true
}

// crossed reports whether two curves have the same order at their last common
// fidelity above a share as at an earlier one with another order in between, and
// how far apart they are at the last.
func crossed(a, b []search.Point, k int, above float64) (gap float64, ok bool) {
	sign, turned := 0, false
	for i, j := len(a)-1, len(b)-1; i >= 0 && j >= 0; {
		switch {
		case a[i].Fidelity > b[j].Fidelity:
			i--
			continue
		case a[i].Fidelity < b[j].Fidelity:
			j--
			continue
		}
		d := a[i].Score.Loss[k] - b[j].Score.Loss[k]
		now := cmp.Compare(d, 0)
		switch {
		case sign == 0:
			if a[i].Fidelity <= above || now == 0 {
				return 0, false
			}
			sign, gap = now, math.Abs(d)
		case now == -sign:
			turned = true
		case now == sign && turned:
			return gap, true
		}
		i, j = i-1, j-1
	}
	return 0, false
}

// agrees reports whether the designs of the highest rung have the same order
// there as in the rung below, up to ε in the lower one.
func (s *pasha) agrees(k int) bool {
	n := len(s.high)
	if n < 2 {
		return true
	}
	by := func(rung int) []*candidate {
		out := slices.Clone(s.high)
		slices.SortStableFunc(out, func(a, b *candidate) int {
			return cmp.Or(cmp.Compare(miss(a.scores[rung]), miss(b.scores[rung])), cmp.Compare(a.scores[rung].Loss[k], b.scores[rung].Loss[k]))
		})
		return out
	}
	low := s.limit - 1
	for _, c := range s.high {
		if len(c.scores[low].Loss) == 0 { // came here from elsewhere
			return true
		}
	}
	upper, lower := by(s.limit), by(low)
	for i, c := range upper {
		x, y := c.scores[low], lower[i].scores[low]
		if c != lower[i] && (miss(x) != miss(y) || math.Abs(x.Loss[k]-y.Loss[k]) > s.epsilon[k]) {
			return false
		}
	}
	return true
}

func miss(s metric.Score) float64 { return max(s.Violation, 0) }
