package space

import "math/rand/v2"

// A growth changes a derivation by more than one production: it wraps a
// subtree into a larger one of the same symbol, or puts a part of a subtree in
// its place. Without these moves a derivation could grow only at its leaves,
// and shrink only by being drawn anew (insertion and hoist mutation: Chellapilla
// 1997; Kinnear 1993).
type growth struct {
	at         int    // site of the rule that changes, -1 if none does
	old        string // decisions of the subtree that stays
	production int    // wrap: the production that takes it in; hoist: -1
	kid        int    // wrap: where in that production it goes
	frame      int    // wrap: depth of the frame that the production opened; 0 before
	placed     bool
}

// grow decides whether the first rule that is to change grows, shrinks or, as
// in half of the cases, only takes another production.
func (v *variation) grow(r *rand.Rand, d Design) growth {
	none := growth{at: -1}
	at := -1
	for i := range v.a {
		if v.hit[i] && v.a[i].node.Kind == KindRule {
			at = i
			break
		}
	}
	if at < 0 {
		return none
	}
	x := v.a[at].node
	part := func(i int) string { return d.trace[v.a[i].start:tail(v.a, i, d.trace)] }
	switch below(r, 4) {
	case 0:
		count := 0
		for _, kids := range x.kids {
			for _, k := range kids {
				if k == x {
					count++
				}
			}
		}
		if count == 0 {
			return none
		}
		pick := below(r, count)
		for p, kids := range x.kids {
			for i, k := range kids {
				if k != x {
					continue
				}
				if pick == 0 {
					return growth{at: at, old: part(at), production: p, kid: i}
				}
				pick--
			}
		}
	case 1:
		end := tail(v.a, at, d.trace)
		count := 0
		for j := at + 1; j < len(v.a) && int(v.a[j].start) < end; j++ {
			if v.a[j].node == x {
				count++
			}
		}
		if count == 0 {
			return none
		}
		pick := below(r, count)
		for j := at + 1; ; j++ {
			if v.a[j].node != x {
				continue
			}
			if pick == 0 {
				return growth{at: at, old: part(j), production: -1}
			}
			pick--
		}
	}
	return none
}

// answer takes the pending decision if it belongs to the growth; k is its site
// in the old design, or -1. ok is false if nothing legal was left.
func (g *growth) answer(r *rand.Rand, w *walker, k int) (taken, ok bool) {
	switch {
	case g.at < 0:
		return false, false
	case g.frame > 0 && len(w.stack) >= g.frame:
		if !g.placed && len(w.stack) == g.frame && int(w.stack[g.frame-1].i)-1 == g.kid {
			g.placed = true
			return true, w.graft(g.old) || w.draw(r)
		}
		return true, w.draw(r)
	case k != g.at || g.frame > 0:
		return false, false
	case g.production < 0:
		g.at = -1
		return true, w.graft(g.old) || w.draw(r)
	}
	if !w.try(g.production) {
		g.at = -1
		return true, w.draw(r)
	}
	g.frame = len(w.stack)
	return true, true
}
