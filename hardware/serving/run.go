package serving

// part is what an operator's time is booked on.
type part uint8

const (
	partEmbedding part = iota
	partEmbeddingSync
	partProjection
	partLogitAttend
	partAttentionReduce
	partFFN
	partFFNReduce
	partAllToAll
	partSend
	partMamba
	parts
)

// run is one pass through a model: operators are priced as they come up, and
// only sums are kept.
type run struct {
	e         *Engine
	memory    float64 // bytes a second off chip
	offloaded bool

	latency            float64 // seconds
	compute, mem, comm float64 // seconds that each was busy
	macs               float64
	data               float64 // bytes
	weights, unused    float64
	kv                 float64
	parts              [parts]float64 // seconds

	npu, pim float64 // seconds of latency inside the layers: in memory, and all else

	list *[]Operator // for [Engine.Operators]; nil otherwise
}

// pin says which operands stay on chip.
type pin uint8

const (
	pinA pin = 1 << iota
	pinW
	pinO
	pinAO  = pinA | pinO
	pinAll = pinA | pinW | pinO
)

// kept says what the second operand is.
type kept uint8

const (
	keptWeights kept = iota
	keptKV
	keptState // an activation
)

// op prices an operator that occurs so many times: its multiply-adds, and the
// values of its operands. Time is the larger of compute and memory; an operator
// that computes nothing takes none (GenZ operator_base.py, get_roofline).
func (r *run) op(name string, p part, times, macs, a, w, o float64, second kept, on pin) {
	e := r.e
	// float64(x*y) keeps products from being fused with the sums they enter.
	a = float64(a * e.bytesA)
	o = float64(o * e.bytesA)
	switch second {
	case keptWeights:
		w = float64(w * e.bytesW)
		r.weights += float64(times * w)
		if macs == 0 {
			r.unused += float64(times * w)
		}
	case keptKV:
		w = float64(w * e.bytesKV)
		r.kv += float64(times * w)
	default:
		w = float64(w * e.bytesA)
	}
	r.macs += float64(times * macs)
	r.data += float64(times * (a + w + o))
	if macs == 0 {
		r.note(name, times, 0, a, w, o, 0, 0, 0, 0)
		return
	}
	var on1, off float64
	if on&pinA != 0 {
		on1 += a
	} else {
		off += a
	}
	if on&pinW != 0 {
		on1 += w
	} else {
		off += w
	}
	if on&pinO != 0 {
		on1 += o
	} else {
		off += o
	}
	compute, mem := macs/e.macs, (off/r.memory+on1/e.onChip)/e.d.Platform.MemoryEff
	inMemory := p == partLogitAttend && second == keptKV && on&pinAO == pinAO && e.pimBytes > 0
	if inMemory { // attention in decoding, where keys and values are
		compute, mem = macs/e.pimMACs, max(off/e.pimBytes, on1/e.onChip)
	}
	t := max(compute, mem)
	r.compute += float64(times * compute)
	r.mem += float64(times * mem)
	r.book(p, times, t, inMemory)
	r.note(name, times, macs, a, w, o, off, compute, mem, 0)
}

func (r *run) book(p part, times, t float64, inMemory bool) {
	t = float64(t * times)
	r.latency += t
	r.parts[p] += t
	if inMemory {
		r.pim += t
	} else {
		r.npu += t
	}
}

// gemm multiplies B times N vectors of K values by M×K weights.
func (r *run) gemm(name string, p part, times, b, m, n, k float64, on pin) {
	r.op(name, p, times, b*n*m*k, b*n*k, m*k, b*n*m, keptWeights, on)
}

// startup is the time before a collective moves anything (GenZ
// collective_times.py).
const startup = 5e-6

// reduce is a ring all-reduce of so many values over n accelerators.
func (r *run) reduce(name string, p part, times, values float64, n int) {
	bytes, f := float64(values*r.e.bytesA), float64(n)
	if bytes == 0 || n == 1 {
		return
	}
	r.sync(name, p, times, bytes, startup+float64(2*(f-1)*r.e.hop)+2*(f-1)*(bytes/f)/r.e.link)
}

