package dram

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	sim "github.com/daedalus-search/daedalus/hardware/dram"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
)

// Options choose memory, load and goals. The zero value works: ArchGym's memory
// and all four of its traces.
type Options struct {
	// Traces are what the controller is measured on: names of [sim.Traces],
	// generators for [sim.ParseGenerator], or paths of .stl files; with " + "
	// between them, clients that share a port.
	Traces []string `yaml:"traces" doc:"what is run, one after the other: stream, random, cloud-1, cloud-2 (all four by default), generators such as random(seed=2, writes=0.5), chase(range=65536) or strided(stride=8192), or .stl files; clients that share a port are joined by +, such as stream + random"`

	// Memory is a name of [sim.Memories] or the path of a memory specification.
	Memory string `yaml:"memory" default:"ddr3-1600" doc:"ddr3-1600, ddr4-1866, ddr4-2400, lpddr4-3200, hbm2, or a memory specification of DRAMSys (.json), which needs a map"` // "" means ddr3-1600
	Map    string `yaml:"map" doc:"address map of DRAMSys (.json); by default that of the memory"`
	Wrap   bool   `yaml:"wrap" default:"false" doc:"addresses above the memory count without their upper bits, as in DRAMSys; otherwise they are an error"`

	TraceMHz float64 `yaml:"trace_mhz" default:"0" min:"0" max:"100000" doc:"clock of the cycles in .stl files and generators; 0 means that of the memory"`
	Active   string  `yaml:"active" default:"powers" oneof:"powers all" doc:"values of MaxActiveTransactions: the powers of two up to 128, or all numbers up to 128"` // "" means powers

	Target          string  `yaml:"target" default:"none" oneof:"none power latency both" doc:"adds ArchGym's reward, target ÷ |target − measured|, of power, of latency, or their product"` // "" means none
	TargetLatencyMS float64 `yaml:"target_latency_ms" default:"0.1" min:"0" doc:"latency that the reward wants, ms"`                                                                         // 0 means 0.1
	TargetPowerW    float64 `yaml:"target_power_w" default:"1" min:"0" doc:"power that the reward wants, W"`                                                                                 // 0 means 1

	Compat string `yaml:"compat" default:"none" oneof:"none archgym_units" doc:"archgym_units: latencies as ArchGym reads them, 1000 times too small if a run ends on a whole nanosecond"` // "" means none
}

