package tables

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/daedalus-search/daedalus/hardware/device"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
)

// Additive is a problem whose metrics are rising or falling functions of sums
// over the places of a design, each place adding what its setting is worth. It
// is safe for concurrent use. Its true fronts are found place by place: a part
// of a design that another part dominates cannot belong to the front.
type Additive struct {
	name     string
	space    *space.Space
	metrics  []metric.Metric
	sums     []sum
	settings int

	// legal says which settings a place can have; nil means all.
	legal func(place, setting int) bool

	// read writes the setting of each place, given the decisions.
	read    func(a []space.Answer, x []int)
	places  int
	scratch sync.Pool // *additiveScratch
}

type additiveScratch struct {
	answers []space.Answer
	x       []int
}

// A sum is one metric: link(base + Σ worth of the setting of every place).
type sum struct {
	base  float64
	worth []float64 // place by place
	link  func(float64) float64
	rises bool // the link
}

// newSum takes apart what the generator packed.
func newSum(column []float64, link func(float64) float64, rises bool) sum {
	return sum{base: column[0], worth: column[1:], link: link, rises: rises}
}

func plain(x float64) float64 { return x }

var (
	_ problem.Batcher   = (*Additive)(nil)
	_ problem.Optimum   = (*Additive)(nil)
	_ problem.Describer = (*Additive)(nil)
)

func (p *Additive) init() *Additive {
	p.places = len(p.sums[0].worth) / p.settings
	p.scratch.New = func() any { return &additiveScratch{x: make([]int, p.places)} }
	return p
}

// Space returns what may be built.
func (p *Additive) Space() *space.Space { return p.space }

// Metrics returns what is predicted of a design.
func (p *Additive) Metrics() []metric.Metric { return slices.Clone(p.metrics) }

// Describe says what one evaluation is.
func (p *Additive) Describe() string { return "predicts " + p.name }

// Evaluate adds up one design.
func (p *Additive) Evaluate(ctx context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if d.Space() != p.space { // a part of the space, for example
		own, err := p.space.FromMap(d.Map())
		if err != nil {
			return nil, &problem.EvalError{Class: problem.ClassPermanent, Err: fmt.Errorf("tables: the design belongs to another space: %w", err)}
		}
		d = own
	}
	s := p.scratch.Get().(*additiveScratch)
	defer p.scratch.Put(s)
	s.answers = d.Decisions(s.answers[:0])
	p.read(s.answers, s.x)
	return p.at(func(i int) int { return s.x[i] }), nil
}

// at returns the metrics of a design given by the setting of each place.
func (p *Additive) at(setting func(place int) int) metric.Values {
	v := make(metric.Values, len(p.metrics))
	for k := range p.sums {
		s := &p.sums[k]
		t := s.base
		for i := range p.places {
			t += s.worth[i*p.settings+setting(i)]
		}
		v[p.metrics[k].Name] = s.link(t)
	}
	return v
}

// EvaluateBatch adds up many designs.
func (p *Additive) EvaluateBatch(ctx context.Context, designs []space.Design, out []problem.Result) {
	for i, d := range designs {
		v, err := p.Evaluate(ctx, d, nil)
		out[i] = problem.Result{Values: v, Err: err}
	}
}

// mostFront is how many designs Optimum returns at most: of a larger front it
// returns some, spread evenly over it.
const mostFront = 2000

