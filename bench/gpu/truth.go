package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"reflect"

	"github.com/daedalus-search/daedalus/internal/atomicfile"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/supernet"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/neural/train/engine"
	"github.com/daedalus-search/daedalus/space"
)

// A truth is what networks reach when each is trained by itself.
type truth struct {
	Format string      `json:"format"`
	What   string      `json:"what"`
	Data   string      `json:"data"` // digest of the training and the test images
	Recipe aloneRecipe `json:"recipe"`
	// Networks are the largest, the smallest and others that were drawn.
	Networks []known `json:"networks"`

	designs []space.Design // of Networks
}

// An aloneRecipe is what each network is trained by: package train's defaults beside it.
type aloneRecipe struct {
	Epochs       float64 `json:"epochs"`
	Batch        int     `json:"batch"`
	LearningRate float64 `json:"learning_rate"`
	WeightDecay  float64 `json:"weight_decay"`
}

// A known network and its test accuracies in percent, one for each seed from 1.
type known struct {
	Design   json.RawMessage `json:"design"`
	Params   int64           `json:"params"`
	MACs     int64           `json:"macs"`
	Accuracy []float64       `json:"accuracy"`
}

func (k known) mean() float64 {
	sum := 0.0
	for _, x := range k.Accuracy {
		sum += x / float64(len(k.Accuracy))
	}
	return sum
}

const truthFormat = "daedalus-bench-truth/1"

// compared is how many networks are compared by their ranks.
const compared = 32

// family returns the supernet that everything here is about.
func family() (*supernet.Supernet, error) {
	f, err := nets.MiniOFA().New()
	if err != nil {
		return nil, err
	}
	return supernet.New(f)
}

// readTruth reads a table of stand-alone accuracies.
func readTruth(path string, s *supernet.Supernet) (*truth, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t := &truth{}
	r := json.NewDecoder(bytes.NewReader(text))
	r.DisallowUnknownFields()
	if err := r.Decode(t); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if t.Format != truthFormat {
		return nil, fmt.Errorf("%s: format: found %q, want %q", path, t.Format, truthFormat)
	}
	for i, k := range t.Networks {
		d, err := s.Space().ParseJSON(k.Design)
		if err != nil {
			return nil, fmt.Errorf("%s: network %d: %w", path, i+1, err)
		}
		if want := []space.Design{s.Largest(), s.Smallest()}; i < len(want) && d != want[i] {
			return nil, fmt.Errorf("%s: network %d: found %s, want %s: the largest and the smallest network come first", path, i+1, d, want[i])
		}
		for _, x := range k.Accuracy {
			if !(x >= 0 && x <= 100) {
				return nil, fmt.Errorf("%s: network %d: accuracy: found %v, want 0 to 100", path, i+1, x)
			}
		}
		t.designs = append(t.designs, d)
	}
	return t, nil
}

// complete reports networks without accuracies, or with fewer than others, and a table
// about other images.
func (t *truth) complete(path, of string) error {
	if len(t.Networks) < 3 {
		return fmt.Errorf("%s: found %d networks, want 3 or more", path, len(t.Networks))
	}
	for i, k := range t.Networks {
		if n, want := len(k.Accuracy), max(1, len(t.Networks[0].Accuracy)); n != want {
			return fmt.Errorf("%s: network %d of %d: found %d accuracies, want %d; go on with -make-truth", path, i+1, len(t.Networks), n, want)
		}
	}
	if t.Data != of {
		return fmt.Errorf("%s: found the truth about images of digest %s, want that about %s", path, t.Data, of)
	}
	return nil
}

// drawn returns the networks that are compared.
func drawn(s *supernet.Supernet, n int) ([]space.Design, error) {
	designs := []space.Design{s.Largest(), s.Smallest()}
	seen := map[space.Design]bool{s.Largest(): true, s.Smallest(): true}
	for i := uint64(0); len(designs) < n; i++ {
		d, err := s.Space().Sample(rng.New(1, "bench/gpu/networks", i))
		if err != nil {
			return nil, err
		}
		if !seen[d] {
			seen[d] = true
			designs = append(designs, d)
		}
	}
	return designs, nil
}

