package cpu

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/daedalus-search/daedalus/neural/internal/kernel"
)

// argStep finds the place of the first largest or smallest number along an axis; NaN comes
// before all.
func argStep(n *node, from, to ref) func(r *run) {
	e, dims := n.attr.(extreme), n.in[0].dims()
	outer, mid, inner := product(dims[:e.axis]), dims[e.axis], product(dims[e.axis+1:])
	switch n.in[0].shape.DType {
	case dtypes.Float32:
		return argNumbers[float32](n.shape.DType, e.min, outer, mid, inner, from, to)
	case dtypes.Float64:
		return argNumbers[float64](n.shape.DType, e.min, outer, mid, inner, from, to)
	case dtypes.Uint8:
		return argNumbers[uint8](n.shape.DType, e.min, outer, mid, inner, from, to)
	case dtypes.Int32:
		return argNumbers[int32](n.shape.DType, e.min, outer, mid, inner, from, to)
	case dtypes.Int64:
		return argNumbers[int64](n.shape.DType, e.min, outer, mid, inner, from, to)
	case dtypes.Uint32:
		return argNumbers[uint32](n.shape.DType, e.min, outer, mid, inner, from, to)
	case dtypes.Uint64:
		return argNumbers[uint64](n.shape.DType, e.min, outer, mid, inner, from, to)
	}
	panic(fmt.Sprintf("ArgMinMax of %s", n.in[0].shape))
}

func argNumbers[T number](t dtypes.DType, least bool, outer, mid, inner int, from, to ref) func(r *run) {
	return func(r *run) {
		src := at[T](r, from, outer*mid*inner)
		for o := range outer {
			for i := range inner {
				k := o*mid*inner + i
				best, where := src[k], 0
				for m := 1; m < mid && best == best; m++ {
					v := src[k+m*inner]
					if v != v || least && v < best || !least && v > best {
						best, where = v, m
					}
				}
				switch k := o*inner + i; t {
				case dtypes.Uint8:
					at[uint8](r, to, k+1)[k] = uint8(where)
				case dtypes.Int32, dtypes.Uint32:
					at[int32](r, to, k+1)[k] = int32(where)
				default:
					at[int64](r, to, k+1)[k] = int64(where)
				}
			}
		}
	}
}

// products says whether a view can be an operand of products of matrices as it is: whether
// the axes that are summed and those that are not are one axis each, and one of them lies
// together.
func (v *view) products(n *node, i int) bool {
	if n.shape.DType != dtypes.Float32 {
		return v.isDense()
	}
	c := n.attr.(contraction)
	m := newMatrix(v, c, i)
	return m.ok
}

// matrix is an operand of a product: batches of a matrix with rows (not summed) and a summed
// axis.
type matrix struct {
	rows, sum             int
	rowStride, sumStride  int
	batchDims, batchSteps []int
	ok                    bool
}

func newMatrix(v *view, c contraction, i int) matrix {
	sum, batch := c.lhsSum, c.lhsBatch
	if i == 1 {
		sum, batch = c.rhsSum, c.rhsBatch
	}
	var m matrix
	var rows []int
	for a := range v.dims {
		if !slices.Contains(sum, a) && !slices.Contains(batch, a) {
			rows = append(rows, a)
		}
	}
	var okRows, okSum bool
	m.rows, m.rowStride, okRows = v.oneAxis(rows)
	m.sum, m.sumStride, okSum = v.oneAxis(sum)
	for _, a := range batch {
		m.batchDims = append(m.batchDims, v.dims[a])
		m.batchSteps = append(m.batchSteps, v.strides[a])
	}
	// A matrix of one column or row is transposed or not as one likes.
	if m.rows == 1 {
		m.rowStride = max(m.sum, 1)
		if m.sumStride != 1 {
			m.rowStride = 1
		}
	}
	if m.sum == 1 {
		m.sumStride = max(m.rows, 1)
		if m.rowStride != 1 {
			m.sumStride = 1
		}
	}
	m.ok = okRows && okSum && (m.rowStride == 1 && m.sumStride >= m.rows || m.sumStride == 1 && m.rowStride >= m.sum)
	return m
}

