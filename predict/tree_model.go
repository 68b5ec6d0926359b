package predict

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// A treeNode parts rows in two. A child that is not negative is a node, another
// one is the leaf ^child.
type treeNode struct {
	cut         float64 // a number goes left if it is not above
	left, right int32
	column      int32 // twice the column, plus 1 if what is missing goes left
	set         int32 // of a category: first word of the bits of those that go left; −1 for a number
}

// A treeForest is trees that were grown, all in flat slices.
type treeForest struct {
	columns   []Column
	roots     []int32 // a node, or ^leaf
	nodes     []treeNode
	sets      []uint64
	covers    []float64 // weight of the training rows that reached each node
	values    []float64 // of leaves
	variances []float64 // of the targets in leaves; nil where it is not known
	leafCover []float64
	seen      [][]uint64 // by column: the categories that have a bin; nil for a number
	gains     []float64  // by column
	splits    []int      // by column
}

func newTreeForest(t *Table, b *treeBins) *treeForest {
	f := &treeForest{
		columns: slices.Clone(t.Columns), seen: make([][]uint64, len(t.Columns)),
		gains: make([]float64, len(t.Columns)), splits: make([]int, len(t.Columns)),
	}
	for j, c := range b.columns {
		if c.kinds == nil {
			continue
		}
		f.seen[j] = make([]uint64, (t.Columns[j].Levels+63)/64)
		for _, k := range c.kinds {
			f.seen[j][k>>6] |= 1 << (k & 63)
		}
	}
	return f
}

// split appends the node of a split; the children are set later.
func (f *treeForest) split(b *treeBins, s *treeSplit, cover float64) int32 {
	c := &b.columns[s.column]
	n := treeNode{column: s.column << 1, set: -1}
	if s.missLeft {
		n.column |= 1
	}
	switch {
	case s.kinds:
		n.set = int32(len(f.sets))
		f.sets = append(f.sets, make([]uint64, len(f.seen[s.column]))...)
		set := f.sets[n.set:]
		for i, k := range c.kinds {
			if s.set[i>>6]>>(i&63)&1 == 1 {
				set[k>>6] |= 1 << (k & 63)
			}
		}
	case s.cut < len(c.cuts):
		// In the middle of what the rows leave open.
		n.cut = c.cuts[s.cut]
		if m := c.cuts[s.cut]/2 + c.cuts[s.gap]/2; s.gap > s.cut && m > n.cut {
			n.cut = m
		}
	default: // all values left, what is missing right
		n.cut = math.MaxFloat64
	}
	f.nodes = append(f.nodes, n)
	f.covers = append(f.covers, cover)
	f.gains[s.column] += s.gain
	f.splits[s.column]++
	return int32(len(f.nodes) - 1)
}

// leaf appends a leaf and returns the child that stands for it.
func (f *treeForest) leaf(value, cover float64) int32 {
	f.values = append(f.values, value)
	f.leafCover = append(f.leafCover, cover)
	return ^int32(len(f.values) - 1)
}

// append adds the trees of another forest of the same columns.
func (f *treeForest) append(o *treeForest) {
	nodes, leaves, sets := int32(len(f.nodes)), int32(len(f.values)), int32(len(f.sets))
	move := func(child int32) int32 {
		if child < 0 {
			return child - leaves
		}
		return child + nodes
	}
	for _, r := range o.roots {
		f.roots = append(f.roots, move(r))
	}
	for _, n := range o.nodes {
		n.left, n.right = move(n.left), move(n.right)
		if n.set >= 0 {
			n.set += sets
		}
		f.nodes = append(f.nodes, n)
	}
	f.sets = append(f.sets, o.sets...)
	f.covers = append(f.covers, o.covers...)
	f.values = append(f.values, o.values...)
	f.variances = append(f.variances, o.variances...)
	f.leafCover = append(f.leafCover, o.leafCover...)
	for j := range f.gains {
		f.gains[j] += o.gains[j]
		f.splits[j] += o.splits[j]
	}
}

// A treeMark is how far a forest was grown.
type treeMark struct {
	roots, nodes, leaves, sets int
	gains                      []float64
	splits                     []int
}

func (f *treeForest) mark() treeMark {
	return treeMark{len(f.roots), len(f.nodes), len(f.values), len(f.sets), slices.Clone(f.gains), slices.Clone(f.splits)}
}

// truncate takes away the trees that were grown since.
func (f *treeForest) truncate(m treeMark) {
	f.roots, f.nodes, f.covers, f.sets = f.roots[:m.roots], f.nodes[:m.nodes], f.covers[:m.nodes], f.sets[:m.sets]
	f.values, f.leafCover = f.values[:m.leaves], f.leafCover[:m.leaves]
	f.gains, f.splits = m.gains, m.splits
}

