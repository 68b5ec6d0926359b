package evolve

import (
	"cmp"
	"errors"
	"slices"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
)

// Genetic is the classic genetic algorithm for one objective (Holland 1975;
// with real parameters Deb and Agrawal 1995): parents win tournaments, children
// are crossed and mutated as those of [NSGA2], and the best of parents and
// children survive. By default survivors are selected anew for every outcome
// (Whitley 1989), which takes fewer evaluations than doing so for whole
// generations.
//
// Nothing is proposed twice as long as anything new is found, as for NSGA2, and
// outcomes are taken in whenever they arrive. With a budget no larger than the
// population it is random search. Feasible designs come before infeasible ones,
// these by their violation (Deb 2000). Of ties the newer survives.
//
// A trial takes one to two microseconds on spaces of plain parameters, a few
// more on others, and some 50 bytes, however many there were.
//
// The zero value is ready to use with the defaults given on each field.
type Genetic struct {
	// Population is how many designs survive; 0 means 100, or twice the square
	// root of the budget if that is less, but at least 4.
	Population int `yaml:"population" min:"0" max:"100000" doc:"designs that survive; 0 means 100, or twice the square root of a smaller budget"`
	// Children is how many outcomes are taken in before survivors are selected;
	// 0 means 1. As many as the population make it generational.
	Children int `yaml:"children" default:"1" min:"1" max:"100000" doc:"outcomes taken in before survivors are selected; as many as the population make generations"`
	// Tournament is how many designs compete to be a parent; 0 means 4. Two is
	// classic; four was better on every landscape tried.
	Tournament int `yaml:"tournament" default:"4" min:"1" max:"100000" doc:"designs that compete to be a parent"`
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

func (o Genetic) variation() variation {
	return variation{crossover: o.Crossover, crossoverEta: o.CrossoverEta, mutation: o.Mutation, mutationEta: o.MutationEta, screen: o.Screen}
}

// New makes a searcher. It works on every space, with or without limits, for
// one objective.
func (o Genetic) New(setup search.Setup) (search.Searcher, error) {
	c := checker{method: "genetic"}
	c.setup(setup)
	if setup.Objectives > 1 {
		c.fail("objectives", setup.Objectives, "1; nsga2 searches for several")
	}
	c.population(o.Population, 2)
	if o.Children < 0 || o.Children > 100_000 {
		c.fail("children", o.Children, "1 to 100000, or 0 for 1")
	}
	if o.Tournament < 0 || o.Tournament > 100_000 {
		c.fail("tournament", o.Tournament, "1 to 100000, or 0 for 4")
	}
	c.variation(o.variation(), "0.9", "15", "20")
	if err := errors.Join(c.errs...); err != nil {
		return nil, err
	}
	if o.Population == 0 {
		o.Population = defaultPopulation(setup.Budget)
	}
	o.Tournament = cmp.Or(o.Tournament, 4)
	o.Crossover = cmp.Or(o.Crossover, 0.9)
	o.CrossoverEta = cmp.Or(o.CrossoverEta, 15)
	o.MutationEta = cmp.Or(o.MutationEta, 20)
	s := &genetic{herd: newHerd(setup, "evolve/genetic", o.Population, o.variation()), tournament: o.Tournament}
	s.pick, s.choose = s.parents, s.survive
	s.every = cmp.Or(o.Children, 1)
	return s, nil
}

type genetic struct {
	herd
	pick       func() (a, b *member, cross bool)
	choose     func()
	tournament int
}

func (s *genetic) Ask(n int) ([]search.Proposal, error) { return s.ask(n, s.pick) }

func (s *genetic) Tell(outcomes ...search.Outcome) { s.tell(outcomes, s.choose) }

func (s *genetic) parents() (a, b *member, cross bool) {
	return s.parent(), s.parent(), s.rand.Float64() < s.crossover
}

// parent returns the winner of a tournament; survivors stand in order, the best
// first.
func (s *genetic) parent() *member {
	best := s.rand.IntN(s.size)
	for range s.tournament - 1 {
		best = min(best, s.rand.IntN(s.size))
	}
	return &s.members[best]
}

// survive sorts the members, of which the population already is, and keeps the
// best.
func (s *genetic) survive() {
	s.order = s.order[:0]
	for i := range int32(len(s.members)) {
		s.order = append(s.order, i)
	}
	if fresh := s.order[s.size:]; len(fresh) > 16 {
		slices.SortFunc(s.order, s.compare)
	} else {
		for _, i := range fresh {
			at, _ := slices.BinarySearchFunc(s.order[:i], i, s.compare)
			copy(s.order[at+1:i+1], s.order[at:i])
			s.order[at] = i
		}
	}
	s.keep(s.order[:min(len(s.order), s.population)])
}

// compare puts the better of two members first, the newer of equals.
func (s *genetic) compare(i, j int32) int {
	a, b := &s.members[i], &s.members[j]
	return cmp.Or(
		metric.Compare(metric.Score{Loss: s.loss(i), Violation: a.violation}, metric.Score{Loss: s.loss(j), Violation: b.violation}),
		cmp.Compare(b.id, a.id))
}
