package diagram

import (
	"bytes"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the drawings in testdata")

// Names that a drawing must survive.
var names = []string{"", "x", "in", "conv 3×3", "max pool 3×3", "separable dilated convolution", "<script>alert(1)</script>", `"&'`, "]]>", "\x00\xff\n", "層", strings.Repeat("long ", 2000)}

// graphs draws small acyclic graphs, several edges between the same two nodes
// among them. Nodes are numbered at random, so their numbers are no order.
func graphs(nodes, edges int) *rapid.Generator[*Graph] {
	return rapid.Custom(func(t *rapid.T) *Graph {
		g := &Graph{Title: rapid.SampledFrom(names).Draw(t, "title"), Direction: Direction(rapid.IntRange(0, 1).Draw(t, "direction"))}
		n := rapid.IntRange(0, nodes).Draw(t, "nodes")
		number := rapid.Permutation(count(n)).Draw(t, "numbers")
		for range n {
			g.Nodes = append(g.Nodes, Node{rapid.SampledFrom(names).Draw(t, "node"), Colour(rapid.IntRange(0, 4).Draw(t, "colour"))})
		}
		if n < 2 {
			return g
		}
		for range rapid.IntRange(0, edges).Draw(t, "edges") {
			a := rapid.IntRange(0, n-2).Draw(t, "from")
			b := rapid.IntRange(a+1, n-1).Draw(t, "to")
			g.Edges = append(g.Edges, Edge{
				From: number[a], To: number[b], Label: rapid.SampledFrom(names).Draw(t, "label"),
				Colour: Colour(rapid.IntRange(0, 4).Draw(t, "edge colour")), Style: EdgeStyle(rapid.IntRange(0, 2).Draw(t, "style")),
			})
		}
		return g
	})
}

func count(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// line samples a route as straight pieces.
func line(r Route) []Point {
	out := []Point{r.Points[0]}
	for k := 1; k+2 < len(r.Points); k += 3 {
		a, b, c, d := r.Points[k-1], r.Points[k], r.Points[k+1], r.Points[k+2]
		const steps = 40
		for s := 1; s <= steps; s++ {
			t := float64(s) / steps
			u := 1 - t
			out = append(out, Point{
				u*u*u*a.X + 3*u*u*t*b.X + 3*u*t*t*c.X + t*t*t*d.X,
				u*u*u*a.Y + 3*u*u*t*b.Y + 3*u*t*t*c.Y + t*t*t*d.Y,
			})
		}
	}
	return append(out, r.Tip)
}

// cross counts how often two lines cross. A point on the other line counts as
// left of it, so that a crossing there counts once.
func cross(a, b []Point) (n int) {
	left := func(p, q, r Point) bool { return (q.X-p.X)*(r.Y-p.Y)-(q.Y-p.Y)*(r.X-p.X) >= 0 }
	for i := 1; i < len(a); i++ {
		for j := 1; j < len(b); j++ {
			p, q, r, s := a[i-1], a[i], b[j-1], b[j]
			if max(p.X, q.X) < min(r.X, s.X) || max(r.X, s.X) < min(p.X, q.X) || max(p.Y, q.Y) < min(r.Y, s.Y) || max(r.Y, s.Y) < min(p.Y, q.Y) {
				continue
			}
			if left(p, q, r) != left(p, q, s) && left(r, s, p) != left(r, s, q) {
				n++
			}
		}
	}
	return n
}

func overlap(a, b Box, gap float64) bool {
	return a.X < b.X+b.W+gap && b.X < a.X+a.W+gap && a.Y < b.Y+b.H+gap && b.Y < a.Y+a.H+gap
}

// The drawn lines cross exactly as often as the layout says, and nothing
// stands on anything else.
func TestLayout(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := graphs(9, 14).Draw(t, "graph")
		l, err := g.Layout()
		if err != nil {
			t.Fatal(err)
		}
		place := make([]int, len(g.Nodes))
		for i, v := range l.Order {
			place[v] = i
		}
		if order := slices.Sorted(slices.Values(l.Order)); !slices.Equal(order, count(len(g.Nodes))) {
			t.Fatalf("order %v is no permutation", l.Order)
		}
		for _, e := range g.Edges {
			if place[e.From] >= place[e.To] {
				t.Fatalf("edge %d→%d leads back in the order %v", e.From, e.To, l.Order)
			}
		}
		lines := make([][]Point, len(g.Edges))
		crossings := 0
		for i, r := range l.Edges {
			lines[i] = line(r)
			for j := range i {
				crossings += cross(lines[i], lines[j])
			}
		}
		if crossings != l.Crossings {
			t.Errorf("%d crossings drawn, %d reported", crossings, l.Crossings)
		}
		type thing struct {
			Box
			what string
			own  []int // edges that may touch it
		}
		var things []thing
		for v, b := range l.Nodes {
			th := thing{b, fmt.Sprintf("node %d", v), nil}
			for i, e := range g.Edges {
				if e.From == v || e.To == v {
					th.own = append(th.own, i)
				}
			}
			things = append(things, th)
		}
		for i, r := range l.Edges {
			if r.Label.W > 0 {
				things = append(things, thing{r.Label, fmt.Sprintf("label of edge %d", i), []int{i}})
			}
		}
		page := Box{0, 0, l.Width, l.Height}
		for i, a := range things {
			if a.X < page.X+3 || a.Y < page.Y+3 || a.X+a.W > page.W-3 || a.Y+a.H > page.H-3 {
				t.Errorf("%s stands at %v, outside of %v by %v", a.what, a.Box, page.W, page.H)
			}
			for _, b := range things[:i] {
				if overlap(a.Box, b.Box, 4) {
					t.Errorf("%s at %v meets %s at %v", a.what, a.Box, b.what, b.Box)
				}
			}
			for k, pts := range lines {
				if slices.Contains(a.own, k) {
					continue
				}
				for _, p := range pts {
					if overlap(a.Box, Box{p.X, p.Y, 0, 0}, 2) {
						t.Errorf("edge %d runs through %s at %v", k, a.what, p)
						break
					}
				}
			}
		}
		for i, pts := range lines {
			for _, p := range pts {
				if p.X < 3 || p.Y < 3 || p.X > l.Width-3 || p.Y > l.Height-3 || math.IsNaN(p.X+p.Y) {
					t.Fatalf("edge %d leaves the page at %v", i, p)
				}
			}
		}
	})
}

