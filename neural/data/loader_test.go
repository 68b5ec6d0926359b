package data

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// copyOf keeps what a batch holds.
type copyOf struct {
	N, Epoch, Step int
	Inputs         [][]float32
	Classes, Index []int32
	Targets        []float32
}

func keep(b *Batch) copyOf {
	c := copyOf{N: b.N, Epoch: b.Epoch, Step: b.Step, Classes: slices.Clone(b.Classes), Index: slices.Clone(b.Index), Targets: slices.Clone(b.Targets)}
	for _, in := range b.Inputs {
		c.Inputs = append(c.Inputs, slices.Clone(in))
	}
	return c
}

func kinds(t testing.TB) map[string]*Set {
	return map[string]*Set{
		"images": noise(t, 53, 6, 5, 3, 4), "grey": noise(t, 53, 6, 5, 1, 4), "text": text(t, 400, 7),
		"classes": table(t, 53, 3), "numbers": table(t, 53, 0),
	}
}

func options(s *Set) Options {
	o := Options{Batch: 8, Shuffle: true, Seed: 5, Scale: s.Scale()}
	if s.Kind == Images {
		o.Augment, _ = ParseAugment("flip", "crop 2", "cutout 2", "randaugment 2 9")
	}
	return o
}

// Every batch is the same whether it is reached from the start, directly, from another
// loader, in a stream, or by many goroutines at once.
func TestBatchesFollowFromPositions(t *testing.T) {
	for name, s := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			l, err := s.Loader(options(s))
			if err != nil {
				t.Fatal(err)
			}
			var want []copyOf
			b := l.NewBatch()
			for epoch := range 3 {
				for step := range l.Steps() {
					l.Fill(b, epoch, step)
					want = append(want, keep(b))
				}
			}
			other, _ := s.Loader(options(s))
			b = other.NewBatch()
			for _, k := range rng.New(1, "test", 0).Perm(len(want)) {
				other.Fill(b, k/l.Steps(), k%l.Steps())
				if d := cmp.Diff(want[k], keep(b)); d != "" {
					t.Fatalf("batch %d directly:\n%s", k, d)
				}
			}
			stream := l.Stream(1, 2, 3)
			for k := l.Steps() + 2; k < len(want); k++ {
				if d := cmp.Diff(want[k], keep(stream.Next())); d != "" {
					t.Fatalf("batch %d of a stream:\n%s", k, d)
				}
			}
			stream.Close()
			stream.Close()
			if b := stream.Next(); b != nil {
				t.Error("a closed stream has batches")
			}
			var all sync.WaitGroup
			got := make([]copyOf, len(want))
			for w := range 4 {
				all.Go(func() {
					b := l.NewBatch()
					for k := w; k < len(want); k += 4 {
						l.Fill(b, k/l.Steps(), k%l.Steps())
						got[k] = keep(b)
					}
				})
			}
			all.Wait()
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("in four goroutines:\n%s", d)
			}
		})
	}
}

// An epoch has every example once, in another order than the epoch before.
func TestEpochsArePermutations(t *testing.T) {
	for _, whole := range []bool{false, true} {
		s := noise(t, 53, 1, 1, 1, 4)
		l, err := s.Loader(Options{Batch: 8, Shuffle: true, Whole: whole})
		if err != nil {
			t.Fatal(err)
		}
		b := l.NewBatch()
		var orders [][]int32
		for epoch := range 2 {
			var order []int32
			for step := range l.Steps() {
				l.Fill(b, epoch, step)
				order = append(order, b.Index...)
			}
			want := 53
			if whole {
				want = 48
			}
			sorted := slices.Clone(order)
			slices.Sort(sorted)
			if len(order) != want || len(slices.Compact(sorted)) != want {
				t.Errorf("epoch %d has the examples %v", epoch, order)
			}
			orders = append(orders, order)
		}
		if slices.Equal(orders[0], orders[1]) {
			t.Error("two epochs have the same order")
		}
	}
}

