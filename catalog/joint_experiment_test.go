//go:build experiment

package catalog_test

import (
	"math"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/model"
	"github.com/daedalus-search/daedalus/space"
)

// TestExperimentJoint is what the card of FBNetV3 asks of searching architecture
// and training recipe together: a small net on good and bad wines, 60 trials of
// gbdt-nas on both, on the architecture with the recipe as it comes, and on the
// recipe with the architecture as it comes; squared error on the rows held back.
//
//	go test ./catalog -tags experiment -run ExperimentJoint -v -timeout 0
func TestExperimentJoint(t *testing.T) {
	all := goodWines(t)
	architecture := []space.Node{
		space.Ordinal("layers", 1, 2, 3, 4), space.Ordinal("width", 4, 8, 16, 32, 64), space.Categorical("activation", "silu", "relu", "tanh", "softplus"),
	}
	recipe := []space.Node{
		space.Float("rate", 3e-4, 3e-2).Log(), space.Float("decay", 1e-4, 1).Log(), space.Float("dropout", 0, 0.5), space.Ordinal("batch", 16, 32, 64, 128), space.Ordinal("steps", 100, 200, 400),
	}
	spaces := []struct {
		name  string
		space *space.Space
	}{
		{"joint", space.MustNew(append(append([]space.Node{}, architecture...), recipe...)...)}, {"architecture", space.MustNew(architecture...)}, {"recipe", space.MustNew(recipe...)},
	}
	seeds := seedsOf(10)
	ends := map[string][]float64{}
	for _, s := range spaces {
		ends[s.name] = make([]float64, seeds)
	}
	eachSeed(t, seeds, func(seed int) error {
		order := rng.New(uint64(seed), "joint", 0).Perm(all.Rows())
		third := len(order) / 3
		held, in := all.Select(order[:third]), all.Select(order[third:])
		mean := make([]float64, held.Rows())
		for _, s := range spaces {
			curve, err := minimise(model.GBDTNAS{}, search.Setup{Space: s.space, Seed: uint64(seed)}, 60, func(d space.Design, _ int) float64 {
				net := predict.MLP{Members: 1, Steps: 200, Holdout: -1}
				for name, v := range d.Map() {
					switch name {
					case "layers":
						net.Layers = int(v.(float64))
					case "width":
						net.Width = int(v.(float64))
					case "activation":
						net.Activation = v.(string)
					case "rate":
						net.Rate = v.(float64)
					case "decay":
						net.Decay = v.(float64)
					case "dropout":
						net.Dropout = v.(float64)
					case "batch":
						net.Batch = int(v.(float64))
					case "steps":
						net.Steps = int(v.(float64))
					}
				}
				m, err := net.Fit(t.Context(), in, 1)
				if err != nil {
					t.Error(err)
					return math.Inf(1)
				}
				m.Predict(held.X, mean, nil)
				sum := 0.0
				for i, y := range held.Y {
					sum += (mean[i] - y) * (mean[i] - y)
				}
				return sum / float64(len(mean))
			})
			if err != nil {
				return err
			}
			ends[s.name][seed] = curve[len(curve)-1]
		}
		return nil
	})
	for _, s := range spaces {
		t.Logf("%-12s squared error %s; joint against it: %s", s.name, moments(ends[s.name]), against(ends["joint"], ends[s.name]))
	}
}
