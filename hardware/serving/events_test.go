package serving

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func fixed(n int) Lengths { return Lengths{Mean: float64(n)} }

// TestStepIsChunk: a step of a dense model takes what the reference says of a
// chunk.
func TestStepIsChunk(t *testing.T) {
	for _, par := range []Parallel{{}, {TP: 4}, {TP: 2, PP: 4}} {
		e := engine(t, "Llama-3.1-8B", "H100", BF16, par)
		for _, c := range []struct {
			p []Piece
			d []int
		}{{nil, []int{1}}, {nil, []int{100, 2000, 3, 4000}}, {[]Piece{{0, 512}}, []int{7, 9}}, {[]Piece{{512, 100}, {0, 9}}, nil}} {
			want := must(e.Chunk(c.p, c.d)).LatencyMS
			if got := must(e.Step(c.p, c.d)); !close9(got, want) {
				t.Errorf("%+v: step of %v takes %v ms, chunk %v", par, c, got, want)
			}
		}
	}
	// Where attention is not memory's alone, steps are priced one by one.
	d := Deployment{Model: must(FindModel("gemma-2B")), Platform: must(FindPlatform("TPUv5e")), Precision: Precision{Math: F32, KV: INT2}}
	d.Platform.TFLOPS = 20
	e := must(New(d))
	if e.linear {
		t.Fatal("this deployment is meant to be bound by compute in attention")
	}
	kv := []int{5, 1000, 8000}
	if got, want := must(e.Step(nil, kv)), must(e.Chunk(nil, kv)).LatencyMS; !close9(got, want) {
		t.Errorf("step takes %v ms, chunk %v", got, want)
	}
}

// TestExpertsReached: few tokens reach few experts, many reach all, and then
// time is what the reference says of a chunk.
func TestExpertsReached(t *testing.T) {
	e := engine(t, "Mixtral-8x7B", "H100", BF16, Parallel{TP: 4})
	if got := e.reach(1); got != 2 {
		t.Errorf("one token reaches %v experts, want 2", got)
	}
	if got := e.reach(1000); math.Abs(got-8) > 1e-12 {
		t.Errorf("1,000 tokens reach %v experts, want 8", got)
	}
	kv := make([]int, 64)
	for i := range kv {
		kv[i] = 1000
	}
	one, many := must(e.Step(nil, kv[:1])), must(e.Step(nil, kv))
	if chunk := must(e.Chunk(nil, kv)).LatencyMS; math.Abs(many/chunk-1) > .02 {
		t.Errorf("64 tokens take %v ms, the reference says %v", many, chunk)
	}
	if dec := must(e.Decode(1, 1000, 0)).LatencyMS; math.Abs(one/dec-1) > .02 {
		t.Errorf("one token takes %v ms, the reference says %v in decoding", one, dec)
	}
}

// single is a service that answers one request at a time, with one token.
func single(t *testing.T) (s Service, stepMS func(prompt int) float64) {
	e := engine(t, "Llama-3.1-8B", "H100", BF16, Parallel{})
	return Service{Engine: e, Scheduler: Scheduler{MaxBatch: 1}}, func(n int) float64 { return must(e.Step([]Piece{{0, n}}, nil)) }
}

