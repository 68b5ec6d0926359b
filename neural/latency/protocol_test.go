package latency

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// A machine is simulated: its clocks go on when something runs on it.
type machine struct {
	r          *rand.Rand
	wall, busy float64                  // seconds so far
	speed      func(at float64) float64 // by which times are multiplied at a moment
	noise      func(r *rand.Rand) float64
	at         []float64                                // when runs of the first target began
	taken      func(r *rand.Rand, took float64) float64 // seconds that others take from a run
}

func (m *machine) clock() Clock {
	return Clock{
		Wall: func() time.Duration { return time.Duration(1e9 * m.wall) },
		Busy: func() time.Duration { return time.Duration(1e9 * m.busy) },
	}
}

// draw is the processor time of a run that takes so much at a moment.
func (m *machine) draw(seconds, at float64) float64 {
	if m.speed != nil {
		seconds *= m.speed(at)
	}
	return seconds * m.noise(m.r)
}

func (m *machine) target(name string, seconds float64) Target {
	return Target{name, func() error {
		m.at = append(m.at, m.wall)
		took := m.draw(seconds, m.wall)
		m.busy += took
		m.wall += took
		if m.taken != nil {
			m.wall += m.taken(m.r, took)
		}
		return nil
	}}
}

// median is the median of a run at some moments.
func (m *machine) median(seconds float64, at []float64) float64 {
	x := make([]float64, max(4000, len(at)))
	for i := range x {
		x[i] = m.draw(seconds, at[i*len(at)/len(x)])
	}
	slices.Sort(x)
	return quantile(x, 0.5)
}

func jitter(deviation float64) func(r *rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return math.Exp(deviation * rng.Norm(r)) }
}

// machines are what happens on real ones.
var machines = map[string]func(r *rand.Rand) *machine{
	"quiet": func(r *rand.Rand) *machine { return &machine{r: r, noise: jitter(0.01)} },
	// one run in six is disturbed: interrupts, page faults, a neighbour that empties the cache
	"spikes": func(r *rand.Rand) *machine {
		return &machine{r: r, noise: func(r *rand.Rand) float64 {
			x := math.Exp(0.02 * rng.Norm(r))
			if r.IntN(6) == 0 {
				x *= 1 + r.ExpFloat64()*3
			}
			return x
		}}
	},
	// the processor gets warm and slows down by a third
	"drift": func(r *rand.Rand) *machine {
		return &machine{r: r, noise: jitter(0.03), speed: func(at float64) float64 { return 1 + math.Min(at/20, 1)/3 }}
	},
	// and it swings, as with a fan
	"swing": func(r *rand.Rand) *machine {
		return &machine{r: r, noise: jitter(0.02), speed: func(at float64) float64 { return 1 + 0.05*math.Sin(at*7) }}
	},
	// two frequencies, of which a third of the time the slower one, a while each
	"bimodal": func(r *rand.Rand) *machine {
		seed := r.Uint64()
		return &machine{r: r, noise: jitter(0.01), speed: func(at float64) float64 {
			if rng.New(seed, "frequency", uint64(at*25)).IntN(3) == 0 {
				return 1.4
			}
			return 1
		}}
	},
	// another program takes every second slice of 4 ms
	"shared": func(r *rand.Rand) *machine {
		return &machine{r: r, noise: jitter(0.015), taken: func(r *rand.Rand, took float64) (s float64) {
			for n := took/0.004 + r.Float64(); n >= 1; n-- {
				s += 0.004
			}
			return s
		}}
	},
}

