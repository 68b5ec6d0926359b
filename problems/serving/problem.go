package serving

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	sim "github.com/daedalus-search/daedalus/hardware/serving"
	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
)

// Options say what is served, to whom, and what may be chosen. The zero value
// works.
type Options struct {
	Model     string             `yaml:"model" default:"Llama-3.1-8B" doc:"a model of the table, such as Llama-3.1-70B or Mixtral-8x7B, or a file that ends in .yaml, .yml or .json: one of your own, or the config.json of Hugging Face"` // "" means Llama-3.1-8B
	Platforms []string           `yaml:"platforms" doc:"accelerators to choose from, of the table or files; by default A100_80GB_GPU, H100_GPU, MI300X, TPUv5e, TPUv5p and TPUv6"`
	Prices    map[string]float64 `yaml:"prices" min:">0" max:"1e9" doc:"dollars an hour of an accelerator, by platform; the defaults are assumptions, set your own"`

	Accelerators int      `yaml:"accelerators" default:"16" min:"1" max:"4096" doc:"most accelerators, in powers of two"`                                                                 // 0 means 16
	Precisions   []string `yaml:"precisions" doc:"number formats to choose from, such as bf16, fp8, int8 or int4, or int4-weights for weights alone; by default bf16 and fp8"`            // nil means bf16 and fp8
	KV           []string `yaml:"kv" doc:"number formats of keys and values to choose from; by default bf16 and fp8"`                                                                     // nil means bf16 and fp8
	MemoryShare  float64  `yaml:"memory_share" default:"0.9" min:">0" max:"1" doc:"share of the memory that weights, keys and values may take"`                                           // 0 means 0.9
	ComputeEff   float64  `yaml:"compute_eff" default:"1" min:">0" max:"1" doc:"share of their peak that accelerators reach, unless their file says otherwise; 1 is the roofline itself"` // 0 means 1
	MemoryEff    float64  `yaml:"memory_eff" default:"1" min:">0" max:"1" doc:"the same of bandwidth"`                                                                                    // 0 means 1

	Rate     float64 `yaml:"rate_per_s" default:"10" min:">0" max:"1e6" doc:"requests a second"`                                                           // 0 means 10
	Requests int     `yaml:"requests" default:"300" min:"1" max:"1000000" doc:"requests that are simulated"`                                               // 0 means 300
	Arrivals string  `yaml:"arrivals" default:"poisson" oneof:"poisson even" doc:"at random, or at equal distances"`                                       // "" means poisson
	Prompt   Tokens  `yaml:"prompt" doc:"tokens of a prompt; by default log-normal with mean 1024 and cv 1, from 1 to 8192"`                               // the zero value means that
	Output   Tokens  `yaml:"output" doc:"tokens of an answer; by default log-normal with mean 256 and cv 1, from 1 to 2048"`                               // the zero value means that
	Trace    string  `yaml:"trace" doc:"CSV file with the columns arrival_ms, prompt and output, in place of rate, requests, arrivals, prompt and output"` // "" means none
	Seed     uint64  `yaml:"seed" default:"0" doc:"seed of the load"`

	TTFT float64 `yaml:"ttft_target_ms" default:"500" min:">0" max:"1e12" doc:"time to the first token that a request should keep, for the metric slo and the reward"` // 0 means 500
	TPOT float64 `yaml:"tpot_target_ms" default:"50" min:">0" max:"1e12" doc:"the same of the time of each further token"`                                             // 0 means 50
	Cost float64 `yaml:"cost_target_usd_mtok" default:"1" min:">0" max:"1e12" doc:"dollars a million tokens, for the reward"`                                          // 0 means 1

	Reward string `yaml:"reward" default:"none" oneof:"none archgym" doc:"archgym adds the metric archgym_reward, the product of target ÷ |target − measured| over ttft_p99_ms, tpot_p99_ms and cost_usd_mtok"` // "" means none

	dir string
}

