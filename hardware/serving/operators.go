package serving

import "fmt"

// A Phase is what a pass does.
type Phase uint8

// The phases.
const (
	Prefill Phase = iota // reads prompts
	Decode               // makes one token of each answer
)

// String returns "prefill" or "decode".
func (p Phase) String() string {
	if p == Prefill {
		return "prefill"
	}
	return "decode"
}

// An Operator is one row of a pass, on one accelerator. Times are of one
// occurrence; sizes are of the operands in their formats.
type Operator struct {
	Name  string
	Times float64 // occurrences in the pass
	FLOP  float64 // a multiply-add is two

	InputBytes, SecondBytes, OutputBytes float64 // the second operand is weights, keys or values; of collectives, the input is what is sent

	OffChipBytes float64 // of the operands that do not stay on chip

	LatencyMS, ComputeMS, MemoryMS, LinkMS float64
}

// Bytes returns the size of all operands.
func (o *Operator) Bytes() float64 { return o.InputBytes + o.SecondBytes + o.OutputBytes }

// Intensity returns operations a byte.
func (o *Operator) Intensity() float64 {
	if b := o.Bytes(); b > 0 {
		return o.FLOP / b
	}
	return 0
}

// Bound says what an operator waits for: "compute", "memory", "link", or
// "nothing" if it takes no time.
func (o *Operator) Bound() string {
	switch {
	case o.LatencyMS == 0:
		return "nothing"
	case o.LinkMS > 0:
		return "link"
	case o.ComputeMS > o.MemoryMS:
		return "compute"
	}
	return "memory"
}

func (r *run) note(name string, times, macs, a, w, o, off, compute, mem, comm float64) {
	if r.list == nil {
		return
	}
	*r.list = append(*r.list, Operator{
		Name: name, Times: times, FLOP: 2 * macs, InputBytes: a, SecondBytes: w, OutputBytes: o, OffChipBytes: off,
		LatencyMS: max(compute, mem, comm) * 1000, ComputeMS: compute * 1000, MemoryMS: mem * 1000, LinkMS: comm * 1000,
	})
}

// Operators returns the operators of a pass in their order. In prefill, output
// is not used.
func (e *Engine) Operators(phase Phase, batch, input, output int) ([]Operator, error) {
	if phase > Decode {
		return nil, fmt.Errorf("serving: phase: found %d, want Prefill or Decode", phase)
	}
	if err := e.check(batch, 1, input, output); err != nil {
		return nil, err
	}
	var list []Operator
	size, _ := e.micro(batch)
	r := run{e: e, memory: e.memory, list: &list}
	p := pass{size: size, input: input}
	if phase == Decode {
		p = pass{kind: passDecode, size: size, beams: 1, input: input, output: output}
	}
	if err := r.fit(&p, batch); err != nil {
		return nil, err
	}
	return list, nil
}
