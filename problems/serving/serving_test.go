package serving_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problem/problemtest"
	"github.com/daedalus-search/daedalus/problems/serving"
	"github.com/daedalus-search/daedalus/space"
)

func made(tb testing.TB, o serving.Options) *serving.Problem {
	tb.Helper()
	p, err := o.New()
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func design(tb testing.TB, p *serving.Problem, text string) space.Design {
	tb.Helper()
	d, err := p.Space().ParseJSON([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

const chunked = `{"platform":"H100_GPU","accelerators":8,"tp":4,"pp":1,"precision":"fp8","kv":"fp8","max_batch":64,"prompts":"pieces","chunk":512,"memory":"grow"}`

func TestConformance(t *testing.T) {
	for name, o := range map[string]serving.Options{
		"defaults": {Requests: 120},
		"experts":  {Model: "Mixtral-8x7B", Requests: 40, Accelerators: 8, Reward: "archgym", Precisions: []string{"int4-weights", "int8"}, KV: []string{"int8"}},
		"tight":    {Model: "Llama-3.1-70B", Platforms: []string{"TPUv5e"}, Requests: 20, Rate: 1},
	} {
		if testing.Short() {
			o.Requests = min(o.Requests, 20)
		}
		t.Run(name, func(t *testing.T) { problemtest.Run(t, made(t, o)) })
	}
}

// TestSpace: nothing is offered that is known to be impossible, and everything
// else can be built, or does not fit.
func TestSpace(t *testing.T) {
	p := made(t, serving.Options{Model: "Mixtral-8x7B", Requests: 5})
	r := rng.New(1, "test", 0)
	fits, tries := 0, 300
	if testing.Short() {
		tries = 60
	}
	for range tries {
		d, err := p.Space().Sample(r)
		if err != nil {
			t.Fatal(err)
		}
		c, err := p.Choice(d)
		if err != nil {
			t.Fatal(err)
		}
		if used := c.TP * c.PP * c.EP; used > c.Accelerators || c.Accelerators%used != 0 || 32%(c.TP*c.EP) != 0 || 8%c.EP != 0 {
			t.Errorf("%s uses %d of %d", d, used, c.Accelerators)
		}
		if c.Prompts == "pieces" && c.Chunk < c.MaxBatch || c.Prompts == "whole" && c.Chunk != 0 {
			t.Errorf("%s has pieces of %d", d, c.Chunk)
		}
		_, err = p.Evaluate(t.Context(), d, nil)
		var infeasible *problem.InfeasibleError
		switch {
		case err == nil:
			fits++
		case !errors.As(err, &infeasible) || !strings.Contains(err.Error(), "does not fit") && !strings.Contains(err.Error(), "more memory") && !strings.Contains(err.Error(), "multiple of its key heads"):
			t.Errorf("%s: %v", d, err)
		}
	}
	if fits < tries/2 {
		t.Errorf("%d of %d designs can be served", fits, tries)
	}
}

func TestValues(t *testing.T) {
	p := made(t, serving.Options{Model: "Llama-3.1-70B", Rate: 4, Reward: "archgym"})
	d := design(t, p, chunked)
	v, err := p.Evaluate(t.Context(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(v) != len(p.Metrics()) {
		t.Errorf("%d values of %d metrics", len(v), len(p.Metrics()))
	}
	if got, want := v["usd_hour"], 8*serving.Prices()["H100_GPU"]; got != want {
		t.Errorf("costs %v an hour, want %v", got, want)
	}
	if got, want := v["cost_usd_mtok"], v["usd_hour"]/3600/v["throughput_tokens_s"]*1e6; math.Abs(got/want-1) > 1e-12 {
		t.Errorf("costs %v a million tokens, want %v", got, want)
	}
	want := 1.0
	for _, x := range [][2]float64{{500, v["ttft_p99_ms"]}, {50, v["tpot_p99_ms"]}, {1, v["cost_usd_mtok"]}} {
		want *= x[0] / math.Abs(x[0]-x[1])
	}
	if got := v["archgym_reward"]; math.Abs(got/want-1) > 1e-12 {
		t.Errorf("reward %v, want %v", got, want)
	}
	// The 70 billion weights of a byte are spread over four.
	if v["memory_gb"] < 16 || v["memory_gb"] > 25 {
		t.Errorf("%v GB of an accelerator", v["memory_gb"])
	}
	est, err := p.Estimate(d)
	if err != nil || est["usd_hour"] != v["usd_hour"] {
		t.Errorf("estimate %v, %v", est, err)
	}
	if s := p.Label(d); s != "8×H100 (2×tp4) fp8, batch 64, pieces of 512" {
		t.Errorf("label %q", s)
	}
	if _, err := p.Evaluate(t.Context(), design(t, p, strings.NewReplacer(`"tp":4`, `"tp":1`, "fp8", "bf16").Replace(chunked)), nil); !errors.As(err, new(*problem.InfeasibleError)) || !strings.Contains(err.Error(), "needs 131") {
		t.Errorf("140 GB on an accelerator of 80: %v", err)
	}
}

// TestOptionsMatter: prices, rates and efficiencies do what they say.
func TestOptionsMatter(t *testing.T) {
	base := serving.Options{Model: "Llama-3.1-70B", Rate: 4, Requests: 100}
	values := func(o serving.Options) metric.Values {
		p := made(t, o)
		v, err := p.Evaluate(t.Context(), design(t, p, chunked), nil)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v := values(base)
	o := base
	o.Prices = map[string]float64{"h100": 1}
	if got := values(o); got["usd_hour"] != 8 || got["ttft_ms"] != v["ttft_ms"] {
		t.Errorf("at a dollar, eight cost %v", got["usd_hour"])
	}
	o = base
	o.ComputeEff, o.MemoryEff = .5, .5
	if got := values(o); got["tpot_ms"] < 1.3*v["tpot_ms"] {
		t.Errorf("tokens take %v ms at half the speed, %v at full", got["tpot_ms"], v["tpot_ms"])
	}
	o = base
	o.Rate = 80
	if got := values(o); got["ttft_p99_ms"] <= v["ttft_p99_ms"] || got["throughput_tokens_s"] <= v["throughput_tokens_s"] || got["cost_usd_mtok"] >= v["cost_usd_mtok"] {
		t.Errorf("under more load %v, before %v", got, v)
	}
	o = base
	o.Seed = 1
	if reflect.DeepEqual(values(o), v) {
		t.Error("another seed changes nothing")
	}
	random := base
	random.Rate, random.Prompt, random.Output = 60, serving.Tokens{Mean: 1000, Min: 1}, serving.Tokens{Mean: 5, Min: 1}
	o = random
	o.Arrivals = "even"
	if even, random := values(o), values(random); even["ttft_p99_ms"] >= random["ttft_p99_ms"] {
		t.Errorf("even arrivals wait %v ms, random ones %v", even["ttft_p99_ms"], random["ttft_p99_ms"])
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("tiny.yaml", "hidden: 1024\nlayers: 8\nheads: 16\nkv_heads: 4\nffn: 4096\nvocab: 32000\n")
	write("chip.json", `{"tflops": 100, "memory_gb": 16, "memory_gb_s": 800, "power_w": 75, "pim": {"gb_s": 4000, "tflops": 3, "interleave": true}}`)
	write("trace.csv", "arrival_ms,prompt,output\n0,100,20\n10,200,30\n30,50,1\n")
	write("bad.yaml", "hidden: 1024\nlayers: 8\nheads: 16\nkv_heads: 5\nvocab: 32000\n")
	write("bad.csv", "arrival_ms,prompt,output\n10,100,20\n5,1,1\n")
	p := made(t, serving.Options{Model: "tiny.yaml", Platforms: []string{"chip.json"}, Prices: map[string]float64{"chip": .5}, Trace: "trace.csv"}.In(dir))
	d := design(t, p, `{"platform":"chip","accelerators":2,"tp":1,"pp":1,"precision":"bf16","kv":"bf16","max_batch":4,"prompts":"whole","memory":"reserve"}`)
	v, err := p.Evaluate(t.Context(), d, nil)
	if err != nil || v["usd_hour"] != 1 || v["energy_j_token"] <= 0 {
		t.Errorf("%v, %v", v, err)
	}
	if s := p.Describe(); !strings.Contains(s, "3 requests to tiny, 100 a second") {
		t.Errorf("describes itself as %q", s)
	}
	for want, o := range map[string]serving.Options{
		"bad.yaml:4:11: kv_heads: found 5":        {Model: "bad.yaml"},
		"bad.csv:3: arrival_ms: found 5 after 10": {Trace: "bad.csv"},
		"nothing.csv": {Trace: "nothing.csv"},
		"prices: found none for chip, want dollars an hour: prices: {chip: 2.5}": {Platforms: []string{"chip.json"}},
	} {
		if _, err := o.In(dir).New(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
}

func TestBadOptions(t *testing.T) {
	for want, o := range map[string]serving.Options{
		`did you mean "Llama-3.1-8B"?`:                     {Model: "Lama-3.1-8B"},
		"state-space model":                                {Model: "mamba-130m-hf"},
		"did you mean H100_GPU?":                           {Platforms: []string{"H100_GPUs"}},
		"found H100_GPU twice":                             {Platforms: []string{"H100", "H100_GPU"}},
		"accelerators: found -1, want 1 to 4096":           {Accelerators: -1},
		"memory_share: found 2":                            {MemoryShare: 2},
		"compute_eff: found NaN":                           {ComputeEff: math.NaN()},
		"ttft_target_ms: found -5":                         {TTFT: -5},
		`precisions: format: found "fp9"`:                  {Precisions: []string{"fp9"}},
		"found fp8 twice":                                  {Precisions: []string{"fp8", "fp8"}},
		`kv: format: found "lots"`:                         {KV: []string{"lots"}},
		"rate_per_s: found -1":                             {Rate: -1},
		"requests: found -3":                               {Requests: -3},
		`arrivals: found "never", want poisson or even`:    {Arrivals: "never"},
		"prompt.mean: found -2":                            {Prompt: serving.Tokens{Mean: -2, Min: 1, Max: 3}},
		"output.cv: found +Inf":                            {Output: serving.Tokens{Mean: 2, CV: math.Inf(1), Min: 1, Max: 3}},
		`reward: found "all", want none or archgym`:        {Reward: "all"},
		"prices.H100: found -1":                            {Prices: map[string]float64{"H100": -1}},
		"prices.B100: found a price of a platform that is": {Prices: map[string]float64{"B100": 1}},
	} {
		if _, err := o.New(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
}

// TestFidelity: a part of the requests is a part of the run, and what does not
// fit does not fit at any effort.
func TestFidelity(t *testing.T) {
	p := made(t, serving.Options{Requests: 200})
	if f := p.Fidelity(); f.Min != 20 || f.Max != 200 {
		t.Errorf("fidelity %+v", f)
	}
	if p := made(t, serving.Options{Requests: 50}); p.Fidelity().Graded() {
		t.Error("50 requests are not worth parting")
	}
	d := design(t, p, chunked)
	part, err := p.EvaluateAt(t.Context(), d, .1, nil)
	if err != nil {
		t.Fatal(err)
	}
	full, err := p.Evaluate(t.Context(), d, nil)
	if err != nil || part["throughput_tokens_s"] == full["throughput_tokens_s"] || part["usd_hour"] != full["usd_hour"] || part["memory_gb"] > full["memory_gb"] {
		t.Errorf("a tenth %v, all %v (%v)", part, full, err)
	}
}

func TestExport(t *testing.T) {
	p := made(t, serving.Options{Model: "Mixtral-8x7B", Requests: 30, Precisions: []string{"fp8", "bf16", "int4-weights", "f32"}, KV: []string{"bf16", "fp8", "int4"}})
	export := func(text, format string) string {
		var b bytes.Buffer
		if err := p.Export(&b, design(t, p, text), format); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	base := `{"platform":"H100_GPU","accelerators":8,"tp":2,"pp":1,"ep":2,"precision":"fp8","kv":"fp8","max_batch":64,"prompts":"pieces","chunk":512,"memory":"grow"}`
	got := export(base, "vllm")
	want := `#!/bin/sh
# mistralai/Mixtral-8x7B on 8 × H100_GPU, as simulated for 30 requests.
# Start 2 of these, on accelerators of their own, behind a load balancer that takes turns.
# vLLM spreads experts over all 4 accelerators of a stage, not over 2 groups of 2.
exec vllm serve mistralai/Mixtral-8x7B-Instruct-v0.1 \
  --tensor-parallel-size 4 \
  --pipeline-parallel-size 1 \
  --enable-expert-parallel \
  --quantization fp8 \
  --kv-cache-dtype fp8 \
  --max-num-seqs 64 \
  --max-model-len `
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "--enable-chunked-prefill \\\n  --max-num-batched-tokens 512\n") {
		t.Errorf("found\n%s\nwant\n%s…", got, want)
	}
	for change, wants := range map[string][]string{
		`"precision":"int4-weights"`: {"# The checkpoint must be one in int4-weights"},
		`"precision":"bf16"`:         {"--dtype bfloat16"},
		`"precision":"f32"`:          {"--dtype float32"},
	} {
		got := export(strings.Replace(base, `"precision":"fp8"`, change, 1), "vllm")
		for _, w := range wants {
			if !strings.Contains(got, w) || strings.Contains(got, "--quantization") {
				t.Errorf("%s: found\n%s\nwant %s", change, got, w)
			}
		}
	}
	got = export(strings.NewReplacer(`"kv":"fp8"`, `"kv":"int4"`, `"prompts":"pieces","chunk":512,"memory":"grow"`, `"prompts":"whole","memory":"reserve"`, `"tp":2`, `"tp":4`).Replace(base), "vllm")
	for _, w := range []string{"8 bits or more; this design has int4", "--no-enable-chunked-prefill", "cannot reserve it"} {
		if !strings.Contains(got, w) {
			t.Errorf("found\n%s\nwant %s", got, w)
		}
	}
	var out struct {
		Model    struct{ Name string }
		Choice   serving.Choice
		Replicas int
		Values   map[string]float64
		Reason   string `json:"infeasible"`
	}
	if err := json.Unmarshal([]byte(export(base, "json")), &out); err != nil || out.Model.Name != "mistralai/Mixtral-8x7B" || out.Choice.EP != 2 || out.Replicas != 2 || out.Values["ttft_ms"] <= 0 || out.Reason != "" {
		t.Errorf("%+v, %v", out, err)
	}
	small := strings.NewReplacer(`"tp":2`, `"tp":1`, `"ep":2`, `"ep":1`, `"precision":"fp8"`, `"precision":"f32"`).Replace(base)
	if text := export(small, "json"); !strings.Contains(text, `"infeasible": "does not fit`) || strings.Contains(text, "values\"") {
		t.Errorf("what does not fit is exported as\n%s", text)
	}
}

// TestDraw: every number in the picture has its unit, designs of all sizes are
// drawn, and equal designs alike.
func TestDraw(t *testing.T) {
	p := made(t, serving.Options{Model: "Llama-3.1-405B", Rate: 1, Requests: 60, Accelerators: 512})
	draw := func(text string) string {
		var a, b bytes.Buffer
		d := design(t, p, text)
		if err := p.Draw(&a, d); err != nil {
			t.Fatal(err)
		}
		if err := p.Draw(&b, d); err != nil || a.String() != b.String() {
			t.Errorf("draws something else the second time (%v)", err)
		}
		if strings.Contains(a.String(), "NaN") || strings.Contains(a.String(), "Inf") {
			t.Errorf("%s: a coordinate is no number", text)
		}
		return a.String()
	}
	base := `{"platform":"A100_80GB_GPU","accelerators":%d,"tp":%d,"pp":%d,"precision":"fp8","kv":"bf16","max_batch":64,"prompts":"whole","memory":"grow"}`
	for _, c := range []struct {
		n, tp, pp int
		want      []string
	}{
		{16, 8, 1, []string{"One of 2 replicas", "8 of A100_80GB, sharing every matrix", "layers 1–126", "TFLOPS", "operations a byte", "GB/s", " ms", "weights", "keys and values"}},
		{512, 16, 32, []string{"512 of A100_80GB: 32 stages of 16", "and 25 more stages", "+9", "layers 1–4"}},
		{16, 1, 16, []string{"16 of A100_80GB, a stage each", "layers 1–8", "layers 9–16"}},
		{1, 1, 1, []string{"Cannot serve this load", "does not fit", "missing", "one accelerator"}},
	} {
		svg := draw(fmt.Sprintf(base, c.n, c.tp, c.pp))
		for _, w := range c.want {
			if !strings.Contains(svg, w) {
				t.Errorf("tp %d pp %d: the drawing does not say %q", c.tp, c.pp, w)
			}
		}
	}
}

// TestSearchMatters: the default problem has no design that is best in
// everything, and choices differ by much.
func TestSearchMatters(t *testing.T) {
	p := made(t, serving.Options{Model: "Llama-3.1-70B", Rate: 4, Requests: 60, ComputeEff: .6, MemoryEff: .8})
	goal := metric.Goal{Objectives: []metric.Objective{{Metric: "usd_hour", Direction: metric.Minimize}, {Metric: "tpot_p99_ms", Direction: metric.Minimize}}}
	r := rng.New(7, "test", 0)
	var front metric.Front[space.Design]
	tries := 400
	if testing.Short() {
		tries = 100
	}
	for range tries {
		d, err := p.Space().Sample(r)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := p.Evaluate(t.Context(), d, nil); err == nil {
			front.Add(goal.Score(v), d)
		}
	}
	if front.Len() < 4 {
		t.Errorf("a front of %d", front.Len())
	}
}

func Example() {
	p, err := serving.Options{Model: "Llama-3.1-8B", Rate: 10, Requests: 200}.New()
	if err != nil {
		panic(err)
	}
	d, err := p.Space().ParseJSON([]byte(`{"platform":"H100_GPU","accelerators":1,"tp":1,"pp":1,"precision":"fp8","kv":"fp8","max_batch":64,"prompts":"pieces","chunk":512,"memory":"grow"}`))
	if err != nil {
		panic(err)
	}
	v, err := p.Evaluate(context.Background(), d, nil)
	if err != nil {
		panic(err)
	}
	fmt.Println(p.Label(d))
	fmt.Printf("first token %.1f ms, then %.2f ms each at p99; $%.2f a million tokens\n", v["ttft_p99_ms"], v["tpot_p99_ms"], v["cost_usd_mtok"])
	// Output:
	// 1×H100 fp8, batch 64, pieces of 512
	// first token 44.5 ms, then 2.46 ms each at p99; $0.62 a million tokens
}

func BenchmarkEvaluate(b *testing.B) {
	p := made(b, serving.Options{Model: "Llama-3.1-70B", Rate: 4})
	d := design(b, p, chunked)
	for b.Loop() {
		if _, err := p.Evaluate(context.Background(), d, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "designs/s")
}
