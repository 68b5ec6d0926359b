package metric

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawPoints draws rows whose coordinates repeat often; from 60 rows on the
// radix sort is used. wild adds infinities, NaN and both zeros.
func drawPoints(t *rapid.T, m int, wild bool, maxRows int) []float64 {
	coord := rapid.Map(rapid.IntRange(0, 6), func(i int) float64 { return float64(i) })
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 1:
		coord = rapid.Float64Range(-1, 1)
	case 2:
		coord = rapid.Float64()
	case 3:
		if wild {
			coord = rapid.SampledFrom([]float64{math.Inf(-1), -1, math.Copysign(0, -1), 0, 1e-300, 1, math.Inf(1), math.NaN()})
		}
	}
	n := rapid.IntRange(0, maxRows).Draw(t, "n")
	return rapid.SliceOfN(coord, n*m, n*m).Draw(t, "points")
}

// bruteRanks peels one front after the other.
func bruteRanks(points []float64, m int) []int32 {
	n := len(points) / m
	ranks := make([]int32, n)
	for i := range ranks {
		ranks[i] = -1
	}
	for rank, left := int32(0), n; left > 0; rank++ {
		var front []int
		for i := range n {
			if ranks[i] >= 0 {
				continue
			}
			dominated := false
			for j := range n {
				dominated = dominated || ranks[j] < 0 && paretoDominates(points[j*m:j*m+m], points[i*m:i*m+m])
			}
			if !dominated {
				front = append(front, i)
			}
		}
		for _, i := range front {
			ranks[i] = rank
		}
		left -= len(front)
	}
	return ranks
}

func TestNonDominatedSortAgreesWithPeeling(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.IntRange(1, 5).Draw(t, "m")
		p := drawPoints(t, m, true, 90)
		want := bruteRanks(p, m)
		if diff := cmp.Diff(want, NonDominatedSort(p, m, make([]int32, len(p)))); diff != "" {
			t.Fatalf("ranks (-want +got):\n%s", diff)
		}
		var front []int
		for i, r := range want {
			if r == 0 {
				front = append(front, i)
			}
		}
		if diff := cmp.Diff(front, NonDominated(p, m)); diff != "" {
			t.Fatalf("front (-want +got):\n%s", diff)
		}
	})
}

// bruteVolume counts the cells of the grid spanned by all coordinates.
func bruteVolume(points []float64, m int, ref []float64) float64 {
	var rec func(rows [][]float64, d int) float64
	rec = func(rows [][]float64, d int) float64 {
		if len(rows) == 0 {
			return 0
		}
		if d == m {
			return 1
		}
		cuts := []float64{ref[d]}
		for _, r := range rows {
			cuts = append(cuts, r[d])
		}
		cuts = sortedUnique(cuts)
		v := 0.0
		for k := 0; k+1 < len(cuts); k++ {
			var covering [][]float64
			for _, r := range rows {
				if r[d] <= cuts[k] {
					covering = append(covering, r)
				}
			}
			v += (cuts[k+1] - cuts[k]) * rec(covering, d+1)
		}
		return v
	}
	var rows [][]float64
	for i := 0; i < len(points); i += m {
		if strictlyInside(points[i:i+m], ref) {
			rows = append(rows, points[i:i+m])
		}
	}
	return rec(rows, 0)
}

func sortedUnique(x []float64) []float64 {
	for i := range x {
		for j := i; j > 0 && x[j] < x[j-1]; j-- {
			x[j], x[j-1] = x[j-1], x[j]
		}
	}
	out := x[:1]
	for _, v := range x[1:] {
		if v != out[len(out)-1] {
			out = append(out, v)
		}
	}
	return out
}

func near(a, b, scale float64) bool {
	return a == b || math.Abs(a-b) <= 1e-9*math.Max(scale, math.Max(math.Abs(a), math.Abs(b)))
}

// drawInside draws rows of moderate size around a reference point.
func drawInside(t *rapid.T, m, maxRows int) (points, ref []float64) {
	coord := rapid.Map(rapid.IntRange(0, 6), func(i int) float64 { return float64(i) })
	if rapid.Bool().Draw(t, "real") {
		coord = rapid.Float64Range(-3, 6)
	}
	n := rapid.IntRange(0, maxRows).Draw(t, "n")
	points = rapid.SliceOfN(coord, n*m, n*m).Draw(t, "points")
	if n > 0 && rapid.IntRange(0, 4).Draw(t, "nan") == 0 {
		points[rapid.IntRange(0, n*m-1).Draw(t, "at")] = math.NaN()
	}
	ref = rapid.SliceOfN(rapid.Float64Range(3, 6), m, m).Draw(t, "ref")
	return points, ref
}

func TestHypervolumeAgreesWithGrid(t *testing.T) {
	t.Parallel()
	maxRows := []int{0, 80, 70, 60, 12, 9}
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.IntRange(1, 5).Draw(t, "m")
		p, ref := drawInside(t, m, maxRows[m])
		want := bruteVolume(p, m, ref)
		if got := Hypervolume(p, m, ref); !near(got, want, math.Pow(9, float64(m))) {
			t.Fatalf("Hypervolume = %v, want %v", got, want)
		}
	})
}

func TestHypervolumeContributionsAreDifferences(t *testing.T) {
	t.Parallel()
	maxRows := []int{0, 20, 60, 12, 8}
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.IntRange(1, 4).Draw(t, "m")
		p, ref := drawInside(t, m, maxRows[m])
		if m == 2 && rapid.Bool().Draw(t, "front only") {
			var q []float64
			for _, i := range NonDominated(p, m) {
				q = append(q, p[i*m:i*m+m]...)
			}
			p = q
		}
		all := bruteVolume(p, m, ref)
		for i, got := range HypervolumeContributions(p, m, ref) {
			rest := append(append([]float64{}, p[:i*m]...), p[i*m+m:]...)
			if want := all - bruteVolume(rest, m, ref); !near(got, want, math.Pow(9, float64(m))) {
				t.Fatalf("contribution of row %d = %v, want %v", i, got, want)
			}
		}
	})
}

// The sorted-slice sweep and the chunked one must agree where the second takes
// over.
func TestHypervolumeOfManyRows(t *testing.T) {
	t.Parallel()
	p := frontPoints(bigStair+1000, 3)
	ref := []float64{1, 1, 1}
	got := Hypervolume(p, 3, ref)
	// Summed over slabs of the third objective, with the plane's front for each.
	h, err := NewHypervolumeHistory(ref[:2])
	if err != nil {
		t.Fatal(err)
	}
	var o orderer
	want, below := 0.0, 0.0
	for _, i := range o.order(p, 3, 2, false) {
		want += h.Volume() * (p[3*i+2] - below)
		below = p[3*i+2]
		h.Add(Score{Loss: p[3*i : 3*i+2]})
	}
	want += h.Volume() * (1 - below)
	if !near(got, want, 1) {
		t.Fatalf("Hypervolume = %v, want %v", got, want)
	}
}
