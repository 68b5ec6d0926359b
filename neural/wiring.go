package neural

import (
	"fmt"
	"strconv"
)

// Flatten makes a vector of anything.
type Flatten struct{}

// Kind returns "flatten".
func (Flatten) Kind() string { return "flatten" }

func (Flatten) String() string { return "flatten" }

func (Flatten) infer(in []Shape) (Shape, error) {
	s, err := one(in)
	if err == nil && s.Elements() > maxSize {
		err = fmt.Errorf("found an operand of shape %s, want at most %d numbers", s, maxSize)
	}
	return Shape{int(s.Elements())}, err
}

// ToTokens makes a token of every pixel, row by row: channels×height×width become
// height·width tokens of as many features as there are channels.
type ToTokens struct{}

// Kind returns "totokens".
func (ToTokens) Kind() string { return "totokens" }

func (ToTokens) String() string { return "to tokens" }

func (ToTokens) infer(in []Shape) (Shape, error) {
	s, err := oneImage(in)
	return Shape{s[1] * s[2], s[0]}, err
}

// ToImage makes a pixel of every token, the inverse of [ToTokens].
type ToImage struct {
	Height int `json:"height"`
}

// Kind returns "toimage".
func (ToImage) Kind() string { return "toimage" }

func (ToImage) String() string { return "to image" }

func (o ToImage) infer(in []Shape) (Shape, error) {
	s, err := oneTokens(in)
	if err != nil {
		return Shape{}, err
	}
	if o.Height < 1 || s[0]%o.Height != 0 {
		return Shape{}, fmt.Errorf("height: found %d, want a divisor of the %d tokens", o.Height, s[0])
	}
	return Shape{s[1], o.Height, s[0] / o.Height}, nil
}

// Shuffle deals the channels of an image out to groups: channel i of group g
// becomes channel g of group i (Zhang et al. 2018).
type Shuffle struct {
	Groups int `json:"groups,omitempty"` // 0 means 2
}

// Kind returns "shuffle".
func (Shuffle) Kind() string { return "shuffle" }

func (o Shuffle) String() string { return fmt.Sprintf("shuffle %d", or(o.Groups, 2)) }

func (o Shuffle) infer(in []Shape) (Shape, error) {
	s, err := oneImage(in)
	if g := or(o.Groups, 2); err == nil && (g < 1 || s[0]%g != 0) {
		err = fmt.Errorf("groups: found %d, want a divisor of the %d channels", g, s[0])
	}
	return s, err
}

// Identity passes its operand on.
type Identity struct{}

// Kind returns "identity".
func (Identity) Kind() string { return "identity" }

func (Identity) String() string { return "identity" }

func (Identity) infer(in []Shape) (Shape, error) { return one(in) }

// Zero is zeros of its operand's shape, as if nothing came from there: the
// operation "none" of cell spaces.
type Zero struct {
	Stride int `json:"stride,omitempty"` // of an image: takes every such pixel; 0 means 1
}

// Kind returns "zero".
func (Zero) Kind() string { return "zero" }

func (Zero) String() string { return "none" }

func (o Zero) infer(in []Shape) (Shape, error) {
	s, err := one(in)
	if err != nil || or(o.Stride, 1) == 1 {
		return s, err
	}
	if !s.Image() {
		return Shape{}, fmt.Errorf("stride: found %d for a shape of %s, want an image, or no stride", o.Stride, s)
	}
	return Shape{s[0], window(s[1], 1, o.Stride, 1, Valid), window(s[2], 1, o.Stride, 1, Valid)}, sizes{{"stride", o.Stride}}.check()
}

// Dropout sets numbers to zero at random in training, and scales the others so
// that the expectation stays. At inference it does nothing.
type Dropout struct {
	Rate float64 `json:"rate"` // the share that is dropped
}

// Kind returns "dropout".
func (Dropout) Kind() string { return "dropout" }

func (o Dropout) String() string { return fmt.Sprintf("dropout %g", o.Rate) }

func (o Dropout) infer(in []Shape) (Shape, error) {
	s, err := one(in)
	if err == nil {
		err = rate(o.Rate)
	}
	return s, err
}

// DropPath is [Dropout] of whole examples: a path of the network is left out for
// some of a batch (Huang et al. 2016, Larsson et al. 2017).
type DropPath struct {
	Rate float64 `json:"rate"` // the share that is dropped
}

