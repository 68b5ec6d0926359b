package kernel

// A Reduction makes one number of many.
type Reduction uint8

// The reductions.
const (
	SumOf Reduction = iota
	MaxOf
	MinOf
	ProductOf
)

func (o Reduction) start() float32 {
	switch o {
	case MaxOf:
		return negInf
	case MinOf:
		return posInf
	case ProductOf:
		return 1
	}
	return 0
}

func (o Reduction) join() Binary { return [...]Binary{Add, Max, Min, Mul}[o] }

// rowPart is how many numbers of a row, or rows of a column, are reduced by
// themselves.
const (
	rowPart    = 1 << 14
	columnPart = 64
)

// Reduce reduces the middle axis of x, outer×middle×inner, into dst, outer×inner.
func Reduce(p *Pool, o Reduction, dst, x []float32, outer, middle, inner int) {
	switch {
	case outer*inner == 0:
	case middle == 0:
		fill(dst[:outer*inner], o.start())
	case inner == 1 && outer < 4 && middle > 2*rowPart:
		for i := range outer {
			dst[i] = o.long(p, x[i*middle:][:middle])
		}
	case inner == 1:
		if p == nil {
			o.rows(dst, x, middle, 0, outer)
			return
		}
		p.For(outer, grain(middle), func(lo, hi int) { o.rows(dst, x, middle, lo, hi) })
	case outer == 1:
		o.columns(p, dst, x, middle, inner)
	case p == nil:
		o.groups(dst, x, middle, inner, 0, outer)
	default:
		p.For(outer, grain(middle*inner), func(lo, hi int) { o.groups(dst, x, middle, inner, lo, hi) })
	}
}

func (o Reduction) groups(dst, x []float32, middle, inner, lo, hi int) {
	for i := lo; i < hi; i++ {
		o.columns(nil, dst[i*inner:][:inner], x[i*middle*inner:][:middle*inner], middle, inner)
	}
}

// long reduces a long row part by part.
func (o Reduction) long(p *Pool, x []float32) float32 {
	parts := (len(x) + rowPart - 1) / rowPart
	room := buffer(parts)
	defer drop(room)
	p.For(len(x), rowPart, func(lo, hi int) { (*room)[lo/rowPart] = o.row(x[lo:hi]) })
	if o == SumOf {
		var s float64
		for _, v := range *room {
			s += float64(v)
		}
		return float32(s)
	}
	return o.row(*room)
}

func (o Reduction) rows(dst, x []float32, n, lo, hi int) {
	for i := lo; i < hi; i++ {
		dst[i] = o.row(x[i*n:][:n])
	}
}

// row reduces numbers that lie together.
func (o Reduction) row(x []float32) float32 {
	switch o {
	case SumOf:
		var s float64
		for len(x) > 1024 {
			s += float64(sum(x[:1024]))
			x = x[1024:]
		}
		return float32(s + float64(sum(x)))
	case MaxOf:
		return largestOf(x)
	case MinOf:
		m := posInf
		for _, v := range x {
			m = min(m, v)
		}
		return m
	}
	y := float32(1)
	for _, v := range x {
		y *= v
	}
	return y
}

// columns reduces rows of n numbers to one.
func (o Reduction) columns(p *Pool, dst, x []float32, rows, n int) {
	if o == SumOf {
		room := wideBuffer(n)
		if p == nil || rows*n <= 2*chunk {
			sumRows(*room, x, n, 0, rows)
		} else {
			sums(p, *room, rows, n, func(acc []float32, lo, hi int) { columnSums(acc, x[lo*n:], hi-lo, n) })
		}
		for c, v := range *room {
			dst[c] = float32(v)
		}
		dropWide(room)
		return
	}
	// columns side by side are independent of each other
	f := func(lo, hi int) {
		to := dst[lo:hi]
		copy(to, x[lo:hi])
		for r := 1; r < rows; r++ {
			o.join().Apply(to, to, x[r*n+lo:r*n+hi])
		}
	}
	if p == nil {
		f(0, n)
		return
	}
	p.For(n, max(16, grain(rows)), f)
}

// sumRows adds rows.
func sumRows(to []float64, x []float32, n, lo, hi int) {
	clear(to)
	acc := buffer(n)
	for b := lo; b < hi; b += columnPart {
		clear(*acc)
		columnSums(*acc, x[b*n:], min(columnPart, hi-b), n)
		for c, v := range *acc {
			to[c] += float64(v)
		}
	}
	drop(acc)
}

// sums adds what f makes of blocks of rows in float64: f adds some number of sums of
// rows lo to hi to acc, which is zero before. The blocks have columnPart rows.
func sums(p *Pool, to []float64, rows, cols int, f func(acc []float32, lo, hi int)) {
	n := len(to)
	blocks := (rows + columnPart - 1) / columnPart
	parts := min(16, blocks, max(1, rows*cols/chunk))
	part := func(acc64 []float64, acc []float32, i int) {
		clear(acc64)
		for b := i * blocks / parts; b < (i+1)*blocks/parts; b++ {
			clear(acc)
			f(acc, b*columnPart, min(rows, (b+1)*columnPart))
			for c, v := range acc {
				acc64[c] += float64(v)
			}
		}
	}
	if parts == 1 {
		acc := buffer(n)
		part(to, *acc, 0)
		drop(acc)
		return
	}
	room := wideBuffer(parts * n)
	defer dropWide(room)
	p.For(parts, 1, func(lo, hi int) {
		acc := buffer(n)
		defer drop(acc)
		for i := lo; i < hi; i++ {
			part((*room)[i*n:][:n], *acc, i)
		}
	})
	clear(to)
	for i := range parts {
		for c, v := range (*room)[i*n:][:n] {
			to[c] += v
		}
	}
}

// ArgMaxRows writes where in each row the first largest number is; NaN counts as the
// largest.
func ArgMaxRows(p *Pool, dst []int32, x []float32, rows, n int) {
	f := func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := x[i*n:][:n]
			at, best := 0, row[0]
			for k, v := range row {
				if v > best || v != v && best == best {
					at, best = k, v
				}
			}
			dst[i] = int32(at)
		}
	}
	p.For(rows, grain(n), f)
}
