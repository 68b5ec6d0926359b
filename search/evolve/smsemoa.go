package evolve

import (
	"cmp"
	"errors"
	"slices"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
)

// SMSEMOA is SMS-EMOA (Beume, Naujoks and Emmerich, "SMS-EMOA: multiobjective
// selection based on dominated hypervolume", 2007): whenever one more design is
// known than the population is large, the one goes that adds least. Of several
// fronts it is of the last, and there the one that alone dominates the least
// hypervolume. For two to four objectives and small populations it gives the
// best fronts of the methods here by their hypervolume.
//
// Volumes are measured from a reference point beyond the worst of the front by
// its range, which follows the front; with two objectives the ends always stay.
// They are exact up to four objectives; beyond, they are estimated from the same
// 1,000 random points for all. Volumes that a design does not change are not
// computed again (see the comment on volumes in the source).
//
// Every outcome is taken in as it arrives, so any number may be pending. Parents
// win a binary tournament by dominance. Children, repeats and free limits are as
// for [NSGA2]. Feasible designs come before infeasible ones, of which the one of
// the largest violation goes first.
//
// A trial takes a few microseconds with two objectives and a population of 100,
// some 20 with three, some 500 with four, and more beyond, however many there
// were.
//
// The zero value is ready to use with the defaults given on each field.
type SMSEMOA struct {
	// Population is how many designs survive; 0 means 100, or twice the square
	// root of the budget if that is less, but at least 4.
	Population int `yaml:"population" min:"0" max:"10000" doc:"designs that survive; 0 means 100, or twice the square root of a smaller budget"`
	// Crossover is the probability that a pair of parents is crossed; 0 means
	// 0.9.
	Crossover float64 `yaml:"crossover" default:"0.9" min:">0" max:"1" doc:"probability that a pair is crossed"`
	// CrossoverEta is the distribution index of simulated binary crossover;
	// larger keeps children nearer to their parents; 0 means 15.
	CrossoverEta float64 `yaml:"crossover_eta" default:"15" min:">0" max:"1000" doc:"index of simulated binary crossover; larger stays nearer to the parents"`
	// Mutation is the probability that a decision changes; 0 means one in the
	// number of the design's decisions.
	Mutation float64 `yaml:"mutation" min:"0" max:"1" doc:"probability that a decision changes; 0 means one over the number of decisions"`
	// MutationEta is the distribution index of polynomial mutation; larger
	// takes smaller steps; 0 means 20.
	MutationEta float64 `yaml:"mutation_eta" default:"20" min:">0" max:"1000" doc:"index of polynomial mutation; larger takes smaller steps"`
	// Screen is that of [NSGA2].
	Screen string `yaml:"screen" default:"all" oneof:"all start none" doc:"designs made anew if free limits rule them out: all, those of the start, or none"`
}

func (o SMSEMOA) variation() variation {
	return variation{crossover: o.Crossover, crossoverEta: o.CrossoverEta, mutation: o.Mutation, mutationEta: o.MutationEta, screen: o.Screen}
}

// New makes a searcher. It works on every space and up to 20 objectives, with or
// without limits.
func (o SMSEMOA) New(setup search.Setup) (search.Searcher, error) {
	c := checker{method: "smsemoa"}
	c.setup(setup)
	if o.Population != 0 && (o.Population < 2 || o.Population > 10_000) {
		c.fail("population", o.Population, "2 to 10000, or 0 for the default")
	}
	m := max(setup.Objectives, 1)
	if m > 20 {
		c.fail("objectives", m, "at most 20; nsga3 searches for more")
	}
	c.variation(o.variation(), "0.9", "15", "20")
	if err := errors.Join(c.errs...); err != nil {
		return nil, err
	}
	if o.Population == 0 {
		o.Population = defaultPopulation(setup.Budget)
	}
	o.Crossover = cmp.Or(o.Crossover, 0.9)
	o.CrossoverEta = cmp.Or(o.CrossoverEta, 15)
	o.MutationEta = cmp.Or(o.MutationEta, 20)
	s := &smsemoa{nursery: newNursery(setup, "evolve/smsemoa", o.variation()), population: o.Population, objectives: m}
	s.volumes, s.last = newVolumes(m, s.rand), newVolumes(m, s.rand)
	s.volumes.ref = make([]float64, m)
	s.pick = s.parents
	return s, nil
}

