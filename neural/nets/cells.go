package nets

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/daedalus-search/daedalus/neural"
)

// A Genotype is a cell in the form of NASNet and DARTS. Its states are the results
// of the two cells before it, 0 and 1, and of its steps, from 2 on.
type Genotype struct {
	Steps  []Step
	Concat []int // the states whose concatenation is the result; empty: those that no step reads
}

// A Step computes two operations of earlier states and joins them.
type Step struct {
	A, B Branch
	// Concat joins by concatenation, after which a 1×1 convolution brings the
	// channels back, instead of by a sum.
	Concat bool
}

// A Branch is an operation, which [Operations] lists, on a state.
type Branch struct {
	Op   string
	From int
}

// Cells is a stack of cells: normal ones that keep the shape, and at a third and
// two thirds of the depth a reduction cell that halves the image and doubles the
// channels (Zoph et al. 2018, Liu et al. 2019).
type Cells struct {
	Normal, Reduce Genotype
	Channels       int          // of the first cells' steps; 0 means 36
	Cells          int          // 0 means 20
	Stem           int          // channels of the stem for each of Channels; 0 means 3
	Classes        int          // 0 means 10
	Image          neural.Shape // 0 means 3×32×32
	DropPath       float64      // of every operation that is no identity
	// Search builds the form in which cells are searched: batch normalisations have
	// no scale and shift, and pools are followed by one.
	Search bool
}

// DARTS2 is the cell pair that second-order DARTS found on CIFAR-10 (Liu et al.
// 2019, figures 4 and 5).
func DARTS2() (normal, reduce Genotype) {
	step := func(a string, i int, b string, j int) Step { return Step{A: Branch{a, i}, B: Branch{b, j}} }
	const sep, dil, skip, pool = "sep_conv_3x3", "dil_conv_3x3", "skip_connect", "max_pool_3x3"
	all := []int{2, 3, 4, 5}
	normal = Genotype{[]Step{step(sep, 0, sep, 1), step(sep, 0, sep, 1), step(sep, 1, skip, 0), step(skip, 0, dil, 2)}, all}
	reduce = Genotype{[]Step{step(pool, 0, pool, 1), step(skip, 2, pool, 1), step(pool, 0, skip, 2), step(skip, 2, pool, 1)}, all}
	return normal, reduce
}

// operation adds an operation with a stride to a cell's state.
type operation func(c cellBuilder, stride int, x neural.Value) neural.Value

var operations = map[string]operation{
	"none": func(c cellBuilder, s int, x neural.Value) neural.Value {
		return c.Named("zero", neural.Zero{Stride: s}, x)
	},
	"skip_connect": cellBuilder.skip,
	"max_pool_3x3": maxPool(3), "max_pool_5x5": maxPool(5), "max_pool_7x7": maxPool(7),
	"avg_pool_3x3": func(c cellBuilder, s int, x neural.Value) neural.Value {
		return c.pooled(c.Named("pool", neural.AvgPool{Kernel: 3, Stride: s}, x))
	},
	"conv_1x1": plainConv(1), "conv_3x3": plainConv(3),
	"conv_1x3_3x1": crossConv(3), "conv_1x7_7x1": crossConv(7),
	"sep_conv_3x3": separable(3), "sep_conv_5x5": separable(5), "sep_conv_7x7": separable(7),
	"dil_conv_3x3": dilated(3), "dil_conv_5x5": dilated(5),
	"inv_res_3x3": invertedCell(3), "inv_res_5x5": invertedCell(5),
}

