// Package engine computes networks and their gradients: the thin layer over GoMLX,
// which nothing outside of neural/train imports.
//
//	dev, err := engine.Open(engine.Config{})                  // this machine's processor, pure Go
//	p, err := dev.Params(g, g.Initial(rng))                   // learned numbers, by name
//	net, err := p.Net(g)                                      // g, or any network of its family
//	score, err := net.Gradient(batch, engine.Loss{}, noise, grad) // adds to grad
//	norm, err := p.Step(opt, grad, 0.1)                       // one update
//
// [Params] hold the weights of a network, or of the largest network of a family. A
// [Net] of a smaller one takes of each weight of its names the first of the
// features and the centre of the kernel; the gradient goes back to the same place. So
// elastic networks need no other machinery than names. [KernelTransforms] adds learned
// ways to smaller kernels.
//
// Images are batches of height×width×channels here (neural.Graph says
// channels×height×width); weights at the boundary are in the graph's order.
//
// # How it works
//
// A network is written as operations of GoMLX's interface of backends
// (github.com/gomlx/compute), operator by operator, with the way back on a tape
// (writer): each operator knows its own gradient, in the form that kernels are good
// at. GoMLX's own automatic differentiation splits depthwise convolutions into one per
// channel, and has nothing for padding. Its package graph is not used.
//
// The same operations run on every backend but for convolutions, windows and batch
// norm, which the backend go has not, or slowly: there they are products and sums of
// shifted images.
//
// What is compiled is kept for the networks that were used last ([Config.Nets]) by the
// network's structure and the layout of the parameters, so that clones of parameters
// share it. One computation is compiled for each size of batch.
//
// # Determinism
//
// On one kind of machine the same calls give the same bits, with any number of threads
// on the backend cpu. Masks of dropout are drawn on the host and are the same
// everywhere.
package engine
