// Package store keeps the trials of a study: on disk in one SQLite file, or in
// memory behind the same interface.
//
// A store knows records, not algorithms. Designs, spaces and study files are
// JSON it never looks into; scores are numbers it never compares. It promises
// three things:
//
//   - what [Store.Save] acknowledged is on the disk, and a finished trial is
//     never overwritten by anything else;
//   - one process owns the file, and everybody may read it meanwhile;
//   - the file can verify itself ([Store.Check]), down to a flipped bit.
//
// The smallest program:
//
//	st, err := store.Create(ctx, "zdt1.daedalus", store.Study{Name: "zdt1"})
//	if err != nil {
//		return err
//	}
//	defer st.Close()
//	err = st.Save(ctx, store.Trial{
//		Number: 0,
//		State:  store.Complete,
//		Design: []byte(`{"width": 64}`),
//		Values: map[string]float64{"accuracy": 0.93},
//	})
//
// The file format is described in FORMAT.md.
package store

import (
	"context"
	"fmt"
	"iter"
	"time"
)

// FormatVersion is the version of the file format this package writes.
const FormatVersion = 1

// State says how far a trial has come. The numbers are part of the file format.
type State uint8

// The states of a trial. Waiting and Running may still change; the others are
// final.
const (
	Waiting    State = iota + 1 // proposed, not yet started
	Running                     // being evaluated
	Complete                    // evaluated, with values
	Pruned                      // stopped early on purpose
	Infeasible                  // the design violates a limit known before evaluation
	Failed                      // the evaluation gave no result
	Cached                      // took the values of an earlier trial with the same design
)

var stateNames = [...]string{
	Waiting: "waiting", Running: "running", Complete: "complete", Pruned: "pruned",
	Infeasible: "infeasible", Failed: "failed", Cached: "cached",
}

