package data

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// A Kind says what examples are.
type Kind uint8

// The kinds of data.
const (
	Images Kind = iota // bytes of height×width×channels, of one class each
	Text               // tokens, of which each is to be foretold from those before it
	Table              // rows of numbers and categories
)

func (k Kind) String() string { return [...]string{"images", "text", "table"}[k] }

// A Column is one column of a table.
type Column struct {
	Name       string
	Categories []string // what a code stands for; nil for a column of numbers
}

// Sizes that a set may have at most.
const (
	maxExamples = 1 << 30
	maxBytes    = 8 << 30 // of a set in memory
	maxSide     = 1 << 14 // of an image
)

// A Set is examples in memory. It never changes, and is safe for concurrent use.
type Set struct {
	Name    string
	Kind    Kind
	Classes []string // names of the classes, or of the tokens of a text; nil if targets are numbers

	Height, Width, Channels int // of images

	Window int // tokens of an example of a text

	Numbers    []Column // of a table: columns of numbers
	Categories []Column // of a table: columns of categories
	Targets    []string // names of the numbers to be foretold; nil if there are classes

	pixels  []uint8
	tokens  []uint16
	numbers []float32 // row by row
	codes   []int32   // row by row
	labels  []int32
	targets []float32 // row by row

	index []int32 // where examples stand in the slices above; nil if they all do, in order
}

// NewImages makes a set of images that lie one after the other, height×width×channels.
// Every class must have an image. The slices belong to the set from then on.
func NewImages(name string, height, width, channels int, pixels []uint8, labels []int32, classes []string) (*Set, error) {
	s := &Set{Name: name, Kind: Images, Height: height, Width: width, Channels: channels, Classes: classes, pixels: pixels, labels: labels}
	if height < 1 || width < 1 || height > maxSide || width > maxSide || channels != 1 && channels != 3 {
		return nil, s.bad("found images of %d×%d×%d, want height and width from 1 to %d and 1 or 3 channels", height, width, channels, maxSide)
	}
	if want := int64(len(labels)) * int64(height*width*channels); int64(len(pixels)) != want {
		return nil, s.bad("found %d bytes for %d images of %d×%d×%d, want %d", len(pixels), len(labels), height, width, channels, want)
	}
	return s, s.checkLabels()
}

// NewText makes a set of windows of one text; they follow each other without overlap.
// Vocabulary has the tokens' names.
func NewText(name string, window int, tokens []uint16, vocabulary []string) (*Set, error) {
	s := &Set{Name: name, Kind: Text, Window: window, Classes: vocabulary, tokens: tokens}
	if len(vocabulary) < 2 || len(vocabulary) > math.MaxUint16+1 {
		return nil, s.bad("found a vocabulary of %d tokens, want 2 to %d", len(vocabulary), math.MaxUint16+1)
	}
	if window < 1 || len(tokens) <= window {
		return nil, s.bad("found %d tokens for windows of %d, want windows of 1 or more, and more tokens than one has: a longer text or a smaller window", len(tokens), window)
	}
	if len(tokens) > maxExamples {
		return nil, s.bad("found %d tokens, want at most %d", len(tokens), maxExamples)
	}
	for i, t := range tokens {
		if int(t) >= len(vocabulary) {
			return nil, s.bad("token %d: found %d, want less than %d, the size of the vocabulary", i, t, len(vocabulary))
		}
	}
	return s, nil
}

// Rows are the cells of a table, row by row.
type Rows struct {
	Numbers    []float32 // of the columns of numbers
	Codes      []int32   // of the columns of categories
	Labels     []int32   // classes of the rows, or
	Targets    []float32 // numbers to be foretold
	NumberCols []Column
	CodeCols   []Column
	Classes    []string // with Labels
	TargetCols []string // with Targets
}

// NewTable makes a set of the rows of a table. The slices belong to the set from then on.
func NewTable(name string, r Rows) (*Set, error) { return newTable(name, r, false) }

