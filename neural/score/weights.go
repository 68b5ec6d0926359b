package score

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
)

// An Init is how weights begin.
type Init uint8

const (
	// Uniform draws between ±1/√n in front of n operands, biases too: PyTorch's default, and
	// that of all published numbers but those of zen.
	Uniform Init = iota
	// He draws from a normal distribution of variance 2/n (He et al. 2015), with biases of 0,
	// as [neural.Graph.Initial] does.
	He

	gaussian // variance 1, for zen
)

// String returns "uniform" or "he".
func (o Init) String() string {
	if int(o) < 3 {
		return [...]string{"uniform", "he", "gaussian"}[o]
	}
	return fmt.Sprintf("Init(%d)", uint8(o))
}

// draw returns the weights of a network: of layers as o says, all else as
// [neural.Graph.Initial]. Every weight has a stream of its own, by its name.
func draw(g *neural.Graph, o Init, seed, repeat uint64) neural.Weights {
	w := neural.Weights{}
	for i, n := range g.Nodes() {
		fanIn := 0.0
		for k, t := range g.Weights(i) {
			v := make([]float32, t.Shape.Elements())
			stream := func() *rand.Rand { return rng.New(seed, "score/weights/"+t.Name, repeat) }
			switch x := n.Op.(type) {
			case neural.Conv, neural.Linear:
				if k == 0 {
					fanIn = float64(t.Shape.Elements() / int64(t.Shape[0]))
				}
				switch {
				case o == Uniform:
					uniforms(v, 1/math.Sqrt(fanIn), stream())
				case k == 0 && o == He:
					normals(v, math.Sqrt(2/fanIn), stream())
				case k == 0:
					normals(v, 1, stream())
				}
			case neural.Embedding, neural.Position, neural.ClassToken:
				normals(v, 0.02, stream())
			case neural.LayerNorm:
				ones(v, k == 0)
			case neural.BatchNorm:
				ones(v, k == 0 && !x.Plain || k == len(neural.Tensors(x, n.Shape))-1)
			}
			w[t.Name] = v
		}
	}
	return w
}

func ones(v []float32, do bool) {
	if do {
		for i := range v {
			v[i] = 1
		}
	}
}

// uniforms fills v with numbers between ±a, of 2¹⁶ that are equally far apart: four of a
// draw.
func uniforms(v []float32, a float64, r *rand.Rand) {
	step := float32(2 * a / (1 << 16))
	fill(v, r, func(k uint16) float32 { return (float32(k) - 0x7fff.8p0) * step })
}

// normals fills v with normal numbers, of 2¹⁶ that are equally probable: four of a draw,
// which is twenty times as fast as [rng.Norm].
func normals(v []float32, deviation float64, r *rand.Rand) {
	q, d := quantiles(), float32(deviation)
	fill(v, r, func(k uint16) float32 { return q[k] * d })
}

func fill(v []float32, r *rand.Rand, of func(uint16) float32) {
	for len(v) >= 4 {
		x := r.Uint64()
		v[0], v[1], v[2], v[3] = of(uint16(x)), of(uint16(x>>16)), of(uint16(x>>32)), of(uint16(x>>48))
		v = v[4:]
	}
	if len(v) > 0 {
		x := r.Uint64()
		for i := range v {
			v[i] = of(uint16(x >> (16 * i)))
		}
	}
}

// quantiles are those of the normal distribution in the middle of 2¹⁶ equal parts, with
// variance 1.
var quantiles = sync.OnceValue(func() *[1 << 16]float32 {
	const half = 1 << 15
	x := make([]float64, half)
	sum := 0.0
	for k := range x {
		x[k] = detmath.PhiInv((float64(half+k) + 0.5) / (2 * half))
		sum += float64(x[k] * x[k])
	}
	scale := math.Sqrt(half / sum)
	q := new([1 << 16]float32)
	for k, v := range x {
		q[half+k], q[half-1-k] = float32(v*scale), -float32(v*scale)
	}
	return q
})
