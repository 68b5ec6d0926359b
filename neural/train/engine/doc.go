// Package engine computes networks and their gradients: the thin layer over GoMLX,
// which nothing outside of neural/train imports.
//
//	dev, err := engine.Open(engine.Config{})                  // this machine's processor, pure Go
//	p, err := dev.Params(g, g.Initial(rng))                   // learned numbers, by name
//	net, err := p.Net(g)                                      // g, or any network of its family
//	score, err := net.Gradient(batch, engine.Loss{}, grad)    // adds to grad
//	err = p.Step(opt, grad, 0.1)                              // one update
//
// [Params] hold the weights of a network, or of the largest network of a family. A
// [Net] of a smaller one takes of each weight of its names the first of the
// features and the centre of the kernel; the gradient goes back to the same place. So
// elastic networks need no other machinery than names.
//
// Images are batches of height×width×channels here (neural.Graph says
// channels×height×width); weights at the boundary are in the graph's order.
package engine
