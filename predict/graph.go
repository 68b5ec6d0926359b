package predict

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/space"
)

// A Graph is a small directed graph without cycles whose nodes have labels,
// such as a cell of a network. Node 0 is where things come in and the last node
// where they go out; an edge leads from a lower to a higher node.
type Graph struct {
	Labels []int // of each node, 0 and up
	Edges  [][2]int
}

// A Grapher knows the graph of a design. Problems whose designs are graphs
// implement it.
type Grapher interface {
	Graph(d space.Design) (Graph, error)
}

// GrapherFunc is a function as a [Grapher].
type GrapherFunc func(d space.Design) (Graph, error)

// Graph calls f.
func (f GrapherFunc) Graph(d space.Design) (Graph, error) { return f(d) }

// maxGraphNodes bounds graphs, whose paths and pairs are enumerated.
const maxGraphNodes = 4096

// Validate says what is wrong with a graph of labels below the given number.
func (g Graph) Validate(labels int) error {
	n := len(g.Labels)
	if n < 2 || n > maxGraphNodes {
		return fmt.Errorf("predict: a graph of %d nodes; expected 2 to %d", n, maxGraphNodes)
	}
	for i, l := range g.Labels {
		if l < 0 || l >= labels {
			return fmt.Errorf("predict: node %d of a graph has label %d; expected 0 to %d", i, l, labels-1)
		}
	}
	for _, e := range g.Edges {
		if e[0] < 0 || e[0] >= e[1] || e[1] >= n {
			return fmt.Errorf("predict: an edge from node %d to node %d of a graph of %d; expected one from a lower to a higher node", e[0], e[1], n)
		}
	}
	return nil
}

// OpsOnEdges returns the graph of a cell whose operations are on its edges, as
// in NAS-Bench-201: every operation is a node, and there is an edge from each
// operation that ends where another begins. Operations equal to none are left
// out, and so is what no way from the input to the output goes through, as it
// computes nothing. Labels of operations go up by 2; 0 is the input, 1 the
// output. Edges lead from lower to higher nodes of the cell, node 0 being its
// input and nodes−1 its output.
func OpsOnEdges(nodes int, edges [][2]int, ops []int, none int) (Graph, error) {
	if nodes < 2 || len(ops) != len(edges) || nodes > maxGraphNodes || len(edges) > maxGraphNodes-2 {
		return Graph{}, fmt.Errorf("predict: a cell of %d nodes and %d edges with %d operations; expected 2 nodes or more and an operation for each edge", nodes, len(edges), len(ops))
	}
	for i, e := range edges {
		if e[0] < 0 || e[0] >= e[1] || e[1] >= nodes || ops[i] < 0 {
			return Graph{}, fmt.Errorf("predict: operation %d on an edge from node %d to node %d of a cell of %d; expected 0 or more, and a lower and a higher node", ops[i], e[0], e[1], nodes)
		}
	}
	order := make([]int, 0, len(edges))
	for i := range edges {
		if ops[i] != none {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(edges[a][0], edges[b][0]), cmp.Compare(edges[a][1], edges[b][1]))
	})
	reached, needed := make([]bool, nodes), make([]bool, nodes)
	reached[0], needed[nodes-1] = true, true
	for _, i := range order {
		reached[edges[i][1]] = reached[edges[i][1]] || reached[edges[i][0]]
	}
	for _, i := range slices.Backward(order) {
		needed[edges[i][0]] = needed[edges[i][0]] || needed[edges[i][1]]
	}
	g := Graph{Labels: []int{0}}
	var kept []int
	for _, i := range order {
		if reached[edges[i][0]] && needed[edges[i][1]] {
			kept = append(kept, i)
			g.Labels = append(g.Labels, ops[i]+2)
		}
	}
	last := len(g.Labels)
	g.Labels = append(g.Labels, 1)
	for a, i := range kept {
		if edges[i][0] == 0 {
			g.Edges = append(g.Edges, [2]int{0, a + 1})
		}
		if edges[i][1] == nodes-1 {
			g.Edges = append(g.Edges, [2]int{a + 1, last})
		}
		for b, j := range kept[a+1:] {
			if edges[i][1] == edges[j][0] {
				g.Edges = append(g.Edges, [2]int{a + 1, a + 1 + b + 1})
			}
		}
	}
	return g, nil
}

