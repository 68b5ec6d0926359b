package illuminate

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/fresh"
	"github.com/daedalus-search/daedalus/search/internal/genome"
	"github.com/daedalus-search/daedalus/space"
)

// MAPElites keeps the best design of every cell of a behaviour space and breeds
// new ones from them (Mouret and Clune, "Illuminating search spaces by mapping
// elites", 2015), on any space and for one objective.
//
// After the middle of the space, where it has coordinates, and a number of
// random designs, an elite is drawn uniformly from the
// occupied cells; with probability Crossover it is crossed with another one;
// then one decision is changed. What was proposed before is bred again, a
// bounded number of times. The next proposal needs no outcome of the ones
// before, so any number may be evaluated at once, and lost trials cost nothing
// but themselves.
//
// Measures are metrics of the outcome, by name; cheap estimates do as well as
// measured ones. A value beyond its range counts to the cell at the end of the
// range. A cell of more than a fifth of the budget's number makes the search
// random, since most cells stay empty and no elite is ever replaced.
//
// The archive keeps feasible designs only. While there is none, the designs that
// miss the limits least are bred from.
//
// An elite keeps its place by the values it was first measured with. If the
// objective or a measure is noisy, the luckiest measurement stays: designs stand
// in wrong cells with too good values. Let the problem average repeated
// measurements, and measure the archive again before quoting it.
//
// An ask and a tell cost a few microseconds however many trials there were, and
// with a [CVT] a search in a tree of its cells.
type MAPElites struct {
	// Measures span the behaviour space; at least one is needed.
	Measures []Measure `yaml:"measures,required" doc:"metrics that span the behaviour space"`
	// CVT replaces the grid by a given number of cells of about equal size, for
	// three and more measures; nil means a grid.
	CVT *CVT `yaml:"cvt" doc:"cells of a centroidal Voronoi tessellation instead of a grid"`
	// Initial is how many random designs come first; 0 means 50, or a tenth of
	// the budget if that is less, but at least 5.
	Initial int `yaml:"initial" min:"0" max:"1000000000" doc:"random designs that come first; 0 means 50, or a tenth of a smaller budget"`
	// Batch is how many proposals the study may take at once; 0 means 16, or a
	// fiftieth of the budget if that is less, but at least 1.
	Batch int `yaml:"batch" min:"0" max:"1000000" doc:"proposals to evaluate at once; 0 means 16, or a fiftieth of a smaller budget"`
	// Crossover is the probability of crossing two elites before the change;
	// 0 means 0.5.
	Crossover float64 `yaml:"crossover" default:"0.5" min:">0" max:"1" doc:"probability of crossing two elites before the change"`
	// Edits is how many decisions the change concerns; 0 means 1.
	Edits int `yaml:"edits" default:"1" min:"1" max:"1000000" doc:"decisions that change"`
	// Sigma is the standard deviation of a change to a number, as a share of
	// its range; 0 means 0.1.
	Sigma float64 `yaml:"sigma" default:"0.1" min:">0" max:"1" doc:"standard deviation of a step on a number, as a share of its range"`
	// Line is the probability of moving an elite along the line to another one,
	// by a fifth of the way times a normal deviate, and by noise of a hundredth of
	// the range (Vassiliades and Mouret 2018), instead of the variations above. It
	// suits spaces of numbers, and needs one without grammars; 0 means 0.5 where
	// every parameter is a real number, and never elsewhere.
	Line float64 `yaml:"line" min:"0" max:"1" doc:"probability of moving along the line to another elite instead; 0 means 0.5 in a space of real numbers, and never elsewhere"`
}

// A Measure is one axis of the behaviour space.
type Measure struct {
	Metric string  `yaml:"metric,required" doc:"name of a measured or estimated metric"`
	Low    float64 `yaml:"low" doc:"where the first cell begins"`
	High   float64 `yaml:"high" doc:"where the last cell ends; values beyond the range count to the nearest cell"`
	// Cells is the number of equal parts; 0 means 10. A CVT ignores it.
	Cells int `yaml:"cells" default:"10" min:"1" max:"67108864" doc:"equal parts of the range; ignored with cvt"`
}

// CVT asks for cells of a centroidal Voronoi tessellation, whose number does not
// grow with the number of measures (Vassiliades, Chatzilygeroudis and Mouret,
// 2018).
type CVT struct {
	Cells   int `yaml:"cells" default:"1000" min:"1" max:"1000000" doc:"cells"` // 0 means 1000
	Samples int `yaml:"samples" min:"0" max:"100000000" doc:"random points that place the cells; 0 means 50 a cell and at most 100,000"`
}

