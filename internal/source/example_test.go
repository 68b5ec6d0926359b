package source_test

import (
	"fmt"
	"time"

	"github.com/daedalus-search/daedalus/internal/source"
)

func Example() {
	root, report := source.Parse("spaces/cell.yaml", []byte(`
width:
  low: 8
  high: 4
objectvies: [minimize energy]
`))
	root.Fields(report, "width", "objectives")
	width := root.Get("width")
	low, _ := width.Get("low").Int(report, source.AtLeast(1))
	high, ok := width.Get("high").Int(report)
	if ok && high < low {
		report.Errorf(width.Get("high"), "high must be at least low (%d < %d)", high, low)
	}
	fmt.Println(report.Err())
	// Output:
	// spaces/cell.yaml:4:9: high must be at least low (4 < 8)
	//     3 |   low: 8
	//     4 |   high: 4
	//       |         ^
	// spaces/cell.yaml:5:1: unknown key `objectvies`: did you mean `objectives`?
	//     4 |   high: 4
	//     5 | objectvies: [minimize energy]
	//       | ^
}

func ExampleDecode() {
	type options struct {
		Population int           `yaml:"population" default:"100" min:"2" doc:"living designs"`
		Crossover  float64       `yaml:"crossover" default:"0.9" min:"0" max:"1" doc:"probability of a crossover"`
		Select     string        `yaml:"select" default:"rank" oneof:"rank tournament"`
		Patience   time.Duration `yaml:"patience" default:"2m"`
	}
	root, report := source.Parse("nsga2", []byte("{population: 64, crossover: 1.5}"))
	var o options
	source.Decode(report, root, &o)
	fmt.Println(o.Population, o.Select, o.Patience)
	fmt.Println(report.Err())
	for _, f := range source.Describe(o) {
		fmt.Println(f.Name, f.Type, f.Default)
	}
	// Output:
	// 64 rank 2m0s
	// nsga2:1:29: expected a number from 0 to 1, found 1.5
	//     1 | {population: 64, crossover: 1.5}
	//       |                             ^
	// population int 100
	// crossover float 0.9
	// select text rank
	// patience duration 2m
}

func ExampleSet() {
	root, report := source.Parse("study.yaml", []byte("budget: {trials: 10}"))
	source.Set(report, root, "budget.trials", "1000")
	source.Set(report, root, "budget.time", "2")
	root.Get("budget").Get("time").Duration(report)
	fmt.Printf("%s\n", root.JSON())
	fmt.Println(report.Err())
	// Output:
	// {"budget":{"trials":1000,"time":2}}
	// --set budget.time: expected a duration such as 30s or 2m, found 2
	//     --set budget.time=2
	//                       ^
	//       note: a unit is missing: write 2s, 2m or 2h
}

func ExampleNearest() {
	word, ok := source.Nearest("objectvies", []string{"limits", "objectives"})
	fmt.Println(word, ok)
	// Output: objectives true
}