type smsemoa struct {
	nursery
	population int
	objectives int
	asked      int
	pick       func() (a, b *member, cross bool)

	front   []member // the feasible ones that none dominates, in the order of volumes
	volumes *volumes
	rest    []member // the others
	losses  []float64

	last  *volumes // of the last of several fronts
	lo    []float64
	hi    []float64
	ref   []float64
	ranks []int32
	which []int
}

// Batch returns what is left of the first random designs, and one at a time
// after them.
func (s *smsemoa) Batch() int { return max(s.population-s.asked, 1) }

func (s *smsemoa) Ask(n int) ([]search.Proposal, error) {
	n = max(n, 1)
	out := make([]search.Proposal, 0, min(n, 1<<16))
	for range n {
		var p search.Proposal
		var err error
		if s.asked < s.population || s.size() < 2 {
			p, err = s.random()
		} else {
			p, err = s.child(s.pick)
		}
		if err != nil {
			if len(out) > 0 {
				break
			}
			return nil, err
		}
		s.asked++
		out = append(out, p)
	}
	return out, nil
}

func (s *smsemoa) size() int { return len(s.front) + len(s.rest) }

func (s *smsemoa) parents() (a, b *member, cross bool) {
	return s.tournament(), s.tournament(), s.rand.Float64() < s.crossover
}

// tournament returns the better of two: of the front, or of less violation.
func (s *smsemoa) tournament() *member {
	n := s.size()
	i, j := s.rand.IntN(n), s.rand.IntN(n)
	if i >= len(s.front) && j >= len(s.front) {
		a, b := &s.rest[i-len(s.front)], &s.rest[j-len(s.front)]
		if max(b.violation, 0) < max(a.violation, 0) {
			return b
		}
		return a
	}
	if i = min(i, j); i == j || j >= len(s.front) { // one of the front
		return &s.front[i]
	}
	return &s.front[i+(j-i)*int(s.rand.Uint64()>>63)]
}

func (s *smsemoa) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		o := &outcomes[i]
		known := o.ID < 0 && s.ledger.Seen(o.Design)
		if !s.ledger.Accept(o) || !o.Usable() || len(o.Score.Loss) != s.objectives || o.Design.Space() != s.space {
			continue
		}
		if known && s.holds(o) {
			continue
		}
		s.insert(member{id: o.ID, design: o.Design, violation: o.Score.Violation}, o.Score.Loss)
		for s.size() > s.population {
			s.drop()
		}
	}
}

// holds reports whether the design of an outcome lives.
func (s *smsemoa) holds(o *search.Outcome) bool {
	same := func(m member) bool { return m.design == o.Design }
	return slices.ContainsFunc(s.front, same) || slices.ContainsFunc(s.rest, same)
}

func (s *smsemoa) insert(x member, loss []float64) {
	if x.feasible() {
		for i := 0; i < len(s.front); i++ {
			row := s.volumes.row(i)
			if weakly(row, loss) && !weakly(loss, row) {
				s.addRest(x, loss)
				return
			}
		}
		for i := len(s.front) - 1; i >= 0; i-- {
			if row := s.volumes.row(i); weakly(loss, row) && !weakly(row, loss) {
				s.addRest(s.front[i], row)
				s.leave(i)
			}
		}
		at := s.volumes.add(loss, x.id)
		s.front = slices.Insert(s.front, at, x)
		s.follow()
		return
	}
	s.addRest(x, loss)
}

func (s *smsemoa) addRest(x member, loss []float64) {
	s.rest = append(s.rest, x)
	s.losses = append(s.losses, loss...)
}

// leave takes a member out of the front.
func (s *smsemoa) leave(at int) {
	s.volumes.remove(at)
	s.front = slices.Delete(s.front, at, at+1)
}