// Where any order of the nodes allows a drawing without crossings, by trying
// every order and every side for every edge, the layout is one.
func TestPlanarWherePossible(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := graphs(6, 9).Draw(t, "graph")
		l, err := g.Layout()
		if err != nil {
			t.Fatal(err)
		}
		best := len(g.Edges) * len(g.Edges)
		permute(len(g.Nodes), func(place []int) {
			var conflicts [][2]int
			for i, e := range g.Edges {
				if place[e.From] > place[e.To] {
					return
				}
				for j, f := range g.Edges[:i] {
					a, b, c, d := place[e.From], place[e.To], place[f.From], place[f.To]
					if a < c && c < b && b < d || c < a && a < d && d < b {
						conflicts = append(conflicts, [2]int{i, j})
					}
				}
			}
			for sides := range 1 << len(g.Edges) {
				n := 0
				for _, c := range conflicts {
					if sides>>c[0]&1 == sides>>c[1]&1 {
						n++
					}
				}
				best = min(best, n)
				if n == 0 {
					return
				}
			}
		})
		if best == 0 && l.Crossings != 0 || l.Crossings < best {
			t.Errorf("%d crossings, best is %d", l.Crossings, best)
		}
	})
}

// permute calls f with every permutation of 0 … n-1.
func permute(n int, f func([]int)) {
	p := count(n)
	var rec func(int)
	rec = func(k int) {
		if k == n {
			f(p)
			return
		}
		for i := k; i < n; i++ {
			p[k], p[i] = p[i], p[k]
			rec(k + 1)
			p[k], p[i] = p[i], p[k]
		}
	}
	rec(0)
}

// texts reads an SVG document and returns its texts, or why it is not XML.
func texts(svg []byte) (out []string, err error) {
	dec := xml.NewDecoder(bytes.NewReader(svg))
	for in := ""; ; {
		tok, err := dec.Token()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if in = tok.Name.Local; in == "script" {
				return nil, fmt.Errorf("a script")
			}
		case xml.CharData:
			if in == "text" && strings.TrimSpace(string(tok)) != "" {
				out = append(out, string(tok))
			}
		}
	}
}

