package latency

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/neural"
)

// group is how many networks take turns: few, for they are all in memory.
const group = 24

// referenceNet is what tells how fast the machine is while something is measured: a
// few kinds of layers, 9 million multiply-accumulates.
var referenceNet = sync.OnceValues(func() (*neural.Graph, error) {
	b := neural.NewBuilder("reference")
	x := b.Input("image", neural.Shape{3, 32, 32})
	for _, c := range []neural.Conv{{Out: 16, Kernel: 3}, {Kernel: 3}, {Kernel: 3, Groups: neural.Depthwise}, {Out: 32, Stride: 2}, {Kernel: 3}, {Out: 64, Kernel: 3, Stride: 2}, {Kernel: 3}} {
		x = b.Add(c, x)
		x = b.Add(neural.BatchNorm{}, x)
		x = b.Add(neural.Activation{Func: neural.ReLU}, x)
	}
	x = b.Add(neural.GlobalPool{}, x)
	return b.Build(b.Add(neural.Linear{Out: 10, Bias: true}, x))
})

// compile makes a network ready to be measured with weights that training starts
// from: what it takes does not depend on them.
func compile(e Engine, o Options, name string, g *neural.Graph) (Target, Runner, error) {
	r, err := e.Compile(g, measuringWeights(g), o)
	if err != nil {
		return Target{}, nil, err
	}
	inputs := measuringInputs(g, o.Batch)
	return Target{name, func() error {
		_, err := r.Run(inputs)
		return err
	}}, r, nil
}

// Measure measures networks on an engine, some at a time, each time with a small
// network as the reference. There is a report for every group of networks, whose
// results are in their order. With no networks it measures the reference alone.
func Measure(ctx context.Context, e Engine, o Options, p Protocol, networks ...*neural.Graph) ([]Report, error) {
	o, err := o.full()
	if err != nil {
		return nil, fmt.Errorf("latency: %w", err)
	}
	names := make([]string, len(networks))
	for i, g := range networks {
		names[i] = g.Name()
	}
	var all []Report
	for from := 0; from == 0 || from < len(networks); from += group {
		to := min(from+group, len(networks))
		report, err := measureGroup(ctx, e, o, p, names[from:to], networks[from:to])
		if err != nil {
			return nil, err
		}
		all = append(all, report)
	}
	return all, nil
}

// Results returns the results of all reports, in the order of the networks.
func Results(reports []Report) (all []Result) {
	for _, r := range reports {
		all = append(all, r.Results...)
	}
	return all
}

func measureGroup(ctx context.Context, e Engine, o Options, p Protocol, names []string, networks []*neural.Graph) (report Report, err error) {
	p.Threads = o.Threads
	ref, err := referenceNet()
	if err != nil {
		return Report{}, err
	}
	reference, runner, err := compile(e, o, "reference", ref)
	if err != nil {
		return Report{}, err
	}
	runners := []Runner{runner}
	defer func() {
		for _, r := range runners {
			err = errors.Join(err, r.Close())
		}
	}()
	var targets []Target
	for i, g := range networks {
		if err := ctx.Err(); err != nil {
			return Report{}, fmt.Errorf("latency: compiling %q: %w", names[i], err)
		}
		t, r, err := compile(e, o, names[i], g)
		if err != nil {
			return Report{}, err
		}
		targets, runners = append(targets, t), append(runners, r)
	}
	return p.Measure(ctx, reference, targets...)
}

// A Model predicts what networks take by their operators, each of which is measured
// once and kept in a table. Its methods may be called at the same time; they wait
// for each other where they measure.
type Model struct {
	engine   Engine
	options  Options
	protocol Protocol

	mu    sync.Mutex
	table *Table
	noise []string
}

// NewModel opens the table of this machine, an engine and options; for the path see
// [OpenTable]. Operators are measured by the protocol.
func NewModel(e Engine, o Options, p Protocol, path string) (*Model, error) {
	o, err := o.full()
	if err != nil {
		return nil, fmt.Errorf("latency: %w", err)
	}
	d, err := ThisDevice(e, o)
	if err != nil {
		return nil, err
	}
	t, err := OpenTable(path, d)
	if err != nil {
		return nil, err
	}
	return &Model{engine: e, options: o, protocol: p, table: t}, nil
}

