package dram

import "fmt"

// A Violation is a command that a memory does not allow.
type Violation struct {
	Index   int // of the command in the list
	Command Command
	Rule    string
}

func (v *Violation) Error() string {
	return fmt.Sprintf("dram: command %d, %s to bank %d in cycle %d: %s", v.Index, v.Command.Kind, v.Command.Bank, v.Command.Cycle, v.Rule)
}

// Check judges a list of commands by the rules of the memory's standard. It
// knows nothing of the simulator: it looks back over the list, command by
// command, with the distances as the standards state them, from the last cycle
// of one command to the last cycle of the other. Besides those it holds the
// command bus, the data bus and the rows that are open to account. The error is
// a [*Violation].
func Check(m *Memory, commands []Command) error {
	c := checker{s: &m.Spec, rows: make([]int, m.Spec.Ranks*m.Spec.Banks), until: make([]int64, m.Spec.Ranks)}
	for i := range c.rows {
		c.rows[i] = -1
	}
	c.read(m.Spec.Timings)
	for i, x := range commands {
		if rule := c.one(commands[:i], x); rule != "" {
			return &Violation{Index: i, Command: x, Rule: rule}
		}
	}
	return nil
}

// checker holds the distances of a standard.
type checker struct {
	s      *Spec
	rows   []int   // open in each bank, -1 if none
	until  []int64 // when the data bus of each rank is free
	window int64   // how far back a rule looks

	rc, ras, rcdRead, rcdWrite, rp, rpAll, rtp, wr  int64
	ccdSame, ccdOther, wtrSame, wtrOther, readWrite int64
	rrdSame, rrdOther, faw, rfc, ppd                int64
	burst, rl, wl, dataRead, dataWrite, rtrs        int64
	sharedBus, twoBuses                             bool
	long                                            func(Kind) int64
}

func (c *checker) read(t map[string]int64) {
	b := c.s.BurstCycles()
	c.burst, c.rl, c.wl, c.rtrs = b, t["RL"], t["WL"], t["RTRS"]
	c.long = func(Kind) int64 { return 1 }
	c.sharedBus = true
	c.faw, c.rc, c.ras, c.rp, c.rpAll, c.rfc = t["FAW"], t["RC"], t["RAS"], t["RP"], t["RP"], t["RFC"]
	c.rcdRead, c.rcdWrite = t["RCD"]-t["AL"], t["RCD"]-t["AL"]
	c.rtp, c.wr = t["AL"]+t["RTP"], c.wl+b+t["WR"]
	c.dataRead, c.dataWrite = c.rl+t["AL"], c.wl+t["AL"]
	switch c.s.Family {
	case DDR3:
		c.ccdSame, c.ccdOther = t["CCD"], t["CCD"]
		c.wtrSame = c.wl + b + t["WTR"] - t["AL"]
		c.wtrOther = c.wtrSame
		c.rrdSame, c.rrdOther = t["RRD"], t["RRD"]
		c.readWrite = c.rl + b + 2 - c.wl
	case DDR4:
		if m := t["REFM"]; m > 1 {
			c.rfc = t[fmt.Sprintf("RFC%d", m)]
		}
		c.ccdSame, c.ccdOther = t["CCD_L"], t["CCD_S"]
		c.wtrSame, c.wtrOther = c.wl+b+t["WTR_L"]-t["AL"], c.wl+b+t["WTR_S"]-t["AL"]
		c.rrdSame, c.rrdOther = t["RRD_L"], t["RRD_S"]
		c.readWrite = c.rl + b + 1 + t["WPRE"] - c.wl
	case LPDDR4:
		c.long = func(k Kind) int64 {
			if k == PRE || k == PREA || k == REF {
				return 2
			}
			return 4
		}
		c.rc, c.rp, c.rpAll, c.rfc = t["RCPB"], t["RPPB"], t["RPAB"], t["RFCAB"]
		c.rcdRead, c.rcdWrite = t["RCD"], t["RCD"]
		c.rtp, c.wr = b+t["RTP"]-8, c.wl+1+b+t["WR"]
		c.ccdSame, c.ccdOther = t["CCD"], t["CCD"]
		c.wtrSame = c.wl + 1 + b + t["WTR"]
		c.wtrOther = c.wtrSame
		c.rrdSame, c.rrdOther, c.ppd = t["RRD"], t["RRD"], t["PPD"]
		c.readWrite = c.rl + t["DQSCK"] + b + t["WPRE"] + t["RPST"] - c.wl
		c.dataRead, c.dataWrite = c.rl+t["DQSCK"], c.wl+t["DQSS"]+t["DQS2DQ"]
	case HBM2:
		c.long = func(k Kind) int64 {
			if k == ACT {
				return 2
			}
			return 1
		}
		c.twoBuses, c.sharedBus = true, false
		c.rcdRead, c.rcdWrite = t["RCDRD"], t["RCDWR"]
		c.rtp = t["RTP"]
		c.ccdSame, c.ccdOther = t["CCDL"], t["CCDS"]
		c.wtrSame, c.wtrOther = c.wl+b+t["WTRL"], c.wl+b+t["WTRS"]
		c.rrdSame, c.rrdOther = t["RRDL"], t["RRDS"]
		c.readWrite = t["RTW"]
		c.dataRead, c.dataWrite = c.rl+t["DQSCK"], c.wl
	}
	c.window = max(c.rc, c.faw, c.rfc, c.rpAll+max(c.rtp, c.wr), c.readWrite, c.wtrSame) + 8
}

