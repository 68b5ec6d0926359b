package model

import (
	"math"
	"testing"
)

func TestFastExp(t *testing.T) {
	t.Parallel()
	for x := 0.0; x >= -700; x -= 0.01 {
		if got, want := fastExp(x), math.Exp(x); math.Abs(got/want-1) > 1e-8 {
			t.Fatalf("fastExp(%v) = %v, want %v", x, got, want)
		}
	}
}
