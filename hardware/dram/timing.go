package dram

// maxBanks bounds the banks of all ranks: sets of them are 64-bit words.
const maxBanks = 64

// A Kind is a command to the memory.
type Kind uint8

// The commands. RDA and WRA precharge the bank afterwards by themselves.
const (
	ACT  Kind = iota // opens a row
	RD               // reads a burst
	WR               // writes a burst
	RDA              // reads and closes
	WRA              // writes and closes
	PRE              // closes a bank
	PREA             // closes all banks of a rank
	REF              // refreshes a rank
	kinds
	none Kind = 255
)

// More commands, which the simulator does not send and [Analyze] understands.
const (
	REFB      Kind = kinds + iota // refreshes a bank
	PDN_F_ACT                     // powers down with open banks, to wake fast
	PDN_S_ACT                     // powers down with open banks, to wake slowly
	PDN_F_PRE                     // powers down with closed banks, to wake fast
	PDN_S_PRE                     // powers down with closed banks, to wake slowly
	PUP_ACT                       // powers up again
	PUP_PRE
	SREN // enters self-refresh
	SREX // leaves it
	END  // ends a trace
)

var kindNames = [...]string{
	ACT: "ACT", RD: "RD", WR: "WR", RDA: "RDA", WRA: "WRA", PRE: "PRE", PREA: "PREA", REF: "REF",
	REFB: "REFB", PDN_F_ACT: "PDN_F_ACT", PDN_S_ACT: "PDN_S_ACT", PDN_F_PRE: "PDN_F_PRE", PDN_S_PRE: "PDN_S_PRE", PUP_ACT: "PUP_ACT", PUP_PRE: "PUP_PRE", SREN: "SREN", SREX: "SREX", END: "END",
}

// String returns the name that DRAMPower's command traces use.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "NOP"
}

// What a command may have to wait for, as a register that holds the earliest
// cycle: one for each bank, one for each group and one for each rank. RDA waits
// for toRDA of its bank besides.
const (
	toACT = iota
	toRD
	toWR
	toPRE
	toRDA
	toREF
	registers

	toPREA = toRDA // of a rank
)

// register is what each command waits for.
var register = [kinds]uint8{ACT: toACT, RD: toRD, WR: toWR, RDA: toRD, WRA: toWR, PRE: toPRE, PREA: toPREA, REF: toREF}

// A step moves one register after a command.
type step struct {
	to    uint8
	delay int64
}

// timing is what a specification means for the simulator: after each command,
// the earliest others in the same bank, the same group, the same rank and the
// other ranks.
type timing struct {
	bank, group, rank, other [kinds][]step

	faw       int64
	refi, rfc int64 // of a refresh of all banks
	busy      [kinds]int64
	twoBuses  bool // rows and columns have a command bus each
	readData  int64
	writeData int64 // from the command to the end of the burst
	burst     int64
}

