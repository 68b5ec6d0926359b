package score

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// Needs are what a score is computed from, besides the network.
type Needs uint8

// The needs. Zero is nothing.
const (
	Size      Needs = 1 << iota // how many examples the batch has
	Inputs                      // what the examples are
	Labels                      // their classes or targets
	Gradients                   // a device that computes them
)

// String returns the needs, such as "inputs, labels, gradients".
func (n Needs) String() string {
	var all []string
	for i, s := range []string{"size", "inputs", "labels", "gradients"} {
		if n>>i&1 != 0 {
			all = append(all, s)
		}
	}
	if all == nil {
		return "nothing"
	}
	return strings.Join(all, ", ")
}

// A Cost says how much is computed for a score.
type Cost uint8

// The costs, the cheapest first.
const (
	Counted  Cost = iota // from the graph alone
	Forward              // one or two computations of the outputs
	Backward             // one or two gradients
	Many                 // a gradient for each example
)

func (c Cost) String() string {
	return [...]string{"counted", "forward", "backward", "many"}[min(c, Many)]
}

// A Score is a number that foretells how good a network will be.
type Score struct {
	Name      string
	Doc       string // a sentence
	Source    string // whose formula it is
	Direction metric.Direction
	Needs     Needs
	Cost      Cost

	compute func(*session) (float64, error)
}

// Scores returns all scores, the cheapest first.
func Scores() []Score { return slices.Clone(table) }

// Names returns the names of all scores, the cheapest first.
func Names() []string {
	var all []string
	for _, s := range table {
		all = append(all, s.Name)
	}
	return all
}

// Find returns a score by its name.
func Find(name string) (Score, error) {
	if i := slices.IndexFunc(table, func(s Score) bool { return s.Name == name }); i >= 0 {
		return table[i], nil
	}
	return Score{}, fmt.Errorf("score: found %q, want one of %s", name, strings.Join(Names(), ", "))
}

var table = []Score{
	{
		Name: "params", Doc: "learned numbers", Source: "what every other score should be compared with",
		Direction: metric.Maximize, Cost: Counted,
		compute: func(s *session) (float64, error) { return float64(s.g.Cost().Params), nil },
	},
	{
		Name: "macs", Doc: "multiply-accumulates of an example, many papers' FLOPs", Source: "what every other score should be compared with",
		Direction: metric.Maximize, Cost: Counted,
		compute: func(s *session) (float64, error) { return float64(s.g.Cost().MACs), nil },
	},
	{
		Name: "synflow", Doc: "the logarithm of Σ|w·∂R/∂w|, where R is the sum of the outputs of a linear network of |w| for ones", Source: "Tanaka et al. 2020; Abdelfattah et al. 2021",
		Direction: metric.Maximize, Cost: Forward,
		compute: (*session).synflow,
	},
	{
		Name: "naswot", Doc: "log|det K|, where K counts the activations that are on or off together for two examples", Source: "Mellor et al. 2021, equation 2",
		Direction: metric.Maximize, Needs: Size | Inputs, Cost: Forward,
		compute: (*session).naswot,
	},
	{
		Name: "zen", Doc: "how much features change with noisy inputs, times what normalisation divided by, as a logarithm, for Gaussian weights", Source: "Lin et al. 2021, algorithm 1",
		Direction: metric.Maximize, Needs: Size, Cost: Forward,
		compute: (*session).zen,
	},
	{
		Name: "grad_norm", Doc: "the sum over layers of the norm of the loss's gradient", Source: "Abdelfattah et al. 2021",
		Direction: metric.Maximize, Needs: Size | Inputs | Labels | Gradients, Cost: Backward,
		compute: (*session).gradNorm,
	},
	{
		Name: "snip", Doc: "Σ|w·∂L/∂w|: how much the loss feels every weight", Source: "Lee et al. 2019; Abdelfattah et al. 2021",
		Direction: metric.Maximize, Needs: Size | Inputs | Labels | Gradients, Cost: Backward,
		compute: (*session).snip,
	},
	{
		Name: "plain", Doc: "Σw·∂L/∂w", Source: "Mozer and Smolensky 1989; Abdelfattah et al. 2021",
		Direction: metric.Maximize, Needs: Size | Inputs | Labels | Gradients, Cost: Backward,
		compute: (*session).plain,
	},
	{
		Name: "zico", Doc: "Σ log Σ mean|g|/σ(g) over layers and their weights, for the gradients g of the two halves of the batch", Source: "Li et al. 2023, equation 15",
		Direction: metric.Maximize, Needs: Size | Inputs | Labels | Gradients, Cost: Backward,
		compute: (*session).zico,
	},
	{
		Name: "jacob_cov", Doc: "−Σ(log(λ+k) + 1/(λ+k)) over the eigenvalues of the correlations of the outputs' gradients by the inputs of different examples", Source: "Mellor et al. 2020; Abdelfattah et al. 2021",
		Direction: metric.Maximize, Needs: Size | Inputs | Gradients, Cost: Backward,
		compute: (*session).jacobCov,
	},
	{
		Name: "grasp", Doc: "−Σw·(H·g): how much the gradient's flow feels every weight; the product with the Hessian H is a difference of two gradients", Source: "Wang et al. 2020; Abdelfattah et al. 2021",
		Direction: metric.Maximize, Needs: Size | Inputs | Labels | Gradients, Cost: Backward,
		compute: (*session).grasp,
	},
	{
		Name: "fisher", Doc: "½·mean(Σa·∂L/∂a)² over the examples of a channel, summed over the channels of the results a of layers, as often as a channel has weights", Source: "Theis et al. 2018; Abdelfattah et al. 2021",
		Direction: metric.Maximize, Needs: Size | Inputs | Labels | Gradients, Cost: Backward,
		compute: (*session).fisher,
	},
	{
		Name: "ntk", Doc: "the condition number of the neural tangent kernel of the batch", Source: "Chen et al. 2021, section 3.1.1",
		Direction: metric.Minimize, Needs: Size | Inputs | Gradients, Cost: Many,
		compute: (*session).ntk,
	},
}

