package predict

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/predict/internal/nn"
)

// A Gradient is a model whose prediction can be followed downhill, and that tells
// its ignorance from the noise of the measurements.
type Gradient interface {
	Model
	// Parts writes of every row the mean μ of Predict, the standard deviation σₐ
	// of a measurement (aleatoric), and that of what is not known, σₑ (epistemic).
	Parts(rows, mean, noise, unknown []float64)
	// Bound writes μ − noise·σₐ − unknown·σₑ of every row to value. If grad is
	// not nil, the derivatives by the numbers of the rows are written to it, which
	// is as long as rows; those by categories and by missing values are 0.
	Bound(rows []float64, noise, unknown float64, value, grad []float64)
}

// BOSHNAS is the surrogate of Bayesian optimisation using second-order gradients
// on a heteroscedastic surrogate for neural architecture search (Tuli, Dedhia,
// Tuli and Jha, "FlexiBERT: are current transformer architectures too homogeneous
// and rigid?", 2023). It is three nets:
//
//   - A natural-parameter network (Wang, Shi and Yeung 2016), whose weights and
//     hidden units are normal variables: means and variances go through the layers
//     together, and the likelihood of the target trains both. It gives the mean μ
//     and the noise σₐ of each row.
//   - A teacher with softplus units, of which a share drops out: how much its
//     answers vary is what is not known (Gal and Ghahramani 2016).
//   - A student that learns that variation, σₑ, so that it has a gradient and no
//     chance in it. It is taught on at most 256 rows of the table and on as many
//     whose numbers come from different rows, up to twice as far from the mean,
//     since asking the teacher costs nothing.
//
// Its model is a [Gradient]; the standard deviation that it predicts is
// √(σₐ² + σₑ²). Columns are as for [Ridge]. Unlike the paper's, outputs are not
// squeezed by a sigmoid: the target has mean 0 and standard deviation 1, and
// the first net has the direct way from columns to output that nets of [MLP]
// have. Hidden units of the first net are rectified, whose moments are exact.
//
// Of 100 rows and more each net holds a fifth out and keeps the weights that
// predict these best; fewer are all trained on, which makes μ better (root mean
// square error 0.46 instead of 0.67 on a curved function of 40 rows) and σₐ too
// small. A fit with the defaults takes about 0.2 s, however many rows there are.
type BOSHNAS struct {
	// Width of both hidden layers of the first net, and of the second of the
	// others, whose first is twice as wide; 0 means 32.
	Width int `yaml:"width" default:"32" min:"1" max:"1024" doc:"units of a hidden layer"`
	// Steps is how many batches each net sees at most; 0 means 300.
	Steps int `yaml:"steps" default:"300" min:"1" max:"1000000" doc:"batches a net sees at most"`
	// Batch is the number of rows of one step; 0 means 32.
	Batch int `yaml:"batch" default:"32" min:"1" max:"65536" doc:"rows of a step"`
	// Rate is the first learning rate, of the teacher's twice that; 0 means 0.01.
	Rate float64 `yaml:"rate" default:"0.01" min:">0" max:"10" doc:"first learning rate"`
	// Dropout is the share of the teacher's units left out; 0 means 0.3.
	Dropout float64 `yaml:"dropout" default:"0.3" min:">0" max:"0.9" doc:"share of the teacher's units left out"`
	// Passes is how often the teacher is asked; 0 means 10.
	Passes int `yaml:"passes" default:"10" min:"2" max:"1000" doc:"answers of the teacher whose spread the student learns"`
}

