package device

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// TransferOptions say how a device of which a few networks were measured is
// predicted with models of other devices, the pool. The zero value is ready to
// use.
//
// With φ_k the logarithm of the latency that pool model k predicts, and ψ the
// settings of the network, one column each, all but the monotone method are
// linear in logarithms,
//
//	log latency = a + Σ b_k φ_k + Σ g_j ψ_j + noise,
//
// and differ in what they expect of b and g before they see a measurement. The
// constant a is free; the noise has the standard deviation σ, of which a few per
// cent are expected (inverse gamma with shape 1.5 and mean 0.075² of σ²).
//
//   - nearest: one b, that of the device whose latencies correlate best with the
//     measured ones; least squares, not negative
//   - monotone: the same device, under the rising function that suits best
//     (isotonic regression), straight between its steps
//   - combine: every b is normal around 1/devices with variance (τσ)², for five
//     values of τ from 1 to 16
//   - meta: the same, and every g normal around 0 with variance (κσ)², for κ of
//     0, 0.1 and 0.3: what no known device shows can be learned too. In other
//     words a Gaussian process whose kernel compares networks by how known
//     devices take them, and by their settings
//   - average: meta, and for each device a model that it alone resembles the new
//     one, its b normal around 1 with variance (3σ)² or (10σ)²
//   - alone: no pool; only g, for κ from 0.1 to 10
//
// Where there are several models, they are averaged with the probability that
// each gives the measurements (Bayesian model averaging; Hoeting, Madigan,
// Raftery and Volinsky 1999).
type TransferOptions struct {
	Method string `yaml:"method" default:"average" oneof:"average meta combine nearest monotone alone" doc:"how models of known devices are put together"` // "" means average
}

// TransferMethods names the methods, the best on the whole first.
func TransferMethods() []string {
	return []string{"average", "meta", "combine", "nearest", "monotone", "alone"}
}

// Transferred is the model of a device made of models of others.
type Transferred struct {
	space  *Space
	device string
	pool   []Model // those with a slope
	Base   float64
	Slopes []float64 // of the logarithms of the pool's latencies
	Worth  []float64 // of the settings, in logarithms; nil where they add nothing
	Steps  []Step    // of the monotone method, on pool[0]; else nil

	// Samples is how many networks were measured, and LeaveOneOut the standard
	// error of log latency when each is predicted from the others, or of more
	// than 30 each tenth: about the relative error to expect. It is NaN for fewer
	// than three.
	Samples     int
	LeaveOneOut float64
}

// A Step is a point of a rising function between logarithms of latencies.
type Step struct{ From, To float64 }

// Space returns the space of the model.
func (m *Transferred) Space() *Space { return m.space }

// Device returns the device of the model.
func (m *Transferred) Device() string { return m.device }

// Pool returns the names of the devices that the prediction uses, and how much
// of each: the exponents of their latencies. Devices whose models are log-additive
// are part of Worth and not listed.
func (m *Transferred) Pool() (devices []string, slopes []float64) {
	for _, p := range m.pool {
		devices = append(devices, p.Device())
	}
	return devices, slices.Clone(m.Slopes)
}

// LatencyMS predicts a network.
func (m *Transferred) LatencyMS(x []uint8) float64 {
	if m.Steps != nil {
		return exp(rise(m.Steps, logOf(m.pool[0], x)))
	}
	s := m.Base
	if m.Worth != nil {
		at := m.space.at[:len(x)]
		for i, v := range x {
			s += m.Worth[at[i]+int(v)]
		}
	}
	for k, p := range m.pool {
		s += float64(m.Slopes[k] * logOf(p, x))
	}
	return exp(s)
}

// logOf returns the logarithm of what a model predicts.
func logOf(m Model, x []uint8) float64 {
	if a, ok := m.(*Additive); ok && a.Log {
		return a.Sum(x)
	}
	return log(m.LatencyMS(x))
}

