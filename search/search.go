// Package search proposes designs and learns from their results.
//
// A [Searcher] never evaluates anything itself. The caller asks for proposals,
// evaluates them wherever and however slowly it likes, and tells the results
// back in any order:
//
//	s, err := evolve.Regularized{}.New(search.Setup{Space: sp, Seed: 7})
//	for range 100 {
//		for _, p := range must(s.Ask(1)) {
//			s.Tell(search.Outcome{ID: p.ID, Design: p.Design, Status: search.Complete, Score: goal.Score(measure(p.Design))})
//		}
//	}
//
// The methods live in sub-packages, one a family: sample, local, evolve,
// illuminate, model, fidelity. Each method is a struct of options whose zero value works
// and whose New makes a searcher. Package searchtest holds the laws that every
// searcher passes.
package search

import (
	"errors"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
)

// ErrExhausted is returned by Ask when the searcher has nothing left to
// propose: it has proposed every design of a finite space, or every point of
// its plan. An Ask that fails changes nothing. Results that are still to come
// may give a multi-fidelity searcher something to go on with, so the study asks
// once more when it has told everything.
var ErrExhausted = errors.New("search: nothing left to propose")

// A Searcher chooses what to try next.
//
// A Searcher need not be safe for concurrent use; the study serialises calls.
// Its proposals are a function of its options, the [Setup] and the sequence of
// calls, so a searcher is rebuilt by replaying them.
type Searcher interface {
	// Ask returns between 1 and n proposals, or [ErrExhausted]. It never waits
	// for results: a method that would like more of them before it commits
	// returns fewer than n, but at least one.
	Ask(n int) ([]Proposal, error)

	// Tell reports outcomes, in any order. Telling a proposal twice has no
	// effect. Proposals that are never told do not stall the searcher. Outcomes
	// with a negative ID report designs that the searcher did not propose.
	Tell(outcomes ...Outcome)
}

// A Method is a search method with its options, ready to make searchers.
type Method interface {
	// New makes a searcher, or says why the method cannot work on the setup.
	New(Setup) (Searcher, error)
}

// Setup is what a searcher is told about the question.
type Setup struct {
	Space      *space.Space
	Objectives int    // 0 means 1
	Limits     bool   // designs can turn out infeasible
	Seed       uint64 // 0 is a seed like any other
	Budget     int64  // trials the study may spend; 0 means unknown
	Parallel   int    // proposals that will be evaluated at once; 0 means 1

	// Key returns the same string for designs that are the same thing, whose
	// measurements are therefore equal; nil means that no two designs are.
	Key func(space.Design) string

	// Admit says free of charge whether a design can still meet the limits; nil
	// means that only an evaluation can tell. Designs that are not admitted are
	// worth no evaluation.
	Admit func(space.Design) bool

	// Fidelity says with how much effort designs can be measured; the zero value
	// means in full only. Effort is how many full evaluations' worth of it the
	// study may spend; 0 means unknown.
	Fidelity problem.Fidelity
	Effort   float64
}

// A Proposal is a design to try, and where it came from.
type Proposal struct {
	ID        int64 // 1, 2, 3, … in the order of asking
	Design    space.Design
	Fidelity  float64 // share of a full evaluation in (0, 1]; 0 means full
	Parents   []int64 // IDs of the outcomes it was made from; negative ones are foreign
	Operator  string  // what made it: "random", "mutate", "cross", …; see Promote
	Predicted metric.Values
	Why       string
}

// Promote is the operator of a proposal that measures a design again with more
// effort. Its first parent is the outcome of the same design at the largest
// smaller fidelity, where an evaluation that resumes goes on.
const Promote = "promote"

// Status says how the evaluation of a proposal ended.
type Status uint8

// How an evaluation ends.
const (
	Complete   Status = iota + 1 // measured
	Infeasible                   // the evaluator says this design cannot be built
	Pruned                       // stopped early because it looked bad; the score is partial
	Failed                       // no measurement came back
)

// An Outcome reports what became of a proposal.
type Outcome struct {
	ID       int64 // that of the proposal; negative for a design of another origin
	Design   space.Design
	Status   Status
	Score    metric.Score  // all objectives as minimised; see metric.Goal
	Values   metric.Values // what was measured, by name
	Fidelity float64       // 0 means full
	Cost     float64
	Err      string
	Curve    []Point // intermediate results by rising fidelity; only for a CurveReader
}

// A Point is what an evaluation reported on its way.
type Point struct {
	Fidelity float64 // share of a full evaluation
	Score    metric.Score
}

// A CurveReader is a searcher that learns from intermediate results; others are
// spared them.
type CurveReader interface{ ReadsCurves() bool }

// Usable reports whether the outcome carries a score to learn from.
func (o *Outcome) Usable() bool { return o.Status == Complete && o.Score.OK() }

// A Batcher is a searcher that loses nothing if it is next asked for up to Batch
// proposals before it sees a result; the number may change as the search goes
// on. A searcher that is not a Batcher prefers one at a time.
type Batcher interface{ Batch() int }

// A Refitter is a searcher whose model is costly to fit. Ask answers from the
// model there is, brought up to date cheaply; Refit fits it anew to everything
// told. The study calls Refit after each Ask, while the proposals are being
// evaluated, and finishes it before the next call, so that proposals remain a
// function of the calls. A searcher that is never refitted does so in Ask when
// it must.
type Refitter interface{ Refit() }

// Each answers an Ask for n proposals by making them one at a time. It returns
// those made before next failed, or the failure if there are none.
func Each(n int, next func() (Proposal, error)) ([]Proposal, error) {
	out := make([]Proposal, 0, max(n, 1))
	for range max(n, 1) {
		p, err := next()
		if err != nil {
			if len(out) > 0 {
				return out, nil
			}
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}
