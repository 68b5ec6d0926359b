package neural_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/internal/randnet"
)

// peak runs the network with memory that is allocated and freed, as [neural.Cost]
// says, by looking ahead at every step.
func peak(g *neural.Graph) int64 {
	type memory struct {
		size   int64
		values []int // whose results lie there
	}
	var all []*memory
	where := make([]*memory, g.Len())
	neededAfter := func(m *memory, i int) bool {
		for _, v := range m.values {
			if slices.Contains(g.Outputs(), v) {
				return true
			}
			for k := i + 1; k < g.Len(); k++ {
				if slices.Contains(g.Node(k).In, v) {
					return true
				}
			}
		}
		return false
	}
	live := func() (n int64) {
		for _, m := range all {
			n += m.size
		}
		return n
	}
	put := func(i int) {
		m := &memory{g.Node(i).Shape.Elements(), []int{i}}
		all = append(all, m)
		where[i] = m
	}
	for i, n := range g.Nodes() {
		if _, ok := n.Op.(neural.Input); ok {
			put(i)
		}
	}
	most := live()
	for i, n := range g.Nodes() {
		switch n.Op.(type) {
		case neural.Input:
		case neural.Identity, neural.Flatten, neural.Dropout, neural.DropPath:
			where[i] = where[n.In[0]]
			where[i].values = append(where[i].values, i)
		case neural.BatchNorm, neural.LayerNorm, neural.Activation, neural.Softmax, neural.Add, neural.Multiply, neural.Position:
			for _, j := range n.In {
				if m := where[j]; !neededAfter(m, i) && m.size == n.Shape.Elements() {
					m.values = []int{i}
					where[i] = m
					break
				}
			}
			if where[i] == nil {
				put(i)
			}
		default:
			put(i)
		}
		room := int64(0)
		if o, ok := n.Op.(neural.Attention); ok {
			q, k, v := g.Node(n.In[0]).Shape, g.Node(n.In[1]).Shape, g.Node(n.In[2]).Shape
			_, keyHeads, d, e := o.Dims(q, k, v)
			room = int64(q[0] * k[0])
			if o.Type.Reweights() {
				d *= 2
			}
			if o.Type.Linear() {
				room = int64(keyHeads * d * (e + 1))
			}
		}
		most = max(most, live()+room)
		all = slices.DeleteFunc(all, func(m *memory) bool {
			return slices.Max(m.values) <= i && !neededAfter(m, i) // inputs may be still to come
		})
	}
	return 4 * most
}

func TestPeakMemory(t *testing.T) {
	random(t, 300, func(t *testing.T, _ *rand.Rand, g *neural.Graph) {
		if got, want := g.Cost().PeakBytes, peak(g); got != want {
			t.Errorf("%d bytes, want %d", got, want)
		}
	})
}

// A small network counted by hand.
func TestCost(t *testing.T) {
	b := neural.NewBuilder("by hand")
	x := b.Input("x", neural.Shape{2, 4, 4})                                    // 32 numbers
	x = b.Add(neural.Conv{Out: 3, Kernel: 3, Bias: true}, x)                    // 48 numbers, 54+3 weights, 48·18 multiply-accumulates
	y := b.Add(neural.BatchNorm{}, x)                                           // 6 weights, 6 statistics
	y = b.Add(neural.Activation{Func: neural.ReLU}, y)                          // in place
	y = b.Add(neural.Conv{Kernel: 3, Groups: neural.Depthwise}, y)              // 27 weights, 48·9
	z := b.Add(neural.GlobalPool{}, b.Add(neural.Add{}, x, y))                  // 3 numbers
	g, err := b.Build(b.Add(neural.Linear{Out: 5}, b.Add(neural.Flatten{}, z))) // 15 weights
	if err != nil {
		t.Fatal(err)
	}
	want := neural.Cost{
		Params: 54 + 3 + 6 + 27 + 15,
		State:  6,
		MACs:   48*18 + 48*9 + 15,
		MovedBytes: 4 * ((32 + 57 + 48) + (48 + 12 + 48) + (48 + 48) + (48 + 27 + 48) + (48 + 48 + 48) +
			(48 + 3) + (3 + 15 + 5)),
		PeakBytes: 4 * 3 * 48, // x, y before and after the second convolution
	}
	if d := cmp.Diff(want, g.Cost()); d != "" {
		t.Error(d)
	}
}

