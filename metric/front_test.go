package metric

import (
	"cmp"
	"math"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

type entry struct {
	s Score
	n int
}

func entries(f *Front[int]) []entry {
	out := []entry{}
	for s, n := range f.All() {
		out = append(out, entry{s, n})
	}
	return out
}

func TestFrontAgreesWithPairwiseDominance(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.IntRange(0, 4).Draw(t, "m")
		coord := rapid.Map(rapid.IntRange(0, 5), func(i int) float64 { return float64(i) })
		if rapid.Bool().Draw(t, "real") {
			coord = rapid.Float64Range(-1, 1)
		}
		if rapid.IntRange(0, 3).Draw(t, "wild") == 0 {
			coord = rapid.SampledFrom([]float64{math.Copysign(0, -1), 0, 1, 2, math.NaN(), math.Inf(1)})
		}
		violation := rapid.Just(0.0)
		if rapid.Bool().Draw(t, "limits") {
			violation = rapid.SampledFrom([]float64{0, 1, 1, 2, math.Inf(1)})
		}
		var f Front[int]
		var all []entry
		for i := range rapid.IntRange(0, 40).Draw(t, "n") {
			s := Score{Loss: rapid.SliceOfN(coord, m, m).Draw(t, "loss"), Violation: violation.Draw(t, "violation")}
			before := f.Len()
			added, removed := f.Add(s, i)
			if want := before - removed + map[bool]int{true: 1}[added]; f.Len() != want {
				t.Fatalf("Len = %d after adding %v and removing %d of %d", f.Len(), added, removed, before)
			}
			if s.OK() {
				all = append(all, entry{s, i})
			}
			want := slices.DeleteFunc(slices.Clone(all), func(e entry) bool {
				return slices.ContainsFunc(all, func(o entry) bool { return Dominates(o.s, e.s) })
			})
			slices.SortFunc(want, func(a, b entry) int { return cmp.Or(slices.Compare(a.s.Loss, b.s.Loss), cmp.Compare(a.n, b.n)) })
			got := entries(&f)
			if added != slices.ContainsFunc(got, func(e entry) bool { return e.n == i }) {
				t.Fatalf("Add said %v", added)
			}
			if len(got) != len(want) || !slices.EqualFunc(got, want, func(a, b entry) bool {
				return a.n == b.n && a.s.Violation == b.s.Violation && slices.Equal(a.s.Loss, b.s.Loss)
			}) {
				t.Fatalf("front = %v, want %v", got, want)
			}
		}
	})
}

// Fronts of many chunks: grown in every order, then eaten into by better
// points.
func TestFrontOfManyChunks(t *testing.T) {
	t.Parallel()
	for name, order := range map[string]func(i, n int) int{
		"rising":  func(i, _ int) int { return i },
		"falling": func(i, n int) int { return n - 1 - i },
		"mixed":   func(i, n int) int { return i * 7919 % n },
		"ends":    func(i, n int) int { return (i%2)*(n-1-i/2) + (1-i%2)*(i/2) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const n = 3000
			var f Front[int]
			for i := range n {
				k := order(i, n)
				if added, removed := f.Add(Score{Loss: []float64{float64(k), float64(n - k)}}, k); !added || removed != 0 {
					t.Fatalf("Add(%d) = %v, %d", k, added, removed)
				}
			}
			// (1000, 500) is better than k in 1000..2500, and so on.
			want := make([]int, 0, n)
			for k := range n {
				want = append(want, k)
			}
			for _, p := range [][2]int{{1000, 500}, {10, 2985}, {2700, 290}} {
				keep := slices.DeleteFunc(slices.Clone(want), func(k int) bool { return k >= p[0] && n-k >= p[1] && k < n })
				_, removed := f.Add(Score{Loss: []float64{float64(p[0]), float64(p[1])}}, n+p[0])
				if removed == 0 || removed != len(want)-len(keep) {
					t.Fatalf("%v removed %d, want %d", p, removed, len(want)-len(keep))
				}
				at, _ := slices.BinarySearchFunc(keep, p[0], func(k, x int) int { return cmp.Compare(k%n, x) })
				want = slices.Insert(keep, at, n+p[0])
				got := make([]int, 0, f.Len())
				for _, k := range f.All() {
					got = append(got, k)
				}
				if f.Len() != len(got) || !slices.Equal(got, want) {
					t.Fatalf("after %v: Len %d (-want +got):\n%s", p, f.Len(), gocmp.Diff(want, got))
				}
			}
			if _, removed := f.Add(Score{Loss: []float64{0, 0}}, -1); removed != len(want) || f.Len() != 1 {
				t.Fatalf("the best of all removed %d of %d and left %d", removed, len(want), f.Len())
			}
		})
	}
}

