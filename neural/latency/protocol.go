package latency

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// A Protocol is how times are measured on a machine that does other things too.
// The zero value is ready to use.
//
// Everything is measured on one thread that is pinned to one processor, where the
// system can do that, and with one thread the time is the processor time that it
// took, where the system counts it: what others take is not the network's. Garbage
// collection is off. After a warm-up the networks take turns: a round visits each
// once, in random order, so that what happens to the machine happens to all. A visit
// is a run that is not timed, for another network's data is in the cache, and a
// sample, which is the mean of so many runs that it lasts a while. The rounds end
// when the intervals of all medians are narrow enough at once, or the time is up.
//
// The interval is that of order statistics (David and Nagaraja 2003, section 7.1),
// which assumes nothing of how times are distributed. It holds for the median over
// the rounds, also when the machine's speed changes meanwhile: the number of samples
// below a number is less uncertain than binomial if their distributions differ
// (Hoeffding 1956). That it is looked at several times costs little, since how wide it is says
// little on where it is (Chow and Robbins 1965); tests simulate it.
type Protocol struct {
	Precision  float64       // half of the interval, as a share of the median, that is narrow enough; 0 means 0.02
	Confidence float64       // of the interval; 0 means 0.95
	Budget     time.Duration // for each network; they share what they have together. 0 means a second. A few samples of each are taken anyway
	MaxSamples int           // of each network; 0 means 2,000
	Warmup     time.Duration // of each network; 0 means 20 ms
	Sample     time.Duration // that a sample lasts at least; 0 means 100 µs
	Threads    int           // that a network runs on; 0 means 1. With more, time is what passes, and nothing is pinned
	Seed       uint64        // of the order in the rounds
	Clock      Clock         // the zero Clock means [SystemClock]; by another, nothing is pinned

	pin bool
}

// A Clock tells time. Its functions return how much has passed since some moment.
type Clock struct {
	Wall func() time.Duration // time
	Busy func() time.Duration // time in which the calling thread was running; nil if nobody counts it
}

// A Target is something whose time is measured.
type Target struct {
	Name string
	Run  func() error
}

// A Result is what was measured of a target.
type Result struct {
	Name     string  `json:"name"`
	MinMS    float64 `json:"min_ms"`
	MedianMS float64 `json:"median_ms"`
	P90MS    float64 `json:"p90_ms"`
	LowMS    float64 `json:"low_ms"`  // of the interval of the median
	HighMS   float64 `json:"high_ms"` // of the interval of the median
	WallMS   float64 `json:"wall_ms"` // median of the time that passed
	Samples  int     `json:"samples"`
	Runs     int     `json:"runs"`    // in each sample
	Settled  bool    `json:"settled"` // the interval is as narrow as was asked for
}

// Error returns how far the median may be off, as a share of it.
func (r Result) Error() float64 { return max(r.HighMS-r.MedianMS, r.MedianMS-r.LowMS) / r.MedianMS }

// A Report is what was measured.
type Report struct {
	Results   []Result `json:"results"`   // in the order of the targets
	Reference Result   `json:"reference"` // if there was one
	Drift     float64  `json:"drift"`     // of the reference from the first to the last third, as a share
	Stolen    float64  `json:"stolen"`    // share of the time that others took from the thread
	Processor int      `json:"processor"` // that the thread was pinned to; −1: none
	Clock     string   `json:"clock"`     // "thread": processor time of the thread; "wall": what passed
	Noise     []string `json:"noise"`     // why the machine was too noisy; empty if it was not
}

// maxDrift is the drift from which on a machine is too noisy, unless the precision
// asked for is coarser.
const maxDrift = 0.05

// maxStolen is the share of time taken by others from which on it is too noisy: they
// empty the caches too.
const maxStolen = 0.25

// growth is by how much samples grow between looks at the intervals.
const growth = 1.25

// alone is held by who measures: the collector is the process's.
var alone sync.Mutex