// In returns the options with the paths that are in them taken from a folder.
func (o Options) In(dir string) Options {
	from := func(p *string, suffix string) {
		if strings.HasSuffix(*p, suffix) && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	o.Traces = slices.Clone(o.Traces)
	for i := range o.Traces {
		parts := strings.Split(o.Traces[i], " + ")
		for j := range parts {
			from(&parts[j], ".stl")
		}
		o.Traces[i] = strings.Join(parts, " + ")
	}
	from(&o.Memory, ".json")
	from(&o.Map, ".json")
	return o
}

// maxReward is what a reward is when the target is met exactly, where ArchGym's
// is infinite.
const maxReward = 1e9

// Problem is the search for one memory and its traces.
type Problem struct {
	options Options
	memory  *sim.Memory
	loads   []*sim.Load
	space   *space.Space
	metrics []metric.Metric
	suffix  []string // of the metrics of each trace; none if there is one trace
	oneWay  bool     // every trace only reads, or only writes
	pool    *sync.Pool
}

var (
	_ problem.Problem   = (*Problem)(nil)
	_ problem.Canonical = (*Problem)(nil)
	_ problem.Labeler   = (*Problem)(nil)
	_ problem.Describer = (*Problem)(nil)
	_ problem.Exporter  = (*Problem)(nil)
	_ problem.Drawer    = (*Problem)(nil)
)

func wrong(option, format string, args ...any) error {
	return fmt.Errorf("dram: %s: %w", option, fmt.Errorf(format, args...))
}

// New makes the problem, or says which option is wrong.
func (o Options) New() (*Problem, error) {
	for _, x := range []struct {
		name  string
		value *string
		words []string
	}{
		{"active", &o.Active, []string{"powers", "all"}},
		{"target", &o.Target, []string{"none", "power", "latency", "both"}},
		{"compat", &o.Compat, []string{"none", "archgym_units"}},
	} {
		if *x.value == "" {
			*x.value = x.words[0]
		}
		if !slices.Contains(x.words, *x.value) {
			return nil, wrong(x.name, "found %q, want one of %s", *x.value, strings.Join(x.words, ", "))
		}
	}
	if o.TargetLatencyMS == 0 {
		o.TargetLatencyMS = 0.1
	}
	if o.TargetPowerW == 0 {
		o.TargetPowerW = 1
	}
	if !(o.TargetLatencyMS > 0 && o.TargetLatencyMS < 1e9) {
		return nil, wrong("target_latency_ms", "found %v, want a positive number of milliseconds", o.TargetLatencyMS)
	}
	if !(o.TargetPowerW > 0 && o.TargetPowerW < 1e9) {
		return nil, wrong("target_power_w", "found %v, want a positive number of watts", o.TargetPowerW)
	}
	if o.TraceMHz != 0 && !(o.TraceMHz >= 1 && o.TraceMHz <= 1e5) {
		return nil, wrong("trace_mhz", "found %v, want 1 to 100000, or 0 for the clock of the memory", o.TraceMHz)
	}
	if len(o.Traces) == 0 {
		o.Traces = sim.Traces()
	}
	p := &Problem{options: o, space: newSpace(o.Active == "all"), pool: &sync.Pool{New: func() any { return sim.NewSimulator() }}}
	var err error
	if p.memory, err = o.memory(); err != nil {
		return nil, err
	}
	if !p.memory.Spec.HasCurrents() && (o.Target == "power" || o.Target == "both") {
		return nil, wrong("target", "found %s, want none or latency: %s has no currents, so its power is not known", o.Target, p.memory.Spec.Name)
	}
	p.oneWay = true
	taken := map[string]bool{}
	for i, name := range o.Traces {
		t, err := o.trace(name)
		if err != nil {
			return nil, wrong(fmt.Sprintf("traces: number %d", i+1), "%w", err)
		}
		load := p.memory.Load
		if o.Wrap {
			load = p.memory.LoadWrapped
		}
		l, err := load(t)
		if err != nil {
			return nil, err
		}
		p.loads = append(p.loads, l)
		p.oneWay = p.oneWay && (l.Reads() == 0 || l.Reads() == l.Len())
		suffix := "_" + clean(t.Name)
		for n := 2; taken[suffix]; n++ {
			suffix = fmt.Sprintf("_%s_%d", clean(t.Name), n)
		}
		taken[suffix] = true
		p.suffix = append(p.suffix, suffix)
	}
	p.metrics = p.newMetrics()
	return p, nil
}

// clean makes part of a metric's name of a trace's.
func clean(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}

func (o *Options) memory() (*sim.Memory, error) {
	name := o.Memory
	if name == "" {
		name = "ddr3-1600"
	}
	file := strings.HasSuffix(name, ".json")
	if !file && o.Map == "" {
		m, err := sim.Builtin(name)
		if err != nil {
			return nil, fmt.Errorf("dram: %w", err)
		}
		return m, nil
	}
	if o.Map == "" {
		return nil, wrong("map", "found nothing, want the path of an address map: %s says what the memory is, not which bits of an address are a bank", name)
	}
	var s sim.Spec
	if file {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, wrong("memory", "%w", err)
		}
		if s, err = sim.ReadSpec(name, text); err != nil {
			return nil, wrong("memory", "%w", err)
		}
	} else {
		m, err := sim.Builtin(name)
		if err != nil {
			return nil, fmt.Errorf("dram: %w", err)
		}
		s = m.Spec
	}
	text, err := os.ReadFile(o.Map)
	if err != nil {
		return nil, wrong("map", "%w", err)
	}
	m, err := sim.ReadAddressMap(o.Map, text)
	if err != nil {
		return nil, wrong("map", "%w", err)
	}
	return sim.NewMemory(s, m)
}

