package model

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/evolve"
)

// limits collects what is wrong with options.
type limits struct {
	name string
	errs []error
}

func (l *limits) whole(field string, v, lo, hi int) {
	if v != 0 && (v < lo || v > hi) {
		l.errs = append(l.errs, fmt.Errorf("%s: %s: found %d, want %d to %d, or 0 for the default", l.name, field, v, lo, hi))
	}
}

func (l *limits) share(field string, v float64) {
	if !(v >= 0 && v <= 1) {
		l.errs = append(l.errs, fmt.Errorf("%s: %s: found %v, want a share from 0 to 1", l.name, field, v))
	}
}

// learner returns the method of a name, and whether it reads decisions; with
// spread one that knows how sure it is.
func (l *limits) learner(name string, spread bool) (predict.Learner, bool) {
	switch name {
	case "trees":
		if spread {
			return predict.Bagged{Members: 5}, true
		}
		return predict.Boosted{}, true
	case "forest":
		return predict.Forest{}, true
	case "mlp":
		return predict.MLP{}, false
	case "ridge":
		return predict.Ridge{}, false
	case "neighbors":
		return predict.Neighbors{}, false
	case "gp":
		return predict.GP{}, true
	}
	l.errs = append(l.errs, fmt.Errorf("%s: predictor: found %q, want trees, forest, mlp, ridge, neighbors or gp", l.name, name))
	return nil, false
}

// SMAC is sequential model-based algorithm configuration (Hutter, Hoos and
// Leyton-Brown 2011; Lindauer et al. 2022): a random forest, whose trees
// disagree where little is known, and the expected improvement. Forests take
// categories and inactive parameters as they are, which makes it a good first
// model of conditional spaces.
//
// After Initial random designs, each proposal is the best by expected
// improvement (of several objectives by a weighted Chebyshev norm with new
// weights each time, as in ParEGO) among designs near the best ones, between
// them, and from the prior, improved by three rounds of mutation. Every tenth
// proposal is random. Limits enter as the probability, by another forest, that
// a design is feasible; while every result violates them the violation is
// minimised.
//
// A forest learns from at most Rows results (the newest and the best quarter
// and a sample of the rest) and is fitted after each result, or every fiftieth
// part of the results if that is more, so that an ask takes a few milliseconds
// however many trials there were. Beyond 500 results it is fitted by
// [search.Refitter].
type SMAC struct {
	Initial    int     `yaml:"initial" min:"0" max:"1000000" doc:"random designs that come first; 0 means 10, at most a quarter of the budget"` // 0 means 10
	Trees      int     `yaml:"trees" default:"24" min:"1" max:"10000" doc:"trees of the forest"`                                                // 0 means 24
	Candidates int     `yaml:"candidates" default:"1000" min:"10" max:"1000000" doc:"designs that are predicted for a proposal"`                // 0 means 1,000
	Random     float64 `yaml:"random" default:"0.1" min:">0" max:"1" doc:"share of proposals that are random"`                                  // 0 means 0.1
	Rows       int     `yaml:"rows" default:"1000" min:"10" max:"1000000" doc:"results that are learned from, the best and the newest first"`   // 0 means 1,000
}

// New makes a searcher. It works on every space, any number of objectives, with
// or without limits.
func (o SMAC) New(setup search.Setup) (search.Searcher, error) {
	l := limits{name: "smac"}
	l.whole("initial", o.Initial, 2, 1_000_000)
	l.whole("trees", o.Trees, 1, 10_000)
	l.whole("candidates", o.Candidates, 10, 1_000_000)
	l.whole("rows", o.Rows, 10, 1_000_000)
	l.share("random", o.Random)
	if err := errors.Join(l.errs...); err != nil {
		return nil, err
	}
	return newGuided(plan{
		name: l.name, learner: predict.Forest{Trees: cmp.Or(o.Trees, 24)}, decisions: true, pick: pickEI,
		initial: cmp.Or(o.Initial, 10), batch: 1, candidates: cmp.Or(o.Candidates, 1000),
		rows: cmp.Or(o.Rows, 1000), random: cmp.Or(o.Random, 0.1), enumerate: 4096,
	}, setup)
}