// A Prediction is what a network is expected to take.
type Prediction struct {
	MS          float64 `json:"ms"`
	DeviationMS float64 `json:"deviation_ms"` // of the error, by the networks that the correction was fitted to; 0 if unknown
	PlainMS     float64 `json:"plain_ms"`     // before the correction: the operators without their ends, and those of the network
	Operators   int     `json:"operators"`
	Measured    int     `json:"measured"` // operators and ends that had to be measured for it
}

// maxScale is by how much the machine's speed may differ from what it was when a
// table was begun.
const maxScale = 4

// scale returns by what to multiply what is measured now to have it as the machine
// was when the table was begun. Speeds are the same if their intervals overlap.
func (m *Model) scale(now Result) (float64, error) {
	then := m.table.reference
	if then.Samples == 0 {
		m.table.reference = now
		return 1, nil
	}
	if now.LowMS <= then.HighMS && then.LowMS <= now.HighMS {
		return 1, nil
	}
	s := then.MedianMS / now.MedianMS
	if s > maxScale || s < 1.0/maxScale {
		return 0, fmt.Errorf("latency: table %s was begun when the reference took %.4g ms, now it takes %.4g: the machine is not as it was; wait until it is, or remove the file to measure anew", m.table.path, then.MedianMS, now.MedianMS)
	}
	return s, nil
}

