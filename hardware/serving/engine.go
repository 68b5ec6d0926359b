package serving

import (
	"fmt"
)

// Parallel says over how many accelerators a model is spread; 0 means 1.
type Parallel struct {
	TP int `yaml:"tp"` // tensor parallel: every matrix is cut into so many parts
	PP int `yaml:"pp"` // pipeline parallel: layers in so many stages
	EP int `yaml:"ep"` // expert parallel: experts in so many groups; attention is cut over TP·EP
}

// Accelerators returns TP·PP·EP.
func (p Parallel) Accelerators() int {
	p = p.withDefaults()
	return p.TP * p.PP * p.EP
}

func (p Parallel) withDefaults() Parallel {
	return Parallel{max(p.TP, 1), max(p.PP, 1), max(p.EP, 1)}
}

// A Deployment is a model on a number of equal accelerators.
type Deployment struct {
	Model     Model
	Platform  Platform
	Precision Precision
	Parallel  Parallel

	// Offload keeps what does not fit in memory outside, and reads it at
	// OffloadGBs, at the same time as the rest (GenZ utils.py):
	// bandwidth = total / max(inside/MemoryGBs, outside/OffloadGBs).
	Offload bool

	// Compat reproduces genz-llm 0.0.16 where it misjudges memory under
	// pipeline parallelism: it counts the keys and values of one micro-batch
	// instead of the batch, and takes all stages to offload from one
	// accelerator.
	Compat bool
}

// A FitError says that a model and what it keeps do not fit in memory.
type FitError struct {
	NeededGB    float64 // of one accelerator: weights and KV
	AvailableGB float64 // of one accelerator
	WeightsGB   float64
	KVGB        float64
}

func (e *FitError) Error() string {
	return fmt.Sprintf("serving: does not fit: an accelerator has %.4g GB and needs %.4g GB (weights %.4g, keys and values %.4g); use more accelerators, fewer bytes a value, a smaller batch or offloading",
		e.AvailableGB, e.NeededGB, e.WeightsGB, e.KVGB)
}

