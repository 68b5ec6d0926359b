package cpu

import (
	"math"

	"github.com/gomlx/compute/dtypes"

	"github.com/daedalus-search/daedalus/neural/internal/kernel"
)

// mostParts is into how many parts a loop is cut for threads. Sums of parts are added in
// their order, so the number must not depend on threads.
const mostParts = 32

// leastPart is how many numbers a part has at least.
const leastPart = 1 << 14

// worker is the registers of one thread. Loops take it one after the other.
type worker struct {
	floats  [][]float32 // by register
	bools   [][]bool
	scalars []float32
	room    []float32
	rowRoom []float32
	boolean []bool
	sums    []float32
}

// worker returns the registers of a loop, to be given back to the backend.
func (l *loop) worker(r *run) *worker {
	w, ok := r.e.b.workers.Get().(*worker)
	if !ok {
		w = &worker{}
	}
	size, rows := l.blockLen(), l.rowNums*max(1, l.perBlock)
	sums := 0
	for _, e := range l.ends {
		if !e.all {
			sums = max(sums, min(e.size, l.cols))
		}
	}
	fit(&w.floats, len(l.regs))
	fit(&w.bools, len(l.regs))
	fit(&w.scalars, len(l.regs))
	fit(&w.room, l.floats*size)
	fit(&w.rowRoom, rows)
	fit(&w.boolean, l.bools*size+rows)
	fit(&w.sums, sums)
	l.prepare(r, w)
	return w
}

// fit makes a slice so long, of any content.
func fit[T any](x *[]T, n int) {
	if cap(*x) < n {
		*x = make([]T, n, n+n/2)
	}
	*x = (*x)[:n]
}

// blockLen is the most numbers in a block.
func (l *loop) blockLen() int {
	if l.perBlock > 0 {
		return l.perBlock * l.cols
	}
	return min(blockSize, l.cols)
}

// parts are the sums of the parts of a loop.
type parts struct {
	columns [][]float32 // by end, part·size
	totals  [][]float64
}

// run computes the loop.
func (l *loop) run(r *run) {
	n := l.blocks
	each := max(1, (n+mostParts-1)/mostParts, leastPart/max(1, l.blockLen()))
	count := (n + each - 1) / each
	p := &parts{columns: make([][]float32, len(l.ends)), totals: make([][]float64, len(l.ends))}
	for i, e := range l.ends {
		if e.all {
			p.totals[i] = make([]float64, count)
		} else {
			p.columns[i] = make([]float32, count*e.size)
		}
	}
	if count == 1 || r.pool == nil {
		w := l.worker(r)
		for part := range count {
			l.part(r, w, p, part, part*each, min(n, (part+1)*each))
		}
		r.e.b.workers.Put(w)
	} else {
		r.pool.For(n, each, func(lo, hi int) {
			w := l.worker(r)
			l.part(r, w, p, lo/each, lo, hi)
			r.e.b.workers.Put(w)
		})
	}
	for i, e := range l.ends {
		to := at[float32](r, e.ref, e.size)
		if e.all {
			var s float64
			for _, v := range p.totals[i] {
				s += v
			}
			to[0] = float32(s)
			continue
		}
		if count == 1 {
			copy(to, p.columns[i])
			continue
		}
		for c := range to {
			var s float64
			for k := range count {
				s += float64(p.columns[i][k*e.size+c])
			}
			to[c] = float32(s)
		}
	}
}

