// Package searchtest holds the laws of package search as tests that every
// searcher must pass, those of other modules too.
//
//	func TestRegularized(t *testing.T) {
//		searchtest.Run(t, evolve.Regularized{Population: 20}, searchtest.Repeats())
//	}
//
// The laws are, on each kind of space that the method accepts:
//
//   - SameSeedSameProposals: proposals are a function of setup and calls.
//   - DifferentSeedsDiffer: the seed matters (unless [SeedFree]).
//   - ProposalsBelongToSpace: designs are of the space and survive JSON; IDs
//     count 1, 2, 3, …; parents were told; fidelities lie in [0, 1].
//   - AtLeastOneOrExhausted: Ask(n) gives 1 to n proposals, or ErrExhausted and
//     none, also for n below 1.
//   - AskManyAtOnce: hundreds of proposals may be pending.
//   - OutcomesInAnyOrder: results may come shuffled, late and in pieces.
//   - LostTrialsDoNotStall: results that never come do not end the search.
//   - ToldTwiceIsToldOnce: repeated and unknown outcomes change nothing.
//   - ForeignOutcomesAreLearned: designs of other origin are taken in, once.
//   - FailedAndNaNAreSurvived: so are failures, partial, infinite and missing
//     results, and results with limits violated.
//   - ReplayGivesSameNextAsk: a searcher is rebuilt by replaying its calls.
//   - SeveralObjectives: two objectives work, unless [OneObjective].
//   - FiniteSpaceEnds: a space of 12 designs ends in ErrExhausted after each was
//     proposed once, unless [Repeats].
//   - CostFlat: an ask costs at 20,000 trials about what it costs at 500.
//   - EqualDesignsOnce: of designs with equal keys one is proposed.
//   - ConstantObjective, AllInfeasibleAtFirst, AllInfeasible, ExtremeLosses,
//     OneDesign, BudgetBelowInitialDesign, TenThousandCategories,
//     ThousandParameters: strange but legal questions are survived.
//   - FidelitiesArePromoted: with [Graded], fidelities are such as the problem
//     has, a design is promoted from where it was measured to more effort, never
//     measured twice at a fidelity, and a known budget ends with a full
//     measurement. The other laws are checked with fidelities too.
//   - RefusesFullOnly: with [Graded], New refuses a problem without fidelities.
//   - RefusesWithReason: New gives an error that says why on the kinds of space
//     that the method was declared to refuse.
package searchtest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

// Func makes a [search.Method] of a function.
type Func func(search.Setup) (search.Searcher, error)

// New implements [search.Method].
func (f Func) New(s search.Setup) (search.Searcher, error) { return f(s) }

// An Option tells [Run] what to expect of a method.
type Option func(*suite)

// Refuses declares kinds of space on which New must give an error.
func Refuses(kinds ...Kind) Option {
	return func(s *suite) { s.refused = append(s.refused, kinds...) }
}

// Repeats declares that the method may propose a design again, as its
// documentation must say, so that a finite space does not end.
func Repeats() Option { return func(s *suite) { s.repeats = true } }

// OneObjective declares that New must refuse more than one objective.
func OneObjective() Option { return func(s *suite) { s.single = true } }

// SeedFree declares that proposals do not depend on the seed.
func SeedFree() Option { return func(s *suite) { s.seedFree = true } }

// Trials sets how many trials CostFlat runs; 0 leaves that law out. The default
// is 20,000. A method whose cost grows must say so in its documentation.
func Trials(n int) Option { return func(s *suite) { s.trials = n } }

// Budget sets the budget that searchers are told; the default is 0, unknown.
func Budget(n int64) Option { return func(s *suite) { s.budget = n } }

// Graded declares that the method is for problems with fidelities: it is given
// one of 1 to 27 epochs.
func Graded() Option { return func(s *suite) { s.graded = true } }

type suite struct {
	graded   bool
	method   search.Method
	refused  []Kind
	repeats  bool
	single   bool
	seedFree bool
	trials   int
	budget   int64
}