func (o *Options) trace(name string) (sim.Trace, error) {
	if parts := strings.Split(name, " + "); len(parts) > 1 { // clients of one port
		clients := make([]sim.Trace, len(parts))
		for i, part := range parts {
			var err error
			if clients[i], err = o.trace(strings.TrimSpace(part)); err != nil {
				return sim.Trace{}, err
			}
		}
		return sim.Merge(strings.ReplaceAll(name, " ", ""), clients...)
	}
	var t sim.Trace
	switch {
	case strings.HasSuffix(name, ".stl"):
		f, err := os.Open(name)
		if err != nil {
			return t, err
		}
		defer f.Close()
		if t, err = sim.ReadSTL(f, name); err != nil {
			return t, err
		}
		t.Name = filepath.Base(t.Name)
	case strings.Contains(name, "("):
		g, err := sim.ParseGenerator(name)
		if err != nil {
			return t, err
		}
		if t, err = g.Trace(); err != nil {
			return t, err
		}
	default:
		return sim.BuiltinTrace(name)
	}
	t.ClockMHz = o.TraceMHz
	return t, nil
}

// Parameters are the names of the ten parameters, in the order of the space.
var Parameters = []string{"PagePolicy", "Scheduler", "SchedulerBuffer", "RequestBufferSize", "RespQueue", "RefreshPolicy", "RefreshMaxPostponed", "RefreshMaxPulledin", "Arbiter", "MaxActiveTransactions"}

// newSpace is the space of ArchGym's file default_dramsys.yaml: 1,769,472
// designs, or 28,311,552 with all values of MaxActiveTransactions.
func newSpace(all bool) *space.Space {
	active := space.Ordinal("MaxActiveTransactions", 1, 2, 4, 8, 16, 32, 64, 128)
	if all {
		active = space.Int("MaxActiveTransactions", 1, 128).Log()
	}
	return space.MustNew(
		space.Categorical("PagePolicy", sim.PagePolicies...).Doc("when an open row is closed"),
		space.Categorical("Scheduler", sim.Schedulers...).Doc("which request a bank serves next"),
		space.Categorical("SchedulerBuffer", sim.Buffers...).Doc("how the places for waiting requests are shared"),
		space.Int("RequestBufferSize", 1, 8).Doc("places"),
		space.Categorical("RespQueue", sim.RespQueues...).Doc("order in which the controller answers"),
		space.Categorical("RefreshPolicy", sim.RefreshPolicies...).Doc("whether the memory is refreshed"),
		space.Int("RefreshMaxPostponed", 1, 8).Doc("refreshes that busy banks may put off"),
		space.Int("RefreshMaxPulledin", 1, 8).Doc("refreshes that idle banks may do ahead"),
		space.Categorical("Arbiter", sim.Arbiters...).Doc("what stands between client and controller"),
		active.Doc("requests in flight of a Fifo or Reorder arbiter"),
	)
}

// Space returns ArchGym's ten parameters.
func (p *Problem) Space() *space.Space { return p.space }

// Memory returns the memory, for those who want to simulate more.
func (p *Problem) Memory() *sim.Memory { return p.memory }

// Loads returns the decoded traces.
func (p *Problem) Loads() []*sim.Load { return slices.Clone(p.loads) }

// Metrics returns those of all traces, then those of each.
func (p *Problem) Metrics() []metric.Metric { return slices.Clone(p.metrics) }

