package model

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/fresh"
	"github.com/daedalus-search/daedalus/search/sample"
	"github.com/daedalus-search/daedalus/space"
)

// GP is Bayesian optimisation with Gaussian processes (Jones, Schonlau and Welch
// 1998): each objective has a model that knows how sure it is ([predict.GP]),
// and what is proposed next is the design from which most is to be expected. It
// needs the fewest evaluations of all methods here and the most time for each
// proposal. The zero value is ready to use with the defaults given on each
// field.
//
// It works on every kind of space, because what is expected of designs is
// maximised over designs, not over a relaxation of them: the best ones known are
// mutated and crossed, others drawn, and the most promising varied again, all
// within what is legal. Real numbers of the best candidates are then moved up
// the slope. To the model a design is a row of its decisions (see
// [predict.Decisions]) in which inactive parameters are missing; a grammar's
// derivation is how often it has each production.
//
// With one objective the criterion is the logarithm of expected improvement
// (Ament et al. 2023) over the best posterior mean, or a confidence bound within
// a trust region, as in Vizier (Song et al. 2024). With two it is the
// expected gain of hypervolume in closed form over the boxes that no result
// dominates, averaged over what the noise leaves open about the results
// themselves (NEHVI, Daulton, Balandat and Bakshy 2021). With more it is the
// expected improvement of one number, how far a design is from the ideal in a
// direction that is drawn anew for each proposal (ParEGO, Knowles 2006): then
// hardly any result dominates another, the volume is mostly that beyond their
// worst values, and what all objectives have in common is learned sooner from
// their sum than from each.
//
// Limits: another Gaussian process learns which designs are feasible, the least
// violating ones the least infeasible, and the criterion is multiplied by the
// probability of that; while nothing feasible is known, it alone is followed.
// Designs that failed count as infeasible, and those that were pruned as no
// better than three quarters of the others.
//
// Proposals that are being evaluated are believed to come out as the model
// expects (kriging believer), so that the next one goes elsewhere; and with one
// objective most of them explore.
//
// A proposal that was made before, or one equivalent to it, is never made again
// until the space is exhausted; a space of up to 65,536 designs ends with
// [search.ErrExhausted].
//
// The cost is bounded: the model never knows more than Rows results. When there
// are more, the better half is kept and a sample of the others. An ask takes
// O(Rows²) for each of Candidates; hyperparameters are learned in Refit, or, if
// that is not called, in an Ask after a twelfth more results. What grows is
// only the set of designs that must not be proposed again.
type GP struct {
	// Acquisition is what is maximised: "logei" or "ucb" for one objective,
	// "nehvi", "ehvi" or "parego" for several. "auto", the default, is logei for
	// one, nehvi for two, and parego beyond. EHVI differs from NEHVI in that it
	// takes the posterior mean of the results for what they are.
	Acquisition string `yaml:"acquisition" default:"auto" oneof:"auto logei ucb nehvi ehvi parego" doc:"what is maximised: auto is logei for one objective, nehvi for two, parego beyond"`

	// Startup is the number of designs, of a scrambled Sobol sequence where the
	// space allows one, that come before the model is used. 0 means two more
	// than there are decisions, 4 to 10, and at most a quarter of the budget.
	Startup int `yaml:"startup" min:"0" max:"100000" doc:"designs before the model is used; 0 means two more than there are decisions, 4 to 10"`

	// Candidates is how many designs are judged for a proposal. 0 means 3000, or
	// as many as take about 30 ms if that is less, but at least 300.
	Candidates int `yaml:"candidates" min:"0" max:"1000000" doc:"designs judged for a proposal; 0 means 3000, or what takes about 30 ms"`

	// Rows bounds the results that the model knows of; 0 means 500.
	Rows int `yaml:"rows" default:"500" min:"8" max:"5000" doc:"most results that the model knows of; beyond, the better half and a sample of the others"`

	// Kernel, Prior and InputWarp are those of [predict.GP]. The default kernel
	// here is "sum".
	Kernel    string `yaml:"kernel" default:"sum" oneof:"sum product" doc:"how numbers and categories go together; sum adds what each tells by itself"`
	Prior     string `yaml:"prior" default:"dims" oneof:"dims vizier" doc:"prior of the length scales: dims expects less of each decision the more there are, vizier says little"`
	InputWarp bool   `yaml:"input_warp" default:"false" doc:"learn how the range of each number is bent"`

	// Warp bends what is modelled: "rank", the default, tames the worse half
	// (Vizier), "power" makes it look normal (HEBO), "none" leaves it. With
	// several objectives the hypervolume is one of bent losses.
	Warp string `yaml:"warp" default:"rank" oneof:"rank power none" doc:"bend losses before they are modelled: rank tames the worse half, power makes them look normal"`

	// Noise fixes the variance of the noise as a share of the variance of the
	// results; 0 means that it is learned.
	Noise float64 `yaml:"noise" min:"0" max:"1" doc:"variance of the noise, as a share of that of the results; 0 means learned"`

	// Kappa is the weight of the standard deviation in ucb; 0 means 1.8.
	Kappa float64 `yaml:"kappa" default:"1.8" min:">0" max:"100" doc:"weight of the standard deviation in ucb"`

	// Batch says how proposals at once are kept apart: "explore", the default,
	// makes three of four of those that are not the first where least is known
	// among what may still be best (GP-UCB-PE, Contal et al. 2013), "believer"
	// takes the pending ones to come out as expected, "liar" as good as the best
	// so far. With several objectives explore is believer.
	Batch string `yaml:"batch" default:"explore" oneof:"explore believer liar" doc:"pending proposals: explore looks where least is known, believer expects what the model says, liar the best so far"`
}

