package illuminate

import (
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/genome"
	"github.com/daedalus-search/daedalus/search/vector"
	"github.com/daedalus-search/daedalus/space"
)

// mixer fills an archive with the designs of several emitters. It keeps the books
// of [mapElites] and proposes in its own way.
type mixer struct {
	*mapElites
	emitters []emitter
	bandit   *vector.Bandit // nil lets each make its batch in turn
	turn     int
	left     int
	rides    map[int64]ride // by proposal

	// Thresholds of cells, for CMA-MAE (Fontaine and Nikolaidis 2023).
	rate      float64 // below 1; 0 means none
	threshold []float64
	floor     float64 // of cells where nothing passed it yet
	frozen    bool    // the floor is final
	setFloor  bool    // it was an option
}

// An emitter makes designs for a mixer.
type emitter interface {
	// emit makes a design from what the archive holds; x is what observe needs to
	// know of it. An error says that nothing could be made this time.
	emit(s *mixer) (d space.Design, r ride, err error)

	// known says that the design emit made was proposed before.
	known(s *mixer, r ride)

	// observe says what became of a design.
	observe(s *mixer, r ride, status metric.Status, gain float64)

	// batch is how many designs the emitter makes before the next one's turn.
	batch() int
}

// A ride is what is kept of a proposal that waits.
type ride struct {
	emitter  int
	operator string
	parents  [2]int64
	number   int64
	x        []float64
}

// Batch implements [search.Batcher].
func (s *mixer) Batch() int { return s.MAPElites.Batch }

func (s *mixer) Ask(n int) ([]search.Proposal, error) {
	if err := s.lost(); err != nil {
		return nil, err
	}
	return search.Each(n, s.propose)
}

func (s *mixer) propose() (search.Proposal, error) {
	if s.asked+s.foreign < s.Initial || !s.breeds() {
		p, err := s.random()
		if err == nil {
			s.asked++
		}
		return p, err
	}
	s.frozen = s.frozen || s.held
	for try := range breedTries {
		k := s.choose()
		d, r, err := s.emitters[k].emit(s)
		if err != nil {
			continue
		}
		r.emitter = k
		if !s.wanted(d) {
			s.emitters[k].known(s, r)
			if s.bandit != nil && try%8 == 7 {
				s.bandit.Reward(k, 0)
			}
			continue
		}
		p := s.ledger.Propose(d, r.operator)
		for _, id := range r.parents {
			if id != 0 {
				p.Parents = append(p.Parents, id)
			}
		}
		s.rides[p.ID] = r
		s.asked++
		return p, nil
	}
	p, err := s.mapElites.propose() // walks away from the elites
	if err == nil {
		s.asked++
	}
	return p, err
}

// choose returns the emitter of the next design.
func (s *mixer) choose() int {
	if s.bandit != nil {
		return s.bandit.Choose()
	}
	if s.left == 0 {
		s.turn = (s.turn + 1) % len(s.emitters)
		s.left = s.emitters[s.turn].batch()
	}
	s.left--
	return s.turn
}

func (s *mixer) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		o := &outcomes[i]
		if !s.ledger.Accept(o) {
			continue
		}
		r, ok := s.rides[o.ID]
		delete(s.rides, o.ID)
		status, placed := s.take(o)
		gain := math.Inf(-1)
		switch {
		case placed:
			status, gain = s.gain(status, 0-o.Score.Loss[0])
		case o.Usable() && !o.Score.Feasible(): // the less it misses, the better
			gain = -1e300 * (1 + o.Score.Violation/(1+o.Score.Violation))
		}
		if !ok {
			continue
		}
		entered := status == metric.New || status == metric.Improved
		if s.bandit != nil {
			reward := 0.0
			if entered {
				reward = 1
			}
			s.bandit.Reward(r.emitter, reward)
		}
		s.emitters[r.emitter].observe(s, r, status, gain)
	}
}

// gain says how far an objective with the measures in s.at passes its cell's
// threshold, and moves that. Without a rate the threshold is the objective of the
// elite, and a new cell gains the objective itself.
func (s *mixer) gain(status metric.Status, objective float64) (metric.Status, float64) {
	cell, ok := s.archive.Cell(s.at)
	if !ok {
		return metric.Rejected, math.Inf(-1)
	}
	if s.rate == 0 {
		old := s.threshold[cell]
		if math.IsNaN(old) || objective > old {
			s.threshold[cell] = objective
		}
		if math.IsNaN(old) {
			return status, objective
		}
		return status, objective - old
	}
	if !s.frozen {
		if !s.setFloor {
			s.floor = min(s.floor, objective)
		}
		return status, 0
	}
	t := s.threshold[cell]
	if math.IsNaN(t) {
		t = s.floor
	}
	gain := objective - t
	if !(gain > 0) {
		return metric.Rejected, gain
	}
	status = metric.Improved
	if math.IsNaN(s.threshold[cell]) {
		status = metric.New
	}
	s.threshold[cell] = t + float64(s.rate*gain)
	return status, gain
}

