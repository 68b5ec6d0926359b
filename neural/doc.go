// Package neural describes networks: one graph that whatever builds networks
// writes, and whatever counts, trains, draws or exports them reads.
//
//	b := neural.NewBuilder("small")
//	x := b.Input("image", neural.Shape{1, 28, 28})
//	x = b.Add(neural.Conv{Out: 6, Kernel: 5, Bias: true}, x)
//	x = b.Add(neural.Activation{Func: neural.ReLU}, x)
//	x = b.Add(neural.MaxPool{Stride: 2}, x)
//	x = b.Add(neural.Flatten{}, x)
//	x = b.Add(neural.Linear{Out: 10, Bias: true}, x)
//	g, err := b.Build(x)
//
// A [Graph] is an immutable list of nodes in an order in which they can be
// computed. A node is an operator, a small struct of attributes ([Op]), on earlier
// nodes; its [Shape] is inferred when it is added, and a mistake names it. Shapes
// leave out the batch. Images are channels×height×width, sequences are
// tokens×features. A sum is a node; a branch is a node that is read twice.
//
// Names matter: weights are called by the node that has them, and nodes of one name
// in two networks of a family share them. Blocks ([Builder.Block]) are parts of
// names, "stage1/cell2/conv", and what drawings fold.
//
// Readers:
//
//   - [Graph.Cost]: parameters, multiply-accumulates, bytes moved, peak memory
//   - [Graph.Workloads]: the layers as loop nests, for models of accelerators
//   - [Graph.Features]: numbers for predictors
//   - [Graph.Class]: equal for networks that compute the same function
//   - [Graph.Simplify]: the network without dead paths, zeros and identities
//   - [Graph.AllWeights], [Graph.Initial]: what is trained, and where it begins
//   - [Graph.MarshalJSON], [Parse]: the network as a file
//   - [Graph.Draw]: a picture
//
// Package nets builds networks of known families, package onnx writes them for
// other programs, and package reference computes them slowly, to compare with.
package neural
