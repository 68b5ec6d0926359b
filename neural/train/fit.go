package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// A Job is a network to be trained.
type Job struct {
	Device *engine.Device
	Graph  *neural.Graph
	Recipe Recipe

	Train *data.Set
	Valid *data.Set   // what the result is measured on; nil means nothing
	Scale *data.Scale // of inputs and targets; nil means that of Train

	// Start are the weights that training starts from; nil means new ones from the
	// recipe's seed. They may be those of a larger network of the family, if Params
	// are that network's.
	Start neural.Weights
	// Params are trained instead of new ones: from Start, or as they are. They belong
	// to Fit until it returns.
	Params *engine.Params

	// Teacher is a network to imitate. It sees the same batches, augmentation
	// included. It must not share parameters with what is trained.
	Teacher *engine.Net
	// TeacherLogits are the outputs of a network for every example of Train, instead
	// of Teacher; see [Logits].
	TeacherLogits []float32

	// Pass replaces what a step adds to the gradient: the loss of Graph on the batch.
	// Supernets compute several networks in it. Its score is what progress shows.
	Pass func(*Pass) (engine.Score, error)

	// Checkpoint is the file that holds the state of the training, from which Fit goes
	// on if it is there; "" means none. It is written when the training is cancelled,
	// when it ends, and as often as one of these says.
	Checkpoint      string
	CheckpointEvery time.Duration // 0 means a minute
	CheckpointSteps int64         // 0 means any number
	// Tag is what else the training depends on: the teacher, what Pass computes. A
	// checkpoint with another tag is refused.
	Tag string

	// Progress is told how far the training is, ten times a second or less, and at its
	// end.
	Progress func(Progress)
	// Epoch is told what each epoch came to; Valid is measured for it. The training
	// stops with its error, or is finished at once if it is [ErrStop]. A training that
	// goes on from a checkpoint tells the epochs before again.
	Epoch func(Epoch) error
	// EpochEvery is after how many epochs, or what part of one, Epoch is told; 0 means
	// 1.
	EpochEvery float64
	// Warn is told that a checkpoint could not be written while the training goes on.
	// Without it, the training stops.
	Warn func(error)
	// Clock measures time; nil means the system's.
	Clock func() time.Time
}

// A Pass is one step of a training before its update.
type Pass struct {
	Context  context.Context
	Step     int64
	Progress float64 // share of the training that is over, from 0
	Batch    *engine.Batch
	Loss     engine.Loss
	Noise    engine.Noise
	Params   *engine.Params
	Gradient *engine.Gradient // of zeros
}

// Progress says how far a training is.
type Progress struct {
	Step, Steps  int64
	Epoch        float64       // epochs that are over
	Loss         float64       // mean since the last report
	LearningRate float64       // of the last step
	PerSecond    float64       // examples a second in the last seconds
	Remaining    time.Duration // until the last step, at that speed; 0 if it is not known yet
}

// An Epoch is what the training came to after an epoch, or at the end.
type Epoch struct {
	Epoch        float64 // how many are over
	Step         int64
	Loss         float64  // mean over the steps since the one before
	LearningRate float64  // of its last step
	Norm         float64  // of the last step's gradient, before clipping
	Valid        *Metrics `json:",omitempty"` // nil if it was not measured
}

// A Result is a trained network.
type Result struct {
	Steps   int64
	Epochs  float64
	Stopped bool // by ErrStop
	History []Epoch
	Valid   *Metrics       // nil without a set to measure on
	Weights neural.Weights // of the network, with its statistics: what is exported
	Params  *engine.Params // what Weights are of: the trained ones, or their running mean
	Net     *engine.Net
}

// ErrStop is what [Job.Epoch] returns to finish the training at once.
var ErrStop = errors.New("train: stop here")

// ErrDiverged is in the chain of errors about losses that are no numbers.
var ErrDiverged = errors.New("diverged")

// A DivergedError is a training whose loss or gradient is no number any more.
type DivergedError struct {
	Epoch, Step, Steps int64   // counted from 1
	Loss               float64 // of the step's batch
	Norm               float64 // of its gradient; NaN if the loss is no number
	LearningRate       float64
}

