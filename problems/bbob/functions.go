package bbob

import "math"

// f returns the value of the function above its optimum; it changes x. The
// notation is that of the report: x is shifted, then turned by R, bent by
// Tosz and Tasy, scaled by Λ and turned by Q.
func (in *instance) f(x []float64) float64 {
	n := in.n
	var buf [2][maxDims]float64
	z, t := buf[0][:n], buf[1][:n]
	far := 0.0 // from [-5, 5]^n; only mixed variables leave it
	for _, v := range x {
		if d := math.Abs(v) - 5; d > 0 {
			far += float64(d * d)
		}
	}
	switch in.which {
	case 5, 9, 19, 20, 21, 22, 24: // not shifted
	default:
		for i := range x {
			x[i] -= in.shift[i]
		}
	}
	dim := float64(n)
	switch in.which {
	case 1:
		return squares(x)
	case 2:
		return weighted(in.scale, oscillate(x))
	case 3:
		asymmetric(oscillate(x), 0.2)
		for i, s := range in.scale {
			x[i] *= s
		}
		return rastrigin(x)
	case 4:
		for i, v := range oscillate(x) {
			s := in.scale[i]
			if v > 0 && i%2 == 0 {
				s *= 10
			}
			x[i] = s * v
		}
		return rastrigin(x) + float64(100*far)
	case 5:
		sum := 0.0
		for i, v := range x {
			best := in.xopt[i]
			if v*best >= 25 {
				v = best
			}
			sum += float64(in.scale[i] * (5 - math.Copysign(v, v*best)))
		}
		return sum
	case 6:
		turn(in.q, x, z)
		sum := 0.0
		for i, v := range z {
			if v*in.xopt[i] > 0 {
				v *= 100
			}
			sum += float64(v * v)
		}
		return math.Pow(osz(sum), 0.9)
	case 7:
		turn(in.r, x, z)
		first := math.Abs(z[0])
		for i, v := range z {
			if math.Abs(v) > 0.5 {
				z[i] = round(v)
			} else {
				z[i] = round(10*v) / 10
			}
		}
		turn(in.q, z, t)
		return 0.1*max(first*1e-4, weighted(in.scale, t)) + far
	case 8:
		f := max(1, math.Sqrt(dim)/8)
		for i := range x {
			x[i] = float64(f*x[i]) + 1
		}
		return rosenbrock(x)
	case 9:
		turn(in.q, x, z)
		for i := range z {
			z[i] += 0.5
		}
		return rosenbrock(z)
	case 10:
		turn(in.r, x, z)
		return weighted(in.scale, oscillate(z))
	case 11:
		turn(in.r, x, z)
		oscillate(z)
		return float64(1e6*z[0]*z[0]) + squares(z[1:])
	case 12:
		turn(in.r, x, z)
		asymmetric(z, 0.5)
		turn(in.r, z, t)
		return float64(t[0]*t[0]) + float64(1e6*squares(t[1:]))
	case 13:
		turn(in.q, x, z)
		return float64(z[0]*z[0]) + float64(100*math.Sqrt(squares(z[1:])))
	case 14:
		turn(in.r, x, z)
		sum := 0.0
		for i, v := range z {
			sum += math.Pow(math.Abs(v), 2+4*float64(i)/(dim-1))
		}
		return math.Sqrt(sum)
	case 15:
		turn(in.r, x, z)
		asymmetric(oscillate(z), 0.2)
		turn(in.q, z, t)
		return rastrigin(t)
	case 16:
		turn(in.r, x, z)
		turn(in.q, oscillate(z), t)
		d := weierstrass(t)/dim - weierstrass0
		return float64(10*d*d*d) + float64(10/dim*far)
	case 17, 18:
		turn(in.r, x, z)
		asymmetric(z, 0.5)
		turn(in.q, z, t)
		sum := 0.0
		for i := range t[1:] {
			s := float64(t[i]*t[i]) + float64(t[i+1]*t[i+1])
			w := math.Sin(50 * math.Pow(s, 0.1))
			sum += float64(math.Sqrt(math.Sqrt(s)) * (1 + float64(w*w)))
		}
		sum /= dim - 1
		return float64(sum*sum) + float64(10*far)
	case 19:
		turn(in.q, x, z)
		for i := range z {
			z[i] += 0.5
		}
		sum := 0.0
		for i := range z[1:] {
			a, b := float64(z[i]*z[i])-z[i+1], 1-z[i]
			s := float64(100*a*a) + float64(b*b)
			sum += s/4000 - math.Cos(s)
		}
		return 10 + 10*sum/(dim-1)
	case 20:
		return in.schwefel(x, z)
	case 21, 22:
		turn(in.r, x, z)
		high, limit := 0.0, math.Inf(1)
	peaks:
		for i := range in.peaks {
			p := &in.peaks[i]
			d := 0.0
			for j, v := range z {
				v -= p.where[j]
				if d += float64(p.scale[j] * float64(v*v)); d > limit+p.bonus {
					continue peaks // lower than the highest so far
				}
			}
			if v := p.height * math.Exp(-0.5/dim*d); v > high {
				high, limit = v, d-p.bonus
			}
		}
		v := osz(10 - high)
		return float64(v*v) + far
	case 23:
		turn(in.q, x, z)
		return katsuura(z) + far
	case 24:
		return in.lunacek(x, z) + float64(1e4*far)
	}
	panic("bbob: no such function")
}

