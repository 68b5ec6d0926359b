package search

import (
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/space"
)

// A Ledger keeps the books that every searcher needs: identities, what is
// pending, what was seen. The zero value is ready to use. Searchers hold one
// and call Propose in Ask and Accept in Tell.
//
// A ledger made by [NewLedger] of a setup with a Key takes designs with equal
// keys for the same: each has been seen when one of them was.
//
// It remembers a design by 128 bits, so that it takes two designs for the same
// with a probability of about n²/2^129 after n trials, and takes 32 to 64 bytes
// a trial.
type Ledger struct {
	key     func(space.Design) string
	next    int64
	waiting []uint64 // by ID from 1, a bit each
	pending int
	seen    digests
	keys    map[string]known // in place of seen where designs have keys
	foreign map[int64]struct{}
}

type known struct {
	score metric.Score
	id    int64 // of the outcome; 0 if none was told
}

// NewLedger makes the ledger for a setup, whose Key it goes by.
func NewLedger(setup Setup) Ledger { return Ledger{key: setup.Key} }

// Propose registers a design as pending and returns its proposal.
func (l *Ledger) Propose(d space.Design, operator string, parents ...int64) Proposal {
	l.add(d)
	return l.propose(d, operator, parents)
}

// ProposeNew is [Ledger.Propose] for a design that has not been seen; of
// another it reports false and registers nothing.
func (l *Ledger) ProposeNew(d space.Design, operator string, parents ...int64) (Proposal, bool) {
	if !l.add(d) {
		return Proposal{}, false
	}
	return l.propose(d, operator, parents), true
}

func (l *Ledger) propose(d space.Design, operator string, parents []int64) Proposal {
	if int(l.next>>6) == len(l.waiting) {
		l.waiting = append(l.waiting, 0)
	}
	l.waiting[l.next>>6] |= 1 << (l.next & 63)
	l.next++
	l.pending++
	return Proposal{ID: l.next, Design: d, Operator: operator, Parents: parents}
}

// add marks a design as seen and reports whether it was not.
func (l *Ledger) add(d space.Design) bool {
	if l.key == nil {
		return l.seen.add(d.Digest())
	}
	k := l.key(d)
	if _, ok := l.keys[k]; ok {
		return false
	}
	if l.keys == nil {
		l.keys = map[string]known{}
	}
	l.keys[k] = known{}
	return true
}

// Accept reports whether the outcome is news: a pending proposal told for the
// first time, or a foreign design not told before.
func (l *Ledger) Accept(o *Outcome) bool {
	if o.ID > 0 {
		at, bit := (o.ID-1)>>6, uint64(1)<<((o.ID-1)&63)
		if o.ID > l.next || l.waiting[at]&bit == 0 {
			return false
		}
		l.waiting[at] &^= bit
		l.pending--
		l.learn(o)
		return true
	}
	if _, dup := l.foreign[o.ID]; dup || o.ID == 0 || o.Design.IsZero() {
		return false
	}
	if l.foreign == nil {
		l.foreign = map[int64]struct{}{}
	}
	l.foreign[o.ID] = struct{}{}
	l.add(o.Design)
	l.learn(o)
	return true
}

// learn remembers the first full score of a key.
func (l *Ledger) learn(o *Outcome) {
	if l.key == nil || !o.Usable() || o.Fidelity != 0 && o.Fidelity < 1 || o.Design.IsZero() {
		return
	}
	k := l.key(o.Design)
	if e, ok := l.keys[k]; ok && e.id == 0 {
		l.keys[k] = known{metric.Score{Loss: append([]float64(nil), o.Score.Loss...), Violation: o.Score.Violation}, o.ID}
	}
}

// Known returns the score that was told of the design or of another with its
// key, and the ID of that outcome, or 0. It knows none where the setup had no
// Key.
func (l *Ledger) Known(d space.Design) (score metric.Score, id int64) {
	if l.key == nil {
		return metric.Score{}, 0
	}
	e := l.keys[l.key(d)]
	return e.score, e.id
}

// Keyed reports whether designs are told apart by the setup's Key.
func (l *Ledger) Keyed() bool { return l.key != nil }

// Seen reports whether the design, or another with its key, was proposed or
// told before.
func (l *Ledger) Seen(d space.Design) bool {
	if l.key == nil {
		return l.seen.has(d.Digest())
	}
	_, ok := l.keys[l.key(d)]
	return ok
}

// Distinct returns how many different designs were proposed or told.
func (l *Ledger) Distinct() int {
	if l.key == nil {
		return l.seen.n
	}
	return len(l.keys)
}

// Pending returns how many proposals wait for their outcome.
func (l *Ledger) Pending() int { return l.pending }

// digests is a set of digests: a table with linear probing, at most three
// quarters full, in which zeros mark what is free.
type digests struct {
	table [][2]uint64
	n     int
}

// find returns where a digest stands or would.
func (s *digests) find(d [2]uint64) int {
	mask := len(s.table) - 1
	at := int(d[0]) & mask
	for s.table[at] != d && s.table[at] != [2]uint64{} {
		at = (at + 1) & mask
	}
	return at
}

// some keeps the digest apart from the mark of what is free.
func some(d [2]uint64) [2]uint64 {
	if d == [2]uint64{} {
		d[1] = 1
	}
	return d
}

func (s *digests) has(d [2]uint64) bool {
	d = some(d)
	return s.n > 0 && s.table[s.find(d)] == d
}

// add reports whether the digest is new.
func (s *digests) add(d [2]uint64) bool {
	d = some(d)
	if s.n >= len(s.table)/4*3 {
		old := s.table
		s.table = make([][2]uint64, max(2*len(old), 64))
		for _, e := range old {
			if e != [2]uint64{} {
				s.table[s.find(e)] = e
			}
		}
	}
	at := s.find(d)
	if s.table[at] == d {
		return false
	}
	s.table[at] = d
	s.n++
	return true
}
