package synthetic

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
)

// Curves is a problem with learning curves, for methods that begin with little
// effort: a loss that falls from epoch to epoch and whose order among designs
// changes on the way. It has two objectives, loss and size; size costs nothing.
//
// A design has an architecture, a choice of three cases with parameters of
// their own, and a learning rate. Its final loss f and its early loss g are
// smooth functions of the design, standardised under the prior, and
//
//	loss(t) = 1 + 0.1 [(1-w(t)) f + w(t) g] + 2 w(t) + noise
//
// where the weight w falls like t^-½ from 1 at the first epoch to 0 at the last.
// g is made of f and of another function that is uncorrelated with f, so that
// the correlation of g and f is Correlation: with 1 the first epoch tells the
// truth about the order, with 0 it tells nothing, with -1 the opposite. In
// between curves cross.
type Curves struct {
	Epochs      int      `yaml:"epochs" default:"27" min:"2" max:"10000" doc:"epochs of a full evaluation"`                                              // 0 means 27
	Correlation *float64 `yaml:"correlation" default:"0.8" min:"-1" max:"1" doc:"of the loss after the first epoch with the final one: 0 tells nothing"` // nil means 0.8
	Noise       float64  `yaml:"noise" default:"0" min:"0" max:"1" doc:"of the loss at each epoch, in standard deviations of the final loss; the same design gives the same values"`
	Seed        *uint64  `yaml:"seed" default:"1" doc:"of the functions"` // nil means 1
}

// CurvesProblem is made by [Curves.New].
type CurvesProblem struct {
	space *space.Space
	curve Curves
	rho   float64
	seed  uint64
	f, h  field

	// By these f and h are standardised and uncorrelated under the prior.
	meanF, sdF, meanH, sdH, slope float64
}

var (
	_ problem.Resumer   = (*CurvesProblem)(nil)
	_ problem.Batcher   = (*CurvesProblem)(nil)
	_ problem.Estimator = (*CurvesProblem)(nil)
	_ problem.Describer = (*CurvesProblem)(nil)
)

// waves is how many cosines make a smooth random function.
const waves = 24

// A field is a smooth random function of some numbers with mean 0 and variance
// 1: a sum of cosines with random directions and phases (Rahimi and Recht 2007).
type field struct {
	direction [waves][curveDims]float64
	phase     [waves]float64
	shift     [3]float64 // by architecture
}

// curveDims is how many numbers describe a design to a field: the learning rate
// and two of its architecture.
const curveDims = 3

