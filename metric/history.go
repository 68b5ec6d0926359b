package metric

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// A HypervolumeHistory follows the hypervolume of a study while its scores
// arrive one by one: the curve for live progress, and how long nothing was
// gained for a stop rule.
//
// The reference point stays fixed, since volumes against different ones cannot
// be compared. Infeasible and failed scores, and those beyond the reference
// point, gain nothing but count as arrived. With two objectives Add takes
// O(log n); with more it computes the volume the new score covers alone, and
// only when the front changes. The sum agrees with [Hypervolume] up to
// rounding.
type HypervolumeHistory struct {
	ref    []float64
	values []float64
	volume float64
	last   int // how many had arrived at the last gain
	stair  staircase
	front  []float64
	work   hvWork
}

// NewHypervolumeHistory starts a history against ref, the losses beyond which
// nothing counts; [ReferencePoint] makes one from first results.
func NewHypervolumeHistory(ref []float64) (*HypervolumeHistory, error) {
	if len(ref) == 0 {
		return nil, errors.New("hypervolume history: found an empty reference point, want one loss per objective")
	}
	for i, r := range ref {
		if !finite(r) {
			return nil, fmt.Errorf("hypervolume history: found %v in objective %d of the reference point, want a finite number", r, i+1)
		}
	}
	return &HypervolumeHistory{ref: slices.Clone(ref)}, nil
}

// Ref returns a copy of the reference point.
func (h *HypervolumeHistory) Ref() []float64 { return slices.Clone(h.ref) }

// Add takes the next score and returns what it gained, 0 or more.
func (h *HypervolumeHistory) Add(s Score) (gain float64) {
	m := len(h.ref)
	if len(s.Loss) != m {
		panic(fmt.Sprintf("metric: HypervolumeHistory.Add: found %d objectives, want %d", len(s.Loss), m))
	}
	if s.Feasible() && s.OK() && strictlyInside(s.Loss, h.ref) {
		gain = h.gain(s.Loss)
	}
	if gain > 0 {
		h.last = len(h.values) + 1
		h.volume += gain
	}
	h.values = append(h.values, h.volume)
	return gain
}

func (h *HypervolumeHistory) gain(p []float64) float64 {
	m := len(h.ref)
	if m == 2 {
		_, gain := h.stair.insert(p[0], p[1], 0, h.ref[0], h.ref[1], false)
		h.stair.removed = h.stair.removed[:0]
		return gain
	}
	for b := 0; b < len(h.front); b += m {
		if noWorse(h.front[b:b+m], p) {
			return 0
		}
	}
	gain := h.work.exclusive(p, h.front, m, h.ref)
	out := 0
	for b := 0; b < len(h.front); b += m {
		if !noWorse(p, h.front[b:b+m]) {
			copy(h.front[out:], h.front[b:b+m])
			out += m
		}
	}
	h.front = append(h.front[:out], p...)
	return gain
}

// Volume returns the hypervolume now.
func (h *HypervolumeHistory) Volume() float64 { return h.volume }

// Len returns how many scores have arrived.
func (h *HypervolumeHistory) Len() int { return len(h.values) }

// SinceGain returns how many scores have arrived since the last one that
// gained something; all of them when none did.
func (h *HypervolumeHistory) SinceGain() int { return len(h.values) - h.last }

// Values returns the volume after every score, in order of arrival. The slice
// belongs to the history and grows with it.
func (h *HypervolumeHistory) Values() []float64 { return h.values }

// ReferencePoint returns a reference point a little worse than the rows of
// points: for every objective the largest finite loss plus a tenth of the
// objective's range, or plus a tenth of the loss, at
// least 1, when there is no range. An objective without a
// finite loss gets NaN, so that using it without looking is noticed.
func ReferencePoint(points []float64, m int) []float64 {
	n := rows(points, m, "ReferencePoint")
	ref := make([]float64, m)
	for j := range ref {
		lo, hi := math.Inf(1), math.Inf(-1)
		for i := range n {
			if x := points[i*m+j]; finite(x) {
				lo, hi = min(lo, x), max(hi, x)
			}
		}
		switch {
		case lo > hi:
			ref[j] = math.NaN()
		case lo == hi:
			ref[j] = hi + max(1, math.Abs(hi)/10)
		default:
			ref[j] = min(hi+(hi/10-lo/10), math.MaxFloat64)
		}
	}
	return ref
}
