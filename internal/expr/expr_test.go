package expr

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// script reads a file of cases separated by blank lines: lines of input, then
// lines of expected output, each after "---- ".
func script(t *testing.T, file string, run func(t *testing.T, in []string) []string) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i, block := range strings.Split(string(data), "\n\n") {
		var in, want []string
		for line := range strings.Lines(block) {
			line = strings.TrimSuffix(line, "\n")
			if w, ok := strings.CutPrefix(line, "---- "); ok {
				want = append(want, w)
			} else if line != "" && (i > 0 || !strings.HasPrefix(line, "#")) {
				in = append(in, line)
			}
		}
		if len(in) == 0 {
			continue
		}
		n++
		t.Run(in[0], func(t *testing.T) {
			if d := cmp.Diff(want, run(t, in)); d != "" {
				t.Errorf("%s (-want +got):\n%s", strings.Join(in, "\n"), d)
			}
		})
	}
	if n < 10 {
		t.Fatalf("%s: only %d cases", file, n)
	}
}

// box is an Env and a Box for tests.
type box struct {
	vals    []Value
	states  []State
	domains []Domain
}

func (b *box) Value(slot int) (Value, State) { return b.vals[slot], b.states[slot] }
func (b *box) Domain(slot int) Domain        { return b.domains[slot] }

func (b *box) add(v Value, st State, d Domain) int {
	b.vals, b.states, b.domains = append(b.vals, v), append(b.states, st), append(b.domains, d)
	return len(b.vals) - 1
}

func literal(t *testing.T, s string) (Value, State) {
	t.Helper()
	switch s {
	case "", "-":
		return Value{}, Inactive
	case "?":
		return Value{}, Open
	}
	e, err := Parse(s)
	if err != nil || e.root.op != opConst {
		t.Fatalf("bad literal %q", s)
	}
	return e.root.val, Known
}

func TestEval(t *testing.T) {
	t.Parallel()
	script(t, "eval.txt", func(t *testing.T, in []string) []string {
		e, err := Parse(in[0])
		if err != nil {
			return []string{err.Error()}
		}
		env := &box{}
		refs := map[string]Ref{}
		for _, line := range in[1:] {
			name, list, _ := strings.Cut(line, " = ")
			var ref Ref
			for _, s := range strings.Split(list, ", ") {
				v, st := literal(t, s)
				ref.Slot = env.add(v, st, Domain{Lo: math.Inf(-1), Hi: math.Inf(1), Optional: true})
				ref.Each = append(ref.Each, ref.Slot)
			}
			if len(ref.Each) == 1 {
				ref.Each = nil
			}
			refs[name] = ref
		}
		p, err := e.Bind(func(name string) (Ref, bool) { r, ok := refs[name]; return r, ok })
		if err != nil {
			return []string{err.Error()}
		}
		v, st := p.Eval(env)
		// The three entry points agree.
		if tr := p.Truth(env); st == Known && v.Kind == Bool && tr != truthOf(v.Num != 0) || st != Known && tr != unsettled(st) && tr != Undefined {
			t.Errorf("Truth = %v", tr)
		}
		if x, s := p.Number(env); st == Known && v.Kind == Number && (s != Known || x != v.Num) {
			t.Errorf("Number = %v, %v", x, s)
		}
		switch st {
		case Inactive:
			return []string{"undefined"}
		case Open:
			return []string{"open"}
		}
		return []string{v.String()}
	})
}

