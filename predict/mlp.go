package predict

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/predict/internal/nn"
	"github.com/daedalus-search/daedalus/predict/internal/vec"
)

// MLP is a deep ensemble (Lakshminarayanan, Pritzel and Blundell 2017): small
// nets of fully connected layers that differ in their first weights, in the
// order of their batches and in the rows they hold out, each stopped when the
// rows it holds out are predicted best. A net also has a direct way from its
// columns to its output, so that it is never much worse than linear regression.
//
// Columns are as for [Ridge]. Nets learn the target scaled to mean 0 and
// standard deviation 1, by AdamW with a learning rate that falls to 0 as half a
// cosine.
//
// The prediction is the mean of the members. Its standard deviation is that of
// the mixture, √(mean σ² + var μ), where σ² is what "gaussian" learns for each
// row, and otherwise one number, the error of members on rows they held out. With
// Passes each member is asked that many times with its dropout on (Gal and
// Ghahramani 2016).
//
// A fit of the default ensemble takes about 0.15 ms a step and member: 2,000
// steps of 5 members are a second on two cores.
type MLP struct {
	// Members is how many nets there are; 0 means 5.
	Members int `yaml:"members" default:"5" min:"1" max:"1000" doc:"nets of the ensemble"`
	// Layers is how many hidden layers a net has; 0 means 2, below 0 none, which
	// makes a net linear regression by the chosen loss.
	Layers int `yaml:"layers" default:"2" max:"20" doc:"hidden layers; below 0 means none, a linear model"`
	// Width of the hidden layers; 0 means 64.
	Width int `yaml:"width" default:"64" min:"1" max:"4096" doc:"units of a hidden layer"`
	// Activation is "silu", the default, "relu", "tanh" or "softplus".
	Activation string `yaml:"activation" default:"silu" enum:"silu,relu,tanh,softplus" doc:"activation of hidden units"`
	// Loss is "squared", the default; "huber", linear beyond Delta; "gaussian",
	// by which a net learns mean and variance of each row; or a loss of the order
	// alone, over all pairs of a batch with yᵢ > yⱼ, of outputs s:
	// "logistic", ln(1 + exp(sⱼ − sᵢ)), by which the sigmoid of a difference is the
	// probability that one is above the other (Burges et al. 2005); or "hinge",
	// max(0, 0.1 + sⱼ − sᵢ) (Ning et al. 2020). Outputs of these are put on the
	// scale of the target by a straight line afterwards.
	Loss string `yaml:"loss" default:"squared" enum:"squared,huber,gaussian,logistic,hinge" doc:"what a net is trained for"`
	// Delta is where the Huber loss becomes linear, in standard deviations of
	// the target; 0 means 1.
	Delta float64 `yaml:"delta" default:"1" min:">0" doc:"where the Huber loss becomes linear, in standard deviations of the target"`
	// Steps is how many batches a net sees at most; 0 means 2000.
	Steps int `yaml:"steps" default:"2000" min:"1" max:"10000000" doc:"batches a net sees at most"`
	// Batch is the number of rows of one step; 0 means 32.
	Batch int `yaml:"batch" default:"32" min:"1" max:"65536" doc:"rows of a step"`
	// Rate is the first learning rate; 0 means 0.003.
	Rate float64 `yaml:"rate" default:"0.003" min:">0" max:"10" doc:"first learning rate"`
	// Decay is the weight decay of AdamW; 0 means 0.01, below 0 none.
	Decay float64 `yaml:"decay" default:"0.01" doc:"weight decay; below 0 means none"`
	// Dropout is the share of hidden units that a step leaves out.
	Dropout float64 `yaml:"dropout" min:"0" max:"0.9" doc:"share of hidden units left out"`
	// Passes with dropout that a prediction takes; 0 means one without.
	Passes int `yaml:"passes" min:"0" max:"1000" doc:"predictions with dropout that are averaged; 0 means one without"`
	// Holdout is the share of rows each net holds out; 0 means 0.15, below 0
	// none, which trains for all steps. Fewer than 10 rows are all trained on.
	Holdout float64 `yaml:"holdout" default:"0.15" max:"0.9" doc:"share of the rows that each net is judged by; below 0 means none"`
	// Patience is the share of the steps after which a net stops that has not
	// become better; 0 means 0.25.
	Patience float64 `yaml:"patience" default:"0.25" min:">0" max:"1" doc:"share of the steps without progress after which a net stops"`
}