func TestBatchesHoldWhatTheyShould(t *testing.T) {
	s, err := NewImages("x", 1, 2, 3, []uint8{0, 51, 102, 153, 204, 255, 255, 0, 255, 0, 255, 0}, []int32{1, 0}, []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Loader(Options{Batch: 2})
	if err != nil {
		t.Fatal(err)
	}
	b := l.NewBatch()
	l.Fill(b, 0, 0)
	want := copyOf{N: 2, Inputs: [][]float32{{0, 0.2, 0.4, 0.6, 0.8, 1, 1, 0, 1, 0, 1, 0}}, Classes: []int32{1, 0}, Index: []int32{0, 1}}
	if d := cmp.Diff(want, keep(b)); d != "" {
		t.Errorf("images:\n%s", d)
	}
	l, _ = s.Loader(Options{Batch: 2, Scale: &Scale{Mean: []float32{0.5, 0, 0}, Std: []float32{0.5, 1, 0.5}}})
	l.Fill(b, 0, 0)
	if got := b.Inputs[0][:3]; got[0] != -1 || got[1] != 0.2 || got[2] != 0.8 {
		t.Errorf("scaled images start with %v", got)
	}

	l, _ = text(t, 9, 3).Loader(Options{Batch: 2})
	b = l.NewBatch()
	l.Fill(b, 0, 0)
	want = copyOf{N: 2, Inputs: [][]float32{{0, 1, 2, 3, 4, 5}}, Classes: []int32{1, 2, 3, 4, 5, 6}, Index: []int32{0, 1}}
	if d := cmp.Diff(want, keep(b)); d != "" {
		t.Errorf("text:\n%s", d)
	}

	rows := table(t, 4, 0)
	l, _ = rows.Loader(Options{Batch: 3, Scale: rows.Scale()})
	b = l.NewBatch()
	l.Fill(b, 0, 1)
	c := rows.Scale()
	want = copyOf{
		N: 1, Step: 1, Inputs: [][]float32{{(3 - c.Mean[0]) / c.Std[0], (0 - c.Mean[1]) / c.Std[1]}, {0}},
		Targets: []float32{(7 - c.TargetMean[0]) / c.TargetStd[0]}, Index: []int32{3},
	}
	if d := cmp.Diff(want, keep(b)); d != "" {
		t.Errorf("the last row of a table:\n%s", d)
	}
	l.FillExamples(b, []int32{2, 0})
	if got := b.Inputs[1]; !slices.Equal(got, []float32{2, 0}) || b.N != 2 {
		t.Errorf("chosen rows have the codes %v", got)
	}
}

// Windows of a shuffled text start elsewhere in every epoch, and never leave it.
func TestWindowsMove(t *testing.T) {
	s := text(t, 100, 10)
	l, _ := s.Loader(Options{Batch: 9, Shuffle: true})
	b := l.NewBatch()
	starts := map[int]bool{}
	for epoch := range 40 {
		l.Fill(b, epoch, 0)
		for k := range b.N {
			first := int(b.Inputs[0][k*10])
			if b.Index[k] == 0 {
				starts[first] = true
			}
			for j := range 10 {
				if int(b.Classes[k*10+j]) != (first+j+1)%50 {
					t.Fatalf("epoch %d: window %d starts with %d and foretells %v", epoch, b.Index[k], first, b.Classes[k*10:k*10+10])
				}
			}
		}
	}
	if len(starts) != 10 {
		t.Errorf("the first window starts at %v, want all of 0 to 9", starts)
	}
}

func TestLoaderRefuses(t *testing.T) {
	flip, _ := ParseAugment("flip")
	crop, _ := ParseAugment("crop 6")
	for name, c := range map[string]struct {
		set *Set
		o   Options
	}{
		"negative batch":    {table(t, 5, 2), Options{Batch: -1}},
		"no whole batch":    {table(t, 5, 2), Options{Batch: 6, Whole: true}},
		"augmented table":   {table(t, 5, 2), Options{Augment: flip}},
		"crop too large":    {noise(t, 4, 6, 5, 1, 2), Options{Augment: crop}},
		"scale of images":   {noise(t, 4, 6, 5, 3, 2), Options{Scale: &Scale{Mean: []float32{0}, Std: []float32{1}}}},
		"scale of a table":  {table(t, 5, 0), Options{Scale: table(t, 5, 2).Scale()}},
		"scale of channels": {table(t, 5, 0), Options{Scale: noise(t, 4, 6, 5, 3, 2).Scale()}},
	} {
		if l, err := c.set.Loader(c.o); err == nil {
			t.Errorf("%s: got %v, want an error", name, l)
		}
	}
}

func TestFillDoesNotAllocate(t *testing.T) {
	for name, s := range kinds(t) {
		l, err := s.Loader(options(s))
		if err != nil {
			t.Fatal(err)
		}
		b := l.NewBatch()
		l.Fill(b, 0, 0)
		if n := testing.AllocsPerRun(20, func() { l.Fill(b, 0, 1) }); n != 0 {
			t.Errorf("%s: a batch allocates %v times, want 0", name, n)
		}
	}
}

// bilinear and area averages by their definitions, in floating point.
func resizeReference(src []uint8, h, w, toH, toW int) []float64 {
	line := func(out, in int) [][]float64 {
		a := make([][]float64, out)
		for o := range a {
			a[o] = make([]float64, in)
			if out < in {
				lo, hi := float64(o)*float64(in)/float64(out), float64(o+1)*float64(in)/float64(out)
				for i := range in {
					a[o][i] = max(0, min(hi, float64(i+1))-max(lo, float64(i))) / (hi - lo)
				}
				continue
			}
			at := max(0, min(float64(in-1), (float64(o)+0.5)*float64(in)/float64(out)-0.5))
			i := min(int(at), in-1)
			a[o][i] = 1 - (at - float64(i))
			if i+1 < in {
				a[o][i+1] = at - float64(i)
			}
		}
		return a
	}
	ys, xs := line(toH, h), line(toW, w)
	out := make([]float64, toH*toW)
	for y := range toH {
		for x := range toW {
			for i := range h {
				for j := range w {
					out[y*toW+x] += ys[y][i] * xs[x][j] * float64(src[i*w+j])
				}
			}
		}
	}
	return out
}

func TestResizeAgreesWithItsDefinition(t *testing.T) {
	s := noise(t, 2, 12, 9, 1, 2)
	for side := 1; side <= 20; side++ {
		z, err := s.Resize(side)
		if err != nil {
			t.Fatal(err)
		}
		if want := (12*side*2 + 9) / 18; z.Height != want || z.Width != side {
			t.Fatalf("12×9 at %d is %d×%d, want %d×%d", side, z.Height, z.Width, want, side)
		}
		for i := range 2 {
			want := resizeReference(s.Image(i), 12, 9, z.Height, z.Width)
			for k, got := range z.Image(i) {
				if math.Abs(float64(got)-want[k]) > 0.5+1e-9 {
					t.Fatalf("side %d, image %d, place %d = %d, want %v", side, i, k, got, want[k])
				}
			}
		}
	}
}

func TestResizeByWholeNumbersIsExact(t *testing.T) {
	pixels := []uint8{10, 20, 1, 2, 30, 40, 3, 6, 0, 255, 7, 7, 0, 255, 7, 8}
	s, err := NewImages("x", 4, 4, 1, pixels, []int32{0}, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	half, err := s.Resize(2)
	if err != nil {
		t.Fatal(err)
	}
	if want := []uint8{25, 3, 128, 7}; !slices.Equal(half.Image(0), want) {
		t.Errorf("halved: %v, want %v", half.Image(0), want)
	}
	// What is constant stays so, at any size; colours do not mix.
	flat := make([]uint8, 9*7*3)
	for i := range flat {
		flat[i] = []uint8{1, 128, 255}[i%3]
	}
	c, _ := NewImages("x", 9, 7, 3, flat, []int32{0}, []string{"a"})
	for side := 1; side < 30; side++ {
		z, err := c.Resize(side)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range z.Image(0) {
			if x != []uint8{1, 128, 255}[i%3] {
				t.Fatalf("side %d: place %d = %d", side, i, x)
			}
		}
	}
	if same, _ := c.Resize(7); same != c {
		t.Error("a set of the size asked for was copied")
	}
}

func ExampleSet_Loader() {
	s, err := TableOf("wine")
	if err != nil {
		fmt.Println(err)
		return
	}
	parts, err := s.Split(1, 0.8, 0.2)
	if err != nil {
		fmt.Println(err)
		return
	}
	l, err := parts[0].Loader(Options{Batch: 64, Shuffle: true, Scale: parts[0].Scale()})
	if err != nil {
		fmt.Println(err)
		return
	}
	b := l.NewBatch()
	l.Fill(b, 0, l.Steps()-1)
	fmt.Println(s)
	fmt.Println(l.Steps(), "steps; the last one has", b.N, "rows of", len(b.Inputs[0])/b.N, "numbers")
	// Output:
	// wine: 1599 rows of 11 numbers and 0 categories, 6 classes
	// 20 steps; the last one has 63 rows of 11 numbers
}
