package figure

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/report/view"
)

// A plotter builds one figure.
type plotter struct {
	v *view.View
	o Options
	f *Figure

	kind   []rowKind
	front  []bool
	loaded map[int][]float64
}

// A rowKind says what became of a trial.
type rowKind uint8

const (
	unmeasured rowKind = iota
	kept               // measured, keeps every limit
	missed             // measured, misses a limit
)

func newPlotter(v *view.View, o Options) *plotter {
	p := &plotter{v: v, o: o, f: &Figure{}, loaded: map[int][]float64{}}
	n := v.Trials.Rows
	p.kind, p.front = make([]rowKind, n), make([]bool, n)
	for _, r := range v.Front.Rows {
		p.front[r] = true
	}
	state, _ := v.Find("state")
	names, codes := v.Texts(state), v.Numbers(state)
	violation := p.numbers(p.record("violation"))
	for r := range n {
		if k := codes[r]; k == k && int(k) < len(names) && names[int(k)] != "complete" && names[int(k)] != "cached" {
			continue
		}
		if p.kind[r] = kept; violation[r] > 0 {
			p.kind[r] = missed
		}
	}
	return p
}

// record returns the column of a record field, or -1.
func (p *plotter) record(name string) int {
	for i, c := range p.v.Columns {
		if c.Part == "record" && c.Name == name {
			return i
		}
	}
	return -1
}

// numbers returns the numbers of a column; infinite ones have no place in a
// picture.
func (p *plotter) numbers(column int) []float64 {
	if xs, ok := p.loaded[column]; ok {
		return xs
	}
	xs := p.v.Numbers(column)
	for i, x := range xs {
		if math.IsInf(x, 0) {
			xs[i] = math.NaN()
		}
	}
	p.loaded[column] = xs
	return xs
}

// missing is why the study has nothing to show.
func (p *plotter) missing(part, otherwise string) error {
	why := p.v.Missing[part]
	if why == "" {
		why = otherwise
	}
	return errors.New(strings.TrimSuffix(strings.ToLower(why[:1])+why[1:], "."))
}

// column finds a column that an option names.
func (p *plotter) column(option, name string, allowed func(view.Column) bool, what string) (int, error) {
	i, ok := p.v.Find(name)
	if ok && allowed(p.v.Columns[i]) {
		return i, nil
	}
	var names []string
	for _, c := range p.v.Columns {
		if allowed(c) {
			names = append(names, c.Name)
		}
	}
	if ok {
		c := p.v.Columns[i]
		return -1, &OptionError{Option: option, Text: fmt.Sprintf("--%s: the column %s cannot be drawn here: it is a %s of kind %s; expected %s", option, name, c.Part, c.Kind, what), Hint: list(names)}
	}
	h := list(names)
	if near := hint(name, names); strings.HasPrefix(near, "did you mean") {
		h = near
	}
	return -1, &OptionError{Option: option, Text: fmt.Sprintf("--%s: the study has no column %q", option, name), Hint: h}
}

// list names what there is, not too much of it.
func list(names []string) string {
	const most = 20
	if len(names) == 0 {
		return "there is none"
	}
	if len(names) > most {
		return fmt.Sprintf("there are %s and %d others", strings.Join(names[:most], ", "), len(names)-most)
	}
	return "there are " + strings.Join(names, ", ")
}

// isNumber says of a column whether it has numbers.
func isNumber(c view.Column) bool { return c.Kind == "number" && c.Min != nil }

// isDrawn says of a column whether it can be an axis.
func isDrawn(c view.Column) bool {
	return isNumber(c) || c.Kind == "category" && len(c.Values) > 0
}

func isParam(c view.Column) bool { return c.Part == "param" && isDrawn(c) }

// chosen returns the columns of --columns, or others.
func (p *plotter) chosen(allowed func(view.Column) bool, what string, otherwise []int) ([]int, error) {
	if len(p.o.Columns) == 0 {
		return otherwise, nil
	}
	var out []int
	for _, name := range p.o.Columns {
		i, err := p.column("columns", name, allowed, what)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(out, i) {
			out = append(out, i)
		}
	}
	return out, nil
}

// one returns the column that an option names, or another.
func (p *plotter) one(option, name string, allowed func(view.Column) bool, what string, otherwise int) (int, error) {
	if name == "" {
		return otherwise, nil
	}
	return p.column(option, name, allowed, what)
}

// objectives are the columns of the objectives that were measured.
func (p *plotter) objectives() (out []int) {
	for _, o := range p.v.Goal.Objectives {
		if o.Column >= 0 && isNumber(p.v.Columns[o.Column]) && !slices.Contains(out, o.Column) {
			out = append(out, o.Column)
		}
	}
	return out
}

// upright returns some objectives in the order of axes.
func (p *plotter) upright(objectives []int) []int {
	return slices.DeleteFunc(slices.Clone(p.v.Goal.Axes), func(c int) bool { return !slices.Contains(objectives, c) })
}

