package space

import (
	"math"
	"strconv"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// A Param is the compiled, read-only form of a node that asks for decisions.
// Search methods read it to learn what kind of decision they face.
type Param struct {
	Path    string  // static path, such as "stages.block.conv.kernel"
	Name    string  // last element of the path
	Kind    Kind    //
	Unit    string  // unit of a number, "" if none was stated
	Doc     string  // one line, may be empty
	Lo, Hi  float64 // range of a number; repeat counts and subset sizes too
	Step    float64 // distance of neighbouring values; 0 for a real number
	Log     bool    // the number is logarithmic
	Ordered bool    // neighbouring options are alike
	N       int     // options of the decision; 0 for a real number
	Labels  []any   // values of the options of ordinal, categorical, bool, subset and permutation; names of cases and productions

	id   int32
	seed uint64
	hash []uint64  // hash of each label
	grid []float64 // values of a stepped float, if tabulated
	cum  []float64 // cumulative prior of the options, nil if uniform
	llo  float64   // Log: log of Lo
	lspn float64   // Log: log range, over [Lo, Hi] if real and [Lo, Hi+Step) otherwise
	ispn float64   // 1/(Hi-Lo), or 0 if the range is a point
}

// maxTable bounds the options for which a prior is tabulated.
const maxTable = 1 << 12

func (p *Param) finish() {
	if p.Kind == KindFloat && p.N > 0 && p.N <= maxTable {
		grid := make([]float64, p.N)
		for i := range grid {
			grid[i] = decimal(p.Number(i))
		}
		grid[0] = p.Lo
		p.grid = grid
		p.Hi = grid[p.N-1]
	}
	if p.Hi > p.Lo {
		p.ispn = 1 / (p.Hi - p.Lo)
	}
	if !p.Log {
		return
	}
	p.llo = detmath.Log(p.Lo)
	if p.N == 0 {
		p.lspn = detmath.Log(p.Hi) - p.llo
		return
	}
	p.lspn = detmath.Log(p.Lo+float64(float64(p.N)*p.Step)) - p.llo
	if p.N > 1 && p.N <= maxTable {
		p.cum = make([]float64, p.N)
		for i := range p.cum {
			p.cum[i] = (detmath.Log(p.Lo+float64(float64(i+1)*p.Step)) - p.llo) / p.lspn
		}
		p.cum[p.N-1] = 1
	}
}

// Number returns the value of option i of an integer, a stepped float, a
// repeat count or a subset size. Values of a stepped float are the decimal
// numbers that a person would write, 0.3 rather than 0.1 + 2·0.1.
func (p *Param) Number(i int) float64 {
	if p.grid != nil {
		return p.grid[i]
	}
	return p.Lo + float64(float64(i)*p.Step)
}

// decimal rounds to 12 significant digits.
func decimal(x float64) float64 {
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 12, 64), 64)
	if err != nil {
		return x
	}
	return y
}

// Label returns the value of option i as designs show it: a number for
// numeric parameters, otherwise the label.
func (p *Param) Label(i int) any {
	if p.Labels != nil {
		return p.Labels[i]
	}
	return p.Number(i)
}

// numeric reports whether options or values are numbers on a range.
func (p *Param) numeric() bool {
	return p.Kind == KindFloat || p.Kind == KindInt || p.Kind == KindRepeat
}

// fromU maps u in [0, 1) to an option by the inverse of the prior's
// cumulative distribution.
func (p *Param) fromU(u float64) int {
	n := p.N
	if p.cum != nil {
		if n <= 16 {
			for i, c := range p.cum {
				if u < c {
					return i
				}
			}
			return n - 1
		}
		lo, hi := 0, n-1
		for lo < hi {
			if mid := int(uint(lo+hi) >> 1); u < p.cum[mid] {
				hi = mid
			} else {
				lo = mid + 1
			}
		}
		return lo
	}
	if p.Log {
		v := detmath.Exp(p.llo + float64(u*p.lspn))
		return clampInt(int(math.Floor((v-p.Lo)/p.Step)), 0, n-1)
	}
	return clampInt(int(u*float64(n)), 0, n-1)
}

