//go:build experiment

package fidelity_test

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/nasbench201"
	"github.com/daedalus-search/daedalus/problems/synthetic"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/evolve"
	"github.com/daedalus-search/daedalus/search/fidelity"
	"github.com/daedalus-search/daedalus/search/model"
	"github.com/daedalus-search/daedalus/search/sample"
	"github.com/daedalus-search/daedalus/space"
)

func spread(xs []float64) (mean, sd float64) {
	for _, x := range xs {
		mean += x / float64(len(xs))
	}
	for _, x := range xs {
		sd += (x - mean) * (x - mean) / float64(len(xs)-1)
	}
	return mean, math.Sqrt(sd)
}

// A trail is the best full loss after an effort.
type trail []struct{ effort, best float64 }

func (t trail) at(effort float64) float64 {
	i := sort.Search(len(t), func(i int) bool { return t[i].effort > effort+1e-9 })
	if i == 0 {
		return math.Inf(1)
	}
	return t[i-1].best
}

// follow runs a searcher until an effort is spent.
func follow(t *testing.T, m search.Method, setup search.Setup, effort float64, evaluate func(search.Proposal, search.Searcher) search.Outcome) trail {
	s := open(t, m, setup)
	var out trail
	best, spent := math.Inf(1), 0.0
	from := map[space.Design]float64{}
	for spent < effort-1e-9 {
		p := one(t, s)
		spent += setup.Fidelity.Cost(from[p.Design], share(p))
		from[p.Design] = share(p)
		o := evaluate(p, s)
		if share(p) == 1 && o.Status == search.Complete && o.Score.Feasible() {
			best = min(best, o.Score.Loss[0])
		}
		s.Tell(o)
		out = append(out, struct{ effort, best float64 }{spent, best})
	}
	return out
}

// Learning curves whose little effort tells the truth, less of it, nothing, or
// the opposite. Every method gets 60 full evaluations' worth of epochs and goes on
// from checkpoints.
func TestExperimentCurves(t *testing.T) {
	const budget, seeds = 60, 100
	methods := []struct {
		name string
		m    search.Method
	}{
		{"random in full", sample.Random{}},
		{"tpe in full", model.TPE{}},
		{"halving", fidelity.SuccessiveHalving{}},
		{"hyperband", fidelity.Hyperband{}},
		{"asha", fidelity.ASHA{}},
		{"asha, tpe", fidelity.ASHA{Options: fidelity.Options{Source: "tpe"}}},
		{"pasha", fidelity.PASHA{}},
		{"bohb", fidelity.BOHB{}},
	}
	for _, rho := range []float64{0.95, 0.8, 0.5, 0, -1} {
		target, overhead := 0.0, 0.0
		for _, c := range methods {
			var final, reach []float64
			trails := make([]trail, seeds)
			for seed := range trails {
				landscape := uint64(1 + seed%10)
				p := curves(t, synthetic.Curves{Correlation: &rho, Seed: &landscape})
				setup := search.Setup{Space: p.Space(), Fidelity: p.Fidelity(), Seed: uint64(seed), Effort: budget}
				trails[seed] = follow(t, c.m, setup, budget, func(x search.Proposal, s search.Searcher) search.Outcome { return measured(t, p, x, s) })
				final = append(final, trails[seed].at(budget))
			}
			mean, sd := spread(final)
			if c.name == "random in full" {
				target = mean
				for _, x := range trails {
					overhead += x.at(budget/4) / seeds
				}
			}
			// The effort at which the mean over seeds is what random sampling had at the end.
			cost := math.Inf(1)
			for e := 0.5; e <= budget; e += 0.5 {
				sum := 0.0
				for _, x := range trails {
					sum += x.at(e) / seeds
				}
				if sum <= target {
					cost = e
					break
				}
			}
			reach = append(reach, cost)
			t.Logf("correlation %5.2f  %-15s best loss %.4f ± %.4f   reaches random's %.4f at %.1f full evaluations (random at %d: %.4f)", rho, c.name, mean, sd, target, reach[0], budget/4, overhead)
		}
	}
}

