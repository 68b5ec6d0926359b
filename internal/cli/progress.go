package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/store"
	"github.com/daedalus-search/daedalus/study"
)

// progress shows a running study: as one live line on a terminal, as a line
// every few seconds elsewhere, and with -v as a line a trial.
type progress struct {
	name    string
	goal    metric.Goal
	metrics []metric.Metric
	budget  study.Budget
	verbose bool
	live    *term.Live
	done    chan struct{}
	wg      sync.WaitGroup

	mu     sync.Mutex
	last   study.Progress
	begun  time.Time
	before int64 // evaluations of earlier runs
	recent []mark
	front  metric.Front[struct{}]
	ref    []float64 // reference point of the hypervolume, fixed by the first results
	seen   map[int64]bool
	warned bool
}

// A mark is how far the study was at some moment.
type mark struct {
	at time.Time
	n  int64
}

const (
	liveEvery  = 100 * time.Millisecond
	plainAfter = 2 * time.Second
	plainEvery = 5 * time.Second
	rateWindow = 15 * time.Second
	refAfter   = 10 // members that fix the reference point
)

func newProgress(w io.Writer, cfg study.Config, verbose bool) *progress {
	return &progress{
		name: cfg.Name, goal: cfg.Goal, metrics: cfg.Problem.Metrics(), budget: cfg.Budget, verbose: verbose,
		live: term.NewLive(w), done: make(chan struct{}), seen: map[int64]bool{},
	}
}

// start begins to show. p is how the study stands, members its front.
func (g *progress) start(p study.Progress, members []study.Member) {
	g.begun, g.before, g.last = time.Now(), p.Evaluated, p
	g.recent = []mark{{g.begun, p.Evaluated}}
	for _, m := range members {
		g.front.Add(m.Score, struct{}{})
	}
	g.wg.Go(func() {
		every, first := plainEvery, plainAfter
		if g.live.On() {
			every, first = liveEvery, liveEvery
		}
		timer := time.NewTimer(first)
		defer timer.Stop()
		for {
			select {
			case <-g.done:
				return
			case now := <-timer.C:
				timer.Reset(every)
				line := g.line(now)
				if g.live.On() {
					g.live.Set(line)
				} else {
					g.live.Print(line)
				}
			}
		}
	})
}

func (g *progress) stop() {
	close(g.done)
	g.wg.Wait()
	g.live.Clear()
}

// observe is called by the study after each finished trial.
func (g *progress) observe(p study.Progress) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = p
	if !g.warned && p.Tries >= 200 && 2*p.Rejected > p.Tries {
		g.warned = true
		g.live.Print(rejectionText(p))
	}
}

func rejectionText(p study.Progress) string {
	return fmt.Sprintf("warning: %s of the designs drawn were rejected by constraints (%s of %s); state them over fewer parameters, or narrow the ranges",
		term.Percent(float64(p.Rejected)/float64(p.Tries)), term.Int(p.Rejected), term.Int(p.Tries))
}

// saved is called with trials that have just become durable.
func (g *progress) saved(trials []store.Trial) {
	g.mu.Lock()
	var lines []string
	for i := range trials {
		t := &trials[i]
		if !t.State.Done() {
			continue
		}
		if t.State == store.Complete && len(t.Loss) > 0 {
			g.front.Add(metric.Score{Loss: t.Loss, Violation: t.Violation}, struct{}{})
		}
		if g.verbose && !g.seen[t.Number] {
			g.seen[t.Number] = true
			lines = append(lines, g.trialLine(t))
		}
	}
	g.mu.Unlock()
	for _, l := range lines {
		g.live.Print(l)
	}
}

// trialLine is what -v prints of a trial.
func (g *progress) trialLine(t *store.Trial) string {
	var b strings.Builder
	fmt.Fprintf(&b, "trial %d %s", t.Number, t.State)
	for _, m := range g.metrics {
		if x, ok := t.Values[m.Name]; ok {
			fmt.Fprintf(&b, "  %s %s", m.Name, withUnit(term.Number(x), m.Unit))
		}
	}
	if t.Partial() {
		fmt.Fprintf(&b, "  with %s of the effort", term.Percent(t.Fidelity))
	}
	if t.Violation > 0 {
		b.WriteString("  (misses a limit)")
	}
	if t.Seconds >= 0.001 {
		fmt.Fprintf(&b, "  in %s", term.Duration(time.Duration(t.Seconds*float64(time.Second))))
	}
	if t.Operator != "" {
		fmt.Fprintf(&b, "  by %s", t.Operator)
	}
	if t.Error != "" {
		fmt.Fprintf(&b, "  %s", term.Cut(strings.TrimSpace(t.Error), 200))
	}
	return b.String()
}