// String returns the lower-case name, which [ParseState] reads.
func (s State) String() string {
	if s.valid() {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Done reports whether the state is final.
func (s State) Done() bool { return s >= Complete && s <= Cached }

func (s State) valid() bool { return s >= Waiting && s <= Cached }

// ParseState is the inverse of [State.String].
func ParseState(name string) (State, error) {
	for s := Waiting; s <= Cached; s++ {
		if stateNames[s] == name {
			return s, nil
		}
	}
	return 0, fmt.Errorf("unknown trial state %q: want one of %v", name, stateNames[Waiting:])
}

// Study describes what the trials belong to. A file holds exactly one.
type Study struct {
	Name          string
	Created       time.Time
	Seed          uint64
	Spec          []byte // the merged study file, JSON; may be empty
	Space         []byte // the space, JSON; may be empty
	Problem       string
	Searcher      string
	Reason        string            // why this searcher
	Metrics       []byte            // JSON; may be empty
	Status        string            // running, paused or done
	StopReason    string            // why it is done
	Engine        string            // version of the engine that wrote it
	Attrs         map[string]string // anything else
	FormatVersion int               // set by the store; ignored when saving
}

// Trial is one design and everything that is known about it.
//
// Times keep nanoseconds and come back in UTC; the zero time stays zero. Text
// comes back as valid UTF-8. Empty maps and slices come back as nil. A NaN or
// an infinity survives everywhere a number is stored.
type Trial struct {
	Number    int64    // 0-based, unique
	State     State    // required
	Attempt   int      // 1-based, raised by retries, never lowered; 0 means 1
	Design    []byte   // nested JSON
	Hash      [16]byte // of the design; all zero means none, and is never found by [Store.Find]
	Key       string   // canonical key when the problem has one, else ""
	Fidelity  float64  // share of the full effort; 0 means full
	Values    map[string]float64
	Loss      []float64 // scored form of Values, every entry to be minimised; cached so that fronts need no re-scoring
	Violation float64   // 0 means all limits are kept
	Parents   []int64
	Operator  string // what made the design
	Why       string
	Predicted map[string]float64
	Proposal  int64  // the searcher's own identifier
	AskSeq    int64  // event number in the decision log when asked; 0 means not asked
	TellSeq   int64  // event number in the decision log when told; trials told together share it; 0 means not told
	Worker    string // who evaluated it
	Queued    time.Time
	Started   time.Time
	Finished  time.Time
	Seconds   float64 // evaluation time
	Cost      float64 // in the study's own unit

	Error      string
	ErrorClass string
	Stderr     string // tail
	ExitCode   int

	// Steps are the intermediate results of this attempt, by step number. They
	// are kept apart from the trial: saving a trial adds its steps to those
	// already stored and never removes one. Raising Attempt starts afresh.
	Steps []Step

	Attrs map[string]string
}

// Partial reports whether the trial was measured with less than the full
// effort. Its losses are left out, so that fronts and histories are of full
// evaluations only; its values are there.
func (t *Trial) Partial() bool { return t.Fidelity > 0 && t.Fidelity < 1 }

// Step is an intermediate result.
type Step struct {
	Step   int64 // what the evaluator counts in: epochs, say; unique in an attempt
	Values map[string]float64
	At     time.Time
}

// Filter chooses trials. The zero value chooses all of them.
type Filter struct {
	States   []State // any of these; empty means every state
	From     int64   // numbers from here
	To       int64   // numbers below this; 0 means no bound
	Limit    int     // at most so many; 0 means no bound
	Feasible bool    // only trials whose violation is at most 0
	NoSteps  bool    // leave out the intermediate results
}

// A Store keeps one study. It is safe for concurrent use.
type Store interface {
	// Study returns the study's description.
	Study(ctx context.Context) (Study, error)

	// SaveStudy replaces the study's description.
	SaveStudy(ctx context.Context, s Study) error

	// Save inserts trials, or replaces those with the same number, in one
	// transaction that is durable when Save returns nil and had no effect when
	// it returns an error.
	//
	// A finished trial (its state is [State.Done]) keeps its result: Save
	// returns [ErrFinished] if the new record differs from it in state,
	// attempt, design, hash, key, fidelity, values or TellSeq (unless that was
	// 0). Saving the same result again is no error and updates the rest; so the
	// loss and the violation, which only repeat the values in the terms of a
	// goal, follow when the goal changes.
	//
	// Cancelling ctx stops a Save that has not begun; one that has begun is
	// carried out.
	Save(ctx context.Context, trials ...Trial) error

	// AddSteps adds intermediate results to the current attempt of a stored
	// trial, or returns [ErrNotFound]. A step reported twice is replaced.
	AddSteps(ctx context.Context, number int64, steps ...Step) error

	// Trials yields the chosen trials in order of their number. The loop may
	// take as long as it likes and may call the store. After an error the
	// sequence ends.
	//
	// A long sequence is read in pages, each as of one moment: if the study is
	// written meanwhile, later pages are younger, and a trial that still ran
	// may be followed by ones that began after it ended.
	Trials(ctx context.Context, f Filter) iter.Seq2[Trial, error]

	// Trial returns one trial, or [ErrNotFound].
	Trial(ctx context.Context, number int64) (Trial, error)

	// Scores returns what a front needs of every trial, in order of their
	// number: with n numbers, losses has n rows of len(losses)/n columns, row
	// after row. A trial without losses has a row of NaN.
	Scores(ctx context.Context) (numbers []int64, losses []float64, violations []float64, states []State, err error)

	// Find returns the Complete trials, in order of their number, that have
	// this hash or this key. A zero hash or an empty key finds nothing.
	Find(ctx context.Context, hash [16]byte, key string) ([]Trial, error)

	// Count returns how many trials are in each state; states without trials
	// are absent.
	Count(ctx context.Context) (map[State]int64, error)

	// MaxNumber returns the highest trial number, or -1 if there is none.
	MaxNumber(ctx context.Context) (int64, error)

	// Check verifies the whole structure and returns everything it found
	// wrong, joined.
	Check(ctx context.Context) error

	// Close releases the store. Closing twice is no error; other calls then
	// return [ErrClosed].
	Close() error
}
