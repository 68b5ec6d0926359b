package dram

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// plain is the event model as DRAMSys has it: client, arbiter and controller
// exchange messages in delta cycles, every bank is restarted after every event,
// and the time of a command is found by looking at when each other was last sent
// (CheckerDDR3.cpp). It is what the simulator is tested against.
type plain struct {
	l *Load
	c Controller
	v map[string]int64

	now    int64
	timed  []event
	soon   []event // in the next delta
	done   bool
	served int

	// Client.
	next int

	// Arbiter.
	channelBusy, threadBusy bool
	pending, answers        []int // requests for the channel, answers for the client
	active, outstanding     int
	lastEndReq, lastEndResp int64
	nextReturn              int
	acquire, release        int // requests at the controller: to take, in answer
	acquireAt, released     int64
	answerAt                []int64
	wake, data              int64 // pending notifications, never if none
	run                     bool  // the controller method runs in this delta
	queue                   [][]int
	lastBank                int
	reads, writes           int
	lastWrite               bool
	bm                      []plainBank
	rm                      []plainRank
	resp                    []plainResp
	nextResp                int
	bus                     int64
	lastB, lastR            [kinds][]int64
	last                    [kinds]int64
	acts                    [][]int64
	commands                []Command

	// Statistics: cycles from asking to the answer and in the scheduler, of all
	// requests, and the most that waited at once.
	latency, waited int64
	deepest         int
}

type event struct {
	at int64
	to int // 0 arbiter, 1 client, 2 controller
	do func()
}

type plainBank struct {
	current       int
	row           int
	keep, blocked bool
	kind          Kind
	at            int64
}

type plainRank struct {
	trigger int64
	pulled  bool
	flex    int
	kind    Kind
	at      int64
}

type plainResp struct {
	request int
	at      int64
}

func (p *plain) after(delay int64, to int, do func()) {
	e := event{p.now + delay, to, do}
	if delay == 0 {
		p.soon = append(p.soon, e)
	} else {
		p.timed = append(p.timed, e)
	}
}

func runPlain(l *Load, c Controller) *plain {
	s := &l.memory.Spec
	p := &plain{l: l, c: c.withDefaults(), v: s.Timings, outstanding: -1, lastEndReq: -1, lastEndResp: -1, acquire: -1, release: -1, released: -1, wake: never, data: never, bus: -never}
	n := s.Ranks * s.Banks
	p.answerAt = make([]int64, l.Len())
	p.queue, p.bm, p.acts = make([][]int, n), make([]plainBank, n), make([][]int64, s.Ranks)
	for i := range p.bm {
		p.bm[i] = plainBank{current: -1, row: -1, kind: none, at: never}
	}
	for k := range p.last {
		p.last[k] = -never
		p.lastB[k], p.lastR[k] = slices.Repeat([]int64{-never}, n), slices.Repeat([]int64{-never}, s.Ranks)
	}
	for range s.Ranks {
		p.rm = append(p.rm, plainRank{trigger: p.v["REFI"], kind: none, at: never})
	}
	if p.c.RefreshPolicy == AllBank {
		p.wake = p.v["REFI"]
	}
	p.send(max(l.cycle[0], 0))
	for !p.done {
		if len(p.soon) == 0 {
			t := min(p.wake, p.data)
			for _, e := range p.timed {
				t = min(t, e.at)
			}
			if t == never {
				panic("stuck")
			}
			p.now = t
			keep := p.timed[:0]
			for _, e := range p.timed {
				if e.at == t {
					p.soon = append(p.soon, e)
				} else {
					keep = append(keep, e)
				}
			}
			p.timed = keep
		}
		batch := p.soon
		p.soon = nil
		for to := range 2 {
			for _, e := range batch {
				if e.to == to {
					e.do()
				}
			}
		}
		for _, e := range batch {
			if e.to == 2 {
				e.do()
				p.run = true
			}
		}
		if p.wake <= p.now {
			p.wake, p.run = never, true
		}
		if p.data <= p.now {
			p.data, p.run = never, true
		}
		if p.run {
			p.run = false
			p.method()
		}
	}
	return p
}

