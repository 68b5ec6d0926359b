// Package metric judges designs: it says what is measured, what counts as
// better, which limits hold, and which of many designs are worth keeping.
//
// A [Goal] turns the measured [Values] of one design into a [Score]: every
// objective as a loss to be minimised, and one number for how far the hard
// limits are missed. [Dominates] is the only order used on scores. It puts
// feasibility first (Deb, "An efficient constraint handling method for genetic
// algorithms", 2000), then Pareto dominance. Missing, NaN and infinite values
// give a score that ranks behind every measured one, so a failed evaluation
// never wins.
//
// On top of that stand the things that keep designs:
//
//   - [Front] keeps the non-dominated designs while results arrive one by one;
//   - [HypervolumeHistory] follows the volume the front covers, for progress
//     and stop rules;
//   - [Grid] and [CVT] keep the best design of every cell of a behaviour space
//     (MAP-Elites).
//
// The kernels underneath ([NonDominatedSort], [CrowdingDistance],
// [Hypervolume] and the indicators) work on flat row-major []float64 of n*m
// losses and can be used alone. [Kendall], [Spearman] and [PrecisionAtK]
// compare two rankings.
//
// Over many trials [BestQuantile] says which are the best, [Importance] which
// parameters tell them from the rest, [HypergeometricTail] whether they share a
// value more often than chance would have it, and [Knee] which design of a front
// is the compromise.
//
// The smallest program:
//
//	accuracy, _ := metric.ParseObjective("maximize accuracy")
//	latency, _ := metric.ParseObjective("minimize latency_ms")
//	limit, _ := metric.ParseLimit("params_m <= 1")
//	goal := metric.Goal{
//		Objectives: []metric.Objective{accuracy, latency},
//		Limits:     []metric.Limit{limit},
//	}
//	var front metric.Front[string]
//	front.Add(goal.Score(metric.Values{"accuracy": 0.9, "latency_ms": 3, "params_m": 0.5}), "small")
//
// Nothing here reads a clock, starts a goroutine or depends on map order; the
// only randomness is the generator handed to Sample and [NewCVT]. Calls with
// slices whose lengths do not fit together are mistakes of the programmer and
// panic with a message that begins with "metric:"; no measured value can cause
// a panic.
package metric
