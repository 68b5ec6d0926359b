package arena

import (
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
)

// A frontRef normalises the losses of several objectives and measures fronts.
type frontRef struct {
	m           int
	ideal, span []float64
	ref         []float64
	whole       float64 // hypervolume of the reference front
	samples     []float64
}

// box is how far beyond the worst value of the front the reference point lies,
// as a share of its range.
const box = 1.1

// exactObjectives is up to how many objectives the hypervolume is exact. Beyond,
// it is the share of [hvSamples] fixed random points, the same for all runs,
// with a standard error of at most 0.4 %.
const (
	exactObjectives = 3
	hvSamples       = 20_000
)

func newFrontRef(points []float64, m int) *frontRef {
	r := &frontRef{m: m, ideal: make([]float64, m), span: make([]float64, m), ref: make([]float64, m)}
	keep := make([]float64, 0, len(points))
	for _, i := range metric.NonDominated(points, m) {
		keep = append(keep, points[int(i)*m:(int(i)+1)*m]...)
	}
	for k := range m {
		lo, hi := math.Inf(1), math.Inf(-1)
		for i := k; i < len(keep); i += m {
			lo, hi = min(lo, keep[i]), max(hi, keep[i])
		}
		r.ideal[k], r.span[k], r.ref[k] = lo, hi-lo, box
		if !(r.span[k] > 0) {
			r.span[k] = max(math.Abs(lo), 1)
		}
	}
	if m > exactObjectives {
		x := rng.New(uint64(m), "arena/hypervolume", 0)
		r.samples = make([]float64, hvSamples*m)
		for i := range r.samples {
			r.samples[i] = box * x.Float64()
		}
	}
	v := r.follow()
	for i := 0; i < len(keep); i += m {
		v.add(keep[i : i+m])
	}
	r.whole = v.volume()
	return r
}

// A volumeOf grows with the points of a front.
type volumeOf struct {
	r       *frontRef
	history *metric.HypervolumeHistory
	done    []bool
	count   int
	point   []float64
}

func (r *frontRef) follow() *volumeOf {
	v := &volumeOf{r: r, point: make([]float64, r.m)}
	if r.samples == nil {
		v.history, _ = metric.NewHypervolumeHistory(r.ref)
	} else {
		v.done = make([]bool, hvSamples)
	}
	return v
}

func (v *volumeOf) add(loss []float64) {
	for k, x := range loss {
		v.point[k] = (x - v.r.ideal[k]) / v.r.span[k]
	}
	if v.history != nil {
		v.history.Add(metric.Score{Loss: slices.Clone(v.point)})
		return
	}
samples:
	for i := range v.done {
		if v.done[i] {
			continue
		}
		for k, x := range v.r.samples[i*v.r.m : (i+1)*v.r.m] {
			if v.point[k] > x {
				continue samples
			}
		}
		v.done[i] = true
		v.count++
	}
}

func (v *volumeOf) volume() float64 {
	if v.history != nil {
		return v.history.Volume()
	}
	return float64(v.count) / hvSamples * math.Pow(box, float64(v.r.m))
}
