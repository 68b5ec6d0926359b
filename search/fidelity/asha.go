package fidelity

import (
	"slices"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
)

// ASHA is asynchronous successive halving (Li, Jamieson, Rostamizadeh, Gonina,
// Ben-tzur, Hardt, Recht and Talwalkar, "A system for massively parallel
// hyperparameter tuning", MLSys 2020). Whenever it is asked it looks from the top
// rung down for a design among the best one in Eta of its rung that was not
// promoted yet, and promotes it; if there is none it begins a new design at the
// lowest rung. Nothing ever waits, and a result that does not come changes
// nothing for the others. Workers are all busy if the study tells results as they
// come (async).
//
// With one objective an ask and tell takes O(log n). With several a rung orders
// its newest 512 results anew when the number of designs that it may promote
// changes; older ones are promoted no more.
//
// When nothing new can be drawn from a finite space, the best designs of the
// highest rungs are promoted out of turn, so that the rest of a budget is not
// lost.
type ASHA struct {
	Options
}

// New makes a searcher, for problems with fidelities.
func (o ASHA) New(setup search.Setup) (search.Searcher, error) {
	b, err := o.prepare("asha", setup, nil)
	if err != nil {
		return nil, err
	}
	return newASHA(b), nil
}

func newASHA(b *books) *asha {
	s := &asha{books: b, limit: b.top()}
	for i := range b.levels[:b.top()] {
		if b.setup.Objectives == 1 {
			s.rungs = append(s.rungs, newLadder(i, b.ratios[i]))
		} else {
			s.rungs = append(s.rungs, &window{b: b, rung: i})
		}
	}
	return s
}

// A promoter keeps the results of one rung and says who is to be promoted.
type promoter interface {
	add(c *candidate)
	// next returns a design to promote, nil if there is none now.
	next() *candidate
	// any returns the best design that was not promoted, nil if there is none.
	any() *candidate
	// took says that a design was promoted.
	took(c *candidate)
}

type asha struct {
	*books
	rungs []promoter // all but the top
	limit int        // highest rung in use
}

// Ask implements [search.Searcher].
func (s *asha) Ask(n int) ([]search.Proposal, error) { return search.Each(n, s.next) }

func (s *asha) next() (search.Proposal, error) {
	if p, ok := s.final(); ok {
		return p, nil
	}
	for k := s.limit - 1; k >= 0; k-- {
		if c := s.rungs[k].next(); c != nil {
			return s.raise(c, k), nil
		}
	}
	p, err := s.start(0, nil)
	if err == nil {
		return p, nil
	}
	for k := s.top() - 1; k >= 0; k-- {
		if c := s.rungs[k].any(); c != nil {
			return s.raise(c, k), nil
		}
	}
	return search.Proposal{}, err
}

func (s *asha) raise(c *candidate, rung int) search.Proposal {
	s.rungs[rung].took(c)
	return s.promote(c, rung+1, nil)
}

// Tell implements [search.Searcher].
func (s *asha) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		if j, usable, ok := s.accept(&outcomes[i]); ok && usable {
			s.learn(j)
		}
	}
}

func (s *asha) learn(j job) {
	if j.rung < s.top() {
		s.rungs[j.rung].add(j.c)
	}
}

// A ladder is a rung with one objective: the best ⌊n/η⌋ of n results in one
// heap, the others in another.
type ladder struct {
	rung    int
	ratio   float64
	seen    map[*candidate]*step
	n       int
	best    heap // worst first
	rest    heap // best first
	waiting heap // of best, not promoted, best first; may hold others
}

// A step is a result on a ladder.
type step struct {
	c        *candidate
	score    metric.Score
	seq      int
	top      bool
	promoted bool
	queued   bool // in waiting
}

// before orders results; of equal ones the earlier is better.
func (a *step) before(b *step) bool {
	if c := metric.Compare(a.score, b.score); c != 0 {
		return c < 0
	}
	return a.seq < b.seq
}

func newLadder(rung int, ratio float64) *ladder {
	better := func(a, b *step) bool { return a.before(b) }
	worse := func(a, b *step) bool { return b.before(a) }
	return &ladder{
		rung: rung, ratio: ratio, seen: map[*candidate]*step{},
		best: heap{less: worse}, rest: heap{less: better}, waiting: heap{less: better},
	}
}

