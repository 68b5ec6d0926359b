package neural

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// A Shape is the sizes of the axes of a value, without the batch, or of a weight.
// Values are [features], [tokens, features] or [channels, height, width], the
// order of ONNX and PyTorch; weights have up to four axes. Axes that are not
// there are 0, so shapes compare with == and are written as slices are:
//
//	neural.Shape{3, 32, 32}
type Shape [4]int

// Axes returns how many axes there are.
func (s Shape) Axes() int {
	for i, d := range s {
		if d == 0 {
			return i
		}
	}
	return len(s)
}

// Sizes returns the sizes as a slice.
func (s Shape) Sizes() []int { return append([]int(nil), s[:s.Axes()]...) }

// Elements returns the number of numbers.
func (s Shape) Elements() int64 {
	n := int64(1)
	for _, d := range s {
		if d == 0 {
			break
		}
		n *= int64(d)
	}
	return n
}

// Image reports whether the shape is that of an image or feature map.
func (s Shape) Image() bool { return s[2] != 0 }

// Features is the size of the axis that weights mix: the channels of an image,
// the last axis of anything else.
func (s Shape) Features() int {
	if s.Image() || s[1] == 0 {
		return s[0]
	}
	return s[1]
}

// Places is the number of positions that weights are shared over: pixels,
// tokens, or 1.
func (s Shape) Places() int64 { return s.Elements() / int64(s.Features()) }

// withFeatures is the shape with another number of features.
func (s Shape) withFeatures(n int) Shape {
	s[s.axis(Features)] = n
	return s
}

// String returns the sizes, such as "16×32×32".
func (s Shape) String() string {
	if s[0] == 0 {
		return "no axes"
	}
	var b strings.Builder
	for i, d := range s[:s.Axes()] {
		if i > 0 {
			b.WriteRune('×')
		}
		b.WriteString(strconv.Itoa(d))
	}
	return b.String()
}

// MarshalJSON writes the sizes, such as [16,32,32].
func (s Shape) MarshalJSON() ([]byte, error) { return json.Marshal(s[:s.Axes()]) }

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Shape) UnmarshalJSON(text []byte) error {
	var sizes []int
	if err := json.Unmarshal(text, &sizes); err != nil {
		return err
	}
	if len(sizes) > len(s) {
		return fmt.Errorf("found a shape of %d axes, want at most %d", len(sizes), len(s))
	}
	*s = Shape{}
	for i, d := range sizes {
		if d < 1 {
			return fmt.Errorf("found the shape %v, want sizes of at least 1", sizes)
		}
		s[i] = d
	}
	return nil
}

// maxElements bounds the numbers of one value and of one weight, and maxSize any
// attribute, so that no count overflows.
const (
	maxElements = 1 << 30
	maxSize     = 1 << 24
	maxWork     = 1 << 61 // multiply-accumulates of a network; one operator's are at most 2·maxElements²
)

// check reports a shape that no value can have.
func (s Shape) check() error {
	if n := s.Axes(); n == 0 || n > 3 || s[3] != 0 {
		return fmt.Errorf("found the shape %v, want [features], [tokens, features] or [channels, height, width]", s[:])
	}
	return s.bounded()
}

// bounded reports sizes that are out of all bounds.
func (s Shape) bounded() error {
	n := int64(1)
	for i, d := range s {
		if d == 0 && (i == 3 || s[i+1] == 0) {
			continue
		}
		if d < 1 {
			return fmt.Errorf("found the shape %v, want sizes of at least 1", s[:])
		}
		if d > maxElements {
			return fmt.Errorf("found a size of %d, want at most 2³⁰ numbers", d)
		}
		if n *= int64(d); n > maxElements {
			return fmt.Errorf("found the shape %s, want at most 2³⁰ numbers", s)
		}
	}
	return nil
}

// An Axis is an axis of a value by its meaning.
type Axis uint8

// The axes.
const (
	Features Axis = iota // of anything; of an image, its channels
	Tokens               // of tokens×features
	Height               // of an image
	Width                // of an image
)

var axisNames = [...]string{"features", "tokens", "height", "width"}

func (a Axis) String() string { return name(axisNames[:], int(a), "Axis") }

// MarshalText writes the axis's name.
func (a Axis) MarshalText() ([]byte, error) { return marshalName(axisNames[:], int(a), "axis") }

// UnmarshalText reads what MarshalText writes.
func (a *Axis) UnmarshalText(text []byte) error {
	return unmarshalName(axisNames[:], text, "axis", (*uint8)(a))
}

// axis returns where in the shape an axis is, or −1.
func (s Shape) axis(a Axis) int {
	switch n := s.Axes(); {
	case a == Features && n == 2:
		return 1
	case a == Features:
		return 0
	case a == Tokens && n == 2:
		return 0
	case a == Height && n == 3:
		return 1
	case a == Width && n == 3:
		return 2
	}
	return -1
}

// name returns the name of a value of an enumeration.
func name(names []string, i int, kind string) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("%s(%d)", kind, i)
}

func marshalName(names []string, i int, kind string) ([]byte, error) {
	if i >= len(names) {
		return nil, fmt.Errorf("%s %d does not exist", kind, i)
	}
	return []byte(names[i]), nil
}

func unmarshalName(names []string, text []byte, kind string, to *uint8) error {
	for i, n := range names {
		if n == string(text) {
			*to = uint8(i)
			return nil
		}
	}
	return fmt.Errorf("found the %s %q, want one of %s", kind, text, strings.Join(names, ", "))
}
