package view

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/daedalus-search/daedalus/internal/shape"
	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/store"
)

// A column under construction. Rows that it says nothing about have NaN or 0.
type column struct {
	Column
	key   []int32           // of a parameter: its place in declaration order
	xs    []float64         // of a number
	code  []uint32          // of a category or a text
	index map[string]uint32 // text → place in Values, from 1
	zero  *column           // NaN means 0 where this column has a value
}

func (c *column) set(row int, x float64) {
	for len(c.xs) < row {
		c.xs = append(c.xs, math.NaN())
	}
	c.xs = append(c.xs, x)
}

func (c *column) label(row int, s string) {
	k, ok := c.index[s]
	if !ok {
		k = c.option(s)
	}
	for len(c.code) < row {
		c.code = append(c.code, 0)
	}
	c.code = append(c.code, k)
}

// longest is how much of a text is kept, in bytes.
const longest = 2000

// option makes a value of a category known.
func (c *column) option(s string) uint32 {
	if c.index == nil {
		c.index = map[string]uint32{}
	}
	k := uint32(len(c.Values) + 1)
	c.index[s] = k
	c.Values = append(c.Values, shorten(s, longest))
	return k
}

// shorten cuts a text that is too long and says so.
func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	cut := s[:most]
	for !utf8.ValidString(cut) && len(cut) > most-utf8.UTFMax {
		cut = cut[:len(cut)-1]
	}
	return fmt.Sprintf("%s… (%s bytes)", cut, term.Int(int64(len(s))))
}

func (c *column) numeric() bool { return c.Kind == "number" }

// roundable reports whether a page may keep seven digits of the column's
// numbers: not of what was measured, which decides who is better.
func (c *column) roundable() bool {
	return c.numeric() && !c.Whole && c.Part != "metric" && c.Part != "verified"
}

// at returns the number of a row: its value, or of a category its index in
// Values, from 0; NaN where there is none.
func (c *column) at(row int) float64 {
	if c.numeric() {
		return c.xs[row]
	}
	return float64(c.code[row]) - 1 + nanIf(c.code[row] == 0)
}

func nanIf(b bool) float64 {
	if b {
		return math.NaN()
	}
	return 0
}

// rows holds the trials of a view, column by column.
type rows struct {
	n       int
	shape   *shape.Shape
	columns []*column // record, metrics, parameters; parameters in order of appearance until done
	state   []store.State
	numbers []int64
	designs [][]byte
	loss    [][]float64
	miss    []float64 // violations
	parents [][]int64
	steps   []step
	origin  time.Time
	better  map[string]string // objective → which end is better

	record  map[string]*column
	metric  map[string]*column
	metrics []*column // as declared, then others
	param   map[string]*column
	params  []*column
}

// A step is one intermediate result.
type step struct {
	row    int
	step   int64
	values map[string]float64
}

// times are the columns that hold seconds since the study began.
var times = []string{"queued", "started", "finished"}

func newRows(rec store.Study, sh *shape.Shape, metrics []metric.Metric, better map[string]string) *rows {
	r := &rows{shape: sh, origin: rec.Created, better: better, record: map[string]*column{}, metric: map[string]*column{}, param: map[string]*column{}}
	add := func(name, kind, unit, doc string) *column {
		c := &column{Column: Column{Name: name, Part: "record", Kind: kind, Unit: unit, Doc: doc}}
		r.record[name] = c
		r.columns = append(r.columns, c)
		return c
	}
	add("number", "number", "", "number of the trial").Whole = true
	s := add("state", "category", "", "how the trial ended")
	for k := store.Waiting; k <= store.Cached; k++ {
		s.option(k.String())
	}
	add("violation", "number", "", "how far limits are missed, as a share of their bounds; 0 keeps all")
	add("seconds", "number", "s", "time of evaluation")
	add("cost", "number", "", "cost in the study's own unit")
	add("attempt", "number", "", "attempts at evaluating it").Whole = true
	add("fidelity", "number", "", "share of the full evaluation")
	add("queued", "number", "s", "when it was proposed, since the study began")
	add("started", "number", "s", "when its evaluation began, since the study began")
	add("finished", "number", "s", "when its evaluation ended, since the study began")
	add("worker", "category", "", "who evaluated it")
	add("operator", "category", "", "what made the design")
	add("error_class", "category", "", "kind of failure")
	add("error", "text", "", "what went wrong")
	add("why", "text", "", "why it was proposed")
	for _, m := range metrics {
		r.addMetric(m)
	}
	return r
}

