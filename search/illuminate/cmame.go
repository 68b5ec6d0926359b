package illuminate

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/genome"
	"github.com/daedalus-search/daedalus/search/vector"
)

// CMAME is covariance matrix adaptation MAP-Elites (Fontaine, Togelius,
// Nikolaidis and Hoover 2020): several evolution strategies, each led by whether
// its designs enter new cells of the archive, then by how much they improve
// occupied ones. All that entered are parents; a strategy none of whose designs
// did begins anew at a random elite.
//
// It works on every space but grammars, for one objective; coordinates are those
// of evolve.CMAES, and [vector.Improvement] is the strategy. Designs that were
// proposed before count as rejected and cost nothing. The rest is as in
// [MAPElites]: measures by name, random designs first, feasible elites only.
type CMAME struct {
	// Measures span the behaviour space; at least one is needed.
	Measures []Measure `yaml:"measures,required" doc:"metrics that span the behaviour space"`
	// CVT replaces the grid by a given number of cells of about equal size.
	CVT *CVT `yaml:"cvt" doc:"cells of a centroidal Voronoi tessellation instead of a grid"`
	// Initial is how many random designs come first; 0 means 50, or a tenth of
	// the budget if that is less, but at least 5.
	Initial int `yaml:"initial" min:"0" max:"1000000000" doc:"random designs that come first; 0 means 50, or a tenth of a smaller budget"`
	// Emitters is how many strategies there are; 0 means 15, or as many as can
	// have 60 generations each within the budget.
	Emitters int `yaml:"emitters" min:"0" max:"10000" doc:"evolution strategies; 0 means 15, or as many as have 60 generations within the budget"`
	// Generation is how many designs a strategy makes between two updates; 0
	// means 36.
	Generation int `yaml:"generation" default:"36" min:"2" max:"100000" doc:"designs of a strategy between two updates"`
	// Sigma is the first standard deviation, as a share of the range; 0 means
	// 0.1.
	Sigma float64 `yaml:"sigma" default:"0.1" min:">0" max:"1" doc:"first standard deviation of a strategy, as a share of the range"`
}

// New makes a searcher. It fails with more than one objective and on spaces with
// a grammar, which have no coordinates.
func (o CMAME) New(setup search.Setup) (search.Searcher, error) {
	return o.start("cma-me", setup, 0, nil)
}

// NewArchive makes the empty archive that a searcher begins with; see
// [MAPElites.NewArchive].
func (o CMAME) NewArchive(seed uint64) (metric.Archive[Entry], error) {
	return MAPElites{Measures: o.Measures, CVT: o.CVT}.newArchive("cma-me", seed)
}

