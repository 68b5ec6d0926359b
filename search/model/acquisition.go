package model

import (
	"cmp"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/metric"
)

const (
	logSqrt2Pi = 0.918938533204672741780329736406
	// millsTail is from where on the series of Mills' ratio is used: its terms
	// shrink until the 2·millsTail²-th or so, below the last bit.
	millsTail = 9
)

// logH is log(φ(z) + z Φ(z)), finite for every z whose square is; and slope its
// derivative Φ/(φ + zΦ). It is the logarithm of the expected improvement in
// units of the standard deviation (Ament et al. 2023), by Mills' ratio instead
// of erfcx: for z = −t below −1, φ + zΦ = φ·(1 − t·R(t)) with R = Φ(−t)/φ(t).
func logH(z float64) (h, slope float64) {
	if z > -1 {
		phi := detmath.Exp(-float64(0.5*float64(z*z)) - logSqrt2Pi)
		cdf := detmath.Phi(z)
		v := phi + float64(z*cdf)
		return detmath.Log(v), cdf / v
	}
	t := -z
	logPhi := -float64(0.5*float64(z*z)) - logSqrt2Pi
	var rest, ratio float64 // 1 − tR and R
	if t < millsTail {
		ratio = detmath.Exp(detmath.LogPhi(z) - logPhi)
		rest = 1 - float64(t*ratio)
	} else {
		// 1 − tR = 1/t² − 1·3/t⁴ + 1·3·5/t⁶ − …
		q := 1 / float64(t*t)
		term := q
		for k := 3.0; ; k += 2 {
			rest += term
			next := -float64(term * k * q)
			if !(math.Abs(next) > float64(1e-17*rest)) || math.Abs(next) >= math.Abs(term) {
				break
			}
			term = next
		}
		ratio = (1 - rest) / t
	}
	if rest <= 0 { // t² overflows
		return -math.MaxFloat64, t
	}
	return logPhi + detmath.Log(rest), ratio / rest
}

// logEI is the logarithm of the expected improvement over best of a normal
// number to be minimised, and its derivatives by mean and standard deviation.
func logEI(mean, sd, best float64) (v, dmean, dsd float64) {
	z := (best - mean) / sd
	h, slope := logH(z)
	return detmath.Log(sd) + h, -slope / sd, (1 - float64(z*slope)) / sd
}

// logFeasible is the logarithm of the probability that a normal number is
// negative, and its derivatives.
func logFeasible(mean, sd float64) (v, dmean, dsd float64) {
	z := -mean / sd
	v = detmath.LogPhi(z)
	slope := detmath.Exp(-float64(0.5*float64(z*z)) - logSqrt2Pi - v) // φ/Φ
	return v, -slope / sd, -float64(slope*z) / sd
}

// gain is E[(a − Y)⁺] of a normal number Y.
func gain(a, mean, sd float64) float64 {
	if math.IsInf(a, -1) {
		return 0
	}
	z := (a - mean) / sd
	if z < -8 {
		h, _ := logH(z)
		return float64(sd * detmath.Exp(h))
	}
	phi := detmath.Exp(-float64(0.5*float64(z*z)) - logSqrt2Pi)
	return float64(sd * max(phi+float64(z*detmath.Phi(z)), 0))
}

// boxes are what no point of a front dominates, below a reference point, cut
// into boxes: of each the lower corner, which may be −Inf, and the upper one.
// The expected gain of hypervolume of a point with independent normal
// objectives is the sum over boxes of the products of E[(u−Y)⁺] − E[(l−Y)⁺]
// (Emmerich et al. 2006; Yang et al. 2019).
type boxes struct {
	m      int
	levels [][]float64 // of each objective the different bounds, rising
	lo, hi []int32     // bounds of each box in each objective, as places in levels
	gains  [][]float64 // scratch: of each level
}