// An Engine evaluates one deployment. It is immutable, safe for concurrent use,
// and its evaluations allocate nothing.
type Engine struct {
	d        Deployment
	heads    int // query heads of an accelerator
	kvHeads  int
	span     int // TP·EP: the accelerators that attention and embeddings are cut over
	stages   int
	macs     float64 // multiply-adds a second
	memory   float64 // bytes a second
	onChip   float64
	link     float64 // bytes a second
	hop      float64 // seconds
	linkEff  float64
	bytesW   float64
	bytesA   float64
	bytesKV  float64
	capacity float64 // bytes of memory of an accelerator
	pimMACs  float64
	pimBytes float64
	linear   bool // attention of decoding waits for memory whatever the context
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// New checks a deployment and prepares to evaluate it.
func New(d Deployment) (*Engine, error) {
	e := new(Engine)
	if err := e.init(d); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Engine) init(d Deployment) error {
	if err := firstOf(d.Model.Check(), d.Platform.Check(), d.Precision.check(),
		whole("parallel.tp", d.Parallel.TP, 0, 1<<15), whole("parallel.pp", d.Parallel.PP, 0, 1<<20), whole("parallel.ep", d.Parallel.EP, 0, 1<<15),
	); err != nil {
		return err
	}
	d.Model, d.Platform, d.Parallel = d.Model.withDefaults(), d.Platform.withDefaults(), d.Parallel.withDefaults()
	m, p, par := &d.Model, &d.Platform, d.Parallel
	*e = Engine{
		d: d, span: par.TP * par.EP,
		macs:   p.TFLOPS * tera / 2 / formatTable[d.Precision.Math].work * p.ComputeEff,
		memory: p.MemoryGBs * gib, onChip: p.OnChipGBs * gib,
		link: p.LinkGBs * gib, hop: p.LinkUS * 1e-6, linkEff: p.LinkEff,
		bytesW: d.Precision.Weights.Bytes(), bytesA: d.Precision.Activations.Bytes(), bytesKV: d.Precision.KV.Bytes(),
		capacity: p.MemoryGB * gib,
		stages:   par.PP,
	}
	if p.PIM != nil {
		e.pimMACs, e.pimBytes = p.PIM.TFLOPS*tera/2, p.PIM.GBs*gib
	}
	e.heads, e.kvHeads = ceilDiv(m.Heads, e.span), ceilDiv(m.KVHeads, e.span)
	if m.MambaState == 0 && e.heads%e.kvHeads != 0 {
		return &FieldError{"parallel.tp·ep", fmt.Sprint(e.span),
			fmt.Sprintf("a number that leaves an accelerator a multiple of its key heads in query heads; it would have %d of %d and %d of %d", e.heads, m.Heads, e.kvHeads, m.KVHeads)}
	}
	if m.Experts%par.EP != 0 {
		want := fmt.Sprintf("a divisor of the %d experts", m.Experts)
		if m.Experts == 1 {
			want = "1 for a dense model"
		}
		return &FieldError{"parallel.ep", fmt.Sprint(par.EP), want}
	}
	e.linear = e.lean()
	if par.PP > m.Layers {
		return &FieldError{"parallel.pp", fmt.Sprint(par.PP), fmt.Sprintf("at most %d, a stage for each layer", m.Layers)}
	}
	return nil
}

// Deployment returns what the engine evaluates, with defaults filled in.
func (e *Engine) Deployment() Deployment { return e.d }

// Roof returns what operators reach at most: 10¹² operations a second in the
// format of the multiplications, and 2³⁰ bytes a second of memory.
func (e *Engine) Roof() (tflops, memoryGBs float64) {
	return 2 * e.macs / tera, e.memory / gib * e.d.Platform.MemoryEff
}

// A Breakdown says where the time of a pass goes, in milliseconds. The first
// four are blocks and overlap with the others: an all-reduce after attention is
// in Attention, in Collective and in AllReduce.
type Breakdown struct {
	EmbeddingMS  float64 // input and output embedding, with their collectives
	AttentionMS  float64 // attention, with its projections and all-reduce
	FFNMS        float64 // feed-forward network or experts, with their collectives
	CollectiveMS float64 // all communication

	LogitAttendMS float64 // queries times keys, and their weights times values
	ProjectionMS  float64 // projections to queries, keys and values, and back
	FFNLayersMS   float64 // the matrices of feed-forward networks
	AllReduceMS   float64 // all-reduce and all-gather
	AllToAllMS    float64
	SendMS        float64 // from stage to stage
	MambaMS       float64
}

// A Result is what one pass takes. Sizes are of one accelerator of each stage,
// summed over the stages, unless they say otherwise.
type Result struct {
	LatencyMS float64 // of a micro-batch through all stages: to the first token in prefill, per token in decoding

	// Throughput is sequences a second, prompts in prefill and tokens in
	// decoding, with the pipeline filled and drained for every batch; Steady
	// is the same with it kept full.
	Throughput, Steady float64

	Breakdown Breakdown
	TFLOP     float64 // operations; a multiply-add is two
	DataGB    float64 // bytes of all operands, wherever they are
	WeightsGB float64
	UnusedGB  float64 // of WeightsGB: what this pass did not touch, such as experts
	KVGB      float64 // keys and values, or the state of Mamba layers
	NeededGB  float64 // of one accelerator: (WeightsGB + KVGB)/stages
	Offloaded bool
	MemoryGBs float64 // bandwidth that operators saw; less than the platform's if offloaded

	// EnergyJ is what all accelerators together take for the whole batch while
	// they work: power·(0.3·time + 0.4·compute + 0.2·memory + 0.1·links) of each
	// operator (GenZ power.py).
	EnergyJ float64
}

// Shares of the power (GenZ power.py, power_breakdown).
const (
	powerStatic  = 0.3
	powerCompute = 0.4
	powerMemory  = 0.2
	powerLink    = 0.1
)

// check limits what a pass may be asked.
func (e *Engine) check(batch, beams, input, output int) error {
	return firstOf(whole("batch", batch, 1, 1<<24), whole("beams", beams, 1, 1<<12),
		whole("input tokens", input, 1, most), whole("output tokens", output, 0, most))
}

// micro returns the size and number of micro-batches.
func (e *Engine) micro(batch int) (size, n int) {
	if e.stages == 1 {
		return batch, 1
	}
	size = max(batch/e.stages, 1)
	return size, batch / size
}

// Prefill evaluates reading prompts of so many tokens, up to the first token of
// each answer.
func (e *Engine) Prefill(batch, tokens int) (Result, error) {
	if err := e.check(batch, 1, tokens, 0); err != nil {
		return Result{}, err
	}
	size, n := e.micro(batch)
	r := run{e: e, memory: e.memory}
	if err := r.fit(&pass{size: size, input: tokens}, batch); err != nil {
		return Result{}, err
	}
	return r.result(batch, size, n), nil
}

// Decode evaluates one token of each of a batch of answers, after prompts of
// input tokens and output tokens of the answer so far.
func (e *Engine) Decode(batch, input, output int) (Result, error) {
	return e.DecodeBeams(batch, 1, input, output)
}

// DecodeBeams is Decode with several beams for every sequence, which share the
// keys and values of its prompt.
func (e *Engine) DecodeBeams(batch, beams, input, output int) (Result, error) {
	if err := e.check(batch, beams, input, output); err != nil {
		return Result{}, err
	}
	size, n := e.micro(batch)
	r := run{e: e, memory: e.memory}
	if err := r.fit(&pass{kind: passDecode, size: size, beams: beams, input: input, output: output}, batch); err != nil {
		return Result{}, err
	}
	return r.result(batch, size, n), nil
}

// A Piece is a part of a prompt: New tokens after Past that have been read.
type Piece struct{ Past, New int }

// Chunk evaluates one step of chunked prefill as the reference has it: pieces of
// prompts, and one token of each sequence that is being decoded, given the
// tokens in its cache, all through the linear layers together.
//
// Of a mixture of experts the reference computes ⌊tokens·k/experts⌋ tokens an
// expert, which is nothing for few tokens; the event layer does better.
func (e *Engine) Chunk(prefill []Piece, decode []int) (Result, error) {
	if e.d.Model.MambaState > 0 {
		return Result{}, fmt.Errorf("serving: chunked prefill of Mamba layers is not supported, nor is it by the reference")
	}
	tokens := len(decode)
	for _, p := range prefill {
		if err := firstOf(whole("past tokens", p.Past, 0, most), whole("new tokens", p.New, 1, most)); err != nil {
			return Result{}, err
		}
		tokens += p.New
	}
	for _, kv := range decode {
		if err := whole("tokens in the cache", kv, 1, most); err != nil {
			return Result{}, err
		}
	}
	if err := whole("tokens", tokens, 1, most); err != nil {
		return Result{}, err
	}
	r := run{e: e, memory: e.memory}
	if err := r.fit(&pass{kind: passChunk, size: 1, pieces: prefill, decode: decode}, 1); err != nil {
		return Result{}, err
	}
	res := r.result(1, 1, 1)
	res.Throughput *= float64(tokens)
	res.Steady = res.Throughput * float64(e.stages)
	return res, nil
}

// A pass says what a run goes through; closures would be allocated.
type pass struct {
	kind                       uint8
	size, beams, input, output int
	pieces                     []Piece
	decode                     []int
}

const (
	passPrefill = iota
	passDecode
	passChunk
)

func (r *run) through(p *pass) {
	switch p.kind {
	case passPrefill:
		r.prefill(p.size, p.input)
	case passDecode:
		r.decode(p.size, p.beams, p.input, p.output)
	default:
		r.chunk(p.pieces, p.decode)
	}
}

// fit runs a pass, again if offloading makes memory slower.
func (r *run) fit(p *pass, batch int) error {
	e := r.e
	r.through(p)
	kv := r.kv
	if !e.d.Compat {
		kv *= float64(batch) / float64(p.size)
	}
	total, stages := r.weights+kv, float64(e.stages)
	if e.capacity*stages >= total {
		return nil
	}
	if !e.d.Offload {
		return &FitError{NeededGB: total / stages / gib, AvailableGB: e.capacity / gib, WeightsGB: r.weights / stages / gib, KVGB: kv / stages / gib}
	}
	if !e.d.Compat {
		total /= stages
	}
	slow := max(e.capacity/e.memory, (total-e.capacity)/(e.d.Platform.OffloadGBs*gib))
	*r = run{e: e, memory: total / slow, offloaded: true, list: r.list}
	if r.list != nil {
		*r.list = (*r.list)[:0]
	}
	r.through(p)
	return nil
}

// result turns sums into a Result for a batch of n micro-batches of some size.
func (r *run) result(batch, size, n int) Result {
	e := r.e
	lat, stages, times := r.latency, float64(e.stages), float64(batch)/float64(size)
	kv := r.kv
	if !e.d.Compat {
		kv *= times
	}
	res := Result{
		LatencyMS: lat * 1000,
		TFLOP:     2 * r.macs / tera, DataGB: r.data / gib,
		WeightsGB: r.weights / gib, UnusedGB: r.unused / gib, KVGB: kv / gib,
		NeededGB: (r.weights + kv) / stages / gib, Offloaded: r.offloaded, MemoryGBs: r.memory / gib,
		EnergyJ: float64(e.span) * times * e.d.Platform.PowerW *
			(float64(powerStatic*lat) + float64(powerCompute*r.compute) + float64(powerMemory*r.mem) + float64(powerLink*r.comm)),
	}
	if lat > 0 {
		res.Throughput = float64(batch) / (lat + float64(n-1)*lat/stages)
		res.Steady = float64(batch) / (float64(max(n, e.stages)) * lat / stages)
		if e.stages == 1 {
			res.Steady = res.Throughput
		}
	}
	p := &r.parts
	ms := func(xs ...part) (sum float64) {
		for _, x := range xs {
			sum += float64(p[x] * 1000)
		}
		return sum
	}
	res.Breakdown = Breakdown{
		EmbeddingMS:   ms(partEmbedding, partEmbeddingSync),
		AttentionMS:   ms(partProjection, partLogitAttend, partAttentionReduce),
		FFNMS:         ms(partFFN, partFFNReduce, partAllToAll),
		CollectiveMS:  ms(partEmbeddingSync, partAttentionReduce, partFFNReduce, partAllToAll, partSend),
		LogitAttendMS: ms(partLogitAttend), ProjectionMS: ms(partProjection), FFNLayersMS: ms(partFFN),
		AllReduceMS: ms(partEmbeddingSync, partAttentionReduce, partFFNReduce),
		AllToAllMS:  ms(partAllToAll), SendMS: ms(partSend), MambaMS: ms(partMamba),
	}
	return res
}
