package catalog

import (
	"fmt"
	"math/big"

	"github.com/daedalus-search/daedalus/internal/source"
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
	Exact      bool // measuring a design again gives the same
}

// Where the rules change. What is taken for costly evaluations and for many
// trials follows the races in bench/arena, and TestAutoFollowsEvidence holds it to
// them; they were run with 100, 1,000 and 3,000 trials, and the bounds between are
// judgement. For cheap evaluations see docs/benchmarks.md, "auto".
const (
	gpTrials      = 500  // costly evaluations: where a Gaussian process knows all results
	gpColumns     = 200  // numbers a design has as features, beyond which its kernel is slow
	tpeTrials     = 2000 // cheap ones, one objective: where evolution has caught up with tpe
	tpeTrialsMany = 500  // the same with several objectives
)

// Auto chooses a search method, with its options, and says why.
func Auto(q Question) (name string, m search.Method, reason string) {
	name, m, reason = choose(q)
	source.Defaults(m)
	// Told that there is no noise, and little about scales, it was not shown worse
	// than any program in the race of few trials (bench/arena).
	if gp, ok := m.(*model.GP); ok && q.Exact && q.Objectives <= 1 {
		gp.Noise, gp.Prior = 1e-6, "vizier"
		reason += ", and measurements are exact"
	}
	return name, m, reason
}

func choose(q Question) (name string, m search.Method, reason string) {
	if n, exact := q.Space.Count(); n != nil && exact && q.Trials > 0 && n.Cmp(big.NewInt(q.Trials)) <= 0 {
		return "grid", new(sample.Grid), fmt.Sprintf("the space has only %v designs, so all are tried", n)
	}
	if q.Trials > 0 && q.Trials <= int64(2*max(q.Parallel, 1)) {
		if _, err := q.Space.Dims(); err == nil {
			return "sobol", new(sample.Sobol), fmt.Sprintf("with %d trials, %d at once, there is no time to learn: fill the space evenly", q.Trials, q.Parallel)
		}
		return "random", new(sample.Random), fmt.Sprintf("with %d trials, %d at once, there is no time to learn", q.Trials, q.Parallel)
	}
	one := q.Objectives <= 1
	asked := fmt.Sprintf("%d objectives and %s", q.Objectives, trials(q.Trials))
	if one {
		asked = "one objective and " + trials(q.Trials)
	}
	few := q.Trials > 0 && (q.Trials <= tpeTrialsMany || one && q.Trials <= tpeTrials)
	switch {
	case !q.Cheap && (q.Trials == 0 || q.Trials <= gpTrials) && one && columns(q.Space) <= gpColumns:
		return "gp", new(model.GP), asked + ": a Gaussian process saves the most evaluations"
	case !q.Cheap && q.Trials > 0 && q.Trials <= tpeTrialsMany && !one && numeric(q.Space) && columns(q.Space) <= gpColumns:
		return "gp", new(model.GP), asked + " in numbers: a Gaussian process saves the most evaluations"
	case !q.Cheap && q.Trials > 0 && q.Trials <= tpeTrialsMany && !one && numeric(q.Space):
		return "linas", new(model.LINAS), asked + " in numbers: evolution on a predictor an objective saves evaluations"
	case !q.Cheap && q.Trials > 0 && q.Trials <= tpeTrialsMany && !one:
		return "smac", new(model.SMAC), asked + ": a random forest saves evaluations"
	case few || q.Trials == 0 && !q.Cheap && one:
		return "tpe", new(model.TPE), asked + ": a model saves evaluations"
	case one && numeric(q.Space):
		return "cma-es", new(evolve.CMAES), asked + " in numbers: an evolution strategy learns their scales and slopes"
	case one:
		return "genetic", new(evolve.Genetic), asked + ": breeding the best scales and keeps exploring"
	}
	if q.Objectives <= 3 {
		return "smsemoa", new(evolve.SMSEMOA), asked + ": a population that keeps the volume of its front"
	}
	return "nsga2", new(evolve.NSGA2), asked + ": a population spreads along the front"
}

// columns returns how many numbers a design is as features.
func columns(s *space.Space) int {
	f, err := s.Features()
	if err != nil {
		return gpColumns + 1
	}
	return len(f)
}

// numeric reports whether most decisions are real numbers, or whole ones of long
// ranges.
func numeric(s *space.Space) bool {
	n := 0
	for _, p := range s.Params() {
		switch p.Kind {
		case space.KindFloat:
			n++
		case space.KindInt:
			if p.N > 16 {
				n++
			} else {
				n--
			}
		case space.KindGroup, space.KindConst:
		default:
			n--
		}
	}
	return n > 0
}

func trials(n int64) string {
	if n == 0 {
		return "no bound on trials"
	}
	return fmt.Sprintf("%d trials", n)
}
