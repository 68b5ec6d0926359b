package supernet

import (
	"math"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
)

// candidates have truths 1 to n; predictor "noisy" sees them through noise of a
// deviation, "MACs" their opposite.
func candidates(n int, deviation float64, seed uint64) []Candidate {
	r := rng.New(seed, "candidates", 0)
	var all []Candidate
	for i := range n {
		x := float64(i + 1)
		all = append(all, Candidate{Truth: x, MACs: -x, Params: 1, Scores: map[string]float64{
			"exact": 3 * x, "noisy": x + float64(deviation*rng.Norm(r)), "constant": 4,
		}})
	}
	return all
}

func TestRank(t *testing.T) {
	t.Parallel()
	all := candidates(100, 20, 1)
	all[99].Scores["failed"] = math.NaN()
	for i := range all[:99] {
		all[i].Scores["failed"] = float64(i)
	}
	tables, err := Ranking{Top: []int{1, 5, 100}, Above: map[string]float64{"above 90": 91}}.Rank(all, "exact", "noisy", "constant", "failed")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		slice string
		n     int
	}{{"all", 100}, {"better half", 50}, {"above 90", 10}} {
		if tables[i].Slice != want.slice || tables[i].Networks != want.n {
			t.Errorf("table %d is of %d networks, %q; want %d, %q", i+1, tables[i].Networks, tables[i].Slice, want.n, want.slice)
		}
		exact := tables[i].Standing("exact")
		if math.Abs(exact.Kendall.Low-1) > 1e-12 || math.Abs(exact.Kendall.High-1) > 1e-12 || exact.Regret[0] != 0 {
			t.Errorf("%s: the truth ranks by %v", want.slice, exact)
		}
		if x := tables[i].Standing("MACs").Kendall.Value; math.Abs(x+1) > 1e-12 {
			t.Errorf("%s: the opposite ranks by %v, want −1", want.slice, x)
		}
	}
	top := tables[0]
	if x := top.Standing("MACs").Regret; x[0] != 99 || x[1] != 95 || x[2] != 0 {
		t.Errorf("regrets of the opposite: found %v, want 99, 95 and 0", x)
	}
	// Of equal predictions the worst count.
	if x := top.Standing("constant").Regret; x[0] != 99 || x[2] != 0 {
		t.Errorf("regrets of a constant: found %v, want 99 … 0", x)
	}
	if x := top.Standing("constant").Kendall.Value; !math.IsNaN(x) {
		t.Errorf("a constant ranks by %v, want NaN", x)
	}
	// the best network failed, so the second is the best that is found
	if x := top.Standing("failed").Regret[0]; x != 1 {
		t.Errorf("regret where the best network failed: found %v, want 1", x)
	}
	// E[max of k of 1…n] = k(n+1)/(k+1)
	for i, k := range []float64{1, 5, 100} {
		if x, want := top.Standing("random").Regret[i], 100-k*101/(k+1); math.Abs(x-want) > 1e-9 {
			t.Errorf("expected regret of %v at random: found %v, want %v", k, x, want)
		}
	}
	if text := top.String(); !strings.Contains(text, "| exact | 1.000 [1.000, 1.000] |") || strings.Count(text, "\n") != 11 {
		t.Errorf("the table is written as\n%s", text)
	}
}

// Intervals cover what they say: of 200 samples of 40 networks, 95 % intervals miss
// the correlation of all networks in 5 % ± 4.5 % (three deviations of a binomial).
func TestIntervalsCover(t *testing.T) {
	t.Parallel()
	population := candidates(20000, 10000, 2)
	var x, y []float64
	for _, c := range population {
		x, y = append(x, c.Scores["noisy"]), append(y, c.Truth)
	}
	truth := metric.Kendall(x, y)
	r := rng.New(3, "draw", 0)
	missed := 0
	for trial := range 200 {
		a, b := make([]float64, 40), make([]float64, 40)
		for i := range a {
			j := r.IntN(len(x))
			a[i], b[i] = x[j], y[j]
		}
		k, _ := Ranking{Samples: 150, Coverage: 0.95, Seed: uint64(trial)}.estimates("x", a, b)
		if truth < k.Low || truth > k.High {
			missed++
		}
	}
	if missed > 19 || missed < 1 {
		t.Errorf("%d of 200 intervals missed, want about 10", missed)
	}
}

func TestRankRefuses(t *testing.T) {
	t.Parallel()
	all := candidates(10, 1, 1)
	for want, f := range map[string]func() error{
		"at least 3":          func() error { _, err := Ranking{}.Rank(all[:2]); return err },
		`no score of "other"`: func() error { _, err := Ranking{}.Rank(all, "other"); return err },
		"top: found 0":        func() error { _, err := Ranking{Top: []int{0}}.Rank(all); return err },
		"coverage 2":          func() error { _, err := Ranking{Coverage: 2}.Rank(all); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("found the error %v, want one with %q", err, want)
		}
	}
}
