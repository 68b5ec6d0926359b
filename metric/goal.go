package metric

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// An Objective is one thing to optimise.
//
// With a Target the objective is ArchGym's target reward: maximise
// r = |target| / |target - x|, capped at 1000 because r has a pole at the
// target (Krishnan et al., "ArchGym", 2023). It is symmetric: a value below the
// target is as bad as one equally far above. Direction is ignored then.
type Objective struct {
	Metric    string
	Direction Direction
	Target    *float64 // nil means no target
}

// targetCap bounds the target reward: values within 0.1 % of the target count
// as hit.
const targetCap = 1e3

// ParseObjective reads "maximize accuracy", "minimize latency_ms" or
// "target power_w 1.5". Maximise, minimise, max and min are understood too.
func ParseObjective(s string) (Objective, error) {
	const want = `"maximize NAME", "minimize NAME" or "target NAME NUMBER"`
	f := strings.Fields(s)
	if len(f) == 0 {
		return Objective{}, &GoalError{Text: s, Found: "nothing", Want: want}
	}
	if strings.EqualFold(f[0], "target") {
		if len(f) != 3 {
			return Objective{}, &GoalError{Text: s, Found: words(len(f)), Want: `"target NAME NUMBER"`}
		}
		if err := checkName(s, f[1]); err != nil {
			return Objective{}, err
		}
		t, err := parseNumber(s, "target", f[2])
		if err != nil {
			return Objective{}, err
		}
		o := Objective{Metric: f[1], Target: &t}
		if t == 0 {
			return Objective{}, targetZero(s)
		}
		return o, nil
	}
	d, err := ParseDirection(f[0])
	if err != nil {
		found := strconv.Quote(f[0])
		if len(f) == 1 {
			found = "no direction before " + found
		}
		return Objective{}, &GoalError{Text: s, Found: found, Want: want}
	}
	if len(f) != 2 {
		return Objective{}, &GoalError{Text: s, Found: words(len(f)), Want: fmt.Sprintf("%q", d.String()+" NAME")}
	}
	if err := checkName(s, f[1]); err != nil {
		return Objective{}, err
	}
	return Objective{Metric: f[1], Direction: d}, nil
}

func targetZero(text string) error {
	return &GoalError{
		Text: text, Found: "target 0",
		Want: "a target other than 0, since the reward target/|target-x| is 0 everywhere; minimize the metric's absolute value instead",
	}
}

// String returns the text that [ParseObjective] reads.
func (o Objective) String() string {
	if o.Target != nil {
		return "target " + o.Metric + " " + formatNumber(*o.Target)
	}
	return o.Direction.String() + " " + o.Metric
}

// MarshalText writes the objective as String does.
func (o Objective) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads what [ParseObjective] reads.
func (o *Objective) UnmarshalText(text []byte) error {
	v, err := ParseObjective(string(text))
	if err != nil {
		return err
	}
	*o = v
	return nil
}

// TargetReward is ArchGym's reward for coming near a target, |target| /
// |target - x|, the larger the better, and most where it would be more or is not
// a number, as at the target itself (Krishnan et al., "ArchGym", 2023).
func TargetReward(target, x, most float64) float64 {
	r := math.Abs(target) / math.Abs(target-x)
	if !(r <= most) { // also 0/0 and x/0
		return most
	}
	return r
}

// Loss turns a measured value into a number to be minimised. A value that is
// not finite gives +Inf.
func (o Objective) Loss(x float64) float64 {
	if !finite(x) {
		return math.Inf(1)
	}
	switch {
	case o.Target != nil:
		t := *o.Target
		r := TargetReward(t, x, targetCap)
		if t == 0 {
			r = 0 // refused by Check; never reward
		}
		return -r
	case o.Direction == Maximize:
		return 0 - x // 0-x and not -x, so that 0 does not become -0
	}
	return x
}

// Value turns a loss back into the metric's own unit. For a target it returns
// the distance |target - x|, since the side is lost and distances below a
// thousandth of the target are cut off. Soft limits are part of the loss of a
// [Score] and cannot be taken out here.
func (o Objective) Value(loss float64) float64 {
	switch {
	case o.Target != nil:
		if loss >= 0 {
			return math.Inf(1)
		}
		return math.Abs(*o.Target) / -loss
	case o.Direction == Maximize:
		return 0 - loss
	}
	return loss
}

// An Op compares a metric with a bound.
type Op int8

// The zero Op means that none was stated.
const (
	LessEqual Op = iota + 1
	Less
	GreaterEqual
	Greater
	Equal // up to a relative difference of 1e-9
)

var opText = [...]string{"none", "<=", "<", ">=", ">", "=="}