// send is the client asking for the request that comes next.
func (p *plain) send(at int64) {
	if p.next == p.l.Len() {
		return
	}
	i := p.next
	p.next++
	e := event{at, 0, func() { p.beginReq(i) }}
	if at == p.now {
		p.soon = append(p.soon, e)
	} else {
		p.timed = append(p.timed, e)
	}
}

func (p *plain) endReqAtClient() {
	p.after(0, 1, func() {
		if p.next < p.l.Len() {
			p.send(max(p.l.cycle[p.next], p.now+1))
		}
	})
}

func (p *plain) beginRespAtClient(i int, delay int64) {
	p.after(delay, 1, func() {
		p.answerAt[i] = p.now
		p.latency += p.now
		if p.served++; p.served == p.l.Len() {
			p.done = true
		}
		p.after(0, 0, func() { p.endResp(i) })
	})
}

func (p *plain) toController(i int, delay int64) {
	p.after(delay, 2, func() { p.acquire, p.acquireAt = i, p.now })
}

func (p *plain) beginReq(i int) {
	p.latency -= p.now
	if p.c.Arbiter == ArbiterSimple {
		if p.channelBusy {
			p.pending = append(p.pending, i)
			return
		}
		p.channelBusy = true
		p.toController(i, 0)
		return
	}
	if p.active < p.c.MaxActiveTransactions {
		p.active++
		p.accept(i)
	} else {
		p.outstanding = i
	}
}

func (p *plain) accept(i int) {
	p.endReqAtClient()
	p.after(0, 0, func() { // REQ_ARB
		p.pending = append(p.pending, i)
		if !p.channelBusy {
			p.channelBusy = true
			j := p.pending[0]
			p.pending = p.pending[1:]
			delay := int64(0)
			if p.lastEndReq == p.now {
				delay = 1
			}
			p.toController(j, delay)
		}
	})
}

func (p *plain) endReq() {
	p.lastEndReq = p.now
	if p.c.Arbiter == ArbiterSimple {
		p.endReqAtClient()
	}
	if len(p.pending) == 0 {
		p.channelBusy = false
		return
	}
	i := p.pending[0]
	p.pending = p.pending[1:]
	p.toController(i, 1)
}

func (p *plain) beginResp(i int) {
	if p.c.Arbiter == ArbiterSimple {
		if p.threadBusy {
			p.answers = append(p.answers, i)
			return
		}
		p.threadBusy = true
		p.beginRespAtClient(i, 0)
		return
	}
	p.after(0, 2, func() { p.released = p.now })
	p.after(0, 0, func() { // RESP_ARB
		p.answers = append(p.answers, i)
		if !p.threadBusy {
			delay := int64(0)
			if p.lastEndResp == p.now {
				delay = 1
			}
			p.threadBusy = p.passOn(delay)
		}
	})
}

// passOn sends the next answer to the client, if there is one.
func (p *plain) passOn(delay int64) bool {
	at := 0
	if p.c.Arbiter == ArbiterReorder {
		at = slices.Index(p.answers, p.nextReturn)
	}
	if at < 0 || len(p.answers) == 0 {
		return false
	}
	i := p.answers[at]
	p.answers = slices.Delete(p.answers, at, at+1)
	p.nextReturn++
	p.beginRespAtClient(i, delay)
	return true
}

func (p *plain) endResp(int) {
	if p.c.Arbiter == ArbiterSimple {
		p.after(0, 2, func() { p.released = p.now })
		if len(p.answers) == 0 {
			p.threadBusy = false
			return
		}
		i := p.answers[0]
		p.answers = p.answers[1:]
		p.beginRespAtClient(i, 1)
		return
	}
	p.lastEndResp = p.now
	if p.outstanding >= 0 {
		i := p.outstanding
		p.outstanding = -1
		p.accept(i)
	} else {
		p.active--
	}
	p.threadBusy = p.passOn(1)
}

