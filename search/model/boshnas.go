package model

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

// BOSHNAS is Bayesian optimisation with gradients through a heteroscedastic
// surrogate (Tuli, Dedhia, Tuli and Jha 2023, FlexiBERT): the three nets of
// [predict.BOSHNAS] say what a design is expected to lose, μ, and how little is
// known of it, σ, and since both have gradients by the encoded design, the next
// one is found by descent (GOBI, gradient-based optimisation of the bound).
//
// After Initial random designs a proposal is one of three. Mostly, Starts points,
// half of them the best designs so far and half the best by the bound of 64
// random ones, go down μ − Kappa·σ for at most Descent steps of Adam within the
// range of each column, and each end is replaced by the nearest design. The least
// bound of these, and of what three rounds of mutation make of them, is proposed
// as "gobi", and [search.Proposal.Why] says how far away the end was, as the sum
// of absolute differences over the columns, or that the design was mutated. With
// probability Unknown it is, of 128 random designs, the one of the greatest σ
// ("unknown"), and with probability Random any ("random").
//
// Where an end is nearest to a design that was proposed before, or that a forest
// takes for infeasible, or where no design can be made of numbers (grammars), the
// candidates of [SMAC], three rounds of mutation included, are judged by the
// same bound with the rest ("evolve"). In a space of at most 4,096 designs all of them are.
//
// The paper descends by AdaHessian in an embedding of a library of designs, learned
// from distances of their graphs; here the rows of [predict.OneHot] are that
// embedding and the space is the library.
//
// Several objectives are one by the augmented Chebyshev norm of ParEGO, with new
// weights each time. Nets are fitted to at most Rows results, after each one
// or, if that is more, every fiftieth part of the results, and after more of
// them where rows are wide: one for each 300 columns. A fit takes about 0.2 s
// an objective and a descent 20 ms, however many trials there were.
type BOSHNAS struct {
	Initial    int     `yaml:"initial" min:"0" max:"1000000" doc:"random designs that come first; 0 means 10, at most a quarter of the budget"` // 0 means 10
	Batch      int     `yaml:"batch" default:"1" min:"1" max:"100000" doc:"results between two fits"`                                           // 0 means 1
	Kappa      float64 `yaml:"kappa" default:"0.5" min:">0" max:"100" doc:"weight of the standard deviation in the bound"`                      // 0 means 0.5
	Starts     int     `yaml:"starts" default:"10" min:"1" max:"10000" doc:"points that go down the bound"`                                     // 0 means 10
	Descent    int     `yaml:"descent" default:"100" min:"1" max:"100000" doc:"steps of a descent"`                                             // 0 means 100
	Steps      int     `yaml:"steps" default:"300" min:"1" max:"1000000" doc:"batches that each net learns from"`                               // 0 means 300
	Unknown    float64 `yaml:"unknown" default:"0.1" min:">0" max:"1" doc:"share of proposals of which least is known"`                         // 0 means 0.1
	Random     float64 `yaml:"random" default:"0.1" min:">0" max:"1" doc:"share of proposals that are random"`                                  // 0 means 0.1
	Candidates int     `yaml:"candidates" default:"1000" min:"10" max:"1000000" doc:"designs that are predicted where a descent finds none"`    // 0 means 1,000
	Rows       int     `yaml:"rows" default:"500" min:"10" max:"1000000" doc:"results that are learned from, the best and the newest first"`    // 0 means 500
}

