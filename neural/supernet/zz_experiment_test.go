//go:build experiment

package supernet

import ("testing";"os";"strconv"
"github.com/daedalus-search/daedalus/internal/rng"
"github.com/daedalus-search/daedalus/neural/nets"
"github.com/daedalus-search/daedalus/neural/train"
"github.com/daedalus-search/daedalus/space")

func TestZZ(t *testing.T) {
	learn, valid := fashion(t, 9000, 28, 2./3)
	s := must(New(must(nets.MiniOFA().New())))
	dev := device(t)
	lr := must(strconv.ParseFloat(os.Getenv("LR"),64))
	r := train.Recipe{Epochs: 30, Batch: 32, LearningRate: lr, WeightDecay: 1e-4, Augment: []string{"crop 2"}}
	ph := BigNAS(r)
	if os.Getenv("SPOS")!="" {r.Epochs=120; ph=SPOS(r)}
	got := must(Train(t.Context(), Job{Supernet: s, Device: dev, Train: learn, Phases: ph, Residual: os.Getenv("SPOS")=="", Progress: steady(t)}))
	e := &Evaluator{Supernet: s, Params: got.Params, Train: learn, Valid: valid, Scale: got.Scale, Calibrate: 1024}
	acc := func(d space.Design) float64 { return 100 * must(e.Evaluate(t.Context(), d)).Accuracy }
	m := 0.0
	for i := range 30 { m += acc(must(s.Space().Sample(rng.New(5, "between", uint64(i))))) / 30 }
	t.Log(os.Getenv("SPOS"), lr, acc(s.Smallest()), acc(s.Largest()), m)
}