// oneAxis merges axes, in this order, to one.
func (v *view) oneAxis(axes []int) (n, stride int, ok bool) {
	n, stride, ok = 1, 0, true
	for k := len(axes) - 1; k >= 0; k-- {
		a := axes[k]
		if v.dims[a] == 1 {
			continue
		}
		if n == 1 {
			n, stride = v.dims[a], v.strides[a]
			continue
		}
		if v.strides[a] != stride*n {
			ok = false
		}
		n *= v.dims[a]
	}
	return n, stride, ok
}

// dot makes the step of a product.
func (c *compiler) dot(n *node, st *step, to ref) {
	a := n.attr.(contraction)
	x, y := c.about[n.id].operands[0], c.about[n.id].operands[1]
	if n.shape.DType != dtypes.Float32 {
		st.run = c.anyDot(n, to)
		return
	}
	l, r := newMatrix(x, a, 0), newMatrix(y, a, 1)
	if !l.ok || !r.ok {
		st.run = c.anyDot(n, to)
		return
	}
	g := kernel.Gemm{M: l.rows, N: r.rows, K: l.sum, C: r.rows}
	if l.sumStride == 1 {
		g.A = l.rowStride
	} else {
		g.A, g.TransA = l.sumStride, true
	}
	if r.rowStride == 1 {
		g.B = r.sumStride
	} else {
		g.B, g.TransB = r.rowStride, true
	}
	batch := product(l.batchDims)
	st.label = func() string { return fmt.Sprintf("DotGeneral %d×[%d %d %d]", batch, g.M, g.K, g.N) }
	from, with := ref{c.slot(x.base), x.from}, ref{c.slot(y.base), y.from}
	nx, ny := x.base.size()-x.from, y.base.size()-y.from
	size := n.size()
	if batch == 1 {
		st.run = func(r *run) {
			g.Do(r.pool, at[float32](r, to, size), at[float32](r, from, nx), at[float32](r, with, ny))
		}
		return
	}
	// Batches lie anywhere.
	offX, offY := make([]int, batch), make([]int, batch)
	for i := range batch {
		rest := i
		for k := len(l.batchDims) - 1; k >= 0; k-- {
			at := rest % l.batchDims[k]
			rest /= l.batchDims[k]
			offX[i] += at * l.batchSteps[k]
			offY[i] += at * r.batchSteps[k]
		}
	}
	each := g.M * g.N
	work := each * g.K
	st.run = func(r *run) {
		dst, lhs, rhs := at[float32](r, to, size), at[float32](r, from, nx), at[float32](r, with, ny)
		if work > 1<<22 || r.pool == nil {
			for i := range batch {
				g.Do(r.pool, dst[i*each:], lhs[offX[i]:], rhs[offY[i]:])
			}
			return
		}
		r.pool.For(batch, max(1, 1<<18/max(1, work)), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				g.Do(nil, dst[i*each:], lhs[offX[i]:], rhs[offY[i]:])
			}
		})
	}
}

// anyDot is a product of numbers of other types, or of matrices in no order.
func (c *compiler) anyDot(n *node, to ref) func(r *run) {
	switch n.shape.DType {
	case dtypes.Uint8:
		return dotNumbers[uint8](c, n, to)
	case dtypes.Int32:
		return dotNumbers[int32](c, n, to)
	case dtypes.Int64:
		return dotNumbers[int64](c, n, to)
	case dtypes.Uint32:
		return dotNumbers[uint32](c, n, to)
	case dtypes.Uint64:
		return dotNumbers[uint64](c, n, to)
	case dtypes.Float32:
		return dotNumbers[float32](c, n, to)
	case dtypes.Float64:
		return dotNumbers[float64](c, n, to)
	}
	panic(fmt.Sprintf("DotGeneral of %s", n.shape))
}

