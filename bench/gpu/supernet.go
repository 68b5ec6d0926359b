package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/supernet"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/neural/train/engine"
	"github.com/daedalus-search/daedalus/space"
)

// block is the batch of statistics and evaluations, of which there are only whole ones:
// another size would be compiled once more for every network.
const block = 256

// between draws the networks of a sandwich from some.
type between []space.Design

func (b between) String() string { return fmt.Sprintf("%d networks", len(b)) }

// Sample implements [supernet.Sampler].
func (b between) Sample(r *rand.Rand, _ *supernet.Supernet, _ *space.Space) ([]space.Design, error) {
	return []space.Design{b[r.IntN(len(b))]}, nil
}

// A setup is a training and what it is measured by.
type setup struct {
	s       *supernet.Supernet
	learn   *data.Set // images to train on
	steady  *data.Set // training images that give the statistics of batch normalisation
	valid   *data.Set // test images on which networks are ranked
	truth   *truth
	trained int // how many networks of the truth are trained: the first ones
	recipe  train.Recipe
	steps   int
	every   int // steps between two rankings
}

// A choice is what a user may change of a setup.
type choice struct {
	steps, batch, nets, every, calibrate, valid int
	rate                                        float64
	seed                                        uint64
}

func newSetup(s *supernet.Supernet, learn, test *data.Set, t *truth, c choice) (*setup, error) {
	var errs []error
	whole := func(name string, n, low, high int) {
		if n < low || n > high {
			errs = append(errs, fmt.Errorf("-%s: found %d, want %d to %d", name, n, low, high))
		}
	}
	whole("steps", c.steps, 1, 1<<30)
	whole("batch", c.batch, 1, learn.Len())
	whole("nets", c.nets, 3, len(t.Networks))
	whole("every", c.every, 0, c.steps)
	whole("calibrate", c.calibrate, block, learn.Len())
	whole("valid", c.valid, block, test.Len())
	for name, n := range map[string]int{"calibrate": c.calibrate, "valid": c.valid} {
		if n%block != 0 {
			errs = append(errs, fmt.Errorf("-%s: found %d, want a multiple of %d", name, n, block))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	e := &setup{s: s, learn: learn, truth: t, trained: c.nets, steps: c.steps, every: c.every}
	if e.every == 0 {
		e.every = max(1, c.steps/12)
	}
	var err error
	if e.steady, err = learn.Fraction(c.seed, float64(c.calibrate)/float64(learn.Len())); err != nil {
		return nil, err
	}
	if e.valid, err = test.Fraction(c.seed, float64(c.valid)/float64(test.Len())); err != nil {
		return nil, err
	}
	r := train.Recipe{Batch: c.batch, LearningRate: c.rate, Schedule: "exponential", WeightDecay: 1e-4, Calibrate: c.calibrate, Seed: c.seed}
	r.Epochs = float64(c.steps) / float64(learn.Len()/c.batch)
	if e.recipe, err = r.Filled(); err != nil {
		return nil, err
	}
	if n := e.length().Steps; n != int64(c.steps) {
		return nil, fmt.Errorf("-steps: found %d, which come to %d", c.steps, n)
	}
	return e, nil
}

func (e *setup) length() train.Length { return e.recipe.Length(e.learn.Len()) }

// sampler is the sandwich rule with two networks between the largest and the smallest,
// of those that are trained.
func (e *setup) sampler() supernet.Sandwich {
	return supernet.Sandwich{Between: between(e.truth.designs[2:e.trained])}
}

// sample returns the networks of a step.
func (e *setup) sample(step int) ([]space.Design, error) {
	return e.sampler().Sample(rng.New(e.recipe.Seed, "supernet/sample", uint64(step)), e.s, e.s.Space())
}

func (e *setup) loader() (*data.Loader, error) {
	return e.learn.Loader(data.Options{Batch: e.recipe.Batch, Seed: e.recipe.Seed, Shuffle: true, Whole: true, Scale: e.learn.Scale()})
}

func (e *setup) optimizer() engine.Optimizer {
	return engine.Optimizer{Kind: engine.SGD, Momentum: e.recipe.Momentum, WeightDecay: e.recipe.WeightDecay}
}

// A Cost is time by two clocks.
type cost struct {
	Wall      float64 `json:"wall_s"`
	Processor float64 `json:"processor_s"` // of the process, in all threads
}

func (c cost) plus(d cost) cost { return cost{c.Wall + d.Wall, c.Processor + d.Processor} }

// measure returns what f costs.
func measure(f func() error) (cost, error) {
	wall, cpu := time.Now(), processor()
	err := f()
	return cost{time.Since(wall).Seconds(), (processor() - cpu).Seconds()}, err
}

// A result is what a program measured: this one or torch_supernet.py.
type result struct {
	Program  string            `json:"program"` // such as "Daedalus" or "PyTorch eager"
	Device   string            `json:"device"`
	Versions map[string]string `json:"versions"`
	Plan     string            `json:"plan"` // digest of all that was to be done
	Batch    int               `json:"batch"`
	Trained  int               `json:"trained_networks"`
	// WarmUp is the first step of every network and its first evaluation, with
	// whatever was compiled for them.
	WarmUp   cost    `json:"warm_up"`
	Train    cost    `json:"train"`    // all steps
	Evaluate cost    `json:"evaluate"` // all rankings
	Curve    []point `json:"curve"`
}

// A point is the supernet after some steps.
type point struct {
	Step     int       `json:"step"`
	Train    cost      `json:"train"`   // of all steps so far
	Loss     float64   `json:"loss"`    // of the largest network, mean since the point before
	Kendall  *float64  `json:"kendall"` // of the ranks here and those of the truth; null if all networks are equal
	Accuracy []float64 `json:"accuracy"`
}

// A machine has the supernet's weights on a device.
type machine struct {
	e        *setup
	params   *engine.Params
	updates  *engine.OptimizerState
	gradient *engine.Gradient
}

func (e *setup) machine(dev *engine.Device, w neural.Weights) (*machine, error) {
	p, err := dev.Params(e.s.All(), w)
	if err != nil {
		return nil, err
	}
	return e.machineOf(p)
}

func (e *setup) machineOf(p *engine.Params) (m *machine, err error) {
	m = &machine{e: e, params: p}
	if m.updates, err = p.NewOptimizer(e.optimizer()); err != nil {
		return nil, err
	}
	m.gradient, err = p.NewGradient()
	return m, err
}

// step trains networks on a batch by the sandwich rule with distillation in place, as a
// phase of [supernet.BigNAS] does, and returns the loss of the first.
func (m *machine) step(designs []space.Design, batch *data.Batch, rate float64) (loss float64, err error) {
	b := &engine.Batch{N: batch.N, Inputs: batch.Inputs, Classes: batch.Classes}
	for k, d := range designs {
		n, err := m.net(d)
		if err != nil {
			return 0, err
		}
		of := engine.Loss{}
		if k > 0 {
			of = engine.Loss{Imitate: 1, Temperature: m.e.recipe.Temperature}
		}
		score, err := n.Gradient(b, of, engine.Noise{}, m.gradient)
		if err != nil {
			return 0, fmt.Errorf("network %s: %w", d, err)
		}
		if k == 0 {
			loss, b.Teacher = score.Loss, score.Outputs
		}
	}
	_, err = m.params.Step(m.updates, m.gradient, rate)
	return loss, err
}

func (m *machine) net(d space.Design) (*engine.Net, error) {
	g, err := m.e.s.Graph(d)
	if err != nil {
		return nil, err
	}
	return m.params.Net(g)
}

// rank evaluates all networks of the truth with the weights as they are.
func (m *machine) rank(ctx context.Context, steady, valid *data.Set) ([]float64, error) {
	all := &supernet.Evaluator{
		Supernet: m.e.s, Params: m.params, Train: steady, Valid: valid, Scale: m.e.learn.Scale(),
		Calibrate: steady.Len(), Batch: block, Seed: m.e.recipe.Seed,
	}
	var out []float64
	for _, d := range m.e.truth.designs {
		x, err := all.Evaluate(ctx, d)
		if err != nil {
			return nil, err
		}
		out = append(out, 100*x.Accuracy)
	}
	return out, nil
}

// kendall compares accuracies with the truth.
func (t *truth) kendall(accuracy []float64) *float64 {
	var x []float64
	for _, k := range t.Networks {
		x = append(x, k.mean())
	}
	k := metric.Kendall(accuracy, x)
	if math.IsNaN(k) {
		return nil
	}
	return &k
}

// warmUp computes everything once that the training will, on other weights.
func (e *setup) warmUp(ctx context.Context, dev *engine.Device, p *engine.Params) error {
	own, err := p.Clone() // which shares what is compiled
	if err != nil {
		return err
	}
	defer own.Free()
	m, err := e.machineOf(own)
	if err != nil {
		return err
	}
	defer m.updates.Free()
	l, err := e.loader()
	if err != nil {
		return err
	}
	b := l.NewBatch()
	l.Fill(b, 0, 0)
	for _, d := range e.truth.designs[1:e.trained] {
		if _, err := m.step([]space.Design{e.s.Largest(), d}, b, 0); err != nil {
			return err
		}
	}
	first := make([]int, block)
	for i := range first {
		first[i] = i
	}
	steady, err := e.steady.Subset(first)
	if err != nil {
		return err
	}
	valid, err := e.valid.Subset(first)
	if err != nil {
		return err
	}
	_, err = m.rank(ctx, steady, valid)
	return err
}

// run trains the supernet, and says how that goes. It also returns the weights.
func (e *setup) run(ctx context.Context, dev *engine.Device, w neural.Weights, out io.Writer) (*result, neural.Weights, error) {
	m, err := e.machine(dev, w)
	if err != nil {
		return nil, nil, err
	}
	r := &result{Program: "Daedalus", Device: dev.Name(), Versions: map[string]string{"Go": runtime.Version()}, Batch: e.recipe.Batch, Trained: e.trained}
	if r.WarmUp, err = measure(func() error { return e.warmUp(ctx, dev, m.params) }); err != nil {
		return nil, nil, err
	}
	fmt.Fprintf(out, "%s: warm after %.1f s\n", r.Device, r.WarmUp.Wall)
	l, err := e.loader()
	if err != nil {
		return nil, nil, err
	}
	stream := l.Stream(0, 0, 2)
	defer stream.Close()
	sum, last := 0.0, 0
	for step := 0; step < e.steps; {
		spent, err := measure(func() error {
			for to := min(step+e.every, e.steps); step < to; step++ {
				if err := ctx.Err(); err != nil {
					return err
				}
				designs, err := e.sample(step)
				if err != nil {
					return err
				}
				loss, err := m.step(designs, stream.Next(), e.recipe.Rate(int64(step), e.length()))
				if err != nil {
					return fmt.Errorf("step %d of %d: %w", step+1, e.steps, err)
				}
				sum += loss
			}
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
		r.Train = r.Train.plus(spent)
		p := point{Step: step, Train: r.Train, Loss: sum / float64(step-last)}
		spent, err = measure(func() (err error) { p.Accuracy, err = m.rank(ctx, e.steady, e.valid); return err })
		if err != nil {
			return nil, nil, err
		}
		r.Evaluate = r.Evaluate.plus(spent)
		p.Kendall = e.truth.kendall(p.Accuracy)
		r.Curve = append(r.Curve, p)
		fmt.Fprintf(out, "step %5d of %d: loss %.4f, Kendall %s, %.0f images/s\n", step, e.steps, p.Loss, number(p.Kendall), float64(step*e.recipe.Batch)/r.Train.Wall)
		sum, last = 0, step
	}
	w, err = m.params.Weights()
	return r, w, err
}

func number(x *float64) string {
	if x == nil {
		return "none"
	}
	return fmt.Sprintf("%.3f", *x)
}
