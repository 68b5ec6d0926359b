package dram

import "math/bits"

// Energy is what a run takes, by cause, in picojoules, of all devices of all
// ranks. Commands count what they draw above standby.
type Energy struct {
	ActivatePJ          float64 // opening rows
	PrechargePJ         float64 // closing rows
	ReadPJ              float64
	WritePJ             float64
	RefreshPJ           float64
	ActiveStandbyPJ     float64 // while a bank of the rank is open
	PrechargedStandbyPJ float64 // while none is
}

// TotalPJ returns the sum.
func (e *Energy) TotalPJ() float64 {
	return e.ActivatePJ + e.PrechargePJ + e.ReadPJ + e.WritePJ + e.RefreshPJ + e.ActiveStandbyPJ + e.PrechargedStandbyPJ
}

// Parts returns the causes and their energies, in a fixed order.
func (e *Energy) Parts() ([]string, []float64) {
	return []string{"activate", "precharge", "read", "write", "refresh", "active standby", "precharged standby"},
		[]float64{e.ActivatePJ, e.PrechargePJ, e.ReadPJ, e.WritePJ, e.RefreshPJ, e.ActiveStandbyPJ, e.PrechargedStandbyPJ}
}

// Counts are what energy is computed from, of one rank.
type Counts struct {
	Activates, Precharges, Reads, Writes, Refreshes int64
	ActiveCycles, PrechargedCycles                  int64
}

// rails returns the supplies that energy counts, as the suffixes of their
// currents. Like DRAMPower it leaves out the 2.5 V pump supply of DDR4, for which
// specifications give two currents of the seven.
func (s *Spec) rails() []string {
	if s.Family == LPDDR4 {
		return []string{"", "2"}
	}
	return []string{""}
}

// energy is DRAMPower 4's model (MemoryPowerModel.cc) for what the simulator
// sends: each term is time × current × voltage, for each supply, and each device
// of the rank takes the same. rfc is how long a refresh takes.
func (s *Spec) energy(n Counts, rfc int64) Energy {
	var e Energy
	if !s.HasCurrents() {
		return e
	}
	t, clock := s.Timings, s.ClockNS()
	ras, rc := t["RAS"], t["RC"]
	if s.Family == LPDDR4 {
		rc = t["RCPB"]
	}
	burst := s.BurstCycles()
	for _, r := range s.rails() {
		volts := s.Currents["vdd"+r] * float64(s.Devices)
		if volts == 0 {
			continue
		}
		i := func(name string) float64 { return s.Currents[name+r] }
		add := func(to *float64, cycles int64, current float64) {
			*to += float64(float64(float64(cycles)*clock*current) * volts)
		}
		add(&e.ActivatePJ, n.Activates*ras, i("idd0")-i("idd3n"))
		add(&e.PrechargePJ, n.Precharges*(rc-ras), i("idd0")-i("idd2n"))
		add(&e.ReadPJ, n.Reads*burst, i("idd4r")-i("idd3n"))
		add(&e.WritePJ, n.Writes*burst, i("idd4w")-i("idd3n"))
		add(&e.RefreshPJ, n.Refreshes*rfc, i("idd5")-i("idd3n"))
		add(&e.ActiveStandbyPJ, n.ActiveCycles, i("idd3n"))
		add(&e.PrechargedStandbyPJ, n.PrechargedCycles, i("idd2n"))
	}
	return e
}

// A meter counts the commands of one rank as DRAMPower does (CmdHandlers.cc):
// commands that precharge by themselves are followed by a precharge when the
// device does it.
type meter struct {
	Counts
	open      uint64 // banks of the rank
	since     int64  // when the first of them was opened
	closed    int64  // when the last of them was closed
	closing   uint64 // banks that will precharge by themselves
	nextClose int64
	closeAt   [maxBanks]int64
	opened    [maxBanks]int64

	last Kind // of the commands so far, and when
	at   int64

	ras, readClose, writeClose, refreshActive int64
}

