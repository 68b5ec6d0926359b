// Package bbob is the suite of 24 functions on which black-box optimisers are
// compared (Hansen, Finck, Ros and Auger, "Real-Parameter Black-Box
// Optimization Benchmarking 2009: Noiseless Functions Definitions", INRIA
// RR-6829), and its mixed-integer form (Tušar, Brockhoff and Hansen,
// "Mixed-Integer Benchmark Problems for Single- and Bi-Objective Optimization",
// GECCO 2019).
//
//	p, err := bbob.Options{Function: 10, Dims: 20, Instance: 1}.New()
//	v, err := p.Evaluate(ctx, design, nil) // {"f": …}
//	p.Best()                               // where the optimum is
//
// Instances are those of COCO: the same generator of random numbers gives the
// same shifts, rotations and optimal values, so that results can be compared
// with published ones. The tests hold values that COCO's own programs computed
// (coco-experiment 2.8.2); they agree to 9 digits.
//
// The functions come in groups: 1 to 5 are separable, 6 to 9 have a low or
// moderate condition, 10 to 14 a high one and one optimum, 15 to 19 are
// multimodal with a global structure and 20 to 24 with a weak one.
//
// With Mixed the first four fifths of the variables are whole numbers, in equal
// parts with 2, 4, 8 and 16 values; values are scaled as in COCO's bbob-mixint.
package bbob
