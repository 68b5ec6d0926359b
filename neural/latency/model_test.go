package latency

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/internal/randnet"
	"github.com/daedalus-search/daedalus/neural/nets"
)

// simulated is an engine on a simulated machine. A network takes the work of its
// operators, and once what a run costs and what moving its ends costs.
type simulated struct {
	together float64 // what operators take in a network, as a share of what they take alone
	m        *machine
	version  int
	compiled int
	closed   int
	fail     error
}

func (e *simulated) Name() string { return fmt.Sprint("simulated ", e.version) }

func (e *simulated) seconds(g *neural.Graph, batch int) (float64, error) {
	all, err := Operators(g)
	seconds := 20e-6
	share := 1.0
	if len(all) > 1 {
		share = e.together
	}
	for _, o := range all {
		seconds += share * (1e-6 + float64(batch)*(float64(o.MACs)*2e-11+float64(moved(o))*2e-10))
	}
	for _, i := range append(g.Inputs(), g.Outputs()...) {
		seconds += float64(batch) * float64(g.Node(i).Shape.Elements()) * 1e-9
	}
	return seconds, err
}

// moved are the numbers that an operator reads and writes.
func moved(o Operator) (n int64) {
	for _, s := range o.Ends {
		n += s.Elements()
	}
	return n
}

type simulatedRun struct {
	e      *simulated
	target Target
}

func (e *simulated) Compile(g *neural.Graph, w neural.Weights, o Options) (Runner, error) {
	if err := w.Check(g); err != nil {
		return nil, err
	}
	seconds, err := e.seconds(g, o.Batch)
	if err != nil {
		return nil, err
	}
	e.compiled++
	return simulatedRun{e, e.m.target(g.Name(), seconds)}, nil
}

func (r simulatedRun) Run(inputs [][]float32) ([][]float32, error) {
	if r.e.fail != nil {
		return nil, r.e.fail
	}
	return nil, r.target.Run()
}

func (r simulatedRun) Close() error {
	r.e.closed++
	return nil
}

func newSimulated(kind string, seed uint64) (*simulated, Protocol) {
	m := machines[kind](rng.New(seed, "latency/simulated", 0))
	return &simulated{m: m, version: 1, together: 1}, Protocol{Clock: m.clock()}
}

