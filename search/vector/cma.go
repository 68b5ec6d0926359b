package vector

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// CMAOptions configures a [CMA]. Only Coordinates are needed.
type CMAOptions struct {
	Coordinates []Coordinate

	// Mean is where the search begins, in the coordinates' units; nil means the
	// middle of the bounds, and 0 where there are none. Entries of categories
	// are not used.
	Mean []float64
	// Sigma is the first standard deviation, as a share of the range of bounded
	// coordinates and absolute for the others; 0 means 0.3.
	Sigma float64
	// Population is how many points make a generation; 0 means 4 + 3·ln n.
	Population int
	// Separable adapts variances only: each update costs O(n) instead of O(n²).
	Separable bool
	// Restart says what happens when the search has converged or is stuck.
	Restart Restart
	// MaxPopulation bounds the population after restarts; 0 means 512 times the
	// first.
	MaxPopulation int
	// Margin is the least probability of leaving the current level of a
	// discrete coordinate; 0 means 1/(n·population), a negative number none.
	Margin float64
	// NoActive leaves out the negative weights of the worse half.
	NoActive bool

	Seed uint64
}

// CMA is the covariance matrix adaptation evolution strategy: points are drawn
// from a normal distribution whose mean, step size and covariances follow the
// better points.
//
// The update is that of Hansen (2016, The CMA evolution strategy: a tutorial):
// cumulative step-size adaptation, rank-one and rank-μ update with negative
// weights for the worse half ("active", equations 42 to 53 and table 1), and an
// eigendecomposition every n·(c1+cμ)/2 generations, O(n³), so that an update
// costs O(n²) a point. Separable keeps the diagonal only (Ros and Hansen 2008),
// with its rates raised by (n+2)/3.
//
// Discrete coordinates with an order follow Hamano, Saito, Nomura and Shirakawa
// (2022, CMA-ES with margin): a point is snapped to its level for evaluation
// only, and mean and scale of the coordinate are moved so that at least the
// margin of the probability lies on other levels; without that, a level is final
// once the step size is small against the distance of levels. Categories follow
// CatCMA (Hamano, Nomura, Saito, Uchida and Shirakawa 2024): a distribution over
// the options of each, moved by the natural gradient with an adaptive step and a
// lower bound of the probabilities.
//
// The distribution knows no bounds: points come from Ask in the coordinates of
// the search, and [CMA.Decode] turns them into what they stand for. A bounded
// real coordinate is the identity in the middle of its range and touches its
// bounds by a parabola, mirrored beyond, so that an optimum on a bound is found
// as quickly as one inside (pycma's treatment of bounds).
//
// Points told late, from before the last update, and points from elsewhere are
// learned from as well, after shortening their step to a usual length (Hansen
// 2011, Injecting external solutions into CMA-ES). The best of those told before
// the first is asked for is where the search begins.
type CMA struct {
	o    CMAOptions
	dim  int
	num  []numeric
	cats []category
	n    int // of numeric coordinates
	rand source

	lambda int
	first  int // first population
	strategy
	tables  []strategy // by number of parents, for the emitters
	sigma   float64
	sigma0  float64
	mean    []float64 // scaled
	c       []float64 // lower triangle used; or the variances
	d       []float64 // square roots of the eigenvalues, or standard deviations
	bd      []float64 // columns of b by d: row i gives coordinate i
	ps, pc  []float64
	widen   []float64 // of discrete coordinates: A in Hamano et al.
	eig     *eigen
	stale   int // generations since the decomposition
	gap     int
	maxCond float64

	q     []float64 // probabilities of the options, by category
	qMin  []float64 // by category
	delta float64   // ASNG: inverse of the trust
	gamma float64
	path  []float64

	// The generation that is being collected.
	xs      []float64 // scaled, population·n
	picks   []int32   // population·categories
	loss    []float64
	late    []bool
	order   []int32
	y, z    []float64
	shift   []float64
	grad    []float64
	steps   []float64
	weights []float64

	asked      int64 // points drawn
	current    int64 // number of the first point of this generation
	epoch      int64 // number of the first point since the restart
	generation int   // since the restart
	told       int64
	start      float64 // loss of the point at which the first mean is

	history []float64 // best of each generation, a ring
	medians []float64 // for stagnation
	bests   []float64
	stop    string

	restarts    int
	large       int // BIPOP: population of the large regime
	spentLarge  int64
	spentSmall  int64
	inSmall     bool
	epochBegins int64 // told at the last restart
}

// strategy holds the parameters that depend on the number of parents.
type strategy struct {
	mu                     int
	w                      []float64 // positive for the parents, then negative
	mueff                  float64
	cs, ds, cc, c1, cmu    float64
	decay                  float64 // sum of all weights
	catW                   []float64
	rootS, rootC, boundHS2 float64
}

