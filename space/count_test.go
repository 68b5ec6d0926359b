package space

import (
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
)

func TestCount(t *testing.T) {
	t.Parallel()
	tree := Rule("E", Use("x").P(0.8), Use("E", "E"))
	many := []Node{}
	for _, name := range strings.Fields("a b c d e f g h i j k l") {
		many = append(many, Int(name, 1, 100))
	}
	sum := append(many[:len(many):len(many)], Require("a + b + c + d + e + f + g + h + i + j + k + l == 700"))
	pairs := append(many[:len(many):len(many)], Require("a + b <= 100"), Require("c < d"), Require("k * l <= 100"))
	power := func(b, e int64) string { return new(big.Int).Exp(big.NewInt(b), big.NewInt(e), nil).String() }
	for name, c := range map[string]struct {
		nodes []Node
		n     string // "" for nil
		exact bool
	}{
		"real":                {[]Node{Float("x", 0, 1), Int("n", 1, 3)}, "", true},
		"point":               {[]Node{Float("x", 1, 1), Int("n", 1, 3)}, "3", true},
		"never active":        {[]Node{Int("n", 1, 3), Float("x", 0, 1).When("n > 3")}, "3", true},
		"infeasible real":     {[]Node{Int("n", 1, 3), Choice("k", Case("a", Float("x", 0, 1), Require("n > 3")), Case("b"))}, "3", true},
		"open grammar":        {[]Node{Grammar("g", "E", tree)}, "", true},
		"bounded grammar":     {[]Node{Grammar("g", "E", tree).Depth(5)}, "677", true}, // a(n+1) = a(n)^2 + 1
		"deep grammar":        {[]Node{Grammar("g", "E", tree).Depth(500)}, "", false},
		"open but finite":     {[]Node{Grammar("g", "E", Rule("E", Use("F", "F"), Use("x")), Rule("F", Use("y"), Use("z")))}, "5", true},
		"long repeat":         {[]Node{Repeat("r", 1000, 1000, Int("", 1, 10))}, power(10, 1000), true},
		"too long repeat":     {[]Node{Repeat("r", 0, 1<<16, Int("", 1, 1000))}, "", false},
		"permutation":         {[]Node{Permutation("p", 1, 2, 3, 4, 5, 6)}, "720", true},
		"subset":              {[]Node{Subset("s", 1, 2, 3, 4, 5).Size(2, 3)}, "20", true},
		"pairs":               {pairs, new(big.Int).Mul(big.NewInt(4950*4950*482), new(big.Int).Exp(big.NewInt(100), big.NewInt(6), nil)).String(), true},
		"sum over too many":   {sum, power(100, 12), false},
		"constraint on real":  {[]Node{Float("x", 0, 1), Int("n", 1, 3), Require("x * n <= 1")}, "", false},
		"infeasible":          {[]Node{Int("a", 1, 3), Int("b", 1, 3), Require("a < b"), Require("b < a")}, "0", true},
		"condition on a real": {[]Node{Float("x", 0, 1), Int("n", 1, 3).When("x > 0.5")}, "", false},
	} {
		s := MustNew(c.nodes...)
		start := time.Now()
		n, exact := s.Count()
		got := ""
		if n != nil {
			got = n.String()
		}
		if got != c.n || exact != c.exact {
			t.Errorf("%s: Count() = %v, %v; expected %q, %v", name, n, exact, c.n, c.exact)
		}
		if d := time.Since(start); d > time.Minute {
			t.Errorf("%s: counting took %v", name, d)
		}
	}
}

func TestInfeasible(t *testing.T) {
	t.Parallel()
	s := MustNew(Int("a", 1, 3), Int("b", 1, 3), Require("a < b"), Require("b < a"))
	r := rng.New(1, "infeasible", 0)
	var e *InfeasibleError
	if _, err := s.SampleUniform(r); !errors.As(err, &e) || !e.Proven || e.Constraint == "" {
		t.Errorf("SampleUniform() = %v; expected a proof that names a constraint", err)
	}
	if _, err := s.Sample(r); !errors.As(err, &e) || e.Tries == 0 || e.Constraint == "" {
		t.Errorf("Sample() = %v; expected an InfeasibleError that names a constraint", err)
	}
	for d := range s.All() {
		t.Errorf("All yields %v", d)
	}
	if _, err := MustNew(Grammar("g", "E", Rule("E", Use("x").P(0.8), Use("E", "E")))).SampleUniform(r); err == nil || !strings.Contains(err.Error(), "depth") {
		t.Errorf("SampleUniform of an open grammar: %v", err)
	}
}

// TestAllOpenGrammar: an open grammar is listed by depth, each derivation once.
func TestAllOpenGrammar(t *testing.T) {
	t.Parallel()
	rule := Rule("E", Use("x").P(0.8), Use("E", "E"))
	s := MustNew(Bool("b"), Grammar("g", "E", rule))
	seen := map[string]bool{}
	for d := range s.All() {
		seen[d.String()] = true
		if len(seen) == 2*26 {
			break
		}
	}
	bounded := MustNew(Bool("b"), Grammar("g", "E", rule).Depth(4)) // 26 derivations
	n := 0
	for d := range bounded.All() {
		if n++; !seen[d.String()] {
			t.Errorf("%v is missing among the first %d", d, len(seen))
		}
	}
	if n != len(seen) {
		t.Errorf("%d designs; expected %d", len(seen), n)
	}
	real := MustNew(Float("x", 0, 1))
	for d := range real.All() {
		t.Errorf("All yields %v of a real space", d)
	}
	if err := real.Enumerable(); err == nil || !strings.Contains(err.Error(), "x is a real number") {
		t.Errorf("Enumerable() = %v", err)
	}
}
