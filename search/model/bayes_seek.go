package model

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/lbfgs"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/space"
)

// A found design, with the value of the criterion.
type found struct {
	design  space.Design
	row     []float64
	value   float64
	parents []int64
	why     string
}

// An aim is the criterion that is maximised over designs.
type aim struct {
	// score writes the values of rows.
	score func(rows, out []float64)
	// slope returns the value of one row and its derivatives by the columns; nil
	// if the criterion has no slope at hand.
	slope func(row, g []float64) float64
}

// seekState is what a search for the best design leaves behind.
type seekState struct {
	reserve []found // the best of the last one, in the same Ask
}

// Nanoseconds that parts of a search take, about, on a core of 2024; they only
// set how many candidates there are.
const (
	seekTime     = 28e6 // for the candidates of a proposal
	refineTime   = 10e6 // for the slopes
	nsSquare     = 0.07 // of solving, for each pair of rows
	nsRow        = 18.0 // of a kernel
	nsColumn     = 0.8
	nsDesign     = 2500.0
	nsSlope      = 0.5 // of a slope, for each pair of rows
	mostDesigns  = 3000
	leastDesigns = 300
)

// effort returns how many designs to judge, and how many slopes to follow.
func (b *bayes) effort(i, n int) (designs, climbs int) {
	models := 0.0
	rows := 0.0
	for _, m := range append(slices.Clone(b.models), &b.scalar, &b.feasible) {
		if m.gp != nil {
			models++
			rows = max(rows, float64(m.gp.Rows()))
		}
	}
	kernel := rows * (nsRow + nsColumn*float64(len(b.columns)))
	one := models*(nsSquare*rows*rows+kernel) + nsDesign + 20*float64(len(b.columns))
	designs = int(min(max(seekTime/one, leastDesigns), mostDesigns))
	if b.Candidates > 0 {
		designs = b.Candidates
	}
	most := 1 + designs/100
	slope := models * (nsSlope*rows*rows + 2*kernel)
	climbs = min(int(min(max(refineTime/(slope*climbSteps), 2), 10)), most)
	if i > 0 { // the first search of an Ask left its best
		designs, climbs = max(designs/4, 1), max(climbs/2, 1)
	}
	if n > 8 && i > 0 {
		designs, climbs = max(designs/4, 1), 1
	}
	return designs, climbs
}

// climbSteps is the most steps up a slope.
const climbSteps = 30

// seek returns the unseen design of greatest value that it finds.
func (b *bayes) seek(i, n int) (found, bool) {
	goal, why := b.aim(i)
	if goal == nil {
		return found{}, false
	}
	designs, climbs := b.effort(i, n)
	d := len(b.columns)
	pool := make([]found, 0, designs+64)
	have := make(map[space.Design]struct{}, designs+64)
	judged := 0
	add := func(x space.Design, parents ...int64) bool {
		if _, dup := have[x]; dup || b.taken(x) {
			return false
		}
		have[x] = struct{}{}
		pool = append(pool, found{design: x, row: b.encode(make([]float64, 0, d+8), x), parents: parents})
		return true
	}
	var rows, values []float64
	judge := func() {
		rows = rows[:0]
		for _, f := range pool[judged:] {
			rows = append(rows, f.row...)
		}
		values = append(values[:0], make([]float64, len(pool)-judged)...)
		if len(values) > 0 {
			goal.score(rows, values)
		}
		for k, v := range values {
			if math.IsNaN(v) {
				v = math.Inf(-1)
			}
			pool[judged+k].value = v
		}
		slices.SortStableFunc(pool, func(x, y found) int {
			switch {
			case x.value > y.value:
				return -1
			case x.value < y.value:
				return 1
			}
			return 0
		})
		judged = len(pool)
	}
	for _, f := range b.reserve {
		add(f.design, f.parents...)
	}
	sp := b.setup.Space
	// Half of the designs: at random, and around the best results.
	elite := b.ranking()
	elite = elite[:min(len(elite), max(5, len(elite)/10))]
	for k := range designs / 2 {
		if k%3 == 0 {
			if x, err := sp.Sample(b.r); err == nil {
				add(x)
			}
			continue
		}
		o := &b.obs[elite[b.r.IntN(len(elite))]]
		if b.r.IntN(4) == 0 {
			p := &b.obs[elite[b.r.IntN(len(elite))]]
			if x := sp.Cross(b.r, o.design, p.design, space.Crossover{}); !add(x, o.id, p.id) {
				add(sp.Mutate(b.r, x, b.step()), o.id, p.id)
			}
			continue
		}
		add(sp.Mutate(b.r, o.design, b.step()), o.id)
	}
	judge()
	// The other half: around the most promising, in rounds.
	const rounds, parents = 5, 12
	for range rounds {
		top := min(len(pool), parents)
		if top == 0 {
			break
		}
		for range designs / (2 * rounds) {
			f := pool[b.r.IntN(1+b.r.IntN(top))]
			if b.r.IntN(4) == 0 {
				g := pool[b.r.IntN(top)]
				add(sp.Cross(b.r, f.design, g.design, space.Crossover{}), f.parents...)
				continue
			}
			add(sp.Mutate(b.r, f.design, b.step()), f.parents...)
		}
		judge()
	}
	if goal.slope != nil && len(b.moves) > 0 && b.fixed {
		b.climb(goal, pool, climbs, func(x space.Design, parents []int64) { add(x, parents...) })
		judge()
	}
	if !b.real { // one exchange of the best, as long as it gains
		for range 3 {
			if len(pool) == 0 {
				break
			}
			top, count := pool[0], 0
			for x := range sp.Neighbors(top.design) {
				add(x, top.parents...)
				if count++; count >= max(designs/10, 8) {
					break
				}
			}
			judge()
			if pool[0].design == top.design {
				break
			}
		}
	}
	if len(pool) == 0 {
		return found{}, false
	}
	b.reserve = append(b.reserve[:0], pool[1:min(len(pool), 200)]...)
	best := pool[0]
	best.why = why(best.row)
	// Parents have to be told; foreign ones are.
	best.parents = slices.Clone(best.parents) // shared with its kin
	slices.Sort(best.parents)
	best.parents = slices.Compact(best.parents)
	return best, true
}