func TestWriteSVG(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := graphs(7, 10).Draw(t, "graph")
		var a, b bytes.Buffer
		if err := g.WriteSVG(&a); err != nil {
			t.Fatal(err)
		}
		if err := g.WriteSVG(&b); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Fatalf("written again it differs (%v)", err)
		}
		if _, err := texts(a.Bytes()); err != nil {
			t.Fatalf("%v in\n%s", err, a.Bytes())
		}
		if bytes.Contains(a.Bytes(), []byte("NaN")) || a.Len() > 100_000 {
			t.Fatalf("%d bytes:\n%.3000s", a.Len(), a.Bytes())
		}
	})
}

// Large graphs are drawn in reasonable time, and what is no acyclic graph is
// refused.
func TestLimits(t *testing.T) {
	t.Parallel()
	g := &Graph{}
	for i := range MaxNodes {
		g.Nodes = append(g.Nodes, Node{Label: fmt.Sprint(i)})
	}
	for i := range MaxEdges {
		a := i * 7 % (MaxNodes - 1)
		g.Edges = append(g.Edges, Edge{From: a, To: a + 1 + i*13%(MaxNodes-1-a), Label: "x"})
	}
	if l, err := g.Layout(); err != nil || l.Crossings == 0 {
		t.Errorf("the largest graph: %v, %v", l, err)
	}
	loose := &Graph{Nodes: g.Nodes} // 64! orders
	if l, err := loose.Layout(); err != nil || l.Crossings != 0 {
		t.Errorf("nodes without edges: %v", err)
	}
	two := g.Nodes[:2]
	for want, g := range map[string]*Graph{
		"cycle":           {Nodes: g.Nodes, Edges: []Edge{{From: 0, To: 1}, {From: 1, To: 0}}},
		"form a cycle":    {Nodes: two, Edges: []Edge{{From: 1, To: 1}}},
		"to node 2":       {Nodes: two, Edges: []Edge{{From: 1, To: 2}}},
		"from node -1":    {Nodes: two, Edges: []Edge{{From: -1, To: 1}}},
		"65 nodes":        {Nodes: append(slices.Clone(g.Nodes), two[0])},
		"and 257 edges; ": {Nodes: g.Nodes, Edges: append(slices.Clone(g.Edges), g.Edges[0])},
	} {
		if err := g.WriteSVG(io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// goldens are drawings to look at.
func goldens() map[string]*Graph {
	bow := []Edge{{From: 0, To: 1, Label: "conv 3×3", Colour: Orange}, {From: 0, To: 2, Label: "skip"}, {From: 1, To: 2, Label: "none", Style: Absent},
		{From: 0, To: 3, Label: "avg pool 3×3", Colour: Green}, {From: 1, To: 3, Label: "conv 1×1", Colour: Blue, Style: Idle}, {From: 2, To: 3, Label: `a<b & "c"`, Colour: Purple}}
	row := []Node{{Label: "in"}, {Label: "1"}, {Label: "2"}, {Label: "out"}}
	k5 := &Graph{Title: "five nodes, every edge", Nodes: []Node{{"a", Blue}, {"b", Green}, {"c", Grey}, {"d", Orange}, {"e", Purple}}}
	for i := range 5 {
		for j := range i {
			k5.Edges = append(k5.Edges, Edge{From: j, To: i, Label: fmt.Sprint(j, i), Colour: Colour(i)})
		}
	}
	return map[string]*Graph{
		"down":  {Title: "a cell", Nodes: row, Edges: bow},
		"right": {Title: "a cell", Direction: Right, Nodes: row, Edges: bow},
		"k5":    k5, // not planar: one crossing is the least
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, g := range goldens() {
		var b bytes.Buffer
		if err := g.WriteSVG(&b); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".svg")
		if *update {
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(path); err != nil || !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%s is not what is drawn (%v); look at it and run go test -update", path, err)
		}
	}
	if l, err := goldens()["k5"].Layout(); err != nil || l.Crossings != 1 {
		t.Errorf("K5 has %d crossings (%v), want 1", l.Crossings, err)
	}
}
