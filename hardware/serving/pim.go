package serving

// interleave prices the layers of a decoding pass as two halves of the batch
// that take turns: while the attention of one is computed in memory, the
// matrices of the other are computed outside (NeuPIMs §5, sub-batch
// interleaving; the reference has no such thing). The weights are read for each
// half, which is why it pays for large batches and long contexts only. Parts of
// the breakdown then overlap, and add up to more than the latency.
func (r *run) interleave(size, beams, input, output int) {
	a := run{e: r.e, memory: r.memory, list: r.list}
	b := a
	a.layersDecode((size+1)/2, beams, input, output)
	b.layersDecode(size/2, beams, input, output)
	layers := r.e.d.Model.Layers
	n := float64(layers)
	r.latency += alternate(a.npu/n, a.pim/n, b.npu/n, b.pim/n, layers)
	r.join(&a, &b)
}

// join adds what two halves took, but for latency.
func (r *run) join(a, b *run) {
	r.compute += a.compute + b.compute
	r.mem += a.mem + b.mem
	r.comm += a.comm + b.comm
	r.macs += a.macs + b.macs
	r.data += a.data + b.data
	r.weights += a.weights // which both use
	r.unused += a.unused
	r.kv += a.kv + b.kv
	for i := range r.parts {
		r.parts[i] += a.parts[i] + b.parts[i]
	}
}

// alternate returns when the second of two jobs ends that go through so many
// layers, each first on one machine and then on the other, in turns.
func alternate(n1, p1, n2, p2 float64, layers int) float64 {
	var npu, pim, t1, t2 float64 // when machines and jobs are free
	for range layers {
		npu = max(t1, npu) + n1
		t1 = max(npu, pim) + p1
		npu, pim = max(t2, npu)+n2, t1
		t2 = max(npu, pim) + p2
		pim = t2
	}
	return max(t1, t2)
}
