// Package data holds what networks learn from: images, text and tables in memory,
// read from files of the user or built in, and handed out in batches.
//
//	d, err := data.Source{Name: "fashion-mnist"}.Open(ctx)
//	steps, err := data.ParseAugment("flip", "crop 2")
//	l, err := d.Train.Loader(data.Options{Batch: 64, Shuffle: true, Seed: 7, Scale: d.Scale, Augment: steps})
//	b := l.NewBatch()
//	for step := range l.Steps() {
//		l.Fill(b, epoch, step)
//	}
//
// A [Set] never changes; its parts share its memory. Everything random follows from
// a seed, the epoch and the number of the example, so that a batch is the same
// whether it is reached by training up to it or by going there, and with any number
// of threads.
//
// Sets are kept as small as they are in files: a byte for a colour, two for a token.
// Numbers become float32 when they are put into a batch, images height×width×channels.
package data
