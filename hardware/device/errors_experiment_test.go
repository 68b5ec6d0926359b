//go:build experiment

package device_test

import (
	"encoding/csv"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/hardware/device"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/problems/nasbench201"
)

// TestErrorsOfAllModels prints the error of every model on every device, on
// networks that it has not seen:
//
//	go test -tags experiment -run TestErrorsOfAllModels -v ./hardware/device
func TestErrorsOfAllModels(t *testing.T) {
	full, err := device.ReadMeasurements(unzip(t, "../../../shared/data/hw-latency-help/fbnet_latency.csv.gz"), "fbnet.csv", device.FBNet())
	if err != nil {
		t.Fatal(err)
	}
	var nb []device.Timings
	for _, d := range nasbench201.Devices() {
		nb = append(nb, nb201(t, d))
	}
	var fb []device.Timings
	for _, d := range full.Devices {
		whole := full.Of(d)
		fb = append(fb, whole.Select(rng.New(1, "test/fbnet", 0).Perm(len(whole.MS))))
	}
	var of []device.Timings
	for _, o := range ofa(t) {
		of = append(of, o.Select(rng.New(1, "test/ofa", 0).Perm(len(o.MS))))
	}
	for _, s := range []struct {
		name string
		all  []device.Timings
	}{{"NAS-Bench-201", nb}, {"FBNet", fb}, {"Once-for-All", of}} {
		t.Run(s.name, func(t *testing.T) { printErrors(t, s.name, s.all) })
	}
}

