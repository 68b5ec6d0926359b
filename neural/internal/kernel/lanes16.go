//go:build goexperiment.simd && amd64

package kernel

import (
	"simd/archsimd"
	"unsafe"
)

//go:generate go run ./gen

func load16(p unsafe.Pointer) f16     { return archsimd.LoadFloat32x16((*[n16]float32)(p)) }
func store16(p unsafe.Pointer, x f16) { x.Store((*[n16]float32)(p)) }
func all16(p unsafe.Pointer) f16      { return archsimd.BroadcastFloat32x16(*(*float32)(p)) }
func of16(x float32) f16              { return archsimd.BroadcastFloat32x16(x) }

// some16 loads the first lanes; the others are 0.
func some16(p unsafe.Pointer, m m16) f16 {
	return archsimd.LoadMaskedFloat32x16((*[n16]float32)(p), m)
}

func storeSome16(p unsafe.Pointer, x f16, m m16) { x.StoreMasked((*[n16]float32)(p), m) }

// put16 stores the first n lanes, or adds them.
func put16(p unsafe.Pointer, x f16, n int, add bool) {
	if n >= n16 {
		if add {
			x = x.Add(load16(p))
		}
		store16(p, x)
		return
	}
	m := first16(n)
	if add {
		x = x.Add(some16(p, m))
	}
	storeSome16(p, x, m)
}

func (t *strip) pair16(p unsafe.Pointer, x, y f16) {
	put16(p, x, t.cols, t.add)
	if t.cols > n16 {
		put16(index(p, n16), y, t.cols-n16, t.add)
	}
}

// Four rows at a time and two vectors wide is as much as the registers hold that the
// compiler gives out without moving them to memory and back. For the same reason the
// innermost loops are functions of their own.

func (t *strip) run16() {
	a, c := at(t.a), at(t.c)
	for i := 0; i < t.rows; i += 4 {
		// where rows are missing, the last one is computed again and not stored
		p := index(a, i*t.aRow)
		q := index(a, min(i+1, t.rows-1)*t.aRow)
		r := index(a, min(i+2, t.rows-1)*t.aRow)
		s := index(a, min(i+3, t.rows-1)*t.aRow)
		to := index(c, i*t.cRow)
		if t.width == 2*n16 {
			t.wide16(p, q, r, s, unsafe.SliceData(t.at), len(t.at), at(t.b), uintptr(t.bRow)*4, to, t.rows-i)
		} else {
			t.narrow16(p, q, r, s, unsafe.SliceData(t.at), len(t.at), at(t.b), uintptr(t.bRow)*4, to, t.rows-i)
		}
	}
}

func (t *strip) wide16(p, q, r, s unsafe.Pointer, offset *int, n int, b unsafe.Pointer, bRow uintptr, c unsafe.Pointer, rows int) {
	var x0, x1, y0, y1, z0, z1, w0, w1 f16
	for range n {
		b0, b1 := load16(b), load16(unsafe.Add(b, n16*4))
		o := *offset * 4
		v := all16(unsafe.Add(p, o))
		x0, x1 = b0.MulAdd(v, x0), b1.MulAdd(v, x1)
		v = all16(unsafe.Add(q, o))
		y0, y1 = b0.MulAdd(v, y0), b1.MulAdd(v, y1)
		v = all16(unsafe.Add(r, o))
		z0, z1 = b0.MulAdd(v, z0), b1.MulAdd(v, z1)
		v = all16(unsafe.Add(s, o))
		w0, w1 = b0.MulAdd(v, w0), b1.MulAdd(v, w1)
		offset = (*int)(unsafe.Add(unsafe.Pointer(offset), 8))
		b = unsafe.Add(b, bRow)
	}
	step := uintptr(t.cRow) * 4
	t.pair16(c, x0, x1)
	if rows > 1 {
		t.pair16(unsafe.Add(c, step), y0, y1)
	}
	if rows > 2 {
		t.pair16(unsafe.Add(c, 2*step), z0, z1)
	}
	if rows > 3 {
		t.pair16(unsafe.Add(c, 3*step), w0, w1)
	}
}

func (t *strip) narrow16(p, q, r, s unsafe.Pointer, offset *int, n int, b unsafe.Pointer, bRow uintptr, c unsafe.Pointer, rows int) {
	var x, y, z, w f16
	for range n {
		b0 := load16(b)
		o := *offset * 4
		x = b0.MulAdd(all16(unsafe.Add(p, o)), x)
		y = b0.MulAdd(all16(unsafe.Add(q, o)), y)
		z = b0.MulAdd(all16(unsafe.Add(r, o)), z)
		w = b0.MulAdd(all16(unsafe.Add(s, o)), w)
		offset = (*int)(unsafe.Add(unsafe.Pointer(offset), 8))
		b = unsafe.Add(b, bRow)
	}
	step := uintptr(t.cRow) * 4
	put16(c, x, t.cols, t.add)
	if rows > 1 {
		put16(unsafe.Add(c, step), y, t.cols, t.add)
	}
	if rows > 2 {
		put16(unsafe.Add(c, 2*step), z, t.cols, t.add)
	}
	if rows > 3 {
		put16(unsafe.Add(c, 3*step), w, t.cols, t.add)
	}
}

