package evolve

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
)

// NSGA2 is the non-dominated sorting genetic algorithm of Deb, Pratap, Agarwal
// and Meyarivan ("A fast and elitist multiobjective genetic algorithm:
// NSGA-II", 2002) on any space: it searches for a whole front of trade-offs
// between two or three objectives. With one objective it is a plain elitist
// genetic algorithm; from four on nearly everything is non-dominated and it
// tends towards random search.
//
// Parents win a binary tournament by front and then by crowding distance; every
// pair has two children. Numbers are blended by simulated binary crossover and
// moved by polynomial mutation, everything else is exchanged uniformly and
// resampled (see [space.Space.Cross] and [space.Space.Mutate]). Feasible
// designs come before infeasible ones, these by their violation (Deb 2000).
// A child that was proposed before is bred again; after 50 such, a design of the
// population is walked away from, and at last a design is drawn. A space of up
// to 65,536 designs ends with [search.ErrExhausted]; in a larger one a repeat is
// possible when all of that finds nothing new.
//
// The front that does not fit as a whole is thinned one design at a time, the
// most crowded first (Kukkonen and Deb, "Improved pruning of non-dominated
// solutions based on crowding distance for bi-objective optimization problems",
// 2006); the original cuts it at once, which leaves holes where neighbours go
// together.
//
// Ask never waits: it breeds from the population there is, and the survivors
// are selected whenever as many outcomes have arrived as the population is
// large, whichever proposals they belong to. Asked and told in rounds of
// Population this is the original; lost, late and failed trials change only
// who competes with whom. Of ties the newer design survives, so that the
// population drifts over plateaus.
//
// On spaces of plain parameters a trial takes one to two microseconds, on others
// a few more, however many there were; a selection takes O(P log P) for two or
// three objectives. Memory grows by some 50 bytes a trial, by which repetitions
// are known.
//
// The zero value is ready to use with the defaults given on each field.
type NSGA2 struct {
	// Population is how many designs survive; 0 means 100, or twice the square
	// root of the budget if that is less, but at least 4: 20 for 100 trials, 44
	// for 500, 100 from 2,500 on.
	Population int `yaml:"population" min:"0" max:"100000" doc:"designs that survive; 0 means 100, or twice the square root of a smaller budget"`
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
	// Screen says which designs are drawn or bred anew, a bounded number of
	// times, when it is known free of charge that they cannot meet the limits:
	// "all", the default; only those of the first population, "start", as in
	// EEEA-Net (Termritthikun et al. 2021); or "none".
	Screen string `yaml:"screen" default:"all" oneof:"all start none" doc:"designs made anew if free limits rule them out: all, those of the start, or none"`
}

// New makes a searcher. It works on every space and any number of objectives,
// with or without limits.
func (o NSGA2) New(setup search.Setup) (search.Searcher, error) {
	c := checker{method: "nsga2"}
	c.setup(setup)
	c.population(o.Population, 2)
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
	s := &nsga2{herd: newHerd(setup, "evolve/nsga2", o.Population, o.variation())}
	s.pick, s.choose, s.pairs = s.parents, s.survive, true
	return s, nil
}

func (o NSGA2) variation() variation {
	return variation{crossover: o.Crossover, crossoverEta: o.CrossoverEta, mutation: o.Mutation, mutationEta: o.MutationEta, screen: o.Screen}
}

// defaultPopulation is 100, or twice the square root of a small budget.
func defaultPopulation(budget int64) int {
	if budget > 0 && budget < 2500 {
		return max(2*int(math.Sqrt(float64(budget))), 4)
	}
	return 100
}

type nsga2 struct {
	herd
	pick   func() (a, b *member, cross bool)
	choose func()

	deck  deck
	crowd []float64
	cut   thinner
}

func (s *nsga2) Ask(n int) ([]search.Proposal, error) { return s.ask(n, s.pick) }

func (s *nsga2) Tell(outcomes ...search.Outcome) { s.tell(outcomes, s.choose) }

func (s *nsga2) parents() (a, b *member, cross bool) {
	return &s.members[s.tournament()], &s.members[s.tournament()], s.rand.Float64() < s.crossover
}

// tournament returns the better of two members of the population.
func (s *nsga2) tournament() int {
	i, j := s.deck.pair(s.rand, s.size)
	a, b := &s.members[i], &s.members[j]
	if b.rank < a.rank || b.rank == a.rank && b.crowd > a.crowd {
		return j
	}
	return i
}