func TestAttentionCost(t *testing.T) {
	count := func(o neural.Attention) int64 {
		b := neural.NewBuilder("")
		q := b.Input("q", neural.Shape{10, 24})
		k, v := b.Input("k", neural.Shape{10, 24}), b.Input("v", neural.Shape{10, 12})
		g, err := b.Build(b.Add(o, q, k, v))
		if err != nil {
			t.Fatal(err)
		}
		return g.Cost().MACs
	}
	if got, want := count(neural.Attention{Heads: 4}), int64(10*10*24+10*10*12); got != want {
		t.Errorf("softmax: %d, want %d", got, want)
	}
	// 4 heads of 6 and 3 features: keys by values, queries by both
	if got, want := count(neural.Attention{Heads: 4, Type: neural.LinearELU}), int64(4*10*6*3+4*10*6*3+4*10*6); got != want {
		t.Errorf("linear: %d, want %d", got, want)
	}
	// twice the features of queries and keys: by cosines and by sines
	if got, want := count(neural.Attention{Heads: 4, Type: neural.CosformerReLU}), 2*int64(4*10*6*3+4*10*6*3+4*10*6); got != want {
		t.Errorf("cosFormer: %d, want %d", got, want)
	}
}

// Twice the tokens cost linear attention twice as much, softmax four times; and so does
// the memory that it needs on the way, which linear attention needs once.
func TestAttentionGrows(t *testing.T) {
	count := func(kind neural.AttentionKind, n int) (c neural.Cost, loops int64) {
		b := neural.NewBuilder("")
		x := b.Input("x", neural.Shape{n, 32})
		g, err := b.Build(b.Add(neural.Attention{Heads: 2, Type: kind, Causal: true}, x, x, x))
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range g.Workloads() {
			loops += w.MACs
		}
		return g.Cost(), loops
	}
	for kind := range neural.CosformerReLU + 1 {
		once, loops := count(kind, 512)
		twice, _ := count(kind, 1024)
		macs, room := int64(2), int64(1)
		if !kind.Linear() {
			macs, room = 4, 4
		}
		if twice.MACs != macs*once.MACs || twice.MovedBytes != 2*once.MovedBytes {
			t.Errorf("%v: twice the tokens need %d multiply-accumulates and %d bytes, once %d and %d", kind, twice.MACs, twice.MovedBytes, once.MACs, once.MovedBytes)
		}
		if got, want := twice.PeakBytes-4*2*1024*32, room*(once.PeakBytes-4*2*512*32); got != want || got <= 0 {
			t.Errorf("%v: twice the tokens need %d bytes on the way, want %d", kind, got, want)
		}
		if loops != once.MACs {
			t.Errorf("%v: loops of %d multiply-accumulates, want %d", kind, loops, once.MACs)
		}
	}
}

