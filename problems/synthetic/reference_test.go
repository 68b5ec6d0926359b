package synthetic

import (
	"bufio"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/problem/problemtest"
)

// testdata/pymoo.txt holds, for every function and several numbers of
// objectives, values that pymoo 0.6.2 computes at random points: the name and
// the options, then x, then the objectives.
func TestValuesAgreeWithPymoo(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/pymoo.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	n := 0
	for ; lines.Scan(); n++ {
		part := strings.Split(lines.Text(), "|")
		head := strings.Fields(part[0])
		var o [4]int
		for i, s := range head[1:] {
			o[i], _ = strconv.Atoi(s)
		}
		numbers := func(s string) (out []float64) {
			for _, w := range strings.Fields(s) {
				v, err := strconv.ParseFloat(w, 64)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, v)
			}
			return out
		}
		x, want := numbers(part[1]), numbers(part[2])
		var got []float64
		switch head[0] {
		case "zdt":
			got = must(t, ZDT{Function: o[0]}).At(x)
		case "zdt5":
			p, err := ZDT5{}.New()
			if err != nil {
				t.Fatal(err)
			}
			got = p.At(x)
		case "dtlz":
			got = must(t, DTLZ{Function: o[0], Objectives: o[1]}).At(x)
		case "wfg":
			got = must(t, WFG{Function: o[0], Objectives: o[1], Position: o[2], Distance: o[3]}).At(x)
		}
		for i, w := range want {
			if math.Abs(got[i]-w) > 1e-9*(1+math.Abs(w)) {
				t.Errorf("%s: f%d = %v, pymoo says %v", part[0], i+1, got[i], w)
			}
		}
	}
	if n < 100 {
		t.Errorf("%d lines of references, want over 100", n)
	}
}

// Designs that are optimal by construction lie on the front that Optimum
// describes: no point of it dominates them, they dominate none, and one is near.
func TestFrontsAreAttained(t *testing.T) {
	t.Parallel()
	half := func(n int, at float64) func(x []float64) { // all but the first n-1 variables
		return func(x []float64) {
			for i := n; i < len(x); i++ {
				x[i] = at
			}
		}
	}
	wfg := func(which, k int) func(x []float64) {
		return func(x []float64) {
			if which == 9 { // from the last on, since a variable is biased by those behind it
				sum := 0.0
				for i := len(x) - 1; i >= k; i-- {
					y := 0.35
					if i < len(x)-1 {
						u := sum / float64(len(x)-1-i)
						y = math.Pow(0.35, 1/(0.02+1.96*u))
					}
					sum += y
					x[i] = y * 2 * float64(i+1)
				}
				return
			}
			sum := 0.0
			for i := range x {
				y := x[i] / (2 * float64(i+1))
				if i >= k {
					y = 0.35
					if which == 8 {
						u := sum / float64(i)
						y = math.Pow(0.35, 1/(0.02+49.98*(0.98/49.98-(1-2*u)*math.Abs(math.Floor(0.5-u)+0.98/49.98))))
					}
					x[i] = y * 2 * float64(i+1)
				}
				sum += y
			}
		}
	}
	for name, c := range map[string]struct {
		m     maker
		best  func(x []float64)
		apart float64
	}{
		"zdt4": {ZDT{Function: 4}, half(1, 0), 0.01}, "zdt6": {ZDT{Function: 6}, half(1, 0), 0.01},
		"dtlz1": {DTLZ{Function: 1}, half(2, 0.5), 0.05}, "dtlz3": {DTLZ{Function: 3}, half(2, 0.5), 0.1}, "dtlz4": {DTLZ{Function: 4}, half(2, 0.5), 0.1},
		"dtlz5": {DTLZ{Function: 5}, half(2, 0.5), 0.01}, "dtlz6": {DTLZ{Function: 6}, half(2, 0), 0.01},
		"wfg3": {WFG{Function: 3, Objectives: 2}, wfg(3, 4), 0.03}, "wfg4": {WFG{Function: 4}, wfg(4, 4), 0.4}, "wfg5": {WFG{Function: 5}, wfg(5, 4), 0.4},
		"wfg6": {WFG{Function: 6}, wfg(6, 4), 0.4}, "wfg7": {WFG{Function: 7}, wfg(7, 4), 0.4}, "wfg8": {WFG{Function: 8}, wfg(8, 4), 0.4}, "wfg9": {WFG{Function: 9}, wfg(9, 4), 0.4},
		// Not WFG1: it raises the distance to the power of 0.02, which makes 0.5 of rounding.
	} {
		p := must(t, c.m)
		m := len(p.Metrics())
		rows, err := p.Front(t.Context())
		if err != nil || len(rows) < 100*m {
			t.Fatalf("%s: %d numbers, %v", name, len(rows), err)
		}
		params := p.Space().Params()
		r := rng.New(1, "front", 0)
		for range 200 {
			x := make([]float64, len(params))
			for i, q := range params {
				x[i] = q.Lo + (q.Hi-q.Lo)*r.Float64()
			}
			c.best(x)
			y := p.At(x)
			nearest := math.Inf(1)
			for i := 0; i < len(rows); i += m {
				less, more, d := 0.0, 0.0, 0.0 // by how much y is below and above
				for k, v := range y {
					w := rows[i+k]
					less, more = max(less, w-v), max(more, v-w)
					d += (v - w) * (v - w)
				}
				if less > 1e-6 && more <= 0 || more > 1e-6 && less <= 0 {
					t.Fatalf("%s: %v of an optimal design and %v of the front: one dominates the other", name, y, rows[i:i+m])
				}
				nearest = min(nearest, math.Sqrt(d))
			}
			if nearest > c.apart {
				t.Errorf("%s: %v of an optimal design is %v from the front, want at most %v", name, y, nearest, c.apart)
			}
		}
	}
}

func TestZDT5CountsOnes(t *testing.T) {
	t.Parallel()
	p, err := ZDT5{Strings: 3}.New()
	if err != nil {
		t.Fatal(err)
	}
	problemtest.Run(t, p)
	x := make([]float64, 40)
	x[3], x[31], x[36] = 1, 1, 1
	a, err := p.Design(x)
	if err != nil {
		t.Fatal(err)
	}
	x[3], x[7] = 0, 1
	b, err := p.Design(x)
	if err != nil || a == b || p.Key(a) != p.Key(b) {
		t.Errorf("one bit of thirty: keys %q and %q (%v)", p.Key(a), p.Key(b), err)
	}
	x[36], x[32] = 0, 1
	if c, err := p.Design(x); err != nil || p.Key(c) == p.Key(a) {
		t.Errorf("bits in other strings have the same key %q (%v)", p.Key(a), err)
	}
}