func newTable(name string, r Rows, missing bool) (*Set, error) {
	s := &Set{
		Name: name, Kind: Table, Classes: r.Classes, Numbers: r.NumberCols, Categories: r.CodeCols, Targets: r.TargetCols,
		numbers: r.Numbers, codes: r.Codes, labels: r.Labels, targets: r.Targets,
	}
	n := len(r.Labels)
	if (len(r.Classes) > 0) == (len(r.TargetCols) > 0) {
		return nil, s.bad("found %d classes and %d numbers to be foretold, want one of the two", len(r.Classes), len(r.TargetCols))
	}
	if len(r.TargetCols) > 0 {
		n = len(r.Targets) / len(r.TargetCols)
		s.labels = nil
	}
	if len(r.NumberCols)+len(r.CodeCols) == 0 {
		return nil, s.bad("found no columns beside the target, want at least one")
	}
	if n == 0 {
		return nil, s.bad("found no rows, want at least one")
	}
	if len(r.Numbers) != n*len(r.NumberCols) || len(r.Codes) != n*len(r.CodeCols) || len(r.Targets) != n*len(r.TargetCols) {
		return nil, s.bad("found %d numbers, %d codes and %d targets for %d rows, want as many as there are columns of each", len(r.Numbers), len(r.Codes), len(r.Targets), n)
	}
	for i, x := range r.Numbers {
		if x-x != 0 && !missing {
			return nil, s.bad("row %d, column %q: found %v, want a finite number", i/len(r.NumberCols)+1, r.NumberCols[i%len(r.NumberCols)].Name, x)
		}
	}
	for i, x := range r.Targets {
		if x-x != 0 {
			return nil, s.bad("row %d, column %q: found %v, want a finite number", i/len(r.TargetCols)+1, r.TargetCols[i%len(r.TargetCols)], x)
		}
	}
	for i, c := range r.Codes {
		if col := r.CodeCols[i%len(r.CodeCols)]; c < 0 || int(c) >= len(col.Categories) {
			return nil, s.bad("row %d, column %q: found the code %d, want less than %d", i/len(r.CodeCols)+1, col.Name, c, len(col.Categories))
		}
	}
	if len(r.Classes) > 0 {
		return s, s.checkLabels()
	}
	return s, nil
}

func (s *Set) bad(format string, args ...any) error {
	return fmt.Errorf("data: %s %q: %w", s.Kind, s.Name, fmt.Errorf(format, args...))
}

func (s *Set) checkLabels() error {
	if len(s.labels) == 0 {
		return s.bad("found no examples, want at least one of each class")
	}
	if len(s.labels) > maxExamples {
		return s.bad("found %d examples, want at most %d", len(s.labels), maxExamples)
	}
	for i, c := range s.labels {
		if c < 0 || int(c) >= len(s.Classes) {
			return s.bad("example %d: found class %d, want 0 to %d", i, c, len(s.Classes)-1)
		}
	}
	return nil
}

// CheckClasses reports what makes a set unfit to learn classes from: fewer than two
// classes, or classes without an example. Texts and sets with numbers to be
// foretold pass.
func (s *Set) CheckClasses() error {
	if s.labels == nil {
		return nil
	}
	if len(s.Classes) < 2 {
		return s.bad("found %d class (%s), want at least two to tell apart", len(s.Classes), strings.Join(s.Classes, ", "))
	}
	var empty []string
	for c, n := range s.Counts() {
		if n == 0 {
			empty = append(empty, s.Classes[c])
		}
	}
	if len(empty) > 0 {
		return s.bad("found no example of %s among %d, want at least one of each class", some(empty, 10), s.Len())
	}
	return nil
}