func squares(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v * v)
	}
	return sum
}

func weighted(s, x []float64) float64 {
	sum := 0.0
	for i, v := range x {
		sum += float64(s[i] * float64(v*v))
	}
	return sum
}

// osz is Tosz of one number: smooth and small waves on a logarithmic scale.
func osz(x float64) float64 {
	switch {
	case x > 0:
		l := math.Log(x)
		return math.Exp(l + float64(0.049*(math.Sin(10*l)+math.Sin(7.9*l))))
	case x < 0:
		l := math.Log(-x)
		return -math.Exp(l + float64(0.049*(math.Sin(5.5*l)+math.Sin(3.1*l))))
	}
	return 0
}

// oscillate applies Tosz in place.
func oscillate(x []float64) []float64 {
	for i, v := range x {
		x[i] = osz(v)
	}
	return x
}

// asymmetric applies Tasy in place: positive coordinates are stretched, the
// more the later they come.
func asymmetric(x []float64, beta float64) {
	for i, v := range x {
		if v > 0 {
			x[i] = math.Pow(v, 1+float64(beta*float64(i))/float64(len(x)-1)*math.Sqrt(v))
		}
	}
}

func rastrigin(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(10*(1-math.Cos(2*math.Pi*v))) + float64(v*v)
	}
	return sum
}

func rosenbrock(x []float64) float64 {
	sum := 0.0
	for i := range x[1:] {
		a, b := float64(x[i]*x[i])-x[i+1], x[i]-1
		sum += float64(100*a*a) + float64(b*b)
	}
	return sum
}

// weierstrass0 is a term of [weierstrass] at 0: -Σ 2^-k.
const weierstrass0 = -(2 - 1.0/2048)

// weierstrass is Σ Σ 2^-k cos 2π 3^k (x + ½) for k = 0 … 11.
func weierstrass(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		a, b := 1.0, 2*math.Pi*(v+0.5)
		for range 12 {
			sum += float64(a * math.Cos(b))
			a /= 2
			b *= 3
		}
	}
	return sum
}

func katsuura(x []float64) float64 {
	dim := float64(len(x))
	all := 1.0
	for i, v := range x {
		sum := 0.0
		p := 1.0
		for range 32 {
			p *= 2
			w := p * v
			sum += math.Abs(w-round(w)) / p
		}
		all *= 1 + float64(float64(i+1)*sum)
	}
	return 10 / dim / dim * (math.Pow(all, 10/math.Pow(dim, 1.2)) - 1)
}

func (in *instance) schwefel(x, z []float64) float64 {
	const peak = 4.2096874637 // twice the size of every coordinate of the optimum
	for i, v := range x {
		x[i] = math.Copysign(2, in.xopt[i]) * v
	}
	for i, v := range x {
		z[i] = v
		if i > 0 {
			z[i] += 0.25 * (x[i-1] - peak)
		}
	}
	sum, far := 0.0, 0.0
	for i, v := range z {
		v = 100 * (float64(in.scale[i]*(v-peak)) + peak)
		if d := math.Abs(v) - 500; d > 0 {
			far += float64(d * d)
		}
		sum += float64(v * math.Sin(math.Sqrt(math.Abs(v))))
	}
	return 0.01 * (far + 418.9828872724339 - sum/float64(len(x)))
}

func (in *instance) lunacek(x, z []float64) float64 {
	const mu0, d = 2.5, 1.0
	dim := float64(len(x))
	s := 1 - 0.5/(math.Sqrt(dim+20)-4.1)
	mu1 := -math.Sqrt((mu0*mu0 - d) / s)
	one, two := 0.0, 0.0
	for i, v := range x {
		v = math.Copysign(2, in.xopt[i]) * v
		one += float64((v - mu0) * (v - mu0))
		two += float64((v - mu1) * (v - mu1))
		x[i] = v - mu0
	}
	turn(in.q, x, z)
	waves := 0.0
	for _, v := range z {
		waves += 1 - math.Cos(2*math.Pi*v)
	}
	return min(one, float64(d*dim)+float64(s*two)) + float64(10*waves)
}