// BANANAS is Bayesian optimisation with neural architectures (White, Neiswanger
// and Savani 2021): an ensemble of small networks predicts, independent Thompson
// sampling chooses (each candidate is judged by one draw of its own
// distribution), and candidates are mutants of the best designs.
//
// The networks are fitted anew after Batch results. In a space of at most
// 65,536 designs all of them are candidates. Designs are rows of
// [predict.OneHot]; the paper's path encoding is for cells, see
// [predict.Encoder].
type BANANAS struct {
	Initial    int    `yaml:"initial" min:"0" max:"1000000" doc:"random designs that come first; 0 means 10, at most a quarter of the budget"` // 0 means 10
	Batch      int    `yaml:"batch" default:"5" min:"1" max:"100000" doc:"results between two fits"`                                           // 0 means 5
	Candidates int    `yaml:"candidates" default:"1000" min:"10" max:"1000000" doc:"designs that are predicted, where not all are"`            // 0 means 1,000
	Predictor  string `yaml:"predictor" default:"mlp" oneof:"mlp trees forest ridge neighbors gp" doc:"what predicts"`                         // "" means mlp
	Rows       int    `yaml:"rows" default:"1000" min:"10" max:"1000000" doc:"results that are learned from, the best and the newest first"`   // 0 means 1,000
}

// New makes a searcher. It works on every space, any number of objectives, with
// or without limits.
func (o BANANAS) New(setup search.Setup) (search.Searcher, error) {
	l := limits{name: "bananas"}
	l.whole("initial", o.Initial, 2, 1_000_000)
	l.whole("batch", o.Batch, 1, 100_000)
	l.whole("candidates", o.Candidates, 10, 1_000_000)
	l.whole("rows", o.Rows, 10, 1_000_000)
	learner, decisions := l.learner(cmp.Or(o.Predictor, "mlp"), true)
	if err := errors.Join(l.errs...); err != nil {
		return nil, err
	}
	return newGuided(plan{
		name: l.name, learner: learner, decisions: decisions, pick: pickThompson, initial: cmp.Or(o.Initial, 10), batch: cmp.Or(o.Batch, 5),
		candidates: cmp.Or(o.Candidates, 1000), rows: cmp.Or(o.Rows, 1000), enumerate: 1 << 16,
	}, setup)
}

// WeakNAS guides by a row of weak predictors (Wu et al. 2021): each is fitted to
// everything measured so far, all designs are predicted, and the next Batch are
// drawn uniformly from the Top best, so that no single predictor is trusted.
//
// In a space of more than 65,536 designs the candidates are those of [BANANAS].
type WeakNAS struct {
	Initial    int    `yaml:"initial" min:"0" max:"1000000" doc:"random designs that come first; 0 means 10, at most a quarter of the budget"` // 0 means 10
	Batch      int    `yaml:"batch" default:"10" min:"1" max:"100000" doc:"results between two fits"`                                          // 0 means 10
	Top        int    `yaml:"top" default:"100" min:"1" max:"1000000" doc:"best predicted designs that proposals are drawn from"`              // 0 means 100
	Candidates int    `yaml:"candidates" default:"2000" min:"10" max:"1000000" doc:"designs that are predicted, where not all are"`            // 0 means 2,000
	Predictor  string `yaml:"predictor" default:"trees" oneof:"trees forest mlp ridge neighbors gp" doc:"what predicts"`                       // "" means trees
	Rows       int    `yaml:"rows" default:"2000" min:"10" max:"1000000" doc:"results that are learned from, the best and the newest first"`   // 0 means 2,000
}

// New makes a searcher. It works on every space, any number of objectives, with
// or without limits.
func (o WeakNAS) New(setup search.Setup) (search.Searcher, error) {
	l := limits{name: "weaknas"}
	l.whole("initial", o.Initial, 2, 1_000_000)
	l.whole("batch", o.Batch, 1, 100_000)
	l.whole("top", o.Top, 1, 1_000_000)
	l.whole("candidates", o.Candidates, 10, 1_000_000)
	l.whole("rows", o.Rows, 10, 1_000_000)
	learner, decisions := l.learner(cmp.Or(o.Predictor, "trees"), false)
	if err := errors.Join(l.errs...); err != nil {
		return nil, err
	}
	return newGuided(plan{
		name: l.name, learner: learner, decisions: decisions, pick: pickUniform, top: cmp.Or(o.Top, 100), initial: cmp.Or(o.Initial, 10), batch: cmp.Or(o.Batch, 10),
		candidates: cmp.Or(o.Candidates, 2000), rows: cmp.Or(o.Rows, 2000), enumerate: 1 << 16,
	}, setup)
}