// objective returns the objective of a column.
func (p *plotter) objective(column int) (view.Objective, bool) {
	for _, o := range p.v.Goal.Objectives {
		if o.Column == column && column >= 0 {
			return o, true
		}
	}
	return view.Objective{}, false
}

// ranked lists the parameters, the most important first.
func (p *plotter) ranked() (out []int, share map[int]float64) {
	share = map[int]float64{}
	for _, s := range p.target("").Shares {
		share[s.Column] = s.Share
	}
	for i, c := range p.v.Columns {
		if isParam(c) && varies(c) {
			out = append(out, i)
		}
	}
	slices.SortStableFunc(out, func(a, b int) int { return cmp.Compare(share[b], share[a]) })
	return out, share
}

// varies says whether a column has more than one value.
func varies(c view.Column) bool {
	if c.Kind == "number" {
		return c.Min != nil && *c.Min < *c.Max
	}
	return len(c.Values) > 1
}

// target returns the importance for a metric, or that of the front or of the
// only objective.
func (p *plotter) target(name string) view.Importance {
	for _, i := range p.v.Importance {
		if i.Target == name || name == "" && i.Target == "front" {
			return i
		}
	}
	if name == "" && len(p.v.Importance) > 0 {
		return p.v.Importance[0]
	}
	return view.Importance{}
}

// title is the title of an axis: the column with its unit.
func (p *plotter) title(column int) string {
	if column == p.record("number") {
		return "trial"
	}
	return titleOf(p.v.Columns[column])
}

func titleOf(c view.Column) string {
	if c.Unit != "" {
		return c.Name + " (" + c.Unit + ")"
	}
	return c.Name
}

// aim says which end of an axis is wanted.
func (p *plotter) aim(column int) string {
	o, ok := p.objective(column)
	switch {
	case !ok:
		return ""
	case o.Direction == "minimize":
		return lowerBetter
	case o.Direction == "maximize":
		return higherBetter
	case o.Target != nil:
		return "best at " + number(*o.Target)
	}
	return ""
}

const (
	lowerBetter  = "lower is better"
	higherBetter = "higher is better"
)

// measured returns the numbers of a column in measured rows, sorted.
func (p *plotter) measured(column int) []float64 {
	var out []float64
	for r, x := range p.numbers(column) {
		if p.kind[r] != unmeasured && x == x {
			out = append(out, x)
		}
	}
	slices.Sort(out)
	return out
}

func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	return sorted[int(math.Round(q*float64(len(sorted)-1)))]
}

// axis makes the axis of a column. Of a metric with a long tail it shows the
// front and most of the values; more says so.
func (p *plotter) axis(column int, side string) (a Axis, more bool) {
	c := p.v.Columns[column]
	a.Title, a.Aim, a.Whole = p.title(column), p.aim(column), c.Whole && c.Part != "metric"
	if l := p.levels(column); l != nil && c.Kind == "category" {
		a.Labels = l
		a.Low, a.High = -0.5, float64(len(l))-0.5
		return a, false
	}
	xs := p.measured(column)
	if len(xs) == 0 {
		a.sound(0)
		return a, false
	}
	a.Low, a.High = xs[0], xs[len(xs)-1]
	// The wanted end is shown whole.
	first, last := 0.01, 0.99
	switch c.Better {
	case "low":
		first, last = 0, 0.95
	case "high":
		first, last = 0.05, 1
	}
	low, high := quantile(xs, first), quantile(xs, last)
	near := [2]float64{math.Inf(1), math.Inf(-1)}
	front := p.numbers(column)
	for _, r := range p.v.Front.Rows {
		if x := front[r]; x == x {
			low, high = min(low, x), max(high, x)
			near[0], near[1] = min(near[0], x), max(near[1], x)
		}
	}
	switch {
	case p.o.Log == "none", p.o.Log != "" && !strings.Contains(p.o.Log, side):
	case p.o.Log != "":
		a.Log = a.Low > 0
	default:
		// Values that span decades.
		a.Log = a.Low > 0 && (c.Log || c.Part == "metric" && decades(xs, low, high))
	}
	if c.Part == "metric" && high > low {
		size := func(low, high float64) float64 {
			if a.Log {
				return math.Log(high / low)
			}
			return high - low
		}
		if size(a.Low, a.High) > 4*size(low, high) {
			more = true
			a.Low, a.High = low, high
		}
	}
	if p.o.Near && c.Part == "metric" && near[0] < near[1] {
		b := Axis{Low: near[0], High: near[1], Log: a.Log}
		b.sound(0.4)
		a.Low, a.High = max(a.Low, b.Low), min(a.High, b.High)
		more = more || a.Low > xs[0] || a.High < xs[len(xs)-1]
	}
	a.sound(0.04)
	return a, more
}

