package dram

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A PowerSpec is what [Analyze] needs of a memory: a part of a [Spec], of more
// families.
type PowerSpec struct {
	Name        string
	Type        string // DDR2, DDR3, DDR4, LPDDR, LPDDR2, LPDDR3 or WIDEIO_SDR
	BurstLength int64
	DataRate    int64
	Banks       int
	Ranks       int64
	WidthBits   int64
	ClockMHz    float64
	Timings     map[string]int64   // cycles
	Currents    map[string]float64 // mA, and vdd and vdd2 in V
}

// Power returns what [Analyze] needs of a specification, for one device.
func (s *Spec) Power() PowerSpec {
	timings := maps.Clone(s.Timings)
	timings["RFC"] = newTiming(s).rfc // of fine-granularity refresh too
	return PowerSpec{
		Name: s.Name, Type: string(s.Family), BurstLength: int64(s.BurstLength), DataRate: int64(s.DataRate), Banks: s.Banks, Ranks: 1, WidthBits: int64(s.WidthBits),
		ClockMHz: s.ClockMHz, Timings: timings, Currents: s.Currents,
	}
}

// powerTypes are the memories that DRAMPower 4 knows. IO and termination power
// per pin in mW, and the capacitance of a pin in mF, are its conservative
// estimates from Micron's power calculators (MemorySpecification.h).
var powerTypes = map[string]struct {
	mobile                              bool // a second supply, no DLL, no termination
	capacitance                         float64
	io, writeODT, readOther, writeOther float64
}{
	"DDR2":       {io: 1.5, writeODT: 8.2, readOther: 13.1, writeOther: 14.6},
	"DDR3":       {io: 4.6, writeODT: 21.2, readOther: 15.5, writeOther: 15.4},
	"DDR4":       {io: 3.7, writeODT: 17.0, readOther: 12.4, writeOther: 12.3},
	"LPDDR":      {mobile: true, capacitance: 4.5e-9},
	"LPDDR2":     {mobile: true, capacitance: 2.5e-9},
	"LPDDR3":     {mobile: true, capacitance: 1.8e-9},
	"WIDEIO_SDR": {mobile: true},
}

// Validate reports everything that is wrong with a specification.
func (s *PowerSpec) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if _, ok := powerTypes[s.Type]; !ok {
		bad("memoryType: found %q, want one of %s", s.Type, strings.Join(sortedKeys(powerTypes), ", "))
	}
	if s.Banks < 1 || s.Banks > maxBanks {
		bad("nbrOfBanks: found %d, want 1 to %d", s.Banks, maxBanks)
	}
	for _, x := range []struct {
		name string
		n    int64
	}{{"burstLength", s.BurstLength}, {"dataRate", s.DataRate}, {"nbrOfRanks", s.Ranks}, {"width", s.WidthBits}} {
		if x.n < 1 || x.n > 1<<20 {
			bad("%s: found %d, want 1 to 2^20", x.name, x.n)
		}
	}
	if !(s.ClockMHz >= 1 && s.ClockMHz <= 1e5) {
		bad("clkMhz: found %v, want 1 to 100000", s.ClockMHz)
	}
	for _, name := range []string{"RC", "RAS", "RP", "RCD", "RFC", "RL", "WL", "WR"} {
		if t := s.Timings[name]; t < 1 {
			bad("%s: found %d, want at least 1 cycle", name, t)
		}
	}
	for _, name := range sortedKeys(s.Timings) {
		if t := s.Timings[name]; t < 0 || t > maxTiming {
			bad("%s: found %d, want up to %d cycles", name, t, maxTiming)
		}
	}
	for _, name := range currents {
		if s.Currents[name] <= 0 {
			bad("%s: found %v, want a positive number", name, s.Currents[name])
		}
	}
	for _, name := range sortedKeys(s.Currents) {
		if v := s.Currents[name]; math.IsNaN(v) || v < 0 || v > 1e6 {
			bad("%s: found %v, want a number from 0 to 1e6", name, v)
		}
	}
	return errors.Join(errs...)
}