// method is the controller's.
func (p *plain) method() {
	p.manageResponses()
	p.manageRequests()
	p.startRefresh()
	type tuple struct {
		kind       Kind
		bank, rank int
		id         int
		at         int64
	}
	best := tuple{kind: none, at: never}
	consider := func(t tuple) {
		t.at = max(t.at, p.now)
		if t.kind != none && (t.at < best.at || t.at == best.at && t.id < best.id) {
			best = t
		}
	}
	banks := p.l.memory.Spec.Banks
	for r := range p.rm {
		consider(tuple{p.rm[r].kind, r * banks, r, 0, p.rm[r].at})
		for b := r * banks; b < (r+1)*banks; b++ {
			if m := &p.bm[b]; m.kind != none {
				consider(tuple{m.kind, b, r, m.current + 1, m.at})
			}
		}
	}
	blocked := false
	if best.kind != none {
		if best.at == p.now {
			p.issue(best.kind, best.bank, best.rank)
		} else {
			blocked = true
		}
	}
	next := never
	later := func(t int64) {
		if !(t == p.now && blocked) {
			next = min(next, t)
		}
	}
	for b := range p.bm {
		later(p.start(b))
	}
	p.startRefresh()
	if p.c.RefreshPolicy == AllBank {
		for _, r := range p.rm {
			if r.kind != none {
				later(r.at)
			} else {
				later(r.trigger)
			}
		}
	}
	p.wake = min(p.wake, next)
}

func (p *plain) manageResponses() {
	delay := int64(0)
	if p.release >= 0 {
		if p.released != p.now {
			return
		}
		p.release = -1
		delay = 1
	}
	at := -1
	if p.c.RespQueue == RespFifo {
		if len(p.resp) > 0 && p.resp[0].at <= p.now {
			at = 0
		}
	} else {
		for i, r := range p.resp {
			if r.request == p.nextResp && r.at <= p.now {
				at = i
			}
		}
	}
	if at < 0 {
		p.armData()
		return
	}
	i := p.resp[at].request
	p.resp = slices.Delete(p.resp, at, at+1)
	p.nextResp++
	p.release = i
	p.after(delay, 0, func() { p.beginResp(i) })
}

func (p *plain) armData() {
	for i, r := range p.resp {
		if p.c.RespQueue == RespFifo && i == 0 || p.c.RespQueue == RespReorder && r.request == p.nextResp {
			if r.at > p.now {
				p.data = min(p.data, r.at)
			}
		}
	}
}

func (p *plain) manageRequests() {
	if p.acquire < 0 || p.acquireAt > p.now || !p.space() {
		return
	}
	i := p.acquire
	p.acquire = -1
	b := int(p.l.bank[i])
	p.queue[b] = append(p.queue[b], i)
	p.lastBank = b
	if p.l.write[i] {
		p.writes++
	} else {
		p.reads++
	}
	p.start(b)
	p.waited -= p.now
	p.deepest = max(p.deepest, p.reads+p.writes)
	p.after(0, 0, p.endReq)
}

func (p *plain) space() bool {
	size := p.c.RequestBufferSize
	switch p.c.SchedulerBuffer {
	case Bankwise:
		return len(p.queue[p.lastBank]) < size
	case ReadWrite:
		return p.reads < size && p.writes < size
	}
	return p.reads+p.writes < size
}

func (p *plain) startRefresh() {
	if p.c.RefreshPolicy == NoRefresh {
		return
	}
	banks := p.l.memory.Spec.Banks
	refi := p.v["REFI"]
	for i := range p.rm {
		r := &p.rm[i]
		r.kind, r.at = none, never
		if p.now < r.trigger {
			continue
		}
		if p.now >= r.trigger+refi {
			r.trigger += refi
			r.pulled = false
		}
		busy, open := false, false
		for b := i * banks; b < (i+1)*banks; b++ {
			busy = busy || p.bm[b].current >= 0
			open = open || p.bm[b].row >= 0
		}
		if !r.pulled {
			if r.flex == p.c.RefreshMaxPostponed {
				for b := i * banks; b < (i+1)*banks; b++ {
					m := &p.bm[b]
					m.blocked, m.kind, m.at = true, none, never
				}
			} else if busy {
				r.flex++
				r.trigger += refi
				continue
			}
			r.kind = REF
			if open {
				r.kind = PREA
			}
		} else {
			if busy {
				r.pulled = false
				r.trigger += refi
				continue
			}
			r.kind = REF
		}
		r.at = p.earliest(r.kind, i*banks, i)
	}
}

