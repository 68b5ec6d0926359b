package serving

import "github.com/daedalus-search/daedalus/internal/detmath"

// step prices one step of continuous batching: pieces of prompts, and one token
// of each of so many answers, whose caches hold context tokens together. It is
// [Engine.Chunk] but for two things: of a mixture of experts it reads those that
// so many tokens are expected to reach, and the answers' attention is summed in
// closed form where memory decides about all of it. contexts is needed where it
// does not; see linear.
func (r *run) step(prefill []Piece, answers int, context float64, contexts []int) {
	e := r.e
	m := &e.d.Model
	prompt := 0
	for _, p := range prefill {
		prompt += p.New
	}
	tokens := prompt + answers
	if prompt > 0 {
		r.embed(1, float64(prompt))
	}
	if p := e.d.Platform.PIM; p != nil && p.Interleave && prompt == 0 && answers > 1 {
		r.halves(answers, context)
	} else {
		r.layersStep(prefill, answers, tokens, context, contexts)
	}
	r.send("send", float64(e.stages-1), float64(tokens)*float64(m.Hidden))
	r.classify(1, float64(tokens))
}

func (r *run) layersStep(prefill []Piece, answers, tokens int, context float64, contexts []int) {
	e := r.e
	m := &e.d.Model
	times, hidden, n := float64(m.Layers), float64(m.Hidden), float64(tokens)
	r.gemm("QKV", partProjection, times, 1, e.qkv(), n, hidden, pinAO)
	for _, p := range prefill {
		r.attend("Logit piece", "Attend piece", times, 1, float64(p.New), float64(p.Past+p.New), pinO, pinA)
	}
	switch {
	case answers == 0:
	case e.linear || contexts == nil:
		r.attend("Logit answers", "Attend answers", times, float64(answers), 1, context/float64(answers), pinAO, pinAO)
	default:
		for _, kv := range contexts {
			r.attend("Logit answer", "Attend answer", times, 1, 1, float64(kv), pinAO, pinAO)
		}
	}
	r.gemm("output projection", partProjection, times, 1, hidden, n, e.query(), pinAO)
	r.reduce("attention all-reduce", partAttentionReduce, times, n*hidden, e.span)
	if m.Experts == 1 {
		r.ffn(times, 1, tokens)
	} else {
		r.experts(times, tokens)
	}
}

// halves is [run.interleave] for a step: both halves have the mean context.
func (r *run) halves(answers int, context float64) {
	e := r.e
	layers := e.d.Model.Layers
	a := run{e: e, memory: r.memory, list: r.list}
	b := a
	first, second := (answers+1)/2, answers/2
	mean := context / float64(answers)
	a.layersStep(nil, first, first, mean*float64(first), nil)
	b.layersStep(nil, second, second, mean*float64(second), nil)
	n := float64(layers)
	r.latency += alternate(a.npu/n, a.pim/n, b.npu/n, b.pim/n, layers)
	r.join(&a, &b)
}

// lean reports whether memory decides about the attention of every decoded
// token, so that its time is a·tokens + b·context.
func (e *Engine) lean() bool {
	h, hkv := float64(e.heads), float64(e.kvHeads)
	if e.pimBytes > 0 {
		return h/e.pimMACs <= hkv*e.bytesKV/e.pimBytes
	}
	return h/e.macs <= (hkv*e.bytesKV/e.memory+h/float64(e.d.Model.HeadDim)*e.bytesA/e.onChip)/e.d.Platform.MemoryEff
}

// experts is a mixture of experts for so many tokens of a step. Tokens choose k
// of the experts evenly and independently, so that e·(1 − (1−k/e)ᵗ) are reached
// and read; every group of experts gets an equal share of them.
func (r *run) experts(times float64, tokens int) {
	e := r.e
	m, par := &e.d.Model, e.d.Parallel
	t, k, all, groups, hidden := float64(tokens), float64(m.TopK), float64(m.Experts), float64(par.EP), float64(m.Hidden)
	width := float64(max(ceilDiv(m.ExpertFFN, par.TP), 1))
	reached := e.reach(tokens) / groups
	rows := t * k / groups
	r.gemm("gate", partFFN, times, 1, all, t, float64(m.Hidden/par.TP), 0)
	r.reduce("gate all-reduce", partFFNReduce, times, t*all, par.TP)
	r.spread("dispatch all-to-all", partAllToAll, times, t*k*hidden, par.EP)
	up := width * float64(m.Gates)
	r.op("experts up", partFFN, times, rows*up*hidden, rows*hidden, reached*up*hidden, rows*up, keptWeights, 0)
	r.op("experts down", partFFN, times, rows*width*hidden, rows*width, reached*width*hidden, rows*hidden, keptWeights, 0)
	r.spread("collect all-to-all", partAllToAll, times, t*k*hidden, par.EP)
	r.shared(times, 1, t, 0)
	r.reduce("FFN all-reduce", partFFNReduce, times, t*hidden, par.TP)
}

// reach returns how many experts so many tokens are expected to reach.
func (e *Engine) reach(tokens int) float64 {
	m := &e.d.Model
	all := float64(m.Experts)
	return all * (1 - detmath.Pow(1-float64(m.TopK)/all, float64(tokens)))
}

// Step returns how long one step of continuous batching takes, which the event
// layer goes by: pieces of prompts, and one token of each answer, given the
// tokens in its cache.
func (e *Engine) Step(prefill []Piece, decode []int) (latencyMS float64, err error) {
	r := run{e: e, memory: e.memory}
	if err := r.stepOf(prefill, decode); err != nil {
		return 0, err
	}
	return r.latency * 1000, nil
}

// StepDetails is Step with all that is known about it; throughput is in tokens,
// read or made. Whether memory suffices is not looked at.
func (e *Engine) StepDetails(prefill []Piece, decode []int) (Result, []Operator, error) {
	var list []Operator
	r := run{e: e, memory: e.memory, list: &list}
	if err := r.stepOf(prefill, decode); err != nil {
		return Result{}, nil, err
	}
	res := r.result(1, 1, 1)
	tokens := len(decode)
	for _, p := range prefill {
		tokens += p.New
	}
	res.Throughput *= float64(tokens)
	res.Steady = res.Throughput * float64(e.stages)
	return res, list, nil
}

func (r *run) stepOf(prefill []Piece, decode []int) error {
	if err := r.e.batched(); err != nil {
		return err
	}
	tokens, context := len(decode), 0.0
	for _, p := range prefill {
		if err := firstOf(whole("past tokens", p.Past, 0, most), whole("new tokens", p.New, 1, most)); err != nil {
			return err
		}
		tokens += p.New
	}
	for _, kv := range decode {
		if err := whole("tokens in the cache", kv, 1, most); err != nil {
			return err
		}
		context += float64(kv)
	}
	if err := whole("tokens", tokens, 1, most); err != nil {
		return err
	}
	r.step(prefill, len(decode), context, decode)
	return nil
}

// batched says what continuous batching is not modelled for.
func (e *Engine) batched() error {
	switch {
	case e.d.Model.MambaState > 0:
		return &FieldError{"model.mamba_state", "a state-space model", "a model with attention: continuous batching of others is not supported"}
	case e.d.Offload:
		return &FieldError{"offload", "true", "false: continuous batching with offloaded memory is not supported"}
	}
	return nil
}
