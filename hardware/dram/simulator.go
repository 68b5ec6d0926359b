package dram

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// A Simulator runs loads under controllers. It keeps its buffers from run to
// run, so that a run does not allocate; it must not be used by two goroutines at
// once.
//
// It is an event model with few events: the arrival of a request at the
// scheduler, a command, the time of a refresh. When the client asks and is
// answered follows from those by recurrences (see [Simulator.ask] and
// [Simulator.answer]), where DRAMSys exchanges messages between three actors.
// Each register holds the earliest cycle for one kind of command in a bank, a
// group or a rank, and a bank is looked at again only when something of it has
// changed.
type Simulator struct {
	load   *Load
	c      Controller
	spec   *Spec
	t      *timing
	banks  [maxBanks]bank
	ranks  []rank
	groups [][registers]int64

	waiting uint64 // banks with requests
	blocked uint64 // banks that stand still for a refresh

	bestAt   int64 // when the next command of a bank can be sent,
	best     int   // to which bank
	bus      [2]int64
	lastType bool // the last read or write wrote
	wakeAt   int64

	queued, queuedReads int
	lastBank            int

	// Of each request.
	next, prev []int32
	stored     []int64 // when the scheduler took it
	asked      []int64 // when the client asked
	ready      []int64 // when its answer may leave, -1 if not known; of answers in order

	// The client and the arbiter.
	asking     int   // the request that comes next
	arriveAt   int64 // when it reaches the controller
	early      bool  // before the commands of that cycle are chosen
	held       bool  // it is there and has no place
	wantAnswer int   // the answer it waits for, -1 if none
	accepted   int64 // when the arbiter took the last one
	ended      int64 // when the controller took the last one

	answers []int64 // times of all answers so far
	inOrder bool    // answers leave in the order of the requests
	sent    int64   // when the controller gave its last answer

	latency   latencies
	waited    int64 // cycles in the scheduler, of all requests
	queueMax  int
	rowHits   int
	rowMisses int
	conflicts int
	record    int
	commands  []Command
}

// bank is the machine of one bank.
type bank struct {
	ready   int64 // the earliest cycle for kind by the bank's own registers
	at      [toRDA + 1]int64
	head    int32 // the oldest request that waits, -1 if none
	tail    int32
	current int32 // the request that is worked on, -1 if none
	row     int32 // the open one, -1 if none
	count   int32
	kind    Kind // what it wants to send, none if nothing
	reg     uint8
	keep    bool  // the row was opened for current
	opened  uint8 // for the next access: 0 a hit, 1 a miss, 2 a conflict
	closed  bool  // for another row
	rank    uint8
	group   uint8
}

// rank holds what banks of a rank share.
type rank struct {
	at    [registers]int64
	acts  [4]int64 // the last activations
	act   uint8
	banks uint64
	open  uint64
	meter meter

	// The refresh manager.
	trigger  int64
	pulled   bool // did refreshes ahead
	flex     int  // refreshes owed, or ahead if negative
	kind     Kind // what it wants to send, none if nothing
	readyAt  int64
	postpone int
	pull     int
}

// NewSimulator returns a simulator.
func NewSimulator() *Simulator { return &Simulator{} }

// Record makes later runs keep their first n commands for [Simulator.Commands].
// 0 is the default and costs nothing.
func (s *Simulator) Record(n int) { s.record = max(n, 0) }

// Commands returns the commands of the last run that were kept.
func (s *Simulator) Commands() []Command { return s.commands[:min(len(s.commands), s.record)] }

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// errStuck is a fault of this package, not of its input.
var errStuck = errors.New("dram: no event is left although requests are; please report this")

