package predict

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
)

// A Loss is what boosted trees reduce.
type Loss string

// The losses of [Boosted].
const (
	// Squared fits the mean.
	Squared Loss = "squared"
	// Huber fits the middle of most rows: beyond a distance that a share of the
	// residuals keeps ([Boosted.Inner]), an error counts as itself and no longer
	// as its square (Huber 1964; Friedman 2001).
	Huber Loss = "huber"
	// Quantile fits the quantile [Boosted.Level] (Koenker and Bassett 1978).
	Quantile Loss = "quantile"
	// Logistic fits the probability of targets that are 0 or 1.
	Logistic Loss = "logistic"
	// Rank fits the order of all pairs (RankNet, Burges et al. 2005).
	Rank Loss = "rank"
	// LambdaRank fits the order where the targets are smallest: pairs count by
	// what exchanging them would change in NDCG (Burges 2010).
	LambdaRank Loss = "lambdarank"
)

// Boosted is gradient boosting of histogram trees in the manner of LightGBM (Ke
// et al., "LightGBM: A highly efficient gradient boosting decision tree", 2017):
// each tree is grown leaf by leaf, the one whose split gains most first, on
// columns cut into at most 255 bins; the sums of one child are those of its
// parent less those of the other. The gain of a split and the output of a leaf
// are XGBoost's (Chen and Guestrin 2016, equations 5 and 7):
//
//	gain = G²ₗ/(Hₗ+λ) + G²ᵣ/(Hᵣ+λ) − G²/(H+λ)    output = −G/(H+λ)
//
// Missing values go to the side where they gain more. Categories are parted in
// two sets by Fisher's method on the order of their outputs. A table of a few
// dozen rows is learned too: the least number of rows in a leaf follows the size
// of the table, where LightGBM's 20 stop all learning below 40 rows.
//
// A model predicts no standard deviation; [Bagged] does. It explains itself by
// [BoostedModel.Importance] and [BoostedModel.Shap].
//
// Trees use all cores, and the model does not depend on how many there are. A
// fit takes O(trees · columns · (rows · depth + leaves · bins)): 10,000 rows of
// 50 columns with the defaults a few tenths of a second.
//
// The zero value is ready to use with the defaults given on each field.
type Boosted struct {
	// Trees is how many trees are grown; 0 means 100.
	Trees int `yaml:"trees" min:"0" max:"100000" doc:"trees; 0 means 100"`
	// Rate is the share of each tree that is taken; 0 means 0.1, and 0.05 for
	// fewer than 1,000 rows.
	Rate float64 `yaml:"rate" min:"0" max:"1" doc:"share of each tree that is taken; 0 means 0.1, and 0.05 for fewer than 1,000 rows"`
	// Leaves is the most leaves of a tree; 0 means 31.
	Leaves int `yaml:"leaves" min:"0" max:"65536" doc:"most leaves of a tree; 0 means 31"`
	// Depth is the most splits above a leaf; 0 means no bound.
	Depth int `yaml:"depth" min:"0" max:"1000" doc:"most splits above a leaf; 0 means no bound"`
	// MinLeaf is the least rows in a leaf; 0 means a twentieth of the rows, but
	// at least 1 and at most 20.
	MinLeaf int `yaml:"min_leaf" min:"0" doc:"least rows in a leaf; 0 means a twentieth of the rows, 1 to 20"`
	// L2 is λ, in rows; 0 means none.
	L2 float64 `yaml:"l2" min:"0" doc:"rows of value 0 that are added to each leaf"`
	// MinGain is what a split must gain at least, as a share of the variance of
	// the target times the rows.
	MinGain float64 `yaml:"min_gain" min:"0" doc:"least gain of a split, as a share of the total variance"`
	// Bins is the most bins of a column; 0 means 255.
	Bins int `yaml:"bins" min:"0" max:"255" doc:"most bins of a column; 0 means 255"`
	// KindL2 is added to L2 for splits of categories, and KindSmooth draws the
	// order of rare categories to the middle, both in rows; 0 means 1, and a
	// negative number none.
	KindL2     float64 `yaml:"kind_l2" doc:"added to l2 for splits of categories; 0 means 1, negative none"`
	KindSmooth float64 `yaml:"kind_smooth" doc:"rows by which the order of rare categories is drawn to the middle; 0 means 1, negative none"`
	// RowShare and ColumnShare are the shares that each tree sees, drawn without
	// replacement; 0 means all.
	RowShare    float64 `yaml:"row_share" min:"0" max:"1" doc:"share of the rows that each tree sees; 0 means all"`
	ColumnShare float64 `yaml:"column_share" min:"0" max:"1" doc:"share of the columns that each tree sees; 0 means all"`
	// Holdout is the share of the rows that are not trained on but end the
	// boosting: once Patience trees (0 means 20) have not improved the loss on
	// them, the best number of trees is kept. 0 holds out none.
	Holdout  float64 `yaml:"holdout" min:"0" max:"<1" doc:"share of the rows that decide when to stop; 0 means none"`
	Patience int     `yaml:"patience" min:"0" doc:"trees without improvement on the held-out rows before it stops; 0 means 20"`
	// Loss is what is reduced; "" means squared.
	Loss Loss `yaml:"loss" default:"squared" oneof:"squared huber quantile logistic rank lambdarank" doc:"what is reduced"`
	// Level is the quantile that the loss quantile fits; 0 means 0.5.
	Level float64 `yaml:"level" min:"0" max:"<1" doc:"quantile of the loss quantile; 0 means 0.5"`
	// Inner is the share of residuals that the loss huber squares; 0 means 0.9.
	Inner float64 `yaml:"inner" min:"0" max:"1" doc:"share of residuals that the loss huber squares; 0 means 0.9"`
	// Monotone says for each column whether the prediction may only rise with it
	// (1), only fall (−1), or do as it likes (0); nil means 0 for each. Missing
	// values are free. Categories cannot be monotone.
	Monotone []int8 `yaml:"-"`
}

