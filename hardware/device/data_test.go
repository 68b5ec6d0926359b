package device_test

import (
	"compress/gzip"
	"encoding/csv"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/hardware/device"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/problems/nasbench201"
)

func unzip(t testing.TB, path string) io.Reader {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		if os.IsNotExist(err) && strings.HasPrefix(path, "../../../shared") {
			t.Skipf("no %s here: the published table is not part of the repository", path)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// fbnet are the measured networks of the repository: 1,200 of HELP's 5,000.
func fbnet(t testing.TB) *device.Measurements {
	t.Helper()
	m, err := device.ReadMeasurements(unzip(t, "testdata/fbnet.csv.gz"), "fbnet.csv", device.FBNet())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// nb201 are the connected cells of NAS-Bench-201 on a device, shuffled.
func nb201(t testing.TB, name string) device.Timings {
	t.Helper()
	ms, err := nasbench201.Latencies(name)
	if err != nil {
		t.Fatal(err)
	}
	out := device.Timings{Space: device.NASBench201(), Device: name}
	for _, i := range rng.New(1, "test/nb201", 0).Perm(nasbench201.Cells) {
		c := nasbench201.Cell(i)
		if !c.Connected() {
			continue
		}
		for _, op := range c.Ops() {
			out.X = append(out.X, uint8(op))
		}
		out.MS = append(out.MS, ms[i])
	}
	return out
}

// ofa are the networks that HELP timed of Once-for-All.
func ofa(t testing.TB) []device.Timings {
	t.Helper()
	rows, err := csv.NewReader(unzip(t, "../../../shared/data/hw-latency-help/ofa_latency.csv.gz")).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []device.Timings
	var at []int
	col := map[string]int{}
	for k, h := range rows[0] {
		col[h] = k
		if d, ok := strings.CutPrefix(h, "lat_ms_"); ok {
			out, at = append(out, device.Timings{Space: device.OFA(), Device: d}), append(at, k)
		}
	}
	for _, row := range rows[1:] {
		var k, e [20]int
		var d [5]int
		for i := range k {
			k[i], e[i] = int(row[col["ks20"]][i]-'0'), int(row[col["e20"]][i]-'0')
		}
		for i := range d {
			d[i] = int(row[col["d5"]][i] - '0')
		}
		side, _ := strconv.Atoi(row[col["resolution"]])
		x, err := device.OFANetwork(k, e, d, side)
		if err != nil {
			t.Fatal(err)
		}
		for i := range out {
			ms, err := strconv.ParseFloat(row[at[i]], 64)
			if err != nil {
				t.Fatal(err)
			}
			out[i].X, out[i].MS = append(out[i].X, x...), append(out[i].MS, ms)
		}
	}
	return out
}

// split returns the first n timings and the rest, at most 2,000.
func split(t device.Timings, n int) (fit, held device.Timings) {
	var a, b []int
	for i := range t.MS {
		if i < n {
			a = append(a, i)
		} else if len(b) < 2000 {
			b = append(b, i)
		}
	}
	return t.Select(a), t.Select(b)
}