func (o MLP) check() error {
	var errs []error
	fail := func(field string, found any, want string) {
		errs = append(errs, fmt.Errorf("mlp: %s: found %v, want %s", field, found, want))
	}
	count := func(field string, x, most, def int) {
		if x < 0 || x > most {
			fail(field, x, fmt.Sprintf("1 to %d, or 0 for %d", most, def))
		}
	}
	count("members", o.Members, 1000, 5)
	count("layers", max(o.Layers, 0), 20, 2)
	count("width", o.Width, 4096, 64)
	count("steps", o.Steps, 10_000_000, 2000)
	count("batch", o.Batch, 65536, 32)
	if o.Passes < 0 || o.Passes > 1000 {
		fail("passes", o.Passes, "0 to 1000")
	}
	if o.Passes > 0 && o.Dropout == 0 {
		fail("passes", o.Passes, "0, for without dropout all passes are the same")
	}
	if _, err := mlpActivation(o.Activation); err != nil {
		errs = append(errs, err)
	}
	if _, err := mlpLoss(o.Loss, 1); err != nil {
		errs = append(errs, err)
	}
	if !(o.Delta >= 0 && o.Delta <= math.MaxFloat64) {
		fail("delta", o.Delta, "a number above 0, or 0 for 1")
	}
	if !(o.Rate >= 0 && o.Rate <= 10) {
		fail("rate", o.Rate, "a number above 0 and at most 10, or 0 for 0.003")
	}
	if math.IsNaN(o.Decay) || o.Decay > 100 {
		fail("decay", o.Decay, "at most 100")
	}
	if !(o.Dropout >= 0 && o.Dropout <= 0.9) {
		fail("dropout", o.Dropout, "a share from 0 to 0.9")
	}
	if math.IsNaN(o.Holdout) || o.Holdout > 0.9 {
		fail("holdout", o.Holdout, "a share of at most 0.9")
	}
	if !(o.Patience >= 0 && o.Patience <= 1) {
		fail("patience", o.Patience, "a share above 0 and at most 1, or 0 for 0.25")
	}
	return errors.Join(errs...)
}

func (o MLP) defaults() MLP {
	o.Members = cmp.Or(o.Members, 5)
	o.Layers = max(cmp.Or(o.Layers, 2), 0)
	o.Width = cmp.Or(o.Width, 64)
	o.Steps = cmp.Or(o.Steps, 2000)
	o.Batch = cmp.Or(o.Batch, 32)
	o.Rate = cmp.Or(o.Rate, 0.003)
	o.Decay = max(cmp.Or(o.Decay, 0.01), 0)
	o.Holdout = max(cmp.Or(o.Holdout, 0.15), 0)
	o.Patience = cmp.Or(o.Patience, 0.25)
	o.Delta = cmp.Or(o.Delta, 1)
	return o
}

func mlpActivation(name string) (nn.Activation, error) {
	switch name {
	case "", "silu":
		return nn.SiLU, nil
	case "relu":
		return nn.ReLU, nil
	case "tanh":
		return nn.Tanh, nil
	case "softplus":
		return nn.Softplus, nil
	}
	return 0, fmt.Errorf("mlp: activation: found %q, want silu, relu, tanh or softplus", name)
}

// A mlpJudge writes the gradient of the loss of outputs, whose columns are
// out.C, and returns the loss. Gradient may be nil.
type mlpJudge struct {
	outputs int
	ranks   bool
	loss    func(out, grad []float64, y, w []float64) float64
}

