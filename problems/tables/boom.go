package tables

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/space"
)

// Boom is the design space of the RISC-V core BOOM that the ICCAD contest of
// 2022 searched (Bai et al., "BOOM-Explorer", ICCAD 2021): for each of five
// decode widths every combination of three or four settings of seven
// components, 15,633 in all.
//
// Its authors call the released table a dummy data set for getting used to
// their platform. It exercises the search for three objectives and says nothing
// about BOOM.
type Boom struct{}

// components are the parts of the core and the columns that set them.
var components = []struct {
	name, doc string
	ordered   bool
	columns   []string
}{
	{"issue", "dispatch width, issue width and entries of the memory, integer and floating-point queues", true,
		[]string{"MEM_DispatchWidth", "MEM_IssueWidth", "MEM_NumEntries", "INT_DispatchWidth", "INT_IssueWidth", "INT_NumEntries", "FP_DispatchWidth", "FP_IssueWidth", "FP_NumEntries"}},
	{"fetch", "branch tags, entries of the fetch buffer and of the fetch target queue", true, []string{"BranchTag", "FetchBufferEntries", "FetchTargetQueue"}},
	{"rob", "entries of the reorder buffer", true, []string{"ROBEntries"}},
	{"registers", "physical registers, integer and floating-point", true, []string{"INTPhysRegisters", "FPPhysRegisters"}},
	{"load_store", "entries of the load and of the store queue", true, []string{"LDQEntries", "STQEntries"}},
	{"icache", "sets and ways of the instruction cache, then of its TLB", false, []string{"ICacheSets", "ICacheWays", "ITLBSets", "ITLBWays"}},
	{"dcache", "sets and ways of the data cache, replacement policy, miss registers, sets and ways of the TLB", false,
		[]string{"DCacheSets", "DCacheWays", "ReplacementPolicy", "MSHR", "DTLBSets", "DTLBWays"}},
}

// boomLayout is the space, and the row of each combination of options.
type boomLayout struct {
	nodes []space.Node
	sizes [5][]int   // options of each component by width
	rows  [5][]int32 // by width and options as digits
}

var boomTable = sync.OnceValues(func() (*boomLayout, error) {
	var names []string
	for _, c := range components {
		names = append(names, c.columns...)
	}
	cols, err := load("boom", append(names, "DecodeWidth")...)
	if err != nil {
		return nil, err
	}
	width := cols[len(cols)-1]
	setting := func(row, component int) []float64 {
		at := 0
		for _, c := range components[:component] {
			at += len(c.columns)
		}
		var s []float64
		for k := range components[component].columns {
			s = append(s, cols[at+k][row])
		}
		return s
	}
	b := &boomLayout{}
	var cases []space.Branch
	for w := range b.sizes {
		var options [][][]float64
		var nodes []space.Node
		total := 1
		for i, c := range components {
			var list [][]float64
			for row, v := range width {
				if int(v) != w+1 {
					continue
				}
				if s := setting(row, i); !slices.ContainsFunc(list, func(o []float64) bool { return slices.Equal(o, s) }) {
					list = append(list, s)
				}
			}
			slices.SortFunc(list, slices.Compare[[]float64])
			var labels []string
			for _, s := range list {
				labels = append(labels, strings.Trim(strings.ReplaceAll(fmt.Sprint(s), " ", "-"), "[]"))
			}
			if c.ordered {
				nodes = append(nodes, space.Ordinal(c.name, labels...).Doc(c.doc))
			} else {
				nodes = append(nodes, space.Categorical(c.name, labels...).Doc(c.doc))
			}
			options = append(options, list)
			b.sizes[w] = append(b.sizes[w], len(list))
			total *= len(list)
		}
		cases = append(cases, space.Case(fmt.Sprint(w+1), nodes...))
		b.rows[w] = make([]int32, total)
		found := 0
		for row, v := range width {
			if int(v) != w+1 {
				continue
			}
			code := 0
			for i, list := range options {
				k, ok := slices.BinarySearchFunc(list, setting(row, i), slices.Compare[[]float64])
				if !ok {
					return nil, fmt.Errorf("tables: the embedded table boom: row %d has an unknown setting", row)
				}
				code = code*len(list) + k
			}
			b.rows[w][code] = int32(row)
			found++
		}
		if found != total {
			return nil, fmt.Errorf("tables: the embedded table boom: %d rows for %d combinations of width %d", found, total, w+1)
		}
	}
	b.nodes = []space.Node{space.Choice("decode_width", cases...).Doc("instructions decoded in a cycle; decides what the other parts may be")}
	return b, nil
})

// New makes the problem.
func (Boom) New() (*Problem, error) {
	b, err := boomTable()
	if err != nil {
		return nil, err
	}
	c, err := load("boom", "ipc", "power", "area")
	if err != nil {
		return nil, err
	}
	return (&Problem{
		name: "a BOOM core (values made up by the authors of the contest)", space: space.MustNew(b.nodes...),
		metrics: []metric.Metric{
			{Name: "ipc", Unit: "1/cycle", Direction: metric.Maximize, Doc: "instructions in a cycle"},
			{Name: "power_w", Unit: "W", Direction: metric.Minimize, Doc: "power"},
			{Name: "area_mm2", Unit: "mm²", Direction: metric.Minimize, Doc: "area"},
		},
		values: [][]float64{c[0], c[1], scaled(c[2], 1e-6)},
		row: func(a []space.Answer) int {
			w := a[0].Index
			code := 0
			for i, n := range b.sizes[w] {
				code = code*n + a[1+i].Index
			}
			return int(b.rows[w][code])
		},
	}).init(), nil
}
