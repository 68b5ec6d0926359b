package neural

// A Cost is what a network needs for one example.
//
// Multiply-accumulates are counted as the papers of architecture search count
// them, many of which call them FLOPs: those of convolutions, linear operators and
// attention; not those of biases, normalisation, activations, pooling, sums and
// products. Counted as separate multiplications and additions there are twice as
// many.
//
// Memory is that of numbers of 4 bytes, under a plain executor: it runs one node
// after the other in the graph's order, each node reads its operands and weights
// and writes its result once, and a result is kept until its last reader has run.
// Views (identity, flatten, dropout, which does nothing at inference) cost
// nothing, and operators that work number by number (normalisation, activations,
// sums, products) overwrite an operand that nobody reads later, as the usual
// runtimes do; so what an activation after a convolution costs is moving, not
// memory. Attention needs room while it runs, which counts as memory but not as moved:
// with softmax the products of all queries and keys of one head, else its sums of all
// heads.
type Cost struct {
	Params     int64 `json:"params"`      // learned numbers
	State      int64 `json:"state"`       // kept statistics, such as running means
	MACs       int64 `json:"macs"`        // multiply-accumulates
	MovedBytes int64 `json:"moved_bytes"` // read and written: operands, weights, results
	PeakBytes  int64 `json:"peak_bytes"`  // most that activations hold at one time, inputs and outputs included
}

// bytesPerNumber is the size of a float32.
const bytesPerNumber = 4

// Then returns the cost of running c and then d on its only result, which nothing
// else reads: the cost of a chain of blocks from theirs.
func (c Cost) Then(d Cost) Cost {
	return Cost{c.Params + d.Params, c.State + d.State, c.MACs + d.MACs, c.MovedBytes + d.MovedBytes, max(c.PeakBytes, d.PeakBytes)}
}

// Times returns the cost of running c n times in a row, as [Cost.Then] does.
func (c Cost) Times(n int) Cost {
	if n < 1 {
		return Cost{}
	}
	k := int64(n)
	return Cost{k * c.Params, k * c.State, k * c.MACs, k * c.MovedBytes, c.PeakBytes}
}

// memory is how an operator's result lies in memory.
type memory uint8

const (
	fresh   memory = iota // somewhere else
	given                 // with the inputs
	inPlace               // over an operand that nobody reads later
	shared                // where the operand lies
)

func memoryOf(o Op) memory {
	switch o.(type) {
	case Input:
		return given
	case Identity, Flatten, Dropout, DropPath:
		return shared
	case BatchNorm, LayerNorm, Activation, Softmax, Add, Multiply, Position:
		return inPlace
	}
	return fresh
}

// Cost returns what the network costs. Nodes that no output depends on cost as
// well; for a network without them, see [Graph.Simplify].
func (g *Graph) Cost() Cost {
	var c Cost
	for _, w := range g.work {
		c.Params += w.params
		c.State += w.state
		c.MACs += w.macs
	}
	c.MovedBytes = bytesPerNumber * g.moved()
	c.PeakBytes = bytesPerNumber * g.peak()
	return c
}

// moved returns how many numbers are read and written.
func (g *Graph) moved() (total int64) {
	for i := range g.nodes {
		w := &g.work[i]
		if w.how == given || w.how == shared {
			continue
		}
		total += w.size + w.params + w.state
		for _, j := range g.nodes[i].In {
			total += g.work[j].size
		}
		if w.params > 0 {
			if e, ok := g.nodes[i].Op.(Embedding); ok { // reads the rows that are looked up
				total += w.size - int64(e.Size)*int64(e.Out)
			}
		}
	}
	return total
}

// life is the memory of a result.
type life struct {
	size int64
	last int32 // the last node that reads it, through views too
	home int32 // the node in whose memory it lies
}

// peak returns the most numbers that results hold at one time.
func (g *Graph) peak() int64 {
	var few [512]life
	lives := few[:0]
	if len(g.nodes) > len(few) {
		lives = make([]life, 0, len(g.nodes))
	}
	lives = lives[:len(g.nodes)]
	var live int64
	for i := range lives {
		w := &g.work[i]
		lives[i] = life{w.size, int32(i), int32(i)}
		if w.how == given { // inputs are there from the start
			live += w.size
		}
	}
	for _, i := range g.outputs {
		lives[i].last = int32(len(lives))
	}
	for i := len(lives) - 1; i >= 0; i-- {
		last := int32(i)
		if g.work[i].how == shared {
			last = lives[i].last
		}
		for _, j := range g.nodes[i].In {
			lives[j].last = max(lives[j].last, last)
		}
	}
	most := live
	free := func(l *life) {
		live -= l.size
		l.size = 0 // only once
	}
	for i := range lives {
		in, l := g.nodes[i].In, &lives[i]
		switch g.work[i].how {
		case fresh:
			live += l.size
		case shared:
			l.home = lives[in[0]].home
		case inPlace:
			for _, j := range in {
				if h := &lives[lives[j].home]; h.last == int32(i) && h.size == l.size {
					l.home = lives[j].home
					h.last = l.last // the memory lives on with this result
					break
				}
			}
			if l.home == int32(i) {
				live += l.size
			}
		}
		most = max(most, live+g.work[i].room)
		for _, j := range in {
			if h := &lives[lives[j].home]; h.last == int32(i) {
				free(h)
			}
		}
		if h := &lives[l.home]; h.last == int32(i) { // nobody reads it
			free(h)
		}
	}
	return most
}
