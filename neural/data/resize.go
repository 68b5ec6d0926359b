package data

import "fmt"

// An axis says from which places of a line, and with which weights, each place of a
// resized line is made. Weights are whole numbers, so that results are exact.
type axis struct {
	taps   int      // places that each is made from
	first  []int32  // of them, for each
	weight []uint32 // taps for each; they add up to total
	total  uint64
}

// plan fills the axis for a line of in places that becomes one of out. A shorter line
// holds means over the places, and parts of places, that each new one covers. A longer
// one is interpolated between the middles of the places, and is constant beyond the
// first and last of them.
func (a *axis) plan(out, in int) {
	a.first = a.first[:0]
	a.weight = a.weight[:0]
	switch {
	case out == in:
		a.taps, a.total = 1, 1
		for o := range out {
			a.first = append(a.first, int32(o))
			a.weight = append(a.weight, 1)
		}
	case out < in:
		// In units of 1/out of an old place, a new one covers [o·in, (o+1)·in).
		a.taps, a.total = min(in, (in+out-1)/out+1), uint64(in)
		for o := range out {
			lo, hi := o*in, (o+1)*in
			first := min(lo/out, in-a.taps)
			a.first = append(a.first, int32(first))
			for i := first; i < first+a.taps; i++ {
				a.weight = append(a.weight, uint32(max(0, min(hi, (i+1)*out)-max(lo, i*out))))
			}
		}
	default:
		// The middle of o lies at ((2o+1)·in − out) / (2·out) between the old middles.
		a.taps, a.total = min(2, in), uint64(2*out)
		for o := range out {
			at := max(0, min((2*o+1)*in-out, 2*out*(in-1)))
			if a.taps == 1 {
				a.first, a.weight = append(a.first, 0), append(a.weight, uint32(2*out))
				continue
			}
			first := min(at/(2*out), in-2)
			part := uint32(at - first*2*out)
			a.first = append(a.first, int32(first))
			a.weight = append(a.weight, uint32(2*out)-part, part)
		}
	}
}

// A resizer brings images to other sizes. It keeps what it needs, and is not safe for
// concurrent use.
type resizer struct {
	x, y axis
	rows []uint32
}

// resize makes an image of height×width from a part of another, whose lines are stride
// bytes apart.
func (z *resizer) resize(dst []uint8, height, width int, src []uint8, stride, fromHeight, fromWidth, channels int) {
	z.x.plan(width, fromWidth)
	z.y.plan(height, fromHeight)
	line := width * channels
	if n := fromHeight * line; cap(z.rows) < n {
		z.rows = make([]uint32, n)
	} else {
		z.rows = z.rows[:n]
	}
	for y := range fromHeight {
		from := src[y*stride : y*stride+fromWidth*channels]
		to := z.rows[y*line : (y+1)*line]
		for x := range width {
			w := z.x.weight[x*z.x.taps : (x+1)*z.x.taps]
			at := int(z.x.first[x]) * channels
			for c := range channels {
				sum := uint32(0) // at most 255·2·maxSide
				for k, weight := range w {
					sum += weight * uint32(from[at+k*channels+c])
				}
				to[x*channels+c] = sum
			}
		}
	}
	total := z.x.total * z.y.total
	for y := range height {
		w := z.y.weight[y*z.y.taps : (y+1)*z.y.taps]
		at := int(z.y.first[y]) * line
		to := dst[y*line : (y+1)*line]
		for i := range to {
			sum := uint64(0)
			for k, weight := range w {
				sum += uint64(weight) * uint64(z.rows[at+k*line+i])
			}
			to[i] = uint8((2*sum + total) / (2 * total))
		}
	}
}

// Resize returns the images with a shorter edge of side; the longer one keeps the
// proportions, rounded. Smaller images hold means over areas, larger ones are
// interpolated bilinearly.
func (s *Set) Resize(side int) (*Set, error) {
	if s.Kind != Images {
		return nil, s.bad("found a side of %d, want images to resize", side)
	}
	if side < 1 || side > maxSide {
		return nil, s.bad("found a side of %d, want 1 to %d", side, maxSide)
	}
	h, w := fit(s.Height, s.Width, side)
	if h > maxSide || w > maxSide {
		return nil, s.bad("found a side of %d, which makes images of %d×%d, want at most %d", side, h, w, maxSide)
	}
	if h == s.Height && w == s.Width {
		return s, nil
	}
	size := h * w * s.Channels
	if int64(size)*int64(s.Len()) > maxBytes {
		return nil, s.bad("found %d images of %d×%d×%d, want at most %d bytes", s.Len(), h, w, s.Channels, int64(maxBytes))
	}
	t := *s
	t.Name = fmt.Sprintf("%s at %d×%d", s.Name, h, w)
	t.Height, t.Width, t.index = h, w, nil
	t.pixels = make([]uint8, size*s.Len())
	t.labels = make([]int32, s.Len())
	var z resizer
	for i := range s.Len() {
		t.labels[i] = int32(s.Class(i))
		z.resize(t.pixels[i*size:(i+1)*size], h, w, s.Image(i), s.Width*s.Channels, s.Height, s.Width, s.Channels)
	}
	return &t, nil
}

// fit returns the height and width with a shorter edge of side.
func fit(height, width, side int) (h, w int) {
	if height <= width {
		return side, max(1, (2*width*side+height)/(2*height))
	}
	return max(1, (2*height*side+width)/(2*width)), side
}