// New makes a searcher. It works on every space, any number of objectives, with
// or without limits.
func (o BOSHNAS) New(setup search.Setup) (search.Searcher, error) {
	l := limits{name: "boshnas"}
	l.whole("initial", o.Initial, 2, 1_000_000)
	l.whole("batch", o.Batch, 1, 100_000)
	l.whole("starts", o.Starts, 1, 10_000)
	l.whole("descent", o.Descent, 1, 100_000)
	l.whole("steps", o.Steps, 1, 1_000_000)
	l.whole("candidates", o.Candidates, 10, 1_000_000)
	l.whole("rows", o.Rows, 10, 1_000_000)
	l.share("unknown", o.Unknown)
	l.share("random", o.Random)
	o.Unknown, o.Random = cmp.Or(o.Unknown, 0.1), cmp.Or(o.Random, 0.1)
	if o.Unknown+o.Random > 1 {
		l.errs = append(l.errs, fmt.Errorf("boshnas: unknown + random: found %v, want shares of at most 1 together", o.Unknown+o.Random))
	}
	if !(o.Kappa >= 0 && o.Kappa <= 100) {
		l.errs = append(l.errs, fmt.Errorf("boshnas: kappa: found %v, want a number above 0 and at most 100, or 0 for 0.5", o.Kappa))
	}
	if err := errors.Join(l.errs...); err != nil {
		return nil, err
	}
	s, err := newGuided(plan{
		name: l.name, learner: predict.BOSHNAS{Steps: o.Steps}, pick: pickBound, initial: cmp.Or(o.Initial, 10), batch: cmp.Or(o.Batch, 1),
		candidates: cmp.Or(o.Candidates, 1000), rows: cmp.Or(o.Rows, 500), random: o.Random, enumerate: 4096,
		gobi: &gobi{kappa: cmp.Or(o.Kappa, 0.5), starts: cmp.Or(o.Starts, 10), steps: cmp.Or(o.Descent, 100), unsure: o.Unknown},
	}, setup)
	if err != nil {
		return nil, err
	}
	g := s.(*guided)
	g.batch = max(g.batch, len(g.encoder.Columns())/300)
	return g, nil
}

// A gobi is how candidates are found by descent.
type gobi struct {
	kappa         float64
	starts, steps int
	unsure        float64 // share of proposals of which least is known
	lo, hi        []float64
	weights       []float64 // of the objectives, in this ranking
}

const (
	gobiRate  = 0.05 // of Adam, of the range of a column
	gobiStill = 1e-5 // change of a bound that is none, of its size …
	gobiCalm  = 5    // … in so many steps that end a descent
	gobiTried = 64   // random designs the best of which are starts
	gobiDrawn = 128  // designs of which the one least known is sought
)

// box sets the range of every column.
func (g *guided) box() {
	b, width := g.gobi, len(g.encoder.Columns())
	if b.lo != nil {
		return
	}
	b.lo, b.hi = make([]float64, width), slices.Repeat([]float64{1}, width)
	if !g.pool.all {
		return // features lie in [0, 1]
	}
	copy(b.lo, g.pool.rows)
	copy(b.hi, g.pool.rows)
	for i, v := range g.pool.rows {
		b.lo[i%width], b.hi[i%width] = min(b.lo[i%width], v), max(b.hi[i%width], v)
	}
}

// bound writes the bound of rows, as one loss, and its gradient if grad is not
// nil.
func (g *guided) bound(rows, weights, value, grad []float64) {
	if len(g.models) == 1 {
		g.models[0].(predict.Gradient).Bound(rows, 0, g.gobi.kappa, value, grad)
		return
	}
	n, width := len(value), len(rows)/len(value)
	values, grads := make([][]float64, len(g.models)), make([][]float64, len(g.models))
	for j, m := range g.models {
		values[j], grads[j] = make([]float64, n), make([]float64, len(grad))
		if grad == nil {
			grads[j] = nil
		}
		m.(predict.Gradient).Bound(rows, 0, g.gobi.kappa, values[j], grads[j])
	}
	clear(grad)
	z := make([]float64, len(g.models))
	for i := range n {
		worst, at := math.Inf(-1), 0
		for j := range z {
			z[j] = values[j][i]
			if v := float64(weights[j] * ((z[j] - g.lo[j]) / g.span[j])); v > worst {
				worst, at = v, j
			}
		}
		value[i] = g.scalar(z, weights)
		if grad == nil {
			continue
		}
		for j := range z {
			by := 0.05
			if j == at {
				by = 1.05
			}
			by *= weights[j] / g.span[j]
			for k, d := range grads[j][i*width : (i+1)*width] {
				grad[i*width+k] += float64(by * d)
			}
		}
	}
}

