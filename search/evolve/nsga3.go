package evolve

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/search"
)

// NSGA3 is NSGA-III (Deb and Jain, "An evolutionary many-objective optimization
// algorithm using reference-point-based nondominated sorting approach", 2014),
// for three objectives and more: where [NSGA2] spreads a front by crowding, it
// spreads it over reference lines through the points of a regular lattice.
//
// Survivors are whole fronts; of the front that does not fit those are taken
// whose line has fewest survivors, the nearest to a line that has none, any to
// another. Losses are normalised by the best values seen and by the plane
// through the extreme points of the front; where these give no plane, by the
// worst values of the front. Parents win the tournament of U-NSGA-III (Seada and
// Deb 2016): of two on the same line the one of the lower front, then the nearer
// one; of others any. That makes it work for one objective and for two as well.
// Feasible designs come before infeasible ones, these by their violation (Jain
// and Deb 2014).
//
// Reference points are those of Das and Dennis (1998) with coordinates in steps
// of one over Partitions, and from eight objectives on a second, coarser layer
// halfway to the centre, since otherwise all would lie on the edges.
//
// Children, repeats, free limits, and how outcomes are taken in are as for
// NSGA2. A trial takes two to three microseconds with a hundred reference
// points, in proportion to their number and to that of the objectives; a
// selection takes O(population · points).
//
// The zero value is ready to use with the defaults given on each field.
type NSGA3 struct {
	// Partitions is the number of steps into which the lattice of reference
	// points divides each objective; 0 means 99 for two objectives (100
	// points), 12 for three (91), 7 for four (120), 6 for five (210), 4 for six
	// and seven (126, 210), 3 up to ten, 2 beyond; fewer if the population or a
	// small budget asks for it.
	Partitions int `yaml:"partitions" min:"0" max:"1000" doc:"steps of the lattice of reference points; 0 fits the objectives: 99 for two, 12 for three, 7 for four, 6 for five"`
	// Inner is the number of steps of the inner layer; 0 means one less than
	// Partitions from eight objectives on if that is 0 too, and otherwise none.
	Inner int `yaml:"inner" min:"0" max:"1000" doc:"steps of an inner layer of reference points; 0 means one step fewer from eight objectives on, else no such layer"`
	// Population is how many designs survive; 0 means the number of reference
	// points, rounded up to a multiple of four. With a budget below 2,500 the
	// population is at most twice its square root.
	Population int `yaml:"population" min:"0" max:"100000" doc:"designs that survive; 0 means one for each reference point"`
	// Crossover is the probability that a pair of parents is crossed; 0 means
	// 1.
	Crossover float64 `yaml:"crossover" default:"1" min:">0" max:"1" doc:"probability that a pair is crossed"`
	// CrossoverEta is the distribution index of simulated binary crossover;
	// larger keeps children nearer to their parents; 0 means 30.
	CrossoverEta float64 `yaml:"crossover_eta" default:"30" min:">0" max:"1000" doc:"index of simulated binary crossover; larger stays nearer to the parents"`
	// Mutation is the probability that a decision changes; 0 means one in the
	// number of the design's decisions.
	Mutation float64 `yaml:"mutation" min:"0" max:"1" doc:"probability that a decision changes; 0 means one over the number of decisions"`
	// MutationEta is the distribution index of polynomial mutation; larger
	// takes smaller steps; 0 means 20.
	MutationEta float64 `yaml:"mutation_eta" default:"20" min:">0" max:"1000" doc:"index of polynomial mutation; larger takes smaller steps"`
	// Screen is that of [NSGA2].
	Screen string `yaml:"screen" default:"all" oneof:"all start none" doc:"designs made anew if free limits rule them out: all, those of the start, or none"`
}

func (o NSGA3) variation() variation {
	return variation{crossover: o.Crossover, crossoverEta: o.CrossoverEta, mutation: o.Mutation, mutationEta: o.MutationEta, screen: o.Screen}
}

// maxPoints bounds the number of reference points.
const maxPoints = 100_000