func (p *plain) start(b int) int64 {
	m := &p.bm[b]
	m.kind, m.at = none, never
	if m.blocked || len(p.queue[b]) == 0 {
		return never
	}
	i := p.choose(b)
	if !m.keep || int(p.l.row[i]) == m.row {
		m.current = i
	}
	i = m.current
	switch {
	case m.row < 0:
		m.kind = ACT
	case p.c.PagePolicy == Closed:
		m.kind = RDA
	case int(p.l.row[i]) != m.row:
		m.kind = PRE
	case p.c.PagePolicy == OpenAdaptive && len(p.queue[b]) >= 2 && !p.further(b), p.c.PagePolicy == ClosedAdaptive && !p.further(b):
		m.kind = RDA
	default:
		m.kind = RD
	}
	if p.l.write[i] {
		switch m.kind {
		case RD:
			m.kind = WR
		case RDA:
			m.kind = WRA
		}
	}
	m.at = p.earliest(m.kind, b, b/p.l.memory.Spec.Banks)
	return m.at
}

func (p *plain) choose(b int) int {
	q, m := p.queue[b], &p.bm[b]
	if p.c.Scheduler == Fifo || m.row < 0 {
		return q[0]
	}
	var hits []int
	for _, i := range q {
		if int(p.l.row[i]) == m.row {
			hits = append(hits, i)
		}
	}
	if len(hits) == 0 {
		return q[0]
	}
	if p.c.Scheduler == FrFcfsGrp {
		for k, i := range hits {
			if p.l.write[i] == p.lastWrite && !slices.ContainsFunc(hits[:k], func(j int) bool { return p.l.place[j] == p.l.place[i] }) {
				return i
			}
		}
	}
	return hits[0]
}

func (p *plain) further(b int) bool {
	q := p.queue[b]
	if p.c.Scheduler == Fifo {
		return len(q) >= 2 && int(p.l.row[q[1]]) == p.bm[b].row
	}
	n := 0
	for _, i := range q {
		if int(p.l.row[i]) == p.bm[b].row {
			n++
		}
	}
	return n >= 2
}

// earliest is CheckerDDR3::timeToSatisfyConstraints.
func (p *plain) earliest(k Kind, bank, rank int) int64 {
	v := p.v
	burst := p.l.memory.Spec.BurstCycles()
	rl, wl, al, rtp, rp, rtrs := v["RL"], v["WL"], v["AL"], v["RTP"], v["RP"], v["RTRS"]
	wrpre := wl + burst + v["WR"]
	t := max(p.now, p.bus+1)
	b := func(k Kind, d int64) { t = max(t, p.lastB[k][bank]+d) }
	r := func(k Kind, d int64) { t = max(t, p.lastR[k][rank]+d) }
	o := func(k Kind, d int64) {
		if p.last[k] != p.lastR[k][rank] {
			t = max(t, p.last[k]+d)
		}
	}
	switch k {
	case RD, RDA:
		b(ACT, v["RCD"]-al)
		for _, x := range []Kind{RD, RDA} {
			r(x, v["CCD"])
			o(x, burst+rtrs)
		}
		if k == RDA {
			b(WR, wrpre-rtp-al)
		}
		for _, x := range []Kind{WR, WRA} {
			r(x, wl+burst+v["WTR"]-al)
			t = max(t, p.last[x]+wl+burst+rtrs-rl)
		}
	case WR, WRA:
		b(ACT, v["RCD"]-al)
		for _, x := range []Kind{RD, RDA} {
			r(x, rl+burst+2-wl)
			o(x, rl+burst+rtrs-wl)
		}
		for _, x := range []Kind{WR, WRA} {
			r(x, v["CCD"])
			o(x, burst+rtrs)
		}
	case ACT:
		b(ACT, v["RC"])
		r(ACT, v["RRD"])
		b(RDA, al+rtp+rp)
		b(WRA, wrpre+rp)
		b(PRE, rp)
		r(PREA, rp)
		r(REF, v["RFC"])
		if a := p.acts[rank]; len(a) >= 4 {
			t = max(t, a[len(a)-4]+v["FAW"])
		}
	case PRE:
		b(ACT, v["RAS"])
		b(RD, al+rtp)
		b(WR, wrpre)
	case PREA:
		r(ACT, v["RAS"])
		r(RD, al+rtp)
		r(RDA, al+rtp)
		r(WR, wrpre)
		r(WRA, wrpre)
	case REF:
		r(ACT, v["RC"])
		r(RDA, al+rtp+rp)
		r(WRA, wrpre+rp)
		r(PRE, rp)
		r(PREA, rp)
		r(REF, v["RFC"])
	}
	return t
}