// some lists words, and says how many more there are.
func some(words []string, most int) string {
	if len(words) <= most {
		return strings.Join(words, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(words[:most], ", "), len(words)-most)
}

// Len returns the number of examples: images, rows, or windows.
func (s *Set) Len() int {
	switch {
	case s.Kind == Text:
		return (len(s.tokens) - 1) / s.Window
	case s.index != nil:
		return len(s.index)
	case s.labels != nil:
		return len(s.labels)
	}
	return len(s.targets) / len(s.Targets)
}

// Bytes returns how much memory the examples take, counting what parts share in each.
func (s *Set) Bytes() int64 {
	return int64(len(s.pixels)) + 2*int64(len(s.tokens)) + 4*int64(len(s.numbers)+len(s.codes)+len(s.labels)+len(s.targets)+len(s.index))
}

func (s *Set) String() string {
	what := ""
	switch s.Kind {
	case Images:
		what = fmt.Sprintf("%d images of %d×%d×%d", s.Len(), s.Height, s.Width, s.Channels)
	case Text:
		return fmt.Sprintf("%s: %d tokens of %d, %d windows of %d", s.Name, len(s.tokens), len(s.Classes), s.Len(), s.Window)
	case Table:
		what = fmt.Sprintf("%d rows of %d numbers and %d categories", s.Len(), len(s.Numbers), len(s.Categories))
	}
	if s.labels != nil {
		return fmt.Sprintf("%s: %s, %d classes", s.Name, what, len(s.Classes))
	}
	return fmt.Sprintf("%s: %s, target %s", s.Name, what, strings.Join(s.Targets, ", "))
}

// at returns where an example stands.
func (s *Set) at(i int) int {
	if s.index != nil {
		return int(s.index[i])
	}
	return i
}

// Image returns the bytes of an image, which must not be changed.
func (s *Set) Image(i int) []uint8 {
	n := s.Height * s.Width * s.Channels
	k := s.at(i) * n
	return s.pixels[k : k+n : k+n]
}

// Class returns the class of an example; −1 if it has none.
func (s *Set) Class(i int) int {
	if s.labels == nil {
		return -1
	}
	return int(s.labels[s.at(i)])
}

// Row returns the numbers, codes and targets of a row of a table, which must not be
// changed.
func (s *Set) Row(i int) (numbers []float32, codes []int32, targets []float32) {
	k, n, c, t := s.at(i), len(s.Numbers), len(s.Categories), len(s.Targets)
	return s.numbers[k*n : (k+1)*n : (k+1)*n], s.codes[k*c : (k+1)*c : (k+1)*c], s.targets[k*t : (k+1)*t : (k+1)*t]
}

// Tokens returns a text, which must not be changed.
func (s *Set) Tokens() []uint16 { return s.tokens }

// Counts returns how many examples each class has; nil if there are no classes to count.
func (s *Set) Counts() []int {
	if s.labels == nil {
		return nil
	}
	n := make([]int, len(s.Classes))
	for i := range s.Len() {
		n[s.Class(i)]++
	}
	return n
}

// Subset returns the examples with these numbers, in this order. A text has no subsets:
// its parts are what [Set.Split] and [Set.Fraction] return.
func (s *Set) Subset(examples []int) (*Set, error) {
	if s.Kind == Text {
		return nil, s.bad("found a subset of windows, want a part of the text: a window alone would touch those beside it")
	}
	if len(examples) == 0 {
		return nil, s.bad("found a subset of no examples, want at least one")
	}
	part := *s
	part.index = make([]int32, len(examples))
	for k, i := range examples {
		if i < 0 || i >= s.Len() {
			return nil, s.bad("found example %d in a subset, want 0 to %d", i, s.Len()-1)
		}
		part.index[k] = int32(s.at(i))
	}
	return &part, nil
}

// mixed returns the examples in a random order in which the classes are spread evenly:
// example j of n of a class, in a random order within the class, stands at
// (j + u)/n of the whole, where the classes' u are spread evenly over [0, 1).
func (s *Set) mixed(seed uint64, purpose string) []int {
	n := s.Len()
	r := rng.New(seed, purpose, 0)
	order := r.Perm(n)
	counts := s.Counts()
	if counts == nil {
		return order
	}
	// Positions are compared as fractions of whole numbers: (2·C·j + 2·rank + 1) / (2·C·n).
	classes := len(counts)
	rank := r.Perm(classes)
	type key struct {
		class int
		j     int
	}
	keys := make([]key, n)
	seen := make([]int, classes)
	for _, i := range order {
		c := s.Class(i)
		keys[i] = key{c, seen[c]}
		seen[c]++
	}
	at := func(k key) (num, den uint64) {
		return uint64(2*classes*k.j + 2*rank[k.class] + 1), uint64(counts[k.class])
	}
	slices.SortStableFunc(order, func(a, b int) int {
		an, ad := at(keys[a])
		bn, bd := at(keys[b])
		aHi, aLo := bits.Mul64(an, bd)
		bHi, bLo := bits.Mul64(bn, ad)
		return cmp.Or(cmp.Compare(aHi, bHi), cmp.Compare(aLo, bLo), cmp.Compare(rank[keys[a].class], rank[keys[b].class]))
	})
	return order
}

// Split cuts the set into parts with these shares of the examples, chosen by the seed.
// Each class, if there are any, is shared out in the same way, as evenly as whole
// numbers allow; the first part has an example of each, if it has so many. Shares must
// add up to 1 or less; what is left over is left out.
// A text is cut into pieces that follow each other, whatever the seed.
func (s *Set) Split(seed uint64, shares ...float64) ([]*Set, error) {
	total := 0.0
	for _, x := range shares {
		if !(x > 0 && x <= 1) {
			return nil, s.bad("found a share of %v, want more than 0 and at most 1", x)
		}
		total += x
	}
	if total > 1+1e-9 {
		return nil, s.bad("found shares that add up to %v, want at most 1", total)
	}
	n := s.Len()
	if s.Kind == Text {
		n = len(s.tokens)
	}
	ends := make([]int, len(shares)+1)
	sum := 0.0
	for k, x := range shares {
		sum += x
		ends[k+1] = min(n, int(math.Round(float64(sum*float64(n)))))
	}
	parts := make([]*Set, len(shares))
	var order []int
	if s.Kind != Text {
		order = s.mixed(seed, "data/split")
		if len(ends) > 1 {
			s.represent(order, ends[1])
		}
	}
	for k := range shares {
		var err error
		if s.Kind == Text && ends[k+1]-ends[k] <= s.Window {
			err = s.bad("found a share of %.3g of %d tokens for windows of %d, want more tokens than one has: a longer text, a larger share or a smaller window", shares[k], n, s.Window)
		} else if s.Kind == Text {
			parts[k], err = NewText(s.Name, s.Window, s.tokens[ends[k]:ends[k+1]], s.Classes)
		} else if ends[k] == ends[k+1] {
			err = s.bad("found a share of %v of %d examples, want one that holds at least one example; take a larger share, or more data", shares[k], n)
		} else {
			parts[k], err = s.Subset(order[ends[k]:ends[k+1]])
		}
		if err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// represent exchanges examples so that every class is among the first n, as far as these
// have more than one of another class.
func (s *Set) represent(order []int, n int) {
	counts := s.Counts()
	if counts == nil {
		return
	}
	clear(counts)
	for _, i := range order[:n] {
		counts[s.Class(i)]++
	}
	last := n - 1
	for k := n; k < len(order); k++ {
		c := s.Class(order[k])
		if counts[c] > 0 {
			continue
		}
		for last >= 0 && counts[s.Class(order[last])] < 2 {
			last--
		}
		if last < 0 {
			return
		}
		counts[s.Class(order[last])]--
		counts[c]++
		order[last], order[k] = order[k], order[last]
	}
}

// Fraction returns a share of the examples, but at least one, and one of each class: the
// first ones of an order that depends on the seed alone, with the classes spread evenly.
// So a smaller fraction is part of every larger one. Of a text it is the beginning.
func (s *Set) Fraction(seed uint64, share float64) (*Set, error) {
	if !(share > 0 && share <= 1) {
		return nil, s.bad("found a fraction of %v, want more than 0 and at most 1", share)
	}
	if share == 1 {
		return s, nil
	}
	if s.Kind == Text {
		return NewText(s.Name, s.Window, s.tokens[:max(s.Window+1, int(math.Round(float64(share*float64(len(s.tokens))))))], s.Classes)
	}
	order := s.mixed(seed, "data/fraction")
	// The first example of each class comes first of all.
	if counts := s.Counts(); counts != nil {
		seen := make([]bool, len(counts))
		var first, rest []int
		for _, i := range order {
			if c := s.Class(i); !seen[c] {
				seen[c] = true
				first = append(first, i)
			} else {
				rest = append(rest, i)
			}
		}
		n := max(len(first), int(math.Round(float64(share*float64(len(order))))))
		return s.Subset(append(first, rest...)[:n])
	}
	return s.Subset(order[:max(1, int(math.Round(float64(share*float64(len(order))))))])
}