// NewCMA makes a search. It fails if the options contradict each other.
func NewCMA(o CMAOptions) (*CMA, error) {
	num, cats, err := compile(o.Coordinates)
	if err != nil {
		return nil, err
	}
	var errs []error
	fail := func(field string, found any, want string) {
		errs = append(errs, fmt.Errorf("vector: cma: %s: found %v, want %s", field, found, want))
	}
	if o.Mean != nil && len(o.Mean) != len(o.Coordinates) {
		fail("mean", fmt.Sprintf("%d numbers", len(o.Mean)), fmt.Sprintf("%d, one for each coordinate", len(o.Coordinates)))
	}
	for i, x := range o.Mean {
		if !finite(x) {
			fail(fmt.Sprintf("mean[%d]", i), x, "a finite number")
		}
	}
	if !(o.Sigma >= 0) || !finite(o.Sigma) {
		fail("sigma", o.Sigma, "a number above 0, or 0 for 0.3")
	}
	if o.Population != 0 && (o.Population < 2 || o.Population > 1<<20) {
		fail("population", o.Population, "2 to 1048576, or 0 for the default")
	}
	if o.MaxPopulation < 0 {
		fail("max population", o.MaxPopulation, "at least the population, or 0 for 512 times that")
	}
	if o.Restart > BIPOP {
		fail("restart", o.Restart, "NoRestart, IPOP or BIPOP")
	}
	if !(o.Margin <= 1) {
		fail("margin", o.Margin, "a probability, 0 for the default, or a negative number for none")
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	o.Sigma = cmp.Or(o.Sigma, 0.3)
	c := &CMA{o: o, dim: len(o.Coordinates), num: num, cats: cats, n: len(num), rand: newSource(o.Seed, "vector/cma"), start: math.Inf(1)}
	c.first = cmp.Or(o.Population, 4+int(3*detmath.Log(float64(c.dim))))
	c.o.MaxPopulation = max(cmp.Or(o.MaxPopulation, 512*c.first), c.first)
	c.large = c.first
	n := c.n
	c.mean, c.d = make([]float64, n), make([]float64, n)
	c.ps, c.pc = make([]float64, n), make([]float64, n)
	c.y, c.z, c.shift = make([]float64, n), make([]float64, n), make([]float64, n)
	c.widen = make([]float64, n)
	if o.Separable {
		c.c = make([]float64, n)
	} else {
		c.c, c.bd, c.eig = make([]float64, n*n), make([]float64, n*n), newEigen(n)
	}
	total := 0
	for _, k := range cats {
		total += k.number
	}
	c.q, c.grad, c.path = make([]float64, total), make([]float64, total), make([]float64, total)
	c.qMin = make([]float64, len(cats))
	for i, k := range cats {
		if k.number > 1 {
			c.qMin[i] = (1 - detmath.Pow(0.73, 1/float64(len(cats)))) / float64(k.number-1)
			if o.Margin < 0 {
				c.qMin[i] = 0
			}
			c.qMin[i] = min(c.qMin[i], 0.5/float64(k.number))
		}
	}
	start := make([]float64, n)
	for i := range num {
		k := &num[i]
		switch {
		case o.Mean != nil:
			start[i] = k.scaled(o.Mean[k.at])
			if k.bounded {
				start[i] = min(max(start[i], 0), 1)
			}
		case k.bounded:
			start[i] = 0.5
		}
	}
	c.reset(start, o.Sigma, c.first)
	return c, nil
}

// Dim returns the length of a point, Batch the number of points of a generation,
// which changes with restarts.
func (c *CMA) Dim() int { return c.dim }

func (c *CMA) Batch() int { return c.lambda }

// Mean returns the mean of the distribution; categories hold their most likely
// option.
func (c *CMA) Mean() []float64 {
	x := make([]float64, c.dim)
	for i := range c.num {
		x[c.num[i].at] = c.num[i].point(c.mean[i])
	}
	for _, k := range c.cats {
		q := c.q[k.from : k.from+k.number]
		x[k.at] = float64(slices.Index(q, slices.Max(q)))
	}
	return x
}

// Sigma returns the step size, Restarts how often the search began anew, and
// Stopped why it last ended, "" if it never did.
func (c *CMA) Sigma() float64 { return c.sigma }

func (c *CMA) Restarts() int { return c.restarts }

func (c *CMA) Stopped() string { return c.stop }

// reset begins a search.
func (c *CMA) reset(mean []float64, sigma float64, lambda int) {
	c.lambda, c.sigma, c.sigma0 = lambda, sigma, sigma
	copy(c.mean, mean)
	c.round()
	for i := range c.widen {
		c.widen[i] = 1
	}
	for _, k := range c.cats {
		for i := range k.number {
			c.q[k.from+i] = 1 / float64(k.number)
		}
	}
	clear(c.path)
	c.delta, c.gamma = 1, 0
	c.strategy = newStrategy(c.n, lambda, lambda/2, !c.o.NoActive, c.o.Separable)
	c.tables = nil
	c.gap = max(int(0.5/((c.c1+c.cmu)*float64(max(c.n, 1)))), 1)
	c.stale, c.generation, c.maxCond = 0, 0, 1
	c.xs, c.picks = c.xs[:0], c.picks[:0]
	c.loss, c.late = c.loss[:0], c.late[:0]
	c.history = c.history[:0]
	c.medians, c.bests = c.medians[:0], c.bests[:0]
	c.epoch, c.current = c.asked, c.asked
	c.epochBegins = c.told
}

// newStrategy computes the parameters of Hansen (2016), table 1, for n
// coordinates. Weights after the parents are negative if active, otherwise there
// are none.
func newStrategy(n, lambda, mu int, active, separable bool) strategy {
	mu = max(mu, 1)
	s := strategy{mu: mu}
	dim := float64(max(n, 1))
	logs := detmath.Log(float64(mu) + 0.5)
	if active {
		logs = detmath.Log((float64(lambda) + 1) / 2)
	}
	var sum, squares float64
	for i := range mu {
		w := logs - detmath.Log(float64(i+1))
		s.w = append(s.w, w)
		sum += w
		squares += float64(w * w)
	}
	for i := range s.w {
		s.w[i] /= sum
	}
	s.catW = slices.Clone(s.w)
	s.mueff = float64(sum*sum) / squares
	m := s.mueff
	s.cs = (m + 2) / (dim + m + 5)
	s.ds = 1 + 2*max(0, math.Sqrt((m-1)/(dim+1))-1) + s.cs
	s.cc = (4 + m/dim) / (dim + 4 + 2*m/dim)
	wide := dim + 1.3
	s.c1 = 2 / (float64(wide*wide) + m)
	wide = dim + 2
	s.cmu = min(1-s.c1, 2*(m-2+1/m)/(float64(wide*wide)+m))
	if m <= 1 { // the formula gives 0 for one parent
		s.cmu = 0
	}
	if separable {
		f := (dim + 2) / 3
		s.c1 = min(s.c1*f, 0.5)
		s.cmu = min(s.cmu*f, 1-s.c1)
	}
	s.rootS = math.Sqrt(s.cs * (2 - s.cs) * m)
	s.rootC = math.Sqrt(s.cc * (2 - s.cc) * m)
	bound := float64((1.4 + 2/(dim+1)) * chi(n))
	s.boundHS2 = float64(bound * bound)
	s.decay = 1
	if active && lambda > mu {
		var neg, neg2 float64
		for i := mu; i < lambda; i++ {
			w := logs - detmath.Log(float64(i+1))
			s.w = append(s.w, w)
			neg -= w
			neg2 += float64(w * w)
		}
		if neg > 0 && s.cmu > 0 {
			scale := min(1+s.c1/s.cmu, 1+2*(float64(neg*neg)/neg2)/(m+2), (1-s.c1-s.cmu)/(dim*s.cmu))
			for i := mu; i < lambda; i++ {
				s.w[i] = min(s.w[i]*scale/neg, 0)
				s.decay += s.w[i]
			}
		} else {
			s.w = s.w[:mu]
		}
	}
	return s
}

// chi returns the expected length of a standard normal vector.
func chi(n int) float64 {
	d := float64(max(n, 1))
	return math.Sqrt(d) * (1 - 1/(4*d) + 1/float64(21*d*d))
}

// Ask fills x with points in the coordinates of the search, as many as it
// holds, and returns the number of the first; points are numbered in order.
// [CMA.Decode] says what to evaluate. Any number may be asked for before results
// are told.
func (c *CMA) Ask(x []float64) (first int64) {
	if len(x)%c.dim != 0 {
		panic(fmt.Sprintf("vector: found %d numbers, want points of %d", len(x), c.dim))
	}
	first = c.asked
	for ; len(x) > 0; x = x[c.dim:] {
		c.draw(x[:c.dim])
	}
	return first
}

func (c *CMA) draw(x []float64) {
	c.asked++
	z := c.z
	c.rand.normals(z)
	y := c.y
	switch {
	case c.o.Separable:
		for i, d := range c.d {
			y[i] = float64(d * z[i])
		}
	case c.generation == 0: // the identity
		copy(y, z)
	default:
		multiply(c.bd, z, y)
	}
	sigma := c.sigma
	for i := range c.num {
		k := &c.num[i]
		u := c.mean[i] + float64(sigma*y[i])
		x[k.at] = k.low + float64(u*k.scale)
	}
	for _, k := range c.cats {
		x[k.at] = float64(c.option(k))
	}
}

// multiply sets y to m·x for a square matrix.
func multiply(m, x, y []float64) {
	n := len(x)
	i := 0
	for ; i+4 <= n; i += 4 { // four sums that do not wait for each other
		r0, r1, r2, r3 := m[i*n:i*n+n], m[(i+1)*n:(i+1)*n+n], m[(i+2)*n:(i+2)*n+n], m[(i+3)*n:(i+3)*n+n]
		r0, r1, r2, r3 = r0[:len(x)], r1[:len(x)], r2[:len(x)], r3[:len(x)]
		var a, b, c, d float64
		for k, v := range x {
			a += float64(r0[k] * v)
			b += float64(r1[k] * v)
			c += float64(r2[k] * v)
			d += float64(r3[k] * v)
		}
		y[i], y[i+1], y[i+2], y[i+3] = a, b, c, d
	}
	for ; i < n; i++ {
		y[i] = dot(m[i*n:i*n+n], x)
	}
}

// Decode writes to dst what a point from the last Ask stands for: inside the
// bounds and with discrete coordinates on their levels. It must be called before
// the next Tell, which changes the meaning of discrete coordinates; Tell takes
// the point as it came from Ask. dst may be x if x is not needed any more. Where
// every coordinate is an unbounded real, Decode copies.
func (c *CMA) Decode(dst, x []float64) {
	for i := range c.num {
		k := &c.num[i]
		if k.cuts == nil && k.step == 0 {
			dst[k.at] = x[k.at]
			if k.bounded {
				dst[k.at] = k.point(bend(k.scaled(x[k.at])))
			}
			continue
		}
		u := k.scaled(x[k.at])
		u = c.mean[i] + float64(c.widen[i]*(u-c.mean[i]))
		dst[k.at] = k.snap(u)
	}
	for _, k := range c.cats {
		dst[k.at] = x[k.at]
	}
}

// Encode writes to dst a point of the search that Decode turns into x.
func (c *CMA) Encode(dst, x []float64) {
	copy(dst, x)
	for i := range c.num {
		if k := &c.num[i]; k.bounded && k.cuts == nil {
			dst[k.at] = k.point(unbend(min(max(k.scaled(x[k.at]), 0), 1)))
		}
	}
}

// Tell reports the losses of consecutive points, of which first is the number
// of the first; -1 says that they come from elsewhere. A loss that is not a
// number counts as the worst. When a generation is complete, the distribution is
// updated.
func (c *CMA) Tell(first int64, x, loss []float64) {
	if len(x) != len(loss)*c.dim {
		panic(fmt.Sprintf("vector: found %d numbers for %d losses, want points of %d", len(x), len(loss), c.dim))
	}
	for k, f := range loss {
		c.tell(first, x[k*c.dim:(k+1)*c.dim], f)
		if first >= 0 {
			first++
		}
	}
}

func (c *CMA) tell(number int64, x []float64, f float64) {
	c.told++
	if f != f {
		f = math.Inf(1)
	}
	if number >= 0 && number < c.epoch {
		return
	}
	if number < 0 && c.asked == 0 {
		c.begin(x, f)
		return
	}
	if c.collect(number, x, f) && len(c.loss) == c.lambda {
		c.update()
	}
}

// begin moves the first mean to the best point that is told before any is asked
// for.
func (c *CMA) begin(x []float64, f float64) {
	if !(f < c.start) {
		return
	}
	for i := range c.num {
		if !finite(x[c.num[i].at]) {
			return
		}
	}
	c.start = f
	for i := range c.num {
		c.mean[i] = c.num[i].scaled(x[c.num[i].at])
	}
}

// collect adds a point to the generation unless it is not a point.
func (c *CMA) collect(number int64, x []float64, f float64) bool {
	from := len(c.xs)
	for i := range c.num {
		u := c.num[i].scaled(x[c.num[i].at])
		if !finite(u) {
			c.xs = c.xs[:from]
			return false
		}
		c.xs = append(c.xs, u)
	}
	for _, k := range c.cats {
		c.picks = append(c.picks, int32(min(max(x[k.at], 0), float64(k.number-1))))
	}
	c.loss = append(c.loss, f)
	c.late = append(c.late, number < c.current)
	return true
}

// update moves the distribution by the generation that was collected, and ends
// or restarts the search where it is over.
func (c *CMA) update() {
	c.order = rank(c.loss, c.order[:0])
	best, worst := c.loss[c.order[0]], c.loss[c.order[len(c.order)-1]]
	if !math.IsInf(best, 1) { // nothing is known of a generation that failed
		c.learn(c.order, &c.strategy)
		c.moveOptions(c.order, &c.strategy)
		c.judge(best, worst)
	}
	c.collected()
}

// collected empties the generation.
func (c *CMA) collected() {
	c.xs, c.picks, c.loss, c.late = c.xs[:0], c.picks[:0], c.loss[:0], c.late[:0]
	c.current = c.asked
}
