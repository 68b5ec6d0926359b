package data

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// Options say how a set is handed out. The zero value hands out one example after the
// other, in order and as they are.
type Options struct {
	Batch   int    // examples of a batch; 0 means 1
	Seed    uint64 // of the order and of augmentation
	Shuffle bool   // another order in every epoch; of texts, windows that start elsewhere
	Balance bool   // an epoch has every class equally often, at random: needs Shuffle, and classes
	Whole   bool   // leave out the last batch of an epoch if it is not full
	Scale   *Scale // of the training part; nil means colours from 0 to 1 and numbers as they are
	Augment Augment
}

// A Batch is examples as networks take them.
//
// Images have one input of N×height×width×channels. Texts have one input of N×window
// tokens, and for each the token that follows as its class. Tables have one input of
// N×columns of numbers, if there are such columns, and then one input of N codes for
// each column of categories.
type Batch struct {
	N       int
	Inputs  [][]float32
	Classes []int32   // of examples, or of all tokens; nil if there are targets
	Targets []float32 // of each example; nil if there are classes
	Index   []int32   // which examples of the set these are

	Epoch, Step int // that the batch belongs to

	room batchRoom
}

// batchRoom keeps what a batch is filled through.
type batchRoom struct {
	inputs  [][]float32
	classes []int32
	targets []float32
	index   []int32
	rand    *rand.Rand
	pcg     *rand.PCG
	canvas  canvas
}

// A Loader hands out a set in batches. It is safe for concurrent use, with a batch for
// each goroutine.
type Loader struct {
	set    *Set
	o      Options
	sizes  []int // numbers of an example in each input
	colour [3]*[256]float32
	middle []uint8
	last   atomic.Pointer[epochOrder]
	making sync.Mutex
}

type epochOrder struct {
	epoch int
	order []int32
}

// Loader returns a loader, or says what of the options does not fit the set.
func (s *Set) Loader(o Options) (*Loader, error) {
	if o.Batch == 0 {
		o.Batch = 1
	}
	l := &Loader{set: s, o: o}
	if o.Batch < 1 {
		return nil, s.bad("found batches of %d examples, want at least 1", o.Batch)
	}
	if o.Whole && s.Len() < o.Batch {
		return nil, s.bad("found %d examples for whole batches of %d, want at least one batch", s.Len(), o.Batch)
	}
	if o.Balance && (s.labels == nil || !o.Shuffle) {
		return nil, s.bad("found balance, want it only with classes and in a random order")
	}
	if len(o.Augment) > 0 && s.Kind != Images {
		return nil, s.bad("found augmentation (%s), which is of images", o.Augment)
	}
	c := o.Scale
	switch s.Kind {
	case Images:
		l.sizes = []int{s.Height * s.Width * s.Channels}
		if c != nil && (len(c.Mean) != s.Channels || len(c.Std) != s.Channels) {
			return nil, s.bad("found a scale of %d channels, want %d", len(c.Mean), s.Channels)
		}
		for k := range s.Channels {
			l.colour[k] = c.colours(k)
		}
		l.middle = c.middle(s.Channels)
		if err := o.Augment.fits(s.Height, s.Width); err != nil {
			return nil, s.bad("%w", err)
		}
	case Text:
		l.sizes = []int{s.Window}
	case Table:
		if len(s.Numbers) > 0 {
			l.sizes = append(l.sizes, len(s.Numbers))
		}
		for range s.Categories {
			l.sizes = append(l.sizes, 1)
		}
		if c != nil && (len(c.Mean) != len(s.Numbers) || len(c.Std) != len(s.Numbers) || len(c.TargetMean) != len(s.Targets) || len(c.TargetStd) != len(s.Targets)) {
			return nil, s.bad("found a scale of %d columns and %d targets, want %d and %d", len(c.Mean), len(c.TargetMean), len(s.Numbers), len(s.Targets))
		}
	}
	return l, nil
}

// Set returns what is handed out.
func (l *Loader) Set() *Set { return l.set }

// Steps returns the number of batches of an epoch.
func (l *Loader) Steps() int {
	n := l.set.Len()
	if !l.o.Whole {
		n += l.o.Batch - 1
	}
	return n / l.o.Batch
}