// Run checks every law.
func Run(t *testing.T, method search.Method, options ...Option) {
	s := &suite{method: method, trials: 20_000}
	for _, o := range options {
		o(s)
	}
	laws := []struct {
		name  string
		check func(*suite, *testing.T, *space.Space)
	}{
		{"SameSeedSameProposals", (*suite).sameSeed},
		{"DifferentSeedsDiffer", (*suite).differentSeeds},
		{"ProposalsBelongToSpace", (*suite).belong},
		{"AtLeastOneOrExhausted", (*suite).atLeastOne},
		{"AskManyAtOnce", (*suite).askMany},
		{"OutcomesInAnyOrder", (*suite).anyOrder},
		{"LostTrialsDoNotStall", (*suite).lost},
		{"ToldTwiceIsToldOnce", (*suite).toldTwice},
		{"ForeignOutcomesAreLearned", (*suite).foreign},
		{"FailedAndNaNAreSurvived", (*suite).failures},
		{"ReplayGivesSameNextAsk", (*suite).replay},
		{"SeveralObjectives", (*suite).several},
	}
	if !slices.Contains(s.refused, Flat) && !slices.Contains(s.refused, Constrained) {
		t.Run("hard", func(t *testing.T) {
			t.Parallel()
			s.hard(t)
		})
	}
	if s.graded {
		t.Run("RefusesFullOnly", func(t *testing.T) { s.refuses(t, Space(Flat)) })
	}
	for _, kind := range Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			sp := Space(kind)
			if slices.Contains(s.refused, kind) {
				t.Run("RefusesWithReason", func(t *testing.T) { s.refuses(t, sp) })
				return
			}
			for _, law := range laws {
				t.Run(law.name, func(t *testing.T) { law.check(s, t, sp) })
			}
			if s.graded {
				t.Run("FidelitiesArePromoted", func(t *testing.T) { s.promoted(t, sp) })
			}
			switch kind {
			case Tiny:
				t.Run("FiniteSpaceEnds", func(t *testing.T) { s.ends(t, sp) })
			case Flat:
				t.Run("CostFlat", func(t *testing.T) { s.costFlat(t, sp) })
			}
		})
	}
}

// A run drives one searcher and writes down what was proposed.
type run struct {
	t        *testing.T
	searcher search.Searcher
	setup    search.Setup
	last     int64
	asked    []search.Proposal
	ended    bool
	effort   map[int64]search.Proposal // proposals of a graded problem
	measured map[effort]bool           // what was proposed
}

// An effort is a design at a fidelity.
type effort struct {
	design space.Design
	share  float64
}

func (s *suite) start(t *testing.T, sp *space.Space, seed uint64, objectives int) *run {
	t.Helper()
	return s.startWith(t, search.Setup{Space: sp, Objectives: objectives, Limits: true, Seed: seed})
}

// startWith makes a searcher for a setup, to which it adds what the suite knows.
func (s *suite) startWith(t *testing.T, setup search.Setup) *run {
	t.Helper()
	setup.Budget = s.budget
	if s.graded {
		setup.Fidelity = problem.Fidelity{Name: "epochs", Min: 1, Max: 27, Whole: true}
	}
	searcher, err := s.method.New(setup)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return &run{t: t, searcher: searcher, setup: setup, effort: map[int64]search.Proposal{}, measured: map[effort]bool{}}
}

// ask asks and checks what every answer must be.
func (r *run) ask(n int) []search.Proposal {
	r.t.Helper()
	ps, err := r.searcher.Ask(n)
	if errors.Is(err, search.ErrExhausted) {
		if len(ps) > 0 {
			r.t.Fatalf("Ask(%d) = %d proposals and ErrExhausted; expected one or the other", n, len(ps))
		}
		r.ended = true
		return nil
	}
	if err != nil {
		r.t.Fatalf("Ask(%d): %v", n, err)
	}
	if len(ps) < 1 || len(ps) > max(n, 1) {
		r.t.Fatalf("Ask(%d) = %d proposals; expected 1 to %d", n, len(ps), max(n, 1))
	}
	for _, p := range ps {
		r.last++
		if p.ID != r.last {
			r.t.Fatalf("proposal %d has ID %d", r.last, p.ID)
		}
		if p.Design.IsZero() || p.Design.Space() != r.setup.Space {
			r.t.Fatalf("proposal %d is a design of another space", p.ID)
		}
		if !(p.Fidelity >= 0 && p.Fidelity <= 1) {
			r.t.Fatalf("proposal %d has fidelity %v; expected 0 to 1", p.ID, p.Fidelity)
		}
		if r.setup.Fidelity.Graded() {
			r.graded(p)
		} else if !problem.Full(p.Fidelity) || p.Operator == search.Promote {
			r.t.Fatalf("proposal %d (%s) has fidelity %v for a problem that is measured in full", p.ID, p.Operator, p.Fidelity)
		}
		r.asked = append(r.asked, p)
	}
	return ps
}

