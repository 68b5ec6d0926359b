package hnsw

import (
	"bytes"
	"compress/gzip"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
)

func gaussian(n, dim int, seed uint64) []float32 {
	r := rng.New(seed, "hnsw/test", 0)
	v := make([]float32, n*dim)
	for i := range v {
		v[i] = float32(rng.Norm(r))
	}
	return v
}

// brute returns the k nearest by looking at all.
func brute(vectors, q []float32, m Metric, k int) []Result {
	dim := len(q)
	var all []Result
	norm := func(v []float32) (s float64) {
		for _, x := range v {
			s += float64(x) * float64(x)
		}
		return math.Sqrt(s)
	}
	for i := 0; i < len(vectors)/dim; i++ {
		v := vectors[i*dim : (i+1)*dim]
		dot, dist := 0.0, 0.0
		for j, x := range v {
			dot += float64(x) * float64(q[j])
			dist += (float64(x) - float64(q[j])) * (float64(x) - float64(q[j]))
		}
		switch m {
		case Cosine:
			dist = 1 - dot/norm(v)/norm(q)
		case InnerProduct:
			dist = -dot
		}
		all = append(all, Result{i, float32(dist)})
	}
	slices.SortStableFunc(all, func(a, b Result) int {
		switch {
		case a.Distance < b.Distance:
			return -1
		case a.Distance > b.Distance:
			return 1
		}
		return 0
	})
	return all[:min(k, len(all))]
}

func recall(got, want []Result) float64 {
	hits := 0
	for _, g := range got {
		if g.Distance <= want[len(want)-1].Distance+1e-5*float32(math.Abs(float64(want[len(want)-1].Distance))) {
			hits++
		}
	}
	return float64(hits) / float64(len(want))
}

func TestRecall(t *testing.T) {
	t.Parallel()
	const n, dim, queries = 1500, 24, 40
	vectors, probes := gaussian(n, dim, 1), gaussian(queries, dim, 2)
	for _, c := range []struct {
		metric Metric
		least  float64
	}{{L2, 0.97}, {Cosine, 0.97}, {InnerProduct, 0.8}} {
		for _, together := range []bool{false, true} {
			if !together && c.metric != L2 {
				continue
			}
			x, err := New(dim, Options{Metric: c.metric})
			if err != nil {
				t.Fatal(err)
			}
			if together {
				if err := x.AddAll(vectors); err != nil {
					t.Fatal(err)
				}
			} else {
				for i := range n {
					if id, err := x.Add(vectors[i*dim : (i+1)*dim]); err != nil || id != i {
						t.Fatalf("Add of vector %d: %d, %v", i, id, err)
					}
				}
			}
			sum := 0.0
			for i := range queries {
				q := probes[i*dim : (i+1)*dim]
				got, err := x.Search(nil, q, 10, 100)
				if err != nil || len(got) != 10 {
					t.Fatalf("%d results, %v", len(got), err)
				}
				want := brute(vectors, q, c.metric, 10)
				for k := range got {
					if k > 0 && got[k].Distance < got[k-1].Distance {
						t.Fatal("results are out of order")
					}
				}
				if r := recall(got, want); r == 1 && math.Abs(float64(got[9].Distance-want[9].Distance)) > 1e-4*(1+math.Abs(float64(want[9].Distance))) {
					t.Fatalf("%v: distance %v, want %v", c.metric, got[9].Distance, want[9].Distance)
				}
				sum += recall(got, want) / queries
			}
			t.Logf("%v, together %v: recall %.4f", c.metric, together, sum)
			if sum < c.least {
				t.Errorf("%v: recall of ten %.3f, want %.2f", c.metric, sum, c.least)
			}
		}
	}
}

