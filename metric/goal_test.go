package metric

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func mustGoal(t testing.TB, objectives, limits []string) Goal {
	t.Helper()
	var g Goal
	for _, s := range objectives {
		o, err := ParseObjective(s)
		if err != nil {
			t.Fatal(err)
		}
		g.Objectives = append(g.Objectives, o)
	}
	for _, s := range limits {
		l, err := ParseLimit(s)
		if err != nil {
			t.Fatal(err)
		}
		g.Limits = append(g.Limits, l)
	}
	return g
}

func TestParseObjective(t *testing.T) {
	t.Parallel()
	target := 1.5
	for in, want := range map[string]Objective{
		"maximize accuracy":       {Metric: "accuracy", Direction: Maximize},
		" Maximise  accuracy ":    {Metric: "accuracy", Direction: Maximize},
		"max a/b.c-d":             {Metric: "a/b.c-d", Direction: Maximize},
		"minimize latency_ms":     {Metric: "latency_ms", Direction: Minimize},
		"min x":                   {Metric: "x", Direction: Minimize},
		"minimise x":              {Metric: "x", Direction: Minimize},
		"target power_w 1.5":      {Metric: "power_w", Target: &target},
		"TARGET power_w 15.0e-01": {Metric: "power_w", Target: &target},
	} {
		got, err := ParseObjective(in)
		if err != nil {
			t.Errorf("ParseObjective(%q) = %v", in, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ParseObjective(%q) (-want +got):\n%s", in, diff)
		}
	}
}

func TestParseErrorsSayWhatWasFoundAndWanted(t *testing.T) {
	t.Parallel()
	objective := func(s string) error { _, err := ParseObjective(s); return err }
	limit := func(s string) error { _, err := ParseLimit(s); return err }
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"empty":              {objective(""), []string{"found nothing", "maximize NAME"}},
		"no direction":       {objective("accuracy"), []string{`no direction before "accuracy"`}},
		"wrong verb":         {objective("increase accuracy"), []string{`"increase"`, "maximize"}},
		"two names":          {objective("maximize val accuracy"), []string{"3 words", `"maximize NAME"`}},
		"name missing":       {objective("maximize"), []string{"one word", `"maximize NAME"`}},
		"target without":     {objective("target power_w"), []string{"2 words", "target NAME NUMBER"}},
		"target with unit":   {objective("target power_w 3W"), []string{`"3W"`, "without the unit"}},
		"target zero":        {objective("target power_w 0"), []string{"target 0", "other than 0"}},
		"target infinite":    {objective("target power_w inf"), []string{`"inf"`, "finite"}},
		"no comparison":      {limit("latency_ms 5"), []string{"no comparison", "latency_ms <= 5"}},
		"assignment":         {limit("latency_ms = 5"), []string{`"="`, "=="}},
		"arrow":              {limit("latency_ms => 5"), []string{`"=>"`, "<= < >= > =="}},
		"not equal":          {limit("x != 5"), []string{`"!="`}},
		"turned round":       {limit("5 >= latency_ms"), []string{"5 on the left", "metric on the left"}},
		"two-sided":          {limit("1 < x < 5"), []string{"1 on the left"}},
		"chain":              {limit("x < 5 < 6"), []string{`"< 6" after the bound`}},
		"no name":            {limit("<= 5"), []string{"no metric"}},
		"no bound":           {limit("x <="), []string{"no bound"}},
		"bound with unit":    {limit("latency_ms <= 5ms"), []string{`"5ms"`, "without the unit"}},
		"bound NaN":          {limit("x <= nan"), []string{"finite"}},
		"soft nothing":       {limit("x <= 5 soft"), []string{`"soft" after the bound`, "soft -0.07"}},
		"soft zero":          {limit("x <= 5 soft 0"), []string{"soft 0", "hard limit"}},
		"soft wrong sign":    {limit("x <= 5 soft 0.07"), []string{"negative exponent"}},
		"soft wrong sign >=": {limit("x >= 5 soft -0.07"), []string{"positive exponent"}},
		"soft bound":         {limit("x <= 0 soft -0.07"), []string{"positive bound"}},
		"soft equal":         {limit("x == 5 soft -0.07"), []string{"soft =="}},
		"soft huge":          {limit("x <= 5 soft -1e9"), []string{"-30 and 30"}},
	} {
		var e *GoalError
		if !errors.As(c.err, &e) {
			t.Errorf("%s: error %v is no *GoalError", name, c.err)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(c.err.Error(), w) {
				t.Errorf("%s: error %q does not say %q", name, c.err, w)
			}
		}
	}
}