// graded checks a proposal for a problem with fidelities.
func (r *run) graded(p search.Proposal) {
	r.t.Helper()
	share := p.Fidelity
	if problem.Full(share) {
		share = 1
	}
	if r.setup.Fidelity.Snap(share) != share {
		r.t.Fatalf("proposal %d has fidelity %v, which the problem has not; the nearest is %v", p.ID, share, r.setup.Fidelity.Snap(share))
	}
	if at := (effort{p.Design, share}); r.measured[at] {
		r.t.Fatalf("proposal %d, %s at fidelity %v, was proposed before", p.ID, p.Design, share)
	} else {
		r.measured[at] = true
	}
	r.effort[p.ID] = p
	if p.Operator != search.Promote {
		return
	}
	if len(p.Parents) != 1 {
		r.t.Fatalf("proposal %d is a promotion with the parents %v; expected the one that it goes on from", p.ID, p.Parents)
	}
	if p.Parents[0] < 0 {
		return
	}
	from := r.effort[p.Parents[0]]
	if from.Design != p.Design || from.Fidelity >= share || problem.Full(from.Fidelity) {
		r.t.Fatalf("proposal %d promotes proposal %d, of %s at %v, to %s at %v; expected the same design and more effort",
			p.ID, from.ID, from.Design, from.Fidelity, p.Design, share)
	}
}

// measure judges a design: a smooth, deterministic, multi-modal function of its
// decisions, another one for each objective.
func measure(d space.Design, objectives int) []float64 {
	loss := make([]float64, objectives)
	answers := d.Decisions(nil)
	for i := range loss {
		for _, a := range answers {
			want := float64((a.Site>>(8*i))%101) / 100
			u := a.Unit(a.Index, a.Real) - want
			loss[i] += float64(u*u) / float64(len(answers))
		}
	}
	return loss
}

func (r *run) outcome(p search.Proposal) search.Outcome {
	o := search.Outcome{
		ID: p.ID, Design: p.Design, Status: search.Complete, Fidelity: p.Fidelity,
		Score: metric.Score{Loss: measure(p.Design, max(r.setup.Objectives, 1))},
	}
	if !problem.Full(p.Fidelity) { // less effort: worse, and not quite in order
		for i := range o.Score.Loss {
			o.Score.Loss[i] += float64((1 - p.Fidelity) * (1 + float64(p.Design.Hash()[i])/2560))
		}
	}
	return o
}

func (r *run) outcomes(ps []search.Proposal) []search.Outcome {
	out := make([]search.Outcome, len(ps))
	for i, p := range ps {
		out[i] = r.outcome(p)
	}
	return out
}

// steps asks and tells, n proposals in all or until the space ends.
func (r *run) steps(n, batch int) {
	r.t.Helper()
	for done := 0; done < n && !r.ended; {
		ps := r.ask(batch)
		r.searcher.Tell(r.outcomes(ps)...)
		done += len(ps)
	}
}

func (r *run) designs() []string {
	out := make([]string, len(r.asked))
	for i, p := range r.asked {
		out[i] = p.Design.String()
	}
	return out
}

// same fails unless two searchers answer the next asks alike.
func same(t *testing.T, what string, a, b *run) {
	t.Helper()
	for range 4 {
		from, to := len(a.asked), len(b.asked)
		a.ask(3)
		b.ask(3)
		if diff := cmp.Diff(a.designs()[from:], b.designs()[to:]); diff != "" {
			t.Fatalf("%s: the next asks differ (-want +got):\n%s", what, diff)
		}
		a.searcher.Tell(a.outcomes(a.asked[from:])...)
		b.searcher.Tell(b.outcomes(b.asked[to:])...)
	}
}