// withDefaults returns the options with defaults filled in, or every mistake.
func (o Boosted) withDefaults(t *Table) (Boosted, error) {
	var errs []error
	in := func(name string, x, lo, hi float64) {
		if !(x >= lo && x <= hi) {
			errs = append(errs, fmt.Errorf("predict: boosted: %s is %v; expected %v to %v", name, x, lo, hi))
		}
	}
	or := func(x *float64, v float64) {
		if *x == 0 {
			*x = v
		}
	}
	orInt := func(x *int, v int) {
		if *x == 0 {
			*x = v
		}
	}
	orInt(&o.Trees, 100)
	orInt(&o.Leaves, 31)
	orInt(&o.Bins, treeMaxBins)
	orInt(&o.MinLeaf, treeMinLeaf(t.Rows()))
	orInt(&o.Patience, 20)
	if t.Rows() < 1000 {
		or(&o.Rate, 0.05)
	}
	or(&o.Rate, 0.1)
	or(&o.RowShare, 1)
	or(&o.ColumnShare, 1)
	or(&o.Level, 0.5)
	or(&o.Inner, 0.9)
	or(&o.KindL2, 1)
	or(&o.KindSmooth, 1)
	o.KindL2, o.KindSmooth = max(o.KindL2, 0), max(o.KindSmooth, 0)
	if o.Loss == "" {
		o.Loss = Squared
	}
	in("trees", float64(o.Trees), 1, 1e5)
	in("leaves", float64(o.Leaves), 1, 1<<16)
	in("depth", float64(o.Depth), 0, 1e3)
	in("bins", float64(o.Bins), 2, treeMaxBins)
	in("min_leaf", float64(o.MinLeaf), 1, math.MaxInt32)
	in("patience", float64(o.Patience), 1, math.MaxInt32)
	in("rate", o.Rate, 1e-9, 1)
	in("l2", o.L2, 0, math.MaxFloat64)
	in("min_gain", o.MinGain, 0, math.MaxFloat64)
	in("kind_l2", o.KindL2, 0, math.MaxFloat64)
	in("kind_smooth", o.KindSmooth, 0, math.MaxFloat64)
	in("row_share", o.RowShare, 1e-9, 1)
	in("column_share", o.ColumnShare, 1e-9, 1)
	in("holdout", o.Holdout, 0, math.Nextafter(1, 0))
	in("level", o.Level, 1e-9, 1-1e-9)
	in("inner", o.Inner, 1e-9, 1)
	switch o.Loss {
	case Squared, Huber, Quantile, Logistic, Rank, LambdaRank:
	default:
		errs = append(errs, fmt.Errorf("predict: boosted: loss is %q; expected squared, huber, quantile, logistic, rank or lambdarank", o.Loss))
	}
	if o.Loss == Logistic {
		for i, y := range t.Y {
			if y != 0 && y != 1 {
				errs = append(errs, fmt.Errorf("predict: boosted: the target of row %d is %v; the loss logistic expects 0 or 1", i, y))
				break
			}
		}
	}
	if o.Monotone != nil && len(o.Monotone) != len(t.Columns) {
		errs = append(errs, fmt.Errorf("predict: boosted: monotone names %d columns of %d", len(o.Monotone), len(t.Columns)))
	} else {
		for j, m := range o.Monotone {
			if m < -1 || m > 1 || m != 0 && t.Columns[j].Levels > 0 {
				errs = append(errs, fmt.Errorf("predict: boosted: monotone is %d for column %q; expected −1, 0 or 1, and 0 for categories", m, t.Columns[j].Name))
			}
		}
	}
	return o, errors.Join(errs...)
}