// ReadPowerSpec reads a memory specification of DRAMPower 4 (XML) or of DRAMSys
// (JSON). name is what errors call the text.
func ReadPowerSpec(name string, text []byte) (PowerSpec, error) {
	if strings.HasPrefix(strings.TrimSpace(string(text[:min(len(text), 64)])), "{") {
		s, err := ReadSpec(name, text)
		if err != nil {
			return PowerSpec{}, err
		}
		if !s.HasCurrents() {
			return PowerSpec{}, fmt.Errorf("%s: found no mempowerspec, want the currents of the memory", name)
		}
		p := s.Power()
		if err := p.Validate(); err != nil {
			return PowerSpec{}, fmt.Errorf("%s: %w", name, err)
		}
		return p, nil
	}
	s := PowerSpec{Ranks: 1, Timings: map[string]int64{}, Currents: map[string]float64{}}
	d := xml.NewDecoder(strings.NewReader(string(text)))
	group := ""
	for {
		t, err := d.Token()
		if err == io.EOF {
			break
		}
		line, _ := d.InputPos()
		if err != nil {
			return PowerSpec{}, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		if start.Name.Local != "parameter" {
			group = start.Name.Local
			continue
		}
		var id, value string
		for _, a := range start.Attr {
			switch a.Name.Local {
			case "id":
				id = a.Value
			case "value":
				value = a.Value
			}
		}
		if err := s.set(group, id, value); err != nil {
			return PowerSpec{}, fmt.Errorf("%s:%d: %s: %w", name, line, id, err)
		}
	}
	if err := s.Validate(); err != nil {
		return PowerSpec{}, fmt.Errorf("%s: not a usable memory specification:\n%w", name, err)
	}
	return s, nil
}

func (s *PowerSpec) set(group, id, value string) error {
	switch id {
	case "memoryId":
		s.Name = value
		return nil
	case "memoryType":
		s.Type = value
		return nil
	}
	v, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return fmt.Errorf("found %s, want a number", quoted(value))
	}
	if group == "mempowerspec" {
		s.Currents[id] = v
		return nil
	}
	if id == "clkMhz" {
		s.ClockMHz = v
		return nil
	}
	if v != math.Trunc(v) || math.Abs(v) > maxTiming {
		return fmt.Errorf("found %s, want a whole number up to %d", value, maxTiming)
	}
	n := int64(v)
	switch {
	case group == "memtimingspec":
		s.Timings[id] = n
	case id == "burstLength":
		s.BurstLength = n
	case id == "dataRate":
		s.DataRate = n
	case id == "nbrOfBanks":
		s.Banks = int(n)
	case id == "nbrOfRanks":
		s.Ranks = n
	case id == "width":
		s.WidthBits = n
	}
	return nil
}

// ReadCommands reads a command trace of DRAMPower: cycle, command and bank, such
// as
//
//	35,ACT,0
//
// Lines that are empty or start with # are skipped. name is what errors call the
// text.
func ReadCommands(r io.Reader, name string) ([]Command, error) {
	byName := map[string]Kind{"NOP": END}
	for k, n := range kindNames {
		if n != "" {
			byName[n] = Kind(k)
		}
	}
	var out []Command
	lines := bufio.NewScanner(r)
	last := int64(0)
	n := 0
	for lines.Scan() {
		n++
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		f := strings.Split(text, ",")
		if len(f) != 3 {
			return nil, fmt.Errorf("%s:%d: found %s, want cycle,command,bank", name, n, quoted(text))
		}
		cycle, err := strconv.ParseInt(strings.TrimSpace(f[0]), 10, 64)
		if err != nil || cycle < 0 {
			return nil, fmt.Errorf("%s:%d: found the cycle %s, want a whole number", name, n, quoted(f[0]))
		}
		if err := follows(cycle, last); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		last = cycle
		k, ok := byName[strings.TrimSpace(f[1])]
		if !ok {
			return nil, fmt.Errorf("%s:%d: found the command %s, want one of %s", name, n, quoted(f[1]), strings.Join(sortedKeys(byName), ", "))
		}
		bank, err := strconv.Atoi(strings.TrimSpace(f[2]))
		if err != nil || bank < 0 || bank >= maxBanks {
			return nil, fmt.Errorf("%s:%d: found the bank %s, want 0 to %d", name, n, quoted(f[2]), maxBanks-1)
		}
		out = append(out, Command{Cycle: cycle, Kind: k, Bank: bank, Request: -1})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", name, n+1, err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: found no commands, want lines such as 35,ACT,0", name)
	}
	return out, nil
}