func (s *suite) sameSeed(t *testing.T, sp *space.Space) {
	a, b := s.start(t, sp, 7, 1), s.start(t, sp, 7, 1)
	for _, n := range []int{1, 5, 1, 1, 3, 10, 1, 7} {
		a.steps(n, n)
		b.steps(n, n)
	}
	a.steps(120, 1)
	b.steps(120, 1)
	for i := range a.asked {
		if diff := cmp.Diff(a.asked[i], b.asked[i], cmp.Comparer(func(x, y space.Design) bool { return x == y })); diff != "" {
			t.Fatalf("proposal %d differs between two searchers with the same seed and calls:\n%s", i+1, diff)
		}
	}
}

func (s *suite) differentSeeds(t *testing.T, sp *space.Space) {
	a, b := s.start(t, sp, 1, 1), s.start(t, sp, 2, 1)
	a.steps(12, 1)
	b.steps(12, 1)
	if differ := !reflect.DeepEqual(a.designs(), b.designs()); differ == s.seedFree {
		t.Errorf("seeds 1 and 2 give different first designs: %v, want %v", differ, !s.seedFree)
	}
}

func (s *suite) belong(t *testing.T, sp *space.Space) {
	r := s.start(t, sp, 3, 1)
	r.steps(150, 4)
	for _, p := range r.asked {
		text := p.Design.AppendJSON(nil)
		back, err := sp.ParseJSON(text)
		if err != nil {
			t.Fatalf("proposal %d: %s does not belong to the space: %v", p.ID, text, err)
		}
		if back != p.Design {
			t.Fatalf("proposal %d: %s reads back as %s", p.ID, text, back)
		}
		for _, parent := range p.Parents {
			if parent >= p.ID || parent == 0 {
				t.Fatalf("proposal %d (%s) has parent %d; expected an earlier proposal", p.ID, p.Operator, parent)
			}
		}
		if p.Operator == "" {
			t.Fatalf("proposal %d does not say what made it; set Operator", p.ID)
		}
	}
}

func (s *suite) atLeastOne(t *testing.T, sp *space.Space) {
	r := s.start(t, sp, 4, 1)
	for _, n := range []int{0, -1, 1, 2, 17, 1} {
		r.searcher.Tell(r.outcomes(r.ask(n))...)
	}
	r.searcher.Tell() // nothing is also something to tell
	r.ask(2)
}

func (s *suite) askMany(t *testing.T, sp *space.Space) {
	r := s.start(t, sp, 5, 1)
	for len(r.asked) < 600 && !r.ended {
		r.ask(100)
	}
	r.ended = false
	r.searcher.Tell(r.outcomes(r.asked)...)
	r.steps(40, 8)
}

func (s *suite) anyOrder(t *testing.T, sp *space.Space) {
	order := rng.New(11, "searchtest/order", 0)
	r := s.start(t, sp, 6, 1)
	var waiting []search.Proposal
	for range 60 {
		if r.ended {
			break
		}
		waiting = append(waiting, r.ask(1+order.IntN(6))...)
		order.Shuffle(len(waiting), func(i, j int) { waiting[i], waiting[j] = waiting[j], waiting[i] })
		k := order.IntN(len(waiting) + 1)
		r.searcher.Tell(r.outcomes(waiting[:k])...)
		waiting = slices.Clone(waiting[k:])
	}
	r.searcher.Tell(r.outcomes(waiting)...)
	r.ask(3)
}

func (s *suite) lost(t *testing.T, sp *space.Space) {
	lucky := rng.New(12, "searchtest/lost", 0)
	r := s.start(t, sp, 7, 1)
	for i := 0; i < 300 && !r.ended; i++ {
		ps := r.ask(1 + i%4)
		if lucky.IntN(3) == 0 {
			r.searcher.Tell(r.outcomes(ps)...)
		}
	}
	r = s.start(t, sp, 8, 1)
	for i := 0; i < 300 && !r.ended; i++ {
		r.ask(1) // none is ever told
	}
}

