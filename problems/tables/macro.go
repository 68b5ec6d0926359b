package tables

import (
	"fmt"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/space"
)

// Macro is NAS-Bench-Macro (Su et al., "Prioritized Architecture Sampling with
// Monto-Carlo Tree Search", CVPR 2021): chains of eight layers, each an
// identity or one of two mobile blocks, all 6,561 of which were trained three
// times on CIFAR-10.
//
// The identity of a layer that halves the image or changes the width is a plain
// block. Within a stage the order of identities and blocks makes no difference
// to the network; such designs were trained apart and their accuracies differ,
// so they have no common key.
type Macro struct {
	Run int `yaml:"run" default:"0" min:"0" max:"3" doc:"training whose accuracy is seen: 1, 2 or 3; 0 means the mean of them"`
}

// New makes the problem.
func (o Macro) New() (Judged, error) {
	if o.Run < 0 || o.Run > 3 {
		return Judged{}, fmt.Errorf("tables: macro: run: found %d, want 0 to 3", o.Run)
	}
	c, err := load("macro", "run1", "run2", "run3", "params", "flops")
	if err != nil {
		return Judged{}, err
	}
	mean := make([]float64, len(c[0]))
	for i := range mean {
		mean[i] = (c[0][i] + c[1][i] + c[2][i]) / 3
	}
	seen, what := mean, "mean of three trainings"
	if o.Run > 0 {
		seen, what = c[o.Run-1], fmt.Sprintf("training %d of three", o.Run)
	}
	nodes := make([]space.Node, 8)
	for i := range nodes {
		nodes[i] = space.Categorical(fmt.Sprintf("layer%d", i+1), "identity", "mb_k3_e3", "mb_k5_e6")
	}
	return Judged{(&Problem{
		name: "a NAS-Bench-Macro network on CIFAR-10", space: space.MustNew(nodes...),
		metrics: []metric.Metric{
			{Name: "accuracy", Unit: "%", Direction: metric.Maximize, Doc: "test accuracy on CIFAR-10, " + what},
			{Name: "params_m", Unit: "M", Direction: metric.Minimize, Doc: "trainable parameters"},
			{Name: "flops_m", Unit: "M", Direction: metric.Minimize, Doc: "multiply-accumulate operations for one image"},
		},
		verify: []metric.Metric{{Name: "mean_accuracy", Unit: "%", Direction: metric.Maximize, Doc: "test accuracy on CIFAR-10, mean of three trainings"}},
		values: [][]float64{seen, scaled(c[3], 1e-6), scaled(c[4], 1e-6), mean},
		row: func(a []space.Answer) int {
			row := 0
			for i := range a {
				row = 3*row + a[i].Index
			}
			return row
		},
	}).init()}, nil
}
