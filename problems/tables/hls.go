package tables

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/space"
)

// HLS is HLSyn (Bai et al., "Towards a Comprehensive Benchmark for High-Level
// Synthesis Targeted to FPGAs", NeurIPS 2023): 41,596 ways to synthesise 42
// kernels for an FPGA, set by pragmas for each loop: its parallel factor, how it
// is pipelined, its tile. A search minimises cycles and the shares of the device
// that are used.
//
// HLSyn states no licence, so the table is not part of the program: Data names
// the file, a gzipped CSV with the columns tool, kernel, pragmas, valid,
// perf_cycles and util_*. The space holds the values that occur in it.
//
// Of most kernels a small part of all combinations was synthesised. A design
// that was not measures the one that differs from it in the fewest pragmas, the
// first in the file if there are several; such designs have the same key. A
// synthesis that failed or whose result does not fit is infeasible.
type HLS struct {
	Data   string `yaml:"data" doc:"path of the table, a gzipped CSV, from the folder of the study file"`
	Kernel string `yaml:"kernel" default:"gemm-ncubed" doc:"which kernel"`                                          // "" means gemm-ncubed
	Tool   string `yaml:"tool" default:"v18" oneof:"v18 v20" doc:"release of the tool: SDx 2018.3 or Vitis 2020.2"` // "" means v18
}

// hlsMetrics are the columns that are searched.
var hlsMetrics = []struct {
	column string
	metric metric.Metric
}{
	{"perf_cycles", metric.Metric{Name: "cycles", Unit: "cycles", Direction: metric.Minimize, Doc: "clock cycles of the kernel"}},
	{"util_LUT", metric.Metric{Name: "lut", Unit: "share", Direction: metric.Minimize, Doc: "look-up tables used"}},
	{"util_FF", metric.Metric{Name: "ff", Unit: "share", Direction: metric.Minimize, Doc: "flip-flops used"}},
	{"util_DSP", metric.Metric{Name: "dsp", Unit: "share", Direction: metric.Minimize, Doc: "multipliers used"}},
	{"util_BRAM", metric.Metric{Name: "bram", Unit: "share", Direction: metric.Minimize, Doc: "memory blocks used"}},
}

// New makes the problem.
func (o HLS) New() (Same, error) {
	tool, err := choose("hls: tool", o.Tool, []string{"v18", "v20"})
	if err != nil {
		return Same{}, err
	}
	if o.Data == "" {
		return Same{}, fmt.Errorf("tables: hls: data: found nothing, want the path of HLSyn's table: it states no licence, so it is not part of the program")
	}
	kernel := o.Kernel
	if kernel == "" {
		kernel = "gemm-ncubed"
	}
	f, err := os.Open(o.Data)
	if err != nil {
		return Same{}, fmt.Errorf("tables: hls: data: %w", err)
	}
	defer f.Close()
	p, err := readHLS(f, tool, kernel)
	if err != nil {
		return Same{}, fmt.Errorf("tables: hls: %s: %w", o.Data, err)
	}
	return Same{p}, nil
}