// survive keeps the best of the population and of what arrived.
func (s *nsga2) survive() {
	order := s.rank()
	kept := order[:0]
	for at, room := 0, s.population; at < len(order) && room > 0; {
		end := at + 1
		for end < len(order) && s.members[order[end]].rank == s.members[order[at]].rank {
			end++
		}
		front := order[at:end]
		if len(front) > room {
			front = s.cut.thin(front, room, s.losses, s.objectives, s.members)
		}
		s.crowd = metric.CrowdingDistance(s.losses, s.objectives, front, s.crowd)
		for k, i := range front {
			s.members[i].crowd = s.crowd[k]
		}
		kept = append(kept, front...)
		at, room = end, room-len(front)
	}
	s.keep(kept)
	s.deck.reset()
}

// A thinner takes crowded members out of a front.
type thinner struct {
	links  []int32   // by objective, the previous and the next of each
	spans  []float64 // range of each objective
	crowd  []float64
	sorted []int32
	heap   []int32 // least crowd first, the older of equals
	at     []int32 // where each is in the heap
	out    []bool
}

// thin takes the most crowded members out of a front until keep are left, and
// returns those in the same order, overwriting front. The crowding distance of
// the neighbours is brought up to date after each.
func (s *thinner) thin(front []int32, keep int, points []float64, m int, members []member) []int32 {
	n, inf := len(front), math.Inf(1)
	s.links = slices.Grow(s.links[:0], 2*m*n)[:2*m*n]
	s.spans = slices.Grow(s.spans[:0], m)[:m]
	s.crowd = slices.Grow(s.crowd[:0], n)[:n]
	s.at = slices.Grow(s.at[:0], n)[:n]
	s.out = slices.Grow(s.out[:0], n)[:n]
	clear(s.out)
	value := func(k int32, j int) float64 { return points[int(front[k])*m+j] }
	for j := range m {
		by, prev, next := s.sorted[:0], s.links[2*j*n:(2*j+1)*n], s.links[(2*j+1)*n:(2*j+2)*n]
		for k := range int32(n) {
			by = append(by, k)
		}
		slices.SortFunc(by, func(k, l int32) int {
			if a, b := value(k, j), value(l, j); a < b {
				return -1
			} else if a > b {
				return 1
			}
			return int(k - l)
		})
		for at, k := range by {
			prev[k], next[k] = -1, -1
			if at > 0 {
				prev[k] = by[at-1]
			}
			if at+1 < n {
				next[k] = by[at+1]
			}
		}
		s.spans[j] = value(by[n-1], j)/2 - value(by[0], j)/2 // halves cannot overflow
		s.sorted = by
	}
	distance := func(k int32) float64 {
		sum := 0.0
		for j := range m {
			if !(s.spans[j] > 0) {
				continue // says nothing
			}
			p, q := s.links[2*j*n+int(k)], s.links[(2*j+1)*n+int(k)]
			if p < 0 || q < 0 {
				return inf
			}
			sum += (value(q, j)/2 - value(p, j)/2) / s.spans[j]
		}
		return sum
	}
	s.heap = s.heap[:0]
	for k := range int32(n) {
		s.crowd[k] = distance(k)
		s.heap, s.at[k] = append(s.heap, k), k
	}
	less := func(k, l int32) bool {
		a, b := s.crowd[k], s.crowd[l]
		return a < b || a == b && members[front[k]].id < members[front[l]].id
	}
	// down restores the heap below a place whose distance grew.
	down := func(i int) {
		k := s.heap[i]
		for {
			c := 2*i + 1
			if c >= len(s.heap) {
				break
			}
			if c+1 < len(s.heap) && less(s.heap[c+1], s.heap[c]) {
				c++
			}
			if !less(s.heap[c], k) {
				break
			}
			s.heap[i] = s.heap[c]
			s.at[s.heap[i]] = int32(i)
			i = c
		}
		s.heap[i] = k
		s.at[k] = int32(i)
	}
	for i := n/2 - 1; i >= 0; i-- {
		down(i)
	}
	for left := n; left > keep; left-- {
		worst := s.heap[0]
		s.heap[0] = s.heap[left-1]
		if s.heap = s.heap[:left-1]; left > 1 {
			down(0)
		}
		s.out[worst] = true
		for j := range m {
			p, q := s.links[2*j*n+int(worst)], s.links[(2*j+1)*n+int(worst)]
			if p >= 0 {
				s.links[(2*j+1)*n+int(p)] = q
			}
			if q >= 0 {
				s.links[2*j*n+int(q)] = p
			}
		}
		for j := range m {
			for side := range 2 {
				if k := s.links[(2*j+side)*n+int(worst)]; k >= 0 {
					// Without its neighbour it has more room.
					s.crowd[k] = distance(k)
					down(int(s.at[k]))
				}
			}
		}
	}
	out := front[:0]
	for k, i := range front {
		if !s.out[k] {
			out = append(out, i)
		}
	}
	return out
}
