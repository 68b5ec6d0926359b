package supernet

import (
	"fmt"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train"
)

// miniShrinking shrinks mini-OFA in the order of the paper.
func miniShrinking(largest, kernel, depth, width train.Recipe) Shrinking {
	return Shrinking{Largest: largest, Dimensions: []Dimension{
		{Name: "kernel", Paths: []string{"stage1.layers.kernel", "stage2.layers.kernel"}, Recipes: []train.Recipe{kernel}},
		{Name: "depth", Paths: []string{"stage1.layers", "stage2.layers"}, Recipes: []train.Recipe{depth}, Nets: 2},
		{Name: "expansion", Paths: []string{"stage1.layers.expand", "stage2.layers.expand"}, Recipes: []train.Recipe{width}, Nets: 4, Sort: true},
	}}
}

// Phases open one dimension after the other.
func TestShrinkingPhases(t *testing.T) {
	t.Parallel()
	s := mustNew(t, miniOFA(neural.Shape{1, 8, 8}))
	r := train.Recipe{Epochs: 1}
	phases, err := miniShrinking(r, r, r, r).Phases(s)
	if err != nil {
		t.Fatal(err)
	}
	// 1; kernels of 4 layers; and counts: (2+4)²; all
	for i, want := range []string{"largest 1", "kernel 16", "depth 36", "expansion 400"} {
		n, _ := phases[i].Part.Count()
		if got := fmt.Sprintf("%s %v", phases[i].Name, n); got != want {
			t.Errorf("phase %d: found %s networks, want %s", i+1, got, want)
		}
		all, err := sampler(phases[i]).Sample(rng.New(1, "sample", 0), s, phases[i].Part)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != []int{1, 1, 2, 4}[i] {
			t.Errorf("phase %d: found %d networks a step", i+1, len(all))
		}
		for _, d := range all {
			if d.Space() != s.Space() {
				t.Errorf("phase %d: a design of another space", i+1)
			}
		}
		for j := range i {
			if phases[i].Recipe.Seed == phases[j].Recipe.Seed {
				t.Errorf("phases %d and %d have one seed", i+1, j+1)
			}
		}
	}
	// three options in two phases: two, then three
	transformer := mustNew(t, transformers())
	phases, err = Shrinking{Largest: r, Dimensions: []Dimension{
		{Name: "heads", Paths: []string{"layer.heads"}, Recipes: []train.Recipe{r}},
		{Name: "hidden", Paths: []string{"layer.hidden"}, Recipes: []train.Recipe{r, r}},
		{Name: "layers", Paths: []string{"depth"}, Recipes: []train.Recipe{r}},
	}}.Phases(transformer)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"largest 1", "heads 3", "hidden 1 of 2 6", "hidden 2 of 2 9", "layers 18"} {
		n, _ := phases[i].Part.Count()
		if got := fmt.Sprintf("%s %v", phases[i].Name, n); got != want {
			t.Errorf("phase %d: found %s networks, want %s", i+1, got, want)
		}
	}
}

func TestShrinkingRefuses(t *testing.T) {
	t.Parallel()
	s := mustNew(t, miniOFA(neural.Shape{1, 8, 8}))
	r := []train.Recipe{{}}
	for want, c := range map[string]Shrinking{
		`parameter "stage1.layers.kernel" is in no dimension`: {},
		`no parameter "unit9"`:                                {Dimensions: []Dimension{{Paths: []string{"unit9"}, Recipes: r}}},
		"in a dimension already":                              {Dimensions: []Dimension{{Paths: []string{"stage1.layers", "stage1.layers"}, Recipes: r}}},
		"want at least one of each":                           {Dimensions: []Dimension{{Paths: []string{"stage1.layers"}}}},
	} {
		if _, err := c.Phases(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("found the error %v, want one with %q", err, want)
		}
	}
	cells := mustNew(t, struct{ nets.Family }{cells201(neural.Shape{3, 8, 8}, 4, 1)})
	if _, err := (Shrinking{}).Phases(cells); err == nil || !strings.Contains(err.Error(), "does not name") {
		t.Errorf("found the error %v of a family that is not elastic", err)
	}
}
