package evolve

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/search"
)

// MOEAD is MOEA/D (Zhang and Li, "MOEA/D: a multiobjective evolutionary
// algorithm based on decomposition", 2007): as many problems of one objective as
// there are weight vectors, each with one solution, which breeds with those of
// the neighbouring weights and may replace a few of them (Li and Zhang 2009).
//
// A weight vector w is a direction in the space of losses, and the problem is to
// come far along it: by Tchebycheff's max (f-z)/w, with w as divisor so that
// evenly spread weights give evenly spread solutions (Qi et al. 2014), or by
// penalty boundary intersection, d₁ + θ d₂ with d₁ the distance along the
// direction and d₂ that from it. Losses are normalised by the best values seen,
// z, and the worst of the present solutions, brought up to date after each round
// over the weights; by the worst of their front alone, which may shrink to a
// point, a concave front is lost. Of two solutions a feasible one is better, then one of less
// violation.
//
// The weights are those of [NSGA3]. A proposal belongs to a weight, whenever its
// outcome arrives; what arrives late competes with the solutions there are then.
// Foreign designs compete for every weight. Children, repeats and free limits
// are as for [NSGA2].
//
// A trial takes two to three microseconds on spaces of plain parameters, however
// many there were, and some 50 bytes.
//
// The zero value is ready to use with the defaults given on each field.
type MOEAD struct {
	// Population is the number of weight vectors, at most: there are as many as
	// a regular lattice has. 0 means 100 for two objectives, 91 for three, and
	// so on as for [NSGA3]; with a budget below 2,500 at most twice its root.
	Population int `yaml:"population" min:"0" max:"100000" doc:"weight vectors, at most; 0 fits the objectives: 100 for two, 91 for three"`
	// Neighbors is how many weights make a neighbourhood, the weight itself
	// included; 0 means 20, at most all.
	Neighbors int `yaml:"neighbors" default:"20" min:"2" max:"100000" doc:"weights of a neighbourhood"`
	// Mating is the probability that parents come from the neighbourhood rather
	// than from everywhere; 0 means 0.9.
	Mating float64 `yaml:"mating" default:"0.9" min:">0" max:"1" doc:"probability that parents come from the neighbourhood"`
	// Replace is how many solutions a child may replace; 0 means 2.
	Replace int `yaml:"replace" default:"2" min:"1" max:"100000" doc:"solutions that a child may replace"`
	// Decomposition is "tchebycheff", the default for two objectives, or "pbi",
	// the default for more; "" means the default.
	Decomposition string `yaml:"decomposition" oneof:"tchebycheff pbi" doc:"how weights make problems: tchebycheff (two objectives) or pbi (more)"`
	// Theta is the penalty of the distance from the direction in pbi; 0 means 5.
	Theta float64 `yaml:"theta" default:"5" min:">0" max:"1000000" doc:"penalty of the distance from the direction in pbi"`
	// Crossover is the probability that a pair of parents is crossed; 0 means
	// 1.
	Crossover float64 `yaml:"crossover" default:"1" min:">0" max:"1" doc:"probability that a pair is crossed"`
	// CrossoverEta is the distribution index of simulated binary crossover;
	// larger keeps children nearer to their parents; 0 means 20.
	CrossoverEta float64 `yaml:"crossover_eta" default:"20" min:">0" max:"1000" doc:"index of simulated binary crossover; larger stays nearer to the parents"`
	// Mutation is the probability that a decision changes; 0 means one in the
	// number of the design's decisions.
	Mutation float64 `yaml:"mutation" min:"0" max:"1" doc:"probability that a decision changes; 0 means one over the number of decisions"`
	// MutationEta is the distribution index of polynomial mutation; larger
	// takes smaller steps; 0 means 20.
	MutationEta float64 `yaml:"mutation_eta" default:"20" min:">0" max:"1000" doc:"index of polynomial mutation; larger takes smaller steps"`
	// Screen is that of [NSGA2].
	Screen string `yaml:"screen" default:"all" oneof:"all start none" doc:"designs made anew if free limits rule them out: all, those of the start, or none"`
}

func (o MOEAD) variation() variation {
	return variation{crossover: o.Crossover, crossoverEta: o.CrossoverEta, mutation: o.Mutation, mutationEta: o.MutationEta, screen: o.Screen}
}

