package nets

import (
	"fmt"
	"strconv"
	"strings"
)

// String writes the cell on one line: steps between bars, each two operations with
// the states that they read, joined by + for a sum or & for a concatenation, and
// after > the states of the result, if they are given:
//
//	sep_conv_3x3~0+sep_conv_3x3~1 | skip_connect~0&dil_conv_3x3~2 > 2 3
func (g Genotype) String() string {
	var b strings.Builder
	for i, s := range g.Steps {
		if i > 0 {
			b.WriteString(" | ")
		}
		join := "+"
		if s.Concat {
			join = "&"
		}
		fmt.Fprintf(&b, "%s~%d%s%s~%d", s.A.Op, s.A.From, join, s.B.Op, s.B.From)
	}
	if len(g.Concat) > 0 {
		b.WriteString(" >")
		for _, k := range g.Concat {
			fmt.Fprintf(&b, " %d", k)
		}
	}
	return b.String()
}

// ParseGenotype reads what [Genotype.String] writes, and checks it.
func ParseGenotype(text string) (Genotype, error) {
	var g Genotype
	steps, result, given := strings.Cut(text, ">")
	for i, step := range strings.Split(steps, "|") {
		step = strings.TrimSpace(step)
		at := strings.IndexAny(step, "+&")
		if at < 0 {
			return Genotype{}, fmt.Errorf("genotype, step %d: found %q, want two operations joined by + or &, such as sep_conv_3x3~0+skip_connect~1", i+1, step)
		}
		s := Step{Concat: step[at] == '&'}
		for _, half := range []struct {
			text string
			to   *Branch
		}{{step[:at], &s.A}, {step[at+1:], &s.B}} {
			op, from, _ := strings.Cut(strings.TrimSpace(half.text), "~")
			n, err := strconv.Atoi(from)
			if err != nil {
				return Genotype{}, fmt.Errorf("genotype, step %d: found %q, want an operation, ~ and the number of a state", i+1, half.text)
			}
			*half.to = Branch{op, n}
		}
		g.Steps = append(g.Steps, s)
	}
	if given {
		for _, word := range strings.Fields(result) {
			n, err := strconv.Atoi(word)
			if err != nil {
				return Genotype{}, fmt.Errorf("genotype: found %q after >, want the numbers of states", word)
			}
			g.Concat = append(g.Concat, n)
		}
		if len(g.Concat) == 0 {
			return Genotype{}, fmt.Errorf("genotype: found nothing after >, want the numbers of states")
		}
	}
	if err := g.Check(); err != nil {
		return Genotype{}, fmt.Errorf("genotype: %w", err)
	}
	return g, nil
}

// MarshalText writes the cell as String does.
func (g Genotype) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (g *Genotype) UnmarshalText(text []byte) (err error) {
	*g, err = ParseGenotype(string(text))
	return err
}
