//go:build experiment

package study_test

import (
	"archive/zip"
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/space"
)

var record = flag.Bool("record", false, "train the networks anew and rewrite testdata/curves.csv.gz")

// The runs that are recorded: networks for kin8nm, a regression of a robot arm's
// reach from eight numbers, for 54 epochs.
const (
	recordedRuns   = 200
	recordedEpochs = 54
)

// mlpSpace is what the networks differ in.
func mlpSpace() *space.Space {
	return space.MustNew(
		space.Int("layers", 1, 3), space.Int("hidden", 4, 64).Log(), space.Categorical("activation", "tanh", "relu"),
		space.Choice("optimizer",
			space.Case("sgd", space.Float("momentum", 0, 0.95)),
			space.Case("adam", space.Float("beta2", 0.9, 0.999))),
		space.Float("rate", 1e-4, 1).Log(), space.Ordinal("batch", 8, 32, 128), space.Float("decay", 1e-6, 1e-1).Log())
}

type mlpConfig struct {
	Layers, Hidden, Batch int
	Activation            string
	Optimizer             struct {
		SGD  *struct{ Momentum float64 }
		Adam *struct{ Beta2 float64 }
	}
	Rate, Decay float64
}

// TestRecordCurves trains the networks:
//
//	go test ./study -tags experiment -run RecordCurves -record -timeout 60m
func TestRecordCurves(t *testing.T) {
	if !*record {
		t.Skip("only with -record")
	}
	x, y := kin8nm(t)
	sp := mlpSpace()
	r := rng.New(1, "curves", 0)
	rows := make([][]string, recordedRuns)
	var wg sync.WaitGroup
	lanes := make(chan struct{}, 2)
	for i := range rows {
		d := sp.MustSample(r)
		wg.Add(1)
		lanes <- struct{}{}
		go func() {
			defer func() { <-lanes; wg.Done() }()
			var c mlpConfig
			if err := d.Decode(&c); err != nil {
				t.Error(err)
				return
			}
			valid, test := trainMLP(c, x, y, uint64(i))
			row := []string{string(d.AppendJSON(nil)), strconv.FormatFloat(test, 'g', 5, 64)}
			for _, v := range valid {
				row = append(row, strconv.FormatFloat(v, 'g', 5, 64))
			}
			rows[i] = row
		}()
	}
	wg.Wait()
	f, err := os.Create("testdata/curves.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, _ := gzip.NewWriterLevel(f, gzip.BestCompression)
	w := csv.NewWriter(z)
	head := []string{"design", "test"}
	for e := range recordedEpochs {
		head = append(head, fmt.Sprintf("valid%d", e+1))
	}
	_ = w.Write(head)
	_ = w.WriteAll(rows)
	if err := w.Error(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}

// kin8nm returns 4,000 rows of the set, standardised: of them 1,000 to train on, 1,000 to
// validate and 1,000 to test.
func kin8nm(t *testing.T) (x [][]float64, y []float64) {
	z, err := zip.OpenReader("../../shared/data/tabular-uci/uci_regression.zip")
	if err != nil {
		t.Skipf("the UCI sets are not at hand: %v", err)
	}
	defer z.Close()
	f, err := z.Open("kin8nm.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := csv.NewReader(bufio.NewReader(f))
	if _, err := in.Read(); err != nil {
		t.Fatal(err)
	}
	for len(x) < 4000 {
		rec, err := in.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		row := make([]float64, len(rec))
		for i, s := range rec {
			if row[i], err = strconv.ParseFloat(s, 64); err != nil {
				t.Fatal(err)
			}
		}
		x, y = append(x, row[:len(row)-1]), append(y, row[len(row)-1])
	}
	for j := range x[0] {
		standardise(len(x), func(i int) *float64 { return &x[i][j] })
	}
	standardise(len(y), func(i int) *float64 { return &y[i] })
	return x, y
}

func standardise(n int, at func(int) *float64) {
	sum, squares := 0.0, 0.0
	for i := range n {
		v := *at(i)
		sum += v
		squares += v * v
	}
	mean := sum / float64(n)
	sd := math.Sqrt(squares/float64(n) - mean*mean)
	for i := range n {
		*at(i) = (*at(i) - mean) / max(sd, 1e-12)
	}
}

// trainMLP trains a network by gradients of the squared error and returns the
// root mean square error after each epoch on validation data, and on test data at
// the end.
func trainMLP(c mlpConfig, x [][]float64, y []float64, seed uint64) (valid []float64, test float64) {
	r := rand.New(rand.NewPCG(seed, 7))
	sizes := []int{len(x[0])}
	for range c.Layers {
		sizes = append(sizes, c.Hidden)
	}
	sizes = append(sizes, 1)
	type layer struct{ w, g, m, v []float64 } // rows of weights, a bias last
	layers := make([]layer, len(sizes)-1)
	for k := range layers {
		in, out := sizes[k], sizes[k+1]
		n := (in + 1) * out
		layers[k] = layer{make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)}
		for i := range layers[k].w {
			if i%(in+1) < in {
				layers[k].w[i] = r.NormFloat64() / math.Sqrt(float64(in))
			}
		}
	}
	acts := make([][]float64, len(sizes))
	deltas := make([][]float64, len(sizes))
	for k, n := range sizes {
		acts[k], deltas[k] = make([]float64, n), make([]float64, n)
	}
	forward := func(row []float64) float64 {
		copy(acts[0], row)
		for k := range layers {
			in := sizes[k]
			for o := range acts[k+1] {
				w := layers[k].w[o*(in+1) : (o+1)*(in+1)]
				s := w[in]
				for i, a := range acts[k] {
					s += w[i] * a
				}
				if k+1 < len(layers) {
					if c.Activation == "relu" {
						s = max(s, 0)
					} else {
						s = math.Tanh(s)
					}
				}
				acts[k+1][o] = s
			}
		}
		return acts[len(layers)][0]
	}
	rmse := func(from, to int) float64 {
		sum := 0.0
		for i := from; i < to; i++ {
			d := forward(x[i]) - y[i]
			sum += d * d
		}
		e := math.Sqrt(sum / float64(to-from))
		if math.IsNaN(e) || e > 1e6 {
			e = 1e6 // diverged
		}
		return e
	}
	const train = 1000
	order := r.Perm(train)
	step := 0.0
	for range recordedEpochs {
		r.Shuffle(train, func(i, j int) { order[i], order[j] = order[j], order[i] })
		for at := 0; at < train; at += c.Batch {
			batch := order[at:min(at+c.Batch, train)]
			for _, i := range batch {
				deltas[len(layers)][0] = 2 * (forward(x[i]) - y[i]) / float64(len(batch))
				for k := len(layers) - 1; k >= 0; k-- {
					in := sizes[k]
					clear(deltas[k])
					for o, d := range deltas[k+1] {
						w, g := layers[k].w[o*(in+1):(o+1)*(in+1)], layers[k].g[o*(in+1):(o+1)*(in+1)]
						for i, a := range acts[k] {
							g[i] += d * a
							deltas[k][i] += d * w[i]
						}
						g[in] += d
					}
					if k > 0 {
						for i, a := range acts[k] {
							if c.Activation == "relu" {
								if a == 0 {
									deltas[k][i] = 0
								}
							} else {
								deltas[k][i] *= 1 - a*a
							}
						}
					}
				}
			}
			step++
			for k := range layers {
				l := &layers[k]
				for i := range l.w {
					g := l.g[i] + c.Decay*l.w[i]
					l.g[i] = 0
					if a := c.Optimizer.Adam; a != nil {
						l.m[i] = 0.9*l.m[i] + 0.1*g
						l.v[i] = a.Beta2*l.v[i] + (1-a.Beta2)*g*g
						mh, vh := l.m[i]/(1-math.Pow(0.9, step)), l.v[i]/(1-math.Pow(a.Beta2, step))
						l.w[i] -= 0.1 * c.Rate * mh / (math.Sqrt(vh) + 1e-8)
					} else {
						l.m[i] = c.Optimizer.SGD.Momentum*l.m[i] - c.Rate*g
						l.w[i] += l.m[i]
					}
				}
			}
		}
		valid = append(valid, rmse(2000, 3000))
	}
	return valid, rmse(3000, 4000)
}
