package metric

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestBestIsWhatAFrontKeeps offers the same scores to both.
func TestBestIsWhatAFrontKeeps(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, n := rapid.IntRange(1, 4).Draw(t, "m"), rapid.IntRange(0, 40).Draw(t, "n")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		infeasible := rapid.Bool().Draw(t, "infeasible")
		var losses, violations []float64
		var front Front[int]
		for i := range n {
			s := Score{Loss: make([]float64, m)}
			for k := range s.Loss {
				s.Loss[k] = float64(r.IntN(6))
			}
			if r.IntN(3) == 0 || infeasible {
				s.Violation = 1 + float64(r.IntN(3))
			}
			switch r.IntN(12) {
			case 0:
				s.Loss[0] = math.NaN()
			case 1:
				s.Loss[m-1] = math.Inf(1)
			case 2:
				s.Violation = math.Inf(1)
			}
			losses, violations = append(losses, s.Loss...), append(violations, s.Violation)
			front.Add(s, i)
		}
		var want []int
		for _, i := range front.All() {
			want = append(want, i)
		}
		slices.Sort(want)
		if got := Best(losses, m, violations); !slices.Equal(got, want) {
			t.Fatalf("Best returns %v, the front keeps %v", got, want)
		}
	})
}