// New makes a searcher. It works on every space and any number of objectives up
// to 50, with or without limits.
func (o NSGA3) New(setup search.Setup) (search.Searcher, error) {
	c := checker{method: "nsga3"}
	c.setup(setup)
	c.population(o.Population, 2)
	c.variation(o.variation(), "1", "30", "20")
	m := max(setup.Objectives, 1)
	if m > 50 {
		c.fail("objectives", m, "at most 50")
	}
	if o.Partitions < 0 || o.Partitions > 1000 {
		c.fail("partitions", o.Partitions, "0 to 1000")
	}
	if o.Inner < 0 || o.Inner > 1000 {
		c.fail("inner", o.Inner, "0 to 1000")
	}
	if len(c.errs) == 0 {
		if n := latticeSize(m, o.Partitions, maxPoints) + latticeSize(m, o.Inner, maxPoints); n > maxPoints {
			c.fail("partitions", o.Partitions, fmt.Sprintf("at most %d reference points with %d objectives", maxPoints, m))
		}
	}
	if err := errors.Join(c.errs...); err != nil {
		return nil, err
	}
	points := referencePoints(m, o.Partitions, o.Inner, mostDirections(o.Population, setup.Budget))
	if o.Population == 0 {
		o.Population = (len(points)/m + 3) / 4 * 4
	}
	o.Crossover = cmp.Or(o.Crossover, 1)
	o.CrossoverEta = cmp.Or(o.CrossoverEta, 30)
	o.MutationEta = cmp.Or(o.MutationEta, 20)
	s := &nsga3{herd: newHerd(setup, "evolve/nsga3", o.Population, o.variation())}
	s.pick, s.choose, s.pairs = s.parents, s.survive, true
	s.plane.m = m
	for i := 0; i < len(points); i += m {
		norm := 0.0
		for _, x := range points[i : i+m] {
			norm += float64(x * x)
		}
		norm = math.Sqrt(norm)
		for _, x := range points[i : i+m] {
			s.lines = append(s.lines, x/norm)
		}
	}
	return s, nil
}

// mostDirections returns how many reference points or weights there may be for
// a population, 0 if it was not stated, and a budget.
func mostDirections(population int, budget int64) int {
	switch {
	case population > 0:
		return population
	case budget > 0 && budget < 2500:
		return defaultPopulation(budget)
	}
	return maxPoints
}

// referencePoints returns a lattice, that of the options or the usual one for m
// objectives, with at most as many points as there may be if that is possible.
func referencePoints(m, partitions, inner, most int) []float64 {
	if partitions > 0 {
		return twoLayers(m, partitions, inner)
	}
	usual := [...]int{1: 1, 2: 99, 3: 12, 4: 7, 5: 6, 6: 4, 7: 4, 8: 3, 9: 3, 10: 3}
	steps, layer := 2, 1
	if m < len(usual) {
		steps = usual[m]
		layer = 0
		if m >= 8 {
			layer = steps - 1
		}
	}
	if inner > 0 {
		layer = inner
	}
	if latticeSize(m, steps, maxPoints)+latticeSize(m, layer, maxPoints) > most {
		steps, layer = min(steps, latticeSteps(m, most)), inner
	}
	return twoLayers(m, steps, layer)
}

type nsga3 struct {
	herd
	pick   func() (a, b *member, cross bool)
	choose func()
	deck   deck

	plane plane
	lines []float64 // unit vectors, a row each

	front  []float64 // rows of the first front
	rows2  []float64 // rows of all that may survive
	scaled []float64
	count  []int32 // survivors by line
	open   []int32 // lines that may be chosen
	left   []int32 // members of the last front still to choose from, by line
	first  []int32 // by line, where they begin
	ends   []int32
}

func (s *nsga3) Ask(n int) ([]search.Proposal, error) { return s.ask(n, s.pick) }

func (s *nsga3) Tell(outcomes ...search.Outcome) { s.tell(outcomes, s.choose) }

func (s *nsga3) parents() (a, b *member, cross bool) {
	return s.tournament(), s.tournament(), s.crossover >= 1 || s.rand.Float64() < s.crossover
}

func (s *nsga3) tournament() *member {
	i, j := s.deck.pair(s.rand, s.size)
	a, b := &s.members[i], &s.members[j]
	switch {
	case a.violation != b.violation && !(a.feasible() && b.feasible()):
		if b.feasible() || !a.feasible() && b.violation < a.violation {
			return b
		}
	case a.niche == b.niche && (b.rank < a.rank || b.rank == a.rank && b.crowd < a.crowd):
		return b
	}
	return a // the cards are shuffled
}

