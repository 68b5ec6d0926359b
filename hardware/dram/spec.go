package dram

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/internal/source"
)

//go:embed data/*.json data/random.bin
var data embed.FS

// A Family is a standard of memories: which commands exist and how far apart
// they must be.
type Family string

// The families whose timing rules are built in. The rules of DDR3 are validated
// against DRAMSys; those of the others are its published rules, checked here by
// [Check] only.
const (
	DDR3   Family = "DDR3"
	DDR4   Family = "DDR4"
	LPDDR4 Family = "LPDDR4"
	HBM2   Family = "HBM2"
)

// A Spec says what a memory is: its shape, its timings in clock cycles and its
// currents. The names are those of DRAMSys' memory specifications, which are
// those of the JEDEC standards without the t and the I.
type Spec struct {
	Name   string
	Family Family

	BurstLength int // beats of one read or write
	DataRate    int // beats a clock cycle
	Ranks       int
	BankGroups  int // of a rank; 1 if the family has none
	Banks       int // of a rank
	Rows        int // of a bank
	Columns     int // of a row
	WidthBits   int // of one device
	Devices     int // that share an access, each WidthBits wide

	ClockMHz float64
	Timings  map[string]int64   // cycles
	Currents map[string]float64 // mA; supply voltages VDD and VDD2 are here too, in V
}

// ClockPS returns the clock period in whole picoseconds, as SystemC rounds it.
func (s *Spec) ClockPS() int64 { return int64(math.Round(1e6 / s.ClockMHz)) }

// ClockNS returns the clock period.
func (s *Spec) ClockNS() float64 { return 1000 / s.ClockMHz }

// BurstCycles returns how long one read or write occupies the data bus.
func (s *Spec) BurstCycles() int64 { return int64(s.BurstLength / s.DataRate) }

// BurstBytes returns what one read or write moves.
func (s *Spec) BurstBytes() int { return s.BurstLength * s.WidthBits * s.Devices / 8 }

// CapacityBytes returns what all ranks hold.
func (s *Spec) CapacityBytes() int64 {
	return int64(s.Ranks) * int64(s.Banks) * int64(s.Rows) * int64(s.Columns) * int64(s.WidthBits*s.Devices) / 8
}

// PeakBytesPerSecond returns the bandwidth of the data bus.
func (s *Spec) PeakBytesPerSecond() float64 {
	return s.ClockMHz * 1e6 * float64(s.DataRate*s.WidthBits*s.Devices) / 8
}

// needed are the timings of each family; those after the bar may be zero.
var needed = map[Family]string{
	DDR3:   "CCD FAW RAS RC RCD REFI RFC RL RP RRD RTP WL WR WTR | AL RTRS DQSCK",
	DDR4:   "CCD_L CCD_S FAW RAS RC RCD REFI REFM RFC RL RP RRD_L RRD_S RTP WL WR WTR_L WTR_S | AL RTRS RPRE WPRE DQSCK",
	LPDDR4: "CCD DQSCK FAW RAS RCD REFI RFCAB RL RPAB RPPB RCPB RRD RTP WL WR WTR PPD | RTRS RPST WPRE DQSS DQS2DQ",
	HBM2:   "CCDL CCDS FAW RAS RC RCDRD RCDWR REFI RFC RL RP RRDL RRDS RTP RTW WL WR WTRL WTRS | DQSCK",
}

// currents are those the energy model takes; each may occur a second time, with
// a 2 behind it, for the second supply.
var currents = []string{"idd0", "idd2n", "idd3n", "idd4r", "idd4w", "idd5", "vdd"}

// maxTiming bounds a timing, so that no sum of some of them overflows.
const maxTiming = 1 << 30

