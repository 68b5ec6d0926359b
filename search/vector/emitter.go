package vector

import (
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/metric"
)

// An Emitter proposes points for an [Archive] and learns from what became of
// them.
type Emitter interface {
	// Batch is how many points the emitter would make between two updates.
	Batch() int

	// Ask fills x with points; number is that of the first, and points are
	// numbered in the order of asking.
	Ask(a *Archive, x []float64) (number int64)

	// Tell reports one point that the emitter made, and what Add said of it.
	Tell(a *Archive, number int64, x []float64, objective float64, status metric.Status, gain float64)
}

// A Gaussian emitter adds noise to elites, as MAP-Elites does.
type Gaussian struct {
	start []float64
	sigma float64
	batch int
	rand  source
	asked int64
}

// NewGaussian makes an emitter that begins around start and adds normal noise of
// standard deviation sigma to each coordinate.
func NewGaussian(start []float64, sigma float64, batch int, seed uint64) *Gaussian {
	checkEmitter(start, batch, sigma)
	return &Gaussian{start: start, sigma: sigma, batch: batch, rand: newSource(seed, "vector/gaussian")}
}

func checkEmitter(start []float64, batch int, scales ...float64) {
	if len(start) == 0 || batch < 1 {
		panic(fmt.Sprintf("vector: emitter: found a start of %d numbers and a batch of %d, want at least 1 of each", len(start), batch))
	}
	for _, s := range scales {
		if !(s >= 0) || !finite(s) {
			panic(fmt.Sprintf("vector: emitter: found a standard deviation of %v, want a finite number of at least 0", s))
		}
	}
}

// Batch implements [Emitter].
func (g *Gaussian) Batch() int { return g.batch }

// Ask implements [Emitter].
func (g *Gaussian) Ask(a *Archive, x []float64) int64 {
	first := g.asked
	g.rand.normals(x)
	n := len(g.start)
	for ; len(x) > 0; x = x[n:] {
		g.asked++
		from := a.elite(&g.rand)
		if from == nil {
			from = g.start
		}
		p := x[:n]
		from = from[:len(p)]
		for i := range p {
			p[i] = from[i] + float64(g.sigma*p[i])
		}
	}
	return first
}

// Tell implements [Emitter]; there is nothing to learn.
func (g *Gaussian) Tell(*Archive, int64, []float64, float64, metric.Status, float64) {}

// An IsoLine emitter moves elites by isotropic noise and along the line to
// another elite (Vassiliades and Mouret 2018, Discovering the elite hypervolume
// by leveraging interspecies correlation): x + iso·N(0, I) + line·(y - x)·N(0, 1).
type IsoLine struct {
	start     []float64
	iso, line float64
	batch     int
	rand      source
	asked     int64
}

// NewIsoLine makes an emitter that begins around start. Common values are an iso
// of 0.01 and a line of 0.2.
func NewIsoLine(start []float64, iso, line float64, batch int, seed uint64) *IsoLine {
	checkEmitter(start, batch, iso, line)
	return &IsoLine{start: start, iso: iso, line: line, batch: batch, rand: newSource(seed, "vector/iso-line")}
}

// Batch implements [Emitter].
func (g *IsoLine) Batch() int { return g.batch }

// Ask implements [Emitter].
func (g *IsoLine) Ask(a *Archive, x []float64) int64 {
	first := g.asked
	g.rand.normals(x)
	n := len(g.start)
	for ; len(x) > 0; x = x[n:] {
		g.asked++
		from, to := a.elite(&g.rand), a.elite(&g.rand)
		if from == nil {
			from, to = g.start, g.start
		}
		along := float64(g.line * g.rand.normal())
		p := x[:n]
		from, to = from[:len(p)], to[:len(p)]
		for i := range p {
			p[i] = from[i] + float64(g.iso*p[i]) + float64(along*(to[i]-from[i]))
		}
	}
	return first
}

// Tell implements [Emitter]; there is nothing to learn.
func (g *IsoLine) Tell(*Archive, int64, []float64, float64, metric.Status, float64) {}

// ImprovementOptions configures an [Improvement] emitter.
type ImprovementOptions struct {
	Coordinates []Coordinate // unbounded reals, if only Start is given
	Start       []float64    // the first mean
	Sigma       float64      // first standard deviation; 0 means 0.5
	Batch       int          // points of a generation; 0 means 36
	Separable   bool         // adapt variances only

	// Annealing is for archives with thresholds (CMA-MAE): points are ranked by
	// gain alone, the better half are parents, and the emitter restarts only when
	// its strategy has converged. Otherwise (CMA-ME) new cells rank before
	// improved ones, all points that entered the archive are parents, and the
	// emitter restarts when none did.
	Annealing bool

	Seed uint64
}