// TestMD1 compares the mean wait with that of the queue M/D/1, ρS/2(1−ρ), and
// its other known numbers.
func TestMD1(t *testing.T) {
	s, step := single(t)
	ms := step(1000)
	for _, rho := range []float64{.3, .6, .8, .9} {
		n := 100_000
		if testing.Short() {
			n = 20_000
		}
		load := Load{RatePerS: rho / ms * 1000, Requests: n, Prompt: fixed(1000), Output: fixed(1), Seed: 11}
		r := must(s.Run(must(load.Draw())))
		want := rho * ms / (2 * (1 - rho))
		tolerance := .08
		if testing.Short() {
			tolerance = .25
		}
		if math.Abs(r.Wait.Mean/want-1) > tolerance {
			t.Errorf("ρ=%v: mean wait %.4g ms, want %.4g", rho, r.Wait.Mean, want)
		}
		if math.Abs(r.Utilisation-rho) > .02 {
			t.Errorf("ρ=%v: utilisation %v", rho, r.Utilisation)
		}
		idle := 0
		for i := range r.Outcomes {
			if o := &r.Outcomes[i]; o.StartMS == o.ArrivalMS {
				idle++
			}
			if d := r.Outcomes[i].FirstMS - r.Outcomes[i].StartMS; math.Abs(d-ms) > 1e-6*ms {
				t.Fatalf("a step takes %v ms, want %v", d, ms)
			}
		}
		if got := float64(idle) / float64(n); math.Abs(got-(1-rho)) > .02 {
			t.Errorf("ρ=%v: %v do not wait, want %v", rho, got, 1-rho)
		}
		if r.TPOT != (Summary{}) {
			t.Errorf("answers of one token have no time between tokens, but %+v", r.TPOT)
		}
	}
}

// TestMG1 compares with Pollaczek and Khinchine: the mean wait is
// λE[S²]/2(1−ρ) whatever the lengths are.
func TestMG1(t *testing.T) {
	s, step := single(t)
	load := Load{RatePerS: 1, Requests: 100_000, Prompt: Lengths{Mean: 800, CV: .8, Min: 16, Max: 6000}, Output: fixed(1), Seed: 5}
	requests := must(load.Draw())
	m1, m2 := 0.0, 0.0
	for _, q := range requests {
		x := step(q.Prompt)
		m1 += x
		m2 += x * x
	}
	m1, m2 = m1/float64(len(requests)), m2/float64(len(requests))
	load.RatePerS = .7 / m1 * 1000
	r := must(s.Run(must(load.Draw())))
	if want := load.RatePerS / 1000 * m2 / (2 * (1 - .7)); math.Abs(r.Wait.Mean/want-1) > .08 {
		t.Errorf("mean wait %.4g ms, want %.4g", r.Wait.Mean, want)
	}
}

// TestPreemption: memory that runs out sends sequences back, all are still
// answered, and reserving makes them wait instead.
func TestPreemption(t *testing.T) {
	for i, e := range engines(t)[1:3] {
		requests := must(Load{RatePerS: 100, Requests: 100, Prompt: Lengths{Mean: 300, CV: 1, Max: 2000}, Output: Lengths{Mean: 300, CV: 1, Max: 2000}, Seed: 8}.Draw())
		grow := must(Service{Engine: e}.Run(requests))
		hold := must(Service{Engine: e, Scheduler: Scheduler{Reserve: true}}.Run(requests))
		counted := 0
		for _, o := range grow.Outcomes {
			counted += o.Preempted
		}
		if grow.Preemptions == 0 || counted != grow.Preemptions || hold.Preemptions != 0 {
			t.Errorf("engine %d: %d preemptions, %d of the requests; %d with memory reserved", i, grow.Preemptions, counted, hold.Preemptions)
		}
		if grow.MeanBatch <= hold.MeanBatch {
			t.Errorf("engine %d: batches of %v grow, of %v are reserved", i, grow.MeanBatch, hold.MeanBatch)
		}
		if grow.PeakKVGB < .9*(.9*e.d.Platform.MemoryGB-grow.WeightsGB) {
			t.Errorf("engine %d: at most %v GB are used beside %v of weights", i, grow.PeakKVGB, grow.WeightsGB)
		}
	}
}

