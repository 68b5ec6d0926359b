package devicenas

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/hardware/device"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problem/problemtest"
	"github.com/daedalus-search/daedalus/problems/nasbench201"
	"github.com/daedalus-search/daedalus/problems/tables"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{}, {Device: "samsung_a50", Dataset: "cifar100", TargetMS: 15, Choose: "spread"},
		{Predictor: "measured"}, {Predictor: "roofline", Samples: 30}, {Predictor: "monotone", Device: "fpga"},
		{Networks: "fbnet"}, {Networks: "fbnet", Device: "2080ti_64", Predictor: "alone", Samples: 200, Choose: "random"}, {Networks: "fbnet", Device: "eyeriss", Predictor: "measured"},
	} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			t.Parallel()
			p, err := o.New()
			if err != nil {
				t.Fatal(err)
			}
			problemtest.Run(t, p)
		})
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]Options{
		"networks": {Networks: "resnet"}, "dataset": {Dataset: "mnist"}, `did you mean pixel3?`: {Device: "pixle3"}, "predictor": {Predictor: "best"},
		"choose": {Choose: "first"}, "samples": {Samples: 301}, "target_ms": {TargetMS: math.NaN()}, "found both": {Measurements: "a", Model: "b"},
		"measured latencies": {Predictor: "measured", Model: "b"}, "no datasheet": {Device: "eyeriss", Predictor: "roofline"},
		"no such file": {Model: "nowhere.json"}, "batches": {},
	} {
		if want == "batches" { // of one space are not those of the other
			o, want = Options{Networks: "fbnet", Device: "1080ti_256"}, "1080ti_64"
		}
		if _, err := o.New(); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "device-nas: ") {
			t.Errorf("%+v: error %v, want one that says %q", o, err, want)
		}
	}
}

