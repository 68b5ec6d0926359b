package grey

import "math/bits"

// This is [codec.photo] and what it calls for reading alone, several times as fast: the
// state of the arithmetic code stays in registers, what is foretold is added up without
// room in between, and nothing is divided by what is not a constant. A test holds both
// together.

// A state is where the arithmetic code is: low, high − low, and code − low.
type state struct{ low, wide, above uint64 }

//go:norace
func (c *codec) state() state { return state{c.low, c.high - c.low, c.code - c.low} }

//go:norace
func (c *codec) setState(s state) { c.low, c.high, c.code = s.low, s.low+s.wide, s.low+s.above }

// shifted is the state after four bytes that low and high have in common.
//
//go:norace
func (c *codec) shifted(s state) state {
	for s.common() {
		s.low <<= 32
		s.wide = s.wide<<32 | 0xffffffff
		s.above = s.above<<32 | c.word()
	}
	return s
}

// common reports whether low and high have the upper four bytes in common.
//
//go:norace
func (s state) common() bool { return (s.low^(s.low+s.wide))>>32 == 0 }

// read takes a bit that is 1 with probability p/2^16. The state may have bytes in common
// then.
//
//go:norace
func (s state) read(p uint32) (int, state) {
	one := s.wide >> 16 * uint64(p)
	_, less := bits.Sub64(one, s.above, 0) // 1 if it is a 0: without a branch that nobody could foretell
	zero := -less
	skip := (one + 1) & zero
	s.low += skip
	s.above -= skip
	s.wide = one&^zero | (s.wide-one-1)&zero
	return int(1 - less), s
}

// readOne is [codec.one].
//
//go:norace
func (c *codec) readOne(s state, t *uint32) (int, state) {
	y, s := s.read(max(32, min(65536-32, *t>>16)))
	learn(t, y)
	if s.common() {
		s = c.shifted(s)
	}
	return y, s
}

// readBoth is [codec.both].
//
//go:norace
func (c *codec) readBoth(s state, t, u *uint32, m *mixer) (int, state) {
	a, b := int32(stretch[*t>>20&(stretchK-1)]), int32(stretch[*u>>20&(stretchK-1)])
	dot := (int64(m[0])*int64(a)+int64(m[1])*int64(b))>>16 + stretchK/2
	p := uint32(squash[max(0, min(stretchK-1, dot))&(stretchK-1)])
	y, s := s.read(p)
	e := (int32(y<<16) - int32(p)) >> 2
	m[0] += (a*e + 1<<13) >> 14
	m[1] += (b*e + 1<<13) >> 14
	learn(t, y)
	learn(u, y)
	if s.common() {
		s = c.shifted(s)
	}
	return y, s
}

// readEven is [codec.even].
//
//go:norace
func (c *codec) readEven(s state, count int) (int, state) {
	if s.wide>>16 == 0 { // too narrow, which hardly ever happens
		x, y := 0, 0
		for range count {
			if y, s = s.read(1 << 15); s.common() {
				s = c.shifted(s)
			}
			x = x<<1 | y
		}
		return x, s
	}
	part := s.wide >> count
	x := min(int(s.above/part), 1<<count-1)
	skip := uint64(x) * part
	s.low += skip
	s.above -= skip
	if x < 1<<count-1 {
		s.wide = part - 1
	} else {
		s.wide -= skip
	}
	if s.common() {
		s = c.shifted(s)
	}
	return x, s
}

// levelsOf returns what the levels of images with so many are: ⌊255·k/most⌋.
//
//go:norace
func (c *codec) levelsOf(most int) *[256]uint8 {
	if c.levels[most] == nil {
		t := new([256]uint8)
		for k := range most + 1 {
			t[k] = uint8(k * 255 / most)
		}
		c.levels[most] = t
	}
	return c.levels[most]
}

