package serving

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func deployment(model, platform string, f Format, par Parallel) Deployment {
	return Deployment{Model: must(FindModel(model)), Platform: must(FindPlatform(platform)), Precision: Uniform(f), Parallel: par}
}

func engine(tb testing.TB, model, platform string, f Format, par Parallel) *Engine {
	tb.Helper()
	e, err := New(deployment(model, platform, f, par))
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func TestTables(t *testing.T) {
	if n := len(Models()); n != 79 {
		t.Errorf("%d models, want 79", n)
	}
	if n := len(Platforms()); n != 13 {
		t.Errorf("%d platforms, want 13", n)
	}
	names := map[string]string{}
	for _, m := range Models() {
		if m.Source == "" {
			t.Errorf("%s has no source", m.Name)
		}
		for _, n := range append([]string{m.Name}, m.Aliases...) {
			if other, ok := names[strings.ToLower(n)]; ok && other != m.Name {
				t.Errorf("%q names %s and %s", n, other, m.Name)
			}
			names[strings.ToLower(n)] = m.Name
		}
	}
	for _, p := range Platforms() {
		if p.Source == "" || p.Check() != nil {
			t.Errorf("%s: source %q, check %v", p.Name, p.Source, p.Check())
		}
	}
	// Published parameter counts, to the tenth that the names claim.
	for name, want := range map[string]float64{"Llama-2-7B": 6.7, "Llama-3.1-8B": 8.0, "Llama-3.1-70B": 70.6, "Mixtral-8x7B": 46.7, "Llama-3.1-405B": 405.8} {
		if got, err := must(FindModel(name)).Params(); err != nil || math.Abs(got/1e9/want-1) > .01 {
			t.Errorf("%s has %.2f·10⁹ parameters (%v), want %v", name, got/1e9, err, want)
		}
	}
}

// TestBadInput names every mistake by its field, what was found and what was
// expected.
func TestBadInput(t *testing.T) {
	ok := deployment("Llama-3.1-8B", "H100", BF16, Parallel{})
	for name, c := range map[string]struct {
		change func(*Deployment)
		want   string
	}{
		"negative width":      {func(d *Deployment) { d.Model.Hidden = -1 }, "hidden: found -1, want 1 to 10000000"},
		"no layers":           {func(d *Deployment) { d.Model.Layers = 0 }, "layers: found 0, want 1 to"},
		"odd groups":          {func(d *Deployment) { d.Model.KVHeads = 5 }, "kv_heads: found 5, want a divisor of the 32 heads"},
		"huge":                {func(d *Deployment) { d.Model.Vocab = math.MaxInt }, "vocab: found"},
		"experts without k":   {func(d *Deployment) { d.Model.Experts = 8 }, "top_k: found 0, want 1 to 8"},
		"no bandwidth":        {func(d *Deployment) { d.Platform.MemoryGBs = 0 }, "memory_gb_s: found 0, want above 0"},
		"negative compute":    {func(d *Deployment) { d.Platform.TFLOPS = -3 }, "tflops: found -3"},
		"no number":           {func(d *Deployment) { d.Platform.MemoryGB = math.NaN() }, "memory_gb: found NaN"},
		"infinite":            {func(d *Deployment) { d.Platform.LinkGBs = math.Inf(1) }, "link_gb_s: found +Inf"},
		"too efficient":       {func(d *Deployment) { d.Platform.MemoryEff = 1.5 }, "memory_eff: found 1.5"},
		"PIM without speed":   {func(d *Deployment) { d.Platform.PIM = &PIM{GBs: 1} }, "pim.tflops: found 0"},
		"negative tensor":     {func(d *Deployment) { d.Parallel.TP = -2 }, "parallel.tp: found -2"},
		"experts of dense":    {func(d *Deployment) { d.Parallel.EP = 2 }, "parallel.ep: found 2, want 1 for a dense model"},
		"more stages":         {func(d *Deployment) { d.Parallel.PP = 33 }, "parallel.pp: found 33, want at most 32"},
		"heads do not divide": {func(d *Deployment) { d.Parallel.TP = 3 }, "parallel.tp·ep: found 3"},
		"format":              {func(d *Deployment) { d.Precision.KV = 77 }, "precision.kv: found Format(77), want one of bf16"},
	} {
		d := ok
		c.change(&d)
		var field *FieldError
		if _, err := New(d); !errors.As(err, &field) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want a FieldError with %q", name, err, c.want)
		}
	}
	e := must(New(ok))
	for name, c := range map[string]struct {
		call func() error
		want string
	}{
		"no batch":        {func() error { _, err := e.Prefill(0, 10); return err }, "batch: found 0"},
		"negative prompt": {func() error { _, err := e.Decode(1, -5, 0); return err }, "input tokens: found -5"},
		"negative answer": {func() error { _, err := e.Decode(1, 5, -1); return err }, "output tokens: found -1"},
		"beams":           {func() error { _, err := e.DecodeBeams(1, 0, 5, 1); return err }, "beams: found 0"},
		"overflow":        {func() error { _, err := e.Prefill(math.MaxInt, math.MaxInt); return err }, "batch: found"},
		"empty chunk":     {func() error { _, err := e.Chunk(nil, nil); return err }, "tokens: found 0"},
		"empty piece":     {func() error { _, err := e.Chunk([]Piece{{0, 0}}, nil); return err }, "new tokens: found 0"},
		"empty step":      {func() error { _, err := e.Step(nil, []int{0}); return err }, "tokens in the cache: found 0"},
		"phase":           {func() error { _, err := e.Operators(7, 1, 1, 1); return err }, "phase: found 7"},
		"model name":      {func() error { _, err := FindModel("Lama-3.1-8B"); return err }, `did you mean "Llama-3.1-8B"?`},
		"platform name":   {func() error { _, err := FindPlatform("H100_GPUs"); return err }, "did you mean H100_GPU?"},
		"format name":     {func() error { return new(Format).UnmarshalText([]byte("fp7")) }, `found "fp7"`},
	} {
		if err := c.call(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want %q", name, err, c.want)
		}
	}
}