const never = int64(1) << 62

func (m *meter) reset(s *Spec, t *timing) {
	v := s.Timings
	burst := s.BurstCycles()
	*m = meter{nextClose: never, last: none, ras: v["RAS"], writeClose: burst + v["WL"] + v["WR"]}
	switch s.Family {
	case LPDDR4: // not in DRAMPower 4: the times the controller waits
		m.readClose, m.writeClose = max(v["RTP"]+burst-6, 1), v["WL"]+burst+1+v["WR"]+2
		m.refreshActive = t.rfc - v["RPAB"]
	case HBM2:
		m.readClose, m.refreshActive = v["RTP"], t.rfc-v["RP"]
	case DDR4:
		m.readClose, m.refreshActive = v["AL"]+v["RTP"], t.rfc-v["RP"]
	default:
		m.readClose, m.refreshActive = v["AL"]+max(v["RTP"], 4), t.rfc-v["RP"]
	}
}

// command counts a command; bank is that of the rank.
func (m *meter) command(k Kind, bank int, now int64) {
	if m.nextClose <= now {
		m.settle(now)
	}
	m.last, m.at = k, now
	switch k {
	case ACT:
		m.Activates++
		if m.open == 0 {
			m.since = now
			m.PrechargedCycles += max(0, now-m.closed)
		}
		m.open |= 1 << bank
		m.opened[bank] = now
	case RD:
		m.Reads++
	case WR:
		m.Writes++
	case RDA:
		m.Reads++
		m.last = RD
		m.close(bank, now+m.readClose)
	case WRA:
		m.Writes++
		m.last = WR
		m.close(bank, now+m.writeClose)
	case PRE:
		m.precharge(bank, now)
	case PREA:
		if m.open != 0 {
			m.Precharges += int64(bits.OnesCount64(m.open))
			m.ActiveCycles += now - m.since
			m.closed = now
			m.open = 0
		}
	case REF:
		m.Refreshes++
		m.PrechargedCycles += max(0, now-m.closed)
		m.ActiveCycles += m.refreshActive
		m.closed = now + m.refreshActive
	}
}

func (m *meter) close(bank int, at int64) {
	at = max(at, m.opened[bank]+m.ras)
	m.closing |= 1 << bank
	m.closeAt[bank] = at
	m.nextClose = min(m.nextClose, at)
}

func (m *meter) precharge(bank int, at int64) {
	if m.open>>bank&1 == 0 {
		return
	}
	m.Precharges++
	if m.open &^= 1 << bank; m.open == 0 {
		m.ActiveCycles += at - m.since
		m.closed = at
	}
}

// settle does the precharges that are due.
func (m *meter) settle(now int64) {
	for m.nextClose <= now {
		at, first := m.nextClose, -1
		m.nextClose = never
		for set := m.closing; set != 0; set &= set - 1 {
			b := bits.TrailingZeros64(set)
			if m.closeAt[b] == at && first < 0 {
				first = b
			} else {
				m.nextClose = min(m.nextClose, m.closeAt[b])
			}
		}
		m.closing &^= 1 << first
		m.precharge(first, at)
		m.last, m.at = PRE, at
	}
}

// finish ends the account when the last command has had its effect.
func (m *meter) finish(s *Spec, t *timing) {
	m.settle(never - 1)
	if m.last == none {
		return
	}
	end := m.at - 1
	switch v := s.Timings; m.last {
	case RD:
		end += v["RL"] + v["DQSCK"] + 1 + t.burst
	case WR:
		end += v["WL"] + t.burst + v["WR"]
	case ACT:
		end += max(v["RCD"], v["RCDRD"])
	case PRE, PREA:
		end += max(v["RP"], v["RPPB"])
	}
	if m.open != 0 {
		m.ActiveCycles += max(0, end-m.since)
	} else {
		m.PrechargedCycles += max(0, end-m.closed)
	}
}
