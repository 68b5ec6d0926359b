package synthetic

import (
	"context"
	"fmt"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/space"
)

// NK is a landscape over n bits, each of whose contributions depends on itself
// and its k right neighbours: f = 1/n Σ T_i[x_i … x_{i+k}] with random tables
// (Kauffman 1993). With k = 0 the bits are independent; with k = n-1 it is
// noise. Tables come from the seed by arithmetic on whole numbers, so every
// language gets the same landscape.
type NK struct {
	N    int     `yaml:"n" default:"20" min:"1" max:"1000" doc:"number of bits"`                                // 0 means 20
	K    *int    `yaml:"k" default:"2" min:"0" max:"16" doc:"neighbours on which a bit's contribution depends"` // nil means 2
	Seed *uint64 `yaml:"seed" default:"1" doc:"of the tables"`                                                  // nil means 1
}

// exhaustive is the largest number of bits for which Optimum looks at all.
const exhaustive = 24

// New makes the problem.
func (o NK) New() (*Problem, error) {
	n, err := dims("nk: n", o.N, 20, 1, 1000)
	if err != nil {
		return nil, err
	}
	k, seed := 2, uint64(1)
	if o.K != nil {
		k = *o.K
	}
	if o.Seed != nil {
		seed = *o.Seed
	}
	if most := min(n-1, 16); k < 0 || k > most {
		return nil, fmt.Errorf("synthetic: nk: k: found %d, want 0 to %d for n = %d", k, most, n)
	}
	nodes := make([]space.Node, n)
	for i := range nodes {
		nodes[i] = space.Bool(fmt.Sprintf("x%d", i))
	}
	size := 1 << (k + 1)
	tables := make([]float64, n*size)
	for i := range n {
		for q := range size {
			tables[i*size+q] = float64(mix(seed*1000003+uint64(i)*1009+uint64(q))>>11) / (1 << 53)
		}
	}
	f := func(x, y []float64) {
		q := 0
		for _, b := range x[:k] { // x_0 … x_{k-1}; the loop shifts the next one in
			q = q<<1 | int(b)
		}
		sum := 0.0
		for i := range n {
			q = (q<<1 | int(x[(i+k)%n])) & (size - 1)
			sum += tables[i*size+q]
		}
		y[0] = sum / float64(n)
	}
	front := func(ctx context.Context) ([]float64, error) {
		best := 0.0
		for x := range uint64(1) << n { // x_0 is the highest of n bits
			if x&0xFFFF == 0 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
			long := x<<n | x // the ring, cut open twice
			sum := 0.0
			for i := range n {
				sum += tables[i*size+int(long>>(2*n-1-i-k))&(size-1)]
			}
			best = max(best, sum)
		}
		return []float64{best / float64(n)}, nil
	}
	if n > exhaustive {
		front = nil
	}
	return newProblem(fmt.Sprintf("the NK landscape with n = %d, k = %d, seed %d", n, k, seed), nodes,
		[]metric.Metric{{Name: "fitness", Direction: metric.Maximize, Doc: "mean contribution of the bits"}}, f, front)
}

// mix is SplitMix64 (Steele, Lea and Flood 2014).
func mix(z uint64) uint64 {
	z += 0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}
