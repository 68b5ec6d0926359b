package tables

import (
	"compress/gzip"
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problem/problemtest"
	"github.com/daedalus-search/daedalus/space"
)

type maker[P problem.Problem] interface{ New() (P, error) }

func must[P problem.Problem](t testing.TB, m maker[P]) P {
	t.Helper()
	p, err := m.New()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for i, p := range []problem.Problem{
		must(t, Macro{}), must(t, Graph{}), must(t, Boom{}), must(t, Accel{}), must(t, FBNet{}), must(t, NB101{}),
		must(t, Macro{Run: 2}), must(t, Graph{Dataset: "cora"}), must(t, Accel{Device: "a100"}),
		must(t, FBNet{Device: "titan_rtx_64"}), must(t, NB101{Missing: "infeasible"}),
	} {
		if i < 6 || !testing.Short() {
			problemtest.Run(t, p)
		}
	}
}

// published reads one of the tables that the embedded ones were made of, or
// skips the test.
func published(t *testing.T, path ...string) []map[string]string {
	t.Helper()
	name := filepath.Join(append([]string{"..", "..", "..", "shared", "data"}, path...)...)
	f, err := os.Open(name)
	if err != nil {
		t.Skipf("%s is not there: the published table is not part of the repository", name)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, r := range all[1:] {
		row := map[string]string{}
		for i, name := range all[0] {
			row[name] = r[i]
		}
		rows = append(rows, row)
	}
	return rows
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// pick makes the design whose decisions are the given options.
func pick(t *testing.T, s *space.Space, options ...int) space.Design {
	t.Helper()
	w := s.Walk()
	for _, o := range options {
		w.Next()
		w.Choose(o)
	}
	d, err := w.Design()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func evaluate(t *testing.T, p problem.Problem, d space.Design) metric.Values {
	t.Helper()
	v, err := p.Evaluate(t.Context(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func near(a, b, by float64) bool { return math.Abs(a-b) <= by*(1+math.Abs(b)) }

func TestMacroIsThePublishedTable(t *testing.T) {
	t.Parallel()
	p, run2 := must(t, Macro{}), must(t, Macro{Run: 2})
	for i, row := range published(t, "nas-bench-macro", "nasbenchmacro_cifar10.csv.gz") {
		if i%7 != 0 {
			continue
		}
		var x []int
		for _, c := range row["arch"] {
			x = append(x, int(c-'0'))
		}
		v := evaluate(t, p, pick(t, p.Space(), x...))
		if !near(v["accuracy"], number(t, row["mean_acc"]), 1e-6) || !near(v["params_m"], number(t, row["params"])/1e6, 1e-12) || !near(v["flops_m"], number(t, row["flops"])/1e6, 1e-12) {
			t.Fatalf("%s measures %v, published %v", row["arch"], v, row)
		}
		if v := evaluate(t, run2, pick(t, run2.Space(), x...)); v["accuracy"] != number(t, row["test_acc_seed1"]) {
			t.Fatalf("%s measures %v, published %v", row["arch"], v, row)
		}
	}
	best, err := p.Optimum(t.Context(), metric.Goal{Objectives: []metric.Objective{{Metric: "accuracy", Direction: metric.Maximize}}})
	if err != nil || !near(best[0]["accuracy"], 93.13, 1e-4) { // the best that the authors report
		t.Errorf("the best network is %v (%v), published 93.13 %%", best, err)
	}
}

func TestGraphIsThePublishedTable(t *testing.T) {
	t.Parallel()
	p := must(t, Graph{})
	seen := map[string]bool{}
	rows := published(t, "nas-bench-graph", "nasbenchgraph.csv.gz")
	for i, row := range rows {
		var x []int
		for _, c := range row["arch"] {
			x = append(x, int(c-'0'))
		}
		d := pick(t, p.Space(), x...)
		if seen[p.Key(d)] {
			t.Fatalf("%s has the key of another network", row["arch"])
		}
		seen[p.Key(d)] = true
		if i%31 != 0 {
			continue
		}
		v := evaluate(t, p, d)
		test, err := p.Verify(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		if !near(v["accuracy"], 100*number(t, row["arxiv_valid"]), 1e-9) || v["latency_ms"] != number(t, row["arxiv_lat_ms"]) ||
			v["params_m"] != number(t, row["arxiv_params_M"]) || !near(test["test_accuracy"], 100*number(t, row["arxiv_test"]), 1e-9) {
			t.Fatalf("%s measures %v and %v, published %v", row["arch"], v, test, row)
		}
	}
	if len(seen) != 26_206 {
		t.Errorf("%d different networks, want 26,206", len(seen))
	}
}

// Of the 9^5 designs all are one of the 26,206 networks but those of skip
// connections only; the published examples of equal networks have equal keys.
func TestGraphClasses(t *testing.T) {
	t.Parallel()
	rows, err := graphRows()
	if err != nil {
		t.Fatal(err)
	}
	missing, used := 0, map[int32]bool{}
	for _, r := range rows {
		if r < 0 {
			missing++
		}
		used[r] = true
	}
	if missing != 9 || len(used) != 26_207 {
		t.Errorf("%d designs were not trained and %d rows are used, want 9 and 26,206", missing, len(used)-1)
	}
	p := must(t, Graph{})
	for _, same := range [][2][]int{
		{{0, 0, 1, 2, 3}, {0, 3, 2, 1, 0}}, // sisters
		{{8, 0, 8, 1, 2}, {8, 8, 0, 1, 2}}, // a skip connection in a chain
		{{8, 0, 1, 2, 8}, {8, 8, 0, 1, 2}}, // at its end
		{{3, 0, 1, 2, 3}, {3, 1, 0, 3, 2}}, // equal halves
	} {
		a, b := pick(t, p.Space(), same[0]...), pick(t, p.Space(), same[1]...)
		if p.Key(a) != p.Key(b) {
			t.Errorf("%v and %v have the keys %q and %q", a, b, p.Key(a), p.Key(b))
		}
	}
	if a, b := pick(t, p.Space(), 8, 0, 1, 2, 3), pick(t, p.Space(), 8, 1, 0, 2, 3); p.Key(a) == p.Key(b) {
		t.Errorf("%v and %v have one key", a, b)
	}
}

// Every published cell, its nodes renamed at random, is found again.
func TestNB101IsThePublishedTable(t *testing.T) {
	t.Parallel()
	p := must(t, NB101{})
	rows, err := nb101Rows()
	if err != nil {
		t.Fatal(err)
	}
	r := rng.New(1, "nb101", 0)
	for i, row := range published(t, "nas-bench-101-subset", "nasbench101_20k.csv.gz") {
		if i%5 != 0 {
			continue
		}
		matrix := strings.Split(row["adjacency"], "/")
		n := len(matrix)
		// Another order of the nodes in which edges still lead forwards.
		place := make([]int, n)
		place[n-1] = nb101Out
		slots := r.Perm(nb101Nodes - 2)[:n-2]
		slices.Sort(slots)
		indegree := make([]int, n)
		for _, line := range matrix {
			for j, c := range line {
				indegree[j] += int(c - '0')
			}
		}
		var ready []int
		visit := func(k int) {
			for j, c := range matrix[k] {
				if c == '1' {
					if indegree[j]--; indegree[j] == 0 && j < n-1 {
						ready = append(ready, j)
					}
				}
			}
		}
		visit(0)
		for _, slot := range slots {
			k := r.IntN(len(ready))
			v := ready[k]
			ready = slices.Delete(ready, k, k+1)
			place[v] = slot + 1
			visit(v)
		}
		cell := cell101{}
		for a, line := range matrix {
			for b, c := range line {
				if c == '1' {
					cell.edges |= 1 << edge101(place[a], place[b])
				}
			}
			if a > 0 && a < n-1 {
				cell.ops[place[a]] = row["ops"][a-1] - '0'
			}
		}
		k := cell.near(rows, 0)
		if k != i {
			t.Fatalf("%s is found as row %d, want %d", row["hash"], k, i)
		}
		if p.values[0][k] != 100*number(t, row["val108"]) || p.epochs[0][k] != 100*number(t, row["val4"]) || !near(p.values[1][k], number(t, row["params"])/1e6, 1e-12) {
			t.Fatalf("%s: row %d has %v, published %v", row["hash"], k, p.at(k, 0, 3), row)
		}
	}
}

// Nearly every design is at most two changes from a measured cell, and none
// measures a cell farther away than it must.
func TestNB101Nearest(t *testing.T) {
	t.Parallel()
	rows, err := nb101Rows()
	if err != nil {
		t.Fatal(err)
	}
	p := must(t, NB101{})
	r := rng.New(2, "nb101", 0)
	found, cut, exact := 0, 0, 0
	const n = 3000
	for range n {
		d := p.Space().MustSample(r)
		cell := cell101{}
		m := d.Map()
		for _, e := range m["edges"].([]any) {
			a, b, _ := strings.Cut(e.(string), "-")
			from, _ := strconv.Atoi(a)
			to, _ := strconv.Atoi(b)
			cell.edges |= 1 << edge101(from, to)
		}
		for i := 1; i < nb101Out; i++ {
			cell.ops[i] = uint8(slices.Index([]string{"conv3x3", "conv1x1", "maxpool3x3"}, m["op"+strconv.Itoa(i)].(string)))
		}
		row, err := p.find(d)
		if want := cell.near(rows, 2); (err == nil) != (want >= 0) || err == nil && row != want {
			t.Fatalf("%v: row %d (%v), want %d", d, row, err, want)
		}
		_, ok := cell.prune()
		switch {
		case !ok:
			cut++
		case err == nil:
			found++
		}
		if cell.near(rows, 0) >= 0 {
			exact++
		}
	}
	t.Logf("of %d designs %d measure a cell, %d of them their own; %d have no way from input to output", n, found, exact, cut)
	if share := float64(found) / float64(n-cut); share < 0.99 || cut > n/2 {
		t.Errorf("%.3f of the connected designs measure a cell, %d are not connected", share, cut)
	}
}

func TestNB101Efforts(t *testing.T) {
	t.Parallel()
	p := must(t, NB101{})
	if err := p.Fidelity().Check(); err != nil {
		t.Fatal(err)
	}
	r := rng.New(3, "nb101", 0)
	for range 200 {
		d := p.Space().MustSample(r)
		row, err := p.find(d)
		if err != nil {
			continue
		}
		for i, e := range nb101Epochs {
			v, err := p.EvaluateAt(t.Context(), d, e/108, nil)
			if err != nil || v["accuracy"] != p.epochs[i][row] {
				t.Fatalf("%v after %v epochs: %v, %v", d, e, v, err)
			}
		}
	}
}

const hlsTable = "../../../shared/data/hls-dse/hlsyn_designs.csv.gz"

func TestHLS(t *testing.T) {
	t.Parallel()
	rows := published(t, "hls-dse", "hlsyn_designs.csv.gz")
	for _, o := range []HLS{{}, {Kernel: "spmv-crs", Tool: "v20"}, {Kernel: "gemver"}} {
		if testing.Short() && o.Kernel != "" {
			continue
		}
		o.Data = hlsTable
		p := must(t, o)
		problemtest.Run(t, p)
		if o.Kernel == "" {
			o.Kernel, o.Tool = "gemm-ncubed", "v18"
		}
		if o.Tool == "" {
			o.Tool = "v18"
		}
		failed, fine := 0, 0
		for _, row := range rows {
			if row["kernel"] != o.Kernel || row["tool"] != o.Tool {
				continue
			}
			var b strings.Builder
			for i, kv := range strings.Split(row["pragmas"], ";") {
				name, v, _ := strings.Cut(kv, "=")
				if v == "" {
					v = "plain"
				}
				if i > 0 {
					b.WriteString(",")
				}
				b.WriteString(strconv.Quote(name) + ":" + strconv.Quote(v))
			}
			d, err := p.Space().ParseJSON([]byte("{" + b.String() + "}"))
			if err != nil {
				t.Fatal(err)
			}
			v, err := p.Evaluate(t.Context(), d, nil)
			if valid := row["valid"] == "1"; valid != (err == nil) {
				t.Fatalf("%s: valid is %s, the error %v", row["pragmas"], row["valid"], err)
			}
			if err != nil {
				failed++
				continue
			}
			fine++
			if v["cycles"] != number(t, row["perf_cycles"]) || v["lut"] != number(t, row["util_LUT"]) {
				t.Fatalf("%s measures %v, published %v", row["pragmas"], v, row)
			}
		}
		if failed == 0 || fine == 0 {
			t.Errorf("%+v: %d designs failed and %d did not", o, failed, fine)
		}
	}
	if _, err := (HLS{Data: hlsTable, Kernel: "gemm-ncube"}).New(); err == nil || !strings.Contains(err.Error(), "did you mean gemm-ncubed") {
		t.Errorf("an unknown kernel: %v", err)
	}
}

func TestHLSNeedsItsTable(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"", "nowhere.csv.gz", "data/boom.bin"} {
		if _, err := (HLS{Data: data}).New(); err == nil || !strings.Contains(err.Error(), "hls") {
			t.Errorf("data %q: %v", data, err)
		}
	}
}

func TestBoomIsThePublishedTable(t *testing.T) {
	t.Parallel()
	p := must(t, Boom{})
	if n, exact := p.Space().Count(); !exact || n.Int64() != 15_633 {
		t.Errorf("the space has %v designs (exact: %t), want 15,633", n, exact)
	}
	byName := map[string]map[string]string{}
	label := func(row map[string]string) string {
		b := []string{row["DecodeWidth"]}
		for _, c := range components {
			var s []string
			for _, name := range c.columns {
				s = append(s, row[name])
			}
			b = append(b, strings.Join(s, "-"))
		}
		return strings.Join(b, " ")
	}
	for _, row := range published(t, "boom-dse", "boom_contest_dummy.csv.gz") {
		byName[label(row)] = row
	}
	n := 0
	for d := range p.Space().All() {
		if n++; n%11 != 0 {
			continue
		}
		answers := d.Decisions(nil)
		name := answers[0].Param.Label(answers[0].Index).(string)
		for _, a := range answers[1:] {
			name += " " + a.Param.Label(a.Index).(string)
		}
		row := byName[name]
		if row == nil {
			t.Fatalf("%s was not published", name)
		}
		v := evaluate(t, p, d)
		if v["ipc"] != number(t, row["ipc"]) || v["power_w"] != number(t, row["power_W"]) || !near(v["area_mm2"], number(t, row["area_um2"])/1e6, 1e-12) {
			t.Fatalf("%s measures %v, published %v", name, v, row)
		}
	}
}

// rank is Spearman's correlation.
func rank(a, b []float64) float64 {
	order := func(x []float64) []float64 {
		at := make([]int, len(x))
		for i := range at {
			at[i] = i
		}
		slices.SortFunc(at, func(i, j int) int {
			if x[i] < x[j] {
				return -1
			}
			return 1
		})
		r := make([]float64, len(x))
		for i, k := range at {
			r[k] = float64(i)
		}
		return r
	}
	ra, rb := order(a), order(b)
	mean, sab, saa := float64(len(a)-1)/2, 0.0, 0.0
	for i := range ra {
		sab += (ra[i] - mean) * (rb[i] - mean)
		saa += (ra[i] - mean) * (ra[i] - mean)
	}
	return sab / saa
}

// The sums agree with what was measured as well as DATA.md says.
func TestSumsFitTheMeasurements(t *testing.T) {
	t.Parallel()
	rows := published(t, "accel-nasbench", "accel_nasbench.csv.gz")
	for device, least := range map[string]float64{"vck190": 0.995, "zcu102": 0.998, "a100": 0.999, "3090": 0.999, "tpuv2": 0.997, "tpuv3": 0.96} {
		p := must(t, Accel{Device: device})
		var got, want [3][]float64
		for _, row := range rows {
			var x []int
			for i := range 7 {
				x = append(x, strings.IndexByte("146", row["expansion7"][i]), strings.IndexByte("35", row["kernel7"][i]), int(row["layers7"][i]-'1'), int(row["se7"][i]-'0'))
			}
			v := evaluate(t, p, pick(t, p.Space(), x...))
			for k, c := range [][2]string{{"accuracy", "val_top1"}, {"throughput_ips", "thr_ips_" + device}, {"params_m", "params_M"}} {
				if s := row[c[1]]; s != "" {
					got[k], want[k] = append(got[k], v[c[0]]), append(want[k], number(t, s))
				}
			}
		}
		for k, floor := range []float64{0.98, least, 0.999} {
			if r := rank(got[k], want[k]); r < floor {
				t.Errorf("%s: metric %d has the rank correlation %.4f with the measurements, want %v and more", device, k, r, floor)
			}
		}
	}
	rows = published(t, "hw-latency-help", "fbnet_latency.csv.gz")
	for device, least := range map[string]float64{"pixel3": 0.9999, "raspi4": 0.9999, "eyeriss": 0.9999, "titan_rtx_64": 0.998, "gold_6226": 0.97} {
		p := must(t, FBNet{Device: device})
		var got, want []float64
		for _, row := range rows {
			var x []int
			for _, c := range row["ops"] {
				x = append(x, int(c-'0'))
			}
			got = append(got, evaluate(t, p, pick(t, p.Space(), x...))["latency_ms"])
			want = append(want, number(t, row["lat_ms_"+device]))
		}
		if r := rank(got, want); r < least {
			t.Errorf("%s: rank correlation %.5f, want %v and more", device, r, least)
		}
	}
}

// The front found place by place is the one found by looking at everything.
func TestAdditiveFrontAgainstBruteForce(t *testing.T) {
	t.Parallel()
	r := rng.New(1, "additive", 0)
	const places, settings = 5, 4
	worth := func() []float64 {
		w := []float64{1} // sums that binary numbers hold exactly
		for range places * settings {
			w = append(w, math.Round(16*r.Float64())/16)
		}
		return w
	}
	var nodes []space.Node
	for i := range places {
		nodes = append(nodes, space.Categorical("p"+strconv.Itoa(i), "a", "b", "c", "d"))
	}
	p := (&Additive{
		name: "a test", space: space.MustNew(nodes...), settings: settings,
		metrics: []metric.Metric{{Name: "gain", Direction: metric.Maximize}, {Name: "speed", Direction: metric.Maximize}},
		sums:    []sum{newSum(worth(), math.Exp, true), newSum(worth(), func(x float64) float64 { return 1 / x }, false)},
		read: func(a []space.Answer, x []int) {
			for i := range x {
				x[i] = a[i].Index
			}
		},
	}).init()
	problemtest.Run(t, p)
	for _, goal := range []metric.Goal{
		{Objectives: []metric.Objective{{Metric: "gain", Direction: metric.Maximize}, {Metric: "speed", Direction: metric.Maximize}}},
		{Objectives: []metric.Objective{{Metric: "gain", Direction: metric.Minimize}, {Metric: "speed", Direction: metric.Maximize}}},
		{Objectives: []metric.Objective{{Metric: "speed", Direction: metric.Maximize}}},
	} {
		got, err := p.Optimum(t.Context(), goal)
		if err != nil {
			t.Fatal(err)
		}
		var front metric.Front[int]
		seen := map[string]bool{}
		for d := range p.Space().All() {
			s := goal.Score(evaluate(t, p, d))
			var key []string
			for _, l := range s.Loss {
				key = append(key, strconv.FormatFloat(l, 'g', 9, 64))
			}
			if k := strings.Join(key, " "); !seen[k] {
				seen[k] = true
				front.Add(s, 0)
			}
		}
		if len(got) != front.Len() {
			t.Errorf("%v: %d designs, want %d", goal.Objectives, len(got), front.Len())
		}
		for _, v := range got {
			s := goal.Score(v)
			for o := range front.All() {
				if metric.Dominates(o, s) && math.Abs(o.Loss[0]-s.Loss[0]) > 1e-9 {
					t.Errorf("%v: %v is dominated", goal.Objectives, v)
				}
			}
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for what, err := range map[string]error{
		"macro": second(Macro{Run: 4}.New()), "graph": second(Graph{Dataset: "Arxiv"}.New()),
		"accel": second(Accel{Device: "a10"}.New()), "fbnet": second(FBNet{Device: "pixel"}.New()),
	} {
		if err == nil || !strings.Contains(err.Error(), "found") {
			t.Errorf("%s: error %v", what, err)
		}
	}
	f, _ := reflect.TypeFor[FBNet]().FieldByName("Device")
	file, err := open("fbnet")
	if err != nil || !slices.Equal(strings.Fields(f.Tag.Get("oneof")), file.Names()) {
		t.Errorf("the tag of FBNet names %s, the table %v (%v)", f.Tag.Get("oneof"), file.Names(), err)
	}
}

func second[P any](_ P, err error) error { return err }

func BenchmarkSuite(b *testing.B) {
	for name, p := range map[string]problem.Problem{"macro": must(b, Macro{}), "graph": must(b, Graph{}), "boom": must(b, Boom{}), "accel": must(b, Accel{}), "fbnet": must(b, FBNet{}), "nb101": must(b, NB101{})} {
		b.Run(name, func(b *testing.B) {
			r := rng.New(1, "benchmark", 0)
			ds := make([]space.Design, 256)
			for i := range ds {
				ds[i] = p.Space().MustSample(r)
			}
			out := make([]problem.Result, len(ds))
			b.ReportAllocs()
			for b.Loop() {
				p.(problem.Batcher).EvaluateBatch(b.Context(), ds, out)
			}
			b.ReportMetric(float64(b.N*len(ds))/b.Elapsed().Seconds(), "designs/s")
		})
	}
}