// PowerOptions are the switches of DRAMPower's command line. The zero value is
// its default.
type PowerOptions struct {
	Termination bool // -r: count IO and termination

	// What one bank takes of the current that all share, for the split among
	// banks; 0 means 100 %.
	RhoPercent   float64 // of the active standby current above the precharged one
	SigmaPercent float64 // of the self-refresh current
	PartialArray int     // -s: the mode of partial-array self-refresh, 1 to 7; 0 means the whole array

	// AsDRAMPower reproduces three defects of DRAMPower 4: the time from the last
	// change of state to an END in the trace is counted again by what comes after
	// it; the share of a bank in self-refresh that SigmaPercent leaves over is
	// multiplied with cycles instead of nanoseconds; and if RhoPercent is given,
	// the total leaves self-refresh out.
	AsDRAMPower bool
}

// PowerReport is what a command trace takes, of one device in each rank.
type PowerReport struct {
	Activates, Reads, Writes, Precharges, Refreshes, BankRefreshes, SelfRefreshes int64

	// Cycles by state. Idle ones are part of active and precharged ones, as are
	// those of powering up.
	ActiveCycles, PrechargedCycles         int64
	ActiveIdleCycles, PrechargedIdleCycles int64
	FastActiveDownCycles                   int64
	SlowActiveDownCycles                   int64
	FastPrechargedDownCycles               int64
	SlowPrechargedDownCycles               int64
	SelfRefreshCycles                      int64 // without the refreshes in it
	SelfRefreshActiveCycles                int64 // of the refresh with which it begins
	SelfRefreshPrechargedCycles            int64
	WakeActiveCycles, WakePrechargedCycles int64 // of that refresh, after it was left
	WakeCycles                             int64 // until commands are taken again
	TotalCycles                            int64

	// Energy in picojoules.
	ActivatePJ, PrechargePJ, ReadPJ, WritePJ, RefreshPJ float64
	BankRefreshPJ                                       float64
	ActiveStandbyPJ, PrechargedStandbyPJ                float64
	PowerDownPJ                                         float64
	SelfRefreshPJ                                       float64
	SelfRefreshStandbyPJ                                float64 // of the refresh in it and after it
	ReadIOPJ, TerminationPJ                             float64
	TotalPJ                                             float64
	PowerMW                                             float64

	Banks []BankPower
}

// BankPower is the share of one bank.
type BankPower struct {
	Activates, Reads, Writes, Precharges, BankRefreshes int64
	ActiveCycles                                        int64

	ActivatePJ, PrechargePJ, ReadPJ, WritePJ, RefreshPJ, BankRefreshPJ float64
	ActiveStandbyPJ, PrechargedStandbyPJ                               float64
	PowerDownPJ, SelfRefreshPJ, SelfRefreshStandbyPJ                   float64
}

// TotalPJ returns the sum.
func (b *BankPower) TotalPJ() float64 {
	return b.ActivatePJ + b.PrechargePJ + b.ReadPJ + b.WritePJ + b.RefreshPJ + b.BankRefreshPJ + b.ActiveStandbyPJ + b.PrechargedStandbyPJ + b.PowerDownPJ + b.SelfRefreshPJ + b.SelfRefreshStandbyPJ
}

// A PowerError says which command of a trace cannot be.
type PowerError struct {
	Index   int // of the command
	Command Command
	Reason  string
}

func (e *PowerError) Error() string {
	return fmt.Sprintf("dram: command %d (%d,%s,%d): %s", e.Index, e.Command.Cycle, e.Command.Kind, e.Command.Bank, e.Reason)
}

