package device

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// A LayerTime is a layer that was measured on its own.
type LayerTime struct {
	Op    Op
	MACs  float64 // multiply-accumulate operations
	Bytes float64 // read and written
	MS    float64
}

// LayerTable reads the latency of a layer off measured ones of its kind. The
// logarithm of the latency is interpolated over those of operations and bytes,
// in which a roofline is flat on both sides of its ridge.
//
// Measured operations and bytes are the lines of a grid. A crossing that was
// measured has that latency, the geometric mean where it was measured several
// times. The others get it from the eight nearest measurements: from the line,
// plane or constant that suits them best, weighed by the inverse fourth power of
// the distance (the modified Shepard method; Renka 1988). Between lines the table
// is bilinear, so it goes through every measurement. Beyond the grid it goes on
// as a roofline would, proportional to the larger of the growths of operations
// and bytes, or for smaller layers constant.
type LayerTable struct {
	kinds [ops]*layerGrid
}

// gridLines is the most distinct operations, or bytes, of one kind; of more, as
// many are kept as lines, evenly spread, and the table passes near the others.
const gridLines = 256

type layerGrid struct {
	x, y gridAxis  // logarithms of operations and bytes
	z    []float64 // of milliseconds, row by row of x
}

// A gridAxis is lines, rising, and an index to find the one below a value: the
// range is cut into equal parts, of each of which it says the line where it begins.
type gridAxis struct {
	lines []float64
	begin []uint16
	scale float64 // parts a unit
}

const axisParts = 1024

// NewLayerTable makes a table of measured layers.
func NewLayerTable(times []LayerTime) (*LayerTable, error) {
	var by [ops][][3]float64
	for i, t := range times {
		if t.Op >= ops {
			return nil, fmt.Errorf("device: layer %d: found %s, want one of %s", i, t.Op, list(opNames[:]))
		}
		for k, v := range [...]float64{t.MACs, t.Bytes, t.MS} {
			if !(v > 0 && v <= math.MaxFloat64) {
				return nil, fmt.Errorf("device: layer %d: found %v %s, want a positive number", i, v, [...]string{"operations", "bytes", "ms"}[k])
			}
		}
		by[t.Op] = append(by[t.Op], [3]float64{detmath.Log(t.MACs), detmath.Log(t.Bytes), detmath.Log(t.MS)})
	}
	if len(times) == 0 {
		return nil, fmt.Errorf("device: a table without layers; measure at least one")
	}
	out := &LayerTable{}
	for o, points := range by {
		if len(points) > 0 {
			out.kinds[o] = newLayerGrid(points)
		}
	}
	return out, nil
}

func newLayerGrid(points [][3]float64) *layerGrid {
	slices.SortFunc(points, func(a, b [3]float64) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]), cmp.Compare(a[2], b[2]))
	})
	var merged [][3]float64
	for i := 0; i < len(points); {
		j, sum := i, 0.0
		for ; j < len(points) && points[j][0] == points[i][0] && points[j][1] == points[i][1]; j++ {
			sum += points[j][2]
		}
		merged = append(merged, [3]float64{points[i][0], points[i][1], sum / float64(j-i)})
		i = j
	}
	g := &layerGrid{x: newGridAxis(merged, 0), y: newGridAxis(merged, 1)}
	xs, ys := g.x.lines, g.y.lines
	g.z = make([]float64, len(xs)*len(ys))
	for i := range g.z {
		g.z[i] = math.NaN()
	}
	for _, p := range merged {
		i, ok1 := slices.BinarySearch(xs, p[0])
		j, ok2 := slices.BinarySearch(ys, p[1])
		if ok1 && ok2 {
			g.z[i*len(ys)+j] = p[2]
		}
	}
	for i, x := range xs {
		for j, y := range ys {
			if at := &g.z[i*len(ys)+j]; math.IsNaN(*at) {
				*at = shepard(merged, x, y)
			}
		}
	}
	return g
}

// newGridAxis takes the distinct values of a coordinate, at most gridLines.
func newGridAxis(points [][3]float64, k int) gridAxis {
	v := make([]float64, len(points))
	for i, p := range points {
		v[i] = p[k]
	}
	slices.Sort(v)
	v = slices.Compact(v)
	if n := len(v); n > gridLines {
		few := make([]float64, gridLines)
		for i := range few {
			few[i] = v[i*(n-1)/(gridLines-1)]
		}
		v = few
	}
	a := gridAxis{lines: v}
	last := len(v) - 1
	if last == 0 {
		return a
	}
	a.scale = axisParts / (v[last] - v[0])
	a.begin = make([]uint16, axisParts+1)
	line := 0
	for part := range a.begin {
		for line < last && a.part(v[line+1]) <= part {
			line++
		}
		// a line within the part comes after the part begins
		first := line
		for first > 0 && a.part(v[first]) >= part {
			first--
		}
		a.begin[part] = uint16(first)
	}
	return a
}

func (a *gridAxis) part(v float64) int { return int((v - a.lines[0]) * a.scale) }

// find returns the line at or below a value of the range, and where between it
// and the next the value lies.
func (a *gridAxis) find(v float64) (int, float64) {
	last := len(a.lines) - 1
	if last == 0 || v >= a.lines[last] {
		return last, 0
	}
	i := int(a.begin[a.part(v)])
	for a.lines[i+1] <= v {
		i++
	}
	return i, (v - a.lines[i]) / (a.lines[i+1] - a.lines[i])
}

