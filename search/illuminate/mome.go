package illuminate

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
)

// MOME is multi-objective MAP-Elites (Pierrot, Richard, Beguir and Cully 2022,
// Multi-objective quality diversity optimization): every cell of the behaviour
// space holds a front instead of one elite, so that it shows which compromises are
// possible for each kind of design. It works on every space and any number of
// objectives.
//
// A parent is drawn uniformly from a uniformly drawn occupied cell, and varied as
// in [MAPElites]. A front that grows beyond Front designs loses the most crowded
// one (Deb et al. 2002), never one that is best in some objective; the paper drops
// a random one.
//
// The fronts hold feasible designs only. While there is none, the designs that
// miss the limits least are bred from. A tell costs O(Front) comparisons, and
// O(Front²) where a front overflows.
type MOME struct {
	// Measures span the behaviour space; at least one is needed.
	Measures []Measure `yaml:"measures,required" doc:"metrics that span the behaviour space"`
	// CVT replaces the grid by a given number of cells of about equal size.
	CVT *CVT `yaml:"cvt" doc:"cells of a centroidal Voronoi tessellation instead of a grid"`
	// Front is the most designs that a cell holds; 0 means 50.
	Front int `yaml:"front" default:"50" min:"1" max:"10000" doc:"most designs of a cell's front"`
	// Initial is how many random designs come first; 0 means 50, or a tenth of
	// the budget if that is less, but at least 5.
	Initial int `yaml:"initial" min:"0" max:"1000000000" doc:"random designs that come first; 0 means 50, or a tenth of a smaller budget"`
	// Batch is how many proposals the study may take at once; 0 means 16, or a
	// fiftieth of the budget if that is less, but at least 1.
	Batch int `yaml:"batch" min:"0" max:"1000000" doc:"proposals to evaluate at once; 0 means 16, or a fiftieth of a smaller budget"`
	// Crossover, Edits, Sigma and Line are those of [MAPElites].
	Crossover float64 `yaml:"crossover" default:"0.5" min:">0" max:"1" doc:"probability of crossing two elites before the change"`
	Edits     int     `yaml:"edits" default:"1" min:"1" max:"1000000" doc:"decisions that change"`
	Sigma     float64 `yaml:"sigma" default:"0.1" min:">0" max:"1" doc:"standard deviation of a step on a number, as a share of its range"`
	Line      float64 `yaml:"line" default:"0" min:"0" max:"1" doc:"probability of moving along the line to another elite instead, for spaces of numbers"`
}

// A FrontArchiver is a searcher that keeps a front in every cell.
type FrontArchiver interface {
	// Fronts yields the occupied cells in order, each with its front. The slices
	// must not be changed and hold until the next Tell.
	Fronts() iter.Seq2[int, []FrontEntry]

	// Cells is the number of cells, Occupied that of those with a design.
	Cells() int
	Occupied() int

	// QDScore sums the hypervolumes of the fronts with respect to a reference
	// point of losses: the MOQD score of the paper.
	QDScore(ref []float64) float64

	// Measures returns the axes of the archive.
	Measures() []Measure
}

// A FrontEntry is one design of a cell's front.
type FrontEntry struct {
	Entry
	Loss     []float64
	Measures []float64
}

// New makes a searcher. It works on every space and any number of objectives,
// with or without limits.
func (o MOME) New(setup search.Setup) (search.Searcher, error) {
	var errs []error
	if o.Front < 0 || o.Front > 10_000 {
		errs = append(errs, fmt.Errorf("mome: front: found %d, want 1 to 10000, or 0 for 50", o.Front))
	}
	objectives := max(setup.Objectives, 1)
	setup.Objectives = 1
	base, err := MAPElites{
		Measures: o.Measures, CVT: o.CVT, Initial: o.Initial, Batch: o.Batch, Crossover: o.Crossover, Edits: o.Edits, Sigma: o.Sigma, Line: o.Line,
	}.start("mome", setup)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	s := &mome{base: base, objectives: objectives, front: cmp.Or(o.Front, 50), slot: make([]int32, base.archive.Cells())}
	base.pick = s.draw
	return s, nil
}

