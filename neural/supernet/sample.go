package supernet

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/daedalus-search/daedalus/space"
)

// A Sampler chooses the networks of a training step. Their gradients are added up and
// followed once.
type Sampler interface {
	// Sample returns designs of the supernet's space that lie in a part of it, in the
	// order in which they are trained. It depends on nothing but its arguments and the
	// stream.
	Sample(r *rand.Rand, s *Supernet, part *space.Space) ([]space.Design, error)
	fmt.Stringer
}

// Uniform draws networks independently, as single path one-shot training does (Guo
// et al. 2020).
type Uniform struct {
	N int // networks a step; 0 means 1
	// Designs draws every design with the same probability, instead of every option
	// of a decision. They differ where decisions bring others with them.
	Designs bool
}

func (u Uniform) String() string { return fmt.Sprintf("uniform, %d a step", max(u.N, 1)) }

// Sample implements [Sampler].
func (u Uniform) Sample(r *rand.Rand, s *Supernet, part *space.Space) ([]space.Design, error) {
	out := make([]space.Design, max(u.N, 1))
	for i := range out {
		draw := part.Sample
		if u.Designs {
			draw = part.SampleUniform
		}
		d, err := draw(r)
		if err != nil {
			return nil, err
		}
		if out[i], err = s.own(d); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Fair trains every option of every decision equally often in each step (strict
// fairness of FairNAS, Chu et al. 2021, section 3.2): a step has as many networks as
// the least common multiple of the numbers of options, and decisions that only some
// networks ask are fair over all that might. It needs a space of options without
// constraints.
type Fair struct{}

func (Fair) String() string { return "fair" }

// mostFair bounds the networks of a step.
const mostFair = 64

// Sample implements [Sampler].
func (Fair) Sample(r *rand.Rand, s *Supernet, part *space.Space) ([]space.Design, error) {
	n := 1
	for _, p := range part.Params() {
		if p.N == 0 {
			return nil, fmt.Errorf("fair sampling: parameter %q is a real number, want options", p.Path)
		}
		if n = lcm(n, p.N); n > mostFair {
			return nil, fmt.Errorf("fair sampling: a step would need %d or more networks for %q to be fair with what stands before it, want at most %d", n, p.Path, mostFair)
		}
	}
	// Each place of a design has an order of options of its own, which depends on
	// nothing but the place and the step.
	base := r.Uint64()
	orders := map[uint64][]int{}
	order := func(d space.Decision) []int {
		o, ok := orders[d.Site]
		if !ok {
			o = make([]int, n)
			for i := range o {
				o[i] = i % d.N
			}
			of := rand.New(rand.NewPCG(base, d.Site))
			of.Shuffle(n, func(i, j int) { o[i], o[j] = o[j], o[i] })
			orders[d.Site] = o
		}
		return o
	}
	out := make([]space.Design, n)
	for i := range out {
		w := part.Walk()
		for {
			d, ok := w.Next()
			if !ok {
				break
			}
			if d.N == 0 || n%d.N != 0 {
				return nil, fmt.Errorf("fair sampling: parameter %q offers %d options here, want as many everywhere", d.Param.Path, d.N)
			}
			pick := order(d)[i]
			if !w.Legal(pick) {
				return nil, fmt.Errorf("fair sampling: a constraint forbids option %v of %q, want a space without constraints", d.Param.Label(pick), d.Param.Path)
			}
			w.Choose(pick)
		}
		var err error
		if out[i], err = w.Design(); err != nil {
			return nil, err
		}
	}
	for i, d := range out {
		var err error
		if out[i], err = s.own(d); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func lcm(a, b int) int {
	g, h := a, b
	for h != 0 {
		g, h = h, g%h
	}
	return a / g * b
}

// Sandwich trains the largest network, the smallest, and others in each step (Yu and
// Huang 2019, section 3.1).
type Sandwich struct {
	Random  int     // networks between; 0 means 2, as BigNAS has, −1 none
	Between Sampler // draws them; nil means Uniform
}

func (w Sandwich) String() string {
	return fmt.Sprintf("sandwich with %d between", w.random())
}

func (w Sandwich) random() int {
	switch {
	case w.Random == 0:
		return 2
	case w.Random < 0:
		return 0
	}
	return w.Random
}

// Sample implements [Sampler]. The part must have the family's smallest network.
func (w Sandwich) Sample(r *rand.Rand, s *Supernet, part *space.Space) ([]space.Design, error) {
	if err := s.elastic("the sandwich rule"); err != nil {
		return nil, err
	}
	if part != s.Space() {
		for _, d := range []space.Design{s.largest, s.smallest} {
			if _, err := part.Adopt(d); err != nil {
				return nil, fmt.Errorf("sandwich: the part of the space that is trained lacks the design %s: %w", d, err)
			}
		}
	}
	out := []space.Design{s.largest, s.smallest}
	between := w.Between
	if between == nil {
		between = Uniform{}
	}
	for len(out) < 2+w.random() {
		more, err := between.Sample(r, s, part)
		if err != nil {
			return nil, err
		}
		if len(more) == 0 {
			return nil, fmt.Errorf("sandwich: %s drew no networks", between)
		}
		out = append(out, more...)
	}
	return out[:2+w.random()], nil
}

// Balanced draws networks whose costs, not whose decisions, are uniform: uniform
// decisions meet networks of middling cost far more often than small and large ones.
// It draws a number of multiply-accumulates between the smallest's and the largest's
// and a network, whose decisions it then changes one by one, where that brings it
// nearer.
type Balanced struct {
	N     int // networks a step; 0 means 1
	Tries int // changes tried for each; 0 means 48
}

func (b Balanced) String() string { return fmt.Sprintf("balanced by cost, %d a step", max(b.N, 1)) }

// Sample implements [Sampler].
func (b Balanced) Sample(r *rand.Rand, s *Supernet, part *space.Space) ([]space.Design, error) {
	if err := s.elastic("sampling balanced by cost"); err != nil {
		return nil, err
	}
	low, err := s.macs(s.smallest)
	if err != nil {
		return nil, err
	}
	high, err := s.macs(s.largest)
	if err != nil {
		return nil, err
	}
	tries := b.Tries
	if tries < 1 {
		tries = 48
	}
	out := make([]space.Design, max(b.N, 1))
	for i := range out {
		target := low + float64(r.Float64()*(high-low))
		d, err := part.Sample(r)
		if err != nil {
			return nil, err
		}
		near := math.Inf(1)
		for range tries {
			o, err := s.own(d)
			if err != nil {
				return nil, err
			}
			c, err := s.macs(o)
			if err != nil {
				return nil, err
			}
			if off := math.Abs(c - target); off < near {
				near, out[i] = off, o
			}
			if near < (high-low)/100 {
				break
			}
			from, err := part.Adopt(out[i])
			if err != nil {
				return nil, err
			}
			d = part.Mutate(r, from, space.Mutation{})
		}
	}
	return out, nil
}

// macs returns the multiply-accumulates of a network.
func (s *Supernet) macs(d space.Design) (float64, error) {
	g, err := s.Graph(d)
	if err != nil {
		return 0, err
	}
	return float64(g.Cost().MACs), nil
}
