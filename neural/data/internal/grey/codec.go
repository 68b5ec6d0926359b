package grey

import (
	"encoding/binary"
	"math/bits"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// A codec writes images, or reads them: the same steps do both. It shares nothing with
// other goroutines but weights, which do not change; so the race detector is kept out of
// its inner functions, where it would take ten times as long.
type codec struct {
	m       *Images
	weights []int8

	// The arithmetic code.
	reading   bool
	low, high uint64
	code      uint64
	in, out   []byte
	at, over  int // where in is read, and bytes wanted beyond its end

	// The image at hand with black around it: three rows above, three places at the
	// sides. What is not yet known is black.
	stride int
	image  []uint8
	wrong  []int32 // how wrong what was foretold was, in quarters

	usual   []int32 // of each class and place: how wrong it usually is, in 1/64 of a quarter
	plain   []uint32
	zero    [2][]uint32
	zeroMix []mixer
	own     []scaled // decisions of a difference, by how wrong the neighbours were
	by      []uint32 // and by how they differ from what is foretold

	levels [256]*[256]uint8 // by how many there are; see levelsOf
	slow   bool             // reads as it writes, to be compared with
}

// Sizes of contexts.
const (
	scales   = 40  // how wrong the neighbours were, four to an octave
	nodes    = 768 // decisions of which a difference is made
	nearby   = 8 * 8 * 8
	patterns = 1 << 10
	brights  = 9
)

func newCodec(m *Images, weights []int8) *codec {
	c := &codec{m: m, weights: weights, stride: m.Width + 6}
	places := m.Classes * m.Height * m.Width
	c.high = ^uint64(0)
	c.image = make([]uint8, (m.Height+3)*c.stride)
	c.wrong = make([]int32, (m.Height+3)*c.stride)
	c.usual = make([]int32, places)
	for i := range c.usual {
		c.usual[i] = 20 * 4 * 64
	}
	c.plain = counters(places)
	c.zero = [2][]uint32{counters(4 * places), counters(16 * patterns)}
	c.zeroMix = mixers(4 * 16)
	c.own, c.by = make([]scaled, scales*nodes), counters(nearby*nodes)
	for i := range c.own {
		c.own[i] = scaled{half, even}
	}
	return c
}

// A counter is the probability of 1 in its upper 22 bits, and how often it was used
// below.
func counters(n int) []uint32 {
	c := make([]uint32, n)
	for i := range c {
		c[i] = half
	}
	return c
}

// A mixer weighs two probabilities, in 2^-16.
type mixer [2]int32

func mixers(n int) []mixer {
	m := make([]mixer, n)
	for i := range m {
		m[i] = even
	}
	return m
}

// A scaled is a counter with its mixer, which are used together.
type scaled struct {
	counter uint32
	mixer   mixer
}

// How counters and mixers begin: nothing is known, and both contexts tell the same.
const half = 1 << 31

var even = mixer{26000, 26000}

const (
	limit    = 255 // most uses of a counter that count: it then follows one bit in 256
	stretchK = 4096
)

var (
	rate    [limit + 1]int32 // 2^16/(n + 1.5)
	stretch [stretchK]int16  // ln(p/(1−p)) in 1/256, of p in 2^-12
	squash  [stretchK]uint16 // the inverse in 2^-16, of −2048 to 2047
	octave  [1024 * 4]uint8  // 4·log2(1 + x/4)
)

func init() {
	for n := range rate {
		rate[n] = int32(float64(65536) / (float64(n) + 1.5))
	}
	for i := range stretch {
		p := (float64(i) + 0.5) / stretchK
		stretch[i] = int16(max(-2047, min(2047, 256*detmath.Log(p/(1-p)))))
	}
	for i := range squash {
		squash[i] = uint16(max(32, min(65536-32, 65536/(1+detmath.Exp(-float64(i-2048)/256)))))
	}
	for x := range octave {
		octave[x] = uint8(min(scales-1, 4*detmath.Log2(1+float64(x)/4)))
	}
}

// word returns the next four bytes; there are zeros beyond the end.
func (c *codec) word() uint64 {
	if c.at+4 <= len(c.in) {
		c.at += 4
		return uint64(binary.BigEndian.Uint32(c.in[c.at-4:]))
	}
	x := uint64(0)
	for range 4 {
		x <<= 8
		if c.at < len(c.in) {
			x |= uint64(c.in[c.at])
			c.at++
		} else {
			c.over++
		}
	}
	return x
}

// shift moves four bytes on that low and high have in common.
func (c *codec) shift() {
	if c.reading {
		c.code = c.code<<32 | c.word()
	} else {
		c.out = binary.BigEndian.AppendUint32(c.out, uint32(c.high>>32))
	}
	c.low <<= 32
	c.high = c.high<<32 | 0xffffffff
}

// bit writes a bit that is 1 with probability p/2^16, or reads one.
//
//go:norace
func (c *codec) bit(y int, p uint32) int {
	mid := c.low + (c.high-c.low)>>16*uint64(p)
	if c.reading {
		// 1 if code is at most mid, without a branch that could not be foretold.
		_, less := bits.Sub64(mid, c.code, 0)
		y = int(1 - less)
	}
	is := -uint64(y)
	c.high = c.high&^is | mid&is
	c.low = c.low&is | (mid+1)&^is
	for (c.low^c.high)>>32 == 0 {
		c.shift()
	}
	return y
}

// even writes so many bits that are as often 0 as 1, or reads them.
//
//go:norace
func (c *codec) even(x, count int) int {
	if (c.high-c.low)>>16 == 0 { // too narrow, which hardly ever happens
		for k := count - 1; k >= 0; k-- {
			x = x&^(1<<k) | c.bit(x>>k&1, 1<<15)<<k
		}
		return x
	}
	part := (c.high - c.low) >> count
	if c.reading {
		x = int((c.code - c.low) / part)
		x = min(x, 1<<count-1)
	}
	c.low += uint64(x) * part
	if x < 1<<count-1 {
		c.high = c.low + part - 1
	}
	for (c.low^c.high)>>32 == 0 {
		c.shift()
	}
	return x
}

// learn moves a counter towards a bit.
//
//go:norace
func learn(t *uint32, y int) {
	n := uint8(*t)
	p := int32(*t >> 10)
	p += int32(int64(int32(y<<22-y)-p) * int64(rate[n]) >> 16)
	if n < limit {
		n++
	}
	*t = uint32(p)<<10 | uint32(n)
}

// one codes a bit by one counter.
//
//go:norace
func (c *codec) one(y int, t *uint32) int {
	y = c.bit(y, max(32, min(65536-32, *t>>16)))
	learn(t, y)
	return y
}

// both codes a bit by two counters.
//
//go:norace
func (c *codec) both(y int, t, u *uint32, m *mixer) int {
	a, b := int32(stretch[*t>>20&(stretchK-1)]), int32(stretch[*u>>20&(stretchK-1)])
	dot := (int64(m[0])*int64(a) + int64(m[1])*int64(b)) >> 16
	p := uint32(squash[max(0, min(stretchK-1, dot+stretchK/2))&(stretchK-1)])
	y = c.bit(y, p)
	e := int32(y<<16) - int32(p) // of 2^16
	m[0] += (a*(e>>2) + 1<<13) >> 14
	m[1] += (b*(e>>2) + 1<<13) >> 14
	learn(t, y)
	learn(u, y)
	return y
}

// number codes a number of so many bits, each depending on those above.
//
//go:norace
func (c *codec) number(x, width int, t []uint32) int {
	node := 1
	for k := width - 1; k >= 0; k-- {
		node = node<<1 | c.one(x>>k&1, &t[node])
	}
	return node - 1<<width
}

// begin makes the codec read a block.
func (c *codec) begin(block []byte) {
	c.reading, c.in = true, block
	c.code = c.word()<<32 | c.word()
}

// end returns the block that was written.
func (c *codec) end() []byte { return binary.BigEndian.AppendUint64(c.out, c.high) }

// codeWeights codes weights, which depend on their tap alone.
func (c *codec) codeWeights() {
	tables := make([][]uint32, taps)
	for k := range tables {
		tables[k] = counters(256)
	}
	for i := range c.weights {
		c.weights[i] = int8(c.number(int(uint8(c.weights[i])), 8, tables[i%taps]))
		if c.over > 8 { // far beyond the end
			return
		}
	}
}

func (c *codec) codeImages() {
	labels, levels := counters(256), counters(256)
	size := c.m.Height * c.m.Width
	for i := range c.m.Labels {
		pixels := c.m.Pixels[i*size : (i+1)*size]
		level := 255
		if !c.reading {
			level = Levels(pixels)
		}
		label := c.number(int(c.m.Labels[i]), 8, labels)
		level = c.number(level, 8, levels)
		if c.reading {
			if label >= c.m.Classes || level == 0 {
				c.over++
				return
			}
			c.m.Labels[i] = uint8(label)
		}
		if c.reading && !c.slow {
			c.readPhoto(pixels, label, level)
		} else {
			c.photo(pixels, label, level)
		}
		if c.over > 8 {
			return
		}
	}
}

// Levels returns the least m, from 40, for which every byte is one of ⌊255·k/m⌋.
func Levels(image []uint8) int {
	var used [256]bool
	for _, x := range image {
		used[x] = true
	}
	for m := 40; m < 255; m++ {
		fits := true
		for x, u := range used {
			fits = fits && (!u || x == ((x*m+254)/255)*255/m)
		}
		if fits {
			return m
		}
	}
	return 255
}

// photo codes an image.
//
//go:norace
func (c *codec) photo(pixels []uint8, label, level int) {
	h, w, s := c.m.Height, c.m.Width, c.stride
	clear(c.image)
	clear(c.wrong)
	place := label * h * w
	for r := range h {
		top := (r + 3) * s
		r0, r1, r2, r3 := c.image[top:top+s], c.image[top-s:top], c.image[top-2*s:top-s], c.image[top-3*s:top-2*s]
		e0, e1, e2 := c.wrong[top:top+s], c.wrong[top-s:top], c.wrong[top-2*s:top-s]
		for x := range w {
			i := x + 3
			j := w + 2 - x // the mirrored place
			f := [taps]uint8{
				r0[i-1], r1[i], r1[i-1], r1[i+1], r0[i-2], r2[i], r1[i-2], r1[i+2],
				r2[i-1], r2[i+1], r0[i-3], r3[i], r2[i-2], r2[i+2], r1[i+3], r1[i-3],
				r0[j-1], r0[j], r0[j+1], r1[j-1], r1[j], r1[j+1], r2[j], 64,
			}
			any := f[0] | f[1] | f[2] | f[3] | f[4] | f[5] | f[17] | f[20]
			k := (*[taps]int8)(c.weights[(place+x)*taps:])
			mu := 0
			y := 0
			if pixels[r*w+x] == 0 {
				y = 1
			}
			if any == 0 {
				y = c.one(y, &c.plain[place+x])
				if y == 1 {
					continue
				}
			}
			for n := range f {
				mu += int(f[n]) * int(k[n])
			}
			mu = max(0, min(255*unit, mu))
			bright := min(brights-1, bits.Len(uint(mu/unit)))
			if any != 0 {
				side := lit(f[0]) | lit(f[1])<<1
				pattern := side | lit(f[2])<<2 | lit(f[3])<<3 | lit(f[4])<<4 | lit(f[5])<<5 | lit(f[17])<<6 | lit(f[20])<<7
				pattern |= small(f[0])<<8 | small(f[1])<<9
				y = c.both(y, &c.zero[0][(place+x)*4+side], &c.zero[1][pattern*16+bright], &c.zeroMix[bright*4+side])
			}
			v := 0
			if y == 0 {
				v = c.level(int(pixels[r*w+x]), mu, level, &f, c.scale(e0, e1, e2, i, j, place+x))
			}
			pixels[r*w+x], r0[i] = uint8(v), uint8(v)
			d := v*unit - mu
			d = max(d, -d) / (unit / 4)
			e0[i] = int32(d)
			c.usual[place+x] += (int32(d)*64 - c.usual[place+x]) >> 6
		}
		place += w
	}
}

//go:norace
func lit(x uint8) int {
	if x > 0 {
		return 1
	}
	return 0
}

//go:norace
func small(x uint8) int {
	if x > 0 && x < 8 {
		return 1
	}
	return 0
}

// scale returns how wrong what is foretold may be, in quarters.
//
//go:norace
func (c *codec) scale(e0, e1, e2 []int32, i, j, place int) int32 {
	m := e1[j]
	if j < i {
		m = e0[j]
	}
	near := 2*e0[i-1] + 2*e1[i] + e1[i-1] + e1[i+1] + (e0[i-2]+e2[i])/2 + m // of 8
	return (near*77 + c.usual[place]/64*(8*51)) >> 10                       // 0.6 and 0.4
}

// level codes a byte that is not 0, and not far from mu.
//
//go:norace
func (c *codec) level(v, mu, most int, f *[taps]uint8, wrong int32) int {
	scale := int(octave[min(wrong, int32(len(octave)-1))])
	bright := mu / (32 * unit)
	near := (bright*8+side(f[0], mu))*8 + side(f[1], mu)
	own, by := c.own[scale*nodes:(scale+1)*nodes], c.by[near*nodes:(near+1)*nodes]
	if most < 255 {
		v = (v*most + 254) / 255
		mu = mu * most / 255
		wrong = wrong * int32(most) / 255
	}
	expect := max(1, min(most, (mu+unit/2)/unit))
	low := 0 // bits that are written last
	for int32(4<<low)*100 < wrong*65 {
		low++
	}
	below, above := expect-1, most-expect
	minus := 0
	if below > 0 {
		if v < expect {
			minus = 1
		}
		minus = c.both(minus, &own[low].counter, &by[low], &own[low].mixer)
	}
	d, room := v-expect, above
	if minus == 1 {
		d, room = expect-v-1, below-1
	}
	// Steps of 2^low, then what is within one.
	base := 16 + (low*2+minus)*40
	steps, n := d>>low, 0
	for n < room>>low {
		more := 0
		if n < steps {
			more = 1
		}
		at := base + min(n, 20)
		if c.both(more, &own[at].counter, &by[at], &own[at].mixer) == 0 {
			break
		}
		n++
	}
	// The two upper ones of the lower bits depend on the scale; those below are even.
	rest := 0
	raw := max(0, low-2)
	for k := low - 1; k >= raw; k-- {
		rest = rest<<1 | c.one(d>>k&1, &own[base+24+(low-1-k)*4+rest&3].counter)
	}
	if raw > 0 {
		rest = rest<<raw | c.even(d&(1<<raw-1), raw)
	}
	d = n<<low | rest
	if minus == 1 {
		v = expect - 1 - d
	} else {
		v = expect + d
	}
	if most < 255 {
		v = v * 255 / most
	}
	return v
}

// side says on which side of what is foretold a byte lies, and how far: 0 to 7.
//
//go:norace
func side(x uint8, mu int) int {
	return max(-4, min(3, (int(x)*unit-mu)/(12*unit))) + 4
}
