package device

import (
	"fmt"
	"math"
)

// Additive is a look-up table: a base and a number for each setting of each
// place, which are added. With Log it is the logarithm of the latency that they
// add up to, so that each setting is a factor.
type Additive struct {
	space  *Space
	device string
	Base   float64
	// Worth holds what each setting adds, place after place, in milliseconds, or
	// with Log in natural logarithms of them. Over the measured networks, the
	// mean of a place is 0.
	Worth []float64
	Log   bool
}

// Space returns the space of the model.
func (m *Additive) Space() *Space { return m.space }

// Device returns the device of the model.
func (m *Additive) Device() string { return m.device }

// LatencyMS adds up a network.
func (m *Additive) LatencyMS(x []uint8) float64 {
	s := m.Sum(x)
	if m.Log {
		return exp(s)
	}
	return max(s, leastMS)
}

// Sum returns the base and what the settings add.
func (m *Additive) Sum(x []uint8) float64 {
	at := m.space.at[:len(x)]
	s := m.Base
	for i, v := range x {
		s += m.Worth[at[i]+int(v)]
	}
	return s
}

// NewAdditive makes a model of known numbers, such as a published table.
func NewAdditive(s *Space, device string, base float64, worth []float64, logarithm bool) (*Additive, error) {
	if len(worth) != s.total {
		return nil, fmt.Errorf("device: %s: %d numbers for the settings of %s, want %d", device, len(worth), s.name, s.total)
	}
	sum := base
	for _, v := range worth {
		sum += math.Abs(v)
	}
	if sum-sum != 0 {
		return nil, fmt.Errorf("device: %s: the numbers of the table or their sum are not finite", device)
	}
	return &Additive{s, device, base, append([]float64(nil), worth...), logarithm}, nil
}

// AdditiveOptions say how a sum is fitted to measured networks, by least squares.
// The zero value is ready to use.
type AdditiveOptions struct {
	Ridge       float64 `yaml:"ridge" default:"1" min:">0" doc:"penalty of squared numbers, in networks"`             // 0 means 1
	Log         bool    `yaml:"log" doc:"fit the logarithm of the latency: settings are factors"`                     // relative errors count alike
	Robust      bool    `yaml:"robust" doc:"weigh outliers down, where a device was busy with something else"`        // Huber's weights
	NonNegative bool    `yaml:"non_negative" doc:"no setting takes less than none: the base and all numbers are ≥ 0"` // the mean of a place is then not 0
}

// huber is where residuals begin to count less, in standard deviations: 95 %
// efficient for normal errors (Huber 1964).
const huber = 1.345

// Fit fits a sum.
func (o AdditiveOptions) Fit(t Timings) (*Additive, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	if !(o.Ridge >= 0 && o.Ridge <= math.MaxFloat64) {
		return nil, fmt.Errorf("device: additive: ridge: found %v, want a positive number, or 0 for 1", o.Ridge)
	}
	if o.NonNegative && o.Log {
		return nil, fmt.Errorf("device: additive: non_negative and log: logarithms of milliseconds may be negative; want one or the other")
	}
	ridge := o.Ridge
	if ridge == 0 {
		ridge = 1
	}
	n := len(t.MS)
	y := make([]float64, n)
	for i, v := range t.MS {
		y[i] = v
		if o.Log {
			y[i] = log(v)
		}
	}
	m := &Additive{space: t.Space, device: t.Device, Log: o.Log}
	weight := make([]float64, n)
	for i := range weight {
		weight[i] = 1
	}
	rounds := 1
	if o.Robust {
		rounds = 15
	}
	for range rounds {
		m.solve(t, y, weight, ridge, o.NonNegative)
		if !o.Robust {
			break
		}
		off := make([]float64, n)
		for i := range off {
			off[i] = math.Abs(y[i] - m.Sum(t.Network(i)))
		}
		knee := huber * 1.4826 * median(off) // 1.4826: of the median to the standard deviation of a normal
		for i, r := range off {
			weight[i] = 1
			if r > knee {
				weight[i] = max(knee, 1e-12) / max(r, 1e-12)
			}
		}
	}
	return m, nil
}

// solve fits base and numbers by weighted least squares.
func (m *Additive) solve(t Timings, y, weight []float64, ridge float64, nonnegative bool) {
	k := t.Space.total
	a := make([]float64, (k+1)*(k+1)) // XᵀWX, the base last
	b := make([]float64, k+1)
	on := make([]int, len(t.Space.places)+1)
	for i := range y {
		for p, v := range t.Network(i) {
			on[p] = t.Space.at[p] + int(v)
		}
		on[len(on)-1] = k
		w := weight[i]
		for _, p := range on {
			row := a[p*(k+1) : (p+1)*(k+1)]
			for _, q := range on {
				row[q] += w
			}
			b[p] += float64(w * y[i])
		}
	}
	count := a[k*(k+1) : k*(k+1)+k] // of each setting
	if nonnegative {
		coefficients := nonNegative(a, b, ridge)
		m.Base, m.Worth = coefficients[k], coefficients[:k:k]
		return
	}
	for p := range k {
		a[p*(k+1)+p] += ridge
	}
	solved := solvePositive(a, b)
	m.Base, m.Worth = solved[k], solved[:k:k]
	// The settings of a place and the base can move against each other.
	for p, place := range t.Space.places {
		at := t.Space.at[p]
		mean, total := 0.0, 0.0
		for s := range place.Settings {
			mean += float64(count[at+s] * m.Worth[at+s])
			total += count[at+s]
		}
		mean /= total
		for s := range place.Settings {
			m.Worth[at+s] -= mean
		}
		m.Base += mean
	}
}
