package evolve

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/fresh"
	"github.com/daedalus-search/daedalus/space"
)

// Ants is ant colony optimisation for one objective: an ant walks through the
// decisions of a design and takes each option with a probability in proportion
// to the pheromone that good designs left on it.
//
// It is the MAX-MIN ant system (Stützle and Hoos 2000) in the hyper-cube
// framework (Blum and Dorigo 2004): after each round of Ants outcomes the
// pheromone of every option moves by the share Evaporation towards 1 if the best
// design has it and towards 0 otherwise, so that losses may have any scale, and
// never leaves [least, 1-least]. least is such that an ant of a colony that has
// converged repeats the best design with probability Converged. The best design
// is that of the round, and every third round the best ever; the pheromone is
// smoothed when the colony has converged and ten rounds brought nothing better.
//
// With probability Greed an ant takes the option of most pheromone, as in the
// ant colony system (Dorigo and Gambardella 1997). Decisions are known by their
// site, so that conditional, repeated and derived ones are learned wherever they
// occur; what is not legal is left out. Options start with the prior of their
// parameter. Real numbers, and ordered options from 33 on, are drawn around
// those of one of the 16 best designs that have them, with the mean distance to
// the others as standard deviation (ACO_R, Socha and Dorigo 2008).
//
// A design that was proposed before is walked anew, up to 50 times, then
// mutated, and at last one is drawn; a space of up to 65,536 designs ends with
// [search.ErrExhausted]. Outcomes count for the round in which they arrive, as
// do foreign ones. Feasible designs come before infeasible ones, these by their
// violation.
//
// A trial costs a few microseconds for each ten decisions, however many there
// were, and memory for each different site: those of a grammar are counted up
// to a depth; at most 65,536 sites are learned.
//
// The zero value is ready to use with the defaults given on each field.
type Ants struct {
	// Ants is how many outcomes make a round; 0 means 16, or half the square
	// root of a budget below 1,024 trials, at least 2: few rounds teach a colony
	// nothing (docs/benchmarks.md).
	Ants int `yaml:"ants" min:"0" max:"100000" doc:"outcomes of a round; 0 means 16, or half the root of a budget below 1,024"`
	// Evaporation is the share by which pheromone moves in a round; 0 means
	// 0.2, or 0.5 with a budget below 1,024.
	Evaporation float64 `yaml:"evaporation" min:"0" max:"1" doc:"share by which pheromone moves in a round; 0 means 0.2, or 0.5 with a budget below 1,024"`
	// Greed is the probability that an option of most pheromone is taken rather
	// than one drawn; 0 draws always.
	Greed float64 `yaml:"greed" default:"0" min:"0" max:"<1" doc:"probability that the option of most pheromone is taken"`
	// Converged is the probability with which a colony that has converged
	// repeats the best design, which bounds the pheromone; 0 means 0.3.
	Converged float64 `yaml:"converged" default:"0.3" min:">0" max:"<1" doc:"probability that a converged colony repeats the best design; bounds the pheromone"`
	// Screen is that of [NSGA2].
	Screen string `yaml:"screen" default:"all" oneof:"all start none" doc:"designs made anew if free limits rule them out: all, those of the start, or none"`
}

// New makes a searcher. It works on every space, with or without limits, for
// one objective.
func (o Ants) New(setup search.Setup) (search.Searcher, error) {
	c := checker{method: "ants"}
	c.setup(setup)
	if setup.Objectives > 1 {
		c.fail("objectives", setup.Objectives, "1; nsga2 searches for several")
	}
	if o.Ants != 0 && (o.Ants < 2 || o.Ants > 100_000) {
		c.fail("ants", o.Ants, "2 to 100000, or 0 for the default")
	}
	if !(o.Evaporation >= 0 && o.Evaporation <= 1) {
		c.fail("evaporation", o.Evaporation, "a share above 0, or 0 for the default")
	}
	if !(o.Greed >= 0 && o.Greed < 1) {
		c.fail("greed", o.Greed, "a probability below 1")
	}
	if !(o.Converged >= 0 && o.Converged < 1) {
		c.fail("converged", o.Converged, "a probability above 0 and below 1, or 0 for 0.3")
	}
	switch o.Screen {
	case "", "all", "start", "none":
	default:
		c.fail("screen", fmt.Sprintf("%q", o.Screen), "all, start or none")
	}
	if err := errors.Join(c.errs...); err != nil {
		return nil, err
	}
	short := setup.Budget > 0 && setup.Budget < 1024
	if o.Ants == 0 {
		o.Ants = 16
		if short {
			o.Ants = max(int(math.Sqrt(float64(setup.Budget))/2), 2)
		}
	}
	if o.Evaporation == 0 {
		o.Evaporation = 0.2
		if short {
			o.Evaporation = 0.5
		}
	}
	o.Converged = cmp.Or(o.Converged, 0.3)
	r := rng.New(setup.Seed, "evolve/ants", 0)
	s := &ants{
		Ants: o, space: setup.Space, rand: r, fresh: fresh.New(setup.Space, r), ledger: search.NewLedger(setup),
		trails: map[uint64]*trail{},
	}
	if o.Screen != "none" {
		s.admit = setup.Admit
		s.children = o.Screen != "start"
	}
	return s, nil
}