// prepare fills the registers that are the same for all blocks, and places the others.
func (l *loop) prepare(r *run, w *worker) {
	for _, s := range l.scalars {
		w.scalars[s.reg] = s.value
		if !s.known {
			w.scalars[s.reg] = at[float32](r, s.ref, 1)[0]
		}
	}
	size := l.blockLen()
	for i := range l.regs {
		x := &l.regs[i]
		if x.place == inArray || x.place == scalarAt || x.place == perCol && l.perBlock == 0 {
			continue
		}
		switch {
		case x.typ == dtypes.Bool && x.row:
			k := l.bools*size + x.slot*l.perBlock
			w.bools[i] = w.boolean[k : k+l.perBlock]
		case x.typ == dtypes.Bool:
			w.bools[i] = w.boolean[x.slot*size:][:size]
		case x.row:
			w.floats[i] = w.rowRoom[x.slot*l.perBlock:][:l.perBlock]
		default:
			w.floats[i] = w.room[x.slot*size:][:size]
		}
		switch x.place {
		case filled:
			to := w.floats[i]
			for k := range to {
				to[k] = w.scalars[i]
			}
		case perCol:
			from := at[float32](r, x.ref, l.cols)
			for k := 0; k < size; k += l.cols {
				copy(w.floats[i][k:], from)
			}
		}
	}
}

// part computes blocks.
func (l *loop) part(r *run, w *worker, p *parts, part, lo, hi int) {
	length := -1
	for b := lo; b < hi; b++ {
		var row, rows, col, n int
		if l.perBlock > 0 {
			row = b * l.perBlock
			rows = min(l.perBlock, l.rows-row)
			n = rows * l.cols
		} else {
			row, rows = b/l.perRow, 1
			col = b % l.perRow * blockSize
			n = min(blockSize, l.cols-col)
		}
		from := row*l.cols + col
		for i := range l.regs {
			x := &l.regs[i]
			switch {
			case x.place == inArray && x.row:
				if x.typ == dtypes.Bool {
					w.bools[i] = at[bool](r, ref{x.ref.slot, x.ref.from + row}, rows)
				} else {
					w.floats[i] = at[float32](r, ref{x.ref.slot, x.ref.from + row}, rows)
				}
			case x.place == inArray && x.typ == dtypes.Bool:
				w.bools[i] = at[bool](r, ref{x.ref.slot, x.ref.from + from}, n)
			case x.place == inArray:
				w.floats[i] = at[float32](r, ref{x.ref.slot, x.ref.from + from}, n)
			case x.place == perCol && l.perBlock == 0:
				w.floats[i] = at[float32](r, ref{x.ref.slot, x.ref.from + col}, n)
			case x.place == scalarAt || n == length:
			case x.row && x.typ == dtypes.Bool:
				w.bools[i] = w.bools[i][:cap(w.bools[i])][:rows]
			case x.row:
				w.floats[i] = w.floats[i][:cap(w.floats[i])][:rows]
			case x.typ == dtypes.Bool:
				w.bools[i] = w.bools[i][:cap(w.bools[i])][:n]
			default:
				w.floats[i] = w.floats[i][:cap(w.floats[i])][:n]
			}
		}
		length = n
		l.block(r, w, p, part, row, rows, from, col, n)
	}
}

