package rng_test

import (
	"fmt"
	"math"
	"math/bits"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// TestGolden pins the streams: stored studies are replayed from their seeds.
func TestGolden(t *testing.T) {
	t.Parallel()
	var got []string
	for _, id := range []uint64{0, 1} {
		for _, purpose := range []string{"", "sample", "evolution/mutate"} {
			r := rng.New(7, purpose, id)
			got = append(got, fmt.Sprintf("%q %d: %#x %d %v %v", purpose, id, r.Uint64(), r.IntN(1000), rng.Norm(r), rng.Norm(r)))
		}
	}
	want := []string{
		`"" 0: 0x37d344348750de42 428 0.24001596017147137 -0.06287214722380804`,
		`"sample" 0: 0x4684aa31acdfc473 288 0.25907972787064687 1.062436896684066`,
		`"evolution/mutate" 0: 0xad5ac90ed2ea41df 722 -0.7018151206821153 0.31882860592906864`,
		`"" 1: 0x512c862ec53572b2 879 0.6549411841112347 -1.399006785650683`,
		`"sample" 1: 0xdbf5fa3aaadb2009 172 0.022164212522074803 1.1554498806509053`,
		`"evolution/mutate" 1: 0x2a36d296ffac84da 329 -0.48508342767738 -1.188409690189657`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("streams changed (-want +got):\n%s", d)
	}
}

// TestStatesDiffer checks that a change of one bit of any input changes about
// half of the state's 128 bits.
func TestStatesDiffer(t *testing.T) {
	t.Parallel()
	type key struct{ hi, lo uint64 }
	seen := map[key]string{}
	note := func(seed uint64, purpose string, id uint64) key {
		hi, lo := rng.State(seed, purpose, id)
		k, name := key{hi, lo}, fmt.Sprintf("(%d, %q, %d)", seed, purpose, id)
		if other, ok := seen[k]; ok && other != name {
			t.Fatalf("%s and %s share a state", other, name)
		}
		seen[k] = name
		return k
	}
	changed := func(a, b key) int { return bits.OnesCount64(a.hi^b.hi) + bits.OnesCount64(a.lo^b.lo) }
	total, n := 0, 0
	for i := range uint64(200) {
		base := note(i, "purpose", i*i)
		for bit := range 64 {
			for _, k := range []key{note(i^1<<bit, "purpose", i*i), note(i, "purpose", i*i^1<<bit)} {
				c := changed(base, k)
				if total, n = total+c, n+1; c < 25 || c > 103 { // 64 ± 7 sd of 5.7
					t.Fatalf("flipping bit %d changed %d of 128 state bits", bit, c)
				}
			}
		}
	}
	if mean := float64(total) / float64(n); math.Abs(mean-64) > 0.3 {
		t.Errorf("a flipped input bit changes %.2f state bits on average, want 64", mean)
	}
	for _, p := range []string{"a", "b", "ab", "ba", "a\x00", "\x00a", "aaaaaaaa", "aaaaaaaaa", "aaaaaaaa\x00", ""} {
		note(1, p, 1)
	}
}

func TestNorm(t *testing.T) {
	t.Parallel()
	const n = 200000
	r := rng.New(3, "norm", 0)
	var m [5]float64
	below := 0
	for range n {
		x := rng.Norm(r)
		for k, p := 1, x; k <= 4; k, p = k+1, p*x {
			m[k] += p / n
		}
		if x < -1.959963984540054 {
			below++
		}
	}
	// Five standard errors of each moment.
	for k, want := range []struct{ mean, sd float64 }{1: {0, 1}, 2: {1, math.Sqrt2}, 3: {0, math.Sqrt(15)}, 4: {3, math.Sqrt(96)}} {
		if k > 0 && math.Abs(m[k]-want.mean) > 5*want.sd/math.Sqrt(n) {
			t.Errorf("moment %d = %v, want %v", k, m[k], want.mean)
		}
	}
	if p := float64(below) / n; math.Abs(p-0.025) > 5*math.Sqrt(0.025*0.975/n) {
		t.Errorf("%v of the deviates lie below the 2.5 %% point", p)
	}
}

func TestOpenIsOpen(t *testing.T) {
	t.Parallel()
	r := rng.New(3, "open", 0)
	for range 100000 {
		if u := rng.Open(r); !(u > 0 && u < 1) || 1-u == 0 {
			t.Fatalf("Open() = %v", u)
		}
	}
}

func BenchmarkNorm(b *testing.B) {
	r := rng.New(1, "bench", 0)
	for b.Loop() {
		rng.Norm(r)
	}
}

func BenchmarkNew(b *testing.B) {
	for i := uint64(0); b.Loop(); i++ {
		rng.New(1, "evolution/mutate", i)
	}
}

func ExampleNew() {
	a, b := rng.New(7, "sample", 3), rng.New(7, "sample", 3)
	fmt.Println(a.Uint64() == b.Uint64(), a.IntN(6) == b.IntN(6))
	// Output: true true
}
