package tables

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/space"
)

// Graph is NAS-Bench-Graph (Qin, Zhang, Wang and Zhu, "NAS-Bench-Graph:
// Benchmarking Graph Neural Architecture Search", NeurIPS 2022): graph neural
// networks of four layers in one of nine topologies, 26,206 different ones,
// trained to classify the nodes of a graph. A search sees the validation
// accuracy and is judged by the test accuracy. The accuracies on cora lie so
// close together that methods are hard to tell apart on it.
//
// Designs that compute the same have one key and one measurement: sisters may
// change places, and a skip connection vanishes where it only passes on. The
// networks of nothing but skip connections were not trained and are infeasible.
type Graph struct {
	Dataset string `yaml:"dataset" default:"arxiv" oneof:"arxiv cora" doc:"graph whose nodes are classified"` // "" means arxiv
}

// topologies lists the parent of each of the four nodes; 0 is the input.
var topologies = [...][4]int{
	{0, 0, 0, 0}, {0, 0, 0, 1}, {0, 0, 1, 1}, {0, 0, 1, 2}, {0, 0, 1, 3},
	{0, 1, 1, 1}, {0, 1, 1, 2}, {0, 1, 2, 2}, {0, 1, 2, 3},
}

var graphOps = [...]string{"gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip"}

const graphSkip = 8

// New makes the problem.
func (o Graph) New() (Classes, error) {
	dataset, err := choose("graph: dataset", o.Dataset, []string{"arxiv", "cora"})
	if err != nil {
		return Classes{}, err
	}
	c, err := load("graph", dataset+"_valid", dataset+"_latency", dataset+"_params", dataset+"_test")
	if err != nil {
		return Classes{}, err
	}
	rows, err := graphRows()
	if err != nil {
		return Classes{}, err
	}
	var shapes []string
	for _, t := range topologies {
		shapes = append(shapes, fmt.Sprintf("%d-%d-%d-%d", t[0], t[1], t[2], t[3]))
	}
	nodes := []space.Node{space.Categorical("topology", shapes...).Doc("parent of each node, 0 being the input; leaves feed the output")}
	for i := range 4 {
		nodes = append(nodes, space.Categorical(fmt.Sprintf("op%d", i+1), graphOps[:]...).Doc(fmt.Sprintf("operation of node %d", i+1)))
	}
	return Classes{Judged{(&Problem{
		name: "a NAS-Bench-Graph network on " + dataset, space: space.MustNew(nodes...),
		metrics: []metric.Metric{
			{Name: "accuracy", Unit: "%", Direction: metric.Maximize, Doc: "validation accuracy on " + dataset},
			{Name: "latency_ms", Unit: "ms", Direction: metric.Minimize, Doc: "time of one pass over the graph"},
			{Name: "params_m", Unit: "M", Direction: metric.Minimize, Doc: "trainable parameters"},
		},
		verify: []metric.Metric{{Name: "test_accuracy", Unit: "%", Direction: metric.Maximize, Doc: "test accuracy on " + dataset}},
		values: [][]float64{scaled(c[0], 100), c[1], c[2], scaled(c[3], 100)},
		row: func(a []space.Answer) int {
			code := 0
			for i := range a {
				code = 9*code + a[i].Index
			}
			return int(rows[code])
		},
		missing: "a network of nothing but skip connections computes nothing and was not trained",
	}).init()}}, nil
}

// graphRows returns for each of the 9^5 designs the row of what it computes,
// -1 where there is none.
var graphRows = sync.OnceValues(func() ([]int32, error) {
	c, err := load("graph", "arch")
	if err != nil {
		return nil, err
	}
	row := map[string]int32{}
	for i, v := range c[0] {
		var design [5]int
		for k, digit := 4, int(v); k >= 0; k-- {
			design[k] = digit % 10
			digit /= 10
		}
		row[graphClass(design)] = int32(i)
	}
	if len(row) != len(c[0]) {
		return nil, fmt.Errorf("tables: the embedded table graph: %d of %d networks are different", len(row), len(c[0]))
	}
	rows := make([]int32, 9*9*9*9*9)
	for code := range rows {
		var design [5]int
		for k, rest := 4, code; k >= 0; k-- {
			design[k] = rest % 9
			rest /= 9
		}
		if r, ok := row[graphClass(design)]; ok {
			rows[code] = r
		} else {
			rows[code] = -1
		}
	}
	return rows, nil
})

// graphClass writes the tree of a design with sisters in order and without
// skip connections that only pass on: those with successors, those that end
// alone what they continue, and those from the input straight to the output.
func graphClass(design [5]int) string {
	parents, ops := topologies[design[0]], design[1:]
	var below func(node int) []string
	below = func(node int) []string {
		var kids []string
		for i, p := range parents {
			if p != node {
				continue
			}
			inner := below(i + 1)
			if ops[i] == graphSkip && slices.Contains(parents[:], i+1) {
				kids = append(kids, inner...)
				continue
			}
			kids = append(kids, fmt.Sprintf("%d(%s)", ops[i], strings.Join(inner, "")))
		}
		const skip = "8()"
		switch {
		case node == 0:
			kids = slices.DeleteFunc(kids, func(s string) bool { return s == skip })
		case len(kids) == 1 && kids[0] == skip:
			kids = nil
		}
		slices.Sort(kids)
		return kids
	}
	return strings.Join(below(0), "")
}