func (e *DivergedError) Error() string {
	what := fmt.Sprintf("the loss is %v", e.Loss)
	if finite(e.Loss) {
		what = fmt.Sprintf("the norm of the gradient is %v", e.Norm)
	}
	return fmt.Sprintf("train: the training diverged in epoch %d, step %d of %d: %s at the learning rate %g; take a smaller one, a warm-up or a clip",
		e.Epoch, e.Step, e.Steps, what, e.LearningRate)
}

// Is reports whether the target is [ErrDiverged].
func (e *DivergedError) Is(target error) bool { return target == ErrDiverged }

// Fit trains a network. The same job gives the same bits on the same kind of
// processor, with any number of threads, and whether or not it was cancelled in
// between and went on from its checkpoint.
//
// It returns within a step when the context is cancelled. Errors of note are
// [DivergedError], [CheckpointError], and [engine.ErrMemory].
func Fit(ctx context.Context, j Job) (*Result, error) {
	f, err := newFit(ctx, j)
	if err != nil {
		return nil, err
	}
	defer f.stream.Close()
	return f.run()
}

// A fit is a training in progress.
type fit struct {
	Job
	ctx      context.Context
	length   Length
	every    int64 // steps between measurements
	is       training
	state    snapshot
	params   *engine.Params
	net      *engine.Net
	updates  *engine.OptimizerState
	gradient *engine.Gradient
	stream   *data.Stream
	mix      *mix // nil if examples stay as they are
	outputs  int  // numbers of an example's logits
	saved    time.Time
	pace     pace
	result   Result
	stop     bool
}

func newFit(ctx context.Context, j Job) (*fit, error) {
	r, err := j.Recipe.Filled()
	if err != nil {
		return nil, err
	}
	j.Recipe = r
	if j.Clock == nil {
		j.Clock = time.Now
	}
	switch {
	case j.Device == nil && j.Params == nil:
		return nil, errors.New("train: found no device, want one to compute on")
	case j.Graph == nil:
		return nil, errors.New("train: found no network to train")
	case j.Train == nil:
		return nil, errors.New("train: found no examples to learn from")
	case j.Teacher != nil && j.TeacherLogits != nil:
		return nil, errors.New("train: found a teacher and a teacher's logits, want one of the two")
	case !(j.EpochEvery >= 0 && j.EpochEvery <= 1e6):
		return nil, fmt.Errorf("train: found a measurement every %v epochs, want 0 to 1000000", j.EpochEvery)
	case j.CheckpointEvery < 0 || j.CheckpointSteps < 0:
		return nil, fmt.Errorf("train: found a checkpoint every %v or %d steps, want neither negative", j.CheckpointEvery, j.CheckpointSteps)
	}
	for _, s := range []*data.Set{j.Train, j.Valid} {
		if s != nil {
			if err := fits(j.Graph, s); err != nil {
				return nil, fmt.Errorf("train: %w", err)
			}
		}
	}
	if err := j.Train.CheckClasses(); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	f := &fit{Job: j, ctx: ctx, length: r.Length(j.Train.Len())}
	f.outputs = int(j.Graph.Node(j.Graph.Outputs()[0]).Shape.Elements())
	if n := j.Train.Len() * f.outputs; j.TeacherLogits != nil && len(j.TeacherLogits) != n {
		return nil, fmt.Errorf("train: teacher's logits: found %d numbers, want %d for %d examples", len(j.TeacherLogits), n, j.Train.Len())
	}
	if j.Train.Targets != nil && (j.Teacher != nil || j.TeacherLogits != nil) {
		return nil, fmt.Errorf("train: found a teacher for %s, want one only where there are classes", j.Train)
	}
	if j.Train.Kind == data.Text && j.TeacherLogits != nil {
		return nil, fmt.Errorf("train: found a teacher's logits for %s, want the teacher: windows of a text start elsewhere in every epoch", j.Train)
	}
	if f.mix, err = r.mix(j.Train, j.Teacher != nil || j.TeacherLogits != nil); err != nil {
		return nil, err
	}
	if f.Scale == nil {
		f.Scale = j.Train.Scale()
	}
	augment, err := data.ParseAugment(r.Augment...)
	if err != nil {
		return nil, err // Filled has looked at it
	}
	if f.CheckpointEvery == 0 {
		f.CheckpointEvery = time.Minute
	}
	if f.EpochEvery == 0 {
		f.EpochEvery = 1
	}
	f.every = max(1, int64(math.Round(f.EpochEvery*float64(f.length.PerEpoch))))
	if err := f.start(); err != nil {
		return nil, err
	}
	loader, err := j.Train.Loader(data.Options{Batch: f.length.Batch, Seed: r.Seed, Shuffle: true, Balance: r.Balance, Whole: true, Scale: f.Scale, Augment: augment})
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	const ahead = 2 // batches that are prepared while a step is computed
	f.stream = loader.Stream(int(f.state.Step/f.length.PerEpoch), int(f.state.Step%f.length.PerEpoch), ahead)
	return f, nil
}