// On whatever machine the interval has the median in it as often as it says, and a
// network that settled is within the precision.
func TestIntervalsHold(t *testing.T) {
	trials := 30
	if testing.Short() {
		trials = 8
	}
	for name, make := range machines {
		for _, precision := range []float64{0.02, 0.005} {
			t.Run(fmt.Sprint(name, precision), func(t *testing.T) {
				t.Parallel()
				seconds := []float64{0.00003, 0.0005, 0.003, 0.03}
				held, inside, settled, all := 0, 0, 0, 0
				for trial := range trials {
					r := rng.New(uint64(trial), "latency/machine/"+name, 0)
					m := make(r)
					var targets []Target
					for k, s := range seconds {
						targets = append(targets, m.target(fmt.Sprint("net", k), s))
					}
					p := Protocol{Precision: precision, Budget: 5 * time.Second, MaxSamples: 400, Seed: uint64(trial), Clock: m.clock(), Sample: 1} // samples of one run: the truth is known
					report, err := p.Measure(t.Context(), m.target("reference", 0.001), targets...)
					if err != nil {
						t.Fatal(err)
					}
					at := m.at[len(m.at)-2*(len(targets)+1)*report.Results[0].Samples:] // in the rounds
					for k, x := range report.Results {
						truth := 1e3 * m.median(seconds[k], at)
						all++
						if x.LowMS <= truth && truth <= x.HighMS {
							held++
						}
						if x.Settled {
							settled++
							if math.Abs(x.MedianMS-truth) <= precision*truth {
								inside++
							}
						}
						if !(x.MinMS <= x.LowMS && x.LowMS <= x.MedianMS && x.MedianMS <= x.HighMS && x.MedianMS <= x.P90MS) {
							t.Fatalf("not in order: %+v", x)
						}
					}
				}
				// three deviations below the confidence, for the trials are few
				least := 0.95 - 3*math.Sqrt(0.95*0.05/float64(all))
				if share := float64(held) / float64(all); share < least {
					t.Errorf("%d of %d intervals hold, want %.3f", held, all, least)
				}
				if share := float64(inside) / float64(settled); settled > 0 && share < 0.95-3*math.Sqrt(0.95*0.05/float64(settled)) {
					t.Errorf("%d of %d that settled are within ±%g", inside, settled, precision)
				}
				t.Logf("%d of %d intervals hold; %d settled, %d of these within ±%g", held, all, settled, inside, precision)
			})
		}
	}
}

// A machine that is too noisy is said to be, and why; a quiet one is not.
func TestNoiseIsJudged(t *testing.T) {
	for name, c := range map[string]struct {
		machine   string
		budget    time.Duration
		precision float64
		want      string // in the noise; empty: none
	}{
		"quiet":            {"quiet", 5 * time.Second, 0.02, ""},
		"spikes":           {"spikes", 5 * time.Second, 0.02, ""},
		"drift":            {"drift", 10 * time.Second, 0.005, "slower by"},
		"shared":           {"shared", 5 * time.Second, 0.02, "% of the processor's time"},
		"two speeds":       {"bimodal", 1500 * time.Millisecond, 0.001, `2 of 2 did not come within ±0.1% in time: "a", "b"`},
		"too little time":  {"spikes", time.Nanosecond, 0.001, "2 of 2 did not come within"},
		"coarse precision": {"drift", time.Second, 0.5, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := machines[c.machine](rng.New(1, "latency/noise", 0))
			p := Protocol{Precision: c.precision, Budget: c.budget, Clock: m.clock()}
			report, err := p.Measure(t.Context(), m.target("reference", 0.002), m.target("a", 0.004), m.target("b", 0.010))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(report.Noise, "; "); !strings.Contains(got, c.want) || c.want == "" && got != "" {
				t.Errorf("noise %q, want %q", got, c.want)
			}
			t.Logf("%+v", report)
		})
	}
}