func (p *Problem) newMetrics() []metric.Metric {
	var out []metric.Metric
	add := func(name, unit string, d metric.Direction, doc string) {
		out = append(out, metric.Metric{Name: name, Unit: unit, Direction: d, Doc: doc})
	}
	all := "the trace"
	if len(p.loads) > 1 {
		all = "all traces, one after the other"
	}
	energy := p.memory.Spec.HasCurrents()
	compat := ""
	if p.options.Compat == "archgym_units" {
		compat = ", as ArchGym reads it: 1000 times too small on a whole nanosecond"
	}
	add("latency_ms", "ms", metric.Minimize, "until the last answer to "+all+compat)
	if energy {
		add("energy_mj", "mJ", metric.Minimize, "of all devices for "+all)
		add("power_w", "W", metric.Minimize, "mean of all devices over "+all)
	}
	add("request_ns", "ns", metric.Minimize, "mean time from asking to the answer, over all requests")
	worst := ""
	if len(p.loads) > 1 {
		worst = ", of the trace where it is longest"
	}
	add("request_p99_ns", "ns", metric.Minimize, "time that 99 % of the requests do not exceed"+worst)
	add("bandwidth_gbs", "GB/s", metric.Maximize, "10⁹ bytes a second over "+all)
	add("row_hits", "share", metric.Maximize, "requests that find their row open")
	switch p.options.Target {
	case "power":
		add("reward", "", metric.Maximize, fmt.Sprintf("ArchGym's: %g W ÷ the distance of the power from it", p.options.TargetPowerW))
	case "latency":
		add("reward", "", metric.Maximize, fmt.Sprintf("ArchGym's: %g ms ÷ the distance of the latency from it", p.options.TargetLatencyMS))
	case "both":
		add("reward", "", metric.Maximize, fmt.Sprintf("ArchGym's: the product of %g W and %g ms ÷ the distances from them", p.options.TargetPowerW, p.options.TargetLatencyMS))
	}
	if len(p.loads) > 1 {
		for i, l := range p.loads {
			s := p.suffix[i]
			add("latency_ms"+s, "ms", metric.Minimize, "until the last answer to "+l.Trace+compat)
			if energy {
				add("energy_mj"+s, "mJ", metric.Minimize, "of all devices for "+l.Trace)
			}
			add("request_ns"+s, "ns", metric.Minimize, "mean time from asking to the answer of "+l.Trace)
		}
	}
	return out
}

// Describe says what one evaluation is.
func (p *Problem) Describe() string {
	names := make([]string, len(p.loads))
	requests := 0
	for i, l := range p.loads {
		names[i] = l.Trace
		requests += l.Len()
	}
	return fmt.Sprintf("simulates %d requests (%s) to %s under a memory controller", requests, strings.Join(names, ", "), p.memory.Spec.Name)
}

// Controller returns the controller of a design of this problem's space, or of a
// space whose designs have the same form.
func (p *Problem) Controller(d space.Design) (sim.Controller, error) {
	if d.Space() != p.space {
		own, err := p.space.FromMap(d.Map())
		if err != nil {
			return sim.Controller{}, &problem.EvalError{Class: problem.ClassPermanent, Err: fmt.Errorf("dram: the design belongs to another space: %w", err)}
		}
		d = own
	}
	var buf [10]space.Answer
	var v [10]int
	for i, a := range d.Decisions(buf[:0]) {
		v[i] = a.Index
	}
	c := sim.Controller{
		PagePolicy: sim.PagePolicy(v[0]), Scheduler: sim.Scheduler(v[1]), SchedulerBuffer: sim.Buffer(v[2]), RequestBufferSize: 1 + v[3],
		RespQueue: sim.RespQueue(v[4]), RefreshPolicy: sim.RefreshPolicy(v[5]), RefreshMaxPostponed: 1 + v[6], RefreshMaxPulledin: 1 + v[7],
		Arbiter: sim.Arbiter(v[8]), MaxActiveTransactions: 1 << v[9],
	}
	if p.options.Active == "all" {
		c.MaxActiveTransactions = 1 + v[9]
	}
	return c, nil
}