// spread is a ring all-gather or an all-to-all, which take equally long.
func (r *run) spread(name string, p part, times, values float64, n int) {
	bytes, f := float64(values*r.e.bytesA), float64(n)
	if bytes == 0 || n == 1 {
		return
	}
	r.sync(name, p, times, bytes, startup+float64((f-1)*r.e.hop)+(f-1)*(bytes/f)/r.e.link)
}

// send passes values to the next stage.
func (r *run) send(name string, times, values float64) {
	bytes := values * r.e.bytesA
	if bytes == 0 || times == 0 {
		return
	}
	r.sync(name, partSend, times, bytes, r.e.hop+bytes/r.e.link)
}

func (r *run) sync(name string, p part, times, bytes, t float64) {
	t /= r.e.linkEff
	r.comm += float64(times * t)
	r.book(p, times, t, false)
	r.note(name, times, 0, bytes, 0, 0, 0, 0, 0, t)
}

// prefill is a pass over prompts (GenZ get_language_model.py,
// create_full_prefill_model).
func (r *run) prefill(b, s int) {
	e := r.e
	m := &e.d.Model
	times, hidden, fb, fs := float64(m.Layers), float64(m.Hidden), float64(b), float64(s)
	tokens := fb * fs
	r.embed(fb, fs)
	if m.MambaState > 0 {
		r.mamba(times, b, s)
	} else {
		r.gemm("QKV", partProjection, times, fb, e.qkv(), fs, hidden, 0)
		r.attend("Logit", "Attend", times, fb, fs, fs, pinO, pinA)
		r.gemm("output projection", partProjection, times, fb, hidden, fs, e.query(), 0)
		r.reduce("attention all-reduce", partAttentionReduce, times, tokens*hidden, e.span)
	}
	r.ffn(times, b, s)
	r.send("send", float64(e.stages-1), tokens*hidden)
	r.classify(fb, fs)
}

// query is the width of an accelerator's query heads together, and qkv that with
// its key and value heads.
func (e *Engine) query() float64 { return float64(e.heads) * float64(e.d.Model.HeadDim) }
func (e *Engine) qkv() float64 {
	return float64(e.heads+2*e.kvHeads) * float64(e.d.Model.HeadDim)
}

func (r *run) embed(b, s float64) {
	e := r.e
	m := &e.d.Model
	hidden := float64(m.Hidden)
	r.gemm("embedding", partEmbedding, 1, b, hidden, s, float64(m.Vocab/e.span), 0)
	r.reduce("embedding all-reduce", partEmbeddingSync, 1, b*s*hidden, e.span)
}

func (r *run) classify(b, s float64) {
	e := r.e
	m := &e.d.Model
	r.gemm("classifier", partEmbedding, 1, b, float64(m.Vocab/e.span), s, float64(m.Hidden), 0)
	r.spread("classifier all-gather", partEmbeddingSync, 1, b*s*float64(m.Vocab), e.span)
}

// attend is the product of q queries with n keys, and of their weights with the
// values; what lies between the two stays on chip. logit and attend say what
// else does.
func (r *run) attend(first, second string, times, b, q, n float64, logit, attend pin) {
	e := r.e
	h, hkv, d := float64(e.heads), float64(e.kvHeads), float64(e.d.Model.HeadDim)
	macs, small, large, kv := b*h*q*n*d, b*h*q*d, b*h*q*n, b*hkv*n*d
	r.op(first, partLogitAttend, times, macs, small, kv, large, keptKV, logit|pinO)
	r.op(second, partLogitAttend, times, macs, large, kv, small, keptKV, attend|pinA)
}

