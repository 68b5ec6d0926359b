package model

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

// An acquisition is how candidates are ordered by what is predicted of them.
type acquisition uint8

const (
	pickMean     acquisition = iota // by the mean
	pickThompson                    // by one draw of each candidate's distribution (BANANAS' independent Thompson sampling)
	pickEI                          // by the expected improvement
	pickUCB                         // by the mean less one standard deviation
	pickBound                       // by the bound of a [predict.Gradient]
	pickUniform                     // at random among the top best means (WeakNAS)
)

// A choice is a candidate that the last ranking promises something of.
type choice struct {
	design   space.Design
	parents  []int64
	worth    float64 // larger is better
	operator string  // "": the name of the method
	why      string
}

// A pool is designs with their rows and what is predicted of them.
type pool struct {
	all     bool // of the whole space
	designs []space.Design
	parents [][]int64
	rows    []float64
	known   map[space.Design]bool
}

func (p *pool) fill(designs []space.Design, e predict.Encoder) (err error) {
	p.all, p.designs = true, designs
	for _, d := range designs {
		if p.rows, err = e.Encode(p.rows, d); err != nil {
			return err
		}
	}
	return nil
}

// predicted is what the models say of the designs of a pool.
type predicted struct {
	n        int
	mean, sd [][]float64 // by objective
	feasible []float64   // probability; nil: certain
}

func (g *guided) predict(rows []float64, n int) predicted {
	x := predicted{n: n}
	for _, m := range g.models {
		mean, sd := make([]float64, n), make([]float64, n)
		if b, ok := m.(predict.Gradient); ok && g.pick == pickBound {
			b.Parts(rows, mean, make([]float64, n), sd)
		} else {
			m.Predict(rows, mean, sd)
		}
		for i, v := range sd {
			if !(v > 0) {
				sd[i] = 0 // unknown
			}
		}
		x.mean, x.sd = append(x.mean, mean), append(x.sd, sd)
	}
	if g.feasible != nil {
		x.feasible = make([]float64, n)
		g.feasible.Predict(rows, x.feasible, nil)
	}
	return x
}

// rank fills the queue.
func (g *guided) rank() error {
	g.ranked = len(g.scores)
	g.queue = g.queue[:0]
	if g.gobi != nil {
		return g.descend()
	}
	if g.inner != nil && !g.pool.all {
		return g.search()
	}
	return g.evolve()
}

// evolve fills the queue from the whole space, or from designs bred for it.
func (g *guided) evolve() error {
	if !g.pool.all {
		if err := g.breed(); err != nil {
			return err
		}
	}
	x := g.predict(g.pool.rows, len(g.pool.designs))
	g.judge(x, 0)
	if !g.pool.all {
		g.climb()
	}
	g.top(max(4*g.every(), 64))
	return nil
}

// climb adds children of the most promising designs, and theirs, which may
// promise more.
func (g *guided) climb() {
	for range climbs {
		from := len(g.pool.designs)
		g.top(parentsOfClimb)
		for k := range g.queue {
			c := g.queue[len(g.queue)-1-k]
			for range g.candidates / 8 / parentsOfClimb {
				g.candidate(g.space.Mutate(g.r, c.design, space.Mutation{Sites: 1 + g.r.IntN(2)}), c.parents)
			}
		}
		width := len(g.encoder.Columns())
		g.judge(g.predict(g.pool.rows[from*width:], len(g.pool.designs)-from), from)
	}
}

const (
	climbs         = 3  // rounds of children
	parentsOfClimb = 16 // candidates that have children
)

