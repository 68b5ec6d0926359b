package metric

import (
	"math"
	"math/big"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// bruteVariance is gamma² ∫ (p_best/p_all - 1)² p_all over gamma (1-gamma),
// with the two densities summed trial by trial at every place where there is a
// trial. A place is a number: the absent are at -1, names at 1000, 1001, ...
func bruteVariance(f Factor, best []bool) float64 {
	places := brutePlaces(f)
	present := 0
	for _, x := range f.Values {
		if x == x {
			present++
		}
	}
	width := 0.3 * rankGrid / math.Cbrt(float64(present))
	kernel := func(a, b int) float64 {
		switch {
		case a == b:
			return 1
		case f.Unordered || a < 0 || b < 0:
			return 0
		}
		d := float64(a-b) / width
		return math.Exp(-d * d / 2)
	}
	different := slices.Compact(slices.Sorted(slices.Values(places)))
	density := func(x int, in func(i int) bool) float64 {
		sum, n := 0.0, 0.0
		for i, at := range places {
			if !in(i) {
				continue
			}
			mass := 0.0
			for _, y := range different {
				mass += kernel(at, y)
			}
			sum += kernel(at, x) / mass
			n++
		}
		return sum / n
	}
	wins := 0.0
	for _, b := range best {
		if b {
			wins++
		}
	}
	gamma := wins / float64(len(best))
	v := 0.0
	for _, x := range different {
		all := density(x, func(int) bool { return true })
		top := density(x, func(i int) bool { return best[i] })
		v += gamma * gamma * (top/all - 1) * (top/all - 1) * all
	}
	return v / (gamma * (1 - gamma))
}

func brutePlaces(f Factor) []int {
	places := make([]int, len(f.Values))
	for i, x := range f.Values {
		less, equal, present := 0, 0, 0
		name := -1
		for j, y := range f.Values {
			if y != y {
				continue
			}
			present++
			if y < x {
				less++
			}
			if y == x {
				equal++
				if name < 0 {
					name = j
				}
			}
		}
		switch {
		case x != x:
			places[i] = -1
		case f.Unordered:
			places[i] = 1000 + name
		default:
			places[i] = (2*less + equal) * rankGrid / (2 * present) // the middle of their ranks
		}
	}
	return places
}

// bruteExplained takes off the mean over all ways to draw as many best trials.
func bruteExplained(f Factor, best []bool) float64 {
	n, wins := len(best), 0
	for _, b := range best {
		if b {
			wins++
		}
	}
	if wins == 0 || wins == n {
		return 0
	}
	sum, ways := 0.0, 0.0
	lot := make([]bool, n)
	for set := range uint(1) << n {
		if bits.OnesCount(set) != wins {
			continue
		}
		for i := range lot {
			lot[i] = set>>i&1 == 1
		}
		sum += bruteVariance(f, lot)
		ways++
	}
	chance := sum / ways
	if (1-chance)*float64(n-1) < 1-1e-9 {
		return 0
	}
	return min(max((bruteVariance(f, best)-chance)/(1-chance), 0), 1)
}

func drawFactor(t *rapid.T, n int) Factor {
	value := rapid.Map(rapid.IntRange(0, 4), func(i int) float64 { return float64(i) })
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 1:
		value = rapid.Float64()
	case 2:
		value = rapid.SampledFrom([]float64{math.Inf(-1), math.Copysign(0, -1), 0, 1, math.Inf(1), math.NaN()})
	case 3:
		value = rapid.SampledFrom([]float64{1, 2, math.NaN()})
	}
	return Factor{
		Values:    rapid.SliceOfN(value, n, n).Draw(t, "values"),
		Unordered: rapid.Bool().Draw(t, "unordered"),
	}
}

func TestExplainedAgreesWithTheDefinition(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "n")
		f := drawFactor(t, n)
		best := rapid.SliceOfN(rapid.Bool(), n, n).Draw(t, "best")
		want, got := bruteExplained(f, best), Explained(f, best)
		if math.Abs(got-want) > 1e-9 {
			t.Fatalf("Explained = %v, want %v", got, want)
		}
	})
}