// treeMinLeaf is the least rows in a leaf of a boosted tree.
func treeMinLeaf(rows int) int { return min(max(rows/20, 1), 20) }

// BoostedModel is a model of [Boosted].
type BoostedModel struct {
	trees    *treeForest
	base     float64
	logistic bool
}

// Fit implements [Learner]. The model is a [*BoostedModel].
func (o Boosted) Fit(ctx context.Context, t *Table, seed uint64) (Model, error) {
	if err := treeCheck(ctx, t); err != nil {
		return nil, err
	}
	o, err := o.withDefaults(t)
	if err != nil {
		return nil, err
	}
	pool := newTreePool()
	defer pool.close()
	bins, err := treeBin(ctx, t, o.Bins, pool)
	if err != nil {
		return nil, err
	}
	b := newBooster(o, t, bins, pool, seed)
	best, wait := math.Inf(1), 0
	keep := b.out.mark()
	for range o.Trees {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !b.grow() {
			break
		}
		if len(b.held) == 0 {
			continue
		}
		if loss := b.loss.mean(b.held, b.score); loss < best {
			best, wait, keep = loss, 0, b.out.mark()
		} else if wait++; wait >= o.Patience {
			break
		}
	}
	if len(b.held) > 0 {
		b.out.truncate(keep)
	}
	return b.model(), nil
}

// A booster is one run of boosting.
type booster struct {
	Boosted
	t      *Table
	bins   *treeBins
	pool   *treePool
	out    *treeForest
	loss   *boostLoss
	target treeTarget
	start  float64 // the score before the first tree

	score      []float64
	grad, hess []float64
	train      []int32 // rows trained on, in order
	held       []int32
	draw       *rand.Rand

	rules          treeRules
	words, hwords  []int64 // by row
	rows, spare    []int32
	ordered, hordd []int64
	columns        []int32 // that the tree sees
	offset         []int   // of each column's sums in a histogram
	size           int     // of a histogram, without the Hessians
	free           [][]int64
	leaves         []boostLeaf
	found          [2][]treeSplit // by column
	scratch        []boostScratch // by worker
	cleaned        []float64      // rows without what has no bin, if some row needed that
}

// A boostLeaf is a leaf of the tree that is being grown.
type boostLeaf struct {
	from, to int // its rows
	depth    int
	parent   int32 // node, −1 for the root
	right    bool
	node     treeNodeSum
	hist     []int64
	split    treeSplit
}

