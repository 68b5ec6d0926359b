package figure

import (
	"math"
	"strconv"
	"strings"

	"github.com/daedalus-search/daedalus/internal/term"
)

// A scale places the numbers of an axis between two ends in points.
type scale struct {
	low, high float64
	log       bool
	from, to  float64
}

func (a *Axis) scale(from, to float64) scale {
	return scale{a.Low, a.High, a.Log, from, to}
}

// at returns where a number stands; NaN if nowhere.
func (s scale) at(x float64) float64 {
	return s.from + s.share(x)*(s.to-s.from)
}

// share is where a number stands from 0 at the lower end to 1 at the upper.
func (s scale) share(x float64) float64 {
	if s.log {
		if x <= 0 {
			return math.NaN()
		}
		return (math.Log(x) - math.Log(s.low)) / (math.Log(s.high) - math.Log(s.low))
	}
	return (x - s.low) / (s.high - s.low)
}

// back is the number at a share.
func (s scale) back(share float64) float64 {
	if s.log {
		return math.Exp(math.Log(s.low) + share*(math.Log(s.high)-math.Log(s.low)))
	}
	return s.low + share*(s.high-s.low)
}

// smallest is the least number with all its digits: of smaller ones math.Log
// cannot be relied upon.
const smallest = 0x1p-1022

// sound makes a range that can be drawn of one that may be empty, and leaves
// room at its ends, as a share of it.
func (a *Axis) sound(room float64) {
	if !(a.Low <= a.High) || math.IsInf(a.Low, 0) || math.IsInf(a.High, 0) {
		a.Low, a.High, a.Log = 0, 1, false
	}
	if a.Log && a.Low < smallest {
		a.Log = false
	}
	if a.Log {
		d := (math.Log(a.High) - math.Log(a.Low)) * room
		if !(d > 1e-9) {
			d = math.Ln2
		}
		a.Low, a.High = a.Low*math.Exp(-d), a.High*math.Exp(d)
		a.Low, a.High = max(a.Low, smallest), min(a.High, math.MaxFloat64) // at the very ends of what a number can be
		return
	}
	size := max(math.Abs(a.Low), math.Abs(a.High))
	d := a.High*room - a.Low*room
	switch {
	case !(a.High/2-a.Low/2 > size*1e-9):
		if d = size * 0.05; d == 0 {
			d = 1
		}
	case math.IsInf(d, 0):
		d = 0
	}
	a.Low, a.High = max(a.Low-d, -math.MaxFloat64/4), min(a.High+d, math.MaxFloat64/4)
}

// A tick is a marked place of an axis. Small ones have no text.
type tick struct {
	x    float64
	text string
}

// ticks are places that people read, about so many.
func (a *Axis) ticks(about float64) []tick {
	about = max(about, 2)
	if len(a.Labels) > 0 {
		every := max(1, int(math.Ceil(float64(len(a.Labels))/about)))
		var out []tick
		for k, s := range a.Labels {
			if k%every == 0 && float64(k) >= a.Low && float64(k) <= a.High {
				out = append(out, tick{float64(k), s})
			}
		}
		return out
	}
	if a.Log {
		return logTicks(a.Low, a.High, about)
	}
	return linearTicks(a.Low, a.High, about, a.Whole)
}

func linearTicks(low, high, about float64, whole bool) []tick {
	raw := (high - low) / about
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	if !(raw > 0) || !(power > 0) || math.IsInf(power, 0) {
		return []tick{{low, number(low)}}
	}
	step := 10 * power
	for _, f := range []float64{1, 2, 5} {
		if f*power >= raw*0.999 {
			step = f * power
			break
		}
	}
	if whole && high-low >= 1 {
		step = max(step, 1)
	}
	var xs []float64
	for k := math.Ceil(low/step - 1e-9); k*step-high <= step*1e-9 && len(xs) < 100; k++ { // high+… may overflow
		x, _ := strconv.ParseFloat(strconv.FormatFloat(k*step, 'g', 12, 64), 64)
		xs = append(xs, x+0) // no negative zero
	}
	out := make([]tick, len(xs))
	for i, s := range numbers(xs, step) {
		out[i] = tick{xs[i], s}
	}
	return out
}

