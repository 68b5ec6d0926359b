package serving

import (
	"fmt"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
)

// A Composition is many whole models on one group of accelerators with memory
// in three tiers: what is multiplied is on chip, models in use are in fast
// memory, and all of them are in a large slow memory, from which one is copied
// when a request needs it (SambaNova SN40L: Prabhakar et al., MICRO 2024,
// arXiv:2405.07518). A router, itself a model that stays in fast memory, reads
// the prompt and picks the expert.
//
// Tiers on chip and fast are OnChipGBs, MemoryGB and MemoryGBs of the
// deployment's platform; fast memory keeps the experts that were used last.
type Composition struct {
	Deployment Deployment // of one expert
	Experts    int        // how many there are, all of the shape of its model
	Router     bool       // whether one more such model reads the prompt first

	SlowGB  float64 // of an accelerator: slow memory in 2³⁰ bytes
	SlowGBs float64 // its bandwidth into fast memory in 2³⁰ bytes a second

	// Zipf is how uneven the demand is: expert i is asked for in proportion to
	// i^−Zipf. 0 is even.
	Zipf float64

	// Contexts are the sequences of a batch whose keys and values need room in
	// fast memory beside the experts; 0 means as many as the batch.
	Contexts int
}

// A CompositionResult is what one request to a composition takes, on average.
type CompositionResult struct {
	Slots     int     // experts that fast memory holds
	HitRate   float64 // share of requests whose expert is there
	SwitchMS  float64 // to copy one that is not
	RouteMS   float64
	PrefillMS float64
	DecodeMS  float64 // of all tokens after the first
	FirstMS   float64 // to the first token: RouteMS + (1 − HitRate)·SwitchMS + PrefillMS
	TotalMS   float64
	ExpertGB  float64 // of an accelerator of each stage
	FastGB    float64 // of an accelerator: fast memory in use
	SlowGB    float64 // of an accelerator: slow memory in use
}

// SN40L is one socket of SambaNova's SN40L. The abstract of arXiv:2405.07518
// names the three tiers; 638 bf16 TFLOPS, 64 GB of HBM and 1.5 TB of DDR are the
// vendor's. Bandwidths and power are assumptions of ours, to be replaced by
// measured ones: 1.6 TB/s of HBM, 25 GB/s of links, the default on chip.
func SN40L() (p Platform, slowGB, slowGBs float64) {
	return Platform{Name: "SN40L", Source: "arXiv:2405.07518; bandwidths assumed", TFLOPS: 638, MemoryGB: 64, MemoryGBs: 1638, LinkGBs: 25, LinkUS: 1}, 1536, 200
}

// checked is a composition with what follows from it.
type checked struct {
	e                    *Engine
	expert               float64 // bytes of an accelerator of each stage
	slots                int
	route, prefill, rest float64 // milliseconds
	load                 float64
	kvBytes              float64
}

func (c Composition) checked(batch, input, output int) (x checked, err error) {
	if err := firstOf(whole("experts", c.Experts, 1, 1<<20), number("slow_gb", c.SlowGB, 0, 1e12, true), number("slow_gb_s", c.SlowGBs, 0, 1e9, true),
		number("zipf", c.Zipf, 0, 20, false), whole("contexts", c.Contexts, 0, 1<<24), whole("output tokens", output, 1, 1<<20)); err != nil {
		return x, err
	}
	if x.e, err = New(c.Deployment); err != nil {
		return x, err
	}
	p, err := x.e.Prefill(batch, input)
	if err != nil {
		return x, err
	}
	x.prefill = p.LatencyMS
	x.expert = p.WeightsGB * gib
	d, err := x.e.Decode(batch, input, output)
	if err != nil {
		return x, err
	}
	x.kvBytes = d.KVGB * gib
	if c.Contexts > batch {
		x.kvBytes *= float64(c.Contexts) / float64(batch)
	}
	if c.Router {
		x.route = x.prefill
	}
	for made := 1; made < output; made++ {
		r, err := x.e.Decode(batch, input, made)
		if err != nil {
			return x, err
		}
		x.rest += r.LatencyMS
	}
	stages := float64(x.e.stages)
	free := float64(x.e.capacity*stages) - x.kvBytes
	if c.Router {
		free -= x.expert
	}
	x.slots = min(int(max(free, 0)/x.expert), c.Experts)
	if x.slots < 1 {
		need := x.expert + x.kvBytes
		if c.Router {
			need += x.expert
		}
		return x, &FitError{NeededGB: need / stages / gib, AvailableGB: x.e.capacity / gib, WeightsGB: (need - x.kvBytes) / stages / gib, KVGB: x.kvBytes / stages / gib}
	}
	if need := float64(c.Experts) * x.expert / stages / gib; need > c.SlowGB {
		return x, fmt.Errorf("serving: %d experts do not fit in slow memory: %w", c.Experts, &FitError{NeededGB: need, AvailableGB: c.SlowGB, WeightsGB: need})
	}
	// Every accelerator copies its own part, all at the same time.
	x.load = x.expert / stages / (c.SlowGBs * gib) * 1000
	return x, nil
}

