package device_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/hardware/device"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/problems/nasbench201"
	"github.com/daedalus-search/daedalus/problems/tables"
)

func small(t testing.TB) *device.Space {
	t.Helper()
	s, err := device.NewSpace("small", []device.Place{{Name: "a", Settings: []string{"x", "y", "z"}}, {Name: "b", Settings: []string{"p", "q"}}, {Name: "c", Settings: []string{"0", "1", "2", "3"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// timings draws networks and asks f how long they take.
func timings(s *device.Space, n int, seed uint64, f func(x []uint8) float64) device.Timings {
	r := rng.New(seed, "test/timings", 0)
	t := device.Timings{Space: s, Device: "d"}
	for range n {
		x := make([]uint8, len(s.Places()))
		for i, p := range s.Places() {
			x[i] = uint8(r.IntN(len(p.Settings)))
		}
		t.X, t.MS = append(t.X, x...), append(t.MS, f(x))
	}
	return t
}

// On which devices a sum over layers or edges reaches a rank correlation of 0.95
// with networks that it has not seen, fitted to 1,000; and what it reaches on the
// others. Those are noise: clocks of a millisecond and drift (phones), or
// measurements that scatter as much as networks differ.
func TestAdditiveOnHeldOutNetworks(t *testing.T) {
	t.Parallel()
	below := map[string]float64{
		"fbnet 1080ti_1": 0.92, "fbnet essential_ph_1": 0.55, "fbnet pixel2": 0.70, "fbnet samsung_a50": 0.65, "fbnet samsung_s7": 0.60, "fbnet silver_4114": 0.92,
		"nb201 essential_ph_1": 0.91, "nb201 pixel2": 0.89, "nb201 samsung_s7": 0.92, "nb201 pixel3": 0.94, "nb201 raspi4": 0.94,
	}
	m := fbnet(t)
	check := func(name string, all device.Timings) {
		fit, held := split(all, 1000)
		a, err := device.AdditiveOptions{}.Fit(fit)
		if err != nil {
			t.Fatal(err)
		}
		got := device.Assess(a, held)
		least, noisy := below[name]
		if !noisy {
			least = 0.95
		}
		if got.Spearman < least {
			t.Errorf("%s: Spearman %.4f, want at least %.2f", name, got.Spearman, least)
		}
		if noisy && got.Spearman >= 0.95 {
			t.Errorf("%s: Spearman %.4f: better than the documents say", name, got.Spearman)
		}
	}
	for _, d := range m.Devices {
		check("fbnet "+d, m.Of(d))
	}
	for _, d := range nasbench201.Devices() {
		check("nb201 "+d, nb201(t, d))
	}
}

// The four of HELP's FBNet devices that HW-NAS-Bench composed of layers are sums.
func TestComposedLatenciesAreSums(t *testing.T) {
	t.Parallel()
	m := fbnet(t)
	for _, d := range []string{"eyeriss", "fpga", "pixel3", "raspi4"} {
		fit, held := split(m.Of(d), 1000)
		a, err := device.AdditiveOptions{Ridge: 1e-3}.Fit(fit)
		if err != nil {
			t.Fatal(err)
		}
		if q := device.Assess(a, held); q.MAPE > 0.01 || q.Spearman < 0.99999 {
			t.Errorf("%s: %+v, want an error below 0.01 %%", d, q)
		}
	}
}

func TestAdditiveFindsASum(t *testing.T) {
	t.Parallel()
	s := device.FBNet()
	r := rng.New(3, "test/sum", 0)
	worth := make([]float64, 22*9)
	for i := range worth {
		worth[i] = r.Float64()
	}
	truth, err := device.NewAdditive(s, "d", 2, worth, false)
	if err != nil {
		t.Fatal(err)
	}
	all := timings(s, 700, 1, truth.LatencyMS)
	spoiled := device.Timings{Space: s, Device: "d", X: all.X, MS: slices.Clone(all.MS)}
	for i := 0; i < 600; i += 30 {
		spoiled.MS[i] *= 4
	}
	for _, c := range []struct {
		name string
		o    device.AdditiveOptions
		t    device.Timings
		most float64 // MAPE
	}{
		{"plain", device.AdditiveOptions{Ridge: 1e-6}, all, 1e-4},
		{"not negative", device.AdditiveOptions{Ridge: 1e-6, NonNegative: true}, all, 0.02},
		{"outliers", device.AdditiveOptions{Ridge: 1e-3, Robust: true}, spoiled, 0.2},
		{"outliers, plain", device.AdditiveOptions{Ridge: 1e-3}, spoiled, 100},
	} {
		fit, held := split(c.t, 600)
		m, err := c.o.Fit(fit)
		if err != nil {
			t.Fatal(err)
		}
		got := device.Assess(m, held)
		if got.MAPE > c.most {
			t.Errorf("%s: MAPE %.4g %%, want at most %g", c.name, got.MAPE, c.most)
		}
		if c.name == "outliers, plain" && got.MAPE < 1 {
			t.Errorf("%s: MAPE %.4g %%: the outliers of this test do not matter", c.name, got.MAPE)
		}
		if c.o.NonNegative && (m.Base < 0 || slices.Min(m.Worth) < 0) {
			t.Errorf("%s: base %v, least number %v", c.name, m.Base, slices.Min(m.Worth))
		}
	}
	product := timings(s, 700, 1, func(x []uint8) float64 { return math.Exp(truth.Sum(x) / 10) })
	fit, held := split(product, 600)
	m, err := device.AdditiveOptions{Ridge: 1e-6, Log: true}.Fit(fit)
	if err != nil {
		t.Fatal(err)
	}
	if got := device.Assess(m, held); got.MAPE > 1e-4 {
		t.Errorf("factors: MAPE %.4g %%", got.MAPE)
	}
}

// The layers of the spaces are those of which the published operations and
// parameters were counted.
func TestLayersAddUpToThePublishedNetworks(t *testing.T) {
	t.Parallel()
	for _, c := range []nasbench201.Cell{0, 1234, 9999, nasbench201.Cells - 1, nasbench201.CellOf([6]nasbench201.Op{3, 3, 3, 3, 3, 3})} {
		var x []uint8
		for _, op := range c.Ops() {
			x = append(x, uint8(op))
		}
		macs, weights := 0.0, 0.0
		for _, l := range device.NASBench201().Layers(x) {
			if l.Op <= device.Linear {
				macs, weights = macs+l.MACs, weights+l.Weights
			}
		}
		if macs != float64(c.FLOPs(nasbench201.CIFAR10)) {
			t.Errorf("cell %d: %v operations, want %d", c, macs, c.FLOPs(nasbench201.CIFAR10))
		}
		if p := float64(c.Params(nasbench201.CIFAR10)); weights > p || weights < 0.9*p { // parameters count normalisation and bias too
			t.Errorf("cell %d: %v weights of %v parameters", c, weights, p)
		}
	}
	p, err := tables.FBNet{}.New()
	if err != nil {
		t.Fatal(err)
	}
	r := rng.New(5, "test/layers", 0)
	for range 20 {
		x, m := make([]uint8, 22), map[string]any{}
		for i, place := range device.FBNet().Places() {
			x[i] = uint8(r.IntN(9))
			m[place.Name] = place.Settings[x[i]]
		}
		d, err := p.Space().FromMap(m)
		if err != nil {
			t.Fatal(err)
		}
		v, err := p.Evaluate(t.Context(), d, nil)
		if err != nil {
			t.Fatal(err)
		}
		macs := 0.0
		for _, l := range device.FBNet().Layers(x) {
			if l.Op <= device.Linear {
				macs += l.MACs / 1e6
			}
		}
		if math.Abs(macs-v["macs_m"]) > 1e-6 {
			t.Errorf("%v: %v M operations, want %v", x, macs, v["macs_m"])
		}
	}
	// Once-for-All's largest network has 21 places and no layer of nothing.
	x, err := device.OFANetwork([20]int{7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7}, [20]int{6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6}, [5]int{4, 4, 4, 4, 4}, 224)
	if err != nil {
		t.Fatal(err)
	}
	if err := device.OFA().Check(x); err != nil {
		t.Error(err)
	}
	macs := 0.0
	for _, l := range device.OFA().Layers(x) {
		if !(l.MACs > 0 && l.In > 0 && l.Out > 0) {
			t.Errorf("layer %+v", l)
		}
		macs += l.MACs
	}
	if macs < 500e6 || macs > 700e6 { // "up to 600 M"
		t.Errorf("%v operations for the largest network", macs)
	}
	for _, bad := range []func() error{
		func() error {
			_, err := device.OFANetwork([20]int{}, [20]int{}, [5]int{2, 2, 2, 2, 5}, 224)
			return err
		},
		func() error {
			_, err := device.OFANetwork([20]int{}, [20]int{}, [5]int{2, 2, 2, 2, 2}, 224)
			return err
		},
		func() error {
			_, err := device.OFANetwork([20]int{3, 3, 3, 3}, [20]int{3, 3, 3, 3}, [5]int{}, 224)
			return err
		},
	} {
		if bad() == nil {
			t.Error("a network that is none was accepted")
		}
	}
}

func TestRooflineIsARoofline(t *testing.T) {
	t.Parallel()
	for _, h := range device.Datasheets() {
		if err := h.Check(); err != nil {
			t.Error(err)
		}
		if h.Source == "" {
			t.Errorf("%s has no source", h.Name)
		}
		r, err := device.NewRoofline(device.FBNet(), h, 1, device.FP32)
		if err != nil {
			t.Fatal(err)
		}
		ridge := h.Ridge(device.FP32)
		if got := h.Roof(ridge, device.FP32); math.Abs(got/h.PeakGOPS[device.FP32]-1) > 1e-12 {
			t.Errorf("%s: roof %v at the ridge, want %v", h.Name, got, h.PeakGOPS[device.FP32])
		}
		rr := rng.New(1, "test/roof", 0)
		x := make([]uint8, 22)
		for i := range x {
			x[i] = uint8(rr.IntN(9))
		}
		sum := 0.0
		for _, q := range r.Points(x) {
			sum += q.MS
			if q.GOPS > h.Roof(q.Intensity, device.FP32)*(1+1e-9) {
				t.Errorf("%s: %+v is above the roof", h.Name, q)
			}
			if q.MemoryBound != (q.Intensity < ridge) {
				t.Errorf("%s: %+v is on the wrong side of %v", h.Name, q, ridge)
			}
			more := q.Layer
			more.MACs *= 2
			more.In *= 2
			if ms, _ := r.LayerMS(more); ms < q.MS {
				t.Errorf("%s: more work takes less", h.Name)
			}
			if f, i := q.Layer.Bytes(8, device.FP32), q.Layer.Bytes(8, device.INT8); f != 4*i {
				t.Errorf("bytes: %v in FP32, %v in INT8", f, i)
			}
		}
		if got := r.LatencyMS(x); math.Abs(got/sum-1) > 1e-9 {
			t.Errorf("%s: a network of %v ms, layers of %v", h.Name, got, sum)
		}
	}
	if _, err := device.Datasheet("1080ti_64"); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"eyeriss", "1080tj", ""} {
		if _, err := device.Datasheet(bad); err == nil {
			t.Errorf("a datasheet of %q", bad)
		}
	}
	// INT8 has no peak on a processor that states none.
	h, _ := device.Datasheet("gold_6226")
	if _, err := device.NewRoofline(device.FBNet(), h, 1, device.INT8); err == nil || !strings.Contains(err.Error(), "int8") {
		t.Errorf("error %v", err)
	}
	if _, err := device.NewRoofline(small(t), h, 1, device.FP32); err == nil {
		t.Error("a roofline of a space without layers")
	}
}

// Fitting finds a device of which it is told how fast it is.
func TestRooflineFitFindsTheDevice(t *testing.T) {
	t.Parallel()
	h, err := device.Datasheet("pixel2")
	if err != nil {
		t.Fatal(err)
	}
	sheet, err := device.NewRoofline(device.FBNet(), h, 1, device.FP32)
	if err != nil {
		t.Fatal(err)
	}
	truth := *sheet
	truth.BaseMS = 2
	for i := range truth.Compute {
		truth.Compute[i], truth.Memory[i], truth.StartMS[i] = 4, 3, 0.02
	}
	fit, held := split(timings(device.FBNet(), 400, 1, truth.LatencyMS), 300)
	m, err := sheet.Fit(fit)
	if err != nil {
		t.Fatal(err)
	}
	if got := device.Assess(m, held); got.MAPE > 0.5 || got.Spearman < 0.999 {
		t.Errorf("%+v", got)
	}
	if raw := device.Assess(sheet, held); raw.MAPE < 20 {
		t.Errorf("the datasheet alone: %+v: nothing to fit in this test", raw)
	}
}

func TestLayerTable(t *testing.T) {
	t.Parallel()
	h, err := device.Datasheet("pixel2")
	if err != nil {
		t.Fatal(err)
	}
	r, err := device.NewRoofline(device.FBNet(), h, 1, device.FP32)
	if err != nil {
		t.Fatal(err)
	}
	// Layers of random networks, as a roofline takes them, with some noise.
	g := rng.New(2, "test/layers", 0)
	var times []device.LayerTime
	seen := map[[3]float64]bool{}
	for range 30 {
		x := make([]uint8, 22)
		for i := range x {
			x[i] = uint8(g.IntN(9))
		}
		for _, l := range device.FBNet().Layers(x) {
			key := [3]float64{float64(l.Op), l.MACs, l.Bytes(1, device.FP32)}
			if seen[key] {
				continue
			}
			seen[key] = true
			ms, _ := r.LayerMS(l)
			times = append(times, device.LayerTime{Op: l.Op, MACs: l.MACs, Bytes: l.Bytes(1, device.FP32), MS: ms * (1 + 0.2*g.Float64())})
		}
	}
	table, err := device.NewLayerTable(times)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range times {
		ms, inside, ok := table.Lookup(m.Op, m.MACs, m.Bytes)
		if !ok || !inside || math.Abs(ms/m.MS-1) > 1e-9 {
			t.Errorf("%+v: found %v, inside %v", m, ms, inside)
		}
	}
	// Between measurements it is continuous, positive and near the roofline.
	for range 2000 {
		m := times[g.IntN(len(times))]
		macs, bytes := m.MACs*(0.8+0.4*g.Float64()), m.Bytes*(0.8+0.4*g.Float64())
		a, _, _ := table.Lookup(m.Op, macs, bytes)
		b, _, _ := table.Lookup(m.Op, macs*(1+1e-9), bytes*(1-1e-9))
		if !(a > 0) || math.Abs(a/b-1) > 1e-5 {
			t.Fatalf("%v: %v jumps to %v", m, a, b)
		}
	}
	// Beyond them, ten times the work takes ten times as long.
	last := slices.MaxFunc(times, func(a, b device.LayerTime) int { return int(math.Copysign(1, a.MACs-b.MACs)) })
	a, _, _ := table.Lookup(last.Op, last.MACs, last.Bytes)
	b, inside, _ := table.Lookup(last.Op, last.MACs*10, last.Bytes)
	if inside || math.Abs(b/a-10) > 1e-6 {
		t.Errorf("%v ms become %v, inside %v", a, b, inside)
	}
	if _, _, ok := table.Lookup(device.Op(77), 1, 1); ok {
		t.Error("an operation that is none was found")
	}
	if _, err := table.NetworkMS([]device.Layer{{Op: device.Pool, MACs: math.NaN()}}, 1, device.FP32); err == nil {
		t.Error("a layer of no work was found")
	}
	if ms, err := table.NetworkMS(device.FBNet().Layers(make([]uint8, 22)), 1, device.FP32); err != nil || !(ms > 0) {
		t.Errorf("a network of %v ms, %v", ms, err)
	}
	// A plane in logarithms is read off exactly where nothing was measured.
	times = times[:0]
	for range 40 {
		macs, bytes := math.Exp(10*g.Float64()), math.Exp(10*g.Float64())
		times = append(times, device.LayerTime{Op: device.Conv, MACs: macs, Bytes: bytes, MS: math.Pow(macs, 0.3) * math.Pow(bytes, 0.6)})
	}
	if table, err = device.NewLayerTable(times); err != nil {
		t.Fatal(err)
	}
	for range 500 {
		macs, bytes := math.Exp(2+6*g.Float64()), math.Exp(2+6*g.Float64())
		want := math.Pow(macs, 0.3) * math.Pow(bytes, 0.6)
		if ms, _, _ := table.Lookup(device.Conv, macs, bytes); math.Abs(ms/want-1) > 1e-3 {
			t.Fatalf("%v, %v: found %v, want %v", macs, bytes, ms, want)
		}
	}
}

func TestTransfer(t *testing.T) {
	t.Parallel()
	m := fbnet(t)
	known := map[string]device.Model{}
	for _, d := range m.Devices {
		fit, _ := split(m.Of(d), 1000)
		a, err := device.AdditiveOptions{Robust: true}.Fit(fit)
		if err != nil {
			t.Fatal(err)
		}
		known[d] = a
	}
	pool := func(without string) (out []device.Model) {
		for _, d := range m.Devices {
			if device.Family(d) != without {
				out = append(out, known[d])
			}
		}
		return out
	}
	// HELP's three unseen devices of this space, with all other families known.
	sums := map[string]float64{}
	for _, d := range []string{"raspi4", "eyeriss", "fpga"} {
		candidates, held := split(m.Of(d), 1000)
		for seed := range uint64(3) {
			rows, err := device.Choose(pool(d), m.Space, candidates.X, 10, "diverse", rng.New(seed, "test/transfer", 0))
			if err != nil {
				t.Fatal(err)
			}
			again, _ := device.Choose(pool(d), m.Space, candidates.X, 10, "diverse", rng.New(seed, "test/transfer", 0))
			if !slices.Equal(rows, again) {
				t.Error("the choice is not the same twice")
			}
			for _, method := range device.TransferMethods() {
				model, err := device.TransferOptions{Method: method}.Fit(pool(d), candidates.Select(rows))
				if err != nil {
					t.Fatal(err)
				}
				if math.IsNaN(model.LeaveOneOut) || model.Samples != 10 {
					t.Errorf("%s: %+v", method, model)
				}
				sums[method] += device.Assess(model, held).Spearman / 9
			}
		}
	}
	for method, least := range map[string]float64{"average": 0.96, "meta": 0.95, "combine": 0.95, "nearest": 0.93, "monotone": 0.93} {
		if sums[method] < least {
			t.Errorf("%s: mean Spearman %.4f, want at least %.2f", method, sums[method], least)
		}
	}
	if sums["alone"] > 0.7 {
		t.Errorf("alone: %.4f: other devices are not needed here", sums["alone"])
	}
	// A device that is another at half the speed is recognised.
	s := m.Space
	twin := timings(s, 210, 4, func(x []uint8) float64 { return 2 * known["gold_6226"].LatencyMS(x) })
	few, held := split(twin, 10)
	for _, method := range []string{"average", "nearest", "monotone"} {
		model, err := device.TransferOptions{Method: method}.Fit(pool("none"), few)
		if err != nil {
			t.Fatal(err)
		}
		if q := device.Assess(model, held); q.Spearman < 0.999 || method == "nearest" && q.MAPE > 1e-6 {
			t.Errorf("%s: %+v", method, q)
		}
		if method == "monotone" {
			for range 200 { // it rises
				a, b := held.Network(0), held.Network(1)
				if (known["gold_6226"].LatencyMS(a) < known["gold_6226"].LatencyMS(b)) != (model.LatencyMS(a) < model.LatencyMS(b)) {
					t.Error("the monotone model changes an order")
				}
				held = held.Select(rng.New(uint64(len(a)), "x", 0).Perm(len(held.MS)))
			}
		}
	}
	// One measurement sets the level; the rest is what devices have in common.
	if model, err := (device.TransferOptions{}).Fit(pool("gold_6226"), few.Select([]int{0})); err != nil {
		t.Error(err)
	} else if q := model.LatencyMS(few.Network(0)); math.Abs(q/few.MS[0]-1) > 0.01 {
		t.Errorf("predicted %v, measured %v", q, few.MS[0])
	}
	// Log-additive pools become one sum.
	var logs []device.Model
	for _, d := range []string{"2080ti_1", "silver_4114"} {
		fit, _ := split(m.Of(d), 1000)
		a, err := device.AdditiveOptions{Log: true}.Fit(fit)
		if err != nil {
			t.Fatal(err)
		}
		logs = append(logs, a)
	}
	model, err := device.TransferOptions{Method: "nearest"}.Fit(logs, few)
	if err != nil {
		t.Fatal(err)
	}
	if devices, _ := model.Pool(); len(devices) > 0 || model.Worth == nil {
		t.Errorf("pool %v", devices)
	}
	for _, c := range []struct {
		want string
		err  error
	}{
		{"no models", fail(device.TransferOptions{}.Fit(nil, few))},
		{"method", fail(device.TransferOptions{Method: "best"}.Fit(logs, few))},
		{"no timings", fail(device.TransferOptions{}.Fit(logs, device.Timings{Space: s}))},
		{"space", fail(device.TransferOptions{}.Fit(logs, timings(device.NASBench201(), 5, 1, func([]uint8) float64 { return 1 })))},
		{"choose", fail(device.Choose(logs, s, few.X, 11, "random", rng.New(1, "x", 0)))},
		{"choose", fail(device.Choose(logs, s, few.X, 1, "best", rng.New(1, "x", 0)))},
		{"needs models", fail(device.Choose(nil, s, few.X, 1, "spread", rng.New(1, "x", 0)))},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("error %v, want one that says %q", c.err, c.want)
		}
	}
	for _, how := range device.Choices() {
		rows, err := device.Choose(logs, s, held.X, 50, how, rng.New(1, "x", 0))
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(rows)
		if len(slices.Compact(rows)) != 50 || rows[0] < 0 || rows[49] >= len(held.MS) {
			t.Errorf("%s: chose %v", how, rows)
		}
	}
}

func fail[T any](_ T, err error) error { return err }

func TestFamily(t *testing.T) {
	t.Parallel()
	for d, want := range map[string]string{"1080ti_32": "1080ti", "gold_6226": "gold_6226", "titan_rtx_256": "titan_rtx", "essential_ph_1": "essential_ph", "pixel3": "pixel3", "silver_4210r": "silver_4210r", "": "", "_1": "_1", "7": "7"} {
		if got := device.Family(d); got != want {
			t.Errorf("Family(%q) = %q, want %q", d, got, want)
		}
	}
}

func TestTargetReward(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ target, observed, want float64 }{{10, 5, 2}, {10, 20, 1}, {10, 10, 1e9}, {10, math.Inf(1), 0}} {
		if got := device.TargetReward(c.target, c.observed); got != c.want {
			t.Errorf("TargetReward(%v, %v) = %v, want %v", c.target, c.observed, got, c.want)
		}
	}
}

func TestReadMeasurements(t *testing.T) {
	t.Parallel()
	s := small(t)
	for _, text := range []string{"ops,lat_ms_phone,note\n013,1.5,x\n210,,\n112,3,\n", "\xef\xbb\xbfb, a,c,lat_ms_phone\nq,0,3,1.5\n1,z,0,\nq,y,2,3\n", "ops,lat_ms_phone\nx q 3,1.5\n2 1 0,\n1 1 2,3\n"} {
		m, err := device.ReadMeasurements(strings.NewReader(text), "m.csv", s)
		if err != nil {
			t.Fatal(err)
		}
		got := m.Of("phone")
		if m.Networks() != 3 || !slices.Equal(got.MS, []float64{1.5, 3}) || !slices.Equal(got.Network(1), []uint8{1, 1, 2}) || got.Network(0)[2] != 3 {
			t.Errorf("%q: %+v", text, got)
		}
	}
	for text, want := range map[string]string{
		"":                                        "m.csv: empty",
		"ops,lat_ms_a\n":                          "no networks",
		"ops,x\n013,1\n":                          "m.csv:1: no column of latencies",
		"x,lat_ms_a\n013,1\n":                     `m.csv:1: no column "ops"`,
		"ops,lat_ms_a,lat_ms_a\n013,1,1\n":        "m.csv:1: column 3",
		"ops,lat_ms_a\n013,1\n014,1\n":            `m.csv:3: ops: place c: found "4"`,
		"ops,lat_ms_a\n01,1\n":                    "m.csv:2: ops: found",
		"ops,lat_ms_a\n013,0\n":                   `m.csv:2: lat_ms_a: found "0", want a positive number`,
		"ops,lat_ms_a\n013,NaN\n":                 `m.csv:2: lat_ms_a`,
		"ops,lat_ms_a\n013,1e999\n":               `m.csv:2: lat_ms_a`,
		"ops,lat_ms_a\n013\n":                     "m.csv:2: ",
		"ops,lat_ms_a\n\n013,1\n\"013,1\n":        "m.csv:",
		"a,b,c,lat_ms_a\nx,p,9,1\n":               `m.csv:2: place c: found "9"`,
		"a,b,lat_ms_a\nx,p,1\n":                   `none for place "c"`,
		"ops,lat_ms_\n013,1\n":                    "m.csv:1: column 2",
		"ops,lat_ms_a\n013,-1\n":                  "positive",
		"ops,lat_ms_a\n000,1\n111,2\n222222222,3": "m.csv:4",
	} {
		_, err := device.ReadMeasurements(strings.NewReader(text), "m.csv", s)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one that says %q", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"op,macs,bytes\n":                                "latency_ms",
		"op,macs,bytes,latency_ms\n":                     "no layers",
		"op,macs,bytes,latency_ms\nconv,1,1,0\n":         "l.csv:2: latency_ms",
		"op,macs,bytes,latency_ms\nconv,1,1,1\nx,1,1,1":  `l.csv:3: op: found the operation "x"`,
		"op,macs,bytes,latency_ms\nconv,1,1,1\nadd,,1,1": "l.csv:3: macs",
	} {
		_, err := device.ReadLayers(strings.NewReader(text), "l.csv")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one that says %q", text, err, want)
		}
	}
}

// models are one of each kind.
func models(t testing.TB) []device.Model {
	t.Helper()
	s := device.NASBench201()
	x := nb201(t, "1080ti_32")
	fit, _ := split(x, 200)
	a, err := device.AdditiveOptions{}.Fit(fit)
	if err != nil {
		t.Fatal(err)
	}
	b, err := device.AdditiveOptions{Log: true}.Fit(fit)
	if err != nil {
		t.Fatal(err)
	}
	l, err := device.Learn(t.Context(), predict.Boosted{Trees: 20}, fit, 1)
	if err != nil {
		t.Fatal(err)
	}
	h, err := device.Datasheet("1080ti")
	if err != nil {
		t.Fatal(err)
	}
	r, err := device.NewRoofline(s, h, 32, device.FP32)
	if err != nil {
		t.Fatal(err)
	}
	if r, err = r.Fit(fit); err != nil {
		t.Fatal(err)
	}
	ms := make([]float64, nasbench201.Cells)
	for i := range ms {
		ms[i] = float64(i + 1)
	}
	table, err := device.NewTable(s, "table", ms)
	if err != nil {
		t.Fatal(err)
	}
	few := fit.Select([]int{0, 1, 2, 3, 4, 5, 6, 7})
	out := []device.Model{a, b, l, r, table}
	for _, method := range device.TransferMethods() {
		m, err := device.TransferOptions{Method: method}.Fit([]device.Model{a, b, table}, few)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	s := device.NASBench201()
	probe := timings(s, 50, 9, func([]uint8) float64 { return 1 })
	for _, m := range models(t) {
		var b bytes.Buffer
		if err := device.Save(&b, m); err != nil {
			t.Fatalf("%T: %v", m, err)
		}
		saved := b.String()
		got, err := device.Load(strings.NewReader(saved), s, m.Device())
		if err != nil {
			t.Fatalf("%T: %v", m, err)
		}
		for i := range probe.MS {
			if a, b := m.LatencyMS(probe.Network(i)), got.LatencyMS(probe.Network(i)); a != b || !(a > 0) {
				t.Fatalf("%T: %v before and %v after", m, a, b)
			}
		}
		b.Reset()
		if err := device.Save(&b, got); err != nil || b.String() != saved {
			t.Errorf("%T: saved again it is another file, %v", m, err)
		}
		for name, c := range map[string]struct {
			text   string
			space  *device.Space
			device string
			want   string
			other  bool
		}{
			"device":      {saved, s, "pixel9", "pixel9", true},
			"space":       {saved, device.FBNet(), "", "nasbench201", true},
			"fingerprint": {strings.ReplaceAll(saved, s.Fingerprint(), "0123456789abcdef"), s, "", "other places or settings", true},
			"version":     {strings.Replace(saved, `"version":1`, `"version":2`, 1), s, "", "version", false},
			"format":      {strings.Replace(saved, "daedalus/device", "daedalus/driver", 1), s, "", "format", false},
			"kind":        {strings.Replace(saved, `"kind":"`, `"kind":"un`, 1), s, "", "kind", false},
			"cut":         {saved[:len(saved)/2], s, "", "reading a saved model", false},
			"more":        {saved + "{}", s, "", "end of the file", false},
			"field":       {strings.Replace(saved, `"kind"`, `"kindness":0,"kind"`, 1), s, "", "kindness", false},
		} {
			_, err := device.Load(strings.NewReader(c.text), c.space, c.device)
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, device.ErrOtherModel) != c.other {
				t.Errorf("%T, %s: error %v, want one that says %q", m, name, err, c.want)
			}
		}
	}
	if err := device.Save(&bytes.Buffer{}, stranger{models(t)[0]}); err == nil {
		t.Error("a model of another package was saved")
	}
}

type stranger struct{ device.Model }

func TestBadInput(t *testing.T) {
	t.Parallel()
	s := small(t)
	one := timings(s, 3, 1, func([]uint8) float64 { return 1 })
	bad := func(ms float64) device.Timings {
		return device.Timings{Space: s, Device: "d", X: one.X[:3], MS: []float64{ms}}
	}
	for i, err := range []error{
		fail(device.NewSpace("", []device.Place{{Name: "a", Settings: []string{"x"}}}, nil)),
		fail(device.NewSpace("s", nil, nil)),
		fail(device.NewSpace("s", []device.Place{{Name: "a"}}, nil)),
		fail(device.NewSpace("s", []device.Place{{Name: "a", Settings: []string{"x", "x"}}}, nil)),
		fail(device.NewSpace("s", []device.Place{{Name: "a", Settings: []string{"x"}}, {Name: "a", Settings: []string{"x"}}}, nil)),
		s.Check([]uint8{0, 0}), s.Check([]uint8{0, 2, 0}),
		fail(device.AdditiveOptions{}.Fit(bad(0))), fail(device.AdditiveOptions{}.Fit(bad(math.NaN()))), fail(device.AdditiveOptions{}.Fit(bad(math.Inf(1)))),
		fail(device.AdditiveOptions{Ridge: -1}.Fit(one)), fail(device.AdditiveOptions{Ridge: math.NaN()}.Fit(one)), fail(device.AdditiveOptions{Log: true, NonNegative: true}.Fit(one)),
		fail(device.NewAdditive(s, "d", 0, make([]float64, 8), false)), fail(device.NewAdditive(s, "d", math.NaN(), make([]float64, 9), false)), fail(device.NewAdditive(s, "d", math.MaxFloat64, []float64{math.MaxFloat64, 0, 0, 0, 0, 0, 0, 0, 0}, false)),
		fail(device.NewTable(s, "d", make([]float64, 24))), fail(device.NewTable(s, "d", make([]float64, 3))), fail(device.NewTable(device.FBNet(), "d", nil)),
		fail(device.NewLayerTable(nil)), fail(device.NewLayerTable([]device.LayerTime{{Op: 99, MACs: 1, Bytes: 1, MS: 1}})), fail(device.NewLayerTable([]device.LayerTime{{MACs: 1, Bytes: 1, MS: math.Inf(1)}})),
		fail(device.Learn(t.Context(), nil, one, 1)), fail(device.Learn(t.Context(), predict.Ridge{}, bad(-1), 1)),
		device.Hardware{Name: "h"}.Check(), device.Hardware{}.Check(), device.Hardware{Name: "h", PeakGOPS: [3]float64{1}, BandwidthGBs: math.NaN()}.Check(), device.Hardware{Name: "h", PeakGOPS: [3]float64{math.Inf(1)}, BandwidthGBs: 1}.Check(),
		fail(device.ParsePrecision("fp8")), fail(device.ParseOp("gelu")),
		fail(device.BitFusion{Rows: -1}.Cycles(device.QuantizedLayer{})), fail(device.BitFusion{}.Cycles(device.QuantizedLayer{})),
		fail(device.BitFusion{}.Cycles(device.QuantizedLayer{Batch: 4096, Kernel: 256, Stride: 1, Side: 4096, In: 65536, Out: 65536, InputBits: 8, WeightBits: 8})),
		fail(device.BitFusion{}.Speedup(9, 2)), fail(device.BitFusion{}.Speedup(0, 2)), fail(device.BitFusion{MinBits: 8, MaxBits: 4}.Speedup(2, 2)),
		fail(device.BitFusion{OutputKB: 1, Columns: 1024}.Cycles(device.QuantizedLayer{Batch: 1, Kernel: 1, Stride: 1, Side: 1, In: 1, Out: 1, InputBits: 8, WeightBits: 8})),
	} {
		if err == nil || !strings.Contains(err.Error(), " ") {
			t.Errorf("case %d: error %v", i, err)
		}
	}
	// Settings that no network had are worth nothing, and nothing is NaN.
	m, err := device.AdditiveOptions{}.Fit(one.Select([]int{0}))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.LatencyMS([]uint8{2, 1, 3}); !(got > 0.9 && got < 1.1) {
		t.Errorf("predicted %v", got)
	}
}

func FuzzReadMeasurements(f *testing.F) {
	f.Add("ops,lat_ms_a\n013,1\n")
	f.Add("a,b,c,lat_ms_a,lat_ms_b\nx,p,0,1,\n1,q,3,,2e-3\n")
	f.Add("ops,lat_ms_a\n\"0 1\n3\",1\n")
	s := small(f)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := device.ReadMeasurements(strings.NewReader(text), "f.csv", s)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.csv:") {
				t.Errorf("%q: the error %v does not say where", text, err)
			}
			return
		}
		for _, d := range m.Devices {
			if x := m.Of(d); len(x.MS) > 0 {
				if err := x.Check(); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

func FuzzReadLayers(f *testing.F) {
	f.Add("op,macs,bytes,latency_ms\nconv,1e6,2e5,0.1\npool,1e3,2e5,0.1\nconv,2e6,2e5,0.3\n", 5e5, 1e5)
	f.Add("op,macs,bytes,latency_ms\nadd,1e-300,1e300,0.1\nadd,1,1,1\n", 1e-9, 1e9)
	f.Fuzz(func(t *testing.T, text string, macs, bytes float64) {
		layers, err := device.ReadLayers(strings.NewReader(text), "f.csv")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.csv:") {
				t.Errorf("%q: the error %v does not say where", text, err)
			}
			return
		}
		table, err := device.NewLayerTable(layers[:min(len(layers), 200)])
		if err != nil {
			t.Fatal(err)
		}
		if ms, _, ok := table.Lookup(layers[0].Op, macs, bytes); ok && math.IsNaN(ms) {
			t.Errorf("%q: NaN at %v, %v", text, macs, bytes)
		}
	})
}

