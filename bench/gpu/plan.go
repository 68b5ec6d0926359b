package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
)

// A plan is all that another program needs to do the same training: it lies in a folder,
// beside files of images, classes, weights and the order of examples.
type plan struct {
	Format      string    `json:"format"`
	Batch       int       `json:"batch"`
	Block       int       `json:"block"` // batch of statistics and evaluations
	Every       int       `json:"every"`
	Momentum    float64   `json:"momentum"` // Nesterov's
	WeightDecay float64   `json:"weight_decay"`
	Temperature float64   `json:"temperature"`
	Height      int       `json:"height"`
	Width       int       `json:"width"`
	Mean        float32   `json:"mean"` // of images from 0 to 1
	Std         float32   `json:"std"`
	Images      planSizes `json:"images"`
	Trained     int       `json:"trained"` // networks: the first ones
	Truth       []float64 `json:"truth"`
	// Networks are those that are ranked, as neural.Graph writes them.
	Networks []*neural.Graph `json:"networks"`
	// Weights of the supernet, in the order of weights.bin, float32.
	Weights []planWeight `json:"weights"`
	Steps   []planStep   `json:"steps"`
}

type planSizes struct {
	Train     int `json:"train"`
	Calibrate int `json:"calibrate"`
	Valid     int `json:"valid"`
}

type planWeight struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
}

// A planStep is what a step trains, and how far it goes.
type planStep struct {
	Networks []int   `json:"networks"`
	Rate     float64 `json:"rate"`
}

const planFormat = "daedalus-bench-plan/1"

// files returns the files of the plan of a setup: plan.json, and what it says of.
func (e *setup) files(w neural.Weights) (map[string][]byte, error) {
	scale := e.learn.Scale()
	p := &plan{
		Format: planFormat, Batch: e.recipe.Batch, Block: block, Every: e.every,
		Momentum: e.recipe.Momentum, WeightDecay: e.recipe.WeightDecay, Temperature: e.recipe.Temperature,
		Height: e.learn.Height, Width: e.learn.Width, Mean: scale.Mean[0], Std: scale.Std[0],
		Images:  planSizes{e.learn.Len(), e.steady.Len(), e.valid.Len()},
		Trained: e.trained,
	}
	out := map[string][]byte{}
	for i, d := range e.truth.designs {
		g, err := e.s.Graph(d)
		if err != nil {
			return nil, err
		}
		p.Networks = append(p.Networks, g)
		p.Truth = append(p.Truth, e.truth.Networks[i].mean())
	}
	for _, t := range e.s.All().AllWeights() {
		if !t.State {
			p.Weights = append(p.Weights, planWeight{t.Name, t.Shape.Sizes()})
			out["weights.bin"] = appendNumbers(out["weights.bin"], w[t.Name])
		}
	}
	l, err := e.loader()
	if err != nil {
		return nil, err
	}
	b, length := l.NewBatch(), e.length()
	for step := range e.steps {
		designs, err := e.sample(step)
		if err != nil {
			return nil, err
		}
		s := planStep{Rate: e.recipe.Rate(int64(step), length)}
		for _, d := range designs {
			s.Networks = append(s.Networks, slices.Index(e.truth.designs, d))
		}
		p.Steps = append(p.Steps, s)
		l.Fill(b, step/int(length.PerEpoch), step%int(length.PerEpoch))
		out["order.bin"] = appendNumbers(out["order.bin"], b.Index)
	}
	for name, s := range map[string]*data.Set{"train": e.learn, "calibrate": e.steady, "valid": e.valid} {
		for i := range s.Len() {
			out[name+"-images.bin"] = append(out[name+"-images.bin"], s.Image(i)...)
			out[name+"-classes.bin"] = append(out[name+"-classes.bin"], byte(s.Class(i)))
		}
	}
	out["plan.json"], err = json.Marshal(p)
	return out, err
}

// appendNumbers appends little-endian numbers.
func appendNumbers[T float32 | int32](to []byte, x []T) []byte {
	to, err := binary.Append(to, binary.LittleEndian, x)
	if err != nil {
		panic(err) // numbers of these types have a size
	}
	return to
}

// planDigest tells plans apart.
func planDigest(files map[string][]byte) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		sum := sha256.Sum256(files[name])
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// writePlan writes the files of a plan into a folder, and its digest.
func writePlan(folder string, files map[string][]byte) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(folder, "digest"), []byte(planDigest(files)+"\n"), 0o644)
}