// judge appends the unseen designs of a pool, from one on, to the queue with
// what they are worth.
func (g *guided) judge(x predicted, from int) {
	weights := g.weights(len(x.mean))
	if g.gobi != nil && len(g.gobi.weights) == len(weights) {
		weights = g.gobi.weights
	}
	z := make([]float64, len(x.mean))
	for i := range x.n {
		d := g.pool.designs[from+i]
		if g.Seen(d) || g.setup.Admit != nil && !g.setup.Admit(d) {
			continue
		}
		for j := range z {
			switch m, sd := x.mean[j][i], x.sd[j][i]; {
			case g.pick == pickThompson:
				z[j] = m + float64(sd*rng.Norm(g.r))
			case g.pick == pickUCB:
				z[j] = m - sd
			case g.pick == pickBound:
				z[j] = m - float64(g.gobi.kappa*sd)
			case g.pick == pickEI && len(z) > 1:
				z[j] = m - float64(0.5*sd)
			default:
				z[j] = m
			}
		}
		worth := 0.0
		switch {
		case len(z) > 1:
			worth = -g.scalar(z, weights)
		case g.pick == pickEI:
			worth = logImprovement(g.lo[0], x.mean[0][i], x.sd[0][i])
		default:
			worth = -z[0]
		}
		if x.feasible != nil {
			p := min(max(x.feasible[i], 1e-3), 1)
			switch g.pick {
			case pickEI:
				worth += detmath.Log(p)
			case pickThompson:
				if g.r.Float64() > p {
					worth -= unlikely
				}
			default:
				if p < 0.5 {
					worth -= unlikely * (1 - p)
				}
			}
		}
		c := choice{design: d, worth: worth}
		if !g.pool.all {
			c.parents = g.pool.parents[from+i]
		}
		g.queue = append(g.queue, c)
	}
}

// unlikely is what a design that is hardly feasible loses: more than targets,
// which are of moderate size, can differ by.
const unlikely = 1e200

// top leaves the n most promising of the queue, best last; of pickUniform n at
// random of the best.
func (g *guided) top(n int) {
	slices.SortStableFunc(g.queue, func(a, b choice) int { return cmp.Compare(a.worth, b.worth) })
	keep := n
	if g.pick == pickUniform {
		keep = max(g.plan.top, 1)
	}
	if len(g.queue) > keep {
		g.queue = append(g.queue[:0], g.queue[len(g.queue)-keep:]...)
	}
	if g.pick == pickUniform {
		g.r.Shuffle(len(g.queue), func(i, j int) { g.queue[i], g.queue[j] = g.queue[j], g.queue[i] })
	}
}