// start makes the searcher of both methods; a rate above 0 anneals thresholds.
func (o CMAME) start(method string, setup search.Setup, rate float64, floor *float64) (search.Searcher, error) {
	var errs []error
	fail := func(field string, found any, want string) {
		errs = append(errs, fmt.Errorf("%s: %s: found %v, want %s", method, field, found, want))
	}
	base, err := MAPElites{Measures: o.Measures, CVT: o.CVT, Initial: o.Initial}.start(method, setup)
	if err != nil {
		errs = append(errs, err)
	}
	var g *genome.Genome
	if setup.Space != nil {
		if g, err = genome.New(setup.Space, genome.Categories); err != nil {
			errs = append(errs, fmt.Errorf("%s: space: found %w, want one that has coordinates; use emitters or map-elites", method, err))
		}
	}
	if o.Emitters < 0 || o.Emitters > 10_000 {
		fail("emitters", o.Emitters, "1 to 10000, or 0 for the default")
	}
	if o.Generation < 0 || o.Generation == 1 || o.Generation > 100_000 {
		fail("generation", o.Generation, "2 to 100000, or 0 for 36")
	}
	if !(o.Sigma >= 0 && o.Sigma <= 1) {
		fail("sigma", o.Sigma, "a share above 0 and at most 1, or 0 for 0.1")
	}
	if floor != nil && (math.IsNaN(*floor) || math.IsInf(*floor, 0)) {
		fail("threshold", *floor, "a finite number")
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	o.Generation = cmp.Or(o.Generation, 36)
	if o.Emitters == 0 {
		o.Emitters = 15
		if b := setup.Budget; b > 0 {
			o.Emitters = max(min(15, int(b/int64(60*o.Generation))), 1)
		}
	}
	s := newMixer(base)
	s.rate = rate
	s.MAPElites.Batch = o.Generation
	if floor != nil {
		s.floor, s.setFloor = *floor, true
	}
	s.emitters, err = newStrategies(o.Emitters, o.Generation, cmp.Or(o.Sigma, 0.1), rate > 0, g, setup.Seed)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// CMAMAE is covariance matrix adaptation MAP-annealing (Fontaine and Nikolaidis
// 2023): evolution strategies led by how far their designs pass a threshold that
// every cell has, and that moves towards the objectives that passed it at a rate.
// A rate of 1 would make the elites the thresholds; a small one lets strategies
// stay where the objective is good before they move on, which finds better elites
// and on plateaus more cells, at the price of a slower spread.
//
// All else is as in [CMAME]; the archive holds the best designs seen whatever the
// thresholds.
type CMAMAE struct {
	// Measures span the behaviour space; at least one is needed.
	Measures []Measure `yaml:"measures,required" doc:"metrics that span the behaviour space"`
	// CVT replaces the grid by a given number of cells of about equal size.
	CVT *CVT `yaml:"cvt" doc:"cells of a centroidal Voronoi tessellation instead of a grid"`
	// Initial is how many random designs come first; 0 means 50, or a tenth of
	// the budget if that is less, but at least 5.
	Initial int `yaml:"initial" min:"0" max:"1000000000" doc:"random designs that come first; 0 means 50, or a tenth of a smaller budget"`
	// Emitters, Generation and Sigma are those of [CMAME].
	Emitters   int     `yaml:"emitters" min:"0" max:"10000" doc:"evolution strategies; 0 means 15, or as many as have 60 generations within the budget"`
	Generation int     `yaml:"generation" default:"36" min:"2" max:"100000" doc:"designs of a strategy between two updates"`
	Sigma      float64 `yaml:"sigma" default:"0.1" min:">0" max:"1" doc:"first standard deviation of a strategy, as a share of the range"`
	// Rate says how far a threshold moves to an objective that passes it; 0
	// means 0.01.
	Rate float64 `yaml:"rate" default:"0.01" min:">0" max:"<1" doc:"how far the threshold of a cell moves to an objective that passes it"`
	// Threshold is that of empty cells: the lowest objective worth having, as a
	// loss with its sign turned (the metric itself where it is maximised); nil
	// means that of the worst of the random designs.
	Threshold *float64 `yaml:"threshold" doc:"objective that an empty cell asks for, with its sign turned if it is minimised; none means that of the worst random design"`
}

// New makes a searcher. It fails with more than one objective and on spaces with
// a grammar, which have no coordinates.
func (o CMAMAE) New(setup search.Setup) (search.Searcher, error) {
	var err error
	if !(o.Rate >= 0 && o.Rate < 1) {
		err = fmt.Errorf("cma-mae: rate: found %v, want a number above 0 and below 1, or 0 for 0.01", o.Rate)
	}
	s, more := CMAME{Measures: o.Measures, CVT: o.CVT, Initial: o.Initial, Emitters: o.Emitters, Generation: o.Generation, Sigma: o.Sigma}.
		start("cma-mae", setup, cmp.Or(o.Rate, 0.01), o.Threshold)
	if err := errors.Join(err, more); err != nil {
		return nil, err
	}
	return s, nil
}

// NewArchive makes the empty archive that a searcher begins with; see
// [MAPElites.NewArchive].
func (o CMAMAE) NewArchive(seed uint64) (metric.Archive[Entry], error) {
	return MAPElites{Measures: o.Measures, CVT: o.CVT}.newArchive("cma-mae", seed)
}

// Emitters fills an archive with the designs of emitters of several kinds, on any
// space: mutation and crossover of elites, which work everywhere, lines between
// elites and evolution strategies, where the space has coordinates, and fresh
// draws. A bandit gives more designs to the kinds whose designs enter the archive
// of late (discounted UCB, Garivier and Moulines 2011), so that nobody has to know
// beforehand what suits the space.
//
// The rest is as in [MAPElites].
type Emitters struct {
	// Measures span the behaviour space; at least one is needed.
	Measures []Measure `yaml:"measures,required" doc:"metrics that span the behaviour space"`
	// CVT replaces the grid by a given number of cells of about equal size.
	CVT *CVT `yaml:"cvt" doc:"cells of a centroidal Voronoi tessellation instead of a grid"`
	// Initial is how many random designs come first; 0 means 50, or a tenth of
	// the budget if that is less, but at least 5.
	Initial int `yaml:"initial" min:"0" max:"1000000000" doc:"random designs that come first; 0 means 50, or a tenth of a smaller budget"`
	// Batch is how many proposals the study may take at once; 0 means 16, or a
	// fiftieth of the budget if that is less, but at least 1.
	Batch int `yaml:"batch" min:"0" max:"1000000" doc:"proposals to evaluate at once; 0 means 16, or a fiftieth of a smaller budget"`
	// Kinds are the emitters: "mutate", "cross", "line", "cma" and "random". None
	// means mutate and cross, and where the space has coordinates line and cma.
	Kinds []string `yaml:"kinds" doc:"emitters among mutate, cross, line, cma and random; none means all that suit the space but random"`
	// Equal gives every kind the same share instead of asking a bandit.
	Equal bool `yaml:"equal" default:"false" doc:"give every kind the same share instead of more to those that succeed"`
	// Edits is how many decisions a mutation changes; 0 means 1.
	Edits int `yaml:"edits" default:"1" min:"1" max:"1000000" doc:"decisions that a mutation changes"`
	// Sigma is the standard deviation of a step on a number and the first one of
	// an evolution strategy, as a share of the range; 0 means 0.1.
	Sigma float64 `yaml:"sigma" default:"0.1" min:">0" max:"1" doc:"standard deviation of a step on a number, as a share of its range"`
}

// New makes a searcher. It works on every space for one objective; kinds that
// need coordinates fail on spaces with a grammar.
func (o Emitters) New(setup search.Setup) (search.Searcher, error) {
	var errs []error
	base, err := MAPElites{
		Measures: o.Measures, CVT: o.CVT, Initial: o.Initial, Batch: o.Batch, Edits: o.Edits, Sigma: o.Sigma,
	}.start("emitters", setup)
	if err != nil {
		errs = append(errs, err)
	}
	var g *genome.Genome
	flat := errors.New("found no space")
	if setup.Space != nil {
		g, flat = genome.New(setup.Space, genome.Categories)
	}
	kinds := o.Kinds
	if len(kinds) == 0 {
		kinds = []string{"mutate", "cross"}
		if flat == nil && len(g.Coordinates()) > 0 {
			kinds = append(kinds, "line", "cma")
		}
	}
	var made []emitter
	for i, kind := range kinds {
		fail := func(err error) {
			errs = append(errs, fmt.Errorf("emitters: kinds[%d]: %s: %w", i, kind, err))
		}
		switch kind {
		case "mutate", "cross":
			made = append(made, breeder{cross: kind == "cross"})
		case "random":
			made = append(made, afresh{})
		case "line":
			if flat != nil {
				fail(flat)
				break
			}
			made = append(made, along{line: newLiner(g, setup.Seed)})
		case "cma":
			if flat != nil {
				fail(flat)
				break
			}
			es, err := newStrategies(1, 4+int(math.Sqrt(float64(16*max(len(g.Coordinates()), 1)))), cmp.Or(o.Sigma, 0.1), false, g, setup.Seed)
			if err != nil {
				fail(err)
				break
			}
			made = append(made, es...)
		default:
			errs = append(errs, fmt.Errorf("emitters: kinds[%d]: found %q, want mutate, cross, line, cma or random", i, kind))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s := newMixer(base)
	s.emitters = made
	if !o.Equal && len(made) > 1 {
		s.bandit = vector.NewBandit(len(made), 0, 0)
	}
	return s, nil
}

// NewArchive makes the empty archive that a searcher begins with; see
// [MAPElites.NewArchive].
func (o Emitters) NewArchive(seed uint64) (metric.Archive[Entry], error) {
	return MAPElites{Measures: o.Measures, CVT: o.CVT}.newArchive("emitters", seed)
}

// Layout returns the measures and cells of a method of this package, as those of
// [MAPElites], so that a finished study can fill the archive again; false for
// another method.
func Layout(m search.Method) (o MAPElites, ok bool) {
	switch m := m.(type) {
	case MAPElites:
		return m, true
	case *MAPElites:
		return *m, true
	case Emitters:
		return MAPElites{Measures: m.Measures, CVT: m.CVT}, true
	case *Emitters:
		return Layout(*m)
	case CMAME:
		return MAPElites{Measures: m.Measures, CVT: m.CVT}, true
	case *CMAME:
		return Layout(*m)
	case CMAMAE:
		return MAPElites{Measures: m.Measures, CVT: m.CVT}, true
	case *CMAMAE:
		return Layout(*m)
	case MOME:
		return MAPElites{Measures: m.Measures, CVT: m.CVT}, true
	case *MOME:
		return Layout(*m)
	}
	return MAPElites{}, false
}
