package metric

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func newTestArchives(t interface{ Fatal(...any) }) map[string]Archive[int] {
	g, err := NewGrid[int](Axis{Name: "depth", Low: 0, High: 4, Cells: 4}, Axis{Low: -1, High: 1, Cells: 2})
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewCVT[int](CVTConfig{Axes: []Axis{{Low: 0, High: 4}, {Low: -1, High: 1}}, Cells: 7}, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]Archive[int]{"grid": g, "cvt": c}
}

// Both archives against a map from cell to best.
func TestArchiveLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		archives := newTestArchives(t)
		name := rapid.SampledFrom([]string{"grid", "cvt"}).Draw(t, "archive")
		a := archives[name]
		type best struct {
			objective float64
			item      int
		}
		want := map[int]best{}
		for i := range rapid.IntRange(0, 60).Draw(t, "n") {
			measures := []float64{
				rapid.SampledFrom([]float64{-9, 0, 0.5, 1, 2.5, 4, 5, math.Inf(1), math.NaN()}).Draw(t, "depth"),
				rapid.SampledFrom([]float64{math.Inf(-1), -1, -0.3, 0, 0.7, 1}).Draw(t, "bias"),
			}
			objective := rapid.SampledFrom([]float64{-2, -1, 0, 1, 2, math.Inf(1), math.NaN()}).Draw(t, "objective")
			cell, ok := a.Cell(measures)
			status := a.Add(objective, measures, i)
			expect := Rejected
			if ok != (measures[0] == measures[0]) {
				t.Fatalf("Cell(%v) ok = %v", measures, ok)
			}
			if ok && finite(objective) {
				if old, known := want[cell]; !known {
					expect = New
				} else if objective > old.objective {
					expect = Improved
				}
			}
			if expect != Rejected {
				want[cell] = best{objective, i}
			}
			if status != expect {
				t.Fatalf("Add = %v, want %v", status, expect)
			}
			e, found := a.At(cell)
			if w, known := want[cell]; ok && (found != known || known && (e.Objective != w.objective || e.Item != w.item || e.Cell != cell)) {
				t.Fatalf("At(%d) = %+v, %v, want %+v", cell, e, found, w)
			}
		}
		sum, top, last, n := 0.0, math.Inf(-1), -1, 0
		for e := range a.Elites() {
			if w := want[e.Cell]; e.Cell <= last || w.item != e.Item || w.objective != e.Objective {
				t.Fatalf("Elites yields %+v after cell %d, want %+v", e, last, w)
			}
			last = e.Cell
			n++
			sum += e.Objective + 2
			top = max(top, e.Objective)
		}
		if n != len(want) || a.Len() != n || a.Coverage() != float64(n)/float64(a.Cells()) || !near(a.QDScore(-2), sum, 1) {
			t.Fatalf("%d elites, Len %d, Coverage %v, QDScore %v, want %d and %v", n, a.Len(), a.Coverage(), a.QDScore(-2), len(want), sum)
		}
		if b, ok := a.Best(); ok != (n > 0) || ok && b.Objective != top {
			t.Fatalf("Best = %+v, %v, want %v", b, ok, top)
		}
		if _, ok := a.At(-1); ok {
			t.Fatal("At(-1)")
		}
		if _, ok := a.At(a.Cells()); ok {
			t.Fatal("At(Cells())")
		}
	})
}

func TestArchiveSampleIsUniform(t *testing.T) {
	t.Parallel()
	for name, a := range newTestArchives(t) {
		r := rand.New(rand.NewPCG(3, 4))
		if _, ok := a.Sample(r); ok {
			t.Errorf("%s: an empty archive gave a sample", name)
		}
		for i := range 100 {
			a.Add(float64(i), []float64{4 * r.Float64(), 2*r.Float64() - 1}, i)
		}
		count := map[int]int{}
		const draws = 20000
		for range draws {
			item, ok := a.Sample(r)
			if !ok {
				t.Fatal("no sample")
			}
			count[item]++
		}
		if len(count) != a.Len() {
			t.Errorf("%s: %d different samples of %d elites", name, len(count), a.Len())
		}
		want := float64(draws) / float64(a.Len())
		for item, n := range count {
			if math.Abs(float64(n)-want) > 6*math.Sqrt(want) {
				t.Errorf("%s: item %d drawn %d times, want about %v", name, item, n, want)
			}
		}
	}
}

