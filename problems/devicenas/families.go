package devicenas

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/daedalus-search/daedalus/hardware/device"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problems/nasbench201"
	"github.com/daedalus-search/daedalus/problems/tables"
)

var families = map[string]func() (*family, error){"nasbench201": sync.OnceValues(nb201), "fbnet": sync.OnceValues(fbnet)}

// once makes a model of a device when it is first asked for, and keeps it.
func once(make func(name string) (device.Model, error)) func(string) (device.Model, error) {
	type entry struct {
		sync.Once
		m   device.Model
		err error
	}
	var all sync.Map
	return func(name string) (device.Model, error) {
		v, _ := all.LoadOrStore(name, &entry{})
		e := v.(*entry)
		e.Do(func() { e.m, e.err = make(name) })
		return e.m, e.err
	}
}

// seenNetworks is how many networks were measured of each known device, as HELP
// has it: 900.
const seenNetworks = 900

func cellOf(x []uint8) nasbench201.Cell {
	c := nasbench201.Cell(0)
	for _, v := range x {
		c = 5*c + nasbench201.Cell(v)
	}
	return c
}

// drawn returns connected cells at random.
func drawn(n int, purpose string, seed uint64) []uint8 {
	var out []uint8
	for _, i := range rng.New(seed, purpose, 0).Perm(nasbench201.Cells) {
		c := nasbench201.Cell(i)
		if !c.Connected() {
			continue
		}
		for _, op := range c.Ops() {
			out = append(out, uint8(op))
		}
		if n--; n == 0 {
			break
		}
	}
	return out
}

func nb201() (*family, error) {
	s := device.NASBench201()
	return &family{
		space: s, devices: nasbench201.Devices(),
		truth: once(func(name string) (device.Model, error) {
			ms, err := nasbench201.Latencies(name)
			if err != nil {
				return nil, err
			}
			return device.NewTable(s, name, ms)
		}),
		known: once(func(name string) (device.Model, error) {
			ms, err := nasbench201.Latencies(name)
			if err != nil {
				return nil, err
			}
			t := device.Timings{Space: s, Device: name, X: drawn(seenNetworks, "device-nas/known", 0)}
			for i := range seenNetworks {
				t.MS = append(t.MS, ms[cellOf(t.Network(i))])
			}
			return device.AdditiveOptions{Robust: true}.Fit(t)
		}),
		sample: func(seed uint64) []uint8 { return drawn(1000, "device-nas/sample", seed) },
		dead: func(x []uint8) string {
			if cellOf(x).Connected() {
				return ""
			}
			return "nothing of the input reaches the output of the cell, so the network computes a constant"
		},
		verified: "measured_ms", about: "latency as it was measured on %s",
		metrics: func(dataset string) ([]metric.Metric, func([]uint8, metric.Values), error) {
			accuracy, err := nasbench201.Accuracies(nasbench201.Dataset(dataset), nasbench201.Valid12)
			if err != nil {
				return nil, nil, err
			}
			return []metric.Metric{
					{Name: "accuracy", Unit: "%", Direction: metric.Maximize, Doc: "validation accuracy on " + dataset + " after 12 epochs of training"},
					{Name: "params_m", Unit: "M", Direction: metric.Minimize, Doc: "trainable parameters, computed from the macro skeleton"},
					{Name: "macs_m", Unit: "M", Direction: metric.Minimize, Doc: "multiply-accumulate operations for one image, computed from the macro skeleton"},
				}, func(x []uint8, v metric.Values) {
					c := cellOf(x)
					v["accuracy"] = accuracy[c]
					v["params_m"] = float64(c.Params(nasbench201.Dataset(dataset))) / 1e6
					v["macs_m"] = float64(c.FLOPs(nasbench201.Dataset(dataset))) / 1e6
				}, nil
		},
		judge: func(dataset string) (*metric.Metric, func([]uint8) float64, error) {
			test, err := nasbench201.Accuracies(nasbench201.Dataset(dataset), nasbench201.Test200)
			if err != nil {
				return nil, nil, err
			}
			return &metric.Metric{Name: "test_accuracy", Unit: "%", Direction: metric.Maximize, Doc: "test accuracy on " + dataset + " after 200 epochs of training, mean over the seeds"},
				func(x []uint8) float64 { return test[cellOf(x)] }, nil
		},
	}, nil
}