// recorded are learning curves of networks that were really trained; see
// study/curves_experiment_test.go.
type recorded struct {
	designs []string
	test    []float64
	valid   [][]float64
}

func readRecorded(t *testing.T) (r recorded) {
	f, err := os.Open("../../study/testdata/curves.csv.gz")
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		xs := make([]float64, len(row)-1)
		for i := range xs {
			if xs[i], err = strconv.ParseFloat(row[i+1], 64); err != nil {
				t.Fatal(err)
			}
		}
		r.designs, r.test, r.valid = append(r.designs, row[0]), append(r.test, xs[0]), append(r.valid, xs[1:])
	}
	return r
}

// PASHA against ASHA until 128 designs have begun, on networks that were really
// trained, drawn from 200 with 54 epochs, and on synthetic curves of 27 and 243
// epochs. The epochs of the full training of the best at the end are given apart.
func TestExperimentPASHA(t *testing.T) {
	const seeds, begin = 100, 128
	run := func(m search.Method, seed uint64, setup search.Setup, value func(d space.Design, epoch int) float64) (epochs, final float64, best space.Design) {
		setup.Seed = seed
		s := open(t, m, setup)
		c, _ := s.(search.CurveReader)
		from := map[space.Design]float64{}
		loss := math.Inf(1)
		high, started := 0.0, 0
		most := setup.Fidelity.Max
		for {
			ps, err := s.Ask(1)
			if err != nil {
				break
			}
			p := ps[0]
			if p.Operator != search.Promote {
				if started++; started > begin {
					break
				}
			}
			end, begin := int(math.Round(most*share(p))), int(math.Round(most*from[p.Design]))
			epochs += float64(end - begin)
			from[p.Design] = share(p)
			o := done(p, value(p.Design, end))
			if c != nil && c.ReadsCurves() {
				for e := begin + 1; e <= end; e++ {
					o.Curve = append(o.Curve, search.Point{Fidelity: float64(e) / most, Score: metric.Score{Loss: []float64{value(p.Design, e)}}})
				}
			}
			s.Tell(o)
			if share(p) > high || share(p) == high && o.Score.Loss[0] < loss {
				high, loss, best = share(p), o.Score.Loss[0], p.Design
			}
		}
		return epochs, most * (1 - from[best]), best
	}
	report := func(name string, setup search.Setup, value func(d space.Design, epoch int) float64, judge func(d space.Design) float64) {
		var results [2][]float64
		var epochs, finals [2]float64
		for k, m := range []search.Method{fidelity.ASHA{Options: fidelity.Options{Finals: -1}}, fidelity.PASHA{Options: fidelity.Options{Finals: -1}}} {
			for seed := range uint64(seeds) {
				e, last, best := run(m, seed, setup, value)
				epochs[k] += e / seeds
				finals[k] += last / seeds
				results[k] = append(results[k], judge(best))
			}
		}
		am, as := spread(results[0])
		pm, ps := spread(results[1])
		t.Logf("%-38s ASHA %.0f+%.0f epochs, %.4f ± %.4f; PASHA %.0f+%.0f epochs (%.0f %%, with the last training %.0f %%), %.4f ± %.4f",
			name, epochs[0], finals[0], am, as, epochs[1], finals[1], 100*epochs[1]/epochs[0], 100*(epochs[1]+finals[1])/(epochs[0]+finals[0]), pm, ps)
	}
	r := readRecorded(t)
	sp := space.MustNew(space.Int("run", 0, len(r.designs)-1))
	index := func(d space.Design) int { return d.Decisions(nil)[0].Index }
	report("networks for kin8nm, 54 epochs (test)", search.Setup{Space: sp, Fidelity: epochs(54)},
		func(d space.Design, e int) float64 { return r.valid[index(d)][e-1] },
		func(d space.Design) float64 { return r.test[index(d)] })
	for _, most := range []int{27, 243} {
		for _, rho := range []float64{0.95, 0.5} {
			for _, noise := range []float64{0.05, 0.2, 0.5} {
				p := curves(t, synthetic.Curves{Epochs: most, Correlation: &rho, Noise: noise})
				clean := curves(t, synthetic.Curves{Epochs: most, Correlation: &rho})
				at := func(p *synthetic.CurvesProblem, d space.Design, e int) float64 {
					v, err := p.EvaluateAt(t.Context(), d, float64(e)/float64(most), nil)
					if err != nil {
						t.Fatal(err)
					}
					return v["loss"]
				}
				report(fmt.Sprintf("curves %v, noise %v, %d epochs", rho, noise, most),
					search.Setup{Space: p.Space(), Fidelity: p.Fidelity()},
					func(d space.Design, e int) float64 { return at(p, d, e) },
					func(d space.Design) float64 { return at(clean, d, most) })
			}
		}
	}
}

