package nets

import (
	"fmt"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/space"
)

// NASBench201Space is the space of [NASBench201]: an operation for each of the six
// edges of the cell, 15,625 cells with all five operations. The zero value is the
// published space.
type NASBench201Space struct {
	Ops      []string     `yaml:"ops" doc:"operations of an edge: none, skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3; all by default"`
	Channels int          `yaml:"channels" default:"16" min:"1" max:"1024" doc:"channels of the first stage"`  // 0 means 16
	Cells    int          `yaml:"cells" default:"5" min:"1" max:"100" doc:"cells in each of the three stages"` // 0 means 5
	Classes  int          `yaml:"-"`                                                                           // 0 means 10
	Image    neural.Shape `yaml:"-"`                                                                           // 0 means 3×32×32
}

// cellWords are the names of operations in the benchmark, by [CellOp].
var cellWords = []string{"none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"}

// New makes the family.
func (s NASBench201Space) New() (*ElasticNetworks[NASBench201], error) {
	const name = "nas-bench-201"
	fixed := NASBench201{Channels: or(s.Channels, 16), Cells: or(s.Cells, 5), Classes: or(s.Classes, 10), Image: image(s.Image)}
	ops := orOptions(s.Ops, cellWords...)
	for _, err := range []error{known("ops", ops, cellWords), between("channels", fixed.Channels, 1, 1024), between("cells", fixed.Cells, 1, 100)} {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	var nodes []space.Node
	var edges [6]string
	for e, ends := range cellEdges {
		edges[e] = fmt.Sprintf("edge_%d_%d", ends[0], ends[1])
		nodes = append(nodes, kind(edges[e], fmt.Sprintf("operation from node %d to node %d", ends[0], ends[1]), ops)...)
	}
	sp, err := space.New(nodes...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	n := &Networks[NASBench201]{
		name: name, space: sp,
		read: func(f fields) NASBench201 {
			x := fixed
			for e := range x.Ops {
				x.Ops[e] = CellOp(slices.Index(cellWords, f.word(edges[e], ops[0])))
			}
			return x
		},
		write: func(x NASBench201) (fields, NASBench201, error) {
			f := fields{}
			for e, o := range x.Ops {
				if int(o) >= len(cellWords) {
					return nil, x, fmt.Errorf("edge %s: found %v, want one of %v", edges[e], o, cellOps)
				}
				f.set(edges[e], cellWords[o], len(ops))
			}
			x.Channels, x.Cells, x.Classes, x.Image = or(x.Channels, 16), or(x.Cells, 5), or(x.Classes, 10), image(x.Image)
			return f, x, nil
		},
		label: func(x NASBench201) string {
			return strings.Trim(fmt.Sprint(x.Ops), "[]")
		},
		// Cells that compute the same make networks that do.
		class: func(x NASBench201) (neural.Class, error) {
			g, err := x.Cell(neural.Shape{16, 8, 8})
			if err != nil {
				return neural.Class{}, err
			}
			return g.Class(neural.Exact), nil
		},
	}
	// A cell of identities costs nothing, as one of nothing does, but it computes
	// something.
	every := func(order ...CellOp) NASBench201 {
		x := fixed
		at := slices.IndexFunc(order, func(o CellOp) bool { return slices.Contains(ops, cellWords[o]) })
		for e := range x.Ops {
			x.Ops[e] = order[at]
		}
		return x
	}
	return n.elastic(every(Conv3x3, Conv1x1, AvgPool3x3, Skip, None), every(Skip, AvgPool3x3, None, Conv1x1, Conv3x3), every(Conv1x1, Conv3x3, AvgPool3x3, Skip, None))
}

// MacroSpace is the space of [Macro]: one of three layers at each of eight places,
// 6,561 networks. The zero value is that of NAS-Bench-Macro.
type MacroSpace struct {
	Channels int          `yaml:"channels" default:"32" min:"1" max:"1024" doc:"channels of the stem"` // 0 means 32
	Classes  int          `yaml:"-"`                                                                   // 0 means 10
	Image    neural.Shape `yaml:"-"`                                                                   // 0 means 3×32×32
}

// chainWords are the names of layers, by [ChainOp].
var chainWords = []string{"identity", "mb_k3_e3", "mb_k5_e6"}

// New makes the family.
func (s MacroSpace) New() (*ElasticNetworks[Macro], error) {
	const name = "nas-bench-macro"
	fixed := Macro{Channels: or(s.Channels, 32), Classes: or(s.Classes, 10), Image: image(s.Image)}
	if err := between("channels", fixed.Channels, 1, 1024); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var nodes []space.Node
	layer := func(i int) string { return fmt.Sprintf("layer%d", i+1) }
	for i := range fixed.Ops {
		nodes = append(nodes, kind(layer(i), "", chainWords)...)
	}
	n := &Networks[Macro]{
		name: name, space: space.MustNew(nodes...),
		read: func(f fields) Macro {
			x := fixed
			for i := range x.Ops {
				x.Ops[i] = ChainOp(slices.Index(chainWords, f.word(layer(i), "")))
			}
			return x
		},
		write: func(x Macro) (fields, Macro, error) {
			f := fields{}
			for i, o := range x.Ops {
				if int(o) >= len(chainWords) {
					return nil, x, fmt.Errorf("layer %d: found the operation %d, want 0, 1 or 2", i+1, o)
				}
				f.set(layer(i), chainWords[o], len(chainWords))
			}
			x.Channels, x.Classes, x.Image = or(x.Channels, 32), or(x.Classes, 10), image(x.Image)
			return f, x, nil
		},
		label: func(x Macro) string { // as the benchmark writes it
			b := make([]byte, len(x.Ops))
			for i, o := range x.Ops {
				b[i] = '0' + byte(o)
			}
			return string(b)
		},
	}
	largest, middle, smallest := fixed, fixed, fixed
	for i := range largest.Ops {
		largest.Ops[i], middle.Ops[i] = Invert56, Invert33
	}
	return n.elastic(largest, smallest, middle, smallest)
}

// DARTSSpace is the space of [Cells] in the form of DARTS (Liu et al. 2019): each step
// reads two different states and adds an operation of each; all steps are the result.
// There are Π C(n+2, 2)·ops² cells over the steps n = 0, 1, …: 1.04e9 with four steps
// and seven operations. The zero value is the published space at the size at which
// cells are evaluated.
type DARTSSpace struct {
	Steps int      `yaml:"steps" default:"4" min:"1" max:"8" doc:"steps of a cell"` // 0 means 4
	Ops   []string `yaml:"ops" doc:"operations to choose from; by default max_pool_3x3, avg_pool_3x3, skip_connect, sep_conv_3x3, sep_conv_5x5, dil_conv_3x3 and dil_conv_5x5"`
	CellSize
}

// NASNetSpace is the space of [Cells] in the form of NASNet (Zoph et al. 2018, section
// 3.1): each step reads any two states, also one twice, and joins the operations' results
// by a sum or a concatenation; the steps that no other reads are the result. There are
// Π (b+2)²·ops²·joins texts of a cell over the steps b = 0, 1, …: 2.29e18 with five steps,
// thirteen operations and both joins. What is the same with its operands exchanged has
// one key. As the number of channels of a cell's result varies with what is read, its
// networks do not share weights. The zero value is the published space.
type NASNetSpace struct {
	Steps int      `yaml:"steps" default:"5" min:"1" max:"8" doc:"steps of a cell"` // 0 means 5
	Ops   []string `yaml:"ops" doc:"operations to choose from; by default the 13 of NASNet"`
	Joins []string `yaml:"joins" doc:"how a step joins its two results: sum, concat; both by default"`
	CellSize
}

// CellSize is what all networks of a space of [Cells] have.
type CellSize struct {
	Channels int          `yaml:"channels" default:"36" min:"1" max:"1024" doc:"channels of the first cells' steps"` // 0 means 36
	Cells    int          `yaml:"cells" default:"20" min:"1" max:"100" doc:"cells, of which two halve the image"`    // 0 means 20
	Stem     int          `yaml:"stem" default:"3" min:"1" max:"16" doc:"channels of the stem for each of channels"` // 0 means 3
	DropPath float64      `yaml:"drop_path" default:"0" min:"0" max:"<1" doc:"share of the operations left out in training"`
	Search   bool         `yaml:"search" default:"false" doc:"the form in which cells are searched, whose normalisations have no scale and shift"`
	Classes  int          `yaml:"-"` // 0 means 10
	Image    neural.Shape `yaml:"-"` // 0 means 3×32×32
}

func (s CellSize) cells() (Cells, error) {
	n := Cells{
		Channels: or(s.Channels, 36), Cells: or(s.Cells, 20), Stem: or(s.Stem, 3), Classes: or(s.Classes, 10),
		Image: image(s.Image), DropPath: s.DropPath, Search: s.Search,
	}
	for _, err := range []error{between("channels", n.Channels, 1, 1024), between("cells", n.Cells, 1, 100), between("stem", n.Stem, 1, 16)} {
		if err != nil {
			return n, err
		}
	}
	return n, rate("drop_path", s.DropPath)
}

// full is the network without defaults.
func (n Cells) full() Cells {
	n.Channels, n.Cells, n.Stem, n.Classes, n.Image = or(n.Channels, 36), or(n.Cells, 20), or(n.Stem, 3), or(n.Classes, 10), image(n.Image)
	return n
}

// label of both cells, with short names of operations.
func (n Cells) label() string {
	return short.Replace(n.Normal.String() + " ‖ " + n.Reduce.String())
}

var short = strings.NewReplacer("sep_conv_", "sep", "dil_conv_", "dil", "max_pool_", "max", "avg_pool_", "avg", "skip_connect", "skip",
	"conv_1x3_3x1", "flat3", "conv_1x7_7x1", "flat7", "conv_", "conv", "inv_res_", "inv", "1x1", "1", "3x3", "3", "5x5", "5", "7x7", "7", " ", "")

// darts are the operations of DARTS but none, which no cell ends up with.
var darts = []string{"max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"}

// nasnet are the operations of NASNet, in the order of the paper's list.
var nasnet = []string{"skip_connect", "conv_1x3_3x1", "conv_1x7_7x1", "dil_conv_3x3", "avg_pool_3x3", "max_pool_3x3", "max_pool_5x5",
	"max_pool_7x7", "conv_1x1", "conv_3x3", "sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7"}

func step(i int) string { return fmt.Sprintf("step%d", i+1) }

// states are 0 … n-1.
func states(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// New makes the family.
func (s DARTSSpace) New() (*ElasticNetworks[Cells], error) {
	const name = "darts"
	steps, ops := or(s.Steps, 4), orOptions(s.Ops, darts...)
	fixed, err := s.cells()
	for _, err := range []error{err, between("steps", steps, 1, 8), known("ops", ops, Operations())} {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	var cell []space.Node
	for i := range steps {
		nodes := []space.Node{space.Subset("from", states(i+2)...).Size(2, 2).Doc("states that the step reads")}
		nodes = append(nodes, kind("first", "operation of the earlier of them", ops)...)
		nodes = append(nodes, kind("second", "operation of the later", ops)...)
		cell = append(cell, space.Group(step(i), nodes...))
	}
	sp, err := space.New(space.Group("normal", cell...).Doc("the cell that keeps the shape"), space.Group("reduce", cell...).Doc("the cell that halves the image"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	result := states(steps + 2)[2:]
	read := func(f fields) (g Genotype) {
		for i := range steps {
			f := f.part(step(i))
			from, _ := f["from"].([]any)
			a, _ := from[0].(float64)
			b, _ := from[1].(float64)
			g.Steps = append(g.Steps, Step{A: Branch{f.word("first", ops[0]), int(a)}, B: Branch{f.word("second", ops[0]), int(b)}})
		}
		g.Concat = result
		return g
	}
	write := func(what string, g Genotype) (fields, Genotype, error) {
		if err := g.Check(); err != nil {
			return nil, g, fmt.Errorf("%s cell: %w", what, err)
		}
		f := fields{}
		g.Steps = slices.Clone(g.Steps)
		for i, s := range g.Steps {
			if s.A.From > s.B.From {
				s.A, s.B = s.B, s.A
			}
			if s.A.From == s.B.From {
				return nil, g, fmt.Errorf("%s cell, step %d: found state %d twice, want two states", what, i+1, s.A.From)
			}
			p := fields{"from": []any{float64(s.A.From), float64(s.B.From)}}
			p.set("first", s.A.Op, len(ops))
			p.set("second", s.B.Op, len(ops))
			f.setPart(step(i), p)
			g.Steps[i] = s
		}
		g.Concat = slices.Clone(g.Result())
		slices.Sort(g.Concat)
		return f, g, nil
	}
	n := &Networks[Cells]{name: name, space: sp, label: Cells.label}
	n.read, n.write = cellsOf(fixed, read, write)

	// The networks with the most and the least work have one operation everywhere.
	// Which states a step reads costs nothing but in a reduction cell, where an
	// operation on the cells before also halves the image: the largest reads them in
	// every step, the smallest as little as it can.
	all := func(op string, first int) Cells {
		g := Genotype{Concat: result}
		for i := range steps {
			from := min(first, i)
			g.Steps = append(g.Steps, Step{A: Branch{op, from}, B: Branch{op, from + 1}})
		}
		x := fixed
		x.Normal, x.Reduce = g, g
		return x
	}
	var largest, smallest Cells
	var others []Cells
	var most, least [2]int64
	for i, op := range ops {
		c, err := opCost(op, fixed)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if i == 0 || slices.Compare(c[:], most[:]) > 0 {
			largest, most = all(op, 0), c
		}
		if i == 0 || slices.Compare(c[:], least[:]) < 0 {
			smallest, least = all(op, steps), c
		}
		for first := 0; first < steps+1; first += 2 { // every step reads every state somewhere
			others = append(others, all(op, first))
		}
	}
	return n.elastic(largest, smallest, others...)
}

// opCost returns the multiply-accumulates and parameters of an operation, once with
// a stride of 1 and once with 2.
func opCost(op string, n Cells) ([2]int64, error) {
	b := begin(op)
	c := cellBuilder{b, n, n.Channels}
	x := b.Input("x", neural.Shape{n.Channels, 8, 8})
	for stride := 1; stride <= 2; stride++ {
		x = b.block(fmt.Sprintf("stride%d", stride), "", x, func(x neural.Value) neural.Value {
			return operations[op](c, stride, x)
		})
	}
	g, err := b.Build(x)
	if err != nil {
		return [2]int64{}, err
	}
	cost := g.Cost()
	return [2]int64{cost.MACs, cost.Params}, nil
}

// cellsOf reads and writes a pair of cells.
func cellsOf(fixed Cells, read func(fields) Genotype, write func(string, Genotype) (fields, Genotype, error)) (func(fields) Cells, func(Cells) (fields, Cells, error)) {
	return func(f fields) Cells {
			x := fixed
			x.Normal, x.Reduce = read(f.part("normal")), read(f.part("reduce"))
			return x
		}, func(x Cells) (fields, Cells, error) {
			x = x.full()
			f := fields{}
			for _, cell := range []struct {
				name string
				g    *Genotype
			}{{"normal", &x.Normal}, {"reduce", &x.Reduce}} {
				part, full, err := write(cell.name, *cell.g)
				if err != nil {
					return nil, x, err
				}
				f.setPart(cell.name, part)
				*cell.g = full
			}
			return f, x, nil
		}
}

// New makes the family.
func (s NASNetSpace) New() (*Networks[Cells], error) {
	const name = "nasnet"
	steps, ops, joins := or(s.Steps, 5), orOptions(s.Ops, nasnet...), orOptions(s.Joins, "sum", "concat")
	fixed, err := s.cells()
	for _, err := range []error{err, between("steps", steps, 1, 8), known("ops", ops, Operations()), known("joins", joins, []string{"sum", "concat"})} {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	var cell []space.Node
	for i := range steps {
		nodes := slices.Concat(
			kind("a", "first operation", ops), kind("a_from", "state that it reads", states(i+2)),
			kind("b", "second operation", ops), kind("b_from", "state that it reads", states(i+2)),
			kind("join", "how they become one", joins))
		cell = append(cell, space.Group(step(i), nodes...))
	}
	sp, err := space.New(space.Group("normal", cell...).Doc("the cell that keeps the shape"), space.Group("reduce", cell...).Doc("the cell that halves the image"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	read := func(f fields) (g Genotype) {
		for i := range steps {
			f := f.part(step(i))
			g.Steps = append(g.Steps, Step{
				A: Branch{f.word("a", ops[0]), f.whole("a_from", 0)}, B: Branch{f.word("b", ops[0]), f.whole("b_from", 0)},
				Concat: f.word("join", joins[0]) == "concat",
			})
		}
		return g
	}
	write := func(what string, g Genotype) (fields, Genotype, error) {
		if err := g.Check(); err != nil {
			return nil, g, fmt.Errorf("%s cell: %w", what, err)
		}
		given := slices.Sorted(slices.Values(g.Result()))
		g.Concat = nil
		if !slices.Equal(given, g.Result()) {
			return nil, g, fmt.Errorf("%s cell: found the result of states %v, want those that no step reads, %v", what, given, g.Result())
		}
		f := fields{}
		for i, s := range g.Steps {
			p := fields{}
			p.set("a", s.A.Op, len(ops))
			p.set("a_from", s.A.From, i+2)
			p.set("b", s.B.Op, len(ops))
			p.set("b_from", s.B.From, i+2)
			join := "sum"
			if s.Concat {
				join = "concat"
			}
			p.set("join", join, len(joins))
			f.setPart(step(i), p)
		}
		return f, g, nil
	}
	n := &Networks[Cells]{name: name, space: sp, label: Cells.label}
	n.read, n.write = cellsOf(fixed, read, write)
	var chain Genotype // a network that halves wherever one can
	for i := range steps {
		chain.Steps = append(chain.Steps, Step{A: Branch{ops[0], 0}, B: Branch{ops[0], i + 1}, Concat: joins[0] == "concat"})
	}
	first := fixed
	first.Normal, first.Reduce = chain, chain
	d, err := n.Design(first)
	if err != nil {
		return nil, err
	}
	if _, err := n.Graph(d); err != nil {
		return nil, err
	}
	return n, nil
}