const (
	maxTrails  = 1 << 16 // sites that are learned
	manyLevels = 32      // ordered options up to which each has pheromone
	elite      = 16      // values around which numbers are drawn
	stuck      = 10      // rounds without progress before pheromone is smoothed
)

// A trail is what is known about the answers to one decision.
type trail struct {
	tau   []float64 // pheromone of each option
	prior []float64 // what it was at first
	best  []spot    // of a number, the best first
}

// A spot is a number that a good design had, on the unit scale.
type spot struct {
	u     float64
	score metric.Score
	id    int64
}

type found struct {
	id     int64
	design space.Design
	score  metric.Score
}

func (f *found) better(g *found) bool {
	c := metric.Compare(f.score, g.score)
	return c < 0 || c == 0 && f.id > g.id && g.id > 0
}

type ants struct {
	Ants
	space    *space.Space
	rand     *rand.Rand
	fresh    *fresh.Source
	ledger   search.Ledger
	admit    func(space.Design) bool
	children bool

	trails  map[uint64]*trail
	rounds  int
	stale   int // rounds since the best was found
	arrived int
	round   found // best of the round
	best    found
	least   float64 // pheromone there is at least
	news    bool    // the round brought a better design

	answers []space.Answer
	weights []float64
}

// Batch returns the number of ants: what is proposed in a round.
func (s *ants) Batch() int { return s.Ants.Ants }

func (s *ants) Ask(n int) ([]search.Proposal, error) { return search.Each(n, s.propose) }

func (s *ants) propose() (search.Proposal, error) {
	screen := 0
	switch {
	case s.admit == nil:
	case s.rounds == 0: // until something is learned a walk is a random design
		screen = drawTries
	case s.children:
		screen = screenTries
	}
	operator := "walk"
	if s.rounds == 0 {
		operator = "random"
	}
	for tries := breedTries; tries > 0; tries-- {
		d, err := s.walk()
		if err != nil {
			break
		}
		if screen > 0 && !s.ledger.Seen(d) && !s.admit(d) {
			screen--
			tries++
			continue
		}
		if p, ok := s.ledger.ProposeNew(d, operator, s.lineage()...); ok {
			return p, nil
		}
	}
	if s.best.id != 0 {
		d := s.best.design
		for range breedTries {
			d = s.space.Mutate(s.rand, d, space.Mutation{})
			if s.admit != nil && s.children && !s.admit(d) {
				continue
			}
			if p, ok := s.ledger.ProposeNew(d, "mutate", s.best.id); ok {
				return p, nil
			}
		}
	}
	d, err := s.fresh.Next(s.ledger.Seen)
	if err != nil {
		return search.Proposal{}, err
	}
	return s.ledger.Propose(d, "random"), nil
}

// lineage is the design that left the pheromone last.
func (s *ants) lineage() []int64 {
	if s.rounds == 0 {
		return nil
	}
	return []int64{s.best.id}
}

// walk takes an ant through the decisions of a design.
func (s *ants) walk() (space.Design, error) {
	if s.rounds == 0 {
		return s.space.Sample(s.rand)
	}
	var err error
	for range 20 { // constraints may end a walk
		w := s.space.Walk()
		for {
			d, more := w.Next()
			if !more || !s.step(w, d) {
				break
			}
		}
		var out space.Design
		if out, err = w.Design(); err == nil {
			return out, nil
		}
	}
	return space.Design{}, err
}

// step answers a decision and reports whether the walk can go on.
func (s *ants) step(w *space.Walker, d space.Decision) bool {
	t := s.trails[d.Site]
	if t == nil {
		return w.ChooseRandom(s.rand)
	}
	if t.tau == nil {
		index, real := d.Nearest(s.sample(t, d))
		if d.N == 0 {
			w.ChooseReal(min(max(real, d.Lo), d.Hi))
			return !w.Dead()
		}
		if !w.Legal(index) {
			return w.ChooseRandom(s.rand)
		}
		w.Choose(index)
		return !w.Dead()
	}
	if len(t.tau) != d.N {
		return w.ChooseRandom(s.rand)
	}
	s.weights = s.weights[:0]
	sum, top := 0.0, -1
	for i, tau := range t.tau {
		if !w.Legal(i) {
			tau = 0
		} else if top < 0 || tau > t.tau[top] {
			top = i
		}
		sum += tau
		s.weights = append(s.weights, sum)
	}
	if top < 0 {
		return false
	}
	if s.Greed > 0 && s.uniform() < s.Greed {
		w.Choose(top)
		return !w.Dead()
	}
	u := s.uniform() * sum
	i, _ := slices.BinarySearchFunc(s.weights, u, func(w, u float64) int {
		if w <= u {
			return -1
		}
		return 1
	})
	if i = min(i, len(s.weights)-1); !w.Legal(i) {
		i = top
	}
	w.Choose(i)
	return !w.Dead()
}