// ffn is the feed-forward network, or the experts, for s tokens of b sequences
// (GenZ ffn.py, ffn_prefill).
func (r *run) ffn(times float64, b, s int) {
	e := r.e
	m, par := &e.d.Model, e.d.Parallel
	fb, fs, hidden, gates := float64(b), float64(s), float64(m.Hidden), float64(m.Gates)
	tokens := fb * fs
	if m.Experts == 1 {
		width := float64(max(ceilDiv(m.FFN, par.TP), 1))
		r.gemm("up", partFFN, times, fb, width*gates, fs, hidden, 0)
		r.gemm("down", partFFN, times, fb, hidden, fs, width, 0)
	} else {
		width := float64(max(ceilDiv(m.ExpertFFN, par.TP), 1)) * float64(m.Experts/par.EP)
		each := float64(int64(s) * int64(m.TopK) / int64(m.Experts))
		r.gemm("gate", partFFN, times, fb, float64(m.Experts), fs, float64(m.Hidden/par.TP), 0)
		r.reduce("gate all-reduce", partFFNReduce, times, tokens*float64(m.Experts), par.TP)
		r.spread("dispatch all-to-all", partAllToAll, times, tokens*float64(m.TopK)*hidden, par.EP)
		r.gemm("experts up", partFFN, times, fb, width*gates, each, hidden, 0)
		r.gemm("experts down", partFFN, times, fb, hidden, each, width, 0)
		r.spread("collect all-to-all", partAllToAll, times, tokens*float64(m.TopK)*hidden, par.EP)
		r.shared(times, fb, fs, 0)
	}
	r.reduce("FFN all-reduce", partFFNReduce, times, tokens*hidden, par.TP)
}

// shared is the network beside the experts, which the reference leaves out.
func (r *run) shared(times, b, s float64, on pin) {
	m := &r.e.d.Model
	if m.SharedFFN == 0 {
		return
	}
	width, hidden := float64(max(ceilDiv(m.SharedFFN, r.e.d.Parallel.TP), 1)), float64(m.Hidden)
	r.gemm("shared up", partFFN, times, b, width*float64(m.Gates), s, hidden, on)
	r.gemm("shared down", partFFN, times, b, hidden, s, width, on)
}

// decode is a pass that makes one token of each sequence (GenZ
// create_full_decode_model). Activations stay on chip.
func (r *run) decode(size, beams, input, output int) {
	e := r.e
	m := &e.d.Model
	b := size * beams
	if p := e.d.Platform.PIM; p != nil && p.Interleave && size > 1 && m.MambaState == 0 {
		r.interleave(size, beams, input, output)
	} else {
		r.layersDecode(size, beams, input, output)
	}
	r.send("send", float64(e.stages-1), float64(b)*float64(m.Hidden))
	r.classify(float64(b), 1)
}

func (r *run) layersDecode(size, beams, input, output int) {
	e := r.e
	m := &e.d.Model
	b := size * beams
	times, fb, hidden := float64(m.Layers), float64(b), float64(m.Hidden)
	if m.MambaState > 0 {
		r.mamba(times, b, 1)
	} else {
		r.gemm("QKV", partProjection, times, fb, e.qkv(), 1, hidden, pinAO)
		r.attend("Logit prompt", "Attend prompt", times, float64(size), 1, float64(input), pinAO, pinAO)
		r.attend("Logit answer", "Attend answer", times, fb, 1, float64(output), pinAO, pinAO)
		r.gemm("output projection", partProjection, times, fb, hidden, 1, e.query(), pinAO)
		r.reduce("attention all-reduce", partAttentionReduce, times, fb*hidden, e.span)
	}
	r.ffnDecode(times, fb)
}

// ffnDecode is the feed-forward network for one token of b sequences (GenZ
// ffn_decode): of a mixture, the weights of k experts are read, spread evenly
// over the groups; the others only take memory.
func (r *run) ffnDecode(times, b float64) {
	e := r.e
	m, par := &e.d.Model, e.d.Parallel
	hidden, gates := float64(m.Hidden), float64(m.Gates)
	if m.Experts == 1 {
		width := float64(max(ceilDiv(m.FFN, par.TP), 1))
		r.gemm("up", partFFN, times, b, width*gates, 1, hidden, pinAO)
		r.gemm("down", partFFN, times, b, hidden, 1, width, pinAO)
	} else {
		width := float64(max(ceilDiv(m.ExpertFFN, par.TP), 1))
		active := max(1, ceilDiv(m.TopK, par.EP))
		busy, idle := float64(active)*width, float64(ceilDiv(m.Experts, par.EP)-active)*width
		r.gemm("gate", partFFN, times, b, float64(m.Experts), 1, float64(m.Hidden/par.TP), 0)
		r.reduce("gate all-reduce", partFFNReduce, times, b*hidden, par.TP)
		r.spread("dispatch all-to-all", partAllToAll, times, b*float64(m.TopK)*hidden, par.EP)
		r.gemm("experts up", partFFN, times, b, busy*gates, 1, hidden, pinAO)
		r.gemm("experts down", partFFN, times, b, hidden, 1, busy, pinAO)
		r.gemm("idle experts up", partFFN, times, b, idle*gates, 0, hidden, 0)
		r.gemm("idle experts down", partFFN, times, b, hidden, 0, idle, 0)
		r.spread("collect all-to-all", partAllToAll, times, b*float64(m.TopK)*hidden, par.EP)
		r.shared(times, b, 1, pinAO)
	}
	r.reduce("FFN all-reduce", partFFNReduce, times, b*hidden, par.TP)
}