// readPhoto is [codec.photo].
//
//go:norace
func (c *codec) readPhoto(pixels []uint8, label, most int) {
	h, w, stride := c.m.Height, c.m.Width, c.stride
	clear(c.image)
	clear(c.wrong)
	levels := c.levelsOf(most)
	place := label * h * w
	s := c.state()
	for r := range h {
		top := (r + 3) * stride
		r0, r1, r2, r3 := c.image[top:top+stride], c.image[top-stride:top], c.image[top-2*stride:top-stride], c.image[top-3*stride:top-2*stride]
		e0, e1, e2 := c.wrong[top:top+stride], c.wrong[top-stride:top], c.wrong[top-2*stride:top-stride]
		line := pixels[r*w : r*w+w]
		plain, usual := c.plain[place:place+w], c.usual[place:place+w]
		for x := range line {
			i := x + 3
			j := w + 2 - x // the mirrored place
			a0, a1, a2 := (*[4]uint8)(r0[x:]), (*[7]uint8)(r1[x:]), (*[7]uint8)(r2[x:])
			b0, b1 := (*[3]uint8)(r0[j-1:]), (*[3]uint8)(r1[j-1:])
			y := 0
			dark := a0[2]|a1[3]|a1[2]|a1[4]|a0[1]|a2[3]|b0[1]|b1[1] == 0
			if dark {
				if y, s = c.readOne(s, &plain[x]); y == 1 {
					line[x] = 0
					continue
				}
			}
			k := (*[taps]int8)(c.weights[(place+x)*taps:])
			mu := int(a0[2])*int(k[0]) + int(a1[3])*int(k[1]) + int(a1[2])*int(k[2]) + int(a1[4])*int(k[3]) +
				int(a0[1])*int(k[4]) + int(a2[3])*int(k[5]) + int(a1[1])*int(k[6]) + int(a1[5])*int(k[7]) +
				int(a2[2])*int(k[8]) + int(a2[4])*int(k[9]) + int(a0[0])*int(k[10]) + int(r3[i])*int(k[11]) +
				int(a2[1])*int(k[12]) + int(a2[5])*int(k[13]) + int(a1[6])*int(k[14]) + int(a1[0])*int(k[15]) +
				int(b0[0])*int(k[16]) + int(b0[1])*int(k[17]) + int(b0[2])*int(k[18]) +
				int(b1[0])*int(k[19]) + int(b1[1])*int(k[20]) + int(b1[2])*int(k[21]) + int(r2[j])*int(k[22]) + 64*int(k[23])
			mu = max(0, min(255*unit, mu))
			if !dark {
				beside := isLit(a0[2]) | isLit(a1[3])<<1
				pattern := beside | isLit(a1[2])<<2 | isLit(a1[4])<<3 | isLit(a0[1])<<4 | isLit(a2[3])<<5 | isLit(b0[1])<<6 | isLit(b1[1])<<7
				pattern |= isSmall(a0[2])<<8 | isSmall(a1[3])<<9
				bright := min(brights-1, bits.Len(uint(mu/unit)))
				y, s = c.readBoth(s, &c.zero[0][(place+x)*4+beside], &c.zero[1][pattern*16+bright], &c.zeroMix[bright*4+beside])
			}
			v := 0
			if y == 0 {
				mirror := e1[j]
				if j < i {
					mirror = e0[j]
				}
				near := 2*e0[i-1] + 2*e1[i] + e1[i-1] + e1[i+1] + (e0[i-2]+e2[i])/2 + mirror
				wrong := (near*77 + usual[x]/64*(8*51)) >> 10
				v, s = c.readLevel(s, mu, most, a0[2], a1[3], wrong)
				v = int(levels[v&0xff])
			}
			line[x], r0[i] = uint8(v), uint8(v)
			d := v*unit - mu
			d = max(d, -d) / (unit / 4)
			e0[i] = int32(d)
			usual[x] += (int32(d)*64 - usual[x]) >> 6
		}
		place += w
	}
	c.setState(s)
}

// isLit is [lit] without a branch, and isSmall is [small].
//
//go:norace
func isLit(x uint8) int { return int((uint32(x) + 255) >> 8) }

//go:norace
func isSmall(x uint8) int { return int(((uint32(x) - 8) >> 31) & ((uint32(x) + 255) >> 8)) }

// readLevel is [codec.level], but for the last step from a level to a byte.
//
//go:norace
func (c *codec) readLevel(s state, mu, most int, left, up uint8, wrong int32) (int, state) {
	scale := int(octave[min(wrong, int32(len(octave)-1))])
	bright := mu / (32 * unit)
	near := (bright*8+side(left, mu))*8 + side(up, mu)
	own, by := (*[nodes]scaled)(c.own[scale*nodes:]), (*[nodes]uint32)(c.by[near*nodes:])
	if most < 255 {
		mu = mu * most / 255
		wrong = wrong * int32(most) / 255
	}
	expect := max(1, min(most, (mu+unit/2)/unit))
	// The least low with 4·2^low·100 no less than 65·wrong.
	low := bits.Len32(uint32(max(1, (wrong*65+399)/400) - 1))
	below, above := expect-1, most-expect
	minus := 0
	if below > 0 {
		minus, s = c.readBoth(s, &own[low].counter, &by[low], &own[low].mixer)
	}
	// Whether it is one or the other side is hard to foretell: no branches.
	flip := -minus
	room := above ^ (above^(below-1))&flip
	base := 16 + (low*2+minus)*40
	n := 0
	for n < room>>low {
		more := 0
		at := base + min(n, 20)
		if more, s = c.readBoth(s, &own[at].counter, &by[at], &own[at].mixer); more == 0 {
			break
		}
		n++
	}
	rest, y := 0, 0
	raw := max(0, low-2)
	for k := low - 1; k >= raw; k-- {
		y, s = c.readOne(s, &own[base+24+(low-1-k)*4+rest&3].counter)
		rest = rest<<1 | y
	}
	if raw > 0 {
		y, s = c.readEven(s, raw)
		rest = rest<<raw | y
	}
	return expect + ((n<<low | rest) ^ flip), s // below, it is expect − 1 − d
}