func services(t *rapid.T, es []*Engine) (Service, Load) {
	s := Service{Engine: rapid.SampledFrom(es).Draw(t, "engine"), Replicas: rapid.IntRange(0, 3).Draw(t, "replicas"),
		Scheduler: Scheduler{MaxBatch: rapid.SampledFrom([]int{1, 2, 5, 32, 256}).Draw(t, "batch"), Chunk: rapid.SampledFrom([]int{0, 0, 64, 700}).Draw(t, "chunk"),
			Reserve: rapid.Bool().Draw(t, "reserve"), Block: rapid.SampledFrom([]int{1, 16, 100}).Draw(t, "block"), MaxTokens: rapid.SampledFrom([]int{0, 1000}).Draw(t, "tokens")}}
	l := Load{RatePerS: rapid.Float64Range(.1, 200).Draw(t, "rate"), Requests: rapid.IntRange(1, 150).Draw(t, "requests"), Seed: rapid.Uint64().Draw(t, "seed"),
		Arrivals: rapid.SampledFrom([]Arrivals{Poisson, Even, AtOnce}).Draw(t, "arrivals"),
		Prompt:   Lengths{Mean: 300, CV: 1, Max: 2000}, Output: Lengths{Mean: 60, CV: 1, Max: 400}}
	return s, l
}

// engines for the laws: one with much memory, and others with room for few
// sequences, so that they are preempted.
func engines(t *testing.T) []*Engine {
	small := deployment("Llama-3.1-8B", "H100", BF16, Parallel{})
	small.Platform.MemoryGB = 17.3
	two := deployment("Llama-2-7B", "A100_40GB", BF16, Parallel{PP: 2})
	two.Platform.MemoryGB = 8
	pim := deployment("Llama-2-7B", "H100", BF16, Parallel{PP: 3})
	pim.Platform.PIM = &PIM{GBs: 20000, TFLOPS: 20, Interleave: true}
	return []*Engine{engine(t, "Llama-3.1-8B", "H100", FP8, Parallel{TP: 2}), must(New(small)), must(New(two)), must(New(pim)), engine(t, "Mixtral-8x7B", "MI300X", FP8, Parallel{PP: 4, EP: 2})}
}

// TestLaws holds every run to conservation, order and Little's law. The mean
// number in the system is integrated over events, the times are those of the
// requests, so that they agree is not built in.
func TestLaws(t *testing.T) {
	es := engines(t)
	preempted, peak := 0, 0
	// One series of examples in eight preempts nothing: eight of them, once in 10⁷ runs.
	laws := func(t *rapid.T) {
		s, l := services(t, es)
		requests := must(l.Draw())
		r, err := s.Run(requests)
		if err != nil {
			t.Fatal(err)
		}
		preempted += r.Preemptions
		peak = max(peak, r.PeakQueue)
		tokens, inside, waited := 0, 0.0, 0.0
		for i := range r.Outcomes {
			o := &r.Outcomes[i]
			tokens += o.Output
			if o.Output != requests[i].Output || o.ArrivalMS != requests[i].ArrivalMS || !(o.ArrivalMS <= o.StartMS && o.StartMS < o.FirstMS && o.FirstMS <= o.DoneMS && o.DoneMS <= r.DurationMS+1e-9) {
				t.Fatalf("request %d, %+v: %+v", i, requests[i], *o)
			}
			if (o.Output == 1) != (o.FirstMS == o.DoneMS) {
				t.Fatalf("%d tokens between %v and %v", o.Output, o.FirstMS, o.DoneMS)
			}
			inside += o.DoneMS - o.ArrivalMS
			waited += o.StartMS - o.ArrivalMS
		}
		if l := inside / r.DurationMS; math.Abs(r.MeanInSystem-l) > 1e-6*l {
			t.Errorf("Little: %v in the system over time, %v by their times", r.MeanInSystem, l)
		}
		if q := waited / r.DurationMS; r.MeanQueue < q*(1-1e-6) || r.Preemptions == 0 && r.MeanQueue > q*(1+1e-6)+1e-9 {
			t.Errorf("Little: %v wait over time, %v by their times, %d preempted", r.MeanQueue, q, r.Preemptions)
		}
		if math.Abs(r.TokensPerS*r.DurationMS/1000-float64(tokens)) > 1e-6 {
			t.Errorf("%v tokens a second in %v ms, for %d", r.TokensPerS, r.DurationMS, tokens)
		}
		if r.Utilisation <= 0 || r.Utilisation > 1+1e-9 || r.MeanBatch < 1-1e-9 || r.MeanBatch > float64(max(s.Scheduler.MaxBatch, s.Engine.stages)) {
			t.Errorf("utilisation %v, batch %v", r.Utilisation, r.MeanBatch)
		}
		if r.MemoryGB() > .9*s.Engine.d.Platform.MemoryGB*(1+1e-9) {
			t.Errorf("%v GB used of %v", r.MemoryGB(), s.Engine.d.Platform.MemoryGB)
		}
		if s.Scheduler.Reserve && r.Preemptions > 0 {
			t.Errorf("%d preemptions although memory is reserved", r.Preemptions)
		}
		if a, b, c := r.Total.P50, r.Total.P95, r.Total.P99; !(a <= b && b <= c && c <= r.Total.Max) {
			t.Errorf("percentiles %+v", r.Total)
		}
		// A step takes what all chips draw at most.
		if most := s.Engine.d.Platform.PowerW * float64(s.Engine.d.Parallel.Accelerators()*max(s.Replicas, 1)) * r.DurationMS / 1000; r.EnergyJ < .3*most || r.EnergyJ > most {
			t.Errorf("%v J, want between 0.3 and 1 of %v", r.EnergyJ, most)
		}
		again := must(s.Run(requests))
		if !reflect.DeepEqual(r, again) {
			t.Error("the same run gives another report")
		}
	}
	for i := 0; i < 8 && (i == 0 || !testing.Short() && preempted == 0); i++ {
		rapid.Check(t, laws)
	}
	if !testing.Short() && (preempted == 0 || peak < 10) {
		t.Errorf("%d preemptions, %d waiting at most: the laws were not tried where they matter", preempted, peak)
	}
}

