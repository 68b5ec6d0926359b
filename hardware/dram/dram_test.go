package dram

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// ArchGym's sample of its proxy data: 25 rows come out exactly, in its own units.
// The other 75 are all AllBank, Closed and FrFcfsGrp, presumably of another
// revision of DRAMSys; their energy is within 0.03 %.
func TestArchGymSample(t *testing.T) {
	text, err := os.ReadFile("testdata/archgym_sample.csv")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	l, s := loads(t)["stream"], NewSimulator()
	exact, worst := 0, 0.0
	for i, row := range rows[1:] {
		g := parseGolden(t, rows[0], row)
		var want [3]float64 // energy in mJ, power in W, latency as ArchGym reads it
		for k, h := range rows[0] {
			if j := slices.Index([]string{"Energy", "Power", "Latency"}, h); j >= 0 {
				if want[j], err = strconv.ParseFloat(row[k], 64); err != nil {
					t.Fatal(err)
				}
			}
		}
		r, err := s.Run(context.Background(), l, g.c)
		if err != nil {
			t.Fatal(err)
		}
		energy := r.Energy.TotalPJ() / 1e9
		latency := r.TimeMS()
		if r.TimePS%1000 == 0 {
			latency = float64(r.TimePS/1000) / 1e9
		}
		// The sample is printed with seven to eight digits.
		same := func(got, want float64) bool { return math.Abs(got/want-1) < 1e-7 }
		if same(energy, want[0]) && math.Abs(r.PowerW-want[1]) < 0.6e-5 && same(latency, want[2]) {
			exact++
			continue
		}
		worst = max(worst, math.Abs(energy/want[0]-1))
		if g.c.PagePolicy != Closed || g.c.Scheduler != FrFcfsGrp || g.c.RefreshPolicy != AllBank || math.Abs(energy/want[0]-1) > 3e-4 {
			t.Errorf("row %d: %+v takes %v mJ, %v W and %v, want %v", i, g.c, energy, r.PowerW, latency, want)
		}
	}
	if len(rows) != 101 || exact != 25 {
		t.Errorf("%d of %d rows are exact, want 25 of 100", exact, len(rows)-1)
	}
	t.Logf("%d exact, the others' energy within %.4f %%", exact, 100*worst)
}

// Every built-in memory obeys the rules of its standard, judged by Check, and
// every request is served once, whatever the controller and the load.
func TestFamiliesObeyTheirRules(t *testing.T) {
	s := NewSimulator()
	s.Record(1 << 20)
	memories := map[string]*Memory{"ddr3, four ranks": ddr3(t, 4, 0), "ddr3, additive latency": ddr3(t, 1, 5)}
	for _, name := range Memories() {
		memories[name] = must(Builtin(name))
	}
	for ranks, base := range map[int]string{2: "ddr4-2400", 4: "lpddr4-3200"} {
		m := must(Builtin(base))
		sp, mp := m.Spec, m.Map
		sp.Ranks = ranks
		for bit := mp.Bits(); 1<<len(mp.Rank) < ranks; bit++ {
			mp.Rank = append(slices.Clone(mp.Rank), bit)
		}
		memories[fmt.Sprintf("%s, %d ranks", base, ranks)] = must(NewMemory(sp, mp))
	}
	fine := must(Builtin("ddr4-2400"))
	finer := fine.Spec
	finer.Timings = map[string]int64{}
	for k, v := range fine.Spec.Timings {
		finer.Timings[k] = v
	}
	finer.Timings["REFM"] = 4
	memories["ddr4-2400, fine refresh"] = must(NewMemory(finer, fine.Map))
	for name, m := range memories {
		t.Run(name, func(t *testing.T) {
			r := rng.New(1, "dram/families", 0)
			n := 60
			if testing.Short() {
				n = 10
			}
			for range n {
				l, err := m.Load(drawTrace(r, m, 300))
				if err != nil {
					t.Fatal(err)
				}
				c := drawController(r)
				res, err := s.Run(context.Background(), l, c)
				if err != nil {
					t.Fatal(err)
				}
				if err := Check(m, s.Commands()); err != nil {
					t.Fatalf("%+v: %v", c, err)
				}
				served := make([]int, l.Len())
				for _, x := range s.Commands() {
					if x.Kind >= RD && x.Kind <= WRA {
						served[x.Request]++
					}
				}
				if slices.Min(served) != 1 || slices.Max(served) != 1 {
					t.Fatalf("%+v: requests are served %d to %d times", c, slices.Min(served), slices.Max(served))
				}
				if hits := res.Stats.RowHits + res.Stats.RowMisses + res.Stats.RowConflicts; hits != l.Len() {
					t.Fatalf("%+v: %d hits, misses and conflicts of %d requests", c, hits, l.Len())
				}
				if busy := res.Stats.BusUtilisation; busy > 1 && m.Spec.Family != HBM2 || res.Stats.LatencyMaxNS < res.Stats.LatencyP99NS || res.Stats.LatencyP99NS < res.Stats.LatencyP50NS {
					t.Fatalf("%+v: %+v", c, res.Stats)
				}
				_, parts := res.Energy.Parts()
				for _, e := range parts {
					if e < 0 || (e != 0) && !m.Spec.HasCurrents() {
						t.Fatalf("%+v: energy %+v", c, res.Energy)
					}
				}
			}
		})
	}
}

