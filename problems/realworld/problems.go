package realworld

import (
	"math"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problems/internal/vector"
	"github.com/daedalus-search/daedalus/space"
)

// bars are the cross sections in square inches of the reinforcing bars that
// RE22 can choose (Amir and Hasegawa 1989).
var bars = []float64{
	0.2, 0.31, 0.4, 0.44, 0.6, 0.62, 0.79, 0.8, 0.88, 0.93, 1, 1.2, 1.24, 1.32, 1.4, 1.55, 1.58, 1.6, 1.76, 1.8, 1.86,
	2, 2.17, 2.2, 2.37, 2.4, 2.48, 2.6, 2.64, 2.79, 2.8, 3, 3.08, 3.1, 3.16, 3.41, 3.52, 3.6, 3.72, 3.95, 3.96,
	4, 4.03, 4.2, 4.34, 4.4, 4.65, 4.74, 4.8, 4.84, 5, 5.28, 5.4, 5.53, 5.72, 6, 6.16, 6.32, 6.6, 7.11, 7.2, 7.8, 7.9,
	8, 8.4, 8.69, 9, 9.48, 10.27, 11, 11.06, 11.85, 12, 13, 14, 15,
}

// wires are the diameters in inches of the wire that RE25 can choose.
var wires = []float64{
	0.009, 0.0095, 0.0104, 0.0118, 0.0128, 0.0132, 0.014, 0.015, 0.0162, 0.0173, 0.018, 0.02, 0.023, 0.025, 0.028,
	0.032, 0.035, 0.041, 0.047, 0.054, 0.063, 0.072, 0.08, 0.092, 0.105, 0.12, 0.135, 0.148, 0.162, 0.177, 0.192,
	0.207, 0.225, 0.244, 0.263, 0.283, 0.307, 0.331, 0.362, 0.394, 0.4375, 0.5,
}

func docs(d ...string) []metric.Metric {
	ms := make([]metric.Metric, len(d))
	for i := range ms {
		ms[i].Doc = d[i]
	}
	return ms
}

// box declares real numbers x1, x2 … between pairs of bounds.
func box(bounds ...float64) []space.Node {
	var nodes []space.Node
	for i := 0; i < len(bounds); i += 2 {
		nodes = append(nodes, vector.Floats(i/2+1, bounds[i], bounds[i+1])[i/2])
	}
	return nodes
}

// with replaces a node.
func with(nodes []space.Node, i int, n space.Node) []space.Node { nodes[i] = n; return nodes }

func sq(x float64) float64   { return x * x }
func cube(x float64) float64 { return x * x * x }

var car = box(0.5, 1.5, 0.45, 1.35, 0.5, 1.5, 0.5, 1.5, 0.875, 2.625, 0.4, 1.2, 0.4, 1.2)