// TestSaturation: batches that begin and end together make what the closed form
// says, and no order makes more by much.
func TestSaturation(t *testing.T) {
	for name, c := range map[string]struct {
		par      Parallel
		replicas int
		batch    int
		count    int
	}{"one": {Parallel{TP: 2}, 1, 16, 64}, "replicas": {Parallel{TP: 2}, 3, 8, 96}, "one at a time": {Parallel{}, 1, 1, 7}} {
		s := Service{Engine: engine(t, "Llama-3.1-8B", "H100", BF16, c.par), Replicas: c.replicas, Scheduler: Scheduler{MaxBatch: c.batch, MaxTokens: 1 << 20}}
		r := must(s.Run(must(Load{Requests: c.count, Arrivals: AtOnce, Prompt: fixed(500), Output: fixed(64)}.Draw())))
		want := must(s.Saturation(500, 64))
		if !close9(r.TokensPerS, want) {
			t.Errorf("%s: %v tokens/s, want %v", name, r.TokensPerS, want)
		}
		if !close9(r.Utilisation, 1) {
			t.Errorf("%s: utilisation %v at saturation", name, r.Utilisation)
		}
	}
	// A pipeline is full but at its ends and where prompts meet tokens.
	s := Service{Engine: engine(t, "Llama-3.1-8B", "H100", BF16, Parallel{PP: 4}), Scheduler: Scheduler{MaxBatch: 64, MaxTokens: 1 << 20}}
	r := must(s.Run(must(Load{Requests: 64 * 8, Arrivals: AtOnce, Prompt: fixed(100), Output: fixed(200)}.Draw())))
	want := must(s.Saturation(100, 200))
	if r.TokensPerS > want*(1+1e-9) || r.TokensPerS < .93*want {
		t.Errorf("a pipeline makes %v tokens/s, want just below %v", r.TokensPerS, want)
	}
	// Memory for less than a batch.
	d := s.Engine.Deployment()
	d.Parallel = Parallel{}
	d.Platform.MemoryGB = 19
	s = Service{Engine: must(New(d)), Scheduler: Scheduler{MaxBatch: 64, MaxTokens: 1 << 20, Reserve: true}}
	requests := must(Load{Requests: 300, Arrivals: AtOnce, Prompt: fixed(1000), Output: fixed(64)}.Draw())
	r, want = must(s.Run(requests)), must(s.Saturation(1000, 64))
	if r.MeanBatch > 20 || math.Abs(r.TokensPerS/want-1) > .12 {
		t.Errorf("a full memory makes %v tokens/s in batches of %v, want about %v", r.TokensPerS, r.MeanBatch, want)
	}
}

