package nasbench201

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
)

// Options choose what is looked up. The zero value works.
type Options struct {
	// Dataset is the data set of the accuracies; "" means cifar10.
	Dataset string `yaml:"dataset" default:"cifar10" oneof:"cifar10 cifar100 imagenet16" doc:"data set of the accuracies"`

	// Device is the device of the latencies, one of [Devices]; "" means pixel3.
	Device string `yaml:"device" default:"pixel3" oneof:"1080ti_1 1080ti_256 1080ti_32 2080ti_1 2080ti_256 2080ti_32 essential_ph_1 eyeriss fpga gold_6226 gold_6240 pixel2 pixel3 raspi4 samsung_a50 samsung_s7 silver_4114 silver_4210r titan_rtx_1 titan_rtx_256 titan_rtx_32 titanx_1 titanx_256 titanx_32 titanxp_1 titanxp_256 titanxp_32" doc:"device of the latencies; a number at the end is the batch size"`

	// Epochs says how long a full evaluation trains: 12 (0 means that), or 200,
	// where the accuracy is that on test data, because no other was recorded, and
	// designs can be measured with 12 epochs first.
	Epochs int `yaml:"epochs" default:"12" oneof:"12 200" doc:"training behind the accuracy: 12 epochs on validation data; or 200 on test data, with 12 as a lower fidelity"`

	// Disconnected says what becomes of the 341 cells whose output ignores
	// their input: "infeasible", or "keep" for their recorded values, which the
	// published comparisons of searchers include; "" means infeasible.
	Disconnected string `yaml:"disconnected" default:"infeasible" oneof:"infeasible keep" doc:"the 341 cells whose output ignores their input: infeasible, or keep what was recorded"`
}

// Problem is the benchmark for one data set and one device.
type Problem struct {
	options                 Options
	space                   *space.Space
	accuracy                []float64 // what Evaluate measures
	valid, test200, latency []float64
	params, flops           [7][7]float64 // by the number of 1×1 and 3×3 convolutions
}

// What the problem can do besides evaluating designs.
var (
	_ problem.Problem   = (*Problem)(nil)
	_ problem.Batcher   = (*Problem)(nil)
	_ problem.Graded    = (*Problem)(nil)
	_ problem.Estimator = (*Problem)(nil)
	_ problem.Verifier  = (*Problem)(nil)
	_ problem.Optimum   = (*Problem)(nil)
	_ problem.Describer = (*Problem)(nil)
	_ problem.Exporter  = (*Problem)(nil)
	_ problem.Drawer    = (*Problem)(nil)
	_ problem.Labeler   = (*Problem)(nil)
)

// New makes the problem, or says which option is wrong.
func New(o Options) (*Problem, error) {
	if o.Dataset == "" {
		o.Dataset = string(CIFAR10)
	}
	if o.Device == "" {
		o.Device = "pixel3"
	}
	if o.Disconnected == "" {
		o.Disconnected = "infeasible"
	}
	if choices := []string{"infeasible", "keep"}; !known(o.Disconnected, choices) {
		return nil, unknown("disconnected", o.Disconnected, choices)
	}
	if o.Epochs == 0 {
		o.Epochs = 12
	}
	if o.Epochs != 12 && o.Epochs != 200 {
		return nil, fmt.Errorf("nasbench201: epochs: found %d, want 12 or 200", o.Epochs)
	}
	p := &Problem{options: o, space: newSpace()}
	dataset := Dataset(o.Dataset)
	var err error
	if p.valid, err = Accuracies(dataset, Valid12); err != nil {
		return nil, err
	}
	if p.test200, err = Accuracies(dataset, Test200); err != nil {
		return nil, err
	}
	p.accuracy = p.valid
	if o.Epochs == 200 {
		p.accuracy = p.test200
	}
	if p.latency, err = Latencies(o.Device); err != nil {
		return nil, err
	}
	for a := range p.params {
		for b := range p.params[a][:7-a] {
			var ops [6]Op
			for e := range a + b {
				ops[e] = NorConv3x3
				if e < a {
					ops[e] = NorConv1x1
				}
			}
			p.params[a][b] = float64(CellOf(ops).Params(dataset)) / 1e6
			p.flops[a][b] = float64(CellOf(ops).FLOPs(dataset)) / 1e6
		}
	}
	return p, nil
}

func newSpace() *space.Space {
	nodes := make([]space.Node, len(edges))
	for e, ft := range edges {
		nodes[e] = space.Categorical(edgeName(e), opNames[:]...).
			Doc(fmt.Sprintf("operation from node %d to node %d", ft[0], ft[1]))
	}
	return space.MustNew(nodes...)
}

