package infer_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/infer"
	"github.com/daedalus-search/daedalus/neural/reference"
)

// attention is a network of one operator.
func attention(o neural.Attention, n, m, d, e int) (*neural.Graph, error) {
	heads, keyHeads := max(o.Heads, 1), o.KeyHeads
	if keyHeads == 0 {
		keyHeads = heads
	}
	b := neural.NewBuilder(fmt.Sprintf("%d×%d by %d×%d", n, d, m, e))
	q, k, v := b.Input("q", neural.Shape{n, heads * d}), b.Input("k", neural.Shape{m, keyHeads * d}), b.Input("v", neural.Shape{m, keyHeads * e})
	return b.Build(b.Named("attention", o, q, k, v))
}

// signals are inputs for a batch, from a normal distribution.
func signals(r *rand.Rand, g *neural.Graph, batch int) (all [][]float32, examples [][][]float64) {
	examples = make([][][]float64, batch)
	for _, i := range g.Inputs() {
		size := int(g.Node(i).Shape.Elements())
		x := make([]float32, batch*size)
		for k := range x {
			x[k] = float32(2 * r.NormFloat64())
		}
		for b := range batch {
			one := make([]float64, size)
			for k := range one {
				one[k] = float64(x[b*size+k])
			}
			examples[b] = append(examples[b], one)
		}
		all = append(all, x)
	}
	return all, examples
}

// Attention of a block of tokens at a time, the linear kinds with sums of keys times values,
// gives what all products of queries and keys give in float64, which is how the reference
// computes it: linear attention to 1e-4 of the largest value, at any length, and with the
// same bits for any number of threads.
//
// Results are means of values with weights that are not negative, of which sums have as
// many terms as there are tokens and features. So errors are at most some
// (2·300+2·32)·2⁻²⁴, or 4e-5, of the largest value, if each rounding errs as much as it can.
// Those of softmax are larger by what products of queries and keys err, which it raises e to:
// 32·2⁻²⁴·|q|·|k|/√32, or 1.3e-4 for vectors that are as long as four deviations allow, twice.
func TestAttention(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := func(name string, low, high int) int { return rapid.IntRange(low, high).Draw(t, name) }
		o := neural.Attention{
			KeyHeads: whole("heads of keys", 1, 3), Causal: rapid.Bool().Draw(t, "causal"),
			Type: neural.AttentionKind(whole("kind", 0, int(neural.CosformerReLU))),
		}
		tolerance := 1e-4
		if !o.Type.Linear() {
			tolerance = 4e-4
		}
		o.Heads = o.KeyHeads * whole("queries of each", 1, 2)
		n := whole("tokens", 1, 300)
		m := n
		if !o.Causal {
			m = whole("keys", 1, 300)
		}
		g, err := attention(o, n, m, whole("features", 1, 32), whole("features of values", 1, 24))
		if err != nil {
			t.Fatal(err)
		}
		batch := whole("batch", 1, 2)
		in, examples := signals(rng.New(rapid.Uint64().Draw(t, "seed"), "attention", 0), g, batch)
		var first []float32
		for _, threads := range []int{1, 3} {
			net, err := infer.Compile(g, nil, infer.Options{Batch: batch, Threads: threads})
			if err != nil {
				t.Fatal(err)
			}
			out, err := net.Run(in...)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = slices.Clone(out[0])
			} else if !slices.Equal(first, out[0]) {
				t.Errorf("%d threads give other bits than one", threads)
			}
			net.Close()
		}
		for b, x := range examples {
			want, err := reference.Run(g, nil, x...)
			if err != nil {
				t.Fatal(err)
			}
			largest := 0.0
			for _, v := range x[2] {
				largest = max(largest, math.Abs(v))
			}
			for i, v := range want[0] {
				if got := float64(first[b*len(want[0])+i]); !(math.Abs(got-v) <= tolerance*largest) {
					t.Fatalf("example %d, number %d is %g, want %g: %g of the largest value", b, i, got, v, math.Abs(got-v)/largest)
				}
			}
		}
	})
}
