package serving

import (
	"fmt"
	"math"
	"strings"

	"github.com/daedalus-search/daedalus/internal/source"
)

// Units of the reference: compute is decimal, memory and bandwidth are binary,
// also where a vendor's GB/s means 10⁹ (GenZ unit.py).
const (
	tera = 1e12
	gib  = 1 << 30
	mib  = 1 << 20
)

// A Platform is one accelerator and its links to others.
type Platform struct {
	Name   string `yaml:"name" doc:"for reports"`
	Source string `yaml:"source" doc:"where the numbers are from"`

	TFLOPS    float64 `yaml:"tflops,required" min:">0" max:"1e9" doc:"10^12 bf16 operations a second; a multiply-add is two"`
	MemoryGB  float64 `yaml:"memory_gb,required" min:">0" max:"1e12" doc:"memory in 2^30 bytes"`
	MemoryGBs float64 `yaml:"memory_gb_s,required" min:">0" max:"1e9" doc:"its bandwidth in 2^30 bytes a second"`

	LinkGBs float64 `yaml:"link_gb_s" default:"150" min:">0" max:"1e9" doc:"bandwidth to other accelerators in 2^30 bytes a second"`
	LinkUS  float64 `yaml:"link_us" default:"1" min:"0" max:"1e9" doc:"latency of a hop in microseconds"`

	OnChipGBs  float64 `yaml:"on_chip_gb_s" default:"18000" min:">0" max:"1e12" doc:"bandwidth of on-chip memory in 2^30 bytes a second"`
	OffloadGBs float64 `yaml:"offload_gb_s" default:"128" min:">0" max:"1e9" doc:"bandwidth to memory outside in 2^30 bytes a second"`

	ComputeEff float64 `yaml:"compute_eff" default:"1" min:">0" max:"1" doc:"share of the peak that operators reach"`
	MemoryEff  float64 `yaml:"memory_eff" default:"1" min:">0" max:"1" doc:"the same of bandwidth"`
	LinkEff    float64 `yaml:"link_eff" default:"1" min:">0" max:"1" doc:"the same of links"`

	PowerW float64 `yaml:"power_w" default:"1000" min:">0" max:"1e9" doc:"power when everything is busy, of which 30% is static, 40% compute, 20% memory, 10% links"`

	PIM *PIM `yaml:"pim" doc:"processing in memory: attention of decoding is computed where keys and values are"`
}

// PIM is compute inside the memory of a platform, for operators that read much
// and compute little: with it, attention over kept keys and values in decoding
// runs at the bandwidth inside the memory (NeuPIMs: Heo et al., ASPLOS 2024).
type PIM struct {
	GBs        float64 `yaml:"gb_s,required" min:">0" max:"1e9" doc:"bandwidth inside the memory in 2^30 bytes a second"`
	TFLOPS     float64 `yaml:"tflops,required" min:">0" max:"1e9" doc:"10^12 operations a second in the format of the multiplications"`
	Interleave bool    `yaml:"interleave" doc:"two halves of a batch take turns, so that one computes in memory while the other does not"`
}

// Defaults of a platform (GenZ system.py and utils.py; the power is that of
// power.py and stands for no product).
const (
	defaultLinkGBs    = 150
	defaultLinkUS     = 1
	defaultOnChipGBs  = 18000
	defaultOffloadGBs = 128
	defaultPowerW     = 1000
)

func (p Platform) withDefaults() Platform {
	for _, f := range [...]struct {
		x *float64
		d float64
	}{{&p.LinkGBs, defaultLinkGBs}, {&p.OnChipGBs, defaultOnChipGBs}, {&p.OffloadGBs, defaultOffloadGBs},
		{&p.ComputeEff, 1}, {&p.MemoryEff, 1}, {&p.LinkEff, 1}, {&p.PowerW, defaultPowerW}} {
		if *f.x == 0 {
			*f.x = f.d
		}
	}
	return p
}

func number(field string, x, lo, hi float64, open bool) error {
	if x >= lo && x <= hi && !(open && x == lo) { // also false for NaN
		return nil
	}
	want := fmt.Sprintf("%g to %g", lo, hi)
	if open {
		want = fmt.Sprintf("above %g, at most %g", lo, hi)
	}
	return &FieldError{field, fmt.Sprint(x), want}
}

// Check says which field cannot be, as a [*FieldError]. Zero stands for the
// default of every field that has one; LinkUS may be zero.
func (p Platform) Check() error {
	d := p.withDefaults()
	err := firstOf(
		number("tflops", d.TFLOPS, 0, 1e9, true), number("memory_gb", d.MemoryGB, 0, 1e12, true), number("memory_gb_s", d.MemoryGBs, 0, 1e9, true),
		number("link_gb_s", d.LinkGBs, 0, 1e9, true), number("link_us", d.LinkUS, 0, 1e9, false),
		number("on_chip_gb_s", d.OnChipGBs, 0, 1e12, true), number("offload_gb_s", d.OffloadGBs, 0, 1e9, true),
		number("compute_eff", d.ComputeEff, 0, 1, true), number("memory_eff", d.MemoryEff, 0, 1, true), number("link_eff", d.LinkEff, 0, 1, true),
		number("power_w", d.PowerW, 0, 1e9, true),
	)
	if err == nil && p.PIM != nil {
		err = firstOf(number("pim.gb_s", p.PIM.GBs, 0, 1e9, true), number("pim.tflops", p.PIM.TFLOPS, 0, 1e9, true))
	}
	return err
}

