// Command gen packs the published tables into the files that package tables
// embeds, and fits the additive models of the two that are too sparse to be
// looked up. DATA.md tells where the tables come from.
//
//	go run ./gen -in ../../../shared/data -out data
package main

import (
	"compress/gzip"
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/daedalus-search/daedalus/problems/internal/columns"
)

func main() {
	in := flag.String("in", "../../../shared/data", "the folder of the published tables")
	out := flag.String("out", "data", "the folder to write to")
	flag.Parse()
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		all, err := tables[name](*in)
		if err == nil {
			var packed []byte
			if packed, err = columns.Pack(all); err == nil {
				err = os.WriteFile(filepath.Join(*out, name+".bin"), packed, 0o644)
			}
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "gen: %s: %v\n", name, err)
			os.Exit(1)
		}
	}
}

// tables are the files to make.
var tables = map[string]func(folder string) ([]columns.Column, error){
	"macro": macro, "graph": graph, "boom": boom, "accel": accel, "fbnet": fbnet, "nb101": nb101,
}

// A sheet is a CSV: its rows by column.
type sheet struct {
	header []string
	rows   [][]string
}

func load(folder string, path ...string) (*sheet, error) {
	f, err := os.Open(filepath.Join(folder, filepath.Join(path...)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(z)
	s := &sheet{}
	if s.header, err = r.Read(); err != nil {
		return nil, err
	}
	for {
		row, err := r.Read()
		if err == io.EOF {
			return s, nil
		}
		if err != nil {
			return nil, err
		}
		s.rows = append(s.rows, row)
	}
}

func (s *sheet) at(name string) int {
	i := slices.Index(s.header, name)
	if i < 0 {
		panic(fmt.Sprintf("gen: no column %q among %q", name, s.header))
	}
	return i
}

// take packs a column as it is written.
func (s *sheet) take(from, name string, decimals int) (columns.Column, error) {
	c := columns.Column{Name: name, Decimals: decimals}
	i := s.at(from)
	for n, row := range s.rows {
		if err := c.Add(row[i]); err != nil {
			return c, fmt.Errorf("line %d: %w", n+2, err)
		}
	}
	return c, nil
}

type wanted struct {
	from, name string
	decimals   int
}

func (s *sheet) all(list ...wanted) (out []columns.Column, err error) {
	for _, w := range list {
		c, err := s.take(w.from, w.name, w.decimals)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// macro is complete: rows are in the order of the architecture's digits.
func macro(folder string) ([]columns.Column, error) {
	s, err := load(folder, "nas-bench-macro", "nasbenchmacro_cifar10.csv.gz")
	if err != nil {
		return nil, err
	}
	for i, row := range s.rows {
		if n, err := strconv.ParseInt(row[s.at("arch")], 3, 32); err != nil || int(n) != i {
			return nil, fmt.Errorf("line %d: found the architecture %s, want number %d", i+2, row[s.at("arch")], i)
		}
	}
	return s.all(wanted{"test_acc_seed0", "run1", 2}, wanted{"test_acc_seed1", "run2", 2}, wanted{"test_acc_seed2", "run3", 2}, wanted{"params", "params", 0}, wanted{"flops", "flops", 0})
}

// graph has one row for each class of architectures that compute the same.
func graph(folder string) ([]columns.Column, error) {
	s, err := load(folder, "nas-bench-graph", "nasbenchgraph.csv.gz")
	if err != nil {
		return nil, err
	}
	list := []wanted{{"arch", "arch", 0}}
	for _, d := range []string{"arxiv", "cora"} {
		list = append(list, wanted{d + "_valid", d + "_valid", 6}, wanted{d + "_test", d + "_test", 6}, wanted{d + "_lat_ms", d + "_latency", 6}, wanted{d + "_params_M", d + "_params", 6})
	}
	return s.all(list...)
}

// nb101 has cells of seven nodes: the edges as the bits of a number, 0→1 the
// lowest, then 0→2 and so on to 5→6, and the operations of the inner nodes as
// the digits of a number in base three, the first one the lowest. Smaller cells
// keep their output at node 6.
func nb101(folder string) ([]columns.Column, error) {
	s, err := load(folder, "nas-bench-101-subset", "nasbench101_20k.csv.gz")
	if err != nil {
		return nil, err
	}
	edges, ops := columns.Column{Name: "edges"}, columns.Column{Name: "ops"}
	for line, row := range s.rows {
		matrix := strings.Split(row[s.at("adjacency")], "/")
		n := len(matrix)
		node := func(i int) int {
			if i == n-1 {
				return 6
			}
			return i
		}
		bits, digits, place := int64(0), int64(0), int64(1)
		for i, r := range matrix {
			for j, c := range r {
				if c == '1' {
					if j <= i {
						return nil, fmt.Errorf("line %d: found an edge from %d to %d, want only edges to later nodes", line+2, i, j)
					}
					from, to := node(i), node(j)
					bits |= 1 << (from*(13-from)/2 + to - from - 1)
				}
			}
		}
		for _, c := range row[s.at("ops")] {
			digits += place * int64(c-'0')
			place *= 3
		}
		edges.Values, ops.Values = append(edges.Values, bits), append(ops.Values, digits)
	}
	rest, err := s.all(wanted{"val4", "epochs4", 6}, wanted{"val12", "epochs12", 6}, wanted{"val36", "epochs36", 6}, wanted{"val108", "epochs108", 6},
		wanted{"train_time_s_108", "seconds", 1}, wanted{"params", "params", 0})
	return append([]columns.Column{edges, ops}, rest...), err
}

// boom is complete for each decode width; rows are ordered by their settings,
// which are recorded as the numbers of the choices.
func boom(folder string) ([]columns.Column, error) {
	s, err := load(folder, "boom-dse", "boom_contest_dummy.csv.gz")
	if err != nil {
		return nil, err
	}
	var list []wanted
	for _, name := range s.header[:29] {
		list = append(list, wanted{name, name, 0})
	}
	return s.all(append(list, wanted{"ipc", "ipc", 6}, wanted{"power_W", "power", 6}, wanted{"area_um2", "area", 3})...)
}

// accel fits sums over the seven stages, each with up to 48 settings (only the
// sixth has a fourth layer), to the table of Accel-NASBench: to the measured
// values themselves, to what a throughput costs, and to what is missing to the
// accuracy of 72.5 %.
func accel(folder string) ([]columns.Column, error) {
	s, err := load(folder, "accel-nasbench", "accel_nasbench.csv.gz")
	if err != nil {
		return nil, err
	}
	const stages, settings = 7, 48
	setting := func(row []string) []int {
		x := make([]int, stages)
		digit := func(name string, i int, values string) int { return strings.IndexByte(values, row[s.at(name)][i]) }
		for i := range x {
			x[i] = ((digit("expansion7", i, "146")*2+digit("kernel7", i, "35"))*4+digit("layers7", i, "1234"))*2 + digit("se7", i, "01")
		}
		return x
	}
	var out []columns.Column
	for _, w := range []struct {
		wanted
		link func(float64) float64
	}{
		{wanted{"val_top1", "accuracy", 9}, func(v float64) float64 { return -math.Log(72.5 - v) }},
		{wanted{"macs_M", "macs", 5}, same}, {wanted{"params_M", "params", 7}, same},
		{wanted{"lat_ms_zcu102", "latency_zcu102", 6}, same}, {wanted{"lat_ms_vck190", "latency_vck190", 6}, same},
		{wanted{"thr_ips_a100", "throughput_a100", 9}, cost}, {wanted{"thr_ips_3090", "throughput_3090", 9}, cost},
		{wanted{"thr_ips_tpuv2", "throughput_tpuv2", 9}, cost}, {wanted{"thr_ips_tpuv3", "throughput_tpuv3", 9}, cost},
		{wanted{"thr_ips_zcu102", "throughput_zcu102", 9}, cost}, {wanted{"thr_ips_vck190", "throughput_vck190", 9}, cost},
	} {
		var xs [][]int
		var ys []float64
		for _, row := range s.rows {
			if text := row[s.at(w.from)]; text != "" {
				v, err := strconv.ParseFloat(text, 64)
				if err != nil {
					return nil, err
				}
				xs, ys = append(xs, setting(row)), append(ys, w.link(v))
			}
		}
		c := columns.Column{Name: w.name, Decimals: w.decimals}
		for _, v := range additive(xs, ys, stages, settings) {
			c.Append(v)
		}
		out = append(out, c)
	}
	return out, nil
}

func same(v float64) float64 { return v }
func cost(v float64) float64 { return 1000 / v } // ms an image

// fbnet fits sums over the 22 layers, each with nine operations.
func fbnet(folder string) ([]columns.Column, error) {
	s, err := load(folder, "hw-latency-help", "fbnet_latency.csv.gz")
	if err != nil {
		return nil, err
	}
	var out []columns.Column
	var xs [][]int
	for _, row := range s.rows {
		x := make([]int, 22)
		for i, c := range row[s.at("ops")] {
			x[i] = int(c - '0')
		}
		xs = append(xs, x)
	}
	for i, name := range s.header {
		device, ok := strings.CutPrefix(name, "lat_ms_")
		if !ok {
			continue
		}
		ys := make([]float64, len(s.rows))
		for k, row := range s.rows {
			if ys[k], err = strconv.ParseFloat(row[i], 64); err != nil {
				return nil, err
			}
		}
		c := columns.Column{Name: device, Decimals: 5}
		for _, v := range additive(xs, ys, 22, 9) {
			c.Append(v)
		}
		out = append(out, c)
	}
	return out, nil
}

// additive fits ys by a constant and a number for each setting of each place,
// by least squares with a ridge of 1 on all but the constant. The numbers of a
// place are moved to have the mean 0 over the data, which is added to the
// constant; it stands first.
func additive(xs [][]int, ys []float64, places, settings int) []float64 {
	n := places * settings
	mean := 0.0
	for _, y := range ys {
		mean += y
	}
	mean /= float64(len(ys))
	a := make([][]float64, n)
	for i := range a {
		a[i] = make([]float64, n+1)
		a[i][i] = 1
	}
	count := make([]float64, n)
	for k, x := range xs {
		for i, v := range x {
			at := i*settings + v
			count[at]++
			for j, w := range x {
				a[at][j*settings+w]++
			}
			a[at][n] += ys[k] - mean
		}
	}
	w := solve(a)
	out := append([]float64{mean}, w...)
	for i := range places {
		shift := 0.0
		for v := range settings {
			shift += count[i*settings+v] * w[i*settings+v]
		}
		shift /= float64(len(xs))
		for v := range settings {
			out[1+i*settings+v] -= shift
		}
		out[0] += shift
	}
	return out
}

// solve is Cholesky's method for a symmetric positive matrix with the right
// side as its last column, which it changes.
func solve(a [][]float64) []float64 {
	n := len(a)
	for i := range n {
		for j := 0; j <= i; j++ {
			sum := a[i][j]
			for k := range j {
				sum -= float64(a[i][k] * a[j][k])
			}
			if i == j {
				a[i][i] = math.Sqrt(sum)
			} else {
				a[i][j] = sum / a[j][j]
			}
		}
	}
	x := make([]float64, n)
	for i := range n {
		sum := a[i][n]
		for k := range i {
			sum -= float64(a[i][k] * x[k])
		}
		x[i] = sum / a[i][i]
	}
	for i := n - 1; i >= 0; i-- {
		sum := x[i]
		for k := i + 1; k < n; k++ {
			sum -= float64(a[k][i] * x[k])
		}
		x[i] = sum / a[i][i]
	}
	return x
}