// Workloads add up to what the network costs, and their loops to their
// multiply-accumulates.
func TestWorkloads(t *testing.T) {
	random(t, 200, func(t *testing.T, _ *rand.Rand, g *neural.Graph) {
		c := g.Cost()
		var macs, moved int64
		attention := map[string]bool{}
		for _, n := range g.Nodes() {
			if _, ok := n.Op.(neural.Attention); ok {
				attention[n.Name+"/scores"], attention[n.Name+"/values"], attention[n.Name+"/state"], attention[n.Name+"/norm"] = true, true, true, true
			}
		}
		scores := false
		for _, w := range g.Workloads() {
			macs += w.MACs
			moved += w.In + w.Weights + w.Out
			scores = scores || attention[w.Node]
			switch w.Type {
			case neural.ConvLayer, neural.DepthwiseLayer, neural.MatMulLayer, neural.ProductLayer:
				if loops := int64(w.N * w.Groups * w.K * w.C * w.P * w.Q * w.R * w.S); loops != w.MACs {
					t.Errorf("%s: %d loops, %d multiply-accumulates: %+v", w.Node, loops, w.MACs, w)
				}
			default:
				if w.MACs != 0 {
					t.Errorf("%s: %+v", w.Node, w)
				}
			}
			if out := int64(w.N * w.Groups * w.K * w.P * w.Q); out != w.Out {
				t.Errorf("%s: %d results of %d: %+v", w.Node, out, w.Out, w)
			}
		}
		if macs != c.MACs {
			t.Errorf("%d multiply-accumulates, want %d", macs, c.MACs)
		}
		if !scores && 4*moved != c.MovedBytes { // attention's products are moved between its layers
			t.Errorf("%d bytes moved, want %d", 4*moved, c.MovedBytes)
		}
	})
}

func TestFeatures(t *testing.T) {
	names := neural.FeatureNames()
	distinct := map[string]bool{}
	for _, n := range names {
		distinct[n] = true
	}
	if len(distinct) != len(names) {
		t.Error("a name comes twice")
	}
	varies := make([]bool, len(names))
	var first []float64
	random(t, 80, func(t *testing.T, r *rand.Rand, g *neural.Graph) {
		f := g.Features()
		if len(f) != len(names) {
			t.Fatalf("%d features, %d names", len(f), len(names))
		}
		for i, x := range f {
			if x-x != 0 {
				t.Errorf("%s is %g", names[i], x)
			}
			varies[i] = varies[i] || first != nil && x != first[i]
		}
		if first == nil {
			first = f
		}
		other := shuffled(t, r, g) // adds identities
		for i, x := range other.Features() {
			if !slices.Contains([]string{"nodes", "depth", "branches", "log_moved_bytes", "log_peak_bytes", "count_identity"}, names[i]) && x-f[i] > 1e-12 {
				t.Errorf("%s: %g, in another order %g", names[i], f[i], x)
			}
		}
	})
	for i, v := range varies {
		if !v && names[i] != "count_input" && names[i] != "count_embedding" { // of which the random networks have as many
			t.Errorf("%s is always %g", names[i], first[i])
		}
	}
}

func TestInitial(t *testing.T) {
	r := rng.New(6, "initial test", 0)
	g, err := randnet.New(r, 60)
	if err != nil {
		t.Fatal(err)
	}
	w := g.Initial(rng.New(1, "weights", 0))
	if err := w.Check(g); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(w, g.Initial(rng.New(1, "weights", 0))); d != "" {
		t.Error(d)
	}
	b := neural.NewBuilder("")
	x := b.Add(neural.BatchNorm{}, b.Named("wide", neural.Linear{Out: 400, Bias: true}, b.Input("x", neural.Shape{50})))
	if g, err = b.Build(x); err != nil {
		t.Fatal(err)
	}
	w = g.Initial(r)
	var sum, squares float64
	for _, x := range w["wide/weight"] {
		sum += float64(x)
		squares += float64(x) * float64(x)
	}
	n := float64(len(w["wide/weight"]))
	if mean, variance := sum/n, squares/n; mean < -0.005 || mean > 0.005 || variance < 0.038 || variance > 0.042 { // 2/50
		t.Errorf("mean %g and variance %g, want 0 and 0.04", mean, variance)
	}
	for name, want := range map[string]float32{"wide/bias": 0, "batchnorm/scale": 1, "batchnorm/shift": 0, "batchnorm/mean": 0, "batchnorm/variance": 1} {
		if w[name][7] != want {
			t.Errorf("%s begins with %g, want %g", name, w[name][7], want)
		}
	}
}