// step draws how a design is mutated: from one decision to several, from coarse
// to fine.
func (b *bayes) step() space.Mutation {
	m := space.Mutation{Sites: 1, Sigma: [...]float64{0.25, 0.08, 0.02, 0.005}[b.r.IntN(4)]}
	for m.Sites < b.width && b.r.IntN(2) == 0 {
		m.Sites *= 2
	}
	return m
}

// climb follows the slope from the best of the pool that are not neighbours of
// one another.
func (b *bayes) climb(goal *aim, pool []found, climbs int, add func(space.Design, []int64)) {
	k := len(b.moves)
	x, lo, hi := make([]float64, 0, k), make([]float64, k), make([]float64, k)
	grad := make([]float64, len(b.columns))
	var starts []found
	for _, f := range pool[:min(len(pool), 400)] {
		if len(starts) == climbs {
			break
		}
		near := slices.ContainsFunc(starts, func(s found) bool {
			far := 0.0
			for j, v := range s.row {
				if u := f.row[j]; u != v && !(math.IsNaN(u) && math.IsNaN(v)) {
					far = max(far, math.Abs(u-v))
					if math.IsNaN(u - v) {
						far = 1
					}
				}
			}
			return far < 0.05
		})
		if !near && !math.IsInf(f.value, 0) {
			starts = append(starts, f)
		}
	}
	var features []float64
	for _, f := range starts {
		row := slices.Clone(f.row)
		var active []bayesMove
		x = x[:0]
		for _, m := range b.moves {
			if !math.IsNaN(row[m.column]) {
				active = append(active, m)
				x = append(x, row[m.column])
			}
		}
		if len(active) == 0 {
			continue
		}
		for j := range hi {
			hi[j] = 1
		}
		lbfgs.Minimize(context.Background(), func(x, g []float64) float64 {
			for j, m := range active {
				row[m.column] = x[j]
			}
			v := goal.slope(row, grad)
			for j, m := range active {
				g[j] = -grad[m.column]
			}
			return -v
		}, x, lo[:len(x)], hi[:len(x)], climbSteps)
		var err error
		if features, err = b.setup.Space.Encode(f.design, features[:0]); err != nil {
			return
		}
		for j, m := range active {
			features[m.feature] = x[j]
		}
		if d, err := b.setup.Space.FromFeatures(features); err == nil {
			add(d, f.parents)
		}
	}
}

// aim returns the criterion for proposal i of an Ask, and how to speak about it.
func (b *bayes) aim(i int) (*aim, func(row []float64) string) {
	var safe *predict.GPModel
	if b.feasible.gp != nil {
		safe = b.feasible.gp
	}
	if b.kinds.feasible == 0 && safe != nil {
		// Nothing feasible yet: improve on the least infeasible.
		least := slices.Min(safe.Fitted())
		m := b.believed(safe, least)
		goal := improve(m, nil, len(b.columns), func() float64 { return least })
		return goal, func(row []float64) string {
			mean, sd := b.at(m, row)
			return fmt.Sprintf("nothing is feasible yet; infeasibility %.2g ± %.2g", mean, sd)
		}
	}
	if len(b.models) == 1 || b.Acquisition == "parego" {
		return b.aimOne(i, safe)
	}
	return b.aimMany(safe)
}

