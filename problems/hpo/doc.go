// Package hpo is the search for hyperparameters of this project's own boosted
// trees (predict.Boosted) on real tables: nine parameters of which four are
// conditional, a few to a few hundred milliseconds an evaluation.
//
//	p, err := hpo.Options{Dataset: "concrete"}.New()
//	v, err := p.Evaluate(ctx, design, nil) // {"rmse": …, "splits": …}
//
// A search sees the error of cross-validation on four fifths of the rows; what
// it found is judged, by [Problem.Verify], on the fifth that it never saw. Trees
// are the effort: a design can be measured with a part of them. The same design
// always gives the same values.
//
// The data sets are part of the program; DATA.md says where they come from.
package hpo