// cell returns a random network of NAS-Bench-201, small.
func cell(t testing.TB, i uint64) *neural.Graph {
	t.Helper()
	r := rng.New(i, "latency/cell", 0)
	n := nets.NASBench201{Channels: 8, Cells: 2}
	for e := range n.Ops {
		n.Ops[e] = nets.CellOp(r.IntN(5))
	}
	g, err := n.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func cells(t testing.TB, from, to uint64) (all []*neural.Graph) {
	for i := from; i < to; i++ {
		all = append(all, cell(t, i))
	}
	return all
}

// On machines of all kinds, operators that are measured alone predict networks that
// were not, within a few times the precision.
func TestPrediction(t *testing.T) {
	for kind, worst := range map[string]float64{"quiet": 0.02, "spikes": 0.04, "shared": 0.03, "swing": 0.05} {
		t.Run(kind, func(t *testing.T) {
			e, p := newSimulated(kind, 1)
			e.together = 0.7
			if kind == "spikes" { // which come with runs here, so means of several would have them all
				p.Sample = 1
			}
			m, err := NewModel(e, Options{Batch: 2}, p, filepath.Join(t.TempDir(), "deep", "table.json"))
			if err != nil {
				t.Fatal(err)
			}
			c, err := m.Fit(t.Context(), cells(t, 0, 15)...)
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Correction(); got != c || c.Networks != 15 || c.Deviation <= 0 || c.Deviation > worst {
				t.Errorf("correction %+v and %+v, want 15 networks and a deviation below %g", got, c, worst)
			}
			var predicted, plain, truth []float64
			for i := range uint64(40) {
				g := cell(t, 100+i)
				x, err := m.Predict(t.Context(), g)
				if err != nil {
					t.Fatal(err)
				}
				seconds, err := e.seconds(g, 2)
				if err != nil {
					t.Fatal(err)
				}
				scale := 1.0
				if kind == "spikes" { // the median of spiked times is above that without
					scale = 1e3 * e.m.median(seconds, []float64{0}) / (1e3 * seconds)
				}
				predicted, plain, truth = append(predicted, x.MS), append(plain, x.PlainMS), append(truth, 1e3*seconds*scale)
			}
			a, err := Compare(predicted, truth)
			if err != nil {
				t.Fatal(err)
			}
			b, err := Compare(plain, truth)
			if err != nil {
				t.Fatal(err)
			}
			if a.MAPE > worst || a.Spearman < 0.97 || b.MAPE < 0.1 || b.MAPE > 0.5 {
				t.Errorf("corrected: %v; plain: %v", a, b)
			}
			t.Logf("corrected: %v; plain: %v; %+v", a, b, c)
			if e.closed != e.compiled {
				t.Errorf("%d of %d networks were closed", e.closed, e.compiled)
			}
		})
	}
}

// Every operator is measured once, kept, and found again by the next model; another
// engine, batch or machine does not get them.
func TestTableIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table.json")
	e, p := newSimulated("quiet", 1)
	open := func(o Options) (*Model, error) { return NewModel(e, o, p, path) }
	m, err := open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	g := cell(t, 1)
	first, err := m.Predict(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	if first.Measured == 0 || first.Measured != m.Table().Len() || first.Measured >= 2*first.Operators || first.MS != first.PlainMS {
		t.Errorf("%+v with a table of %d operators, want each distinct one measured, and the plain sum", first, m.Table().Len())
	}
	compiled := e.compiled
	if again, err := m.Predict(t.Context(), g); err != nil || again.MS != first.MS || again.Measured != 0 || e.compiled != compiled {
		t.Errorf("again: %+v, %v, want %+v and nothing measured", again, err, first)
	}
	if _, err := m.Fit(t.Context(), cells(t, 0, 6)...); err != nil {
		t.Fatal(err)
	}
	if known, err := m.Known(g); err != nil || !known {
		t.Errorf("known: %v, %v", known, err)
	}
	next, err := open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m.Table().Entries(), next.Table().Entries()); d != "" || next.Correction() != m.Correction() {
		t.Errorf("the next model finds another table: %s", d)
	}
	if known, err := next.Known(cell(t, 9_999)); err != nil || known {
		wide, err := nets.NASBench201{Channels: 24}.Graph()
		if err != nil {
			t.Fatal(err)
		}
		if known, err = next.Known(wide); err != nil || known {
			t.Errorf("known without having been measured: %v, %v", known, err)
		}
	}
	for want, o := range map[string]struct {
		options Options
		version int
	}{
		"batch 8":     {Options{Batch: 8}, 1},
		"3 threads":   {Options{Threads: 3}, 1},
		"simulated 2": {Options{}, 2},
	} {
		e.version = o.version
		_, err := open(o.options)
		var other *DeviceError
		if !errors.As(err, &other) {
			t.Fatalf("%s: %v, want a DeviceError", want, err)
		}
		for _, part := range []string{want, "simulated 1, 1 threads, batch 1", path, other.Found.Fingerprint(), other.Want.Fingerprint()} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v does not say %q", err, part)
			}
		}
		e.version = 1
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("files %v, %v, want only the table", left, err)
	}
}

