package serving

import (
	"fmt"
	"math"
	"slices"
)

// A Scheduler says how a replica forms its steps. The zero value is vLLM's
// first design: whole prompts as soon as they fit, before anything is decoded,
// and memory taken block by block.
type Scheduler struct {
	MaxBatch  int // sequences in work at once; 0 means 256
	MaxTokens int // prompt tokens of a step with whole prompts; 0 means 8192; a longer prompt is read alone

	// Chunk makes every step one of so many tokens: those being decoded come
	// first, and pieces of prompts fill it up (Sarathi-Serve: Agrawal et al.,
	// OSDI 2024). 0 means whole prompts.
	Chunk int

	// Reserve admits a request only when its whole answer has room. Otherwise
	// memory grows with the answers, and when it runs out, the sequence that was
	// admitted last gives its room back and is read again later (recomputation;
	// Kwon et al., SOSP 2023).
	Reserve bool

	Block       int     // tokens of a block of memory; 0 means 16
	MemoryShare float64 // of the accelerator's memory that may be used; 0 means 0.9
}

func (s Scheduler) withDefaults() Scheduler {
	if s.MaxBatch == 0 {
		s.MaxBatch = 256
	}
	if s.MaxTokens == 0 {
		s.MaxTokens = 8192
	}
	if s.Block == 0 {
		s.Block = 16
	}
	if s.MemoryShare == 0 {
		s.MemoryShare = 0.9
	}
	return s
}

func (s Scheduler) check() error {
	return firstOf(whole("scheduler.max_batch", s.MaxBatch, 1, 1<<20), whole("scheduler.max_tokens", s.MaxTokens, 1, most),
		whole("scheduler.chunk", s.Chunk, 0, most), whole("scheduler.block", s.Block, 1, 1<<20),
		number("scheduler.memory_share", s.MemoryShare, 0, 1, true))
}

// A Service is a deployment that answers requests, with a number of equal
// replicas, to which requests go in turns.
type Service struct {
	Engine    *Engine
	Replicas  int // 0 means 1
	Scheduler Scheduler
}

// A Summary describes times in milliseconds. Percentiles are the smallest value
// that so many are not above.
type Summary struct{ Mean, P50, P95, P99, Max float64 }

// An Outcome is what became of a request. Times are in milliseconds from the
// beginning.
type Outcome struct {
	ArrivalMS, StartMS, FirstMS, DoneMS float64 // arrives, first enters a step, has its first token, has all
	Output                              int
	Preempted                           int
}

// TTFT returns the time to the first token.
func (o *Outcome) TTFT() float64 { return o.FirstMS - o.ArrivalMS }

// TPOT returns the mean time from token to token after the first; 0 if there is
// only one.
func (o *Outcome) TPOT() float64 {
	if o.Output < 2 {
		return 0
	}
	return (o.DoneMS - o.FirstMS) / float64(o.Output-1)
}

// A Report is what a service does under a load.
type Report struct {
	Outcomes []Outcome // in the order of the requests

	TTFT  Summary // time to the first token
	TPOT  Summary // time of each token after it, of answers with more than one
	Total Summary // from arrival to the last token
	Wait  Summary // from arrival to the first step

	DurationMS     float64 // from 0 to the last token
	TokensPerS     float64 // of answers
	RequestsPerS   float64
	Utilisation    float64 // share of the time that a stage works
	MeanQueue      float64 // requests that wait, over time, in all replicas
	MeanInSystem   float64 // requests that are waiting or in work
	PeakQueue      int
	MeanBatch      float64 // sequences of a step
	Steps          int
	Preemptions    int
	EnergyJ        float64 // of all accelerators, static power all the time
	EnergyJToken   float64 // of a token of an answer
	WeightsGB      float64 // of an accelerator
	PeakKVGB       float64 // of an accelerator, in blocks that were taken
	CapacityTokens int     // for which a replica has room
}

// MemoryGB returns what an accelerator needs at most.
func (r *Report) MemoryGB() float64 { return r.WeightsGB + r.PeakKVGB }

// Attained returns the share of requests that keep both limits.
func (r *Report) Attained(ttftMS, tpotMS float64) float64 {
	n := 0
	for i := range r.Outcomes {
		if o := &r.Outcomes[i]; o.TTFT() <= ttftMS && o.TPOT() <= tpotMS {
			n++
		}
	}
	return float64(n) / float64(len(r.Outcomes))
}