// What others take is not counted where the clock of the thread says so, and is
// where there is none or several threads run.
func TestWhatOthersTake(t *testing.T) {
	for name, c := range map[string]struct {
		threads int
		busy    bool
		clock   string
		low     float64
		high    float64
	}{
		"thread":  {1, true, "thread", 19.5, 20.5},
		"wall":    {1, false, "wall", 36, 44},
		"threads": {2, true, "wall", 36, 44},
	} {
		t.Run(name, func(t *testing.T) {
			m := machines["shared"](rng.New(1, "latency/others", 0))
			clock := m.clock()
			if !c.busy {
				clock.Busy = nil
			}
			report, err := Protocol{Clock: clock, Threads: c.threads}.Measure(t.Context(), Target{}, m.target("a", 0.020))
			if err != nil {
				t.Fatal(err)
			}
			r := report.Results[0]
			if report.Clock != c.clock || r.MedianMS < c.low || r.MedianMS > c.high || r.WallMS < 36 {
				t.Errorf("clock %s, median %.3g and wall %.3g ms, want %s, %g to %g, and 40", report.Clock, r.MedianMS, r.WallMS, c.clock, c.low, c.high)
			}
		})
	}
}

// Networks take turns: a machine that slows down in the middle slows all alike.
func TestTurns(t *testing.T) {
	m := &machine{r: rng.New(1, "latency/turns", 0), noise: jitter(0.001)}
	m.speed = func(at float64) float64 {
		if at > 4 {
			return 2
		}
		return 1
	}
	var order []string
	var targets []Target
	for _, name := range []string{"a", "b", "c"} {
		x := m.target(name, 0.005)
		targets = append(targets, Target{name, func() error {
			order = append(order, name)
			return x.Run()
		}})
	}
	p := Protocol{Clock: m.clock(), Precision: 1e-9, Budget: 8 * time.Second / 3, MaxSamples: 1000}
	report, err := p.Measure(t.Context(), Target{}, targets...)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results[1:] {
		if a := report.Results[0]; r.Samples != a.Samples || math.Abs(r.P90MS/a.P90MS-1) > 0.01 || math.Abs(r.MinMS/a.MinMS-1) > 0.01 {
			t.Errorf("%+v differs from %+v", r, a)
		}
	}
	firsts := map[string]int{}
	rounds := order[len(order)-600:]
	for i := 0; i < len(rounds); i += 6 { // a round is three visits of two runs
		if rounds[i] != rounds[i+1] || rounds[i] == rounds[i+2] {
			t.Fatalf("no visits of two runs each: %v", rounds[i:i+6])
		}
		firsts[rounds[i]]++
	}
	for name, n := range firsts {
		if n < 15 || n > 55 {
			t.Errorf("%s is first in %d of 100 rounds", name, n)
		}
	}
	if p.Seed = 1; len(order) > 0 {
		before := slices.Clone(order)
		order = order[:0]
		m.wall, m.busy = 0, 0
		if _, err := p.Measure(t.Context(), Target{}, targets...); err != nil {
			t.Fatal(err)
		}
		if slices.Equal(before[len(before)-600:], order[len(order)-600:]) {
			t.Error("another seed gives the same order")
		}
	}
}

func TestShortRunsAreCountedTogether(t *testing.T) {
	m := machines["quiet"](rng.New(1, "latency/short", 0))
	report, err := Protocol{Clock: m.clock(), Sample: time.Millisecond}.Measure(t.Context(), Target{}, m.target("short", 1e-5), m.target("long", 0.002))
	if err != nil {
		t.Fatal(err)
	}
	if short, long := report.Results[0].Runs, report.Results[1].Runs; short < 95 || short > 110 || long != 1 {
		t.Errorf("samples of %d and %d runs, want about 100 and 1", short, long)
	}
}