// Operations returns the names of the operations that cells can have, sorted.
func Operations() (names []string) {
	for n := range operations {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// cellBuilder adds operations of one cell.
type cellBuilder struct {
	parts
	n        Cells
	channels int
}

func (c cellBuilder) norm(name string, x neural.Value) neural.Value {
	return c.Named(name, neural.BatchNorm{Plain: c.n.Search}, x)
}

// reluConv is an activation, a convolution and batch normalisation.
func (c cellBuilder) reluConv(prefix string, o neural.Conv, x neural.Value) neural.Value {
	x = c.act(prefix, neural.ReLU, x)
	return c.norm(prefix+"bn", c.Named(prefix+"conv", o, x))
}

// pooled is what follows a pool.
func (c cellBuilder) pooled(x neural.Value) neural.Value {
	if c.n.Search {
		return c.norm("bn", x)
	}
	return x
}

func (c cellBuilder) skip(stride int, x neural.Value) neural.Value {
	if stride == 1 {
		return c.Named("identity", neural.Identity{}, x)
	}
	return c.halve("", x)
}

// halve halves the image by two 1×1 convolutions of stride 2, on the pixels of
// even and of odd rows and columns.
func (c cellBuilder) halve(prefix string, x neural.Value) neural.Value {
	x = c.act(prefix, neural.ReLU, x)
	even := c.Named(prefix+"even", neural.Conv{Out: c.channels - c.channels/2, Stride: 2}, x)
	odd := c.Named(prefix+"rows", neural.Slice{Axis: neural.Height, From: 1}, x)
	odd = c.Named(prefix+"columns", neural.Slice{Axis: neural.Width, From: 1}, odd)
	odd = c.Named(prefix+"odd", neural.Conv{Out: max(c.channels/2, 1), Stride: 2}, odd)
	return c.norm(prefix+"bn", c.Named(prefix+"concat", neural.Concat{}, even, odd))
}

func maxPool(kernel int) operation {
	return func(c cellBuilder, s int, x neural.Value) neural.Value {
		return c.pooled(c.Named("pool", neural.MaxPool{Kernel: kernel, Stride: s}, x))
	}
}

func plainConv(kernel int) operation {
	return func(c cellBuilder, s int, x neural.Value) neural.Value {
		return c.reluConv("", neural.Conv{Kernel: kernel, Stride: s}, x)
	}
}

// crossConv is a flat and then a high convolution.
func crossConv(kernel int) operation {
	return func(c cellBuilder, s int, x neural.Value) neural.Value {
		x = c.act("", neural.ReLU, x)
		x = c.Named("flat", neural.Conv{Kernel: 1, KernelWide: kernel, Stride: 1, StrideWide: s}, x)
		return c.norm("bn", c.Named("high", neural.Conv{Kernel: kernel, KernelWide: 1, Stride: s, StrideWide: 1}, x))
	}
}

// separable is twice an activation, a depthwise and a 1×1 convolution and batch
// normalisation.
func separable(kernel int) operation {
	return func(c cellBuilder, s int, x neural.Value) neural.Value {
		for _, part := range []string{"a_", "b_"} {
			x = c.act(part, neural.ReLU, x)
			x = c.Named(part+"depth", neural.Conv{Kernel: kernel, Stride: s, Groups: neural.Depthwise}, x)
			x = c.norm(part+"bn", c.Named(part+"point", neural.Conv{}, x))
			s = 1
		}
		return x
	}
}

func dilated(kernel int) operation {
	return func(c cellBuilder, s int, x neural.Value) neural.Value {
		x = c.act("", neural.ReLU, x)
		x = c.Named("depth", neural.Conv{Kernel: kernel, Stride: s, Dilation: 2, Groups: neural.Depthwise}, x)
		return c.norm("bn", c.Named("point", neural.Conv{}, x))
	}
}

// invertedCell is an inverted residual of expansion 6.
func invertedCell(kernel int) operation {
	return func(c cellBuilder, s int, x neural.Value) neural.Value {
		m := inverted{out: c.channels, kernel: kernel, hidden: 6 * c.channels, stride: s, act: neural.ReLU}
		return m.add(c.parts, "inverted", x)
	}
}

// Graph builds the network.
func (n Cells) Graph() (*neural.Graph, error) {
	b := begin("cells")
	if err := n.check(); err != nil {
		return nil, fmt.Errorf("cells: %w", err)
	}
	cells, channels := or(n.Cells, 20), or(n.Channels, 36)
	x := b.block("stem", "stem", b.Input("image", image(n.Image)), func(x neural.Value) neural.Value {
		return b.convNorm("", neural.Conv{Out: or(n.Stem, 3) * channels, Kernel: 3}, "", x)
	})
	before, last, reduced := x, x, false
	for i := range cells {
		g, label := n.Normal, "normal cell"
		reduce := i > 0 && (i == cells/3 || i == 2*cells/3)
		if reduce {
			g, label = n.Reduce, "reduction cell"
			channels *= 2
		}
		b.Block(fmt.Sprintf("cell%d", i+1), label, func() {
			c := cellBuilder{b, n, channels}
			before, last = last, c.cell(g, reduce, reduced, before, last)
		})
		reduced = reduce
	}
	x = b.block("head", "", last, func(x neural.Value) neural.Value { return b.classify(or(n.Classes, 10), x) })
	return b.Build(x)
}

func (n Cells) check() error {
	if c := or(n.Cells, 20); c < 1 || c > 1000 {
		return fmt.Errorf("found %d cells, want 1 to 1000", c)
	}
	if err := n.Normal.Check(); err != nil {
		return fmt.Errorf("normal cell: %w", err)
	}
	if err := n.Reduce.Check(); err != nil {
		return fmt.Errorf("reduction cell: %w", err)
	}
	return nil
}

// Check reports a cell that cannot be built.
func (g Genotype) Check() error {
	if len(g.Steps) == 0 || len(g.Steps) > 64 {
		return fmt.Errorf("found %d steps, want 1 to 64", len(g.Steps))
	}
	for i, s := range g.Steps {
		for _, b := range []Branch{s.A, s.B} {
			if b.From < 0 || b.From >= i+2 {
				return fmt.Errorf("step %d: found state %d, want 0 to %d", i+1, b.From, i+1)
			}
			if _, ok := operations[b.Op]; !ok {
				return fmt.Errorf("step %d: found the operation %q, want one of %s", i+1, b.Op, strings.Join(Operations(), ", "))
			}
		}
	}
	for _, k := range g.Concat {
		if k < 2 || k >= len(g.Steps)+2 {
			return fmt.Errorf("concat: found state %d, want 2 to %d, the results of steps", k, len(g.Steps)+1)
		}
	}
	return nil
}

// Result returns the states whose concatenation is the cell's result.
func (g Genotype) Result() []int {
	if len(g.Concat) > 0 {
		return g.Concat
	}
	read := make([]bool, len(g.Steps)+2)
	for _, s := range g.Steps {
		read[s.A.From], read[s.B.From] = true, true
	}
	var out []int
	for i := 2; i < len(read); i++ {
		if !read[i] {
			out = append(out, i)
		}
	}
	return out // not empty: nobody reads the last
}

// cell adds a cell. Reduce halves the image where steps read the cells before;
// reduced says that the last cell did, so that the one before it is larger.
func (c cellBuilder) cell(g Genotype, reduce, reduced bool, before, last neural.Value) neural.Value {
	states := []neural.Value{}
	align := func(name string, x neural.Value, halve bool) {
		states = append(states, c.block(name, "", x, func(x neural.Value) neural.Value {
			if halve {
				return c.halve("", x)
			}
			return c.reluConv("", neural.Conv{Out: c.channels}, x)
		}))
	}
	align("in0", before, reduced)
	align("in1", last, false)
	for i, s := range g.Steps {
		var branches [2]neural.Value
		for k, b := range []Branch{s.A, s.B} {
			stride := 1
			if reduce && b.From < 2 {
				stride = 2
			}
			// Named by the edge, so that cells share it whatever else the step reads.
			name := fmt.Sprintf("%d_%d_%s", i+2, b.From, b.Op)
			if k == 1 && s.A == s.B {
				name += "_again"
			}
			branches[k] = c.block(name, opLabel(b.Op), states[b.From], func(x neural.Value) neural.Value {
				x = operations[b.Op](c, stride, x)
				if c.n.DropPath > 0 && (b.Op != "skip_connect" || stride > 1) && b.Op != "none" {
					x = c.Named("droppath", neural.DropPath{Rate: c.n.DropPath}, x)
				}
				return x
			})
		}
		var x neural.Value
		if s.Concat {
			x = c.block(fmt.Sprintf("%d_join", i+2), "concat · conv 1×1", 0, func(neural.Value) neural.Value {
				y := c.Named("concat", neural.Concat{}, branches[0], branches[1])
				return c.reluConv("", neural.Conv{Out: c.channels}, y)
			})
		} else {
			x = c.Named(fmt.Sprintf("%d_sum", i+2), neural.Add{}, branches[0], branches[1])
		}
		states = append(states, x)
	}
	var out []neural.Value
	for _, k := range g.Result() {
		out = append(out, states[k])
	}
	if len(out) == 1 {
		return out[0]
	}
	return c.Named("concat", neural.Concat{}, out...)
}

// opLabel is what drawings call an operation, such as sep conv 3×3.
func opLabel(op string) string {
	words := strings.Split(op, "_")
	for i, w := range words {
		if strings.Trim(w, "0123456789") == "x" {
			words[i] = strings.Replace(w, "x", "×", 1)
		}
	}
	return strings.Join(words, " ")
}

// Unreached returns the steps that the result does not depend on.
func (g Genotype) Unreached() (steps []int) {
	needed := make([]bool, len(g.Steps)+2)
	for _, k := range g.Result() {
		needed[k] = true
	}
	for i := len(g.Steps) - 1; i >= 0; i-- {
		if s := g.Steps[i]; needed[i+2] {
			needed[s.A.From], needed[s.B.From] = true, true
		} else {
			steps = append(steps, i)
		}
	}
	slices.Reverse(steps)
	return steps
}