// makeTruth trains networks by themselves, and writes the table after each. It goes on
// with a table that is there and was made in the same way.
func makeTruth(ctx context.Context, path string, s *supernet.Supernet, dev *engine.Device, learn, test *data.Set, r aloneRecipe, networks, seeds int, out io.Writer) error {
	designs, err := drawn(s, networks)
	if err != nil {
		return err
	}
	t := &truth{
		Format: truthFormat,
		What:   "test accuracy in percent of networks of mini-OFA, each trained by itself on 20,000 images of Fashion-MNIST",
		Data:   digest(learn, test), Recipe: r,
	}
	old, err := readTruth(path, s)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case old.Data != t.Data || !reflect.DeepEqual(old.Recipe, r):
		return fmt.Errorf("%s: found a table of the recipe %+v on images of digest %s, want %+v on %s; move it away to make another", path, old.Recipe, old.Data, r, t.Data)
	}
	for _, d := range designs {
		g, err := s.Graph(d)
		if err != nil {
			return err
		}
		k := known{Design: d.AppendJSON(nil), Params: g.Cost().Params, MACs: g.Cost().MACs, Accuracy: []float64{}}
		for i := range old.networks() {
			if old.designs[i] == d {
				k.Accuracy = old.Networks[i].Accuracy
			}
		}
		t.Networks = append(t.Networks, k)
	}
	t.designs = designs
	for seed := range seeds {
		for i, d := range designs {
			k := &t.Networks[i]
			if len(k.Accuracy) > seed {
				continue
			}
			alone := s.Alone(ctx, train.Job{Device: dev, Train: learn, Valid: test, Recipe: train.Recipe{
				Epochs: r.Epochs, Batch: r.Batch, LearningRate: r.LearningRate, WeightDecay: r.WeightDecay, Seed: uint64(seed + 1),
			}})
			x, err := alone(d)
			if err != nil {
				return fmt.Errorf("network %d, seed %d: %w", i+1, seed+1, err)
			}
			k.Accuracy = append(k.Accuracy, math.Round(100*x)/100)
			if err := t.write(path); err != nil {
				return err
			}
			fmt.Fprintf(out, "network %2d of %d, seed %d of %d: %.2f %%, %d parameters\n", i+1, len(designs), seed+1, seeds, x, k.Params)
		}
	}
	return t.reliability(out)
}

// networks are those of a table, none of none.
func (t *truth) networks() []known {
	if t == nil {
		return nil
	}
	return t.Networks
}

// reliability writes how well the ranks of two seeds agree: no predictor can be expected
// to do better.
func (t *truth) reliability(out io.Writer) error {
	seeds := len(t.Networks[0].Accuracy)
	for _, k := range t.Networks {
		seeds = min(seeds, len(k.Accuracy))
	}
	column := func(seed int) (x []float64) {
		for _, k := range t.Networks {
			x = append(x, k.Accuracy[seed])
		}
		return x
	}
	for a := range seeds {
		for b := range a {
			if _, err := fmt.Fprintf(out, "Kendall of seeds %d and %d: %.3f\n", b+1, a+1, metric.Kendall(column(a), column(b))); err != nil {
				return err
			}
		}
	}
	return nil
}

// weightsOf are the weights that training starts from.
func weightsOf(s *supernet.Supernet, seed uint64) (neural.Weights, error) {
	return s.Initial(rng.New(seed, "supernet/initial", 0), true)
}

// write writes the table with a line for each network.
func (t *truth) write(path string) error {
	head := *t
	head.Networks = []known{}
	text, err := json.MarshalIndent(head, "", "  ")
	if err != nil {
		return err
	}
	text = bytes.TrimSuffix(text, []byte("]\n}"))
	for i, k := range t.Networks {
		line, err := json.Marshal(k)
		if err != nil {
			return err
		}
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(text, "\n    "...), line...)
	}
	return atomicfile.WriteFile(path, append(text, "\n  ]\n}\n"...))
}

func writeJSON(path string, x any) error {
	text, err := json.MarshalIndent(x, "", " ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(path, append(text, '\n'))
}
