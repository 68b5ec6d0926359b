package kernel

// Sizes of blocks, in numbers. A panel of stepK rows stays in the first cache while
// blockM rows of the left matrix, which stay in the second, pass it.
const (
	stepK  = 192
	blockM = 64
	splitK = 4096    // long products into small results are cut into parts of it
	packed = 1 << 20 // of the right matrix that are packed at a time
)

// inRow is where the numbers of a row lie that are beside each other.
var inRow = func() (at [stepK]int) {
	for i := range at {
		at[i] = i
	}
	return at
}()

// MatMul computes C = A·B, or adds it to C: C is m×n, A is m×k or, transposed, k×m,
// and B is k×n or, transposed, n×k.
func MatMul(p *Pool, c []float32, m, n, k int, a []float32, transA bool, b []float32, transB bool, add bool) {
	g := Gemm{M: m, N: n, K: k, A: k, B: n, C: n, TransA: transA, TransB: transB, Add: add}
	if transA {
		g.A = m
	}
	if transB {
		g.B = k
	}
	g.Do(p, c, a, b)
}

// A Gemm is a product of parts of matrices.
type Gemm struct {
	M, N, K        int
	A, B, C        int // numbers from one row to the next
	TransA, TransB bool
	Add            bool // to what C is
}

// Batch computes as many products, whose matrices lie so many numbers apart.
func (g Gemm) Batch(p *Pool, batch int, c []float32, cApart int, a []float32, aApart int, b []float32, bApart int) {
	if p == nil || batch == 1 || batch*g.M*g.N*g.K < chunk {
		for i := range batch {
			g.Do(p, c[i*cApart:], a[i*aApart:], b[i*bApart:])
		}
		return
	}
	p.For(batch, max(1, 1<<16/max(1, g.M*g.N*g.K)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			g.Do(p, c[i*cApart:], a[i*aApart:], b[i*bApart:])
		}
	})
}

// Do computes the product.
func (g Gemm) Do(p *Pool, c, a, b []float32) {
	if g.M <= 0 || g.N <= 0 {
		return
	}
	if g.K <= 0 {
		if !g.Add {
			for i := range g.M {
				clear(c[i*g.C:][:g.N])
			}
		}
		return
	}
	if g.M == 1 && !g.TransA && g.vector(p, c, a, b) {
		return
	}
	if g.M*g.N <= 1<<16 && g.K >= 2*splitK && (g.M+blockM-1)/blockM < 8 {
		g.long(p, c, a, b)
		return
	}
	g.wide(p, c, a, b)
}

// long computes parts of a long sum, and adds them in their order.
func (g Gemm) long(p *Pool, c, a, b []float32) {
	parts := min(16, (g.K+splitK-1)/splitK)
	each := (g.K + parts - 1) / parts
	size := g.M * g.N
	sums := buffer(parts * size)
	defer drop(sums)
	p.For(parts, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			h, from := g, i*each
			h.K, h.C, h.Add = min(each, g.K-from), g.N, false
			h.wide(nil, (*sums)[i*size:], a[h.rowsOf(from, h.A, !h.TransA):], b[h.rowsOf(from, h.B, h.TransB):])
		}
	})
	p.For(g.M, grain(g.N*parts), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			to := c[i*g.C:][:g.N]
			if !g.Add {
				clear(to)
			}
			for k := range parts {
				addTo(to, (*sums)[k*size+i*g.N:][:g.N])
			}
		}
	})
}

// rowsOf returns where the numbers from a place of the summed axis on begin.
func (Gemm) rowsOf(from, stride int, along bool) int {
	if along {
		return from
	}
	return from * stride
}

// product is a [Gemm] whose right matrix is packed, or needs not be.
type product struct {
	Gemm
	c, a, b      []float32
	bRow         int // 0 if b is packed
	from, n      int // columns
	wide, narrow int // of panels
	panels       int
	group        int       // panels that are computed together
	end          *Epilogue // may be nil
}

// wide packs the right matrix into panels and multiplies blocks of rows with them.
func (g Gemm) wide(p *Pool, c, a, b []float32) {
	wide, narrow := use.widths()
	if !g.TransB && g.N%narrow == 0 && (g.N <= wide || g.M <= 32) {
		w := product{Gemm: g, c: c, a: a, b: b, bRow: g.B, n: g.N, wide: wide, narrow: narrow}
		w.do(p)
		return
	}
	cols := g.N
	if g.N*g.K > packed {
		cols = max(wide, packed/g.K/wide*wide)
	}
	room := buffer((min(cols, g.N) + wide - 1) / wide * wide * g.K)
	defer drop(room)
	for from := 0; from < g.N; from += cols {
		w := product{Gemm: g, c: c, a: a, b: *room, from: from, n: min(cols, g.N-from), wide: wide, narrow: narrow}
		g.pack(p, *room, b, from, w.n, wide, narrow)
		w.do(p)
	}
}