// depthRow16 holds four pixels of a vector of channels while the taps pass.
func depthRow16(dst, src, w []float32, offsets []int, c, pixels, srcStep, dstStep int) {
	for i := 0; i < c; i += n16 {
		m := first16(c - i)
		for q := 0; q < pixels; q += 4 {
			p := index(at(src), i+q*srcStep)
			k := min(4, pixels-q)
			// where pixels are missing, the last one is computed again and not stored
			r, s, t := min(1, k-1)*srcStep*4, min(2, k-1)*srcStep*4, min(3, k-1)*srcStep*4
			d := index(at(dst), i+q*dstStep)
			if c-i >= n16 {
				depthPixels16(d, p, index(at(w), i), offsets, c*4, r, s, t, dstStep, k)
			} else {
				depthSome16(d, p, index(at(w), i), offsets, c*4, r, s, t, dstStep, k, m)
			}
		}
	}
}

func depthPixels16(dst, src, w unsafe.Pointer, at []int, wStep, r, s, t, dstStep, pixels int) {
	var x, y, z, v f16
	for _, o := range at {
		p, f := index(src, o), load16(w)
		x = f.MulAdd(load16(p), x)
		y = f.MulAdd(load16(unsafe.Add(p, r)), y)
		z = f.MulAdd(load16(unsafe.Add(p, s)), z)
		v = f.MulAdd(load16(unsafe.Add(p, t)), v)
		w = unsafe.Add(w, wStep)
	}
	store16(dst, x)
	if pixels > 1 {
		store16(index(dst, dstStep), y)
	}
	if pixels > 2 {
		store16(index(dst, 2*dstStep), z)
	}
	if pixels > 3 {
		store16(index(dst, 3*dstStep), v)
	}
}

// depthSome16 is depthPixels16 for the channels of a mask.
func depthSome16(dst, src, w unsafe.Pointer, at []int, wStep, r, s, t, dstStep, pixels int, m m16) {
	var x, y, z, v f16
	for _, o := range at {
		p, f := index(src, o), some16(w, m)
		x = f.MulAdd(some16(p, m), x)
		y = f.MulAdd(some16(unsafe.Add(p, r), m), y)
		z = f.MulAdd(some16(unsafe.Add(p, s), m), z)
		v = f.MulAdd(some16(unsafe.Add(p, t), m), v)
		w = unsafe.Add(w, wStep)
	}
	storeSome16(dst, x, m)
	if pixels > 1 {
		storeSome16(index(dst, dstStep), y, m)
	}
	if pixels > 2 {
		storeSome16(index(dst, 2*dstStep), z, m)
	}
	if pixels > 3 {
		storeSome16(index(dst, 3*dstStep), v, m)
	}
}

// depthRowWeights16 holds three taps of a vector of channels while the pixels pass.
func depthRowWeights16(dw, src, dy []float32, c, taps, pixels, srcStep, tapStep int) {
	for i := 0; i < c; i += n16 {
		m := first16(c - i)
		for s := 0; s < taps; s += 3 {
			k := min(3, taps-s)
			p, q := index(at(src), i+s*tapStep), index(at(dy), i)
			u, v := min(1, k-1)*tapStep*4, min(2, k-1)*tapStep*4
			d := index(at(dw), i+s*c)
			var x, y, z f16
			if c-i >= n16 {
				for range pixels {
					g := load16(q)
					x = g.MulAdd(load16(p), x)
					y = g.MulAdd(load16(unsafe.Add(p, u)), y)
					z = g.MulAdd(load16(unsafe.Add(p, v)), z)
					p, q = index(p, srcStep), index(q, c)
				}
			} else {
				for range pixels {
					g := some16(q, m)
					x = g.MulAdd(some16(p, m), x)
					y = g.MulAdd(some16(unsafe.Add(p, u), m), y)
					z = g.MulAdd(some16(unsafe.Add(p, v), m), z)
					p, q = index(p, srcStep), index(q, c)
				}
			}
			storeSome16(d, x.Add(some16(d, m)), m)
			if k > 1 {
				e := index(d, c)
				storeSome16(e, y.Add(some16(e, m)), m)
			}
			if k > 2 {
				e := index(d, 2*c)
				storeSome16(e, z.Add(some16(e, m)), m)
			}
		}
	}
}

