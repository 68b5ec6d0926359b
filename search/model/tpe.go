package model

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

// TPE is the tree-structured Parzen estimator (Bergstra et al. 2011) with the
// multivariate kernels and the defaults of Optuna (Falkner et al. 2018, Akiba
// et al. 2019, Watanabe 2023). The zero value is ready to use with the
// defaults given on each field.
//
// It works on every kind of space, because to it a design is the walk that
// leads to it. One observed design makes a kernel, a density over walks: at a
// decision that the observed design took too, a Gaussian around its answer on
// the scale of the prior, truncated to the range and, for a few levels,
// integrated over each of them; among unordered options, most of the mass on
// the option taken; at any other decision, the prior. The designs told are
// split into a good and a bad set, each a mixture of its kernels and of the
// prior. Candidates are walks drawn from the good mixture l within what is
// legal; the one with the largest l/g is proposed.
//
// What is modelled jointly: decisions that the observed designs take either
// all or not at all form a group; a mixture is a product over groups, and in a
// group over the designs that took these decisions. A space without
// conditions is one group, which is plain multivariate TPE. The decisions of a
// branch are a group of their own, split into good and bad among the designs
// of that branch, so that a branch is modelled by its own best designs even
// while the overall best lie elsewhere. This is Optuna's multivariate=True,
// group=True. Ungrouped makes one group of all decisions, where a design says
// nothing about a decision it did not take; Univariate makes each decision a
// group, with bandwidths by the distance of neighbouring observations.
//
// Feasible designs come before infeasible ones, and these are ordered by their
// violation, so that the least violating ones guide the search while too few
// feasible designs are known. Designs that failed, were pruned, cannot be
// built or have no finite score are bad. With several objectives the order is
// by non-dominated front and, within the one that does not fit, by what adds
// most hypervolume to those before (MOTPE, Ozaki et al. 2022; beyond four
// objectives by crowding distance).
//
// Fidelities are not modelled: a partial measurement counts like a full one.
//
// The cost of Ask and Tell does not grow with the number of trials. The good
// set is bounded by Good, as the method has it. The bad set is bounded by Bad:
// it is a weighted reservoir (Efraimidis and Spirakis 2006) in which the
// design told as number t has weight t. That is the linear ramp of recency
// weights that the unbounded method gives to its history, so the sample
// estimates the same density. Up to about Bad designs nothing is left out and
// the ramp is applied as weights. With d decisions a design, an Ask takes
// O(Candidates · (Good + Bad) · d) and allocates O(Candidates). What grows is
// only the set of designs that must not be proposed again.
type TPE struct {
	// Startup is the number of results to wait for before the model is used;
	// until then designs are drawn by the prior. 0 means 10.
	Startup int `yaml:"startup" default:"10" min:"1" doc:"results before the model is used; designs are random until then"`

	// Candidates is how many designs are drawn from the good mixture for each
	// proposal. 0 means 24.
	Candidates int `yaml:"candidates" default:"24" min:"1" doc:"designs drawn from the good mixture for each proposal"`

	// Gamma is the share of the results that counts as good. 0 means 0.1.
	Gamma float64 `yaml:"gamma" default:"0.1" min:">0" max:"<1" doc:"share of the results that counts as good"`

	// Good bounds the good set. 0 means 25, or 64 if there are several
	// objectives, where a front has to fit in.
	Good int `yaml:"good" default:"0" min:"0" doc:"most designs in the good set; 0 means 25, or 64 for several objectives"`

	// Bad bounds the sample that stands for all other designs. 0 means 96.
	Bad int `yaml:"bad" default:"96" min:"1" doc:"size of the sample that stands for all designs that are not good"`

	// PriorWeight is the weight of the prior in a mixture in which an observed
	// design has weight 1. 0 means 1.
	PriorWeight float64 `yaml:"prior_weight" default:"1" min:">0" doc:"weight of the prior; that of an observed design is 1"`

	// Univariate models every decision by itself instead of jointly. It is
	// cheaper to learn and blind to interactions. From three objectives on it is
	// the default: the good designs are few and lie all over a front, so that
	// what they have in common shows in single decisions first.
	Univariate bool `yaml:"univariate" default:"false" doc:"model every decision by itself instead of jointly; the default from three objectives on"`

	// Grouped models decisions jointly with three and more objectives too.
	Grouped bool `yaml:"grouped" default:"false" doc:"model decisions jointly with three and more objectives too"`

	// Ungrouped models all decisions of a conditional space as one group.
	Ungrouped bool `yaml:"ungrouped" default:"false" doc:"one joint model for all branches of a conditional space"`

	// Repeats allows to propose a design again. By default none is while an
	// unseen one can be found, and Ask fails with search.ErrExhausted once a
	// finite space has been searched through.
	Repeats bool `yaml:"repeats" default:"false" doc:"allow to propose the same design again"`

	// Liar counts proposals that are still being evaluated as bad, which keeps
	// parallel proposals apart (constant liar): "on", "off", or "auto", which
	// is the default: on if Parallel is above 1 or Ask is called for several.
	Liar string `yaml:"liar" default:"auto" oneof:"auto on off" doc:"count pending proposals as bad: auto means if there are several at once"`
}