// Space returns six categorical parameters, one for each edge of the cell.
func (p *Problem) Space() *space.Space { return p.space }

// Metrics returns accuracy, latency_ms, params_m and flops_m.
func (p *Problem) Metrics() []metric.Metric {
	doc := "validation accuracy on " + p.options.Dataset + " after 12 epochs of training"
	if p.options.Epochs == 200 {
		doc = "test accuracy on " + p.options.Dataset + " after 200 epochs of training; at 12 epochs, validation accuracy"
	}
	return []metric.Metric{
		{Name: "accuracy", Unit: "%", Direction: metric.Maximize, Doc: doc},
		{Name: "latency_ms", Unit: "ms", Direction: metric.Minimize, Doc: "latency on " + p.options.Device},
		{Name: "params_m", Unit: "M", Direction: metric.Minimize, Doc: "trainable parameters, computed from the macro skeleton"},
		{Name: "flops_m", Unit: "M", Direction: metric.Minimize, Doc: "multiply-accumulate operations for one image, computed from the macro skeleton"},
	}
}

// Describe says what one evaluation is.
func (p *Problem) Describe() string {
	if p.options.Epochs == 200 {
		return fmt.Sprintf("looks up a NAS-Bench-201 cell: 200-epoch test accuracy on %s, or 12-epoch validation accuracy, latency on %s", p.options.Dataset, p.options.Device)
	}
	return fmt.Sprintf("looks up a NAS-Bench-201 cell: 12-epoch validation accuracy on %s, latency on %s", p.options.Dataset, p.options.Device)
}

// Cell returns the cell of a design of this problem's space, or of a space
// whose designs have the same form, such as a restriction of it.
func (p *Problem) Cell(d space.Design) (Cell, error) {
	if d.Space() != p.space {
		own, err := p.space.FromMap(d.Map())
		if err != nil {
			return 0, &problem.EvalError{Class: problem.ClassPermanent, Err: fmt.Errorf("nasbench201: the design belongs to another space: %w", err)}
		}
		d = own
	}
	var buf [6]space.Answer
	c := Cell(0)
	for _, a := range d.Decisions(buf[:0]) {
		c = 5*c + Cell(a.Index)
	}
	return c, nil
}

// Design returns the design of a cell.
func (p *Problem) Design(c Cell) space.Design {
	w := p.space.Walk()
	for _, o := range c.Ops() {
		w.Next()
		w.Choose(int(o))
	}
	d, err := w.Design()
	if err != nil { // every cell is a design of the space
		panic("nasbench201: " + err.Error())
	}
	return d
}

// check refuses the cells that the options call infeasible.
func (p *Problem) check(c Cell) error {
	if p.options.Disconnected == "infeasible" && !c.Connected() {
		return &problem.InfeasibleError{Reason: "nothing of the input reaches the output of the cell, so the network computes a constant"}
	}
	return nil
}

// set stores what Evaluate measures.
func (p *Problem) set(v metric.Values, c Cell) {
	v["accuracy"] = p.accuracy[c]
	v["latency_ms"] = p.latency[c]
	p.count(v, c)
}

// count stores what is known without measuring.
func (p *Problem) count(v metric.Values, c Cell) {
	a, b := c.count(NorConv1x1), c.count(NorConv3x3)
	v["params_m"] = p.params[a][b]
	v["flops_m"] = p.flops[a][b]
}

// Fidelity implements [problem.Graded]: 12 and 200 epochs, each a training of
// its own, if the options ask for 200.
func (p *Problem) Fidelity() problem.Fidelity {
	if p.options.Epochs != 200 {
		return problem.Fidelity{}
	}
	return problem.Fidelity{Name: "epochs", Min: 12, Max: 200, Levels: []float64{12, 200}, Whole: true}
}

// EvaluateAt implements [problem.Graded].
func (p *Problem) EvaluateAt(ctx context.Context, d space.Design, share float64, r problem.Reporter) (metric.Values, error) {
	v, err := p.Evaluate(ctx, d, r)
	if err != nil || !p.Fidelity().Graded() || p.Fidelity().Amount(share) == 200 {
		return v, err
	}
	c, err := p.Cell(d)
	if err != nil {
		return nil, err
	}
	v["accuracy"] = p.valid[c]
	return v, nil
}

// Estimates implements [problem.Estimator]: the parameters and the operations,
// and which cells are disconnected, are known without measuring.
func (p *Problem) Estimates() []string { return []string{"params_m", "flops_m"} }

