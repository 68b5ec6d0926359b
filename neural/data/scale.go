package data

import "math"

// A Scale brings numbers to mean 0 and standard deviation 1, by those of the training
// part: of each channel of images, with colours from 0 to 1, or of each column of
// numbers and each target of a table. What does not vary is only moved.
type Scale struct {
	Mean, Std             []float32
	TargetMean, TargetStd []float32
}

// Scale returns the means and standard deviations of a set, nil of a text.
func (s *Set) Scale() *Scale {
	switch s.Kind {
	case Images:
		c := &Scale{Mean: make([]float32, s.Channels), Std: make([]float32, s.Channels)}
		var counts [3][256]uint64
		for i := range s.Len() {
			m := s.Image(i)
			if s.Channels == 1 {
				for _, x := range m {
					counts[0][x]++
				}
				continue
			}
			for k := 0; k+2 < len(m); k += 3 {
				counts[0][m[k]]++
				counts[1][m[k+1]]++
				counts[2][m[k+2]]++
			}
		}
		n := float64(s.Len() * s.Height * s.Width)
		for k := range s.Channels {
			var sum, squares uint64 // at most 2^62, of 2^30 images of 2^16 bytes
			for x, m := range counts[k] {
				sum += m * uint64(x)
				squares += m * uint64(x*x)
			}
			mean := float64(sum) / n
			c.Mean[k] = float32(mean / 255)
			c.Std[k] = float32(deviation(float64(squares)/n-float64(mean*mean)) / 255)
			if c.Std[k] == 0 {
				c.Std[k] = 1
			}
		}
		return c
	case Table:
		c := &Scale{}
		c.Mean, c.Std = s.moments(len(s.Numbers), func(i int) []float32 { numbers, _, _ := s.Row(i); return numbers })
		c.TargetMean, c.TargetStd = s.moments(len(s.Targets), func(i int) []float32 { _, _, targets := s.Row(i); return targets })
		return c
	}
	return nil
}

func deviation(variance float64) float64 {
	if !(variance > 0) {
		return 0
	}
	return math.Sqrt(variance)
}

// moments returns the mean and the standard deviation of columns, by Welford's update.
func (s *Set) moments(columns int, row func(int) []float32) (mean, std []float32) {
	m, q := make([]float64, columns), make([]float64, columns)
	for i := range s.Len() {
		for k, x := range row(i) {
			d := float64(x) - m[k]
			m[k] += d / float64(i+1)
			q[k] += float64(d * (float64(x) - m[k]))
		}
	}
	mean, std = make([]float32, columns), make([]float32, columns)
	for k := range m {
		mean[k], std[k] = float32(m[k]), float32(deviation(q[k]/float64(s.Len())))
		if std[k] == 0 {
			std[k] = 1
		}
	}
	return mean, std
}

// colours returns what each byte of a channel becomes.
func (c *Scale) colours(channel int) *[256]float32 {
	mean, std := float32(0), float32(1)
	if c != nil {
		mean, std = c.Mean[channel], c.Std[channel]
	}
	t := new([256]float32)
	for x := range t {
		t[x] = float32((float64(x)/255 - float64(mean)) / float64(std))
	}
	return t
}

// middle returns the byte that is nearest to 0 after scaling, for each channel: black
// if there is no scale.
func (c *Scale) middle(channels int) []uint8 {
	m := make([]uint8, channels)
	if c != nil {
		for k := range m {
			m[k] = uint8(math.Round(float64(max(0, min(1, c.Mean[k])) * 255)))
		}
	}
	return m
}

// put scales numbers.
func put(to, from, mean, std []float32) {
	for k, x := range from {
		to[k] = (x - mean[k]) / std[k]
	}
}