func (o BOSHNAS) check() error {
	var errs []error
	count := func(field string, x, least, most, def int) {
		if x != 0 && (x < least || x > most) {
			errs = append(errs, fmt.Errorf("boshnas: %s: found %d, want %d to %d, or 0 for %d", field, x, least, most, def))
		}
	}
	count("width", o.Width, 1, 1024, 32)
	count("steps", o.Steps, 1, 1_000_000, 300)
	count("batch", o.Batch, 1, 65536, 32)
	count("passes", o.Passes, 2, 1000, 10)
	if !(o.Rate >= 0 && o.Rate <= 10) {
		errs = append(errs, fmt.Errorf("boshnas: rate: found %v, want a number above 0 and at most 10, or 0 for 0.01", o.Rate))
	}
	if !(o.Dropout >= 0 && o.Dropout <= 0.9) {
		errs = append(errs, fmt.Errorf("boshnas: dropout: found %v, want a share above 0 and at most 0.9, or 0 for 0.3", o.Dropout))
	}
	return errors.Join(errs...)
}

// Fit trains the nets, the first beside the other two.
func (o BOSHNAS) Fit(ctx context.Context, t *Table, seed uint64) (Model, error) {
	if err := errors.Join(o.check(), t.Validate(), ctx.Err()); err != nil {
		return nil, err
	}
	o.Width, o.Passes = cmp.Or(o.Width, 32), cmp.Or(o.Passes, 10)
	f := newLinForm(t)
	x := f.apply(nil, t.X, len(t.Columns))
	w, _ := linWeights(t)
	mean, sd := linTarget(t.Y, w)
	m := &bosModel{Columns: len(t.Columns), Form: f, Mean: mean, Scale: sd}
	if linConstant(t.Y) {
		return m, nil // there is nothing to learn
	}
	y := make([]float64, len(t.Y))
	for i := range y {
		y[i] = (t.Y[i] - mean) / sd
	}
	holdout := 0.2
	if len(y) < bosFew {
		holdout = -1
	}
	course := func(rate float64) *mlpCourse {
		return &mlpCourse{
			o: MLP{Steps: cmp.Or(o.Steps, 300), Batch: o.Batch, Rate: float64(cmp.Or(o.Rate, 0.01) * rate), Holdout: holdout}.defaults(),
			x: x, y: y, w: w, width: f.Width,
		}
	}
	err := mlpAll(2, func(k int) error {
		r := rng.New(seed, "predict/boshnas", uint64(k))
		if k == 0 {
			c, net := course(1), newNPN(r, f.Width, o.Width)
			c.judge, c.outputs, c.params = mlpJudge{outputs: 2, loss: npnLoss}, net.outputs, net.params()
			_, _, err := c.run(ctx, r)
			m.Net = net.freeze()
			return err
		}
		c, teacher := course(2), bosNet(r, f.Width, o.Width, cmp.Or(o.Dropout, 0.3))
		c.judge, c.outputs, c.params = mlpJudge{outputs: 1, loss: mlpSquared}, teacher.outputs, teacher.params()
		if _, _, err := c.run(ctx, r); err != nil {
			return err
		}
		c, student := course(1), bosNet(r, f.Width, o.Width, 0)
		c.x, c.w = bosMix(r, x, len(y), f.Width)
		c.y = bosSpread(r, teacher.freeze(), c.x, len(c.w), o.Passes)
		c.judge, c.outputs, c.params = mlpJudge{outputs: 1, loss: bosLoss}, student.outputs, student.params()
		_, _, err := c.run(ctx, r)
		m.Student = student.freeze()
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// bosFew is how many rows are too few to hold any out.
const bosFew = 100

// bosNet is a teacher or a student.
func bosNet(r *rand.Rand, in, width int, dropout float64) *mlpTrainee {
	n := &mlpTrainee{act: nn.Softplus, dropout: dropout, direct: nn.NewParam(in, 1)}
	n.direct.Frozen = true // spread has no trend
	from := in
	for _, l := range []struct {
		out  int
		gain float64
	}{{2 * width, 2}, {width, 2}, {1, 0.1}} {
		w, b := nn.Dense(r, from, l.out, l.gain)
		n.w, n.b = append(n.w, w), append(n.b, b)
		from = l.out
	}
	return n
}

// bosTaught is how many rows of the table a student is taught on at most.
const bosTaught = 256

// bosMix returns rows, and as many whose numbers each come from any row, up to
// twice as far from the mean, and weights of 1.
func bosMix(r *rand.Rand, x []float64, n, width int) (mixed, weights []float64) {
	from := r.Perm(n)[:min(n, bosTaught)]
	for _, i := range from {
		mixed = append(mixed, x[i*width:(i+1)*width]...)
	}
	for range from {
		out := 1 + r.Float64()
		for range width {
			mixed = append(mixed, 0)
		}
		row := mixed[len(mixed)-width:]
		for j := range row {
			row[j] = float64(out * x[r.IntN(n)*width+j])
		}
	}
	return mixed, slices.Repeat([]float64{1}, 2*len(from))
}

// bosSpread returns how much the answers of the teacher to each row vary.
func bosSpread(r *rand.Rand, teacher *mlpNet, x []float64, rows, passes int) []float64 {
	sum, square := make([]float64, rows), make([]float64, rows)
	for range passes {
		for i, v := range teacher.outputs(x, rows, r) {
			sum[i] += v
			square[i] += float64(v * v)
		}
	}
	for i := range sum {
		mean := sum[i] / float64(passes)
		sum[i] = math.Sqrt(max(square[i]/float64(passes)-float64(mean*mean), 0))
	}
	return sum
}

// bosLoss is half the squared error of a student, which answers ln(1+eˣ).
func bosLoss(out, grad, y, w []float64) (loss float64) {
	total := mlpSum(w)
	for i, v := range y {
		s, ds := nn.Softplus.Value(out[i])
		loss += float64(w[i] * 0.5 * float64((s-v)*(s-v)))
		if grad != nil {
			grad[i] = float64(w[i] * float64((s-v)*ds) / total)
		}
	}
	return loss / total
}

// npnLoss is [mlpGaussian] of outputs that are mean and variance.
func npnLoss(out, grad, y, w []float64) (loss float64) {
	total := mlpSum(w)
	for i, t := range y {
		v := out[2*i+1] + mlpFloor
		e := out[2*i] - t
		loss += float64(w[i] * 0.5 * (float64(e*e)/v + detmath.Log(v)))
		if grad != nil {
			s := float64(w[i]*math.Sqrt(v)) / total
			grad[2*i] = float64(s * e / v)
			grad[2*i+1] = float64(s * 0.5 * (1/v - float64(e*e)/float64(v*v)))
		}
	}
	return loss / total
}

// A npnNet is the weights of a natural-parameter network, the head last: means
// W and B, and variances ln(1+eˢ) of them. Direct has no variance.
type npnNet struct {
	In     int
	Layers []npnLayer
	Direct []float64
}

type npnLayer struct {
	In, Out   int
	W, B      []float64
	SpreadOfW []float64
	SpreadOfB []float64
}

func (n *npnNet) sound() bool {
	if n == nil || n.In < 0 || len(n.Direct) != n.In || len(n.Layers) == 0 {
		return false
	}
	in := n.In
	for _, l := range n.Layers {
		if l.In != in || l.Out < 1 || len(l.W) != l.In*l.Out || len(l.SpreadOfW) != len(l.W) || len(l.B) != l.Out || len(l.SpreadOfB) != l.Out {
			return false
		}
		in = l.Out
	}
	return in == 1
}

// A npn is a network at work.
type npn struct {
	layers []npnWork
	direct *nn.Param
}

type npnWork struct {
	w, b   *nn.Param // means
	sw, sb *nn.Param // what variances are made of
	vw, vb *nn.Param // variances
	square *nn.Param // of the means of weights
}

func newNPN(r *rand.Rand, in, width int) *npn {
	n := &npn{direct: nn.NewParam(in, 1)}
	from := in
	for _, l := range []struct {
		out          int
		gain, spread float64
	}{{width, 2, -5}, {width, 2, -5}, {1, 0.1, -3.5}} {
		var k npnWork
		k.w, k.b = nn.Dense(r, from, l.out, l.gain)
		k.sw, k.sb = nn.NewParam(from, l.out), nn.NewParam(1, l.out)
		for i := range k.sw.W {
			k.sw.W[i] = l.spread + float64(0.1*rng.Norm(r))
		}
		for i := range k.sb.W {
			k.sb.W[i] = l.spread
		}
		n.layers = append(n.layers, k)
		from = l.out
	}
	n.derive()
	return n
}

// derive makes room for variances and squares, and computes them.
func (n *npn) derive() {
	for i := range n.layers {
		k := &n.layers[i]
		k.sw.NoDecay, k.sb.NoDecay = true, true
		k.sw.Rate, k.sb.Rate = npnRate, npnRate
		k.vw, k.vb, k.square = nn.NewParam(k.w.Rows, k.w.Cols), nn.NewParam(1, k.w.Cols), nn.NewParam(k.w.Rows, k.w.Cols)
	}
	n.refresh()
}

func (n *npn) refresh() {
	for _, k := range n.layers {
		for i, v := range k.w.W {
			k.square.W[i] = float64(v * v)
			k.vw.W[i] = nn.SoftplusOf(k.sw.W[i])
		}
		for i, v := range k.sb.W {
			k.vb.W[i] = nn.SoftplusOf(v)
		}
	}
}

// chain hands the gradients of variances and squares on.
func (n *npn) chain() {
	for _, k := range n.layers {
		for i, g := range k.square.G {
			k.w.G[i] += float64(2 * float64(k.w.W[i]*g))
			k.sw.G[i] += float64(k.vw.G[i] * nn.Sigmoid(k.sw.W[i]))
		}
		for i, g := range k.vb.G {
			k.sb.G[i] += float64(g * nn.Sigmoid(k.sb.W[i]))
		}
		clear(k.square.G)
		clear(k.vw.G)
		clear(k.vb.G)
	}
}

func (n *npn) params() []*nn.Param {
	all := []*nn.Param{n.direct}
	for _, k := range n.layers {
		all = append(all, k.w, k.b, k.sw, k.sb)
	}
	return all
}

// outputs are mean and variance side by side, for training.
func (n *npn) outputs(t *nn.Tape, x *nn.Node, _ *rand.Rand) *nn.Node {
	n.refresh()
	t.Op(0, 0, true, n.chain) // the first on the tape is the last to be played back
	mean, variance := n.forward(t, x)
	return t.Concat(mean, variance)
}

// forward computes the layers of Wang, Shi and Yeung for the normal distribution:
// of weights with mean w and variance u, and inputs with m and s, a sum has the
// mean m·w and the variance (m² + s)·u + s·w². Rows themselves are certain.
func (n *npn) forward(t *nn.Tape, x *nn.Node) (mean, variance *nn.Node) {
	mean = x
	for i, k := range n.layers {
		if i > 0 {
			mean, variance = npnReLU(t, mean, variance)
		}
		v := t.Linear(npnMoment(t, mean, variance), k.vw, k.vb)
		if variance != nil {
			v = t.Add(v, t.Linear(variance, k.square, nil))
		}
		mean, variance = t.Linear(mean, k.w, k.b), v
	}
	return t.Add(mean, t.Linear(x, n.direct, nil)), variance
}

// npnMoment returns mean² + variance; a nil variance is 0.
func npnMoment(t *nn.Tape, mean, variance *nn.Node) *nn.Node {
	grad := mean.G != nil || variance != nil && variance.G != nil
	y := t.Op(mean.R, mean.C, grad, nil)
	for i, m := range mean.V {
		y.V[i] = float64(m * m)
		if variance != nil {
			y.V[i] += variance.V[i]
		}
	}
	if grad {
		y.SetBack(func() {
			for i, g := range y.G {
				if mean.G != nil {
					mean.G[i] += float64(2 * float64(mean.V[i]*g))
				}
				if variance != nil && variance.G != nil {
					variance.G[i] += g
				}
			}
		})
	}
	return y
}

// npnReLU returns mean and variance of max(0, z) for normal z.
func npnReLU(t *nn.Tape, mean, variance *nn.Node) (m, v *nn.Node) {
	grad := mean.G != nil || variance.G != nil
	m, v = t.Op(mean.R, mean.C, grad, nil), t.Op(mean.R, mean.C, grad, nil)
	var above, density []float64 // Φ(μ/σ), φ(μ/σ)/σ
	if grad {
		above, density = t.Floats(len(mean.V)), t.Floats(len(mean.V))
	}
	for i, mu := range mean.V {
		s := math.Sqrt(variance.V[i])
		c := mu / s
		p := detmath.Phi(c)
		d := float64(invSqrt2Pi * detmath.Exp(-0.5*float64(c*c)))
		y := float64(mu*p) + float64(s*d)
		m.V[i] = max(y, 0)
		v.V[i] = max(float64((float64(mu*mu)+variance.V[i])*p)+float64(float64(mu*s)*d)-float64(y*y), npnLeast)
		if grad {
			above[i], density[i] = p, d/s
		}
	}
	if grad {
		v.SetBack(func() {
			for i, g := range v.G {
				if mean.G != nil {
					mean.G[i] += float64(g * float64(float64(2*m.V[i])*(1-above[i])))
				}
				if variance.G != nil {
					variance.G[i] += float64(g * (above[i] - float64(m.V[i]*density[i])))
				}
			}
		})
		m.SetBack(func() {
			for i, g := range m.G {
				if mean.G != nil {
					mean.G[i] += float64(g * above[i])
				}
				if variance.G != nil {
					variance.G[i] += float64(g * float64(0.5*density[i]))
				}
			}
		})
	}
	return m, v
}

const (
	npnRate    = 10                               // factor of the rate of variances, whose logarithms have far to go
	invSqrt2Pi = 0.398942280401432677939946059934 // 1/√(2π)
	npnLeast   = 1e-12                            // variance of a hidden unit, so that it can be divided by
)

func (n *npn) freeze() *npnNet {
	net := &npnNet{In: n.direct.Rows, Direct: slices.Clone(n.direct.W)}
	for _, k := range n.layers {
		net.Layers = append(net.Layers, npnLayer{
			In: k.w.Rows, Out: k.w.Cols, W: slices.Clone(k.w.W), B: slices.Clone(k.b.W),
			SpreadOfW: slices.Clone(k.sw.W), SpreadOfB: slices.Clone(k.sb.W),
		})
	}
	return net
}

// work returns a network that computes and does not learn.
func (n *npnNet) work() *npn {
	param := func(rows, cols int, w []float64) *nn.Param {
		return &nn.Param{Rows: rows, Cols: cols, W: w, Frozen: true}
	}
	out := &npn{direct: param(n.In, 1, n.Direct)}
	for _, l := range n.Layers {
		out.layers = append(out.layers, npnWork{
			w: param(l.In, l.Out, l.W), b: param(1, l.Out, l.B), sw: param(l.In, l.Out, l.SpreadOfW), sb: param(1, l.Out, l.SpreadOfB),
		})
	}
	out.derive()
	for _, k := range out.layers {
		k.vw.Frozen, k.vb.Frozen, k.square.Frozen = true, true, true
	}
	return out
}

type bosModel struct {
	Columns     int
	Form        *linForm
	Net         *npnNet // nil if the target never changed
	Student     *mlpNet
	Mean, Scale float64
	pool        sync.Pool // of *bosWork
}

// A bosWork is what one goroutine computes with.
type bosWork struct {
	tape    *nn.Tape
	net     *npn
	student *mlpTrainee
	x       []float64
}

func (m *bosModel) work() *bosWork {
	if w, ok := m.pool.Get().(*bosWork); ok {
		w.tape.Reset()
		return w
	}
	w := &bosWork{tape: nn.NewTape(), net: m.Net.work(), student: m.Student.thaw()}
	for _, p := range w.student.params() {
		p.Frozen = true
	}
	return w
}

// each computes blocks of rows: what is standardised of μ, σₐ² and, before
// softplus, σₑ.
func (m *bosModel) each(rows []float64, n int, grad bool, f func(from int, x, mean, variance, spread *nn.Node, t *nn.Tape)) {
	w := m.work()
	defer m.pool.Put(w)
	for from := 0; from < n; from += mlpRows {
		to := min(from+mlpRows, n)
		w.tape.Reset()
		w.x = m.Form.apply(w.x, rows[from*m.Columns:to*m.Columns], m.Columns)
		x := w.tape.Op(to-from, m.Form.Width, grad, nil)
		copy(x.V, w.x)
		mean, variance := w.net.forward(w.tape, x)
		f(from, x, mean, variance, w.student.outputs(w.tape, x, nil), w.tape)
	}
}

// Predict predicts rows.
func (m *bosModel) Predict(rows, mean, sd []float64) {
	unknown := make([]float64, len(sd))
	noise := sd
	if sd == nil {
		noise, unknown = make([]float64, len(mean)), make([]float64, len(mean))
	}
	m.Parts(rows, mean, noise, unknown)
	for i, e := range unknown {
		a := noise[i] / m.Scale
		e /= m.Scale
		noise[i] = float64(m.Scale * math.Sqrt(float64(a*a)+float64(e*e)))
	}
}

// Parts implements [Gradient].
func (m *bosModel) Parts(rows, mean, noise, unknown []float64) {
	if m.Net == nil {
		for i := range mean {
			mean[i] = m.Mean
		}
		clear(noise)
		clear(unknown)
		return
	}
	m.each(rows, len(mean), false, func(from int, _, mu, variance, spread *nn.Node, _ *nn.Tape) {
		for i, v := range mu.V {
			mean[from+i] = m.Mean + float64(m.Scale*v)
			noise[from+i] = float64(m.Scale * math.Sqrt(variance.V[i]+mlpFloor))
			unknown[from+i] = float64(m.Scale * nn.SoftplusOf(spread.V[i]))
		}
	})
}

// Bound implements [Gradient].
func (m *bosModel) Bound(rows []float64, noise, unknown float64, value, grad []float64) {
	clear(grad)
	if m.Net == nil {
		for i := range value {
			value[i] = m.Mean
		}
		return
	}
	m.each(rows, len(value), grad != nil, func(from int, x, mu, variance, spread *nn.Node, t *nn.Tape) {
		for i, v := range mu.V {
			a := math.Sqrt(variance.V[i] + mlpFloor)
			s, ds := nn.Softplus.Value(spread.V[i])
			value[from+i] = m.Mean + float64(m.Scale*(v-float64(noise*a)-float64(unknown*s)))
			if grad != nil {
				mu.G[i] = m.Scale
				variance.G[i] = -float64(m.Scale*noise) / (2 * a)
				spread.G[i] = -float64(m.Scale * float64(unknown*ds))
			}
		}
		if grad == nil {
			return
		}
		t.Backward()
		for i := range x.R {
			row, g := rows[(from+i)*m.Columns:], x.GradRow(i)
			for k := range m.Form.Cols {
				if c := &m.Form.Cols[k]; len(c.Slot) == 0 && !math.IsNaN(row[c.From]) {
					grad[(from+i)*m.Columns+c.From] = float64(g[c.To] * c.Scale)
				}
			}
		}
	})
}

func (m *bosModel) saveKind() string   { return "boshnas" }
func (m *bosModel) save(w *saveWriter) { plainSave(w, m) }
func (m *bosModel) columnCount() int   { return m.Columns }
func (m *bosModel) sound() bool {
	return m.Form.sound(m.Columns) && (m.Net == nil && m.Student == nil ||
		m.Net.sound() && m.Net.In == m.Form.Width && m.Student.sound() && m.Student.In == m.Form.Width && m.Student.Out == 1)
}

var _ Gradient = (*bosModel)(nil)