// Run simulates a load. The result is the same for the same arguments on every
// platform. Errors are those of [Controller.Validate], of the context, and of a
// run that is too long for picoseconds.
func (s *Simulator) Run(ctx context.Context, l *Load, c Controller) (Result, error) {
	if err := c.Validate(); err != nil {
		return Result{}, fmt.Errorf("dram: %w", err)
	}
	s.reset(l, c.withDefaults())
	n := l.Len()
	end := never
	for events := 0; ; events++ {
		now := min(s.bestAt, s.arriveAt, s.wakeAt)
		if now > end {
			break
		}
		if now >= never {
			return Result{}, errStuck
		}
		if events&0xfff == 0 && ctx.Err() != nil {
			return Result{}, ctx.Err()
		}
		arrives := s.arriveAt == now
		if arrives && s.early {
			s.arrive(now)
			arrives = false
			s.step(now)
		} else if s.bestAt == now || s.wakeAt == now {
			s.step(now)
		}
		if arrives && s.arrive(now) {
			s.step(now)
		}
		if len(s.answers) == n {
			end = s.answers[n-1]
		}
	}
	if limit := math.MaxInt64 / s.spec.ClockPS(); end > limit {
		return Result{}, fmt.Errorf("dram: trace %s ends in cycle %d of %s, want at most %d: a time in picoseconds has 63 bits", l.Trace, end, s.spec.Name, limit)
	}
	r := s.result(end)
	if invariants {
		s.check(&r)
	}
	return r, nil
}

func (s *Simulator) reset(l *Load, c Controller) {
	n := l.Len()
	s.load, s.c, s.spec, s.t = l, c, &l.memory.Spec, &l.memory.t
	s.waiting, s.blocked, s.queued, s.queuedReads, s.lastBank = 0, 0, 0, 0, 0
	s.bestAt, s.best, s.bus, s.lastType, s.wakeAt = never, -1, [2]int64{}, false, never
	s.next, s.prev = grow(s.next, n), grow(s.prev, n)
	s.stored, s.asked = grow(s.stored, n), grow(s.asked, n)
	s.inOrder = c.RespQueue == RespReorder || c.Arbiter == ArbiterReorder
	if s.inOrder {
		s.ready = grow(s.ready, n)
		for i := range s.ready {
			s.ready[i] = -1
		}
	}
	s.answers, s.sent = grow(s.answers, n)[:0], -1
	s.latency.reset()
	s.waited, s.queueMax, s.rowHits, s.rowMisses, s.conflicts = 0, 0, 0, 0, 0
	s.commands = s.commands[:0]

	s.ranks = grow(s.ranks, s.spec.Ranks)
	s.groups = grow(s.groups, s.spec.Ranks*s.spec.BankGroups)
	clear(s.groups)
	banks := s.spec.Banks
	for i := range s.ranks {
		r := &s.ranks[i]
		*r = rank{banks: (1<<banks - 1) << (i * banks), trigger: s.t.refi, kind: none, readyAt: never, postpone: c.RefreshMaxPostponed, pull: -c.RefreshMaxPulledin}
		for j := range r.acts {
			r.acts[j] = -never
		}
		r.meter.reset(s.spec, s.t)
	}
	for b := range s.spec.Ranks * banks {
		s.banks[b] = bank{head: -1, tail: -1, current: -1, row: -1, kind: none, rank: uint8(b / banks), group: uint8(b / (banks / s.spec.BankGroups))}
	}
	if c.RefreshPolicy == AllBank {
		s.wakeAt = s.t.refi
	}
	s.held, s.early, s.wantAnswer, s.accepted, s.ended = false, false, -1, -1, -1
	s.asking = 0
	s.ask()
}

// ask computes when the request that comes next reaches the controller.
//
// The client asks in the first cycle in which it wants to, after the arbiter
// took the request before. The simple arbiter takes a request when the
// controller does. The others take one if fewer than MaxActiveTransactions are
// in flight, else with the answer that makes it so, and hand them on one by one,
// a cycle after the controller took the one before. Then the controller sees it
// before it chooses the command of that cycle, otherwise after.
func (s *Simulator) ask() {
	i := s.asking
	s.arriveAt = never
	if i == s.load.Len() {
		return
	}
	at := max(s.load.cycle[i], s.accepted+1)
	s.asked[i] = at
	if s.c.Arbiter == ArbiterSimple {
		s.arriveAt, s.early = at, false
		return
	}
	if j := i - s.c.MaxActiveTransactions; j >= 0 {
		if j >= len(s.answers) {
			s.wantAnswer = j
			return
		}
		at = max(at, s.answers[j])
	}
	s.take(at)
}

