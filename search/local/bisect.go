package local

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/fresh"
	"github.com/daedalus-search/daedalus/space"
)

// Bisection finds how many parameters can be pushed before a limit breaks, in
// the order of how much that costs: bits of layers, pruning levels, approximate
// units. It is how mixed precision is assigned from sensitivities.
//
// Each parameter is an ordered list of levels, the first one safe and each
// further one cheaper. All start at the first. For the second level the
// parameters are sorted by sensitivity, and the search bisects for the largest
// k whose k least sensitive parameters may stand there within the limits, in
// log2 n evaluations. Those that may are tried at the third level, and so on.
// As limits are not always monotone in k, the two values on each side of what
// was found are tried too.
//
// Sensitivity is Order, if given. Otherwise it is measured, as the change of a
// metric when that parameter alone is pushed; with Pairs, what two together
// change beyond the sum of both is measured as well, and the order is built one
// by one, each next parameter being the cheapest beside those already chosen.
//
// When the plan is done, designs are drawn at random, so that a space of up to
// 65,536 designs ends with [search.ErrExhausted]. While the next step waits for
// a result, both steps that could follow it are proposed, then random designs.
// An ask costs time proportional to the square of the number of parameters.
type Bisection struct {
	// Order names the parameters from the least sensitive on; none means to
	// measure it. Parameters that it leaves out stay at their first level.
	Order []string `yaml:"order" doc:"parameters, the least sensitive first; none means to measure it"`
	// Metric is what the measured order goes by; "" means the loss of the first
	// objective.
	Metric string `yaml:"metric" doc:"metric whose change is a parameter's sensitivity; none means the first objective"`
	// Pairs measures what pairs of parameters do together, n(n−1)/2 evaluations.
	Pairs bool `yaml:"pairs" doc:"measure pairs of parameters too, n(n-1)/2 more evaluations"`
}