func FuzzLoad(f *testing.F) {
	s := small(f)
	a, _ := device.NewAdditive(s, "d", 1, make([]float64, 9), true)
	table, _ := device.NewTable(s, "d", slices.Repeat([]float64{1}, 24))
	x := timings(s, 6, 1, func(x []uint8) float64 { return float64(1 + x[0]) })
	m, _ := device.TransferOptions{}.Fit([]device.Model{a, table}, x)
	mono, _ := device.TransferOptions{Method: "monotone"}.Fit([]device.Model{a, table}, x)
	for _, m := range []device.Model{a, table, m, mono} {
		var b bytes.Buffer
		if err := device.Save(&b, m); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := device.Load(bytes.NewReader(b), s, "")
		if err != nil {
			return
		}
		if v := m.LatencyMS([]uint8{2, 1, 3}); !(v > 0) || math.IsInf(v, 0) {
			t.Errorf("predicts %v", v)
		}
		if err := device.Save(&bytes.Buffer{}, m); err != nil {
			t.Error(err)
		}
	})
}

func ExampleAdditiveOptions() {
	s, _ := device.NewSpace("tiny", []device.Place{{Name: "conv1", Settings: []string{"k3", "k5"}}, {Name: "conv2", Settings: []string{"k3", "k5", "skip"}}}, nil)
	csv := "conv1,conv2,lat_ms_phone\nk3,k3,2.0\nk3,k5,2.6\nk3,skip,1.1\nk5,k3,2.5\nk5,k5,3.1\n"
	m, _ := device.ReadMeasurements(strings.NewReader(csv), "phone.csv", s)
	model, _ := device.AdditiveOptions{Ridge: 1e-6}.Fit(m.Of("phone"))
	fmt.Printf("%.2f ms\n", model.LatencyMS([]uint8{1, 2})) // k5, skip: not measured
	// Output: 1.60 ms
}

func ExampleHardware_Roof() {
	h, _ := device.Datasheet("1080ti")
	fmt.Printf("ridge at %.1f operations a byte\n", h.Ridge(device.FP32))
	fmt.Printf("%.0f billion operations a second at 2\n", h.Roof(2, device.FP32))
	// Output:
	// ridge at 23.4 operations a byte
	// 968 billion operations a second at 2
}

func ExampleBitFusion() {
	c, _ := device.BitFusion{}.Cycles(device.QuantizedLayer{Batch: 16, Kernel: 3, Stride: 1, Side: 14, In: 384, Out: 384, InputBits: 4, WeightBits: 4})
	fmt.Println(c.Total, "cycles,", c.Wait, "of them for memory")
	// Output: 2436097 cycles, 403969 of them for memory
}