func newBooster(o Boosted, t *Table, bins *treeBins, pool *treePool, seed uint64) *booster {
	n := t.Rows()
	weight := treeWeights(t)
	b := &booster{Boosted: o, t: t, bins: bins, pool: pool, out: newTreeForest(t, bins)}
	b.draw = rng.New(seed, "predict/boosted", 0)
	b.score, b.grad, b.hess = make([]float64, n), make([]float64, n), make([]float64, n)
	if held := int(math.Floor(float64(o.Holdout*float64(n)) + 0.5)); held > 0 && held < n {
		order := b.draw.Perm(n)
		for i, r := range order {
			if i < held {
				b.held = append(b.held, int32(r))
			} else {
				b.train = append(b.train, int32(r))
			}
		}
		slices.Sort(b.held)
		slices.Sort(b.train)
	} else {
		b.train = treeCount(n)
	}
	b.target = treeTarget{0, 1}
	y := t.Y
	if o.Loss != Logistic {
		b.target = newTreeTarget(t.Y, weight)
		y = make([]float64, n)
		for i, v := range t.Y {
			y[i] = (v - b.target.shift) / b.target.scale
		}
	}
	b.loss = newBoostLoss(o, y, weight, b.train)
	b.start = b.loss.start(b.train)
	for i := range b.score {
		b.score[i] = b.start
	}
	b.rules = treeRules{minLeaf: o.MinLeaf, minWeight: 1e-3, l2: o.L2, kindL2: o.KindL2, smooth: o.KindSmooth, minGain: float64(o.MinGain * float64(len(b.train)))}
	b.rules.bounded = slices.ContainsFunc(o.Monotone, func(m int8) bool { return m != 0 })
	b.words, b.ordered = make([]int64, n), make([]int64, n)
	if !b.loss.unit {
		b.hwords, b.hordd = make([]int64, n), make([]int64, n)
	}
	b.rows, b.spare = make([]int32, n), make([]int32, n)
	b.found[0], b.found[1] = make([]treeSplit, len(t.Columns)), make([]treeSplit, len(t.Columns))
	b.scratch = make([]boostScratch, pool.workers)
	b.offset = make([]int, len(t.Columns))
	for _, j := range bins.live {
		b.offset[j] = b.size
		b.size += bins.columns[j].bins + 1
	}
	b.size += 256 // so that 256 sums can be sliced off anywhere
	b.clean()
	return b
}

func treeCount(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i)
	}
	return out
}

// clean copies the rows if some hold categories without a bin.
func (b *booster) clean() {
	d := len(b.t.Columns)
	buf := make([]float64, d)
	for i := range b.t.Y {
		x := b.t.Row(i)
		if y := b.out.clean(x, buf); &y[0] != &x[0] {
			if b.cleaned == nil {
				b.cleaned = slices.Clone(b.t.X)
			}
			copy(b.cleaned[i*d:], y)
		}
	}
	if b.cleaned == nil {
		b.cleaned = b.t.X
	}
}

func (b *booster) hist() []int64 {
	if n := len(b.free); n > 0 {
		h := b.free[n-1]
		b.free = b.free[:n-1]
		return h
	}
	n := b.size
	if b.hwords != nil {
		n *= 2
	}
	return make([]int64, n)
}

func (b *booster) column(hist []int64, j int32) treeHist {
	at := b.offset[j]
	h := treeHist{words: (*[256]int64)(hist[at : at+256])}
	if b.hwords != nil {
		at += b.size
		h.hess = (*[256]int64)(hist[at : at+256])
	}
	return h
}

// grow adds one tree, or reports that there is nothing left to learn.
func (b *booster) grow() bool {
	b.loss.gradients(b.train, b.score, b.grad, b.hess)
	rows := b.rows[:copy(b.rows, b.train)]
	if k := max(1, int(math.Floor(float64(b.RowShare*float64(len(rows)))+0.5))); k < len(rows) {
		rows = treeDraw(b.draw, rows, k)
	}
	b.columns = append(b.columns[:0], b.bins.live...)
	if k := max(1, int(math.Floor(float64(b.ColumnShare*float64(len(b.columns)))+0.5))); k < len(b.columns) {
		b.columns = treeDraw(b.draw, b.columns, k)
	}
	maxGrad, maxHess := 0.0, 0.0
	for _, r := range rows {
		maxGrad = max(maxGrad, math.Abs(b.grad[r]))
		maxHess = max(maxHess, b.hess[r])
	}
	if b.loss.unit {
		maxHess = 0
	}
	if maxGrad < 1e-14 || !b.loss.unit && maxHess == 0 {
		return false
	}
	b.rules.treeScale = newTreeScale(len(rows), maxGrad, maxHess)
	var total treeSum
	for _, r := range rows {
		b.words[r] = b.rules.word(b.grad[r])
		total.word += b.words[r]
		if b.hwords != nil {
			b.hwords[r] = int64(math.Floor(b.hess[r]/b.rules.hess + 0.5))
			total.hess += b.hwords[r]
		}
	}
	root := b.rules.node(total)
	if b.rules.bounded {
		root.within(&b.rules, math.Inf(-1), math.Inf(1))
	}
	b.leaves = append(b.leaves[:0], boostLeaf{to: len(rows), parent: -1, node: root})
	b.search(rows, &b.leaves[0], nil)
	for len(b.leaves) < b.Leaves {
		at := -1
		for i := range b.leaves {
			if g := b.leaves[i].split.gain; g > 0 && (at < 0 || g > b.leaves[at].split.gain) {
				at = i
			}
		}
		if at < 0 {
			break
		}
		b.part(rows, at)
	}
	b.finish(rows)
	return true
}

