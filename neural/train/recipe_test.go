package train

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

func filled(t testing.TB, r Recipe) Recipe {
	t.Helper()
	r, err := r.Filled()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What study files say about defaults and bounds is what the code does.
func TestRecipeTags(t *testing.T) {
	t.Parallel()
	var r Recipe
	source.Defaults(&r)
	if got, want := filled(t, r), filled(t, Recipe{}); !reflect.DeepEqual(got, want) {
		t.Errorf("the defaults of the tags come to\n%+v, want\n%+v", got, want)
	}
	bad := func(field reflect.StructField, index int, x float64) {
		var r Recipe
		v := reflect.ValueOf(&r).Elem().Field(index)
		if v.Kind() == reflect.Int {
			v.SetInt(int64(x))
		} else {
			v.SetFloat(x)
		}
		name := field.Tag.Get("yaml")
		if _, err := r.Filled(); err == nil || !strings.Contains(err.Error(), "recipe: "+name+": found ") {
			t.Errorf("%s = %v gave the error %v", name, v.Interface(), err)
		}
	}
	for i := range reflect.TypeFor[Recipe]().NumField() {
		f := reflect.TypeFor[Recipe]().Field(i)
		if f.Tag.Get("yaml") == "" || f.Tag.Get("doc") == "" {
			t.Errorf("field %s has no name or no description in study files", f.Name)
		}
		if f.Type.Kind() != reflect.Float64 && f.Type.Kind() != reflect.Int {
			continue
		}
		if f.Tag.Get("min") == "" {
			t.Errorf("field %s has no least value", f.Name)
		}
		bad(f, i, -1)
		text, open := strings.CutPrefix(f.Tag.Get("max"), "<")
		if text == "" {
			continue
		}
		limit, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		if open {
			bad(f, i, limit)
		}
		bad(f, i, limit+1)
		if f.Type.Kind() == reflect.Float64 {
			bad(f, i, math.NaN())
			bad(f, i, math.Inf(1))
		}
	}
}

func TestRecipeWords(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]Recipe{
		`optimizer: found "adam", want one of sgd, momentum, plain, adamw; did you mean adamw?`: {Optimizer: "adam"},
		`schedule: found "cosin"`: {Schedule: "cosin"},
		"augment: ":               {Augment: []string{"nonsense"}},
		"clip: found NaN":         {Clip: math.NaN()},
	} {
		if _, err := r.Filled(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q in it", err, want)
		}
	}
	if _, err := (Recipe{Batch: -1, Epochs: -1}).Filled(); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("two mistakes gave %v", err)
	}
}

func TestRecipeForms(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]engine.Optimizer{
		"":         {Kind: engine.SGD, Momentum: 0.9},
		"sgd":      {Kind: engine.SGD, Momentum: 0.9},
		"momentum": {Kind: engine.SGD, Momentum: 0.9, Plain: true},
		"plain":    {Kind: engine.SGD},
		"adamw":    {Kind: engine.AdamW, Momentum: 0.9},
	} {
		if got := filled(t, Recipe{Optimizer: name}).optimizer(); got != want {
			t.Errorf("optimizer %q is %+v, want %+v", name, got, want)
		}
	}
	if a, b := filled(t, Recipe{}).LearningRate, filled(t, Recipe{Optimizer: "adamw"}).LearningRate; a != 0.05 || b != 0.001 {
		t.Errorf("learning rates %v and %v", a, b)
	}
	r := filled(t, Recipe{Distill: 0.25, Temperature: 4, Smoothing: 0.1})
	if got, want := r.loss(true), (engine.Loss{Smoothing: 0.1, Labels: 0.75, Imitate: 0.25, Temperature: 4}); got != want {
		t.Errorf("with a teacher %+v, want %+v", got, want)
	}
	if got, want := r.loss(false), (engine.Loss{Smoothing: 0.1}); got != want {
		t.Errorf("without a teacher %+v, want %+v", got, want)
	}
}

func TestLength(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		epochs   float64
		batch, n int
		want     Length
	}{
		{2, 64, 640, Length{64, 10, 20}},
		{2, 64, 703, Length{64, 10, 20}}, // what fills no batch waits for another epoch
		{0.25, 64, 640, Length{64, 10, 3}},
		{0.001, 64, 640, Length{64, 10, 1}},
		{3, 64, 10, Length{10, 1, 3}}, // fewer examples than a batch
		{1, 1, 1, Length{1, 1, 1}},
	} {
		r := filled(t, Recipe{Epochs: c.epochs, Batch: c.batch})
		if got := r.Length(c.n); got != c.want {
			t.Errorf("%v epochs of %d in batches of %d: %+v, want %+v", c.epochs, c.n, c.batch, got, c.want)
		}
	}
}

