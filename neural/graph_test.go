package neural_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/internal/randnet"
	"github.com/daedalus-search/daedalus/neural/reference"
)

// exported lets cmp look into everything.
var exported = cmp.Exporter(func(reflect.Type) bool { return true })

// random calls f with random networks.
func random(t *testing.T, n int, f func(t *testing.T, r *rand.Rand, g *neural.Graph)) {
	t.Helper()
	for i := range n {
		r := rng.New(1, "neural test", uint64(i))
		g, err := randnet.New(r, 5+r.IntN(40))
		if err != nil {
			t.Fatalf("network %d: %v", i, err)
		}
		f(t, r, g)
		if t.Failed() {
			text, _ := g.MarshalJSON()
			t.Fatalf("network %d:\n%s", i, text)
		}
	}
}

// Every operator is computed to as many numbers as inference says.
func TestShapesAreThoseOfTheReference(t *testing.T) {
	seen := map[string]int{}
	random(t, 150, func(t *testing.T, r *rand.Rand, g *neural.Graph) {
		all, err := reference.Trace(g, randnet.Weights(r, g), randnet.Inputs(r, g)...)
		if err != nil {
			t.Fatal(err)
		}
		for i, n := range g.Nodes() {
			seen[n.Op.Kind()]++
			if int64(len(all[i])) != n.Shape.Elements() {
				t.Errorf("%s: %d numbers for %s", n.Name, len(all[i]), n.Shape)
			}
			for _, x := range all[i] {
				if x-x != 0 {
					t.Fatalf("%s: %g", n.Name, x)
				}
			}
		}
	})
	if len(seen) != 27 {
		t.Errorf("only %d kinds of operators came up: %v", len(seen), seen)
	}
}

func TestJSON(t *testing.T) {
	random(t, 150, func(t *testing.T, r *rand.Rand, g *neural.Graph) {
		text, err := g.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		back, err := neural.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(g, back, exported); d != "" {
			t.Fatal(d)
		}
	})
}

// What Simplify leaves computes the same with the same weights, and belongs to the
// same class.
func TestSimplify(t *testing.T) {
	shorter := 0
	random(t, 150, func(t *testing.T, r *rand.Rand, g *neural.Graph) {
		s := g.Simplify()
		if s.Len() < g.Len() {
			shorter++
		}
		w, in := randnet.Weights(r, g), randnet.Inputs(r, g)
		want, err := reference.Run(g, w, in...)
		if err != nil {
			t.Fatal(err)
		}
		got, err := reference.Run(s, w, in...)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		for _, e := range []neural.Equivalence{neural.Folded, neural.Exact} {
			if g.Class(e) != s.Class(e) {
				t.Errorf("the class %d changes", e)
			}
		}
		text, _ := s.MarshalJSON()
		if _, err := neural.Parse(text); err != nil {
			t.Error(err)
		}
		if again := s.Simplify(); again.Len() != s.Len() {
			t.Errorf("simplified again, %d nodes instead of %d", again.Len(), s.Len())
		}
	})
	if shorter < 20 {
		t.Errorf("only %d networks became shorter", shorter)
	}
}

// shuffled is a network with its nodes in another order, without blocks, under
// other names, its sums turned round.
func shuffled(t *testing.T, r *rand.Rand, g *neural.Graph) *neural.Graph {
	t.Helper()
	b := neural.NewBuilder("other")
	values := make([]neural.Value, g.Len())
	for _, i := range g.Inputs() { // keep their order
		values[i] = b.Named(fmt.Sprint("in", i), g.Node(i).Op)
	}
	for left := g.Len() - len(g.Inputs()); left > 0; {
		i := r.IntN(g.Len())
		n := g.Node(i)
		ready := values[i] == 0
		var in []neural.Value
		for _, j := range n.In {
			ready = ready && values[j] != 0
			in = append(in, values[j])
		}
		if !ready {
			continue
		}
		if _, ok := n.Op.(neural.Add); ok {
			r.Shuffle(len(in), func(a, b int) { in[a], in[b] = in[b], in[a] })
		}
		if values[i] = b.Named(fmt.Sprintf("n%d", r.Uint64()), n.Op, in...); r.IntN(5) == 0 {
			values[i] = b.Add(neural.Identity{}, values[i])
		}
		left--
	}
	var out []neural.Value
	for _, i := range g.Outputs() {
		out = append(out, values[i])
	}
	other, err := b.Build(out...)
	if err != nil {
		t.Fatal(err)
	}
	return other
}