// analyst walks a command list (CommandAnalysis.cc and CmdHandlers.cc).
type analyst struct {
	s    *PowerSpec
	r    PowerReport
	dll  bool
	open uint64
	down Kind // how the device is powered down, none if it is not

	saved                              uint64
	firstAct, lastPre                  int64
	latestAct, latestRead, latestWrite int64
	latestPre                          int64
	endRead, endWrite, endAct          int64
	downSince, srefSince               int64
	bankSince                          [maxBanks]int64
	t                                  map[string]int64
	as                                 bool // PowerOptions.AsDRAMPower
	rfc, rp, rcd, ras, xp, xs          int64
}

// Analyze computes what a trace takes: DRAMPower 4's model. Commands that the
// state does not allow are an error, where DRAMPower warns; those it ignores,
// opening an open bank and closing a closed one, are ignored.
func Analyze(s PowerSpec, commands []Command, o PowerOptions) (PowerReport, error) {
	if err := s.Validate(); err != nil {
		return PowerReport{}, fmt.Errorf("dram: %w", err)
	}
	left := o.AsDRAMPower && o.RhoPercent != 0
	if o.RhoPercent == 0 {
		o.RhoPercent = 100
	}
	if o.SigmaPercent == 0 {
		o.SigmaPercent = 100
	}
	if !(o.RhoPercent >= 0 && o.RhoPercent <= 100) || !(o.SigmaPercent >= 0 && o.SigmaPercent <= 100) || o.PartialArray < 0 || o.PartialArray > 7 {
		return PowerReport{}, fmt.Errorf("dram: found the power options %+v, want percentages from 0 to 100 and a mode from 0 to 7", o)
	}
	a := analyst{s: &s, as: o.AsDRAMPower, dll: !powerTypes[s.Type].mobile, down: none, t: s.Timings, latestAct: -1, latestRead: -1, latestWrite: -1, latestPre: -1}
	a.rfc, a.rp, a.rcd, a.ras, a.xp = a.t["RFC"], a.t["RP"], a.t["RCD"], a.t["RAS"], a.t["XP"]
	if a.xs = a.t["XS"]; a.dll {
		a.xs = a.t["XSDLL"] - a.rcd
	}
	a.r.Banks = make([]BankPower, s.Banks)
	list, err := a.expand(commands)
	if err != nil {
		return PowerReport{}, err
	}
	for _, c := range list {
		if reason := a.command(c.Command); reason != "" {
			return PowerReport{}, &PowerError{Index: c.index, Command: commands[c.index], Reason: reason}
		}
	}
	a.energy(o, left)
	return a.r, nil
}

type indexed struct {
	Command
	index int
}

// expand replaces reads and writes that precharge by themselves by two commands,
// and adds an end.
func (a *analyst) expand(commands []Command) ([]indexed, error) {
	var opened [maxBanks]int64
	list := make([]indexed, 0, len(commands)*3/2+1)
	for i, c := range commands {
		if c.Bank < 0 || c.Bank >= a.s.Banks {
			return nil, &PowerError{Index: i, Command: c, Reason: fmt.Sprintf("the memory has the banks 0 to %d", a.s.Banks-1)}
		}
		at := indexed{c, i}
		switch c.Kind {
		case ACT:
			opened[c.Bank] = c.Cycle
		case RDA, WRA:
			pre := at
			pre.Kind = PRE
			pre.Cycle = max(c.Cycle+a.closes(c.Kind), opened[c.Bank]+a.ras)
			list = append(list, pre)
			at.Kind = RD
			if c.Kind == WRA {
				at.Kind = WR
			}
		}
		list = append(list, at)
	}
	// Of one cycle, precharges that happen by themselves come first: each stands
	// before its read, so only others of the same cycle need the rank.
	slices.SortStableFunc(list, func(x, y indexed) int {
		if x.Cycle != y.Cycle {
			return int(min(max(x.Cycle-y.Cycle, -1), 1))
		}
		return own(commands, y) - own(commands, x)
	})
	if len(list) > 0 {
		last := list[len(list)-1]
		last.Kind, last.Cycle = END, last.Cycle+a.completes(last.Kind)-1
		list = append(list, last)
	}
	return list, nil
}

// own is 1 for a precharge that happens by itself.
func own(commands []Command, c indexed) int {
	if c.Kind == PRE && commands[c.index].Kind != PRE {
		return 1
	}
	return 0
}

