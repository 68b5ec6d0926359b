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

// Restart says what a [CMA] does when a search has ended.
type Restart uint8

// The kinds of restart.
const (
	NoRestart Restart = iota // go on as before; see [CMA.Stopped]
	IPOP                     // double the population each time (Auger and Hansen 2005)
	BIPOP                    // alternate large and small populations (Hansen 2009)
)

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
func (c *CMA) Dim() int   { return c.dim }
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
func (c *CMA) Sigma() float64  { return c.sigma }
func (c *CMA) Restarts() int   { return c.restarts }
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

// option draws an option of a category.
func (c *CMA) option(k category) int {
	u := c.rand.unit()
	for i, p := range c.q[k.from : k.from+k.number-1] {
		if u -= p; u < 0 {
			return i
		}
	}
	return k.number - 1
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

// rank returns the order of the losses, equal ones as they came.
func rank(loss []float64, order []int32) []int32 {
	if len(loss) <= 48 {
		for i, f := range loss {
			order = append(order, int32(i))
			k := i
			for ; k > 0 && loss[order[k-1]] > f; k-- {
				order[k] = order[k-1]
			}
			order[k] = int32(i)
		}
		return order
	}
	for i := range loss {
		order = append(order, int32(i))
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(loss[a], loss[b]) })
	return order
}

// learn updates mean, paths, covariances and step size by the collected points
// in the given order.
func (c *CMA) learn(order []int32, s *strategy) {
	n := c.n
	c.generation++
	if n == 0 {
		return
	}
	// Steps from the mean, in units of the step size, in the order of rank.
	used := min(len(s.w), len(order))
	ys := slices.Grow(c.steps[:0], used*n)[:used*n]
	c.steps = ys
	inverse := 1 / c.sigma
	for r, i := range order[:used] {
		x, y := c.xs[int(i)*n:int(i+1)*n], ys[r*n:(r+1)*n]
		for k, m := range c.mean {
			y[k] = float64((x[k] - m) * inverse)
		}
		if c.late[i] {
			c.shorten(y)
		}
	}
	yw := c.shift
	clear(yw)
	for r := range min(s.mu, used) {
		axpy(s.w[r], ys[r*n:(r+1)*n], yw)
	}
	for i, y := range yw {
		c.mean[i] += float64(c.sigma * y)
	}

	// Step-size path, in the coordinates in which the distribution is round.
	z := c.whiten(yw)
	decay := 1 - s.cs
	length := 0.0
	for i := range z {
		c.ps[i] = float64(decay*c.ps[i]) + float64(s.rootS*z[i])
		length += float64(c.ps[i] * c.ps[i])
	}
	seen := 1 - detmath.Pow(decay, 2*float64(c.generation))
	heavy := 1.0
	if length/seen >= s.boundHS2 {
		heavy = 0
	}
	decay = 1 - s.cc
	for i := range yw {
		c.pc[i] = float64(decay*c.pc[i]) + float64(heavy*float64(s.rootC*yw[i]))
	}

	// Negative steps count by their direction only.
	weights := append(c.weights[:0], s.w[:used]...)
	c.weights = weights
	for r := s.mu; r < used; r++ {
		q := c.norm2(ys[r*n : (r+1)*n])
		weights[r] *= float64(n) / (q + 1e-300)
	}
	keep := 1 - s.c1 - float64(s.cmu*s.decay)
	if heavy == 0 {
		keep += float64(s.c1 * float64(s.cc*(2-s.cc)))
	}
	if c.o.Separable {
		for j := range c.c {
			sum := float64(keep*c.c[j]) + float64(s.c1*float64(c.pc[j]*c.pc[j]))
			for r, wr := range weights {
				y := ys[r*n+j]
				sum += float64(float64(s.cmu*wr) * float64(y*y))
			}
			c.c[j] = max(sum, 1e-30)
		}
	} else {
		for r := range weights {
			weights[r] *= s.cmu
		}
		c.blend(keep, s.c1, weights, ys)
	}

	root := math.Sqrt(length)
	c.sigma *= detmath.Exp(min(1, s.cs/s.ds*(root/chi(n)-1)))
	if c.sigma = min(max(c.sigma, 1e-150), 1e150); !finite(c.sigma) {
		c.sigma = c.sigma0
	}
	c.stale++
	if c.o.Separable {
		lo, hi := slices.Min(c.c), slices.Max(c.c)
		c.maxCond = hi / lo
		if c.rescale(hi); !finite(c.maxCond) {
			c.round()
		}
		for j, v := range c.c {
			c.d[j] = math.Sqrt(v)
		}
	} else if c.stale >= c.gap {
		c.decompose()
	}
	c.keepMargin()
}