func mlpLoss(name string, delta float64) (mlpJudge, error) {
	switch name {
	case "", "squared":
		return mlpJudge{1, false, mlpSquared}, nil
	case "huber":
		return mlpJudge{1, false, func(out, grad, y, w []float64) float64 { return mlpHuber(out, grad, y, w, delta) }}, nil
	case "gaussian":
		return mlpJudge{2, false, mlpGaussian}, nil
	}
	if r, ok := rankLosses[name]; ok {
		return mlpJudge{1, true, r}, nil
	}
	return mlpJudge{}, fmt.Errorf("mlp: loss: found %q, want squared, huber, gaussian, logistic or hinge", name)
}

func mlpSquared(out, grad, y, w []float64) float64 {
	return mlpHuber(out, grad, y, w, math.Inf(1))
}

// mlpHuber is e²/2 up to delta and linear beyond.
func mlpHuber(out, grad, y, w []float64, delta float64) (loss float64) {
	total := mlpSum(w)
	for i, v := range y {
		e := out[i] - v
		g := min(max(e, -delta), delta)
		loss += float64(w[i] * float64(g*(e-float64(g/2))))
		if grad != nil {
			grad[i] = float64(w[i] * g / total)
		}
	}
	return loss / total
}

func mlpSum(w []float64) (s float64) {
	for _, v := range w {
		s += v
	}
	return s
}

// mlpFloor is the least variance of a row, in variances of the target.
const mlpFloor = 1e-4

func mlpVariance(raw float64) (v, dv float64) {
	v, dv = nn.Softplus.Value(raw)
	return v + mlpFloor, dv
}

// mlpGaussian is the negative log-likelihood ½(e²/v + ln v) of mean and variance,
// with gradients times √v (β-NLL with β = ½: Seitzer et al., "On the pitfalls of
// heteroscedastic uncertainty estimation", 2022), so that rows that fit badly
// are not given up.
func mlpGaussian(out, grad, y, w []float64) (loss float64) {
	total := mlpSum(w)
	for i, t := range y {
		v, dv := mlpVariance(out[2*i+1])
		e := out[2*i] - t
		loss += float64(w[i] * 0.5 * (float64(e*e)/v + detmath.Log(v)))
		if grad != nil {
			s := float64(w[i]*math.Sqrt(v)) / total
			grad[2*i] = float64(s * e / v)
			grad[2*i+1] = float64(s * 0.5 * float64((1/v-float64(e*e)/float64(v*v))*dv))
		}
	}
	return loss / total
}

// A mlpNet is the weights of a net: layers of in×out and biases, then the head,
// then the direct way from the columns to the outputs.
type mlpNet struct {
	In, Out int
	Act     nn.Activation
	Dropout float64
	Layers  []mlpLayer
	Head    mlpLayer
	Direct  []float64 // In×Out
}

type mlpLayer struct {
	In, Out int
	W, B    []float64
}

func (l *mlpLayer) sound(in int) bool {
	return l.In == in && l.Out > 0 && len(l.W) == l.In*l.Out && len(l.B) == l.Out
}

func (n *mlpNet) sound() bool {
	if n == nil || n.In < 0 || n.Out < 1 || n.Act < 0 || n.Act >= nn.Activations || len(n.Direct) != n.In*n.Out {
		return false
	}
	in := n.In
	for i := range n.Layers {
		if !n.Layers[i].sound(in) {
			return false
		}
		in = n.Layers[i].Out
	}
	return n.Head.sound(in) && n.Head.Out == n.Out
}