// New makes a searcher. It accepts every space, limits, and any number of
// objectives, and refuses options out of range.
func (o GP) New(setup search.Setup) (search.Searcher, error) {
	setup.Objectives = max(setup.Objectives, 1)
	var errs []error
	fail := func(field string, found, want any) {
		errs = append(errs, fmt.Errorf("gp: %s: found %v, want %v", field, found, want))
	}
	oneOf := func(field string, v *string, values ...string) {
		if *v == "" {
			*v = values[0]
		}
		if !slices.Contains(values, *v) {
			fail(field, strconv.Quote(*v), fmt.Sprintf("one of %q", values))
		}
	}
	if setup.Space == nil {
		fail("space", "none", "a space to search")
	}
	many := setup.Objectives > 1
	oneOf("acquisition", &o.Acquisition, "auto", "logei", "ucb", "nehvi", "ehvi", "parego")
	switch {
	case o.Acquisition == "auto" && !many:
		o.Acquisition = "logei"
	case o.Acquisition == "auto" && setup.Objectives == 2:
		o.Acquisition = "nehvi"
	case o.Acquisition == "auto":
		o.Acquisition = "parego"
	case many && (o.Acquisition == "logei" || o.Acquisition == "ucb"):
		fail("acquisition", strconv.Quote(o.Acquisition), "nehvi, ehvi or parego for several objectives")
	case !many && o.Acquisition != "logei" && o.Acquisition != "ucb":
		fail("acquisition", strconv.Quote(o.Acquisition), "logei or ucb for one objective")
	case setup.Objectives > boxedObjectives && o.Acquisition != "parego":
		fail("acquisition", strconv.Quote(o.Acquisition), fmt.Sprintf("parego for more than %d objectives: boxes would be too many", boxedObjectives))
	}
	if o.Startup < 0 {
		fail("startup", o.Startup, "at least 1, or 0 for the default")
	}
	if o.Candidates < 0 {
		fail("candidates", o.Candidates, "at least 1, or 0 for the default")
	}
	if o.Rows == 0 {
		o.Rows = 500
	}
	if o.Rows < 8 || o.Rows > 5000 {
		fail("rows", o.Rows, "8 to 5000, or 0 for 500")
	}
	oneOf("kernel", &o.Kernel, "sum", "product")
	oneOf("prior", &o.Prior, "dims", "vizier")
	oneOf("warp", &o.Warp, "rank", "power", "none")
	oneOf("batch", &o.Batch, "explore", "believer", "liar")
	if !(o.Noise >= 0 && o.Noise <= 1) {
		fail("noise", o.Noise, "a share of the variance, 0 to 1")
	}
	if o.Kappa == 0 {
		o.Kappa = 1.8
	}
	if !(o.Kappa > 0 && o.Kappa <= 100) {
		fail("kappa", o.Kappa, "a number above 0, or 0 for 1.8")
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	r := rng.New(setup.Seed, "model/gp", 0)
	b := &bayes{
		GP: o, setup: setup, r: r, fresh: fresh.New(setup.Space, r), keep: rng.New(setup.Seed, "model/gp/keep", 0),
		keys: map[string]struct{}{}, models: make([]*bayesModel, setup.Objectives),
	}
	for j := range b.models {
		b.models[j] = &bayesModel{}
	}
	if err := b.frame(); err != nil {
		return nil, fmt.Errorf("gp: %w", err)
	}
	if b.Startup == 0 {
		b.Startup = min(max(b.width+2, 4), 10)
		if q := setup.Budget / 4; setup.Budget > 0 && int64(b.Startup) > q {
			b.Startup = max(int(q), 2)
		}
	}
	if s, err := (sample.Sobol{}).New(search.Setup{Space: setup.Space, Seed: setup.Seed}); err == nil {
		b.initial = s
	}
	return b, nil
}

// boxedObjectives is the most objectives whose hypervolume is cut into boxes.
const boxedObjectives = 4

type bayes struct {
	GP
	setup   search.Setup
	ledger  search.Ledger
	r       *rand.Rand
	keep    *rand.Rand
	fresh   *fresh.Source
	initial search.Searcher // nil where the space has no coordinates, or they are used up
	keys    map[string]struct{}
	bayesFrame

	obs     []bayesObs
	rows    []float64 // of obs, encoded
	epoch   int       // counts how often results were left out
	told    int       // results to learn from, left out ones too
	pending []bayesPending

	models   []*bayesModel // of the objectives
	feasible bayesModel    // of feasibility; without a model all is feasible
	scalar   bayesModel    // parego: of the distance in one direction
	directed bool          // scalar has a direction that no proposal followed yet
	learned  int           // told when hyperparameters were learned, 0 never
	fits     uint64
	refits   bool // Refit is called
	stale    bool // results came since models were made
	kinds    struct{ usable, feasible, infeasible int }

	seekState
}

// A bayesObs is a result.
type bayesObs struct {
	id     int64
	design space.Design
	loss   []float64 // nil if nothing was measured
	pruned bool
	label  float64 // of feasibility: negative if feasible
	known  bool    // the label is
	score  metric.Score
}

type bayesPending struct {
	id  int64
	row []float64
}

// A bayesModel is a model of some of the results.
type bayesModel struct {
	gp    *predict.GPModel
	rows  []int // results that it knows, in order
	epoch int
}

const (
	maxBelieved = 64  // pending proposals that the model knows of
	failedLabel = 2.0 // of a design without a measurement
	bayesFit    = 256 // rows that hyperparameters are learned from
	keepShare   = 0.8 // of Rows that stay when results are left out
)

// taken reports whether a design is not to be proposed.
func (b *bayes) taken(d space.Design) bool {
	if b.ledger.Seen(d) || b.setup.Admit != nil && !b.setup.Admit(d) {
		return true
	}
	if b.setup.Key != nil {
		_, seen := b.keys[b.setup.Key(d)]
		return seen
	}
	return false
}

func (b *bayes) note(d space.Design) {
	if b.setup.Key != nil {
		b.keys[b.setup.Key(d)] = struct{}{}
	}
}

// Ask implements [search.Searcher].
func (b *bayes) Ask(n int) ([]search.Proposal, error) {
	n = max(n, 1)
	made := 0
	b.reserve = b.reserve[:0]
	return search.Each(n, func() (search.Proposal, error) {
		p, err := b.next(made, n)
		made++
		return p, err
	})
}

// next makes a proposal, number i of n.
func (b *bayes) next(i, n int) (search.Proposal, error) {
	if b.ready() {
		b.sync()
		if c, ok := b.seek(i, n); ok {
			p := b.ledger.Propose(c.design, "gp", c.parents...)
			p.Why = c.why
			b.proposed(p)
			return p, nil
		}
	}
	d, operator, err := b.draw()
	if err != nil {
		return search.Proposal{}, err
	}
	p := b.ledger.Propose(d, operator)
	b.proposed(p)
	return p, nil
}

func (b *bayes) proposed(p search.Proposal) {
	b.note(p.Design)
	if b.encoder == nil {
		return
	}
	b.pending = append(b.pending, bayesPending{p.ID, b.encode(nil, p.Design)})
	if len(b.pending) > maxBelieved {
		b.pending = slices.Delete(b.pending, 0, 1)
	}
}

// ready reports whether there is something to model.
func (b *bayes) ready() bool {
	return b.encoder != nil && b.told >= b.Startup && b.kinds.usable >= 2
}

// draw returns an unseen design of the initial sequence, or else at random.
func (b *bayes) draw() (space.Design, string, error) {
	for range 16 {
		if b.initial == nil {
			break
		}
		ps, err := b.initial.Ask(1)
		if err != nil {
			b.initial = nil
			break
		}
		if ps[0].Operator != "sobol" {
			break
		}
		if !b.taken(ps[0].Design) {
			return ps[0].Design, "sobol", nil
		}
	}
	d, err := b.fresh.Next(b.taken)
	return d, "random", err
}

// Tell implements [search.Searcher].
func (b *bayes) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		if o := &outcomes[i]; b.ledger.Accept(o) {
			b.learn(o)
		}
	}
}