// decades says whether sorted values are read better on a logarithmic axis: those
// shown span two decades, or more than one and lie at its lower end.
func decades(xs []float64, low, high float64) bool {
	if !(low > 0) {
		return false
	}
	r := high / low
	return r > 100 || r > 20 && (quantile(xs, 0.5)-low)/(high-low) < 0.1
}

// mostLevels is up to how many different values stand beside each other on an
// axis, one distance apart.
const mostLevels = 16

// levels returns the texts of a column that has few values; nil for others. The
// place of a row is its index among them.
func (p *plotter) levels(column int) []string {
	c := p.v.Columns[column]
	switch {
	case c.Kind == "category":
		return p.v.Texts(column)
	case c.Kind == "number" && c.Part == "param":
		xs := p.levelsOf(column)
		if xs == nil {
			return nil
		}
		out := make([]string, len(xs))
		for i, x := range xs {
			out[i] = number(x)
		}
		return out
	}
	return nil
}

// levelsOf returns the different numbers of a parameter with few of them. Such
// numbers are choices, and often in no even steps.
func (p *plotter) levelsOf(column int) []float64 {
	var out []float64
	for _, x := range p.numbers(column) {
		if x != x {
			continue
		}
		if i, ok := slices.BinarySearch(out, x); !ok {
			if len(out) == mostLevels {
				return nil
			}
			out = slices.Insert(out, i, x)
		}
	}
	return out
}

// stand is an axis on which levels stand one distance apart, and where the rows
// are on it.
func (p *plotter) stand(column int, side string) (a Axis, at []float64, levels int) {
	c := p.v.Columns[column]
	xs := p.numbers(column)
	names := p.levels(column)
	if names == nil {
		a, _ = p.axis(column, side)
		return a, xs, 0
	}
	a = Axis{Title: p.title(column), Aim: p.aim(column), Labels: names, Low: -0.5, High: float64(len(names)) - 0.5}
	if c.Kind == "category" {
		return a, xs, len(names)
	}
	values := p.levelsOf(column)
	at = make([]float64, len(xs))
	for r, x := range xs {
		at[r] = math.NaN()
		if k, ok := slices.BinarySearch(values, x); ok {
			at[r] = float64(k)
		}
	}
	return a, at, len(names)
}

// tips say which trials the rows of a mark are, and what else is known of them.
func (p *plotter) tips(rows []int, columns ...int) (out []Tip) {
	for _, c := range append([]int{p.record("number")}, columns...) {
		if c < 0 {
			continue
		}
		t := Tip{Title: p.title(c)}
		xs := p.v.Numbers(c)
		if texts := p.v.Texts(c); texts != nil {
			t.Texts = make([]string, len(rows))
			for i, r := range rows {
				if k := xs[r]; k == k && int(k) < len(texts) {
					t.Texts[i] = texts[int(k)]
				}
			}
		} else {
			t.Numbers = pick(xs, rows)
		}
		out = append(out, t)
	}
	return out
}

func pick(xs []float64, rows []int) []float64 {
	out := make([]float64, len(rows))
	for i, r := range rows {
		out[i] = xs[r]
	}
	return out
}

// rows returns the rows for which a condition holds and every column has a
// number.
func (p *plotter) rows(holds func(r int) bool, columns ...[]float64) (out []int) {
next:
	for r := range p.v.Trials.Rows {
		if !holds(r) {
			continue
		}
		for _, xs := range columns {
			if xs[r] != xs[r] {
				continue next
			}
		}
		out = append(out, r)
	}
	return out
}

// dotSize is the diameter of so many dots.
func dotSize(n int) float64 {
	switch {
	case n > 20_000:
		return 1.1
	case n > 4_000:
		return 1.5
	case n > 600:
		return 2
	case n > 150:
		return 2.5
	}
	return 3
}

// dotAlpha is the opacity of so many dots.
func dotAlpha(n int) float64 {
	return min(max(10/math.Sqrt(float64(n)+1), 0.12), 0.6)
}

// keyOf makes the key to the values of a column: from 1 to 99 % of them.
func (p *plotter) keyOf(column int) *Key {
	c := p.v.Columns[column]
	xs := p.measured(column)
	k := &Key{Title: p.title(column), Low: quantile(xs, 0.01), High: quantile(xs, 0.99), Flip: c.Better == "low"}
	return k.sound(c.Log || c.Part == "metric" && decades(xs, k.Low, k.High))
}

// sound makes a key that can be drawn.
func (k *Key) sound(log bool) *Key {
	a := Axis{Low: k.Low, High: k.High, Log: log}
	room := 0.0
	if !(a.High > a.Low) {
		room = 0.05
	}
	a.sound(room)
	k.Low, k.High, k.Log = a.Low, a.High, a.Log
	return k
}

// note adds a sentence to what a caption should say.
func (p *plotter) note(format string, args ...any) {
	if p.f.Note != "" {
		p.f.Note += " "
	}
	p.f.Note += fmt.Sprintf(format, args...)
}