// Design returns the design of a controller, or says that the space has none.
func (p *Problem) Design(c sim.Controller) (space.Design, error) {
	return p.space.FromMap(map[string]any{
		"PagePolicy": c.PagePolicy.String(), "Scheduler": c.Scheduler.String(), "SchedulerBuffer": c.SchedulerBuffer.String(), "RequestBufferSize": float64(max(c.RequestBufferSize, 1)),
		"RespQueue": c.RespQueue.String(), "RefreshPolicy": c.RefreshPolicy.String(), "RefreshMaxPostponed": float64(max(c.RefreshMaxPostponed, 1)), "RefreshMaxPulledin": float64(max(c.RefreshMaxPulledin, 1)),
		"Arbiter": c.Arbiter.String(), "MaxActiveTransactions": float64(max(c.MaxActiveTransactions, 1)),
	})
}

// Evaluate simulates every trace.
func (p *Problem) Evaluate(ctx context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := p.Controller(d)
	if err != nil {
		return nil, err
	}
	return p.measure(ctx, c)
}

// total adds up traces.
type total struct {
	timeMS, latencyMS, energyMJ, powered, requestNS, p99NS, bytes float64
	requests, hits                                                int
}

func (p *Problem) measure(ctx context.Context, c sim.Controller) (metric.Values, error) {
	s := p.pool.Get().(*sim.Simulator)
	defer p.pool.Put(s)
	v := make(metric.Values, len(p.metrics))
	var t total
	for i, l := range p.loads {
		r, err := s.Run(ctx, l, c)
		if err != nil {
			return nil, err
		}
		if keep := p.memory.Spec.RetentionMS(); c.RefreshPolicy == sim.NoRefresh && r.TimeMS() > keep {
			return nil, &problem.InfeasibleError{Reason: fmt.Sprintf("%s takes %.4g ms without a refresh, and %s keeps its data for %.4g ms", l.Trace, r.TimeMS(), p.memory.Spec.Name, keep)}
		}
		p.add(v, &t, i, &r)
	}
	v["latency_ms"] = t.latencyMS
	v["request_ns"] = t.requestNS / float64(t.requests)
	v["request_p99_ns"] = t.p99NS
	v["bandwidth_gbs"] = t.bytes / t.timeMS / 1e6 // bytes a millisecond
	v["row_hits"] = float64(t.hits) / float64(t.requests)
	if p.memory.Spec.HasCurrents() {
		v["energy_mj"], v["power_w"] = t.energyMJ, t.energyMJ/t.powered
	}
	switch p.options.Target {
	case "power":
		v["reward"] = Reward(p.options.TargetPowerW, v["power_w"])
	case "latency":
		v["reward"] = Reward(p.options.TargetLatencyMS, v["latency_ms"])
	case "both":
		v["reward"] = min(Reward(p.options.TargetPowerW, v["power_w"])*Reward(p.options.TargetLatencyMS, v["latency_ms"]), maxReward)
	}
	return v, nil
}

func (p *Problem) add(v metric.Values, t *total, i int, r *sim.Result) {
	timeMS, energyMJ := r.TimeMS(), r.Energy.TotalPJ()/1e9
	latencyMS := timeMS
	if p.options.Compat == "archgym_units" {
		latencyMS = ArchGymLatency(r.TimePS)
	}
	n := r.Stats.Requests
	t.timeMS += timeMS
	t.latencyMS += latencyMS
	t.energyMJ += energyMJ
	t.requestNS += float64(r.Stats.LatencyMeanNS * float64(n))
	t.p99NS = max(t.p99NS, r.Stats.LatencyP99NS)
	t.bytes += float64(n) * float64(p.memory.Spec.BurstBytes())
	t.requests += n
	t.hits += r.Stats.RowHits
	if r.PowerW > 0 {
		t.powered += energyMJ / r.PowerW // ms for which the energy was counted
	}
	if len(p.loads) == 1 {
		return
	}
	s := p.suffix[i]
	v["latency_ms"+s] = latencyMS
	v["request_ns"+s] = r.Stats.LatencyMeanNS
	if p.memory.Spec.HasCurrents() {
		v["energy_mj"+s] = energyMJ
	}
}