// begin returns where descents start: every other one at one of the best designs
// so far, the others at those of some random designs that have the least bound.
func (g *guided) begin(weights []float64) (x []float64, parents [][]int64, err error) {
	width := len(g.encoder.Columns())
	elite := g.elite()
	elite = elite[:min(len(elite), (g.gobi.starts+1)/2)]
	for _, i := range elite {
		x, parents = append(x, g.rows[i*width:(i+1)*width]...), append(parents, []int64{g.ids[i]})
	}
	var rows []float64
	n := max(gobiTried, g.gobi.starts)
	for range n {
		if g.pool.all {
			i := g.r.IntN(len(g.pool.designs))
			rows = append(rows, g.pool.rows[i*width:(i+1)*width]...)
			continue
		}
		d, err := g.space.Sample(g.r)
		if err != nil {
			return nil, nil, err
		}
		if rows, err = g.encoder.Encode(rows, d); err != nil {
			return nil, nil, err
		}
	}
	value, order := make([]float64, n), make([]int, n)
	g.bound(rows, weights, value, nil)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(value[a], value[b]) })
	for _, i := range order[:g.gobi.starts-len(elite)] {
		x, parents = append(x, rows[i*width:(i+1)*width]...), append(parents, nil)
	}
	return x, parents, nil
}

// slide moves rows down the bound, by Adam, until none changes any more.
func (g *guided) slide(x, weights []float64, n int) {
	const beta1, beta2 = 0.9, 0.999
	width := len(x) / n
	value, last, grad := make([]float64, n), make([]float64, n), make([]float64, len(x))
	m, v := make([]float64, len(x)), make([]float64, len(x))
	b1, b2, calm := 1.0, 1.0, 0
	for step := range g.gobi.steps {
		g.bound(x, weights, value, grad)
		still := step > 0
		for i, y := range value {
			still = still && math.Abs(y-last[i]) <= gobiStill*(1+math.Abs(y))
		}
		if calm++; !still {
			calm = 0
		}
		if calm == gobiCalm {
			return
		}
		copy(last, value)
		b1 *= beta1
		b2 *= beta2
		rate := gobiRate * (1 - float64(step)/float64(g.gobi.steps)) / (1 - b1)
		for i, d := range grad {
			if math.IsNaN(d) || math.IsInf(d, 0) {
				continue
			}
			m[i] = float64(beta1*m[i]) + float64((1-beta1)*d)
			v[i] = float64(beta2*v[i]) + float64((1-beta2)*float64(d*d))
			if v[i] == 0 {
				continue
			}
			lo, hi := g.gobi.lo[i%width], g.gobi.hi[i%width]
			move := float64(rate*m[i]) / math.Sqrt(v[i]/(1-b2))
			x[i] = min(max(x[i]-float64((hi-lo)*move), lo), hi)
		}
	}
}

// A landing is a design near the end of a descent.
type landing struct {
	design space.Design
	row    []float64
	away   float64
}

// land finds the design nearest to a row, and how far it is.
func (g *guided) land(x []float64) (out landing, ok bool) {
	width := len(x)
	if g.pool.all {
		out.away = math.Inf(1)
		for i, d := range g.pool.designs {
			row := g.pool.rows[i*width : (i+1)*width]
			if away := distance(row, x, out.away); away < out.away {
				out.design, out.row, out.away = d, row, away
			}
		}
		return out, out.row != nil
	}
	d, err := g.space.FromFeatures(x)
	if err != nil {
		return out, false
	}
	row, err := g.encoder.Encode(nil, d)
	if err != nil {
		return out, false
	}
	return landing{design: d, row: row, away: distance(row, x, math.Inf(1))}, true
}

// distance is the sum of absolute differences, or any number from limit on.
func distance(a, b []float64, limit float64) (sum float64) {
	for i, v := range a {
		if sum += math.Abs(v - b[i]); sum >= limit {
			return sum
		}
	}
	return sum
}

