package dram

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"math"
	"os"
	"strconv"
	"testing"
)

// A golden row is one run of DRAMSys 4.0.
type golden struct {
	c        Controller
	trace    string
	energyPJ float64
	powerMW  float64
	timePS   int64
}

// recorded returns the 800 runs of testdata/dramsys_ddr3_1600.csv.gz.
func recorded(t testing.TB) []golden {
	t.Helper()
	f, err := os.Open("testdata/dramsys_ddr3_1600.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []golden
	for _, row := range rows[1:] {
		out = append(out, parseGolden(t, rows[0], row))
	}
	if len(out) != 800 {
		t.Fatalf("found %d recorded runs, want 800", len(out))
	}
	return out
}

func parseGolden(t testing.TB, header, row []string) golden {
	t.Helper()
	at := func(name string) string {
		for i, h := range header {
			if h == name {
				return row[i]
			}
		}
		t.Fatalf("no column %s in %q", name, header)
		return ""
	}
	number := func(name string) float64 {
		v, err := strconv.ParseFloat(at(name), 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	pick := func(name string, words []string) int {
		for i, w := range words {
			if w == at(name) {
				return i
			}
		}
		t.Fatalf("%s is %q, want one of %q", name, at(name), words)
		return 0
	}
	g := golden{c: Controller{
		PagePolicy: PagePolicy(pick("PagePolicy", PagePolicies)), Scheduler: Scheduler(pick("Scheduler", Schedulers)), SchedulerBuffer: Buffer(pick("SchedulerBuffer", Buffers)),
		RequestBufferSize: int(number("RequestBufferSize")), RespQueue: RespQueue(pick("RespQueue", RespQueues)), RefreshPolicy: RefreshPolicy(pick("RefreshPolicy", RefreshPolicies)),
		RefreshMaxPostponed: int(number("RefreshMaxPostponed")), RefreshMaxPulledin: int(number("RefreshMaxPulledin")),
		Arbiter: Arbiter(pick("Arbiter", Arbiters)), MaxActiveTransactions: int(number("MaxActiveTransactions")),
	}}
	for _, h := range header {
		if h == "trace" {
			g.trace, g.energyPJ, g.powerMW, g.timePS = at("trace"), number("total_energy_pJ"), number("avg_power_mW"), int64(number("total_time_ps"))
		}
	}
	return g
}

func loads(t testing.TB) map[string]*Load {
	t.Helper()
	m, err := Builtin("ddr3-1600")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*Load{}
	for _, name := range Traces() {
		tr, err := BuiltinTrace(name)
		if err != nil {
			t.Fatal(err)
		}
		if out[name], err = m.Load(tr); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// Every recorded run comes out: the time to the picosecond, the energy to 1e-6,
// the power as it was printed.
func TestRecordedRuns(t *testing.T) {
	all := loads(t)
	s := NewSimulator()
	worst := 0.0
	for i, g := range recorded(t) {
		if testing.Short() && i/4%5 != 0 { // every fifth controller
			continue
		}
		r, err := s.Run(context.Background(), all[g.trace], g.c)
		if err != nil {
			t.Fatal(err)
		}
		if r.TimePS != g.timePS {
			t.Errorf("row %d: %+v on %s takes %d ps, want %d", i, g.c, g.trace, r.TimePS, g.timePS)
		}
		off := math.Abs(r.Energy.TotalPJ()/g.energyPJ - 1)
		worst = max(worst, off)
		if off > 1e-6 {
			t.Errorf("row %d: %+v on %s takes %.2f pJ, want %.2f", i, g.c, g.trace, r.Energy.TotalPJ(), g.energyPJ)
		}
		if math.Abs(r.PowerW*1e3-g.powerMW) > 0.00501 {
			t.Errorf("row %d: %+v on %s draws %.4f mW, want %.2f", i, g.c, g.trace, r.PowerW*1e3, g.powerMW)
		}
		if t.Failed() && i > 20 {
			t.FailNow()
		}
	}
	t.Logf("largest relative error of the energy: %.2g", worst)
}