func (b *bayes) learn(o *search.Outcome) {
	var row []float64
	d := o.Design
	for i, p := range b.pending {
		if p.id == o.ID {
			row = p.row
			b.pending = slices.Delete(b.pending, i, i+1)
			break
		}
	}
	if d.Space() != b.setup.Space || b.encoder == nil {
		return
	}
	b.note(d)
	if row == nil {
		row = b.encode(nil, d)
	}
	x := bayesObs{id: o.ID, design: d}
	measured := len(o.Score.Loss) == b.setup.Objectives && o.Score.OK()
	switch {
	case o.Status == search.Complete && measured, o.Status == search.Pruned && measured:
		x.loss = slices.Clone(o.Score.Loss)
		x.pruned = o.Status == search.Pruned
		x.score = metric.Score{Loss: x.loss, Violation: o.Score.Violation}
		x.label, x.known = -1, !x.pruned || o.Score.Violation > 0
		if o.Score.Violation > 0 {
			x.label = 1
		}
	case o.Status == search.Pruned:
		return
	default:
		x.label, x.known = failedLabel, true
	}
	if x.loss != nil && !x.pruned {
		b.kinds.usable++
	}
	if x.known && x.label > 0 {
		b.kinds.infeasible++
	} else if x.known {
		b.kinds.feasible++
	}
	b.told++
	b.stale = true
	b.obs = append(b.obs, x)
	b.rows = append(b.rows, row...)
	if len(b.obs) >= b.Rows {
		b.thin()
	}
}