// hidden returns the values of the last hidden layer, and if all those of every
// hidden layer side by side. With r units drop out.
func (n *mlpNet) hidden(x []float64, rows int, r *rand.Rand, all bool) []float64 {
	width := 0
	for i := range n.Layers {
		width += n.Layers[i].Out
	}
	var wide []float64
	if all {
		wide = make([]float64, rows*width)
	}
	h, at := x, 0
	for i := range n.Layers {
		l := &n.Layers[i]
		y := make([]float64, rows*l.Out)
		l.apply(y, h, rows)
		n.Act.Apply(y)
		if r != nil && n.Dropout > 0 {
			for k := range y {
				if r.Float64() < n.Dropout {
					y[k] = 0
				} else {
					y[k] /= 1 - n.Dropout
				}
			}
		}
		for k := 0; all && k < rows; k++ {
			copy(wide[k*width+at:], y[k*l.Out:(k+1)*l.Out])
		}
		at += l.Out
		h = y
	}
	if all {
		return wide
	}
	return h
}

func (l *mlpLayer) apply(dst, x []float64, rows int) {
	for i := range rows {
		copy(dst[i*l.Out:(i+1)*l.Out], l.B)
	}
	nn.Multiply(dst, x, l.W, l.In, l.Out)
}

// outputs returns what the net says of formed rows.
func (n *mlpNet) outputs(x []float64, rows int, r *rand.Rand) []float64 {
	out := make([]float64, rows*n.Out)
	n.Head.apply(out, n.hidden(x, rows, r, false), rows)
	nn.Multiply(out, x, n.Direct, n.In, n.Out)
	return out
}

// A mlpTrainee is a net that learns.
type mlpTrainee struct {
	act     nn.Activation
	dropout float64
	w, b    []*nn.Param // layers, then the head
	direct  *nn.Param
}

func newMLPTrainee(r *rand.Rand, in, width, layers, out int, act nn.Activation, dropout float64) *mlpTrainee {
	n := &mlpTrainee{act: act, dropout: dropout}
	from := in
	for range layers {
		w, b := nn.Dense(r, from, width, 2)
		n.w, n.b = append(n.w, w), append(n.b, b)
		from = width
	}
	w, b := nn.Dense(r, from, out, 0.1)
	n.w, n.b = append(n.w, w), append(n.b, b)
	n.direct = nn.NewParam(in, out)
	return n
}

func (n *mlpTrainee) params() []*nn.Param {
	return append(append(slices.Clone(n.w), n.b...), n.direct)
}

func (n *mlpTrainee) hidden(t *nn.Tape, x *nn.Node, r *rand.Rand) *nn.Node {
	for i := range len(n.w) - 1 {
		x = t.Act(t.Linear(x, n.w[i], n.b[i]), n.act)
		if r != nil {
			x = t.Dropout(x, n.dropout, r)
		}
	}
	return x
}

func (n *mlpTrainee) outputs(t *nn.Tape, x *nn.Node, r *rand.Rand) *nn.Node {
	last := len(n.w) - 1
	out := t.Linear(n.hidden(t, x, r), n.w[last], n.b[last])
	return t.Add(out, t.Linear(x, n.direct, nil))
}

func (n *mlpTrainee) freeze() *mlpNet {
	last := len(n.w) - 1
	layer := func(i int) mlpLayer {
		return mlpLayer{n.w[i].Rows, n.w[i].Cols, slices.Clone(n.w[i].W), slices.Clone(n.b[i].W)}
	}
	net := &mlpNet{In: n.direct.Rows, Out: n.direct.Cols, Act: n.act, Dropout: n.dropout, Head: layer(last), Direct: slices.Clone(n.direct.W)}
	for i := range last {
		net.Layers = append(net.Layers, layer(i))
	}
	return net
}

// thaw makes a net that learns on from weights.
func (n *mlpNet) thaw() *mlpTrainee {
	t := &mlpTrainee{act: n.Act, dropout: n.Dropout, direct: nn.NewParam(n.In, n.Out)}
	copy(t.direct.W, n.Direct)
	for _, l := range append(slices.Clone(n.Layers), n.Head) {
		w, b := nn.NewParam(l.In, l.Out), nn.NewParam(1, l.Out)
		copy(w.W, l.W)
		copy(b.W, l.B)
		b.NoDecay = true
		t.w, t.b = append(t.w, w), append(t.b, b)
	}
	return t
}

