package local_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/local"
	"github.com/daedalus-search/daedalus/search/searchtest"
	"github.com/daedalus-search/daedalus/space"
)

func TestBisectionLaws(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, local.Bisection{}, searchtest.Refuses(
		searchtest.Flat, searchtest.Conditional, searchtest.Constrained, searchtest.Repeated, searchtest.Selections, searchtest.Grammar))
}

// layers is a space of n layers at 16, 8 or 4 bits.
func layers(n int) *space.Space {
	var nodes []space.Node
	for i := range n {
		nodes = append(nodes, space.Ordinal(fmt.Sprintf("layer%02d", i), 16, 8, 4))
	}
	return space.MustNew(nodes...)
}

// A network of layers whose errors add up, and those of neighbours more so. It
// counts the evaluations.
type network struct {
	error [][3]float64
	pair  float64
	limit float64
	evals int
}

func newNetwork(seed uint64, n int, pair float64) *network {
	r := rng.New(seed, "network", 0)
	w := &network{pair: pair}
	for range n {
		e := r.ExpFloat64()
		w.error = append(w.error, [3]float64{0, e, 6 * e})
		w.limit += 2 * e
	}
	return w
}

func (w *network) measure(d space.Design) (bits, loss float64) {
	w.evals++
	answers := d.Decisions(nil)
	for i, a := range answers {
		bits += []float64{16, 8, 4}[a.Index]
		loss += w.error[i][a.Index]
		if i > 0 {
			loss += w.pair * math.Sqrt(w.error[i][a.Index]*w.error[i-1][answers[i-1].Index])
		}
	}
	return bits, loss
}

// solve runs the plan to its end and returns the fewest bits within the limit.
func (w *network) solve(t interface{ Fatal(...any) }, m local.Bisection, sp *space.Space) float64 {
	s, err := m.New(search.Setup{Space: sp, Limits: true})
	if err != nil {
		t.Fatal(err)
	}
	best := math.Inf(1)
	for {
		ps, err := s.Ask(1)
		if errors.Is(err, search.ErrExhausted) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if ps[0].Operator == "random" {
			break
		}
		bits, loss := w.measure(ps[0].Design)
		o := search.Outcome{
			ID: ps[0].ID, Design: ps[0].Design, Status: search.Complete,
			Score:  metric.Score{Loss: []float64{bits}, Violation: max(loss-w.limit, 0)},
			Values: metric.Values{"bits": bits, "error": loss},
		}
		s.Tell(o)
		if o.Score.Violation == 0 {
			best = min(best, bits)
		}
	}
	return best
}

// With a given order and errors that add up, bisection finds the cut that
// trying every cut finds, at each level.
func TestBisectionFindsTheCut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "layers")
		w := newNetwork(rapid.Uint64().Draw(t, "seed"), n, 0)
		sp := layers(n)
		m := local.Bisection{}
		for i := range n {
			m.Order = append(m.Order, fmt.Sprintf("layer%02d", i))
		}
		got := w.solve(t, m, sp)
		if limit := 2*(int(math.Log2(float64(n)))+1+5) + 1; w.evals > limit {
			t.Fatalf("%d layers took %d evaluations; expected at most %d", n, w.evals, limit)
		}
		want, level, last := 0.0, make([]int, n), n
		for stage := 1; stage <= 2; stage++ {
			k := 0
			for k < last {
				level[k] = stage
				if loss := w.loss(level); loss > w.limit {
					level[k] = stage - 1
					break
				}
				k++
			}
			last = k
		}
		for _, l := range level {
			want += []float64{16, 8, 4}[l]
		}
		if got != want {
			t.Fatalf("bisection ends at %v bits, trying every cut at %v", got, want)
		}
	})
}

func (w *network) loss(level []int) float64 {
	sum := 0.0
	for i, l := range level {
		sum += w.error[i][l]
	}
	return sum
}

// A measured order saves more bits than an arbitrary one, and measuring pairs
// more again where layers interact. Ten networks of 12 layers.
func TestBisectionOrders(t *testing.T) {
	t.Parallel()
	var listed, measured, pairs float64
	sp := layers(12)
	for seed := range uint64(10) {
		any := local.Bisection{}
		for i := range 12 {
			any.Order = append(any.Order, fmt.Sprintf("layer%02d", i))
		}
		listed += newNetwork(seed, 12, 1).solve(t, any, sp)
		measured += newNetwork(seed, 12, 1).solve(t, local.Bisection{Metric: "error"}, sp)
		pairs += newNetwork(seed, 12, 1).solve(t, local.Bisection{Metric: "error", Pairs: true}, sp)
	}
	t.Logf("bits a layer: %.2f in the order of the file, %.2f measured, %.2f with pairs", listed/120, measured/120, pairs/120)
	if !(measured < listed && pairs <= measured) {
		t.Error("expected a measured order to save bits, and pairs not to cost any")
	}
}
