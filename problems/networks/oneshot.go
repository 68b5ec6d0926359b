package networks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/supernet"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/neural/train/engine"
	"github.com/daedalus-search/daedalus/space"
)

// A oneShot estimates networks with the weights of a supernet, which is trained once.
type oneShot struct {
	*bench
	supernet *supernet.Supernet
	judge    *supernet.Evaluator // nil before the supernet is trained
}

// newOneShot takes the weights of a supernet that was trained before, if there are any.
func newOneShot(b *bench) (*oneShot, error) {
	o := &oneShot{bench: b}
	var err error
	if o.supernet, err = supernet.New(b.family); err != nil {
		return nil, err
	}
	w, err := b.keep.weights("supernet.weights")
	if w == nil || err != nil {
		return o, err
	}
	p, err := b.device.Params(o.supernet.All(), w)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.keep.path("supernet.weights"), err)
	}
	o.ready(p)
	return o, nil
}

func (o *oneShot) ready(p *engine.Params) {
	t := o.q.Training
	o.judge = &supernet.Evaluator{
		Supernet: o.supernet, Params: p, Train: o.Train, Valid: o.Valid, Scale: o.Scale, Calibrate: t.Calibrate, Seed: t.Seed,
	}
}

// prepare trains the supernet, or goes on with it.
func (o *oneShot) prepare(ctx context.Context, tell teller) error {
	if o.judge != nil {
		return nil
	}
	phases, err := o.phases()
	if err != nil {
		return err
	}
	var lost error
	trained, err := supernet.Train(ctx, supernet.Job{
		Supernet: o.supernet, Device: o.device, Phases: phases, Train: o.Train, Scale: o.Scale,
		Residual: o.q.Training.Method == "bignas", Checkpoint: o.keep.path("supernet.checkpoint"), CheckpointEvery: checkpointEvery,
		Progress: func(p supernet.Progress) {
			doing := "training the supernet"
			if p.Phases > 1 {
				doing = fmt.Sprintf("training the supernet, phase %d of %d, %s", p.Phase, p.Phases, p.Name)
			}
			lost = errors.Join(lost, tell(progressOf(doing, p.Progress)))
		},
	})
	if err = errors.Join(err, lost); err != nil {
		return err
	}
	w, err := trained.Params.Weights()
	if err != nil {
		return err
	}
	if err := o.keep.saveWeights(w, "supernet.weights"); err != nil {
		return err
	}
	o.ready(trained.Params)
	return nil
}

// checkpointEvery is how much of a training an interruption costs at most.
const checkpointEvery = 15 * time.Second

// phases says how the supernet is trained.
func (o *oneShot) phases() ([]supernet.Phase, error) {
	r := o.recipe()
	switch o.q.Training.Method {
	case "bignas":
		return supernet.BigNAS(r), nil
	case "fair":
		return []supernet.Phase{{Name: "fair paths", Sampler: supernet.Fair{}, Recipe: r}}, nil
	case "ofa":
		return o.shrinking(r)
	}
	phases := supernet.SPOS(r)
	if shares := o.q.Training.Shares; len(shares) > 0 {
		phases[0].Sampler = supernet.Weighted{Shares: shares}
	}
	return phases, nil
}

// shrinking is the schedule of Once-for-All: the largest network, then kernels, depth,
// and expansion and width, each for as many epochs as the recipe says.
func (o *oneShot) shrinking(r train.Recipe) ([]supernet.Phase, error) {
	kernels := supernet.Dimension{Name: "kernels", Nets: 1}
	depth := supernet.Dimension{Name: "depth", Nets: 2}
	widths := supernet.Dimension{Name: "widths", Nets: 4, Sort: true}
	for _, p := range o.family.Space().Params() {
		to := &widths
		switch {
		case strings.HasSuffix(p.Path, "kernel"):
			to = &kernels
		case strings.HasSuffix(p.Path, "depth"):
			to = &depth
		}
		to.Paths = append(to.Paths, p.Path)
	}
	return supernet.Shrinking{Largest: r, Seed: r.Seed, Dimensions: []supernet.Dimension{kernels, depth, widths}}.Phases(o.supernet)
}

// quietly prepares without a word.
func (o *oneShot) quietly(ctx context.Context) error {
	return o.prepare(ctx, func(told) error { return nil })
}

func (o *oneShot) estimate(ctx context.Context, d space.Design, _ request, _ teller) (*train.Metrics, error) {
	if err := o.quietly(ctx); err != nil {
		return nil, err
	}
	return o.judge.Evaluate(ctx, d)
}

func (o *oneShot) weights(ctx context.Context, d space.Design) (neural.Weights, error) {
	if err := o.quietly(ctx); err != nil {
		return nil, err
	}
	_, w, err := o.judge.Extract(ctx, d)
	return w, err
}