func (s *suite) toldTwice(t *testing.T, sp *space.Space) {
	a, b := s.start(t, sp, 9, 1), s.start(t, sp, 9, 1)
	for range 30 {
		a.searcher.Tell(a.outcomes(a.ask(2))...)
		out := b.outcomes(b.ask(2))
		b.searcher.Tell(out...)
		b.searcher.Tell(out...)
		for i := range out {
			out[i].Score = metric.Score{Loss: []float64{-1e9}} // a lie, told too late
		}
		b.searcher.Tell(out...)
		b.searcher.Tell(search.Outcome{ID: 1 << 40, Status: search.Failed}) // never proposed
		b.searcher.Tell(search.Outcome{})
	}
	same(t, "after telling everything three times", a, b)
}

func (s *suite) foreign(t *testing.T, sp *space.Space) {
	strange := rng.New(13, "searchtest/foreign", 0)
	a, b := s.start(t, sp, 10, 1), s.start(t, sp, 10, 1)
	for i := range 40 {
		d := sp.MustSample(strange)
		o := search.Outcome{ID: -1 - int64(i), Design: d, Status: search.Complete, Score: metric.Score{Loss: measure(d, 1)}}
		if i%5 == 4 {
			o = search.Outcome{ID: -1 - int64(i), Design: d, Status: search.Failed, Err: "broken"}
		}
		a.searcher.Tell(o)
		b.searcher.Tell(o)
		b.searcher.Tell(o)
		if i%3 == 0 {
			a.steps(1, 1)
			b.steps(1, 1)
		}
	}
	same(t, "after telling foreign designs twice", a, b)
	if !a.ended {
		a.steps(60, 3)
	}
}

// hostile returns one of the bad ends an evaluation can come to.
func hostile(r *rand.Rand, o search.Outcome) search.Outcome {
	nan := math.NaN()
	switch r.IntN(10) {
	case 0:
		o.Status, o.Score, o.Err = search.Failed, metric.Score{}, "exit status 1"
	case 1:
		o.Score.Loss[0] = nan
	case 2:
		o.Score.Loss[0] = math.Inf(1)
	case 3:
		o.Score.Loss[0] = math.Inf(-1)
	case 4:
		o.Status, o.Score = search.Infeasible, metric.Score{}
	case 5:
		o.Status, o.Fidelity = search.Pruned, 0.5
	case 6:
		o.Score.Violation = r.Float64()
	case 7:
		o.Score.Violation = nan
	case 8:
		o.Score.Loss = nil
	}
	return o
}

func (s *suite) failures(t *testing.T, sp *space.Space) {
	r := s.start(t, sp, 11, 1)
	for i := 0; i < 60 && !r.ended; i++ {
		for _, o := range r.outcomes(r.ask(3)) {
			o.Status, o.Score, o.Err = search.Failed, metric.Score{}, "nothing works"
			r.searcher.Tell(o)
		}
	}
	r = s.start(t, sp, 12, 1)
	bad := rng.New(14, "searchtest/bad", 0)
	for i := 0; i < 200 && !r.ended; i++ {
		for _, o := range r.outcomes(r.ask(1 + i%3)) {
			r.searcher.Tell(hostile(bad, o))
		}
	}
}

func (s *suite) replay(t *testing.T, sp *space.Space) {
	type call struct {
		ask  int
		tell []search.Outcome
	}
	var calls []call
	order := rng.New(15, "searchtest/replay", 0)
	r := s.start(t, sp, 13, 1)
	var waiting []search.Proposal
	for i := 0; i < 50 && !r.ended; i++ {
		n := 1 + order.IntN(4)
		waiting = append(waiting, r.ask(n)...)
		order.Shuffle(len(waiting), func(i, j int) { waiting[i], waiting[j] = waiting[j], waiting[i] })
		k := order.IntN(len(waiting) + 1)
		out := r.outcomes(waiting[:k])
		for i := range out {
			if order.IntN(4) == 0 {
				out[i] = hostile(order, out[i])
			}
		}
		waiting = slices.Clone(waiting[k:])
		r.searcher.Tell(out...)
		calls = append(calls, call{n, out})
	}
	again := s.start(t, sp, 13, 1)
	for _, c := range calls {
		again.ask(c.ask)
		again.searcher.Tell(c.tell...)
	}
	same(t, "after a replay", r, again)
}