func printErrors(t *testing.T, name string, all []device.Timings) {
	type column struct {
		name string
		n    int
		fit  func(device.Timings) (device.Model, error)
	}
	learn := func(l predict.Learner) func(device.Timings) (device.Model, error) {
		return func(x device.Timings) (device.Model, error) { return device.Learn(t.Context(), l, x, 1) }
	}
	roof := func(fit bool) func(device.Timings) (device.Model, error) {
		return func(x device.Timings) (device.Model, error) {
			h, err := device.Datasheet(strings.Replace(x.Device, "titan_xp", "titanxp", 1))
			if err != nil {
				return nil, err
			}
			batch := 1
			if f := device.Family(x.Device); f != x.Device {
				fmt.Sscanf(x.Device[len(f)+1:], "%d", &batch)
			}
			r, err := device.NewRoofline(x.Space, h, batch, device.FP32)
			if err != nil || !fit {
				return r, err
			}
			return r.Fit(x)
		}
	}
	additive := func(o device.AdditiveOptions) func(device.Timings) (device.Model, error) {
		return func(x device.Timings) (device.Model, error) { return o.Fit(x) }
	}
	columns := []column{
		{"roofline, datasheet", 1000, roof(false)},
		{"roofline, fitted", 1000, roof(true)},
		{"additive", 1000, additive(device.AdditiveOptions{})},
		{"additive, log", 1000, additive(device.AdditiveOptions{Log: true})},
		{"additive, log, robust", 1000, additive(device.AdditiveOptions{Log: true, Robust: true})},
		{"ridge", 1000, learn(predict.Ridge{})},
		{"boosted", 1000, learn(predict.Boosted{})},
		{"MLP", 1000, learn(predict.MLP{Steps: 1000})},
		{"GP", 1000, learn(predict.GP{FitRows: 150, Restarts: 1})},
		{"additive, 3000", 3000, additive(device.AdditiveOptions{})},
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n| %s: Spearman / MAPE %% |", name)
	for _, c := range columns {
		fmt.Fprintf(&b, " %s |", c.name)
	}
	fmt.Fprintf(&b, "\n|---|%s\n", strings.Repeat("---|", len(columns)))
	for _, x := range all {
		fmt.Fprintf(&b, "| %s |", x.Device)
		_, held := split(x, 3000)
		for _, c := range columns {
			fit, _ := split(x, c.n)
			m, err := c.fit(fit)
			if err != nil {
				b.WriteString(" – |")
				continue
			}
			var a device.Accuracy
			if l, ok := m.(*device.Learned); ok {
				p := make([]float64, len(held.MS))
				l.LatenciesMS(held.X, p)
				a = device.Compare(p, held.MS)
			} else {
				a = device.Assess(m, held)
			}
			fmt.Fprintf(&b, " %.4f / %.2f |", a.Spearman, a.MAPE)
		}
		b.WriteString("\n")
	}
	t.Log(b.String())
}

// TestFewShot prints HELP's question: ten networks of an unseen device.
//
//	go test -tags experiment -run TestFewShot -v ./hardware/device
func TestFewShot(t *testing.T) {
	full, err := device.ReadMeasurements(unzip(t, "../../../shared/data/hw-latency-help/fbnet_latency.csv.gz"), "fbnet.csv", device.FBNet())
	if err != nil {
		t.Fatal(err)
	}
	nb, fb := map[string]device.Timings{}, map[string]device.Timings{}
	for _, d := range nasbench201.Devices() {
		nb[d] = nb201(t, d)
	}
	for _, d := range full.Devices {
		whole := full.Of(d)
		fb[d] = whole.Select(rng.New(1, "test/fbnet", 0).Perm(len(whole.MS)))
	}
	// HELP's devices, of its README at commit 11970ec7.
	known := []string{"1080ti_1", "1080ti_32", "1080ti_64", "1080ti_256", "silver_4114", "silver_4210r", "samsung_a50", "pixel3", "essential_ph_1", "samsung_s7"}
	for _, s := range []struct {
		name   string
		all    map[string]device.Timings
		unseen []string
	}{
		{"NAS-Bench-201", nb, []string{"titan_rtx_256", "gold_6226", "pixel2", "raspi4", "eyeriss", "fpga"}},
		{"FBNet", fb, []string{"raspi4", "eyeriss", "fpga"}},
	} {
		models := map[string]device.Model{}
		var names []string
		for d, x := range s.all {
			fit, _ := split(x, 1000)
			m, err := device.AdditiveOptions{Robust: true}.Fit(fit)
			if err != nil {
				t.Fatal(err)
			}
			models[d] = m
			names = append(names, d)
		}
		slices.Sort(names)
		for _, split := range []string{"HELP's split", "each device against all other families"} {
			targets := names
			if split == "HELP's split" {
				targets = s.unseen
			}
			fmt.Printf("\n### %s, %s\n\n| method, choice, networks measured | Spearman | middle 80 %% | within ±10 %% | RMSE %% | worst device |\n|---|---|---|---|---|---|\n", s.name, split)
			for _, n := range []int{10, 20} {
				for _, method := range device.TransferMethods() {
					for _, how := range []string{"random", "spread", "diverse"} {
						if n == 20 && (method != "average" || how == "diverse") {
							continue
						}
						var sum device.Accuracy
						middle, worst, worstName := 0.0, 2.0, ""
						detail := ""
						for _, target := range targets {
							var pool []device.Model
							for _, d := range names {
								if split == "HELP's split" && slices.Contains(known, d) || split != "HELP's split" && device.Family(d) != device.Family(target) {
									pool = append(pool, models[d])
								}
							}
							mine := 0.0
							mid := 0.0
							const seeds = 8
							for seed := range uint64(seeds) {
								a, m := fewShot(t, s.all[target], pool, method, how, n, seed)
								sum.Spearman += a.Spearman / float64(seeds*len(targets))
								sum.Within10 += a.Within10 / float64(seeds*len(targets))
								sum.RMSE += a.RMSE / float64(seeds*len(targets))
								middle += m / float64(seeds*len(targets))
								mine += a.Spearman / seeds
								mid += m / seeds
							}
							if mine < worst {
								worst, worstName = mine, target
							}
							detail += fmt.Sprintf(" %s %.3f (%.3f)", target, mine, mid)
						}
						fmt.Printf("| %s, %s, %d | %.3f | %.3f | %.1f | %.1f | %.3f %s |\n", method, how, n, sum.Spearman, middle, sum.Within10, sum.RMSE, worst, worstName)
						if split == "HELP's split" && (method == "average" || method == "meta") {
							t.Logf("%s %s %s %d:%s", s.name, method, how, n, detail)
						}
					}
				}
			}
		}
	}
}

// fewShot measures n networks of a device and predicts others; middle is the rank
// correlation without the fastest and the slowest tenth, as HELP's code computes it.
func fewShot(t *testing.T, target device.Timings, pool []device.Model, method, how string, n int, seed uint64) (a device.Accuracy, middle float64) {
	candidates, _ := split(target, 1000)
	_, held := split(target, 3000)
	if method == "alone" && how != "random" && pool == nil {
		t.Fatal("no pool")
	}
	rows, err := device.Choose(pool, target.Space, candidates.X, n, how, rng.New(seed, "test/fewshot", 0))
	if err != nil {
		t.Fatal(err)
	}
	m, err := device.TransferOptions{Method: method}.Fit(pool, candidates.Select(rows))
	if err != nil {
		t.Fatal(err)
	}
	a = device.Assess(m, held)
	order := make([]int, len(held.MS))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case held.MS[a] < held.MS[b]:
			return -1
		case held.MS[a] > held.MS[b]:
			return 1
		}
		return 0
	})
	return a, device.Assess(m, held.Select(order[len(order)/10:len(order)*9/10])).Spearman
}