func TestFit(t *testing.T) {
	e := engine(t, "Llama-3.1-70B", "H100", BF16, Parallel{TP: 1})
	_, err := e.Decode(1, 2048, 0)
	var fit *FitError
	if !errors.As(err, &fit) {
		t.Fatalf("error is %v, want a FitError", err)
	}
	if math.Abs(fit.NeededGB-130.1) > .1 || fit.AvailableGB != 80 || fit.NeededGB != fit.WeightsGB+fit.KVGB {
		t.Errorf("found %+v, want about 130 GB needed of 80", fit)
	}
	d := e.Deployment()
	d.Offload = true
	r, err := must(New(d)).Decode(1, 2048, 0)
	if err != nil || !r.Offloaded {
		t.Fatalf("offloaded is %v, error %v", r.Offloaded, err)
	}
	// What is outside comes over at 128 GB/s.
	if want := (fit.NeededGB - 80) / 128 * 1000; math.Abs(r.LatencyMS/want-1) > 1e-3 {
		t.Errorf("a token takes %v ms, want about %v", r.LatencyMS, want)
	}
}

// TestPipelineMemory is what Compat turns back: the batch is in memory, not one
// micro-batch of it.
func TestPipelineMemory(t *testing.T) {
	d := deployment("Llama-2-7B", "A100_40GB", BF16, Parallel{PP: 4})
	e := must(New(d))
	d.Compat = true
	old := must(New(d))
	r, o := must(e.Decode(16, 2048, 0)), must(old.Decode(16, 2048, 0))
	if math.Abs(r.KVGB/o.KVGB-4) > 1e-12 || r.LatencyMS != o.LatencyMS {
		t.Errorf("%v GB against %v in compat mode, want four times as much and the same time", r.KVGB, o.KVGB)
	}
	if _, err := e.Decode(512, 2048, 0); err == nil {
		t.Error("512 contexts of 1 GB fit in four accelerators of 40")
	}
}

