package neural

import (
	"errors"
	"fmt"
)

// An Op is an operator with its attributes: one of the structs of this package.
// They compare with ==, and their zero fields are the usual defaults.
type Op interface {
	// Kind is the operator's name in files and errors, such as "conv".
	Kind() string
	// String is a short label, such as "conv 3×3 /2".
	String() string

	// infer returns the shape of the result, or what is wrong with the operands.
	infer(in []Shape) (Shape, error)
}

// kinds has every operator, by its kind.
var kinds = func() map[string]Op {
	m := map[string]Op{}
	for _, o := range []Op{
		Input{}, Conv{}, Linear{}, BatchNorm{}, LayerNorm{}, Activation{}, Softmax{}, MaxPool{}, AvgPool{}, GlobalPool{}, Upsample{},
		Flatten{}, ToTokens{}, ToImage{}, Shuffle{}, Identity{}, Zero{}, Dropout{}, DropPath{}, Slice{}, Add{}, Multiply{}, Concat{},
		Attention{}, Embedding{}, Position{}, ClassToken{},
	} {
		m[o.Kind()] = o
	}
	return m
}()

// weighted operators have weights.
type weighted interface {
	// tensors appends the weights.
	tensors(to []Tensor, in []Shape) []Tensor
}

// working operators multiply and accumulate.
type working interface {
	macs(in []Shape, out Shape) int64
}

// A Tensor is a weight.
type Tensor struct {
	Name  string // of the weight in its operator, as "weight", or in its graph, as "stem/conv/weight"
	Shape Shape
	State bool // a statistic that is kept but not learned, such as a running mean
}

// Tensors returns the weights of an operator on operands of these shapes, in a
// fixed order.
func Tensors(o Op, in ...Shape) []Tensor {
	if w, ok := o.(weighted); ok {
		return w.tensors(nil, in)
	}
	return nil
}

// MACs returns the multiply-accumulates of an operator for one example, as papers
// count them, for which see [Cost].
func MACs(o Op, out Shape, in ...Shape) int64 {
	if w, ok := o.(working); ok {
		return w.macs(in, out)
	}
	return 0
}

// Padding says what stands beyond the edge of an image.
type Padding uint8

// Kinds of padding.
const (
	Same  Padding = iota // ⌊dilation·(kernel−1)/2⌋ on each side: stride 1 keeps the size, if the kernel is odd
	Valid                // nothing: the kernel stays inside
)

var paddingNames = [...]string{"same", "valid"}

func (p Padding) String() string { return name(paddingNames[:], int(p), "Padding") }

// MarshalText writes the padding's name.
func (p Padding) MarshalText() ([]byte, error) {
	return marshalName(paddingNames[:], int(p), "padding")
}

// UnmarshalText reads what MarshalText writes.
func (p *Padding) UnmarshalText(text []byte) error {
	return unmarshalName(paddingNames[:], text, "padding", (*uint8)(p))
}

// Sides returns how much is added on each side of an axis.
func (p Padding) Sides(kernel, dilation int) int {
	if p == Valid {
		return 0
	}
	return dilation * (kernel - 1) / 2
}

// window returns the size of an axis that a window was slid over.
func window(size, kernel, stride, dilation int, p Padding) int {
	rest := size + 2*p.Sides(kernel, dilation) - dilation*(kernel-1) - 1
	if rest < 0 {
		return 0
	}
	return rest/stride + 1
}

func one(in []Shape) (Shape, error) {
	if len(in) != 1 {
		return Shape{}, fmt.Errorf("found %d operands, want 1", len(in))
	}
	return in[0], nil
}

func oneImage(in []Shape) (Shape, error) {
	s, err := one(in)
	if err == nil && !s.Image() {
		err = fmt.Errorf("found an operand of shape %s, want an image, channels×height×width", s)
	}
	return s, err
}

func oneTokens(in []Shape) (Shape, error) {
	s, err := one(in)
	if err == nil && s.Axes() != 2 {
		err = fmt.Errorf("found an operand of shape %s, want tokens×features", s)
	}
	return s, err
}

// sizes are attributes that count something, with their names.
type sizes []struct {
	name string
	n    int
}

func (all sizes) check() error {
	var errs []error
	for _, s := range all {
		if s.n < 1 || s.n > maxSize {
			errs = append(errs, fmt.Errorf("%s: found %d, want 1 to %d", s.name, s.n, maxSize))
		}
	}
	return errors.Join(errs...)
}

// rate reports a share that is none.
func rate(p float64) error {
	if !(p >= 0 && p < 1) {
		return fmt.Errorf("rate: found %g, want at least 0 and below 1", p)
	}
	return nil
}

// or returns x, or what 0 means.
func or(x, zero int) int {
	if x == 0 {
		return zero
	}
	return x
}