// TestChunksBoundPauses is why prompts are read in pieces: no token waits for a
// whole prompt.
func TestChunksBoundPauses(t *testing.T) {
	e := engine(t, "Llama-3.1-70B", "H100", BF16, Parallel{TP: 4})
	requests := must(Load{RatePerS: 1.2, Requests: 200, Prompt: Lengths{Mean: 3000, CV: .5, Max: 8000}, Output: Lengths{Mean: 200, CV: .5, Max: 800}, Seed: 2}.Draw())
	run := func(chunk int) *Report {
		return must(Service{Engine: e, Scheduler: Scheduler{MaxBatch: 64, Chunk: chunk}}.Run(requests))
	}
	whole, pieces := run(0), run(256)
	if pieces.TPOT.P99 >= whole.TPOT.P99 {
		t.Errorf("TPOT p99 is %v ms with pieces, %v with whole prompts", pieces.TPOT.P99, whole.TPOT.P99)
	}
	if pieces.TTFT.P50 <= whole.TTFT.P50 {
		t.Errorf("TTFT p50 is %v ms with pieces, %v with whole prompts", pieces.TTFT.P50, whole.TTFT.P50)
	}
	if r := run(1 << 20); r.Steps >= pieces.Steps {
		t.Errorf("%d steps with boundless pieces, %d with pieces of 256", r.Steps, pieces.Steps)
	}
}

func TestLoadMoves(t *testing.T) {
	e := engine(t, "Llama-3.1-8B", "A100_80GB", BF16, Parallel{})
	last := Report{}
	for _, rate := range []float64{1, 4, 16, 64} {
		l := Load{RatePerS: rate, Requests: 300, Prompt: Lengths{Mean: 512, CV: 1}, Output: Lengths{Mean: 128, CV: 1}, Seed: 9}
		r := must(Service{Engine: e, Scheduler: Scheduler{MaxBatch: 64}}.Run(must(l.Draw())))
		if r.TTFT.Mean < last.TTFT.Mean || r.Utilisation < last.Utilisation || r.MeanBatch < last.MeanBatch {
			t.Errorf("at %v a second TTFT falls from %v to %v, utilisation from %v to %v, batches from %v to %v", rate, last.TTFT.Mean, r.TTFT.Mean, last.Utilisation, r.Utilisation, last.MeanBatch, r.MeanBatch)
		}
		if r.Attained(1e12, 1e12) != 1 || r.Attained(0, 1e12) != 0 {
			t.Error("all keep limits of forever, none those of 0")
		}
		last = *r
	}
	two := must(Service{Engine: e, Replicas: 2, Scheduler: Scheduler{MaxBatch: 64}}.Run(must(Load{RatePerS: 64, Requests: 300, Prompt: Lengths{Mean: 512, CV: 1}, Output: Lengths{Mean: 128, CV: 1}, Seed: 9}.Draw())))
	if two.TTFT.Mean >= last.TTFT.Mean {
		t.Errorf("two replicas need %v ms to the first token, one %v", two.TTFT.Mean, last.TTFT.Mean)
	}
}