// The search sees predictions, of a model that never saw the device but for the
// samples; what verifies is the table.
func TestTruthIsNotSeen(t *testing.T) {
	t.Parallel()
	p, err := Options{Device: "1080ti_32"}.New()
	if err != nil {
		t.Fatal(err)
	}
	j := p.(*Complete)
	if got := len(j.Samples().MS); got != 10 {
		t.Errorf("%d networks measured", got)
	}
	devices, _ := j.Model().(*device.Transferred).Pool()
	if len(devices) != len(nasbench201.Devices())-3 {
		t.Errorf("the pool is %v", devices)
	}
	for _, d := range devices {
		if device.Family(d) == "1080ti" {
			t.Errorf("%s is the same device", d)
		}
	}
	truth, err := nasbench201.Latencies("1080ti_32")
	if err != nil {
		t.Fatal(err)
	}
	r := rng.New(1, "test/truth", 0)
	var predicted, measured []float64
	for len(measured) < 300 {
		d, err := p.Space().Sample(r)
		if err != nil {
			t.Fatal(err)
		}
		v, err := p.Evaluate(t.Context(), d, nil)
		var dead *problem.InfeasibleError
		if errors.As(err, &dead) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		w, err := j.Verify(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		var x []uint8
		if err := j.read(d, func(y []uint8) { x = append(x, y...) }); err != nil {
			t.Fatal(err)
		}
		if w["measured_ms"] != truth[cellOf(x)] {
			t.Fatalf("verified %v, want %v", w["measured_ms"], truth[cellOf(x)])
		}
		predicted, measured = append(predicted, v["latency_ms"]), append(measured, w["measured_ms"])
	}
	if q := device.Compare(predicted, measured); q.Spearman < 0.95 || q.Spearman == 1 {
		t.Errorf("%+v", q)
	}
	again, err := Options{Device: "1080ti_32"}.New()
	if err != nil {
		t.Fatal(err)
	}
	d, _ := p.Space().Sample(rng.New(2, "test/truth", 0))
	a, _ := p.Evaluate(t.Context(), d, nil)
	b, _ := again.Evaluate(t.Context(), d, nil)
	if a["latency_ms"] != b["latency_ms"] {
		t.Errorf("%v and %v", a, b)
	}
}

// What ten measurements cost: the front under predicted latency has nearly the
// hypervolume of the true one.
func TestTenSamplesCostLittle(t *testing.T) {
	t.Parallel()
	goal := metric.Goal{Objectives: []metric.Objective{{Metric: "accuracy", Direction: metric.Maximize}, {Metric: "latency_ms", Direction: metric.Minimize}}}
	volume := func(o Options) float64 {
		p, err := o.New()
		if err != nil {
			t.Fatal(err)
		}
		front, err := p.(*Complete).Optimum(t.Context(), goal)
		if err != nil {
			t.Fatal(err)
		}
		var points []float64
		for _, v := range front {
			points = append(points, -v["accuracy"], v["measured_ms"])
		}
		return metric.Hypervolume(points, 2, []float64{-10, 40})
	}
	whole := volume(Options{Device: "samsung_a50", Predictor: "measured"})
	if share := volume(Options{Device: "samsung_a50"}) / whole; share < 0.98 || share > 1 {
		t.Errorf("ten samples and other devices: %.4f of the hypervolume, want 0.98 to 1", share)
	}
	if share := volume(Options{Device: "samsung_a50", Predictor: "alone"}) / whole; share > 0.985 {
		t.Errorf("ten samples alone: %.4f of the hypervolume: other devices are not needed here", share)
	}
}

func TestFBNetIsThePublishedTable(t *testing.T) {
	t.Parallel()
	p, err := Options{Networks: "fbnet", Device: "gold_6240", Predictor: "measured"}.New()
	if err != nil {
		t.Fatal(err)
	}
	table, err := tables.FBNet{Device: "gold_6240"}.New()
	if err != nil {
		t.Fatal(err)
	}
	r := rng.New(1, "test/fbnet", 0)
	for range 50 {
		d, err := p.Space().Sample(r)
		if err != nil {
			t.Fatal(err)
		}
		e, err := table.Space().FromMap(d.Map())
		if err != nil {
			t.Fatal(err)
		}
		a, _ := p.Evaluate(t.Context(), d, nil)
		b, _ := table.Evaluate(t.Context(), e, nil)
		if math.Abs(a["latency_ms"]/b["latency_ms"]-1) > 1e-9 || math.Abs(a["macs_m"]-b["macs_m"]) > 1e-6 {
			t.Fatalf("%v, want %v", a, b)
		}
	}
}

// A device of your own: measured networks in a file, or a saved model.
func TestOwnDevice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var csv strings.Builder
	csv.WriteString("ops,lat_ms_mine\n")
	gold, err := nasbench201.Latencies("gold_6240")
	if err != nil {
		t.Fatal(err)
	}
	x := drawn(12, "test/own", 1)
	for i := range 12 {
		for _, v := range x[6*i : 6*i+6] {
			fmt.Fprint(&csv, v)
		}
		fmt.Fprintf(&csv, ",%g\n", 3*gold[cellOf(x[6*i:6*i+6])])
	}
	if err := os.WriteFile(filepath.Join(dir, "mine.csv"), []byte(csv.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := Options{Measurements: "mine.csv", Dir: dir}.New()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := p.(problem.Verifier); ok {
		t.Error("nobody knows the truth, but the problem verifies")
	}
	problemtest.Run(t, p)
	if q := device.Assess(p.(*Problem).Model(), p.(*Problem).Samples()); q.Spearman < 0.9 {
		t.Errorf("%+v", q)
	}
	f, err := os.Create(filepath.Join(dir, "mine.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(device.Save(f, p.(*Problem).Model()), f.Close()); err != nil {
		t.Fatal(err)
	}
	q, err := Options{Model: "mine.json", Dir: dir}.New()
	if err != nil {
		t.Fatal(err)
	}
	problemtest.Run(t, q)
	d, _ := p.Space().Sample(rng.New(1, "test/own", 0))
	a, _ := p.Evaluate(t.Context(), d, nil)
	b, _ := q.Evaluate(t.Context(), d, nil)
	if a["latency_ms"] != b["latency_ms"] {
		t.Errorf("%v measured, %v saved", a, b)
	}
	for want, o := range map[string]Options{
		"it is for the device mine": {Model: "mine.json", Device: "yours"}, "the space nasbench201, want fbnet": {Model: "mine.json", Networks: "fbnet"},
		`found "yours"`: {Measurements: "mine.csv", Device: "yours"}, "mine.csv:2": {Measurements: "mine.csv", Networks: "fbnet"},
	} {
		o.Dir = dir
		if _, err := o.New(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one that says %q", o, err, want)
		}
	}
}

func TestDraw(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{}, {Device: "eyeriss"}, {Predictor: "measured"}, {Networks: "fbnet", Device: "titanx_64"}, {Networks: "fbnet", Device: "fpga"}, {Predictor: "roofline"}} {
		p, err := o.New()
		if err != nil {
			t.Fatal(err)
		}
		r := rng.New(3, "test/draw", 0)
		for drawn := 0; drawn < 5; {
			d, err := p.Space().Sample(r)
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			err = p.(problem.Drawer).Draw(&b, d)
			var dead *problem.InfeasibleError
			if errors.As(err, &dead) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			drawn++
			x := xml.NewDecoder(&b)
			text := ""
			for {
				token, err := x.Token()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if c, ok := token.(xml.CharData); ok {
					text += string(c)
				}
			}
			for _, bad := range []string{"NaN", "Inf", "%!"} {
				if strings.Contains(text, bad) {
					t.Errorf("%+v: the drawing says %s", o, bad)
				}
			}
			if sheet := o.Device != "eyeriss" && o.Device != "fpga"; strings.Contains(text, "Roofline of") != sheet {
				t.Errorf("%+v: a roofline: %v", o, !sheet)
			}
		}
	}
}

func TestReward(t *testing.T) {
	t.Parallel()
	p, err := Options{TargetMS: 10}.New()
	if err != nil {
		t.Fatal(err)
	}
	d := p.(*Complete).space.Walk()
	for _, op := range []int{3, 1, 2, 1, 4, 3} {
		d.Next()
		d.Choose(op)
	}
	network, err := d.Design()
	if err != nil {
		t.Fatal(err)
	}
	v, err := p.Evaluate(t.Context(), network, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := 10 / math.Abs(10-v["latency_ms"]); math.Abs(v["reward"]/want-1) > 1e-12 {
		t.Errorf("reward %v at %v ms, want %v", v["reward"], v["latency_ms"], want)
	}
}

func Example() {
	p, _ := Options{Device: "samsung_a50"}.New()
	d, _ := p.Space().FromMap(map[string]any{"edge_0_1": "nor_conv_3x3", "edge_0_2": "none", "edge_1_2": "nor_conv_3x3", "edge_0_3": "skip_connect", "edge_1_3": "none", "edge_2_3": "nor_conv_1x1"})
	predicted, _ := p.Evaluate(context.Background(), d, nil)
	measured, _ := p.(*Complete).Verify(context.Background(), d)
	fmt.Printf("%.1f ms predicted from ten other networks, %.0f ms measured\n", predicted["latency_ms"], measured["measured_ms"])
	// Output: 26.9 ms predicted from ten other networks, 28 ms measured
}

func BenchmarkEvaluate(b *testing.B) {
	for _, networks := range []string{"nasbench201", "fbnet"} {
		b.Run(networks, func(b *testing.B) {
			p, err := Options{Networks: networks}.New()
			if err != nil {
				b.Fatal(err)
			}
			d, _ := p.Space().Sample(rng.New(5, "bench", 0))
			for b.Loop() {
				if _, err := p.Evaluate(b.Context(), d, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "designs/s")
		})
	}
}