// closes returns when a bank closes after a read or write that precharges
// (MemCommand.cc).
func (a *analyst) closes(k Kind) int64 {
	t, burst := a.t, a.s.BurstLength/a.s.DataRate
	if k == RDA {
		switch a.s.Type {
		case "DDR2":
			return burst + t["AL"] - 2 + max(t["RTP"], 2)
		case "DDR3":
			return t["AL"] + max(t["RTP"], 4)
		case "DDR4":
			return t["AL"] + t["RTP"]
		case "LPDDR2":
			return burst + max(0, t["RTP"]-2)
		case "LPDDR3":
			return burst + max(0, t["RTP"]-4)
		}
		return burst
	}
	switch a.s.Type {
	case "LPDDR":
		return burst + t["WR"]
	case "LPDDR2", "LPDDR3":
		return burst + t["WL"] + t["WR"] + 1
	case "WIDEIO_SDR":
		return burst + t["WL"] + t["WR"] - 1
	}
	return burst + t["WL"] + t["WR"]
}

// completes returns how long a command has an effect.
func (a *analyst) completes(k Kind) int64 {
	t, burst := a.t, a.s.BurstLength/a.s.DataRate
	switch k {
	case RD:
		return t["RL"] + t["DQSCK"] + 1 + burst
	case WR:
		return t["WL"] + burst + t["WR"]
	case ACT:
		return a.rcd
	case PRE, PREA:
		return a.rp
	case REFB:
		return a.refreshBank()
	}
	return 0
}

func (a *analyst) refreshBank() int64 {
	if t := a.t["REFB"]; t > 0 {
		return t
	}
	return a.ras + a.rp
}

func (a *analyst) idleActive(now int64) {
	if a.latestRead >= 0 {
		a.endRead = a.latestRead + a.completes(RD) - 1
	}
	if a.latestWrite >= 0 {
		a.endWrite = a.latestWrite + a.completes(WR) - 1
	}
	if a.latestAct >= 0 {
		a.endAct = a.latestAct + a.completes(ACT) - 1
	}
	a.r.ActiveIdleCycles += max(0, now-max(a.endRead, a.endWrite, a.endAct))
}

func (a *analyst) idlePrecharged(now int64) {
	switch {
	case a.latestPre > 0:
		a.r.PrechargedIdleCycles += max(0, now-a.latestPre-a.rp)
	case a.latestPre == 0:
		a.r.PrechargedIdleCycles += now
	}
}