func dot16(a, b []float32) float32 {
	n, p, q := len(a), at(a), at(b)
	var s, t, u, v f16
	i := 0
	for ; i+4*n16 <= n; i += 4 * n16 {
		x, y := index(p, i), index(q, i)
		s = load16(x).MulAdd(load16(y), s)
		t = load16(index(x, n16)).MulAdd(load16(index(y, n16)), t)
		u = load16(index(x, 2*n16)).MulAdd(load16(index(y, 2*n16)), u)
		v = load16(index(x, 3*n16)).MulAdd(load16(index(y, 3*n16)), v)
	}
	for ; i+n16 <= n; i += n16 {
		s = load16(index(p, i)).MulAdd(load16(index(q, i)), s)
	}
	if i < n {
		m := first16(n - i)
		t = some16(index(p, i), m).MulAdd(some16(index(q, i), m), t)
	}
	return sum16(s.Add(t).Add(u.Add(v)))
}

func sumOf16(x []float32) float32 {
	n, p := len(x), at(x)
	var s, t, u, v f16
	i := 0
	for ; i+4*n16 <= n; i += 4 * n16 {
		s = s.Add(load16(index(p, i)))
		t = t.Add(load16(index(p, i+n16)))
		u = u.Add(load16(index(p, i+2*n16)))
		v = v.Add(load16(index(p, i+3*n16)))
	}
	for ; i+n16 <= n; i += n16 {
		s = s.Add(load16(index(p, i)))
	}
	if i < n {
		t = t.Add(some16(index(p, i), first16(n-i)))
	}
	return sum16(s.Add(t).Add(u.Add(v)))
}

func squares16(x []float32, mean float32) float32 {
	n, p := len(x), at(x)
	c := of16(mean)
	var s, t f16
	i := 0
	for ; i+2*n16 <= n; i += 2 * n16 {
		d, e := load16(index(p, i)).Sub(c), load16(index(p, i+n16)).Sub(c)
		s, t = d.MulAdd(d, s), e.MulAdd(e, t)
	}
	for ; i < n; i += n16 {
		m := first16(n - i)
		d := some16(index(p, i), m).Sub(c).Masked(m)
		s = d.MulAdd(d, s)
	}
	return sum16(s.Add(t))
}

func largestOf16(x []float32) float32 {
	n, p := len(x), at(x)
	if n < n16 {
		return genericLargest(x)
	}
	s := load16(p)
	bad := s.IsNaN()
	for i := n16; i+n16 <= n; i += n16 {
		v := load16(index(p, i))
		s, bad = s.Max(v), bad.Or(v.IsNaN())
	}
	v := load16(index(p, n-n16))
	s, bad = s.Max(v), bad.Or(v.IsNaN())
	if bad.ToBits() != 0 {
		return nan
	}
	return max16(s)
}

func addTo16(to, x []float32) int {
	n, p, q := len(to)&^(n16-1), at(to), at(x)
	for i := 0; i < n; i += n16 {
		d := index(p, i)
		store16(d, load16(d).Add(load16(index(q, i))))
	}
	return n
}

func addScaled16(to, x []float32, f float32) int {
	n, p, q := len(to)&^(n16-1), at(to), at(x)
	v := of16(f)
	for i := 0; i < n; i += n16 {
		d := index(p, i)
		store16(d, load16(index(q, i)).MulAdd(v, load16(d)))
	}
	return n
}

func addProduct16(to, x, y []float32) int {
	n, p, q, r := len(to)&^(n16-1), at(to), at(x), at(y)
	for i := 0; i < n; i += n16 {
		d := index(p, i)
		store16(d, load16(index(q, i)).MulAdd(load16(index(r, i)), load16(d)))
	}
	return n
}

func normRow16(to, x, gamma, beta []float32, mean, inverse float32) {
	n, p, q := len(to), at(to), at(x)
	c, f := of16(mean), of16(inverse)
	if gamma == nil {
		for i := 0; i < n; i += n16 {
			m := first16(n - i)
			storeSome16(index(p, i), some16(index(q, i), m).Sub(c).Mul(f), m)
		}
		return
	}
	g, b := at(gamma), at(beta)
	for i := 0; i < n; i += n16 {
		m := first16(n - i)
		y := some16(index(q, i), m).Sub(c).Mul(f).MulAdd(some16(index(g, i), m), some16(index(b, i), m))
		storeSome16(index(p, i), y, m)
	}
}

