package kernel

import "slices"

// Copy copies a box of numbers between arrays of any layout: for every index i of a
// box of these sizes
//
//	dst[to + Σ iₐ·toStrides[a]] = src[from + Σ iₐ·fromStrides[a]].
//
// So it slices, pads, concatenates, reverses (a negative stride), repeats (a stride
// of 0) and transposes.
func Copy[T any](p *Pool, dst []T, to int, toStrides []int, src []T, from int, fromStrides, sizes []int) {
	b, ok := newBox(to, toStrides, from, fromStrides, sizes)
	if !ok {
		return
	}
	if b.rows*b.last <= 2*chunk {
		copyRows(&b, dst, src, 0, b.rows)
		return
	}
	parallelCopy(p, b, dst, src)
}

func parallelCopy[T any](p *Pool, b box, dst, src []T) {
	p.For(b.rows, grain(b.last), func(lo, hi int) { copyRows(&b, dst, src, lo, hi) })
}

// maxAxes is the most axes of an array.
const maxAxes = 12

// box is a box of numbers whose axes are merged where both arrays allow it. The last
// axis stands apart: a row.
type box struct {
	axes              int
	sizes, toS, fromS [maxAxes]int
	rows              int // of the axes but the last
	to, from          int
	last, toL, fromL  int // the last axis
}

func newBox(to int, toStrides []int, from int, fromStrides, sizes []int) (b box, ok bool) {
	if len(sizes) > maxAxes || len(toStrides) != len(sizes) || len(fromStrides) != len(sizes) {
		panic("kernel: a box of mixed or too many axes")
	}
	b = box{to: to, from: from, rows: 1, last: 1}
	for a, n := range sizes {
		if n <= 0 {
			return b, false
		}
		if n == 1 {
			continue
		}
		t, f := toStrides[a], fromStrides[a]
		if k := b.axes - 1; k >= 0 && b.toS[k] == n*t && b.fromS[k] == n*f {
			b.sizes[k] *= n
			b.toS[k], b.fromS[k] = t, f
			continue
		}
		b.sizes[b.axes], b.toS[b.axes], b.fromS[b.axes] = n, t, f
		b.axes++
	}
	if b.axes > 0 {
		b.axes--
		b.last, b.toL, b.fromL = b.sizes[b.axes], b.toS[b.axes], b.fromS[b.axes]
	}
	for _, n := range b.sizes[:b.axes] {
		b.rows *= n
	}
	return b, true
}

func copyRows[T any](b *box, dst, src []T, lo, hi int) {
	var at [maxAxes]int
	t, f := b.start(&at, lo)
	for range hi - lo {
		switch {
		case b.toL == 1 && b.fromL == 1:
			copy(dst[t:t+b.last], src[f:f+b.last])
		case b.toL == 1 && b.fromL == 0:
			d, v := dst[t:t+b.last], src[f]
			for i := range d {
				d[i] = v
			}
		default:
			i, j := t, f
			for range b.last {
				dst[i] = src[j]
				i += b.toL
				j += b.fromL
			}
		}
		t, f = b.step(&at, t, f)
	}
}

// start returns where a row begins.
func (b *box) start(at *[maxAxes]int, row int) (t, f int) {
	t, f = b.to, b.from
	for a := b.axes - 1; a >= 0; a-- {
		at[a] = row % b.sizes[a]
		row /= b.sizes[a]
		t += at[a] * b.toS[a]
		f += at[a] * b.fromS[a]
	}
	return t, f
}

// step goes to the next row.
func (b *box) step(at *[maxAxes]int, t, f int) (int, int) {
	for a := b.axes - 1; a >= 0; a-- {
		at[a]++
		t += b.toS[a]
		f += b.fromS[a]
		if at[a] < b.sizes[a] {
			break
		}
		t -= at[a] * b.toS[a]
		f -= at[a] * b.fromS[a]
		at[a] = 0
	}
	return t, f
}

// Transpose exchanges the last two axes: src is batch×rows×cols, dst
// batch×cols×rows.
func Transpose[T any](p *Pool, dst, src []T, batch, rows, cols int) {
	if rows == 1 || cols == 1 {
		Copy(p, dst, 0, []int{1}, src, 0, []int{1}, []int{batch * rows * cols})
		return
	}
	const side = 16
	each := (rows + side - 1) / side
	if p == nil || batch*rows*cols <= 2*chunk {
		transposeStrips(dst, src, rows, cols, side, 0, batch*each)
		return
	}
	p.For(batch*each, grain(side*cols), func(lo, hi int) { transposeStrips(dst, src, rows, cols, side, lo, hi) })
}

// transposeStrips does strips of so many rows.
func transposeStrips[T any](dst, src []T, rows, cols, side, lo, hi int) {
	each := (rows + side - 1) / side
	for s := lo; s < hi; s++ {
		b, r0 := s/each, s%each*side
		r1 := min(r0+side, rows)
		d, x := dst[b*rows*cols:(b+1)*rows*cols], src[b*rows*cols:(b+1)*rows*cols]
		for c := range cols {
			i := r0*cols + c
			for k := range d[c*rows+r0 : c*rows+r1] {
				d[c*rows+r0+k] = x[i]
				i += cols
			}
		}
	}
}

// Permute reorders axes: axis a of dst is axis perm[a] of src, whose sizes are given.
func Permute[T any](p *Pool, dst, src []T, sizes, perm []int) {
	n := len(sizes)
	var from, to, strides, out [maxAxes]int
	stride := 1
	for a := n - 1; a >= 0; a-- {
		strides[a] = stride
		stride *= sizes[a]
	}
	for a, q := range perm {
		out[a], from[a] = sizes[q], strides[q]
	}
	// Axes that stay beside each other are one; a single exchange is a transposition.
	kept := make([]int, 0, maxAxes) // the sizes after merging, in the order of dst
	where := make([]int, 0, maxAxes)
	for a, q := range perm {
		if a > 0 && q == perm[a-1]+1 {
			kept[len(kept)-1] *= sizes[q]
			continue
		}
		kept = append(kept, sizes[q])
		where = append(where, q)
	}
	switch {
	case len(kept) <= 1:
		Copy(p, dst, 0, []int{1}, src, 0, []int{1}, []int{stride})
		return
	case len(kept) == 2:
		Transpose(p, dst, src, 1, kept[1], kept[0])
		return
	case len(kept) == 3 && slices.IsSortedFunc([]int{where[0], where[2], where[1]}, func(a, b int) int { return a - b }):
		Transpose(p, dst, src, kept[0], kept[2], kept[1])
		return
	}
	stride = 1
	for a := n - 1; a >= 0; a-- {
		to[a] = stride
		stride *= out[a]
	}
	Copy(p, dst, 0, to[:n], src, 0, from[:n], out[:n])
}

// Fill sets all numbers to v.
func Fill[T any](p *Pool, dst []T, v T) {
	if p == nil || len(dst) <= 2*chunk {
		fill(dst, v)
		return
	}
	p.For(len(dst), chunk, func(lo, hi int) { fill(dst[lo:hi], v) })
}

func fill[T any](dst []T, v T) {
	for i := range dst {
		dst[i] = v
	}
}
