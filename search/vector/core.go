package vector

import "math"

// A Core is a search among points of fixed length. It is asked for points and
// told their losses, which it minimises, in any number and order:
//
//	first := c.Ask(x)                  // len(x) is a multiple of c.Dim()
//	c.Decode(point, x[:c.Dim()])       // what to evaluate
//	…
//	c.Tell(first, x, losses)
//
// Results may come late, in pieces and not at all.
type Core interface {
	// Dim is the length of a point, Batch how many make a generation; Batch may
	// change with every Tell.
	Dim() int
	Batch() int

	// Ask fills x with points in the coordinates of the search and returns the
	// number of the first. Points are numbered in the order of asking.
	Ask(x []float64) (first int64)

	// Decode writes to dst what a point from the last Ask stands for; call it
	// before the next Tell. Encode turns a point of the caller's into one of
	// the search.
	Decode(dst, x []float64)
	Encode(dst, x []float64)

	// Tell reports losses of consecutive points, as they came from Ask, of which
	// first is the number of the first; -1 says that they come from elsewhere,
	// through Encode.
	Tell(first int64, x, loss []float64)

	// Scatter begins anew at random points, keeping the best if the method keeps
	// points at all: for a caller who sees that the search is at a standstill.
	Scatter()
}

var (
	_ Core = (*CMA)(nil)
	_ Core = (*DE)(nil)
	_ Core = (*PSO)(nil)
)

// Minimize asks a core for points, evaluates f at each, and tells the results,
// for the given number of evaluations, and returns the best point and its loss.
// f must not keep its argument.
func Minimize(c Core, evaluations int, f func([]float64) float64) (best []float64, loss float64) {
	n := c.Dim()
	var x, losses []float64
	point := make([]float64, n)
	best, loss = make([]float64, n), math.Inf(1)
	for evaluations > 0 {
		k := min(c.Batch(), evaluations)
		if cap(losses) < k {
			x, losses = make([]float64, k*n), make([]float64, k)
		}
		x, losses = x[:k*n], losses[:k]
		first := c.Ask(x)
		for i := range losses {
			c.Decode(point, x[i*n:(i+1)*n])
			losses[i] = f(point)
			if losses[i] < loss {
				loss = losses[i]
				copy(best, point)
			}
		}
		c.Tell(first, x, losses)
		evaluations -= k
	}
	return best, loss
}
