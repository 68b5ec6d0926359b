package grey

import (
	"errors"
	"math"
)

// Fit returns the weights that foretell the bytes of images best: of each class and
// place those of least squares, with places that neighbours foretell badly weighing
// less.
func Fit(m *Images) ([]int8, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	h, w := m.Height, m.Width
	groups := m.Classes * h * w
	weights := make([]float64, groups*taps)
	wrong := make([]float32, len(m.Pixels))
	for i := range wrong {
		wrong[i] = 20
	}
	grid := newCodec(m, nil)
	for range 3 {
		products := make([]float64, groups*taps*taps)
		targets := make([]float64, groups*taps)
		each(m, grid, func(i, r, x, group int, f *[taps]float64) {
			scale := float64(wrong[(i*h+r)*w+x])
			share := 400 / (scale * scale)
			a, b := products[group*taps*taps:], targets[group*taps:]
			v := float64(m.Pixels[(i*h+r)*w+x])
			for p, fp := range f {
				if fp == 0 {
					continue
				}
				fp *= share
				for q := 0; q <= p; q++ {
					a[p*taps+q] += fp * f[q]
				}
				b[p] += fp * v
			}
		})
		for g := range groups {
			if err := solve(products[g*taps*taps:(g+1)*taps*taps], targets[g*taps:(g+1)*taps], weights[g*taps:(g+1)*taps]); err != nil {
				return nil, err
			}
		}
		errs := make([]float32, len(grid.wrong))
		last := -1
		each(m, grid, func(i, r, x, group int, f *[taps]float64) {
			if i != last {
				clear(errs)
				last = i
			}
			mu := 0.0
			for k, fk := range f {
				mu += fk * weights[group*taps+k]
			}
			at := (r+3)*grid.stride + x + 3
			mirror := (r+3)*grid.stride + w + 2 - x
			if 2*x < w {
				mirror -= grid.stride
			}
			near := 2*errs[at-1] + 2*errs[at-grid.stride] + errs[at-grid.stride-1] + errs[at-grid.stride+1] + errs[at-2]/2 + errs[at-2*grid.stride]/2 + errs[mirror]
			wrong[(i*h+r)*w+x] = 5 + near/8
			errs[at] = float32(math.Abs(float64(m.Pixels[(i*h+r)*w+x]) - max(0, min(255, mu))))
		})
	}
	out := make([]int8, len(weights))
	for i, x := range weights {
		out[i] = int8(x * unit)
	}
	return out, nil
}

// each calls f with the taps of every place of which one is not black.
func each(m *Images, grid *codec, f func(i, r, x, group int, taps *[taps]float64)) {
	h, w, s := m.Height, m.Width, grid.stride
	for i, label := range m.Labels {
		clear(grid.image)
		for r := range h {
			top := (r + 3) * s
			r0, r1, r2, r3 := grid.image[top:top+s], grid.image[top-s:top], grid.image[top-2*s:top-s], grid.image[top-3*s:top-2*s]
			for x := range w {
				i0, j := x+3, w+2-x
				v := [taps]uint8{
					r0[i0-1], r1[i0], r1[i0-1], r1[i0+1], r0[i0-2], r2[i0], r1[i0-2], r1[i0+2],
					r2[i0-1], r2[i0+1], r0[i0-3], r3[i0], r2[i0-2], r2[i0+2], r1[i0+3], r1[i0-3],
					r0[j-1], r0[j], r0[j+1], r1[j-1], r1[j], r1[j+1], r2[j], 64,
				}
				var t [taps]float64
				sum := 0.0
				for k, b := range v {
					t[k] = float64(b)
					sum += t[k]
				}
				if sum > 64 {
					f(i, r, x, (int(label)*h+r)*w+x, &t)
				}
				r0[i0] = m.Pixels[(i*h+r)*w+x]
			}
		}
	}
}

// solve finds the w with (a + λI)·w = b by Cholesky's decomposition, in whole steps: each
// weight is rounded before the next one is found, which makes up for it (Babai 1986).
// Only the lower half of a is read. The ridge λ keeps weights small that few images speak for.
func solve(a, b, w []float64) error {
	const ridge = 200_000
	var l [taps][taps]float64
	var y [taps]float64
	for j := range taps {
		s := a[j*taps+j] + ridge
		for k := range j {
			s -= l[j][k] * l[j][k]
		}
		if !(s > 0) {
			return errors.New("grey: the images do not determine weights")
		}
		l[j][j] = math.Sqrt(s)
		for i := j + 1; i < taps; i++ {
			t := a[i*taps+j]
			for k := range j {
				t -= l[i][k] * l[j][k]
			}
			l[i][j] = t / l[j][j]
		}
	}
	for i := range taps {
		t := b[i]
		for k := range i {
			t -= l[i][k] * y[k]
		}
		y[i] = t / l[i][i]
	}
	for i := taps - 1; i >= 0; i-- {
		t := y[i]
		for k := i + 1; k < taps; k++ {
			t -= l[k][i] * w[k]
		}
		w[i] = max(-128, min(127, math.Round(t/l[i][i]*unit))) / unit
	}
	return nil
}