// take continues ask when the arbiter takes the request.
func (s *Simulator) take(at int64) {
	s.wantAnswer = -1
	s.accepted = at
	s.early = at <= s.ended
	s.arriveAt = max(at, s.ended+1)
}

// answer computes when the client has the answer to a request whose data are
// there in cycle at. The controller gives one answer a cycle, in the order of
// the commands or, with [RespReorder], of the requests; the reorder arbiter
// passes them on in the order of the requests, one a cycle.
func (s *Simulator) answer(i int32, at int64) {
	if s.c.RespQueue == RespFifo {
		at = max(at, s.sent+1)
		s.sent = at
	}
	if !s.inOrder {
		s.give(int(i), at)
		return
	}
	s.ready[i] = at
	for j := len(s.answers); j < len(s.ready) && s.ready[j] >= 0; j++ {
		at = s.ready[j]
		if j > 0 {
			at = max(at, s.answers[j-1]+1)
		}
		s.give(j, at)
	}
}

func (s *Simulator) give(i int, at int64) {
	s.latency.add(at - s.asked[i])
	if len(s.answers) == s.wantAnswer {
		s.take(max(s.asked[s.asking], at))
	}
	s.answers = append(s.answers, at)
}

// arrive lets a request into the scheduler, or holds it until there is a place.
// It reports whether it got one.
func (s *Simulator) arrive(now int64) bool {
	s.arriveAt = never
	if !s.space() {
		s.held = true
		return false
	}
	s.store(now)
	return true
}

// space reports whether the scheduler takes another request. Bankwise buffers
// look at the bank of the request that came last, not of the one that comes.
func (s *Simulator) space() bool {
	size := s.c.RequestBufferSize
	switch s.c.SchedulerBuffer {
	case Bankwise:
		return int(s.banks[s.lastBank].count) < size
	case ReadWrite:
		return s.queuedReads < size && s.queued-s.queuedReads < size
	}
	return s.queued < size
}

// store puts the request that comes next into the queue of its bank.
func (s *Simulator) store(now int64) {
	i := int32(s.asking)
	b := int(s.load.bank[i])
	k := &s.banks[b]
	s.next[i], s.prev[i] = -1, k.tail
	if k.tail >= 0 {
		s.next[k.tail] = i
	} else {
		k.head = i
	}
	k.tail = i
	k.count++
	s.queued++
	if !s.load.write[i] {
		s.queuedReads++
	}
	s.queueMax = max(s.queueMax, s.queued)
	s.lastBank = b
	s.stored[i] = now
	s.waiting |= 1 << b
	s.held = false
	s.ended = now
	if s.c.Arbiter == ArbiterSimple {
		s.accepted = now
	}
	s.asking++
	s.ask()
	if s.blocked>>b&1 != 0 {
		return
	}
	s.want(b)
	if b == s.best {
		s.choose(now)
	} else if at := s.earliest(k, now); at < s.bestAt || at == s.bestAt && k.current < s.banks[s.best].current {
		s.bestAt, s.best = at, b
	}
}

// remove takes a request out of the queue of its bank.
func (s *Simulator) remove(k *bank, b int, i int32) {
	n, p := s.next[i], s.prev[i]
	if p >= 0 {
		s.next[p] = n
	} else {
		k.head = n
	}
	if n >= 0 {
		s.prev[n] = p
	} else {
		k.tail = p
	}
	if k.count--; k.count == 0 {
		s.waiting &^= 1 << b
	}
	s.queued--
	if !s.load.write[i] {
		s.queuedReads--
	}
}

