package synthetic

import (
	"context"
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/problems/internal/vector"
	"github.com/daedalus-search/daedalus/space"
)

// WFG is one of the functions WFG1 to WFG9 of the walking fish group (Huband,
// Hingston, Barone and While, "A Review of Multiobjective Test Problems and a
// Scalable Test Problem Toolkit", IEEE TEC 2006). Variable i lies in [0, 2i].
// The first ones place a design along the front, the others move it away; the
// nine differ in bias, in deceptiveness and in how the variables hang together.
// Objective m is at most 2m on the front.
type WFG struct {
	Function   int `yaml:"function" default:"4" min:"1" max:"9" doc:"which function: 1 flat and biased, 2 disconnected, 3 linear, 4 multimodal, 5 deceptive, 6 not separable, 7 to 9 biased by other variables"` // 0 means 4
	Objectives int `yaml:"objectives" default:"3" min:"2" max:"20" doc:"number of objectives"`                                                                                                                   // 0 means 3
	Position   int `yaml:"position" default:"0" min:"0" max:"1000" doc:"number of variables along the front, a multiple of objectives - 1; 0 means twice that, 4 for two objectives"`                            // 0 means 2 (Objectives - 1), or 4
	Distance   int `yaml:"distance" default:"20" min:"1" max:"1000" doc:"number of variables away from the front; even for functions 2 and 3"`                                                                   // 0 means 20
}

// New makes the problem.
func (o WFG) New() (*Problem, error) {
	which, err := dims("wfg: function", o.Function, 4, 1, 9)
	if err != nil {
		return nil, err
	}
	m, err := dims("wfg: objectives", o.Objectives, 3, 2, 20)
	if err != nil {
		return nil, err
	}
	k, err := dims("wfg: position", o.Position, max(4, 2*(m-1)), 1, 1000)
	if err != nil {
		return nil, err
	}
	l, err := dims("wfg: distance", o.Distance, 20, 1, 1000)
	if err != nil {
		return nil, err
	}
	if k%(m-1) != 0 {
		return nil, fmt.Errorf("synthetic: wfg: position: found %d, want a multiple of objectives - 1 = %d", k, m-1)
	}
	if (which == 2 || which == 3) && l%2 != 0 {
		return nil, fmt.Errorf("synthetic: wfg: distance: found %d, want an even number for function %d", l, which)
	}
	nodes := make([]space.Node, k+l)
	for i := range nodes {
		nodes[i] = space.Float(fmt.Sprintf("x%d", i+1), 0, float64(2*(i+1)))
	}
	f := func(x, y []float64) {
		for i := range x {
			x[i] /= float64(2 * (i + 1))
		}
		shapesWFG(which, transformWFG(which, m, k, x), y)
	}
	var front func(context.Context) ([]float64, error)
	if which != 3 || m == 2 { // the line of WFG3 is not all of its front with more (Ishibuchi et al. 2016)
		front = func(context.Context) ([]float64, error) { return frontWFG(which, m), nil }
	}
	return newProblem(fmt.Sprintf("WFG%d with %d objectives, %d position and %d distance variables", which, m, k, l), nodes, vector.Objectives(m), f, front)
}

// transformWFG turns the variables, scaled to [0, 1], into the m underlying
// parameters of the shapes (section X of the paper). It changes y.
func transformWFG(which, m, k int, y []float64) []float64 {
	n := len(y)
	switch which { // biases that depend on other variables
	case 7:
		sum := 0.0
		for _, v := range y {
			sum += v
		}
		for i := range k {
			sum -= y[i]
			y[i] = biasBy(y[i], sum/float64(n-1-i))
		}
	case 8:
		sum := 0.0
		for i, v := range y {
			if i >= k {
				y[i] = biasBy(v, sum/float64(i))
			}
			sum += v
		}
	case 9:
		sum := y[n-1]
		for i := n - 2; i >= 0; i-- {
			v := y[i]
			y[i] = biasBy(v, sum/float64(n-1-i))
			sum += v
		}
	}
	switch which { // shifts of the optimum
	case 4:
		for i, v := range y {
			y[i] = multimodal(v, 30, 10)
		}
	case 5:
		for i, v := range y {
			y[i] = deceptive(v)
		}
	case 9:
		for i, v := range y {
			if i < k {
				y[i] = deceptive(v)
			} else {
				y[i] = multimodal(v, 30, 95)
			}
		}
	default:
		for i, v := range y[k:] {
			y[k+i] = unit(math.Abs(v-0.35) / math.Abs(math.Floor(0.35-v)+0.35))
		}
	}
	switch which {
	case 1:
		for i, v := range y {
			if i >= k {
				v = flat(v)
			}
			y[i] = math.Pow(v, 0.02)
		}
	case 2, 3: // pairs
		for i := range (n - k) / 2 {
			y[k+i] = entangled(y[k+2*i:k+2*i+2], 2)
		}
		y = y[:k+(n-k)/2]
	}
	reduce := func(y []float64, first int) float64 {
		switch which {
		case 1:
			sum, weights := 0.0, 0.0
			for i, v := range y {
				w := float64(2 * (first + i + 1))
				sum += float64(w * v)
				weights += w
			}
			return sum / weights
		case 6, 9:
			return entangled(y, len(y))
		}
		return mean(y)
	}
	gap := k / (m - 1)
	t := make([]float64, m)
	for i := range m - 1 {
		t[i] = reduce(y[i*gap:(i+1)*gap], i*gap)
	}
	t[m-1] = reduce(y[k:], k)
	return t
}