// maxLies bounds the pending proposals that the model knows of, so that
// proposals which are never told cannot slow it down.
const maxLies = 64

// New makes a searcher. It refuses options out of range.
func (o TPE) New(setup search.Setup) (search.Searcher, error) {
	if setup.Objectives < 1 {
		setup.Objectives = 1
	}
	var errs []error
	bad := func(field string, found, want any) {
		errs = append(errs, fmt.Errorf("tpe: %s: found %v, expected %v", field, found, want))
	}
	if setup.Space == nil {
		bad("space", "none", "a space to search")
	}
	count := func(field string, v *int, fallback int) {
		if *v < 0 {
			bad(field, *v, "at least 1, or 0 for the default")
		}
		if *v == 0 {
			*v = fallback
		}
	}
	good := 25
	if setup.Objectives > 1 {
		good = 64
	}
	count("startup", &o.Startup, 10)
	count("candidates", &o.Candidates, 24)
	count("good", &o.Good, good)
	count("bad", &o.Bad, 96)
	if o.Gamma == 0 {
		o.Gamma = 0.1
	}
	if !(o.Gamma > 0 && o.Gamma < 1) {
		bad("gamma", o.Gamma, "a share between 0 and 1")
	}
	if o.PriorWeight == 0 {
		o.PriorWeight = 1
	}
	if !(o.PriorWeight > 0 && o.PriorWeight <= math.MaxFloat32) {
		bad("prior_weight", o.PriorWeight, "a finite number above 0")
	}
	if o.Univariate && o.Ungrouped {
		bad("ungrouped", "true together with univariate", "one of the two")
	}
	if o.Grouped && (o.Univariate || o.Ungrouped) {
		bad("grouped", "true together with univariate or ungrouped", "one of the three")
	}
	if setup.Objectives > 2 && !o.Grouped && !o.Ungrouped {
		o.Univariate = true
	}
	if !slices.Contains([]string{"", "auto", "on", "off"}, o.Liar) {
		bad("liar", strconv.Quote(o.Liar), "auto, on or off")
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	t := &tpe{
		TPE:    o,
		setup:  setup,
		ledger: search.NewLedger(setup),
		draws:  rng.New(setup.Seed, "model/tpe/draw", 0),
		keys:   rng.New(setup.Seed, "model/tpe/keep", 0),
		dirty:  true,
	}
	t.sweep.space = setup.Space
	t.m.grouping = byPresence
	switch {
	case o.Univariate:
		t.m.grouping = bySite
	case o.Ungrouped:
		t.m.grouping = together
	}
	t.m.prior = o.PriorWeight
	return t, nil
}

type tpe struct {
	TPE
	setup  search.Setup
	ledger search.Ledger
	draws  *rand.Rand
	keys   *rand.Rand

	told   int     // results with a score
	count  float64 // all results
	best   []*slot // best results; with one objective in order
	rest   []*slot // sample of the others
	lies   []*slot // newest pending proposals
	lost   bool    // a result was left out of rest
	batch  int     // proposals out at once, as far as is known
	floor  int     // index of the least key in rest
	dirty  bool
	m      model
	sites  sites
	sweep  sweep
	scored []metric.Score
	goods  []*slot
	bads   []*slot
}

// Ask implements [search.Searcher].
func (t *tpe) Ask(n int) ([]search.Proposal, error) {
	n = max(n, 1)
	t.batch = max(t.batch, t.setup.Parallel, n)
	out := make([]search.Proposal, 0, n)
	for range n {
		p, err := t.one()
		if err != nil {
			if len(out) > 0 {
				break
			}
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func (t *tpe) lying() bool {
	return t.Liar == "on" || t.Liar != "off" && t.batch > 1
}

func (t *tpe) one() (search.Proposal, error) {
	if t.told >= t.Startup {
		if p, ok := t.modelled(); ok {
			return p, nil
		}
	}
	d, err := t.random()
	if err != nil {
		return search.Proposal{}, err
	}
	return t.propose(d, "random"), nil
}

func (t *tpe) propose(d space.Design, operator string, parents ...int64) search.Proposal {
	p := t.ledger.Propose(d, operator, parents...)
	if t.lying() {
		s := t.scan(d)
		s.id = p.ID
		t.lies = append(t.lies, s)
		if len(t.lies) > min(max(t.batch, 2), maxLies) {
			t.lies = slices.Delete(t.lies, 0, 1)
		}
		t.dirty = true
	}
	return p
}

// Attempts to find an unseen design, before the space is swept for one.
const (
	modelRounds = 4
	randomTries = 128
)

// modelled proposes the best candidate that was not proposed before.
func (t *tpe) modelled() (search.Proposal, bool) {
	if t.dirty {
		t.split()
		t.m.build(&t.sites, t.goods, t.bads, t.Gamma)
		t.dirty = false
	}
	for range modelRounds {
		t.m.candidates(t.setup.Space, &t.sites, t.draws, t.Candidates)
		t.m.judge()
		for _, c := range t.m.ranking() {
			d, ok := t.m.design(t.setup.Space, &t.sites, c)
			if !ok || !t.Repeats && t.ledger.Seen(d) {
				continue
			}
			p := t.propose(d, "tpe", t.m.parents(c)...)
			var buf [48]byte
			why := append(buf[:0], "good over bad e^"...)
			why = strconv.AppendFloat(why, t.m.score[c], 'f', 2, 64)
			p.Why = string(why)
			return p, true
		}
	}
	return search.Proposal{}, false
}

// random draws an unseen design by the prior, or finds what is left of a
// finite space.
func (t *tpe) random() (space.Design, error) {
	var d space.Design
	var err error
	for range randomTries {
		if d, err = t.setup.Space.Sample(t.draws); err != nil {
			break
		}
		if t.Repeats || !t.ledger.Seen(d) {
			return d, nil
		}
	}
	left, found := t.sweep.next(func(d space.Design) bool { return t.Repeats || !t.ledger.Seen(d) })
	switch {
	case found:
		return left, nil
	case t.sweep.done && t.ledger.Distinct() > 0:
		return d, search.ErrExhausted
	}
	return d, err // no proof that there is nothing left: repeat one
}

// Tell implements [search.Searcher].
func (t *tpe) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		if o := &outcomes[i]; t.ledger.Accept(o) {
			t.learn(o)
		}
	}
}

func (t *tpe) learn(o *search.Outcome) {
	d := o.Design
	var s *slot
	for i, l := range t.lies {
		if l.id == o.ID {
			s = l
			d = l.design
			t.lies = slices.Delete(t.lies, i, i+1)
			t.dirty = true
			break
		}
	}
	if d.Space() != t.setup.Space {
		return // of another space: nothing to learn from
	}
	t.count++
	// The key of a weighted reservoir: log of a uniform number over the weight.
	key := detmath.Log(rng.Open(t.keys)) / t.count
	usable := o.Usable() && len(o.Score.Loss) == t.setup.Objectives
	if usable {
		before := t.goodSize()
		t.told++
		t.dirty = t.dirty || t.goodSize() != before
	}
	enters := usable && (len(t.best) < t.Good || t.setup.Objectives > 1 ||
		metric.Compare(o.Score, t.best[len(t.best)-1].score) < 0)
	if !enters && !t.keeps(key) {
		return
	}
	if s == nil {
		s = t.scan(d)
	}
	s.id, s.seq, s.key, s.usable = o.ID, t.count, key, usable
	if usable {
		s.score = metric.Score{Loss: slices.Clone(o.Score.Loss), Violation: o.Score.Violation}
	}
	t.dirty = true
	if enters {
		s = t.enter(s)
	}
	if s != nil {
		t.keep(s)
	}
}

// goodSize is the size of the good set.
func (t *tpe) goodSize() int {
	return min(int(math.Ceil(float64(t.Gamma*float64(t.told))-1e-9)), t.Good)
}

// enter puts a result among the best and returns the one that drops out.
func (t *tpe) enter(s *slot) *slot {
	if t.setup.Objectives == 1 {
		at, _ := slices.BinarySearchFunc(t.best, s, func(a, b *slot) int {
			if c := metric.Compare(a.score, b.score); c != 0 {
				return c
			}
			return -1 // the newcomer goes behind its equals
		})
		t.best = slices.Insert(t.best, at, s)
	} else {
		t.best = append(t.best, s)
	}
	if len(t.best) <= t.Good {
		return nil
	}
	if t.setup.Objectives > 1 {
		t.order(t.Good, t.uncrowd)
	}
	out := t.best[t.Good]
	t.best = t.best[:t.Good]
	return out
}

// order brings the best n of several objectives to the front: whole fronts, and
// those that are chosen of the front that does not fit.
func (t *tpe) order(n int, choose func(front []*slot, n int)) {
	if n >= len(t.best) {
		return
	}
	t.scored = t.scored[:0]
	for _, s := range t.best {
		t.scored = append(t.scored, s.score)
	}
	ranks := metric.RankScores(t.scored, nil)
	for i, s := range t.best {
		s.rank = ranks[i]
	}
	slices.SortStableFunc(t.best, func(a, b *slot) int { return int(a.rank) - int(b.rank) })
	lo, hi := n, n
	for cut := t.best[n].rank; lo > 0 && t.best[lo-1].rank == cut; lo-- {
	}
	for hi < len(t.best) && t.best[hi].rank == t.best[n].rank {
		hi++
	}
	if lo < n {
		choose(t.best[lo:hi], n-lo)
	}
}

// coveredObjectives is up to how many objectives hypervolumes are computed.
const coveredObjectives = 4

// cover brings the n results of a front to its beginning that are chosen by
// their gain of hypervolume, one after the other. They cover at least 1 − 1/e of
// what n could, and the first of them are those in the middle: with many
// objectives nearly all results are on the front, and what is good among them
// are the compromises (Ozaki et al. 2022 and Optuna choose so). Gains only
// shrink as more are chosen, so one that is still the greatest after it was
// computed anew is the greatest of all.
func (t *tpe) cover(front []*slot, n int) {
	m := t.setup.Objectives
	if m > coveredObjectives {
		t.uncrowd(front, n)
		return
	}
	var points []float64
	for _, s := range front {
		points = append(points, s.score.Loss...)
	}
	ref := metric.ReferencePoint(points, m)
	gains := make([]float64, len(front))
	for i := range front {
		gains[i] = metric.Hypervolume(points[i*m:(i+1)*m], m, ref)
	}
	order := make([]int, len(front))
	for i := range order {
		order[i] = i
	}
	var chosen []float64
	whole := 0.0
	computed := make([]int, len(front)) // when so many were chosen
	for k := range n {
		for {
			at := k
			for i := k + 1; i < len(order); i++ {
				if gains[order[i]] > gains[order[at]] {
					at = i
				}
			}
			i := order[at]
			if computed[i] == k {
				order[k], order[at] = order[at], order[k]
				break
			}
			computed[i] = k
			gains[i] = metric.Hypervolume(append(chosen[:k*m:k*m], points[i*m:(i+1)*m]...), m, ref) - whole
		}
		chosen = append(chosen, points[order[k]*m:(order[k]+1)*m]...)
		whole += gains[order[k]]
	}
	sorted := slices.Clone(front)
	for k, i := range order {
		front[k] = sorted[i]
	}
}

// uncrowd brings the n results of a front to its beginning that are left when
// the most crowded is taken out again and again.
func (t *tpe) uncrowd(front []*slot, n int) {
	m := t.setup.Objectives
	var points, crowd []float64
	for k := len(front); k > n; k-- {
		points = points[:0]
		for _, s := range front[:k] {
			points = append(points, s.score.Loss...)
		}
		crowd = metric.CrowdingDistance(points, m, nil, crowd)
		least := 0
		for i, c := range crowd {
			if c <= crowd[least] {
				least = i
			}
		}
		out := front[least]
		copy(front[least:k], front[least+1:k])
		front[k-1] = out
	}
}

// keeps reports whether a key enters the sample of the other results.
func (t *tpe) keeps(key float64) bool {
	if len(t.rest) < t.Bad {
		return true
	}
	t.lost = true
	return key > t.rest[t.floor].key
}

func (t *tpe) keep(s *slot) {
	if !t.keeps(s.key) {
		return
	}
	if len(t.rest) < t.Bad {
		t.rest = append(t.rest, s)
	} else {
		t.rest[t.floor] = s
	}
	t.floor = 0
	for i, r := range t.rest {
		if r.key < t.rest[t.floor].key {
			t.floor = i
		}
	}
}

// recent is the number of newest results with full weight.
const recent = 25

// split makes the good set and the bad set, which is in order of preference.
func (t *tpe) split() {
	n := min(t.goodSize(), len(t.best))
	if t.setup.Objectives > 1 {
		t.order(n, t.cover)
	}
	t.goods = append(t.goods[:0], t.best[:n]...)
	t.bads = append(append(t.bads[:0], t.best[n:]...), t.rest...)
	for _, s := range t.goods {
		s.weight, s.good = 1, true
	}
	// The sample was drawn by recency once something was left out.
	slices.SortFunc(t.bads, func(a, b *slot) int { return int(a.seq - b.seq) })
	ramp := len(t.bads) - recent
	for i, s := range t.bads {
		s.weight, s.good = 1, false
		if i < ramp && !t.lost {
			// From 1/n at the oldest to 1 at the last before the newest 25.
			f := 1 / float64(len(t.bads))
			s.weight = f + float64((1-f)*(float64(i)/float64(max(ramp-1, 1))))
		}
	}
	slices.SortStableFunc(t.bads, func(a, b *slot) int {
		switch {
		case a.usable && b.usable:
			return metric.Compare(a.score, b.score)
		case a.usable:
			return -1
		case b.usable:
			return 1
		}
		return 0
	})
	if t.lying() {
		for _, s := range t.lies {
			s.weight = 1
		}
		t.bads = append(t.bads, t.lies...)
	}
	t.sites.compact(t.best, t.rest, t.lies)
}
