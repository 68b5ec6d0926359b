package model

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"io/fs"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

func start(t testing.TB, o TPE, setup search.Setup) search.Searcher {
	t.Helper()
	s, err := o.New(setup)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// drive runs n rounds of ask and tell and returns the least loss.
func drive(t testing.TB, s search.Searcher, n int, f func(space.Design) float64) float64 {
	t.Helper()
	best := math.Inf(1)
	for range n {
		ps, err := s.Ask(1)
		if err != nil {
			t.Fatal(err)
		}
		y := f(ps[0].Design)
		best = min(best, y)
		s.Tell(search.Outcome{ID: ps[0].ID, Design: ps[0].Design, Status: search.Complete, Score: metric.Score{Loss: []float64{y}}})
	}
	return best
}

// warm tells n random designs of foreign origin.
func warm(t testing.TB, s search.Searcher, sp *space.Space, n int, f func(space.Design) float64) {
	t.Helper()
	r := rng.New(1, "warm", 0)
	for i := range n {
		d := sp.MustSample(r)
		s.Tell(search.Outcome{ID: -int64(i + 1), Design: d, Status: search.Complete, Score: metric.Score{Loss: []float64{f(d)}}})
	}
}

func random(sp *space.Space, seed uint64, n int, f func(space.Design) float64) float64 {
	r := rng.New(seed, "random", 0)
	best := math.Inf(1)
	for range n {
		best = min(best, f(sp.MustSample(r)))
	}
	return best
}

// values returns the reals of a design in order.
func values(d space.Design) []float64 {
	var x []float64
	for _, a := range d.Decisions(nil) {
		x = append(x, a.Real)
	}
	return x
}

func options(d space.Design) []int {
	var x []int
	for _, a := range d.Decisions(nil) {
		x = append(x, a.Index)
	}
	return x
}

func sphere(d space.Design) float64 {
	y := 0.0
	for _, x := range values(d) {
		y += (x - 1) * (x - 1)
	}
	return y
}

// nb201 is one data set of NAS-Bench-201: what the search sees and what is
// reported, both accuracies in percent, by the six operations as a number of
// base five.
type nb201 struct{ signal, report [15625]float64 }

// loadNB201 reads the table, or skips the test if it is not there.
func loadNB201(t *testing.T) map[string]*nb201 {
	t.Helper()
	f, err := os.Open("../../../shared/data/nas-bench-201/nasbench201.csv.gz")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no table of NAS-Bench-201 beside the repository (shared/data/nas-bench-201)")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	out := map[string]*nb201{}
	for _, set := range []string{"c10", "c100", "in16"} {
		n := &nb201{}
		for _, row := range rows[1:] {
			at, err := strconv.ParseInt(row[column["ops"]], 5, 64)
			if err != nil {
				t.Fatal(err)
			}
			for name, to := range map[string]*float64{"_valid_12ep": &n.signal[at], "_test_200ep": &n.report[at]} {
				if *to, err = strconv.ParseFloat(row[column[set+name]], 64); err != nil {
					t.Fatal(err)
				}
			}
		}
		out[set] = n
	}
	return out
}

var cell = func() *space.Space {
	nodes := make([]space.Node, 6)
	for i, name := range []string{"e01", "e02", "e12", "e03", "e13", "e23"} {
		nodes[i] = space.Categorical(name, "none", "skip", "conv1", "conv3", "pool")
	}
	return space.MustNew(nodes...)
}()

func cellIndex(d space.Design) int {
	i := 0
	for _, o := range options(d) {
		i = 5*i + o
	}
	return i
}
