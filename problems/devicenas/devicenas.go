package devicenas

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/daedalus-search/daedalus/hardware/device"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/nasbench201"
	"github.com/daedalus-search/daedalus/space"
)

// Options choose the networks, the device and how it is predicted. The zero
// value works.
type Options struct {
	Networks     string  `yaml:"networks" default:"nasbench201" oneof:"nasbench201 fbnet" doc:"the space: cells that were trained, or FBNet's 9^22 networks, whose accuracy nobody published"`                                                                                // "" means nasbench201
	Dataset      string  `yaml:"dataset" default:"cifar10" oneof:"cifar10 cifar100 imagenet16" doc:"data set of the accuracies of nasbench201"`                                                                                                                               // "" means cifar10
	Device       string  `yaml:"device" default:"pixel3" doc:"device to find networks for, as problems nasbench201 and fbnet-latency name them, or the one of a column lat_ms_… of the measurements"`                                                                         // "" means pixel3
	Predictor    string  `yaml:"predictor" default:"average" oneof:"average meta combine nearest monotone alone roofline measured" doc:"how the latency is predicted: with known devices (average to monotone), from the samples alone, by a fitted roofline, or not at all"` // "" means average
	Samples      int     `yaml:"samples" default:"10" min:"1" max:"300" doc:"networks measured on the device"`                                                                                                                                                                // 0 means 10
	Choose       string  `yaml:"choose" default:"diverse" oneof:"diverse spread random" doc:"which networks are measured"`                                                                                                                                                    // "" means diverse
	Seed         uint64  `yaml:"seed" doc:"seed of that choice"`
	TargetMS     float64 `yaml:"target_ms" min:"0" doc:"adds the metric reward, ArchGym's target/|target − latency|; 0 leaves it out"`
	Measurements string  `yaml:"measurements" doc:"a CSV of networks measured on a device of your own: ops (a digit a place) and lat_ms_<device>; then samples, choose and seed do not matter"`
	Model        string  `yaml:"model" doc:"a device model saved by package hardware/device; then predictor does not matter either"`

	Dir string `yaml:"-"` // where those files are; "" means here
}

// A family of networks, with what is known of it.
type family struct {
	space    *device.Space
	devices  []string
	truth    func(device string) (device.Model, error) // of all networks
	known    func(device string) (device.Model, error) // as one of the pool
	sample   func(seed uint64) []uint8                 // networks that could be measured
	dead     func(x []uint8) string                    // why a network is infeasible, or ""
	verified string                                    // name of the metric of the truth
	about    string                                    // and its documentation
	metrics  func(dataset string) ([]metric.Metric, func(x []uint8, v metric.Values), error)
	judge    func(dataset string) (*metric.Metric, func(x []uint8) float64, error)
}

// Problem is the search with a predicted latency. It is safe for concurrent use.
type Problem struct {
	options  Options
	family   *family
	space    *space.Space
	metrics  []metric.Metric
	set      func(x []uint8, v metric.Values) // all but the latency
	model    device.Model
	samples  device.Timings          // none with a saved model or exact latencies
	roofline func() *device.Roofline // nil without a datasheet
	scratch  sync.Pool
}

// Complete is a [Judged] problem on NAS-Bench-201, whose true fronts are known.
type Complete struct{ *Judged }

// Judged is a [Problem] of a device whose true latencies are known.
type Judged struct {
	*Problem
	truth  device.Model
	verify []metric.Metric
	test   func(x []uint8) float64 // nil where there is none
}

var (
	_ problem.Batcher   = (*Problem)(nil)
	_ problem.Estimator = (*Problem)(nil)
	_ problem.Drawer    = (*Problem)(nil)
	_ problem.Exporter  = (*Problem)(nil)
	_ problem.Labeler   = (*Problem)(nil)
	_ problem.Describer = (*Problem)(nil)
	_ problem.Verifier  = (*Judged)(nil)
	_ problem.Optimum   = (*Complete)(nil)
)