func withUnit(number, unit string) string {
	if unit == "" {
		return number
	}
	return number + " " + unit
}

// line is the line of progress.
func (g *progress) line(now time.Time) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.last
	g.recent = append(g.recent, mark{now, p.Evaluated})
	for len(g.recent) > 2 && now.Sub(g.recent[0].at) > rateWindow {
		g.recent = g.recent[1:]
	}
	first := g.recent[0]
	rate := 0.0
	if d := now.Sub(first.at).Seconds(); d > 0 {
		rate = float64(p.Evaluated-first.n) / d
	}
	words := []string{g.name}
	switch {
	case p.Budget > 0:
		words = append(words, fmt.Sprintf("%s/%s trials", term.Int(p.Evaluated), term.Int(p.Budget)))
	default:
		words = append(words, term.Plural(p.Evaluated, "trial"))
	}
	switch {
	case p.FrontSize == 0 && p.Partial > 0:
		words = append(words, "none measured in full yet")
	case p.FrontSize == 0:
	case !p.Feasible:
		words = append(words, "none within the limits yet")
	case len(g.goal.Objectives) == 1:
		name := g.goal.Objectives[0].Metric
		for _, m := range g.metrics {
			if m.Name == name {
				words = append(words, "best "+name+" "+withUnit(term.Number(p.Best[name]), m.Unit))
			}
		}
	default:
		words = append(words, fmt.Sprintf("front %d", p.FrontSize))
		if hv, ok := g.hypervolume(); ok {
			words = append(words, fmt.Sprintf("hv %.3f", hv))
		}
	}
	if p.SinceGain >= 10 && p.Feasible {
		words = append(words, fmt.Sprintf("last gain %s ago", term.Plural(p.SinceGain, "trial")))
	}
	words = append(words, term.Rate(rate))
	if eta, ok := g.eta(now, p, rate); ok {
		words = append(words, "eta "+term.Duration(eta))
	}
	if n := p.Counts[store.Failed]; n > 0 {
		words = append(words, fmt.Sprintf("%s failed", term.Int(n)))
	}
	if n := p.Counts[store.Infeasible]; n > 0 {
		words = append(words, fmt.Sprintf("%s infeasible", term.Int(n)))
	}
	if n := p.Counts[store.Pruned]; n > 0 {
		words = append(words, fmt.Sprintf("%s pruned", term.Int(n)))
	}
	if p.Tries > 0 && p.Rejected > 0 {
		words = append(words, term.Percent(float64(p.Rejected)/float64(p.Tries))+" rejected")
	}
	return strings.Join(words, "  ")
}

// hypervolume is the share of the box between the front's best values and a
// reference point, set by the first results, that the front dominates. It
// rises towards 1 as the front fills that box.
func (g *progress) hypervolume() (float64, bool) {
	const most = 2000 // beyond, and with more than three objectives, too slow for a display
	m := len(g.goal.Objectives)
	if m < 2 || m > 3 || g.front.Len() > most || !g.front.Feasible() {
		return 0, false
	}
	points := make([]float64, 0, g.front.Len()*m)
	for s := range g.front.All() {
		points = append(points, s.Loss...)
	}
	if g.ref == nil {
		if g.front.Len() < refAfter && g.last.Evaluated < 5*refAfter {
			return 0, false
		}
		g.ref = metric.ReferencePoint(points, m)
	}
	box := 1.0
	for k := range m {
		best := math.Inf(1)
		for i := k; i < len(points); i += m {
			best = min(best, points[i])
		}
		box *= g.ref[k] - best
	}
	hv := metric.Hypervolume(points, m, g.ref) / box
	return hv, box > 0 && !math.IsNaN(hv) && !math.IsInf(hv, 0)
}

// eta is when the first budget will be spent.
func (g *progress) eta(now time.Time, p study.Progress, rate float64) (time.Duration, bool) {
	var etas []time.Duration
	if p.Budget > 0 && rate > 0 {
		if s := float64(p.Budget-p.Evaluated) / rate; s < 1e9 {
			etas = append(etas, time.Duration(s*float64(time.Second)))
		}
	}
	if g.budget.Time > 0 {
		// p.Elapsed was taken at the last trial.
		etas = append(etas, max(g.budget.Time-p.Elapsed, 0))
	}
	if len(etas) == 0 {
		return 0, false
	}
	return slices.Min(etas), true
}

// tapped is a store that tells of what was saved.
type tapped struct {
	store.Store
	saved func([]store.Trial)
}

func (s tapped) Save(ctx context.Context, trials ...store.Trial) error {
	if err := s.Store.Save(ctx, trials...); err != nil {
		return err
	}
	s.saved(trials)
	return nil
}
