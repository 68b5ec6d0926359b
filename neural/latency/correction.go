package latency

import (
	"errors"
	"fmt"
	"math"
)

// A Correction is what makes of the times of operators that of a network:
//
//	ms = Scale·operators + Ends·ends + PerOperatorMS·count + ConstantMS
//
// An operator that is measured alone carries what a run costs and what the engine
// does with what goes in and comes out, such as putting channels last. That is
// measured too, with networks that do nothing else, one for every shape; half of it
// is for what goes in, half for what comes out. The ends are those of all operators
// less those of the network itself, so the plain sum, to which nothing was fitted,
// has Scale 1 and Ends −1.
//
// The correction is fitted to a few whole networks by ridge regression on the
// relative error, towards the plain sum. How strongly is chosen by leaving one out.
type Correction struct {
	Scale         float64 `json:"scale"`
	Ends          float64 `json:"ends"`
	PerOperatorMS float64 `json:"per_operator_ms"`
	ConstantMS    float64 `json:"constant_ms"`
	Networks      int     `json:"networks"`  // that it was fitted to; 0: it is the plain sum
	Ridge         float64 `json:"ridge"`     // how strongly it was drawn towards the plain sum
	Deviation     float64 `json:"deviation"` // root of the mean squared relative error of networks left out; 0 if unknown
}

// A summary is what a correction weighs of a network.
type summary struct {
	sum, ends float64 // ms
	count     float64
}

func (s summary) plain() float64 { return s.sum - s.ends }

func (c Correction) apply(s summary) float64 {
	if c.Networks == 0 {
		return s.plain()
	}
	return float64(c.Scale*s.sum) + float64(c.Ends*s.ends) + float64(c.PerOperatorMS*s.count) + c.ConstantMS
}

func (c Correction) check() error {
	for _, x := range []float64{c.Scale, c.Ends, c.PerOperatorMS, c.ConstantMS, c.Ridge, c.Deviation} {
		if x-x != 0 {
			return fmt.Errorf("found %+v, want finite numbers", c)
		}
	}
	if c.Networks < 0 || c.Ridge < 0 || c.Deviation < 0 {
		return fmt.Errorf("found %+v, want no negative count, ridge or deviation", c)
	}
	return nil
}

// ridges are the strengths that are tried, as shares of the features' squares.
var ridges = []float64{1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10}

// fit fits a correction to networks whose time is known.
func fit(all []summary, ms []float64) (Correction, error) {
	if len(all) == 0 || len(all) != len(ms) {
		return Correction{}, fmt.Errorf("found %d networks with %d times, want at least one and as many", len(all), len(ms))
	}
	// rows are relative: what is left to explain of a network beside the plain sum,
	// and its features, each divided by the network's time
	const k = 4
	rows, rest := make([][k]float64, len(all)), make([]float64, len(all))
	var size [k]float64
	for i, s := range all {
		if !(ms[i] > 0) || !(s.sum > 0) {
			return Correction{}, fmt.Errorf("network %d: found %g ms, and %g ms of operators, want more than 0", i+1, ms[i], s.sum)
		}
		rows[i] = [k]float64{s.sum / ms[i], s.ends / ms[i], s.count / ms[i], 1 / ms[i]}
		rest[i] = 1 - s.plain()/ms[i]
		for j, x := range rows[i] {
			size[j] += float64(x * x)
		}
	}
	for j := range size { // features of the same size, for one strength
		size[j] = math.Sqrt(size[j] / float64(len(all)))
		if size[j] == 0 {
			size[j] = 1
		}
		for i := range rows {
			rows[i][j] /= size[j]
		}
	}
	solve := func(ridge float64, without int) (x [k]float64, err error) {
		var a [k][k + 1]float64
		for i, row := range rows {
			if i == without {
				continue
			}
			for j := range k {
				for l := range k {
					a[j][l] += float64(row[j] * row[l])
				}
				a[j][k] += float64(row[j] * rest[i])
			}
		}
		for j := range k {
			a[j][j] += ridge * float64(len(rows))
		}
		return cholesky(a)
	}
	best := Correction{Deviation: math.Inf(1)}
	var errs error
	for _, ridge := range ridges {
		total := 0.0
		for i, row := range rows {
			x, err := solve(ridge, i)
			errs = errors.Join(errs, err)
			e := -rest[i]
			for j := range k {
				e += float64(row[j] * x[j])
			}
			total += float64(e * e)
		}
		deviation := math.Sqrt(total / float64(len(rows)))
		if deviation >= best.Deviation {
			continue
		}
		x, err := solve(ridge, -1)
		errs = errors.Join(errs, err)
		best = Correction{1 + x[0]/size[0], x[1]/size[1] - 1, x[2] / size[2], x[3] / size[3], len(all), ridge, deviation}
	}
	if errs != nil {
		return Correction{}, errs
	}
	if len(all) == 1 {
		best.Deviation = 0 // nothing was left to learn from
	}
	return best, best.check()
}

// cholesky solves a positive definite system, whose right side is the last column.
func cholesky(a [4][5]float64) (x [4]float64, err error) {
	for j := range a {
		for l := range j {
			for i := j; i < 4; i++ {
				a[i][j] -= float64(a[i][l] * a[j][l])
			}
		}
		if !(a[j][j] > 0) {
			return x, fmt.Errorf("the correction cannot be solved for: pivot %d is %g", j+1, a[j][j])
		}
		d := math.Sqrt(a[j][j])
		for i := j; i < 4; i++ {
			a[i][j] /= d
		}
	}
	for i := range x { // forwards
		x[i] = a[i][4]
		for l := range i {
			x[i] -= float64(a[i][l] * x[l])
		}
		x[i] /= a[i][i]
	}
	for i := 3; i >= 0; i-- { // and back
		for l := i + 1; l < 4; l++ {
			x[i] -= float64(a[l][i] * x[l])
		}
		x[i] /= a[i][i]
	}
	return x, nil
}
