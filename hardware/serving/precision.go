package serving

import (
	"fmt"
	"strings"

	"github.com/daedalus-search/daedalus/internal/source"
)

// A Format is a number format: how many bytes a value takes, and how fast the
// platform multiplies in it.
type Format uint8

// The formats. The zero Format is BF16.
const (
	BF16 Format = iota
	F32
	INT8
	FP8
	FP6
	INT4
	FP4
	INT2
	formats
)

// formatTable holds what the reference says of each format (GenZ system.py,
// mem_multiplier and compute_multiplier): bytes a value, and time of a
// multiplication relative to bf16. fp6 computes at the speed of fp8.
var formatTable = [formats]struct {
	name        string
	bytes, work float64
}{
	BF16: {"bf16", 2, 1},
	F32:  {"f32", 4, 2},
	INT8: {"int8", 1, 0.5},
	FP8:  {"fp8", 1, 0.5},
	FP6:  {"fp6", 0.75, 0.5},
	INT4: {"int4", 0.5, 0.25},
	FP4:  {"fp4", 0.5, 0.25},
	INT2: {"int2", 0.25, 0.125},
}

// Formats returns the names of all formats; fp16 is read as bf16, which it
// equals in size and speed.
func Formats() []string {
	var names []string
	for _, f := range formatTable {
		names = append(names, f.name)
	}
	return names
}

// String returns the name, such as "bf16".
func (f Format) String() string {
	if f < formats {
		return formatTable[f].name
	}
	return fmt.Sprintf("Format(%d)", uint8(f))
}

// Bytes returns the size of a value.
func (f Format) Bytes() float64 { return formatTable[f].bytes }

// UnmarshalText reads a name.
func (f *Format) UnmarshalText(text []byte) error {
	name := strings.ToLower(string(text))
	if name == "fp16" {
		name = "bf16"
	}
	for i := range formatTable {
		if formatTable[i].name == name {
			*f = Format(i)
			return nil
		}
	}
	hint := ""
	if near, ok := source.Nearest(name, Formats()); ok {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	return fmt.Errorf("format: found %q, want one of %s%s", text, strings.Join(Formats(), ", "), hint)
}

// MarshalText writes the name.
func (f Format) MarshalText() ([]byte, error) {
	if f >= formats {
		return nil, fmt.Errorf("format: found %d, want less than %d", uint8(f), formats)
	}
	return []byte(f.String()), nil
}

// A Precision says in which format each kind of value is. The zero value is
// bf16 throughout.
type Precision struct {
	Math        Format // of multiplications
	Weights     Format
	Activations Format // inputs, outputs, and what collectives send
	KV          Format // keys and values kept for later tokens
}

// Uniform returns one format for everything, which is what the reference knows.
func Uniform(f Format) Precision { return Precision{f, f, f, f} }

// WeightOnly returns bf16 with weights in another format: they are unpacked
// before they are multiplied, so that only memory and its traffic shrink (AWQ,
// GPTQ).
func WeightOnly(f Format) Precision { return Precision{Weights: f} }

// String returns one name if all formats agree, otherwise what differs from
// bf16, such as "weights int4, kv fp8".
func (p Precision) String() string {
	if p == Uniform(p.Math) {
		return p.Math.String()
	}
	var parts []string
	for _, x := range [...]struct {
		name string
		f    Format
	}{{"math", p.Math}, {"weights", p.Weights}, {"activations", p.Activations}, {"kv", p.KV}} {
		if x.f != BF16 {
			parts = append(parts, x.name+" "+x.f.String())
		}
	}
	return strings.Join(parts, ", ")
}

func (p Precision) check() error {
	for _, x := range [...]struct {
		name string
		f    Format
	}{{"precision.math", p.Math}, {"precision.weights", p.Weights}, {"precision.activations", p.Activations}, {"precision.kv", p.KV}} {
		if x.f >= formats {
			return &FieldError{x.name, x.f.String(), "one of " + strings.Join(Formats(), ", ")}
		}
	}
	return nil
}