// newTiming derives the delays of a family. The expressions are those of the
// checkers of DRAMSys 4.0 for the commands that are sent here, in cycles:
// CheckerDDR3.cpp, CheckerDDR4.cpp, CheckerLPDDR4.cpp, CheckerHBM2.cpp.
func newTiming(s *Spec) timing {
	v := s.Timings
	burst := s.BurstCycles()
	t := timing{burst: burst, faw: v["FAW"], refi: v["REFI"], rfc: v["RFC"]}
	for k := range t.busy {
		t.busy[k] = 1
	}
	add := func(list *[kinds][]step, after Kind, to uint8, delay int64) {
		if delay > 0 {
			list[after] = append(list[after], step{to, delay})
		}
	}
	// Between reads and writes, whether or not they precharge.
	columns := func(list *[kinds][]step, rdrd, rdwr, wrrd, wrwr int64) {
		for _, k := range [...]Kind{RD, RDA} {
			add(list, k, toRD, rdrd)
			add(list, k, toWR, rdwr)
		}
		for _, k := range [...]Kind{WR, WRA} {
			add(list, k, toRD, wrrd)
			add(list, k, toWR, wrwr)
		}
	}
	// What opening and closing rows takes. An activation that follows a
	// precharge may come short cycles earlier, where ACT is a longer command.
	rows := func(rc, ras, rcdrd, rcdwr, rdpre, wrpre, rdaact, wraact, rp, rpab, rfc, short, late int64) {
		add(&t.bank, ACT, toACT, rc)
		add(&t.bank, ACT, toRD, rcdrd)
		add(&t.bank, ACT, toWR, rcdwr)
		add(&t.bank, ACT, toPRE, ras+late)
		add(&t.bank, RD, toPRE, rdpre)
		add(&t.bank, WR, toPRE, wrpre)
		add(&t.bank, WR, toRDA, wrpre-rdpre)
		add(&t.bank, RDA, toACT, rdaact)
		add(&t.bank, WRA, toACT, wraact)
		add(&t.bank, PRE, toACT, rp-short)
		add(&t.rank, ACT, toPREA, ras+late)
		add(&t.rank, ACT, toREF, rc+late)
		add(&t.rank, RD, toPREA, rdpre)
		add(&t.rank, RDA, toPREA, rdpre)
		add(&t.rank, WR, toPREA, wrpre)
		add(&t.rank, WRA, toPREA, wrpre)
		add(&t.rank, RDA, toREF, rdpre+rp)
		add(&t.rank, WRA, toREF, wrpre+rp)
		add(&t.rank, PRE, toREF, rp)
		add(&t.rank, PREA, toREF, rpab)
		add(&t.rank, PREA, toACT, rpab-short)
		add(&t.rank, REF, toREF, rfc)
		add(&t.rank, REF, toACT, rfc-short)
	}
	rl, wl, al, rtrs := v["RL"], v["WL"], v["AL"], v["RTRS"]
	switch s.Family {
	case DDR3:
		t.readData, t.writeData = rl+al+burst, wl+al+burst
		columns(&t.rank, v["CCD"], rl+burst+2-wl, wl+burst+v["WTR"]-al, v["CCD"])
		columns(&t.other, burst+rtrs, rl+burst+rtrs-wl, wl+burst+rtrs-rl, burst+rtrs)
		wrpre, rdpre := wl+burst+v["WR"], al+v["RTP"]
		rows(v["RC"], v["RAS"], v["RCD"]-al, v["RCD"]-al, rdpre, wrpre, rdpre+v["RP"], wrpre+v["RP"], v["RP"], v["RP"], t.rfc, 0, 0)
		add(&t.rank, ACT, toACT, v["RRD"])
	case DDR4:
		t.readData, t.writeData = rl+al+burst, wl+al+burst
		if m := v["REFM"]; m == 2 || m == 4 {
			t.refi /= m
			t.rfc = v["RFC"+string('0'+byte(m))]
		}
		rdwr := rl + burst + 1 - wl + v["WPRE"]
		columns(&t.rank, v["CCD_S"], rdwr, wl+burst+v["WTR_S"]-al, v["CCD_S"])
		columns(&t.group, v["CCD_L"], 0, wl+burst+v["WTR_L"]-al, v["CCD_L"])
		columns(&t.other, burst+rtrs, rl+burst+rtrs-wl+v["WPRE"], wl+burst+rtrs-rl+v["RPRE"], burst+rtrs)
		wrpre, rdpre := wl+burst+v["WR"], al+v["RTP"]
		rows(v["RC"], v["RAS"], v["RCD"]-al, v["RCD"]-al, rdpre, wrpre, rdpre+v["RP"], wrpre+v["RP"], v["RP"], v["RP"], t.rfc, 0, 0)
		add(&t.rank, ACT, toACT, v["RRD_S"])
		add(&t.group, ACT, toACT, v["RRD_L"])
	case LPDDR4:
		// Commands take two cycles, those with an address of four; delays count
		// from the first.
		for k := range t.busy {
			t.busy[k] = 4
		}
		t.busy[PRE], t.busy[PREA], t.busy[REF] = 2, 2, 2
		t.rfc = v["RFCAB"]
		t.readData, t.writeData = rl+v["DQSCK"]+burst+3, wl+v["DQSS"]+v["DQS2DQ"]+burst+3
		// Between ranks DRAMSys leaves out when the data follow their strobe, and
		// lets bursts overlap; here the data bus decides.
		turn := t.readData - t.writeData
		columns(&t.rank, v["CCD"], rl+v["DQSCK"]+burst-wl+v["WPRE"]+v["RPST"], wl+1+burst+v["WTR"], v["CCD"])
		columns(&t.other, burst+rtrs, burst+rtrs+turn, burst+rtrs-turn, burst+rtrs)
		rdpre, wrpre := v["RTP"]+burst-6, wl+burst+1+v["WR"]+2
		rows(v["RCPB"], v["RAS"], v["RCD"], v["RCD"], rdpre, wrpre, rdpre-2+v["RPPB"], wrpre-2+v["RPPB"], v["RPPB"], v["RPAB"], t.rfc, 2, 2)
		add(&t.rank, ACT, toACT, v["RRD"])
		add(&t.rank, PRE, toPRE, v["PPD"])
		add(&t.rank, PRE, toPREA, v["PPD"])
	case HBM2:
		t.twoBuses = true
		t.busy[ACT] = 2
		t.readData, t.writeData = rl+v["DQSCK"]+burst, wl+burst
		columns(&t.rank, v["CCDS"], v["RTW"], wl+burst+v["WTRS"], v["CCDS"])
		columns(&t.group, v["CCDL"], 0, wl+burst+v["WTRL"], v["CCDL"])
		wrpre, rdpre := wl+burst+v["WR"], v["RTP"]
		rows(v["RC"], v["RAS"], v["RCDRD"]+1, v["RCDWR"]+1, rdpre, wrpre, rdpre+v["RP"]-1, wrpre+v["RP"]-1, v["RP"], v["RP"], t.rfc, 1, 1)
		add(&t.rank, ACT, toACT, v["RRDS"])
		add(&t.group, ACT, toACT, v["RRDL"])
	}
	return t
}