func (r *rows) addMetric(m metric.Metric) *column {
	c := &column{Column: Column{Name: m.Name, Part: "metric", Kind: "number", Unit: m.Unit, Doc: m.Doc, Better: r.better[m.Name]}}
	if c.Better == "" {
		c.Better = better(m.Direction)
	}
	r.metric[m.Name] = c
	r.metrics = append(r.metrics, c)
	return c
}

// addVerified adds what was measured of some rows afterwards, so that it can be an axis.
// A name that is taken means what has it.
func (r *rows) addVerified(m metric.Metric, of []int, values []*float64) {
	if slices.ContainsFunc(r.columns, func(c *column) bool { return c.Name == m.Name }) {
		return
	}
	c := &column{Column: Column{Name: m.Name, Part: "verified", Kind: "number", Unit: m.Unit, Doc: m.Doc, Better: better(m.Direction)}}
	c.xs = slices.Repeat([]float64{math.NaN()}, r.n)
	for i, x := range values {
		if x != nil {
			c.xs[of[i]] = *x
		}
	}
	c.finish(r.n)
	r.columns = append(r.columns, c)
}

// add takes the next trial.
func (r *rows) add(t *store.Trial) error {
	row := r.n
	r.n++
	r.state = append(r.state, t.State)
	r.numbers = append(r.numbers, t.Number)
	r.designs = append(r.designs, t.Design)
	r.parents = append(r.parents, t.Parents)
	r.loss = append(r.loss, t.Loss)
	r.miss = append(r.miss, t.Violation)
	if len(t.Loss) == 0 {
		r.miss[row] = math.NaN()
	}
	rec := r.record
	rec["number"].set(row, float64(t.Number))
	rec["state"].label(row, t.State.String())
	if len(t.Loss) > 0 {
		rec["violation"].set(row, t.Violation)
	}
	if t.State.Done() && t.State != store.Cached {
		rec["seconds"].set(row, t.Seconds)
		rec["cost"].set(row, t.Cost)
	}
	rec["attempt"].set(row, float64(max(t.Attempt, 1)))
	if t.Fidelity != 0 {
		rec["fidelity"].set(row, t.Fidelity)
	}
	for i, at := range [...]time.Time{t.Queued, t.Started, t.Finished} {
		if !at.IsZero() {
			if r.origin.IsZero() {
				r.origin = at
			}
			rec[times[i]].set(row, at.Sub(r.origin).Seconds())
		}
	}
	for name, s := range map[string]string{"worker": t.Worker, "operator": t.Operator, "error_class": t.ErrorClass, "error": t.Error, "why": t.Why} {
		if s != "" {
			rec[name].label(row, s)
		}
	}
	for name, x := range t.Values {
		if c := r.metric[name]; c != nil {
			c.set(row, x)
		}
	}
	if len(t.Values) > 0 && !r.declares(t.Values) {
		for _, name := range slices.Sorted(maps.Keys(t.Values)) {
			if r.metric[name] == nil {
				r.addMetric(metric.Metric{Name: name}).set(row, t.Values[name])
			}
		}
	}
	for _, s := range t.Steps {
		r.steps = append(r.steps, step{row, s.Step, s.Values})
	}
	err := r.shape.Walk(t.Design, func(p shape.Place, value []byte) { r.place(row, p, value) })
	if err != nil {
		return fmt.Errorf("view: trial %d: %w", t.Number, err)
	}
	return nil
}

func (r *rows) declares(v map[string]float64) bool {
	for name := range v {
		if r.metric[name] == nil {
			return false
		}
	}
	return true
}

// parameter returns the column of a place; what tells apart the columns of a
// part that has several.
func (r *rows) parameter(p shape.Place, what string, kind string) *column {
	c := r.param[string(p.Path)]
	if what != "" {
		c = r.param[string(p.Path)+what]
	}
	if c != nil {
		return c
	}
	name := string(p.Path) + what
	c = &column{Column: Column{Name: name, Static: p.Part.Path, Part: "param", Kind: kind, Unit: p.Part.Unit, Doc: p.Part.Doc}}
	c.key = slices.Clone(p.Key)
	r.param[name] = c
	r.params = append(r.params, c)
	return c
}