// TestMonotone holds the model to what must be so: more of a resource is never
// slower, and more work never faster.
func TestMonotone(t *testing.T) {
	ms := Models()
	rapid.Check(t, func(t *rapid.T) {
		d := Deployment{
			Model: rapid.SampledFrom(ms).Draw(t, "model"), Platform: rapid.SampledFrom(Platforms()).Draw(t, "platform"),
			Precision: Precision{Format(rapid.IntRange(0, int(formats)-1).Draw(t, "math")), Format(rapid.IntRange(0, int(formats)-1).Draw(t, "weights")),
				Format(rapid.IntRange(0, int(formats)-1).Draw(t, "activations")), Format(rapid.IntRange(0, int(formats)-1).Draw(t, "kv"))},
			Parallel: Parallel{rapid.SampledFrom([]int{1, 2, 4, 8}).Draw(t, "tp"), rapid.SampledFrom([]int{1, 2, 3}).Draw(t, "pp"), 1},
			Offload:  true,
		}
		if rapid.Bool().Draw(t, "pim") {
			d.Platform.PIM = &PIM{GBs: 4 * d.Platform.MemoryGBs, TFLOPS: 8, Interleave: rapid.Bool().Draw(t, "interleave")}
		}
		batch, in, out := rapid.IntRange(1, 64).Draw(t, "batch"), rapid.IntRange(1, 8000).Draw(t, "input"), rapid.IntRange(1, 500).Draw(t, "output")
		phase := rapid.SampledFrom([]Phase{Prefill, Decode}).Draw(t, "phase")
		run := func(d Deployment, batch, in, out int) Result {
			e, err := New(d)
			if err != nil {
				t.Skip(err)
			}
			var r Result
			if phase == Prefill {
				r, err = e.Prefill(batch, in)
			} else {
				r, err = e.Decode(batch, in, out)
			}
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		r := run(d, batch, in, out)
		for _, x := range [...]float64{r.LatencyMS, r.Throughput, r.Steady, r.EnergyJ, r.WeightsGB, r.NeededGB, r.TFLOP, r.DataGB} {
			if !(x > 0) || math.IsInf(x, 0) {
				t.Fatalf("%+v has a number that is not positive", r)
			}
		}
		const slack = 1 + 1e-12
		for _, c := range []struct {
			what   string
			change func(*Platform)
		}{
			{"compute", func(p *Platform) { p.TFLOPS *= 2 }}, {"bandwidth", func(p *Platform) { p.MemoryGBs *= 2 }},
			{"memory", func(p *Platform) { p.MemoryGB *= 2 }}, {"links", func(p *Platform) { p.LinkGBs *= 2 }},
			{"hops", func(p *Platform) { p.LinkUS /= 2 }}, {"bandwidth on chip", func(p *Platform) { p.OnChipGBs = 36000 }},
			{"bandwidth outside", func(p *Platform) { p.OffloadGBs = 256 }}, {"everything", func(p *Platform) { p.TFLOPS *= 3; p.MemoryGBs *= 3 }},
		} {
			b := d
			c.change(&b.Platform)
			if r.Offloaded && c.what == "memory" {
				continue // both memories are read at the same time, so a little outside is faster than none
			}
			if f := run(b, batch, in, out); f.LatencyMS > r.LatencyMS*slack {
				t.Errorf("more %s makes it slower: %v ms after %v", c.what, f.LatencyMS, r.LatencyMS)
			}
		}
		if m := run(d, 2*batch, in, out); d.Platform.PIM == nil && m.LatencyMS*slack < r.LatencyMS {
			t.Errorf("twice the batch takes %v ms after %v", m.LatencyMS, r.LatencyMS)
		}
		if m := run(d, batch, in+100, out); m.LatencyMS*slack < r.LatencyMS || m.KVGB*slack < r.KVGB {
			t.Errorf("a longer prompt takes %v ms after %v", m.LatencyMS, r.LatencyMS)
		}
		if d.Parallel.PP == 1 && r.Throughput != r.Steady {
			t.Errorf("one stage fills and drains: %v and %v", r.Throughput, r.Steady)
		}
		if b := r.Breakdown; d.Platform.PIM == nil || !d.Platform.PIM.Interleave {
			if sum := b.EmbeddingMS + b.AttentionMS + b.FFNMS + b.SendMS + b.MambaMS; math.Abs(sum/r.LatencyMS-1) > 1e-9 {
				t.Errorf("the parts add up to %v of %v ms", sum, r.LatencyMS)
			}
		}
	})
}

// TestOperatorsAddUp compares the list of operators with the sums.
func TestOperatorsAddUp(t *testing.T) {
	for _, c := range []struct {
		model string
		par   Parallel
	}{{"Llama-3.1-8B", Parallel{TP: 2, PP: 4}}, {"Mixtral-8x7B", Parallel{TP: 2, EP: 4}}, {"mamba-2.8b-hf", Parallel{}}} {
		e := engine(t, c.model, "H100", FP8, c.par)
		for phase, want := range map[Phase]Result{Prefill: must(e.Prefill(8, 1000)), Decode: must(e.Decode(8, 1000, 100))} {
			ms, flop, data, energy := 0.0, 0.0, 0.0, 0.0
			for _, o := range must(e.Operators(phase, 8, 1000, 100)) {
				ms += o.Times * o.LatencyMS
				flop += o.Times * o.FLOP
				if o.LinkMS == 0 {
					data += o.Times * o.Bytes()
				}
				energy += o.Times * (.3*o.LatencyMS + .4*o.ComputeMS + .2*o.MemoryMS + .1*o.LinkMS) // W·ms = mJ at 1 W
				if (o.Bound() == "nothing") != (o.LatencyMS == 0) {
					t.Errorf("%s waits for %s", o.Name, o.Bound())
				}
			}
			_, n := e.micro(8)
			energy *= float64(e.span * n) // 1000 W and milliseconds are joules
			if !close9(ms, want.LatencyMS) || !close9(flop, want.TFLOP*1e12) || !close9(data, want.DataGB*gib) || !close9(energy, want.EnergyJ) {
				t.Errorf("%s of %s: %v ms, %v operations, %v bytes, %v J; want %+v", phase, c.model, ms, flop, data, energy, want)
			}
		}
	}
}

func TestMixedPrecision(t *testing.T) {
	d := deployment("Llama-3.1-8B", "H100", BF16, Parallel{})
	bf16 := must(must(New(d)).Decode(4, 2048, 0))
	d.Precision = WeightOnly(INT4)
	int4 := must(must(New(d)).Decode(4, 2048, 0))
	if r := bf16.WeightsGB / int4.WeightsGB; r != 4 || int4.KVGB != bf16.KVGB {
		t.Errorf("weights shrink by %v, want 4, and keys and values stay %v: %v", r, bf16.KVGB, int4.KVGB)
	}
	if r := bf16.Breakdown.FFNLayersMS / int4.Breakdown.FFNLayersMS; math.Abs(r-4) > .05 {
		t.Errorf("networks that wait for weights become %v times as fast, want nearly 4", r)
	}
	d.Precision = Precision{KV: FP8}
	if r := must(must(New(d)).Decode(4, 2048, 0)); r.KVGB*2 != bf16.KVGB || r.WeightsGB != bf16.WeightsGB {
		t.Errorf("fp8 keys and values take %v GB of %v", r.KVGB, bf16.KVGB)
	}
	for want, p := range map[string]Precision{"bf16": {}, "fp8": Uniform(FP8), "weights int4": WeightOnly(INT4), "weights int4, kv fp8": {Weights: INT4, KV: FP8}} {
		if p.String() != want {
			t.Errorf("%v, want %s", p, want)
		}
	}
}

// TestPIM bounds what compute in memory can do: attention gets faster by the
// bandwidth, and turns are between the longer of both and their sum.
func TestPIM(t *testing.T) {
	d := deployment("GPT3-175B", "A100_80GB", BF16, Parallel{TP: 8})
	gpu := must(must(New(d)).Decode(32, 1024, 100))
	d.Platform.PIM = &PIM{GBs: 8 * d.Platform.MemoryGBs, TFLOPS: 40}
	blocked := must(must(New(d)).Decode(32, 1024, 100))
	if r := gpu.Breakdown.LogitAttendMS / blocked.Breakdown.LogitAttendMS; r < 7 || r > 9 {
		t.Errorf("attention is %v times as fast at 8 times the bandwidth", r)
	}
	if got, want := gpu.LatencyMS-blocked.LatencyMS, gpu.Breakdown.LogitAttendMS-blocked.Breakdown.LogitAttendMS; !close9(got, want) {
		t.Errorf("saves %v ms, of which %v in attention", got, want)
	}
	if a, b := must(must(New(d)).Prefill(4, 512)), must(engine(t, "GPT3-175B", "A100_80GB", BF16, Parallel{TP: 8}).Prefill(4, 512)); a.LatencyMS != b.LatencyMS {
		t.Errorf("prefill takes %v ms with PIM, %v without", a.LatencyMS, b.LatencyMS)
	}
	// Attention that is as long as the rest gains most from turns, and a batch
	// that is small loses by reading the weights twice.
	d = deployment("Llama-2-7B", "H100", BF16, Parallel{TP: 8})
	d.Platform.LinkUS, d.Platform.PIM = 0.01, &PIM{GBs: 8 * d.Platform.MemoryGBs, TFLOPS: 100, Interleave: true}
	same := d
	same.Platform.PIM = &PIM{GBs: 8 * d.Platform.MemoryGBs, TFLOPS: 100}
	turns, inRow := must(must(New(d)).Decode(1024, 512, 0)), must(must(New(same)).Decode(1024, 512, 0))
	if !(turns.LatencyMS < .9*inRow.LatencyMS) || turns.LatencyMS < turns.Breakdown.LogitAttendMS*(1-1e-9) {
		t.Errorf("turns take %v ms, blocked %v, attention alone %v", turns.LatencyMS, inRow.LatencyMS, turns.Breakdown.LogitAttendMS)
	}
	if a, b := must(must(New(d)).Decode(4, 512, 0)), must(must(New(same)).Decode(4, 512, 0)); a.LatencyMS < b.LatencyMS {
		t.Errorf("turns of a small batch take %v ms, blocked %v", a.LatencyMS, b.LatencyMS)
	}
	if turns.WeightsGB != inRow.WeightsGB || !close9(turns.KVGB, inRow.KVGB) || !close9(turns.TFLOP, inRow.TFLOP) {
		t.Errorf("turns change sizes: %+v and %+v", turns, inRow)
	}
}

func TestAlternate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64Range(0, 10)
		n1, p1, n2, p2 := f.Draw(t, "n1"), f.Draw(t, "p1"), f.Draw(t, "n2"), f.Draw(t, "p2")
		layers := rapid.IntRange(1, 50).Draw(t, "layers")
		l := float64(layers)
		got := alternate(n1, p1, n2, p2, layers)
		lower := max(l*(n1+p1), l*(n2+p2), l*(n1+n2)+min(p1, p2), l*(p1+p2)+min(n1, n2))
		if got < lower*(1-1e-12) || got > l*(n1+p1+n2+p2)*(1+1e-12) {
			t.Errorf("takes %v, want %v to %v", got, lower, l*(n1+p1+n2+p2))
		}
	})
	if got := alternate(1, 1, 1, 1, 10); got != 21 { // both machines always busy but at the ends
		t.Errorf("equal halves take %v, want 21", got)
	}
}

