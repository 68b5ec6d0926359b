package command

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problem/problemtest"
	"github.com/daedalus-search/daedalus/space"
)

// train is a program with epochs: its runtime is the sum of x over the epochs,
// and it goes on from a file in its checkpoint folder.
func train() {
	var d struct{ X, Epochs int }
	if err := json.NewDecoder(os.Stdin).Decode(&d); err != nil {
		panic(err)
	}
	if fmt.Sprint(d.Epochs) != os.Getenv("DAEDALUS_FIDELITY") {
		panic("DAEDALUS_FIDELITY is " + os.Getenv("DAEDALUS_FIDELITY"))
	}
	var state struct{ Epoch, Sum int }
	file := ""
	if dir := os.Getenv("DAEDALUS_CHECKPOINT"); dir != "" {
		file = filepath.Join(dir, "state")
		if text, err := os.ReadFile(file); err == nil {
			if err := json.Unmarshal(text, &state); err != nil {
				panic(err)
			}
		}
	}
	if from := os.Getenv("DAEDALUS_RESUME_FROM"); from != "" && file != "" && from != fmt.Sprint(state.Epoch) {
		panic("DAEDALUS_RESUME_FROM is " + from)
	}
	if os.Getenv("DAEDALUS_RESUME_FROM") == "" || state.Epoch > d.Epochs {
		state.Epoch, state.Sum = 0, 0
	}
	for state.Epoch < d.Epochs {
		state.Epoch++
		state.Sum += d.X
		fmt.Printf("step=%d runtime=%d\n", state.Epoch, state.Sum)
	}
	if file != "" {
		text, err := json.Marshal(state)
		if err != nil {
			panic(err)
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			panic(err)
		}
	}
	fmt.Fprintf(os.Stderr, "%d epochs\n", state.Epoch)
	fmt.Printf("runtime=%d\n", state.Sum)
}

func TestGradedConformance(t *testing.T) {
	t.Parallel()
	problemtest.Run(t, newPlay(t, "train", func(o *Options) {
		o.Fidelity = &Effort{Name: "Epochs", Min: 1, Max: 9, Resume: true}
	}))
}

func TestAmountsAmongParameters(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{}`: `{"epochs": 3}`, `{"x": 1}`: `{"epochs": 3, "x": 1}`, `{ "x": {"y": 2}}`: `{"epochs": 3, "x": {"y": 2}}`,
	} {
		got := string(withAmount([]byte(text), "epochs", 3))
		if got != want || !json.Valid([]byte(got)) {
			t.Errorf("withAmount(%s) = %s, want %s", text, got, want)
		}
	}
}

func TestFidelityOfAProgram(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		effort Effort
		want   string // part of the error, "" if it is good
		amount float64
	}{
		"epochs":       {Effort{Name: "epochs", Min: 1, Max: 27}, "", 3},
		"levels":       {Effort{Name: "epochs", Min: 1, Max: 27, Levels: []float64{1, 9, 27}}, "", 1},
		"share":        {Effort{Name: "part", Min: 0.1, Max: 1}, "", 1.0 / 9},
		"no name":      {Effort{Min: 1, Max: 27}, "counted in", 0},
		"wrong way":    {Effort{Name: "epochs", Min: 27, Max: 1}, "more than the least", 0},
		"levels apart": {Effort{Name: "epochs", Min: 1, Max: 27, Levels: []float64{2, 27}}, "from 1 to 27", 0},
		"a parameter":  {Effort{Name: "x", Min: 1, Max: 27}, "parameter of that name", 0},
	} {
		_, err := New(space.MustNew(space.Int("x", 1, 9)), Options{
			Command: []string{"prog"}, Metrics: []metric.Metric{{Name: "runtime"}}, Fidelity: &c.effort,
		})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
		if c.want != "" {
			continue
		}
		f := c.effort.Fidelity()
		if got := f.Amount(1.0 / 9); math.Abs(got-c.amount) > 1e-12 {
			t.Errorf("%s: a ninth is %v, want %v", name, got, c.amount)
		}
		if f.Amount(1) != f.Max || f.Amount(0) != f.Max || f.Amount(1e-9) != f.Min || f.Snap(1.0/9) != f.Snap(f.Snap(1.0/9)) {
			t.Errorf("%s: amounts %v, %v, %v", name, f.Amount(1), f.Amount(0), f.Amount(1e-9))
		}
	}
}

func TestCostOfAnEffort(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		f           problem.Fidelity
		from, share float64
		want        float64
	}{
		{problem.Fidelity{Max: 10}, 0, 0.1, 0.1},
		{problem.Fidelity{Max: 10}, 0.1, 0.5, 0.5},
		{problem.Fidelity{Max: 10, Resumes: true}, 0.1, 0.5, 0.4},
		{problem.Fidelity{Max: 10, Resumes: true}, 0.1, 0, 0.9},
		{problem.Fidelity{Max: 10, Resumes: true, Fixed: 0.2}, 0.5, 1, 0.6},
	} {
		if got := c.f.Cost(c.from, c.share); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%+v: Cost(%v, %v) = %v, want %v", c.f, c.from, c.share, got, c.want)
		}
	}
}
