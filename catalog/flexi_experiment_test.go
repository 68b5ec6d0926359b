//go:build experiment

package catalog_test

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/evolve"
	"github.com/daedalus-search/daedalus/search/model"
	"github.com/daedalus-search/daedalus/search/sample"
	"github.com/daedalus-search/daedalus/space"
)

// A flexi is the design space of FlexiBERT with what is known of it: 491 really
// trained encoders (Serianni and Kalita 2023).
type flexi struct {
	space   *space.Space
	designs []space.Design
	glue    []float64
	params  []float64        // millions
	rows    [][]space.Answer // decisions of the designs
	model   predict.Model    // GLUE, fitted to all
	encoder predict.Encoder
}

func newFlexi(t *testing.T) *flexi {
	t.Helper()
	layer := func(i int) []space.Node {
		n := strconv.Itoa(i)
		return []space.Node{
			space.Categorical("op"+n, "SDP", "WMA", "DFT", "DCT", "5", "9"), space.Ordinal("heads"+n, 2, 4),
			space.Ordinal("ff"+n, 512, 1024), space.Ordinal("stack"+n, 1, 3),
		}
	}
	nodes := append([]space.Node{space.Ordinal("hidden", 128, 256)}, layer(0)...)
	nodes = append(nodes, layer(1)...)
	f := &flexi{space: space.MustNew(append(nodes, space.Choice("layers", space.Case("two"), space.Case("four", append(layer(2), layer(3)...)...)))...)}

	var models []struct {
		ID      int
		Scores  struct{ Glue float64 }
		Hparams struct {
			Over struct {
				Hidden int `json:"hidden_size"`
				Config struct {
					Layers []struct {
						Param json.RawMessage `json:"operation_parameter"`
						Heads int             `json:"num_operation_heads"`
						FF    int             `json:"feed_forward_dimension"`
						Stack int             `json:"num_feed_forward"`
					} `json:"encoder_layers"`
				} `json:"nas_config"`
			} `json:"model_hparam_overrides"`
		}
	}
	unpack := func(name string, read func(z *gzip.Reader) error) {
		file, err := os.Open("../../shared/data/training-free/" + name)
		if err != nil {
			t.Skipf("the FlexiBERT benchmark is not at hand: %v", err)
		}
		defer file.Close()
		z, err := gzip.NewReader(file)
		if err == nil {
			err = read(z)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	unpack("BERT_benchmark.json.gz", func(z *gzip.Reader) error { return json.NewDecoder(z).Decode(&models) })
	size := map[string]float64{}
	unpack("BERT_results_activation.csv.gz", func(z *gzip.Reader) error {
		rows, err := csv.NewReader(z).ReadAll()
		if err != nil {
			return err
		}
		id, n := slices.Index(rows[0], "ID"), slices.Index(rows[0], "Number of Parameters")
		for _, r := range rows[1:] {
			if size[r[id]], err = strconv.ParseFloat(r[n], 64); err != nil {
				return err
			}
		}
		return nil
	})
	seen := map[space.Design]bool{}
	for _, m := range models {
		at := func(i int) string {
			l := m.Hparams.Over.Config.Layers[i]
			return fmt.Sprintf(`"op%d":%q,"heads%d":%d,"ff%d":%d,"stack%d":%d`, i, strings.Trim(string(l.Param), `"`), i, l.Heads, i, l.FF, i, l.Stack)
		}
		text := fmt.Sprintf(`{"hidden":%d,%s,%s,"layers":{"two":{}}}`, m.Hparams.Over.Hidden, at(0), at(1))
		if len(m.Hparams.Over.Config.Layers) == 4 {
			text = fmt.Sprintf(`{"hidden":%d,%s,%s,"layers":{"four":{%s,%s}}}`, m.Hparams.Over.Hidden, at(0), at(1), at(2), at(3))
		}
		d, err := f.space.ParseJSON([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		n := size[strconv.Itoa(m.ID)] / 1e6
		if p := flexiParams(d); math.Abs(p-n) > 1e-5 {
			t.Fatalf("%s has %v million parameters, computed %v", d, n, p)
		}
		if !seen[d] {
			seen[d] = true
			f.designs, f.glue, f.params = append(f.designs, d), append(f.glue, m.Scores.Glue), append(f.params, n)
			f.rows = append(f.rows, d.Decisions(nil))
		}
	}
	var err error
	if f.encoder, err = predict.Decisions(f.space); err != nil {
		t.Fatal(err)
	}
	tb := &predict.Table{Columns: f.encoder.Columns()}
	for i, d := range f.designs {
		row, err := f.encoder.Encode(nil, d)
		if err != nil {
			t.Fatal(err)
		}
		tb.Add(row, f.glue[i])
	}
	if f.model, err = (predict.Bagged{}).Fit(t.Context(), tb, 1); err != nil {
		t.Fatal(err)
	}
	return f
}

// flexiParams returns the parameters of an encoder in millions, as the benchmark
// counts them: neither the hidden size nor the width of the feed-forward layers
// changes its count.
func flexiParams(d space.Design) float64 {
	n, heads := 4_005_888.0, 0.0 // half a head's share of a convolution
	for _, a := range d.Decisions(nil) {
		switch label := a.Param.Label(a.Index); {
		case strings.HasPrefix(a.Param.Name, "op"):
			n += 591_872
			heads = 0
			switch label {
			case "SDP":
				n += 197_888
			case "WMA":
				n += 263_424
			case "5":
				n, heads = n+166_272, 322.5
			case "9":
				n, heads = n+167_296, 580.5
			}
		case strings.HasPrefix(a.Param.Name, "heads"):
			n += heads * float64(2+2*a.Index)
		case strings.HasPrefix(a.Param.Name, "stack"):
			n += 2_099_200 * float64(a.Index)
		}
	}
	return n / 1e6
}

// nearest returns the trained encoder that shares most decisions with a design.
func (f *flexi) nearest(d space.Design) int {
	answers := d.Decisions(nil)
	best, at := -1, 0
	for i, row := range f.rows {
		same := 0
		for k := range min(len(row), len(answers)) {
			if row[k].Index == answers[k].Index {
				same++
			}
		}
		same -= max(len(row), len(answers)) - min(len(row), len(answers))
		if same > best {
			best, at = same, i
		}
	}
	return at
}

// predicted returns the GLUE that the model of all encoders has for a design.
func (f *flexi) predicted(t *testing.T, d space.Design) float64 {
	row, err := f.encoder.Encode(nil, d)
	if err != nil {
		t.Error(err)
	}
	mean := make([]float64, 1)
	f.model.Predict(row, mean, nil)
	return mean[0]
}

// A bed is what designs of flexi are measured by.
type bed struct {
	name    string
	measure func(d space.Design) (glue, params float64)
	key     func(d space.Design) string // nil: every design is its own
}

// beds are the trained encoders alone, a design standing for the nearest of them,
// and all designs with the GLUE that trees predict, fitted to the encoders.
func (f *flexi) beds(t *testing.T) []bed {
	return []bed{
		{"trained", func(d space.Design) (float64, float64) {
			i := f.nearest(d)
			return f.glue[i], f.params[i]
		}, func(d space.Design) string { return strconv.Itoa(f.nearest(d)) }},
		{"predicted", func(d space.Design) (float64, float64) { return f.predicted(t, d), flexiParams(d) }, nil},
	}
}

// volume returns the hypervolume of GLUE from 60 on by parameters up to 16
// million, both scaled to about 0 to 1.
func volume(points [][2]float64) float64 {
	var losses []float64
	for _, p := range points {
		losses = append(losses, (75.2-p[0])/15.2, p[1]/16)
	}
	return metric.Hypervolume(losses, 2, []float64{1, 1})
}

// fronts runs a method with several objectives and returns the volume of what it
// measured after n different evaluations for each n of marks.
func (b bed) fronts(m search.Method, sp *space.Space, seed uint64, marks ...int) ([]float64, error) {
	most := slices.Max(marks)
	s, err := m.New(search.Setup{Space: sp, Objectives: 2, Seed: seed, Budget: int64(most), Key: b.key})
	if err != nil {
		return nil, err
	}
	var points [][2]float64
	out := make([]float64, len(marks))
	for n := 1; n <= most; n++ {
		ps, err := s.Ask(1)
		if err != nil {
			return nil, err
		}
		g, p := b.measure(ps[0].Design)
		points = append(points, [2]float64{g, p})
		s.Tell(search.Outcome{ID: ps[0].ID, Design: ps[0].Design, Status: search.Complete, Score: metric.Score{Loss: []float64{-g, p}}})
		for k, mark := range marks {
			if mark == n {
				out[k] = volume(points)
			}
		}
	}
	return out, nil
}

// TestExperimentFlexiFronts asks what the cards ask of fronts of GLUE against
// parameters: NSGA-II above random search after 100 evaluations in 16 of 20
// seeds, SMS-EMOA at least NSGA-II in 12 of 20 (after 300 of the 491 trained
// encoders, after 500 where all designs are predicted), and LINAS after 150 at
// least NSGA-II after 300 in 14 of 20.
//
//	go test ./catalog -tags experiment -run ExperimentFlexiFronts -v -timeout 0
func TestExperimentFlexiFronts(t *testing.T) {
	f := newFlexi(t)
	seeds := seedsOf(20)
	var all [][2]float64
	for i := range f.designs {
		all = append(all, [2]float64{f.glue[i], f.params[i]})
	}
	t.Logf("volume of all %d trained encoders %.4f", len(all), volume(all))
	for _, b := range f.beds(t) {
		if !chosen(b.name) {
			continue
		}
		last := 500
		if b.key != nil {
			last = 300
		}
		run := func(m search.Method, marks ...int) [][]float64 {
			out := make([][]float64, len(marks))
			for i := range out {
				out[i] = make([]float64, seeds)
			}
			eachSeed(t, seeds, func(seed int) error {
				v, err := b.fronts(m, f.space, uint64(seed), marks...)
				for i := range v {
					out[i][seed] = -v[i]
				}
				return err
			})
			return out
		}
		random := run(sample.Random{}, 100, 150, 300)
		hundred := run(evolve.NSGA2{}, 100)
		whole := run(evolve.NSGA2{}, 300)
		t.Logf("%s, 100: nsga2 %s, random %s: %s", b.name, moments(hundred[0]), moments(random[0]), against(hundred[0], random[0]))
		long, sms := run(evolve.NSGA2{}, last), run(evolve.SMSEMOA{}, last)
		t.Logf("%s, %d: smsemoa %s, nsga2 %s: %s", b.name, last, moments(sms[0]), moments(long[0]), against(sms[0], long[0]))
		for _, c := range []struct {
			name   string
			method search.Method
		}{{"linas", model.LINAS{}}, {"linas, trees", model.LINAS{Predictor: "trees"}}, {"linas, population 10", model.LINAS{Population: 10}}} {
			got := run(c.method, 150)
			t.Logf("%s, %s after 150 %s, nsga2 after 300 %s, random after 150 %s and 300 %s: above nsga2 %s", b.name, c.name, moments(got[0]), moments(whole[0]), moments(random[1]), moments(random[2]), against(got[0], whole[0]))
		}
	}
}

// TestExperimentFlexiLimit is the card of constraints: parameters at most the
// thirtieth percentile. How many evaluations it takes to reach the best feasible
// GLUE that random search has after 100 evaluations (the median of its seeds),
// with parameters known before an evaluation, so that what exceeds the limit uses
// none, and without.
//
//	go test ./catalog -tags experiment -run ExperimentFlexiLimit -v -timeout 0
func TestExperimentFlexiLimit(t *testing.T) {
	f := newFlexi(t)
	seeds := seedsOf(20)
	sorted := slices.Clone(f.params)
	slices.Sort(sorted)
	limit := sorted[len(sorted)*30/100]
	for _, b := range f.beds(t) {
		if !chosen(b.name) {
			continue
		}
		// curve returns the best feasible GLUE after each evaluation, and how many
		// evaluations went to designs above the limit.
		curve := func(m search.Method, seed uint64, early bool) ([]float64, int, error) {
			setup := search.Setup{Space: f.space, Limits: true, Seed: seed, Budget: 100, Key: b.key}
			if early {
				setup.Admit = func(d space.Design) bool {
					_, p := b.measure(d)
					return p <= limit
				}
			}
			s, err := m.New(setup)
			if err != nil {
				return nil, 0, err
			}
			best, above := math.Inf(-1), 0
			var out []float64
			for asks := 0; len(out) < 100 && asks < 10_000; asks++ {
				ps, err := s.Ask(1)
				if err != nil {
					break // the library is used up
				}
				g, p := b.measure(ps[0].Design)
				if early && p > limit { // known before an evaluation: as the study does
					s.Tell(search.Outcome{ID: ps[0].ID, Design: ps[0].Design, Status: search.Infeasible})
					continue
				}
				if p <= limit {
					best = max(best, g)
				} else {
					above++
				}
				out = append(out, best)
				s.Tell(search.Outcome{ID: ps[0].ID, Design: ps[0].Design, Status: search.Complete, Score: metric.Score{Loss: []float64{-g}, Violation: max(p/limit-1, 0)}})
			}
			return out, above, nil
		}
		target := make([]float64, seeds)
		eachSeed(t, seeds, func(seed int) error {
			c, _, err := curve(sample.Random{}, uint64(seed), false)
			if err == nil {
				target[seed] = c[len(c)-1]
			}
			return err
		})
		slices.Sort(target)
		aim := target[len(target)/2]
		t.Logf("%s: limit %.2f million parameters; random search has %.2f after 100 evaluations (median of %d)", b.name, limit, aim, seeds)
		for _, c := range []struct {
			name   string
			method search.Method
		}{{"random", sample.Random{}}, {"regularized", evolve.Regularized{}}, {"genetic", evolve.Genetic{}}, {"nsga2", evolve.NSGA2{}}, {"nsga2, screen start", evolve.NSGA2{Screen: "start"}}, {"tpe", model.TPE{}}, {"gp", model.GP{Candidates: 300}}} {
			for _, early := range []bool{false, true} {
				counts, wasted := make([]int, seeds), make([]int, seeds)
				eachSeed(t, seeds, func(seed int) error {
					got, above, err := curve(c.method, uint64(seed+1000), early)
					counts[seed] = 1 + slices.IndexFunc(got, func(g float64) bool { return g >= aim })
					if counts[seed] == 0 {
						counts[seed] = 101
					}
					wasted[seed] = above
					return err
				})
				within, sum := 0, 0
				for i, n := range counts {
					if n <= 60 {
						within++
					}
					sum += wasted[i]
				}
				slices.Sort(counts)
				t.Logf("%s: %-20s early %-5v median %3d evaluations (101: not reached), within 60 in %d of %d, above the limit %.1f of 100", b.name, c.name, early, counts[len(counts)/2], within, seeds, float64(sum)/float64(seeds))
			}
		}
	}
}