// GBDTNAS guides by boosted trees and takes what they predict at its word (Luo
// et al. 2020, Neural architecture search with GBDT): the Batch best predicted
// designs are measured, the trees are fitted again, and so on; a share of
// Random proposals guards against what the trees cannot see.
//
// In a space of more than 65,536 designs the candidates are those of [BANANAS].
type GBDTNAS struct {
	Initial    int     `yaml:"initial" min:"0" max:"1000000" doc:"random designs that come first; 0 means 20, at most a quarter of the budget"` // 0 means 20
	Batch      int     `yaml:"batch" default:"5" min:"1" max:"100000" doc:"results between two fits"`                                           // 0 means 5
	Candidates int     `yaml:"candidates" default:"5000" min:"10" max:"1000000" doc:"designs that are predicted, where not all are"`            // 0 means 5,000
	Predictor  string  `yaml:"predictor" default:"trees" oneof:"trees forest mlp ridge neighbors gp" doc:"what predicts"`                       // "" means trees
	Random     float64 `yaml:"random" default:"0.1" min:">0" max:"1" doc:"share of proposals that are random"`                                  // 0 means 0.1
	Rows       int     `yaml:"rows" default:"2000" min:"10" max:"1000000" doc:"results that are learned from, the best and the newest first"`   // 0 means 2,000
}

// New makes a searcher. It works on every space, any number of objectives, with
// or without limits.
func (o GBDTNAS) New(setup search.Setup) (search.Searcher, error) {
	l := limits{name: "gbdt-nas"}
	l.whole("initial", o.Initial, 2, 1_000_000)
	l.whole("batch", o.Batch, 1, 100_000)
	l.whole("candidates", o.Candidates, 10, 1_000_000)
	l.whole("rows", o.Rows, 10, 1_000_000)
	l.share("random", o.Random)
	learner, decisions := l.learner(cmp.Or(o.Predictor, "trees"), false)
	if err := errors.Join(l.errs...); err != nil {
		return nil, err
	}
	return newGuided(plan{
		name: l.name, learner: learner, decisions: decisions, pick: pickMean, initial: cmp.Or(o.Initial, 20), batch: cmp.Or(o.Batch, 5),
		candidates: cmp.Or(o.Candidates, 5000), rows: cmp.Or(o.Rows, 2000), random: cmp.Or(o.Random, 0.1), enumerate: 1 << 16,
	}, setup)
}

// LINAS is lightweight iterative neural architecture search (Cummings et al.
// 2022, in Intel's DyNAS-T): one predictor an objective, a whole evolution on
// their predictions, and the measuring of the population that it ends with,
// again and again.
//
// The inner search is [evolve.NSGA2] with Evaluations predicted evaluations. A
// space of at most 4,096 designs is predicted as a whole instead.
type LINAS struct {
	Population  int     `yaml:"population" min:"0" max:"100000" doc:"designs measured between two fits; 0 means 50, or a fifth of a smaller budget"` // 0 means 50, or a fifth of the budget
	Evaluations int     `yaml:"evaluations" default:"5000" min:"100" max:"10000000" doc:"predicted evaluations of the inner search"`                 // 0 means 5,000
	Predictor   string  `yaml:"predictor" default:"ridge" oneof:"ridge trees forest mlp neighbors gp" doc:"what predicts"`                           // "" means ridge
	Random      float64 `yaml:"random" default:"0.1" min:">0" max:"1" doc:"share of proposals that are random"`                                      // 0 means 0.1
	Rows        int     `yaml:"rows" default:"2000" min:"10" max:"1000000" doc:"results that are learned from, the best and the newest first"`       // 0 means 2,000
}

// New makes a searcher. It works on every space, any number of objectives, with
// or without limits.
func (o LINAS) New(setup search.Setup) (search.Searcher, error) {
	l := limits{name: "linas"}
	l.whole("population", o.Population, 2, 100_000)
	l.whole("evaluations", o.Evaluations, 100, 10_000_000)
	l.whole("rows", o.Rows, 10, 1_000_000)
	l.share("random", o.Random)
	learner, decisions := l.learner(cmp.Or(o.Predictor, "ridge"), false)
	if err := errors.Join(l.errs...); err != nil {
		return nil, err
	}
	size := o.Population
	if size == 0 {
		if size = 50; setup.Budget > 0 {
			size = max(min(size, int(setup.Budget/5)), 2)
		}
	}
	return newGuided(plan{
		name: l.name, learner: learner, decisions: decisions, pick: pickMean, initial: size, batch: size,
		rows: cmp.Or(o.Rows, 2000), random: cmp.Or(o.Random, 0.1), enumerate: 4096,
		inner: evolve.NSGA2{Population: 50}.New, evals: cmp.Or(o.Evaluations, 5000),
	}, setup)
}