// A mlpCourse is how a net is trained on rows.
type mlpCourse struct {
	o       MLP // with its defaults
	x, y, w []float64
	width   int
	judge   mlpJudge
	// outputs computes the net; hidden units drop out if r is not nil.
	outputs func(t *nn.Tape, x *nn.Node, r *rand.Rand) *nn.Node
	params  []*nn.Param
	// onStep may freeze and thaw parameters.
	onStep func(step int, a *nn.Adam)
}

// run trains, and leaves the weights of the step that was best on the rows held
// out, whose predictions it returns: held row numbers and outputs.
func (c *mlpCourse) run(ctx context.Context, r *rand.Rand) (held []int, out []float64, err error) {
	n := len(c.y)
	perm := r.Perm(n)
	cut := 0
	if n >= 10 {
		cut = int(float64(n) * c.o.Holdout)
		if c.o.Holdout > 0 {
			cut = max(cut, 2)
		}
	}
	held, train := perm[:cut:cut], perm[cut:]
	gather := func(rows []int, x, y, w []float64) ([]float64, []float64, []float64) {
		x, y, w = x[:0], y[:0], w[:0]
		for _, i := range rows {
			x, y, w = append(x, c.x[i*c.width:(i+1)*c.width]...), append(y, c.y[i]), append(w, c.w[i])
		}
		return x, y, w
	}
	hx, hy, hw := gather(held, nil, nil, nil)
	var bx, by, bw []float64
	tape, adam := nn.NewTape(), &nn.Adam{Rate: c.o.Rate, Decay: c.o.Decay}
	batch := min(c.o.Batch, len(train))
	every := max(1, min((len(train)+batch-1)/batch, c.o.Steps/20))
	best, bestStep := math.Inf(1), 0
	var kept [][]float64
	at := len(train)
	for step := range c.o.Steps {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		if at+batch > len(train) {
			r.Shuffle(len(train), func(i, j int) { train[i], train[j] = train[j], train[i] })
			at = 0
		}
		bx, by, bw = gather(train[at:at+batch], bx, by, bw)
		at += batch
		adam.Rate = float64(c.o.Rate * mlpCosine(float64(step)/float64(c.o.Steps)))
		if c.onStep != nil {
			c.onStep(step, adam)
		}
		tape.Reset()
		y := c.outputs(tape, tape.Input(batch, bx), r)
		c.judge.loss(y.V, y.G, by, bw)
		tape.Backward()
		adam.Step(c.params...)
		if cut == 0 || step%every != every-1 && step != c.o.Steps-1 {
			continue
		}
		tape.Reset()
		y = c.outputs(tape, tape.Input(cut, hx), nil)
		if loss := c.judge.loss(y.V, nil, hy, hw); loss < best {
			best, bestStep = loss, step
			kept = kept[:0]
			for _, p := range c.params {
				kept = append(kept, slices.Clone(p.W))
			}
			out = slices.Clone(y.V)
		} else if float64(step-bestStep) > float64(c.o.Patience*float64(c.o.Steps)) {
			break
		}
	}
	for i, w := range kept {
		copy(c.params[i].W, w)
	}
	return held, out, nil
}

// mlpCosine is ½(1 + cos πx) for x in [0, 1], by its Taylor series about ½.
func mlpCosine(x float64) float64 {
	z := float64(math.Pi * (0.5 - x)) // cos πx = sin z
	q := float64(z * z)
	s := 1 - float64(q/42*(1-q/72))
	s = 1 - float64(q/20*s)
	s = 1 - float64(q/6*s)
	return min(max(0.5*(1+float64(z*s)), 0), 1)
}

type mlpModel struct {
	Columns     int
	Form        *linForm
	Nets        []*mlpNet
	Mean, Scale float64 // target = Mean + Scale·output
	Noise       float64 // variance of an output about its row's truth
	Gaussian    bool
	Passes      int
}

// mlpRows is how many rows are predicted at a time.
const mlpRows = 256