// fbnet takes its devices from the sums of package tables, so that no data are
// in the program twice.
func fbnet() (*family, error) {
	s := device.FBNet()
	var devices []string
	for _, d := range nasbench201.Devices() { // the same hardware, with batches of 64 instead of 256
		if h, ok := strings.CutSuffix(d, "_256"); ok {
			d = h + "_64"
		}
		devices = append(devices, d)
	}
	sums := once(func(name string) (device.Model, error) { return fbnetSum(s, name) })
	places := len(s.Places())
	return &family{
		space: s, devices: devices, truth: sums, known: sums,
		sample:   func(seed uint64) []uint8 { return uniform(s, 1000, "device-nas/sample", seed) },
		dead:     func([]uint8) string { return "" },
		verified: "table_ms", about: "latency on %s by a sum over the layers fitted to 5,000 timed networks",
		metrics: func(string) ([]metric.Metric, func([]uint8, metric.Values), error) {
			// The layers of a place depend on its setting alone.
			macs, params := make([]float64, places*9), make([]float64, places*9)
			total := func(x []uint8) (m, w float64) {
				for _, l := range s.Layers(x) {
					if l.Op <= device.Linear {
						m += l.MACs / 1e6
						w += l.Weights / 1e6
					}
				}
				return m, w
			}
			x := make([]uint8, places)
			m0, w0 := total(x)
			for i := range places {
				for k := range 9 {
					x[i] = uint8(k)
					m, w := total(x)
					macs[9*i+k], params[9*i+k] = m-m0, w-w0
				}
				x[i] = 0
			}
			return []metric.Metric{
					{Name: "macs_m", Unit: "M", Direction: metric.Maximize, Doc: "multiply-accumulate operations for one image, as a stand-in for capacity"},
					{Name: "params_m", Unit: "M", Direction: metric.Minimize, Doc: "weights of convolutions and the classifier"},
				}, func(x []uint8, v metric.Values) {
					m, w := m0, w0
					for i, k := range x {
						m += macs[9*i+int(k)]
						w += params[9*i+int(k)]
					}
					v["macs_m"], v["params_m"] = m, w
				}, nil
		},
		judge: func(string) (*metric.Metric, func([]uint8) float64, error) { return nil, nil, nil },
	}, nil
}

func uniform(s *device.Space, n int, purpose string, seed uint64) []uint8 {
	r := rng.New(seed, purpose, 0)
	var out []uint8
	for range n {
		for _, p := range s.Places() {
			out = append(out, uint8(r.IntN(len(p.Settings))))
		}
	}
	return out
}

// fbnetSum reads the terms of a sum off the problem that holds it: what changes
// when one layer does.
func fbnetSum(s *device.Space, name string) (device.Model, error) {
	t, err := tables.FBNet{Device: name}.New()
	if err != nil {
		return nil, err
	}
	places := s.Places()
	network := map[string]any{}
	for _, p := range places {
		network[p.Name] = p.Settings[0]
	}
	latency := func() (float64, error) {
		d, err := t.Space().FromMap(network)
		if err != nil {
			return 0, fmt.Errorf("device-nas: fbnet: %w", err)
		}
		v, err := t.Evaluate(context.Background(), d, nil)
		return v["latency_ms"], err
	}
	base, err := latency()
	if err != nil {
		return nil, err
	}
	var worth []float64
	for _, p := range places {
		for _, setting := range p.Settings {
			network[p.Name] = setting
			v, err := latency()
			if err != nil {
				return nil, err
			}
			worth = append(worth, v-base)
		}
		network[p.Name] = p.Settings[0]
	}
	return device.NewAdditive(s, name, base, worth, false)
}