// A LengthError says that a request can never be served.
type LengthError struct {
	Request                int // its index; -1 if it is any
	Tokens, CapacityTokens int
}

func (e *LengthError) Error() string {
	which := "a request"
	if e.Request >= 0 {
		which = fmt.Sprintf("request %d", e.Request)
	}
	return fmt.Sprintf("serving: %s of %d tokens needs more memory than a replica has beside the weights, which is room for %d", which, e.Tokens, e.CapacityTokens)
}

// Run serves the requests, which must be in the order in which they arrive. It
// is deterministic. Errors are a [*FitError] if the weights do not fit, a
// [*LengthError], or a [*FieldError].
func (s Service) Run(requests []Request) (*Report, error) {
	e := s.Engine
	sch := s.Scheduler.withDefaults()
	replicas := max(s.Replicas, 1)
	if err := firstOf(e.batched(), sch.check(), whole("replicas", s.Replicas, 0, 1<<20), whole("requests", len(requests), 1, 1<<24)); err != nil {
		return nil, err
	}
	last := 0.0
	for i, q := range requests {
		if !finite(q.ArrivalMS) || q.ArrivalMS < last {
			return nil, &FieldError{fmt.Sprintf("requests[%d].arrival_ms", i), fmt.Sprint(q.ArrivalMS), fmt.Sprintf("at least %v, the arrival before", last)}
		}
		last = q.ArrivalMS
		if err := firstOf(whole(fmt.Sprintf("requests[%d].prompt", i), q.Prompt, 1, most/2), whole(fmt.Sprintf("requests[%d].output", i), q.Output, 1, most/2)); err != nil {
			return nil, err
		}
	}
	room, err := e.room(sch)
	if err != nil {
		return nil, err
	}
	for i, q := range requests {
		if n := q.Prompt + q.Output; ceilDiv(n, sch.Block) > room.blocks {
			return nil, &LengthError{i, n, room.blocks * sch.Block}
		}
	}
	rep := &Report{Outcomes: make([]Outcome, len(requests)), WeightsGB: room.weights / float64(e.stages) / gib, CapacityTokens: room.blocks * sch.Block}
	var total sums
	for first := range min(replicas, len(requests)) {
		b := newReplica(e, sch, room.blocks)
		b.serve(requests, first, replicas, rep.Outcomes)
		total.add(&b.sums)
	}
	rep.finish(e, replicas, &total, float64(sch.Block)*room.token/float64(e.stages)/gib)
	return rep, nil
}

// Capacity returns for how many tokens a replica has room beside the weights, or
// says that the weights, or one request of so many tokens, do not fit.
func (s Service) Capacity(tokens int) (int, error) {
	sch := s.Scheduler.withDefaults()
	if err := firstOf(s.Engine.batched(), sch.check(), whole("tokens", tokens, 0, most)); err != nil {
		return 0, err
	}
	room, err := s.Engine.room(sch)
	if err != nil {
		return 0, err
	}
	if have := room.blocks * sch.Block; ceilDiv(tokens, sch.Block) > room.blocks {
		return 0, &LengthError{-1, tokens, have}
	}
	return room.blocks * sch.Block, nil
}

// room is the memory of a replica: what the weights take in all stages, and
// how many blocks of keys and values are left.
type room struct {
	weights, token float64 // bytes, of an accelerator of each stage
	blocks         int
}

func (e *Engine) room(s Scheduler) (room, error) {
	r := run{e: e, memory: e.memory}
	r.prefill(1, 1)
	m := &e.d.Model
	x := room{weights: r.weights, token: 2 * float64(e.kvHeads) * float64(m.HeadDim) * e.bytesKV * float64(m.Layers)}
	stages := float64(e.stages)
	free := float64(s.MemoryShare*e.capacity*stages) - x.weights
	x.blocks = int(min(max(free, 0)/(x.token*float64(s.Block)), most))
	if x.blocks < 1 {
		return x, &FitError{NeededGB: (x.weights + x.token*float64(s.Block)) / stages / gib, AvailableGB: s.MemoryShare * e.capacity / gib,
			WeightsGB: x.weights / stages / gib, KVGB: x.token * float64(s.Block) / stages / gib}
	}
	return x, nil
}