func (p *plain) issue(k Kind, bank, rank int) {
	m := &p.bm[bank]
	i := m.current
	c := Command{Cycle: p.now, Kind: k, Rank: rank, Bank: bank, Request: -1}
	if k != PREA && k != REF {
		c.Row, c.Request = int(p.l.row[i]), int32(i)
		if k == PRE {
			c.Row = m.row
		}
	}
	p.commands = append(p.commands, c)
	banks := p.l.memory.Spec.Banks
	switch k {
	case ACT:
		m.row, m.keep = int(p.l.row[i]), true
		p.acts[rank] = append(p.acts[rank], p.now)
	case PRE:
		m.row, m.keep = -1, false
	case RD, WR:
		m.current, m.keep = -1, false
	case RDA, WRA:
		m.current, m.keep, m.row = -1, false, -1
	case PREA, REF:
		for b := rank * banks; b < (rank+1)*banks; b++ {
			if k == PREA {
				p.bm[b].row, p.bm[b].keep = -1, false
			} else {
				p.bm[b].blocked = false
			}
		}
		if k == REF {
			r := &p.rm[rank]
			if r.pulled {
				r.flex--
			} else {
				r.pulled = true
			}
			if r.flex == -p.c.RefreshMaxPulledin {
				r.pulled = false
				r.trigger += p.v["REFI"]
			}
		}
	}
	p.lastB[k][bank], p.lastR[k][rank], p.last[k], p.bus = p.now, p.now, p.now, p.now
	if k >= RD && k <= WRA {
		p.waited += p.now
		p.queue[bank] = slices.DeleteFunc(p.queue[bank], func(j int) bool { return j == i })
		data := p.v["RL"] + p.v["AL"]
		if p.lastWrite = p.l.write[i]; p.lastWrite {
			p.writes--
			data = p.v["WL"] + p.v["AL"]
		} else {
			p.reads--
		}
		p.manageRequests()
		p.resp = append(p.resp, plainResp{i, p.now + data + p.l.memory.Spec.BurstCycles()})
		p.armData()
	}
}

// drawController draws any controller.
func drawController(r *rand.Rand) Controller {
	return Controller{
		PagePolicy: PagePolicy(r.IntN(4)), Scheduler: Scheduler(r.IntN(3)), SchedulerBuffer: Buffer(r.IntN(3)), RequestBufferSize: 1 + r.IntN(8),
		RespQueue: RespQueue(r.IntN(2)), RefreshPolicy: RefreshPolicy(r.IntN(2)), RefreshMaxPostponed: 1 + r.IntN(4), RefreshMaxPulledin: 1 + r.IntN(4),
		Arbiter: Arbiter(r.IntN(3)), MaxActiveTransactions: 1 << r.IntN(6),
	}
}

// drawTrace draws a trace with bursts of work, pauses and few rows, so that
// every path of the controller is taken.
func drawTrace(r *rand.Rand, m *Memory, n int) Trace {
	t := Trace{Name: "drawn"}
	writes := []float64{0, 0.1, 0.5, 1}[r.IntN(4)]
	rows, banks := uint32(1+r.IntN(4)), uint32(1+r.IntN(m.Spec.Ranks*m.Spec.Banks))
	cycle := int64(0)
	for range n {
		switch r.IntN(60) {
		case 0:
			cycle += int64(r.IntN(400))
		case 1:
			cycle += int64(r.IntN(20_000))
		default:
			cycle += int64(r.IntN(3)) * int64(r.IntN(2))
		}
		a := m.Map.Encode(r.Uint32N(banks), r.Uint32N(rows), 8*r.Uint32N(6))
		t.Requests = append(t.Requests, Request{Cycle: cycle, Address: a, Write: r.Float64() < writes})
	}
	return t
}

