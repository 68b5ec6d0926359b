package train

import (
	"math"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// schedules say what share of the learning rate is left at a time from 0 to 1.
var schedules = []struct {
	name string
	at   func(t float64) float64
}{
	{"constant", func(float64) float64 { return 1 }},
	// Loshchilov and Hutter 2017, equation 5, without restarts and with a minimum of 0.
	{"cosine", cosine},
	{"linear", func(t float64) float64 { return 1 - t }},
	// He et al. 2016, section 4.2: divided by 10 after 32,000 and 48,000 of 64,000 steps.
	{"step", func(t float64) float64 {
		switch {
		case t < 0.5:
			return 1
		case t < 0.75:
			return 0.1
		}
		return 0.01
	}},
	// Tan and Le 2019, section 5.2: times 0.97 every 2.4 of 350 epochs, here without
	// stairs; Yu et al. 2020 (BigNAS), section 3: no less than a twentieth. That is
	// reached after log(0.05)/log(0.97)·2.4/350 = 67 % of the training.
	{"exponential", func(t float64) float64 { return max(0.05, detmath.Exp(float64(logRatio*t))) }},
}

// logRatio is log(0.97)·350/2.4.
const logRatio = -0.030459207484708574 * 350 / 2.4

func scheduleNames() (names []string) {
	for _, s := range schedules {
		names = append(names, s.name)
	}
	return names
}

// Rate returns the learning rate of a step, counted from 0, of a filled recipe. In the
// warm-up it rises in a line to the largest (Goyal et al. 2017, section 2.2), then it
// falls by the schedule, which the warm-up shortens.
func (r Recipe) Rate(step int64, l Length) float64 {
	warm := min(int64(math.Round(r.Warmup*float64(l.PerEpoch))), l.Steps)
	if step < warm {
		return r.LearningRate * (float64(step+1) / float64(warm))
	}
	t := 0.0
	if rest := l.Steps - warm; rest > 0 {
		t = float64(min(step-warm, rest)) / float64(rest)
	}
	for _, s := range schedules {
		if s.name == r.Schedule {
			return r.LearningRate * s.at(t)
		}
	}
	return r.LearningRate
}

// Drop returns what the network's rates of dropout and drop-path are multiplied with
// at a step: 1, or with a ramp the share of the training that is over, as
// ScheduledDropPath does (Zoph et al. 2018, section 3).
func (r Recipe) Drop(step int64, l Length) float64 {
	if !r.DropRamp {
		return 1
	}
	return float64(step) / float64(l.Steps)
}

// cosine returns (1 + cos(π·t))/2 of t from 0 to 1 with the same bits everywhere, as
// 1 − sin²(π·t/2) or, in the second half, sin²(π·(1−t)/2). The first term of the sine's
// series that is left out is below 5e-17.
func cosine(t float64) float64 {
	x := math.Pi / 2 * min(t, 1-t)
	square := x * x
	term, sine := x, x
	for k := 2.0; k <= 14; k += 2 {
		term = -float64(term*square) / (k * (k + 1))
		sine += term
	}
	if t < 0.5 {
		return 1 - float64(sine*sine)
	}
	return sine * sine
}
