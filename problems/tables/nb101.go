package tables

import (
	"context"
	"fmt"
	"math/bits"
	"sync"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
)

// NB101 is a twentieth of NAS-Bench-101 (Ying et al., "NAS-Bench-101: Towards
// Reproducible Neural Architecture Search", ICML 2019): 20,001 of its 423,624
// cells, taken by their hash and so at random, each trained on CIFAR-10 for 4,
// 12, 36 and 108 epochs. A cell is a graph of seven nodes with at most nine
// edges and one of three operations on each inner node.
//
// A design whose cell is not among them measures the nearest that is, by
// changes of one edge or operation; nearly always one or two changes are
// enough. So every value was really measured, and designs with the same cell
// have the same key. Missing says whether such designs are infeasible instead.
//
// The four trainings are separate runs, each with its own decay of the learning
// rate, which makes this a problem with four efforts.
type NB101 struct {
	Missing string `yaml:"missing" default:"nearest" oneof:"nearest infeasible" doc:"a cell that was not measured: take the nearest that was, or call it infeasible"` // "" means nearest
}

// Cells is the benchmark for one treatment of cells that were not measured.
type Cells struct {
	Same
	epochs [4][]float64 // accuracy in percent after each of nb101Epochs
}

var (
	_ problem.Graded    = Cells{}
	_ problem.Canonical = Cells{}
)

var nb101Epochs = []float64{4, 12, 36, 108}

const (
	nb101Nodes = 7
	nb101Out   = nb101Nodes - 1
	nb101Pairs = nb101Nodes * nb101Out / 2
	nb101Most  = 9 // edges
)

// A cell101 is a cell: its edges as bits, in the order 0→1, 0→2, … 5→6, and the
// operation of each node. Nodes on no way from the input to the output are cut
// off before cells are compared.
type cell101 struct {
	edges uint32
	ops   [nb101Nodes]uint8
}

func edge101(from, to int) int { return from*(2*nb101Nodes-1-from)/2 + to - from - 1 }

// prune cuts off what is on no way from the input to the output, and reports
// whether anything is left.
func (c cell101) prune() (cell101, bool) {
	var out, in [nb101Nodes]uint8
	for from := range nb101Nodes {
		for to := from + 1; to < nb101Nodes; to++ {
			if c.edges>>edge101(from, to)&1 == 1 {
				out[from] |= 1 << to
				in[to] |= 1 << from
			}
		}
	}
	ahead, behind := uint8(1), uint8(1<<nb101Out)
	for i := range nb101Nodes {
		if ahead>>i&1 == 1 {
			ahead |= out[i]
		}
		if j := nb101Out - i; behind>>j&1 == 1 {
			behind |= in[j]
		}
	}
	live := ahead & behind
	if live&1 == 0 || live>>nb101Out&1 == 0 {
		return cell101{}, false
	}
	kept := cell101{}
	for from := range nb101Nodes {
		for to := from + 1; to < nb101Nodes; to++ {
			if live>>from&1 == 1 && live>>to&1 == 1 && out[from]>>to&1 == 1 {
				kept.edges |= 1 << edge101(from, to)
			}
		}
		if live>>from&1 == 1 {
			kept.ops[from] = c.ops[from]
		}
	}
	return kept, true
}

// hash is the same for isomorphic cells and in practice for no others: the
// benchmark's own scheme of mixing each node with its neighbours as often as
// there are nodes, on 64 bits. The cell must be pruned.
func (c cell101) hash() uint64 {
	var h, next [nb101Nodes]uint64
	var in, out [nb101Nodes]uint8
	live := uint8(0)
	for from := range nb101Nodes {
		for to := from + 1; to < nb101Nodes; to++ {
			if c.edges>>edge101(from, to)&1 == 1 {
				out[from] |= 1 << to
				in[to] |= 1 << from
				live |= 1<<from | 1<<to
			}
		}
	}
	for i := range h {
		label := uint64(c.ops[i]) + 3
		switch i {
		case 0:
			label = 1
		case nb101Out:
			label = 2
		}
		h[i] = mix(label)
	}
	for range bits.OnesCount8(live) {
		for i := range h {
			if live>>i&1 == 0 {
				continue
			}
			a, b := uint64(0), uint64(0)
			for j := range h {
				if in[i]>>j&1 == 1 {
					a += mix(h[j])
				}
				if out[i]>>j&1 == 1 {
					b += mix(h[j] ^ 0x5555555555555555)
				}
			}
			next[i] = mix(mix(mix(h[i])+a)*3 + b)
		}
		h = next
	}
	sum := uint64(0)
	for i := range h {
		if live>>i&1 == 1 {
			sum += mix(h[i])
		}
	}
	return sum
}