// A command that is sent a cycle too early is found, and so is one that is left
// out: nearly every command of a busy controller waits for a rule.
func TestCheckFindsViolations(t *testing.T) {
	s := NewSimulator()
	s.Record(1 << 20)
	rules := map[string]bool{}
	for _, name := range Memories() {
		m := must(Builtin(name))
		l := must(m.LoadWrapped(must(Generator{Pattern: Uniform, Requests: 1500, Seed: 3, Writes: 0.4, Range: 1 << 22}.Trace())))
		c := Controller{PagePolicy: OpenAdaptive, Scheduler: FrFcfs, SchedulerBuffer: Shared, RequestBufferSize: 8, RefreshPolicy: AllBank, Arbiter: ArbiterFifo, MaxActiveTransactions: 64}
		if _, err := s.Run(context.Background(), l, c); err != nil {
			t.Fatal(err)
		}
		list := slices.Clone(s.Commands())
		if err := Check(m, list); err != nil {
			t.Fatal(err)
		}
		early, found := 0, 0
		for i := 1; i < len(list); i += 3 {
			x := slices.Clone(list[max(0, i-400) : i+1])
			if i > 400 && !quiet(x, m) {
				continue
			}
			x[len(x)-1].Cycle--
			early++
			var v *Violation
			if err := Check(m, x); errors.As(err, &v) {
				found++
				rules[strings.Split(v.Rule, ":")[0]] = true
			}
		}
		if early < 50 || found*10 < early*8 {
			t.Errorf("%s: of %d commands sent a cycle early %d are found", name, early, found)
		}
		gone := slices.Delete(slices.Clone(list), 0, 1)
		if err := Check(m, gone); err == nil {
			t.Errorf("%s: a read without an open row is allowed", name)
		}
	}
	for _, want := range []string{"RCD", "CCD", "RAS", "RRD", "WTR", "RD to WR"} {
		if !rules[want] {
			t.Errorf("no command was early by %s; found were %v", want, sortedKeys(rules))
		}
	}
	m := must(Builtin("ddr3-1600"))
	for name, list := range map[string][]Command{
		"FAW":                     {{0, ACT, 0, 0, 1, 0}, {5, ACT, 0, 1, 1, 0}, {10, ACT, 0, 2, 1, 0}, {15, ACT, 0, 3, 1, 0}, {20, ACT, 0, 4, 1, 0}},
		"RFC":                     {{0, REF, 0, 0, 0, -1}, {87, ACT, 0, 0, 1, 0}},
		"RP":                      {{0, ACT, 0, 0, 1, 0}, {40, PRE, 0, 0, 1, 0}, {49, ACT, 0, 0, 1, 0}},
		"WR":                      {{0, ACT, 0, 0, 1, 0}, {20, WR, 0, 0, 1, 0}, {43, PRE, 0, 0, 1, 0}},
		"RTP":                     {{0, ACT, 0, 0, 1, 0}, {30, RD, 0, 0, 1, 0}, {35, PRE, 0, 0, 1, 0}},
		"RTP + RP":                {{0, ACT, 0, 0, 1, 0}, {30, RDA, 0, 0, 1, 0}, {45, ACT, 0, 0, 1, 0}},
		"WR + RP":                 {{0, ACT, 0, 0, 1, 0}, {30, WRA, 0, 0, 1, 0}, {63, ACT, 0, 0, 1, 0}},
		"WR before the bank":      {{0, ACT, 0, 0, 1, 0}, {20, WR, 0, 0, 1, 0}, {37, RDA, 0, 0, 1, 0}},
		"the command bus is busy": {{0, ACT, 0, 0, 1, 0}, {40, RD, 0, 0, 1, 0}, {40, ACT, 0, 1, 1, 0}},
		"wants row 2":             {{0, ACT, 0, 0, 1, 0}, {40, RD, 0, 0, 2, 0}},
		"row 1 of the bank":       {{0, ACT, 0, 0, 1, 0}, {90, ACT, 0, 0, 2, 0}},
		"row 1 of bank 0":         {{0, ACT, 0, 0, 1, 0}, {90, REF, 0, 0, 0, -1}},
		"no row of the bank":      {{0, PRE, 0, 0, 1, 0}},
		"rank 1 has no such bank": {{0, ACT, 1, 9, 1, 0}},
		"the command before it":   {{9, ACT, 0, 0, 1, 0}, {3, ACT, 0, 1, 1, 0}},
		"is not a command":        {{9, SREN, 0, 0, 1, 0}},
	} {
		if err := Check(m, list); err == nil || !strings.Contains(err.Error(), ": "+name) {
			t.Errorf("error is %v, want %q in it", err, name)
		}
	}
	two := ddr3(t, 2, 0)
	if err := Check(two, []Command{{0, ACT, 0, 0, 1, 0}, {1, ACT, 1, 8, 1, 0}, {20, RD, 0, 0, 1, 0}, {24, RD, 1, 8, 1, 0}}); err == nil || !strings.Contains(err.Error(), "data bus") {
		t.Errorf("error is %v, want the data bus in it", err)
	}
}

