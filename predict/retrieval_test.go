package predict

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/predict/internal/nn"
)

// The gradient through retrieval agrees with central differences.
func TestRetrievalGradient(t *testing.T) {
	t.Parallel()
	const in, d, rows, cands = 3, 4, 5, 9
	r := rng.New(1, "retrieval", 0)
	net := newRetNet(r, in, d)
	for _, p := range net { // no zeros anywhere
		for i := range p.W {
			p.W[i] += 0.1 * rng.Norm(r)
		}
	}
	x, cx := make([]float64, rows*in), make([]float64, cands*in)
	for _, v := range [][]float64{x, cx} {
		for i := range v {
			v[i] = rng.Norm(r)
		}
	}
	cy, lw, y, w := make([]float64, cands), make([]float64, cands), make([]float64, rows), make([]float64, rows)
	for i := range cy {
		cy[i], lw[i] = rng.Norm(r), 0.3*rng.Norm(r)
	}
	for i := range y {
		y[i], w[i] = rng.Norm(r), 1
	}
	tape := nn.NewTape()
	loss := func(back bool) float64 {
		tape.Reset()
		_, ck, ch := net.encode(tape, tape.Input(cands, cx))
		input := tape.Input(rows, x)
		e, key, hidden := net.encode(tape, input)
		my, mh := net.retrieve(tape, key, hidden, retArchive{ck, ch, cy, lw, []int{0, 1, 2, 3, 4, 5, 6, 7, 8}}, []int{0, 1, 2, 3, 4}, 6, 0.3, rng.New(2, "drop", 0))
		out := net.finish(tape, input, e, my, mh, func(n *nn.Node) *nn.Node { return n })
		l := mlpSquared(out.V, out.G, y, w)
		if back {
			tape.Backward()
		}
		return l
	}
	loss(true)
	for pi, p := range net {
		for i := range p.W {
			const h = 1e-6
			old := p.W[i]
			p.W[i] = old + h
			up := loss(false)
			p.W[i] = old - h
			down := loss(false)
			p.W[i] = old
			if want := (up - down) / 2 / h; math.Abs(p.G[i]-want) > 1e-6 {
				t.Errorf("parameter %d, number %d: gradient %v, want %v", pi, i, p.G[i], want)
			}
		}
	}
}

// A large archive is searched through a graph, and the same after saving.
func TestRetrievalLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("fits nine thousand rows")
	}
	t.Parallel()
	r := rng.New(3, "large", 0)
	make_ := func(n int) *Table {
		tb := &Table{Columns: []Column{{Name: "a"}, {Name: "b"}, {Name: "c"}}}
		for range n {
			x := []float64{rng.Norm(r), rng.Norm(r), rng.Norm(r)}
			tb.Add(x, x[0]*x[1]+x[2])
		}
		return tb
	}
	m, err := Retrieval{Members: 1, Width: 8, Steps: 60, Neighbors: 24}.Fit(t.Context(), make_(retGraph-100), 1)
	if err != nil {
		t.Fatal(err)
	}
	probe := make_(200)
	exact := judge(m, probe)
	m, err = m.(Extender).Extend(make_(200))
	if err != nil {
		t.Fatal(err)
	}
	rm := m.(*retModel)
	if rm.Indexed != retGraph+100 {
		t.Fatalf("%d rows are in the graph, want %d", rm.Indexed, retGraph+100)
	}
	if q := judge(m, probe); math.Abs(q.RMSE-exact.RMSE) > 0.05*exact.RMSE {
		t.Errorf("the error is %.4f through the graph, %.4f without", q.RMSE, exact.RMSE)
	}
	var b bytes.Buffer
	if err := Save(&b, m, probe.Columns); err != nil {
		t.Fatal(err)
	}
	back, _, err := Load(&b)
	if err != nil {
		t.Fatal(err)
	}
	want, got := make([]float64, 200), make([]float64, 200)
	m.Predict(probe.X, want, nil)
	back.Predict(probe.X, got, nil)
	if !slices.Equal(want, got) {
		t.Error("a loaded model predicts differently")
	}
}