// An undefined is why a network has no such score.
type undefined string

func (u undefined) Error() string { return string(u) }

// Options say how networks are scored. The zero value works.
type Options struct {
	Seed    uint64 // of weights and noise
	Repeats int    // scores are means over so many draws of weights; 0 means 1. The paper on zen takes 32
	Init    Init
	Threads int // that compute one network; 0 means 1
	// Device computes gradients; nil means this machine's processor, with Threads. It is not
	// closed with the Scorer.
	Device *engine.Device
}

// A Scorer scores networks. It is not safe for concurrent use; see [Options.All].
type Scorer struct {
	o   Options
	own *engine.Device // if it is not Options.Device
}

// New returns a Scorer.
func New(o Options) (*Scorer, error) {
	if o.Repeats < 0 || o.Threads < 0 || o.Init > He {
		return nil, fmt.Errorf("score: found %d repeats, %d threads and initial weights %v, want 0 or more, 0 or more, and uniform or he", o.Repeats, o.Threads, o.Init)
	}
	o.Repeats, o.Threads = max(o.Repeats, 1), max(o.Threads, 1)
	return &Scorer{o: o}, nil
}

// Close frees what computed gradients.
func (s *Scorer) Close() error {
	if s.own == nil {
		return nil
	}
	d := s.own
	s.own = nil
	return d.Close()
}

// device opens the device when it is first needed.
func (s *Scorer) device() (*engine.Device, error) {
	if s.o.Device != nil {
		return s.o.Device, nil
	}
	if s.own == nil {
		d, err := engine.Open(engine.Config{Threads: s.o.Threads, Nets: 2})
		if err != nil {
			return nil, err
		}
		s.own = d
	}
	return s.own, nil
}

// A Result is the scores of a network.
type Result struct {
	Values  map[string]float64 // finite, or NaN
	Reasons map[string]string  // why a score is NaN
}

// Merit returns a score so that larger is better and what could not be computed is last,
// −∞.
func (r Result) Merit(name string) float64 {
	v, ok := r.Values[name]
	if !ok || math.IsNaN(v) {
		return math.Inf(-1)
	}
	if s, err := Find(name); err == nil && s.Direction == metric.Minimize {
		return -v
	}
	return v
}

