package networks_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/problems/networks"
	"github.com/daedalus-search/daedalus/space"
)

// A table as people have it: decimal commas, cells that are missing, and few rows of the
// class that matters. Accuracy alone would be that of always saying no; a balanced
// training finds the class.
func TestUnevenTable(t *testing.T) {
	if testing.Short() {
		t.Skip("trains networks")
	}
	var b strings.Builder
	b.WriteString(";size;age;bought\n")
	for i := range 600 {
		bought, size := "no", float64(i%50)/10
		if i%15 == 0 {
			bought, size = "yes", 4+float64(i%40)/20
		}
		age := fmt.Sprint(20 + i%7)
		if i%11 == 0 {
			age = "?"
		}
		fmt.Fprintf(&b, "%d;%s;%s;%s\n", i, strings.Replace(fmt.Sprintf("%.2f", size), ".", ",", 1), age, bought)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "shop.csv"), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	o := networks.Tabular{
		Source:   data.Source{CSV: "shop.csv", Target: "bought", Missing: "flag", Types: map[string]string{"column 1": "ignore"}, Valid: 0.2, Test: 0.2, Dir: dir},
		Networks: nets.MLPSpace{Depth: []int{1, 1}, Widths: []int{16, 24}},
		Training: networks.Training{Method: "alone", Train: train.Recipe{Epochs: 15, Batch: 16, Optimizer: "adamw", LearningRate: 0.01, Balance: true}, Finished: 1, Threads: 1, Latency: networks.Latency{Engine: "none"}},
	}
	p := open(t, o)
	d := sample(t, p.Space())
	v, err := p.Evaluate(t.Context(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v["balanced_accuracy"] < 75 {
		t.Errorf("balanced accuracy is %v beside an accuracy of %v, want at least 75", v["balanced_accuracy"], v["accuracy"])
	}
	if err := p.Finish(t.Context(), []space.Design{d}, func(string, int, int) {}); err != nil {
		t.Fatal(err)
	}
	end, err := p.Verify(t.Context(), d)
	if err != nil || !(end["test_balanced_accuracy"] > 0) || len(end) != len(p.VerifyMetrics()) {
		t.Errorf("on the test part: %v, %v", end, err)
	}
	// Without that, as it would be.
	o.Train.Balance = false
	v, err = open(t, o).Evaluate(t.Context(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v["balanced_accuracy"] >= v["accuracy"] {
		t.Errorf("without balance the balanced accuracy is %v, the accuracy %v", v["balanced_accuracy"], v["accuracy"])
	}
}

// Metrics of classes are there where classes are; on the test part only where they tell
// more than the accuracy.
func TestMetricNames(t *testing.T) {
	names := func(ms []metric.Metric) (out []string) {
		for _, m := range ms {
			out = append(out, m.Name)
		}
		return out
	}
	for name, c := range map[string]struct {
		o interface {
			New() (*networks.Problem, error)
		}
		search, end, not string
	}{
		"even images":  {networks.Vision{}, "balanced_accuracy", "test_accuracy", "test_balanced_accuracy"},
		"uneven table": {networks.Tabular{Source: data.Source{Name: "wine"}}, "balanced_accuracy", "test_balanced_accuracy", "test_rmse"},
		"numbers":      {networks.Tabular{}, "mae", "test_mae", "test_accuracy"},
	} {
		p := open(t, c.o)
		if s, e := names(p.Metrics()), names(p.VerifyMetrics()); !slices.Contains(s, c.search) || !slices.Contains(e, c.end) || slices.Contains(e, c.not) {
			t.Errorf("%s: %v and %v, want %s and %s but not %s", name, s, e, c.search, c.end, c.not)
		}
	}
	o := vision("ofa")
	o.Train.Mixup = 0.2
	if _, err := o.New(); err == nil || !strings.Contains(err.Error(), "mixup or cutmix with method ofa") {
		t.Errorf("mixup with a teacher: %v", err)
	}
}
