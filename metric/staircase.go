package metric

import "sort"

// A staircase keeps the non-dominated pairs (x, y), both minimised, sorted by
// rising x and falling y. It is cut into short chunks, so that adding one of n
// pairs moves a few kilobytes at most and costs a search of O(log n), also when
// all pairs stay. Its zero value is empty and ready.
type staircase struct {
	heads   []float64 // first x of every chunk
	chunks  []*chunk
	free    []*chunk
	removed []int32 // ids that insert took out; the caller empties it
}

const chunkLen = 128

type step struct {
	x, y float64
	id   int32
}

type chunk struct {
	n int
	s [chunkLen]step
}

func (s *staircase) reset() {
	s.free = append(s.free, s.chunks...)
	s.chunks = s.chunks[:0]
	s.heads = s.heads[:0]
	s.removed = s.removed[:0]
}

func (s *staircase) newChunk() *chunk {
	if k := len(s.free) - 1; k >= 0 {
		c := s.free[k]
		s.free = s.free[:k]
		c.n = 0
		return c
	}
	return new(chunk)
}

// insert adds (x, y) unless a step dominates it or, without ties, equals it.
// The ids of the steps it dominates are appended to removed. gain is the area
// within (refX, refY) that was not dominated before. No argument may be NaN.
func (s *staircase) insert(x, y float64, id int32, refX, refY float64, ties bool) (added bool, gain float64) {
	if len(s.chunks) == 0 {
		c := s.newChunk()
		c.n, c.s[0] = 1, step{x, y, id}
		s.chunks = append(s.chunks, c)
		s.heads = append(s.heads, x)
		return true, float64((refX - x) * (refY - y))
	}
	// c, i: before this position all x' < x
	c, k := 0, len(s.heads)
	for k > 0 {
		half := k >> 1
		if s.heads[c+half] < x {
			c += half + 1
			k -= half + 1
		} else {
			k = half
		}
	}
	c = max(c-1, 0)
	ch := s.chunks[c]
	i := 0
	k = ch.n
	for k > 0 {
		half := k >> 1
		if ch.s[i+half].x < x {
			i += half + 1
			k -= half + 1
		} else {
			k = half
		}
	}
	top := refY
	if i > 0 {
		if top = ch.s[i-1].y; top <= y {
			return false, 0
		}
	}
	if next, ok := s.at(c, i); ok && next.x == x && next.y <= y {
		if next.y < y || !ties {
			return false, 0
		}
		// Behind its equals, which are all the steps with this x.
		c = max(sort.Search(len(s.heads), func(k int) bool { return s.heads[k] > x })-1, 0)
		ch = s.chunks[c]
		i = sort.Search(ch.n, func(k int) bool { return ch.s[k].x > x })
		s.place(c, i, step{x, y, id})
		return true, 0
	}
	// What it dominates follows at once, up to (e, j).
	e, j, left := c, i, x
	for {
		at := s.chunks[e]
		for j < at.n && at.s[j].y >= y {
			st := &at.s[j]
			gain += float64((st.x - left) * (top - y))
			left, top = st.x, st.y
			s.removed = append(s.removed, st.id)
			j++
		}
		if j < at.n || e+1 == len(s.chunks) {
			break
		}
		e, j = e+1, 0
	}
	right := refX
	if next, ok := s.at(e, j); ok {
		right = next.x
	}
	gain += float64((right - left) * (top - y))
	if e == c {
		if j > i { // put it where the first removed one was
			ch.s[i] = step{x, y, id}
			ch.n = i + 1 + copy(ch.s[i+1:], ch.s[j:ch.n])
			if i == 0 {
				s.heads[c] = x
			}
			return true, gain
		}
		s.place(c, i, step{x, y, id})
		return true, gain
	}
	ch.n = i
	if last := s.chunks[e]; j < last.n {
		last.n = copy(last.s[:], last.s[j:last.n])
		s.heads[e] = last.s[0].x
	} else {
		e++
	}
	s.free = append(s.free, s.chunks[c+1:e]...)
	s.chunks = append(s.chunks[:c+1], s.chunks[e:]...)
	s.heads = append(s.heads[:c+1], s.heads[e:]...)
	s.place(c, i, step{x, y, id})
	return true, gain
}

// at returns the step at position i of chunk c, which may be one past its end.
func (s *staircase) at(c, i int) (step, bool) {
	if i < s.chunks[c].n {
		return s.chunks[c].s[i], true
	}
	if c+1 < len(s.chunks) {
		return s.chunks[c+1].s[0], true
	}
	return step{}, false
}

func (s *staircase) place(c, i int, st step) {
	ch := s.chunks[c]
	if ch.n == chunkLen {
		// Split. Points often arrive in order: then leave full chunks behind.
		cut := chunkLen / 2
		if i == chunkLen {
			cut = chunkLen - 1
		}
		right := s.newChunk()
		right.n = copy(right.s[:], ch.s[cut:])
		ch.n = cut
		s.chunks = append(s.chunks, nil)
		copy(s.chunks[c+2:], s.chunks[c+1:])
		s.chunks[c+1] = right
		s.heads = append(s.heads, 0)
		copy(s.heads[c+2:], s.heads[c+1:])
		s.heads[c+1] = right.s[0].x
		if i > cut {
			c, i, ch = c+1, i-cut, right
		}
	}
	copy(ch.s[i+1:ch.n+1], ch.s[i:ch.n])
	ch.s[i] = st
	ch.n++
	if i == 0 {
		s.heads[c] = st.x
	}
}

// appendIDs appends the ids in order of x.
func (s *staircase) appendIDs(dst []int32) []int32 {
	for _, c := range s.chunks {
		for i := range c.s[:c.n] {
			dst = append(dst, c.s[i].id)
		}
	}
	return dst
}
