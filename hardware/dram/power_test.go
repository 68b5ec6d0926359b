package dram

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// library is what DRAMPower's test of its library sends (lib_test.cc), which is
// more than the trace of the same name.
const library = `35,ACT,0
50,RDA,0
51,ACT,4
66,RDA,4
86,ACT,0
101,RDA,0
102,ACT,2
117,RDA,2
119,ACT,5
134,RDA,5
137,ACT,0
152,RDA,0
159,ACT,3
174,RDA,3
195,ACT,0
210,RDA,0
232,ACT,4
247,WRA,4
265,PDN_F_PRE,3
300,PUP_PRE,3
350,ACT,0
400,PREA,0
450,PREA,0
500,ACT,0
550,ACT,0
600,PRE,0
650,PRE,0
`

// openArchive returns the names of the files in an archive, and how to read one.
func openArchive(t testing.TB, path string) (names []string, read func(string) []byte) {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { z.Close() })
	for _, f := range z.File {
		names = append(names, f.Name)
	}
	return names, func(name string) []byte {
		f, err := z.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

type reference struct {
	test, memory, trace, output string
	options                     PowerOptions
	transactions                bool
}

// archive reads DRAMPower's reference tests.
func archive(t testing.TB) func(name string) []byte {
	t.Helper()
	_, read := openArchive(t, "testdata/drampower.zip")
	return func(name string) []byte {
		b := read(name)
		if !strings.HasSuffix(name, ".gz") {
			return b
		}
		g, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(g); err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func references(t testing.TB, read func(string) []byte) []reference {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(read("index.csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []reference
	for _, row := range rows[1:] {
		r := reference{test: row[0], memory: row[1], output: row[3], options: PowerOptions{AsDRAMPower: true}}
		args := strings.Fields(row[2])
		number := func(s string) float64 {
			v, err := strconv.ParseFloat(s, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		for i, a := range args {
			switch a {
			case "-c":
				r.trace = args[i+1]
			case "-t":
				r.transactions = true
			case "-r":
				r.options.Termination = true
			case "-b":
				r.options.RhoPercent, r.options.SigmaPercent = number(args[i+1]), number(args[i+2])
			case "-s":
				r.options.PartialArray = int(number(args[i+1]))
			}
		}
		if r.memory == "" {
			r.memory = "memspecs/MICRON_1Gb_DDR2-1066_16bit_H.xml"
		}
		out = append(out, r)
	}
	if len(out) != 40 {
		t.Fatalf("found %d reference tests, want 40", len(out))
	}
	return out
}

// DRAMPower's reference tests: every number that its output names and that is
// computed here, as it was printed. The two tests that schedule transactions are
// those of another program inside DRAMPower, which is not here.
func TestDRAMPowerReferences(t *testing.T) {
	read := archive(t)
	done, numbers := 0, 0
	for _, ref := range references(t, read) {
		if ref.transactions {
			continue
		}
		done++
		t.Run(ref.test, func(t *testing.T) {
			s, err := ReadPowerSpec(ref.memory, read(ref.memory))
			if err != nil {
				t.Fatal(err)
			}
			text := []byte(library)
			if ref.trace != "" {
				text = read(ref.trace)
			}
			commands, err := ReadCommands(bytes.NewReader(text), ref.trace)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Analyze(s, commands, ref.options)
			if err != nil {
				t.Fatal(err)
			}
			numbers += compare(t, string(read(ref.output)), &r)
		})
	}
	if done != 38 {
		t.Errorf("%d tests compared, want 38", done)
	}
	t.Logf("%d tests, %d numbers", done, numbers)
}

var line = regexp.MustCompile(`(?m)(#?[A-Z][A-Za-z0-9 /+()#-]*): *(-?[0-9.]+)`)

// compare checks every line of a reference output that is known.
func compare(t *testing.T, text string, r *PowerReport) (n int) {
	t.Helper()
	var bank *BankPower
	for _, l := range strings.Split(strings.ReplaceAll(text, "pJACT", "pJ\nACT"), "\n") {
		if i := strings.Index(l, "@ Bank "); i >= 0 {
			k, err := strconv.Atoi(strings.TrimSpace(l[i+7:]))
			if err != nil {
				t.Fatal(err)
			}
			bank = &r.Banks[k]
			continue
		}
		if strings.HasPrefix(l, "* Trace") {
			bank = nil
		}
		m := line.FindStringSubmatch(l)
		if m == nil {
			continue
		}
		want, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			continue // a time of day
		}
		got, ok := trace(m[1], r)
		if bank != nil {
			got, ok = ofBank(m[1], bank)
		}
		if !ok {
			continue
		}
		n++
		half := 0.5
		if i := strings.IndexByte(m[2], '.'); i >= 0 {
			half = 0.5 * math.Pow(10, -float64(len(m[2])-i-1))
		}
		if math.Abs(got-want) > half*1.02 {
			t.Errorf("%s: got %v, want %v (bank: %t)", strings.TrimSpace(m[1]), got, want, bank != nil)
		}
	}
	if n < 8 {
		t.Errorf("only %d numbers were compared", n)
	}
	return n
}

func trace(name string, r *PowerReport) (float64, bool) {
	f := func(n int64) (float64, bool) { return float64(n), true }
	switch strings.TrimSpace(name) {
	case "#ACT commands", "Number of ACTs":
		return f(r.Activates)
	case "#RD + #RDA commands", "Number of RDs":
		return f(r.Reads)
	case "#WR + #WRA commands":
		return f(r.Writes)
	case "#PRE (+ PREA) commands", "Number of PREs":
		return f(r.Precharges)
	case "#REF commands":
		return f(r.Refreshes)
	case "#REFB commands":
		return f(r.BankRefreshes)
	case "#Active Cycles":
		return f(r.ActiveCycles)
	case "#Active Idle Cycles":
		return f(r.ActiveIdleCycles)
	case "#Precharged Cycles":
		return f(r.PrechargedCycles)
	case "#Precharged Idle Cycles":
		return f(r.PrechargedIdleCycles)
	case "#Self-Refresh Power-Up Cycles":
		return f(r.WakeCycles)
	case "#Self-Refreshes":
		return f(r.SelfRefreshes)
	case "#Self-Refresh Cycles":
		return f(r.SelfRefreshCycles)
	case "#Auto-Refresh Active cycles during Self-Refresh":
		return f(r.SelfRefreshActiveCycles)
	case "#Auto-Refresh Precharged cycles during Self-Refresh":
		return f(r.SelfRefreshPrechargedCycles)
	case "#Auto-Refresh Active cycles during Self-Refresh Power-Up":
		return f(r.WakeActiveCycles)
	case "#Auto-Refresh Precharged cycles during Self-Refresh Power-Up":
		return f(r.WakePrechargedCycles)
	case "Total Trace Length (clock cycles)":
		return f(r.TotalCycles)
	case "ACT Cmd Energy":
		return r.ActivatePJ, true
	case "PRE Cmd Energy":
		return r.PrechargePJ, true
	case "RD Cmd Energy":
		return r.ReadPJ, true
	case "WR Cmd Energy":
		return r.WritePJ, true
	case "RD I/O Energy":
		return r.ReadIOPJ, true
	case "ACT Stdby Energy", "ACT Stdby Energy total ranks":
		return r.ActiveStandbyPJ, true
	case "PRE Stdby Energy":
		return r.PrechargedStandbyPJ, true
	case "Total Power-Down Energy":
		return r.PowerDownPJ, true
	case "Auto-Refresh Energy":
		return r.RefreshPJ, true
	case "Bankwise-Refresh Energy":
		return r.BankRefreshPJ, true
	case "Self-Refresh Energy":
		return r.SelfRefreshPJ, true
	case "Total Trace Energy":
		return r.TotalPJ, true
	case "Average Power":
		return r.PowerMW, true
	}
	return 0, false
}

func ofBank(name string, b *BankPower) (float64, bool) {
	switch strings.TrimSpace(name) {
	case "#ACT commands":
		return float64(b.Activates), true
	case "#RD + #RDA commands":
		return float64(b.Reads), true
	case "#WR + #WRA commands":
		return float64(b.Writes), true
	case "#PRE (+ PREA) commands":
		return float64(b.Precharges), true
	case "ACT Cmd Energy":
		return b.ActivatePJ, true
	case "PRE Cmd Energy":
		return b.PrechargePJ, true
	case "RD Cmd Energy":
		return b.ReadPJ, true
	case "WR Cmd Energy":
		return b.WritePJ, true
	case "Auto-Refresh Energy":
		return b.RefreshPJ, true
	case "Bankwise-Refresh Energy":
		return b.BankRefreshPJ, true
	case "ACT Stdby Energy":
		return b.ActiveStandbyPJ, true
	case "PRE Stdby Energy":
		return b.PrechargedStandbyPJ, true
	case "Self-Refresh Energy":
		return b.SelfRefreshPJ, true
	case "Total Energy": // as it is printed, without self-refresh
		return b.TotalPJ() - b.SelfRefreshPJ, true
	}
	return 0, false
}

// What the recorded outputs print is the sum of the parts named here.
func TestPowerPartsAddUp(t *testing.T) {
	read := archive(t)
	s, err := ReadPowerSpec("spec", read("memspecs/MICRON_1Gb_DDR3-1600_8bit_G.xml"))
	if err != nil {
		t.Fatal(err)
	}
	commands, err := ReadCommands(bytes.NewReader(read("test/data/PASR.commands.trace")), "trace")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Analyze(s, commands, PowerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var banks float64
	for i := range r.Banks {
		banks += r.Banks[i].TotalPJ()
	}
	// Without rho and with the precharge counted over RP instead of RC − RAS,
	// which are the same here, the banks share what the device takes.
	want := r.TotalPJ - r.ActivatePJ - r.PrechargePJ
	for i := range r.Banks {
		banks -= r.Banks[i].ActivatePJ + r.Banks[i].PrechargePJ
	}
	if math.Abs(banks/want-1) > 1e-12 {
		t.Errorf("the banks take %v pJ, the device %v", banks, want)
	}
}

func TestReadCommandsMistakes(t *testing.T) {
	for name, x := range map[string]struct{ text, want string }{
		"fields":    {"1,ACT", `t:1: found "1,ACT", want cycle,command,bank`},
		"cycle":     {"# a\nx,ACT,0", `t:2: found the cycle "x"`},
		"backwards": {"5,ACT,0\n4,PRE,0", "t:2: cycle 4 comes after cycle 5"},
		"overflow":  {"9999999999999,ACT,0", "t:1: found cycle 9999999999999, want at most 1099511627776"},
		"too long":  {"99999999999999999999,ACT,0", `t:1: found the cycle "99999999999999999999"`},
		"command":   {"5,ACTIVATE,0", `t:1: found the command "ACTIVATE", want one of ACT, END`},
		"bank":      {"5,ACT,64", `t:1: found the bank "64", want 0 to 63`},
		"nothing":   {"", "t: found no commands"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ReadCommands(strings.NewReader(x.text), "t"); err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("error is %v, want %q in it", err, x.want)
			}
		})
	}
}

func TestAnalyzeMistakes(t *testing.T) {
	spec := DDR3_1600()
	for text, want := range map[string]string{
		"5,RD,1":                                 "command 0 (5,RD,1): the bank is closed",
		"5,ACT,8":                                "command 0 (5,ACT,8): the memory has the banks 0 to 7",
		"5,ACT,0\n9,REF,0":                       "command 1 (9,REF,0): a bank is open",
		"5,SREN,0\n9,ACT,0":                      "command 1 (9,ACT,0): the device is powered down by SREN",
		"5,PUP_ACT,0":                            "command 0 (5,PUP_ACT,0): the device is not powered down with open banks",
		"5,PUP_PRE,0":                            "command 0 (5,PUP_PRE,0): the device is not powered down with closed banks",
		"5,SREX,0":                               "command 0 (5,SREX,0): the device is not in self-refresh",
		"5,PDN_F_ACT,0":                          "command 0 (5,PDN_F_ACT,0): no bank is open",
		"5,ACT,3\n90,PDN_S_PRE,0":                "command 1 (90,PDN_S_PRE,0): a bank is open",
		"5,ACT,3\n90,SREN,0":                     "command 1 (90,SREN,0): a bank is open",
		"5,ACT,3\n90,REFB,3":                     "command 1 (90,REFB,3): the bank is open",
		"5,PDN_S_PRE,0\n6,PUP_PRE,0\n7,SREX,0\n": "command 2 (7,SREX,0): the device is not in self-refresh",
	} {
		commands, err := ReadCommands(strings.NewReader(text), "t")
		if err != nil {
			t.Fatal(err)
		}
		_, err = Analyze(spec.Power(), commands, PowerOptions{})
		var p *PowerError
		if !errors.As(err, &p) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want %q in it", text, err, want)
		}
	}
	if _, err := Analyze(spec.Power(), nil, PowerOptions{SigmaPercent: 101}); err == nil {
		t.Error("101 % are taken")
	}
	bad := spec.Power()
	bad.Type, bad.Banks = "DDR9", 0
	if _, err := Analyze(bad, nil, PowerOptions{}); err == nil || !strings.Contains(err.Error(), "DDR9") || !strings.Contains(err.Error(), "nbrOfBanks") {
		t.Errorf("error is %v, want both mistakes named", err)
	}
}

func ExampleAnalyze() {
	spec := DDR3_1600()
	commands, err := ReadCommands(strings.NewReader("35,ACT,0\n50,RDA,0\n51,ACT,4\n66,RDA,4\n"), "two reads")
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := Analyze(spec.Power(), commands, PowerOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d reads, %.0f pJ, %.1f mW\n", r.Reads, r.TotalPJ, r.PowerMW)
	// Output: 2 reads, 12412 pJ, 112.8 mW
}
