package kernel

import "math"

// A Unary is a function of a number.
type Unary uint8

// The functions.
const (
	Abs Unary = iota
	Neg
	Sign // −1, 0 or 1
	Square
	Sqrt
	Rsqrt
	Reciprocal
	Floor
	Ceil
	Round // to the even of two as near
	Exp
	Expm1
	Log
	Log1p
	Tanh
	Sigmoid
	Erf
	Sin
	Cos
	ReLU
	ReLU6
	LeakyReLU // below 0 a hundredth
	HardSigmoid
	HardSwish
	SiLU
	GELU // with erf
	Softplus
	ELU
	unaries
)

// Apply computes the function of every number of x; dst may be x.
func (u Unary) Apply(dst, x []float32) {
	x = x[:len(dst)]
	if !u.vector(dst, x) {
		u.scalar(dst, x)
	}
}

// ApplyAll is Apply by several threads.
func (u Unary) ApplyAll(p *Pool, dst, x []float32) {
	if p == nil || len(dst) <= 2*chunk {
		u.Apply(dst, x)
		return
	}
	p.For(len(dst), chunk, func(lo, hi int) { u.Apply(dst[lo:hi], x[lo:hi]) })
}

// scalar computes the function without vectors.
func (u Unary) scalar(dst, x []float32) {
	switch u {
	case Abs:
		for i, v := range x {
			dst[i] = math.Float32frombits(math.Float32bits(v) &^ (1 << 31))
		}
	case Neg:
		for i, v := range x {
			dst[i] = -v
		}
	case Square:
		for i, v := range x {
			dst[i] = v * v
		}
	case Sqrt:
		for i, v := range x {
			dst[i] = float32(math.Sqrt(float64(v)))
		}
	case ReLU:
		for i, v := range x {
			dst[i] = max(v, 0)
		}
	default:
		f := functions[u]
		for i, v := range x {
			dst[i] = f(v)
		}
	}
}

// functions has every function that [Unary.scalar] does not spell out.
var functions = [unaries]func(float32) float32{
	Sign: func(x float32) float32 {
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return x
	},
	Rsqrt:      func(x float32) float32 { return 1 / float32(math.Sqrt(float64(x))) },
	Reciprocal: func(x float32) float32 { return 1 / x },
	Floor:      func(x float32) float32 { return float32(math.Floor(float64(x))) },
	Ceil:       func(x float32) float32 { return float32(math.Ceil(float64(x))) },
	Round:      func(x float32) float32 { return float32(math.RoundToEven(float64(x))) },
	Exp:        exp32, Expm1: expm132, Log: log32, Log1p: log1p32, Tanh: tanh32, Sigmoid: sigmoid32, Erf: erf32,
	Sin:   func(x float32) float32 { return float32(math.Sin(float64(x))) },
	Cos:   func(x float32) float32 { return float32(math.Cos(float64(x))) },
	ReLU6: func(x float32) float32 { return min(max(x, 0), 6) },
	LeakyReLU: func(x float32) float32 {
		if x < 0 {
			return x * 0.01
		}
		return x
	},
	HardSigmoid: func(x float32) float32 { return min(max(x+3, 0), 6) * (1. / 6) },
	HardSwish:   func(x float32) float32 { return x * (min(max(x+3, 0), 6) * (1. / 6)) },
	SiLU:        func(x float32) float32 { return x / (1 + exp32(-x)) },
	GELU:        func(x float32) float32 { return 0.5 * x * (1 + erf32(x*math.Sqrt2/2)) },
	Softplus:    func(x float32) float32 { return max(x, 0) + log1p32(exp32(-max(x, -x))) },
	ELU: func(x float32) float32 {
		if x < 0 {
			return expm132(x)
		}
		return x
	},
}

// A Binary is a function of two numbers.
type Binary uint8

// The functions. Max and Min of NaN and a number are NaN.
const (
	Add Binary = iota
	Sub
	Mul
	Div
	Max
	Min
	Pow
	Rem // the remainder, with the sign of the first
	binaries
)

// Apply computes the function of numbers of a and b; dst may be a or b.
func (o Binary) Apply(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	done := o.vector(dst, a, b, 1, 1)
	dst, a, b = dst[done:], a[done:], b[done:]
	switch o {
	case Add:
		for i := range dst {
			dst[i] = a[i] + b[i]
		}
	case Sub:
		for i := range dst {
			dst[i] = a[i] - b[i]
		}
	case Mul:
		for i := range dst {
			dst[i] = a[i] * b[i]
		}
	case Div:
		for i := range dst {
			dst[i] = a[i] / b[i]
		}
	case Max:
		for i := range dst {
			dst[i] = max(a[i], b[i])
		}
	case Min:
		for i := range dst {
			dst[i] = min(a[i], b[i])
		}
	default:
		for i := range dst {
			dst[i] = o.Of(a[i], b[i])
		}
	}
}