// sums are what replicas add up.
type sums struct {
	end                        float64 // seconds
	busy                       float64 // seconds that a stage works
	queued, inside             float64 // requests times seconds
	active                     float64 // joules, beyond static power
	steps, batch, tokens       int
	preempted, peak, peakBlock int
}

func (s *sums) add(o *sums) {
	s.end = max(s.end, o.end)
	s.busy += o.busy
	s.queued += o.queued
	s.inside += o.inside
	s.active += o.active
	s.steps += o.steps
	s.batch += o.batch
	s.tokens += o.tokens
	s.preempted += o.preempted
	s.peak += o.peak
	s.peakBlock = max(s.peakBlock, o.peakBlock)
}

func (r *Report) finish(e *Engine, replicas int, s *sums, blockGB float64) {
	r.DurationMS = s.end * 1000
	r.TokensPerS = float64(s.tokens) / s.end
	r.RequestsPerS = float64(len(r.Outcomes)) / s.end
	r.Utilisation = s.busy / s.end / float64(replicas)
	r.MeanQueue, r.MeanInSystem, r.PeakQueue = s.queued/s.end, s.inside/s.end, s.peak
	r.Steps, r.Preemptions = s.steps, s.preempted
	r.MeanBatch = float64(s.batch) / float64(s.steps)
	all := float64(e.d.Parallel.Accelerators() * replicas)
	r.EnergyJ = s.active + float64(powerStatic*e.d.Platform.PowerW*all*s.end)
	r.EnergyJToken = r.EnergyJ / float64(s.tokens)
	r.PeakKVGB = float64(s.peakBlock) * blockGB
	var ttft, tpot, total, wait []float64
	for i := range r.Outcomes {
		o := &r.Outcomes[i]
		ttft, total, wait = append(ttft, o.TTFT()), append(total, o.DoneMS-o.ArrivalMS), append(wait, o.StartMS-o.ArrivalMS)
		if o.Output > 1 {
			tpot = append(tpot, o.TPOT())
		}
	}
	r.TTFT, r.TPOT, r.Total, r.Wait = summarise(ttft), summarise(tpot), summarise(total), summarise(wait)
}

// summarise sorts what it describes.
func summarise(x []float64) Summary {
	if len(x) == 0 {
		return Summary{}
	}
	slices.Sort(x)
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	at := func(percent int) float64 { return x[max(ceilDiv(len(x)*percent, 100), 1)-1] }
	return Summary{sum / float64(len(x)), at(50), at(95), at(99), x[len(x)-1]}
}

// A sequence is a request in work. Times are in seconds.
type sequence struct {
	id             int // of the request
	prompt, output int
	made           int // tokens of the answer
	target, read   int // tokens to read before the next is made, and those that have been
	blocks         int
	start, first   float64 // -1 until then
	preempted      int
}

// context returns the tokens that the next decoded one attends to.
func (q *sequence) context() int { return q.prompt + q.made }

// A group is a batch that goes through the pipeline as one. There are as many
// as stages, so that all can be busy.
type group struct {
	ready   float64     // when it can do something; +Inf while there is nothing to do
	flying  bool        // a step ends at ready
	running []*sequence // in the order of their admission
	pieces  []piece     // of the step that is flying
	decodes int         // and how many of the first sequences are decoded
	whole   bool        // the step reads whole prompts and decodes nothing
}

type piece struct {
	q *sequence
	n int
}

// replica simulates one replica.
type replica struct {
	e       *Engine
	s       Scheduler
	limit   int // sequences of a group
	blocks  int
	free    int
	waiting []*sequence // a stack: the last is next
	arrived []*sequence // behind those, a queue that begins at head
	head    int
	groups  []group
	stages  []float64 // when each is free
	now     float64
	here    int // requests waiting or in work

	price    []Piece
	contexts []int
	sums
}

func newReplica(e *Engine, s Scheduler, blocks int) *replica {
	b := &replica{e: e, s: s, limit: ceilDiv(s.MaxBatch, e.stages), blocks: blocks, free: blocks,
		groups: make([]group, e.stages), stages: make([]float64, e.stages)}
	for i := range b.groups {
		b.groups[i].ready = math.Inf(1)
	}
	return b
}

func (b *replica) queue() int { return len(b.waiting) + len(b.arrived) - b.head }

// next returns the request that waits longest, or nil.
func (b *replica) next() *sequence {
	if n := len(b.waiting); n > 0 {
		return b.waiting[n-1]
	}
	if b.head < len(b.arrived) {
		return b.arrived[b.head]
	}
	return nil
}

