package device

import (
	"fmt"
	"math"
	"slices"
)

// Hardware is what a datasheet promises of a device.
type Hardware struct {
	Name         string              `json:"name"`
	Kind         string              `json:"kind"`          // cpu, gpu or phone
	PeakGOPS     [precisions]float64 `json:"peak_gops"`     // by [Precision], a multiplication and an addition being two; 0 where it is not stated
	BandwidthGBs float64             `json:"bandwidth_gbs"` // to memory
	Source       string              `json:"source"`
}

// Check says what is wrong with the numbers.
func (h Hardware) Check() error {
	if h.Name == "" {
		return fmt.Errorf("device: hardware without a name")
	}
	peaks := 0
	for p, v := range h.PeakGOPS {
		if !(v >= 0 && v <= math.MaxFloat64) {
			return fmt.Errorf("device: %s: peak for %s: found %v billion operations a second, want a positive number, or 0 where there is none", h.Name, Precision(p), v)
		}
		if v > 0 {
			peaks++
		}
	}
	if peaks == 0 {
		return fmt.Errorf("device: %s: no peak for any precision; want at least that of one", h.Name)
	}
	if !(h.BandwidthGBs > 0 && h.BandwidthGBs <= math.MaxFloat64) {
		return fmt.Errorf("device: %s: bandwidth: found %v GB/s, want a positive number", h.Name, h.BandwidthGBs)
	}
	return nil
}

// gpu is cores × GHz × 2 in single precision and its multiples in the others,
// and bits of the memory bus × Gbit/s / 8.
func gpu(name string, cores, ghz, fp16, int8 float64, bus, gbits float64, source string) Hardware {
	peak := cores * ghz * 2
	return Hardware{name, "gpu", [precisions]float64{peak, peak * fp16, peak * int8}, bus * gbits / 8, source}
}

// xeon is cores × base GHz × units × 16 lanes × 2, and channels × MT/s × 8 bytes.
func xeon(name string, cores, ghz, units, channels, mts float64, source string) Hardware {
	return Hardware{name, "cpu", [precisions]float64{FP32: cores * ghz * units * 16 * 2}, channels * mts * 8 / 1000, source}
}

// arm is large cores × GHz × lanes of 32 bits that multiply and add each cycle ×
// 2; the small cores are left out, on which inference gains little.
func arm(name, kind string, cores, ghz, lanes, bandwidth float64, source string) Hardware {
	return Hardware{name, kind, [precisions]float64{FP32: cores * ghz * lanes * 2}, bandwidth, source}
}

