package predict

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/predict/hnsw"
	"github.com/daedalus-search/daedalus/predict/internal/nn"
	"github.com/daedalus-search/daedalus/predict/internal/vec"
)

// Retrieval is TabR (Gorishniy et al., "TabR: tabular deep learning meets
// nearest neighbors", 2023): a net that looks up the rows most like the one it
// is asked about, among an archive that may grow without training.
//
// With x̃ the encoded row, k = K(x̃) its key and kⱼ, yⱼ those of the archive,
//
//	sⱼ = softmax(ln wⱼ − ‖k − kⱼ‖²) over the Neighbors nearest,
//	x̃ += Σ sⱼ (W_Y yⱼ + T(k − kⱼ)),  T = linear, rectifier, linear,
//
// then one residual block and a linear head. In training a row retrieves neither
// itself nor rows equal to it, whose targets would tell it its own, as what is
// missing from their mean. The encoder is linear, the paper's TabR-S, and there is a direct way
// from the columns to the output, as in [MLP].
//
// The last layer of T is applied after the sum, which is the same and takes one
// product a row rather than one a pair. A step retrieves among at most 512
// training rows drawn for it, a prediction among the whole archive: from 8,192
// rows on by a graph (package hnsw), with the last rows, up to 4,096, looked
// through one by one.
//
// The prediction and its standard deviation are as for [MLP]. The model is an
// [Extender]: further rows are encoded and join the archive.
type Retrieval struct {
	// Members is how many nets there are; 0 means 5.
	Members int `yaml:"members" default:"5" min:"1" max:"100" doc:"nets of the ensemble"`
	// Width of the encoding; 0 means 32.
	Width int `yaml:"width" default:"32" min:"1" max:"1024" doc:"numbers of an encoded row"`
	// Neighbors is how many rows are retrieved; 0 means 96.
	Neighbors int `yaml:"neighbors" default:"96" min:"1" max:"10000" doc:"rows retrieved"`
	// Steps is how many batches a net sees at most; 0 means 1000.
	Steps int `yaml:"steps" default:"1000" min:"1" max:"10000000" doc:"batches a net sees at most"`
	// Batch is the number of rows of one step; 0 means 32.
	Batch int `yaml:"batch" default:"32" min:"1" max:"65536" doc:"rows of a step"`
	// Rate is the first learning rate; 0 means 0.003.
	Rate float64 `yaml:"rate" default:"0.003" min:">0" max:"10" doc:"first learning rate"`
	// Decay is the weight decay; 0 means 0.01, below 0 none.
	Decay float64 `yaml:"decay" default:"0.01" doc:"weight decay; below 0 means none"`
	// Dropout of retrieved rows and hidden units; 0 means 0.1, below 0 none.
	Dropout float64 `yaml:"dropout" default:"0.1" max:"0.9" doc:"share of retrieved rows and hidden units left out; below 0 means none"`
}

func (o Retrieval) check() error {
	var errs []error
	fail := func(field string, found any, want string) {
		errs = append(errs, fmt.Errorf("retrieval: %s: found %v, want %s", field, found, want))
	}
	count := func(field string, x, most, def int) {
		if x < 0 || x > most {
			fail(field, x, fmt.Sprintf("1 to %d, or 0 for %d", most, def))
		}
	}
	count("members", o.Members, 100, 5)
	count("width", o.Width, 1024, 32)
	count("neighbors", o.Neighbors, 10_000, 96)
	count("steps", o.Steps, 10_000_000, 1000)
	count("batch", o.Batch, 65536, 32)
	if !(o.Rate >= 0 && o.Rate <= 10) {
		fail("rate", o.Rate, "a number above 0 and at most 10, or 0 for 0.003")
	}
	if math.IsNaN(o.Decay) || o.Decay > 100 {
		fail("decay", o.Decay, "at most 100")
	}
	if math.IsNaN(o.Dropout) || o.Dropout > 0.9 {
		fail("dropout", o.Dropout, "at most 0.9")
	}
	return errors.Join(errs...)
}

// The parameters of a retrieval net.
const (
	retEncode = iota
	retEncodeB
	retKey
	retKeyB
	retT1
	retT1B
	retT2
	retLabel
	retLabelB
	retBlockGain
	retBlockShift
	retBlock1
	retBlock1B
	retBlock2
	retBlock2B
	retGain
	retShift
	retHead
	retHeadB
	retDirect
	retParams
)