func TestScheduleValues(t *testing.T) {
	t.Parallel()
	l := Length{Batch: 1, PerEpoch: 10, Steps: 100}
	for name, want := range map[string][]float64{ // at steps 0, 25, 50, 75, 99
		"constant": {1, 1, 1, 1, 1},
		"linear":   {1, 0.75, 0.5, 0.25, 0.01},
		// (1 + cos(π·t))/2
		"cosine": {1, 0.8535533905932737, 0.5, 0.14644660940672624, 0.00024671981713419964},
		"step":   {1, 1, 0.1, 0.01, 0.01},
		// 0.97^(350/2.4·t), at least 0.05
		"exponential": {1, math.Pow(0.97, 350/2.4/4), math.Pow(0.97, 350/2.4/2), 0.05, 0.05},
	} {
		r := filled(t, Recipe{Schedule: name, LearningRate: 2})
		for i, step := range []int64{0, 25, 50, 75, 99} {
			if got := r.Rate(step, l); math.Abs(got-2*want[i]) > 1e-15 {
				t.Errorf("%s: step %d has the learning rate %v, want %v", name, step, got, 2*want[i])
			}
		}
	}
	if got := detmath.Log(0.97) * 350 / 2.4; math.Abs(got-logRatio) > 1e-15 {
		t.Errorf("logRatio is %v, want %v", logRatio, got)
	}
	r := filled(t, Recipe{Schedule: "cosine", LearningRate: 2, Warmup: 2})
	for step, want := range map[int64]float64{0: 0.1, 1: 0.2, 18: 1.9, 19: 2, 20: 2, 60: 1} {
		if got := r.Rate(step, l); math.Abs(got-want) > 1e-15 {
			t.Errorf("with a warm-up of 20 steps, step %d has the learning rate %v, want %v", step, got, want)
		}
	}
	r = filled(t, Recipe{LearningRate: 2, Warmup: 1000})
	if got := r.Rate(99, l); got != 2 {
		t.Errorf("a warm-up that is as long as the training ends at %v, want 2", got)
	}
	ramp := filled(t, Recipe{DropRamp: true})
	if a, b, c := ramp.Drop(0, l), ramp.Drop(50, l), filled(t, Recipe{}).Drop(0, l); a != 0 || b != 0.5 || c != 1 {
		t.Errorf("drop is %v and %v with a ramp, want 0 and 0.5; %v without, want 1", a, b, c)
	}
}

// Rates rise to the largest and fall from there, whatever the numbers.
func TestScheduleLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := Length{1, rapid.Int64Range(1, 50).Draw(t, "per epoch"), rapid.Int64Range(1, 200).Draw(t, "steps")}
		r := Recipe{
			LearningRate: rapid.Float64Range(1e-6, 10).Draw(t, "rate"),
			Schedule:     rapid.SampledFrom(scheduleNames()).Draw(t, "schedule"),
			Warmup:       rapid.Float64Range(0, 5).Draw(t, "warm-up"),
		}
		warm := min(int64(math.Round(r.Warmup*float64(l.PerEpoch))), l.Steps)
		last := 0.0
		for step := range l.Steps {
			x := r.Rate(step, l)
			switch {
			case !(x > 0 && x <= r.LearningRate):
				t.Fatalf("step %d of %d: %v, want more than 0 and at most %v", step, l.Steps, x, r.LearningRate)
			case step == warm && x != r.LearningRate:
				t.Fatalf("step %d, the first after the warm-up: %v, want %v", step, x, r.LearningRate)
			case step > 0 && step < warm && x <= last, step > warm && x > last:
				t.Fatalf("step %d of %d, %d of them warm-up: %v after %v", step, l.Steps, warm, x, last)
			}
			last = x
		}
	})
}

func TestCosine(t *testing.T) {
	t.Parallel()
	for k := range 10_001 {
		x := float64(k) / 10_000
		if got, want := cosine(x), (1+math.Cos(math.Pi*x))/2; math.Abs(got-want) > 5e-16 {
			t.Fatalf("(1 + cos(π·%v))/2 is %v, want %v", x, got, want)
		}
	}
	if cosine(0) != 1 || cosine(1) != 0 {
		t.Errorf("it goes from %v to %v, want from 1 to 0", cosine(0), cosine(1))
	}
}

func TestRecipeDifference(t *testing.T) {
	t.Parallel()
	a := filled(t, Recipe{Augment: []string{}})
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	var b Recipe
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	if field, x, y := a.difference(b); field != "" {
		t.Errorf("after JSON, %s is %v, was %v", field, y, x)
	}
	b.Clip = 5
	if field, x, y := a.difference(b); field != "clip" || x != 0.0 || y != 5.0 {
		t.Errorf("the difference is %s: %v and %v", field, x, y)
	}
}