// String returns "<=", "<", ">=", ">", "==" or, for the zero value, "none".
func (o Op) String() string {
	if o < 0 || int(o) >= len(opText) {
		return fmt.Sprintf("Op(%d)", int8(o))
	}
	return opText[o]
}

// A Limit bounds one metric.
//
// With Soft 0 the limit is hard: a design that misses it is infeasible. Any
// other Soft is the exponent w of MnasNet's weighted product (Tan et al.,
// 2019): a reward is multiplied by (g/bound)^w and a cost divided by it, on
// both sides of the bound, so that a miss costs a little and slack earns a
// little. MnasNet uses -0.07 for latency: twice the latency is worth 5 % of
// accuracy. For <= and < the exponent is negative, for >= and > positive. A
// soft limit promises nothing; the ratio is kept within 1e-9 and 1e9.
type Limit struct {
	Metric string
	Op     Op
	Bound  float64
	Soft   float64 // 0 means hard
}

// ParseLimit reads "latency_ms <= 5", "accuracy >= 0.9" or, for a soft limit,
// "latency_ms <= 80 soft -0.07". The operators are <= < >= > ==.
func ParseLimit(s string) (Limit, error) {
	const want = `"NAME OP NUMBER" with OP one of <= < >= > ==, for example "latency_ms <= 5"`
	at := strings.IndexAny(s, "<>=!")
	if at < 0 {
		return Limit{}, &GoalError{Text: s, Found: "no comparison", Want: want}
	}
	end := at + 1
	for end < len(s) && strings.IndexByte("<>=!", s[end]) >= 0 {
		end++
	}
	l := Limit{Metric: strings.TrimSpace(s[:at])}
	switch op := s[at:end]; op {
	case "<=":
		l.Op = LessEqual
	case "<":
		l.Op = Less
	case ">=":
		l.Op = GreaterEqual
	case ">":
		l.Op = Greater
	case "==":
		l.Op = Equal
	case "=":
		return Limit{}, &GoalError{Text: s, Found: `the operator "="`, Want: "== for equal, or one of <= < >= >"}
	default:
		return Limit{}, &GoalError{Text: s, Found: fmt.Sprintf("the operator %q", op), Want: "one of <= < >= > =="}
	}
	if _, err := strconv.ParseFloat(l.Metric, 64); err == nil {
		return Limit{}, &GoalError{Text: s, Found: fmt.Sprintf("the number %s on the left", l.Metric), Want: "the metric on the left and the number on the right"}
	}
	if err := checkName(s, l.Metric); err != nil {
		return Limit{}, err
	}
	f := strings.Fields(s[end:])
	if len(f) == 0 {
		return Limit{}, &GoalError{Text: s, Found: "no bound", Want: want}
	}
	var err error
	if l.Bound, err = parseNumber(s, "bound", f[0]); err != nil {
		return Limit{}, err
	}
	switch {
	case len(f) == 1:
		return l, nil
	case len(f) != 3 || f[1] != "soft":
		return Limit{}, &GoalError{
			Text: s, Found: fmt.Sprintf("%q after the bound", strings.Join(f[1:], " ")),
			Want: `nothing, or "soft EXPONENT", for example "soft -0.07"`,
		}
	}
	if l.Soft, err = parseNumber(s, "soft exponent", f[2]); err != nil {
		return Limit{}, err
	}
	if err := l.checkSoft(s); err != nil {
		return Limit{}, err
	}
	if l.Soft == 0 {
		return Limit{}, &GoalError{Text: s, Found: "soft 0", Want: "an exponent other than 0, for example -0.07, or no soft for a hard limit"}
	}
	return l, nil
}

// String returns the text that [ParseLimit] reads.
func (l Limit) String() string {
	s := l.Metric + " " + l.Op.String() + " " + formatNumber(l.Bound)
	if l.Soft != 0 {
		s += " soft " + formatNumber(l.Soft)
	}
	return s
}

// MarshalText writes the limit as String does.
func (l Limit) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads what [ParseLimit] reads.
func (l *Limit) UnmarshalText(text []byte) error {
	v, err := ParseLimit(string(text))
	if err != nil {
		return err
	}
	*l = v
	return nil
}

// tinyViolation is what a value exactly on a strict bound is charged: it must
// not be feasible, yet nearer than any other miss.
const tinyViolation = 1e-300

// equalTolerance is the relative difference up to which == holds.
const equalTolerance = 1e-9