// An Archiver is a searcher that keeps an archive.
type Archiver interface {
	// Archive returns the archive itself; it must not be changed and grows
	// with the next Tell. Its objective is the loss with its sign turned: the
	// metric itself where that is maximised.
	Archive() metric.Archive[Entry]

	// Measures returns the axes of the archive.
	Measures() []Measure
}

// An Entry is what the archive keeps of a trial.
type Entry struct {
	ID     int64 // of the proposal, or of the foreign outcome
	Design space.Design
}

// New makes a searcher. It works on every space, with or without limits, but
// for one objective only.
func (o MAPElites) New(setup search.Setup) (search.Searcher, error) {
	s, err := o.start("map-elites", setup)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// start is New for the methods of this package that build on an archive.
func (o MAPElites) start(method string, setup search.Setup) (*mapElites, error) {
	var errs []error
	fail := func(field string, found any, want string) {
		errs = append(errs, fmt.Errorf("%s: %s: found %v, want %s", method, field, found, want))
	}
	if setup.Space == nil {
		fail("space", "none", "a space to search")
	}
	if setup.Objectives > 1 {
		fail("objectives", setup.Objectives, "one, which says what is best within a cell; make the others measures, or use mome or nsga2")
	}
	if len(o.Measures) == 0 {
		fail("measures", "none", "at least one, such as {metric: params_m, low: 0, high: 10, cells: 20}")
	}
	o.Measures = slices.Clone(o.Measures)
	for i := range o.Measures {
		m := &o.Measures[i]
		m.Cells = cmp.Or(m.Cells, 10)
		if m.Metric == "" {
			fail(fmt.Sprintf("measures[%d].metric", i), "nothing", "the name of a metric")
		}
		if slices.ContainsFunc(o.Measures[:i], func(e Measure) bool { return e.Metric == m.Metric }) {
			fail(fmt.Sprintf("measures[%d].metric", i), m.Metric+" again", "metrics that differ")
		}
	}
	if o.Initial < 0 {
		fail("initial", o.Initial, "at least 1, or 0 for the default")
	}
	if o.Batch < 0 {
		fail("batch", o.Batch, "at least 1, or 0 for the default")
	}
	if !(o.Crossover >= 0 && o.Crossover <= 1) {
		fail("crossover", o.Crossover, "a probability above 0, or 0 for 0.5")
	}
	if o.Edits < 0 {
		fail("edits", o.Edits, "at least 1, or 0 for 1")
	}
	if !(o.Sigma >= 0 && o.Sigma <= 1) {
		fail("sigma", o.Sigma, "a number above 0 and at most 1, or 0 for 0.1")
	}
	if !(o.Line >= 0 && o.Line <= 1) {
		fail("line", o.Line, "a probability")
	}
	if o.Line == 0 && setup.Space != nil && real(setup.Space) {
		o.Line = 0.5
	}
	var g *genome.Genome
	if o.Line > 0 && setup.Space != nil {
		var err error
		if g, err = genome.New(setup.Space, genome.Categories); err != nil {
			errs = append(errs, fmt.Errorf("%s: line: %w", method, err))
		}
	}
	if c := o.CVT; c != nil && (c.Cells < 0 || c.Cells > 1e6 || c.Samples < 0 || c.Samples > 1e8) {
		fail("cvt", *c, "at most 1000000 cells and 100000000 samples, or 0 for the defaults")
	}
	var archive metric.Archive[Entry]
	if len(o.Measures) > 0 && len(errs) == 0 {
		var err error
		if archive, err = o.newArchive(method, setup.Seed); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	o.Initial = cmp.Or(o.Initial, share(setup.Budget, 10, 5, 50))
	o.Batch = cmp.Or(o.Batch, share(setup.Budget, 50, 1, 16))
	o.Crossover = cmp.Or(o.Crossover, 0.5)
	r := rng.New(setup.Seed, "illuminate/"+method, 0)
	m := &mapElites{
		MAPElites: o, method: method, space: setup.Space, archive: archive, rand: r, fresh: fresh.New(setup.Space, r),
		ledger: search.NewLedger(setup), admit: setup.Admit, line: newLiner(g, setup.Seed), at: make([]float64, len(o.Measures)),
	}
	m.pick = func() (Entry, bool) { return archive.Sample(r) }
	return m, nil
}

// NewArchive makes the empty archive that a searcher with these options and this
// seed begins with. Whoever reads a finished study fills it again with the
// outcomes: see [Archiver] for what its objective is.
func (o MAPElites) NewArchive(seed uint64) (a metric.Archive[Entry], err error) {
	return o.newArchive("map-elites", seed)
}

func (o MAPElites) newArchive(method string, seed uint64) (a metric.Archive[Entry], err error) {
	axes := make([]metric.Axis, len(o.Measures))
	for i, m := range o.Measures {
		axes[i] = metric.Axis{Name: m.Metric, Low: m.Low, High: m.High, Cells: cmp.Or(m.Cells, 10)}
	}
	if o.CVT != nil {
		a, err = metric.NewCVT[Entry](metric.CVTConfig{Axes: axes, Cells: o.CVT.Cells, Samples: o.CVT.Samples}, rng.New(seed, "illuminate/cvt", 0))
	} else {
		a, err = metric.NewGrid[Entry](axes...)
	}
	if err != nil { // it names the axis and says what is wrong with it
		return nil, fmt.Errorf("%s: measures: %w", method, err)
	}
	return a, nil
}

// share returns the given part of the budget within [lo, hi]; hi if the budget
// is unknown.
func share(budget int64, part, lo, hi int) int {
	if budget <= 0 || budget/int64(part) >= int64(hi) {
		return hi
	}
	return max(int(budget/int64(part)), lo)
}

type mapElites struct {
	MAPElites
	method  string
	space   *space.Space
	admit   func(space.Design) bool
	line    *liner
	pick    func() (Entry, bool) // a random elite
	held    bool                 // there is one
	archive metric.Archive[Entry]
	rand    *rand.Rand
	fresh   *fresh.Source
	ledger  search.Ledger
	asked   int       // proposals so far
	foreign int       // useful outcomes of other origin: they stand for random designs
	near    []reserve // the least infeasible designs, by violation
	at      []float64 // buffer: measures of one outcome

	placed   bool // some outcome had all measures
	unplaced int  // useful outcomes before that
	missing  string
}

type reserve struct {
	Entry
	violation float64
}

// reserveSize is how many infeasible designs are bred from while no feasible one
// is known.
const reserveSize = 20

// breedTries bounds how often a child is bred anew because it was proposed
// before.
const breedTries = 50

// Batch returns how many proposals may be evaluated at once.
func (s *mapElites) Batch() int { return s.MAPElites.Batch }

// Archive implements [Archiver].
func (s *mapElites) Archive() metric.Archive[Entry] { return s.archive }

// Measures implements [Archiver].
func (s *mapElites) Measures() []Measure { return slices.Clone(s.MAPElites.Measures) }

func (s *mapElites) Ask(n int) ([]search.Proposal, error) {
	if err := s.lost(); err != nil {
		return nil, err
	}
	n = max(n, 1)
	out := make([]search.Proposal, 0, min(n, 1<<16))
	for range n {
		p, err := s.propose()
		if err != nil {
			if len(out) > 0 {
				break // the next Ask meets the error again
			}
			return nil, err
		}
		s.asked++
		out = append(out, p)
	}
	return out, nil
}

// lost says that no outcome has the measures, if that is so.
func (s *mapElites) lost() error {
	if !s.placed && s.unplaced >= s.Initial {
		return errors.New(s.missing)
	}
	return nil
}

func (s *mapElites) propose() (search.Proposal, error) {
	if s.asked+s.foreign < s.Initial || !s.breeds() {
		return s.random()
	}
	change := space.Mutation{Sites: s.Edits, Sigma: s.Sigma}
	var d space.Design
	var a Entry
	for range breedTries {
		if s.line != nil && s.rand.Float64() < s.Line {
			a = s.elite()
			b := s.elite()
			if child, err := s.line.between(a.Design, b.Design); err == nil && s.wanted(child) {
				return s.ledger.Propose(child, "line", a.ID, b.ID), nil
			}
			continue
		}
		a = s.elite()
		d = a.Design
		b, crossed := Entry{}, false
		if s.rand.Float64() < s.Crossover {
			if b = s.elite(); b.ID != a.ID {
				d, crossed = s.space.Cross(s.rand, a.Design, b.Design, space.Crossover{}), true
			}
		}
		d = s.space.Mutate(s.rand, d, change)
		if !s.wanted(d) {
			continue
		}
		if crossed {
			return s.ledger.Propose(d, "cross+mutate", a.ID, b.ID), nil
		}
		return s.ledger.Propose(d, "mutate", a.ID), nil
	}
	// All around the elites is known: walk away from one, an edit at a time.
	for range breedTries {
		if d = s.space.Mutate(s.rand, d, change); s.wanted(d) {
			return s.ledger.Propose(d, "mutate", a.ID), nil
		}
	}
	return s.random()
}

// breeds reports whether there is something to breed from.
func (s *mapElites) breeds() bool { return s.held || len(s.near) > 0 }

// wanted reports whether a design is new and may meet the limits.
func (s *mapElites) wanted(d space.Design) bool {
	return !s.ledger.Seen(d) && (s.admit == nil || s.admit(d))
}

func (s *mapElites) random() (search.Proposal, error) {
	if s.asked == 0 {
		if d, ok := middle(s.space); ok && s.wanted(d) {
			return s.ledger.Propose(d, "middle"), nil
		}
	}
	d, err := s.fresh.Next(func(d space.Design) bool { return !s.wanted(d) })
	if err != nil {
		return search.Proposal{}, err
	}
	return s.ledger.Propose(d, "random"), nil
}

// elite draws an elite, or while there is none one of the least infeasible.
func (s *mapElites) elite() Entry {
	if e, ok := s.pick(); ok {
		return e
	}
	return s.near[s.rand.IntN(len(s.near))].Entry
}

func (s *mapElites) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		if o := &outcomes[i]; s.ledger.Accept(o) {
			s.take(o)
		}
	}
}