// New makes a searcher. It works on every space and up to 50 objectives, with
// or without limits.
func (o MOEAD) New(setup search.Setup) (search.Searcher, error) {
	c := checker{method: "moead"}
	c.setup(setup)
	c.population(o.Population, 2)
	if o.Neighbors != 0 && (o.Neighbors < 2 || o.Neighbors > 100_000) {
		c.fail("neighbors", o.Neighbors, "2 to 100000, or 0 for 20")
	}
	if !(o.Mating >= 0 && o.Mating <= 1) {
		c.fail("mating", o.Mating, "a probability above 0, or 0 for 0.9")
	}
	if o.Replace < 0 || o.Replace > 100_000 {
		c.fail("replace", o.Replace, "1 to 100000, or 0 for 2")
	}
	switch o.Decomposition {
	case "", "tchebycheff", "pbi":
	default:
		c.fail("decomposition", o.Decomposition, "tchebycheff or pbi")
	}
	if !(o.Theta >= 0 && o.Theta <= 1e6) {
		c.fail("theta", o.Theta, "a number above 0 and at most 1000000, or 0 for 5")
	}
	c.variation(o.variation(), "1", "20", "20")
	m := max(setup.Objectives, 1)
	if m > 50 {
		c.fail("objectives", m, "at most 50")
	}
	if err := errors.Join(c.errs...); err != nil {
		return nil, err
	}
	var weights []float64
	if most := mostDirections(o.Population, setup.Budget); o.Population > 0 && m > 1 {
		weights = lattice(m, latticeSteps(m, most))
	} else {
		weights = referencePoints(m, 0, 0, most)
	}
	if m == 1 { // weights of one objective are all the same
		n := o.Population
		if n == 0 {
			n = defaultPopulation(setup.Budget)
		}
		weights = slices.Repeat([]float64{1}, n)
	}
	o.Neighbors = min(cmp.Or(o.Neighbors, 20), len(weights)/m)
	o.Mating = cmp.Or(o.Mating, 0.9)
	o.Replace = cmp.Or(o.Replace, 2)
	o.Theta = cmp.Or(o.Theta, 5)
	o.Crossover = cmp.Or(o.Crossover, 1)
	o.CrossoverEta = cmp.Or(o.CrossoverEta, 20)
	o.MutationEta = cmp.Or(o.MutationEta, 20)
	s := &moead{
		nursery: newNursery(setup, "evolve/moead", o.variation()), MOEAD: o, objectives: m, weights: len(weights) / m,
		pbi: o.Decomposition == "pbi" || o.Decomposition == "" && m > 2,
	}
	s.solutions = make([]member, s.weights)
	s.losses = make([]float64, s.weights*m)
	s.scaled = make([]float64, m)
	s.directions = directionsOf(weights, m, s.pbi)
	s.near = neighborhoods(weights, m, o.Neighbors)
	s.pick = s.parents
	return s, nil
}

// directionsOf returns unit vectors for pbi, and otherwise the reciprocals of
// the weights, none of them taken as smaller than a thousandth of the average.
func directionsOf(weights []float64, m int, pbi bool) []float64 {
	out := make([]float64, len(weights))
	for i := 0; i < len(weights); i += m {
		norm := 0.0
		for _, w := range weights[i : i+m] {
			norm += float64(w * w)
		}
		norm = math.Sqrt(norm)
		for j, w := range weights[i : i+m] {
			if pbi {
				out[i+j] = w / norm
			} else {
				out[i+j] = 1 / max(w, 1e-3/float64(m))
			}
		}
	}
	return out
}

// neighborhoods returns for each weight the n nearest, itself first.
func neighborhoods(weights []float64, m, n int) []int32 {
	count := len(weights) / m
	out := make([]int32, 0, count*n)
	type near struct {
		d float64
		i int32
	}
	all := make([]near, count)
	for i := range count {
		for k := range count {
			d := 0.0
			for j := range m {
				e := weights[i*m+j] - weights[k*m+j]
				d += float64(e * e)
			}
			if k == i {
				d = -1
			}
			all[k] = near{d, int32(k)}
		}
		slices.SortFunc(all, func(a, b near) int { return cmp.Or(cmp.Compare(a.d, b.d), cmp.Compare(a.i, b.i)) })
		for _, x := range all[:n] {
			out = append(out, x.i)
		}
	}
	return out
}

type moead struct {
	nursery
	MOEAD
	objectives int
	weights    int
	pbi        bool
	pick       func() (a, b *member, cross bool)

	directions []float64
	near       []int32  // neighbourhoods, a row each
	solutions  []member // by weight; without a design if there is none yet
	losses     []float64
	filled     []int32 // weights that have a solution
	ideal      []float64
	nadir      []float64
	scaled     []float64

	bound   []int32 // by ID from 1, the weight that a proposal is for
	deck    deck    // weights in the order of proposals
	at      int32   // weight of the next child
	local   bool    // its outcome competes in the neighbourhood
	arrived int     // usable outcomes since the nadir was brought up to date
	order   []int32
}

// Batch returns the number of weights, what a round takes.
func (s *moead) Batch() int { return s.weights }