// NAS-Bench-101: 20,001 cells that were really trained for 4, 12, 36 and 108
// epochs, each a training of its own. Every method gets 30 full trainings' worth of
// epochs; the best validation accuracy after 108 epochs counts.
func TestExperimentNASBench101(t *testing.T) {
	f, err := os.Open("../../../shared/data/nas-bench-101-subset/nasbench101_20k.csv.gz")
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	levels := []float64{4, 12, 36, 108}
	var table [][]float64
	for _, row := range rows[1:] {
		xs := make([]float64, 4)
		for i := range xs {
			if xs[i], err = strconv.ParseFloat(row[slices.Index(rows[0], "val"+strconv.Itoa(int(levels[i])))], 64); err != nil {
				t.Fatal(err)
			}
		}
		table = append(table, xs)
	}
	sp := space.MustNew(space.Int("cell", 0, len(table)-1))
	fid := problem.Fidelity{Name: "epochs", Min: 4, Max: 108, Levels: levels, Whole: true}
	const budget, seeds = 30, 300
	for _, c := range []struct {
		name string
		m    search.Method
	}{
		{"random in full", sample.Random{}}, {"halving", fidelity.SuccessiveHalving{}}, {"hyperband", fidelity.Hyperband{}},
		{"asha", fidelity.ASHA{}}, {"pasha", fidelity.PASHA{}},
	} {
		var best []float64
		for seed := range uint64(seeds) {
			tr := follow(t, c.m, search.Setup{Space: sp, Fidelity: fid, Seed: seed, Effort: budget}, budget, func(p search.Proposal, _ search.Searcher) search.Outcome {
				k := slices.Index(levels, fid.Amount(p.Fidelity))
				return done(p, -table[p.Design.Decisions(nil)[0].Index][k])
			})
			best = append(best, -100*tr.at(budget+1))
		}
		m, sd := spread(best)
		t.Logf("%-15s %.3f ± %.3f %%", c.name, m, sd)
	}
}

