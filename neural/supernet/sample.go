package supernet

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/space"
)

// A Sampler chooses the networks of a training step. Their gradients are added up and
// followed once.
type Sampler interface {
	// Sample returns designs of the supernet's space that lie in a part of it, in the
	// order in which they are trained. It depends on nothing but its arguments and the
	// stream.
	Sample(r *rand.Rand, s *Supernet, part *space.Space) ([]space.Design, error)

	// String tells it from all that sample otherwise: training goes on from a checkpoint
	// only with the sampler that it began with.
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

func (u Uniform) String() string {
	if u.Designs {
		return fmt.Sprintf("uniform over designs, %d a step", max(u.N, 1))
	}
	return fmt.Sprintf("uniform, %d a step", max(u.N, 1))
}

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

// Weighted draws networks independently, and the options of a decision with unequal
// probabilities. Where all are equal, what needs no training is drawn as often as what
// does: in cells of NAS-Bench-201 convolutions then look worse than they are, and shares
// of 3.5 for them nearly double the rank correlation (docs/benchmarks.md).
type Weighted struct {
	N int // networks a step; 0 means 1
	// Shares are how often options are drawn, by their names, relative to the others of
	// their decision. Options without a name here have 1.
	Shares map[string]float64
}

func (w Weighted) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "weighted, %d a step", max(w.N, 1))
	for _, name := range slices.Sorted(maps.Keys(w.Shares)) {
		fmt.Fprintf(&b, ", %s %v", name, w.Shares[name])
	}
	return b.String()
}

// Check says what is wrong with the shares for a space: numbers that are negative or
// infinite, names that no decision offers, decisions without any option left.
func (w Weighted) Check(s *space.Space) error {
	unknown := maps.Clone(w.Shares)
	for _, name := range slices.Sorted(maps.Keys(w.Shares)) {
		if x := w.Shares[name]; !(x >= 0) || math.IsInf(x, 0) {
			return fmt.Errorf("shares: found %v of %q, want a number from 0", x, name)
		}
	}
	for _, p := range s.Params() {
		if p.Kind == space.KindSubset || p.Kind == space.KindPermutation {
			continue // their decisions are not among options
		}
		all := 0.0
		for i := range p.N {
			name := fmt.Sprint(p.Label(i))
			delete(unknown, name)
			all += w.share(name)
		}
		if p.N > 0 && all == 0 {
			return fmt.Errorf("shares: every option of %q has a share of 0", p.Path)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unknown)) {
		return fmt.Errorf("shares: found %q, which no decision of the space offers", name)
	}
	return nil
}

func (w Weighted) share(name string) float64 {
	if x, ok := w.Shares[name]; ok {
		return x
	}
	return 1
}

// Sample implements [Sampler]. Decisions with no named option are drawn as [Uniform] does.
func (w Weighted) Sample(r *rand.Rand, s *Supernet, part *space.Space) ([]space.Design, error) {
	if err := w.Check(s.Space()); err != nil {
		return nil, err
	}
	out := make([]space.Design, max(w.N, 1))
	for i := range out {
		d, err := w.draw(r, part)
		if err != nil {
			return nil, err
		}
		if out[i], err = s.own(d); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// options is how many options with names a decision has.
func options(d space.Decision) int {
	switch d.Role {
	case space.RolePick, space.RoleLevel, space.RoleCount:
		return d.N
	}
	return 0
}

// mostDrawn bounds the draws for one network of a space with constraints.
const mostDrawn = 1000

func (w Weighted) draw(r *rand.Rand, part *space.Space) (space.Design, error) {
	var shares []float64
	for range mostDrawn {
		walk := part.Walk()
		for {
			d, ok := walk.Next()
			if !ok {
				break
			}
			shares = shares[:0]
			named, all := false, 0.0
			for i := range options(d) {
				name := fmt.Sprint(d.Param.Label(i))
				x, ok := w.Shares[name]
				if !ok {
					x = 1
				}
				if !walk.Legal(i) {
					x = 0
				}
				named, all = named || ok, all+x
				shares = append(shares, x)
			}
			if !named {
				if !walk.ChooseRandom(r) {
					break
				}
				continue
			}
			if all == 0 {
				break
			}
			at, pick := float64(r.Float64()*all), -1
			for i, x := range shares {
				if x > 0 {
					pick = i // the last that is possible, should rounding leave a rest
				}
				if at -= x; at < 0 && x > 0 {
					break
				}
			}
			walk.Choose(pick)
		}
		if d, err := walk.Design(); err == nil {
			return d, nil
		}
	}
	return space.Design{}, fmt.Errorf("shares: none of %d draws met the constraints of the space", mostDrawn)
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
	if w.Between != nil {
		return fmt.Sprintf("sandwich with %d between, %s", w.random(), w.Between)
	}
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

func (b Balanced) String() string {
	return fmt.Sprintf("balanced by cost, %d a step, %d tries", max(b.N, 1), b.tries())
}

func (b Balanced) tries() int {
	if b.Tries < 1 {
		return 48
	}
	return b.Tries
}

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
	out := make([]space.Design, max(b.N, 1))
	for i := range out {
		target := low + float64(r.Float64()*(high-low))
		d, err := part.Sample(r)
		if err != nil {
			return nil, err
		}
		near := math.Inf(1)
		for range b.tries() {
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
