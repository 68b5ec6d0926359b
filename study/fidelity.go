package study

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/store"
)

// What is measured with less than the full effort has values and no losses: it
// is told to the searcher, shown in tables and reused, and takes no part in
// fronts, targets and stop rules.

// A rung is a partial measurement that another may go on from.
type rung struct {
	share float64
	first int64 // trial that first measured the design
}

// shareOf returns the share that a stored or proposed one stands for.
func shareOf(f float64) float64 {
	if problem.Full(f) {
		return 1
	}
	return f
}

// keyAt identifies a measurement: that of a design in full, or at a share.
func keyAt(key string, share float64) string {
	if problem.Full(share) {
		return key
	}
	return key + "@" + strconv.FormatFloat(share, 'g', -1, 64)
}

// setScore takes a score into the record. Partial measurements have one only
// for the searcher.
func (t *trial) setScore(s metric.Score) {
	t.score = s
	if t.Partial() {
		t.Loss, t.Violation = nil, math.NaN()
		return
	}
	t.Loss, t.Violation = s.Loss, s.Violation
}

// effort counts full evaluations in billionths, so that sums do not depend on
// their order.
type effort int64

const fullEffort effort = 1e9

func effortOf(full float64) effort { return effort(math.Round(full * float64(fullEffort))) }

func (e effort) full() float64 { return float64(e) / float64(fullEffort) }

// charge records what a trial cost in full evaluations.
func (t *trial) charge(full float64) {
	if full == 1 {
		return
	}
	t.setAttr(attrEffort, strconv.FormatFloat(full, 'g', -1, 64))
}

func (t *trial) setAttr(name, value string) {
	if t.Attrs == nil {
		t.Attrs = map[string]string{}
	}
	t.Attrs[name] = value
}

// spent returns what a finished trial cost.
func (t *trial) spent() effort {
	if t.Operator == opImport {
		return 0
	}
	if x, err := strconv.ParseFloat(t.Attrs[attrEffort], 64); err == nil {
		return effortOf(x)
	}
	return fullEffort
}

// cost returns what an evaluation costs in full evaluations if it ends at a
// share.
func (s *Study) costAt(t *trial, share float64) float64 {
	if !s.fidelity.Graded() {
		return 1
	}
	return s.fidelity.Cost(t.from, share)
}

// planned returns what a trial will cost at most.
func (s *Study) planned(t *trial) effort { return effortOf(s.costAt(t, shareOf(t.Fidelity))) }

// charged records what a trial's evaluation has cost.
func (s *Study) charged(t *trial) {
	share := shareOf(t.Fidelity)
	if t.State == store.Pruned && t.last > 0 && s.fidelity.Graded() {
		share = min(share, max(s.fidelity.Share(float64(t.last)), t.from))
	}
	t.charge(s.costAt(t, share))
}

// resume finds out whether a promoted design goes on from an earlier
// evaluation.
func (s *Study) resume(t *trial) {
	if t.Operator != search.Promote || !s.fidelity.Resumes || len(t.Parents) == 0 {
		return
	}
	p, ok := s.partial[t.Parents[0]]
	if !ok || p.share >= shareOf(t.Fidelity) {
		return
	}
	t.from, t.first = p.share, p.first
	t.setAttr(attrResumed, strconv.FormatFloat(p.share, 'g', -1, 64))
}

// firstOf returns the trial that first measured the design of a trial.
func (s *Study) firstOf(number int64) int64 {
	if p, ok := s.partial[number]; ok {
		return p.first
	}
	return number
}

// checkpoint returns the folder of a trial's design, and makes it. Equal designs
// share one, unless equal designs are measured again. What another study left
// there is gone when begin is set and the design is begun anew; a further attempt
// finds what the one before left.
func (s *Study) checkpoint(t *trial, begin bool) (string, error) {
	if s.cfg.Checkpoints == "" || !s.fidelity.Resumes {
		return "", nil
	}
	sum := sha256.Sum256([]byte(s.keyOf(t.design)))
	name := hex.EncodeToString(sum[:12])
	if s.cfg.Duplicates == Evaluate {
		name += "-" + strconv.FormatInt(t.first, 10)
	}
	dir, err := filepath.Abs(filepath.Join(s.cfg.Checkpoints, name))
	if err == nil && begin && t.from == 0 && t.Attempt <= 1 {
		err = os.RemoveAll(dir)
	}
	if err == nil {
		err = os.MkdirAll(dir, 0o777)
	}
	if err != nil {
		return "", &problem.EvalError{Class: problem.ClassTransient, Err: fmt.Errorf("cannot make the checkpoint folder: %w", err)}
	}
	return dir, nil
}

// measure evaluates a trial's design at its share, going on from an earlier
// evaluation if it can.
func (s *Study) measure(ctx context.Context, t *trial, r problem.Reporter) (metric.Values, error) {
	p := s.cfg.Problem
	if t.from > 0 {
		if res, ok := p.(problem.Resumer); ok {
			return res.Resume(ctx, t.design, t.from, shareOf(t.Fidelity), r)
		}
	}
	if t.Partial() {
		g, ok := p.(problem.Graded)
		if !ok { // of a study whose problem had fidelities once
			return nil, &problem.EvalError{Class: problem.ClassPermanent, Err: errors.New("the problem is evaluated in full only")}
		}
		return g.EvaluateAt(ctx, t.design, t.Fidelity, r)
	}
	return p.Evaluate(ctx, t.design, r)
}

// efforts says with how much effort a design can be measured.
func efforts(f problem.Fidelity) string {
	switch {
	case !f.Graded():
		return "full evaluations only"
	case len(f.Levels) > 0:
		return fmt.Sprintf("%v %s", f.Levels, f.Name)
	}
	return fmt.Sprintf("%v to %v %s", f.Min, f.Max, f.Name)
}

// curveOf returns the intermediate results that can be scored.
func (s *Study) curveOf(steps []store.Step) []search.Point {
	var out []search.Point
	full := s.fidelity.Max
	if !s.fidelity.Graded() {
		return nil
	}
	for _, x := range steps {
		score := s.cfg.Goal.Score(x.Values)
		if score.OK() && float64(x.Step) <= full {
			out = append(out, search.Point{Fidelity: float64(x.Step) / full, Score: score})
		}
	}
	return out
}

// fit lets a searcher fit its model anew while evaluations run. It is followed
// by fitted before the searcher is called again.
func (s *Study) fit() {
	r, ok := s.searcher.(search.Refitter)
	if !ok {
		return
	}
	done := make(chan struct{})
	s.fitting = done
	go func() {
		defer close(done)
		r.Refit()
	}()
}

// fitted waits for a fit under way.
func (s *Study) fitted() {
	if s.fitting != nil {
		<-s.fitting
		s.fitting = nil
	}
}

// refused finishes a trial whose design cannot meet the limits by what is known
// for free, if the study is told to.
func (s *Study) refused(t *trial) bool {
	if s.refuse == nil {
		return false
	}
	if !t.asked {
		t.reason, t.asked = s.refuse(t.design), true
	}
	return t.reason != ""
}
