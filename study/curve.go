package study

import (
	"math"
	"sync"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/store"
)

// A CurveRule prunes a trial when its learning curve, carried on to the end of
// a full evaluation, will hardly reach the best loss there is (Domhan,
// Springenberg and Hutter 2015, "Speeding up automatic hyperparameter
// optimization of deep neural networks by extrapolation of learning curves").
//
// The curve is y(t) = c + a φ(t) plus noise, with φ from an ensemble of falling
// shapes: powers t^-α, exponentials and log-powers 1/(1 + (t/τ)^α). The
// original samples all parameters by MCMC; here the shapes' own parameters lie
// on a grid of 27 shapes, and a, c and the noise, in which the model is linear,
// are integrated in closed form (a normal-inverse-gamma prior), so that each
// shape predicts a Student t distribution and has a weight, the marginal
// likelihood of the curve so far. A trial ends when the probability that its
// last value beats the best is below Chance. A step takes microseconds and draws
// nothing at random.
//
// A value that is not a number ends the trial at once, as a failure: training
// diverged. Curves should be compared at the same place of their schedule; a
// learning rate that drops late in training makes curves fall where no shape
// expects it, which Warmup can wait for.
type CurveRule struct {
	Startup int     // full evaluations that must finish first; 0 means 5
	Warmup  int     // intermediate results of a trial before it can end; 0 means 4
	Chance  float64 // probability of beating the best below which a trial ends; 0 means 0.05
	Steps   int64   // step at which an evaluation ends; 0 means the fidelity's largest amount, or the largest step of a finished trial
}

func (r *CurveRule) check(bad func(field string, found any, want string)) {
	if r.Startup < 0 || r.Warmup < 0 || r.Steps < 0 {
		bad("Startup, Warmup, Steps", "a negative value", "0 or more")
	}
	if !(r.Chance >= 0 && r.Chance < 1) {
		bad("Chance", r.Chance, "a probability from 0 to below 1")
	}
}

// curveState is what the rule remembers of finished trials.
type curveState struct {
	rule    *CurveRule
	mu      sync.Mutex
	horizon int64
	last    map[int64]int64 // trial under way → its largest step
	ended   int
	best    float64
	shapes  []shape
	bases   map[int64][]float64 // step → every shape there
}

// begin prepares for a rule, nil if there is none, and full evaluations of so
// many steps, 0 if that is not known.
func (c *curveState) begin(rule *CurveRule, full float64) {
	c.best = math.Inf(1)
	if rule == nil {
		return
	}
	r := *rule
	if r.Startup == 0 {
		r.Startup = 5
	}
	if r.Warmup == 0 {
		r.Warmup = 4
	}
	if r.Chance == 0 {
		r.Chance = 0.05
	}
	if r.Steps == 0 && full >= 1 {
		r.Steps = int64(full)
	}
	c.rule, c.last = &r, map[int64]int64{}
	c.reach(r.Steps)
}

// reach makes the shapes for a horizon.
func (c *curveState) reach(horizon int64) {
	c.horizon = horizon
	if horizon > 0 {
		c.shapes = shapesOf(float64(horizon))
		c.bases = map[int64][]float64{}
	}
}

// settle takes what a finished trial came to.
func (c *curveState) settle(t *trial) {
	if c.rule == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.last[t.Number]
	for _, s := range t.Steps {
		last = max(last, s.Step)
	}
	delete(c.last, t.Number)
	if t.State != store.Complete || t.Partial() {
		return
	}
	c.ended++
	if t.score.OK() && t.score.Feasible() && len(t.score.Loss) == 1 {
		c.best = min(c.best, t.score.Loss[0])
	}
	if c.rule.Steps == 0 && last > c.horizon {
		c.reach(last)
	}
}

// A shape is a falling function of the step: kind 0 is t^-p, 1 exp(-p t / R),
// 2 1/(1 + (t/(q R))^p).
type shape struct {
	kind int
	p, q float64
}

func shapesOf(horizon float64) []shape {
	var out []shape
	for _, p := range []float64{0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2} {
		out = append(out, shape{0, p, 0})
	}
	for _, p := range []float64{1, 2, 4, 8, 16, 32, 64} {
		out = append(out, shape{1, p / horizon, 0})
	}
	for _, q := range []float64{1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2} {
		for _, p := range []float64{0.5, 1, 2} {
			out = append(out, shape{2, p, q * horizon})
		}
	}
	return out
}

func (s shape) at(t float64) float64 {
	switch s.kind {
	case 0:
		return detmath.Pow(t, -s.p)
	case 1:
		return detmath.Exp(-s.p * t)
	}
	return 1 / (1 + detmath.Pow(t/s.q, s.p))
}

