package neural

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// Weights are the numbers of a network's weights by their names, which are those
// of [Graph.AllWeights], in row-major order. There may be more than a network
// needs.
type Weights map[string][]float32

// Check reports weights that are missing or of the wrong size, and numbers that
// are not finite.
func (w Weights) Check(g *Graph) error {
	var errs []error
	for _, t := range g.AllWeights() {
		v, ok := w[t.Name]
		switch bad := slices.IndexFunc(v, func(x float32) bool { return x-x != 0 }); {
		case !ok:
			errs = append(errs, fmt.Errorf("weight %q (%s) is missing", t.Name, t.Shape))
		case int64(len(v)) != t.Shape.Elements():
			errs = append(errs, fmt.Errorf("weight %q: found %d numbers, want %d (%s)", t.Name, len(v), t.Shape.Elements(), t.Shape))
		case bad >= 0:
			errs = append(errs, fmt.Errorf("weight %q: found %g as number %d, want a finite one", t.Name, v[bad], bad+1))
		}
	}
	return errors.Join(errs...)
}

// Initial returns the weights that training starts from: normal with variance 2/n
// in front of n operands (He et al. 2015), with deviation 0.02 for embeddings,
// positions and class tokens (Devlin et al. 2019), scales and variances of 1, all
// else 0.
func (g *Graph) Initial(r *rand.Rand) Weights {
	w := Weights{}
	for i, n := range g.nodes {
		for k, t := range g.Weights(i) {
			v := make([]float32, t.Shape.Elements())
			deviation := 0.0
			switch o := n.Op.(type) {
			case Conv, Linear:
				if k == 0 {
					deviation = math.Sqrt(2 / float64(t.Shape.Elements()/int64(t.Shape[0])))
				}
			case Embedding, Position, ClassToken:
				deviation = 0.02
			case LayerNorm:
				fill(v, k == 0)
			case BatchNorm:
				fill(v, k == 0 && !o.Plain || k == len(Tensors(o, n.Shape))-1)
			}
			if deviation > 0 {
				for j := range v {
					v[j] = float32(deviation * rng.Norm(r))
				}
			}
			w[t.Name] = v
		}
	}
	return w
}

func fill(v []float32, ones bool) {
	if ones {
		for i := range v {
			v[i] = 1
		}
	}
}
