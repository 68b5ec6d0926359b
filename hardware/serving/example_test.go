package serving_test

import (
	"errors"
	"fmt"

	"github.com/daedalus-search/daedalus/hardware/serving"
)

func Example() {
	model, err := serving.FindModel("Llama-3.1-70B")
	if err != nil {
		panic(err)
	}
	h100, err := serving.FindPlatform("H100")
	if err != nil {
		panic(err)
	}
	engine, err := serving.New(serving.Deployment{Model: model, Platform: h100, Parallel: serving.Parallel{TP: 8}})
	if err != nil {
		panic(err)
	}
	prefill, err := engine.Prefill(4, 2048)
	if err != nil {
		panic(err)
	}
	decode, err := engine.Decode(16, 2048, 256)
	if err != nil {
		panic(err)
	}
	fmt.Printf("4 prompts of 2,048 tokens: %.1f ms, of which %.1f in collectives\n", prefill.LatencyMS, prefill.Breakdown.CollectiveMS)
	fmt.Printf("16 answers: %.2f ms a token, %.0f tokens/s, %.1f of %.0f GB\n", decode.LatencyMS, decode.Throughput, decode.NeededGB, h100.MemoryGB)
	// Output:
	// 4 prompts of 2,048 tokens: 236.8 ms, of which 85.1 in collectives
	// 16 answers: 8.40 ms a token, 1906 tokens/s, 17.6 of 80 GB
}

func ExampleFitError() {
	model, _ := serving.FindModel("Llama-3.1-70B")
	h100, _ := serving.FindPlatform("H100")
	engine, err := serving.New(serving.Deployment{Model: model, Platform: h100})
	if err != nil {
		panic(err)
	}
	_, err = engine.Prefill(1, 1024)
	var fit *serving.FitError
	if errors.As(err, &fit) {
		fmt.Printf("needs %.0f GB, has %.0f GB\n", fit.NeededGB, fit.AvailableGB)
	}
	// Output: needs 132 GB, has 80 GB
}

func ExampleService_Run() {
	model, _ := serving.FindModel("Llama-3.1-8B")
	h100, _ := serving.FindPlatform("H100")
	engine, err := serving.New(serving.Deployment{Model: model, Platform: h100, Precision: serving.Uniform(serving.FP8)})
	if err != nil {
		panic(err)
	}
	requests, err := serving.Load{
		RatePerS: 10, Requests: 500, Seed: 1,
		Prompt: serving.Lengths{Mean: 1024, CV: 1, Max: 8192}, Output: serving.Lengths{Mean: 256, CV: 1, Max: 2048},
	}.Draw()
	if err != nil {
		panic(err)
	}
	for _, s := range []serving.Scheduler{{MaxBatch: 64}, {MaxBatch: 64, Chunk: 256}} {
		r, err := serving.Service{Engine: engine, Scheduler: s}.Run(requests)
		if err != nil {
			panic(err)
		}
		fmt.Printf("pieces of %d: first token after %.1f ms at p50, %.1f at p99; then %.2f ms a token at p50, %.2f at p99\n", s.Chunk, r.TTFT.P50, r.TTFT.P99, r.TPOT.P50, r.TPOT.P99)
	}
	// Output:
	// pieces of 0: first token after 7.6 ms at p50, 65.4 at p99; then 2.39 ms a token at p50, 3.53 at p99
	// pieces of 256: first token after 10.1 ms at p50, 72.0 at p99; then 2.23 ms a token at p50, 2.50 at p99
}

func ExampleComposition() {
	model, _ := serving.FindModel("Llama-2-7B")
	socket, slowGB, slowGBs := serving.SN40L()
	c := serving.Composition{
		Deployment: serving.Deployment{Model: model, Platform: socket, Parallel: serving.Parallel{TP: 8}},
		Experts:    150, Router: true, SlowGB: slowGB, SlowGBs: slowGBs,
	}
	r, err := c.Evaluate(1, 512, 20)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%d of 150 experts in fast memory, %.1f ms to switch to another\n", r.Slots, r.SwitchMS)
	// Output: 39 of 150 experts in fast memory, 7.8 ms to switch to another
}
