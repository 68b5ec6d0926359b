// Package networks is the question of which network to build for data of one's own:
// images, text or tables. Its networks are really trained, on this machine, and their
// latency is really measured on it.
//
//	p, err := networks.Vision{}.New()  // Fashion-MNIST, elastic mobile networks, one supernet
//
// Either all networks share the weights of a supernet, which is trained once before the
// search and of which each takes its part (Yu et al. 2020, Guo et al. 2020, Cai et al.
// 2020), or each is trained by itself, for which there are fidelities. At the end the
// chosen few of the front are trained on, from the weights they have or anew, and measured
// on the test examples, which nothing saw before; so are networks that people designed.
//
// Training runs in a process of its own if the program's main calls
// train.Main(networks.Handlers()): a crash or a lack of memory there fails one trial. What it
// made is kept in the problem's folder, and training goes on from there when it was
// interrupted.
package networks
