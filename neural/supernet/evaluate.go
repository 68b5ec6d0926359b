package supernet

import (
	"context"
	"errors"
	"fmt"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/neural/train/engine"
	"github.com/daedalus-search/daedalus/space"
)

// An Evaluator says how good networks are with the weights of their supernet. It is not
// safe for concurrent use, the parameters must not be used otherwise meanwhile, and its
// fields must not be changed after the first use.
type Evaluator struct {
	Supernet  *Supernet
	Params    *engine.Params
	Train     *data.Set   // gives the statistics of batch normalisation
	Valid     *data.Set   // what is measured on
	Scale     *data.Scale // nil means that of Train
	Calibrate int         // examples for the statistics; 0 means 2048
	Batch     int         // 0 means 256
	Seed      uint64      // of the examples for the statistics

	part  *data.Set                     // of Train, for the statistics
	sizes map[neural.Shape][2]*data.Set // that part and Valid by the size of images
}

// net returns a network with statistics of its own, and what to measure it on.
func (e *Evaluator) net(ctx context.Context, d space.Design) (*neural.Graph, *engine.Net, *data.Set, error) {
	if e.Supernet == nil || e.Params == nil || e.Train == nil || e.Valid == nil {
		return nil, nil, nil, errors.New("supernet: evaluation: found no supernet, parameters, training or validation examples, want all of them")
	}
	if e.Scale == nil {
		e.Scale = e.Train.Scale()
	}
	if e.Calibrate == 0 {
		e.Calibrate = 2048
	}
	if e.Batch == 0 {
		e.Batch = 256
	}
	if e.Calibrate < 1 || e.Batch < 1 {
		return nil, nil, nil, fmt.Errorf("supernet: evaluation: found %d examples to calibrate with and batches of %d, want at least 1", e.Calibrate, e.Batch)
	}
	if e.part == nil {
		share := min(float64(e.Calibrate)/float64(e.Train.Len()), 1)
		part, err := e.Train.Fraction(e.Seed, share)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("supernet: evaluation: %w", err)
		}
		e.part = part
	}
	g, err := e.Supernet.Graph(d)
	if err != nil {
		return nil, nil, nil, err
	}
	sets, err := e.at(g)
	if err != nil {
		return nil, nil, nil, err
	}
	n, err := e.Params.Net(g)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("supernet: design %s: %w", d, err)
	}
	if err := train.Recalibrate(ctx, n, g, sets[0], e.Scale, e.part.Len(), e.Batch, e.Seed); err != nil {
		return nil, nil, nil, fmt.Errorf("supernet: design %s: %w", d, err)
	}
	return g, n, sets[1], nil
}

// at returns what statistics come from and what is measured on, at the size of image
// that a network takes.
func (e *Evaluator) at(g *neural.Graph) ([2]*data.Set, error) {
	sets := [2]*data.Set{e.part, e.Valid}
	in := g.Inputs()
	if e.Train.Kind != data.Images || len(in) != 1 {
		return sets, nil
	}
	s := g.Node(in[0]).Shape
	if s[1] == e.Train.Height && s[2] == e.Train.Width {
		return sets, nil
	}
	if kept, ok := e.sizes[s]; ok {
		return kept, nil
	}
	for i := range sets {
		var err error
		if sets[i], err = sets[i].Resize(min(s[1], s[2])); err != nil {
			return sets, fmt.Errorf("supernet: evaluation: %w", err)
		}
	}
	if e.sizes == nil {
		e.sizes = map[neural.Shape][2]*data.Set{}
	}
	e.sizes[s] = sets
	return sets, nil
}

// Evaluate measures a network with inherited weights, after it has got statistics of
// its own for batch normalisation: those that other paths leave behind say nothing
// about it (Guo et al. 2020, section 3.2; Yu and Huang 2019, section 3.3).
func (e *Evaluator) Evaluate(ctx context.Context, d space.Design) (*train.Metrics, error) {
	_, n, valid, err := e.net(ctx, d)
	if err != nil {
		return nil, err
	}
	m, err := train.Evaluate(ctx, n, valid, e.Scale, e.Batch)
	if err != nil {
		return nil, fmt.Errorf("supernet: design %s: %w", d, err)
	}
	return m, nil
}

// Extract returns a network and its own weights: its parts of the supernet's, with
// statistics of its own. They can be exported, or be the start of [train.Fit].
func (e *Evaluator) Extract(ctx context.Context, d space.Design) (*neural.Graph, neural.Weights, error) {
	g, n, _, err := e.net(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	w, err := n.Weights()
	if err != nil {
		return nil, nil, fmt.Errorf("supernet: design %s: %w", d, err)
	}
	return g, w, nil
}

// Rate evaluates candidates and gives each its accuracy in percent, or where there are
// no classes its negative loss, as the score of a predictor. Progress, which may be nil,
// is told how many are done.
func (e *Evaluator) Rate(ctx context.Context, predictor string, all []Candidate, progress func(done int)) error {
	for i, c := range all {
		m, err := e.Evaluate(ctx, c.Design)
		if err != nil {
			return err
		}
		if c.Scores[predictor] = 100 * m.Accuracy; e.Train.Classes == nil {
			c.Scores[predictor] = -m.Loss
		}
		if progress != nil {
			progress(i + 1)
		}
	}
	return nil
}

// Alone returns what networks reach when each is trained by itself, as job says but for
// the graph, and measured on its Valid: the truth for [Supernet.Candidates], in percent
// of accuracy, or the negative loss where there are no classes.
func (s *Supernet) Alone(ctx context.Context, job train.Job) func(space.Design) (float64, error) {
	return func(d space.Design) (float64, error) {
		if job.Valid == nil {
			return 0, errors.New("supernet: found no examples to measure on")
		}
		g, err := s.Graph(d)
		if err != nil {
			return 0, err
		}
		job.Graph = g
		r, err := train.Fit(ctx, job)
		switch {
		case err != nil:
			return 0, err
		case job.Valid.Classes == nil:
			return -r.Valid.Loss, nil
		}
		return 100 * r.Valid.Accuracy, nil
	}
}
