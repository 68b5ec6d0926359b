package synthetic

import (
	"context"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problems/internal/vector"
	"github.com/daedalus-search/daedalus/space"
)

// Problem is one of the functions, evaluated in microseconds. Its metrics are
// f, or f1, f2 and so on, to be minimised; or fitness, to be maximised. It
// knows the optimum of all of them together without limits.
type Problem = vector.Solved

func newProblem(name string, nodes []space.Node, metrics []metric.Metric, f func(x, y []float64), front func(context.Context) ([]float64, error)) (*Problem, error) {
	return vector.NewSolved(vector.Function{Package: "synthetic", Name: name, Nodes: nodes, Metrics: metrics, F: f}, front)
}

// dims returns n, or the default if it is 0, as long as it is in range.
func dims(what string, n, fallback, least, most int) (int, error) {
	return vector.Whole("synthetic: "+what, n, fallback, least, most)
}
