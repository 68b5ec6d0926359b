package fidelity

import (
	"cmp"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

// books are what every scheduler keeps: the designs, what is under way, where
// designs come from, and what was spent.
type books struct {
	name   string
	setup  search.Setup
	levels []float64 // rungs, as shares of the full effort
	ratios []float64 // of each rung but the last, out of how many designs one is promoted
	finals int
	volume bool // spread by hypervolume
	source source
	ledger search.Ledger

	known map[string]*candidate
	order []*candidate // of known, for loops that must not depend on a map
	out   map[int64]job

	made      int64   // proposals, and foreign outcomes
	effort    float64 // of them, in full evaluations
	closing   int     // proposals that Finals made
	sinceFull int     // proposals since the last full one

	scratch ranking
}

// A candidate is a design and how far it has come.
type candidate struct {
	design space.Design
	key    string
	tag    int64 // the source's name of it; 0 if it is not the source's
	at     int   // highest rung it was proposed at
	done   int   // highest rung it was measured at with a result, -1 if none
	last   int64 // outcome at done
	scores []metric.Score
	told   bool           // the source knows a result
	curve  []search.Point // for PASHA
}

// score returns the result at the highest rung.
func (c *candidate) score() metric.Score { return c.scores[c.done] }

// stands reports whether a design has a result at a rung and has gone no higher.
func (c *candidate) stands(rung int) bool { return c.at == rung && c.done == rung }

// A job is a proposal under way.
type job struct {
	c       *candidate
	rung    int
	bracket *bracket
	stage   int
}

func (b *books) top() int { return len(b.levels) - 1 }

func (b *books) keyOf(d space.Design) string {
	if b.setup.Key != nil {
		return b.setup.Key(d)
	}
	h := d.Hash()
	return string(h[:])
}

// taken reports whether a design, or an equal one, was proposed or told.
func (b *books) taken(d space.Design) bool {
	_, ok := b.known[b.keyOf(d)]
	return ok
}

// begin makes a candidate of an unseen design of the source.
func (b *books) begin() (*candidate, fresh, error) {
	f, err := b.source.next()
	if err != nil {
		return nil, f, err
	}
	c := b.add(f.design)
	c.tag = f.tag
	return c, f, nil
}

func (b *books) add(d space.Design) *candidate {
	c := &candidate{design: d, key: b.keyOf(d), at: -1, done: -1}
	b.known[c.key] = c
	b.order = append(b.order, c)
	return c
}

// start proposes a design of the source at a rung, or says that there is none.
func (b *books) start(rung int, br *bracket) (search.Proposal, error) {
	c, f, err := b.begin()
	if err != nil {
		return search.Proposal{}, err
	}
	p := b.propose(c, rung, br, f.operator, f.parents...)
	p.Why = f.why
	b.source.bind(f.tag, p.ID)
	return p, nil
}

// promote proposes a design again at a higher rung.
func (b *books) promote(c *candidate, rung int, br *bracket) search.Proposal {
	return b.propose(c, rung, br, search.Promote, c.last)
}

func (b *books) propose(c *candidate, rung int, br *bracket, operator string, parents ...int64) search.Proposal {
	p := b.ledger.Propose(c.design, operator, parents...)
	from := 0.0
	if operator == search.Promote {
		from = b.levels[c.done]
	}
	if rung < b.top() {
		p.Fidelity = b.levels[rung]
		b.sinceFull++
	} else {
		b.sinceFull = 0
	}
	b.made++
	b.effort += b.setup.Fidelity.Cost(from, b.levels[rung])
	c.at = rung
	j := job{c: c, rung: rung, bracket: br}
	if br != nil {
		j.stage = br.stage
	}
	b.out[p.ID] = j
	return p
}

// accept takes an outcome into the books. It reports the job that it ends, or
// false if it is no news or belongs to none; usable says whether it has a result.
func (b *books) accept(o *search.Outcome) (j job, usable, ok bool) {
	if !b.ledger.Accept(o) {
		return j, false, false
	}
	usable = o.Usable() && len(o.Score.Loss) == b.setup.Objectives
	if o.ID < 0 {
		return b.foreign(o, usable)
	}
	j, ok = b.out[o.ID]
	if !ok {
		return j, false, false
	}
	delete(b.out, o.ID)
	if usable {
		b.measured(j.c, j.rung, o)
	}
	b.source.tell(j.c, j.rung, usable, o)
	return j, usable, true
}

// measured records a result.
func (b *books) measured(c *candidate, rung int, o *search.Outcome) {
	for len(c.scores) <= rung {
		c.scores = append(c.scores, metric.Score{})
	}
	c.scores[rung] = metric.Score{Loss: slices.Clone(o.Score.Loss), Violation: o.Score.Violation}
	if rung >= c.done {
		c.done, c.last = rung, o.ID
	}
	c.at = max(c.at, rung)
}

// foreign takes a design of another origin in: measured at a rung it competes
// there.
func (b *books) foreign(o *search.Outcome, usable bool) (job, bool, bool) {
	if o.Design.Space() != b.setup.Space {
		return job{}, false, false
	}
	b.made++
	rung := b.rungOf(o.Fidelity)
	if rung >= 0 {
		b.effort += b.levels[rung]
	}
	c := b.known[b.keyOf(o.Design)]
	if c == nil {
		c = b.add(o.Design)
	}
	if !usable || rung < 0 {
		b.source.foreign(c, rung, o)
		return job{}, false, false
	}
	b.measured(c, rung, o)
	b.source.foreign(c, rung, o)
	return job{c: c, rung: rung}, true, true
}

// rungOf returns the rung of a share, -1 if there is none.
func (b *books) rungOf(share float64) int {
	if !(share > 0 && share < 1) {
		return b.top()
	}
	for i, l := range b.levels {
		if math.Abs(l-share) <= 1e-9 {
			return i
		}
	}
	return -1
}

// unknownPatience is how many proposals may pass without a full one if the
// budget is not known.
const unknownPatience = 50

// closingTime reports whether the next proposal should measure one of the best
// designs in full.
func (b *books) closingTime() bool {
	switch {
	case b.finals == 0:
		return false
	case b.setup.Budget == 0 && b.setup.Effort == 0:
		return b.sinceFull >= unknownPatience
	case b.closing >= b.finals:
		return false
	}
	left := float64(b.finals - b.closing)
	return b.setup.Budget > 0 && float64(b.setup.Budget-b.made) <= left ||
		b.setup.Effort > 0 && b.setup.Effort-b.effort <= left+1e-9
}

// final proposes the best design of the highest rung for the full effort, if
// some design has a result and none there is under way.
func (b *books) final() (search.Proposal, bool) {
	if !b.closingTime() {
		return search.Proposal{}, false
	}
	var of []*candidate
	high := 0
	for _, c := range b.order {
		if c.done < 0 || c.done == b.top() || !c.stands(c.done) {
			continue
		}
		if c.done > high {
			high, of = c.done, of[:0]
		}
		if c.done == high {
			of = append(of, c)
		}
	}
	if len(of) == 0 {
		return search.Proposal{}, false
	}
	best := b.best(of, high, 1)[0]
	if b.setup.Budget > 0 || b.setup.Effort > 0 {
		b.closing++
	}
	p := b.promote(best, b.top(), nil)
	p.Why = "the best so far, measured in full"
	return p, true
}

// best returns the n best of some designs by their results at a rung, best
// first.
func (b *books) best(of []*candidate, rung, n int) []*candidate {
	r := &b.scratch
	r.scores = r.scores[:0]
	for _, c := range of {
		r.scores = append(r.scores, c.scores[rung])
	}
	out := make([]*candidate, 0, min(n, len(of)))
	for _, i := range r.sort(b.setup.Objectives, b.volume) {
		if len(out) == n {
			break
		}
		out = append(out, of[i])
	}
	return out
}

// A ranking puts scores in order.
type ranking struct {
	scores []metric.Score
	ranks  []int32
	order  []int32
	points []float64
	room   []float64
	crowd  []float64
}

// sort returns the indexes of the scores, best first. One objective orders by
// feasibility, violation and loss; several by non-dominated front and then by
// the room that a design has in its front. Of ties the earlier comes first.
func (r *ranking) sort(objectives int, volume bool) []int32 {
	r.order = r.order[:0]
	for i := range r.scores {
		r.order = append(r.order, int32(i))
	}
	if objectives == 1 {
		slices.SortStableFunc(r.order, func(i, j int32) int { return metric.Compare(r.scores[i], r.scores[j]) })
		return r.order
	}
	r.ranks = metric.RankScores(r.scores, r.ranks)
	slices.SortStableFunc(r.order, func(i, j int32) int { return cmp.Compare(r.ranks[i], r.ranks[j]) })
	r.points, r.room = r.points[:0], slices.Grow(r.room[:0], len(r.scores))[:len(r.scores)]
	for _, s := range r.scores {
		r.points = append(r.points, s.Loss...)
	}
	for at := 0; at < len(r.order); {
		end := at + 1
		for end < len(r.order) && r.ranks[r.order[end]] == r.ranks[r.order[at]] {
			end++
		}
		r.rooms(r.order[at:end], objectives, volume)
		slices.SortStableFunc(r.order[at:end], func(i, j int32) int { return cmp.Compare(r.room[j], r.room[i]) })
		at = end
	}
	return r.order
}

// mostVolumes is the largest front whose hypervolume contributions are computed;
// larger ones go by crowding.
const mostVolumes = 200

// rooms computes how much room each member of a front has.
func (r *ranking) rooms(front []int32, m int, volume bool) {
	if !volume || len(front) > mostVolumes || m > 4 {
		r.crowd = metric.CrowdingDistance(r.points, m, front, r.crowd)
		for k, i := range front {
			r.room[i] = r.crowd[k]
		}
		return
	}
	var points []float64
	for _, i := range front {
		points = append(points, r.scores[i].Loss...)
	}
	ref := metric.ReferencePoint(points, m)
	for k, v := range metric.HypervolumeContributions(points, m, ref) {
		r.room[front[k]] = v
	}
}