// mix is SplitMix64 (Steele, Lea and Flood 2014).
func mix(z uint64) uint64 {
	z += 0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// nb101Rows are the measured cells by hash.
var nb101Rows = sync.OnceValues(func() (map[uint64]int32, error) {
	c, err := load("nb101", "edges", "ops")
	if err != nil {
		return nil, err
	}
	rows := make(map[uint64]int32, len(c[0]))
	for i := range c[0] {
		cell := cell101{edges: uint32(c[0][i])}
		for k, digits := 1, int(c[1][i]); k < nb101Out; k++ {
			cell.ops[k] = uint8(digits % 3)
			digits /= 3
		}
		kept, ok := cell.prune()
		if !ok {
			return nil, fmt.Errorf("tables: the embedded table nb101: row %d has no way from input to output", i)
		}
		rows[kept.hash()] = int32(i)
	}
	if len(rows) != len(c[0]) {
		return nil, fmt.Errorf("tables: the embedded table nb101: %d of %d cells are different", len(rows), len(c[0]))
	}
	return rows, nil
})

// near returns the row of the cell, or of the first one found that differs by
// one change or by two: an edge put in or taken out, in their order, or another
// operation. It returns -1 if there is none.
func (c cell101) near(rows map[uint64]int32, changes int) int {
	kept, ok := c.prune()
	if !ok || bits.OnesCount32(kept.edges) > nb101Most {
		return -1
	}
	if r, ok := rows[kept.hash()]; ok {
		return int(r)
	}
	for depth := 1; depth <= changes; depth++ {
		if r := kept.changed(rows, 0, depth); r >= 0 {
			return r
		}
	}
	return -1
}

// changed looks for exactly so many changes, none before the given one.
func (c cell101) changed(rows map[uint64]int32, from, depth int) int {
	for k := from; k < nb101Pairs+2*(nb101Nodes-2); k++ {
		d := c
		if k < nb101Pairs {
			d.edges ^= 1 << k
		} else {
			i := 1 + (k-nb101Pairs)/2
			d.ops[i] = (d.ops[i] + 1 + uint8(k-nb101Pairs)%2) % 3
		}
		if depth > 1 {
			if r := d.changed(rows, k+1, depth-1); r >= 0 {
				return r
			}
			continue
		}
		kept, ok := d.prune()
		if !ok || bits.OnesCount32(kept.edges) > nb101Most {
			continue
		}
		if r, ok := rows[kept.hash()]; ok {
			return int(r)
		}
	}
	return -1
}

// New makes the problem.
func (o NB101) New() (Cells, error) {
	missing, err := choose("nb101: missing", o.Missing, []string{"nearest", "infeasible"})
	if err != nil {
		return Cells{}, err
	}
	rows, err := nb101Rows()
	if err != nil {
		return Cells{}, err
	}
	c, err := load("nb101", "epochs4", "epochs12", "epochs36", "epochs108", "params", "seconds")
	if err != nil {
		return Cells{}, err
	}
	var all Cells
	for i := range all.epochs {
		all.epochs[i] = scaled(c[i], 100)
	}
	var pairs []string
	for from := range nb101Nodes {
		for to := from + 1; to < nb101Nodes; to++ {
			pairs = append(pairs, fmt.Sprintf("%d-%d", from, to))
		}
	}
	const fewest = 6 // smaller cells are there too: what leads nowhere is cut off
	nodes := []space.Node{space.Subset("edges", pairs...).Size(fewest, nb101Most).Doc("edges between the nodes; 0 is the input, 6 the output")}
	for i := 1; i < nb101Out; i++ {
		nodes = append(nodes, space.Categorical(fmt.Sprintf("op%d", i), "conv3x3", "conv1x1", "maxpool3x3"))
	}
	changes := 2
	why := "no cell within two changes of this one was measured, or nothing of its input reaches its output"
	if missing == "infeasible" {
		changes, why = 0, "the cell was not measured, or nothing of its input reaches its output"
	}
	all.Same = Same{(&Problem{
		name: "a NAS-Bench-101 cell on CIFAR-10", space: space.MustNew(nodes...),
		metrics: []metric.Metric{
			{Name: "accuracy", Unit: "%", Direction: metric.Maximize, Doc: "validation accuracy on CIFAR-10, one training"},
			{Name: "params_m", Unit: "M", Direction: metric.Minimize, Doc: "trainable parameters"},
			{Name: "train_time_s", Unit: "s", Direction: metric.Minimize, Doc: "time to train for 108 epochs"},
		},
		values: [][]float64{all.epochs[3], scaled(c[4], 1e-6), c[5]},
		row: func(a []space.Answer) int {
			cell := cell101{}
			left, next := fewest, 0
			for i := range a {
				switch q := &a[i]; {
				case q.Role == space.RoleSize:
					left = fewest + q.Index
				case q.Role == space.RoleInclude:
					if next = q.Item + 1; q.Index == 1 {
						cell.edges |= 1 << q.Item
						left--
					}
				default:
					cell.ops[nb101Out-(len(a)-i)] = uint8(q.Index)
				}
			}
			for ; left > 0; left-- { // all that are left are in and are not asked about
				cell.edges |= 1 << next
				next++
			}
			return cell.near(rows, changes)
		},
		missing: why,
	}).init()}
	return all, nil
}

// Fidelity returns the epochs that were trained.
func (p Cells) Fidelity() problem.Fidelity {
	return problem.Fidelity{Name: "epochs", Min: 4, Max: 108, Levels: nb101Epochs, Whole: true}
}

// EvaluateAt looks up the accuracy after a share of the 108 epochs.
func (p Cells) EvaluateAt(ctx context.Context, d space.Design, share float64, r problem.Reporter) (metric.Values, error) {
	v, err := p.Evaluate(ctx, d, r)
	if err != nil {
		return nil, err
	}
	row, err := p.find(d)
	if err != nil {
		return nil, err
	}
	amount := p.Fidelity().Amount(share)
	for i, e := range nb101Epochs {
		if e == amount {
			v["accuracy"] = p.epochs[i][row]
		}
	}
	return v, nil
}
