package model

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/fresh"
	"github.com/daedalus-search/daedalus/space"
)

// A plan is what tells the predictor-guided methods apart.
type plan struct {
	name       string
	learner    predict.Learner
	decisions  bool        // rows are those of predict.Decisions, for trees
	pick       acquisition // how candidates are ordered
	top        int         // pickUniform: of the best how many it draws
	initial    int         // results before the model is used
	batch      int         // results between two fits, while there are few
	candidates int         // designs predicted where not all are
	rows       int         // results that are learned from
	random     float64     // share of proposals drawn from the prior
	enumerate  int         // spaces up to this size are predicted as a whole; 0: never
	inner      func(search.Setup) (search.Searcher, error)
	evals      int   // predicted evaluations of the inner search
	gobi       *gobi // candidates by descent
}

// A guided searcher measures a few designs, learns to predict the rest, and
// measures what the prediction promises.
type guided struct {
	search.Ledger
	plan
	setup      search.Setup
	objectives int
	space      *space.Space
	encoder    predict.Encoder
	r          *rand.Rand
	source     *fresh.Source

	// What was told of full results, and of designs that have none.
	rows    []float64 // encoded
	designs []space.Design
	ids     []int64
	scores  []metric.Score // without Loss: not measured
	broken  int            // scores without Loss, or that violate limits
	usable  int            // scores with Loss
	front   metric.Front[int]

	models   []predict.Model // one an objective
	feasible predict.Model   // probability, by a forest; nil if nothing ever broke
	fits     uint64
	fitted   int       // len(scores) when the models were fitted
	lo, span []float64 // of the front, as targets

	pool   pool
	queue  []choice // what the last ranking promises, best last
	ranked int      // len(scores) when the queue was made
}

func newGuided(p plan, setup search.Setup) (search.Searcher, error) {
	if setup.Space == nil {
		return nil, fmt.Errorf("%s: space: found none, want a space to search", p.name)
	}
	encode := predict.OneHot
	if p.decisions {
		encode = predict.Decisions
	}
	e, err := encode(setup.Space)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	g := &guided{
		Ledger: search.NewLedger(setup), plan: p, setup: setup, objectives: max(setup.Objectives, 1), space: setup.Space, encoder: e,
		r: rng.New(setup.Seed, "model/"+p.name, 0), source: fresh.New(setup.Space, rng.New(setup.Seed, "model/"+p.name, 1)),
	}
	if setup.Budget > 0 {
		g.initial = max(min(g.initial, int(setup.Budget/4)), min(2, g.initial))
	}
	if g.enumerate > 0 {
		if all, ok := fresh.List(setup.Space, g.enumerate); ok && len(all)*len(e.Columns()) <= maxCells {
			if err := g.pool.fill(all, e); err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	return g, nil
}

// maxCells bounds the numbers kept of a space that is predicted as a whole.
const maxCells = 1 << 23

// Batch implements [search.Batcher].
func (g *guided) Batch() int {
	if g.usable < g.initial {
		return max(g.initial-g.usable, 1)
	}
	return g.batch
}

func (g *guided) Ask(n int) ([]search.Proposal, error) { return search.Each(n, g.next) }

func (g *guided) next() (search.Proposal, error) {
	if g.usable < max(g.initial, 2) || g.random > 0 && g.r.Float64() < g.random {
		return g.draw()
	}
	if len(g.queue) == 0 || len(g.scores)-g.ranked >= g.every() {
		if len(g.scores)-g.fitted >= g.every() && !g.patient() {
			g.fit()
		}
		if g.models == nil {
			return g.draw()
		}
		if err := g.rank(); err != nil {
			return search.Proposal{}, err
		}
	}
	if g.gobi != nil && g.models != nil && g.r.Float64() < g.gobi.unsure/(1-g.random) {
		if d, ok := g.unknown(); ok {
			return g.Propose(d, "unknown"), nil
		}
	}
	for len(g.queue) > 0 {
		c := g.queue[len(g.queue)-1]
		g.queue = g.queue[:len(g.queue)-1]
		if !g.Seen(c.design) {
			p := g.Propose(c.design, cmp.Or(c.operator, g.name), c.parents...)
			p.Why = c.why
			return p, nil
		}
	}
	return g.draw()
}

// draw proposes a design from the prior, an admissible one if a few draws find it.
func (g *guided) draw() (search.Proposal, error) {
	var d space.Design
	for range 64 {
		var err error
		if d, err = g.source.Next(g.Seen); err != nil {
			return search.Proposal{}, err
		}
		if g.setup.Admit == nil || g.setup.Admit(d) {
			return g.Propose(d, "random"), nil
		}
	}
	if g.pool.all { // then there is no need of luck
		if admitted := g.open(); len(admitted) > 0 {
			d = g.pool.designs[admitted[g.r.IntN(len(admitted))]]
		}
	}
	return g.Propose(d, "random"), nil
}

// open returns the designs of the pool that may be proposed.
func (g *guided) open() []int {
	var out []int
	for i, d := range g.pool.designs {
		if !g.Seen(d) && (g.setup.Admit == nil || g.setup.Admit(d)) {
			out = append(out, i)
		}
	}
	return out
}

// every is how many results come between two fits: few at first, then a share of
// all, so that fitting costs the same for each result.
func (g *guided) every() int { return max(g.batch, len(g.scores)/50) }

// patient reports whether a fit is worth waiting for [guided.Refit]: it is
// called while evaluations run, if at all.
func (g *guided) patient() bool {
	return len(g.scores) > 500 && g.fitted > 0 && len(g.scores)-g.fitted < 2*g.every()
}

// Refit implements [search.Refitter].
func (g *guided) Refit() {
	if g.usable >= max(g.initial, 2) && len(g.scores) > 500 && len(g.scores)-g.fitted >= g.every() {
		g.fit()
	}
}

func (g *guided) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		o := &outcomes[i]
		if !g.Accept(o) || o.Status == search.Pruned || o.Fidelity > 0 && o.Fidelity < 1 {
			continue // a partial result is not what is to be predicted
		}
		row, err := g.encoder.Encode(g.rows, o.Design)
		if err != nil {
			continue // a design of another space
		}
		g.rows = row
		s := metric.Score{}
		if o.Usable() && len(o.Score.Loss) == g.objectives && finite(o.Score.Loss) {
			s = metric.Score{Loss: slices.Clone(o.Score.Loss), Violation: max(o.Score.Violation, 0)}
			g.usable++
			g.front.Add(s, len(g.scores))
		}
		if s.Loss == nil || s.Violation > 0 {
			g.broken++
		}
		g.designs, g.ids, g.scores = append(g.designs, o.Design), append(g.ids, o.ID), append(g.scores, s)
	}
}