// NewBatch returns a batch with room for as many examples as the loader hands out.
func (l *Loader) NewBatch() *Batch {
	n := l.o.Batch
	b := &Batch{}
	for _, size := range l.sizes {
		b.room.inputs = append(b.room.inputs, make([]float32, n*size))
	}
	b.Inputs = make([][]float32, len(l.sizes))
	switch {
	case l.set.Kind == Text:
		b.room.classes = make([]int32, n*l.set.Window)
	case l.set.labels != nil:
		b.room.classes = make([]int32, n)
	default:
		b.room.targets = make([]float32, n*len(l.set.Targets))
	}
	b.room.index = make([]int32, n)
	b.room.pcg = rand.NewPCG(0, 0)
	b.room.rand = rand.New(b.room.pcg)
	if len(l.o.Augment) > 0 {
		b.room.canvas.grow(l.set.Height, l.set.Width, l.set.Channels, l.middle)
	}
	return b
}

// order returns the examples in the order of an epoch, nil for the set's own.
func (l *Loader) order(epoch int) []int32 {
	if !l.o.Shuffle {
		return nil
	}
	if p := l.last.Load(); p != nil && p.epoch == epoch {
		return p.order
	}
	l.making.Lock()
	defer l.making.Unlock()
	if p := l.last.Load(); p != nil && p.epoch == epoch {
		return p.order
	}
	order := make([]int32, l.set.Len())
	r := rng.New(l.o.Seed, "data/order", uint64(epoch))
	for i := range order {
		j := r.IntN(i + 1)
		order[i] = order[j]
		order[j] = int32(i)
	}
	if l.o.Balance {
		order = l.balanced(order, r)
	}
	l.last.Store(&epochOrder{epoch, order})
	return order
}