func TestParseLimit(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Limit{
		"latency_ms <= 5":             {Metric: "latency_ms", Op: LessEqual, Bound: 5},
		"acc>=0.9":                    {Metric: "acc", Op: GreaterEqual, Bound: 0.9},
		"x < 1e-3":                    {Metric: "x", Op: Less, Bound: 1e-3},
		"x > -2":                      {Metric: "x", Op: Greater, Bound: -2},
		"depth == 3":                  {Metric: "depth", Op: Equal, Bound: 3},
		"latency_ms <= 80 soft -0.07": {Metric: "latency_ms", Op: LessEqual, Bound: 80, Soft: -0.07},
		"acc >= 0.9 soft 0.5":         {Metric: "acc", Op: GreaterEqual, Bound: 0.9, Soft: 0.5},
	} {
		got, err := ParseLimit(in)
		if err != nil || got != want {
			t.Errorf("ParseLimit(%q) = %+v, %v, want %+v", in, got, err, want)
		}
	}
}

func FuzzParseObjective(f *testing.F) {
	for _, s := range []string{"maximize accuracy", "min x", "target power_w 1.5", "target a 1e400", "target  0x1p-2", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, err := ParseObjective(s)
		if err != nil {
			return
		}
		again, err := ParseObjective(o.String())
		if err != nil {
			t.Fatalf("ParseObjective(%q) = %q, which does not parse: %v", s, o, err)
		}
		if diff := cmp.Diff(o, again); diff != "" {
			t.Fatalf("round trip of %q (-want +got):\n%s", s, diff)
		}
	})
}

func FuzzParseLimit(f *testing.F) {
	for _, s := range []string{"latency_ms <= 5", "acc>=.9", "x == -0", "x <= 80 soft -0.07", "a\u00a0b < 1", "x <== 3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseLimit(s)
		if err != nil {
			return
		}
		again, err := ParseLimit(l.String())
		if err != nil || again != l {
			t.Fatalf("round trip of %q: %+v, %v, want %+v", s, again, err, l)
		}
	})
}

func TestGoalIsText(t *testing.T) {
	t.Parallel()
	g := mustGoal(t, []string{"maximize accuracy", "target power_w 1.5"}, []string{"latency_ms <= 80 soft -0.07"})
	data, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	var back Goal
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(g, back); diff != "" {
		t.Errorf("through %s (-want +got):\n%s", data, diff)
	}
	if m := (Metric{Name: "error"}); m.String() != "error (dimensionless)" {
		t.Errorf("String() = %q, want the missing unit stated", m)
	}
	if m := (Metric{Name: "latency", Unit: "ms"}); m.String() != "latency (ms)" {
		t.Errorf("String() = %q", m)
	}
	for _, d := range []Direction{0, Minimize, Maximize} {
		text, err := d.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		back := Direction(9)
		if err := back.UnmarshalText(text); err != nil || back != d {
			t.Errorf("direction %v through text = %v, %v", d, back, err)
		}
	}
}

func TestGoalCheckReportsEverything(t *testing.T) {
	t.Parallel()
	known := []Metric{{Name: "accuracy"}, {Name: "latency_ms"}, {Name: "params_m"}}
	ok := mustGoal(t, []string{"maximize accuracy", "target latency_ms 2"}, []string{"params_m <= 1", "params_m >= 1", "latency_ms <= 3 soft -1"})
	if err := ok.Check(known); err != nil {
		t.Errorf("Check of a good goal = %v", err)
	}
	nan, zero := math.NaN(), 0.0
	bad := Goal{
		Objectives: []Objective{
			{Metric: "acuracy", Direction: Maximize},
			{Metric: "latency_ms"},
			{Metric: "latency_ms", Direction: Maximize},
			{Metric: "params_m", Target: &nan},
			{Metric: "accuracy", Target: &zero},
		},
		Limits: []Limit{
			{Metric: "energy_mj", Op: LessEqual, Bound: 1},
			{Metric: "params_m", Bound: 1},
			{Metric: "params_m", Op: LessEqual, Bound: math.Inf(1)},
			{Metric: "latency_ms", Op: LessEqual, Bound: 3, Soft: 0.5},
			{Metric: "accuracy", Op: GreaterEqual, Bound: 0.9},
			{Metric: "accuracy", Op: Less, Bound: 0.9},
		},
	}
	err := bad.Check(known)
	if err == nil {
		t.Fatal("Check of a bad goal = nil")
	}
	got := strings.Split(err.Error(), "\n")
	want := []string{
		`"maximize acuracy": found the unknown metric "acuracy", want one of accuracy, latency_ms, params_m; did you mean "accuracy"?`,
		`"none latency_ms": found no direction, want minimize or maximize`,
		`"maximize latency_ms": found a second objective on "latency_ms" after "none latency_ms", want each metric in one objective at most`,
		`"target params_m NaN": found target NaN, want a finite number`,
		`"target accuracy 0": found target 0, want a target other than 0, since the reward target/|target-x| is 0 everywhere; minimize the metric's absolute value instead`,
		`"energy_mj <= 1": found the unknown metric "energy_mj", want one of accuracy, latency_ms, params_m`,
		`"params_m none 1": found no comparison, want one of <= < >= > ==`,
		`"params_m <= +Inf": found the bound +Inf, want a finite number`,
		`"latency_ms <= 3 soft 0.5": found soft 0.5, want a negative exponent with <=, so that values above the bound cost, for example -0.07`,
		`"accuracy < 0.9": found no value that also keeps "accuracy >= 0.9", want limits that some value can meet`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Check (-want +got):\n%s", diff)
	}
	joined, isJoined := err.(interface{ Unwrap() []error })
	if !isJoined {
		t.Fatal("Check does not join its errors")
	}
	for _, e := range joined.Unwrap() {
		var ge *GoalError
		if !errors.As(e, &ge) {
			t.Errorf("%v is no *GoalError", e)
		}
	}
	if err := (Goal{}).Check(known); err == nil || !strings.Contains(err.Error(), "no objective") {
		t.Errorf("Check of an empty goal = %v", err)
	}
}

