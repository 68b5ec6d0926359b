package neural

import (
	"sort"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// featureKinds are the operators that are counted for predictors, sorted.
var featureKinds = func() []string {
	var k []string
	for name := range kinds {
		k = append(k, name)
	}
	sort.Strings(k)
	return k
}()

// FeatureNames returns what the numbers of [Graph.Features] mean, in their order.
func FeatureNames() []string {
	names := []string{
		"log_params", "log_macs", "log_moved_bytes", "log_peak_bytes", // natural logarithms of 1 more
		"nodes", "depth", "macs_depth", // all nodes; on the longest path; those with weights or products on it
		"branches", "mean_log_width", "max_log_width", "mean_kernel", // results read more than once; features of weighted results; of convolutions, weighted by multiply-accumulates
		"depthwise_share", "matmul_share", "attention_share", // of the multiply-accumulates
	}
	for _, k := range featureKinds {
		names = append(names, "count_"+k)
	}
	return names
}

// Features returns numbers that describe the network to a predictor, of the same
// length and meaning for all networks.
func (g *Graph) Features() []float64 {
	c := g.Cost()
	log := func(n int64) float64 { return detmath.Log1p(float64(n)) }
	var branches, weighted, widths, widest, kernels, convs, depthwise, matmul, attention float64
	counts := make(map[string]float64, len(featureKinds))
	depth, heavy := make([]int, len(g.nodes)), make([]int, len(g.nodes))
	readers := make([]int, len(g.nodes))
	deepest, heaviest := 0, 0
	for i, n := range g.nodes {
		counts[n.Op.Kind()]++
		for _, j := range n.In {
			if readers[j]++; readers[j] == 2 {
				branches++
			}
			depth[i], heavy[i] = max(depth[i], depth[j]), max(heavy[i], heavy[j])
		}
		depth[i]++
		w := g.work[i]
		if w.macs > 0 {
			heavy[i]++
			weighted++
			width := log(int64(n.Shape.Features()))
			widths += width
			widest = max(widest, width)
		}
		deepest, heaviest = max(deepest, depth[i]), max(heaviest, heavy[i])
		switch o := n.Op.(type) {
		case Conv:
			f := o.Full(g.nodes[n.In[0]].Shape[0])
			kernels += float64(float64(w.macs) * float64(f.Kernel+f.KernelWide) / 2)
			convs += float64(w.macs)
			if f.Groups > 1 && f.Groups == g.nodes[n.In[0]].Shape[0] {
				depthwise += float64(w.macs)
			}
		case Linear:
			matmul += float64(w.macs)
		case Attention:
			attention += float64(w.macs)
		}
	}
	share := func(x, of float64) float64 {
		if of == 0 {
			return 0
		}
		return x / of
	}
	macs := float64(c.MACs)
	f := []float64{
		log(c.Params), log(c.MACs), log(c.MovedBytes), log(c.PeakBytes),
		float64(len(g.nodes)), float64(deepest), float64(heaviest),
		branches, share(widths, weighted), widest, share(kernels, convs),
		share(depthwise, macs), share(matmul, macs), share(attention, macs),
	}
	for _, k := range featureKinds {
		f = append(f, counts[k])
	}
	return f
}