// thin leaves out results: the better half of those that stay are the best
// there are, the others are drawn.
func (b *bayes) thin() {
	stay := max(int(keepShare*float64(b.Rows)), 4)
	order := b.ranking()
	rest := order[stay/2:]
	b.keep.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	order = order[:min(stay, len(order))]
	slices.Sort(order)
	d := len(b.columns)
	for to, from := range order {
		b.obs[to] = b.obs[from]
		copy(b.rows[to*d:(to+1)*d], b.rows[from*d:(from+1)*d])
	}
	clear(b.obs[len(order):])
	b.obs, b.rows = b.obs[:len(order)], b.rows[:len(order)*d]
	b.epoch++
}

// ranking returns the results, best first: feasible ones, by front and then by
// how alone they stand, then by violation, then those without a measurement.
func (b *bayes) ranking() []int {
	var order []int
	var scores []metric.Score
	for i := range b.obs {
		if x := &b.obs[i]; x.loss != nil && !x.pruned {
			order = append(order, i)
			scores = append(scores, x.score)
		}
	}
	if b.setup.Objectives == 1 {
		slices.SortStableFunc(order, func(i, j int) int { return metric.Compare(b.obs[i].score, b.obs[j].score) })
	} else {
		at := make([]int, len(b.obs))
		for k, i := range order {
			at[i] = k
		}
		ranks := metric.RankScores(scores, nil)
		crowd := make([]float64, len(ranks))
		for lo := int32(0); ; lo++ {
			var front []int32
			var points []float64
			for k, r := range ranks {
				if r == lo {
					front = append(front, int32(k))
				}
			}
			if front == nil {
				break
			}
			for _, k := range front {
				points = append(points, scores[k].Loss...)
			}
			for c, v := range metric.CrowdingDistance(points, b.setup.Objectives, nil, nil) {
				crowd[front[c]] = v
			}
		}
		slices.SortStableFunc(order, func(i, j int) int {
			return metric.CompareCrowded(ranks[at[i]], crowd[at[i]], ranks[at[j]], crowd[at[j]])
		})
	}
	for i := range b.obs {
		if x := &b.obs[i]; x.loss == nil || x.pruned {
			order = append(order, i)
		}
	}
	return order
}