// Improvement is an emitter whose points come from a [CMA] that is led by what
// improves the archive (Fontaine, Togelius, Nikolaidis and Hoover 2020, CMA-ME;
// Fontaine and Nikolaidis 2023, CMA-MAE). A restart begins at a random elite.
type Improvement struct {
	*CMA
	o        ImprovementOptions
	status   []metric.Status
	gain     []float64
	entered  int
	restarts int
}

// NewImprovement makes an emitter.
func NewImprovement(o ImprovementOptions) (*Improvement, error) {
	if o.Coordinates == nil {
		o.Coordinates = make([]Coordinate, len(o.Start))
	}
	if o.Sigma == 0 {
		o.Sigma = 0.5
	}
	if o.Batch == 0 {
		o.Batch = 36
	}
	c, err := NewCMA(CMAOptions{
		Coordinates: o.Coordinates, Mean: o.Start, Sigma: o.Sigma, Population: o.Batch, Separable: o.Separable,
		NoActive: true, Seed: o.Seed,
	})
	if err != nil {
		return nil, err
	}
	return &Improvement{CMA: c, o: o}, nil
}

// Begun reports whether a point was asked for or a restart chose where to begin.
func (e *Improvement) Begun() bool { return e.restarts > 0 || e.CMA.asked > 0 }

// Restarts returns how often the emitter began anew.
func (e *Improvement) Restarts() int { return e.restarts }

// Ask implements [Emitter].
func (e *Improvement) Ask(_ *Archive, x []float64) int64 { return e.CMA.Ask(x) }

// Tell implements [Emitter]. x is a point as it came from Ask.
func (e *Improvement) Tell(a *Archive, number int64, x []float64, objective float64, status metric.Status, gain float64) {
	if e.Observe(number, x, status, gain) {
		if from := a.elite(&e.rand); from != nil {
			e.Restart(from)
		} else {
			e.Restart(nil)
		}
	}
}

// Observe is Tell without an archive. It reports true when the emitter wants to
// begin anew, by [Improvement.Restart].
func (e *Improvement) Observe(number int64, x []float64, status metric.Status, gain float64) (over bool) {
	c := e.CMA
	c.told++
	if number >= 0 && number < c.epoch || !c.collect(number, x, 0) {
		return false
	}
	e.status = append(e.status, status)
	e.gain = append(e.gain, gain)
	if status == metric.New || status == metric.Improved {
		e.entered++
	}
	if len(e.gain) < c.lambda {
		return false
	}
	parents := c.lambda / 2
	order := c.order[:0]
	for i := range e.gain { // insertion sort: batches are small
		k := i
		order = append(order, 0)
		for ; k > 0 && e.before(i, int(order[k-1])); k-- {
			order[k] = order[k-1]
		}
		order[k] = int32(i)
	}
	c.order = order
	if !e.o.Annealing {
		parents = e.entered
	}
	flat := false
	if parents > 0 {
		if c.tables == nil {
			c.tables = make([]strategy, c.lambda+1)
		}
		if c.tables[parents].w == nil {
			c.tables[parents] = newStrategy(c.n, c.lambda, parents, false, c.o.Separable)
		}
		s := &c.tables[parents]
		c.learn(order, s)
		c.moveOptions(order, s)
		first, last := order[0], order[len(order)-1]
		flat = e.status[first] == e.status[last] && math.Abs(e.gain[first]-e.gain[last]) < 1e-12
	}
	over = parents == 0 || flat || e.spent()
	e.status, e.gain, e.entered = e.status[:0], e.gain[:0], 0
	c.collected()
	return over
}

// before reports whether point i ranks before point k.
func (e *Improvement) before(i, k int) bool {
	if !e.o.Annealing && e.status[i] != e.status[k] {
		return e.status[i] > e.status[k]
	}
	return e.gain[i] > e.gain[k]
}

// spent reports whether the strategy has converged.
func (e *Improvement) spent() bool {
	c := e.CMA
	if c.maxCond > 1e14 {
		return true
	}
	largest := 0.0
	for i := range c.n {
		largest = max(largest, c.variance(i))
	}
	return c.n > 0 && c.sigma*math.Sqrt(largest) < 1e-11
}

// Restart begins anew at a point of the search, or at a random one if x is nil.
func (e *Improvement) Restart(x []float64) {
	c := e.CMA
	e.restarts++
	mean := make([]float64, c.n)
	for i := range c.num {
		k := &c.num[i]
		switch {
		case x != nil:
			mean[i] = k.scaled(x[k.at])
		case k.bounded:
			mean[i] = c.rand.unit()
		case e.o.Start != nil:
			mean[i] = e.o.Start[k.at]
		}
	}
	tables := c.tables
	c.reset(mean, c.o.Sigma, c.lambda)
	c.tables = tables
	e.status, e.gain, e.entered = e.status[:0], e.gain[:0], 0
}