// realFromU maps u in [0, 1] to a real value by the prior, which is also the
// inverse of unitReal.
func (p *Param) realFromU(u float64) float64 {
	var v float64
	if p.Log {
		v = detmath.Exp(p.llo + float64(u*p.lspn))
	} else {
		v = p.Lo + float64(u*(p.Hi-p.Lo))
	}
	switch { // quicker than min and max, which look out for NaN
	case v < p.Lo:
		return p.Lo
	case v > p.Hi:
		return p.Hi
	}
	return v
}

// Weight returns the prior probability of option i.
func (p *Param) Weight(i int) float64 {
	if p.cum != nil {
		if i == 0 {
			return p.cum[0]
		}
		return p.cum[i] - p.cum[i-1]
	}
	if p.Log && p.N > 0 {
		return (detmath.Log(p.Number(i)+p.Step) - detmath.Log(p.Number(i))) / p.lspn
	}
	return 1 / float64(p.N)
}

// below returns the prior probability of the options before i.
func (p *Param) below(i int) float64 {
	switch {
	case i <= 0:
		return 0
	case p.cum != nil:
		return p.cum[i-1]
	case p.Log:
		return (detmath.Log(p.Number(i)) - p.llo) / p.lspn
	}
	return float64(i) / float64(p.N)
}

// unit places an option or a real value on [0, 1]: numbers by their range,
// logarithmic ones by the logarithm, other options by the middle of their
// share.
func (p *Param) unit(i int, x float64) float64 {
	if p.N == 0 {
		return p.unitReal(x)
	}
	if p.N == 1 {
		return 0.5
	}
	if p.numeric() {
		return p.unitNumber(p.Number(i))
	}
	if p.Ordered {
		return float64(i) / float64(p.N-1)
	}
	return (float64(i) + 0.5) / float64(p.N)
}

func (p *Param) unitReal(x float64) float64 {
	if p.Log {
		if p.lspn == 0 {
			return 0.5
		}
		return min(max((detmath.Log(x)-p.llo)/p.lspn, 0), 1)
	}
	if p.ispn == 0 {
		return 0.5
	}
	return (x - p.Lo) * p.ispn
}

// unitNumber places a stepped number on [0, 1] by value, ends included.
func (p *Param) unitNumber(v float64) float64 {
	if p.ispn == 0 {
		return 0.5
	}
	if p.Log {
		return (detmath.Log(v) - p.llo) / (detmath.Log(p.Hi) - p.llo)
	}
	return (v - p.Lo) * p.ispn
}

// nearest returns the option whose unit place is nearest to u.
func (p *Param) nearest(u float64) int {
	if p.N <= 1 {
		return 0
	}
	u = min(max(u, 0), 1)
	if p.numeric() {
		var v float64
		if p.Log {
			v = detmath.Exp(p.llo + float64(u*(detmath.Log(p.Hi)-p.llo)))
		} else {
			v = p.Lo + float64(u*(p.Hi-p.Lo))
		}
		return clampInt(int(math.Floor((v-p.Lo)/p.Step+0.5)), 0, p.N-1)
	}
	if p.Ordered {
		return clampInt(int(math.Floor(u*float64(p.N-1)+0.5)), 0, p.N-1)
	}
	return clampInt(int(u*float64(p.N)), 0, p.N-1)
}

// indexOf returns the option that holds value v, or -1.
func (p *Param) indexOf(v any) int {
	if p.numeric() {
		x, ok := v.(float64)
		if !ok || p.Step == 0 {
			return -1
		}
		i := int(math.Floor((x-p.Lo)/p.Step + 0.5))
		if i < 0 || i >= p.N {
			return -1
		}
		if got := p.Number(i); got != x && math.Abs(got-x) > 1e-9*max(math.Abs(got), p.Step) {
			return -1
		}
		return i
	}
	for i, l := range p.Labels {
		if l == v {
			return i
		}
	}
	return -1
}

func clampInt(i, lo, hi int) int { return min(max(i, lo), hi) }

// mix is the finaliser of splitmix64 (Steele, Lea, Flood 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// hashText is FNV-1a followed by mix; it is part of the design hash and must
// never change.
func hashText(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h)
}

// hashLiteral hashes a string, float64 or bool so that different types differ.
func hashLiteral(v any) uint64 {
	switch v := v.(type) {
	case float64:
		return mix(math.Float64bits(v+0) + 0x9E3779B97F4A7C15) // v+0 turns -0 into 0
	case bool:
		if v {
			return mix(0xA5A5A5A5)
		}
		return mix(0x5A5A5A5A)
	case string:
		return hashText(v)
	}
	return 0
}
