package supernet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/neural/train/engine"
	"github.com/daedalus-search/daedalus/space"
)

// A Teaching says whom networks learn from, beside the labels.
type Teaching uint8

// Ways of teaching.
const (
	// Labels teach all networks.
	Labels Teaching = iota
	// InPlace: the first network of a step learns from labels, and all others from
	// nothing but its outputs on the same batch (Yu and Huang 2019, section 3.2). The
	// gradient of the imitation does not reach the first network. Only it has dropout
	// and drop-path (Yu et al. 2020, section 3.1).
	InPlace
	// Full: all networks learn from labels and from the largest network as it was when
	// the first phase began that teaches so (Cai et al. 2020, section 3.3). The
	// recipe's Distill weighs the two.
	Full
)

var teachings = [...]string{"labels", "in place", "full"}

func (t Teaching) String() string {
	if int(t) < len(teachings) {
		return teachings[t]
	}
	return fmt.Sprintf("Teaching(%d)", uint8(t))
}

// A Phase is a part of a supernet's training.
type Phase struct {
	Name     string
	Part     *space.Space // of the family's space, whose networks are trained; nil means all
	Sampler  Sampler      // nil means Uniform
	Teaching Teaching
	// Sort sorts channels by importance before the phase; see
	// [Supernet.SortChannels].
	Sort bool
	// Divide gives each network of a step examples of its own, an equal part of the
	// batch (Liao et al. 2021, multi-architectural sampling), but the whole batch to one
	// that teaches in place. A step then makes one or two passes over the batch, not one
	// for each network. Gradients of several networks on the same examples tell little
	// more than that of one, so a pass is worth more when it is on others.
	Divide bool
	// Recipe says the rest. Its epochs count batches, whatever the number of networks
	// that are trained on each, and its seed is that of the phase: give each another.
	Recipe train.Recipe
}

// SPOS is single path one-shot training: one uniformly sampled network a step (Guo et
// al. 2020). [Weighted] in place of its sampler suits cells better.
func SPOS(r train.Recipe) []Phase { return []Phase{{Name: "paths", Sampler: Uniform{}, Recipe: r}} }

// BigNAS is training by the sandwich rule with distillation in place, after which
// networks need no training of their own (Yu et al. 2020). The paper's learning rate
// falls exponentially and ends constant, which a recipe calls "exponential", and blocks
// start as identities, for which see [Job.Residual].
func BigNAS(r train.Recipe) []Phase {
	return []Phase{{Name: "sandwich", Sampler: Sandwich{}, Teaching: InPlace, Recipe: r}}
}

// A Job is a supernet to be trained.
type Job struct {
	Supernet *Supernet
	Device   *engine.Device
	Phases   []Phase

	Train *data.Set
	Valid *data.Set   // what the largest network is measured on after each phase; nil means nothing
	Scale *data.Scale // of inputs and targets; nil means that of Train

	Start    neural.Weights // of the supernet; nil means new ones from the seed of the first phase
	Residual bool           // new weights make residual blocks the identity; see [Supernet.Initial]
	// Transforms makes smaller depthwise kernels learned functions of the larger ones,
	// instead of their centres; see [Supernet.Transforms]. Start may have the matrices
	// of an earlier training, which are learned in any case.
	Transforms bool

	// Checkpoint is the file that holds the state of the training, from which it goes
	// on; with several phases each has its own, with its number behind the name. ""
	// means none.
	Checkpoint      string
	CheckpointEvery time.Duration // 0 means a minute
	CheckpointSteps int64         // 0 means any number

	Progress func(Progress)
	// Epoch is told what each epoch of a phase came to, counted from 1; it may return
	// [train.ErrStop] to end the phase. What is measured is the largest network.
	Epoch func(phase int, e train.Epoch) error
	Warn  func(error)
	Clock func() time.Time
}

// Progress says how far a training is.
type Progress struct {
	train.Progress        // of the phase
	Phase, Phases  int    // from 1
	Name           string // of the phase
}

// A Trained supernet.
type Trained struct {
	Params *engine.Params  // of all networks
	Scale  *data.Scale     // of inputs and targets
	Phases []*train.Result // with the largest network after each phase
}

