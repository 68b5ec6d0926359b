package evolve

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/fresh"
	"github.com/daedalus-search/daedalus/space"
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
// An ask costs a few microseconds however many trials there were; a selection
// takes O(P log P) to sort two or three objectives and O(P²) small steps to thin
// a front. Memory grows by one design a trial, which is how repetitions are
// known.
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
}

// New makes a searcher. It works on every space and any number of objectives,
// with or without limits.
func (o NSGA2) New(setup search.Setup) (search.Searcher, error) {
	var errs []error
	fail := func(field string, found any, want string) {
		errs = append(errs, fmt.Errorf("nsga2: %s: found %v, want %s", field, found, want))
	}
	if setup.Space == nil {
		fail("space", "none", "a space to search")
	}
	if setup.Objectives < 0 {
		fail("objectives", setup.Objectives, "at least 1")
	}
	if o.Population != 0 && (o.Population < 2 || o.Population > 100_000) {
		fail("population", o.Population, "2 to 100000, or 0 for the default")
	}
	if !(o.Crossover >= 0 && o.Crossover <= 1) {
		fail("crossover", o.Crossover, "a probability above 0, or 0 for 0.9")
	}
	if !(o.CrossoverEta >= 0 && o.CrossoverEta <= 1000) {
		fail("crossover_eta", o.CrossoverEta, "a number above 0 and at most 1000, or 0 for 15")
	}
	if !(o.Mutation >= 0 && o.Mutation <= 1) {
		fail("mutation", o.Mutation, "a probability, or 0 for one over the number of decisions")
	}
	if !(o.MutationEta >= 0 && o.MutationEta <= 1000) {
		fail("mutation_eta", o.MutationEta, "a number above 0 and at most 1000, or 0 for 20")
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if o.Population == 0 {
		o.Population = 100
		if b := setup.Budget; b > 0 && b < 2500 {
			o.Population = max(2*int(math.Sqrt(float64(b))), 4)
		}
	}
	o.Crossover = cmp.Or(o.Crossover, 0.9)
	o.CrossoverEta = cmp.Or(o.CrossoverEta, 15)
	o.MutationEta = cmp.Or(o.MutationEta, 20)
	r := rng.New(setup.Seed, "evolve/nsga2", 0)
	return &nsga2{
		NSGA2: o, space: setup.Space, objectives: max(setup.Objectives, 1),
		rand: r, fresh: fresh.New(setup.Space, r),
	}, nil
}

type nsga2 struct {
	NSGA2
	space      *space.Space
	objectives int
	rand       *rand.Rand
	fresh      *fresh.Source
	ledger     search.Ledger

	members []member // the population, then what arrived since it was selected
	size    int      // of the population
	arrived int      // outcomes since it was selected, useless ones included
	twins   bool     // members may hold a design twice

	pair    [2]int // parents of the next child, as members
	crossed bool   // whether this pair is crossed
	second  bool   // the pair has one child already
	order   []int32
	turn    int // position in order

	answers []space.Answer
	scores  []metric.Score
	points  []float64
	ranks   []int32
	front   []int32
	crowd   []float64
	next    []member  // of survive
	links   []int32   // of thin: by objective, the previous and the next of each
	spans   []float64 // of thin: range of each objective
	sorted  []int32
}

type member struct {
	id     int64
	design space.Design
	score  metric.Score
	rank   int32
	crowd  float64
}

// Batch returns the size of the population: what is proposed while one
// generation is evaluated.
func (s *nsga2) Batch() int { return s.Population }

// breedTries bounds how often a design is bred anew because it was proposed
// before. In a space with few sites most children repeat; pymoo allows 100
// rounds.
const breedTries = 50

func (s *nsga2) Ask(n int) ([]search.Proposal, error) {
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
		out = append(out, p)
	}
	return out, nil
}

func (s *nsga2) propose() (search.Proposal, error) {
	if s.size < 2 {
		return s.random()
	}
	for range breedTries {
		d, operator, parents := s.breed()
		if !s.ledger.Seen(d) {
			return s.ledger.Propose(d, operator, parents...), nil
		}
	}
	// The population has converged: walk away from one of it, an edit at a time.
	p := &s.members[s.tournament()]
	d := p.design
	for range breedTries {
		d = s.space.Mutate(s.rand, d, space.Mutation{})
		if !s.ledger.Seen(d) {
			return s.ledger.Propose(d, "mutate", p.id), nil
		}
	}
	return s.random()
}