// one judges a command after those before it.
func (c *checker) one(before []Command, x Command) string {
	if x.Rank < 0 || x.Rank >= c.s.Ranks || x.Bank < x.Rank*c.s.Banks || x.Bank >= (x.Rank+1)*c.s.Banks {
		return fmt.Sprintf("rank %d has no such bank", x.Rank)
	}
	if n := len(before); n > 0 && x.Cycle < before[n-1].Cycle {
		return fmt.Sprintf("the command before it was sent in cycle %d", before[n-1].Cycle)
	}
	if rule := c.state(x); rule != "" {
		return rule
	}
	if rule := c.bursts(x); rule != "" {
		return rule
	}
	acts, busSeen := 0, [2]bool{}
	for i := len(before) - 1; i >= 0; i-- {
		p := before[i]
		gap := x.Cycle - p.Cycle
		if gap > c.window {
			break
		}
		if bus := c.bus(p.Kind); (bus == c.bus(x.Kind) || !c.twoBuses) && !busSeen[bus] {
			busSeen[bus] = true
			if gap < c.long(p.Kind) {
				return fmt.Sprintf("the command bus is busy with %s of cycle %d", p.Kind, p.Cycle)
			}
		}
		gap += c.long(x.Kind) - c.long(p.Kind)
		if p.Rank != x.Rank {
			continue // the data bus is all they share
		}
		if p.Kind == ACT && x.Kind == ACT {
			if acts++; acts == 4 && gap < c.faw {
				return fmt.Sprintf("FAW: four rows were opened since cycle %d, want %d cycles for that", p.Cycle, c.faw)
			}
		}
		if want, rule := c.distance(p, x); rule != "" && gap < want {
			return fmt.Sprintf("%s: %d cycles after %s to bank %d, want %d", rule, gap, p.Kind, p.Bank, want)
		}
	}
	return ""
}

func (c *checker) bus(k Kind) int {
	if c.twoBuses && k >= RD && k <= WRA {
		return 1
	}
	return 0
}

// state judges by which rows are open.
func (c *checker) state(x Command) string {
	row := &c.rows[x.Bank]
	switch x.Kind {
	case ACT:
		if *row >= 0 {
			return fmt.Sprintf("row %d of the bank is open", *row)
		}
		*row = x.Row
	case RD, WR, RDA, WRA:
		if *row != x.Row {
			return fmt.Sprintf("wants row %d, open is %d", x.Row, *row)
		}
		if x.Kind >= RDA {
			*row = -1
		}
	case PRE:
		if *row < 0 {
			return "no row of the bank is open"
		}
		*row = -1
	case PREA, REF:
		for b := x.Rank * c.s.Banks; b < (x.Rank+1)*c.s.Banks; b++ {
			if x.Kind == REF && c.rows[b] >= 0 {
				return fmt.Sprintf("row %d of bank %d is open", c.rows[b], b)
			}
			c.rows[b] = -1
		}
	default:
		return "is not a command of the simulator"
	}
	return ""
}

