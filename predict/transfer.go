package predict

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/predict/internal/nn"
)

// Transfer learns a task from a few labels with a model of another task, in the
// manner of AIO-P (Mills et al., "AIO-P: expanding neural performance predictors
// beyond image classification", 2022): the other model, the backbone, stays as
// it is, and beside each of its nets grows an adapter, a narrow net whose layer l
// reads the backbone's hidden layer l and the adapter's layer before. The
// prediction is
//
//	y = d·(the backbone's prediction) + head(adapter, last hidden layer),
//
// with both targets scaled to mean 0 and standard deviation 1, d beginning at 1
// and the head at 0. So with no label at all the order is the backbone's. A
// model made here can be the backbone of the next task, whose adapters then read
// these adapters too.
//
// Tables must have the backbone's columns; spaces share them by an encoding of
// what designs have in common, such as the counts and paths of [WLHistogram] and
// [Paths].
//
// The standard deviation is as for [MLP].
type Transfer struct {
	// Backbone is a model of [MLP] with one output, of [Pretrained], or of
	// Transfer.
	Backbone Model `yaml:"-"`
	// Width of the adapter's layers; 0 means 8.
	Width int `yaml:"width" default:"8" min:"1" max:"1024" doc:"units of an adapter's layer"`
	// Whole trains all weights of the backbone's nets instead, from where they
	// are: plain fine-tuning, for comparison.
	Whole bool `yaml:"whole" doc:"train a copy of the whole backbone instead of adapters"`
	// Steps is how many batches an adapter sees at most; 0 means 400.
	Steps int `yaml:"steps" default:"400" min:"1" max:"10000000" doc:"batches an adapter sees at most"`
	// Rate is the first learning rate; 0 means 0.001.
	Rate float64 `yaml:"rate" default:"0.001" min:">0" max:"10" doc:"first learning rate"`
	// Decay is the weight decay; 0 means 1, below 0 none.
	Decay float64 `yaml:"decay" default:"1" doc:"weight decay; below 0 means none"`
}

// A transferBase is a model whose nets can be read.
type transferBase interface {
	Model
	transferForm() (*linForm, int)
	transferMembers() int
	// transferRead returns what member k makes of formed rows: for each layer its
	// values, then the output alone.
	transferRead(k int, x []float64, rows int) [][]float64
}

func (m *mlpModel) transferForm() (*linForm, int) { return m.Form, m.Columns }
func (m *mlpModel) transferMembers() int          { return len(m.Nets) }

func (m *mlpModel) transferRead(k int, x []float64, rows int) [][]float64 {
	n := m.Nets[k]
	var out [][]float64
	h := x
	for i := range n.Layers {
		y := make([]float64, rows*n.Layers[i].Out)
		n.Layers[i].apply(y, h, rows)
		n.Act.Apply(y)
		out = append(out, y)
		h = y
	}
	y := make([]float64, rows*n.Out)
	n.Head.apply(y, h, rows)
	nn.Multiply(y, x, n.Direct, n.In, n.Out)
	if n.Out > 1 {
		for i := range rows {
			y[i] = y[i*n.Out]
		}
		y = y[:rows]
	}
	return append(out, y)
}

type transferModel struct {
	Base        Model
	Mean, Scale float64
	Noise       float64
	Adapters    []*transferNet
}

// A transferNet is an adapter: layers, and a head that reads the last of them,
// the backbone's last layer and, by D, its output.
type transferNet struct {
	Act    nn.Activation
	Layers []mlpLayer
	Head   mlpLayer
	D      float64
}

// read returns the adapter's layers and its output.
func (a *transferNet) read(base [][]float64, rows int) [][]float64 {
	var out [][]float64
	var last []float64
	for l := range a.Layers {
		y := make([]float64, rows*a.Layers[l].Out)
		a.Layers[l].apply(y, transferJoin(rows, base[l], last), rows)
		a.Act.Apply(y)
		out = append(out, y)
		last = y
	}
	y := make([]float64, rows)
	deepest := base[max(len(base)-2, 0)]
	a.Head.apply(y, transferJoin(rows, last, deepest), rows)
	for i := range y {
		y[i] += float64(a.D * base[len(base)-1][i])
	}
	return append(out, y)
}

// transferJoin puts matrices side by side.
func transferJoin(rows int, xs ...[]float64) []float64 {
	var out []float64
	for i := range rows {
		for _, x := range xs {
			c := len(x) / rows
			out = append(out, x[i*c:(i+1)*c]...)
		}
	}
	return out
}