// The densities alone, over more trials than there are ways to enumerate: the
// correction is undone with the trace of the smoother, summed trial by trial.
func TestDensitiesAgreeWithTheirSums(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(20, 150).Draw(t, "n")
		f := drawFactor(t, n)
		best := rapid.SliceOfN(rapid.Bool(), n, n).Draw(t, "best")
		best[0], best[1] = true, false
		var w factorWork
		got := w.explained(f, best, "")
		// How far one best trial more at a place moves the curve there, summed.
		places := brutePlaces(f)
		trace := 0.0
		for _, x := range slices.Compact(slices.Sorted(slices.Values(places))) {
			trace += traceAt(f, places, x)
		}
		left := float64(n-1) - (trace - 1)
		want := 0.0
		if left >= 1 {
			want = min(max(1-(1-bruteVariance(f, best))*float64(n-1)/left, 0), 1)
		}
		if math.Abs(left-1) > 1e-9 && math.Abs(got-want) > 1e-9 {
			t.Fatalf("Explained = %v, want %v", got, want)
		}
	})
}

// traceAt is Σ_i K_i(x)² / Σ_i K_i(x).
func traceAt(f Factor, places []int, x int) float64 {
	present := 0
	for _, v := range f.Values {
		if v == v {
			present++
		}
	}
	width := 0.3 * rankGrid / math.Cbrt(float64(present))
	kernel := func(a, b int) float64 {
		if a != b && (f.Unordered || a < 0 || b < 0) {
			return 0
		}
		return math.Exp(-float64(a-b) * float64(a-b) / (2 * width * width))
	}
	different := slices.Compact(slices.Sorted(slices.Values(places)))
	sum, square := 0.0, 0.0
	for _, at := range places {
		mass := 0.0
		for _, y := range different {
			mass += kernel(at, y)
		}
		k := kernel(at, x) / mass
		sum += k
		square += k * k
	}
	return square / sum
}

// Kelley's epsilon² of counts: (SSB - (C-1) MSE) / SST.
func TestExplainedOfNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		all, best []int
		want      float64
	}{
		{[]int{10, 10}, []int{10, 0}, 1},
		{[]int{10, 10}, []int{5, 5}, 0},
		{[]int{10, 10}, []int{8, 2}, (1.8 - 3.2/18) / 5},
		{[]int{20, 20, 60}, []int{10, 0, 0}, (4 - 2*5.0/97) / 9},
		{[]int{50, 25, 25}, []int{10, 5, 5}, 0},
		{[]int{1, 1, 1, 1}, []int{1, 0, 0, 0}, 0}, // a name for each tells nothing
	} {
		var f Factor
		var best []bool
		f.Unordered = true
		for name, n := range c.all {
			for i := range n {
				f.Values = append(f.Values, float64(7*name%5))
				best = append(best, i < c.best[name])
			}
		}
		if got := Explained(f, best); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v of %v: %v, want %v", c.best, c.all, got, c.want)
		}
		for i, x := range f.Values { // absence is a name
			if x == 0 {
				f.Values[i] = math.NaN()
			}
		}
		if got := Explained(f, best); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v of %v with the first absent: %v, want %v", c.best, c.all, got, c.want)
		}
	}
}