// place takes one value of a design.
func (r *rows) place(row int, p shape.Place, value []byte) {
	part := p.Part
	switch part.Kind {
	case "subset":
		var items []any
		if json.Unmarshal(value, &items) != nil {
			return
		}
		chosen := map[string]bool{}
		for _, x := range items {
			chosen[fmt.Sprint(x)] = true
		}
		for _, option := range part.Values {
			c := r.parameter(p, "."+option, "category")
			c.Doc = fmt.Sprintf("whether %s holds %s", p.Path, option)
			c.yesNo()
			c.label(row, strconv.FormatBool(chosen[option]))
		}
		return
	case "permutation":
		var items []any
		if json.Unmarshal(value, &items) != nil {
			return
		}
		for i, x := range items {
			c := r.parameter(p, "."+fmt.Sprint(x), "number")
			c.Doc = fmt.Sprintf("place of %v in %s, from 1", x, p.Path)
			c.Low, c.High = ptr(1), ptr(float64(len(part.Values)))
			c.set(row, float64(i+1))
		}
		return
	case "grammar":
		var g struct{ Tokens []any }
		if json.Unmarshal(value, &g) != nil {
			return
		}
		words := make([]string, len(g.Tokens))
		count := map[string]float64{}
		for i, x := range g.Tokens {
			words[i] = fmt.Sprint(x)
			count[words[i]]++
		}
		whole := r.parameter(p, "", "text")
		whole.label(row, strings.Join(words, " "))
		c := r.parameter(p, ".length", "number")
		c.Unit = "tokens"
		c.set(row, float64(len(words)))
		for _, w := range slices.Sorted(maps.Keys(count)) {
			c := r.parameter(p, "."+w, "number")
			c.Doc, c.zero = fmt.Sprintf("how often %s occurs in %s", w, p.Path), whole
			c.set(row, count[w])
		}
		return
	}
	if len(value) == 0 || value[0] == 'n' {
		return
	}
	switch part.Type {
	case shape.Int, shape.Float:
		x, err := strconv.ParseFloat(string(value), 64)
		if err != nil {
			return
		}
		c := r.parameter(p, "", "number")
		if len(c.xs) == 0 {
			c.Log = part.Log
			if part.Numeric() && part.High > part.Low {
				c.Low, c.High = ptr(part.Low), ptr(part.High)
			}
		}
		c.set(row, x)
	case shape.Bool:
		c := r.parameter(p, "", "category")
		c.yesNo()
		c.label(row, string(value))
	default:
		kind := "category"
		if len(part.Values) == 0 {
			kind = "text"
		}
		c := r.parameter(p, "", kind)
		if len(c.code) == 0 {
			c.Ordered = part.Kind == "ordinal"
			for _, v := range part.Values {
				if _, ok := c.index[v]; !ok {
					c.option(v)
				}
			}
		}
		if value[0] == '"' {
			c.label(row, string(shape.Unquoted(value)))
		} else {
			c.label(row, string(value))
		}
	}
}

func (c *column) yesNo() {
	if len(c.Values) == 0 {
		c.option("false")
		c.option("true")
	}
}

func ptr(x float64) *float64 { return &x }

// done puts the columns in order and leaves out those that say nothing.
func (r *rows) done() {
	taken := map[string]bool{"parents": true, "hash": true}
	for _, c := range r.columns {
		taken[c.Name] = true
	}
	keep := r.columns[:0]
	for _, c := range r.columns {
		switch c.Name {
		case "number", "state":
		case "attempt": // all 1 says nothing
			if !slices.ContainsFunc(c.xs, func(x float64) bool { return x > 1 }) {
				continue
			}
		default:
			if len(c.xs) == 0 && len(c.code) == 0 {
				continue
			}
		}
		keep = append(keep, c)
	}
	r.columns = keep
	add := func(c *column, prefix string) {
		for taken[c.Name] {
			c.Name = prefix + c.Name
		}
		taken[c.Name] = true
		r.columns = append(r.columns, c)
	}
	for _, c := range r.metrics {
		if len(c.xs) > 0 {
			add(c, "metric.")
		}
	}
	slices.SortStableFunc(r.params, func(a, b *column) int { return slices.Compare(a.key, b.key) })
	for _, c := range r.params {
		add(c, "design.")
	}
	for _, c := range r.columns {
		c.finish(r.n)
	}
}

// finish fills up the rows at the end and looks at what is there.
func (c *column) finish(n int) {
	if !c.numeric() {
		for len(c.code) < n {
			c.code = append(c.code, 0)
		}
		for _, k := range c.code {
			if k == 0 {
				c.Missing++
			}
		}
		return
	}
	for len(c.xs) < n {
		c.xs = append(c.xs, math.NaN())
	}
	if c.zero != nil {
		for row, x := range c.xs {
			if math.IsNaN(x) && row < len(c.zero.code) && c.zero.code[row] != 0 {
				c.xs[row] = 0
			}
		}
	}
	low, high := math.Inf(1), math.Inf(-1)
	whole := true
	for _, x := range c.xs {
		switch {
		case math.IsNaN(x):
			c.Missing++
		case !math.IsInf(x, 0):
			low, high = min(low, x), max(high, x)
			whole = whole && x == math.Trunc(x)
		}
	}
	if low <= high {
		c.Min, c.Max = ptr(low), ptr(high)
	}
	c.Whole = whole && low <= high
}

