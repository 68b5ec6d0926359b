package nasbench201

import (
	"fmt"
	"strings"
)

// Cells is the number of cells of the benchmark, 5 operations on 6 edges.
const Cells = 15625

// An Op is what an edge of the cell computes.
type Op uint8

// The operations in the order of the benchmark.
const (
	None        Op = iota // zeroes: the edge is cut
	SkipConnect           // identity
	NorConv1x1            // ReLU, 1×1 convolution, batch normalisation
	NorConv3x3            // ReLU, 3×3 convolution, batch normalisation
	AvgPool3x3            // 3×3 average pooling with stride 1
)

var opNames = [...]string{"none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"}

// String returns the benchmark's name of the operation.
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return fmt.Sprintf("Op(%d)", uint8(o))
}

// edges are the edges of the cell as (from, to), in the order of the
// benchmark's strings. Node 0 is the input, node 3 the output; every node sums
// what its edges bring.
var edges = [6][2]int{{0, 1}, {0, 2}, {1, 2}, {0, 3}, {1, 3}, {2, 3}}

// edgeName returns the name of the parameter that decides an edge.
func edgeName(e int) string { return fmt.Sprintf("edge_%d_%d", edges[e][0], edges[e][1]) }

// A Cell is one of the architectures: its six operations as the digits of a
// number in base five, the first edge first. It is not the benchmark's index,
// for which see [Cell.Index].
type Cell uint16

// CellOf returns the cell with these operations on the edges 0→1, 0→2, 1→2,
// 0→3, 1→3 and 2→3. It panics if one of them is not an operation.
func CellOf(ops [6]Op) Cell {
	c := Cell(0)
	for _, o := range ops {
		if o > AvgPool3x3 {
			panic("nasbench201: " + o.String() + " is not an operation")
		}
		c = 5*c + Cell(o)
	}
	return c
}

// Ops returns the operations on the edges 0→1, 0→2, 1→2, 0→3, 1→3 and 2→3.
func (c Cell) Ops() (ops [6]Op) {
	for e := 5; e >= 0; e-- {
		ops[e] = Op(c % 5)
		c /= 5
	}
	return ops
}

// String returns the architecture as the benchmark writes it:
//
//	|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|avg_pool_3x3~2|
func (c Cell) String() string {
	var b strings.Builder
	for e, o := range c.Ops() {
		switch {
		case e == 0:
			b.WriteByte('|')
		case edges[e][1] != edges[e-1][1]:
			b.WriteString("+|")
		}
		fmt.Fprintf(&b, "%s~%d|", o, edges[e][0])
	}
	return b.String()
}

// ParseCell reads what [Cell.String] writes.
func ParseCell(s string) (Cell, error) {
	bad := func(found, want string) (Cell, error) {
		return 0, fmt.Errorf("nasbench201: architecture %q: found %s, want %s", s, found, want)
	}
	nodes := strings.Split(s, "+")
	if len(nodes) != 3 {
		return bad(fmt.Sprintf("%d nodes", len(nodes)), `three nodes joined by "+", such as "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"`)
	}
	var ops [6]Op
	e := 0
	for n, node := range nodes {
		inner, ok1 := strings.CutPrefix(node, "|")
		inner, ok2 := strings.CutSuffix(inner, "|")
		list := strings.Split(inner, "|")
		if !ok1 || !ok2 || len(list) != n+1 {
			return bad(fmt.Sprintf("%q for node %d", node, n+1), fmt.Sprintf("%d operations between bars", n+1))
		}
		for from, op := range list {
			name, source, _ := strings.Cut(op, "~")
			if source != fmt.Sprint(from) {
				return bad(fmt.Sprintf("%q", op), fmt.Sprintf("an operation followed by ~%d", from))
			}
			k := 0
			for k < len(opNames) && opNames[k] != name {
				k++
			}
			if k == len(opNames) {
				return bad(fmt.Sprintf("the operation %q", name), "one of "+strings.Join(opNames[:], ", "))
			}
			ops[e] = Op(k)
			e++
		}
	}
	return CellOf(ops), nil
}