// treeDraw moves k of the items to the front, in their old order.
func treeDraw(r *rand.Rand, items []int32, k int) []int32 {
	// Knuth's algorithm S: each is taken with the share still to be taken.
	out := items[:0]
	for i, x := range items {
		if r.IntN(len(items)-i) < k-len(out) {
			out = append(out, x)
		}
	}
	return out
}

// part splits a leaf and looks for splits of its children.
func (b *booster) part(rows []int32, at int) {
	leaf := &b.leaves[at]
	s := &leaf.split
	scale := float64(b.target.scale * b.target.scale)
	shown := *s
	shown.gain = float64(shown.gain * scale)
	node := b.out.split(b.bins, &shown, b.rules.hessian(leaf.node.sum))
	b.hang(leaf.parent, leaf.right, node)
	var left [256]uint8
	s.sides(&b.bins.columns[s.column], &left)
	mine := rows[leaf.from:leaf.to]
	n := treePart(mine, b.spare, b.bins.bin[s.column], &left)
	a := boostLeaf{from: leaf.from, to: leaf.from + n, depth: leaf.depth + 1, parent: node, node: b.rules.node(s.left)}
	c := boostLeaf{from: a.to, to: leaf.to, depth: leaf.depth + 1, parent: node, right: true, node: b.rules.node(leaf.node.sum.minus(s.left))}
	if b.rules.bounded {
		lo, hi := leaf.node.lo, leaf.node.hi
		var m int8
		if !s.kinds {
			m = b.Monotone[s.column]
		}
		al, ah, cl, ch := lo, hi, lo, hi
		switch m {
		case 1:
			ah, cl = s.mid, s.mid
		case -1:
			al, ch = s.mid, s.mid
		}
		a.node.within(&b.rules, al, ah)
		c.node.within(&b.rules, cl, ch)
	}
	hist := leaf.hist
	leaf.hist = nil
	last := len(b.leaves)+1 >= b.Leaves || b.Depth > 0 && a.depth >= b.Depth
	b.leaves[at] = a
	b.leaves = append(b.leaves, c)
	if last {
		if hist != nil {
			b.free = append(b.free, hist)
		}
		return
	}
	small, large := &b.leaves[at], &b.leaves[len(b.leaves)-1]
	if small.to-small.from > large.to-large.from {
		small, large = large, small
	}
	large.hist = hist
	b.search(rows, small, large)
}

func (b *booster) hang(parent int32, right bool, child int32) {
	switch {
	case parent < 0:
		b.out.roots = append(b.out.roots, child)
	case right:
		b.out.nodes[parent].right = child
	default:
		b.out.nodes[parent].left = child
	}
}

// boostAlone is how many additions are not worth a second core.
const boostAlone = 1 << 15