// Validate reports everything that is wrong with a specification.
func (s *Spec) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	list, ok := needed[s.Family]
	if !ok {
		bad("memoryType: found %q, want DDR3, DDR4, LPDDR4 or HBM2: the timing rules of other memories are not built in", s.Family)
	}
	power := func(name string, n int) {
		if n < 1 || n > 1<<24 || n&(n-1) != 0 {
			bad("%s: found %d, want a power of two up to 2^24", name, n)
		}
	}
	power("burstLength", s.BurstLength)
	power("dataRate", s.DataRate)
	power("nbrOfRanks", s.Ranks)
	power("nbrOfBankGroups", s.BankGroups)
	power("nbrOfBanks", s.Banks)
	power("nbrOfRows", s.Rows)
	power("nbrOfColumns", s.Columns)
	power("width", s.WidthBits)
	power("nbrOfDevicesOnDIMM", s.Devices)
	if len(errs) == 0 {
		if s.BankGroups > s.Banks {
			bad("nbrOfBankGroups: found %d, want at most the %d banks", s.BankGroups, s.Banks)
		}
		if n := s.Ranks * s.Banks; n > maxBanks {
			bad("nbrOfRanks × nbrOfBanks: found %d banks, want at most %d", n, maxBanks)
		}
		if s.BurstLength < s.DataRate {
			bad("burstLength: found %d, want at least the dataRate of %d", s.BurstLength, s.DataRate)
		}
		if (s.WidthBits*s.Devices)%8 != 0 {
			bad("width × nbrOfDevicesOnDIMM: found %d bits, want whole bytes", s.WidthBits*s.Devices)
		}
		if bits := float64(s.Ranks) * float64(s.Banks) * float64(s.Rows) * float64(s.Columns) * float64(s.WidthBits) * float64(s.Devices); bits > 1<<62 {
			bad("the memory holds %g bits, which is more than can be addressed here", bits)
		}
	}
	if !(s.ClockMHz >= 1 && s.ClockMHz <= 1e5) {
		bad("clkMhz: found %v, want 1 to 100000", s.ClockMHz)
	}
	mayBeZero := false
	for _, name := range strings.Fields(list) {
		if name == "|" {
			mayBeZero = true
			continue
		}
		t, there := s.Timings[name]
		switch {
		case !there && mayBeZero: // counts as 0
		case !there:
			bad("memtimingspec: %s is missing; %s needs %s", name, s.Family, strings.ReplaceAll(list, " |", ""))
		case t == 0 && !mayBeZero:
			bad("memtimingspec: %s: found 0, want at least 1 cycle", name)
		case t < 0 || t > maxTiming:
			bad("memtimingspec: %s: found %d, want up to %d cycles", name, t, maxTiming)
		}
	}
	if len(errs) == 0 {
		switch t := s.Timings; {
		case s.Family == DDR4 && t["REFM"] != 1 && t["REFM"] != 2 && t["REFM"] != 4:
			bad("memtimingspec: REFM: found %d, want 1, 2 or 4", t["REFM"])
		case s.Family == DDR4 && t["REFM"] != 1 && t[fmt.Sprintf("RFC%d", t["REFM"])] < 1:
			bad("memtimingspec: RFC%d: found %d, want at least 1 cycle because REFM is %d", t["REFM"], t[fmt.Sprintf("RFC%d", t["REFM"])], t["REFM"])
		case s.Family != DDR4 && s.Family != HBM2 && s.BankGroups != 1:
			bad("nbrOfBankGroups: found %d, want 1: %s has no bank groups", s.BankGroups, s.Family)
		}
	}
	for _, name := range sortedKeys(s.Currents) {
		if v := s.Currents[name]; math.IsNaN(v) || v < 0 || v > 1e6 {
			bad("mempowerspec: %s: found %v, want a number from 0 to 1e6", name, v)
		}
	}
	if s.HasCurrents() {
		for _, name := range currents {
			if s.Currents[name] == 0 {
				bad("mempowerspec: %s: found nothing or 0, want a positive number; leave the whole mempowerspec out for a memory without energy", name)
			}
		}
	}
	if len(errs) == 0 {
		if t := newTiming(s); t.refi <= t.rfc {
			bad("memtimingspec: a refresh every %d cycles that takes %d leaves no time for anything else", t.refi, t.rfc)
		}
	}
	return errors.Join(errs...)
}

// HasCurrents reports whether energy can be computed.
func (s *Spec) HasCurrents() bool { return len(s.Currents) > 0 }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// ReadSpec reads a memory specification of DRAMSys. name is what errors call
// the text: the path of its file.
func ReadSpec(name string, text []byte) (Spec, error) {
	var doc struct {
		Spec *struct {
			Arch *struct {
				BurstLength        *int `json:"burstLength"`
				DataRate           *int `json:"dataRate"`
				NbrOfRanks         *int `json:"nbrOfRanks"`
				NbrOfBankGroups    *int `json:"nbrOfBankGroups"`
				NbrOfBanks         *int `json:"nbrOfBanks"`
				NbrOfRows          *int `json:"nbrOfRows"`
				NbrOfColumns       *int `json:"nbrOfColumns"`
				Width              *int `json:"width"`
				NbrOfDevicesOnDIMM *int `json:"nbrOfDevicesOnDIMM"`
				NbrOfChannels      *int `json:"nbrOfChannels"`
			} `json:"memarchitecturespec"`
			ID     string             `json:"memoryId"`
			Type   string             `json:"memoryType"`
			Power  map[string]float64 `json:"mempowerspec"`
			Timing map[string]float64 `json:"memtimingspec"`
		} `json:"memspec"`
	}
	if err := decodeJSON(name, text, &doc); err != nil {
		return Spec{}, err
	}
	fail := func(err error) (Spec, error) {
		return Spec{}, fmt.Errorf("%s: not a usable memory specification:\n%w", name, err)
	}
	m := doc.Spec
	if m == nil || m.Arch == nil || m.Timing == nil {
		return fail(errors.New("found no memspec with a memarchitecturespec and a memtimingspec, want those of DRAMSys"))
	}
	var errs []error
	must := func(field string, v *int) int {
		if v == nil {
			errs = append(errs, fmt.Errorf("memarchitecturespec: %s is missing", field))
			return 1
		}
		return *v
	}
	may := func(v *int) int {
		if v == nil {
			return 1
		}
		return *v
	}
	s := Spec{
		Name: m.ID, Family: Family(m.Type),
		BurstLength: must("burstLength", m.Arch.BurstLength), DataRate: must("dataRate", m.Arch.DataRate),
		Ranks: may(m.Arch.NbrOfRanks), BankGroups: may(m.Arch.NbrOfBankGroups), Banks: must("nbrOfBanks", m.Arch.NbrOfBanks),
		Rows: must("nbrOfRows", m.Arch.NbrOfRows), Columns: must("nbrOfColumns", m.Arch.NbrOfColumns),
		WidthBits: must("width", m.Arch.Width), Devices: may(m.Arch.NbrOfDevicesOnDIMM),
		ClockMHz: m.Timing["clkMhz"], Timings: map[string]int64{}, Currents: m.Power,
	}
	if n := may(m.Arch.NbrOfChannels); n != 1 {
		errs = append(errs, fmt.Errorf("memarchitecturespec: nbrOfChannels: found %d, want 1: simulate each channel with its own part of the trace", n))
	}
	for _, k := range sortedKeys(m.Timing) {
		v := m.Timing[k]
		switch {
		case k == "clkMhz":
		case v != math.Trunc(v) || math.Abs(v) > maxTiming:
			errs = append(errs, fmt.Errorf("memtimingspec: %s: found %v, want a whole number of cycles up to %d", k, v, maxTiming))
		default:
			s.Timings[k] = int64(v)
		}
	}
	if err := errors.Join(errors.Join(errs...), s.Validate()); err != nil {
		return fail(err)
	}
	return s, nil
}