// TestNoise prints what bounds a model from above. On NAS-Bench-201, the rank
// correlation r of cells with equal counts of operations, taken in pairs: two
// measurements of the same work, so no model of the work can correlate with a
// measurement better than by about √r. On FBNet, in the order in which networks
// were timed, the correlation of each residual of a sum with the next: it would be
// 0 if the device were the same all the time. And how many different latencies
// there are.
//
//	go test -tags experiment -run TestNoise -v ./hardware/device
func TestNoise(t *testing.T) {
	fmt.Print("\n| device | NAS-Bench-201: ceiling | different latencies | FBNet: residual with the next | different latencies |\n|---|---|---|---|---|\n")
	full, err := device.ReadMeasurements(unzip(t, "../../../shared/data/hw-latency-help/fbnet_latency.csv.gz"), "fbnet.csv", device.FBNet())
	if err != nil {
		t.Fatal(err)
	}
	different := func(x []float64) int { return len(slices.Compact(slices.Sorted(slices.Values(x)))) }
	for _, d := range nasbench201.Devices() {
		x := nb201(t, d)
		waiting := map[[5]int]int{} // counts → a cell without a partner
		var a, b []float64
		for i := range x.MS {
			var counts [5]int
			for _, op := range x.Network(i) {
				counts[op]++
			}
			if j, ok := waiting[counts]; ok {
				a, b = append(a, x.MS[j]), append(b, x.MS[i])
				delete(waiting, counts)
			} else {
				waiting[counts] = i
			}
		}
		r := predict.Assess(a, nil, b, 1).Spearman
		fmt.Printf("| %s | %.3f | %d |", d, math.Sqrt(max(r, 0)), different(x.MS))
		f := full.Of(strings.Replace(d, "_256", "_64", 1))
		m, err := device.AdditiveOptions{Log: true}.Fit(f)
		if err != nil {
			t.Fatal(err)
		}
		var product, square float64
		last := 0.0
		for i, ms := range f.MS {
			e := math.Log(ms) - m.Sum(f.Network(i))
			product += e * last
			square += e * e
			last = e
		}
		fmt.Printf(" %.2f | %d |\n", product/square, different(f.MS))
	}
}

// ofa are the networks that HELP timed of Once-for-All.
func ofa(t testing.TB) []device.Timings {
	t.Helper()
	rows, err := csv.NewReader(unzip(t, "../../../shared/data/hw-latency-help/ofa_latency.csv.gz")).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []device.Timings
	var at []int
	col := map[string]int{}
	for k, h := range rows[0] {
		col[h] = k
		if d, ok := strings.CutPrefix(h, "lat_ms_"); ok {
			out, at = append(out, device.Timings{Space: device.OFA(), Device: d}), append(at, k)
		}
	}
	for _, row := range rows[1:] {
		var k, e [20]int
		var d [5]int
		for i := range k {
			k[i], e[i] = int(row[col["ks20"]][i]-'0'), int(row[col["e20"]][i]-'0')
		}
		for i := range d {
			d[i] = int(row[col["d5"]][i] - '0')
		}
		side, _ := strconv.Atoi(row[col["resolution"]])
		x, err := device.OFANetwork(k, e, d, side)
		if err != nil {
			t.Fatal(err)
		}
		for i := range out {
			ms, err := strconv.ParseFloat(row[at[i]], 64)
			if err != nil {
				t.Fatal(err)
			}
			out[i].X, out[i].MS = append(out[i].X, x...), append(out[i].MS, ms)
		}
	}
	return out
}
