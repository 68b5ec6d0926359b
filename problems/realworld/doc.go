// Package realworld is the suite of engineering problems of Tanabe and
// Ishibuchi, "An Easy-to-use Real-world Multi-objective Optimization Problem
// Suite" (Applied Soft Computing 89, 2020): RE21 to RE91 without limits and
// CRE21 to CRE51 with them. The first digit is the number of objectives.
//
//	p, err := realworld.Options{Problem: "RE22"}.New()
//	v, err := p.Evaluate(ctx, design, nil) // {"f1": …, "f2": …}
//
// Variables are what the suite says they are: real numbers, whole numbers, or
// one of a list of sizes that can be bought. In the RE problems the last
// objective is often by how much the limits of the original problem are missed
// in all; the CRE problems are the same with that as the metric violation,
// which a study bounds by "violation <= 0".
//
// The formulas are those of the paper's supplement with the corrections that its
// authors have published since (the ship may carry 500,000 t); the tests compare
// values with jMetalPy's and the authors' own. Differences: the bar areas of RE22 are those of the paper, which that program
// has misprinted in one place (3.10 became 3 and 10); RE25 takes all 42 wires
// of the paper, of which that program's bounds leave out those below 0.092; and
// the four random variables of RE91 are at their means, so that it is not noisy.
// RE42 multiplies by the speed where one would divide to get the days at sea:
// the suite does so too.
//
// True fronts are not known, except of RE36 and CRE25, which can be enumerated.
// [Range] gives the box that the best known designs span.
package realworld
