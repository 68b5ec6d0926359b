package data

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// noise returns random images, whose classes take turns.
func noise(t testing.TB, n, height, width, channels, classes int) *Set {
	t.Helper()
	r := rng.New(1, "noise", 0)
	pixels := make([]uint8, n*height*width*channels)
	for i := range pixels {
		pixels[i] = uint8(r.Uint32())
	}
	labels := make([]int32, n)
	names := make([]string, classes)
	for i := range labels {
		labels[i] = int32(i % classes)
	}
	for i := range names {
		names[i] = string(rune('a' + i))
	}
	s, err := NewImages("noise", height, width, channels, pixels, labels, names)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// table returns a table of two numbers, one category and a class or a number.
func table(t testing.TB, n, classes int) *Set {
	t.Helper()
	r := Rows{NumberCols: []Column{{Name: "a"}, {Name: "b"}}, CodeCols: []Column{{Name: "c", Categories: []string{"x", "y", "z"}}}}
	for i := range n {
		r.Numbers = append(r.Numbers, float32(i), float32(i%7)-3)
		r.Codes = append(r.Codes, int32(i%3))
		if classes > 0 {
			r.Labels = append(r.Labels, int32(i%classes))
		} else {
			r.Targets = append(r.Targets, float32(2*i+1))
		}
	}
	for i := range classes {
		r.Classes = append(r.Classes, fmt.Sprint("class", i))
	}
	if classes == 0 {
		r.TargetCols = []string{"y"}
	}
	s, err := NewTable("table", r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func text(t testing.TB, n, window int) *Set {
	t.Helper()
	tokens := make([]uint16, n)
	for i := range tokens {
		tokens[i] = uint16(i % 50)
	}
	names := make([]string, 50)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	s, err := NewText("text", window, tokens, names)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// identities are examples by where they stand in memory.
func identities(s *Set) []int {
	out := make([]int, s.Len())
	for i := range out {
		out[i] = s.at(i)
	}
	return out
}

func TestSetsRefuse(t *testing.T) {
	names := []string{"a", "b"}
	for name, c := range map[string]struct {
		make func() (*Set, error)
		want string
	}{
		"channels":     {func() (*Set, error) { return NewImages("x", 2, 2, 2, make([]uint8, 8), make([]int32, 1), names) }, "1 or 3 channels"},
		"bytes":        {func() (*Set, error) { return NewImages("x", 2, 2, 1, make([]uint8, 7), make([]int32, 2), names) }, "found 7 bytes for 2 images of 2×2×1, want 8"},
		"no images":    {func() (*Set, error) { return NewImages("x", 2, 2, 1, nil, nil, names) }, "found no examples"},
		"class":        {func() (*Set, error) { return NewImages("x", 1, 1, 1, make([]uint8, 2), []int32{0, 2}, names) }, "example 1: found class 2, want 0 to 1"},
		"short text":   {func() (*Set, error) { return NewText("x", 4, make([]uint16, 4), names) }, "found 4 tokens for windows of 4"},
		"token":        {func() (*Set, error) { return NewText("x", 1, []uint16{0, 1, 2}, names) }, "token 2: found 2"},
		"no columns":   {func() (*Set, error) { return NewTable("x", Rows{Labels: []int32{0}, Classes: names}) }, "found no columns"},
		"both targets": {func() (*Set, error) { return NewTable("x", Rows{Classes: names, TargetCols: names}) }, "want one of the two"},
		"infinite": {func() (*Set, error) {
			return NewTable("x", Rows{Numbers: []float32{1, float32(math.Inf(1))}, NumberCols: []Column{{Name: "n"}}, Targets: []float32{1, 2}, TargetCols: []string{"y"}})
		}, `row 2, column "n": found +Inf`},
		"nan target": {func() (*Set, error) {
			return NewTable("x", Rows{Numbers: []float32{1}, NumberCols: []Column{{Name: "n"}}, Targets: []float32{float32(math.NaN())}, TargetCols: []string{"y"}})
		}, `row 1, column "y": found NaN`},
		"ragged": {func() (*Set, error) {
			return NewTable("x", Rows{Numbers: []float32{1}, NumberCols: []Column{{Name: "n"}}, Labels: []int32{0, 1}, Classes: names})
		}, "found 1 numbers"},
		"code": {func() (*Set, error) {
			return NewTable("x", Rows{Codes: []int32{1}, CodeCols: []Column{{Name: "n", Categories: []string{"p"}}}, Labels: []int32{0}, Classes: names})
		}, "found the code 1, want less than 1"},
		"subset of text": {func() (*Set, error) { return text(t, 100, 4).Subset([]int{0}) }, "subset of windows"},
		"subset":         {func() (*Set, error) { return table(t, 5, 2).Subset([]int{5}) }, "found example 5 in a subset, want 0 to 4"},
		"empty subset":   {func() (*Set, error) { return table(t, 5, 2).Subset(nil) }, "no examples"},
		"fraction":       {func() (*Set, error) { return table(t, 5, 2).Fraction(1, 0) }, "found a fraction of 0"},
		"fraction nan":   {func() (*Set, error) { return table(t, 5, 2).Fraction(1, math.NaN()) }, "found a fraction of NaN"},
		"resize table":   {func() (*Set, error) { return table(t, 5, 2).Resize(3) }, "want images"},
		"resize to 0":    {func() (*Set, error) { return noise(t, 2, 4, 4, 1, 2).Resize(0) }, "found a side of 0"},
	} {
		s, err := c.make()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, %v, want an error with %q", name, s, err, c.want)
		}
	}
	for _, shares := range [][]float64{{0}, {-0.1}, {0.5, 0.6}, {math.NaN()}, {2}, {0.001}} {
		if parts, err := table(t, 50, 2).Split(1, shares...); err == nil {
			t.Errorf("Split(%v) = %v, want an error", shares, parts)
		}
	}
	one, _ := table(t, 10, 2).Subset([]int{0, 2, 4})
	if err := one.CheckClasses(); err == nil || !strings.Contains(err.Error(), "no example of class1") {
		t.Errorf("a set without examples of a class: %v", err)
	}
}

// TestSplit holds parts against the laws: nothing twice, sizes as asked, classes in the
// same shares in each part, and the seed alone decides.
func TestSplit(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		counts := rapid.SliceOfN(rapid.IntRange(1, 60), 2, 8).Draw(r, "counts")
		var labels []int32
		for c, n := range counts {
			for range n {
				labels = append(labels, int32(c))
			}
		}
		n := len(labels)
		s, err := NewImages("x", 1, 1, 1, make([]uint8, n), labels, make([]string, len(counts)))
		if err != nil {
			r.Fatal(err)
		}
		a := rapid.Float64Range(0.3, 0.6).Draw(r, "first share")
		b := rapid.Float64Range(0.2, 1-a).Draw(r, "second share")
		if math.Round(a*float64(n)) == math.Round((a+b)*float64(n)) {
			r.Skip("too few")
		}
		seed := rapid.Uint64().Draw(r, "seed")
		parts, err := s.Split(seed, a, b)
		if err != nil {
			r.Fatal(err)
		}
		again, _ := s.Split(seed, a, b)
		seen := map[int]bool{}
		for k, p := range parts {
			if !slices.Equal(identities(p), identities(again[k])) {
				r.Fatal("the same seed made other parts")
			}
			for _, i := range identities(p) {
				if seen[i] {
					r.Fatalf("example %d is in two parts", i)
				}
				seen[i] = true
			}
			for c, m := range p.Counts() {
				// Positions are exact; a class may miss its share by one, and by what the
				// cut does not fall on its own positions.
				want := float64(counts[c]) * float64(p.Len()) / float64(n)
				if math.Abs(float64(m)-want) > 2+want*float64(len(counts))/float64(p.Len()) {
					r.Fatalf("part %d of %d has %d of class %d, want %.1f", k, p.Len(), m, c, want)
				}
			}
		}
		if got, want := parts[0].Len(), int(math.Round(a*float64(n))); got != want {
			r.Fatalf("the first part has %d examples, want %d", got, want)
		}
	})
}

// Balanced classes are cut in exactly equal numbers.
func TestSplitIsExactWhereItCanBe(t *testing.T) {
	s := noise(t, 1000, 1, 1, 1, 10)
	parts, err := s.Split(3, 0.8, 0.1, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range []int{80, 10, 10} {
		for c, n := range parts[k].Counts() {
			if n != want {
				t.Errorf("part %d has %d of class %d, want %d", k, n, c, want)
			}
		}
	}
	other, _ := s.Split(4, 0.8, 0.1, 0.1)
	if slices.Equal(identities(parts[0]), identities(other[0])) {
		t.Error("another seed cut in the same way")
	}
}

func TestSplitOfTextIsContiguous(t *testing.T) {
	s := text(t, 1000, 10)
	parts, err := s.Split(5, 0.8, 0.1, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	var all []uint16
	for _, p := range parts {
		all = append(all, p.Tokens()...)
	}
	if !slices.Equal(all, s.Tokens()) {
		t.Errorf("the parts are not the text")
	}
}

// A smaller fraction is a prefix of every larger one and holds every class.
func TestFractionsNest(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := noise(t, rapid.IntRange(20, 300).Draw(r, "n"), 1, 1, 1, rapid.IntRange(2, 9).Draw(r, "classes"))
		a := rapid.Float64Range(0.001, 0.99).Draw(r, "a")
		b := rapid.Float64Range(a, 0.99).Draw(r, "b")
		small, err := s.Fraction(9, a)
		if err != nil {
			r.Fatal(err)
		}
		large, err := s.Fraction(9, b)
		if err != nil {
			r.Fatal(err)
		}
		if x, y := identities(small), identities(large); !slices.Equal(x, y[:len(x)]) {
			r.Fatalf("%v is no prefix of %v", x, y)
		}
		if err := small.CheckClasses(); err != nil {
			r.Fatal(err)
		}
		counts := small.Counts()
		if d := slices.Max(counts) - slices.Min(counts); d > 2 {
			r.Fatalf("a fraction of %d has classes %v", small.Len(), counts)
		}
		if want := max(len(counts), int(math.Round(a*float64(s.Len())))); small.Len() != want {
			r.Fatalf("a fraction of %v has %d of %d, want %d", a, small.Len(), s.Len(), want)
		}
	})
	s := text(t, 1000, 10)
	half, err := s.Fraction(1, 0.5)
	if err != nil || !slices.Equal(half.Tokens(), s.Tokens()[:500]) {
		t.Errorf("half a text: %v, %v", half, err)
	}
	if whole, err := s.Fraction(1, 1); err != nil || whole != s {
		t.Errorf("all of a text: %v, %v", whole, err)
	}
}

func TestScale(t *testing.T) {
	s, err := NewImages("x", 1, 2, 3, []uint8{0, 10, 255, 255, 20, 255, 0, 30, 255, 255, 40, 255}, []int32{0, 1}, []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	c := s.Scale()
	want := []float32{0.5, 25. / 255, 1, 0.5, float32(math.Sqrt(125) / 255), 1}
	for k, got := range append(slices.Clone(c.Mean), c.Std...) {
		if math.Abs(float64(got-want[k])) > 1e-6 {
			t.Errorf("scale of images %d = %v, want %v", k, got, want[k])
		}
	}
	// Only the examples of the set count.
	half, _ := table(t, 100, 0).Subset([]int{1, 3})
	c = half.Scale()
	if c.Mean[0] != 2 || c.Std[0] != 1 || c.TargetMean[0] != 5 || c.TargetStd[0] != 2 {
		t.Errorf("scale of two rows = %+v", c)
	}
	if text(t, 100, 4).Scale() != nil {
		t.Error("a text has a scale")
	}
}
