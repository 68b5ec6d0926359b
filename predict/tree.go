package predict

import (
	"context"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Trees are grown on bins: each column is cut into at most 255 ranges of values
// once, and from then on a value is one byte. The sums that decide about a split
// are integers: targets or gradients are scaled to fixed point and share a word
// with the count of rows,
//
//	word = gradient << bits | count
//
// so that one addition does both, sums do not depend on their order or on how
// the work is spread over cores, and the histogram of a node less that of one
// child is exactly that of the other.

// treeMaxBins is how many bins hold values. One more holds what is missing, and
// categories that are too rare to have a bin of their own.
const treeMaxBins = 255

// A treeColumn says what the bins of a column mean.
type treeColumn struct {
	bins  int       // bins of values: 0 … bins−1; bin number bins holds what is missing
	cuts  []float64 // of a number: bin b holds cuts[b−1] < x ≤ cuts[b]; there are bins−1
	kinds []int32   // of a category: bin b is category kinds[b]; nil for a number
	none  bool      // some training value is missing
}

// A treeBins is a table as bins.
type treeBins struct {
	rows    int
	columns []treeColumn
	bin     [][]uint8 // column by column
	live    []int32   // columns with more than one bin
}

// treeBinSample is how many rows are looked at to place the cuts.
const treeBinSample = 200_000

// treeBin cuts every column into at most maxBins bins.
func treeBin(ctx context.Context, t *Table, maxBins int, pool *treePool) (*treeBins, error) {
	n, d := t.Rows(), len(t.Columns)
	b := &treeBins{rows: n, columns: make([]treeColumn, d), bin: make([][]uint8, d)}
	all := make([]uint8, n*d)
	pool.each(d, func(_, j int) {
		if ctx.Err() != nil {
			return
		}
		b.bin[j] = all[j*n : (j+1)*n : (j+1)*n]
		if t.Columns[j].Levels > 0 {
			b.columns[j] = treeBinCategories(t, j, maxBins, b.bin[j])
		} else {
			b.columns[j] = treeBinNumbers(t, j, maxBins, b.bin[j])
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for j, c := range b.columns {
		if c.bins > 1 || c.bins == 1 && c.none {
			b.live = append(b.live, int32(j))
		}
	}
	return b, nil
}

func treeBinNumbers(t *Table, j, maxBins int, bin []uint8) (c treeColumn) {
	d := len(t.Columns)
	step := max(1, t.Rows()/treeBinSample)
	values := make([]float64, 0, t.Rows()/step+1)
	for i := 0; i < t.Rows(); i += step {
		if x := t.X[i*d+j]; x == x {
			values = append(values, x)
		}
	}
	slices.Sort(values)
	c.cuts = treeCuts(values, maxBins)
	if len(values) > 0 {
		c.bins = len(c.cuts) + 1
	}
	for i := range bin {
		x := t.X[i*d+j]
		if x != x {
			bin[i] = uint8(c.bins)
			c.none = true
			continue
		}
		bin[i] = uint8(min(treeFind(c.cuts, x), c.bins))
	}
	return c
}

// treeFind returns the first cut that is not below x, or their number.
func treeFind(cuts []float64, x float64) int {
	at, n := 0, len(cuts)
	for n > 0 {
		half := n >> 1
		if cuts[at+half] < x {
			at += half + 1
			n -= half + 1
		} else {
			n = half
		}
	}
	return at
}

// treeCuts places cuts between sorted values: one between any two that differ
// if there are few enough, otherwise so that bins hold about equally many,
// where a value that fills a bin gets one of its own.
func treeCuts(sorted []float64, maxBins int) []float64 {
	different := 0
	for i, x := range sorted {
		if i == 0 || x != sorted[i-1] {
			different++
		}
	}
	values, counts := make([]float64, 0, different), make([]int, 0, different)
	for i, x := range sorted {
		if i == 0 || x != values[len(values)-1] {
			values, counts = append(values, x), append(counts, 0)
		}
		counts[len(counts)-1]++
	}
	cut := func(i int) float64 { // between values i and i+1
		a, b := values[i], values[i+1]
		m := a/2 + b/2
		if !(m >= a && m < b) {
			m = a
		}
		return m
	}
	cuts := make([]float64, 0, min(len(values), maxBins))
	if len(values) <= maxBins {
		for i := range max(len(values)-1, 0) {
			cuts = append(cuts, cut(i))
		}
		return cuts
	}
	rest, left := len(sorted), maxBins
	share := float64(rest) / float64(left)
	big := make([]bool, len(values))
	for i, n := range counts {
		if float64(n) >= share {
			big[i] = true
			rest -= n
			left--
		}
	}
	share = float64(rest) / float64(max(left, 1))
	held := 0
	for i := 0; i+1 < len(values) && len(cuts)+1 < maxBins; i++ {
		held += counts[i]
		if !big[i] {
			rest -= counts[i]
		}
		if big[i] || float64(held) >= share || big[i+1] && float64(held) >= max(1, share/2) {
			cuts = append(cuts, cut(i))
			held = 0
			if !big[i] {
				left--
				share = float64(rest) / float64(max(left, 1))
			}
		}
	}
	return cuts
}

func treeBinCategories(t *Table, j, maxBins int, bin []uint8) (c treeColumn) {
	d := len(t.Columns)
	counts := make([]int32, t.Columns[j].Levels)
	for i := range bin {
		if x := t.X[i*d+j]; x == x {
			counts[int(x)]++
		}
	}
	for k, n := range counts {
		if n > 0 {
			c.kinds = append(c.kinds, int32(k))
		}
	}
	if len(c.kinds) > maxBins { // the frequent ones
		slices.SortStableFunc(c.kinds, func(a, b int32) int { return int(counts[b]) - int(counts[a]) })
		c.kinds = c.kinds[:maxBins]
		slices.Sort(c.kinds)
	}
	if c.kinds == nil {
		c.kinds = []int32{}
	}
	c.bins = len(c.kinds)
	of := counts // bin of each category
	for k := range of {
		of[k] = int32(c.bins)
	}
	for b, k := range c.kinds {
		of[k] = int32(b)
	}
	for i := range bin {
		bin[i] = uint8(c.bins)
		if x := t.X[i*d+j]; x == x {
			bin[i] = uint8(of[int(x)])
		}
		c.none = c.none || int(bin[i]) == c.bins
	}
	return c
}

// A treePool spreads work over the cores. What is computed never depends on
// how many there are.
type treePool struct {
	workers int
	jobs    chan *treeJob
	wg      sync.WaitGroup
}

type treeJob struct {
	n    int64
	next atomic.Int64
	do   func(worker, i int)
	wg   sync.WaitGroup
}

// newTreePool starts the workers; the caller must close the pool.
func newTreePool() *treePool {
	p := &treePool{workers: runtime.GOMAXPROCS(0)}
	if p.workers > 1 {
		p.jobs = make(chan *treeJob, p.workers)
		for w := 1; w < p.workers; w++ {
			p.wg.Go(func() {
				for j := range p.jobs {
					j.work(w)
					j.wg.Done()
				}
			})
		}
	}
	return p
}

func (p *treePool) close() {
	if p.jobs != nil {
		close(p.jobs)
		p.wg.Wait()
	}
}

func (j *treeJob) work(worker int) {
	for {
		i := j.next.Add(1) - 1
		if i >= j.n {
			return
		}
		j.do(worker, int(i))
	}
}

// each calls do for 0 … n−1, on all cores, and waits.
func (p *treePool) each(n int, do func(worker, i int)) {
	if p == nil || p.workers == 1 || n < 2 {
		for i := range n {
			do(0, i)
		}
		return
	}
	j := &treeJob{n: int64(n), do: do}
	helpers := min(p.workers, n) - 1
	j.wg.Add(helpers)
	for range helpers {
		p.jobs <- j
	}
	j.work(0)
	j.wg.Wait()
}

// A treeSum is what a set of rows adds up to.
type treeSum struct {
	word int64 // gradient << bits | count
	hess int64 // fixed point; unused where every row has the Hessian 1
}

func (s treeSum) plus(o treeSum) treeSum  { return treeSum{s.word + o.word, s.hess + o.hess} }
func (s treeSum) minus(o treeSum) treeSum { return treeSum{s.word - o.word, s.hess - o.hess} }

// A treeScale packs gradients and Hessians.
type treeScale struct {
	bits       uint    // of the count
	mask       int64   //
	grad, hess float64 // value of one unit
	unit       bool    // the Hessian of every row is 1
}

// newTreeScale makes a scale for n rows whose gradients reach maxGrad and
// whose Hessians reach maxHess; 0 means that each Hessian is 1.
func newTreeScale(n int, maxGrad, maxHess float64) treeScale {
	s := treeScale{bits: uint(bits.Len(uint(n))), unit: maxHess == 0}
	s.mask = 1<<s.bits - 1
	// A sum of n gradients must fit beside the count with its sign; 40 bits are
	// finer than what the scores carry.
	fine := min(62-2*int(s.bits), 40)
	s.grad = maxGrad / float64(int64(1)<<fine)
	if maxGrad == 0 {
		s.grad = 1
	}
	fine = min(62-int(s.bits), 40)
	s.hess = maxHess / float64(int64(1)<<fine)
	return s
}

func (s *treeScale) word(grad float64) int64 {
	return int64(math.Floor(grad/s.grad+0.5))<<s.bits + 1
}

func (s *treeScale) count(t treeSum) int { return int(t.word & s.mask) }

func (s *treeScale) gradient(t treeSum) float64 { return float64(t.word>>s.bits) * s.grad }

func (s *treeScale) hessian(t treeSum) float64 {
	if s.unit {
		return float64(t.word & s.mask)
	}
	return float64(t.hess) * s.hess
}

// A treeHist points at the sums of one column's bins.
type treeHist struct {
	words *[256]int64
	hess  *[256]int64 // nil where every Hessian is 1
}

// fill adds rows, whose words (and Hessians) stand in the order of rows.
func (h treeHist) fill(bin []uint8, rows []int32, words, hess []int64) {
	words = words[:len(rows)]
	sums := h.words
	if h.hess == nil {
		for i, r := range rows {
			sums[bin[r]] += words[i]
		}
		return
	}
	second := h.hess
	hess = hess[:len(rows)]
	for i, r := range rows {
		b := bin[r]
		sums[b] += words[i]
		second[b] += hess[i]
	}
}

// fillAll adds all rows in their order.
func (h treeHist) fillAll(bin []uint8, words, hess []int64) {
	words = words[:len(bin)]
	sums := h.words
	if h.hess == nil {
		for i, b := range bin {
			sums[b] += words[i]
		}
		return
	}
	second := h.hess
	hess = hess[:len(bin)]
	for i, b := range bin {
		sums[b] += words[i]
		second[b] += hess[i]
	}
}

func (h treeHist) at(b int) treeSum {
	s := treeSum{word: h.words[b]}
	if h.hess != nil {
		s.hess = h.hess[b]
	}
	return s
}

// treeRules are what a split must obey.
type treeRules struct {
	treeScale
	minLeaf   int
	minWeight float64
	minGain   float64
	l2        float64
	kindL2    float64 // added to l2 for splits of categories
	smooth    float64 // rows by which the order of categories is drawn to 0
	bounded   bool    // some column is monotone: outputs are bounded
}

// A treeSplit is a way to part a node. The zero value is none.
type treeSplit struct {
	gain     float64
	column   int32
	cut      int       // of a number: bins up to this one go left
	gap      int       // of a number: bins above cut up to this one hold no rows
	kinds    bool      // of a category
	set      [4]uint64 // of a category: bins that go left
	missLeft bool
	left     treeSum
	mid      float64 // bounded: the output that parts the children
}

// better reports whether s comes before o: more gain, then the column that
// comes first.
func (s *treeSplit) better(o *treeSplit) bool {
	return s.gain > o.gain || s.gain == o.gain && s.gain > 0 && s.column < o.column
}

// A treeNodeSum is the node to be split, as a scan sees it.
type treeNodeSum struct {
	sum    treeSum
	parent float64 // G²/(H+λ), or its bounded form
	floor  float64 // gains up to this are none
	lo, hi float64 // bounded: what its output must lie in
}

func (r *treeRules) node(s treeSum) treeNodeSum {
	g, h := r.gradient(s), r.hessian(s)
	n := treeNodeSum{sum: s, parent: treeRatio(float64(g*g), h+r.l2), lo: math.Inf(-1), hi: math.Inf(1)}
	n.floor = max(r.minGain, n.parent*treeNoise)
	return n
}

// within gives the node the bounds of its output.
func (n *treeNodeSum) within(r *treeRules, lo, hi float64) {
	n.lo, n.hi = lo, hi
	n.parent = r.scoreAt(n.sum, r.l2, r.output(n.sum, r.l2, lo, hi))
	n.floor = max(r.minGain, math.Abs(n.parent)*treeNoise)
}

// treeNoise is the share of a node's score below which a gain may be rounding.
const treeNoise = 1e-11

func treeRatio(a, b float64) float64 {
	if b <= 0 {
		return 0
	}
	return a / b
}

// output is the bounded optimum of a node.
func (r *treeRules) output(s treeSum, l2, lo, hi float64) float64 {
	return min(max(treeRatio(-r.gradient(s), r.hessian(s)+l2), lo), hi)
}

// scoreAt is what a node gains at an output that is not its optimum.
func (r *treeRules) scoreAt(s treeSum, l2, out float64) float64 {
	return -(float64(2*float64(r.gradient(s)*out)) + float64((r.hessian(s)+l2)*float64(out*out)))
}

// number improves best by splits of a column of numbers.
func (r *treeRules) number(h treeHist, c *treeColumn, column int32, node *treeNodeSum, monotone int8, best *treeSplit) {
	missing := treeSum{}
	if c.none {
		missing = h.at(c.bins)
	}
	if missing.word == 0 {
		if c.bins < 2 {
			return
		}
		// Missing values that turn up later go where most rows go.
		if s, ok := r.sweep(h, c.bins-1, column, node, treeSum{}, monotone); ok && s.better(best) {
			s.missLeft = 2*r.count(s.left) > r.count(node.sum)
			s.gap = h.gap(s.cut, c.bins)
			*best = s
		}
		return
	}
	if s, ok := r.sweep(h, c.bins, column, node, treeSum{}, monotone); ok && s.better(best) {
		s.gap = h.gap(s.cut, c.bins)
		*best = s
	}
	if s, ok := r.sweep(h, c.bins-1, column, node, missing, monotone); ok && s.better(best) {
		s.missLeft = true
		s.gap = h.gap(s.cut, c.bins)
		*best = s
	}
}

// gap returns the last bin from cut on before one that holds rows.
func (h treeHist) gap(cut, bins int) int {
	for b := cut + 1; b < bins; b++ {
		if h.words[b] != 0 {
			return b - 1
		}
	}
	return cut
}

// sweep moves bins 0, 1, … last−1 to the left one after the other.
func (r *treeRules) sweep(h treeHist, last int, column int32, node *treeNodeSum, start treeSum, monotone int8) (best treeSplit, ok bool) {
	if r.bounded || h.hess != nil {
		return r.sweepAny(h, last, column, node, start, monotone)
	}
	total := node.sum.word
	all := total & r.mask
	whole := float64(total >> r.bits)
	minLeaf := int64(r.minLeaf)
	bitsOf, mask, l2 := r.bits&63, r.mask, r.l2
	acc, top, at := start.word, 0.0, -1
	var left int64
	words := h.words[:min(max(last, 0), 256)]
	for b, w := range words {
		if w == 0 {
			continue
		}
		acc += w
		nl := acc & mask
		if nl < minLeaf {
			continue
		}
		if all-nl < minLeaf {
			break
		}
		gl := float64(acc >> bitsOf)
		gr := whole - gl
		hl, hr := float64(nl)+l2, float64(all-nl)+l2
		// gl²/hl + gr²/hr is divided out only where it is the best so far.
		over, under := float64(float64(gl*gl)*hr)+float64(float64(gr*gr)*hl), hl*hr
		if over > float64(top*under) {
			top, at, left = over/under, b, acc
		}
	}
	if at < 0 || left&mask == all {
		return best, false
	}
	gain := float64(float64(top*r.grad)*r.grad) - node.parent
	return treeSplit{gain: gain, column: column, cut: at, left: treeSum{word: left}}, gain > node.floor
}

// sweepAny is sweep for Hessians that differ and for bounded outputs.
func (r *treeRules) sweepAny(h treeHist, last int, column int32, node *treeNodeSum, start treeSum, monotone int8) (best treeSplit, ok bool) {
	acc := start
	for b := range last {
		s := h.at(b)
		if s.word == 0 {
			continue
		}
		acc = acc.plus(s)
		if gain, mid, ok := r.gain(acc, node, r.l2, monotone); ok && gain > best.gain {
			best = treeSplit{gain: gain, column: column, cut: b, left: acc, mid: mid}
		}
	}
	return best, best.gain > node.floor
}

// gain is what a split adds, if it is allowed.
func (r *treeRules) gain(left treeSum, node *treeNodeSum, l2 float64, monotone int8) (gain, mid float64, ok bool) {
	right := node.sum.minus(left)
	if min(r.count(left), r.count(right)) < r.minLeaf {
		return 0, 0, false
	}
	hl, hr := r.hessian(left), r.hessian(right)
	if min(hl, hr) < r.minWeight {
		return 0, 0, false
	}
	if !r.bounded {
		gl, gr := r.gradient(left), r.gradient(right)
		return treeRatio(float64(gl*gl), hl+l2) + treeRatio(float64(gr*gr), hr+l2) - node.parent, 0, true
	}
	a, b := r.output(left, l2, node.lo, node.hi), r.output(right, l2, node.lo, node.hi)
	if monotone > 0 && a > b || monotone < 0 && a < b {
		return 0, 0, false
	}
	return r.scoreAt(left, l2, a) + r.scoreAt(right, l2, b) - node.parent, a/2 + b/2, true
}

// categories improves best by splits of a column of categories: in the order of
// G/(H+smooth), the best set is a beginning of the list (Fisher, "On grouping
// for maximum homogeneity", 1958).
func (r *treeRules) categories(h treeHist, c *treeColumn, column int32, node *treeNodeSum, best *treeSplit) {
	type kind struct {
		bin int
		key float64
	}
	var buf [256]kind
	list := buf[:0]
	for b := range c.bins {
		if s := h.at(b); s.word != 0 {
			list = append(list, kind{b, r.gradient(s) / (r.hessian(s) + r.smooth + 1e-12)})
		}
	}
	slices.SortFunc(list, func(a, b kind) int {
		switch {
		case a.key < b.key:
			return -1
		case a.key > b.key:
			return 1
		}
		return a.bin - b.bin
	})
	l2 := r.l2 + r.kindL2
	missing := treeSum{}
	if c.none {
		missing = h.at(c.bins)
	}
	try := func(start treeSum, last int, missLeft bool) {
		acc := start
		var set [4]uint64
		for _, k := range list[:max(last, 0)] {
			acc = acc.plus(h.at(k.bin))
			set[k.bin>>6] |= 1 << (k.bin & 63)
			gain, mid, ok := r.gain(acc, node, l2, 0)
			s := treeSplit{gain: gain, column: column, kinds: true, left: acc, mid: mid}
			if ok && gain > node.floor && s.better(best) {
				s.set, s.missLeft = set, missLeft
				if missing.word == 0 {
					s.missLeft = 2*r.count(acc) > r.count(node.sum)
				}
				*best = s
			}
		}
	}
	if missing.word == 0 {
		try(treeSum{}, len(list)-1, false)
		return
	}
	try(treeSum{}, len(list), false)
	try(missing, len(list)-1, true)
}

// sides writes for each bin whether it goes left.
func (s *treeSplit) sides(c *treeColumn, left *[256]uint8) {
	clear(left[:])
	for b := range c.bins {
		if s.kinds && s.set[b>>6]>>(b&63)&1 == 1 || !s.kinds && b <= s.cut {
			left[b] = 1
		}
	}
	if s.missLeft {
		left[c.bins] = 1
	}
}

// treePart moves the rows that go left to the front, keeping the order on both
// sides, and returns how many they are.
func treePart(rows, spare []int32, bin []uint8, left *[256]uint8) int {
	n, m := 0, 0
	spare = spare[:len(rows)]
	for _, r := range rows {
		side := int(left[bin[r]])
		rows[n] = r
		spare[m] = r
		n += side
		m += 1 - side
	}
	copy(rows[n:], spare[:m])
	return n
}