func TestScore(t *testing.T) {
	t.Parallel()
	inf := math.Inf(1)
	for name, c := range map[string]struct {
		objectives, limits []string
		values             Values
		want               Score
	}{
		"plain":             {[]string{"maximize a", "minimize b"}, nil, Values{"a": 2, "b": 3}, Score{Loss: []float64{-2, 3}}},
		"zero is not -0":    {[]string{"maximize a"}, nil, Values{"a": 0}, Score{Loss: []float64{0}}},
		"target above":      {[]string{"target a 4"}, nil, Values{"a": 6}, Score{Loss: []float64{-2}}},
		"target below":      {[]string{"target a 4"}, nil, Values{"a": 2}, Score{Loss: []float64{-2}}},
		"target hit":        {[]string{"target a 4"}, nil, Values{"a": 4}, Score{Loss: []float64{-1000}}},
		"target nearly hit": {[]string{"target a 4"}, nil, Values{"a": 4.000001}, Score{Loss: []float64{-1000}}},
		"negative target":   {[]string{"target a -4"}, nil, Values{"a": -2}, Score{Loss: []float64{-2}}},
		"kept":              {[]string{"minimize a"}, []string{"b <= 5", "c >= 1", "d == 2"}, Values{"a": 1, "b": 5, "c": 1, "d": 2}, Score{Loss: []float64{1}}},
		"missed":            {[]string{"minimize a"}, []string{"b <= 5", "c >= 1"}, Values{"a": 1, "b": 10, "c": 0.5}, Score{Loss: []float64{1}, Violation: 1.5}},
		"strict":            {[]string{"minimize a"}, []string{"a < 5"}, Values{"a": 5}, Score{Loss: []float64{5}, Violation: tinyViolation}},
		"zero bound":        {[]string{"minimize a"}, []string{"a <= 0"}, Values{"a": 5}, Score{Loss: []float64{5}, Violation: 5}},
		"missing objective": {[]string{"minimize a", "minimize b"}, nil, Values{"a": 5}, Score{Loss: []float64{inf, inf}, Violation: inf}},
		"NaN objective":     {[]string{"maximize a"}, nil, Values{"a": math.NaN()}, Score{Loss: []float64{inf}, Violation: inf}},
		"infinitely good":   {[]string{"maximize a"}, nil, Values{"a": inf}, Score{Loss: []float64{inf}, Violation: inf}},
		"missing limit":     {[]string{"minimize a"}, []string{"b <= 5"}, Values{"a": 5}, Score{Loss: []float64{inf}, Violation: inf}},
		"missing soft":      {[]string{"minimize a"}, []string{"b <= 5 soft -1"}, Values{"a": 5}, Score{Loss: []float64{inf}, Violation: inf}},
		"soft, twice":       {[]string{"maximize a", "minimize c"}, []string{"b <= 5 soft -1"}, Values{"a": 3, "b": 10, "c": 3}, Score{Loss: []float64{-1.5, 6}}},
		"soft, slack":       {[]string{"maximize a"}, []string{"b <= 5 soft -1"}, Values{"a": 3, "b": 2.5}, Score{Loss: []float64{-6}}},
		"soft, negative":    {[]string{"maximize a"}, []string{"b <= 5 soft -1"}, Values{"a": -3, "b": 10}, Score{Loss: []float64{6}}},
		"soft >=":           {[]string{"minimize a"}, []string{"b >= 4 soft 0.5"}, Values{"a": 3, "b": 1}, Score{Loss: []float64{6}}},
	} {
		got := mustGoal(t, c.objectives, c.limits).Score(c.values)
		if diff := cmp.Diff(c.want, got, cmp.Comparer(func(a, b float64) bool {
			return math.Signbit(a) == math.Signbit(b) && (a == b || math.Abs(a-b) < 1e-12*math.Abs(a))
		})); diff != "" {
			t.Errorf("%s: Score (-want +got):\n%s", name, diff)
		}
	}
	// MnasNet's rule: with w = -0.07 twice the latency is worth 5 % of accuracy.
	g := mustGoal(t, []string{"maximize acc"}, []string{"lat <= 80 soft -0.07"})
	fast, slow := g.Score(Values{"acc": 0.70, "lat": 80}), g.Score(Values{"acc": 0.70 * 1.05, "lat": 160})
	if math.Abs(fast.Loss[0]/slow.Loss[0]-1) > 1e-3 {
		t.Errorf("losses %v and %v, want about equal", fast.Loss, slow.Loss)
	}
}