// newMixer makes a mixer without emitters.
func newMixer(base *mapElites) *mixer {
	s := &mixer{mapElites: base, turn: -1, rides: map[int64]ride{}, floor: math.Inf(1), threshold: make([]float64, base.archive.Cells())}
	for i := range s.threshold {
		s.threshold[i] = math.NaN()
	}
	return s
}

// breeder makes designs by mutation and crossover of elites, on any space.
type breeder struct{ cross bool }

func (b breeder) emit(s *mixer) (space.Design, ride, error) {
	a := s.elite()
	d, r := a.Design, ride{operator: "mutate", parents: [2]int64{a.ID}}
	if b.cross {
		if o := s.elite(); o.ID != a.ID {
			d = s.space.Cross(s.rand, a.Design, o.Design, space.Crossover{})
			r.operator, r.parents[1] = "cross", o.ID
			if d != a.Design && d != o.Design {
				return d, r, nil
			}
			r.operator = "cross+mutate"
		}
	}
	return s.space.Mutate(s.rand, d, space.Mutation{Sites: s.Edits, Sigma: s.Sigma}), r, nil
}

func (breeder) known(*mixer, ride)                           {}
func (breeder) observe(*mixer, ride, metric.Status, float64) {}
func (breeder) batch() int                                   { return 1 }

// along makes designs on the lines between elites.
type along struct {
	breeder
	line *liner
}

func (l along) emit(s *mixer) (space.Design, ride, error) {
	a, b := s.elite(), s.elite()
	d, err := l.line.between(a.Design, b.Design)
	return d, ride{operator: "line", parents: [2]int64{a.ID, b.ID}}, err
}

// afresh draws designs from the prior.
type afresh struct{ breeder }

func (afresh) emit(s *mixer) (space.Design, ride, error) {
	d, err := s.fresh.Next(s.ledger.Seen)
	return d, ride{operator: "random"}, err
}

// strategy makes designs from a distribution that is led by what improves the
// archive.
type strategy struct {
	es     *vector.Improvement
	genome *genome.Genome
	point  []float64
}

// newStrategies makes emitters of normal distributions, each of which begins at
// an elite of its own.
func newStrategies(n, batch int, sigma float64, annealing bool, g *genome.Genome, seed uint64) ([]emitter, error) {
	cs := g.Coordinates()
	if len(cs) == 0 {
		cs = vector.Reals(1, 0, 1)
	}
	var out []emitter
	for i := range n {
		es, err := vector.NewImprovement(vector.ImprovementOptions{
			Coordinates: cs, Sigma: sigma, Batch: batch, Separable: len(cs) > 200, Annealing: annealing, Seed: seed + uint64(i)*0x9E3779B97F4A7C15,
		})
		if err != nil {
			return nil, err
		}
		out = append(out, &strategy{es: es, genome: g, point: make([]float64, len(cs))})
	}
	return out, nil
}

func (e *strategy) batch() int { return e.es.Batch() }

func (e *strategy) emit(s *mixer) (space.Design, ride, error) {
	if !e.es.Begun() {
		e.restart(s)
	}
	r := ride{operator: "cma", x: make([]float64, len(e.point))}
	r.number = e.es.CMA.Ask(r.x)
	e.es.Decode(e.point, r.x)
	d, err := e.genome.Design(e.point)
	if err != nil {
		e.observe(s, r, metric.Rejected, math.Inf(-1))
	}
	return d, r, err
}

func (e *strategy) known(s *mixer, r ride) { e.observe(s, r, metric.Rejected, math.Inf(-1)) }

func (e *strategy) observe(s *mixer, r ride, status metric.Status, gain float64) {
	if e.es.Observe(r.number, r.x, status, gain) {
		e.restart(s)
	}
}

// restart begins at a random elite.
func (e *strategy) restart(s *mixer) {
	if !s.breeds() {
		e.es.Restart(nil)
		return
	}
	for i := range e.point {
		e.point[i] = s.rand.Float64()
	}
	if e.genome.Move(e.point, s.elite().Design) != nil {
		e.es.Restart(nil)
		return
	}
	x := slices.Clone(e.point)
	e.es.Encode(x, e.point)
	e.es.Restart(x)
}