// rise interpolates a rising function; beyond its ends it has the slope 1.
func rise(steps []Step, v float64) float64 {
	i, _ := slices.BinarySearchFunc(steps, v, func(s Step, v float64) int {
		if s.From < v {
			return -1
		}
		return 1
	})
	switch i {
	case 0:
		return steps[0].To + (v - steps[0].From)
	case len(steps):
		last := steps[i-1]
		return last.To + (v - last.From)
	}
	a, b := steps[i-1], steps[i]
	return a.To + float64((b.To-a.To)*((v-a.From)/(b.From-a.From)))
}

// maxSamples bounds the matrices; with more networks, [Learn] needs no pool.
const maxSamples = 300

// Fit learns a device from a few measured networks and models of other devices
// on the same space.
func (o TransferOptions) Fit(pool []Model, t Timings) (*Transferred, error) {
	method := o.Method
	if method == "" {
		method = "average"
	}
	if !slices.Contains(TransferMethods(), method) {
		return nil, fmt.Errorf("device: transfer: method: found %q, want one of %s", method, strings.Join(TransferMethods(), ", "))
	}
	if err := t.Check(); err != nil {
		return nil, err
	}
	if len(t.MS) > maxSamples {
		return nil, fmt.Errorf("device: transfer: %d measured networks, want at most %d; with so many, Learn needs no other device", len(t.MS), maxSamples)
	}
	if method == "alone" {
		pool = nil
	} else if len(pool) == 0 {
		return nil, fmt.Errorf("device: transfer: no models of other devices; want at least one, or the method alone")
	}
	for _, p := range pool {
		if p.Space().Fingerprint() != t.Space.Fingerprint() {
			return nil, fmt.Errorf("device: transfer: the model of %s is for the space %s, want %s", p.Device(), p.Space().name, t.Space.name)
		}
	}
	n := len(t.MS)
	y, known := make([]float64, n), make([][]float64, len(pool))
	for i := range y {
		y[i] = log(t.MS[i])
	}
	for k, p := range pool {
		known[k] = make([]float64, n)
		for i := range n {
			known[k][i] = logOf(p, t.Network(i))
		}
	}
	f := fewShot{method: method, space: t.Space}
	m := &Transferred{space: t.Space, device: t.Device, Samples: n, LeaveOneOut: math.NaN()}
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	fit := f.fit(t, y, known, all)
	if n >= 3 {
		folds := n
		if n > 30 {
			folds = 10
		}
		sum := 0.0
		for fold := range folds {
			var rest []int
			for i := range n {
				if i%folds != fold {
					rest = append(rest, i)
				}
			}
			r := f.fit(t, y, known, rest)
			for i := fold; i < n; i += folds {
				e := r.at(t, known, i) - y[i]
				sum += float64(e * e)
			}
		}
		m.LeaveOneOut = math.Sqrt(sum / float64(n))
	}
	m.Base, m.Worth = fit.base, fit.worth
	if fit.steps != nil {
		m.pool, m.Slopes, m.Steps = []Model{pool[fit.nearest]}, []float64{1}, fit.steps
		return m, nil
	}
	for k, b := range fit.slopes {
		if b == 0 {
			continue
		}
		if a, ok := pool[k].(*Additive); ok && a.Log { // sums of sums are one sum
			m.Base += float64(b * a.Base)
			if m.Worth == nil {
				m.Worth = make([]float64, t.Space.total)
			}
			for j, w := range a.Worth {
				m.Worth[j] += float64(b * w)
			}
			continue
		}
		m.pool, m.Slopes = append(m.pool, pool[k]), append(m.Slopes, b)
	}
	return m, nil
}

// fewShot fits the coefficients of one method.
type fewShot struct {
	method string
	space  *Space
}

// A fewFit is what it found; worth is nil without settings, steps without the
// monotone method.
type fewFit struct {
	base    float64
	slopes  []float64
	worth   []float64
	nearest int
	steps   []Step
}

// at predicts measured network i.
func (f *fewFit) at(t Timings, known [][]float64, i int) float64 {
	if f.steps != nil {
		return rise(f.steps, known[f.nearest][i])
	}
	s := f.base
	for k, b := range f.slopes {
		s += float64(b * known[k][i])
	}
	if f.worth != nil {
		for p, v := range t.Network(i) {
			s += f.worth[t.Space.at[p]+int(v)]
		}
	}
	return s
}