func (p Protocol) full(targets int) (Protocol, error) {
	set := func(d *time.Duration, zero time.Duration) {
		if *d == 0 {
			*d = zero
		}
	}
	set(&p.Budget, time.Second)
	set(&p.Warmup, 20*time.Millisecond)
	set(&p.Sample, 100*time.Microsecond)
	if p.Precision == 0 {
		p.Precision = 0.02
	}
	if p.Confidence == 0 {
		p.Confidence = 0.95
	}
	if p.MaxSamples == 0 {
		p.MaxSamples = 2000
	}
	if p.Threads == 0 {
		p.Threads = 1
	}
	if p.Clock.Wall == nil {
		p.Clock = SystemClock()
		p.pin = p.Threads == 1
	}
	if p.Threads > 1 {
		p.Clock.Busy = nil
	}
	var errs []error
	if !(p.Precision > 0 && p.Precision < 1) {
		errs = append(errs, fmt.Errorf("precision: found %g, want a share between 0 and 1", p.Precision))
	}
	if !(p.Confidence > 0 && p.Confidence < 1) {
		errs = append(errs, fmt.Errorf("confidence: found %g, want a share between 0 and 1", p.Confidence))
	}
	if p.Budget < 0 || p.Warmup < 0 || p.Sample < 0 {
		errs = append(errs, fmt.Errorf("found a budget of %v, a warm-up of %v and samples of %v, want no negative times", p.Budget, p.Warmup, p.Sample))
	}
	if least := fewest(p.Confidence); p.MaxSamples < least && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("max samples: found %d, want at least %d, without which there is no interval of confidence %g", p.MaxSamples, least, p.Confidence))
	}
	if p.Budget > math.MaxInt64/(4*time.Duration(max(targets, 1))) {
		errs = append(errs, fmt.Errorf("budget: found %v for each of %d, want less than 70 years together", p.Budget, targets))
	}
	return p, errors.Join(errs...)
}

// series is what is known of a target while it is measured.
type series struct {
	Target
	runs       int // in a sample
	time, wall []float64
}

// Measure measures how long targets take. The reference, if it has a function, is
// measured in every round too, to see whether the machine keeps its speed.
// An error of a target ends it, and so does the context.
func (p Protocol) Measure(ctx context.Context, reference Target, targets ...Target) (Report, error) {
	p, err := p.full(len(targets))
	if err != nil {
		return Report{}, fmt.Errorf("latency: %w", err)
	}
	all := make([]*series, 0, len(targets)+1)
	for _, t := range targets {
		if t.Run == nil {
			return Report{}, fmt.Errorf("latency: target %q has no function", t.Name)
		}
		all = append(all, &series{Target: t})
	}
	var ref *series
	if reference.Run != nil {
		ref = &series{Target: reference}
	}
	alone.Lock()
	defer alone.Unlock()
	var report Report
	finished := make(chan struct{})
	go func() { // on a thread of its own, which ends with it where the pin cannot be taken off
		defer close(finished)
		runtime.LockOSThread()
		report.Processor = -1
		if p.pin {
			processor, restore := pin(p.Clock.Wall)
			report.Processor = processor
			defer func() {
				if restore() == nil {
					runtime.UnlockOSThread()
				}
			}()
		} else {
			defer runtime.UnlockOSThread()
		}
		err = p.measure(ctx, ref, all)
	}()
	<-finished
	if err != nil {
		return Report{}, err
	}
	p.report(&report, ref, all)
	return report, nil
}

// measure takes the samples.
func (p Protocol) measure(ctx context.Context, ref *series, all []*series) error {
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	heap := newHeapWatch()
	every := slices.Clone(all)
	if ref != nil {
		every = append(every, ref)
	}
	for _, s := range every {
		if err := p.warm(ctx, s); err != nil {
			return err
		}
	}
	r := rng.New(p.Seed, "latency/rounds", 0)
	least := fewest(p.Confidence)
	look := max(10, least)
	end := p.Clock.Wall() + p.Budget*time.Duration(max(len(all), 1))
	for n := 1; ; n++ {
		heap.collect()
		if err := p.round(ctx, r, every); err != nil {
			return err
		}
		over := n >= least && p.Clock.Wall() >= end || n >= p.MaxSamples
		if n < look && !over {
			continue
		}
		look = int(math.Ceil(float64(n) * growth))
		if over || !slices.ContainsFunc(every, func(s *series) bool { return !p.result(s).Settled }) {
			return nil
		}
	}
}

// warm runs a target until it is warm, and finds how many runs make a sample.
func (p Protocol) warm(ctx context.Context, s *series) error {
	best := time.Duration(math.MaxInt64)
	start := p.Clock.Wall()
	for n := 0; n < 3 || p.Clock.Wall()-start < p.Warmup; n++ {
		t, _, err := p.sample(ctx, s, 1)
		if err != nil {
			return err
		}
		best = min(best, t)
	}
	s.runs = int(min(max(1, (p.Sample+best-1)/max(best, 1)), 1<<20))
	return nil
}

// sample returns the time of some runs, and what passed.
func (p Protocol) sample(ctx context.Context, s *series, runs int) (t, wall time.Duration, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, fmt.Errorf("latency: measuring %q: %w", s.Name, err)
	}
	wall = p.Clock.Wall()
	if p.Clock.Busy != nil {
		t = p.Clock.Busy()
	}
	for range runs {
		if err := s.Run(); err != nil {
			return 0, 0, fmt.Errorf("latency: running %q: %w", s.Name, err)
		}
	}
	if p.Clock.Busy == nil {
		wall = p.Clock.Wall() - wall
		return wall, wall, nil
	}
	t = p.Clock.Busy() - t
	return t, p.Clock.Wall() - wall, nil
}