func (m *transferModel) base() transferBase            { return m.Base.(transferBase) }
func (m *transferModel) transferForm() (*linForm, int) { return m.base().transferForm() }
func (m *transferModel) transferMembers() int          { return len(m.Adapters) }

func (m *transferModel) transferRead(k int, x []float64, rows int) [][]float64 {
	base := m.base().transferRead(k, x, rows)
	mine := m.Adapters[k].read(base, rows)
	return append(slices.Clone(base[:len(base)-1]), mine...)
}

func (o Transfer) check() error {
	switch {
	case o.Backbone == nil:
		return errors.New("transfer: backbone: found none, want a model of MLP, Pretrained or Transfer")
	case o.Width < 0 || o.Width > 1024:
		return fmt.Errorf("transfer: width: found %d, want 1 to 1024, or 0 for 8", o.Width)
	case o.Steps < 0 || o.Steps > 10_000_000:
		return fmt.Errorf("transfer: steps: found %d, want 1 to 10000000, or 0 for 400", o.Steps)
	case !(o.Rate >= 0 && o.Rate <= 10):
		return fmt.Errorf("transfer: rate: found %v, want a number above 0 and at most 10, or 0 for 0.001", o.Rate)
	case math.IsNaN(o.Decay) || o.Decay > 100:
		return fmt.Errorf("transfer: decay: found %v, want at most 100", o.Decay)
	}
	return nil
}

