// Package synthetic holds test functions as problems: cheap, without data, and
// with known optima. Benchmarks, tests and tutorials use them.
//
//	p, err := synthetic.ZDT{Function: 1}.New()
//	v, err := p.Evaluate(ctx, design, nil) // {"f1": …, "f2": …}
//
// One objective: [Sphere], [Rosenbrock], [Rastrigin] and [Branin]; package
// bbob has many more. Several: [ZDT], [DTLZ] and [WFG], whose values agree with
// those of pymoo. Discrete: [ZDT5] and, as rugged as one likes, [NK]. Each is a
// struct of options whose zero value works.
package synthetic