func TestExplainedDegenerate(t *testing.T) {
	t.Parallel()
	nan, inf := math.NaN(), math.Inf(1)
	for name, c := range map[string]struct {
		values []float64
		best   []bool
		want   float64
	}{
		"no trial":           {nil, nil, 0},
		"one trial":          {[]float64{1}, []bool{true}, 0},
		"none best":          {[]float64{1, 2, 3}, make([]bool, 3), 0},
		"all best":           {[]float64{1, 2}, []bool{true, true}, 0},
		"constant":           {[]float64{3, 3, 3, 3}, []bool{true, false, false, true}, 0},
		"never there":        {[]float64{nan, nan, nan}, []bool{true, false, false}, 0},
		"both zeros":         {[]float64{0, math.Copysign(0, -1), 0}, []bool{true, false, false}, 0},
		"presence decides":   {[]float64{nan, 5, nan, 5, 5}, []bool{true, false, true, false, false}, 1},
		"infinities are far": {[]float64{-inf, inf, -inf, inf, inf, -inf, inf, inf}, []bool{true, false, true, false, false, true, false, false}, 1},
		"infinity is not NaN": {[]float64{nan, inf, nan, inf, nan, inf, inf, nan},
			[]bool{true, false, true, false, true, false, false, true}, 1},
	} {
		for _, unordered := range []bool{false, true} {
			got := Explained(Factor{Values: c.values, Unordered: unordered}, c.best)
			if math.Abs(got-c.want) > 0.03 || c.want == 0 && got != 0 {
				t.Errorf("%s, unordered %v: %v, want %v", name, unordered, got, c.want)
			}
		}
	}
	if got := Importance([]Factor{{Values: []float64{1, 1}}, {Values: []float64{2, 2}}}, []bool{true, false}); got[0] != 0 || got[1] != 0 {
		t.Errorf("constants: %v, want zeros", got)
	}
	if got := Importance(nil, []bool{true}); len(got) != 0 {
		t.Errorf("no factors: %v", got)
	}
}

func TestExplainedLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 120).Draw(t, "n")
		f := drawFactor(t, n)
		best := rapid.SliceOfN(rapid.Bool(), n, n).Draw(t, "best")
		want := Explained(f, best)
		if !(want >= 0 && want <= 1) {
			t.Fatalf("Explained = %v", want)
		}
		same := func(what string, f Factor, best []bool) {
			if got := Explained(f, best); math.Abs(got-want) > 1e-9 {
				t.Fatalf("%s: %v, want %v as before", what, got, want)
			}
		}
		bent := Factor{Values: make([]float64, n), Unordered: f.Unordered}
		ranks := Ranks(f.Values)
		for i, x := range f.Values {
			bent.Values[i] = ranks[i] * ranks[i]
			if x != x {
				bent.Values[i] = x
			} else if f.Unordered { // other names
				bent.Values[i] = math.Mod(ranks[i]*14, 251)
			}
		}
		same("bent", bent, best)
		rest := make([]bool, n)
		for i := range rest {
			rest[i] = !best[i]
		}
		same("best and rest exchanged", f, rest)
		shuffled, sbest := Factor{Values: make([]float64, n), Unordered: f.Unordered}, make([]bool, n)
		for i, j := range rapid.Permutation(slices.Collect(func(yield func(int) bool) {
			for i := range n {
				if !yield(i) {
					return
				}
			}
		})).Draw(t, "order") {
			shuffled.Values[i], sbest[i] = f.Values[j], best[j]
		}
		same("in another order", shuffled, sbest)
	})
}

// losses of x of ten numbers in [0, 1), of which the first matters much, the
// second less and the others not at all.
var importanceFunctions = map[string]func(x []float64) float64{
	"slope": func(x []float64) float64 { return 5*x[0] + 2*x[1] },
	"peak":  func(x []float64) float64 { return 5*math.Abs(x[0]-0.5) + 2*math.Abs(x[1]-0.3) },
	"ends":  func(x []float64) float64 { return -5*math.Abs(x[0]-0.5) - 2*math.Abs(x[1]-0.5) },
	"levels": func(x []float64) float64 {
		x[0], x[1] = math.Floor(6*x[0]), math.Floor(4*x[1])
		return 5*math.Abs(x[0]-2)/6 + 2*x[1]/4
	},
}

// Over 2,000 seeds the order was wrong with at most 7 % ("levels", 300 trials;
// the others 0.2 %) and 0.4 % (1,000 trials) of them. So with 40 other seeds this
// would fail with a probability below 0.3 %.
func TestImportanceFindsTheOrder(t *testing.T) {
	t.Parallel()
	const dims, seeds = 10, 40
	for name, fn := range importanceFunctions {
		for n, allowed := range map[int]int{300: 8, 1000: 2} {
			missed, noise := 0, 0.0
			for seed := range seeds {
				factors, scores := drawTrials(n, dims, uint64(seed), fn)
				got := Importance(factors, bestOf(scores, 0.1))
				if !(got[0] > got[1] && got[1] > slices.Max(got[2:])) {
					missed++
				}
				for _, s := range got[2:] {
					noise += s / seeds
				}
			}
			if missed > allowed {
				t.Errorf("%s, %d trials: wrong order with %d of %d seeds", name, n, missed, seeds)
			}
			if limit := 0.1 * 300 / float64(n); noise > limit {
				t.Errorf("%s, %d trials: the eight factors without effect share %.3f, want below %.3f", name, n, noise, limit)
			}
		}
	}
}