// Violation says how far x misses the limit as a fraction of the bound, and 0
// when x keeps it: max(0, (x-bound)/|bound|) for <=, with 1 for |bound| when
// the bound is 0. A value that is not finite gives +Inf. It does not look at
// Soft.
func (l Limit) Violation(x float64) float64 {
	if !finite(x) {
		return math.Inf(1)
	}
	var miss float64
	switch l.Op {
	case LessEqual, Less:
		miss = x - l.Bound
	case GreaterEqual, Greater:
		miss = l.Bound - x
	case Equal:
		miss = math.Abs(x - l.Bound)
		if miss <= equalTolerance*math.Abs(l.Bound) {
			miss = 0
		}
	}
	if miss < 0 {
		return 0
	}
	if miss == 0 {
		if l.Op == Less || l.Op == Greater {
			return tinyViolation
		}
		return 0
	}
	scale := math.Abs(l.Bound)
	if scale == 0 {
		scale = 1
	}
	return min(max(miss/scale, tinyViolation), math.MaxFloat64)
}

// factor is MnasNet's (x/bound)^w.
func (l Limit) factor(x float64) float64 {
	ratio := x / l.Bound
	if !(ratio >= 1e-9) {
		ratio = 1e-9
	}
	if ratio > 1e9 {
		ratio = 1e9
	}
	return power(ratio, l.Soft)
}

func (l Limit) checkSoft(text string) error {
	switch w := l.Soft; {
	case w == 0:
		return nil
	case !finite(w):
		return &GoalError{Text: text, Found: "soft exponent " + formatNumber(w), Want: "a finite number"}
	case l.Op == Equal:
		return &GoalError{Text: text, Found: "a soft ==", Want: "<=, <, >= or > for a soft limit, since a ratio has no best value at 1"}
	case l.Bound <= 0:
		return &GoalError{Text: text, Found: "soft with the bound " + formatNumber(l.Bound), Want: "a positive bound, since (value/bound)^exponent needs a positive ratio"}
	case (l.Op == LessEqual || l.Op == Less) && w > 0:
		return &GoalError{Text: text, Found: "soft " + formatNumber(w), Want: "a negative exponent with " + l.Op.String() + ", so that values above the bound cost, for example -0.07"}
	case (l.Op == GreaterEqual || l.Op == Greater) && w < 0:
		return &GoalError{Text: text, Found: "soft " + formatNumber(w), Want: "a positive exponent with " + l.Op.String() + ", so that values below the bound cost, for example 0.07"}
	case math.Abs(w) > 30:
		return &GoalError{Text: text, Found: "soft " + formatNumber(w), Want: "an exponent between -30 and 30; use a hard limit for more"}
	}
	return nil
}

// A Goal says what counts: what to optimise and which limits hold.
type Goal struct {
	Objectives []Objective
	Limits     []Limit
}

// A GoalError is one mistake in an objective or a limit.
type GoalError struct {
	Text  string // the objective or limit as written; "" when the goal as a whole is wrong
	Found string
	Want  string
}

func (e *GoalError) Error() string {
	if e.Text == "" {
		return "goal: found " + e.Found + ", want " + e.Want
	}
	return strconv.Quote(e.Text) + ": found " + e.Found + ", want " + e.Want
}

// Check reports every mistake in the goal for a problem that measures the
// given metrics, each a [*GoalError], joined with [errors.Join]; nil when there
// is none. A metric nobody measures is reported with the nearest known name.
func (g Goal) Check(metrics []Metric) error {
	var errs []error
	bad := func(text, found, want string) {
		errs = append(errs, &GoalError{Text: text, Found: found, Want: want})
	}
	known := func(text, name string) {
		for _, m := range metrics {
			if m.Name == name {
				return
			}
		}
		if name == "" {
			bad(text, "no metric", "the name of a metric")
			return
		}
		bad(text, fmt.Sprintf("the unknown metric %q", name), suggest(name, metrics))
	}
	if len(g.Objectives) == 0 {
		bad("", "no objective", `at least one, for example "maximize accuracy"`)
	}
	for i, o := range g.Objectives {
		text := o.String()
		known(text, o.Metric)
		switch {
		case o.Target != nil && !finite(*o.Target):
			bad(text, "target "+formatNumber(*o.Target), "a finite number")
		case o.Target != nil && *o.Target == 0:
			errs = append(errs, targetZero(text))
		case o.Target == nil && o.Direction != Minimize && o.Direction != Maximize:
			bad(text, "no direction", "minimize or maximize")
		}
		for _, p := range g.Objectives[:i] {
			if p.Metric == o.Metric {
				bad(text, fmt.Sprintf("a second objective on %q after %q", o.Metric, p), "each metric in one objective at most")
				break
			}
		}
	}
	for i, l := range g.Limits {
		text := l.String()
		known(text, l.Metric)
		if l.Op < LessEqual || l.Op > Equal {
			bad(text, "no comparison", "one of <= < >= > ==")
		}
		if !finite(l.Bound) {
			bad(text, "the bound "+formatNumber(l.Bound), "a finite number")
			continue
		}
		if err := l.checkSoft(text); err != nil {
			errs = append(errs, err)
		}
		if l.Soft != 0 {
			continue
		}
		for _, k := range g.Limits[:i] {
			if k.Metric == l.Metric && k.Soft == 0 && finite(k.Bound) && contradict(k, l) {
				bad(text, fmt.Sprintf("no value that also keeps %q", k), "limits that some value can meet")
			}
		}
	}
	return errors.Join(errs...)
}