func TestParse(t *testing.T) {
	t.Parallel()
	script(t, "parse.txt", func(t *testing.T, in []string) []string {
		e, err := Parse(in[0])
		if err != nil {
			s, ok := err.(*SyntaxError)
			if !ok {
				t.Fatalf("error is a %T", err)
			}
			return []string{fmt.Sprintf("%d: found %s, expected %s", s.Offset, s.Found, s.Want)}
		}
		return []string{e.String()}
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	types := map[string]Type{
		"x": {Kind: Number}, "y": {Kind: Number}, "tile": {Kind: Number}, "flag": {Kind: Bool},
		"opt": {Kind: String, Options: []string{"O1", "O2", "O3"}}, "tag": {Kind: String}, "mixed": {},
		"stages": {Repeated: true}, "stages.width": {Kind: Number, Repeated: true},
		"stages.kind": {Kind: String, Repeated: true, Options: []string{"conv", "pool"}},
	}
	var known []string
	for n := range types {
		known = append(known, n)
	}
	slices.Sort(known)
	script(t, "check.txt", func(t *testing.T, in []string) []string {
		e, err := Parse(in[0])
		if err != nil {
			return []string{err.Error()}
		}
		i := slices.IndexFunc([]Kind{None, Number, Bool, String}, func(k Kind) bool { return k.String() == in[1] })
		err = e.Check(func(n string) (Type, bool) { ty, ok := types[n]; return ty, ok }, known, Kind(i))
		if err == nil {
			return []string{"ok"}
		}
		m, ok := err.(*MeaningError)
		if !ok {
			t.Fatalf("error is a %T", err)
		}
		var out []string
		for _, x := range m.Mistakes {
			out = append(out, fmt.Sprintf("%d: %s", x.Offset, x.Text))
		}
		return out
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"parentheses": strings.Repeat("(", 5000),
		"negations":   strings.Repeat("-", 10000) + "1",
		"not":         strings.Repeat("not ", 4000) + "a",
		"implies":     strings.Repeat("a=>", 5000) + "a",
		"powers":      strings.Repeat("a^", 5000) + "a",
		"conditions":  strings.Repeat("a?a:", 4000) + "a",
		"sum":         strings.Repeat("1+", 8000) + "1",
		"calls":       strings.Repeat("abs(", 4000),
		"lists":       strings.Repeat("a in [", 2500),
		"length":      strings.Repeat(" ", 1<<20) + "1",
	} {
		if _, err := Parse(src); err == nil || !strings.Contains(err.Error(), "at most") {
			t.Errorf("%s: error = %v, want a limit", name, err)
		}
	}
	for name, src := range map[string]string{
		"and":  strings.Repeat("a and ", 2500) + "a",
		"list": "a in [" + strings.Repeat("1,", 7000) + "1]",
		"sum":  strings.Repeat("1+", 900) + "1",
	} {
		if _, err := Parse(src); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBindErrors(t *testing.T) {
	t.Parallel()
	refs := map[string]Ref{"x": {Slot: 0}, "a.w": {Each: []int{1, 2}}, "b.w": {Each: []int{3}}}
	for src, want := range map[string]string{
		"x + y":               "no parameter is named y",
		"a.w > 3":             "aggregate",
		"sum(a.w * b.w)":      "has 1 instances where another name in sum() has 2",
		"sum(x)":              "needs something repeated",
		"sum(count(a.w > 1))": "do not nest",
		"active(y)":           "no parameter is named y",
		"z == w":              "no parameter is named z",
	} {
		e, err := Parse(src)
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.Bind(func(n string) (Ref, bool) { r, ok := refs[n]; return r, ok })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Bind(%q) error = %v, want %q in it", src, err, want)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	e, err := Parse("b.x + a <= sum(c.y) and b.x == 'z' and opt == O3")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"b.x", "a", "c.y", "opt", "O3"}, e.Names()); d != "" {
		t.Error(d)
	}
}

// Random expressions over the slots of randomBox: n0..n2 numbers, f a boolean,
// c a string, r.w and r.k repeated three times.

func genNum(t *rapid.T, depth int, inside bool) string {
	leaf := []string{"n0", "n1", "n2", "1", "0", "2.5", "-3", "0.5", "7"}
	if inside {
		leaf = append(leaf, "r.w", "r.w")
	}
	if depth == 0 {
		return rapid.SampledFrom(leaf).Draw(t, "leaf")
	}
	sub := func() string { return "(" + genNum(t, depth-1, inside) + ")" }
	k := rapid.IntRange(0, 14).Draw(t, "num")
	switch {
	case k <= 5:
		return sub() + rapid.SampledFrom([]string{"+", "-", "*", "/", "%", "^"}).Draw(t, "op") + sub()
	case k <= 8:
		f := rapid.SampledFrom([]string{"abs", "floor", "ceil", "round", "sqrt", "log", "log2", "exp", "-"}).Draw(t, "f")
		return f + sub()
	case k == 9:
		return "min(" + sub() + "," + sub() + ",1)"
	case k == 10:
		return "max(" + sub() + "," + sub() + ")"
	case k == 11:
		return "((" + genBool(t, depth-1, inside) + ") ? " + sub() + ":" + sub() + ")"
	case k >= 12 && !inside:
		switch f := rapid.SampledFrom([]string{"sum", "min", "max", "count", "len"}).Draw(t, "agg"); f {
		case "len":
			return "len(r.w)"
		case "count":
			return "count((" + genBool(t, depth-1, true) + ") and r.w == r.w)"
		default:
			return f + "(r.w + 0*" + "(" + genNum(t, depth-1, true) + "))"
		}
	}
	return rapid.SampledFrom(leaf).Draw(t, "leaf")
}

func genBool(t *rapid.T, depth int, inside bool) string {
	num := func() string { return "(" + genNum(t, max(depth-1, 0), inside) + ")" }
	sub := func() string { return "(" + genBool(t, depth-1, inside) + ")" }
	lo := 0
	if depth == 0 {
		lo = 6
	}
	switch k := rapid.IntRange(lo, 13).Draw(t, "bool"); {
	case k <= 3:
		return sub() + rapid.SampledFrom([]string{" and ", " or ", " => ", " == "}).Draw(t, "op") + sub()
	case k == 4:
		return "not " + sub()
	case k == 5 && !inside:
		return rapid.SampledFrom([]string{"all", "any"}).Draw(t, "agg") + "((" + genBool(t, depth-1, true) + ") or r.w < 0)"
	case k <= 9:
		return num() + rapid.SampledFrom([]string{"<", "<=", ">", ">=", "==", "!="}).Draw(t, "op") + num()
	case k == 10:
		return num() + rapid.SampledFrom([]string{" in [1, 2.5,", " not in [n1, 3,"}).Draw(t, "in") + num() + "]"
	case k == 11:
		if inside {
			return rapid.SampledFrom([]string{"r.k == conv", "active(r.w)", "r.k in [pool, c]"}).Draw(t, "word")
		}
		return rapid.SampledFrom([]string{"c == conv", "c != 'pool'", "c in [conv, skip]", "active(n0)", "active(c)"}).Draw(t, "word")
	case k == 12:
		return "f"
	}
	return num() + "<=" + num() + "<" + num()
}

func testRef(name string) (Ref, bool) {
	r, ok := map[string]Ref{
		"n0": {Slot: 0}, "n1": {Slot: 1}, "n2": {Slot: 2}, "f": {Slot: 3}, "c": {Slot: 4},
		"r.w": {Each: []int{5, 6, 7}}, "r.k": {Each: []int{8, 9, 10}},
	}[name]
	return r, ok
}

const testSlots = 11

var (
	someNumbers = rapid.OneOf(
		rapid.SampledFrom([]float64{0, 1, -1, 2, 0.5, 3, 64, 1e308, -1e308, 5e-324, 1e-9, math.Inf(1), math.Inf(-1)}),
		rapid.Float64Range(-8, 8),
		rapid.Map(rapid.IntRange(-5, 70), func(i int) float64 { return float64(i) }),
	)
	someWords = rapid.SampledFrom([]Value{Str("conv"), Str("pool"), Str("skip")})
)

func randomBox(t *rapid.T) *box {
	b := &box{}
	for slot := range testSlots {
		value := func() Value {
			switch {
			case slot == 3:
				return Boolean(rapid.Bool().Draw(t, "b"))
			case slot == 4 || slot >= 8:
				return someWords.Draw(t, "w")
			}
			return Num(someNumbers.Draw(t, "x"))
		}
		switch rapid.IntRange(0, 5).Draw(t, "state") {
		case 0:
			b.add(value(), Known, Domain{})
		case 1:
			b.add(Value{}, Inactive, Domain{})
		default:
			d := Domain{Optional: rapid.IntRange(0, 3).Draw(t, "optional") == 0}
			if v := value(); v.Kind == Number && rapid.IntRange(0, 2).Draw(t, "interval") > 0 {
				d.Lo = v.Num
				if d.Hi = someNumbers.Draw(t, "hi"); rapid.Bool().Draw(t, "narrow") && !math.IsInf(d.Lo, 0) {
					d.Hi = d.Lo + rapid.Float64Range(0, 0.5).Draw(t, "width")
				}
				if d.Hi < d.Lo {
					d.Lo, d.Hi = d.Hi, d.Lo
				}
			} else {
				for range rapid.IntRange(1, 3).Draw(t, "values") {
					d.Values = append(d.Values, value())
				}
			}
			b.add(Value{}, Open, d)
		}
	}
	return b
}

// point fills the open slots of b.
func (b *box) point(t *rapid.T) *box {
	p := &box{}
	for i, v := range b.vals {
		st, d := b.states[i], b.domains[i]
		if st == Open {
			st = Known
			switch {
			case d.Optional && rapid.IntRange(0, 2).Draw(t, "off") == 0:
				v, st = Value{}, Inactive
			case d.Values != nil:
				v = rapid.SampledFrom(d.Values).Draw(t, "v")
			default:
				x := rapid.SampledFrom([]float64{d.Lo, d.Hi, 0, 1, -1, d.Lo/2 + d.Hi/2}).Draw(t, "end")
				if rapid.Bool().Draw(t, "inner") && !math.IsInf(d.Hi-d.Lo, 0) {
					x = d.Lo + rapid.Float64Range(0, 1).Draw(t, "u")*(d.Hi-d.Lo)
				}
				if !(d.Lo <= x && x <= d.Hi) {
					x = d.Lo
				}
				v = Num(x)
			}
		}
		p.add(v, st, Domain{})
	}
	return p
}

func mustBind(t interface{ Fatalf(string, ...any) }, src string) *Program {
	e, err := Parse(src)
	if err != nil {
		t.Fatalf("Parse(%q): %v", src, err)
	}
	p, err := e.Bind(testRef)
	if err != nil {
		t.Fatalf("Bind(%q): %v", src, err)
	}
	return p
}

// TestBoundsAreSound: every point of the box evaluates to something its bounds
// admit, and a partial evaluation that commits itself is right.
func TestBoundsAreSound(t *testing.T) {
	t.Parallel()
	decided, total := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		numeric := rapid.Bool().Draw(t, "numeric")
		var src string
		depth := rapid.IntRange(0, 3).Draw(t, "depth")
		if numeric {
			src = genNum(t, depth, false)
		} else {
			src = genBool(t, depth, false)
		}
		p := mustBind(t, src)
		b := randomBox(t)
		bounds := p.Bounds(b)
		early, earlyState := p.Eval(b)
		if total++; bounds.Truth() != Unknown {
			decided++
		}
		for range 8 {
			at := b.point(t)
			v, st := p.Eval(at)
			ok := false
			switch {
			case st == Open:
				t.Fatalf("%s at %v is open with every slot decided", src, at.vals)
			case st == Inactive:
				ok = bounds.CanUndefined
			case v.Kind == Bool:
				ok = v.Num != 0 && bounds.CanTrue || v.Num == 0 && bounds.CanFalse
			case v.Kind == Number:
				ok = bounds.Lo <= v.Num && v.Num <= bounds.Hi
			}
			if !ok {
				t.Fatalf("%s\nover %+v\nhas bounds %+v\nbut is %v (state %d) at %v", src, b, bounds, v, st, at)
			}
			if earlyState == Known && (st != Known || v != early) {
				t.Fatalf("%s\nover %+v\nevaluates early to %v but is %v (state %d) at %v", src, b, early, v, st, at)
			}
		}
	})
	if decided*20 < total {
		t.Errorf("only %d of %d random boxes were decided: bounds are too loose to be of use", decided, total)
	}
}

// TestNarrowIsSound: a value outside of the narrowed interval never satisfies
// the requirement, nor does one that May refuses.
func TestNarrowIsSound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		src := genBool(t, rapid.IntRange(0, 2).Draw(t, "depth"), false)
		p := mustBind(t, src)
		b := randomBox(t)
		lo := rapid.Float64Range(-100, 100).Draw(t, "lo")
		hi := lo + rapid.Float64Range(0, 100).Draw(t, "width")
		b.vals[0], b.states[0], b.domains[0] = Value{}, Open, Domain{Lo: lo, Hi: hi}
		lo2, hi2 := p.Narrow(b, 0, lo, hi)
		if lo2 <= hi2 && (lo2 < lo || hi2 > hi) {
			t.Fatalf("Narrow widened [%v, %v] to [%v, %v]", lo, hi, lo2, hi2)
		}
		for range 8 {
			at := b.point(t)
			x := at.vals[0].Num
			holds := p.Truth(at) != False
			if holds && !(lo2 <= x && x <= hi2) {
				t.Fatalf("%s holds at %v, outside of [%v, %v]", src, at, lo2, hi2)
			}
			if holds && !p.May(b, 0, Num(x)) {
				t.Fatalf("%s holds at %v, but May refuses %v", src, at, x)
			}
		}
	})
}