// want decides what a bank sends next.
func (s *Simulator) want(b int) {
	k := &s.banks[b]
	if k.head < 0 {
		k.kind = none
		return
	}
	i := k.head
	if s.c.Scheduler != Fifo && k.row >= 0 {
		i = s.hit(k)
	}
	if !k.keep || s.load.row[i] == k.row {
		k.current = i
	}
	if k.row < 0 {
		k.kind, k.reg, k.ready = ACT, toACT, k.at[toACT]
		return
	}
	i = k.current
	auto := false
	switch s.c.PagePolicy {
	case Closed:
		auto = true
	default:
		if s.load.row[i] != k.row {
			k.kind, k.reg, k.ready = PRE, toPRE, k.at[toPRE]
			return
		}
		switch s.c.PagePolicy {
		case OpenAdaptive:
			auto = k.count >= 2 && !s.moreHits(k)
		case ClosedAdaptive:
			auto = !s.moreHits(k)
		}
	}
	k.kind, k.reg = RD, toRD
	if s.load.write[i] {
		k.kind, k.reg = WR, toWR
	}
	k.ready = k.at[k.reg]
	if auto {
		k.kind += RDA - RD
		if k.kind == RDA {
			k.ready = max(k.ready, k.at[toRDA])
		}
	}
}

// hit returns the request of a bank with an open row that comes first under a
// scheduler that looks for hits.
func (s *Simulator) hit(k *bank) int32 {
	i := k.head
	for ; i >= 0 && s.load.row[i] != k.row; i = s.next[i] {
	}
	if i < 0 {
		return k.head
	}
	if s.c.Scheduler == FrFcfs {
		return i
	}
	first := i
	for ; i >= 0; i = s.next[i] {
		if s.load.row[i] == k.row && s.load.write[i] == s.lastType && !s.hazard(k, first, i) {
			return i
		}
	}
	return first
}

// hazard reports whether an earlier hit has the same address.
func (s *Simulator) hazard(k *bank, first, i int32) bool {
	for j := first; j != i; j = s.next[j] {
		if s.load.place[j] == s.load.place[i] && s.load.row[j] == k.row {
			return true
		}
	}
	return false
}

// moreHits reports whether more than one request waits for the open row. The
// Fifo scheduler sees only the second in the queue.
func (s *Simulator) moreHits(k *bank) bool {
	if k.count < 2 {
		return false
	}
	if s.c.Scheduler == Fifo {
		return s.load.row[s.next[k.head]] == k.row
	}
	hits := 0
	for i := k.head; i >= 0; i = s.next[i] {
		if s.load.row[i] == k.row {
			if hits++; hits == 2 {
				return true
			}
		}
	}
	return false
}

// column says which command bus a register belongs to.
var column = [registers]uint8{toRD: 1, toWR: 1}

// earliest returns when a bank can send what it wants.
func (s *Simulator) earliest(k *bank, now int64) int64 {
	at := max(k.ready, s.ranks[k.rank].at[k.reg], s.bus[column[k.reg]], now)
	if s.spec.BankGroups > 1 {
		at = max(at, s.groups[k.group][k.reg])
	}
	return at
}

// choose finds the command that can be sent first, of those that can the one
// for the oldest request.
func (s *Simulator) choose(now int64) {
	best, bank, id := never, -1, int32(0)
	set := s.waiting &^ s.blocked
	if len(s.ranks) == 1 && s.spec.BankGroups == 1 {
		var floor [toPRE + 1]int64
		for i := range floor {
			floor[i] = max(s.ranks[0].at[i], s.bus[column[i]], now)
		}
		for ; set != 0; set &= set - 1 {
			b := bits.TrailingZeros64(set)
			k := &s.banks[b&(maxBanks-1)]
			at := max(k.ready, floor[k.reg&3])
			if at < best || at == best && k.current < id {
				best, bank, id = at, b, k.current
			}
		}
	} else {
		for ; set != 0; set &= set - 1 {
			b := bits.TrailingZeros64(set)
			k := &s.banks[b]
			if at := s.earliest(k, now); at < best || at == best && k.current < id {
				best, bank, id = at, b, k.current
			}
		}
	}
	s.bestAt, s.best = best, bank
}

// step sends the command of this cycle, if there is one.
func (s *Simulator) step(now int64) {
	if s.c.RefreshPolicy == NoRefresh {
		if s.bestAt == now {
			s.send(s.best, now)
		}
		return
	}
	s.refresh(now)
	who, at := -1, never
	for i := range s.ranks {
		if r := &s.ranks[i]; r.kind != none && r.readyAt < at {
			who, at = i, r.readyAt
		}
	}
	switch {
	case at == now && at <= s.bestAt:
		s.sendRefresh(who, now)
	case s.bestAt == now && s.bestAt < at:
		s.send(s.best, now)
	}
	s.refresh(now)
	s.wakeAt = never
	for i := range s.ranks {
		if r := &s.ranks[i]; r.kind != none {
			s.wakeAt = min(s.wakeAt, r.readyAt)
		} else {
			s.wakeAt = min(s.wakeAt, r.trigger)
		}
	}
}