func (s *moead) Ask(n int) ([]search.Proposal, error) {
	n = max(n, 1)
	out := make([]search.Proposal, 0, min(n, 1<<16))
	for range n {
		var p search.Proposal
		var err error
		s.at = int32(s.deck.deal(s.rand, s.weights))
		if s.local = true; len(s.filled) < 2 || s.solutions[s.at].id == 0 {
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
		at := s.at
		if !s.local {
			at = ^at
		}
		s.bound = append(s.bound, at)
		out = append(out, p)
	}
	return out, nil
}

// parents picks two different solutions from the neighbourhood, or from all.
func (s *moead) parents() (a, b *member, cross bool) {
	cross = s.crossover >= 1 || s.rand.Float64() < s.crossover
	if s.local = s.rand.Float64() < s.Mating; s.local {
		near := s.near[int(s.at)*s.Neighbors:][:s.Neighbors]
		for range 4 {
			i, k := near[s.rand.IntN(len(near))], near[s.rand.IntN(len(near))]
			if a, b = &s.solutions[i], &s.solutions[k]; a.id != 0 && b.id != 0 && a.design != b.design {
				return a, b, cross
			}
		}
	}
	a = &s.solutions[s.filled[s.rand.IntN(len(s.filled))]]
	b = &s.solutions[s.filled[s.rand.IntN(len(s.filled))]]
	return a, b, cross
}

func (s *moead) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		o := &outcomes[i]
		if !s.ledger.Accept(o) || !o.Usable() || len(o.Score.Loss) != s.objectives || o.Design.Space() != s.space {
			continue
		}
		s.see(o)
		at := int32(-1)
		if o.ID > 0 {
			at = s.bound[o.ID-1]
		}
		if at >= 0 {
			s.place(o, s.near[int(at)*s.Neighbors:][:s.Neighbors], at)
		} else {
			s.order = s.order[:0]
			for i := range s.weights {
				s.order = append(s.order, int32(i))
			}
			s.place(o, s.order, ^at)
		}
		if s.arrived++; s.arrived >= s.weights {
			s.arrived = 0
			s.fit()
		}
	}
}

// see brings the ideal point up to date.
func (s *moead) see(o *search.Outcome) {
	if o.Score.Violation > 0 {
		return
	}
	if s.ideal == nil {
		s.ideal = slices.Clone(o.Score.Loss)
	}
	for j, x := range o.Score.Loss {
		s.ideal[j] = min(s.ideal[j], x)
	}
}

// fit takes the nadir from the feasible solutions.
func (s *moead) fit() {
	m, first := s.objectives, true
	for _, i := range s.filled {
		if !s.solutions[i].feasible() {
			continue
		}
		row := s.losses[int(i)*m : int(i)*m+m]
		if first {
			s.nadir, first = append(s.nadir[:0], row...), false
		}
		for j, x := range row {
			s.nadir[j] = max(s.nadir[j], x)
		}
	}
}

// value is the objective of a weight's problem.
func (s *moead) value(weight int32, loss []float64) float64 {
	m := s.objectives
	w := s.directions[int(weight)*m : int(weight)*m+m]
	for j, x := range loss {
		span := 1.0
		if s.nadir != nil {
			if d := s.nadir[j]/2 - s.ideal[j]/2; d > 0 {
				span = d
			}
		}
		lo := 0.0
		if s.ideal != nil {
			lo = s.ideal[j]
		}
		s.scaled[j] = (x/2 - lo/2) / span
	}
	if !s.pbi {
		most := math.Inf(-1)
		for j, x := range s.scaled {
			most = max(most, float64(x*w[j]))
		}
		return most
	}
	d1, d2 := 0.0, 0.0
	for j, x := range s.scaled {
		d1 += float64(x * w[j])
	}
	for j, x := range s.scaled {
		e := x - float64(d1*w[j])
		d2 += float64(e * e)
	}
	return d1 + float64(s.Theta*math.Sqrt(d2))
}

// place lets an outcome replace worse solutions among some weights, in random
// order. An outcome whose own weight has no solution is that.
func (s *moead) place(o *search.Outcome, weights []int32, own int32) {
	m, room := s.objectives, s.Replace
	put := func(k int32) {
		x := &s.solutions[k]
		if x.id == 0 {
			s.filled = append(s.filled, k)
		}
		*x = member{id: o.ID, design: o.Design, violation: o.Score.Violation}
		copy(s.losses[int(k)*m:int(k)*m+m], o.Score.Loss)
	}
	if own >= 0 && own < int32(s.weights) && s.solutions[own].id == 0 {
		put(own)
		room--
	}
	start, step := 0, 1
	if n := len(weights); n > 1 {
		// A random order: multiples of a number without common divisor.
		start = s.rand.IntN(n)
		for step = 1 + s.rand.IntN(n-1); gcd(step, n) != 1; {
			step = 1 + s.rand.IntN(n-1)
		}
	}
	for i, at := 0, start; i < len(weights) && room > 0; i, at = i+1, (at+step)%len(weights) {
		k := weights[at]
		x := &s.solutions[k]
		if x.id == 0 {
			if o.ID < 0 { // a foreign design takes an empty place
				put(k)
				room--
			}
			continue
		}
		if x.id == o.ID || x.design == o.Design {
			continue
		}
		worse := x.violation > 0 || o.Score.Violation > 0
		switch {
		case worse && x.violation != o.Score.Violation:
			if !(max(o.Score.Violation, 0) < max(x.violation, 0)) {
				continue
			}
		case s.value(k, o.Score.Loss) > s.value(k, s.losses[int(k)*m:int(k)*m+m]):
			continue
		}
		put(k)
		room--
	}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