// ddr3 returns the memory of ArchGym with a number of ranks and an additive
// latency.
func ddr3(t testing.TB, ranks int, al int64) *Memory {
	t.Helper()
	s, m := DDR3_1600(), DDR3_1600Map()
	s.Ranks = ranks
	for bit := m.Bits(); 1<<len(m.Rank) < ranks; bit++ {
		m.Rank = append(m.Rank, bit)
	}
	s.Timings["AL"] = al
	x, err := NewMemory(s, m)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// The simulator sends the same commands in the same cycles as the plain model,
// and answers at the same times, for loads and controllers that DRAMSys was not
// run on: writes, pauses, ranks, all policies.
func TestAsThePlainModel(t *testing.T) {
	r := rng.New(1, "dram/plain", 0)
	n := 250
	if testing.Short() || invariants {
		n = 80
	}
	s := NewSimulator()
	s.Record(1 << 20)
	for i := range n {
		m := ddr3(t, 1<<(i%3), int64(i%2)*int64(r.IntN(5)))
		l, err := m.Load(drawTrace(r, m, 20+r.IntN(400)))
		if err != nil {
			t.Fatal(err)
		}
		c := drawController(r)
		got, err := s.Run(context.Background(), l, c)
		if err != nil {
			t.Fatal(err)
		}
		want := runPlain(l, c)
		name := fmt.Sprintf("case %d: %+v, %d ranks, %d requests", i, c, m.Spec.Ranks, l.Len())
		if last := slices.Max(want.answerAt); got.Cycles != last {
			t.Errorf("%s: ends in cycle %d, want %d", name, got.Cycles, last)
		}
		if !reflect.DeepEqual(s.Commands(), want.commands) {
			for k, c := range s.Commands() {
				if k >= len(want.commands) || c != want.commands[k] {
					t.Errorf("%s: command %d is %+v of %d, want %+v of %d", name, k, c, len(s.Commands()), want.commands[min(k, len(want.commands)-1)], len(want.commands))
					break
				}
			}
			if len(s.Commands()) < len(want.commands) {
				t.Errorf("%s: %d commands, want %d", name, len(s.Commands()), len(want.commands))
			}
		}
		slices.Sort(want.answerAt)
		if !slices.Equal(s.answers, want.answerAt) {
			t.Errorf("%s: the answers come at other times", name)
		}
		n := int64(l.Len())
		if mean := float64(want.latency) / float64(n) * 1.25; math.Abs(got.Stats.LatencyMeanNS-mean) > 1e-9*mean {
			t.Errorf("%s: a request takes %v ns, want %v", name, got.Stats.LatencyMeanNS, mean)
		}
		if queue := float64(want.waited) / float64(got.Cycles); math.Abs(got.Stats.QueueMean-queue) > 1e-12 || got.Stats.QueueMax != want.deepest {
			t.Errorf("%s: %v wait, at most %d, want %v and %d", name, got.Stats.QueueMean, got.Stats.QueueMax, queue, want.deepest)
		}
		// Each row is opened for one access that was no hit; without refresh a
		// bank is only told to close for a conflict.
		sent := map[Kind]int{}
		for _, x := range want.commands {
			sent[x.Kind]++
		}
		if st := got.Stats; c.RefreshPolicy == NoRefresh && (st.RowMisses+st.RowConflicts != sent[ACT] || st.RowConflicts != sent[PRE]) {
			t.Errorf("%s: %d misses and %d conflicts, %d rows were opened and %d banks closed", name, st.RowMisses, st.RowConflicts, sent[ACT], sent[PRE])
		}
		if t.Failed() && i > 3 {
			t.FailNow()
		}
	}
}

// The plain model is the recorded one too, so that both tests speak of the same.
func TestPlainModelIsDRAMSys(t *testing.T) {
	all := loads(t)
	for i, g := range recorded(t) {
		if i%40 != 7 || testing.Short() && i%200 != 7 {
			continue
		}
		p := runPlain(all[g.trace], g.c)
		if ps := slices.Max(p.answerAt) * 1250; ps != g.timePS {
			t.Errorf("row %d: %+v on %s takes %d ps, want %d", i, g.c, g.trace, ps, g.timePS)
		}
	}
}
