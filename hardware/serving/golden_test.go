package serving

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// close9 reports whether got is want within 1e-9 relative, the bar.
func close9(got, want float64) bool { return math.Abs(got-want) <= 1e-9*math.Abs(want)+1e-15 }

// A goldenCase is a line of testdata/golden.jsonl.gz, which gen/golden.py wrote
// with genz-llm 0.0.16.
type goldenCase struct {
	Phase, Model, Platform, Bits string
	TP, PP, EP                   int
	Eff                          float64
	Offload                      bool
	Batch, Beams, Input, Output  int
	Prefill                      [][2]int
	Decode                       []int
	Want                         struct {
		Unfit      string
		LatencyMS  float64 `json:"latency_ms"`
		Throughput float64
		Offloaded  bool
		Breakdown  map[string]float64
		WeightsMB  float64 `json:"weights_mb"`
		UnusedMB   float64 `json:"unused_mb"`
		KVMB       float64 `json:"kv_mb"`
		MFLOP      float64
		DataMB     float64 `json:"data_mb"`
	}
}

func (c goldenCase) deployment() (Deployment, error) {
	m, err := FindModel(c.Model)
	if err != nil {
		return Deployment{}, err
	}
	p, err := FindPlatform(c.Platform)
	if err != nil {
		return Deployment{}, err
	}
	if c.Eff > 0 {
		p.ComputeEff, p.MemoryEff = c.Eff, c.Eff
	}
	var f Format
	if err := f.UnmarshalText([]byte(c.Bits)); err != nil {
		return Deployment{}, err
	}
	return Deployment{Model: m, Platform: p, Precision: Uniform(f), Parallel: Parallel{c.TP, c.PP, c.EP}, Offload: c.Offload, Compat: true}, nil
}

func (c goldenCase) run() (Result, error) {
	d, err := c.deployment()
	if err != nil {
		return Result{}, err
	}
	e, err := New(d)
	if err != nil {
		return Result{}, err
	}
	switch c.Phase {
	case "prefill":
		return e.Prefill(c.Batch, c.Input)
	case "decode":
		return e.DecodeBeams(c.Batch, c.Beams, c.Input, c.Output)
	}
	var ps []Piece
	for _, p := range c.Prefill {
		ps = append(ps, Piece{p[0], p[1]})
	}
	return e.Chunk(ps, c.Decode)
}

func golden(tb testing.TB) (cases []goldenCase) {
	f, err := os.Open("testdata/golden.jsonl.gz")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	for s := bufio.NewScanner(z); s.Scan(); {
		var c goldenCase
		if err := json.Unmarshal(s.Bytes(), &c); err != nil {
			tb.Fatal(err)
		}
		cases = append(cases, c)
	}
	return cases
}

// byReference are the parts of a breakdown by the names the reference has for
// them.
func byReference(b Breakdown) map[string]float64 {
	return map[string]float64{
		"Embedding": b.EmbeddingMS, "MHA": b.AttentionMS, "FFN": b.FFNMS, "Collective": b.CollectiveMS,
		"LA_layers": b.LogitAttendMS, "QKVO_layers": b.ProjectionMS, "FFN_layers": b.FFNLayersMS,
		"AR_time": b.AllReduceMS, "A2A_time": b.AllToAllMS, "Send_Recv_time": b.SendMS, "Mamba_time": b.MambaMS,
	}
}

var unfit = regexp.MustCompile(`Cap:([\d.]+) GB , Weights : ([\d.]+) GB, KV Cache:(\S+?)\. ?$`)