// block runs the program for one block: of rows from row on, or of n numbers from col on
// in a row. Its first number is number from.
func (l *loop) block(r *run, w *worker, p *parts, part, row, rows, from, col, n int) {
	f, b := w.floats, w.bools
	for k := range l.code {
		i := &l.code[k]
		switch i.op {
		case iUnary:
			kernel.Unary(i.code).Apply(f[i.dst], f[i.a])
		case iBinary:
			kernel.Binary(i.code).Apply(f[i.dst], f[i.a], f[i.b])
		case iBinaryRight:
			kernel.Binary(i.code).ApplyRight(f[i.dst], f[i.a], w.scalars[i.b])
		case iBinaryLeft:
			kernel.Binary(i.code).ApplyLeft(f[i.dst], w.scalars[i.a], f[i.b])
		case iCompare:
			kernel.Comparison(i.code).Apply(b[i.dst], f[i.a], f[i.b])
		case iCompareRight:
			kernel.Comparison(i.code).ApplyRight(b[i.dst], f[i.a], w.scalars[i.b])
		case iSelect:
			kernel.Select(f[i.dst], b[i.a], f[i.b], f[i.c])
		case iAnd:
			x, y := b[i.a], b[i.b]
			for j := range b[i.dst] {
				b[i.dst][j] = x[j] && y[j]
			}
		case iOr:
			x, y := b[i.a], b[i.b]
			for j := range b[i.dst] {
				b[i.dst][j] = x[j] || y[j]
			}
		case iXor:
			x, y := b[i.a], b[i.b]
			for j := range b[i.dst] {
				b[i.dst][j] = x[j] != y[j]
			}
		case iNot:
			for j, v := range b[i.a] {
				b[i.dst][j] = !v
			}
		case iToFloat:
			to := f[i.dst]
			for j, v := range b[i.a] {
				if v {
					to[j] = 1
				} else {
					to[j] = 0
				}
			}
		case iFinite:
			for j, v := range f[i.a] {
				b[i.dst][j] = math.Float32bits(v)&0x7f800000 != 0x7f800000
			}
		case iExpand:
			if l.regs[i.dst].typ == dtypes.Bool {
				expand(b[i.dst], b[i.a], l.cols)
			} else {
				expand(f[i.dst], f[i.a], l.cols)
			}
		case iLoad:
			x := &l.regs[i.dst]
			start, count := from, n
			if x.row {
				start, count = row, rows
			}
			if x.typ == dtypes.Bool {
				gather(b[i.dst][:count], r.vals[x.ref.slot], x.ref.from, x.view.dims, x.view.steps, start)
			} else {
				gather(f[i.dst][:count], r.vals[x.ref.slot], x.ref.from, x.view.dims, x.view.steps, start)
			}
		case iReduce:
			kernel.Reduce(nil, kernel.Reduction(i.code), f[i.dst], f[i.a], rows, l.cols, 1)
		case iColumns:
			size := l.ends[i.dst].size
			acc := p.columns[i.dst][part*size:][:size]
			if l.perBlock == 0 {
				acc = acc[col : col+n]
				kernel.Add.Apply(acc, acc, f[i.a])
				continue
			}
			sums := w.sums[:size]
			kernel.Reduce(nil, kernel.SumOf, sums, f[i.a], 1, rows, size)
			kernel.Add.Apply(acc, acc, sums)
		case iTotal:
			var s [1]float32
			kernel.Reduce(nil, kernel.SumOf, s[:], f[i.a], 1, n, 1)
			p.totals[i.dst][part] += float64(s[0])
		}
	}
}

// expand repeats every number of x so many times.
func expand[T any](to, x []T, times int) {
	for i, v := range x {
		row := to[i*times:][:times]
		for k := range row {
			row[k] = v
		}
	}
}

// gather reads numbers of a view, of these dimensions, from number start on.
func gather[T any](to []T, from *array, offset int, dims, strides []int, start int) {
	src := numbers[T](from, 0, arrayLen[T](from))
	last := len(dims) - 1
	if last < 0 {
		for i := range to {
			to[i] = src[offset]
		}
		return
	}
	var index [16]int
	rest := start
	for a := last; a >= 0; a-- {
		index[a] = rest % dims[a]
		rest /= dims[a]
		offset += index[a] * strides[a]
	}
	step := strides[last]
	for len(to) > 0 {
		n := min(len(to), dims[last]-index[last])
		switch step {
		case 1:
			copy(to[:n], src[offset:offset+n])
		case 0:
			v := src[offset]
			for k := range to[:n] {
				to[k] = v
			}
		default:
			o := offset
			for k := range to[:n] {
				to[k] = src[o]
				o += step
			}
		}
		to = to[n:]
		// The next row.
		offset -= index[last] * step
		index[last] = 0
		for a := last - 1; a >= 0; a-- {
			index[a]++
			offset += strides[a]
			if index[a] < dims[a] {
				break
			}
			offset -= index[a] * strides[a]
			index[a] = 0
		}
	}
}