// quiet reports whether a list that begins in the middle of a run can be judged
// alone: all its rows are opened in it.
func quiet(list []Command, m *Memory) bool {
	return Check(m, list) == nil
}

func TestRunDoesNotAllocate(t *testing.T) {
	if invariants {
		t.Skip("checking allocates")
	}
	l, s := loads(t)["cloud-1"], NewSimulator()
	c := Controller{PagePolicy: OpenAdaptive, Scheduler: FrFcfsGrp, RequestBufferSize: 4, RefreshPolicy: AllBank, Arbiter: ArbiterReorder, MaxActiveTransactions: 32, RespQueue: RespReorder}
	ctx := context.Background()
	if n := testing.AllocsPerRun(5, func() {
		if _, err := s.Run(ctx, l, c); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a run allocates %v times", n)
	}
}

// A simulator that ran anything before gives the same as a new one.
func TestSimulatorIsReused(t *testing.T) {
	r := rng.New(2, "dram/reused", 0)
	used := NewSimulator()
	for range 60 {
		m := ddr3(t, 1<<r.IntN(3), 0)
		if r.IntN(3) == 0 {
			m = must(Builtin(Memories()[r.IntN(5)]))
		}
		l := must(m.Load(drawTrace(r, m, 1+r.IntN(200))))
		c := drawController(r)
		a, err := used.Run(context.Background(), l, c)
		if err != nil {
			t.Fatal(err)
		}
		b, err := NewSimulator().Run(context.Background(), l, c)
		if err != nil {
			t.Fatal(err)
		}
		if a.TimePS != b.TimePS || a.Energy != b.Energy || a.Stats != b.Stats || !slices.Equal(a.Ranks, b.Ranks) {
			t.Fatalf("%+v: a used simulator gives %+v, a new one %+v", c, a, b)
		}
	}
}

func TestLatencyPercentiles(t *testing.T) {
	r := rng.New(1, "dram/percentiles", 0)
	var l latencies
	for _, n := range []int{1, 2, 7, 100, 999} {
		l.reset()
		var all []int64
		for range n {
			x := int64(r.IntN(200))
			if r.IntN(10) == 0 {
				x = histogram - 3 + int64(r.IntN(50_000))
			}
			all = append(all, x)
			l.add(x)
		}
		slices.Sort(all)
		var got [3]int64
		l.percentiles(n, percents[:], got[:])
		for i, p := range percents {
			if want := all[(n*p+99)/100-1]; got[i] != want {
				t.Errorf("%d latencies: %d %% is %d, want %d", n, p, got[i], want)
			}
		}
	}
}

func TestCancelledRun(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := NewSimulator().Run(ctx, loads(t)["random"], Controller{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
}

// A run whose picoseconds overflow is an error, not a negative time.
func TestTooLongForPicoseconds(t *testing.T) {
	if invariants {
		t.Skip("the list of commands is long")
	}
	s := DDR3_1600()
	s.ClockMHz = 1
	s.Timings["RL"], s.Timings["REFI"] = maxTiming, maxTiming
	s.Timings["WL"], s.Timings["WTR"] = maxTiming, maxTiming
	m := must(NewMemory(s, DDR3_1600Map()))
	l := must(m.Load(must(Generator{Requests: 30_000, Writes: 0.5}.Trace())))
	_, err := NewSimulator().Run(context.Background(), l, Controller{})
	if err == nil || !strings.Contains(err.Error(), "a time in picoseconds has 63 bits") {
		t.Errorf("error is %v", err)
	}
}

func TestAddressMapRoundTrip(t *testing.T) {
	r := rng.New(1, "dram/map", 0)
	for _, name := range Memories() {
		m := must(Builtin(name))
		m.Map.XOR = [][2]int{{m.Map.Bank[0], m.Map.Row[0]}, {m.Map.Bank[1], m.Map.Row[2]}}
		m = must(NewMemory(m.Spec, m.Map))
		for range 200 {
			bank, row, column := r.Uint32N(uint32(m.Spec.Ranks*m.Spec.Banks)), r.Uint32N(uint32(m.Spec.Rows)), r.Uint32N(uint32(m.Spec.Columns))
			a := m.Map.Encode(bank, row, column)
			if b, w := m.dec.decode(a); b != bank || w != row || int64(a) >= m.Spec.CapacityBytes() {
				t.Fatalf("%s: %#x is bank %d, row %d, want %d, %d below %#x", name, a, b, w, bank, row, m.Spec.CapacityBytes())
			}
		}
	}
	if m := DDR3_1600Map(); m.Bits() != 30 {
		t.Error("ArchGym's memory is not 1 GiB")
	}
}

// The traces of the program are those of ArchGym's archive.
func TestBuiltinTraces(t *testing.T) {
	for name, want := range map[string][4]uint64{
		"stream": {0, 64, 0x9C380, 0x9C3C0}, "random": {0x3B22EDC0, 0x2956D100, 0x569E040, 0x1F6C9780},
		"cloud-1": {0, 64, 0x4AF80, 0x4AFC0}, "cloud-2": {0x3B22EDC0, 0x2956D100, 0x343E4980, 0x3E74AFC0},
	} {
		tr := must(BuiltinTrace(name))
		q := tr.Requests
		if len(q) != 10_000 || [4]uint64{q[0].Address, q[1].Address, q[9998].Address, q[9999].Address} != want {
			t.Errorf("%s is another trace: %d requests, %+v, %+v", name, len(q), q[:2], q[len(q)-2:])
		}
		var b bytes.Buffer
		if err := tr.WriteSTL(&b); err != nil {
			t.Fatal(err)
		}
		back, err := ReadSTL(&b, name+".stl")
		if err != nil || back.Name != name || !slices.Equal(back.Requests, q) {
			t.Errorf("%s is read back as something else (%v)", name, err)
		}
	}
	if _, err := BuiltinTrace("sream"); err == nil || !strings.Contains(err.Error(), "did you mean stream?") {
		t.Errorf("error is %v", err)
	}
}

func TestReadSTLMistakes(t *testing.T) {
	for name, x := range map[string]struct{ text, want string }{
		"colon":     {"0 read 0x0", `t.stl:1: found "0 read 0x0" without a colon`},
		"cycle":     {"0: read 0x0\n\n# note\nx: read 0x0", `t.stl:4: found the cycle "x"`},
		"negative":  {"-1: read 0x0", "t.stl:1: found cycle -1, want 0 or later"},
		"overflow":  {"9223372036854775808: read 0x0", "t.stl:1: found the cycle"},
		"too late":  {"1099511627777: read 0x0", "t.stl:1: found cycle 1099511627777, want at most 1099511627776"},
		"backwards": {"5: read 0x0\n4: read 0x0", "t.stl:2: cycle 4 comes after cycle 5, want times that do not run backwards"},
		"verb":      {"5: reed 0x0", `t.stl:1: found "reed", want read or write`},
		"address":   {"5: read 400140", `t.stl:1: found the address "400140"`},
		"wide":      {"5: read 0x10000000000000000", "t.stl:1: found the address"},
		"missing":   {"5: read", "t.stl:1: found"},
		"length":    {"0: (16) write 0x0 0xff", `t.stl:1: found the length "(16)", which is not supported`},
		"nothing":   {"# only this\n", "t.stl: found no requests"},
		"endless":   {"0: read 0x0\n" + strings.Repeat("x", 1<<17), "t.stl:2: "},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ReadSTL(strings.NewReader(x.text), "t.stl"); err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("error is %v, want %q in it", err, x.want)
			}
		})
	}
}