// Train trains the weights that the networks of a family share. The same job gives the
// same bits on the same kind of processor, with any number of threads, and whether or
// not it was cancelled and went on from its checkpoints. Errors are those of
// [train.Fit].
func Train(ctx context.Context, j Job) (*Trained, error) {
	t, err := newTraining(j)
	if err != nil {
		return nil, err
	}
	for i := range j.Phases {
		if err := t.phase(ctx, i); err != nil {
			return nil, fmt.Errorf("supernet: phase %d of %d, %q: %w", i+1, len(j.Phases), j.Phases[i].Name, err)
		}
	}
	return &t.result, nil
}

// A training is a supernet in training.
type training struct {
	Job
	graph   *neural.Graph // what is measured: the largest network, if there is one
	digest  string        // of the supernet
	teacher *engine.Net
	result  Trained
}

func newTraining(j Job) (*training, error) {
	switch {
	case j.Supernet == nil:
		return nil, errors.New("supernet: found no supernet to train")
	case j.Device == nil:
		return nil, errors.New("supernet: found no device, want one to compute on")
	case j.Train == nil:
		return nil, errors.New("supernet: found no examples to learn from")
	case len(j.Phases) == 0:
		return nil, errors.New("supernet: found no phases, want at least one")
	}
	for i, p := range j.Phases {
		bad := func(err error) (*training, error) {
			return nil, fmt.Errorf("supernet: phase %d of %d, %q: %w", i+1, len(j.Phases), p.Name, err)
		}
		if int(p.Teaching) >= len(teachings) {
			return bad(fmt.Errorf("found the teaching %v, want one of %v", p.Teaching, teachings))
		}
		if p.Teaching != Labels && j.Train.Targets != nil {
			return bad(fmt.Errorf("found a teacher for %s, want one only where there are classes", j.Train))
		}
		if p.Teaching == Full {
			if err := j.Supernet.elastic("teaching by the largest network"); err != nil {
				return bad(err)
			}
		}
	}
	t := &training{Job: j}
	t.result.Scale = j.Scale
	if j.Scale == nil {
		t.result.Scale = j.Train.Scale()
	}
	measured := j.Supernet.largest
	if measured.IsZero() {
		measured = j.Supernet.first
	}
	var err error
	if t.graph, err = j.Supernet.Graph(measured); err != nil {
		return nil, err
	}
	w := j.Start
	if w == nil {
		if w, err = j.Supernet.Initial(rng.New(j.Phases[0].Recipe.Seed, "supernet/initial", 0), j.Residual); err != nil {
			return nil, err
		}
	}
	if err := w.Check(j.Supernet.all); err != nil {
		return nil, fmt.Errorf("supernet: weights to start from: %w", err)
	}
	if j.Transforms {
		if w, err = j.Supernet.Transforms(w); err != nil {
			return nil, err
		}
	}
	if t.result.Params, err = j.Device.Params(j.Supernet.all, w); err != nil {
		return nil, fmt.Errorf("supernet: %w", err)
	}
	h := sha256.New()
	if err := j.Supernet.all.Write(h); err != nil {
		return nil, fmt.Errorf("supernet: %w", err)
	}
	if _, err := h.Write([]byte(j.Supernet.Space().String())); err != nil {
		return nil, err
	}
	t.digest = hex.EncodeToString(h.Sum(nil)[:8])
	return t, nil
}

func (t *training) phase(ctx context.Context, i int) error {
	p := t.Phases[i]
	last := i == len(t.Phases)-1
	recipe, err := p.Recipe.Filled()
	if err != nil {
		return err
	}
	params := t.result.Params
	if p.Teaching == Full && t.teacher == nil {
		if t.teacher, err = t.teach(ctx, params, recipe); err != nil {
			return err
		}
	}
	if p.Sort {
		w, err := params.Weights()
		if err != nil {
			return err
		}
		var before *space.Space
		if i > 0 {
			before = t.part(i - 1)
		}
		if w, err = t.Supernet.SortChannels(w, before); err != nil {
			return err
		}
		if err := params.Load(w); err != nil {
			return err
		}
	}
	job := train.Job{
		Graph: t.graph, Recipe: recipe, Train: t.Train, Valid: t.Valid, Scale: t.result.Scale,
		Params: params, Pass: t.pass(i, recipe),
		CheckpointEvery: t.CheckpointEvery, CheckpointSteps: t.CheckpointSteps,
		Warn: t.Warn, Clock: t.Clock,
	}
	if p.Teaching == Full {
		job.Teacher = t.teacher
	}
	if job.Checkpoint = t.Checkpoint; t.Checkpoint != "" && len(t.Phases) > 1 {
		job.Checkpoint += "." + strconv.Itoa(i+1)
	}
	what := sha256.Sum256(fmt.Appendf(nil, "%s %d %s %v %s", t.digest, i, sampler(p), p.Sort, t.part(i)))
	job.Tag = fmt.Sprintf("supernet %x, phase %d, %s, taught by %s", what[:8], i+1, sampler(p), p.Teaching)
	if p.Divide {
		job.Tag += ", batches divided"
	}
	if t.Progress != nil {
		job.Progress = func(now train.Progress) {
			t.Progress(Progress{Progress: now, Phase: i + 1, Phases: len(t.Phases), Name: p.Name})
		}
	}
	if t.Epoch != nil {
		job.Epoch = func(e train.Epoch) error { return t.Epoch(i+1, e) }
	}
	r, err := train.Fit(ctx, job)
	if err != nil {
		return err
	}
	t.result.Phases = append(t.result.Phases, r)
	if last {
		t.result.Params = r.Params // their running mean, if the recipe wants it
	}
	return nil
}