func addDeviations16(acc, dy, x []float32, mean, inverse float32) int {
	n, p, q, r := len(acc)&^(n16-1), at(acc), at(dy), at(x)
	c, f := of16(mean), of16(inverse)
	for i := 0; i < n; i += n16 {
		d := index(p, i)
		store16(d, load16(index(r, i)).Sub(c).Mul(f).MulAdd(load16(index(q, i)), load16(d)))
	}
	return n
}

// The following go through n columns of rows. A vector of columns is held while the
// rows pass.

func columnSums16(acc, x []float32, rows, n int) {
	for c := 0; c < n; c += n16 {
		m, p := first16(n-c), index(at(x), c)
		s := some16(index(at(acc), c), m)
		if n-c >= n16 {
			for range rows {
				s = s.Add(load16(p))
				p = index(p, n)
			}
		} else {
			for range rows {
				s = s.Add(some16(p, m))
				p = index(p, n)
			}
		}
		storeSome16(index(at(acc), c), s, m)
	}
}

func columnMoments16(acc, x, mean []float32, rows, n int) {
	for c := 0; c < n; c += n16 {
		m, p := first16(n-c), index(at(x), c)
		k := some16(index(at(mean), c), m)
		s, t := some16(index(at(acc), c), m), some16(index(at(acc), n+c), m)
		if n-c >= n16 {
			for range rows {
				d := load16(p).Sub(k)
				s, t = s.Add(d), d.MulAdd(d, t)
				p = index(p, n)
			}
		} else {
			for range rows {
				d := some16(p, m).Sub(k)
				s, t = s.Add(d), d.MulAdd(d, t)
				p = index(p, n)
			}
		}
		storeSome16(index(at(acc), c), s, m)
		storeSome16(index(at(acc), n+c), t, m)
	}
}

func columnProducts16(acc, dy, x, mean []float32, rows, n int) {
	for c := 0; c < n; c += n16 {
		m, p, q := first16(n-c), index(at(dy), c), index(at(x), c)
		k := some16(index(at(mean), c), m)
		s, t := some16(index(at(acc), c), m), some16(index(at(acc), n+c), m)
		if n-c >= n16 {
			for range rows {
				d := load16(p)
				s, t = s.Add(d), load16(q).Sub(k).MulAdd(d, t)
				p, q = index(p, n), index(q, n)
			}
		} else {
			for range rows {
				d := some16(p, m)
				s, t = s.Add(d), some16(q, m).Sub(k).MulAdd(d, t)
				p, q = index(p, n), index(q, n)
			}
		}
		storeSome16(index(at(acc), c), s, m)
		storeSome16(index(at(acc), n+c), t, m)
	}
}

func centreScale16(to, x, mean, factor, summand []float32, rows, n int) {
	for c := 0; c < n; c += n16 {
		m, p, q := first16(n-c), index(at(to), c), index(at(x), c)
		k, f, s := some16(index(at(mean), c), m), some16(index(at(factor), c), m), some16(index(at(summand), c), m)
		if n-c >= n16 {
			for range rows {
				store16(p, load16(q).Sub(k).MulAdd(f, s))
				p, q = index(p, n), index(q, n)
			}
		} else {
			for range rows {
				storeSome16(p, some16(q, m).Sub(k).MulAdd(f, s), m)
				p, q = index(p, n), index(q, n)
			}
		}
	}
}

func normGradient16(dx, dy, x, a, b, d, mean []float32, rows, n int) {
	for c := 0; c < n; c += n16 {
		m, o, p, q := first16(n-c), index(at(dx), c), index(at(dy), c), index(at(x), c)
		k := some16(index(at(mean), c), m)
		f, g, h := some16(index(at(a), c), m), some16(index(at(b), c), m), some16(index(at(d), c), m)
		if n-c >= n16 {
			for range rows {
				store16(o, load16(p).MulAdd(f, load16(q).Sub(k).MulAdd(g, h)))
				o, p, q = index(o, n), index(p, n), index(q, n)
			}
		} else {
			for range rows {
				storeSome16(o, some16(p, m).MulAdd(f, some16(q, m).Sub(k).MulAdd(g, h)), m)
				o, p, q = index(o, n), index(p, n), index(q, n)
			}
		}
	}
}

func finishRows16(c, add, bias []float32, rows, n, stride int, how clip) {
	zero, six := k16(kZero), k16(kSix)
	for i := 0; i < n; i += n16 {
		m, p := first16(n-i), index(at(c), i)
		var b f16
		if bias != nil {
			b = some16(index(at(bias), i), m)
		}
		var q unsafe.Pointer
		if add != nil {
			q = index(at(add), i)
		}
		for range rows {
			x := some16(p, m).Add(b)
			if q != nil {
				x = x.Add(some16(q, m))
				q = index(q, stride)
			}
			if how != noClip {
				y := zero.Max(x)
				if how == atSix {
					y = y.Min(six)
				}
				x = x.Merge(y, x.IsNaN())
			}
			storeSome16(p, x, m)
			p = index(p, stride)
		}
	}
}