// weights draws a point of the simplex.
func (g *guided) weights(n int) []float64 {
	w, sum := make([]float64, n), 0.0
	for i := range w {
		w[i] = -detmath.Log(rng.Open(g.r))
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

// scalar is the augmented weighted Chebyshev norm of ParEGO (Knowles 2006,
// equation 2) of losses scaled by the front.
func (g *guided) scalar(z, w []float64) float64 {
	worst, sum := math.Inf(-1), 0.0
	for j, v := range z {
		v = float64(w[j] * ((v - g.lo[j]) / g.span[j]))
		worst = max(worst, v)
		sum += v
	}
	return worst + float64(0.05*sum)
}

// logImprovement is the logarithm of the expected improvement of a normal
// variable on best, up to a constant; of a certain one the improvement itself
// decides.
func logImprovement(best, mean, sd float64) float64 {
	if sd <= 0 {
		if mean < best {
			return detmath.Log(best - mean)
		}
		return -1e100 - min((mean-best), 1e100)
	}
	v, _, _ := logEI(mean, sd, best)
	return v
}

// breed makes candidates: designs near the best, between the best, and from the
// prior.
func (g *guided) breed() error {
	p := &g.pool
	p.designs, p.parents, p.rows, p.known = p.designs[:0], p.parents[:0], p.rows[:0], map[space.Design]bool{}
	elite := g.elite()
	for range g.candidates / 4 {
		d, err := g.space.Sample(g.r)
		if err != nil {
			return err
		}
		g.candidate(d, nil)
	}
	for k := 0; k < g.candidates*3/4 && len(elite) > 0; k++ {
		// The better, the more children.
		i := elite[min(g.r.IntN(len(elite)), g.r.IntN(len(elite)))]
		if g.r.IntN(3) == 0 {
			j := elite[g.r.IntN(len(elite))]
			d := g.space.Cross(g.r, g.designs[i], g.designs[j], space.Crossover{})
			if g.r.IntN(2) == 0 {
				d = g.space.Mutate(g.r, d, space.Mutation{})
			}
			g.candidate(d, []int64{g.ids[i], g.ids[j]})
			continue
		}
		sites := 1
		for sites < 4 && g.r.IntN(2) == 0 {
			sites++
		}
		g.candidate(g.space.Mutate(g.r, g.designs[i], space.Mutation{Sites: sites}), []int64{g.ids[i]})
	}
	return nil
}

// candidate adds a design to the pool if it is news.
func (g *guided) candidate(d space.Design, parents []int64) {
	p := &g.pool
	if p.known[d] || g.Seen(d) {
		return
	}
	rows, err := g.encoder.Encode(p.rows, d)
	if err != nil {
		return
	}
	p.known[d] = true
	p.rows, p.designs, p.parents = rows, append(p.designs, d), append(p.parents, parents)
}

// elites is how many measured designs have children.
const elites = 20

// elite returns the best measured designs, best first, every one of the front
// before others.
func (g *guided) elite() []int {
	sorted, ranks := g.bestFirst(g.learned())
	n := elites
	for n < len(sorted) && n < 5*elites && ranks[n] == ranks[0] {
		n++
	}
	return sorted[:min(n, len(sorted))]
}

// search lets another searcher find what the models promise: it evolves on
// predictions, starting from the best that is known.
func (g *guided) search() error {
	targets := len(g.models)
	s, err := g.inner(search.Setup{Space: g.space, Objectives: targets, Limits: g.feasible != nil, Seed: g.setup.Seed + g.fits, Budget: int64(g.evals), Admit: g.setup.Admit})
	if err != nil {
		return err
	}
	width := len(g.encoder.Columns())
	score := func(x predicted, i int) metric.Score {
		out := metric.Score{Loss: make([]float64, targets)}
		for j := range out.Loss {
			out.Loss[j] = x.mean[j][i]
		}
		if x.feasible != nil {
			out.Violation = max(0.5-x.feasible[i], 0)
		}
		return out
	}
	var rows []float64
	elite := g.elite()
	for _, i := range elite {
		rows = append(rows, g.rows[i*width:(i+1)*width]...)
	}
	if len(elite) > 0 {
		x := g.predict(rows, len(elite))
		for k, i := range elite {
			s.Tell(search.Outcome{ID: -1 - int64(k), Design: g.designs[i], Status: search.Complete, Score: score(x, k)})
		}
	}
	var front metric.Front[space.Design]
	type found struct {
		design space.Design
		score  metric.Score
	}
	var all []found
	batch := 64
	if b, ok := s.(search.Batcher); ok {
		batch = min(max(b.Batch(), 1), 512)
	}
	for done := 0; done < g.evals; {
		ps, err := s.Ask(batch)
		if errors.Is(err, search.ErrExhausted) {
			break
		}
		if err != nil {
			return err
		}
		done += len(ps)
		rows = rows[:0]
		for _, p := range ps {
			if rows, err = g.encoder.Encode(rows, p.Design); err != nil {
				return err
			}
		}
		x := g.predict(rows, len(ps))
		outcomes := make([]search.Outcome, len(ps))
		for k, p := range ps {
			c := score(x, k)
			outcomes[k] = search.Outcome{ID: p.ID, Design: p.Design, Status: search.Complete, Score: c}
			if !g.Seen(p.Design) {
				front.Add(c, p.Design)
				all = append(all, found{p.Design, c})
			}
		}
		s.Tell(outcomes...)
	}
	// The predicted front in random order, and below it what comes next.
	slices.SortStableFunc(all, func(a, b found) int { return metric.Compare(a.score, b.score) })
	for k := min(len(all), 64) - 1; k >= 0; k-- {
		g.queue = append(g.queue, choice{design: all[k].design})
	}
	from := len(g.queue)
	for _, d := range front.All() {
		g.queue = append(g.queue, choice{design: d})
	}
	last := g.queue[from:]
	if targets > 1 {
		g.r.Shuffle(len(last), func(i, j int) { last[i], last[j] = last[j], last[i] })
	}
	return nil
}
