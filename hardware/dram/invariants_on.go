//go:build invariants

package dram

import (
	"fmt"
	"math"
)

const invariants = true

// check panics if a run broke a law: every command is allowed, every request is
// served once and answered after it was asked, refreshes are not owed, and the
// energy is that of the commands, by DRAMPower's account of the whole list.
func (s *Simulator) check(r *Result) {
	fail := func(format string, args ...any) {
		panic("dram: " + fmt.Sprintf(format, args...) + fmt.Sprintf(" (%+v, %s, trace %s)", s.c, s.spec.Name, s.load.Trace))
	}
	if err := Check(s.load.memory, s.commands); err != nil {
		fail("%v", err)
	}
	n := s.load.Len()
	served := make([]int, n)
	refreshes := make([]int, len(s.ranks))
	for _, c := range s.commands {
		switch {
		case c.Kind >= RD && c.Kind <= WRA:
			served[c.Request]++
			if write := c.Kind == WR || c.Kind == WRA; write != s.load.write[c.Request] || int32(c.Row) != s.load.row[c.Request] || c.Bank != int(s.load.bank[c.Request]) {
				fail("request %d is served by %+v", c.Request, c)
			}
		case c.Kind == REF:
			refreshes[c.Rank]++
		}
	}
	for i, k := range served {
		if k != 1 {
			fail("request %d is served %d times", i, k)
		}
	}
	if len(s.answers) != n {
		fail("%d requests have %d answers", n, len(s.answers))
	}
	for i := 1; i < n; i++ {
		if s.answers[i] <= s.answers[i-1] {
			fail("answers %d and %d come in the cycles %d and %d", i-1, i, s.answers[i-1], s.answers[i])
		}
	}
	if t := &r.Stats; t.RowHits+t.RowMisses+t.RowConflicts != n {
		fail("%d hits, %d misses and %d conflicts are not %d requests", t.RowHits, t.RowMisses, t.RowConflicts, n)
	}
	if s.c.RefreshPolicy == AllBank {
		due := int(r.Cycles / s.t.refi)
		for i, k := range refreshes {
			if k < due-s.c.RefreshMaxPostponed-1 || k > due+s.c.RefreshMaxPulledin+1 {
				fail("rank %d was refreshed %d times, due were %d", i, k, due)
			}
		}
	}
	s.checkEnergy(r, fail)
}

func (s *Simulator) checkEnergy(r *Result, fail func(string, ...any)) {
	_, parts := r.Energy.Parts()
	sum := 0.0
	for _, p := range parts {
		sum += p
	}
	if sum != r.Energy.TotalPJ() {
		fail("the parts of the energy add up to %v pJ, the total is %v", sum, r.Energy.TotalPJ())
	}
	if !s.spec.HasCurrents() || powerTypes[string(s.spec.Family)].io == 0 {
		return
	}
	p := s.spec.Power()
	var other float64
	for i := range s.ranks {
		var list []Command
		for _, c := range s.commands {
			if c.Rank == i {
				c.Bank -= i * s.spec.Banks
				list = append(list, c)
			}
		}
		a, err := Analyze(p, list, PowerOptions{})
		if err != nil {
			fail("%v", err)
		}
		m := &s.ranks[i].meter
		if got := (Counts{a.Activates, a.Precharges, a.Reads, a.Writes, a.Refreshes, a.ActiveCycles, a.PrechargedCycles}); got != m.Counts {
			fail("rank %d counts %+v, its commands are %+v", i, m.Counts, got)
		}
		other += a.TotalPJ * float64(s.spec.Devices)
	}
	if math.Abs(other-sum) > 1e-9*sum {
		fail("the energy is %v pJ, that of the commands %v", sum, other)
	}
}