func drawTrials(n, dims int, seed uint64, fn func([]float64) float64) ([]Factor, []Score) {
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	factors := make([]Factor, dims)
	scores := make([]Score, n)
	for d := range factors {
		factors[d].Values = make([]float64, n)
	}
	x := make([]float64, dims)
	for i := range n {
		for d := range x {
			x[d] = r.Float64()
		}
		scores[i].Loss = []float64{fn(x)}
		for d := range x {
			factors[d].Values[i] = x[d]
		}
	}
	return factors, scores
}

// Choices, conditional parameters, and a name for every trial, which without
// the correction would explain everything.
func TestImportanceOfChoices(t *testing.T) {
	t.Parallel()
	const n = 400
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		f := []Factor{
			{Unordered: true}, // the choice that matters
			{Unordered: true}, // one that does not
			{},                // there only with case 1, where it matters
			{},                // there only with case 2, which is bad
			{Unordered: true}, // another name for each
		}
		scores := make([]Score, n)
		for i := range n {
			choice, other, x, y := r.IntN(3), r.IntN(20), r.Float64(), r.Float64()
			loss := float64(choice) + r.Float64()
			if choice == 1 {
				loss = 2 * x
			} else {
				x = math.NaN()
			}
			if choice != 2 {
				y = math.NaN()
			}
			for k, v := range []float64{float64(choice), float64(other), x, y, float64(i)} {
				f[k].Values = append(f[k].Values, v)
			}
			scores[i].Loss = []float64{loss}
		}
		got := Importance(f, bestOf(scores, 0.2))
		if !(min(got[0], got[2]) > got[3] && got[3] > got[1] && got[1] < 0.1 && got[4] == 0) {
			t.Errorf("seed %d: shares %.3f", seed, got)
		}
	}
}

func TestImportanceOfManyFactors(t *testing.T) {
	t.Parallel()
	factors, scores := drawTrials(500, 300, 1, func(x []float64) float64 { return x[7] })
	got := Importance(factors, bestOf(scores, 0.1))
	sum := 0.0
	for _, s := range got {
		sum += s
	}
	if math.Abs(sum-1) > 1e-12 || slices.Max(got) != got[7] || got[7] < 0.2 {
		t.Errorf("sum %v, factor 7 has %v, the largest is %v", sum, got[7], slices.Max(got))
	}
}

func TestLengthsThatDoNotFit(t *testing.T) {
	t.Parallel()
	for want, call := range map[string]func(){
		"metric: Importance: found 1 values, want 2 as there are trials": func() { Importance([]Factor{{Values: []float64{1}}}, make([]bool, 2)) },
		"metric: BestQuantile: found 3 losses, want 2 rows of 2":         func() { BestQuantile(make([]float64, 3), 2, make([]float64, 2), 0.1) },
	} {
		func() {
			defer func() {
				if r := recover(); r != want {
					t.Errorf("panic: %v, want %v", r, want)
				}
			}()
			call()
		}()
	}
}

func bestOf(scores []Score, share float64) []bool {
	m := 0
	var losses, violations []float64
	for _, s := range scores {
		m = len(s.Loss)
		losses, violations = append(losses, s.Loss...), append(violations, s.Violation)
	}
	return BestQuantile(losses, m, violations, share)
}