// balanced returns as many examples as an order has, of every class as many as of any
// other or one more. Of a class they come in the order, again and again if there are too
// few; those of frequent classes do not all come.
func (l *Loader) balanced(order []int32, r *rand.Rand) []int32 {
	of := make([][]int32, len(l.set.Classes))
	for _, i := range order {
		c := l.set.Class(int(i))
		of[c] = append(of[c], i)
	}
	of = slices.DeleteFunc(of, func(own []int32) bool { return len(own) == 0 })
	r.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
	out := make([]int32, len(order))
	for k := range out {
		own := of[k%len(of)]
		out[k] = own[k/len(of)%len(own)]
	}
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// Fill fills a batch of [Loader.NewBatch] with those examples that come at a step of an
// epoch. It allocates nothing, except for the order at the first step of an epoch.
// It panics if there is no such step.
func (l *Loader) Fill(b *Batch, epoch, step int) {
	if epoch < 0 || step < 0 || step >= l.Steps() {
		panic(fmt.Sprintf("data: batch %d of epoch %d, want one of %d", step, epoch, l.Steps()))
	}
	first := step * l.o.Batch
	n := min(l.o.Batch, l.set.Len()-first)
	b.N, b.Epoch, b.Step = n, epoch, step
	b.Index = b.room.index[:n]
	if order := l.order(epoch); order != nil {
		copy(b.Index, order[first:])
	} else {
		for k := range b.Index {
			b.Index[k] = int32(first + k)
		}
	}
	l.fill(b, l.o.Augment, l.o.Shuffle)
}

// FillExamples fills a batch with chosen examples, at most as many as a batch has, as
// they are without augmentation.
func (l *Loader) FillExamples(b *Batch, examples []int32) {
	if len(examples) > l.o.Batch {
		panic(fmt.Sprintf("data: %d examples for a batch of %d", len(examples), l.o.Batch))
	}
	b.N, b.Epoch, b.Step = len(examples), 0, 0
	b.Index = b.room.index[:b.N]
	copy(b.Index, examples)
	l.fill(b, nil, false)
}

// fill puts the examples of b.Index into a batch.
func (l *Loader) fill(b *Batch, augment Augment, move bool) {
	for k, size := range l.sizes {
		b.Inputs[k] = b.room.inputs[k][:b.N*size]
	}
	switch l.set.Kind {
	case Images:
		l.fillImages(b, augment)
	case Text:
		l.fillText(b, move)
	case Table:
		l.fillTable(b)
	}
}

func (l *Loader) fillImages(b *Batch, augment Augment) {
	s := l.set
	size := l.sizes[0]
	b.Classes = b.room.classes[:b.N]
	for k, i := range b.Index {
		b.Classes[k] = int32(s.Class(int(i)))
		image := s.Image(int(i))
		if len(augment) > 0 {
			// The stream of an example: the epoch in the upper half, its number below.
			b.room.pcg.Seed(rng.State(l.o.Seed, "data/augment", uint64(b.Epoch)<<32|uint64(uint32(i))))
			image = augment.apply(&b.room.canvas, image, b.room.rand)
		}
		to := b.Inputs[0][k*size : (k+1)*size]
		image = image[:len(to)]
		if s.Channels == 1 {
			t := l.colour[0]
			for j := range to {
				to[j] = t[image[j]]
			}
			continue
		}
		t0, t1, t2 := l.colour[0], l.colour[1], l.colour[2]
		for j := 0; j+2 < len(to); j += 3 {
			to[j], to[j+1], to[j+2] = t0[image[j]], t1[image[j+1]], t2[image[j+2]]
		}
	}
}

// fillText starts the windows of a shuffled epoch at places that differ by epoch: all
// are moved by the same number of tokens, less than a window, and the last one ends
// with the text at the latest.
func (l *Loader) fillText(b *Batch, move bool) {
	s := l.set
	w := s.Window
	b.Classes = b.room.classes[:b.N*w]
	shift := 0
	if move {
		b.room.pcg.Seed(rng.State(l.o.Seed, "data/shift", uint64(b.Epoch)))
		shift = b.room.rand.IntN(w)
	}
	for k, i := range b.Index {
		start := min(int(i)*w+shift, len(s.tokens)-1-w)
		window := s.tokens[start : start+w+1]
		to := b.Inputs[0][k*w : (k+1)*w]
		next := b.Classes[k*w : (k+1)*w]
		for j := range to {
			to[j] = float32(window[j])
			next[j] = int32(window[j+1])
		}
	}
}

func (l *Loader) fillTable(b *Batch) {
	s := l.set
	n, t := len(s.Numbers), len(s.Targets)
	if s.labels != nil {
		b.Classes = b.room.classes[:b.N]
	} else {
		b.Targets = b.room.targets[:b.N*t]
	}
	for k, i := range b.Index {
		numbers, codes, targets := s.Row(int(i))
		inputs := b.Inputs
		if n > 0 {
			to := inputs[0][k*n : (k+1)*n]
			copy(to, numbers)
			if c := l.o.Scale; c != nil {
				put(to, numbers, c.Mean, c.Std)
			}
			inputs = inputs[1:]
		}
		for j, c := range codes {
			inputs[j][k] = float32(c)
		}
		if s.labels != nil {
			b.Classes[k] = int32(s.Class(int(i)))
			continue
		}
		to := b.Targets[k*t : (k+1)*t]
		copy(to, targets)
		if c := l.o.Scale; c != nil {
			put(to, targets, c.TargetMean, c.TargetStd)
		}
	}
}

// A Stream prepares batches ahead of their use, in one goroutine.
type Stream struct {
	full, empty chan *Batch
	stop        chan struct{}
	done        chan struct{}
	held        *Batch
	closing     sync.Once
}

// Stream starts at a step of an epoch and goes on to the next epochs without end, with
// up to ahead batches prepared, at least one. [Stream.Close] ends it.
func (l *Loader) Stream(epoch, step, ahead int) *Stream {
	if epoch < 0 || step < 0 || step >= l.Steps() {
		panic(fmt.Sprintf("data: batch %d of epoch %d, want one of %d", step, epoch, l.Steps()))
	}
	ahead = max(1, ahead)
	s := &Stream{full: make(chan *Batch, ahead+1), empty: make(chan *Batch, ahead+1), stop: make(chan struct{}), done: make(chan struct{})}
	for range ahead + 1 {
		s.empty <- l.NewBatch()
	}
	go func() {
		defer close(s.done)
		for {
			select {
			case <-s.stop:
				return
			case b := <-s.empty:
				l.Fill(b, epoch, step)
				s.full <- b // there is room for all
			}
			if step++; step == l.Steps() {
				epoch, step = epoch+1, 0
			}
		}
	}()
	return s
}

// Next returns the next batch, which is valid until the call after. It returns nil
// once the stream is closed.
func (s *Stream) Next() *Batch {
	if s.held != nil {
		s.empty <- s.held
		s.held = nil
	}
	select {
	case <-s.stop:
		return nil
	default:
	}
	select {
	case <-s.stop:
		return nil
	case s.held = <-s.full:
		return s.held
	}
}

// Close ends the stream and waits for its goroutine. It may be called more than once.
func (s *Stream) Close() {
	s.closing.Do(func() { close(s.stop) })
	<-s.done
}