// retShape returns the size of a parameter.
func retShape(p, in, d int) (rows, cols int) {
	switch p {
	case retEncode:
		return in, d
	case retDirect:
		return in, 1
	case retHead:
		return d, 1
	case retHeadB:
		return 1, 1
	case retKey, retT2, retT1, retBlock1, retBlock2:
		return d, d
	}
	return 1, d
}

type retNet [retParams]*nn.Param

func newRetNet(r *rand.Rand, in, d int) *retNet {
	n := &retNet{}
	for p := range n {
		rows, cols := retShape(p, in, d)
		n[p] = nn.NewParam(rows, cols)
		n[p].NoDecay = rows == 1
	}
	dense := func(p int, gain float64) {
		w, _ := nn.Dense(r, n[p].Rows, n[p].Cols, gain)
		copy(n[p].W, w.W)
	}
	dense(retEncode, 1)
	dense(retKey, 1)
	dense(retT1, 2)
	dense(retT2, 0.5)
	dense(retBlock1, 2)
	dense(retBlock2, 0.5)
	dense(retHead, 0.5)
	for i := range n[retLabel].W {
		n[retLabel].W[i] = rng.Norm(r)
	}
	for _, p := range []int{retGain, retBlockGain} {
		for i := range n[p].W {
			n[p].W[i] = 1
		}
	}
	return n
}

// encode returns the encoded rows, their keys, and what T's first layer makes of
// the keys.
func (n *retNet) encode(t *nn.Tape, x *nn.Node) (e, key, hidden *nn.Node) {
	e = t.Linear(x, n[retEncode], n[retEncodeB])
	key = t.Linear(e, n[retKey], n[retKeyB])
	return e, key, t.Linear(key, n[retT1], nil)
}

// finish returns the output of rows that have retrieved the mean label y and the
// mean hidden difference.
func (n *retNet) finish(t *nn.Tape, x, e, y, hidden *nn.Node, drop func(*nn.Node) *nn.Node) *nn.Node {
	h := t.Add(e, t.Linear(y, n[retLabel], n[retLabelB]), t.Linear(hidden, n[retT2], nil))
	b := t.LayerNorm(h, n[retBlockGain], n[retBlockShift])
	b = drop(t.Act(t.Linear(b, n[retBlock1], n[retBlock1B]), nn.ReLU))
	h = t.Add(h, t.Linear(b, n[retBlock2], n[retBlock2B]))
	h = t.Act(t.LayerNorm(h, n[retGain], n[retShift]), nn.ReLU)
	return t.Add(t.Linear(h, n[retHead], n[retHeadB]), t.Linear(x, n[retDirect], nil))
}

// A retArchive is the candidates of a training step, encoded.
type retArchive struct {
	key, hidden *nn.Node
	y, lw       []float64 // targets and logarithms of weights
	group       []int     // equal rows share one
}