func (b *replica) pop() {
	if n := len(b.waiting); n > 0 {
		b.waiting = b.waiting[:n-1]
		return
	}
	b.arrived[b.head] = nil
	b.head++
}

// advance moves time, and with it the integrals.
func (b *replica) advance(t float64) {
	dt := t - b.now
	b.queued += float64(dt * float64(b.queue()))
	b.inside += float64(dt * float64(b.here))
	b.now = t
}

func (b *replica) wake() {
	for i := range b.groups {
		if g := &b.groups[i]; math.IsInf(g.ready, 1) {
			g.ready = b.now
		}
	}
}

// serve takes the requests first, first+each, …. Events happen in the order of
// their times: arrivals before what a group does at the same time, and groups in
// their order.
func (b *replica) serve(requests []Request, first, each int, out []Outcome) {
	for i := first; ; {
		g := &b.groups[0]
		for j := range b.groups[1:] {
			if x := &b.groups[j+1]; x.ready < g.ready {
				g = x
			}
		}
		if i < len(requests) && requests[i].ArrivalMS/1000 <= g.ready {
			q := requests[i]
			b.advance(q.ArrivalMS / 1000)
			b.arrived = append(b.arrived, &sequence{id: i, prompt: q.Prompt, output: q.Output, target: q.Prompt, start: -1, first: -1})
			b.here++
			b.peak = max(b.peak, b.queue())
			b.wake()
			i += each
			continue
		}
		if math.IsInf(g.ready, 1) {
			break
		}
		b.advance(g.ready)
		if g.flying {
			g.flying = false
			b.land(g, requests, out)
			b.wake()
		}
		if b.stages[0] > b.now { // another group is just entering
			g.ready = b.stages[0]
			continue
		}
		b.invariants()
		g.ready = math.Inf(1)
		if b.plan(g) {
			b.launch(g)
		}
	}
	b.end = b.now
}

// take gives a sequence room for so many tokens, if there is.
func (b *replica) take(q *sequence, tokens int) bool {
	more := ceilDiv(tokens, b.s.Block) - q.blocks
	if more > b.free {
		return false
	}
	if more > 0 {
		b.free -= more
		q.blocks += more
		b.peakBlock = max(b.peakBlock, b.blocks-b.free)
	}
	return true
}

func (b *replica) release(q *sequence) {
	b.free += q.blocks
	q.blocks = 0
}

// admit takes the next request into a group if it has room.
func (b *replica) admit(g *group) *sequence {
	q := b.next()
	if q == nil || len(g.running) >= b.limit {
		return nil
	}
	tokens := q.target
	if b.s.Reserve {
		tokens = q.prompt + q.output
	}
	if !b.take(q, tokens) {
		return nil
	}
	b.pop()
	if q.start < 0 {
		q.start = b.now
	}
	g.running = append(g.running, q)
	return q
}

// preempt sends the sequence that came last back to wait, ahead of all others.
func (b *replica) preempt(g *group) {
	n := len(g.running) - 1
	q := g.running[n]
	g.running = g.running[:n]
	b.release(q)
	q.target, q.read = q.context(), 0
	q.preempted++
	b.preempted++
	b.waiting = append(b.waiting, q)
	b.peak = max(b.peak, b.queue())
}

// plan decides what a group does next; false means nothing.
func (b *replica) plan(g *group) bool {
	g.pieces, g.decodes, g.whole = g.pieces[:0], 0, false
	if b.s.Chunk == 0 {
		for tokens := 0; ; {
			q := b.next()
			if q == nil || len(g.pieces) > 0 && tokens+q.target > b.s.MaxTokens || b.admit(g) == nil {
				break
			}
			tokens += q.target
			g.pieces = append(g.pieces, piece{q, q.target})
		}
		if len(g.pieces) > 0 {
			g.whole = true
			return true
		}
	}
	// Each sequence that has been read makes a token, in the order of
	// admission, which is the order in which they have been read.
	for i := 0; i < len(g.running); i++ {
		q := g.running[i]
		if q.read < q.target {
			break
		}
		for i < len(g.running) && !b.take(q, q.context()) {
			b.preempt(g)
		}
		if i < len(g.running) {
			g.decodes++
		}
	}
	if b.s.Chunk > 0 {
		budget := b.s.Chunk - g.decodes
		for _, q := range g.running[g.decodes:] {
			if budget <= 0 {
				break
			}
			n := min(q.target-q.read, budget)
			g.pieces = append(g.pieces, piece{q, n})
			budget -= n
		}
		for budget > 0 {
			q := b.admit(g)
			if q == nil {
				break
			}
			n := min(q.target, budget)
			g.pieces = append(g.pieces, piece{q, n})
			budget -= n
		}
	}
	return g.decodes+len(g.pieces) > 0
}

