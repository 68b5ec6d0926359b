package sample

import (
	"errors"
	"math/rand/v2"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/fresh"
	"github.com/daedalus-search/daedalus/space"
)

// Random draws designs from the prior of the space: parents before the
// parameters that depend on them, each by its own distribution.
//
// A design that was proposed or told before is not proposed again while the
// space has others. A space of up to 65,536 designs ends with
// [search.ErrExhausted]; in a larger one whose prior keeps to a few designs,
// 64 draws and 64 steps of mutation that find nothing new let a repeat pass.
// The cost of an ask does not grow with the number of trials.
type Random struct {
	// Repeats allows designs that were proposed or told before.
	Repeats bool `yaml:"repeats" default:"false" doc:"propose designs again that were proposed before"`
}

var errNoSpace = errors.New("search: the setup has no space; set Setup.Space")

// New implements [search.Method]. It accepts every space, any number of
// objectives, and limits.
func (m Random) New(setup search.Setup) (search.Searcher, error) {
	if setup.Space == nil {
		return nil, errNoSpace
	}
	r := rng.New(setup.Seed, "sample/random", 0)
	return &random{Ledger: search.NewLedger(setup), repeats: m.Repeats, space: setup.Space, r: r, source: fresh.New(setup.Space, r)}, nil
}

type random struct {
	search.Ledger
	repeats bool
	space   *space.Space
	r       *rand.Rand
	source  *fresh.Source
}

// Batch implements [search.Batcher].
func (s *random) Batch() int { return unlimited }

func (s *random) Ask(n int) ([]search.Proposal, error) {
	out := make([]search.Proposal, 0, max(n, 1))
	for range max(n, 1) {
		var d space.Design
		var err error
		if s.repeats {
			d, err = s.space.Sample(s.r)
		} else {
			d, err = s.source.Next(s.Seen)
		}
		if err != nil {
			return orError(out, err)
		}
		out = append(out, s.Propose(d, "random"))
	}
	return out, nil
}

func (s *random) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		s.Accept(&outcomes[i])
	}
}

// orError returns the proposals there are, or the error if there are none.
func orError(out []search.Proposal, err error) ([]search.Proposal, error) {
	if len(out) > 0 {
		return out, nil
	}
	return nil, err
}