var problems = [...]engineering{
	{
		re: "RE21", doc: "a truss of four bars (Cheng and Li 1999)",
		nodes:      box(1, 3, math.Sqrt2, 3, math.Sqrt2, 3, 1, 3),
		objectives: docs("volume, cm³", "displacement of the joint, cm"),
		f: func(x, f, _ []float64) {
			const force, modulus, length = 10.0, 2e5, 200.0 // kN, kN/cm², cm
			f[0] = length * (2*x[0] + math.Sqrt2*x[1] + math.Sqrt(x[2]) + x[3])
			f[1] = force * length / modulus * (2/x[0] + 2*math.Sqrt2/x[1] - 2*math.Sqrt2/x[2] + 2/x[3])
		},
	},
	{
		re: "RE22", doc: "a beam of reinforced concrete (Amir and Hasegawa 1989)",
		nodes:      with(box(0, 0, 0, 20, 0, 40), 0, space.Ordinal("x1", bars...).Doc("area of reinforcement, square inches")),
		objectives: docs("cost of concrete and steel"), limits: 2,
		f: func(x, f, g []float64) {
			width := max(x[1], 1e-9) // the bound is 0, where nothing is defined
			f[0] = 29.4*x[0] + 0.6*x[1]*x[2]
			g[0] = x[0]*x[2] - 7.735*sq(x[0])/width - 180
			g[1] = 4 - x[2]/width
		},
	},
	{
		re: "RE23", doc: "a pressure vessel (Kannan and Kramer 1994)",
		nodes: with(with(box(0, 0, 0, 0, 10, 200, 10, 240), 0, space.Int("x1", 1, 100).Doc("thickness of the shell, sixteenths of an inch")),
			1, space.Int("x2", 1, 100).Doc("thickness of the heads, sixteenths of an inch")),
		objectives: docs("cost of material and forming"), limits: 3,
		f: func(x, f, g []float64) {
			shell, head, radius, length := x[0]/16, x[1]/16, x[2], x[3]
			f[0] = 0.6224*shell*radius*length + 1.7781*head*sq(radius) + 3.1661*sq(shell)*length + 19.84*sq(shell)*radius
			g[0] = shell - 0.0193*radius
			g[1] = head - 0.00954*radius
			g[2] = math.Pi*sq(radius)*length + 4./3*math.Pi*cube(radius) - 1296000
		},
	},
	{
		re: "RE24", doc: "a hatch cover (Amir and Hasegawa 1989)",
		nodes:      box(0.5, 4, 0.5, 50),
		objectives: docs("weight"), limits: 4,
		f: func(x, f, g []float64) {
			const modulus = 700000.0
			bending, buckling := 4500/(x[0]*x[1]), modulus*sq(x[0])/100
			f[0] = x[0] + 120*x[1]
			g[0] = 1 - bending/700
			g[1] = 1 - 1800/x[1]/450
			g[2] = 1 - 56.2*10000/(modulus*x[0]*sq(x[1]))/1.5
			g[3] = 1 - bending/buckling
		},
	},
	{
		re: "RE25", doc: "a coil spring (Lampinen and Zelinka 1999)",
		nodes: with(with(box(0, 0, 0.6, 3, 0, 0), 0, space.Int("x1", 1, 70).Doc("number of coils")),
			2, space.Ordinal("x3", wires...).Doc("diameter of the wire, inches")),
		objectives: docs("volume of wire, cubic inches"), limits: 6,
		f: func(x, f, g []float64) {
			const load, preload, shear = 1000.0, 300.0, 11.5e6 // lb, lb, psi
			coils, coil, wire := x[0], x[1], x[2]
			ratio := coil / wire
			stiffness := shear * sq(sq(wire)) / (8 * coils * cube(coil))
			curvature := (4*ratio-1)/(4*ratio-4) + 0.615/ratio
			solid := 1.05 * (coils + 2) * wire
			free := load/stiffness + solid
			f[0] = sq(math.Pi) * coil * sq(wire) * (coils + 2) / 4
			g[0] = 189000 - 8*curvature*load*coil/(math.Pi*cube(wire))
			g[1] = 14 - free
			g[2] = ratio - 3
			g[3] = 6 - preload/stiffness
			g[4] = free - preload/stiffness - (load-preload)/stiffness - solid
			g[5] = 1.25 - (load-preload)/stiffness
		},
	},
	{
		re: "RE31", cre: "CRE21", doc: "a truss of two bars (Coello and Pulido 2005)",
		nodes:      box(1e-5, 100, 1e-5, 100, 1, 3),
		objectives: docs("volume", "stress in the first bar"), limits: 3,
		f: func(x, f, g []float64) {
			long, short := math.Sqrt(16+sq(x[2])), math.Sqrt(1+sq(x[2]))
			f[0] = x[0]*long + x[1]*short
			f[1] = 20 * long / (x[0] * x[2])
			g[0] = 0.1 - f[0]
			g[1] = 1e5 - f[1]
			g[2] = 1e5 - 80*short/(x[2]*x[1])
		},
	},
	{
		re: "RE32", cre: "CRE22", doc: "a welded beam (Ray and Liew 2002)",
		nodes:      box(0.125, 5, 0.1, 10, 0.1, 10, 0.125, 5),
		objectives: docs("cost", "deflection at the end, inches"), limits: 4,
		f: func(x, f, g []float64) {
			const load, length, modulus, shear = 6000.0, 14.0, 30e6, 12e6
			weld, joint, depth, width := x[0], x[1], x[2], x[3]
			f[0] = 1.10471*sq(weld)*joint + 0.04811*depth*width*(length+joint)
			f[1] = 4 * load * cube(length) / (modulus * width * cube(depth))
			arm := sq((weld + depth) / 2)
			r := math.Sqrt(sq(joint)/4 + arm)
			direct := load / (math.Sqrt2 * weld * joint)
			twist := load * (length + joint/2) * r / (2 * math.Sqrt2 * weld * joint * (sq(joint)/12 + arm))
			stress := math.Sqrt(sq(direct) + direct*twist*joint/r + sq(twist))
			g[0] = 13600 - stress
			g[1] = 30000 - 6*load*length/(width*sq(depth))
			g[2] = width - weld
			g[3] = 4.013*modulus*depth*cube(width)/6/sq(length)*(1-depth/(2*length)*math.Sqrt(modulus/(4*shear))) - load
		},
	},
	{
		re: "RE33", cre: "CRE23", doc: "a disc brake (Ray and Liew 2002)",
		nodes:      box(55, 80, 75, 110, 1000, 3000, 11, 20),
		objectives: docs("mass of the brake, kg", "time to stop, s"), limits: 4,
		f: func(x, f, g []float64) {
			area, third := sq(x[1])-sq(x[0]), cube(x[1])-cube(x[0])
			force, discs := x[2], x[3]
			f[0] = 4.9e-5 * area * (discs - 1)
			f[1] = 9.82e6 * area / (force * discs * third)
			g[0] = x[1] - x[0] - 20
			g[1] = 0.4 - force/(3.14*area)
			g[2] = 1 - 2.22e-3*force*third/sq(area)
			g[3] = 2.66e-2*force*discs*third/area - 900
		},
	},
	{
		re: "RE34", doc: "the front of a car in a crash (Liao et al. 2008)",
		nodes:      vector.Floats(5, 1, 3),
		objectives: docs("mass, kg", "acceleration", "intrusion of the toe board"),
		f: func(x, f, _ []float64) {
			f[0] = 1640.2823 + 2.3573285*x[0] + 2.3220035*x[1] + 4.5688768*x[2] + 7.7213633*x[3] + 4.4559504*x[4]
			f[1] = 6.5856 + 1.15*x[0] - 1.0427*x[1] + 0.9738*x[2] + 0.8364*x[3] - 0.3695*x[0]*x[3] + 0.0861*x[0]*x[4] +
				0.3628*x[1]*x[3] - 0.1106*sq(x[0]) - 0.3437*sq(x[2]) + 0.1764*sq(x[3])
			f[2] = -0.0551 + 0.0181*x[0] + 0.1024*x[1] + 0.0421*x[2] - 0.0073*x[0]*x[1] + 0.024*x[1]*x[2] - 0.0118*x[1]*x[3] -
				0.0204*x[2]*x[3] - 0.008*x[2]*x[4] - 0.0241*sq(x[1]) + 0.0109*sq(x[3])
		},
	},
	{
		re: "RE35", cre: "CRE24", doc: "a speed reducer (Farhang-Mehr and Azarm 2002)",
		nodes:      with(box(2.6, 3.6, 0.7, 0.8, 0, 0, 7.3, 8.3, 7.3, 8.3, 2.9, 3.9, 5, 5.5), 2, space.Int("x3", 17, 28).Doc("teeth of the pinion")),
		objectives: docs("volume of the gears and shafts", "stress in the first shaft"), limits: 11,
		f: func(x, f, g []float64) {
			width, module, teeth, l1, l2, d1, d2 := x[0], x[1], x[2], x[3], x[4], x[5], x[6]
			f[0] = 0.7854*width*sq(module)*(10./3*sq(teeth)+14.933*teeth-43.0934) - 1.508*width*(sq(d1)+sq(d2)) +
				7.477*(cube(d1)+cube(d2)) + 0.7854*(l1*sq(d1)+l2*sq(d2))
			f[1] = math.Sqrt(sq(745*l1/(module*teeth))+1.69e7) / (0.1 * cube(d1))
			g[0] = 1./27 - 1/(width*sq(module)*teeth)
			g[1] = 1/397.5 - 1/(width*sq(module)*sq(teeth))
			g[2] = 1/1.93 - cube(l1)/(module*teeth*sq(sq(d1)))
			g[3] = 1/1.93 - cube(l2)/(module*teeth*sq(sq(d2)))
			g[4] = 40 - module*teeth
			g[5] = 12 - width/module
			g[6] = width/module - 5
			g[7] = l1 - 1.5*d1 - 1.9
			g[8] = l2 - 1.1*d2 - 1.9
			g[9] = 1300 - f[1]
			g[10] = 1100 - math.Sqrt(sq(745*l2/(module*teeth))+1.575e8)/(0.1*cube(d2))
		},
	},
	{
		re: "RE36", cre: "CRE25", doc: "a train of four gears (Deb and Srinivasan 2006)",
		nodes: []space.Node{
			space.Int("x1", fewestTeeth, mostTeeth), space.Int("x2", fewestTeeth, mostTeeth),
			space.Int("x3", fewestTeeth, mostTeeth), space.Int("x4", fewestTeeth, mostTeeth),
		},
		objectives: docs("distance of the ratio from 6.931", "teeth of the largest gear"), limits: 1,
		f: func(x, f, g []float64) {
			f[0] = math.Abs(6.931 - x[2]/x[0]*(x[3]/x[1]))
			f[1] = max(x[0], x[1], x[2], x[3])
			g[0] = 0.5 - f[0]/6.931
		},
	},
	{
		re: "RE37", doc: "a rocket injector (Vaidyanathan et al. 2003)",
		nodes:      vector.Floats(4, 0, 1),
		objectives: docs("largest temperature at the face", "distance from the inlet to where combustion is complete", "largest temperature at the tip"),
		f: func(x, f, _ []float64) {
			a, h, o, t := x[0], x[1], x[2], x[3] // angle, changes of the hydrogen and oxygen areas, thickness of the tip
			f[0] = 0.692 + 0.477*a - 0.687*h - 0.08*o - 0.065*t - 0.167*a*a - 0.0129*h*a + 0.0796*h*h - 0.0634*o*a -
				0.0257*o*h + 0.0877*o*o - 0.0521*t*a + 0.00156*t*h + 0.00198*t*o + 0.0184*t*t
			f[1] = 0.153 - 0.322*a + 0.396*h + 0.424*o + 0.0226*t + 0.175*a*a + 0.0185*h*a - 0.0701*h*h - 0.251*o*a +
				0.179*o*h + 0.015*o*o + 0.0134*t*a + 0.0296*t*h + 0.0752*t*o + 0.0192*t*t
			f[2] = 0.37 - 0.205*a + 0.0307*h + 0.108*o + 1.019*t - 0.135*a*a + 0.0141*h*a + 0.0998*h*h + 0.208*o*a -
				0.0301*o*h - 0.226*o*o + 0.353*t*a - 0.0497*t*o - 0.423*t*t + 0.202*h*a*a - 0.281*o*a*a - 0.342*h*h*a -
				0.245*h*h*o + 0.281*o*o*h - 0.184*t*t*a - 0.281*h*a*o
		},
	},
	{
		re: "RE41", cre: "CRE31", doc: "a car hit from the side (Jain and Deb 2014)",
		nodes:      car,
		objectives: docs("weight, kg", "force on the pubis, kN", "mean speed of the pillar and the door, mm/ms"), limits: 10,
		f: func(x, f, g []float64) {
			x1, x2, x3, x4, x5, x6, x7 := x[0], x[1], x[2], x[3], x[4], x[5], x[6]
			pillar := 10.58 - 0.674*x1*x2 - 0.67275*x2
			door := 16.45 - 0.489*x3*x7 - 0.843*x5*x6
			f[0] = 1.98 + 4.9*x1 + 6.67*x2 + 6.98*x3 + 4.01*x4 + 1.78*x5 + 1e-5*x6 + 2.73*x7
			f[1] = 4.72 - 0.5*x4 - 0.19*x2*x3
			f[2] = (pillar + door) / 2
			g[0] = 1 - (1.16 - 0.3717*x2*x4 - 0.0092928*x3)
			g[1] = 0.32 - (0.261 - 0.0159*x1*x2 - 0.06486*x1 - 0.019*x2*x7 + 0.0144*x3*x5 + 0.0154464*x6)
			g[2] = 0.32 - (0.214 + 0.00817*x5 - 0.0587118*x1 + 0.03099*x2*x6 - 0.018*x2*x7 + 0.030408*x3 - 0.00364*x5*x6 - 0.018*x2*x2)
			g[3] = 0.32 - (0.74 - 0.61*x2 - 0.031296*x3 - 0.031872*x7 + 0.227*x2*x2)
			g[4] = 32 - (28.98 + 3.818*x3 - 4.2*x1*x2 + 1.27296*x6 - 2.68065*x7)
			g[5] = 32 - (33.86 + 2.95*x3 - 5.057*x1*x2 - 3.795*x2 - 3.4431*x7 + 1.45728)
			g[6] = 32 - (46.36 - 9.9*x2 - 4.4505*x1)
			g[7] = 4 - f[1]
			g[8] = 9.9 - pillar
			g[9] = 15.7 - door
		},
	},
	{
		re: "RE42", cre: "CRE32", doc: "a bulk carrier (Parsons and Scott 2004)",
		nodes:      box(150, 274.32, 20, 32.31, 13, 25, 10, 11.71, 14, 18, 0.63, 0.75),
		objectives: docs("cost of a tonne carried", "weight of the empty ship, t", "less the tonnes carried in a year"), limits: 9,
		f: func(x, f, g []float64) {
			length, beam, depth, draft, knots, block := x[0], x[1], x[2], x[3], x[4], x[5]
			displacement := 1.025 * length * beam * draft * block
			froude := 0.5144 * knots / math.Sqrt(9.8065*length)
			a := 4977.06*sq(block) - 8105.61*block + 4456.51
			b := -10847.2*sq(block) + 12817*block - 6960.32
			power := math.Pow(displacement, 2./3) * cube(knots) / (a + b*froude)
			outfit := math.Pow(length, 0.8) * math.Pow(beam, 0.6) * math.Pow(depth, 0.3) * math.Pow(block, 0.1)
			steel := 0.034 * math.Pow(length, 1.7) * math.Pow(beam, 0.7) * math.Pow(depth, 0.4) * math.Pow(block, 0.5)
			light := steel + outfit + 0.17*math.Pow(power, 0.9)
			capital := 0.2 * 1.3 * (2000*math.Pow(steel, 0.85) + 3500*outfit + 2400*math.Pow(power, 0.8))
			dead := displacement - light
			running := 40000 * math.Pow(dead, 0.3)
			daysAtSea := 5000. / 24 * knots
			fuel := 0.19*power*24/1000 + 0.2 // t a day
			voyage := 1.05*fuel*daysAtSea*100 + 6.3*math.Pow(dead, 0.8)
			cargo := dead - fuel*(daysAtSea+5) - 2*math.Sqrt(dead)
			trips := 350 / (daysAtSea + 2*(cargo/8000+0.5))
			f[0] = (capital + running + voyage*trips) / (cargo * trips)
			f[1] = light
			f[2] = -cargo * trips
			g[0] = length/beam - 6
			g[1] = 15 - length/depth
			g[2] = 19 - length/draft
			g[3] = 0.45*math.Pow(dead, 0.31) - draft
			g[4] = 0.7*depth + 0.7 - draft
			g[5] = 500000 - dead
			g[6] = dead - 3000
			g[7] = 0.32 - froude
			g[8] = 0.53*draft + (0.085*block-0.002)*sq(beam)/(draft*block) - (1 + 0.52*depth) - 0.07*beam
		},
	},
	{
		re: "RE61", cre: "CRE51", doc: "storm drainage of a city (Ray, Tai and Seow 2001)",
		nodes: box(0.01, 0.45, 0.01, 0.1, 0.01, 0.1),
		objectives: docs("cost of the drainage network", "cost of the storage", "cost of the treatment",
			"expected flood damage", "expected loss by floods"), limits: 7,
		f: func(x, f, g []float64) {
			volume := x[0] * x[1]
			f[0] = 106780.37*(x[1]+x[2]) + 61704.67
			f[1] = 3000 * x[0]
			f[2] = 305700 * 2289 * x[1] / math.Pow(0.06*2289, 0.65)
			f[3] = 250 * 2289 * math.Exp(-39.75*x[1]+9.9*x[2]+2.74)
			f[4] = 25 * (1.39/volume + 4940*x[2] - 80)
			g[0] = 1 - (0.00139/volume + 4.94*x[2] - 0.08)
			g[1] = 1 - (0.000306/volume + 1.082*x[2] - 0.0986)
			g[2] = 50000 - (12.307/volume + 49408.24*x[2] + 4051.02)
			g[3] = 16000 - (2.098/volume + 8046.33*x[2] - 696.71)
			g[4] = 10000 - (2.138/volume + 7883.39*x[2] - 705.04)
			g[5] = 2000 - (0.417*volume + 1721.26*x[2] - 136.54)
			g[6] = 550 - (0.164/volume + 631.13*x[2] - 54.48)
		},
	},
	{
		re: "RE91", doc: "the cab of a car (Deb and Jain 2014)",
		nodes: car,
		objectives: docs("weight, kg", "load on the abdomen, kN", "speed of the upper rib", "speed of the middle rib", "speed of the lower rib",
			"mean deflection of the ribs", "force on the pubis", "speed of the pillar", "speed of the door"),
		f: func(x, f, _ []float64) {
			x1, x2, x3, x4, x5, x6, x7 := x[0], x[1], x[2], x[3], x[4], x[5], x[6]
			const x8, x9, x10, x11 = 0.345, 0.192, 0.0, 0.0 // means of materials, height and place of the barrier
			f[0] = 1.98 + 4.9*x1 + 6.67*x2 + 6.98*x3 + 4.01*x4 + 1.75*x5 + 1e-5*x6 + 2.73*x7
			f[1] = max(0, 1.16-0.3717*x2*x4-0.00931*x2*x10-0.484*x3*x9+0.01343*x6*x10)
			f[2] = max(0, 0.261-0.0159*x1*x2-0.188*x1*x8-0.019*x2*x7+0.0144*x3*x5+0.87570001*x5*x10+0.08045*x6*x9+
				0.00139*x8*x11+0.00001575*x10*x11) / 0.32
			f[3] = max(0, 0.214+0.00817*x5-0.131*x1*x8-0.0704*x1*x9+0.03099*x2*x6-0.018*x2*x7+0.0208*x3*x8+0.121*x3*x9-
				0.00364*x5*x6+0.0007715*x5*x10-0.0005354*x6*x10+0.00121*x8*x11+0.00184*x9*x10-0.018*x2*x2) / 0.32
			f[4] = max(0, 0.74-0.61*x2-0.163*x3*x8+0.001232*x3*x10-0.166*x7*x9+0.227*x2*x2) / 0.32
			upper := 28.98 + 3.818*x3 - 4.2*x1*x2 + 0.0207*x5*x10 + 6.63*x6*x9 - 7.77*x7*x8 + 0.32*x9*x10
			middle := 33.86 + 2.95*x3 + 0.1792*x10 - 5.057*x1*x2 - 11*x2*x8 - 0.0215*x5*x10 - 9.98*x7*x8 + 22*x8*x9
			lower := 46.36 - 9.9*x2 - 12.9*x1*x8 + 0.1107*x3*x10
			f[5] = max(0, (upper+middle+lower)/3/32)
			f[6] = max(0, 4.72-0.5*x4-0.19*x2*x3-0.0122*x4*x10+0.009325*x6*x10+0.000191*x11*x11) / 4
			f[7] = max(0, 10.58-0.674*x1*x2-1.95*x2*x8+0.02054*x3*x10-0.0198*x4*x10+0.028*x6*x10) / 9.9
			f[8] = max(0, 16.45-0.489*x3*x7-0.843*x5*x6+0.0432*x9*x10-0.0556*x9*x11-0.000786*x11*x11) / 15.7
		},
	},
}
