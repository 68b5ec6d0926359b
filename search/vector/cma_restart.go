package vector

import (
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// Restart says what a [CMA] does when a search has ended.
type Restart uint8

// The kinds of restart.
const (
	NoRestart Restart = iota // go on as before; see [CMA.Stopped]
	IPOP                     // double the population each time (Auger and Hansen 2005)
	BIPOP                    // alternate large and small populations (Hansen 2009)
)

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