// follow moves the reference point when it is no longer near where it should
// be.
func (s *smsemoa) follow() {
	if s.objectives == 2 {
		// Only the ends depend on it, and they stay.
		s.bounds(s.volumes.rows)
		for j, hi := range s.hi {
			if s.volumes.ref[j] <= hi {
				s.refer()
				return
			}
		}
		return
	}
	s.bounds(s.volumes.rows)
	for j, hi := range s.hi {
		// Between half the range and one and a half beyond the worst.
		beyond, span := s.volumes.ref[j]-hi, hi-s.lo[j]
		if !(beyond > 0) || span > 0 && (beyond < span/2 || beyond > span*1.5) {
			s.refer()
			return
		}
	}
}

// bounds computes the range of rows.
func (s *smsemoa) bounds(rows []float64) {
	m := s.objectives
	s.lo, s.hi = append(s.lo[:0], rows[:m]...), append(s.hi[:0], rows[:m]...)
	for i := m; i < len(rows); i += m {
		for j, x := range rows[i : i+m] {
			s.lo[j], s.hi[j] = min(s.lo[j], x), max(s.hi[j], x)
		}
	}
}

func (s *smsemoa) refer() { s.volumes.refer(s.beyond()) }

// beyond is the reference point for the rows whose range was computed.
func (s *smsemoa) beyond() []float64 {
	s.ref = s.ref[:0]
	for j, hi := range s.hi {
		span := hi - s.lo[j]
		if !(span > 0) {
			span = max(1, hi, -hi)
		}
		s.ref = append(s.ref, hi+span)
	}
	return s.ref
}

// drop takes the member out that is worth least.
func (s *smsemoa) drop() {
	if len(s.rest) == 0 {
		s.leave(s.least(s.volumes))
		return
	}
	worst := -1
	for i := range s.rest {
		x := &s.rest[i]
		if x.feasible() {
			continue
		}
		if worst < 0 || x.violation > s.rest[worst].violation || x.violation == s.rest[worst].violation && x.id < s.rest[worst].id {
			worst = i
		}
	}
	m := s.objectives
	if worst < 0 {
		s.ranks = metric.NonDominatedSort(s.losses, m, s.ranks)
		most := slices.Max(s.ranks[:len(s.rest)])
		s.which = s.which[:0]
		for i, r := range s.ranks[:len(s.rest)] {
			if r == most {
				s.which = append(s.which, i)
			}
		}
		if worst = s.which[0]; len(s.which) > 1 {
			worst = s.leastOf(s.which)
		}
	}
	end := len(s.rest) - 1
	s.rest[worst] = s.rest[end]
	copy(s.losses[worst*m:worst*m+m], s.losses[end*m:])
	s.rest[end] = member{}
	s.rest, s.losses = s.rest[:end], s.losses[:end*m]
}

// leastOf returns the one of some of the rest that alone dominates least.
func (s *smsemoa) leastOf(which []int) int {
	m := s.objectives
	v := s.last
	v.clear()
	for _, i := range which {
		v.rows = append(v.rows, s.losses[i*m:i*m+m]...)
	}
	s.bounds(v.rows)
	v.clear()
	// Sorted by the last objective, as volumes have them.
	slices.SortFunc(which, func(i, j int) int {
		return cmp.Or(cmp.Compare(s.losses[i*m+m-1], s.losses[j*m+m-1]), cmp.Compare(s.rest[i].id, s.rest[j].id))
	})
	for _, i := range which {
		v.rows = append(v.rows, s.losses[i*m:i*m+m]...)
		v.ids = append(v.ids, s.rest[i].id)
		v.alone = append(v.alone, 0)
	}
	v.refer(s.beyond())
	return which[s.least(v)]
}

// least returns the place of the least volume, of equals the oldest. With two
// objectives the ends are never it unless there is nothing else.
func (s *smsemoa) least(v *volumes) int {
	at := -1
	for i, a := range v.alone {
		if s.objectives == 2 && len(v.alone) > 2 && (i == 0 || i == len(v.alone)-1) && a > 0 {
			continue
		}
		if at < 0 || a < v.alone[at] || a == v.alone[at] && v.ids[i] < v.ids[at] {
			at = i
		}
	}
	return at
}
