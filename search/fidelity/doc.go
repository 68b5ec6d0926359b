// Package fidelity holds search methods that begin with many designs at little
// effort and go on with the best: for problems that can be measured for fewer
// epochs, on less data or at a lower resolution ([problem.Graded]).
//
// [SuccessiveHalving], [Hyperband], [ASHA] and [PASHA] decide how much effort a
// design gets; where designs come from is another method's business, random
// sampling unless the options name one. [BOHB] is Hyperband with designs drawn
// by a model of the most expensive results there are enough of; [HalvingGrid]
// halves a grid.
//
//	s, err := fidelity.ASHA{}.New(search.Setup{
//		Space: sp, Fidelity: problem.Fidelity{Name: "epochs", Min: 1, Max: 27, Whole: true},
//	})
//	p, err := s.Ask(1) // p[0].Fidelity is 1/27; a promoted design comes back with 1/9
//
// All work on every kind of space and with any number of objectives and limits:
// designs are compared as everywhere, feasible ones first; with several
// objectives they are promoted by non-dominated front, and those of a front that
// is cut by how much room they have there.
//
// Limits hold at every fidelity. One on a metric that only much effort can meet,
// such as an error, is missed by all at little effort; then designs go by how far
// they miss it.
//
// A promotion is a proposal with the operator [search.Promote] and the design's
// last measurement as its parent. No design is proposed twice at a fidelity.
// The last proposals of a known budget measure the best designs in full, so that
// every study ends with a full result; see [Options].Finals.
package fidelity
