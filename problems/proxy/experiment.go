package proxy

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
)

// heldOut is the share of collected designs that is not learned from: half of it
// chooses among the predictors, half judges them.
const heldOut = 0.2

// A sample is a design with the metrics that are predicted, in their order.
type sample struct {
	design space.Design
	values []float64
}

// A collection is what one method measured.
type collection struct {
	name       string
	asked      int
	infeasible int
	samples    []sample // designs that are not the same thing as an earlier one
	best       []float64
}

// An experiment is everything that was measured and learned.
type experiment struct {
	sources []collection
	chosen  []fitted // a metric each
	trials  [][]trial
	// errors of predictors that learned from one method each, then from as many
	// designs of all, then from everything there is, by metric
	diversity []lesson
	random    []sample // to judge by, of no method
	measured  int
	simulate  time.Duration // of one measurement, on one core
	collect   time.Duration
	train     time.Duration
}

// A trial is how one predictor of one metric did.
type trial struct {
	name           string
	random, pooled predict.Quality // on random designs, on collected ones
	choice         float64         // relative error that it is chosen by
	call           time.Duration   // of one design, alone
}

// A lesson is what was learned from some designs.
type lesson struct {
	from           string
	designs        int
	random, pooled []float64 // relative root mean squared errors by metric
}

// Prepare collects, measures and learns. It implements [problem.Preparer].
func (p *Problem) Prepare(ctx context.Context, progress func(doing string, done, all int)) error {
	_, err := p.prepared(ctx, progress)
	return err
}

// prepared returns the experiment, which it makes when it is first called.
func (p *Problem) prepared(ctx context.Context, progress func(doing string, done, all int)) (*experiment, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ready {
		return &p.found, nil
	}
	x := experiment{}
	if err := p.collect(ctx, &x, progress); err != nil {
		return nil, fmt.Errorf("proxy: collecting: %w", err)
	}
	if err := p.learn(ctx, &x, progress); err != nil {
		return nil, fmt.Errorf("proxy: learning: %w", err)
	}
	p.found, p.ready = x, true
	return &p.found, nil
}

func (p *Problem) now() time.Time {
	if p.o.Clock == nil {
		return time.Time{}
	}
	return p.o.Clock()
}

// measurer measures designs on all cores.
type measurer struct {
	p     *Problem
	ctx   context.Context
	slots chan struct{}
	done  atomic.Int64
	spent atomic.Int64 // nanoseconds of all measurements together
	tick  func(done int)
}

// all measures the designs in parallel.
func (m *measurer) all(designs []space.Design) []problem.Result {
	out := make([]problem.Result, len(designs))
	var wg sync.WaitGroup
	for i, d := range designs {
		m.slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-m.slots }()
			began := m.p.now()
			out[i].Values, out[i].Err = m.p.o.Of.Evaluate(m.ctx, d, nil)
			m.spent.Add(int64(m.p.now().Sub(began)))
			m.tick(int(m.done.Add(1)))
		})
	}
	wg.Wait()
	return out
}

// row returns the predicted metrics of a result; false if the design is
// infeasible or lacks one.
func (p *Problem) row(r problem.Result) ([]float64, bool) {
	if r.Err != nil {
		return nil, false
	}
	out := make([]float64, len(p.metrics))
	for i, m := range p.metrics {
		v, ok := r.Values[m.Name]
		if !ok || v-v != 0 {
			return nil, false
		}
		out[i] = v
	}
	return out, true
}

func (p *Problem) collect(ctx context.Context, x *experiment, progress func(doing string, done, all int)) error {
	began := p.now()
	share := p.o.Designs / len(p.o.Sources)
	all := share*len(p.o.Sources) + p.o.Test
	var telling sync.Mutex
	m := &measurer{p: p, ctx: ctx, slots: make(chan struct{}, runtime.GOMAXPROCS(0))}
	m.tick = func(done int) {
		telling.Lock()
		defer telling.Unlock()
		progress("measuring designs", done, max(all, done)) // infeasible ones are made up for
	}
	x.sources = make([]collection, len(p.o.Sources))
	failed := make([]error, len(p.o.Sources))
	var wg sync.WaitGroup
	for i, s := range p.o.Sources {
		wg.Go(func() { failed[i] = p.follow(m, s, share, &x.sources[i]) })
	}
	wg.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, c := range x.sources {
		for _, s := range c.samples {
			seen[p.Key(s.design)] = true
		}
	}
	if err := p.probe(m, x, seen); err != nil {
		return err
	}
	x.measured = int(m.done.Load())
	x.simulate = time.Duration(m.spent.Load() / max(m.done.Load(), 1))
	x.collect = p.now().Sub(began)
	return nil
}