// vector16 computes the function of vectors that are as and bs vectors apart, 0 for a
// single number.
func (o Binary) vector16(dst, a, b []float32, as, bs int) int {
	n := len(dst) &^ (n16 - 1)
	p, q, r := at(dst), at(a), at(b)
	as, bs = as*n16*4, bs*n16*4
	end := index(p, n)
	if n == 0 {
		return 0
	}
	switch o {
	case Add:
		for ; uintptr(p) < uintptr(end); p = index(p, n16) {
			store16(p, load16(q).Add(load16(r)))
			q, r = unsafe.Add(q, as), unsafe.Add(r, bs)
		}
	case Sub:
		for ; uintptr(p) < uintptr(end); p = index(p, n16) {
			store16(p, load16(q).Sub(load16(r)))
			q, r = unsafe.Add(q, as), unsafe.Add(r, bs)
		}
	case Mul:
		for ; uintptr(p) < uintptr(end); p = index(p, n16) {
			store16(p, load16(q).Mul(load16(r)))
			q, r = unsafe.Add(q, as), unsafe.Add(r, bs)
		}
	case Div:
		for ; uintptr(p) < uintptr(end); p = index(p, n16) {
			store16(p, load16(q).Div(load16(r)))
			q, r = unsafe.Add(q, as), unsafe.Add(r, bs)
		}
	case Max:
		for ; uintptr(p) < uintptr(end); p = index(p, n16) {
			x, y := load16(q), load16(r)
			store16(p, either16(x, y, x.Max(y)))
			q, r = unsafe.Add(q, as), unsafe.Add(r, bs)
		}
	case Min:
		for ; uintptr(p) < uintptr(end); p = index(p, n16) {
			x, y := load16(q), load16(r)
			store16(p, either16(x, y, x.Min(y)))
			q, r = unsafe.Add(q, as), unsafe.Add(r, bs)
		}
	default:
		return 0
	}
	return n
}

// rows16 holds a vector of the row while the rows pass.
func (o Binary) rows16(dst, a, row []float32, rows, n int) bool {
	if o > Div {
		return false
	}
	for i := 0; i < n; i += n16 {
		m, p, q := first16(n-i), index(at(dst), i), index(at(a), i)
		v := some16(index(at(row), i), m)
		switch o {
		case Add:
			for range rows {
				storeSome16(p, some16(q, m).Add(v), m)
				p, q = index(p, n), index(q, n)
			}
		case Sub:
			for range rows {
				storeSome16(p, some16(q, m).Sub(v), m)
				p, q = index(p, n), index(q, n)
			}
		case Mul:
			for range rows {
				storeSome16(p, some16(q, m).Mul(v), m)
				p, q = index(p, n), index(q, n)
			}
		case Div:
			for range rows {
				storeSome16(p, some16(q, m).Div(v), m)
				p, q = index(p, n), index(q, n)
			}
		}
	}
	return true
}

func toLargest16(grad, image, dy []float32, offsets []int) int {
	n := len(dy) &^ (n16 - 1)
	for i := 0; i < n; i += n16 {
		p := index(at(image), i)
		best := load16(index(p, offsets[0]))
		for _, k := range offsets[1:] {
			x := load16(index(p, k))
			best = either16(best, x, best.Max(x))
		}
		g := load16(index(at(dy), i)) // what is not given away yet
		zero := k16(kZero)
		for _, k := range offsets {
			x := load16(index(p, k))
			m := x.Equal(best).Or(x.IsNaN())
			d := index(at(grad), i+k)
			store16(d, load16(d).Add(g.Masked(m)))
			g = zero.Merge(g, m)
		}
	}
	return n
}

func expShifted16(dst, x []float32, shift float32) float32 {
	n := len(x)
	c, one := of16(shift), k16(kOne)
	var sum f16
	for i := 0; i < n; i += n16 {
		m := first16(n - i)
		v := some16(index(at(x), i), m).Sub(c)
		y := v.Max(k16(kExpMin)).Min(k16(kExpMax))
		k := round16(y.Mul(k16(kLog2e)))
		r := neg16(k).MulAdd(k16(kLn2Hi), y)
		r = neg16(k).MulAdd(k16(kLn2Lo), r)
		p := k16(kExp).MulAdd(r, k16(kExp+1))
		p = p.MulAdd(r, k16(kExp+2))
		p = p.MulAdd(r, k16(kExp+3))
		p = p.MulAdd(r, k16(kExp+4))
		p = p.MulAdd(r, k16(kExp+5))
		p = p.Mul(r).MulAdd(r, r).Add(one)
		e := k.ConvertToInt32()
		half := e.ShiftAllRight(1)
		p = p.Mul(twoTo16(half)).Mul(twoTo16(e.Sub(half)))
		p = v.Merge(p, v.IsNaN()).Masked(m)
		sum = sum.Add(p)
		storeSome16(index(at(dst), i), p, m)
	}
	return sum16(sum)
}

