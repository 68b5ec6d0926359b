package catalog

import (
	"fmt"
	"math/big"

	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/evolve"
	"github.com/daedalus-search/daedalus/search/model"
	"github.com/daedalus-search/daedalus/search/sample"
	"github.com/daedalus-search/daedalus/space"
)

// Question is what [Auto] looks at.
type Question struct {
	Space      *space.Space
	Objectives int
	Trials     int64 // budget; 0 means unknown
	Parallel   int
	Cheap      bool // evaluations cost microseconds: tables and formulas
}

// tpeTrials and tpeTrialsMany are where the sample efficiency of a model stops
// paying for itself, with one and with several objectives: beyond them
// evolution has caught up (docs/benchmarks.md, "auto").
const (
	tpeTrials     = 2000
	tpeTrialsMany = 500
)

// Auto chooses a search method and says why.
func Auto(q Question) (name string, m search.Method, reason string) {
	if n, exact := q.Space.Count(); n != nil && exact && q.Trials > 0 && n.Cmp(big.NewInt(q.Trials)) <= 0 {
		return "grid", new(sample.Grid), fmt.Sprintf("the space has only %v designs, so all are tried", n)
	}
	if q.Trials > 0 && q.Trials <= int64(2*max(q.Parallel, 1)) {
		if _, err := q.Space.Dims(); err == nil {
			return "sobol", new(sample.Sobol), fmt.Sprintf("with %d trials, %d at once, there is no time to learn: fill the space evenly", q.Trials, q.Parallel)
		}
		return "random", new(sample.Random), fmt.Sprintf("with %d trials, %d at once, there is no time to learn", q.Trials, q.Parallel)
	}
	few := q.Trials > 0 && q.Trials <= tpeTrials || q.Trials == 0 && !q.Cheap
	switch {
	case few && q.Objectives <= 1:
		return "tpe", new(model.TPE), fmt.Sprintf("one objective and %s: a model saves evaluations", trials(q.Trials))
	case few && q.Trials > 0 && q.Trials <= tpeTrialsMany:
		return "tpe", new(model.TPE), fmt.Sprintf("%d objectives and %d trials: a model saves evaluations", q.Objectives, q.Trials)
	case q.Objectives <= 1:
		return "regularized", new(evolve.Regularized), fmt.Sprintf("one objective and %s: evolution scales and keeps exploring", trials(q.Trials))
	}
	return "nsga2", new(evolve.NSGA2), fmt.Sprintf("%d objectives and %s: a population spreads along the front", q.Objectives, trials(q.Trials))
}

func trials(n int64) string {
	if n == 0 {
		return "no bound on trials"
	}
	return fmt.Sprintf("%d trials", n)
}