func TestReaders(t *testing.T) {
	m, err := ReadModel("m.yaml", []byte("name: tiny\nhidden: 64\nlayers: 2\nheads: 4\nffn: 256\nvocab: 1000\n"))
	if err != nil || m.Gates != 2 || m.withDefaults().KVHeads != 4 || m.withDefaults().HeadDim != 16 {
		t.Errorf("%+v, %v", m, err)
	}
	p, err := ReadPlatform("p.json", []byte(`{"tflops": 100, "memory_gb": 16, "memory_gb_s": 500, "pim": {"gb_s": 2000, "tflops": 4}}`))
	if err != nil || p.LinkGBs != 150 || p.PIM == nil || p.PIM.TFLOPS != 4 {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := New(Deployment{Model: m, Platform: p}); err != nil {
		t.Error(err)
	}
	for text, want := range map[string]string{
		"hidden: 64\nlayers: 2\nheads: 4\nvocab: many\n":                 "m.yaml:4:8",
		"hidden: 64\nlayers: 2\nheads: 4\nvocab: 10\nlayer: 3\n":         "layer",
		"hidden: 64\nlayers: 2\nheads: 4\nkv_heads: 3\nvocab: 10\n":      "m.yaml:4:11: kv_heads: found 3, want a divisor of the 4 heads",
		"hidden: 64\nheads: 4\nvocab: 10\n":                              "layers",
		"hidden: -1\nlayers: 2\nheads: 4\nvocab: 10\n":                   "m.yaml:1:9",
		"hidden: 64\nlayers: 2\nheads: 4\nvocab: 10\nexperts: 4\n":       "top_k: found 0, want 1 to 4",
		"hidden: 64\nlayers: 2\nheads: 4\nvocab: 99999999999999999999\n": "m.yaml:4:8",
		"hidden: 64\nlayers: 2\nheads: 4\nvocab: 10\nmamba_state: 16\n":  "mamba_conv: found 0",
		"hidden: 64\nlayers: 2\nheads: 4\nvocab: 10\nhead_dim: 1e300\n":  "m.yaml:5:11",
		"hidden: [64\n": "m.yaml:1",
	} {
		if _, err := ReadModel("m.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want %q", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"tflops: 1\nmemory_gb: 1\nmemory_gb_s: 0\n":                  "p.yaml:3:14",
		"tflops: .nan\nmemory_gb: 1\nmemory_gb_s: 1\n":               "p.yaml:1:9",
		"tflops: 1\nmemory_gb: 1\nmemory_gb_s: 1\nlink_us: -1\n":     "p.yaml:4:10",
		"tflops: 1\nmemory_gb: 1\nmemory_gb_s: 1\npim: {gb_s: 10}\n": "tflops",
		"tflops: 1\nmemory_gb: 1\nmemory_gb_s: 1\npower_w: .inf\n":   "p.yaml:4:10",
	} {
		if _, err := ReadPlatform("p.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want %q", text, err, want)
		}
	}
}

// TestHub reads configurations as Hugging Face writes them, and finds in them
// what the table has.
func TestHub(t *testing.T) {
	for name, text := range map[string]string{
		"Llama-3.1-8B": `{"architectures": ["LlamaForCausalLM"], "hidden_act": "silu", "hidden_size": 4096, "intermediate_size": 14336, "max_position_embeddings": 131072,
 "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "rope_scaling": {"factor": 8.0}, "torch_dtype": "bfloat16", "vocab_size": 128256}`,
		"Mixtral-8x7B": `{"hidden_size": 4096, "intermediate_size": 14336, "max_position_embeddings": 32768, "model_type": "mixtral", "num_attention_heads": 32,
 "num_experts_per_tok": 2, "num_hidden_layers": 32, "num_key_value_heads": 8, "num_local_experts": 8, "vocab_size": 32000, "sliding_window": null}`,
		"gpt2": `{"model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024, "n_inner": null, "vocab_size": 50257}`,
	} {
		m, err := ReadModel("config.json", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := must(FindModel(name))
		m, want = m.withDefaults(), want.withDefaults()
		want.Name, want.Source, want.Aliases = m.Name, m.Source, nil
		if !reflect.DeepEqual(m, want) {
			t.Errorf("%s: found %+v, want %+v", name, m, want)
		}
	}
	for text, want := range map[string]string{
		"{\"model_type\": \"lstm\",\n\"hidden_size\": 5}": "c.json:1:16: model_type: found \"lstm\"",
		`{"hidden_size": 5}`:                              "model_type",
		`{"model_type": "llama", "hidden_size": 64}`:      "num_hidden_layers: it is missing",
		"{\"model_type\": \"llama\", \"hidden_size\": 64, \"num_hidden_layers\": 2, \"num_attention_heads\": 4,\n\"num_key_value_heads\": 3, \"vocab_size\": 9}": "c.json:2:24: num_key_value_heads: found 3, want a divisor of the 4 heads",
		`{"model_type": "llama", "kv_lora_rank": 512, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 9}`:                     "latent attention is not modelled",
		`{"model_type": "llama", "hidden_size": -64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 9}`:                                         "c.json:1:40",
	} {
		if _, err := ReadModel("c.json", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %q", text, err, want)
		}
	}
}

// TestExpertsBeside checks what the reference leaves out: narrower experts, and
// a network beside them.
func TestExpertsBeside(t *testing.T) {
	d := deployment("Mixtral-8x7B", "H100", FP8, Parallel{TP: 4})
	base := must(must(New(d)).Decode(8, 100, 10))
	d.Model.SharedFFN = d.Model.FFN
	shared := must(must(New(d)).Decode(8, 100, 10))
	want := 3 * float64(d.Model.Hidden) * float64(d.Model.FFN) / 4 * float64(d.Model.Layers) / gib
	if got := shared.WeightsGB - base.WeightsGB; !close9(got, want) || shared.LatencyMS <= base.LatencyMS {
		t.Errorf("a network beside takes %v GB, want %v", got, want)
	}
	d.Model.SharedFFN, d.Model.ExpertFFN = 0, d.Model.FFN/2
	if half := must(must(New(d)).Decode(8, 100, 10)); half.WeightsGB >= base.WeightsGB || half.LatencyMS >= base.LatencyMS {
		t.Errorf("experts of half the width take %v GB after %v", half.WeightsGB, base.WeightsGB)
	}
}

func TestComposition(t *testing.T) {
	p, slow, bw := SN40L()
	c := Composition{Deployment: Deployment{Model: must(FindModel("Llama-2-7B")), Platform: p, Parallel: Parallel{TP: 8}}, Experts: 150, Router: true, SlowGB: slow, SlowGBs: bw}
	r := must(c.Evaluate(1, 512, 20))
	// 12.55 GB of weights over eight sockets are 1.57 GB each.
	if math.Abs(r.ExpertGB-12.55/8) > .01 || math.Abs(r.SwitchMS-r.ExpertGB/bw*1000) > 1e-9 {
		t.Errorf("%+v: an expert takes %v GB, and %v ms to copy", r, r.ExpertGB, r.SwitchMS)
	}
	if r.Slots != int((64-r.ExpertGB-(r.FastGB-float64(r.Slots+1)*r.ExpertGB))/r.ExpertGB) || r.HitRate != float64(r.Slots)/150 {
		t.Errorf("%d slots, hit rate %v", r.Slots, r.HitRate)
	}
	if got := r.RouteMS + (1-r.HitRate)*r.SwitchMS + r.PrefillMS + r.DecodeMS; !close9(got, r.TotalMS) {
		t.Errorf("parts are %v ms of %v", got, r.TotalMS)
	}
	for _, zipf := range []float64{0, .5, 1, 1.5} {
		c.Zipf = zipf
		want := must(c.Evaluate(1, 512, 20)).HitRate
		if got := must(c.Simulate(1, 512, 20, 40_000, 3)); math.Abs(got-want) > .015 {
			t.Errorf("zipf %v: simulated hit rate %v, computed %v", zipf, got, want)
		}
	}
	last := 0.0
	for _, z := range []float64{0, .3, .6, 1, 2} {
		c.Zipf = z
		if h := must(c.Evaluate(1, 512, 20)).HitRate; h < last {
			t.Errorf("hit rate falls to %v at zipf %v", h, z)
		} else {
			last = h
		}
	}
	c.Zipf, c.Experts = 0, 20
	if r := must(c.Evaluate(1, 512, 20)); r.HitRate != 1 || r.Slots != 20 {
		t.Errorf("20 experts fit in fast memory, but %+v", r)
	}
	for want, change := range map[string]func(c *Composition){
		"experts: found 0":   func(c *Composition) { c.Experts = 0 },
		"slow_gb_s: found 0": func(c *Composition) { c.SlowGBs = 0 },
		"zipf: found NaN":    func(c *Composition) { c.Zipf = math.NaN() },
		"5000 experts do not fit in slow memory: serving: does not fit": func(c *Composition) { c.Experts = 5000 },
		"does not fit": func(c *Composition) { c.Deployment.Platform.MemoryGB = 2 },
	} {
		x := c
		change(&x)
		if _, err := x.Evaluate(1, 512, 20); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
}

func FuzzReadModel(f *testing.F) {
	f.Add([]byte("hidden: 64\nlayers: 2\nheads: 4\nffn: 256\nvocab: 1000\n"))
	f.Add([]byte(`{"hidden": 4096, "layers": 32, "heads": 32, "kv_heads": 8, "vocab": 32000, "experts": 8, "top_k": 2, "ffn": 14336}`))
	f.Add([]byte("hidden: 7\nlayers: 1\nheads: 1\nvocab: 1\nmamba_state: 1\nmamba_conv: 1\nmamba_expand: 1\nmamba_rank: 1"))
	f.Add([]byte("hidden: &a 1e9\nheads: *a"))
	f.Add([]byte(`{"model_type": "qwen2_moe", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 9, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 7}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ReadModel("fuzz.yaml", text)
		if err != nil {
			return
		}
		e, err := New(Deployment{Model: m, Platform: platforms[2], Offload: true})
		if err != nil {
			t.Fatalf("%+v is read but cannot be used: %v", m, err)
		}
		for _, r := range []Result{must(e.Prefill(3, 100)), must(e.Decode(3, 100, 7))} {
			if !finite(r.LatencyMS) || r.LatencyMS < 0 || !finite(r.NeededGB) || !finite(r.EnergyJ) {
				t.Errorf("%+v gives %+v", m, r)
			}
		}
	})
}

func FuzzReadPlatform(f *testing.F) {
	f.Add([]byte("tflops: 100\nmemory_gb: 16\nmemory_gb_s: 500\n"))
	f.Add([]byte(`{"tflops": 1e9, "memory_gb": 1e-9, "memory_gb_s": 1e-300, "link_us": 1e9, "pim": {"gb_s": 1, "tflops": 1, "interleave": true}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ReadPlatform("fuzz.yaml", text)
		if err != nil {
			return
		}
		e, err := New(Deployment{Model: models()[0], Platform: p, Offload: true, Parallel: Parallel{TP: 2}})
		if err != nil {
			t.Fatalf("%+v is read but cannot be used: %v", p, err)
		}
		if r := must(e.Decode(3, 100, 7)); math.IsNaN(r.LatencyMS) || r.LatencyMS < 0 {
			t.Errorf("%+v gives %+v", p, r)
		}
	})
}

func FuzzReadTrace(f *testing.F) {
	f.Add([]byte("arrival_ms,prompt,output\n0,10,20\n3.5,1,1\n"))
	f.Add([]byte("\ufeffoutput, prompt, arrival_ms\r\n# a comment\r\n5,6,1e3\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		q, err := ReadTrace("fuzz.csv", text)
		if err != nil {
			return
		}
		last := 0.0
		for _, r := range q {
			if !(r.ArrivalMS >= last) || r.Prompt < 1 || r.Output < 1 {
				t.Fatalf("%+v after %v", r, last)
			}
			last = r.ArrivalMS
		}
	})
}

// BenchmarkEvaluate measures the bar: platform evaluations a second, each of a
// deployment that is new, so that its checks are part of it.
func BenchmarkEvaluate(b *testing.B) {
	for _, c := range []struct{ name, model string }{{"dense", "Llama-3.1-70B"}, {"experts", "Mixtral-8x7B"}, {"mamba", "mamba-2.8b-hf"}} {
		for _, phase := range []Phase{Prefill, Decode} {
			b.Run(fmt.Sprint(c.name, "/", phase), func(b *testing.B) {
				d := deployment(c.model, "H100", FP8, Parallel{TP: 8})
				var e Engine
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					d.Platform.MemoryGBs = 3000 + float64(i&1023)
					if err := e.init(d); err != nil {
						b.Fatal(err)
					}
					if phase == Prefill {
						_, _ = e.Prefill(4, 2048)
					} else {
						_, _ = e.Decode(16, 2048, 256)
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "evaluations/s")
			})
		}
	}
}

func TestNothingAllocated(t *testing.T) {
	d := deployment("Mixtral-8x7B", "H100", FP8, Parallel{TP: 4, EP: 2})
	var e Engine
	if n := testing.AllocsPerRun(100, func() {
		if err := e.init(d); err != nil {
			t.Fatal(err)
		}
		_, _ = e.Prefill(4, 2048)
		_, _ = e.Decode(16, 2048, 256)
	}); n != 0 {
		t.Errorf("an evaluation allocates %v times", n)
	}
}