// Kind returns "droppath".
func (DropPath) Kind() string { return "droppath" }

func (o DropPath) String() string { return fmt.Sprintf("drop path %g", o.Rate) }

func (o DropPath) infer(in []Shape) (Shape, error) { return Dropout(o).infer(in) }

// Slice takes a part of its operand.
type Slice struct {
	Axis Axis `json:"axis,omitempty"`
	From int  `json:"from,omitempty"`
	To   int  `json:"to,omitempty"` // not included; 0 means the end
}

// Kind returns "slice".
func (Slice) Kind() string { return "slice" }

func (o Slice) String() string {
	to := ""
	if o.To != 0 {
		to = strconv.Itoa(o.To)
	}
	return fmt.Sprintf("%s[%d:%s]", o.Axis, o.From, to)
}

// Range returns where the part begins and ends on the axis of a shape that it is
// taken of.
func (o Slice) Range(s Shape) (axis, from, to int) {
	axis = s.axis(o.Axis)
	if axis < 0 {
		return axis, 0, 0
	}
	return axis, o.From, or(o.To, s[axis])
}

func (o Slice) infer(in []Shape) (Shape, error) {
	s, err := one(in)
	if err != nil {
		return Shape{}, err
	}
	axis, from, to := o.Range(s)
	if axis < 0 {
		return Shape{}, fmt.Errorf("axis: found %s for an operand of shape %s, which has none", o.Axis, s)
	}
	if from < 0 || from >= to || to > s[axis] {
		return Shape{}, fmt.Errorf("found %d to %d of the %d of %s, want a part that is there", from, to, s[axis], o.Axis)
	}
	s[axis] = to - from
	return s, nil
}

// Add sums two or more operands of one shape.
type Add struct{}

// Kind returns "add".
func (Add) Kind() string { return "add" }

func (Add) String() string { return "+" }

func (Add) infer(in []Shape) (Shape, error) {
	if len(in) < 2 {
		return Shape{}, fmt.Errorf("found %d operands, want two or more", len(in))
	}
	for i, s := range in[1:] {
		if s != in[0] {
			return Shape{}, fmt.Errorf("found operand %d of shape %s, want %s as the first", i+2, s, in[0])
		}
	}
	return in[0], nil
}

// Multiply multiplies two operands number by number. The second may be a vector,
// with a number for each feature of the first.
type Multiply struct{}

// Kind returns "multiply".
func (Multiply) Kind() string { return "multiply" }

func (Multiply) String() string { return "×" }

func (Multiply) infer(in []Shape) (Shape, error) {
	if len(in) != 2 {
		return Shape{}, fmt.Errorf("found %d operands, want 2", len(in))
	}
	if in[1] != in[0] && in[1] != (Shape{in[0].Features()}) {
		return Shape{}, fmt.Errorf("found operands of shape %s and %s, want one shape, or a vector of %d as the second", in[0], in[1], in[0].Features())
	}
	return in[0], nil
}

// Concat puts two or more operands one after the other.
type Concat struct {
	Axis Axis `json:"axis,omitempty"`
}

// Kind returns "concat".
func (Concat) Kind() string { return "concat" }

func (o Concat) String() string {
	if o.Axis == Features {
		return "concat"
	}
	return "concat " + o.Axis.String()
}

// Index returns which axis of a shape is meant.
func (o Concat) Index(s Shape) int { return s.axis(o.Axis) }

func (o Concat) infer(in []Shape) (Shape, error) {
	if len(in) < 2 {
		return Shape{}, fmt.Errorf("found %d operands, want two or more", len(in))
	}
	out := in[0]
	axis := out.axis(o.Axis)
	if axis < 0 {
		return Shape{}, fmt.Errorf("axis: found %s for an operand of shape %s, which has none", o.Axis, out)
	}
	for i, s := range in[1:] {
		n := s[axis]
		if s[axis] = in[0][axis]; s != in[0] {
			s[axis] = n
			return Shape{}, fmt.Errorf("found operand %d of shape %s, want %s as the first but for %s", i+2, s, in[0], o.Axis)
		}
		if out[axis] += n; out[axis] > maxSize {
			return Shape{}, fmt.Errorf("found operands with more than %d of %s together", maxSize, o.Axis)
		}
	}
	return out, nil
}
