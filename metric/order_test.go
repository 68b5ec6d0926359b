package metric

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// The radix sort against comparison sorting, for every number of passes and
// every kind of values that its squeezed keys must tell apart or keep together.
func TestOrderAgreesWithComparison(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(9, 9))
	kinds := map[string]func() float64{
		"uniform":  r.Float64,
		"few":      func() float64 { return float64(r.IntN(5)) },
		"one":      func() float64 { return 3 },
		"narrow":   func() float64 { return 1 + float64(r.IntN(4000))*0x1p-52 },
		"wide":     func() float64 { return math.Ldexp(r.Float64()-0.5, r.IntN(2000)-1000) },
		"outliers": func() float64 { return []float64{r.Float64(), r.Float64(), 1e300, -1e300}[r.IntN(4)] },
		"not plain": func() float64 {
			return []float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), 1}[r.IntN(6)]
		},
	}
	var o orderer
	for name, draw := range kinds {
		for _, n := range []int{0, 1, 47, 48, 300, 3000, 20000} {
			const m = 2
			p := make([]float64, n*m)
			for i := range p {
				p[i] = draw()
			}
			want := make([]int32, n)
			for i := range want {
				want[i] = int32(i)
			}
			for _, lex := range []bool{false, true} {
				for col := range m {
					slices.SortFunc(want, func(i, j int32) int { return compareRows(p, m, col, lex, i, j) })
					if got := o.order(p, m, col, lex); !slices.Equal(got, want) {
						t.Errorf("%s, n=%d, col=%d, lex=%v: wrong order", name, n, col, lex)
					}
				}
			}
		}
	}
}

// Ranks of a sort too large for peeling, checked by their definition.
func TestNonDominatedSortOfManyRows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ n, m int }{"2": {20000, 2}, "3": {4000, 3}, "5": {1500, 5}} {
		p := randomPoints(c.n, c.m)
		for i := range p {
			p[i] = math.Round(p[i]*50) / 50
		}
		ranks := NonDominatedSort(p, c.m, nil)
		check := make([]int, 0, 300)
		for i := 0; i < c.n; i += max(c.n/300, 1) {
			check = append(check, i)
		}
		for _, i := range check {
			want := int32(0)
			for j := range c.n {
				if paretoDominates(p[j*c.m:j*c.m+c.m], p[i*c.m:i*c.m+c.m]) {
					want = max(want, ranks[j]+1)
				}
			}
			if ranks[i] != want {
				t.Errorf("%s objectives: rank of row %d = %d, want %d", name, i, ranks[i], want)
			}
		}
	}
}

func TestMisuseIsNamed(t *testing.T) {
	t.Parallel()
	grid, err := NewGrid[int](Axis{High: 1, Cells: 2})
	if err != nil {
		t.Fatal(err)
	}
	h, err := NewHypervolumeHistory([]float64{1, 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(){
		"half a row":       func() { NonDominatedSort([]float64{1, 2, 3}, 2, nil) },
		"no objectives":    func() { NonDominated(nil, 0) },
		"short reference":  func() { Hypervolume([]float64{1, 2}, 2, []float64{3}) },
		"lists":            func() { Kendall([]float64{1}, nil) },
		"measures":         func() { grid.Add(1, []float64{1, 2}, 0) },
		"history":          func() { h.Add(Score{Loss: []float64{1}}) },
		"mixed scores":     func() { RankScores([]Score{{Loss: []float64{1}}, {}}, nil) },
		"changing a front": func() { var f Front[int]; f.Add(Score{Loss: []float64{1}}, 0); f.Add(Score{}, 0) },
	} {
		func() {
			defer func() {
				if s, _ := recover().(string); !strings.HasPrefix(s, "metric: ") {
					t.Errorf("%s: panic %q, want one that begins with metric:", name, s)
				}
			}()
			f()
		}()
	}
}
