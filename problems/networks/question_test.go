package networks

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train"
)

// What is trained for one question is kept apart from all that would train otherwise, also
// where only the contents of a file differ, and found again by what would not.
func TestDigest(t *testing.T) {
	rhyme, err := os.ReadFile(filepath.Join("testdata", "rhyme.txt"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rhyme.txt")
	digest := func(change func(*Text)) string {
		t.Helper()
		if err := os.WriteFile(path, rhyme, 0o666); err != nil {
			t.Fatal(err)
		}
		o := Text{
			Source:   data.Source{Text: path, Window: 8},
			Networks: nets.TransformerSpace{Dims: []int{8, 16}, Depth: []int{1, 2}, HeadDim: 4, Heads: []int{1, 2}, Ratios: []float64{1, 2}},
			Training: Training{Method: "spos", Train: train.Recipe{Epochs: 1}},
		}
		change(&o)
		p, err := o.New()
		if err != nil {
			t.Fatal(err)
		}
		return p.digest
	}
	same := digest(func(*Text) {})
	for name, c := range map[string]struct {
		change func(*Text)
		same   bool
	}{
		"nothing":  {func(*Text) {}, true},
		"threads":  {func(o *Text) { o.Threads = 3 }, true},
		"latency":  {func(o *Text) { o.Latency.Engine = "none" }, true},
		"finished": {func(o *Text) { o.Finished, o.Finish = 2, &train.Recipe{Epochs: 9} }, true},
		"recipe":   {func(o *Text) { o.Train.Epochs = 2 }, false},
		"space":    {func(o *Text) { o.Networks.Dims = []int{8} }, false},
		"seed":     {func(o *Text) { o.Seed = 1 }, false},
		"contents": {func(*Text) {
			last := rhyme[len(rhyme)-2]
			rhyme[len(rhyme)-2] = rhyme[0] // a character that there is already
			if last == rhyme[0] {
				t.Fatal("the rhyme is as it was")
			}
			if err := os.WriteFile(path, rhyme, 0o666); err != nil {
				t.Fatal(err)
			}
			rhyme[len(rhyme)-2] = last
		}, false},
	} {
		if got := digest(c.change); (got == same) != c.same {
			t.Errorf("another %s: the digest is %s, was %s", name, got, same)
		}
	}
}
