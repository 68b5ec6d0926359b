// Package fresh draws designs that a searcher has not proposed before.
//
// Drawing again and again until something new turns up is right while most of a
// space is unseen and never ends when all of it was seen. A [Source] draws a
// few times and, if the space turns out to be small, lists it once and hands
// out what is left:
//
//	src := fresh.New(sp, rng.New(seed, "random", 0))
//	d, err := src.Next(ledger.Seen) // or search.ErrExhausted
package fresh

import (
	"math/rand/v2"

	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

const (
	draws     = 64      // draws before a space is suspected to be nearly used up
	maxListed = 1 << 16 // designs of the largest space that is listed
	maxSteps  = 1 << 21 // decisions walked while listing
)

// A Source draws designs by the prior of a space.
type Source struct {
	space  *space.Space
	r      *rand.Rand
	listed bool
	small  bool
	rest   []space.Design // of a small space, in random order
}

// New makes a source that draws with r.
func New(sp *space.Space, r *rand.Rand) *Source { return &Source{space: sp, r: r} }

// Next draws a design for which seen is false. It returns
// [search.ErrExhausted] if it can tell that there is none: the space has at
// most 65,536 designs and seen is true for all of them. In a larger space
// whose prior keeps returning to designs that were seen, it walks away from
// one by mutation, and after 64 steps gives up and returns a seen one.
func (s *Source) Next(seen func(space.Design) bool) (space.Design, error) {
	var d space.Design
	if !s.small {
		for range draws {
			var err error
			if d, err = s.space.Sample(s.r); err != nil {
				return space.Design{}, err
			}
			if !seen(d) {
				return d, nil
			}
		}
	}
	if !s.listed {
		s.listed = true
		s.rest, s.small = List(s.space, maxListed)
		s.r.Shuffle(len(s.rest), func(i, j int) { s.rest[i], s.rest[j] = s.rest[j], s.rest[i] })
	}
	if s.small {
		for len(s.rest) > 0 {
			d := s.rest[len(s.rest)-1]
			s.rest = s.rest[:len(s.rest)-1]
			if !seen(d) {
				return d, nil
			}
		}
		return space.Design{}, search.ErrExhausted
	}
	for range draws {
		if d = s.space.Mutate(s.r, d, space.Mutation{}); !seen(d) {
			break
		}
	}
	return d, nil
}

// List returns every design of a space that has at most limit of them, in
// walking order, or false if it has more, or if finding out takes more than
// about two million steps.
func List(sp *space.Space, limit int) ([]space.Design, bool) {
	var (
		all     []space.Design
		path    []int // options taken
		options []int // options there were
	)
	for steps := 0; steps < maxSteps; {
		w := sp.Walk()
		ok := true
		for k := 0; ok; k++ {
			d, more := w.Next()
			if !more {
				break
			}
			steps++
			if d.N == 0 {
				if d.Hi > d.Lo {
					return nil, false
				}
				w.ChooseReal(d.Lo)
				ok = !w.Dead()
				if k == len(path) {
					path, options = append(path, 0), append(options, 1)
				}
				continue
			}
			if k == len(path) {
				path, options = append(path, 0), append(options, d.N)
			}
			if ok = w.Legal(path[k]); ok {
				w.Choose(path[k])
				ok = !w.Dead()
			}
		}
		if ok {
			if d, err := w.Design(); err == nil {
				if len(all) == limit {
					return nil, false
				}
				all = append(all, d)
			}
		}
		last := len(path) - 1
		for last >= 0 && path[last]+1 >= options[last] {
			last--
		}
		if last < 0 {
			return all, true
		}
		path, options = path[:last+1], options[:last+1]
		path[last]++
	}
	return nil, false
}
