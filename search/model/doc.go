// Package model holds search methods that learn a model of the results and ask
// it where to look next.
//
// [TPE] is the tree-structured Parzen estimator: it keeps the designs that
// came out well and a sample of the others, puts a small density around each,
// draws candidates around the good ones and proposes the one that looks most
// like a good design and least like a bad one.
//
// [GP] is Bayesian optimisation: a Gaussian process for each objective says what
// designs may be worth and how sure that is, and the design from which most is to
// be expected is proposed. It needs the fewest evaluations and takes tens of
// milliseconds for each.
//
// [SMAC], [BANANAS], [WeakNAS], [GBDTNAS], [LINAS] and [BOSHNAS] learn to predict
// and measure what the prediction promises. They share one engine, the guided
// searcher, and differ in the predictor and in how candidates are found and
// ordered.
//
//	s, err := model.TPE{}.New(search.Setup{Space: sp, Seed: 7})
//	for range 100 {
//		p, err := s.Ask(1)
//		s.Tell(search.Outcome{ID: p[0].ID, Design: p[0].Design, Status: search.Complete, Score: goal.Score(measure(p[0].Design))})
//	}
package model