func TestGridCells(t *testing.T) {
	t.Parallel()
	g, err := NewGrid[int](Axis{Low: 0, High: 1, Cells: 10}, Axis{Low: -2, High: 2, Cells: 4})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		measures []float64
		want     int
	}{
		"first":              {[]float64{0, -2}, 0},
		"last":               {[]float64{1, 2}, 39},
		"inside":             {[]float64{0.55, 0.5}, 5*4 + 2},
		"boundary in binary": {[]float64{0.3, -1}, 3*4 + 1},
		"clipped":            {[]float64{-7, math.Inf(1)}, 3},
	} {
		got, ok := g.Cell(c.measures)
		if got != c.want || !ok {
			t.Errorf("%s: Cell = %d, %v, want %d", name, got, ok, c.want)
		}
	}
	lo, hi := g.Bounds(5*4 + 2)
	if diff := cmp.Diff([][]float64{{0.5, 0}, {0.6, 1}}, [][]float64{lo, hi}, cmp.Comparer(func(a, b float64) bool { return near(a, b, 1) })); diff != "" {
		t.Errorf("Bounds (-want +got):\n%s", diff)
	}
	for cell := range g.Cells() {
		lo, hi := g.Bounds(cell)
		if got, _ := g.Cell([]float64{(lo[0] + hi[0]) / 2, (lo[1] + hi[1]) / 2}); got != cell {
			t.Errorf("the middle of cell %d is in %d", cell, got)
		}
	}
	g.Outside = RefuseOutside
	if got := g.Add(1, []float64{1.5, 0}, 1); got != OutOfRange || g.Len() != 0 {
		t.Errorf("Add beyond the axes = %v, want %v", got, OutOfRange)
	}
	if got := g.Add(1, []float64{1, 2}, 1); got != New {
		t.Errorf("Add on the edge = %v, want new", got)
	}
}