// Tokens are lengths: a mean, how much they vary, and bounds.
type Tokens struct {
	Mean float64 `yaml:"mean" min:">0" max:"1e9" doc:"mean number of tokens"`
	CV   float64 `yaml:"cv" default:"1" min:"0" max:"100" doc:"standard deviation over the mean of the log-normal distribution; 0 makes all equal"`
	Min  int     `yaml:"min" default:"1" min:"1" max:"1000000000" doc:"fewest tokens"`
	Max  int     `yaml:"max" min:"1" max:"1000000000" doc:"most tokens; by default eight times the mean"`
}

func (t Tokens) lengths(mean float64) sim.Lengths {
	if t == (Tokens{}) {
		t.CV = 1
	}
	def(&t.Mean, mean)
	if t.Max == 0 {
		t.Max = int(math.Min(8*t.Mean, 1e9)) + 1
		if t.Mean == math.Trunc(t.Mean) {
			t.Max--
		}
	}
	return sim.Lengths{Mean: t.Mean, CV: t.CV, Min: t.Min, Max: t.Max}
}

// Prices are dollars an hour of one accelerator. H100 and A100_40GB are what
// Amazon asked for EC2 Capacity Blocks in US East until January 2025 ($39.33 for
// eight and $14.75 for eight). Everything else is an assumption of ours, of the
// right order and no more: replace it by your own with the option prices.
func Prices() map[string]float64 {
	return map[string]float64{
		"A100_40GB_GPU": 1.84, "H100_GPU": 4.92,
		// Assumed.
		"A100_80GB_GPU": 2.5, "GH200_GPU": 5.5, "B100": 7, "GB200": 9,
		"TPUv4": 3.2, "TPUv5e": 1.2, "TPUv5p": 4.2, "TPUv6": 2.7,
		"MI300X": 5, "MI325X": 5.5, "Gaudi3": 3.5,
	}
}

// In returns the options with files taken relative to a folder.
func (o Options) In(dir string) Options {
	o.dir = dir
	return o
}

// Problem is the choice of a deployment for one model under one load.
type Problem struct {
	options   Options
	space     *space.Space
	model     sim.Model
	platforms []sim.Platform
	prices    []float64
	formats   map[string]sim.Precision
	requests  []sim.Request
	longest   int // tokens of a request
}

var (
	_ problem.Problem   = (*Problem)(nil)
	_ problem.Graded    = (*Problem)(nil)
	_ problem.Estimator = (*Problem)(nil)
	_ problem.Drawer    = (*Problem)(nil)
	_ problem.Exporter  = (*Problem)(nil)
	_ problem.Labeler   = (*Problem)(nil)
	_ problem.Describer = (*Problem)(nil)
)

func def[T comparable](x *T, d T) {
	var zero T
	if *x == zero {
		*x = d
	}
}

