package local

import (
	"errors"
	"fmt"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/fresh"
)

// LateAcceptance is late acceptance hill climbing (Burke and Bykov 2017): it
// mutates the current design and moves there if the result is at least as good
// as the current one, or better than the one that was current History results
// ago. It crosses valleys like [Annealing] but has one option, which does not
// depend on the scale of the loss.
//
// After Patience rejected moves in a row it goes back to the best design so far
// or, if it is there already, to a new random one, and forgets the past. In all
// else it is like [Annealing].
type LateAcceptance struct {
	// History is how many results ago the design stood that a move must beat; 0
	// means a tenth of the budget, from 5 to 5,000, or 50 if it is unknown.
	History int `yaml:"history" min:"0" max:"1000000" doc:"results ago that the design stood which a move must beat; 0 means a tenth of the budget, or 50"`
	// Patience is how many rejected moves in a row bring a restart; 0 means
	// five for each decision of the current design.
	Patience int `yaml:"patience" min:"0" max:"1000000000" doc:"rejected moves in a row before a restart; 0 means five for each decision of the design"`
	// Sigma is the standard deviation of a step on a number, as a share of its
	// range; 0 means 0.1.
	Sigma float64 `yaml:"sigma" default:"0.1" min:">0" max:"1" doc:"standard deviation of a step on a number, as a share of its range"`
}

// New implements [search.Method]. It accepts every space, any number of
// objectives, and limits.
func (m LateAcceptance) New(setup search.Setup) (search.Searcher, error) {
	var errs []error
	if setup.Space == nil {
		errs = append(errs, errNoSpace)
	}
	if m.History < 0 || m.History > 1_000_000 {
		errs = append(errs, fmt.Errorf("search: late acceptance: history: found %d, want 1 to 1000000, or 0 for the default", m.History))
	}
	if m.Patience < 0 {
		errs = append(errs, fmt.Errorf("search: late acceptance: patience: found %d, want at least 0", m.Patience))
	}
	if !(m.Sigma >= 0 && m.Sigma <= 1) {
		errs = append(errs, fmt.Errorf("search: late acceptance: sigma: found %v, want a share above 0 and at most 1", m.Sigma))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if m.History == 0 {
		if m.History = 50; setup.Budget > 0 {
			m.History = int(min(max(setup.Budget/10, 5), 5000))
		}
	}
	if m.Sigma == 0 {
		m.Sigma = 0.1
	}
	s := &annealer{
		Annealing: Annealing{Patience: m.Patience, Sigma: m.Sigma, Cooling: 1},
		judge:     newJudge(setup),
		space:     setup.Space,
		r:         rng.New(setup.Seed, "local/late", 0),
		source:    fresh.New(setup.Space, rng.New(setup.Seed, "local/start", 0)),
		known:     newMemory(setup), Ledger: search.NewLedger(setup),
		past: make([]place, m.History),
	}
	s.mixture = s.weights(s.r)
	return s, nil
}