// start puts everything where the training starts, or goes on.
func (f *fit) start() error {
	weights := f.Start
	if weights == nil && f.Params == nil {
		weights = f.Graph.Initial(rng.New(f.Recipe.Seed, "train/initial", 0))
	}
	var err error
	if f.params = f.Params; f.params == nil {
		if err := weights.Check(f.Graph); err != nil {
			return fmt.Errorf("train: weights to start from: %w", err)
		}
		f.params, err = f.Device.Params(f.Graph, weights)
	} else if weights != nil {
		err = f.params.Load(weights)
	}
	if err != nil {
		return f.wrap(err)
	}
	if f.net, err = f.params.Net(f.Graph); err != nil {
		return f.wrap(err)
	}
	if f.updates, err = f.params.NewOptimizer(f.Recipe.optimizer()); err != nil {
		return f.wrap(err)
	}
	if f.gradient, err = f.params.NewGradient(); err != nil {
		return f.wrap(err)
	}
	if f.Checkpoint == "" {
		return nil
	}
	f.is = training{Recipe: f.Recipe, Tag: f.Tag}
	if f.is.Network, err = networkDigest(f.Graph); err != nil {
		return f.wrap(err)
	}
	if f.is.Data, err = setDigest(f.Train, f.Scale); err != nil {
		return f.wrap(err)
	}
	if f.Start != nil || f.Params != nil {
		if weights, err = f.params.Weights(); err != nil {
			return f.wrap(err)
		}
		if f.is.Start, err = weightsDigest(weights); err != nil {
			return f.wrap(err)
		}
	}
	s, err := f.is.load(f.Checkpoint)
	if s == nil || err != nil {
		return err
	}
	bad := func(err error) error {
		return &CheckpointError{f.Checkpoint, fmt.Errorf("%w; delete it to start anew", damaged("%w", err))}
	}
	if s.Step > f.length.Steps {
		return bad(fmt.Errorf("found step %d of a training of %d", s.Step, f.length.Steps))
	}
	if err := f.params.Load(s.weights); err != nil {
		return bad(err)
	}
	if err := f.updates.Load(s.optimizer, s.Updates); err != nil {
		return bad(err)
	}
	f.state = *s
	return nil
}

// wrap says of which network an error of the engine is.
func (f *fit) wrap(err error) error {
	return fmt.Errorf("train: network %q: %w", f.Graph.Name(), explain(err, f.length.Batch))
}

func (f *fit) run() (*Result, error) {
	f.saved = f.Clock()
	for _, e := range f.state.History {
		if err := f.tell(e); err != nil {
			return nil, err
		}
	}
	for {
		step := f.state.Step
		end := step == f.length.Steps
		if step > 0 && (end || step%f.every == 0) && !f.recorded(step) && !f.stop {
			if err := f.epoch(end); err != nil {
				return nil, f.leave(err)
			}
		}
		if end || f.stop {
			break
		}
		if err := f.ctx.Err(); err != nil {
			return nil, f.leave(err)
		}
		if err := f.step(); err != nil {
			return nil, err
		}
		if err := f.checkpoint(); err != nil {
			return nil, err
		}
	}
	if err := f.finish(); err != nil {
		return nil, f.leave(err)
	}
	if f.Checkpoint != "" {
		if err := f.save(); err != nil {
			if f.Warn == nil {
				return nil, err
			}
			f.Warn(err)
		}
	}
	return &f.result, nil
}

