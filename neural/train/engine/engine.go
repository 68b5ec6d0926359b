package engine

import (
	"errors"

	"github.com/daedalus-search/daedalus/neural"
)

// A Config says on what to compute.
type Config struct {
	// Backend is "cpu" (the default: our kernels, pure Go), "go" (GoMLX's own pure Go,
	// slower; to compare with), "xla" or "xla:PATH" (a PJRT plugin; needs a program
	// built with the tag xla).
	Backend string
	Threads int   // of the processor; 0 means all
	Memory  int64 // most bytes of arrays at one time; 0 means no limit
	Nets    int   // how many compiled networks to keep; 0 means 256
}

// ErrMemory is what a computation fails with that needs more than Config.Memory.
var ErrMemory = errors.New("engine: out of memory")

// A Device computes.
type Device struct{}

// Open returns a device. A backend that cannot be had is an error that says why.
func Open(c Config) (*Device, error) { return nil, errors.ErrUnsupported }

// Name says on what the device computes, such as "cpu (AVX-512, 2 threads)".
func (d *Device) Name() string { return "" }

// Close frees the device.
func (d *Device) Close() error { return nil }

// Params are learned numbers by name, on a device. They are not safe for
// concurrent use.
type Params struct{}

// Params puts the weights of a network, usually the largest of a family, on the
// device.
func (d *Device) Params(g *neural.Graph, w neural.Weights) (*Params, error) {
	return nil, errors.ErrUnsupported
}

// Weights returns a copy of all the numbers in the order of the graph's shapes.
func (p *Params) Weights() (neural.Weights, error) { return nil, errors.ErrUnsupported }

// Load replaces the numbers that w has, which have the largest network's shapes.
func (p *Params) Load(w neural.Weights) error { return errors.ErrUnsupported }

// Clone returns independent parameters with the same numbers.
func (p *Params) Clone() (*Params, error) { return nil, errors.ErrUnsupported }

// A Net is a network that computes with parameters. It stays valid while they do,
// and always sees their present numbers.
type Net struct{}

// Net returns a network that takes its weights from p. The same graph returns the
// same Net while it is among the last that were used.
func (p *Params) Net(g *neural.Graph) (*Net, error) { return nil, errors.ErrUnsupported }

// A Batch is examples.
type Batch struct {
	N      int
	Inputs [][]float32 // for each input of the network, N examples; images height×width×channels
	// What the outputs should be: classes, of which there are N, or N·tokens for
	// networks that classify every token, with −1 for what does not count; or numbers
	// of the output's shape.
	Classes []int32
	Targets []float32
	Teacher []float32 // logits of another network to imitate, of the output's shape
}

// A Loss says what is minimised: the mean over examples (or tokens that count) of
//
//	Labels·CE(classes, smoothed) + Imitate·CE(softmax(teacher/T), softmax(logits/T))·T²
//
// for batches with classes, and the mean squared error for batches with targets.
type Loss struct {
	Smoothing   float64 // of labels (Szegedy et al. 2016)
	Labels      float64 // weight of the labels; ignored where Imitate is 0: then it is 1
	Imitate     float64 // weight of the teacher (Hinton et al. 2015)
	Temperature float64 // 0 means 1
}

// A Score is what a batch came to.
type Score struct {
	Loss    float64   // mean
	Correct int       // examples (or tokens) whose class has the largest logit
	Count   int       // of how many
	Outputs []float32 // of the network's only output: logits or numbers
}

// A Gradient accumulates the gradients of parameters.
type Gradient struct{}

// NewGradient returns a gradient of zeros.
func (p *Params) NewGradient() (*Gradient, error) { return nil, errors.ErrUnsupported }

// Host returns a copy in the order of the graph's shapes.
func (g *Gradient) Host() (neural.Weights, error) { return nil, errors.ErrUnsupported }

// Zero sets the gradient to zero.
func (g *Gradient) Zero() error { return errors.ErrUnsupported }

// Noise are the random choices of a training step.
type Noise struct {
	Seed uint64  // of dropout and drop-path masks
	Drop float64 // what the rates of dropout and drop-path are multiplied with
}

// Gradient computes the network as in training, with the statistics of the batch
// and exact gradients through them, and adds its gradient to into.
func (n *Net) Gradient(b *Batch, l Loss, noise Noise, into *Gradient) (Score, error) {
	return Score{}, errors.ErrUnsupported
}

// An OptimizerKind is a rule for updates.
type OptimizerKind uint8

// The optimizers.
const (
	SGD   OptimizerKind = iota // with Nesterov momentum
	AdamW                      // decoupled weight decay (Loshchilov and Hutter 2019)
)

// An Optimizer says how parameters follow a gradient.
type Optimizer struct {
	Kind        OptimizerKind
	Momentum    float64 // of SGD; also 0
	Plain       bool    // SGD with plain momentum instead of Nesterov's
	Beta1       float64 // of AdamW; 0 means 0.9
	Beta2       float64 // 0 means 0.999
	Epsilon     float64 // 0 means 1e-8
	WeightDecay float64 // of weights of two or more axes, not of biases, scales and shifts; SGD adds it to the gradient
	Clip        float64 // most Euclidean norm of the whole gradient; 0 means none
}

// An OptimizerState is the momentum of parameters.
type OptimizerState struct{}

// NewOptimizer returns the state at the start of training.
func (p *Params) NewOptimizer(o Optimizer) (*OptimizerState, error) {
	return nil, errors.ErrUnsupported
}

// Host and Load copy the state out and back, for checkpoints.
func (s *OptimizerState) Host() (map[string][]float32, int64, error) {
	return nil, 0, errors.ErrUnsupported
}

// Load sets the state to what Host returned.
func (s *OptimizerState) Load(numbers map[string][]float32, steps int64) error {
	return errors.ErrUnsupported
}

// Step updates the parameters once by a gradient, sets it to zero, and returns its
// Euclidean norm before clipping. Parameters that no network has touched since the
// gradient was zero stay as they are, and so does their momentum.
func (p *Params) Step(s *OptimizerState, g *Gradient, learningRate float64) (norm float64, err error) {
	return 0, errors.ErrUnsupported
}

// Recalibrate sets the means and variances of the network's normalisations to those
// over all these batches together: of each layer, behind layers that are
// recalibrated batch by batch. They belong to the network, not to the parameters.
func (n *Net) Recalibrate(batches ...*Batch) error { return errors.ErrUnsupported }

// Evaluate computes the network as at inference. It fails if the network has
// normalisations and was never recalibrated. The score's loss is the plain one.
func (n *Net) Evaluate(b *Batch) (Score, error) { return Score{}, errors.ErrUnsupported }

// Weights returns the network's own weights as they are now, with its statistics: what
// is exported.
func (n *Net) Weights() (neural.Weights, error) { return nil, errors.ErrUnsupported }

// InputGradient returns the gradient of the sum of all outputs by the first input, with
// the statistics of the batch.
func (n *Net) InputGradient(b *Batch) ([]float32, error) { return nil, errors.ErrUnsupported }
