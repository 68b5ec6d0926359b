package view

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
)

// A ruler measures how far designs are apart: the mean over the parameters that
// either has of their difference, a number's as a share of its range (on the
// logarithm of logarithmic ones), 1 for names that differ and for a parameter
// that only one has. It is what space.Distance does, on columns.
type ruler struct {
	unit      [][]float64 // by parameter, by place: 0 to 1, or an option; NaN where there is none
	unordered []bool
}

func (b *builder) ruler(at []int) *ruler {
	r := &ruler{}
	for _, c := range b.rows.columns {
		if c.Part != "param" || c.Kind == "text" {
			continue
		}
		low, high := 0.0, 1.0
		if c.numeric() {
			switch {
			case c.Low != nil && c.High != nil:
				low, high = *c.Low, *c.High
			case c.Min != nil:
				low, high = *c.Min, *c.Max
			}
		} else {
			high = max(float64(len(c.Values)-1), 1)
		}
		log := c.Log && low > 0
		if log {
			low, high = math.Log(low), math.Log(high)
		}
		unordered := !c.numeric() && !c.Ordered
		unit := make([]float64, len(at))
		for i, row := range at {
			x := c.at(row)
			if !unordered {
				if log {
					x = math.Log(x)
				}
				if high > low {
					x = min(max((x-low)/(high-low), 0), 1)
				} else if x == x {
					x = 0
				}
			}
			unit[i] = x
		}
		r.unit, r.unordered = append(r.unit, unit), append(r.unordered, unordered)
	}
	return r
}

// distance returns how far the designs at two places are apart.
func (r *ruler) distance(i, j int) float64 {
	sum, n := 0.0, 0
	for k, unit := range r.unit {
		x, y := unit[i], unit[j]
		switch {
		case x != x && y != y:
			continue
		case x != x || y != y:
			sum++
		case r.unordered[k]:
			if x != y {
				sum++
			}
		default:
			sum += math.Abs(x - y)
		}
		n++
	}
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}

// mapSize is how many designs the map of similar designs holds.
const mapSize = 800

// similar arranges good and typical designs by similarity.
func (b *builder) similar(context.Context) error {
	at, losses, violations := b.measuredRows()
	if len(at) < 3 {
		b.view.Missing["map"] = "It takes three measured designs to arrange them by similarity."
		return nil
	}
	chosen := map[int]bool{}
	add := func(row int) {
		if len(chosen) < mapSize {
			chosen[row] = true
		}
	}
	for _, row := range b.view.Front.Rows {
		add(row)
	}
	if a := b.view.Archive; a != nil {
		for _, e := range a.Elites {
			add(e.Row)
		}
	}
	for i, best := range metric.BestQuantile(losses, b.m, violations, min(0.5*mapSize/float64(len(at)), 1)) {
		if best {
			add(at[i])
		}
	}
	if left := mapSize - len(chosen); left > 0 {
		for k := range min(left, len(at)) {
			add(at[k*len(at)/min(left, len(at))])
		}
	}
	// Of equal designs one is enough.
	seen := map[string]bool{}
	var rows []int
	for _, row := range at {
		if chosen[row] && !seen[string(b.rows.designs[row])] {
			seen[string(b.rows.designs[row])] = true
			rows = append(rows, row)
		}
	}
	if len(rows) < 3 {
		b.view.Missing["map"] = "It takes three different designs to arrange them by similarity."
		return nil
	}
	r := b.ruler(rows)
	if len(r.unit) == 0 {
		b.view.Missing["map"] = "The designs have no parameters that can be compared."
		return nil
	}
	m := &Map{Rows: rows}
	m.Left, m.Right, m.Height = cluster(len(rows), r.distance)
	if len(rows) < len(at) {
		m.Note = fmt.Sprintf("%s of %s measured designs: the front, the best and an even sample.", term.Int(int64(len(rows))), term.Int(int64(len(at))))
	}
	if l, ok := b.src.Problem.(problem.Labeler); ok {
		for _, row := range rows {
			d, err := b.src.Problem.Space().ParseJSON(b.rows.designs[row])
			label := ""
			if err == nil {
				label = l.Label(d)
			}
			m.Labels = append(m.Labels, label)
		}
	}
	b.view.Map = m
	return nil
}

// cluster joins n items into a binary tree, the two nearest clusters first,
// where the distance of clusters is the mean over pairs of their items (average
// linkage; Sokal and Michener 1958). Chains of nearest neighbours find the
// joins in O(n²) (Benzécri 1982; Murtagh 1983). Items are 0 … n-1, the cluster
// of the first join is n, and so on; joins are by rising height.
func cluster(n int, distance func(i, j int) float64) (left, right []int, height []float64) {
	d := make([][]float64, n)
	for i := range n {
		d[i] = make([]float64, n)
		for j := range i {
			x := distance(i, j)
			d[i][j], d[j][i] = x, x
		}
	}
	size := make([]float64, n)
	alive := make([]bool, n)
	for i := range n {
		size[i], alive[i] = 1, true
	}
	type join struct {
		a, b   int // items that stand for their clusters
		height float64
	}
	var joins []join
	var chain []int
	first := 0
	for len(joins) < n-1 {
		if len(chain) == 0 {
			for !alive[first] {
				first++
			}
			chain = append(chain, first)
		}
		a := chain[len(chain)-1]
		near, at := math.Inf(1), -1
		if len(chain) > 1 { // the one before wins ties, so that the chain ends
			at = chain[len(chain)-2]
			near = d[a][at]
		}
		for j := range n {
			if alive[j] && j != a && d[a][j] < near {
				near, at = d[a][j], j
			}
		}
		if len(chain) < 2 || at != chain[len(chain)-2] {
			chain = append(chain, at)
			continue
		}
		chain = chain[:len(chain)-2]
		joins = append(joins, join{a, at, near})
		// The cluster lives on at the place of the second.
		for j := range n {
			if alive[j] && j != a && j != at {
				x := (size[a]*d[a][j] + size[at]*d[at][j]) / (size[a] + size[at])
				d[at][j], d[j][at] = x, x
			}
		}
		size[at] += size[a]
		alive[a] = false
	}
	slices.SortStableFunc(joins, func(x, y join) int {
		switch {
		case x.height < y.height:
			return -1
		case x.height > y.height:
			return 1
		}
		return 0
	})
	// Name the clusters in the order of their joins.
	name, parent := make([]int, n), make([]int, n)
	for i := range n {
		name[i], parent[i] = i, i
	}
	find := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	for k, j := range joins {
		a, b := find(j.a), find(j.b)
		left, right, height = append(left, name[a]), append(right, name[b]), append(height, j.height)
		parent[a] = b
		name[b] = n + k
	}
	return left, right, height
}
