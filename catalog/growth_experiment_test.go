//go:build experiment

package catalog_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/catalog"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/report/figure"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/illuminate"
	"github.com/daedalus-search/daedalus/space"
)

// TestGrowth measures what an ask and a tell cost with 1,000, 10,000 and 100,000
// results behind them, for every search method, and writes docs/growth.csv and
// docs/img/growth.svg:
//
//	go test ./catalog -tags experiment -run Growth -timeout 60m
//
// The space has 20 parameters of mixed kinds. The results are told as foreign
// ones, so that methods which take seconds for as many proposals can be looked
// at too; then the method goes on for a while by itself, and the mean of a
// hundred steps (or as many as fit in twenty seconds) counts, fits included that
// an ask makes itself.
func TestGrowth(t *testing.T) {
	sp := growthSpace()
	sizes := []int{1000, 10_000, 100_000}
	type line struct {
		row  catalog.Searcher
		cost []float64 // microseconds
	}
	var lines []line
	for _, row := range catalog.Searchers() {
		l := line{row: row}
		for _, n := range sizes {
			us, err := growthCost(row, sp, n)
			if err != nil {
				t.Logf("%-18s not measured: %v", row.Name, err)
				break
			}
			l.cost = append(l.cost, us)
		}
		if len(l.cost) == len(sizes) {
			lines = append(lines, l)
			t.Logf("%-18s %10.1f %10.1f %10.1f µs   %s", row.Name, l.cost[0], l.cost[1], l.cost[2], row.Cost)
		}
	}
	f, err := os.Create("../docs/growth.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := csv.NewWriter(f)
	w.Write([]string{"method", "us_at_1000", "us_at_10000", "us_at_100000"})
	for _, l := range lines {
		rec := []string{l.row.Name}
		for _, c := range l.cost {
			rec = append(rec, strconv.FormatFloat(c, 'f', 1, 64))
		}
		w.Write(rec)
	}
	if w.Flush(); w.Error() != nil {
		t.Fatal(w.Error())
	}

	// A panel for the quick ones and one for those with models, slowest first.
	slices.SortStableFunc(lines, func(a, b line) int { return int(math.Copysign(1, b.cost[2]-a.cost[2])) })
	fig := figure.Figure{
		Alt:   "the cost of an ask and a tell of every search method with 1,000, 10,000 and 100,000 results behind it",
		Width: 180, Height: 40 + 5*float64(len(lines)), DPI: 150,
	}
	panel := figure.Panel{
		X: figure.Axis{Title: "an ask and a tell, µs", Low: 0.1, High: 1e6, Log: true},
		Y: figure.Axis{Low: -0.5, High: float64(len(lines)) - 0.5, Whole: true},
	}
	tones := []figure.Tone{figure.Faint, figure.Base, figure.Own}
	var from, to, at []float64
	for i, l := range lines {
		panel.Y.Labels = append(panel.Y.Labels, l.row.Name)
		from, to, at = append(from, slices.Min(l.cost)), append(to, slices.Max(l.cost)), append(at, float64(i))
	}
	panel.Marks = append(panel.Marks, figure.Mark{Shape: figure.Lines, X: interleave(from, to), Y: interleave(at, at), Series: twice(len(at)), Tone: figure.Muted, Size: 1})
	for k, n := range sizes {
		m := figure.Mark{Shape: figure.Dots, Name: fmt.Sprintf("%d results", n), Y: at, Tone: tones[k], Size: 5, Edge: true}
		for _, l := range lines {
			m.X = append(m.X, l.cost[k])
		}
		panel.Marks = append(panel.Marks, m)
	}
	fig.Panels = [][]figure.Panel{{panel}}
	out, err := os.Create("../docs/img/growth.svg")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := fig.Write(out, "svg"); err != nil {
		t.Fatal(err)
	}
}

func interleave(a, b []float64) []float64 {
	var out []float64
	for i := range a {
		out = append(out, a[i], b[i])
	}
	return out
}

func twice(n int) []int {
	var out []int
	for i := range n {
		out = append(out, i, i)
	}
	return out
}

func growthSpace() *space.Space {
	var nodes []space.Node
	for i := range 8 {
		nodes = append(nodes, space.Float(fmt.Sprintf("x%d", i), 0, 1))
	}
	for i := range 4 {
		nodes = append(nodes,
			space.Float(fmt.Sprintf("rate%d", i), 1e-4, 1).Log(), space.Int(fmt.Sprintf("n%d", i), 1, 64),
			space.Categorical(fmt.Sprintf("op%d", i), "a", "b", "c", "d"))
	}
	return space.MustNew(nodes...)
}

// growthCost returns the mean cost of a step with n results behind it, in
// microseconds.
func growthCost(row catalog.Searcher, sp *space.Space, n int) (float64, error) {
	m := row.Options()
	measures := []illuminate.Measure{{Metric: "a", Low: 0, High: 1, Cells: 20}, {Metric: "b", Low: 0, High: 1, Cells: 20}}
	switch o := m.(type) {
	case *illuminate.MAPElites:
		o.Measures = measures
	case *illuminate.Emitters:
		o.Measures = measures
	case *illuminate.CMAME:
		o.Measures = measures
	case *illuminate.CMAMAE:
		o.Measures = measures
	case *illuminate.MOME:
		o.Measures = measures
	}
	s, err := m.New(search.Setup{
		Space: sp, Limits: true, Seed: 1, Fidelity: problem.Fidelity{Name: "epochs", Min: 1, Max: 27, Whole: true},
	})
	if err != nil {
		return 0, err
	}
	var buf []space.Answer
	outcome := func(id int64, d space.Design) search.Outcome {
		loss := 0.0
		buf = d.Decisions(buf[:0])
		for i, a := range buf {
			u := a.Unit(a.Index, a.Real) - 0.3
			loss += u * u * float64(1+i%3)
		}
		return search.Outcome{
			ID: id, Design: d, Status: search.Complete, Score: metric.Score{Loss: []float64{loss}},
			Values: metric.Values{"a": buf[0].Unit(buf[0].Index, buf[0].Real), "b": buf[1].Unit(buf[1].Index, buf[1].Real)},
		}
	}
	r := rng.New(1, "growth", 0)
	for i := range n {
		s.Tell(outcome(-int64(i)-1, sp.MustSample(r)))
	}
	var costs []float64
	begin := time.Now()
	for len(costs) < 100 && (len(costs) < 3 || time.Since(begin) < 20*time.Second) {
		at := time.Now()
		ps, err := s.Ask(1)
		if errors.Is(err, search.ErrExhausted) {
			return 0, err
		}
		if err != nil {
			return 0, err
		}
		spent := time.Since(at)
		o := outcome(ps[0].ID, ps[0].Design)
		at = time.Now()
		s.Tell(o)
		spent += time.Since(at)
		if rf, ok := s.(search.Refitter); ok {
			rf.Refit()
		}
		costs = append(costs, float64(spent.Nanoseconds())/1e3)
	}
	sum := 0.0
	for _, c := range costs {
		sum += c / float64(len(costs))
	}
	return sum, nil
}