// recorded reports whether the epoch that ended with a step is in the history.
func (f *fit) recorded(step int64) bool {
	h := f.state.History
	return len(h) > 0 && h[len(h)-1].Step >= step
}

// leave saves the state if the training was cancelled, and returns why it ends.
func (f *fit) leave(err error) error {
	if f.ctx.Err() == nil || f.Checkpoint == "" {
		return err
	}
	if e := f.save(); e != nil {
		return errors.Join(err, e)
	}
	return err
}

func (f *fit) step() error {
	step := f.state.Step
	b := f.stream.Next()
	batch := batchOf(b)
	taught := f.Teacher != nil || f.TeacherLogits != nil
	if f.Teacher != nil {
		score, err := f.Teacher.Evaluate(batch)
		if err != nil {
			return fmt.Errorf("train: teacher: %w", explain(err, b.N))
		}
		batch.Teacher = score.Outputs
	} else if f.TeacherLogits != nil {
		for _, i := range b.Index {
			k := int(i) * f.outputs
			batch.Teacher = append(batch.Teacher, f.TeacherLogits[k:k+f.outputs]...)
		}
	}
	loss := f.Recipe.loss(taught)
	if f.mix != nil {
		f.mix.do(batch, step)
		if batch.Classes != nil {
			loss = f.mix.loss()
		}
	}
	_, noise := rng.State(f.Recipe.Seed, "train/noise", uint64(step))
	p := &Pass{
		Context: f.ctx, Step: step, Progress: float64(step) / float64(f.length.Steps),
		Batch: batch, Loss: loss, Noise: engine.Noise{Seed: noise, Drop: f.Recipe.Drop(step, f.length)},
		Params: f.params, Gradient: f.gradient,
	}
	rate := f.Recipe.Rate(step, f.length)
	pass := f.Pass
	if pass == nil {
		pass = func(p *Pass) (engine.Score, error) { return f.net.Gradient(p.Batch, p.Loss, p.Noise, p.Gradient) }
	}
	score, err := pass(p)
	norm := math.NaN()
	var bad *engine.NonFiniteError
	if err != nil && !errors.As(err, &bad) {
		return f.leave(fmt.Errorf("train: network %q, step %d: %w", f.Graph.Name(), step+1, explain(err, b.N)))
	}
	if bad != nil {
		score.Loss = bad.Value
	} else if finite(score.Loss) {
		norm, err = f.params.Step(f.updates, f.gradient, rate)
		if errors.As(err, &bad) {
			norm = bad.Value
		} else if err != nil {
			return fmt.Errorf("train: network %q, step %d: %w", f.Graph.Name(), step+1, explain(err, b.N))
		}
	}
	if !finite(norm) {
		return &DivergedError{step/f.length.PerEpoch + 1, step + 1, f.length.Steps, score.Loss, norm, rate}
	}
	f.state.Rate, f.state.Norm = rate, norm
	if f.Recipe.EMA > 0 {
		if err := f.average(); err != nil {
			return f.wrap(err)
		}
	}
	f.state.Step++
	f.state.Loss += score.Loss
	f.state.Steps++
	if f.Progress != nil {
		f.report(b.N, score.Loss)
	}
	return nil
}

// average moves the running mean towards the weights. It starts from zeros, and
// averaged divides by what is missing from it (Kingma and Ba 2015, section 3).
func (f *fit) average() error {
	now, err := f.params.Weights()
	if err != nil {
		return err
	}
	if f.state.average == nil {
		f.state.average = neural.Weights{}
	}
	share := 1 - f.Recipe.EMA
	for name, w := range now {
		mean := f.state.average[name]
		if mean == nil {
			mean = make([]float32, len(w))
			f.state.average[name] = mean
		}
		for i, x := range w {
			m := float64(mean[i])
			mean[i] = float32(m + float64(share*(float64(x)-m)))
		}
	}
	f.state.Averaged++
	return nil
}