func TestDraw(t *testing.T) {
	l := Load{RatePerS: 10, Requests: 50_000, Prompt: Lengths{Mean: 1000, CV: .5}, Output: Lengths{Mean: 100, CV: 2, Min: 10, Max: 300}, Seed: 1}
	q := must(l.Draw())
	sum, squares, lo, hi := 0.0, 0.0, math.MaxInt, 0
	for _, r := range q {
		sum += float64(r.Prompt)
		squares += float64(r.Prompt) * float64(r.Prompt)
		lo, hi = min(lo, r.Output), max(hi, r.Output)
	}
	n := float64(len(q))
	mean := sum / n
	if cv := math.Sqrt(squares/n-mean*mean) / mean; math.Abs(mean/1000-1) > .02 || math.Abs(cv/.5-1) > .03 {
		t.Errorf("prompts have mean %v and coefficient %v, want 1000 and 0.5", mean, cv)
	}
	if lo != 10 || hi != 300 {
		t.Errorf("answers are %d to %d tokens, want 10 to 300", lo, hi)
	}
	if rate := n / q[len(q)-1].ArrivalMS * 1000; math.Abs(rate/10-1) > .02 {
		t.Errorf("%v arrive a second, want 10", rate)
	}
	l.RatePerS = 20
	for i, r := range must(l.Draw()) {
		if r.Prompt != q[i].Prompt || r.Output != q[i].Output || math.Abs(r.ArrivalMS*2-q[i].ArrivalMS) > 1e-6 {
			t.Fatalf("twice the rate changes request %d from %+v to %+v", i, q[i], r)
		}
	}
	l.Seed = 2
	if r := must(l.Draw()); r[0] == q[0] || reflect.DeepEqual(r[1], q[1]) {
		t.Error("another seed draws the same")
	}
}

// TestSameEverywhere pins the bits of a run.
func TestSameEverywhere(t *testing.T) {
	s := Service{Engine: engine(t, "Mixtral-8x7B", "H100", FP8, Parallel{TP: 2, PP: 2}), Replicas: 2, Scheduler: Scheduler{MaxBatch: 32, Chunk: 512}}
	r := must(s.Run(must(Load{RatePerS: 30, Requests: 100, Prompt: Lengths{Mean: 700, CV: 1}, Output: Lengths{Mean: 100, CV: 1}, Seed: 4}.Draw())))
	got := []uint64{math.Float64bits(r.TTFT.P99), math.Float64bits(r.TPOT.Mean), math.Float64bits(r.EnergyJ), math.Float64bits(r.MeanQueue), uint64(r.Steps)}
	want := []uint64{0x40507c82b78860f4, 0x40158a02554c3d00, 0x40d00c2af528639b, 0x3f9c347f3505148c, 0xd73}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("found %#v, want %#v", got, want)
	}
}

