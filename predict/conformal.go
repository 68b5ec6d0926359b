package predict

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
)

// Conformal gives the predictions of any method intervals that hold the truth
// with a stated probability, whatever the method and the distribution, as long
// as rows to come are like those of the table.
//
// With CV+ (Barber, Candès, Ramdas and Tibshirani, "Predictive inference with
// the jackknife+", 2021), the default, row i is predicted by the model that was
// fitted without its fold, which misses it by Rᵢ; the interval at x goes from the
// ⌊α(n+1)⌋-th smallest of μ₋ₖ₍ᵢ₎(x) − Rᵢ to the ⌈(1−α)(n+1)⌉-th smallest of
// μ₋ₖ₍ᵢ₎(x) + Rᵢ. It holds the truth with probability 1−2α at least and about
// 1−α in practice, where α = 1 − Level. With Split (Papadopoulos et al. 2002;
// Lei et al. 2018) the model is fitted to some rows and missed by others by R;
// the interval is ŷ ± the ⌈(m+1)(1−α)⌉-th smallest R, and the probability is 1−α
// at least, at the price of the rows.
//
// With Normalised, misses are measured in the standard deviations that the
// method predicts, so that intervals are wide where it is unsure.
//
// A search moves on to rows unlike those of the table; [Adaptive] follows it.
type Conformal struct {
	// Learner is the method; nil means [Bagged]{}.
	Learner Learner `yaml:"-"`
	// Level is the probability 1−α; 0 means 0.9. It needs 1/α − 1 rows to miss.
	Level float64 `yaml:"level" min:"0" max:"<1" doc:"probability that an interval holds the truth; 0 means 0.9"`
	// Split holds rows back instead of cross-fitting.
	Split bool `yaml:"split" doc:"hold rows back instead of cross-fitting (CV+)"`
	// Folds is the number of folds of CV+; 0 means 10.
	Folds int `yaml:"folds" min:"0" doc:"folds of CV+; 0 means 10"`
	// Share is the share of the rows that Split holds back; 0 means 0.25.
	Share float64 `yaml:"share" min:"0" max:"<1" doc:"share of the rows that split holds back; 0 means 0.25"`
	// Normalised measures misses in predicted standard deviations.
	Normalised bool `yaml:"normalised" doc:"measure misses in predicted standard deviations: intervals of different width"`
}

// ConformalModel is a model of [Conformal].
type ConformalModel struct {
	model  Model     // predicts the mean
	folds  []Model   // of CV+; nil for split
	misses []float64 // split: rising
	byFold [][]float64
	level  float64
	norm   bool
	floor  float64 // added to each standard deviation, so that none is 0
	width  int     // columns of a row
}

