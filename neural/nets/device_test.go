package nets_test

import (
	"slices"
	"testing"

	"github.com/daedalus-search/daedalus/hardware/device"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/nets"
)

// The models of devices list the layers of NAS-Bench-201 on their own; they are those of
// the networks here: as many convolutions, pools and products, of the same sizes.
func TestDevicesCountTheSameLayers(t *testing.T) {
	r := rng.New(1, "nets/device", 0)
	for k := range 200 {
		var n nets.NASBench201
		var x []uint8
		for i := range n.Ops {
			op := r.IntN(5)
			if k < 5 {
				op = k // the uniform cells
			}
			n.Ops[i] = nets.CellOp(op)
			x = append(x, uint8(op))
		}
		g, err := n.Graph()
		if err != nil {
			t.Fatal(err)
		}
		layers := map[neural.LayerType]device.Op{neural.ConvLayer: device.Conv, neural.MatMulLayer: device.Linear, neural.PoolLayer: device.Pool}
		want := map[device.Op][]float64{}
		for _, w := range g.Workloads() {
			if op, ok := layers[w.Type]; ok {
				want[op] = append(want[op], float64(w.MACs), float64(w.Out))
			}
		}
		got := map[device.Op][]float64{}
		for _, l := range device.NASBench201().Layers(x) {
			switch l.Op {
			case device.Conv, device.Linear:
				got[l.Op] = append(got[l.Op], l.MACs, l.Out)
			case device.Pool: // whose operations are no multiply-accumulates here
				got[l.Op] = append(got[l.Op], 0, l.Out)
			}
		}
		for op := range want {
			slices.Sort(want[op])
			slices.Sort(got[op])
			if !slices.Equal(got[op], want[op]) {
				t.Fatalf("cell %v: the device's layers of kind %s are %v, want %v", n.Ops, op, got[op], want[op])
			}
		}
	}
}
