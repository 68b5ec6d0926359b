package vector

import (
	"fmt"

	"github.com/daedalus-search/daedalus/metric"
)

// An Illuminator fills an [Archive] with the points of several emitters:
//
//	first := l.Ask(x)                          // any number of points
//	…                                          // evaluate
//	l.Tell(first, x, objectives, measures)     // any number of consecutive points
//
// Every emitter makes a batch of points in turn. With [Illuminator.Bandit] the
// emitters that succeed make more of them. Nothing is allocated while it runs,
// but for what the archive keeps.
type Illuminator struct {
	archive  *Archive
	emitters []Emitter
	bandit   *Bandit

	asked  int64
	turn   int // the emitter at work
	left   int // points it still makes in its batch
	blocks []block
	head   int // the latest block
}

// A block is a run of points made by one emitter.
type block struct {
	first   int64 // number of the first point, -1 for none
	count   int64
	emitter int
	number  int64 // what the emitter calls the first
	told    int
	entered int
}

// keptBlocks bounds the runs whose late results still reach their emitter.
const keptBlocks = 1 << 12

// NewIlluminator makes a search. It panics without an emitter.
func NewIlluminator(a *Archive, emitters ...Emitter) *Illuminator {
	if len(emitters) == 0 {
		panic("vector: illuminator: found no emitter, want at least one")
	}
	l := &Illuminator{archive: a, emitters: emitters, turn: -1, blocks: make([]block, keptBlocks)}
	for i := range l.blocks {
		l.blocks[i].first = -1
	}
	return l
}

// Bandit lets a bandit choose the emitter of every batch by the share of points
// that entered the archive; nil gives each its turn.
func (l *Illuminator) Bandit(b *Bandit) { l.bandit = b }

// Archive returns the archive.
func (l *Illuminator) Archive() *Archive { return l.archive }

// Batch returns how many points are made in one round of all emitters.
func (l *Illuminator) Batch() int {
	n := 0
	for _, e := range l.emitters {
		n += e.Batch()
	}
	return n
}

// Ask fills x with points and returns the number of the first.
func (l *Illuminator) Ask(x []float64) (first int64) {
	dim := l.archive.dim
	if len(x)%dim != 0 {
		panic(fmt.Sprintf("vector: found %d numbers, want points of %d", len(x), dim))
	}
	first = l.asked
	for len(x) > 0 {
		if l.left == 0 {
			if l.turn++; l.turn == len(l.emitters) {
				l.turn = 0
			}
			if l.bandit != nil {
				l.turn = l.bandit.Choose()
			}
			l.left = l.emitters[l.turn].Batch()
		}
		k := min(l.left, len(x)/dim)
		number := l.emitters[l.turn].Ask(l.archive, x[:k*dim])
		l.head = (l.head + 1) % keptBlocks
		l.blocks[l.head] = block{first: l.asked, count: int64(k), emitter: l.turn, number: number}
		l.asked += int64(k)
		l.left -= k
		x = x[k*dim:]
	}
	return first
}

// Tell reports the objectives, which are maximised, and the measures of
// consecutive points, of which first is the number of the first; -1 says that
// they come from elsewhere.
func (l *Illuminator) Tell(first int64, x, objectives, measures []float64) {
	dim, m := l.archive.dim, l.archive.m
	if len(x) != len(objectives)*dim || len(measures) != len(objectives)*m {
		panic(fmt.Sprintf("vector: found %d numbers and %d measures for %d objectives, want points of %d with %d measures", len(x), len(measures), len(objectives), dim, m))
	}
	at := -1
	for i, f := range objectives {
		p := x[i*dim : (i+1)*dim]
		status, gain := l.archive.Add(p, measures[i*m:(i+1)*m], f)
		if first < 0 {
			continue
		}
		number := first + int64(i)
		if at < 0 || number < l.blocks[at].first || number >= l.blocks[at].first+l.blocks[at].count {
			if at = l.find(number); at < 0 {
				continue
			}
		}
		b := &l.blocks[at]
		b.told++
		if status == metric.New || status == metric.Improved {
			b.entered++
		}
		if l.bandit != nil && b.told == int(b.count) {
			l.bandit.Reward(b.emitter, float64(b.entered)/float64(b.told))
		}
		l.emitters[b.emitter].Tell(l.archive, b.number+number-b.first, p, f, status, gain)
	}
}

// find returns the block that holds a point, or -1. Blocks are in order around
// the ring, the latest at head.
func (l *Illuminator) find(number int64) int {
	lo, hi := 0, keptBlocks-1 // ages
	for lo < hi {             // the youngest block that begins at or before number
		mid := (lo + hi) / 2
		if b := &l.blocks[(l.head-mid+keptBlocks)%keptBlocks]; b.first <= number {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	k := (l.head - lo + keptBlocks) % keptBlocks
	if b := &l.blocks[k]; b.first >= 0 && number >= b.first && number < b.first+b.count {
		return k
	}
	return -1
}
