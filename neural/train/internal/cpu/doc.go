// Package cpu is a backend of GoMLX that computes on processors with the kernels of
// neural/internal/kernel: what GoMLX's graphs and gradients of convolutional networks,
// transformers and perceptrons consist of, at a speed fit for training.
//
//	be, err := cpu.New(2, 1<<30) // two threads, at most 1 GiB of arrays
//
// GoMLX's own pure-Go backend runs every node by itself, has neither gradients of
// max-pools nor normalisations, and ends the process on some inputs. Here a graph is
// compiled, in four steps:
//
//   - While it is built ([Builder], [Function]): equal nodes are one; constants are
//     folded; normalisations become sums and element-wise parts; the convolutions that
//     gradients consist of are recognised as the gradients that they are, by input and by
//     kernel, also where they come cut into groups.
//   - Views: reshapes, broadcasts, slices, transpositions and reversals are strides, until
//     somebody needs the numbers in order.
//   - Fusion (fuse.go): element-wise nodes, sums over rows among them and sums over columns
//     at their end become one loop over blocks of a few thousand numbers that stay in the
//     first caches.
//   - Memory: lifetimes are known, so arrays are reused, in place where the last reader is
//     the writer; donated inputs are taken over.
//
// Numbers are float32; integers and booleans serve as indices and masks. What is not
// supported is an error that says so. Results are the same for any number of threads.
package cpu