// ApplyAll is Apply by several threads.
func (o Binary) ApplyAll(p *Pool, dst, a, b []float32) {
	if p == nil || len(dst) <= 2*chunk {
		o.Apply(dst, a, b)
		return
	}
	p.For(len(dst), chunk, func(lo, hi int) { o.Apply(dst[lo:hi], a[lo:hi], b[lo:hi]) })
}

// Of computes the function of two numbers.
func (o Binary) Of(a, b float32) float32 {
	switch o {
	case Add:
		return a + b
	case Sub:
		return a - b
	case Mul:
		return a * b
	case Div:
		return a / b
	case Max:
		return max(a, b)
	case Min:
		return min(a, b)
	case Pow:
		return float32(math.Pow(float64(a), float64(b)))
	case Rem:
		return float32(math.Mod(float64(a), float64(b)))
	}
	panic("kernel: an unknown function")
}

// ApplyRight computes the function of every number of a and a single one.
func (o Binary) ApplyRight(dst, a []float32, b float32) {
	a = a[:len(dst)]
	s := [16]float32{b, b, b, b, b, b, b, b, b, b, b, b, b, b, b, b}
	for i := o.vector(dst, a, s[:], 1, 0); i < len(dst); i++ {
		dst[i] = o.Of(a[i], b)
	}
}

// ApplyLeft computes the function of a single number and every one of b.
func (o Binary) ApplyLeft(dst []float32, a float32, b []float32) {
	b = b[:len(dst)]
	s := [16]float32{a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a}
	for i := o.vector(dst, s[:], b, 0, 1); i < len(dst); i++ {
		dst[i] = o.Of(a, b[i])
	}
}

// ApplyRowRight computes the function of every row of a, as long as row, and row.
func (o Binary) ApplyRowRight(dst, a, row []float32) {
	if o.rowsVector(dst, a, row, len(row), false) {
		return
	}
	for i, c := 0, len(row); i+c <= len(dst); i += c {
		o.Apply(dst[i:i+c], a[i:i+c], row)
	}
}

// ApplyRowLeft computes the function of row and every row of b.
func (o Binary) ApplyRowLeft(dst, row, b []float32) {
	if o.rowsVector(dst, b, row, len(row), true) {
		return
	}
	for i, c := 0, len(row); i+c <= len(dst); i += c {
		o.Apply(dst[i:i+c], row, b[i:i+c])
	}
}

// A Comparison is a relation of two numbers. Only NotEqual holds for NaN.
type Comparison uint8

// The relations.
const (
	Equal Comparison = iota
	NotEqual
	Less
	LessEqual
	Greater
	GreaterEqual
)

// Apply says for numbers of a and b whether the relation holds.
func (o Comparison) Apply(dst []bool, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := o.vector(dst, a, b, 1, 1); i < len(dst); i++ {
		dst[i] = o.Of(a[i], b[i])
	}
}

// ApplyRight says for numbers of a whether the relation to a single one holds.
func (o Comparison) ApplyRight(dst []bool, a []float32, b float32) {
	a = a[:len(dst)]
	s := [16]float32{b, b, b, b, b, b, b, b, b, b, b, b, b, b, b, b}
	for i := o.vector(dst, a, s[:], 1, 0); i < len(dst); i++ {
		dst[i] = o.Of(a[i], b)
	}
}

// Of says whether the relation holds.
func (o Comparison) Of(a, b float32) bool {
	switch o {
	case Equal:
		return a == b
	case NotEqual:
		return a != b
	case Less:
		return a < b
	case LessEqual:
		return a <= b
	case Greater:
		return a > b
	case GreaterEqual:
		return a >= b
	}
	panic("kernel: an unknown relation")
}

// Select takes numbers of a where which is true, and of b elsewhere.
func Select(dst []float32, which []bool, a, b []float32) {
	n := len(dst)
	which, a, b = which[:n], a[:n], b[:n]
	for i := selectVector(dst, which, a, b); i < n; i++ {
		if which[i] {
			dst[i] = a[i]
		} else {
			dst[i] = b[i]
		}
	}
}

// AddScaled adds f·x to dst.
func AddScaled(dst, x []float32, f float32) { addScaled(dst, x, f) }

// MulAdd computes x·y + z, rounded once or twice; dst may be any of them.
func MulAdd(dst, x, y, z []float32) {
	if len(dst) == 0 {
		return
	}
	if &dst[0] != &z[0] {
		if &dst[0] == &x[0] || &dst[0] == &y[0] {
			Mul.Apply(dst, x, y)
			Add.Apply(dst, dst, z)
			return
		}
		copy(dst, z)
	}
	addProduct(dst, x, y)
}