// Functions of n numbers, a multiple of sixteen. What a function is made of is computed
// one after the other, with room for what lies between.

func (u Unary) block16(dst, x, room unsafe.Pointer, n int) {
	switch u {
	case Exp:
		exps16(dst, x, n)
	case Expm1:
		expm1s16(dst, x, n)
	case Log:
		logs16(dst, x, n)
	case Log1p:
		log1ps16(dst, x, room, n)
	case Tanh:
		for i := 0; i < n; i += n16 {
			y := abs16(load16(index(x, i)))
			store16(index(room, i), y.Add(y))
		}
		exps16(room, room, n)
		one := k16(kOne)
		for i := 0; i < n; i += n16 {
			y := load16(index(x, i))
			z := y.Mul(y)
			p := k16(kTanh).MulAdd(z, k16(kTanh+1))
			p = p.MulAdd(z, k16(kTanh+2)).MulAdd(z, k16(kTanh+3)).MulAdd(z, k16(kTanh+4))
			near := p.Mul(z).MulAdd(y, y)
			far := withSign16(one.Sub(k16(kTwo).Div(load16(index(room, i)).Add(one))), y)
			store16(index(dst, i), near.Merge(far, abs16(y).Less(k16(kTanhCut))))
		}
	case Sigmoid, SiLU:
		for i := 0; i < n; i += n16 {
			store16(index(room, i), neg16(load16(index(x, i))))
		}
		exps16(room, room, n)
		one := k16(kOne)
		if u == Sigmoid {
			for i := 0; i < n; i += n16 {
				store16(index(dst, i), one.Div(load16(index(room, i)).Add(one)))
			}
			return
		}
		for i := 0; i < n; i += n16 {
			store16(index(dst, i), load16(index(x, i)).Div(load16(index(room, i)).Add(one)))
		}
	case Erf:
		erfs16(dst, x, room, n)
	case GELU:
		var scaled [unaryBlock]float32
		s := unsafe.Pointer(&scaled)
		for i := 0; i < n; i += n16 {
			store16(index(s, i), load16(index(x, i)).Mul(k16(kSqrt1_2)))
		}
		erfs16(s, s, room, n)
		for i := 0; i < n; i += n16 {
			store16(index(dst, i), load16(index(s, i)).Add(k16(kOne)).Mul(load16(index(x, i)).Mul(k16(kHalf))))
		}
	case Softplus:
		var small [unaryBlock]float32
		s := unsafe.Pointer(&small)
		for i := 0; i < n; i += n16 {
			store16(index(s, i), neg16(abs16(load16(index(x, i)))))
		}
		exps16(s, s, n)
		log1ps16(s, s, room, n)
		zero := k16(kZero)
		for i := 0; i < n; i += n16 {
			store16(index(dst, i), zero.Max(load16(index(x, i))).Add(load16(index(s, i))))
		}
	case ELU:
		expm1s16(room, x, n)
		zero := k16(kZero)
		for i := 0; i < n; i += n16 {
			y := load16(index(x, i))
			store16(index(dst, i), load16(index(room, i)).Merge(y, y.Less(zero)))
		}
	default:
		u.simple16(dst, x, n)
	}
}