// command counts a command; it returns why it cannot be, or nothing.
func (a *analyst) command(c Command) string {
	now, b, r := c.Cycle, c.Bank, &a.r
	bank := &r.Banks[b]
	wakes := c.Kind == PUP_ACT || c.Kind == PUP_PRE || c.Kind == SREX || c.Kind == END
	if a.down != none && !wakes {
		return fmt.Sprintf("the device is powered down by %s", a.down)
	}
	active := func() { r.ActiveCycles += max(0, now-a.firstAct); a.idleActive(now) }
	precharged := func() { r.PrechargedCycles += max(0, now-a.lastPre); a.idlePrecharged(now) }
	closeBank := func(b int) {
		r.Banks[b].Precharges++
		r.Precharges++
		r.Banks[b].ActiveCycles += max(0, now-a.bankSince[b])
	}
	switch c.Kind {
	case ACT:
		if a.open>>b&1 != 0 {
			return ""
		}
		r.Activates++
		bank.Activates++
		if a.open == 0 {
			a.firstAct = now
			precharged()
		}
		a.open |= 1 << b
		a.bankSince[b] = now
		a.latestAct = now
	case RD, WR:
		if a.open>>b&1 == 0 {
			return "the bank is closed"
		}
		a.idleActive(now)
		if c.Kind == RD {
			r.Reads++
			bank.Reads++
			a.latestRead = now
		} else {
			r.Writes++
			bank.Writes++
			a.latestWrite = now
		}
	case PRE:
		if a.open>>b&1 == 0 {
			return ""
		}
		closeBank(b)
		if a.open &^= 1 << b; a.open == 0 {
			active()
			a.lastPre = now
		}
		a.latestPre = now
	case PREA:
		if a.open == 0 {
			return ""
		}
		for b := range r.Banks {
			if a.open>>b&1 != 0 {
				closeBank(b)
			}
		}
		active()
		a.lastPre, a.latestPre, a.open = now, now, 0
	case REF:
		if a.open != 0 {
			return "a bank is open"
		}
		r.Refreshes++
		a.idlePrecharged(now)
		a.firstAct = now
		r.PrechargedCycles += max(0, now-a.lastPre)
		a.lastPre = now + a.rfc - a.rp
		a.latestPre = a.lastPre
		r.ActiveCycles += a.rfc - a.rp
		for b := range r.Banks {
			r.Banks[b].ActiveCycles += a.rfc - a.rp
		}
	case REFB:
		if a.open>>b&1 != 0 {
			return "the bank is open"
		}
		bank.BankRefreshes++
		r.BankRefreshes++
		bank.ActiveCycles += a.ras + a.rp // the others are not affected
	case PDN_F_ACT, PDN_S_ACT:
		if a.open == 0 {
			return "no bank is open"
		}
		a.saved, a.downSince, a.down = a.open, now, c.Kind
		active()
	case PDN_F_PRE, PDN_S_PRE:
		if a.open != 0 {
			return "a bank is open"
		}
		a.downSince, a.down = now, c.Kind
		precharged()
	case PUP_ACT:
		if a.down != PDN_F_ACT && a.down != PDN_S_ACT {
			return "the device is not powered down with open banks"
		}
		a.asleep(now)
		up := a.xp
		if a.down == PDN_S_ACT && a.dll {
			up = a.t["XPDLL"] - a.rcd
		}
		a.latestAct = max(now, now+up-a.rcd)
		a.down, a.open, a.firstAct = none, a.saved, now
	case PUP_PRE:
		if a.down != PDN_F_PRE && a.down != PDN_S_PRE {
			return "the device is not powered down with closed banks"
		}
		a.asleep(now)
		up := a.xp
		if a.down == PDN_S_PRE && a.dll {
			up = a.t["XPDLL"] - a.rcd
		}
		a.latestPre = max(now, now+up-a.rp)
		a.down, a.lastPre = none, now
	case SREN:
		if a.open != 0 {
			return "a bank is open"
		}
		r.SelfRefreshes++
		a.srefSince, a.down = now, SREN
		precharged()
	case SREX:
		if a.down != SREN {
			return "the device is not in self-refresh"
		}
		a.wake(now)
		a.down = none
	case END:
		switch {
		case a.down == SREN:
			a.asleepRefreshing(now)
		case a.down != none:
			a.asleep(now)
		case a.open != 0:
			active()
		default:
			precharged()
		}
		if !a.as {
			a.firstAct, a.lastPre, a.downSince = max(a.firstAct, now), max(a.lastPre, now), max(a.downSince, now)
		}
	}
	return ""
}

func (a *analyst) asleep(now int64) {
	slept := max(0, now-a.downSince)
	switch a.down {
	case PDN_F_ACT:
		a.r.FastActiveDownCycles += slept
	case PDN_S_ACT:
		a.r.SlowActiveDownCycles += slept
	case PDN_F_PRE:
		a.r.FastPrechargedDownCycles += slept
	case PDN_S_PRE:
		a.r.SlowPrechargedDownCycles += slept
	}
}

// asleepRefreshing counts self-refresh, which begins with a refresh.
func (a *analyst) asleepRefreshing(now int64) {
	slept := max(0, now-a.srefSince)
	a.r.SelfRefreshActiveCycles += min(slept, a.rfc-a.rp)
	a.r.SelfRefreshPrechargedCycles += min(max(0, slept-(a.rfc-a.rp)), a.rp)
	a.r.SelfRefreshCycles += max(0, slept-a.rfc)
}

// wake leaves self-refresh; a refresh that is not finished goes on.
func (a *analyst) wake(now int64) {
	a.asleepRefreshing(now)
	slept := max(0, now-a.srefSince)
	active := max(0, a.rfc-a.rp-slept)
	precharged := min(max(0, a.rfc-slept), a.rp)
	a.r.WakeActiveCycles += active
	a.r.WakePrechargedCycles += precharged
	a.r.WakeCycles += a.xs - active - precharged
	a.lastPre = now + active + precharged
	a.latestPre = max(now, now+a.xs-active-precharged-a.rp)
}