// newBoxes cuts for the rows of points, m objectives each, those at or beyond
// ref left out. Two objectives give one box more than there are points, three
// about twice as many.
func newBoxes(points []float64, m int, ref []float64) *boxes {
	b := &boxes{m: m, levels: make([][]float64, m), gains: make([][]float64, m)}
	var front []float64
	for i := 0; i < len(points); i += m {
		p := points[i : i+m]
		if !slices.ContainsFunc(p, math.IsNaN) && below(p, ref) {
			front = append(front, p...)
		}
	}
	var kept []float64
	for _, i := range metric.NonDominated(front, m) {
		kept = append(kept, front[i*m:(i+1)*m]...)
	}
	for j := range m {
		l := []float64{math.Inf(-1), ref[j]}
		for i := j; i < len(kept); i += m {
			l = append(l, kept[i])
		}
		slices.Sort(l)
		b.levels[j] = slices.Compact(l)
		b.gains[j] = make([]float64, len(b.levels[j]))
	}
	n := len(kept) / m
	at := make([]int32, len(kept))
	for i := range kept {
		j := i % m
		k, _ := slices.BinarySearch(b.levels[j], kept[i])
		at[i] = int32(k)
	}
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	for _, x := range b.cut(at, order, m) {
		b.lo, b.hi = append(b.lo, x[:m]...), append(b.hi, x[m:]...)
	}
	return b
}

func below(p, ref []float64) bool {
	for j, v := range p {
		if v >= ref[j] {
			return false
		}
	}
	return true
}

// cut returns the boxes in the first k objectives that none of the rows
// dominates there: lower and then upper bounds. It sweeps the last of them;
// a box that stays the same from one slice to the next is one.
func (b *boxes) cut(at, rows []int32, k int) [][]int32 {
	top := int32(len(b.levels[k-1]) - 1)
	m := int32(b.m)
	if k == 1 {
		for _, i := range rows {
			top = min(top, at[i*m])
		}
		if top == 0 {
			return nil
		}
		return [][]int32{{0, top}}
	}
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(x, y int32) int {
		return cmp.Compare(at[x*m+int32(k-1)], at[y*m+int32(k-1)])
	})
	var done [][]int32
	type part struct {
		box  []int32 // in the first k − 1
		from int32
	}
	var open []part
	finish := func(p part, to int32) {
		if p.from < to {
			x := slices.Clone(p.box[:k-1])
			x = append(append(x, p.from), p.box[k-1:]...)
			done = append(done, append(x, to))
		}
	}
	from := int32(0)
	for i := 0; i <= len(rows); i++ {
		to := top
		if i < len(rows) {
			to = at[rows[i]*m+int32(k-1)]
		}
		if to == from && i < len(rows) {
			continue // more rows begin here
		}
		var next []part
		for _, box := range b.cut(at, rows[:i], k-1) {
			p := part{box, from}
			if j := slices.IndexFunc(open, func(o part) bool { return slices.Equal(o.box, box) }); j >= 0 {
				p.from = open[j].from
				open[j].from = from // nothing left to finish
			}
			next = append(next, p)
		}
		for _, o := range open {
			finish(o, from)
		}
		open, from = next, to
	}
	for _, o := range open {
		finish(o, top)
	}
	return done
}

// improvement returns the expected gain of hypervolume.
func (b *boxes) improvement(mean, sd []float64) float64 {
	for j, l := range b.levels {
		g := b.gains[j]
		for i, a := range l {
			g[i] = gain(a, mean[j], sd[j])
		}
	}
	m := b.m
	sum := 0.0
	for i := 0; i < len(b.lo); i += m {
		v := 1.0
		for j := range m {
			v *= b.gains[j][b.hi[i+j]] - b.gains[j][b.lo[i+j]]
		}
		sum += v
	}
	return sum
}

// ucb is the lower confidence bound, as something to be maximised.
func ucb(mean, sd, kappa float64) float64 { return float64(kappa*sd) - mean }
