package term

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// Number formats x with about four significant digits.
func Number(x float64) string {
	s := Numbers(x)[0]
	if strings.Contains(s, ".") && !strings.Contains(s, "e") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// Numbers formats the numbers of one column alike: with as many decimals as
// give the largest of them four significant digits and the smallest two, and
// in scientific form where that would be too long. NaN, which stands for a
// missing number, becomes "-".
func Numbers(xs ...float64) []string {
	largest, smallest, whole := 0.0, math.Inf(1), true
	for _, x := range xs {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			continue
		}
		whole = whole && x == math.Trunc(x)
		if a := math.Abs(x); a > 0 {
			largest, smallest = max(largest, a), min(smallest, a)
		}
	}
	decimals := 0
	if !whole {
		decimals = max(3-exponent(largest), 1-exponent(smallest), 0)
	}
	scientific := largest >= 1e9 || decimals > 6
	out := make([]string, len(xs))
	for i, x := range xs {
		switch {
		case math.IsNaN(x):
			out[i] = "-"
		case math.IsInf(x, 0):
			out[i] = strings.TrimPrefix(strconv.FormatFloat(x, 'f', -1, 64), "+")
		case scientific && x != 0:
			out[i] = strconv.FormatFloat(x, 'g', 4, 64)
		default:
			out[i] = Thousands(strconv.FormatFloat(x, 'f', decimals, 64))
			if strings.Trim(out[i], "-0.") == "" {
				out[i] = strings.TrimPrefix(out[i], "-") // no negative zero
			}
		}
	}
	return out
}

// exponent is the exponent of x in scientific form.
func exponent(x float64) int {
	if x == 0 || math.IsInf(x, 0) {
		return 0
	}
	_, e, _ := strings.Cut(strconv.FormatFloat(x, 'e', -1, 64), "e")
	n, _ := strconv.Atoi(e)
	return n
}

// Thousands puts commas into the whole part of a decimal number of five digits
// or more.
func Thousands(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	whole, rest, point := strings.Cut(s, ".")
	if len(whole) < 5 || strings.Trim(whole, "0123456789") != "" {
		return sign + s
	}
	var b strings.Builder
	b.WriteString(sign)
	for i, c := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	if point {
		b.WriteString("." + rest)
	}
	return b.String()
}

// Int formats a count.
func Int(n int64) string { return Thousands(strconv.FormatInt(n, 10)) }

// Big formats a count that may be huge: 15,625 in full, 2.3e17 in short, nil as
// "infinite".
func Big(n *big.Int) string {
	if n == nil {
		return "infinite"
	}
	s := n.String()
	if len(strings.TrimPrefix(s, "-")) <= 12 {
		return Thousands(s)
	}
	return new(big.Float).SetInt(n).Text('g', 3)
}

// Percent formats a share of 1, never rounding up to 100 % nor down to 0.
func Percent(share float64) string {
	p := 100 * share
	switch {
	case math.IsNaN(p):
		return "-"
	case p > 0 && p < 0.1:
		return "< 0.1 %"
	case p > 99.9 && p < 100:
		return "> 99.9 %"
	case p == math.Trunc(p):
		return strconv.FormatFloat(p, 'f', 0, 64) + " %"
	}
	return strconv.FormatFloat(p, 'f', 1, 64) + " %"
}

// Duration formats a length of time with two units at most.
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "-"
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	d = d.Round(time.Hour)
	return fmt.Sprintf("%dd%02dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// Rate formats a number of trials a second.
func Rate(perSecond float64) string {
	switch {
	case math.IsNaN(perSecond) || perSecond <= 0:
		return "-/s"
	case perSecond >= 10:
		return Thousands(strconv.FormatFloat(perSecond, 'f', 0, 64)) + "/s"
	case perSecond >= 1:
		return strconv.FormatFloat(perSecond, 'f', 1, 64) + "/s"
	case perSecond*60 >= 1:
		return strconv.FormatFloat(perSecond*60, 'f', 1, 64) + "/min"
	}
	return strconv.FormatFloat(perSecond*3600, 'f', 1, 64) + "/h"
}

// Plural returns "1 trial", "2 trials".
func Plural(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Int(n) + " " + noun
}