func (b *bayes) at(m *predict.GPModel, row []float64) (mean, sd float64) {
	var y, s [1]float64
	m.Posterior(row, y[:], s[:])
	return y[0], s[0]
}

// incumbent returns the least posterior mean among feasible results.
func (b *bayes) incumbent(m *bayesModel) float64 {
	best, any := math.Inf(1), math.Inf(1)
	for k, y := range m.gp.Fitted() {
		x := &b.obs[m.rows[k]]
		if any = min(any, y); !x.pruned && x.label < 0 {
			best = min(best, y)
		}
	}
	if math.IsInf(best, 1) {
		return any
	}
	return best
}

// improve is the logarithm of expected improvement times the probability of
// being feasible.
func improve(m, safe *predict.GPModel, columns int, best func() float64) *aim {
	f := best()
	var sd, mu, su []float64
	dm, ds := make([]float64, columns), make([]float64, columns)
	return &aim{
		score: func(rows, out []float64) {
			sd = append(sd[:0], out...)
			m.Posterior(rows, out, sd)
			for i, y := range out {
				out[i], _, _ = logEI(y, sd[i], f)
			}
			mu, su = addSafe(safe, rows, out, mu, su)
		},
		slope: func(row, g []float64) float64 {
			y, s := m.Slope(row, dm, ds)
			v, vm, vs := logEI(y, s, f)
			for j := range g {
				g[j] = float64(vm*dm[j]) + float64(vs*ds[j])
			}
			return v + slopeSafe(safe, row, g, dm, ds)
		},
	}
}

// addSafe adds the logarithm of the probability of being feasible.
func addSafe(safe *predict.GPModel, rows, out, mu, su []float64) ([]float64, []float64) {
	if safe == nil {
		return mu, su
	}
	mu, su = append(mu[:0], out...), append(su[:0], out...)
	safe.Posterior(rows, mu, su)
	for i := range out {
		v, _, _ := logFeasible(mu[i], su[i])
		out[i] += v
	}
	return mu, su
}

func slopeSafe(safe *predict.GPModel, row, g, dm, ds []float64) float64 {
	if safe == nil {
		return 0
	}
	y, s := safe.Slope(row, dm, ds)
	v, vm, vs := logFeasible(y, s)
	for j := range g {
		g[j] += float64(vm*dm[j]) + float64(vs*ds[j])
	}
	return v
}

// aimOne is the criterion of one objective.
func (b *bayes) aimOne(i int, safe *predict.GPModel) (*aim, func([]float64) string) {
	m := b.models[0]
	name := "loss"
	if b.Acquisition == "parego" {
		if !b.directed {
			b.direct(len(b.obs) <= aimed)
		}
		b.directed = false
		m, name = &b.scalar, "distance in a random direction"
	}
	if m.gp == nil {
		return nil, nil
	}
	best := b.incumbent(m)
	gp := b.believed(m.gp, best)
	say := func(row []float64) string {
		mean, sd := b.at(gp, row)
		return fmt.Sprintf("%s %.3g ± %.2g in standard deviations of the results, best %.3g", name, mean, sd, best)
	}
	switch {
	case b.Batch == "explore" && m != &b.scalar && len(b.pending) > 0 && rng.Open(b.r) > 0.25:
		return b.explore(m.gp, gp, safe, best), say
	case b.Acquisition == "ucb":
		return b.bound(gp, safe), say
	}
	return improve(gp, safe, len(b.columns), func() float64 { return best }), say
}

// bound is the confidence bound within a trust region around the results: beyond
// it a candidate is worth less the further it is, so that a model that knows
// little does not run to the corners (Song et al. 2024).
func (b *bayes) bound(gp, safe *predict.GPModel) *aim {
	n := float64(gp.Rows())
	radius := 0.2 + float64(0.3*n)/float64(5*(len(b.columns)+1))
	d := len(b.columns)
	var sd, mu, su []float64
	return &aim{score: func(rows, out []float64) {
		sd = append(sd[:0], out...)
		gp.Posterior(rows, out, sd)
		for i, y := range out {
			out[i] = ucb(y, sd[i], b.Kappa)
			if radius < 0.5 {
				if far := b.nearest(rows[i*d : (i+1)*d]); far > radius {
					out[i] = -1e4 - far
				}
			}
		}
		mu, su = addSafe(safe, rows, out, mu, su)
	}}
}