// Refit implements [search.Refitter].
func (b *bayes) Refit() {
	b.refits = true
	if b.ready() && b.told > b.learned {
		b.fit()
	}
}

// sync brings the models up to date.
func (b *bayes) sync() {
	slack := b.learned / 12
	if b.refits {
		slack = b.learned/4 + 1
	}
	switch {
	case b.learned == 0 || b.told-b.learned > slack:
		b.fit()
	case b.stale:
		b.update(false)
	}
}

func (b *bayes) fit() {
	b.fits++
	b.update(true)
	b.learned = b.told
}

// update makes the models of what was told, with hyperparameters learned anew or
// as they are.
func (b *bayes) update(learn bool) {
	b.stale = false
	switch {
	case b.Acquisition != "parego":
		for j, m := range b.models {
			rows, y := b.targets(j)
			b.make(m, rows, y, learn)
		}
	case learn:
		b.direct(true)
		b.directed = true
	default:
		b.directed = false
	}
	if b.kinds.infeasible > 0 {
		rows, y := b.labels()
		b.make(&b.feasible, rows, y, learn || b.feasible.gp == nil)
	}
}

// losses returns the results that models learn from, and their losses of
// objective j.
func (b *bayes) losses(j int) (rows []int, y []float64) {
	var measured []float64
	pruned := false
	for i := range b.obs {
		switch x := &b.obs[i]; {
		case x.loss == nil:
		case x.pruned:
			pruned = true
		default:
			measured = append(measured, x.loss[j])
		}
	}
	if len(measured) == 0 {
		return nil, nil
	}
	poor := math.Inf(-1)
	if pruned {
		slices.Sort(measured)
		poor = measured[len(measured)*3/4]
	}
	for i := range b.obs { // in order of arrival, so that rows are appended
		switch x := &b.obs[i]; {
		case x.loss == nil:
		case x.pruned:
			rows, y = append(rows, i), append(y, max(x.loss[j], poor))
		default:
			rows, y = append(rows, i), append(y, x.loss[j])
		}
	}
	return rows, y
}

// targets returns the results that model j learns from, and what of them.
func (b *bayes) targets(j int) (rows []int, y []float64) {
	rows, y = b.losses(j)
	if len(rows) == 0 {
		return nil, nil
	}
	w := warpOf(b.Warp, y)
	for k, v := range y {
		y[k] = w.Apply(v)
	}
	return rows, y
}