func TestLoadMistakes(t *testing.T) {
	m := must(Builtin("ddr3-1600"))
	for want, tr := range map[string]Trace{
		"trace a: found no requests":                                        {Name: "a"},
		"trace b: request 1: cycle 3 comes after cycle 4":                   {Name: "b", Requests: []Request{{4, 0, false}, {3, 0, false}}},
		"trace c: request 0: found address 0x40000000, want less than":      {Name: "c", Requests: []Request{{0, 1 << 30, false}}},
		"trace d: found a clock of -1 MHz":                                  {Name: "d", ClockMHz: -1, Requests: []Request{{}}},
		"trace e: request 0 comes in cycle 879609302220800 of the memory's": {Name: "e", ClockMHz: 1, Requests: []Request{{1 << 40, 0, false}}},
	} {
		if _, err := m.Load(tr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q in it", err, want)
		}
	}
	l, err := m.LoadWrapped(Trace{Name: "w", Requests: []Request{{0, 1<<30 + 64, false}}})
	if err != nil || l.place[0] != 64 {
		t.Errorf("a wrapped address is %#x (%v), want 64", l.place[0], err)
	}
	slow := must(m.Load(Trace{Name: "s", ClockMHz: 300, Requests: []Request{{0, 0, false}, {1, 0, false}, {3, 0, false}}}))
	if !slices.Equal(slow.cycle, []int64{0, 3, 8}) {
		t.Errorf("cycles of 300 MHz are %v of 800 MHz, want 0, 3, 8", slow.cycle)
	}
}

