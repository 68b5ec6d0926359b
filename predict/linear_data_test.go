package predict

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/metric"
)

// dataReader opens a file of shared/data beside the repository, or skips.
func dataReader(tb testing.TB, name ...string) io.Reader {
	tb.Helper()
	path := filepath.Join(append([]string{"..", "..", "shared", "data"}, name...)...)
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		tb.Skipf("%s is not at hand", path)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	return z
}

// dataRecords reads a CSV file.
func dataRecords(tb testing.TB, name ...string) (head map[string]int, rows [][]string) {
	tb.Helper()
	in := csv.NewReader(dataReader(tb, name...))
	in.FieldsPerRecord = -1
	all, err := in.ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	head = map[string]int{}
	for i, n := range all[0] {
		head[strings.TrimPrefix(n, "\ufeff")] = i
	}
	return head, all[1:]
}

// dataTable reads a CSV file of numbers; what is no number is NaN.
func dataTable(tb testing.TB, name ...string) (head map[string]int, rows [][]float64) {
	tb.Helper()
	head, all := dataRecords(tb, name...)
	for _, r := range all {
		row := make([]float64, len(r))
		for i, s := range r {
			v, err := strconv.ParseFloat(s, 64)
			if err != nil {
				v = math.NaN()
			}
			row[i] = v
		}
		rows = append(rows, row)
	}
	return head, rows
}

// Flexi is the FlexiBERT benchmark of Serianni and Kalita 2023: 500 encoders by
// 12 hand-made features, their GLUE score, and 15 training-free metrics.
type Flexi struct {
	*Table
	Proxies []string
	Proxy   [][]float64 // by metric
}

func loadFlexi(tb testing.TB) *Flexi {
	tb.Helper()
	var models []struct {
		ID      int
		Scores  struct{ Glue float64 }
		Hparams struct {
			Over struct {
				Hidden float64 `json:"hidden_size"`
				Config struct {
					Layers []struct {
						Type  string          `json:"operation_type"`
						Param json.RawMessage `json:"operation_parameter"`
						Heads float64         `json:"num_operation_heads"`
						FF    float64         `json:"feed_forward_dimension"`
						Stack float64         `json:"num_feed_forward"`
					} `json:"encoder_layers"`
				} `json:"nas_config"`
			} `json:"model_hparam_overrides"`
		}
	}
	if err := json.NewDecoder(dataReader(tb, "training-free", "BERT_benchmark.json.gz")).Decode(&models); err != nil {
		tb.Fatal(err)
	}
	f := &Flexi{Table: &Table{}}
	ops := map[string]int{"SDP": 2, "WMA": 3, "DFT": 4, "DCT": 5, "5": 6, "9": 7}
	for _, n := range strings.Fields("hidden layers sdp wma dft dct conv5 conv9 heads ff stacks work") {
		f.Columns = append(f.Columns, Column{Name: n})
	}
	for _, m := range models {
		x := make([]float64, 12)
		x[0], x[1] = m.Hparams.Over.Hidden, float64(len(m.Hparams.Over.Config.Layers))
		for _, l := range m.Hparams.Over.Config.Layers {
			op, ok := ops[strings.Trim(string(l.Param), `"`)]
			if !ok {
				tb.Fatalf("operation %s of model %d", l.Param, m.ID)
			}
			x[op]++
			x[8] += l.Heads
			x[9] += l.FF
			x[10] += l.Stack
			x[11] += l.FF * l.Stack * x[0]
		}
		f.Add(x, m.Scores.Glue)
	}
	head, rows := dataTable(tb, "training-free", "BERT_results_activation.csv.gz")
	for name, col := range head {
		if name == "ID" || name == "GLUE Score" {
			continue
		}
		f.Proxies = append(f.Proxies, name)
		_ = col
	}
	sortStringsByColumn(f.Proxies, head)
	f.Proxy = make([][]float64, len(f.Proxies))
	for _, r := range rows {
		id := int(r[head["ID"]])
		if math.Abs(r[head["GLUE Score"]]-f.Y[id]) > 1e-3 {
			tb.Fatalf("model %d has the score %v in one file and %v in the other", id, r[head["GLUE Score"]], f.Y[id])
		}
		for k, n := range f.Proxies {
			f.Proxy[k] = append(f.Proxy[k], r[head[n]])
		}
	}
	return f
}

func sortStringsByColumn(names []string, head map[string]int) {
	for i := range names {
		for j := i; j > 0 && head[names[j]] < head[names[j-1]]; j-- {
			names[j], names[j-1] = names[j-1], names[j]
		}
	}
}

// dataSplit returns n training and the following test rows of a random order.
func dataSplit(t *Table, n, test int, seed uint64) (train, held *Table) {
	p := rand.New(rand.NewPCG(seed, 77)).Perm(t.Rows())
	return t.Select(p[:n]), t.Select(p[n : n+test])
}

// A quality is how well a model predicts a table.
type quality struct{ Spearman, Kendall, Precision, RMSE, NLL float64 }

func judge(m Model, t *Table) quality {
	mean, sd := make([]float64, t.Rows()), make([]float64, t.Rows())
	m.Predict(t.X, mean, sd)
	return judgeMeans(mean, sd, t)
}

func judgeMeans(mean, sd []float64, t *Table) quality {
	q := quality{Spearman: metric.Spearman(mean, t.Y), Kendall: metric.Kendall(mean, t.Y)}
	neg := func(x []float64) []float64 {
		out := make([]float64, len(x))
		for i := range x {
			out[i] = -x[i]
		}
		return out
	}
	q.Precision = metric.PrecisionAtK(neg(mean), neg(t.Y), t.Rows()/10)
	for i, y := range t.Y {
		e := y - mean[i]
		q.RMSE += e * e / float64(t.Rows())
		if sd != nil {
			q.NLL += (e*e/sd[i]/sd[i]/2 + math.Log(sd[i]) + math.Log(2*math.Pi)/2) / float64(t.Rows())
		}
	}
	q.RMSE = math.Sqrt(q.RMSE)
	return q
}

func (q *quality) add(r quality, n int) {
	q.Spearman += r.Spearman / float64(n)
	q.Kendall += r.Kendall / float64(n)
	q.Precision += r.Precision / float64(n)
	q.RMSE += r.RMSE / float64(n)
	q.NLL += r.NLL / float64(n)
}

// meanQuality fits on n rows and judges on test ones, over seeds splits.
func meanQuality(tb testing.TB, t *Table, l Learner, n, test, seeds int) (q quality) {
	tb.Helper()
	for s := range seeds {
		train, held := dataSplit(t, n, test, uint64(s))
		m, err := l.Fit(tb.Context(), train, uint64(s))
		if err != nil {
			tb.Fatal(err)
		}
		q.add(judge(m, held), seeds)
	}
	return q
}
