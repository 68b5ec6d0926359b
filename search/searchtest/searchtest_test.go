package searchtest_test

import (
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/sample"
	"github.com/daedalus-search/daedalus/search/searchtest"
	"github.com/daedalus-search/daedalus/space"
)

// wrapped is a random searcher that breaks one law.
type wrapped struct {
	search.Searcher
	ask  func(s search.Searcher, n int) ([]search.Proposal, error)
	tell func(s search.Searcher, outcomes []search.Outcome)
}

func (w *wrapped) Ask(n int) ([]search.Proposal, error) {
	if w.ask != nil {
		return w.ask(w.Searcher, n)
	}
	return w.Searcher.Ask(n)
}

func (w *wrapped) Tell(outcomes ...search.Outcome) {
	if w.tell != nil {
		w.tell(w.Searcher, outcomes)
		return
	}
	w.Searcher.Tell(outcomes...)
}

var calls uint64

// broken maps the law that each faulty searcher must be caught by.
var broken = map[string]searchtest.Func{
	"SameSeedSameProposals": func(setup search.Setup) (search.Searcher, error) {
		calls++
		setup.Seed += calls
		return sample.Random{}.New(setup)
	},
	"DifferentSeedsDiffer": func(setup search.Setup) (search.Searcher, error) {
		setup.Seed = 0
		return sample.Random{}.New(setup)
	},
	"AtLeastOneOrExhausted": func(setup search.Setup) (search.Searcher, error) {
		s, err := sample.Random{}.New(setup)
		return &wrapped{Searcher: s, ask: func(s search.Searcher, n int) ([]search.Proposal, error) {
			if n < 1 {
				return nil, nil
			}
			return s.Ask(n)
		}}, err
	},
	"LostTrialsDoNotStall": func(setup search.Setup) (search.Searcher, error) {
		s, err := sample.Random{}.New(setup)
		pending := 0
		return &wrapped{Searcher: s, ask: func(s search.Searcher, n int) ([]search.Proposal, error) {
			if pending > 250 {
				return nil, nil
			}
			pending += n
			return s.Ask(n)
		}, tell: func(s search.Searcher, outcomes []search.Outcome) {
			pending -= len(outcomes)
			s.Tell(outcomes...)
		}}, err
	},
	"ToldTwiceIsToldOnce": func(setup search.Setup) (search.Searcher, error) {
		s, err := sample.Random{}.New(setup)
		told := 0
		return &wrapped{Searcher: s, ask: func(s search.Searcher, n int) ([]search.Proposal, error) {
			ps, err := s.Ask(n)
			if told > 100 { // the design depends on how often something was told
				for i := range ps {
					ps[i].Design = setup.Space.Mutate(rng.New(uint64(told), "test", 0), ps[i].Design, space.Mutation{})
				}
			}
			return ps, err
		}, tell: func(s search.Searcher, outcomes []search.Outcome) {
			told += len(outcomes)
			s.Tell(outcomes...)
		}}, err
	},
	"FailedAndNaNAreSurvived": func(setup search.Setup) (search.Searcher, error) {
		s, err := sample.Random{}.New(setup)
		return &wrapped{Searcher: s, tell: func(s search.Searcher, outcomes []search.Outcome) {
			for _, o := range outcomes {
				if o.Status == search.Complete && o.ID > 0 && o.ID < 1<<30 {
					_ = o.Score.Loss[0] // not every complete outcome has one
				}
			}
			s.Tell(outcomes...)
		}}, err
	},
	"FiniteSpaceEnds": func(setup search.Setup) (search.Searcher, error) {
		return sample.Random{Repeats: true}.New(setup)
	},
	"RefusesWithReason": func(setup search.Setup) (search.Searcher, error) {
		return sample.Random{}.New(setup)
	},
}

// TestBroken runs the suite on one faulty searcher, in a process of its own.
func TestBroken(t *testing.T) {
	f, ok := broken[os.Getenv("SEARCHTEST_BROKEN")]
	if !ok {
		t.Skip("run by TestSuiteCatches")
	}
	options := []searchtest.Option{searchtest.Trials(0)}
	if os.Getenv("SEARCHTEST_BROKEN") == "RefusesWithReason" {
		options = append(options, searchtest.Refuses(searchtest.Tiny))
	}
	searchtest.Run(t, f, options...)
}

func TestSuiteCatches(t *testing.T) {
	t.Parallel()
	for law := range broken {
		t.Run(law, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestBroken$", "-test.v")
			cmd.Env = append(os.Environ(), "SEARCHTEST_BROKEN="+law)
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatalf("the suite passes a searcher that breaks %s", law)
			}
			if !regexp.MustCompile(`--- FAIL: TestBroken/[a-z]+/` + law).Match(out) {
				t.Errorf("the suite fails, but does not name %s:\n%s", law, out)
			}
		})
	}
}