// clean returns the row with categories that have no bin turned into missing
// values; buf is used if it must change.
func (f *treeForest) clean(x, buf []float64) []float64 {
	changed := false
	for j, seen := range f.seen {
		if seen == nil || x[j] != x[j] {
			continue
		}
		// What is no category at all is not known either.
		if k := x[j]; k >= 0 && k < float64(64*len(seen)) && seen[int(k)>>6]>>(int(k)&63)&1 == 1 {
			continue
		}
		if !changed {
			copy(buf, x)
			x, changed = buf, true
		}
		x[j] = math.NaN()
	}
	return x
}

// find returns the leaf of a clean row below a child.
func (f *treeForest) find(at int32, x []float64) int32 {
	nodes := f.nodes
	for at >= 0 {
		n := &nodes[at]
		v := x[n.column>>1]
		if n.set < 0 {
			if v <= n.cut {
				at = n.left
				continue
			}
			if v > n.cut {
				at = n.right
				continue
			}
		} else if v == v {
			if k := uint(v); f.sets[uint(n.set)+k>>6]>>(k&63)&1 == 1 {
				at = n.left
			} else {
				at = n.right
			}
			continue
		}
		if n.column&1 == 1 {
			at = n.left
		} else {
			at = n.right
		}
	}
	return ^at
}

// treeBlock is how many rows are taken through all trees together, so that a
// tree is read once for all of them.
const treeBlock = 64

// treeAlone is how many visits of trees are not worth a second core.
const treeAlone = 1 << 18

// blocks calls do for blocks of clean rows, on all cores if there are many.
func (f *treeForest) blocks(rows []float64, do func(from int, rows []float64, d int)) {
	d := len(f.columns)
	if len(rows)%d != 0 {
		panic(fmt.Sprintf("predict: %d numbers are not rows of %d columns", len(rows), d))
	}
	n := len(rows) / d
	mixed := slices.ContainsFunc(f.seen, func(s []uint64) bool { return s != nil })
	block := func(from int) {
		to := min(from+treeBlock, n)
		x := rows[from*d : to*d]
		if mixed {
			y := make([]float64, len(x))
			copy(y, x)
			for i := 0; i < len(y); i += d {
				f.clean(y[i:i+d], y[i:i+d])
			}
			x = y
		}
		do(from, x, d)
	}
	if n <= treeBlock || n*len(f.roots) < treeAlone {
		for from := 0; from < n; from += treeBlock {
			block(from)
		}
		return
	}
	pool := newTreePool()
	defer pool.close()
	pool.each((n+treeBlock-1)/treeBlock, func(_, i int) { block(i * treeBlock) })
}

// sum writes the sum of all trees.
func (f *treeForest) sum(rows, out []float64) {
	f.blocks(rows, func(from int, rows []float64, d int) {
		out := out[from : from+len(rows)/d]
		clear(out)
		for _, root := range f.roots {
			for i := range out {
				out[i] += f.values[f.find(root, rows[i*d:(i+1)*d])]
			}
		}
	})
}

// An Importance says how much a column took part in the splits of trees.
type Importance struct {
	Column string
	Gain   float64 // share of the loss that its splits took away; all columns sum to 1
	Splits int
}

// importance lists the columns in their order.
func (f *treeForest) importance() []Importance {
	out := make([]Importance, len(f.columns))
	total := 0.0
	for _, g := range f.gains {
		total += g
	}
	for j, c := range f.columns {
		out[j] = Importance{Column: c.Name, Splits: f.splits[j]}
		if total > 0 {
			out[j].Gain = f.gains[j] / total
		}
	}
	return out
}

func (f *treeForest) save(w *saveWriter) {
	w.columns(f.columns)
	w.uint(uint64(len(f.roots)))
	for _, r := range f.roots {
		w.int(int(r))
	}
	w.uint(uint64(len(f.nodes)))
	for _, n := range f.nodes {
		w.float(n.cut)
		w.int(int(n.left))
		w.int(int(n.right))
		w.int(int(n.column))
		w.int(int(n.set))
	}
	words := func(x []uint64) {
		w.uint(uint64(len(x)))
		for _, v := range x {
			w.uint(v)
		}
	}
	words(f.sets)
	for _, s := range f.seen {
		words(s)
	}
	w.floats(f.covers)
	w.floats(f.values)
	w.floats(f.variances)
	w.floats(f.leafCover)
	w.floats(f.gains)
	w.ints(f.splits)
}

