// Package vector searches among points of real numbers: evolution strategies,
// differential evolution, particle swarms, and quality-diversity with emitters. It
// knows no designs; the searchers of packages evolve and illuminate stand on it,
// and programs whose points are plain vectors may use it directly.
//
// A [Core] is asked for points and told their losses:
//
//	c, err := vector.NewCMA(vector.CMAOptions{Coordinates: vector.Reals(20, -5, 5)})
//	best, loss := vector.Minimize(c, 10_000, f)
//
// [CMA] is the strategy to begin with: coordinates may be real, whole or
// categorical. [DE] and [PSO] are for rugged and for smooth problems with many
// evaluations. Results may come late, in any order, or never.
//
// An [Illuminator] fills an [Archive], whose cells are those of a metric.Grid or a
// metric.CVT, with the best point of every cell. Its points come from emitters,
// [Gaussian], [IsoLine] and [Improvement], which may be mixed, and chosen by their
// success with a [Bandit]:
//
//	a, err := vector.NewArchive(vector.ArchiveOptions{Cells: grid, Dim: 20, Measures: 2})
//	l := vector.NewIlluminator(a, vector.NewGaussian(make([]float64, 20), 0.5, 36, seed))
//	first := l.Ask(x)
//	…
//	l.Tell(first, x, objectives, measures)
//
// Points and results are rows in flat buffers, nothing is allocated from one
// generation to the next, and the same seed and calls give the same bits on every
// platform.
package vector