// Balance returns the operations a byte at which compute and memory take
// equally long, in bf16.
func (p Platform) Balance() float64 {
	d := p.withDefaults()
	return d.TFLOPS * tera * d.ComputeEff / (d.MemoryGBs * gib * d.MemoryEff)
}

// ReadPlatform reads one platform from YAML or JSON; file is its name in
// errors, which say the line, what was found and what was expected.
func ReadPlatform(file string, text []byte) (Platform, error) {
	root, report := source.Parse(file, text)
	var p Platform
	if report.Failed() || !source.Decode(report, root, &p) {
		return Platform{}, report.Err()
	}
	if err := located(report, root, p.Check()); err != nil {
		return Platform{}, err
	}
	return p, nil
}

const (
	genz      = "GenZ-LLM-Analyzer Systems/system_configs.py"
	blackwell = genz + ", after resources.nvidia.com/en-us-blackwell-architecture"
)

// platforms are those of the reference. Two of its numbers are peak rates with
// sparsity (GH200, Gaudi3 does not say); they are kept, because results are
// compared with it.
var platforms = [...]Platform{
	{Name: "A100_40GB_GPU", TFLOPS: 312, MemoryGB: 40, MemoryGBs: 1600, LinkGBs: 150, LinkUS: 1, Source: genz},
	{Name: "A100_80GB_GPU", TFLOPS: 312, MemoryGB: 80, MemoryGBs: 2039, LinkGBs: 150, LinkUS: 1, Source: genz},
	{Name: "H100_GPU", TFLOPS: 989, MemoryGB: 80, MemoryGBs: 3400, LinkGBs: 450, LinkUS: 1, Source: genz},
	{Name: "GH200_GPU", TFLOPS: 1979, MemoryGB: 144, MemoryGBs: 4900, LinkGBs: 450, LinkUS: 1, Source: genz},
	{Name: "B100", TFLOPS: 3500, MemoryGB: 192, MemoryGBs: 8000, LinkGBs: 900, LinkUS: 0.25, Source: blackwell},
	{Name: "GB200", TFLOPS: 4500, MemoryGB: 192, MemoryGBs: 8000, LinkGBs: 900, LinkUS: 0.25, Source: blackwell},
	{Name: "TPUv4", TFLOPS: 275, MemoryGB: 32, MemoryGBs: 1228, LinkGBs: 24, LinkUS: 1, Source: genz},
	{Name: "TPUv5e", TFLOPS: 197, MemoryGB: 16, MemoryGBs: 820, LinkGBs: 50, LinkUS: 1, Source: genz},
	{Name: "TPUv5p", TFLOPS: 459, MemoryGB: 95, MemoryGBs: 2765, LinkGBs: 450, LinkUS: 1, Source: genz},
	{Name: "TPUv6", TFLOPS: 926, MemoryGB: 32, MemoryGBs: 1640, LinkGBs: 100, LinkUS: 1, Source: genz + ", after nextplatform.com/2024/06/10/lots-of-questions-on-googles-trillium-tpu-v6-a-few-answers"},
	{Name: "MI300X", TFLOPS: 1307, MemoryGB: 192, MemoryGBs: 5300, LinkGBs: 400, LinkUS: 1, Source: genz + ", after AMD Instinct MI300X platform data sheet"},
	{Name: "MI325X", TFLOPS: 1307, MemoryGB: 256, MemoryGBs: 6000, LinkGBs: 400, LinkUS: 1, Source: genz},
	{Name: "Gaudi3", TFLOPS: 1835, MemoryGB: 128, MemoryGBs: 3675, LinkGBs: 300, LinkUS: 1, Source: genz + ", after Intel Gaudi 3 AI accelerator white paper"},
}

// Platforms returns the 13 platforms of the reference.
func Platforms() []Platform { return append([]Platform(nil), platforms[:]...) }

// FindPlatform returns a platform of the table by its name, in any case and
// with or without "_GPU" at the end.
func FindPlatform(name string) (Platform, error) {
	var known []string
	for _, p := range platforms {
		if strings.EqualFold(p.Name, name) || strings.EqualFold(strings.TrimSuffix(p.Name, "_GPU"), name) {
			return p, nil
		}
		known = append(known, p.Name)
	}
	hint := ""
	if near, ok := source.Nearest(name, known); ok {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	return Platform{}, fmt.Errorf("serving: platform: found %q, want one of %s, or a file of your own%s", name, strings.Join(known, ", "), hint)
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