func finite(x []float64) bool {
	for _, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}

// learned returns which measured results are learned from: all, or of more than
// rows the newest quarter, the best quarter, and a sample of the rest.
func (g *guided) learned() []int {
	measured := make([]int, 0, g.usable)
	for i := range g.scores {
		if g.scores[i].Loss != nil {
			measured = append(measured, i)
		}
	}
	if len(measured) <= g.plan.rows {
		return measured
	}
	quarter := g.plan.rows / 4
	keep := slices.Clone(measured[len(measured)-quarter:])
	rest := measured[:len(measured)-quarter]
	rest, _ = g.bestFirst(rest)
	r := rng.New(g.setup.Seed, "model/"+g.name+"/rows", g.fits)
	others := rest[quarter:]
	r.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	keep = append(keep, rest[:min(g.plan.rows-quarter, len(rest))]...)
	slices.Sort(keep)
	return keep
}

// bestFirst sorts measured results by their non-dominated rank, which it returns
// beside them.
func (g *guided) bestFirst(results []int) (sorted []int, ranks []int32) {
	scores := make([]metric.Score, len(results))
	order := make([]int, len(results))
	for k, i := range results {
		scores[k], order[k] = g.scores[i], k
	}
	rank := metric.RankScores(scores, nil)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rank[a], rank[b]) })
	for _, k := range order {
		sorted, ranks = append(sorted, results[k]), append(ranks, rank[k])
	}
	return sorted, ranks
}

// fit learns the objectives, or the violation as long as every result violates
// the limits, and whether a design is feasible at all.
func (g *guided) fit() {
	g.fitted = len(g.scores)
	g.fits++
	measured := g.learned()
	columns := g.encoder.Columns()
	width := len(columns)
	t := &predict.Table{Columns: columns}
	for _, i := range measured {
		t.X = append(t.X, g.rows[i*width:(i+1)*width]...)
	}
	g.models = g.models[:0]
	if len(measured) < 2 {
		g.models = nil
		return
	}
	targets := g.objectives
	violated := !g.front.Feasible()
	if violated {
		targets = 1
	}
	g.lo, g.span = make([]float64, targets), make([]float64, targets)
	onFront := map[int]bool{}
	for _, i := range g.front.All() {
		onFront[i] = true
	}
	for j := range targets {
		t.Y = t.Y[:0]
		for _, i := range measured {
			y := g.scores[i].Violation
			if !violated {
				y = g.scores[i].Loss[j]
			}
			t.Y = append(t.Y, y)
		}
		w := predict.HalfRankWarp(t.Y)
		for k, y := range t.Y {
			t.Y[k] = w.Apply(y)
		}
		m, err := g.learner.Fit(context.Background(), t, g.setup.Seed+g.fits*16+uint64(j))
		if err != nil {
			g.models = nil // what cannot be learned is not predicted
			return
		}
		g.models = append(g.models, m)
		// Objectives compare by the range of the front; its lower end is also
		// what one objective has to improve on.
		lo, hi := math.Inf(1), math.Inf(-1)
		for k, i := range measured {
			if violated || onFront[i] {
				lo, hi = min(lo, t.Y[k]), max(hi, t.Y[k])
			}
		}
		g.lo[j], g.span[j] = lo, hi-lo
		if !(hi > lo) {
			g.span[j] = max(slices.Max(t.Y)-slices.Min(t.Y), 1e-12)
		}
	}
	g.feasible = nil
	if g.broken > 0 && g.broken < len(g.scores) && !violated {
		t := &predict.Table{Columns: columns}
		for i := max(len(g.scores)-g.plan.rows, 0); i < len(g.scores); i++ {
			y := 1.0
			if s := g.scores[i]; s.Loss == nil || s.Violation > 0 {
				y = 0
			}
			t.Add(g.rows[i*width:(i+1)*width], y)
		}
		if m, err := (predict.Forest{}).Fit(context.Background(), t, g.setup.Seed+g.fits*16+15); err == nil {
			g.feasible = m
		}
	}
}