// New makes the problem.
func (o Curves) New() (*CurvesProblem, error) {
	if o.Epochs == 0 {
		o.Epochs = 27
	}
	p := &CurvesProblem{curve: o, rho: 0.8, seed: 1}
	if o.Correlation != nil {
		p.rho = *o.Correlation
	}
	if o.Seed != nil {
		p.seed = *o.Seed
	}
	var errs []error
	bad := func(field string, found any, want string) {
		errs = append(errs, fmt.Errorf("synthetic: curves: %s: found %v, want %s", field, found, want))
	}
	if o.Epochs < 2 || o.Epochs > 10_000 {
		bad("epochs", o.Epochs, "2 to 10000")
	}
	if !(p.rho >= -1 && p.rho <= 1) {
		bad("correlation", p.rho, "-1 to 1")
	}
	if !(o.Noise >= 0 && o.Noise <= 1) {
		bad("noise", o.Noise, "0 to 1")
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	p.space = space.MustNew(
		space.Choice("net",
			space.Case("plain", space.Int("width", 8, 128).Log(), space.Float("dropout", 0, 0.5)),
			space.Case("residual", space.Int("width", 8, 128).Log(), space.Int("blocks", 1, 6)),
			space.Case("wide", space.Int("width", 64, 512).Log(), space.Float("decay", 0, 1))),
		space.Float("rate", 1e-4, 1e-1).Log())
	p.f, p.h = newField(p.seed, 1), newField(p.seed, 2)
	return p, p.standardise()
}

// standardise estimates the moments of the two functions under the prior.
func (p *CurvesProblem) standardise() error {
	const n = 2000
	r := rng.New(p.seed, "synthetic/curves", 0)
	var f, ff, h, hh, fh float64
	for range n {
		d, err := p.space.Sample(r)
		if err != nil {
			return fmt.Errorf("synthetic: curves: %w", err)
		}
		net, x, _ := p.read(d)
		a, b := p.f.at(net, x), p.h.at(net, x)
		f, h = f+a, h+b
		ff, hh, fh = ff+float64(a*a), hh+float64(b*b), fh+float64(a*b)
	}
	p.meanF, p.meanH = f/n, h/n
	varF := ff/n - float64(p.meanF*p.meanF)
	varH := hh/n - float64(p.meanH*p.meanH)
	cov := fh/n - float64(p.meanF*p.meanH)
	p.slope = cov / varF
	p.sdF = math.Sqrt(varF)
	p.sdH = math.Sqrt(varH - float64(cov*p.slope))
	return nil
}

// uniform returns a number in [0, 1) that is a function of its arguments.
func uniform(args ...uint64) float64 {
	z := uint64(0x5DEECE66D)
	for _, a := range args {
		z = hash(z ^ a)
	}
	return float64(z>>11) / (1 << 53)
}

// hash is SplitMix64 (Steele, Lea and Flood 2014).
func hash(z uint64) uint64 {
	z += 0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

func newField(seed, which uint64) (f field) {
	for k := range f.direction {
		for i := range f.direction[k] {
			u := uniform(seed, which, uint64(k), uint64(i))
			f.direction[k][i] = 0.5 * detmath.PhiInv(min(max(u, 1e-9), 1-1e-9)) // turns across the range
		}
		f.phase[k] = uniform(seed, which, uint64(k), 77)
	}
	for i := range f.shift {
		f.shift[i] = float64(3 * uniform(seed, which, 99, uint64(i)))
	}
	return f
}

// at returns the function for an architecture and the numbers in [0, 1].
func (f *field) at(net int, x [curveDims]float64) float64 {
	sum := 0.0
	for k := range f.direction {
		turn := f.phase[k] + f.shift[net]
		for i, d := range f.direction[k] {
			turn += float64(d * x[i])
		}
		sum += cosTurn(turn)
	}
	return sum * math.Sqrt(2.0/waves)
}

// cosTurn is the cosine of a number of turns, by a polynomial that has the same
// bits on every platform.
func cosTurn(t float64) float64 {
	t -= math.Floor(t)
	t = math.Abs(t - 0.5) // cos(2πt) = -cos(2π(t - ½)), which is even
	sign := -1.0
	if t > 0.25 {
		t, sign = 0.5-t, 1
	}
	x := 2 * math.Pi * t
	x = float64(x * x)
	c := 1.0
	for k := 11; k > 0; k-- { // Horner's rule for the Taylor series on [0, π/2]
		c = 1 - float64(x*c)/float64((2*k-1)*(2*k))
	}
	return float64(sign * c)
}

// Space returns an architecture, three cases with parameters of their own, and a
// learning rate.
func (p *CurvesProblem) Space() *space.Space { return p.space }

// Metrics returns loss and size_k.
func (p *CurvesProblem) Metrics() []metric.Metric {
	return []metric.Metric{
		{Name: "loss", Direction: metric.Minimize, Doc: "loss after training, of mean 1 and deviation 0.1 over the space"},
		{Name: "size_k", Unit: "k", Direction: metric.Minimize, Doc: "parameters; known without training"},
	}
}

// Describe says what one evaluation is.
func (p *CurvesProblem) Describe() string {
	return fmt.Sprintf("computes a learning curve of %d epochs; its first epoch correlates with the last by %v", p.curve.Epochs, p.rho)
}

// Fidelity implements [problem.Graded].
func (p *CurvesProblem) Fidelity() problem.Fidelity {
	return problem.Fidelity{Name: "epochs", Min: 1, Max: float64(p.curve.Epochs), Whole: true, Resumes: true}
}

// Estimates implements [problem.Estimator].
func (p *CurvesProblem) Estimates() []string { return []string{"size_k"} }

// Estimate implements [problem.Estimator].
func (p *CurvesProblem) Estimate(d space.Design) (metric.Values, error) {
	d, err := p.own(d)
	if err != nil {
		return nil, err
	}
	_, _, size := p.read(d)
	return metric.Values{"size_k": size}, nil
}

func (p *CurvesProblem) own(d space.Design) (space.Design, error) {
	if d.Space() == p.space {
		return d, nil
	}
	own, err := p.space.FromMap(d.Map())
	if err != nil {
		return d, &problem.EvalError{Class: problem.ClassPermanent, Err: fmt.Errorf("synthetic: the design belongs to another space: %w", err)}
	}
	return own, nil
}

// read returns the architecture, the numbers of a design and its size.
func (p *CurvesProblem) read(d space.Design) (net int, x [curveDims]float64, size float64) {
	var buf [4]space.Answer
	a := d.Decisions(buf[:0])
	net = a[0].Index
	for i := range x {
		x[i] = a[i+1].Unit(a[i+1].Index, a[i+1].Real)
	}
	width := a[1].Param.Number(a[1].Index)
	depth := 2.0
	if net == 1 {
		depth = 2 * a[2].Param.Number(a[2].Index)
	}
	return net, x, float64(depth*float64(width*width))/1000 + float64(10*width)/1000
}

// Evaluate computes the whole curve.
func (p *CurvesProblem) Evaluate(ctx context.Context, d space.Design, r problem.Reporter) (metric.Values, error) {
	return p.Resume(ctx, d, 0, 1, r)
}

// EvaluateAt implements [problem.Graded].
func (p *CurvesProblem) EvaluateAt(ctx context.Context, d space.Design, share float64, r problem.Reporter) (metric.Values, error) {
	return p.Resume(ctx, d, 0, share, r)
}

// EvaluateBatch computes whole curves.
func (p *CurvesProblem) EvaluateBatch(ctx context.Context, designs []space.Design, out []problem.Result) {
	for i, d := range designs {
		v, err := p.Evaluate(ctx, d, nil)
		out[i] = problem.Result{Values: v, Err: err}
	}
}

// Resume implements [problem.Resumer]; a curve that is computed needs nothing
// to go on from.
func (p *CurvesProblem) Resume(ctx context.Context, d space.Design, from, share float64, r problem.Reporter) (metric.Values, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d, err := p.own(d)
	if err != nil {
		return nil, err
	}
	fidelity := p.Fidelity()
	end := int64(fidelity.Amount(share))
	net, x, size := p.read(d)
	a, b := p.f.at(net, x)-p.meanF, p.h.at(net, x)-p.meanH
	f, h := a/p.sdF, (b-float64(p.slope*a))/p.sdH
	g := float64(p.rho*f) + float64(math.Sqrt(max(1-float64(p.rho*p.rho), 0))*h)
	digest := d.Hash()
	id := uint64(0)
	for _, b := range digest[:8] {
		id = id<<8 | uint64(b)
	}
	loss := func(t int64) float64 {
		w := p.early(float64(t))
		y := 1 + float64(0.1*(float64((1-w)*f)+float64(w*g))) + float64(2*w)
		if p.curve.Noise > 0 {
			u := uniform(p.seed, 5, id, uint64(t))
			y += float64(0.1 * float64(p.curve.Noise*detmath.PhiInv(min(max(u, 1e-9), 1-1e-9))))
		}
		return y
	}
	if r != nil {
		first := int64(1)
		if from > 0 {
			first = int64(fidelity.Amount(from)) + 1
		}
		for t := first; t <= end; t++ {
			if err := r.Report(t, metric.Values{"loss": loss(t), "size_k": size}); err != nil {
				return nil, err
			}
		}
	}
	return metric.Values{"loss": loss(end), "size_k": size}, nil
}

// early is the weight of the early loss at an epoch: 1 at the first, 0 at the
// last.
func (p *CurvesProblem) early(t float64) float64 {
	last := 1 / math.Sqrt(float64(p.curve.Epochs))
	return (1/math.Sqrt(t) - last) / (1 - last)
}
