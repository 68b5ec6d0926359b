// Package nets builds networks of known families from plain structs of choices.
//
//	g, err := nets.NASBench201{Ops: [6]nets.CellOp{nets.Conv3x3, 1, 0, 2, 3, 4}}.Graph()
//
// Cells: [NASBench201] and [Cells], the form of NASNet and DARTS. Chains:
// [Macro] of NAS-Bench-Macro and [Mobile], the inverted residuals of MobileNetV3
// and Once-for-All with every layer's kernel and expansion free. [Transformer]
// encodes images or text with softmax or linear attention in each layer; [MLP] is
// for tables. [LeNet5], [ResNet] and [MobileNet] are what searched networks are
// compared with.
//
// Each family is also a space to search. Its struct says what is free and what is fixed,
// and New makes a [Family], whose designs are networks and whose networks are designs:
// [NASBench201Space], [DARTSSpace], [NASNetSpace], [MacroSpace], [OFASpace],
// [MobileSpace], [TransformerSpace] and [MLPSpace]. All but NASNet's are [Elastic]:
// their networks can train together.
//
//	f, err := nets.MobileSpace{Stem: []int{8}}.New()
//	d, err := f.Space().Sample(r)
//	g, err := f.Graph(d)
//	c, err := f.Choices(d) // a nets.Mobile
//
// The zero fields of each struct are the published values. Nodes are named by the
// place where they stand and by what they are, so that networks of one family
// share the weights of those that are equal, and of a kernel, width or depth that
// differs a supernet keeps the largest.
package nets