// New makes the problem: a [*Complete] one on NAS-Bench-201, a [*Judged] one of
// FBNet's networks, or a [*Problem] of a device of your own.
func (o Options) New() (problem.Problem, error) {
	var errs []error
	choose := func(name string, v *string, words ...string) {
		if *v == "" {
			*v = words[0]
		}
		if !slices.Contains(words, *v) {
			errs = append(errs, unknown(name, *v, words))
		}
	}
	choose("networks", &o.Networks, "nasbench201", "fbnet")
	choose("dataset", &o.Dataset, "cifar10", "cifar100", "imagenet16")
	choose("predictor", &o.Predictor, append(device.TransferMethods(), "roofline", "measured")...)
	choose("choose", &o.Choose, device.Choices()...)
	if o.Samples == 0 {
		o.Samples = 10
	}
	if o.Samples < 1 || o.Samples > 300 {
		errs = append(errs, fmt.Errorf("device-nas: samples: found %d, want 1 to 300, or 0 for 10", o.Samples))
	}
	if !(o.TargetMS >= 0 && o.TargetMS <= math.MaxFloat64) {
		errs = append(errs, fmt.Errorf("device-nas: target_ms: found %v, want a positive number, or 0 for no reward", o.TargetMS))
	}
	if o.Measurements != "" && o.Model != "" {
		errs = append(errs, errors.New("device-nas: measurements and model: found both, want one: a model needs no measurements"))
	}
	if o.Predictor == "measured" && (o.Measurements != "" || o.Model != "") {
		errs = append(errs, errors.New("device-nas: predictor: measured latencies of all networks are known only of the devices of the program; want another predictor, or no file"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	f, err := families[o.Networks]()
	if err != nil {
		return nil, err
	}
	p := &Problem{options: o, family: f}
	p.scratch.New = func() any { return &scratch{} }
	var nodes []space.Node
	for _, place := range f.space.Places() {
		nodes = append(nodes, space.Categorical(place.Name, place.Settings...))
	}
	if p.space, err = space.New(nodes...); err != nil {
		return nil, err
	}
	own := o.Measurements != "" || o.Model != ""
	if err := p.learn(own); err != nil {
		return nil, err
	}
	p.roofline = sync.OnceValue(p.explain)
	metrics, set, err := f.metrics(o.Dataset)
	if err != nil {
		return nil, err
	}
	how := "latency on " + p.options.Device + ", " + p.how()
	p.metrics = append(metrics, metric.Metric{Name: "latency_ms", Unit: "ms", Direction: metric.Minimize, Doc: how})
	if o.TargetMS > 0 {
		p.metrics = append(p.metrics, metric.Metric{Name: "reward", Direction: metric.Maximize, Doc: fmt.Sprintf("ArchGym's target/|target − latency| for a target of %g ms", o.TargetMS)})
	}
	p.set = set
	if own {
		return p, nil
	}
	j := &Judged{Problem: p}
	if j.truth, err = f.truth(p.options.Device); err != nil {
		return nil, err
	}
	j.verify = []metric.Metric{{Name: f.verified, Unit: "ms", Direction: metric.Minimize, Doc: fmt.Sprintf(f.about, p.options.Device)}}
	m, test, err := f.judge(o.Dataset)
	if err != nil {
		return nil, err
	}
	if m != nil {
		j.verify, j.test = append(j.verify, *m), test
	}
	if o.Networks == "nasbench201" {
		return &Complete{j}, nil
	}
	return j, nil
}

// how says where the latency comes from.
func (p *Problem) how() string {
	switch {
	case p.options.Model != "":
		return "predicted by " + filepath.Base(p.options.Model)
	case p.options.Predictor == "measured":
		return "as it was measured"
	}
	return fmt.Sprintf("predicted (%s) from %d measured networks", p.options.Predictor, len(p.samples.MS))
}

// learn makes the model of the device.
func (p *Problem) learn(own bool) error {
	o := &p.options
	f := p.family
	open := func(name string) (*os.File, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(o.Dir, name)
		}
		file, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("device-nas: %w", err)
		}
		return file, nil
	}
	if o.Device == "" && !own {
		o.Device = "pixel3"
	}
	if !own && !slices.Contains(f.devices, o.Device) {
		return unknown("device", o.Device, f.devices)
	}
	switch {
	case o.Model != "":
		file, err := open(o.Model)
		if err != nil {
			return err
		}
		defer file.Close()
		if p.model, err = device.Load(file, f.space, o.Device); err != nil {
			return fmt.Errorf("device-nas: model: %s: %w", o.Model, err)
		}
		o.Device = p.model.Device()
		return nil
	case o.Measurements != "":
		file, err := open(o.Measurements)
		if err != nil {
			return err
		}
		defer file.Close()
		m, err := device.ReadMeasurements(file, o.Measurements, f.space)
		if err != nil {
			return fmt.Errorf("device-nas: measurements: %w", err)
		}
		if o.Device == "" {
			if len(m.Devices) > 1 {
				return fmt.Errorf("device-nas: device: %s has %d of them; want one of %s", o.Measurements, len(m.Devices), strings.Join(m.Devices, ", "))
			}
			o.Device = m.Devices[0]
		}
		if !slices.Contains(m.Devices, o.Device) {
			return unknown("device", o.Device, m.Devices)
		}
		p.samples = m.Of(o.Device)
	case o.Predictor == "measured":
		var err error
		p.model, err = f.truth(o.Device)
		return err
	}
	var pool []device.Model
	for _, d := range f.devices {
		if own || device.Family(d) != device.Family(o.Device) {
			m, err := f.known(d)
			if err != nil {
				return err
			}
			pool = append(pool, m)
		}
	}
	if !own {
		truth, err := f.truth(o.Device)
		if err != nil {
			return err
		}
		candidates := f.sample(o.Seed)
		rows, err := device.Choose(pool, f.space, candidates, o.Samples, o.Choose, rng.New(o.Seed, "device-nas/choose", 0))
		if err != nil {
			return fmt.Errorf("device-nas: samples: %w", err)
		}
		n := len(f.space.Places())
		p.samples = device.Timings{Space: f.space, Device: o.Device}
		for _, r := range rows {
			x := candidates[r*n : (r+1)*n]
			p.samples.X, p.samples.MS = append(p.samples.X, x...), append(p.samples.MS, truth.LatencyMS(x))
		}
	}
	if o.Predictor == "roofline" {
		r := p.fitted(p.samples)
		if r == nil {
			_, err := device.Datasheet(o.Device)
			return fmt.Errorf("device-nas: predictor: roofline: %w", err)
		}
		p.model = r
		return nil
	}
	m, err := device.TransferOptions{Method: o.Predictor}.Fit(pool, p.samples)
	if err != nil {
		return fmt.Errorf("device-nas: %w", err)
	}
	p.model = m
	return nil
}

// fitted returns the roofline of the device, fitted to timings; nil without a
// datasheet.
func (p *Problem) fitted(t device.Timings) *device.Roofline {
	h, err := device.Datasheet(p.options.Device)
	if err != nil {
		return nil
	}
	batch := 1
	if f := device.Family(p.options.Device); f != p.options.Device {
		fmt.Sscanf(p.options.Device[len(f)+1:], "%d", &batch)
	}
	r, err := device.NewRoofline(p.family.space, h, batch, device.FP32)
	if err != nil {
		return nil
	}
	if r, err = r.Fit(t); err != nil {
		return nil
	}
	return r
}

// explain makes the roofline that is drawn: one that takes as long as the model
// says, since ten networks do not tell the kinds of layers apart.
func (p *Problem) explain() *device.Roofline {
	t := device.Timings{Space: p.family.space, Device: p.options.Device, X: p.family.sample(1)}
	n := len(t.Space.Places())
	t.X = t.X[:300*n]
	for i := range 300 {
		t.MS = append(t.MS, p.model.LatencyMS(t.Network(i)))
	}
	return p.fitted(t)
}

// Space returns a categorical parameter for each place of the network.
func (p *Problem) Space() *space.Space { return p.space }

// Metrics returns what is known of a network, and its predicted latency.
func (p *Problem) Metrics() []metric.Metric { return slices.Clone(p.metrics) }

// Describe says what one evaluation is.
func (p *Problem) Describe() string {
	return fmt.Sprintf("looks up a network of %s; latency on %s %s", p.options.Networks, p.options.Device, p.how())
}

// Model returns the model of the device, which [device.Save] keeps.
func (p *Problem) Model() device.Model { return p.model }

// Samples returns the networks that were measured on the device.
func (p *Problem) Samples() device.Timings { return p.samples }

type scratch struct {
	answers []space.Answer
	x       []uint8
}

// read calls f with the network of a design of this problem's space, or of a
// space whose designs have the same form, unless it cannot work.
func (p *Problem) read(d space.Design, f func(x []uint8)) error {
	if d.Space() != p.space {
		own, err := p.space.FromMap(d.Map())
		if err != nil {
			return &problem.EvalError{Class: problem.ClassPermanent, Err: fmt.Errorf("device-nas: the design belongs to another space: %w", err)}
		}
		d = own
	}
	s := p.scratch.Get().(*scratch)
	defer p.scratch.Put(s)
	s.answers = d.Decisions(s.answers[:0])
	s.x = s.x[:0]
	for _, a := range s.answers {
		s.x = append(s.x, uint8(a.Index))
	}
	if why := p.family.dead(s.x); why != "" {
		return &problem.InfeasibleError{Reason: why}
	}
	f(s.x)
	return nil
}

func (p *Problem) values(x []uint8) metric.Values {
	v := make(metric.Values, len(p.metrics)+2)
	p.set(x, v)
	v["latency_ms"] = p.model.LatencyMS(x)
	if p.options.TargetMS > 0 {
		v["reward"] = device.TargetReward(p.options.TargetMS, v["latency_ms"])
	}
	return v
}

// Evaluate looks one network up and predicts its latency.
func (p *Problem) Evaluate(ctx context.Context, d space.Design, _ problem.Reporter) (v metric.Values, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = p.read(d, func(x []uint8) { v = p.values(x) })
	return v, err
}

// EvaluateBatch evaluates many networks.
func (p *Problem) EvaluateBatch(ctx context.Context, designs []space.Design, out []problem.Result) {
	for i, d := range designs {
		v, err := p.Evaluate(ctx, d, nil)
		out[i] = problem.Result{Values: v, Err: err}
	}
}

// Estimates names what is computed and not measured or predicted.
func (p *Problem) Estimates() []string {
	var out []string
	for _, m := range p.metrics {
		if m.Name == "params_m" || m.Name == "macs_m" {
			out = append(out, m.Name)
		}
	}
	return out
}

// Estimate computes it.
func (p *Problem) Estimate(d space.Design) (v metric.Values, err error) {
	err = p.read(d, func(x []uint8) {
		all := make(metric.Values, 4)
		p.set(x, all)
		v = metric.Values{}
		for _, name := range p.Estimates() {
			v[name] = all[name]
		}
	})
	return v, err
}

// VerifyMetrics returns the true latency and, of networks that were trained, the
// test accuracy.
func (j *Judged) VerifyMetrics() []metric.Metric { return slices.Clone(j.verify) }

func (j *Judged) judge(x []uint8, v metric.Values) {
	v[j.verify[0].Name] = j.truth.LatencyMS(x)
	if j.test != nil {
		v[j.verify[1].Name] = j.test(x)
	}
}

// Verify looks up what the search did not see.
func (j *Judged) Verify(ctx context.Context, d space.Design) (v metric.Values, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = j.read(d, func(x []uint8) {
		v = make(metric.Values, 2)
		j.judge(x, v)
	})
	return v, err
}

// Optimum returns the values of every network on the true front for a goal,
// which may speak of what Verify measures too, by looking at all of them.
func (j *Complete) Optimum(ctx context.Context, goal metric.Goal) ([]metric.Values, error) {
	if err := goal.Check(slices.Concat(j.metrics, j.verify)); err != nil {
		return nil, err
	}
	var front metric.Front[int]
	var all []metric.Values
	x := make([]uint8, len(j.family.space.Places()))
	for c := range nasbench201.Cell(nasbench201.Cells) {
		if c%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		for i, op := range c.Ops() {
			x[i] = uint8(op)
		}
		if j.family.dead(x) != "" {
			continue
		}
		v := j.values(x)
		j.judge(x, v)
		all = append(all, v)
		front.Add(goal.Score(v), len(all)-1)
	}
	out := make([]metric.Values, 0, front.Len())
	for _, i := range front.All() {
		out = append(out, all[i])
	}
	return out, nil
}

// Label writes the settings one after the other, such as "k3_e1 skip k5_e6".
func (p *Problem) Label(d space.Design) string {
	s := ""
	err := p.read(d, func(x []uint8) { s = p.label(x) })
	var dead *problem.InfeasibleError
	if errors.As(err, &dead) {
		return dead.Reason
	}
	if err != nil {
		return err.Error()
	}
	return s
}

func (p *Problem) label(x []uint8) string {
	var words []string
	for i, place := range p.family.space.Places() {
		w := place.Settings[x[i]]
		if short, ok := shortNames[w]; ok {
			w = short
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

var shortNames = map[string]string{"skip_connect": "skip", "nor_conv_1x1": "1x1", "nor_conv_3x3": "3x3", "avg_pool_3x3": "pool"}

// Formats returns "json".
func (p *Problem) Formats() []string { return []string{"json"} }

// Export writes a network as JSON: its settings, what its layers compute and
// move, and what is predicted of it and how.
func (p *Problem) Export(w io.Writer, d space.Design, format string) error {
	if format != "json" {
		return unknown("export format", format, p.Formats())
	}
	type layer struct {
		Op      string  `json:"op"`
		MACs    float64 `json:"macs"`
		In      float64 `json:"in"`
		Out     float64 `json:"out"`
		Weights float64 `json:"weights"`
	}
	out := struct {
		Networks  string       `json:"networks"`
		Network   space.Design `json:"network"`
		Device    string       `json:"device"`
		Latency   string       `json:"latency"`
		LatencyMS float64      `json:"latency_ms"`
		Layers    []layer      `json:"layers"`
	}{Networks: p.options.Networks, Network: d, Device: p.options.Device, Latency: p.how()}
	err := p.read(d, func(x []uint8) {
		out.LatencyMS = p.model.LatencyMS(x)
		for _, l := range p.family.space.Layers(x) {
			out.Layers = append(out.Layers, layer{l.Op.String(), l.MACs, l.In, l.Out, l.Weights})
		}
	})
	if err != nil {
		return err
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

func unknown(what, found string, words []string) error {
	hint := ""
	if near, ok := source.Nearest(found, words); ok {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	return fmt.Errorf("device-nas: %s: found %q, want one of %s%s", what, found, strings.Join(words, ", "), hint)
}
