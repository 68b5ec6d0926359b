package space

import (
	"encoding/binary"
	"math"
)

// copies returns where each copy of the repeat at site i starts in the trace,
// and where the last one ends.
func (s *Space) copies(w *walker, d Design, sites []site, i int) []int32 {
	x := &sites[i]
	count := int(x.node.Number(int(x.index)))
	bounds := make([]int32, 0, count+1)
	t := trace{s: d.trace}
	w.reset()
	inside := false
	pos := int(x.depth) // where the frame of the repeat stands
	for w.step() {
		if inside {
			if len(w.stack) <= pos || w.stack[pos].owner != x.node || w.stack[pos].base != x.key {
				break
			}
			for len(bounds) <= int(w.stack[pos].iter) {
				bounds = append(bounds, int32(t.at))
			}
		}
		if !inside && w.n == x.node && w.site == x.key {
			inside = true
		}
		w.follow(&t)
	}
	for len(bounds) <= count {
		bounds = append(bounds, int32(t.at))
	}
	return bounds
}

// moveCopy returns the design with one copy of a repeat at another place.
func (d Design) moveCopy(bounds []int32, from, to int) Design {
	if from == to {
		return d
	}
	part := func(i int) string { return d.trace[bounds[i]:bounds[i+1]] }
	buf := make([]byte, 0, len(d.trace))
	buf = append(buf, d.trace[:bounds[0]]...)
	n := len(bounds) - 1
	for i, k := 0, 0; i < n; i++ {
		if i == to {
			buf = append(buf, part(from)...)
			continue
		}
		if k == from {
			k++
		}
		buf = append(buf, part(k)...)
		k++
	}
	buf = append(buf, d.trace[bounds[n]:]...)
	return Design{space: d.space, trace: string(buf)}
}

// repeatNeighbors emits the designs with one copy less or one copy doubled and
// reports whether to go on.
func (s *Space) repeatNeighbors(w *walker, d Design, sites []site, i int, emit func(Design, bool) bool) bool {
	x := &sites[i]
	bounds := s.copies(w, d, sites, i)
	n := len(bounds) - 1
	for k := 0; k < n && x.index > 0; k++ {
		from := d.moveCopy(bounds, k, n-1)
		w.reset()
		moved := w.scan(from, nil)
		if !emit(s.replaced(w, from, moved, i, binary.AppendUvarint(nil, uint64(x.index)-1))) {
			return false
		}
	}
	if int(x.index) == x.node.N-1 {
		return true
	}
	count := binary.AppendUvarint(nil, uint64(x.index)+1)
	for k := range n {
		buf := append([]byte(d.trace[:x.start]), count...)
		buf = append(buf, d.trace[x.end:bounds[k+1]]...)
		buf = append(buf, d.trace[bounds[k]:]...)
		if !emit(Design{space: s, trace: string(buf)}, s.valid(w, string(buf))) {
			return false
		}
	}
	return n > 0 || emit(s.replaced(w, d, sites, i, count))
}

// valid reports whether bytes are the trace of a design that satisfies every
// constraint. Unlike the other readers it trusts nothing.
func (s *Space) valid(w *walker, b string) bool {
	w.reset()
	at := 0
	for w.step() {
		if w.opts == 0 {
			if len(b)-at < 8 {
				return false
			}
			t := trace{s: b, at: at}
			x := t.real()
			if math.IsNaN(x) || x < w.n.Lo || x > w.n.Hi {
				return false
			}
			w.takeReal(x)
			at += 8
			if w.bad != nil {
				return false
			}
			continue
		}
		x, n := binary.Uvarint([]byte(b[at:min(at+binary.MaxVarintLen64, len(b))]))
		if n <= 0 || x >= uint64(w.opts) || w.masked && !w.legal(int(x)) {
			return false
		}
		w.take(int(x))
		at += n
		if w.bad != nil {
			return false
		}
	}
	return at == len(b) && w.end()
}
