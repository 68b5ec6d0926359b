package model

import "github.com/daedalus-search/daedalus/space"

// A sweep visits the designs of a finite space one after the other, in the
// order of their decisions. It finds what is left when nearly everything was
// proposed, and proves that nothing is.
type sweep struct {
	space  *space.Space
	prefix []int // options to take; the first legal ones follow
	done   bool  // everything was visited
	off    bool  // the space cannot be swept
	steps  int   // decisions taken so far
}

// Bounds beyond which a sweep gives up: designs as long as this come from open
// grammars.
const (
	sweepLength = 1 << 12
	sweepSteps  = 1 << 26
)

// next returns the next design that is wanted. A design that is not wanted
// now is never visited again.
func (s *sweep) next(want func(space.Design) bool) (space.Design, bool) {
	var taken, other []int // options taken, and the next legal one after each, or -1
	for !s.done && !s.off {
		taken, other = taken[:0], other[:0]
		w := s.space.Walk()
		for {
			d, ok := w.Next()
			if !ok {
				break
			}
			if d.N == 0 {
				if d.Param.Lo < d.Param.Hi {
					s.off = true
					return space.Design{}, false
				}
				w.ChooseReal(d.Lo)
				continue
			}
			i := nextLegal(w, d.N, 0)
			if at := len(taken); at < len(s.prefix) {
				i = s.prefix[at]
			}
			if i < 0 {
				break // nothing is legal here
			}
			taken = append(taken, i)
			other = append(other, nextLegal(w, d.N, i+1))
			if s.steps++; len(taken) > sweepLength || s.steps > sweepSteps {
				s.off = true
				return space.Design{}, false
			}
			w.Choose(i)
		}
		d, err := w.Design()
		at := len(taken) - 1
		for at >= 0 && other[at] < 0 {
			at--
		}
		if s.done = at < 0; !s.done {
			s.prefix = append(append(s.prefix[:0], taken[:at]...), other[at])
		}
		if err == nil && want(d) {
			return d, true
		}
	}
	return space.Design{}, false
}

func nextLegal(w *space.Walker, n, from int) int {
	for i := from; i < n; i++ {
		if w.Legal(i) {
			return i
		}
	}
	return -1
}