// nearest returns the distance to the nearest result in the number in which they
// differ most.
func (b *bayes) nearest(row []float64) float64 {
	d := len(b.columns)
	least := math.Inf(1)
	for i := 0; i < len(b.rows); i += d {
		far := 0.0
		for j, v := range b.rows[i : i+d] {
			if b.columns[j].Levels == 0 {
				if u := math.Abs(v - row[j]); u > far {
					if far = u; far >= least {
						break
					}
				}
			}
		}
		least = min(least, far)
	}
	return least
}

// explore is pure exploration among what may still be best: the greatest
// standard deviation, given what is pending, where the optimistic bound of the
// model without it reaches the best mean (Contal et al. 2013).
func (b *bayes) explore(base, gp, safe *predict.GPModel, best float64) *aim {
	const kappa, penalty = 0.5, 10
	var sd, mean, spare, mu, su []float64
	return &aim{score: func(rows, out []float64) {
		sd, mean, spare = append(sd[:0], out...), append(mean[:0], out...), append(spare[:0], out...)
		base.Posterior(rows, mean, sd)
		gp.Posterior(rows, spare, out)
		for i := range out {
			if short := -best - ucb(mean[i], sd[i], kappa); short > 0 {
				out[i] -= float64(penalty * short)
			}
		}
		mu, su = addSafe(safe, rows, out, mu, su)
	}}
}

// aimed is up to how many results hyperparameters are learned anew for every
// direction within an Ask.
const aimed = 64

// direct draws a direction in which the front is looked for, and models how far
// results are from the ideal along it: the augmented Chebyshev distance of ParEGO
// (Knowles 2006), with losses scaled to the range of the results. Directions
// are uniform over those that a front can lie in, which weights, their
// reciprocals, would not be: most of them ask for the ends. What is modelled is
// warped as a single objective is, and hyperparameters are learned for each
// direction, because a decision that matters for one may not for another.
func (b *bayes) direct(learn bool) {
	k := len(b.models)
	weights, sum := make([]float64, k), 0.0
	for j := range weights {
		weights[j] = 1 / max(math.Abs(rng.Norm(b.r)), 1e-6)
		sum += weights[j]
	}
	rows, _ := b.losses(0)
	if len(rows) == 0 {
		b.scalar.gp = nil
		return
	}
	most, all := make([]float64, len(rows)), make([]float64, len(rows))
	for j := range k {
		_, y := b.losses(j)
		lo, hi := slices.Min(y), slices.Max(y)
		for i, v := range y {
			v = weights[j] / sum * ((v/2 - lo/2) / max(hi/2-lo/2, 1e-300)) // halved: the range may overflow
			most[i] = max(most[i], v)
			all[i] += v
		}
	}
	y := most
	for i := range y {
		y[i] += float64(0.05 * all[i])
	}
	w := warpOf(b.Warp, y)
	for i, v := range y {
		y[i] = w.Apply(v)
	}
	b.make(&b.scalar, rows, y, learn)
}

// worlds is how many worlds NEHVI averages over.
const worlds = 8

// noiseless is the standard deviation of the noise, in those of the results, up
// to which results are taken for what they are.
const noiseless = 0.03

// contenders bounds the results whose values differ between worlds.
const contenders = 64