func (u Unary) simple16(dst, x unsafe.Pointer, n int) {
	zero, one := k16(kZero), k16(kOne)
	switch u {
	case Abs:
		for i := 0; i < n; i += n16 {
			store16(index(dst, i), abs16(load16(index(x, i))))
		}
	case Neg:
		for i := 0; i < n; i += n16 {
			store16(index(dst, i), neg16(load16(index(x, i))))
		}
	case Sign:
		for i := 0; i < n; i += n16 {
			y := load16(index(x, i))
			z := one.Merge(y, y.Greater(zero))
			store16(index(dst, i), neg16(one).Merge(z, y.Less(zero)))
		}
	case Square:
		for i := 0; i < n; i += n16 {
			y := load16(index(x, i))
			store16(index(dst, i), y.Mul(y))
		}
	case Sqrt:
		for i := 0; i < n; i += n16 {
			store16(index(dst, i), load16(index(x, i)).Sqrt())
		}
	case Rsqrt:
		for i := 0; i < n; i += n16 {
			store16(index(dst, i), one.Div(load16(index(x, i)).Sqrt()))
		}
	case Reciprocal:
		for i := 0; i < n; i += n16 {
			store16(index(dst, i), one.Div(load16(index(x, i))))
		}
	case Floor:
		for i := 0; i < n; i += n16 {
			store16(index(dst, i), floor16(load16(index(x, i))))
		}
	case Ceil:
		for i := 0; i < n; i += n16 {
			store16(index(dst, i), ceil16(load16(index(x, i))))
		}
	case Round:
		for i := 0; i < n; i += n16 {
			store16(index(dst, i), round16(load16(index(x, i))))
		}
	case ReLU:
		for i := 0; i < n; i += n16 {
			store16(index(dst, i), relu16(load16(index(x, i))))
		}
	case ReLU6:
		for i := 0; i < n; i += n16 {
			y := load16(index(x, i))
			store16(index(dst, i), y.Merge(zero.Max(y).Min(k16(kSix)), y.IsNaN()))
		}
	case LeakyReLU:
		for i := 0; i < n; i += n16 {
			y := load16(index(x, i))
			store16(index(dst, i), y.Mul(k16(kHundredth)).Merge(y, y.Less(zero)))
		}
	case HardSigmoid:
		for i := 0; i < n; i += n16 {
			y := load16(index(x, i)).Add(k16(kThree))
			store16(index(dst, i), y.Merge(zero.Max(y).Min(k16(kSix)).Mul(k16(kSixth)), y.IsNaN()))
		}
	case HardSwish:
		for i := 0; i < n; i += n16 {
			y := load16(index(x, i))
			z := zero.Max(y.Add(k16(kThree))).Min(k16(kSix)).Mul(k16(kSixth))
			store16(index(dst, i), y.Mul(z))
		}
	default:
		panic("kernel: an unknown function")
	}
}

// either16 is z, but NaN where x or y is. Of two numbers of which one is NaN the
// processor takes the second, and the compiler may exchange them.
func either16(x, y, z f16) f16 { return z.Merge(x.Add(y), x.Equal(x).And(y.Equal(y))) }

func relu16(x f16) f16 { return x.Masked(notNegative16(x)) }

// notNegative16 is also true for NaN.
func notNegative16(x f16) m16 { return x.Greater(k16(kZero)).Or(x.IsNaN()) }

func abs16(x f16) f16 {
	return x.AsInt32x16().And(archsimd.BroadcastInt32x16(0x7fffffff)).AsFloat32x16()
}

func neg16(x f16) f16 {
	return x.AsInt32x16().Xor(archsimd.BroadcastInt32x16(-1 << 31)).AsFloat32x16()
}

// withSign16 gives x, which is not negative, the sign of y.
func withSign16(x, y f16) f16 {
	return y.AsInt32x16().And(archsimd.BroadcastInt32x16(-1 << 31)).Or(x.AsInt32x16()).AsFloat32x16()
}

// twoTo16 returns 2ⁿ for n from −126 to 127.
func twoTo16(n i16) f16 {
	return n.Add(archsimd.BroadcastInt32x16(127)).ShiftAllLeft(23).AsFloat32x16()
}

func exps16(dst, x unsafe.Pointer, n int) {
	for i := 0; i < n; i += n16 {
		v := load16(index(x, i))
		y := v.Max(k16(kExpMin)).Min(k16(kExpMax))
		k := round16(y.Mul(k16(kLog2e)))
		r := neg16(k).MulAdd(k16(kLn2Hi), y)
		r = neg16(k).MulAdd(k16(kLn2Lo), r)
		p := k16(kExp).MulAdd(r, k16(kExp+1))
		p = p.MulAdd(r, k16(kExp+2))
		p = p.MulAdd(r, k16(kExp+3))
		p = p.MulAdd(r, k16(kExp+4))
		p = p.MulAdd(r, k16(kExp+5))
		p = p.Mul(r).MulAdd(r, r).Add(k16(kOne))
		e := k.ConvertToInt32()
		half := e.ShiftAllRight(1)
		p = p.Mul(twoTo16(half)).Mul(twoTo16(e.Sub(half)))
		store16(index(dst, i), v.Merge(p, v.IsNaN()))
	}
}