// TestReference holds every number of the reference to 1e-9: latency,
// throughput, eleven parts of the time, sizes, operations, and what does not
// fit.
func TestReference(t *testing.T) {
	cases := golden(t)
	numbers, refused := 0, 0
	seen := map[string]bool{}
	for i, c := range cases {
		got, err := c.run()
		name := fmt.Sprintf("line %d, %s of %s on %s, tp %d pp %d ep %d, %s", i+1, c.Phase, c.Model, c.Platform, c.TP, c.PP, c.EP, c.Bits)
		if c.Want.Unfit != "" {
			var fit *FitError
			if !errors.As(err, &fit) {
				t.Errorf("%s: error is %v, want it not to fit: %s", name, err, c.Want.Unfit)
				continue
			}
			w := unfit.FindStringSubmatch(c.Want.Unfit)
			for j, got := range []float64{fit.AvailableGB, fit.WeightsGB * float64(c.PP), fit.KVGB * float64(c.PP)} {
				if want, _ := strconv.ParseFloat(w[j+1], 64); !close9(got, want) {
					t.Errorf("%s: %s: found %v", name, c.Want.Unfit, got)
				}
			}
			refused++
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		seen[c.Model] = true
		check := func(what string, got, want float64) {
			numbers++
			if !close9(got, want) {
				t.Errorf("%s: %s is %.15g, want %.15g (%.2g off)", name, what, got, want, got/want-1)
			}
		}
		check("latency", got.LatencyMS, c.Want.LatencyMS)
		check("throughput", got.Throughput, c.Want.Throughput)
		check("weights", got.WeightsGB*1024, c.Want.WeightsMB)
		check("unused weights", got.UnusedGB*1024, c.Want.UnusedMB)
		check("KV", got.KVGB*1024, c.Want.KVMB)
		check("operations", got.TFLOP*1e6, c.Want.MFLOP)
		check("data", got.DataGB*1024, c.Want.DataMB)
		for part, x := range byReference(got.Breakdown) {
			check(part, x, c.Want.Breakdown[part])
		}
		if got.Offloaded != c.Want.Offloaded {
			t.Errorf("%s: offloaded is %v, want %v", name, got.Offloaded, c.Want.Offloaded)
		}
	}
	if len(cases) < 800 || refused < 10 || len(seen) < 70 {
		t.Errorf("%d evaluations of %d models, %d of which do not fit: the file has lost some", len(cases), len(seen), refused)
	}
	t.Logf("%d evaluations of %d models, %d numbers, %d do not fit", len(cases), len(seen), numbers, refused)
}

// TestRecorded compares with the 62 evaluations that were recorded from another
// copy of the reference, to the digits they were printed with, and the four that
// do not fit.
func TestRecorded(t *testing.T) {
	text := shared(t, "serving-golden/golden.txt")
	line := regexp.MustCompile(`^([PD]) (\S+) (\S+) tp(\d+) (\S+) b(\d+) i(\d+)(?: o(\d+))? lat_ms=(\S+) thr=(\S+) \{(.*)\}$`)
	n, unfit := 0, 0
	for s := range strings.Lines(string(text)) {
		if f := strings.Fields(s); len(f) > 5 && f[0] == "X" {
			tp, _ := strconv.Atoi(f[3])
			_, err := goldenCase{Phase: "prefill", Model: f[1], Platform: f[2], TP: tp, Bits: f[4], Batch: 4, Input: 2048}.run()
			var fit *FitError
			weights, _ := strconv.ParseFloat(regexp.MustCompile(`Weights : ([\d.]+)`).FindStringSubmatch(s)[1], 64)
			if !errors.As(err, &fit) || !close9(fit.WeightsGB, weights) {
				t.Errorf("%s: error is %v", strings.TrimSpace(s), err)
			}
			unfit++
			continue
		}
		w := line.FindStringSubmatch(strings.TrimSpace(s))
		if w == nil {
			continue
		}
		n++
		num := func(i int) int { x, _ := strconv.Atoi(w[i]); return x }
		c := goldenCase{Phase: "prefill", Model: w[2], Platform: w[3], TP: num(4), Bits: w[5], Batch: num(6), Beams: 1, Input: num(7), Output: num(8)}
		if w[1] == "D" {
			c.Phase = "decode"
		}
		got, err := c.run()
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		check := func(what string, got float64, want string, verb byte, digits int) {
			if s := strconv.FormatFloat(got, verb, digits, 64); s != want {
				x, err := strconv.ParseFloat(want, 64)
				if y, _ := strconv.ParseFloat(s, 64); err != nil || x != y {
					t.Errorf("%s: %s is %s, want %s", w[0][:60], what, s, want)
				}
			}
		}
		check("latency", got.LatencyMS, w[9], 'g', 9)
		check("throughput", got.Throughput, w[10], 'g', 9)
		parts := byReference(got.Breakdown)
		for _, p := range strings.Split(w[11], ", ") {
			name, want, _ := strings.Cut(p, ": ")
			check(name, parts[strings.Trim(name, "'")], want, 'f', 6)
		}
	}
	if n != 62 || unfit != 4 {
		t.Errorf("found %d evaluations and %d that do not fit, want 62 and 4", n, unfit)
	}
}

// shared reads a file of the data that is kept beside the repository.
func shared(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", filepath.FromSlash(name)))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("needs ../shared/data/%s beside the repository; testdata/golden.jsonl.gz holds the same configurations", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestLayers compares single operators with the reference's own golden tables
// of two models on two platforms, which an older version of it wrote.
func TestLayers(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(string(shared(t, "accel-genz/genz_golden_layers.csv")))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	col := map[string]int{}
	for i, name := range rows[0] {
		col[name] = i
	}
	f := func(row []string, name string) float64 { x, _ := strconv.ParseFloat(row[col[name]], 64); return x }
	found := 0
	for name, d := range map[string]struct {
		model  string
		tflops float64
		bw     float64
		phase  Phase
	}{
		"llama2_7b_prefill_on_TPU": {"llama2_7b", 300, 1200, Prefill}, "llama2_7b_decode_on_TPU": {"llama2_7b", 300, 1200, Decode},
		"mixtral_8x7b_prefill_on_GH200": {"mixtral_8x7b", 2000, 4900, Prefill}, "mixtral_8x7b_decode_on_GH200": {"mixtral_8x7b", 2000, 4900, Decode},
	} {
		m, err := FindModel(d.model)
		if err != nil {
			t.Fatal(err)
		}
		e, err := New(Deployment{Model: m, Platform: Platform{TFLOPS: d.tflops, MemoryGB: 144, MemoryGBs: d.bw, ComputeEff: .8, MemoryEff: .8}})
		if err != nil {
			t.Fatal(err)
		}
		ops, err := e.Operators(d.phase, 1, 1024, 32)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] {
			if row[0] != name {
				continue
			}
			match := false
			for _, o := range ops {
				match = match || close9(o.FLOP, f(row, "Num ops (MFLOP)")*1e6) && close9(o.SecondBytes, f(row, "Input_w (MB)")*mib) &&
					close9(o.InputBytes, f(row, "Input_a (MB)")*mib) && close9(o.OutputBytes, f(row, "Output (MB)")*mib) &&
					close9(o.ComputeMS, f(row, "Compute time (msec)")) && close9(o.MemoryMS, f(row, "Memory time (msec)")) && close9(o.LatencyMS, f(row, "Latency (msec)"))
			}
			if !match {
				t.Errorf("%s: no operator has the operations and sizes of %v", name, row[:3])
			}
			found++
		}
	}
	if found != 32 {
		t.Errorf("compared %d rows, want 32", found)
	}
}

// TestPlatforms compares the table with the reference's.
func TestPlatforms(t *testing.T) {
	var refs struct {
		Platforms map[string]struct {
			Flops, ICN float64
			Size       float64  `json:"Memory_size"`
			BW         float64  `json:"Memory_BW"`
			Hop        *float64 `json:"ICN_LL"`
		}
	}
	if err := json.Unmarshal(shared(t, "accel-genz/genz_scalar_refs.json"), &refs); err != nil {
		t.Fatal(err)
	}
	if len(refs.Platforms) != len(platforms) {
		t.Errorf("%d platforms, want %d", len(platforms), len(refs.Platforms))
	}
	for _, p := range platforms {
		w := refs.Platforms[p.Name]
		hop := 1.0
		if w.Hop != nil {
			hop = *w.Hop
		}
		if got, want := [5]float64{p.TFLOPS, p.MemoryGB, p.MemoryGBs, p.LinkGBs, p.LinkUS}, [5]float64{w.Flops, w.Size, w.BW, w.ICN, hop}; got != want {
			t.Errorf("%s is %v, want %v", p.Name, got, want)
		}
	}
}
