package predict

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// Forest is a random forest (Breiman, "Random forests", 2001) whose prediction
// has a variance, as SMAC uses it (Hutter, Hoos and Leyton-Brown 2011, and
// "Algorithm runtime prediction", 2014, §4.3.2): with μₜ the mean and σₜ² the
// variance of the targets in the leaf of tree t,
//
//	mean = mean μₜ    variance = variance of μₜ + mean σₜ²
//
// Each tree is grown on a bootstrap sample; each node parts its rows where the
// squared error falls most, among a random share of the columns. Columns are cut
// into at most 255 bins. Where a column has more values, every tree cuts it at
// other places, so that the forest sees sixteen times as many, which is what a
// tree that is grown to the last row wants; where it has no more, splits are as
// exact as if there were no bins. Missing values and categories are treated as in
// [Boosted].
//
// Trees are grown on all cores, and the model does not depend on how many there
// are. A fit takes O(trees · columns · rows · log rows).
//
// The zero value is ready to use with the defaults given on each field.
type Forest struct {
	// Trees is how many trees are grown; 0 means 100.
	Trees int `yaml:"trees" min:"0" max:"100000" doc:"trees; 0 means 100"`
	// MinLeaf is the least rows in a leaf, counted as often as they were drawn; 0
	// means 3, as SMAC does, which knows its variance best. Targets without noise
	// are predicted a few hundredths better with 1.
	MinLeaf int `yaml:"min_leaf" min:"0" doc:"least rows in a leaf; 0 means 3"`
	// MinSplit is the least rows of a node that is parted; 0 means 3.
	MinSplit int `yaml:"min_split" min:"0" doc:"least rows of a node that is parted; 0 means 3"`
	// Depth is the most splits above a leaf; 0 means no bound.
	Depth int `yaml:"depth" min:"0" max:"1000" doc:"most splits above a leaf; 0 means no bound"`
	// Leaves is the most leaves of a tree, which then is grown where the error
	// falls most; 0 means no bound.
	Leaves int `yaml:"leaves" min:"0" doc:"most leaves of a tree; 0 means no bound"`
	// ColumnShare is the share of the columns that each node may choose from; 0
	// means 5/6 as SMAC does, but no more than 16 columns or a third of them,
	// whichever is more. Columns that do not vary in a node are not counted.
	ColumnShare float64 `yaml:"column_share" min:"0" max:"1" doc:"share of the columns that each node may choose from; 0 means 5/6, of many columns 16 or a third"`
	// Whole grows each tree on all rows instead of a bootstrap sample.
	Whole bool `yaml:"whole" doc:"grow each tree on all rows instead of a bootstrap sample"`
	// RowShare is the size of the sample as a share of the rows; 0 means 1.
	RowShare float64 `yaml:"row_share" min:"0" max:"1" doc:"size of the sample as a share of the rows; 0 means all"`
	// Extra cuts each column at one random place (Geurts, Ernst and Wehenkel,
	// "Extremely randomized trees", 2006), evenly over the bins that a node
	// holds; categories are parted by lot. It is usually used with Whole.
	Extra bool `yaml:"extra" doc:"cut each column at one random place: extremely randomized trees"`
	// Bins is the most bins of a column; 0 means 255.
	Bins int `yaml:"bins" min:"0" max:"255" doc:"most bins of a column; 0 means 255"`
}

func (o Forest) withDefaults() (Forest, error) {
	var errs []error
	in := func(name string, x, lo, hi float64) {
		if !(x >= lo && x <= hi) {
			errs = append(errs, fmt.Errorf("predict: forest: %s is %v; expected %v to %v", name, x, lo, hi))
		}
	}
	for _, d := range []struct {
		x *int
		v int
	}{{&o.Trees, 100}, {&o.MinLeaf, 3}, {&o.MinSplit, 3}, {&o.Bins, treeMaxBins}, {&o.Leaves, math.MaxInt32}, {&o.Depth, math.MaxInt32}} {
		if *d.x == 0 {
			*d.x = d.v
		}
	}
	if o.RowShare == 0 {
		o.RowShare = 1
	}
	in("trees", float64(o.Trees), 1, 1e5)
	in("min_leaf", float64(o.MinLeaf), 1, math.MaxInt32)
	in("min_split", float64(o.MinSplit), 2, math.MaxInt32)
	in("leaves", float64(o.Leaves), 1, math.MaxInt32)
	in("depth", float64(o.Depth), 1, math.MaxInt32)
	in("bins", float64(o.Bins), 2, treeMaxBins)
	in("column_share", o.ColumnShare, 0, 1)
	in("row_share", o.RowShare, 1e-9, 1)
	return o, errors.Join(errs...)
}

