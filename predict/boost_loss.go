package predict

import (
	"cmp"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// A boostLoss is the loss of boosted trees on targets around 0 and 1.
type boostLoss struct {
	kind         Loss
	y, weight    []float64
	unit         bool // every Hessian is 1
	level, inner float64

	scratch []float64
	order   []int32 // training rows by rising target
	gain    []float64
	place   []int32
	rounds  int
}

func newBoostLoss(o Boosted, y, weight []float64, train []int32) *boostLoss {
	l := &boostLoss{kind: o.Loss, y: y, weight: weight, level: o.Level, inner: o.Inner}
	l.unit = weight == nil && (o.Loss == Squared || o.Loss == Huber || o.Loss == Quantile)
	if l.ranks() {
		l.order = slices.Clone(train)
		slices.SortStableFunc(l.order, func(a, b int32) int { return cmp.Compare(y[a], y[b]) })
		if o.Loss == LambdaRank {
			// Relevance falls from 1 for the smallest target to 0 for the largest
			// by rank, and gains are those of five grades, (2^{5r} − 1) / 31.
			l.gain, l.place = make([]float64, len(y)), make([]int32, len(y))
			n := len(l.order)
			for i := 0; i < n; {
				j := i
				for j < n && y[l.order[j]] == y[l.order[i]] {
					j++
				}
				r := 1 - float64(i+j-1)/2/float64(max(n-1, 1))
				for ; i < j; i++ {
					l.gain[l.order[i]] = (detmath.Pow(2, 5*r) - 1) / 31
				}
			}
		}
	}
	return l
}

func (l *boostLoss) ranks() bool { return l.kind == Rank || l.kind == LambdaRank }

func (l *boostLoss) w(r int32) float64 {
	if l.weight == nil {
		return 1
	}
	return l.weight[r]
}

// start returns the best constant.
func (l *boostLoss) start(train []int32) float64 {
	switch l.kind {
	case Huber:
		return l.quantile(train, nil, 0.5)
	case Quantile:
		return l.quantile(train, nil, l.level)
	case Rank, LambdaRank:
		return 0
	}
	sum, all := 0.0, 0.0
	for _, r := range train {
		sum += float64(l.w(r) * l.y[r])
		all += l.w(r)
	}
	mean := sum / all
	if l.kind == Logistic {
		// Half a row of either answer keeps one-sided tables finite.
		mean = (sum + 0.5) / (all + 1)
		return detmath.Log(mean / (1 - mean))
	}
	return mean
}

// quantile returns the weighted quantile of the residuals of rows, between the
// two nearest.
func (l *boostLoss) quantile(rows []int32, score []float64, level float64) float64 {
	at := func(r int32) float64 {
		if score == nil {
			return l.y[r]
		}
		return l.y[r] - score[r]
	}
	if l.weight == nil {
		x := l.scratch[:0]
		for _, r := range rows {
			x = append(x, at(r))
		}
		l.scratch = x
		slices.Sort(x)
		p := float64(level * float64(len(x)-1))
		i := int(p)
		if i+1 >= len(x) {
			return x[len(x)-1]
		}
		return x[i] + float64((p-float64(i))*(x[i+1]-x[i]))
	}
	order := slices.Clone(rows)
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(at(a), at(b)) })
	all := 0.0
	for _, r := range order {
		all += l.weight[r]
	}
	sum := 0.0
	for _, r := range order {
		if sum += l.weight[r]; sum >= float64(level*all) {
			return at(r)
		}
	}
	return at(order[len(order)-1])
}

// gradients writes the first and second derivative of the loss by the score.
func (l *boostLoss) gradients(train []int32, score, grad, hess []float64) {
	switch l.kind {
	case Squared:
		for _, r := range train {
			w := l.w(r)
			grad[r], hess[r] = float64(w*(score[r]-l.y[r])), w
		}
	case Huber:
		delta := l.reach(train, score)
		for _, r := range train {
			w := l.w(r)
			grad[r], hess[r] = float64(w*min(max(score[r]-l.y[r], -delta), delta)), w
		}
	case Quantile:
		for _, r := range train {
			w := l.w(r)
			g := 1 - l.level
			if score[r] < l.y[r] {
				g = -l.level
			}
			grad[r], hess[r] = float64(w*g), w
		}
	case Logistic:
		for _, r := range train {
			w := l.w(r)
			p := boostSigmoid(score[r])
			grad[r], hess[r] = float64(w*(p-l.y[r])), max(float64(w*float64(p*(1-p))), 1e-16)
		}
	default:
		l.pairs(score, grad, hess)
	}
}

// reach is the distance that the inner share of residuals keeps.
func (l *boostLoss) reach(train []int32, score []float64) float64 {
	x := l.scratch[:0]
	for _, r := range train {
		x = append(x, math.Abs(l.y[r]-score[r]))
	}
	l.scratch = x
	slices.Sort(x)
	return max(x[min(int(l.inner*float64(len(x))), len(x)-1)], 1e-12)
}

// boostPartners is how many partners a row of a long table is compared with in
// each round.
const boostPartners = 64