// A belief is one model before the measurements: the means and variances of the
// slopes, in units of σ², and the variance of what settings add.
type belief struct {
	device      int // the only one; below 0 all
	mean, slope float64
	prior       float64 // logarithm of its probability
}

// settings are the variances κ² that a method tries.
func (f fewShot) settings() []float64 {
	switch f.method {
	case "alone":
		return []float64{0.01, 0.09, 1, 9, 100}
	case "combine":
		return []float64{0}
	}
	return []float64{0, 0.01, 0.09}
}

// beliefs are the models for each κ, but for the probability of κ.
func (f fewShot) beliefs(devices int) []belief {
	if f.method == "alone" {
		return []belief{{device: -1}}
	}
	var out []belief
	for _, tau := range [...]float64{1, 2, 4, 8, 16} {
		out = append(out, belief{-1, 1 / float64(devices), tau * tau, -detmath.Log(5)})
	}
	if f.method == "average" {
		for d := range devices {
			for _, tau := range [...]float64{3, 10} {
				out = append(out, belief{d, 1, tau * tau, -detmath.Log(float64(2 * devices))})
			}
		}
	}
	return out
}

// fit learns from some of the measured networks.
func (f fewShot) fit(t Timings, y []float64, known [][]float64, rows []int) *fewFit {
	n := len(rows)
	mean := func(v []float64) (s float64) {
		for _, i := range rows {
			s += v[i]
		}
		return s / float64(n)
	}
	middle := mean(y)
	centred := func(v []float64) []float64 {
		m := mean(v)
		c := make([]float64, n)
		for i, r := range rows {
			c[i] = v[r] - m
		}
		return c
	}
	target := centred(y)
	devices := make([][]float64, len(known))
	for k := range devices {
		devices[k] = centred(known[k])
	}
	if f.method == "nearest" || f.method == "monotone" {
		return f.single(y, known, rows, target, devices, middle)
	}
	gram := make([]float64, n*n) // of all devices
	for _, c := range devices {
		for i := range n {
			for j := range n {
				gram[i*n+j] += float64(c[i] * c[j])
			}
		}
	}
	alike := f.alike(t, rows)
	sum := make([]float64, n) // of all devices
	for _, c := range devices {
		for i, v := range c {
			sum[i] += v
		}
	}
	type opinion struct {
		evidence float64
		slopes   []float64
		alpha    []float64 // of the settings
	}
	var all []opinion
	best := math.Inf(-1)
	for _, setting := range f.settings() {
		// B = κ²·alike + 1 is what is left without devices.
		base := make([]float64, n*n)
		for i, v := range alike {
			base[i] = float64(setting * v)
		}
		for i := range n {
			base[i*n+i]++
		}
		plain := slices.Clone(base)
		decompose(base, n)
		solved := func(v []float64) []float64 {
			v = slices.Clone(v)
			substitute(base, v)
			return v
		}
		half := func(l []float64) (s float64) { // of the logarithm of the determinant
			for i := range n {
				s += detmath.Log(l[i*n+i])
			}
			return s
		}
		inBase, toTarget := half(base), solved(target)
		to := make([][]float64, len(devices))
		if f.method == "average" {
			for d, c := range devices {
				to[d] = solved(c)
			}
		}
		for _, b := range f.beliefs(len(devices)) {
			var alpha []float64
			r, determinant := slices.Clone(target), inBase
			switch {
			case b.device >= 0: // B and one product: Sherman and Morrison
				c, u := devices[b.device], to[b.device]
				alpha = slices.Clone(toTarget)
				for i := range n {
					r[i] -= float64(b.mean * c[i])
					alpha[i] -= float64(b.mean * u[i])
				}
				grown := 1 + float64(b.slope*dot(c, u))
				along := float64(b.slope*dot(c, alpha)) / grown
				for i := range n {
					alpha[i] -= float64(along * u[i])
				}
				determinant += detmath.Log(grown) / 2
			case len(devices) > 0:
				k := slices.Clone(plain)
				for i, v := range gram {
					k[i] += float64(b.slope * v)
				}
				decompose(k, n)
				for i := range n {
					r[i] -= float64(b.mean * sum[i])
				}
				alpha, determinant = slices.Clone(r), half(k)
				substitute(k, alpha)
			default:
				alpha = toTarget
			}
			// Student's t: σ² is integrated out, as is the constant, which leaves
			// n − 1 measurements.
			const shape, scale = 1.5, 0.5 * 0.075 * 0.075
			o := opinion{evidence: b.prior - determinant - float64((shape+float64(n-1)/2)*detmath.Log(scale+dot(r, alpha)/2))}
			o.slopes = make([]float64, len(devices))
			for d, c := range devices {
				if b.device < 0 || b.device == d {
					o.slopes[d] = b.mean + float64(b.slope*dot(c, alpha))
				}
			}
			if setting > 0 {
				for _, a := range alpha {
					o.alpha = append(o.alpha, float64(setting*a))
				}
			}
			all = append(all, o)
			best = max(best, o.evidence)
		}
	}
	total := 0.0
	for i := range all {
		all[i].evidence = detmath.Exp(all[i].evidence - best)
		total += all[i].evidence
	}
	fit := &fewFit{base: middle, slopes: make([]float64, len(devices))}
	settings := make([]float64, n)
	some := false
	for _, o := range all {
		w := o.evidence / total
		for d, s := range o.slopes {
			fit.slopes[d] += float64(w * s)
		}
		for i, a := range o.alpha {
			settings[i] += float64(w * a)
			some = true
		}
	}
	for d := range devices {
		fit.base -= float64(fit.slopes[d] * mean(known[d]))
	}
	if some {
		fit.worth = make([]float64, f.space.total)
		for i, r := range rows {
			for p, v := range t.Network(r) {
				fit.worth[f.space.at[p]+int(v)] += settings[i]
			}
		}
		for _, r := range rows { // settings count from the mean of the measured
			s := 0.0
			for p, v := range t.Network(r) {
				s += fit.worth[f.space.at[p]+int(v)]
			}
			fit.base -= s / float64(n)
		}
	}
	return fit
}