// follow lets a method search until it has measured n designs.
func (p *Problem) follow(m *measurer, s Source, n int, c *collection) error {
	c.name = s.Name
	asker, err := s.Open(p.Space(), len(p.goal.Objectives), n, p.o.Seed)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	seen := map[string]bool{}
	c.best = slices.Repeat([]float64{math.Inf(1)}, len(p.goal.Objectives))
	for c.asked < n {
		designs, err := asker.Ask()
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		designs = designs[:min(len(designs), n-c.asked)]
		if len(designs) == 0 {
			return nil
		}
		results := m.all(designs)
		if err := m.ctx.Err(); err != nil {
			return err
		}
		scores := make([]metric.Score, len(results))
		for i, r := range results {
			c.asked++
			row, ok := p.row(r)
			if !ok {
				if unfit := new(problem.InfeasibleError); r.Err != nil && !errors.As(r.Err, &unfit) {
					return fmt.Errorf("%s: design %v: %w", s.Name, designs[i], r.Err)
				}
				c.infeasible++
				continue
			}
			scores[i] = p.goal.Score(r.Values)
			for k, loss := range scores[i].Loss {
				c.best[k] = min(c.best[k], loss)
			}
			if key := p.Key(designs[i]); !seen[key] {
				seen[key] = true
				c.samples = append(c.samples, sample{designs[i], row})
			}
		}
		asker.Tell(results, scores)
	}
	return nil
}