// round visits all once.
func (p Protocol) round(ctx context.Context, r *rand.Rand, every []*series) error {
	r.Shuffle(len(every), func(i, j int) { every[i], every[j] = every[j], every[i] })
	for _, s := range every {
		if _, _, err := p.sample(ctx, s, 1); err != nil {
			return err
		}
		t, wall, err := p.sample(ctx, s, s.runs)
		if err != nil {
			return err
		}
		scale := 1e-6 / float64(s.runs)
		s.time, s.wall = append(s.time, float64(t)*scale), append(s.wall, float64(wall)*scale)
	}
	return nil
}

// heapWatch collects garbage between rounds when there is much of it.
type heapWatch struct{ live uint64 }

func newHeapWatch() *heapWatch { return &heapWatch{heapSize()} }

func heapSize() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

func (h *heapWatch) collect() {
	if heapSize() > 2*h.live+256<<20 {
		runtime.GC()
		h.live = heapSize()
	}
}

// result describes a target by its samples.
func (p Protocol) result(s *series) Result {
	t := slices.Sorted(slices.Values(s.time))
	r := Result{Name: s.Name, MinMS: t[0], MedianMS: quantile(t, 0.5), P90MS: quantile(t, 0.9), Samples: len(t), Runs: s.runs}
	r.LowMS, r.HighMS = t[0], t[len(t)-1]
	k := orderStatistic(len(t), p.Confidence)
	if k > 0 {
		r.LowMS, r.HighMS = t[k-1], t[len(t)-k]
	}
	r.WallMS = quantile(slices.Sorted(slices.Values(s.wall)), 0.5)
	r.Settled = k > 0 && r.MedianMS > 0 && r.Error() <= p.Precision
	return r
}

// report fills in the report.
func (p Protocol) report(to *Report, ref *series, all []*series) {
	to.Clock = "thread"
	if p.Clock.Busy == nil {
		to.Clock = "wall"
	}
	var open []string
	var passed, took float64
	for _, s := range all {
		r := p.result(s)
		to.Results = append(to.Results, r)
		if !r.Settled {
			open = append(open, fmt.Sprintf("%q", s.Name))
		}
		for i := range s.time {
			passed, took = passed+s.wall[i], took+s.time[i]
		}
	}
	if len(open) > 0 {
		to.Noise = append(to.Noise, fmt.Sprintf("%d of %d did not come within ±%.3g%% in time: %s", len(open), len(all), 100*p.Precision, some(open)))
	}
	if passed > 0 {
		to.Stolen = max(0, 1-took/passed)
	}
	if to.Stolen > maxStolen {
		to.Noise = append(to.Noise, fmt.Sprintf("others took %.0f%% of the processor's time", 100*to.Stolen))
	}
	if ref == nil {
		return
	}
	to.Reference = p.result(ref)
	if third := len(ref.time) / 3; third > 0 {
		first, last := slices.Clone(ref.time[:third]), slices.Clone(ref.time[len(ref.time)-third:])
		slices.Sort(first)
		slices.Sort(last)
		to.Drift = quantile(last, 0.5)/quantile(first, 0.5) - 1
	}
	if limit := max(maxDrift, p.Precision); math.Abs(to.Drift) > limit {
		to.Noise = append(to.Noise, fmt.Sprintf("the reference became slower by %.1f%% while it was measured, want at most ±%.1f%%", 100*to.Drift, 100*limit))
	}
}

// some joins the first of a list, each name once.
func some(names []string) string {
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > 4 {
		return strings.Join(names[:3], ", ") + fmt.Sprintf(" and %d more", len(names)-3)
	}
	return strings.Join(names, ", ")
}

// quantile interpolates between sorted numbers (Hyndman and Fan 1996, type 7).
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + float64((at-float64(i))*(sorted[i+1]-sorted[i]))
}

// orderStatistic returns the largest k such that the k-th smallest and the k-th
// largest of n samples have the median between them with some confidence, or 0:
// P(B < k) ≤ (1−confidence)/2 with B of the binomial distribution of n and 1/2.
func orderStatistic(n int, confidence float64) int {
	// weights are relative to that of the middle, so that none overflows
	weights := make([]float64, n/2+1)
	weights[n/2] = 1
	for i := n / 2; i > 0; i-- {
		weights[i-1] = weights[i] * float64(i) / float64(n-i+1)
	}
	total := 0.0
	for i, w := range weights {
		if total += w; n-i > n/2 { // and its mirror image
			total += w
		}
	}
	below := 0.0
	for k, w := range weights {
		if below += w / total; below > (1-confidence)/2 {
			return k
		}
	}
	return len(weights) - 1
}

// fewest returns the fewest samples that have an interval.
func fewest(confidence float64) int {
	n := 2
	for n < 1000 && orderStatistic(n, confidence) == 0 {
		n++
	}
	return n
}
