package metric

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
)

// A Front keeps the items that no other item dominates while they arrive one by
// one. The zero value is ready to use.
//
// An item is kept exactly when no item added so far [Dominates] it; items with
// equal scores are all kept. So while no feasible item is known, the ones with
// the smallest violation are, and the first feasible one removes them. Scores
// that are not OK (a failed or missing measurement) are never kept.
//
// With two objectives Add takes O(log n) for a front of n items; otherwise it
// compares with the items of the front.
type Front[T any] struct {
	m       int // objectives; set by the first score
	started bool
	best    float64 // violation of the items; 0 when feasible

	// Slot i holds losses loss[i*m:i*m+m], item items[i] and its number of
	// arrival. With two objectives slots have holes, listed in free; otherwise
	// they are dense.
	loss  []float64
	items []T
	seq   []uint64
	free  []int32
	next  uint64
	n     int

	stair staircase
}

// Len returns the number of items kept.
func (f *Front[T]) Len() int { return f.n }

// Feasible reports whether the items kept are feasible; false when empty.
func (f *Front[T]) Feasible() bool { return f.n > 0 && f.best == 0 }

// Add offers an item. It reports whether the item was kept and how many others
// it removed. It panics when the number of objectives changes.
func (f *Front[T]) Add(s Score, item T) (added bool, removed int) {
	if !f.started {
		f.started, f.m = true, len(s.Loss)
	} else if len(s.Loss) != f.m {
		panic(fmt.Sprintf("metric: Front.Add: found %d objectives, want %d as before", len(s.Loss), f.m))
	}
	if !s.OK() {
		return false, 0
	}
	violation := max(s.Violation, 0)
	if f.n > 0 && violation != f.best {
		if violation > f.best {
			return false, 0
		}
		removed = f.n
		f.clear()
	}
	f.best = violation
	switch {
	case violation > 0:
		f.put(s.Loss, item)
		return true, removed
	case f.m == 2:
		slot := int32(f.n)
		if k := len(f.free) - 1; k >= 0 {
			slot = f.free[k]
		}
		// + 0 turns -0 into 0
		added, _ = f.stair.insert(s.Loss[0]+0, s.Loss[1]+0, slot, 0, 0, true)
		if !added {
			return false, removed
		}
		f.put(s.Loss, item)
		var zero T
		for _, id := range f.stair.removed {
			f.items[id] = zero
		}
		f.free = append(f.free, f.stair.removed...)
		k := len(f.stair.removed)
		f.stair.removed = f.stair.removed[:0]
		f.n -= k
		return true, removed + k
	}
	// Before anything is removed, since a dominated item removes nothing.
	for i := range f.n {
		if paretoDominates(f.row(i), s.Loss) {
			f.swap(0, i) // what dominated once will do so again
			return false, removed
		}
	}
	for i := 0; i < f.n; {
		if paretoDominates(s.Loss, f.row(i)) {
			f.swap(i, f.n-1)
			f.truncate(f.n - 1)
			removed++
		} else {
			i++
		}
	}
	f.put(s.Loss, item)
	return true, removed
}

// All yields the items by rising loss in the first objective, then the others,
// then in order of arrival. The scores are copies. The front must not be
// changed meanwhile.
func (f *Front[T]) All() iter.Seq2[Score, T] {
	return func(yield func(Score, T) bool) {
		ids := make([]int32, 0, f.n)
		if f.m == 2 && f.best == 0 {
			ids = f.stair.appendIDs(ids)
		} else {
			for i := range f.n {
				ids = append(ids, int32(i))
			}
			slices.SortFunc(ids, func(i, j int32) int {
				return cmp.Or(slices.Compare(f.row(int(i)), f.row(int(j))), cmp.Compare(f.seq[i], f.seq[j]))
			})
		}
		loss := make([]float64, len(ids)*f.m)
		for k, id := range ids {
			l := loss[k*f.m : k*f.m+f.m : k*f.m+f.m]
			copy(l, f.row(int(id)))
			if !yield(Score{Loss: l, Violation: f.best}, f.items[id]) {
				return
			}
		}
	}
}

func (f *Front[T]) row(i int) []float64 { return f.loss[i*f.m : i*f.m+f.m] }

// put stores an item in a free slot.
func (f *Front[T]) put(loss []float64, item T) {
	f.next++
	f.n++
	if k := len(f.free) - 1; k >= 0 {
		slot := int(f.free[k])
		f.free = f.free[:k]
		copy(f.row(slot), loss)
		f.items[slot], f.seq[slot] = item, f.next
		return
	}
	f.loss = append(f.loss, loss...)
	f.items = append(f.items, item)
	f.seq = append(f.seq, f.next)
}

func (f *Front[T]) swap(i, j int) {
	if i == j {
		return
	}
	a, b := f.row(i), f.row(j)
	for k := range a {
		a[k], b[k] = b[k], a[k]
	}
	f.items[i], f.items[j] = f.items[j], f.items[i]
	f.seq[i], f.seq[j] = f.seq[j], f.seq[i]
}

func (f *Front[T]) truncate(n int) {
	clear(f.items[n:]) // let go of what they hold
	f.loss, f.items, f.seq = f.loss[:n*f.m], f.items[:n], f.seq[:n]
	f.n = n
}

func (f *Front[T]) clear() {
	f.stair.reset()
	f.free = f.free[:0]
	f.truncate(0)
}
