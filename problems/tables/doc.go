// Package tables holds published measurements of designs as problems. An
// evaluation looks a design up in a table that is part of the program, so a
// search takes milliseconds and its result can be compared with the true front.
//
//	p, err := tables.Graph{Dataset: "arxiv"}.New()
//	front, err := p.Optimum(ctx, goal) // what the best possible search would find
//
// Complete tables, every design of which was measured:
//
//   - [Macro]: 6,561 image classifiers, each trained three times
//   - [Graph]: 26,206 graph neural networks on citation networks
//   - [Boom]: 15,633 out-of-order processors (values made up by their authors)
//
// Tables of a few thousand out of billions of designs, of which a sum over the
// parts of the design is made that predicts the rest well:
//
//   - [Accel]: accuracy of 10^11 image classifiers, and speed on six accelerators
//   - [FBNet]: latency of 9^22 image classifiers on 27 devices
//
// A table whose licence does not allow passing it on, read from a file:
//
//   - [HLS]: hardware kernels under 42 sets of synthesis pragmas
//
// DATA.md tells where the numbers come from and how well the sums fit.
package tables