func TestReadSpecMistakes(t *testing.T) {
	good, err := data.ReadFile("data/MICRON_1Gb_DDR3-1600_8bit_G.json")
	if err != nil {
		t.Fatal(err)
	}
	change := func(old, new string) string {
		if !strings.Contains(string(good), old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(string(good), old, new, 1)
	}
	for want, text := range map[string]string{
		"m.json: memtimingspec: RCD: found 0, want at least 1 cycle":                change(`"RCD": 10`, `"RCD": 0`),
		"memtimingspec: FAW is missing; DDR3 needs CCD FAW":                         change(`"FAW": 24,`, ``),
		"RC: found -3, want up to":                                                  change(`"RC": 38`, `"RC": -3`),
		"RC: found 9.9e+18, want a whole number":                                    change(`"RC": 38`, `"RC": 9.9e18`),
		"RC: found 38.5, want a whole number":                                       change(`"RC": 38`, `"RC": 38.5`),
		"a refresh every 80 cycles that takes 88 leaves no time":                    change(`"REFI": 6240`, `"REFI": 80`),
		`memoryType: found "DDR2", want DDR3, DDR4, LPDDR4 or HBM2`:                 change(`"DDR3"`, `"DDR2"`),
		"nbrOfRows: found 16385, want a power of two":                               change(`16384`, `16385`),
		"nbrOfBanks is missing":                                                     change(`"nbrOfBanks": 8,`, ``),
		"nbrOfChannels: found 2, want 1":                                            change(`"nbrOfChannels": 1`, `"nbrOfChannels": 2`),
		"clkMhz: found 0, want 1 to 100000":                                         change(`"clkMhz": 800`, `"clkMhz": 0`),
		"idd0: found nothing or 0, want a positive number":                          change(`"idd0": 70.0`, `"idd0": 0`),
		"idd0: found -70, want a number from 0":                                     change(`"idd0": 70.0`, `"idd0": -70`),
		"m.json:4: memspec.memarchitecturespec.burstLength: found string, want int": change(`"burstLength": 8`, `"burstLength": "8"`),
		"m.json:5: invalid character":                                               change(`"burstLength": 8,`, `"burstLength": 8`),
		"found no memspec":                                                          `{}`,
		"nbrOfRanks × nbrOfBanks: found 128 banks, want at most 64":                 change(`"nbrOfRanks": 1`, `"nbrOfRanks": 16`),
		"nbrOfBankGroups: found 4, want 1: DDR3 has no bank groups":                 change(`"nbrOfBanks": 8,`, `"nbrOfBanks": 8, "nbrOfBankGroups": 4,`),
	} {
		if _, err := ReadSpec("m.json", []byte(text)); err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), ": not a usable memory specification:\n", ": "), want) {
			t.Errorf("error is %v, want %q in it", err, want)
		}
	}
	if _, err := Builtin("ddr4-2401"); err == nil || !strings.Contains(err.Error(), "did you mean ddr4-2400?") {
		t.Errorf("error is %v", err)
	}
	if _, err := NewMemory(DDR3_1600(), must(builtinMap("am_lpddr4_8Gbx16_brc.json"))); err == nil || !strings.Contains(err.Error(), "ROW_BIT: found 16 bits, want 14 for 16384 nbrOfRows") {
		t.Errorf("error is %v", err)
	}
}