// Fit implements [Learner]. The model is a [*ConformalModel].
func (o Conformal) Fit(ctx context.Context, t *Table, seed uint64) (Model, error) {
	if err := treeCheck(ctx, t); err != nil {
		return nil, err
	}
	if o.Learner == nil {
		o.Learner = Bagged{}
	}
	if o.Level == 0 {
		o.Level = 0.9
	}
	if o.Folds == 0 {
		o.Folds = 10
	}
	if o.Share == 0 {
		o.Share = 0.25
	}
	var errs []error
	if !(o.Level > 0 && o.Level < 1) {
		errs = append(errs, fmt.Errorf("predict: conformal: level is %v; expected above 0 and below 1", o.Level))
	}
	if o.Folds < 2 {
		errs = append(errs, fmt.Errorf("predict: conformal: %d folds; expected at least 2", o.Folds))
	}
	if !(o.Share > 0 && o.Share < 1) {
		errs = append(errs, fmt.Errorf("predict: conformal: share is %v; expected above 0 and below 1", o.Share))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	m := &ConformalModel{level: o.Level, norm: o.Normalised, width: len(t.Columns)}
	n := t.Rows()
	missed := n
	if o.Split {
		missed = int(math.Floor(float64(o.Share*float64(n)) + 0.5))
	}
	if need := conformalNeed(o.Level); missed < need || n < 2 {
		return nil, fmt.Errorf("predict: conformal: %d rows to calibrate with; level %v expects at least %d", missed, o.Level, max(need, 2))
	}
	if o.Split {
		return m, m.split(ctx, o, t, missed, seed)
	}
	v := &Validation{Mean: make([]float64, n), SD: make([]float64, n)}
	var err error
	if m.folds, err = crossFit(ctx, o.Learner, t, o.Folds, seed, v); err != nil {
		return nil, err
	}
	if m.model, err = o.Learner.Fit(ctx, t, seed); err != nil {
		return nil, err
	}
	r, err := m.miss(t.Y, v.Mean, v.SD)
	if err != nil {
		return nil, err
	}
	m.byFold = make([][]float64, len(m.folds))
	for i, f := range v.Fold {
		m.byFold[f] = append(m.byFold[f], r[i])
	}
	for _, f := range m.byFold {
		slices.Sort(f)
	}
	return m, nil
}

// conformalNeed is the least number of misses that a level can be read off.
func conformalNeed(level float64) int { return int(math.Ceil(1/(1-level) - 1 - 1e-9)) }

func (m *ConformalModel) split(ctx context.Context, o Conformal, t *Table, held int, seed uint64) error {
	order := rng.New(seed, "predict/conformal", 0).Perm(t.Rows())
	out := t.Select(order[:held])
	in := order[held:]
	if len(in) == 0 {
		return errors.New("predict: conformal: no rows left to learn from")
	}
	slices.Sort(in)
	var err error
	if m.model, err = o.Learner.Fit(ctx, t.Select(in), seed); err != nil {
		return err
	}
	mean, sd := make([]float64, held), make([]float64, held)
	m.model.Predict(out.X, mean, sd)
	m.misses, err = m.miss(out.Y, mean, sd)
	slices.Sort(m.misses)
	return err
}

// miss returns by how much predictions miss, and sets the floor.
func (m *ConformalModel) miss(y, mean, sd []float64) ([]float64, error) {
	r := make([]float64, len(y))
	if m.norm {
		for _, s := range sd {
			if s != s {
				return nil, errors.New("predict: conformal: normalised expects a method that predicts a standard deviation, such as bagged or forest")
			}
			m.floor += 0.1 * s / float64(len(sd))
		}
		if m.floor == 0 {
			m.norm = false // the method is sure of everything
		}
	}
	for i := range y {
		r[i] = math.Abs(y[i]-mean[i]) / m.unit(sd[i])
	}
	return r, nil
}

// unit is what a miss is measured in.
func (m *ConformalModel) unit(sd float64) float64 {
	if !m.norm {
		return 1
	}
	return sd + m.floor
}

// Level returns the probability that the intervals are made for.
func (m *ConformalModel) Level() float64 { return m.level }

// Interval writes the ends of the interval of every row.
func (m *ConformalModel) Interval(rows, lo, hi []float64) {
	n := len(rows) / m.width
	sd := make([]float64, n)
	if m.folds == nil {
		mean := make([]float64, n)
		m.model.Predict(rows, mean, sd)
		q := m.misses[conformalPlace(m.level, len(m.misses))]
		for i := range n {
			half := float64(q * m.unit(sd[i]))
			lo[i], hi[i] = mean[i]-half, mean[i]+half
		}
		return
	}
	k := len(m.folds)
	means, units := make([]float64, n*k), make([]float64, n*k)
	all := 0
	for f, model := range m.folds {
		mean := make([]float64, n)
		model.Predict(rows, mean, sd)
		for i := range n {
			means[i*k+f], units[i*k+f] = mean[i], m.unit(sd[i])
		}
		all += len(m.byFold[f])
	}
	place := conformalPlace(m.level, all)
	for i := range n {
		mean, unit := means[i*k:(i+1)*k], units[i*k:(i+1)*k]
		hi[i] = m.place(mean, unit, 1, place)
		lo[i] = -m.place(mean, unit, -1, place)
	}
}

// conformalPlace is ⌈(m+1) level⌉ counted from 0.
func conformalPlace(level float64, m int) int {
	return min(max(int(math.Ceil(float64(level*float64(m+1))-1e-9))-1, 0), m-1)
}

// place returns the number that stands at a place among sign·μₖ + σₖ·R, over all
// folds k and misses R of the fold.
func (m *ConformalModel) place(mean, unit []float64, sign float64, place int) float64 {
	// Numbers are searched for by their bits, in the order of floats.
	float := func(u uint64) float64 {
		if u>>63 == 1 {
			return math.Float64frombits(u &^ (1 << 63))
		}
		return math.Float64frombits(^u)
	}
	upTo := func(x float64) int {
		n := 0
		for f, r := range m.byFold {
			c := float64(sign * mean[f])
			from, k := 0, len(r)
			for k > 0 {
				half := k >> 1
				if c+float64(unit[f]*r[from+half]) <= x {
					from += half + 1
					k -= half + 1
				} else {
					k = half
				}
			}
			n += from
		}
		return n
	}
	lo, hi := ^math.Float64bits(-math.MaxFloat64), math.Float64bits(math.MaxFloat64)|1<<63
	for lo < hi {
		mid := lo + (hi-lo)/2
		if upTo(float(mid)) > place {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return float(lo)
}

// Predict implements [Model]: the mean of the model of all rows, and as standard
// deviation that of the normal distribution whose interval of the same level is
// as wide.
func (m *ConformalModel) Predict(rows, mean, sd []float64) {
	m.model.Predict(rows, mean, nil)
	if sd == nil {
		return
	}
	hi := make([]float64, len(sd))
	m.Interval(rows, sd, hi)
	z := detmath.PhiInv(0.5 + m.level/2)
	for i := range sd {
		sd[i] = (hi[i] - sd[i]) / 2 / z
		if !(sd[i] >= 0) { // ends of CV+ may cross where folds disagree
			sd[i] = 0
		}
	}
}

func (m *ConformalModel) columnCount() int { return m.width }

func (m *ConformalModel) saveKind() string { return "conformal" }

func (m *ConformalModel) save(w *saveWriter) {
	w.float(m.level)
	w.bool(m.norm)
	w.float(m.floor)
	w.uint(uint64(m.width))
	w.model(m.model)
	w.floats(m.misses)
	w.uint(uint64(len(m.folds)))
	for k, f := range m.folds {
		w.floats(m.byFold[k])
		w.model(f)
	}
}

func readConformal(r *saveReader, _ uint64) Model {
	m := &ConformalModel{level: r.finite(), norm: r.bool(), floor: r.finite(), width: int(r.uint() & math.MaxInt32)}
	r.check(m.level > 0 && m.level < 1 && m.floor >= 0 && m.width > 0, "a level, floor or width out of range", "a level in (0, 1)")
	m.model = r.model()
	r.wide(m.model, m.width)
	misses := func() []float64 {
		x := r.floats()
		for _, v := range x {
			r.check(v >= 0 && v-v == 0, fmt.Sprintf("a miss of %v", v), "0 or more")
		}
		r.check(slices.IsSorted(x), "misses out of order", "rising ones")
		return x
	}
	if m.misses = misses(); len(m.misses) == 0 {
		m.misses = nil
	}
	all := len(m.misses)
	for range r.count(4) {
		m.byFold = append(m.byFold, misses())
		f := r.model()
		r.wide(f, m.width)
		if r.err != nil {
			return nil
		}
		m.folds = append(m.folds, f)
		all += len(m.byFold[len(m.byFold)-1])
	}
	r.check(all > 0 && (m.misses == nil) == (m.folds != nil), "no misses", "those of folds or of held-out rows")
	return m
}

// Adaptive turns predictions into intervals while the rows keep changing, as
// they do in a search: what it missed lately decides how wide it is (adaptive
// conformal inference, Gibbs and Candès 2021). After each prediction that turned
// out to be outside (err = 1) or inside (err = 0) the level moves,
//
//	αₜ₊₁ = αₜ + γ (α − errₜ)
//
// and the half-width is the quantile 1−αₜ of the misses so far, which count less
// the older they are. Over any sequence the share of misses comes to α.
//
// Observe and HalfWidth take O(Memory) steps. The zero value is ready to use. It
// is not safe for concurrent use.
type Adaptive struct {
	Level    float64 // 1−α; 0 means 0.9
	Rate     float64 // γ; 0 means 0.05
	HalfLife float64 // misses after which one counts half; 0 means 100, +Inf means that none ages
	Memory   int     // misses that are kept; 0 means 1000

	alpha   float64
	started bool
	misses  []float64 // the newest last
}

func (a *Adaptive) level() float64 {
	if a.Level == 0 {
		return 0.9
	}
	return a.Level
}

// Observe tells a miss: |y − ŷ|, or that in standard deviations. It returns
// whether the interval would have held y.
func (a *Adaptive) Observe(miss float64) (held bool) {
	if miss != miss {
		return false
	}
	held = miss <= a.HalfWidth()
	rate := a.Rate
	if rate == 0 {
		rate = 0.05
	}
	alpha := 1 - a.level()
	if !a.started {
		a.alpha, a.started = alpha, true
	}
	if len(a.misses) > 0 { // the first interval is infinite and says nothing
		err := 1.0
		if held {
			err = 0
		}
		a.alpha += float64(rate * (alpha - err))
	}
	memory := a.Memory
	if memory == 0 {
		memory = 1000
	}
	if len(a.misses) >= memory {
		a.misses = append(a.misses[:0], a.misses[len(a.misses)-memory+1:]...)
	}
	a.misses = append(a.misses, math.Abs(miss))
	return held
}

// HalfWidth returns the half-width of the next interval, in the unit of the
// misses: +Inf as long as there are too few of them, or when the level has moved
// to 1.
func (a *Adaptive) HalfWidth() float64 {
	alpha := 1 - a.level()
	if a.started {
		alpha = a.alpha
	}
	if alpha <= 0 || len(a.misses) == 0 {
		return math.Inf(1)
	}
	if alpha >= 1 {
		return 0
	}
	life := a.HalfLife
	if life == 0 {
		life = 100
	}
	fade := 1.0
	if !math.IsInf(life, 1) {
		fade = detmath.Exp(-math.Ln2 / life)
	}
	order := make([]int, len(a.misses))
	weight := make([]float64, len(a.misses))
	w := 1.0
	for i := len(order) - 1; i >= 0; i-- {
		order[i], weight[i] = i, w
		w *= fade
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case a.misses[i] < a.misses[j]:
			return -1
		case a.misses[i] > a.misses[j]:
			return 1
		}
		return 0
	})
	all := 1.0 // the miss to come counts as the newest, and may be any
	for _, w := range weight {
		all += w
	}
	sum := 0.0
	for _, i := range order {
		if sum += weight[i]; sum >= float64((1-alpha)*all)-1e-9 {
			return a.misses[i]
		}
	}
	return math.Inf(1)
}
