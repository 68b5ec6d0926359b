package device_test

import (
	"testing"

	"github.com/daedalus-search/daedalus/hardware/device"
	"github.com/daedalus-search/daedalus/internal/rng"
)

// Layer look-ups of an additive model: networks of 22 layers.
func BenchmarkAdditive(b *testing.B) {
	fit, _ := split(fbnet(b).Of("pixel2"), 1000)
	m, err := device.AdditiveOptions{}.Fit(fit)
	if err != nil {
		b.Fatal(err)
	}
	sum, i := 0.0, 0
	for b.Loop() {
		sum += m.LatencyMS(fit.Network(i))
		if i++; i == len(fit.MS) {
			i = 0
		}
	}
	if sum < 0 {
		b.Fatal(sum)
	}
	b.ReportMetric(22*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mlayers/s")
}

// Layer look-ups of an interpolated table.
func BenchmarkLayerTable(b *testing.B) {
	h, _ := device.Datasheet("pixel2")
	roof, err := device.NewRoofline(device.FBNet(), h, 1, device.FP32)
	if err != nil {
		b.Fatal(err)
	}
	var times []device.LayerTime
	var layers []device.Layer
	r := rng.New(1, "bench/layers", 0)
	for n := range 40 {
		x := make([]uint8, 22)
		for i := range x {
			x[i] = uint8(r.IntN(9))
		}
		for _, l := range device.FBNet().Layers(x) {
			ms, _ := roof.LayerMS(l)
			if n < 10 {
				times = append(times, device.LayerTime{Op: l.Op, MACs: l.MACs, Bytes: l.Bytes(1, device.FP32), MS: ms})
			}
			layers = append(layers, l)
		}
	}
	table, err := device.NewLayerTable(times)
	if err != nil {
		b.Fatal(err)
	}
	sum, i := 0.0, 0
	for b.Loop() {
		l := &layers[i]
		ms, _, _ := table.Lookup(l.Op, l.MACs, l.Bytes(1, device.FP32))
		sum += ms
		if i++; i == len(layers) {
			i = 0
		}
	}
	if sum < 0 {
		b.Fatal(sum)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mlayers/s")
}

// Layers under a fitted roofline.
func BenchmarkRooflineLayer(b *testing.B) {
	h, _ := device.Datasheet("pixel2")
	roof, err := device.NewRoofline(device.FBNet(), h, 1, device.FP32)
	if err != nil {
		b.Fatal(err)
	}
	layers := device.FBNet().Layers(make([]uint8, 22))
	sum, i := 0.0, 0
	for b.Loop() {
		ms, _ := roof.LayerMS(layers[i])
		sum += ms
		if i++; i == len(layers) {
			i = 0
		}
	}
	if sum < 0 {
		b.Fatal(sum)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mlayers/s")
}

// A device predicted from 26 others.
func BenchmarkTransferred(b *testing.B) {
	m := fbnet(b)
	var pool []device.Model
	for _, d := range m.Devices {
		if d != "pixel2" {
			fit, _ := split(m.Of(d), 1000)
			a, err := device.AdditiveOptions{}.Fit(fit)
			if err != nil {
				b.Fatal(err)
			}
			pool = append(pool, a)
		}
	}
	few, _ := split(m.Of("pixel2"), 10)
	t, err := device.TransferOptions{}.Fit(pool, few)
	if err != nil {
		b.Fatal(err)
	}
	x := few.Network(0)
	for b.Loop() {
		t.LatencyMS(x)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "networks/s")
}