// aimMany is the expected gain of hypervolume.
func (b *bayes) aimMany(safe *predict.GPModel) (*aim, func([]float64) string) {
	k := len(b.models)
	gps := make([]*predict.GPModel, k)
	for j, m := range b.models {
		if m.gp == nil {
			return nil, nil
		}
		gps[j] = m.gp
	}
	// All objectives are measured together, so their models know the same rows.
	rows := b.models[0].rows
	fitted := make([][]float64, k)
	for j := range gps {
		fitted[j] = gps[j].Fitted()
	}
	var points []float64
	var which []int
	for i, o := range rows {
		if x := &b.obs[o]; !x.pruned && x.label < 0 {
			which = append(which, i)
			for j := range k {
				points = append(points, fitted[j][i])
			}
		}
	}
	ref := reference(points, k)
	noisy := false
	for j := range gps {
		noisy = noisy || gps[j].Noise() > noiseless
		gps[j] = b.believed(gps[j], math.Inf(1))
	}
	limit := boxedFront[k-1]
	var cuts []*boxes
	var open []*predict.GPWorlds
	if b.Acquisition == "nehvi" && (noisy || len(b.pending) > 0) {
		// Those that may be on the front, and what is pending.
		front := which
		if len(front) > contenders {
			front = nil
			for _, i := range thinFront(points, k, contenders) {
				front = append(front, which[i])
			}
		}
		for p := range b.pending {
			front = append(front, len(rows)+p)
		}
		for j := range gps {
			open = append(open, gps[j].Worlds(front, worlds, b.r))
		}
		world := make([]float64, 0, k*len(front))
		for s := range worlds {
			world = world[:0]
			for i := range front {
				for j := range k {
					world = append(world, open[j].Values[s][i])
				}
			}
			cuts = append(cuts, newBoxes(thinned(world, k, limit), k, ref))
		}
	} else {
		cuts = append(cuts, newBoxes(thinned(points, k, limit), k, ref))
	}
	var sd, mu, su []float64
	means := make([][]float64, len(cuts)*k)
	score := func(from []float64, out []float64) {
		n := len(out)
		for i := range means {
			means[i] = append(means[i][:0], out...)
		}
		sd = append(sd[:0], make([]float64, k*n)...)
		for j := range k {
			mine := means[j*len(cuts) : (j+1)*len(cuts)]
			if open != nil {
				open[j].Posterior(from, mine, sd[j*n:(j+1)*n])
			} else {
				gps[j].Posterior(from, mine[0], sd[j*n:(j+1)*n])
			}
		}
		var y, s [boxedObjectives]float64
		for i := range n {
			sum := 0.0
			for j := range k {
				s[j] = sd[j*n+i]
			}
			for c, cut := range cuts {
				for j := range k {
					y[j] = means[j*len(cuts)+c][i]
				}
				sum += cut.improvement(y[:k], s[:k])
			}
			out[i] = logGain(sum/float64(len(cuts)), y[:k], s[:k], ref)
		}
		mu, su = addSafe(safe, from, out, mu, su)
	}
	say := func(row []float64) string {
		var out [1]float64
		score(row, out[:])
		return fmt.Sprintf("expected gain of hypervolume e^%.2f", out[0])
	}
	return &aim{score: score}, say
}

// logGain is the logarithm of a gain; where it underflows, something worse the
// further the mean is beyond the reference point.
func logGain(gain float64, mean, sd, ref []float64) float64 {
	if gain > 1e-290 {
		return detmath.Log(gain)
	}
	far := 0.0
	for j := range mean {
		far += max((mean[j]-ref[j])/sd[j], 0)
	}
	return -670 - min(far, 1e6)
}

// boxedFront is the most points of a front that are cut into boxes, by the
// number of objectives less one.
var boxedFront = [boxedObjectives]int{1, 128, 40, 14}

// thinFront returns the indexes of at most n rows: those of the best fronts, of
// the front that does not fit the least crowded.
func thinFront(points []float64, m, n int) []int {
	ranks := metric.NonDominatedSort(points, m, nil)
	var out []int
	for r := int32(0); len(out) < n; r++ {
		var front []int
		var rows []float64
		for i, v := range ranks {
			if v == r {
				front = append(front, i)
				rows = append(rows, points[i*m:(i+1)*m]...)
			}
		}
		if front == nil {
			break
		}
		if len(out)+len(front) > n {
			crowd := metric.CrowdingDistance(rows, m, nil, nil)
			order := make([]int, len(front))
			for i := range order {
				order[i] = i
			}
			slices.SortStableFunc(order, func(i, j int) int {
				switch {
				case crowd[i] > crowd[j]:
					return -1
				case crowd[i] < crowd[j]:
					return 1
				}
				return 0
			})
			for _, i := range order[:n-len(out)] {
				out = append(out, front[i])
			}
			break
		}
		out = append(out, front...)
	}
	slices.Sort(out)
	return out
}

// thinned returns the front of the points, at most n of it.
func thinned(points []float64, m, n int) []float64 {
	var front []float64
	for _, i := range metric.NonDominated(points, m) {
		front = append(front, points[i*m:(i+1)*m]...)
	}
	if len(front)/m <= n {
		return front
	}
	var out []float64
	for _, i := range thinFront(front, m, n) {
		out = append(out, front[i*m:(i+1)*m]...)
	}
	return out
}

// reference returns the reference point of the hypervolume: the nadir of the
// front and a tenth of its range.
func reference(points []float64, m int) []float64 {
	var front []float64
	for _, i := range metric.NonDominated(points, m) {
		front = append(front, points[i*m:(i+1)*m]...)
	}
	return metric.ReferencePoint(front, m)
}