// Learn measures the operators of networks that are not in the table, and their ends,
// and stores them. It returns how many it measured. When it is interrupted, what was measured
// so far is kept.
func (m *Model) Learn(ctx context.Context, networks ...*neural.Graph) (int, error) {
	var all []Operator
	for _, g := range networks {
		_, parts, err := decompose(g)
		if err != nil {
			return 0, err
		}
		all = append(all, parts...)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.learn(ctx, all)
}

// single is the shape of a number.
var single = neural.Shape{1}

// decompose returns the operators of a network, and with them all that has to be
// measured for them: their ends and the network's.
func decompose(g *neural.Graph) (operators, parts []Operator, err error) {
	if operators, err = Operators(g); err != nil {
		return nil, nil, err
	}
	parts = slices.Clone(operators)
	seen := map[neural.Shape]bool{}
	add := func(shapes []neural.Shape) {
		for _, s := range shapes {
			if !seen[s] && err == nil {
				seen[s] = true
				var e Operator
				e, err = end(s)
				parts = append(parts, e)
			}
		}
	}
	for _, o := range operators {
		add(o.Ends)
	}
	add(append(ends(g), single))
	if err != nil {
		return nil, nil, fmt.Errorf("latency: network %q: %w", g.Name(), err)
	}
	return operators, parts, nil
}

func (m *Model) learn(ctx context.Context, all []Operator) (int, error) {
	var missing []Operator
	seen := map[string]bool{}
	for _, o := range all {
		if _, ok := m.table.Find(o.Key); !ok && !seen[o.Key] {
			seen[o.Key] = true
			missing = append(missing, o)
		}
	}
	for from := 0; from < len(missing); from += group {
		some := missing[from:min(from+group, len(missing))]
		var names []string
		var nets []*neural.Graph
		for _, o := range some {
			names, nets = append(names, o.Key), append(nets, o.Net)
		}
		report, err := measureGroup(ctx, m.engine, m.options, m.protocol, names, nets)
		if err != nil {
			return from, err
		}
		s, err := m.scale(report.Reference)
		if err != nil {
			return from, err
		}
		m.noise = append(m.noise, report.Noise...)
		for i, r := range report.Results {
			m.table.entries[some[i].Key] = Entry{some[i].Key, s * r.MedianMS, s * r.LowMS, s * r.HighMS, r.Samples, r.Settled}
		}
		if err := m.table.save(); err != nil {
			for _, o := range some { // what is not kept is not known
				delete(m.table.entries, o.Key)
			}
			return from, err
		}
	}
	return len(missing), nil
}

// summarise adds up the operators of a network, which must be in the table with
// their ends.
func (m *Model) summarise(g *neural.Graph, operators []Operator) (s summary) {
	run := m.table.entries[endKey(single)].MS // what a run costs by itself, which every end has in it
	halves := func(shapes []neural.Shape) float64 {
		ms := run * (1 - float64(len(shapes))/2)
		for _, x := range shapes {
			ms += m.table.entries[endKey(x)].MS / 2
		}
		return ms
	}
	s.ends = -halves(ends(g))
	for _, o := range operators {
		s.sum += m.table.entries[o.Key].MS
		s.ends += halves(o.Ends)
		s.count++
	}
	return s
}

// Fit measures whole networks and fits the correction to them, which is stored with
// the table. A dozen of the space that is searched are enough. What is wrong with the
// machine is in [Model.Noise].
func (m *Model) Fit(ctx context.Context, networks ...*neural.Graph) (Correction, error) {
	if len(networks) == 0 {
		return Correction{}, errors.New("latency: no networks to fit the correction to")
	}
	if _, err := m.Learn(ctx, networks...); err != nil {
		return Correction{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	reports, err := Measure(ctx, m.engine, m.options, m.protocol, networks...)
	if err != nil {
		return Correction{}, err
	}
	var all []summary
	var ms []float64
	for _, r := range reports {
		s, err := m.scale(r.Reference)
		if err != nil {
			return Correction{}, err
		}
		m.noise = append(m.noise, r.Noise...)
		for _, x := range r.Results {
			g := networks[len(all)]
			o, err := Operators(g)
			if err != nil {
				return Correction{}, err
			}
			all, ms = append(all, m.summarise(g, o)), append(ms, s*x.MedianMS)
		}
	}
	c, err := fit(all, ms)
	if err != nil {
		return Correction{}, fmt.Errorf("latency: %w", err)
	}
	m.table.correction = c
	return c, m.table.save()
}

// Predict adds up the operators of a network, of which it measures and stores those
// that are not in the table, and corrects the sum as [Model.Fit] has found, if that
// was called.
func (m *Model) Predict(ctx context.Context, g *neural.Graph) (Prediction, error) {
	all, parts, err := decompose(g)
	if err != nil {
		return Prediction{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.learn(ctx, parts)
	if err != nil {
		return Prediction{}, err
	}
	s := m.summarise(g, all)
	ms := m.table.correction.apply(s)
	if !(ms > 0) {
		return Prediction{}, fmt.Errorf("latency: network %q: %d operators of %.4g ms and ends of %.4g ms make %.4g ms; fit the correction to networks of this kind", g.Name(), len(all), s.sum, s.ends, ms)
	}
	return Prediction{ms, ms * m.table.correction.Deviation, s.plain(), len(all), n}, nil
}

// Known reports whether all operators of a network are in the table.
func (m *Model) Known(g *neural.Graph) (bool, error) {
	_, all, err := decompose(g)
	if err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return !slices.ContainsFunc(all, func(o Operator) bool {
		_, ok := m.table.Find(o.Key)
		return !ok
	}), nil
}

// Table returns the table. It must not be read while something is measured.
func (m *Model) Table() *Table { return m.table }

// Correction returns what was fitted last, or the plain sum.
func (m *Model) Correction() Correction {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.table.correction
}

// Noise returns what was said of the machine in all measurements of this model.
func (m *Model) Noise() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.noise)
}

// An Accuracy compares what was predicted with what was measured.
type Accuracy struct {
	Networks  int
	Spearman  float64
	Kendall   float64 // tau-b
	MAPE      float64 // mean of the absolute relative errors; NaN if the prediction is in other units
	WithinTen float64 // share of networks whose error is at most 10 %
}

// Compare compares predictions with measurements in milliseconds.
func Compare(predicted, measured []float64) (Accuracy, error) {
	if len(predicted) != len(measured) || len(measured) < 2 {
		return Accuracy{}, fmt.Errorf("latency: found %d predictions and %d measurements, want as many and at least two", len(predicted), len(measured))
	}
	a := Accuracy{Networks: len(measured), Spearman: metric.Spearman(predicted, measured), Kendall: metric.Kendall(predicted, measured)}
	for i, y := range measured {
		if !(y > 0) {
			return Accuracy{}, fmt.Errorf("latency: measurement %d: found %g ms, want more than 0", i+1, y)
		}
		e := predicted[i]/y - 1
		if e < 0 {
			e = -e
		}
		a.MAPE += e / float64(len(measured))
		if e <= 0.1 {
			a.WithinTen += 1 / float64(len(measured))
		}
	}
	return a, nil
}

func (a Accuracy) String() string {
	return strings.TrimSpace(fmt.Sprintf("Spearman %.3f, Kendall %.3f, MAPE %.1f%%, within 10%%: %.0f%%, of %d networks", a.Spearman, a.Kendall, 100*a.MAPE, 100*a.WithinTen, a.Networks))
}