// averaged returns parameters with the running mean of the weights.
func (f *fit) averaged() (*engine.Params, error) {
	weight := 1 - detmath.Pow(f.Recipe.EMA, float64(f.state.Averaged))
	w := neural.Weights{}
	for name, mean := range f.state.average {
		v := make([]float32, len(mean))
		for i, m := range mean {
			v[i] = float32(float64(m) / weight)
		}
		w[name] = v
	}
	p, err := f.params.Clone()
	if err != nil {
		return nil, err
	}
	return p, p.Load(w)
}

// measure puts the network as it is now into the result, and what it measures.
func (f *fit) measure() error {
	p := f.params
	var err error
	if f.Recipe.EMA > 0 && f.state.Averaged > 0 {
		if f.result.Params != nil { // the mean after an earlier epoch
			f.result.Params.Free()
			f.result.Params, f.result.Net = nil, nil
		}
		if p, err = f.averaged(); err != nil {
			return f.wrap(err)
		}
	}
	net := f.net
	if p != f.params {
		if net, err = p.Net(f.Graph); err != nil {
			return f.wrap(err)
		}
	}
	if err := Recalibrate(f.ctx, net, f.Graph, f.Train, f.Scale, f.Recipe.Calibrate, f.length.Batch, f.Recipe.Seed); err != nil {
		return err
	}
	f.result.Params, f.result.Net, f.result.Valid = p, net, nil
	if f.Valid != nil {
		m, err := Evaluate(f.ctx, net, f.Valid, f.Scale, f.length.Batch)
		if err != nil {
			return err
		}
		f.result.Valid = m
	}
	return nil
}

// epoch ends an epoch.
func (f *fit) epoch(end bool) error {
	e := Epoch{Epoch: f.length.Epoch(f.state.Step), Step: f.state.Step, Loss: f.state.Loss / float64(f.state.Steps), LearningRate: f.state.Rate, Norm: f.state.Norm}
	if f.Epoch != nil && f.Valid != nil || end {
		if err := f.measure(); err != nil {
			return err
		}
		e.Valid = f.result.Valid
	}
	f.pace.pause(f.Clock())
	f.state.History = append(f.state.History, e)
	f.state.Loss, f.state.Steps = 0, 0
	return f.tell(e)
}

// tell tells an epoch.
func (f *fit) tell(e Epoch) error {
	if f.Epoch == nil {
		return nil
	}
	err := f.Epoch(e)
	if errors.Is(err, ErrStop) {
		f.stop, err = true, nil
	}
	return err
}

// finish fills the result.
func (f *fit) finish() error {
	if f.result.Net == nil {
		if err := f.measure(); err != nil {
			return err
		}
	}
	var err error
	if f.result.Weights, err = f.result.Net.Weights(); err != nil {
		return f.wrap(err)
	}
	f.result.Steps, f.result.Epochs = f.state.Step, f.length.Epoch(f.state.Step)
	f.result.Stopped, f.result.History = f.stop && f.state.Step < f.length.Steps, f.state.History
	return nil
}

// checkpoint saves the state when it is due.
func (f *fit) checkpoint() error {
	if f.Checkpoint == "" {
		return nil
	}
	due := f.CheckpointSteps > 0 && f.state.Step%f.CheckpointSteps == 0 || f.Clock().Sub(f.saved) >= f.CheckpointEvery
	if !due {
		return nil
	}
	err := f.save()
	if err != nil && f.Warn != nil {
		f.Warn(err)
		return nil
	}
	return err
}

func (f *fit) save() error {
	f.saved = f.Clock()
	s := f.state
	s.Training = f.is
	var err error
	if s.weights, err = f.params.Weights(); err != nil {
		return f.wrap(err)
	}
	if s.optimizer, s.Updates, err = f.updates.Host(); err != nil {
		return f.wrap(err)
	}
	return s.save(f.Checkpoint)
}

// report tells the progress, if it is time.
func (f *fit) report(examples int, loss float64) {
	p, due := f.pace.step(f.Clock(), examples, loss, f.length.Steps-f.state.Step)
	if !due {
		return
	}
	p.Step, p.Steps, p.Epoch, p.LearningRate = f.state.Step, f.length.Steps, f.length.Epoch(f.state.Step), f.state.Rate
	f.Progress(p)
}