// Estimate implements [problem.Estimator].
func (p *Problem) Estimate(d space.Design) (metric.Values, error) {
	c, err := p.Cell(d)
	if err != nil {
		return nil, err
	}
	if err := p.check(c); err != nil {
		return nil, err
	}
	v := make(metric.Values, 2)
	p.count(v, c)
	return v, nil
}

// Evaluate looks one cell up.
func (p *Problem) Evaluate(ctx context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := p.Cell(d)
	if err != nil {
		return nil, err
	}
	if err := p.check(c); err != nil {
		return nil, err
	}
	v := make(metric.Values, 4)
	p.set(v, c)
	return v, nil
}

// EvaluateBatch looks many cells up.
func (p *Problem) EvaluateBatch(ctx context.Context, designs []space.Design, out []problem.Result) {
	for i, d := range designs {
		v, err := p.Evaluate(ctx, d, nil)
		out[i] = problem.Result{Values: v, Err: err}
	}
}

// VerifyMetrics returns test_accuracy.
func (p *Problem) VerifyMetrics() []metric.Metric {
	return []metric.Metric{{
		Name: "test_accuracy", Unit: "%", Direction: metric.Maximize,
		Doc: "test accuracy on " + p.options.Dataset + " after 200 epochs of training, mean over the seeds",
	}}
}

// Verify looks up the accuracy of full training on test data.
func (p *Problem) Verify(ctx context.Context, d space.Design) (metric.Values, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := p.Cell(d)
	if err != nil {
		return nil, err
	}
	if err := p.check(c); err != nil {
		return nil, err
	}
	return metric.Values{"test_accuracy": p.test200[c]}, nil
}

// Optimum returns the values of every cell on the true front, found by looking
// at all of them. The goal may speak of test_accuracy too. If no cell keeps the
// goal's limits, the front is made of those that miss them least.
func (p *Problem) Optimum(ctx context.Context, goal metric.Goal) ([]metric.Values, error) {
	if err := goal.Check(append(p.Metrics(), p.VerifyMetrics()...)); err != nil {
		return nil, err
	}
	var front metric.Front[Cell]
	v := make(metric.Values, 5)
	for c := range Cell(Cells) {
		if c%1024 == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		if p.check(c) != nil {
			continue
		}
		p.set(v, c)
		v["test_accuracy"] = p.test200[c]
		front.Add(goal.Score(v), c)
	}
	values := make([]metric.Values, 0, front.Len())
	for _, c := range front.All() {
		v := make(metric.Values, 5)
		p.set(v, c)
		v["test_accuracy"] = p.test200[c]
		values = append(values, v)
	}
	return values, nil
}

// Formats returns "json" and "nb201".
func (p *Problem) Formats() []string { return []string{"json", "nb201"} }

// Export writes a design as JSON with the names and numbers by which the
// benchmark knows it, or as the benchmark's architecture string.
func (p *Problem) Export(w io.Writer, d space.Design, format string) error {
	c, err := p.Cell(d)
	if err != nil {
		return err
	}
	switch format {
	case "nb201":
		_, err = fmt.Fprintln(w, c)
		return err
	case "json":
		index, err := c.Index()
		if err != nil {
			return err
		}
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Benchmark string       `json:"benchmark"`
			Index     int          `json:"index"`
			Arch      string       `json:"arch"`
			Edges     space.Design `json:"edges"`
		}{"NAS-Bench-201", index, c.String(), p.Design(c)})
	}
	return unknown("export format", format, p.Formats())
}

// Label implements [problem.Labeler]: what enters each node, such as
// "3x3·0 | 1x1·0 + skip·1 | pool·0", where ·0 is the node it comes from.
// Operations that let nothing through are left out.
func (p *Problem) Label(d space.Design) string {
	c, err := p.Cell(d)
	if err != nil {
		return err.Error()
	}
	names := [...]string{"", "skip", "1x1", "3x3", "pool"}
	var nodes [4][]string
	for e, op := range c.Ops() {
		if name := names[op]; name != "" {
			nodes[edges[e][1]] = append(nodes[edges[e][1]], fmt.Sprintf("%s·%d", name, edges[e][0]))
		}
	}
	var b strings.Builder
	for i, in := range nodes[1:] {
		if i > 0 {
			b.WriteString(" | ")
		}
		if len(in) == 0 {
			b.WriteString("none")
		}
		b.WriteString(strings.Join(in, " + "))
	}
	return b.String()
}