// energy is MemoryPowerModel.cc. left says that the total leaves out self-refresh.
func (a *analyst) energy(o PowerOptions, left bool) {
	s, r, t := a.s, &a.r, a.t
	clock := 1000 / s.ClockMHz
	ranks := float64(s.Ranks)
	burst := s.BurstLength / s.DataRate
	rails := []string{""}
	if powerTypes[s.Type].mobile {
		rails = append(rails, "2")
	}
	refreshed := r.SelfRefreshActiveCycles + r.WakeActiveCycles + r.SelfRefreshPrechargedCycles + r.WakePrechargedCycles
	for _, rail := range rails {
		i := func(name string) float64 { return s.Currents[name+rail] }
		volts := i("vdd")
		add := func(to *float64, cycles int64, current float64) {
			*to += float64(float64(float64(cycles)*clock*current) * volts)
		}
		// Power-down currents are named 2p0 and 2p1, of the second supply 2p02.
		add(&r.ActivatePJ, r.Activates*t["RAS"], i("idd0")-i("idd3n"))
		add(&r.PrechargePJ, r.Precharges*(t["RC"]-t["RAS"]), i("idd0")-i("idd2n"))
		add(&r.ReadPJ, r.Reads*burst, i("idd4r")-i("idd3n"))
		add(&r.WritePJ, r.Writes*burst, i("idd4w")-i("idd3n"))
		add(&r.RefreshPJ, r.Refreshes*t["RFC"], i("idd5")-i("idd3n"))
		add(&r.ActiveStandbyPJ, r.ActiveCycles, i("idd3n"))
		add(&r.PrechargedStandbyPJ, r.PrechargedCycles, i("idd2n"))
		add(&r.PowerDownPJ, r.FastActiveDownCycles, i("idd3p1"))
		add(&r.PowerDownPJ, r.FastPrechargedDownCycles, i("idd2p1"))
		add(&r.PowerDownPJ, r.SlowActiveDownCycles, i("idd3p0"))
		add(&r.PowerDownPJ, r.SlowPrechargedDownCycles, i("idd2p0"))
		add(&r.SelfRefreshPJ, r.SelfRefreshCycles, i("idd6"))
		add(&r.SelfRefreshPJ, refreshed, i("idd5")-i("idd3n"))
		add(&r.SelfRefreshStandbyPJ, r.SelfRefreshActiveCycles, i("idd3p0"))
		add(&r.SelfRefreshStandbyPJ, r.SelfRefreshPrechargedCycles, i("idd2p0"))
		add(&r.SelfRefreshStandbyPJ, r.WakeActiveCycles, i("idd3n"))
		add(&r.SelfRefreshStandbyPJ, r.WakePrechargedCycles, i("idd2n"))
	}
	if o.Termination {
		a.termination(clock)
	}
	a.split(o, clock, burst, refreshed)
	r.TotalPJ = r.ActivatePJ + r.PrechargePJ + r.ReadPJ + r.WritePJ + r.RefreshPJ + r.BankRefreshPJ + r.ReadIOPJ + r.TerminationPJ +
		float64(ranks*(r.ActiveStandbyPJ+r.PrechargedStandbyPJ+r.SelfRefreshPJ+r.PowerDownPJ+r.SelfRefreshStandbyPJ))
	if left {
		r.TotalPJ -= float64(ranks * r.SelfRefreshPJ)
	}
	r.TotalCycles = r.ActiveCycles + r.PrechargedCycles + r.FastActiveDownCycles + r.FastPrechargedDownCycles + r.SlowActiveDownCycles + r.SlowPrechargedDownCycles +
		r.SelfRefreshCycles + refreshed
	if r.TotalCycles > 0 {
		r.PowerMW = r.TotalPJ / (float64(r.TotalCycles) * clock)
	}
}