// alike counts the settings that networks share, less their means.
func (f fewShot) alike(t Timings, rows []int) []float64 {
	n := len(rows)
	a := make([]float64, n*n)
	side := make([]float64, n)
	all := 0.0
	for i, r := range rows {
		for j, q := range rows {
			x, z, same := t.Network(r), t.Network(q), 0.0
			for p := range x {
				if x[p] == z[p] {
					same++
				}
			}
			a[i*n+j] = same
			side[i] += same / float64(n)
			all += same / float64(n*n)
		}
	}
	for i := range n {
		for j := range n {
			a[i*n+j] += all - side[i] - side[j]
		}
	}
	return a
}

// single fits the device that correlates best.
func (f fewShot) single(y []float64, known [][]float64, rows []int, target []float64, devices [][]float64, middle float64) *fewFit {
	fit := &fewFit{base: middle, slopes: make([]float64, len(devices))}
	least := math.Inf(1)
	slope := 0.0
	for d, c := range devices {
		var cc, cy float64
		for i := range c {
			cc += float64(c[i] * c[i])
			cy += float64(c[i] * target[i])
		}
		b := 0.0
		if cc > 1e-12 {
			b = max(cy/cc, 0)
		} else if len(rows) < 2 {
			b = 1
		}
		rest := 0.0
		for i := range c {
			e := target[i] - float64(b*c[i])
			rest += float64(e * e)
		}
		if rest < least {
			least, fit.nearest, slope = rest, d, b
		}
	}
	v := known[fit.nearest]
	if f.method == "monotone" {
		fit.steps = isotonic(y, v, rows)
		return fit
	}
	fit.slopes[fit.nearest] = slope
	s := 0.0
	for _, i := range rows {
		s += v[i]
	}
	fit.base -= float64(slope * s / float64(len(rows)))
	return fit
}

