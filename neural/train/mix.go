package train

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// A mix makes each example of a batch from two: the example i and the one that stands as
// far from the end, in shares λ and 1−λ. Batches are in a random order, so these are
// pairs at random. λ is drawn once a step, from Beta(α, α).
//
// Mixup (Zhang et al. 2018, section 2) adds the inputs up in these shares; CutMix (Yun et
// al. 2019, section 3.1) cuts a rectangle of 1−λ of the area out of one image and puts
// that of the other there, and λ is then what is left of the area. Labels are mixed as
// inputs are. If a recipe has both, every step is one of the two, with equal probability.
type mix struct {
	seed          uint64
	mixup, cutmix float64 // α; 0 for none
	smoothing     float64
	classes       int
	image         neural.Shape // channels, height, width
}

// mix returns what a filled recipe mixes of a set; nil if nothing is.
func (r Recipe) mix(s *data.Set, taught bool) (*mix, error) {
	if r.Mixup == 0 && r.CutMix == 0 {
		return nil, nil
	}
	m := &mix{seed: r.Seed, mixup: r.Mixup, cutmix: r.CutMix, smoothing: r.Smoothing, classes: len(s.Classes)}
	switch {
	case taught:
		return nil, errors.New("train: recipe: found mixup or cutmix with a teacher, want one of the two")
	case r.CutMix > 0 && s.Kind != data.Images:
		return nil, fmt.Errorf("train: recipe: found cutmix for %s, want images", s)
	case s.Kind == data.Text || len(s.Categories) > 0:
		return nil, fmt.Errorf("train: recipe: found mixup for %s, want images, or tables of numbers: half of two words is none", s)
	}
	if s.Kind == data.Images {
		m.image = neural.Shape{s.Channels, s.Height, s.Width}
	}
	return m, nil
}

// loss is what is minimised of a mixed batch: the cross-entropy with its labels, which
// stand where a teacher's outputs do.
func (m *mix) loss() engine.Loss { return engine.Loss{Imitate: 1, Temperature: 1} }

// do mixes the batch of a step.
func (m *mix) do(b *engine.Batch, step int64) {
	r := rng.New(m.seed, "train/mix", uint64(step))
	cut := m.cutmix > 0 && (m.mixup == 0 || r.Uint64()>>63 == 1)
	var share float64
	if cut {
		share = m.paste(b.Inputs[0], b.N, beta(m.cutmix, r), r)
	} else {
		share = beta(m.mixup, r)
		for _, in := range b.Inputs {
			blend(in, b.N, float32(share))
		}
	}
	if b.Classes == nil {
		blend(b.Targets, b.N, float32(share))
		return
	}
	// Logits whose softmax are the mixed labels. What no label is has a logit so small
	// that its exponential is 0.
	const never = -1000
	b.Teacher = make([]float32, b.N*m.classes)
	for i := range b.N {
		row := b.Teacher[i*m.classes:][:m.classes]
		own, other := b.Classes[i], b.Classes[b.N-1-i]
		for c := range row {
			p := m.smoothing / float64(m.classes)
			if int32(c) == own {
				p += float64(share * (1 - m.smoothing))
			}
			if int32(c) == other {
				p += float64((1 - share) * (1 - m.smoothing))
			}
			if row[c] = never; p > 0 {
				row[c] = max(never, float32(detmath.Log(p)))
			}
		}
	}
}

// blend makes of each of n parts of a slice a share of itself, and the rest of the part
// that stands as far from the end.
func blend(x []float32, n int, share float32) {
	size := len(x) / n
	rest := 1 - share
	for i := range n / 2 {
		a, b := x[i*size:][:size], x[(n-1-i)*size:][:size]
		for k, p := range a {
			q := b[k]
			a[k] = float32(share*p) + float32(rest*q)
			b[k] = float32(share*q) + float32(rest*p)
		}
	}
}

// paste exchanges a rectangle, centred anywhere, between the images of each pair, and
// returns which share of the area is left.
func (m *mix) paste(x []float32, n int, share float64, r *rand.Rand) float64 {
	channels, height, width := m.image[0], m.image[1], m.image[2]
	side := math.Sqrt(1 - share)
	cut := func(whole int) (from, to int) {
		half := int(float64(float64(whole)*side)) / 2
		middle := r.IntN(whole)
		return max(0, middle-half), min(whole, middle+half)
	}
	top, bottom := cut(height)
	left, right := cut(width)
	size := channels * height * width
	for i := range n / 2 {
		a, b := x[i*size:][:size], x[(n-1-i)*size:][:size]
		for y := top; y < bottom; y++ {
			for k := (y*width + left) * channels; k < (y*width+right)*channels; k++ {
				a[k], b[k] = b[k], a[k]
			}
		}
	}
	return 1 - float64((bottom-top)*(right-left))/float64(height*width)
}

// beta draws from Beta(α, α): the share of one of two numbers of the gamma distribution in
// their sum, which for small α is found from their logarithms.
func beta(alpha float64, r *rand.Rand) float64 {
	return 1 / (1 + detmath.Exp(logGamma(alpha, r)-logGamma(alpha, r)))
}

// logGamma draws the logarithm of a number of the gamma distribution of shape α + 1 by
// Marsaglia and Tsang 2000, and makes it one of shape α (their section 6).
func logGamma(alpha float64, r *rand.Rand) float64 {
	d := alpha + 1 - 1./3
	c := 1 / math.Sqrt(9*d)
	for {
		x := rng.Norm(r)
		v := 1 + float64(c*x)
		if v <= 0 {
			continue
		}
		logV := 3 * detmath.Log(v)
		v = float64(v*v) * v
		if detmath.Log(rng.Open(r)) < float64(0.5*float64(x*x))+float64(d*(1-v+logV)) {
			return detmath.Log(d) + logV + detmath.Log(rng.Open(r))/alpha
		}
	}
}