// Datasheets returns what the makers say of the devices that HELP timed. The
// peaks of processors are at their base clock and those of graphics cards at
// their boost clock, so a fitted factor may fall below 1.
//
// There is none for eyeriss and fpga, which were modelled and not measured.
func Datasheets() []Hardware {
	return []Hardware{
		gpu("1080ti", 3584, 1.582, 1.0/64, 4, 352, 11, "NVIDIA GeForce GTX 1080 Ti, specifications: 3584 cores, 1582 MHz boost, 352 bits at 11 Gbit/s; FP16 and INT8 rates of compute capability 6.1, CUDA C++ programming guide, arithmetic instructions"),
		gpu("titanx", 3584, 1.531, 1.0/64, 4, 384, 10, "NVIDIA TITAN X (Pascal), specifications: 3584 cores, 1531 MHz boost, 384 bits at 10 Gbit/s; HELP says only Titan X, taken to be this one"),
		gpu("titanxp", 3840, 1.582, 1.0/64, 4, 384, 11.4, "NVIDIA TITAN Xp, specifications: 3840 cores, 1582 MHz boost, 384 bits at 11.4 Gbit/s"),
		gpu("2080ti", 4352, 1.545, 2, 4, 352, 14, "NVIDIA Turing GPU architecture whitepaper (2018), table 1, GeForce RTX 2080 Ti reference: 4352 cores, 1545 MHz boost, 352 bits at 14 Gbit/s; without tensor cores"),
		gpu("titan_rtx", 4608, 1.770, 2, 4, 384, 14, "NVIDIA TITAN RTX, specifications: 4608 cores, 1770 MHz boost, 384 bits at 14 Gbit/s; without tensor cores"),
		gpu("v100", 5120, 1.530, 2, 4, 4096, 1.755, "NVIDIA Tesla V100 datasheet (SXM2): 5120 cores, 1530 MHz boost, 900 GB/s; without tensor cores"),
		xeon("gold_6226", 12, 2.7, 2, 6, 2933, "Intel Xeon Gold 6226, ark.intel.com: 12 cores, 2.7 GHz, 2 AVX-512 FMA units, 6 × DDR4-2933"),
		xeon("gold_6240", 18, 2.6, 2, 6, 2933, "Intel Xeon Gold 6240, ark.intel.com: 18 cores, 2.6 GHz, 2 AVX-512 FMA units, 6 × DDR4-2933"),
		xeon("silver_4114", 10, 2.2, 1, 6, 2400, "Intel Xeon Silver 4114, ark.intel.com: 10 cores, 2.2 GHz, 1 AVX-512 FMA unit, 6 × DDR4-2400"),
		xeon("silver_4210r", 10, 2.4, 1, 6, 2400, "Intel Xeon Silver 4210R, ark.intel.com: 10 cores, 2.4 GHz, 1 AVX-512 FMA unit, 6 × DDR4-2400"),
		arm("raspi4", "cpu", 4, 1.5, 4, 12.8, "Raspberry Pi 4 Model B, product brief: 4 Cortex-A72 at 1.5 GHz, LPDDR4-3200 on 32 bits; one quad FMA a cycle, Arm Cortex-A72 software optimisation guide"),
		arm("pixel2", "phone", 4, 2.35, 4, 29.8, "Snapdragon 835, product brief: 4 large Kryo 280 at 2.35 GHz in this phone, LPDDR4X-3733 on 64 bits; two double FMA a cycle as in Cortex-A73"),
		arm("essential_ph", "phone", 4, 2.45, 4, 29.8, "Snapdragon 835, product brief: 4 large Kryo 280 at 2.45 GHz, LPDDR4X-3733 on 64 bits; two double FMA a cycle as in Cortex-A73"),
		arm("pixel3", "phone", 4, 2.5, 8, 29.8, "Snapdragon 845, product brief: 4 large Kryo 385 at 2.5 GHz in this phone, LPDDR4X-3733 on 64 bits; two quad FMA a cycle as in Cortex-A75"),
		arm("samsung_a50", "phone", 4, 2.3, 4, 12.8, "Samsung Exynos 9610, product page: 4 Cortex-A73 at 2.3 GHz, LPDDR4X; a bus of 32 bits at 3200 MT/s is assumed"),
		arm("samsung_s7", "phone", 4, 2.3, 4, 28.7, "Samsung Exynos 8890, product page: 4 Exynos M1 at 2.3 GHz, LPDDR4-3588 on 64 bits; one quad FMA a cycle (Burgess, \"Samsung Exynos M1 processor\", Hot Chips 28, 2016)"),
	}
}

// Datasheet returns what the maker says of a device; a batch size at the end of
// its name does not matter.
func Datasheet(device string) (Hardware, error) {
	var names []string
	for _, h := range Datasheets() {
		if h.Name == device || h.Name == Family(device) {
			return h, nil
		}
		names = append(names, h.Name)
	}
	slices.Sort(names)
	if device == "eyeriss" || device == "fpga" {
		return Hardware{}, fmt.Errorf("device: %s has no datasheet: its latencies were modelled by HW-NAS-Bench, not measured", device)
	}
	return Hardware{}, fmt.Errorf("device: datasheet: found %q, want one of %v, or a Hardware of your own", device, names)
}