func TestNarrow(t *testing.T) {
	t.Parallel()
	for src, want := range map[string][2]float64{
		"n0 * n1 <= 256":              {1, 16},
		"n0 * n1 >= 256":              {16, 100},
		"n0 ^ 2 + n1 == 116":          {10, 10},
		"3 <= n0 < 5":                 {3, 5},
		"log2(n0) >= 4 and n0 <= 20":  {16, 20},
		"n0 * n1 <= 8":                {math.Inf(1), math.Inf(-1)},
		"n0 in [3, 7]":                {3, 7},
		"exp(-n0) >= 0.1353352832366": {1, 2},
		"f => n0 <= 4":                {1, 4},
		"n2 > n0":                     {1, 9},
		"n1 > 0":                      {1, 100},
		"c == conv or n0 <= 7":        {1, 7},
	} {
		b := &box{}
		b.add(Value{}, Open, Domain{Lo: 1, Hi: 100})
		b.add(Num(16), Known, Domain{})
		b.add(Value{}, Open, Domain{Lo: 5, Hi: 9})
		b.add(Boolean(true), Known, Domain{})
		b.add(Str("pool"), Known, Domain{})
		for i := b.add(Value{}, Inactive, Domain{}); i < testSlots; i++ {
			b.add(Value{}, Inactive, Domain{})
		}
		lo, hi := mustBind(t, src).Narrow(b, 0, 1, 100)
		if near := func(x, y float64) bool { return x == y || math.Abs(x-y) < 1e-9 }; !near(lo, want[0]) || !near(hi, want[1]) {
			t.Errorf("Narrow(%s) = [%v, %v], want %v", src, lo, hi, want)
		}
	}
}