func TestReadAddressMapMistakes(t *testing.T) {
	for want, text := range map[string]string{
		"a.json: found no CONGEN":                              `{}`,
		"BANK_BIT: bit 1 is in BYTE_BIT too":                   `{"CONGEN": {"BYTE_BIT": [0, 1], "BANK_BIT": [1], "ROW_BIT": [2]}}`,
		"ROW_BIT: found bit 9, want 0 to 2":                    `{"CONGEN": {"BYTE_BIT": [0], "BANK_BIT": [1], "ROW_BIT": [9]}}`,
		"ROW_BIT: found bit -1":                                `{"CONGEN": {"BYTE_BIT": [0], "ROW_BIT": [-1]}}`,
		"CHANNEL_BIT: found [2], want none":                    `{"CONGEN": {"BYTE_BIT": [0], "ROW_BIT": [1], "CHANNEL_BIT": [2]}}`,
		"XOR: found bit 7":                                     `{"CONGEN": {"BYTE_BIT": [0], "ROW_BIT": [1], "XOR": [{"FIRST": 0, "SECOND": 7}]}}`,
		"the map has 0 bits":                                   `{"CONGEN": {}}`,
		"a.json:1: CONGEN.ROW_BIT: found number 1.5, want int": `{"CONGEN": {"ROW_BIT": [1.5]}}`,
	} {
		if _, err := ReadAddressMap("a.json", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q in it", err, want)
		}
	}
}

func TestControllerFiles(t *testing.T) {
	r := rng.New(1, "dram/mcconfig", 0)
	for range 100 {
		c := drawController(r)
		text, err := c.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ReadController("c.json", text); err != nil || back != c {
			t.Fatalf("%s is read as %+v (%v)", text, back, err)
		}
	}
	for want, text := range map[string]string{
		`c.json: Scheduler: found "FrFcfz", want one of Fifo, FrFcfs, FrFcfsGrp; did you mean FrFcfs?`: `{"mcconfig": {"Scheduler": "FrFcfz"}}`,
		`c.json: CmdMux: found "Strict", want Oldest`:                                                  `{"mcconfig": {"CmdMux": "Strict"}}`,
		`c.json: PowerDownPolicy: found "Staggered", want NoPowerDown`:                                 `{"mcconfig": {"PowerDownPolicy": "Staggered"}}`,
		"RequestBufferSize: found -1, want 1 to":                                                       `{"mcconfig": {"RequestBufferSize": -1}}`,
		"c.json: found no mcconfig":                                                                    `{}`,
	} {
		if _, err := ReadController("c.json", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q in it", err, want)
		}
	}
	if _, err := NewSimulator().Run(context.Background(), loads(t)["stream"], Controller{PagePolicy: 9}); err == nil || !strings.Contains(err.Error(), "PagePolicy: found 9") {
		t.Errorf("error is %v", err)
	}
}

// DRAMSys' own controller files are read, but for those it says are for other
// command multiplexers.
func TestShippedFiles(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "shared", "data", "archgym", "archgym_inputs.zip")
	if _, err := os.Stat(folder); err != nil {
		t.Skip("ArchGym's archive is not there")
	}
	z, read := openArchive(t, folder)
	specs, maps, traces := 0, 0, 0
	for _, name := range z {
		base := filepath.Base(name)
		switch {
		case strings.Contains(name, "/memspecs/"):
			s, err := ReadSpec(base, read(name))
			if family := s.Family; err == nil && family != "" {
				specs++
			} else if err != nil && !strings.Contains(err.Error(), "memoryType") && !strings.Contains(err.Error(), "missing") && !strings.HasPrefix(base, "SAMSUNG") { // those are not JSON
				t.Errorf("%s: %v", base, err)
			}
		case strings.Contains(name, "/amconfigs/"):
			if _, err := ReadAddressMap(base, read(name)); err == nil {
				maps++
			} else if !strings.Contains(err.Error(), "CHANNEL_BIT") {
				t.Errorf("%s: %v", base, err)
			}
		case strings.HasSuffix(name, ".stl"):
			tr, err := ReadSTL(bytes.NewReader(read(name)), base)
			// One has lengths, and one begins anew in the middle.
			if refused := base == "pct.stl" || base == "ddr3_example.stl"; (err != nil) != refused {
				t.Errorf("%s: error %v", base, err)
			}
			if slices.Contains(Traces(), tr.Name) {
				traces++
				if want := must(BuiltinTrace(tr.Name)); !slices.Equal(tr.Requests, want.Requests) {
					t.Errorf("%s is not the built-in trace", base)
				}
			}
		}
	}
	if specs < 25 || maps < 8 || traces != 4 {
		t.Errorf("read %d specifications, %d maps, %d built-in traces", specs, maps, traces)
	}
}