// blend sets the lower triangle of C to keep·C + c1·pc·pcᵀ + Σ w·y·yᵀ.
func (c *CMA) blend(keep, c1 float64, weights, ys []float64) {
	n := c.n
	for i := range n {
		row := c.c[i*n : i*n+i+1]
		a := float64(c1 * c.pc[i])
		pc := c.pc[:len(row)]
		for j := range row {
			row[j] = float64(keep*row[j]) + float64(a*pc[j])
		}
		r := 0
		for ; r+2 <= len(weights); r += 2 {
			y, v := ys[r*n:r*n+i+1], ys[(r+1)*n:(r+1)*n+i+1]
			y, v = y[:len(row)], v[:len(row)]
			a, b := float64(weights[r]*y[i]), float64(weights[r+1]*v[i])
			for j := range row {
				row[j] += float64(a*y[j]) + float64(b*v[j])
			}
		}
		for ; r < len(weights); r++ {
			y := ys[r*n : r*n+i+1]
			axpy(float64(weights[r]*y[i]), y, row)
		}
	}
}

// whiten returns B·D⁻¹·Bᵀ·y in a buffer.
func (c *CMA) whiten(y []float64) []float64 {
	n := c.n
	out := c.y[:n]
	if c.o.Separable {
		for i, d := range c.d {
			out[i] = y[i] / d
		}
		return out
	}
	clear(out)
	for k := range n {
		v := c.eig.vectors[k*n : (k+1)*n]
		axpy(dot(v, y)/c.d[k], v, out)
	}
	return out
}

// norm2 returns the squared length of y where the distribution is round.
func (c *CMA) norm2(y []float64) float64 {
	sum := 0.0
	if c.o.Separable {
		for i, d := range c.d {
			t := y[i] / d
			sum += float64(t * t)
		}
		return sum
	}
	n := c.n
	for k := range n {
		t := dot(c.eig.vectors[k*n:(k+1)*n], y) / c.d[k]
		sum += float64(t * t)
	}
	return sum
}

// shorten scales a step that the distribution would hardly make.
func (c *CMA) shorten(y []float64) {
	n := float64(c.n)
	limit := math.Sqrt(n) + 2*n/(n+2)
	if q := c.norm2(y); q > float64(limit*limit) {
		f := limit / math.Sqrt(q)
		for i := range y {
			y[i] *= f
		}
	}
}

// decompose brings eigenvectors and the factor for sampling up to date.
func (c *CMA) decompose() {
	c.stale = 0
	n := c.n
	if !c.eig.factor(c.c) {
		c.maxCond = math.Inf(1)
		c.round()
		return
	}
	lo, hi := math.Inf(1), 0.0
	for _, v := range c.eig.d {
		lo, hi = min(lo, v), max(hi, v)
	}
	if !(lo > hi*1e-18) { // rounding, or a matrix that is not positive
		floor := hi * 1e-18
		for k, v := range c.eig.d {
			c.eig.d[k] = max(v, floor)
		}
		lo = floor
	}
	if c.maxCond = hi / lo; !(hi > 0) {
		c.round()
		return
	}
	if f := c.rescale(hi); f != 1 {
		for k := range c.eig.d {
			c.eig.d[k] *= f
		}
	}
	for k, v := range c.eig.d {
		c.d[k] = math.Sqrt(v)
	}
	for k := range n {
		v := c.eig.vectors[k*n : (k+1)*n]
		for i, x := range v {
			c.bd[i*n+k] = float64(x * c.d[k])
		}
	}
}

// rescale moves a common factor of the covariances into the step size when it
// has drifted far, as it does where the losses are equal, and returns what the
// covariances were multiplied by.
func (c *CMA) rescale(largest float64) float64 {
	if largest > 1e-8 && largest < 1e8 || !finite(1/largest) {
		return 1
	}
	f := 1 / largest
	for i := range c.c {
		c.c[i] *= f
	}
	root := math.Sqrt(largest)
	for i := range c.pc {
		c.pc[i] /= root
	}
	c.sigma = min(max(c.sigma*root, 1e-150), 1e150)
	return f
}

// round forgets the covariances: a last resort when they are not numbers any
// more.
func (c *CMA) round() {
	clear(c.ps)
	clear(c.pc)
	clear(c.c)
	clear(c.bd)
	for i := range c.n {
		c.d[i] = 1
		if !finite(c.mean[i]) {
			c.mean[i] = 0.5
		}
		if c.o.Separable {
			c.c[i] = 1
			continue
		}
		c.c[i*c.n+i], c.bd[i*c.n+i] = 1, 1
		clear(c.eig.vectors[i*c.n : (i+1)*c.n])
		c.eig.vectors[i*c.n+i] = 1
	}
	if !finite(c.sigma) {
		c.sigma = c.sigma0
	}
}