func dotNumbers[T number](c *compiler, n *node, to ref) func(r *run) {
	a := n.attr.(contraction)
	x, y := c.about[n.id].operands[0], c.about[n.id].operands[1]
	from, with := ref{c.slot(x.base), 0}, ref{c.slot(y.base), 0}
	nx, ny, size := x.base.size(), y.base.size(), n.size()
	// The places of all combinations of the axes of each sort.
	places := func(v *view, axes []int) []int {
		out := []int{0}
		for _, a := range axes {
			var next []int
			for _, p := range out {
				for i := range v.dims[a] {
					next = append(next, p+i*v.strides[a])
				}
			}
			out = next
		}
		return out
	}
	others := func(v *view, sum, batch []int) []int {
		var out []int
		for a := range v.dims {
			if !slices.Contains(sum, a) && !slices.Contains(batch, a) {
				out = append(out, a)
			}
		}
		return out
	}
	batchX, batchY := places(x, a.lhsBatch), places(y, a.rhsBatch)
	sumX, sumY := places(x, a.lhsSum), places(y, a.rhsSum)
	rowsX, rowsY := places(x, others(x, a.lhsSum, a.lhsBatch)), places(y, others(y, a.rhsSum, a.rhsBatch))
	startX, startY := x.from, y.from
	return func(r *run) {
		dst, lhs, rhs := at[T](r, to, size), at[T](r, from, nx), at[T](r, with, ny)
		m, k := len(rowsX), len(rowsY)
		r.pool.For(len(batchX)*m, max(1, 1<<14/max(1, k*len(sumX))), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				b, row := i/m, i%m
				for j, py := range rowsY {
					var s T
					for t, px := range sumX {
						s += lhs[startX+batchX[b]+rowsX[row]+px] * rhs[startY+batchY[b]+py+sumY[t]]
					}
					dst[i*k+j] = s
				}
			}
		})
	}
}

// gatherStep copies the slices that index vectors point to.
func gatherStep(n *node, from, indices, to ref) func(r *run) {
	g := n.attr.(gathering)
	x, at := n.in[0].dims(), n.in[1].dims()
	w := newWalk(at, g.vectorAxis)
	// The axes of the result that are offsets in a slice, and those of index vectors.
	xs := dense(x)
	out := dense(n.dims())
	var sliceDims, sliceFrom, sliceTo, batchTo []int
	k := 0
	for a, d := range g.sliceSizes {
		if !slices.Contains(g.collapsed, a) {
			sliceDims, sliceFrom = append(sliceDims, d), append(sliceFrom, xs[a])
			sliceTo = append(sliceTo, out[g.offsetAxes[k]])
			k++
		}
	}
	for a := range n.dims() {
		if !slices.Contains(g.offsetAxes, a) {
			batchTo = append(batchTo, out[a])
		}
	}
	move := mover{dims: sliceDims, from: sliceFrom, to: sliceTo}
	size, whole := n.size(), n.in[0].size()
	steps := make([]int, len(g.startMap))
	most := make([]int, len(g.startMap))
	for i, a := range g.startMap {
		steps[i], most[i] = xs[a], x[a]-g.sliceSizes[a]
	}
	run1 := func(r *run, copySlice func(dst, src int)) {
		vectors := w.numbers(r, indices)
		for i := range w.count {
			src := 0
			for k, s := range steps {
				src += int(max(0, min(vectors[w.from(i)+k*w.step], int64(most[k])))) * s
			}
			copySlice(w.place(i, batchTo), src)
		}
	}
	switch typeSize(n.shape.DType) {
	case 1:
		return func(r *run) { gatherNumbers[uint8](r, run1, move, to, size, from, whole) }
	case 4:
		return func(r *run) { gatherNumbers[uint32](r, run1, move, to, size, from, whole) }
	}
	return func(r *run) { gatherNumbers[uint64](r, run1, move, to, size, from, whole) }
}

func gatherNumbers[T any](r *run, each func(r *run, copySlice func(dst, src int)), m mover, to ref, size int, from ref, whole int) {
	dst, src := at[T](r, to, size), at[T](r, from, whole)
	each(r, func(t, f int) {
		if len(m.dims) == 1 && m.from[0] == 1 && m.to[0] == 1 {
			copy(dst[t:t+m.dims[0]], src[f:f+m.dims[0]])
			return
		}
		kernel.Copy(nil, dst, t, m.to, src, f, m.from, m.dims)
	})
}

// mover is how a slice lies in two arrays.
type mover struct{ dims, from, to []int }

// walk goes through index vectors.
type walk struct {
	dims    []int // of the indices without the axis of vectors
	strides []int
	step    int // from one number of a vector to the next
	count   int
	total   int
}

func newWalk(dims []int, axis int) walk {
	s := dense(dims)
	w := walk{step: s[axis], count: 1, total: product(dims)}
	for a, d := range dims {
		if a != axis {
			w.dims, w.strides = append(w.dims, d), append(w.strides, s[a])
			w.count *= d
		}
	}
	return w
}

func (w *walk) numbers(r *run, indices ref) []int64 { return at[int64](r, indices, w.total) }