// New makes the problem, or says which options are wrong.
func (o Options) New() (*Problem, error) {
	def(&o.Model, "Llama-3.1-8B")
	def(&o.Accelerators, 16)
	def(&o.MemoryShare, 0.9)
	def(&o.ComputeEff, 1)
	def(&o.MemoryEff, 1)
	def(&o.Rate, 10)
	def(&o.Requests, 300)
	def(&o.Arrivals, "poisson")
	def(&o.TTFT, 500)
	def(&o.TPOT, 50)
	def(&o.Cost, 1)
	def(&o.Reward, "none")
	if len(o.Platforms) == 0 {
		o.Platforms = []string{"A100_80GB_GPU", "H100_GPU", "MI300X", "TPUv5e", "TPUv5p", "TPUv6"}
	}
	if len(o.Precisions) == 0 {
		o.Precisions = []string{"bf16", "fp8"}
	}
	if len(o.KV) == 0 {
		o.KV = []string{"bf16", "fp8"}
	}
	p := &Problem{options: o}
	var errs []error
	bad := func(field string, found any, want string) {
		errs = append(errs, fmt.Errorf("serving: %s: found %v, want %s", field, found, want))
	}
	if o.Accelerators < 1 || o.Accelerators > 4096 {
		bad("accelerators", o.Accelerators, "1 to 4096")
	}
	for _, f := range [...]struct {
		name string
		x    float64
	}{{"memory_share", o.MemoryShare}, {"compute_eff", o.ComputeEff}, {"memory_eff", o.MemoryEff}} {
		if !(f.x > 0 && f.x <= 1) {
			bad(f.name, f.x, "above 0, at most 1")
		}
	}
	for _, f := range [...]struct {
		name string
		x    float64
	}{{"ttft_target_ms", o.TTFT}, {"tpot_target_ms", o.TPOT}, {"cost_target_usd_mtok", o.Cost}} {
		if !(f.x > 0 && f.x <= 1e12) {
			bad(f.name, f.x, "above 0, at most 1e12")
		}
	}
	if o.Reward != "none" && o.Reward != "archgym" {
		bad("reward", fmt.Sprintf("%q", o.Reward), "none or archgym")
	}
	var err error
	if p.model, err = o.readModel(); err != nil {
		errs = append(errs, err)
	}
	for _, name := range o.Platforms {
		x, err := o.readPlatform(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if slices.ContainsFunc(p.platforms, func(y sim.Platform) bool { return y.Name == x.Name }) {
			bad("platforms", x.Name+" twice", "different platforms")
		}
		p.platforms = append(p.platforms, x)
	}
	if len(p.platforms) == len(o.Platforms) { // else prices would be missed too
		errs = append(errs, p.price()...)
	}
	errs = append(errs, p.precisions()...)
	errs = append(errs, p.load()...)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	p.space, err = p.newSpace()
	if err != nil {
		return nil, fmt.Errorf("serving: %w", err)
	}
	return p, nil
}

func isFile(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

func (o Options) read(name string) ([]byte, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(o.dir, name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("serving: %w", err)
	}
	return text, nil
}

func (o Options) readModel() (sim.Model, error) {
	m, err := sim.FindModel(o.Model)
	if isFile(o.Model) {
		var text []byte
		if text, err = o.read(o.Model); err == nil {
			m, err = sim.ReadModel(o.Model, text)
		}
	}
	if err != nil {
		return m, err
	}
	def(&m.Name, strings.TrimSuffix(filepath.Base(o.Model), filepath.Ext(o.Model)))
	if m.MambaState > 0 {
		return m, fmt.Errorf("serving: model: found %s, a state-space model, want one with attention: continuous batching of others is not supported", m.Name)
	}
	return m, nil
}

func (o Options) readPlatform(name string) (sim.Platform, error) {
	x, err := sim.FindPlatform(name)
	if isFile(name) {
		var text []byte
		if text, err = o.read(name); err == nil {
			x, err = sim.ReadPlatform(name, text)
		}
		def(&x.Name, strings.TrimSuffix(filepath.Base(name), filepath.Ext(name)))
	}
	if x.ComputeEff == 0 || x.ComputeEff == 1 {
		x.ComputeEff = o.ComputeEff
	}
	if x.MemoryEff == 0 || x.MemoryEff == 1 {
		x.MemoryEff = o.MemoryEff
	}
	return x, err
}

// price finds what each platform costs.
func (p *Problem) price() (errs []error) {
	known := Prices()
	given := map[string]float64{}
	for _, name := range slices.Sorted(maps.Keys(p.options.Prices)) {
		x := p.options.Prices[name]
		if !(x > 0 && x <= 1e9) {
			errs = append(errs, fmt.Errorf("serving: prices.%s: found %v, want dollars an hour above 0", name, x))
		}
		full := name
		if t, err := sim.FindPlatform(name); err == nil {
			full = t.Name
		}
		if !slices.ContainsFunc(p.platforms, func(y sim.Platform) bool { return y.Name == full }) {
			errs = append(errs, fmt.Errorf("serving: prices.%s: found a price of a platform that is not among platforms, want one of %s", name, p.platformNames()))
		}
		given[full] = x
	}
	for _, x := range p.platforms {
		c, ok := given[x.Name]
		if !ok {
			c, ok = known[x.Name]
		}
		if !ok {
			errs = append(errs, fmt.Errorf("serving: prices: found none for %s, want dollars an hour: prices: {%s: 2.5}", x.Name, x.Name))
		}
		p.prices = append(p.prices, c)
	}
	return errs
}

func (p *Problem) platformNames() string {
	var names []string
	for _, x := range p.platforms {
		names = append(names, x.Name)
	}
	return strings.Join(names, ", ")
}

func (p *Problem) precisions() (errs []error) {
	p.formats = map[string]sim.Precision{}
	for _, name := range p.options.Precisions {
		var f sim.Format
		base, only := strings.CutSuffix(name, "-weights")
		if err := f.UnmarshalText([]byte(base)); err != nil {
			errs = append(errs, fmt.Errorf("serving: precisions: %w, or one of them with -weights", err))
			continue
		}
		x := sim.Uniform(f)
		if only {
			x = sim.WeightOnly(f)
		}
		if _, twice := p.formats[name]; twice {
			errs = append(errs, fmt.Errorf("serving: precisions: found %s twice", name))
		}
		p.formats[name] = x
	}
	for i, name := range p.options.KV {
		var f sim.Format
		if err := f.UnmarshalText([]byte(name)); err != nil {
			errs = append(errs, fmt.Errorf("serving: kv: %w", err))
		}
		if slices.Contains(p.options.KV[:i], name) {
			errs = append(errs, fmt.Errorf("serving: kv: found %s twice", name))
		}
	}
	return errs
}

func (p *Problem) load() []error {
	o := &p.options
	if o.Trace != "" {
		text, err := o.read(o.Trace)
		if err != nil {
			return []error{err}
		}
		if p.requests, err = sim.ReadTrace(o.Trace, text); err != nil {
			return []error{err}
		}
	} else {
		l := sim.Load{RatePerS: o.Rate, Requests: o.Requests, Prompt: o.Prompt.lengths(1024), Output: o.Output.lengths(256), Seed: o.Seed}
		switch o.Arrivals {
		case "poisson":
		case "even":
			l.Arrivals = sim.Even
		default:
			return []error{fmt.Errorf("serving: arrivals: found %q, want poisson or even", o.Arrivals)}
		}
		var err error
		if p.requests, err = l.Draw(); err != nil {
			return []error{err}
		}
	}
	for _, q := range p.requests {
		p.longest = max(p.longest, q.Prompt+q.Output)
	}
	return nil
}

func powers(limit int) (out []int) {
	for n := 1; n <= limit; n *= 2 {
		out = append(out, n)
	}
	return out
}

// newSpace leaves out what can be known to be impossible: heads and experts
// that do not divide, more stages than layers, more accelerators than there are.
func (p *Problem) newSpace() (*space.Space, error) {
	o, m := &p.options, &p.model
	var names []string
	for _, x := range p.platforms {
		names = append(names, x.Name)
	}
	var tp []int
	for _, n := range powers(o.Accelerators) {
		if m.Heads%n == 0 {
			tp = append(tp, n)
		}
	}
	nodes := []space.Node{
		space.Categorical("platform", names...).Doc("accelerator"),
		space.Ordinal("accelerators", powers(o.Accelerators)...).Doc("how many; what tp·pp·ep leaves makes replicas"),
		space.Ordinal("tp", tp...).Doc("tensor parallel: accelerators that share every matrix"),
		space.Ordinal("pp", powers(min(o.Accelerators, m.Layers))...).Doc("pipeline parallel: stages of layers"),
	}
	product := "tp * pp"
	if m.Experts > 1 {
		var ep []int
		for _, n := range powers(o.Accelerators) {
			if m.Experts%n == 0 {
				ep = append(ep, n)
			}
		}
		nodes = append(nodes, space.Ordinal("ep", ep...).Doc("expert parallel: groups of experts"))
		nodes = append(nodes, space.Require(fmt.Sprintf("%d %% (tp * ep) == 0", m.Heads)))
		product += " * ep"
	}
	nodes = append(nodes,
		space.Require(product+" <= accelerators"),
		space.Categorical("precision", o.Precisions...).Doc("number format of weights and multiplications"),
		space.Categorical("kv", o.KV...).Doc("number format of keys and values"),
		space.Ordinal("max_batch", powers(512)...).Doc("sequences in work at once in a replica"),
		space.Categorical("prompts", "whole", "pieces").Doc("read whole, before anything is decoded, or in pieces beside decoding"),
		space.Ordinal("chunk", 64, 128, 256, 512, 1024, 2048, 4096).When("prompts == pieces").Doc("tokens of a step with pieces"),
		space.Require("chunk >= max_batch"),
		space.Categorical("memory", "grow", "reserve").Doc("for keys and values: taken block by block with preemption, or kept free for the whole answer"),
	)
	return space.New(nodes...)
}

// Space returns the deployments.
func (p *Problem) Space() *space.Space { return p.space }

// Metrics returns latencies, throughput, cost, energy and memory.
func (p *Problem) Metrics() []metric.Metric {
	o := &p.options
	ms := []metric.Metric{
		{Name: "ttft_ms", Unit: "ms", Direction: metric.Minimize, Doc: "time to the first token, median of the requests"},
		{Name: "ttft_p99_ms", Unit: "ms", Direction: metric.Minimize, Doc: "time to the first token that 99% of the requests keep"},
		{Name: "tpot_ms", Unit: "ms", Direction: metric.Minimize, Doc: "time of each token after the first, median of the requests"},
		{Name: "tpot_p99_ms", Unit: "ms", Direction: metric.Minimize, Doc: "time of each token after the first that 99% of the requests keep"},
		{Name: "throughput_tokens_s", Unit: "tokens/s", Direction: metric.Maximize, Doc: "tokens of answers, from the first arrival to the last token"},
		{Name: "cost_usd_mtok", Unit: "$/Mtoken", Direction: metric.Minimize, Doc: "price of a million tokens of answers under this load"},
		{Name: "usd_hour", Unit: "$/h", Direction: metric.Minimize, Doc: "price of all accelerators"},
		{Name: "energy_j_token", Unit: "J/token", Direction: metric.Minimize, Doc: "energy of all accelerators a token of an answer, at the power the platform states or 1000 W"},
		{Name: "memory_gb", Unit: "GB", Direction: metric.Minimize, Doc: "of an accelerator, at most: weights, keys and values"},
		{Name: "utilisation", Unit: "%", Direction: metric.Maximize, Doc: "share of the time that an accelerator works"},
		{Name: "slo", Unit: "%", Direction: metric.Maximize, Doc: fmt.Sprintf("requests with their first token within %g ms and each further one within %g ms", o.TTFT, o.TPOT)},
	}
	if o.Reward == "archgym" {
		ms = append(ms, metric.Metric{Name: "archgym_reward", Direction: metric.Maximize, Doc: "product of target ÷ |target − measured| over ttft_p99_ms, tpot_p99_ms and cost_usd_mtok: largest at the targets, not beyond them; each factor is at most 1e6"})
	}
	return ms
}

// Describe says what one evaluation is.
func (p *Problem) Describe() string {
	return fmt.Sprintf("simulates %d requests to %s, %.4g a second on average, on a deployment of up to %d accelerators", len(p.requests), p.model.Name, p.rate(), p.options.Accelerators)
}

func (p *Problem) rate() float64 {
	if last := p.requests[len(p.requests)-1].ArrivalMS; last > 0 {
		return float64(len(p.requests)) / last * 1000
	}
	return p.options.Rate
}

// A Choice is a design of the space.
type Choice struct {
	Platform     string `json:"platform"`
	Accelerators int    `json:"accelerators"`
	TP           int    `json:"tp"`
	PP           int    `json:"pp"`
	EP           int    `json:"ep"`
	Precision    string `json:"precision"`
	KV           string `json:"kv"`
	MaxBatch     int    `json:"max_batch"`
	Prompts      string `json:"prompts"`
	Chunk        int    `json:"chunk"`
	Memory       string `json:"memory"`
}

// Choice returns what a design of this problem's space, or of one made from it,
// chooses.
func (p *Problem) Choice(d space.Design) (Choice, error) {
	var c Choice
	if d.Space() != p.space {
		own, err := p.space.FromMap(d.Map())
		if err != nil {
			return c, &problem.EvalError{Class: problem.ClassPermanent, Err: fmt.Errorf("serving: the design belongs to another space: %w", err)}
		}
		d = own
	}
	if err := d.Decode(&c); err != nil {
		return c, &problem.EvalError{Class: problem.ClassPermanent, Err: fmt.Errorf("serving: %w", err)}
	}
	c.EP = max(c.EP, 1)
	return c, nil
}

func (c *Choice) replicas() int { return c.Accelerators / (c.TP * c.PP * c.EP) }

func (p *Problem) platform(c *Choice) (x sim.Platform, price float64) {
	i := slices.IndexFunc(p.platforms, func(x sim.Platform) bool { return x.Name == c.Platform })
	return p.platforms[i], p.prices[i]
}

// Service returns what a choice builds. What cannot be built is a
// [*problem.InfeasibleError].
func (p *Problem) Service(c Choice) (sim.Service, error) {
	x, _ := p.platform(&c)
	precision := p.formats[c.Precision]
	if err := precision.KV.UnmarshalText([]byte(c.KV)); err != nil {
		return sim.Service{}, err
	}
	e, err := sim.New(sim.Deployment{Model: p.model, Platform: x, Precision: precision, Parallel: sim.Parallel{TP: c.TP, PP: c.PP, EP: c.EP}})
	if err != nil {
		return sim.Service{}, infeasible(err)
	}
	return sim.Service{Engine: e, Replicas: c.replicas(), Scheduler: sim.Scheduler{
		MaxBatch: c.MaxBatch, Chunk: c.Chunk, Reserve: c.Memory == "reserve", MemoryShare: p.options.MemoryShare,
	}}, nil
}

// service is Service, if the longest of all requests fits, whatever part of them
// is simulated.
func (p *Problem) service(c Choice) (sim.Service, error) {
	s, err := p.Service(c)
	if err == nil {
		_, err = s.Capacity(p.longest)
		err = infeasible(err)
	}
	return s, err
}

// infeasible turns what a design cannot be into the reason.
func infeasible(err error) error {
	var fit *sim.FitError
	var length *sim.LengthError
	var field *sim.FieldError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &fit), errors.As(err, &length), errors.As(err, &field):
		return &problem.InfeasibleError{Reason: strings.TrimPrefix(err.Error(), "serving: ")}
	}
	return &problem.EvalError{Class: problem.ClassPermanent, Err: err}
}