// refresh decides for every rank whether a refresh is due, put off or done
// ahead.
func (s *Simulator) refresh(now int64) {
	for i := range s.ranks {
		r := &s.ranks[i]
		r.kind = none
		if now < r.trigger {
			continue
		}
		if now >= r.trigger+s.t.refi {
			r.trigger += s.t.refi
			r.pulled = false
		}
		busy := s.waiting&r.banks != 0
		switch {
		case r.pulled && busy:
			r.pulled = false
			r.trigger += s.t.refi
			continue
		case r.pulled:
			r.kind = REF
		case r.flex == r.postpone:
			if s.blocked&r.banks != r.banks {
				s.blocked |= r.banks
				s.choose(now)
			}
		case busy:
			r.flex++
			r.trigger += s.t.refi
			continue
		}
		if r.kind = REF; r.open != 0 {
			r.kind = PREA
		}
		r.readyAt = max(r.at[register[r.kind]], s.bus[0], now)
	}
}

func (s *Simulator) sendRefresh(i int, now int64) {
	r := &s.ranks[i]
	kind := r.kind
	first := i * s.spec.Banks
	if invariants || len(s.commands) < s.record {
		s.commands = append(s.commands, Command{Cycle: now, Kind: kind, Rank: i, Bank: first, Request: -1})
	}
	r.meter.command(kind, 0, now)
	s.occupy(kind, 0, now)
	for _, x := range s.t.rank[kind] {
		r.at[x.to] = max(r.at[x.to], now+x.delay)
	}
	if kind == PREA {
		for set := r.open; set != 0; set &= set - 1 {
			k := &s.banks[bits.TrailingZeros64(set)]
			k.row, k.keep = -1, false
		}
		r.open = 0
	} else {
		if r.pulled {
			r.flex--
		} else {
			r.pulled = true
		}
		if r.flex == r.pull {
			r.pulled = false
			r.trigger += s.t.refi
		}
		s.blocked &^= r.banks
	}
	for set := s.waiting & r.banks &^ s.blocked; set != 0; set &= set - 1 {
		s.want(bits.TrailingZeros64(set))
	}
	s.choose(now)
}

// occupy keeps the command bus busy. Where rows and columns share it, both
// entries are the same.
func (s *Simulator) occupy(kind Kind, bus uint8, now int64) {
	until := now + s.t.busy[kind]
	s.bus[bus] = until
	if !s.t.twoBuses {
		s.bus[1-bus] = until
	}
}

// send sends what a bank wants.
func (s *Simulator) send(b int, now int64) {
	k := &s.banks[b]
	r := &s.ranks[k.rank]
	kind, i := k.kind, k.current
	if invariants || len(s.commands) < s.record {
		row := s.load.row[i]
		if kind == PRE {
			row = k.row
		}
		s.commands = append(s.commands, Command{Cycle: now, Kind: kind, Rank: int(k.rank), Bank: b, Row: int(row), Request: i})
	}
	r.meter.command(kind, b-int(k.rank)*s.spec.Banks, now)
	s.occupy(kind, column[k.reg], now)
	for _, x := range s.t.bank[kind] {
		k.at[x.to] = max(k.at[x.to], now+x.delay)
	}
	for _, x := range s.t.rank[kind] {
		r.at[x.to] = max(r.at[x.to], now+x.delay)
	}
	if s.spec.BankGroups > 1 {
		g := &s.groups[k.group]
		for _, x := range s.t.group[kind] {
			g[x.to] = max(g[x.to], now+x.delay)
		}
	}
	if len(s.ranks) > 1 && len(s.t.other[kind]) > 0 {
		for j := range s.ranks {
			if o := &s.ranks[j]; j != int(k.rank) {
				for _, x := range s.t.other[kind] {
					o.at[x.to] = max(o.at[x.to], now+x.delay)
				}
			}
		}
	}
	switch {
	case kind == ACT:
		k.row, k.keep = s.load.row[i], true
		k.opened = 1
		if k.closed {
			k.opened, k.closed = 2, false
		}
		r.open |= 1 << b
		r.acts[r.act&3] = now
		r.act++
		r.at[toACT] = max(r.at[toACT], r.acts[r.act&3]+s.t.faw)
		s.want(b)
	case kind == PRE:
		k.row, k.keep = -1, false
		k.closed = true
		r.open &^= 1 << b
		s.want(b)
	default:
		s.access(k, b, now)
	}
	s.choose(now)
}

