package evolve

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
)

// The volumes that are kept are the differences of two hypervolumes, after any
// rows came and went.
func TestVolumesAgainstHypervolume(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.IntRange(1, 4).Draw(t, "objectives")
		grain := rapid.SampledFrom([]float64{4, 20, 1e6}).Draw(t, "grain")
		ref := make([]float64, m)
		for j := range ref {
			ref[j] = 0.9
		}
		v := newVolumes(m, nil)
		v.refer(ref)
		r := rng.New(rapid.Uint64().Draw(t, "seed"), "volumes", 0)
		for id := range int64(rapid.IntRange(1, 25).Draw(t, "rows")) {
			if n := v.len(); n > 0 && r.IntN(4) == 0 {
				v.remove(r.IntN(n))
			}
			row := make([]float64, m)
			for j := range row {
				row[j] = math.Floor(r.Float64()*grain) / grain
			}
			v.add(row, id)
			all := metric.Hypervolume(v.rows, m, ref)
			for i := range v.len() {
				rest := append(append([]float64(nil), v.rows[:i*m]...), v.rows[i*m+m:]...)
				want := all - metric.Hypervolume(rest, m, ref)
				if math.Abs(v.alone[i]-want) > 1e-9 {
					t.Fatalf("row %v of %v alone dominates %v, want %v", v.row(i), v.rows, v.alone[i], want)
				}
			}
		}
	})
}

// From five objectives on they are estimates; with 1,000 points the standard
// deviation is at most 1.6 % of the box around what a row has alone.
func TestVolumesOfManyObjectives(t *testing.T) {
	t.Parallel()
	const m = 5
	r := rng.New(1, "volumes", 0)
	v := newVolumes(m, r)
	ref := []float64{1, 1, 1, 1, 1}
	v.refer(ref)
	for id := range int64(12) {
		row := make([]float64, m)
		for j := range row {
			row[j] = r.Float64()
		}
		v.add(row, id)
	}
	all := metric.Hypervolume(v.rows, m, ref)
	for i := range v.len() {
		rest := append(append([]float64(nil), v.rows[:i*m]...), v.rows[i*m+m:]...)
		want := all - metric.Hypervolume(rest, m, ref)
		box := 1.0
		for _, x := range v.row(i) {
			box *= 1 - x
		}
		if math.Abs(v.alone[i]-want) > 0.08*box {
			t.Errorf("row %v alone dominates %v, want %v ± %v", v.row(i), v.alone[i], want, 0.08*box)
		}
	}
}