// retGroups numbers rows so that equal ones have the same number.
func retGroups(x []float64, rows, width int) []int {
	known := map[string]int{}
	out := make([]int, rows)
	var b []byte
	for i := range out {
		b = b[:0]
		for _, v := range x[i*width : (i+1)*width] {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
		g, ok := known[string(b)]
		if !ok {
			g = len(known)
			known[string(b)] = g
		}
		out[i] = g
	}
	return out
}

// retrieve returns, for every row of keys, the mean target and mean rectified
// hidden difference of the m nearest candidates. Row i does not see candidates
// of the group self[i]. With r candidates drop out. Without candidates both are
// 0.
func (n *retNet) retrieve(t *nn.Tape, key, hidden *nn.Node, c retArchive, self []int, m int, drop float64, r *rand.Rand) (y, h *nn.Node) {
	count := len(c.y)
	bias := n[retT1B]
	type pick struct {
		j int
		s float64 // share, with dropout
		q float64 // share without
	}
	chosen := make([][]pick, key.R)
	keep := make([][]float64, key.R)
	d := make([]float64, count)
	order := make([]int, 0, count)
	y = t.Op(key.R, 1, key.G != nil, nil)
	h = t.Op(key.R, hidden.C, key.G != nil, nil)
	for i := range key.R {
		k := key.Row(i)
		order = order[:0]
		for j := range count {
			if self != nil && self[i] == c.group[j] {
				continue
			}
			s := 0.0
			for a, v := range c.key.Row(j) {
				s += float64((k[a] - v) * (k[a] - v))
			}
			d[j] = s
			order = append(order, j)
		}
		near := order
		if len(order) > m {
			retSelect(order, d, m)
			near = order[:m]
		}
		top := math.Inf(-1)
		for _, j := range near {
			top = max(top, c.lw[j]-d[j])
		}
		picks, sum := make([]pick, len(near)), 0.0
		for a, j := range near {
			e := detmath.Exp(c.lw[j] - d[j] - top)
			picks[a] = pick{j: j, q: e}
			sum += e
		}
		keep[i] = make([]float64, len(near))
		for a := range picks {
			p := &picks[a]
			p.q /= sum
			keep[i][a] = 1
			if r != nil && drop > 0 {
				if r.Float64() < drop {
					keep[i][a] = 0
				} else {
					keep[i][a] = 1 / (1 - drop)
				}
			}
			p.s = float64(p.q * keep[i][a])
			y.V[i] += float64(p.s * c.y[p.j])
			if p.s == 0 {
				continue
			}
			out, mine, other := h.Row(i), hidden.Row(i), c.hidden.Row(p.j)
			for b := range out {
				if v := mine[b] - other[b] + bias.W[b]; v > 0 {
					out[b] += float64(p.s * v)
				}
			}
		}
		chosen[i] = picks
	}
	if key.G == nil {
		return y, h
	}
	// Gradients of both are complete when that of y is, which was made first.
	y.SetBack(func() {
		for i, picks := range chosen {
			gh, gy := h.GradRow(i), y.G[i]
			mine, gm := hidden.Row(i), hidden.GradRow(i)
			slope := make([]float64, len(picks))
			mean := 0.0
			for a, p := range picks {
				other, go_ := c.hidden.Row(p.j), c.hidden.GradRow(p.j)
				s := float64(gy * c.y[p.j])
				for b, g := range gh {
					if v := mine[b] - other[b] + bias.W[b]; v > 0 {
						s += float64(g * v)
						e := float64(p.s * g)
						gm[b] += e
						go_[b] -= e
						bias.G[b] += e
					}
				}
				slope[a] = float64(s * keep[i][a])
				mean += float64(p.q * slope[a])
			}
			k, gk := key.Row(i), key.GradRow(i)
			for a, p := range picks {
				g := -float64(p.q * (slope[a] - mean)) // of the distance
				if g == 0 {
					continue
				}
				other, go_ := c.key.Row(p.j), c.key.GradRow(p.j)
				for b := range k {
					e := float64(2 * g * (k[b] - other[b]))
					gk[b] += e
					go_[b] -= e
				}
			}
		}
	})
	return y, h
}

// retSelect puts the m candidates of least distance first, by Hoare's selection;
// of equal ones the lower number is nearer.
func retSelect(order []int, d []float64, m int) {
	less := func(a, b int) bool { return d[a] < d[b] || d[a] == d[b] && a < b }
	for lo, hi := 0, len(order)-1; lo < hi; {
		pivot := order[(lo+hi)/2]
		i, j := lo, hi
		for i <= j {
			for less(order[i], pivot) {
				i++
			}
			for less(pivot, order[j]) {
				j--
			}
			if i <= j {
				order[i], order[j] = order[j], order[i]
				i++
				j--
			}
		}
		switch {
		case m-1 <= j:
			hi = j
		case m-1 >= i:
			lo = i
		default:
			return
		}
	}
}

// retCandidates is how many rows a step retrieves from.
const retCandidates = 512

// retHeld is how many rows a net holds out at most.
const retHeld = 256

type retModel struct {
	Columns     int
	Form        *linForm
	Width       int
	Neighbors   int
	Mean, Scale float64
	Noise       float64
	Y, LW       []float64 // scaled targets and logarithms of weights
	Indexed     int       // rows that are in the members' graphs
	Members     []*retMember
}

// A retMember is the weights of a net and the archive as it sees it.
type retMember struct {
	Params      [][]float64
	Key, Hidden []float32
	index       *retIndex
}

// A retIndex is a graph that is built when it is first needed.
type retIndex struct {
	once sync.Once
	x    *hnsw.Index
}

const (
	retGraph = 8192 // rows from which on a graph is built
	retTail  = 4096 // rows that may be without
)

// Fit trains the nets, all cores at once.
func (o Retrieval) Fit(ctx context.Context, t *Table, seed uint64) (Model, error) {
	if err := errors.Join(o.check(), t.Validate(), ctx.Err()); err != nil {
		return nil, err
	}
	o.Members = cmp.Or(o.Members, 5)
	o.Width = cmp.Or(o.Width, 32)
	o.Neighbors = cmp.Or(o.Neighbors, 96)
	o.Steps = cmp.Or(o.Steps, 1000)
	o.Batch = cmp.Or(o.Batch, 32)
	o.Rate = cmp.Or(o.Rate, 0.003)
	o.Decay = max(cmp.Or(o.Decay, 0.01), 0)
	o.Dropout = max(cmp.Or(o.Dropout, 0.1), 0)
	f := newLinForm(t)
	x := f.apply(nil, t.X, len(t.Columns))
	w, _ := linWeights(t)
	mean, sd := linTarget(t.Y, w)
	n := len(t.Y)
	y, lw := make([]float64, n), make([]float64, n)
	for i := range y {
		y[i], lw[i] = (t.Y[i]-mean)/sd, detmath.Log(w[i])
	}
	m := &retModel{Columns: len(t.Columns), Form: f, Width: o.Width, Neighbors: o.Neighbors, Mean: mean, Scale: sd, Members: make([]*retMember, o.Members)}
	flat := linConstant(t.Y)
	noise := make([]float64, o.Members)
	err := mlpAll(o.Members, func(k int) error {
		r := rng.New(seed, "predict/retrieval", uint64(k))
		net := newRetNet(r, f.Width, o.Width)
		if flat { // nothing to learn: the head stays 0
			clear(net[retHead].W)
		} else {
			var err error
			if noise[k], err = o.train(ctx, r, net, x, y, w, lw, f.Width); err != nil {
				return err
			}
		}
		m.Members[k] = net.freeze()
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, v := range noise {
		m.Noise += v / float64(len(noise))
	}
	m.add(x, y, lw)
	return m, ctx.Err()
}

func (n *retNet) freeze() *retMember {
	m := &retMember{index: &retIndex{}}
	for _, p := range n {
		m.Params = append(m.Params, slices.Clone(p.W))
	}
	return m
}

// train returns the squared error on the rows held out.
func (o Retrieval) train(ctx context.Context, r *rand.Rand, net *retNet, x, y, w, lw []float64, width int) (float64, error) {
	n := len(y)
	perm := r.Perm(n)
	cut := 0
	if n >= 10 {
		cut = min(max(int(float64(n)*0.15), 2), retHeld)
	}
	held, train := perm[:cut:cut], slices.Clone(perm[cut:])
	hx, hy, hw, _ := retGather(held, x, y, w, lw, width)
	params := net[:]
	tape, adam := nn.NewTape(), &nn.Adam{Decay: o.Decay}
	batch := min(o.Batch, len(train))
	every := max(1, min((len(train)+batch-1)/batch, o.Steps/20))
	best, bestStep, at := math.Inf(1), 0, len(train)
	var kept [][]float64
	group := retGroups(x, n, width)
	archive := func(rows []int) retArchive {
		cx, cy, _, cl := retGather(rows, x, y, w, lw, width)
		_, key, hidden := net.encode(tape, tape.Input(len(rows), cx))
		c := retArchive{key: key, hidden: hidden, y: cy, lw: cl}
		for _, i := range rows {
			c.group = append(c.group, group[i])
		}
		return c
	}
	order := slices.Clone(train) // candidates of a step
	for step := range o.Steps {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if len(train) < 2 {
			break
		}
		if at+batch > len(train) {
			r.Shuffle(len(train), func(i, j int) { train[i], train[j] = train[j], train[i] })
			at = 0
		}
		rows := train[at : at+batch]
		at += batch
		cand := order
		if len(order) > retCandidates {
			for i := range retCandidates {
				j := i + r.IntN(len(order)-i)
				order[i], order[j] = order[j], order[i]
			}
			cand = order[:retCandidates]
		}
		self := make([]int, batch)
		for i, row := range rows {
			self[i] = group[row]
		}
		adam.Rate = float64(o.Rate * mlpCosine(float64(step)/float64(o.Steps)))
		tape.Reset()
		bx, by, bw, _ := retGather(rows, x, y, w, lw, width)
		in := tape.Input(batch, bx)
		drop := func(n *nn.Node) *nn.Node { return tape.Dropout(n, o.Dropout, r) }
		e, key, hidden := net.encode(tape, in)
		my, mh := net.retrieve(tape, key, hidden, archive(cand), self, o.Neighbors, o.Dropout, r)
		out := net.finish(tape, in, e, my, mh, drop)
		mlpSquared(out.V, out.G, by, bw)
		tape.Backward()
		adam.Step(params...)
		if cut == 0 || step%every != every-1 && step != o.Steps-1 {
			continue
		}
		tape.Reset()
		cand = train
		if len(cand) > 2*retCandidates {
			cand = cand[:2*retCandidates]
		}
		in = tape.Input(cut, hx)
		e, key, hidden = net.encode(tape, in)
		my, mh = net.retrieve(tape, key, hidden, archive(cand), nil, o.Neighbors, 0, nil)
		out = net.finish(tape, in, e, my, mh, func(n *nn.Node) *nn.Node { return n })
		if loss := mlpSquared(out.V, nil, hy, hw); loss < best {
			best, bestStep = loss, step
			kept = kept[:0]
			for _, p := range params {
				kept = append(kept, slices.Clone(p.W))
			}
		} else if step-bestStep > o.Steps/4 {
			break
		}
	}
	for i, w := range kept {
		copy(params[i].W, w)
	}
	if math.IsInf(best, 0) {
		return 0, nil
	}
	return 2 * best, nil
}

func retGather(rows []int, x, y, w, lw []float64, width int) (gx, gy, gw, gl []float64) {
	gx = make([]float64, 0, len(rows)*width)
	for _, i := range rows {
		gx, gy, gw, gl = append(gx, x[i*width:(i+1)*width]...), append(gy, y[i]), append(gw, w[i]), append(gl, lw[i])
	}
	return gx, gy, gw, gl
}

// net returns the net of a member, to compute with only.
func (m *retModel) net(k int) *retNet {
	n := &retNet{}
	for p := range n {
		rows, cols := retShape(p, m.Form.Width, m.Width)
		n[p] = &nn.Param{Rows: rows, Cols: cols, W: m.Members[k].Params[p], Frozen: true}
	}
	return n
}

// add appends formed rows to the archive.
func (m *retModel) add(x, y, lw []float64) {
	rows := len(y)
	for k, mem := range m.Members {
		net := m.net(k)
		for from := 0; from < rows; from += mlpRows {
			to := min(from+mlpRows, rows)
			t := nn.NewTape()
			_, key, hidden := net.encode(t, t.Input(to-from, x[from*m.Form.Width:to*m.Form.Width]))
			for i, v := range key.V {
				mem.Key = append(mem.Key, float32(v))
				mem.Hidden = append(mem.Hidden, float32(hidden.V[i]))
			}
		}
	}
	m.Y, m.LW = append(m.Y, y...), append(m.LW, lw...)
	if len(m.Y)-m.Indexed > retTail && len(m.Y) >= retGraph {
		m.Indexed = len(m.Y)
		for _, mem := range m.Members {
			mem.index = &retIndex{}
		}
	}
}

// Extend returns a model whose archive holds the rows of t too. The scale of
// targets and columns stays that of the first table.
func (m *retModel) Extend(t *Table) (Model, error) {
	if err := extendable(t, m.Columns); err != nil {
		return nil, err
	}
	out := *m
	out.Y, out.LW = slices.Clip(m.Y), slices.Clip(m.LW)
	out.Members = nil
	for _, mem := range m.Members {
		c := *mem
		c.Key, c.Hidden = slices.Clip(c.Key), slices.Clip(c.Hidden)
		out.Members = append(out.Members, &c)
	}
	w, _ := linWeights(t)
	y := make([]float64, len(t.Y))
	for i := range y {
		y[i], w[i] = (t.Y[i]-m.Mean)/m.Scale, detmath.Log(w[i])
	}
	out.add(m.Form.apply(nil, t.X, m.Columns), y, w)
	return &out, nil
}

// nearest finds the rows of the archive whose keys are nearest.
func (m *retModel) nearest(near []neighbor, mem *retMember, q []float32) []neighbor {
	k := m.Neighbors
	ix := mem.index
	near = nearestRows(near, mem.Key, q, m.Indexed, len(m.Y), k, -1)
	if m.Indexed == 0 {
		return near
	}
	ix.once.Do(func() {
		ix.x, _ = hnsw.New(m.Width, hnsw.Options{Construction: 100})
		if err := ix.x.AddAll(mem.Key[:m.Indexed*m.Width]); err != nil {
			ix.x = nil // keys that are not finite: look through all
		}
	})
	if ix.x == nil {
		return nearestRows(near, mem.Key, q, 0, len(m.Y), k, -1)
	}
	found, err := ix.x.Search(nil, q, k, k+32)
	if err != nil {
		return nearestRows(near, mem.Key, q, 0, len(m.Y), k, -1)
	}
	for _, f := range found {
		near = append(near, neighbor{f.ID, f.Distance})
	}
	slices.SortFunc(near, compareNeighbors)
	return near[:min(k, len(near))]
}

// Predict predicts rows.
func (m *retModel) Predict(rows, mean, sd []float64) {
	for from := 0; from < len(mean); from += mlpRows {
		to := min(from+mlpRows, len(mean))
		var s []float64
		if sd != nil {
			s = sd[from:to]
		}
		m.predict(rows[from*m.Columns:to*m.Columns], mean[from:to], s)
	}
}

func (m *retModel) predict(rows, mean, sd []float64) {
	n := len(mean)
	x := m.Form.apply(nil, rows, m.Columns)
	sum, square := make([]float64, n), make([]float64, n)
	q := make([]float32, m.Width)
	var near []neighbor
	var share []float64
	for k, mem := range m.Members {
		net, t := m.net(k), nn.NewTape()
		in := t.Input(n, x)
		e, key, hidden := net.encode(t, in)
		y, h := t.Op(n, 1, false, nil), t.Op(n, m.Width, false, nil)
		bias := net[retT1B].W
		for i := range n {
			for j, v := range key.Row(i) {
				q[j] = float32(v)
			}
			near = m.nearest(near, mem, q)
			top := math.Inf(-1)
			share = share[:0]
			for _, c := range near {
				z := m.LW[c.row] - float64(c.d)
				share, top = append(share, z), max(top, z)
			}
			total := 0.0
			for a, z := range share {
				share[a] = detmath.Exp(z - top)
				total += share[a]
			}
			out, mine := h.Row(i), hidden.Row(i)
			for a, c := range near {
				s := share[a] / total
				y.V[i] += float64(s * m.Y[c.row])
				other := mem.Hidden[c.row*m.Width : (c.row+1)*m.Width]
				for b := range out {
					if v := mine[b] - float64(other[b]) + bias[b]; v > 0 {
						out[b] += float64(s * v)
					}
				}
			}
		}
		out := net.finish(t, in, e, y, h, func(n *nn.Node) *nn.Node { return n })
		vec.Axpy(sum, 1, out.V)
		for i, v := range out.V {
			square[i] += float64(v * v)
		}
	}
	total := float64(len(m.Members))
	for i := range n {
		mu := sum[i] / total
		mean[i] = m.Mean + float64(m.Scale*mu)
		if sd != nil {
			sd[i] = float64(m.Scale * math.Sqrt(m.Noise+max(square[i]/total-float64(mu*mu), 0)))
		}
	}
}

func (m *retModel) saveKind() string   { return "retrieval" }
func (m *retModel) save(w *saveWriter) { plainSave(w, m) }

func (m *retModel) sound() bool {
	if !m.Form.sound(m.Columns) || m.Width < 1 || m.Width > 1024 || m.Neighbors < 1 || len(m.Members) == 0 || len(m.Y) == 0 || len(m.LW) != len(m.Y) || m.Indexed < 0 || m.Indexed > len(m.Y) {
		return false
	}
	for _, mem := range m.Members {
		if mem == nil || len(mem.Params) != retParams || len(mem.Key) != len(m.Y)*m.Width || len(mem.Hidden) != len(mem.Key) {
			return false
		}
		for p, w := range mem.Params {
			if rows, cols := retShape(p, m.Form.Width, m.Width); len(w) != rows*cols {
				return false
			}
		}
		mem.index = &retIndex{}
	}
	return true
}