// decodeJSON decodes with errors that name the file and the line.
func decodeJSON(name string, text []byte, into any) error {
	err := json.Unmarshal(text, into)
	if err == nil {
		return nil
	}
	offset := int64(-1)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
		err = fmt.Errorf("%s: found %s, want %s", kind.Field, kind.Value, kind.Type)
	}
	if offset < 0 || offset > int64(len(text)) {
		return fmt.Errorf("%s: %w", name, err)
	}
	return fmt.Errorf("%s:%d: %w", name, 1+bytes.Count(text[:offset], []byte("\n")), err)
}

// A builtin memory: its specification and its address map.
type builtin struct{ spec, mapping string }

var builtins = map[string]builtin{
	"ddr3-1600":   {"MICRON_1Gb_DDR3-1600_8bit_G.json", "am_ddr3_8x1Gbx8_dimm_p1KB_rbc.json"},
	"ddr4-1866":   {"JEDEC_4Gb_DDR4-1866_8bit_A.json", "am_ddr4_8x4Gbx8_dimm_p1KB_brc.json"},
	"ddr4-2400":   {"JEDEC_4Gb_DDR4-2400_8bit_A.json", "am_ddr4_8x4Gbx8_dimm_p1KB_brc.json"},
	"lpddr4-3200": {"JEDEC_8Gb_LPDDR4-3200_16bit.json", "am_lpddr4_8Gbx16_brc.json"},
	"hbm2":        {"HBM2.json", "am_hbm2_8Gb_pc_brc.json"},
}

// Memories names the memories that are part of the program.
func Memories() []string { return sortedKeys(builtins) }

// Builtin returns a memory that is part of the program, with the address map
// that DRAMSys ships for it.
func Builtin(name string) (*Memory, error) {
	b, ok := builtins[name]
	if !ok {
		hint := ""
		if near, ok := source.Nearest(name, Memories()); ok {
			hint = fmt.Sprintf("; did you mean %s?", near)
		}
		return nil, fmt.Errorf("memory: found %q, want one of %s%s", name, strings.Join(Memories(), ", "), hint)
	}
	s, err := builtinSpec(b.spec)
	if err != nil {
		return nil, err
	}
	m, err := builtinMap(b.mapping)
	if err != nil {
		return nil, err
	}
	return NewMemory(s, m)
}

func builtinSpec(file string) (Spec, error) {
	text, err := data.ReadFile("data/" + file)
	if err != nil {
		return Spec{}, err
	}
	return ReadSpec(file, text)
}

func builtinMap(file string) (AddressMap, error) {
	text, err := data.ReadFile("data/" + file)
	if err != nil {
		return AddressMap{}, err
	}
	return ReadAddressMap(file, text)
}

// must returns what is embedded and tested.
func must[T any](v T, err error) T {
	if err != nil {
		panic("dram: the embedded data: " + err.Error())
	}
	return v
}

// DDR3_1600 returns the memory of ArchGym's experiments: a module of eight
// Micron 1 Gb ×8 DDR3-1600 devices, 1 GiB in all.
func DDR3_1600() Spec { return must(builtinSpec(builtins["ddr3-1600"].spec)) }

// DDR3_1600Map returns its address map: row, bank, column.
func DDR3_1600Map() AddressMap { return must(builtinMap(builtins["ddr3-1600"].mapping)) }

// RetentionMS returns how long the memory keeps its data without a refresh: the
// standards refresh all rows with 8192 commands, one every REFI.
func (s *Spec) RetentionMS() float64 { return 8192 * float64(s.Timings["REFI"]) * s.ClockNS() / 1e6 }