// Fit trains the adapters.
func (o Transfer) Fit(ctx context.Context, t *Table, seed uint64) (Model, error) {
	if err := errors.Join(o.check(), t.Validate(), ctx.Err()); err != nil {
		return nil, err
	}
	base, ok := o.Backbone.(transferBase)
	if !ok {
		return nil, fmt.Errorf("transfer: backbone: found a %T, want a model of MLP, Pretrained or Transfer", o.Backbone)
	}
	form, columns := base.transferForm()
	if len(t.Columns) != columns {
		return nil, fmt.Errorf("transfer: %d columns; the backbone was trained on %d", len(t.Columns), columns)
	}
	course := MLP{Steps: cmp.Or(o.Steps, 400), Rate: cmp.Or(o.Rate, 0.001), Decay: cmp.Or(o.Decay, 1), Members: base.transferMembers()}
	if o.Whole {
		m, ok := base.(*mlpModel)
		if !ok || m.Gaussian {
			return nil, fmt.Errorf("transfer: whole: found a backbone of %T, want one of MLP with one output", base)
		}
		return course.fitForm(ctx, t, form, seed, func(k int) (*mlpTrainee, func(int, *nn.Adam)) { return m.Nets[k].thaw(), nil })
	}
	course = course.defaults()
	x := form.apply(nil, t.X, columns)
	w, _ := linWeights(t)
	mean, sd := linTarget(t.Y, w)
	n := len(t.Y)
	m := &transferModel{Base: base, Mean: mean, Scale: sd, Adapters: make([]*transferNet, base.transferMembers())}
	y := make([]float64, n)
	for i, v := range t.Y {
		y[i] = (v - mean) / sd
	}
	flat := linConstant(t.Y)
	noise := make([]float64, len(m.Adapters))
	err := mlpAll(len(m.Adapters), func(k int) error {
		r := rng.New(seed, "predict/transfer", uint64(k))
		parts := base.transferRead(k, x, n)
		a := newTransferTrainee(r, parts, n, cmp.Or(o.Width, 8))
		if flat {
			a.d.W[0] = 0
			m.Adapters[k] = a.freeze()
			return nil
		}
		all := transferJoin(n, parts...)
		c := &mlpCourse{o: course, x: all, y: y, w: w, width: len(all) / n, judge: mlpJudge{1, false, mlpSquared}, outputs: a.outputs, params: a.params()}
		held, out, err := c.run(ctx, r)
		if err != nil {
			return err
		}
		m.Adapters[k] = a.freeze()
		if len(held) == 0 {
			out = m.Adapters[k].read(parts, n)[len(a.w)]
			for i := range n {
				held = append(held, i)
			}
		}
		for i, row := range held {
			e := out[i] - y[row]
			noise[k] += float64(e*e) / float64(len(held))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, v := range noise {
		m.Noise += v / float64(len(noise))
	}
	return m, ctx.Err()
}

// A transferTrainee is an adapter that learns. Its input is the parts of the
// backbone side by side.
type transferTrainee struct {
	from, to []int // of each part
	w, b     []*nn.Param
	hw, hb   *nn.Param
	d        *nn.Param
}

func newTransferTrainee(r *rand.Rand, parts [][]float64, rows, width int) *transferTrainee {
	a := &transferTrainee{d: nn.NewParam(1, 1)}
	a.d.W[0], a.d.NoDecay = 1, true
	at, last := 0, 0
	for l, p := range parts {
		c := len(p) / rows
		a.from, a.to = append(a.from, at), append(a.to, at+c)
		at += c
		if l == len(parts)-1 {
			break
		}
		w, b := nn.Dense(r, c+last, width, 1)
		a.w, a.b = append(a.w, w), append(a.b, b)
		last = width
	}
	deepest := len(parts[max(len(parts)-2, 0)]) / rows
	a.hw, a.hb = nn.NewParam(last+deepest, 1), nn.NewParam(1, 1)
	a.hb.NoDecay = true
	return a
}

func (a *transferTrainee) params() []*nn.Param {
	return append(append(slices.Clone(a.w), a.b...), a.hw, a.hb, a.d)
}

func (a *transferTrainee) outputs(t *nn.Tape, x *nn.Node, _ *rand.Rand) *nn.Node {
	part := func(l int) *nn.Node {
		v := t.Floats(x.R * (a.to[l] - a.from[l]))
		c := a.to[l] - a.from[l]
		for i := range x.R {
			copy(v[i*c:(i+1)*c], x.Row(i)[a.from[l]:a.to[l]])
		}
		return t.Input(x.R, v)
	}
	read := []*nn.Node{}
	var last *nn.Node
	for l := range a.w {
		in := part(l)
		if last != nil {
			in = t.Concat(in, last)
		}
		last = t.Act(t.Linear(in, a.w[l], a.b[l]), nn.SiLU)
	}
	if last != nil {
		read = append(read, last)
	}
	read = append(read, part(max(len(a.from)-2, 0)))
	return t.Add(t.Linear(t.Concat(read...), a.hw, a.hb), t.Linear(part(len(a.from)-1), a.d, nil))
}

func (a *transferTrainee) freeze() *transferNet {
	layer := func(w, b *nn.Param) mlpLayer {
		return mlpLayer{w.Rows, w.Cols, slices.Clone(w.W), slices.Clone(b.W)}
	}
	n := &transferNet{Act: nn.SiLU, Head: layer(a.hw, a.hb), D: a.d.W[0]}
	for l := range a.w {
		n.Layers = append(n.Layers, layer(a.w[l], a.b[l]))
	}
	return n
}

// Predict predicts rows.
func (m *transferModel) Predict(rows, mean, sd []float64) {
	form, columns := m.transferForm()
	for from := 0; from < len(mean); from += mlpRows {
		n := min(mlpRows, len(mean)-from)
		x := form.apply(nil, rows[from*columns:(from+n)*columns], columns)
		sum, square := make([]float64, n), make([]float64, n)
		for k := range m.Adapters {
			parts := m.transferRead(k, x, n)
			for i, v := range parts[len(parts)-1] {
				sum[i] += v
				square[i] += float64(v * v)
			}
		}
		total := float64(len(m.Adapters))
		for i := range n {
			mu := sum[i] / total
			mean[from+i] = m.Mean + float64(m.Scale*mu)
			if sd != nil {
				sd[from+i] = float64(m.Scale * math.Sqrt(m.Noise+max(square[i]/total-float64(mu*mu), 0)))
			}
		}
	}
}

func (m *transferModel) saveKind() string   { return "transfer" }
func (m *transferModel) save(w *saveWriter) { plainSave(w, m) }

func (m *transferModel) sound() bool {
	base, ok := m.Base.(transferBase)
	if !ok || len(m.Adapters) == 0 || len(m.Adapters) != base.transferMembers() {
		return false
	}
	form, _ := base.transferForm()
	for k, a := range m.Adapters {
		if a == nil || a.Act < 0 || a.Act >= nn.Activations {
			return false
		}
		parts := base.transferRead(k, make([]float64, form.Width), 1)
		if len(a.Layers) != len(parts)-1 {
			return false
		}
		last := 0
		for l := range a.Layers {
			if !a.Layers[l].sound(len(parts[l]) + last) {
				return false
			}
			last = a.Layers[l].Out
		}
		if !a.Head.sound(last+len(parts[max(len(parts)-2, 0)])) || a.Head.Out != 1 {
			return false
		}
	}
	return true
}