// take adds an accepted outcome to the archive. It reports what the archive said,
// and whether the outcome was one for it, with its measures in s.at.
func (s *mapElites) take(o *search.Outcome) (status metric.Status, placed bool) {
	if !o.Usable() || len(o.Score.Loss) != 1 || o.Design.Space() != s.space {
		return metric.Rejected, false
	}
	if o.ID < 0 {
		s.foreign++
	}
	if !o.Score.Feasible() {
		s.keepNear(o)
		return metric.Rejected, false
	}
	if !s.measure(o) {
		return metric.Rejected, false
	}
	status = s.archive.Add(0-o.Score.Loss[0], s.at, Entry{ID: o.ID, Design: o.Design})
	s.held = s.archive.Len() > 0
	return status, true
}

// measure reads the measures of an outcome into s.at. It reports false if one is
// missing, and remembers why if none was ever complete: most likely its name is
// wrong.
func (s *mapElites) measure(o *search.Outcome) bool {
	for k := range s.MAPElites.Measures {
		name := s.MAPElites.Measures[k].Metric
		x, ok := o.Values[name]
		if !ok {
			if s.unplaced++; s.missing == "" {
				have := slices.Sorted(maps.Keys(o.Values))
				s.missing = fmt.Sprintf("%s: measure %q: no outcome so far has it; measured are: %s", s.method, name, cmp.Or(strings.Join(have, ", "), "no metrics"))
			}
			return false
		}
		s.at[k] = x
	}
	s.placed = true
	return true
}

// keepNear keeps an infeasible design if it is among the least infeasible.
func (s *mapElites) keepNear(o *search.Outcome) {
	if s.held {
		s.near = nil
		return
	}
	k, _ := slices.BinarySearchFunc(s.near, o.Score.Violation, func(e reserve, v float64) int {
		return cmp.Or(cmp.Compare(e.violation, v), 1) // the newest first of equals
	})
	if k >= reserveSize {
		return
	}
	if len(s.near) == reserveSize {
		s.near = s.near[:reserveSize-1]
	}
	s.near = slices.Insert(s.near, k, reserve{Entry{o.ID, o.Design}, o.Score.Violation})
}

// middle returns the design in the middle of a space that has coordinates.
func middle(sp *space.Space) (space.Design, bool) {
	dims, err := sp.Dims()
	if err != nil {
		return space.Design{}, false
	}
	u := make([]float64, dims)
	for i := range u {
		u[i] = 0.5
	}
	d, err := sp.FromUnit(u)
	return d, err == nil
}

// real reports whether every parameter of a space is a real number.
func real(sp *space.Space) bool {
	for _, p := range sp.Params() {
		if p.Kind != space.KindFloat || p.N > 0 {
			return false
		}
	}
	return true
}