// Optimum returns the true front for one or two objectives without limits, at
// most 2,000 designs of it, evenly taken. Other goals are
// [errors.ErrUnsupported].
func (p *Additive) Optimum(ctx context.Context, goal metric.Goal) ([]metric.Values, error) {
	if err := goal.Check(p.metrics); err != nil {
		return nil, err
	}
	if len(goal.Limits) > 0 || len(goal.Objectives) > 2 {
		return nil, fmt.Errorf("tables: the true front of %s for this goal: %w", p.name, errors.ErrUnsupported)
	}
	var worth [2][]float64 // to be minimised
	for i, o := range goal.Objectives {
		if o.Target != nil {
			return nil, fmt.Errorf("tables: the true front of %s for a target: %w", p.name, errors.ErrUnsupported)
		}
		k := slices.IndexFunc(p.metrics, func(m metric.Metric) bool { return m.Name == o.Metric })
		worth[i] = p.sums[k].worth
		if p.sums[k].rises == (o.Direction == metric.Maximize) {
			worth[i] = scaled(worth[i], -1)
		}
	}
	if worth[1] == nil {
		worth[1] = make([]float64, len(worth[0]))
	}
	// A part is a way to set the first places.
	type part struct {
		sum     [2]float64
		before  int32
		setting uint8
	}
	stages := [][]part{{{}}}
	for i := range p.places {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		last := stages[i]
		next := make([]part, 0, len(last)*p.settings)
		for b := range last {
			for s := range p.settings {
				if p.legal != nil && !p.legal(i, s) {
					continue
				}
				at := i*p.settings + s
				next = append(next, part{[2]float64{last[b].sum[0] + worth[0][at], last[b].sum[1] + worth[1][at]}, int32(b), uint8(s)})
			}
		}
		slices.SortFunc(next, func(a, b part) int { return cmp.Or(cmp.Compare(a.sum[0], b.sum[0]), cmp.Compare(a.sum[1], b.sum[1])) })
		low, kept := 0.0, next[:0]
		for _, q := range next {
			if len(kept) == 0 || q.sum[1] < low-1e-12*(1+math.Abs(low)) { // sums in another order differ by rounding
				low, kept = q.sum[1], append(kept, q)
			}
		}
		stages = append(stages, slices.Clip(kept))
	}
	whole := stages[p.places]
	take := min(len(whole), mostFront)
	var out []metric.Values
	x := make([]int, p.places)
	for k := range take {
		at := 0
		if take > 1 {
			at = k * (len(whole) - 1) / (take - 1)
		}
		for i := p.places; i > 0; i-- {
			q := &stages[i][at]
			x[i-1], at = int(q.setting), int(q.before)
		}
		out = append(out, p.at(func(i int) int { return x[i] }))
	}
	return out, nil
}

// Accel predicts what Accel-NASBench (Ahmad, Dong, Benmeziane et al.,
// "Accel-NASBench: Sustainable Benchmarking for Accelerator-Aware NAS", DAC
// 2024) measured of 5,138 image classifiers: seven stages of mobile blocks,
// each with its expansion, kernel size, depth and squeeze-and-excitation, 36^6 · 48
// in all. The authors too search on a model fitted to their measurements; this
// one is a sum over the stages, of which the accuracy is a bounded function.
type Accel struct {
	Device string `yaml:"device" default:"vck190" oneof:"vck190 zcu102 a100 3090 tpuv2 tpuv3" doc:"accelerator of the throughput and, for vck190 and zcu102, the latency"` // "" means vck190
}

// accelLayers is the largest depth of a stage.
func accelLayers(stage int) int {
	if stage == 5 {
		return 4
	}
	return 3
}

// New makes the problem.
func (o Accel) New() (*Additive, error) {
	device, err := choose("accel: device", o.Device, []string{"vck190", "zcu102", "a100", "3090", "tpuv2", "tpuv3"})
	if err != nil {
		return nil, err
	}
	list := []string{"accuracy", "throughput_" + device, "macs", "params"}
	metrics := []metric.Metric{
		{Name: "accuracy", Unit: "%", Direction: metric.Maximize, Doc: "top-1 validation accuracy on ImageNet after a short training, predicted"},
		{Name: "throughput_ips", Unit: "1/s", Direction: metric.Maximize, Doc: "images a second on " + device + ", predicted"},
		{Name: "macs_m", Unit: "M", Direction: metric.Minimize, Doc: "multiply-accumulate operations for one image, predicted"},
		{Name: "params_m", Unit: "M", Direction: metric.Minimize, Doc: "trainable parameters, predicted"},
	}
	if device == "vck190" || device == "zcu102" {
		list = append(list, "latency_"+device)
		metrics = append(metrics, metric.Metric{Name: "latency_ms", Unit: "ms", Direction: metric.Minimize, Doc: "latency on " + device + ", predicted"})
	}
	c, err := load("accel", list...)
	if err != nil {
		return nil, err
	}
	sums := []sum{
		newSum(c[0], func(s float64) float64 { return 72.5 - math.Exp(-s) }, true),
		newSum(c[1], func(s float64) float64 { return 1000 / max(s, 1e-3) }, false),
	}
	for _, column := range c[2:] {
		sums = append(sums, newSum(column, plain, true))
	}
	var nodes []space.Node
	for i := range 7 {
		nodes = append(nodes, space.Group(fmt.Sprintf("stage%d", i+1),
			space.Ordinal("expansion", 1, 4, 6), space.Ordinal("kernel", 3, 5), space.Int("layers", 1, accelLayers(i)),
			space.Bool("se").Doc("squeeze-and-excitation")))
	}
	return (&Additive{
		name: "an image classifier on " + device + " as Accel-NASBench would measure it", space: space.MustNew(nodes...),
		metrics: metrics, sums: sums, settings: 48,
		legal: func(place, setting int) bool { return setting/2%4 < accelLayers(place) },
		read: func(a []space.Answer, x []int) {
			for i := range x {
				q := a[4*i:]
				x[i] = ((q[0].Index*2+q[1].Index)*4+q[2].Index)*2 + q[3].Index
			}
		},
	}).init(), nil
}