// bursts judges by the data bus. Ranks share it, but for pseudo-channels.
func (c *checker) bursts(x Command) string {
	var start int64
	switch x.Kind {
	case RD, RDA:
		start = c.dataRead
	case WR, WRA:
		start = c.dataWrite
	default:
		return ""
	}
	start += x.Cycle + c.long(x.Kind) - 1
	for r, until := range c.until {
		if r != x.Rank && c.sharedBus {
			until += c.rtrs
		}
		if (r == x.Rank || c.sharedBus) && until > 0 && start < until {
			return fmt.Sprintf("its data begin in cycle %d, the data bus of rank %d is busy until %d", start, r, until)
		}
	}
	c.until[x.Rank] = start + c.burst
	return ""
}

// distance returns the least distance of two commands of a rank, and its name.
func (c *checker) distance(p, x Command) (int64, string) {
	sameBank := p.Bank == x.Bank
	group := c.s.Banks / c.s.BankGroups
	sameGroup := p.Bank/group == x.Bank/group
	pick := func(same bool, a, b int64) int64 {
		if same {
			return a
		}
		return b
	}
	reads := func(k Kind) bool { return k == RD || k == RDA }
	writes := func(k Kind) bool { return k == WR || k == WRA }
	switch {
	case p.Kind == ACT && x.Kind == ACT && sameBank:
		return c.rc, "RC"
	case p.Kind == ACT && x.Kind == ACT:
		return pick(sameGroup, c.rrdSame, c.rrdOther), "RRD"
	case p.Kind == ACT && reads(x.Kind) && sameBank:
		return c.rcdRead, "RCD"
	case p.Kind == ACT && writes(x.Kind) && sameBank:
		return c.rcdWrite, "RCD"
	case p.Kind == ACT && (x.Kind == PRE && sameBank || x.Kind == PREA):
		return c.ras, "RAS"
	case p.Kind == ACT && x.Kind == REF:
		return c.rc, "RC"
	case reads(p.Kind) && reads(x.Kind), writes(p.Kind) && writes(x.Kind):
		return pick(sameGroup, c.ccdSame, c.ccdOther), "CCD"
	case reads(p.Kind) && writes(x.Kind):
		return c.readWrite, "RD to WR"
	case p.Kind == WR && x.Kind == RDA && sameBank:
		return max(c.wr-c.rtp, pick(sameGroup, c.wtrSame, c.wtrOther)), "WR before the bank closes"
	case writes(p.Kind) && reads(x.Kind):
		return pick(sameGroup, c.wtrSame, c.wtrOther), "WTR"
	case reads(p.Kind) && (x.Kind == PRE && sameBank || x.Kind == PREA):
		return c.rtp, "RTP"
	case writes(p.Kind) && (x.Kind == PRE && sameBank || x.Kind == PREA):
		return c.wr, "WR"
	case p.Kind == RDA && (x.Kind == ACT && sameBank || x.Kind == REF):
		return c.rtp + c.rp, "RTP + RP"
	case p.Kind == WRA && (x.Kind == ACT && sameBank || x.Kind == REF):
		return c.wr + c.rp, "WR + RP"
	case p.Kind == PRE && (x.Kind == ACT && sameBank || x.Kind == REF):
		return c.rp, "RP"
	case p.Kind == PRE && (x.Kind == PRE || x.Kind == PREA):
		return c.ppd, "PPD"
	case p.Kind == PREA && (x.Kind == ACT || x.Kind == REF):
		return c.rpAll, "RP of all banks"
	case p.Kind == REF && (x.Kind == ACT || x.Kind == REF):
		return c.rfc, "RFC"
	}
	return 0, ""
}