// Fronts with the same effort: accuracy after 200 epochs against latency of
// NAS-Bench-201, with 12 epochs first, and loss against size of synthetic curves
// in a conditional space. The share of the true hypervolume that was found, or for
// the curves of that of all methods together.
func TestExperimentFronts(t *testing.T) {
	nb, err := nasbench201.New(nasbench201.Options{Epochs: 200, Disconnected: "keep"})
	if err != nil {
		t.Fatal(err)
	}
	goal := metric.Goal{Objectives: []metric.Objective{
		{Metric: "accuracy", Direction: metric.Maximize}, {Metric: "latency_ms", Direction: metric.Minimize},
	}, Limits: []metric.Limit{{Metric: "params_m", Op: metric.LessEqual, Bound: 1}}}
	rho := 0.8
	cv := curves(t, synthetic.Curves{Correlation: &rho})
	cgoal := metric.Goal{Objectives: []metric.Objective{
		{Metric: "loss", Direction: metric.Minimize}, {Metric: "size_k", Direction: metric.Minimize},
	}, Limits: []metric.Limit{{Metric: "size_k", Op: metric.LessEqual, Bound: 50}}}
	methods := []struct {
		name string
		m    search.Method
	}{
		{"random in full", sample.Random{}},
		{"nsga2 in full", evolve.NSGA2{}},
		{"tpe in full", model.TPE{}},
		{"halving", fidelity.SuccessiveHalving{}},
		{"hyperband", fidelity.Hyperband{}},
		{"asha", fidelity.ASHA{}},
		{"asha, hypervolume", fidelity.ASHA{Options: fidelity.Options{Spread: "hypervolume"}}},
		{"asha, nsga2", fidelity.ASHA{Options: fidelity.Options{Source: "nsga2"}}},
		{"asha, tpe", fidelity.ASHA{Options: fidelity.Options{Source: "tpe"}}},
		{"pasha", fidelity.PASHA{}},
		{"bohb", fidelity.BOHB{}},
	}
	for _, c := range []struct {
		name string
		p    interface {
			problem.Problem
			problem.Graded
		}
		goal   metric.Goal
		budget float64
	}{{"NAS-Bench-201", nb, goal, 40}, {"curves", cv, cgoal, 40}} {
		var ref, truth []float64
		if o, ok := c.p.(problem.Optimum); ok {
			values, err := o.Optimum(t.Context(), c.goal)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range values {
				truth = append(truth, c.goal.Score(v).Loss...)
			}
		}
		const seeds = 50
		points := make([][][]float64, len(methods))
		for k, m := range methods {
			for seed := range uint64(seeds) {
				setup := search.Setup{Space: c.p.Space(), Fidelity: c.p.Fidelity(), Seed: seed, Effort: c.budget, Objectives: 2, Limits: true}
				if strings.Contains(m.name, "full") {
					setup.Budget = int64(c.budget)
				}
				s := open(t, m.m, setup)
				spent := 0.0
				from := map[space.Design]float64{}
				var front metric.Front[int]
				for spent < c.budget-1e-9 {
					p := one(t, s)
					spent += setup.Fidelity.Cost(from[p.Design], share(p))
					from[p.Design] = share(p)
					v, err := c.p.EvaluateAt(t.Context(), p.Design, share(p), nil)
					if err != nil {
						t.Fatal(err)
					}
					sc := c.goal.Score(v)
					if share(p) == 1 && sc.Feasible() {
						front.Add(sc, 0)
					}
					s.Tell(search.Outcome{ID: p.ID, Design: p.Design, Status: search.Complete, Fidelity: p.Fidelity, Score: sc})
				}
				var rows []float64
				for sc := range front.All() {
					rows = append(rows, sc.Loss...)
				}
				points[k] = append(points[k], rows)
			}
		}
		if truth == nil {
			var all metric.Front[int]
			for _, of := range points {
				for _, rows := range of {
					for i := 0; i < len(rows); i += 2 {
						all.Add(metric.Score{Loss: rows[i : i+2]}, 0)
					}
				}
			}
			for sc := range all.All() {
				truth = append(truth, sc.Loss...)
			}
		}
		ref = metric.ReferencePoint(truth, 2)
		if c.name == "curves" {
			ref = []float64{1, 50} // the mean loss, and the limit
		}
		whole := metric.Hypervolume(truth, 2, ref)
		for k, m := range methods {
			var shares []float64
			for _, rows := range points[k] {
				hv := 0.0
				if len(rows) > 0 {
					hv = metric.Hypervolume(rows, 2, ref)
				}
				shares = append(shares, 100*hv/whole)
			}
			mean, sd := spread(shares)
			t.Logf("%-14s %-18s %.1f ± %.1f %% of the hypervolume", c.name, m.name, mean, sd)
		}
	}
}