func TestBadRequests(t *testing.T) {
	e := engine(t, "Llama-3.1-8B", "H100", BF16, Parallel{})
	ok := []Request{{0, 10, 10}, {5, 10, 10}}
	run := func(s Service, q []Request) error { _, err := s.Run(q); return err }
	mamba := engine(t, "mamba-130m-hf", "H100", BF16, Parallel{})
	off := e.Deployment()
	off.Offload = true
	big := deployment("Llama-3.1-70B", "H100", BF16, Parallel{})
	for want, err := range map[string]error{
		"requests: found 0": run(Service{Engine: e}, nil),
		"requests[1].arrival_ms: found -1, want at least 0": run(Service{Engine: e}, []Request{{0, 1, 1}, {-1, 1, 1}}),
		"requests[0].arrival_ms: found NaN":                 run(Service{Engine: e}, []Request{{math.NaN(), 1, 1}}),
		"requests[1].prompt: found 0":                       run(Service{Engine: e}, []Request{{0, 1, 1}, {1, 0, 1}}),
		"requests[0].output: found -7":                      run(Service{Engine: e}, []Request{{0, 1, -7}}),
		"scheduler.max_batch: found -1":                     run(Service{Engine: e, Scheduler: Scheduler{MaxBatch: -1}}, ok),
		"scheduler.memory_share: found 1.5":                 run(Service{Engine: e, Scheduler: Scheduler{MemoryShare: 1.5}}, ok),
		"scheduler.chunk: found -2":                         run(Service{Engine: e, Scheduler: Scheduler{Chunk: -2}}, ok),
		"replicas: found -1":                                run(Service{Engine: e, Replicas: -1}, ok),
		"continuous batching of others is not supported":    run(Service{Engine: mamba}, ok),
		"offloaded memory is not supported":                 run(Service{Engine: must(New(off))}, ok),
		"request 1 of 1000001 tokens needs more memory":     run(Service{Engine: e}, []Request{{0, 1, 1}, {1, 1_000_000, 1}}),
		"does not fit: an accelerator has 72 GB":            run(Service{Engine: must(New(big))}, ok),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
	var fit *FitError
	if err := run(Service{Engine: must(New(big))}, ok); !errors.As(err, &fit) {
		t.Errorf("error is %v, want a FitError", err)
	}
	for want, l := range map[string]Load{
		"requests: found 0":                        {RatePerS: 1},
		"rate_per_s: found -2":                     {RatePerS: -2, Requests: 1, Prompt: fixed(1), Output: fixed(1)},
		"rate_per_s: found NaN":                    {RatePerS: math.NaN(), Requests: 1, Prompt: fixed(1), Output: fixed(1)},
		"prompt.mean: found 0":                     {RatePerS: 1, Requests: 1, Output: fixed(1)},
		"output.cv: found -1":                      {RatePerS: 1, Requests: 1, Prompt: fixed(1), Output: Lengths{Mean: 1, CV: -1}},
		"output.min: found 5, want at most":        {RatePerS: 1, Requests: 1, Prompt: fixed(1), Output: Lengths{Mean: 1, Min: 5, Max: 4}},
		"arrivals: found 9, want Poisson, Even or": {RatePerS: 1, Requests: 1, Prompt: fixed(1), Output: fixed(1), Arrivals: 9},
	} {
		if _, err := l.Draw(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
	for text, want := range map[string]string{
		"":                                     "t.csv: found no requests",
		"a,b\n":                                "t.csv:1: found the columns",
		"arrival_ms,prompt,output\n":           "found no requests",
		"arrival_ms,prompt,output\n0,1\n":      "t.csv:2: found 2 columns",
		"arrival_ms,prompt,output\n\n-1,1,1\n": "t.csv:3: arrival_ms: found \"-1\"",
		"arrival_ms,prompt,output\n5,1,1\n4,1,1\n":    "t.csv:3: arrival_ms: found 4 after 5",
		"arrival_ms,prompt,output\nNaN,1,1\n":         "arrival_ms: found \"NaN\"",
		"arrival_ms,prompt,output\n0,0,1\n":           "prompt: found \"0\"",
		"arrival_ms,prompt,output\n0,1,99999999999\n": "output: found \"99999999999\"",
	} {
		if _, err := ReadTrace("t.csv", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want %q", text, err, want)
		}
	}
}

// BenchmarkService measures the event layer: 500 requests of 250 tokens.
func BenchmarkService(b *testing.B) {
	s := Service{Engine: engine(b, "Llama-3.1-70B", "H100", FP8, Parallel{TP: 4}), Scheduler: Scheduler{MaxBatch: 128, Chunk: 512}}
	requests := must(Load{RatePerS: 8, Requests: 500, Prompt: Lengths{Mean: 1000, CV: 1}, Output: Lengths{Mean: 250, CV: 1}}.Draw())
	b.ReportAllocs()
	steps := 0
	for b.Loop() {
		r, err := s.Run(requests)
		if err != nil {
			b.Fatal(err)
		}
		steps += r.Steps
	}
	b.ReportMetric(float64(steps)/b.Elapsed().Seconds(), "steps/s")
}
