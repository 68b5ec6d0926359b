package predict

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/predict/internal/nn"
)

// Pretrain learns an encoder from what is free: statistics such as operations
// and parameters of designs that nobody trained, as FBNetV3 does (Dai et al.
// 2020). What it returns is a [Learner] that needs fewer labels:
//
//	pre, err := predict.Pretrain{}.Fit(ctx, columns, rows, [][]float64{flops, params}, seed)
//	model, err := pre.Fit(ctx, labelled, seed)
//
// The nets of the [MLP] are trained with a head for each statistic. For the
// target they get a new head; only that learns in the first steps, then all
// weights, at a tenth of the rate.
type Pretrain struct {
	// Net is the ensemble and how it is trained to the statistics. Its Loss is
	// "squared", the default, or "huber".
	Net MLP `yaml:"net" doc:"the nets and how they learn statistics"`
	// Tune is how the nets are trained to the target; layers and members are
	// those of Net. The zero value is the one of Net with "huber" loss.
	Tune MLP `yaml:"tune" doc:"how the nets learn the target"`
	// Frozen is the share of the steps in which only the head learns; 0 means
	// 0.3.
	Frozen float64 `yaml:"frozen" default:"0.3" min:">0" max:"1" doc:"share of the steps in which only the head learns"`
	// Thaw is the factor of the learning rate of the other weights afterwards; 0
	// means 0.1.
	Thaw float64 `yaml:"thaw" default:"0.1" min:">0" max:"1" doc:"factor of the learning rate of pretrained weights"`
}

// A Pretrained is an encoder that was learned from statistics. It is a
// [Learner].
type Pretrained struct {
	columns []Column
	form    *linForm
	nets    []*mlpNet
	tune    MLP
	frozen  float64
	thaw    float64
}

func (o Pretrain) check() error {
	var errs []error
	for _, m := range []MLP{o.Net, o.Tune} {
		errs = append(errs, m.check())
	}
	if l := o.Net.Loss; l != "" && l != "squared" && l != "huber" {
		errs = append(errs, fmt.Errorf("pretrain: net: loss: found %q, want squared or huber", l))
	}
	if !(o.Frozen >= 0 && o.Frozen <= 1) {
		errs = append(errs, fmt.Errorf("pretrain: frozen: found %v, want a share above 0, or 0 for 0.3", o.Frozen))
	}
	if !(o.Thaw >= 0 && o.Thaw <= 1) {
		errs = append(errs, fmt.Errorf("pretrain: thaw: found %v, want a factor above 0 and at most 1, or 0 for 0.1", o.Thaw))
	}
	return errors.Join(errs...)
}

// Fit trains the encoder to statistics of rows, one list for each.
func (o Pretrain) Fit(ctx context.Context, columns []Column, rows []float64, statistics [][]float64, seed uint64) (*Pretrained, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if len(statistics) == 0 {
		return nil, errors.New("pretrain: no statistics; expected one at least")
	}
	for i, s := range statistics {
		if err := (&Table{Columns: columns, X: rows, Y: s}).Validate(); err != nil {
			return nil, fmt.Errorf("pretrain: statistic %d: %w", i, err)
		}
	}
	t := &Table{Columns: columns, X: rows, Y: statistics[0]}
	f := newLinForm(t)
	n, k := t.Rows(), len(statistics)
	w, _ := linWeights(t)
	y := make([]float64, n*k)
	for a, s := range statistics {
		mean, sd := linTarget(s, w)
		for i, v := range s {
			y[i*k+a] = (v - mean) / sd
		}
	}
	net := o.Net.defaults()
	act, _ := mlpActivation(net.Activation)
	delta := net.Delta
	if net.Loss != "huber" {
		delta = math.Inf(1)
	}
	p := &Pretrained{columns: columns, form: f, nets: make([]*mlpNet, net.Members), tune: o.Tune, frozen: o.Frozen, thaw: o.Thaw}
	if p.tune == (MLP{}) {
		p.tune = o.Net
		p.tune.Loss = "huber"
	}
	p.tune.Members, p.tune.Layers, p.tune.Width, p.tune.Activation = o.Net.Members, o.Net.Layers, o.Net.Width, o.Net.Activation
	if p.frozen == 0 {
		p.frozen = 0.3
	}
	if p.thaw == 0 {
		p.thaw = 0.1
	}
	x := f.apply(nil, rows, len(columns))
	// A course knows one target a row: the row's number, by which the others are
	// found.
	number := make([]float64, n)
	for i := range number {
		number[i] = float64(i)
	}
	judge := mlpJudge{outputs: k, loss: func(out, grad, row, w []float64) (loss float64) {
		total := mlpSum(w) * float64(k)
		for i, r := range row {
			for a := range k {
				e := out[i*k+a] - y[int(r)*k+a]
				g := min(max(e, -delta), delta)
				loss += float64(w[i] * float64(g*(e-float64(g/2))))
				if grad != nil {
					grad[i*k+a] = float64(w[i] * g / total)
				}
			}
		}
		return loss / total
	}}
	err := mlpAll(net.Members, func(m int) error {
		r := rng.New(seed, "predict/pretrain", uint64(m))
		trainee := newMLPTrainee(r, f.Width, net.Width, net.Layers, k, act, net.Dropout)
		trainee.direct.Frozen = true // the hidden layers must do it all
		c := &mlpCourse{o: net, x: x, y: number, w: w, width: f.Width, judge: judge, outputs: trainee.outputs, params: trainee.params()}
		_, _, err := c.run(ctx, r)
		p.nets[m] = trainee.freeze()
		return err
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Fit trains the nets to the target of a table with the columns that they were
// pretrained on.
func (p *Pretrained) Fit(ctx context.Context, t *Table, seed uint64) (Model, error) {
	if err := errors.Join(t.Validate(), ctx.Err()); err != nil {
		return nil, err
	}
	if len(t.Columns) != len(p.columns) {
		return nil, fmt.Errorf("pretrain: %d columns; the nets were pretrained on %d", len(t.Columns), len(p.columns))
	}
	judge, err := mlpLoss(p.tune.Loss, 1)
	if err != nil {
		return nil, err
	}
	return p.tune.fitForm(ctx, t, p.form, seed, func(k int) (*mlpTrainee, func(int, *nn.Adam)) {
		net := p.nets[k].thaw()
		net.dropout = p.tune.Dropout
		r := rng.New(seed, "predict/pretrained", uint64(k))
		last := len(net.w) - 1
		net.w[last], net.b[last] = nn.Dense(r, net.w[last].Rows, judge.outputs, 0.1)
		net.direct = nn.NewParam(p.form.Width, judge.outputs)
		return net, net.thawing(p.tune.defaults().Steps, p.frozen, p.thaw)
	})
}

// thawing freezes all but the head for a share of the steps and then lets the
// rest learn at a share of the rate.
func (n *mlpTrainee) thawing(steps int, frozen, rate float64) func(step int, a *nn.Adam) {
	last := len(n.w) - 1
	until := int(float64(float64(steps) * frozen))
	return func(step int, a *nn.Adam) {
		for i := range last {
			n.w[i].Frozen, n.b[i].Frozen = step < until, step < until
			n.w[i].Rate, n.b[i].Rate = rate, rate
		}
	}
}
