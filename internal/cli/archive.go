package cli

import (
	"fmt"
	"io"

	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search/illuminate"
	"github.com/daedalus-search/daedalus/study"
)

// maxHeatmap bounds the columns of a heatmap, so that it fits a terminal.
const maxHeatmap = 16

// writeArchive prints what a quality-diversity method found: how much of the
// behaviour space is covered and, where it has two measures, the best value of
// the objective in every cell.
func writeArchive(w io.Writer, a *study.Archive, goal metric.Goal, width int) error {
	o := goal.Objectives[0]
	fmt.Fprintf(w, "Archive: %d of %d cells hold a design (%s), QD-score %s\n",
		len(a.Elites), a.Cells, term.Percent(a.Coverage), term.Number(a.QDScore))
	if len(a.Measures) != 2 || a.Measures[0].Cells > maxHeatmap || a.Cells != a.Measures[0].Cells*a.Measures[1].Cells {
		return nil // a CVT, more measures, or too wide
	}
	x, y := a.Measures[0], a.Measures[1]
	best := make([]string, x.Cells*y.Cells)
	values := make([]float64, 0, len(a.Elites))
	for _, e := range a.Elites {
		values = append(values, e.Values[o.Metric])
	}
	shown := term.Numbers(values...)
	for i, e := range a.Elites {
		best[cellAt(y, e.Measures[1])*x.Cells+cellAt(x, e.Measures[0])] = shown[i]
	}
	fmt.Fprintf(w, "The best %s in each cell; cells begin at the values shown:\n", o.Metric)
	t := term.Table{Columns: []term.Column{{Name: y.Metric, Right: true}}}
	for col := range x.Cells {
		t.Columns = append(t.Columns, term.Column{Name: edge(x, col), Group: x.Metric, Right: true})
	}
	for row := y.Cells - 1; row >= 0; row-- {
		cells := []string{edge(y, row)}
		for col := range x.Cells {
			s := best[row*x.Cells+col]
			if s == "" {
				s = "·"
			}
			cells = append(cells, s)
		}
		t.Row(cells...)
	}
	return t.Write(w, width)
}

// cellAt returns the cell of a value; values beyond the range count to the
// nearest cell.
func cellAt(m illuminate.Measure, v float64) int {
	return min(max(int((v-m.Low)/(m.High-m.Low)*float64(m.Cells)), 0), m.Cells-1)
}

// edge returns where a cell begins.
func edge(m illuminate.Measure, cell int) string {
	return term.Number(m.Low + (m.High-m.Low)*float64(cell)/float64(m.Cells))
}