func (t *training) part(i int) *space.Space {
	if p := t.Phases[i].Part; p != nil {
		return p
	}
	return t.Supernet.Space()
}

func sampler(p Phase) Sampler {
	if p.Sampler == nil {
		return Uniform{}
	}
	return p.Sampler
}

// teach returns the largest network as it is now, with parameters of its own. Its
// normalisation uses statistics of many examples; Cai et al. let it use the batch's.
func (t *training) teach(ctx context.Context, p *engine.Params, r train.Recipe) (*engine.Net, error) {
	own, err := p.Clone()
	if err != nil {
		return nil, err
	}
	n, err := own.Net(t.graph)
	if err != nil {
		return nil, err
	}
	return n, train.Recalibrate(ctx, n, t.graph, t.Train, t.result.Scale, r.Calibrate, r.Batch, r.Seed)
}

// pass returns what a step of a phase computes: every network that the sampler chooses
// adds its gradient.
func (t *training) pass(i int, r train.Recipe) func(*train.Pass) (engine.Score, error) {
	phase := t.Phases[i]
	sizes := &resizer{}
	return func(p *train.Pass) (engine.Score, error) {
		designs, err := sampler(phase).Sample(rng.New(r.Seed, "supernet/sample", uint64(p.Step)), t.Supernet, t.part(i))
		if err != nil {
			return engine.Score{}, err
		}
		if len(designs) == 0 {
			return engine.Score{}, fmt.Errorf("%s drew no networks", sampler(phase))
		}
		var first engine.Score
		sizes.from(p.Batch)
		for k, d := range designs {
			if err := p.Context.Err(); err != nil {
				return engine.Score{}, err
			}
			g, err := t.Supernet.Graph(d)
			if err != nil {
				return engine.Score{}, err
			}
			n, err := p.Params.Net(g)
			if err != nil {
				return engine.Score{}, fmt.Errorf("design %s: %w", d, err)
			}
			batch, err := sizes.to(g)
			if err != nil {
				return engine.Score{}, fmt.Errorf("design %s: %w", d, err)
			}
			loss, noise := p.Loss, p.Noise
			noise.Seed += uint64(k) * 0x9e3779b97f4a7c15 // another for each network
			if phase.Teaching == InPlace && k > 0 {
				loss = engine.Loss{Imitate: 1, Temperature: r.Temperature}
				noise.Drop = 0
				batch.Teacher = first.Outputs
			}
			if phase.Divide {
				switch {
				case phase.Teaching != InPlace:
					err = divide(batch, k, len(designs))
				case k > 0:
					err = divide(batch, k-1, len(designs)-1)
				}
				if err != nil {
					return engine.Score{}, err
				}
			}
			score, err := n.Gradient(batch, loss, noise, p.Gradient)
			if err != nil {
				return engine.Score{}, fmt.Errorf("design %s: %w", d, err)
			}
			if score.Loss-score.Loss != 0 && k > 0 {
				return engine.Score{}, fmt.Errorf("the training %w: the loss of design %s is %v", train.ErrDiverged, d, score.Loss)
			}
			if k == 0 {
				first = score
			}
		}
		return first, nil
	}
}

// divide leaves part k of n of a batch, in its order.
func divide(b *engine.Batch, k, n int) error {
	if b.N < n {
		return fmt.Errorf("found a batch of %d examples to divide among %d networks, want one or more for each", b.N, n)
	}
	*b = *b.Part(b.N*k/n, b.N*(k+1)/n)
	return nil
}