// Paths returns the encoder of BANANAS (White, Neiswanger and Savani 2021): a
// column for each sequence of labels, 1 if a way from the first node to the last
// meets exactly these in between. Sequences are ordered by their length and then
// as numbers to the base of the labels; those beyond length, if that is not 0,
// and beyond the first columns are left out, which loses little, as long paths
// are rare. Names are the labels by number.
//
// There are at most 100,000 columns.
func Paths(g Grapher, names []string, length, columns int) (Encoder, error) {
	if len(names) == 0 {
		return nil, errors.New("predict: paths of no labels; expected one at least")
	}
	if length < 0 || columns < 0 || columns > 100_000 {
		return nil, fmt.Errorf("predict: paths up to length %d in %d columns; expected 0 or more, and at most 100000 columns", length, columns)
	}
	columns = cmp.Or(columns, 100_000)
	e := &graphPaths{g: g, labels: len(names)}
	width := 1 // sequences of the present length
	for l := 0; (length == 0 || l <= length) && len(e.columns) < columns; l++ {
		for k := 0; k < width && len(e.columns) < columns; k++ {
			parts := make([]string, l)
			for i, v := l-1, k; i >= 0; i, v = i-1, v/len(names) {
				parts[i] = names[v%len(names)]
			}
			e.columns = append(e.columns, Column{Name: "path:" + strings.Join(parts, ">")})
			e.length = l
		}
		if len(names) == 1 && length == 0 && l == 64 {
			break
		}
		width *= len(names)
	}
	return e, nil
}

type graphPaths struct {
	g       Grapher
	labels  int
	length  int
	columns []Column
}

func (e *graphPaths) Columns() []Column { return e.columns }

func (e *graphPaths) Encode(dst []float64, d space.Design) ([]float64, error) {
	g, err := e.g.Graph(d)
	if err != nil {
		return dst, err
	}
	if err := g.Validate(e.labels); err != nil {
		return dst, err
	}
	from := len(dst)
	dst = append(dst, make([]float64, len(e.columns))...)
	out := dst[from:]
	next := graphLinks(g, false)
	// The sequences by which each node is reached, as places among the columns:
	// a set per node, so that the many ways of a dense graph are walked once for
	// each sequence.
	type word struct{ length, value int }
	reached := make([][]word, len(g.Labels))
	reached[0] = []word{{}}
	first := make([]int, e.length+2) // column of the first sequence of a length
	width := 1
	for l := range e.length + 1 {
		first[l+1] = first[l] + width
		width *= e.labels
	}
	for n := range g.Labels {
		words := reached[n]
		slices.SortFunc(words, func(a, b word) int {
			return cmp.Or(cmp.Compare(a.length, b.length), cmp.Compare(a.value, b.value))
		})
		words = slices.Compact(words)
		for _, w := range words {
			if n == len(g.Labels)-1 {
				if at := first[w.length] + w.value; at < len(out) {
					out[at] = 1
				}
				continue
			}
			for _, to := range next[n] {
				v := w
				if to != len(g.Labels)-1 {
					v = word{w.length + 1, w.value*e.labels + g.Labels[to]}
				}
				if v.length <= e.length && first[v.length]+v.value < len(out) {
					reached[to] = append(reached[to], v)
				}
			}
		}
	}
	return dst, nil
}

// graphLinks returns the nodes after each node, or those before.
func graphLinks(g Graph, back bool) [][]int {
	out := make([][]int, len(g.Labels))
	for _, e := range g.Edges {
		if back {
			out[e[1]] = append(out[e[1]], e[0])
		} else {
			out[e[0]] = append(out[e[0]], e[1])
		}
	}
	return out
}

// graphColours returns the labels of a graph after each round of
// Weisfeiler–Lehman refinement, the first being its own: in a round the label
// of a node becomes a number for its label and the multisets of labels before
// and after it. Equal numbers mean equal trees of so many steps, but for
// collisions of 64-bit hashes.
func graphColours(g Graph, rounds int) [][]uint64 {
	before, after := graphLinks(g, true), graphLinks(g, false)
	now := make([]uint64, len(g.Labels))
	for i, l := range g.Labels {
		now[i] = graphMix(uint64(l) + 1)
	}
	out := [][]uint64{now}
	var buf []uint64
	for range rounds {
		next := make([]uint64, len(now))
		for i := range now {
			h := now[i]
			for k, side := range [][]int{before[i], after[i]} {
				buf = buf[:0]
				for _, j := range side {
					buf = append(buf, now[j])
				}
				slices.Sort(buf)
				h = graphMix(h + uint64(k+1)*0x9e3779b97f4a7c15)
				for _, v := range buf {
					h = graphMix(h ^ v)
				}
			}
			next[i] = h
		}
		now = next
		out = append(out, now)
	}
	return out
}

