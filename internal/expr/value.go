package expr

import (
	"fmt"
	"strconv"
)

// Kind is the kind of a value.
type Kind uint8

// The kinds of values. None is the kind of the zero Value, no value at all; as
// a [Type] it means that any kind may occur.
const (
	None Kind = iota
	Number
	Bool
	String
)

func (k Kind) String() string {
	switch k {
	case Number:
		return "number"
	case Bool:
		return "boolean"
	case String:
		return "string"
	}
	return "any value"
}

// Value is a number, a boolean or a string. Values compare with ==.
type Value struct {
	Kind Kind
	Num  float64 // the number; 1 or 0 for a boolean
	Str  string
}

// Num returns a number.
func Num(x float64) Value { return Value{Kind: Number, Num: x} }

// Str returns a string.
func Str(s string) Value { return Value{Kind: String, Str: s} }

// Boolean returns a boolean.
func Boolean(b bool) Value {
	if b {
		return Value{Kind: Bool, Num: 1}
	}
	return Value{Kind: Bool}
}

// String formats the value as a literal of the language.
func (v Value) String() string {
	switch v.Kind {
	case Number:
		return strconv.FormatFloat(v.Num, 'g', -1, 64)
	case Bool:
		return strconv.FormatBool(v.Num != 0)
	case String:
		return quote(v.Str)
	}
	return "undefined"
}

// State says what is known about a slot or a result.
type State uint8

// The states of a slot, and of the result of [Program.Eval].
const (
	Known    State = iota // it has the value given
	Open                  // not decided yet
	Inactive              // of a slot: takes no part in the design; of a result: undefined
)

// Truth is the outcome of a condition.
type Truth uint8

// The outcomes. Unknown means that it depends on slots not decided yet.
const (
	False Truth = iota
	True
	Unknown
	Undefined
)

func (t Truth) String() string {
	return [...]string{"false", "true", "unknown", "undefined"}[t&3]
}

// Env gives the values of slots.
type Env interface {
	// Value returns the value of a slot. The value counts only if the state
	// is Known.
	Value(slot int) (Value, State)
}

// Box is an Env that also knows what its open slots can still become.
type Box interface {
	Env

	// Domain is asked only for slots whose state is Open.
	Domain(slot int) Domain
}

// Domain is what an open slot can still become.
type Domain struct {
	Values   []Value // the values left; nil means the numbers in [Lo, Hi]
	Lo, Hi   float64
	Optional bool // the slot may also turn out inactive
}

// Slots is the simplest Env: the values by slot, where the zero Value, or a slot
// beyond the end, is inactive.
type Slots []Value

// Value implements [Env].
func (s Slots) Value(slot int) (Value, State) {
	if uint(slot) >= uint(len(s)) || s[slot].Kind == None {
		return Value{}, Inactive
	}
	return s[slot], Known
}

// Type is what [Expr.Check] needs to know about a name.
type Type struct {
	Kind     Kind     // None means that values of several kinds occur
	Repeated bool     // the name stands for one value an instance of a repeated part
	Options  []string // a categorical's strings; nil means any string
}

// Ref is where the value of a name is found.
type Ref struct {
	Slot int
	Each []int // of a repeated name: one slot an instance; nil otherwise
}

// SyntaxError is a mistake in the form of an expression.
type SyntaxError struct {
	Offset int    // in bytes from the start
	Found  string // what stands there
	Want   string // what was expected
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("found %s, expected %s (at byte %d)", e.Found, e.Want, e.Offset)
}

// Mistake is one mistake in the meaning of an expression.
type Mistake struct {
	Offset int // in bytes from the start
	Text   string
}

// MeaningError is returned by [Expr.Check] and [Expr.Bind]. It has every mistake
// in order of their offsets.
type MeaningError struct{ Mistakes []Mistake }

func (e *MeaningError) Error() string {
	s := ""
	for i, m := range e.Mistakes {
		if i > 0 {
			s += "; "
		}
		s += fmt.Sprintf("%s (at byte %d)", m.Text, m.Offset)
	}
	return s
}