// Evaluate returns what a batch of requests to one expert takes: prompts of
// input tokens and answers of output tokens.
func (c Composition) Evaluate(batch, input, output int) (CompositionResult, error) {
	x, err := c.checked(batch, input, output)
	if err != nil {
		return CompositionResult{}, err
	}
	r := CompositionResult{
		Slots: x.slots, SwitchMS: x.load, RouteMS: x.route, PrefillMS: x.prefill, DecodeMS: x.rest,
		HitRate:  hitRate(c.demand(), x.slots),
		ExpertGB: x.expert / gib, SlowGB: float64(c.Experts) * x.expert / float64(x.e.stages) / gib,
	}
	used := float64(float64(x.slots)*x.expert) + x.kvBytes
	if c.Router {
		used += x.expert
	}
	r.FastGB = used / float64(x.e.stages) / gib
	r.FirstMS = r.RouteMS + float64((1-r.HitRate)*r.SwitchMS) + r.PrefillMS
	r.TotalMS = r.FirstMS + r.DecodeMS
	return r, nil
}

// demand returns the probability of each expert.
func (c Composition) demand() []float64 {
	p := make([]float64, c.Experts)
	sum := 0.0
	for i := range p {
		p[i] = detmath.Pow(float64(i+1), -c.Zipf)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// hitRate is that of a cache of so many slots that drops what was used longest
// ago, when requests are independent: exact for even demand, else by the
// approximation of Che et al. (2002), in which an item is in the cache if it was
// asked for in the last t requests, with t such that the cache is full.
func hitRate(p []float64, slots int) float64 {
	n := len(p)
	if slots >= n {
		return 1
	}
	if p[0] == p[n-1] {
		return float64(slots) / float64(n)
	}
	held := func(t float64) (items, hits float64) {
		for _, q := range p {
			in := -detmath.Expm1(-q * t)
			items += in
			hits += float64(q * in)
		}
		return items, hits
	}
	lo, hi := 0.0, 1.0
	for items, _ := held(hi); items < float64(slots); items, _ = held(hi) {
		hi *= 2
	}
	for range 100 {
		mid := (lo + hi) / 2
		if items, _ := held(mid); items < float64(slots) {
			lo = mid
		} else {
			hi = mid
		}
	}
	_, hits := held(hi)
	return hits
}

// Simulate serves so many requests one after the other and returns the share
// whose expert was in fast memory, after as many more to warm up as there are
// slots times ten.
func (c Composition) Simulate(batch, input, output, requests int, seed uint64) (hits float64, err error) {
	if err := whole("requests", requests, 1, 1<<24); err != nil {
		return 0, err
	}
	x, err := c.checked(batch, input, output)
	if err != nil {
		return 0, err
	}
	sum := c.demand()
	for i := 1; i < len(sum); i++ {
		sum[i] += sum[i-1]
	}
	used := make([]int, c.Experts) // when each was last; 0 if never
	held := 0
	in := make([]bool, c.Experts)
	r := rng.New(seed, "serving/experts", 0)
	warm := 10 * x.slots
	n := 0
	for t := 1; t <= warm+requests; t++ {
		u := r.Float64() * sum[len(sum)-1]
		i := 0
		for i < len(sum)-1 && sum[i] <= u {
			i++
		}
		switch {
		case in[i]:
			if t > warm {
				n++
			}
		case held == x.slots:
			old := -1
			for j := range used {
				if in[j] && (old < 0 || used[j] < used[old]) {
					old = j
				}
			}
			in[old], in[i] = false, true
		default:
			held++
			in[i] = true
		}
		used[i] = t
	}
	return float64(n) / float64(requests), nil
}
