// Package nasbench201 is NAS-Bench-201 as a problem: 15,625 convolutional
// networks that were really trained on three data sets and timed on 27 devices
// (Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural
// Architecture Search", ICLR 2020). An evaluation looks a network up in a table
// that is part of the program, so a search takes milliseconds and its result
// can be compared with the true front.
//
// A network is a stack of equal cells. A cell has four nodes and six edges,
// each of which carries one of five operations; these six choices are the
// [Problem]'s space. A search sees the validation accuracy after 12 epochs,
// which is cheap; the test accuracy after 200 epochs, by which designs are
// finally judged, is what [Problem.Verify] returns.
//
//	p, err := nasbench201.New(nasbench201.Options{Dataset: "cifar10", Device: "pixel3"})
//	front, err := p.Optimum(ctx, goal) // what the best possible search would find
//
// In 341 cells nothing of the input reaches the output. Such a network computes
// a constant, is right as often as chance, and runs in no time where the
// compiler notices. They are infeasible unless the options keep them.
//
// Predictors and tests read whole columns with [Accuracies] and [Latencies].
// DATA.md tells where the numbers come from.
package nasbench201