// bruteBest follows the sentences of BestQuantile's comment.
func bruteBest(scores []Score, share float64) []bool {
	best := make([]bool, len(scores))
	if !(share > 0) || len(scores) == 0 {
		return best
	}
	m := len(scores[0].Loss)
	var ok []int
	for i, s := range scores {
		if s.OK() {
			ok = append(ok, i)
		}
	}
	kept := make([]Score, len(ok))
	for k, i := range ok {
		kept[k] = scores[i]
	}
	need := int(math.Ceil(min(share, 1) * float64(len(scores))))
	ranks := RankScores(kept, nil)
	var groups [][]int
	held := 0
	for r := int32(0); int(r) < len(ok); r++ {
		var group []int
		for k := range ok {
			if ranks[k] == r {
				group = append(group, k)
			}
		}
		if len(group) == 0 {
			break
		}
		if held += len(group); held <= need || kept[group[0]].Violation > 0 || m == 0 {
			groups = append(groups, group)
			continue
		}
		slices.SortFunc(group, func(i, j int) int { return slices.Compare(kept[i].Loss, kept[j].Loss) })
		var points []float64
		var of []int
		for k, i := range group {
			if k == 0 || !slices.Equal(kept[i].Loss, kept[group[k-1]].Loss) {
				for _, x := range kept[i].Loss {
					points = append(points, x+0)
				}
			}
			of = append(of, len(points)/m-1)
		}
		dist := CrowdingDistance(points, m, nil, nil)
		levels := slices.Compact(slices.Sorted(slices.Values(dist)))
		for _, d := range slices.Backward(levels) {
			var part []int
			for k, i := range group {
				if dist[of[k]] == d {
					part = append(part, i)
				}
			}
			groups = append(groups, part)
		}
	}
	have := 0
	for _, g := range groups {
		if have >= need || have > 0 && have+len(g)-need > need-have {
			break
		}
		have += len(g)
		for _, k := range g {
			best[ok[k]] = true
		}
	}
	return best
}

func TestBestQuantileAgreesWithItsComment(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.IntRange(0, 5).Draw(t, "m")
		var scores []Score
		if m == 0 {
			scores = make([]Score, rapid.IntRange(0, 20).Draw(t, "n"))
		} else {
			p := drawPoints(t, m, true, 90)
			for i := range len(p) / m {
				scores = append(scores, Score{Loss: p[i*m : i*m+m]})
			}
		}
		if rapid.Bool().Draw(t, "limits") {
			for i := range scores {
				scores[i].Violation = rapid.SampledFrom([]float64{0, 0, -1, 1, 1, 2, math.Inf(1), math.NaN()}).Draw(t, "violation")
			}
		}
		share := rapid.SampledFrom([]float64{-1, 0, math.NaN(), 1e-9, 0.1, 0.25, 0.5, 1, 2}).Draw(t, "share")
		got := bestOf(scores, share)
		if diff := gocmp.Diff(bruteBest(scores, share), got); diff != "" {
			t.Fatalf("share %v (-want +got):\n%s", share, diff)
		}
		for i := range scores { // better and not marked?
			for j := range scores {
				if scores[i].OK() && Dominates(scores[i], scores[j]) && got[j] && !got[i] {
					t.Fatalf("%v is marked and %v, which dominates it, is not", scores[j], scores[i])
				}
			}
		}
		slices.Reverse(scores)
		slices.Reverse(got)
		if diff := gocmp.Diff(got, bestOf(scores, share)); diff != "" {
			t.Fatalf("in reverse (-want +got):\n%s", diff)
		}
	})
}

func TestLeadingFrontsAgreesWithPeeling(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.IntRange(4, 6).Draw(t, "m")
		p := drawPoints(t, m, true, 90)
		n := len(p) / m
		need := rapid.IntRange(1, n+1).Draw(t, "need")
		want, got := bruteRanks(p, m), leadingFronts(p, m, need)
		sorted := slices.Sorted(slices.Values(want))
		for i := range got {
			if got[i] != want[i] && (got[i] != -1 || want[i] <= sorted[min(need, n)-1]) {
				t.Fatalf("row %d has rank %d, want %d (or -1 behind the best %d): %v, want %v", i, got[i], want[i], need, got, want)
			}
		}
	})
}