// FBNet predicts the latency of the networks of FBNet's space (Wu et al. 2019)
// on one of 27 devices from 5,000 that were timed (Lee et al., "Hardware-
// Adaptive Efficient Latency Prediction for NAS via Meta-Learning", NeurIPS
// 2021; Li et al., "HW-NAS-Bench", ICLR 2021): 22 layers with nine operations
// each. It knows no accuracy. The second metric is the multiply-accumulate
// operations, computed from the skeleton: with a budget of time, the more the
// better.
type FBNet struct {
	Device string `yaml:"device" default:"pixel3" oneof:"1080ti_1 1080ti_32 1080ti_64 2080ti_1 2080ti_32 2080ti_64 essential_ph_1 eyeriss fpga gold_6226 gold_6240 pixel2 pixel3 raspi4 samsung_a50 samsung_s7 silver_4114 silver_4210r titan_rtx_1 titan_rtx_32 titan_rtx_64 titanx_1 titanx_32 titanx_64 titanxp_1 titanxp_32 titanxp_64" doc:"device of the latency; a number at the end is the batch size"` // "" means pixel3
}

// The skeleton of FBNet: its operations, and the width and the stride of each
// layer.
var (
	fbnetOps    = device.FBNetBlocks()
	fbnetLayers = device.FBNetLayers()
)

// fbnetMACs returns the operations of each layer in millions: constant first,
// which holds the stem and the head.
func fbnetMACs() []float64 {
	const side, stem, head, classes = 32, 16, 1504, 100
	out := []float64{0}
	in, now := stem, side
	for _, l := range fbnetLayers {
		width, next := l[0], now/l[1]
		for _, op := range fbnetOps {
			macs := 0
			switch {
			case op.Kernel > 0:
				mid := in * op.Expand
				macs = now*now*in*mid/op.Groups + next*next*mid*op.Kernel*op.Kernel + next*next*mid*width/op.Groups
			case in != width || l[1] > 1: // a plain 1×1 convolution where the shape changes
				macs = next * next * in * width
			}
			out = append(out, float64(macs)/1e6)
		}
		in, now = width, next
	}
	out[0] = float64(side*side*3*stem*9+now*now*in*head+head*classes) / 1e6
	return out
}

// New makes the problem.
func (o FBNet) New() (*Additive, error) {
	f, err := open("fbnet")
	if err != nil {
		return nil, err
	}
	if o.Device == "" {
		o.Device = "pixel3"
	}
	device, err := choose("fbnet: device", o.Device, f.Names())
	if err != nil {
		return nil, err
	}
	latency, err := f.Column(device)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(fbnetOps))
	for i, op := range fbnetOps {
		names[i] = op.Name
	}
	nodes := make([]space.Node, len(fbnetLayers))
	for i := range nodes {
		nodes[i] = space.Categorical(fmt.Sprintf("layer%d", i+1), names...)
	}
	return (&Additive{
		name: "the latency of an FBNet on " + device, space: space.MustNew(nodes...),
		metrics: []metric.Metric{
			{Name: "latency_ms", Unit: "ms", Direction: metric.Minimize, Doc: "latency on " + device + ", predicted"},
			{Name: "macs_m", Unit: "M", Direction: metric.Maximize, Doc: "multiply-accumulate operations for one image, as a stand-in for capacity"},
		},
		sums:     []sum{newSum(latency, plain, true), newSum(fbnetMACs(), plain, true)},
		settings: len(fbnetOps),
		read: func(a []space.Answer, x []int) {
			for i := range x {
				x[i] = a[i].Index
			}
		},
	}).init(), nil
}
