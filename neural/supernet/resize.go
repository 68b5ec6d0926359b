package supernet

import (
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// A resizer gives networks for smaller or larger images the batch of a step.
type resizer struct {
	batch *engine.Batch
	sizes map[neural.Shape][]float32
}

// from takes the batch of a step.
func (r *resizer) from(b *engine.Batch) {
	r.batch, r.sizes = b, nil
}

// to returns the batch as a network takes it. It may be changed, but for what its
// slices hold.
func (r *resizer) to(g *neural.Graph) (*engine.Batch, error) {
	b := *r.batch
	in := g.Inputs()
	if len(in) != 1 || len(b.Inputs) != 1 {
		return &b, nil
	}
	s := g.Node(in[0]).Shape
	if !s.Image() || int64(len(b.Inputs[0])) == int64(b.N)*s.Elements() {
		return &b, nil
	}
	// images are square, or have the proportions of the network's
	places := len(b.Inputs[0]) / (b.N * s[0])
	h := int(math.Round(math.Sqrt(float64(places) * float64(s[1]) / float64(s[2]))))
	if h < 1 || b.N*s[0]*h*(places/h) != len(b.Inputs[0]) {
		return nil, fmt.Errorf("found images of %d numbers, want some that can be resized to %s", len(b.Inputs[0])/b.N, s)
	}
	x, ok := r.sizes[s]
	if !ok {
		x = resizeImages(b.Inputs[0], b.N, h, places/h, s[0], s[1], s[2])
		if r.sizes == nil {
			r.sizes = map[neural.Shape][]float32{}
		}
		r.sizes[s] = x
	}
	b.Inputs = [][]float32{x}
	return &b, nil
}

// resizeImages makes n images of h×w×c those of height×width: smaller ones hold means
// over the areas that they cover, larger ones are interpolated between the middles of
// pixels, as [data.Set.Resize] does.
func resizeImages(x []float32, n, h, w, c, height, width int) []float32 {
	rows, cols := taps(h, height), taps(w, width)
	out := make([]float32, n*height*width*c)
	at := 0
	for i := range n {
		image := x[i*h*w*c : (i+1)*h*w*c]
		for y := range height {
			for z := range width {
				for k := range c {
					sum := 0.0
					for _, a := range rows[y] {
						for _, b := range cols[z] {
							sum += float64(float64(a.weight*b.weight) * float64(image[(a.from*w+b.from)*c+k]))
						}
					}
					out[at] = float32(sum)
					at++
				}
			}
		}
	}
	return out
}

// A tap is a place that another is made of.
type tap struct {
	from   int
	weight float64
}

// taps returns what each place of a line of m is made of, of those of a line of n.
func taps(n, m int) [][]tap {
	all := make([][]tap, m)
	for i := range all {
		if m < n {
			low, high := float64(i)*float64(n)/float64(m), float64(i+1)*float64(n)/float64(m)
			for j := int(low); j < n && float64(j) < high; j++ {
				if cover := min(high, float64(j+1)) - max(low, float64(j)); cover > 1e-9 {
					all[i] = append(all[i], tap{j, cover / (high - low)})
				}
			}
			continue
		}
		at := min(max((float64(i)+0.5)*float64(n)/float64(m)-0.5, 0), float64(n-1))
		j := min(int(at), n-1)
		all[i] = append(all[i], tap{j, 1 - (at - float64(j))})
		if at > float64(j) {
			all[i] = append(all[i], tap{j + 1, at - float64(j)})
		}
	}
	return all
}