func TestBoundsExamples(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]Bounds{
		"n0 * n1":              {Lo: 2, Hi: 40},
		"n0 - n1":              {Lo: -9, Hi: 2},
		"n1 / n0":              {Lo: 0.5, Hi: 10},
		"1 / (n0 - 2)":         {Lo: math.Inf(-1), Hi: math.Inf(1), CanUndefined: true},
		"n0 ^ 2":               {Lo: 1, Hi: 16},
		"((n0 - 4) * -1) ^ -1": {Lo: 0.333333333, Hi: math.Inf(1), CanUndefined: true}, // from negative zero
		"n0 <= 4":              {CanTrue: true},
		"n0 > 4":               {CanFalse: true},
		"n0 > 3":               {CanTrue: true, CanFalse: true},
		"n2 > 3":               {CanUndefined: true},
		"n2 > 3 or n0 > 0":     {CanTrue: true},
		"c == skip":            {CanFalse: true},
		"c in [conv, pool]":    {CanTrue: true},
		"c != conv":            {CanTrue: true, CanFalse: true},
		"active(n0)":           {CanTrue: true},
		"active(n2)":           {CanFalse: true},
		"count(r.w > 0)":       {Lo: 1, Hi: 2},
		"sum(r.w)":             {Lo: 3, Hi: 8},
		"max(r.w)":             {Lo: 3, Hi: 5},
		"len(r.w)":             {Lo: 1, Hi: 2},
		"all(r.w >= 3)":        {CanTrue: true},
		"any(r.w > n0 + 10)":   {CanFalse: true},
		"f ? 1 : 2":            {Lo: 1, Hi: 2},
		"f or not f":           {CanTrue: true, CanFalse: true},
	} {
		b := &box{}
		b.add(Value{}, Open, Domain{Lo: 1, Hi: 4})
		b.add(Value{}, Open, Domain{Values: []Value{Num(2), Num(10)}})
		b.add(Value{}, Inactive, Domain{})
		b.add(Value{}, Open, Domain{Values: []Value{Boolean(false), Boolean(true)}})
		b.add(Value{}, Open, Domain{Values: []Value{Str("conv"), Str("pool")}})
		b.add(Num(3), Known, Domain{})
		b.add(Value{}, Open, Domain{Lo: 4, Hi: 5, Optional: true})
		for i := b.add(Value{}, Inactive, Domain{}); i < testSlots; i++ {
			b.add(Value{}, Inactive, Domain{})
		}
		got := mustBind(t, src).Bounds(b)
		if got.Lo > got.Hi { // no number
			got.Lo, got.Hi = 0, 0
		}
		round := func(x float64) float64 { return math.Round(x*1e9) / 1e9 }
		got.Lo, got.Hi = round(got.Lo), round(got.Hi)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("Bounds(%s) (-want +got):\n%s", src, d)
		}
	}
}