// access ends a request with its read or write.
func (s *Simulator) access(k *bank, b int, now int64) {
	i := k.current
	k.current, k.keep = -1, false
	if k.kind >= RDA {
		k.row = -1
		s.ranks[k.rank].open &^= 1 << b
	}
	switch k.opened {
	case 0:
		s.rowHits++
	case 1:
		s.rowMisses++
	case 2:
		s.conflicts++
	}
	k.opened = 0
	s.waited += now - s.stored[i]
	write := s.load.write[i]
	s.remove(k, b, i)
	changed := write != s.lastType
	s.lastType = write
	if write {
		s.answer(i, now+s.t.writeData)
	} else {
		s.answer(i, now+s.t.readData)
	}
	s.best = -1
	s.bestAt = never
	s.want(b)
	if changed && s.c.Scheduler == FrFcfsGrp {
		for set := s.waiting &^ s.blocked; set != 0; set &= set - 1 {
			s.want(bits.TrailingZeros64(set))
		}
	}
	if s.held && s.space() {
		s.store(now)
	}
}

func (s *Simulator) result(end int64) Result {
	n := s.load.Len()
	clock := s.spec.ClockNS()
	r := Result{Cycles: end, TimePS: end * s.spec.ClockPS()}
	var power float64 // mW
	for i := range s.ranks {
		m := &s.ranks[i].meter
		m.finish(s.spec, s.t)
		e := s.spec.energy(m.Counts, s.t.rfc)
		r.Energy.add(&e)
		r.Stats.Activates += m.Activates
		r.Stats.Precharges += m.Precharges
		r.Stats.Refreshes += m.Refreshes
		if t := m.ActiveCycles + m.PrechargedCycles; t > 0 {
			power += e.TotalPJ() / (float64(t) * clock)
		}
	}
	r.PowerW = power / 1e3 // pJ/ns = mW
	t := &r.Stats
	t.Requests, t.Reads, t.Writes = n, s.load.reads, n-s.load.reads
	t.RowHits, t.RowMisses, t.RowConflicts = s.rowHits, s.rowMisses, s.conflicts
	t.HitRate = float64(s.rowHits) / float64(n)
	var p [3]int64
	s.latency.percentiles(n, percents[:], p[:])
	t.LatencyMeanNS = float64(s.latency.sum) / float64(n) * clock
	t.LatencyP50NS, t.LatencyP95NS, t.LatencyP99NS = float64(p[0])*clock, float64(p[1])*clock, float64(p[2])*clock
	t.LatencyMaxNS = float64(s.latency.max) * clock
	if end > 0 {
		t.QueueMean = float64(s.waited) / float64(end)
		t.InFlightMean = float64(s.latency.sum) / float64(end)
		t.BandwidthBytesPerSecond = float64(n) * float64(s.spec.BurstBytes()) / (float64(end) * clock) * 1e9
		t.BusUtilisation = float64(int64(n)*s.t.burst) / float64(end)
	}
	t.QueueMax = s.queueMax
	return r
}

var percents = [...]int{50, 95, 99}

func (e *Energy) add(o *Energy) {
	e.ActivatePJ += o.ActivatePJ
	e.PrechargePJ += o.PrechargePJ
	e.ReadPJ += o.ReadPJ
	e.WritePJ += o.WritePJ
	e.RefreshPJ += o.RefreshPJ
	e.ActiveStandbyPJ += o.ActiveStandbyPJ
	e.PrechargedStandbyPJ += o.PrechargedStandbyPJ
}