// graphMix is the finaliser of SplitMix64.
func graphMix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// WLKernel returns the Weisfeiler–Lehman subtree kernel of two graphs
// (Shervashidze et al., "Weisfeiler-Lehman graph kernels", 2011) divided by the
// root of that of each with itself: 1 for graphs that the refinement of so many
// rounds cannot tell apart, 0 for graphs without a common label. The kernel is
// the product of the histograms of labels, summed over rounds 0 to rounds; the
// edges' direction counts.
func WLKernel(a, b Graph, rounds int) float64 {
	x, y := graphColours(a, rounds), graphColours(b, rounds)
	ab, aa, bb := graphCommon(x, y), graphCommon(x, x), graphCommon(y, y)
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(float64(aa*bb))
}

// graphCommon counts the pairs of nodes with equal labels.
func graphCommon(x, y [][]uint64) (sum float64) {
	for r := range x {
		a, b := slices.Sorted(slices.Values(x[r])), slices.Sorted(slices.Values(y[r]))
		for i, j := 0, 0; i < len(a) && j < len(b); {
			switch {
			case a[i] < b[j]:
				i++
			case a[i] > b[j]:
				j++
			default:
				v := a[i]
				n, m := 0, 0
				for ; i < len(a) && a[i] == v; i++ {
					n++
				}
				for ; j < len(b) && b[j] == v; j++ {
					m++
				}
				sum += float64(n * m)
			}
		}
	}
	return sum
}

// WLHistogram returns the encoder that counts the labels of a graph through so
// many rounds of Weisfeiler–Lehman refinement (see [WLKernel]). Its columns are
// the labels that the graphs of a sample of designs take, the most frequent
// 4,096 of each round, and one a round for all others. A linear model of them is
// one with the kernel.
func WLHistogram(g Grapher, names []string, rounds int, sample []space.Design) (Encoder, error) {
	if len(names) == 0 || rounds < 0 || rounds > 16 {
		return nil, fmt.Errorf("predict: histograms of %d labels through %d rounds; expected one label at least, and 0 to 16 rounds", len(names), rounds)
	}
	e := &graphHistogram{g: g, labels: len(names), rounds: rounds, at: make([]map[uint64]int, rounds+1), other: make([]int, rounds+1)}
	count := make([]map[uint64]int, rounds+1)
	var order [][]uint64 = make([][]uint64, rounds+1)
	for r := range count {
		count[r], e.at[r] = map[uint64]int{}, map[uint64]int{}
	}
	for _, d := range sample {
		gr, err := g.Graph(d)
		if err == nil {
			err = gr.Validate(len(names))
		}
		if err != nil {
			return nil, err
		}
		for r, colours := range graphColours(gr, rounds) {
			for _, c := range colours {
				if count[r][c]++; count[r][c] == 1 {
					order[r] = append(order[r], c)
				}
			}
		}
	}
	for l := range names { // labels have columns whether they were seen or not
		c := graphMix(uint64(l) + 1)
		if count[0][c] == 0 {
			order[0] = append(order[0], c)
		}
	}
	known := map[uint64]string{}
	for l, n := range names {
		known[graphMix(uint64(l)+1)] = n
	}
	const most = 4096
	for r, o := range order {
		slices.SortStableFunc(o, func(a, b uint64) int { return cmp.Compare(count[r][b], count[r][a]) })
		for k, c := range o[:min(len(o), most)] {
			e.at[r][c] = len(e.columns)
			name := fmt.Sprintf("wl%d:%d", r, k)
			if r == 0 {
				name = "count:" + known[c]
			}
			e.columns = append(e.columns, Column{Name: name})
		}
		e.other[r] = len(e.columns)
		e.columns = append(e.columns, Column{Name: fmt.Sprintf("wl%d:other", r)})
	}
	return e, nil
}

type graphHistogram struct {
	g       Grapher
	labels  int
	rounds  int
	columns []Column
	at      []map[uint64]int
	other   []int
}

func (e *graphHistogram) Columns() []Column { return e.columns }

func (e *graphHistogram) Encode(dst []float64, d space.Design) ([]float64, error) {
	g, err := e.g.Graph(d)
	if err != nil {
		return dst, err
	}
	if err := g.Validate(e.labels); err != nil {
		return dst, err
	}
	from := len(dst)
	dst = append(dst, make([]float64, len(e.columns))...)
	for r, colours := range graphColours(g, e.rounds) {
		for _, c := range colours {
			at, ok := e.at[r][c]
			if !ok {
				at = e.other[r]
			}
			dst[from+at]++
		}
	}
	return dst, nil
}