func TestFrontKeepsItsOwnLosses(t *testing.T) {
	t.Parallel()
	for m := 1; m <= 3; m++ {
		var f Front[string]
		loss := make([]float64, m)
		f.Add(Score{Loss: loss}, "a")
		loss[0] = 9
		for s := range f.All() {
			if s.Loss[0] != 0 {
				t.Errorf("m=%d: the front shares the caller's slice", m)
			}
			s.Loss[0] = 7
		}
		for s := range f.All() {
			if s.Loss[0] != 0 {
				t.Errorf("m=%d: the front gives out its own slice", m)
			}
		}
	}
}

func TestHypervolumeHistoryAgreesWithHypervolume(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.IntRange(1, 4).Draw(t, "m")
		p, ref := drawInside(t, m, 25)
		h, err := NewHypervolumeHistory(ref)
		if err != nil {
			t.Fatal(err)
		}
		var sofar []float64
		since := 0
		for i := 0; i < len(p); i += m {
			s := Score{Loss: p[i : i+m], Violation: float64(rapid.IntRange(0, 4).Draw(t, "violation") / 4)}
			gain := h.Add(s)
			if s.Feasible() {
				sofar = append(sofar, s.Loss...)
			}
			since++
			if gain > 0 {
				since = 0
			}
			want := Hypervolume(sofar, m, ref)
			if !near(h.Volume(), want, math.Pow(9, float64(m))) {
				t.Fatalf("Volume = %v, want %v", h.Volume(), want)
			}
			if h.SinceGain() != since || h.Len() != i/m+1 || h.Values()[i/m] != h.Volume() {
				t.Fatalf("SinceGain %d, Len %d, Values %v", h.SinceGain(), h.Len(), h.Values())
			}
		}
	})
}

func TestHypervolumeHistoryRefusesBadReference(t *testing.T) {
	t.Parallel()
	for _, ref := range [][]float64{nil, {1, math.NaN()}, {math.Inf(1)}} {
		if _, err := NewHypervolumeHistory(ref); err == nil {
			t.Errorf("reference %v was taken", ref)
		}
	}
}

func TestHypervolumeSpecialValues(t *testing.T) {
	t.Parallel()
	inf, nan := math.Inf(1), math.NaN()
	for name, c := range map[string]struct {
		points, ref []float64
		want        float64
	}{
		"no rows":              {nil, []float64{1, 1}, 0},
		"NaN row":              {[]float64{nan, 0, 0, 0}, []float64{1, 1}, 1},
		"NaN reference":        {[]float64{0, 0}, []float64{1, nan}, nan},
		"on the reference":     {[]float64{1, 0}, []float64{1, 1}, 0},
		"beyond":               {[]float64{2, -5}, []float64{1, 1}, 0},
		"infinitely good":      {[]float64{-inf, 0, 0}, []float64{1, 1, 1}, inf},
		"-Inf but beyond":      {[]float64{-inf, 2, 0}, []float64{1, 1, 1}, 0},
		"infinitely bad":       {[]float64{inf, 0}, []float64{inf, 1}, 0},
		"infinite reference":   {[]float64{0, 0}, []float64{inf, 1}, inf},
		"-Inf in four":         {[]float64{-inf, 0, 0, 0}, []float64{1, 1, 1, 1}, inf},
		"one box in four":      {[]float64{0, 0, 0, 0}, []float64{1, 2, 3, 4}, 24},
		"ref with no volume":   {[]float64{0, 0}, []float64{0, 0}, 0},
		"-Inf in reference":    {[]float64{-inf, 0}, []float64{-inf, 1}, 0},
		"two in one objective": {[]float64{0.5, 0.25}, []float64{1}, 0.75},
	} {
		got := Hypervolume(c.points, len(c.ref), c.ref)
		if got != c.want && !(got != got && c.want != c.want) {
			t.Errorf("%s: Hypervolume = %v, want %v", name, got, c.want)
		}
	}
}