// contradict reports whether no value keeps both hard limits.
func contradict(a, b Limit) bool {
	aLo, aHi := a.interval()
	bLo, bHi := b.interval()
	lo, hi := max(aLo, bLo), min(aHi, bHi)
	if lo > hi {
		// == has a tolerance
		return a.Violation(b.Bound) > equalTolerance && b.Violation(a.Bound) > equalTolerance
	}
	if lo < hi {
		return false
	}
	return a.Violation(lo) > 0 || b.Violation(lo) > 0
}

func (l Limit) interval() (lo, hi float64) {
	lo, hi = math.Inf(-1), math.Inf(1)
	if l.Op != LessEqual && l.Op != Less {
		lo = l.Bound
	}
	if l.Op != GreaterEqual && l.Op != Greater {
		hi = l.Bound
	}
	return lo, hi
}

// Score judges one design. It never fails: a metric that the goal needs and
// that is missing, NaN or infinite makes every loss and the violation +Inf, so
// that the design ranks last.
func (g Goal) Score(v Values) Score {
	s := Score{Loss: make([]float64, len(g.Objectives))}
	factor := 1.0
	for _, l := range g.Limits {
		x, ok := v[l.Metric]
		if !ok || !finite(x) {
			return failed(s.Loss)
		}
		if l.Soft == 0 {
			s.Violation = min(s.Violation+l.Violation(x), math.MaxFloat64)
		} else {
			factor *= l.factor(x)
		}
	}
	factor = min(max(factor, math.SmallestNonzeroFloat64), math.MaxFloat64)
	for i, o := range g.Objectives {
		x, ok := v[o.Metric]
		if !ok || !finite(x) {
			return failed(s.Loss)
		}
		loss := o.Loss(x)
		// A factor below 1 must always hurt: a reward (negative loss) shrinks,
		// a cost grows.
		if factor != 1 {
			if loss < 0 {
				loss *= factor
			} else {
				loss /= factor
			}
			loss = min(max(loss, -math.MaxFloat64), math.MaxFloat64)
		}
		s.Loss[i] = loss
	}
	return s
}

func failed(loss []float64) Score {
	for i := range loss {
		loss[i] = math.Inf(1)
	}
	return Score{Loss: loss, Violation: math.Inf(1)}
}

// checkName refuses names that could not be read back.
func checkName(text, name string) error {
	switch {
	case name == "":
		return &GoalError{Text: text, Found: "no metric", Want: "the name of a metric"}
	case len(strings.Fields(name)) != 1:
		return &GoalError{Text: text, Found: fmt.Sprintf("the name %q", name), Want: "one word"}
	case strings.ContainsAny(name, "<>=!"):
		return &GoalError{Text: text, Found: fmt.Sprintf("the name %q", name), Want: "a name without < > = !"}
	}
	return nil
}

func parseNumber(text, what, s string) (float64, error) {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, &GoalError{Text: text, Found: fmt.Sprintf("the %s %q", what, s), Want: "a number in the metric's own unit, without the unit's name"}
	}
	if !finite(x) {
		return 0, &GoalError{Text: text, Found: fmt.Sprintf("the %s %q", what, s), Want: "a finite number"}
	}
	return x, nil
}

func formatNumber(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

func words(n int) string {
	if n == 1 {
		return "one word"
	}
	return strconv.Itoa(n) + " words"
}

func finite(x float64) bool { return x-x == 0 }

// suggest names the nearest known metric, or all of them.
func suggest(name string, metrics []Metric) string {
	if len(metrics) == 0 {
		return "a metric that the problem measures; it measures none"
	}
	best, bestDist := "", math.MaxInt
	names := make([]string, len(metrics))
	for i, m := range metrics {
		names[i] = m.Name
		if d := editDistance(strings.ToLower(name), strings.ToLower(m.Name)); d < bestDist {
			best, bestDist = m.Name, d
		}
	}
	known := "one of " + strings.Join(names, ", ")
	if len(names) == 1 {
		known = names[0]
	}
	if bestDist <= max(2, len(name)/3) && len(names) > 1 {
		return fmt.Sprintf("%s; did you mean %q?", known, best)
	}
	return known
}

// editDistance is the Levenshtein distance with transpositions of neighbours.
func editDistance(a, b string) int {
	s, t := []rune(a), []rune(b)
	prev2, prev, cur := make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(s); i++ {
		cur[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(t)]
}
