package device_test

import (
	"compress/gzip"
	"io"
	"os"
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