// ForestModel is a model of [Forest].
type ForestModel struct{ trees *treeForest }

// Fit implements [Learner]. The model is a [*ForestModel].
func (o Forest) Fit(ctx context.Context, t *Table, seed uint64) (Model, error) {
	if err := treeCheck(ctx, t); err != nil {
		return nil, err
	}
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	pool := newTreePool()
	defer pool.close()
	bins, err := treeBin(ctx, t, o.Bins, pool)
	if err != nil {
		return nil, err
	}
	s := newForestShared(o, t, bins)
	var wide []int
	for j, c := range bins.columns {
		if c.kinds == nil && c.bins == o.Bins {
			wide = append(wide, j)
		}
	}
	s.fine = make([]forestFine, len(wide))
	pool.each(len(wide), func(_, i int) {
		if ctx.Err() == nil {
			s.fine[i] = newForestFine(t, wide[i], o.Bins)
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	growers := make([]*forestGrower, pool.workers)
	trees := make([]*treeForest, o.Trees)
	pool.each(o.Trees, func(w, i int) {
		if ctx.Err() != nil {
			return
		}
		if growers[w] == nil {
			growers[w] = newForestGrower(s)
		}
		trees[i] = growers[w].grow(ctx, rng.New(seed, "predict/forest", uint64(i)))
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := newTreeForest(t, bins)
	nodes, leaves := 0, 0
	for _, f := range trees {
		nodes += len(f.nodes)
		leaves += len(f.values)
	}
	out.nodes, out.covers = make([]treeNode, 0, nodes), make([]float64, 0, nodes)
	out.values, out.variances, out.leafCover = make([]float64, 0, leaves), make([]float64, 0, leaves), make([]float64, 0, leaves)
	for _, f := range trees {
		out.append(f)
	}
	for i := range out.values {
		out.values[i] = float64(out.values[i]*s.target.scale) + s.target.shift
		out.variances[i] = float64(float64(out.variances[i]*s.target.scale) * s.target.scale)
	}
	for j := range out.gains {
		out.gains[j] *= float64(s.target.scale * s.target.scale)
	}
	return &ForestModel{out}, nil
}

// A forestShared is what all trees are grown from.
type forestShared struct {
	Forest
	t      *Table
	bins   *treeBins
	target treeTarget
	y      []float64 // around 0 and 1
	weight []float64 // nil if all are equal
	sample int       // rows of a tree
	tries  int       // columns of a node
	scale  treeScale
	words  []int64
	hess   []int64
	fine   []forestFine
}

// A forestFine is a column that has more values than bins, in finer ones.
type forestFine struct {
	column int
	cuts   []float64
	code   []uint16
}

// forestFiner is how many finer bins make one of a tree.
const forestFiner = 16

func newForestFine(t *Table, j, bins int) forestFine {
	d := len(t.Columns)
	step := max(1, t.Rows()/treeBinSample)
	values := make([]float64, 0, t.Rows()/step+1)
	for i := 0; i < t.Rows(); i += step {
		if x := t.X[i*d+j]; x == x {
			values = append(values, x)
		}
	}
	slices.Sort(values)
	f := forestFine{column: j, cuts: treeCuts(values, forestFiner*bins), code: make([]uint16, t.Rows())}
	for i := range f.code {
		x := t.X[i*d+j]
		f.code[i] = math.MaxUint16 // missing
		if x == x {
			f.code[i] = uint16(treeFind(f.cuts, x))
		}
	}
	return f
}

// redraw cuts the column at other places: at every sixteenth or so of the fine
// cuts, from a random one on.
func (f *forestFine) redraw(r *rand.Rand, bins int, c *treeColumn, bin []uint8) {
	k := len(f.cuts)
	by := float64(k) / float64(bins-1)
	at := r.Float64()
	c.cuts = make([]float64, 0, bins-1)
	var of [forestFiner * treeMaxBins]uint8
	next := int(float64(at * by))
	for i := range k + 1 {
		of[i] = uint8(len(c.cuts))
		if i == next && i < k && len(c.cuts) < bins-1 {
			c.cuts = append(c.cuts, f.cuts[i])
			next = max(i+1, int(float64((at+float64(len(c.cuts)))*by)))
		}
	}
	c.bins = len(c.cuts) + 1
	for i, x := range f.code {
		if x == math.MaxUint16 {
			bin[i] = uint8(c.bins)
			continue
		}
		bin[i] = of[x]
	}
}

func newForestShared(o Forest, t *Table, bins *treeBins) *forestShared {
	s := &forestShared{Forest: o, t: t, bins: bins, weight: treeWeights(t)}
	n := t.Rows()
	s.target = newTreeTarget(t.Y, s.weight)
	s.y = make([]float64, n)
	top, heavy := 0.0, 0.0
	for i, v := range t.Y {
		s.y[i] = (v - s.target.shift) / s.target.scale
		w := 1.0
		if s.weight != nil {
			w = s.weight[i]
			heavy = max(heavy, w)
		}
		top = max(top, math.Abs(float64(w*s.y[i])))
	}
	s.sample = max(1, int(math.Floor(float64(o.RowShare*float64(n))+0.5)))
	d := len(bins.live)
	s.tries = min((5*d+5)/6, max(16, (d+2)/3))
	if o.ColumnShare > 0 {
		s.tries = max(1, int(math.Ceil(float64(o.ColumnShare*float64(d))-1e-9)))
	}
	s.scale = newTreeScale(s.sample, top, heavy)
	s.words = make([]int64, n)
	if s.weight != nil {
		s.hess = make([]int64, n)
	}
	for i, y := range s.y {
		w := 1.0
		if s.weight != nil {
			w = s.weight[i]
			s.hess[i] = max(1, int64(math.Floor(w/s.scale.hess+0.5)))
		}
		// The gradient of the squared error at 0 is −y.
		s.words[i] = s.scale.word(-float64(w * y))
	}
	return s
}

// A forestGrower grows trees one after the other.
type forestGrower struct {
	*forestShared
	bins         *treeBins // of the tree
	r            *rand.Rand
	rules        treeRules
	out          *treeForest
	rows, spare  []int32 // different rows of the sample
	drawn, hdraw []int64 // by row: its word times how often it was drawn
	words, hess  []int64 // of the rows of the node
	sums, hsums  [256]int64
	columns      []int32
	todo         []forestNode
	nodes        int
}

// A forestNode is rows that wait to become a node or a leaf.
type forestNode struct {
	from, to int
	depth    int
	parent   int32
	right    bool
	sum      treeSum
	split    treeSplit
}

func newForestGrower(s *forestShared) *forestGrower {
	n := s.t.Rows()
	g := &forestGrower{forestShared: s, spare: make([]int32, n), words: make([]int64, n), drawn: make([]int64, n)}
	if s.hess != nil {
		g.hess, g.hdraw = make([]int64, n), make([]int64, n)
	}
	g.rules = treeRules{treeScale: s.scale, minLeaf: s.MinLeaf}
	g.columns = slices.Clone(s.bins.live)
	g.bins = &treeBins{rows: n, columns: slices.Clone(s.bins.columns), bin: slices.Clone(s.bins.bin), live: s.bins.live}
	for _, f := range s.fine {
		g.bins.bin[f.column] = make([]uint8, n)
	}
	return g
}

// grow grows one tree.
func (g *forestGrower) grow(ctx context.Context, r *rand.Rand) *treeForest {
	g.r = r
	g.out = newTreeForest(g.t, g.bins)
	copy(g.columns, g.bins.live)
	g.draw()
	for i := range g.fine {
		f := &g.fine[i]
		f.redraw(r, g.Bins, &g.bins.columns[f.column], g.bins.bin[f.column])
	}
	room := len(g.rows) / g.MinLeaf
	if room > g.Leaves {
		room = g.Leaves
	}
	f := g.out
	f.nodes, f.covers = make([]treeNode, 0, room), make([]float64, 0, room)
	f.values, f.variances, f.leafCover = make([]float64, 0, room), make([]float64, 0, room), make([]float64, 0, room)
	var total treeSum
	for _, i := range g.rows {
		total.word += g.drawn[i]
		if g.hess != nil {
			total.hess += g.hdraw[i]
		}
	}
	g.todo = append(g.todo[:0], forestNode{to: len(g.rows), parent: -1, sum: total})
	if g.Leaves < math.MaxInt32 {
		g.bestFirst(ctx)
		return g.out
	}
	for len(g.todo) > 0 {
		n := g.todo[len(g.todo)-1]
		g.todo = g.todo[:len(g.todo)-1]
		if g.nodes++; g.nodes&255 == 0 && ctx.Err() != nil {
			break
		}
		if g.search(&n); n.split.gain <= 0 {
			g.leaf(&n)
			continue
		}
		a, c := g.part(&n)
		g.todo = append(g.todo, c, a)
	}
	return g.out
}

func (g *forestGrower) bestFirst(ctx context.Context) {
	g.search(&g.todo[0])
	for len(g.todo) < g.Leaves && ctx.Err() == nil {
		at := -1
		for i := range g.todo {
			if x := g.todo[i].split.gain; x > 0 && (at < 0 || x > g.todo[at].split.gain) {
				at = i
			}
		}
		if at < 0 {
			break
		}
		a, c := g.part(&g.todo[at])
		g.search(&a)
		g.search(&c)
		g.todo[at] = a
		g.todo = append(g.todo, c)
	}
	for i := range g.todo {
		g.leaf(&g.todo[i])
	}
}

// draw draws the rows of the tree. A row that is drawn k times stands once in
// rows, with k times its word, whose count is then k.
func (g *forestGrower) draw() {
	n := g.t.Rows()
	clear(g.drawn)
	switch {
	case !g.Whole:
		for range g.sample {
			g.drawn[g.r.IntN(n)]++
		}
	case g.sample == n:
		for i := range g.drawn {
			g.drawn[i] = 1
		}
	default:
		for _, i := range treeDraw(g.r, treeCount(n), g.sample) {
			g.drawn[i] = 1
		}
	}
	g.rows = g.rows[:0]
	for i, k := range g.drawn {
		if k == 0 {
			continue
		}
		g.rows = append(g.rows, int32(i))
		g.drawn[i] = k * g.forestShared.words[i]
		if g.hess != nil {
			g.hdraw[i] = k * g.forestShared.hess[i]
		}
	}
}

// search looks for the best split of a node among columns drawn by lot.
//
// Targets are taken from the mean of the node, so that both sides sum to
// opposite numbers ±s and the squared error falls by s²·n / (nₗ·nᵣ).
func (g *forestGrower) search(n *forestNode) {
	rows := g.rows[n.from:n.to]
	all := n.sum.word & g.rules.mask
	if all < int64(max(g.MinSplit, 2*g.MinLeaf)) || len(rows) < 2 || n.depth >= g.Depth {
		return
	}
	var mean int64
	if g.hess == nil {
		mean = (n.sum.word >> g.rules.bits) / all << g.rules.bits
	}
	words := g.words[:len(rows)]
	first, pure := g.forestShared.words[rows[0]], true
	for i, r := range rows {
		pure = pure && g.forestShared.words[r] == first
		w := g.drawn[r]
		words[i] = w - (w&g.rules.mask)*mean
	}
	var hess []int64
	if g.hess != nil {
		hess = g.hess[:len(rows)]
		for i, r := range rows {
			hess[i] = g.hdraw[r]
		}
	} else if pure {
		return
	}
	h := treeHist{words: &g.sums}
	if hess != nil {
		h.hess = &g.hsums
	}
	sum := n.sum
	sum.word -= all * mean
	node := g.rules.node(sum)
	tried := 0
	for i := 0; i < len(g.columns) && tried < g.tries; i++ {
		// Fisher-Yates, as far as columns are needed. Of equal splits, which are
		// many where rows are few, the one that was drawn first is taken: that the
		// trees differ there is worth a hundredth or two of the error.
		k := i + g.r.IntN(len(g.columns)-i)
		g.columns[i], g.columns[k] = g.columns[k], g.columns[i]
		j, at := g.columns[i], int32(i)
		c := &g.bins.columns[j]
		bin := g.bins.bin[j]
		plain := hess == nil && c.kinds == nil && !g.Extra
		if plain && len(rows) < forestSmall {
			if g.few(bin, rows, words, c, at, &node, &n.split) {
				tried++
			}
			continue
		}
		h.fill(bin, rows, words, hess)
		if h.words[bin[rows[0]]] != sum.word { // not all rows are in one bin
			tried++
			switch {
			case g.Extra:
				g.lot(h, c, at, &node, &n.split)
			case c.kinds != nil:
				g.rules.categories(h, c, at, &node, &n.split)
			case plain:
				g.many(c, at, &node, &n.split)
			default:
				g.rules.number(h, c, at, &node, 0, &n.split)
			}
		}
		clear(g.sums[:c.bins+1])
		if hess != nil {
			clear(g.hsums[:c.bins+1])
		}
	}
	if n.split.gain > 0 {
		n.split.column = g.columns[n.split.column]
		n.split.left.word += (n.split.left.word & g.rules.mask) * mean
	}
}

// forestSmall is how many rows are fewer than it pays to look at every bin for.
const forestSmall = 96

// A forestBest is the best cut of one column so far.
type forestBest struct {
	all, minLeaf, mask int64
	bits               uint
	top                float64
	cut, gap           int
	left               int64
	missLeft           bool
}

func (g *forestGrower) best(node *treeNodeSum) forestBest {
	return forestBest{all: node.sum.word & g.rules.mask, minLeaf: int64(g.MinLeaf), mask: g.rules.mask, bits: g.rules.bits & 63, cut: -1}
}

// offer takes the sum of the left side after bin b.
func (f *forestBest) offer(acc int64, b int, missLeft bool) {
	nl := acc & f.mask
	nr := f.all - nl
	if nl < f.minLeaf || nr < f.minLeaf {
		return
	}
	gl := float64(acc >> (f.bits & 63))
	over, under := float64(gl*gl), float64(nl*nr)
	if over > float64(f.top*under) {
		f.top, f.cut, f.left, f.missLeft = over/under, b, acc, missLeft
	}
}

func (g *forestGrower) take(f *forestBest, column int32, free bool, node *treeNodeSum, best *treeSplit) {
	if f.cut < 0 {
		return
	}
	gain := float64(float64(float64(f.top*float64(f.all))*g.rules.grad) * g.rules.grad)
	if gain <= node.floor || gain <= best.gain {
		return
	}
	*best = treeSplit{gain: gain, column: column, cut: f.cut, gap: f.gap, left: treeSum{word: f.left}, missLeft: f.missLeft}
	if free { // what is missing later goes where most rows go
		best.missLeft = 2*(f.left&f.mask) > f.all
	}
}

// many improves best by cuts of a column whose sums were added up.
func (g *forestGrower) many(c *treeColumn, j int32, node *treeNodeSum, best *treeSplit) {
	f := g.best(node)
	missing := int64(0)
	if c.none {
		missing = g.sums[c.bins]
	}
	acc := int64(0)
	if missing != 0 {
		for b, w := range g.sums[:c.bins] {
			if w == 0 {
				continue
			}
			acc += w
			f.offer(acc, b, false)
			f.offer(acc+missing, b, true)
		}
		f.gap = treeHist{words: &g.sums}.gap(f.cut, c.bins)
		g.take(&f, j, false, node, best)
		return
	}
	all, minLeaf, mask, shift := f.all, f.minLeaf, f.mask, f.bits&63
	top := 0.0
	for b, w := range g.sums[:c.bins] {
		if w == 0 {
			continue
		}
		acc += w
		nl := acc & mask
		nr := all - nl
		if nl < minLeaf {
			continue
		}
		if nr < minLeaf {
			break
		}
		gl := float64(acc >> shift)
		over, under := float64(gl*gl), float64(nl*nr)
		if over > float64(top*under) {
			top, f.cut, f.left = over/under, b, acc
		}
	}
	f.top = top
	f.gap = treeHist{words: &g.sums}.gap(f.cut, c.bins)
	g.take(&f, j, true, node, best)
}

// few is fill and many for a node of few rows: only bins that hold some are
// visited. It leaves the sums 0 and reports whether there is more than one such
// bin.
func (g *forestGrower) few(bin []uint8, rows []int32, words []int64, c *treeColumn, j int32, node *treeNodeSum, best *treeSplit) bool {
	sums := &g.sums
	var used [4]uint64
	words = words[:len(rows)]
	for i, r := range rows {
		b := bin[r]
		sums[b] += words[i]
		used[b>>6] |= 1 << (b & 63)
	}
	first := int(bin[rows[0]])
	if sums[first] == node.sum.word {
		sums[first] = 0
		return false
	}
	f := g.best(node)
	if c.none && sums[c.bins] != 0 {
		missing := sums[c.bins]
		sums[c.bins] = 0
		used[c.bins>>6] &^= 1 << (c.bins & 63)
		acc := int64(0)
		for k, u := range used {
			for ; u != 0; u &= u - 1 {
				b := k<<6 | bits.TrailingZeros64(u)
				acc += sums[b]
				sums[b] = 0
				f.offer(acc, b, false)
				f.offer(acc+missing, b, true)
			}
		}
		f.gap = forestGap(&used, f.cut)
		g.take(&f, j, false, node, best)
		return true
	}
	all, minLeaf, mask, shift := f.all, f.minLeaf, f.mask, f.bits&63
	top := 0.0
	acc := int64(0)
	for k, u := range used {
		for ; u != 0; u &= u - 1 {
			b := (k<<6 | bits.TrailingZeros64(u)) & 255
			acc += sums[b]
			sums[b] = 0
			nl := acc & mask
			nr := all - nl
			if nl < minLeaf || nr < minLeaf {
				continue
			}
			gl := float64(acc >> shift)
			over, under := float64(gl*gl), float64(nl*nr)
			if over > float64(top*under) {
				top, f.cut, f.left = over/under, b, acc
			}
		}
	}
	f.top = top
	f.gap = forestGap(&used, f.cut)
	g.take(&f, j, true, node, best)
	return true
}

// forestGap is [treeHist.gap] of the bins that hold rows.
func forestGap(used *[4]uint64, cut int) int {
	at := cut + 1
	u := used[at>>6&3] >> (at & 63) << (at & 63)
	for k := at >> 6; k < 4; k++ {
		if u != 0 {
			return k<<6 + bits.TrailingZeros64(u) - 1
		}
		if k < 3 {
			u = used[k+1]
		}
	}
	return cut
}

// lot improves best by one split of the column that is drawn by lot.
func (g *forestGrower) lot(h treeHist, c *treeColumn, j int32, node *treeNodeSum, best *treeSplit) {
	s := treeSplit{column: j}
	missing := treeSum{}
	if c.none {
		missing = h.at(c.bins)
	}
	lo, hi := -1, -1
	for b := range c.bins {
		if h.words[b] != 0 {
			if lo < 0 {
				lo = b
			}
			hi = b
		}
	}
	switch {
	case lo == hi: // what is missing against the rest
		s.cut, s.gap, s.kinds = c.bins-1, c.bins-1, c.kinds != nil
		s.set = [4]uint64{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
		s.left = node.sum.minus(missing)
	case c.kinds != nil:
		s.kinds = true
		for b := lo; b <= hi; b++ {
			if h.words[b] != 0 && g.r.Uint64()&1 == 1 {
				s.set[b>>6] |= 1 << (b & 63)
				s.left = s.left.plus(h.at(b))
			}
		}
	default:
		s.cut = lo + g.r.IntN(hi-lo)
		s.gap = s.cut
		for b := lo; b <= s.cut; b++ {
			s.left = s.left.plus(h.at(b))
		}
	}
	if missing.word != 0 && lo != hi && g.r.Uint64()&1 == 1 {
		s.missLeft = true
		s.left = s.left.plus(missing)
	}
	if missing.word == 0 {
		s.missLeft = 2*g.rules.count(s.left) > g.rules.count(node.sum)
	}
	var ok bool
	if s.gain, _, ok = g.rules.gain(s.left, node, 0, 0); ok && s.gain > node.floor && s.better(best) {
		*best = s
	}
}

// part makes a node and returns its children.
func (g *forestGrower) part(n *forestNode) (a, c forestNode) {
	s := &n.split
	node := g.out.split(g.bins, s, g.rules.hessian(n.sum))
	g.hang(n.parent, n.right, node)
	var left [256]uint8
	s.sides(&g.bins.columns[s.column], &left)
	k := n.from + treePart(g.rows[n.from:n.to], g.spare, g.bins.bin[s.column], &left)
	a = forestNode{from: n.from, to: k, depth: n.depth + 1, parent: node, sum: s.left}
	c = forestNode{from: k, to: n.to, depth: n.depth + 1, parent: node, right: true, sum: n.sum.minus(s.left)}
	return a, c
}

func (g *forestGrower) hang(parent int32, right bool, child int32) {
	switch {
	case parent < 0:
		g.out.roots = append(g.out.roots, child)
	case right:
		g.out.nodes[parent].right = child
	default:
		g.out.nodes[parent].left = child
	}
}

// leaf makes a leaf with the mean and the variance of its targets.
func (g *forestGrower) leaf(n *forestNode) {
	sum, all := 0.0, 0.0
	rows := g.rows[n.from:n.to]
	heavy := func(r int32) float64 {
		w := float64(g.drawn[r] & g.rules.mask)
		if g.weight != nil {
			w *= g.weight[r]
		}
		return w
	}
	for _, r := range rows {
		w := heavy(r)
		sum += float64(w * g.y[r])
		all += w
	}
	mean, square := sum/all, 0.0
	if len(rows) == 1 {
		mean = g.y[rows[0]]
	} else {
		for _, r := range rows {
			d := g.y[r] - mean
			square += float64(heavy(r) * float64(d*d))
		}
	}
	g.hang(n.parent, n.right, g.out.leaf(mean, all))
	g.out.variances = append(g.out.variances, square/all)
}

// Predict implements [Model].
func (m *ForestModel) Predict(rows, mean, sd []float64) {
	f := m.trees
	trees := float64(len(f.roots))
	f.blocks(rows, func(from int, rows []float64, d int) {
		n := len(rows) / d
		mean := mean[from : from+n]
		clear(mean)
		if sd == nil {
			for _, root := range f.roots {
				for i := range mean {
					mean[i] += f.values[f.find(root, rows[i*d:(i+1)*d])]
				}
			}
			for i := range mean {
				mean[i] /= trees
			}
			return
		}
		// Squares are summed around the first tree, which is near the mean.
		sd := sd[from : from+n]
		clear(sd)
		var about, square [treeBlock]float64
		for k, root := range f.roots {
			for i := range mean {
				leaf := f.find(root, rows[i*d:(i+1)*d])
				v := f.values[leaf]
				if k == 0 {
					about[i] = v
				}
				e := v - about[i]
				mean[i] += v
				square[i] += float64(e * e)
				sd[i] += f.variances[leaf]
			}
		}
		for i := range mean {
			mean[i] /= trees
			e := mean[i] - about[i]
			between := max(square[i]/trees-float64(e*e), 0)
			sd[i] = math.Sqrt(between + sd[i]/trees)
		}
	})
}

// Trees returns how many trees the model has.
func (m *ForestModel) Trees() int { return len(m.trees.roots) }

// Importance returns for each column which share of all gain its splits have,
// and their number.
func (m *ForestModel) Importance() []Importance { return m.trees.importance() }

func (m *ForestModel) columnCount() int { return len(m.trees.columns) }

func (m *ForestModel) saveKind() string { return "forest" }

func (m *ForestModel) save(w *saveWriter) { m.trees.save(w) }

func readForest(r *saveReader, _ uint64) Model {
	f := readTreeForest(r)
	r.check(r.err != nil || len(f.roots) > 0 && f.variances != nil, "no trees, or no variances", "both")
	return &ForestModel{f}
}