// A fit holds the points of one trial's curve.
type fit struct {
	steps          []int64
	values         []float64
	lo, hi         float64
	chances, evids []float64
}

// add takes the next point of the curve, which must be finite.
func (f *fit) add(step int64, y float64) {
	if len(f.steps) == 0 {
		f.lo, f.hi = y, y
	}
	f.lo, f.hi = min(f.lo, y), max(f.hi, y)
	f.steps, f.values = append(f.steps, step), append(f.values, y)
}

// mostBases bounds the steps whose shapes are kept.
const mostBases = 1 << 14

// basis returns every shape at a step.
func (c *curveState) basis(step int64) []float64 {
	row := c.bases[step]
	if row == nil {
		row = make([]float64, len(c.shapes))
		for i, s := range c.shapes {
			row[i] = s.at(float64(step))
		}
		if len(c.bases) < mostBases {
			c.bases[step] = row
		}
	}
	return row
}

// Priors, on the scale of the curve's own range: coefficients have a variance of
// 1e5 times that of the noise, and the noise a scale of 2 % worth two points.
const (
	priorSpread = 1e5
	priorNoise  = 0.02
	priorPoints = 2.0
)

// chance returns the probability that the curve ends below best.
func (f *fit) chance(c *curveState, best float64) float64 {
	origin, scale := f.values[0], f.hi-f.lo
	if !(scale > 0) {
		scale = max(1e-3*math.Abs(origin), math.SmallestNonzeroFloat64)
	}
	target := best/scale - origin/scale
	if math.IsInf(scale, 0) || math.IsNaN(target) {
		return 1 // beyond all numbers: nothing can be said
	}
	k := len(c.shapes)
	phi, phi2, phiY := make([]float64, k), make([]float64, k), make([]float64, k)
	y, yy := 0.0, 0.0
	for at, step := range f.steps {
		z := f.values[at]/scale - origin/scale
		y += z
		yy += float64(z * z)
		for i, p := range c.basis(step) {
			phi[i] += p
			phi2[i] += float64(p * p)
			phiY[i] += float64(p * z)
		}
	}
	n := float64(len(f.steps))
	an := (priorPoints + n) / 2
	b0 := priorPoints * float64(priorNoise*priorNoise) / 2
	end := c.basis(c.horizon)
	f.chances, f.evids = f.chances[:0], f.evids[:0]
	top := math.Inf(-1)
	for i := range k {
		// The posterior of (c, a): precision [[p, q], [q, r]], and what it is
		// multiplied with, (y, v).
		p, q, r := n+1/priorSpread, phi[i], phi2[i]+1/priorSpread
		v := phiY[i]
		det := float64(p*r) - float64(q*q)
		mc := (float64(r*y) - float64(q*v)) / det
		ma := (float64(p*v) - float64(q*y)) / det
		bn := b0 + max(float64(yy-float64(mc*y))-float64(ma*v), 0)/2
		x := end[i]
		mean := mc + float64(ma*x)
		spread := 1 + (r-float64(2*q*x)+float64(p*float64(x*x)))/det
		sd := math.Sqrt(bn / an * spread)
		f.chances = append(f.chances, studentT((target-mean)/sd, 2*an))
		evidence := float64(-0.5*detmath.Log(det)) - float64(an*detmath.Log(bn))
		f.evids = append(f.evids, evidence)
		top = max(top, evidence)
	}
	sum, weight := 0.0, 0.0
	for i, e := range f.evids {
		w := detmath.Exp(e - top)
		weight += w
		sum += float64(w * f.chances[i])
	}
	return min(sum/weight, 1)
}

// studentT is the distribution function of Student's t with nu degrees of
// freedom, by the transformation to a normal of Wallace (1959); its error is
// below 0.003 from four degrees on.
func studentT(t, nu float64) float64 {
	z := (8*nu + 1) / (8*nu + 3) * math.Sqrt(float64(nu*detmath.Log1p(float64(t*t)/nu)))
	if t < 0 {
		z = -z
	}
	return detmath.Phi(z)
}

// hopeless takes the next point of a trial's curve and reports whether the
// trial should end.
func (c *curveState) hopeless(number int64, f *fit, step int64, loss float64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last[number] = max(c.last[number], step)
	f.add(step, loss)
	if c.ended < c.rule.Startup || len(f.steps) < c.rule.Warmup || step >= c.horizon || math.IsInf(c.best, 1) {
		return false
	}
	return f.chance(c, c.best) < c.rule.Chance
}