// chunk is one step over pieces of prompts and tokens of answers (GenZ
// create_full_chunked_model).
func (r *run) chunk(prefill []Piece, decode []int) {
	e := r.e
	m := &e.d.Model
	tokens, prompt := len(decode), 0
	for _, p := range prefill {
		prompt += p.New
	}
	tokens += prompt
	times, hidden, n := float64(m.Layers), float64(m.Hidden), float64(tokens)
	r.embed(1, float64(prompt))
	r.gemm("QKV", partProjection, times, 1, e.qkv(), n, hidden, pinAO)
	for _, p := range prefill {
		// The reference gives the operator new tokens as queries and all as keys.
		r.attend("Logit piece", "Attend piece", times, 1, float64(p.New), float64(p.Past+p.New), pinO, pinA)
	}
	for _, kv := range decode {
		r.attend("Logit answer", "Attend answer", times, 1, 1, float64(kv), pinAO, pinAO)
	}
	r.gemm("output projection", partProjection, times, 1, hidden, n, e.query(), pinAO)
	r.reduce("attention all-reduce", partAttentionReduce, times, n*hidden, e.span)
	r.ffn(times, 1, tokens)
	r.send("send", float64(e.stages-1), n*hidden)
	r.classify(1, n)
}

// even rounds to the nearest whole number, halves to the even one.
func even(a, b int) int {
	q, rest := a/b, a%b
	if 2*rest > b || 2*rest == b && q%2 == 1 {
		q++
	}
	return q
}

// mamba is a state-space layer over s tokens (GenZ mamba.py). The scan is not
// cut over accelerators, as there.
func (r *run) mamba(times float64, b, s int) {
	e := r.e
	m := &e.d.Model
	fb, fs := float64(b), float64(s)
	d, n, rank, kernel := float64(even(m.Hidden, e.span)), float64(m.MambaState), float64(m.MambaRank), float64(m.MambaConv)
	inner, tokens := d*float64(m.MambaExpand), fb*fs
	r.gemm("in projection", partMamba, times, fb, 2*inner, fs, d, 0)
	// What the convolution keeps of earlier tokens counts as state.
	r.op("convolution", partMamba, times, tokens*inner*kernel, tokens*inner, inner*kernel, tokens*inner, keptState, 0)
	r.kv += float64(times * inner * kernel * e.bytesA)
	r.gemm("BC projection", partMamba, times, fb, rank+float64(2*n), fs, inner, 0)
	r.gemm("step projection", partMamba, times, fb, inner, fs, rank, 0)
	f := float64(m.Hidden) * float64(m.MambaExpand)
	row, state := tokens*f, tokens*f*n
	r.op("deltaA", partMamba, times, state, row, f*n, state, keptState, pinW|pinO)
	r.op("deltaB", partMamba, times, state, row, tokens*n, state, keptState, pinO)
	r.op("deltaB·u", partMamba, times, state, state, row, state, keptState, 0)
	r.op("x", partMamba, times, state, state, state, state, keptState, pinAll)
	r.kv += float64(times * fb * f * n * e.bytesA)
	r.op("y", partMamba, times, state, state, tokens*n, row, keptState, pinAll)
	r.op("D", partMamba, times, row, row, row, row, keptState, pinAll)
	r.op("out·z", partMamba, times, row, row, row, row, keptState, pinAll)
	r.gemm("out projection", partMamba, times, fb, d, fs, inner, 0)
	r.reduce("Mamba all-reduce", partAttentionReduce, times, tokens*d, e.span)
}
