package fidelity

import (
	"errors"
	"fmt"
	"math"
	"sort"

	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/sample"
)

// HalvingGrid is a grid whose points are measured with the least effort first;
// the best one in Eta goes on to the next rung, until the last are measured in
// full (successive halving of a grid, as in scikit-learn's HalvingGridSearchCV).
// It is [SuccessiveHalving] of the points of [sample.Grid].
//
// The first round begins with the whole grid. If a known budget is too small for
// that, it begins with as many points as the budget can take to the end, a fair
// sample of the grid, and further rounds with the points that are left as far as
// the budget goes. When all points had their turn, Ask returns
// [search.ErrExhausted].
type HalvingGrid struct {
	// Levels is how many points stand on the range of a number, as for
	// [sample.Grid]; 0 means 5.
	Levels int `yaml:"levels" default:"5" min:"1" max:"1048576" doc:"points on the range of a real number, and of a whole number with more than ten values"`

	// Designs is how many points begin a round. 0 means the whole grid, or what
	// the budget can take to the end. If the budget is not known and the grid has
	// more than 4,096 points, it means as many as leave one to be measured in full.
	Designs int `yaml:"designs" default:"0" min:"0" doc:"points that begin a round; 0 means the whole grid, or as many as the budget can take to the end"`

	// Eta, Min, Finals and Spread are those of [Options].
	Eta    float64 `yaml:"eta" default:"3" min:">1" max:"1000" doc:"factor between rungs; one design in eta is promoted"`
	Min    float64 `yaml:"min" default:"0" min:"0" doc:"amount of the lowest rung, in the problem's unit; 0 means the least there is"`
	Finals int     `yaml:"finals" default:"0" min:"-1" doc:"full evaluations of the best at the end of the budget; 0 means 1, or a twentieth of the budget for several objectives; -1 means none"`
	Spread string  `yaml:"spread" default:"crowding" oneof:"crowding hypervolume" doc:"which designs of a front that is cut are promoted, with several objectives"`
}

// maxWhole is the largest grid that is begun as a whole whatever it costs.
const maxWhole = 4096

// New makes a searcher, for problems with fidelities. It accepts every space that
// [sample.Grid] does, any number of objectives, and limits.
func (o HalvingGrid) New(setup search.Setup) (search.Searcher, error) {
	options := Options{Eta: o.Eta, Min: o.Min, Finals: o.Finals, Spread: o.Spread}
	b, err := options.prepare("halving-grid", setup, func(b *books) (source, error) { return newLattice(b, o.Levels) })
	if o.Designs < 0 {
		err = errors.Join(err, fmt.Errorf("halving-grid: designs: found %d, want at least 1, or 0 for the default", o.Designs))
	}
	if err != nil {
		return nil, err
	}
	n := o.Designs
	if n == 0 {
		if n, err = o.whole(b); err != nil {
			return nil, err
		}
	}
	return &halving{books: b, plan: func(int) (int, int) { return 0, n }}, nil
}

// whole returns the points of the grid, or fewer if that is too much.
func (o HalvingGrid) whole(b *books) (int, error) {
	most := maxWhole + 1
	known := b.setup.Budget > 0 || b.setup.Effort > 0
	if known {
		most = sort.Search(maxAffordable, func(n int) bool { return !b.affords(n + 1) })
	}
	counter, err := newLattice(b, o.Levels)
	if err != nil {
		return 0, err
	}
	n := 0
	for n < most {
		_, err := counter.next()
		if errors.Is(err, search.ErrExhausted) {
			return max(n, 1), nil
		} else if err != nil {
			return 0, fmt.Errorf("halving-grid: %w", err)
		}
		n++
	}
	if !known {
		n = int(math.Ceil(b.leaveOne() - 1e-6))
	}
	return max(n, 1), nil
}

// maxAffordable bounds the points that begin a round.
const maxAffordable = 1 << 20

// affords reports whether a round of n designs and the last evaluations fit into
// the budget.
func (b *books) affords(n int) bool {
	trials, effort := b.finals, float64(b.finals)
	from := 0.0
	for rung, level := range b.levels {
		if rung > 0 {
			n = max(b.quota(rung-1, n), 1)
		}
		trials += n
		effort += float64(float64(n) * b.setup.Fidelity.Cost(from, level))
		from = level
	}
	return (b.setup.Budget == 0 || int64(trials) <= b.setup.Budget) && (b.setup.Effort == 0 || effort <= b.setup.Effort+1e-9)
}

// leaveOne returns how many designs leave one to be measured in full.
func (b *books) leaveOne() float64 {
	product := 1.0
	for _, r := range b.ratios {
		product *= r
	}
	return product
}

// lattice is the source of HalvingGrid: the points of a grid in random order.
type lattice struct {
	b    *books
	grid search.Searcher
}

func newLattice(b *books, levels int) (source, error) {
	g, err := sample.Grid{Levels: levels}.New(inner(b.setup))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.name, err)
	}
	return &lattice{b, g}, nil
}

// maxInadmissible bounds the points in a row that are passed over because they
// cannot meet the limits.
const maxInadmissible = 100_000

func (l *lattice) next() (fresh, error) {
	for passed := 0; ; passed++ {
		ps, err := l.grid.Ask(1)
		if err != nil {
			return fresh{}, err
		}
		d := ps[0].Design
		if l.b.taken(d) || l.b.setup.Admit != nil && passed < maxInadmissible && !l.b.setup.Admit(d) {
			continue
		}
		return fresh{design: d, operator: "grid"}, nil
	}
}

func (*lattice) bind(int64, int64)                           {}
func (*lattice) tell(*candidate, int, bool, *search.Outcome) {}
func (*lattice) foreign(*candidate, int, *search.Outcome)    {}