// Compute scores a network with the default options. What could not be computed is NaN.
func Compute(g *neural.Graph, b *engine.Batch, names ...string) (map[string]float64, error) {
	s, err := New(Options{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	r, err := s.Compute(g, b, names...)
	return r.Values, err
}

// Compute scores a network on a batch, which may be nil for scores that need none; see
// [engine.Batch] for the order of its numbers.
func (s *Scorer) Compute(g *neural.Graph, b *engine.Batch, names ...string) (Result, error) {
	scores, err := find(names)
	if err != nil {
		return Result{}, err
	}
	if err := check(g, b, scores); err != nil {
		return Result{}, fmt.Errorf("score: network %q: %w", g.Name(), err)
	}
	return s.compute(g, b, scores)
}

func find(names []string) ([]Score, error) {
	if len(names) == 0 {
		return nil, errors.New("score: found no names of scores, want at least one")
	}
	var scores []Score
	var errs []error
	for _, name := range names {
		x, err := Find(name)
		scores, errs = append(scores, x), append(errs, err)
	}
	return scores, errors.Join(errs...)
}

func (s *Scorer) compute(g *neural.Graph, b *engine.Batch, scores []Score) (Result, error) {
	r := Result{Values: map[string]float64{}, Reasons: map[string]string{}}
	for repeat := range s.o.Repeats {
		c := &session{s: s, g: g, b: b, repeat: uint64(repeat)}
		for _, x := range scores {
			if r.Reasons[x.Name] != "" {
				continue
			}
			v, err := x.compute(c)
			var why undefined
			var infinite *engine.NonFiniteError
			switch {
			case errors.As(err, &infinite):
				why = undefined(fmt.Sprintf("the %s is %g", infinite.What, infinite.Value))
			case errors.As(err, &why):
			case err != nil:
				return Result{}, fmt.Errorf("score: %s: network %q: %w", x.Name, g.Name(), err)
			case math.IsNaN(v) || math.IsInf(v, 0):
				why = undefined(fmt.Sprintf("it is %g", v))
			}
			if why != "" {
				r.Values[x.Name], r.Reasons[x.Name] = math.NaN(), string(why)
				continue
			}
			if x.Cost == Counted { // the same for all weights
				r.Values[x.Name] = v
			} else {
				r.Values[x.Name] += v / float64(s.o.Repeats)
			}
		}
	}
	return r, nil
}

// check reports a batch that the scores cannot be computed on.
func check(g *neural.Graph, b *engine.Batch, scores []Score) error {
	var need Needs
	var who [4]string // the first score with a need
	for _, s := range scores {
		for i := range who {
			if s.Needs>>i&1 != 0 && who[i] == "" {
				who[i] = s.Name
			}
		}
		need |= s.Needs
	}
	if need&Size != 0 && (b == nil || b.N < 1) {
		return fmt.Errorf("found a batch without examples, want at least one for %s", who[0])
	}
	if need&Labels != 0 && b.Classes == nil && b.Targets == nil {
		return fmt.Errorf("found a batch without classes and targets, want either for %s", who[2])
	}
	if need&Gradients != 0 && len(g.Outputs()) != 1 {
		return fmt.Errorf("found a network of %d outputs, want 1 for %s", len(g.Outputs()), who[3])
	}
	if need&Inputs == 0 {
		return nil
	}
	in := g.Inputs()
	if len(b.Inputs) != len(in) {
		return fmt.Errorf("found %d inputs in the batch, want %d", len(b.Inputs), len(in))
	}
	for k, i := range in {
		n := g.Node(i)
		if got, want := int64(len(b.Inputs[k])), int64(b.N)*n.Shape.Elements(); got != want {
			return fmt.Errorf("input %q: found %d numbers, want %d (%d × %s)", n.Name, got, want, b.N, n.Shape)
		}
		if j := slices.IndexFunc(b.Inputs[k], func(x float32) bool { return x-x != 0 }); j >= 0 {
			return fmt.Errorf("input %q: found %g as number %d, want finite numbers", n.Name, b.Inputs[k][j], j+1)
		}
	}
	return nil
}

// A session is the scoring of one network with one draw of weights. What several scores
// need is computed once.
type session struct {
	s      *Scorer
	g      *neural.Graph
	b      *engine.Batch
	repeat uint64

	drawn   neural.Weights
	params  *engine.Params
	net     *engine.Net
	grad    neural.Weights // of the loss
	outputs []float32      // in training
}

// weights draws the weights.
func (c *session) weights() neural.Weights {
	if c.drawn == nil {
		c.drawn = draw(c.g, c.s.o.Init, c.s.o.Seed, c.repeat)
	}
	return c.drawn
}

// live marks nodes that an output depends on.
func live(g *neural.Graph) []bool {
	m := make([]bool, g.Len())
	for _, i := range g.Outputs() {
		m[i] = true
	}
	for i := g.Len() - 1; i >= 0; i-- {
		if m[i] {
			for _, j := range g.Node(i).In {
				m[j] = true
			}
		}
	}
	return m
}

// layers are the convolutions and linear operators that an output depends on: those
// whose weights are scored.
func layers(g *neural.Graph) (all []int) {
	for i, ok := range live(g) {
		switch g.Node(i).Op.(type) {
		case neural.Conv, neural.Linear:
			if ok {
				all = append(all, i)
			}
		}
	}
	return all
}

// weightOf is the name of a layer's weight.
func weightOf(n neural.Node) string { return n.Name + "/weight" }