// probe measures random designs that no method has measured.
func (p *Problem) probe(m *measurer, x *experiment, seen map[string]bool) error {
	r := rng.New(p.o.Seed, "proxy/test", 0)
	for tries := 0; len(x.random) < p.o.Test; tries++ {
		if tries > 20 {
			if len(x.random) >= 2 {
				return nil // a small space
			}
			return errors.New("random designs to judge by: found none that is feasible and not collected; take fewer designs")
		}
		var designs []space.Design
		for k := 0; k < 10*p.o.Test && len(designs) < p.o.Test-len(x.random); k++ {
			d, err := p.Space().Sample(r)
			if err != nil {
				return err
			}
			if key := p.Key(d); !seen[key] {
				seen[key] = true
				designs = append(designs, d)
			}
		}
		for i, res := range m.all(designs) {
			if row, ok := p.row(res); ok {
				x.random = append(x.random, sample{designs[i], row})
			}
		}
		if err := m.ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// fit learns one metric from samples.
func (p *Problem) fit(ctx context.Context, l learner, k int, from []sample) (fitted, error) {
	f := fitted{learner: l, log: true}
	e := p.encoders[index(l.oneHot)]
	t := &predict.Table{Columns: e.Columns(), X: make([]float64, 0, len(from)*len(e.Columns()))}
	for _, s := range from {
		var err error
		if t.X, err = e.Encode(t.X, s.design); err != nil {
			return f, err
		}
		t.Y = append(t.Y, s.values[k])
		f.log = f.log && s.values[k] > 0
	}
	if f.log {
		for i, y := range t.Y {
			t.Y[i] = detmath.Log(y)
		}
	}
	var err error
	f.model, err = l.predict.Fit(ctx, t, p.o.Seed)
	return f, err
}

// assess tells how well samples are predicted.
func (p *Problem) assess(f *fitted, k int, on []sample) (predict.Quality, error) {
	designs := make([]space.Design, len(on))
	actual := make([]float64, len(on))
	for i, s := range on {
		designs[i], actual[i] = s.design, s.values[k]
	}
	rows, err := p.rows(index(f.oneHot), designs)
	if err != nil {
		return predict.Quality{}, err
	}
	return predict.Assess(f.values(rows, len(on)), nil, actual, 0), nil
}

// shuffled returns the samples in an order of chance.
func shuffled(in []sample, seed uint64, n uint64) []sample {
	out := slices.Clone(in)
	rng.New(seed, "proxy/order", n).Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func (p *Problem) learn(ctx context.Context, x *experiment, progress func(doing string, done, all int)) error {
	began := p.now()
	// What was collected, without what two methods both measured, in three parts.
	var pool []sample
	own := map[string]bool{}
	for _, c := range x.sources {
		for _, s := range c.samples {
			if key := p.Key(s.design); !own[key] {
				own[key] = true
				pool = append(pool, s)
			}
		}
	}
	if len(pool) < 20 {
		return fmt.Errorf("found %d different feasible designs, want 20 at least", len(pool))
	}
	pool = shuffled(pool, p.o.Seed, 0)
	out := max(int(heldOut*float64(len(pool))), 4)
	choose, judge, train := pool[:out/2], pool[out/2:out], pool[out:]
	held := map[string]bool{}
	for _, s := range pool[:out] {
		held[p.Key(s.design)] = true
	}

	steps := len(p.metrics) * len(p.learners)
	x.trials = make([][]trial, len(p.metrics))
	for k := range p.metrics {
		best := math.Inf(1)
		x.chosen = append(x.chosen, fitted{})
		for i, l := range p.learners {
			progress("learning "+p.metrics[k].Name+" by "+l.name, k*len(p.learners)+i, steps)
			f, err := p.fit(ctx, l, k, train)
			if err != nil {
				return fmt.Errorf("%s by %s: %w", p.metrics[k].Name, l.name, err)
			}
			t := trial{name: l.name}
			q, err := p.assess(&f, k, choose)
			if err != nil {
				return err
			}
			t.choice = q.RelativeRMSE
			if t.pooled, err = p.assess(&f, k, judge); err != nil {
				return err
			}
			if t.random, err = p.assess(&f, k, x.random); err != nil {
				return err
			}
			if t.call, err = p.time(&f, x.random); err != nil {
				return err
			}
			if i == 0 || t.choice < best {
				best, x.chosen[k] = t.choice, f
			}
			x.trials[k] = append(x.trials[k], t)
		}
	}
	x.train = p.now().Sub(began)
	return p.compare(ctx, x, train, judge, held, progress)
}

// time returns how long a predictor takes for one design alone.
func (p *Problem) time(f *fitted, on []sample) (time.Duration, error) {
	e := p.encoders[index(f.oneHot)]
	row := make([]float64, 0, len(e.Columns()))
	var out [1]float64
	var err error
	on = on[:min(len(on), 500)]
	began := p.now()
	for _, s := range on {
		if row, err = e.Encode(row[:0], s.design); err != nil {
			return 0, err
		}
		f.model.Predict(row, out[:], nil)
	}
	return p.now().Sub(began) / time.Duration(len(on)), nil
}

// compare learns from one method at a time and from all together.
func (p *Problem) compare(ctx context.Context, x *experiment, train, judge []sample, held map[string]bool, progress func(doing string, done, all int)) error {
	if len(x.sources) < 2 {
		return nil
	}
	least := len(train)
	var parts []lesson
	var from [][]sample
	add := func(name string, s []sample) {
		parts, from = append(parts, lesson{from: name}), append(from, s)
	}
	for i, c := range x.sources {
		keep := slices.DeleteFunc(shuffled(c.samples, p.o.Seed, uint64(1+i)), func(s sample) bool { return held[p.Key(s.design)] })
		if len(keep) < 10 {
			continue
		}
		least = min(least, len(keep))
		add(c.name, keep)
	}
	add("all, as many", train) // shuffled already
	for i := range from {
		from[i] = from[i][:least]
	}
	add("all", train)
	for i := range parts {
		l := &parts[i]
		l.designs = len(from[i])
		for k := range p.metrics {
			progress("comparing what was learned from", i*len(p.metrics)+k, len(parts)*len(p.metrics))
			f, err := p.fit(ctx, x.chosen[k].learner, k, from[i])
			if err != nil {
				return err
			}
			random, err := p.assess(&f, k, x.random)
			if err != nil {
				return err
			}
			pooled, err := p.assess(&f, k, judge)
			if err != nil {
				return err
			}
			l.random, l.pooled = append(l.random, random.RelativeRMSE), append(l.pooled, pooled.RelativeRMSE)
		}
	}
	x.diversity = parts
	return nil
}