// shepard estimates the height at a place from the nearest points: a weighted
// least squares plane, with a small ridge on its slopes so that points on a line
// or on one spot do.
func shepard(points [][3]float64, x, y float64) float64 {
	const near = 8
	type neighbour struct{ d, dx, dy, z float64 }
	var best [near]neighbour
	n := 0
	for _, p := range points {
		dx, dy := p[0]-x, p[1]-y
		q := neighbour{float64(dx*dx) + float64(dy*dy), dx, dy, p[2]}
		if n == near && q.d >= best[n-1].d {
			continue
		}
		if n < near {
			n++
		}
		i := n - 1
		for ; i > 0 && best[i-1].d > q.d; i-- {
			best[i] = best[i-1]
		}
		best[i] = q
	}
	a, b := make([]float64, 9), make([]float64, 3)
	total, level := 0.0, 0.0
	for _, q := range best[:n] {
		w := 1 / max(float64(q.d*q.d), 1e-12)
		total += w
		level += float64(w * q.z)
	}
	level /= total
	for _, q := range best[:n] {
		w := 1 / max(float64(q.d*q.d), 1e-12) / total
		f := [3]float64{1, q.dx, q.dy}
		for i := range 3 {
			b[i] += float64(w * float64(f[i]*(q.z-level)))
			for j := range 3 {
				a[3*i+j] += float64(w * float64(f[i]*f[j]))
			}
		}
	}
	scale := a[4] + a[8]
	a[4] += float64(1e-9*scale) + 1e-300
	a[8] += float64(1e-9*scale) + 1e-300
	return level + solvePositive(a, b)[0]
}

// Lookup returns the latency of a layer. ok is false where no layer of its kind
// was measured; inside says whether it lies between measured ones.
func (t *LayerTable) Lookup(op Op, macs, bytes float64) (ms float64, inside, ok bool) {
	if op >= ops || t.kinds[op] == nil || !(macs > 0 && bytes > 0) {
		return 0, false, false
	}
	z, inside := t.kinds[op].at(detmath.Log(macs), detmath.Log(bytes))
	return detmath.Exp(z), inside, true
}

func (g *layerGrid) at(x, y float64) (z float64, inside bool) {
	growth := 0.0
	inside = true
	xs, ys := g.x.lines, g.y.lines
	if last := xs[len(xs)-1]; x > last {
		growth, x, inside = x-last, last, false
	} else if x < xs[0] {
		x, inside = xs[0], false
	}
	if last := ys[len(ys)-1]; y > last {
		growth, y, inside = max(growth, y-last), last, false
	} else if y < ys[0] {
		y, inside = ys[0], false
	}
	i, u := g.x.find(x)
	j, v := g.y.find(y)
	n := len(ys)
	row := g.z[i*n : i*n+n]
	z0 := row[j]
	if v > 0 {
		z0 += float64(v * (row[j+1] - row[j]))
	}
	if u > 0 {
		next := g.z[(i+1)*n : (i+1)*n+n]
		z1 := next[j]
		if v > 0 {
			z1 += float64(v * (next[j+1] - next[j]))
		}
		z0 += float64(u * (z1 - z0))
	}
	return z0 + growth, inside
}

// NetworkMS adds up the layers of a network for some images. It fails if a kind
// of layer was not measured.
func (t *LayerTable) NetworkMS(layers []Layer, batch int, p Precision) (float64, error) {
	s := 0.0
	for _, l := range layers {
		ms, _, ok := t.Lookup(l.Op, l.MACs*float64(batch), l.Bytes(batch, p))
		if !ok {
			return 0, fmt.Errorf("device: no measured layer of the kind %s; add some to the table", l.Op)
		}
		s += ms
	}
	return s, nil
}

// maxLayers is the most rows of a table of layers.
const maxLayers = 20_000

// ReadLayers reads measured layers from a CSV with the columns op, macs, bytes
// and latency_ms; op is conv, depthwise, linear, pool or add. Other columns are
// ignored. The name is that of the file, for errors.
func ReadLayers(r io.Reader, name string) ([]LayerTime, error) {
	c, header, err := openCSV(r, name)
	if err != nil {
		return nil, err
	}
	var at [4]int
	for i, h := range [...]string{"op", "macs", "bytes", "latency_ms"} {
		if at[i] = slices.Index(header, h); at[i] < 0 {
			return nil, fmt.Errorf("%s:1: no column %q; want op, macs, bytes and latency_ms", name, h)
		}
	}
	var out []LayerTime
	for {
		row, line, err := nextCSV(c, name)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(out) == maxLayers {
			return nil, fmt.Errorf("%s:%d: more than %d layers", name, line, maxLayers)
		}
		op, err := ParseOp(row[at[0]])
		if err != nil {
			return nil, fmt.Errorf("%s:%d: op: %w", name, line, err)
		}
		t := LayerTime{Op: op}
		for i, v := range [...]*float64{&t.MACs, &t.Bytes, &t.MS} {
			if *v, err = positive(row[at[i+1]]); err != nil {
				return nil, fmt.Errorf("%s:%d: %s: %w", name, line, header[at[i+1]], err)
			}
		}
		out = append(out, t)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no layers after the header", name)
	}
	return out, nil
}
