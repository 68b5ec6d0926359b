package predict

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/space"
)

// The operations and edges of NAS-Bench-201, in its order.
var (
	cellEdges = [][2]int{{0, 1}, {0, 2}, {1, 2}, {0, 3}, {1, 3}, {2, 3}}
	cellOps   = strings.Fields("none skip conv1 conv3 pool")
	cellNames = append([]string{"in", "out"}, cellOps...)
)

func cellSpace() *space.Space {
	var nodes []space.Node
	for _, e := range []string{"e01", "e02", "e12", "e03", "e13", "e23"} {
		nodes = append(nodes, space.Categorical(e, "none", "skip", "conv1", "conv3", "pool"))
	}
	return space.MustNew(nodes...)
}

func cellGraph(d space.Design) (Graph, error) {
	ops := make([]int, 6)
	for i, a := range d.Decisions(nil) {
		ops[i] = a.Index
	}
	return OpsOnEdges(4, cellEdges, ops, 0)
}

func cellDesign(t testing.TB, s *space.Space, ops string) space.Design {
	t.Helper()
	for d := range s.All() {
		ok := true
		for i, a := range d.Decisions(nil) {
			ok = ok && a.Index == int(ops[i]-'0')
		}
		if ok {
			return d
		}
	}
	t.Fatalf("no cell %s", ops)
	return space.Design{}
}

func TestOpsOnEdges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ops    string
		labels []int
		edges  [][2]int
	}{
		// only 0→3 as a 3×3 convolution
		{"000300", []int{0, 5, 1}, [][2]int{{0, 1}, {1, 2}}},
		// 0→1→3, and 0→2 which ends there
		{"240020", []int{0, 4, 4, 1}, [][2]int{{0, 1}, {1, 2}, {2, 3}}},
		{"000000", []int{0, 1}, nil},
		// 0→1, 0→2, 1→2, 2→3
		{"231004", []int{0, 4, 5, 3, 6, 1}, [][2]int{{0, 1}, {1, 3}, {0, 2}, {2, 4}, {3, 4}, {4, 5}}},
	} {
		ops := make([]int, 6)
		for i := range ops {
			ops[i] = int(c.ops[i] - '0')
		}
		g, err := OpsOnEdges(4, cellEdges, ops, 0)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(g.Labels, c.labels) || !slices.Equal(g.Edges, c.edges) {
			t.Errorf("%s: %v, want labels %v, edges %v", c.ops, g, c.labels, c.edges)
		}
		if err := g.Validate(7); err != nil {
			t.Error(err)
		}
	}
	if _, err := OpsOnEdges(4, cellEdges, []int{1}, 0); err == nil {
		t.Error("one operation for six edges: no error")
	}
	if _, err := OpsOnEdges(2, [][2]int{{1, 0}}, []int{1}, 0); err == nil {
		t.Error("an edge back: no error")
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	s := cellSpace()
	e, err := Paths(GrapherFunc(cellGraph), cellNames, 3, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(e.Columns()), 1+7+49+343; got != want {
		t.Fatalf("%d columns, want %d", got, want)
	}
	row, err := e.Encode(nil, cellDesign(t, s, "231024"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i, v := range row {
		if v == 1 {
			names = append(names, e.Columns()[i].Name)
		} else if v != 0 {
			t.Fatalf("column %d is %v", i, v)
		}
	}
	want := []string{"path:conv1>conv1", "path:conv3>pool", "path:conv1>skip>pool"}
	if !slices.Equal(names, want) {
		t.Errorf("paths %v, want %v", names, want)
	}
	short, err := Paths(GrapherFunc(cellGraph), cellNames, 0, 20)
	if err != nil {
		t.Fatal(err)
	}
	cut, err := short.Encode(nil, cellDesign(t, s, "231024"))
	if err != nil || !slices.Equal(cut, row[:20]) {
		t.Errorf("the first 20 columns are %v, want %v (%v)", cut, row[:20], err)
	}
	bad := GrapherFunc(func(space.Design) (Graph, error) { return Graph{Labels: []int{0, 9}}, nil })
	if e, err = Paths(bad, cellNames, 2, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Encode(nil, cellDesign(t, s, "000000")); err == nil {
		t.Error("a label out of range: no error")
	}
	for _, f := range []func() (Encoder, error){
		func() (Encoder, error) { return Paths(bad, nil, 1, 1) },
		func() (Encoder, error) { return Paths(bad, cellNames, -1, 1) },
		func() (Encoder, error) { return WLHistogram(bad, cellNames, 99, nil) },
	} {
		if _, err := f(); err == nil {
			t.Error("bad options: no error")
		}
	}
	if e, err := Paths(bad, []string{"x"}, 0, 0); err != nil || len(e.Columns()) != 65 {
		t.Errorf("paths of one label: %d columns, %v", len(e.Columns()), err)
	}
}

func TestWLKernel(t *testing.T) {
	t.Parallel()
	chain := Graph{Labels: []int{0, 2, 3, 1}, Edges: [][2]int{{0, 1}, {1, 2}, {2, 3}}}
	swapped := Graph{Labels: []int{0, 3, 2, 1}, Edges: [][2]int{{0, 1}, {1, 2}, {2, 3}}}
	for _, c := range []struct {
		a, b   Graph
		rounds int
		want   float64
	}{
		{chain, chain, 3, 1},
		{chain, swapped, 0, 1},
		// Of round 1 no node has the same neighbours: 4 of 8.
		{chain, swapped, 1, 0.5},
		{chain, swapped, 3, 0.25},
		{chain, Graph{Labels: []int{5, 6}}, 2, 0},
	} {
		if got := WLKernel(c.a, c.b, c.rounds); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("kernel of %v and %v through %d rounds is %v, want %v", c.a, c.b, c.rounds, got, c.want)
		}
	}
}

// The histogram's products are the kernel, and isomorphic cells look alike.
func TestWLHistogram(t *testing.T) {
	t.Parallel()
	s := cellSpace()
	var designs []space.Design
	for d := range s.All() {
		designs = append(designs, d)
	}
	sample := designs[:400]
	e, err := WLHistogram(GrapherFunc(cellGraph), cellNames, 2, sample)
	if err != nil {
		t.Fatal(err)
	}
	dot := func(a, b []float64) (s float64) {
		for i := range a {
			s += a[i] * b[i]
		}
		return s
	}
	for i := 0; i < 400; i += 37 {
		a, err := e.Encode(nil, sample[i])
		if err != nil {
			t.Fatal(err)
		}
		if len(a) != len(e.Columns()) {
			t.Fatalf("%d numbers for %d columns", len(a), len(e.Columns()))
		}
		for j := 0; j < 400; j += 29 {
			b, _ := e.Encode(nil, sample[j])
			ga, _ := cellGraph(sample[i])
			gb, _ := cellGraph(sample[j])
			got := dot(a, b) / math.Sqrt(dot(a, a)*dot(b, b))
			if want := WLKernel(ga, gb, 2); math.Abs(got-want) > 1e-12 {
				t.Fatalf("cells %d and %d: product %v, kernel %v", i, j, got, want)
			}
		}
	}
	// 0→3 alone, with or without an edge that ends nowhere.
	a, _ := cellGraph(cellDesign(t, s, "000300"))
	b, _ := cellGraph(cellDesign(t, s, "240300"))
	if WLKernel(a, b, 3) != 1 {
		t.Error("an edge that ends nowhere makes a difference")
	}
	if row, err := e.Encode(nil, designs[len(designs)-1]); err != nil || row[e.(*graphHistogram).other[2]] == 0 {
		t.Errorf("a cell unlike the sample has no other labels (%v)", err)
	}
}