func bruteCrowding(p []float64, m int) []float64 {
	n := len(p) / m
	d := make([]float64, n)
	if n <= 2 {
		for i := range d {
			d[i] = math.Inf(1)
		}
		return d
	}
	for j := range m {
		idx := make([]int, n)
		for i := range idx {
			idx[i] = i
		}
		slices.SortStableFunc(idx, func(a, b int) int { return cmp.Compare(p[a*m+j], p[b*m+j]) })
		lo, hi := p[idx[0]*m+j], p[idx[n-1]*m+j]
		if lo == hi {
			continue
		}
		d[idx[0]], d[idx[n-1]] = math.Inf(1), math.Inf(1)
		for i := 1; i < n-1; i++ {
			d[idx[i]] += (p[idx[i+1]*m+j] - p[idx[i-1]*m+j]) / (hi - lo)
		}
	}
	return d
}

func TestCrowdingDistanceAgreesWithDefinition(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.IntRange(1, 4).Draw(t, "m")
		coord := rapid.Map(rapid.IntRange(0, 5), func(i int) float64 { return float64(i) })
		if rapid.Bool().Draw(t, "real") {
			coord = rapid.Float64Range(-1, 1)
		}
		n := rapid.IntRange(0, 70).Draw(t, "n")
		p := rapid.SliceOfN(coord, n*m, n*m).Draw(t, "points")
		want := bruteCrowding(p, m)
		for i, got := range CrowdingDistance(p, m, nil, nil) {
			if !near(got, want[i], 1) {
				t.Fatalf("distance %d = %v, want %v", i, got, want[i])
			}
		}
		var idx []int32
		var sub []float64
		for i := range n {
			if rapid.Bool().Draw(t, "member") {
				idx = append(idx, int32(i))
				sub = append(sub, p[i*m:i*m+m]...)
			}
		}
		if idx == nil {
			return
		}
		want = bruteCrowding(sub, m)
		for i, got := range CrowdingDistance(p, m, idx, nil) {
			if !near(got, want[i], 1) {
				t.Fatalf("distance of member %d = %v, want %v", i, got, want[i])
			}
		}
	})
}

func TestCrowdingDistanceOfInfinities(t *testing.T) {
	t.Parallel()
	inf := math.Inf(1)
	got := CrowdingDistance([]float64{0, 1, 2, 4, inf, math.NaN()}, 1, nil, nil)
	// The neighbour of an infinite value has an infinite gap.
	if diff := gocmp.Diff([]float64{inf, 0.5, 0.75, inf, inf, inf}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, d := range CrowdingDistance([]float64{1, 1, 1, 1}, 1, nil, nil) {
		if d != 0 {
			t.Errorf("equal rows got %v, want 0", d)
		}
	}
}

func TestCompareCrowded(t *testing.T) {
	t.Parallel()
	if CompareCrowded(0, 1, 1, 9) >= 0 || CompareCrowded(1, 2, 1, 1) >= 0 || CompareCrowded(1, 1, 1, 1) != 0 || CompareCrowded(1, 1, 1, math.Inf(1)) <= 0 {
		t.Error("lower rank, then larger distance must come first")
	}
}

func TestFrontRegrows(t *testing.T) {
	t.Parallel()
	var f Front[int]
	for round := range 3 {
		for i := range 500 {
			f.Add(Score{Loss: []float64{float64(i - 1000*round), float64(-i - 1000*round)}}, i)
		}
		got := make([]int, 0, 500)
		for _, i := range f.All() {
			got = append(got, i)
		}
		if !slices.Equal(got, seq(500)) {
			t.Fatalf("round %d: %d items, want 500 in order", round, len(got))
		}
	}
}

func TestFrontPutsFeasibilityFirst(t *testing.T) {
	t.Parallel()
	var f Front[int]
	if f.Feasible() {
		t.Error("an empty front is feasible")
	}
	f.Add(Score{Loss: []float64{1, 1}, Violation: 2}, 0)
	if f.Feasible() || f.Len() != 1 {
		t.Error("an infeasible item was not kept as such")
	}
	if added, removed := f.Add(Score{Loss: []float64{9, 9}, Violation: 1}, 1); !added || removed != 1 {
		t.Error("a smaller violation must replace a larger one")
	}
	if added, removed := f.Add(Score{Loss: []float64{9, 9}}, 2); !added || removed != 1 || !f.Feasible() {
		t.Error("a feasible item must replace the infeasible ones")
	}
	if added, _ := f.Add(Score{Loss: []float64{0, 0}, Violation: 0.1}, 3); added {
		t.Error("an infeasible item was added beside a feasible one")
	}
	if added, _ := f.Add(Score{Loss: []float64{0, math.Inf(-1)}}, 4); added {
		t.Error("a loss of -Inf was kept")
	}
}