// termination counts what the pins take: data, a strobe for every byte and, when
// writing, a mask for every byte.
func (a *analyst) termination(clock float64) {
	s, p := a.s, powerTypes[a.s.Type]
	io := p.io
	if p.capacitance != 0 {
		v := s.Currents["vdd2"]
		io = p.capacitance * 0.5 * float64(v*v) * s.ClockMHz * 1e6
	}
	beat := clock / float64(s.DataRate)
	pins := func(n int64, extra int64, power float64) float64 {
		return float64(float64(n*s.BurstLength) * beat * power * float64(s.WidthBits+extra*(s.WidthBits/8)))
	}
	a.r.ReadIOPJ = pins(a.r.Reads, 1, io)
	a.r.TerminationPJ = pins(a.r.Writes, 2, p.writeODT)
	if s.Ranks > 1 {
		a.r.TerminationPJ += pins(a.r.Reads, 1, p.readOther) + pins(a.r.Writes, 2, p.writeOther)
	}
}

// partial are the banks of eight that partial-array self-refresh keeps, by mode
// (MemBankWiseParams.cc).
var partial = [8]uint64{0xff, 0x0f, 0x03, 0x01, 0xfc, 0xf0, 0xc0, 0x80}

// split shares the energy of the first supply among the banks.
func (a *analyst) split(o PowerOptions, clock float64, burst, refreshed int64) {
	s, r, t := a.s, &a.r, a.t
	i := s.Currents
	n := float64(s.Banks)
	pj := func(cycles int64, current float64) float64 {
		return float64(float64(cycles) * clock * current * i["vdd"])
	}
	rho := float64(o.RhoPercent/100*(i["idd3n"]-i["idd2n"])) + i["idd2n"]
	one := (i["idd3n"] + float64(rho*(n-1))) / n
	refresh := i["idd5B"]
	if refresh == 0 {
		refresh = i["idd0"] - one
	}
	kept := uint64(1<<s.Banks - 1)
	if o.PartialArray > 0 && s.Banks == 8 {
		kept = partial[o.PartialArray]
	}
	for k := range r.Banks {
		b := &r.Banks[k]
		b.ActivatePJ = pj(b.Activates*t["RAS"], i["idd0"]-one)
		b.PrechargePJ = pj(b.Precharges*t["RP"], i["idd0"]-one)
		b.ReadPJ = pj(b.Reads*burst, i["idd4r"]-i["idd3n"])
		b.WritePJ = pj(b.Writes*burst, i["idd4w"]-i["idd3n"])
		b.RefreshPJ = pj(r.Refreshes*t["RFC"], i["idd5"]-i["idd3n"]) / n
		b.BankRefreshPJ = pj(b.BankRefreshes*a.refreshBank(), refresh)
		b.ActiveStandbyPJ = pj(b.ActiveCycles, (i["idd3n"]-rho)/n) + pj(r.ActiveCycles, rho)/n
		b.PrechargedStandbyPJ = pj(r.PrechargedCycles, i["idd2n"]) / n
		b.PowerDownPJ = (pj(r.FastActiveDownCycles, i["idd3p1"]) + pj(r.FastPrechargedDownCycles, i["idd2p1"]) + pj(r.SlowActiveDownCycles, i["idd3p0"]) + pj(r.SlowPrechargedDownCycles, i["idd2p0"])) / n
		b.SelfRefreshStandbyPJ = (pj(r.SelfRefreshActiveCycles, i["idd3p0"]) + pj(r.SelfRefreshPrechargedCycles, i["idd2p0"]) + pj(r.WakeActiveCycles, i["idd3n"]) + pj(r.WakePrechargedCycles, i["idd2n"])) / n
		shared := pj(r.SelfRefreshCycles, o.SigmaPercent/100*i["idd6"]) / n
		b.SelfRefreshPJ = shared
		if kept>>k&1 != 0 {
			rest := pj(r.SelfRefreshCycles, (100-o.SigmaPercent)/100*i["idd6"]) / n
			if a.as {
				rest /= clock
			}
			b.SelfRefreshPJ += pj(refreshed, i["idd5"]-i["idd3n"])/n + rest
		}
		r.BankRefreshPJ += b.BankRefreshPJ
	}
}