// pairs is RankNet's gradient over pairs of rows. In a table of up to 129 rows
// each meets each; in a longer one each row meets those that stand a few
// distances behind it in the order of targets, taken as a circle, and each round
// takes other distances.
func (l *boostLoss) pairs(score, grad, hess []float64) {
	n := len(l.order)
	for _, r := range l.order {
		grad[r], hess[r] = 0, 0
	}
	scale := l.discounts(score)
	pair := func(i, j int) { // i before j in the order
		a, b := l.order[i], l.order[j]
		if l.y[a] == l.y[b] {
			return
		}
		w := float64(l.w(a) * l.w(b))
		if scale > 0 {
			w *= scale * float64((l.gain[a]-l.gain[b])*math.Abs(boostDiscount(l.place[a])-boostDiscount(l.place[b])))
		}
		p := boostSigmoid(score[a] - score[b]) // of the wrong order
		g, h := float64(w*p), float64(w*float64(p*(1-p)))
		grad[a] += g
		grad[b] -= g
		hess[a] += h
		hess[b] += h
	}
	met := n - 1
	if n <= 2*boostPartners+1 {
		for i := range n {
			for j := i + 1; j < n; j++ {
				pair(i, j)
			}
		}
	} else {
		met = 2 * boostPartners
		for k := range boostPartners {
			// Distances of a golden-ratio sequence fall evenly on 1 … n−1.
			at := uint64(l.rounds*boostPartners+k+1) * 0x9E3779B97F4A7C15 >> 11
			by := 1 + int(float64(float64(at)/(1<<53)*float64(n-1)))
			for i := range n {
				j := i + by
				if j >= n {
					j -= n
				}
				pair(min(i, j), max(i, j))
			}
		}
	}
	l.rounds++
	for _, r := range l.order {
		grad[r] /= float64(max(met, 1))
		hess[r] = max(hess[r]/float64(max(met, 1)), 1e-12)
	}
}

// discounts places the rows by their scores and returns what makes the weights
// of pairs 1 in the mean or so; 0 for RankNet, whose weights are all 1.
func (l *boostLoss) discounts(score []float64) float64 {
	if l.kind != LambdaRank {
		return 0
	}
	by := slices.Clone(l.order)
	slices.SortStableFunc(by, func(a, b int32) int { return cmp.Compare(score[a], score[b]) })
	for i, r := range by {
		l.place[r] = int32(i)
	}
	// The ideal NDCG over the rows.
	ideal := 0.0
	for i, r := range l.order {
		ideal += float64(l.gain[r] * boostDiscount(int32(i)))
	}
	if ideal == 0 {
		return 0
	}
	return float64(len(l.order)) / ideal
}

func boostDiscount(place int32) float64 { return 1 / detmath.Log2(float64(place)+2) }

// output returns the value of a leaf before the rate.
func (l *boostLoss) output(rows []int32, score, grad, hess []float64, l2 float64) float64 {
	if l.kind == Quantile {
		return l.quantile(rows, score, l.level)
	}
	g, h := 0.0, 0.0
	for _, r := range rows {
		g += grad[r]
		h += hess[r]
	}
	return treeRatio(-g, h+l2)
}

// mean returns the loss of rows at their scores.
func (l *boostLoss) mean(rows []int32, score []float64) float64 {
	if l.ranks() {
		// The share of pairs in the wrong order, smoothed as in training.
		sum, all := 0.0, 0.0
		step := max(1, len(rows)/256)
		for i := 0; i < len(rows); i += step {
			for j := i + 1; j < len(rows); j++ {
				a, b := rows[i], rows[j]
				if l.y[a] == l.y[b] {
					continue
				}
				if l.y[a] > l.y[b] {
					a, b = b, a
				}
				w := float64(l.w(a) * l.w(b))
				sum += float64(w * boostSoftplus(score[a]-score[b]))
				all += w
			}
		}
		return treeRatio(sum, all)
	}
	delta := 0.0
	if l.kind == Huber {
		delta = l.reach(rows, score)
	}
	sum, all := 0.0, 0.0
	for _, r := range rows {
		e := l.y[r] - score[r]
		var x float64
		switch l.kind {
		case Squared:
			x = float64(e * e)
		case Huber:
			if x = math.Abs(e); x <= delta {
				x = float64(x*x) / 2
			} else {
				x = float64(delta * (x - delta/2))
			}
		case Quantile:
			if x = float64(l.level * e); e < 0 {
				x = float64((l.level - 1) * e)
			}
		case Logistic:
			x = boostSoftplus(score[r]) - float64(l.y[r]*score[r])
		}
		sum += float64(l.w(r) * x)
		all += l.w(r)
	}
	return sum / all
}

// boostSoftplus is log(1 + eˣ).
func boostSoftplus(x float64) float64 {
	if x > 0 {
		return x + detmath.Log1p(detmath.Exp(-x))
	}
	return detmath.Log1p(detmath.Exp(x))
}

// line returns the rising line from scores to targets with the least squared
// error.
func (l *boostLoss) line(train []int32, score []float64) (a, b float64) {
	n := 0.0
	var ms, my float64
	for _, r := range train {
		ms += float64(l.w(r) * score[r])
		my += float64(l.w(r) * l.y[r])
		n += l.w(r)
	}
	ms, my = ms/n, my/n
	var ss, sy float64
	for _, r := range train {
		d := score[r] - ms
		ss += float64(l.w(r) * float64(d*d))
		sy += float64(l.w(r) * float64(d*(l.y[r]-my)))
	}
	if ss > 0 && sy > 0 {
		b = sy / ss
	} else {
		b = 1e-9 // keep the order
	}
	return my - float64(b*ms), b
}