// unit takes away what rounding leaves outside [0, 1].
func unit(v float64) float64 { return min(max(v, 0), 1) }

// biasBy is b_param with the constants of WFG7 to WFG9.
func biasBy(y, u float64) float64 {
	const a, b, c = 0.98 / 49.98, 0.02, 50
	v := a - float64((1-float64(2*u))*math.Abs(math.Floor(0.5-u)+a))
	return unit(math.Pow(y, b+float64((c-b)*v)))
}

// flat is b_flat with the constants of WFG1.
func flat(y float64) float64 {
	const a, b, c = 0.8, 0.75, 0.85
	switch {
	case y < b:
		return unit(a * y / b)
	case y <= c:
		return a
	}
	return unit(a + float64((1-a)*(y-c))/(1-c))
}

// multimodal is s_multi with its optimum at 0.35.
func multimodal(y, a, b float64) float64 {
	const c = 0.35
	d := math.Abs(y-c) / (2 * (math.Floor(c-y) + c))
	return unit((1 + math.Cos(float64((4*a+2)*math.Pi)*(0.5-d)) + float64(4*b*d*d)) / (b + 2))
}

// deceptive is s_decept with the constants of the paper.
func deceptive(y float64) float64 {
	const a, b, c = 0.35, 0.001, 0.05
	left := math.Floor(y-a+b) * (1 - c + (a-b)/b) / (a - b)
	right := math.Floor(a+b-y) * (1 - c + (1-a-b)/b) / (1 - a - b)
	return unit(1 + float64((math.Abs(y-a)-b)*(left+right+1/b)))
}

// entangled is r_nonsep: a mean of the variables and of the distances of each
// to the a-1 that follow it on a ring.
func entangled(y []float64, a int) float64 {
	n := len(y)
	sum := 0.0
	for j, v := range y {
		sum += v
		if a == n { // every pair, in both directions
			for _, w := range y[j+1:] {
				sum += float64(2 * math.Abs(v-w))
			}
			continue
		}
		for k := range a - 1 {
			sum += math.Abs(v - y[(j+k+1)%n])
		}
	}
	half := float64((a + 1) / 2)
	return unit(sum / (float64(n) / float64(a) * half * (1 + float64(2*a) - 2*half)))
}

// shapesWFG turns the underlying parameters into objectives. It changes t.
func shapesWFG(which int, t, y []float64) {
	m := len(y)
	last := t[m-1]
	for i, v := range t[:m-1] {
		if which == 3 && i > 0 {
			t[i] = float64(last*(v-0.5)) + 0.5
		} else {
			t[i] = float64(max(last, 1)*(v-0.5)) + 0.5
		}
	}
	x := t[:m-1]
	for i := range m {
		h := 1.0
		for _, v := range x[:m-1-i] {
			h *= shape(which, v, false)
		}
		if i > 0 {
			h *= shape(which, x[m-1-i], true)
		}
		y[i] = h
	}
	const waves = 5
	switch which {
	case 1:
		v := 2 * waves * math.Pi * x[0]
		y[m-1] = 1 - x[0] - math.Cos(v+math.Pi/2)/(2*waves*math.Pi)
	case 2:
		c := math.Cos(waves * math.Pi * x[0])
		y[m-1] = 1 - float64(x[0]*c*c)
	}
	for i := range y {
		y[i] = last + float64(2*(i+1))*y[i]
	}
}

// shape is one factor of the shape functions: along a coordinate, or, if it
// ends the product, across it.
func shape(which int, x float64, across bool) float64 {
	switch {
	case which == 3 && across:
		return 1 - x
	case which == 3:
		return x
	case which <= 2 && across:
		return 1 - math.Sin(x*math.Pi/2)
	case which <= 2:
		return 1 - math.Cos(x*math.Pi/2)
	case across:
		return math.Cos(x * math.Pi / 2)
	}
	return math.Sin(x * math.Pi / 2)
}

func frontWFG(which, m int) []float64 {
	n := frontPoints
	if which == 2 {
		n *= 4 // much is dominated
	}
	var rows []float64
	t, y := make([]float64, m), make([]float64, m)
	for _, u := range vector.Spread(m-1, n) {
		copy(t, u)
		t[m-1] = 0
		shapesWFG(which, t, y)
		rows = append(rows, y...)
	}
	return vector.NonDominated(rows, m)
}
