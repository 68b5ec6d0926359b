package neural

// Simplify returns the network without what does not change its outputs: nodes
// that no output depends on, identities, and zeros in sums, also those that
// operators make of zeros whatever their weights are. Inputs stay. So do names:
// the weights of the simpler network are weights of this one.
func (g *Graph) Simplify() *Graph {
	n := len(g.nodes)
	same := make([]int, n) // the node that computes this one's result
	zero := make([]bool, n)
	nodes := make([]Node, n)
	for i, node := range g.nodes {
		same[i] = i
		in := make([]int, len(node.In))
		zeros := 0
		for k, j := range node.In {
			in[k] = same[j]
			if zero[in[k]] {
				zeros++
			}
		}
		node.In = in
		switch node.Op.(type) {
		case Zero:
			zero[i] = true
		case Identity:
			same[i] = in[0]
		case Multiply:
			zero[i] = zeros > 0
		case Add:
			if zero[i] = zeros == len(in); zero[i] {
				break
			}
			kept := in[:0]
			for _, j := range in {
				if !zero[j] {
					kept = append(kept, j)
				}
			}
			if node.In = kept; len(kept) == 1 {
				same[i] = kept[0]
			}
		default:
			zero[i] = len(in) > 0 && zeros == len(in) && keepsZero(node.Op)
		}
		nodes[i] = node
	}

	live := make([]bool, n)
	for _, i := range g.outputs {
		live[same[i]] = true
	}
	used := make([]bool, len(g.blocks))
	for i := n - 1; i >= 0; i-- {
		_, input := nodes[i].Op.(Input)
		if live[i] = live[i] || input; !live[i] {
			continue
		}
		for _, j := range nodes[i].In {
			live[j] = true
		}
		for b := nodes[i].Block; b >= 0 && !used[b]; b = g.blocks[b].Parent {
			used[b] = true
		}
	}

	out := &Graph{name: g.name}
	block := make([]int, len(g.blocks))
	for i, b := range g.blocks {
		if used[i] || i == 0 {
			block[i] = len(out.blocks)
			if i > 0 {
				b.Parent = block[b.Parent]
			}
			out.blocks = append(out.blocks, b)
		}
	}
	at := make([]int, n)
	for i, node := range nodes {
		if !live[i] {
			continue
		}
		at[i] = len(out.nodes)
		node.Block = block[node.Block]
		for k, j := range node.In {
			node.In[k] = at[j]
		}
		out.nodes = append(out.nodes, node)
		out.work = append(out.work, g.work[i])
	}
	for _, i := range g.outputs {
		out.outputs = append(out.outputs, at[same[i]])
	}
	return out
}

// keepsZero reports whether an operator makes zeros of zeros, whatever its weights
// are.
func keepsZero(o Op) bool {
	switch o := o.(type) {
	case Conv:
		return !o.Bias
	case Linear:
		return !o.Bias
	case Activation:
		switch o.Func {
		case Sigmoid, HardSigmoid, Softplus:
			return false
		}
		return true
	case MaxPool, AvgPool, GlobalPool, Upsample, Flatten, ToTokens, ToImage, Shuffle, Identity, Zero, Dropout, DropPath, Slice, Concat, Attention:
		return true
	}
	return false
}