// New implements [search.Method]. It accepts spaces whose parameters are all
// ordinals, whole numbers, booleans or categoricals at the top, without
// constraints; questions with limits; any number of objectives.
func (m Bisection) New(setup search.Setup) (search.Searcher, error) {
	if setup.Space == nil {
		return nil, errNoSpace
	}
	var errs []error
	if !setup.Limits {
		errs = append(errs, errors.New("search: bisection: found no limits, want at least one that says how far parameters may be pushed"))
	}
	params := setup.Space.Params()
	for _, p := range params {
		switch p.Kind {
		case space.KindOrdinal, space.KindInt, space.KindBool, space.KindCategorical:
			if p.N > 0 {
				continue
			}
		}
		errs = append(errs, fmt.Errorf("search: bisection: parameter %q is a %v, want ordinals, whole numbers, booleans and categoricals at the top of the space, their levels from safe to cheap", p.Path, p.Kind))
	}
	var order []int
	for _, name := range m.Order {
		i := slices.IndexFunc(params, func(p *space.Param) bool { return p.Path == name })
		if i < 0 {
			errs = append(errs, fmt.Errorf("search: bisection: order: found %q, want a parameter of the space", name))
		}
		if slices.Contains(order, i) {
			errs = append(errs, fmt.Errorf("search: bisection: order: found %q twice", name))
		}
		order = append(order, i)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s := &bisection{
		Bisection: m, Ledger: search.NewLedger(setup), judge: newJudge(setup), space: setup.Space, order: order,
		source: fresh.New(setup.Space, rng.New(setup.Seed, "local/start", 0)),
		known:  map[any]finding{}, key: setup.Key,
	}
	for _, p := range params {
		s.levels = append(s.levels, p.N)
	}
	dims, err := setup.Space.Dims()
	if err == nil && dims != len(params) {
		err = fmt.Errorf("%d coordinates for %d parameters", dims, len(params))
	}
	if err != nil {
		return nil, fmt.Errorf("search: bisection needs one coordinate a parameter: %w", err)
	}
	if _, err := s.design(make([]int, len(params))); err != nil {
		return nil, fmt.Errorf("search: bisection: with every parameter at its first level: %w", err)
	}
	return s, nil
}

type bisection struct {
	search.Ledger
	Bisection
	judge
	space  *space.Space
	levels []int
	order  []int
	source *fresh.Source
	known  map[any]finding // by design, or by its key
	key    func(space.Design) string
}

// A finding is what the plan needs to know of a design.
type finding struct {
	within bool    // it keeps all limits
	value  float64 // of the metric; NaN if it has none
}

// design returns the design of a level for each parameter.
func (s *bisection) design(level []int) (space.Design, error) {
	d := map[string]any{}
	for i, p := range s.space.Params() {
		switch p.Kind {
		case space.KindInt:
			d[p.Path] = p.Number(level[i])
		case space.KindBool:
			d[p.Path] = level[i] == 1
		default:
			d[p.Path] = p.Labels[level[i]]
		}
	}
	return s.space.FromMap(d)
}

// name returns what equal designs have in common.
func (s *bisection) name(d space.Design) any {
	if s.key != nil {
		return s.key(d)
	}
	return d
}

// errWants says that the plan cannot go on without the result of a design.
type errWants struct{ design space.Design }

func (errWants) Error() string { return "a result is needed" }

// plan follows the plan as far as results are known, guess standing in for
// those of one design. It returns errWants if it needs another, nil at its end.
func (s *bisection) plan(pending space.Design, guess *finding) error {
	look := func(level []int) (finding, error) {
		d, err := s.design(level)
		if err != nil {
			return finding{within: false, value: math.NaN()}, nil // a constraint forbids it
		}
		if f, ok := s.known[s.name(d)]; ok {
			return f, nil
		}
		if guess != nil && d == pending {
			return *guess, nil
		}
		return finding{}, errWants{d}
	}
	n := len(s.levels)
	level := make([]int, n)
	base, err := look(level)
	if err != nil {
		return err
	}
	order := s.order
	if len(order) == 0 {
		if order, err = s.measure(base.value, look); err != nil {
			return err
		}
	}
	for stage := 1; len(order) > 0; stage++ {
		var row []int // parameters that have this level
		for _, i := range order {
			if stage < s.levels[i] {
				row = append(row, i)
			}
		}
		pushed := func(k int) []int {
			out := slices.Clone(level)
			for _, i := range row[:k] {
				out[i] = stage
			}
			return out
		}
		lo, hi := 0, len(row) // lo is within the limits, or nothing is; hi+1 is not
		for lo < hi {
			mid := (lo + hi + 1) / 2
			f, err := look(pushed(mid))
			if err != nil {
				return err
			}
			if f.within {
				lo = mid
			} else {
				hi = mid - 1
			}
		}
		found := lo
		for k := max(lo-2, 0); k <= min(lo+2, len(row)); k++ {
			f, err := look(pushed(k))
			if err != nil {
				return err
			}
			if f.within && k > found {
				found = k
			}
		}
		level, order = pushed(found), row[:found]
	}
	return nil
}

// measure sorts the parameters by sensitivity.
func (s *bisection) measure(base float64, look func([]int) (finding, error)) ([]int, error) {
	n := len(s.levels)
	alone := func(pushed ...int) (float64, error) {
		level := make([]int, n)
		for _, i := range pushed {
			level[i] = 1
		}
		f, err := look(level)
		change := math.Abs(f.value - base)
		if math.IsNaN(change) {
			change = math.Inf(1) // what cannot be measured comes last
		}
		return change, err
	}
	var rest []int
	cost := make([]float64, n)
	for i := range n {
		if s.levels[i] < 2 {
			continue
		}
		var err error
		if cost[i], err = alone(i); err != nil {
			return nil, err
		}
		rest = append(rest, i)
	}
	slices.SortStableFunc(rest, func(a, b int) int { return cmp.Compare(cost[a], cost[b]) })
	if !s.Pairs {
		return rest, nil
	}
	single := slices.Clone(cost)
	together := make([]float64, n*n)
	for a, i := range rest {
		for _, j := range rest[:a] {
			both, err := alone(i, j)
			if err != nil {
				return nil, err
			}
			if x := both - single[i] - single[j]; !math.IsNaN(x) {
				together[i*n+j], together[j*n+i] = x, x
			}
		}
	}
	order := make([]int, 0, len(rest))
	for len(rest) > 0 {
		k := 0
		for a, i := range rest {
			if cost[i] < cost[rest[k]] {
				k = a
			}
		}
		next := rest[k]
		order = append(order, next)
		rest = slices.Delete(rest, k, k+1)
		for _, i := range rest {
			cost[i] += together[i*n+next]
		}
	}
	return order, nil
}

func (s *bisection) Ask(n int) ([]search.Proposal, error) { return search.Each(n, s.next) }

func (s *bisection) next() (search.Proposal, error) {
	var want errWants
	if errors.As(s.plan(space.Design{}, nil), &want) {
		if !s.Seen(want.design) {
			return s.Propose(want.design, "bisect"), nil
		}
		// It is being evaluated: whatever comes, one of two steps follows.
		pending := want.design
		for _, guess := range []finding{{within: true, value: math.NaN()}, {within: false, value: math.NaN()}} {
			if errors.As(s.plan(pending, &guess), &want) && !s.Seen(want.design) {
				return s.Propose(want.design, "bisect"), nil
			}
		}
	}
	d, err := s.source.Next(s.Seen)
	if err != nil {
		return search.Proposal{}, err
	}
	return s.Propose(d, "random"), nil
}

func (s *bisection) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		o := &outcomes[i]
		if !s.Accept(o) {
			continue
		}
		x := s.read(o)
		f := finding{within: x.ok && x.violation == 0, value: math.NaN()}
		switch v, ok := o.Values[s.Metric]; {
		case ok:
			f.value = v
		case s.Metric == "" && x.ok && s.objectives == 1:
			f.value = x.loss
		case s.Metric == "" && x.ok:
			f.value = x.losses[0]
		}
		s.known[s.name(o.Design)] = f
	}
}
