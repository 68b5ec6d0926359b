package study

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/daedalus-search/daedalus/search"
)

// The decision log is in the trials: AskSeq and TellSeq number the calls of
// Ask and Tell in one sequence, and trials of one call share its number. A
// searcher is a function of these calls, so making them again rebuilds it.
//
// When the question changes, a new epoch begins: trials that were asked for
// before it are told to the new searcher as foreign designs, first of all, in
// number order.

// A divergedError says that replay proposed something else than was recorded.
type divergedError struct{ number int64 }

func (e *divergedError) Error() string {
	return fmt.Sprintf("this version of the engine proposes something else than was recorded for trial %d", e.number)
}

type event struct {
	seq   int64
	asked []*trial
	told  []*trial
}

// replay makes the searcher's calls again and finds the trials that it has not
// been told about.
func (s *Study) replay(trials []*trial) error {
	events := map[int64]*event{}
	at := func(seq int64) *event {
		e := events[seq]
		if e == nil {
			e = &event{seq: seq}
			events[seq] = e
		}
		return e
	}
	early := event{}
	for _, t := range trials {
		if t.AskSeq <= s.epoch { // AskSeq 0: the searcher never proposed it
			s.foreign[t.Number] = true
		} else {
			e := at(t.AskSeq)
			e.asked = append(e.asked, t)
			s.numbers[t.Proposal] = t.Number
		}
		switch {
		case !t.State.Done():
		case t.TellSeq == 0:
			s.untold[t.Number] = t
		case t.TellSeq <= s.epoch:
			early.told = append(early.told, t)
		default:
			e := at(t.TellSeq)
			e.told = append(e.told, t)
		}
	}
	order := make([]*event, 0, len(events)+1)
	for _, e := range events {
		order = append(order, e)
	}
	slices.SortFunc(order, func(a, b *event) int { return cmp.Compare(a.seq, b.seq) })
	for _, e := range append([]*event{&early}, order...) {
		if len(e.asked) > 0 {
			if err := s.replayAsk(e); err != nil {
				return err
			}
		}
		if len(e.told) > 0 {
			outs := make([]search.Outcome, len(e.told))
			for i, t := range e.told { // trials come in number order
				outs[i] = s.outcome(t)
			}
			s.fitted()
			s.searcher.Tell(outs...)
		}
	}
	return nil
}

func (s *Study) replayAsk(e *event) error {
	s.fitted()
	ps, err := s.searcher.Ask(len(e.asked))
	if err != nil || len(ps) != len(e.asked) {
		return &divergedError{number: e.asked[0].Number}
	}
	for i, p := range ps {
		if p.ID != e.asked[i].Proposal || p.Design != e.asked[i].design || shareOf(p.Fidelity) != shareOf(e.asked[i].Fidelity) {
			return &divergedError{number: e.asked[i].Number}
		}
	}
	s.fit()
	return nil
}