type mome struct {
	base       *mapElites // proposes, and knows the cells; its archive stays empty
	objectives int
	front      int
	slot       []int32 // by cell: slot + 1, or 0 when empty
	fronts     [][]FrontEntry
	points     []float64
	dist       []float64
	index      []int32
}

// Batch implements [search.Batcher], Measures [FrontArchiver].
func (s *mome) Batch() int          { return s.base.Batch() }
func (s *mome) Measures() []Measure { return s.base.Measures() }

func (s *mome) Ask(n int) ([]search.Proposal, error) { return s.base.Ask(n) }

// draw returns a random design of a random occupied cell.
func (s *mome) draw() (Entry, bool) {
	if len(s.fronts) == 0 {
		return Entry{}, false
	}
	f := s.fronts[s.base.rand.IntN(len(s.fronts))]
	return f[s.base.rand.IntN(len(f))].Entry, true
}

// Cells, Occupied and Fronts implement [FrontArchiver].
func (s *mome) Cells() int    { return len(s.slot) }
func (s *mome) Occupied() int { return len(s.fronts) }

func (s *mome) Fronts() iter.Seq2[int, []FrontEntry] {
	return func(yield func(int, []FrontEntry) bool) {
		for cell, k := range s.slot {
			if k > 0 && !yield(cell, s.fronts[k-1]) {
				return
			}
		}
	}
}

// QDScore implements [FrontArchiver].
func (s *mome) QDScore(ref []float64) float64 {
	sum := 0.0
	for _, f := range s.Fronts() {
		points := make([]float64, 0, len(f)*s.objectives)
		for i := range f {
			points = append(points, f[i].Loss...)
		}
		sum += metric.Hypervolume(points, s.objectives, ref)
	}
	return sum
}

func (s *mome) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		o := &outcomes[i]
		if !s.base.ledger.Accept(o) || !o.Usable() || len(o.Score.Loss) != s.objectives || o.Design.Space() != s.base.space {
			continue
		}
		if o.ID < 0 {
			s.base.foreign++
		}
		if !o.Score.Feasible() {
			s.base.keepNear(o)
			continue
		}
		if !s.base.measure(o) {
			continue
		}
		if cell, ok := s.base.archive.Cell(s.base.at); ok {
			s.insert(cell, o)
			s.base.held, s.base.near = true, nil
		}
	}
}

// insert offers a feasible outcome to the front of a cell.
func (s *mome) insert(cell int, o *search.Outcome) {
	k := int(s.slot[cell]) - 1
	if k < 0 {
		k = len(s.fronts)
		s.slot[cell] = int32(k + 1)
		s.fronts = append(s.fronts, nil)
	}
	f := s.fronts[k]
	for i := range f {
		if noWorse(f[i].Loss, o.Score.Loss) {
			return
		}
	}
	f = slices.DeleteFunc(f, func(e FrontEntry) bool { return noWorse(o.Score.Loss, e.Loss) })
	f = append(f, FrontEntry{
		Entry: Entry{ID: o.ID, Design: o.Design}, Loss: slices.Clone(o.Score.Loss), Measures: slices.Clone(s.base.at),
	})
	if len(f) > s.front {
		f = s.thin(f)
	}
	s.fronts[k] = f
}

// noWorse reports whether a is at least as good as b in every objective.
func noWorse(a, b []float64) bool {
	for i, x := range a {
		if x > b[i] {
			return false
		}
	}
	return true
}

// thin drops the most crowded design of a front, the youngest of equals.
func (s *mome) thin(f []FrontEntry) []FrontEntry {
	s.points, s.index = s.points[:0], s.index[:0]
	for i := range f {
		s.points = append(s.points, f[i].Loss...)
		s.index = append(s.index, int32(i))
	}
	s.dist = metric.CrowdingDistance(s.points, s.objectives, s.index, s.dist)
	worst := len(f) - 1
	for i, d := range s.dist[:len(f)] {
		if d < s.dist[worst] {
			worst = i
		}
	}
	return slices.Delete(f, worst, worst+1)
}

// NewArchive makes an empty archive with the cells of a searcher with these
// options and this seed; it says which cell measures fall into.
func (o MOME) NewArchive(seed uint64) (metric.Archive[Entry], error) {
	return MAPElites{Measures: o.Measures, CVT: o.CVT}.newArchive("mome", seed)
}

var _ FrontArchiver = (*mome)(nil)