func logTicks(low, high, about float64) []tick {
	decades := math.Log10(high) - math.Log10(low)
	if decades < 1 {
		// Between two powers of ten ticks at even steps read better.
		var out []tick
		for _, t := range linearTicks(low, high, about, false) {
			if t.x > 0 {
				out = append(out, t)
			}
		}
		return out
	}
	first, last := int(math.Floor(math.Log10(low))), int(math.Ceil(math.Log10(high)))
	every := max(1, int(math.Ceil(decades/about)))
	labelled := []float64{1}
	if decades*3 <= about {
		labelled = []float64{1, 2, 5}
	}
	plain := low >= 0.5e-3 && high < 2e5
	var out []tick
	for e := first; e <= last && len(out) < 400; e++ {
		for f := 1.0; f < 10; f++ {
			x, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', 0, 64)+"e"+strconv.Itoa(e), 64)
			if x < low*(1-1e-9) || x > high*(1+1e-9) || math.IsInf(x, 0) {
				continue
			}
			t := tick{x: x}
			for _, l := range labelled {
				if f != l || e%every != 0 {
					continue
				}
				switch {
				case plain:
					t.text = number(x)
				case f == 1:
					t.text = "10" + raised(e)
				default:
					t.text = strconv.FormatFloat(f, 'f', 0, 64) + "×10" + raised(e)
				}
			}
			if t.text != "" || every == 1 && decades < 7 || every > 1 && f == 1 && decades < 30 {
				out = append(out, t)
			}
		}
	}
	return out
}

// numbers formats the numbers of an axis alike.
func numbers(xs []float64, step float64) []string {
	size := 0.0
	for _, x := range xs {
		size = max(size, math.Abs(x))
	}
	out := make([]string, len(xs))
	if size >= 1e6 || size > 0 && size < 1e-4 {
		e := int(math.Floor(math.Log10(size) + 1e-9))
		power := math.Pow(10, float64(e))
		if power > 0 && !math.IsInf(power, 0) {
			digits := max(0, int(math.Ceil(-math.Log10(step/power)-1e-9)))
			for i, x := range xs {
				switch m := strconv.FormatFloat(x/power, 'f', min(digits, 6), 64); {
				case x == 0:
					out[i] = "0"
				case m == "1":
					out[i] = "10" + raised(e)
				default:
					out[i] = minus(m) + "×10" + raised(e)
				}
			}
			return out
		}
	}
	digits := max(0, int(math.Ceil(-math.Log10(step)-1e-9)))
	for i, x := range xs {
		out[i] = minus(term.Thousands(strconv.FormatFloat(x, 'f', min(digits, 12), 64)))
	}
	return out
}

// number formats a number for people.
func number(x float64) string {
	s := term.Number(x)
	if m, e, ok := strings.Cut(s, "e"); ok {
		if k, err := strconv.Atoi(e); err == nil {
			return minus(m) + "×10" + raised(k)
		}
	}
	return minus(s)
}

func minus(s string) string {
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		return "−" + rest
	}
	return s
}

const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹"

// raised writes an exponent.
func raised(n int) string {
	var b strings.Builder
	for _, r := range strconv.Itoa(n) {
		if r == '-' {
			b.WriteRune('⁻')
		} else {
			b.WriteRune([]rune(superscripts)[r-'0'])
		}
	}
	return b.String()
}

// lowered returns the character that a superscript is a small form of.
func lowered(r rune) (rune, bool) {
	if r < 0x80 {
		return r, false
	}
	if r == '⁻' {
		return '−', true
	}
	k := 0
	for _, s := range superscripts {
		if s == r {
			return rune('0' + k), true
		}
		k++
	}
	return r, false
}