func TestMeasureMistakes(t *testing.T) {
	m := machines["quiet"](rng.New(1, "latency/mistakes", 0))
	broken := errors.New("broken")
	ctx, cancel := context.WithCancel(t.Context())
	runs := 0
	for want, c := range map[string]struct {
		p      Protocol
		target Target
	}{
		"precision: found -1": {Protocol{Precision: -1}, m.target("a", 1)},
		"confidence: found 2": {Protocol{Confidence: 2}, m.target("a", 1)},
		"no negative times":   {Protocol{Budget: -1}, m.target("a", 1)},
		"want at least 6, without which there is no interval of confidence 0.95": {Protocol{MaxSamples: 2}, m.target("a", 1)},
		`target "a" has no function`: {Protocol{}, Target{Name: "a"}},
		`running "a": broken`:        {Protocol{}, Target{"a", func() error { return broken }}},
		`measuring "stopped": ` + "context canceled": {Protocol{}, Target{"stopped", func() error {
			if runs++; runs == 20 {
				cancel()
			}
			m.wall, m.busy = m.wall+0.01, m.busy+0.01
			return nil
		}}},
	} {
		c.p.Clock = m.clock()
		report, err := c.p.Measure(ctx, Target{}, c.target)
		if err == nil || !strings.Contains(err.Error(), want) || len(report.Results) > 0 {
			t.Errorf("%v with %d results does not say %q", err, len(report.Results), want)
		}
		if strings.Contains(want, "canceled") {
			if !errors.Is(err, context.Canceled) || runs != 20 {
				t.Errorf("%v after %d runs", err, runs)
			}
			ctx = t.Context()
		}
	}
	if report, err := (Protocol{Clock: m.clock()}).Measure(ctx, Target{}); err != nil || len(report.Results) > 0 || len(report.Noise) > 0 {
		t.Errorf("nothing to measure: %+v, %v", report, err)
	}
}

// The ranks of the interval are those of the binomial distribution.
func TestOrderStatistic(t *testing.T) {
	for _, c := range []struct {
		n          int
		confidence float64
		want       int
	}{ // tables of the sign test; Conover 1999, table A3
		{5, 0.95, 0}, {6, 0.95, 1}, {8, 0.95, 1}, {9, 0.95, 2}, {10, 0.95, 2}, {20, 0.95, 6}, {30, 0.95, 10}, {50, 0.95, 18}, {100, 0.95, 40},
		{7, 0.99, 0}, {8, 0.99, 1}, {20, 0.99, 4}, {4, 0.9, 0}, {5, 0.9, 1}, {1, 0.5, 0}, {2, 0.5, 1},
	} {
		if got := orderStatistic(c.n, c.confidence); got != c.want {
			t.Errorf("n=%d at %g: %d, want %d", c.n, c.confidence, got, c.want)
		}
	}
	for n := 1; n < 300; n++ { // against sums in exact halves
		p := 1.0
		for range n {
			p /= 2
		}
		below, want := 0.0, 0
		for k := 0; below+p <= 0.025; k++ {
			below += p
			want = k + 1
			p *= float64(n-k) / float64(k+1)
		}
		if got := orderStatistic(n, 0.95); got != want {
			t.Fatalf("n=%d: %d, want %d", n, got, want)
		}
	}
	// the normal approximation, far out
	if got, want := orderStatistic(100_000, 0.95), 50_000-310; got < want-2 || got > want+2 {
		t.Errorf("n=100000: %d, want about %d", got, want)
	}
}

// The clocks of this machine agree while a thread computes, and the thread's stands
// still while it sleeps.
func TestSystemClock(t *testing.T) {
	c := SystemClock()
	if c.Busy == nil {
		t.Skip("nobody counts the processor time of threads here")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		_, restore := pin(c.Wall)
		defer restore()
		busy, wall := c.Busy(), c.Wall()
		time.Sleep(50 * time.Millisecond)
		if busy, wall = c.Busy()-busy, c.Wall()-wall; busy > wall/2 || wall < 50*time.Millisecond {
			t.Errorf("%v busy in %v asleep", busy, wall)
		}
		busy, wall = c.Busy(), c.Wall()
		for c.Wall()-wall < 50*time.Millisecond {
			sink.Add(spin())
		}
		if busy, wall = c.Busy()-busy, c.Wall()-wall; busy <= 0 || busy > wall+time.Millisecond {
			t.Errorf("%v busy in %v at work", busy, wall)
		}
	}()
	<-done
}