// readHLS reads the designs of one kernel.
func readHLS(r io.Reader, tool, kernel string) (*Problem, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	c := csv.NewReader(z)
	header, err := c.Read()
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	for i, name := range header {
		at[name] = i
	}
	need := []string{"tool", "kernel", "pragmas", "valid"}
	for _, m := range hlsMetrics {
		need = append(need, m.column)
	}
	for _, name := range need {
		if _, ok := at[name]; !ok {
			return nil, fmt.Errorf("found the columns %q, want %s among them", header, name)
		}
	}
	kernels := map[string]bool{}
	var settings []map[string]string
	values := make([][]float64, len(hlsMetrics))
	var valid []bool
	names := map[string]map[string]bool{}
	for line := 2; ; line++ {
		row, err := c.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if row[at["tool"]] != tool {
			continue
		}
		if kernels[row[at["kernel"]]] = true; row[at["kernel"]] != kernel {
			continue
		}
		set := map[string]string{}
		for _, p := range strings.Split(row[at["pragmas"]], ";") {
			name, value, ok := strings.Cut(p, "=")
			if !ok {
				return nil, fmt.Errorf("line %d: found the pragma %q, want NAME=VALUE", line, p)
			}
			set[name] = value
			if names[name] == nil {
				names[name] = map[string]bool{}
			}
			names[name][value] = true
		}
		settings = append(settings, set)
		valid = append(valid, row[at["valid"]] == "1" || strings.EqualFold(row[at["valid"]], "true"))
		for k, m := range hlsMetrics {
			v, err := strconv.ParseFloat(row[at[m.column]], 64)
			if err != nil {
				return nil, fmt.Errorf("line %d, column %s: found %q, want a number", line, m.column, row[at[m.column]])
			}
			values[k] = append(values[k], v)
		}
	}
	if len(settings) == 0 {
		all := slices.Sorted(maps.Keys(kernels))
		hint := ""
		if near, ok := source.Nearest(kernel, all); ok {
			hint = fmt.Sprintf("; did you mean %s?", near)
		}
		return nil, fmt.Errorf("found no kernel %q of %s, want one of %s%s", kernel, tool, strings.Join(all, ", "), hint)
	}

	var nodes []space.Node
	order := slices.Sorted(maps.Keys(names))
	option := make([]map[string]int, len(order))
	for i, name := range order {
		list := slices.Sorted(maps.Keys(names[name]))
		numbers := true
		for _, v := range list {
			_, err := strconv.Atoi(v)
			numbers = numbers && err == nil
		}
		if numbers {
			slices.SortFunc(list, func(a, b string) int {
				x, _ := strconv.Atoi(a)
				y, _ := strconv.Atoi(b)
				return x - y
			})
			nodes = append(nodes, space.Ordinal(name, list...))
		} else {
			for i, v := range list {
				if v == "" {
					list[i] = "plain"
				}
			}
			nodes = append(nodes, space.Categorical(name, list...))
		}
		option[i] = map[string]int{}
		for k, v := range list {
			option[i][v] = k
		}
		if k, ok := option[i]["plain"]; ok {
			option[i][""] = k
		}
	}
	codes := make([]uint16, len(settings)*len(order)) // the options of each row
	exact := map[string]int{}
	key := make([]byte, len(order))
	for row, set := range settings {
		for i, name := range order {
			k, ok := option[i][set[name]]
			if !ok {
				return nil, fmt.Errorf("design %d of %s does not set %s", row+1, kernel, name)
			}
			codes[row*len(order)+i], key[i] = uint16(k), byte(k)
		}
		if _, ok := exact[string(key)]; !ok {
			exact[string(key)] = row
		}
	}
	s, err := space.New(nodes...)
	if err != nil {
		return nil, err
	}
	p := &Problem{
		name: fmt.Sprintf("the kernel %s synthesised with %s, from HLSyn", kernel, tool), space: s, values: values,
		missing: "the synthesis of the nearest design failed or does not fit the device",
	}
	for _, m := range hlsMetrics {
		p.metrics = append(p.metrics, m.metric)
	}
	p.skip = func(row int) bool { return !valid[row] }
	p.row = func(a []space.Answer) int {
		n := len(order)
		var buf [64]byte
		key := append(buf[:0], make([]byte, n)...)
		for i := range a {
			key[i] = byte(a[i].Index)
		}
		best, ok := exact[string(key)]
		if !ok {
			fewest := n + 1
			for row := range valid {
				apart := 0
				for i, c := range codes[row*n : (row+1)*n] {
					if byte(c) != key[i] {
						if apart++; apart >= fewest {
							break
						}
					}
				}
				if apart < fewest {
					best, fewest = row, apart
				}
			}
		}
		return best
	}
	return p.init(), nil
}