func TestGenerators(t *testing.T) {
	for text, want := range map[string][]Request{
		"stream(requests=3, gap=2)":                           {{0, 0, false}, {2, 64, false}, {4, 128, false}},
		"strided(requests=4, stride=128, range=256, base=64)": {{0, 64, false}, {1, 192, false}, {2, 64, false}, {3, 192, false}},
		"stream(requests=3, range=128, writes=1)":             {{0, 0, true}, {1, 64, true}, {2, 0, true}},
		// The same on every platform, and for ever.
		"random(requests=3, seed=1, range=65536, writes=0.5)": {{0, 22784, true}, {1, 49024, true}, {2, 15040, true}},
		"chase(requests=5, seed=1, range=256)":                {{0, 0, false}, {50, 64, false}, {100, 128, false}, {150, 192, false}, {200, 0, false}},
	} {
		g, err := ParseGenerator(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := must(g.Trace()); !slices.Equal(got.Requests, want) {
			t.Errorf("%s makes %+v, want %+v", text, got.Requests, want)
		}
	}
	seen := map[uint64]bool{}
	for _, q := range must(Generator{Pattern: Chase, Requests: 1024, Range: 1 << 16, Seed: 9}.Trace()).Requests {
		seen[q.Address] = true
	}
	if len(seen) != 1024 {
		t.Errorf("a list of 1024 pointers has %d", len(seen))
	}
	writes := 0
	for _, q := range must(Generator{Writes: 0.3, Seed: 2}.Trace()).Requests {
		if q.Write {
			writes++
		}
	}
	if writes < 2800 || writes > 3200 {
		t.Errorf("30 %% writes are %d of 10000", writes)
	}
	for text, want := range map[string]string{
		"random":                      "want a pattern with its fields",
		"random(sead=1)":              `found "sead=1", want name=value with one of base, burst`,
		"random(seed=x)":              `seed: found "x", want a number`,
		"zigzag()":                    `pattern: found "zigzag"`,
		"random(writes=1.5)":          "writes: found 1.5, want a share",
		"random(writes=NaN)":          "writes: found NaN, want a share",
		"random(burst=48)":            "burst: found 48 bytes, want a power of two",
		"random(range=100)":           "range: found 100 bytes",
		"strided(stride=100)":         "stride: found 100 bytes",
		"stream(gap=-1)":              "gap: found -1",
		"stream(gap=1000000000)":      "gap: found 1000000000",
		"stream(requests=9999999999)": "requests: found",
		"chase(range=17179869184)":    "range: found 268435456 bursts",
	} {
		if _, err := ParseGenerator(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %q in it", text, err, want)
		}
	}
	a := Trace{Name: "a", Requests: []Request{{0, 0, false}, {5, 64, false}}}
	b := Trace{Name: "b", Requests: []Request{{0, 128, true}, {4, 192, true}}}
	m := must(Merge("both", a, b))
	if !slices.Equal(m.Requests, []Request{{0, 0, false}, {0, 128, true}, {4, 192, true}, {5, 64, false}}) {
		t.Errorf("merged: %+v", m.Requests)
	}
	b.ClockMHz = 400
	if _, err := Merge("both", a, b); err == nil || !strings.Contains(err.Error(), "clock of 400 MHz") {
		t.Errorf("error is %v", err)
	}
}

func FuzzReadSTL(f *testing.F) {
	for _, s := range []string{"0:\tread\t0x0\n1: write 0x40", "# x\n5:read 0xFF 0xffff", "0: (16) write 0x0", "-1: read 0x0", "9:", ":::", "18446744073709551616: read 0x0"} {
		f.Add([]byte(s))
	}
	m := must(Builtin("ddr3-1600"))
	sim := NewSimulator()
	f.Fuzz(func(t *testing.T, text []byte) {
		tr, err := ReadSTL(bytes.NewReader(text), "f.stl")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.stl") {
				t.Errorf("%v does not say where", err)
			}
			return
		}
		if err := tr.Validate(); err != nil {
			t.Fatalf("%v after it was read", err)
		}
		l, err := m.LoadWrapped(tr)
		if err != nil || l.cycle[l.Len()-1] > 1<<20 {
			return
		}
		if _, err := sim.Run(context.Background(), l, Controller{RefreshPolicy: AllBank}); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzReadSpec(f *testing.F) {
	for _, name := range Memories() {
		text, err := data.ReadFile("data/" + builtins[name].spec)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"memspec": {"memarchitecturespec": {}, "memtimingspec": {"clkMhz": 1e400}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ReadSpec("f.json", text)
		if err != nil {
			return
		}
		if err := s.Validate(); err != nil {
			t.Fatalf("%v after it was read", err)
		}
		newTiming(&s)
		s.energy(Counts{1, 1, 1, 1, 1, 1, 1}, 1)
	})
}

func FuzzReadAddressMap(f *testing.F) {
	for _, name := range Memories() {
		text, err := data.ReadFile("data/" + builtins[name].mapping)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, uint64(0x12345678))
	}
	f.Fuzz(func(t *testing.T, text []byte, address uint64) {
		m, err := ReadAddressMap("f.json", text)
		if err != nil {
			return
		}
		d := newDecoder(&m)
		bank, row := d.decode(address % d.limit)
		if b, r := d.decode(m.Encode(bank, row, 0)); len(m.Bank)+len(m.BankGroup)+len(m.Rank) <= 32 && len(m.Row) <= 32 && (b != bank || r != row) {
			for _, x := range m.XOR {
				if x[0] == x[1] {
					return // a bit that is xored with itself is lost
				}
			}
			t.Errorf("bank %d, row %d come back as %d, %d", bank, row, b, r)
		}
	})
}

func FuzzReadController(f *testing.F) {
	f.Add([]byte(`{"mcconfig": {"PagePolicy": "Open", "Scheduler": "Fifo", "SchedulerBuffer": "Bankwise", "RespQueue": "Fifo", "RefreshPolicy": "NoRefresh", "Arbiter": "Simple"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := ReadController("f.json", text); err == nil {
			if err := c.Validate(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzReadPower(f *testing.F) {
	read := archive(f)
	f.Add(read("memspecs/MICRON_1Gb_DDR2-1066_16bit_H.xml"), []byte(library))
	f.Add([]byte("<memspec>"), []byte("5,ACT,0\n9,RD,0"))
	f.Fuzz(func(t *testing.T, spec, commands []byte) {
		s, err := ReadPowerSpec("f", spec)
		if err != nil {
			x := DDR3_1600()
			s = x.Power()
		}
		list, err := ReadCommands(bytes.NewReader(commands), "f")
		if err != nil {
			return
		}
		r, err := Analyze(s, list, PowerOptions{Termination: true})
		if err == nil && (math.IsNaN(r.TotalPJ) || math.IsInf(r.TotalPJ, 0)) {
			t.Errorf("the energy is %v", r.TotalPJ)
		}
	})
}

func ExampleSimulator() {
	memory, err := Builtin("ddr3-1600")
	if err != nil {
		fmt.Println(err)
		return
	}
	trace, err := BuiltinTrace("random")
	if err != nil {
		fmt.Println(err)
		return
	}
	load, err := memory.Load(trace)
	if err != nil {
		fmt.Println(err)
		return
	}
	s := NewSimulator()
	for _, c := range []Controller{ArchGymDefault(), {PagePolicy: ClosedAdaptive, Scheduler: FrFcfs, RequestBufferSize: 8, Arbiter: ArbiterFifo, MaxActiveTransactions: 64}} {
		r, err := s.Run(context.Background(), load, c)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s, %s: %.3f ms, %.3f mJ, a request takes %.0f ns\n", c.PagePolicy, c.Scheduler, r.TimeMS(), r.Energy.TotalPJ()/1e9, r.Stats.LatencyMeanNS)
	}
	// Output:
	// Open, Fifo: 0.288 ms, 0.355 mJ, a request takes 74 ns
	// ClosedAdaptive, FrFcfs: 0.080 ms, 0.242 mJ, a request takes 513 ns
}

func ExampleGenerator() {
	t, err := Generator{Pattern: Chase, Requests: 4, Range: 1 << 12, Seed: 3}.Trace()
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := t.WriteSTL(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 0:	read	0x0
	// 50:	read	0xFC0
	// 100:	read	0x700
	// 150:	read	0x340
}
