package space

import "fmt"

// Unit writes to dst, which has Dims entries, a point that [Space.FromUnit]
// maps to the design: for each decision the middle of the interval of its
// coordinate that gives the answer, and for a real number the place of its value
// in the prior. Coordinates that the design does not ask, those of inactive
// parameters, keep what dst holds, so that a method that moves in the unit cube
// does not lose them.
//
// The way back gives the same design, but for real numbers, and whole numbers
// whose range has more than about 2^40 values, up to rounding. Unit fails with
// [ErrNoLayout] on a space without coordinates.
func (s *Space) Unit(d Design, dst []float64) error {
	l, err := s.layout()
	if err != nil {
		return err
	}
	if l.err != nil {
		return l.err
	}
	if len(dst) != l.dims {
		return fmt.Errorf("space: %d coordinates; expected %d", len(dst), l.dims)
	}
	w := s.walk()
	defer s.free(w)
	t := trace{s: d.trace}
	for w.step() {
		at := int(l.at[w.key()].dim)
		switch w.role {
		case RoleInclude, RolePlace:
			at += w.item
		case RoleSize:
			at += len(w.n.Labels)
		}
		w.settle()
		dst[at] = w.unit(t)
		w.follow(&t)
	}
	return nil
}

// unit is the inverse of drawAt for the answer that comes next in the trace.
func (w *walker) unit(t trace) float64 {
	n := w.n
	if w.role == RoleReal {
		u := n.unitReal(t.real())
		if w.lo > n.Lo || w.hi < n.Hi {
			a, b := n.unitReal(w.lo), n.unitReal(w.hi)
			if !(b > a) {
				return 0.5
			}
			u = min(max((u-a)/(b-a), 0), 1)
		}
		return u
	}
	i := t.index()
	switch w.role {
	case RoleInclude:
		share := float64(w.stack[len(w.stack)-1].left) / float64(len(n.Labels)-w.item)
		if i == 1 {
			return share / 2
		}
		return (share + 1) / 2
	case RoleSize, RolePlace:
		return (float64(i) + 0.5) / float64(w.opts)
	}
	switch {
	case w.masked && len(w.mask) == 0:
		a, b := n.below(w.first), n.below(w.last+1)
		return (n.middle(i) - a) / (b - a)
	case w.masked:
		total, at := 0.0, 0.0
		for k := range w.opts {
			if !w.legal(k) {
				continue
			}
			p := n.Weight(k)
			if total += p; k < i {
				at += p
			} else if k == i {
				at += p / 2
			}
		}
		return at / total
	}
	return n.middle(i)
}

// middle returns the middle of the interval that fromU maps to option i.
func (p *Param) middle(i int) float64 {
	if p.cum == nil && !p.Log {
		return (float64(i) + 0.5) / float64(p.N)
	}
	return p.below(i) + p.Weight(i)/2
}
