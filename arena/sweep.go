package arena

import (
	"slices"
)

// A LotteryView is the sweep of the searchers' own options on one problem.
type LotteryView struct {
	Problem *ProblemView
	Sweeps  []*Sweep
	Between float64 // range of the medians of the sweeps
	Wider   int     // sweeps whose own range is larger
}

// A Sweep is one searcher with many settings. Results are medians over seeds, as
// shown.
type Sweep struct {
	Standing *Standing
	Settings []string
	Results  []float64 // best first
	Default  float64
	Median   float64
	Q1, Q3   float64
	Best     float64
	Worst    float64
	Within   float64 // range of the results
	Beaten   float64 // share of the settings that the default is at least as good as
}

func (a *Analysis) lottery(v *ProblemView, rows func(searcher, setting string) []*Row) *LotteryView {
	l := &LotteryView{Problem: v}
	result := func(rs []*Row) float64 {
		var losses []float64
		for _, r := range rs {
			if r.Status == Done && slices.Contains(a.File.Lottery.Seeds, r.Seed) {
				s := v.series(r)
				losses = append(losses, v.loss(s[len(s)-1]))
			}
		}
		return Median(losses)
	}
	shown := func(loss float64) float64 {
		if v.Lower {
			return loss
		}
		return -loss
	}
	var medians []float64
	for _, s := range a.Standing {
		settings := a.File.Lottery.Settings[s.Label]
		if len(settings) == 0 {
			continue
		}
		w := &Sweep{Standing: s}
		all := make([]float64, len(settings))
		each(len(settings), func(i int) { all[i] = result(rows(s.Label, settings[i].Text)) })
		def := result(rows(s.Label, ""))
		var losses []float64
		beaten := 0
		for _, i := range order(all) {
			if all[i] != all[i] {
				continue
			}
			losses = append(losses, all[i])
			w.Settings = append(w.Settings, settings[i].Text)
			w.Results = append(w.Results, shown(all[i]))
			if def <= all[i] {
				beaten++
			}
		}
		if len(losses) == 0 || def != def {
			continue
		}
		w.Default, w.Best, w.Worst = shown(def), shown(losses[0]), shown(losses[len(losses)-1])
		w.Median, w.Q1, w.Q3 = shown(quantile(losses, 0.5)), shown(quantile(losses, 0.25)), shown(quantile(losses, 0.75))
		w.Within = losses[len(losses)-1] - losses[0]
		w.Beaten = float64(beaten) / float64(len(losses))
		medians = append(medians, quantile(losses, 0.5))
		l.Sweeps = append(l.Sweeps, w)
	}
	if len(medians) > 0 {
		l.Between = slices.Max(medians) - slices.Min(medians)
	}
	for _, w := range l.Sweeps {
		if w.Within > l.Between {
			l.Wider++
		}
	}
	return l
}