func (s *suite) several(t *testing.T, sp *space.Space) {
	if s.single {
		if _, err := s.method.New(search.Setup{Space: sp, Objectives: 2}); err == nil {
			t.Errorf("New accepts two objectives; expected a refusal with its reason")
		}
		return
	}
	for _, objectives := range []int{2, 3} {
		r := s.start(t, sp, 14, objectives)
		bad := rng.New(16, "searchtest/several", 0)
		for i := 0; i < 100 && !r.ended; i++ {
			for _, o := range r.outcomes(r.ask(2)) {
				if i%5 == 4 {
					o = hostile(bad, o)
				}
				r.searcher.Tell(o)
			}
		}
	}
}

func (s *suite) ends(t *testing.T, sp *space.Space) {
	r := s.start(t, sp, 15, 1)
	if s.repeats {
		r.steps(20*tinyDesigns, 1)
		return
	}
	r.steps(20*tinyDesigns, 1)
	seen := map[space.Design]bool{}
	for _, p := range r.asked {
		if seen[p.Design] && !s.graded {
			t.Errorf("proposal %d, %s, was proposed before; expected no repeats in a space of %d designs", p.ID, p.Design, tinyDesigns)
		}
		seen[p.Design] = true
	}
	if !r.ended || len(seen) != tinyDesigns {
		t.Errorf("%d designs proposed, ended: %v; expected all %d and then ErrExhausted", len(seen), r.ended, tinyDesigns)
	}
	if _, err := r.searcher.Ask(1); !errors.Is(err, search.ErrExhausted) {
		t.Errorf("Ask after the end: %v; expected ErrExhausted again", err)
	}
}

func (s *suite) promoted(t *testing.T, sp *space.Space) {
	const budget = 60
	told := *s
	told.budget = budget
	r := told.start(t, sp, 17, 1)
	r.steps(budget, 1)
	full, raised := 0, 0
	for _, p := range r.asked {
		if problem.Full(p.Fidelity) {
			full++
		}
		if p.Operator == search.Promote {
			raised++
		}
	}
	if full == 0 || raised == 0 || full == len(r.asked) {
		t.Errorf("of %d proposals %d are in full and %d promote a design; expected some of each", len(r.asked), full, raised)
	}
}

func (s *suite) refuses(t *testing.T, sp *space.Space) {
	searcher, err := s.method.New(search.Setup{Space: sp})
	if err == nil {
		t.Fatalf("New = %T; expected an error", searcher)
	}
	if len(err.Error()) < 20 {
		t.Errorf("New: %q; expected a reason", err)
	}
}

// costFlat compares the fastest of several stretches, before and after many
// trials, and gives noise three chances.
func (s *suite) costFlat(t *testing.T, sp *space.Space) {
	if s.trials == 0 {
		t.Skip("left out by Trials(0)")
	}
	if testing.Short() {
		t.Skip("measures time")
	}
	const stretch = 50
	cost := func(r *run) time.Duration {
		best := time.Duration(math.MaxInt64)
		for range 10 {
			begin := time.Now()
			for range stretch {
				r.searcher.Tell(r.outcomes(r.ask(1))...)
			}
			best = min(best, time.Since(begin)/stretch)
		}
		return best
	}
	var report string
	for range 3 {
		r := s.start(t, sp, 16, 1)
		r.steps(500, 1)
		early := cost(r)
		r.asked = nil
		for len(r.asked) < s.trials-1000 {
			r.steps(1000, 1)
		}
		late := cost(r)
		if late <= 4*max(early, 2*time.Microsecond) {
			return
		}
		report = fmt.Sprintf("an ask and tell takes %v after 500 trials and %v after %d; expected at most four times as much", early, late, s.trials)
	}
	t.Error(report)
}