// from returns where vector i begins.
func (w *walk) from(i int) int { return w.place(i, w.strides) }

// place returns where the thing of vector i is, with these strides.
func (w *walk) place(i int, strides []int) int {
	p := 0
	for a := len(w.dims) - 1; a >= 0; a-- {
		p += i % w.dims[a] * strides[a]
		i /= w.dims[a]
	}
	return p
}

// scatterStep joins slices to where index vectors point, in order. Those that would lie
// outside are left out.
func scatterStep(n *node, old, indices, updates, to ref) func(r *run) {
	switch n.shape.DType {
	case dtypes.Uint8:
		return scatterNumbers[uint8](n, old, indices, updates, to)
	case dtypes.Int32:
		return scatterNumbers[int32](n, old, indices, updates, to)
	case dtypes.Int64:
		return scatterNumbers[int64](n, old, indices, updates, to)
	case dtypes.Uint32:
		return scatterNumbers[uint32](n, old, indices, updates, to)
	case dtypes.Uint64:
		return scatterNumbers[uint64](n, old, indices, updates, to)
	case dtypes.Float32:
		return scatterNumbers[float32](n, old, indices, updates, to)
	case dtypes.Float64:
		return scatterNumbers[float64](n, old, indices, updates, to)
	}
	panic(fmt.Sprintf("%s of %s", n.op, n.shape))
}

func scatterNumbers[T number](n *node, old, indices, updates, to ref) func(r *run) {
	s := n.attr.(scattering)
	w := newWalk(n.in[1].dims(), s.vectorAxis)
	xs, us := dense(n.dims()), dense(n.in[2].dims())
	var m mover // of a slice: from updates, to the operand
	var batchFrom []int
	k := 0
	for a := range n.dims() {
		if !slices.Contains(s.inserted, a) {
			m.dims = append(m.dims, n.in[2].dims()[s.window[k]])
			m.from, m.to = append(m.from, us[s.window[k]]), append(m.to, xs[a])
			k++
		}
	}
	for a := range us {
		if !slices.Contains(s.window, a) {
			batchFrom = append(batchFrom, us[a])
		}
	}
	width := make([]int, len(n.dims())) // of the slice, along the operand's axes
	k = 0
	for a := range width {
		width[a] = 1
		if !slices.Contains(s.inserted, a) {
			width[a] = m.dims[k]
			k++
		}
	}
	dims, size, count, op := n.dims(), n.size(), n.in[2].size(), n.op
	slice := product(m.dims)
	var join func(a, b T) T
	switch op {
	case compute.OpTypeScatterSum:
		join = func(a, b T) T { return a + b }
	case compute.OpTypeScatterMax:
		join = func(a, b T) T { return max(a, b) }
	default:
		join = func(a, b T) T { return min(a, b) }
	}
	straight := len(m.dims) == 1 && m.from[0] == 1 && m.to[0] == 1
	return func(r *run) {
		dst, src := at[T](r, to, size), at[T](r, updates, count)
		if r.vals[old.slot] != r.vals[to.slot] {
			copy(dst, at[T](r, old, size))
		}
		vectors := w.numbers(r, indices)
	next:
		for i := range w.count {
			t := 0
			for k, a := range s.toOperand {
				v := vectors[w.from(i)+k*w.step]
				if v < 0 || v > int64(dims[a]-width[a]) {
					continue next
				}
				t += int(v) * xs[a]
			}
			f := w.place(i, batchFrom)
			if straight {
				row, from := dst[t:t+slice], src[f:f+slice]
				if x, ok := any(row).([]float32); ok && op == compute.OpTypeScatterSum {
					kernel.Add.Apply(x, x, any(from).([]float32))
					continue
				}
				for k, v := range from {
					row[k] = join(row[k], v)
				}
				continue
			}
			for j := range slice {
				p, q, rest := t, f, j
				for a := len(m.dims) - 1; a >= 0; a-- {
					p += rest % m.dims[a] * m.to[a]
					q += rest % m.dims[a] * m.from[a]
					rest /= m.dims[a]
				}
				dst[p] = join(dst[p], src[q])
			}
		}
	}
}