func TestBestQuantileOfOneObjective(t *testing.T) {
	t.Parallel()
	scores := make([]Score, 0, 100)
	for i := range 100 {
		scores = append(scores, Score{Loss: []float64{float64(i * 37 % 100)}})
	}
	for _, c := range []struct{ share, want float64 }{{0.1, 10}, {0.101, 11}, {0.001, 1}, {1, 100}} {
		for i, b := range bestOf(scores, c.share) {
			if b != (scores[i].Loss[0] < c.want) {
				t.Fatalf("share %v: loss %v marked %v", c.share, scores[i].Loss[0], b)
			}
		}
	}
	// Three feasible ones and many that miss by as much: the three are nearer.
	for i := range scores {
		if i >= 3 {
			scores[i].Violation = 1
		}
	}
	for i, b := range bestOf(scores, 0.1) {
		if b != (i < 3) {
			t.Errorf("score %d marked %v", i, b)
		}
	}
}

func bruteTail(all, marked, drawn, hits int) *big.Rat {
	sum := new(big.Int)
	for k := max(hits, 0); k <= min(marked, drawn); k++ {
		if drawn-k > all-marked {
			continue
		}
		a := new(big.Int).Binomial(int64(marked), int64(k))
		sum.Add(sum, a.Mul(a, new(big.Int).Binomial(int64(all-marked), int64(drawn-k))))
	}
	return new(big.Rat).SetFrac(sum, new(big.Int).Binomial(int64(all), int64(drawn)))
}

func TestHypergeometricTailAgreesWithBinomials(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.IntRange(0, rapid.SampledFrom([]int{8, 60, 600}).Draw(t, "size")).Draw(t, "all")
		marked, drawn := rapid.IntRange(0, all).Draw(t, "marked"), rapid.IntRange(0, all).Draw(t, "drawn")
		hits := rapid.IntRange(-1, min(marked, drawn)+1).Draw(t, "hits")
		want, _ := bruteTail(all, marked, drawn, hits).Float64()
		got := HypergeometricTail(all, marked, drawn, hits)
		if math.Abs(got-want) > 1e-12*want && !(want < 1e-299 && got <= 1e-299) {
			t.Fatalf("HypergeometricTail(%d, %d, %d, %d) = %v, want %v", all, marked, drawn, hits, got, want)
		}
	})
	for _, c := range [][3]int{{5, -1, 2}, {5, 2, -1}, {5, 6, 2}, {5, 2, 6}, {-1, 0, 0}} {
		if got := HypergeometricTail(c[0], c[1], c[2], 1); got == got {
			t.Errorf("HypergeometricTail(%v, 1) = %v, want NaN", c, got)
		}
	}
}

// A million trials: the tail and what is missing to it, which is the tail of the
// unmarked, sum to 1; and one term by the logarithm of the gamma function.
func TestHypergeometricTailIsStable(t *testing.T) {
	t.Parallel()
	const all = 1_000_000
	choose := func(n, k int) float64 {
		a, _ := math.Lgamma(float64(n + 1))
		b, _ := math.Lgamma(float64(k + 1))
		c, _ := math.Lgamma(float64(n - k + 1))
		return a - b - c
	}
	for _, c := range [][2]int{{500_000, 500_000}, {10, 100_000}, {100_000, 100_000}, {900_000, 10_000}, {7, 7}, {1, all}} {
		marked, drawn := c[0], c[1]
		mean := int(float64(marked) / all * float64(drawn))
		for _, off := range []int{-3000, -300, -1, 0, 1, 5, 300, 3000, 20000} {
			k := mean + off
			if k < max(0, drawn+marked-all) || k > min(marked, drawn) {
				continue
			}
			up := HypergeometricTail(all, marked, drawn, k)
			down := HypergeometricTail(all, all-marked, drawn, drawn-k+1)
			if math.Abs(up+down-1) > 1e-12 {
				t.Errorf("%d of %d, %d or more: %v and %v do not sum to 1", marked, drawn, k, up, down)
			}
			if up < 1e-5 && up > 0 { // else the difference cancels
				term := up - HypergeometricTail(all, marked, drawn, k+1)
				log := choose(marked, k) + choose(all-marked, drawn-k) - choose(all, drawn)
				if got := math.Log(term); math.Abs(got-log) > 1e-7 {
					t.Errorf("%d of %d, just %d: log of the probability %v, want %v", marked, drawn, k, got, log)
				}
			}
		}
	}
}
