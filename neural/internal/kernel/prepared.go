package kernel

// An Epilogue is what is done to a result while it is in the cache: y + Bias + Add,
// then a function. The zero Epilogue does nothing.
type Epilogue struct {
	Bias []float32 // of columns, or nil
	Add  []float32 // of the result's size, or nil
	Func Unary
	Do   bool // whether Func is done
}

// clip is the part of an epilogue's function that is done with the sums.
type clip uint8

const (
	noClip clip = iota
	atZero      // ReLU
	atSix       // ReLU6
)

func (e *Epilogue) none() bool { return e.Bias == nil && e.Add == nil && !e.Do }

// finish does the epilogue on columns of rows of c, which are so far apart. Number 0
// of c is number from of the result.
func (e *Epilogue) finish(c []float32, from, first, rows, n, stride int) {
	if e.none() || rows == 0 {
		return
	}
	how, more := noClip, e.Do
	if e.Do && e.Func == ReLU {
		how, more = atZero, false
	} else if e.Do && e.Func == ReLU6 {
		how, more = atSix, false
	}
	var bias, add []float32
	if e.Bias != nil {
		bias = e.Bias[first:]
	}
	if e.Add != nil {
		add = e.Add[from:]
	}
	if bias != nil || add != nil || how != noClip {
		finishRows(c, add, bias, rows, n, stride, how)
	}
	if !more {
		return
	}
	if stride == n {
		e.Func.Apply(c[:rows*n], c[:rows*n])
		return
	}
	for i := range rows {
		e.Func.Apply(c[i*stride:][:n], c[i*stride:][:n])
	}
}

// genericFinishRows adds bias and add, which may be nil, and clips.
func genericFinishRows(c, add, bias []float32, rows, n, stride int, how clip) {
	for i := range rows {
		row := c[i*stride:][:n]
		if bias != nil {
			genericAddTo(row, bias)
		}
		if add != nil {
			genericAddTo(row, add[i*stride:])
		}
		switch how {
		case atZero:
			for k, v := range row {
				row[k] = max(v, 0)
			}
		case atSix:
			for k, v := range row {
				row[k] = min(max(v, 0), 6)
			}
		}
	}
}

// A Matrix is the right side of products, packed once.
type Matrix struct {
	k, n   int
	panels []float32
	turned []float32 // n×k, for single rows
	made   isa
}

// NewMatrix packs b, k×n or, transposed, n×k. It keeps a transposed b, which must not
// change.
func NewMatrix(k, n int, b []float32, transB bool) *Matrix {
	g := Gemm{N: n, K: k, B: n, TransB: transB}
	x := &Matrix{k: k, n: n, panels: make([]float32, panelled(k, n)), made: use}
	if transB {
		g.B, x.turned = k, b[:n*k]
	}
	wide, narrow := use.widths()
	g.packPanels(x.panels, b, 0, n, wide, narrow, 0, (n+wide-1)/wide)
	return x
}

// Mul computes c = a·x, m×n, with an epilogue.
func (x *Matrix) Mul(p *Pool, c []float32, m int, a []float32, e *Epilogue) {
	if x.made != use {
		panic("kernel: a matrix that was packed for other instructions")
	}
	g := Gemm{M: m, N: x.n, K: x.k, A: x.k, C: x.n, B: x.k, TransB: true}
	if m == 1 && x.turned != nil {
		g.vector(p, c, a, x.turned)
		e.finish(c[:x.n], 0, 0, 1, x.n, x.n)
		return
	}
	wide, narrow := x.made.widths()
	w := product{Gemm: g, c: c, a: a, b: x.panels, n: x.n, wide: wide, narrow: narrow, end: e}
	w.do(p)
}

// A Filter is a convolution with its weight packed once.
type Filter struct {
	Conv
	packed []float32
	matrix *Matrix // if it is a product of matrices
	made   isa
}

// NewFilter packs the weight of a convolution, R×S×C/Groups×K. It keeps that of a
// depthwise one, which must not change.
func NewFilter(o Conv, w []float32) *Filter {
	f := &Filter{Conv: o, packed: w, made: use}
	switch {
	case o.Depthwise():
	case o.point():
		f.matrix = NewMatrix(o.C, o.K, w, false)
	default:
		f.packed = make([]float32, o.packedSize())
		o.pack(f.packed, w)
	}
	return f
}

// Forward computes the convolution with an epilogue.
func (f *Filter) Forward(p *Pool, dst, x []float32, e *Epilogue) {
	if f.made != use {
		panic("kernel: a filter that was packed for other instructions")
	}
	if f.matrix != nil {
		f.matrix.Mul(p, dst, f.N*f.H*f.W, x, e)
		return
	}
	f.forward(p, dst, x, f.packed, e)
}