// random proposes a design that no parents have.
func (s *nsga2) random() (search.Proposal, error) {
	d, err := s.fresh.Next(s.ledger.Seen)
	if err != nil {
		return search.Proposal{}, err
	}
	s.twins = s.twins || s.ledger.Seen(d)
	return s.ledger.Propose(d, "random"), nil
}

// breed returns the next child.
func (s *nsga2) breed() (d space.Design, operator string, parents []int64) {
	if s.second {
		s.pair[0], s.pair[1] = s.pair[1], s.pair[0]
	} else {
		s.pair = [2]int{s.tournament(), s.tournament()}
		s.crossed = s.rand.Float64() < s.Crossover
	}
	s.second = !s.second
	a, b := &s.members[s.pair[0]], &s.members[s.pair[1]]
	d, operator = a.design, "mutate"
	crossed := s.crossed && a.design != b.design
	if crossed {
		// A variable is blended with probability one half and otherwise
		// inherited, as in the authors' code.
		d = s.space.Cross(s.rand, a.design, b.design, space.Crossover{Eta: s.CrossoverEta})
		operator = "cross"
	}
	rate := s.Mutation
	if rate == 0 {
		s.answers = d.Decisions(s.answers[:0])
		rate = 1 / float64(max(sites(s.answers), 1))
	}
	m := s.space.Mutate(s.rand, d, space.Mutation{Rate: rate, Eta: s.MutationEta})
	if !crossed {
		return m, operator, []int64{a.id}
	}
	if m != d {
		operator = "cross+mutate"
	}
	return m, operator, []int64{a.id, b.id}
}

// sites counts the decisions that mutation treats as one each: a subset or a
// permutation is one, and what cannot be decided otherwise is none.
func sites(answers []space.Answer) int {
	n := 0
	for i := range answers {
		a := &answers[i]
		switch a.Role {
		case space.RoleInclude, space.RolePlace:
			if i > 0 {
				p := &answers[i-1]
				if p.Param == a.Param && (p.Role == space.RoleSize || p.Role == a.Role && p.Item < a.Item) {
					continue // goes on with the same selection
				}
			}
		case space.RoleReal:
			if !(a.Param.Lo < a.Param.Hi) {
				continue
			}
		default:
			if a.N < 2 {
				continue
			}
		}
		n++
	}
	return n
}

// tournament returns the better of two members of the population. Contestants
// come from a shuffled list, so that each takes part once before any does a
// second time, as in the authors' code.
func (s *nsga2) tournament() int {
	if s.turn+2 > len(s.order) {
		s.shuffle()
	}
	i, j := int(s.order[s.turn]), int(s.order[s.turn+1])
	s.turn += 2
	a, b := &s.members[i], &s.members[j]
	if metric.CompareCrowded(b.rank, b.crowd, a.rank, a.crowd) < 0 {
		return j
	}
	return i
}

func (s *nsga2) shuffle() {
	s.order = s.order[:0]
	for i := range s.size {
		s.order = append(s.order, int32(i))
	}
	s.rand.Shuffle(s.size, func(i, j int) { s.order[i], s.order[j] = s.order[j], s.order[i] })
	s.turn = 0
}

func (s *nsga2) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		o := &outcomes[i]
		if o.ID < 0 && s.ledger.Seen(o.Design) {
			s.twins = true
		}
		if !s.ledger.Accept(o) {
			continue
		}
		if o.Usable() && len(o.Score.Loss) == s.objectives && o.Design.Space() == s.space {
			score := metric.Score{Loss: slices.Clone(o.Score.Loss), Violation: o.Score.Violation}
			s.members = append(s.members, member{id: o.ID, design: o.Design, score: score})
		}
		if s.arrived++; s.arrived >= s.Population {
			s.survive()
		}
	}
}

