package latency_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/latency"
	"github.com/daedalus-search/daedalus/neural/nets"
)

// Anything that can be called can be measured.
func ExampleProtocol_Measure() {
	work := func(n int) func() error {
		x := make([]float32, n)
		return func() error {
			for i := range x {
				x[i] = x[i]*0.5 + 1
			}
			return nil
		}
	}
	report, err := latency.Protocol{}.Measure(context.Background(), latency.Target{},
		latency.Target{Name: "small", Run: work(10_000)},
		latency.Target{Name: "large", Run: work(1_000_000)},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	small, large := report.Results[0], report.Results[1]
	fmt.Println("the intervals are apart:", small.HighMS < large.LowMS)
	// Output: the intervals are apart: true
}

// A model measures operators once and adds them up for any network of the space.
func ExampleModel() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "latency")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	// the empty path means the user's folder for caches
	m, err := latency.NewModel(latency.Go(), latency.Options{}, latency.Protocol{Budget: time.Second / 4}, filepath.Join(dir, "table.json"))
	if err != nil {
		fmt.Println(err)
		return
	}
	net := func(hidden ...int) *neural.Graph {
		g, err := nets.MLP{Numbers: 200, Hidden: hidden, Out: 3}.Graph()
		if err != nil {
			panic(err)
		}
		return g
	}
	for _, g := range []*neural.Graph{net(128), net(128, 128), net(256, 128)} {
		x, err := m.Predict(ctx, g)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%d operators; %d parts were measured; more than nothing: %v\n", x.Operators, x.Measured, x.MS > 0)
	}
	// Output:
	// 2 operators; 6 parts were measured; more than nothing: true
	// 3 operators; 1 parts were measured; more than nothing: true
	// 3 operators; 3 parts were measured; more than nothing: true
}