// Small sets, vectors that are all the same, and requests for more than there is.
func TestOddSets(t *testing.T) {
	t.Parallel()
	x, err := New(3, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := x.Search(nil, []float32{1, 2, 3}, 5, 0); err != nil || len(got) != 0 {
		t.Fatalf("a search of nothing: %v, %v", got, err)
	}
	for i := range 500 {
		v := []float32{1, 2, 3}
		if i >= 400 {
			v[0] = float32(i)
		}
		if _, err := x.Add(v); err != nil {
			t.Fatal(err)
		}
		if got, err := x.Search(nil, []float32{1, 2, 3}, 1000, 0); err != nil || i < 30 && len(got) != i+1 || got[0].Distance != 0 {
			t.Fatalf("%d vectors: %d results, %v", i+1, len(got), err)
		}
	}
	got, err := x.Search(nil, []float32{450, 2, 3}, 3, 0)
	if err != nil || got[0].ID != 450 {
		t.Fatalf("the nearest is %v, %v; want 450", got, err)
	}
	for what, f := range map[string]func() error{
		"short vector": func() error { _, err := x.Add([]float32{1}); return err },
		"NaN":          func() error { _, err := x.Add([]float32{1, float32(math.NaN()), 2}); return err },
		"infinity":     func() error { return x.AddAll([]float32{1, 2, 3, 1, float32(math.Inf(1)), 2}) },
		"odd numbers":  func() error { return x.AddAll([]float32{1, 2, 3, 1}) },
		"no neighbour": func() error { _, err := x.Search(nil, []float32{1, 2, 3}, 0, 0); return err },
		"negative ef":  func() error { _, err := x.Search(nil, []float32{1, 2, 3}, 1, -1); return err },
		"dimension":    func() error { _, err := New(0, Options{}); return err },
		"links":        func() error { _, err := New(3, Options{Links: 1}); return err },
		"metric":       func() error { _, err := New(3, Options{Metric: 9}); return err },
		"construction": func() error { _, err := New(3, Options{Construction: -1}); return err },
		"zero cosine": func() error {
			y, err := New(3, Options{Metric: Cosine})
			if err != nil {
				return nil
			}
			_, err = y.Add([]float32{0, 0, 0})
			return err
		},
	} {
		if err := f(); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if x.Len() != 500 {
		t.Errorf("%d vectors, want 500: refused ones were added", x.Len())
	}
}

// The graph does not depend on the number of cores, and a saved index is the
// same.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	const n, dim = 2000, 20
	vectors := gaussian(n, dim, 3)
	write := func(x *Index) []byte {
		var b bytes.Buffer
		if _, err := x.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	build := func() *Index {
		x, err := New(dim, Options{Seed: 5, Links: 8, Construction: 60})
		if err != nil {
			t.Fatal(err)
		}
		if err := x.AddAll(vectors[:1500*dim]); err != nil {
			t.Fatal(err)
		}
		for i := 1500; i < n; i++ {
			if _, err := x.Add(vectors[i*dim : (i+1)*dim]); err != nil {
				t.Fatal(err)
			}
		}
		return x
	}
	x := build()
	text := write(x)
	if !bytes.Equal(text, write(build())) {
		t.Error("two builds differ")
	}
	y, err := Read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(write(y), text) {
		t.Error("an index that was read writes other bytes")
	}
	q := gaussian(1, dim, 4)
	a, _ := x.Search(nil, q, 10, 50)
	b, _ := y.Search(nil, q, 10, 50)
	if !slices.Equal(a, b) {
		t.Errorf("the index finds %v, and after reading %v", a, b)
	}
	if _, err := y.Add(q); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		bad := slices.Clone(text)
		switch r.IntN(2) {
		case 0:
			bad = bad[:r.IntN(len(bad))]
		case 1:
			bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
		}
		if _, err := Read(bytes.NewReader(bad)); err == nil {
			t.Fatal("a damaged file was read")
		}
	}
}

// Searches run beside each other and beside additions.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	const n, dim = 800, 16
	vectors := gaussian(n, dim, 6)
	x, err := New(dim, Options{Links: 8, Construction: 50})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.AddAll(vectors[:n/2*dim]); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			if k == 0 {
				for i := n / 2; i < n; i++ {
					if _, err := x.Add(vectors[i*dim : (i+1)*dim]); err != nil {
						t.Error(err)
					}
				}
				return
			}
			for i := range 300 {
				got, err := x.Search(nil, vectors[i*dim:(i+1)*dim], 1, 40)
				if err != nil || len(got) != 1 {
					t.Error(got, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestSearchDoesNotAllocate(t *testing.T) {
	const n, dim = 1000, 16
	x, err := New(dim, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.AddAll(gaussian(n, dim, 7)); err != nil {
		t.Fatal(err)
	}
	q, dst := gaussian(1, dim, 8), make([]Result, 0, 10)
	x.pool = sync.Pool{}
	if a := testing.AllocsPerRun(200, func() { dst, _ = x.Search(dst[:0], q, 10, 64) }); a > 0.5 && !raceEnabled {
		t.Errorf("%v allocations a search", a)
	}
}

func fashion(tb testing.TB, name string) []float32 {
	tb.Helper()
	path := filepath.Join("..", "..", "..", "shared", "data", "fashion-mnist", name)
	f, err := os.Open(path)
	if err != nil {
		tb.Skipf("Fashion-MNIST is not at hand: %v", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		tb.Fatal(err)
	}
	out := make([]float32, len(b)-16)
	for i, p := range b[16:] {
		out[i] = float32(p)
	}
	return out
}

// Queries a second on the 60,000 training images of Fashion-MNIST and how many
// of the ten nearest they find, on one core.
func BenchmarkFashion(b *testing.B) {
	const dim, queries, k = 784, 1000, 10
	vectors, probes := fashion(b, "train-images-idx3-ubyte.gz"), fashion(b, "t10k-images-idx3-ubyte.gz")
	x, err := New(dim, Options{})
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	if err := x.AddAll(vectors); err != nil {
		b.Fatal(err)
	}
	built := time.Since(start)
	b.Logf("%d vectors in %v", x.Len(), built)
	truth := make([][]Result, queries)
	var wg sync.WaitGroup
	for c := range 2 {
		wg.Go(func() {
			for i := c; i < queries; i += 2 {
				truth[i] = exact(x, probes[i*dim:(i+1)*dim], k)
			}
		})
	}
	wg.Wait()
	for _, ef := range []int{10, 16, 24, 32, 48, 64, 128} {
		b.Run("ef="+string(rune('0'+ef/100))+string(rune('0'+ef/10%10))+string(rune('0'+ef%10)), func(b *testing.B) {
			var dst []Result
			sum, n := 0.0, 0
			for b.Loop() {
				i := n % queries
				dst, err = x.Search(dst[:0], probes[i*dim:(i+1)*dim], k, ef)
				if err != nil {
					b.Fatal(err)
				}
				sum += recall(dst, truth[i])
				n++
			}
			b.ReportMetric(sum/float64(n), "recall")
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "queries/s")
		})
	}
}

// exact is brute with the index's own distances.
func exact(x *Index, q []float32, k int) []Result {
	var all []Result
	limit := float32(noLimit)
	for i := range x.heights {
		d := x.distance(q, x.vector(uint32(i)), limit)
		if len(all) == k && d >= limit {
			continue
		}
		at, _ := slices.BinarySearchFunc(all, d, func(r Result, d float32) int {
			if r.Distance <= d {
				return -1
			}
			return 1
		})
		all = slices.Insert(all, at, Result{i, d})
		if len(all) > k {
			all = all[:k]
		}
		if len(all) == k {
			limit = all[k-1].Distance
		}
	}
	return all
}