// warpOf fits a warp of a kind to losses.
func warpOf(kind string, y []float64) predict.Warp {
	switch kind {
	case "rank":
		return predict.HalfRankWarp(y)
	case "power":
		return predict.PowerWarp(y)
	}
	return predict.Standardize(y)
}

// labels returns what the model of feasibility learns: −1 for feasible designs,
// 1 to 2 by rank for violating ones.
func (b *bayes) labels() (rows []int, y []float64) {
	var bad []float64
	for i := range b.obs {
		if x := &b.obs[i]; x.known && x.label == 1 {
			bad = append(bad, x.score.Violation)
		}
	}
	slices.Sort(bad)
	for i := range b.obs {
		x := &b.obs[i]
		if !x.known {
			continue
		}
		v := x.label
		if v == 1 {
			lo, _ := slices.BinarySearch(bad, x.score.Violation)
			v = 1 + (float64(lo)+0.5)/float64(len(bad))
		}
		rows = append(rows, i)
		y = append(y, v)
	}
	return rows, y
}

// make conditions a model on rows, in the cheapest way.
func (b *bayes) make(m *bayesModel, rows []int, y []float64, learn bool) {
	if len(rows) == 0 {
		m.gp, m.rows = nil, nil
		return
	}
	d := len(b.columns)
	table := func(rows []int) []float64 {
		x := make([]float64, 0, len(rows)*d)
		for _, i := range rows {
			x = append(x, b.rows[i*d:(i+1)*d]...)
		}
		return x
	}
	switch {
	case learn || m.gp == nil:
		o := predict.GP{
			Kernel: b.Kernel, Prior: b.Prior, InputWarp: b.InputWarp, Noise: b.Noise,
			Rows: 5000, FitRows: bayesFit, Unit: true, Optional: b.optional, Tie: b.tie, Warm: m.gp, Restarts: 2,
		}
		if m.gp == nil {
			o.Restarts = 3
		}
		gp, err := o.Learn(context.Background(), &predict.Table{Columns: b.columns, X: table(rows), Y: y}, b.setup.Seed+b.fits)
		if err != nil { // the table is valid by construction
			m.gp = nil
			return
		}
		m.gp = gp
	case m.epoch == b.epoch && len(rows) >= len(m.rows) && slices.Equal(m.rows, rows[:len(m.rows)]):
		k := len(m.rows)
		m.gp = m.gp.Extend(table(rows[k:]), y[k:], nil).Retarget(y)
	default:
		m.gp = m.gp.Condition(&predict.Table{Columns: b.columns, X: table(rows), Y: y})
	}
	m.rows, m.epoch = slices.Clone(rows), b.epoch
}

// A bayesFrame says how designs become rows.
type bayesFrame struct {
	encoder  predict.Encoder // nil if there is nothing to decide
	columns  []predict.Column
	optional []bool
	tie      []int
	shares   []bayesShares // their columns come last
	width    int           // decisions, about: a subset or permutation counts as one
	counts   []int         // columns that count productions
	moves    []bayesMove
	real     bool // all there is are real numbers that are always there
	fixed    bool // the space has a fixed layout
	reals    bool // some are real numbers
}

// bayesShares are decisions with the same options. Rows also say how large the
// share of each option is among them, since how often an operation is used often
// tells more than where.
type bayesShares struct {
	members []int // columns
	levels  int
}

// Decisions with the same options have shares from so many of them on, and up to
// so many options.
const (
	sharedBy     = 3
	sharedLevels = 12
)

// A bayesMove is a number that can be moved in small steps: its column and its
// feature.
type bayesMove struct{ column, feature int }

// fineLevels is from how many levels on an ordered decision is moved like a real
// number.
const fineLevels = 8