// What is added when the machine runs at another speed is scaled to that of the
// table, and when it is another machine altogether it is refused.
func TestSpeedOfTheMachine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table.json")
	e, p := newSimulated("quiet", 1)
	a, b := cells(t, 0, 1)[0], func() *neural.Graph {
		g, err := nets.NASBench201{Ops: [6]nets.CellOp{3, 2, 1, 4, 3, 2}, Channels: 12, Cells: 1}.Graph()
		if err != nil {
			t.Fatal(err)
		}
		return g
	}()
	m, err := NewModel(e, Options{}, p, path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Predict(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	speed := 1.5
	e.m.speed = func(float64) float64 { return speed }
	before := m.Table().Len()
	x, err := m.Predict(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	want, err := e.seconds(b, 1)
	if err != nil {
		t.Fatal(err)
	}
	want *= 1e3
	if x.Measured == 0 || m.Table().Len() != before+x.Measured || math.Abs(x.MS/want-1) > 0.05 {
		t.Errorf("%+v, want %.4g ms", x, want)
	}
	speed = 4.5
	if _, err := m.Predict(t.Context(), a); err != nil { // needs nothing new
		t.Error(err)
	}
	c, err := nets.NASBench201{Ops: [6]nets.CellOp{3, 2, 1, 4, 3, 2}, Channels: 20, Cells: 1}.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Predict(t.Context(), c); err == nil || !strings.Contains(err.Error(), "the machine is not as it was") || !strings.Contains(err.Error(), path) {
		t.Errorf("%v does not say that the machine is another", err)
	}
}

// What was measured before an interruption is in the table, and the rest follows.
func TestInterruption(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table.json")
	e, p := newSimulated("quiet", 1)
	m, err := NewModel(e, Options{}, p, path)
	if err != nil {
		t.Fatal(err)
	}
	b := neural.NewBuilder("wide") // more operators than are measured at a time
	x := b.Input("x", neural.Shape{10})
	for i := range group + 5 {
		x = b.Add(neural.Linear{Out: 20 + i}, x)
	}
	g, err := b.Build(x)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := false
	inner := p.Clock.Wall
	m.protocol.Clock.Wall = func() (d time.Duration) {
		if e.compiled > group+2 && !cancelled {
			cancelled = true
			cancel()
		}
		return inner()
	}
	_, parts, err := decompose(g)
	if err != nil {
		t.Fatal(err)
	}
	n, err := m.Learn(ctx, g)
	if !errors.Is(err, context.Canceled) || n != group || e.compiled != e.closed {
		t.Errorf("%d learned, %v, %d of %d closed; want %d and that it was cancelled", n, err, e.closed, e.compiled, group)
	}
	e.fail = errors.New("out of order")
	if _, err := m.Learn(t.Context(), g); !errors.Is(err, e.fail) || !strings.Contains(err.Error(), "linear") {
		t.Errorf("%v does not name the operator and why", err)
	}
	e.fail = nil
	m, err = NewModel(e, Options{}, p, path)
	if err != nil {
		t.Fatal(err)
	}
	if m.Table().Len() != group {
		t.Errorf("%d operators were kept, want %d", m.Table().Len(), group)
	}
	if n, err := m.Learn(t.Context(), g); err != nil || n != len(parts)-group {
		t.Errorf("%d learned, %v, want the %d that are left", n, err, len(parts)-group)
	}
}

// Two processes that add to a table do not lose each other's operators.
func TestTwoWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table.json")
	e, p := newSimulated("quiet", 1)
	open := func() *Model {
		m, err := NewModel(e, Options{}, p, path)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	if _, err := open().Learn(t.Context(), cell(t, 1)); err != nil {
		t.Fatal(err)
	}
	a, b := open(), open()
	net := func(width int) *neural.Graph {
		g, err := nets.MLP{Numbers: 4, Hidden: []int{width}, Out: 2}.Graph()
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	for m, width := range map[*Model]int{a: 30, b: 40} {
		if _, err := m.Learn(t.Context(), net(width)); err != nil {
			t.Fatal(err)
		}
	}
	for _, width := range []int{30, 40} {
		if known, err := open().Known(net(width)); err != nil || !known {
			t.Errorf("width %d: known %v, %v", width, known, err)
		}
	}
}

// A model may be asked from several goroutines.
func TestModelIsShared(t *testing.T) {
	e, p := newSimulated("quiet", 1)
	m, err := NewModel(e, Options{}, p, filepath.Join(t.TempDir(), "table.json"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range uint64(8) {
		wg.Go(func() {
			g := cell(t, i%4)
			if _, err := m.Predict(t.Context(), g); err != nil {
				t.Error(err)
			}
			m.Correction()
			m.Noise()
			if _, err := m.Known(g); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestModelMistakes(t *testing.T) {
	e, p := newSimulated("quiet", 1)
	dir := t.TempDir()
	if _, err := NewModel(e, Options{Batch: -1}, p, ""); err == nil || !strings.Contains(err.Error(), "batch of -1") {
		t.Errorf("%v does not say what batch was found", err)
	}
	m, err := NewModel(e, Options{}, p, filepath.Join(dir, "table.json"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Fit(t.Context()); err == nil || !strings.Contains(err.Error(), "no networks") {
		t.Errorf("%v does not say that there are no networks", err)
	}
	m.table.correction = Correction{Scale: 1, ConstantMS: -1e6, Networks: 3}
	if _, err := m.Predict(t.Context(), cell(t, 1)); err == nil || !strings.Contains(err.Error(), "fit the correction to networks of this kind") {
		t.Errorf("%v does not say that the correction does not fit", err)
	}
	// A table that cannot be kept is an error before anything is measured, and every time
	// that something new is.
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewModel(e, Options{}, p, filepath.Join(file, "table.json")); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("%v does not name the folder that is none", err)
	}
	later := filepath.Join(dir, "later")
	m, err = NewModel(e, Options{}, p, filepath.Join(later, "table.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(later); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(later, nil, 0o600); err != nil { // no folder any more
		t.Fatal(err)
	}
	for range 2 {
		if _, err := m.Predict(t.Context(), cell(t, 1)); err == nil || !strings.Contains(err.Error(), "later") {
			t.Errorf("%v does not name the folder that is none", err)
		}
	}
	for _, bad := range [][2][]float64{{{1}, {1}}, {{1, 2}, {1}}, {{1, 2}, {1, 0}}} {
		if a, err := Compare(bad[0], bad[1]); err == nil {
			t.Errorf("%v gives %v", bad, a)
		}
	}
}

func TestCompare(t *testing.T) {
	a, err := Compare([]float64{1.08, 1.5, 3, 4.2}, []float64{1, 2, 3, 4})
	if err != nil || math.Abs(a.Spearman-1) > 1e-12 || math.Abs(a.Kendall-1) > 1e-12 || math.Abs(a.MAPE-0.095) > 1e-12 || a.WithinTen != 0.75 {
		t.Errorf("%+v, %v", a, err)
	}
}

// Operators that do the same work have one key, others have others; views cost
// nothing, and what is read twice is not hidden in an operator.
func TestOperators(t *testing.T) {
	b := neural.NewBuilder("net")
	x := b.Input("x", neural.Shape{4, 8, 8})
	relu := neural.Activation{Func: neural.ReLU}
	a := b.Add(relu, b.Add(neural.BatchNorm{}, b.Add(neural.Conv{Kernel: 3}, x)))
	c := b.Add(relu, b.Add(neural.BatchNorm{}, b.Add(neural.Conv{Out: 4, Kernel: 3, KernelWide: 3, Stride: 1, Dilation: 1, Groups: 1}, a)))
	d := b.Add(neural.Conv{Groups: neural.Depthwise, Kernel: 3}, c)
	e := b.Add(relu, d) // read beside its operand
	f := b.Add(neural.Add{}, b.Add(neural.Identity{}, d), e, b.Add(neural.Zero{}, x))
	f = b.Add(neural.Multiply{}, f, f)
	h := b.Add(neural.Linear{Out: 3}, b.Add(neural.Dropout{Rate: 0.5}, b.Add(neural.Flatten{}, b.Add(neural.MaxPool{Stride: 2, Pad: neural.Valid}, f))))
	i := b.Add(neural.Linear{Out: 3}, h)
	b.Add(neural.Linear{Out: 9}, h) // nobody reads it
	g, err := b.Build(i, h)
	if err != nil {
		t.Fatal(err)
	}
	all, err := Operators(g)
	if err != nil {
		t.Fatal(err)
	}
	conv := `4×8×8 > conv {"out":4,"kernel":3,"kernel_wide":3,"stride":1,"stride_wide":1,"dilation":1,"groups":1} > batchnorm > activation {"func":"relu"}`
	want := []string{
		conv, conv,
		`4×8×8 > conv {"out":4,"kernel":3,"kernel_wide":3,"stride":1,"stride_wide":1,"dilation":1,"groups":4}`,
		`4×8×8 > activation {"func":"relu"}`,
		`4×8×8, 4×8×8 > add`,
		`4×8×8, #1 > multiply`,
		`4×8×8 > maxpool {"kernel":2,"stride":2,"pad":"valid"}`,
		`64 > linear {"out":3}`,
		`3 > linear {"out":3}`,
	}
	var keys []string
	var macs int64
	for _, o := range all {
		keys = append(keys, o.Key)
		macs += o.MACs
	}
	if d := cmp.Diff(want, keys); d != "" {
		t.Error(d)
	}
	if cost := g.Simplify().Cost(); macs != cost.MACs {
		t.Errorf("%d multiply-accumulates, want %d", macs, cost.MACs)
	}
	if moved(all[0]) != 2*256 || moved(all[4]) != 3*256 || moved(all[5]) != 2*256 {
		t.Errorf("moved %d, %d and %d", moved(all[0]), moved(all[4]), moved(all[5]))
	}
}

// The operators of any network are networks that together do its work, and those of
// an operator are itself.
func TestOperatorsOfRandomNetworks(t *testing.T) {
	for i := range uint64(100) {
		r := rng.New(i, "latency/random", 0)
		g, err := randnet.New(r, 5+r.IntN(40))
		if err != nil {
			t.Fatal(err)
		}
		all, err := Operators(g)
		if err != nil {
			t.Fatal(err)
		}
		macs, params := int64(0), int64(0)
		for _, o := range all {
			again, err := Operators(o.Net)
			if err != nil || len(again) != 1 || again[0].Key != o.Key || again[0].MACs != o.MACs || !slices.Equal(again[0].Ends, o.Ends) {
				t.Fatalf("network %d: operator %q is %+v, %v", i, o.Key, again, err)
			}
			cost := o.Net.Cost()
			macs, params = macs+o.MACs, params+cost.Params
			if cost.MACs != o.MACs {
				t.Errorf("network %d: operator %q counts %d multiply-accumulates, its network %d", i, o.Key, o.MACs, cost.MACs)
			}
		}
		if cost := g.Simplify().Cost(); macs != cost.MACs || params != cost.Params {
			t.Errorf("network %d: operators of %d multiply-accumulates and %d parameters, want %d and %d", i, macs, params, cost.MACs, cost.Params)
		}
	}
}

// The correction finds what times are made of, and keeps to the sum where little is
// known.
func TestCorrection(t *testing.T) {
	r := rng.New(1, "latency/correction", 0)
	truth := Correction{Scale: 0.9, Ends: -0.8, PerOperatorMS: -0.01, ConstantMS: 0.05, Networks: 1}
	var all []summary
	var ms []float64
	for range 30 {
		s := summary{2 + 9*r.Float64(), r.Float64(), float64(10 + r.IntN(50))}
		all, ms = append(all, s), append(ms, truth.apply(s))
	}
	c, err := fit(all, ms)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range all {
		if math.Abs(c.apply(s)/ms[i]-1) > 0.002 {
			t.Errorf("network %d: %g ms, want %g", i, c.apply(s), ms[i])
		}
	}
	if c.Deviation > 0.002 || c.Networks != 30 {
		t.Errorf("%+v", c)
	}
	// one network alone, 30 % slower than its operators: towards it, all other
	// networks too, and not beyond
	one, err := fit(all[:1], []float64{1.3 * all[0].plain()})
	if err != nil {
		t.Fatal(err)
	}
	if x := one.apply(all[0]) / all[0].plain(); x < 1.1 || x > 1.31 || one.Deviation != 0 {
		t.Errorf("%+v: %g of the sum, want up to 1.3", one, x)
	}
	for _, bad := range []float64{0, -1, math.NaN()} {
		if c, err := fit(all[:2], []float64{1, bad}); err == nil {
			t.Errorf("%g ms gives %+v", bad, c)
		}
	}
	if c, err := fit(nil, nil); err == nil {
		t.Errorf("nothing gives %+v", c)
	}
	same := []summary{all[0], all[0], all[0]} // nothing to tell features apart by
	if c, err := fit(same, []float64{2, 2, 2}); err != nil || math.Abs(c.apply(all[0])-2) > 0.1 {
		t.Errorf("equal networks: %+v, %v: %g ms, want 2", c, err, c.apply(all[0]))
	}
}

// table writes a table with everything in it.
func table(t testing.TB) []byte {
	t.Helper()
	e, p := newSimulated("quiet", 1)
	m, err := NewModel(e, Options{}, p, filepath.Join(t.TempDir(), "table.json"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := nets.MLP{Numbers: 4, Hidden: []int{8}, Out: 2}.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Fit(t.Context(), g, cell(t, 1)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(m.Table().Path())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A table with a mistake is refused with the file and the place.
func TestTableMistakes(t *testing.T) {
	good := string(table(t))
	line := good[strings.Index(good, `    {"operator"`):]
	line = line[:strings.IndexByte(line, '\n')+1]
	for want, text := range map[string]string{
		"table.json:1: found no table":                 "none",
		"unexpected EOF":                               good[:len(good)/2],
		"table.json:5: found no table":                 good[:strings.Index(good, "\"correction\"")],
		"text after the table":                         good + "{}",
		`found format "daedalus-latency/9"`:            strings.Replace(good, "latency/1", "latency/9", 1),
		`unknown field "more"`:                         strings.Replace(good, `"format"`, `"more": 1, "format"`, 1),
		"a second time":                                strings.Replace(good, line, line+line, 1),
		"device: found":                                strings.Replace(good, `"cores":`, `"cores":-`, 1),
		"operator 1: found":                            strings.Replace(good, `"ms":`, `"ms":-`, 1),
		"correction: found":                            strings.Replace(good, `"networks":`, `"networks":-`, 1),
		"reference: found":                             strings.Replace(good, `"median_ms":`, `"median_ms":-`, 1),
		"table.json:7: found no table":                 strings.Replace(good, `"operators"`, "\n3", 1),
		"cannot unmarshal string into Go struct field": strings.Replace(good, `"samples":`, `"samples":"x","sampled":`, 1),
	} {
		if text == good {
			t.Errorf("%q: the table has no such mistake", want)
		}
		if _, err := readTable(strings.NewReader(text), "table.json"); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "table.json") {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// What is read is written again as it was.
func FuzzTable(f *testing.F) {
	f.Add(table(f))
	f.Add([]byte(`{"format":"daedalus-latency/1","device":{"cpu":"c","cores":1,"features":[],"os":"o","arch":"a","engine":"e","threads":1,"batch":1},"operators":[]}`))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := readTable(bytes.NewReader(text), "a")
		if err != nil {
			return
		}
		var w bytes.Buffer
		if err := a.write(&w); err != nil {
			t.Fatal(err)
		}
		b, err := readTable(bytes.NewReader(w.Bytes()), "b")
		if err != nil {
			t.Fatalf("%v\n%s", err, w.Bytes())
		}
		if !a.device.Equal(b.device) || a.reference != b.reference || a.correction != b.correction || !slices.Equal(a.Entries(), b.Entries()) {
			t.Errorf("%+v became %+v", a, b)
		}
	})
}

// Names of processors tell those apart that differ.
func TestCPUText(t *testing.T) {
	for name, c := range map[string]struct{ info, want string }{
		"x86":  {"processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\nstepping\t: 1\n\nprocessor\t: 1\nmodel\t\t: 18\n", "AMD EPYC [cpu family 25, model 17, stepping 1]"},
		"arm":  {"processor\t: 0\nBogoMIPS\t: 243.75\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\nCPU revision\t: 1\n", "[CPU implementer 0x41, CPU part 0xd0c, CPU variant 0x3, CPU revision 1]"},
		"pi":   {"processor\t: 0\nCPU part\t: 0xd08\nModel\t: Raspberry Pi 4 Model B Rev 1.4\n", "Raspberry Pi 4 Model B Rev 1.4 [CPU part 0xd08]"},
		"none": {"", ""},
	} {
		if got := cpuText(c.info); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestDevice(t *testing.T) {
	e, _ := newSimulated("quiet", 1)
	d, err := ThisDevice(e, Options{})
	if err != nil {
		t.Fatal(err)
	}
	same, err := ThisDevice(e, Options{Batch: 1, Threads: 1})
	if err != nil || !d.Equal(same) || d.Fingerprint() != same.Fingerprint() {
		t.Errorf("%v and %v, %v", d, same, err)
	}
	for _, change := range []func(*Device){
		func(d *Device) { d.CPU += "x" }, func(d *Device) { d.Cores++ }, func(d *Device) { d.Features = append(slices.Clone(d.Features), "x") }, func(d *Device) { d.OS += "x" },
		func(d *Device) { d.Arch += "x" }, func(d *Device) { d.Engine += "x" }, func(d *Device) { d.Threads++ }, func(d *Device) { d.Batch++ },
	} {
		other := d
		change(&other)
		if other.Equal(d) || other.Fingerprint() == d.Fingerprint() {
			t.Errorf("%v is taken for %v", other, d)
		}
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	path, err := d.DefaultPath()
	if err != nil || !strings.Contains(path, d.Fingerprint()) {
		t.Errorf("path %q, %v", path, err)
	}
	if table, err := OpenTable("", d); err != nil || table.Path() != path || table.Len() != 0 {
		t.Errorf("table %+v, %v", table, err)
	}
	if _, err := OpenTable("", Device{}); err == nil {
		t.Error("a table of no device")
	}
	t.Log(d)
}
