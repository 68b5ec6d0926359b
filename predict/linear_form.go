package predict

import (
	"cmp"
	"math"
	"slices"
)

// linLevels is how many levels of a category have a number of their own; the
// rarer ones share one.
const linLevels = 256

// A linForm turns the rows of a table into plain numbers for models that know
// nothing else. A number becomes (x − mean)/sd, the mean where it is missing,
// followed by a flag of missing if training rows lacked it. A category becomes
// one number for each level that was seen, missing being one of them. Every
// number is centred, and those of one column have a variance of 1 together, so
// that no column counts more than another. Columns that never changed are left
// out. A level that was not seen is a row of means.
type linForm struct {
	Cols  []linCol
	Width int // numbers of a formed row
}

// A linCol is one column of the table and the numbers from To on made of it.
type linCol struct {
	From, To    int
	Mean, Scale float64 // of a number
	Flag        bool    // a flag of missing follows
	FlagMean    float64
	FlagScale   float64
	Slot        []int32   // of each level, the last being missing; −1 means not seen
	Share       []float64 // of each slot among the training rows
}

func linWeights(t *Table) (w []float64, sum float64) {
	w = make([]float64, len(t.Y))
	for i := range w {
		w[i] = 1
		if t.Weight != nil {
			w[i] = t.Weight[i]
		}
		sum += w[i]
	}
	for i := range w {
		w[i] *= float64(len(w)) / sum
	}
	return w, float64(len(w))
}

func newLinForm(t *Table) *linForm {
	f := &linForm{}
	w, total := linWeights(t)
	d := len(t.Columns)
	for j, col := range t.Columns {
		c := linCol{From: j, To: f.Width}
		if col.Levels > 0 {
			if c.categories(t, w, total, col.Levels) {
				f.Width += len(c.Share)
				f.Cols = append(f.Cols, c)
			}
			continue
		}
		sum, seen := 0.0, 0.0
		lo, hi := math.Inf(1), math.Inf(-1)
		for i := range t.Y {
			if x := t.X[i*d+j]; !math.IsNaN(x) {
				seen += w[i]
				lo, hi = min(lo, x), max(hi, x)
			}
		}
		unit := max(math.Abs(lo), math.Abs(hi)) // so that squares do not overflow
		for i := range t.Y {
			if x := t.X[i*d+j]; !math.IsNaN(x) && lo < hi {
				sum += float64(w[i] * (x / unit))
			}
		}
		if seen > 0 && lo < hi {
			mean, ss := sum/seen, 0.0
			for i := range t.Y {
				if x := t.X[i*d+j]; !math.IsNaN(x) {
					ss += float64(w[i] * float64((x/unit-mean)*(x/unit-mean)))
				}
			}
			if ss > 0 {
				c.Mean, c.Scale = float64(mean*unit), 1/float64(unit*math.Sqrt(ss/seen))
			}
		}
		if math.IsInf(c.Scale, 0) || math.IsNaN(c.Scale) {
			c.Scale = 0
		}
		if p := 1 - seen/total; seen > 0 && p > 1e-12 {
			c.Flag, c.FlagMean, c.FlagScale = true, p, 1/math.Sqrt(float64(p*(1-p)))
		}
		if c.Scale == 0 && !c.Flag {
			continue
		}
		f.Width++
		if c.Flag {
			f.Width++
		}
		f.Cols = append(f.Cols, c)
	}
	return f
}

// categories sets the slots and reports whether there are two.
func (c *linCol) categories(t *Table, w []float64, total float64, levels int) bool {
	d := len(t.Columns)
	count := make([]float64, levels+1)
	for i := range t.Y {
		if x := t.X[i*d+c.From]; math.IsNaN(x) {
			count[levels] += w[i]
		} else {
			count[int(x)] += w[i]
		}
	}
	var seen []int
	for l, n := range count {
		if n > 0 {
			seen = append(seen, l)
		}
	}
	if len(seen) < 2 {
		return false
	}
	slices.SortStableFunc(seen, func(a, b int) int { return cmp.Compare(count[b], count[a]) })
	c.Slot = make([]int32, levels+1)
	for l := range c.Slot {
		c.Slot[l] = -1
	}
	slots := min(len(seen), linLevels)
	c.Share = make([]float64, slots)
	for k, l := range seen {
		c.Slot[l] = int32(min(k, slots-1))
		c.Share[c.Slot[l]] += count[l] / total
	}
	gini := 1.0
	for _, p := range c.Share {
		gini -= float64(p * p)
	}
	c.Scale = 1 / math.Sqrt(max(gini, 1e-12))
	return true
}

// apply writes the formed rows to dst, which it makes longer if needed.
func (f *linForm) apply(dst, rows []float64, columns int) []float64 {
	n := len(rows) / columns
	dst = slices.Grow(dst[:0], n*f.Width)[:n*f.Width]
	for i := range n {
		row, out := rows[i*columns:(i+1)*columns], dst[i*f.Width:(i+1)*f.Width]
		for k := range f.Cols {
			c := &f.Cols[k]
			x := row[c.From]
			if len(c.Slot) == 0 {
				v, flag := 0.0, 1.0
				if !math.IsNaN(x) {
					v, flag = float64((x-c.Mean)*c.Scale), 0
				}
				out[c.To] = v
				if c.Flag {
					out[c.To+1] = float64((flag - c.FlagMean) * c.FlagScale)
				}
				continue
			}
			l := len(c.Slot) - 1
			if x >= 0 && x < float64(l) {
				l = int(x)
			}
			slot := c.Slot[l]
			for s, p := range c.Share {
				switch {
				case slot < 0:
					out[c.To+s] = 0
				case int(slot) == s:
					out[c.To+s] = float64((1 - p) * c.Scale)
				default:
					out[c.To+s] = -float64(p * c.Scale)
				}
			}
		}
	}
	return dst
}

// linTarget returns the weighted mean and standard deviation of the target;
// the latter is 1 if it never changes.
func linTarget(y, w []float64) (mean, sd float64) {
	n, unit := 0.0, 0.0
	for i, v := range y {
		n += w[i]
		unit = max(unit, math.Abs(v))
	}
	if unit == 0 {
		return 0, 1
	}
	for i, v := range y {
		mean += float64(w[i] * (v / unit))
	}
	mean /= n
	for i, v := range y {
		sd += float64(w[i] * float64((v/unit-mean)*(v/unit-mean)))
	}
	sd = float64(math.Sqrt(sd/n) * unit)
	if !(sd > float64(1e-14*unit)) {
		sd = 1
	}
	return float64(mean * unit), sd
}