// Fit trains the nets, all cores at once.
func (o MLP) Fit(ctx context.Context, t *Table, seed uint64) (Model, error) {
	if err := errors.Join(o.check(), t.Validate(), ctx.Err()); err != nil {
		return nil, err
	}
	return o.fit(ctx, t, seed, nil)
}

// A mlpStart gives the net of a member to begin with and what happens at its
// steps.
type mlpStart func(member int) (*mlpTrainee, func(step int, a *nn.Adam))

func (o MLP) fit(ctx context.Context, t *Table, seed uint64, start mlpStart) (*mlpModel, error) {
	f := newLinForm(t)
	return o.fitForm(ctx, t, f, seed, start)
}

func (o MLP) fitForm(ctx context.Context, t *Table, f *linForm, seed uint64, start mlpStart) (*mlpModel, error) {
	o = o.defaults()
	judge, _ := mlpLoss(o.Loss, o.Delta)
	act, _ := mlpActivation(o.Activation)
	x := f.apply(nil, t.X, len(t.Columns))
	w, _ := linWeights(t)
	mean, sd := linTarget(t.Y, w)
	y := make([]float64, len(t.Y))
	for i := range y {
		y[i] = (t.Y[i] - mean) / sd
	}
	m := &mlpModel{Columns: len(t.Columns), Form: f, Mean: mean, Scale: sd, Gaussian: judge.outputs == 2, Passes: o.Passes, Nets: make([]*mlpNet, o.Members)}
	if linConstant(t.Y) { // nothing to learn: a net of zeros
		net := &mlpTrainee{act: act, direct: nn.NewParam(f.Width, judge.outputs), w: []*nn.Param{nn.NewParam(f.Width, judge.outputs)}, b: []*nn.Param{nn.NewParam(1, judge.outputs)}}
		m.Nets = []*mlpNet{net.freeze()}
		m.Gaussian = false
		return m, nil
	}
	held, outs := make([][]int, o.Members), make([][]float64, o.Members)
	err := mlpAll(o.Members, func(k int) error {
		r := rng.New(seed, "predict/mlp", uint64(k))
		c := &mlpCourse{o: o, x: x, y: y, w: w, width: f.Width, judge: judge}
		var net *mlpTrainee
		if start != nil {
			net, c.onStep = start(k)
		} else {
			net = newMLPTrainee(r, f.Width, o.Width, o.Layers, judge.outputs, act, o.Dropout)
		}
		c.outputs, c.params = net.outputs, net.params()
		var err error
		held[k], outs[k], err = c.run(ctx, r)
		m.Nets[k] = net.freeze()
		return err
	})
	if err != nil {
		return nil, err
	}
	if judge.ranks {
		slope, shift := m.calibrate(x, y, w)
		for _, out := range outs {
			for i := range out {
				out[i] = float64(out[i]*slope) + shift
			}
		}
	}
	if !m.Gaussian {
		m.Noise = m.noise(x, y, w, held, outs)
	}
	return m, nil
}

