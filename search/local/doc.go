// Package local improves one design at a time by looking at its neighbours.
//
// [LocalSearch] climbs to a design that no neighbour beats and starts again
// elsewhere; [Annealing] also accepts a worse neighbour now and then, ever more
// rarely; [LateAcceptance] one that beats where it stood a while ago; [Tabu]
// always takes the best neighbour and forbids the way back. All are hard to beat
// on small budgets. [Bisection] is for one question: how far can parameters be
// pushed before a limit breaks.
//
//	s, err := local.LocalSearch{}.New(search.Setup{Space: sp, Seed: 7})
//
// # Several objectives
//
// A climb needs to know which of two designs is better, so every climb draws a
// vector of weights, uniform on the simplex, and minimises the largest weighted
// loss, losses being scaled by the range of the front found so far (the
// weighted Chebyshev norm, which reaches every point of a front, concave ones
// too; Bowman 1976). The next climb draws other weights, so the climbs together
// spread over the front.
//
// # Limits
//
// Feasible designs beat infeasible ones, and of two infeasible ones the smaller
// violation wins. Designs that failed, were stopped early or could not be built
// lose against everything.
//
// # Pending proposals
//
// Asked again before results are in, all go on with what they know, and a
// result that comes late or never only delays the part of the search that needs
// it. Designs whose result is known are not proposed again.
package local