// Fidelity implements [problem.Graded]: fewer requests, from the beginning.
func (p *Problem) Fidelity() problem.Fidelity {
	n := len(p.requests)
	if n < 100 {
		return problem.Fidelity{}
	}
	return problem.Fidelity{Name: "requests", Min: float64(n / 10), Max: float64(n), Whole: true}
}

// EvaluateAt implements [problem.Graded].
func (p *Problem) EvaluateAt(ctx context.Context, d space.Design, share float64, _ problem.Reporter) (metric.Values, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := p.Choice(d)
	if err != nil {
		return nil, err
	}
	n := len(p.requests)
	if f := p.Fidelity(); f.Graded() {
		n = int(f.Amount(share))
	}
	r, err := p.run(c, n)
	if err != nil {
		return nil, err
	}
	return p.values(c, r), nil
}

func (p *Problem) run(c Choice, requests int) (*sim.Report, error) {
	s, err := p.service(c)
	if err != nil {
		return nil, err
	}
	r, err := s.Run(p.requests[:requests])
	return r, infeasible(err)
}

func (p *Problem) values(c Choice, r *sim.Report) metric.Values {
	_, price := p.platform(&c)
	hour := price * float64(c.Accelerators)
	v := metric.Values{
		"ttft_ms": r.TTFT.P50, "ttft_p99_ms": r.TTFT.P99, "tpot_ms": r.TPOT.P50, "tpot_p99_ms": r.TPOT.P99,
		"throughput_tokens_s": r.TokensPerS, "cost_usd_mtok": hour / 3600 / r.TokensPerS * 1e6, "usd_hour": hour,
		"energy_j_token": r.EnergyJToken, "memory_gb": r.MemoryGB(), "utilisation": 100 * r.Utilisation,
		"slo": 100 * r.Attained(p.options.TTFT, p.options.TPOT),
	}
	if p.options.Reward == "archgym" {
		reward := 1.0
		for _, x := range [...]struct{ target, got float64 }{{p.options.TTFT, v["ttft_p99_ms"]}, {p.options.TPOT, v["tpot_p99_ms"]}, {p.options.Cost, v["cost_usd_mtok"]}} {
			reward *= min(x.target/math.Abs(x.target-x.got), 1e6)
		}
		v["archgym_reward"] = reward
	}
	return v
}