// Reward is ArchGym's: how many times the distance from the target fits into the
// target (DRAMEnv.py). It is not bounded in ArchGym; here it ends at 10⁹.
func Reward(target, measured float64) float64 {
	return metric.TargetReward(target, measured, maxReward)
}

// ArchGymLatency is what ArchGym takes for the milliseconds of a run. SystemC
// prints whole nanoseconds as ns and others as ps; ArchGym divides the number by
// 10⁹ whatever its unit.
func ArchGymLatency(timePS int64) float64 {
	if timePS%1000 == 0 {
		return float64(timePS/1000) / 1e9
	}
	return float64(timePS) / 1e9
}

// Key returns the same string for designs that provably measure the same:
//   - a simple arbiter ignores MaxActiveTransactions, and a controller that does
//     not refresh how far it may put that off or do it ahead;
//   - if a trace only reads or only writes, the places for both kinds are those of
//     one, and FrFcfsGrp has nothing to group;
//   - then closed pages leave the first request of a bank first, whichever
//     scheduler looks for hits, and with a single place there is never another
//     request to look for.
func (p *Problem) Key(d space.Design) string {
	c, err := p.Controller(d)
	if err != nil {
		return d.String()
	}
	c = p.canonical(c)
	return fmt.Sprintf("%d %d %d %d %d %d %d %d %d %d", c.PagePolicy, c.Scheduler, c.SchedulerBuffer, c.RequestBufferSize, c.RespQueue, c.RefreshPolicy, c.RefreshMaxPostponed, c.RefreshMaxPulledin, c.Arbiter, c.MaxActiveTransactions)
}

func (p *Problem) canonical(c sim.Controller) sim.Controller {
	if c.Arbiter == sim.ArbiterSimple {
		c.MaxActiveTransactions = 1
	}
	if c.RefreshPolicy == sim.NoRefresh {
		c.RefreshMaxPostponed, c.RefreshMaxPulledin = 1, 1
	}
	if !p.oneWay {
		return c
	}
	if c.SchedulerBuffer == sim.ReadWrite {
		c.SchedulerBuffer = sim.Shared
	}
	if c.Scheduler == sim.FrFcfsGrp {
		c.Scheduler = sim.FrFcfs
	}
	if c.SchedulerBuffer == sim.Shared && c.RequestBufferSize == 1 {
		c.Scheduler = sim.Fifo
		switch c.PagePolicy {
		case sim.OpenAdaptive:
			c.PagePolicy = sim.Open
		case sim.ClosedAdaptive:
			c.PagePolicy = sim.Closed
		}
	}
	if c.PagePolicy == sim.Closed {
		c.Scheduler = sim.Fifo
	}
	return c
}

// Label implements [problem.Labeler]: page policy, scheduler with its places,
// refresh and arbiter, such as "Open FrFcfs Shared·8 AllBank 4/2 Fifo·64".
func (p *Problem) Label(d space.Design) string {
	c, err := p.Controller(d)
	if err != nil {
		return err.Error()
	}
	b := []string{c.PagePolicy.String(), c.Scheduler.String(), fmt.Sprintf("%s·%d", c.SchedulerBuffer, c.RequestBufferSize)}
	if c.RespQueue == sim.RespReorder {
		b = append(b, "in-order")
	}
	if c.RefreshPolicy == sim.AllBank {
		b = append(b, fmt.Sprintf("AllBank %d/%d", c.RefreshMaxPostponed, c.RefreshMaxPulledin))
	} else {
		b = append(b, "NoRefresh")
	}
	if c.Arbiter == sim.ArbiterSimple {
		b = append(b, "Simple")
	} else {
		b = append(b, fmt.Sprintf("%s·%d", c.Arbiter, c.MaxActiveTransactions))
	}
	return strings.Join(b, " ")
}

// errFormat says that a format is not known.
func errFormat(found string, known []string) error {
	return fmt.Errorf("dram: export format: found %q, want one of %s: %w", found, strings.Join(known, ", "), errors.ErrUnsupported)
}