// search finds the best split of a leaf, whose sums it adds up, and that of its
// sibling, which holds the sums of both.
func (b *booster) search(rows []int32, leaf, sibling *boostLeaf) {
	mine := rows[leaf.from:leaf.to]
	can := func(l *boostLeaf) bool { return l != nil && l.to-l.from >= 2*b.MinLeaf }
	if !can(leaf) && !can(sibling) {
		if sibling != nil && sibling.hist != nil {
			b.free = append(b.free, sibling.hist)
			sibling.hist = nil
		}
		return
	}
	both := len(mine)
	if sibling != nil {
		both += sibling.to - sibling.from
	}
	if 2*both*len(b.bins.live) < b.size {
		// So few rows that it is quicker to look at the bins they are in.
		b.direct(rows, leaf, 0)
		if sibling != nil {
			b.direct(rows, sibling, 1)
			if sibling.hist != nil {
				b.free = append(b.free, sibling.hist)
				sibling.hist = nil
			}
		}
		b.settle(leaf, sibling)
		return
	}
	leaf.hist = b.hist()
	// All rows of the table in their order need no indices.
	whole := len(mine) == len(b.words)
	words, hess := b.words, b.hwords
	if !whole {
		words = b.ordered[:len(mine)]
		for i, r := range mine {
			words[i] = b.words[r]
		}
		if b.hwords != nil {
			hess = b.hordd[:len(mine)]
			for i, r := range mine {
				hess[i] = b.hwords[r]
			}
		}
	}
	do := func(_, i int) {
		j := b.columns[i]
		c := &b.bins.columns[j]
		h := b.column(leaf.hist, j)
		clear(h.words[:c.bins+1])
		if h.hess != nil {
			clear(h.hess[:c.bins+1])
		}
		if whole {
			h.fillAll(b.bins.bin[j], words, hess)
		} else {
			h.fill(b.bins.bin[j], mine, words, hess)
		}
		b.found[0][i], b.found[1][i] = treeSplit{}, treeSplit{}
		if can(leaf) {
			b.scan(h, c, j, &leaf.node, &b.found[0][i])
		}
		if sibling == nil {
			return
		}
		rest := b.column(sibling.hist, j)
		for k, w := range h.words[:c.bins+1] {
			rest.words[k] -= w
		}
		if h.hess != nil {
			for k, w := range h.hess[:c.bins+1] {
				rest.hess[k] -= w
			}
		}
		if can(sibling) {
			b.scan(rest, c, j, &sibling.node, &b.found[1][i])
		}
	}
	if len(b.columns)*len(mine)+4*b.size < boostAlone {
		for i := range b.columns {
			do(0, i)
		}
	} else {
		const chunk = 4
		b.pool.each((len(b.columns)+chunk-1)/chunk, func(w, k int) {
			for i := k * chunk; i < min((k+1)*chunk, len(b.columns)); i++ {
				do(w, i)
			}
		})
	}
	b.settle(leaf, sibling)
}

// settle takes the best of what was found in each column.
func (b *booster) settle(leaf, sibling *boostLeaf) {
	for i := range b.columns {
		if s := &b.found[0][i]; s.better(&leaf.split) {
			leaf.split = *s
		}
		if sibling != nil {
			if s := &b.found[1][i]; s.better(&sibling.split) {
				sibling.split = *s
			}
		}
	}
}

// A boostScratch is where the bins of few rows are added up and then drawn
// together, those that hold rows side by side.
type boostScratch struct {
	sums, hess   [256]int64 // all 0 between two columns
	dense, hdens [256]int64
	bin          [256]int
}

// direct finds the splits of a leaf of few rows without a histogram.
func (b *booster) direct(rows []int32, leaf *boostLeaf, side int) {
	mine := rows[leaf.from:leaf.to]
	if len(mine) < 2*b.MinLeaf {
		clear(b.found[side])
		return
	}
	do := func(w, i int) {
		j := b.columns[i]
		c := &b.bins.columns[j]
		bin := b.bins.bin[j]
		s := &b.scratch[w]
		var used [4]uint64
		for _, r := range mine {
			k := bin[r]
			s.sums[k] += b.words[r]
			used[k>>6] |= 1 << (k & 63)
		}
		h := treeHist{words: &s.dense}
		if b.hwords != nil {
			for _, r := range mine {
				s.hess[bin[r]] += b.hwords[r]
			}
			h.hess = &s.hdens
		}
		n := 0
		for k, u := range used {
			for ; u != 0; u &= u - 1 {
				at := k<<6 + bits.TrailingZeros64(u)
				s.bin[n&255] = at
				s.dense[n&255], s.sums[at&255] = s.sums[at&255], 0
				s.hdens[n&255], s.hess[at&255] = s.hess[at&255], 0
				n++
			}
		}
		b.found[side][i] = treeSplit{}
		if n < 2 {
			return
		}
		few := treeColumn{bins: n, kinds: c.kinds}
		if s.bin[n-1] == c.bins {
			few.bins, few.none = n-1, true
		}
		found := &b.found[side][i]
		b.scan(h, &few, j, &leaf.node, found)
		switch {
		case found.gain == 0:
		case found.kinds:
			set := found.set
			found.set = [4]uint64{}
			for k := range few.bins {
				if set[k>>6]>>(k&63)&1 == 1 {
					at := s.bin[k]
					found.set[at>>6] |= 1 << (at & 63)
				}
			}
		default:
			at := found.cut
			found.cut = s.bin[at]
			found.gap = found.cut
			if at+1 < few.bins {
				found.gap = s.bin[at+1] - 1
			}
		}
	}
	if 8*len(b.columns)*len(mine) < boostAlone {
		for i := range b.columns {
			do(0, i)
		}
		return
	}
	const chunk = 16
	b.pool.each((len(b.columns)+chunk-1)/chunk, func(w, k int) {
		for i := k * chunk; i < min((k+1)*chunk, len(b.columns)); i++ {
			do(w, i)
		}
	})
}