func expm1s16(dst, x unsafe.Pointer, n int) {
	for i := 0; i < n; i += n16 {
		v := load16(index(x, i))
		y := v.Max(k16(kExpm1Min)).Min(k16(kExpMax))
		k := round16(y.Mul(k16(kLog2e)))
		r := neg16(k).MulAdd(k16(kLn2Hi), y)
		r = neg16(k).MulAdd(k16(kLn2Lo), r)
		p := k16(kExp).MulAdd(r, k16(kExp+1))
		p = p.MulAdd(r, k16(kExp+2))
		p = p.MulAdd(r, k16(kExp+3))
		p = p.MulAdd(r, k16(kExp+4))
		p = p.MulAdd(r, k16(kExp+5))
		p = p.Mul(r).MulAdd(r, r)
		e := k.ConvertToInt32()
		half := e.ShiftAllRight(1)
		rest := e.Sub(half)
		var zero i16
		a, b, inverse := twoTo16(half), twoTo16(rest), twoTo16(zero.Sub(rest))
		p = p.MulAdd(a, a.Sub(inverse)).Mul(b)
		store16(index(dst, i), v.Merge(p, v.IsNaN()))
	}
}

func logs16(dst, x unsafe.Pointer, n int) {
	one, zero := k16(kOne), k16(kZero)
	for i := 0; i < n; i += n16 {
		y := load16(index(x, i))
		small := y.Less(k16(kNormal))
		bits := y.Mul(k16(kTwo23)).Merge(y, small).AsInt32x16()
		e := bits.ShiftAllRight(23).Sub(archsimd.BroadcastInt32x16(126)).ConvertToFloat32()
		e = e.Sub(k16(k23)).Merge(e, small)
		m := bits.And(archsimd.BroadcastInt32x16(0x7fffff)).Or(archsimd.BroadcastInt32x16(0x3f000000)).AsFloat32x16()
		low := m.Less(k16(kSqrtHalf))
		e = e.Sub(one).Merge(e, low)
		m = m.Add(m).Merge(m, low).Sub(one)
		z := m.Mul(m)
		p := k16(kLog).MulAdd(m, k16(kLog+1))
		p = p.MulAdd(m, k16(kLog+2))
		p = p.MulAdd(m, k16(kLog+3))
		p = p.MulAdd(m, k16(kLog+4))
		p = p.MulAdd(m, k16(kLog+5))
		p = p.MulAdd(m, k16(kLog+6))
		p = p.MulAdd(m, k16(kLog+7))
		p = p.MulAdd(m, k16(kLog+8))
		p = p.Mul(m).Mul(z)
		p = e.MulAdd(k16(kLn2Lo), p)
		p = neg16(z).MulAdd(k16(kHalf), p)
		p = e.MulAdd(k16(kLn2Hi), p.Add(m))
		p = k16(kNegInf).Merge(p, y.Equal(zero))
		p = y.Merge(p, y.Equal(k16(kInf)))
		store16(index(dst, i), p.Merge(k16(kNaN), y.GreaterEqual(zero)))
	}
}

func log1ps16(dst, x, room unsafe.Pointer, n int) {
	one := k16(kOne)
	for i := 0; i < n; i += n16 {
		store16(index(room, i), load16(index(x, i)).Add(one))
	}
	logs16(room, room, n)
	for i := 0; i < n; i += n16 {
		y := load16(index(x, i))
		u := y.Add(one)
		p := load16(index(room, i)).Mul(y.Div(u.Sub(one)))
		p = y.Merge(p, u.Equal(one))
		store16(index(dst, i), y.Merge(p, u.Equal(k16(kInf))))
	}
}

func erfs16(dst, x, room unsafe.Pointer, n int) {
	for i := 0; i < n; i += n16 {
		a := abs16(load16(index(x, i)))
		p := k16(kErfFar).MulAdd(a, k16(kErfFar+1))
		p = p.MulAdd(a, k16(kErfFar+2))
		p = p.MulAdd(a, k16(kErfFar+3))
		p = p.MulAdd(a, k16(kErfFar+4))
		p = p.MulAdd(a, k16(kErfFar+5))
		p = p.MulAdd(a, k16(kErfFar+6))
		// far out the polynomial, which is made for less than 4, turns
		p = p.Mul(a).Sub(a)
		store16(index(room, i), k16(kExpMin).Merge(p, a.Greater(k16(kSix))))
	}
	exps16(room, room, n)
	for i := 0; i < n; i += n16 {
		y := load16(index(x, i))
		s := y.Mul(y)
		p := k16(kErf).MulAdd(s, k16(kErf+1))
		p = p.MulAdd(s, k16(kErf+2))
		p = p.MulAdd(s, k16(kErf+3))
		p = p.MulAdd(s, k16(kErf+4))
		p = p.MulAdd(s, k16(kErf+5))
		near := p.MulAdd(y, y)
		far := withSign16(k16(kOne).Sub(load16(index(room, i))), y)
		store16(index(dst, i), far.Merge(near, abs16(y).Greater(k16(kErfCut))))
	}
}
