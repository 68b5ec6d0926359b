package space

// An item is one node of a design as a tree: a decision with its answer, a
// group, a constant, or a whole subset or permutation.
type item struct {
	node    *node
	site    uint64
	index   int
	real    float64
	members []int32 // subset: labels held, ascending; permutation: labels in order
	size    int     // subset: how many it holds
	parent  int32   // index of the parent item, -1 at the root
	last    int32   // one past the last item below this one
	iter    int32   // which copy of the parent repeat it belongs to
	start   int32   // first byte of its own decisions in the trace
	end     int32   // one past them
}

// items returns the design as a tree in pre-order.
func (d Design) items() []item { return d.appendItems(make([]item, 0, len(d.trace)+8)) }

// appendItems is items into a buffer, which must be empty.
func (d Design) appendItems(out []item) []item {
	w := d.space.walk()
	defer d.space.free(w)
	w.groups = true
	t := trace{s: d.trace}
	own := make([]int32, 1, 16) // the item that owns each frame of the walker's stack
	own[0] = -1
	grow := func(i int) {
		for len(own) < len(w.stack) {
			own = append(own, 0)
		}
		own[len(w.stack)-1] = int32(i)
	}
	for w.step() {
		top := len(w.stack) - 1
		if w.role == RoleInclude || w.role == RolePlace {
			it := &out[own[top]]
			i, _ := w.follow(&t)
			if w.role == RolePlace {
				moveTo(it.members[w.item:], i)
			} else {
				it.index = w.item + 1 // items asked about so far
				if i == 1 {
					it.members = append(it.members, int32(w.item))
				}
			}
			it.end = int32(t.at)
			continue
		}
		n := w.n
		it := item{node: n, site: w.site, start: int32(t.at)}
		pushed := w.role == 0 && n.Kind != KindConst
		if pushed {
			top--
		}
		it.parent, it.iter = own[top], w.stack[top].iter
		if w.role != 0 {
			it.index, it.real = w.follow(&t)
		}
		switch n.Kind {
		case KindSubset:
			it.size = n.min + it.index
			it.index = 0
		case KindPermutation:
			it.members = make([]int32, len(n.Labels))
			for i := range it.members {
				it.members[i] = int32(i)
			}
		}
		it.end = int32(t.at)
		out = append(out, it)
		if len(w.stack)-1 > top {
			grow(len(out) - 1)
		}
	}
	for i := len(out) - 1; i >= 0; i-- {
		it := &out[i]
		it.last = max(it.last, int32(i+1))
		if it.parent >= 0 {
			out[it.parent].last = max(out[it.parent].last, it.last)
		}
		if it.node.Kind == KindSubset {
			// The walk stops asking once the rest must all be in.
			for m := it.index; len(it.members) < it.size; m++ {
				it.members = append(it.members, int32(m))
			}
		}
	}
	return out
}

// moveTo brings element i to the front and keeps the order of the rest.
func moveTo(s []int32, i int) {
	v := s[i]
	copy(s[1:i+1], s[:i])
	s[0] = v
}