func (b *bayes) frame() error {
	features, err := b.setup.Space.Features()
	if err != nil {
		return fmt.Errorf("the space cannot be modelled: %w", err)
	}
	e, err := predict.Decisions(b.setup.Space)
	if err != nil {
		return nil // nothing to decide
	}
	b.encoder, b.columns = e, slices.Clone(e.Columns())
	b.optional, b.tie = make([]bool, len(b.columns)), make([]int, len(b.columns))
	_, err = b.setup.Space.Dims()
	b.fixed = err == nil
	b.real = b.fixed
	col := 0
	labels := map[string]int{}
	for i := 0; i < len(features); {
		f := features[i]
		n, cols := 1, 1
		switch f.Kind {
		case space.FeatureOneHot:
			if f.Param.Kind != space.KindBool {
				n = len(f.Param.Labels)
				key := fmt.Sprint(f.Param.Labels)
				if labels[key] == 0 {
					labels[key] = len(labels) + 1
				}
				b.tie[col] = labels[key]
			}
		case space.FeatureMember, space.FeaturePosition:
			n = len(f.Param.Labels)
			cols = n
		case space.FeatureCount:
			b.counts = append(b.counts, col)
		case space.FeatureNumber:
			if f.Param.N == 0 && f.Param.Lo < f.Param.Hi || f.Param.N >= fineLevels {
				b.moves = append(b.moves, bayesMove{col, i})
				b.reals = b.reals || f.Param.N == 0
			}
		}
		b.real = b.real && f.Kind == space.FeatureNumber && f.Param.N == 0
		i += n
		if i < len(features) && features[i].Kind == space.FeatureActive {
			for c := range cols {
				b.optional[col+c] = true
			}
			b.real = false
			i++
		}
		col += cols
		b.width++
	}
	for ; col < len(b.columns); col++ { // parameters of productions
		b.optional[col] = true
		b.width++
	}
	uses := map[int]int{}
	for _, t := range b.tie {
		uses[t]++
	}
	for j, t := range b.tie {
		if uses[t] < 2 {
			b.tie[j] = 0
		}
	}
	for g := 1; g <= len(labels); g++ {
		var members []int
		for j, t := range b.tie {
			if t == g {
				members = append(members, j)
			}
		}
		levels := 0
		if len(members) > 0 {
			levels = b.columns[members[0]].Levels
		}
		if len(members) < sharedBy || levels > sharedLevels {
			continue
		}
		b.shares = append(b.shares, bayesShares{members, levels})
		for l := range levels {
			b.columns = append(b.columns, predict.Column{Name: fmt.Sprintf("share %d of %d", l, g)})
			b.optional, b.tie = append(b.optional, false), append(b.tie, 0)
		}
	}
	return nil
}

// encode appends the row of a design.
func (b *bayes) encode(dst []float64, d space.Design) []float64 {
	base := len(dst)
	dst, err := b.encoder.Encode(dst, d)
	if err != nil { // of another space, which was ruled out
		return append(dst[:base], make([]float64, len(b.columns))...)
	}
	for _, c := range b.counts {
		// Sixteen of a kind are one away from none, on a scale where each
		// doubling is as far.
		dst[base+c] = detmath.Log1p(dst[base+c]) * (1 / 2.833213344056216)
	}
	for _, g := range b.shares {
		at := len(dst)
		dst = append(dst, make([]float64, g.levels)...)
		for _, m := range g.members {
			if v := dst[base+m]; !math.IsNaN(v) {
				dst[at+int(v)] += 1 / float64(len(g.members))
			}
		}
	}
	return dst
}

// believed returns a model that also knows what is pending, as the model expects
// it or as good as can be.
func (b *bayes) believed(m *predict.GPModel, best float64) *predict.GPModel {
	if m == nil || len(b.pending) == 0 {
		return m
	}
	d := len(b.columns)
	x := make([]float64, 0, len(b.pending)*d)
	for _, p := range b.pending {
		x = append(x, p.row...)
	}
	y := make([]float64, len(b.pending))
	if b.Batch == "liar" && !math.IsInf(best, 0) {
		for i := range y {
			y[i] = best
		}
	} else {
		m.Posterior(x, y, nil)
	}
	return m.Extend(x, y, nil)
}