// TestPrintedIsParsed: the canonical form is a fixed point and means the same.
func TestPrintedIsParsed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		src := genBool(t, rapid.IntRange(0, 3).Draw(t, "depth"), false)
		p := mustBind(t, src)
		e, _ := Parse(src)
		q := mustBind(t, e.String())
		b := randomBox(t)
		for range 4 {
			at := b.point(t)
			if x, y := p.Truth(at), q.Truth(at); x != y {
				t.Fatalf("%s is %v but printed %s is %v", src, x, e, y)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, file := range []string{"eval.txt", "parse.txt", "check.txt"} {
		data, err := os.ReadFile("testdata/" + file)
		if err != nil {
			f.Fatal(err)
		}
		for _, block := range strings.Split(string(data), "\n\n") {
			line, _, _ := strings.Cut(block, "\n")
			f.Add(line)
		}
	}
	f.Fuzz(func(t *testing.T, src string) {
		e, err := Parse(src)
		if err != nil {
			if s, ok := err.(*SyntaxError); !ok || s.Offset < 0 || s.Offset > len(src) || s.Want == "" || s.Found == "" {
				t.Fatalf("Parse(%q) error = %#v", src, err)
			}
			return
		}
		text := e.String()
		if len(text) > maxLength {
			return
		}
		again, err := Parse(text)
		if err != nil {
			t.Fatalf("Parse(%q) of the printed %q: %v", text, src, err)
		}
		if again.String() != text {
			t.Fatalf("%q prints as %q, which prints as %q", src, text, again)
		}
		// Whatever the names are, nothing panics.
		names := e.Names()
		resolve := func(n string) (Ref, bool) {
			i := slices.Index(names, n)
			if strings.HasPrefix(n, "s") {
				return Ref{Each: []int{i, i + 1}}, true
			}
			return Ref{Slot: i}, !strings.HasPrefix(n, "O")
		}
		_ = e.Check(func(n string) (Type, bool) {
			r, ok := resolve(n)
			return Type{Kind: Kind(r.Slot % 4), Repeated: r.Each != nil}, ok
		}, names, None)
		p, err := e.Bind(resolve)
		if err != nil {
			return
		}
		b := &box{}
		for i := range len(names) + 2 {
			switch i % 4 {
			case 0:
				b.add(Num(float64(i)), Known, Domain{})
			case 1:
				b.add(Value{}, Open, Domain{Lo: -1, Hi: 3, Optional: true})
			case 2:
				b.add(Value{}, Open, Domain{Values: []Value{Boolean(true), Str("a"), Num(2)}})
			default:
				b.add(Value{}, Inactive, Domain{})
			}
		}
		p.Eval(b)
		p.Bounds(b)
		p.Narrow(b, 1, -1, 3)
	})
}

func benchProgram(tb testing.TB, src string) (*Program, Slots) {
	tb.Helper()
	e, err := Parse(src)
	if err != nil {
		tb.Fatal(err)
	}
	var env Slots
	slots := map[string]int{}
	for _, n := range e.Names() {
		if n == "O3" {
			continue
		}
		slots[n] = len(env)
		if n == "opt" {
			env = append(env, Str("O3"))
		} else {
			env = append(env, Num(float64(len(n))))
		}
	}
	p, err := e.Bind(func(n string) (Ref, bool) { s, ok := slots[n]; return Ref{Slot: s}, ok })
	if err != nil {
		tb.Fatal(err)
	}
	return p, env
}

func BenchmarkEval(b *testing.B) {
	for _, src := range []string{
		"tile * unroll <= 256",
		"opt == O3",
		"opt == O3 and tile > 2 => unroll * 4 <= tile ^ 2",
	} {
		b.Run(strconv.Quote(src), func(b *testing.B) {
			p, env := benchProgram(b, src)
			e := Env(env)
			b.ReportAllocs()
			for b.Loop() {
				p.Truth(e)
			}
		})
	}
}

func benchBox() *box {
	b := &box{}
	b.add(Value{}, Open, Domain{Lo: 1, Hi: 64})
	b.add(Value{}, Open, Domain{Lo: 1, Hi: 64})
	return b
}

func BenchmarkBounds(b *testing.B) {
	p, _ := benchProgram(b, "tile * unroll <= 256")
	box := benchBox()
	b.ReportAllocs()
	for b.Loop() {
		p.Bounds(box)
	}
}

func BenchmarkNarrow(b *testing.B) {
	p, _ := benchProgram(b, "tile * unroll <= 32")
	box := benchBox()
	b.ReportAllocs()
	for b.Loop() {
		p.Narrow(box, 0, 1, 64)
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse("opt == O3 and tile > 2 => unroll * 4 <= tile ^ 2"); err != nil {
			b.Fatal(err)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	p, env := benchProgram(t, "opt == O3 and tile > 2 => unroll * 4 <= tile ^ 2 and unroll in [1, 2, 3]")
	e := Env(env)
	q, _ := benchProgram(t, "tile * unroll <= 32")
	box := benchBox()
	if n := testing.AllocsPerRun(100, func() {
		p.Truth(e)
		p.Eval(e)
		q.Bounds(box)
		q.Narrow(box, 0, 1, 64)
		q.May(box, 0, Num(3))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func Example() {
	e, err := Parse("tile * unroll <= 256 and opt in [O2, O3]")
	if err != nil {
		fmt.Println(err)
		return
	}
	slots := map[string]int{"tile": 0, "unroll": 1, "opt": 2}
	p, err := e.Bind(func(name string) (Ref, bool) {
		slot, ok := slots[name]
		return Ref{Slot: slot}, ok
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Truth(Slots{Num(16), Num(8), Str("O3")}))
	fmt.Println(p.Truth(Slots{Num(64), Num(8), Str("O3")}))
	// Output:
	// true
	// false
}