func TestArchivesRefuseBadAxes(t *testing.T) {
	t.Parallel()
	for name, axes := range map[string][]Axis{
		"none":      nil,
		"no cells":  {{Low: 0, High: 1}},
		"turned":    {{Low: 1, High: 0, Cells: 3}},
		"empty":     {{Low: 1, High: 1, Cells: 3}},
		"NaN":       {{Low: math.NaN(), High: 1, Cells: 3}},
		"infinite":  {{Low: 0, High: math.Inf(1), Cells: 3}},
		"too wide":  {{Low: -math.MaxFloat64, High: math.MaxFloat64, Cells: 3}},
		"too many":  {{High: 1, Cells: 1 << 20}, {High: 1, Cells: 1 << 20}, {High: 1, Cells: 1 << 30}},
		"negative":  {{High: 1, Cells: -5}},
		"too large": {{High: 1, Cells: math.MaxInt}},
	} {
		if _, err := NewGrid[int](axes...); err == nil {
			t.Errorf("%s: NewGrid took %v", name, axes)
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	axes := []Axis{{High: 1}}
	for name, c := range map[string]CVTConfig{
		"no axes":             {},
		"negative cells":      {Axes: axes, Cells: -1},
		"few samples":         {Axes: axes, Cells: 10, Samples: 5},
		"negative iterations": {Axes: axes, Iterations: -1},
		"turned":              {Axes: []Axis{{Low: 3, High: 1}}},
	} {
		if _, err := NewCVT[int](c, r); err == nil {
			t.Errorf("%s: NewCVT took %v", name, c)
		}
	}
	for name, c := range map[string][]float64{"none": nil, "outside": {0.5, 2}, "NaN": {math.NaN()}} {
		if _, err := NewCVTFromCentroids[int](axes, c); err == nil {
			t.Errorf("%s: NewCVTFromCentroids took %v", name, c)
		}
	}
	if _, err := NewCVTFromCentroids[int]([]Axis{{High: 1}, {High: 1}}, []float64{1, 1, 1}); err == nil {
		t.Error("NewCVTFromCentroids took half a row")
	}
}

func TestCVTFindsTheNearestCentroid(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		dim := rapid.IntRange(1, 4).Draw(t, "dim")
		coord := rapid.Float64Range(0, 1)
		if rapid.Bool().Draw(t, "lattice") {
			coord = rapid.Map(rapid.IntRange(0, 4), func(i int) float64 { return float64(i) / 4 })
		}
		n := rapid.IntRange(1, 40).Draw(t, "n")
		c := rapid.SliceOfN(coord, n*dim, n*dim).Draw(t, "centroids")
		axes := slices.Repeat([]Axis{{High: 1}}, dim)
		a, err := NewCVTFromCentroids[int](axes, c)
		if err != nil {
			t.Fatal(err)
		}
		q := rapid.SliceOfN(coord, dim, dim).Draw(t, "q")
		want, dist := 0, math.Inf(1)
		for i := range n {
			if d := squared(q, c[i*dim:i*dim+dim]); d < dist {
				want, dist = i, d
			}
		}
		if got, ok := a.Cell(q); !ok || got != want {
			t.Fatalf("Cell = %d, want %d", got, want)
		}
		if diff := cmp.Diff(c[want*dim:want*dim+dim], a.Centroid(want)); diff != "" {
			t.Fatalf("Centroid (-want +got):\n%s", diff)
		}
	})
}

// The cells are about equally likely, which plain random centroids are not, and
// the same generator gives the same ones.
func TestCVTSpreadsItsCells(t *testing.T) {
	t.Parallel()
	make := func() *CVT[int] {
		a, err := NewCVT[int](CVTConfig{Axes: []Axis{{Low: 0, High: 10}, {Low: -1, High: 1}}, Cells: 50}, rand.New(rand.NewPCG(5, 6)))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a, b := make(), make()
	for c := range a.Cells() {
		if diff := cmp.Diff(a.Centroid(c), b.Centroid(c)); diff != "" {
			t.Fatalf("same generator, other cells:\n%s", diff)
		}
	}
	spread := func(a *CVT[int]) float64 {
		r := rand.New(rand.NewPCG(7, 8))
		var count [50]float64
		const n = 20000
		for range n {
			cell, _ := a.Cell([]float64{10 * r.Float64(), 2*r.Float64() - 1})
			count[cell]++
		}
		v := 0.0
		for _, c := range count {
			v += (c/n*50 - 1) * (c/n*50 - 1) / 50
		}
		return math.Sqrt(v)
	}
	r := rand.New(rand.NewPCG(5, 6))
	var raw []float64
	for range 50 {
		raw = append(raw, 10*r.Float64(), 2*r.Float64()-1)
	}
	plain, err := NewCVTFromCentroids[int](a.Axes(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if s, p := spread(a), spread(plain); s > 0.25 || s > 0.6*p {
		t.Errorf("cell sizes vary by %.2f, with random centroids by %.2f; want far less", s, p)
	}
}

func TestArchiveAddDoesNotAllocate(t *testing.T) {
	for name, a := range newTestArchives(t) {
		m := []float64{1.5, 0.2}
		a.Add(0, m, 0)
		x := 1.0
		if n := testing.AllocsPerRun(100, func() { a.Add(x, m, 1); x++ }); n != 0 {
			t.Errorf("%s: %v allocations per improvement, want 0", name, n)
		}
	}
}