func TestClassIgnoresOrderAndNames(t *testing.T) {
	classes := map[neural.Class]int{}
	random(t, 150, func(t *testing.T, r *rand.Rand, g *neural.Graph) {
		other := shuffled(t, r, g)
		for _, e := range []neural.Equivalence{neural.Folded, neural.Exact} {
			if a, b := g.Class(e), other.Class(e); a != b {
				t.Errorf("class %d: %s and %s", e, a, b)
			}
		}
		classes[g.Class(neural.Folded)]++
		c, d := g.Cost(), other.Cost()
		if c.Params != d.Params || c.MACs != d.MACs || c.State != d.State || c.MovedBytes != d.MovedBytes {
			t.Errorf("the cost %+v becomes %+v", c, d)
		}
	})
	if len(classes) < 140 {
		t.Errorf("only %d classes", len(classes))
	}
}

// The three equivalences on what they differ in.
func TestClass(t *testing.T) {
	conv := neural.Conv{Out: 2, Kernel: 3}
	build := func(f func(b *neural.Builder, x neural.Value) neural.Value) *neural.Graph {
		b := neural.NewBuilder("")
		g, err := b.Build(f(b, b.Input("x", neural.Shape{2, 4, 4})))
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	once := build(func(b *neural.Builder, x neural.Value) neural.Value { return b.Add(conv, x) })
	dead := build(func(b *neural.Builder, x neural.Value) neural.Value {
		b.Add(neural.Activation{Func: neural.ReLU}, x)
		y := b.Add(conv, x)
		return b.Add(neural.Add{}, b.Add(neural.Zero{}, x), y)
	})
	nested := build(func(b *neural.Builder, x neural.Value) neural.Value {
		y, z, w := b.Add(conv, x), b.Add(neural.Activation{Func: neural.ReLU}, x), b.Add(neural.Activation{Func: neural.GELU}, x)
		return b.Add(neural.Add{}, b.Add(neural.Add{}, y, z), w)
	})
	flat := build(func(b *neural.Builder, x neural.Value) neural.Value {
		y, z, w := b.Add(conv, x), b.Add(neural.Activation{Func: neural.ReLU}, x), b.Add(neural.Activation{Func: neural.GELU}, x)
		return b.Add(neural.Add{}, y, z, w)
	})
	shared := build(func(b *neural.Builder, x neural.Value) neural.Value {
		y := b.Add(conv, x)
		return b.Add(neural.Add{}, b.Add(neural.Activation{Func: neural.ReLU}, y), b.Add(neural.Activation{Func: neural.GELU}, y))
	})
	apart := build(func(b *neural.Builder, x neural.Value) neural.Value {
		y, z := b.Add(conv, x), b.Add(conv, x)
		return b.Add(neural.Add{}, b.Add(neural.Activation{Func: neural.ReLU}, y), b.Add(neural.Activation{Func: neural.GELU}, z))
	})
	for name, c := range map[string]struct {
		a, b                     *neural.Graph
		published, folded, exact bool
	}{
		"a zero term":            {once, dead, false, true, true},
		"a sum of sums":          {nested, flat, false, true, true},
		"one branch or two":      {shared, apart, true, true, false},
		"another operator":       {once, flat, false, false, false},
		"the same, once more":    {shared, shared, true, true, true},
		"what makes no sense":    {once, nested, false, false, false},
		"one branch is not dead": {dead, shared, false, false, false},
	} {
		for e, want := range map[neural.Equivalence]bool{neural.Folded: c.folded, neural.Exact: c.exact} {
			if got := c.a.Class(e) == c.b.Class(e); got != want {
				t.Errorf("%s: equivalence %d says %v", name, e, got)
			}
		}
		if name == "a sum of sums" { // depends on how the terms happen to be sorted
			continue
		}
		if got := c.a.Class(neural.Published) == c.b.Class(neural.Published); got != c.published {
			t.Errorf("%s: the published rule says %v", name, got)
		}
	}
}

func TestErrorsNameTheNode(t *testing.T) {
	b := neural.NewBuilder("net")
	x := b.Input("image", neural.Shape{3, 8, 8})
	var bad neural.Value
	b.Block("stem", "", func() {
		bad = b.Named("wide", neural.Conv{Out: 4, Groups: 2}, x)
	})
	b.Add(neural.Activation{Func: neural.ReLU}, bad) // says nothing: it follows from the first
	b.Named("sum", neural.Add{}, x, b.Add(neural.MaxPool{Stride: 2}, x))
	b.Named("fc", neural.Linear{Out: 0}, b.Add(neural.GlobalPool{}, x))
	b.Named("sum", neural.Identity{}, x)
	_, err := b.Build(bad)
	want := []string{
		`node "stem/wide" (conv 1×1 groups 2): groups: found 2 for 3 channels in and 4 out, want a divisor of both`,
		`node "sum" (+): found operand 2 of shape 3×4×4, want 3×8×8 as the first`,
		`node "fc" (linear 0): out: found 0, want 1 to 16777216`,
		`node "sum" (identity): the name is taken; give every node and block of a block another one`,
	}
	if d := cmp.Diff(`network "net": `+strings.Join(want, "\n"), fmt.Sprint(err)); d != "" {
		t.Error(d)
	}
	if err := (&neural.Graph{}).Draw(io.Discard); err == nil {
		t.Error("a network without nodes is drawn")
	}
	if _, err := neural.NewBuilder("").Build(); err == nil {
		t.Error("a network without outputs")
	}
	if _, err := b.Build(x); err == nil || !strings.Contains(err.Error(), "net") {
		t.Errorf("built twice: %v", err)
	}
}

// A network is a field of other JSON like any other value.
func TestJSONField(t *testing.T) {
	type record struct {
		ID  int
		Net *neural.Graph
	}
	b := neural.NewBuilder("n <&> ü")
	g, err := b.Build(b.Add(neural.Linear{Out: 2}, b.Input("x", neural.Shape{3})))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(record{7, g})
	if err != nil {
		t.Fatal(err)
	}
	var back record
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(record{7, g}, back, exported); d != "" {
		t.Error(d)
	}
	if err := json.Unmarshal([]byte(`{"Net":{"format":"x"}}`), &back); err == nil {
		t.Error("a file of another format")
	}
}

func TestParseErrors(t *testing.T) {
	good := `{"format":"daedalus-network/1","name":"n","blocks":[{"name":"s","label":"L"}],"nodes":[
{"name":"x","op":"input","set":{"shape":[3,8,8]},"shape":[3,8,8]},
{"name":"s/c","op":"conv","set":{"out":4,"kernel":3},"in":["x"],"shape":[4,8,8]}],"outputs":["s/c"]}`
	if _, err := neural.Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for old, c := range map[string]struct{ new, want string }{
		`"daedalus-network/1"`:   {`"other"`, `found the format "other"`},
		`"in":["x"]`:             {`"in":["y"]`, `node "s/c" (conv): operand "y": there is no such node before it`},
		`"op":"conv"`:            {`"op":"convolution"`, `found the operator "convolution", want one of activation, add`},
		`"kernel":3`:             {`"kernal":3`, `node "s/c" (conv): set: json: unknown field "kernal"`},
		`"shape":[4,8,8]`:        {`"shape":[4,8,9]`, `found the shape 4×8×9 in the file, want 4×8×8`},
		`"outputs":["s/c"]`:      {`"outputs":["c"]`, `output "c": there is no such node`},
		`{"shape":[3,8,8]}`:      {`{"shape":[3,8,8,2,2]}`, "at most 4"},
		`"out":4`:                {`"out":-4`, "out: found -4"},
		`[{"name":"s"`:           {`[{"name":"t"`, `block "t": found a label, but no node in it`},
		"{\"name\":\"x\",\"op\"": {"{\"name\":\"x\",,\"op\"", "line 2:"},
	} {
		_, err := neural.Parse([]byte(strings.Replace(good, old, c.new, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s → %s: %v", old, c.new, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for i := range 8 {
		r := rng.New(2, "fuzz", uint64(i))
		g, err := randnet.New(r, 12)
		if err != nil {
			f.Fatal(err)
		}
		text, _ := g.MarshalJSON()
		f.Add(text)
	}
	f.Add([]byte(`{"format":"daedalus-network/1","name":"n","nodes":[{"name":"x","op":"input","set":{"shape":[3]},"shape":[3]}],"outputs":["x"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		g, err := neural.Parse(text)
		if err != nil {
			return
		}
		again, err := g.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		back, err := neural.Parse(again)
		if err != nil {
			t.Fatalf("%v\n%s", err, again)
		}
		if d := cmp.Diff(g, back, exported); d != "" {
			t.Fatal(d)
		}
		c := g.Cost()
		if c.Params < 0 || c.MACs < 0 || c.MovedBytes < 0 || c.PeakBytes < 0 {
			t.Fatalf("%+v", c)
		}
		if len(g.Features()) != len(neural.FeatureNames()) || g.Class(neural.Exact) != back.Class(neural.Exact) {
			t.Fatal("the network that was read differs")
		}
		g.Workloads()
		if s := g.Simplify(); s.Class(neural.Folded) != g.Class(neural.Folded) {
			t.Fatal("simplified, it is another network")
		}
	})
}