// mlpAll runs f for each of n members on all cores and returns the first error.
func mlpAll(n int, f func(k int) error) error {
	errs := make([]error, n)
	next := make(chan int, n)
	for k := range n {
		next <- k
	}
	close(next)
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for k := range next {
				errs[k] = f(k)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// calibrate scales the heads so that the mean output, of which only the order
// counted, is the best linear predictor of y.
func (m *mlpModel) calibrate(x, y, w []float64) (slope, shift float64) {
	rows := len(y)
	s := make([]float64, rows)
	for _, n := range m.Nets {
		vec.Axpy(s, 1/float64(len(m.Nets)), n.outputs(x, rows, nil))
	}
	var sw, ms float64
	for i, v := range s {
		sw += w[i]
		ms += float64(w[i] * v)
	}
	ms /= sw
	var ss, sy float64
	for i, v := range s {
		ss += float64(w[i] * float64((v-ms)*(v-ms)))
		sy += float64(w[i] * float64((v-ms)*y[i]))
	}
	if ss > 0 {
		slope = max(sy/ss, 1e-6)
	}
	shift = -float64(slope * ms)
	for _, n := range m.Nets {
		n.scale(slope, shift)
	}
	return slope, shift
}

// scale replaces outputs by slope·output + shift.
func (n *mlpNet) scale(slope, shift float64) {
	for i := range n.Head.W {
		n.Head.W[i] *= slope
	}
	for i := range n.Direct {
		n.Direct[i] *= slope
	}
	for i, b := range n.Head.B {
		n.Head.B[i] = float64(b*slope) + shift
	}
}

// noise returns the mean squared error of members on the rows that they held
// out; without such rows, that of their mean on all rows.
func (m *mlpModel) noise(x, y, w []float64, held [][]int, outs [][]float64) float64 {
	var mse, weight float64
	for k := range m.Nets {
		width := m.Nets[k].Out
		for a, i := range held[k] {
			e := outs[k][a*width] - y[i]
			mse += float64(w[i] * float64(e*e))
			weight += w[i]
		}
	}
	if weight == 0 {
		rows := len(y)
		mean := make([]float64, rows)
		for _, n := range m.Nets {
			vec.Axpy(mean, 1/float64(len(m.Nets)), n.outputs(x, rows, nil))
		}
		for i := range y {
			e := mean[i] - y[i]
			mse += float64(w[i] * float64(e*e))
			weight += w[i]
		}
	}
	return mse / weight
}

// Predict predicts rows.
func (m *mlpModel) Predict(rows, mean, sd []float64) {
	for from := 0; from < len(mean); from += mlpRows {
		to := min(from+mlpRows, len(mean))
		var s []float64
		if sd != nil {
			s = sd[from:to]
		}
		m.predict(rows[from*m.Columns:to*m.Columns], mean[from:to], s, from)
	}
}

func (m *mlpModel) predict(rows, mean, sd []float64, first int) {
	n := len(mean)
	x := m.Form.apply(nil, rows, m.Columns)
	sum, square, noise := make([]float64, n), make([]float64, n), make([]float64, n)
	each := func(out []float64, width int) {
		for i := range n {
			v := out[i*width]
			sum[i] += v
			square[i] += float64(v * v)
			if width == 2 {
				s, _ := mlpVariance(out[2*i+1])
				noise[i] += s
			}
		}
	}
	total := 0.0
	for k, net := range m.Nets {
		if m.Passes == 0 {
			each(net.outputs(x, n, nil), net.Out)
			total++
			continue
		}
		for p := range m.Passes { // the same units drop out for every row
			each(net.masked(x, n, uint64(k*m.Passes+p)), net.Out)
			total++
		}
	}
	for i := range n {
		mu := sum[i] / total
		mean[i] = m.Mean + float64(m.Scale*mu)
		if sd == nil {
			continue
		}
		v := m.Noise + max(square[i]/total-float64(mu*mu), 0)
		if m.Gaussian {
			v += noise[i] / total
		}
		sd[i] = float64(m.Scale * math.Sqrt(v))
	}
}

// masked returns outputs with the units left out that a pass leaves out.
func (n *mlpNet) masked(x []float64, rows int, pass uint64) []float64 {
	out := make([]float64, rows*n.Out)
	for i := range rows {
		o := n.outputs(x[i*n.In:(i+1)*n.In], 1, rng.New(pass, "predict/passes", 0))
		copy(out[i*n.Out:], o)
	}
	return out
}

func (m *mlpModel) saveKind() string   { return "mlp" }
func (m *mlpModel) save(w *saveWriter) { plainSave(w, m) }
func (m *mlpModel) sound() bool {
	if !m.Form.sound(m.Columns) || len(m.Nets) == 0 || m.Passes < 0 {
		return false
	}
	for _, n := range m.Nets {
		if !n.sound() || n.In != m.Form.Width || m.Gaussian && n.Out != 2 {
			return false
		}
	}
	return true
}