// windowStep reduces windows in their general form.
func windowStep(n *node, from, to ref) func(r *run) {
	switch n.shape.DType {
	case dtypes.Uint8:
		return windowNumbers[uint8](n, 0, math.MaxUint8, from, to)
	case dtypes.Int32:
		return windowNumbers[int32](n, math.MinInt32, math.MaxInt32, from, to)
	case dtypes.Int64:
		return windowNumbers[int64](n, math.MinInt64, math.MaxInt64, from, to)
	case dtypes.Uint32:
		return windowNumbers[uint32](n, 0, math.MaxUint32, from, to)
	case dtypes.Uint64:
		return windowNumbers[uint64](n, 0, math.MaxUint64, from, to)
	case dtypes.Float32:
		return windowNumbers(n, float32(math.Inf(-1)), float32(math.Inf(1)), from, to)
	case dtypes.Float64:
		return windowNumbers(n, math.Inf(-1), math.Inf(1), from, to)
	}
	panic(fmt.Sprintf("ReduceWindow of %s", n.shape))
}

func windowNumbers[T number](n *node, least, most T, from, to ref) func(r *run) {
	w := n.attr.(windows)
	x, out := n.in[0].dims(), n.dims()
	xs := dense(x)
	var start T
	join := func(a, b T) T { return a + b }
	switch w.op {
	case compute.ReduceOpProduct:
		start, join = 1, func(a, b T) T { return a * b }
	case compute.ReduceOpMax:
		start, join = least, func(a, b T) T { return max(a, b) }
	case compute.ReduceOpMin:
		start, join = most, func(a, b T) T { return min(a, b) }
	}
	window := product(w.sizes)
	size, whole := n.size(), n.in[0].size()
	return func(r *run) {
		dst, src := at[T](r, to, size), at[T](r, from, whole)
		r.pool.For(size, max(1, 1<<14/max(1, window)), func(lo, hi int) {
			index := make([]int, len(x))
			for i := lo; i < hi; i++ {
				rest := i
				for a := len(out) - 1; a >= 0; a-- {
					index[a] = rest%out[a]*w.strides[a] - w.low[a]
					rest /= out[a]
				}
				s := start
			inside:
				for j := range window {
					p, rest := 0, j
					for a := len(x) - 1; a >= 0; a-- {
						at := index[a] + rest%w.sizes[a]*w.winDilation[a]
						rest /= w.sizes[a]
						if at < 0 || at%w.inDilation[a] != 0 || at/w.inDilation[a] >= x[a] {
							continue inside
						}
						p += at / w.inDilation[a] * xs[a]
					}
					s = join(s, src[p])
				}
				dst[i] = s
			}
		})
	}
}

// anyConvStep is a convolution of any form: of [batch, spatial…, channels] with
// [spatial…, in, out].
func anyConvStep(n *node, from, with, to ref) func(r *run) {
	c := n.attr.(anyConv)
	x, k, out := n.in[0].dims(), n.in[1].dims(), n.dims()
	rank := len(x) - 2
	xs, ks := dense(x), dense(k)
	in, outs := k[rank], k[rank+1]
	window := product(k[:rank])
	size, nx, nk := n.size(), n.in[0].size(), n.in[1].size()
	perGroup := max(1, outs/max(1, c.groups))
	return func(r *run) {
		dst, src, w := at[float32](r, to, size), at[float32](r, from, nx), at[float32](r, with, nk)
		r.pool.For(size/max(1, outs), max(1, 1<<14/max(1, window*in*outs)), func(lo, hi int) {
			index := make([]int, rank)
			for i := lo; i < hi; i++ {
				rest := i
				for a := rank - 1; a >= 0; a-- {
					index[a] = rest%out[a+1]*c.strides[a] - c.low[a]
					rest /= out[a+1]
				}
				row := dst[i*outs : (i+1)*outs]
				clear(row)
			inside:
				for j := range window {
					p, q, left := rest*xs[0], 0, j
					for a := rank - 1; a >= 0; a-- {
						at := left % k[a]
						left /= k[a]
						q += at * ks[a]
						at = index[a] + at*c.kernelDilation[a]
						if at < 0 || at%c.inDilation[a] != 0 || at/c.inDilation[a] >= x[a+1] {
							continue inside
						}
						p += at / c.inDilation[a] * xs[a+1]
					}
					for o := range row {
						group := o / perGroup
						var s float32
						for i := range in {
							s += src[p+group*in+i] * w[q+i*outs+o]
						}
						row[o] += s
					}
				}
			}
		})
	}
}