func (s *ants) uniform() float64 { return float64(s.rand.Uint64()>>11) * 0x1p-53 }

// sample draws a number around one of the best, the better ones more often.
func (s *ants) sample(t *trail, d space.Decision) float64 {
	k := len(t.best)
	if s.uniform() < s.least { // some stay as the prior draws them
		return unitOfPrior(d, s.uniform())
	}
	// Weights fall linearly with the rank.
	at := int(float64(k) * (1 - math.Sqrt(1-s.uniform())))
	at = min(at, k-1)
	centre, spread := t.best[at].u, 0.0
	for _, b := range t.best {
		spread += math.Abs(b.u - centre)
	}
	sigma := 0.1
	if k > 1 {
		sigma = max(0.85*spread/float64(k-1), 1e-6)
	}
	u := centre + float64(sigma*rng.Norm(s.rand))
	for u < 0 || u > 1 { // fold back
		if u < 0 {
			u = -u
		}
		if u > 1 {
			u = 2 - u
		}
	}
	return u
}

// unitOfPrior is the place on the unit scale of a draw from the prior.
func unitOfPrior(d space.Decision, u float64) float64 { return d.Unit(d.FromUnit(u)) }

func (s *ants) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		o := &outcomes[i]
		if !s.ledger.Accept(o) {
			continue
		}
		if o.Usable() && len(o.Score.Loss) == 1 && o.Design.Space() == s.space {
			f := found{o.ID, o.Design, metric.Score{Loss: slices.Clone(o.Score.Loss), Violation: o.Score.Violation}}
			s.note(&f)
			if s.round.id == 0 || f.better(&s.round) {
				s.round = f
			}
			if s.best.id == 0 || f.better(&s.best) {
				s.news = s.news || s.best.id == 0 || metric.Compare(f.score, s.best.score) < 0
				s.best = f
			}
		}
		if s.arrived++; s.arrived >= s.Ants.Ants {
			s.lay()
		}
	}
}

// note makes trails for the decisions of a design and remembers its numbers.
func (s *ants) note(f *found) {
	s.answers = f.design.Decisions(s.answers[:0])
	for i := range s.answers {
		a := &s.answers[i]
		t := s.trails[a.Site]
		if t == nil {
			if len(s.trails) >= maxTrails {
				continue
			}
			t = &trail{}
			s.trails[a.Site] = t
			if a.N > 0 && !(a.Ordered() && a.N > manyLevels) {
				t.tau = make([]float64, a.N)
				for k := range t.tau {
					t.tau[k] = 1 / float64(a.N)
					switch a.Role {
					case space.RolePick, space.RoleLevel:
						t.tau[k] = a.Param.Weight(k)
					}
				}
				t.prior = slices.Clone(t.tau)
			}
		}
		if t.tau != nil {
			continue
		}
		at := len(t.best)
		for at > 0 && metric.Compare(f.score, t.best[at-1].score) <= 0 {
			at--
		}
		if at >= elite {
			continue
		}
		t.best = slices.Insert(t.best, at, spot{u: a.Unit(a.Index, a.Real), score: f.score, id: f.id})
		if len(t.best) > elite {
			t.best = t.best[:elite]
		}
	}
}

// lay moves the pheromone towards the best of the round, or the best ever.
func (s *ants) lay() {
	s.arrived = 0
	if s.best.id == 0 {
		return // nothing worked yet
	}
	s.rounds++
	s.stale++
	if s.news {
		s.stale, s.news = 0, false
	}
	leader := &s.round
	if s.rounds%3 == 0 || s.round.id == 0 {
		leader = &s.best
	}
	s.answers = leader.design.Decisions(s.answers[:0])
	// Each of n decisions keeps to the best with probability Converged^(1/n).
	n := 0
	for i := range s.answers {
		if s.answers[i].N != 1 {
			n++
		}
	}
	s.least = 1 - detmath.Exp(detmath.Log(s.Converged)/float64(max(n, 1)))
	settled := true
	for i := range s.answers {
		a := &s.answers[i]
		t := s.trails[a.Site]
		if t == nil || len(t.tau) < 2 || len(t.tau) != a.N {
			continue
		}
		floor := s.least / float64(a.N-1)
		for k := range t.tau {
			goal := 0.0
			if k == a.Index {
				goal = 1
			}
			t.tau[k] += float64(s.Evaporation * (goal - t.tau[k]))
			t.tau[k] = min(max(t.tau[k], floor), 1-s.least)
		}
		settled = settled && slices.Max(t.tau) > 1-2*s.least
	}
	s.round = found{}
	if settled && s.stale >= stuck || s.stale >= 5*stuck {
		s.stale = 0
		for i := range s.answers {
			if t := s.trails[s.answers[i].Site]; t != nil {
				for k := range t.tau {
					t.tau[k] += float64(0.5 * (t.prior[k] - t.tau[k]))
				}
			}
		}
	}
}