func TestObjectiveValueUndoesLoss(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(-1e6, 1e6).Draw(t, "x")
		for _, d := range []Direction{Minimize, Maximize} {
			o := Objective{Metric: "m", Direction: d}
			if got := o.Value(o.Loss(x)); got != x {
				t.Fatalf("%v: Value(Loss(%v)) = %v", o, x, got)
			}
		}
		target := rapid.SampledFrom([]float64{-3, 0.5, 100}).Draw(t, "target")
		o := Objective{Metric: "m", Target: &target}
		want := math.Max(math.Abs(x-target), math.Abs(target)/targetCap)
		if got := o.Value(o.Loss(x)); !near(got, want, 0) {
			t.Fatalf("%v: Value(Loss(%v)) = %v, want the distance %v", o, x, got, want)
		}
	})
}

// A design that is better in one metric and equal in the others never gets a
// worse score, whatever the values and soft limits.
func TestScoreIsMonotone(t *testing.T) {
	t.Parallel()
	g := mustGoal(t, []string{"maximize a", "minimize b"}, []string{"a >= 1", "b <= 2", "b <= 3 soft -0.3", "a >= 2 soft 0.2"})
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.Float64Range(-10, 10)
		v := Values{"a": draw.Draw(t, "a"), "b": draw.Draw(t, "b")}
		better := Values{"a": v["a"] + rapid.Float64Range(0, 5).Draw(t, "up"), "b": v["b"] - rapid.Float64Range(0, 5).Draw(t, "down")}
		s, sb := g.Score(v), g.Score(better)
		if sb.Violation > s.Violation {
			t.Fatalf("violation rose from %v to %v", s.Violation, sb.Violation)
		}
		for i := range s.Loss {
			if sb.Loss[i] > s.Loss[i]+1e-9*math.Abs(s.Loss[i]) {
				t.Fatalf("loss %d rose from %v to %v", i, s.Loss[i], sb.Loss[i])
			}
		}
	})
}

func drawScore(m int) *rapid.Generator[Score] {
	return rapid.Custom(func(t *rapid.T) Score {
		x := rapid.SampledFrom([]float64{math.Inf(-1), -1, math.Copysign(0, -1), 0, 1, 2, math.Inf(1), math.NaN()})
		return Score{
			Loss:      rapid.SliceOfN(x, m, m).Draw(t, "loss"),
			Violation: rapid.SampledFrom([]float64{0, 0, 0, 0.5, 1, math.Inf(1), math.NaN()}).Draw(t, "violation"),
		}
	})
}

func TestDominatesIsAStrictPartialOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := drawScore(rapid.IntRange(0, 3).Draw(t, "m"))
		a, b, c := g.Draw(t, "a"), g.Draw(t, "b"), g.Draw(t, "c")
		if Dominates(a, a) {
			t.Fatal("reflexive")
		}
		if Dominates(a, b) && Dominates(b, a) {
			t.Fatal("symmetric")
		}
		if Dominates(a, b) && Dominates(b, c) && !Dominates(a, c) {
			t.Fatal("not transitive")
		}
		if Dominates(a, b) && Compare(a, b) >= 0 {
			t.Fatal("Compare disagrees with Dominates")
		}
		if Compare(a, b) != -Compare(b, a) {
			t.Fatal("Compare is not antisymmetric")
		}
		if Compare(a, b) <= 0 && Compare(b, c) <= 0 && Compare(a, c) > 0 {
			t.Fatal("Compare is not transitive")
		}
	})
}

func TestRankScoresPeelsUnderDominates(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SliceOfN(drawScore(rapid.IntRange(0, 3).Draw(t, "m")), 0, 30).Draw(t, "scores")
		got := RankScores(s, nil)
		for i := range s {
			// One more than the worst rank above it.
			want := int32(0)
			for j := range s {
				if Dominates(s[j], s[i]) {
					want = max(want, got[j]+1)
				}
			}
			if got[i] != want {
				t.Fatalf("rank %d = %d, want %d", i, got[i], want)
			}
		}
	})
}