// choose keeps only some rows, given in rising order.
func (r *rows) choose(keep []int) {
	pickFloat := func(xs []float64) []float64 {
		out := make([]float64, len(keep))
		for i, k := range keep {
			out[i] = xs[k]
		}
		return out
	}
	to := make([]int, r.n)
	for i := range to {
		to[i] = -1
	}
	for i, k := range keep {
		to[k] = i
		r.state[i], r.numbers[i], r.designs[i], r.loss[i], r.parents[i] = r.state[k], r.numbers[k], r.designs[k], r.loss[k], r.parents[k]
	}
	n := len(keep)
	r.state, r.numbers, r.designs, r.loss, r.parents = r.state[:n], r.numbers[:n], r.designs[:n], r.loss[:n], r.parents[:n]
	r.miss = pickFloat(r.miss)
	for _, c := range r.columns {
		c.Missing = 0
		if c.numeric() {
			c.xs = pickFloat(c.xs)
		} else {
			for i, k := range keep {
				c.code[i] = c.code[k]
			}
			c.code = c.code[:n]
		}
		c.finish(n)
	}
	steps := r.steps[:0]
	for _, s := range r.steps {
		if to[s.row] >= 0 {
			s.row = to[s.row]
			steps = append(steps, s)
		}
	}
	r.steps, r.n = steps, n
}

// find returns the index of a column, or -1.
func (r *rows) find(c *column) int {
	if c == nil {
		return -1
	}
	return slices.Index(r.columns, c)
}

// inlineNumbers is up to how many different numbers a column is stored as a list
// of them and one byte a row.
const inlineNumbers = 255

// weighed is how many rows are packed to see what all of them would weigh.
const weighed = 8192

// size estimates what a column weighs in a page, in bytes, from a part of its
// rows. rounded says whether numbers keep seven digits only.
func (c *column) size(rounded bool) (float64, error) {
	part := *c
	part.Rounded = rounded
	n := max(len(c.xs), len(c.code))
	if n > weighed {
		if c.numeric() {
			part.xs = c.xs[n/2-weighed/2:][:weighed]
		} else {
			part.code = c.code[n/2-weighed/2:][:weighed]
		}
	}
	blocks := map[string]block{}
	if err := part.encode("", blocks); err != nil {
		return 0, err
	}
	b, err := blocks[""].deflated()
	if err != nil {
		return 0, err
	}
	sum := float64(len(b)) * max(float64(n)/weighed, 1)
	for _, v := range c.Values {
		if s, ok := v.(string); ok {
			sum += 0.4 * float64(len(s)+3)
		}
	}
	return 4. / 3 * sum, nil
}

// encode makes the blocks of a column. name is that of its block.
func (c *column) encode(name string, blocks map[string]block) error {
	c.Block = name
	if !c.numeric() {
		var b block
		c.Encoding, b = codes(c.code, len(c.Values)+1)
		blocks[name] = b
		if c.Kind == "text" {
			t, err := text(c.Values)
			if err != nil {
				return err
			}
			c.Texts = name + ".texts"
			blocks[c.Texts] = t
			c.Values = nil
		}
		return nil
	}
	small := c.Whole && c.Min != nil && *c.Min > math.MinInt32 && *c.Max <= math.MaxInt32
	infinite := slices.ContainsFunc(c.xs, func(x float64) bool { return math.IsInf(x, 0) })
	if !infinite {
		if values := distinct(c.xs, inlineNumbers); len(values) > 0 {
			code := make([]uint32, len(c.xs))
			for i, x := range c.xs {
				if k, ok := slices.BinarySearch(values, x); ok {
					code[i] = uint32(k + 1)
				}
			}
			c.Values = nil
			for _, v := range values {
				c.Values = append(c.Values, v)
			}
			c.Encoding, blocks[name] = codes(code, len(values)+1)
			return nil
		}
	}
	switch {
	case small && !infinite:
		c.Encoding, blocks[name] = "i32", wholes(c.xs)
	case c.Rounded:
		c.Encoding, blocks[name] = "f32", floats32(c.xs)
	default:
		c.Encoding, blocks[name] = "f64", floats64(c.xs)
	}
	return nil
}