// launch sends a step through the stages, each of which takes an equal part of
// its time.
func (b *replica) launch(g *group) {
	b.price = b.price[:0]
	for _, p := range g.pieces {
		b.price = append(b.price, Piece{p.q.read, p.n})
	}
	context := 0.0
	b.contexts = b.contexts[:0]
	for _, q := range g.running[:g.decodes] {
		kv := q.context()
		context += float64(kv)
		if !b.e.linear {
			b.contexts = append(b.contexts, kv)
		}
	}
	r := run{e: b.e, memory: b.e.memory}
	r.step(b.price, g.decodes, context, b.contexts)
	part, t := r.latency/float64(b.e.stages), b.now
	for i := range b.stages {
		t = max(t, b.stages[i]) + part
		b.stages[i] = t
	}
	g.ready, g.flying = t, true
	b.busy += part
	b.active += float64(float64(b.e.span) * b.e.d.Platform.PowerW * (float64(powerCompute*r.compute) + float64(powerMemory*r.mem) + float64(powerLink*r.comm)))
	b.steps++
	b.batch += g.decodes + len(g.pieces)
}

// land books what a step has made.
func (b *replica) land(g *group, requests []Request, out []Outcome) {
	for _, p := range g.pieces {
		p.q.read += p.n
		if p.q.read == p.q.target {
			b.token(p.q)
		}
	}
	for _, q := range g.running[:g.decodes] {
		b.token(q)
	}
	kept := g.running[:0]
	for _, q := range g.running {
		if q.made < q.output {
			kept = append(kept, q)
			continue
		}
		b.release(q)
		b.here--
		out[q.id] = Outcome{ArrivalMS: requests[q.id].ArrivalMS, StartMS: q.start * 1000, FirstMS: q.first * 1000, DoneMS: b.now * 1000, Output: q.output, Preempted: q.preempted}
	}
	clear(g.running[len(kept):])
	g.running = kept
}

func (b *replica) token(q *sequence) {
	q.made++
	b.tokens++
	if q.first < 0 {
		q.first = b.now
	}
}

// Saturation returns how many tokens of answers all replicas make a second at
// most, if all requests are equal, batches are full, and whole prompts are read:
// batches that begin and end together take one pass for their prompts, in as
// many steps as MaxTokens asks for, and one step for each further token.
func (s Service) Saturation(prompt, output int) (tokensPerS float64, err error) {
	e := s.Engine
	sch := s.Scheduler.withDefaults()
	if err := firstOf(e.batched(), sch.check(), whole("replicas", s.Replicas, 0, 1<<20), whole("prompt", prompt, 1, most/2), whole("output", output, 1, most/2)); err != nil {
		return 0, err
	}
	if sch.Chunk > 0 {
		return 0, &FieldError{"scheduler.chunk", fmt.Sprint(sch.Chunk), "0: what pieces beside decoding can do is only known by simulation"}
	}
	room, err := e.room(sch)
	if err != nil {
		return 0, err
	}
	n := min(ceilDiv(sch.MaxBatch, e.stages), room.blocks/ceilDiv(prompt+output, sch.Block)/e.stages)
	if n < 1 {
		return 0, &LengthError{-1, prompt + output, room.blocks * sch.Block}
	}
	t := 0.0
	for left, fit := n, max(sch.MaxTokens/prompt, 1); left > 0; left -= fit {
		pieces := make([]Piece, min(left, fit))
		for i := range pieces {
			pieces[i].New = prompt
		}
		r := run{e: e, memory: e.memory}
		r.step(pieces, 0, 0, nil)
		t += r.latency
	}
	for made := 1; made < output; made++ {
		r := run{e: e, memory: e.memory}
		r.step(nil, n, float64(n)*float64(prompt+made), nil)
		t += r.latency
	}
	return float64(max(s.Replicas, 1)*e.stages) * float64(n) * float64(output) / t, nil
}