// descend fills the queue with the designs nearest to where descents end, and
// where some of these are of no use, with candidates that are bred.
func (g *guided) descend() error {
	width := len(g.encoder.Columns())
	weights := g.weights(len(g.models))
	g.gobi.weights = weights
	if _, err := g.space.Dims(); err != nil && !g.pool.all {
		return g.evolve() // no design can be made of numbers
	}
	g.box()
	x, parents, err := g.begin(weights)
	if err != nil {
		return err
	}
	g.slide(x, weights, len(parents))
	found := pool{known: map[space.Design]bool{}}
	mutated := fmt.Sprintf("descent of μ − %gσ, snapped and mutated", g.gobi.kappa)
	notes := map[space.Design]string{}
	lost := false // a descent led to nothing that can be proposed
	for k := range parents {
		at, ok := g.land(x[k*width : (k+1)*width])
		if !ok || g.Seen(at.design) || g.setup.Admit != nil && !g.setup.Admit(at.design) {
			lost = true
			continue
		}
		if notes[at.design] != "" {
			continue
		}
		notes[at.design] = fmt.Sprintf("descent of μ − %gσ, snapped by %.3g over %d columns", g.gobi.kappa, at.away, width)
		found.known[at.design] = true
		found.designs, found.parents, found.rows = append(found.designs, at.design), append(found.parents, parents[k]), append(found.rows, at.row...)
	}
	saved := g.pool
	if len(found.designs) > 0 {
		g.pool = found
		g.judge(g.predict(found.rows, len(found.designs)), 0)
		if !saved.all {
			g.climb() // what rounding lost is regained
		}
		g.pool = saved
	}
	for i := range g.queue {
		g.queue[i].operator, g.queue[i].why = "gobi", cmp.Or(notes[g.queue[i].design], mutated)
		lost = lost || g.queue[i].worth < -unlikely/2
	}
	if !lost && len(g.queue) > 0 {
		g.top(len(g.queue))
		return nil
	}
	ends := slices.Clone(g.queue)
	g.queue = g.queue[:0]
	if err := g.evolve(); err != nil {
		return err
	}
	for i := range g.queue {
		g.queue[i].operator = "evolve"
	}
	for _, c := range ends {
		if i := slices.IndexFunc(g.queue, func(q choice) bool { return q.design == c.design }); i >= 0 {
			g.queue[i] = c
			continue
		}
		g.queue = append(g.queue, c)
	}
	g.top(max(4*g.every(), 64))
	return nil
}

// unknown returns, of some random designs, the one of which least is known.
func (g *guided) unknown() (space.Design, bool) {
	var designs []space.Design
	var rows []float64
	width := len(g.encoder.Columns())
	if g.pool.all {
		open := g.open()
		g.r.Shuffle(len(open), func(i, j int) { open[i], open[j] = open[j], open[i] })
		for _, i := range open[:min(gobiDrawn, len(open))] {
			designs, rows = append(designs, g.pool.designs[i]), append(rows, g.pool.rows[i*width:(i+1)*width]...)
		}
	} else {
		for range gobiDrawn {
			d, err := g.space.Sample(g.r)
			if err != nil {
				break
			}
			if g.Seen(d) || g.setup.Admit != nil && !g.setup.Admit(d) {
				continue
			}
			more, err := g.encoder.Encode(rows, d)
			if err != nil {
				continue
			}
			designs, rows = append(designs, d), more
		}
	}
	if len(designs) == 0 {
		return space.Design{}, false
	}
	x := g.predict(rows, len(designs))
	best, at := math.Inf(-1), 0
	for i := range designs {
		worth := 0.0
		for j := range x.sd {
			worth += x.sd[j][i] / g.span[j]
		}
		if x.feasible != nil && x.feasible[i] < 0.5 {
			worth -= unlikely
		}
		if worth > best {
			best, at = worth, i
		}
	}
	return designs[at], true
}