// readTreeForest reads what save wrote, and makes sure that walking the trees
// ends and stays within them.
func readTreeForest(r *saveReader) *treeForest {
	f := &treeForest{columns: r.columns()}
	r.what = "trees"
	f.roots = make([]int32, r.count(1))
	for i := range f.roots {
		f.roots[i] = int32(r.int())
	}
	f.nodes = make([]treeNode, r.count(12))
	for i := range f.nodes {
		f.nodes[i] = treeNode{cut: r.float(), left: int32(r.int()), right: int32(r.int()), column: int32(r.int()), set: int32(r.int())}
	}
	words := func() []uint64 {
		n := r.count(1)
		if n == 0 {
			return nil
		}
		x := make([]uint64, n)
		for i := range x {
			x[i] = r.uint()
		}
		return x
	}
	f.sets = words()
	f.seen = make([][]uint64, len(f.columns))
	for j := range f.seen {
		f.seen[j] = words()
		if want := (f.columns[j].Levels + 63) / 64; r.err == nil && len(f.seen[j]) != want {
			r.fail(r.what, fmt.Sprintf("%d words of categories", len(f.seen[j])), fmt.Sprint(want))
		}
	}
	f.covers, f.values, f.variances, f.leafCover = r.floats(), r.floats(), r.floats(), r.floats()
	f.gains, f.splits = r.floats(), r.ints()
	if len(f.variances) == 0 {
		f.variances = nil
	}
	r.check(len(f.columns) > 0, "no columns", "at least one")
	r.check(len(f.covers) == len(f.nodes) && len(f.leafCover) == len(f.values) &&
		(f.variances == nil || len(f.variances) == len(f.values)) &&
		len(f.gains) == len(f.columns) && len(f.splits) == len(f.columns), "lists of different lengths", "one entry for each node, leaf and column")
	taken := make([]bool, len(f.nodes)+len(f.values))
	child := func(c int32, after int) bool {
		at := int(c)
		if c < 0 {
			at = len(f.nodes) + int(^c)
		}
		if at >= len(taken) || c >= 0 && (at >= len(f.nodes) || at <= after) || taken[at] {
			return false
		}
		taken[at] = true
		return true
	}
	for _, c := range f.roots {
		r.check(child(c, -1), fmt.Sprintf("root %d", c), "a node or a leaf of its own")
	}
	for i, n := range f.nodes {
		if r.err != nil {
			break
		}
		j := int(n.column >> 1)
		r.check(child(n.left, i) && child(n.right, i), fmt.Sprintf("node %d with children %d and %d", i, n.left, n.right), "later nodes or leaves of its own")
		if r.check(n.column >= 0 && j < len(f.columns), fmt.Sprintf("column %d", j), fmt.Sprintf("one of %d", len(f.columns))) {
			r.check((n.set >= 0) == (f.seen[j] != nil) && int(n.set)+len(f.seen[j]) <= len(f.sets), fmt.Sprintf("node %d without its categories", i), "a set")
		}
		r.check(n.cut == n.cut, "a cut that is NaN", "a number")
	}
	for _, v := range f.values {
		r.check(v-v == 0, fmt.Sprintf("leaf of %v", v), "a finite number")
	}
	for _, v := range f.variances {
		r.check(v >= 0 && v-v == 0, fmt.Sprintf("variance of %v", v), "0 or more")
	}
	return f
}

// treeTarget moves and scales targets so that they are around 0 and 1.
type treeTarget struct{ shift, scale float64 }

func newTreeTarget(y, weight []float64) treeTarget {
	top := 0.0
	for _, v := range y {
		top = max(top, math.Abs(v))
	}
	if top == 0 {
		return treeTarget{0, 1}
	}
	sum, all := 0.0, 0.0
	for i, v := range y {
		w := 1.0
		if weight != nil {
			w = weight[i]
		}
		sum += float64(w * (v / top))
		all += w
	}
	mean := sum / all
	square := 0.0
	for i, v := range y {
		w := 1.0
		if weight != nil {
			w = weight[i]
		}
		d := v/top - mean
		square += float64(w * float64(d*d))
	}
	t := treeTarget{float64(mean * top), float64(top * math.Sqrt(square/all))}
	if same := slices.Min(y) == slices.Max(y); same || !(t.scale > 0) {
		return treeTarget{y[0], 1}
	}
	return t
}

// treeWeights returns weights with a mean of 1, or nil if all are equal.
func treeWeights(t *Table) []float64 {
	if t.Weight == nil || slices.Min(t.Weight) == slices.Max(t.Weight) {
		return nil
	}
	top := slices.Max(t.Weight)
	sum := 0.0
	for _, w := range t.Weight {
		sum += w / top
	}
	mean := sum / float64(len(t.Weight))
	out := make([]float64, len(t.Weight))
	for i, w := range t.Weight {
		out[i] = w / top / mean
	}
	return out
}

// treeCheck is how every learner of this package's trees begins.
func treeCheck(ctx context.Context, t *Table) error {
	if err := t.Validate(); err != nil {
		return err
	}
	return ctx.Err()
}

// treeKinds are the models of trees that can be saved.
func treeKinds() []saveRow {
	return []saveRow{
		{"boosted", 1, readBoosted},
		{"forest", 1, readForest},
		{"bagged", 1, readBagged},
		{"conformal", 1, readConformal},
	}
}