func (b *booster) scan(h treeHist, c *treeColumn, j int32, node *treeNodeSum, best *treeSplit) {
	if c.kinds != nil {
		b.rules.categories(h, c, j, node, best)
		return
	}
	var m int8
	if b.Monotone != nil {
		m = b.Monotone[j]
	}
	b.rules.number(h, c, j, node, m, best)
}

// finish gives the leaves their values and moves the scores.
func (b *booster) finish(rows []int32) {
	for i := range b.leaves {
		l := &b.leaves[i]
		mine := rows[l.from:l.to]
		out := b.loss.output(mine, b.score, b.grad, b.hess, b.L2)
		if b.rules.bounded {
			out = min(max(out, l.node.lo), l.node.hi)
		}
		out *= b.Rate
		b.hang(l.parent, l.right, b.out.leaf(out, b.rules.hessian(l.node.sum)))
		for _, r := range mine {
			b.score[r] += out
		}
		if l.hist != nil {
			b.free = append(b.free, l.hist)
		}
	}
	if len(rows) == len(b.score) {
		return
	}
	// Rows that the tree did not see.
	d := len(b.t.Columns)
	next := 0
	slices.Sort(rows)
	for i := range b.score {
		if next < len(rows) && int(rows[next]) == i {
			next++
			continue
		}
		leaf := b.out.find(b.out.roots[len(b.out.roots)-1], b.cleaned[i*d:(i+1)*d])
		b.score[i] += b.out.values[leaf]
	}
}

// model moves the trees back to the scale of the target.
func (b *booster) model() *BoostedModel {
	base, scale := b.start, b.target.scale
	if b.loss.ranks() { // whose scores have no unit
		var slope float64
		base, slope = b.loss.line(b.train, b.score)
		scale *= slope
	}
	for i := range b.out.values {
		b.out.values[i] *= scale
	}
	base = float64(b.target.scale*base) + b.target.shift
	return &BoostedModel{trees: b.out, base: base, logistic: b.Loss == Logistic}
}

// Predict implements [Model]. The standard deviation is not known.
func (m *BoostedModel) Predict(rows, mean, sd []float64) {
	m.trees.sum(rows, mean)
	for i := range mean {
		mean[i] += m.base
		if m.logistic {
			mean[i] = boostSigmoid(mean[i])
		}
	}
	for i := range sd {
		sd[i] = math.NaN()
	}
}

func boostSigmoid(x float64) float64 { return 1 / (1 + detmath.Exp(-x)) }

// Trees returns how many trees the model has.
func (m *BoostedModel) Trees() int { return len(m.trees.roots) }

// Importance returns for each column which share of all gain its splits have,
// and their number.
func (m *BoostedModel) Importance() []Importance { return m.trees.importance() }

func (m *BoostedModel) columnCount() int { return len(m.trees.columns) }

func (m *BoostedModel) saveKind() string { return "boosted" }

func (m *BoostedModel) save(w *saveWriter) {
	w.float(m.base)
	w.bool(m.logistic)
	m.trees.save(w)
}

func readBoosted(r *saveReader, _ uint64) Model {
	return &BoostedModel{base: r.finite(), logistic: r.bool(), trees: readTreeForest(r)}
}