// isotonic is the rising function of least squares by pooling adjacent violators
// (Ayer et al. 1955), as the middles of its level pieces.
func isotonic(y, v []float64, rows []int) []Step {
	order := slices.Clone(rows)
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case v[a] < v[b]:
			return -1
		case v[a] > v[b]:
			return 1
		}
		return a - b
	})
	type block struct{ n, from, to float64 }
	var blocks []block
	for _, i := range order {
		blocks = append(blocks, block{1, v[i], y[i]})
		for len(blocks) > 1 {
			a, b := blocks[len(blocks)-2], blocks[len(blocks)-1]
			if a.to/a.n < b.to/b.n && a.from/a.n < b.from/b.n {
				break
			}
			blocks = append(blocks[:len(blocks)-2], block{a.n + b.n, a.from + b.from, a.to + b.to})
		}
	}
	steps := make([]Step, len(blocks))
	for i, b := range blocks {
		steps[i] = Step{b.from / b.n, b.to / b.n}
	}
	return steps
}

// Choices names the ways to choose which networks to measure, the best on the
// whole first.
func Choices() []string { return []string{"diverse", "spread", "random"} }

// Choose says which of some networks, which stand one after the other, to measure
// on a new device:
//
//   - spread: one at random of each n-th part, from the fastest to the slowest on
//     the known devices
//   - diverse: each time the one of which least is known given those before, as
//     the known devices and the settings vary; of 300 candidates at random
//   - random
func Choose(pool []Model, s *Space, networks []uint8, n int, how string, r *rand.Rand) ([]int, error) {
	places := len(s.places)
	count := len(networks) / places
	if !slices.Contains(Choices(), how) {
		return nil, fmt.Errorf("device: choose: found %q, want one of %s", how, strings.Join(Choices(), ", "))
	}
	if n < 1 || n > count || n > maxSamples {
		return nil, fmt.Errorf("device: choose: found %d networks to choose, want 1 to %d", n, min(count, maxSamples))
	}
	if how != "random" && len(pool) == 0 {
		return nil, fmt.Errorf("device: choose: %s needs models of known devices, found none", how)
	}
	order := r.Perm(count)
	network := func(i int) []uint8 { return networks[i*places : (i+1)*places] }
	switch how {
	case "random":
		return order[:n], nil
	case "spread":
		speed := make([]float64, count)
		for i := range speed {
			for _, p := range pool {
				speed[i] += logOf(p, network(i))
			}
		}
		slices.SortStableFunc(order, func(a, b int) int {
			switch {
			case speed[a] < speed[b]:
				return -1
			case speed[a] > speed[b]:
				return 1
			}
			return 0
		})
		out := make([]int, n)
		for k := range out {
			from, to := k*count/n, (k+1)*count/n
			out[k] = order[from+r.IntN(to-from)]
		}
		return out, nil
	}
	return diverse(pool, s, network, order[:min(count, max(300, n))], n), nil
}

// diverse takes greedily what varies most, and what goes along with it out of the
// rest: the rows of a partial Cholesky decomposition with pivots.
func diverse(pool []Model, s *Space, network func(i int) []uint8, candidates []int, n int) []int {
	// Weights of a row: the constant, a device, a setting, and noise.
	const constant, setting, noise = 3, 0.02, 0.05
	width := 1 + len(pool) + s.total
	rows := make([][]float64, len(candidates))
	middle := make([]float64, len(pool))
	for i, c := range candidates {
		rows[i] = make([]float64, width)
		rows[i][0] = constant
		for k, p := range pool {
			v := logOf(p, network(c))
			rows[i][1+k] = v
			middle[k] += v / float64(len(candidates))
		}
		for p, v := range network(c) {
			rows[i][1+len(pool)+s.at[p]+int(v)] = setting
		}
	}
	for _, row := range rows {
		for k, m := range middle {
			row[1+k] -= m
		}
	}
	out := make([]int, 0, n)
	taken := make([]bool, len(rows))
	for len(out) < n {
		pick, most := -1, -1.0
		for i, row := range rows {
			size := 0.0
			for _, v := range row {
				size += float64(v * v)
			}
			if !taken[i] && size > most {
				pick, most = i, size
			}
		}
		taken[pick] = true
		out = append(out, candidates[pick])
		by := slices.Clone(rows[pick])
		for _, row := range rows {
			along := 0.0
			for k, v := range row {
				along += float64(v * by[k])
			}
			along /= most + noise*noise
			for k, v := range by {
				row[k] -= float64(along * v)
			}
		}
	}
	return out
}