// variance returns that of a scaled coordinate, in units of the step size.
func (c *CMA) variance(i int) float64 {
	if c.o.Separable {
		return c.c[i]
	}
	return c.c[i*c.n+i]
}

// keepMargin moves mean and width of discrete coordinates so that other levels
// keep a probability (Hamano et al. 2022, section 4).
func (c *CMA) keepMargin() {
	if c.o.Margin < 0 {
		return
	}
	alpha := cmp.Or(c.o.Margin, 1/float64(c.dim*c.lambda))
	alpha = min(alpha, 0.25)
	for i := range c.num {
		k := &c.num[i]
		if len(k.cuts) == 0 {
			continue
		}
		m := c.mean[i]
		plain := float64(c.sigma * math.Sqrt(max(c.variance(i), 0)))
		sd := float64(plain * c.widen[i])
		level := k.level(m)
		if level == 0 || level == len(k.cuts) {
			// At the end of the range there is one side to leave to.
			cut := k.cuts[min(level, len(k.cuts)-1)]
			if reach := float64(sd * detmath.PhiInv(1-alpha)); level == 0 && m < cut-reach {
				c.mean[i] = cut - reach
			} else if level > 0 && m > cut+reach {
				c.mean[i] = cut + reach
			}
			continue
		}
		lo, hi := k.cuts[level-1], k.cuts[level]
		below, above := detmath.Phi((lo-m)/sd), detmath.Phi((m-hi)/sd)
		if below >= alpha/2 && above >= alpha/2 {
			continue
		}
		middle := 1 - below - above
		below, above = max(below, alpha/2), max(above, alpha/2)
		excess := 1 - below - above - middle
		rest := below + above + middle - 3*alpha/2
		a := below + float64(excess*(below-alpha/2))/rest
		b := above + float64(excess*(above-alpha/2))/rest
		za := detmath.PhiInv(1 - min(max(a, 1e-10), 0.5-1e-10))
		zb := detmath.PhiInv(1 - min(max(b, 1e-10), 0.5-1e-10))
		c.widen[i] = (hi - lo) / (float64((za+zb)*plain) + 1e-300)
		c.mean[i] = (float64(lo*zb) + float64(hi*za)) / (za + zb)
	}
}

// moveOptions updates the probabilities of categories: a natural gradient step
// of a length that adapts to how steady the direction is (Akimoto, Shirakawa,
// Yoshinari, Uchida, Saito and Nishida 2019, ASNG; Hamano et al. 2024).
func (c *CMA) moveOptions(order []int32, s *strategy) {
	free := 0
	for _, k := range c.cats {
		free += k.number - 1
	}
	if free == 0 {
		return
	}
	g := c.grad
	for i, q := range c.q {
		g[i] = -q
	}
	nc := len(c.cats)
	for r := range min(s.mu, len(order)) {
		for j, k := range c.cats {
			g[k.from+int(c.picks[int(order[r])*nc+j])] += s.catW[r]
		}
	}
	// The gradient where the Fisher metric is round; the last option of each
	// category is not free.
	root := make([]float64, 0, len(g))
	norm := 0.0
	for _, k := range c.cats {
		q, gk := c.q[k.from:k.from+k.number], g[k.from:k.from+k.number]
		last := k.number - 1
		sum := 0.0
		for _, x := range gk[:last] {
			sum += x
		}
		ql := math.Sqrt(q[last])
		for i, x := range gk[:last] {
			sq := math.Sqrt(q[i])
			v := x/sq + float64(sq*sum)/(q[last]+ql)
			root = append(root, v)
			norm += float64(v * v)
		}
	}
	norm = math.Sqrt(norm) + 1e-30
	step := c.delta / norm
	for i := range c.q {
		c.q[i] += float64(step * g[i])
	}
	beta := c.delta / math.Sqrt(float64(free))
	blend := math.Sqrt(beta * (2 - beta))
	length := 0.0
	for i, v := range root {
		c.path[i] = float64((1-beta)*c.path[i]) + float64(blend*v)/norm
		length += float64(c.path[i] * c.path[i])
	}
	c.gamma = float64(float64((1-beta)*(1-beta))*c.gamma) + float64(beta*(2-beta))
	// delta is 1/Δ: Δ grows where the path is shorter than expected.
	c.delta = min(c.delta*detmath.Exp(-beta*(c.gamma-length/1.5)), 1)
	for j, k := range c.cats {
		q := c.q[k.from : k.from+k.number]
		if k.number < 2 {
			q[0] = 1
			continue
		}
		least, sum := c.qMin[j], 0.0
		for i := range q {
			q[i] = max(q[i], least)
			sum += q[i]
		}
		over := (sum - 1) / (sum - float64(least*float64(k.number)))
		sum = 0
		for i := range q {
			q[i] -= float64(over * (q[i] - least))
			sum += q[i]
		}
		for i := range q {
			q[i] /= sum
		}
	}
}