func (s *nsga3) survive() {
	order := s.rank()
	m := s.objectives
	// The fronts that fit, the one that does not, and the feasible ones of both.
	fit, last, feasible := 0, len(order), 0
	for at := 0; at < len(order); {
		end := at + 1
		for end < len(order) && s.members[order[end]].rank == s.members[order[at]].rank {
			end++
		}
		if end > s.population {
			last = end
			break
		}
		fit, at = end, end
	}
	if fit == s.population || fit == len(order) {
		last = fit
	}
	s.front, s.rows2 = s.front[:0], s.rows2[:0]
	for _, i := range order[:last] {
		x := &s.members[i]
		if !x.feasible() {
			break
		}
		feasible++
		s.plane.see(s.loss(i))
		s.rows2 = append(s.rows2, s.loss(i)...)
		if x.rank == 0 {
			s.front = append(s.front, s.loss(i)...)
		}
	}
	for _, i := range order[feasible:last] {
		s.members[i].niche, s.members[i].crowd = -1, 0
	}
	if feasible > 0 {
		s.plane.fit(s.front, s.rows2)
		s.scaled = slices.Grow(s.scaled[:0], m)[:m]
		for k, i := range order[:feasible] {
			s.plane.normal(s.rows2[k*m:k*m+m], s.scaled)
			s.members[i].niche, s.members[i].crowd = nearestLine(s.lines, s.scaled)
		}
	}
	kept := order[:fit]
	if room := s.population - fit; room > 0 && last > fit {
		if feasible == last {
			kept = order[:fit+s.fill(order[:fit], order[fit:last], room)]
		} else { // infeasible ones of equal violation: any
			rest := order[fit:last]
			s.rand.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
			kept = order[:s.population]
		}
	}
	s.keep(kept)
	s.deck.reset()
}

// nearestLine returns the line nearest to a point and the distance from it.
func nearestLine(lines, x []float64) (line int32, distance float64) {
	m := len(x)
	most := math.Inf(-1)
	if m == 3 {
		a, b, c := x[0], x[1], x[2]
		for k := 0; k+2 < len(lines); k += 3 {
			if d := float64(lines[k]*a) + float64(lines[k+1]*b) + float64(lines[k+2]*c); d > most {
				most, line = d, int32(k/3)
			}
		}
	} else {
		for k := 0; k < len(lines); k += m {
			d := 0.0
			for j, w := range lines[k : k+m] {
				d += float64(w * x[j])
			}
			if d > most {
				most, line = d, int32(k/m)
			}
		}
	}
	for j, w := range lines[int(line)*m : int(line)*m+m] {
		e := x[j] - float64(most*w)
		distance += float64(e * e)
	}
	return line, math.Sqrt(distance)
}

// fill moves room members of the last front to its beginning, for the lines
// with fewest survivors first, and returns room.
func (s *nsga3) fill(chosen, rest []int32, room int) int {
	lines := len(s.lines) / s.objectives
	s.count = slices.Grow(s.count[:0], lines)[:lines]
	clear(s.count)
	for _, i := range chosen {
		s.count[s.members[i].niche]++
	}
	// Candidates by line, and of each line the nearest first.
	s.left = append(s.left[:0], rest...)
	slices.SortFunc(s.left, func(i, j int32) int {
		a, b := &s.members[i], &s.members[j]
		return cmp.Or(cmp.Compare(a.niche, b.niche), cmp.Compare(a.crowd, b.crowd), cmp.Compare(b.id, a.id))
	})
	s.first = slices.Grow(s.first[:0], lines)[:lines]
	s.ends = slices.Grow(s.ends[:0], lines)[:lines]
	s.open = s.open[:0]
	for at := 0; at < len(s.left); {
		k := s.members[s.left[at]].niche
		end := at + 1
		for end < len(s.left) && s.members[s.left[end]].niche == k {
			end++
		}
		s.first[k], s.ends[k] = int32(at), int32(end)
		s.open = append(s.open, k)
		at = end
	}
	for taken := range room {
		least, ties, at := int32(math.MaxInt32), 0, 0
		for i, k := range s.open {
			switch c := s.count[k]; {
			case c < least:
				least, ties, at = c, 1, i
			case c == least:
				if ties++; s.rand.IntN(ties) == 0 {
					at = i
				}
			}
		}
		k := s.open[at]
		from := s.first[k]
		if least > 0 { // any of them
			j := from + int32(s.rand.IntN(int(s.ends[k]-from)))
			s.left[from], s.left[j] = s.left[j], s.left[from]
		}
		rest[taken] = s.left[from]
		s.count[k]++
		if s.first[k]++; s.first[k] == s.ends[k] {
			s.open[at] = s.open[len(s.open)-1]
			s.open = s.open[:len(s.open)-1]
		}
	}
	return room
}