// survive keeps the best of the population and of what arrived.
func (s *nsga2) survive() {
	s.arrived = 0
	if s.twins {
		s.dropTwins()
	}
	s.scores, s.points = s.scores[:0], s.points[:0]
	for i := range s.members {
		s.scores = append(s.scores, s.members[i].score)
		s.points = append(s.points, s.members[i].score.Loss...)
	}
	s.ranks = metric.RankScores(s.scores, s.ranks)
	order := s.front[:0]
	for i := range s.members {
		s.members[i].rank = s.ranks[i]
		order = append(order, int32(i))
	}
	slices.SortFunc(order, func(i, j int32) int {
		return cmp.Or(cmp.Compare(s.ranks[i], s.ranks[j]), cmp.Compare(i, j))
	})
	kept := order[:0]
	for at, room := 0, s.Population; at < len(order) && room > 0; {
		end := at + 1
		for end < len(order) && s.ranks[order[end]] == s.ranks[order[at]] {
			end++
		}
		front := order[at:end]
		if len(front) > room {
			front = s.thin(front, room)
		}
		s.crowd = metric.CrowdingDistance(s.points, s.objectives, front, s.crowd)
		for k, i := range front {
			s.members[i].crowd = s.crowd[k]
		}
		kept = append(kept, front...)
		at, room = end, room-len(front)
	}
	s.next = s.next[:0]
	for _, i := range kept {
		s.next = append(s.next, s.members[i])
	}
	clear(s.members)
	s.members, s.next = s.next, s.members[:0]
	s.front = order[:0]
	s.size = len(s.members)
	s.order, s.turn, s.second = s.order[:0], 0, false
}

// thin takes the most crowded members out of a front until keep are left, and
// returns those in the same order, overwriting front. The crowding distance of
// the neighbours is brought up to date after each.
func (s *nsga2) thin(front []int32, keep int) []int32 {
	n, m, inf := len(front), s.objectives, math.Inf(1)
	s.links = slices.Grow(s.links[:0], 2*m*n)[:2*m*n]
	s.spans = slices.Grow(s.spans[:0], m)[:m]
	s.crowd = slices.Grow(s.crowd[:0], n)[:n]
	value := func(k int32, j int) float64 { return s.points[int(front[k])*m+j] }
	prev := func(j int) []int32 { return s.links[2*j*n : (2*j+1)*n] }
	next := func(j int) []int32 { return s.links[(2*j+1)*n : (2*j+2)*n] }
	for j := range m {
		by, prev, next := s.sorted[:0], prev(j), next(j)
		for k := range int32(n) {
			by = append(by, k)
		}
		slices.SortFunc(by, func(k, l int32) int { return cmp.Or(cmp.Compare(value(k, j), value(l, j)), int(k-l)) })
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
			p, q := prev(j)[k], next(j)[k]
			if p < 0 || q < 0 {
				return inf
			}
			sum += (value(q, j)/2 - value(p, j)/2) / s.spans[j]
		}
		return sum
	}
	for k := range s.crowd {
		s.crowd[k] = distance(int32(k))
	}
	for left := n; left > keep; left-- {
		worst, least := int32(-1), inf
		for k, d := range s.crowd {
			if d < least || worst < 0 && d == d {
				worst, least = int32(k), d
			} else if d == least && s.members[front[k]].id < s.members[front[worst]].id {
				worst = int32(k)
			}
		}
		s.crowd[worst] = math.NaN() // out
		for j := range m {
			p, q := prev(j)[worst], next(j)[worst]
			if p >= 0 {
				next(j)[p] = q
			}
			if q >= 0 {
				prev(j)[q] = p
			}
		}
		for j := range m {
			for _, k := range [2]int32{prev(j)[worst], next(j)[worst]} {
				if k >= 0 {
					s.crowd[k] = distance(k)
				}
			}
		}
	}
	out := front[:0]
	for k, d := range s.crowd {
		if d == d {
			out = append(out, front[k])
		}
	}
	return out
}

// dropTwins keeps the first of equal designs: copies would fill the front.
func (s *nsga2) dropTwins() {
	seen := make(map[space.Design]bool, len(s.members))
	s.members = slices.DeleteFunc(s.members, func(m member) bool {
		dup := seen[m.design]
		seen[m.design] = true
		return dup
	})
	s.twins = false
}