// Connected reports whether anything of the input reaches the output. The 341
// cells where nothing does compute a constant.
func (c Cell) Connected() bool {
	reached := [4]bool{true}
	for e, o := range c.Ops() { // the edges are in topological order
		if o != None && reached[edges[e][0]] {
			reached[edges[e][1]] = true
		}
	}
	return reached[3]
}

// CanonicalKey returns the string by which the benchmark recognises isomorphic
// cells: zeroes and identities are resolved and what a node sums is sorted. It
// takes 6,466 different values, the number of architectures that the paper
// counts as unique.
//
// Isomorphic cells were trained separately, with other random numbers, and
// their recorded accuracies and latencies differ. So the key must not be used
// to serve one cell's measurements for another, and the problem does not offer
// it as its cache key.
func (c Cell) CanonicalKey() string {
	node := [4]string{"0"}
	var sums [4][]string
	for e, o := range c.Ops() {
		from, to := edges[e][0], edges[e][1]
		var term string
		switch {
		case o == None || node[from] == "#":
			term = "#"
		case o == SkipConnect:
			term = node[from]
		default:
			term = "(" + node[from] + ")@" + o.String()
		}
		sums[to] = append(sums[to], term)
		if len(sums[to]) == to { // node k has k incoming edges, all listed before they are used
			sortStrings(sums[to])
			node[to] = strings.Join(sums[to], "+")
		}
	}
	return node[3]
}

// sortStrings sorts up to three strings.
func sortStrings(s []string) {
	for i := 1; i < len(s); i++ {
		for j := i; j > 0 && s[j] < s[j-1]; j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
}

// count returns how many edges carry an operation.
func (c Cell) count(op Op) (n int) {
	for _, o := range c.Ops() {
		if o == op {
			n++
		}
	}
	return n
}

// The network around the cell: a 3×3 convolution to 16 channels, three stages
// of five cells at 16, 32 and 64 channels on the full, half and quarter image
// with a residual block between them that halves it, and a linear classifier
// (Dong and Yang 2020, figure 1).
var (
	stageChannels = [3]int64{16, 32, 64}
	stageShrink   = [3]int64{1, 2, 4}
)

const cellsPerStage = 5

// Params returns the number of trainable parameters of the network built of
// the cell for a data set, computed from the published macro skeleton.
func (c Cell) Params(d Dataset) int64 {
	conv := func(in, out, kernel int64) int64 { return in * out * kernel * kernel }
	norm := func(channels int64) int64 { return 2 * channels }
	total := conv(3, 16, 3) + norm(16)
	for s, ch := range stageChannels {
		if s > 0 { // the residual block; its shortcut pools and has no normalisation
			half := stageChannels[s-1]
			total += conv(half, ch, 3) + norm(ch) + conv(ch, ch, 3) + norm(ch) + conv(half, ch, 1)
		}
		total += cellsPerStage * int64(c.count(NorConv1x1)) * (conv(ch, ch, 1) + norm(ch))
		total += cellsPerStage * int64(c.count(NorConv3x3)) * (conv(ch, ch, 3) + norm(ch))
	}
	return total + norm(64) + (64+1)*d.Classes()
}

// FLOPs returns the multiply-accumulate operations of the convolutions and the
// classifier for one image of a data set, computed from the published macro
// skeleton. The benchmark calls them FLOPs.
func (c Cell) FLOPs(d Dataset) int64 {
	conv := func(in, out, kernel, side int64) int64 { return in * out * kernel * kernel * side * side }
	total := conv(3, 16, 3, d.ImageSide())
	for s, ch := range stageChannels {
		side := d.ImageSide() / stageShrink[s]
		if s > 0 {
			half := stageChannels[s-1]
			total += conv(half, ch, 3, side) + conv(ch, ch, 3, side) + conv(half, ch, 1, side)
		}
		total += cellsPerStage * int64(c.count(NorConv1x1)) * conv(ch, ch, 1, side)
		total += cellsPerStage * int64(c.count(NorConv3x3)) * conv(ch, ch, 3, side)
	}
	return total + 64*d.Classes()
}
