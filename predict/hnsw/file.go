package hnsw

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// The form of a file, numbers little-endian of 4 bytes unless said otherwise:
//
//	magic     "hnswidx1"
//	head      dimensions, metric, links, construction, seed (8 bytes), vectors,
//	          number of the top vector (0 if there is none)
//	vectors   float32
//	heights   a byte each
//	links     for each vector and each level from the ground up: a count, then
//	          as many numbers of vectors, then as many distances
//	sum       CRC-32C of all before
const magic = "hnswidx1"

var order = binary.LittleEndian

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// WriteTo writes the index in a form that [Read] reads.
func (x *Index) WriteTo(w io.Writer) (int64, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	to := &counter{w: w}
	var b []byte
	var err error
	flush := func(least int) {
		if len(b) >= least && err == nil {
			sum.Write(b)
			_, err = to.Write(b)
			b = b[:0]
		}
	}
	const full = 1 << 16
	b = append(b, magic...)
	for _, v := range []int{x.dim, int(x.o.Metric), x.o.Links, x.o.Construction} {
		b = order.AppendUint32(b, uint32(v))
	}
	b = order.AppendUint64(b, x.o.Seed)
	b = order.AppendUint32(b, uint32(len(x.heights)))
	b = order.AppendUint32(b, uint32(max(x.top, 0)))
	for _, v := range x.vectors {
		b = order.AppendUint32(b, math.Float32bits(v))
		flush(full)
	}
	b = append(b, x.heights...)
	for id, h := range x.heights {
		for level := range int(h) + 1 {
			ids, dists := x.links(uint32(id), level)
			b = order.AppendUint32(b, uint32(len(ids)))
			for _, v := range ids {
				b = order.AppendUint32(b, v)
			}
			for _, v := range dists {
				b = order.AppendUint32(b, math.Float32bits(v))
			}
			flush(full)
		}
	}
	flush(0)
	if err == nil {
		_, err = to.Write(order.AppendUint32(nil, sum.Sum32()))
	}
	if err != nil {
		return to.n, fmt.Errorf("hnsw: writing an index: %w", err)
	}
	return to.n, nil
}

var errShort = errors.New("hnsw: reading an index: the file is cut short")

// Read reads what [Index.WriteTo] wrote, to its end. It says what is wrong with
// a file that is damaged.
func Read(r io.Reader) (*Index, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("hnsw: reading an index: %w", err)
	}
	bad := func(format string, a ...any) (*Index, error) {
		return nil, fmt.Errorf("hnsw: reading an index: "+format, a...)
	}
	const head = len(magic) + 4*4 + 8 + 2*4
	switch {
	case len(b) < len(magic) || string(b[:len(magic)]) != magic:
		return bad("found %q, want %q at its beginning", b[:min(len(b), len(magic))], magic)
	case len(b) < head+4:
		return nil, errShort
	}
	body := b[:len(b)-4]
	if got, want := crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)), order.Uint32(b[len(body):]); got != want {
		return bad("its sum is %08x, want %08x: it is damaged or cut short", got, want)
	}
	at := len(magic)
	next := func() int {
		v := order.Uint32(body[at:])
		at += 4
		return int(v)
	}
	dim := next()
	o := Options{Metric: Metric(min(next(), 255)), Links: next(), Construction: next()}
	o.Seed = order.Uint64(body[at:])
	at += 8
	n, top := next(), next()
	x, err := New(dim, o)
	if err != nil {
		return nil, err
	}
	left := uint64(len(body) - at)
	if uint64(n) > math.MaxInt32 || uint64(n)*uint64(dim) > left/4 || uint64(n)*(uint64(dim)*4+5) > left {
		return nil, errShort
	}
	if n == 0 {
		if left > 0 {
			return bad("%d bytes too many", left)
		}
		return x, nil
	}
	if top >= n {
		return bad("vector %d at the top of %d", top, n)
	}
	x.top = int32(top)
	x.vectors = make([]float32, n*dim)
	for i := range x.vectors {
		x.vectors[i] = math.Float32frombits(order.Uint32(body[at:]))
		at += 4
	}
	x.heights = append([]uint8(nil), body[at:at+n]...)
	at += n
	x.count, x.upper = make([]uint16, n), make([][]links, n)
	x.ids, x.dists = make([]uint32, n*2*o.Links), make([]float32, n*2*o.Links)
	var chosen []near
	for id, h := range x.heights {
		if h > maxHeight || h > x.heights[top] {
			return bad("vector %d has height %d", id, h)
		}
		x.upper[id] = make([]links, h)
		for level := range int(h) + 1 {
			if len(body)-at < 4 {
				return nil, errShort
			}
			k := next()
			if k > x.room(level) {
				return bad("vector %d has %d links on level %d, want %d at most", id, k, level, x.room(level))
			}
			if len(body)-at < 8*k {
				return nil, errShort
			}
			chosen = chosen[:0]
			for range k {
				to := next()
				if to >= n || int(x.heights[to]) < level {
					return bad("vector %d is linked to %d on level %d, where that is not", id, to, level)
				}
				chosen = append(chosen, near{id: uint32(to)})
			}
			for i := range chosen {
				chosen[i].d = math.Float32frombits(uint32(next()))
			}
			x.setLinks(uint32(id), level, chosen)
		}
	}
	if at != len(body) {
		return bad("%d bytes too many", len(body)-at)
	}
	return x, nil
}