// Evaluate serves the load.
func (p *Problem) Evaluate(ctx context.Context, d space.Design, r problem.Reporter) (metric.Values, error) {
	return p.EvaluateAt(ctx, d, 1, r)
}

// Estimates implements [problem.Estimator]: what the accelerators cost, and
// whether the weights and the longest request fit, are known without simulating.
func (p *Problem) Estimates() []string { return []string{"usd_hour"} }

// Estimate implements [problem.Estimator].
func (p *Problem) Estimate(d space.Design) (metric.Values, error) {
	c, err := p.Choice(d)
	if err != nil {
		return nil, err
	}
	if _, err := p.service(c); err != nil {
		return nil, err
	}
	_, price := p.platform(&c)
	return metric.Values{"usd_hour": price * float64(c.Accelerators)}, nil
}

// Label implements [problem.Labeler]: "8×H100 (2×tp2·pp2) fp8 kv bf16, batch 64,
// pieces of 512".
func (p *Problem) Label(d space.Design) string {
	c, err := p.Choice(d)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d×%s%s %s", c.Accelerators, strings.TrimSuffix(c.Platform, "_GPU"), c.layout(), c.Precision)
	if c.KV != c.Precision {
		fmt.Fprintf(&b, " kv %s", c.KV)
	}
	fmt.Fprintf(&b, ", batch %d", c.MaxBatch)
	if c.Chunk > 0 {
		fmt.Fprintf(&b, ", pieces of %d", c.Chunk)
	}
	if c.Memory == "reserve" {
		b.WriteString(", reserved")
	}
	return b.String()
}

// layout is how several accelerators are used, such as " (2×tp2·pp2)": replicas,
// and what each is made of.
func (c *Choice) layout() string {
	if c.Accelerators == 1 {
		return ""
	}
	var parts []string
	for _, x := range [...]struct {
		name string
		n    int
	}{{"tp", c.TP}, {"pp", c.PP}, {"ep", c.EP}} {
		if x.n > 1 {
			parts = append(parts, fmt.Sprint(x.name, x.n))
		}
	}
	s := strings.Join(parts, "·")
	switch n := c.replicas(); {
	case s == "":
		s = "single"
	case n > 1:
		s = fmt.Sprintf("%d×%s", n, s)
	}
	return " (" + s + ")"
}

func unknown(what, found string, known []string) error {
	hint := ""
	if near, ok := source.Nearest(found, known); ok {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	return fmt.Errorf("serving: %s: found %q, want one of %s%s", what, found, strings.Join(known, ", "), hint)
}