func (l *ladder) add(c *candidate) {
	if l.seen[c] != nil {
		return // a foreign result of a design that was here
	}
	x := &step{c: c, score: c.scores[l.rung], seq: l.n}
	l.seen[c] = x
	l.n++
	room := int(float64(l.n)/l.ratio + 1e-9)
	if worst := l.best.peek(); worst != nil && x.before(worst) {
		l.enter(x)
	} else {
		l.rest.push(x)
	}
	for len(l.best.items) > room {
		out := l.best.pop()
		out.top = false
		l.rest.push(out)
	}
	for len(l.best.items) < room && len(l.rest.items) > 0 {
		l.enter(l.rest.pop())
	}
}

func (l *ladder) enter(x *step) {
	x.top = true
	l.best.push(x)
	if !x.promoted && !x.queued {
		x.queued = true
		l.waiting.push(x)
	}
}

func (l *ladder) next() *candidate {
	for {
		x := l.waiting.peek()
		if x == nil {
			return nil
		}
		if x.top && !x.promoted && x.c.stands(l.rung) {
			return x.c
		}
		l.waiting.pop()
		x.queued = false
	}
}

func (l *ladder) any() *candidate {
	var best *step
	for _, h := range []*heap{&l.best, &l.rest} {
		for _, x := range h.items {
			if !x.promoted && x.c.stands(l.rung) && (best == nil || x.before(best)) {
				best = x
			}
		}
	}
	if best == nil {
		return nil
	}
	return best.c
}

func (l *ladder) took(c *candidate) { l.seen[c].promoted = true }

// A heap keeps steps in an order, the least at the root.
type heap struct {
	items []*step
	less  func(a, b *step) bool
}

func (h *heap) peek() *step {
	if len(h.items) == 0 {
		return nil
	}
	return h.items[0]
}

func (h *heap) push(x *step) {
	h.items = append(h.items, x)
	for i := len(h.items) - 1; i > 0; {
		up := (i - 1) / 2
		if !h.less(h.items[i], h.items[up]) {
			break
		}
		h.items[i], h.items[up] = h.items[up], h.items[i]
		i = up
	}
}

func (h *heap) pop() *step {
	x := h.items[0]
	last := len(h.items) - 1
	h.items[0], h.items[last] = h.items[last], nil
	h.items = h.items[:last]
	for i := 0; ; {
		least := i
		for _, k := range [2]int{2*i + 1, 2*i + 2} {
			if k < last && h.less(h.items[k], h.items[least]) {
				least = k
			}
		}
		if least == i {
			return x
		}
		h.items[i], h.items[least] = h.items[least], h.items[i]
		i = least
	}
}

// windowSize bounds how many results a rung with several objectives orders.
const windowSize = 512

// A window is a rung with several objectives. It promotes one in η of all its
// results, each from among the best of its newest ones.
type window struct {
	b        *books
	rung     int
	members  []*candidate // newest last
	n        int
	promoted map[*candidate]bool
	sent     int          // promotions
	quota    int          // for which ready was made
	ready    []*candidate // to promote, best first
}

func (w *window) add(c *candidate) {
	if w.promoted == nil {
		w.promoted = map[*candidate]bool{}
	}
	if _, known := w.promoted[c]; known {
		return
	}
	w.promoted[c] = false
	w.n++
	w.members = append(w.members, c)
	if len(w.members) > windowSize {
		w.members = slices.Delete(w.members, 0, 1)
	}
	if q := w.b.quota(w.rung, w.n); q != w.quota {
		w.quota, w.ready = q, nil
		// A full window stands for all results.
		for _, m := range w.b.best(w.members, w.rung, w.b.quota(w.rung, len(w.members))) {
			if !w.promoted[m] {
				w.ready = append(w.ready, m)
			}
		}
	}
}

func (w *window) next() *candidate {
	for len(w.ready) > 0 && w.sent < w.quota {
		c := w.ready[0]
		if !w.promoted[c] && c.stands(w.rung) {
			return c
		}
		w.ready = w.ready[1:]
	}
	return nil
}

func (w *window) any() *candidate {
	var left []*candidate
	for _, c := range w.b.order {
		if p, here := w.promoted[c]; here && !p && c.stands(w.rung) {
			left = append(left, c)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return w.b.best(left[max(0, len(left)-windowSize):], w.rung, 1)[0]
}

func (w *window) took(c *candidate) {
	w.promoted[c] = true
	w.sent++
}