// judge ends or restarts a search that is over.
func (c *CMA) judge(best, worst float64) {
	reason := c.over(best, worst)
	if reason == "" {
		return
	}
	c.stop = reason
	if c.o.Restart != NoRestart {
		c.Scatter()
	}
}

// Scatter begins the search anew from a random mean, with the population that
// the kind of restart says. Points asked for before are forgotten.
func (c *CMA) Scatter() {
	c.restarts++
	spent := c.told - c.epochBegins
	if c.inSmall {
		c.spentSmall += spent
	} else {
		c.spentLarge += spent
	}
	lambda, sigma := c.lambda, c.o.Sigma
	c.inSmall = false
	if c.o.Restart == BIPOP && c.restarts > 1 && c.spentSmall < c.spentLarge {
		c.inSmall = true
		u := c.rand.unit()
		ratio := 0.5 * float64(c.large) / float64(c.first)
		lambda = int(float64(c.first) * detmath.Pow(max(ratio, 1), float64(u*u)))
		sigma *= detmath.Pow(10, -2*c.rand.unit())
	} else if c.o.Restart != NoRestart {
		c.large = min(2*c.large, c.o.MaxPopulation)
		lambda = c.large
	}
	start := make([]float64, c.n)
	for i := range start {
		k := &c.num[i]
		if k.bounded {
			start[i] = c.rand.unit()
			continue
		}
		if c.o.Mean != nil {
			start[i] = c.o.Mean[k.at]
		}
		start[i] += float64(c.o.Sigma * c.rand.normal())
	}
	c.reset(start, sigma, lambda)
}

// over says why the search should end, or "" (Hansen 2009, section 2.2; the
// criteria of pycma).
func (c *CMA) over(best, worst float64) string {
	const tolFun, tolX = 1e-12, 1e-12
	n := c.n
	length := 10 + (30*c.dim+c.lambda-1)/c.lambda
	if len(c.history) < length {
		c.history = append(c.history, best)
	} else {
		c.history[c.generation%length] = best
		lo, hi := slices.Min(c.history), slices.Max(c.history)
		tol := max(tolFun, 1e-15*math.Abs(best))
		if hi-lo <= tol && (worst-best <= tol || n == 0) {
			return "flat: the losses of the last generations are equal"
		}
	}
	if n == 0 {
		return ""
	}
	if c.maxCond > 1e14 {
		return "condition: the covariance matrix is as good as singular"
	}
	small, frozen, real := true, false, 0
	for i := range c.num {
		if c.num[i].cuts != nil {
			continue
		}
		real++
		sd := math.Sqrt(max(c.variance(i), 0))
		if c.sigma*max(sd, math.Abs(c.pc[i])) > tolX*c.sigma0 {
			small = false
		}
		if c.mean[i] == c.mean[i]+float64(0.2*c.sigma*sd) {
			frozen = true
		}
	}
	switch {
	case real > 0 && small:
		return "step: the distribution is a point"
	case frozen:
		return "no effect: the mean does not change in some coordinate"
	case c.sigma > 1e7*c.sigma0*max(1, c.d[0]):
		return "divergence: the step size grows without bound"
	}
	return c.stagnant(best)
}

// stagnant compares the medians of the early and the late part of the last
// generations.
func (c *CMA) stagnant(best float64) string {
	const longest = 20_000
	if len(c.bests) >= longest {
		k := copy(c.bests, c.bests[longest/4:])
		c.bests = c.bests[:k]
		k = copy(c.medians, c.medians[longest/4:])
		c.medians = c.medians[:k]
	}
	c.bests = append(c.bests, best)
	c.medians = append(c.medians, c.loss[c.order[len(c.order)/2]])
	if c.generation%64 != 0 {
		return ""
	}
	least := 120 + 30*c.dim/c.lambda
	window := max(least, c.generation/5)
	if len(c.bests) < window || c.generation < 2*least {
		return ""
	}
	worse := func(h []float64) bool {
		h = h[len(h)-window:]
		part := max(window*3/10, 1)
		return median(h[window-part:]) >= median(h[:part])
	}
	if worse(c.bests) && worse(c.medians) {
		return "stagnation: no better for many generations"
	}
	return ""
}

func median(x []float64) float64 {
	s := slices.Clone(x)
	slices.Sort(s)
	return s[len(s)/2]
}