func (w *product) do(p *Pool) {
	w.panels = (w.n + w.wide - 1) / w.wide
	blocks := (w.M + blockM - 1) / blockM
	w.group = w.panels
	if blocks < 8 {
		w.group = min(w.panels, 2)
	}
	tasks := blocks * ((w.panels + w.group - 1) / w.group)
	if p == nil || w.M*w.n*w.K < 2*chunk {
		w.tasks(0, tasks)
		return
	}
	w.share(p, tasks)
}

func (w product) share(p *Pool, tasks int) { p.For(tasks, 1, w.tasks) }

// tasks computes blocks of rows by groups of panels.
func (w *product) tasks(lo, hi int) {
	aStep, aRow := 1, w.A
	if w.TransA {
		aStep, aRow = w.A, 1
	}
	groups := (w.panels + w.group - 1) / w.group
	offsets := inRow[:]
	if aStep != 1 {
		room := integers(min(stepK, w.K))
		defer dropIntegers(room)
		offsets = *room
		for i := range offsets {
			offsets[i] = i * aStep
		}
	}
	t := strip{aRow: aRow, cRow: w.C}
	for i := lo; i < hi; i++ {
		r, first := i/groups*blockM, i%groups*w.group
		t.rows = min(blockM, w.M-r)
		for k := 0; k < w.K; k += stepK {
			t.at, t.add = offsets[:min(stepK, w.K-k)], w.Add || k > 0
			t.last = t.at[len(t.at)-1]
			t.a = w.a[r*aRow+k*aStep:]
			for i := first; i < min(first+w.group, w.panels); i++ {
				j := i * w.wide
				t.cols, t.width = min(w.wide, w.n-j), w.wide
				if t.cols <= w.narrow {
					t.width = w.narrow
				}
				if w.bRow > 0 {
					t.b, t.bRow = w.b[k*w.bRow+w.from+j:], w.bRow
				} else {
					t.b, t.bRow = w.b[j*w.K+k*t.width:], t.width
				}
				t.c = w.c[r*w.C+w.from+j:]
				t.run()
			}
		}
		if w.end != nil {
			j := first * w.wide
			at := r*w.C + w.from + j
			w.end.finish(w.c[at:], at, w.from+j, t.rows, min(w.group*w.wide, w.n-j), w.C)
		}
	}
}

// pack copies columns of the right matrix into panels: wide·K numbers apart, rows of
// as many numbers as a panel is wide, zeros where columns end.
func (g Gemm) pack(p *Pool, to, b []float32, from, n, wide, narrow int) {
	panels := (n + wide - 1) / wide
	if p == nil || n*g.K <= 2*chunk {
		g.packPanels(to, b, from, n, wide, narrow, 0, panels)
		return
	}
	p.For(panels, 1, func(lo, hi int) { g.packPanels(to, b, from, n, wide, narrow, lo, hi) })
}

func (g Gemm) packPanels(to, b []float32, from, n, wide, narrow, lo, hi int) {
	for i := lo; i < hi; i++ {
		j := i * wide
		cols, width := min(wide, n-j), wide
		if cols <= narrow {
			width = narrow
		}
		d := to[j*g.K:][:g.K*width]
		if g.TransB {
			packTurned(d, b[(from+j)*g.B:], g.B, g.K, cols, width)
		} else {
			packStraight(d, b[from+j:], g.B, g.K, cols, width)
		}
	}
}

// packStraight copies rows of some columns.
func packStraight(to, b []float32, stride, rows, cols, width int) {
	for r := range rows {
		d := to[r*width:][:width]
		clear(d[copy(d, b[r*stride:][:cols]):])
	}
}

// packTurned copies a transposed matrix: every row becomes a column.
func packTurned(to, b []float32, stride, rows, cols, width int) {
	if cols < width {
		clear(to[:rows*width])
	}
	const side = 16
	for r0 := 0; r0 < rows; r0 += side {
		for j := range cols {
			x := b[j*stride+r0:][:min(side, rows-r0)]
			d := to[r0*width+j:]
			for r, v := range x {
				d[r*width] = v
			}
		}
	}
}

// vector multiplies a row with a matrix, and reports whether it did.
func (g Gemm) vector(p *Pool, c, a, b []float32) bool {
	if !g.TransB {
		return false
	}
	a, c = a[:g.K], c[:g.N]
	if p == nil || g.N*g.K <= 2*chunk {
		g.dots(c, a, b, 0, g.N)
		return true
	}
	p.For(g.N, grain(g.K), func(lo, hi int) { g.dots(c, a, b, lo, hi) })
	return true
}

func (g Gemm) dots(c, a, b []float32, lo, hi int) {
	for j := lo; j < hi; j++ {
		s := dot(a, b[j*g.B:][:g.K])
		if g.Add {
			s += c[j]
		}
		c[j] = s
	}
}
